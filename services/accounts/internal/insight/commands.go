package insight

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/access"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customer"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/tenant"
)

// Insights is what can be done with insights.
type Insights struct {
	db    *pg.DB
	looks *access.Log
	clock func() time.Time
}

// New makes the capability. What is shown of sensitive data is written to looks.
func New(db *pg.DB, looks *access.Log, clock func() time.Time) *Insights {
	return &Insights{db: db, looks: looks, clock: clock}
}

var (
	errNotFound = problem.New(problem.NotFound, "insight_not_found", "Nothing of this name is said of the customer.")
	errNewer    = problem.New(problem.Conflict, "insight_newer", "What is known of this name was computed later. It stays as it is.")
	errTooMany  = problem.New(problem.Conflict, "insights_too_many", "A customer has at most 100 insights. Take one away first.")
)

// Put says something of a customer, in the place of what was said under the name before. number tells whether a number was
// given. What was computed before the one that is known is a Conflict, insight_newer.
func (in *Insights) Put(ctx context.Context, i Insight, number bool) (Insight, error) {
	i, faults := State(i, number, in.clock())
	if len(faults) > 0 {
		return Insight{}, invalid(faults)
	}
	if who, ok := auth.From(ctx); ok {
		i.StatedBy = who.Subject
	}
	_, err := in.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		if err := hold(ctx, tx, i); err != nil {
			return pg.Result{}, err
		}
		if _, err := tenant.ForWrite(ctx, tx); err != nil {
			return pg.Result{}, err
		}
		n, err := count(ctx, tx, i.Customer, i.Name)
		if err != nil {
			return pg.Result{}, err
		}
		if n >= maxForOne {
			return pg.Result{}, errTooMany
		}
		written, err := put(ctx, tx, i)
		if err == nil && !written {
			err = errNewer
		}
		return pg.Result{ID: i.Customer, Status: http.StatusOK}, err
	})
	return i, err
}

// hold keeps the customer, and whoever the insight draws on, from being merged or erased meanwhile.
func hold(ctx context.Context, tx *pg.Tx, i Insight) error {
	of, err := customer.Hold(ctx, tx, i.Customer)
	if err != nil || i.About == uuid.Nil {
		return err
	}
	if of.Is(i.About) {
		return invalid([]problem.Field{{Location: "about_customer_id", Code: "same_customer",
			Message: "must be another customer; leave it out where the data is the customer's own"}})
	}
	if _, err = customer.Hold(ctx, tx, i.About); problem.CallersFault(err) {
		return invalid([]problem.Field{{Location: "about_customer_id", Code: problem.From(err).Code, Message: "must be a customer who is known"}})
	}
	return err
}

// Remove takes away what is said of a customer under a name, whoever may see it. Nothing of that name is
// NotFound.
func (in *Insights) Remove(ctx context.Context, id uuid.UUID, name string) error {
	_, err := in.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		ref, err := customer.Hold(ctx, tx, id)
		if err != nil {
			return pg.Result{}, err
		}
		if _, err := tenant.ForWrite(ctx, tx); err != nil {
			return pg.Result{}, err
		}
		there, err := remove(ctx, tx, ref.Group(), name)
		if err == nil && !there {
			err = errNotFound
		}
		return pg.Result{ID: ref.Root, Status: http.StatusNoContent}, err
	})
	return err
}

func invalid(faults []problem.Field) error {
	return problem.InvalidBody("insight_invalid", "The insight was not accepted: mend the fields named here.", faults)
}
