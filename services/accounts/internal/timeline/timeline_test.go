package timeline_test

import (
	"cmp"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/proto/events"
	optionsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/options/v1"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/accountstest"
)

func TestOrdersPointsAndAComplaintStandInOneTimeline(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)
	agent := w.Token(auth.RoleAgent, "pizza")
	var lei struct {
		CustomerID string `json:"customer_id"`
	}
	w.Want(http.StatusCreated, http.MethodPost, "/v1/customers", agent, map[string]any{"display_name": "李雷", "source": "counter"}, &lei)
	k := newTeller(t, "pizza")
	const order, complaint, member = "01890000-0000-7000-8000-000000000001", "01890000-0000-7000-8000-000000000002", "01890000-0000-7000-8000-000000000003"
	const recorded, dropped = "0af7651916cd43dd8448eb211c80319c", "11111111111111111111111111111111"
	w.Publish("sales", traced(k.placed(order, lei.CustomerID, 20, 14800), recorded, "01"), traced(k.returned(order, lei.CustomerID, 22, 6900), dropped, "00"))
	w.Publish("loyalty", k.earned(member, lei.CustomerID, 21, 20))
	w.Publish("tickets", k.complained(complaint, lei.CustomerID, 23), k.closed(complaint, lei.CustomerID, 25))

	v := until(t, w, agent, lei.CustomerID, 7)
	want := []string{"complaint_closed", "complaint_registered", "order_returned", "points_earned", "order_placed"}
	// The registration, and the stage that follows from the order, came about today, which may be before or after all that.
	today := func(title string) bool { return title == "customer_registered" || title == "lifecycle_stage_changed" }
	if titles := slices.DeleteFunc(v.titles(), today); !slices.Equal(titles, want) {
		t.Errorf("titles %v, want %v", titles, want)
	}
	want = []string{
		"complaints 1", "complaints_open 0", "orders 1", "points_available 20", "points_debt 0", "points_pending 0",
		"returned_minor CNY 6900", "revenue_minor CNY 14800",
	}
	if !slices.Equal(v.facts(), want) {
		t.Errorf("facts %v, want %v", v.facts(), want)
	}
	if services := v.services(); !slices.Equal(services, []string{"accounts", "loyalty", "sales", "tickets"}) || !v.AsOf[2].At.Equal(heard) {
		t.Errorf("as of %v", v.AsOf)
	}
	orders := w.Want(http.StatusOK, http.MethodGet, "/v1/customers/"+lei.CustomerID+"/timeline?service=sales", agent, nil, nil)
	golden.JSON(t, "testdata/timeline.json", orders.Body)
}

func TestAnOrderMayBeHeardOfBeforeItsCustomer(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)
	agent := w.Token(auth.RoleAgent, "pizza")
	k := newTeller(t, "pizza")
	customer, order := newID().String(), newID().String()
	w.Publish("sales", k.placed(order, "", 20, 14800), k.returned(order, "", 21, 6900))
	w.Eventually("both wait", func() bool { return w.Count(`SELECT count(*) FROM timeline_unresolved`) == 2 })
	w.Want(http.StatusNotFound, http.MethodGet, "/v1/customers/"+customer+"/timeline", agent, nil, nil)

	w.Publish("sales", k.attributed(order, customer, 22))
	v := until(t, w, agent, customer, 3)
	if want := []string{"order_attributed", "order_returned", "order_placed"}; !slices.Equal(v.titles(), want) {
		t.Errorf("titles %v, want %v", v.titles(), want)
	}
	if want := []string{"orders 1", "returned_minor CNY 6900", "revenue_minor CNY 14800"}; !slices.Equal(v.facts(), want) {
		t.Errorf("facts %v, want %v", v.facts(), want)
	}
	if n := w.Count(`SELECT count(*) FROM timeline_unresolved`); n != 0 {
		t.Errorf("%d still wait", n)
	}
}

func TestEventsThatComeTwiceOrInAnotherOrderCountOnce(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)
	agent := w.Token(auth.RoleAgent, "pizza")
	k := newTeller(t, "pizza")
	customer, order, member := newID().String(), newID().String(), newID().String()
	placed, returned := k.placed(order, customer, 20, 14800), k.returned(order, customer, 21, 6900)
	first, second := k.earned(member, customer, 20, 20), k.earned(member, customer, 21, 40)
	w.Publish("sales", returned, placed, placed, returned)
	w.Publish("loyalty", second, first, second)
	v := until(t, w, agent, customer, 4)
	want := []string{
		"orders 1", "points_available 40", "points_debt 0", "points_pending 0", "returned_minor CNY 6900", "revenue_minor CNY 14800",
	}
	if !slices.Equal(v.facts(), want) {
		t.Errorf("facts %v, want %v", v.facts(), want)
	}

	// The database of sales was brought back from a copy and tells again what it had told, and one thing more.
	again := k.returned(order, customer, 22, 100)
	placed.Epoch, placed.Sequence, again.Epoch, again.Sequence = 2, 1, 2, 2
	w.Publish("sales", placed, again)
	v = until(t, w, agent, customer, 5)
	want[4] = "returned_minor CNY 7000"
	if !slices.Equal(v.facts(), want) {
		t.Errorf("facts %v, want %v", v.facts(), want)
	}
}

