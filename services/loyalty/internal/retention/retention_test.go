package retention_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
	"pgregory.net/rapid"

	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/retention"
)

// TestTheHashOfTheHoldOutStays keeps who is held out from changing with the program: these are what it gave first, and what
// sha256sum gives for the bytes that the comment of Bucket names.
func TestTheHashOfTheHoldOutStays(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		tenant, plan, salt, customer string
		bucket                       int
	}{
		{"pizza", "winback", "0123456789abcdef", "01934b5e-7a10-7c3e-9d21-5b1e0c7f8a11", 549},
		{"music", "winback", "0123456789abcdef", "01934b5e-7a10-7c3e-9d21-5b1e0c7f8a11", 790},
		{"pizza", "care", "0123456789abcdef", "01934b5e-7a10-7c3e-9d21-5b1e0c7f8a11", 23},
		{"pizza", "winback", "fedcba9876543210", "01934b5e-7a10-7c3e-9d21-5b1e0c7f8a11", 3},
	} {
		require.Equal(t, c.bucket, retention.Bucket(c.tenant, c.plan, c.salt, uuid.MustParse(c.customer)), "%+v", c)
	}
}

// customers are ids as they are made one after the other, which differ in a few bits only, the same in every run.
func customers(n int) []uuid.UUID {
	ids := make([]uuid.UUID, n)
	for i := range ids {
		ids[i] = uuid.MustParse(fmt.Sprintf("01934b5e-7a10-7c3e-9d21-%012x", i))
	}
	return ids
}

// chi2 gives the probability of a sum of squares as large as this one by chance.
func chi2(sum float64, freedom int) float64 {
	return distuv.ChiSquared{K: float64(freedom)}.Survival(sum)
}

func TestTheHoldOutIsUniform(t *testing.T) {
	t.Parallel()
	const n = 200_000
	var counts [1000]int
	for _, id := range customers(n) {
		counts[retention.Bucket("pizza", "winback", "salt", id)]++
	}
	sum := 0.0
	for _, k := range counts {
		d := float64(k) - n/1000
		sum += d * d / (n / 1000)
	}
	require.Greater(t, chi2(sum, 999), 0.001, "chi-square %.1f with 999 degrees of freedom", sum)
	require.Greater(t, 1-chi2(sum, 999), 0.001, "nor is it more even than chance")
}

func TestWhoIsHeldOutByOnePlanSaysNothingOfAnother(t *testing.T) {
	t.Parallel()
	const n, groups = 100_000, 10
	for name, other := range map[string]struct{ tenant, plan, salt string }{
		"another plan": {"pizza", "care", "salt"}, "another salt": {"pizza", "winback", "pepper"}, "another tenant": {"music", "winback", "salt"},
	} {
		var table [groups][groups]float64
		for _, id := range customers(n) {
			table[retention.Bucket("pizza", "winback", "salt", id)/100][retention.Bucket(other.tenant, other.plan, other.salt, id)/100]++
		}
		var rows, columns [groups]float64
		for i := range groups {
			for j := range groups {
				rows[i] += table[i][j]
				columns[j] += table[i][j]
			}
		}
		sum := 0.0
		for i := range groups {
			for j := range groups {
				e := rows[i] * columns[j] / n
				sum += (table[i][j] - e) * (table[i][j] - e) / e
			}
		}
		require.Greater(t, chi2(sum, (groups-1)*(groups-1)), 0.001, "%s: chi-square %.1f", name, sum)
	}
}

// TestALargerShareHoldsOutTheSameAndMore is the promise of the threshold, and that the arm is what the bucket says.
func TestALargerShareHoldsOutTheSameAndMore(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		small := rapid.IntRange(0, 1000).Draw(t, "small")
		large := rapid.IntRange(small, 1000).Draw(t, "large")
		id := uuid.UUID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"))
		arm := func(share int) retention.Arm {
			p := retention.Plan{Code: "winback", Salt: "salt", Terms: terms(func(t *retention.Terms) { t.HoldOutPermille = share })}
			c := retention.OpenCase("pizza", p, retention.Opening{CustomerID: id, At: thursday})
			if (c.Bucket < share) != (c.Arm == retention.HeldOut) {
				t.Fatalf("bucket %d, share %d, arm %s", c.Bucket, share, c.Arm)
			}
			return c.Arm
		}
		if arm(small) == retention.HeldOut && arm(large) != retention.HeldOut {
			t.Fatalf("%d held out, %d not", small, large)
		}
	})
}

