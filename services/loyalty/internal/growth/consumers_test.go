package growth_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/inbox"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	accountsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/accounts/events/v1"
	salesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/sales/events/v1"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/growth"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/loyaltytest"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/member"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

// story is what one customer does, and the facts that it comes to.
type story struct {
	orders [][]bus.Event // each in its order
	signs  []bus.Event
	facts  growth.Facts
}

// tell makes up a story of a customer of a tenant; the same seed gives the same story.
func tell(t *testing.T, seed uint64, tenant string, customer uuid.UUID) story {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 11))
	s := story{facts: growth.Facts{Spent: map[string]int64{}}}
	skus := []string{"COF-1", "COF-2", "TEA-1", "MUG-1", "", "SPOON"}
	code := map[string]string{"COF-1": "coffee", "COF-2": "coffee", "TEA-1": "tea", "MUG-1": "mugs"}
	for range 12 {
		o := loyaltytest.NewOrder(uuid.Nil)
		o.Tenant = tenant
		at, within := time.Now().AddDate(0, 0, -random.IntN(300)), random.IntN(4) > 0
		if !within {
			at = at.AddDate(-2, 0, 0)
		}
		amount, returned, sku := 1+random.Int64N(50_000), int64(0), skus[random.IntN(len(skus))]
		events := []bus.Event{bought(t, o, at, line(sku, amount)), o.Attributed(t, customer)}
		switch random.IntN(3) {
		case 0:
			returned = amount
			events = append(events, back(t, o, 1, amount))
		case 1:
			returned = amount / 2
			events = append(events, back(t, o, 1, amount/4), back(t, o, 1, amount/2-amount/4))
		}
		s.orders = append(s.orders, events)
		if within {
			s.facts.Spent["CNY"] += amount - returned
			if c := code[sku]; c != "" && returned < amount && !slices.Contains(s.facts.Categories, c) {
				s.facts.Categories = append(s.facts.Categories, c)
			}
		}
	}
	for range random.IntN(20) {
		direction := []string{"inbound", "outbound"}[random.IntN(2)]
		s.signs = append(s.signs, contact(t, tenant, customer, direction, time.Now().AddDate(0, 0, -random.IntN(300))))
		if direction == "inbound" {
			s.facts.Interactions++
		}
	}
	return s
}

// again is the same events as a producer tells them that was restored.
func again(events []bus.Event) []bus.Event {
	out := slices.Clone(events)
	for n := range out {
		out[n].Epoch, out[n].ID = 2, uuid.Must(uuid.NewV7())
	}
	return out
}

// TestTheOrderOfEventsMakesNoDifference tells the same stories of several customers to two tenants, to each in an order of its own, and
// to one of them once more: all come to what the facts say.
func TestTheOrderOfEventsMakesNoDifference(t *testing.T) {
	t.Parallel()
	w := start(t)
	customers := make([]uuid.UUID, 6)
	for n := range customers {
		customers[n] = uuid.Must(uuid.NewV7())
	}
	for n, tenant := range []string{"pizza", "music"} {
		var orders [][]bus.Event
		var signs []bus.Event
		want := make(map[uuid.UUID]int)
		for seed, c := range customers {
			s := tell(t, uint64(seed), tenant, c)
			orders, signs = append(orders, s.orders...), append(signs, s.signs...)
			if want[c] = growth.Compose(terms(), s.facts).Score; want[c] < 50 {
				t.Fatalf("the story %d is too thin: %d", seed, want[c])
			}
		}
		random := rand.New(rand.NewPCG(uint64(n), 3))
		random.Shuffle(len(orders), func(i, j int) { orders[i], orders[j] = orders[j], orders[i] })
		random.Shuffle(len(signs), func(i, j int) { signs[i], signs[j] = signs[j], signs[i] })
		sales := slices.Concat(orders...)
		if n == 1 {
			w.Publish("accounts", signs...)
		}
		w.Publish("sales", sales...)
		if n == 0 {
			w.Publish("accounts", signs...)
		}
		kept := `SELECT coalesce((SELECT s.score FROM growth_score s JOIN member m ON m.tenant_id = s.tenant_id AND m.id = s.member_id
			WHERE m.tenant_id = $1 AND m.customer_id = $2), -1)`
		for c, score := range want {
			w.Eventually("all is scored", func() bool { return w.Count(kept, tenant, c) == int64(score) })
		}
		if n == 1 {
			continue
		}
		sentinel := contact(t, tenant, uuid.New(), "inbound", time.Now())
		w.Publish("sales", again(sales)...)
		w.Publish("accounts", append(again(signs), sentinel)...)
		w.Eventually("all was told again", func() bool {
			return w.Count(`SELECT count(*) FROM inbox_cursor WHERE consumer = 'growth-orders' AND epoch = 2 AND last_seq >= 2`) == int64(len(orders)) &&
				w.Count(`SELECT count(*) FROM growth_behaviour WHERE key = $1`, sentinel.AggregateID) == 1
		})
		for c, score := range want {
			if got := w.Count(kept, tenant, c); got != int64(score) {
				t.Errorf("told again, the score is %d, want %d", got, score)
			}
		}
	}
	if n := w.Count(`SELECT count(*) FROM inbox_parked`); n != 0 {
		t.Fatalf("%d events are parked", n)
	}
}

