package loyalty_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/alias"
	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	erasurev1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/erasure/activities/v1"
	loyaltyactivitiesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/loyalty/activities/v1"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/grant"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/ledger"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/loyaltytest"
)

type body = map[string]any

// audited demands that the auditor finds nothing.
func audited(t *testing.T, w *loyaltytest.World) {
	t.Helper()
	var report struct {
		OK        bool
		LedgerSum int64 `json:"ledger_sum"`
	}
	answer := w.Want(http.StatusOK, http.MethodPost, "/v1/points/audits", w.Auditor, nil, &report)
	if !report.OK || report.LedgerSum != 0 {
		t.Fatalf("the auditor finds %s", answer.Body)
	}
}

// person is a member as the simple ledger below has it.
type person struct {
	customer, member uuid.UUID
	lots             []*heap // the oldest first
	debt             int64
	survivor         int   // whom the id means; -1: itself
	heard            int64 // the sequence of the event that survivor is from
}

// heap is what is left of points that came in together.
type heap struct {
	entry uuid.UUID
	no    int // in the order of time
	left  int64
}

func (p *person) available() (n int64) {
	for _, h := range p.lots {
		n += h.left
	}
	return n
}

// game plays with members who are merged and taken apart, and keeps a simple ledger beside the real one.
type game struct {
	*testing.T
	w        *loyaltytest.World
	ctx      context.Context
	points   *ledger.Ledger
	grants   *grant.Grants
	random   *rand.Rand
	people   []*person
	seq      []int64          // events that accounts has told of each
	truth    []int            // whom the id of each means, as accounts has it
	events   [][]alias.Change // of each, all that were ever told
	keys     map[string]owned // grants
	time     int
	spent    int64
	answered map[string]int
}

type owned struct {
	by    int
	entry uuid.UUID
	heap  *heap
}

func play(t *testing.T, seed uint64, people int) *game {
	t.Helper()
	w := loyaltytest.Start(t)
	l := ledger.New(w.DB, outbox.New("loyalty"), time.Now)
	g := &game{
		T: t, w: w, ctx: auth.With(t.Context(), auth.Principal{Subject: "game", Tenant: "pizza"}), points: l, grants: grant.New(w.DB, l),
		random: rand.New(rand.NewPCG(seed, 4)), keys: map[string]owned{}, answered: map[string]int{},
	}
	for range people {
		m := w.Enrol()
		g.people = append(g.people, &person{customer: m.CustomerID, member: m.MemberID, survivor: -1})
		g.truth, g.seq, g.events = append(g.truth, -1), append(g.seq, 0), append(g.events, nil)
	}
	return g
}

func (g *game) any() int { return g.random.IntN(len(g.people)) }

// group gives who is the same customer as somebody, as loyalty has heard it.
func (g *game) group(n int) (group []*person) {
	root := func(n int) int {
		for seen := map[int]bool{}; g.people[n].survivor >= 0; n = g.people[n].survivor {
			if seen[n] { // a ring, which late events may make for a moment: the least of its ids stands for it
				ring := []int{}
				for m := n; len(ring) == 0 || m != n; m = g.people[m].survivor {
					ring = append(ring, m)
				}
				return slices.MinFunc(ring, func(a, b int) int { return slices.Compare(g.people[a].customer[:], g.people[b].customer[:]) })
			}
			seen[n] = true
		}
		return n
	}
	for m, p := range g.people {
		if root(m) == root(n) {
			group = append(group, p)
		}
	}
	return group
}

func (g *game) add(p *person, entry uuid.UUID, points int64) *heap {
	paid := min(points, p.debt)
	p.debt -= paid
	g.time++
	h := &heap{entry: entry, no: g.time, left: points - paid}
	p.lots = append(p.lots, h)
	return h
}

func (g *game) earn() {
	p, points := g.people[g.any()], 1+g.random.Int64N(100)
	e, err := g.points.Earn(g.ctx, p.member, ledger.Earning{Points: points, Reason: ledger.Reason{Type: "game"}})
	if err != nil {
		g.Fatal(err)
	}
	g.add(p, e.ID, points)
}

