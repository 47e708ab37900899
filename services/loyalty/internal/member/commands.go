package member

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	loyaltyv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/loyalty/events/v1"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

// Members is what can be done with members.
type Members struct {
	db     *pg.DB
	outbox *outbox.Outbox
	clock  func() time.Time
}

// New makes the capability.
func New(db *pg.DB, o *outbox.Outbox, clock func() time.Time) *Members {
	return &Members{db: db, outbox: o, clock: clock}
}

// Enrol makes a customer a member of a programme; of a member it gives what stands in the books, enrolled false. Unprocessable:
// programme_unknown; Gone: customer_erased.
//
// A customer who was merged into another keeps a member of its own.
func (m *Members) Enrol(ctx context.Context, customerID uuid.UUID, code, source string) (member Seen, enrolled bool, err error) {
	member, enrolled, err = m.enrol(ctx, customerID, code, source)
	if name, _ := pg.Constraint(err); name == cardConstraint {
		return m.enrol(ctx, customerID, code, source) // one in 100,000,000,000,000: somebody has a card of this number
	}
	return member, enrolled, err
}

func (m *Members) enrol(ctx context.Context, customerID uuid.UUID, code, source string) (Seen, bool, error) {
	now := m.now()
	draft, err := Enrol(customerID, code, source, now)
	if err != nil {
		return Seen{}, false, err
	}
	var member Seen
	result, err := m.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		erasure.Refuse(tx, customerID)
		book := programme.BookOf(tx)
		others := queueOthers(tx, customerID, code)
		all, made, err := Ensure(ctx, tx, draft)
		if err != nil {
			return pg.Result{}, err
		}
		if _, known := book.At(code, now); !known {
			return pg.Result{}, programmeUnknown(code)
		}
		member = others.with(all[draft.Key()])
		if len(made) == 0 {
			return pg.Result{ID: member.ID, Status: http.StatusOK}, nil
		}
		return pg.Result{ID: member.ID, Status: http.StatusCreated}, m.outbox.Append(ctx, tx, EnrolledEvent(member.Member))
	})
	if err == nil && result.Replayed {
		httpx.MarkReplayed(ctx)
		member, err = m.Get(ctx, result.ID)
	}
	return member, result.Status == http.StatusCreated, err
}

func programmeUnknown(code string) error {
	return problem.InvalidBody("programme_unknown", "The customer was not enrolled: there is no such programme.",
		[]problem.Field{{Location: "programme", Code: "programme_unknown", Message: fmt.Sprintf("must be the code of a programme, which %q is not", code)}})
}

func (m *Members) now() time.Time { return m.clock().UTC().Truncate(time.Microsecond) }

// Suspend keeps a member from spending until further notice; reason is a code. A Conflict: member_suspended, member_left.
func (m *Members) Suspend(ctx context.Context, id uuid.UUID, reason string) (Seen, error) {
	return m.change(ctx, id, func(tx *pg.Tx, one Member, now time.Time) ([]outbox.Event, error) {
		one, err := one.Suspend(reason, now)
		SaveState(tx, one)
		return []outbox.Event{{Aggregate: Aggregate, ID: one.ID, Time: now, Message: &loyaltyv1.MemberSuspended{
			MemberId: one.ID.String(), CustomerId: one.CustomerID.String(), Programme: one.Programme, Reason: reason, SuspendedAt: timestamppb.New(now),
		}}}, err
	})
}

// Reinstate lets a suspended member spend again; reason is a code. A Conflict: member_not_suspended, member_left.
func (m *Members) Reinstate(ctx context.Context, id uuid.UUID, reason string) (Seen, error) {
	return m.change(ctx, id, func(tx *pg.Tx, one Member, now time.Time) ([]outbox.Event, error) {
		one, err := one.Reinstate(reason, now)
		SaveState(tx, one)
		return []outbox.Event{ReinstatedEvent(one)}, err
	})
}

// ReplaceCard gives a member a card of a new number and blocks the one before, for a reason, a code. A Conflict: member_left;
// Gone: member_erased.
func (m *Members) ReplaceCard(ctx context.Context, id uuid.UUID, reason string) (Seen, error) {
	replace := func() (Seen, error) {
		number, err := newCard()
		if err != nil {
			return Seen{}, err
		}
		return m.change(ctx, id, func(tx *pg.Tx, one Member, now time.Time) ([]outbox.Event, error) {
			switch {
			case one.CardNumber == "":
				return nil, errErased
			case one.State == Left:
				return nil, ErrLeft
			}
			blockCard(tx, one, BlockedCard{Number: one.CardNumber, Reason: reason, At: now}, number)
			return nil, nil
		})
	}
	seen, err := replace()
	if name, _ := pg.Constraint(err); name == cardConstraint {
		return replace()
	}
	return seen, err
}

// change does something to a member who is locked: a round trip to lock, and one to write.
func (m *Members) change(ctx context.Context, id uuid.UUID, rule func(tx *pg.Tx, one Member, now time.Time) ([]outbox.Event, error)) (Seen, error) {
	var seen Seen
	result, err := m.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		one, err := Lock(ctx, tx, id)
		if err != nil {
			return pg.Result{}, err
		}
		events, err := rule(tx, one, m.now())
		if err != nil {
			return pg.Result{}, err
		}
		if err := m.outbox.Append(ctx, tx, events...); err != nil {
			return pg.Result{}, err
		}
		seen, err = See(ctx, tx, id)
		return pg.Result{ID: id, Status: http.StatusOK}, err
	})
	if err == nil && result.Replayed {
		httpx.MarkReplayed(ctx)
		return m.Get(ctx, id)
	}
	return seen, err
}

// ReinstatedEvent tells of a member who is active again.
func ReinstatedEvent(m Member) outbox.Event {
	return outbox.Event{Aggregate: Aggregate, ID: m.ID, Time: m.StateAt, Message: &loyaltyv1.MemberReinstated{
		MemberId: m.ID.String(), CustomerId: m.CustomerID.String(), Programme: m.Programme, Reason: m.Reason, ReinstatedAt: timestamppb.New(m.StateAt),
	}}
}

// Aggregate is what members are called in events.
const Aggregate = "member"

// EnrolledEvent tells of a new member.
func EnrolledEvent(m Member) outbox.Event {
	return outbox.Event{Aggregate: Aggregate, ID: m.ID, Time: m.EnrolledAt, Message: &loyaltyv1.MemberEnrolled{
		MemberId: m.ID.String(), CustomerId: m.CustomerID.String(), Source: m.Source, Programme: m.Programme, EnrolledAt: timestamppb.New(m.EnrolledAt),
	}}
}
