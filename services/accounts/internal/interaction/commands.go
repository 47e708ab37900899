package interaction

import (
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
	"github.com/guanxi-crm/guanxi/services/accounts/internal/identity"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/tenant"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/touchpoint"
)

// Interactions is what can be done with interactions.
type Interactions struct {
	db     *pg.DB
	outbox *outbox.Outbox
	clock  func() time.Time
}

// New makes the capability.
func New(db *pg.DB, o *outbox.Outbox, clock func() time.Time) *Interactions {
	return &Interactions{db: db, outbox: o, clock: clock}
}

// Given is an interaction as the caller gave it: a draft whose touchpoint is a code and whose identity has no form yet.
type Given struct {
	Draft
	Touchpoint                  string
	IdentityType, IdentityValue string // both empty: not said
}

// Record records an interaction with the customer.
func (i *Interactions) Record(ctx context.Context, customerID uuid.UUID, g Given) (Interaction, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Interaction{}, err
	}
	who, _ := auth.From(ctx)
	var made Interaction
	result, err := i.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		ref, err := customer.HoldActive(ctx, tx, customerID)
		if err != nil {
			return pg.Result{}, err
		}
		t, err := tenant.ForWrite(ctx, tx)
		if err != nil {
			return pg.Result{}, err
		}
		draft, faults, err := g.draft(ctx, tx, t.Region)
		if err != nil {
			return pg.Result{}, err
		}
		var more []problem.Field
		made, more = Record(id, ref.ID, ref.Root, draft, who.Subject, i.now())
		if faults = append(faults, more...); len(faults) > 0 {
			return pg.Result{}, problem.InvalidBody("interaction_invalid", "The interaction was not accepted: mend the fields named here.", faults)
		}
		insert(tx, made)
		return pg.Result{ID: id, Status: http.StatusCreated}, i.outbox.Append(ctx, tx, recordedEvent(made))
	})
	if err == nil && result.Replayed {
		httpx.MarkReplayed(ctx)
		return i.Get(ctx, result.ID)
	}
	return made, err
}

// draft looks the touchpoint up and brings the identity to its one form, or names the field that has none.
func (g Given) draft(ctx context.Context, tx *pg.Tx, region string) (d Draft, faults []problem.Field, err error) {
	d = g.Draft
	if g.Touchpoint != "" {
		found, err := touchpoint.Hold(ctx, tx, g.Touchpoint)
		switch problem.KindOf(err) {
		case "":
			d.Touchpoint = &found
		case problem.NotFound:
			faults = append(faults, problem.Field{Location: "touchpoint", Code: "touchpoint_unknown", Message: "is not in the catalogue"})
		default:
			return d, nil, err
		}
	}
	if g.IdentityType == "" && g.IdentityValue == "" {
		return d, faults, nil
	}
	one, fault := identity.Normalise(g.IdentityType, g.IdentityValue, region)
	if d.Identity = one; fault != nil {
		faults = append(faults, problem.Field{Location: "identity." + fault.Field, Code: fault.Code, Message: fault.Message})
	}
	return d, faults, nil
}

// now is cut to what the database keeps, so that an answer reads the same at once and later.
func (i *Interactions) now() time.Time { return i.clock().UTC().Truncate(time.Microsecond) }

// recordedEvent tells of an interaction, without the words and the identity.
func recordedEvent(i Interaction) outbox.Event {
	return outbox.Event{Aggregate: "interaction", ID: i.ID, Time: i.OccurredAt, Message: &accountsv1.InteractionRecorded{
		InteractionId: i.ID.String(), CustomerId: i.Customer.String(), Channel: string(i.Channel), Direction: string(i.Direction),
		Touchpoint: i.Touchpoint, Outcome: i.Outcome, DurationSeconds: int64(i.Duration / time.Second), OccurredAt: timestamppb.New(i.OccurredAt),
	}}
}
