package pricing

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// PriceRuleBody is what a rule says, as the API takes and shows it. It is exported so that what embeds it is documented whole.
type PriceRuleBody struct {
	Name              string     `json:"name" maxLength:"200" example:"Autumn sale" doc:"For customers and those who sell: it explains what was taken off."`
	Position          int        `json:"position" doc:"Rules are asked from the lowest on, 0 to 1000000." example:"10"`
	Scope             Scope      `json:"scope" enum:"line,basket" doc:"What something is taken off: each line whose condition holds, or the whole basket."`
	Condition         string     `json:"condition,omitempty" maxLength:"2000" doc:"CEL over currency, price_list, channel, basket_minor, basket_units, skus, categories, benefits and, of a line, sku, category, path (codes of its categories from the root), quantity, unit_minor, line_minor; amounts by the price list. Benefits are asked for by their codes, channel and price_list compared with texts. Anything else of the customer is refused. Left out: always." example:"\"drinks\" in path && quantity >= 3"`
	PercentHundredths int32      `json:"percent_hundredths,omitempty" minimum:"0" maximum:"10000" doc:"Hundredths of a percent of what the rules before left, rounded half away from zero. Either this or amount_minor." example:"1000"`
	AmountMinor       int64      `json:"amount_minor,omitempty" minimum:"0" doc:"Off the whole line or basket, in minor units of currency; at most all of it."`
	Currency          string     `json:"currency,omitempty" maxLength:"3" doc:"ISO 4217, of amount_minor; the rule is used for baskets of this currency alone."`
	ValidFrom         *time.Time `json:"valid_from,omitempty" doc:"Left out: ever since."`
	ValidTo           *time.Time `json:"valid_to,omitempty" doc:"Exclusive. Left out: for ever."`
	Exclusive         bool       `json:"exclusive,omitempty" doc:"Goes together with no other rule: left out where a rule before took something off, and none after it takes anything off the same line or basket."`
	Archived          bool       `json:"archived,omitempty" doc:"No longer used."`
}

type priceRuleView struct {
	Code string `json:"code" example:"autumn"`
	PriceRuleBody
	Version   int64     `json:"version" doc:"Rises by one with every change; the ETag."`
	By        string    `json:"by" doc:"Subject of whoever changed it last."`
	ChangedAt time.Time `json:"changed_at"`
}

func showRule(r Rule) priceRuleView {
	return priceRuleView{Code: r.Code, Version: r.Version, By: r.By, ChangedAt: r.ChangedAt.UTC(), PriceRuleBody: PriceRuleBody{
		Name: r.Name, Position: r.Position, Scope: r.Scope, Condition: r.Condition, PercentHundredths: r.PercentHundredths,
		AmountMinor: r.AmountMinor, Currency: r.Currency, ValidFrom: pg.OrNull(r.From), ValidTo: pg.OrNull(r.To),
		Exclusive: r.Exclusive, Archived: r.Archived,
	}}
}

func (b PriceRuleBody) rule(code string) Rule {
	return Rule{Code: code, Name: b.Name, Position: b.Position, Scope: b.Scope, Condition: b.Condition, PercentHundredths: b.PercentHundredths,
		AmountMinor: b.AmountMinor, Currency: b.Currency, From: moment(b.ValidFrom), To: moment(b.ValidTo), Exclusive: b.Exclusive, Archived: b.Archived}
}

