package journey_test

import (
	"errors"
	"fmt"
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

func monthsBetween(from, to time.Time) int {
	return (to.Year()-from.Year())*12 + int(to.Month()) - int(from.Month())
}

// slowCohorts reckons cohorts plainly: customer by customer and month by month.
func slowCohorts(h history, currency string) []string {
	type key struct {
		month, channel string
		age            int
	}
	active := map[key]map[uuid.UUID]bool{}
	gross, returned, orders := map[key]int64{}, map[key]int64{}, map[key]int64{}
	first := map[uuid.UUID]event{}
	for _, e := range h.of("fact_order") {
		if who := h.rootOf(e.who); e.who != uuid.Nil && e.currency == currency && !e.whole() {
			if _, there := first[who]; !there {
				first[who] = e
			}
		}
	}
	rest := key{month: "rest"}
	for _, e := range h.of("fact_order") {
		if e.currency != currency {
			continue
		}
		began, there := first[h.rootOf(e.who)]
		in := there && e.who != uuid.Nil && !e.whole()
		at := func(when time.Time) key {
			age := monthsBetween(began.at, when)
			if !in || age < 0 {
				return rest
			}
			return key{began.at.Format("2006-01"), began.channel, age}
		}
		k := at(e.at)
		orders[k]++
		gross[k] += e.total
		if in {
			if active[k] == nil {
				active[k] = map[uuid.UUID]bool{}
			}
			active[k][h.rootOf(e.who)] = true
		}
		for _, b := range e.back {
			returned[at(b.at)] += b.amount
			gross[at(b.at)] += 0
		}
	}
	var all []string
	for k := range gross {
		all = append(all, fmt.Sprintf("%s %s %d: %d, %d, %d - %d", k.month, k.channel, k.age, len(active[k]), orders[k], gross[k], returned[k]))
	}
	slices.Sort(all)
	return all
}

func shownCohorts(c *journey.Cohorts, currency string) []string {
	c.Only(currency)
	var all []string
	for k, cell := range c.Cells {
		all = append(all, fmt.Sprintf("%s %s %d: %d, %d, %d - %d", k.Month, k.Channel, k.Age, cell.Customers, cell.Orders, cell.GrossMinor, cell.ReturnedMinor))
	}
	var rest journey.Cell
	for _, cell := range c.Rest {
		rest.Orders += cell.Orders
		rest.GrossMinor += cell.GrossMinor
		rest.ReturnedMinor += cell.ReturnedMinor
	}
	if len(c.Rest) > 0 {
		all = append(all, fmt.Sprintf("rest  0: 0, %d, %d - %d", rest.Orders, rest.GrossMinor, rest.ReturnedMinor))
	}
	slices.Sort(all)
	return all
}

func TestCohortsAreWhatSlowReckoningComesTo(t *testing.T) {
	t.Parallel()
	w := start(t)
	r := rand.New(rand.NewPCG(5, 6))
	now := time.Now().UTC().AddDate(0, -3, 0) // returns come later
	h := anyHistory(r, now, 40, 600)
	w.write("music", h)
	w.write("pizza", anyHistory(r, now, 5, 50))
	if _, _, s, err := w.journey.Cohorts(as(t, "music"), "USD", false); err != nil || !s.None {
		t.Errorf("before the first run: %+v, %v", s, err)
	}
	w.Admin(`INSERT INTO live.fact_as_of (tenant_id, topic, slot, newest_at) VALUES ('music', 't', 0, now())`)
	if err := errors.Join(w.journey.Daily(t.Context()), w.journey.Background(t.Context())); err != nil {
		t.Fatal(err)
	}
	for _, currency := range []string{"USD", "EUR"} {
		want := slowCohorts(h, currency)
		for _, live := range []bool{true, false} {
			c, _, s, err := w.journey.Cohorts(as(t, "music"), currency, live)
			if err != nil || s.None {
				t.Fatal(s, err)
			}
			if got := shownCohorts(c, currency); !slices.Equal(got, want) {
				t.Errorf("live %t, %s:\n got %v\nwant %v", live, currency, got, want)
			}
		}
	}
	// All there is, by what the room of revenue adds up: gross and returns of every order.
	gross, back := int64(0), int64(0)
	for _, e := range h.of("fact_order") {
		if e.currency == "USD" {
			gross += e.total
			for _, b := range e.back {
				back += b.amount
			}
		}
	}
	var answer struct {
		Enough bool
		Source struct{ Live bool }
		Items  []struct {
			Month     string
			Channel   *string
			Customers int64
			Cells     []struct {
				Age       int
				Customers int64
				Complete  bool
				Retention *struct{ Value, Low, High float64 }
			}
		}
		Total struct {
			GrossMinor    int64 `json:"gross_minor"`
			ReturnedMinor int64 `json:"returned_minor"`
		}
	}
	w.get("/v1/analytics/cohorts?currency=USD&by=month_channel", http.StatusOK, &answer)
	if !answer.Enough || answer.Source.Live || answer.Total.GrossMinor != gross || answer.Total.ReturnedMinor != back || len(answer.Items) < 12 {
		t.Errorf("want %d and %d: %+v of %d rows", gross, back, answer.Total, len(answer.Items))
	}
	for _, row := range answer.Items {
		last := row.Cells[len(row.Cells)-1]
		if row.Cells[0].Customers != row.Customers || row.Cells[0].Retention.Value != 1 || last.Complete || len(row.Cells) < 3 || row.Channel == nil {
			t.Errorf("%+v", row)
		}
	}
	w.get("/v1/analytics/cohorts?currency=USD&from=1999-01&to=1999-12", http.StatusOK, &answer)
	if answer.Enough || len(answer.Items) != 0 || answer.Total.GrossMinor != gross {
		t.Errorf("%+v", answer)
	}
	// The other tenant has no run: there was nothing to make one of.
	var other struct{ Why string }
	w.Do(http.MethodGet, "/v1/analytics/cohorts", w.Token(auth.RoleSales, "pizza"), nil).Decode(t, &other)
	if other.Why != "no_run" {
		t.Errorf("%+v", other)
	}
}

// slowFunnel counts people plainly by the standard mapping.
func slowFunnel(h history) []string {
	type person struct {
		first   [4]time.Time
		channel [4]string
	}
	people := map[uuid.UUID]*person{}
	see := func(who uuid.UUID, stage int, at time.Time, channel string) {
		p := people[who]
		if p == nil {
			p = &person{}
			people[who] = p
		}
		if p.first[stage].IsZero() || at.Before(p.first[stage]) || at.Equal(p.first[stage]) && channel < p.channel[stage] {
			p.first[stage], p.channel[stage] = at, channel
		}
	}
	for _, e := range h.events {
		who := h.rootOf(e.who)
		switch {
		case e.table == "fact_interaction" && e.outcome == "basket":
			see(who, 2, e.at, e.channel)
		case e.table == "fact_interaction" && e.outcome == "viewed":
			see(who, 1, e.at, e.channel)
		case e.table == "fact_interaction" && e.direction == "inbound":
			see(who, 0, e.at, e.channel)
		case e.table == "fact_lead" && e.who == uuid.Nil:
			see(e.id, 1, e.at, e.source)
		case e.table == "fact_lead":
			see(who, 1, e.at, e.source)
		case e.table == "fact_opportunity":
			see(who, 2, e.at, e.source)
		case e.table == "fact_order" && e.who != uuid.Nil && !e.whole():
			see(who, 3, e.at, e.channel)
		}
	}
	counts := map[string]*[4]int{}
	for _, p := range people {
		entry, last := -1, 0
		for i, at := range p.first {
			if at.IsZero() {
				continue
			}
			last = i
			if entry < 0 || !at.After(p.first[entry]) {
				entry = i
			}
		}
		key := p.first[entry].Format("2006-01") + " " + p.channel[entry]
		if counts[key] == nil {
			counts[key] = &[4]int{}
		}
		for i := range last + 1 {
			counts[key][i]++
		}
	}
	var all []string
	for key, n := range counts {
		all = append(all, fmt.Sprintf("%s: %v", key, *n))
	}
	slices.Sort(all)
	return all
}

func shownFunnel(f journey.Funnels) (all []string) {
	for key, one := range f {
		all = append(all, fmt.Sprintf("%s %s: %v", key.Month, key.Channel, one.Reached))
	}
	slices.Sort(all)
	return all
}

func TestTheFunnelIsWhatSlowReckoningComesTo(t *testing.T) {
	t.Parallel()
	w := start(t)
	r := rand.New(rand.NewPCG(7, 8))
	h := anyHistory(r, time.Now().UTC().AddDate(0, -3, 0), 60, 500)
	w.write("music", h)
	w.write("pizza", anyHistory(r, time.Now().UTC(), 5, 50))
	w.Admin(`INSERT INTO live.fact_as_of (tenant_id, topic, slot, newest_at) VALUES ('music', 't', 0, now())`)
	if err := errors.Join(w.journey.Daily(t.Context()), w.journey.Background(t.Context())); err != nil {
		t.Fatal(err)
	}
	want := slowFunnel(h)
	live, _, err := w.journey.Funnels(as(t, "music"), true)
	if err != nil || !slices.Equal(shownFunnel(live), want) {
		t.Errorf("live: %v\n got %v\nwant %v", err, shownFunnel(live), want)
	}
	kept, s, err := w.journey.Funnels(as(t, "music"), false)
	if err != nil || s.None || !slices.Equal(shownFunnel(kept), want) {
		t.Errorf("kept: %v\n got %v\nwant %v", err, shownFunnel(kept), want)
	}
	for key, one := range live {
		for stage := range 3 {
			a, timed := one.Within(stage, 0.5)
			if b, n := kept[key].Within(stage, 0.5); a != b || timed != n {
				t.Errorf("%+v, stage %d: %d of %d live, %d of %d kept", key, stage, a, timed, b, n)
			}
		}
	}
	var answer struct {
		Items []struct {
			Channel *string
			Stages  []struct {
				Stage  string
				People int64
				WentOn *struct {
					Value, Low, High float64
					Of               int64
				} `json:"went_on"`
			}
		}
	}
	w.get("/v1/analytics/journey/funnel", http.StatusOK, &answer)
	if len(answer.Items) != 1 || len(answer.Items[0].Stages) != 4 || answer.Items[0].Stages[0].Stage != "visitor" {
		t.Fatalf("%+v", answer)
	}
	for i, s := range answer.Items[0].Stages[:3] {
		next := answer.Items[0].Stages[i+1].People
		if s.People < next || s.WentOn.Of != s.People || s.WentOn.Low >= s.WentOn.Value || s.WentOn.Value != float64(next)/float64(s.People) {
			t.Errorf("%+v", s)
		}
	}
}

func TestARunGoesOnWhereItWasBrokenOffAndCountsNobodyTwice(t *testing.T) {
	t.Parallel()
	w := start(t)
	h := anyHistory(rand.New(rand.NewPCG(9, 9)), time.Now().UTC().AddDate(0, -3, 0), 40, 400)
	w.write("music", h)
	if _, err := w.journey.Ask(as(t, "music"), journey.KindCohorts); err != nil {
		t.Fatal(err)
	}
	// The worker dies after some steps: its last one is undone by the database.
	w.Admin(`CREATE FUNCTION public.broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		IF (SELECT count(*) FROM public.journey_cohort) > 40 THEN RAISE 'broken off'; END IF; RETURN NEW; END $$`)
	w.Admin(`CREATE TRIGGER broken BEFORE INSERT OR UPDATE ON public.journey_progress FOR EACH ROW EXECUTE FUNCTION public.broken()`)
	if err := errors.Join(w.journey.Daily(t.Context()), w.journey.Background(t.Context())); err == nil {
		t.Fatal("it was not broken off")
	}
	// Meanwhile two customers turn out to be one: whoever was counted is not counted again.
	alone := []uuid.UUID{}
	for _, e := range h.of("fact_order") {
		if h.root[e.who] == uuid.Nil && e.who != uuid.Nil && !slices.Contains(alone, e.who) {
			alone = append(alone, e.who)
		}
	}
	w.Admin(`INSERT INTO live.customer_alias (tenant_id, customer_id, survivor_id, merge_id, epoch, seq) VALUES ('music', $1, $2, $1, 1, 1)
		ON CONFLICT DO NOTHING`, alone[0], alone[1])
	w.Admin(`DROP TRIGGER broken ON public.journey_progress`)
	w.now = w.now.Add(time.Hour)
	if err := errors.Join(w.journey.Daily(t.Context()), w.journey.Background(t.Context())); err != nil {
		t.Fatal(err)
	}
	c, _, s, err := w.journey.Cohorts(as(t, "music"), "USD", false)
	if err != nil || s.None {
		t.Fatal(s, err)
	}
	if got, want := shownCohorts(c, "USD"), slowCohorts(h, "USD"); !slices.Equal(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
}

func TestTheMappingSaysWhatCountsAsWhichStage(t *testing.T) {
	t.Parallel()
	w := start(t)
	var m struct {
		Version int64
		Rules   []journey.Rule
	}
	answer := w.Do(http.MethodGet, "/v1/analytics/journey/mapping", w.Sales, nil)
	answer.Decode(t, &m)
	if m.Version != 0 || len(m.Rules) < 5 || answer.Header.Get("ETag") != `"0"` {
		t.Errorf("%d: %s", answer.Status, answer.Body)
	}
	ann := analyticstest.ID()
	at := time.Now().UTC().AddDate(0, 0, -10)
	w.write("music", history{events: []event{
		{table: "fact_interaction", id: analyticstest.ID(), who: ann, at: at, channel: "web", direction: "inbound", outcome: "viewed"},
		{table: "fact_order", id: analyticstest.ID(), who: ann, at: at.AddDate(0, 0, 3), channel: "shop", currency: "USD", units: 1, total: 5},
	}})
	rules := []body{{"stage": "shopper", "on": "interaction", "channel": "web", "outcome": "viewed"}, {"stage": "visitor", "on": "interaction"}, {"stage": "buyer", "on": "order", "channel": "web"}}
	put := func(etag string, in any) int {
		return w.Do(http.MethodPut, "/v1/analytics/journey/mapping", w.Marketing, in, "If-Match", etag).Status
	}
	if status := put(`"0"`, body{"rules": rules}); status != http.StatusOK {
		t.Fatal(status)
	}
	if status := put(`"0"`, body{"rules": rules}); status != http.StatusPreconditionFailed {
		t.Error(status)
	}
	for _, live := range []bool{true, false} {
		if !live {
			w.now = time.Now().UTC()
			if err := errors.Join(w.journey.Daily(t.Context()), w.journey.Background(t.Context())); err != nil {
				t.Fatal(err)
			}
		}
		f, _, err := w.journey.Funnels(as(t, "music"), live)
		// The order came by another channel than the rule says.
		if err != nil || len(f) != 1 || shownFunnel(f)[0] != at.Format("2006-01")+" web: [1 1 1 0]" {
			t.Errorf("live %t: %v, %v", live, shownFunnel(f), err)
		}
	}
}

func TestRunsAreAskedForOneAtATime(t *testing.T) {
	t.Parallel()
	w := start(t)
	asked := w.Do(http.MethodPost, "/v1/analytics/journey/runs", w.Marketing, body{"kind": "funnel"})
	again := w.Do(http.MethodPost, "/v1/analytics/journey/runs", w.Marketing, body{"kind": "funnel"})
	if asked.Status != http.StatusAccepted || again.Code() != "run_open" {
		t.Fatalf("%d: %s; %d: %s", asked.Status, asked.Body, again.Status, again.Body)
	}
	w.now = time.Now().UTC()
	if err := errors.Join(w.journey.Daily(t.Context()), w.journey.Background(t.Context())); err != nil {
		t.Fatal(err)
	}
	var got struct{ State, Kind string }
	w.get(asked.Header.Get("Location"), http.StatusOK, &got)
	if got.State != "done" || got.Kind != "funnel" {
		t.Errorf("%+v", got)
	}
	if answer := w.Do(http.MethodGet, asked.Header.Get("Location"), w.Token(auth.RoleSales, "pizza"), nil); answer.Status != http.StatusNotFound {
		t.Errorf("another tenant reads the run: %d", answer.Status)
	}
}
