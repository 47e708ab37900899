// Package customerimport brings customers in from files: what a row means, which customer it is about, and what it
// changes there.
package customerimport

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/imports"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/access"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customer"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/field"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/identity"
)

// source is what an imported customer's registration says about where it came from, unless the row says it.
const source = "import"

// Beginnings of the columns of custom fields and of the parts of an address.
const (
	customPrefix  = "custom:"
	addressPrefix = "address:"
)

// columns are what a row can say.
func columns() []imports.Column {
	return []imports.Column{
		{Name: "kind", Doc: "person (the default) or organisation"},
		{Name: "display_name", Doc: "what people read; made of the other names where it is left out"},
		{Name: "given_name"},
		{Name: "family_name"},
		{Name: "legal_name", Doc: "of an organisation"},
		{Name: "source", Doc: "code of where the customer came from; import unless said otherwise"},
		{Name: "owner", Doc: "subject of the user who looks after the customer"},
		{Name: "tags", Many: true, Doc: "several stand one a line, or as an array in JSON; an update adds them to those that are there"},
		{Name: "phone", Many: true, Doc: "national to the tenant's region, or with + and the country code; several as with tags, here and for all identities"},
		{Name: "email", Many: true},
		{Name: "card", Many: true, Doc: "membership card; belongs to one customer only"},
		{Name: "login", Many: true, Doc: "to the tenant's own site; belongs to one customer only"},
		{Name: "web_device", Many: true, Doc: "browser or installed app"},
		{Name: "wechat_union", Many: true, Doc: "WeChat UnionID; belongs to one customer only"},
		{Name: "wechat", Many: true, Doc: "appid:openid; belongs to one customer only"},
		{Name: "wecom", Many: true, Doc: "corpid:external_userid; belongs to one customer only"},
		{Name: identity.ExternalPrefix + "*", Many: true, Doc: "the id in another system, such as external:shop; belongs to one customer only"},
		{Name: addressPrefix + "kind", Doc: "home, work, billing, delivery or other (the default); this and the next five are one address"},
		{Name: addressPrefix + "lines", Many: true, Doc: "street, house, flat: one to five lines"},
		{Name: addressPrefix + "city"},
		{Name: addressPrefix + "region", Doc: "province or state"},
		{Name: addressPrefix + "postal_code"},
		{Name: addressPrefix + "country", Doc: "ISO 3166-1 alpha-2; the tenant's region unless said otherwise"},
		{Name: "addresses", JSON: true, Doc: `a JSON array of addresses, each with kind, lines, city, region, postal_code and country, as exports write it`},
		{Name: customPrefix + "*", Many: true, Doc: "a custom field of the tenant by its name, such as custom:shoe_size"},
	}
}

// isIdentity tells whether a column holds identities; their type is the column's name.
func isIdentity(column string) bool {
	switch column {
	case "phone", "email", "card", "login", "web_device", "wechat_union", "wechat", "wecom":
		return true
	default:
		return strings.HasPrefix(column, identity.ExternalPrefix)
	}
}

// unknown gives those of a mapping's columns that the tenant has no place for.
func unknown(mapped []string, fields field.Set) []string {
	var out []string
	for _, column := range mapped {
		if name, custom := strings.CutPrefix(column, customPrefix); custom {
			if d, defined := fields[name]; !defined || d.Archived {
				out = append(out, column)
			}
		}
	}
	return out
}

// record is a row that could be read: whom it is about and what it says of them.
type record struct {
	line   int64
	draft  customer.Draft
	places []customer.Place
	made   customer.Customer // who is registered where nobody is found
	name   string            // of them, for comparison
}

// reading is what rows are read by.
type reading struct {
	mapped []string
	region string // of the tenant
	fields field.Set
	at     time.Time
	newID  func() uuid.UUID
}

// same tells whether a row is read alike by both.
func (rd *reading) same(other *reading) bool {
	return rd.region == other.region && maps.EqualFunc(rd.fields, other.fields, func(a, b field.Definition) bool {
		return a.Version == b.Version
	})
}

