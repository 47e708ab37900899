package crisis

import (
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	ticketsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/tickets/events/v1"
)

const aggregate = "crisis"

func (c Crisis) tell(at time.Time, m proto.Message) outbox.Event {
	return outbox.Event{Aggregate: aggregate, ID: c.ID, Time: at, Message: m}
}

func proposedEvent(c Crisis) outbox.Event {
	return c.tell(c.ProposedAt, &ticketsv1.CrisisProposed{
		CrisisId: c.ID.String(), Dimension: string(c.Dimension), Value: c.Value, Complaints: c.Alarm.N, Expected: c.Alarm.Expected,
		Probability: c.Alarm.P, Threshold: c.Alarm.Limit, WindowFrom: timestamppb.New(c.WindowFrom), ProposedAt: timestamppb.New(c.ProposedAt),
	})
}

func declaredEvent(c Crisis) outbox.Event {
	return c.tell(c.DeclaredAt, &ticketsv1.CrisisDeclared{
		CrisisId: c.ID.String(), Dimension: string(c.Dimension), Value: c.Value, Detected: c.Alarm != nil, DeclaredAt: timestamppb.New(c.DeclaredAt),
	})
}

// changeEvents tells what a rule changed.
func changeEvents(was, now Crisis, at time.Time) []outbox.Event {
	var events []outbox.Event
	if was.Stage == Proposed && now.Stage == Declared {
		events = append(events, declaredEvent(now))
	}
	for _, s := range now.Steps[len(was.Steps):] {
		if s.Action == Remind {
			events = append(events, now.tell(at, &ticketsv1.CrisisReminded{
				CrisisId: now.ID.String(), Dimension: string(now.Dimension), Value: now.Value, Due: now.Due(), Reminders: int32(now.Reminders),
				RemindedAt: timestamppb.New(at),
			}))
		}
	}
	if was.EndedAt.IsZero() && !now.EndedAt.IsZero() {
		outcome := "all_clear"
		if now.Stage == Dismissed {
			outcome = "dismissed"
		}
		events = append(events, now.tell(at, &ticketsv1.CrisisEnded{
			CrisisId: now.ID.String(), Dimension: string(now.Dimension), Value: now.Value, Outcome: outcome, Complaints: now.Linked.Complaints,
			EndedAt: timestamppb.New(at),
		}))
	}
	return events
}
