package mining_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/analyticstest"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/mining"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/model"
)

type body = analyticstest.Body

// day is when things happened in these tests.
var day = time.Date(2026, 5, 20, 9, 0, 0, 0, time.UTC)

// world is the service, and the loops that a worker would run, to be run by hand.
type world struct {
	*analyticstest.World
	t      *testing.T
	mining *mining.Mining
	models *model.Models
	now    time.Time
}

func start(t *testing.T) *world {
	t.Helper()
	w := &world{World: analyticstest.Start(t), t: t, now: time.Now().UTC()}
	clock := func() time.Time { return w.now }
	w.mining = mining.New(w.DB, w.Database.DB(pg.Ops), clock)
	w.models = model.New(w.DB, w.Database.DB(pg.Ops), outbox.New("analytics"), slog.New(slog.DiscardHandler), clock)
	model.Take(w.models, w.mining.RulesOffer())
	model.Take(w.models, w.mining.ClustersOffer())
	return w
}

// order places an order of the tenant as facts have it; units is the number of articles.
func (w *world) order(tenant string, customer uuid.UUID, at time.Time, skus ...string) uuid.UUID {
	w.t.Helper()
	id := analyticstest.ID()
	quantities := slices.Repeat([]int64{1}, len(skus))
	w.Admin(`INSERT INTO live.fact_order (tenant_id, order_id, customer_id, channel, currency, units, total_minor, placed_at, skus, quantities, amounts)
		VALUES ($1, $2, $3, 'shop', 'USD', $4, 100, $5, $6, $7, $7)`, tenant, id, customer, len(skus), at, skus, quantities)
	return id
}

func (w *world) returned(tenant string, order uuid.UUID, units int) {
	w.t.Helper()
	w.Admin(`INSERT INTO live.fact_return (tenant_id, return_id, order_id, currency, units, amount_minor, returned_at) VALUES ($1, $2, $3, 'USD', $4, 1, $5)`,
		tenant, analyticstest.ID(), order, units, day)
}

// fitted is the answer to a fit.
type fitted struct {
	Model struct {
		ID       string
		Rows     int
		Fit      map[string]float64
		Params   map[string]float64
		Warnings []model.Warning
		Detail   json.RawMessage
	}
	Predictions []json.RawMessage
	Job         *struct{ ID, State, Code, Reason string }
}

type rule struct {
	If                        []string
	Then                      string
	Baskets                   int
	WithIf                    int `json:"with_if"`
	WithThen                  int `json:"with_then"`
	WithBoth                  int `json:"with_both"`
	Support, Confidence, Lift float64
	ConfidenceLow             float64 `json:"confidence_low"`
	ConfidenceHigh            float64 `json:"confidence_high"`
	Conviction                *float64
}

func (w *world) fit(kind string, in body) fitted {
	w.t.Helper()
	var out fitted
	answer := w.Do(http.MethodPost, "/v1/models/"+kind+"/fit", w.Marketing, in)
	if answer.Status != http.StatusOK && answer.Status != http.StatusAccepted {
		w.t.Fatalf("%d: %s", answer.Status, answer.Body)
	}
	answer.Decode(w.t, &out)
	return out
}

func (w *world) use(id string) {
	w.t.Helper()
	if answer := w.Do(http.MethodPost, "/v1/models/"+id+"/use", w.Marketing, nil); answer.Status != http.StatusOK {
		w.t.Fatalf("%d: %s", answer.Status, answer.Body)
	}
}

func (w *world) get(path string, status int, into any) {
	w.t.Helper()
	answer := w.Do(http.MethodGet, path, w.Sales, nil)
	if answer.Status != status {
		w.t.Fatalf("%s: got %d, want %d: %s", path, answer.Status, status, answer.Body)
	}
	if into != nil {
		answer.Decode(w.t, into)
	}
}

func rulesOf(t *testing.T, raw []json.RawMessage) []rule {
	t.Helper()
	all := make([]rule, len(raw))
	for i, one := range raw {
		if err := json.Unmarshal(one, &all[i]); err != nil {
			t.Fatal(err)
		}
	}
	return all
}
