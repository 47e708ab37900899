package customer

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/inbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	analyticsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/analytics/events/v1"
	salesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/sales/events/v1"
)

// Consumer counts customers' orders and puts customers into the stage that follows from them. Its tables are no part of
// the projection: stages are told of, and a person may have changed them since.
func (c *Customers) Consumer() inbox.Consumer {
	return inbox.Consumer{
		Name:    "stages",
		Topics:  []string{bus.TopicFor("sales")},
		Lasting: true,
		Handles: []proto.Message{&salesv1.OrderPlaced{}, &salesv1.OrderAttributed{}},
		Apply:   c.countOrders,
	}
}

// countOrders takes a batch in with one round trip where no stage changes: the orders are counted, and the stages of their
// customers read. An order that names nobody yet counts when OrderAttributed says whose it is.
func (c *Customers) countOrders(ctx context.Context, tx *pg.Tx, events []inbox.Event) error {
	orders := make(map[uuid.UUID]int64)
	for _, e := range events {
		var customer string
		switch m := e.Message.(type) {
		case *salesv1.OrderPlaced:
			customer = m.GetCustomerId()
		case *salesv1.OrderAttributed:
			customer = m.GetCustomerId()
		}
		if customer == "" {
			continue
		}
		id, err := uuid.Parse(customer)
		if err != nil || id == uuid.Nil {
			return problem.New(problem.Unprocessable, "event_breaks_contract", "%s %s: the customer is not an id.", e.Type, e.ID)
		}
		orders[id]++
	}
	if len(orders) == 0 {
		return nil
	}
	addPurchases(tx, orders)
	due, err := dueStages(ctx, tx, slices.Collect(maps.Keys(orders)))
	if err != nil || len(due) == 0 {
		return err
	}
	return c.advance(ctx, tx, due)
}

// advance puts those of the customers into their next stage who are still to be moved once they are locked. due has the
// id by which each is known from an order, and how many orders there are.
func (c *Customers) advance(ctx context.Context, tx *pg.Tx, due map[uuid.UUID]int64) error {
	ids := slices.SortedFunc(maps.Keys(due), func(a, b uuid.UUID) int { return strings.Compare(a.String(), b.String()) })
	if _, err := Lock(ctx, tx, ids...); err != nil {
		return err
	}
	caller, _ := auth.From(ctx)
	at := c.now()
	customers, err := ReadAll(ctx, tx, ids...)
	if err != nil {
		return err
	}
	var changes []Changed
	for _, was := range customers {
		var orders int64
		for _, id := range was.Group() { // one who was merged may be due by several ids, with the same sum
			if n, known := due[id]; known && n > orders {
				orders, was.As = n, id
			}
		}
		next, reason, moves := StageAfter(was.Stage, orders)
		if !moves || was.held(at) || was.State != Active {
			continue
		}
		now, move, _ := was.MoveTo(next, reason, caller.Subject, was.StageManualUntil, at)
		changes = append(changes, Changed{Was: was, Now: now, Move: &move})
	}
	return Save(ctx, tx, c.outbox, changes...)
}

// Proposals puts customers into the stage that analytics sees in their behaviour, unless a person holds the one they are in.
func (c *Customers) Proposals() inbox.Consumer {
	return inbox.Consumer{
		Name:    "stage_proposals",
		Topics:  []string{bus.TopicFor("analytics")},
		Lasting: true,
		Handles: []proto.Message{&analyticsv1.LifecycleStageProposed{}},
		Apply:   c.takeProposals,
	}
}

// proposal is what behaviour says of one customer.
type proposal struct {
	stage  Stage
	reason string
}

func (c *Customers) takeProposals(ctx context.Context, tx *pg.Tx, events []inbox.Event) error {
	latest := make(map[uuid.UUID]proposal)
	for _, e := range events {
		m := e.Message.(*analyticsv1.LifecycleStageProposed)
		r := e.Contract()
		id := r.ID("customer_id", m.GetCustomerId())
		if err := r.Err(); err != nil {
			return err
		}
		p := proposal{stage: Stage(m.GetStage()), reason: ReasonBehaviour}
		if reasons := m.GetReasons(); len(reasons) > 0 {
			p.reason = reasons[0]
		}
		if len(checkMove(p.stage, p.reason, time.Time{}, e.Time)) > 0 {
			return problem.New(problem.Unprocessable, "event_breaks_contract", "%s %s: stage or reason is none.", e.Type, e.ID)
		}
		latest[id] = p
	}
	ids := slices.SortedFunc(maps.Keys(latest), func(a, b uuid.UUID) int { return strings.Compare(a.String(), b.String()) })
	if _, err := Lock(ctx, tx, ids...); err != nil {
		return err
	}
	customers, err := ReadAll(ctx, tx, ids...)
	if err != nil {
		return err
	}
	caller, _ := auth.From(ctx)
	at := c.now()
	var changes []Changed
	for _, was := range customers {
		// A proposal is about whoever its customer is now. Of several for those who were merged since, that for the one who
		// stands for all counts.
		p, ok := latest[was.ID]
		for _, id := range was.Group() {
			if !ok {
				if p, ok = latest[id]; ok {
					was.As = id
				}
			}
		}
		if !ok || was.held(at) || was.State != Active {
			continue
		}
		if now, move, changed := was.MoveTo(p.stage, p.reason, caller.Subject, was.StageManualUntil, at); changed {
			changes = append(changes, Changed{Was: was, Now: now, Move: &move})
		}
	}
	return Save(ctx, tx, c.outbox, changes...)
}
