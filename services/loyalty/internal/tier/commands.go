package tier

import (
	"context"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	loyaltyv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/loyalty/events/v1"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/member"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

// Tiers is what can be done with tiers.
type Tiers struct {
	db     *pg.DB // bound to a tenant
	ops    *pg.DB // looks over all tenants for what is due
	outbox *outbox.Outbox
	clock  func() time.Time
}

// New makes the capability.
func New(db, ops *pg.DB, o *outbox.Outbox, clock func() time.Time) *Tiers {
	return &Tiers{db: db, ops: ops, outbox: o, clock: clock}
}

func (t *Tiers) now() time.Time { return t.clock().UTC().Truncate(time.Microsecond) }

// Qualifying is points that count towards a tier, apart from those that can be spent.
type Qualifying struct {
	Member member.Member
	Points int64  // below zero: taken back
	Key    string // what makes a repetition known, for ever: unique in the tenant
	// At is the time in whose period they count. What is taken back counts then as well: it has the time of what it was earned by.
	At time.Time
	// Takes is the key of what they are taken back from; where that never counted, they do not either. Empty: they count anyhow.
	Takes string
}

// Qualify counts qualifying points of locked members whose programmes have tiers, those of a known key not again, and takes
// whoever has earned a higher tier there at once. The events are for the caller to append, in this transaction. One round trip,
// with what the caller had queued, or none where no programme has tiers.
func (t *Tiers) Qualify(ctx context.Context, tx *pg.Tx, book *programme.Book, members map[uuid.UUID]member.Member, q []Qualifying) ([]outbox.Event, error) {
	now := t.now()
	var (
		files   = files{now: now, by: subject(ctx)}
		counted []Qualifying
		seen    = make(map[string]bool, len(q))
	)
	for _, one := range q {
		m, locked := members[one.Member.ID]
		if !locked {
			m = one.Member
		}
		if one.Points == 0 || seen[one.Key] || !files.add(book, m) {
			continue
		}
		seen[one.Key] = true
		if one.At.After(now) {
			one.At = now
		}
		counted = append(counted, one)
	}
	if len(counted) == 0 {
		return nil, nil
	}
	fresh := queuePoints(tx, &files, counted)
	if err := files.load(ctx, tx); err != nil {
		return nil, err
	}
	taken := make(map[uuid.UUID][]sum)
	for _, one := range counted {
		if one.Points < 0 && fresh[one.Key] {
			taken[one.Member.ID] = append(taken[one.Member.ID], sum{dayOf(one.At, files.of[one.Member.ID].zone), one.Points})
		}
	}
	for _, c := range files.inOrder {
		c.look(taken[c.member]...)
	}
	return files.save(tx), nil
}

// Score takes in a growth score, 0 to 1000, of a locked member. Where the growth score drives the programme's tiers, a higher
// one is taken at once. The events are for the caller to append.
func (t *Tiers) Score(ctx context.Context, tx *pg.Tx, book *programme.Book, m member.Member, score int) ([]outbox.Event, error) {
	f := files{now: t.now(), by: subject(ctx)}
	if !f.add(book, m) || !f.of[m.ID].terms.ByGrowth() {
		return nil, nil
	}
	if err := f.load(ctx, tx); err != nil {
		return nil, err
	}
	f.of[m.ID].Score = score
	f.of[m.ID].look()
	return f.save(tx), nil
}

// Floor gives a locked member a tier at least, until a time that is to come: ReasonPaid for one that is paid for, any other code
// for one that a person set. Each takes the place of the one before of its kind; an empty level, or the lowest, takes it away.
// A level that the programme has not is Unprocessable, tier_unknown. The events are for the caller to append.
func (t *Tiers) Floor(ctx context.Context, tx *pg.Tx, book *programme.Book, m member.Member, level, reason string, until time.Time) ([]outbox.Event, error) {
	f := files{now: t.now(), by: subject(ctx)}
	if !f.add(book, m) {
		if level == "" {
			return nil, nil
		}
		return nil, unknown(level)
	}
	if err := f.load(ctx, tx); err != nil {
		return nil, err
	}
	err := f.of[m.ID].floor(level, reason, until)
	return f.save(tx), err
}

func (c *file) floor(level, reason string, until time.Time) error {
	if _, there := c.terms.Rank(level); level != "" && !there {
		return unknown(level)
	}
	if level != "" && !until.After(c.now) {
		return problem.InvalidBody("tier_invalid", "The tier was not set: mend the field named here.",
			[]problem.Field{{Location: "until", Code: "until_past", Message: "must be a time to come"}})
	}
	to := Floor{Level: level, Until: until.UTC().Truncate(time.Microsecond), Reason: reason}
	if reason == ReasonPaid {
		to.Reason = ""
		c.setFloor(&c.Paid, to, ReasonPaid)
	} else {
		c.setFloor(&c.Manual, to, ReasonManual)
	}
	return nil
}

func unknown(level string) error {
	return problem.New(problem.Unprocessable, "tier_unknown", "The member's programme has no tier %q now.", level)
}

func subject(ctx context.Context) string {
	caller, _ := auth.From(ctx)
	return caller.Subject
}

// events tells of what was decided.
func (c *file) events() (events []outbox.Event) {
	for _, d := range c.decided {
		if !d.Moved() {
			continue
		}
		e := &loyaltyv1.TierChanged{
			MemberId: c.member.String(), CustomerId: c.customer.String(), Programme: c.programme, Tier: d.To, FromTier: d.From,
			Rank: int32(d.Rank), Reason: d.Reason, Qualifying: max(0, d.Qualifying), ChangedAt: timestamppb.New(d.At),
		}
		if !d.ValidUntil.IsZero() {
			e.ValidUntil = timestamppb.New(d.ValidUntil)
		}
		events = append(events, outbox.Event{Aggregate: member.Aggregate, ID: c.member, Time: d.At, Message: e})
	}
	if w := c.warning; w != nil {
		events = append(events, outbox.Event{Aggregate: member.Aggregate, ID: c.member, Time: c.now, Message: &loyaltyv1.TierWillFall{
			MemberId: c.member.String(), CustomerId: c.customer.String(), Programme: c.programme, Tier: c.Level,
			ToTier: c.terms.Levels[w.To].Code, Missing: w.Missing, FallsAt: timestamppb.New(w.At), ToldAt: timestamppb.New(c.now),
		}})
	}
	return events
}

// farthest is how long ahead a person may set a tier.
const farthest = 10 * 366 * 24 * time.Hour

// Wish is the tier that a person wants a member to have at least.
type Wish struct {
	Tier    string
	Reason  string // code
	Until   time.Time
	IfMatch string
}

// Set gives a member a tier at least, until a date: see Floor. Who has left the programme cannot be given one, 409 member_left.
func (t *Tiers) Set(ctx context.Context, id uuid.UUID, w Wish) (Seen, error) {
	if faults := w.faults(t.now()); len(faults) > 0 {
		return Seen{}, problem.InvalidBody("tier_invalid", "The tier was not set: mend the fields named here.", faults)
	}
	var seen Seen
	_, err := t.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		book := programme.BookOf(tx)
		m, err := member.Lock(ctx, tx, id)
		if err != nil {
			return pg.Result{}, err
		}
		f := files{now: t.now(), by: subject(ctx)}
		if !f.add(book, m) {
			return pg.Result{}, unknown(w.Tier)
		}
		c := f.of[id]
		if err := f.load(ctx, tx); err != nil {
			return pg.Result{}, err
		}
		if err := httpx.IfMatch(w.IfMatch, int64(c.Decisions)); err != nil {
			return pg.Result{}, err
		}
		if m.State == member.Left {
			return pg.Result{}, problem.New(problem.Conflict, "member_left", "The member has left the programme.")
		}
		if err := c.floor(w.Tier, w.Reason, w.Until); err != nil {
			return pg.Result{}, err
		}
		if err := t.outbox.Append(ctx, tx, f.save(tx)...); err != nil {
			return pg.Result{}, err
		}
		seen, err = see(ctx, tx, c)
		return pg.Result{ID: id}, err
	})
	return seen, err
}

func (w Wish) faults(now time.Time) (faults []problem.Field) {
	fault := func(at, code, message string) {
		faults = append(faults, problem.Field{Location: at, Code: code, Message: message})
	}
	if !programme.Coded(w.Tier) {
		fault("tier", "code_malformed", programme.CodeRule)
	}
	if !programme.Coded(w.Reason) || w.Reason == ReasonPaid {
		fault("reason", "code_malformed", programme.CodeRule+", and not paid, which memberships have")
	}
	switch {
	case !w.Until.After(now):
		fault("until", "until_past", "must be a time to come")
	case w.Until.After(now.Add(farthest)):
		fault("until", "until_too_far", "must be within ten years")
	}
	return faults
}