func TestWhatSeveralAggregatesSetAddsUp(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)
	agent := w.Token(auth.RoleAgent, "pizza")
	k := newTeller(t, "pizza")
	customer, one, other := newID().String(), newID().String(), newID().String()
	available := func(entries int) string {
		t.Helper()
		return until(t, w, agent, customer, entries).facts()[0]
	}
	w.Publish("loyalty", k.earned(one, customer, 20, 100), k.earned(other, customer, 20, 50))
	if got := available(2); got != "points_available 150" {
		t.Errorf("of two memberships: %s", got)
	}
	w.Publish("loyalty", k.earned(one, customer, 21, 120), k.earned(one, customer, 22, 30))
	if got := available(4); got != "points_available 80" {
		t.Errorf("after one of them changed twice: %s", got)
	}
}

func TestTenantsAreApart(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)
	pizza, music := newTeller(t, "pizza"), newTeller(t, "music")
	customer := newID().String()
	w.Publish("sales", pizza.placed(newID().String(), customer, 20, 14800), pizza.placed(newID().String(), "", 20, 1))
	until(t, w, w.Token(auth.RoleAgent, "pizza"), customer, 1)
	path, agent := "/v1/customers/"+customer+"/timeline", w.Token(auth.RoleAgent, "music")
	if answer := w.Want(http.StatusNotFound, http.MethodGet, path, agent, nil, nil); answer.Code() != "customer_not_found" {
		t.Errorf("another tenant's customer: %s", answer.Body)
	}
	w.Publish("sales", music.placed(newID().String(), customer, 21, 500)) // the same id, by chance
	if v := until(t, w, agent, customer, 1); !slices.Equal(v.facts(), []string{"orders 1", "revenue_minor CNY 500"}) || len(v.AsOf) != 1 {
		t.Errorf("facts %v, as of %v", v.facts(), v.AsOf)
	}
}

func TestATimelineIsReadInPages(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)
	agent := w.Token(auth.RoleAgent, "pizza")
	k := newTeller(t, "pizza")
	customer := newID().String()
	for n := range 5 { // all at the same time
		w.Publish("sales", k.placed(newID().String(), customer, 20, int64(n)))
		w.Publish("loyalty", k.earned(newID().String(), customer, 20, 0))
	}
	whole := until(t, w, agent, customer, 10)
	for query, want := range map[string]int{"": 10, "&service=sales": 5, "&service=accounts": 0} {
		var ids []string
		for cursor := ""; ; {
			page := timelineOf(w, agent, customer, "?limit=2&cursor="+cursor+query)
			for _, e := range page.Items {
				ids = append(ids, e.EventID)
			}
			if len(page.Items) > 2 || len(page.Facts) != len(whole.Facts) {
				t.Fatalf("a page of %d entries with the facts %v", len(page.Items), page.facts())
			}
			if cursor = page.NextCursor; cursor == "" {
				break
			}
		}
		if slices.Reverse(ids); len(ids) != want || !slices.IsSorted(ids) || len(slices.Compact(ids)) != want {
			t.Errorf("%s: got the entries %v", cmp.Or(query, "all"), ids)
		}
	}
}

func TestWhatBreaksItsContractIsParkedAndStopsNobodyElse(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)
	k := newTeller(t, "pizza")
	customer := newID().String()
	nobody := k.placed(newID().String(), "17", 20, 14800)
	timeless := k.placed(newID().String(), customer, 20, 14800)
	timeless.Data = fmt.Appendf(nil, `{"orderId": %q, "customerId": %q}`, timeless.AggregateID, customer)
	w.Publish("sales", nobody, timeless, k.placed(newID().String(), customer, 20, 14800))
	until(t, w, w.Token(auth.RoleAgent, "pizza"), customer, 1)
	w.Eventually("both are parked", func() bool {
		return w.Count(`SELECT count(*) FROM inbox_parked WHERE consumer = 'timeline' AND code = 'event_breaks_contract'`) == 2
	})
}

