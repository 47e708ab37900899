package earning

import (
	"cmp"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

// largest is how many of the members whose points differ most a dry run lists.
const largest = 10

// dryRun is what other terms would have given for the orders of a time. It writes nothing about them.
type dryRun struct {
	ID        uuid.UUID
	Programme string
	Terms     programme.Terms
	From      time.Time
	Until     time.Time
	State     string
	Reason    string // code of why it failed
	Orders    int64  // that were looked at so far
	Result    *tally // once it is done
	By        string
	CreatedAt time.Time
	EndedAt   time.Time
}

// States of a dry run.
const (
	stateQueued  = "queued"
	stateRunning = "running"
	stateDone    = "done"
	stateFailed  = "failed"
)

// tally is what a dry run found. Points are as they were earned, before anything was taken back.
type tally struct {
	Orders   int64          `json:"orders"`
	Members  int64          `json:"members"`
	Now      int64          `json:"points_now" doc:"That the orders did earn."`
	Then     int64          `json:"points_then" doc:"That they would have earned by the draft."`
	Gain     int64          `json:"members_gaining"`
	Lose     int64          `json:"members_losing"`
	Rules    []tallyRule    `json:"rules" nullable:"false"`
	Caps     []tallyCap     `json:"caps" nullable:"false"`
	Failed   []tallyFailure `json:"failed" nullable:"false" doc:"Rules of the draft that could not be reckoned for some orders."`
	Largest  []tallyMember  `json:"largest" nullable:"false" doc:"The members whose points differ most."`
	NoLines  int64          `json:"orders_without_lines" doc:"Orders whose lines are not known: rules that ask for lines see none."`
	rules    map[string]int // places
	caps     map[string]int
	failures map[string]int
	member   tallyMember // that is being added up
}

// tallyRule is the points of one rule.
type tallyRule struct {
	Rule string `json:"rule"`
	Now  int64  `json:"points_now"`
	Then int64  `json:"points_then"`
}

// tallyCap is what one cap of the draft did.
type tallyCap struct {
	Cap    string `json:"cap"`
	Orders int64  `json:"orders" doc:"That it cut."`
	Cut    int64  `json:"points_cut"`
}

// tallyFailure is a rule of the draft that could not be reckoned.
type tallyFailure struct {
	Rule   string `json:"rule"`
	Orders int64  `json:"orders"`
	Why    string `json:"why" doc:"Of the first one."`
}

// tallyMember is a member's points.
type tallyMember struct {
	MemberID uuid.UUID `json:"member_id" format:"uuid"`
	Now      int64     `json:"points_now"`
	Then     int64     `json:"points_then"`
}

func (m tallyMember) difference() int64 { return max(m.Then-m.Now, m.Now-m.Then) }

func newTally() *tally {
	return &tally{
		Rules: []tallyRule{}, Caps: []tallyCap{}, Failed: []tallyFailure{}, Largest: []tallyMember{},
		rules: map[string]int{}, caps: map[string]int{}, failures: map[string]int{},
	}
}

// place gives where something of the code stands, and puts it there if it does not.
func place[T any](all *[]T, places map[string]int, code string, fresh T) *T {
	n, there := places[code]
	if !there {
		n = len(*all)
		places[code] = n
		*all = append(*all, fresh)
	}
	return &(*all)[n]
}

func (t *tally) rule(code string) *tallyRule {
	return place(&t.Rules, t.rules, code, tallyRule{Rule: code})
}

// add adds an order of a member up, whose orders come one after the other.
func (t *tally) add(o order, was share, would outcome) {
	if t.member.MemberID != was.MemberID {
		t.closeMember()
		t.member = tallyMember{MemberID: was.MemberID}
	}
	t.Orders++
	t.Now, t.Then = t.Now+was.Points, t.Then+would.Points
	t.member.Now, t.member.Then = t.member.Now+was.Points, t.member.Then+would.Points
	if o.Lines == nil {
		t.NoLines++
	}
	if was.Outcome == nil {
		t.rule(programme.DefaultBase).Now += was.Points
	} else {
		for _, p := range was.Outcome.Parts {
			t.rule(p.Rule).Now += p.Points
		}
	}
	for _, p := range would.Parts {
		t.rule(p.Rule).Then += p.Points
	}
	for _, c := range would.Caps {
		if c.Cut > 0 {
			one := place(&t.Caps, t.caps, c.Cap, tallyCap{Cap: c.Cap})
			one.Orders, one.Cut = one.Orders+1, one.Cut+c.Cut
		}
	}
	for _, f := range would.Failed {
		place(&t.Failed, t.failures, f.Rule, tallyFailure{Rule: f.Rule, Why: f.Why}).Orders++
	}
}

// closeMember is called once a member's orders are through.
func (t *tally) closeMember() {
	m := t.member
	if m.MemberID == uuid.Nil {
		return
	}
	t.Members++
	switch {
	case m.Then > m.Now:
		t.Gain++
	case m.Then < m.Now:
		t.Lose++
	default:
		return
	}
	t.Largest = append(t.Largest, m)
	slices.SortFunc(t.Largest, func(a, b tallyMember) int {
		return cmp.Or(cmp.Compare(b.difference(), a.difference()), slices.Compare(a.MemberID[:], b.MemberID[:]))
	})
	t.Largest = t.Largest[:min(largest, len(t.Largest))]
}

// lastMonth gives the calendar month before the present one, in the zone.
func lastMonth(now time.Time, zone *time.Location) (from, until time.Time) {
	year, month, _ := now.In(zone).Date()
	c := programme.Cap{Period: programme.PeriodMonth}
	from, until, _ = c.Window(time.Date(year, month-1, 15, 12, 0, 0, 0, zone), zone)
	return from, until
}

// simulation judges the orders of a time anew, member by member and in the order in which they were placed, as they would have
// been had the terms come into force at its beginning.
type simulation struct {
	terms  programme.Programme
	from   time.Time
	caps   counter
	of     uuid.UUID              // the member whose caps are being counted
	before map[uuid.UUID][]capUse // what was counted before it began, of the members at hand
	*tally
}

// seen is an order with what has to be known of its buyer.
type seen struct {
	order
	share
	since time.Time
	birth int
	first bool
}

// judge judges one more order.
func (s *simulation) judge(o seen) {
	if s.of != o.MemberID {
		s.of, s.caps = o.MemberID, counter{}
		for _, u := range s.before[o.MemberID] {
			s.caps.add(u)
		}
	}
	var would outcome
	if plain(s.terms.Earning) {
		would = outcome{Points: o.Worth, Parts: []part{{Rule: programme.DefaultBase, Points: o.Worth}}}
	} else {
		asked := o.asked(s.terms)
		asked.Tier, asked.MemberSince, asked.BirthdayMonth, asked.FirstPurchase = o.Tier, o.since, o.birth, o.first
		if asked.Tier == "" && s.terms.Tiers.On() {
			asked.Tier = s.terms.Tiers.Levels[0].Code
		}
		would = evaluate(s.terms.Earning, asked, func(c programme.Cap, from, until time.Time) int64 { return s.caps.of(o.MemberID, c.Code, from, until) })
		for _, c := range would.Caps {
			s.caps.add(capUse{o.MemberID, c.Cap, o.PlacedAt, o.ID, c.Used})
		}
	}
	s.add(o.order, o.share, would)
}

// since gives the beginning of the earliest period of a cap that the simulation begins in.
func (s *simulation) since() time.Time {
	first := s.from
	for _, c := range s.terms.Earning.Caps {
		if from, _, ok := c.Window(s.from, s.terms.Zone); ok && from.Before(first) {
			first = from
		} else if !ok && c.From != nil && c.From.Before(first) {
			first = *c.From
		}
	}
	return first
}
