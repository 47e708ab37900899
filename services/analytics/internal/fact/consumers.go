package fact

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/alias"
	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/inbox"
	accountsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/accounts/events/v1"
	loyaltyv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/loyalty/events/v1"
	salesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/sales/events/v1"
	ticketsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/tickets/events/v1"
)

// Consumers place what all services say.
func Consumers() []inbox.Consumer {
	apply := placer()
	return []inbox.Consumer{
		{
			Name:    "facts",
			Topics:  []string{bus.TopicFor("accounts"), bus.TopicFor("sales")},
			Ordered: true,
			Handles: append([]proto.Message{
				&accountsv1.CustomerRegistered{}, &accountsv1.CustomerErased{}, &accountsv1.InteractionRecorded{},
				&salesv1.OrderPlaced{}, &salesv1.OrderAttributed{}, &salesv1.OrderReturned{},
				&salesv1.LeadCaptured{}, &salesv1.LeadConverted{}, &salesv1.LeadConversionUndone{}, &salesv1.LeadLost{},
				&salesv1.LeadReopened{}, &salesv1.LeadTouchDue{},
				&salesv1.OpportunityOpened{}, &salesv1.OpportunityStageChanged{}, &salesv1.OpportunityChanged{}, &salesv1.OpportunityWon{},
				&salesv1.OpportunityLost{}, &salesv1.OpportunityReopened{}, &salesv1.OpportunityWithdrawn{},
			}, alias.Handles()...),
			Apply: apply,
		},
		{
			Name:    "facts-care",
			Topics:  []string{bus.TopicFor("tickets"), bus.TopicFor("loyalty")},
			Ordered: true,
			Handles: []proto.Message{
				&ticketsv1.TicketOpened{}, &ticketsv1.TicketStatusChanged{}, &ticketsv1.TicketReplied{}, &ticketsv1.TicketResolved{},
				&ticketsv1.TicketReopened{}, &ticketsv1.TicketClosed{},
				&ticketsv1.ComplaintRegistered{}, &ticketsv1.ComplaintAssessed{}, &ticketsv1.ComplaintReopened{}, &ticketsv1.ComplaintClosed{},
				&ticketsv1.SurveySent{}, &ticketsv1.SurveyAnswered{},
				&loyaltyv1.MemberEnrolled{}, &loyaltyv1.MemberReinstated{}, &loyaltyv1.MemberLeft{}, &loyaltyv1.TierChanged{},
				&loyaltyv1.MembershipStarted{}, &loyaltyv1.MembershipRenewed{}, &loyaltyv1.MembershipEnded{}, &loyaltyv1.RetentionContactDue{},
				&loyaltyv1.PointsEarned{}, &loyaltyv1.PointsReleased{}, &loyaltyv1.PointsSpent{}, &loyaltyv1.PointsReversed{},
				&loyaltyv1.PointsRestored{}, &loyaltyv1.PointsExpired{}, &loyaltyv1.PointsAdjusted{},
			},
			Apply: apply,
		},
	}
}

// placer is what both consumers do: two, so that neither waits for the other's topics.
func placer() func(context.Context, *pg.Tx, []inbox.Event) error {
	lanes := newLanes()
	return func(ctx context.Context, tx *pg.Tx, events []inbox.Event) error {
		batch, err := Sort(events)
		if err != nil {
			return err
		}
		if err := queue(tx, batch); err != nil {
			return err
		}
		if !inbox.Rebuilding(ctx) {
			at, later := lanes.split(tx.Tenant(), events[0], batch.due)
			queueDue(tx, at, later, batch.Returns)
		}
		return tx.Flush(ctx)
	}
}

// Erase finds nothing to erase, and says so: facts are ids, codes, amounts and times, none of which tells who somebody was.
func Erase(context.Context, *pg.Tx, []uuid.UUID) ([]erasure.Erased, error) {
	return []erasure.Erased{{What: "fact"}}, nil
}

// reader reads the fields of an event, and remembers the last time that it read.
type reader struct {
	*inbox.Contract
	at time.Time
}

func (r *reader) Time(field string, t *timestamppb.Timestamp) time.Time {
	r.at = r.Contract.Time(field, t)
	return r.at
}

// fresh is how long after it happened in the world an event is news.
const fresh = time.Hour

