package earning

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/money"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/rule"
)

// ruleTrial is a rule to be tried on an order.
type ruleTrial struct {
	Programme string         `json:"programme,omitempty" maxLength:"64" doc:"Whose categories and zone are meant; left out: standard." example:"standard"`
	Rule      programme.Rule `json:"rule"`
	Order     trialOrder     `json:"order,omitempty"`
}

// trialOrder is an order that a rule is tried on. What is left out is nothing.
type trialOrder struct {
	Currency      string      `json:"currency,omitempty" doc:"ISO 4217; left out: CNY." example:"CNY"`
	TotalMinor    int64       `json:"total_minor,omitempty" doc:"Left out: what the lines come to."`
	Channel       string      `json:"channel,omitempty" maxLength:"64" example:"shop"`
	Lines         []trialLine `json:"lines,omitempty" maxItems:"1000"`
	PlacedAt      *time.Time  `json:"placed_at,omitempty" doc:"Left out: now."`
	Tier          string      `json:"tier,omitempty" maxLength:"64"`
	MemberSince   *time.Time  `json:"member_since,omitempty" doc:"Left out: since the order."`
	BirthdayMonth int         `json:"birthday_month,omitempty" minimum:"0" maximum:"12" doc:"0: not known."`
	FirstPurchase bool        `json:"first_purchase,omitempty"`
}

// trialLine is a line of such an order.
type trialLine struct {
	SKU         string `json:"sku" maxLength:"200" example:"COF-1000"`
	Quantity    int64  `json:"quantity" minimum:"0" maximum:"1000000000"`
	AmountMinor int64  `json:"amount_minor" minimum:"0" maximum:"9007199254740991"`
}

// ruleVerdict is what a rule makes of an order.
type ruleVerdict struct {
	Fits          bool   `json:"fits" doc:"The rule is for this order."`
	Gives         string `json:"gives,omitempty" doc:"Exactly; of a multiplier its factor." example:"13.89"`
	ExcludesLines []int  `json:"excludes_lines,omitempty" doc:"Places of the lines that an exclusion takes off, from 0."`
	ExcludesAll   bool   `json:"excludes_all,omitempty"`
	Failed        string `json:"failed,omitempty" doc:"Why it cannot be reckoned for this order: it would give nothing." example:"division by zero"`
	Cost          uint64 `json:"cost" doc:"That it may have at most for any order, in CEL's units."`
}

// trial makes the order that a rule is tried on.
func (o trialOrder) trial(p programme.Programme, now time.Time) (*rule.Order, []problem.Field) {
	var faults []problem.Field
	if o.Currency == "" {
		o.Currency = "CNY"
	}
	digits, ok := money.Digits(o.Currency)
	if !ok {
		faults = append(faults, problem.Field{Location: "order.currency", Code: "currency_unknown", Message: "must be an ISO 4217 code, such as CNY"})
	}
	asked := &rule.Order{
		Digits: digits, Currency: o.Currency, Channel: o.Channel, PlacedAt: now, Zone: p.Zone, Tier: o.Tier, BirthdayMonth: o.BirthdayMonth,
		FirstPurchase: o.FirstPurchase,
	}
	var sum int64
	for i, l := range o.Lines {
		if sum += l.AmountMinor; sum > money.Max {
			faults = append(faults, problem.Field{Location: fmt.Sprintf("order.lines[%d].amount_minor", i), Code: "amount_too_large", Message: "the lines come to too much"})
			break
		}
		asked.Units += l.Quantity
		asked.Lines = append(asked.Lines, rule.Line{SKU: l.SKU, Category: p.CategoryOf(l.SKU), Quantity: l.Quantity, AmountMinor: l.AmountMinor})
	}
	asked.TotalMinor = o.TotalMinor
	if asked.TotalMinor == 0 {
		asked.TotalMinor = sum
	}
	if o.TotalMinor < 0 || o.TotalMinor > money.Max {
		faults = append(faults, problem.Field{Location: "order.total_minor", Code: "out_of_range", Message: fmt.Sprintf("must be 0 to %d", money.Max)})
	}
	asked.AmountMinor = asked.TotalMinor
	if o.PlacedAt != nil {
		asked.PlacedAt = *o.PlacedAt
	}
	asked.MemberSince = asked.PlacedAt
	if o.MemberSince != nil {
		asked.MemberSince = *o.MemberSince
	}
	return asked, faults
}

// check compiles a rule and tries it on an order, without keeping anything.
func (e *Earnings) check(ctx context.Context, in ruleTrial) (v ruleVerdict, err error) {
	if in.Programme == "" {
		in.Programme = programme.StandardCode
	}
	now := e.now()
	p, err := e.termsOf(ctx, in.Programme, now)
	if err != nil {
		return v, err
	}
	faults := in.Rule.Faults("rule")
	asked, more := in.Order.trial(p, now)
	if faults = append(faults, more...); len(faults) > 0 {
		return v, problem.InvalidBody("earning_rule_invalid", "The rule was not tried: mend what is named here.", faults)
	}
	r := in.Rule
	v.Cost = rule.Cost(r.When) + rule.Cost(r.Points) + rule.Cost(r.Lines)
	a := rule.Ask(asked)
	held, failed := a.Holds(r.When)
	if v.Failed = why(failed); v.Failed != "" {
		return v, nil
	}
	v.Fits = held && r.Active(asked.PlacedAt)
	switch {
	case !v.Fits:
	case r.Kind != programme.RuleExclusion:
		v.many(a, r)
	case r.Lines == "":
		v.ExcludesAll = true
	default:
		for n := range asked.Lines {
			out, failed := a.HoldsFor(r.Lines, n)
			if v.Failed = why(failed); v.Failed != "" {
				break
			}
			if out {
				v.ExcludesLines = append(v.ExcludesLines, n)
			}
		}
	}
	return v, nil
}

