package conversion

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/flow/starts"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/peer"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/sales/internal/lead"
	"github.com/guanxi-crm/guanxi/services/sales/internal/opportunity"
)

// Conversions is what can be done with conversions.
type Conversions struct {
	db            *pg.DB
	outbox        *outbox.Outbox
	leads         *lead.Leads
	opportunities *opportunity.Opportunities
	accounts      accounts
	starter       *starts.Starter
	service       string // and task queue
	clock         func() time.Time
}

// New makes the capability.
func New(db *pg.DB, o *outbox.Outbox, leads *lead.Leads, opportunities *opportunity.Opportunities, peers *peer.Client, starter *starts.Starter, service string,
	clock func() time.Time,
) *Conversions {
	return &Conversions{db: db, outbox: o, leads: leads, opportunities: opportunities, accounts: accounts{peers}, starter: starter, service: service, clock: clock}
}

func (c *Conversions) now() time.Time { return instant(c.clock()) }

// Convert begins to make a lead a customer with an opportunity. A lead that is being converted or was converted already gives that
// conversion, whoever asked for it and for whatever: a lead becomes one customer.
func (c *Conversions) Convert(ctx context.Context, leadID uuid.UUID, w Wish) (Conversion, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Conversion{}, err
	}
	caller, _ := auth.From(ctx)
	result, err := c.db.Command(ctx, caller.Tenant, func(tx *pg.Tx) (pg.Result, error) {
		// The lead's row is where two who convert it at once meet.
		l, err := lead.Lock(ctx, tx, leadID)
		if err != nil {
			return pg.Result{}, err
		}
		was, err := latest(ctx, tx, leadID)
		switch {
		case err == nil && (was.State == Running || was.State == Converted || was.State == Undoing):
			return pg.Result{ID: was.ID, Status: http.StatusAccepted}, nil
		case err != nil && problem.KindOf(err) != problem.NotFound:
			return pg.Result{}, err
		}
		made, err := Request(id, l, w, caller.Subject, c.now())
		if err != nil {
			return pg.Result{}, err
		}
		for _, customer := range []uuid.UUID{w.CustomerID, w.ContactID} {
			if customer != uuid.Nil {
				erasure.Refuse(tx, customer)
			}
		}
		if err := insert(tx, made); err != nil {
			return pg.Result{}, err
		}
		return pg.Result{ID: id, Status: http.StatusAccepted}, c.starter.Queue(ctx, tx, c.start(tx.Tenant(), id))
	})
	return c.told(ctx, result, err)
}

// Undo begins to take the last conversion of a lead back. That nothing followed is judged when it is done: what did is its Refusal.
func (c *Conversions) Undo(ctx context.Context, leadID uuid.UUID) (Conversion, error) {
	caller, _ := auth.From(ctx)
	result, err := c.db.Command(ctx, caller.Tenant, func(tx *pg.Tx) (pg.Result, error) {
		if _, err := lead.Lock(ctx, tx, leadID); err != nil {
			return pg.Result{}, err
		}
		found, err := latest(ctx, tx, leadID)
		if err != nil {
			return pg.Result{}, err
		}
		was, err := lock(ctx, tx, found.ID)
		if err != nil {
			return pg.Result{}, err
		}
		now, err := was.Undo(caller.Subject, c.now())
		if err != nil || now.Version == was.Version {
			return pg.Result{ID: was.ID, Status: http.StatusAccepted}, err
		}
		if err := save(tx, now); err != nil {
			return pg.Result{}, err
		}
		return pg.Result{ID: was.ID, Status: http.StatusAccepted}, c.starter.Queue(ctx, tx, c.startUndo(tx.Tenant(), was.ID))
	})
	return c.told(ctx, result, err)
}

// Identify notes whom a lead is known to be; Nil: nobody that we know of. The customer is asked for at accounts first.
func (c *Conversions) Identify(ctx context.Context, leadID, customerID uuid.UUID) error {
	if customerID != uuid.Nil {
		found, err := c.accounts.get(ctx, customerID)
		if err != nil {
			return err
		}
		customerID = found.CustomerID
	}
	_, err := c.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		l, err := lead.Lock(ctx, tx, leadID)
		if err != nil {
			return pg.Result{}, err
		}
		if !l.State.Working() || !l.ErasedAt.IsZero() {
			return pg.Result{}, problem.New(problem.Conflict, "lead_state_unfit", "A lead that is %s stays who it is.", l.State)
		}
		if customerID != uuid.Nil {
			erasure.Refuse(tx, customerID)
		}
		lead.SetCustomerIn(tx, l, customerID, l.Candidates, c.now())
		return pg.Result{ID: leadID, Status: http.StatusOK}, nil
	})
	return err
}

// told gives the conversion that a command was about.
func (c *Conversions) told(ctx context.Context, result pg.Result, err error) (Conversion, error) {
	if err != nil {
		return Conversion{}, err
	}
	if result.Replayed {
		httpx.MarkReplayed(ctx)
	}
	return c.get(ctx, result.ID)
}

func (c *Conversions) get(ctx context.Context, id uuid.UUID) (found Conversion, err error) {
	err = c.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		found, err = get(ctx, tx, id)
		return err
	})
	return found, err
}

// Of gives the last conversion of a lead.
func (c *Conversions) Of(ctx context.Context, leadID uuid.UUID) (found Conversion, err error) {
	err = c.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		if _, err := lead.Get(ctx, tx, leadID); err != nil {
			return err
		}
		found, err = latest(ctx, tx, leadID)
		return err
	})
	return found, err
}

// start describes the process of a conversion.
func (c *Conversions) start(tenant string, id uuid.UUID) flow.Start {
	return c.startAs("lead-conversion/"+tenant+"/"+id.String(), id)
}

// startUndo describes the process that undoes it: one of its own, since the first may not have ended quite yet.
func (c *Conversions) startUndo(tenant string, id uuid.UUID) flow.Start {
	return c.startAs("lead-conversion/"+tenant+"/"+id.String()+"/undo", id)
}

func (c *Conversions) startAs(name string, id uuid.UUID) flow.Start {
	return flow.Start{
		ID: name, Queue: c.service, Workflow: WorkflowName, Args: []any{Input{ID: id}},
		Search: flow.Search{Stage: string(Running)}, Again: true,
	}
}

const (
	// sweepLate is how long a step may take before the process is taken for lost.
	sweepLate = 5 * time.Minute
	sweepMost = 500
	process   = "process:lead_conversion"
)

// Sweep has the process started anew of every conversion whose process was ended by hand or lost.
func (c *Conversions) Sweep(ctx context.Context) error {
	var errs []error
	for undo, start := range map[bool]func(string, uuid.UUID) flow.Start{false: c.start, true: c.startUndo} {
		_, err := c.starter.Revive(ctx, process, start, `SELECT tenant_id, id FROM lead_conversion_late($1, $2, $3)`, c.now().Add(-sweepLate), undo, sweepMost)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Erase takes the words out of conversions to the customers.
func Erase(ctx context.Context, tx *pg.Tx, customers []uuid.UUID) ([]erasure.Erased, error) {
	erased, left := eraseWords(tx, customers)
	err := tx.Flush(ctx)
	return []erasure.Erased{{What: "lead_conversion", Count: *erased, Left: *left}}, err
}
