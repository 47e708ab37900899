package matrix

import (
	"context"
	"math"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/platform/proportion"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/fact"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/run"
)

const (
	tag  = "matrices"
	path = "/v1/analytics/matrices"
)

type matrixSettingsAnswer struct {
	ETag string `header:"ETag"`
	Body matrixSettingsView
}

type matrixSettingsView struct {
	Version int64 `json:"version" doc:"0: the house's own"`
	MatrixSettingsBody
	ChangedBy string     `json:"changed_by,omitempty" doc:"subject"`
	ChangedAt *time.Time `json:"changed_at,omitempty"`
}

// MatrixSettingsBody says what counts in matrices.
type MatrixSettingsBody struct {
	WithinDays   int          `json:"within_days" minimum:"1" maximum:"3650" doc:"answers that were given so many days ago or fewer count" example:"365"`
	Rules        []matrixRule `json:"rules" nullable:"false" maxItems:"50" doc:"which answers judge the product and which the relationship; where several on the same fit an answer, the first does"`
	Attitude     string       `json:"attitude_question" maxLength:"64" doc:"code of the survey question that sets us against alternatives" example:"relative_attitude"`
	AttitudeFrom float64      `json:"attitude_from" doc:"from which number on the attitude is high" example:"4"`
	Cohort       string       `json:"cohort" enum:"month,quarter,year,all" doc:"whose repeat purchases are compared: of customers with the first net purchase in the same stretch of time"`
}

type matrixRule struct {
	About      string  `json:"about" enum:"product,relationship"`
	Kind       string  `json:"kind" enum:"csat,nps,ces,questionnaire" doc:"of the survey"`
	Touchpoint string  `json:"touchpoint,omitempty" maxLength:"64" doc:"left out: any"`
	Question   string  `json:"question,omitempty" maxLength:"64" doc:"code of the question; left out: the survey's score"`
	From       float64 `json:"satisfied_from" doc:"from which number on whoever gave the answer is satisfied" example:"4"`
}

type setMatrixSettingsInput struct {
	IfMatch string `header:"If-Match" doc:"the ETag of the settings as they were read"`
	Body    MatrixSettingsBody
}

func showSettings(s Settings, err error) (*matrixSettingsAnswer, error) {
	if err != nil {
		return nil, err
	}
	v := matrixSettingsView{
		Version: s.Version, ChangedBy: s.By, ChangedAt: pg.OrNull(s.ChangedAt),
		MatrixSettingsBody: MatrixSettingsBody{WithinDays: s.WithinDays, Rules: []matrixRule{}, Attitude: s.Attitude, AttitudeFrom: s.AttitudeFrom, Cohort: string(s.Cohort)},
	}
	for _, r := range s.Rules {
		v.Rules = append(v.Rules, matrixRule{string(r.About), r.Kind, r.Touchpoint, r.Question, r.From})
	}
	return &matrixSettingsAnswer{httpx.ETag(s.Version), v}, nil
}

func (b MatrixSettingsBody) settings() Settings {
	s := Settings{WithinDays: b.WithinDays, Attitude: b.Attitude, AttitudeFrom: b.AttitudeFrom, Cohort: Cohort(b.Cohort)}
	for _, r := range b.Rules {
		s.Rules = append(s.Rules, Rule{About(r.About), r.Kind, r.Touchpoint, r.Question, r.From})
	}
	return s
}

// MatrixShare is how many of those who were asked stand in a cell.
type MatrixShare struct {
	Name      string  `json:"name"`
	Customers int64   `json:"customers"`
	Share     float64 `json:"share" doc:"of those who stand in a cell; 0 where nobody does"`
	ShareLow  float64 `json:"share_low" doc:"bounds of its 95 % interval (Wilson): those who answered are a sample of all"`
	ShareHigh float64 `json:"share_high"`
}

func toShare(name string, customers, known int64) MatrixShare {
	s := MatrixShare{Name: name, Customers: customers}
	if known > 0 {
		v := proportion.Wilson(int(customers), int(known))
		s.Share, s.ShareLow, s.ShareHigh = rounded(v.Value), rounded(v.Low), rounded(v.High)
	}
	return s
}

// rounded leaves four decimals.
func rounded(f float64) float64 { return math.Round(f*1e4) / 1e4 }

// sides are the names of high and low.
func side(high bool) string {
	if high {
		return "high"
	}
	return "low"
}

// MatrixDay is the day up to and including which answers count.
type MatrixDay struct {
	AsOf string `query:"as_of" format:"date" doc:"UTC day up to and including which answers count; today when left out"`
}

func (in MatrixDay) day(clock func() time.Time) (time.Time, error) {
	if in.AsOf == "" {
		return run.Today(clock), nil
	}
	day, err := time.Parse(time.DateOnly, in.AsOf)
	if err != nil {
		return day, badDay("as_of")
	}
	return day, nil
}

