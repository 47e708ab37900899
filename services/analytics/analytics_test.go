package analytics_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/apptest"
	"github.com/guanxi-crm/guanxi/platform/bus"
	accountsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/accounts/events/v1"
	salesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/sales/events/v1"
	"github.com/guanxi-crm/guanxi/services/analytics"
)

// teller makes events as the relays of accounts and sales would, each aggregate with its own sequence.
type teller struct {
	t      *testing.T
	tenant string
	seq    map[string]int64
}

func newTeller(t *testing.T, tenant string) *teller {
	return &teller{t: t, tenant: tenant, seq: make(map[string]int64)}
}

func (k *teller) event(aggregate string, id uuid.UUID, m proto.Message) bus.Event {
	data, err := protojson.Marshal(m)
	if err != nil {
		k.t.Fatal(err)
	}
	key := aggregate + id.String()
	k.seq[key]++
	return bus.Event{
		ID: uuid.Must(uuid.NewV7()), Type: string(m.ProtoReflect().Descriptor().FullName()), Source: "/guanxi/test", Tenant: k.tenant,
		AggregateType: aggregate, AggregateID: id.String(), Sequence: k.seq[key], Epoch: 1, Time: time.Now().UTC(), Data: data,
	}
}

func (k *teller) registered(customer uuid.UUID) bus.Event {
	return k.event("customer", customer, &accountsv1.CustomerRegistered{
		CustomerId: customer.String(), Kind: accountsv1.CustomerKind_CUSTOMER_KIND_PERSON, Source: "test", RegisteredAt: timestamppb.Now(),
	})
}

func (k *teller) placed(order uuid.UUID, customer string, placedAt time.Time, units, total int64) bus.Event {
	return k.event("order", order, &salesv1.OrderPlaced{
		OrderId: order.String(), CustomerId: customer, Channel: "shop", Currency: "USD", Units: units, TotalMinor: total,
		PlacedAt: timestamppb.New(placedAt),
	})
}

func (k *teller) returned(order uuid.UUID, at time.Time, units, amount int64) bus.Event {
	return k.event("order", order, &salesv1.OrderReturned{
		ReturnId: uuid.Must(uuid.NewV7()).String(), OrderId: order.String(), Currency: "USD", Units: units, AmountMinor: amount,
		ReturnedAt: timestamppb.New(at),
	})
}

func (k *teller) attributed(order, customer uuid.UUID) bus.Event {
	return k.event("order", order, &salesv1.OrderAttributed{
		OrderId: order.String(), CustomerId: customer.String(), AttributedAt: timestamppb.Now(),
	})
}

type revenue struct {
	Currency      string
	Orders, Units int64
	GrossMinor    int64 `json:"gross_minor"`
	ReturnedMinor int64 `json:"returned_minor"`
	NetMinor      int64 `json:"net_minor"`
}

type summary struct {
	Customers int64
	Revenue   []revenue
	AsOf      *time.Time `json:"as_of"`
}

func summaryOf(s *apptest.Service, token string) summary {
	var got summary
	s.Want(http.StatusOK, http.MethodGet, "/v1/analytics/facts/summary", token, nil, &got)
	return got
}

func day(year int, month time.Month, d int) time.Time {
	return time.Date(year, month, d, 12, 0, 0, 0, time.UTC)
}

func TestAnOrderMayBeHeardOfBeforeItsCustomer(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, analytics.Module())
	token := s.Token("manager", "music")
	if got := summaryOf(s, token); got.Customers != 0 || len(got.Revenue) != 0 || got.AsOf != nil {
		t.Fatalf("before the first event: %+v", got)
	}
	k := newTeller(t, "music")
	customer, order := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	placed := k.placed(order, "", day(1997, 1, 1), 2, 2354)
	attributed := k.attributed(order, customer)
	s.Publish("sales", placed, attributed, placed) // the relay may send twice
	s.Publish("accounts", k.registered(customer))
	s.Eventually("customer and order are placed", func() bool {
		got := summaryOf(s, token)
		return got.Customers == 1 && len(got.Revenue) == 1 && got.AsOf != nil &&
			got.Revenue[0] == revenue{Currency: "USD", Orders: 1, Units: 2, GrossMinor: 2354, NetMinor: 2354}
	})
	var facts struct {
		Known   bool
		Revenue []revenue
	}
	s.Eventually("the order is the customer's", func() bool {
		answer := s.Do(http.MethodGet, "/v1/analytics/facts/customers/"+customer.String(), token, nil)
		if answer.Status != http.StatusOK {
			return false
		}
		answer.Decode(t, &facts)
		return facts.Known && len(facts.Revenue) == 1 && facts.Revenue[0].Orders == 1
	})
	if other := summaryOf(s, s.Token("manager", "pizza")); other.Customers != 0 || len(other.Revenue) != 0 {
		t.Errorf("another tenant sees %+v", other)
	}
	s.Want(http.StatusNotFound, http.MethodGet, "/v1/analytics/facts/customers/"+customer.String(), s.Token("manager", "pizza"), nil, nil)
}

