package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/alias"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/ledger"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/member"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

// step does one thing.
func (m *model) step() {
	m.Helper()
	wait := pick(m.dice, []time.Duration{time.Second, time.Hour, 13 * time.Hour, 24 * time.Hour, 5 * 24 * time.Hour, 12 * 24 * time.Hour})
	m.pass(m.now.Add(wait))
	who, points := pick(m.dice, m.order), int64(1+m.dice.IntN(15))
	switch n := m.dice.IntN(100); {
	case n < 30:
		m.earn(who, points)
	case n < 50:
		m.spend(who, points)
	case n < 55:
		m.race(who, points)
	case n < 67:
		m.comeBack()
	case n < 77:
		m.restoreOne()
	case n < 83:
		m.adjust(who, points)
	case n < 85:
		m.leave(who)
	case n < 88:
		m.did("everything that ran out is swept")
		if s, err := m.sweep.ExpireAll(m.Context(), m.tenant); err != nil || s.Failed > 0 {
			m.Fatal(s, err)
		}
	case n < 94:
		m.merge()
	default:
		m.state(who)
	}
}

// once does something under a key of its own; now and then it does it several times at once with it, and once more after the platform forgot it.
func (m *model) once(do func(ctx context.Context) ([]ledger.Entry, error)) (entries []ledger.Entry, err error) {
	m.Helper()
	m.keys++
	key := fmt.Sprint("key ", m.keys)
	times := pick(m.dice, []int{1, 1, 1, 3})
	all, errs := make([][]ledger.Entry, times), make([]error, times)
	var wait sync.WaitGroup
	for n := range times {
		wait.Go(func() { all[n], errs[n] = do(m.ctx(key)) })
	}
	wait.Wait()
	for n, e := range errs {
		switch {
		case e == nil && entries != nil && (all[n][0].ID != entries[0].ID || len(all[n]) != len(entries)):
			m.Fatalf("a repetition was answered with %v instead of %v", all[n], entries)
		case e == nil:
			entries = all[n]
		case problem.From(e).Code == "idempotency_key_in_flight":
		default:
			err = e
		}
	}
	if entries == nil {
		return nil, err
	}
	if err != nil {
		m.Fatalf("done, and refused: %v", err)
	}
	if m.dice.IntN(3) == 0 {
		m.admin(`DELETE FROM idempotency WHERE tenant_id = $1`, m.tenant)
		again, err := do(m.ctx(key))
		if err != nil || again[0].ID != entries[0].ID || len(again) != len(entries) {
			m.Fatalf("repeated long after: %v %v, at first %v", again, err, entries)
		}
		other := pg.WithOnce(m.ctx(""), pg.Once{Subject: "somebody", Operation: "test", Key: key, BodyHash: []byte("other")})
		if _, err := do(other); problem.From(err) == nil || problem.From(err).Code != "idempotency_key_reused" {
			m.Fatalf("the key of another request: %v", err)
		}
	}
	return entries, nil
}

func one(e ledger.Entry, err error) ([]ledger.Entry, error) { return []ledger.Entry{e}, err }

func all(s ledger.Spent, err error) ([]ledger.Entry, error) {
	return append([]ledger.Entry{s.Entry}, s.Parts...), err
}

// refused checks the code of a refusal; an empty one says that there must be none.
func (m *model) refused(err error, code string) bool {
	m.Helper()
	var got string
	if err != nil {
		p := problem.From(err)
		if p == nil {
			m.Fatal(err)
		}
		got = p.Code
	}
	if got != code {
		m.Fatalf("%s\nrefused as %q, want %q: %v", m.log[len(m.log)-1], got, code, err)
	}
	return err != nil
}

func (m *model) earn(who *refMember, points int64) {
	until := m.now.Add(pick(m.dice, []time.Duration{0, 0, 30 * time.Hour, 14 * 24 * time.Hour}))
	m.did("%s earns %d, locked until %s", who.id, points, until)
	entries, err := m.once(func(ctx context.Context) ([]ledger.Entry, error) {
		return one(m.ledger.Earn(ctx, who.id, ledger.Earning{Points: points, Reason: ledger.Reason{Type: "test"}, LockedUntil: until}))
	})
	if m.refused(err, map[bool]string{true: "member_left"}[who.state == member.Left]) {
		return
	}
	m.give(who, "earn", entries[0].ID, points, until)
	m.earned = append(m.earned, &refEarned{entry: entries[0].ID, of: who, points: points})
}

