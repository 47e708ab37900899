package opportunity

import (
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	salesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/sales/events/v1"
)

// aggregate is what opportunities are called in events.
const aggregate = "opportunity"

func event(o Opportunity, at time.Time, m proto.Message) outbox.Event {
	return outbox.Event{Aggregate: aggregate, ID: o.ID, Time: at, Message: m}
}

func openedEvent(o Opportunity, probability int32) outbox.Event {
	return event(o, o.OpenedAt, &salesv1.OpportunityOpened{
		OpportunityId: o.ID.String(), CustomerId: o.CustomerID.String(), LeadId: text(o.LeadID), Pipeline: o.Pipeline, Stage: o.Stage,
		Probability: probability, Currency: o.Currency, AmountMinor: o.AmountMinor, Source: o.Source, Team: o.Team, Owner: o.Owner,
		ExpectedCloseOn: dayText(o.ExpectedCloseOn), OpenedAt: timestamppb.New(o.OpenedAt),
	})
}

func movedEvent(o Opportunity, e Entry, probability int32) outbox.Event {
	return event(o, e.EnteredAt, &salesv1.OpportunityStageChanged{
		OpportunityId: o.ID.String(), CustomerId: o.CustomerID.String(), Pipeline: o.Pipeline, StageBefore: e.PreviousStage, Stage: e.Stage,
		Probability: probability, Currency: o.Currency, AmountMinor: o.AmountMinor, SecondsInStage: e.PreviousSeconds,
		ChangedAt: timestamppb.New(e.EnteredAt),
	})
}

func changedEvent(o Opportunity, fields []string) outbox.Event {
	return event(o, o.ChangedAt, &salesv1.OpportunityChanged{
		OpportunityId: o.ID.String(), CustomerId: o.CustomerID.String(), ChangedFields: fields, Currency: o.Currency, AmountMinor: o.AmountMinor,
		Team: o.Team, Owner: o.Owner, ExpectedCloseOn: dayText(o.ExpectedCloseOn), ChangedAt: timestamppb.New(o.ChangedAt),
	})
}

func wonEvent(o Opportunity) outbox.Event {
	return event(o, o.ClosedAt, &salesv1.OpportunityWon{
		OpportunityId: o.ID.String(), CustomerId: o.CustomerID.String(), Pipeline: o.Pipeline, Stage: o.Stage, Currency: o.Currency,
		AmountMinor: o.AmountMinor, Team: o.Team, Owner: o.Owner, Source: o.Source, SecondsOpen: o.secondsOpen(), State: string(o.State),
		WonAt: timestamppb.New(o.ClosedAt),
	})
}

func lostEvent(o Opportunity) outbox.Event {
	return event(o, o.ClosedAt, &salesv1.OpportunityLost{
		OpportunityId: o.ID.String(), CustomerId: o.CustomerID.String(), Pipeline: o.Pipeline, Stage: o.Stage, Currency: o.Currency,
		AmountMinor: o.AmountMinor, Team: o.Team, Owner: o.Owner, Source: o.Source, Reason: o.Reason, Competitor: o.Competitor,
		SecondsOpen: o.secondsOpen(), State: string(o.State), LostAt: timestamppb.New(o.ClosedAt),
	})
}

// secondsOpen is from the opening to the closing.
func (o Opportunity) secondsOpen() int64 { return int64(o.ClosedAt.Sub(o.OpenedAt) / time.Second) }

func reopenedEvent(o Opportunity, e Entry) outbox.Event {
	return event(o, e.EnteredAt, &salesv1.OpportunityReopened{
		OpportunityId: o.ID.String(), CustomerId: o.CustomerID.String(), Pipeline: o.Pipeline, Stage: o.Stage, StateBefore: string(e.PreviousState),
		State: string(o.State), Currency: o.Currency, AmountMinor: o.AmountMinor, ReopenedAt: timestamppb.New(e.EnteredAt),
	})
}

func withdrawnEvent(o Opportunity) outbox.Event {
	return event(o, o.ClosedAt, &salesv1.OpportunityWithdrawn{
		OpportunityId: o.ID.String(), CustomerId: o.CustomerID.String(), State: string(o.State), WithdrawnAt: timestamppb.New(o.ClosedAt),
	})
}

func stalledEvent(o Opportunity) outbox.Event {
	return event(o, o.Stall.At, &salesv1.OpportunityStalled{
		OpportunityId: o.ID.String(), CustomerId: o.CustomerID.String(), Stage: o.Stage, Owner: o.Owner, Reason: o.Stall.Reason,
		StalledAt: timestamppb.New(o.Stall.At),
	})
}

func text(id uuid.UUID) string {
	if id == uuid.Nil {
		return ""
	}
	return id.String()
}

func dayText(day time.Time) string {
	if day.IsZero() {
		return ""
	}
	return day.Format(time.DateOnly)
}
