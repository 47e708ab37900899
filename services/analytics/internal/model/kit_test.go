package model_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/analyticstest"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/model"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/value"
)

type body = analyticstest.Body

// contracts is what sBG is asked for, by which jobs are tried.
type contracts = value.ContractFit

// world is the service, and the room beside it with a kind of its own, at a time that the test sets.
type world struct {
	*analyticstest.World
	*analyticstest.Clock
	models *model.Models
	// fit is what the kind sbg does in jobs here.
	fit func(ctx context.Context, o model.Order[contracts]) (model.Fitted, error)
	// refuse is what the use of a model is answered with.
	refuse error
	t      *testing.T
}

func start(t *testing.T) *world {
	t.Helper()
	w := &world{World: analyticstest.Start(t), Clock: analyticstest.NewClock(), t: t}
	w.models = model.New(w.DB, w.Database.DB(pg.Ops), outbox.New("analytics"), slog.New(slog.DiscardHandler), w.Now)
	w.fit = func(context.Context, model.Order[contracts]) (model.Fitted, error) { return some(3), nil }
	model.Take(w.models, model.Offer[contracts]{
		Kind: "sbg",
		Fit:  func(ctx context.Context, o model.Order[contracts]) (model.Fitted, error) { return w.fit(ctx, o) },
		Used: func(context.Context, *pg.Tx, model.Model) error { return w.refuse },
	})
	return w
}

func (w *world) later(d time.Duration) { w.At(w.Now().Add(d)) }

// as is the context of somebody of the tenant who may define and fit.
func (w *world) as(tenant string) context.Context {
	return auth.With(w.t.Context(), auth.Principal{Tenant: tenant, Subject: "marketing@" + tenant, Roles: []string{auth.RoleMarketing}})
}

// some is a model with n predictions.
func some(n int) model.Fitted {
	f := model.Fitted{Rows: int64(n), Params: map[string]float64{"alpha": 1}}
	for i := range n {
		f.Predictions = append(f.Predictions, body{"id": i})
	}
	return f
}

// job is a job as it is shown.
type job struct {
	ID, Kind, State, Code, Reason string
	Attempts                      int
	ModelID                       string `json:"model_id"`
}

const table = "period,lost,stayed\n1,13,0\n2,9,0\n3,6,30\n"

// ask has a job made of a table.
func (w *world) ask(token string) job {
	w.t.Helper()
	var answer struct{ Job job }
	w.Want(202, "POST", "/v1/models/sbg/fit?later=true&periods=5", token, table, &answer, "Content-Type", "text/csv")
	require.Equal(w.t, "queued", answer.Job.State)
	w.later(time.Minute) // the service has a clock of its own
	return answer.Job
}

func (w *world) job(token, id string) (j job) {
	w.t.Helper()
	w.Want(200, "GET", "/v1/models/jobs/"+id, token, nil, &j)
	return j
}