// The examples are those of table II of Newcombe's paper of 1998, method 10.
func TestNewcombesIntervalIsAsPublished(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		k1, n1, k2, n2 int64
		low, high      float64
	}{
		{56, 70, 48, 80, 0.0524, 0.3339}, {9, 10, 3, 10, 0.1705, 0.8090}, {6, 7, 2, 7, 0.0582, 0.8062}, {5, 56, 0, 29, -0.0381, 0.1926},
		{0, 10, 0, 20, -0.1611, 0.2775}, {0, 10, 0, 10, -0.2775, 0.2775}, {10, 10, 0, 20, 0.6791, 1}, {10, 10, 0, 10, 0.6075, 1},
	} {
		got := retention.Newcombe(c.k1, c.n1, c.k2, c.n2)
		require.InDelta(t, c.low, got.Low, 0.00006, "%+v", c)
		require.InDelta(t, c.high, got.High, 0.00006, "%+v", c)
	}
}

// TestWelchsIntervalFitsPublishedExamples takes the samples that Wikipedia's article on Welch's test has, with the statistic and
// the degrees of freedom that it gives: t = -2.46, 25.0 and t = -1.57, 9.9.
func TestWelchsIntervalFitsPublishedExamples(t *testing.T) {
	t.Parallel()
	sample := func(x []float64) retention.Sample {
		mean, variance := stat.MeanVariance(x, nil)
		return retention.Sample{N: int64(len(x)), Mean: mean, Variance: variance}
	}
	for _, c := range []struct {
		a, b   []float64
		t, nu  float64
		digits float64
	}{
		{
			[]float64{27.5, 21.0, 19.0, 23.6, 17.0, 17.9, 16.9, 20.1, 21.9, 22.6, 23.1, 19.6, 19.0, 21.7, 21.4},
			[]float64{27.1, 22.0, 20.8, 23.4, 23.4, 23.5, 25.8, 22.0, 24.8, 20.2, 21.9, 22.1, 22.9, 20.5, 24.4}, -2.46, 25.0, 0.01,
		},
		{
			[]float64{17.2, 20.9, 22.6, 18.1, 21.7, 21.4, 23.5, 24.2, 14.7, 21.8},
			[]float64{21.5, 22.8, 21.0, 23.0, 21.6, 23.6, 22.5, 20.7, 23.4, 21.8, 20.7, 21.7, 21.5, 22.5, 23.6, 21.5, 22.5, 23.5, 21.5, 21.8}, -1.57, 9.9, 0.01,
		},
	} {
		a, b := sample(c.a), sample(c.b)
		got := retention.Welch(a, b)
		half := (got.High - got.Low) / 2
		q := distuv.StudentsT{Sigma: 1, Nu: c.nu}.Quantile(0.975)
		require.InDelta(t, c.t, (a.Mean-b.Mean)/(half/q), c.digits)
		require.InDelta(t, a.Mean-b.Mean, (got.High+got.Low)/2, 1e-9)
	}
	require.Equal(t, retention.Interval{Low: 3, High: 3}, retention.Welch(retention.Sample{N: 2, Mean: 5}, retention.Sample{N: 2, Mean: 2}))
}

func TestSamplesAddUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		amounts := rapid.SliceOfN(rapid.Float64Range(0, 1e9), 0, 30)
		of := func(x []float64) retention.Sample {
			s := retention.Sample{N: int64(len(x))}
			if len(x) > 0 {
				s.Mean = stat.Mean(x, nil)
			}
			if len(x) > 1 {
				s.Variance = stat.Variance(x, nil)
			}
			return s
		}
		a, b := amounts.Draw(t, "a"), amounts.Draw(t, "b")
		got, want := of(a).Plus(of(b)), of(append(append([]float64{}, a...), b...))
		if got.N != want.N || math.Abs(got.Mean-want.Mean) > 1e-3 || math.Abs(got.Variance-want.Variance) > 1e-6*(1+want.Variance) {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	})
}

