package lead

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/money"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/sales/internal/team"
)

// Authorities are who the contact can be in the decision.
func Authorities() []string { return []string{"decision_maker", "influencer", "user", "none"} }

// Edit is a change of a lead; what is nil stays as it is.
type Edit struct {
	Name, Company, JobTitle, Email, Phone, Website *string
	Country, Language, Industry, Source, Campaign  *string
	Pipeline                                       *string
	Tags                                           *[]string
	Custom                                         map[string]json.RawMessage // null takes a value away
	Check
}

// Check is a change of the checklist; what is nil stays as it is.
type Check struct {
	Need        *string
	BudgetMinor *int64 // with Currency
	Currency    *string
	NoBudget    bool // takes the budget away
	Authority   *string
	DecideBy    *time.Time // the zero time takes it away
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

// check gives the checklist with what was found.
func (f *faults) check(c Checklist, found Check) Checklist {
	if found.Need != nil {
		c.Need = f.words("need", *found.Need)
	}
	if found.NoBudget {
		c.BudgetMinor, c.Currency = nil, ""
	}
	if (found.BudgetMinor == nil) != (found.Currency == nil) {
		f.add("budget_minor", "budget_incomplete", "budget_minor and budget_currency belong together")
	} else if found.BudgetMinor != nil {
		amount := *found.BudgetMinor
		if amount < 0 || amount > money.Max {
			f.add("budget_minor", "budget_out_of_range", "must be 0 to %d", money.Max)
		}
		if _, ok := money.Digits(*found.Currency); !ok {
			f.add("budget_currency", "currency_unknown", "must be an ISO 4217 currency code, such as CNY")
		}
		c.BudgetMinor, c.Currency = &amount, *found.Currency
	}
	set(&c.Authority, found.Authority)
	if found.DecideBy != nil {
		c.DecideBy = found.DecideBy.UTC().Truncate(24 * time.Hour)
	}
	return c
}

// Edit gives the lead as it is wanted; changed is false where it is so already.
func (l Lead) Edit(e Edit, w World, at time.Time) (now Lead, changed bool, wrong []problem.Field) {
	if !l.ErasedAt.IsZero() {
		return l, false, nil
	}
	var f faults
	now = l
	for _, one := range []struct{ to, from *string }{
		{&now.Name, e.Name}, {&now.Company, e.Company}, {&now.JobTitle, e.JobTitle}, {&now.Email, e.Email}, {&now.Phone, e.Phone},
		{&now.Website, e.Website}, {&now.Country, e.Country}, {&now.Language, e.Language}, {&now.Industry, e.Industry},
		{&now.Source, e.Source}, {&now.Campaign, e.Campaign},
	} {
		set(one.to, one.from)
	}
	now.Profile = f.profile(now.Profile)
	if now.CustomerID == uuid.Nil && !now.somebody() {
		f.add("name", "contact_required", "one of name, company, email and phone must stay")
	}
	now.Contact = f.contact(now.Contact, regionOf(now.Country, w.Setting))
	now.Domain = companyDomain(now.Contact)
	if e.Tags != nil {
		now.Tags = f.tags(*e.Tags)
	}
	if e.Pipeline != nil {
		now.Pipeline = *e.Pipeline
		f.pipeline(&now, w.Pipelines)
	}
	custom, differs, unfit := w.Fields.Merge(l.Custom, e.Custom)
	f = append(f, unfit...)
	if differs {
		now.Custom = custom
	}
	now.Checklist = f.check(l.Checklist, e.Check)
	if len(f) > 0 || !differs && now.same(l) {
		return l, false, f
	}
	if now.Contact != l.Contact && l.CustomerID == uuid.Nil {
		now.Candidates, now.CustomerCheckedAt = nil, time.Time{} // it may be somebody else
	}
	return now.changed("edited", l.State, "", at), true, nil
}

// same tells whether two leads say the same, in what people edit.
func (l Lead) same(o Lead) bool {
	budget := (l.BudgetMinor == nil) == (o.BudgetMinor == nil) && (l.BudgetMinor == nil || *l.BudgetMinor == *o.BudgetMinor)
	return l.Contact == o.Contact && l.Profile == o.Profile && l.Pipeline == o.Pipeline && budget && slices.Equal(l.Tags, o.Tags) &&
		l.Need == o.Need && l.Currency == o.Currency && l.Authority == o.Authority && l.DecideBy.Equal(o.DecideBy)
}

// assignable names what keeps a lead from being given to a team and somebody of it.
func assignable(code, owner string, book *team.Book) (f faults) {
	if book == nil {
		return nil
	}
	t, known := book.Team(code)
	switch {
	case code == "":
	case !known:
		f.add("team", "team_unknown", "must be the code of a team")
	case t.Archived:
		f.add("team", "team_archived", "is in the archive: it gets no new leads")
	}
	p, there := book.Person(owner)
	switch {
	case owner == "":
	case there && p.Archived:
		f.add("owner", "owner_left", "has left")
	case known && !slices.Contains(t.Members, owner):
		f.add("owner", "owner_of_another_team", "must be of the team")
	}
	return f
}
