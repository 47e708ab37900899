package grade

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

type potentialAnswer struct {
	ETag string `header:"ETag"`
	Body potentialView
}

type potentialView struct {
	Version int64 `json:"version" doc:"0: the house's own"`
	PotentialBody
	ChangedBy string     `json:"changed_by,omitempty" doc:"subject"`
	ChangedAt *time.Time `json:"changed_at,omitempty"`
}

// PotentialBody is how current and potential value are set against each other. Amounts are minor units of the reporting currency.
type PotentialBody struct {
	Source         string          `json:"source" enum:"predicted,wallet,either" doc:"predicted: the value to come by the model in use; wallet: what the customer buys elsewhere, at the margin of what it buys here, by the share of its wallet that it stated within a year; either: wallet where it is stated, else predicted"`
	WalletQuestion string          `json:"wallet_question,omitempty" maxLength:"40" doc:"code of the survey question whose answer is the share of wallet, in percent above 0" example:"share_of_wallet"`
	CurrentMinor   *int64          `json:"current_minor,omitempty" doc:"from which contribution on the current value is high; left out: from the median on"`
	PotentialMinor *int64          `json:"potential_minor,omitempty" doc:"from where on the potential value is high; left out: from the median on"`
	Cells          []PotentialCell `json:"cells" nullable:"false" maxItems:"4" doc:"all four"`
}

// PotentialCell is one of the four cells.
type PotentialCell struct {
	Current   string `json:"current" enum:"high,low"`
	Potential string `json:"potential" enum:"high,low"`
	Code      string `json:"code" example:"develop"`
	Effort    string `json:"effort,omitempty" maxLength:"500" doc:"what is done to keep those who stand here, in words for the house" example:"Call before the season"`
	Budget    string `json:"budget,omitempty" maxLength:"40" doc:"code of the budget that it is paid from" example:"retention-2"`
}

func toPotential(v Potential) PotentialBody {
	b := PotentialBody{Source: string(v.Source), WalletQuestion: v.WalletQuestion, CurrentMinor: v.CurrentMinor, PotentialMinor: v.PotentialMinor}
	for _, c := range v.Cells {
		b.Cells = append(b.Cells, toCell(c))
	}
	return b
}

func toCell(c Cell) PotentialCell {
	return PotentialCell{string(c.Current), string(c.Potential), c.Code, c.Effort, c.Budget}
}

func showPotential(v Potential, err error) (*potentialAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &potentialAnswer{httpx.ETag(v.Version), potentialView{v.Version, toPotential(v), v.By, pg.OrNull(v.ChangedAt)}}, nil
}

type setPotentialInput struct {
	IfMatch string `header:"If-Match" doc:"the ETag of the settings as they were read"`
	Body    PotentialBody
}

type potentialMatrixAnswer struct {
	Body struct {
		Enough     bool           `json:"enough" doc:"whether there is enough to answer"`
		Why        string         `json:"why,omitempty" enum:"no_run,no_purchases,no_potential" doc:"why there is not"`
		Currency   string         `json:"currency,omitempty"`
		AsOf       string         `json:"as_of,omitempty" format:"date" doc:"day of the run that current values are from"`
		Settings   int64          `json:"settings" doc:"version; 0: the house's own"`
		Customers  int64          `json:"customers" doc:"that were graded"`
		Unknown    int64          `json:"unknown" doc:"of them, those whose potential value is not known: they stand in no cell"`
		Thresholds thresholdsView `json:"thresholds"`
		Cells      []quarterView  `json:"cells" nullable:"false"`
	}
}

type thresholdsView struct {
	CurrentMinor   int64  `json:"current_minor" doc:"from here on the current value is high"`
	CurrentFrom    string `json:"current_from" enum:"set,median"`
	PotentialMinor int64  `json:"potential_minor" doc:"from here on the potential value is high"`
	PotentialFrom  string `json:"potential_from" enum:"set,median"`
}

