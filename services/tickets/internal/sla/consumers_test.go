package sla_test

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
	analyticsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/analytics/events/v1"
	loyaltyv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/loyalty/events/v1"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticketstest"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// others are loyalty and analytics, as tickets hears them.
type others struct {
	*ticketstest.World
	t    *testing.T
	told map[string]int64 // events by consumer
	seq  int64
}

func hearing(t *testing.T) *others {
	t.Helper()
	return &others{World: ticketstest.Start(t), t: t, told: make(map[string]int64)}
}

func (o *others) event(service, tenant, kind, id string, m proto.Message) bus.Event {
	o.t.Helper()
	data, err := protojson.Marshal(m)
	if err != nil {
		o.t.Fatal(err)
	}
	o.seq++
	return bus.Event{
		ID: uuid.Must(uuid.NewV7()), Type: string(m.ProtoReflect().Descriptor().FullName()), Source: "/guanxi/" + service, Epoch: 1, Tenant: tenant,
		AggregateType: kind, AggregateID: id, Sequence: o.seq, Time: time.Now().UTC(), Data: data,
	}
}

// tier is what loyalty tells of a member of a programme.
func (o *others) tier(tenant string, customer uuid.UUID, programme, tier string, at time.Time) bus.Event {
	member := uuid.Must(uuid.NewV7()).String()
	return o.event("loyalty", tenant, "member", member, &loyaltyv1.TierChanged{
		MemberId: member, CustomerId: customer.String(), Programme: programme, Tier: tier, Rank: 1, Reason: "earned", ChangedAt: timestamppb.New(at),
	})
}

// grade is what analytics tells of a customer.
func (o *others) grade(tenant string, customer uuid.UUID, grade string, at time.Time) bus.Event {
	return o.event("analytics", tenant, "customer", customer.String(), &analyticsv1.GradeChanged{CustomerId: customer.String(), Grade: grade, AsOf: timestamppb.New(at)})
}

// hear publishes what a service tells and waits until it was taken in.
func (o *others) hear(service string, events ...bus.Event) {
	o.t.Helper()
	consumer := map[string]string{"loyalty": "standing_tiers", "analytics": "standing_grades"}[service]
	o.Publish(service, events...)
	o.told[consumer] += int64(len(events))
	o.Eventually("it is taken in", func() bool {
		return o.Count(`SELECT coalesce(sum(next_offset), 0)::bigint FROM inbox_position WHERE consumer = $1`, consumer) == o.told[consumer]
	})
}

// stands is how a customer stands, as grade and tier.
func (o *others) stands(tenant string, customer uuid.UUID) string {
	o.t.Helper()
	var s struct{ Grade, Tier string }
	o.Want(http.StatusOK, http.MethodGet, "/v1/customer-standings/"+customer.String(), o.Token(auth.RoleAgent, tenant), nil, &s)
	return s.Grade + "/" + s.Tier
}

func (o *others) want(what string, customer uuid.UUID, standing string) {
	o.t.Helper()
	if got := o.stands("pizza", customer); got != standing {
		o.t.Errorf("%s: got %s, want %s", what, got, standing)
	}
}

func (o *others) set(customer uuid.UUID, grade, tier string) {
	o.t.Helper()
	o.Want(http.StatusOK, http.MethodPut, "/v1/customer-standings/"+customer.String(), o.Token(auth.RoleIntegrator, "pizza"),
		map[string]string{"grade": grade, "tier": tier}, nil)
}

func TestTierAndGradeFollowWhatIsToldAndLeaveEachOtherAlone(t *testing.T) {
	t.Parallel()
	o := hearing(t)
	lily := uuid.Must(uuid.NewV7())
	gold := o.tier("pizza", lily, "standard", "gold", noon)
	o.hear("loyalty", gold)
	o.want("a tier", lily, "/gold")
	o.hear("analytics", o.grade("pizza", lily, "top", noon.Add(-time.Hour))) // as of an earlier time than the tier
	o.want("and a grade", lily, "top/gold")
	o.hear("loyalty", o.tier("pizza", lily, "standard", "silver", noon.Add(time.Hour)))
	o.want("the tier falls", lily, "top/silver")
	o.hear("loyalty", gold)
	o.want("it is told again what was", lily, "top/silver")
	o.hear("loyalty", o.tier("pizza", lily, "standard", "bronze", noon.Add(-time.Minute)))
	o.want("it is told late what was before", lily, "top/silver")
	o.hear("loyalty", o.tier("pizza", lily, "miles", "platinum", noon.Add(2*time.Hour)))
	o.want("of another programme", lily, "top/silver")
	o.hear("analytics", o.grade("pizza", lily, "middle", noon.Add(time.Minute)), o.grade("pizza", lily, "base", noon))
	o.want("two at once, the later one first", lily, "middle/silver")
	o.hear("loyalty", o.tier("music", lily, "standard", "gold", noon.Add(3*time.Hour)))
	o.want("of another tenant", lily, "middle/silver")
	if got := o.stands("music", lily); got != "/gold" {
		t.Errorf("the other tenant: got %s", got)
	}
	o.hear("loyalty", o.tier("pizza", lily, "standard", "", noon.Add(4*time.Hour)))
	o.want("there are no tiers any more", lily, "middle/")
}

