package retention

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

const tag = "Retention"

// retentionView is a case as the API shows it.
type retentionView struct {
	CaseID      uuid.UUID       `json:"case_id" format:"uuid"`
	CustomerID  uuid.UUID       `json:"customer_id" format:"uuid" doc:"Whom the customer's ids meant when it was opened."`
	Plan        string          `json:"plan" doc:"Code of the plan that it was opened by."`
	PlanVersion int64           `json:"plan_version" doc:"By whose terms it is led."`
	Kind        Kind            `json:"kind" enum:"care,win_back"`
	Trigger     Trigger         `json:"trigger" enum:"churn_risk,tier_falling,silence,manual"`
	Stage       Stage           `json:"stage" enum:"open,paused,retained,lost,cancelled"`
	Arm         Arm             `json:"arm" enum:"treated,held_out" doc:"Of a customer who is held out nothing is done, so that what is done to others can be measured."`
	Bucket      int             `json:"bucket" doc:"0 to 999: the place that the hash gave the customer in the plan. Below the plan's share the customer is held out."`
	LossKind    LossKind        `json:"loss_kind,omitempty" enum:"natural,competitive,our_fault,fraudulent,let_go"`
	Reason      Reason          `json:"reason" enum:"price,product,service,competitor,moved,unknown"`
	ValueBand   Band            `json:"value_band" enum:"high,medium,low"`
	ValueMinor  int64           `json:"value_minor" doc:"Bought in the year before the opening, returns taken off, in minor units."`
	Currency    string          `json:"currency" doc:"ISO 4217, of all amounts."`
	OpenedAt    time.Time       `json:"opened_at"`
	EndsAt      time.Time       `json:"ends_at" doc:"A purchase until then counts."`
	DueAt       *time.Time      `json:"due_at,omitempty" doc:"When something happens by itself."`
	BoughtAt    *time.Time      `json:"bought_at,omitempty" doc:"The first purchase since the opening."`
	OrderID     *uuid.UUID      `json:"order_id,omitempty" format:"uuid"`
	Offer       *retentionOffer `json:"offer,omitempty" doc:"Absent where none was made."`
	Contacts    int             `json:"contacts" doc:"That were allowed and handed on."`
	Revenue     int64           `json:"revenue_minor" doc:"Bought since the opening by the end of the case, returns taken off. The report counts the whole time."`
	CostMinor   int64           `json:"cost_minor" doc:"Of the offer that was taken."`
	Code        string          `json:"code,omitempty" doc:"Why it was cancelled." example:"customer_erased"`
	ClosedAt    *time.Time      `json:"closed_at,omitempty"`
	Steps       []retentionStep `json:"steps" nullable:"false" doc:"What happened, in that order."`
	Next        []retentionNext `json:"next" nullable:"false" doc:"What may be decided now."`
	Version     int64           `json:"version" doc:"Rises with every change."`
}

type retentionOffer struct {
	Offer     string     `json:"offer" doc:"Code in the plan."`
	State     OfferState `json:"state" enum:"made,taken,refused" doc:"refused: it was taken, but its points could not be given; the step says why."`
	Points    int64      `json:"points"`
	CostMinor int64      `json:"cost_minor"`
	ExpiresAt time.Time  `json:"expires_at" doc:"Until when it can be taken: by a purchase, or by accept."`
	EntryID   *uuid.UUID `json:"entry_id,omitempty" format:"uuid" doc:"The ledger's entry by which its points were given."`
}

type retentionStep struct {
	Action     Action     `json:"action" doc:"What happened: a decision, or open, contact, skip, offer, buy, take, end."`
	Step       StepKind   `json:"step,omitempty" enum:"contact,offer,reminder,survey" doc:"The step of the plan."`
	Code       string     `json:"code,omitempty" doc:"What was decided, or why a step was skipped." example:"no_consent"`
	Channel    string     `json:"channel,omitempty"`
	ContactID  *uuid.UUID `json:"contact_id,omitempty" format:"uuid" doc:"In accounts' log."`
	DecisionID *uuid.UUID `json:"decision_id,omitempty" format:"uuid" doc:"Absent for what was done by itself."`
	By         string     `json:"by" doc:"Subject."`
	At         time.Time  `json:"at"`
	Words      string     `json:"words,omitempty" doc:"What was said with it."`
}

