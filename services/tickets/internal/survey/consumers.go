package survey

import (
	"context"
	"slices"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/inbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	accountsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/accounts/events/v1"
	ticketsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/tickets/events/v1"
)

// Triggers is the consumer that invites customers to what triggers call for. An event invites once for each trigger, however
// often it comes.
func (s *Surveys) Triggers() inbox.Consumer {
	return inbox.Consumer{
		Name:    "survey_triggers",
		Topics:  []string{bus.TopicFor(queue), bus.TopicFor("accounts")},
		Lasting: true,
		Handles: []proto.Message{&ticketsv1.TicketResolved{}, &ticketsv1.TicketClosed{}, &ticketsv1.ComplaintClosed{}, &accountsv1.InteractionRecorded{}},
		Apply: func(ctx context.Context, tx *pg.Tx, events []inbox.Event) error {
			occasions := make([]occasion, 0, len(events))
			for _, e := range events {
				o, err := read(e)
				if err != nil {
					return err
				}
				if o.customer != uuid.Nil {
					occasions = append(occasions, o)
				}
			}
			return s.ask(ctx, tx, occasions)
		},
	}
}

// read says what an event tells of; without a customer there is nobody to ask.
func read(e inbox.Event) (occasion, error) {
	var o occasion
	var customer, source string
	switch m := e.Message.(type) {
	case *ticketsv1.TicketResolved:
		o = occasion{moment: TicketResolved, code: m.GetResolution(), at: m.GetResolvedAt().AsTime()}
		customer, source = m.GetCustomerId(), m.GetTicketId()
	case *ticketsv1.TicketClosed:
		o = occasion{moment: TicketClosed, code: m.GetResolution(), at: m.GetClosedAt().AsTime()}
		customer, source = m.GetCustomerId(), m.GetTicketId()
	case *ticketsv1.ComplaintClosed:
		o = occasion{moment: ComplaintClosed, code: m.GetOutcome(), at: m.GetClosedAt().AsTime()}
		customer, source = m.GetCustomerId(), m.GetComplaintId()
	case *accountsv1.InteractionRecorded:
		o = occasion{moment: Interaction, code: m.GetTouchpoint(), touchpoint: m.GetTouchpoint(), at: m.GetOccurredAt().AsTime()}
		customer, source = m.GetCustomerId(), m.GetInteractionId()
	}
	if customer == "" {
		return o, nil
	}
	var err, err2 error
	o.customer, err = uuid.Parse(customer)
	o.source, err2 = uuid.Parse(source)
	if err != nil || err2 != nil || o.source == uuid.Nil {
		return o, problem.New(problem.Unprocessable, "event_breaks_contract", "%s %s: the ids of the customer and of what happened must be ids.", e.Type, e.ID)
	}
	switch o.moment {
	case TicketResolved, TicketClosed:
		o.ticket = o.source
	case ComplaintClosed:
		o.complaint = o.source
	}
	return o, nil
}

// ask makes the invitations that the tenant's triggers call for, and has the processes of those that are not refused started.
func (s *Surveys) ask(ctx context.Context, tx *pg.Tx, occasions []occasion) error {
	var moments []Moment
	for _, o := range occasions {
		if !slices.Contains(moments, o.moment) {
			moments = append(moments, o.moment)
		}
	}
	if len(moments) == 0 {
		return nil
	}
	triggers, err := activeTriggers(ctx, tx, moments)
	if err != nil || len(triggers) == 0 {
		return err
	}
	at := s.now()
	var customers []uuid.UUID
	var made []flow.Start
	var invite []func()
	for _, o := range occasions {
		for _, t := range triggers {
			if !t.calls(o) || t.anonymous && o.complaint != uuid.Nil {
				continue
			}
			id, err := uuid.NewV7()
			if err != nil {
				return err
			}
			i := Invited{ID: id, SurveyID: t.SurveyID, SurveyVersion: t.questions, Anonymous: t.anonymous, CustomerID: o.customer, TicketID: o.ticket,
				ComplaintID: o.complaint, SourceID: o.source, TriggerID: t.ID, Touchpoint: o.touchpoint, Channel: t.Channel, CreatedAt: at}
			customers = append(customers, o.customer)
			invite = append(invite, func() {
				inviteOn(tx, i, t.CoolDownDays, func(state State) {
					if state == Waiting {
						made = append(made, start(tx.Tenant(), i.ID))
					}
				})
			})
		}
	}
	if len(customers) == 0 {
		return nil
	}
	lockCustomers(tx, customers)
	if err := tx.Flush(ctx); err != nil { // what those who held the locks made is seen only by statements that begin after them
		return err
	}
	for _, one := range invite {
		one()
	}
	if err := tx.Flush(ctx); err != nil {
		return err
	}
	return s.starter.Queue(ctx, tx, made...)
}
