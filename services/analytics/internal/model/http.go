package model

import (
	"context"
	"encoding/json"
	"math"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
)

const tag = "models"

// modelView is a model as the API shows it.
type modelView struct {
	ID          uuid.UUID          `json:"id" format:"uuid"`
	Kind        string             `json:"kind" example:"bgnbd"`
	Version     int64              `json:"version" doc:"Within the kind, from 1."`
	InUse       bool               `json:"in_use" doc:"It is the one of its kind that is applied to customers."`
	UsedSince   *time.Time         `json:"used_since,omitempty"`
	Source      string             `json:"source" enum:"facts,table"`
	Cutoff      string             `json:"cutoff,omitempty" format:"date" doc:"The last day of the facts that it was fitted to."`
	Currency    string             `json:"currency,omitempty"`
	Rows        int64              `json:"rows" doc:"That it was fitted to."`
	Params      map[string]float64 `json:"params"`
	Errors      map[string]float64 `json:"errors" doc:"Standard errors of params; one that is not defined is absent."`
	Fit         map[string]float64 `json:"fit" doc:"How good it is: log_likelihood, aic, bic and what else its kind knows."`
	Warnings    []Warning          `json:"warnings" nullable:"false" doc:"What to mind."`
	Options     json.RawMessage    `json:"options" doc:"What was asked for, without rows."`
	Detail      json.RawMessage    `json:"detail" doc:"Tables and data for plots; see the kind."`
	Predictions int64              `json:"predictions" doc:"How many rows GET /v1/models/{id}/predictions has."`
	TrainedAt   time.Time          `json:"trained_at"`
	TrainedBy   string             `json:"trained_by"`
}

func show(m Model) modelView {
	v := modelView{
		ID: m.ID, Kind: m.Kind, Version: m.Version, InUse: m.InUse, Source: m.Source, Currency: m.Currency, Rows: m.Rows, Params: m.Params, Errors: m.Errors,
		Fit: m.Fit, Warnings: m.Warnings, Options: m.Options, Detail: m.Detail, Predictions: m.Predicted, TrainedAt: m.TrainedAt, TrainedBy: m.TrainedBy,
	}
	if !m.Cutoff.IsZero() {
		v.Cutoff = m.Cutoff.Format(time.DateOnly)
	}
	if m.InUse {
		v.UsedSince = &m.UsedSince
	}
	return v
}

// modelJobView is a job as the API shows it.
type modelJobView struct {
	ID         uuid.UUID       `json:"id" format:"uuid"`
	Kind       string          `json:"kind"`
	State      string          `json:"state" enum:"queued,running,done,failed"`
	Source     string          `json:"source" enum:"facts,table"`
	Options    json.RawMessage `json:"options"`
	Attempts   int             `json:"attempts"`
	AskedAt    time.Time       `json:"asked_at"`
	AskedBy    string          `json:"asked_by"`
	StartedAt  *time.Time      `json:"started_at,omitempty"`
	FinishedAt *time.Time      `json:"finished_at,omitempty"`
	ModelID    *uuid.UUID      `json:"model_id,omitempty" format:"uuid" doc:"Of a job that is done."`
	Code       string          `json:"code,omitempty" doc:"Of the problem that it failed with, or that keeps it waiting."`
	Reason     string          `json:"reason,omitempty"`
}

func showJob(j Job) modelJobView {
	v := modelJobView{ID: j.ID, Kind: j.Kind, State: j.State, Source: j.Source, Options: j.Options, Attempts: j.Attempts, AskedAt: j.AskedAt, AskedBy: j.AskedBy, Code: j.Code, Reason: j.Reason}
	if !j.StartedAt.IsZero() {
		v.StartedAt = &j.StartedAt
	}
	if !j.FinishedAt.IsZero() {
		v.FinishedAt = &j.FinishedAt
	}
	if j.ModelID != uuid.Nil {
		v.ModelID = &j.ModelID
	}
	return v
}

type modelByID struct {
	ID uuid.UUID `path:"id" format:"uuid"`
}

type modelListInput struct {
	httpx.Page
	Kind  string `query:"kind" maxLength:"64" doc:"Only of this kind."`
	InUse bool   `query:"in_use" doc:"Only those in use."`
}

