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
	"github.com/guanxi-crm/guanxi/services/analytics/internal/fact"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/run"
)

// WindowInput is what every rating is asked with.
type WindowInput struct {
	Currency   string `query:"currency" required:"true" pattern:"^[A-Z]{3}$" doc:"ISO 4217; only what was bought in it counts"`
	AsOf       string `query:"as_of" format:"date" doc:"UTC day; today when left out"`
	WindowDays int    `query:"window_days" minimum:"0" maximum:"36500" doc:"days that end with and include as_of; 0: all"`
	Source     string `query:"source" enum:"auto,facts,run" default:"auto" doc:"auto: a finished run of that very day, window and currency where the day is over and there is one, else facts; facts: reckoned anew, which takes seconds where there are millions of orders; run: the run only"`
}

type listInput struct {
	WindowInput
	httpx.Page
}

type customerInput struct {
	WindowInput
	ID uuid.UUID `path:"id"`
}

// ratingPopulation is what a rating is relative to.
type ratingPopulation struct {
	RatedAt   string     `json:"rated_at" format:"date" doc:"UTC day that recency is counted to"`
	Currency  string     `json:"currency"`
	Customers int64      `json:"customers" doc:"customers with a purchase in the window: N of the scores"`
	CellMap   string     `json:"cell_map" doc:"version of the names of cells"`
	Scheme    int64      `json:"scheme" doc:"version of how scores are given; 0: relative to all, nothing was set"`
	Cuts      ratingCuts `json:"cuts"`
	RunID     *uuid.UUID `json:"run_id,omitempty" doc:"the run that the ratings were read from; absent: they were reckoned for this answer"`
	AsOf      *time.Time `json:"as_of" doc:"time of the newest event in these numbers; null when there was none"`
}

// ratingCuts are the values at which the scores 2, 3, 4 and 5 begin; empty where nobody is rated.
type ratingCuts struct {
	LastDay   []string `json:"last_day" nullable:"false" doc:"days of the last net purchase"`
	Frequency []int64  `json:"frequency" nullable:"false"`
	NetMinor  []int64  `json:"net_minor" nullable:"false"`
}

func toCuts(c Cuts, customers int64) ratingCuts {
	v := ratingCuts{LastDay: []string{}, Frequency: []int64{}, NetMinor: []int64{}}
	if customers > 0 {
		v.Frequency, v.NetMinor = append(v.Frequency, c.F...), append(v.NetMinor, c.M...)
		for _, day := range c.R {
			v.LastDay = append(v.LastDay, day.Format(time.DateOnly))
		}
	}
	return v
}

type rating struct {
	CustomerID  uuid.UUID `json:"customer_id" doc:"of merged customers, the one who stands for all"`
	RecencyDays int64     `json:"recency_days" doc:"days since the last net purchase"`
	Frequency   int64     `json:"frequency" doc:"distinct purchase days"`
	NetMinor    int64     `json:"net_minor" doc:"minor units, after returns"`
	R           int       `json:"r" doc:"1 to 5, 5 is best"`
	F           int       `json:"f" doc:"1 to 5, 5 is best"`
	M           int       `json:"m" doc:"1 to 5, 5 is best"`
	Cell        string    `json:"cell"`
}

type ratingsOutput struct {
	Body struct {
		Population ratingPopulation `json:"population"`
		Items      []rating         `json:"items"`
		NextCursor string           `json:"next_cursor,omitempty"`
	}
}

type customerRatingOutput struct {
	Body struct {
		Population ratingPopulation `json:"population"`
		Rating     rating           `json:"rating"`
	}
}

type ratingCellsOutput struct {
	Body struct {
		Population ratingPopulation `json:"population"`
		Cells      []ratingCell     `json:"cells" doc:"all 25, best first"`
	}
}

type ratingCell struct {
	R         int    `json:"r"`
	F         int    `json:"f"`
	Cell      string `json:"cell"`
	Customers int64  `json:"customers"`
	NetMinor  int64  `json:"net_minor"`
}

