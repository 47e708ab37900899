package membership

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	loyaltyv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/loyalty/events/v1"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/ledger"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/member"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/tier"
)

// Memberships is what can be done with paid memberships, and by members who leave.
type Memberships struct {
	db, ops *pg.DB
	outbox  *outbox.Outbox
	ledger  *ledger.Ledger
	tiers   *tier.Tiers
	clock   func() time.Time
}

// New makes the capability; ops looks over the memberships of all tenants.
func New(db, ops *pg.DB, o *outbox.Outbox, l *ledger.Ledger, tiers *tier.Tiers, clock func() time.Time) *Memberships {
	return &Memberships{db: db, ops: ops, outbox: o, ledger: l, tiers: tiers, clock: clock}
}

func (m *Memberships) now() time.Time { return m.clock().UTC().Truncate(time.Microsecond) }

// Payment is a payment that whoever sells tells of.
type Payment struct {
	Reference string // of the payment: it pays one term only
	Currency  string // empty: as the plan says
	Minor     int64  // with a currency: what was paid
}

// fits tells whether the payment is what the plan costs.
func (p Payment) fits(plan programme.Plan) error {
	if p.Currency == "" || p.Currency == plan.Currency && p.Minor == plan.FeeMinor {
		return nil
	}
	return problem.InvalidBody("payment_differs", "Nothing was booked: the plan costs something else than was paid.", []problem.Field{{
		Location: "paid", Code: "payment_differs", Message: fmt.Sprintf("must be %d minor units of %s", plan.FeeMinor, plan.Currency),
	}})
}

var (
	errPaymentUsed = problem.New(problem.Conflict, "payment_used", "This payment has paid something else. Nothing was booked.")
	errRunning     = problem.New(problem.Conflict, "membership_running", "The customer has a membership of this programme that goes on. Renew it, or end it first.")
	errErased      = problem.New(problem.Gone, "member_erased", "The customer was erased: nobody is there to have a membership.")
)

// Buy begins a membership of a plan of the member's programme, which was paid for. The same payment again gives what it bought,
// with bought false. NotFound: member_not_found; Gone: member_erased; Unprocessable: plan_unknown, payment_differs; a Conflict:
// member_left, membership_running (of any member of the programme who is the same customer), payment_used.
func (m *Memberships) Buy(ctx context.Context, memberID uuid.UUID, code string, paid Payment) (made Membership, bought bool, err error) {
	made, bought, err = m.buy(ctx, memberID, code, paid)
	if name, _ := pg.Constraint(err); name == paymentConstraint { // it was told twice at the same time
		return m.buy(ctx, memberID, code, paid)
	}
	return made, bought, err
}

func (m *Memberships) buy(ctx context.Context, memberID uuid.UUID, code string, paid Payment) (Membership, bool, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Membership{}, false, err
	}
	var made Membership
	result, err := m.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		c, err := m.readBuyer(ctx, tx, memberID, paid)
		if err != nil {
			return pg.Result{}, err
		}
		if p := c.payment; p.membership != uuid.Nil {
			if p.member != memberID || p.no != 1 || p.plan != code {
				return pg.Result{}, errPaymentUsed
			}
			made, err = find(ctx, tx, p.membership)
			return pg.Result{ID: p.membership, Status: http.StatusOK}, err
		}
		plan, err := c.mayBuy(code, paid)
		if err != nil {
			return pg.Result{}, err
		}
		made = Start(id, memberID, c.programme, plan, paid.Reference, c.now)
		return pg.Result{ID: id, Status: http.StatusCreated}, m.begin(ctx, tx, c, plan, made)
	})
	if err == nil && result.Replayed {
		httpx.MarkReplayed(ctx)
		made, err = m.Get(ctx, result.ID)
	}
	return made, result.Status == http.StatusCreated, err
}

// buyer is what is known of whoever buys.
type buyer struct {
	member    member.Member
	book      *programme.Book
	programme programme.Programme
	payment   *payment
	running   []Membership // of all members who are the same customer, as they are kept
	now       time.Time
}

// readBuyer locks all members who are the same customer, so that not two of them buy at once.
func (m *Memberships) readBuyer(ctx context.Context, tx *pg.Tx, memberID uuid.UUID, paid Payment) (buyer, error) {
	member.LockPool(tx, memberID)
	book, payment := programme.BookOf(tx), queuePayment(tx, paid.Reference)
	running := queue(tx, runningOf+member.OfPool+`))`, memberID)
	pool, err := member.FindPool(ctx, tx, memberID)
	if err != nil {
		return buyer{}, err
	}
	c := buyer{book: book, payment: payment, now: m.now()}
	for _, one := range pool {
		if one.ID == memberID {
			c.member = one
		}
	}
	c.programme, _ = book.At(c.member.Programme, c.now)
	c.running, err = withTerms(ctx, tx, running.all)
	return c, err
}

