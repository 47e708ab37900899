package customfield

import (
	"encoding/json"
	"maps"
	"time"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Kind is what fields are of: leads, tickets. A table <of>_field holds their definitions: tenant_id, name, title, type, choices,
// archived, used, version, changed_at, with the primary key (tenant_id, name).
type Kind struct {
	Of   string // such as lead: in the names of the table, of errors and of operations
	Many string // such as leads: in what people read
	// Read and Configure are what reading and defining fields need.
	Read, Configure auth.Permission
}

// Definition is one custom field.
type Definition struct {
	Form
	Name      string // by which values are stored, for life: a-z, 0-9 and _
	Archived  bool   // takes no new values; what has a value keeps it
	Used      bool   // something has, or had, a value
	Version   int64
	ChangedAt time.Time
}

// Most is how many fields a tenant can define, archived ones included.
const Most = 200

// Define makes a field of a name and a form, or names everything that is not right about it.
func Define(name string, form Form, now time.Time) (Definition, []problem.Field) {
	form, faults := form.Normalise()
	return Definition{Form: form, Name: name, Version: 1, ChangedAt: now}, append(faults, CheckName(name)...)
}

// Change gives the field as it is wanted; changed is false when it is so already. Once a field was used its type stays and
// its choices only become more: values that are there must stay valid.
func (d Definition) Change(to Form, archived bool, now time.Time) (_ Definition, changed bool, faults []problem.Field) {
	to, faults = to.Normalise()
	if d.Used {
		faults = append(faults, d.Loosened(to)...)
	}
	if len(faults) > 0 || d.Same(to) && archived == d.Archived {
		return d, false, faults
	}
	d.Form, d.Archived, d.Version, d.ChangedAt = to, archived, d.Version+1, now
	return d, true, nil
}

// Set are the definitions of a tenant, by name.
type Set map[string]Definition

// Values brings values that were given for fields to the form in which they are kept, and names those that have none.
// null (which is in removed) takes a value away.
func (s Set) Values(given map[string]json.RawMessage) (values map[string]any, removed []string, faults []problem.Field) {
	return Values(func(name string) (Form, bool, bool) {
		d, known := s[name]
		return d.Form, d.Archived, known
	}, "custom_fields", given)
}

// Merge gives the values that something has once it was given others: null takes one away, and what is not named stays.
// differs is false where they are the same as before.
func (s Set) Merge(was map[string]any, given map[string]json.RawMessage) (now map[string]any, differs bool, faults []problem.Field) {
	values, removed, faults := s.Values(given)
	now = maps.Clone(was)
	if now == nil {
		now = make(map[string]any, len(values))
	}
	for name, value := range values {
		differs = differs || !same(now[name], value)
		now[name] = value
	}
	for _, name := range removed {
		_, had := now[name]
		differs = differs || had
		delete(now, name)
	}
	return now, differs, faults
}

// same compares values as JSON shows them: what was read from a table has other types than what was given.
func same(a, b any) bool {
	one, err := json.Marshal(a)
	other, err2 := json.Marshal(b)
	return err == nil && err2 == nil && string(one) == string(other)
}
