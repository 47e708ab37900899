package value_test

import (
	"bufio"
	"bytes"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/stat/distuv"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/analyticstest"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/model"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/run"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/value"
)

type body = analyticstest.Body

// world is the service with values whose jobs and runs are worked by hand, at a time that the test sets.
type world struct {
	*analyticstest.World
	*analyticstest.Clock
	models *model.Models
	values *value.Values
	t      *testing.T
}

func start(t *testing.T) *world {
	t.Helper()
	w := &world{World: analyticstest.Start(t), Clock: analyticstest.NewClock(), t: t}
	clock := w.Now
	ops, box := w.Database.DB(pg.Ops), outbox.New("analytics")
	w.models = model.New(w.DB, ops, box, slog.New(slog.DiscardHandler), clock)
	w.values = value.New(w.DB, box, run.New(w.DB, ops, clock), clock)
	w.values.Offer(w.models)
	return w
}

// purchase is a line of the purchase history of an online music shop.
type purchase struct {
	customer string
	day      time.Time
	cents    int64
}

// sample reads one customer in ten of that history, as Fader and Hardie published it, from $GUANXI_DATA or from ../shared/data beside
// the repository. Where it is not there, a cohort that buys as the published model has it stands for it: then it is only held that
// all ways of giving a history lead to the same.
func sample(t *testing.T) (all []purchase, published bool) {
	t.Helper()
	dir := os.Getenv("GUANXI_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "..", "shared", "data")
	}
	raw, err := os.ReadFile(filepath.Join(dir, "CDNOW_sample.txt"))
	if os.IsNotExist(err) {
		t.Logf("there is no CDNOW_sample.txt in %s: a simulated cohort stands for it", dir)
		return simulated(), false
	}
	require.NoError(t, err)
	lines := bufio.NewScanner(bytes.NewReader(raw))
	for lines.Scan() {
		parts := strings.Fields(lines.Text())
		if len(parts) != 5 {
			continue
		}
		day, err := time.Parse("20060102", parts[2])
		require.NoError(t, err)
		dollars, err := strconv.ParseFloat(parts[4], 64)
		require.NoError(t, err)
		all = append(all, purchase{parts[1], day, int64(dollars*100 + 0.5)})
	}
	return all, true
}

// simulated is a cohort of the sample's size that buys by BG/NBD and spends by Gamma-Gamma with about the published parameters.
func simulated() (all []purchase) {
	r := rand.New(rand.NewPCG(1997, 39))
	rate, leaves := distuv.Gamma{Alpha: 0.243, Beta: 4.414, Src: r}, distuv.Beta{Alpha: 0.793, Beta: 2.426, Src: r}
	scale := distuv.Gamma{Alpha: 3.74, Beta: 15.44, Src: r}
	begin := time.Date(1997, 1, 1, 0, 0, 0, 0, time.UTC)
	for n := range 2357 {
		lambda, p, nu := rate.Rand(), leaves.Rand(), scale.Rand()
		spend := distuv.Gamma{Alpha: 6.25, Beta: nu, Src: r}
		for week := 12 * r.Float64(); week < 78; week += r.ExpFloat64() / lambda {
			day := begin.AddDate(0, 0, int(7*week))
			all = append(all, purchase{fmt.Sprintf("%04d", n+1), day, 1 + int64(100*spend.Rand())})
			if len(all) > 1 && r.Float64() < p && all[len(all)-2].customer == all[len(all)-1].customer {
				break // customers leave after repeat purchases only
			}
		}
	}
	return all
}

// histories puts purchases together as the uploaded tables want them: JSON rows of the purchase models and of Gamma-Gamma.
func histories(all []purchase, cutoff time.Time) (purchases, spends []body) {
	type days map[time.Time]int64
	by, order := map[string]days{}, []string{}
	for _, p := range all {
		if by[p.customer] == nil {
			by[p.customer] = days{}
			order = append(order, p.customer)
		}
		if !p.day.After(cutoff) {
			by[p.customer][p.day] += p.cents
		}
	}
	for _, id := range order {
		var first, last time.Time
		var cents int64
		for d, c := range by[id] {
			if first.IsZero() || d.Before(first) {
				first = d
			}
			if d.After(last) {
				last = d
			}
			cents += c
		}
		x := len(by[id]) - 1
		week := float64(7 * 24 * time.Hour)
		purchases = append(purchases, body{"id": id, "frequency": x, "recency": float64(last.Sub(first)) / week, "T": float64(cutoff.Sub(first)) / week})
		mean := 0.0
		if x > 0 {
			mean = float64(cents-by[id][first]) / 100 / float64(x)
		}
		spends = append(spends, body{"id": id, "frequency": x, "monetary_value": mean})
	}
	return purchases, spends
}

