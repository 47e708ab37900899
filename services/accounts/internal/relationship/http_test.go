package relationship_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/accountstest"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/relationship"
)

type body = map[string]any

type view struct {
	ID         string `json:"relationship_id"`
	Kind       string
	CustomerID string `json:"customer_id"`
	RelatedID  string `json:"related_id"`
	State      string
	EndedAt    string `json:"ended_at"`
}

type page struct {
	CustomerID string `json:"customer_id"`
	Items      []view
	NextCursor string `json:"next_cursor"`
}

type hierarchy struct {
	CustomerID             string `json:"customer_id"`
	Ancestors, Descendants []struct {
		CustomerID string `json:"customer_id"`
		Via        string
		Depth      int
	}
	Truncated bool
}

// world is a service whose tenant pizza has people a, b, c, d and organisations o, p, q.
type world struct {
	*accountstest.World
	t                   *testing.T
	agent               string
	a, b, c, d, o, p, q string
}

func start(t *testing.T) *world {
	t.Helper()
	w := &world{World: accountstest.Start(t), t: t}
	w.agent = w.Token(auth.RoleAgent, "pizza")
	for name, id := range map[string]*string{"a": &w.a, "b": &w.b, "c": &w.c, "d": &w.d} {
		*id = w.Customer(t, "pizza", "person", name)
	}
	for name, id := range map[string]*string{"o": &w.o, "p": &w.p, "q": &w.q} {
		*id = w.Customer(t, "pizza", "organisation", name)
	}
	return w
}

func (w *world) relate(from, kind, to string) view {
	w.t.Helper()
	var v view
	w.Want(http.StatusCreated, http.MethodPost, "/v1/customers/"+from+"/relationships", w.agent, body{"kind": kind, "related_id": to}, &v)
	return v
}

func (w *world) refused(status int, code, from, kind, to string) string {
	w.t.Helper()
	answer := w.Do(http.MethodPost, "/v1/customers/"+from+"/relationships", w.agent, body{"kind": kind, "related_id": to})
	if answer.Status != status || !strings.Contains(string(answer.Body), `"`+code+`"`) {
		w.t.Fatalf("%s: got %d %s, want %d %s", kind, answer.Status, answer.Body, status, code)
	}
	return string(answer.Body)
}

func (w *world) list(id, query string) page {
	w.t.Helper()
	var p page
	w.Want(http.StatusOK, http.MethodGet, "/v1/customers/"+id+"/relationships?"+query, w.agent, nil, &p)
	return p
}

func (w *world) around(id, query string) hierarchy {
	w.t.Helper()
	var h hierarchy
	w.Want(http.StatusOK, http.MethodGet, "/v1/customers/"+id+"/hierarchy?"+query, w.agent, nil, &h)
	return h
}

