package ledger_test

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/guanxi-crm/guanxi/platform/money"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/ledger"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/member"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// id gives an id of its own for every number.
func id(n int) uuid.UUID { return uuid.UUID{14: byte(n >> 8), 15: byte(n)} }

// at is a booking of the number, that many minutes after noon.
func at(n int, kind ledger.Kind) ledger.Booking {
	when := noon.Add(time.Duration(n) * time.Minute)
	return ledger.Booking{ID: id(n), Kind: kind, EffectiveAt: when, RecordedAt: when}
}

func account(b member.Balance) ledger.Account {
	return ledger.Account{Member: member.Member{ID: id(1000), State: member.Active, Balance: b}}
}

// spend spends from one account alone.
func spend(a ledger.Account, b ledger.Booking, points int64, lots []ledger.Lot) (ledger.Step, error) {
	steps, err := ledger.NewPool(a.Member).Spend(b, a.ID, points, lots)
	if err != nil {
		return ledger.Step{}, err
	}
	return steps[0], nil
}

// takeBack takes back from an account of which nothing has run out.
func takeBack(a ledger.Account, b ledger.Booking, reverses uuid.UUID, points int64, lots []ledger.Lot) (ledger.Step, error) {
	steps, err := a.TakeBack(b, programme.Standard(), reverses, points, lots)
	if err != nil {
		return ledger.Step{}, err
	}
	return steps[len(steps)-1], nil
}

func TestADebtIsPaidFirst(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name                     string
		debt, points             int64
		locked                   bool
		available, pending, owed int64
		lot                      int64 // 0: none
	}{
		{"no debt", 0, 100, false, 100, 0, 0, 100},
		{"no debt, locked", 0, 100, true, 0, 100, 0, 100},
		{"less than the points", 30, 100, false, 70, 0, 0, 70},
		{"less than the points, which are locked", 30, 100, true, 0, 70, 0, 70},
		{"as much as the points", 100, 100, false, 0, 0, 0, 0},
		{"more than the points", 130, 100, true, 0, 0, 30, 0},
	} {
		b := at(1, ledger.KindEarn)
		available := b.RecordedAt
		if c.locked {
			available = available.Add(time.Hour)
		}
		s, err := account(member.Balance{Debt: c.debt, Entries: 7}).Earn(b, c.points, available)
		if err != nil || s.Account.Available != c.available || s.Account.Pending != c.pending || s.Account.Debt != c.owed ||
			s.Entry.Points() != c.points || s.Entry.Sum() != 0 || s.Entry.No != 8 {
			t.Errorf("%s: %+v %v", c.name, s, err)
		}
		if lot := s.Made; (lot == nil) != (c.lot == 0) || lot != nil && (lot.Points != c.lot || lot.Remaining != c.lot || lot.Released == c.locked) {
			t.Errorf("%s: lot %+v", c.name, lot)
		}
	}
}

func TestNobodyHasMoreThanEveryReaderKeepsExact(t *testing.T) {
	t.Parallel()
	a := account(member.Balance{Available: money.Max - 10, Pending: 5})
	if _, err := a.Earn(at(1, ledger.KindEarn), 5, noon); err != nil {
		t.Error(err)
	}
	if _, err := a.Earn(at(1, ledger.KindEarn), 6, noon); problem.From(err).Code != "balance_full" {
		t.Errorf("got %v", err)
	}
}

// lots are four: two available ones of 10 points, two locked ones of 20.
func lots() []ledger.Lot {
	var all []ledger.Lot
	for n, l := range []ledger.Lot{{Remaining: 10, Released: true}, {Remaining: 20}, {Remaining: 10, Released: true}, {Remaining: 20}} {
		l.ID, l.MemberID, l.Points, l.EarnedAt = id(n+1), id(1000), l.Remaining, noon.Add(time.Duration(n)*time.Hour)
		if !l.Released {
			l.AvailableAt = noon.AddDate(0, 0, 14)
		}
		all = append(all, l)
	}
	slices.Reverse(all) // the rules put them in order
	return all
}

