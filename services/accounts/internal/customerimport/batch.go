package customerimport

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/text/unicode/norm"

	"github.com/guanxi-crm/guanxi/platform/imports"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/access"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customer"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/identity"
)

// batch is what the records of one batch do to the customers of the tenant.
type batch struct {
	policy  imports.Policy
	at      time.Time
	newID   func() uuid.UUID
	holders map[identity.Identity]uuid.UUID // of exclusive identities, those of this batch's new customers included
	alike   map[likeness][]uuid.UUID        // customers by shared identity and name, those of this batch included
	certain map[uuid.UUID][]uuid.UUID       // by the id under which a record would be registered: who it is by the tenant's rules
	now     map[uuid.UUID]*change
	order   []uuid.UUID // of first mention
}

// change is a customer before and after the batch.
type change struct {
	was    *customer.Customer // nil: a new one
	now    *customer.Customer // is replaced, and never changed: was, or what the record would register, may be the same
	fields []string
}

// likeness is a telephone, mailbox or browser together with the name of who has it. Two who are alike are one customer, as
// long as nothing speaks against it.
type likeness struct {
	identity.Identity
	name string
}

// nameOf gives a name for comparison: without blanks, widths and capitals.
func nameOf(display string) string {
	return strings.ToLower(strings.Join(strings.Fields(norm.NFKC.String(display)), ""))
}

// newBatch begins a batch of so many records with the customers who have any of their exclusive identities, by these, and
// others whom a record may be about: by a telephone, a mailbox or a browser, or as the tenant's rules say.
func newBatch(policy imports.Policy, at time.Time, newID func() uuid.UUID, records int, known map[identity.Identity]customer.Customer, others others) *batch {
	b := &batch{
		policy: policy, at: at, newID: newID, holders: make(map[identity.Identity]uuid.UUID, 2*records),
		alike: make(map[likeness][]uuid.UUID, 2*records), certain: map[uuid.UUID][]uuid.UUID{},
		now: make(map[uuid.UUID]*change, records), order: make([]uuid.UUID, 0, records),
	}
	for _, c := range others.customers {
		b.know(c)
	}
	for made, of := range others.certain {
		for _, id := range of {
			if b.now[id] != nil { // who was erased meanwhile is nobody
				b.certain[made] = append(b.certain[made], id)
			}
		}
	}
	for i, c := range known {
		b.know(c)
		b.holders[i] = c.ID
	}
	return b
}

// begin begins another batch of strangers, in the room of the one before.
func (b *batch) begin(at time.Time) *batch {
	b.at, b.order = at, b.order[:0]
	clear(b.holders)
	clear(b.alike)
	clear(b.certain)
	clear(b.now)
	return b
}

func (b *batch) know(c customer.Customer) {
	if b.now[c.ID] != nil {
		return
	}
	b.now[c.ID] = &change{was: &c, now: &c}
	b.remember(&c, nameOf(c.Display))
}

// remember has the customer found by later records; name is the one for comparison.
func (b *batch) remember(c *customer.Customer, name string) {
	for _, i := range c.Identities {
		switch {
		case !i.Valid():
		case i.Type.Exclusive():
			b.holders[i.Identity] = c.ID
		case name != "":
			l := likeness{i.Identity, name}
			if !slices.Contains(b.alike[l], c.ID) {
				b.alike[l] = append(b.alike[l], c.ID)
			}
		}
	}
}

// take applies one record. A customer who is not known is registered; one who is known, from before or from a row
// above, is left alone (skip) or given what the row says (update). A row whose exclusive identities belong to different
// customers is refused, as is one that wants another customer with them (create).
func (b *batch) take(r *record) []imports.Rejection {
	found, refused := b.holder(r)
	if refused == nil && found == uuid.Nil && b.policy != imports.Create {
		found, refused = b.likely(r)
	}
	switch {
	case refused != nil:
		return refused
	case found == uuid.Nil:
		b.now[r.made.ID] = &change{now: &r.made}
		b.order = append(b.order, r.made.ID)
		b.remember(&r.made, r.name)
		return nil
	case b.policy == imports.Update:
		return b.update(b.now[found], r)
	default:
		return nil
	}
}

// holder gives the customer who has the record's exclusive identities; nil UUID: nobody has any.
func (b *batch) holder(r *record) (found uuid.UUID, refused []imports.Rejection) {
	for _, i := range r.draft.Identities {
		if !i.Type.Exclusive() {
			continue
		}
		holder, known := b.holders[i]
		switch {
		case !known:
		case b.policy == imports.Create:
			return uuid.Nil, []imports.Rejection{{Line: r.line, Column: string(i.Type), Code: "identity_taken",
				Reason: "belongs to a customer already, and can belong to one only"}}
		case found != uuid.Nil && found != holder:
			return uuid.Nil, []imports.Rejection{{Line: r.line, Column: string(i.Type), Code: "identity_conflict",
				Reason: "belongs to another customer than the other ids of this row"}}
		default:
			found = holder
		}
	}
	return found, nil
}

