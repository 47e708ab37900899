package forecast_test

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/platform/money"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/sales/internal/forecast"
	"github.com/guanxi-crm/guanxi/services/sales/internal/salestest"
)

func TestWhatIsWeightedIsRoundedHalvesAwayFromZero(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		amount int64
		of     int32
		want   int64
	}{{100, 10, 10}, {5, 10, 1}, {4, 10, 0}, {15, 10, 2}, {1, 50, 1}, {1, 49, 0}, {3, 50, 2}, {money.Max, 100, money.Max}, {money.Max, 0, 0}} {
		if got := forecast.Weighted(c.amount, c.of); got != c.want {
			t.Errorf("%d at %d %% is %d, want %d", c.amount, c.of, got, c.want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		amount, percent := rapid.Int64Range(0, money.Max).Draw(t, "amount"), rapid.Int32Range(0, 100).Draw(t, "percent")
		exact := big.NewRat(0, 1).Mul(big.NewRat(amount, 1), big.NewRat(int64(percent), 100))
		off := exact.Sub(exact, big.NewRat(forecast.Weighted(amount, percent), 1))
		if off.Cmp(big.NewRat(-1, 2)) < 0 || off.Cmp(big.NewRat(1, 2)) >= 0 {
			t.Fatalf("%d at %d %% is off by %s", amount, percent, off)
		}
	})
}

func TestWeeksAndPeriods(t *testing.T) {
	t.Parallel()
	shanghai, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		at   string
		zone *time.Location
		want string
	}{
		{"2026-11-26", time.UTC, "2026-W48"}, {"2027-01-03", time.UTC, "2026-W53"}, {"2027-01-04", time.UTC, "2027-W01"},
		{"2026-11-29 15:59", shanghai, "2026-W48"}, {"2026-11-29 16:00", shanghai, "2026-W49"}, {"2029-12-31", time.UTC, "2030-W01"},
	} {
		if got := forecast.Week(day(t, c.at), c.zone); got != c.want {
			t.Errorf("%s in %s is %s, want %s", c.at, c.zone, got, c.want)
		}
	}
	for code, want := range map[string]string{"2026-11": "2026-11 2026-11", "2026-Q1": "2026-01 2026-03", "2026-Q4": "2026-10 2026-12"} {
		if p, ok := forecast.ParsePeriod(code); !ok || p.First+" "+p.Last != want {
			t.Errorf("%s: %+v", code, p)
		}
	}
	for _, code := range []string{"", "2026", "2026-13", "2026-Q5", "2026-Q0", "1026-11", "2026-1", "2026-11-01"} {
		if _, ok := forecast.ParsePeriod(code); ok {
			t.Errorf("%q is taken", code)
		}
	}
}

func told(all []forecast.Sum) string {
	var lines []string
	for _, s := range all {
		lines = append(lines, strings.Join(strings.Fields(fmt.Sprintln(s.Pipeline, s.Team, s.Owner, s.Month, s.Category, s.Currency, s.Opportunities, s.AmountMinor, s.WeightedMinor)), " "))
	}
	return strings.Join(lines, "\n")
}

