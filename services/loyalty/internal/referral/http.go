package referral

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

type referralCodeView struct {
	Code     string    `json:"code" doc:"Nothing but chance, without characters that are taken for others; the last one is a check character." example:"K7M4QTX2RD"`
	MemberID uuid.UUID `json:"member_id" format:"uuid"`
	MadeAt   time.Time `json:"made_at"`
}

type referralCodeAnswer struct {
	Status int
	Body   referralCodeView
}

type referralCodePath struct {
	ID uuid.UUID `path:"member_id" format:"uuid"`
}

type newReferral struct {
	Code       string    `json:"code" maxLength:"64" doc:"As the customer gives it: small letters, spaces and hyphens make no difference." example:"K7M4Q-TX2RD"`
	CustomerID uuid.UUID `json:"customer_id" format:"uuid" doc:"Who was referred."`
}

// referralView is a referral as the API shows it.
type referralView struct {
	ReferralID         uuid.UUID  `json:"referral_id" format:"uuid"`
	Programme          string     `json:"programme" example:"standard"`
	Code               string     `json:"code"`
	ReferrerMemberID   uuid.UUID  `json:"referrer_member_id" format:"uuid"`
	ReferrerCustomerID uuid.UUID  `json:"referrer_customer_id" format:"uuid"`
	ReferredCustomerID uuid.UUID  `json:"referred_customer_id" format:"uuid"`
	ReferredMemberID   *uuid.UUID `json:"referred_member_id,omitempty" format:"uuid" doc:"Once they were rewarded."`
	State              State      `json:"state" enum:"open,completed,taken_back,void,expired"`
	Reason             string     `json:"reason,omitempty" doc:"Of void: bought_before, same_customer or by_hand; of taken_back: order_returned or by_hand."`
	NamedAt            time.Time  `json:"named_at"`
	ExpiresAt          *time.Time `json:"expires_at,omitempty" doc:"The first purchase has to come before; absent: any time."`
	DecidedAt          *time.Time `json:"decided_at,omitempty"`
	OrderID            *uuid.UUID `json:"order_id,omitempty" format:"uuid" doc:"The purchase by which it was completed."`
	ReferrerPoints     int64      `json:"referrer_points" doc:"That the referrer got."`
	ReferredPoints     int64      `json:"referred_points" doc:"That the referred customer got."`
	TakenBackAt        *time.Time `json:"taken_back_at,omitempty"`
	SameCustomer       bool       `json:"same_customer" doc:"Both are one customer by now, since a merge. Their points are as they were until somebody takes them back."`
}

func show(r Referral) referralView {
	return referralView{
		ReferralID: r.ID, Programme: r.Programme, Code: r.Code, ReferrerMemberID: r.ReferrerID, ReferrerCustomerID: r.ReferrerCustomer,
		ReferredCustomerID: r.ReferredCustomer, ReferredMemberID: some(r.ReferredID), State: r.State, Reason: r.Reason, NamedAt: r.NamedAt,
		ExpiresAt: some(r.ExpiresAt), DecidedAt: some(r.DecidedAt), OrderID: some(r.OrderID), ReferrerPoints: r.ReferrerPoints,
		ReferredPoints: r.ReferredPoints, TakenBackAt: some(r.TakenBackAt), SameCustomer: r.SameCustomer,
	}
}

// some gives what is shown of what may not be there.
func some[T comparable](v T) *T {
	var none T
	if v == none {
		return nil
	}
	return &v
}

type referralPath struct {
	ID uuid.UUID `path:"referral_id" format:"uuid"`
}

type referralsInput struct {
	httpx.Page
	MemberID   uuid.UUID `query:"member_id" format:"uuid" doc:"Only those of this referrer."`
	CustomerID uuid.UUID `query:"customer_id" format:"uuid" doc:"Only those of this customer, who was referred."`
	State      State     `query:"state" enum:"open,completed,taken_back,void,expired"`
}

