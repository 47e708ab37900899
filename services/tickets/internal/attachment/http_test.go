package attachment_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/guanxi-crm/guanxi/platform/apptest"
	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/blob"
	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/attachment"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticketstest"
)

type body = ticketstest.Body

type view struct {
	ID     string `json:"attachment_id"`
	Name   string
	Type   string
	Bytes  int64
	SHA256 string `json:"sha256"`
}

type world struct {
	*ticketstest.World
	t *testing.T
}

func start(t *testing.T) *world {
	t.Helper()
	return &world{ticketstest.Start(t), t}
}

// open opens a ticket of the tenant pizza and gives its path.
func (w *world) open(customer string) string {
	w.t.Helper()
	b := body{"kind": "incident", "channel": "email", "subject": "Two colas are missing", "impact": 2, "urgency": 2}
	if customer != "" {
		b["customer_id"] = customer
	}
	var v struct {
		ID string `json:"ticket_id"`
	}
	w.Want(http.StatusCreated, http.MethodPost, "/v1/tickets", w.Agent, b, &v)
	return "/v1/tickets/" + v.ID
}

// send sends a file; query begins with & or is empty.
func (w *world) send(ticket, name, mediaType string, content any, headers ...string) apptest.Answer {
	w.t.Helper()
	return w.Do(http.MethodPost, ticket+"/attachments?name="+url.QueryEscape(name), w.Agent, content, append([]string{"Content-Type", mediaType}, headers...)...)
}

// attach sends a file that is taken.
func (w *world) attach(ticket, name, mediaType string, content any) (v view) {
	w.t.Helper()
	answer := w.send(ticket, name, mediaType, content)
	if answer.Status != http.StatusCreated {
		w.t.Fatalf("attach: %d %s", answer.Status, answer.Body)
	}
	answer.Decode(w.t, &v)
	return v
}

// sweeper is the sweep on the service's own files, at a time.
func (w *world) sweeper(at time.Time) *attachment.Attachments {
	w.t.Helper()
	blobs, err := blob.Open(blob.Config{Dir: w.Blobs()})
	if err != nil {
		w.t.Fatal(err)
	}
	return attachment.New(w.DB, blobs, func() time.Time { return at }, slog.New(slog.DiscardHandler))
}