func TestWhoIsOneCustomerHasOneScoreUntilThatIsUndone(t *testing.T) {
	t.Parallel()
	w := start(t)
	a, b, now := w.Enrol(), w.Enrol(), time.Now()
	w.review(a, "a", now)
	w.review(b, "b", now)
	w.Publish("accounts", contact(t, "pizza", b.CustomerID, "inbound", now))
	w.becomes(a, 20)
	w.becomes(b, 34)
	accounts := w.Accounts("pizza")
	accounts.Merge(a.CustomerID, b.CustomerID)
	w.becomes(a, 47) // two reviews, 333·10, and a contact, 143·10, in 100
	w.becomes(b, 47)
	accounts.Undo(a.CustomerID, b.CustomerID)
	w.becomes(a, 20)
	w.becomes(b, 34)
	var page struct{ Items []struct{ Cause string } }
	w.Want(http.StatusOK, http.MethodGet, a.Path+"/growth/history", w.Manager, nil, &page)
	if len(page.Items) != 3 || page.Items[0].Cause != "merge" || page.Items[1].Cause != "merge" {
		t.Fatalf("%+v", page)
	}
}

// TestManyAtOnceAreAllCounted has everything that can change a score happen at once: whoever comes last has seen them all.
func TestManyAtOnceAreAllCounted(t *testing.T) {
	t.Parallel()
	w := start(t)
	m, now := w.Enrol(), time.Now()
	var wait sync.WaitGroup
	for n := range 50 {
		wait.Go(func() {
			if got := w.review(m, fmt.Sprint("r", n), now); got != http.StatusCreated {
				t.Errorf("got %d", got)
			}
		})
	}
	for range 50 {
		w.Publish("accounts", contact(t, "pizza", m.CustomerID, "inbound", now))
		w.Publish("sales", bought(t, loyaltytest.NewOrder(m.CustomerID), now, line("COF-1", 6_000)))
	}
	wait.Wait()
	want := growth.Compose(terms(), growth.Facts{Spent: map[string]int64{"CNY": 300_000}, Categories: []string{"coffee"}, Interactions: 50, Reviews: 50})
	w.becomes(m, want.Score)
}

