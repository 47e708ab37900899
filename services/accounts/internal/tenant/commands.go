package tenant

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
)

// Tenants is what can be done with tenants.
type Tenants struct {
	db, ops *pg.DB
	outbox  *outbox.Outbox
	clock   func() time.Time
}

// New makes the capability; ops is the database as the role that sees all tenants.
func New(db, ops *pg.DB, o *outbox.Outbox, clock func() time.Time) *Tenants {
	return &Tenants{db: db, ops: ops, outbox: o, clock: clock}
}

// Create makes a tenant. An id that is in use is a Conflict, tenant_exists.
func (t *Tenants) Create(ctx context.Context, id string, s Settings) (Tenant, error) {
	streamID, err := uuid.NewV7()
	if err != nil {
		return Tenant{}, err
	}
	created, faults := Create(id, streamID, s, t.now())
	if len(faults) > 0 {
		return Tenant{}, invalid(faults)
	}
	who, _ := auth.From(ctx)
	result, err := t.db.Command(ctx, who.Tenant, func(tx *pg.Tx) (pg.Result, error) {
		tx.SetTenant(ctx, id) // whose row and event these are; the request's key stays with who asked
		insert(tx, created)
		err := t.outbox.Append(ctx, tx, createdEvent(created))
		tx.SetTenant(ctx, who.Tenant)
		return pg.Result{ID: created.StreamID, Status: http.StatusCreated}, err
	})
	if name, _ := pg.Constraint(err); name == "tenant_pkey" {
		return Tenant{}, problem.New(problem.Conflict, "tenant_exists", "There is a tenant of this id already; choose another.").Because(err)
	}
	return t.answer(ctx, created, result, err)
}

// Patch is a change of settings; a nil field stays as it is.
type Patch struct {
	DisplayName, Region, Language, TimeZone, Currency *string
}

// Change gives the tenant other settings, if it still is as the caller saw it: fresh is asked with the version.
func (t *Tenants) Change(ctx context.Context, id string, p Patch, fresh func(version int64) error) (Tenant, error) {
	return t.alter(ctx, id, func(was Tenant) (Tenant, []string, error) {
		if err := fresh(was.Version); err != nil {
			return was, nil, err
		}
		s := was.Settings
		for field, value := range map[*string]*string{
			&s.DisplayName: p.DisplayName, &s.Region: p.Region, &s.Language: p.Language, &s.TimeZone: p.TimeZone, &s.Currency: p.Currency,
		} {
			if value != nil {
				*field = *value
			}
		}
		now, changed, faults := was.Change(s, t.now())
		if len(faults) > 0 {
			return was, nil, invalid(faults)
		}
		return now, changed, nil
	})
}

// Suspend lets the tenant read but not write from now on.
func (t *Tenants) Suspend(ctx context.Context, id string) (Tenant, error) {
	return t.to(ctx, id, Suspended)
}

// Resume lets a suspended tenant write again.
func (t *Tenants) Resume(ctx context.Context, id string) (Tenant, error) {
	return t.to(ctx, id, Active)
}

func (t *Tenants) to(ctx context.Context, id string, state State) (Tenant, error) {
	return t.alter(ctx, id, func(was Tenant) (Tenant, []string, error) {
		now, changed := was.To(state, t.now())
		if !changed {
			return now, nil, nil
		}
		return now, []string{"state"}, nil
	})
}

// alter locks the tenant, applies the rule, and saves and tells what the rule changed.
func (t *Tenants) alter(ctx context.Context, id string, rule func(Tenant) (now Tenant, changed []string, err error)) (Tenant, error) {
	if !auth.ValidTenant(id) {
		return Tenant{}, errNotFound
	}
	now := Tenant{ID: id}
	result, err := t.db.Command(ctx, id, func(tx *pg.Tx) (pg.Result, error) {
		was, err := lock(ctx, tx)
		if err != nil {
			return pg.Result{}, err
		}
		var changed []string
		if now, changed, err = rule(was); err != nil {
			return pg.Result{}, err
		}
		if len(changed) > 0 {
			update(tx, now)
			err = t.outbox.Append(ctx, tx, changedEvent(now, changed))
		}
		return pg.Result{ID: now.StreamID, Status: http.StatusOK}, err
	})
	return t.answer(ctx, now, result, err)
}

// answer gives the tenant of a command that succeeded, read anew when the command was a repetition.
func (t *Tenants) answer(ctx context.Context, made Tenant, result pg.Result, err error) (Tenant, error) {
	if err == nil && result.Replayed {
		httpx.MarkReplayed(ctx)
		return t.Get(ctx, made.ID)
	}
	return made, err
}

// now is cut to what the database keeps, so that an answer reads the same at once and later.
func (t *Tenants) now() time.Time { return t.clock().UTC().Truncate(time.Microsecond) }

func invalid(faults []problem.Field) error {
	return problem.InvalidBody("tenant_invalid", "The tenant was not accepted: mend the fields named here.", faults)
}

const aggregate = "tenant"

func createdEvent(t Tenant) outbox.Event {
	return outbox.Event{Aggregate: aggregate, ID: t.StreamID, Time: t.CreatedAt, Message: &accountsv1.TenantCreated{
		TenantId: t.ID, DisplayName: t.DisplayName, Region: t.Region, Language: t.Language, TimeZone: t.TimeZone,
		Currency: t.Currency, CreatedAt: timestamppb.New(t.CreatedAt),
	}}
}

func changedEvent(t Tenant, fields []string) outbox.Event {
	states := map[State]accountsv1.TenantState{
		Active: accountsv1.TenantState_TENANT_STATE_ACTIVE, Suspended: accountsv1.TenantState_TENANT_STATE_SUSPENDED,
	}
	return outbox.Event{Aggregate: aggregate, ID: t.StreamID, Time: t.ChangedAt, Message: &accountsv1.TenantChanged{
		TenantId: t.ID, ChangedFields: fields, DisplayName: t.DisplayName, Region: t.Region, Language: t.Language,
		TimeZone: t.TimeZone, Currency: t.Currency, State: states[t.State], ChangedAt: timestamppb.New(t.ChangedAt),
	}}
}
