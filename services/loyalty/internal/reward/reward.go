// Package reward keeps what points can be redeemed for, and leads each redemption to its end: it is reserved, handed over and
// confirmed, or cancelled with everything given back. A thing is never given twice, and never more of it than there is.
//
// The rules are here and in redemption.go, pure; they are applied to locked rows (commands.go, redeem.go). The process that
// issues vouchers and watches the time is a workflow (workflow.go), which holds nothing that is not in the row as well.
package reward

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/ledger"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

// Kind says how a reward is handed over.
type Kind string

// The kinds.
const (
	Voucher  Kind = "voucher"  // a code, at once and by itself
	Delivery Kind = "delivery" // it is sent
	Counter  Kind = "counter"  // it is fetched
)

// Offer is what people say of a reward, and can change at any time. What was redeemed before stays as it was agreed.
type Offer struct {
	Name         string
	Tier         string        // code of the lowest level that may redeem it; empty: everybody
	Limit        int           // how many one customer may have; 0: as many as there are
	LimitDays    int           // within so many days up to now; 0: ever
	ValidFrom    time.Time     // zero: always
	ValidUntil   time.Time     // not any more from then on; zero: for ever
	FulfilWithin time.Duration // whole seconds; what is not handed over in time is cancelled
	Confirm      bool          // somebody has to say that it arrived
	LowStock     int64         // a stock of so many is low
}

// Reward is something that points can be redeemed for.
type Reward struct {
	ID        uuid.UUID // UUIDv7
	Programme string    // code
	Code      string    // unique in the programme, for ever
	Version   int64     // of the offer; rises by one with every change
	Kind      Kind
	Offer
	Stock
	Points     int64 // what one costs now; 0 where no cost is in force yet
	Next       Cost  // the cost that comes into force next; zero for none
	ArchivedAt time.Time
	By         string // subject of whoever changed it last
	CreatedAt  time.Time
	ChangedAt  time.Time
}

// Cost is what one piece of a reward costs from a time on.
type Cost struct {
	No            int   // from 1
	Points        int64 // 1 to MaxPoints
	EffectiveFrom time.Time
	By            string // subject
	CreatedAt     time.Time
}

// Bounds of what people say of rewards.
const (
	maxName      = 200
	maxLimit     = 10_000
	maxLimitDays = 3650
	maxFulfil    = 366 * 24 * time.Hour
	maxQuantity  = 100           // of one redemption
	maxStock     = 1_000_000_000 // of one reward, ever
	maxPoints    = ledger.MaxPoints
	maxAhead     = 10 * 366 * 24 * time.Hour // of dates
)

// faults notes what is wrong with an offer of a kind in a programme.
func (o Offer) faults(k Kind, p programme.Programme) (faults []problem.Field) {
	note := func(location, code, message string) {
		faults = append(faults, problem.Field{Location: location, Code: code, Message: message})
	}
	if n := utf8.RuneCountInString(o.Name); n < 1 || n > maxName || strings.TrimSpace(o.Name) != o.Name {
		note("name", "name_malformed", "must be 1 to 200 characters, without spaces around them")
	}
	if _, ok := p.Tiers.Rank(o.Tier); !ok && o.Tier != "" {
		note("tier", "tier_unknown", "must be the code of a level of the programme's tiers")
	}
	if o.Limit < 0 || o.Limit > maxLimit {
		note("limit", "out_of_range", fmt.Sprintf("must be 0 to %d", maxLimit))
	}
	if o.LimitDays < 0 || o.LimitDays > maxLimitDays {
		note("limit_days", "out_of_range", fmt.Sprintf("must be 0 to %d", maxLimitDays))
	}
	if o.LimitDays > 0 && o.Limit == 0 {
		note("limit_days", "limit_missing", "says for how long a limit holds: there is none")
	}
	if !o.ValidFrom.IsZero() && !o.ValidUntil.IsZero() && !o.ValidUntil.After(o.ValidFrom) {
		note("valid_until", "out_of_range", "must be after valid_from")
	}
	if o.FulfilWithin < time.Second || o.FulfilWithin > maxFulfil {
		note("fulfil_seconds", "out_of_range", fmt.Sprintf("must be 1 to %d", int64(maxFulfil/time.Second)))
	}
	if o.Confirm && k == Voucher {
		note("confirm", "confirm_of_voucher", "is not for vouchers: who has the code has the reward")
	}
	if o.LowStock < 0 || o.LowStock > maxStock {
		note("low_stock_at", "out_of_range", fmt.Sprintf("must be 0 to %d", maxStock))
	}
	return faults
}

