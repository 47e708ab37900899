package retention

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
)

// retentionPlan is a plan as the API shows it.
type retentionPlan struct {
	Code    string         `json:"code"`
	Version int64          `json:"version"`
	Terms   retentionTerms `json:"terms"`
}

// retentionTerms are what a plan says.
type retentionTerms Terms

type planAnswer struct {
	ETag string `header:"ETag"`
	Body retentionPlan
}

func answeredPlan(p Plan, err error) (*planAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &planAnswer{ETag: httpx.ETag(p.Version), Body: showPlan(p)}, nil
}

// showPlan leaves no list out: an empty one is one.
func showPlan(p Plan) retentionPlan {
	if p.Offers == nil {
		p.Offers = []Deal{}
	}
	if p.Segments == nil {
		p.Segments = []OfferSegment{}
	}
	if p.Steps == nil {
		p.Steps = []StepPlan{}
	}
	return retentionPlan{p.Code, p.Version, retentionTerms(p.Terms)}
}

type makePlanInput struct{ Body newRetentionPlan }

// newRetentionPlan is what a plan is made of.
type newRetentionPlan struct {
	Code  string         `json:"code" maxLength:"64" doc:"For ever: a-z, 0-9, _ and -." example:"winback"`
	Terms retentionTerms `json:"terms"`
}

type changePlanInput struct {
	Code    string `path:"plan" maxLength:"64"`
	IfMatch string `header:"If-Match" doc:"The ETag of the plan as it was read."`
	Body    retentionTerms
}

type getPlanInput struct {
	Code    string `path:"plan" maxLength:"64"`
	Version int64  `query:"version" minimum:"0" doc:"As it was; left out: as it is."`
}

type listPlansInput struct{ httpx.Page }

type planList struct{ Body retentionPlanPage }

