package customer

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/access"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/field"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/identity"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/tenant"
)

// Customers is what can be done with customers.
type Customers struct {
	db     *pg.DB
	outbox *outbox.Outbox
	looks  *access.Log
	clock  func() time.Time
	guard  Guard
}

// New makes the capability; looks at sensitive fields are written to the log.
func New(db *pg.DB, o *outbox.Outbox, looks *access.Log, clock func() time.Time) *Customers {
	return &Customers{db: db, outbox: o, looks: looks, clock: clock}
}

// Guard is asked before a customer is registered, with the customer as it is about to be; an error of its own keeps it
// from being registered.
type Guard func(ctx context.Context, tx *pg.Tx, c Customer) error

// GuardedBy has registrations that do not allow duplicates checked by g. It is called before the routes are served.
func (c *Customers) GuardedBy(g Guard) { c.guard = g }

// Given is an identity as the caller gave it.
type Given struct {
	Type, Value string
	ValidFrom   time.Time // zero: since it was added
	Verified    bool      // it was shown to be the customer's
}

// Registration is a customer as the caller gave it.
type Registration struct {
	Names
	Kind           Kind
	Source         string
	Identities     []Given
	Tags           []string
	Owner          string
	Custom         map[string]json.RawMessage
	Addresses      []Place
	AllowDuplicate bool // it is known that somebody alike may be there
}

// Register makes a customer: two round trips, one for the tenant and the definitions of its custom fields, as far as they
// are needed, and one for all that is written. An exclusive identity that another customer has is a Conflict,
// identity_taken, which names that customer.
func (c *Customers) Register(ctx context.Context, in Registration) (Customer, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Customer{}, err
	}
	var made Customer
	result, err := c.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		var fields field.Set
		if len(in.Custom) > 0 {
			fields = field.Queue(tx)
		}
		t, err := tenant.ForWrite(ctx, tx)
		if err != nil {
			return pg.Result{}, err
		}
		draft, faults, err := in.normalise(t.Region, fields, c.now())
		if err != nil {
			return pg.Result{}, err
		}
		var more []problem.Field
		made, more = Register(id, draft, c.now())
		if faults = append(faults, more...); len(faults) > 0 {
			return pg.Result{}, invalid(faults)
		}
		if c.guard != nil && !in.AllowDuplicate {
			if err := c.guard(ctx, tx, made); err != nil {
				return pg.Result{}, err
			}
		}
		fields.Use(tx, made.Custom)
		Insert(tx, made)
		err = c.outbox.Append(ctx, tx, RegisteredEvent(made))
		return pg.Result{ID: made.ID, Status: http.StatusCreated}, err
	})
	return c.answer(ctx, made, result, err)
}

// Patch is a change of details; what is nil stays as it is.
type Patch struct {
	Display, Given, Family, Legal *string
	Kind                          *Kind
	Tags                          *[]string
	Owner                         *string
	Custom                        map[string]json.RawMessage // null takes a value away
}

// Change changes a customer's details, if the customer still is as the caller saw it: fresh is asked with the version.
func (c *Customers) Change(ctx context.Context, id uuid.UUID, p Patch, fresh func(version int64) error) (Customer, error) {
	var fields field.Set
	return c.alter(ctx, id, alteration{
		queue: func(tx *pg.Tx) {
			if len(p.Custom) > 0 {
				fields = field.Queue(tx)
			}
		},
		rule: func(tx *pg.Tx, was Customer, _ tenant.Tenant) (Changed, error) {
			if err := fresh(was.Version); err != nil {
				return Changed{}, err
			}
			values, removed, faults := fields.Values(customFields, p.Custom)
			now, changed, more := was.Change(was.Details().patched(p).withCustom(values, removed, fields), c.now())
			if faults = append(faults, more...); len(faults) > 0 {
				return Changed{}, invalid(faults)
			}
			fields.Use(tx, values)
			return Changed{Was: was, Now: now, Fields: changed}, nil
		},
	})
}

// customFields is what custom fields are called in requests and events.
const customFields = "custom_fields"