func TestAReportSaysWhenThereIsNotEnoughData(t *testing.T) {
	t.Parallel()
	arm := func(n, bought int64) retention.Outcome {
		return retention.Outcome{Assigned: n, Measured: n, Retained: bought, Revenue: retention.Sample{N: n, Mean: 100, Variance: 4}}
	}
	for name, c := range map[string]struct {
		treated, held retention.Outcome
		enough        bool
		says          string
	}{
		"nothing":                 {arm(0, 0), arm(0, 0), false, "Not enough data"},
		"29 held out":             {arm(300, 100), arm(29, 5), false, "There are 300 treated and 29 held-out ones"},
		"29 treated":              {arm(29, 10), arm(300, 5), false, "Not enough data"},
		"nobody bought":           {arm(300, 3), arm(300, 1), false, "4 bought and 596 did not"},
		"nearly everybody bought": {arm(300, 298), arm(300, 298), false, "596 bought and 4 did not"},
		"just enough":             {arm(30, 3), arm(30, 2), true, "cannot be told"},
		"it helps":                {arm(1000, 300), arm(1000, 200), true, "brings customers back"},
		"it harms":                {arm(1000, 200), arm(1000, 300), true, "drives customers away"},
		"the same":                {arm(1000, 200), arm(1000, 200), true, "cannot be told"},
	} {
		r := retention.Report{Treated: c.treated, HeldOut: c.held}.Judge()
		require.Equal(t, c.enough, r.Enough, name)
		require.Contains(t, r.Verdict, c.says, name)
	}
	r := retention.Report{
		Treated: retention.Outcome{Measured: 100, Retained: 30, CostMinor: 5_000, Revenue: retention.Sample{N: 100, Mean: 300, Variance: 10_000}},
		HeldOut: retention.Outcome{Measured: 100, Retained: 20, Revenue: retention.Sample{N: 100, Mean: 200, Variance: 10_000}},
	}.Judge()
	require.InDelta(t, 0.1, r.Uplift, 1e-12)
	require.InDelta(t, 10_000, r.Incremental, 1e-9)
	require.InDelta(t, 1.0, *r.Return, 1e-12, "10,000 more for 5,000")
	require.InDelta(t, 100-1.972*math.Sqrt(200), r.DifferIn.Low, 0.01)
	require.Contains(t, r.Verdict, "a difference of +10.0 percentage points, with 95 % confidence between -2.0 and +21.7.")
}

func TestSilenceIsTooLongByDaysOrByTheCustomersOwnRhythm(t *testing.T) {
	t.Parallel()
	days, rhythm := retention.CaseTriggers{SilenceDays: 90, SilenceAtMostDays: 730}, retention.CaseTriggers{SilencePercent: 300}
	for name, c := range map[string]struct {
		t           retention.CaseTriggers
		n           int64
		first, last int // days ago
		silent      bool
	}{
		"a day too few":                       {days, 5, 200, 89, false},
		"days":                                {days, 1, 90, 90, true},
		"so long that nobody remembers":       {days, 1, 731, 731, false},
		"three times a rhythm of ten days":    {rhythm, 4, 60, 30, true},
		"not quite":                           {rhythm, 4, 59, 29, false},
		"two purchases are no rhythm":         {rhythm, 2, 400, 399, false},
		"one that bought thrice in one hour":  {rhythm, 3, 0, 0, false},
		"who bought thrice on a day long ago": {rhythm, 3, 5, 5, true},
		"no trigger":                          {retention.CaseTriggers{}, 9, 900, 800, false},
	} {
		ago := func(n int) time.Time { return thursday.Add(-time.Duration(n) * day) }
		require.Equal(t, c.silent, c.t.Silent(c.n, ago(c.first), ago(c.last), thursday), name)
	}
}

// TestNoOfferCostsMoreThanTheCap holds for any value, plan and worth of points.
func TestNoOfferCostsMoreThanTheCap(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := terms(func(p *retention.Terms) {
			p.CostCapPermille = rapid.IntRange(0, 1000).Draw(t, "cap")
			for i := range p.Offers {
				p.Offers[i].CostMinor = rapid.Int64Range(1, 1_000_000).Draw(t, "cost")
			}
			p.Segments = append([]retention.OfferSegment{{Offer: "big"}}, p.Segments...)
		})
		value, each := rapid.Int64Range(-1_000, 1<<53-1).Draw(t, "value"), rapid.Int64Range(0, 1000).Draw(t, "worth")
		worth := func(d retention.Deal) int64 { return d.Points * each }
		d, why := p.Choose(retention.Case{ValueMinor: value, Reason: retention.Unknown, Band: retention.Low}, worth)
		if why == "" && (float64(d.CostMinor) > float64(max(0, value))*float64(p.CostCapPermille)/1000+1e-6 || d.CostMinor < d.Points*each) {
			t.Fatalf("%+v of a value of %d with a cap of %d", d, value, p.CostCapPermille)
		}
		if why == "over_cap" && p.Offers[1].CostMinor <= value*int64(p.CostCapPermille)/1000 && p.Offers[1].Points*each <= value/1000*int64(p.CostCapPermille) && value < 1<<40 {
			t.Fatal("the cheaper offer would have been allowed")
		}
	})
}

