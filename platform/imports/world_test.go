package imports_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flowtest"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/imports"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/migrate"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/pgtest"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// The service of these tests keeps people. A row is refused by a rule (kind), by a constraint (age) or by the database's
// type (age again), as those of real services are.
func people() fs.FS {
	return fstest.MapFS{"00001_person.sql": {Data: []byte(`-- +goose Up
CREATE TABLE person (
	tenant_id text NOT NULL, ref text NOT NULL, name text NOT NULL, age integer CHECK (age >= 0),
	line bigint NOT NULL, times integer NOT NULL DEFAULT 1,
	PRIMARY KEY (tenant_id, ref));
SELECT guanxi_tenant_table('person');
`)}}
}

func apply(_ context.Context, tx *pg.Tx, job imports.Job, rows []imports.Row) (rejected []imports.Rejection, err error) {
	const insert = `INSERT INTO person (tenant_id, ref, name, age, line) VALUES ($1, $2, $3, nullif($4, '')::integer, $5)
		ON CONFLICT (tenant_id, ref) DO `
	for _, row := range rows {
		switch {
		case row.Get("name") == "nobody":
			rejected = append(rejected, imports.Rejection{Line: row.Line, Column: "name", Code: "name_reserved", Reason: "is reserved"})
			continue
		case row.Get("name") == "everybody":
			return nil, problem.New(problem.Unprocessable, "not_one", "Not one person.").WithField("name", "not_one", "must be one person")
		}
		then := `NOTHING`
		if job.Policy == imports.Update {
			then = `UPDATE SET name = excluded.name, times = person.times + 1`
		}
		name := row.Get("name")
		if row.Get("tags") != "" {
			name += "|" + row.Get("tags") + "|" + row.Get("extra")
		}
		if len(row.More()) > 0 {
			name += "["
			for n, column := range row.More() {
				name += strings.Repeat(" ", min(n, 1)) + column + "=" + row.Get(column)
			}
			name += "]"
		}
		tx.Queue(insert+then, tx.Tenant(), row.Get("ref"), name, row.Get("age"), row.Line)
	}
	return rejected, nil
}

// world is one service with its imports.
type world struct {
	t        *testing.T
	database *pgtest.TestDatabase
	db       *pg.DB
	frontend *flowtest.Frontend
	imports  *imports.Imports
	issuer   *auth.DevIssuer
	url      string
	now      *atomic.Pointer[time.Time] // nil means the real time
	kind     imports.Kind
	tenant   string // on whose behalf the test asks
}

// as gives the same world to a test of its own tenant.
func (w *world) as(t *testing.T, tenant string) *world {
	other := *w
	other.t, other.tenant = t, tenant
	return &other
}

func newWorld(t *testing.T, change ...func(*imports.Kind)) *world {
	t.Helper()
	w := &world{t: t, tenant: "music", frontend: flowtest.NewFrontend(t), now: &atomic.Pointer[time.Time]{}}
	w.database = pgtest.Database(t, migrate.Source{Service: "people", FS: people()})
	w.db = w.database.DB(pg.App)
	w.kind = imports.Kind{
		Path: "/v1/people/imports", Name: "people", Permission: auth.CustomersImport,
		Columns: []imports.Column{
			{Name: "ref", Required: true, Doc: "what the person is called elsewhere"},
			{Name: "name", Required: true, Doc: "the person's name"},
			{Name: "age", Doc: "in years"},
			{Name: "tags", Many: true, Doc: "what the person is called with others"},
			{Name: "extra", JSON: true, Doc: "anything"},
			{Name: "external:*", Doc: "a reference in another system"},
		},
		Apply: apply,
		Finished: func(job imports.Job) outbox.Event {
			return outbox.Event{Aggregate: "import", ID: job.ID, Time: job.FinishedAt, Message: wrapperspb.Int64(job.Accepted)}
		},
	}
	for _, c := range change {
		c(&w.kind)
	}
	w.imports = imports.New(w.db, outbox.New("people"), w.frontend.Client(), "people", w.kind, w.clock)

	web := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.issuer.ServeHTTP(rw, r) }))
	t.Cleanup(web.Close)
	var err error
	w.issuer, err = auth.NewDevIssuer(auth.DevIssuerConfig{URL: web.URL, Audience: "guanxi"})
	require.NoError(t, err)
	verifier, err := auth.NewVerifier(t.Context(), auth.Config{Issuer: web.URL, Audience: "guanxi"})
	require.NoError(t, err)
	server := httpx.NewServer(httpx.Config{}, verifier, slog.New(slog.DiscardHandler))
	w.imports.Routes(server.API("people", "1", "People"))
	api := httptest.NewServer(server.Handler())
	t.Cleanup(api.Close)
	w.url = api.URL
	return w
}