func TestAForecastAddsUpByCategoryAndCurrency(t *testing.T) {
	t.Parallel()
	w := salestest.Start(t)
	o, other := officeOf(t, w, "pizza", "2026-11-26"), officeOf(t, w, "music", "2026-11-26")
	other.opens(deal{stage: "new", amount: 77, owner: "zed", close: "2026-11-30"})
	o.opens(deal{stage: "new", amount: 105, owner: "ann", team: "north", close: "2026-11-30"})
	o.opens(deal{stage: "new", amount: 105, owner: "bob", team: "north", close: "2026-12-01"})
	o.opens(deal{stage: "proposal", amount: 1001, owner: "ann", team: "south", close: "2026-11-10"})
	o.opens(deal{stage: "qualified", amount: 300, owner: "ann", category: "commit"})
	o.opens(deal{stage: "negotiation", amount: 1000, owner: "ann", currency: "JPY", close: "2026-11-30"})
	o.opens(deal{stage: "gone", amount: 50, owner: "ann", pipeline: "gone", close: "2026-11-30"})
	won := o.opens(deal{stage: "proposal", amount: 500, owner: "ann", close: "2026-12-24"})
	o.becomes(won, "won")
	lost := o.opens(deal{stage: "proposal", amount: 900, owner: "ann", close: "2026-12-24"})
	o.becomes(lost, "lost")
	before := o.opens(deal{stage: "proposal", amount: 4000, owner: "ann"})
	o.is("2026-09-30 23:59")
	o.becomes(before, "won") // in the quarter before
	o.is("2026-11-26")

	for _, c := range []struct {
		scope forecast.Scope
		by    forecast.By
		want  string
	}{
		{forecast.Scope{}, forecast.By{}, "pipeline CNY 3 260 22\nbest_case CNY 1 1001 501\ncommit CNY 1 300 90\ncommit JPY 1 1000 800\nclosed CNY 1 500 500"},
		{forecast.Scope{From: "2026-11", To: "2026-11"}, forecast.By{Month: true}, "2026-11 pipeline CNY 2 155 11\n2026-11 best_case CNY 1 1001 501\n2026-11 commit JPY 1 1000 800\n2026-11 closed CNY 1 500 500"},
		{forecast.Scope{From: "2026-12"}, forecast.By{Month: true}, "2026-12 pipeline CNY 1 105 11"},
		{forecast.Scope{From: "2026-09", To: "2026-09"}, forecast.By{}, "closed CNY 1 4000 4000"},
		{forecast.Scope{Team: "north"}, forecast.By{Owner: true, Team: true}, "north ann pipeline CNY 1 105 11\nnorth bob pipeline CNY 1 105 11"},
		{forecast.Scope{Owner: "bob"}, forecast.By{Pipeline: true}, "standard pipeline CNY 1 105 11"},
		{forecast.Scope{Pipeline: "gone"}, forecast.By{}, "pipeline CNY 1 50 0"},
	} {
		all, _, err := o.forecasts.Now(o.as(), c.scope, c.by)
		if got := told(all); err != nil || got != c.want {
			t.Errorf("%+v by %+v: %v\n%s\nwant\n%s", c.scope, c.by, err, got, c.want)
		}
	}
}

func TestMonthsAreThoseOfTheZone(t *testing.T) {
	t.Parallel()
	o := officeOf(t, salestest.Start(t), "pizza", "2026-11-30 15:59")
	if _, err := o.forecasts.SetZone(o.as(), "Asia/Shanghai", `"0"`); err != nil {
		t.Fatal(err)
	}
	first := o.opens(deal{stage: "new", amount: 1})
	o.becomes(first, "won")
	o.is("2026-11-30 16:00") // midnight there
	second := o.opens(deal{stage: "new", amount: 10})
	o.becomes(second, "won")
	all, zone, err := o.forecasts.Now(o.as(), forecast.Scope{}, forecast.By{Month: true})
	if got := told(all); err != nil || zone != "Asia/Shanghai" || got != "2026-11 closed CNY 1 1 1\n2026-12 closed CNY 1 10 10" {
		t.Error(err, zone, got)
	}
}

func TestASnapshotIsTakenOnceAWeekAndNeverChanges(t *testing.T) {
	t.Parallel()
	w := salestest.Start(t)
	o, other := officeOf(t, w, "pizza", "2026-11-23"), officeOf(t, w, "music", "2026-11-23")
	one := o.opens(deal{stage: "new", amount: 105, owner: "ann", close: "2026-11-30"})
	o.opens(deal{stage: "proposal", amount: 1000, owner: "bob", close: "2026-12-30"})
	other.opens(deal{stage: "new", amount: 1})
	if !o.week() || o.week() {
		t.Fatal("a snapshot a week")
	}
	golden.JSON(t, "testdata/forecast_snapshot_taken.json", w.EventsOf("ForecastSnapshotTaken", 1)[0].Data)
	o.is("2026-11-29 23:59")
	if o.week() {
		t.Fatal("another one of the same week")
	}
	o.set(one, "amount_minor", 7)
	o.is("2026-11-30")
	s, err := o.forecasts.Step(t.Context(), forecast.Sweep{})
	if err != nil || s.Tenants != 2 || s.Taken != 2 || !s.Ended() {
		t.Fatalf("%+v %v", s, err)
	}
	if s, err = o.forecasts.Step(t.Context(), forecast.Sweep{}); err != nil || s.Taken != 0 {
		t.Fatalf("%+v %v", s, err)
	}
	all, err := o.forecasts.Snapshots(o.as(), true, uuid.Nil, 10)
	if err != nil || len(all) != 2 || all[0].Week != "2026-W49" || all[1].Week != "2026-W48" || all[1].Opportunities != 2 {
		t.Fatalf("%+v %v", all, err)
	}
	lines, err := o.forecasts.Lines(o.as(), all[1].ID, forecast.Scope{}, uuid.Nil, 10)
	if err != nil || len(lines) != 2 || lines[0].AmountMinor != 105 || lines[0].WeightedMinor != 11 {
		t.Fatalf("%+v %v", lines, err)
	}
	for _, sql := range []string{`UPDATE forecast_snapshot SET opportunities = 0`, `DELETE FROM forecast_snapshot_line`, `UPDATE forecast_snapshot_line SET amount_minor = 1`} {
		if err := o.DB.Tx(o.as(), "pizza", func(tx *pg.Tx) error { tx.Queue(sql); return nil }); err == nil {
			t.Errorf("%s is allowed", sql)
		}
	}
}

