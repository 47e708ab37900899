package link_test

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticketstest"
)

type body = ticketstest.Body

type view struct {
	ID         string `json:"ticket_id"`
	Number     string
	Status     string
	Resolution string
	MergedInto string `json:"merged_into"`
	Version    int64
}

type world struct {
	*ticketstest.World
	t *testing.T
}

func start(t *testing.T) *world {
	t.Helper()
	return &world{ticketstest.Start(t), t}
}

// open opens a ticket of the tenant pizza.
func (w *world) open(subject, customer string) (v view) {
	w.t.Helper()
	b := body{"kind": "incident", "channel": "email", "subject": subject, "description": "About " + subject, "impact": 2, "urgency": 2}
	if customer != "" {
		b["customer_id"] = customer
	}
	w.Want(http.StatusCreated, http.MethodPost, "/v1/tickets", w.Agent, b, &v)
	return v
}

func (w *world) get(v view) (now view) {
	w.t.Helper()
	w.Want(http.StatusOK, http.MethodGet, "/v1/tickets/"+v.ID, w.Agent, nil, &now)
	return now
}

// link links two tickets and gives the code of the problem; empty: it was done.
func (w *world) link(a view, kind string, b view) string {
	w.t.Helper()
	answer := w.Do(http.MethodPut, "/v1/tickets/"+a.ID+"/links/"+kind+"/"+b.ID, w.Agent, nil)
	if answer.Status == http.StatusNoContent {
		return ""
	}
	return answer.Code()
}

// links gives what a ticket is to others, by their numbers.
func (w *world) links(v view) (all []string) {
	w.t.Helper()
	var found struct {
		Items []struct{ Is, Number string }
	}
	w.Want(http.StatusOK, http.MethodGet, "/v1/tickets/"+v.ID+"/links", w.Agent, nil, &found)
	for _, l := range found.Items {
		all = append(all, l.Is+" "+l.Number)
	}
	return all
}

// merge merges a into b and gives the code of the problem; empty: it was done.
func (w *world) merge(a, b view, more body) string {
	w.t.Helper()
	content := body{"into": b.ID}
	for k, v := range more {
		content[k] = v
	}
	answer := w.Do(http.MethodPost, "/v1/tickets/"+a.ID+"/merge", w.Agent, content, "If-Match", "*")
	if answer.Status == http.StatusOK {
		return ""
	}
	return answer.Code()
}

// said gives the words of a ticket's thread.
func (w *world) said(v view, query string) (words []string, next string) {
	w.t.Helper()
	var page struct {
		Items      []struct{ Number, Words string }
		NextCursor string `json:"next_cursor"`
	}
	w.Want(http.StatusOK, http.MethodGet, "/v1/tickets/"+v.ID+"/thread"+query, w.Agent, nil, &page)
	for _, p := range page.Items {
		words = append(words, p.Number+": "+p.Words)
	}
	return words, page.NextCursor
}

func TestTicketsAreLinkedAndSeenFromBothSides(t *testing.T) {
	t.Parallel()
	w := start(t)
	a, b, c := w.open("a", ""), w.open("b", ""), w.open("c", "")
	for range 2 { // a link that is there stays
		if code := w.link(a, "parent_of", b); code != "" {
			t.Fatal(code)
		}
	}
	w.link(a, "parent_of", c)
	w.link(b, "caused_by", c)
	for v, want := range map[view][]string{
		a: {"parent_of T-000002", "parent_of T-000003"}, b: {"caused_by T-000003", "child_of T-000001"}, c: {"causes T-000002", "child_of T-000001"},
	} {
		if got := w.links(v); !slices.Equal(got, want) {
			t.Errorf("%s is %v, want %v", v.Number, got, want)
		}
	}
	var history struct {
		Items []struct{ What, Code, Ref string }
	}
	w.Want(http.StatusOK, http.MethodGet, "/v1/tickets/"+b.ID+"/history", w.Agent, nil, &history)
	if last := history.Items[1]; len(history.Items) != 3 || last.What != "linked" || last.Code != "child_of" {
		t.Errorf("the history says %+v", history.Items)
	}
	w.Want(http.StatusNoContent, http.MethodDelete, "/v1/tickets/"+a.ID+"/links/parent_of/"+b.ID, w.Agent, nil, nil)
	if got := w.links(b); !slices.Equal(got, []string{"caused_by T-000003"}) {
		t.Errorf("after the link was taken away: %v", got)
	}
	if got := w.Want(http.StatusNotFound, http.MethodDelete, "/v1/tickets/"+a.ID+"/links/parent_of/"+b.ID, w.Agent, nil, nil).Code(); got != "link_not_found" {
		t.Errorf("%s", got)
	}
}