type retentionPlanPage struct {
	Items      []retentionPlan `json:"items" nullable:"false"`
	NextCursor string          `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

func (r *Retention) planRoutes(api *httpx.API) {
	const path = "/v1/retention-plans"
	httpx.Register(api, httpx.Operation{
		ID: "make-retention-plan", Method: http.MethodPost, Path: path, Tag: tag, Summary: "Make a plan by which customers are kept or won back",
		Permission: right, Status: http.StatusCreated, Errors: []int{http.StatusConflict},
	}, func(ctx context.Context, in *makePlanInput) (*planAnswer, error) {
		return answeredPlan(r.MakePlan(ctx, in.Body.Code, Terms(in.Body.Terms)))
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-retention-plans", Method: http.MethodGet, Path: path, Tag: tag, Summary: "List plans in the order of their codes", Permission: auth.RetentionRead,
	}, r.listPlansHTTP)
	httpx.Register(api, httpx.Operation{
		ID: "get-retention-plan", Method: http.MethodGet, Path: path + "/{plan}", Tag: tag, Summary: "Read a plan",
		Permission: auth.RetentionRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *getPlanInput) (*planAnswer, error) {
		return answeredPlan(r.Plan(ctx, in.Code, in.Version))
	})
	httpx.Register(api, httpx.Operation{
		ID: "change-retention-plan", Method: http.MethodPut, Path: path + "/{plan}", Tag: tag, Summary: "Change a plan",
		Description: "Cases that are open keep the terms that they were opened by. Kind and currency stay as they are.",
		Permission:  right, Errors: []int{http.StatusNotFound, http.StatusPreconditionFailed, http.StatusPreconditionRequired},
	}, func(ctx context.Context, in *changePlanInput) (*planAnswer, error) {
		return answeredPlan(r.ChangePlan(ctx, in.Code, Terms(in.Body), func(version int64) error { return httpx.IfMatch(in.IfMatch, version) }))
	})
}

func (r *Retention) listPlansHTTP(ctx context.Context, in *listPlansInput) (*planList, error) {
	parts, err := httpx.DecodeCursor(in.Cursor, 1)
	if err != nil {
		return nil, err
	}
	after := ""
	if parts != nil {
		after = parts[0]
	}
	found, err := r.Plans(ctx, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	page, next := httpx.NextPage(found, in.Limit, func(last Plan) []string { return []string{last.Code} })
	body := retentionPlanPage{Items: make([]retentionPlan, len(page)), NextCursor: next}
	for i, p := range page {
		body.Items[i] = showPlan(p)
	}
	return &planList{body}, nil
}

type reportInput struct {
	Plan string `query:"plan" required:"true" maxLength:"64" doc:"Code of the plan."`
}

type reportAnswer struct{ Body retentionReport }

// retentionReport is a report as the API shows it. Shares are fractions of one, amounts in minor units of the currency.
type retentionReport struct {
	Plan        string             `json:"plan"`
	Currency    string             `json:"currency"`
	Treated     retentionOutcome   `json:"treated"`
	HeldOut     retentionOutcome   `json:"held_out"`
	Enough      bool               `json:"enough_data" doc:"Whether each arm has 30 measured cases, and both together 5 that bought and 5 that did not: otherwise nothing should be concluded."`
	Verdict     string             `json:"verdict" doc:"All of this in words."`
	Uplift      *retentionInterval `json:"uplift,omitempty" doc:"Share that bought of the treated less that of the held-out cases, of all that were assigned and measured. The interval is Newcombe's hybrid score interval."`
	Revenue     *retentionInterval `json:"revenue_difference_minor,omitempty" doc:"Revenue a treated case less revenue a held-out one, of all that were assigned and measured. The interval is Welch's."`
	Incremental *float64           `json:"incremental_revenue_minor,omitempty" doc:"That difference, for all treated cases that were measured."`
	Return      *float64           `json:"return,omitempty" doc:"Incremental revenue less the cost, as a part of the cost; absent where nothing was spent."`
	Other       int64              `json:"orders_in_other_currencies" doc:"In the measured time: they count as purchases, not as revenue."`
}

type retentionOutcome struct {
	Assigned  int64   `json:"assigned" doc:"Cases."`
	Running   int64   `json:"running" doc:"Of them, those whose time is not over; they are not measured yet."`
	Measured  int64   `json:"measured" doc:"The others, whether or not they were reached, were cancelled or ended early."`
	Cancelled int64   `json:"cancelled" doc:"Of the measured ones, as all that follows."`
	Reached   int64   `json:"reached" doc:"Contacted at least once."`
	Offered   int64   `json:"offered"`
	Taken     int64   `json:"taken" doc:"Offers."`
	Retained  int64   `json:"retained" doc:"Bought in time, and did not bring all of it back."`
	Rate      float64 `json:"rate" doc:"retained / measured."`
	Revenue   float64 `json:"revenue_per_case_minor" doc:"Mean over all measured cases, returns taken off."`
	CostMinor int64   `json:"cost_minor" doc:"Of offers that were taken."`
}

type retentionInterval struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low" doc:"With 95 % confidence not less than this"`
	High  float64 `json:"high" doc:"nor more than this."`
}

func showOutcome(o Outcome) retentionOutcome {
	return retentionOutcome{o.Assigned, o.Running, o.Measured, o.Cancelled, o.Reached, o.Offered, o.Taken, o.Retained, o.Rate(), o.Revenue.Mean, o.CostMinor}
}

func showReport(r Report) retentionReport {
	v := retentionReport{Plan: r.Plan, Currency: r.Currency, Treated: showOutcome(r.Treated), HeldOut: showOutcome(r.HeldOut), Enough: r.Enough,
		Verdict: r.Verdict, Return: r.Return, Other: r.OtherCurrencies}
	if r.Compared {
		v.Uplift = &retentionInterval{r.Uplift, r.UpliftIn.Low, r.UpliftIn.High}
	}
	if r.Valued {
		v.Revenue, v.Incremental = &retentionInterval{r.Difference, r.DifferIn.Low, r.DifferIn.High}, &r.Incremental
	}
	return v
}

func (r *Retention) reportRoutes(api *httpx.API) {
	httpx.Register(api, httpx.Operation{
		ID: "get-retention-report", Method: http.MethodGet, Path: "/v1/retention-report", Tag: tag, Summary: "What came of a plan",
		Description: "Over all cases that were assigned to an arm, not only those that were reached.",
		Permission:  auth.RetentionRead, Errors: []int{http.StatusNotFound}, Timeout: 40 * time.Second,
	}, func(ctx context.Context, in *reportInput) (*reportAnswer, error) {
		report, err := r.Report(ctx, in.Plan)
		return &reportAnswer{showReport(report)}, err
	})
}

