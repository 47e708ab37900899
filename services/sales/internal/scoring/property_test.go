package scoring_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/sales/internal/salestest"
	"github.com/guanxi-crm/guanxi/services/sales/internal/scoring"
)

// ledger reckons counts the plain way: what each case counted whenever it was closed.
type ledger struct{ all []closing }

// closing is one case that was closed at a time, and whether that still holds.
type closing struct {
	id     uuid.UUID
	at     time.Time
	values map[string][2]int
	holds  bool
}

// close counts a case.
func (l *ledger) close(c scoring.Case, won bool, at time.Time) {
	one, by := map[string][2]int{}, [2]int{0, 1}
	if won {
		by = [2]int{1, 0}
	}
	for _, s := range c.Stages {
		one[c.Team+"|stage|"+c.Pipeline+"/"+s] = by
		if !won && s == c.Stage {
			break
		}
	}
	for f, v := range c.Fields {
		if v != "" {
			one[c.Team+"|"+f+"|"+v] = by
		}
	}
	for _, tag := range c.Tags {
		one[c.Team+"|tags|"+tag] = by
	}
	l.all = append(l.all, closing{c.ID, at, one, true})
}

// open takes back what a case counted.
func (l *ledger) open(id uuid.UUID) {
	for i := range l.all {
		if l.all[i].id == id {
			l.all[i].holds = false
		}
	}
}

// counts adds up what was closed since a time.
func (l *ledger) counts(start time.Time) map[string]string {
	sums := map[string][2]int{}
	for _, one := range l.all {
		if one.at.Before(start) {
			continue
		}
		for v, by := range one.values {
			n := sums[v]
			if one.holds {
				n[0], n[1] = n[0]+by[0], n[1]+by[1]
			}
			sums[v] = n
		}
	}
	out := make(map[string]string, len(sums))
	for v, n := range sums {
		out[v] = fmt.Sprintf("%d.1/%d.1", n[0], n[1])
	}
	return out
}

func pick(r *rand.Rand, from ...string) string { return from[r.IntN(len(from))] }

func anyCase(r *rand.Rand) scoring.Case {
	c := scoring.Case{
		Team: pick(r, "", "one", "two"), Pipeline: pick(r, "standard", "key"), Stages: []string{"new", "qualified", "proposal"},
		Fields: map[string]string{"source": pick(r, "", "web", "fair"), "country": pick(r, "CN", "DE")}, Tags: []string{},
	}
	c.Stage = pick(r, c.Stages...)
	for _, tag := range []string{"hot", "vip"} {
		if r.IntN(3) == 0 {
			c.Tags = append(c.Tags, tag)
		}
	}
	return c
}

// history is a random history of some cases, with what it comes to reckoned the plain way.
type history struct {
	*desk
	r      *rand.Rand
	ledger ledger
	state  map[uuid.UUID]string
	ids    []uuid.UUID
	began  time.Time
}

func newHistory(d *desk, r *rand.Rand) *history {
	return &history{desk: d, r: r, state: map[uuid.UUID]string{}, began: time.Now().Add(-100 * 24 * time.Hour)}
}

// at gives a time of the past hundred days, in no order: what is imported was closed long ago.
func (h *history) at() time.Time {
	return h.began.Add(time.Duration(h.r.IntN(100)) * 24 * time.Hour)
}

// step does one thing to one case.
func (h *history) step() {
	if len(h.ids) < 4 || h.r.IntN(6) == 0 {
		id := h.save(anyCase(h.r))[0]
		h.ids, h.state[id] = append(h.ids, id), "open"
		return
	}
	n := h.r.IntN(len(h.ids))
	id := h.ids[n]
	switch what := h.r.IntN(10); {
	case what < 2: // edited, be it closed or not: fields, team, stage
		h.change(id, func(c *scoring.Case) {
			next := anyCase(h.r)
			next.ID = c.ID
			*c = next
		})
	case what < 4:
		at := h.at()
		h.closeAt(at, h.scores.Won, id)
		h.closed(id, "won", at)
	case what < 7:
		at := h.at()
		h.closeAt(at, h.scores.Lost, id)
		h.closed(id, "lost", at)
	case what < 9:
		h.close(h.scores.Reopened, id)
		h.ledger.open(id)
		h.state[id] = "open"
	default:
		h.close(h.scores.Withdrawn, id)
		h.ledger.open(id)
		h.ids = slices.Delete(h.ids, n, n+1)
	}
}

