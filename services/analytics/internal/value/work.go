package value

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	analyticsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/analytics/events/v1"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/model"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/portrait"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/run"
)

// Kind is that of the runs that give customers their values.
const Kind = "value"

// chunk is how many customers one transaction of a run reckons.
const chunk = 2000

// Daily asks for the run of the day of every tenant.
func (v *Values) Daily(ctx context.Context) error {
	return v.runs.EachDay(ctx, Kind, func(ctx context.Context, tx *pg.Tx, _ run.Run) (bool, error) {
		currency, err := portrait.Currency(ctx, tx)
		return currency != "", err // without one nothing was bought yet
	})
}

// Background works off what waits. It is called by a loop of every worker.
func (v *Values) Background(ctx context.Context) error { return v.runs.Work(ctx, Kind, v.step) }

// used has a model that comes into use applied to all customers. Of a table nobody knows the unit of time, or the currency.
func (v *Values) used(ctx context.Context, tx *pg.Tx, m model.Model) error {
	if m.Source != model.FromFacts {
		return problem.New(problem.Conflict, "model_of_table", "The model was fitted to a table, whose unit of time and currency are not those of the facts. Fit one to facts, and put that to use.")
	}
	return v.again(ctx, tx, v.today())
}

// again has all customers valued anew, by a run that is open or a new one.
func (v *Values) again(ctx context.Context, tx *pg.Tx, asOf time.Time) error {
	_, err := v.runs.Ask(ctx, tx, Kind, asOf)
	if p := new(problem.Error); errors.As(err, &p) && p.Code == "run_open" {
		return nil // with its next step it begins anew, by what is in use and set now
	}
	return err
}

// progress is how far a run is.
type progress struct {
	run      uuid.UUID
	currency string
	begun    bool
	after    uuid.UUID
	pinned
	settings int64
	tally
}

// tally is what a run adds up.
type tally struct {
	customers, buyers, predicted, changed, told                   int64
	predictedMinor, realisedMinor, newMinor, raisedMinor, lowered int64
}

// valued is a customer of a run: its portrait as it is, and what is reckoned.
type valued struct {
	story
	was struct {
		predicted, realised *int64
		purchases, alive    *float32
	}
	is struct {
		predicted *int64
		realised  int64
		purchases *float32
		alive     *float32
	}
}

// step reckons the next customers of a run, in one transaction. Where models or settings changed since it began, it begins anew, so
// that its sums are of one kind.
func (v *Values) step(ctx context.Context, tx *pg.Tx, of run.Run) (done bool, err error) {
	p, err := loadProgress(ctx, tx, of.ID)
	if err != nil {
		return false, err
	}
	set, err := readSettings(ctx, tx, false)
	if err != nil {
		return false, err
	}
	currency, err := portrait.Currency(ctx, tx)
	if err != nil {
		return false, err
	}
	m, ids, err := modelsInUse(ctx, tx, set)
	if err != nil {
		return false, err
	}
	same := p.pinned == ids && p.settings == set.Version && p.currency == currency
	if !p.begun || !same {
		// What was written and told already stays so, and so does what moved since the run before.
		moved := tally{changed: p.changed, told: p.told, newMinor: p.newMinor, raisedMinor: p.raisedMinor, lowered: p.lowered}
		p = progress{run: of.ID, currency: currency, begun: true, pinned: ids, settings: set.Version, tally: moved}
	}
	all, err := nextCustomers(ctx, tx, p.after, v.chunk)
	if err != nil {
		return false, err
	}
	if len(all) == 0 {
		queueProgress(tx, p)
		return true, v.finish(ctx, tx, of, p)
	}
	stories := make([]*story, len(all))
	for i := range all {
		stories[i] = &all[i].story
	}
	if err := readStories(ctx, tx, stories, of.AsOf.AddDate(0, 0, 1), set, currency); err != nil {
		return false, err
	}
	known := make(map[History]foretold)
	for i := range all {
		all[i].reckon(set, m, currency, of.AsOf, known)
		p.add(&all[i])
	}
	if atHand(of) {
		queueValues(tx, all)
		told, err := v.tell(ctx, tx, all, m, currency, of.AsOf)
		if err != nil {
			return false, err
		}
		p.told += told
	}
	p.after = all[len(all)-1].customer
	queueProgress(tx, p)
	return false, nil
}

// atHand tells whether the run is of the day on which it was asked for. One of a day that was over leaves portraits as they are, and
// tells nobody: it only knows what customer equity was.
func atHand(of run.Run) bool { return !of.AsOf.Before(of.AskedAt.Truncate(24 * time.Hour)) }

// reckon fills in what the customer is worth.
func (c *valued) reckon(set Settings, m models, currency string, asOf time.Time, known map[History]foretold) {
	c.is.realised = realise(c.story, set, currency).Minor
	pr := predict(c.story, set, m, currency, asOf, known)
	c.is.predicted, c.is.purchases, c.is.alive = pr.Minor, narrow(pr.Purchases), narrow(pr.PAlive)
}

// narrow gives a number as the portrait keeps it.
func narrow(v *float64) *float32 {
	if v == nil {
		return nil
	}
	f := float32(*v)
	return &f
}

func equal[T comparable](a, b *T) bool { return a == b || a != nil && b != nil && *a == *b }

// changed tells whether the portrait says something else.
func (c *valued) changed() bool {
	return !equal(c.was.predicted, c.is.predicted) || !equal(c.was.realised, &c.is.realised) ||
		!equal(c.was.purchases, c.is.purchases) || !equal(c.was.alive, c.is.alive)
}