func TestLinksNeverGoRoundInACircle(t *testing.T) {
	t.Parallel()
	w := start(t)
	var all []view
	for range 4 {
		all = append(all, w.open("x", ""))
	}
	for _, kind := range []string{"duplicate_of", "parent_of", "caused_by"} {
		for i := range 3 {
			if code := w.link(all[i], kind, all[i+1]); code != "" {
				t.Fatalf("%s: %s", kind, code)
			}
		}
		if code := w.link(all[3], kind, all[0]); code != "link_circle" {
			t.Errorf("%s: four in a circle: %q", kind, code)
		}
		if code := w.link(all[1], kind, all[0]); code != "link_circle" {
			t.Errorf("%s: two of each other: %q", kind, code)
		}
		if code := w.link(all[0], kind, all[0]); code != "link_to_itself" {
			t.Errorf("%s: of itself: %q", kind, code)
		}
	}
	other := w.open("y", "")
	if code := w.link(all[0], "duplicate_of", other); code != "link_taken" {
		t.Errorf("a duplicate of two: %q", code)
	}
	if code := w.link(other, "parent_of", all[1]); code != "link_taken" {
		t.Errorf("a child of two: %q", code)
	}
	if code := w.link(all[0], "caused_by", other); code != "" {
		t.Errorf("caused by two: %q", code)
	}
}

