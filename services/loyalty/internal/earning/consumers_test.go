package earning_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/platform/money"
	salesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/sales/events/v1"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/loyaltytest"
)

type body = map[string]any

// have is what a member has: available, pending, debt.
func have(m loyaltytest.Member) [3]int64 { return [3]int64{m.Available, m.Pending, m.Debt} }

var longAgo = time.Date(1997, 1, 1, 12, 0, 0, 0, time.UTC)

func TestAPurchaseEnrolsAndEarns(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	lily := uuid.Must(uuid.NewV7())
	w.Tell(loyaltytest.NewOrder(lily).Placed(t, time.Now(), 13899))
	member := w.Member(lily)
	if have(member) != [3]int64{0, 138, 0} || member.Source != "first_purchase" {
		t.Fatalf("%+v", member)
	}
	w.Tell(loyaltytest.NewOrder(lily).Placed(t, longAgo, 6900)) // its return window ended long ago
	if got := w.Member(lily); have(got) != [3]int64{69, 138, 0} || got.MemberID != member.MemberID {
		t.Fatalf("%+v", got)
	}
	earned := w.EventsOf("PointsEarned", 2)
	golden.JSON(t, "testdata/points_earned_locked.json", earned[0].Data)
	golden.JSON(t, "testdata/points_earned.json", earned[1].Data)
	if enrolled := w.EventsOf("MemberEnrolled", 1); len(enrolled) != 1 || enrolled[0].Sequence != 1 || earned[0].Sequence != 2 || earned[1].Sequence != 3 {
		t.Fatalf("%+v", enrolled)
	}
}

func TestAnOrderForLessThanAPointEnrolsOnly(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	lily := uuid.Must(uuid.NewV7())
	order := loyaltytest.NewOrder(lily)
	w.Tell(order.Placed(t, time.Now(), 99), order.Returned(t, 99))
	if got := w.Member(lily); have(got) != [3]int64{} || got.CustomerID != lily {
		t.Fatalf("%+v", got)
	}
	if n := w.Count(`SELECT count(*) FROM ledger_entry`); n != 0 {
		t.Fatalf("%d entries", n)
	}
}

func TestReturnsTakeTheirShareBack(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	lily := uuid.Must(uuid.NewV7())
	order := loyaltytest.NewOrder(lily)
	w.Tell(order.Placed(t, time.Now(), 10000)) // 100 points
	for n, c := range []struct{ back, left int64 }{{3333, 67}, {3333, 34}, {3334, 0}} {
		w.Tell(order.Returned(t, c.back))
		if got := w.Member(lily); have(got) != [3]int64{0, c.left, 0} {
			t.Fatalf("after return %d: %+v", n+1, got)
		}
	}
	golden.JSON(t, "testdata/points_reversed.json", w.EventsOf("PointsReversed", 3)[0].Data)
}

func TestWhatWasSpentAlreadyIsOwedAndPaidFirst(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	lily := uuid.Must(uuid.NewV7())
	order := loyaltytest.NewOrder(lily)
	w.Tell(order.Placed(t, longAgo, 10000))
	w.Want(http.StatusCreated, http.MethodPost, w.Member(lily).Path+"/spends", w.Manager, body{"points": 70, "reason_type": "reward"}, nil)
	w.Tell(order.Returned(t, 10000))
	if got := w.Member(lily); have(got) != [3]int64{0, 0, 70} {
		t.Fatalf("30 of 100 points were left: %+v", got)
	}
	golden.JSON(t, "testdata/points_reversed_debt.json", w.EventsOf("PointsReversed", 1)[0].Data)
	w.Tell(loyaltytest.NewOrder(lily).Placed(t, time.Now(), 5000))
	if got := w.Member(lily); have(got) != [3]int64{0, 0, 20} {
		t.Fatalf("50 points paid a part of the debt: %+v", got)
	}
	w.Tell(loyaltytest.NewOrder(lily).Placed(t, time.Now(), 5000))
	if got := w.Member(lily); have(got) != [3]int64{0, 30, 0} {
		t.Fatalf("20 points paid the rest of the debt: %+v", got)
	}
	golden.JSON(t, "testdata/points_earned_debt.json", w.EventsOf("PointsEarned", 3)[2].Data)
}

