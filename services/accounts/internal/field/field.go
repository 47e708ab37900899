// Package field keeps the custom fields of a tenant: what it wants to know of its customers besides what the platform has
// a place for. Each has a type, by which values are held to their form, and a class, by which it is decided who sees them.
package field

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/guanxi-crm/guanxi/platform/customfield"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/access"
)

// Type is the form of a field's values.
type Type = customfield.Type

// The types.
const (
	Text    = customfield.Text
	Integer = customfield.Integer
	Number  = customfield.Number
	Boolean = customfield.Boolean
	Date    = customfield.Date
	Choice  = customfield.Choice
	Choices = customfield.Choices
)

// Types lists the types.
func Types() []Type { return customfield.Types() }

// Definition is one custom field.
type Definition struct {
	Name      string // by which values are stored, for life: a-z, 0-9 and _
	Title     string // as people read it
	Type      Type
	Choices   []string // of the types choice and choices, in the order in which they are offered
	Class     access.Class
	Archived  bool // takes no new values; what customers have stays
	Used      bool // a customer has, or had, a value
	Version   int64
	CreatedAt time.Time
	ChangedAt time.Time
}

// MaxFields is how many fields a tenant can define, archived ones included.
const MaxFields = 200

// Define makes a field, or names everything that is not right about it.
func Define(d Definition, at time.Time) (Definition, []problem.Field) {
	d, faults := d.normalise()
	faults = append(faults, customfield.CheckName(d.Name)...)
	d.Version, d.CreatedAt, d.ChangedAt, d.Archived, d.Used = 1, at, at, false, false
	return d, faults
}

// Change gives the field as it is wanted; changed is false when it is so already. Once a field was used its type stays,
// its choices only become more, and its class only becomes more protected: values that are there must stay valid, and
// nobody may see by it what they could not see before.
func (d Definition) Change(to Definition, at time.Time) (now Definition, changed bool, faults []problem.Field) {
	to, faults = to.normalise()
	if d.Used {
		faults = append(faults, d.form().Loosened(to.form())...)
		if rank(to.Class) < rank(d.Class) {
			faults = append(faults, fault("class", "field_in_use", "customers have values of this class already: it can only be raised"))
		}
	}
	same := d.form().Same(to.form()) && to.Class == d.Class && to.Archived == d.Archived
	if len(faults) > 0 || same {
		return d, false, faults
	}
	d.Title, d.Type, d.Class, d.Archived, d.Choices = to.Title, to.Type, to.Class, to.Archived, to.Choices
	d.Version, d.ChangedAt = d.Version+1, at
	return d, true, nil
}

func (d Definition) form() customfield.Form {
	return customfield.Form{Title: d.Title, Type: d.Type, Choices: d.Choices}
}

func (d Definition) normalise() (Definition, []problem.Field) {
	form, faults := d.form().Normalise()
	d.Title, d.Choices = form.Title, form.Choices
	if !slices.Contains(access.Classes(), d.Class) {
		faults = append(faults, fault("class", "class_unknown", "must be identity, contact, behaviour, financial, health or special"))
	}
	return d, faults
}

// rank is how far a class is protected: access lists them from the least to the most.
func rank(c access.Class) int { return slices.Index(access.Classes(), c) }

// Set are the definitions of a tenant, by name.
type Set map[string]Definition

// Values brings values that were given for fields to the form in which they are kept, and names those that have none.
// null (which is in removed) takes a value away. Locations begin with prefix, such as custom_fields.
func (s Set) Values(prefix string, given map[string]json.RawMessage) (values map[string]any, removed []string, faults []problem.Field) {
	return customfield.Values(func(name string) (customfield.Form, bool, bool) {
		d, known := s[name]
		return d.form(), d.Archived, known
	}, prefix, given)
}

func fault(location, code, message string) problem.Field {
	return problem.Field{Location: location, Code: code, Message: message}
}