// carePlan is what members get on occasions, as the API shows it.
type carePlan struct {
	Programme string     `json:"programme"`
	Since     *time.Time `json:"since,omitempty" doc:"Occasions from that day on count; absent while there is no plan."`
	CareTerms
}

type carePlanAnswer struct {
	ETag string `header:"ETag"`
	Body carePlan
}

func answeredCare(p CarePlan, err error) (*carePlanAnswer, error) {
	if err != nil {
		return nil, err
	}
	body := carePlan{Programme: p.Programme, CareTerms: p.CareTerms}
	if p.Version > 0 {
		since := p.Since.UTC()
		body.Since = &since
	}
	return &carePlanAnswer{ETag: httpx.ETag(p.Version), Body: body}, nil
}

type byCareProgramme struct {
	Code string `path:"programme" maxLength:"64"`
}

type setCareInput struct {
	Code    string `path:"programme" maxLength:"64"`
	IfMatch string `header:"If-Match" doc:"The ETag of the plan as it was read."`
	Body    newCarePlan
}

// newCarePlan is what members get on which occasion from now on.
type newCarePlan CareTerms

type careGift struct {
	EntryID  uuid.UUID `json:"entry_id" format:"uuid" doc:"Of the ledger."`
	MemberID uuid.UUID `json:"member_id" format:"uuid"`
	Occasion Occasion  `json:"occasion" enum:"birthday,anniversary,maintenance"`
	About    uuid.UUID `json:"about" format:"uuid" doc:"The installed product; otherwise the member again."`
	DueOn    string    `json:"due_on" format:"date" doc:"The day of the occasion, in the programme's time zone."`
	Points   int64     `json:"points"`
	GivenAt  time.Time `json:"given_at"`
}

type listGifts struct {
	httpx.Page
	MemberID uuid.UUID `query:"member_id" format:"uuid" doc:"Only those of this member."`
}

type giftList struct{ Body careGiftPage }

type careGiftPage struct {
	Items      []careGift `json:"items" nullable:"false"`
	NextCursor string     `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

func (r *Retention) careRoutes(api *httpx.API) {
	const path = "/v1/care-plans/{programme}"
	httpx.Register(api, httpx.Operation{
		ID: "get-care-plan", Method: http.MethodGet, Path: path, Tag: tag, Summary: "Read what members get on which occasion",
		Permission: auth.RetentionRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *byCareProgramme) (*carePlanAnswer, error) {
		return answeredCare(r.Care(ctx, in.Code))
	})
	httpx.Register(api, httpx.Operation{
		ID: "set-care-plan", Method: http.MethodPut, Path: path, Tag: tag, Summary: "Say what members get on which occasion",
		Description: "Each occasion is given once, within a week of its day.", Permission: right,
		Errors: []int{http.StatusNotFound, http.StatusPreconditionFailed, http.StatusPreconditionRequired},
	}, func(ctx context.Context, in *setCareInput) (*carePlanAnswer, error) {
		return answeredCare(r.SetCare(ctx, in.Code, CareTerms(in.Body), func(version int64) error { return httpx.IfMatch(in.IfMatch, version) }))
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-care-gifts", Method: http.MethodGet, Path: "/v1/care-gifts", Tag: tag, Summary: "List what was given on occasions, the latest first",
		Permission: auth.RetentionRead,
	}, func(ctx context.Context, in *listGifts) (*giftList, error) {
		items, next, err := httpx.PageByID(in.Page, func(before uuid.UUID, limit int) ([]Given, error) { return r.GivenTo(ctx, in.MemberID, before, limit) },
			func(g Given) uuid.UUID { return g.ID }, func(g Given) careGift {
				return careGift{g.ID, g.MemberID, g.Occasion, g.About, g.On.Format(time.DateOnly), g.Points, g.At.UTC()}
			})
		return &giftList{careGiftPage{items, next}}, err
	})
}
