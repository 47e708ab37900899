package timeline_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/accountstest"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/timeline"
)

// totals are the amounts of the orders, the latest first.
func (v view) totals() (totals []string) {
	for _, e := range v.Items {
		if e.Title == "order_placed" {
			totals = append(totals, string(e.Details["total_minor"]))
		}
	}
	return totals
}

func TestATimelineFollowsMergesAndTheirUndoing(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)
	agent := w.Token(auth.RoleAgent, "pizza")
	k := newTeller(t, "pizza")
	lei, twin, third := w.Customer(t, "pizza", "person", "李雷"), w.Customer(t, "pizza", "person", "Lei Li"), w.Customer(t, "pizza", "person", "L. Lei")
	for n, customer := range []string{lei, twin, third, lei, twin} {
		w.Publish("sales", k.placed(newID().String(), customer, 10+n, int64(100+n)))
	}
	w.Eventually("all are placed", func() bool { return w.Count(`SELECT count(*) FROM timeline_entry WHERE service = 'sales'`) == 5 })
	of := func(customer, query string) view { return timelineOf(w, agent, customer, "?service=sales"+query) }

	w.Absorb(t, "pizza", lei, twin)
	w.Absorb(t, "pizza", lei, third)
	for _, id := range []string{lei, twin, third} {
		v := of(id, "")
		if want := []string{"104", "103", "102", "101", "100"}; !slices.Equal(v.totals(), want) {
			t.Errorf("orders %v, want %v", v.totals(), want)
		}
		if !slices.Contains(v.facts(), "orders 5") || !slices.Contains(v.facts(), "revenue_minor CNY 510") {
			t.Errorf("facts %v", v.facts())
		}
	}
	// What is heard of an absorbed one afterwards stands there too.
	w.Publish("sales", k.placed(newID().String(), twin, 20, 105))
	w.Eventually("the new one", func() bool { return len(of(lei, "").Items) == 6 })

	w.Restore(t, "pizza", lei, twin)
	for id, want := range map[string][]string{lei: {"103", "102", "100"}, third: {"103", "102", "100"}, twin: {"105", "104", "101"}} {
		if v := of(id, ""); !slices.Equal(v.totals(), want) || !slices.Contains(v.facts(), "orders 3") {
			t.Errorf("after the undoing: orders %v, want %v; facts %v", v.totals(), want, v.facts())
		}
	}
}

// TestACursorSurvivesAMerge begins to read before a merge, and goes on after it, and after its undoing.
func TestACursorSurvivesAMerge(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)
	agent := w.Token(auth.RoleAgent, "pizza")
	k := newTeller(t, "pizza")
	lei, twin := w.Customer(t, "pizza", "person", "李雷"), w.Customer(t, "pizza", "person", "Lei Li")
	for n, customer := range []string{lei, twin, lei, twin, lei, twin, lei} {
		w.Publish("sales", k.placed(newID().String(), customer, 10+n, int64(100+n)))
	}
	w.Eventually("all are placed", func() bool { return w.Count(`SELECT count(*) FROM timeline_entry WHERE service = 'sales'`) == 7 })
	page := func(customer, cursor string) view {
		return timelineOf(w, agent, customer, "?service=sales&limit=2&cursor="+cursor)
	}
	first := page(lei, "")
	w.Absorb(t, "pizza", twin, lei)
	second := page(lei, first.NextCursor)
	w.Restore(t, "pizza", twin, lei)
	third := page(lei, second.NextCursor)
	got := []string{strings.Join(first.totals(), " "), strings.Join(second.totals(), " "), strings.Join(third.totals(), " ")}
	if want := []string{"106 104", "103 102", "100"}; !slices.Equal(got, want) || third.NextCursor != "" {
		t.Errorf("pages %v, want %v", got, want)
	}
}

func TestATimelineIsFiltered(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)
	agent := w.Token(auth.RoleAgent, "pizza")
	k := newTeller(t, "pizza")
	customer, order, complaint := newID().String(), newID().String(), newID().String()
	w.Publish("sales", k.placed(order, customer, 10, 100), k.returned(order, customer, 12, 50))
	w.Publish("loyalty", k.earned(newID().String(), customer, 11, 20))
	w.Publish("tickets", k.complained(complaint, customer, 13), k.closed(complaint, customer, 14))
	until(t, w, agent, customer, 5)
	day := func(n int) string { return url.QueryEscape(fmt.Sprintf("2026-11-%02dT12:00:00Z", n)) }
	for query, want := range map[string]string{
		"":                    "complaint_closed complaint_registered order_returned points_earned order_placed",
		"?aggregate=order":    "order_returned order_placed",
		"?title=order_placed": "order_placed",
		"?title=order_placed&title=points_earned": "points_earned order_placed",
		"?service=tickets&title=order_placed":     "",
		"?since=" + day(12):                       "complaint_closed complaint_registered order_returned",
		"?until=" + day(12):                       "points_earned order_placed",
		"?since=" + day(11) + "&until=" + day(13): "order_returned points_earned",
		"?aggregate=complaint&until=" + day(14):   "complaint_registered",
	} {
		if v := timelineOf(w, agent, customer, query); strings.Join(v.titles(), " ") != want || len(v.Facts) == 0 {
			t.Errorf("%s: got %v, want %s", query, v.titles(), want)
		}
	}
	// A page of a filtered timeline goes on within the filter.
	first := timelineOf(w, agent, customer, "?limit=1&since="+day(11)+"&until="+day(13))
	second := timelineOf(w, agent, customer, "?limit=1&since="+day(11)+"&until="+day(13)+"&cursor="+first.NextCursor)
	if first.titles()[0] != "order_returned" || len(second.titles()) != 1 || second.titles()[0] != "points_earned" || second.NextCursor != "" {
		t.Errorf("pages %v and %v", first.titles(), second.titles())
	}
}

