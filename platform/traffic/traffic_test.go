package traffic_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/app"
	"github.com/guanxi-crm/guanxi/platform/apptest"
	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/migrate"
	"github.com/guanxi-crm/guanxi/platform/pgtest"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/platform/traffic"
)

var noTables = fstest.MapFS{"00001_none.sql": {Data: []byte("-- +goose Up\nSELECT 1;\n")}}

// shop answers, refuses and fails.
func shop() app.Module {
	return app.Module{Name: "shop", Title: "Shop", Migrations: noTables, Build: func(app.Deps) (app.Parts, error) {
		add := func(api *httpx.API, path string, err error) {
			httpx.Register(api, httpx.Operation{ID: "get" + path[4:], Method: http.MethodGet, Path: path, Tag: "orders", Summary: "x", Permission: auth.OrdersRead},
				func(context.Context, *struct{}) (*struct{}, error) { return &struct{}{}, err })
		}
		return app.Parts{Routes: []func(*httpx.API){func(api *httpx.API) {
			add(api, "/v1/orders", nil)
			add(api, "/v1/broken", errors.New("a fault of ours"))
			add(api, "/v1/away", problem.New(problem.Unavailable, "away", "It is away."))
			add(api, "/v1/refused", problem.New(problem.Conflict, "refused", "It is refused."))
		}}}, nil
	}}
}

func window(from, to time.Time) string {
	return "/v1/ops/shop/requests?" + url.Values{"from": {from.Format(time.RFC3339)}, "to": {to.Format(time.RFC3339)}}.Encode()
}

func TestWhatIsAnsweredIsCountedForTheTenantAndOutlivesTheProcess(t *testing.T) {
	t.Parallel()
	database := pgtest.Database(t, shop().Source())
	s := apptest.StartOn(t, shop(), database, func(*app.Config) {})
	get := func(path, token string, status int) { s.Want(status, http.MethodGet, path, token, nil, nil) }
	for range 7 {
		get("/v1/orders", s.Token("agent", "pizza"), http.StatusNoContent)
	}
	get("/v1/broken", s.Token("agent", "pizza"), http.StatusInternalServerError)
	get("/v1/away", s.Token("agent", "pizza"), http.StatusServiceUnavailable)
	get("/v1/refused", s.Token("agent", "pizza"), http.StatusConflict)
	get("/v1/orders?wrong=1", s.Token("agent", "pizza"), http.StatusUnprocessableEntity)
	get("/v1/orders", s.Token("platform-admin", "pizza"), http.StatusForbidden)
	get("/v1/broken", s.Token("agent", "music"), http.StatusInternalServerError)
	get("/v1/orders", "", http.StatusUnauthorized) // of no tenant
	get("/v1/ops/shop/status", s.Token("operations", "pizza"), http.StatusOK)
	require.NoError(t, s.Stop())

	s = apptest.StartOn(t, shop(), database, func(*app.Config) {})
	s.StopAtEnd()
	now := time.Now().UTC()
	asked := func(tenant string, from, to time.Time) (r traffic.Requests) {
		s.Want(http.StatusOK, http.MethodGet, window(from, to), s.Token("operations", tenant), nil, &r)
		return r
	}
	was := asked("pizza", now.Add(-90*time.Minute), now.Add(time.Minute))
	require.Equal(t, []int64{12, 2}, []int64{was.Requests, was.Errors})
	require.True(t, was.From.Equal(was.From.Truncate(time.Hour)))
	was = asked("music", now.Add(-90*time.Minute), now.Add(time.Minute))
	require.Equal(t, []int64{1, 1}, []int64{was.Requests, was.Errors})
	was = asked("books", now.Add(-90*time.Minute), now.Add(time.Minute))
	require.Equal(t, []int64{0, 0}, []int64{was.Requests, was.Errors})
	was = asked("pizza", now.Add(-90*time.Hour), now.Add(-80*time.Hour))
	require.Zero(t, was.Requests)

	require.Equal(t, "validation_failed", s.Want(http.StatusUnprocessableEntity, http.MethodGet, window(now, now), s.Token("operations", "pizza"), nil, nil).Code())
	for _, query := range []string{"", "?from=2031-01-01T00:00:00Z", "?from=yesterday&to=2031-01-01T00:00:00Z"} {
		s.Want(http.StatusUnprocessableEntity, http.MethodGet, "/v1/ops/shop/requests"+query, s.Token("operations", "pizza"), nil, nil)
	}
	s.Want(http.StatusForbidden, http.MethodGet, window(now, now.Add(time.Hour)), s.Token("agent", "pizza"), nil, nil)
}

func TestReplicasCountTogetherHourByHour(t *testing.T) {
	t.Parallel()
	database := pgtest.Database(t, migrate.Source{Service: "shop", FS: noTables})
	ops, db := database.DB(pg.Ops), database.DB(pg.App)
	now := time.Date(2031, 3, 31, 12, 59, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	one, two := traffic.New(ops, db, clock), traffic.New(ops, db, clock)
	kept := func() (rows [][3]int64) {
		require.NoError(t, ops.System(t.Context(), func(tx *pg.Tx) error {
			found, err := tx.Query(t.Context(), `SELECT extract(hour FROM hour AT TIME ZONE 'UTC')::bigint, requests, errors FROM traffic WHERE tenant_id = 'pizza' ORDER BY hour`)
			if err != nil {
				return err
			}
			defer found.Close()
			for found.Next() {
				var r [3]int64
				require.NoError(t, found.Scan(&r[0], &r[1], &r[2]))
				rows = append(rows, r)
			}
			return found.Err()
		}))
		return rows
	}
	var all sync.WaitGroup
	for _, c := range []*traffic.Counter{one, two} {
		for i := range 50 {
			all.Go(func() {
				c.Count("pizza", i%10 == 0)
				require.NoError(t, c.Flush(t.Context()))
			})
		}
	}
	all.Wait()
	require.NoError(t, one.Flush(t.Context()))
	require.Equal(t, [][3]int64{{12, 100, 10}}, kept())
	now = now.Add(time.Minute)
	one.Count("pizza", true)
	ended, end := context.WithCancel(t.Context())
	end()
	require.Error(t, one.Flush(ended), "what cannot be written")
	two.Count("pizza", false)
	require.NoError(t, two.Flush(t.Context()))
	require.NoError(t, one.Flush(t.Context()), "is written the next time")
	require.Equal(t, [][3]int64{{12, 100, 10}, {13, 2, 1}}, kept())
	now = now.AddDate(0, 0, 401)
	two.Count("pizza", false)
	require.NoError(t, two.Flush(t.Context()))
	require.Equal(t, [][3]int64{{13, 1, 0}}, kept(), "what is old is gone")
}
