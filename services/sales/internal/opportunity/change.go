package opportunity

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/sales/internal/pipeline"
)

// Change is what is to be otherwise; what is nil stays as it is.
type Change struct {
	Name            *string
	Currency        *string    // only while there are no lines, and with the amount in it
	AmountMinor     *int64     // only while there are no lines
	ExpectedCloseOn *time.Time // zero: nobody says
	NextStep        *string    // empty: none, and no day either
	NextStepOn      *time.Time
	Owner           *string
	Team            *string
	Source          *string
	Campaign        *string
	Category        *pipeline.Category // empty: the stage's
	Tags            *[]string
	Custom          map[string]any // all values of custom fields, where one is another; nil: they stay
}

var (
	errAmountOfLines = problem.New(problem.Conflict, "amount_of_lines", "The amount is the sum of the lines: change these, or take them away first.")
	errCurrencyFixed = problem.New(problem.Conflict, "currency_fixed", "The lines are in this currency: take them away first.")
)

// scored are the fields that scoring knows.
var scored = []string{"campaign", "source", "tags", "team"}

// set puts a value in the place of another one, and notes the field where that makes a difference.
func set[T comparable](changed *[]string, field string, to *T, at *T) {
	if to != nil && *to != *at {
		*at = *to
		*changed = append(*changed, field)
	}
}

// Change gives the opportunity as it is wanted and the fields that are other than before, by name: none where it is so already.
// What the stage that it is in requires stays.
func (o Opportunity) Change(c Change, s pipeline.Stage, by string, now time.Time) (_ Opportunity, changed []string, err error) {
	if err := o.mayWork(); err != nil {
		return o, nil, err
	}
	was := o
	var f finder
	if c.Name != nil {
		name := f.line("name", *c.Name, 1, maxName)
		set(&changed, "name", &name, &o.Name)
	}
	if err := o.price(c, &f, &changed); err != nil {
		return was, nil, err
	}
	set(&changed, "expected_close_on", c.ExpectedCloseOn, &o.ExpectedCloseOn)
	f.day("expected_close_on", o.ExpectedCloseOn)
	o.plan(c, &f, &changed, now)
	for _, one := range []struct {
		field string
		to    *string
		at    *string
	}{{"team", c.Team, &o.Team}, {"source", c.Source, &o.Source}, {"campaign", c.Campaign, &o.Campaign}} {
		set(&changed, one.field, one.to, one.at)
		f.code(one.field, *one.at)
	}
	set(&changed, "owner", c.Owner, &o.Owner)
	f.subject("owner", o.Owner)
	set(&changed, "forecast_category", c.Category, &o.Category)
	f.category(o.Category)
	if c.Tags != nil {
		if tags := f.tags(*c.Tags); !slices.Equal(tags, o.Tags) {
			o.Tags = tags
			changed = append(changed, "tags")
		}
	}
	if c.Custom != nil {
		o.Custom = c.Custom
		changed = append(changed, "custom_fields")
	}
	if len(f) > 0 {
		return was, nil, invalid(f)
	}
	return o.keep(was, s, changed, by, now)
}

// price takes over another amount or currency.
func (o *Opportunity) price(c Change, f *finder, changed *[]string) error {
	if c.Currency != nil && *c.Currency != o.Currency {
		f.currency(*c.Currency)
		switch {
		case len(o.Lines) > 0:
			return errCurrencyFixed
		case c.AmountMinor == nil && o.AmountMinor > 0:
			f.add("amount_minor", "amount_required", "must be given in the other currency as well")
		}
	}
	if c.AmountMinor != nil && *c.AmountMinor != o.AmountMinor && len(o.Lines) > 0 {
		return errAmountOfLines
	}
	set(changed, "currency", c.Currency, &o.Currency)
	set(changed, "amount_minor", c.AmountMinor, &o.AmountMinor)
	f.amount(o.AmountMinor)
	return nil
}

// plan takes over another next step.
func (o *Opportunity) plan(c Change, f *finder, changed *[]string, now time.Time) {
	step, on := o.NextStep, o.NextStepOn
	if c.NextStep != nil {
		if step = f.line("next_step", *c.NextStep, 0, maxStep); step == "" {
			on = time.Time{}
		}
	}
	if c.NextStepOn != nil {
		on = *c.NextStepOn
	}
	f.step(step, on)
	n := len(*changed)
	set(changed, "next_step", &step, &o.NextStep)
	set(changed, "next_step_on", &on, &o.NextStepOn)
	if len(*changed) > n {
		o.NextStepSince = now
	}
}

// keep refuses a change that takes away what the stage requires; otherwise it notes who changed what.
func (o Opportunity) keep(was Opportunity, s pipeline.Stage, changed []string, by string, now time.Time) (Opportunity, []string, error) {
	if len(changed) == 0 {
		return was, nil, nil
	}
	var missing []Missing
	for _, r := range s.Requires {
		if was.has(r) && !o.has(r) {
			missing = append(missing, Missing{s.Code, r})
		}
	}
	if err := unmet(missing); err != nil {
		return was, nil, err
	}
	slices.Sort(changed)
	return o.changed(by, now), changed, nil
}

// SetLines puts products in the place of those that are there: the amount is their sum. Without any the amount stays as it was.
func (o Opportunity) SetLines(lines []Line, s pipeline.Stage, by string, now time.Time) (Opportunity, []string, error) {
	if err := o.mayWork(); err != nil {
		return o, nil, err
	}
	was := o
	var f finder
	all, sum := f.lines(lines)
	if len(f) > 0 {
		return was, nil, invalid(f)
	}
	var changed []string
	if !slices.Equal(all, o.Lines) {
		changed = append(changed, "lines")
	}
	o.Lines = all
	if len(all) > 0 {
		set(&changed, "amount_minor", &sum, &o.AmountMinor)
	}
	return o.keep(was, s, changed, by, now)
}