func (g *game) grant() {
	n, key := g.any(), uuid.NewString()
	p := g.people[n]
	if _, err := g.grants.Grant(g.ctx, &loyaltyactivitiesv1.GrantPoints{
		IdempotencyKey: key, CustomerId: p.customer.String(), Points: 50, ReasonType: "game", ReasonId: key,
	}); err != nil {
		g.Fatal(err)
	}
	var entry uuid.UUID
	if err := g.w.DB.Read(g.ctx, "pizza", func(tx *pg.Tx) error {
		return tx.QueryRow(g.ctx, `SELECT id FROM ledger_entry WHERE kind = 'grant' AND member_id = $1 ORDER BY entry_no DESC LIMIT 1`, p.member).Scan(&entry)
	}); err != nil {
		g.Fatal(err)
	}
	g.keys[key] = owned{n, entry, g.add(p, entry, 50)}
}

// reverse takes a grant back from whom it was given to, whoever that is now, and whatever others have.
func (g *game) reverse() {
	for key, o := range g.keys {
		delete(g.keys, key)
		if _, err := g.grants.Reverse(g.ctx, &loyaltyactivitiesv1.ReverseGrant{IdempotencyKey: key}); err != nil {
			g.Fatal(err)
		}
		p, points := g.people[o.by], int64(50)
		order := append([]*heap{o.heap}, p.lots...)
		for _, h := range order {
			n := min(points, h.left)
			h.left, points = h.left-n, points-n
		}
		p.debt += points
		return
	}
}

func (g *game) spend() {
	n, points := g.any(), 1+g.random.Int64N(150)
	var have int64
	var heaps []*heap
	owner := map[uuid.UUID]*person{}
	for _, p := range g.group(n) {
		have += p.available() - p.debt
		heaps = append(heaps, p.lots...)
		for _, h := range p.lots {
			owner[h.entry] = p
		}
	}
	s, err := g.points.Spend(g.ctx, g.people[n].member, ledger.Spending{Points: points, Reason: ledger.Reason{Type: "game"}})
	if points > have {
		if problem.From(err).Code != "points_insufficient" {
			g.Fatalf("%d of %d points: %v", points, have, err)
		}
		g.answered["refused"]++
		return
	}
	if err != nil {
		g.Fatal(err)
	}
	if s.All() != points {
		g.Fatalf("%d of %d points were spent", s.All(), points)
	}
	g.spent += points
	slices.SortFunc(heaps, func(a, b *heap) int { return a.no - b.no })
	want := map[uuid.UUID]int64{} // by member
	for _, h := range heaps {
		used := min(points, h.left)
		h.left, points = h.left-used, points-used
		if used > 0 {
			want[owner[h.entry].member] += used
		}
	}
	for i, e := range append([]ledger.Entry{s.Entry}, s.Parts...) {
		if e.Sum() != 0 || want[e.MemberID] != e.Points() || (e.PartOf == s.ID) != (i > 0) {
			g.Fatalf("entry %d is %+v, want %d points", i, e, want[e.MemberID])
		}
		delete(want, e.MemberID)
	}
	if len(want) > 0 {
		g.Fatalf("no entry tells of %v", want)
	}
	g.answered[fmt.Sprintf("of %d", 1+len(s.Parts))]++
}

// merge has accounts merge somebody into another, or undo it, and perhaps loyalty hears of it.
func (g *game) merge() {
	n := g.any()
	to := -1
	if g.truth[n] < 0 {
		for to = g.any(); g.truth[to] >= 0; to = g.truth[to] {
		}
		if to == n {
			return
		}
	}
	g.truth[n] = to
	g.seq[n]++
	c := alias.Change{CustomerID: g.people[n].customer, MergeID: uuid.New(), Epoch: 1, Sequence: g.seq[n]}
	if to >= 0 {
		c.SurvivorID = g.people[to].customer
	}
	g.events[n] = append(g.events[n], c)
	if g.random.IntN(3) > 0 {
		g.hear(n, len(g.events[n])-1)
	}
}