// TestWhoeverComesSecondSeesWhatTheFirstDid has a contact come in while a review is being written that it cannot see yet.
func TestWhoeverComesSecondSeesWhatTheFirstDid(t *testing.T) {
	t.Parallel()
	w := start(t)
	m, now := w.Enrol(), time.Now()
	w.becomes(m, 0)
	ctx := auth.With(t.Context(), auth.Principal{Subject: "test", Tenant: "pizza"})
	second := make(chan error, 1)
	drive := func(context.Context, *pg.Tx, *programme.Book, member.Member, int) ([]outbox.Event, error) {
		done := make(chan error, 1)
		go func() {
			done <- w.DB.Tx(ctx, "pizza", func(tx *pg.Tx) error {
				return w.at(now, nil).Signals().Apply(ctx, tx, []inbox.Event{{Event: bus.Event{ID: uuid.New()}, Message: &accountsv1.InteractionRecorded{
					InteractionId: uuid.NewString(), CustomerId: m.CustomerID.String(), Direction: "inbound", OccurredAt: timestamppb.New(now),
				}}})
			})
		}()
		w.Eventually("the second waits for the first, or does not", func() bool {
			if len(done) == 1 {
				return true
			}
			return w.Count(`SELECT count(*) FROM pg_locks WHERE NOT granted`) > 0
		})
		go func() { second <- <-done }()
		return nil, nil
	}
	if _, _, err := w.at(now, drive).Report(ctx, m.MemberID, growth.Behaviour{Kind: "reviews", Key: "r", OccurredAt: now}); err != nil {
		t.Fatal(err)
	}
	if err := <-second; err != nil {
		t.Fatal(err)
	}
	w.becomes(m, 34)
}

func TestAnEventOfAnOrderThatBreaksItsContractIsParkedAlone(t *testing.T) {
	t.Parallel()
	w := start(t)
	lily, at := uuid.Must(uuid.NewV7()), timestamppb.Now()
	bad := []*salesv1.OrderPlaced{
		{OrderId: "17", CustomerId: lily.String(), Currency: "CNY", PlacedAt: at},
		{OrderId: uuid.NewString(), CustomerId: "lily", Currency: "CNY", PlacedAt: at},
		{OrderId: uuid.NewString(), CustomerId: lily.String(), Currency: "XXX", PlacedAt: at},
		{OrderId: uuid.NewString(), CustomerId: lily.String(), Currency: "CNY", TotalMinor: -1, PlacedAt: at},
		{OrderId: uuid.NewString(), CustomerId: lily.String(), Currency: "CNY"},
		{OrderId: uuid.NewString(), CustomerId: lily.String(), Currency: "CNY", PlacedAt: at, Lines: []*salesv1.OrderLine{{LineNo: 1, Sku: "COF-1", AmountMinor: -1}}},
	}
	for _, m := range bad {
		o := loyaltytest.NewOrder(lily)
		w.Publish("sales", o.Event(t, m))
	}
	good := loyaltytest.NewOrder(lily)
	w.Publish("sales", bought(t, good, time.Now(), line("COF-1", 300_000)), back(t, good, 1, 400_000)) // more than was bought: all of it
	w.Eventually("the good order is kept", func() bool {
		return w.Count(`SELECT count(*) FROM growth_order WHERE returned_minor = 300000`) == 1
	})
	w.Eventually("the bad ones are parked", func() bool {
		return w.Count(`SELECT count(*) FROM inbox_parked WHERE consumer = 'growth-orders' AND code = 'event_breaks_contract'`) == int64(len(bad))
	})
	w.Eventually("who bought is a member", func() bool { return w.Member(lily).Path != "" })
	if got := w.growth(w.Member(lily)); got.Score != 0 {
		t.Errorf("all came back: %+v", got)
	}
}

func TestTenantsAreScoredApart(t *testing.T) {
	t.Parallel()
	w := start(t)
	lily, now := uuid.Must(uuid.NewV7()), time.Now()
	music := w.Token(auth.RoleManager, "music")
	var here, there loyaltytest.Member
	w.Want(http.StatusCreated, http.MethodPost, "/v1/members", w.Manager, body{"customer_id": lily}, &here)
	w.Want(http.StatusCreated, http.MethodPost, "/v1/members", music, body{"customer_id": lily}, &there)
	here.Path = "/v1/members/" + here.MemberID.String()
	w.review(here, "r", now)
	w.Publish("accounts", contact(t, "music", lily, "inbound", now))
	w.becomes(here, 20)
	w.Eventually("the other is scored", func() bool { return w.kept(there) == 14 })
}
