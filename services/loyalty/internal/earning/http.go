package earning

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

// earningView is what an order earned, and why.
type earningView struct {
	OrderID       uuid.UUID    `json:"order_id" format:"uuid"`
	CustomerID    *uuid.UUID   `json:"customer_id,omitempty" format:"uuid" doc:"The customer whom the order's id means now; absent while it is not known whose the order is, and nothing was earned."`
	PlacedAt      time.Time    `json:"placed_at"`
	Currency      string       `json:"currency" example:"CNY"`
	TotalMinor    int64        `json:"total_minor"`
	ReturnedMinor int64        `json:"returned_minor" doc:"Of goods that came back."`
	Programmes    []shareView  `json:"programmes" nullable:"false" doc:"What it earned, one for each programme that its customer was a member of."`
	Returns       []returnView `json:"returns" nullable:"false"`
}

// shareView is what an order earned in one programme.
type shareView struct {
	Programme      string        `json:"programme" example:"standard"`
	MemberID       *uuid.UUID    `json:"member_id,omitempty" format:"uuid"`
	Version        int           `json:"version" doc:"Of the terms by which it was judged: those in force when it was placed."`
	Tier           string        `json:"tier,omitempty" doc:"Of the member when the order was taken in."`
	Points         int64         `json:"points"`
	TakenBack      int64         `json:"taken_back" doc:"Of these, for goods that came back."`
	Qualifying     int64         `json:"qualifying" doc:"That count towards tiers."`
	QualifyingBack int64         `json:"qualifying_taken_back"`
	EntryID        *uuid.UUID    `json:"entry_id,omitempty" format:"uuid" doc:"Of the ledger; absent for no points."`
	Exact          string        `json:"exact" doc:"Points before rounding and caps, a whole number or a fraction." example:"1389/10"`
	CountedMinor   int64         `json:"counted_minor" doc:"Of the order, without what exclusions took off."`
	Excluded       []string      `json:"excluded,omitempty" doc:"Codes of the exclusions that took something off."`
	Rules          []partView    `json:"rules" nullable:"false"`
	Caps           []cappedView  `json:"caps,omitempty"`
	Failed         []failureView `json:"failed,omitempty" doc:"Rules that could not be reckoned for this order: they gave nothing."`
	BalanceWasFull bool          `json:"balance_was_full,omitempty"`
	Words          words         `json:"words" doc:"The same for people, to be read to the customer."`
}

// partView is what one rule gave.
type partView struct {
	Rule   string `json:"rule" example:"coffee-double"`
	Kind   string `json:"kind" example:"multiplier"`
	Exact  string `json:"exact" doc:"Before rounding and caps." example:"1389/10"`
	Factor string `json:"factor,omitempty" doc:"By which a multiplier multiplied." example:"3/2"`
	Points int64  `json:"points" doc:"Its part of the order's points."`
}

// cappedView is what a cap made of the order.
type cappedView struct {
	Cap  string `json:"cap" example:"monthly"`
	Cut  int64  `json:"cut" doc:"Points that it did not let through."`
	Used int64  `json:"used" doc:"Points of this order that it counted."`
	Left int64  `json:"left" doc:"That were left in its period after this order."`
}

// failureView is a rule that could not be reckoned.
type failureView struct {
	Rule string `json:"rule"`
	Why  string `json:"why" example:"division by zero"`
}

// returnView is goods that came back.
type returnView struct {
	ReturnID    uuid.UUID   `json:"return_id" format:"uuid"`
	AmountMinor int64       `json:"amount_minor"`
	ReturnedAt  time.Time   `json:"returned_at"`
	TakenBack   []takenView `json:"taken_back" nullable:"false"`
}

// takenView is points that a return took back.
type takenView struct {
	Programme string `json:"programme"`
	Points    int64  `json:"points" doc:"The part of the points that falls to all that had come back by then, rounded down, less what was taken back before."`
}

func present[T any](id T, there bool) *T {
	if !there {
		return nil
	}
	return &id
}

