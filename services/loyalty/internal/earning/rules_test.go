package earning_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/platform/pg"
	salesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/sales/events/v1"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/earning"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/loyaltytest"
)

type list = []any

// bought is what sales tells of an order with lines: articles' codes with amounts in fen.
func bought(t *testing.T, o *loyaltytest.Order, at time.Time, lines ...any) bus.Event {
	t.Helper()
	m := &salesv1.OrderPlaced{OrderId: o.ID.String(), Channel: "shop", Currency: "CNY", PlacedAt: timestamppb.New(at)}
	if o.Customer != uuid.Nil {
		m.CustomerId = o.Customer.String()
	}
	for i := 0; i < len(lines); i += 2 {
		amount := int64(lines[i+1].(int))
		m.Lines = append(m.Lines, &salesv1.OrderLine{LineNo: int32(i/2 + 1), Sku: lines[i].(string), Quantity: 1, AmountMinor: amount})
		m.Units, m.TotalMinor = m.Units+1, m.TotalMinor+amount
	}
	return o.Event(t, m)
}

// earned is what the API says that an order earned.
type earned struct {
	CustomerID *uuid.UUID `json:"customer_id"`
	Programmes []struct {
		Programme, Tier, Exact string
		Version                int
		Points, Qualifying     int64
		TakenBack              int64 `json:"taken_back"`
		QualifyingBack         int64 `json:"qualifying_taken_back"`
		Rules                  []struct {
			Rule, Kind string
			Points     int64
		}
		Caps []struct {
			Cap             string
			Cut, Used, Left int64
		}
		Failed []struct{ Rule, Why string }
		Words  struct{ EN, ZH []string }
	}
	Returns []struct {
		TakenBack []struct {
			Programme string
			Points    int64
		} `json:"taken_back"`
	}
}

func explained(w *loyaltytest.World, o *loyaltytest.Order, token string) (e earned) {
	w.Want(http.StatusOK, http.MethodGet, "/v1/orders/"+o.ID.String()+"/earning", token, nil, &e)
	return e
}

// since has a programme's first terms hold since long ago, as if it had been made then.
func since(w *loyaltytest.World, code string, no int, at time.Time) {
	w.Admin(`UPDATE programme_version SET effective_from = $3 WHERE programme = $1 AND no = $2`, code, no, at)
}

// programmeOf makes a programme of the tenant pizza whose terms have held since 2026.
func programmeOf(w *loyaltytest.World, code string, terms body) {
	programmeFor(w, w.Manager, code, terms)
}

