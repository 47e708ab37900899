package strength_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/analyticstest"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/run"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/strength"
)

const root = "/v1/analytics/strength"

// world is the service with runs that are worked by hand, at a time that the test sets.
type world struct {
	*analyticstest.World
	*analyticstest.Clock
	bonds *strength.Strengths
	t     *testing.T
}

func start(t *testing.T) *world {
	t.Helper()
	w := &world{World: analyticstest.Start(t), Clock: analyticstest.NewClock(), t: t}
	clock := w.Now
	w.bonds = strength.New(w.DB, run.New(w.DB, w.Database.DB(pg.Ops), clock), clock)
	w.bonds.Chunk(4)
	return w
}

// customer stores the portrait of somebody of a tenant, and gives what the slow reckoning knows of it.
func (w *world) customer(tenant string, id uuid.UUID, random *rand.Rand) strength.Known {
	today := w.Today()
	days, since, points, csat, nps, old := random.IntN(9), random.IntN(3000), random.IntN(15_000), 1+random.IntN(5), random.IntN(11), random.IntN(500)
	at := today.AddDate(0, 0, -old)
	w.Admin(`INSERT INTO portrait (tenant_id, customer_id, purchase_days, first_purchase_on, points_available, csat, csat_at, nps, nps_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $7)`, tenant, id, days, today.AddDate(0, 0, -since), points, csat, at, nps)
	k := strength.Known{"points": float64(points), "tenure_days": float64(since), "repeats": float64(max(days-1, 0))}
	if points > 0 {
		k["member"] = 1
	}
	if old < 365 {
		k["csat"], k["nps"] = float64(csat), float64(nps)
	}
	return k
}

func (w *world) say(tenant string, id uuid.UUID, at time.Time, ratings string) {
	w.Admin(`INSERT INTO live.fact_answer (tenant_id, answer_id, customer_id, survey_id, kind, touchpoint, answered_at, ratings)
		VALUES ($1, gen_random_uuid(), $2, gen_random_uuid(), 'questionnaire', '', $3, $4)`, tenant, id, at, ratings)
}

// population is customers with answers; of each question the latest within a year is known.
func (w *world) population(tenant string, n int, seed uint64) map[uuid.UUID]strength.Known {
	random := rand.New(rand.NewPCG(seed, 1))
	all := map[uuid.UUID]strength.Known{}
	today := w.Today()
	for range n {
		id := analyticstest.ID()
		k := w.customer(tenant, id, random)
		newest := map[string]int{}
		for i := range random.IntN(7) {
			code, old, v := []string{"alternatives", "share_of_wallet", "price_tolerance"}[random.IntN(3)], 7*random.IntN(80)+i, 1+random.IntN(5)
			w.say(tenant, id, today.AddDate(0, 0, -old), fmt.Sprintf(`{%q: %d}`, code, v))
			if was, ok := newest[code]; old < 365 && (!ok || old < was) {
				newest[code], k["question "+code] = old, float64(v)
			}
		}
		all[id] = k
	}
	w.Admin(`INSERT INTO live.fact_as_of (tenant_id, topic, slot, newest_at) VALUES ($1, 'guanxi.sales.events.v1', 0, now()) ON CONFLICT DO NOTHING`, tenant)
	return all
}

// kept gives what portraits have.
func (w *world) kept(tenant string) map[uuid.UUID][2]*float64 {
	w.t.Helper()
	all := map[uuid.UUID][2]*float64{}
	require.NoError(w.t, w.DB.Read(context.Background(), tenant, func(tx *pg.Tx) error {
		rows, err := tx.Query(context.Background(), `SELECT customer_id, strength::float8, loyalty_index::float8 FROM portrait WHERE tenant_id = $1`, tenant)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id uuid.UUID
			var v [2]*float64
			if err := rows.Scan(&id, &v[0], &v[1]); err != nil {
				return err
			}
			all[id] = v
		}
		return rows.Err()
	}))
	return all
}