func TestARebuildReachesTheSameState(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)
	agent := w.Token(auth.RoleAgent, "pizza")
	k := newTeller(t, "pizza")
	customer, order, member := newID().String(), newID().String(), newID().String()
	w.Want(http.StatusCreated, http.MethodPost, "/v1/customers", agent, map[string]any{"display_name": "李雷"}, nil)
	const trace = "0af7651916cd43dd8448eb211c80319c"
	w.Publish("sales", traced(k.placed(order, "", 20, 14800), trace, "01"), k.placed(newID().String(), "", 20, 1), k.attributed(order, customer, 21),
		k.returned(order, customer, 22, 6900))
	w.Publish("loyalty", k.earned(member, customer, 20, 20), k.earned(member, customer, 21, 40))
	ticket := newID().String()
	w.Publish("tickets", k.ticket(ticket, "", "new", 20), k.ticket(ticket, customer, "pending", 21))
	before := until(t, w, agent, customer, 7)
	if !slices.Contains(before.traces(), trace) {
		t.Errorf("the order that waited for its customer has lost its trace: %v", before.traces())
	}

	var started struct{ ID string }
	operator := w.Token(auth.RolePlatformAdmin, "")
	w.Want(http.StatusAccepted, http.MethodPost, "/v1/ops/accounts/rebuilds", operator, nil, &started, "Idempotency-Key", "once")
	var rebuild struct {
		State  string
		Result struct {
			Events  int64
			Equal   bool
			Rebuilt string `json:"hash_rebuilt"`
		}
	}
	w.Eventually("the rebuild is done", func() bool {
		w.Want(http.StatusOK, http.MethodGet, "/v1/ops/accounts/rebuilds/"+started.ID, operator, nil, &rebuild)
		return rebuild.State == "done" || rebuild.State == "failed"
	})
	if !rebuild.Result.Equal || rebuild.Result.Events < 9 {
		t.Fatalf("the rebuilt state is another: %+v", rebuild)
	}
	after := timelineOf(w, agent, customer, "")
	if !slices.Equal(after.titles(), before.titles()) || !slices.Equal(after.facts(), before.facts()) {
		t.Errorf("before %v %v, after %v %v", before.titles(), before.facts(), after.titles(), after.facts())
	}
	if !slices.Equal(after.traces(), before.traces()) {
		t.Errorf("traces before %v, after %v", before.traces(), after.traces())
	}
	// What is no part of the projection has stayed, and what is goes on living.
	if n := w.Count(`SELECT count(*) FROM customer`); n != 1 {
		t.Errorf("%d customers", n)
	}
	w.Want(http.StatusAccepted, http.MethodPost, "/v1/ops/accounts/rebuilds", operator, nil, nil, "Idempotency-Key", "once")
	w.Publish("loyalty", k.earned(member, customer, 23, 60))
	if v := until(t, w, agent, customer, 8); !slices.Contains(v.facts(), "points_available 60") || !slices.Contains(v.facts(), "tickets_open 1") {
		t.Errorf("facts %v", v.facts())
	}
}

// TestItDoesNotMatterHowEventsFallIntoBatches applies the same events to one database each, cut in other ways.
func TestItDoesNotMatterHowEventsFallIntoBatches(t *testing.T) {
	t.Parallel()
	k := newTeller(t, "pizza")
	customer, other, order, lost, complaint := newID().String(), newID().String(), newID().String(), newID().String(), newID().String()
	member, second, ticket := newID().String(), newID().String(), newID().String()
	var told []bus.Event
	for range 3 {
		told = append(told, k.placed(newID().String(), customer, 19, 100))
	}
	told = append(told,
		k.placed(order, "", 20, 14800), k.placed(lost, "", 20, 500), k.returned(order, "", 21, 6900), k.attributed(order, customer, 22),
		k.returned(order, "", 23, 100), k.complained(complaint, "", 24), k.closed(complaint, other, 25), k.returned(order, customer, 26, 50),
		k.earned(member, "", 20, 7), k.earned(member, "", 21, 9), k.enrolled(member, customer, 22), k.earned(member, "", 23, 3),
		k.ticket(ticket, "", "new", 20), k.ticket(ticket, "", "resolved", 21), k.ticket(ticket, customer, "open", 22), k.ticket(ticket, customer, "closed", 23),
		k.earned(second, customer, 20, 5), k.earned(second, customer, 21, 6), k.earned(second, customer, 22, 2),
	)
	want := ""
	for _, size := range []int{len(told), 1, 2, 3, 5} {
		got := applied(t, told, size)
		if want == "" {
			want = got
		}
		if got != want {
			t.Errorf("in batches of %d the state is another", size)
		}
	}
}

func TestEveryFactIsExplainedToIntegrators(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../../docs/accounts.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events.All() {
		about, _ := proto.GetExtension(e.New().ProtoReflect().Descriptor().Options(), optionsv1.E_Event).(*optionsv1.Event)
		for _, fact := range about.GetFacts() {
			if !strings.Contains(string(page), "`"+fact.GetName()+"`") {
				t.Errorf("%s changes the fact %s, of which services/docs/accounts.md says nothing", e.Name(), fact.GetName())
			}
		}
	}
}
