package quote

import (
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/pg"
)

// quoteDiscount is a discount as the API takes and shows it.
type quoteDiscount struct {
	Rate        int32 `json:"rate,omitempty" doc:"Hundredths of a percent, 0 to 10000. Either this or an amount." example:"500"`
	AmountMinor int64 `json:"amount_minor,omitempty" doc:"Minor units."`
}

func (d *quoteDiscount) discount() Discount {
	if d == nil {
		return Discount{}
	}
	return Discount(*d)
}

func showDiscount(d Discount) *quoteDiscount {
	if d == (Discount{}) {
		return nil
	}
	shown := quoteDiscount(d)
	return &shown
}

// quoteTax is a tax as the API takes and shows it.
type quoteTax struct {
	Rate        *int32 `json:"rate,omitempty" doc:"Hundredths of a percent of the line's net amount, 0 to 10000." example:"1300"`
	AmountMinor *int64 `json:"amount_minor,omitempty" doc:"Minor units. With a rate as well, it may differ by one from what that makes."`
}

// newQuoteLine is a line as it is written.
type newQuoteLine struct {
	SKU            string         `json:"sku,omitempty" maxLength:"64" doc:"Code of a product. Without it text and unit_price_minor are required." example:"OVEN"`
	Text           string         `json:"text,omitempty" maxLength:"1000" doc:"What it is; the product's name, where it is left out."`
	Quantity       int64          `json:"quantity" example:"1"`
	UnitPriceMinor *int64         `json:"unit_price_minor,omitempty" doc:"Of one, in minor units. Left out: by the price list, less what price rules take off; what is typed is not changed by rules, and counts as a discount where it is below them."`
	Discount       *quoteDiscount `json:"discount,omitempty" doc:"On this line, by the seller."`
	Tax            *quoteTax      `json:"tax,omitempty" doc:"As the caller reckons it; left out: none."`
}

// QuoteContent is what a version says, as it is written.
type QuoteContent struct {
	Currency   string         `json:"currency" doc:"ISO 4217, of every amount; that of the opportunity and the price list." example:"CNY"`
	PriceList  string         `json:"price_list,omitempty" maxLength:"64" doc:"Code; left out: the one of the currency."`
	Title      string         `json:"title,omitempty" maxLength:"200"`
	Recipient  string         `json:"recipient,omitempty" maxLength:"1000" doc:"To whom it is addressed, as it stands on the paper."`
	Terms      string         `json:"terms,omitempty" maxLength:"10000"`
	ValidUntil string         `json:"valid_until,omitempty" format:"date" doc:"The last day on which it can be accepted; left out: by the policy." example:"2026-12-31"`
	TimeZone   string         `json:"time_zone,omitempty" maxLength:"64" doc:"In which that day ends; left out: that of the team of the opportunity, or else of the policy." example:"Asia/Shanghai"`
	Discount   *quoteDiscount `json:"discount,omitempty" doc:"On the whole quote, beside those on lines; it is spread over the lines."`
	Lines      []newQuoteLine `json:"lines" nullable:"false" minItems:"1" maxItems:"500"`
}

func (c QuoteContent) offer() Offer {
	o := Offer{Content: Content{Currency: c.Currency, PriceList: c.PriceList, Title: c.Title, Recipient: c.Recipient, Terms: c.Terms,
		ValidUntil: c.ValidUntil, TimeZone: c.TimeZone, Discount: c.Discount.discount()}}
	for _, l := range c.Lines {
		line := OfferLine{SKU: l.SKU, Text: l.Text, Quantity: l.Quantity, UnitPrice: l.UnitPriceMinor, Discount: l.Discount.discount()}
		if l.Tax != nil {
			line.Tax = Tax(*l.Tax)
		}
		o.Lines = append(o.Lines, line)
	}
	return o
}

// newQuote is what a quote is made of.
type newQuote struct {
	CustomerID    uuid.UUID  `json:"customer_id" format:"uuid"`
	OpportunityID *uuid.UUID `json:"opportunity_id,omitempty" format:"uuid" doc:"An open one of the customer."`
	QuoteContent
}

// quoteLineView is a line with its amounts.
type quoteLineView struct {
	No                int32               `json:"no"`
	SKU               string              `json:"sku,omitempty"`
	Text              string              `json:"text"`
	Quantity          int64               `json:"quantity"`
	UnitPriceMinor    int64               `json:"unit_price_minor"`
	Typed             bool                `json:"typed" doc:"Whether the price was typed."`
	AmountMinor       int64               `json:"amount_minor" doc:"Quantity times price."`
	RuleDiscounts     []quoteRuleDiscount `json:"rule_discounts" nullable:"false" doc:"What price rules took off."`
	Discount          *quoteDiscount      `json:"discount,omitempty"`
	DiscountMinor     int64               `json:"discount_minor" doc:"The line's own discount."`
	SharedMinor       int64               `json:"shared_discount_minor" doc:"The line's share of the discount on the whole quote."`
	NetMinor          int64               `json:"net_minor"`
	Tax               *quoteTax           `json:"tax,omitempty"`
	TaxMinor          int64               `json:"tax_minor"`
	GrossMinor        int64               `json:"gross_minor" doc:"Net and tax: the amount of the order's line."`
	BaseMinor         int64               `json:"base_minor" doc:"What it costs without anything that the seller grants."`
	RuleDiscountMinor int64               `json:"rule_discount_minor"`
}

