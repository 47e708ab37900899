package reward

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	loyaltyv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/loyalty/events/v1"
)

// aggregate is what redemptions are called in events.
const aggregate = "redemption"

func redeemedEvent(r Redemption) outbox.Event {
	return outbox.Event{Aggregate: aggregate, ID: r.ID, Time: r.RedeemedAt, Message: &loyaltyv1.RewardRedeemed{
		RedemptionId: r.ID.String(), MemberId: r.MemberID.String(), CustomerId: r.CustomerID.String(), Programme: r.Programme,
		Reward: r.Reward, Quantity: int32(r.Quantity), Points: r.Points, Fulfilment: string(r.Kind), RedeemedAt: timestamppb.New(r.RedeemedAt),
	}}
}

// closedEvent tells of the end of a redemption.
func closedEvent(r Redemption) outbox.Event {
	var m proto.Message
	if r.State == Fulfilled {
		m = &loyaltyv1.RedemptionFulfilled{
			RedemptionId: r.ID.String(), MemberId: r.MemberID.String(), CustomerId: r.CustomerID.String(), Programme: r.Programme,
			Reward: r.Reward, Reference: r.Reference, FulfilledAt: timestamppb.New(r.ClosedAt),
		}
	} else {
		m = &loyaltyv1.RedemptionCancelled{
			RedemptionId: r.ID.String(), MemberId: r.MemberID.String(), CustomerId: r.CustomerID.String(), Programme: r.Programme,
			Reward: r.Reward, Points: r.Points, Reason: r.Reason, CancelledAt: timestamppb.New(r.ClosedAt),
		}
	}
	return outbox.Event{Aggregate: aggregate, ID: r.ID, Time: r.ClosedAt, Message: m}
}
