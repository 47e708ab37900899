package recovery_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/platform/pg"
	ticketsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/tickets/events/v1"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticketstest"
)

type body = ticketstest.Body

// told are the events of one complaint, in their sequence.
func told(t *testing.T, complaint uuid.UUID, messages ...proto.Message) (all []bus.Event) {
	t.Helper()
	for i, m := range messages {
		data, err := protojson.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, bus.Event{ID: id(), Type: string(m.ProtoReflect().Descriptor().FullName()), Source: "/guanxi/tickets", Epoch: 1,
			Tenant: "pizza", AggregateType: "complaint", AggregateID: complaint.String(), Sequence: int64(i + 1), Time: time.Now().UTC(), Data: data})
	}
	return all
}

// life is a complaint of the customer from its registration to its end, between which it was reopened.
func life(t *testing.T, customer uuid.UUID, registered time.Time, costMinor int64) []bus.Event {
	t.Helper()
	c := id()
	at := func(days int) *timestamppb.Timestamp {
		return timestamppb.New(registered.Add(time.Duration(days) * day))
	}
	return told(t, c,
		&ticketsv1.ComplaintRegistered{ComplaintId: c.String(), CustomerId: customer.String(), RegisteredAt: at(0)},
		&ticketsv1.ComplaintClosed{ComplaintId: c.String(), CustomerId: customer.String(), Outcome: "not_agreed", ClosedAt: at(5)},
		&ticketsv1.ComplaintReopened{ComplaintId: c.String(), CustomerId: customer.String(), ReopenedAt: at(6)},
		&ticketsv1.ComplaintClosed{ComplaintId: c.String(), CustomerId: customer.String(), Outcome: "settled", CostMinor: costMinor, Currency: "CNY", ClosedAt: at(10)})
}

type report struct {
	Customers  int
	TooEarly   int `json:"too_early"`
	Repurchase struct {
		Verdict          string
		Pairs, Unmatched int
		Complained       struct{ Value float64 }
		Matched          struct{ Value float64 }
		Difference       *struct{ Value, Low, High float64 }
	}
	Satisfaction struct {
		Verdict    string
		Pairs      int
		Difference *struct{ Value float64 }
	}
	Costs []struct {
		Currency     string
		TotalMinor   int64                    `json:"total_minor"`
		PerRecovered *struct{ Value float64 } `json:"per_recovered"`
	}
	Method struct{ Matching string }
}