// many asks a rule that fits how many.
func (v *ruleVerdict) many(a *rule.Asked, r programme.Rule) {
	n, failed := a.Many(r.Points)
	if v.Failed = why(failed); v.Failed != "" {
		return
	}
	v.Gives = numberText(n.RatString())
	limit := most
	if r.Kind == programme.RuleMultiplier {
		limit = factors
	}
	switch {
	case n.Sign() < 0:
		v.Failed = "below zero"
	case n.Cmp(limit) > 0:
		v.Failed = "too large"
	case r.Kind == programme.RuleMultiplier && n.Cmp(one) < 0:
		v.Failed = "below 1"
	}
}

// why says in words why a rule could not be reckoned; empty where it could.
func why(failed error) string {
	if failed == nil {
		return ""
	}
	return failed.Error()
}

// dryRunDraft is terms to be tried on orders that were placed.
type dryRunDraft struct {
	Terms programme.Terms `json:"terms"`
	From  *time.Time      `json:"from,omitempty" doc:"Of orders placed from then on; left out together with until: of last month, in the programme's zone."`
	Until *time.Time      `json:"until,omitempty" doc:"Of orders placed before."`
}

// dryRunView is a dry run as the API shows it.
type dryRunView struct {
	DryRunID  uuid.UUID  `json:"dry_run_id" format:"uuid"`
	Programme string     `json:"programme"`
	From      time.Time  `json:"from"`
	Until     time.Time  `json:"until"`
	State     string     `json:"state" enum:"queued,running,done,failed"`
	Reason    string     `json:"reason,omitempty" doc:"Why it failed: too_long, ask for a shorter time; interrupted, ask again." enum:"too_long,interrupted"`
	Orders    int64      `json:"orders" doc:"That were looked at so far."`
	Result    *tally     `json:"result,omitempty" doc:"Once it is done."`
	By        string     `json:"by" doc:"Subject of whoever asked for it."`
	CreatedAt time.Time  `json:"created_at"`
	EndedAt   *time.Time `json:"ended_at,omitempty"`
}

func showDryRun(d dryRun) dryRunView {
	return dryRunView{
		DryRunID: d.ID, Programme: d.Programme, From: d.From, Until: d.Until, State: d.State, Reason: d.Reason, Orders: d.Orders, Result: d.Result,
		By: d.By, CreatedAt: d.CreatedAt, EndedAt: present(d.EndedAt, !d.EndedAt.IsZero()),
	}
}

type (
	trialInput  struct{ Body ruleTrial }
	trialAnswer struct{ Body ruleVerdict }
	draftInput  struct {
		Code string `path:"code" maxLength:"64"`
		Body dryRunDraft
	}
	byDryRun struct {
		Code string    `path:"code" maxLength:"64"`
		ID   uuid.UUID `path:"dry_run_id" format:"uuid"`
	}
	dryRunAnswer struct{ Body dryRunView }
)

func (e *Earnings) tryRoutes(api *httpx.API, tag string) {
	httpx.Register(api, httpx.Operation{
		ID: "check-earning-rule", Method: http.MethodPost, Path: "/v1/earning-rules/check", Tag: tag, Summary: "Compile a rule and try it on an order",
		Description: "Nothing is kept. Where the rule does not compile, the problem names what is wrong by line and column.",
		Permission:  auth.LoyaltyConfigure, Status: http.StatusOK, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *trialInput) (*trialAnswer, error) {
		v, err := e.check(ctx, in.Body)
		return &trialAnswer{v}, err
	})
	httpx.Register(api, httpx.Operation{
		ID: "dry-run-programme", Method: http.MethodPost, Path: "/v1/programmes/{code}/dry-runs", Tag: tag, Summary: "Try terms on the orders of last month, or of another time",
		Description: "Orders are judged as if the terms had come into force at the beginning of the time; nothing else is changed. Ask for the result until it is done.",
		Permission:  auth.LoyaltyConfigure, Status: http.StatusAccepted, Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, func(ctx context.Context, in *draftInput) (*dryRunAnswer, error) {
		var from, until time.Time
		if in.Body.From != nil {
			from = *in.Body.From
		}
		if in.Body.Until != nil {
			until = *in.Body.Until
		}
		d, err := e.try(ctx, in.Code, in.Body.Terms, from, until)
		return &dryRunAnswer{showDryRun(d)}, err
	})
	httpx.Register(api, httpx.Operation{
		ID: "get-dry-run", Method: http.MethodGet, Path: "/v1/programmes/{code}/dry-runs/{dry_run_id}", Tag: tag, Summary: "Read what a dry run found",
		Permission: auth.LoyaltyConfigure, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *byDryRun) (*dryRunAnswer, error) {
		d, err := e.dryRun(ctx, in.Code, in.ID)
		return &dryRunAnswer{showDryRun(d)}, err
	})
}