type retentionNext struct {
	Action     Action          `json:"action" doc:"POST /v1/retention-cases/{case_id}/<action> decides it."`
	Permission auth.Permission `json:"permission" doc:"What a role has to allow."`
}

func show(t Told) retentionView {
	v := retentionView{
		CaseID: t.ID, CustomerID: t.CustomerID, Plan: t.Plan, PlanVersion: t.PlanVersion, Kind: t.Kind, Trigger: t.Trigger, Stage: t.Stage, Arm: t.Arm,
		Bucket: t.Bucket, LossKind: t.LossKind, Reason: t.Reason, ValueBand: t.Band, ValueMinor: t.ValueMinor, Currency: t.Currency, OpenedAt: t.OpenedAt,
		EndsAt: t.EndsAt, DueAt: pg.OrNull(t.DueAt()), BoughtAt: pg.OrNull(t.BoughtAt), OrderID: pg.OrNull(t.OrderID), Contacts: t.Contacts,
		Revenue: t.Revenue, CostMinor: t.CostMinor, Code: t.Code, ClosedAt: pg.OrNull(t.ClosedAt), Steps: make([]retentionStep, len(t.Steps)),
		Next: []retentionNext{}, Version: t.Version,
	}
	if o := t.Offer; o.State != "" {
		v.Offer = &retentionOffer{o.Offer, o.State, o.Points, o.CostMinor, o.ExpiresAt, pg.OrNull(o.EntryID)}
	}
	for i, s := range t.Steps {
		v.Steps[i] = retentionStep{Action: s.Action, Step: s.Step, Code: s.Code, Channel: s.Channel, ContactID: pg.OrNull(s.ContactID),
			DecisionID: pg.OrNull(s.DecisionID), By: s.By, At: s.At, Words: t.notes[s.NoteID]}
	}
	for _, a := range t.NextActions() {
		v.Next = append(v.Next, retentionNext{a, right})
	}
	return v
}

type retentionAnswer struct{ Body retentionView }

func answered(t Told, err error) (*retentionAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &retentionAnswer{show(t)}, nil
}

type byCase struct {
	ID uuid.UUID `path:"case_id" format:"uuid"`
}

type listCases struct {
	httpx.Page
	Stage      Stage     `query:"stage" enum:"open,paused,retained,lost,cancelled" doc:"Only those in this stage."`
	Kind       Kind      `query:"kind" enum:"care,win_back" doc:"Only those of this kind."`
	Arm        Arm       `query:"arm" enum:"treated,held_out" doc:"Only those of this arm."`
	Trigger    Trigger   `query:"trigger" enum:"churn_risk,tier_falling,silence,manual" doc:"Only those that this opened."`
	ValueBand  Band      `query:"value_band" enum:"high,medium,low" doc:"Only those of customers of this value."`
	Plan       string    `query:"plan" maxLength:"64" doc:"Only those of this plan."`
	CustomerID uuid.UUID `query:"customer_id" format:"uuid" doc:"Only those of whom this id means."`
}

type caseList struct{ Body retentionPage }

