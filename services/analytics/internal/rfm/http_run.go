package rfm

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/run"
)

type askRatingInput struct{ Body *ratingWish }

// ratingWish is what a run rates. What is left out is what daily runs take.
type ratingWish struct {
	Currency   string `json:"currency,omitempty" pattern:"^[A-Z]{3}$" doc:"ISO 4217; left out: the reporting currency" example:"USD"`
	AsOf       string `json:"as_of,omitempty" format:"date" doc:"UTC day; left out: today" example:"1998-06-30"`
	WindowDays *int   `json:"window_days,omitempty" minimum:"0" maximum:"36500" doc:"days that end with and include as_of, 0 for all; left out: the scheme's" example:"365"`
}

type ratingRunPath struct {
	ID uuid.UUID `path:"run_id" format:"uuid"`
}

type ratingRunAnswer struct {
	Status int
	Body   ratingRunView
}

type ratingRunsAnswer struct{ Body ratingRunPage }

type ratingRunPage struct {
	Items      []ratingRunView `json:"items" nullable:"false"`
	NextCursor string          `json:"next_cursor,omitempty"`
}

type ratingRunView struct {
	run.View
	Currency   string     `json:"currency"`
	WindowDays int        `json:"window_days" doc:"0: all"`
	Scheme     int64      `json:"scheme" doc:"version; 0: nothing was set"`
	CellMap    string     `json:"cell_map"`
	Portraits  bool       `json:"portraits" doc:"whether portraits take the scores over: of today, in the reporting currency, over the scheme's window"`
	Phase      string     `json:"phase" enum:"reading,writing,following,telling,done" doc:"reading facts, writing portraits, rating once more those of whom something was heard meanwhile; then it is done, and tells whose cell changed"`
	Customers  int64      `json:"customers" doc:"that were rated"`
	Changed    int64      `json:"changed" doc:"portraits that were, so far"`
	Cuts       ratingCuts `json:"cuts"`
	FactsAsOf  *time.Time `json:"facts_as_of,omitempty" doc:"time of the newest event in these numbers"`
	ReckonedAt *time.Time `json:"reckoned_at,omitempty" doc:"from when on ratings can be read, and customers are rated at once by these cuts"`
	Kept       bool       `json:"kept" doc:"whether the ratings can be read: those of the last five runs can"`
}

func toRun(r Running) ratingRunView {
	rated := r.Customers
	if r.ReckonedAt.IsZero() {
		rated = 0
	}
	return ratingRunView{
		View: run.Show(r.Run), Currency: r.Currency, WindowDays: r.WindowDays, Scheme: r.Scheme, CellMap: r.Map, Portraits: r.Portraits, Phase: r.Phase,
		Customers: r.Customers, Changed: r.Changed, Cuts: toCuts(r.Cuts, rated), FactsAsOf: pg.OrNull(r.FactsAsOf), ReckonedAt: pg.OrNull(r.ReckonedAt),
		Kept: r.Kept && !r.ReckonedAt.IsZero(),
	}
}

func showRun(status int, r Running, err error) (*ratingRunAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &ratingRunAnswer{status, toRun(r)}, nil
}

func (b *ratingWish) wish() (w Wish, err error) {
	if b == nil {
		return w, nil
	}
	w.Currency, w.WindowDays = b.Currency, b.WindowDays
	if b.AsOf != "" {
		if w.AsOf, err = time.Parse(time.DateOnly, b.AsOf); err != nil {
			return w, problem.InvalidBody("run_invalid", "Nothing was begun: mend the field named here.",
				[]problem.Field{{Location: "as_of", Code: "date", Message: "is not a date of the form 2006-01-02"}})
		}
	}
	return w, nil
}

// runRoutes adds the operations on runs.
func (r *Ratings) runRoutes(api *httpx.API) {
	httpx.Register(api, httpx.Operation{
		ID: "start-rfm-run", Method: http.MethodPost, Path: "/v1/analytics/rfm/runs", Tag: "rfm", Summary: "Have every customer rated behind the scenes",
		Description: "The answer is 202 and says where to look. Every tenant is rated once a day besides.",
		Permission:  auth.AnalyticsManage, Status: http.StatusAccepted, Errors: []int{http.StatusConflict},
	}, func(ctx context.Context, in *askRatingInput) (*ratingRunAnswer, error) {
		wish, err := in.Body.wish()
		if err != nil {
			return nil, err
		}
		asked, err := r.Ask(ctx, wish)
		return showRun(http.StatusAccepted, asked, err)
	})
	httpx.Register(api, operation("list-rfm-runs", "/v1/analytics/rfm/runs", "List runs, the newest first", nil),
		func(ctx context.Context, in *httpx.Page) (*ratingRunsAnswer, error) {
			items, next, err := httpx.PageByID(*in, func(before uuid.UUID, limit int) ([]Running, error) { return r.Runs(ctx, before, limit) },
				func(one Running) uuid.UUID { return one.ID }, toRun)
			return &ratingRunsAnswer{ratingRunPage{items, next}}, err
		})
	httpx.Register(api, operation("get-rfm-run", "/v1/analytics/rfm/runs/{run_id}", "Read how far a run is, and what it found", []int{http.StatusNotFound}),
		func(ctx context.Context, in *ratingRunPath) (*ratingRunAnswer, error) {
			one, err := r.Running(ctx, in.ID)
			return showRun(http.StatusOK, one, err)
		})
}