func TestARelationshipIsMadeListedAndEnded(t *testing.T) {
	t.Parallel()
	w := start(t)
	made := w.relate(w.a, "contact_of", w.o)
	w.relate(w.a, "reports_to", w.b)
	w.relate(w.c, "household", w.a)
	w.relate(w.p, "parent_organisation", w.o)

	if got := w.refused(http.StatusConflict, "relationship_exists", w.a, "contact_of", w.o); !strings.Contains(got, made.ID) {
		t.Errorf("which one is not said: %s", got)
	}
	for _, id := range []string{w.a, w.o} { // from both its ends
		if got := w.list(id, "kind=contact_of"); len(got.Items) != 1 || got.Items[0] != made || got.CustomerID != id {
			t.Errorf("%+v", got)
		}
	}
	if got := w.list(w.a, ""); len(got.Items) != 3 || got.Items[0].Kind != "household" {
		t.Errorf("%+v", got)
	}
	first := w.list(w.a, "limit=2")
	rest := w.list(w.a, "limit=2&cursor="+first.NextCursor)
	if len(first.Items) != 2 || len(rest.Items) != 1 || rest.Items[0].ID != made.ID || rest.NextCursor != "" {
		t.Errorf("pages of %+v and %+v", first, rest)
	}

	var ended view
	w.Want(http.StatusOK, http.MethodPost, "/v1/relationships/"+made.ID+"/end", w.agent, nil, &ended)
	if ended.State != "ended" || ended.EndedAt == "" {
		t.Fatalf("%+v", ended)
	}
	again := w.Want(http.StatusConflict, http.MethodPost, "/v1/relationships/"+made.ID+"/end", w.agent, nil, nil)
	if again.Code() != "relationship_ended" {
		t.Errorf("%s", again.Body)
	}
	if got := w.list(w.o, "kind=contact_of"); len(got.Items) != 0 {
		t.Errorf("an ended one is current: %+v", got)
	}
	second := w.relate(w.a, "contact_of", w.o)
	if got := w.list(w.o, "kind=contact_of&state=all"); len(got.Items) != 2 || got.Items[0].ID != second.ID || got.Items[1] != ended {
		t.Errorf("%+v", got)
	}
	var states []string
	for _, e := range w.EventsOf("RelationshipChanged", 6) {
		if e.AggregateType != "relationship" || e.Tenant != "pizza" {
			t.Errorf("%+v", e)
		}
		if e.AggregateID == made.ID {
			states = append(states, e.AggregateID)
			if len(states) == 2 {
				golden.JSON(t, "testdata/relationship_changed.json", e.Data)
			}
		}
	}
	if len(states) != 2 {
		t.Errorf("%d events of one that was made and ended", len(states))
	}
}

func TestCirclesAreRefused(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.relate(w.a, "reports_to", w.b)
	w.relate(w.b, "reports_to", w.c)
	body := w.refused(http.StatusConflict, "relationship_cycle", w.c, "reports_to", w.a)
	if want := strings.Join([]string{w.c, w.a, w.b, w.c}, " → "); !strings.Contains(body, want) {
		t.Errorf("%s does not name %s", body, want)
	}
	w.relate(w.c, "household", w.a) // another kind is another hierarchy
	w.refused(http.StatusConflict, "relationship_cycle", w.a, "household", w.c)
	w.relate(w.a, "reports_to", w.c) // two ways up are no circle

	w.relate(w.o, "parent_organisation", w.p)
	w.refused(http.StatusConflict, "relationship_cycle", w.p, "parent_organisation", w.o)
	ended := w.list(w.o, "kind=parent_organisation").Items[0]
	w.Want(http.StatusOK, http.MethodPost, "/v1/relationships/"+ended.ID+"/end", w.agent, nil, nil)
	w.relate(w.p, "parent_organisation", w.o) // what has ended closes no circle

	w.refused(http.StatusUnprocessableEntity, "relationship_self", w.a, "reports_to", w.a)
	w.refused(http.StatusUnprocessableEntity, "relationship_kind", w.a, "contact_of", w.b)
	w.refused(http.StatusUnprocessableEntity, "relationship_kind", w.a, "parent_organisation", w.o)
}

func TestAnAliasHidesNoCircle(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.relate(w.a, "reports_to", w.b)
	w.relate(w.c, "reports_to", w.d)
	w.Absorb(t, "pizza", w.b, w.c) // b is c: a → b → d
	w.refused(http.StatusUnprocessableEntity, "relationship_self", w.b, "reports_to", w.c)
	w.refused(http.StatusConflict, "relationship_exists", w.b, "reports_to", w.d)
	w.refused(http.StatusConflict, "relationship_cycle", w.d, "reports_to", w.a)
	body := w.refused(http.StatusConflict, "relationship_cycle", w.d, "reports_to", w.c)
	if strings.Contains(body, w.c) {
		t.Errorf("an alias stands in the circle: %s", body)
	}
	got := w.list(w.c, "")
	if got.CustomerID != w.b || len(got.Items) != 2 || got.Items[0].CustomerID != w.b || got.Items[1].RelatedID != w.b {
		t.Errorf("by an alias: %+v", got)
	}
	if h := w.around(w.c, "kind=reports_to"); h.CustomerID != w.b || len(h.Ancestors) != 1 || h.Ancestors[0].CustomerID != w.d ||
		len(h.Descendants) != 1 || h.Descendants[0].CustomerID != w.a {
		t.Errorf("%+v", h)
	}
	w.Restore(t, "pizza", w.b, w.c)
	if h := w.around(w.c, "kind=reports_to"); h.CustomerID != w.c || len(h.Ancestors) != 1 || len(h.Descendants) != 0 {
		t.Errorf("after an undo: %+v", h)
	}
	w.relate(w.d, "reports_to", w.a) // c is apart again
}