func (m *model) spend(who *refMember, points int64) {
	m.did("%s spends %d", who.id, points)
	entries, err := m.once(func(ctx context.Context) ([]ledger.Entry, error) {
		return all(m.ledger.Spend(ctx, who.id, ledger.Spending{Points: points, Reason: ledger.Reason{Type: "test"}}))
	})
	if m.refused(err, m.whySpendFails(who, points)) {
		return
	}
	m.spent(m.reference.spend(who, points), entries)
}

func (m *model) whySpendFails(who *refMember, points int64) string {
	_, there := m.spendable(who)
	switch {
	case who.state == member.Suspended:
		return "member_suspended"
	case who.state == member.Left:
		return "member_left"
	case there < points:
		return "points_insufficient"
	}
	return ""
}

func (m *model) spent(took refSpend, entries []ledger.Entry) {
	var ids []uuid.UUID
	for _, e := range entries {
		ids = append(ids, e.ID)
	}
	if got := entriesText(entries); got != took.text() {
		m.Fatalf("%s\ntook %s, want %s", m.log[len(m.log)-1], got, took.text())
	}
	m.spends = append(m.spends, &refSpent{entries: ids, took: took})
}

func entriesText(entries []ledger.Entry) string {
	var parts []string
	for _, e := range entries {
		lots := make(map[*refLot]int64)
		for _, u := range e.Uses {
			lots[&refLot{id: u.LotID}] = u.Points
		}
		parts = append(parts, usesText(lots))
	}
	slices.Sort(parts)
	return strings.Join(parts, " ")
}

// race has several spends at once of the same member: as many succeed as there are points for, and they take what they would
// have taken one after the other.
func (m *model) race(who *refMember, points int64) {
	const at = 4
	m.did("%s spends %d, %d times at once", who.id, points, at)
	got, errs := make([][]ledger.Entry, at), make([]error, at)
	var wait sync.WaitGroup
	for n := range at {
		wait.Go(func() {
			got[n], errs[n] = all(m.ledger.Spend(m.ctx(fmt.Sprint("race ", m.keys, n)), who.id, ledger.Spending{Points: points, Reason: ledger.Reason{Type: "test"}}))
		})
	}
	wait.Wait()
	m.keys++
	want := make(map[string][]refSpend)
	succeed := 0
	for m.whySpendFails(who, points) == "" && succeed < at {
		took := m.reference.spend(who, points)
		want[took.text()] = append(want[took.text()], took)
		succeed++
	}
	for n, err := range errs {
		if err != nil {
			m.refused(err, m.whySpendFails(who, points))
			continue
		}
		text := entriesText(got[n])
		if len(want[text]) == 0 {
			m.Fatalf("%s\nnumber %d took %s; %d of all were to succeed", m.log[len(m.log)-1], n, text, succeed)
		}
		m.spent(want[text][0], got[n])
		want[text] = want[text][1:]
		succeed--
	}
	if succeed != 0 {
		m.Fatalf("%s\n%d more were to succeed: %v", m.log[len(m.log)-1], succeed, errs)
	}
}

