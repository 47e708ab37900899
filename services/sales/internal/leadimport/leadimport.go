// Package leadimport brings leads in from files: one row is one lead, open or with what became of it.
package leadimport

import (
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/customfield"
	"github.com/guanxi-crm/guanxi/platform/externalref"
	"github.com/guanxi-crm/guanxi/platform/imports"
	"github.com/guanxi-crm/guanxi/services/sales/internal/lead"
)

// customPrefix begins the columns of custom fields.
const customPrefix = "custom:"

// What a file calls outcomes.
const (
	won  = "won"
	lost = "lost"
)

// columns are what a row can say.
func columns() []imports.Column {
	return []imports.Column{
		{Name: "external_id", Doc: "the other system's id of the lead; a row that repeats one changes nothing, one with other content is refused"},
		{Name: "system", Doc: "the code of the other system; goes with external_id"},
		{Name: "customer_id", Doc: "the customer whom it is known to be; without it one of name, company, email and phone must be there"},
		{Name: "name", Doc: "of the person"},
		{Name: "company"}, {Name: "job_title"}, {Name: "email"},
		{Name: "phone", Doc: "national to the row's country, or the tenant's, or with + and the country code"},
		{Name: "website"},
		{Name: "country", Doc: "ISO 3166-1 alpha-2"},
		{Name: "language", Doc: "a language tag such as zh"},
		{Name: "industry", Doc: "code"},
		{Name: "message", Doc: "what they want, in words"},
		{Name: "source", Doc: "code of where the interest came from"},
		{Name: "campaign", Doc: "code"},
		{Name: "team", Doc: "code"},
		{Name: "owner", Doc: "subject of who looks after it"},
		{Name: "pipeline", Doc: "code; the team's, or the tenant's first, where it is left out"},
		{Name: "tags", Many: true, Doc: "several stand one a line, or as an array in JSON"},
		{Name: "captured_at", Doc: "when it came in: RFC 3339, or a day such as 2026-11-22; where it is left out, closed_at, or now"},
		{Name: "outcome", Doc: "won or lost; a lead without one is open"},
		{Name: "closed_at", Doc: "when it was won or lost, as captured_at"},
		{Name: "stage", Doc: "of a lost one, code of how far it came; the pipeline's first where it is left out"},
		{Name: "reason", Doc: "of a lost one, code of why"},
		{Name: customPrefix + "*", Many: true, Doc: "a custom field of leads by its name, such as custom:fleet_size"},
	}
}

// unknown gives those of a mapping's columns that the tenant has no field for.
func unknown(mapped []string, fields customfield.Set) []string {
	return slices.DeleteFunc(slices.Clone(mapped), func(column string) bool {
		name, custom := strings.CutPrefix(column, customPrefix)
		d, defined := fields[name]
		return !custom || defined && !d.Archived
	})
}

// columnOf names the column from which a field of a lead came.
func columnOf(location string) string {
	if name, custom := strings.CutPrefix(location, "custom_fields."); custom {
		return customPrefix + name
	}
	if strings.HasPrefix(location, "tags") {
		return "tags"
	}
	return location
}

// read gives what a row says, or what of it cannot be read. custom are the columns of custom fields that it has.
func read(line int64, value func(column string) string, custom []string) (lead.Row, []imports.Rejection) {
	var wrong []imports.Rejection
	fault := func(column, code, reason string) {
		wrong = append(wrong, imports.Rejection{Line: line, Column: column, Code: code, Reason: reason})
	}
	moment := func(column string) time.Time {
		at, err := instant(value(column))
		if err != nil {
			fault(column, "time_malformed", "must be a time such as 2026-11-22T12:00:00Z or a day such as 2026-11-22")
		}
		return at
	}
	r := lead.Row{Owner: value("owner"), Custom: map[string]string{}, Draft: lead.Draft{
		Contact: lead.Contact{
			Name: value("name"), Company: value("company"), JobTitle: value("job_title"), Email: value("email"), Phone: value("phone"), Website: value("website"),
		},
		Profile: lead.Profile{
			Country: value("country"), Language: value("language"), Industry: value("industry"), Source: value("source"), Campaign: value("campaign"),
		},
		Message: value("message"), Capture: lead.ByImport, Team: value("team"), Pipeline: value("pipeline"), CapturedAt: moment("captured_at"),
	}}
	if tags := value("tags"); tags != "" {
		r.Draft.Tags = strings.Split(tags, "\n")
	}
	for _, column := range custom {
		if v := value(column); v != "" {
			r.Custom[strings.TrimPrefix(column, customPrefix)] = strings.ReplaceAll(v, "\n", ",")
		}
	}
	if value("external_id")+value("system") != "" {
		ref, amiss := externalref.New(value("system"), value("external_id"))
		if amiss != nil {
			fault(map[string]string{"system": "system", "id": "external_id"}[amiss.Field], amiss.Code, amiss.Message)
		}
		r.Draft.ExternalRef = ref
	}
	if v := value("customer_id"); v != "" {
		id, err := uuid.Parse(v)
		if err != nil || id == uuid.Nil {
			fault("customer_id", "customer_id_malformed", "must be the customer's id, a UUID")
		}
		r.Draft.CustomerID = id
	}
	switch o := (lead.Outcome{At: moment("closed_at"), Stage: value("stage"), Reason: value("reason")}); value("outcome") {
	case "":
		if o != (lead.Outcome{}) {
			fault("outcome", "outcome_required", "must say whether it was won or lost, where closed_at, stage or reason is given")
		}
	case won, lost:
		o.State = map[string]lead.State{won: lead.Converted, lost: lead.Lost}[value("outcome")]
		r.Outcome = o
	default:
		fault("outcome", "outcome_unknown", "must be won or lost")
	}
	return r, wrong
}

// instant reads RFC 3339, or a day as its beginning in UTC; the zero time for nothing.
func instant(s string) (time.Time, error) {
	switch len(s) {
	case 0:
		return time.Time{}, nil
	case len("20060102"):
		return time.Parse("20060102", s)
	case len(time.DateOnly):
		return time.Parse(time.DateOnly, s)
	default:
		return time.Parse(time.RFC3339, s)
	}
}
