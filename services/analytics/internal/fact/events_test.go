package fact_test

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/pg"
	accountsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/accounts/events/v1"
	loyaltyv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/loyalty/events/v1"
	salesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/sales/events/v1"
	ticketsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/tickets/events/v1"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/analyticstest"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/fact"
)

// told is one aggregate's events, and the row that they come to.
type told struct {
	name, aggregate, table, key string
	events                      []proto.Message
	want                        string // a JSON object: "C" is the customer, "D1" the first of March and so on
}

// otherID is what an aggregate speaks of beside its customer: "O" in wanted rows.
const otherID = "01890000-0000-7000-8000-00000000000e"

func on(day int) *timestamppb.Timestamp { return timestamppb.New(analyticstest.Day(2026, 3, day)) }

// everything has each event that the consumers handle in at least one case.
var everything = []told{
	{"a customer", "customer", "fact_customer", "customer_id", []proto.Message{
		&accountsv1.CustomerRegistered{Kind: accountsv1.CustomerKind_CUSTOMER_KIND_ORGANISATION, Source: "fair", RegisteredAt: on(1)},
	}, `{"kind": "organisation", "source": "fair", "registered_at": "D1", "erased_at": null}`},
	{"an erased customer", "customer", "fact_customer", "customer_id", []proto.Message{
		&accountsv1.CustomerRegistered{Kind: accountsv1.CustomerKind_CUSTOMER_KIND_PERSON, Source: "fair", RegisteredAt: on(1)},
		&accountsv1.CustomerErased{ErasedAt: on(2)},
	}, `{"registered_at": "D1", "erased_at": "D2"}`},
	{"a merged customer", "customer", "customer_alias", "customer_id", []proto.Message{
		&accountsv1.CustomerAbsorbed{SurvivorId: otherID, MergeId: otherID},
	}, `{"survivor_id": "O"}`},
	{"a customer whose merge was undone", "customer", "customer_alias", "customer_id", []proto.Message{
		&accountsv1.CustomerAbsorbed{SurvivorId: otherID, MergeId: otherID}, &accountsv1.CustomerRestored{SurvivorId: otherID, MergeId: otherID},
	}, `{"survivor_id": null}`},
	{"an interaction", "interaction", "fact_interaction", "interaction_id", []proto.Message{
		&accountsv1.InteractionRecorded{Channel: "phone", Direction: "inbound", Touchpoint: "hotline", Outcome: "advice", DurationSeconds: 90, OccurredAt: on(2)},
	}, `{"customer_id": "C", "channel": "phone", "direction": "inbound", "touchpoint": "hotline", "outcome": "advice", "duration_seconds": 90, "occurred_at": "D2"}`},
	{"an order that is attributed", "order", "fact_order", "order_id", []proto.Message{
		&salesv1.OrderPlaced{Channel: "web", Currency: "USD", Units: 3, TotalMinor: 700, PlacedAt: on(3), OpportunityId: otherID, CustomerId: "-", Lines: []*salesv1.OrderLine{
			{LineNo: 1, Sku: `a"b\c`, Quantity: 1, AmountMinor: 500}, {LineNo: 2, Quantity: 2, AmountMinor: 200}}},
		&salesv1.OrderAttributed{AttributedAt: on(4)},
	}, `{"customer_id": "C", "channel": "web", "currency": "USD", "units": 3, "total_minor": 700, "placed_at": "D3", "opportunity_id": "O",
		"skus": ["a\"b\\c", ""], "quantities": [1, 2], "amounts": [500, 200]}`},
	{"a return", "order", "fact_return", "order_id", []proto.Message{
		&salesv1.OrderPlaced{Channel: "web", Currency: "USD", Units: 3, TotalMinor: 700, PlacedAt: on(3)},
		&salesv1.OrderReturned{ReturnId: otherID, Currency: "USD", Units: 1, AmountMinor: 200, ReturnedAt: on(5)},
	}, `{"return_id": "O", "currency": "USD", "units": 1, "amount_minor": 200, "returned_at": "D5"}`},
	{"a lead that was lost and came back", "lead", "fact_lead", "lead_id", []proto.Message{
		&salesv1.LeadCaptured{Capture: "form", Source: "fair", Campaign: "spring", CapturedAt: on(1)}, &salesv1.LeadLost{LostAt: on(2)}, &salesv1.LeadReopened{ReopenedAt: on(3)},
	}, `{"customer_id": "C", "capture": "form", "source": "fair", "campaign": "spring", "captured_at": "D1", "state": "open", "lost_at": null}`},
	{"a lead that was lost", "lead", "fact_lead", "lead_id", []proto.Message{
		&salesv1.LeadCaptured{Capture: "api", CapturedAt: on(1)}, &salesv1.LeadLost{LostAt: on(2)},
	}, `{"state": "lost", "lost_at": "D2", "converted_at": null}`},
	{"a lead that was converted", "lead", "fact_lead", "lead_id", []proto.Message{
		&salesv1.LeadCaptured{Capture: "api", CapturedAt: on(1)}, &salesv1.LeadConverted{OpportunityId: otherID, ConvertedAt: on(2)},
	}, `{"state": "converted", "converted_at": "D2", "opportunity_id": "O"}`},
	{"a conversion that was undone", "lead", "fact_lead", "lead_id", []proto.Message{
		&salesv1.LeadCaptured{Capture: "api", CapturedAt: on(1)}, &salesv1.LeadConverted{OpportunityId: otherID, ConvertedAt: on(2)}, &salesv1.LeadConversionUndone{UndoneAt: on(3)},
	}, `{"state": "open", "converted_at": null, "opportunity_id": null}`},
	{"a touch of nurturing", "lead", "fact_touch", "customer_id", []proto.Message{
		&salesv1.LeadTouchDue{Programme: "warm", Touch: "paper", Channel: "email", DueAt: on(2)},
	}, `{"campaign": "warm", "touch": "paper", "channel": "email", "origin": "nurture", "at": "D2"}`},
	{"an opportunity that was won", "opportunity", "fact_opportunity", "opportunity_id", []proto.Message{
		&salesv1.OpportunityOpened{LeadId: otherID, Pipeline: "b2b", Source: "fair", Stage: "new", Currency: "USD", AmountMinor: 5, OpenedAt: on(1)},
		&salesv1.OpportunityStageChanged{Pipeline: "b2b", Stage: "offer", Currency: "USD", AmountMinor: 6, ChangedAt: on(2)},
		&salesv1.OpportunityChanged{Currency: "USD", AmountMinor: 7, ChangedAt: on(3)},
		&salesv1.OpportunityWon{Pipeline: "b2b", Stage: "won", Source: "fair", Currency: "USD", AmountMinor: 8, WonAt: on(4)},
	}, `{"customer_id": "C", "lead_id": "O", "pipeline": "b2b", "source": "fair", "stage": "won", "state": "won", "currency": "USD", "amount_minor": 8, "opened_at": "D1", "closed_at": "D4"}`},
	{"an opportunity that was lost", "opportunity", "fact_opportunity", "opportunity_id", []proto.Message{
		&salesv1.OpportunityOpened{Stage: "new", Currency: "USD", AmountMinor: 5, OpenedAt: on(1)},
		&salesv1.OpportunityChanged{Currency: "USD", AmountMinor: 7, ChangedAt: on(2)},
		&salesv1.OpportunityLost{Stage: "new", Reason: "price", LostAt: on(3)},
	}, `{"state": "lost", "reason": "price", "closed_at": "D3", "amount_minor": 7}`},
	{"an opportunity that was reopened", "opportunity", "fact_opportunity", "opportunity_id", []proto.Message{
		&salesv1.OpportunityOpened{Stage: "new", Currency: "USD", AmountMinor: 5, OpenedAt: on(1)},
		&salesv1.OpportunityLost{Stage: "new", Reason: "price", LostAt: on(3)}, &salesv1.OpportunityReopened{Stage: "offer", ReopenedAt: on(4)},
	}, `{"state": "open", "reason": "", "closed_at": null, "stage": "offer"}`},
	{"an opportunity that was withdrawn", "opportunity", "fact_opportunity", "opportunity_id", []proto.Message{
		&salesv1.OpportunityOpened{Stage: "new", Currency: "USD", AmountMinor: 5, OpenedAt: on(1)}, &salesv1.OpportunityWithdrawn{WithdrawnAt: on(2)},
	}, `{"state": "withdrawn", "closed_at": "D2"}`},
	{"a ticket that was closed", "ticket", "fact_ticket", "ticket_id", []proto.Message{
		&ticketsv1.TicketOpened{Kind: "incident", Channel: "web", Priority: 2, OpenedAt: on(1)}, &ticketsv1.TicketReplied{Author: "agent", RepliedAt: on(2)},
		&ticketsv1.TicketReplied{Author: "automatic", RepliedAt: on(2)}, &ticketsv1.TicketResolved{Resolution: "solved", FirstContact: true, ResolvedAt: on(3)},
		&ticketsv1.TicketStatusChanged{Status: "resolved", ChangedAt: on(3)}, &ticketsv1.TicketClosed{Resolution: "solved", ClosedAt: on(4)},
		&ticketsv1.TicketStatusChanged{Status: "closed", ChangedAt: on(4)},
	}, `{"customer_id": "C", "kind": "incident", "channel": "web", "priority": 2, "status": "closed", "opened_at": "D1", "resolved_at": "D3", "closed_at": "D4",
		"first_contact": true, "reopened": 0, "replies": 1, "resolution": "solved"}`},
	{"a ticket that was reopened", "ticket", "fact_ticket", "ticket_id", []proto.Message{
		&ticketsv1.TicketOpened{Kind: "incident", Channel: "web", Priority: 2, OpenedAt: on(1)}, &ticketsv1.TicketResolved{Resolution: "solved", FirstContact: true, ResolvedAt: on(3)},
		&ticketsv1.TicketStatusChanged{Status: "resolved", ChangedAt: on(3)}, &ticketsv1.TicketReopened{Reopened: 1, ReopenedAt: on(4)},
		&ticketsv1.TicketStatusChanged{Status: "open", ChangedAt: on(4)},
	}, `{"status": "open", "resolved_at": null, "first_contact": null, "reopened": 1, "resolution": ""}`},
	{"a complaint that was settled twice", "complaint", "fact_complaint", "complaint_id", []proto.Message{
		&ticketsv1.ComplaintRegistered{Category: "delivery", RegisteredAt: on(1)}, &ticketsv1.ComplaintAssessed{Admissible: true, Severity: 2, AssessedAt: on(2)},
		&ticketsv1.ComplaintClosed{Outcome: "settled", CostMinor: 900, Currency: "USD", ClosedAt: on(3)}, &ticketsv1.ComplaintReopened{ReopenedAt: on(4)},
		&ticketsv1.ComplaintClosed{Outcome: "rejected", ClosedAt: on(5)},
	}, `{"customer_id": "C", "category": "delivery", "severity": 2, "registered_at": "D1", "closed_at": "D5", "outcome": "rejected", "cost_minor": 900, "currency": "USD", "reopened": 1}`},
	{"a complaint that was reopened", "complaint", "fact_complaint", "complaint_id", []proto.Message{
		&ticketsv1.ComplaintRegistered{Category: "delivery", RegisteredAt: on(1)}, &ticketsv1.ComplaintAssessed{Severity: 2, AssessedAt: on(2)},
		&ticketsv1.ComplaintClosed{Outcome: "settled", ClosedAt: on(3)}, &ticketsv1.ComplaintReopened{ReopenedAt: on(4)}, &ticketsv1.ComplaintAssessed{AssessedAt: on(5)},
	}, `{"severity": null, "closed_at": null, "outcome": "", "reopened": 1}`},
	{"a survey that was sent", "invitation", "fact_touch", "customer_id", []proto.Message{
		&ticketsv1.SurveySent{SurveyId: otherID, Kind: "csat", Touchpoint: "delivery", Channel: "email", SentAt: on(2)},
	}, `{"campaign": "csat", "touch": "delivery", "channel": "email", "origin": "survey", "at": "D2"}`},
	{"an answer", "invitation", "fact_answer", "answer_id", []proto.Message{
		&ticketsv1.SurveyAnswered{SurveyId: otherID, Kind: "nps", Scored: true, Score: 0, Touchpoint: "delivery", TicketId: otherID, Channel: "email", AnsweredAt: on(2),
			Ratings: []*ticketsv1.Rating{{Question: "speed", Value: 4}}},
	}, `{"customer_id": "C", "survey_id": "O", "kind": "nps", "score": 0, "touchpoint": "delivery", "ticket_id": "O", "complaint_id": null, "channel": "email", "answered_at": "D2", "ratings": {"speed": 4}}`},
	{"a member who left", "member", "fact_member", "member_id", []proto.Message{
		&loyaltyv1.MemberEnrolled{Programme: "standard", EnrolledAt: on(1)}, &loyaltyv1.TierChanged{Programme: "standard", Tier: "gold", Rank: 2, ChangedAt: on(2)},
		&loyaltyv1.MemberLeft{Programme: "standard", LeftAt: on(3)},
	}, `{"customer_id": "C", "programme": "standard", "tier": "gold", "tier_rank": 2, "enrolled_at": "D1", "left_at": "D3"}`},
	{"a member who came back", "member", "fact_member", "member_id", []proto.Message{
		&loyaltyv1.MemberEnrolled{Programme: "standard", EnrolledAt: on(1)}, &loyaltyv1.MemberLeft{LeftAt: on(3)}, &loyaltyv1.MemberReinstated{ReinstatedAt: on(4)},
	}, `{"programme": "standard", "left_at": null}`},
	{"a membership that was renewed", "membership", "fact_membership", "membership_id", []proto.Message{
		&loyaltyv1.MembershipStarted{MemberId: otherID, Plan: "plus", StartsAt: on(1), EndsAt: on(10)}, &loyaltyv1.MembershipRenewed{MemberId: otherID, Plan: "plus", Term: 2, EndsAt: on(20), RenewedAt: on(9)},
		&loyaltyv1.MembershipRenewed{MemberId: otherID, Plan: "plus", Term: 3, EndsAt: on(30), RenewedAt: on(19)},
	}, `{"customer_id": "C", "plan": "plus", "started_at": "D1", "renewals": 2, "ends_at": "D30", "ended_at": null}`},
	{"a membership that ended", "membership", "fact_membership", "membership_id", []proto.Message{
		&loyaltyv1.MembershipStarted{MemberId: otherID, Plan: "plus", StartsAt: on(1), EndsAt: on(10)}, &loyaltyv1.MembershipEnded{MemberId: otherID, Plan: "plus", EndedAt: on(10)},
	}, `{"renewals": 0, "ends_at": "D10", "ended_at": "D10"}`},
	{"a contact to keep somebody", "retention_case", "fact_touch", "customer_id", []proto.Message{
		&loyaltyv1.RetentionContactDue{CaseId: otherID, Step: "call", Channel: "phone", DueAt: on(2)},
	}, `{"campaign": "retention", "touch": "call", "channel": "phone", "origin": "retention", "at": "D2"}`},
	{"points that were earned", "member", "fact_points", "member_id", []proto.Message{&loyaltyv1.PointsEarned{Points: 40, Available: 40, ReasonType: "order", EarnedAt: on(2)}},
		`{"customer_id": "C", "kind": "earned", "points": 40, "reason_type": "order", "at": "D2"}`},
	{"points that were released", "member", "fact_points", "member_id", []proto.Message{&loyaltyv1.PointsReleased{Points: 1, Available: 1, ReleasedAt: on(2)}},
		`{"kind": "released", "points": 1, "at": "D2"}`},
	{"points that were spent", "member", "fact_points", "member_id", []proto.Message{&loyaltyv1.PointsSpent{Points: 2, ReasonType: "reward", SpentAt: on(2)}},
		`{"kind": "spent", "points": 2, "reason_type": "reward", "at": "D2"}`},
	{"points that were reversed", "member", "fact_points", "member_id", []proto.Message{&loyaltyv1.PointsReversed{Points: 3, ReasonType: "return", ReversedAt: on(2)}},
		`{"kind": "reversed", "points": 3, "reason_type": "return", "at": "D2"}`},
	{"points that were restored", "member", "fact_points", "member_id", []proto.Message{&loyaltyv1.PointsRestored{Points: 4, ReasonType: "return", RestoredAt: on(2)}},
		`{"kind": "restored", "points": 4, "reason_type": "return", "at": "D2"}`},
	{"points that expired", "member", "fact_points", "member_id", []proto.Message{&loyaltyv1.PointsExpired{Points: 5, ExpiredAt: on(2)}},
		`{"kind": "expired", "points": 5, "at": "D2"}`},
	{"points taken by hand", "member", "fact_points", "member_id", []proto.Message{&loyaltyv1.PointsAdjusted{Points: -6, ReasonType: "goodwill", AdjustedAt: on(2)}},
		`{"kind": "adjusted", "points": -6, "reason_type": "goodwill", "at": "D2"}`},
	{"what a member has", "member", "fact_member", "member_id", []proto.Message{
		&loyaltyv1.MemberEnrolled{Programme: "standard", EnrolledAt: on(1)}, &loyaltyv1.PointsEarned{Points: 40, Available: 40, EarnedAt: on(2)}, &loyaltyv1.PointsSpent{Points: 40, Available: 0, SpentAt: on(3)},
	}, `{"points_available": 0}`},
}

