package customer

import (
	"context"
	"fmt"
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
	referencev1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/reference/v1"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/identity"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/tenant"
)

// Customers is what can be done with customers.
type Customers struct {
	db     *pg.DB
	outbox *outbox.Outbox
	clock  func() time.Time
}

// New makes the capability.
func New(db *pg.DB, o *outbox.Outbox, clock func() time.Time) *Customers {
	return &Customers{db: db, outbox: o, clock: clock}
}

// Given is an identity as the caller gave it.
type Given struct{ Type, Value string }

// Registration is a customer as the caller gave it.
type Registration struct {
	Names
	Kind       Kind
	Source     string
	Identities []Given
}

// Register makes a customer: two round trips, one for the tenant, one for all that is written. An exclusive identity
// that another customer has is a Conflict, identity_taken, which names that customer.
func (c *Customers) Register(ctx context.Context, in Registration) (Customer, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Customer{}, err
	}
	var made Customer
	result, err := c.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		t, err := tenant.ForWrite(ctx, tx)
		if err != nil {
			return pg.Result{}, err
		}
		draft, faults := in.normalise(t.Region)
		var more []problem.Field
		made, more = Register(id, draft, c.now())
		if faults = append(faults, more...); len(faults) > 0 {
			return pg.Result{}, invalid(faults)
		}
		Insert(tx, made)
		err = c.outbox.Append(ctx, tx, RegisteredEvent(made))
		return pg.Result{ID: made.ID, Status: http.StatusCreated}, err
	})
	return c.answer(ctx, made, result, err)
}

// Patch is a change of names; a nil one stays as it is.
type Patch struct {
	Display, Given, Family, Legal *string
}

// Rename changes a customer's names, if the customer still is as the caller saw it: fresh is asked with the version.
func (c *Customers) Rename(ctx context.Context, id uuid.UUID, p Patch, fresh func(version int64) error) (Customer, error) {
	return c.alter(ctx, id, func(was Customer, _ tenant.Tenant) (Customer, []string, error) {
		if err := fresh(was.Version); err != nil {
			return was, nil, err
		}
		now, changed, faults := was.Rename(was.Names.patched(p), c.now())
		if len(faults) > 0 {
			return was, nil, invalid(faults)
		}
		return now, changed, nil
	})
}

// Identify adds an identity to a customer; one that the customer has already changes nothing.
func (c *Customers) Identify(ctx context.Context, id uuid.UUID, given Given) (Customer, error) {
	return c.alter(ctx, id, func(was Customer, t tenant.Tenant) (Customer, []string, error) {
		i, fault := identity.Normalise(given.Type, given.Value, t.Region)
		if fault != nil {
			return was, nil, invalid([]problem.Field{{Location: fault.Field, Code: fault.Code, Message: fault.Message}})
		}
		now, added := was.Identify(i, c.now())
		switch {
		case !added:
			return was, nil, nil
		case len(now.Identities) > MaxIdentities:
			return was, nil, invalid([]problem.Field{tooManyIdentities})
		}
		return now, []string{"identities"}, nil
	})
}

// alter locks the customer, applies the rule, and saves and tells what the rule changed: three round trips.
func (c *Customers) alter(ctx context.Context, id uuid.UUID,
	rule func(was Customer, t tenant.Tenant) (now Customer, changed []string, err error),
) (Customer, error) {
	var now Customer
	result, err := c.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		lock(tx, id)
		was, err := get(ctx, tx, id)
		if err != nil {
			return pg.Result{}, err
		}
		t, err := tenant.ForWrite(ctx, tx)
		if err != nil {
			return pg.Result{}, err
		}
		var changed []string
		if now, changed, err = rule(was, t); err != nil {
			return pg.Result{}, err
		}
		err = Save(ctx, tx, c.outbox, Changed{was, now, changed})
		return pg.Result{ID: now.ID, Status: http.StatusOK}, err
	})
	return c.answer(ctx, now, result, err)
}

