package churn

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	analyticsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/analytics/events/v1"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/portrait"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/run"
)

// What a run says of a customer.
const (
	Scored  = "scored"
	Left    = "gone"    // by the definition already
	Unknown = "unknown" // never was a customer by the definition
)

// Progress is a run that scores everybody by the model in use, and how far it is.
type Progress struct {
	run.Run
	Model   uuid.UUID // Nil: it has not begun
	Scored  int64     // customers with a risk
	Changed int64     // portraits whose risk changed
	Gone    int64
	Raised  int64 // events

	after uuid.UUID
}

// customerAggregate is the type of customers in events.
const customerAggregate = "customer"

// Daily asks for the run of the day of each tenant with a model in use.
func (c *Churn) Daily(ctx context.Context) error {
	today := run.Today(c.clock)
	tenants, err := c.ops.Across(ctx, `SELECT k.tenant_id, k.in_use FROM model_kind k WHERE k.kind = $1 AND k.in_use IS NOT NULL AND NOT EXISTS (
		SELECT FROM analytics_run r WHERE r.tenant_id = k.tenant_id AND r.kind = $1 AND r.cause = 'daily' AND r.as_of = $2)`, Kind, today)
	for _, one := range tenants {
		err = errors.Join(err, c.db.Tx(ctx, one.Tenant, func(tx *pg.Tx) error {
			_, _, err := c.runs.Daily(ctx, tx, Kind, today)
			return err
		}))
	}
	return err
}

// Background works off what waits. It is called by a loop of every worker.
func (c *Churn) Background(ctx context.Context) error { return c.runs.Work(ctx, Kind, c.step) }

// step scores the next customers of a run in one transaction.
func (c *Churn) step(ctx context.Context, tx *pg.Tx, of run.Run) (done bool, err error) {
	m, k, ok, err := load(ctx, tx)
	if err != nil || !ok {
		return true, err
	}
	r, err := progressOf(ctx, tx, of, m.ID)
	if err != nil {
		return false, err
	}
	now := c.now()
	set, err := settings(ctx, tx)
	if err != nil {
		return false, err
	}
	ids, was, err := following(ctx, tx, r.after, chunk)
	if err != nil {
		return false, err
	}
	after, last := r.after, uuid.Max
	if done = len(ids) < chunk; !done {
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
	r.after = last
	queueProgress(tx, r)
	return done, nil
}

// score reckons what the model says of customers.
func (c *Churn) score(ctx context.Context, tx *pg.Tx, k kept, set Settings, r Progress, ids []uuid.UUID, was map[uuid.UUID]*Watch) ([]risk, error) {
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