type referralPage struct {
	Items      []referralView `json:"items" nullable:"false"`
	NextCursor string         `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

type referralAnswer struct{ Body referralView }

func answered(r Referral, err error) (*referralAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &referralAnswer{show(r)}, nil
}

type referralReportInput struct {
	Programme string    `query:"programme" maxLength:"64" default:"standard"`
	From      time.Time `query:"from" doc:"Only those named from then on; left out: all."`
	To        time.Time `query:"to" doc:"Only those named before; left out: up to now."`
}

// referralReport is what became of the referrals of a period.
type referralReport struct {
	Programme    string        `json:"programme"`
	From         *time.Time    `json:"from,omitempty"`
	To           time.Time     `json:"to"`
	Open         int           `json:"open"`
	Completed    int           `json:"completed" doc:"Both were rewarded; same_customer included."`
	TakenBack    int           `json:"taken_back"`
	Void         int           `json:"void"`
	Expired      int           `json:"expired"`
	SameCustomer int           `json:"same_customer" doc:"Completed ones whose both sides are one customer by now."`
	Points       int64         `json:"points" doc:"That both sides got for the completed ones."`
	Named        int           `json:"named" doc:"All but void ones and those of one customer. Open ones are among them: while there are many of these, the rate is lower than it will be."`
	Converted    int           `json:"converted" doc:"Of them, completed."`
	Enough       bool          `json:"enough" doc:"Whether 30 were named. With fewer no rate is given: there is not enough data."`
	Rate         *referralRate `json:"rate,omitempty" doc:"converted / named, with Wilson's 95 % interval."`
}

type referralRate struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

func showReport(r Report) referralReport {
	v := referralReport{
		Programme: r.Programme, From: some(r.From), To: r.To, Open: r.States[Open], Completed: r.States[Completed], TakenBack: r.States[TakenBack],
		Void: r.States[Void], Expired: r.States[Expired], SameCustomer: r.SameCustomer, Points: r.Points, Named: r.Named, Converted: r.Converted,
		Enough: r.Rate != nil,
	}
	if r.Rate != nil {
		v.Rate = &referralRate{r.Rate.Value, r.Rate.Low, r.Rate.High}
	}
	return v
}

const tag = "Referrals"

// Routes adds the operations on referrals.
func (r *Referrals) Routes(api *httpx.API) {
	httpx.Register(api, httpx.Operation{
		ID: "make-referral-code", Method: http.MethodPost, Path: "/v1/members/{member_id}/referral-codes", Tag: tag, Summary: "Give a member a code to refer customers with",
		Description: "A member has one: whoever has it already is answered with it (200).",
		Permission:  auth.LoyaltyWrite, Status: http.StatusCreated, Errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusGone},
	}, func(ctx context.Context, in *referralCodePath) (*referralCodeAnswer, error) {
		c, made, err := r.MakeCode(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		status := http.StatusOK
		if made {
			status = http.StatusCreated
		}
		return &referralCodeAnswer{status, referralCodeView(c)}, nil
	})
	httpx.Register(api, httpx.Operation{
		ID: "get-referral-code", Method: http.MethodGet, Path: "/v1/members/{member_id}/referral-codes", Tag: tag, Summary: "Read a member's code",
		Permission: auth.LoyaltyRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *referralCodePath) (*referralCodeAnswer, error) {
		c, err := r.Code(ctx, in.ID)
		return &referralCodeAnswer{http.StatusOK, referralCodeView(c)}, err
	})
	httpx.Register(api, httpx.Operation{
		ID: "name-referral", Method: http.MethodPost, Path: "/v1/referrals", Tag: tag, Summary: "Name a customer as referred",
		Description: "Before or soon after the customer becomes a member, and before the first purchase. Both sides are rewarded when that comes. Nobody is referred twice or by themselves, under whichever id since merges, and referrals do not go round in a circle.",
		Permission:  auth.LoyaltyWrite, Status: http.StatusCreated, Errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusGone},
	}, func(ctx context.Context, in *struct{ Body newReferral }) (*referralAnswer, error) {
		if in.Body.CustomerID == uuid.Nil {
			return nil, problem.InvalidBody("referral_invalid", "Nobody was named: mend the field named here.",
				[]problem.Field{{Location: "customer_id", Code: "customer_required", Message: "must be the id of a customer"}})
		}
		code, err := ReadCode(in.Body.Code)
		if err != nil {
			return nil, err
		}
		return answered(r.Name(ctx, code, in.Body.CustomerID))
	})
	httpx.Register(api, httpx.Operation{
		ID: "get-referral", Method: http.MethodGet, Path: "/v1/referrals/{referral_id}", Tag: tag, Summary: "Read a referral",
		Permission: auth.LoyaltyRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *referralPath) (*referralAnswer, error) {
		return answered(r.Get(ctx, in.ID))
	})
	httpx.Register(api, httpx.Operation{
		ID: "take-back-referral", Method: http.MethodPost, Path: "/v1/referrals/{referral_id}/take-back", Tag: tag, Summary: "Take a referral back",
		Description: "What both sides got is taken from them, as goods that come back take theirs: what was spent already is owed. Of an open referral nothing comes any more.",
		Permission:  auth.LoyaltyAdjust, Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, func(ctx context.Context, in *referralPath) (*referralAnswer, error) {
		return answered(r.Undo(ctx, in.ID))
	})
	r.listRoutes(api)
}

func (r *Referrals) listRoutes(api *httpx.API) {
	httpx.Register(api, httpx.Operation{
		ID: "list-referrals", Method: http.MethodGet, Path: "/v1/referrals", Tag: tag, Summary: "List referrals, the latest first", Permission: auth.LoyaltyRead,
	}, func(ctx context.Context, in *referralsInput) (*struct{ Body referralPage }, error) {
		items, next, err := httpx.PageByID(in.Page, func(before uuid.UUID, limit int) ([]Referral, error) {
			return r.List(ctx, Filter{MemberID: in.MemberID, CustomerID: in.CustomerID, State: in.State, Before: before}, limit)
		}, func(one Referral) uuid.UUID { return one.ID }, show)
		if err != nil {
			return nil, err
		}
		return &struct{ Body referralPage }{referralPage{items, next}}, nil
	})
	httpx.Register(api, httpx.Operation{
		ID: "report-referrals", Method: http.MethodGet, Path: "/v1/referral-report", Tag: tag, Summary: "Report referrals by what became of them",
		Description: "Of those that were named in a period, how many led to a purchase.",
		Permission:  auth.LoyaltyRead,
	}, func(ctx context.Context, in *referralReportInput) (*struct{ Body referralReport }, error) {
		if in.To.IsZero() {
			in.To = r.now()
		}
		if in.From.After(in.To) {
			return nil, problem.New(problem.Unprocessable, "period_invalid", "The period ends before it begins.").WithField("query.from", "out_of_range", "must not be after to")
		}
		if !programme.Coded(in.Programme) {
			return nil, problem.New(problem.Unprocessable, "programme_invalid", "This is no code of a programme.").WithField("query.programme", "code_malformed", programme.CodeRule)
		}
		rep, err := r.Report(ctx, in.Programme, in.From, in.To)
		if err != nil {
			return nil, err
		}
		return &struct{ Body referralReport }{showReport(rep)}, nil
	})
}
