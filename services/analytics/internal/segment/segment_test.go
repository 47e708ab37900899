package segment_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/analyticstest"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/segment"
)

type body = analyticstest.Body

// world is the service, and segments whose passes the test runs by hand.
type world struct {
	*analyticstest.World
	t        *testing.T
	segments *segment.Segments
	outbox   *outbox.Outbox
	clock    time.Time
}

func start(t *testing.T) *world {
	t.Helper()
	w := &world{World: analyticstest.Start(t), t: t, outbox: outbox.New("analytics"), clock: time.Now().UTC()}
	w.segments = w.another()
	return w
}

// another is segments as another process has them.
func (w *world) another() *segment.Segments {
	return segment.New(w.DB, w.Database.DB(pg.Ops), w.outbox, func() time.Time { return w.clock })
}

type view struct {
	ID         string
	Code       string
	State      string
	Version    int64
	Members    int64
	FilterText string `json:"filter_text"`
	Run        *struct{ State string }
}

// define makes a segment and has everybody judged.
func (w *world) define(kind, code, text string) (v view) {
	w.t.Helper()
	b := body{"code": code, "name": code, "kind": kind}
	if text != "" {
		b["filter_text"] = text
	}
	w.Want(http.StatusCreated, http.MethodPost, "/v1/segments", w.Marketing, b, &v)
	w.pass()
	return w.read(v.ID)
}

func (w *world) read(id string) (v view) {
	w.t.Helper()
	w.Want(http.StatusOK, http.MethodGet, "/v1/segments/"+id, w.Marketing, nil, &v)
	return v
}