type quoteRuleDiscount struct {
	Rule        string `json:"rule"`
	Words       string `json:"words"`
	AmountMinor int64  `json:"amount_minor"`
}

func showLine(l Line) quoteLineView {
	v := quoteLineView{No: l.No, SKU: l.SKU, Text: l.Text, Quantity: l.Quantity, UnitPriceMinor: l.UnitMinor, Typed: l.UnitPrice != nil, AmountMinor: l.AmountMinor,
		RuleDiscounts: make([]quoteRuleDiscount, len(l.Rules)), Discount: showDiscount(l.Discount), DiscountMinor: l.DiscountMinor, SharedMinor: l.SharedMinor,
		NetMinor: l.NetMinor, TaxMinor: l.TaxMinor, GrossMinor: l.GrossMinor, BaseMinor: l.BaseMinor, RuleDiscountMinor: l.RuleMinor}
	for i, r := range l.Rules {
		v.RuleDiscounts[i] = quoteRuleDiscount{r.Code, r.Words, r.AmountMinor}
	}
	if l.Tax != (Tax{}) {
		tax := quoteTax(l.Tax)
		v.Tax = &tax
	}
	return v
}

// quoteTotals are the sums of the lines.
type quoteTotals struct {
	AmountMinor       int64 `json:"amount_minor"`
	RuleDiscountMinor int64 `json:"rule_discount_minor"`
	DiscountMinor     int64 `json:"discount_minor" doc:"Discounts on lines."`
	SharedMinor       int64 `json:"shared_discount_minor" doc:"The discount on the whole quote."`
	NetMinor          int64 `json:"net_minor"`
	TaxMinor          int64 `json:"tax_minor"`
	TotalMinor        int64 `json:"total_minor" doc:"What the customer pays, taxes included: the sum of the lines' gross_minor."`
	Granted           int32 `json:"discount_granted" doc:"What the seller grants, in hundredths of a percent of what it would cost otherwise: what approval is measured by." example:"1250"`
}

func showTotals(t Totals) quoteTotals {
	return quoteTotals{t.AmountMinor, t.RuleMinor, t.DiscountMinor, t.SharedMinor, t.NetMinor, t.TaxMinor, t.TotalMinor, t.DiscountRate()}
}

// quoteApproval is how far the approval of a version is.
type quoteApproval struct {
	PolicyVersion int64           `json:"policy_version"`
	Level         string          `json:"level,omitempty" doc:"Code of the level that is asked."`
	LevelName     string          `json:"level_name,omitempty"`
	Escalated     bool            `json:"escalated" doc:"Whether it is asked since the one before was silent."`
	Approvers     []string        `json:"approvers" nullable:"false" doc:"Subjects of whom it is asked; none: anybody with quotes.approve."`
	AskedAt       *time.Time      `json:"asked_at,omitempty"`
	DueAt         *time.Time      `json:"due_at,omitempty" doc:"Until when the level has time."`
	RequestedBy   string          `json:"requested_by"`
	Given         []quoteApproved `json:"given" nullable:"false"`
	ApprovedAt    *time.Time      `json:"approved_at,omitempty"`
}

type quoteApproved struct {
	Level string    `json:"level"`
	By    string    `json:"by"`
	At    time.Time `json:"at"`
}

func showApproval(a Approval) *quoteApproval {
	if a.Requested == "" {
		return nil
	}
	level := a.Level()
	v := &quoteApproval{PolicyVersion: a.Policy.Version, Level: level.Code, LevelName: level.Name, Escalated: a.Escalated && !a.DueAt.IsZero(), Approvers: level.Approvers,
		DueAt: pg.OrNull(a.DueAt), RequestedBy: a.Requested, Given: make([]quoteApproved, len(a.Given)), ApprovedAt: pg.OrNull(a.ApprovedAt)}
	if v.Approvers == nil {
		v.Approvers = []string{}
	}
	if v.DueAt != nil {
		v.AskedAt = pg.OrNull(a.AskedAt)
	}
	for i, g := range a.Given {
		v.Given[i] = quoteApproved(g)
	}
	return v
}