// hear has loyalty hear an event, late or once more.
func (g *game) hear(n, event int) {
	c := g.events[n][event]
	if err := g.w.DB.Tx(g.ctx, "pizza", func(tx *pg.Tx) error { alias.Queue(tx, c); return nil }); err != nil {
		g.Fatal(err)
	}
	if p := g.people[n]; p.heard < c.Sequence {
		p.heard = c.Sequence
		p.survivor = slices.IndexFunc(g.people, func(o *person) bool { return o.customer == c.SurvivorID })
	}
}

func (g *game) late() {
	if n := g.any(); len(g.events[n]) > 0 {
		g.hear(n, g.random.IntN(len(g.events[n])))
	}
}

// compare holds every member and every lot against the simple ledger.
func (g *game) compare() {
	g.Helper()
	left := map[uuid.UUID]int64{}
	if err := g.w.DB.Read(g.ctx, "pizza", func(tx *pg.Tx) error {
		rows, err := tx.Query(g.ctx, `SELECT id, remaining FROM lot`)
		if err != nil {
			return err
		}
		var id uuid.UUID
		var n int64
		_, err = pgx.ForEachRow(rows, []any{&id, &n}, func() error { left[id] = n; return nil })
		return err
	}); err != nil {
		g.Fatal(err)
	}
	for n, p := range g.people {
		for _, h := range p.lots {
			if left[h.entry] != h.left {
				g.Fatalf("lot %s of %d has %d points left, want %d", h.entry, n, left[h.entry], h.left)
			}
		}
		var have, owed int64
		for _, o := range g.group(n) {
			have, owed = have+o.available(), owed+o.debt
		}
		var seen loyaltytest.Member
		g.w.Want(http.StatusOK, http.MethodGet, "/v1/members/"+p.member.String(), g.w.Manager, nil, &seen)
		if seen.Available != max(0, have-owed) || seen.Debt != max(0, owed-have) {
			g.Fatalf("%d is shown %+v, want %d of which %d are owed", n, seen, have, owed)
		}
	}
}

// TestNoPointIsLostOrDoubledWhoeverIsMergedAndTakenApart is the promise about points and merges: random earns, grants, reversals,
// spends, merges and undone ones, heard of late and twice, held against a ledger that counts lot by lot.
func TestNoPointIsLostOrDoubledWhoeverIsMergedAndTakenApart(t *testing.T) {
	t.Parallel()
	answered := map[string]int{}
	for seed := range uint64(3) {
		g := play(t, seed, 5)
		for step := range 200 {
			[]func(){g.earn, g.earn, g.grant, g.reverse, g.spend, g.spend, g.spend, g.merge, g.merge, g.late}[g.random.IntN(10)]()
			if step%15 == 0 {
				g.compare()
			}
		}
		for n := range g.people {
			for e := range g.events[n] {
				g.hear(n, e)
			}
			if g.truth[n] >= 0 {
				g.seq[n]++
				g.events[n] = append(g.events[n], alias.Change{CustomerID: g.people[n].customer, MergeID: uuid.New(), Epoch: 1, Sequence: g.seq[n]})
				g.hear(n, len(g.events[n])-1)
			}
		}
		for n := range g.people {
			if len(g.group(n)) != 1 {
				t.Fatalf("%d is not apart", n)
			}
		}
		g.compare() // each has what is left of its own, and its own debt
		audited(t, g.w)
		for what, n := range g.answered {
			answered[what] += n
		}
	}
	t.Logf("spends, by how many members' lots they took: %v", answered)
	if answered["of 1"] == 0 || answered["of 2"] == 0 || answered["of 3"] == 0 || answered["refused"] == 0 {
		t.Errorf("the games show too little: %v", answered)
	}
}

