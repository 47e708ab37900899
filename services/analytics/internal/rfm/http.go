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

// populationBody is what a rating is relative to.
type populationBody struct {
	RatedAt   string     `json:"rated_at" format:"date" doc:"UTC day that recency is counted to"`
	Currency  string     `json:"currency"`
	Customers int64      `json:"customers" doc:"customers with a purchase in the window: N of the scores"`
	CellMap   string     `json:"cell_map" doc:"version of the names of cells"`
	AsOf      *time.Time `json:"as_of" doc:"time of the newest event in these numbers; null when there was none"`
}

type ratingBody struct {
	CustomerID  uuid.UUID `json:"customer_id"`
	RecencyDays int64     `json:"recency_days" doc:"days since the last net purchase"`
	Frequency   int64     `json:"frequency" doc:"distinct purchase days"`
	NetMinor    int64     `json:"net_minor" doc:"minor units, after returns"`
	R           int       `json:"r" doc:"1 to 5, 5 is best"`
	F           int       `json:"f" doc:"1 to 5, 5 is best"`
	M           int       `json:"m" doc:"1 to 5, 5 is best"`
	Cell        string    `json:"cell"`
}

type listOutput struct {
	Body struct {
		Population populationBody `json:"population"`
		Items      []ratingBody   `json:"items"`
		NextCursor string         `json:"next_cursor,omitempty"`
	}
}

type customerOutput struct {
	Body struct {
		Population populationBody `json:"population"`
		Rating     ratingBody     `json:"rating"`
	}
}

type cellsOutput struct {
	Body struct {
		Population populationBody `json:"population"`
		Cells      []cellBody     `json:"cells" doc:"all 25, best first"`
	}
}

type cellBody struct {
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
			func(ctx context.Context, in *listInput) (*listOutput, error) { return list(ctx, q, clock, in) })
		httpx.Register(api, operation("get-rfm-cells", "/v1/analytics/rfm/cells", "How many customers stand where, by recency and frequency"),
			func(ctx context.Context, in *WindowInput) (*cellsOutput, error) { return countCells(ctx, q, clock, in) })
		httpx.Register(api, operation("get-customer-rfm", "/v1/analytics/rfm/customers/{id}", "Recency, frequency and monetary value of one customer"),
			func(ctx context.Context, in *customerInput) (*customerOutput, error) {
				w, err := in.window(clock)
				if err != nil {
					return nil, err
				}
				rating, population, err := q.Customer(ctx, auth.Tenant(ctx), in.Currency, w, in.ID)
				if err != nil {
					return nil, err
				}
				var out customerOutput
				out.Body.Population, out.Body.Rating = toPopulation(population, w, in.Currency), ratingBody(rating)
				return &out, nil
			})
	}
}

func operation(id, path, summary string) httpx.Operation {
	return httpx.Operation{ID: id, Method: http.MethodGet, Path: path, Summary: summary, Tag: "rfm", Permission: auth.AnalyticsRead}
}

func list(ctx context.Context, q *Queries, clock func() time.Time, in *listInput) (*listOutput, error) {
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
	var out listOutput
	if len(ratings) > in.Limit {
		ratings = ratings[:in.Limit]
		out.Body.NextCursor = httpx.EncodeCursor(ratings[in.Limit-1].CustomerID.String())
	}
	out.Body.Population = toPopulation(population, w, in.Currency)
	out.Body.Items = make([]ratingBody, len(ratings))
	for i, r := range ratings {
		out.Body.Items[i] = ratingBody(r)
	}
	return &out, nil
}

func countCells(ctx context.Context, q *Queries, clock func() time.Time, in *WindowInput) (*cellsOutput, error) {
	w, err := in.window(clock)
	if err != nil {
		return nil, err
	}
	counts, population, err := q.Cells(ctx, auth.Tenant(ctx), in.Currency, w)
	if err != nil {
		return nil, err
	}
	var out cellsOutput
	out.Body.Population = toPopulation(population, w, in.Currency)
	out.Body.Cells = make([]cellBody, len(counts))
	for i, c := range counts {
		out.Body.Cells[i] = cellBody(c)
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

func toPopulation(p Population, w Window, currency string) populationBody {
	return populationBody{
		RatedAt: w.AsOf.Format(time.DateOnly), Currency: currency, Customers: p.Customers, CellMap: CellVersion, AsOf: fact.TimeOrNil(p.AsOf),
	}
}
