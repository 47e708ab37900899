package journey_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/analyticstest"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/journey"
)

// net is what is left of an order.
func (e event) net() int64 {
	left := e.total
	for _, b := range e.back {
		left -= b.amount
	}
	return left
}

// slowAttribution puts revenue down plainly, order by order.
func slowAttribution(h history, currency string, s journey.Span, key func(event) string) (rows []string, attributed, total int64) {
	type sums struct{ touches, orders, last, first, linear int64 }
	all := map[string]*sums{}
	for _, e := range h.of("fact_order") {
		if e.currency != currency || e.whole() || e.at.Before(s.From) || !e.at.Before(s.To.AddDate(0, 0, 1)) {
			continue
		}
		total += e.net()
		var led []event
		for _, t := range h.of("fact_touch") {
			if e.who != uuid.Nil && h.rootOf(t.who) == h.rootOf(e.who) && t.touch != journey.Control && t.at.Before(e.at) && !t.at.Before(e.at.AddDate(0, 0, -s.Days)) {
				led = append(led, t)
			}
		}
		if len(led) == 0 {
			continue
		}
		attributed += e.net()
		seen := map[string]bool{}
		for i, share := range journey.Shares(e.net(), len(led)) {
			k := key(led[i])
			if all[k] == nil {
				all[k] = &sums{}
			}
			own := all[k]
			own.touches++
			own.linear += share
			if i == 0 {
				own.first += e.net()
			}
			if i == len(led)-1 {
				own.last += e.net()
			}
			if !seen[k] {
				seen[k] = true
				own.orders++
			}
		}
	}
	for k, v := range all {
		rows = append(rows, fmt.Sprintf("%s %v", k, *v))
	}
	slices.Sort(rows)
	return rows, attributed, total
}

func TestAttributionIsWhatSlowReckoningComesToAndAddsUpExactly(t *testing.T) {
	t.Parallel()
	w := start(t)
	r := rand.New(rand.NewPCG(11, 12))
	now := time.Now().UTC()
	h := anyHistory(r, now, 15, 700)
	w.write("music", h)
	w.write("pizza", anyHistory(r, now, 5, 60))
	keys := map[string]func(event) string{
		"campaign": func(e event) string { return e.campaign }, "channel": func(e event) string { return e.channel },
		"touch": func(e event) string { return e.campaign + "/" + e.touch }, "origin": func(event) string { return "nurture" },
	}
	for by, key := range keys {
		for _, days := range []int{1, 30, 200} {
			s := journey.Span{From: now.AddDate(0, -8, 0).Truncate(24 * time.Hour), To: now.AddDate(0, -1, 0).Truncate(24 * time.Hour), Days: days}
			a, err := w.journey.Attribute(as(t, "music"), "USD", by, s)
			if err != nil {
				t.Fatal(err)
			}
			want, attributed, total := slowAttribution(h, "USD", s, key)
			var got []string
			var last, first, linear int64
			for _, row := range a.Rows {
				got = append(got, fmt.Sprintf("%s %v", row.Key, []int64{row.Touches, row.Orders, row.LastMinor, row.FirstMinor, row.LinearMinor}))
				last, first, linear = last+row.LastMinor, first+row.FirstMinor, linear+row.LinearMinor
			}
			slices.Sort(got)
			for i := range want {
				want[i] = fmt.Sprint(want[i])
			}
			if fmt.Sprint(got) != bracketed(want) || a.AttributedMinor != attributed || a.TotalMinor != total {
				t.Errorf("by %s within %d days: got %v of %d, %d\nwant %v of %d, %d", by, days, got, a.AttributedMinor, a.TotalMinor, want, attributed, total)
			}
			if last != attributed || first != attributed || linear != attributed || a.NotMinor != total-attributed || attributed == 0 {
				t.Errorf("by %s within %d days: %d, %d, %d of %d", by, days, last, first, linear, attributed)
			}
		}
	}
}

// bracketed writes sums as slices are written.
func bracketed(rows []string) string {
	out := slices.Clone(rows)
	for i, row := range out {
		b := []byte(row)
		for j, c := range b {
			switch c {
			case '{':
				b[j] = '['
			case '}':
				b[j] = ']'
			}
		}
		out[i] = string(b)
	}
	return fmt.Sprint(out)
}