// same checks kept figures against known ones, and gives how many there are of each.
func (w *world) same(tenant string, s strength.Settings, people map[uuid.UUID]strength.Known) (n [2]int) {
	w.t.Helper()
	kept := w.kept(tenant)
	require.Len(w.t, kept, len(people))
	for id, known := range people {
		bond, loyalty := s.Reckon(known)
		for i, want := range []*float64{bond.Value, loyalty.Value} {
			got := kept[id][i]
			if (got == nil) != (want == nil) || got != nil && math.Abs(*got-*want) > 1e-4 {
				w.t.Errorf("%s of %v: %v, want %v", id, known, got, want)
			}
			if want != nil {
				n[i]++
			}
		}
	}
	return n
}

type spread struct {
	Customers, Without int
	Mean               *struct{ Value float64 }
	Classes            []struct {
		From, To  float64
		Customers int
	}
}

func TestPortraitsKeepWhatASlowReckoningFinds(t *testing.T) {
	t.Parallel()
	w := start(t)
	people, pizza := w.population("music", 41, 1), w.population("pizza", 6, 2)
	require.NoError(t, w.bonds.Daily(t.Context()))
	require.NoError(t, w.bonds.Background(t.Context()))
	n := w.same("music", strength.House(), people)
	w.same("pizza", strength.House(), pizza)
	if n[0] == 0 || n[1] == 0 || n[0] == len(people) {
		t.Fatalf("the population does not try both: %v", n)
	}
	var d struct {
		Strength spread
		Loyalty  spread `json:"loyalty_index"`
		Run      *struct {
			State     string
			Customers int
		}
	}
	w.Want(http.StatusOK, http.MethodGet, root+"/distribution", w.Sales, nil, &d)
	for i, s := range []spread{d.Strength, d.Loyalty} {
		sum := 0
		for _, c := range s.Classes {
			sum += c.Customers
		}
		if s.Customers != n[i] || s.Without != len(people)-n[i] || sum != n[i] || s.Mean == nil {
			t.Errorf("%+v, want %d", s, n[i])
		}
	}
	if d.Run == nil || d.Run.State != "done" || d.Run.Customers != len(people) {
		t.Errorf("%+v", d.Run)
	}

	s := strength.House()
	s.Missing = "without"
	w.Want(http.StatusOK, http.MethodPut, root+"/settings", w.Marketing, s, nil, "If-Match", `"0"`)
	w.Want(http.StatusPreconditionFailed, http.MethodPut, root+"/settings", w.Marketing, s, nil, "If-Match", `"0"`)
	w.Want(http.StatusAccepted, http.MethodPost, root+"/runs", w.Marketing, nil, nil)
	w.Want(http.StatusConflict, http.MethodPost, root+"/runs", w.Marketing, nil, nil)
	for n := range 3 { // whoever works on it is killed thrice
		require.ErrorIs(t, w.bonds.BackgroundKilled(t.Context(), n), strength.ErrKilled)
		w.At(w.Now().Add(3 * time.Minute))
	}
	require.NoError(t, w.bonds.Daily(t.Context()))
	require.NoError(t, w.bonds.Background(t.Context()))
	if more := w.same("music", s, people); more[0] <= n[0] || more[1] != len(people) {
		t.Errorf("%v after %v", more, n)
	}
	w.same("pizza", strength.House(), pizza)
	var runs struct {
		Items []struct {
			Customers, Settings int
			State               string
		}
	}
	w.Want(http.StatusOK, http.MethodGet, root+"/runs", w.Sales, nil, &runs)
	if len(runs.Items) != 2 || runs.Items[0].Customers != len(people) || runs.Items[0].Settings != 1 || runs.Items[0].State != "done" {
		t.Errorf("%+v", runs)
	}
}

