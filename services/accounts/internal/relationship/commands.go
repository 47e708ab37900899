package relationship

import (
	"bytes"
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	accountsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/accounts/events/v1"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customer"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/tenant"
)

// Relationships is what can be done with relationships.
type Relationships struct {
	db     *pg.DB
	outbox *outbox.Outbox
	clock  func() time.Time
}

// New makes the capability.
func New(db *pg.DB, o *outbox.Outbox, clock func() time.Time) *Relationships {
	return &Relationships{db: db, outbox: o, clock: clock}
}

// Add makes a relation from the customer to the related one. Nobody else adds one of the kind meanwhile, so that two
// which close a circle together never both pass.
func (r *Relationships) Add(ctx context.Context, customerID uuid.UUID, kind Kind, relatedID uuid.UUID) (Relationship, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Relationship{}, err
	}
	var made Relationship
	result, err := r.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		from, to, err := hold(ctx, tx, customerID, relatedID)
		if err != nil {
			return pg.Result{}, err
		}
		if _, err = tenant.ForWrite(ctx, tx); err != nil {
			return pg.Result{}, err
		}
		s, err := look(ctx, tx, kind, from, to)
		if err != nil {
			return pg.Result{}, err
		}
		if made, err = Relate(id, kind, Party{from, s.from}, Party{to, s.to}, r.now()); err != nil {
			return pg.Result{}, err
		}
		if s.current != uuid.Nil {
			return pg.Result{}, problem.New(problem.Conflict, "relationship_exists", "This is relationship %s already.", s.current)
		}
		if path := Path(s.upwards, to.Root, from.Root); path != nil {
			return pg.Result{}, circle(made, path)
		}
		insert(tx, made)
		return pg.Result{ID: id, Status: http.StatusCreated}, r.outbox.Append(ctx, tx, changedEvent(made))
	})
	return r.answer(ctx, made, result, err)
}

// End ends a relation. An archived customer's can be ended, too: the other end lives on.
func (r *Relationships) End(ctx context.Context, id uuid.UUID) (Relationship, error) {
	var now Relationship
	result, err := r.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		lock(tx, id)
		was, err := get(ctx, tx, id)
		if err != nil {
			return pg.Result{}, err
		}
		if _, err = tenant.ForWrite(ctx, tx); err != nil {
			return pg.Result{}, err
		}
		if now, err = was.EndAt(r.now()); err != nil {
			return pg.Result{}, err
		}
		end(tx, now)
		return pg.Result{ID: id, Status: http.StatusOK}, r.outbox.Append(ctx, tx, changedEvent(now))
	})
	return r.answer(ctx, now, result, err)
}

// hold holds both customers as they are, in the order of their ids, as a merge locks them. That there is no related one
// is the fault of a field.
func hold(ctx context.Context, tx *pg.Tx, customerID, relatedID uuid.UUID) (from, to customer.Ref, err error) {
	var faultFrom, faultTo error
	holdFrom := func() { from, faultFrom = customer.HoldActive(ctx, tx, customerID) }
	holdTo := func() { to, faultTo = customer.HoldActive(ctx, tx, relatedID) }
	if bytes.Compare(customerID[:], relatedID[:]) < 0 {
		holdFrom()
		holdTo()
	} else {
		holdTo()
		holdFrom()
	}
	switch {
	case faultFrom != nil:
		return from, to, faultFrom
	case problem.KindOf(faultTo) == problem.NotFound:
		return from, to, invalid("related_id", "customer_not_found", "is not the id of a customer")
	}
	return from, to, faultTo
}

// answer gives the relation of a command that succeeded, read anew when the command was a repetition.
func (r *Relationships) answer(ctx context.Context, made Relationship, result pg.Result, err error) (Relationship, error) {
	if err == nil && result.Replayed {
		httpx.MarkReplayed(ctx)
		return r.Get(ctx, result.ID)
	}
	return made, err
}

// now is cut to what the database keeps, so that an answer reads the same at once and later.
func (r *Relationships) now() time.Time { return r.clock().UTC().Truncate(time.Microsecond) }

// changedEvent tells that a relation was made or has ended, by the ids that it was given with.
func changedEvent(r Relationship) outbox.Event {
	at := r.StartedAt
	if !r.EndedAt.IsZero() {
		at = r.EndedAt
	}
	return outbox.Event{Aggregate: "relationship", ID: r.ID, Time: at, Message: &accountsv1.RelationshipChanged{
		RelationshipId: r.ID.String(), CustomerId: r.From.ID.String(), RelatedId: r.To.ID.String(), Kind: string(r.Kind),
		State: r.State(), ChangedAt: timestamppb.New(at),
	}}
}
