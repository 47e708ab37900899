package starts_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/flow/starts"
	"github.com/guanxi-crm/guanxi/platform/flowtest"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/migrate"
	"github.com/guanxi-crm/guanxi/platform/pgtest"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// A test that waits is not a benchmark: a minute is long enough for a machine under load.
const (
	waitFor = time.Minute
	tick    = 10 * time.Millisecond
)

// shop is a service whose consumers start deliveries; seen is what the deliveries were told.
type shop struct {
	t        *testing.T
	database *pgtest.TestDatabase
	db, ops  *pg.DB
	frontend *flowtest.Frontend

	mu   sync.Mutex
	seen []string
}

func newShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{t: t, database: pgtest.Database(t, migrate.Source{Service: "shop"}), frontend: flowtest.NewFrontend(t)}
	s.db, s.ops = s.database.DB(pg.App), s.database.DB(pg.Ops)
	s.frontend.Work(func(r worker.Registry) {
		r.RegisterWorkflowWithOptions(func(_ workflow.Context, what string) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.seen = append(s.seen, what)
			return nil
		}, workflow.RegisterOptions{Name: "delivery"})
	})
	return s
}

// queue lets an event of the tenant call for deliveries; then is what the transaction ends with.
func (s *shop) queue(st *starts.Starter, tenant string, then error, ids ...string) {
	s.t.Helper()
	ctx := auth.With(s.t.Context(), auth.Principal{Subject: "consumer:shop/orders", Tenant: tenant})
	err := s.db.Tx(ctx, tenant, func(tx *pg.Tx) error {
		for _, id := range ids {
			one := flow.Start{ID: "delivery/" + tenant + "/" + id, Queue: "shop", Workflow: "delivery", Args: []any{"pizza " + id}, Again: true}
			if err := st.Queue(ctx, tx, one); err != nil {
				return err
			}
		}
		return then
	})
	require.ErrorIs(s.t, err, then)
}

func (s *shop) waiting() int64 {
	s.t.Helper()
	n, err := starts.Waiting(s.t.Context(), s.ops)
	require.NoError(s.t, err)
	return n
}

// due makes what was put off due again, as time would.
func (s *shop) due() {
	s.t.Helper()
	require.NoError(s.t, s.database.DB(pg.Owner).System(s.t.Context(), func(tx *pg.Tx) error {
		_, err := tx.ExecNow(s.t.Context(), `UPDATE process_start SET not_before = now()`)
		return err
	}))
}

func TestWhatEventsCallForIsStartedOnceForEachTenant(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	st := starts.New(s.db, s.frontend.Client())
	s.queue(st, "music", nil, "1", "2")
	s.queue(st, "pizza", nil, "1", "1")
	s.queue(st, "pizza", errors.New("rolled back"), "3")
	n, err := st.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, 3, n)
	require.Zero(t, s.waiting())
	for _, id := range []string{"delivery/music/1", "delivery/music/2", "delivery/pizza/1"} {
		require.NoError(t, s.frontend.Wait(t.Context(), id))
	}
	require.ElementsMatch(t, []string{"pizza 1", "pizza 2", "pizza 1"}, s.seen)
}

func TestNothingIsLostWhileTheProcessEngineIsAway(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	away, err := flow.NewClient(flow.Config{Address: "127.0.0.1:1", Namespace: "test", Key: s.frontend.Key()}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer away.Close()
	s.queue(starts.New(s.db, away), "music", nil, "1")
	_, err = starts.New(s.db, away).Sweep(t.Context())
	require.Equal(t, problem.Unavailable, problem.KindOf(err), "%v", err)
	require.Equal(t, int64(1), s.waiting())

	st := starts.New(s.db, s.frontend.Client())
	n, err := st.Sweep(t.Context())
	require.NoError(t, err)
	require.Zero(t, n, "a start that somebody is trying is left alone for a while")
	s.due()
	_, err = st.Sweep(t.Context())
	require.NoError(t, err)
	require.Zero(t, s.waiting())
	require.Len(t, s.frontend.Started(), 1)
}

func TestAStarterThatRunsStartsAtOnce(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	st := starts.New(s.db, s.frontend.Client())
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- st.Run(ctx) }()
	s.queue(st, "music", nil, "1")
	require.Eventually(t, func() bool { return len(s.frontend.Started()) == 1 && s.waiting() == 0 }, waitFor, tick)
	stop()
	require.NoError(t, <-done)
}

func TestAProcessGoesOnInTheTraceOfItsEvent(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	otel.SetTextMapPropagator(propagation.TraceContext{})
	st := starts.New(s.db, s.frontend.Client())
	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	ctx := propagation.TraceContext{}.Extract(t.Context(), propagation.MapCarrier{"traceparent": trace})
	ctx = auth.With(ctx, auth.Principal{Subject: "consumer:shop/orders", Tenant: "music", Roles: []string{"agent"}})
	require.NoError(t, s.db.Tx(ctx, "music", func(tx *pg.Tx) error {
		return st.Queue(ctx, tx, flow.Start{ID: "delivery/music/1", Queue: "shop", Workflow: "delivery", Args: []any{"x"}, Again: true})
	}))
	var kept string
	require.NoError(t, s.ops.System(ctx, func(tx *pg.Tx) error {
		return tx.QueryRow(ctx, `SELECT trace->>'traceparent' FROM process_start`).Scan(&kept)
	}))
	require.Equal(t, trace, kept)
}

func TestAStartSaysAllThatItNeeds(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	st := starts.New(s.db, s.frontend.Client())
	good := flow.Start{ID: "delivery/music/1", Queue: "shop", Workflow: "delivery", Again: true}
	acting := auth.With(t.Context(), auth.Principal{Subject: "x", Tenant: "music"})
	for name, change := range map[string]func(*flow.Start, *context.Context){
		"no id":                  func(s *flow.Start, _ *context.Context) { s.ID = "" },
		"no queue":               func(s *flow.Start, _ *context.Context) { s.Queue = "" },
		"a function, not a name": func(s *flow.Start, _ *context.Context) { s.Workflow = func() {} },
		"once and for all":       func(s *flow.Start, _ *context.Context) { s.Again = false },
		"nobody to act for":      func(_ *flow.Start, ctx *context.Context) { *ctx = t.Context() },
		"arguments without JSON": func(s *flow.Start, _ *context.Context) { s.Args = []any{func() {}} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			one, ctx := good, acting
			change(&one, &ctx)
			require.Error(t, s.db.Tx(ctx, "music", func(tx *pg.Tx) error { return st.Queue(ctx, tx, one) }))
		})
	}
}