// likely gives the one customer of whom the tenant's rules say that it is the record's, or who has a telephone, a mailbox or a
// browser of the record and its name, and whose ids elsewhere do not speak against it; nil UUID: there is none.
func (b *batch) likely(r *record) (found uuid.UUID, refused []imports.Rejection) {
	several := func(column, reason string) (uuid.UUID, []imports.Rejection) {
		if b.policy != imports.Update {
			return found, nil
		}
		return uuid.Nil, []imports.Rejection{{Line: r.line, Column: column, Code: "match_ambiguous", Reason: reason}}
	}
	another := func(id uuid.UUID) bool {
		if id == found || contradicts(b.now[id].now, r) {
			return false
		}
		if found == uuid.Nil {
			found = id
			return false
		}
		return true
	}
	for _, id := range b.certain[r.made.ID] {
		if another(id) {
			return several("", "is several customers by the rules of your organisation; give a card or another id of one of them")
		}
	}
	for _, i := range r.draft.Identities {
		if i.Type.Exclusive() || r.name == "" {
			continue
		}
		for _, id := range b.alike[likeness{i, r.name}] {
			if another(id) {
				return several(string(i.Type), "belongs to several customers of this name; give a card or another id of one of them")
			}
		}
	}
	return found, nil
}

// contradicts tells whether the record has an id of a sort of which the customer has another: the same system gave two
// ids, so it knows two.
func contradicts(c *customer.Customer, r *record) bool {
	for _, wants := range r.draft.Identities {
		if !wants.Type.Exclusive() {
			continue
		}
		for _, has := range c.Identities {
			if has.Valid() && has.Type == wants.Type && has.Value != wants.Value {
				return true
			}
		}
	}
	return false
}

// update gives a customer what the row says: other names, kind, owner and custom fields; tags, identities and addresses in
// addition to those that are there. All of it is one change: one version, however many rows of the batch repeat the
// customer.
func (b *batch) update(ch *change, r *record) []imports.Rejection {
	d := ch.now.Details()
	d.Names = overlay(d.Names, r.draft.Names)
	if r.draft.Kind != "" {
		d.Kind = r.draft.Kind
	}
	if r.draft.Owner != "" {
		d.Owner = r.draft.Owner
	}
	d.Tags = append(slices.Clone(d.Tags), r.draft.Tags...)
	if len(r.draft.Custom) > 0 {
		d.Custom, d.Classes = mergedMaps(d.Custom, r.draft.Custom), mergedMaps[access.Class](d.Classes, r.draft.Classes)
	}
	now, fields, wrong := ch.now.Change(d, b.at)
	if len(wrong) > 0 {
		return rejections(r.line, wrong)
	}
	for _, i := range r.draft.Identities {
		var added bool
		if now, added = now.Identify(i, b.at); added {
			fields = append(fields, "identities")
		}
	}
	for _, p := range r.places {
		if !lives(&now, p) {
			now, fields = now.AddAddress(b.newID(), p, b.at), append(fields, "addresses")
		}
	}
	switch {
	case len(now.Identities) > customer.MaxIdentities:
		return []imports.Rejection{{Line: r.line, Code: "too_many", Reason: "the customer would have more than 50 identities"}}
	case len(now.Addresses) > customer.MaxAddresses:
		return []imports.Rejection{{Line: r.line, Code: "too_many", Reason: "the customer would have more than 20 addresses"}}
	case len(fields) == 0:
		return nil
	}
	now.Version = 1
	if ch.was != nil {
		if now.Version = ch.was.Version + 1; len(ch.fields) == 0 {
			b.order = append(b.order, now.ID)
		}
	}
	ch.now = &now
	ch.fields = slices.Compact(slices.Sorted(slices.Values(append(ch.fields, fields...))))
	b.remember(&now, nameOf(now.Display))
	return nil
}

func mergedMaps[V any](was, with map[string]V) map[string]V {
	out := maps.Clone(was)
	if out == nil {
		out = make(map[string]V, len(with))
	}
	maps.Copy(out, with)
	return out
}

func lives(c *customer.Customer, p customer.Place) bool {
	return slices.ContainsFunc(c.Addresses, func(has customer.Address) bool {
		lines := slices.Equal(has.Lines, p.Lines)
		has.Lines, p.Lines = nil, nil
		return lines && has.Kind == p.Kind && has.City == p.City && has.Region == p.Region && has.PostalCode == p.PostalCode && has.Country == p.Country
	})
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
func (b *batch) result() (added []*customer.Customer, changed []customer.Changed) {
	added = make([]*customer.Customer, 0, len(b.order))
	for _, id := range b.order {
		switch ch := b.now[id]; {
		case ch.was == nil:
			added = append(added, ch.now)
		default:
			changed = append(changed, customer.Changed{Was: *ch.was, Now: *ch.now, Fields: ch.fields})
		}
	}
	return added, changed
}