func TestConversionsAreWhatSlowReckoningComesTo(t *testing.T) {
	t.Parallel()
	w := start(t)
	r := rand.New(rand.NewPCG(13, 14))
	now := time.Now().UTC()
	h := anyHistory(r, now.AddDate(0, 0, 5), 30, 700)
	w.write("music", h)
	w.write("pizza", anyHistory(r, now, 5, 60))
	s := journey.Span{From: now.AddDate(0, -8, 0).Truncate(24 * time.Hour), To: now.Truncate(24 * time.Hour), Days: 60}
	type sums struct {
		touches, converted, open int64
		who, buyers              map[uuid.UUID]bool
	}
	all := map[string]*sums{}
	for _, touch := range h.of("fact_touch") {
		if touch.touch == journey.Control || touch.at.Before(s.From) || !touch.at.Before(s.To.AddDate(0, 0, 1)) {
			continue
		}
		own := all[touch.campaign]
		if own == nil {
			own = &sums{who: map[uuid.UUID]bool{}, buyers: map[uuid.UUID]bool{}}
			all[touch.campaign] = own
		}
		end := touch.at.AddDate(0, 0, s.Days)
		if end.After(w.now) {
			own.open++
			continue
		}
		own.touches++
		own.who[h.rootOf(touch.who)] = true
		if slices.ContainsFunc(h.of("fact_order"), func(e event) bool {
			return e.who != uuid.Nil && h.rootOf(e.who) == h.rootOf(touch.who) && !e.whole() && e.at.After(touch.at) && !e.at.After(end)
		}) {
			own.converted++
			own.buyers[h.rootOf(touch.who)] = true
		}
	}
	got, _, err := w.journey.Conversions(as(t, "music"), "campaign", s)
	if err != nil || len(got) != len(all) || len(all) != 2 {
		t.Fatal(got, err)
	}
	for _, c := range got {
		own := all[c.Key]
		want := journey.Conversion{Key: c.Key, Touches: own.touches, Converted: own.converted, Customers: int64(len(own.who)), Buyers: int64(len(own.buyers)), Open: own.open}
		if c != want || c.Open == 0 || c.Converted == 0 {
			t.Errorf("got %+v, want %+v", c, want)
		}
	}
}

// drive has customers of a campaign: touched and others, each with orders so many days before and after day 0.
type drive struct {
	w      *world
	tenant string
	day    time.Time
}

func (d drive) customer(touch string, orders ...int) uuid.UUID {
	d.w.t.Helper()
	id := analyticstest.ID()
	d.w.Admin(`INSERT INTO live.fact_customer (tenant_id, customer_id, kind, source, registered_at) VALUES ($1, $2, 'person', '', $3)`, d.tenant, id, d.day.AddDate(-2, 0, 0))
	h := history{}
	if touch != "" {
		h.events = append(h.events, event{table: "fact_touch", id: analyticstest.ID(), who: id, at: d.day, campaign: "spring", touch: touch, channel: "email"})
	}
	for _, days := range orders {
		h.events = append(h.events, event{table: "fact_order", id: analyticstest.ID(), who: id, at: d.day.AddDate(0, 0, days).Add(time.Hour), channel: "shop", currency: "USD", units: 1, total: 100})
	}
	d.w.write(d.tenant, h)
	return id
}

type effectAnswer struct {
	Enough      bool
	Why         string
	Comparison  string
	ProvesCause bool `json:"proves_cause"`
	Note        string
	Strata      int
	NotMatched  int64 `json:"not_matched"`
	Open        int64
	After       *struct {
		Touched, Others struct {
			Value float64
			Of    int64
		}
		Value, Low, High float64
	}
	Before *struct {
		Touched, Others struct{ Value float64 }
		Value           float64
	}
}

func TestTheEffectIsTheDifferenceFromTheControlGroup(t *testing.T) {
	t.Parallel()
	w := start(t)
	d := drive{w, "music", time.Now().UTC().AddDate(0, 0, -60)}
	for i := range 10 {
		if i < 6 {
			d.customer("first", -200, 5)
		} else {
			d.customer("first", -200, -5)
		}
		if i < 2 {
			d.customer(journey.Control, 5)
		} else {
			d.customer(journey.Control, 45)
		}
		d.customer("", 5) // neither
	}
	drive{w, "pizza", d.day}.customer("first", 5)
	var e effectAnswer
	w.get("/v1/analytics/campaigns/effect?campaign=spring", http.StatusOK, &e)
	want := journey.Difference(journey.Response{Customers: 10, Responded: 6}, journey.Response{Customers: 10, Responded: 2})
	if !e.Enough || e.Comparison != "control_group" || !e.ProvesCause || e.After.Value != want.Value || e.After.Low != want.Low || e.After.High != want.High ||
		e.After.Others.Of != 10 || e.Before.Touched.Value != 0.4 || e.Before.Others.Value != 0 {
		t.Errorf("want %+v: %+v, after %+v", want, e, e.After)
	}
	// A campaign whose days are not over has no effect yet.
	e = effectAnswer{}
	w.get("/v1/analytics/campaigns/effect?campaign=spring&within_days=90", http.StatusOK, &e)
	if e.Enough || e.Why != "nobody_touched" || e.Open != 10 || e.ProvesCause {
		t.Errorf("%+v", e)
	}
	e = effectAnswer{}
	answer := w.Do(http.MethodGet, "/v1/analytics/campaigns/effect?campaign=spring", w.Token(auth.RoleSales, "pizza"), nil)
	answer.Decode(t, &e)
	if e.Enough || e.Why != "nobody_comparable" {
		t.Errorf("%s", answer.Body)
	}
}

