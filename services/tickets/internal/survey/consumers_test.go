package survey_test

import (
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/pg"
	accountsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/accounts/events/v1"
	ticketsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/tickets/events/v1"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/survey"
)

// event is one of the service as its topic has it.
func event(t *testing.T, service, aggregate string, id uuid.UUID, m proto.Message) bus.Event {
	t.Helper()
	data, err := protojson.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return bus.Event{ID: uuid.Must(uuid.NewV7()), Type: string(m.ProtoReflect().Descriptor().FullName()), Source: "/guanxi/" + service, Epoch: 1,
		Tenant: "pizza", AggregateType: aggregate, AggregateID: id.String(), Sequence: 1, Time: time.Now().UTC(), Data: data}
}

func met(t *testing.T, customer uuid.UUID, touchpoint string, at time.Time) bus.Event {
	t.Helper()
	id := uuid.Must(uuid.NewV7())
	return event(t, "accounts", "interaction", id, &accountsv1.InteractionRecorded{InteractionId: id.String(), CustomerId: customer.String(),
		Channel: "counter", Direction: "inbound", Touchpoint: touchpoint, OccurredAt: timestamppb.New(at)})
}

// trigger has a survey sent.
func (w *world) trigger(s made, moment, filter string, coolDown int) (id string) {
	w.t.Helper()
	var t struct {
		ID string `json:"trigger_id"`
	}
	w.Want(http.StatusCreated, http.MethodPost, "/v1/survey-triggers", w.Manager,
		body{"survey_id": s.ID, "moment": moment, "filter": filter, "cooldown_days": coolDown, "active": true}, &t)
	return t.ID
}

// asked gives the states and refusals of a customer's invitations, the latest last.
func (w *world) asked(customer uuid.UUID) (all []string) {
	w.t.Helper()
	var page struct{ Items []invitation }
	w.Want(http.StatusOK, http.MethodGet, "/v1/survey-invitations?customer_id="+customer.String(), w.Agent, nil, &page)
	for _, i := range page.Items {
		all = append(all, i.State+i.Refusal)
	}
	slices.Reverse(all)
	return all
}

// passed waits until the consumer has gone by everything that was published before: until what came after it is heard from
// every partition.
func (w *world) passed() {
	w.t.Helper()
	seen := map[int]bool{}
	var last []uuid.UUID
	for len(seen) < bus.Partitions {
		customer := uuid.Must(uuid.NewV7())
		e := met(w.t, customer, "last", time.Now())
		if shard := bus.Shard(e.Tenant, e.AggregateType, e.AggregateID); !seen[shard] {
			seen[shard] = true
			last = append(last, customer)
			w.Publish("accounts", e)
		}
	}
	w.Eventually("everything before is heard", func() bool {
		return w.Count(`SELECT count(*) FROM survey_invitation WHERE customer_id = ANY ($1::uuid[])`, last) == int64(len(last))
	})
}

func TestATriggerAsksOnceAndLeavesInPeace(t *testing.T) {
	t.Parallel()
	w := begin(t)
	s := w.from("csat")
	w.trigger(s, "interaction", "checkout", 30)
	w.trigger(w.from("nps"), "interaction", "last", 0)
	lei, twin, hua := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	w.Accounts("pizza").Merge(twin, lei)
	now := time.Now()
	first := met(t, lei, "checkout", now)
	w.Publish("accounts", first, met(t, hua, "store", now), met(t, hua, "checkout", now.Add(-time.Hour)))
	w.Eventually("the first is asked", func() bool { return len(w.asked(lei)) == 1 })
	w.Publish("accounts", first, met(t, lei, "checkout", now), met(t, twin, "checkout", now))
	w.passed()
	if got := w.asked(lei); !slices.Equal(got, []string{"waiting", "refusedcool_down", "refusedcool_down"}) {
		t.Errorf("both ids of the customer have one cool-down: %v", got)
	}
	if got := w.asked(hua); len(got) != 0 {
		t.Errorf("asked about another touchpoint, or what was before the trigger: %v", got)
	}
	if n := w.Count(`SELECT count(*) FROM process_start WHERE workflow_id LIKE 'survey-invitation/pizza/%'`); n != 1+bus.Partitions {
		t.Errorf("%d processes", n)
	}
	w.alter(`UPDATE survey_invitation SET created_at = created_at - interval '31 days'`)
	w.Publish("accounts", met(t, twin, "checkout", now))
	w.Eventually("after the cool-down they are asked again", func() bool { return slices.Contains(w.asked(lei)[1:], "waiting") })
}