// quoteVersionView is a version without its lines.
type quoteVersionView struct {
	No         int32          `json:"version"`
	State      State          `json:"state"`
	Currency   string         `json:"currency"`
	PriceList  string         `json:"price_list,omitempty"`
	Title      string         `json:"title"`
	Recipient  string         `json:"recipient"`
	Terms      string         `json:"terms"`
	ValidUntil string         `json:"valid_until" format:"date"`
	TimeZone   string         `json:"time_zone"`
	ExpiresAt  time.Time      `json:"expires_at" doc:"When that day ends there."`
	Discount   *quoteDiscount `json:"discount,omitempty"`
	Totals     quoteTotals    `json:"totals"`
	Authors    []string       `json:"authors" nullable:"false" doc:"Who wrote, edited or submitted it or a version before: none of them may approve it."`
	Approval   *quoteApproval `json:"approval,omitempty"`
	OrderID    *uuid.UUID     `json:"order_id,omitempty" format:"uuid"`
	Reason     string         `json:"reason,omitempty" doc:"Code of why it was declined or withdrawn."`
	CreatedAt  time.Time      `json:"created_at"`
	ChangedAt  time.Time      `json:"changed_at"`
	SentAt     *time.Time     `json:"sent_at,omitempty"`
	EndedAt    *time.Time     `json:"ended_at,omitempty"`
}

func showVersion(v Version) quoteVersionView {
	c := v.Content
	return quoteVersionView{No: v.No, State: v.State, Currency: c.Currency, PriceList: c.PriceList, Title: c.Title, Recipient: c.Recipient, Terms: c.Terms,
		ValidUntil: c.ValidUntil, TimeZone: c.TimeZone, ExpiresAt: v.ExpiresAt, Discount: showDiscount(c.Discount), Totals: showTotals(v.Totals), Authors: v.Authors,
		Approval: showApproval(v.Approval), OrderID: pg.OrNull(v.OrderID), Reason: v.Reason, CreatedAt: v.CreatedAt, ChangedAt: v.ChangedAt,
		SentAt: pg.OrNull(v.SentAt), EndedAt: pg.OrNull(v.EndedAt)}
}

// QuoteSummary is a quote in a list: with its latest version, without lines.
type QuoteSummary struct {
	QuoteID       uuid.UUID        `json:"quote_id" format:"uuid"`
	Number        string           `json:"number" example:"Q-000017"`
	CustomerID    uuid.UUID        `json:"customer_id" format:"uuid" doc:"The customer whom the quote's id means now."`
	OpportunityID *uuid.UUID       `json:"opportunity_id,omitempty" format:"uuid"`
	State         State            `json:"state" doc:"Of the latest version."`
	Latest        quoteVersionView `json:"latest"`
	CreatedAt     time.Time        `json:"created_at"`
	ChangedAt     time.Time        `json:"changed_at"`
}

func showSummary(q Quote) QuoteSummary {
	last := q.Latest()
	return QuoteSummary{QuoteID: q.ID, Number: q.Name(), CustomerID: q.Root, OpportunityID: pg.OrNull(q.OpportunityID), State: last.State,
		Latest: showVersion(last), CreatedAt: q.CreatedAt, ChangedAt: q.ChangedAt}
}

// quoteFull is a quote as the API shows it.
type quoteFull struct {
	QuoteSummary
	Lines    []quoteLineView     `json:"lines" nullable:"false" doc:"Of the latest version, or of the one that was asked for."`
	Version  *quoteVersionView   `json:"shown,omitempty" doc:"The version that was asked for."`
	Versions []quoteVersionBrief `json:"versions" nullable:"false"`
	Steps    []quoteStep         `json:"steps" nullable:"false" doc:"What happened, in order."`
}

type quoteVersionBrief struct {
	No         int32      `json:"version"`
	State      State      `json:"state"`
	TotalMinor int64      `json:"total_minor"`
	ChangedAt  time.Time  `json:"changed_at"`
	SentAt     *time.Time `json:"sent_at,omitempty"`
}

type quoteStep struct {
	Action  Action    `json:"action"`
	Version int32     `json:"version"`
	By      string    `json:"by"`
	At      time.Time `json:"at"`
	Level   string    `json:"level,omitempty"`
	Code    string    `json:"code,omitempty"`
	Words   string    `json:"words,omitempty"`
}

func show(t Told) quoteFull {
	v := quoteFull{QuoteSummary: showSummary(t.Quote), Lines: []quoteLineView{}, Versions: make([]quoteVersionBrief, len(t.Versions)), Steps: make([]quoteStep, len(t.Steps))}
	for _, l := range t.Versions[t.Shown-1].Lines {
		v.Lines = append(v.Lines, showLine(l))
	}
	for i, one := range t.Versions {
		v.Versions[i] = quoteVersionBrief{one.No, one.State, one.Totals.TotalMinor, one.ChangedAt, pg.OrNull(one.SentAt)}
	}
	for i, s := range t.Steps {
		v.Steps[i] = quoteStep{s.Action, s.Version, s.By, s.At, s.Level, s.Code, t.notes[s.NoteID]}
	}
	return v
}