// mayBuy gives the plan.
func (c buyer) mayBuy(code string, paid Payment) (programme.Plan, error) {
	plan, known := c.programme.PlanOf(code)
	switch {
	case c.member.CardNumber == "":
		return plan, errErased
	case c.member.State == member.Left:
		return plan, member.ErrLeft
	case !known:
		return plan, problem.InvalidBody("plan_unknown", "Nothing was booked: the member's programme has no such plan now.",
			[]problem.Field{{Location: "plan", Code: "plan_unknown", Message: "must be the code of a plan of the programme"}})
	case slices.ContainsFunc(c.running, func(r Membership) bool { return !r.Over(c.now) }):
		return plan, errRunning
	}
	return plan, paid.fits(plan)
}

// begin books a new membership, its tier and its points, after what is over by now and was not told yet.
func (m *Memberships) begin(ctx context.Context, tx *pg.Tx, c buyer, plan programme.Plan, made Membership) error {
	var events []outbox.Event
	for _, r := range c.running {
		if r.MemberID == c.member.ID {
			ended := r.Expire()
			saveEnd(tx, ended)
			events = append(events, endedEvent(c.member, ended))
		}
	}
	insert(tx, made)
	events = append(events, startedEvent(c.member, made))
	raised, err := m.raise(ctx, tx, c.book, c.member, "", made)
	if err != nil {
		return err
	}
	events = append(events, raised...)
	var steps []ledger.Step
	if plan.WelcomePoints > 0 {
		s, err := m.ledger.Give(c.member, c.book, ledger.KindGrant, ledger.Draft{
			Key: "membership/" + made.ID.String() + "/welcome", Reason: ledger.Reason{Type: "membership", ID: made.ID.String()}, By: subject(ctx),
		}, plan.WelcomePoints, time.Time{})
		if err != nil {
			return err
		}
		steps = append(steps, s)
	}
	return m.ledger.Book(ctx, tx, events, steps...)
}

// raise gives the member the membership's tier for as long as it lasts, or takes away what was, the tier before, where it has none.
func (m *Memberships) raise(ctx context.Context, tx *pg.Tx, book *programme.Book, owner member.Member, was string, now Membership) ([]outbox.Event, error) {
	if now.Tier == "" && was == "" {
		return nil, nil
	}
	return m.tiers.Floor(ctx, tx, book, owner, now.Tier, tier.ReasonPaid, now.OverAt)
}

func subject(ctx context.Context) string {
	caller, _ := auth.From(ctx)
	return caller.Subject
}

// Renew adds a term to a membership, which was paid for; the same payment again gives the membership as it stands. NotFound:
// membership_not_found; Gone: member_erased; Unprocessable: payment_differs; a Conflict: payment_used, member_left,
// plan_withdrawn, and what Membership.Renew says.
func (m *Memberships) Renew(ctx context.Context, id uuid.UUID, paid Payment) (Membership, error) {
	renew := func() (Membership, error) {
		var known *payment
		return m.change(ctx, id, func(tx *pg.Tx) { known = queuePayment(tx, paid.Reference) },
			func(tx *pg.Tx, c *owned) error {
				if known.membership != uuid.Nil {
					if known.membership != id || known.no == 1 {
						return errPaymentUsed
					}
					return nil
				}
				return m.renew(ctx, tx, c, paid)
			})
	}
	renewed, err := renew()
	if name, _ := pg.Constraint(err); name == paymentConstraint {
		return renew()
	}
	return renewed, err
}

func (m *Memberships) renew(ctx context.Context, tx *pg.Tx, c *owned, paid Payment) error {
	plan, there := c.programme.PlanOf(c.membership.Plan)
	switch {
	case c.member.CardNumber == "":
		return errErased
	case c.member.State == member.Left:
		return member.ErrLeft
	case c.membership.Over(c.now):
		return errOver
	case !there:
		return errWithdrawn
	}
	if err := paid.fits(plan); err != nil {
		return err
	}
	was := c.membership.Tier
	var err error
	if c.membership, err = c.membership.Renew(c.programme, plan, paid.Reference, c.now); err != nil {
		return err
	}
	save(tx, c.membership)
	insertTerm(tx, c.membership)
	c.events = append(c.events, renewedEvent(c.member, c.membership, c.now))
	raised, err := m.raise(ctx, tx, c.book, c.member, was, c.membership)
	c.events = append(c.events, raised...)
	return err
}

// Cancel ends a membership now, for a reason, a code; its Refund is what goes back to the member. NotFound: membership_not_found; a
// Conflict: membership_over.
func (m *Memberships) Cancel(ctx context.Context, id uuid.UUID, reason string) (Membership, error) {
	return m.change(ctx, id, func(*pg.Tx) {}, func(tx *pg.Tx, c *owned) error {
		ended, events, err := m.endNow(ctx, tx, c.member, c.book, c.membership, EndCancelled, reason, c.now)
		c.membership, c.events = ended, events
		return err
	})
}

