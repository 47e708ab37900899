package reward

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// redemptionView is a redemption as the API shows it.
type redemptionView struct {
	RedemptionID uuid.UUID  `json:"redemption_id" format:"uuid"`
	MemberID     uuid.UUID  `json:"member_id" format:"uuid"`
	CustomerID   uuid.UUID  `json:"customer_id" format:"uuid" doc:"The member's, as it was then."`
	Programme    string     `json:"programme"`
	RewardID     uuid.UUID  `json:"reward_id" format:"uuid"`
	Reward       string     `json:"reward" doc:"Code." example:"mug"`
	Kind         Kind       `json:"kind" enum:"voucher,delivery,counter" doc:"How it is handed over."`
	Quantity     int        `json:"quantity"`
	Points       int64      `json:"points" doc:"Spent, for all of them."`
	EntryID      uuid.UUID  `json:"entry_id" format:"uuid" doc:"The entry of the ledger that spent them."`
	Confirm      bool       `json:"confirm" doc:"Somebody has to say that it arrived."`
	State        State      `json:"state" enum:"reserved,handed_over,fulfilled,cancelled" doc:"reserved: the points are spent and the reward is kept for the member. handed_over: on its way. fulfilled: the member has it. cancelled: stock and points are back."`
	Reference    string     `json:"reference,omitempty" doc:"By which whoever handed it over knows it."`
	Reason       string     `json:"reason,omitempty" doc:"Code of why it was cancelled." example:"time_limit"`
	Failure      string     `json:"failure,omitempty" doc:"Code of what could not be done, where that was why."`
	RedeemedBy   string     `json:"redeemed_by" doc:"Subject of whoever redeemed it for the member."`
	RedeemedAt   time.Time  `json:"redeemed_at"`
	HandedOverBy string     `json:"handed_over_by,omitempty"`
	HandedOverAt *time.Time `json:"handed_over_at,omitempty"`
	ClosedBy     string     `json:"closed_by,omitempty"`
	ClosedAt     *time.Time `json:"closed_at,omitempty" doc:"Fulfilled or cancelled."`
	DueAt        *time.Time `json:"due_at,omitempty" doc:"Reserved: cancelled by itself then. Handed over: taken as arrived."`
}

func showRedemption(r Redemption) redemptionView {
	return redemptionView{
		RedemptionID: r.ID, MemberID: r.MemberID, CustomerID: r.CustomerID, Programme: r.Programme, RewardID: r.RewardID, Reward: r.Reward, Kind: r.Kind,
		Quantity: r.Quantity, Points: r.Points, EntryID: r.SpendID, Confirm: r.Confirm, State: r.State, Reference: r.Reference, Reason: r.Reason,
		Failure: r.Failure, RedeemedBy: r.By, RedeemedAt: r.RedeemedAt, HandedOverBy: r.HandedOverBy, HandedOverAt: pg.OrNull(r.HandedOverAt),
		ClosedBy: r.ClosedBy, ClosedAt: pg.OrNull(r.ClosedAt), DueAt: pg.OrNull(r.DueAt),
	}
}

type redemptionAnswer struct{ Body redemptionView }

func answeredRedemption(r Redemption, err error) (*redemptionAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &redemptionAnswer{showRedemption(r)}, nil
}

type redeemReward struct {
	ID   uuid.UUID `path:"member_id" format:"uuid"`
	Body newRedemption
}

// newRedemption is what is redeemed.
type newRedemption struct {
	Reward   string `json:"reward" maxLength:"64" doc:"Code, in the member's programme." example:"mug"`
	Quantity int    `json:"quantity,omitempty" minimum:"1" maximum:"100" default:"1"`
	Points   int64  `json:"points,omitempty" minimum:"1" maximum:"1000000" doc:"What the member was told that it costs in all. Where it costs something else by now, nothing is redeemed (409 reward_cost_changed). Absent: whatever it costs."`
}

// RedemptionPath names a redemption.
type RedemptionPath struct {
	ID uuid.UUID `path:"redemption_id" format:"uuid"`
}

type fulfilRedemption struct {
	RedemptionPath
	Body redemptionHandover
}

// redemptionHandover says how a reward was handed over.
type redemptionHandover struct {
	Reference string `json:"reference,omitempty" maxLength:"64" doc:"By which whoever handed it over knows it, such as a parcel's number. It goes out in events: nothing personal." example:"SF1234567890"`
}