// comeBack takes part of an earlier earn back, as returns do.
func (m *model) comeBack() {
	if len(m.earned) == 0 {
		return
	}
	e := pick(m.dice, m.earned)
	points := min(e.points-e.back, int64(1+m.dice.IntN(15)))
	if points == 0 {
		return
	}
	m.did("%d of %s of %s come back", points, e.entry, e.of.id)
	id := uuid.Must(uuid.NewV7())
	_, err := m.w.DB.Command(m.ctx(""), m.tenant, func(tx *pg.Tx) (pg.Result, error) {
		book := programme.BookOf(tx)
		of, err := member.Lock(m.Context(), tx, e.of.id)
		if err != nil {
			return pg.Result{}, err
		}
		rules, _ := book.At(of.Programme, m.now)
		for _, limit := range ledger.Portions {
			lots := ledger.QueueLots(tx, []uuid.UUID{of.ID}, []uuid.UUID{e.entry}, limit)
			if err := tx.Flush(m.Context()); err != nil {
				return pg.Result{}, err
			}
			steps, err := ledger.Account{Member: of}.TakeBack(ledger.Booking{
				ID: id, Kind: ledger.KindReversal, Key: "return/" + id.String(), Reason: ledger.Reason{Type: "test"}, EffectiveAt: m.now, RecordedAt: m.now,
			}, rules, e.entry, points, lots.Of(of.ID))
			if !errors.Is(err, ledger.ErrLotsMissing) {
				if err == nil {
					err = m.ledger.Book(m.Context(), tx, nil, steps...)
				}
				return pg.Result{}, err
			}
		}
		return pg.Result{}, ledger.ErrLotsMissing
	})
	if err != nil {
		m.Fatal(err)
	}
	e.back += points
	m.takeBack(e.of, e.entry, points)
}

func (m *model) restoreOne() {
	if len(m.spends) == 0 {
		return
	}
	s := pick(m.dice, m.spends[max(0, len(m.spends)-10):])
	m.did("%s is given back", s.entries[0])
	_, err := m.once(func(ctx context.Context) ([]ledger.Entry, error) {
		return all(m.ledger.Restore(ctx, pick(rand.New(rand.NewPCG(1, uint64(m.keys))), s.entries), ledger.Reason{Type: "test"})) // any part names the whole
	})
	if !m.refused(err, map[bool]string{true: "spend_restored"}[s.restored]) {
		m.restore(s.took)
		s.restored = true
	}
}

func (m *model) adjust(who *refMember, points int64) {
	if m.dice.IntN(2) == 0 {
		points = -points
	}
	m.did("%s is adjusted by %d", who.id, points)
	entries, err := m.once(func(ctx context.Context) ([]ledger.Entry, error) {
		return one(m.ledger.Adjust(ctx, who.id, points, ledger.Reason{Type: "test"}))
	})
	code := ""
	switch {
	case points > 0 && who.state == member.Left:
		code = "member_left"
	case points < 0 && !m.withdraw(who, -points):
		code = "points_insufficient"
	}
	if !m.refused(err, code) && points > 0 {
		m.give(who, "adjustment", entries[0].ID, points, m.now)
	}
}

// leave takes everything of a member, who stays one.
func (m *model) leave(who *refMember) {
	m.did("%s loses everything", who.id)
	m.tx(func(tx *pg.Tx) error {
		of, err := member.Lock(m.Context(), tx, who.id)
		if err != nil {
			return err
		}
		steps, err := m.ledger.ForfeitIn(m.Context(), tx, of, ledger.Draft{Reason: ledger.Reason{Type: "test"}})
		if err != nil {
			return err
		}
		return m.ledger.Book(m.Context(), tx, nil, steps...)
	})
	m.forfeit(who)
}

// merge merges one of the customers into the first one, or undoes that.
func (m *model) merge() {
	into, who := m.order[0], pick(m.dice, m.order[1:])
	m.merges[who.customer]++
	change := alias.Change{CustomerID: who.customer, SurvivorID: into.customer, MergeID: uuid.Must(uuid.NewV7()), Epoch: 1, Sequence: m.merges[who.customer]}
	if _, merged := m.root[who.customer]; merged {
		m.did("%s is a customer of its own again", who.id)
		change.SurvivorID = uuid.Nil
		delete(m.root, who.customer)
	} else {
		m.did("%s is merged into %s", who.id, into.id)
		m.root[who.customer] = into.customer
	}
	m.tx(func(tx *pg.Tx) error {
		alias.Queue(tx, change)
		return nil
	})
}

func (m *model) state(who *refMember) {
	who.state = pick(m.dice, []member.State{member.Active, member.Active, member.Suspended, member.Left})
	m.did("%s is %s", who.id, who.state)
	m.admin(`UPDATE member SET state = $2 WHERE id = $1`, who.id, who.state)
}