func TestTheLaterWordHoldsWhoeverSaysIt(t *testing.T) {
	t.Parallel()
	o := hearing(t)
	lily := uuid.Must(uuid.NewV7())
	o.set(lily, "A", "gold")
	o.hear("loyalty", o.tier("pizza", lily, "standard", "silver", noon.AddDate(-1, 0, 0)))
	o.hear("analytics", o.grade("pizza", lily, "base", noon.AddDate(-1, 0, 0)))
	o.want("events that are older than what was set", lily, "A/gold")
	o.hear("loyalty", o.tier("pizza", lily, "standard", "silver", time.Now().Add(time.Second)))
	o.want("a tier told later keeps the grade that was set", lily, "A/silver")
	o.set(lily, "", "gold")
	o.want("set again", lily, "/gold")
	// What was kept by the version before has one time for both.
	o.AsSuperuser(t, `UPDATE customer_standing SET grade = 'B', grade_at = NULL, tier_at = NULL, set_at = $1`, noon)
	o.hear("analytics", o.grade("pizza", lily, "top", noon.Add(-time.Second)))
	o.want("older than what was kept before", lily, "B/gold")
	o.hear("analytics", o.grade("pizza", lily, "top", noon.Add(time.Second)))
	o.want("later than what was kept before", lily, "top/gold")
}

func TestWhatIsToldOfTheErasedIsNotKept(t *testing.T) {
	t.Parallel()
	o := hearing(t)
	lily, rose := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	o.hear("loyalty", o.tier("pizza", lily, "standard", "gold", noon))
	o.AskToErase("pizza", lily)
	o.hear("loyalty", o.tier("pizza", lily, "standard", "silver", noon.Add(time.Hour)), o.tier("pizza", rose, "standard", "gold", noon))
	o.hear("analytics", o.grade("pizza", lily, "top", noon))
	o.want("the erased", lily, "/")
	o.want("another beside", rose, "/gold")
	if n := o.Count(`SELECT count(*) FROM customer_standing WHERE customer_id = $1`, lily); n != 0 {
		t.Errorf("%d rows of the erased", n)
	}
	answer := o.Do(http.MethodPut, "/v1/customer-standings/"+lily.String(), o.Token(auth.RoleIntegrator, "pizza"), map[string]string{"grade": "A", "tier": ""})
	if answer.Status != http.StatusGone {
		t.Errorf("set of the erased: got %d %s", answer.Status, answer.Body)
	}
}

func TestMergedCustomersStandAsTheOneWhoIsLeft(t *testing.T) {
	t.Parallel()
	o := hearing(t)
	lily, rose := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	o.hear("loyalty", o.tier("pizza", lily, "standard", "gold", noon.Add(time.Hour)))
	o.hear("analytics", o.grade("pizza", lily, "base", noon.Add(time.Hour)), o.grade("pizza", rose, "top", noon))
	accounts := o.Accounts("pizza")
	accounts.Merge(lily, rose)
	o.want("the tier of the absorbed, since the other has none, and the own grade", rose, "top/gold")
	o.want("asked by the absorbed", lily, "top/gold")
	o.hear("loyalty", o.tier("pizza", rose, "standard", "silver", noon))
	o.want("once the other has one", rose, "top/silver")
	accounts.Undo(lily, rose)
	o.want("after the undo", lily, "base/gold")
	o.want("after the undo", rose, "top/silver")
}

func TestPoliciesPickByWhatIsTold(t *testing.T) {
	t.Parallel()
	o := hearing(t)
	lily := uuid.Must(uuid.NewV7())
	for position, condition := range []string{`tier == "gold"`, `grade == "top"`} {
		o.Want(http.StatusCreated, http.MethodPost, "/v1/sla-policies", o.Manager, map[string]any{
			"name": condition, "position": 10 - position, "condition": condition,
			"targets": map[string]any{"p3": map[string]any{"first_response_seconds": 3600, "next_response_seconds": 7200, "resolution_seconds": 28800}},
		}, nil)
	}
	picked := func() string {
		t.Helper()
		var made struct {
			ID string `json:"ticket_id"`
		}
		o.Want(http.StatusCreated, http.MethodPost, "/v1/tickets", o.Agent, map[string]any{
			"kind": "incident", "channel": "phone", "subject": "x", "impact": 2, "urgency": 2, "customer_id": lily,
		}, &made)
		var sla struct{ Policy struct{ Name string } }
		o.Want(http.StatusOK, http.MethodGet, "/v1/tickets/"+made.ID+"/sla", o.Agent, nil, &sla)
		return sla.Policy.Name
	}
	if got := picked(); got != "" {
		t.Errorf("of a stranger: %q", got)
	}
	o.hear("loyalty", o.tier("pizza", lily, "standard", "gold", noon))
	if got := picked(); got != `tier == "gold"` {
		t.Errorf("of a golden customer: %q", got)
	}
	o.hear("loyalty", o.tier("pizza", lily, "standard", "basic", noon.Add(time.Hour)))
	o.hear("analytics", o.grade("pizza", lily, "top", noon))
	if got := picked(); got != `grade == "top"` {
		t.Errorf("of a top customer: %q", got)
	}
}

func TestAnEventOfAStandingThatBreaksItsContractIsSetAside(t *testing.T) {
	t.Parallel()
	o := hearing(t)
	lily := uuid.Must(uuid.NewV7())
	nobody := o.event("loyalty", "pizza", "member", uuid.NewString(), &loyaltyv1.TierChanged{CustomerId: "17", Programme: "standard", Tier: "gold", ChangedAt: timestamppb.New(noon)})
	words := o.tier("pizza", lily, "standard", "very gold", noon)
	never := o.event("loyalty", "pizza", "member", uuid.NewString(), &loyaltyv1.TierChanged{CustomerId: lily.String(), Programme: "standard", Tier: "gold"})
	o.hear("loyalty", nobody, words, never, o.tier("pizza", lily, "standard", "silver", noon))
	o.want("what stands beside them", lily, "/silver")
	o.Eventually("they are set aside", func() bool {
		return o.Count(`SELECT count(*) FROM inbox_parked WHERE consumer = 'standing_tiers'`) == 3
	})
}
