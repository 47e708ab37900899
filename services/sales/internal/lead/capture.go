package lead

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"golang.org/x/text/language"
	"golang.org/x/text/unicode/norm"

	"github.com/guanxi-crm/guanxi/platform/contactpoint"
	"github.com/guanxi-crm/guanxi/platform/customfield"
	"github.com/guanxi-crm/guanxi/platform/externalref"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/sales/internal/pipeline"
	"github.com/guanxi-crm/guanxi/services/sales/internal/team"
)

// Draft is what came in of somebody, as people and systems write it.
type Draft struct {
	ExternalRef externalref.Ref // the other system's name for what came in; zero: it has none
	CustomerID  uuid.UUID       // whom it is known to be; Nil: not known
	Contact                     // without a customer one of name, company, email and phone must be given
	Message     string
	Profile
	Capture    Capture
	FormID     uuid.UUID
	Team       string // code; empty until it is assigned
	Pipeline   string // code; empty: the tenant's first
	Tags       []string
	Custom     map[string]json.RawMessage
	CapturedAt time.Time // zero: now
}

// Bounds of what is taken.
const (
	maxName    = 200  // characters of a name, a company and a job title
	maxMessage = 5000 // characters of a message, a note and a need
	maxTags    = 50
	maxTag     = 64 // characters
	maxWebsite = 500
	skew       = 24 * time.Hour // how far another system's clock may be ahead of ours
)

const codeRule = "must be a code of 1 to 64 lower-case letters, digits, - and _, beginning with a letter or a digit"

// faults are what is wrong with something, field by field.
type faults []problem.Field

func (f *faults) add(location, code, format string, args ...any) {
	*f = append(*f, problem.Field{Location: location, Code: code, Message: fmt.Sprintf(format, args...)})
}

// code takes a code, which may be empty.
func (f *faults) code(location, code string) string {
	if code != "" && !pipeline.Coded(code) {
		f.add(location, location+"_malformed", codeRule)
	}
	return code
}

// line takes words of one line.
func (f *faults) line(location, words string) string {
	words = strings.Join(strings.Fields(norm.NFC.String(words)), " ")
	if utf8.RuneCountInString(words) > maxName || strings.ContainsFunc(words, unicode.IsControl) {
		f.add(location, location+"_malformed", "must be at most %d characters, none of them a control character", maxName)
	}
	return words
}

// words takes words of any number of lines.
func (f *faults) words(location, words string) string {
	words = strings.TrimSpace(norm.NFC.String(strings.ReplaceAll(words, "\r\n", "\n")))
	unfit := func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }
	if utf8.RuneCountInString(words) > maxMessage || strings.ContainsFunc(words, unfit) {
		f.add(location, location+"_malformed", "must be at most %d characters, none of them a control character", maxMessage)
	}
	return words
}

// contact brings the words about somebody to the form in which they are kept. Region is the country that a telephone number
// without one is of.
func (f *faults) contact(c Contact, region string) Contact {
	c.Name, c.Company, c.JobTitle = f.line("name", c.Name), f.line("company", c.Company), f.line("job_title", c.JobTitle)
	var ok bool
	if c.Email = strings.TrimSpace(c.Email); c.Email != "" {
		if c.Email, ok = contactpoint.Email(c.Email); !ok {
			f.add("email", "email_malformed", contactpoint.EmailMalformed)
		}
	}
	if c.Phone = strings.TrimSpace(c.Phone); c.Phone != "" {
		if c.Phone, ok = contactpoint.Phone(c.Phone, region); !ok {
			f.add("phone", "phone_malformed", contactpoint.PhoneMalformed)
		}
	}
	if c.Website = strings.TrimSpace(c.Website); c.Website != "" {
		if c.Website, ok = website(c.Website); !ok {
			f.add("website", "website_malformed", "must be a website such as example.com or https://www.example.com/")
		}
	}
	return c
}

// somebody tells whether there is anything by which a lead can be worked on.
func (c Contact) somebody() bool { return strings.TrimSpace(c.Name+c.Company+c.Email+c.Phone) != "" }