// TestSpendsAtOnceOfMergedMembersNeverOverspend spends on two members who are one customer, while they are merged and taken
// apart again and again.
func TestSpendsAtOnceOfMergedMembersNeverOverspend(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	accounts := w.Accounts("pizza")
	for _, flips := range []int{0, 20} {
		a, b := w.Enrol(), w.Enrol()
		accounts.Merge(b.CustomerID, a.CustomerID)
		for range 5 {
			w.Earn(a, 30)
			w.Earn(b, 20)
		}
		var wait sync.WaitGroup
		var mu sync.Mutex
		var spent int64
		for n := range 60 {
			wait.Go(func() {
				answer := w.Do(http.MethodPost, []loyaltytest.Member{a, b}[n%2].Path+"/spends", w.Manager, body{"points": 10, "reason_type": "reward"},
					"Idempotency-Key", fmt.Sprintf("%d/%d", flips, n))
				switch {
				case answer.Status == http.StatusCreated:
					mu.Lock()
					spent += 10
					mu.Unlock()
				case answer.Code() != "points_insufficient":
					t.Errorf("got %d %s", answer.Status, answer.Body)
				}
			})
		}
		for n := range flips {
			event := accounts.Restored(b.CustomerID, a.CustomerID)
			if n%2 == 1 {
				event = accounts.Absorbed(b.CustomerID, a.CustomerID)
			}
			w.Publish("accounts", event)
		}
		wait.Wait()
		if flips > 0 {
			accounts.Merge(b.CustomerID, a.CustomerID)
		}
		now := w.Read(a)
		if spent+now.Available != 250 || flips == 0 && now.Available != 0 {
			t.Errorf("%d flips: %d of 250 points were spent, %d are left", flips, spent, now.Available)
		}
		audited(t, w)
	}
}

func TestAnErasedCustomersCardIsNowhere(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	wei, other := w.Enrol(), w.Enrol()
	w.Earn(wei, 100)
	if found := w.Mentions(wei.CardNumber); len(found) == 0 {
		t.Fatal("the search does not even find what is there")
	}
	for _, want := range []int64{1, 0} {
		holds, done := w.AskToErase("pizza", wei.CustomerID)
		cards := slices.IndexFunc(done, func(e *erasurev1.Erased) bool { return e.GetWhat() == "member_card" })
		if len(holds) != 0 || cards < 0 || done[cards].GetCount() != want || done[cards].GetLeft() != 0 {
			t.Fatalf("%v %v", holds, done)
		}
	}
	if found := w.Mentions(wei.CardNumber); len(found) != 0 {
		t.Errorf("the card stands in %v", found)
	}
	if now := w.Read(wei); now.CardNumber != "" || now.Available != 100 {
		t.Errorf("%+v, want nobody's card and the points as they were", now)
	}
	if now := w.Read(other); now.CardNumber != other.CardNumber {
		t.Errorf("another's card is %q", now.CardNumber)
	}
	w.Want(http.StatusGone, http.MethodPost, "/v1/members", w.Manager, body{"customer_id": wei.CustomerID}, nil)
	audited(t, w)

	w.Accounts("pizza").Erase(other.CustomerID) // as the event tells that a backup brought back
	if found := w.Mentions(other.CardNumber); len(found) != 0 {
		t.Errorf("the other's card stands in %v", found)
	}
}

// TestASpendThatMeetsAnUndoneMergeSeesIt begins a spend while the undoing of the merge is being written down.
func TestASpendThatMeetsAnUndoneMergeSeesIt(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	a, b := w.Enrol(), w.Enrol()
	w.Earn(b, 100)
	w.Accounts("pizza").Merge(b.CustomerID, a.CustomerID)
	ctx := auth.With(t.Context(), auth.Principal{Subject: "game", Tenant: "pizza"})
	done := make(chan error, 1)
	err := w.DB.Tx(t.Context(), "pizza", func(tx *pg.Tx) error {
		alias.Queue(tx, alias.Change{CustomerID: b.CustomerID, MergeID: uuid.New(), Epoch: 1, Sequence: 2})
		if err := tx.Flush(t.Context()); err != nil {
			return err
		}
		go func() {
			_, err := ledger.New(w.DB, outbox.New("loyalty"), time.Now).Spend(ctx, a.MemberID, ledger.Spending{Points: 10, Reason: ledger.Reason{Type: "game"}})
			done <- err
		}()
		for waiting := 0; waiting == 0; { // until the spend waits for this
			if err := tx.QueryRow(t.Context(), `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
				AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`).Scan(&waiting); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-done; problem.From(err).Code != "points_insufficient" {
		t.Errorf("got %v, want that nothing of another customer is spent", err)
	}
}
