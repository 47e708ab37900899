package portrait_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/guanxi-crm/guanxi/platform/bus"
	accountsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/accounts/events/v1"
	loyaltyv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/loyalty/events/v1"
	salesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/sales/events/v1"
	ticketsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/tickets/events/v1"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/analyticstest"
)

// history is what customers did, event by event, and what a plain count says of each.
type history struct {
	teller *analyticstest.Teller
	random *rand.Rand
	topics map[string][]bus.Event
	want   map[uuid.UUID]map[string]any
}

func (h *history) tell(service, aggregate string, id uuid.UUID, m proto.Message) {
	h.topics[service] = append(h.topics[service], h.teller.Event(aggregate, id, m))
}

func (h *history) count(c uuid.UUID, field string, n int) {
	was, _ := h.want[c][field].(int)
	h.want[c][field] = was + n
}

// coin falls on its head as often as not.
func (h *history) coin() bool { return h.random.IntN(2) == 0 }

// cared has a customer open a ticket and a complaint, each of which is done and opened again a few times.
func (h *history) cared(c uuid.UUID) {
	ticket, complaint, id := analyticstest.ID(), analyticstest.ID(), c.String()
	h.tell("tickets", "ticket", ticket, &ticketsv1.TicketOpened{TicketId: ticket.String(), CustomerId: id, Kind: "incident", Channel: "web", OpenedAt: stamp(1)})
	open := true
	for n := range h.random.IntN(4) {
		if open {
			h.tell("tickets", "ticket", ticket, &ticketsv1.TicketResolved{TicketId: ticket.String(), CustomerId: id, Resolution: "solved", ResolvedAt: stamp(2 + n)})
			h.tell("tickets", "ticket", ticket, &ticketsv1.TicketStatusChanged{TicketId: ticket.String(), CustomerId: id, Status: "resolved", ChangedAt: stamp(2 + n)})
		} else {
			h.tell("tickets", "ticket", ticket, &ticketsv1.TicketReopened{TicketId: ticket.String(), CustomerId: id, Reopened: int32(n/2 + 1), ReopenedAt: stamp(2 + n)})
			h.tell("tickets", "ticket", ticket, &ticketsv1.TicketStatusChanged{TicketId: ticket.String(), CustomerId: id, Status: "open", ChangedAt: stamp(2 + n)})
		}
		open = !open
	}
	h.count(c, "tickets", 1)
	if open {
		h.count(c, "tickets_open", 1)
	}
	h.tell("tickets", "complaint", complaint, &ticketsv1.ComplaintRegistered{ComplaintId: complaint.String(), CustomerId: id, Category: "x", RegisteredAt: stamp(1)})
	open = true
	for n := range h.random.IntN(4) {
		if open {
			h.tell("tickets", "complaint", complaint, &ticketsv1.ComplaintClosed{ComplaintId: complaint.String(), CustomerId: id, Outcome: "settled", ClosedAt: stamp(2 + n)})
		} else {
			h.tell("tickets", "complaint", complaint, &ticketsv1.ComplaintReopened{ComplaintId: complaint.String(), CustomerId: id, ReopenedAt: stamp(2 + n)})
		}
		open = !open
	}
	h.count(c, "complaints", 1)
	if open {
		h.count(c, "complaints_open", 1)
	}
}

// dealt has a lead and an opportunity of a customer go to and fro.
func (h *history) dealt(c uuid.UUID) {
	lead, opportunity, id := analyticstest.ID(), analyticstest.ID(), c.String()
	h.tell("sales", "lead", lead, &salesv1.LeadCaptured{LeadId: lead.String(), CustomerId: id, Capture: "form", CapturedAt: stamp(1)})
	open := 1
	for n := range h.random.IntN(4) {
		switch {
		case open == 1:
			h.tell("sales", "lead", lead, &salesv1.LeadLost{LeadId: lead.String(), CustomerId: id, LostAt: stamp(2 + n)})
		default:
			h.tell("sales", "lead", lead, &salesv1.LeadReopened{LeadId: lead.String(), CustomerId: id, ReopenedAt: stamp(2 + n)})
		}
		open = 1 - open
	}
	h.count(c, "leads_open", open)
	h.tell("sales", "opportunity", opportunity, &salesv1.OpportunityOpened{OpportunityId: opportunity.String(), CustomerId: id, Currency: "USD", AmountMinor: 5, OpenedAt: stamp(1)})
	open = 1
	won := 0
	for n := range h.random.IntN(5) {
		switch {
		case open == 0:
			open, won = 1, 0
			h.tell("sales", "opportunity", opportunity, &salesv1.OpportunityReopened{OpportunityId: opportunity.String(), CustomerId: id, ReopenedAt: stamp(2 + n)})
		case h.coin():
			open, won = 0, 1
			h.tell("sales", "opportunity", opportunity, &salesv1.OpportunityWon{OpportunityId: opportunity.String(), CustomerId: id, WonAt: stamp(2 + n)})
		default:
			open = 0
			h.tell("sales", "opportunity", opportunity, &salesv1.OpportunityLost{OpportunityId: opportunity.String(), CustomerId: id, Reason: "price", LostAt: stamp(2 + n)})
		}
	}
	h.count(c, "opportunities_open", open)
	h.count(c, "opportunities_won", won)
}