func TestAnOrderEarnsWhenItsCustomerIsFound(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	lily := uuid.Must(uuid.NewV7())
	order, returned := loyaltytest.NewOrder(uuid.Nil), loyaltytest.NewOrder(uuid.Nil)
	w.Tell(order.Placed(t, longAgo, 10000), returned.Placed(t, longAgo, 10000), returned.Returned(t, 2000), returned.Returned(t, 3050))
	if n := w.Count(`SELECT count(*) FROM member`) + w.Count(`SELECT count(*) FROM ledger_entry`); n != 0 {
		t.Fatalf("somebody earned for orders of nobody: %d", n)
	}
	w.Tell(order.Attributed(t, lily))
	if got := w.Member(lily); have(got) != [3]int64{100, 0, 0} {
		t.Fatalf("%+v", got)
	}
	w.Tell(returned.Attributed(t, lily))
	if got := w.Member(lily); have(got) != [3]int64{150, 0, 0} {
		t.Fatalf("50 of 100 points were owed when they were earned: %+v", got)
	}
	w.Tell(returned.Returned(t, 4950))
	if got := w.Member(lily); have(got) != [3]int64{100, 0, 0} {
		t.Fatalf("everything is back: %+v", got)
	}
}

// TestABatchIsTakenInAsOne lets a whole story arrive at once: whatever the batches are, the result is the same.
func TestABatchIsTakenInAsOne(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	var events []bus.Event
	customers := make([]uuid.UUID, 40)
	for n := range customers {
		customers[n] = uuid.Must(uuid.NewV7())
		for range 5 {
			order := loyaltytest.NewOrder(uuid.Nil)
			events = append(events, order.Placed(t, longAgo, 10000), order.Returned(t, 1000), order.Attributed(t, customers[n]), order.Returned(t, 2000))
		}
	}
	w.Tell(events...)
	for _, c := range customers {
		if got := w.Member(c); have(got) != [3]int64{350, 0, 0} {
			t.Fatalf("%+v", got)
		}
	}
	if n := w.Count(`SELECT count(*) FROM lot WHERE remaining = 70`); n != 200 {
		t.Fatalf("%d lots have 70 points left", n)
	}
}

func TestAnEventThatBreaksItsContractIsParkedAlone(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	lily := uuid.Must(uuid.NewV7())
	order := func() *loyaltytest.Order { return loyaltytest.NewOrder(lily) }
	placed := func(change func(*salesv1.OrderPlaced)) bus.Event {
		o := order()
		m := &salesv1.OrderPlaced{OrderId: o.ID.String(), CustomerId: lily.String(), Currency: "CNY", TotalMinor: 100, PlacedAt: timestamppb.Now()}
		change(m)
		return o.Event(t, m)
	}
	back := func(change func(*salesv1.OrderReturned)) []bus.Event {
		o := order()
		m := &salesv1.OrderReturned{
			ReturnId: uuid.NewString(), OrderId: o.ID.String(), CustomerId: lily.String(), Currency: "CNY", AmountMinor: 100, ReturnedAt: timestamppb.Now(),
		}
		change(m)
		return []bus.Event{o.Placed(t, longAgo, 10000), o.Event(t, m)}
	}
	unknown, taken := order(), order()
	bad := map[string][]bus.Event{
		"an order without an id":         {placed(func(m *salesv1.OrderPlaced) { m.OrderId = "" })},
		"an order of nobody's id":        {placed(func(m *salesv1.OrderPlaced) { m.CustomerId = "17" })},
		"an order in no currency":        {placed(func(m *salesv1.OrderPlaced) { m.Currency = "XXX" })},
		"an order for less than 0":       {placed(func(m *salesv1.OrderPlaced) { m.TotalMinor = -1 })},
		"an order for too much":          {placed(func(m *salesv1.OrderPlaced) { m.TotalMinor = money.Max + 1 })},
		"an order without a time":        {placed(func(m *salesv1.OrderPlaced) { m.PlacedAt = nil })},
		"a return of an unknown order":   {unknown.Returned(t, 1)},
		"an attribution to another":      {taken.Placed(t, longAgo, 10000), taken.Attributed(t, uuid.Must(uuid.NewV7()))},
		"a return larger than its order": back(func(m *salesv1.OrderReturned) { m.AmountMinor = 10001 }),
		"a return in another currency":   back(func(m *salesv1.OrderReturned) { m.Currency = "USD" }),
		"a return of less than 0":        back(func(m *salesv1.OrderReturned) { m.AmountMinor = -1 }),
		"a return by another customer":   back(func(m *salesv1.OrderReturned) { m.CustomerId = uuid.NewString() }),
		"a return without a customer":    back(func(m *salesv1.OrderReturned) { m.CustomerId = "" }),
	}
	var events []bus.Event
	good := 0
	for _, story := range bad {
		o := order()
		events = append(events, o.Placed(t, longAgo, 100))
		events = append(events, story...)
		good += 1 + 100*(len(story)-1)
	}
	w.Tell(events...)
	if n := w.Count(`SELECT count(*) FROM inbox_parked WHERE consumer = 'orders' AND code = 'event_breaks_contract'`); n != int64(len(bad)) {
		t.Errorf("%d events are parked, want %d", n, len(bad))
	}
	if got := w.Member(lily); have(got) != [3]int64{int64(good), 0, 0} {
		t.Errorf("%+v, want the %d points of the good orders", got, good)
	}
	if n := w.Count(`SELECT count(*) FROM member`); n != 1 {
		t.Errorf("%d members", n)
	}
}

