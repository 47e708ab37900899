package activity

import (
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	salesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/sales/events/v1"
)

// aggregate is what activities are called in events.
const aggregate = "activity"

func completedEvent(a Activity) outbox.Event {
	return outbox.Event{Aggregate: aggregate, ID: a.ID, Time: a.ChangedAt, Message: &salesv1.ActivityCompleted{
		ActivityId: a.ID.String(), CustomerId: text(a.Root), LeadId: text(a.Lead), OpportunityId: text(a.Opportunity), Kind: string(a.Kind),
		Outcome: a.Outcome, Objection: a.Objection, Answer: text(a.Answer), Owner: a.Owner, CompletedAt: timestamppb.New(a.DoneAt),
	}}
}

func remindedEvent(d due, now time.Time) outbox.Event {
	return outbox.Event{Aggregate: aggregate, ID: d.activity, Time: now, Message: &salesv1.ActivityReminded{
		ActivityId: d.activity.String(), CustomerId: text(d.root), Kind: string(d.kind), Owner: d.owner,
		DueAt: timestamppb.New(d.dueAt), RemindedAt: timestamppb.New(now),
	}}
}

// text is an id as events write it: empty for none.
func text(id uuid.UUID) string {
	if id == uuid.Nil {
		return ""
	}
	return id.String()
}