func TestOpenTicketsAreCounted(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)
	agent := w.Token(auth.RoleAgent, "pizza")
	k := newTeller(t, "pizza")
	customer := newID().String()
	open := func(entries int, want string) {
		t.Helper()
		if v := until(t, w, agent, customer, entries); !slices.Contains(v.facts(), want) {
			t.Errorf("facts %v, want %s", v.facts(), want)
		}
	}
	one, other := newID().String(), newID().String()
	opened := func(id string) {
		w.Publish("tickets", k.ticket(id, customer, "new", 20))
	}
	moved := func(id, status string) {
		w.Publish("tickets", k.ticket(id, customer, status, 21))
	}
	opened(one)
	opened(other)
	open(2, "tickets_open 2")
	moved(one, "on_hold")
	moved(one, "resolved")
	open(4, "tickets_open 1")
	moved(one, "closed")
	moved(other, "closed")
	open(6, "tickets_open 0")
	moved(one, "open")
	open(7, "tickets_open 1")
}

func TestOneWhoWasErasedHasNoTimeline(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)
	lei, twin := w.Customer(t, "pizza", "person", "李雷"), w.Customer(t, "pizza", "person", "Lei Li")
	w.Absorb(t, "pizza", lei, twin)
	w.Put(t, "pizza", lei, "erased")
	for _, id := range []string{lei, twin} {
		answer := w.Do(http.MethodGet, "/v1/customers/"+id+"/timeline", w.Token(auth.RoleAgent, "pizza"), nil)
		if answer.Status != http.StatusGone || answer.Code() != "customer_erased" {
			t.Errorf("%d %s", answer.Status, answer.Body)
		}
	}
}

func TestAPurposeThatNeedsNoBehaviourSeesNoTimeline(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)
	path := "/v1/customers/" + w.Customer(t, "pizza", "person", "李雷") + "/timeline"
	for query, want := range map[string]int{"?purpose=service": 200, "?purpose=credit": 403, "?purpose=curiosity": 422, "?purpose=administration": 403} {
		if answer := w.Do(http.MethodGet, path+query, w.Token(auth.RoleManager, "pizza"), nil); answer.Status != want {
			t.Errorf("%s: got %d %s, want %d", query, answer.Status, answer.Body, want)
		}
	}
}

// TestATimelineIsReadByItsKey explains the reading of a customer with two aliases under row level security, as the service
// does it.
func TestATimelineIsReadByItsKey(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)
	for _, sql := range timeline.Statements() {
		plan := explain(t, w, sql)
		for line := range strings.SplitSeq(plan, "\n") {
			if strings.Contains(line, "Seq Scan on timeline_") && !strings.Contains(line, "timeline_as_of") || strings.Contains(line, "Seq Scan on customer") {
				t.Errorf("%s\nreads a table from end to end:\n%s", sql, plan)
				break
			}
		}
		if strings.Contains(sql, "timeline_entry") && strings.Contains(sql, "ORDER BY") && !strings.Contains(plan, "customer_id = ") {
			t.Errorf("the customer is no condition of the index:\n%s", plan)
		}
	}
}

// explain gives the plan of a statement for the customers of two tenants with ten thousand entries each.
func explain(t *testing.T, w *accountstest.World, sql string) string {
	t.Helper()
	w.AsSuperuser(t, `INSERT INTO live.timeline_entry (tenant_id, customer_id, at, event_id, service, title, aggregate, aggregate_id, details)
		SELECT t, md5((n % 500)::text)::uuid, now() - n * interval '1 minute', gen_random_uuid(), 'sales', 'order_placed', 'order', n::text, '{}'
		FROM unnest('{pizza,music}'::text[]) t, generate_series(1, 10000) n`)
	w.AsSuperuser(t, `INSERT INTO live.timeline_fact (tenant_id, customer_id, name, unit, contributor, value)
		SELECT t, md5(n::text)::uuid, 'orders', '', 'sales/1', 1 FROM unnest('{pizza,music}'::text[]) t, generate_series(1, 10000) n ON CONFLICT DO NOTHING`)
	w.AsSuperuser(t, `INSERT INTO customer (tenant_id, id, version, kind, display_name, given_name, family_name, legal_name, source, registered_at, changed_at)
		SELECT t, md5(n::text)::uuid, 1, 'person', 'x', '', '', '', '', now(), now() FROM unnest('{pizza,music}'::text[]) t, generate_series(1, 10000) n ON CONFLICT DO NOTHING`)
	w.AsSuperuser(t, `ANALYZE`)
	args := []any{"pizza", uuid.MustParse("c4ca4238-a0b9-2382-0dcc-509a6f75849b"), on(26).AsTime(), uuid.Max, on(1).AsTime(), "", "", []string{}, 50}
	n := 2
	if strings.Contains(sql, "$9") {
		n = len(args)
	}
	var lines []string
	err := w.DB.Read(t.Context(), "pizza", func(tx *pg.Tx) error {
		tx.PlanForAny()
		rows, err := tx.Query(context.WithoutCancel(t.Context()), "EXPLAIN "+sql, args[:n]...)
		if err == nil {
			lines, err = pgx.CollectRows(rows, pgx.RowTo[string])
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}