// Sort takes events apart by what they are about. An event that breaks its own contract is a problem of the kind
// Unprocessable: trying again cannot help.
func Sort(events []inbox.Event) (Batch, error) {
	b := Batch{newest: make(map[mark]time.Time), due: make(map[uuid.UUID]bool)}
	for _, e := range events {
		r := &reader{Contract: e.Contract()}
		if !b.customer(r, e) && !b.order(r, e) && !b.lead(r, e) && !b.opportunity(r, e) && !b.ticket(r, e) && !b.complaint(r, e) &&
			!b.survey(r, e) && !b.points(r, e) && !b.member(r, e) {
			if err := b.merge(r, e); err != nil {
				return Batch{}, err
			}
		}
		if m, ok := e.Message.(interface{ GetCustomerId() string }); ok {
			if id := r.MaybeID("customer_id", m.GetCustomerId()); id != uuid.Nil {
				b.due[id] = b.due[id] || e.Time.Sub(r.at) < fresh
			}
		}
		if err := r.Err(); err != nil {
			return Batch{}, err
		}
		at := mark{topic: e.Topic, slot: e.Partition}
		if e.Time.After(b.newest[at]) {
			b.newest[at] = e.Time
		}
	}
	return b, nil
}

// customer reads an event of a customer; ok is false for one of another kind.
func (b *Batch) customer(r *reader, e inbox.Event) (ok bool) {
	switch m := e.Message.(type) {
	case *accountsv1.CustomerRegistered:
		b.Customers = append(b.Customers, Customer{
			ID:           r.ID("customer_id", m.GetCustomerId()),
			Kind:         strings.ToLower(strings.TrimPrefix(m.GetKind().String(), "CUSTOMER_KIND_")),
			Source:       m.GetSource(),
			RegisteredAt: r.Time("registered_at", m.GetRegisteredAt()),
		})
	case *accountsv1.CustomerErased:
		b.Erasures = append(b.Erasures, Erasure{r.ID("customer_id", m.GetCustomerId()), r.Time("erased_at", m.GetErasedAt())})
	case *accountsv1.InteractionRecorded:
		b.Interactions = append(b.Interactions, Interaction{
			ID: r.ID("interaction_id", m.GetInteractionId()), CustomerID: r.ID("customer_id", m.GetCustomerId()), Channel: m.GetChannel(),
			Direction: m.GetDirection(), Touchpoint: m.GetTouchpoint(), Outcome: m.GetOutcome(), Seconds: m.GetDurationSeconds(),
			At: r.Time("occurred_at", m.GetOccurredAt()),
		})
	default:
		return false
	}
	return true
}

// order reads an event of an order.
func (b *Batch) order(r *reader, e inbox.Event) (ok bool) {
	switch m := e.Message.(type) {
	case *salesv1.OrderPlaced:
		o := Order{
			ID: r.ID("order_id", m.GetOrderId()), Channel: m.GetChannel(), Currency: r.Currency("currency", m.GetCurrency()),
			Units: m.GetUnits(), TotalMinor: m.GetTotalMinor(), PlacedAt: r.Time("placed_at", m.GetPlacedAt()), Slot: e.Partition,
			CustomerID:    pg.OrNull(r.MaybeID("customer_id", m.GetCustomerId())),
			OpportunityID: pg.OrNull(r.MaybeID("opportunity_id", m.GetOpportunityId())),
		}
		for _, l := range m.GetLines() {
			o.SKUs, o.Quantities, o.Amounts = append(o.SKUs, l.GetSku()), append(o.Quantities, l.GetQuantity()), append(o.Amounts, l.GetAmountMinor())
		}
		b.Orders = append(b.Orders, o)
	case *salesv1.OrderAttributed:
		b.Attributions = append(b.Attributions, Attribution{
			OrderID: r.ID("order_id", m.GetOrderId()), CustomerID: r.ID("customer_id", m.GetCustomerId()),
		})
	case *salesv1.OrderReturned:
		b.Returns = append(b.Returns, Return{
			ID: r.ID("return_id", m.GetReturnId()), OrderID: r.ID("order_id", m.GetOrderId()),
			Currency: r.Currency("currency", m.GetCurrency()), Units: m.GetUnits(), AmountMinor: m.GetAmountMinor(),
			ReturnedAt: r.Time("returned_at", m.GetReturnedAt()), Slot: e.Partition,
		})
	default:
		return false
	}
	return true
}

// merge reads an event by which an id means another customer, or no longer does. Both are other customers than before.
func (b *Batch) merge(r *reader, e inbox.Event) error {
	change, ok, err := alias.Read(e)
	if err != nil || !ok {
		return err
	}
	b.Merges = append(b.Merges, change)
	if m, ok := e.Message.(interface{ GetSurvivorId() string }); ok {
		r.at = e.Time
		b.due[r.ID("survivor_id", m.GetSurvivorId())] = true
	}
	return nil
}