func TestOfTwoThatHappenAtOnceOneIsAskedAbout(t *testing.T) {
	t.Parallel()
	w := begin(t)
	s := w.from("csat")
	w.trigger(s, "interaction", "", 30)
	w.trigger(w.from("ces"), "ticket_resolved", "solved", 30)
	lei := uuid.Must(uuid.NewV7())
	var mine []bus.Event
	for range 8 {
		mine = append(mine, met(t, lei, "store", time.Now()))
	}
	w.Publish("accounts", mine...)
	ticket := uuid.Must(uuid.NewV7())
	w.Publish("tickets", event(t, "tickets", "ticket", ticket, &ticketsv1.TicketResolved{TicketId: ticket.String(), Number: "T-1", CustomerId: lei.String(),
		Resolution: "solved", ResolvedAt: timestamppb.Now()}))
	w.Eventually("all are heard", func() bool { return len(w.asked(lei)) == 9 })
	waiting := 0
	for _, state := range w.asked(lei) {
		if state == "waiting" {
			waiting++
		}
	}
	if waiting != 1 {
		t.Errorf("asked %d times: %v", waiting, w.asked(lei))
	}
}

func TestTriggersThatAreOffOrOfClosedSurveysAskNobody(t *testing.T) {
	t.Parallel()
	w := begin(t)
	s, closed := w.from("csat"), w.from("ces")
	off := w.trigger(s, "interaction", "store", 0)
	w.trigger(closed, "interaction", "store", 0)
	w.trigger(w.from("nps"), "interaction", "last", 0)
	w.Want(http.StatusOK, http.MethodPut, "/v1/survey-triggers/"+off, w.Manager,
		body{"survey_id": s.ID, "moment": "interaction", "cooldown_days": 0, "active": false}, nil, "If-Match", `"1"`)
	w.Want(http.StatusOK, http.MethodPost, "/v1/surveys/"+closed.ID+"/close", w.Manager, nil, nil)
	lei, gone := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	w.Accounts("pizza").Erase(gone)
	w.Publish("accounts", met(t, lei, "store", time.Now()), met(t, gone, "last", time.Now()))
	w.passed()
	if got := append(w.asked(lei), w.asked(gone)...); len(got) != 0 {
		t.Errorf("asked %v", got)
	}
	if a := w.Do(http.MethodPost, "/v1/survey-invitations", w.Agent, body{"survey_id": s.ID, "customer_id": gone}); a.Status != http.StatusGone {
		t.Errorf("who was erased is asked by hand: %d %s", a.Status, a.Body)
	}
}

func TestAnErasedCustomersAnswersAreNobodys(t *testing.T) {
	t.Parallel()
	w := begin(t)
	s, lei, hua := w.from("csat"), uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	w.give(s, lei.String(), "score", 2, "why", "李雷 was here")
	w.give(s, hua.String(), "score", 4, "why", "韩梅梅 was here")
	open := w.link(w.invite(s, lei.String()))
	w.Accounts("pizza").Erase(lei)
	if found := w.Mentions("李雷"); len(found) != 0 {
		t.Errorf("the words are in %v", found)
	}
	if found := w.Mentions("韩梅梅"); len(found) == 0 {
		t.Error("another one's words are gone, or the search finds nothing")
	}
	if n := w.Count(`SELECT (SELECT count(*) FROM survey_answer WHERE customer_id = $1) + (SELECT count(*) FROM survey_invitation WHERE customer_id = $1)`, lei); n != 0 {
		t.Errorf("%d rows tell who it was", n)
	}
	for _, path := range []string{open, open + "/answer"} {
		method := http.MethodGet
		var b any
		if path != open {
			method, b = http.MethodPost, filled("score", 5, "why", "李雷 again")
		}
		if a := w.Do(method, path, "", b); a.Code() != "survey_link_unknown" {
			t.Errorf("the open link: %d %s", a.Status, a.Body)
		}
	}
	if r := w.results(s, ""); r.Total.Answers != 2 || r.Total.Answered != 2 {
		t.Errorf("the figures stay: %+v", r.Total)
	}
}

// TestWhoeverAnswersWhileTheyAreErasedLeavesNothing has erasures and answers of the same customers race.
func TestWhoeverAnswersWhileTheyAreErasedLeavesNothing(t *testing.T) {
	t.Parallel()
	w := begin(t)
	s := w.from("csat")
	var race sync.WaitGroup
	for range 30 {
		customer := uuid.Must(uuid.NewV7())
		path := w.link(w.invite(s, customer.String()))
		race.Go(func() { w.Do(http.MethodPost, path+"/answer", "", filled("score", 3, "why", "李雷 was here")) })
		race.Go(func() {
			err := w.DB.Tx(t.Context(), "pizza", func(tx *pg.Tx) error {
				done, err := survey.Erase(t.Context(), tx, []uuid.UUID{customer})
				for _, d := range done {
					if d.Left > 0 {
						t.Errorf("%d of %s are left", d.Left, d.What)
					}
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	race.Wait()
	if n := w.Count(`SELECT (SELECT count(*) FROM survey_words WHERE words <> '') + (SELECT count(*) FROM survey_answer WHERE customer_id IS NOT NULL)`); n != 0 {
		t.Errorf("%d rows tell whose they are, or what they said", n)
	}
}