func TestATicketWithALongHistoryTakesNoMoreLinks(t *testing.T) {
	t.Parallel()
	w := start(t)
	a, b := w.open("a", ""), w.open("b", "")
	err := w.DB.Tx(t.Context(), "pizza", func(tx *pg.Tx) error {
		tx.Queue(`UPDATE ticket SET entries = 9000 WHERE tenant_id = 'pizza' AND id = $1`, b.ID)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if code := w.link(a, "caused_by", b); code != "ticket_full" {
		t.Errorf("%q", code)
	}
}

func TestTwoLinksMadeAtOnceCloseNoCircle(t *testing.T) {
	t.Parallel()
	w := start(t)
	for range 5 {
		a, b := w.open("a", ""), w.open("b", "")
		var wait sync.WaitGroup
		codes := make([]string, 2)
		wait.Go(func() { codes[0] = w.link(a, "caused_by", b) })
		wait.Go(func() { codes[1] = w.link(b, "caused_by", a) })
		wait.Wait()
		if slices.Sort(codes); !slices.Equal(codes, []string{"", "link_circle"}) {
			t.Fatalf("%q", codes)
		}
	}
}

func TestWhatWasSaidOnAMergedTicketIsReadThroughTheSurvivor(t *testing.T) {
	t.Parallel()
	w := start(t)
	a, b, c := w.open("a", ""), w.open("b", ""), w.open("c", "")
	say := func(v view, words string) {
		t.Helper()
		w.Want(http.StatusCreated, http.MethodPost, "/v1/tickets/"+v.ID+"/replies", w.Agent, body{"author": "customer", "words": words}, nil)
	}
	say(a, "first")
	say(b, "second <script>")
	w.Want(http.StatusCreated, http.MethodPost, "/v1/tickets/"+a.ID+"/notes", w.Agent, body{"words": "between us"}, nil)
	var file struct {
		ID string `json:"attachment_id"`
	}
	w.Want(http.StatusCreated, http.MethodPost, "/v1/tickets/"+a.ID+"/attachments?name=a.txt", w.Agent, "a picture in words", &file, "Content-Type", "text/plain")
	for _, pair := range [][2]view{{a, b}, {b, c}} {
		if code := w.merge(pair[0], pair[1], nil); code != "" {
			t.Fatal(code)
		}
	}
	say(c, "third")
	if now := w.get(a); now.Status != "closed" || now.MergedInto != b.ID || now.Resolution != "duplicate" {
		t.Fatalf("merged: %+v", now)
	}
	want := []string{"T-000001: About a", "T-000002: About b", "T-000003: About c", "T-000001: first", "T-000002: second <script>", "T-000003: third"}
	if got, _ := w.said(c, ""); !slices.Equal(got, want) {
		t.Errorf("through the survivor: %q", got)
	}
	if got, _ := w.said(c, "?internal=true"); !slices.Contains(got, "T-000001: between us") || len(got) != len(want)+1 {
		t.Errorf("with notes: %q", got)
	}
	var paged []string
	for next, more := "", true; more; more = next != "" {
		var got []string
		got, next = w.said(c, "?limit=4&cursor="+next)
		paged = append(paged, got...)
	}
	if !slices.Equal(paged, want) {
		t.Errorf("in pages: %q", paged)
	}
	if got := w.Want(http.StatusOK, http.MethodGet, "/v1/tickets/"+c.ID+"/attachments", w.Agent, nil, nil); !strings.Contains(string(got.Body), file.ID) {
		t.Errorf("the file of a merged ticket is not among %s", got.Body)
	}
	w.Want(http.StatusOK, http.MethodGet, "/v1/tickets/"+c.ID+"/attachments/"+file.ID+"/content", w.Agent, nil, nil)
	if got := w.Do(http.MethodPost, "/v1/tickets/"+a.ID+"/replies", w.Agent, body{"author": "customer", "words": "late"}); got.Code() != "ticket_merged" {
		t.Errorf("said on a merged ticket: %d %s", got.Status, got.Body)
	}
	for what, pair := range map[string][2]view{"again": {a, c}, "into a merged one": {c, a}} {
		if code := w.merge(pair[0], pair[1], nil); code == "" {
			t.Errorf("merged %s", what)
		}
	}
	for _, e := range w.EventsOf("TicketsMerged", 2) {
		if e.AggregateID == a.ID {
			golden.JSON(t, "testdata/tickets_merged.json", e.Data)
		}
	}
}

func TestTwoCustomersWordsComeTogetherOnlyWhenThatIsAskedFor(t *testing.T) {
	t.Parallel()
	w := start(t)
	li, wei := uuid.NewString(), uuid.NewString()
	a, b, c, nobody := w.open("a", li), w.open("b", wei), w.open("c", li), w.open("d", "")
	if code := w.merge(a, b, nil); code != "merge_across_customers" {
		t.Fatalf("%q", code)
	}
	if w.get(a).Status != "new" {
		t.Error("it was closed all the same")
	}
	for what, code := range map[string]string{
		"of the same customer": w.merge(c, a, nil), "of nobody known": w.merge(nobody, a, nil), "asked for": w.merge(a, b, body{"across_customers": true}),
	} {
		if code != "" {
			t.Errorf("%s: %s", what, code)
		}
	}
}

func TestAMergeIsOfTheTicketAsItWasRead(t *testing.T) {
	t.Parallel()
	w := start(t)
	a, b := w.open("a", ""), w.open("b", "")
	path := "/v1/tickets/" + a.ID + "/merge"
	w.Want(http.StatusPreconditionRequired, http.MethodPost, path, w.Agent, body{"into": b.ID}, nil)
	w.Want(http.StatusPreconditionFailed, http.MethodPost, path, w.Agent, body{"into": b.ID}, nil, "If-Match", `"9"`)
	first := w.Want(http.StatusOK, http.MethodPost, path, w.Agent, body{"into": b.ID}, nil, "If-Match", `"1"`, "Idempotency-Key", "merge-1")
	again := w.Want(http.StatusOK, http.MethodPost, path, w.Agent, body{"into": b.ID}, nil, "If-Match", `"1"`, "Idempotency-Key", "merge-1")
	if string(first.Body) != string(again.Body) {
		t.Errorf("%s, then %s", first.Body, again.Body)
	}
	complaint := w.Register(uuid.NewString())
	if got := w.Do(http.MethodPost, "/v1/tickets/"+complaint.TicketID+"/merge", w.Agent, body{"into": b.ID}, "If-Match", "*"); got.Code() != "ticket_of_complaint" {
		t.Errorf("a complaint's: %d %s", got.Status, got.Body)
	}
}

func TestNobodyLinksAnotherTenantsTickets(t *testing.T) {
	t.Parallel()
	w := start(t)
	a, b := w.open("a", ""), w.open("b", "")
	music := w.Token(auth.RoleAgent, "music")
	var mine view
	w.Want(http.StatusCreated, http.MethodPost, "/v1/tickets", music, body{"kind": "incident", "channel": "email", "subject": "mine", "impact": 2, "urgency": 2}, &mine)
	for _, c := range []struct{ method, path string }{
		{http.MethodGet, a.ID + "/links"}, {http.MethodGet, a.ID + "/thread"}, {http.MethodPut, a.ID + "/links/parent_of/" + b.ID},
		{http.MethodPut, mine.ID + "/links/parent_of/" + a.ID}, {http.MethodDelete, a.ID + "/links/parent_of/" + b.ID},
	} {
		w.Want(http.StatusNotFound, c.method, "/v1/tickets/"+c.path, music, nil, nil)
	}
	for from, into := range map[string]string{a.ID: mine.ID, mine.ID: a.ID} {
		w.Want(http.StatusNotFound, http.MethodPost, "/v1/tickets/"+from+"/merge", music, body{"into": into}, nil, "If-Match", "*")
	}
	w.Want(http.StatusForbidden, http.MethodPut, "/v1/tickets/"+a.ID+"/links/parent_of/"+b.ID, w.Token(auth.RoleSales, "pizza"), nil, nil)
}

func TestLinksRefuseBadInput(t *testing.T) {
	t.Parallel()
	w := start(t)
	a, b, c := w.open("a", ""), w.open("b", ""), w.open("c", "")
	target := func(change badinput.Target) badinput.Target { change.URL, change.Token = w.URL, w.Agent; return change }
	badinput.Check(t, target(badinput.Target{Method: http.MethodGet, Path: "/v1/tickets/" + a.ID + "/links", Owned: true}))
	badinput.Check(t, target(badinput.Target{Method: http.MethodGet, Path: "/v1/tickets/" + a.ID + "/thread", Owned: true, List: true}))
	badinput.Check(t, target(badinput.Target{Method: http.MethodPut, Path: "/v1/tickets/" + a.ID + "/links/caused_by/" + b.ID, Owned: true}))
	badinput.Check(t, target(badinput.Target{Method: http.MethodPost, Path: "/v1/tickets/" + c.ID + "/merge", Owned: true, Version: true,
		Header: http.Header{"If-Match": {"*"}}, Body: `{"into": "` + b.ID + `", "across_customers": false}`}))
	for _, path := range []string{"/links/friend_of/" + b.ID, "/links/parent_of/x", "/thread?internal=maybe", "/thread?cursor=x"} {
		method := http.MethodPut
		if strings.HasPrefix(path, "/thread") {
			method = http.MethodGet
		}
		if got := w.Do(method, "/v1/tickets/"+a.ID+path, w.Agent, nil); got.Status != 422 && got.Status != 400 {
			t.Errorf("%s: %d %s", path, got.Status, got.Body)
		}
	}
	if code := w.merge(a, a, nil); code != "link_to_itself" {
		t.Errorf("merged with itself: %q", code)
	}
}
