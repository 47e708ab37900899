package reward

import (
	"context"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

// RewardOffer is what people say of a reward, as the API takes and shows it.
type RewardOffer struct {
	Name          string     `json:"name" minLength:"1" maxLength:"200" example:"Enamel mug"`
	Tier          string     `json:"tier,omitempty" maxLength:"64" doc:"Code of the lowest level that may redeem it; absent: everybody." example:"gold"`
	Limit         int        `json:"limit,omitempty" minimum:"0" maximum:"10000" doc:"How many one customer may have, in all members of the programme that are the same customer; absent: as many as there are." example:"2"`
	LimitDays     int        `json:"limit_days,omitempty" minimum:"0" maximum:"3650" doc:"The limit holds for so many days up to now; absent: for ever." example:"30"`
	ValidFrom     *time.Time `json:"valid_from,omitempty" doc:"It cannot be redeemed before."`
	ValidUntil    *time.Time `json:"valid_until,omitempty" doc:"It cannot be redeemed from then on."`
	FulfilSeconds int64      `json:"fulfil_seconds" minimum:"1" maximum:"31622400" doc:"What is not handed over within this time is cancelled, with stock and points back. What was, and is not confirmed within it, counts as arrived." example:"1209600"`
	Confirm       bool       `json:"confirm,omitempty" doc:"Somebody has to say that it arrived. Not for vouchers."`
	LowStockAt    int64      `json:"low_stock_at,omitempty" minimum:"0" maximum:"1000000000" doc:"A stock of so many is low." example:"10"`
}

func (o RewardOffer) offer() Offer {
	at := func(t *time.Time) time.Time { return orZero(t).UTC().Truncate(time.Microsecond) }
	return Offer{
		Name: o.Name, Tier: o.Tier, Limit: o.Limit, LimitDays: o.LimitDays, ValidFrom: at(o.ValidFrom), ValidUntil: at(o.ValidUntil),
		FulfilWithin: time.Duration(o.FulfilSeconds) * time.Second, Confirm: o.Confirm, LowStock: o.LowStockAt,
	}
}

// rewardView is a reward as the API shows it.
type rewardView struct {
	RewardID  uuid.UUID `json:"reward_id" format:"uuid"`
	Programme string    `json:"programme" doc:"Code." example:"standard"`
	Code      string    `json:"code" example:"mug"`
	Kind      Kind      `json:"kind" enum:"voucher,delivery,counter" doc:"How it is handed over: as a code, sent, or fetched."`
	RewardOffer
	Points     int64       `json:"points,omitempty" doc:"What one costs now; absent where no cost is in force yet." example:"300"`
	Next       *rewardCost `json:"next_cost,omitempty" doc:"What it will cost next."`
	Stock      *int64      `json:"stock,omitempty" doc:"How many can be redeemed; absent: there is no end. stock + reserved + given = received."`
	Reserved   int64       `json:"reserved" doc:"Redeemed, and not the members' yet."`
	Given      int64       `json:"given" doc:"That members have."`
	Received   *int64      `json:"received,omitempty" doc:"That came in, less what was taken out again."`
	LowStock   bool        `json:"low_stock" doc:"The stock is at low_stock_at or below."`
	ArchivedAt *time.Time  `json:"archived_at,omitempty" doc:"It is not offered any more."`
	Version    int64       `json:"version" doc:"Of what people edit; the ETag. Stock and costs have none."`
	ChangedAt  time.Time   `json:"changed_at"`
	ChangedBy  string      `json:"changed_by" doc:"Subject."`
}

// rewardCost is what a reward costs from a time on.
type rewardCost struct {
	No            int       `json:"no" doc:"In the order in which they were written."`
	Points        int64     `json:"points"`
	EffectiveFrom time.Time `json:"effective_from"`
	By            string    `json:"by" doc:"Subject of whoever wrote it."`
	CreatedAt     time.Time `json:"created_at"`
}

func showCost(c Cost) rewardCost { return rewardCost(c) }

func show(r Reward) rewardView {
	v := rewardView{
		RewardID: r.ID, Programme: r.Programme, Code: r.Code, Kind: r.Kind, Points: r.Points, Reserved: r.Reserved, Given: r.Given,
		LowStock: r.Low(), ArchivedAt: pg.OrNull(r.ArchivedAt), Version: r.Version, ChangedAt: r.ChangedAt, ChangedBy: r.By,
		RewardOffer: RewardOffer{
			Name: r.Name, Tier: r.Tier, Limit: r.Limit, LimitDays: r.LimitDays, ValidFrom: pg.OrNull(r.ValidFrom), ValidUntil: pg.OrNull(r.ValidUntil),
			FulfilSeconds: int64(r.FulfilWithin / time.Second), Confirm: r.Confirm, LowStockAt: r.Offer.LowStock,
		},
	}
	if r.Limited {
		v.Stock, v.Received = &r.Free, &r.Received
	}
	if r.Next.No > 0 {
		next := showCost(r.Next)
		v.Next = &next
	}
	return v
}

type rewardAnswer struct {
	Status int
	ETag   string `header:"ETag"`
	Body   rewardView
}

// answered answers with a reward.
func answered(status int) func(Reward, error) (*rewardAnswer, error) {
	return func(r Reward, err error) (*rewardAnswer, error) {
		if err != nil {
			return nil, err
		}
		return &rewardAnswer{Status: status, ETag: httpx.ETag(r.Version), Body: show(r)}, nil
	}
}

// RewardPath names a reward.
type RewardPath struct {
	ID uuid.UUID `path:"reward_id" format:"uuid"`
}

// RewardEdit names a reward as somebody has seen it.
type RewardEdit struct {
	RewardPath
	IfMatch string `header:"If-Match" doc:"The ETag of the reward as it was read."`
}

func (e RewardEdit) fresh(version int64) error { return httpx.IfMatch(e.IfMatch, version) }

type changeReward struct {
	RewardEdit
	Body RewardOffer
}

type createReward struct{ Body newReward }

// newReward is what a reward is made of.
type newReward struct {
	Programme string `json:"programme,omitempty" maxLength:"64" doc:"Code; absent: standard." example:"standard"`
	Code      string `json:"code" maxLength:"64" doc:"By which it is redeemed. It cannot be changed, and is no other reward's of the programme ever." example:"mug"`
	Kind      Kind   `json:"kind" enum:"voucher,delivery,counter" doc:"How it is handed over: as a code, sent, or fetched. It cannot be changed."`
	RewardOffer
	Points        int64      `json:"points" minimum:"1" maximum:"1000000" doc:"What one costs." example:"300"`
	EffectiveFrom *time.Time `json:"effective_from,omitempty" doc:"From when on it costs that, and can be redeemed; absent: now."`
	Stock         *int64     `json:"stock,omitempty" minimum:"0" maximum:"1000000000" doc:"How many there are; absent: there is no end, which cannot be changed. Not for vouchers." example:"50"`
}

type priceReward struct {
	RewardPath
	Body newRewardCost
}

// newRewardCost is what a reward is to cost.
type newRewardCost struct {
	Points        int64      `json:"points" minimum:"1" maximum:"1000000" doc:"What one costs."`
	EffectiveFrom *time.Time `json:"effective_from,omitempty" doc:"From when on; not in the past. Absent: now. Of two that begin together the one written later holds."`
}

type restockReward struct {
	RewardPath
	Body newRewardStock
}

// newRewardStock is what came in or was taken out.
type newRewardStock struct {
	Quantity int64  `json:"quantity" minimum:"-1000000000" maximum:"1000000000" doc:"What came in; below zero: what was taken out, which is at most what can be redeemed. Not 0." example:"20"`
	Reason   string `json:"reason" maxLength:"64" doc:"A code of why." example:"delivery"`
}

type uploadVouchers struct {
	RewardPath
	Body newVouchers
}

// newVouchers are codes of vouchers.
type newVouchers struct {
	Codes []string `json:"codes" nullable:"false" minItems:"1" maxItems:"100000" doc:"Each 4 to 64 printable ASCII characters without spaces; given in this order, each once. No answer, event or log shows one but to who redeemed it."`
}

// ListRewards says which rewards are meant.
type ListRewards struct {
	httpx.Page
	Programme string `query:"programme" maxLength:"64" doc:"Only those of the programme of this code."`
	Kind      Kind   `query:"kind" enum:"voucher,delivery,counter" doc:"Only those of this kind."`
	LowStock  bool   `query:"low_stock" doc:"Only those of which there is little left."`
	Archived  bool   `query:"archived" doc:"Also those that are archived."`
}

func (l ListRewards) filter(after uuid.UUID) Filter {
	return Filter{Programme: l.Programme, Kind: l.Kind, LowStock: l.LowStock, Archived: l.Archived, After: after}
}

type rewardList struct{ Body rewardPage }

type rewardPage struct {
	Items      []rewardView `json:"items" nullable:"false"`
	NextCursor string       `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

type ofRewardInput struct {
	RewardPath
	httpx.Page
}

type rewardCosts struct{ Body rewardCostPage }

type rewardCostPage struct {
	Items      []rewardCost `json:"items" nullable:"false" doc:"The latest written first."`
	NextCursor string       `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

type rewardMovements struct{ Body rewardMovementPage }

type rewardMovementPage struct {
	Items      []rewardMovement `json:"items" nullable:"false" doc:"The latest first."`
	NextCursor string           `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

type rewardMovement struct {
	No           int64      `json:"no" doc:"1, 2, 3 ... within the reward."`
	Kind         Move       `json:"kind" enum:"received,withdrawn,reserved,released,given" doc:"received and withdrawn change how many there are; the others where they are."`
	Quantity     int64      `json:"quantity" doc:"More than 0."`
	Reason       string     `json:"reason" doc:"Code."`
	RedemptionID *uuid.UUID `json:"redemption_id,omitempty" format:"uuid"`
	By           string     `json:"by" doc:"Subject."`
	At           time.Time  `json:"at"`
	StockAfter   *int64     `json:"stock_after,omitempty" doc:"How many could be redeemed then; absent where there is no end."`
}

func showMovement(m Movement) rewardMovement {
	v := rewardMovement{No: m.No, Kind: m.Move, Quantity: m.Quantity, Reason: m.Reason, RedemptionID: pg.OrNull(m.RedemptionID), By: m.By, At: m.At}
	if m.Limited {
		v.StockAfter = &m.After
	}
	return v
}

const tagRewards, pathReward = "Rewards", "/v1/rewards/{reward_id}"

// Routes adds the operations on rewards and redemptions.
func (r *Rewards) Routes(api *httpx.API) {
	r.readRoutes(api)
	r.editRoutes(api)
	r.stockRoutes(api)
	r.redemptionRoutes(api)
	r.decisionRoutes(api)
}

func (r *Rewards) readRoutes(api *httpx.API) {
	httpx.Register(api, httpx.Operation{
		ID: "list-rewards", Method: http.MethodGet, Path: "/v1/rewards", Tag: tagRewards, Summary: "List rewards in the order in which they were made",
		Permission: auth.LoyaltyRead,
	}, func(ctx context.Context, in *ListRewards) (*rewardList, error) {
		items, next, err := httpx.PageByID(in.Page, func(after uuid.UUID, limit int) ([]Reward, error) {
			return r.List(ctx, in.filter(after), limit)
		}, func(one Reward) uuid.UUID { return one.ID }, show)
		return &rewardList{rewardPage{items, next}}, err
	})
	httpx.Register(api, httpx.Operation{
		ID: "get-reward", Method: http.MethodGet, Path: pathReward, Tag: tagRewards, Summary: "Read a reward",
		Permission: auth.LoyaltyRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *RewardPath) (*rewardAnswer, error) {
		return answered(http.StatusOK)(r.Get(ctx, in.ID))
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-reward-costs", Method: http.MethodGet, Path: pathReward + "/costs", Tag: tagRewards, Summary: "List what a reward cost, costs and will cost",
		Permission: auth.LoyaltyRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *ofRewardInput) (*rewardCosts, error) {
		items, next, err := httpx.PageByNumber(in.Page, func(before, limit int) ([]Cost, error) { return r.Costs(ctx, in.ID, int64(before), limit) },
			func(c Cost) int { return c.No }, showCost)
		return &rewardCosts{rewardCostPage{items, next}}, err
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-reward-movements", Method: http.MethodGet, Path: pathReward + "/movements", Tag: tagRewards, Summary: "List every change of a reward's stock",
		Permission: auth.LoyaltyRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *ofRewardInput) (*rewardMovements, error) {
		items, next, err := httpx.PageByNumber(in.Page, func(before, limit int) ([]Movement, error) { return r.Movements(ctx, in.ID, int64(before), limit) },
			func(m Movement) int { return int(m.No) }, showMovement)
		return &rewardMovements{rewardMovementPage{items, next}}, err
	})
}

func (r *Rewards) editRoutes(api *httpx.API) {
	httpx.Register(api, httpx.Operation{
		ID: "create-reward", Method: http.MethodPost, Path: "/v1/rewards", Tag: tagRewards, Summary: "Put a reward into the catalogue",
		Permission: auth.LoyaltyConfigure, Status: http.StatusCreated, Errors: []int{http.StatusConflict},
	}, func(ctx context.Context, in *createReward) (*rewardAnswer, error) {
		b := in.Body
		if b.Programme == "" {
			b.Programme = programme.StandardCode
		}
		return answered(http.StatusCreated)(r.Create(ctx, Draft{
			Programme: b.Programme, Code: b.Code, Kind: b.Kind, Offer: b.offer(), Points: b.Points,
			EffectiveFrom: orZero(b.EffectiveFrom).UTC().Truncate(time.Microsecond), Stock: b.Stock,
		}))
	})
	httpx.Register(api, httpx.Operation{
		ID: "change-reward", Method: http.MethodPut, Path: pathReward, Tag: tagRewards, Summary: "Change what is said of a reward",
		Description: "What was redeemed before stays as it was agreed. What it costs is changed by another cost, and its stock by a movement.",
		Permission:  auth.LoyaltyConfigure, Errors: []int{http.StatusNotFound, http.StatusPreconditionFailed, http.StatusPreconditionRequired},
	}, func(ctx context.Context, in *changeReward) (*rewardAnswer, error) {
		return answered(http.StatusOK)(r.Change(ctx, in.ID, in.Body.offer(), in.fresh))
	})
	for _, o := range []struct {
		verb, summary, description string
		archived                   bool
	}{
		{"archive", "Take a reward out of the catalogue", "It is not deleted: what was redeemed can still be handed over, and the report knows it.", true},
		{"unarchive", "Put an archived reward back into the catalogue", "", false},
	} {
		httpx.Register(api, httpx.Operation{
			ID: o.verb + "-reward", Method: http.MethodPost, Path: pathReward + "/" + o.verb, Tag: tagRewards, Summary: o.summary, Description: o.description,
			Permission: auth.LoyaltyConfigure, Errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed, http.StatusPreconditionRequired},
		}, func(ctx context.Context, in *RewardEdit) (*rewardAnswer, error) {
			return answered(http.StatusOK)(r.Archive(ctx, in.ID, o.archived, in.fresh))
		})
	}
	httpx.Register(api, httpx.Operation{
		ID: "price-reward", Method: http.MethodPost, Path: pathReward + "/costs", Tag: tagRewards, Summary: "Say what a reward costs from a time on",
		Description: "What was redeemed before keeps its points.",
		Permission:  auth.LoyaltyConfigure, Status: http.StatusCreated, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *priceReward) (*rewardAnswer, error) {
		from := orZero(in.Body.EffectiveFrom).UTC().Truncate(time.Microsecond)
		return answered(http.StatusCreated)(r.Price(ctx, in.ID, in.Body.Points, from))
	})
}

// maxVoucherBody is enough for the longest codes, with quotes and commas around them.
const maxVoucherBody = 8 << 20

func (r *Rewards) stockRoutes(api *httpx.API) {
	httpx.Register(api, httpx.Operation{
		ID: "restock-reward", Method: http.MethodPost, Path: pathReward + "/stock", Tag: tagRewards, Summary: "Book what came in, or was taken out again",
		Description: "Of vouchers, codes that nobody has can be taken out; they come in by being uploaded.",
		Permission:  auth.LoyaltyConfigure, Status: http.StatusCreated, Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, func(ctx context.Context, in *restockReward) (*rewardAnswer, error) {
		return answered(http.StatusCreated)(r.Restock(ctx, in.ID, in.Body.Quantity, in.Body.Reason))
	})
	httpx.Register(api, httpx.Operation{
		ID: "upload-vouchers", Method: http.MethodPost, Path: pathReward + "/vouchers", Tag: tagRewards, Summary: "Upload codes of vouchers",
		Description: "All of them are taken, or none. A code that was uploaded before is refused, whichever reward it was for.",
		Permission:  auth.LoyaltyConfigure, Status: http.StatusCreated, MaxBody: maxVoucherBody, Timeout: uploadTime, Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, func(ctx context.Context, in *uploadVouchers) (*rewardAnswer, error) {
		return answered(http.StatusCreated)(r.Upload(ctx, in.ID, in.Body.Codes, inBody))
	})
	httpx.Stream(api, httpx.Operation{
		ID: "upload-voucher-file", Method: http.MethodPost, Path: pathReward + "/voucher-files", Tag: tagRewards, Summary: "Upload codes of vouchers as a file",
		Description: "CSV with the header code and one code a line, up to 100,000. All of them are taken, or none.",
		Permission:  auth.LoyaltyConfigure, Status: http.StatusCreated, MaxBody: maxVoucherBody, Timeout: uploadTime, Consumes: []string{"text/csv"}, Output: rewardView{},
		Errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity},
	}, r.voucherFile)
}

// uploadTime is how long an upload of codes may take.
const uploadTime = time.Minute

// voucherFile takes a file of codes in.
func (r *Rewards) voucherFile(c *gin.Context) error {
	id, err := uuid.Parse(c.Param("reward_id"))
	if err != nil {
		return problem.New(problem.Unprocessable, "validation_failed", "Some of what was sent is not valid; errors says what.").
			WithField("path.reward_id", "format", "must be a UUID")
	}
	body := httpx.HashBody(c)
	codes, err := readCodes(body)
	if err != nil {
		return err
	}
	ctx := body.Context()
	made, err := r.Upload(ctx, id, codes, inFile)
	if err != nil {
		return err
	}
	c.Header("ETag", httpx.ETag(made.Version))
	c.JSON(http.StatusCreated, show(made))
	return nil
}