func badDay(parameter string) error {
	return problem.New(problem.Unprocessable, "invalid", "Mend the query.").WithField("query."+parameter, "date", "is not a date of the form 2006-01-02")
}

type satisfiedAnswer struct {
	Body struct {
		Enough              bool            `json:"enough" doc:"whether there is enough to answer"`
		Why                 string          `json:"why,omitempty" enum:"no_answers" doc:"why there is not"`
		AsOf                string          `json:"as_of" format:"date"`
		FactsAsOf           *time.Time      `json:"facts_as_of" doc:"time of the newest event in these numbers; null when there was none"`
		Settings            int64           `json:"settings" doc:"version; 0: the house's own"`
		Customers           int64           `json:"customers" doc:"all that there are"`
		Known               int64           `json:"known" doc:"sample size: those who stand in a cell"`
		UnknownProduct      int64           `json:"unknown_product" doc:"no answer on the product, but one on the relationship"`
		UnknownRelationship int64           `json:"unknown_relationship" doc:"no answer on the relationship, but one on the product"`
		UnknownBoth         int64           `json:"unknown_both"`
		Cells               []satisfiedCell `json:"cells" nullable:"false"`
	}
}

type satisfiedCell struct {
	Product      string `json:"product" enum:"high,low" doc:"high: satisfied"`
	Relationship string `json:"relationship" enum:"high,low" doc:"high: satisfied"`
	MatrixShare
}

type satisfiedCustomersInput struct {
	httpx.Page
	MatrixDay
	Product      string `query:"product" required:"true" enum:"high,low"`
	Relationship string `query:"relationship" required:"true" enum:"high,low"`
}

type loyaltyAnswer struct {
	Body struct {
		Enough     bool           `json:"enough" doc:"whether there is enough to answer"`
		Why        string         `json:"why,omitempty" enum:"no_answers,no_purchases" doc:"why there is not"`
		AsOf       string         `json:"as_of" format:"date"`
		FactsAsOf  *time.Time     `json:"facts_as_of" doc:"time of the newest event in these numbers; null when there was none"`
		Settings   int64          `json:"settings" doc:"version; 0: the house's own"`
		Buyers     int64          `json:"buyers" doc:"customers with a net purchase"`
		Known      int64          `json:"known" doc:"sample size: those of them whose attitude is known"`
		Unknown    int64          `json:"unknown" doc:"those of them whose attitude is not known"`
		NoPurchase int64          `json:"no_purchase" doc:"customers without a net purchase: they stand in no cell"`
		Cells      []loyaltyCell  `json:"cells" nullable:"false"`
		Cohorts    []cohortMedian `json:"cohorts" nullable:"false"`
	}
}

type loyaltyCell struct {
	Attitude string `json:"attitude" enum:"high,low"`
	Repeat   string `json:"repeat" enum:"high,low" doc:"high: at the median of the cohort, or above"`
	MatrixShare
}

type cohortMedian struct {
	From      string  `json:"from,omitempty" format:"date" doc:"first day of the stretch of first purchases; absent where all are one cohort"`
	Customers int64   `json:"customers"`
	Median    float64 `json:"median_repeats" doc:"purchase days after the first"`
}

type loyaltyCustomersInput struct {
	httpx.Page
	Attitude string `query:"attitude" required:"true" enum:"high,low"`
	Repeat   string `query:"repeat" required:"true" enum:"high,low"`
}

type matrixCustomersAnswer struct{ Body matrixCustomersPage }

type matrixCustomersPage struct {
	Items      []matrixCustomer `json:"items" nullable:"false"`
	NextCursor string           `json:"next_cursor,omitempty"`
}

type matrixCustomer struct {
	CustomerID uuid.UUID `json:"customer_id" format:"uuid" doc:"of merged customers, the one who stands for all"`
}

func page(in httpx.Page, rows func(after uuid.UUID, limit int) ([]uuid.UUID, error)) (*matrixCustomersAnswer, error) {
	items, next, err := httpx.PageByID(in, rows, func(id uuid.UUID) uuid.UUID { return id }, func(id uuid.UUID) matrixCustomer { return matrixCustomer{id} })
	return &matrixCustomersAnswer{matrixCustomersPage{items, next}}, err
}

func read(id, path, summary string) httpx.Operation {
	return httpx.Operation{ID: id, Method: http.MethodGet, Path: path, Summary: summary, Tag: tag, Permission: auth.AnalyticsRead, Errors: []int{http.StatusUnprocessableEntity}}
}