type cancelRedemption struct {
	RedemptionPath
	Body redemptionCancellation
}

// redemptionCancellation says why a redemption is cancelled.
type redemptionCancellation struct {
	Reason string `json:"reason" maxLength:"64" doc:"A code. It goes out in events: nothing personal." example:"customer_withdrew"`
}

type voucherAnswer struct {
	CacheControl string `header:"Cache-Control" doc:"no-store: whoever has a code can use it."`
	Body         voucherCodes
}

// voucherCodes are the codes that were given for a redemption.
type voucherCodes struct {
	Codes []string `json:"codes" nullable:"false"`
}

type listRedemptionsInput struct {
	httpx.Page
	MemberID uuid.UUID `query:"member_id" format:"uuid" doc:"Only those of this member, and of all who are the same customer since a merge."`
	RewardID uuid.UUID `query:"reward_id" format:"uuid" doc:"Only those of this reward."`
	State    State     `query:"state" enum:"reserved,handed_over,fulfilled,cancelled" doc:"Only those in this state."`
}

type redemptionList struct{ Body redemptionPage }

type redemptionPage struct {
	Items      []redemptionView `json:"items" nullable:"false"`
	NextCursor string           `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

type rewardReportInput struct {
	ListRewards
	From  time.Time `query:"from" doc:"Only what was redeemed from then on."`
	Until time.Time `query:"until" doc:"Only what was redeemed before."`
}

type rewardReportAnswer struct{ Body rewardReport }

type rewardReport struct {
	Items      []rewardReportRow `json:"items" nullable:"false"`
	NextCursor string            `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

type rewardReportRow struct {
	RewardID    uuid.UUID `json:"reward_id" format:"uuid"`
	Programme   string    `json:"programme"`
	Code        string    `json:"code"`
	Name        string    `json:"name"`
	Kind        Kind      `json:"kind" enum:"voucher,delivery,counter"`
	Archived    bool      `json:"archived"`
	Redemptions int64     `json:"redemptions" doc:"Of the time that is asked for, as all that follows to points."`
	Redeemed    int64     `json:"redeemed" doc:"Pieces: open, fulfilled and cancelled ones."`
	Open        int64     `json:"open"`
	Fulfilled   int64     `json:"fulfilled"`
	Cancelled   int64     `json:"cancelled"`
	Points      int64     `json:"points" doc:"Spent on it and not given back."`
	Stock       *int64    `json:"stock,omitempty" doc:"How many can be redeemed now; absent: there is no end."`
	Reserved    int64     `json:"reserved" doc:"Now."`
	Given       int64     `json:"given" doc:"Up to now."`
	Received    *int64    `json:"received,omitempty" doc:"Up to now, less what was taken out again."`
	LowStock    bool      `json:"low_stock"`
}

func showReported(r Reported) rewardReportRow {
	v := show(r.Reward)
	return rewardReportRow{
		RewardID: r.ID, Programme: r.Programme, Code: r.Code, Name: r.Name, Kind: r.Kind, Archived: v.ArchivedAt != nil, Redemptions: r.Redemptions,
		Redeemed: r.Redeemed, Open: r.Open, Fulfilled: r.Fulfilled, Cancelled: r.Cancelled, Points: r.Figures.Points, Stock: v.Stock, Reserved: r.Stock.Reserved,
		Given: r.Given, Received: v.Received, LowStock: v.LowStock,
	}
}

const tagRedemptions, pathRedemption = "Redemptions", "/v1/redemptions/{redemption_id}"

func (r *Rewards) redemptionRoutes(api *httpx.API) {
	httpx.Register(api, httpx.Operation{
		ID: "redeem-reward", Method: http.MethodPost, Path: "/v1/members/{member_id}/redemptions", Tag: tagRedemptions, Summary: "Redeem a reward for a member",
		Description: "The reward is reserved and its points are spent, both or neither. A voucher is issued within seconds; everything else is handed over by somebody, or cancelled when its time is over. An Idempotency-Key is remembered for ever.",
		Permission:  auth.LoyaltyWrite, Status: http.StatusCreated, Errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusGone},
	}, func(ctx context.Context, in *redeemReward) (*redemptionAnswer, error) {
		return answeredRedemption(r.Redeem(ctx, in.ID, Wish{Reward: in.Body.Reward, Quantity: in.Body.Quantity, Points: in.Body.Points}))
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-redemptions", Method: http.MethodGet, Path: "/v1/redemptions", Tag: tagRedemptions, Summary: "List redemptions, the latest first",
		Permission: auth.LoyaltyRead,
	}, func(ctx context.Context, in *listRedemptionsInput) (*redemptionList, error) {
		items, next, err := httpx.PageByID(in.Page, func(before uuid.UUID, limit int) ([]Redemption, error) {
			return r.Redemptions(ctx, RedemptionFilter{MemberID: in.MemberID, RewardID: in.RewardID, State: in.State, Before: before}, limit)
		}, func(one Redemption) uuid.UUID { return one.ID }, showRedemption)
		return &redemptionList{redemptionPage{items, next}}, err
	})
	httpx.Register(api, httpx.Operation{
		ID: "get-redemption", Method: http.MethodGet, Path: pathRedemption, Tag: tagRedemptions, Summary: "Read a redemption",
		Permission: auth.LoyaltyRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *RedemptionPath) (*redemptionAnswer, error) {
		return answeredRedemption(r.Redemption(ctx, in.ID))
	})
	httpx.Register(api, httpx.Operation{
		ID: "report-rewards", Method: http.MethodGet, Path: "/v1/reward-report", Tag: tagRewards, Summary: "What became of each reward",
		Permission: auth.LoyaltyRead,
	}, r.reportHTTP)
}