func TestACustomerIsExplainedAlsoWhenMergedOrErased(t *testing.T) {
	t.Parallel()
	w := start(t)
	id, other, erased := analyticstest.ID(), analyticstest.ID(), analyticstest.ID()
	today := w.Today()
	w.Admin(`INSERT INTO portrait (tenant_id, customer_id, csat, csat_at) VALUES ('music', $1, 4, $2)`, id, today)
	w.Admin(`INSERT INTO live.customer_alias (tenant_id, customer_id, survivor_id, merge_id, epoch, seq) VALUES ('music', $1, $2, gen_random_uuid(), 1, 1)`, other, id)
	w.Admin(`INSERT INTO live.fact_customer (tenant_id, customer_id, kind, source, registered_at, erased_at) VALUES ('music', $1, 'person', '', now(), now())`, erased)
	w.say("music", id, today.AddDate(0, 0, -9), `{"alternatives": 5}`)
	w.say("music", other, today.AddDate(0, 0, -3), `{"alternatives": 2}`)
	w.say("music", id, today.AddDate(-2, 0, 0), `{"share_of_wallet": 50}`)
	for _, asked := range []uuid.UUID{id, other} {
		var got struct {
			CustomerID uuid.UUID `json:"customer_id"`
			Strength   struct {
				Value   *float64
				Parts   []struct{ Part string }
				Missing []string
			}
			Loyalty struct {
				Value   *float64
				Missing []string
			} `json:"loyalty_index"`
		}
		w.Want(http.StatusOK, http.MethodGet, root+"/customers/"+asked.String(), w.Sales, nil, &got)
		if got.CustomerID != id || got.Strength.Value == nil || math.Abs(*got.Strength.Value-.5) > 1e-9 || len(got.Strength.Parts) != 5 || got.Loyalty.Value != nil || len(got.Loyalty.Missing) != 3 {
			t.Errorf("%+v", got)
		}
	}
	w.Want(http.StatusGone, http.MethodGet, root+"/customers/"+erased.String(), w.Sales, nil, nil)
	w.Want(http.StatusNotFound, http.MethodGet, root+"/customers/"+id.String(), w.Token(auth.RoleSales, "pizza"), nil, nil)
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	w := start(t)
	house := func(change func(s *strength.Settings)) strength.Settings {
		s := strength.House()
		change(&s)
		return s
	}
	for _, c := range []struct {
		name, field string
		s           strength.Settings
	}{
		{"weights that do not sum to 1", "weights_off", house(func(s *strength.Settings) { s.Loyalty.Repurchase.Weight = .5 })},
		{"weights of nothing", "weights_off", house(func(s *strength.Settings) { s.Implicit[0].Weight = 0 })},
		{"a scale of nothing", "scale_invalid", house(func(s *strength.Settings) { s.Us.High = 1 })},
		{"no question", "question_invalid", house(func(s *strength.Settings) { s.Alternatives.Question = "" })},
		{"a question of something else", "question_invalid", house(func(s *strength.Settings) { s.Us.Question = "q" })},
		{"words as an investment", "not_an_investment", house(func(s *strength.Settings) { s.Direct[0].Of = "csat" })},
	} {
		a := w.Do(http.MethodPut, root+"/settings", w.Marketing, c.s, "If-Match", "*")
		var p struct{ Errors []struct{ Code string } }
		a.Decode(t, &p)
		if a.Status != http.StatusUnprocessableEntity || len(p.Errors) == 0 || p.Errors[0].Code != c.field {
			t.Errorf("%s: got %d %s, want %s", c.name, a.Status, a.Body, c.field)
		}
	}
	for name, target := range map[string]badinput.Target{
		"settings":     {Method: http.MethodGet, Path: root + "/settings"},
		"distribution": {Method: http.MethodGet, Path: root + "/distribution"},
		"runs":         {Method: http.MethodGet, Path: root + "/runs", List: true},
		"set": {Method: http.MethodPut, Path: root + "/settings", Header: http.Header{"If-Match": {"*"}}, Version: true,
			Body: `{"within_days":365,"missing":"none","us":{"of":"csat","low":1.5,"high":5},"alternatives":{"of":"nps","low":0,"high":10},"direct":[],"implicit":[],` +
				`"loyalty":{"repurchase":{"weight":1,"of":"repeats","low":0,"high":5},"share_of_wallet":{"weight":0,"of":"repeats","low":0,"high":5},` +
				`"recommendation":{"weight":0,"of":"nps","low":0,"high":10},"price_tolerance":{"weight":0,"of":"nps","low":0,"high":10}}}`},
	} {
		t.Run(name, func(t *testing.T) {
			target.URL, target.Token = w.URL, w.Sales
			if target.Method != http.MethodGet {
				target.Token = w.Marketing
			}
			badinput.Check(t, target)
		})
	}
	for path, status := range map[string]int{"/customers/" + uuid.NewString(): 404, "/customers/x": 422, "/runs/" + uuid.NewString(): 404} {
		if a := w.Do(http.MethodGet, root+path, w.Sales, nil); a.Status != status || a.Code() == "" {
			t.Errorf("%s: got %d %s", path, a.Status, a.Body)
		}
	}
}
