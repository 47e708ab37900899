package grade

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

type pyramidInput struct {
	RunID string `query:"run_id" format:"uuid" doc:"an earlier run; left out: the last one of a present day"`
}

type pyramidAnswer struct{ Body pyramidView }

type pyramidView struct {
	Enough bool              `json:"enough" doc:"whether there is enough to answer"`
	Why    string            `json:"why,omitempty" enum:"no_run,no_purchases" doc:"why there is not"`
	Run    *gradeRunView     `json:"run,omitempty"`
	Grades []gradeTotalsView `json:"grades" nullable:"false" doc:"the highest first"`
}

// GradeAccount is what customers brought and cost, in minor units of the reporting currency.
type GradeAccount struct {
	NetMinor          int64 `json:"net_minor" doc:"bought less came back"`
	MarginMinor       int64 `json:"margin_minor" doc:"of it, rounded half away from zero once a customer"`
	TicketsMinor      int64 `json:"tickets_minor" doc:"cost of tickets"`
	ComplaintsMinor   int64 `json:"complaints_minor" doc:"cost of complaints, with their remedies"`
	TouchesMinor      int64 `json:"touches_minor" doc:"cost of campaigns and surveys"`
	InteractionsMinor int64 `json:"interactions_minor" doc:"cost of interactions"`
	ContributionMinor int64 `json:"contribution_minor" doc:"the margin less the four"`
}

type gradeTotalsView struct {
	Grade     string  `json:"grade"`
	Share     float64 `json:"share_percent" doc:"that was set"`
	Least     *int64  `json:"least_minor,omitempty" doc:"the contribution with which the grade begins; absent of the last"`
	Customers int64   `json:"customers"`
	GradeAccount
}

type gradeCustomersInput struct {
	httpx.Page
	Grade string `query:"grade" maxLength:"40" doc:"only of this grade"`
}

type gradeCustomersAnswer struct{ Body gradeCustomersPage }

type gradeCustomersPage struct {
	Items      []gradedView `json:"items" nullable:"false"`
	NextCursor string       `json:"next_cursor,omitempty"`
}

type gradedView struct {
	CustomerID uuid.UUID `json:"customer_id" format:"uuid" doc:"of merged customers, the one who stands for all"`
	Grade      string    `json:"grade"`
	GradeAccount
}

func toGraded(g Graded) gradedView { return gradedView{g.CustomerID, g.Grade, GradeAccount(g.Account)} }

type gradedPath struct {
	ID uuid.UUID `path:"id" format:"uuid"`
}

type gradedAnswer struct {
	Body struct {
		CustomerID uuid.UUID   `json:"customer_id" format:"uuid" doc:"of merged customers, the one who stands for all"`
		Last       *gradedView `json:"last,omitempty" doc:"by the last run; absent: not in the pyramid"`
		Moves      []movedView `json:"moves" nullable:"false" doc:"the latest first, at most 200"`
	}
}

type movedView struct {
	AsOf string `json:"as_of" format:"date"`
	From string `json:"from_grade" doc:"empty: none"`
	To   string `json:"grade" doc:"empty: none"`
}

// GradeDays are the two days that stands are compared of.
type GradeDays struct {
	From string `query:"from" required:"true" format:"date" doc:"UTC day"`
	To   string `query:"to" required:"true" format:"date" doc:"UTC day, not before from"`
}

type gradeMovesAnswer struct {
	Body struct {
		From  string         `json:"from" format:"date"`
		To    string         `json:"to" format:"date"`
		Moves []gradeFlowRow `json:"moves" nullable:"false" doc:"pairs of grades that have customers, those who stayed included"`
	}
}

type gradeFlowRow struct {
	From      string `json:"from_grade" doc:"empty: none"`
	To        string `json:"grade" doc:"empty: none"`
	Customers int64  `json:"customers"`
}

type gradeMoversInput struct {
	httpx.Page
	GradeDays
	FromGrade string `query:"from_grade" maxLength:"40" doc:"left out: those who were in none"`
	Grade     string `query:"grade" maxLength:"40" doc:"left out: those who are in none"`
}

type gradeMoversAnswer struct{ Body gradeMoversPage }

type gradeMoversPage struct {
	Items      []gradeMover `json:"items" nullable:"false"`
	NextCursor string       `json:"next_cursor,omitempty"`
}

type gradeMover struct {
	CustomerID uuid.UUID `json:"customer_id" format:"uuid"`
}