// Routes adds the operations on matrices.
func (m *Matrices) Routes(api *httpx.API) {
	httpx.Register(api, read("get-matrix-settings", path+"/settings", "Read what counts in matrices"),
		func(ctx context.Context, _ *struct{}) (*matrixSettingsAnswer, error) {
			return showSettings(m.Settings(ctx))
		})
	httpx.Register(api, httpx.Operation{
		ID: "set-matrix-settings", Method: http.MethodPut, Path: path + "/settings", Summary: "Say what counts in matrices", Tag: tag, Permission: auth.AnalyticsManage,
	}, func(ctx context.Context, in *setMatrixSettingsInput) (*matrixSettingsAnswer, error) {
		return showSettings(m.Set(ctx, in.Body.settings(), in.IfMatch))
	})
	httpx.Register(api, read("get-satisfaction-matrix", path+"/satisfaction", "Satisfaction with the product by satisfaction with the relationship"),
		func(ctx context.Context, in *MatrixDay) (*satisfiedAnswer, error) {
			day, err := in.day(m.clock)
			if err != nil {
				return nil, err
			}
			s, err := m.Satisfaction(ctx, day)
			if err != nil {
				return nil, err
			}
			return showSatisfaction(s, day), nil
		})
	httpx.Register(api, read("list-satisfaction-matrix-customers", path+"/satisfaction/customers", "List the customers of a cell of satisfaction"),
		func(ctx context.Context, in *satisfiedCustomersInput) (*matrixCustomersAnswer, error) {
			day, err := in.day(m.clock)
			if err != nil {
				return nil, err
			}
			return page(in.Page, func(after uuid.UUID, limit int) ([]uuid.UUID, error) {
				return m.SatisfiedCustomers(ctx, day, in.Product == "high", in.Relationship == "high", after, limit)
			})
		})
	httpx.Register(api, read("get-loyalty-matrix", path+"/loyalty", "Attitude against alternatives by repeat purchase"),
		func(ctx context.Context, _ *struct{}) (*loyaltyAnswer, error) {
			today := run.Today(m.clock)
			l, err := m.Loyalty(ctx, today)
			if err != nil {
				return nil, err
			}
			return showLoyalty(l, today), nil
		})
	httpx.Register(api, read("list-loyalty-matrix-customers", path+"/loyalty/customers", "List the customers of a cell of attitude and repeat purchase"),
		func(ctx context.Context, in *loyaltyCustomersInput) (*matrixCustomersAnswer, error) {
			return page(in.Page, func(after uuid.UUID, limit int) ([]uuid.UUID, error) {
				return m.LoyalCustomers(ctx, run.Today(m.clock), in.Attitude == "high", in.Repeat == "high", after, limit)
			})
		})
	m.growthRoutes(api)
}

func showSatisfaction(s Satisfaction, day time.Time) *satisfiedAnswer {
	var out satisfiedAnswer
	b := &out.Body
	if b.Enough = s.Known > 0; !b.Enough {
		b.Why = "no_answers"
	}
	b.AsOf, b.FactsAsOf, b.Settings = day.Format(time.DateOnly), fact.TimeOrNil(s.FactsAsOf), s.Settings.Version
	b.Customers, b.Known, b.UnknownProduct, b.UnknownRelationship, b.UnknownBoth = s.Customers, s.Known, s.UnknownProduct, s.UnknownRelationship, s.UnknownBoth
	for _, c := range s.Cells {
		b.Cells = append(b.Cells, satisfiedCell{side(c.First), side(c.Second), toShare(Satisfied(c.First, c.Second), c.Customers, s.Known)})
	}
	return &out
}

func showLoyalty(l Loyalty, day time.Time) *loyaltyAnswer {
	var out loyaltyAnswer
	b := &out.Body
	b.Enough = l.Known > 0
	switch {
	case l.Buyers == 0:
		b.Why = "no_purchases"
	case !b.Enough:
		b.Why = "no_answers"
	}
	b.AsOf, b.FactsAsOf, b.Settings = day.Format(time.DateOnly), fact.TimeOrNil(l.FactsAsOf), l.Settings.Version
	b.Buyers, b.Known, b.Unknown, b.NoPurchase = l.Buyers, l.Known, l.Unknown, l.NoPurchase
	for _, c := range l.Cells {
		b.Cells = append(b.Cells, loyaltyCell{side(c.First), side(c.Second), toShare(Loyal(c.First, c.Second), c.Customers, l.Known)})
	}
	b.Cohorts = make([]cohortMedian, len(l.Cohorts))
	for i, c := range l.Cohorts {
		b.Cohorts[i] = cohortMedian{Customers: c.Customers, Median: c.Median}
		if c.First.Year() > 1 {
			b.Cohorts[i].From = c.First.Format(time.DateOnly)
		}
	}
	return &out
}