func (h *history) closed(id uuid.UUID, to string, at time.Time) {
	if h.state[id] == to {
		return
	}
	h.ledger.open(id)
	h.ledger.close(h.cases[id], to == "won", at)
	h.state[id] = to
}

// same fails the test where the counts are not those of the ledger since a time.
func (h *history) same(when string, start time.Time) {
	h.t.Helper()
	if got, want := h.counts(), h.ledger.counts(start); !maps.Equal(got, want) {
		h.t.Fatalf("%s:\n got %v\nwant %v", when, got, want)
	}
}

func TestCountsThatMovedAndCountsMadeAnewAreTheSame(t *testing.T) {
	t.Parallel()
	w := salestest.Start(t)
	for seed := range uint64(12) {
		h := newHistory(deskOf(t, w, fmt.Sprintf("tenant-%d", seed)), rand.New(rand.NewPCG(seed, 7)))
		h.scores.InChunks(3)
		for range 40 {
			h.step()
		}
		h.same("live", time.Time{})
		h.rebuild(time.Time{})
		h.same("made anew", time.Time{})

		// From a time on, with cases that go on being closed and reopened in between, and after it.
		start := h.began.Add(50 * 24 * time.Hour)
		r, err := h.scores.AskRebuild(h.ctx(), start)
		if err != nil {
			t.Fatal(err)
		}
		for more := true; more; {
			h.in(func(ctx context.Context, tx *pg.Tx) (err error) {
				more, err = h.scores.RebuildStep(ctx, tx, r.ID)
				return err
			})
			for range 3 {
				h.step()
			}
		}
		h.same("made anew since a time, while it went on", start)
		h.rebuild(start)
		h.same("once more", start)
		h.rebuild(time.Time{})
		h.same("of all again", time.Time{})
	}
}

func TestCasesClosedAtOnceLoseNoCountAndDoNotLockEachOtherOut(t *testing.T) {
	t.Parallel()
	d := deskOf(t, salestest.Start(t), "pizza")
	d.scores.InChunks(5)
	var all [][]uuid.UUID
	ledger := ledger{}
	r := rand.New(rand.NewPCG(1, 2))
	for range 6 {
		cases := make([]scoring.Case, 5)
		for i := range cases {
			cases[i] = anyCase(r)
		}
		ids := d.save(cases...)
		all = append(all, ids)
		for _, id := range ids {
			ledger.close(d.cases[id], true, time.Now())
		}
	}
	var group sync.WaitGroup
	for n, ids := range all {
		group.Go(func() {
			for round := range 10 {
				mine := slices.Clone(ids)
				if (n+round)%2 == 0 {
					slices.Reverse(mine)
				}
				for _, how := range []move{d.scores.Lost, d.scores.Reopened, d.scores.Won} {
					err := d.DB.Tx(d.ctx(), d.tenant, func(tx *pg.Tx) error { return how(d.ctx(), tx, time.Now(), mine...) })
					if err != nil {
						t.Errorf("round %d: %v", round, err)
						return
					}
				}
			}
		})
	}
	group.Go(func() {
		for range 3 {
			if r, err := d.scores.AskRebuild(d.ctx(), time.Time{}); err != nil || d.scores.Rebuild(d.ctx(), d.tenant, r.ID) != nil {
				t.Error(err)
			}
			if _, err := d.scores.Pass(d.ctx(), d.tenant); err != nil {
				t.Error(err)
			}
		}
	})
	group.Wait()
	got, want := d.counts(), ledger.counts(time.Time{})
	for v, n := range want {
		if got[v] != n {
			t.Errorf("%s counts %s, want %s", v, got[v], n)
		}
	}
}