// endNow ends the membership of a locked member before its time, and takes its tier away.
func (m *Memberships) endNow(ctx context.Context, tx *pg.Tx, owner member.Member, book *programme.Book, s Membership, reason, code string, now time.Time,
) (Membership, []outbox.Event, error) {
	p, _ := book.At(owner.Programme, now)
	s, err := s.EndNow(reason, code, now, zoneOf(p))
	if err != nil {
		return s, nil, err
	}
	saveEnd(tx, s)
	events := []outbox.Event{endedEvent(owner, s)}
	if s.Tier == "" {
		return s, events, nil
	}
	fallen, err := m.tiers.Floor(ctx, tx, book, owner, "", tier.ReasonPaid, now)
	return s, append(events, fallen...), err
}

// zoneOf gives the zone of a programme, also of one that is not there any more.
func zoneOf(p programme.Programme) *time.Location {
	if p.Zone == nil {
		return time.UTC
	}
	return p.Zone
}

// owned is a membership that is changed, its member locked.
type owned struct {
	membership Membership
	member     member.Member
	book       *programme.Book
	programme  programme.Programme
	now        time.Time
	events     []outbox.Event
}

// change changes a membership; what is queued by first is there for rule.
func (m *Memberships) change(ctx context.Context, id uuid.UUID, first func(tx *pg.Tx), rule func(tx *pg.Tx, c *owned) error) (Membership, error) {
	var c *owned
	result, err := m.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		lockOwner(tx, id)
		book := programme.BookOf(tx)
		first(tx)
		s, err := find(ctx, tx, id)
		if err != nil {
			return pg.Result{}, err
		}
		owner, err := member.Find(ctx, tx, s.MemberID)
		if err != nil {
			return pg.Result{}, err
		}
		c = &owned{membership: s, member: owner, book: book, now: m.now()}
		c.programme, _ = book.At(owner.Programme, c.now)
		if err := rule(tx, c); err != nil {
			return pg.Result{}, err
		}
		return pg.Result{ID: id, Status: http.StatusOK}, m.outbox.Append(ctx, tx, c.events...)
	})
	switch {
	case err != nil:
		return Membership{}, err
	case result.Replayed:
		httpx.MarkReplayed(ctx)
		return m.Get(ctx, id)
	}
	return c.membership, nil
}

func event(owner member.Member, at time.Time) outbox.Event {
	return outbox.Event{Aggregate: member.Aggregate, ID: owner.ID, Time: at}
}

func startedEvent(owner member.Member, s Membership) outbox.Event {
	e, t := event(owner, s.StartsAt), s.Latest()
	e.Message = &loyaltyv1.MembershipStarted{
		MembershipId: s.ID.String(), MemberId: owner.ID.String(), CustomerId: owner.CustomerID.String(), Programme: owner.Programme, Plan: s.Plan,
		Currency: t.Currency, FeeMinor: t.Fee, StartsAt: timestamppb.New(s.StartsAt), EndsAt: timestamppb.New(t.EndsAt),
	}
	return e
}

func renewedEvent(owner member.Member, s Membership, now time.Time) outbox.Event {
	e, t := event(owner, now), s.Latest()
	e.Message = &loyaltyv1.MembershipRenewed{
		MembershipId: s.ID.String(), MemberId: owner.ID.String(), CustomerId: owner.CustomerID.String(), Programme: owner.Programme, Plan: s.Plan,
		Currency: t.Currency, FeeMinor: t.Fee, Term: int32(t.No), EndsAt: timestamppb.New(t.EndsAt), RenewedAt: timestamppb.New(now),
	}
	return e
}

func endingEvent(owner member.Member, s Membership, now time.Time) outbox.Event {
	e := event(owner, now)
	e.Message = &loyaltyv1.MembershipEndingSoon{
		MembershipId: s.ID.String(), MemberId: owner.ID.String(), CustomerId: owner.CustomerID.String(), Programme: owner.Programme, Plan: s.Plan,
		EndsAt: timestamppb.New(s.Latest().EndsAt), ToldAt: timestamppb.New(now),
	}
	return e
}

func endedEvent(owner member.Member, s Membership) outbox.Event {
	e := event(owner, s.EndedAt)
	e.Message = &loyaltyv1.MembershipEnded{
		MembershipId: s.ID.String(), MemberId: owner.ID.String(), CustomerId: owner.CustomerID.String(), Programme: owner.Programme, Plan: s.Plan,
		Reason: s.End, Currency: s.Latest().Currency, RefundMinor: s.Refund, EndedAt: timestamppb.New(s.EndedAt),
	}
	return e
}
