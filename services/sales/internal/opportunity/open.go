package opportunity

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"golang.org/x/text/unicode/norm"

	"github.com/guanxi-crm/guanxi/platform/money"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/sales/internal/pipeline"
)

// Draft is an opportunity that is about to be opened.
type Draft struct {
	CustomerID      uuid.UUID
	LeadID          uuid.UUID // that it comes of; Nil for none
	Name            string    // 1 to 200 characters
	Pipeline        string    // code; empty: the tenant's default one
	Stage           string    // code; empty: the pipeline's first
	Currency        string    // empty: the pipeline's
	AmountMinor     int64     // 0: not known; with lines it is left 0, or their sum
	Lines           []Line    // up to 200; their AmountMinor is reckoned
	ExpectedCloseOn time.Time // a day, as midnight UTC
	NextStep        string
	NextStepOn      time.Time
	Owner           string
	Team            string
	Source          string
	Campaign        string
	Category        pipeline.Category
	Tags            []string
	Custom          map[string]json.RawMessage // values by the names of the tenant's fields of leads
	Fields          map[string]string          // of the lead, for scoring: codes only
	Contacts        []Contact
}

// Bounds of what people say.
const (
	maxName     = 200
	maxWords    = 2000
	maxStep     = 500
	maxLines    = 200
	maxTags     = 50
	maxContacts = 100
	maxRivals   = 50
	maxOrders   = 50
	maxSubject  = 200
	maxSKU      = 64
	maxFields   = 50
)

// finder collects what is wrong with an input.
type finder []problem.Field

func (f *finder) add(location, code, message string) {
	*f = append(*f, problem.Field{Location: location, Code: code, Message: message})
}

// line gives one line of words as it is kept, of least to most characters.
func (f *finder) line(location, text string, least, most int) string {
	text = strings.Join(strings.Fields(norm.NFC.String(text)), " ")
	if n := utf8.RuneCountInString(text); n < least || n > most || strings.ContainsFunc(text, unicode.IsControl) {
		f.add(location, "text_malformed", fmt.Sprintf("must be %d to %d characters in one line", least, most))
	}
	return text
}

// words gives words of several lines as they are kept.
func (f *finder) words(location, text string) string {
	text = strings.TrimSpace(norm.NFC.String(text))
	unfit := func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }
	if utf8.RuneCountInString(text) > maxWords || strings.ContainsFunc(text, unfit) {
		f.add(location, "text_malformed", "must be at most 2000 characters, none of them a control character")
	}
	return text
}

// code holds a code to its form; an empty one is none.
func (f *finder) code(location, code string) {
	if code != "" && !pipeline.Coded(code) {
		f.add(location, "code_malformed", "must be a code of 1 to 64 lower-case letters, digits, - and _")
	}
}

func (f *finder) subject(location, subject string) {
	if utf8.RuneCountInString(subject) > maxSubject || strings.ContainsFunc(subject, unicode.IsControl) || strings.TrimSpace(subject) != subject {
		f.add(location, "subject_malformed", "must be the subject of a token, at most 200 characters")
	}
}

// day holds a day to the years in which things are sold.
func (f *finder) day(location string, day time.Time) {
	if !day.IsZero() && (day.Year() < 1970 || day.Year() > 2200) {
		f.add(location, "out_of_range", "must lie between the years 1970 and 2200")
	}
}

func (f *finder) tags(tags []string) []string {
	if len(tags) > maxTags {
		f.add("tags", "too_many", "must be at most 50")
	}
	for i, t := range tags {
		if !pipeline.Coded(t) {
			f.add(fmt.Sprintf("tags[%d]", i), "code_malformed", "must be a code of 1 to 64 lower-case letters, digits, - and _")
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(tags)))
}

func (f *finder) category(c pipeline.Category) {
	if c != "" && !slices.Contains(pipeline.Categories(), c) {
		f.add("forecast_category", "category_unknown", "must be pipeline, best_case or commit")
	}
}

// contact holds a contact to its form.
func (f *finder) contact(at string, c Contact) {
	if c.CustomerID == uuid.Nil {
		f.add(at+"customer_id", "customer_required", "must be the person's id, as a customer")
	}
	if c.Role != "" && !slices.Contains(Roles(), c.Role) {
		f.add(at+"role", "role_unknown", "must be decision_maker, influencer, user, coach or buyer, or left out")
	}
	if c.Influence < 0 || c.Influence > 5 {
		f.add(at+"influence", "out_of_range", "must be 1 to 5, or left out")
	}
	if c.Leaning != nil && (*c.Leaning < -2 || *c.Leaning > 2) {
		f.add(at+"leaning", "out_of_range", "must be -2 to 2, or left out")
	}
}

