package rfm

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/fact"
)

// WindowInput is what every rating is asked with.
type WindowInput struct {
	Currency   string `query:"currency" required:"true" pattern:"^[A-Z]{3}$" doc:"ISO 4217; only what was bought in it counts"`
	AsOf       string `query:"as_of" format:"date" doc:"UTC day; today when left out"`
	WindowDays int    `query:"window_days" minimum:"0" maximum:"36500" doc:"days that end with and include as_of; 0: all"`
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
	AsOf      *time.Time `json:"as_of" doc:"time of the newest event in these numbers; null when there was none"`
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

// Routes adds the ratings; clock says what day is today.
func Routes(q *Queries, clock func() time.Time) func(*httpx.API) {
	return func(api *httpx.API) {
		httpx.Register(api, operation("list-rfm", "/v1/analytics/rfm", "Recency, frequency and monetary value of every customer"),
			func(ctx context.Context, in *listInput) (*ratingsOutput, error) { return list(ctx, q, clock, in) })
		httpx.Register(api, operation("get-rfm-cells", "/v1/analytics/rfm/cells", "How many customers stand where, by recency and frequency"),
			func(ctx context.Context, in *WindowInput) (*ratingCellsOutput, error) {
				return countCells(ctx, q, clock, in)
			})
		httpx.Register(api, operation("get-customer-rfm", "/v1/analytics/rfm/customers/{id}", "Recency, frequency and monetary value of one customer"),
			func(ctx context.Context, in *customerInput) (*customerRatingOutput, error) {
				w, err := in.window(clock)
				if err != nil {
					return nil, err
				}
				r, population, err := q.Customer(ctx, auth.Tenant(ctx), in.Currency, w, in.ID)
				if err != nil {
					return nil, err
				}
				var out customerRatingOutput
				out.Body.Population, out.Body.Rating = toPopulation(population, w, in.Currency), rating(r)
				return &out, nil
			})
	}
}

func operation(id, path, summary string) httpx.Operation {
	return httpx.Operation{ID: id, Method: http.MethodGet, Path: path, Summary: summary, Tag: "rfm", Permission: auth.AnalyticsRead}
}

func list(ctx context.Context, q *Queries, clock func() time.Time, in *listInput) (*ratingsOutput, error) {
	w, err := in.window(clock)
	if err != nil {
		return nil, err
	}
	var after uuid.UUID
	if in.Cursor != "" {
		parts, err := httpx.DecodeCursor(in.Cursor, 1)
		if err != nil {
			return nil, err
		}
		if after, err = uuid.Parse(parts[0]); err != nil {
			return nil, problem.New(problem.BadRequest, "cursor_invalid", "The cursor is not one that this list gave out. Start again without it.")
		}
	}
	ratings, population, err := q.List(ctx, auth.Tenant(ctx), in.Currency, w, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	var out ratingsOutput
	if len(ratings) > in.Limit {
		ratings = ratings[:in.Limit]
		out.Body.NextCursor = httpx.EncodeCursor(ratings[in.Limit-1].CustomerID.String())
	}
	out.Body.Population = toPopulation(population, w, in.Currency)
	out.Body.Items = make([]rating, len(ratings))
	for i, r := range ratings {
		out.Body.Items[i] = rating(r)
	}
	return &out, nil
}

func countCells(ctx context.Context, q *Queries, clock func() time.Time, in *WindowInput) (*ratingCellsOutput, error) {
	w, err := in.window(clock)
	if err != nil {
		return nil, err
	}
	counts, population, err := q.Cells(ctx, auth.Tenant(ctx), in.Currency, w)
	if err != nil {
		return nil, err
	}
	var out ratingCellsOutput
	out.Body.Population = toPopulation(population, w, in.Currency)
	out.Body.Cells = make([]ratingCell, len(counts))
	for i, c := range counts {
		out.Body.Cells[i] = ratingCell(c)
	}
	return &out, nil
}

func (in WindowInput) window(clock func() time.Time) (Window, error) {
	asOf := clock().UTC().Truncate(24 * time.Hour)
	if in.AsOf != "" {
		day, err := time.Parse(time.DateOnly, in.AsOf)
		if err != nil {
			return Window{}, problem.New(problem.Unprocessable, "invalid", "Mend the query.").
				WithField("query.as_of", "date", "is not a date of the form 2006-01-02")
		}
		asOf = day
	}
	return Window{AsOf: asOf, Days: in.WindowDays}, nil
}

func toPopulation(p Population, w Window, currency string) ratingPopulation {
	return ratingPopulation{
		RatedAt: w.AsOf.Format(time.DateOnly), Currency: currency, Customers: p.Customers, CellMap: CellVersion, AsOf: fact.TimeOrNil(p.AsOf),
	}
}