func TestAReturnCountsInItsOwnMonth(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, analytics.Module())
	token := s.Token("manager", "music")
	k := newTeller(t, "music")
	customer, order := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	s.Publish("sales", k.placed(order, customer.String(), day(1997, 1, 31), 3, 3000), k.returned(order, day(1997, 2, 1), 1, 1000))
	var got struct {
		Months []struct {
			Month         string
			Orders        int64
			GrossMinor    int64 `json:"gross_minor"`
			Returns       int64
			ReturnedMinor int64 `json:"returned_minor"`
			NetMinor      int64 `json:"net_minor"`
		}
		Total struct {
			NetMinor int64 `json:"net_minor"`
		}
	}
	s.Eventually("both months are there", func() bool {
		s.Want(http.StatusOK, http.MethodGet, "/v1/analytics/revenue?currency=USD&from=1997-01&to=1997-02", token, nil, &got)
		return len(got.Months) == 2
	})
	if m := got.Months[0]; m.Month != "1997-01" || m.GrossMinor != 3000 || m.ReturnedMinor != 0 {
		t.Errorf("January: %+v", m)
	}
	if m := got.Months[1]; m.Month != "1997-02" || m.Orders != 0 || m.Returns != 1 || m.NetMinor != -1000 {
		t.Errorf("February: %+v", m)
	}
	if got.Total.NetMinor != 2000 {
		t.Errorf("total: %+v", got.Total)
	}
}

// purchase is one order of the random cohort below.
type purchase struct {
	customer     uuid.UUID
	at           time.Time
	units, total int64
	backUnits    int64
	backMinor    int64
	backAt       time.Time
}

func TestRFMAgreesWithASlowReference(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, analytics.Module())
	token := s.Token("manager", "music")
	k := newTeller(t, "music")
	purchases, events := randomCohort(k)
	s.Publish("sales", events...)
	s.Eventually("all orders are placed", func() bool {
		got := summaryOf(s, token)
		return len(got.Revenue) == 1 && got.Revenue[0].Orders == int64(len(purchases))
	})
	windows := []struct {
		asOf time.Time
		days int
	}{
		{day(1997, 12, 31), 0}, {day(1997, 6, 30), 0}, {day(1997, 6, 30), 90}, {day(1997, 1, 1), 1},
	}
	for _, w := range windows {
		want := reference(purchases, w.asOf, w.days)
		got := make(map[uuid.UUID]rated)
		cursor := ""
		for {
			var page struct {
				Population struct{ Customers int }
				Items      []rated
				NextCursor string `json:"next_cursor"`
			}
			s.Want(http.StatusOK, http.MethodGet, fmt.Sprintf("/v1/analytics/rfm?currency=USD&as_of=%s&window_days=%d&limit=7&cursor=%s",
				w.asOf.Format(time.DateOnly), w.days, cursor), token, nil, &page)
			if page.Population.Customers != len(want) {
				t.Fatalf("population %d, want %d", page.Population.Customers, len(want))
			}
			for _, r := range page.Items {
				got[r.CustomerID] = r
			}
			if cursor = page.NextCursor; cursor == "" {
				break
			}
		}
		if len(got) != len(want) {
			t.Fatalf("%s over %d days: %d customers, want %d", w.asOf, w.days, len(got), len(want))
		}
		for id, r := range want {
			if got[id] != r {
				t.Errorf("%s over %d days: got %+v, want %+v", w.asOf, w.days, got[id], r)
			}
		}
	}
}

type rated struct {
	CustomerID  uuid.UUID `json:"customer_id"`
	RecencyDays int64     `json:"recency_days"`
	Frequency   int64
	NetMinor    int64 `json:"net_minor"`
	R, F, M     int
}

func randomCohort(k *teller) ([]purchase, []bus.Event) {
	random := rand.New(rand.NewPCG(1997, 9))
	customers := make([]uuid.UUID, 25)
	for i := range customers {
		customers[i] = uuid.Must(uuid.NewV7())
	}
	var purchases []purchase
	var events []bus.Event
	for range 120 {
		p := purchase{
			customer: customers[random.IntN(len(customers))], at: day(1997, 1, 1).AddDate(0, 0, random.IntN(300)),
			units: 1 + random.Int64N(3), total: random.Int64N(4) * 500,
		}
		order := uuid.Must(uuid.NewV7())
		events = append(events, k.placed(order, p.customer.String(), p.at, p.units, p.total))
		if random.IntN(4) == 0 {
			p.backUnits, p.backAt = 1+random.Int64N(p.units), p.at.AddDate(0, 0, random.IntN(60))
			p.backMinor = p.total * p.backUnits / p.units
			events = append(events, k.returned(order, p.backAt, p.backUnits, p.backMinor))
		}
		purchases = append(purchases, p)
	}
	return purchases, events
}