func TestWhichLotsAreTaken(t *testing.T) {
	t.Parallel()
	a := account(member.Balance{Available: 20, Pending: 40})
	spends := func(points int64) (ledger.Step, error) { return spend(a, at(9, ledger.KindSpend), points, lots()) }
	back := func(own int) func(int64) (ledger.Step, error) {
		return func(points int64) (ledger.Step, error) {
			return takeBack(a, at(9, ledger.KindReversal), id(own), points, lots())
		}
	}
	for _, c := range []struct {
		name   string
		take   func(points int64) (ledger.Step, error)
		points int64
		uses   string // lot:points
		left   member.Balance
	}{
		{"a spend takes the oldest", spends, 10, "1:10", member.Balance{Available: 10, Pending: 40}},
		{"then the next", spends, 11, "1:10 3:1", member.Balance{Available: 9, Pending: 40}},
		{"and no locked ones", spends, 20, "1:10 3:10", member.Balance{Available: 0, Pending: 40}},
		{"a return takes its own lot", back(4), 15, "4:15", member.Balance{Available: 20, Pending: 25}},
		{"then available ones", back(4), 31, "1:10 3:1 4:20", member.Balance{Available: 9, Pending: 20}},
		{"then locked ones", back(4), 41, "1:10 2:1 3:10 4:20", member.Balance{Available: 0, Pending: 19}},
		{"then it makes a debt", back(4), 67, "1:10 2:20 3:10 4:20", member.Balance{Debt: 7}},
		{"of a lot that is gone, it takes others", back(7), 5, "1:5", member.Balance{Available: 15, Pending: 40}},
	} {
		s, err := c.take(c.points)
		var uses string
		for _, u := range s.Entry.Uses {
			uses += fmt.Sprintf(" %d:%d", u.LotID[15], u.Points)
		}
		c.left.Entries = 1
		if err != nil || uses != " "+c.uses || s.Account.Balance != c.left || s.Entry.Points() != c.points || s.Entry.Sum() != 0 {
			t.Errorf("%s:%s %+v %v", c.name, uses, s.Account.Balance, err)
		}
	}
	if _, err := spends(21); problem.From(err).Code != "points_insufficient" {
		t.Errorf("more than there are: %v", err)
	}
}

func TestARuleAsksForLotsThatAreMissing(t *testing.T) {
	t.Parallel()
	a := account(member.Balance{Available: 20, Pending: 40})
	some := lots()[:2]                                                                       // numbers 4 and 3
	if _, err := spend(a, at(9, ledger.KindSpend), 11, some); err != ledger.ErrLotsMissing { //nolint:errorlint // the rule gives it as it is
		t.Errorf("a spend: %v", err)
	}
	if _, err := takeBack(a, at(9, ledger.KindReversal), id(4), 20, some); err != nil {
		t.Errorf("a return that its own lot is enough for: %v", err)
	}
	if _, err := takeBack(a, at(9, ledger.KindReversal), id(4), 21, some); err != ledger.ErrLotsMissing { //nolint:errorlint // the rule gives it as it is
		t.Errorf("a return that needs others: %v", err)
	}
}

// point is one single point, in the simplest ledger that there can be.
type point struct {
	lot    int
	locked bool
}

// simple is that ledger: the points one by one, and a number of owed ones.
type simple struct {
	points []point
	owed   int
}

func (s *simple) earn(lot, n int, locked bool) {
	for range n {
		if s.owed > 0 {
			s.owed--
		} else {
			s.points = append(s.points, point{lot, locked})
		}
	}
}

// take takes n points, those first that come first in the order; false where there are not enough.
func (s *simple) take(n int, allowed func(point) bool, order func(a, b point) int) bool {
	slices.SortStableFunc(s.points, order)
	for ; n > 0; n-- {
		at := slices.IndexFunc(s.points, allowed)
		if at < 0 {
			s.owed += n
			return false
		}
		s.points = slices.Delete(s.points, at, at+1)
	}
	return true
}

func (s *simple) count(locked bool) (n int64) {
	for _, p := range s.points {
		if p.locked == locked {
			n++
		}
	}
	return n
}

func rank(first bool) int {
	if first {
		return 0
	}
	return 1
}

