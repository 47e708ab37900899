package analytics_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/app"
	"github.com/guanxi-crm/guanxi/platform/apptest"
	accountsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/accounts/events/v1"
	"github.com/guanxi-crm/guanxi/services/analytics"
)

// rate gives the ratings of all customers at the end of 1997, with the population.
func rate(s *apptest.Service, token string) (all map[uuid.UUID]rated, population int) {
	var page struct {
		Population struct{ Customers int }
		Items      []rated
	}
	s.Want(http.StatusOK, http.MethodGet, "/v1/analytics/rfm?currency=USD&as_of=1997-12-31&limit=200", token, nil, &page)
	all = make(map[uuid.UUID]rated)
	for _, r := range page.Items {
		all[r.CustomerID] = r
	}
	return all, page.Population.Customers
}

// factsOf gives whose the facts of an id are, and how many orders they have.
func factsOf(s *apptest.Service, token string, id uuid.UUID) (customer uuid.UUID, orders int64) {
	var facts struct {
		CustomerID uuid.UUID `json:"customer_id"`
		Revenue    []revenue
	}
	s.Want(http.StatusOK, http.MethodGet, "/v1/analytics/facts/customers/"+id.String(), token, nil, &facts)
	for _, r := range facts.Revenue {
		orders += r.Orders
	}
	return facts.CustomerID, orders
}

func rebuilt(s *apptest.Service) bool {
	operator := s.Token("platform-admin", "")
	var started struct{ ID string }
	s.Want(http.StatusAccepted, http.MethodPost, "/v1/ops/analytics/rebuilds", operator, nil, &started)
	var rebuild struct {
		State  string
		Result struct{ Equal bool }
	}
	s.Eventually("the rebuild is done", func() bool {
		s.Want(http.StatusOK, http.MethodGet, "/v1/ops/analytics/rebuilds/"+started.ID, operator, nil, &rebuild)
		return rebuild.State == "done" || rebuild.State == "failed"
	})
	return rebuild.Result.Equal
}

// TestMergedCustomersAreRatedAsOne merges three customers of a random cohort into one, in two steps, undoes the first step,
// and compares each state with a slow reference and with a rebuild.
func TestMergedCustomersAreRatedAsOne(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, analytics.Module())
	token := s.Token("manager", "music")
	k := newTeller(t, "music")
	purchases, events := randomCohort(k)
	accounts := s.Accounts("music")
	c := []uuid.UUID{purchases[0].customer}
	for _, p := range purchases {
		if p.customer != c[0] && (len(c) < 2 || p.customer != c[1]) && len(c) < 3 {
			c = append(c, p.customer)
		}
	}
	s.Publish("sales", events...)
	s.Eventually("all orders are placed", func() bool {
		got := summaryOf(s, token)
		return len(got.Revenue) == 1 && got.Revenue[0].Orders == int64(len(purchases))
	})
	check := func(what string, roots map[uuid.UUID]uuid.UUID) {
		t.Helper()
		merged := make([]purchase, len(purchases))
		orders := map[uuid.UUID]int64{}
		for i, p := range purchases {
			if root, ok := roots[p.customer]; ok {
				p.customer = root
			}
			merged[i] = p
			orders[p.customer]++
		}
		want := reference(merged, day(1997, 12, 31), 0)
		got, population := rate(s, token)
		if population != len(want) || len(got) != len(want) {
			t.Errorf("%s: %d rated of %d, want %d", what, len(got), population, len(want))
		}
		for id, r := range want {
			if got[id] != r {
				t.Errorf("%s: got %+v, want %+v", what, got[id], r)
			}
		}
		for _, id := range c {
			root := id
			if to, ok := roots[id]; ok {
				root = to
			}
			if customer, n := factsOf(s, token, id); customer != root || n != orders[root] {
				t.Errorf("%s: %s is shown as %s with %d orders, want %s with %d", what, id, customer, n, root, orders[root])
			}
			var one struct{ Rating rated }
			s.Want(http.StatusOK, http.MethodGet, fmt.Sprintf("/v1/analytics/rfm/customers/%s?currency=USD&as_of=1997-12-31", id), token, nil, &one)
			if one.Rating != want[root] {
				t.Errorf("%s: %s is rated %+v, want %+v", what, id, one.Rating, want[root])
			}
		}
	}
	check("before", nil)
	_, before := rate(s, token)
	accounts.Merge(c[0], c[1])
	check("merged", map[uuid.UUID]uuid.UUID{c[0]: c[1]})
	if _, now := rate(s, token); now != before-1 {
		t.Errorf("%d customers are rated, want one less than %d", now, before)
	}
	accounts.Merge(c[1], c[2])
	twice := map[uuid.UUID]uuid.UUID{c[0]: c[2], c[1]: c[2]}
	check("merged twice", twice)
	if !rebuilt(s) {
		t.Error("a rebuild reaches another state")
	}
	check("rebuilt", twice)
	accounts.Undo(c[0], c[1])
	check("undone", map[uuid.UUID]uuid.UUID{c[1]: c[2]})
	if got, other := rate(s, s.Token("manager", "pizza")); len(got) != 0 || other != 0 {
		t.Errorf("another tenant sees %+v", got)
	}
}