func TestTheChangeBetweenTwoSnapshotsIsExplained(t *testing.T) {
	t.Parallel()
	o := officeOf(t, salestest.Start(t), "pizza", "2026-11-02")
	open := func(amount int64, closes string) uuid.UUID {
		return o.opens(deal{stage: "proposal", amount: amount, owner: "ann", team: "north", close: closes})
	}
	ids := map[string]uuid.UUID{
		"same": open(1, "2026-11-30"), "won": open(10, "2026-11-30"), "lost": open(100, "2026-11-30"), "withdrawn": open(1000, "2026-11-30"),
		"moved_out": open(10_000, "2026-11-30"), "moved_in": open(100_000, "2026-12-30"), "amount": open(1_000_000, "2026-11-30"),
		"stage": open(10_000_000, "2026-11-30"), "reopened": open(100_000_000, "2026-11-30"), "elsewhere": open(5, "2026-12-30"),
	}
	o.becomes(ids["reopened"], "lost")
	was := o.take()
	o.is("2026-11-09")
	ids["new"] = open(7, "2026-11-30")
	ids["new and won"] = open(70, "2026-11-30")
	ids["new and lost"] = open(700, "2026-11-30")
	o.becomes(ids["new and won"], "won")
	o.becomes(ids["new and lost"], "lost")
	o.becomes(ids["won"], "won")
	o.becomes(ids["lost"], "lost")
	o.becomes(ids["withdrawn"], "withdrawn")
	o.becomes(ids["reopened"], "open")
	o.set(ids["moved_out"], "expected_close_on", day(t, "2026-12-01"))
	o.set(ids["moved_in"], "expected_close_on", day(t, "2026-11-01"))
	o.set(ids["amount"], "amount_minor", 1_500_000)
	o.set(ids["stage"], "stage", "negotiation")
	is := o.take()
	o.becomes(ids["same"], "lost") // after it: not seen

	c, err := o.forecasts.Compare(o.as(), was.ID, is.ID, forecast.Scope{From: "2026-11", To: "2026-11"}, uuid.Nil, 100)
	if err != nil {
		t.Fatal(err)
	}
	got := map[uuid.UUID]string{}
	for _, d := range c.Each {
		got[d.OpportunityID] = d.Change
	}
	for name, id := range ids {
		want := name
		switch name {
		case "same", "elsewhere", "new and lost":
			want = ""
		case "new and won":
			want = "won"
		}
		if got[id] != want {
			t.Errorf("%s: %q", name, got[id])
		}
	}
	var bridges []string
	amount, weighted := c.Before[0].AmountMinor, c.Before[0].WeightedMinor
	for _, b := range c.Bridges {
		bridges = append(bridges, fmt.Sprint(b.Change, " ", b.Opportunities, " ", b.AmountMinor, " ", b.WeightedMinor))
		amount, weighted = amount+b.AmountMinor, weighted+b.WeightedMinor
	}
	want := []string{
		"new 1 7 4", "reopened 1 100000000 50000000", "moved_in 1 100000 50000", "moved_out 1 -10000 -5000", "amount 1 500000 250000", "stage 1 0 3000000",
		"won 2 70 75", "lost 1 -100 -50", "withdrawn 1 -1000 -500",
	}
	if !slices.Equal(bridges, want) {
		t.Errorf("%q", bridges)
	}
	if amount != c.After[0].AmountMinor || weighted != c.After[0].WeightedMinor {
		t.Errorf("%+v and the changes do not come to %+v", c.Before, c.After)
	}
	page, err := o.forecasts.Compare(o.as(), was.ID, is.ID, forecast.Scope{From: "2026-11", To: "2026-11"}, c.Each[2].OpportunityID, 2)
	if err != nil || len(page.Each) != 2 || page.Each[0].OpportunityID != c.Each[3].OpportunityID || !slices.Equal(page.Bridges, c.Bridges) {
		t.Errorf("%+v %v", page.Each, err)
	}
}