// website gives the domain of an address as people write it, without www.
func website(typed string) (domain string, ok bool) {
	if len(typed) > maxWebsite {
		return "", false
	}
	typed = strings.ToLower(typed)
	for _, scheme := range []string{"https://", "http://"} {
		typed = strings.TrimPrefix(typed, scheme)
	}
	host, _, _ := strings.Cut(typed, "/")
	host, _, _ = strings.Cut(host, "?")
	return contactpoint.Domain(strings.TrimPrefix(host, "www."))
}

// profile brings codes to the form in which they are kept.
func (f *faults) profile(p Profile) Profile {
	p.Source, p.Campaign, p.Industry = f.code("source", p.Source), f.code("campaign", p.Campaign), f.code("industry", p.Industry)
	if p.Country != "" {
		region, err := language.ParseRegion(p.Country)
		if err != nil || !region.IsCountry() || len(region.String()) != 2 {
			f.add("country", "country_unknown", "must be an ISO 3166-1 code such as CN")
		}
		p.Country = region.String()
	}
	if p.Language != "" {
		tag, err := language.Parse(p.Language)
		if err != nil || len(p.Language) > 35 {
			f.add("language", "language_unknown", "must be a language tag such as zh or en-GB")
		}
		p.Language = tag.String()
	}
	return p
}

// tags gives tags in small letters, each once, in order.
func (f *faults) tags(given []string) []string {
	tags := make([]string, 0, len(given))
	for i, t := range given {
		t = strings.ToLower(strings.Join(strings.Fields(norm.NFC.String(t)), " "))
		if n := utf8.RuneCountInString(t); n < 1 || n > maxTag || strings.ContainsFunc(t, unicode.IsControl) {
			f.add(fmt.Sprintf("tags[%d]", i), "tag_malformed", "must be 1 to %d characters, none of them a control character", maxTag)
		}
		tags = append(tags, t)
	}
	slices.Sort(tags)
	if tags = slices.Compact(tags); len(tags) > maxTags {
		f.add("tags", "tags_too_many", "must be at most %d", maxTags)
	}
	return tags
}

// regionOf is the country that a telephone number without one is of.
func regionOf(country string, s Setting) string {
	if country != "" {
		return country
	}
	return s.Region
}

// World is what a draft is held against: what the tenant has set.
type World struct {
	Setting   Setting
	Fields    customfield.Set
	Pipelines *pipeline.Book
	Teams     *team.Book // nil where nothing names a team
}

// Take makes a lead and its first enquiry of a draft, or names every field that is not right.
func Take(id, enquiry uuid.UUID, d Draft, w World, now time.Time) (Lead, Enquiry, []problem.Field) {
	var f faults
	profile := f.profile(d.Profile)
	contact := f.contact(d.Contact, regionOf(profile.Country, w.Setting))
	if profile.Country == "" {
		profile.Country = contactpoint.Country(contact.Phone)
	}
	if d.CustomerID == uuid.Nil && !d.Contact.somebody() {
		f.add("name", "contact_required", "one of name, company, email and phone must be given, or customer_id")
	}
	values, _, wrong := w.Fields.Values(d.Custom)
	f = append(f, wrong...)
	l := Lead{
		ID: id, State: Open, Contact: contact, Profile: profile, Domain: companyDomain(contact), Capture: d.Capture, FormID: d.FormID,
		Team: f.code("team", d.Team), Pipeline: d.Pipeline, Tags: f.tags(d.Tags), Custom: values, CustomerID: d.CustomerID, Root: d.CustomerID,
		Enquiries: 1, CapturedAt: d.CapturedAt, RecordedAt: now, Version: 0,
	}
	if d.CustomerID != uuid.Nil {
		l.CustomerCheckedAt = now // it was said who it is
	}
	if l.CapturedAt.IsZero() {
		l.CapturedAt = now
	}
	if l.CapturedAt = l.CapturedAt.UTC().Truncate(time.Microsecond); l.CapturedAt.After(now.Add(skew)) || l.CapturedAt.Year() < 1900 {
		f.add("captured_at", "captured_at_out_of_range", "must lie between the year 1900 and tomorrow")
	}
	l.EnquiredAt = l.CapturedAt
	if w.Teams != nil {
		f = append(f, assignable(l.Team, "", w.Teams)...)
		if t, ok := w.Teams.Team(l.Team); ok && l.Pipeline == "" {
			l.Pipeline = t.Pipeline
		}
	}
	f.pipeline(&l, w.Pipelines)
	e := Enquiry{
		ID: enquiry, LeadID: id, ExternalRef: d.ExternalRef, Capture: d.Capture, Source: profile.Source, Campaign: profile.Campaign, FormID: d.FormID,
		Name: contact.Name, Company: contact.Company, Email: contact.Email, Phone: contact.Phone, Message: f.words("message", d.Message), At: l.CapturedAt,
	}
	if !d.ExternalRef.IsZero() {
		e.Fingerprint = d.fingerprint()
	}
	return l.changed("captured", "", string(d.Capture), now), e, f
}

