// Package customerimport brings customers in from files: what a row means, which customer it is about, and what it
// changes there.
package customerimport

import (
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/imports"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customer"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/identity"
)

// source is what an imported customer's registration says about where it came from.
const source = "import"

// columns are what a row can say.
func columns() []imports.Column {
	return []imports.Column{
		{Name: "kind", Doc: "person (the default) or organisation"},
		{Name: "display_name", Doc: "what people read; made of the other names where it is left out"},
		{Name: "given_name"},
		{Name: "family_name"},
		{Name: "legal_name", Doc: "of an organisation"},
		{Name: "phone", Doc: "national to the tenant's region, or with + and the country code"},
		{Name: "email"},
		{Name: "card", Doc: "membership card; belongs to one customer only"},
		{Name: identity.ExternalPrefix + "*", Doc: "the id in another system, such as external:shop; belongs to one customer only"},
	}
}

// isIdentity tells whether a column holds an identity; its type is the column's name.
func isIdentity(column string) bool {
	return column == "phone" || column == "email" || column == "card" || strings.HasPrefix(column, identity.ExternalPrefix)
}

// record is a row that could be read: whom it is about and what it says of them.
type record struct {
	line  int64
	draft customer.Draft
}

// read gives the record of a row, or why there is none. Region is the tenant's.
func read(line int64, mapped []string, value func(column string) string, region string) (record, []imports.Rejection) {
	var faults []imports.Rejection
	r := record{line: line, draft: customer.Draft{
		Kind: customer.Kind(value("kind")), Source: source,
		Names: customer.Names{
			Display: value("display_name"), Given: value("given_name"), Family: value("family_name"), Legal: value("legal_name"),
		},
	}}
	for _, column := range mapped {
		given := value(column)
		if !isIdentity(column) || given == "" {
			continue
		}
		i, fault := identity.Normalise(column, given, region)
		if fault != nil {
			faults = append(faults, imports.Rejection{Line: line, Column: column, Code: fault.Code, Reason: fault.Message})
			continue
		}
		r.draft.Identities = append(r.draft.Identities, i)
	}
	if len(faults) > 0 {
		return r, faults
	}
	_, wrong := customer.Register(uuid.Nil, r.draft, time.Time{})
	return r, rejections(line, wrong)
}

func rejections(line int64, wrong []problem.Field) []imports.Rejection {
	var out []imports.Rejection
	for _, f := range wrong {
		out = append(out, imports.Rejection{Line: line, Column: f.Location, Code: f.Code, Reason: f.Message})
	}
	return out
}

// exclusive gives the identities by which the record says whom it is about.
func (r record) exclusive() []identity.Identity {
	var out []identity.Identity
	for _, i := range r.draft.Identities {
		if i.Type.Exclusive() {
			out = append(out, i)
		}
	}
	return out
}

// batch is what the records of one batch do to the customers of the tenant.
type batch struct {
	policy  imports.Policy
	at      time.Time
	newID   func() uuid.UUID
	holders map[identity.Identity]uuid.UUID // of exclusive identities, those of this batch's new customers included
	now     map[uuid.UUID]*change
	order   []uuid.UUID // of first mention
}

// change is a customer before and after the batch; a new one has no version before.
type change struct {
	was, now customer.Customer
	fields   []string
}

// newBatch begins with the customers who have any of the batch's exclusive identities.
func newBatch(policy imports.Policy, at time.Time, newID func() uuid.UUID, known map[identity.Identity]customer.Customer) *batch {
	b := &batch{policy: policy, at: at, newID: newID, holders: map[identity.Identity]uuid.UUID{}, now: map[uuid.UUID]*change{}}
	for i, c := range known {
		b.holders[i] = c.ID
		if b.now[c.ID] == nil {
			b.now[c.ID] = &change{was: c, now: c}
		}
	}
	return b
}

// take applies one record. A customer who is not known is registered; one who is known, from before or from a row
// above, is left alone (skip) or given what the row says (update). A row whose exclusive identities belong to different
// customers is refused.
func (b *batch) take(r record) []imports.Rejection {
	found := uuid.Nil
	for _, i := range r.exclusive() {
		holder, known := b.holders[i]
		if !known {
			continue
		}
		if found != uuid.Nil && found != holder {
			return []imports.Rejection{{Line: r.line, Column: string(i.Type), Code: "identity_conflict",
				Reason: "belongs to another customer than the other ids of this row"}}
		}
		found = holder
	}
	switch {
	case found == uuid.Nil:
		return b.register(r)
	case b.policy == imports.Update:
		return b.update(b.now[found], r)
	default:
		return nil
	}
}

func (b *batch) register(r record) []imports.Rejection {
	made, wrong := customer.Register(b.newID(), r.draft, b.at)
	if len(wrong) > 0 {
		return rejections(r.line, wrong)
	}
	b.now[made.ID] = &change{now: made}
	b.order = append(b.order, made.ID)
	for _, i := range r.exclusive() {
		b.holders[i] = made.ID
	}
	return nil
}

// update gives a customer the names that the row has and the identities that are new. All of it is one change: one
// version, one event, however many rows of the batch repeat the customer.
func (b *batch) update(ch *change, r record) []imports.Rejection {
	names := overlay(ch.now.Names, r.draft.Names)
	now, fields, wrong := ch.now.Rename(names, b.at)
	if len(wrong) > 0 {
		return rejections(r.line, wrong)
	}
	for _, i := range r.draft.Identities {
		var added bool
		if now, added = now.Identify(i, b.at); added {
			fields = append(fields, "identities")
		}
	}
	if len(now.Identities) > customer.MaxIdentities {
		return []imports.Rejection{{Line: r.line, Code: "too_many", Reason: "the customer would have more than 50 identities"}}
	}
	if len(fields) == 0 {
		return nil
	}
	for _, i := range r.exclusive() {
		b.holders[i] = now.ID
	}
	now.Version = ch.was.Version + 1
	if len(ch.fields) == 0 && ch.was.Version > 0 {
		b.order = append(b.order, now.ID)
	}
	ch.now = now
	ch.fields = slices.Compact(slices.Sorted(slices.Values(append(ch.fields, fields...))))
	return nil
}

// overlay gives the names with those that the row has. A display name of the row wins; without one it is made anew when
// the row names the parts.
func overlay(was, row customer.Names) customer.Names {
	display := row.Display
	if display == "" && row.Given+row.Family+row.Legal == "" {
		display = was.Display
	}
	pick := func(row, was string) string {
		if row != "" {
			return row
		}
		return was
	}
	return customer.Names{
		Display: display, Given: pick(row.Given, was.Given), Family: pick(row.Family, was.Family), Legal: pick(row.Legal, was.Legal),
	}
}

// result gives the new customers and the changed ones, each in the order of the file.
func (b *batch) result() (added []customer.Customer, changed []customer.Changed) {
	for _, id := range b.order {
		switch ch := b.now[id]; {
		case ch.was.Version == 0:
			added = append(added, ch.now)
		default:
			changed = append(changed, customer.Changed{Was: ch.was, Now: ch.now, Fields: ch.fields})
		}
	}
	return added, changed
}