func showExplanation(x explanation) earningView {
	v := earningView{
		OrderID: x.ID, CustomerID: present(x.root, x.root != uuid.Nil), PlacedAt: x.PlacedAt, Currency: x.Currency, TotalMinor: x.TotalMinor,
		ReturnedMinor: x.ReturnedMinor, Programmes: make([]shareView, len(x.Shares)), Returns: make([]returnView, len(x.returns)),
	}
	for i, b := range x.returns {
		v.Returns[i] = returnView{ReturnID: b.ID, AmountMinor: b.AmountMinor, ReturnedAt: b.ReturnedAt, TakenBack: []takenView{}}
	}
	for i, s := range x.Shares {
		v.Programmes[i] = showShare(x.order, s, x.programmes[i])
		for n, points := range x.takenBack(s) {
			v.Returns[n].TakenBack = append(v.Returns[n].TakenBack, takenView{s.Programme, points})
		}
	}
	return v
}

func showShare(o order, s share, p programme.Programme) shareView {
	out := s.Outcome
	if out == nil {
		out = plainOutcome(o)
	}
	v := shareView{
		Programme: s.Programme, MemberID: present(s.MemberID, s.MemberID != uuid.Nil), Version: s.Version, Tier: s.Tier, Points: s.Points,
		TakenBack: s.TakenBack, Qualifying: s.Qualifying, QualifyingBack: s.QualifyingBack, EntryID: present(s.EntryID, s.EntryID != uuid.Nil),
		Words: explain(o, s, p),
	}
	v.outcome(out)
	return v
}

// outcome shows what rules gave.
func (v *shareView) outcome(out *outcome) {
	v.Exact, v.CountedMinor, v.Excluded, v.BalanceWasFull = out.Exact, out.Counted, out.Excluded, out.Full
	v.Rules = make([]partView, len(out.Parts))
	for i, p := range out.Parts {
		v.Rules[i] = partView(p)
	}
	for _, c := range out.Caps {
		v.Caps = append(v.Caps, cappedView(c))
	}
	for _, f := range out.Failed {
		v.Failed = append(v.Failed, failureView(f))
	}
}

// monthBody is the month in which a member was born.
type monthBody struct {
	Month int `json:"month" minimum:"1" maximum:"12" doc:"In which the customer was born, 1 to 12."`
}

type (
	byOrder struct {
		ID uuid.UUID `path:"order_id" format:"uuid"`
	}
	byMember struct {
		ID uuid.UUID `path:"member_id" format:"uuid"`
	}
	monthInput struct {
		ID   uuid.UUID `path:"member_id" format:"uuid"`
		Body monthBody
	}
	earningAnswer struct{ Body earningView }
	monthAnswer   struct{ Body monthBody }
)

// Routes adds the operations on what orders earn.
func (e *Earnings) Routes(api *httpx.API) {
	const tag = "Earning"
	httpx.Register(api, httpx.Operation{
		ID: "explain-earning", Method: http.MethodGet, Path: "/v1/orders/{order_id}/earning", Tag: tag, Summary: "Explain what an order earned, by which rules",
		Permission: auth.LoyaltyRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *byOrder) (*earningAnswer, error) {
		x, err := e.explain(ctx, in.ID)
		return &earningAnswer{showExplanation(x)}, err
	})
	const path = "/v1/members/{member_id}/birthday-month"
	httpx.Register(api, httpx.Operation{
		ID: "set-birthday-month", Method: http.MethodPut, Path: path, Tag: tag, Summary: "Say in which month a member was born",
		Description: "Rules may ask for it. It is kept with the customer, is in no event, and goes when the customer is erased. Ask the customer before.",
		Permission:  auth.LoyaltyWrite, Errors: []int{http.StatusNotFound, http.StatusGone},
	}, func(ctx context.Context, in *monthInput) (*monthAnswer, error) {
		return &monthAnswer{in.Body}, e.setMonth(ctx, in.ID, in.Body.Month)
	})
	httpx.Register(api, httpx.Operation{
		ID: "get-birthday-month", Method: http.MethodGet, Path: path, Tag: tag, Summary: "Read in which month a member was born",
		Permission: auth.LoyaltyRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *byMember) (*monthAnswer, error) {
		month, err := e.month(ctx, in.ID)
		return &monthAnswer{monthBody{month}}, err
	})
	httpx.Register(api, httpx.Operation{
		ID: "forget-birthday-month", Method: http.MethodDelete, Path: path, Tag: tag, Summary: "Forget in which month a member was born",
		Permission: auth.LoyaltyWrite, Status: http.StatusNoContent, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *byMember) (*struct{}, error) {
		return nil, e.forgetMonth(ctx, in.ID)
	})
	e.tryRoutes(api, tag)
}