func TestWhatARestoredProducerTellsAgainCountsOnce(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	lily := uuid.Must(uuid.NewV7())
	order := loyaltytest.NewOrder(uuid.Nil)
	story := []bus.Event{order.Placed(t, longAgo, 10000), order.Attributed(t, lily), order.Returned(t, 5000)}
	w.Tell(story...)
	for n := range story {
		story[n].Epoch, story[n].ID = 2, uuid.Must(uuid.NewV7())
	}
	w.Tell(story...)
	if got := w.Member(lily); have(got) != [3]int64{50, 0, 0} {
		t.Fatalf("%+v", got)
	}
	if n := w.Count(`SELECT count(*) FROM inbox_parked`); n != 0 {
		t.Fatalf("%d events are parked", n)
	}
}

func TestTenantsEarnApart(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	lily := uuid.Must(uuid.NewV7())
	var events []bus.Event
	for n := range 10 {
		o := loyaltytest.NewOrder(lily)
		o.Tenant = []string{"pizza", "music"}[n%2]
		events = append(events, o.Placed(t, longAgo, int64(1+n%2)*1000))
	}
	w.Tell(events...)
	if got := w.Member(lily); have(got) != [3]int64{50, 0, 0} {
		t.Fatalf("%+v", got)
	}
	if n := w.Count(`SELECT available FROM member WHERE tenant_id = 'music'`); n != 100 {
		t.Fatalf("music: %d", n)
	}
}

// TestMoreLotsThanAreReadAtFirst takes back from a member with more lots than a batch reads of one: those that are needed
// are read then.
func TestMoreLotsThanAreReadAtFirst(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	lily := uuid.Must(uuid.NewV7())
	last := loyaltytest.NewOrder(lily)
	w.Tell(last.Placed(t, longAgo.AddDate(1, 0, 0), 20000))
	member := w.Member(lily)
	w.Want(http.StatusCreated, http.MethodPost, member.Path+"/spends", w.Manager, body{"points": 200, "reason_type": "reward"}, nil)
	var events []bus.Event
	for n := range 150 {
		events = append(events, loyaltytest.NewOrder(lily).Placed(t, longAgo.Add(time.Duration(n)*time.Hour), 100))
	}
	w.Tell(events...)
	w.Tell(last.Returned(t, 13000))
	if got := w.Member(lily); have(got) != [3]int64{20, 0, 0} {
		t.Fatalf("130 of 150 points: %+v", got)
	}
	if n := w.Count(`SELECT min(extract(epoch FROM earned_at))::bigint FROM lot WHERE remaining > 0`); n != longAgo.Add(130*time.Hour).Unix() {
		t.Fatalf("the oldest that is left was earned at %s", time.Unix(n, 0).UTC())
	}
	w.Want(http.StatusCreated, http.MethodPost, member.Path+"/spends", w.Manager, body{"points": 20, "reason_type": "reward"}, nil)
	w.Tell(last.Returned(t, 7000))
	if got := w.Member(lily); have(got) != [3]int64{0, 0, 70} {
		t.Fatalf("%+v", got)
	}
}

// TestConsumersAndPeopleBookAtOnce spends while points come in: nobody waits in a circle, and nothing is lost.
func TestConsumersAndPeopleBookAtOnce(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	members := make([]loyaltytest.Member, 8)
	for n := range members {
		members[n] = w.Enrol()
		w.Earn(members[n], 1000)
	}
	done := make(chan error)
	for _, m := range members {
		go func() {
			for n := range 20 {
				if answer := w.Do(http.MethodPost, m.Path+"/spends", w.Manager, body{"points": 10, "reason_type": "reward"}); answer.Status != http.StatusCreated {
					done <- fmt.Errorf("spend %d: %d %s", n, answer.Status, answer.Body)
					return
				}
			}
			done <- nil
		}()
	}
	var events []bus.Event
	for n := range 400 {
		events = append(events, loyaltytest.NewOrder(members[n%len(members)].CustomerID).Placed(t, longAgo, 100))
	}
	w.Tell(events...)
	for range members {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	for _, m := range members {
		if got := w.Read(m); got.Available != 1000-200+50 {
			t.Errorf("%+v", got)
		}
	}
}
