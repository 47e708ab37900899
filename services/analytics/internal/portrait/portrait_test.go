package portrait_test

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	accountsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/accounts/events/v1"
	loyaltyv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/loyalty/events/v1"
	salesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/sales/events/v1"
	ticketsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/tickets/events/v1"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/analyticstest"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/portrait"
)

// world is the service, and portraits whose passes the test runs by hand.
type world struct {
	*analyticstest.World
	t         *testing.T
	portraits *portrait.Portraits
}

func start(t *testing.T, follows ...portrait.Follow) world {
	t.Helper()
	w := analyticstest.Start(t)
	return world{w, t, portrait.New(w.DB, w.Database.DB(pg.Ops), outbox.New("analytics"), time.Now, follows...)}
}

// settle runs passes until nothing is due.
func (w world) settle() {
	w.t.Helper()
	for {
		n, err := w.portraits.Pass(w.t.Context())
		if err != nil {
			w.t.Fatal(err)
		}
		if n == 0 {
			return
		}
	}
}

// known gives a customer's fields, after passes; nil where there is no portrait.
func (w world) known(id uuid.UUID) (customer uuid.UUID, fields map[string]any) {
	w.t.Helper()
	w.settle()
	answer := w.Do(http.MethodGet, "/v1/analytics/customers/"+id.String(), w.Sales, nil)
	if answer.Status != http.StatusOK {
		return uuid.Nil, nil
	}
	var body struct {
		CustomerID uuid.UUID `json:"customer_id"`
		Fields     map[string]any
	}
	answer.Decode(w.t, &body)
	return body.CustomerID, body.Fields
}

// has waits until the fields are as wanted.
func (w world) has(id uuid.UUID, want map[string]any) {
	w.t.Helper()
	var last map[string]any
	w.Eventually("the portrait is right", func() bool {
		_, last = w.known(id)
		return last != nil && differs(last, want) == nil
	})
}

// rebuilt has the facts rebuilt from all topics, and fails the test where they come to something else.
func (w world) rebuilt() {
	w.t.Helper()
	operator := w.Token("platform-admin", "")
	var started struct{ ID string }
	w.Want(http.StatusAccepted, http.MethodPost, "/v1/ops/analytics/rebuilds", operator, nil, &started)
	var rebuild struct {
		State  string
		Result struct {
			Equal      bool
			Events     int64
			ParkedLive int64 `json:"parked_live"`
			Parked     int64
		}
	}
	w.Eventually("the rebuild is done", func() bool {
		w.Want(http.StatusOK, http.MethodGet, "/v1/ops/analytics/rebuilds/"+started.ID, operator, nil, &rebuild)
		return rebuild.State == "done" || rebuild.State == "failed"
	})
	if !rebuild.Result.Equal || rebuild.Result.Events == 0 || rebuild.Result.Parked != 0 {
		w.t.Errorf("the rebuild came to %+v", rebuild)
	}
}

func differs(got, want map[string]any) map[string]any {
	diff := map[string]any{}
	for name, v := range want {
		a, _ := json.Marshal(v)
		b, _ := json.Marshal(got[name])
		if string(a) != string(b) {
			diff[name] = got[name]
		}
	}
	if len(diff) == 0 {
		return nil
	}
	return diff
}

func stamp(day int) *timestamppb.Timestamp { return timestamppb.New(analyticstest.Day(2026, 3, day)) }

func at(day int) string { return analyticstest.Day(2026, 3, day).Format(time.RFC3339) }

