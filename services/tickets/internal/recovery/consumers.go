package recovery

import (
	"context"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/inbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	ticketsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/tickets/events/v1"
)

// Cases is the consumer that keeps complaints as their events tell.
func (r *Recoveries) Cases() inbox.Consumer {
	return inbox.Consumer{
		Name:    "recovery_cases",
		Topics:  []string{bus.TopicFor(r.service)},
		Ordered: true,
		Lasting: true,
		Handles: []proto.Message{&ticketsv1.ComplaintRegistered{}, &ticketsv1.ComplaintClosed{}, &ticketsv1.ComplaintReopened{}},
		Apply: func(ctx context.Context, tx *pg.Tx, events []inbox.Event) error {
			var changes []*change
			at := map[uuid.UUID]*change{}
			for _, e := range events {
				next, err := read(e)
				if err != nil {
					return err
				}
				c := at[next.complaint]
				if c == nil {
					at[next.complaint] = &next
					changes = append(changes, &next)
					continue
				}
				if next.ended {
					next.registered = c.registered
					*c = next
				}
			}
			apply(tx, changes)
			return tx.Flush(ctx)
		},
	}
}

func read(e inbox.Event) (change, error) {
	var c change
	var id, customer string
	switch m := e.Message.(type) {
	case *ticketsv1.ComplaintRegistered:
		id, customer = m.GetComplaintId(), m.GetCustomerId()
		c.registered = m.GetRegisteredAt().AsTime()
	case *ticketsv1.ComplaintClosed:
		id, customer = m.GetComplaintId(), m.GetCustomerId()
		c.ended, c.closed, c.outcome, c.costMinor, c.currency = true, m.GetClosedAt().AsTime(), m.GetOutcome(), max(0, m.GetCostMinor()), m.GetCurrency()
	case *ticketsv1.ComplaintReopened:
		id, customer = m.GetComplaintId(), m.GetCustomerId()
		c.ended = true
	}
	var err, err2 error
	c.complaint, err = uuid.Parse(id)
	c.customer, err2 = uuid.Parse(customer)
	if err != nil || err2 != nil {
		return c, problem.New(problem.Unprocessable, "event_breaks_contract", "%s %s: complaint_id and customer_id must be ids.", e.Type, e.ID)
	}
	return c, nil
}