func TestWithoutAControlGroupComparableCustomersAreLookedAtAndNothingIsProved(t *testing.T) {
	t.Parallel()
	w := start(t)
	d := drive{w, "music", time.Now().UTC().AddDate(0, 0, -60)}
	var alias, erased uuid.UUID
	for i := range 8 {
		// Those who had bought lately buy anyway, touched or not; most of the touched are such.
		if i < 6 {
			d.customer("first", -40, 3)
		} else {
			d.customer("first", -300)
		}
		if i < 2 {
			d.customer("", -40, 3)
		} else {
			alias = d.customer("", -300)
		}
	}
	d.customer("first", -40, -41, -42, -43, -44, 3) // nobody untouched bought as often
	touched := d.customer("first", -300)
	// The touched one has another id, under which it bought then: so it had bought lately, and its other id is nobody of its own.
	other := d.customer("", -40, 3)
	erased = d.customer("", -40, 3)
	w.Admin(`UPDATE live.fact_customer SET erased_at = now() WHERE customer_id = $1`, erased)
	w.Admin(`INSERT INTO live.customer_alias (tenant_id, customer_id, survivor_id, merge_id, epoch, seq) VALUES ('music', $1, $2, $1, 1, 1)`, other, touched)
	var e effectAnswer
	w.get("/v1/analytics/campaigns/effect?channel=email", http.StatusOK, &e)
	if !e.Enough || e.Comparison != "comparable_customers" || e.ProvesCause || e.Strata != 2 || e.NotMatched != 2 || e.Note == "" {
		t.Fatalf("%+v", e)
	}
	// In each stratum touched and untouched do the same: 6 of 6 and 2 of 2 who bought 40 days before, none of the others.
	if math.Abs(e.After.Value) > 1e-12 || e.After.Touched.Of != 8 || e.After.Others.Of != 8 || e.After.Touched.Value != 0.75 || e.After.Others.Value != 0.25 || e.After.Low >= 0 || e.After.High <= 0 {
		t.Errorf("%+v", e.After)
	}
	_ = alias
}

func TestSourcesOfOpportunities(t *testing.T) {
	t.Parallel()
	w := start(t)
	at := time.Now().UTC().AddDate(0, 0, -30)
	for _, o := range []struct {
		tenant, source, state, currency string
		amount                          int64
		days                            int
	}{
		{"music", "fair", "won", "USD", 500, 4}, {"music", "fair", "won", "EUR", 900, 8}, {"music", "fair", "lost", "USD", 100, 3}, {"music", "fair", "open", "USD", 100, 0},
		{"music", "", "withdrawn", "USD", 100, 2}, {"pizza", "fair", "won", "USD", 7, 1},
	} {
		var closed *time.Time
		if o.days > 0 {
			then := at.AddDate(0, 0, o.days)
			closed = &then
		}
		w.Admin(`INSERT INTO live.fact_opportunity (tenant_id, opportunity_id, customer_id, source, state, currency, amount_minor, opened_at, closed_at)
			VALUES ($1, $2, $2, $3, $4, $5, $6, $7, $8)`, o.tenant, analyticstest.ID(), o.source, o.state, o.currency, o.amount, at, closed)
	}
	var got struct {
		Items []struct {
			Source                             string
			Opened, Open, Won, Lost, Withdrawn int64
			WinRate                            *struct{ Value float64 } `json:"win_rate"`
			WonMinor                           int64                    `json:"won_minor"`
			Elsewhere                          int64                    `json:"won_in_other_currencies"`
			Median                             *float64                 `json:"median_days_to_win"`
		}
	}
	w.get("/v1/analytics/opportunities/sources?currency=USD", http.StatusOK, &got)
	if len(got.Items) != 2 || got.Items[0].Source != "" || got.Items[0].WinRate != nil || got.Items[0].Withdrawn != 1 {
		t.Fatalf("%+v", got)
	}
	if f := got.Items[1]; f.Opened != 4 || f.Open != 1 || f.Won != 2 || f.Lost != 1 || math.Abs(f.WinRate.Value-2.0/3) > 1e-12 || f.WonMinor != 500 || f.Elsewhere != 1 || *f.Median != 6 {
		t.Errorf("%+v", f)
	}
	w.get("/v1/analytics/opportunities/sources?currency=USD&to=2000-01-01", http.StatusOK, &got)
	if len(got.Items) != 0 {
		t.Errorf("%+v", got)
	}
}