// distinctDays leaves one purchase a customer and day.
func distinctDays(all []purchase) (out []purchase) {
	seen := map[purchase]bool{}
	for _, p := range all {
		key := purchase{customer: p.customer, day: p.day}
		if !seen[key] {
			seen[key] = true
			out = append(out, key)
		}
	}
	return out
}

// csvOf writes rows as CSV.
func csvOf(columns []string, rows []body) string {
	var b strings.Builder
	b.WriteString(strings.Join(columns, ",") + "\n")
	for _, r := range rows {
		for i, c := range columns {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprint(&b, r[c])
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// fitted is the answer to a fit.
type fitted struct {
	Model struct {
		ID, Kind, Cutoff, Currency string
		Version, Rows              int64
		InUse                      bool `json:"in_use"`
		Params, Errors, Fit        map[string]float64
		Warnings                   []model.Warning
		Detail                     struct {
			Calibration []struct {
				Count    int
				Actual   int64
				Expected float64
			}
			Holdout  *struct{ Actual, Expected, Time float64 }
			Tracking []struct {
				Until              string
				CumulativeActual   int64   `json:"cumulative_actual"`
				CumulativeExpected float64 `json:"cumulative_expected"`
				Holdout            bool
			}
			Mean      *float64
			LeftOut   int64 `json:"left_out"`
			Histogram []struct {
				Actual   int64
				Expected float64
			}
			Periods []struct{ Survival float64 }
		}
	}
	Predictions []struct {
		ID            string
		PAlive        *float64 `json:"p_alive"`
		Expected      []struct{ Horizon, Purchases float64 }
		ExpectedSpend *float64 `json:"expected_spend"`
	}
	Job *struct{ ID, State string }
}

func (w *world) fit(kind string, request any, headers ...string) (f fitted) {
	w.t.Helper()
	kind, query, _ := strings.Cut(kind, "?")
	w.Want(200, "POST", "/v1/models/"+kind+"/fit?"+query, w.Marketing, request, &f, headers...)
	return f
}

// place tells of purchases as orders of customers, of the tenant's own ids; it gives those by the ids of the history.
func (w *world) place(tenant string, all []purchase) map[string]uuid.UUID {
	w.t.Helper()
	tell := analyticstest.NewTeller(w.t, tenant)
	customers := map[string]uuid.UUID{}
	var events, people []bus.Event
	for _, p := range all {
		if customers[p.customer] == uuid.Nil {
			customers[p.customer] = analyticstest.ID()
			people = append(people, tell.Registered(customers[p.customer]))
		}
		events = append(events, tell.Placed(analyticstest.ID(), customers[p.customer], p.day.Add(12*time.Hour), p.cents))
	}
	w.Publish("accounts", people...)
	w.Publish("sales", events...)
	w.Eventually("all orders are facts", func() bool {
		var answer struct{ Revenue []struct{ Orders int64 } }
		got := w.Do("GET", "/v1/analytics/facts/summary", w.Token("sales", tenant), nil)
		if got.Status != 200 {
			return false
		}
		got.Decode(w.t, &answer)
		return len(answer.Revenue) == 1 && answer.Revenue[0].Orders == int64(len(all))
	})
	return customers
}

// portraits makes portraits of customers by hand.
func (w *world) portraits(tenant string, customers ...uuid.UUID) {
	w.t.Helper()
	w.Admin(`INSERT INTO portrait (tenant_id, customer_id, source) SELECT $1, c, 'shop' FROM unnest($2::uuid[]) AS c ON CONFLICT DO NOTHING`, tenant, customers)
}