// pipeline finds the pipeline of a lead.
func (f *faults) pipeline(l *Lead, book *pipeline.Book) {
	if l.Pipeline == "" {
		if p, ok := book.Default(); ok {
			l.Pipeline = p.Code
		} else {
			l.Pipeline = pipeline.StandardCode
		}
		return
	}
	if p, ok := book.Find(l.Pipeline); !ok || p.Archived {
		f.add("pipeline", "pipeline_unknown", "must be the code of a pipeline that is not in the archive")
	}
}

// fingerprint tells drafts of different content apart.
func (d Draft) fingerprint() []byte {
	captured := ""
	if !d.CapturedAt.IsZero() {
		captured = d.CapturedAt.UTC().Format(time.RFC3339Nano)
	}
	raw, err := json.Marshal([]any{1, d.CustomerID, d.Contact, d.Message, d.Profile, d.Team, d.Pipeline, d.Tags, d.Custom, captured})
	if err != nil {
		panic("lead: what was read from JSON always has a JSON form: " + err.Error())
	}
	sum := sha256.Sum256(raw)
	return sum[:]
}

// Enquire counts that somebody came again. What was not known is filled in, unless anybody could have sent it: a form's words
// stand with the enquiry alone.
func (l Lead) Enquire(again Lead, e Enquiry, at time.Time) (Lead, Enquiry, error) {
	if err := l.can("enquired of", Open, Nurturing, Qualified); err != nil {
		return l, e, err
	}
	e.LeadID = l.ID
	l.Enquiries++
	if e.At.After(l.EnquiredAt) {
		l.EnquiredAt = e.At
	}
	if e.Capture != ByForm {
		l = l.fill(again)
	}
	return l.changed("enquired", l.State, string(e.Capture), at), e, nil
}

// fill takes over what is not known of the lead yet.
func (l Lead) fill(from Lead) Lead {
	for _, one := range []struct{ to, from *string }{
		{&l.Name, &from.Name}, {&l.Company, &from.Company}, {&l.JobTitle, &from.JobTitle}, {&l.Email, &from.Email}, {&l.Phone, &from.Phone},
		{&l.Website, &from.Website}, {&l.Country, &from.Country}, {&l.Language, &from.Language}, {&l.Industry, &from.Industry},
		{&l.Source, &from.Source}, {&l.Campaign, &from.Campaign},
	} {
		if *one.to == "" {
			*one.to = *one.from
		}
	}
	l.Domain = companyDomain(l.Contact)
	tags := append(slices.Clone(l.Tags), from.Tags...)
	slices.Sort(tags)
	if tags = slices.Compact(tags); len(tags) <= maxTags {
		l.Tags = tags
	}
	custom := make(map[string]any, len(l.Custom)+len(from.Custom))
	for _, values := range []map[string]any{from.Custom, l.Custom} {
		for name, v := range values {
			custom[name] = v
		}
	}
	l.Custom = custom
	if l.CustomerID == uuid.Nil && from.CustomerID != uuid.Nil {
		l.CustomerID, l.Root, l.CustomerCheckedAt = from.CustomerID, from.Root, from.CustomerCheckedAt
	}
	return l
}