// patched gives the details with those of the patch, but for custom fields.
func (d Details) patched(p Patch) Details {
	d.Names = d.Names.patched(p)
	if p.Kind != nil {
		d.Kind = *p.Kind
	}
	if p.Tags != nil {
		d.Tags = *p.Tags
	}
	if p.Owner != nil {
		d.Owner = *p.Owner
	}
	return d
}

// Archive takes a customer out of the way, or back: nothing else can be changed of one who is archived.
func (c *Customers) Archive(ctx context.Context, id uuid.UUID, archived bool) (Customer, error) {
	to := Active
	if archived {
		to = Archived
	}
	return c.alter(ctx, id, alteration{ofArchived: true, rule: func(_ *pg.Tx, was Customer, _ tenant.Tenant) (Changed, error) {
		now, changed := was.To(to, c.now())
		return changedIf(changed, was, now, "state"), nil
	}})
}

// Identify adds an identity to a customer; of one that the customer has already it only takes note that it is verified.
func (c *Customers) Identify(ctx context.Context, id uuid.UUID, given Given) (Customer, error) {
	return c.alter(ctx, id, alteration{rule: func(_ *pg.Tx, was Customer, t tenant.Tenant) (Changed, error) {
		i, v, faults := given.normalise(t.Region, c.now())
		if len(faults) > 0 {
			return Changed{}, invalid(faults)
		}
		now, added := was.identify(i, v, c.now())
		if !added && given.Verified && !was.verified(i) {
			var err error
			if now, added, err = was.Verify(i, c.now(), c.now()); err != nil {
				return Changed{}, err
			}
		}
		if added && len(now.Identities) > MaxIdentities && len(now.Identities) > len(was.Identities) {
			return Changed{}, invalid([]problem.Field{tooManyIdentities})
		}
		return changedIf(added, was, now, "identities"), nil
	}})
}

// VerifyIdentity takes note that an identity was shown to be the customer's, at a time or now (zero).
func (c *Customers) VerifyIdentity(ctx context.Context, id uuid.UUID, given Given, at time.Time) (Customer, error) {
	return c.alterIdentity(ctx, id, given, at, Customer.Verify)
}

// EndIdentity takes note that an identity is the customer's no longer, since a time or now (zero). Another customer can
// have it then.
func (c *Customers) EndIdentity(ctx context.Context, id uuid.UUID, given Given, at time.Time) (Customer, error) {
	return c.alterIdentity(ctx, id, given, at, Customer.End)
}

func (c *Customers) alterIdentity(ctx context.Context, id uuid.UUID, given Given, at time.Time,
	rule func(was Customer, i identity.Identity, when, at time.Time) (Customer, bool, error),
) (Customer, error) {
	return c.alter(ctx, id, alteration{rule: func(_ *pg.Tx, was Customer, t tenant.Tenant) (Changed, error) {
		i, fault := identity.Normalise(given.Type, given.Value, t.Region)
		if fault != nil {
			return Changed{}, invalid([]problem.Field{{Location: fault.Field, Code: fault.Code, Message: fault.Message}})
		}
		when := c.now()
		if at.After(when) {
			return Changed{}, invalid([]problem.Field{inFuture("at")})
		}
		if !at.IsZero() {
			when = at.UTC().Truncate(time.Microsecond)
		}
		now, changed, err := rule(was, i, when, c.now())
		return changedIf(changed, was, now, "identities"), err
	}})
}

// AddAddress adds an address to a customer.
func (c *Customers) AddAddress(ctx context.Context, id uuid.UUID, p Place) (Customer, error) {
	address, err := uuid.NewV7()
	if err != nil {
		return Customer{}, err
	}
	return c.alter(ctx, id, alteration{rule: func(_ *pg.Tx, was Customer, t tenant.Tenant) (Changed, error) {
		place, faults := p.Normalise(t.Region)
		if len(was.Addresses) >= MaxAddresses {
			faults = append(faults, tooManyAddresses)
		}
		if len(faults) > 0 {
			return Changed{}, invalid(faults)
		}
		return changedIf(true, was, was.AddAddress(address, place, c.now()), "addresses"), nil
	}})
}

