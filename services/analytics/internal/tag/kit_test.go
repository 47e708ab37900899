package tag_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/analyticstest"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/run"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/tag"
)

type body = analyticstest.Body

// world is the service with tags whose loop is run by hand, at a time that the test sets.
type world struct {
	*analyticstest.World
	t      *testing.T
	tags   *tag.Tags
	ahead  atomic.Int64 // of the loop's clock
	onTime func()       // is called each time that the loop asks for the time
}

func start(t *testing.T) *world {
	t.Helper()
	w := &world{World: analyticstest.Start(t), t: t}
	w.tags = tag.New(w.DB, w.Database.DB(pg.Ops), run.New(w.DB, w.Database.DB(pg.Ops), w.now), w.now)
	w.tags.Chunk(7)
	return w
}

func (w *world) now() time.Time {
	if w.onTime != nil {
		w.onTime()
	}
	return time.Now().UTC().Add(time.Duration(w.ahead.Load())).Truncate(time.Microsecond)
}

// later has the loop's clock go on.
func (w *world) later(d time.Duration) { w.ahead.Add(int64(d)) }

func (w *world) today() time.Time { return w.now().Truncate(24 * time.Hour) }

func (w *world) work() {
	w.t.Helper()
	require.NoError(w.t, w.tags.Daily(w.t.Context()))
	require.NoError(w.t, w.tags.Background(w.t.Context()))
}

// define makes a tag.
func (w *world) define(token string, definition body) {
	w.t.Helper()
	w.Want(http.StatusCreated, http.MethodPost, "/v1/tags", token, definition, nil)
}

// person makes a portrait with some of its columns.
func (w *world) person(tenant string, set string, args ...any) uuid.UUID {
	w.t.Helper()
	id := analyticstest.ID()
	w.Admin(`INSERT INTO portrait (tenant_id, customer_id) VALUES ($1, $2)`, tenant, id)
	w.becomes(tenant, id, set, args...)
	return id
}

// becomes changes a portrait as a pass or a room with scores would.
func (w *world) becomes(tenant string, id uuid.UUID, set string, args ...any) {
	w.t.Helper()
	require.NoError(w.t, w.DB.Tx(w.t.Context(), tenant, func(tx *pg.Tx) error {
		_, err := tx.ExecNow(w.t.Context(), `UPDATE portrait SET `+set+` WHERE tenant_id = $1 AND customer_id = $2`, append([]any{tenant, id}, args...)...)
		return err
	}))
}

// follow is what the pass of portraits does after it reckoned those of the customers.
func (w *world) follow(tenant string, customers ...uuid.UUID) {
	w.t.Helper()
	require.NoError(w.t, w.DB.Tx(w.t.Context(), tenant, func(tx *pg.Tx) error {
		_, err := w.tags.Follow(w.t.Context(), tx, customers, w.now())
		return err
	}))
}

// portraits gives the tags of all portraits of a tenant.
func (w *world) portraits(tenant string) map[uuid.UUID][]string {
	w.t.Helper()
	all := map[uuid.UUID][]string{}
	require.NoError(w.t, w.DB.Read(w.t.Context(), tenant, func(tx *pg.Tx) error {
		rows, err := tx.Query(w.t.Context(), `SELECT customer_id, tags FROM portrait WHERE tenant_id = $1`, tenant)
		if err != nil {
			return err
		}
		var id uuid.UUID
		var tags []string
		_, err = pgx.ForEachRow(rows, []any{&id, &tags}, func() error { all[id] = append([]string{}, tags...); return nil })
		return err
	}))
	return all
}

// agree holds that what portraits say is what the rows say.
func (w *world) agree() {
	w.t.Helper()
	require.Zero(w.t, w.Count(`SELECT count(*) FROM portrait p FULL JOIN (
			SELECT tenant_id, customer_id, array_agg(value ORDER BY value COLLATE "C") AS tags FROM tag_holder GROUP BY 1, 2) h
			ON h.tenant_id = p.tenant_id AND h.customer_id = p.customer_id
		WHERE p.customer_id IS NULL OR p.tags IS DISTINCT FROM coalesce(h.tags, '{}')`))
}

type held struct{ Tag, Value, Band, Since, Until string }

// of gives a customer's tags by the API: the path of the group, and what is there.
func (w *world) of(token string, id uuid.UUID) (customer uuid.UUID, groups []struct {
	Path []string
	Tags []held
}) {
	w.t.Helper()
	var answer struct {
		CustomerID uuid.UUID `json:"customer_id"`
		Groups     []struct {
			Path []string
			Tags []held
		}
	}
	w.Want(http.StatusOK, http.MethodGet, "/v1/analytics/customers/"+id.String()+"/tags", token, nil, &answer)
	return answer.CustomerID, answer.Groups
}

type shown struct {
	Code     string
	Path     []string
	Version  int
	Archived bool
	Values   []struct {
		Value     string
		Customers int
		Share     float64
	}
	Coverage struct {
		Customers, Of int
		Share         float64
		ReckonedAt    string `json:"reckoned_at"`
	}
	FilterText string `json:"filter_text"`
}

func (w *world) tag(token, code string) (s shown) {
	w.t.Helper()
	w.Want(http.StatusOK, http.MethodGet, "/v1/tags/"+code, token, nil, &s)
	return s
}

type running struct {
	RunID     string `json:"run_id"`
	State     string
	Customers int
	Changed   int
}

func (w *world) run(id string) (r running) {
	w.t.Helper()
	w.Want(http.StatusOK, http.MethodGet, "/v1/analytics/tags/runs/"+id, w.Sales, nil, &r)
	return r
}

// killed has the loop end after so many looks at the clock, as when its process is killed; a look comes with each step.
func (w *world) killed(looks int) {
	ctx, cancel := context.WithCancel(w.t.Context())
	defer cancel()
	w.onTime = func() {
		if looks--; looks <= 0 {
			cancel()
		}
	}
	_ = w.tags.Background(ctx)
	w.onTime = nil
}
