package lead

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
)

// Leads is what can be done with leads.
type Leads struct {
	db     *pg.DB
	outbox *outbox.Outbox
	clock  func() time.Time
}

// New makes the capability.
func New(db *pg.DB, o *outbox.Outbox, clock func() time.Time) *Leads {
	return &Leads{db: db, outbox: o, clock: clock}
}

// AssignIn gives a lead that is locked to a team and, unless owner is empty, to somebody of it, and gives the events that tell of it;
// none where it was so already. reason is a code: rule, round_robin, least_loaded, hand or released.
func (s *Leads) AssignIn(_ context.Context, tx *pg.Tx, l Lead, team, owner, reason string, at time.Time) ([]outbox.Event, error) {
	now, err := l.Assign(team, owner, reason, at)
	if err != nil || now.Version == l.Version {
		return nil, err
	}
	Save(tx, now)
	return []outbox.Event{assignedEvent(l, now, reason)}, nil
}

// HandOverIn gives a lead that is locked to marketing (nurturing) or back to sales, and gives it as it is then with the event that
// tells of it. reason is a code, such as score, silence, hand or recycled.
func (s *Leads) HandOverIn(_ context.Context, tx *pg.Tx, l Lead, nurturing bool, reason string, score int32, at time.Time) (Lead, []outbox.Event, error) {
	now, err := l.Return(reason, at)
	if nurturing {
		now, err = l.Nurture(reason, at)
	}
	if err != nil {
		return l, nil, err
	}
	Save(tx, now)
	return now, []outbox.Event{handedOverEvent(now, nurturing, reason, score)}, nil
}

// SetCustomerIn keeps what accounts says of a lead that is locked: whom it is known to be (Nil: nobody), and who it may be.
func SetCustomerIn(tx *pg.Tx, l Lead, customer uuid.UUID, candidates []Candidate, at time.Time) Lead {
	l = l.Meant(customer, candidates, at)
	Save(tx, l)
	return l
}

// Unchecked gives up to limit leads of all tenants of which accounts was not asked yet whether it knows them, the oldest first.
// What is done about them goes on tenant by tenant.
func Unchecked(ctx context.Context, db *pg.DB, limit int) ([]pg.Of, error) {
	return db.Across(ctx, `SELECT tenant_id, id FROM lead_unchecked($1)`, limit)
}

func (s *Leads) now() time.Time { return s.clock().UTC().Truncate(time.Microsecond) }