// belonged has a customer be a member who earns and spends, and may leave and come back.
func (h *history) belonged(c uuid.UUID) {
	member, id := analyticstest.ID(), c.String()
	h.tell("loyalty", "member", member, &loyaltyv1.MemberEnrolled{MemberId: member.String(), CustomerId: id, Programme: "standard", EnrolledAt: stamp(1)})
	points, tier := int64(0), ""
	for n := range 1 + h.random.IntN(6) {
		entry := analyticstest.ID().String()
		switch {
		case points > 0 && h.coin():
			h.tell("loyalty", "member", member, &loyaltyv1.PointsSpent{MemberId: member.String(), CustomerId: id, EntryId: entry, Points: points, SpentAt: stamp(2 + n)})
			points = 0
		case h.coin():
			tier = []string{"silver", "gold"}[n%2]
			h.tell("loyalty", "member", member, &loyaltyv1.TierChanged{MemberId: member.String(), CustomerId: id, Tier: tier, Rank: int32(1 + n%2), ChangedAt: stamp(2 + n)})
		default:
			points += 10
			h.tell("loyalty", "member", member, &loyaltyv1.PointsEarned{MemberId: member.String(), CustomerId: id, EntryId: entry, Points: 10, Available: points, EarnedAt: stamp(2 + n)})
		}
	}
	if h.coin() {
		h.tell("loyalty", "member", member, &loyaltyv1.MemberLeft{MemberId: member.String(), CustomerId: id, LeftAt: stamp(20)})
		if h.coin() {
			h.tell("loyalty", "member", member, &loyaltyv1.MemberReinstated{MemberId: member.String(), CustomerId: id, ReinstatedAt: stamp(21)})
		} else {
			points, tier = 0, ""
		}
	}
	h.want[c]["points_available"], h.want[c]["tier"] = points, tier
}

// spoke has a customer call and answer surveys, the last of which counts.
func (h *history) spoke(c uuid.UUID) {
	for n := range h.random.IntN(4) {
		score := 1 + h.random.IntN(5)
		call, answer := analyticstest.ID(), analyticstest.ID()
		h.tell("accounts", "interaction", call, &accountsv1.InteractionRecorded{InteractionId: call.String(), CustomerId: c.String(), Channel: "phone", Direction: "inbound", OccurredAt: stamp(1 + n)})
		h.tell("tickets", "invitation", answer, &ticketsv1.SurveyAnswered{InvitationId: answer.String(), CustomerId: c.String(), SurveyId: analyticstest.ID().String(), Kind: "csat",
			Scored: true, Score: int32(score), AnsweredAt: stamp(1 + n)})
		h.count(c, "interactions", 1)
		h.want[c]["csat"], h.want[c]["csat_at"] = score, at(1+n)
	}
}

// TestHistoriesOfAllTopicsComeToWhatASlowReckoningSays has events come late, twice, and in any order, also within one aggregate.
func TestHistoriesOfAllTopicsComeToWhatASlowReckoningSays(t *testing.T) {
	t.Parallel()
	w := start(t)
	h := &history{analyticstest.NewTeller(t, "music"), rand.New(rand.NewPCG(8, 2)), map[string][]bus.Event{}, map[uuid.UUID]map[string]any{}}
	for range 10 {
		c := analyticstest.ID()
		h.want[c] = map[string]any{"tickets_open": 0, "complaints_open": 0, "interactions": 0, "csat": nil}
		for range 1 + h.random.IntN(2) {
			h.cared(c)
			h.dealt(c)
		}
		h.belonged(c)
		h.spoke(c)
	}
	for left := true; left; {
		left = false
		for _, service := range []string{"loyalty", "tickets", "sales", "accounts"} {
			events := h.topics[service]
			if len(events) == 0 {
				continue
			}
			left = true
			n := min(1+h.random.IntN(60), len(events))
			some := slices.Concat(events[:n], events[:1], events[n-1:n]) // some come twice
			h.random.Shuffle(len(some), func(i, j int) { some[i], some[j] = some[j], some[i] })
			w.Publish(service, some...)
			h.topics[service] = events[n:]
		}
		if _, err := w.portraits.Pass(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	check := func() {
		t.Helper()
		for c, fields := range h.want {
			w.has(c, fields)
		}
	}
	check()
	w.rebuilt()
	w.Admin(`DELETE FROM portrait`)
	if err := w.portraits.Rebuilds(t.Context()); err != nil {
		t.Fatal(err)
	}
	check()
}