func (w *world) pass() {
	w.t.Helper()
	if err := w.segments.Background(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// person is a portrait as the test knows it.
type person struct {
	id     uuid.UUID
	orders int
	net    int64
	last   int // days ago
	tags   []string
}

// paint writes portraits, as a pass would, and has segments follow.
func (w *world) paint(follow bool, people ...person) {
	w.t.Helper()
	err := w.follow(follow, people...)
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) follow(follow bool, people ...person) error {
	return w.DB.Tx(w.t.Context(), "music", func(tx *pg.Tx) error {
		slices.SortFunc(people, func(a, b person) int { return strings.Compare(a.id.String(), b.id.String()) })
		ids := make([]uuid.UUID, len(people))
		for i, p := range people {
			ids[i] = p.id
			tx.Queue(`INSERT INTO portrait (tenant_id, customer_id, orders, net_minor, last_purchase_on, tags) VALUES ($1, $2, $3, $4, $5, $6)
				ON CONFLICT (tenant_id, customer_id) DO UPDATE SET orders = excluded.orders, net_minor = excluded.net_minor, last_purchase_on = excluded.last_purchase_on, tags = excluded.tags`,
				"music", p.id, p.orders, p.net, w.clock.AddDate(0, 0, -p.last), append([]string{}, p.tags...))
		}
		if err := tx.Flush(w.t.Context()); err != nil || !follow {
			return err
		}
		events, err := w.segments.Follow(w.t.Context(), tx, ids, w.clock)
		if err != nil {
			return err
		}
		return w.outbox.Append(w.t.Context(), tx, events...)
	})
}

// members gives who is in, by id.
func (w *world) members(id string) (ids []string) {
	w.t.Helper()
	for cursor := ""; ; {
		var page struct {
			Items []struct {
				CustomerID string `json:"customer_id"`
			}
			NextCursor string `json:"next_cursor"`
		}
		w.Want(http.StatusOK, http.MethodGet, "/v1/segments/"+id+"/members?limit=200&cursor="+cursor, w.Sales, nil, &page)
		for _, m := range page.Items {
			ids = append(ids, m.CustomerID)
		}
		if cursor = page.NextCursor; cursor == "" {
			return ids
		}
	}
}

// fieldOf reads a text of an event.
func fieldOf(t *testing.T, data []byte, name string) string {
	t.Helper()
	var fields map[string]any
	if err := json.Unmarshal(data, &fields); err != nil {
		t.Fatal(err)
	}
	text, _ := fields[name].(string)
	return text
}

func somebody(r *rand.Rand) person {
	p := person{id: analyticstest.ID(), orders: r.IntN(6), net: r.Int64N(50_000), last: r.IntN(200)}
	if r.IntN(3) == 0 {
		p.tags = []string{"vip"}
	}
	return p
}

// judged are segments with what the test itself says of who is in.
var judged = []struct {
	code, text string
	in         func(person) bool
}{
	{"regulars", "orders >= 3", func(p person) bool { return p.orders >= 3 }},
	{"rich", "net_minor > 20000 and not orders = 0", func(p person) bool { return p.net > 20000 && p.orders != 0 }},
	{"recent", "last_purchase_on within 90 days", func(p person) bool { return p.last <= 90 }},
	{"vips", `tags has "vip" or net_minor >= 45000`, func(p person) bool { return slices.Contains(p.tags, "vip") || p.net >= 45000 }},
	{"rich_regulars", "in segment rich and in segment regulars", func(p person) bool { return p.net > 20000 && p.orders >= 3 }},
}

// TestMembersAreWhomTheirFiltersChoose changes people at random, by batches and by runs, and compares with a slow look at each.
func TestMembersAreWhomTheirFiltersChoose(t *testing.T) {
	t.Parallel()
	w := start(t)
	r := rand.New(rand.NewPCG(5, 7))
	people := map[uuid.UUID]person{}
	add := func(n int, follow bool) {
		var batch []person
		for range n {
			p := somebody(r)
			batch, people[p.id] = append(batch, p), p
		}
		w.paint(follow, batch...)
	}
	add(60, false) // who is there before the segments
	ids := map[string]string{}
	for _, s := range judged {
		ids[s.code] = w.define("live", s.code, s.text).ID
	}
	check := func(when string) {
		t.Helper()
		for _, s := range judged {
			var want []string
			for id, p := range people {
				if s.in(p) {
					want = append(want, id.String())
				}
			}
			slices.Sort(want)
			if got := w.members(ids[s.code]); !slices.Equal(got, want) {
				t.Fatalf("%s: %s has %d, want %d", when, s.code, len(got), len(want))
			}
			if got := w.read(ids[s.code]); got.Members != int64(len(want)) {
				t.Fatalf("%s: %s counts %d, want %d", when, s.code, got.Members, len(want))
			}
		}
	}
	check("after the first run")
	for round := range 12 {
		var batch []person
		for id := range people {
			if r.IntN(4) == 0 {
				p := somebody(r)
				p.id = id
				batch, people[id] = append(batch, p), p
			}
		}
		w.paint(true, batch...)
		add(5, true)
		check(fmt.Sprint("round ", round))
	}
	// Nobody is judged as time goes by: a new day moves those whom only time moves.
	w.clock = w.clock.AddDate(0, 0, 40)
	for id, p := range people {
		p.last += 40
		people[id] = p
	}
	w.pass()
	check("forty days later")
	w.turns(people)
}

// turns looks at the events of all: who entered left before entering again, and the last word is where everybody is.
func (w *world) turns(people map[uuid.UUID]person) {
	w.t.Helper()
	in := map[string]bool{}
	var want int
	for _, s := range judged {
		for _, p := range people {
			if s.in(p) {
				want++
			}
		}
	}
	w.Eventually("every event has been told", func() bool {
		rows, _, err := outbox.Backlog(w.t.Context(), w.Database.DB(pg.Relay))
		return err == nil && rows == 0
	})
	for _, e := range w.Events(1) {
		entered := strings.HasSuffix(e.Type, ".SegmentEntered")
		if !entered && !strings.HasSuffix(e.Type, ".SegmentLeft") {
			continue
		}
		code := fieldOf(w.t, e.Data, "segment")
		key := code + "/" + e.AggregateID
		if in[key] == entered {
			w.t.Fatalf("%s: entered or left twice", key)
		}
		in[key] = entered
	}
	now := 0
	for _, there := range in {
		if there {
			now++
		}
	}
	if now != want {
		w.t.Errorf("by the events %d are in, want %d", now, want)
	}
}

func TestManyAtOnceLetNobodyEnterTwice(t *testing.T) {
	t.Parallel()
	w := start(t)
	s := w.define("live", "regulars", "orders >= 3")
	people := make([]person, 30)
	for i := range people {
		people[i] = person{id: analyticstest.ID(), orders: 3}
	}
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			for try := 0; ; try++ {
				err := w.follow(true, slices.Clone(people)...)
				if err == nil || try > 20 {
					if err != nil {
						t.Error(err)
					}
					return
				}
				if !pg.Transient(err) {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	if got := w.read(s.ID); got.Members != 30 {
		t.Errorf("%d are counted, want 30", got.Members)
	}
	if got := w.EventsOf("SegmentEntered", 30); len(got) != 30 {
		t.Errorf("%d entered, want 30", len(got))
	}
}

var errKilled = errors.New("killed")

func TestADefinitionIsFollowedByAllWhateverIsKilled(t *testing.T) {
	t.Parallel()
	w := start(t)
	var people []person
	for i := range 500 {
		people = append(people, person{id: analyticstest.ID(), orders: i % 10})
	}
	w.paint(false, people...)
	s := w.define("live", "regulars", "orders >= 3")
	if got := w.read(s.ID); got.Members != 350 {
		t.Fatalf("%d are in, want 350", got.Members)
	}
	w.Want(http.StatusOK, http.MethodPut, "/v1/segments/"+s.ID, w.Marketing, body{"name": "Regulars", "filter_text": "orders >= 8"}, nil, "If-Match", `"1"`)
	// Each process dies after a step or two; the next one goes on.
	for range 40 {
		ctx, cancel := context.WithCancelCause(t.Context())
		n := 0
		p := w.another()
		p.Chunk(40, func() {
			if n++; n > 2 {
				cancel(errKilled)
			}
		})
		err := p.Background(ctx)
		cancel(nil)
		if err == nil {
			break
		}
	}
	w.pass()
	if got := w.read(s.ID); got.Members != 100 || got.Version != 2 || got.Run.State != "done" {
		t.Fatalf("%+v", got)
	}
	if left := w.EventsOf("SegmentLeft", 250); len(left) != 250 || fieldOf(t, left[0].Data, "cause") != "definition" {
		t.Errorf("%d left", len(left))
	}
}

func TestMergedAndErasedCustomersLeave(t *testing.T) {
	t.Parallel()
	w := start(t)
	s := w.define("live", "regulars", "orders >= 3")
	list := w.define("static", "guests", "")
	a, b, c := person{id: analyticstest.ID(), orders: 3}, person{id: analyticstest.ID(), orders: 4}, person{id: analyticstest.ID(), orders: 5}
	w.paint(true, a, b, c)
	var listed struct{ Unknown []string }
	w.Want(http.StatusOK, http.MethodPost, "/v1/segments/"+list.ID+"/members", w.Marketing, body{"add": []any{a.id, b.id, c.id, uuid.Nil}}, &listed)
	if len(listed.Unknown) != 1 {
		t.Errorf("%v are unknown, want one", listed.Unknown)
	}
	w.Admin(`INSERT INTO live.customer_alias (tenant_id, customer_id, survivor_id, merge_id, epoch, seq) VALUES ('music', $1, $2, gen_random_uuid(), 1, 1)`, b.id, a.id)
	w.Admin(`DELETE FROM portrait WHERE customer_id = ANY ($1)`, []uuid.UUID{b.id, c.id})
	err := w.DB.Tx(t.Context(), "music", func(tx *pg.Tx) error {
		events, err := w.segments.Follow(t.Context(), tx, []uuid.UUID{a.id, b.id, c.id}, w.clock)
		if err != nil {
			return err
		}
		return w.outbox.Append(t.Context(), tx, events...)
	})
	if err != nil {
		t.Fatal(err)
	}
	causes := map[string]string{}
	for _, e := range w.EventsOf("SegmentLeft", 2) {
		causes[e.AggregateID] = fieldOf(t, e.Data, "cause")
	}
	if causes[b.id.String()] != "merged" || causes[c.id.String()] != "erased" {
		t.Errorf("they left for %v", causes)
	}
	if got := w.members(s.ID); !slices.Equal(got, []string{a.id.String()}) {
		t.Errorf("%v are in", got)
	}
	if got := w.members(list.ID); len(got) != 2 || slices.Contains(got, c.id.String()) {
		t.Errorf("the list has %v, want the merged and the erased one only", got)
	}
}