func programmeFor(w *loyaltytest.World, token, code string, terms body) {
	w.Want(http.StatusCreated, http.MethodPost, "/v1/programmes", token,
		body{"code": code, "name": "Bean club", "zone": "Asia/Shanghai", "terms": terms}, nil)
	since(w, code, 1, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
}

func coffeeTerms() body {
	return body{
		"return_days": 0, "join_by_purchase": true, "categories": list{body{"code": "coffee", "prefixes": list{"COF-"}}, body{"code": "gift-card", "prefixes": list{"GIFT"}}},
		"earning": body{
			"rounding": "half_up",
			"rules": list{
				body{"code": "spend", "kind": "base", "points": "amount / 10", "name_en": "1 point for each 10 yuan", "name_zh": "每消费十元积一分"},
				body{"code": "coffee", "kind": "base", "points": `lines.filter(l, l.category == "coffee").map(l, l.amount).sum() / 5`, "name_en": "Coffee", "name_zh": "咖啡"},
				body{"code": "weekend", "kind": "multiplier", "when": "weekday >= 6", "points": "1.5", "of": list{"spend"}, "name_en": "Weekend", "name_zh": "周末"},
				body{"code": "first", "kind": "bonus", "when": "first_purchase", "points": "50", "name_en": "Welcome", "name_zh": "新客奖励"},
				body{"code": "birthday", "kind": "bonus", "when": "birthday_month == month", "points": "20"},
				body{"code": "gifts", "kind": "exclusion", "lines": `line.category == "gift-card"`, "name_en": "Gift cards", "name_zh": "礼品卡"},
				body{"code": "broken", "kind": "bonus", "points": "1 / (units - units)"},
			},
			"caps": list{body{"code": "monthly", "period": "month", "points": 100}, body{"code": "coffee-day", "period": "day", "points": 15, "rules": list{"coffee"}}},
		},
	}
}

// saturday is one in Shanghai, and a Friday in UTC.
var saturday = time.Date(2026, 11, 20, 17, 0, 0, 0, time.UTC)

func TestRulesSayWhatAnOrderEarns(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	programmeOf(w, "standard", coffeeTerms())
	lily := uuid.Must(uuid.NewV7())
	first, second := loyaltytest.NewOrder(lily), loyaltytest.NewOrder(lily)
	w.Tell(bought(t, first, saturday, "COF-1", 4999, "CUP-1", 8890, "GIFT", 10000))
	// Without the gift card 138.89: 13.889 times 1.5, 9.998 for coffee, 50 for the first order: 80.8315
	got := explained(w, first, w.Manager)
	p := got.Programmes[0]
	if p.Points != 81 || p.Qualifying != 24 || p.Version != 1 || w.Member(lily).Available != 81 {
		t.Fatalf("%+v", got)
	}
	if len(p.Failed) != 1 || p.Failed[0].Rule != "broken" || p.Failed[0].Why != "division by zero" {
		t.Fatalf("%+v", p.Failed)
	}
	w.Tell(bought(t, second, saturday.Add(time.Hour), "COF-2", 10000))
	// 10 times 1.5, 20 for coffee of which 5 are left that day: 20; of the month 19 are left.
	second2 := explained(w, second, w.Manager).Programmes[0]
	if second2.Points != 19 || w.Member(lily).Available != 100 {
		t.Fatalf("%+v", second2)
	}
	if c := second2.Caps; c[0].Cap != "coffee-day" || c[0].Cut != 15 || c[0].Left != 0 || c[1].Cut != 1 || c[1].Left != 0 {
		t.Fatalf("%+v", second2.Caps)
	}
	golden.JSON(t, "testdata/earning.json", w.Do(http.MethodGet, "/v1/orders/"+first.ID.String()+"/earning", w.Manager, nil).Body)
	// What came in late counts where it was placed: October has a cap of its own.
	late := loyaltytest.NewOrder(lily)
	w.Tell(bought(t, late, time.Date(2026, 10, 7, 3, 0, 0, 0, time.UTC), "CUP-1", 120000))
	if got := explained(w, late, w.Manager).Programmes[0]; got.Points != 100 || got.Caps[1].Cut != 20 {
		t.Fatalf("%+v", got)
	}
	// And a later one of November, heard of after it, finds no room there.
	none := loyaltytest.NewOrder(lily)
	w.Tell(bought(t, none, saturday.Add(-48*time.Hour), "CUP-1", 120000))
	if got := explained(w, none, w.Manager).Programmes[0]; got.Points != 0 || got.Qualifying != 120 {
		t.Fatalf("%+v", got)
	}
}

func TestReturnsAreExplained(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	programmeOf(w, "standard", coffeeTerms())
	lily := uuid.Must(uuid.NewV7())
	order := loyaltytest.NewOrder(lily)
	w.Tell(bought(t, order, saturday, "CUP-1", 10000)) // 15 and 50
	back := order.Returned(t, 3333)
	w.Tell(back, order.Returned(t, 3333))
	again := back
	again.Sequence = order.Event(t, &salesv1.OrderReturned{}).Sequence // told again by a producer that was restored
	w.Tell(again)
	got := explained(w, order, w.Manager)
	if p := got.Programmes[0]; p.Points != 65 || p.TakenBack != 43 || p.QualifyingBack != 6 {
		t.Fatalf("%+v", got)
	}
	if len(got.Returns) != 2 || got.Returns[0].TakenBack[0].Points != 21 || got.Returns[1].TakenBack[0].Points != 22 {
		t.Fatalf("%+v", got.Returns)
	}
	if words := strings.Join(got.Programmes[0].Words.EN, "\n"); !strings.Contains(words, "Goods for 66.66 CNY came back, and 43 points with them.") {
		t.Fatal(words)
	}
	// A return makes no new room under a cap.
	more := loyaltytest.NewOrder(lily)
	w.Tell(bought(t, more, saturday.Add(time.Hour), "CUP-1", 100000)) // 150
	if got := explained(w, more, w.Manager).Programmes[0]; got.Points != 35 {
		t.Fatalf("%+v", got)
	}
}

func TestAnOrderEarnsInEveryProgrammeOfItsCustomer(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	programmeOf(w, "club", body{
		"return_days": 0, "join_by_purchase": false,
		"earning": body{"rules": list{body{"code": "triple", "kind": "base", "points": "amount * 3"}}, "caps": list{body{"code": "once", "period": "order", "points": 250}}},
	})
	programmeOf(w, "auto", body{"return_days": 0, "join_by_purchase": true, "earning": body{"rules": list{body{"code": "one", "kind": "base", "points": "1"}}}})
	lily, mia := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	w.Want(http.StatusCreated, http.MethodPost, "/v1/members", w.Manager, body{"customer_id": lily, "programme": "club"}, nil)
	both, plain := loyaltytest.NewOrder(lily), loyaltytest.NewOrder(mia)
	w.Tell(both.Placed(t, longAgo, 10000), plain.Placed(t, longAgo, 10000))
	points := func(o *loyaltytest.Order) map[string][2]int64 {
		all := map[string][2]int64{}
		for _, p := range explained(w, o, w.Manager).Programmes {
			all[p.Programme] = [2]int64{p.Points, p.TakenBack}
		}
		return all
	}
	if got := points(both); len(got) != 3 || got["standard"] != [2]int64{100, 0} || got["club"] != [2]int64{250, 0} || got["auto"] != [2]int64{1, 0} {
		t.Fatal(got)
	}
	if got := points(plain); len(got) != 2 || got["auto"] != [2]int64{1, 0} {
		t.Fatal(got)
	}
	w.Tell(both.Returned(t, 5001))
	if got := points(both); got["standard"] != [2]int64{100, 50} || got["club"] != [2]int64{250, 125} || got["auto"] != [2]int64{1, 0} {
		t.Fatal(got)
	}
	if n := w.Count(`SELECT count(*) FROM member m JOIN LATERAL (SELECT sum(available + pending + debt) AS points FROM ledger_entry e WHERE e.member_id = m.id) e ON true
		WHERE e.points <> m.available + m.pending - m.debt`); n != 0 {
		t.Fatalf("%d members do not fit the ledger", n)
	}
}

func TestWhoHasLeftEarnsNothingAndWhoIsSuspendedEarns(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	lily, mia := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	before := loyaltytest.NewOrder(lily)
	w.Tell(before.Placed(t, longAgo, 5000), loyaltytest.NewOrder(mia).Placed(t, longAgo, 5000))
	w.Admin(`UPDATE member SET state = CASE customer_id WHEN $1 THEN 'left' ELSE 'suspended' END, state_at = now()`, lily)
	after := loyaltytest.NewOrder(lily)
	w.Tell(after.Placed(t, longAgo, 7000), loyaltytest.NewOrder(mia).Placed(t, longAgo, 7000))
	if have(w.Member(lily))[0] != 50 || have(w.Member(mia))[0] != 120 || w.Count(`SELECT count(*) FROM member`) != 2 {
		t.Fatalf("%+v, %+v", w.Member(lily), w.Member(mia))
	}
	if got := explained(w, after, w.Manager); len(got.Programmes) != 0 || *got.CustomerID != lily {
		t.Fatalf("%+v", got)
	}
	w.Admin(`UPDATE member SET available = 20 WHERE customer_id = $1`, lily)
	w.Admin(`UPDATE lot SET remaining = 20 WHERE remaining = 50`)
	w.Tell(before.Returned(t, 5000), after.Returned(t, 7000))
	if got := have(w.Member(lily)); got != [3]int64{0, 0, 0} {
		t.Fatalf("somebody who has left owes points: %v", got)
	}
}

func TestTheTermsAreThoseOfWhenTheOrderWasPlaced(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	base := func(points string) body {
		return body{"return_days": 0, "join_by_purchase": true, "earning": body{"rules": list{body{"code": "base", "kind": "base", "points": points}}}}
	}
	programmeOf(w, "standard", base("amount"))
	w.Want(http.StatusCreated, http.MethodPost, "/v1/programmes/standard/versions", w.Manager, body{"terms": base("amount * 2")}, nil, "If-Match", `"1"`)
	change := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	since(w, "standard", 2, change)
	lily := uuid.Must(uuid.NewV7())
	for at, want := range map[time.Time]int64{change.Add(-time.Microsecond): 10, change: 20, longAgo: 10} {
		o := loyaltytest.NewOrder(uuid.Nil)
		w.Tell(o.Placed(t, at, 1000), o.Attributed(t, lily)) // attributed today
		if got := explained(w, o, w.Manager).Programmes[0].Points; got != want {
			t.Errorf("%s: got %d, want %d", at, got, want)
		}
	}
}

func TestTheMonthOfBirthIsAskedForAndForgotten(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	programmeOf(w, "standard", coffeeTerms())
	m := w.Enrol()
	path := m.Path + "/birthday-month"
	w.Want(http.StatusNotFound, http.MethodGet, path, w.Manager, nil, nil)
	w.Want(http.StatusOK, http.MethodPut, path, w.Manager, body{"month": 3}, nil)
	w.Want(http.StatusOK, http.MethodPut, path, w.Manager, body{"month": 11}, nil)
	order := loyaltytest.NewOrder(m.CustomerID)
	w.Tell(bought(t, order, saturday.Add(-48*time.Hour), "CUP-1", 10000)) // 10, 50 and 20
	if got := explained(w, order, w.Manager).Programmes[0]; got.Points != 80 {
		t.Fatalf("%+v", got)
	}
	w.Want(http.StatusNotFound, http.MethodGet, path, w.Token(auth.RoleManager, "music"), nil, nil)
	w.Want(http.StatusNotFound, http.MethodPut, path, w.Token(auth.RoleManager, "music"), body{"month": 1}, nil)
	var read struct{ Month int }
	w.Want(http.StatusOK, http.MethodGet, path, w.Manager, nil, &read)
	w.Want(http.StatusNoContent, http.MethodDelete, path, w.Manager, nil, nil)
	w.Want(http.StatusNotFound, http.MethodGet, path, w.Manager, nil, nil)
	if read.Month != 11 {
		t.Fatal(read)
	}
}

// TestTwoTenantsEarnByTheirOwnRules has two tenants with a programme and caps of the same codes.
func TestTwoTenantsEarnByTheirOwnRules(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	music := w.Token(auth.RoleManager, "music")
	terms := func(points string, most int) body {
		return body{"return_days": 0, "join_by_purchase": true, "earning": body{
			"rules": list{body{"code": "base", "kind": "base", "points": points}}, "caps": list{body{"code": "year", "period": "year", "points": most}},
		}}
	}
	w.Want(http.StatusCreated, http.MethodPost, "/v1/programmes", w.Manager, body{"code": "standard", "name": "A", "zone": "UTC", "terms": terms("amount", 150)}, nil)
	w.Want(http.StatusCreated, http.MethodPost, "/v1/programmes", music, body{"code": "standard", "name": "B", "zone": "UTC", "terms": terms("amount * 3", 1000)}, nil)
	since(w, "standard", 1, longAgo)
	lily := uuid.Must(uuid.NewV7())
	a, b := loyaltytest.NewOrder(lily), loyaltytest.NewOrder(lily)
	b.Tenant = "music"
	w.Tell(a.Placed(t, saturday, 10000), b.Placed(t, saturday, 10000))
	a2 := loyaltytest.NewOrder(lily)
	w.Tell(a2.Placed(t, saturday, 10000))
	if got := explained(w, a, w.Manager).Programmes[0].Points; got != 100 {
		t.Error(got)
	}
	if got := explained(w, a2, w.Manager).Programmes[0].Points; got != 50 {
		t.Error(got)
	}
	if got := explained(w, b, music).Programmes[0].Points; got != 300 {
		t.Error(got)
	}
	w.Want(http.StatusNotFound, http.MethodGet, "/v1/orders/"+a.ID.String()+"/earning", music, nil, nil)
}

// TestABatchCountsCapsOrderByOrder has one member's orders come all at once.
func TestABatchCountsCapsOrderByOrder(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	programmeOf(w, "standard", body{"return_days": 0, "join_by_purchase": true, "earning": body{
		"rules": list{body{"code": "base", "kind": "base", "points": "amount"}, body{"code": "first", "kind": "bonus", "when": "first_purchase", "points": "7"}},
		"caps":  list{body{"code": "day", "period": "day", "points": 1000, "rules": list{"base"}}},
	}})
	lily := uuid.Must(uuid.NewV7())
	var events []bus.Event
	for n := range 60 {
		events = append(events, loyaltytest.NewOrder(lily).Placed(t, saturday.Add(time.Duration(n)*time.Second), 3300))
	}
	w.Tell(events...)
	if got := have(w.Member(lily)); got != [3]int64{1007, 0, 0} {
		t.Fatal(got)
	}
	if n := w.Count(`SELECT sum(points)::bigint FROM earning_cap`); n != 1000 {
		t.Fatal(n)
	}
}

func TestAMonthOfBirthGoesWithItsCustomer(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	lily, mia := w.Enrol(), w.Enrol()
	for _, m := range []loyaltytest.Member{lily, mia} {
		w.Want(http.StatusOK, http.MethodPut, m.Path+"/birthday-month", w.Manager, body{"month": 3}, nil)
	}
	err := w.DB.Tx(t.Context(), "pizza", func(tx *pg.Tx) error {
		done, err := earning.Erase(t.Context(), tx, []uuid.UUID{lily.CustomerID})
		if len(done) != 1 || done[0].Count != 1 || done[0].Left != 0 {
			t.Errorf("%+v", done)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	w.Want(http.StatusNotFound, http.MethodGet, lily.Path+"/birthday-month", w.Manager, nil, nil)
	w.Want(http.StatusOK, http.MethodGet, mia.Path+"/birthday-month", w.Manager, nil, nil)
}

// TestReturnsOfOrdersFromBeforeProgrammes has an order as it was kept before there were several programmes.
func TestReturnsOfOrdersFromBeforeProgrammes(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	lily := uuid.Must(uuid.NewV7())
	order := loyaltytest.NewOrder(lily)
	w.Tell(order.Placed(t, longAgo, 10000))
	w.Admin(`UPDATE earning_order SET member_id = NULL, qualifying = 0, lines = NULL`)
	w.Tell(order.Returned(t, 2500))
	if got := have(w.Member(lily)); got != [3]int64{75, 0, 0} {
		t.Fatal(got)
	}
	if got := explained(w, order, w.Manager).Programmes[0]; got.Points != 100 || got.TakenBack != 25 || got.Rules[0].Rule != "default" {
		t.Fatalf("%+v", got)
	}
}