func (w *world) clock() time.Time {
	if at := w.now.Load(); at != nil {
		return *at
	}
	return time.Now()
}

// work runs the workflows from now on.
func (w *world) work() { w.frontend.Work(w.imports.Register) }

type call struct {
	tenant, key, contentType string
	role                     string // empty: an integrator's
}

// do calls the API as an integrator of a tenant and decodes the answer into out, when it is not nil.
func (w *world) do(method, path string, body io.Reader, how call, out any) *http.Response {
	w.t.Helper()
	if how.tenant == "" {
		how.tenant = w.tenant
	}
	token, err := w.issuer.Token(auth.TokenRequest{Subject: "ann", Tenant: how.tenant, Roles: []string{cmp.Or(how.role, auth.RoleIntegrator)}}, time.Now())
	require.NoError(w.t, err)
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, body)
	require.NoError(w.t, err)
	req.Header.Set("Authorization", "Bearer "+token)
	if body != nil {
		req.Header.Set("Content-Type", "text/csv")
	}
	if how.contentType != "" {
		req.Header.Set("Content-Type", how.contentType)
	}
	if how.key != "" {
		req.Header.Set("Idempotency-Key", how.key)
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(w.t, err)
	defer func() { require.NoError(w.t, resp.Body.Close()) }()
	content, err := io.ReadAll(resp.Body)
	require.NoError(w.t, err)
	switch out := out.(type) {
	case nil:
	case *string:
		*out = string(content)
	default:
		require.NoError(w.t, json.Unmarshal(content, out), "%s", content)
	}
	return resp
}

// upload sends a file that must be accepted.
func (w *world) upload(query, file string) imports.View {
	w.t.Helper()
	var text string
	resp := w.do(http.MethodPost, w.kind.Path+query, strings.NewReader(file), call{}, &text)
	require.Equal(w.t, http.StatusAccepted, resp.StatusCode, text)
	var v imports.View
	require.NoError(w.t, json.Unmarshal([]byte(text), &v))
	require.Equal(w.t, w.kind.Path+"/"+v.ID.String(), resp.Header.Get("Location"))
	return v
}

func (w *world) read(id uuid.UUID) (v imports.View) {
	w.t.Helper()
	resp := w.do(http.MethodGet, w.kind.Path+"/"+id.String(), nil, call{}, &v)
	require.Equal(w.t, http.StatusOK, resp.StatusCode)
	return v
}

// ended waits for the workflow and reads the import.
func (w *world) ended(id uuid.UUID) imports.View {
	w.t.Helper()
	require.NoError(w.t, w.frontend.Wait(w.t.Context(), workflowID(w.tenant, id)))
	return w.read(id)
}

func workflowID(tenant string, id uuid.UUID) string { return fmt.Sprintf("import/%s/%s", tenant, id) }

// rejections reads all pages, as line:column:code.
func (w *world) rejections(id uuid.UUID, limit int) (all []string) {
	w.t.Helper()
	for cursor := ""; ; {
		var page struct {
			Items      []imports.RejectionView `json:"items"`
			NextCursor string                  `json:"next_cursor"`
		}
		resp := w.do(http.MethodGet, fmt.Sprintf("%s/%s/rejections?limit=%d&cursor=%s", w.kind.Path, id, limit, cursor), nil, call{}, &page)
		require.Equal(w.t, http.StatusOK, resp.StatusCode)
		for _, r := range page.Items {
			require.NotEmpty(w.t, r.Reason)
			all = append(all, fmt.Sprintf("%d:%s:%s", r.Line, r.Column, r.Code))
		}
		if cursor = page.NextCursor; cursor == "" {
			return all
		}
	}
}

// count runs a query that gives one number, over all tenants.
func (w *world) count(sql string, args ...any) (n int64) {
	w.t.Helper()
	require.NoError(w.t, w.database.DB(pg.Ops).System(w.t.Context(), func(tx *pg.Tx) error {
		return tx.QueryRow(w.t.Context(), sql, args...).Scan(&n)
	}))
	return n
}

// file makes a CSV of n good rows.
func file(n int) string {
	var b strings.Builder
	b.WriteString("ref,name,age\n")
	for k := 1; k <= n; k++ {
		fmt.Fprintf(&b, "r%d,\"Person, %d\",%d\n", k, k, k%90)
	}
	return b.String()
}
