package lifecycle_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/analyticstest"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/lifecycle"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/run"
)

type body = analyticstest.Body

// world is the service, and the loop that a worker would run, to be run by hand.
type world struct {
	*analyticstest.World
	t      *testing.T
	stages *lifecycle.Lifecycle
	ahead  time.Duration // of the loop's clock
}

func start(t *testing.T) *world {
	t.Helper()
	w := &world{World: analyticstest.Start(t), t: t}
	w.stages = lifecycle.New(w.DB, outbox.New("analytics"), run.New(w.DB, w.Database.DB(pg.Ops), w.now), w.now)
	return w
}

func (w *world) now() time.Time { return time.Now().UTC().Add(w.ahead) }

// day is so many days before today, at noon.
func (w *world) day(before int) time.Time {
	return time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -before).Add(12 * time.Hour)
}

func (w *world) date(before int) string { return w.day(before).Format(time.DateOnly) }

// customer makes a customer of the tenant who was registered and bought so many days before today.
func (w *world) customer(tenant string, registered int, bought ...int) uuid.UUID {
	w.t.Helper()
	id := analyticstest.ID()
	w.Admin(`INSERT INTO portrait (tenant_id, customer_id) VALUES ($1, $2)`, tenant, id)
	w.Admin(`INSERT INTO live.fact_customer (tenant_id, customer_id, kind, source, registered_at) VALUES ($1, $2, 'person', 'test', $3)`, tenant, id, w.day(registered))
	w.Admin(`INSERT INTO live.fact_as_of (tenant_id, topic, slot, newest_at) VALUES ($1, 'test', 0, now()) ON CONFLICT DO NOTHING`, tenant)
	for _, before := range bought {
		w.buys(tenant, id, before, "shop")
	}
	return id
}

func (w *world) buys(tenant string, id uuid.UUID, before int, channel string) uuid.UUID {
	w.t.Helper()
	order := analyticstest.ID()
	w.Admin(`INSERT INTO live.fact_order (tenant_id, order_id, customer_id, channel, currency, units, total_minor, placed_at) VALUES ($1, $2, $3, $4, 'USD', 1, 1000, $5)`,
		tenant, order, id, channel, w.day(before))
	return order
}

// run has everybody looked at.
func (w *world) run() {
	w.t.Helper()
	if err := errors.Join(w.stages.Daily(w.t.Context()), w.stages.Background(w.t.Context())); err != nil {
		w.t.Fatal(err)
	}
}

// again has everybody looked at once more on the same day.
func (w *world) again() (answer struct {
	ID        string `json:"run_id"`
	State     string
	Customers int
	Proposed  int
}) {
	w.t.Helper()
	a := w.Want(http.StatusAccepted, http.MethodPost, "/v1/analytics/lifecycle/runs", w.Marketing, nil, nil)
	w.run()
	w.Want(http.StatusOK, http.MethodGet, a.Header.Get("Location"), w.Sales, nil, &answer)
	return answer
}

type relationship struct {
	CustomerID            string `json:"customer_id"`
	Enough                bool
	Why                   string
	Stage, Since, Pattern string
	Reasons               []string
	AsOf                  string `json:"as_of"`
	Steps                 []struct {
		Stage   string
		BeganOn string `json:"began_on"`
		Reasons []string
	}
}

func (w *world) of(token string, id uuid.UUID) (r relationship) {
	w.t.Helper()
	w.Want(http.StatusOK, http.MethodGet, "/v1/analytics/lifecycle/customers/"+id.String(), token, nil, &r)
	return r
}

// path is the stages and days of a customer's steps.
func (r relationship) path() (all []string) {
	for _, s := range r.Steps {
		all = append(all, s.Stage+" "+s.BeganOn)
	}
	return all
}

func said(t *testing.T, data []byte) (m map[string]any) {
	t.Helper()
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	return m
}
