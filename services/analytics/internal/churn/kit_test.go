package churn_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/analyticstest"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/churn"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/model"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/run"
)

type body = analyticstest.Body

// world is the service, and the loop that a worker would run, to be run by hand.
type world struct {
	*analyticstest.World
	t     *testing.T
	churn *churn.Churn
	ahead time.Duration // of the loop's clock
}

// now is the time by the loop's clock; the service itself goes by the real one.
func (w *world) now() time.Time { return time.Now().UTC().Add(w.ahead) }

func start(t *testing.T) *world {
	t.Helper()
	w := &world{World: analyticstest.Start(t), t: t}
	w.churn = churn.New(w.DB, w.Database.DB(pg.Ops), outbox.New("analytics"), run.New(w.DB, w.Database.DB(pg.Ops), w.now), w.now, churn.NoSegments)
	return w
}

func (w *world) pass() {
	w.t.Helper()
	if err := errors.Join(w.churn.Daily(w.t.Context()), w.churn.Background(w.t.Context())); err != nil {
		w.t.Fatal(err)
	}
}

// day is so many days before today, at noon.
func (w *world) day(before int) time.Time {
	return time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -before).Add(12 * time.Hour)
}

// customers gives the tenant so many customers, every other of whom complained and went. All bought each 20 days; those who went
// did so for the last time some 100 days ago, the others to this day. Of the latter every tenth, from the fifth on, complained now.
func (w *world) customers(tenant string, n int) []uuid.UUID {
	w.t.Helper()
	ids := make([]uuid.UUID, n)
	var buyers, grumblers, orders []uuid.UUID
	var bought, registered []time.Time
	for i := range ids {
		ids[i] = analyticstest.ID()
		went := i%2 == 0 && i%14 != 0 // some complained and stayed
		last := i % 10
		if went {
			last = 92
		}
		for before := 400 + i%10; before >= last; before -= 20 {
			buyers, orders, bought = append(buyers, ids[i]), append(orders, analyticstest.ID()), append(bought, w.day(before))
		}
		if i%2 == 0 || i%33 == 0 {
			grumblers, registered = append(grumblers, ids[i]), append(registered, w.day(120+i%30))
		}
		if i%10 == 5 {
			grumblers, registered = append(grumblers, ids[i]), append(registered, w.day(3))
		}
	}
	w.Admin(`INSERT INTO portrait (tenant_id, customer_id, orders) SELECT $1, id, 1 FROM unnest($2::uuid[]) AS c (id)`, tenant, ids)
	w.Admin(`INSERT INTO live.fact_order (tenant_id, order_id, customer_id, channel, currency, units, total_minor, placed_at)
		SELECT $1, o.id, o.customer, 'shop', 'USD', 1, 1000, o.at FROM unnest($2::uuid[], $3::uuid[], $4::timestamptz[]) AS o (id, customer, at)`, tenant, orders, buyers, bought)
	w.Admin(`INSERT INTO live.fact_complaint (tenant_id, complaint_id, customer_id, registered_at)
		SELECT $1, gen_random_uuid(), c.customer, c.at FROM unnest($2::uuid[], $3::timestamptz[]) AS c (customer, at)`, tenant, grumblers, registered)
	return ids
}

// model is what a fit answers.
type fitted struct {
	Model struct {
		ID       string
		Version  int64
		Source   string
		Cutoff   string
		Rows     int
		Params   map[string]float64
		Errors   map[string]float64
		Fit      map[string]float64
		Warnings []model.Warning
		Detail   struct {
			Positive     int
			Separable    bool
			Lambda       float64
			Coefficients []churn.Coefficient
			Validation   churn.Validation
			Columns      []churn.Treatment
			Tried        []churn.Tried
			Definition   *churn.Definition
			LeftOut      *struct{ Gone, Never int } `json:"left_out"`
		}
	}
	Predictions []struct {
		ID        string
		Risk      float64
		OutOfFold float64 `json:"out_of_fold"`
		Reasons   []churn.Reason
	}
	Job *struct{ ID, State, Code string }
}

func (w *world) fitFacts(token string, in body) fitted {
	w.t.Helper()
	var f fitted
	w.Want(http.StatusOK, http.MethodPost, "/v1/models/churn/fit", token, in, &f)
	return f
}

func (w *world) use(token, id string) {
	w.t.Helper()
	w.Want(http.StatusOK, http.MethodPost, "/v1/models/"+id+"/use", token, nil, nil)
}

// riskOf is what is said of a customer.
type riskOf struct {
	CustomerID   string `json:"customer_id"`
	Enough       bool
	Why          string
	RiskPermille int  `json:"risk_permille"`
	AtRisk       bool `json:"at_risk"`
	Reasons      []struct {
		Code, Direction, Words string
		Weight                 float64
	}
	ModelVersion int64      `json:"model_version"`
	AsOf         string     `json:"as_of"`
	ToldAt       *time.Time `json:"told_at"`
}

func (w *world) risk(token string, id uuid.UUID) (r riskOf) {
	w.t.Helper()
	w.Want(http.StatusOK, http.MethodGet, "/v1/analytics/churn/customers/"+id.String(), token, nil, &r)
	return r
}

type runs struct {
	Items []struct {
		ID                            string `json:"run_id"`
		State, Failure                string
		Scored, Changed, Gone, Raised int
	}
}

func (w *world) runs(token string) (r runs) {
	w.t.Helper()
	w.Want(http.StatusOK, http.MethodGet, "/v1/analytics/churn/runs", token, nil, &r)
	return r
}

// telco reads the subscribers of a telephone company, with who left (IBM sample data, Apache-2.0): from $GUANXI_DATA or from
// ../shared/data beside the repository, as tools/devstack/cdnow does. Where neither has it, a small synthetic table of the same
// columns stands for it, of which only the form can be tried.
func telco(t *testing.T) (csv []byte, original bool) {
	t.Helper()
	dir := os.Getenv("GUANXI_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "..", "shared", "data")
	}
	csv, err := os.ReadFile(filepath.Join(dir, "telco.csv"))
	if err == nil {
		return csv, true
	}
	if !os.IsNotExist(err) {
		t.Fatal(err)
	}
	t.Logf("no %s: the synthetic table stands for it", filepath.Join(dir, "telco.csv"))
	csv, err = os.ReadFile("testdata/telco_synthetic.csv")
	if err != nil {
		t.Fatal(err)
	}
	return csv, false
}

// said reads an event's data.
func said(t *testing.T, data []byte) (m map[string]any) {
	t.Helper()
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// codes gives those of warnings.
func codes(all []model.Warning) (found []string) {
	for _, w := range all {
		found = append(found, w.Code)
	}
	return found
}