func TestPlansThatCannotWorkAreRefused(t *testing.T) {
	t.Parallel()
	require.Empty(t, terms(nil).Faults())
	for location, change := range map[string]func(*retention.Terms){
		"name":                          func(t *retention.Terms) { t.Name = "" },
		"kind":                          func(t *retention.Terms) { t.Kind = "love" },
		"programme":                     func(t *retention.Terms) { t.Programme = "Gold!" },
		"currency":                      func(t *retention.Terms) { t.Currency = "XXX" },
		"triggers.churn_risk_permille":  func(t *retention.Terms) { t.Triggers.ChurnRiskPermille = 1001 },
		"triggers.silence_days":         func(t *retention.Terms) { t.Triggers.SilenceDays = -1 },
		"triggers.silence_percent":      func(t *retention.Terms) { t.Triggers.SilencePercent = 99 },
		"triggers.silence_at_most_days": func(t *retention.Terms) { t.Triggers.SilenceDays, t.Triggers.SilenceAtMostDays = 90, 90 },
		"hold_out_permille":             func(t *retention.Terms) { t.HoldOutPermille = 1001 },
		"bands.high_from_minor":         func(t *retention.Terms) { t.Bands.HighFromMinor = 1 },
		"offers[1].code":                func(t *retention.Terms) { t.Offers[1].Code = "big" },
		"offers[0].points":              func(t *retention.Terms) { t.Offers[0].Points = 1_000_001 },
		"offers[0].cost_minor":          func(t *retention.Terms) { t.Offers[0].CostMinor = 0 },
		"offers[0].valid_seconds":       func(t *retention.Terms) { t.Offers[0].ValidSeconds = 0 },
		"segments[1].offer":             func(t *retention.Terms) { t.Segments[1].Offer = "none" },
		"segments[0].reason":            func(t *retention.Terms) { t.Segments[0].Reason = "mood" },
		"segments[0].value_band":        func(t *retention.Terms) { t.Segments[0].Band = "rich" },
		"steps[1].kind":                 func(t *retention.Terms) { t.Segments = nil },
		"steps[0].kind":                 func(t *retention.Terms) { t.Steps[0].Kind = "dance" },
		"steps[2].channel":              func(t *retention.Terms) { t.Steps[2].Channel = "E-Mail" },
		"steps[0].after_seconds":        func(t *retention.Terms) { t.Steps[0].AfterSeconds = -1 },
		"steps":                         func(t *retention.Terms) { t.WindowSeconds = 20 * 86400 },
		"window_seconds":                func(t *retention.Terms) { t.WindowSeconds = 0 },
		"cool_down_days":                func(t *retention.Terms) { t.CoolDownDays = 4000 },
		"max_contacts":                  func(t *retention.Terms) { t.MaxContacts = -1 },
		"max_contacts_30_days":          func(t *retention.Terms) { t.MaxContacts30Days = 101 },
		"cost_cap_permille":             func(t *retention.Terms) { t.CostCapPermille = 1001 },
	} {
		faults := terms(change).Faults()
		require.NotEmpty(t, faults, location)
		require.Contains(t, locations(faults), location)
	}
}

func locations(faults []problem.Field) (all []string) {
	for _, f := range faults {
		all = append(all, f.Location)
	}
	return all
}