// ChangeAddress changes one of a customer's addresses: patch gives it as it is wanted from what it is.
func (c *Customers) ChangeAddress(ctx context.Context, id, address uuid.UUID, patch func(Place) Place, fresh func(version int64) error) (Customer, error) {
	return c.alter(ctx, id, alteration{rule: func(_ *pg.Tx, was Customer, t tenant.Tenant) (Changed, error) {
		if err := fresh(was.Version); err != nil {
			return Changed{}, err
		}
		a, err := was.address(address)
		if err != nil {
			return Changed{}, err
		}
		place, faults := patch(a.Place).Normalise(t.Region)
		if len(faults) > 0 {
			return Changed{}, invalid(faults)
		}
		now, changed, err := was.ChangeAddress(address, place, c.now())
		return changedIf(changed, was, now, "addresses"), err
	}})
}

// RemoveAddress takes an address away from a customer.
func (c *Customers) RemoveAddress(ctx context.Context, id, address uuid.UUID) (Customer, error) {
	return c.alter(ctx, id, alteration{rule: func(_ *pg.Tx, was Customer, _ tenant.Tenant) (Changed, error) {
		now, err := was.RemoveAddress(address, c.now())
		return changedIf(true, was, now, "addresses"), err
	}})
}

// SetStage puts a customer into a stage, on behalf of the caller. Until a time, where there is one, it changes by nothing
// but this.
func (c *Customers) SetStage(ctx context.Context, id uuid.UUID, to Stage, reason string, manualUntil time.Time) (Customer, error) {
	caller, _ := auth.From(ctx)
	return c.alter(ctx, id, alteration{rule: func(_ *pg.Tx, was Customer, _ tenant.Tenant) (Changed, error) {
		manualUntil = manualUntil.UTC().Truncate(time.Microsecond)
		if faults := checkMove(to, reason, manualUntil, c.now()); len(faults) > 0 {
			return Changed{}, invalid(faults)
		}
		now, move, changed := was.MoveTo(to, reason, caller.Subject, manualUntil, c.now())
		if !changed {
			return Changed{Was: was, Now: was}, nil
		}
		return Changed{Was: was, Now: now, Move: &move}, nil
	}})
}

// alteration is what one command does to a customer.
type alteration struct {
	ofArchived bool            // it may be done to one who is archived
	queue      func(tx *pg.Tx) // what is to be read besides; may be nil
	rule       func(tx *pg.Tx, was Customer, t tenant.Tenant) (Changed, error)
}

// alter locks the customer, applies the rule, and saves and tells what it changed: three round trips.
func (c *Customers) alter(ctx context.Context, id uuid.UUID, a alteration) (Customer, error) {
	var now Customer
	result, err := c.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		refs, err := Lock(ctx, tx, id)
		if err != nil {
			return pg.Result{}, err
		}
		if _, err = living(refs, id, nil); err != nil {
			return pg.Result{}, err
		}
		was := queueGet(tx, id)
		if a.queue != nil {
			a.queue(tx)
		}
		t, err := tenant.ForWrite(ctx, tx)
		if err != nil {
			return pg.Result{}, err
		}
		if was.State == Archived && !a.ofArchived {
			return pg.Result{}, errArchived
		}
		change, err := a.rule(tx, *was, t)
		if err != nil {
			return pg.Result{}, err
		}
		now = change.Now
		return pg.Result{ID: id, Status: http.StatusOK}, Save(ctx, tx, c.outbox, change)
	})
	return c.answer(ctx, now, result, err)
}

// answer gives the customer of a command that succeeded, read anew when the command was a repetition, and explains the
// failure of one that met another customer's identity.
func (c *Customers) answer(ctx context.Context, made Customer, result pg.Result, err error) (Customer, error) {
	if name, _ := pg.Constraint(err); name == exclusiveIndex {
		return Customer{}, c.taken(ctx, made, err)
	}
	if err == nil && result.Replayed {
		httpx.MarkReplayed(ctx)
		return c.Get(ctx, access.Sight{}, result.ID)
	}
	return made, err
}