// add counts the customer.
func (t *tally) add(c *valued) {
	t.customers++
	if len(c.bought) > 0 {
		t.buyers++
	}
	t.realisedMinor += c.is.realised
	if c.changed() {
		t.changed++
	}
	if c.is.predicted == nil {
		return
	}
	now := *c.is.predicted
	t.predicted++
	t.predictedMinor += now
	switch was := c.was.predicted; {
	case was == nil:
		t.newMinor += now
	case now > *was:
		t.raisedMinor += now - *was
	default:
		t.lowered += *was - now
	}
}

// tell appends an event for each customer whose predicted value changed by a tenth or more since it was told last.
func (v *Values) tell(ctx context.Context, tx *pg.Tx, all []valued, m models, currency string, asOf time.Time) (int64, error) {
	var ids []uuid.UUID
	for _, c := range all {
		if c.is.predicted != nil {
			ids = append(ids, c.customer)
		}
	}
	if len(ids) == 0 {
		return 0, nil
	}
	last, err := lastTold(ctx, tx, ids)
	if err != nil {
		return 0, err
	}
	now := v.now()
	var events []outbox.Event
	var customers []uuid.UUID
	var minors []int64
	for _, c := range all {
		if c.is.predicted == nil {
			continue
		}
		was, known := last[c.customer]
		if known && !tenth(was, *c.is.predicted) {
			continue
		}
		customers, minors = append(customers, c.customer), append(minors, *c.is.predicted)
		events = append(events, outbox.Event{Aggregate: "customer", ID: c.customer, Time: now, Message: &analyticsv1.CustomerScored{
			CustomerId: c.customer.String(), Score: "predicted_value", Value: *c.is.predicted, Unit: currency, ModelVersion: m.version, AsOf: timestamppb.New(asOf),
		}})
	}
	if len(events) == 0 {
		return 0, nil
	}
	queueTold(tx, customers, minors, now)
	return int64(len(events)), v.outbox.Append(ctx, tx, events...)
}

// tenth tells whether a value changed by a tenth of what it was, or more.
func tenth(was, now int64) bool {
	change := now - was
	if change < 0 {
		change = -change
	}
	if was < 0 {
		was = -was
	}
	return change > 0 && 10*change >= was
}

// finish keeps customer equity as it is at the end of the run.
func (v *Values) finish(ctx context.Context, tx *pg.Tx, of run.Run, p progress) error {
	e := Equity{
		AsOf: of.AsOf, Currency: p.currency, Customers: p.customers, Buyers: p.buyers, Predicted: p.predicted, PredictedMinor: p.predictedMinor,
		RealisedMinor: p.realisedMinor, PurchaseModel: p.purchases, SpendModel: p.spend, RunID: of.ID, ReckonedAt: v.now(),
	}
	if !atHand(of) {
		queueEquity(tx, e)
		return nil
	}
	e.Moved, e.NewMinor, e.RaisedMinor, e.LoweredMinor = true, p.newMinor, p.raisedMinor, p.lowered
	before, there, err := latestEquity(ctx, tx)
	if err != nil {
		return err
	}
	if there && before.Currency == e.Currency {
		e.GoneMinor = before.PredictedMinor + e.NewMinor + e.RaisedMinor - e.LoweredMinor - e.PredictedMinor
		if before.AsOf.Equal(e.AsOf) { // what moved it since the day before is what did in both runs
			e.NewMinor, e.RaisedMinor = e.NewMinor+before.NewMinor, e.RaisedMinor+before.RaisedMinor
			e.LoweredMinor, e.GoneMinor = e.LoweredMinor+before.LoweredMinor, e.GoneMinor+before.GoneMinor
		}
	} else {
		e.NewMinor, e.RaisedMinor, e.LoweredMinor = e.PredictedMinor, 0, 0 // of another currency, or the first: all of it is new
	}
	queueEquity(tx, e)
	tx.Queue(`DELETE FROM value_told t WHERE t.tenant_id = $1 AND NOT EXISTS (SELECT FROM portrait p WHERE p.tenant_id = $1 AND p.customer_id = t.customer_id)`, tx.Tenant())
	return nil
}

// Equity is customer equity on a day, and what moved it since the row before.
type Equity struct {
	AsOf                                           time.Time
	Currency                                       string
	Customers, Buyers, Predicted                   int64
	PredictedMinor, RealisedMinor                  int64
	Moved                                          bool // what moved it is known
	NewMinor, RaisedMinor, LoweredMinor, GoneMinor int64
	PurchaseModel, SpendModel                      uuid.UUID // Nil where none was in use
	RunID                                          uuid.UUID
	ReckonedAt                                     time.Time
}

// monthly puts rows, sorted by day, together by month: its last row, moved by what moved all of them.
func monthly(rows []Equity) (out []Equity) {
	for _, e := range rows {
		if n := len(out); n > 0 && sameMonth(out[n-1].AsOf, e.AsOf) && out[n-1].Currency == e.Currency {
			b := out[n-1]
			e.Moved = e.Moved || b.Moved
			e.NewMinor, e.RaisedMinor = e.NewMinor+b.NewMinor, e.RaisedMinor+b.RaisedMinor
			e.LoweredMinor, e.GoneMinor = e.LoweredMinor+b.LoweredMinor, e.GoneMinor+b.GoneMinor
			out[n-1] = e
			continue
		}
		out = append(out, e)
	}
	return slices.Clip(out)
}

func sameMonth(a, b time.Time) bool { return a.Year() == b.Year() && a.Month() == b.Month() }