// costFaults notes what is wrong with a cost that is written now: one that began before would rewrite the past.
func costFaults(c Cost) (faults []problem.Field) {
	if c.Points < 1 || c.Points > maxPoints {
		faults = append(faults, problem.Field{Location: "points", Code: "out_of_range", Message: fmt.Sprintf("must be 1 to %d", maxPoints)})
	}
	if c.EffectiveFrom.Before(c.CreatedAt) || c.EffectiveFrom.Sub(c.CreatedAt) > maxAhead {
		faults = append(faults, problem.Field{Location: "effective_from", Code: "out_of_range", Message: "must not be in the past, and at most ten years ahead"})
	}
	return faults
}

// Wish is what somebody wants to redeem for a member.
type Wish struct {
	Reward   string // code, in the member's programme
	Quantity int
	Points   int64 // what the member was told that it costs in all; 0: whatever it costs
}

// faults notes what is wrong with a wish by itself.
func (w Wish) faults() (faults []problem.Field) {
	if !programme.Coded(w.Reward) {
		faults = append(faults, problem.Field{Location: "reward", Code: "code_malformed", Message: programme.CodeRule})
	}
	if w.Quantity < 1 || w.Quantity > maxQuantity {
		faults = append(faults, problem.Field{Location: "quantity", Code: "out_of_range", Message: fmt.Sprintf("must be 1 to %d", maxQuantity)})
	}
	return faults
}

// Standing is what is known of a member who wants to redeem something.
type Standing struct {
	Level string // code of the tier
	Taken int64  // how many the customer redeemed within the limit's days, those left out that were cancelled
}

// Redeem gives what a wish costs in all, or why it cannot be: a Conflict.
func (r Reward) Redeem(w Wish, p programme.Programme, s Standing, now time.Time) (points int64, err error) {
	refuse := func(code, format string, args ...any) (int64, error) {
		return 0, problem.New(problem.Conflict, code, format, args...)
	}
	need, known := p.Tiers.Rank(r.Tier)
	has, ranked := p.Tiers.Rank(s.Level)
	points = r.Points * int64(w.Quantity)
	switch {
	case !r.ArchivedAt.IsZero():
		return refuse("reward_archived", "This reward is not offered any more.")
	case now.Before(r.ValidFrom) || r.Points == 0:
		return refuse("reward_not_yet", "This reward is not offered yet.")
	case !r.ValidUntil.IsZero() && !now.Before(r.ValidUntil):
		return refuse("reward_over", "This reward was offered until %s.", r.ValidUntil.UTC().Format(time.RFC3339))
	case r.Tier != "" && (!known || !ranked || has < need):
		return refuse("reward_tier", "This reward is for members of the tier %s or a higher one.", r.Tier)
	case points > maxPoints:
		return refuse("reward_too_much", "So many cost %d points; one redemption costs at most %d.", points, int64(maxPoints))
	case w.Points != 0 && w.Points != points:
		return refuse("reward_cost_changed", "This costs %d points by now. Ask the member again.", points)
	case r.Limit > 0 && s.Taken+int64(w.Quantity) > int64(r.Limit):
		return refuse("reward_limit", "%s; this customer had %d.", r.limit(), s.Taken)
	case r.Limited && r.Free < int64(w.Quantity):
		return 0, errOutOfStock(r.Free)
	}
	return points, nil
}

// limit says in words how many one customer may have.
func (r Reward) limit() string {
	if r.LimitDays == 0 {
		return fmt.Sprintf("One customer may have %d of this reward", r.Limit)
	}
	return fmt.Sprintf("One customer may have %d of this reward in %d days", r.Limit, r.LimitDays)
}

// since gives from when on redemptions count against the limit.
func (o Offer) since(now time.Time) time.Time {
	if o.LimitDays == 0 {
		return time.Time{}
	}
	return now.AddDate(0, 0, -o.LimitDays)
}