// taken names who has the exclusive identities that made cannot have.
func (c *Customers) taken(ctx context.Context, made Customer, cause error) error {
	p := problem.New(problem.Conflict, "identity_taken",
		"An identity given here is one customer's only, and belongs to another. Change that customer, or leave the identity out.").Because(cause)
	err := c.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		for _, i := range made.Identities {
			if !i.exclusive() || !i.Valid() {
				continue
			}
			var found []Found
			queueLookup(tx, i.Identity, false, 1, &found)
			if err := tx.Flush(ctx); err != nil {
				return err
			}
			for _, other := range found {
				if other.ID != made.ID {
					p = p.WithField("body.identities", "identity_taken", fmt.Sprintf("the %s belongs to customer %s", i.Type, other.ID))
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return p
}

// now is cut to what the database keeps, so that an answer reads the same at once and later.
func (c *Customers) now() time.Time { return c.clock().UTC().Truncate(time.Microsecond) }

// normalise gives the draft of a registration and names what has no form.
func (r Registration) normalise(region string, fields field.Set, at time.Time) (Draft, []problem.Field, error) {
	var faults []problem.Field
	d := Draft{
		Names: r.Names, Kind: r.Kind, Source: r.Source, Tags: r.Tags, Owner: r.Owner,
		Validity: make(map[identity.Identity]Validity), Custom: make(map[string]any),
	}
	for n, given := range r.Identities {
		i, v, wrong := given.normalise(region, at)
		for _, f := range wrong {
			f.Location = fmt.Sprintf("identities[%d].%s", n, f.Location)
			faults = append(faults, f)
		}
		if len(wrong) == 0 {
			d.Identities = append(d.Identities, i)
			d.Validity[i] = v
		}
	}
	for n, p := range r.Addresses {
		id, err := uuid.NewV7()
		if err != nil {
			return d, nil, err
		}
		place, wrong := p.Normalise(region)
		for _, f := range wrong {
			f.Location = fmt.Sprintf("addresses[%d].%s", n, f.Location)
			faults = append(faults, f)
		}
		d.Addresses = append(d.Addresses, Address{Place: place, ID: id})
	}
	values, _, wrong := fields.Values(customFields, r.Custom)
	custom := Details{}.withCustom(values, nil, fields)
	d.Custom, d.Classes = custom.Custom, custom.Classes
	return d, append(faults, wrong...), nil
}

// normalise brings an identity to its one form, and what is known of it besides.
func (g Given) normalise(region string, at time.Time) (identity.Identity, Validity, []problem.Field) {
	var faults []problem.Field
	i, fault := identity.Normalise(g.Type, g.Value, region)
	if fault != nil {
		faults = append(faults, problem.Field{Location: fault.Field, Code: fault.Code, Message: fault.Message})
	}
	v := Validity{}
	if g.Verified {
		v.VerifiedAt = at
	}
	if !g.ValidFrom.IsZero() {
		v.ValidFrom = g.ValidFrom.UTC().Truncate(time.Microsecond)
	}
	if v.ValidFrom.After(at) {
		faults = append(faults, inFuture("valid_from"))
	}
	return i, v, faults
}

func inFuture(location string) problem.Field {
	return problem.Field{Location: location, Code: "time_unfit", Message: "must not be in the future"}
}

// patched gives the names with those of the patch. A display name that was only made of the others is made anew when
// they change.
func (n Names) patched(p Patch) Names {
	made := n.Display == n.called()
	for field, value := range map[*string]*string{&n.Display: p.Display, &n.Given: p.Given, &n.Family: p.Family, &n.Legal: p.Legal} {
		if value != nil {
			*field = *value
		}
	}
	if made && p.Display == nil {
		n.Display = ""
	}
	return n
}

func invalid(faults []problem.Field) error {
	return problem.InvalidBody("customer_invalid", "The customer was not accepted: mend the fields named here.", faults)
}