// complete fills in the ids that the case leaves out: the aggregate's, the customer's, and one of the entry.
func complete(m proto.Message, aggregate string, id, customer uuid.UUID) {
	r := m.ProtoReflect()
	fields := r.Descriptor().Fields()
	for name, value := range map[string]string{
		aggregate + "_id": id.String(), "customer_id": customer.String(), "entry_id": analyticstest.ID().String(), "member_id": id.String(),
	} {
		f := fields.ByName(protoreflect.Name(name))
		switch {
		case f == nil:
		case r.Get(f).String() == "":
			r.Set(f, protoreflect.ValueOfString(value))
		case r.Get(f).String() == "-":
			r.Clear(f)
		}
	}
}

func TestEachEventLandsInItsRow(t *testing.T) {
	t.Parallel()
	w := analyticstest.Start(t)
	k := analyticstest.NewTeller(t, "music")
	type row struct {
		told
		id, customer uuid.UUID
	}
	var rows []row
	handled := map[string]bool{}
	topics := map[string][]bus.Event{}
	for _, c := range everything {
		one := row{c, analyticstest.ID(), analyticstest.ID()}
		if c.aggregate == "customer" {
			one.customer = one.id
		}
		for _, m := range c.events {
			m = proto.Clone(m)
			complete(m, c.aggregate, one.id, one.customer)
			e := k.Event(c.aggregate, one.id, m)
			handled[e.Type] = true
			service := strings.Split(e.Type, ".")[1]
			topics[service] = append(topics[service], e, e)
		}
		rows = append(rows, one)
	}
	for _, consumer := range fact.Consumers() {
		for _, m := range consumer.Handles {
			if name := string(m.ProtoReflect().Descriptor().FullName()); !handled[name] {
				t.Errorf("no case has %s", name)
			}
		}
	}
	for _, service := range slices.Sorted(maps.Keys(topics)) {
		w.Publish(service, topics[service]...)
	}
	for _, one := range rows {
		text := one.want
		for from, to := range map[string]string{`"C"`: one.customer.String(), `"O"`: otherID} {
			text = strings.ReplaceAll(text, from, `"`+to+`"`)
		}
		for day := 31; day > 0; day-- {
			text = strings.ReplaceAll(text, `"D`+strconv.Itoa(day)+`"`, `"`+analyticstest.Day(2026, 3, day).Format(time.RFC3339)+`"`)
		}
		var want, got map[string]any
		if err := json.Unmarshal([]byte(text), &want); err != nil {
			t.Fatalf("%s: %v", one.name, err)
		}
		key := one.id
		if one.key == "customer_id" {
			key = one.customer
		}
		diff := map[string]any{}
		w.Eventually(one.name+" is known", func() bool {
			clear(diff)
			got = readRow(t, w, one.table, one.key, key)
			for name, v := range want {
				if has, there := got[name]; !there || !reflect.DeepEqual(has, v) {
					diff[name] = has
				}
			}
			return got != nil && len(diff) == 0
		})
	}
}

// readRow is a row as JSON, moments in UTC; nil where there is none.
func readRow(t *testing.T, w *analyticstest.World, table, key string, id uuid.UUID) (row map[string]any) {
	t.Helper()
	var text []byte
	err := w.Database.DB(pg.Ops).System(t.Context(), func(tx *pg.Tx) error {
		tx.Queue(`SET LOCAL timezone = 'UTC'`)
		return tx.QueryRow(t.Context(), `SELECT coalesce((SELECT to_jsonb(f) FROM live.`+table+` f WHERE tenant_id = 'music' AND `+key+` = $1), 'null')`, id).Scan(&text)
	})
	if err == nil {
		err = json.Unmarshal([]byte(strings.ReplaceAll(string(text), `+00:00"`, `Z"`)), &row)
	}
	if err != nil {
		t.Fatal(err)
	}
	return row
}