// files gives the blobs that are there.
func (w *world) files() (found []string) {
	w.t.Helper()
	err := filepath.WalkDir(w.Blobs(), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return found
}

func (w *world) rows() (n int) {
	w.t.Helper()
	err := w.DB.Read(w.t.Context(), "pizza", func(tx *pg.Tx) error {
		return tx.QueryRow(w.t.Context(), `SELECT count(*) FROM attachment`).Scan(&n)
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

func TestAFileIsFetchedAsItWasSent(t *testing.T) {
	t.Parallel()
	w := start(t)
	ticket := w.open("")
	content := append([]byte(png), bytes.Repeat([]byte("bottle"), 1_000_000)...) // several pieces of a seal
	v := w.attach(ticket, "可乐 bottle.png", "image/png", content)
	if v.Bytes != int64(len(content)) || v.Name != "可乐 bottle.png" || len(v.SHA256) != 64 {
		t.Fatalf("%+v", v)
	}
	got := w.Want(http.StatusOK, http.MethodGet, ticket+"/attachments/"+v.ID+"/content", w.Agent, nil, nil)
	if !bytes.Equal(got.Body, content) {
		t.Fatalf("%d bytes came back as %d", len(content), len(got.Body))
	}
	for name, want := range map[string]string{
		"Content-Type": "image/png", "X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox; default-src 'none'",
		"Content-Disposition": "attachment; filename*=utf-8''%E5%8F%AF%E4%B9%90%20bottle.png", "Cache-Control": "private, no-store",
	} {
		if got.Header.Get(name) != want {
			t.Errorf("%s: %q", name, got.Header.Get(name))
		}
	}
	golden.JSON(t, "testdata/attachments.json", w.Want(http.StatusOK, http.MethodGet, ticket+"/attachments", w.Agent, nil, nil).Body)
	for _, file := range w.files() {
		raw, err := os.ReadFile(file)
		if err != nil || bytes.Contains(raw, []byte("bottlebottle")) {
			t.Errorf("%s can be read by whoever has the folder: %v", file, err)
		}
	}
}

func TestAFileBelongsToAReply(t *testing.T) {
	t.Parallel()
	w := start(t)
	ticket, other := w.open(""), w.open("")
	var said struct {
		Reply struct {
			ID string `json:"reply_id"`
		}
	}
	w.Want(http.StatusCreated, http.MethodPost, ticket+"/replies", w.Agent, body{"author": "customer", "words": "Look!"}, &said)
	reply := said.Reply
	path := "/attachments?name=a.png&reply_id="
	answer := w.Want(http.StatusCreated, http.MethodPost, ticket+path+reply.ID, w.Agent, png, nil, "Content-Type", "image/png")
	if !strings.Contains(string(answer.Body), `"reply_id":"`+reply.ID) {
		t.Fatalf("%s", answer.Body)
	}
	for on, code := range map[string]string{ticket + path + uuid.NewString(): "reply_not_found", other + path + reply.ID: "reply_not_found"} {
		if got := w.Want(http.StatusNotFound, http.MethodPost, on, w.Agent, png, nil, "Content-Type", "image/png").Code(); got != code {
			t.Errorf("%s: %s", on, got)
		}
	}
}

func TestWhatIsNotTakenIsRefusedWhileItArrives(t *testing.T) {
	t.Parallel()
	w := start(t)
	ticket := w.open("")
	for name, c := range map[string]struct {
		mediaType, content string
		status             int
		code               string
	}{
		"another type":      {"image/png", jpeg, http.StatusUnsupportedMediaType, "attachment_type"},
		"a page":            {"text/plain", "<html><script>alert(1)</script>", http.StatusUnsupportedMediaType, "attachment_type"},
		"said to be a page": {"text/html", "<html>", http.StatusUnsupportedMediaType, "content_type"},
		"of no type":        {"", png, http.StatusUnsupportedMediaType, "content_type"},
		"nothing":           {"image/png", "", http.StatusUnprocessableEntity, "attachment_empty"},
	} {
		if a := w.send(ticket, "a.png", c.mediaType, c.content); a.Status != c.status || a.Code() != c.code {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
	// 200 MB, of which it is not said beforehand how many they are: refused after 25 MiB, and nothing is kept.
	read := &endless{begin: []byte(png), left: 200 << 20}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.URL+ticket+"/attachments?name=a.png", io.NopCloser(read))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "image/png")
	req.Header.Set("Authorization", "Bearer "+w.Agent)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusRequestEntityTooLarge || read.left < 150<<20 {
		t.Errorf("200 MB: %d, with %d bytes not sent", resp.StatusCode, read.left)
	}
	if err := w.sweeper(time.Now()).Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(w.files()) != 0 || w.rows() != 0 {
		t.Errorf("left are %v and %d rows", w.files(), w.rows())
	}
}

// endless gives a beginning and then zeros.
type endless struct {
	begin []byte
	left  int
}

func (e *endless) Read(p []byte) (int, error) {
	if e.left <= 0 {
		return 0, io.EOF
	}
	clear(p)
	n := copy(p, e.begin)
	e.begin = e.begin[n:]
	e.left -= len(p)
	return len(p), nil
}

func TestAFileIsKeptOnceAKey(t *testing.T) {
	t.Parallel()
	w := start(t)
	ticket := w.open("")
	first := w.send(ticket, "a.png", "image/png", png, "Idempotency-Key", "mail-1")
	again := w.send(ticket, "a.png", "image/png", png, "Idempotency-Key", "mail-1")
	if first.Status != http.StatusCreated || !bytes.Equal(first.Body, again.Body) || again.Header.Get("Idempotent-Replay") != "true" {
		t.Fatalf("%d %s, then %d %s", first.Status, first.Body, again.Status, again.Body)
	}
	if other := w.send(ticket, "a.png", "image/png", png+"more", "Idempotency-Key", "mail-1"); other.Code() != "idempotency_key_reused" {
		t.Fatalf("another file with the key: %d %s", other.Status, other.Body)
	}
	if err := w.sweeper(time.Now()).Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(w.files()) != 1 || w.rows() != 1 {
		t.Errorf("left are %v and %d rows", w.files(), w.rows())
	}
}

func TestWhatAKilledProcessLeavesIsSwept(t *testing.T) {
	t.Parallel()
	w := start(t)
	ticket := w.open("")
	kept := w.attach(ticket, "kept.png", "image/png", png)
	removed := w.attach(ticket, "removed.png", "image/png", png)
	w.Want(http.StatusNoContent, http.MethodDelete, ticket+"/attachments/"+removed.ID, w.Agent, nil, nil)
	for path := range map[string]bool{"/attachments/" + removed.ID + "/content": true} {
		w.Want(http.StatusNotFound, http.MethodGet, ticket+path, w.Agent, nil, nil)
	}
	w.Want(http.StatusNotFound, http.MethodDelete, ticket+"/attachments/"+removed.ID, w.Agent, nil, nil)
	// One that was killed when its blob was there and its row did not say so yet.
	lost := w.attach(ticket, "lost.png", "image/png", png)
	err := w.DB.Tx(t.Context(), "pizza", func(tx *pg.Tx) error {
		tx.Queue(`UPDATE attachment SET state = 'arriving' WHERE tenant_id = 'pizza' AND id = $1`, lost.ID)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.sweeper(time.Now()).Sweep(t.Context()); err != nil || len(w.files()) != 2 {
		t.Fatalf("while it may still be arriving: %v, %v", w.files(), err)
	}
	for range 2 {
		if err := w.sweeper(time.Now().Add(3 * time.Hour)).Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.files(); len(got) != 1 || filepath.Base(got[0]) != kept.ID || w.rows() != 1 {
		t.Errorf("left are %v and %d rows", got, w.rows())
	}
	w.Want(http.StatusOK, http.MethodGet, ticket+"/attachments/"+kept.ID+"/content", w.Agent, nil, nil)
}

// A store that is away keeps a removed file waiting, unreadable; and a sweep that was killed between blob and row is gone on with.
func TestASweepIsGoneOnWith(t *testing.T) {
	t.Parallel()
	w := start(t)
	ticket := w.open("")
	v := w.attach(ticket, "a.png", "image/png", png)
	w.Want(http.StatusNoContent, http.MethodDelete, ticket+"/attachments/"+v.ID, w.Agent, nil, nil)
	away := attachment.New(w.DB, absent{}, time.Now, slog.New(slog.DiscardHandler))
	if err := away.Sweep(t.Context()); !errors.Is(err, errAway) || w.rows() != 1 {
		t.Fatalf("%v, %d rows", err, w.rows())
	}
	if err := os.Remove(w.files()[0]); err != nil { // the blob went, and then the process did
		t.Fatal(err)
	}
	if err := w.sweeper(time.Now()).Sweep(t.Context()); err != nil || w.rows() != 0 {
		t.Fatalf("%v, %d rows", err, w.rows())
	}
}

var errAway = errors.New("away")

// absent is a store that cannot be reached.
type absent struct{}

func (absent) Put(context.Context, string, io.Reader) (int64, error)     { return 0, errAway }
func (absent) Get(context.Context, string) (io.ReadCloser, int64, error) { return nil, 0, errAway }
func (absent) Delete(context.Context, string) error                      { return errAway }

func TestFilesGoWithAnErasure(t *testing.T) {
	t.Parallel()
	w := start(t)
	customer := uuid.New()
	ticket, other := w.open(customer.String()), w.open(uuid.NewString())
	v, kept := w.attach(ticket, "li lei.png", "image/png", png), w.attach(other, "b.png", "image/png", png)
	for _, want := range []int64{1, 0} {
		err := w.DB.Tx(t.Context(), "pizza", func(tx *pg.Tx) error {
			done, err := attachment.Erase(t.Context(), tx, []uuid.UUID{customer})
			if len(done) != 1 || done[0].Count != want || done[0].Left != 0 {
				t.Errorf("erased %+v, want %d", done, want)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	w.Want(http.StatusNotFound, http.MethodGet, ticket+"/attachments/"+v.ID+"/content", w.Agent, nil, nil)
	var left string
	err := w.DB.Read(t.Context(), "pizza", func(tx *pg.Tx) error {
		return tx.QueryRow(t.Context(), `SELECT string_agg(a::text, ',') FROM attachment a WHERE id = $1`, v.ID).Scan(&left)
	})
	if err != nil || strings.Contains(left, "lei") {
		t.Errorf("%s: %v", left, err)
	}
	if err := w.sweeper(time.Now()).Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := w.files(); len(got) != 1 || filepath.Base(got[0]) != kept.ID {
		t.Errorf("left are %v", got)
	}
}

func TestFilesStandInABucket(t *testing.T) {
	t.Parallel()
	backend := s3mem.New()
	if err := backend.CreateBucket("guanxi"); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(gofakes3.New(backend).Server())
	t.Cleanup(server.Close)
	blobs, err := blob.Open(blob.Config{S3: blob.S3{Endpoint: server.URL, Bucket: "guanxi", Region: "eu-central-1", AccessKey: "key", SecretKey: "secret"}})
	if err != nil {
		t.Fatal(err)
	}
	w := start(t)
	files := attachment.New(w.DB, blobs, time.Now, slog.New(slog.DiscardHandler))
	ctx := auth.With(t.Context(), auth.Principal{Subject: "ann", Tenant: "pizza"})
	content := append([]byte(png), bytes.Repeat([]byte("x"), 6<<20)...)
	f, err := files.Attach(ctx, attachment.Attachment{TicketID: uuid.MustParse(strings.TrimPrefix(w.open(""), "/v1/tickets/")), Name: "a.png", Type: "image/png", By: "ann", At: time.Now()}, bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	opened, err := files.Open(ctx, f)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(opened); err != nil || !bytes.Equal(got, content) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	if err := errors.Join(opened.Close(), files.Remove(ctx, f.TicketID, f.ID), files.Sweep(t.Context())); err != nil {
		t.Fatal(err)
	}
	list, err := backend.ListBucket("guanxi", nil, gofakes3.ListBucketPage{})
	if err != nil || len(list.Contents) != 0 {
		t.Fatalf("left are %v, %v", list, err)
	}
}

func TestNobodySeesAnotherTenantsFiles(t *testing.T) {
	t.Parallel()
	w := start(t)
	ticket, other := w.open(""), w.open("")
	v := w.attach(ticket, "a.png", "image/png", png)
	music := w.Token(auth.RoleAgent, "music")
	for _, c := range [][2]string{{http.MethodGet, "/attachments"}, {http.MethodGet, "/attachments/" + v.ID + "/content"}, {http.MethodDelete, "/attachments/" + v.ID}} {
		w.Want(http.StatusNotFound, c[0], ticket+c[1], music, nil, nil)
	}
	w.Want(http.StatusNotFound, http.MethodPost, ticket+"/attachments?name=a.png", music, png, nil, "Content-Type", "image/png")
	w.Want(http.StatusNotFound, http.MethodGet, other+"/attachments/"+v.ID+"/content", w.Agent, nil, nil)
	w.Want(http.StatusForbidden, http.MethodPost, ticket+"/attachments?name=a.png", w.Token(auth.RoleSales, "pizza"), png, nil, "Content-Type", "image/png")
	w.Want(http.StatusUnauthorized, http.MethodGet, ticket+"/attachments/"+v.ID+"/content", "", nil, nil)
}

func TestAttachmentsRefuseBadInput(t *testing.T) {
	t.Parallel()
	w := start(t)
	ticket := w.open("")
	v := w.attach(ticket, "a.png", "image/png", png)
	for path, want := range map[string]int{
		ticket + "/attachments":                           http.StatusUnprocessableEntity,
		ticket + "/attachments?name=":                     http.StatusUnprocessableEntity,
		ticket + "/attachments?name=a.png&reply_id=x":     http.StatusUnprocessableEntity,
		ticket + "/attachments?name=a.png&colour=red":     http.StatusUnprocessableEntity,
		ticket + "/attachments?name=a%00.png":             http.StatusBadRequest,
		ticket + "/attachments?name=a%ff.png":             http.StatusBadRequest,
		"/v1/tickets/x/attachments?name=a.png":            http.StatusUnprocessableEntity,
		"/v1/tickets/" + v.ID + "/attachments?name=a.png": http.StatusNotFound,
	} {
		if a := w.Do(http.MethodPost, path, w.Agent, png, "Content-Type", "image/png"); a.Status != want || a.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d %s", path, a.Status, a.Body)
		}
	}
	for path, want := range map[string]int{
		ticket + "/attachments/x/content": http.StatusUnprocessableEntity, ticket + "/attachments/" + uuid.NewString() + "/content": http.StatusNotFound,
		ticket + "/attachments?limit=0": http.StatusUnprocessableEntity, ticket + "/attachments?cursor=x": http.StatusBadRequest,
	} {
		w.Want(want, http.MethodGet, path, w.Agent, nil, nil)
	}
	w.Want(http.StatusOK, http.MethodPost, ticket+"/status", w.Agent, body{"status": "closed"}, nil, "If-Match", "*")
	if got := w.send(ticket, "late.png", "image/png", png); got.Code() != "ticket_closed" {
		t.Errorf("on a closed ticket: %d %s", got.Status, got.Body)
	}
	if got := slices.IndexFunc(attachment.Types(), func(s string) bool { return strings.Contains(s, "html") || strings.Contains(s, "svg") }); got >= 0 {
		t.Errorf("%s is taken", attachment.Types()[got])
	}
}