type modelPage struct {
	Items      []modelView `json:"items" nullable:"false"`
	NextCursor string      `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

type modelPredictionsInput struct {
	httpx.Page
	ID uuid.UUID `path:"id" format:"uuid"`
}

type modelPredictionPage struct {
	Items      []json.RawMessage `json:"items" nullable:"false" doc:"In the order of the table; each as its kind says."`
	NextCursor string            `json:"next_cursor,omitempty"`
}

type modelJobPage struct {
	Items      []modelJobView `json:"items" nullable:"false"`
	NextCursor string         `json:"next_cursor,omitempty"`
}

// Routes adds the operations on models, and the fit of each kind that was taken.
func (m *Models) Routes(api *httpx.API) {
	read := func(id, path, summary, description string) httpx.Operation {
		return httpx.Operation{ID: id, Method: http.MethodGet, Path: path, Tag: tag, Summary: summary, Description: description, Permission: auth.AnalyticsRead}
	}
	httpx.Register(api, read("list-models", "/v1/models", "List models", "The newest first."), m.listModels)
	httpx.Register(api, read("get-model", "/v1/models/{id}", "Read a model", ""), func(ctx context.Context, in *modelByID) (*struct{ Body modelView }, error) {
		found, err := m.Get(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		return &struct{ Body modelView }{show(found)}, nil
	})
	httpx.Register(api, read("list-model-predictions", "/v1/models/{id}/predictions", "List what a model says of the rows of its table",
		"A model of facts has none: what the one in use says of customers stands in their portraits."), m.listPredictions)
	httpx.Register(api, httpx.Operation{
		ID: "use-model", Method: http.MethodPost, Path: "/v1/models/{id}/use", Tag: tag, Summary: "Put a model to use",
		Description: "It takes the place of the one of its kind that was in use, and is applied to all customers.",
		Permission:  auth.AnalyticsManage, Status: http.StatusOK, Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, func(ctx context.Context, in *modelByID) (*struct{ Body modelView }, error) {
		used, err := m.Use(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		return &struct{ Body modelView }{show(used)}, nil
	})
	httpx.Register(api, read("list-model-jobs", "/v1/models/jobs", "List fits that are or were jobs", "The newest first."), m.listJobs)
	httpx.Register(api, read("get-model-job", "/v1/models/jobs/{id}", "Read how far a fit is", ""), func(ctx context.Context, in *modelByID) (*struct{ Body modelJobView }, error) {
		j, err := m.Job(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		return &struct{ Body modelJobView }{showJob(j)}, nil
	})
	for _, code := range m.order {
		m.kinds[code].routes(api)
	}
}

func (m *Models) listModels(ctx context.Context, in *modelListInput) (*struct{ Body modelPage }, error) {
	items, next, err := httpx.PageByID(in.Page, func(before uuid.UUID, limit int) ([]Model, error) {
		return m.List(ctx, in.Kind, in.InUse, before, limit)
	},
		func(one Model) uuid.UUID { return one.ID }, show)
	return &struct{ Body modelPage }{modelPage{items, next}}, err
}

func (m *Models) listJobs(ctx context.Context, in *struct{ httpx.Page }) (*struct{ Body modelJobPage }, error) {
	items, next, err := httpx.PageByID(in.Page, func(before uuid.UUID, limit int) ([]Job, error) { return m.Jobs(ctx, before, limit) },
		func(one Job) uuid.UUID { return one.ID }, showJob)
	return &struct{ Body modelJobPage }{modelJobPage{items, next}}, err
}

func (m *Models) listPredictions(ctx context.Context, in *modelPredictionsInput) (*struct{ Body modelPredictionPage }, error) {
	type numbered struct {
		n   int
		row json.RawMessage
	}
	items, next, err := httpx.PageByNumber(in.Page, func(from, limit int) ([]numbered, error) {
		if from >= math.MaxInt32-limit {
			return nil, nil
		}
		rows, _, err := m.Predictions(ctx, in.ID, from, limit)
		all := make([]numbered, len(rows))
		for i, row := range rows {
			all[i] = numbered{from + i + 1, row}
		}
		return all, err
	}, func(one numbered) int { return one.n }, func(one numbered) json.RawMessage { return one.row })
	return &struct{ Body modelPredictionPage }{modelPredictionPage{items, next}}, err
}
