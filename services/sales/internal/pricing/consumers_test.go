package pricing_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	loyaltyv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/loyalty/events/v1"
)

func TestAnEventThatBreaksItsContractIsParked(t *testing.T) {
	t.Parallel()
	s := open(t)
	li := uuid.Must(uuid.NewV7())
	good := tier(li, "gold", time.Now())
	s.hear("pizza",
		&loyaltyv1.TierChanged{CustomerId: "li", Programme: "standard", Tier: "gold", ChangedAt: timestamppb.Now()},
		&loyaltyv1.TierChanged{CustomerId: li.String(), Programme: "standard", Tier: "GOLD!", ChangedAt: timestamppb.Now()},
		&loyaltyv1.TierChanged{CustomerId: li.String(), Programme: "standard", Tier: "gold"}, good)
	s.Eventually("three are parked", func() bool {
		return s.Count(`SELECT count(*) FROM inbox_parked WHERE consumer = 'customer_tiers'`) == 3
	})
	if n := s.Count(`SELECT count(*) FROM customer_tier WHERE customer_id = $1 AND tier = 'gold'`, li); n != 1 {
		t.Error("the good one beside them was not taken in")
	}
}
