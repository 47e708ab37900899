package lead

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/customfield"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/sales/internal/team"
)

// Form is a form on websites. Whoever knows its key may fill it in: the key is no secret, but cannot be guessed.
type Form struct {
	ID        uuid.UUID // UUIDv7
	Code      string    // unchangeable
	Key       string
	Open      bool // false: it takes nothing any more
	Version   int64
	ChangedAt time.Time
	By        string // subject
	FormContent
}

// FormContent is what people say of a form.
type FormContent struct {
	Name      string
	Origins   []string    // of the websites that it stands on, such as https://www.example.com
	Fields    []FormField // what it asks for
	Trap      string      // name of a field that people do not see: what fills it in is a machine; empty: there is none
	Source    string      // codes that its leads get
	Campaign  string
	Team      string
	Tags      []string
	PerMinute int // how often it can be filled in within a minute
}

// FormField is something that a form asks for.
type FormField struct {
	Name     string `json:"name"` // one of formFields, or custom. and the name of a custom field
	Required bool   `json:"required,omitempty"`
}

const (
	customPrefix = "custom."
	maxOrigins   = 20
	maxFields    = 50
	maxPerMinute = 10000
	keyBytes     = 24 // 192 random bits
)

// formFields are the fields of a lead that a form can ask for.
func formFields() []string {
	return []string{"name", "company", "job_title", "email", "phone", "website", "country", "language", "industry", "message"}
}

// newKey gives a key that nobody guesses.
func newKey() string {
	var raw [keyBytes]byte
	_, _ = rand.Read(raw[:]) // never fails, says crypto/rand
	return base64.RawURLEncoding.EncodeToString(raw[:])
}

// check gives the content as it is kept, and names what is not right.
func (c FormContent) check(fields customfield.Set, teams *team.Book) (FormContent, faults) {
	var f faults
	if c.Name = f.line("name", c.Name); c.Name == "" {
		f.add("name", "name_required", "must be given")
	}
	if n := len(c.Origins); n < 1 || n > maxOrigins {
		f.add("origins", "origins_out_of_range", "must be 1 to %d", maxOrigins)
	}
	c.Origins = slices.Clone(c.Origins)
	for i, o := range c.Origins {
		c.Origins[i] = strings.ToLower(strings.TrimSuffix(strings.TrimSpace(o), "/"))
		u, err := url.Parse(c.Origins[i])
		if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.Scheme+"://"+u.Host != c.Origins[i] || len(o) > 300 {
			f.add(fmt.Sprintf("origins[%d]", i), "origin_malformed", "must be the origin of a website, such as https://www.example.com")
		}
	}
	f = append(f, c.checkFields(fields)...)
	if c.Trap != "" && !customfield.Name(c.Trap) || slices.Contains(formFields(), c.Trap) {
		f.add("trap", "trap_malformed", "must be small letters, digits and _, and no field of a lead")
	}
	c.Source, c.Campaign, c.Tags = f.code("source", c.Source), f.code("campaign", c.Campaign), f.tags(c.Tags)
	f = append(f, assignable(c.Team, "", teams)...)
	if c.PerMinute < 1 || c.PerMinute > maxPerMinute {
		f.add("per_minute", "per_minute_out_of_range", "must be 1 to %d", maxPerMinute)
	}
	return c, f
}

// checkFields names fields that there are not, or not once, and that nobody could be reached by what is asked for.
func (c FormContent) checkFields(fields customfield.Set) (f faults) {
	if n := len(c.Fields); n < 1 || n > maxFields {
		f.add("fields", "fields_out_of_range", "must be 1 to %d", maxFields)
	}
	seen, reaches := make(map[string]bool), false
	for i, one := range c.Fields {
		at := fmt.Sprintf("fields[%d].name", i)
		custom, own := strings.CutPrefix(one.Name, customPrefix)
		d, known := fields[custom]
		switch {
		case seen[one.Name]:
			f.add(at, "field_twice", "must be there once")
		case own && (!known || d.Archived), !own && !slices.Contains(formFields(), one.Name):
			f.add(at, "field_unknown", "must be a field of a lead, or custom. and the name of a custom field that takes values")
		}
		seen[one.Name] = true
		reaches = reaches || slices.Contains([]string{"email", "phone", "name", "company"}, one.Name)
	}
	if !reaches {
		f.add("fields", "contact_required", "must ask for one of name, company, email and phone")
	}
	return f
}