func moment(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

type priceRuleAnswer struct {
	ETag string `header:"ETag"`
	Body priceRuleView
}

func ruleAnswered(r Rule, err error) (*priceRuleAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &priceRuleAnswer{httpx.ETag(r.Version), showRule(r)}, nil
}

type byCode struct {
	Code string `path:"code" maxLength:"64"`
}

type priceRuleInput struct {
	Code    string `path:"code" maxLength:"64"`
	IfMatch string `header:"If-Match" doc:"The ETag of the rule as it was read; \"0\" makes it."`
	Body    PriceRuleBody
}

type priceRuleList struct {
	httpx.Page
	Archived bool `query:"archived" doc:"Those in the archive, too."`
}

type priceRulesAnswer struct{ Body priceRulePage }

type priceRulePage struct {
	Items      []priceRuleView `json:"items" nullable:"false" doc:"In the order in which they are asked."`
	NextCursor string          `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

// BenefitBody is what a benefit says, as the API takes and shows it. It is exported so that what embeds it is documented whole.
type BenefitBody struct {
	TextEN        string     `json:"text_en" maxLength:"1000" doc:"What customers read, in English." example:"Gold and platinum members get free delivery."`
	TextZH        string     `json:"text_zh" maxLength:"1000" doc:"The same in Chinese." example:"金卡和白金卡会员免运费。"`
	Tiers         []string   `json:"tiers" nullable:"false" maxItems:"50" doc:"Codes of loyalty's tiers that have it." example:"[\"gold\",\"platinum\"]"`
	PublishedFrom *time.Time `json:"published_from,omitempty" doc:"From when on it is published, never in the past; left out: now. Until then the version before holds."`
	Withdrawn     bool       `json:"withdrawn,omitempty" doc:"From then on nobody has it."`
}

type benefitView struct {
	Code string `json:"code" example:"free_delivery"`
	BenefitBody
	Version int64     `json:"version" doc:"Rises by one with every change; the ETag."`
	By      string    `json:"by" doc:"Subject of whoever wrote this version."`
	At      time.Time `json:"at" doc:"When this version was written."`
}

func showBenefit(b Benefit) benefitView {
	return benefitView{Code: b.Code, Version: b.Version, By: b.By, At: b.At.UTC(), BenefitBody: BenefitBody{
		TextEN: b.TextEN, TextZH: b.TextZH, Tiers: b.Tiers, PublishedFrom: &b.PublishedFrom, Withdrawn: b.Withdrawn,
	}}
}

type benefitAnswer struct {
	ETag string `header:"ETag"`
	Body benefitView
}

func benefitAnswered(b Benefit, err error) (*benefitAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &benefitAnswer{httpx.ETag(b.Version), showBenefit(b)}, nil
}

type benefitInput struct {
	Code    string `path:"code" maxLength:"64"`
	IfMatch string `header:"If-Match" doc:"The ETag of the benefit as it was read; \"0\" makes it."`
	Body    BenefitBody
}

type benefitVersionsInput struct {
	Code string `path:"code" maxLength:"64"`
	httpx.Page
}

type benefitsAnswer struct{ Body benefitPage }

type benefitPage struct {
	Items      []benefitView `json:"items" nullable:"false"`
	NextCursor string        `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

// Routes adds the operations on price rules, benefits and baskets.
func (p *Pricing) Routes(api *httpx.API) {
	const tag = "Prices"
	missing := []int{http.StatusNotFound}
	versioned := []int{http.StatusPreconditionFailed, http.StatusPreconditionRequired, http.StatusConflict}
	httpx.Register(api, httpx.Operation{
		ID: "list-price-rules", Method: http.MethodGet, Path: "/v1/price-rules", Tag: tag, Summary: "List price rules, in the order in which they are asked",
		Permission: auth.CatalogueRead,
	}, p.listRulesHTTP)
	httpx.Register(api, httpx.Operation{
		ID: "get-price-rule", Method: http.MethodGet, Path: "/v1/price-rules/{code}", Tag: tag, Summary: "Read a price rule",
		Permission: auth.CatalogueRead, Errors: missing,
	}, func(ctx context.Context, in *byCode) (*priceRuleAnswer, error) {
		return ruleAnswered(p.Rule(ctx, in.Code))
	})
	httpx.Register(api, httpx.Operation{
		ID: "put-price-rule", Method: http.MethodPut, Path: "/v1/price-rules/{code}", Tag: tag, Summary: "Make or change a price rule",
		Description: "A rule that reads grade, tier, risk, device or anything else of the customer is refused: price_rule_unfair. It may ask for " +
			"benefits that are published by the time from which it is used.",
		Permission: auth.SalesConfigure, Errors: versioned,
	}, func(ctx context.Context, in *priceRuleInput) (*priceRuleAnswer, error) {
		return ruleAnswered(p.PutRule(ctx, in.Body.rule(in.Code), func(version int64) error { return httpx.IfMatch(in.IfMatch, version) }))
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-benefits", Method: http.MethodGet, Path: "/v1/benefits", Tag: tag, Summary: "List benefits as they were written last",
		Permission: auth.CatalogueRead,
	}, p.listBenefitsHTTP)
	httpx.Register(api, httpx.Operation{
		ID: "get-benefit", Method: http.MethodGet, Path: "/v1/benefits/{code}", Tag: tag, Summary: "Read a benefit as it was written last",
		Permission: auth.CatalogueRead, Errors: missing,
	}, func(ctx context.Context, in *byCode) (*benefitAnswer, error) {
		return benefitAnswered(p.Benefit(ctx, in.Code))
	})
	httpx.Register(api, httpx.Operation{
		ID: "put-benefit", Method: http.MethodPut, Path: "/v1/benefits/{code}", Tag: tag, Summary: "Publish a benefit, or a new version of one",
		Description: "What was published stays on record: each change is a version with a time of its own.",
		Permission:  auth.SalesConfigure, Errors: versioned,
	}, func(ctx context.Context, in *benefitInput) (*benefitAnswer, error) {
		b := Benefit{Code: in.Code, TextEN: in.Body.TextEN, TextZH: in.Body.TextZH, Tiers: in.Body.Tiers, PublishedFrom: moment(in.Body.PublishedFrom),
			Withdrawn: in.Body.Withdrawn}
		return benefitAnswered(p.PutBenefit(ctx, b, func(version int64) error { return httpx.IfMatch(in.IfMatch, version) }))
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-benefit-versions", Method: http.MethodGet, Path: "/v1/benefits/{code}/versions", Tag: tag,
		Summary: "List what was published of a benefit, the latest first", Permission: auth.CatalogueRead, Errors: missing,
	}, p.listVersionsHTTP)
	p.calculateRoute(api, tag)
}

func (p *Pricing) listRulesHTTP(ctx context.Context, in *priceRuleList) (*priceRulesAnswer, error) {
	position, code := -1, ""
	parts, err := httpx.DecodeCursor(in.Cursor, 2)
	if err != nil {
		return nil, err
	}
	if parts != nil {
		n, err := strconv.ParseInt(parts[0], 10, 32)
		if err != nil {
			return nil, httpx.CursorInvalid()
		}
		position, code = int(n), parts[1]
	}
	rows, err := p.rules(ctx, in.Archived, position, code, in.Limit+1)
	if err != nil {
		return nil, err
	}
	page, next := httpx.NextPage(rows, in.Limit, func(last Rule) []string { return []string{strconv.Itoa(last.Position), last.Code} })
	body := priceRulePage{Items: make([]priceRuleView, len(page)), NextCursor: next}
	for i, r := range page {
		body.Items[i] = showRule(r)
	}
	return &priceRulesAnswer{body}, nil
}

func (p *Pricing) listBenefitsHTTP(ctx context.Context, in *httpx.Page) (*benefitsAnswer, error) {
	items, next, err := httpx.PageByText(*in, func(after string, limit int) ([]Benefit, error) { return p.benefits(ctx, after, limit) },
		func(b Benefit) string { return b.Code }, showBenefit)
	return &benefitsAnswer{benefitPage{items, next}}, err
}

func (p *Pricing) listVersionsHTTP(ctx context.Context, in *benefitVersionsInput) (*benefitsAnswer, error) {
	items, next, err := httpx.PageByNumber(in.Page, func(before, limit int) ([]Benefit, error) {
		return p.versions(ctx, in.Code, int64(before), limit)
	}, func(b Benefit) int { return int(b.Version) }, showBenefit)
	return &benefitsAnswer{benefitPage{items, next}}, err
}