type quarterView struct {
	PotentialCell
	Customers      int64 `json:"customers"`
	CurrentMinor   int64 `json:"current_minor" doc:"sum of contributions"`
	PotentialMinor int64 `json:"potential_minor" doc:"sum of potential values"`
}

type potentialCustomersInput struct {
	httpx.Page
	Current   string `query:"current" required:"true" enum:"high,low"`
	Potential string `query:"potential" required:"true" enum:"high,low"`
}

type potentialCustomersAnswer struct{ Body potentialCustomersPage }

type potentialCustomersPage struct {
	Items      []valuedView `json:"items" nullable:"false"`
	NextCursor string       `json:"next_cursor,omitempty"`
}

type valuedView struct {
	CustomerID     uuid.UUID `json:"customer_id" format:"uuid"`
	CurrentMinor   int64     `json:"current_minor"`
	PotentialMinor int64     `json:"potential_minor"`
}

func (p *Pyramid) potentialRoutes(api *httpx.API) {
	const path = "/v1/analytics/value-potential"
	httpx.Register(api, read("get-value-potential-settings", path+"/settings", "Read how current and potential value are set against each other"),
		func(ctx context.Context, _ *struct{}) (*potentialAnswer, error) {
			return showPotential(p.Potential(ctx))
		})
	httpx.Register(api, httpx.Operation{
		ID: "set-value-potential-settings", Method: http.MethodPut, Path: path + "/settings", Tag: tag, Permission: auth.AnalyticsManage,
		Summary: "Say how current and potential value are set against each other, and what is done about each cell",
	}, func(ctx context.Context, in *setPotentialInput) (*potentialAnswer, error) {
		b := in.Body
		cells := make([]Cell, len(b.Cells))
		for i, c := range b.Cells {
			cells[i] = Cell{Level(c.Current), Level(c.Potential), c.Code, c.Effort, c.Budget}
		}
		v := Potential{Source: Source(b.Source), WalletQuestion: b.WalletQuestion, CurrentMinor: b.CurrentMinor, PotentialMinor: b.PotentialMinor}
		return showPotential(p.SetPotential(ctx, v, cells, in.IfMatch))
	})
	httpx.Register(api, read("get-value-potential", path, "Current against potential value: how many customers stand in each cell"),
		func(ctx context.Context, _ *struct{}) (*potentialMatrixAnswer, error) {
			m, err := p.Matrix(ctx)
			if err != nil {
				return nil, err
			}
			return showMatrix(m), nil
		})
	httpx.Register(api, read("list-value-potential-customers", path+"/customers", "List the customers of a cell of current and potential value"),
		func(ctx context.Context, in *potentialCustomersInput) (*potentialCustomersAnswer, error) {
			items, next, err := httpx.PageByID(in.Page, func(after uuid.UUID, limit int) ([]Valued, error) {
				return p.MatrixCustomers(ctx, Level(in.Current), Level(in.Potential), after, limit)
			}, func(v Valued) uuid.UUID { return v.CustomerID }, func(v Valued) valuedView { return valuedView(v) })
			return &potentialCustomersAnswer{potentialCustomersPage{items, next}}, err
		})
}

func showMatrix(m Matrix) *potentialMatrixAnswer {
	var out potentialMatrixAnswer
	from := func(set *int64) string {
		if set != nil {
			return "set"
		}
		return "median"
	}
	b := &out.Body
	b.Enough, b.Why, b.Currency, b.Settings, b.Customers, b.Unknown = m.Enough, m.Why, m.Currency, m.Settings.Version, m.Graded, m.Unknown
	if !m.AsOf.IsZero() {
		b.AsOf = m.AsOf.Format(time.DateOnly)
	}
	b.Thresholds = thresholdsView{m.CurrentMinor, from(m.Settings.CurrentMinor), m.PotentialMinor, from(m.Settings.PotentialMinor)}
	b.Cells = make([]quarterView, len(m.Quarters))
	for i, q := range m.Quarters {
		b.Cells[i] = quarterView{toCell(q.Cell), q.Customers, q.CurrentMinor, q.PotentialMinor}
	}
	return &out
}
