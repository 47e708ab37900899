package strength

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/fact"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/rating"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/run"
)

const (
	tag  = "Relationships"
	root = "/v1/analytics/strength"
)

type strengthSettingsView struct {
	Version int64 `json:"version" doc:"0: the house's own"`
	StrengthSettings
	ChangedBy string     `json:"changed_by,omitempty" doc:"subject"`
	ChangedAt *time.Time `json:"changed_at,omitempty"`
}

type strengthSettingsAnswer struct {
	ETag string `header:"ETag"`
	Body strengthSettingsView
}

func showSettings(s Settings, err error) (*strengthSettingsAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &strengthSettingsAnswer{httpx.ETag(s.Version), strengthSettingsView{s.Version, s, s.By, pg.OrNull(s.ChangedAt)}}, nil
}

type setStrengthSettings struct {
	IfMatch string `header:"If-Match" doc:"the ETag of the settings as they were read"`
	Body    StrengthSettings
}

type strengthCustomer struct {
	ID uuid.UUID `path:"customer_id" format:"uuid"`
}

type strengthExplained struct{ Body strengthExplanation }

type strengthExplanation struct {
	CustomerID   uuid.UUID      `json:"customer_id" format:"uuid" doc:"Who stands for the one that was asked for."`
	Settings     int64          `json:"settings" doc:"Version by which it was reckoned; 0: the house's own."`
	Strength     StrengthFigure `json:"strength" doc:"As facts are now, -1 to 3: satisfaction with us, less that with alternatives, plus direct and implicit investment."`
	Loyalty      StrengthFigure `json:"loyalty_index" doc:"As facts are now, 0 to 100."`
	KeptStrength *float64       `json:"kept_strength,omitempty" doc:"That the portrait has, of the last run."`
	KeptLoyalty  *float64       `json:"kept_loyalty_index,omitempty"`
	AsOf         *time.Time     `json:"as_of,omitempty" doc:"Time of the newest event in these numbers."`
}

type strengthRunPath struct {
	ID uuid.UUID `path:"run_id" format:"uuid"`
}

type strengthRunAnswer struct{ Body strengthRunView }

type strengthRunView struct {
	run.View
	Settings     int64      `json:"settings" doc:"version; 0: the house's own"`
	Customers    int64      `json:"customers" doc:"who were looked at, so far"`
	WithStrength int64      `json:"with_strength"`
	WithLoyalty  int64      `json:"with_loyalty_index"`
	Changed      int64      `json:"changed" doc:"portraits that were"`
	FactsAsOf    *time.Time `json:"facts_as_of,omitempty" doc:"time of the newest event when it began"`
}

func showRun(r Running) strengthRunView {
	return strengthRunView{run.Show(r.Run), r.Settings, r.Customers, r.WithStrength, r.WithLoyalty, r.Changed, r.FactsAsOf}
}

type strengthRunsAnswer struct{ Body strengthRunPage }

type strengthRunPage struct {
	Items      []strengthRunView `json:"items" nullable:"false"`
	NextCursor string            `json:"next_cursor,omitempty"`
}

type strengthDistributionAnswer struct{ Body strengthDistribution }

type strengthDistribution struct {
	Strength strengthSpread   `json:"strength"`
	Loyalty  strengthSpread   `json:"loyalty_index"`
	Run      *strengthRunView `json:"run,omitempty" doc:"The last that was done; absent before the first."`
	AsOf     *time.Time       `json:"as_of,omitempty"`
}

type strengthSpread struct {
	Customers int64            `json:"customers" doc:"with the figure"`
	Without   int64            `json:"without" doc:"of whom a part is missing"`
	Enough    bool             `json:"enough" doc:"At least 30 customers."`
	Mean      *rating.Interval `json:"mean,omitempty" doc:"With its 95 % interval."`
	Quartiles []float64        `json:"quartiles,omitempty"`
	Classes   []strengthClass  `json:"classes" nullable:"false"`
}

type strengthClass struct {
	From      float64 `json:"from"`
	To        float64 `json:"to" doc:"Not within it, but of the last one."`
	Customers int64   `json:"customers"`
}