// Changed is a customer before and after a change, and the names of the fields that differ.
type Changed struct {
	Was, Now Customer
	Fields   []string
}

// Save queues changed customers, their new identities and their events; those without a changed field are left out. The
// customers are locked.
func Save(ctx context.Context, tx *pg.Tx, o *outbox.Outbox, changes ...Changed) error {
	var (
		customers []Customer
		added     []holding
		events    []outbox.Event
	)
	for _, ch := range changes {
		if len(ch.Fields) == 0 {
			continue
		}
		customers = append(customers, ch.Now)
		for _, i := range ch.Now.Identities[len(ch.Was.Identities):] {
			added = append(added, holding{ch.Now.ID, i})
		}
		events = append(events, changedEvent(ch.Now, ch.Fields))
	}
	if len(customers) == 0 {
		return nil
	}
	Update(tx, customers...)
	insertIdentities(tx, added)
	return o.Append(ctx, tx, events...)
}

// answer gives the customer of a command that succeeded, read anew when the command was a repetition, and explains the
// failure of one that met another customer's identity.
func (c *Customers) answer(ctx context.Context, made Customer, result pg.Result, err error) (Customer, error) {
	if name, _ := pg.Constraint(err); name == exclusiveIndex {
		return Customer{}, c.taken(ctx, made, err)
	}
	if err == nil && result.Replayed {
		httpx.MarkReplayed(ctx)
		return c.Get(ctx, result.ID)
	}
	return made, err
}

// taken names who has the exclusive identities that made cannot have.
func (c *Customers) taken(ctx context.Context, made Customer, cause error) error {
	p := problem.New(problem.Conflict, "identity_taken",
		"A card or external id given here belongs to another customer. Change that customer, or leave the identity out.").Because(cause)
	err := c.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		for _, i := range made.Identities {
			if !i.exclusive() {
				continue
			}
			found, err := lookup(ctx, tx, i.Identity, 1)
			if err != nil {
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

// normalise gives the draft of a registration and names the identities that have no form.
func (r Registration) normalise(region string) (Draft, []problem.Field) {
	var faults []problem.Field
	d := Draft{Names: r.Names, Kind: r.Kind, Source: r.Source}
	for n, given := range r.Identities {
		i, fault := identity.Normalise(given.Type, given.Value, region)
		if fault != nil {
			faults = append(faults, problem.Field{
				Location: fmt.Sprintf("identities[%d].%s", n, fault.Field), Code: fault.Code, Message: fault.Message,
			})
			continue
		}
		d.Identities = append(d.Identities, i)
	}
	return d, faults
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

const aggregate = "customer"

// RegisteredEvent tells of a new customer, without any personal data.
func RegisteredEvent(c Customer) outbox.Event {
	kinds := map[Kind]accountsv1.CustomerKind{
		Person: accountsv1.CustomerKind_CUSTOMER_KIND_PERSON, Organisation: accountsv1.CustomerKind_CUSTOMER_KIND_ORGANISATION,
	}
	return outbox.Event{Aggregate: aggregate, ID: c.ID, Time: c.RegisteredAt, Message: &accountsv1.CustomerRegistered{
		CustomerId: c.ID.String(), Kind: kinds[c.Kind], Source: c.Source, ExternalRefs: refs(c),
		RegisteredAt: timestamppb.New(c.RegisteredAt),
	}}
}

func changedEvent(c Customer, fields []string) outbox.Event {
	return outbox.Event{Aggregate: aggregate, ID: c.ID, Time: c.ChangedAt, Message: &accountsv1.CustomerChanged{
		CustomerId: c.ID.String(), ChangedFields: fields, ExternalRefs: refs(c), ChangedAt: timestamppb.New(c.ChangedAt),
	}}
}

func refs(c Customer) []*referencev1.ExternalRef {
	var out []*referencev1.ExternalRef
	for _, i := range c.External() {
		system, _ := i.Type.System()
		out = append(out, &referencev1.ExternalRef{System: system, Id: i.Value})
	}
	return out
}
