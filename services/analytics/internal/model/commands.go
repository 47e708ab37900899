package model

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	analyticsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/analytics/events/v1"
)

// Models is what can be done with models.
type Models struct {
	db     *pg.DB
	ops    *pg.DB // looks over all tenants
	outbox *outbox.Outbox
	log    *slog.Logger
	clock  func() time.Time
	kinds  map[string]kind
	order  []string // of kinds, as they were taken
}

// New makes the capability; the kinds of models are given by Take before its routes are registered.
func New(db, ops *pg.DB, o *outbox.Outbox, log *slog.Logger, clock func() time.Time) *Models {
	return &Models{db: db, ops: ops, outbox: o, log: log, clock: clock, kinds: make(map[string]kind)}
}

func (m *Models) now() time.Time { return m.clock().UTC().Truncate(time.Microsecond) }

// kind is an Offer whose type of body is not known any more.
type kind struct {
	routes func(api *httpx.API)
	// run fits what a job was asked for.
	run  func(ctx context.Context, tenant string, j Job, table *Table) (Fitted, error)
	used func(ctx context.Context, tx *pg.Tx, m Model) error
}

// Take takes a kind of models in: its route, its jobs and its use. Taking two of one code is a mistake in our code.
func Take[B any, P Body[B]](m *Models, o Offer[B]) {
	if _, there := m.kinds[o.Kind]; there {
		panic("model: two kinds have the code " + o.Kind)
	}
	m.order = append(m.order, o.Kind)
	m.kinds[o.Kind] = kind{
		routes: func(api *httpx.API) { fitRoute[B, P](api, m, o) },
		run: func(ctx context.Context, tenant string, j Job, table *Table) (Fitted, error) {
			body := new(B)
			if err := json.Unmarshal(j.Options, body); err != nil {
				return Fitted{}, fmt.Errorf("what the job %s was asked for: %w", j.ID, err)
			}
			return o.Fit(ctx, Order[B]{Tenant: tenant, Source: j.Source, Body: body, Table: table})
		},
		used: o.Used,
	}
}

// Save keeps what was fitted as the next version of its kind, with its predictions, and tells of it. options is what was asked
// for.
func (m *Models) Save(ctx context.Context, tx *pg.Tx, kind, source string, options json.RawMessage, by string, f Fitted) (Model, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Model{}, err
	}
	made := Model{
		ID: id, Kind: kind, Source: source, Cutoff: f.Cutoff, Currency: f.Currency, Rows: f.Rows, Params: finite(f.Params), Errors: finite(f.Errors),
		Fit: finite(f.Fit), Warnings: append([]Warning{}, f.Warnings...), Options: options, Predicted: int64(len(f.Predictions)), TrainedAt: m.now(), TrainedBy: by,
	}
	if made.Detail, err = object(f.Detail); err != nil {
		return Model{}, err
	}
	if made.State, err = object(f.State); err != nil {
		return Model{}, err
	}
	if made.Version, err = nextVersion(ctx, tx, kind); err != nil {
		return Model{}, err
	}
	queueModel(tx, made)
	if err := queuePredictions(ctx, tx, id, f.Predictions); err != nil {
		return Model{}, err
	}
	return made, m.outbox.Append(ctx, tx, outbox.Event{Aggregate: Aggregate, ID: id, Time: made.TrainedAt, First: true, Message: &analyticsv1.ModelTrained{
		ModelId: id.String(), Kind: kind, Version: made.Version, Rows: made.Rows, Source: source, TrainedAt: timestamppb.New(made.TrainedAt),
	}})
}

// object gives v as a JSON object, an empty one for nil.
func object(v any) (json.RawMessage, error) {
	if v == nil {
		return json.RawMessage(`{}`), nil
	}
	return json.Marshal(v)
}

// keep is the command by which a fit in a request ends. Of a repeated request it gives the first model, with its predictions.
func (m *Models) keep(ctx context.Context, kind, source string, options json.RawMessage, f Fitted) (made Model, says []json.RawMessage, err error) {
	who, _ := auth.From(ctx)
	result, err := m.db.Command(ctx, who.Tenant, func(tx *pg.Tx) (pg.Result, error) {
		var err error
		made, err = m.Save(ctx, tx, kind, source, options, who.Subject, f)
		return pg.Result{ID: made.ID, Status: http.StatusOK}, err
	})
	if err != nil {
		return made, nil, err
	}
	if result.Replayed {
		httpx.MarkReplayed(ctx)
		if made, err = m.Get(ctx, result.ID); err != nil {
			return made, nil, err
		}
		says, _, err = m.Predictions(ctx, made.ID, 0, smallRows)
		return made, says, err
	}
	for _, p := range f.Predictions {
		raw, err := json.Marshal(p)
		if err != nil {
			return made, nil, err
		}
		says = append(says, raw)
	}
	return made, says, nil
}

// enqueue is the command by which a fit becomes a job.
func (m *Models) enqueue(ctx context.Context, kind, source string, options json.RawMessage, upload []byte) (Job, error) {
	who, _ := auth.From(ctx)
	id, err := uuid.NewV7()
	if err != nil {
		return Job{}, err
	}
	j := Job{ID: id, Kind: kind, State: Queued, Source: source, Options: options, AskedAt: m.now(), AskedBy: who.Subject}
	result, err := m.db.Command(ctx, who.Tenant, func(tx *pg.Tx) (pg.Result, error) {
		return pg.Result{ID: id, Status: http.StatusAccepted}, queueJob(ctx, tx, j, upload)
	})
	if err != nil || !result.Replayed {
		return j, err
	}
	httpx.MarkReplayed(ctx)
	return m.Job(ctx, result.ID)
}

// Use makes the model the one of its kind that is in use. Of the model that is in use already it changes nothing.
func (m *Models) Use(ctx context.Context, id uuid.UUID) (Model, error) {
	who, _ := auth.From(ctx)
	var made Model
	result, err := m.db.Command(ctx, who.Tenant, func(tx *pg.Tx) (pg.Result, error) {
		var err error
		if made, err = Find(ctx, tx, id); err != nil {
			return pg.Result{}, err
		}
		there, err := lockKind(ctx, tx, made.Kind)
		if err != nil || there == id {
			return pg.Result{ID: id, Status: http.StatusOK}, err
		}
		k, known := m.kinds[made.Kind]
		if !known {
			return pg.Result{}, problem.New(problem.Conflict, "kind_retired", "Models of this kind are not fitted any more.")
		}
		made.InUse, made.UsedSince = true, m.now()
		queueUse(tx, made, who.Subject, made.UsedSince)
		if k.used != nil {
			err = k.used(ctx, tx, made)
		}
		return pg.Result{ID: id, Status: http.StatusOK}, err
	})
	if err != nil || !result.Replayed {
		return made, err
	}
	httpx.MarkReplayed(ctx)
	return m.Get(ctx, result.ID)
}