func showSpread(s Spread, low, high float64) strengthSpread {
	v := strengthSpread{Customers: s.Customers, Without: s.Without, Enough: s.Customers >= rating.Enough, Mean: s.Mean, Quartiles: s.Quartiles, Classes: []strengthClass{}}
	width := (high - low) / float64(len(s.Classes))
	for i, n := range s.Classes {
		v.Classes = append(v.Classes, strengthClass{low + float64(i)*width, low + float64(i+1)*width, n})
	}
	return v
}

func reading(id, path, summary string, errors ...int) httpx.Operation {
	return httpx.Operation{ID: id, Method: http.MethodGet, Path: root + path, Summary: summary, Tag: tag, Permission: auth.AnalyticsRead, Errors: errors}
}

// Routes adds the operations.
func (t *Strengths) Routes(api *httpx.API) {
	httpx.Register(api, reading("get-strength-settings", "/settings", "Read what stands for relationship strength and the loyalty index"),
		func(ctx context.Context, _ *struct{}) (*strengthSettingsAnswer, error) {
			return showSettings(t.Settings(ctx))
		})
	httpx.Register(api, httpx.Operation{
		ID: "set-strength-settings", Method: http.MethodPut, Path: root + "/settings", Tag: tag, Summary: "Say what stands for relationship strength and the loyalty index",
		Description: "A new version. Runs that begin from now on reckon by it.", Permission: auth.AnalyticsManage,
		Errors: []int{http.StatusPreconditionFailed, http.StatusPreconditionRequired},
	}, func(ctx context.Context, in *setStrengthSettings) (*strengthSettingsAnswer, error) {
		return showSettings(t.Set(ctx, in.Body, in.IfMatch))
	})
	httpx.Register(api, reading("explain-strength", "/customers/{customer_id}", "Say what both figures of a customer are made of", http.StatusNotFound, http.StatusGone),
		func(ctx context.Context, in *strengthCustomer) (*strengthExplained, error) {
			e, err := t.Explain(ctx, in.ID)
			if err != nil {
				return nil, err
			}
			return &strengthExplained{strengthExplanation{e.CustomerID, e.Settings, e.Strength, e.Loyalty, e.Kept[0], e.Kept[1], fact.TimeOrNil(e.AsOf)}}, nil
		})
	httpx.Register(api, reading("get-strength-distribution", "/distribution", "Read how both figures are spread over customers"),
		func(ctx context.Context, _ *struct{}) (*strengthDistributionAnswer, error) {
			d, err := t.Distribution(ctx)
			if err != nil {
				return nil, err
			}
			v := strengthDistribution{Strength: showSpread(d.Strength, -1, 3), Loyalty: showSpread(d.Loyalty, 0, 100), AsOf: fact.TimeOrNil(d.AsOf)}
			if d.Run != nil {
				last := showRun(*d.Run)
				v.Run = &last
			}
			return &strengthDistributionAnswer{v}, nil
		})
	t.runRoutes(api)
}

func (t *Strengths) runRoutes(api *httpx.API) {
	httpx.Register(api, httpx.Operation{
		ID: "start-strength-run", Method: http.MethodPost, Path: root + "/runs", Tag: tag, Summary: "Have both figures of every customer reckoned behind the scenes",
		Description: "The answer is 202 and says where to look. It happens once a day besides.",
		Permission:  auth.AnalyticsManage, Status: http.StatusAccepted, Errors: []int{http.StatusConflict},
	}, func(ctx context.Context, _ *struct{}) (*strengthRunAnswer, error) {
		r, err := t.Ask(ctx)
		if err != nil {
			return nil, err
		}
		return &strengthRunAnswer{showRun(r)}, nil
	})
	httpx.Register(api, reading("list-strength-runs", "/runs", "List runs, the newest first"),
		func(ctx context.Context, in *httpx.Page) (*strengthRunsAnswer, error) {
			items, next, err := httpx.PageByID(*in, func(before uuid.UUID, limit int) ([]Running, error) { return t.Runs(ctx, before, limit) },
				func(one Running) uuid.UUID { return one.Run.ID }, showRun)
			return &strengthRunsAnswer{strengthRunPage{items, next}}, err
		})
	httpx.Register(api, reading("get-strength-run", "/runs/{run_id}", "Read how far a run is", http.StatusNotFound),
		func(ctx context.Context, in *strengthRunPath) (*strengthRunAnswer, error) {
			r, err := t.Running(ctx, in.ID)
			if err != nil {
				return nil, err
			}
			return &strengthRunAnswer{showRun(r)}, nil
		})
}