func TestAHierarchyIsWalkedAsFarAsAsked(t *testing.T) {
	t.Parallel()
	w := start(t)
	chain := []string{w.o}
	for n := range 6 {
		next := w.Customer(t, "pizza", "organisation", fmt.Sprintf("level %d", n))
		w.relate(next, "parent_organisation", chain[len(chain)-1])
		chain = append(chain, next)
	}
	w.relate(w.p, "parent_organisation", w.o)
	h := w.around(w.o, "kind=parent_organisation")
	if len(h.Ancestors) != 0 || len(h.Descendants) != 6 || h.Descendants[5].Depth != 5 || h.Truncated {
		t.Errorf("%+v", h)
	}
	h = w.around(chain[6], "kind=parent_organisation&depth=20&direction=ancestors")
	if len(h.Ancestors) != 6 || h.Ancestors[5].CustomerID != w.o || h.Ancestors[5].Via != chain[1] || len(h.Descendants) != 0 {
		t.Errorf("%+v", h)
	}
	if h = w.around(w.o, "kind=parent_organisation&depth=1&direction=descendants"); len(h.Descendants) != 2 {
		t.Errorf("%+v", h)
	}
}

func TestTwoAtOnceNeverCloseACircle(t *testing.T) {
	t.Parallel()
	w := start(t)
	for range 10 {
		var made atomic.Int64
		var wait sync.WaitGroup
		for _, pair := range [][2]string{{w.a, w.b}, {w.b, w.c}, {w.c, w.a}} {
			wait.Go(func() {
				switch answer := w.Do(http.MethodPost, "/v1/customers/"+pair[0]+"/relationships", w.agent, body{"kind": "reports_to", "related_id": pair[1]}); answer.Status {
				case http.StatusCreated:
					made.Add(1)
				case http.StatusConflict:
				default:
					t.Errorf("got %d %s", answer.Status, answer.Body)
				}
			})
		}
		wait.Wait()
		if made.Load() != 2 {
			t.Fatalf("%d of three that close a circle passed, want 2", made.Load())
		}
		for _, one := range slices.Concat(w.list(w.a, "").Items, w.list(w.b, "").Items) {
			w.Do(http.MethodPost, "/v1/relationships/"+one.ID+"/end", w.agent, nil)
		}
	}
}

func (w *world) tangled(survivor, absorbed []string) []string {
	w.t.Helper()
	parse := func(ids []string) (out []uuid.UUID) {
		for _, id := range ids {
			out = append(out, uuid.MustParse(id))
		}
		return out
	}
	var codes []string
	if err := w.DB.Tx(w.t.Context(), "pizza", func(tx *pg.Tx) (err error) {
		codes, err = relationship.Tangled(w.t.Context(), tx, parse(survivor), parse(absorbed))
		return err
	}); err != nil {
		w.t.Fatal(err)
	}
	return codes
}