func TestEachKindOfEventReachesThePortrait(t *testing.T) {
	t.Parallel()
	w := start(t)
	k := analyticstest.NewTeller(t, "music")
	c, order, ticket, complaint, member, lead, opportunity := analyticstest.ID(), analyticstest.ID(), analyticstest.ID(), analyticstest.ID(),
		analyticstest.ID(), analyticstest.ID(), analyticstest.ID()
	id := c.String()
	w.Publish("accounts", k.Registered(c), k.Event("interaction", analyticstest.ID(), &accountsv1.InteractionRecorded{
		InteractionId: analyticstest.ID().String(), CustomerId: id, Channel: "phone", Direction: "inbound", OccurredAt: stamp(20),
	}))
	w.Publish("sales",
		k.Placed(order, c, analyticstest.Day(2026, 3, 1), 3000, &salesv1.OrderLine{LineNo: 1, Sku: `a"b\`, Quantity: 3, AmountMinor: 3000}),
		k.Placed(analyticstest.ID(), c, analyticstest.Day(2026, 3, 11), 1000), k.Returned(order, analyticstest.Day(2026, 3, 5), 1, 1000),
		k.Event("lead", lead, &salesv1.LeadCaptured{LeadId: lead.String(), CustomerId: id, Capture: "form", CapturedAt: stamp(1)}),
		k.Event("lead", lead, &salesv1.LeadLost{LeadId: lead.String(), CustomerId: id, State: "lost", LostAt: stamp(2)}),
		k.Event("lead", lead, &salesv1.LeadReopened{LeadId: lead.String(), CustomerId: id, State: "open", ReopenedAt: stamp(3)}),
		k.Event("opportunity", opportunity, &salesv1.OpportunityOpened{OpportunityId: opportunity.String(), CustomerId: id, Currency: "USD", AmountMinor: 5, OpenedAt: stamp(1)}),
		k.Event("opportunity", opportunity, &salesv1.OpportunityWon{OpportunityId: opportunity.String(), CustomerId: id, State: "won", Currency: "USD", AmountMinor: 7, WonAt: stamp(2)}),
		k.Event("lead", lead, &salesv1.LeadTouchDue{LeadId: lead.String(), CustomerId: id, Programme: "warm", Touch: "paper", Channel: "email", DueAt: stamp(4)}),
	)
	answer := analyticstest.ID()
	w.Publish("tickets",
		k.Event("ticket", ticket, &ticketsv1.TicketOpened{TicketId: ticket.String(), CustomerId: id, Kind: "incident", Channel: "web", Priority: 2, OpenedAt: stamp(7)}),
		k.Event("ticket", ticket, &ticketsv1.TicketResolved{TicketId: ticket.String(), CustomerId: id, Resolution: "solved", FirstContact: true, ResolvedAt: stamp(8)}),
		k.Event("ticket", ticket, &ticketsv1.TicketStatusChanged{TicketId: ticket.String(), CustomerId: id, Status: "resolved", ChangedAt: stamp(8)}),
		k.Event("ticket", ticket, &ticketsv1.TicketReopened{TicketId: ticket.String(), CustomerId: id, Reopened: 1, ReopenedAt: stamp(9)}),
		k.Event("ticket", ticket, &ticketsv1.TicketStatusChanged{TicketId: ticket.String(), CustomerId: id, Status: "open", ChangedAt: stamp(9)}),
		k.Event("complaint", complaint, &ticketsv1.ComplaintRegistered{ComplaintId: complaint.String(), CustomerId: id, Category: "delivery", RegisteredAt: stamp(10)}),
		k.Event("complaint", complaint, &ticketsv1.ComplaintClosed{ComplaintId: complaint.String(), CustomerId: id, Outcome: "settled", ClosedAt: stamp(12)}),
		k.Event("invitation", answer, &ticketsv1.SurveyAnswered{InvitationId: answer.String(), CustomerId: id, SurveyId: analyticstest.ID().String(), Kind: "csat",
			Scored: true, Score: 4, AnsweredAt: stamp(13), Ratings: []*ticketsv1.Rating{{Question: "q", Value: 4}}}),
	)
	w.Publish("loyalty",
		k.Event("member", member, &loyaltyv1.MemberEnrolled{MemberId: member.String(), CustomerId: id, Programme: "standard", EnrolledAt: stamp(1)}),
		k.Event("member", member, &loyaltyv1.PointsEarned{MemberId: member.String(), CustomerId: id, EntryId: analyticstest.ID().String(), Points: 40, Available: 40, EarnedAt: stamp(2)}),
		k.Event("member", member, &loyaltyv1.PointsSpent{MemberId: member.String(), CustomerId: id, EntryId: analyticstest.ID().String(), Points: 40, Available: 0, SpentAt: stamp(3)}),
		k.Event("member", member, &loyaltyv1.TierChanged{MemberId: member.String(), CustomerId: id, Programme: "standard", Tier: "gold", Rank: 2, ChangedAt: stamp(3)}),
		k.Event("member", member, &loyaltyv1.MembershipStarted{MemberId: member.String(), MembershipId: analyticstest.ID().String(), CustomerId: id, Plan: "plus",
			StartsAt: stamp(1), EndsAt: stamp(31)}),
	)
	w.has(c, map[string]any{
		"kind": "person", "orders": 2, "purchase_days": 2, "first_purchase_on": "2026-03-01", "last_purchase_on": "2026-03-11", "units": 3,
		"gross_minor": 4000, "returned_minor": 1000, "net_minor": 3000, "products": []string{`a"b\`, "cd"}, "channels": []string{"shop"}, "rhythm_days": 10,
		"mean_order_minor": 1500, "tickets": 1, "tickets_open": 1, "complaints": 1, "complaints_open": 0, "interactions": 1, "last_contact_at": at(20),
		"touches": 1, "last_touch_at": at(4), "csat": 4, "csat_at": at(13), "nps": nil, "tier": "gold", "points_available": 0, "contract_ends_on": "2026-03-31",
		"leads_open": 1, "opportunities_open": 0, "opportunities_won": 1,
	})
	w.rebuilt()
	if answer := w.Do(http.MethodGet, "/v1/analytics/customers/"+id, w.Token("marketing", "pizza"), nil); answer.Status != http.StatusNotFound {
		t.Errorf("another tenant got %d", answer.Status)
	}
}

func TestAMergedCustomerHasOnePortraitAndAnErasedOneNone(t *testing.T) {
	t.Parallel()
	var told []uuid.UUID
	w := start(t, func(_ context.Context, _ *pg.Tx, customers []uuid.UUID, _ time.Time) ([]outbox.Event, error) {
		told = append(told, customers...)
		return nil, nil
	})
	accounts := w.Accounts("music")
	k := analyticstest.NewTeller(t, "music")
	a, b := analyticstest.ID(), analyticstest.ID()
	w.Publish("sales", k.Placed(analyticstest.ID(), a, analyticstest.Day(2026, 3, 1), 100), k.Placed(analyticstest.ID(), b, analyticstest.Day(2026, 3, 2), 50))
	w.has(a, map[string]any{"net_minor": 100})
	w.has(b, map[string]any{"net_minor": 50})
	accounts.Merge(a, b)
	w.has(b, map[string]any{"net_minor": 150, "orders": 2})
	if customer, _ := w.known(a); customer != b {
		t.Errorf("the id that was merged is shown as %s", customer)
	}
	told = nil
	accounts.Undo(a, b)
	w.has(a, map[string]any{"net_minor": 100})
	w.has(b, map[string]any{"net_minor": 50})
	if len(told) < 2 {
		t.Errorf("those who follow were told of %v", told)
	}
	w.Publish("accounts", accounts.Erased(a))
	w.Eventually("the portrait is gone", func() bool {
		w.settle()
		return w.Do(http.MethodGet, "/v1/analytics/customers/"+a.String(), w.Sales, nil).Status == http.StatusGone
	})
	w.Publish("sales", k.Placed(analyticstest.ID(), a, analyticstest.Day(2026, 3, 9), 1))
	w.Eventually("what comes late is heard", func() bool {
		w.settle()
		return w.Count(`SELECT count(*) FROM live.fact_order WHERE customer_id = $1`, a) == 2
	})
	if w.settle(); w.Do(http.MethodGet, "/v1/analytics/customers/"+a.String(), w.Sales, nil).Status != http.StatusGone {
		t.Error("what came late gave an erased customer a portrait")
	}
	accounts.Merge(b, analyticstest.ID())
	w.rebuilt()
}

func TestAPassThatFailsLosesNothing(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	fail := true
	w := start(t, func(context.Context, *pg.Tx, []uuid.UUID, time.Time) ([]outbox.Event, error) {
		if fail {
			return nil, broken
		}
		return nil, nil
	})
	k := analyticstest.NewTeller(t, "music")
	c := analyticstest.ID()
	w.Publish("sales", k.Placed(analyticstest.ID(), c, analyticstest.Day(2026, 3, 1), 100))
	w.Eventually("a pass fails", func() bool {
		_, err := w.portraits.Pass(t.Context())
		return errors.Is(err, broken)
	})
	if answer := w.Do(http.MethodGet, "/v1/analytics/customers/"+c.String(), w.Sales, nil); answer.Status != http.StatusNotFound {
		t.Fatalf("got %d", answer.Status)
	}
	fail = false
	w.Admin(`UPDATE portrait_aside SET again_at = now()`) // a minute goes by
	w.has(c, map[string]any{"net_minor": 100})
}

// TestRandomHistoriesComeToWhatASlowReckoningSays has events come twice and out of order, and compares with a plain sum.
func TestRandomHistoriesComeToWhatASlowReckoningSays(t *testing.T) {
	t.Parallel()
	w := start(t)
	k := analyticstest.NewTeller(t, "music")
	random := rand.New(rand.NewPCG(3, 1))
	type sum struct {
		orders, gross, returned int64
		days                    map[int]bool
	}
	want := map[uuid.UUID]*sum{}
	var customers []uuid.UUID
	for range 12 {
		c := analyticstest.ID()
		customers, want[c] = append(customers, c), &sum{days: map[int]bool{}}
	}
	var events []bus.Event
	for range 150 {
		c, order, day, total := customers[random.IntN(len(customers))], analyticstest.ID(), 1+random.IntN(28), 100*(1+random.Int64N(9))
		events = append(events, k.Placed(order, c, analyticstest.Day(2026, 2, day), total))
		want[c].gross += total
		if random.IntN(3) == 0 { // its only unit comes back
			events = append(events, k.Returned(order, analyticstest.Day(2026, 3, 1), 1, total))
			want[c].returned += total
			continue
		}
		want[c].orders++
		want[c].days[day] = true
	}
	random.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
	for len(events) > 0 {
		n := min(1+random.IntN(40), len(events))
		w.Publish("sales", append(events[:n:n], events[0])...)
		events = events[n:]
		if _, err := w.portraits.Pass(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	check := func() {
		t.Helper()
		for c, s := range want {
			w.has(c, map[string]any{"orders": s.orders, "purchase_days": len(s.days), "gross_minor": s.gross, "returned_minor": s.returned, "net_minor": s.gross - s.returned})
		}
	}
	check()
	w.rebuilt()
	// A run over all of them finds what is lost.
	w.Admin(`UPDATE portrait SET orders = 77 WHERE tenant_id = 'music'`)
	w.Admin(`DELETE FROM portrait WHERE tenant_id = 'music' AND customer_id = $1`, customers[0])
	var run struct{ ID string }
	w.Want(http.StatusAccepted, http.MethodPost, "/v1/analytics/portraits/rebuilds", w.Marketing, nil, &run)
	w.Eventually("the run is done", func() bool {
		if err := w.portraits.Rebuilds(t.Context()); err != nil {
			t.Fatal(err)
		}
		var got struct{ State string }
		w.Want(http.StatusOK, http.MethodGet, "/v1/analytics/portraits/rebuilds/"+run.ID, w.Sales, nil, &got)
		return got.State == "done"
	})
	check()
}