func (in GradeDays) days() (from, to time.Time, err error) {
	invalid := problem.New(problem.Unprocessable, "invalid", "Mend the query.")
	if from, err = time.Parse(time.DateOnly, in.From); err != nil {
		return from, to, invalid.WithField("query.from", "date", "is not a date of the form 2006-01-02")
	}
	if to, err = time.Parse(time.DateOnly, in.To); err != nil {
		return from, to, invalid.WithField("query.to", "date", "is not a date of the form 2006-01-02")
	}
	if to.Before(from) {
		return from, to, invalid.WithField("query.to", "out_of_range", "lies before from")
	}
	return from, to, nil
}

func (p *Pyramid) resultRoutes(api *httpx.API) {
	httpx.Register(api, read("get-grades", "/v1/analytics/grades", "The customer pyramid: how many stand in each grade, what they bring and what they cost", http.StatusNotFound), p.resultHTTP)
	httpx.Register(api, read("list-graded-customers", "/v1/analytics/grades/customers", "List customers with their grades by the last run", http.StatusNotFound),
		func(ctx context.Context, in *gradeCustomersInput) (*gradeCustomersAnswer, error) {
			items, next, err := httpx.PageByID(in.Page, func(after uuid.UUID, limit int) ([]Graded, error) { return p.Customers(ctx, in.Grade, after, limit) },
				func(g Graded) uuid.UUID { return g.CustomerID }, toGraded)
			return &gradeCustomersAnswer{gradeCustomersPage{items, next}}, err
		})
	httpx.Register(api, read("get-graded-customer", "/v1/analytics/grades/customers/{id}", "Read the grade of a customer and how it came there", http.StatusNotFound, http.StatusGone),
		func(ctx context.Context, in *gradedPath) (*gradedAnswer, error) {
			root, g, way, err := p.Customer(ctx, in.ID)
			if err != nil {
				return nil, err
			}
			var out gradedAnswer
			out.Body.CustomerID, out.Body.Moves = root, make([]movedView, len(way))
			if g != nil {
				v := toGraded(*g)
				out.Body.Last = &v
			}
			for i, m := range way {
				out.Body.Moves[i] = movedView{m.AsOf.Format(time.DateOnly), m.From, m.To}
			}
			return &out, nil
		})
	httpx.Register(api, read("get-grade-moves", "/v1/analytics/grades/moves", "How many customers moved from which grade to which between two days"),
		func(ctx context.Context, in *GradeDays) (*gradeMovesAnswer, error) {
			from, to, err := in.days()
			if err != nil {
				return nil, err
			}
			moves, err := p.Moves(ctx, from, to)
			if err != nil {
				return nil, err
			}
			var out gradeMovesAnswer
			out.Body.From, out.Body.To, out.Body.Moves = in.From, in.To, make([]gradeFlowRow, len(moves))
			for i, m := range moves {
				out.Body.Moves[i] = gradeFlowRow(m)
			}
			return &out, nil
		})
	httpx.Register(api, read("list-grade-movers", "/v1/analytics/grades/moves/customers", "List the customers who moved from one grade to another between two days"),
		func(ctx context.Context, in *gradeMoversInput) (*gradeMoversAnswer, error) {
			from, to, err := in.days()
			if err != nil {
				return nil, err
			}
			items, next, err := httpx.PageByID(in.Page, func(after uuid.UUID, limit int) ([]uuid.UUID, error) {
				return p.MovedCustomers(ctx, from, to, in.FromGrade, in.Grade, after, limit)
			}, func(id uuid.UUID) uuid.UUID { return id }, func(id uuid.UUID) gradeMover { return gradeMover{id} })
			return &gradeMoversAnswer{gradeMoversPage{items, next}}, err
		})
}

func (p *Pyramid) resultHTTP(ctx context.Context, in *pyramidInput) (*pyramidAnswer, error) {
	id := uuid.Nil
	if in.RunID != "" {
		var err error
		if id, err = uuid.Parse(in.RunID); err != nil {
			return nil, problem.New(problem.Unprocessable, "invalid", "Mend the query.").WithField("query.run_id", "uuid", "is not an id")
		}
	}
	r, err := p.Result(ctx, id)
	if err != nil {
		return nil, err
	}
	out := pyramidAnswer{pyramidView{Enough: r.Enough, Why: r.Why, Grades: make([]gradeTotalsView, len(r.Totals))}}
	if r.Why != noRun {
		v := toRun(r.Running)
		out.Body.Run = &v
	}
	for i, t := range r.Totals {
		out.Body.Grades[i] = gradeTotalsView{t.Grade, float64(t.Share) / 100, t.Least, t.Customers, GradeAccount(t.Account)}
	}
	return &out, nil
}
