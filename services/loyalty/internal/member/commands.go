package member

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	loyaltyv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/loyalty/events/v1"
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

// Enrol makes a customer a member; of a member it gives what stands in the books, enrolled false.
//
// A customer who was merged into another keeps a member of its own.
func (m *Members) Enrol(ctx context.Context, customerID uuid.UUID, programme, source string) (member Seen, enrolled bool, err error) {
	member, enrolled, err = m.enrol(ctx, customerID, programme, source)
	if name, _ := pg.Constraint(err); name == cardConstraint {
		return m.enrol(ctx, customerID, programme, source) // one in 100,000,000,000,000: somebody has a card of this number
	}
	return member, enrolled, err
}

func (m *Members) enrol(ctx context.Context, customerID uuid.UUID, programme, source string) (Seen, bool, error) {
	draft, err := Enrol(customerID, programme, source, m.clock().UTC().Truncate(time.Microsecond))
	if err != nil {
		return Seen{}, false, err
	}
	var member Seen
	result, err := m.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		erasure.Refuse(tx, customerID)
		others := queueOthers(tx, customerID, programme)
		all, made, err := Ensure(ctx, tx, draft)
		if err != nil {
			return pg.Result{}, err
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

// Aggregate is what members are called in events.
const Aggregate = "member"

// EnrolledEvent tells of a new member.
func EnrolledEvent(m Member) outbox.Event {
	return outbox.Event{Aggregate: Aggregate, ID: m.ID, Time: m.EnrolledAt, Message: &loyaltyv1.MemberEnrolled{
		MemberId: m.ID.String(), CustomerId: m.CustomerID.String(), Source: m.Source, Programme: m.Programme, EnrolledAt: timestamppb.New(m.EnrolledAt),
	}}
}
