package model_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/model"
)

func TestAJobFitsWhatWasUploadedAndLeavesNothingOfIt(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.fit = func(_ context.Context, o model.Order[contracts]) (model.Fitted, error) {
		require.Equal(t, "music", o.Tenant)
		require.Equal(t, []string{"period", "lost", "stayed"}, o.Table.Columns)
		require.Len(t, o.Table.Rows, 3)
		require.Equal(t, 5, o.Body.Periods, "settings come by the query")
		return some(1203), nil
	}
	asked := w.ask(w.Marketing)
	require.NoError(t, w.models.Pass(t.Context()))
	done := w.job(w.Sales, asked.ID)
	require.Equal(t, "done", done.State, done.Reason)
	require.Zero(t, w.Count(`SELECT count(*) FROM model_upload`))
	w.Want(http.StatusNotFound, http.MethodGet, "/v1/models/jobs/"+asked.ID, w.Token("sales", "pizza"), nil, nil)
	w.Want(http.StatusNotFound, http.MethodGet, "/v1/models/"+done.ModelID, w.Token("sales", "pizza"), nil, nil)

	seen, cursor := 0, ""
	for pages := 0; ; pages++ {
		var page struct {
			Items      []struct{ ID int }
			NextCursor string `json:"next_cursor"`
		}
		w.Want(http.StatusOK, http.MethodGet, "/v1/models/"+done.ModelID+"/predictions?limit=170&cursor="+cursor, w.Sales, nil, &page)
		for _, p := range page.Items {
			require.Equal(t, seen, p.ID)
			seen++
		}
		if cursor = page.NextCursor; cursor == "" {
			require.Equal(t, 7, pages)
			break
		}
	}
	require.Equal(t, 1203, seen)

	told := w.EventsOf("ModelTrained", 1)
	require.Len(t, told, 1)
	require.Equal(t, done.ModelID, told[0].AggregateID)
	golden.JSON(t, "testdata/model_trained.json", told[0].Data)
	require.NoError(t, w.models.Pass(t.Context()), "nothing is left to do")
	require.Len(t, w.EventsOf("ModelTrained", 1), 1)
}

func TestAJobWhoseWorkerWasKilledIsBegunAgain(t *testing.T) {
	t.Parallel()
	w := start(t)
	asked := w.ask(w.Marketing)
	kill := func() {}
	killed := func(ctx context.Context, _ model.Order[contracts]) (model.Fitted, error) {
		kill() // the process ends without a word
		<-ctx.Done()
		return model.Fitted{}, ctx.Err()
	}
	right := w.fit
	w.fit = killed
	for range 2 {
		ctx, cancel := context.WithCancel(t.Context())
		t.Cleanup(cancel)
		kill = cancel
		_ = w.models.Pass(ctx)
		require.Equal(t, "running", w.job(w.Sales, asked.ID).State)
		require.NoError(t, w.models.Pass(t.Context()), "somebody has it")
		w.later(2 * time.Minute)
	}
	w.fit = right
	require.NoError(t, w.models.Pass(t.Context()))
	done := w.job(w.Sales, asked.ID)
	require.Equal(t, "done", done.State)
	require.Equal(t, 3, done.Attempts)

	// One that kills every worker is given up.
	asked = w.ask(w.Marketing)
	w.fit = killed
	for range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		t.Cleanup(cancel)
		kill = cancel
		_ = w.models.Pass(ctx)
		w.later(2 * time.Minute)
	}
	require.NoError(t, w.models.Pass(t.Context()))
	failed := w.job(w.Sales, asked.ID)
	require.Equal(t, []string{"failed", "job_gave_up"}, []string{failed.State, failed.Code})
	require.Zero(t, w.Count(`SELECT count(*) FROM model_upload`))
}

func TestASlowWorkerThatLostItsJobLeavesNoModel(t *testing.T) {
	t.Parallel()
	w := start(t)
	asked := w.ask(w.Marketing)
	inner := w.fit
	w.fit = func(ctx context.Context, o model.Order[contracts]) (model.Fitted, error) {
		w.fit = inner
		w.later(2 * time.Minute) // its lease runs out while it stands still, and somebody else does the work
		require.NoError(t, w.models.Pass(t.Context()))
		return inner(ctx, o)
	}
	require.NoError(t, w.models.Pass(t.Context()))
	require.Equal(t, "done", w.job(w.Sales, asked.ID).State)
	require.EqualValues(t, 1, w.Count(`SELECT count(*) FROM model`), "what both fitted is kept once")
}

func TestAJobThatCannotBeDoneSaysWhy(t *testing.T) {
	t.Parallel()
	w := start(t)
	asked := w.ask(w.Marketing)
	w.fit = func(context.Context, model.Order[contracts]) (model.Fitted, error) {
		return model.Fitted{}, model.NotEnough("There are 3 contracts.")
	}
	require.NoError(t, w.models.Pass(t.Context()))
	failed := w.job(w.Sales, asked.ID)
	require.Equal(t, job{ID: asked.ID, Kind: "sbg", State: "failed", Code: "not_enough_data", Reason: "There are 3 contracts.", Attempts: 1}, failed)

	// What is not the fault of the order is tried again, and given up at the third time.
	asked = w.ask(w.Marketing)
	w.fit = func(context.Context, model.Order[contracts]) (model.Fitted, error) {
		return model.Fitted{}, errors.New("the disk is full")
	}
	for n := range 3 {
		require.NoError(t, w.models.Pass(t.Context()))
		j := w.job(w.Sales, asked.ID)
		require.Equal(t, map[bool]string{false: "queued", true: "failed"}[n == 2], j.State)
		require.NotContains(t, j.Reason, "disk")
		w.later(time.Minute)
	}
}