func TestRecoveryIsMeasuredFromWhatEventsTell(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	registered := time.Now().UTC().Truncate(day).Add(-150 * day)
	var survey struct {
		ID string `json:"survey_id"`
	}
	w.Want(http.StatusCreated, http.MethodPost, "/v1/surveys", w.Manager, body{"code": "csat", "template": "csat"}, &survey)
	twin := id()
	var events []bus.Event
	err := w.DB.Tx(t.Context(), "pizza", func(tx *pg.Tx) error {
		for i := range 64 {
			customer := id()
			buys := func(days int) {
				tx.Queue(`INSERT INTO purchase (tenant_id, order_id, customer_id, channel, currency, units, total_minor, placed_at)
					VALUES ('pizza', $1, $2, 'web', 'CNY', 1, 100, $3)`, id(), customer, registered.Add(time.Duration(days)*day))
			}
			says := func(days, score int) {
				tx.Queue(`INSERT INTO survey_answer (tenant_id, id, survey_id, version, customer_id, touchpoint, language, score, answered_at)
					VALUES ('pizza', $1, $2, 1, $3, '', 'en', $4, $5)`, id(), survey.ID, customer, score, registered.Add(time.Duration(days)*day))
			}
			buys(-20)
			says(-30, 3)
			complained := i%2 == 0
			if complained {
				events = append(events, life(t, customer, registered, 500)...)
				says(30, 5)
			} else {
				says(30, 3)
			}
			if i%4 == 0 || i%16 == 1 {
				buys(40)
			}
			if i == 0 {
				tx.Queue(`INSERT INTO customer_alias (tenant_id, customer_id, survivor_id, merge_id, epoch, seq) VALUES ('pizza', $1, $2, $3, 1, 1)`, twin, customer, id())
			}
		}
		return tx.Flush(t.Context())
	})
	if err != nil {
		t.Fatal(err)
	}
	events = append(events, life(t, twin, registered.Add(day), 9_000)...)   // the same customer again
	events = append(events, life(t, id(), registered.Add(100*day), 100)...) // too early
	w.Publish("tickets", events...)
	w.Eventually("all cases are known", func() bool {
		return w.Count(`SELECT count(*) FROM recovery_case WHERE closed_at IS NOT NULL AND outcome = 'settled'`) == 34
	})
	var r report
	w.Want(http.StatusOK, http.MethodGet, "/v1/complaint-recovery", w.Manager, nil, &r)
	if r.Customers != 32 || r.TooEarly != 1 || r.Repurchase.Pairs != 32 || r.Repurchase.Verdict != "enough" {
		t.Fatalf("%+v", r)
	}
	if r.Repurchase.Complained.Value != 0.5 || r.Repurchase.Matched.Value != 0.125 || r.Repurchase.Difference.Low <= 0 {
		t.Errorf("%+v", r.Repurchase)
	}
	if r.Satisfaction.Pairs != 32 || r.Satisfaction.Difference == nil || r.Satisfaction.Difference.Value != 2 {
		t.Errorf("%+v", r.Satisfaction)
	}
	if len(r.Costs) != 1 || r.Costs[0].TotalMinor != 16_000 || r.Costs[0].PerRecovered.Value != 1_000 || r.Method.Matching == "" {
		t.Errorf("%+v", r.Costs)
	}
	w.Want(http.StatusOK, http.MethodGet, "/v1/complaint-recovery?outcome=withdrawn", w.Manager, nil, &r)
	if r.Customers != 0 || r.Repurchase.Verdict != "not_enough_data" || r.Satisfaction.Verdict != "not_enough_data" {
		t.Errorf("%+v", r)
	}
	w.Want(http.StatusOK, http.MethodGet, "/v1/complaint-recovery?outcome=any&to=2020-01-01T00:00:00Z", w.Manager, nil, &r)
	if r.Customers != 0 {
		t.Errorf("%+v", r)
	}
	w.Want(http.StatusOK, http.MethodGet, "/v1/complaint-recovery", w.Token(auth.RoleAdmin, "music"), nil, &r)
	if r.Customers != 0 || r.TooEarly != 0 {
		t.Errorf("another tenant's: %+v", r)
	}
	w.Want(http.StatusForbidden, http.MethodGet, "/v1/complaint-recovery", w.Agent, nil, nil)
}

func TestAComplaintThatIsOpenAgainHasNoEnd(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	customer := id()
	events := life(t, customer, time.Now().Add(-150*day), 500)
	w.Publish("tickets", events[:3]...)
	w.Eventually("it is open again", func() bool {
		return w.Count(`SELECT count(*) FROM recovery_case WHERE customer_id = $1 AND closed_at IS NULL AND registered_at IS NOT NULL`, customer) == 1 &&
			w.Count(`SELECT count(*) FROM recovery_case WHERE outcome = 'not_agreed'`) <= 1
	})
	w.Publish("tickets", events[3])
	w.Eventually("it ends anew", func() bool {
		return w.Count(`SELECT cost_minor FROM recovery_case WHERE customer_id = $1`, customer) == 500
	})
}

func TestRecoveryRefusesBadInput(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	badinput.Check(t, badinput.Target{URL: w.URL, Token: w.Manager, Method: http.MethodGet, Path: "/v1/complaint-recovery"})
	for _, query := range []string{"from=yesterday", "to=1", "outcome=x&outcome=y"} {
		if a := w.Do(http.MethodGet, "/v1/complaint-recovery?"+query, w.Manager, nil); a.Status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s", query, a.Status, a.Body)
		}
	}
}