// New makes a form of a code and its content.
func newForm(id uuid.UUID, code, key string, c FormContent, by string, at time.Time) (Form, []problem.Field) {
	var f faults
	if f.code("code", code); code == "" {
		f.add("code", "code_malformed", codeRule)
	}
	return Form{ID: id, Code: code, Key: key, Open: true, Version: 1, ChangedAt: at, By: by, FormContent: c}, f
}

// change counts a change of the form.
func (f Form) change(by string, at time.Time) Form {
	f.Version, f.By, f.ChangedAt = f.Version+1, by, at
	return f
}

// allows tells whether a browser that shows the website of an origin may send the form. Whoever sends none is no browser.
func (f Form) allows(origin string) bool {
	return origin == "" || slices.Contains(f.Origins, strings.ToLower(origin))
}

// Trapped tells whether a machine filled the form in.
func (f Form) trapped(given map[string]string) bool {
	return f.Trap != "" && strings.TrimSpace(given[f.Trap]) != ""
}

// draft makes a draft of what somebody filled in, or names what is not right of it.
func (f Form) draft(given map[string]string, fields customfield.Set) (Draft, faults) {
	var wrong faults
	d := Draft{
		Capture: ByForm, FormID: f.ID, Team: f.Team, Tags: f.Tags, Profile: Profile{Source: f.Source, Campaign: f.Campaign},
		Custom: map[string]json.RawMessage{},
	}
	places := map[string]*string{
		"name": &d.Name, "company": &d.Company, "job_title": &d.JobTitle, "email": &d.Email, "phone": &d.Phone, "website": &d.Website,
		"country": &d.Country, "language": &d.Language, "industry": &d.Industry, "message": &d.Message,
	}
	for _, one := range f.Fields {
		value := strings.TrimSpace(given[one.Name])
		switch name, own := strings.CutPrefix(one.Name, customPrefix); {
		case value == "":
			if one.Required {
				wrong.add("fields."+one.Name, "required", "must be given")
			}
		case own:
			d.Custom[name] = typed(fields[name].Type, value)
		default:
			*places[one.Name] = value
		}
	}
	asked := func(name string) bool {
		return name == f.Trap && f.Trap != "" || slices.ContainsFunc(f.Fields, func(one FormField) bool { return one.Name == name })
	}
	for name := range given {
		if !asked(name) {
			wrong.add("fields", "field_unknown", "has a field that this form does not ask for")
			break
		}
	}
	return d, wrong
}

// typed gives what somebody typed as the JSON of a custom field's type: forms send texts alone.
func typed(t customfield.Type, value string) json.RawMessage {
	switch t {
	case customfield.Integer, customfield.Number, customfield.Boolean:
		if json.Valid([]byte(value)) {
			return json.RawMessage(value)
		}
	case customfield.Choices:
		parts := strings.Split(value, ",")
		for i := range parts {
			parts[i] = strings.TrimSpace(parts[i])
		}
		return quoted(parts)
	}
	return quoted(value)
}

// quoted gives texts as JSON.
func quoted(v any) json.RawMessage {
	raw, err := json.Marshal(v)
	if err != nil {
		panic("lead: texts always have a JSON form: " + err.Error())
	}
	return raw
}

// inForm says of faults of a lead where they stand in a form.
func inForm(wrong []problem.Field) (f faults) {
	for _, one := range wrong {
		one.Location = "fields." + strings.Replace(one.Location, "custom_fields.", customPrefix, 1)
		f = append(f, one)
	}
	return f
}