// SetContact puts a person with their part in the decision in, or in the place of what was known of them. The caller knows whom the
// ids mean: a person is one contact, by whichever id.
func (o Opportunity) SetContact(c Contact, s pipeline.Stage, by string, now time.Time) (Opportunity, []string, error) {
	if err := o.mayWork(); err != nil {
		return o, nil, err
	}
	var f finder
	f.contact("", c)
	if len(f) > 0 {
		return o, nil, invalid(f)
	}
	was, c := o, stamped(c, by, now)
	o.Contacts = slices.Clone(o.Contacts)
	at := o.contact(c.CustomerID, c.Root)
	switch {
	case at < 0 && len(o.Contacts) >= maxContacts:
		return o, nil, problem.New(problem.Unprocessable, "too_many_contacts", "An opportunity has at most %d contacts.", maxContacts)
	case at < 0:
		o.Contacts = append(o.Contacts, c)
		slices.SortFunc(o.Contacts, func(a, b Contact) int { return bytes.Compare(a.CustomerID[:], b.CustomerID[:]) })
	case o.Contacts[at].same(c):
		return o, nil, nil
	default:
		c.CustomerID = o.Contacts[at].CustomerID // as it was written
		o.Contacts[at] = c
	}
	return o.keep(was, s, []string{"contacts"}, by, now)
}

func stamped(c Contact, by string, now time.Time) Contact {
	c.By, c.ChangedAt = by, now
	return c
}

// contact gives the place of a person; -1 where they are none.
func (o Opportunity) contact(id, root uuid.UUID) int {
	return slices.IndexFunc(o.Contacts, func(c Contact) bool { return c.CustomerID == id || c.Root == root })
}

// same tells whether two contacts say the same of somebody.
func (c Contact) same(d Contact) bool {
	leaning := c.Leaning == d.Leaning || c.Leaning != nil && d.Leaning != nil && *c.Leaning == *d.Leaning
	return c.Role == d.Role && c.Influence == d.Influence && leaning
}

var errNoContact = problem.New(problem.NotFound, "contact_not_found", "This is no contact of the opportunity.")

// DropContact takes a person out.
func (o Opportunity) DropContact(at int, s pipeline.Stage, by string, now time.Time) (Opportunity, []string, error) {
	if err := o.mayWork(); err != nil {
		return o, nil, err
	}
	was := o
	o.Contacts = slices.Delete(slices.Clone(o.Contacts), at, at+1)
	return o.keep(was, s, []string{"contacts"}, by, now)
}

// SetRival puts a competitor in, or other words in the place of what was said of one.
func (o Opportunity) SetRival(r Rival, s pipeline.Stage, by string, now time.Time) (Opportunity, []string, error) {
	if err := o.mayWork(); err != nil {
		return o, nil, err
	}
	var f finder
	r.Strengths, r.Weaknesses = f.words("strengths", r.Strengths), f.words("weaknesses", r.Weaknesses)
	if len(f) > 0 {
		return o, nil, invalid(f)
	}
	was := o
	r.By, r.ChangedAt = by, now
	o.Rivals = slices.Clone(o.Rivals)
	at := o.rival(r.Competitor)
	switch {
	case at < 0 && len(o.Rivals) >= maxRivals:
		return o, nil, problem.New(problem.Unprocessable, "too_many_competitors", "An opportunity has at most %d competitors.", maxRivals)
	case at < 0:
		o.Rivals = append(o.Rivals, r)
		slices.SortFunc(o.Rivals, func(a, b Rival) int { return strings.Compare(a.Competitor, b.Competitor) })
	case o.Rivals[at].Strengths == r.Strengths && o.Rivals[at].Weaknesses == r.Weaknesses:
		return o, nil, nil
	default:
		o.Rivals[at] = r
	}
	return o.keep(was, s, []string{"competitors"}, by, now)
}

// rival gives the place of a competitor; -1 where it is none here.
func (o Opportunity) rival(code string) int {
	return slices.IndexFunc(o.Rivals, func(r Rival) bool { return r.Competitor == code })
}

// DropRival takes a competitor out.
func (o Opportunity) DropRival(code string, s pipeline.Stage, by string, now time.Time) (Opportunity, []string, error) {
	if err := o.mayWork(); err != nil {
		return o, nil, err
	}
	at := o.rival(code)
	if at < 0 {
		return o, nil, problem.New(problem.NotFound, "competitor_not_found", "This is no competitor in the opportunity.")
	}
	was := o
	o.Rivals = slices.Delete(slices.Clone(o.Rivals), at, at+1)
	return o.keep(was, s, []string{"competitors"}, by, now)
}

// checkOrders names the orders that an opportunity cannot have been won by: those of nobody, and of somebody else. of are the
// customers of the orders that are known, as they are meant now.
func (o Opportunity) checkOrders(orders []uuid.UUID, of map[uuid.UUID]uuid.UUID) []problem.Field {
	var f finder
	if len(orders) > maxOrders {
		f.add("orders", "too_many", "must be at most 50")
		return f
	}
	for i, id := range orders {
		at := fmt.Sprintf("orders[%d]", i)
		switch root, known := of[id]; {
		case !known:
			f.add(at, "order_unknown", "is no order")
		case root != o.Root:
			f.add(at, "order_of_another_customer", "is not an order of the opportunity's customer")
		}
	}
	return f
}