// TestTheLedgerIsWorthItsPoints books anything in any order and holds it against the simple ledger: balances are the
// sums of the postings, every entry adds up to zero, lots are what is available and pending, and nothing is below zero.
func TestTheLedgerIsWorthItsPoints(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var (
			a        = account(member.Balance{})
			read     = &ledger.Lots{}
			model    simple
			postings ledger.Postings
			earned   []ledger.Entry
			back     = map[uuid.UUID]int64{}
		)
		follow := func(s ledger.Step) {
			if s.Entry.Sum() != 0 || s.Entry.No != a.Entries+1 || s.Entry.AvailableAfter != s.Account.Available {
				t.Fatalf("entry %+v after %+v", s.Entry, a)
			}
			a = s.Account
			read.Follow(s)
			postings.Available += s.Entry.Available
			postings.Pending += s.Entry.Pending
			postings.Debt += s.Entry.Debt
		}
		for n := range rapid.IntRange(1, 60).Draw(t, "bookings") {
			points := rapid.Int64Range(1, 15).Draw(t, "points")
			switch rapid.SampledFrom([]string{"earn", "earn", "spend", "return", "release"}).Draw(t, "what") {
			case "earn":
				locked := rapid.Bool().Draw(t, "locked")
				b := at(n, ledger.KindEarn)
				s, err := a.Earn(b, points, b.RecordedAt.Add(time.Duration(rank(!locked))*time.Hour))
				if err != nil {
					t.Fatal(err)
				}
				follow(s)
				model.earn(n, int(points), locked)
				earned = append(earned, s.Entry)
			case "spend":
				s, err := spend(a, at(n, ledger.KindSpend), points, read.Of(a.ID))
				if enough := model.count(false) >= points; enough != (err == nil) {
					t.Fatalf("%d points of %+v: %v", points, a.Balance, err)
				} else if !enough {
					continue
				}
				follow(s)
				model.take(int(points), func(p point) bool { return !p.locked }, func(x, y point) int { return cmp.Compare(x.lot, y.lot) })
			case "return":
				if len(earned) == 0 {
					continue
				}
				e := rapid.SampledFrom(earned).Draw(t, "of")
				if points = min(points, e.Points()-back[e.ID]); points == 0 {
					continue
				}
				s, err := takeBack(a, at(n, ledger.KindReversal), e.ID, points, read.Of(a.ID))
				if err != nil {
					t.Fatal(err)
				}
				follow(s)
				back[e.ID] += points
				model.take(int(points), func(point) bool { return true }, func(x, y point) int {
					own := func(p point) int { return rank(id(p.lot) == e.ID) }
					return cmp.Or(cmp.Compare(own(x), own(y)), cmp.Compare(rank(!x.locked), rank(!y.locked)), cmp.Compare(x.lot, y.lot))
				})
			case "release":
				for _, l := range slices.Clone(read.Of(a.ID)) {
					if !l.Released && l.Remaining > 0 {
						follow(a.Release(at(n, ledger.KindRelease), l))
						for i := range model.points {
							if id(model.points[i].lot) == l.ID {
								model.points[i].locked = false
							}
						}
						break
					}
				}
			}
			check(t, a, read.Of(a.ID), postings, model)
		}
	})
}

func check(t *rapid.T, a ledger.Account, lots []ledger.Lot, p ledger.Postings, model simple) {
	left := map[bool]int64{}
	byLot := map[uuid.UUID]int64{}
	for _, l := range lots {
		left[l.Released] += l.Remaining
		byLot[l.ID] = l.Remaining
		if l.Remaining < 0 || l.Remaining > l.Points {
			t.Fatalf("lot %+v", l)
		}
	}
	for _, point := range model.points {
		byLot[id(point.lot)]--
	}
	for lot, n := range byLot {
		if n != 0 {
			t.Fatalf("lot %s has %d points more than it ought to", lot, n)
		}
	}
	switch {
	case a.Available < 0 || a.Pending < 0 || a.Debt < 0:
		t.Fatalf("below zero: %+v", a.Balance)
	case a.Debt > 0 && a.Available+a.Pending > 0:
		t.Fatalf("a debt beside points: %+v", a.Balance)
	case a.Available != p.Available || a.Pending != p.Pending || a.Debt != -p.Debt:
		t.Fatalf("balances %+v, postings %+v", a.Balance, p)
	case a.Available != left[true] || a.Pending != left[false]:
		t.Fatalf("balances %+v, lots %v", a.Balance, left)
	case a.Available != model.count(false) || a.Pending != model.count(true) || a.Debt != int64(model.owed):
		t.Fatalf("balances %+v, points one by one %d %d %d", a.Balance, model.count(false), model.count(true), model.owed)
	}
}