func (r *Rewards) reportHTTP(ctx context.Context, in *rewardReportInput) (*rewardReportAnswer, error) {
	if !in.From.IsZero() && !in.Until.IsZero() && !in.Until.After(in.From) {
		return nil, problem.New(problem.Unprocessable, "range_empty", "Nothing is from then on and before that.").
			WithField("query.until", "out_of_range", "must be after from")
	}
	items, next, err := httpx.PageByID(in.Page, func(after uuid.UUID, limit int) ([]Reported, error) {
		return r.Report(ctx, in.filter(after), in.From, in.Until, limit)
	}, func(one Reported) uuid.UUID { return one.ID }, showReported)
	return &rewardReportAnswer{rewardReport{items, next}}, err
}

func (r *Rewards) decisionRoutes(api *httpx.API) {
	errs := []int{http.StatusNotFound, http.StatusConflict, http.StatusGone}
	httpx.Register(api, httpx.Operation{
		ID: "fulfil-redemption", Method: http.MethodPost, Path: pathRedemption + "/fulfil", Tag: tagRedemptions, Summary: "Say that a reward was sent, or handed out",
		Description: "Where its arrival has to be confirmed that is waited for; otherwise the redemption is fulfilled.",
		Permission:  auth.LoyaltyWrite, Errors: errs,
	}, func(ctx context.Context, in *fulfilRedemption) (*redemptionAnswer, error) {
		return answeredRedemption(r.HandOver(ctx, in.ID, in.Body.Reference))
	})
	httpx.Register(api, httpx.Operation{
		ID: "confirm-redemption", Method: http.MethodPost, Path: pathRedemption + "/confirm", Tag: tagRedemptions, Summary: "Say that the member has the reward",
		Permission: auth.LoyaltyWrite, Errors: errs,
	}, func(ctx context.Context, in *RedemptionPath) (*redemptionAnswer, error) {
		return answeredRedemption(r.Confirm(ctx, in.ID))
	})
	httpx.Register(api, httpx.Operation{
		ID: "cancel-redemption", Method: http.MethodPost, Path: pathRedemption + "/cancel", Tag: tagRedemptions, Summary: "Cancel a redemption",
		Description: "Stock and points go back, once. What the member has cannot be cancelled; what is on its way can.",
		Permission:  auth.LoyaltyWrite, Errors: errs,
	}, func(ctx context.Context, in *cancelRedemption) (*redemptionAnswer, error) {
		return answeredRedemption(r.Cancel(ctx, in.ID, in.Body.Reason))
	})
	httpx.Register(api, httpx.Operation{
		ID: "read-voucher-codes", Method: http.MethodGet, Path: pathRedemption + "/vouchers", Tag: tagRedemptions, Summary: "Read the codes of a redeemed voucher",
		Description: "Only who redeemed it for the member is shown them.",
		Permission:  auth.LoyaltyWrite, Errors: append(errs, http.StatusForbidden),
	}, func(ctx context.Context, in *RedemptionPath) (*voucherAnswer, error) {
		codes, err := r.Vouchers(ctx, in.ID)
		return &voucherAnswer{CacheControl: "no-store", Body: voucherCodes{Codes: codes}}, err
	})
}