func TestAMergeThatTanglesIsFoundBefore(t *testing.T) {
	t.Parallel()
	w := start(t)
	if got := w.tangled([]string{w.a}, []string{w.b}); len(got) != 0 {
		t.Errorf("strangers are tangled: %v", got)
	}
	w.relate(w.a, "reports_to", w.b)
	w.relate(w.b, "reports_to", w.c)
	w.relate(w.d, "household", w.a)
	cases := []struct {
		name               string
		survivor, absorbed []string
		want               []string
	}{
		{"who reports to the other", []string{w.a}, []string{w.b}, []string{"relationship_self_reports_to"}},
		{"the other way round", []string{w.b}, []string{w.a}, []string{"relationship_self_reports_to"}},
		{"over a third", []string{w.c}, []string{w.a}, []string{"relationship_cycle_reports_to"}},
		{"of a household", []string{w.d}, []string{w.a}, []string{"relationship_self_household"}},
		{"of nothing", []string{w.d}, []string{w.c}, nil},
	}
	for _, c := range cases {
		if got := w.tangled(c.survivor, c.absorbed); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
	// An alias counts as its root, on the way and at the ends.
	e := w.Customer(t, "pizza", "person", "e")
	w.Absorb(t, "pizza", w.c, e)
	if got := w.tangled([]string{w.a}, []string{w.c, e}); !slices.Equal(got, []string{"relationship_cycle_reports_to"}) {
		t.Errorf("with an alias: %v", got)
	}
	// What would be a circle is read to an end all the same.
	w.Absorb(t, "pizza", w.a, w.c)
	if h := w.around(w.a, "kind=reports_to&depth=20"); len(h.Ancestors) != 1 || len(h.Descendants) != 1 {
		t.Errorf("a circle: %+v", h)
	}
	w.refused(http.StatusConflict, "relationship_exists", w.b, "reports_to", w.a)
}

func TestAMergeWaitsForWhoRelates(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.relate(w.a, "reports_to", w.b)
	checked, free, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() { // a merge of c and a that has looked and not yet ended
		done <- w.DB.Tx(t.Context(), "pizza", func(tx *pg.Tx) error {
			codes, err := relationship.Tangled(t.Context(), tx, []uuid.UUID{uuid.MustParse(w.a)}, []uuid.UUID{uuid.MustParse(w.c)})
			if err != nil || len(codes) > 0 {
				return fmt.Errorf("tangled %v: %w", codes, err)
			}
			close(checked)
			<-free
			tx.Queue(`UPDATE customer SET state = 'absorbed', root_id = $2 WHERE tenant_id = $1 AND id = $3`, tx.Tenant(), w.a, w.c)
			tx.Queue(`UPDATE customer SET aliases = ARRAY[$3::uuid] WHERE tenant_id = $1 AND id = $2`, tx.Tenant(), w.a, w.c)
			return nil
		})
	}()
	<-checked
	answered := make(chan int, 1)
	go func() { // b → d → c would be a circle once c is a; d → c is made after the merge's look
		answered <- w.Do(http.MethodPost, "/v1/customers/"+w.b+"/relationships", w.agent, body{"kind": "reports_to", "related_id": w.d}).Status
	}()
	w.Eventually("the relation waits", func() bool {
		var waiting int
		if err := w.DB.Pool().QueryRow(t.Context(), `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
			AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`).Scan(&waiting); err != nil {
			t.Fatal(err)
		}
		return waiting > 0
	})
	close(free)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if status := <-answered; status != http.StatusCreated {
		t.Fatalf("got %d", status)
	}
	w.refused(http.StatusConflict, "relationship_cycle", w.d, "reports_to", w.c)
}

func TestWhoMayNotBeRelated(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.relate(w.a, "contact_of", w.o)
	stranger := w.Customer(t, "music", "person", "stranger")
	w.refused(http.StatusNotFound, "customer_not_found", stranger, "reports_to", w.a)
	w.refused(http.StatusUnprocessableEntity, "customer_not_found", w.a, "reports_to", stranger)

	w.Put(t, "pizza", w.b, "archived")
	w.refused(http.StatusConflict, "customer_archived", w.b, "reports_to", w.a)
	w.refused(http.StatusConflict, "customer_archived", w.a, "reports_to", w.b)
	w.Put(t, "pizza", w.a, "archived") // its relations can be read and ended still
	if got := w.list(w.a, ""); len(got.Items) != 1 {
		t.Fatalf("%+v", got)
	}
	w.Want(http.StatusOK, http.MethodPost, "/v1/relationships/"+w.list(w.a, "").Items[0].ID+"/end", w.agent, nil, nil)

	w.Put(t, "pizza", w.c, "erased")
	w.refused(http.StatusGone, "customer_erased", w.c, "reports_to", w.d)
	w.refused(http.StatusGone, "customer_erased", w.d, "reports_to", w.c)
	for _, path := range []string{"/relationships", "/hierarchy?kind=reports_to"} {
		w.Want(http.StatusGone, http.MethodGet, "/v1/customers/"+w.c+path, w.agent, nil, nil)
	}
	reader := w.Token(auth.RoleMarketing, "pizza")
	w.Want(http.StatusForbidden, http.MethodPost, "/v1/customers/"+w.d+"/relationships", reader, body{"kind": "contact_of", "related_id": w.o}, nil)
	w.Want(http.StatusOK, http.MethodPost, "/v1/tenants/pizza/suspend", w.Root, nil, nil)
	w.refused(http.StatusForbidden, "tenant_suspended", w.d, "contact_of", w.o)
}

func TestErasureRemovesRelationships(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.relate(w.a, "contact_of", w.o)
	ended := w.relate(w.b, "reports_to", w.a)
	w.Want(http.StatusOK, http.MethodPost, "/v1/relationships/"+ended.ID+"/end", w.agent, nil, nil)
	kept := w.relate(w.b, "contact_of", w.o)
	for _, want := range []int64{2, 0} { // the second time there is nothing left
		if err := w.DB.Tx(t.Context(), "pizza", func(tx *pg.Tx) error {
			erased, err := relationship.Erase(t.Context(), tx, []uuid.UUID{uuid.MustParse(w.a)})
			if erased["relationships"] != want {
				t.Errorf("erased %v, want %d", erased, want)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	w.Want(http.StatusNotFound, http.MethodGet, "/v1/relationships/"+ended.ID, w.agent, nil, nil)
	if got := w.list(w.b, "state=all"); len(got.Items) != 1 || got.Items[0].ID != kept.ID {
		t.Errorf("%+v", got)
	}
}

func TestRelationshipsRefuseBadInput(t *testing.T) {
	t.Parallel()
	w := start(t)
	made := w.relate(w.a, "contact_of", w.o)
	fresh := func(id func() string) func() string {
		return func() string { return fmt.Sprintf(`{"kind":"contact_of","related_id":%q}`, id()) }
	}
	organisation := func() string { return w.Customer(t, "pizza", "organisation", "another") }
	path := "/v1/customers/" + w.b
	for name, target := range map[string]badinput.Target{
		"add": {Method: http.MethodPost, Path: path + "/relationships", Body: fresh(organisation)(), Fresh: fresh(organisation),
			OtherBody: fresh(organisation)(), Owned: true, Replay: true},
		"list":      {Method: http.MethodGet, Path: path + "/relationships", List: true, Owned: true},
		"hierarchy": {Method: http.MethodGet, Path: path + "/hierarchy?kind=contact_of", Owned: true},
		"get":       {Method: http.MethodGet, Path: "/v1/relationships/" + made.ID, Owned: true},
	} {
		t.Run(name, func(t *testing.T) {
			target.URL, target.Token = w.URL, w.agent
			badinput.Check(t, target)
		})
	}
	for query, status := range map[string]int{
		"hierarchy": 422, "hierarchy?kind=friend_of": 422, "hierarchy?kind=reports_to&depth=0": 422, "hierarchy?kind=reports_to&depth=21": 422,
		"hierarchy?kind=reports_to&direction=up": 422, "relationships?kind=friend_of": 422, "relationships?state=ended": 422,
	} {
		w.Want(status, http.MethodGet, path+"/"+query, w.agent, nil, nil)
	}
	w.refused(http.StatusUnprocessableEntity, "validation_failed", w.a, "friend_of", w.b)
	w.Want(http.StatusNotFound, http.MethodPost, "/v1/relationships/"+made.ID+"/end", w.Token(auth.RoleAgent, "music"), nil, nil)

	key := uuid.NewString()
	first := w.Want(http.StatusOK, http.MethodPost, "/v1/relationships/"+made.ID+"/end", w.agent, nil, nil, "Idempotency-Key", key)
	again := w.Want(http.StatusOK, http.MethodPost, "/v1/relationships/"+made.ID+"/end", w.agent, nil, nil, "Idempotency-Key", key)
	if string(first.Body) != string(again.Body) || again.Header.Get("Idempotent-Replay") != "true" {
		t.Errorf("first %s, then %s", first.Body, again.Body)
	}
}