// lines reckons the amounts of lines and their sum, exactly.
func (f *finder) lines(lines []Line) (all []Line, sum int64) {
	if len(lines) > maxLines {
		f.add("lines", "too_many", "must be at most 200")
		return nil, 0
	}
	const tooLarge = "must leave every line and the sum of all at 9007199254740991 at most"
	for i, l := range lines {
		at := fmt.Sprintf("lines[%d].", i)
		if n := utf8.RuneCountInString(l.SKU); n < 1 || n > maxSKU || strings.ContainsFunc(l.SKU, unicode.IsControl) || strings.TrimSpace(l.SKU) != l.SKU {
			f.add(at+"sku", "sku_malformed", "must be a code of 1 to 64 characters")
		}
		switch {
		case l.Quantity < 1:
			f.add(at+"quantity", "out_of_range", "must be more than 0")
		case l.UnitMinor < 0 || l.UnitMinor > money.Max:
			f.add(at+"unit_minor", "out_of_range", "must be 0 to 9007199254740991")
		case l.UnitMinor > 0 && l.Quantity > money.Max/l.UnitMinor, l.Quantity > money.Max:
			f.add(at+"quantity", "amount_too_large", tooLarge)
		default:
			l.AmountMinor = l.Quantity * l.UnitMinor
			var ok bool
			if sum, ok = money.Add(sum, l.AmountMinor); !ok {
				f.add(at+"unit_minor", "amount_too_large", tooLarge)
				return nil, 0
			}
			all = append(all, l)
		}
	}
	return all, sum
}

func (f *finder) amount(minor int64) {
	if minor < 0 || minor > money.Max {
		f.add("amount_minor", "amount_out_of_range", "must be 0 to 9007199254740991")
	}
}

func (f *finder) currency(currency string) {
	if _, ok := money.Digits(currency); !ok {
		f.add("currency", "currency_unknown", "must be an ISO 4217 currency code, such as CNY")
	}
}

// step holds the next step to having a day.
func (f *finder) step(text string, on time.Time) {
	f.day("next_step_on", on)
	switch {
	case text != "" && on.IsZero():
		f.add("next_step_on", "next_step_incomplete", "must say on which day the next step is")
	case text == "" && !on.IsZero():
		f.add("next_step", "next_step_incomplete", "must say what the next step is")
	}
}

// begin makes an opportunity of the draft in the first stage of a pipeline, or names every field that is not right; Custom is
// left to the caller. Whether it may be in the stage that the draft names is another question, see Opportunity.Move.
func begin(id uuid.UUID, d Draft, p pipeline.Pipeline, by string, now time.Time) (Opportunity, []problem.Field) {
	var f finder
	if d.CustomerID == uuid.Nil {
		f.add("customer_id", "customer_required", "must be the customer's id")
	}
	o := Opportunity{
		ID: id, Version: 1, CustomerID: d.CustomerID, Root: d.CustomerID, LeadID: d.LeadID, Name: f.line("name", d.Name, 1, maxName),
		Pipeline: p.Code, Currency: d.Currency, AmountMinor: d.AmountMinor,
		ExpectedCloseOn: d.ExpectedCloseOn, NextStep: f.line("next_step", d.NextStep, 0, maxStep), NextStepOn: d.NextStepOn, NextStepSince: now,
		Owner: d.Owner, Team: d.Team, Source: d.Source, Campaign: d.Campaign, Category: d.Category, Tags: f.tags(d.Tags), Fields: d.Fields,
		OpenedAt: now, ChangedAt: now, By: by,
	}
	if o.Currency == "" {
		o.Currency = p.Currency
	}
	f.currency(o.Currency)
	f.amount(o.AmountMinor)
	if lines, sum := f.lines(d.Lines); len(lines) > 0 {
		if d.AmountMinor != 0 && d.AmountMinor != sum {
			f.add("amount_minor", "amount_differs", "must be the sum of the lines; leave it out to have it added up")
		}
		o.Lines, o.AmountMinor = lines, sum
	}
	f.day("expected_close_on", o.ExpectedCloseOn)
	f.step(o.NextStep, o.NextStepOn)
	f.subject("owner", o.Owner)
	f.category(o.Category)
	for location, code := range map[string]string{"team": o.Team, "source": o.Source, "campaign": o.Campaign} {
		f.code(location, code)
	}
	if len(d.Contacts) > maxContacts {
		f.add("contacts", "too_many", "must be at most 100")
	}
	seen := make(map[uuid.UUID]bool, len(d.Contacts))
	for i, c := range d.Contacts {
		at := fmt.Sprintf("contacts[%d].", i)
		f.contact(at, c)
		if seen[c.CustomerID] {
			f.add(at+"customer_id", "contact_twice", "must be named once")
		}
		seen[c.CustomerID] = true
		c.Root, c.ChangedAt, c.By = c.CustomerID, now, by
		o.Contacts = append(o.Contacts, c)
	}
	slices.SortFunc(o.Contacts, func(a, b Contact) int { return bytes.Compare(a.CustomerID[:], b.CustomerID[:]) })
	slices.SortFunc(f, func(a, b problem.Field) int { return strings.Compare(a.Location, b.Location) })
	return o, f
}