func TestVersionsAreNumberedByKindAndTenant(t *testing.T) {
	t.Parallel()
	w := start(t)
	wait := make(chan error)
	for range 12 {
		go func() {
			wait <- w.DB.Tx(t.Context(), "music", func(tx *pg.Tx) error {
				_, err := w.models.Save(t.Context(), tx, "sbg", model.FromFacts, []byte(`{}`), "somebody", model.Fitted{Params: map[string]float64{"good": 1, "none": math.NaN(), "endless": math.Inf(1)}})
				return err
			})
		}()
	}
	for range 12 {
		require.NoError(t, <-wait)
	}
	for tenant, kind := range map[string]string{"music": "churn", "pizza": "sbg"} {
		require.NoError(t, w.DB.Tx(t.Context(), tenant, func(tx *pg.Tx) error {
			made, err := w.models.Save(t.Context(), tx, kind, model.FromTable, []byte(`{}`), "somebody", model.Fitted{})
			require.EqualValues(t, 1, made.Version)
			return err
		}))
	}
	var page struct {
		Items []struct {
			Version int64
			Params  map[string]float64
		}
	}
	w.Want(http.StatusOK, http.MethodGet, "/v1/models?kind=sbg", w.Sales, nil, &page)
	seen := map[int64]bool{}
	for _, m := range page.Items {
		seen[m.Version] = true
		require.Equal(t, map[string]float64{"good": 1}, m.Params, "what is no number is left out")
	}
	require.Len(t, seen, 12)
	require.True(t, seen[1] && seen[12])
}

func TestOneModelOfAKindIsInUse(t *testing.T) {
	t.Parallel()
	w := start(t)
	var ids []uuid.UUID
	for range 2 {
		require.NoError(t, w.DB.Tx(t.Context(), "music", func(tx *pg.Tx) error {
			made, err := w.models.Save(t.Context(), tx, "sbg", model.FromFacts, []byte(`{}`), "somebody", some(0))
			ids = append(ids, made.ID)
			return err
		}))
	}
	inUse := func() (m model.Model, ok bool) {
		require.NoError(t, w.DB.Read(t.Context(), "music", func(tx *pg.Tx) (err error) {
			m, ok, err = model.InUse(t.Context(), tx, "sbg")
			return err
		}))
		return m, ok
	}
	_, ok := inUse()
	require.False(t, ok, "none is in use by itself")
	for _, id := range []uuid.UUID{ids[0], ids[1], ids[1], ids[0]} {
		used, err := w.models.Use(w.as("music"), id)
		require.NoError(t, err)
		require.True(t, used.InUse)
		m, _ := inUse()
		require.Equal(t, id, m.ID)
	}
	w.refuse = problem.New(problem.Conflict, "not_applicable", "It knows fields that customers do not have.")
	_, err := w.models.Use(w.as("music"), ids[1])
	require.ErrorIs(t, err, w.refuse)
	m, _ := inUse()
	require.Equal(t, ids[0], m.ID, "what a kind refuses changes nothing")
	_, err = w.models.Use(w.as("pizza"), ids[0])
	require.Equal(t, problem.NotFound, problem.KindOf(err))
	var page struct {
		Items []struct {
			ID    string
			InUse bool `json:"in_use"`
		}
	}
	w.Want(http.StatusOK, http.MethodGet, "/v1/models?in_use=true", w.Sales, nil, &page)
	require.Len(t, page.Items, 1)
	require.Equal(t, ids[0].String(), page.Items[0].ID)
}

func TestLargeTablesAndManyOrdersBecomeJobs(t *testing.T) {
	t.Parallel()
	w := start(t)
	var csv strings.Builder
	csv.WriteString("id,frequency,recency,T\n")
	for i := range 20_001 {
		x, recency := i%3, i%3*4
		fmt.Fprintf(&csv, "%d,%d,%d,%d\n", i, x, recency, 20+i%9)
	}
	var answer struct {
		Job job
	}
	first := w.Want(http.StatusAccepted, http.MethodPost, "/v1/models/bgnbd/fit", w.Marketing, csv.String(), &answer, "Content-Type", "text/csv", "Idempotency-Key", "k1")
	require.Equal(t, "/v1/models/jobs/"+answer.Job.ID, first.Header.Get("Location"))
	again := w.Do(http.MethodPost, "/v1/models/bgnbd/fit", w.Marketing, csv.String(), "Content-Type", "text/csv", "Idempotency-Key", "k1")
	require.Equal(t, "true", again.Header.Get("Idempotent-Replay"))
	require.JSONEq(t, string(first.Body), string(again.Body))
	require.EqualValues(t, 1, w.Count(`SELECT count(*) FROM model_job`))
	other := w.Do(http.MethodPost, "/v1/models/bgnbd/fit", w.Marketing, csv.String()+"x,0,0,3\n", "Content-Type", "text/csv", "Idempotency-Key", "k1")
	require.Equal(t, "idempotency_key_reused", other.Code())

	w.Want(http.StatusAccepted, http.MethodPost, "/v1/models/bgnbd/fit", w.Marketing, body{"source": "facts", "later": true}, nil)
	w.Admin(`INSERT INTO live.fact_order (tenant_id, order_id, customer_id, channel, currency, units, total_minor, placed_at)
		SELECT 'music', gen_random_uuid(), gen_random_uuid(), 'shop', 'USD', 1, 100, now() FROM generate_series(1, 100001)`)
	w.Want(http.StatusAccepted, http.MethodPost, "/v1/models/bgnbd/fit", w.Marketing, body{"source": "facts"}, nil)
	var page struct{ Items []job }
	w.Want(http.StatusOK, http.MethodGet, "/v1/models/jobs", w.Sales, nil, &page)
	require.Len(t, page.Items, 3)
}