func TestTargetsAreAttained(t *testing.T) {
	t.Parallel()
	o := officeOf(t, salestest.Start(t), "pizza", "2026-10-10")
	for range 2 {
		o.becomes(o.opens(deal{stage: "new", amount: 250, owner: "ann"}), "won")
	}
	o.becomes(o.opens(deal{stage: "new", amount: 9000, owner: "ann", currency: "USD"}), "won")
	o.is("2026-11-26")
	o.becomes(o.opens(deal{stage: "new", amount: 167, owner: "ann"}), "won")
	o.becomes(o.opens(deal{stage: "new", amount: 800, owner: "bob"}), "lost")
	o.opens(deal{stage: "negotiation", amount: 100, owner: "ann", close: "2026-12-31"})
	o.opens(deal{stage: "proposal", amount: 10, owner: "ann", close: "2026-12-01"})
	o.opens(deal{stage: "new", amount: 1000, owner: "ann", close: "2027-01-01"})
	quarter, err := o.forecasts.SetTarget(o.as(), forecast.Target{Kind: forecast.OfOwner, Who: "ann", Period: "2026-Q4", Currency: "CNY", AmountMinor: 1000})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.forecasts.SetTarget(o.as(), forecast.Target{Kind: forecast.OfOwner, Who: "ann", Period: "2026-11", Currency: "CNY", AmountMinor: 300}); err != nil {
		t.Fatal(err)
	}
	all, err := o.forecasts.Attain(o.as(), "", "", "", uuid.Nil, 10)
	if err != nil || len(all) != 2 {
		t.Fatal(all, err)
	}
	a := all[0]
	if a.ID != quarter.ID || a.ClosedMinor != 667 || a.WeightedMinor != 85 || a.CommitMinor != 100 || a.BestCaseMinor != 10 || a.Percent(a.ClosedMinor) != 66.7 {
		t.Errorf("%+v", a)
	}
	if a := all[1]; a.ClosedMinor != 167 || a.WeightedMinor != 0 || a.Percent(a.ClosedMinor) != 55.67 {
		t.Errorf("%+v", a)
	}
}

func TestPastForecastsAreJudgedByWhatCame(t *testing.T) {
	t.Parallel()
	w := salestest.Start(t)
	o := officeOf(t, w, "pizza", "2026-10-05")
	// October: 100 is won early, 200 of the 1000 that were forecast at 50 % comes, in the last days.
	early := o.opens(deal{stage: "new", amount: 100, owner: "ann", close: "2026-10-30"})
	late := o.opens(deal{stage: "proposal", amount: 200, owner: "ann", close: "2026-10-30"})
	never := o.opens(deal{stage: "proposal", amount: 800, owner: "ann", close: "2026-10-30"})
	o.opens(deal{stage: "new", amount: 1000, owner: "ann", close: "2026-10-30", currency: "JPY"})
	o.week() // it says 510
	o.is("2026-10-07")
	o.becomes(early, "won")
	o.is("2026-10-12")
	o.week() // it says 600: the first is won
	o.is("2026-10-19")
	o.becomes(never, "lost")
	o.week() // it says 200: the third is lost
	o.is("2026-10-29")
	o.becomes(late, "won")
	if a, err := o.forecasts.Judge(o.as(), forecast.Scope{From: "2026-10"}); err != nil || a.Reason != "no_month_over" {
		t.Fatalf("%+v %v", a, err)
	}
	o.is("2026-11-26")
	a, err := o.forecasts.Judge(o.as(), forecast.Scope{From: "2026-10"})
	if err != nil || a.Reason != "" {
		t.Fatal(a, err)
	}
	var got []string
	for _, l := range a.Leads {
		e, known := l.Error()
		bias, _ := l.Bias()
		got = append(got, fmt.Sprint(l.Currency, " ", l.LeadWeeks, " ", l.Months, " ", l.SaidMinor, "/", l.ActualMinor, " ", e, " ", bias, " ", known))
	}
	want := []string{
		"CNY 1 1 200/300 33.33 -33.33 true", "CNY 2 1 600/300 100 100 true", "CNY 3 1 510/300 70 70 true",
		"JPY 1 1 100/0 0 0 false", "JPY 2 1 100/0 0 0 false", "JPY 3 1 100/0 0 0 false",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	// Of somebody whose snapshots say nothing, and of a tenant that has none.
	if a, err := o.forecasts.Judge(o.as(), forecast.Scope{Owner: "bob"}); err != nil || a.Reason != "nothing_expected" || len(a.Leads) != 0 {
		t.Errorf("%+v %v", a, err)
	}
	none := officeOf(t, w, "music", "2026-11-26")
	if a, err := none.forecasts.Judge(none.as(), forecast.Scope{}); err != nil || a.Reason != "no_snapshot" || a.From != "2025-11" || a.To != "2026-10" {
		t.Errorf("%+v %v", a, err)
	}
}