// read gives the record of a row, or why there is none. more are columns of this row alone.
func (rd reading) read(line int64, value func(column string) string, more ...string) (*record, []imports.Rejection) {
	var faults []imports.Rejection
	refuse := func(column, code, reason string) {
		faults = append(faults, imports.Rejection{Line: line, Column: column, Code: code, Reason: reason})
	}
	r := &record{line: line, draft: customer.Draft{
		Kind: customer.Kind(value("kind")), Source: value("source"), Owner: value("owner"), Tags: lines(value("tags")),
		Names: customer.Names{
			Display: value("display_name"), Given: value("given_name"), Family: value("family_name"), Legal: value("legal_name"),
		},
	}}
	if r.draft.Source == "" {
		r.draft.Source = source
	}
	custom := map[string]json.RawMessage{}
	mapped := rd.mapped
	if len(more) > 0 {
		mapped = slices.Concat(mapped, more)
	}
	for _, column := range mapped {
		given := value(column)
		name, isCustom := strings.CutPrefix(column, customPrefix)
		switch {
		case given == "":
		case isIdentity(column):
			for _, one := range lines(given) {
				i, fault := identity.Normalise(column, one, rd.region)
				if fault != nil {
					refuse(column, fault.Code, fault.Message)
					continue
				}
				r.draft.Identities = append(r.draft.Identities, i)
			}
		case isCustom:
			custom[name] = typed(rd.fields[name], given)
		}
	}
	if len(custom) > 0 {
		values, _, wrong := rd.fields.Values("custom", custom)
		for _, f := range wrong {
			refuse(strings.Replace(f.Location, "custom.", customPrefix, 1), f.Code, f.Message)
		}
		r.draft.Custom, r.draft.Classes = values, make(map[string]access.Class, len(values))
		for name := range values {
			r.draft.Classes[name] = rd.fields[name].Class
		}
	}
	var wrong []problem.Field
	r.places, wrong = places(value, rd.region)
	for _, f := range wrong {
		refuse(f.Location, f.Code, f.Message)
	}
	if len(faults) > 0 {
		return r, faults
	}
	for _, p := range r.places {
		r.draft.Addresses = append(r.draft.Addresses, customer.Address{Place: p, ID: rd.newID()})
	}
	r.made, wrong = customer.Register(rd.newID(), r.draft, rd.at)
	r.name = nameOf(r.made.Display)
	return r, rejections(line, wrong)
}

// lines gives the values of a column that takes several.
func lines(text string) []string {
	if text == "" {
		return nil
	}
	if !strings.Contains(text, "\n") {
		return []string{text}
	}
	var out []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return out
}

// typed gives a text as the JSON that a custom field of the definition's type takes; what has no such form is left to the
// definition to refuse.
func typed(d field.Definition, text string) json.RawMessage {
	var value any = text
	switch d.Type {
	case field.Integer, field.Number, field.Boolean:
		if raw := json.RawMessage(text); json.Valid(raw) && text[0] != '"' && text != "null" {
			return raw
		}
	case field.Choices:
		value = lines(text)
	}
	raw, _ := json.Marshal(value) //nolint:errchkjson // texts always have a JSON form
	return raw
}

// placeOf is an address in the column addresses.
type placeOf struct {
	Kind       string   `json:"kind"`
	Lines      []string `json:"lines"`
	City       string   `json:"city"`
	Region     string   `json:"region"`
	PostalCode string   `json:"postal_code"`
	Country    string   `json:"country"`
}

// places gives the addresses of a row: the one of the columns and those of the array.
func places(value func(column string) string, region string) (all []customer.Place, faults []problem.Field) {
	one := placeOf{
		Kind: value(addressPrefix + "kind"), Lines: lines(value(addressPrefix + "lines")), City: value(addressPrefix + "city"),
		Region: value(addressPrefix + "region"), PostalCode: value(addressPrefix + "postal_code"), Country: value(addressPrefix + "country"),
	}
	if len(one.Lines) > 0 || one.City+one.Region+one.PostalCode != "" {
		place, wrong := customer.Place(one).Normalise(region)
		for _, f := range wrong {
			part, _, _ := strings.Cut(f.Location, "[")
			f.Location = addressPrefix + part
			faults = append(faults, f)
		}
		all = append(all, place)
	}
	text := value("addresses")
	if text == "" {
		return all, faults
	}
	var several []placeOf
	dec := json.NewDecoder(strings.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&several); err != nil || dec.More() {
		return nil, append(faults, problem.Field{Location: "addresses", Code: "addresses_malformed",
			Message: "must be a JSON array of objects with kind, lines, city, region, postal_code and country"})
	}
	for _, p := range several {
		place, wrong := customer.Place(p).Normalise(region)
		for _, f := range wrong {
			f.Location = "addresses"
			faults = append(faults, f)
		}
		all = append(all, place)
	}
	return all, faults
}

func rejections(line int64, wrong []problem.Field) []imports.Rejection {
	var out []imports.Rejection
	for _, f := range wrong {
		column, _, _ := strings.Cut(f.Location, "[") // such as tags[1]
		out = append(out, imports.Rejection{Line: line, Column: column, Code: f.Code, Reason: f.Message})
	}
	return out
}

// shared gives the identities that, together with the name, tell whom the record may be about.
func (r *record) shared() []identity.Identity {
	if r.made.Display == "" {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(r.draft.Identities), func(i identity.Identity) bool { return i.Type.Exclusive() })
}
