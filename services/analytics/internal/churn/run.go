package churn

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	analyticsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/analytics/events/v1"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/portrait"
)

// States of a run.
const (
	Queued  = "queued"
	Running = "running"
	Done    = "done"
	Failed  = "failed"
)

// What a run says of a customer.
const (
	Scored  = "scored"
	Left    = "gone"    // by the definition already
	Unknown = "unknown" // never was a customer by the definition
)

// lease is how long a run is its worker's after each step: when that dies, another one goes on.
const lease = time.Minute

// Run scores everybody by the model in use.
type Run struct {
	ID         uuid.UUID
	State      string
	Model      uuid.UUID
	AsOf       time.Time // the day at whose end customers are looked at
	Scored     int64     // customers with a risk
	Changed    int64     // portraits whose risk changed
	Gone       int64
	Raised     int64 // events
	AskedBy    string
	AskedAt    time.Time
	FinishedAt time.Time // zero: not yet
	Code       string    // why it failed

	after uuid.UUID
}

// customerAggregate is the type of customers in events.
const customerAggregate = "customer"

// Pass goes on with every run that waits, and begins those of the day. It may be called in any number of processes.
func (c *Churn) Pass(ctx context.Context) error {
	now := c.now()
	due, err := c.ops.Across(ctx, `SELECT tenant_id, id FROM churn_waiting($1, $2)`, now, today(now))
	if err != nil {
		return err
	}
	var failed error
	for _, one := range due {
		if one.ID == uuid.Nil {
			one.ID, err = c.begin(ctx, one.Tenant)
		}
		if err == nil && one.ID != uuid.Nil {
			err = c.work(ctx, one.Tenant, one.ID)
		}
		failed = errors.Join(failed, err)
		err = nil
	}
	return failed
}

// begin begins the run of the day.
func (c *Churn) begin(ctx context.Context, tenant string) (id uuid.UUID, err error) {
	err = c.db.Tx(ctx, tenant, func(tx *pg.Tx) error {
		m, _, ok, err := load(ctx, tx)
		if err != nil || !ok {
			return err
		}
		r := c.run(ctx, m.ID)
		going, err := insertRun(ctx, tx, r)
		if id = r.ID; going {
			id = uuid.Nil
		}
		return err
	})
	return id, err
}

// work takes a run to its end, step by step.
func (c *Churn) work(ctx context.Context, tenant string, id uuid.UUID) error {
	for more := true; more; {
		_, err := c.db.Command(ctx, tenant, func(tx *pg.Tx) (_ pg.Result, err error) {
			more, err = c.step(ctx, tx, id)
			return pg.Result{}, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// step scores the next customers of a run in one transaction.
func (c *Churn) step(ctx context.Context, tx *pg.Tx, id uuid.UUID) (more bool, err error) {
	r, err := findRun(ctx, tx, id, true)
	if problem.KindOf(err) == problem.NotFound {
		return false, nil // somebody else is at it
	}
	if err != nil || r.State != Queued && r.State != Running {
		return false, err
	}
	now := c.now()
	m, k, ok, err := load(ctx, tx)
	if err != nil {
		return false, err
	}
	if !ok || m.ID != r.Model {
		r.State, r.FinishedAt, r.Code = Failed, now, "churn_model_missing"
		queueProgress(tx, r, now)
		return false, nil
	}
	set, err := settings(ctx, tx)
	if err != nil {
		return false, err
	}
	ids, was, err := following(ctx, tx, r.after, chunk)
	if err != nil {
		return false, err
	}
	after, last := r.after, uuid.Max
	if more = len(ids) == chunk; more {
		last = ids[len(ids)-1]
	}
	all, err := c.score(ctx, tx, k, set, r, ids, was)
	if err != nil {
		return false, err
	}
	if err := c.tell(ctx, tx, all, was, m.Version, now); err != nil {
		return false, err
	}
	if err := queueRisks(tx, all, after, last, r, m.Version, now, func(n int64) { r.Changed += n }); err != nil {
		return false, err
	}
	if err := tx.Flush(ctx); err != nil {
		return false, err
	}
	for _, one := range all {
		switch one.state {
		case Scored:
			r.Scored++
		case Left:
			r.Gone++
		}
		if one.raised {
			r.Raised++
		}
	}
	r.State, r.after = Running, last
	if !more {
		r.State, r.FinishedAt = Done, now
	}
	queueProgress(tx, r, now.Add(lease))
	return more, nil
}

// score reckons what the model says of customers.
func (c *Churn) score(ctx context.Context, tx *pg.Tx, k kept, set Settings, r Run, ids []uuid.UUID, was map[uuid.UUID]*Watch) ([]risk, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	currency, err := portrait.Currency(ctx, tx)
	if err != nil {
		return nil, err
	}
	ids, all, err := featuresOf(ctx, tx, ids, r.AsOf, currency)
	if err != nil {
		return nil, err
	}
	day := dayNumber(r.AsOf)
	var there []int
	risks := make([]risk, len(ids))
	for i := range all {
		risks[i] = risk{id: ids[i], state: Left, is: Watch{Model: r.Model}}
		switch {
		case k.Definition.There(all[i].History, day):
			risks[i].state = Scored
			there = append(there, i)
		case len(all[i].Purchases) == 0:
			risks[i].state = Unknown
		}
	}
	for i, p := range k.Trained.Predict(table(k.Definition, ids, all, day), there) {
		one := &risks[there[i]]
		one.reasons = p.Reasons
		one.is, one.raised = set.Raise(was[one.id], r.Model, p.Permille())
	}
	return risks, nil
}

// tell publishes the risks that passed the threshold or jumped.
func (c *Churn) tell(ctx context.Context, tx *pg.Tx, all []risk, was map[uuid.UUID]*Watch, version int64, now time.Time) error {
	var events []outbox.Event
	for _, one := range all {
		if !one.raised {
			continue
		}
		from := 0
		if w := was[one.id]; w != nil {
			from = w.Permille
		}
		events = append(events, outbox.Event{Aggregate: customerAggregate, ID: one.id, Time: now, Message: &analyticsv1.ChurnRiskRaised{
			CustomerId: one.id.String(), RiskPermille: int32(one.is.Permille), FromPermille: int32(from), ModelVersion: Kind + "-" + strconv.FormatInt(version, 10),
			Reasons: Prediction{Reasons: one.reasons}.Codes(), AsOf: timestamppb.New(now),
		}})
	}
	return c.outbox.Append(ctx, tx, events...)
}

// Run gives a run of the caller's tenant.
func (c *Churn) Run(ctx context.Context, id uuid.UUID) (r Run, err error) {
	err = c.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		r, err = findRun(ctx, tx, id, false)
		return err
	})
	return r, err
}
