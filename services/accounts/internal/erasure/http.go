package erasure

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
)

type newErasure struct {
	Reason string `json:"reason,omitempty" doc:"Code of why." default:"customer_request" pattern:"^[a-z][a-z0-9_]{0,63}$"`
}

type eraseInput struct {
	ID   uuid.UUID `path:"customer_id" format:"uuid"`
	Body newErasure
}

// erasureView is an erasure as the API shows it.
type erasureView struct {
	ErasureID   uuid.UUID           `json:"erasure_id" format:"uuid"`
	CustomerID  uuid.UUID           `json:"customer_id" format:"uuid"`
	CustomerIDs []uuid.UUID         `json:"customer_ids" nullable:"false" doc:"All ids of the person."`
	State       State               `json:"state" enum:"requested,held,erasing,erased,cancelled"`
	Reason      string              `json:"reason"`
	Holds       []erasureHoldView   `json:"holds" nullable:"false" doc:"What keeps the customer from being erased, as it was last looked."`
	RequestedAt time.Time           `json:"requested_at"`
	RequestedBy string              `json:"requested_by" doc:"Subject of the token."`
	ErasedAt    *time.Time          `json:"erased_at,omitempty"`
	Reports     []erasureReportView `json:"reports,omitempty" nullable:"false" doc:"What each service did, in two rounds: the second one takes what came in during the first."`
}

type erasureHoldView struct {
	Service     string    `json:"service" example:"tickets"`
	Code        string    `json:"code" example:"complaint_open"`
	ReferenceID uuid.UUID `json:"reference_id" format:"uuid" doc:"What it is about."`
}

type erasureReportView struct {
	Service    string             `json:"service"`
	Round      int                `json:"round"`
	Erased     []erasureCountView `json:"erased" nullable:"false"`
	ReportedAt time.Time          `json:"reported_at"`
}

type erasureCountView struct {
	What  string `json:"what" example:"identity"`
	Count int64  `json:"count" doc:"How many were emptied or taken away."`
	Left  int64  `json:"left" doc:"How many were found when it was looked again; the erasure does not end before it is 0."`
}

func showErasure(e Erasure, said []Report) erasureView {
	v := erasureView{
		ErasureID: e.ID, CustomerID: e.CustomerID, CustomerIDs: e.CustomerIDs, State: e.State, Reason: e.Reason,
		Holds: make([]erasureHoldView, len(e.Holds)), RequestedAt: e.RequestedAt, RequestedBy: e.RequestedBy,
	}
	for n, h := range e.Holds {
		v.Holds[n] = erasureHoldView{h.Service, h.Code, h.Reference}
	}
	if !e.ErasedAt.IsZero() {
		v.ErasedAt = &e.ErasedAt
	}
	for _, r := range said {
		shown := erasureReportView{Service: r.Service, Round: r.Round, Erased: make([]erasureCountView, len(r.Erased)), ReportedAt: r.ReportedAt}
		for n, c := range r.Erased {
			shown.Erased[n] = erasureCountView(c)
		}
		v.Reports = append(v.Reports, shown)
	}
	return v
}

type oneErasure struct{ Body erasureView }

func erasureOf(e Erasure, err error) (*oneErasure, error) {
	if err != nil {
		return nil, err
	}
	return &oneErasure{showErasure(e, nil)}, nil
}

type erasureByID struct {
	ID uuid.UUID `path:"erasure_id" format:"uuid"`
}

type erasuresInput struct {
	State State `query:"state" enum:"requested,held,erasing,erased,cancelled" doc:"Only those that stand so."`
	httpx.Page
}

type erasuresAnswer struct{ Body erasurePage }