func TestMergedCustomersAreCountedOnce(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, analytics.Module())
	token := s.Token("manager", "music")
	accounts := s.Accounts("music")
	k := newTeller(t, "music")
	a, b, late := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	for _, id := range []uuid.UUID{a, b} {
		registered := k.registered(id)
		accounts.Event(id, &accountsv1.CustomerRegistered{}) // so that what follows is the second of the stream
		s.Publish("accounts", registered)
	}
	s.Eventually("both are counted", func() bool { return summaryOf(s, token).Customers == 2 })
	accounts.Merge(a, b)
	if n := summaryOf(s, token).Customers; n != 1 {
		t.Errorf("%d customers, want one", n)
	}
	accounts.Merge(b, late) // who was not heard of yet
	if n := summaryOf(s, token).Customers; n != 1 {
		t.Errorf("%d customers, want one, also while the survivor is not there", n)
	}
	accounts.Undo(a, b)
	if n := summaryOf(s, token).Customers; n != 2 {
		t.Errorf("%d customers, want two", n)
	}
}

func TestThereIsNothingToErase(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, analytics.Module())
	holds, done := s.AskToErase("music", uuid.Must(uuid.NewV7()))
	if len(holds) != 0 || len(done) != 1 || done[0].GetCount() != 0 || done[0].GetLeft() != 0 {
		t.Fatalf("%v %v", holds, done)
	}
	// Whoever adds a column that may hold what somebody said or is called has to erase it, and to add it here.
	conn, err := pgx.Connect(t.Context(), s.Database.AdminURL())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	var texts string
	if err := conn.QueryRow(t.Context(), `SELECT coalesce(string_agg(table_name || '.' || column_name, ' ' ORDER BY table_name, column_name), '')
		FROM information_schema.columns WHERE table_schema = 'live' AND data_type IN ('text', 'json', 'jsonb', 'ARRAY', 'bytea')
			AND table_name ~ '^(fact|sales)_' AND column_name <> 'tenant_id'`).Scan(&texts); err != nil {
		t.Fatal(err)
	}
	if want := strings.Join([]string{
		"fact_answer.channel fact_answer.kind fact_answer.ratings fact_answer.touchpoint fact_as_of.topic",
		"fact_complaint.category fact_complaint.currency fact_complaint.outcome fact_customer.kind fact_customer.source",
		"fact_interaction.channel fact_interaction.direction fact_interaction.outcome fact_interaction.touchpoint",
		"fact_lead.campaign fact_lead.capture fact_lead.source fact_lead.state fact_member.programme fact_member.tier fact_membership.plan",
		"fact_opportunity.currency fact_opportunity.pipeline fact_opportunity.reason fact_opportunity.source fact_opportunity.stage fact_opportunity.state",
		"fact_order.amounts fact_order.channel fact_order.currency fact_order.quantities fact_order.skus",
		"fact_points.kind fact_points.reason_type fact_product.sku fact_return.currency",
		"fact_ticket.channel fact_ticket.kind fact_ticket.resolution fact_ticket.status",
		"fact_touch.campaign fact_touch.channel fact_touch.origin fact_touch.touch sales_day.channel sales_day.currency",
	}, " "); texts != want {
		t.Errorf("texts that are kept:\n%s\nwant only codes:\n%s", strings.ReplaceAll(texts, " ", "\n"), want)
	}
}

// TestOfAnErasedCustomerNothingIsTold asks every operation about one customer, so that none is forgotten.
func TestOfAnErasedCustomerNothingIsTold(t *testing.T) {
	t.Parallel()
	operations, err := app.Operations(analytics.Module())
	if err != nil {
		t.Fatal(err)
	}
	s := apptest.Start(t, analytics.Module())
	token := s.Token("manager", "music")
	k, customer := newTeller(t, "music"), uuid.Must(uuid.NewV7())
	s.Publish("accounts", k.registered(customer))
	s.Publish("sales", k.placed(uuid.Must(uuid.NewV7()), customer.String(), day(1997, time.May, 2), 1, 2500))
	s.Eventually("the order is known", func() bool { return summaryOf(s, token).Revenue != nil })
	s.Publish("accounts", k.event("customer", customer, &accountsv1.CustomerErased{CustomerId: customer.String(), ErasedAt: timestamppb.Now()}))
	s.Eventually("the customer is erased", func() bool {
		return s.Count(`SELECT count(*) FROM live.fact_customer WHERE erased_at IS NOT NULL`) == 1
	})
	asked := 0
	for _, op := range operations {
		before, after, ok := strings.Cut(op.Path, "/customers/{id}")
		if !ok || op.Method != http.MethodGet || strings.Contains(before, "{") {
			continue
		}
		path := before + "/customers/" + customer.String() + after
		if op.ID == "get-customer-rfm" {
			path += "?currency=USD&as_of=1997-12-31"
		}
		if answer := s.Do(http.MethodGet, path, token, nil); answer.Status != http.StatusGone || answer.Code() != "customer_erased" {
			t.Errorf("%s: got %d %s", path, answer.Status, answer.Body)
		}
		asked++
	}
	if asked < 10 {
		t.Errorf("only %d operations tell of one customer", asked)
	}
}