// reference computes RFM by looking at every customer for every other one.
func reference(purchases []purchase, asOf time.Time, days int) map[uuid.UUID]rated {
	type tally struct {
		days map[string]bool
		last time.Time
		net  int64
	}
	last := asOf.Truncate(24*time.Hour).AddDate(0, 0, 1)
	tallies := make(map[uuid.UUID]*tally)
	for _, p := range purchases {
		if !p.at.Before(last) || days > 0 && p.at.Before(last.AddDate(0, 0, -days)) {
			continue
		}
		net := p.total
		if p.backUnits > 0 && p.backAt.Before(last) {
			net -= p.backMinor
			if p.backUnits == p.units {
				continue
			}
		}
		c := tallies[p.customer]
		if c == nil {
			c = &tally{days: make(map[string]bool)}
			tallies[p.customer] = c
		}
		d := p.at.Truncate(24 * time.Hour)
		c.days[d.String()] = true
		c.net += net
		if d.After(c.last) {
			c.last = d
		}
	}
	out := make(map[uuid.UUID]rated)
	for id, c := range tallies {
		var worseR, worseF, worseM int
		for _, other := range tallies {
			if other.last.Before(c.last) {
				worseR++
			}
			if len(other.days) < len(c.days) {
				worseF++
			}
			if other.net < c.net {
				worseM++
			}
		}
		n := len(tallies)
		out[id] = rated{
			CustomerID: id, RecencyDays: int64(last.AddDate(0, 0, -1).Sub(c.last).Hours() / 24), Frequency: int64(len(c.days)), NetMinor: c.net,
			R: 1 + 5*worseR/n, F: 1 + 5*worseF/n, M: 1 + 5*worseM/n,
		}
	}
	return out
}

func TestCellsCountEverybodyOnce(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, analytics.Module())
	token := s.Token("manager", "music")
	k := newTeller(t, "music")
	purchases, events := randomCohort(k)
	s.Publish("sales", events...)
	want := int64(len(reference(purchases, day(1997, 12, 31), 0)))
	s.Eventually("the cells hold everybody", func() bool {
		var got struct {
			Population struct{ Customers int64 }
			Cells      []struct{ R, F, Customers int64 }
		}
		s.Want(http.StatusOK, http.MethodGet, "/v1/analytics/rfm/cells?currency=USD&as_of=1997-12-31", token, nil, &got)
		var sum int64
		for _, c := range got.Cells {
			sum += c.Customers
		}
		return len(got.Cells) == 25 && sum == want && got.Population.Customers == want
	})
}

func TestARebuildReachesTheSameState(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, analytics.Module())
	token, operator := s.Token("manager", "music"), s.Token("platform-admin", "")
	k := newTeller(t, "music")
	purchases, events := randomCohort(k)
	customer := uuid.Must(uuid.NewV7())
	s.Publish("accounts", k.registered(customer))
	s.Publish("sales", append(events, events[:20]...)...) // some are sent twice
	s.Eventually("all orders are placed", func() bool {
		got := summaryOf(s, token)
		return got.Customers == 1 && len(got.Revenue) == 1 && got.Revenue[0].Orders == int64(len(purchases))
	})
	before := summaryOf(s, token)
	var started struct{ ID string }
	s.Want(http.StatusAccepted, http.MethodPost, "/v1/ops/analytics/rebuilds", operator, nil, &started)
	var rebuild struct {
		State  string
		Result struct {
			HashLive    string `json:"hash_live"`
			HashRebuilt string `json:"hash_rebuilt"`
			Equal       bool
		}
	}
	s.Eventually("the rebuild is done", func() bool {
		s.Want(http.StatusOK, http.MethodGet, "/v1/ops/analytics/rebuilds/"+started.ID, operator, nil, &rebuild)
		return rebuild.State == "done" || rebuild.State == "failed"
	})
	if r := rebuild.Result; !r.Equal || r.HashLive == "" || r.HashLive != r.HashRebuilt {
		t.Fatalf("the rebuilt state is another: %+v", rebuild)
	}
	after := summaryOf(s, token)
	if after.Customers != before.Customers || after.Revenue[0] != before.Revenue[0] {
		t.Errorf("before %+v, after %+v", before, after)
	}
	more := uuid.Must(uuid.NewV7())
	s.Publish("accounts", k.registered(more))
	s.Eventually("the rebuilt state goes on living", func() bool { return summaryOf(s, token).Customers == 2 })
}

func TestTheHouseRulesHold(t *testing.T) {
	t.Parallel()
	apptest.Check(t, analytics.Module())
}