type erasurePage struct {
	Items      []erasureView `json:"items" nullable:"false"`
	NextCursor string        `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

type newLegalHold struct {
	Code      string     `json:"code,omitempty" doc:"Code of why." default:"legal_hold" pattern:"^[a-z][a-z0-9_]{0,63}$"`
	Reference string     `json:"reference,omitempty" doc:"Of the case, as lawyers number it." maxLength:"200"`
	Until     *time.Time `json:"until,omitempty" doc:"When it ends by itself; absent: when it is lifted."`
}

type holdInput struct {
	ID   uuid.UUID `path:"customer_id" format:"uuid"`
	Body newLegalHold
}

type legalHoldView struct {
	HoldID     uuid.UUID  `json:"hold_id" format:"uuid"`
	CustomerID uuid.UUID  `json:"customer_id" format:"uuid"`
	Code       string     `json:"code"`
	Reference  string     `json:"reference"`
	Until      *time.Time `json:"until,omitempty"`
	PlacedAt   time.Time  `json:"placed_at"`
	PlacedBy   string     `json:"placed_by"`
	LiftedAt   *time.Time `json:"lifted_at,omitempty"`
	LiftedBy   string     `json:"lifted_by,omitempty"`
}

func showHold(h LegalHold) legalHoldView {
	v := legalHoldView{HoldID: h.ID, CustomerID: h.CustomerID, Code: h.Code, Reference: h.Reference, PlacedAt: h.PlacedAt, PlacedBy: h.PlacedBy, LiftedBy: h.LiftedBy}
	if !h.Until.IsZero() {
		v.Until = &h.Until
	}
	if !h.LiftedAt.IsZero() {
		v.LiftedAt = &h.LiftedAt
	}
	return v
}

type oneHold struct{ Body legalHoldView }

func holdOf(h LegalHold, err error) (*oneHold, error) {
	if err != nil {
		return nil, err
	}
	return &oneHold{showHold(h)}, nil
}

type holdsInput struct {
	ID uuid.UUID `path:"customer_id" format:"uuid"`
}

type holdByID struct {
	ID uuid.UUID `path:"hold_id" format:"uuid"`
}

type holdsAnswer struct{ Body legalHolds }

type legalHolds struct {
	Items []legalHoldView `json:"items" nullable:"false" doc:"In the order in which they were placed, lifted ones included."`
}

// Routes adds the operations on erasures and legal holds.
func (r *Erasures) Routes(api *httpx.API) {
	const tag = "Erasure"
	httpx.Register(api, httpx.Operation{
		ID: "erase-customer", Method: http.MethodPost, Path: "/v1/customers/{customer_id}/erasures", Tag: tag, Summary: "Erase a customer",
		Description: "A process asks every service whether something keeps the customer from being erased, waits while something does, and then has every " +
			"service erase all that is personal, for good. Orders, points and figures stay, without a name.",
		Permission: auth.CustomersErase, Status: http.StatusAccepted, Errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusGone},
	}, func(ctx context.Context, in *eraseInput) (*oneErasure, error) {
		return erasureOf(r.Request(ctx, in.ID, in.Body.Reason))
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-erasures", Method: http.MethodGet, Path: "/v1/erasures", Tag: tag, Summary: "List erasures, the latest first",
		Permission: auth.CustomersErase,
	}, r.list)
	httpx.Register(api, httpx.Operation{
		ID: "get-erasure", Method: http.MethodGet, Path: "/v1/erasures/{erasure_id}", Tag: tag, Summary: "Read an erasure with the services' reports",
		Permission: auth.CustomersErase, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *erasureByID) (*oneErasure, error) {
		e, said, err := r.Get(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		return &oneErasure{showErasure(e, said)}, nil
	})
	httpx.Register(api, httpx.Operation{
		ID: "recheck-erasure", Method: http.MethodPost, Path: "/v1/erasures/{erasure_id}/recheck", Tag: tag, Summary: "Look now whether something still holds",
		Description: "By itself the process looks once a day.",
		Permission:  auth.CustomersErase, Status: http.StatusAccepted, Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, func(ctx context.Context, in *erasureByID) (*oneErasure, error) {
		return erasureOf(r.Decide(ctx, in.ID, Recheck))
	})
	httpx.Register(api, httpx.Operation{
		ID: "cancel-erasure", Method: http.MethodPost, Path: "/v1/erasures/{erasure_id}/cancel", Tag: tag, Summary: "Cancel an erasure that has not begun",
		Permission: auth.CustomersErase, Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, func(ctx context.Context, in *erasureByID) (*oneErasure, error) {
		return erasureOf(r.Decide(ctx, in.ID, Cancel))
	})
	r.holdRoutes(api)
}

func (r *Erasures) holdRoutes(api *httpx.API) {
	const tag = "Erasure"
	httpx.Register(api, httpx.Operation{
		ID: "place-legal-hold", Method: http.MethodPost, Path: "/v1/customers/{customer_id}/legal-holds", Tag: tag, Summary: "Place a legal hold on a customer",
		Description: "The customer is not erased while it stands.",
		Permission:  auth.CustomersErase, Status: http.StatusCreated, Errors: []int{http.StatusNotFound, http.StatusGone},
	}, func(ctx context.Context, in *holdInput) (*oneHold, error) {
		h := LegalHold{Code: in.Body.Code, Reference: in.Body.Reference}
		if in.Body.Until != nil {
			h.Until = in.Body.Until.UTC().Truncate(time.Microsecond)
		}
		return holdOf(r.Place(ctx, in.ID, h))
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-legal-holds", Method: http.MethodGet, Path: "/v1/customers/{customer_id}/legal-holds", Tag: tag, Summary: "List a customer's legal holds",
		Permission: auth.CustomersErase, Errors: []int{http.StatusNotFound, http.StatusGone},
	}, func(ctx context.Context, in *holdsInput) (*holdsAnswer, error) {
		all, err := r.Holds(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		out := &holdsAnswer{legalHolds{make([]legalHoldView, len(all))}}
		for n, h := range all {
			out.Body.Items[n] = showHold(h)
		}
		return out, nil
	})
	httpx.Register(api, httpx.Operation{
		ID: "lift-legal-hold", Method: http.MethodPost, Path: "/v1/legal-holds/{hold_id}/lift", Tag: tag, Summary: "Lift a legal hold",
		Permission: auth.CustomersErase, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *holdByID) (*oneHold, error) { return holdOf(r.Lift(ctx, in.ID)) })
}

func (r *Erasures) list(ctx context.Context, in *erasuresInput) (*erasuresAnswer, error) {
	items, next, err := httpx.PageByID(in.Page, func(before uuid.UUID, limit int) ([]Erasure, error) { return r.List(ctx, in.State, before, limit) },
		func(e Erasure) uuid.UUID { return e.ID }, func(e Erasure) erasureView { return showErasure(e, nil) })
	if err != nil {
		return nil, err
	}
	return &erasuresAnswer{erasurePage{items, next}}, nil
}