// Routes adds the operations on ratings.
func (r *Ratings) Routes(api *httpx.API) {
	q := r.Queries
	heavy := []int{http.StatusUnprocessableEntity, http.StatusNotFound}
	httpx.Register(api, operation("list-rfm", "/v1/analytics/rfm", "Recency, frequency and monetary value of every customer", heavy),
		func(ctx context.Context, in *listInput) (*ratingsOutput, error) { return list(ctx, q, in) })
	httpx.Register(api, operation("get-rfm-cells", "/v1/analytics/rfm/cells", "How many customers stand where, by recency and frequency", heavy),
		func(ctx context.Context, in *WindowInput) (*ratingCellsOutput, error) { return countCells(ctx, q, in) })
	httpx.Register(api, operation("get-customer-rfm", "/v1/analytics/rfm/customers/{id}", "Recency, frequency and monetary value of one customer", append(heavy, http.StatusGone)),
		func(ctx context.Context, in *customerInput) (*customerRatingOutput, error) {
			ask, err := in.question(q.clock)
			if err != nil {
				return nil, err
			}
			one, population, err := q.Customer(ctx, auth.Tenant(ctx), ask, in.ID)
			if err != nil {
				return nil, err
			}
			var out customerRatingOutput
			out.Body.Population, out.Body.Rating = toPopulation(population, ask), rating(one)
			return &out, nil
		})
	r.definitionRoutes(api)
	r.runRoutes(api)
}

func operation(id, path, summary string, errors []int) httpx.Operation {
	return httpx.Operation{ID: id, Method: http.MethodGet, Path: path, Summary: summary, Tag: "rfm", Permission: auth.AnalyticsRead, Errors: errors}
}

func list(ctx context.Context, q *Queries, in *listInput) (*ratingsOutput, error) {
	ask, err := in.question(q.clock)
	if err != nil {
		return nil, err
	}
	var (
		out        ratingsOutput
		population Population
	)
	out.Body.Items, out.Body.NextCursor, err = httpx.PageByID(in.Page, func(after uuid.UUID, limit int) (ratings []Rating, err error) {
		ratings, population, err = q.List(ctx, auth.Tenant(ctx), ask, after, limit)
		return ratings, err
	}, func(r Rating) uuid.UUID { return r.CustomerID }, func(r Rating) rating { return rating(r) })
	if err != nil {
		return nil, err
	}
	out.Body.Population = toPopulation(population, ask)
	return &out, nil
}

func countCells(ctx context.Context, q *Queries, in *WindowInput) (*ratingCellsOutput, error) {
	ask, err := in.question(q.clock)
	if err != nil {
		return nil, err
	}
	counts, population, err := q.Cells(ctx, auth.Tenant(ctx), ask)
	if err != nil {
		return nil, err
	}
	var out ratingCellsOutput
	out.Body.Population = toPopulation(population, ask)
	out.Body.Cells = make([]ratingCell, len(counts))
	for i, c := range counts {
		out.Body.Cells[i] = ratingCell(c)
	}
	return &out, nil
}

func (in WindowInput) question(clock func() time.Time) (Question, error) {
	asOf := run.Today(clock)
	if in.AsOf != "" {
		day, err := time.Parse(time.DateOnly, in.AsOf)
		if err != nil {
			return Question{}, problem.New(problem.Unprocessable, "invalid", "Mend the query.").
				WithField("query.as_of", "date", "is not a date of the form 2006-01-02")
		}
		asOf = day
	}
	return Question{Currency: in.Currency, Window: Window{AsOf: asOf, Days: in.WindowDays}, Source: Source(in.Source)}, nil
}

func toPopulation(p Population, ask Question) ratingPopulation {
	return ratingPopulation{
		RatedAt: ask.Window.AsOf.Format(time.DateOnly), Currency: ask.Currency, Customers: p.Customers, CellMap: p.Map.Name(), Scheme: p.Scheme.Version,
		Cuts: toCuts(p.Cuts, p.Customers), RunID: pg.OrNull(p.Run), AsOf: fact.TimeOrNil(p.AsOf),
	}
}