type retentionPage struct {
	Items      []retentionView `json:"items" nullable:"false"`
	NextCursor string          `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

type openInput struct{ Body newRetentionCase }

// newRetentionCase is what a person opens a case by.
type newRetentionCase struct {
	CustomerID uuid.UUID `json:"customer_id" format:"uuid"`
	Plan       string    `json:"plan" maxLength:"64" doc:"Code of the plan." example:"winback"`
	LossKind   LossKind  `json:"loss_kind,omitempty" enum:"natural,competitive,our_fault,fraudulent,let_go" doc:"Who is fraudulent or was let go is refused."`
	Reason     Reason    `json:"reason,omitempty" enum:"price,product,service,competitor,moved,unknown" doc:"Left out: unknown."`
	Words      string    `json:"words,omitempty" maxLength:"20000" doc:"Why. It goes into no event."`
}

// retentionScan is what a look through all customers came to.
type retentionScan struct {
	Looked int64 `json:"looked" doc:"Customers, members and installed products that were looked at."`
	Opened int64 `json:"opened" doc:"Cases that were opened."`
	Given  int64 `json:"given" doc:"Occasions on which points were given."`
}

type retentionScanAnswer struct{ Body retentionScan }

// Routes adds the operations on cases, plans and what came of them.
func (r *Retention) Routes(api *httpx.API) {
	httpx.Register(api, httpx.Operation{
		ID: "open-retention-case", Method: http.MethodPost, Path: "/v1/retention-cases", Tag: tag, Summary: "Open a case by hand",
		Description: "A customer has one case at a time, and none for some time after one: then, or where nobody wants the customer back, it is refused (409). " +
			"Whether the customer is held out is decided by the plan, whoever opens the case.",
		Permission: right, Status: http.StatusCreated, Errors: []int{http.StatusConflict, http.StatusGone},
	}, func(ctx context.Context, in *openInput) (*retentionAnswer, error) {
		b := in.Body
		return answered(r.OpenByHand(ctx, Draft{CustomerID: b.CustomerID, Plan: b.Plan, LossKind: b.LossKind, Reason: b.Reason}, b.Words))
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-retention-cases", Method: http.MethodGet, Path: "/v1/retention-cases", Tag: tag, Summary: "List cases, the latest first",
		Permission: auth.RetentionRead,
	}, r.listHTTP)
	httpx.Register(api, httpx.Operation{
		ID: "get-retention-case", Method: http.MethodGet, Path: "/v1/retention-cases/{case_id}", Tag: tag, Summary: "Read a case",
		Permission: auth.RetentionRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *byCase) (*retentionAnswer, error) { return answered(r.Get(ctx, in.ID)) })
	httpx.Register(api, httpx.Operation{
		ID: "scan-for-retention", Method: http.MethodPost, Path: "/v1/retention-scans", Tag: tag, Summary: "Look for silence and for occasions now",
		Description: "It is done every six hours by itself. Who has been found is not found again.", Permission: right, Timeout: 40 * time.Second,
	}, func(ctx context.Context, _ *struct{}) (*retentionScanAnswer, error) {
		c, err := r.ScanTenant(ctx)
		return &retentionScanAnswer{retentionScan{c.Looked, c.Opened, c.Given}}, err
	})
	r.decisionRoutes(api)
	r.exclusionRoutes(api)
	r.planRoutes(api)
	r.reportRoutes(api)
	r.careRoutes(api)
}

func (r *Retention) listHTTP(ctx context.Context, in *listCases) (*caseList, error) {
	items, next, err := httpx.PageByID(in.Page, func(before uuid.UUID, limit int) ([]Told, error) {
		return r.List(ctx, Filter{Stage: in.Stage, Kind: in.Kind, Arm: in.Arm, Trigger: in.Trigger, Band: in.ValueBand, Plan: in.Plan,
			CustomerID: in.CustomerID, Before: before}, limit)
	}, func(t Told) uuid.UUID { return t.ID }, show)
	if err != nil {
		return nil, err
	}
	return &caseList{retentionPage{items, next}}, nil
}

// decidingCase is the input of a decision; its body says what is decided.
type decidingCase[B caseContent] struct {
	ID   uuid.UUID `path:"case_id" format:"uuid"`
	Body B
}

// caseContent is what a person decides, and what is said with it.
type caseContent interface {
	fill(d *Decision)
	said() string
}

// RetentionWhy is a decision that needs no more than words, and not even those; they are part of every other.
type RetentionWhy struct {
	Words string `json:"words,omitempty" doc:"Why. It goes into no event." maxLength:"20000"`
}

func (w RetentionWhy) fill(*Decision) {}
func (w RetentionWhy) said() string   { return w.Words }

type retentionReason struct {
	RetentionWhy
	Reason Reason `json:"reason" enum:"price,product,service,competitor,moved,unknown" doc:"Why the customer goes: offers that are made from now on are chosen by it."`
}

func (b retentionReason) fill(d *Decision) { d.Reason = b.Reason }

type retentionLoss struct {
	RetentionWhy
	LossKind LossKind `json:"loss_kind" enum:"natural,competitive,our_fault,fraudulent,let_go" doc:"Who is fraudulent or was let go is never won back: the case is cancelled."`
}

func (b retentionLoss) fill(d *Decision) { d.LossKind = b.LossKind }

// decisionRoutes adds an operation for every decision.
func (r *Retention) decisionRoutes(api *httpx.API) {
	caseRoute[RetentionWhy](r, api, ActionPause, "Do nothing for the time being", "Its time passes all the same.")
	caseRoute[RetentionWhy](r, api, ActionResume, "Go on with the steps", "")
	caseRoute[retentionReason](r, api, ActionLearn, "Say why the customer goes", "")
	caseRoute[retentionLoss](r, api, ActionClassify, "Say how the customer was lost", "")
	caseRoute[RetentionWhy](r, api, ActionAccept, "Say that the customer takes the offer", "Its points are given at once. A purchase in time takes it as well.")
	caseRoute[RetentionWhy](r, api, ActionCancel, "Cancel a case", "It is measured all the same: the customer stays in the arm.")
	caseRoute[RetentionWhy](r, api, ActionClose, "Say that the customer does not come back", "")
}

func caseRoute[B caseContent](r *Retention, api *httpx.API, action Action, summary, description string) {
	httpx.Register(api, httpx.Operation{
		ID: string(action) + "-retention-case", Method: http.MethodPost, Path: "/v1/retention-cases/{case_id}/" + string(action), Tag: tag,
		Summary: summary, Description: description, Permission: right,
		Errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusGone, http.StatusServiceUnavailable},
	}, func(ctx context.Context, in *decidingCase[B]) (*retentionAnswer, error) {
		d := Decision{CaseID: in.ID, Action: action}
		in.Body.fill(&d)
		return answered(r.Decide(ctx, d, in.Body.said()))
	})
}

// retentionExclusion is a customer whom nobody wants back.
type retentionExclusion struct {
	CustomerID uuid.UUID `json:"customer_id" format:"uuid"`
	LossKind   LossKind  `json:"loss_kind" enum:"fraudulent,let_go"`
	By         string    `json:"by" doc:"Subject of whoever said so."`
	At         time.Time `json:"at"`
}

func showExclusion(e Exclusion) retentionExclusion {
	return retentionExclusion{e.CustomerID, e.LossKind, e.By, e.At.UTC()}
}

type excludeInput struct{ Body newRetentionExclusion }

type newRetentionExclusion struct {
	CustomerID uuid.UUID `json:"customer_id" format:"uuid"`
	LossKind   LossKind  `json:"loss_kind" enum:"fraudulent,let_go"`
}

type exclusionAnswer struct{ Body retentionExclusion }

type listExclusions struct {
	httpx.Page
	CustomerID uuid.UUID `query:"customer_id" format:"uuid" doc:"Only of whom this id means."`
}

type exclusionList struct{ Body retentionExclusionPage }

type retentionExclusionPage struct {
	Items      []retentionExclusion `json:"items" nullable:"false"`
	NextCursor string               `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

type byExcluded struct {
	ID uuid.UUID `path:"customer_id" format:"uuid"`
}

func (r *Retention) exclusionRoutes(api *httpx.API) {
	const path = "/v1/retention-exclusions"
	httpx.Register(api, httpx.Operation{
		ID: "exclude-from-retention", Method: http.MethodPost, Path: path, Tag: tag, Summary: "Say that nobody wants a customer back",
		Description: "No case is opened for the customer any more, and one that is open is cancelled: nothing more is sent.",
		Permission:  right, Status: http.StatusCreated,
	}, func(ctx context.Context, in *excludeInput) (*exclusionAnswer, error) {
		e, err := r.Exclude(ctx, Exclusion{CustomerID: in.Body.CustomerID, LossKind: in.Body.LossKind})
		return &exclusionAnswer{showExclusion(e)}, err
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-retention-exclusions", Method: http.MethodGet, Path: path, Tag: tag, Summary: "List customers whom nobody wants back",
		Permission: auth.RetentionRead,
	}, func(ctx context.Context, in *listExclusions) (*exclusionList, error) {
		items, next, err := httpx.PageByID(in.Page, func(after uuid.UUID, limit int) ([]Exclusion, error) {
			return r.Exclusions(ctx, in.CustomerID, after, limit)
		}, func(e Exclusion) uuid.UUID { return e.CustomerID }, showExclusion)
		return &exclusionList{retentionExclusionPage{items, next}}, err
	})
	httpx.Register(api, httpx.Operation{
		ID: "readmit-to-retention", Method: http.MethodDelete, Path: path + "/{customer_id}", Tag: tag, Summary: "Take that back",
		Permission: right, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *byExcluded) (*struct{}, error) { return nil, r.Readmit(ctx, in.ID) })
}