func TestDecisionsNeedTheRightAndTheirStage(t *testing.T) {
	t.Parallel()
	manager, agent := flow.Actor{Subject: "wang", Roles: wang.Roles}, flow.Actor{Subject: "mei", Roles: mei.Roles}
	in := func(s retention.Stage, arm retention.Arm) retention.Case {
		return retention.Case{Stage: s, Arm: arm, Steps: []retention.Step{}}
	}
	for name, c := range map[string]struct {
		of   retention.Case
		d    retention.Decision
		code string
	}{
		"by an agent":              {in(retention.Open, retention.Treated), retention.Decision{Action: retention.ActionPause, By: agent}, "permission_missing"},
		"no decision":              {in(retention.Open, retention.Treated), retention.Decision{Action: "panic", By: manager}, "decision_unknown"},
		"what is no person's":      {in(retention.Open, retention.Treated), retention.Decision{Action: retention.ActionEnd, By: manager}, "decision_unknown"},
		"anything once it is over": {in(retention.Lost, retention.Treated), retention.Decision{Action: retention.ActionCancel, By: manager}, "retention_case_over"},
		"a rest from a rest":       {in(retention.Paused, retention.Treated), retention.Decision{Action: retention.ActionPause, By: manager}, "retention_case_stage"},
		"a rest from nothing":      {in(retention.Open, retention.HeldOut), retention.Decision{Action: retention.ActionPause, By: manager}, "retention_case_held_out"},
		"an offer that is none":    {in(retention.Open, retention.Treated), retention.Decision{Action: retention.ActionAccept, By: manager}, "offer_not_made"},
		"no reason":                {in(retention.Open, retention.Treated), retention.Decision{Action: retention.ActionLearn, By: manager}, "decision_invalid"},
		"no kind of loss":          {in(retention.Open, retention.Treated), retention.Decision{Action: retention.ActionClassify, LossKind: "sad", By: manager}, "decision_invalid"},
	} {
		_, err := c.of.Decide(c.d, 0, thursday)
		require.Equal(t, c.code, code(err), name)
	}
}

func TestOccasionsFallOnTheirDays(t *testing.T) {
	t.Parallel()
	shanghai, err := time.LoadLocation("Asia/Shanghai")
	require.NoError(t, err)
	at := func(s string) time.Time {
		moment, err := time.Parse("2006-01-02 15:04", s)
		require.NoError(t, err)
		return moment
	}
	p := retention.CarePlan{Since: at("2020-01-01 00:00"), CareTerms: retention.CareTerms{BirthdayPoints: 50, AnniversaryPoints: 100, MaintenancePoints: 30, MaintenanceMonths: 6}}
	for name, c := range map[string]struct {
		since string
		born  int
		now   string
		zone  *time.Location
		want  []string
	}{
		"the day of the enrolment is none":         {"2026-11-26 08:00", 0, "2026-11-26 09:00", time.UTC, nil},
		"a year later":                             {"2025-11-26 08:00", 0, "2026-11-26 00:00", time.UTC, []string{"anniversary 2026-11-26"}},
		"the day before":                           {"2025-11-26 08:00", 0, "2026-11-25 23:59", time.UTC, nil},
		"a week late":                              {"2025-11-26 08:00", 0, "2026-12-03 23:59", time.UTC, []string{"anniversary 2026-11-26"}},
		"too late":                                 {"2025-11-26 08:00", 0, "2026-12-04 00:00", time.UTC, nil},
		"of a leap day on the last of the month":   {"2024-02-29 08:00", 0, "2026-02-28 12:00", time.UTC, []string{"anniversary 2026-02-28"}},
		"of a leap day in a leap year":             {"2024-02-29 08:00", 0, "2028-02-28 12:00", time.UTC, nil},
		"in the days of the programme's zone":      {"2025-11-26 17:00", 0, "2026-11-26 16:30", shanghai, []string{"anniversary 2026-11-27"}},
		"the month of birth":                       {"2026-11-20 08:00", 12, "2026-12-01 00:00", time.UTC, []string{"birthday 2026-12-01"}},
		"the month of birth, in the next year":     {"2026-11-20 08:00", 12, "2027-01-02 00:00", time.UTC, nil},
		"a month of birth that there is not":       {"2026-11-20 08:00", 13, "2026-12-01 00:00", time.UTC, nil},
		"nobody knows when":                        {"2026-11-20 08:00", 0, "2026-12-01 00:00", time.UTC, nil},
		"of a plan that began later than that day": {"2018-12-31 08:00", 0, "2020-01-01 08:00", time.UTC, nil},
	} {
		var got []string
		for _, d := range p.OfMember(someone(), at(c.since), c.born, at(c.now), c.zone) {
			got = append(got, string(d.Occasion)+" "+d.On.Format(time.DateOnly))
		}
		require.Equal(t, c.want, got, name)
	}
	for now, want := range map[string]string{"2026-07-30 12:00": "", "2026-07-31 12:00": "2026-07-31", "2027-01-31 00:00": "2027-01-31", "2026-02-28 12:00": ""} {
		got := ""
		for _, d := range p.OfAsset(someone(), at("2026-01-31 10:00"), at(now), time.UTC) {
			got = d.On.Format(time.DateOnly)
		}
		require.Equal(t, want, got, now)
	}
}
