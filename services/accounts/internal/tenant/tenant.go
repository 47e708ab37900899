// Package tenant keeps the organisations that use the platform: who they are, where and in which language, time zone
// and currency they work, and whether they may write.
package tenant

import (
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // an image has no zone files, and a tenant's zone must be known everywhere alike
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"golang.org/x/text/language"
	"golang.org/x/text/unicode/norm"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/money"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// State says whether a tenant may write.
type State string

// The states.
const (
	Active    State = "active"
	Suspended State = "suspended" // reads go on, writes are refused
)

// Settings are what a tenant is and how it works.
type Settings struct {
	DisplayName string // of the organisation, 1 to 200 characters
	Region      string // ISO 3166-1 alpha-2: whose national telephone numbers are meant, such as CN
	Language    string // BCP 47, such as zh-Hans
	TimeZone    string // IANA, such as Asia/Shanghai
	Currency    string // ISO 4217, such as CNY
}

// Tenant is one organisation.
type Tenant struct {
	Settings
	ID        string    // slug, the tenant of every row and token
	StreamID  uuid.UUID // names its stream of events
	Version   int64     // from 1, one more with every change
	State     State
	CreatedAt time.Time
	ChangedAt time.Time
}

const maxName = 200 // characters

// Create makes an active tenant, or names every field that is not right.
func Create(id string, streamID uuid.UUID, s Settings, at time.Time) (Tenant, []problem.Field) {
	var faults []problem.Field
	if !auth.ValidTenant(id) {
		faults = append(faults, problem.Field{Location: "tenant_id", Code: "tenant_id_malformed",
			Message: "must be 1 to 63 of a-z, 0-9 and -, the first no hyphen"})
	}
	s, more := s.normalise()
	t := Tenant{Settings: s, ID: id, StreamID: streamID, Version: 1, State: Active, CreatedAt: at, ChangedAt: at}
	return t, append(faults, more...)
}

// Change gives the tenant with other settings and the names of those that differ, sorted; none: nothing was changed.
func (t Tenant) Change(s Settings, at time.Time) (Tenant, []string, []problem.Field) {
	s, faults := s.normalise()
	if len(faults) > 0 {
		return t, nil, faults
	}
	changed := t.Settings.differences(s)
	if len(changed) > 0 {
		t.Settings, t.Version, t.ChangedAt = s, t.Version+1, at
	}
	return t, changed, nil
}

// To gives the tenant in another state; changed is false when it was in that state already.
func (t Tenant) To(state State, at time.Time) (to Tenant, changed bool) {
	if t.State == state {
		return t, false
	}
	t.State, t.Version, t.ChangedAt = state, t.Version+1, at
	return t, true
}

// Writable refuses a suspended tenant.
func (t Tenant) Writable() error {
	if t.State == Suspended {
		return problem.New(problem.Forbidden, "tenant_suspended",
			"The tenant is suspended: it can be read but not changed until a platform administrator resumes it.")
	}
	return nil
}

// Day gives the day that it is at the time where the tenant is, as a midnight in UTC.
func (t Tenant) Day(at time.Time) time.Time {
	y, m, d := at.In(t.location()).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

// Begins gives the time at which the day, a midnight in UTC, begins where the tenant is.
func (t Tenant) Begins(day time.Time) time.Time {
	y, m, d := day.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, t.location()).UTC()
}

func (t Tenant) location() *time.Location {
	l, err := time.LoadLocation(t.TimeZone)
	if err != nil { // no tenant is kept whose zone is not known
		return time.UTC
	}
	return l
}

func (s Settings) differences(o Settings) []string {
	var names []string
	for name, differs := range map[string]bool{
		"display_name": s.DisplayName != o.DisplayName,
		"region":       s.Region != o.Region,
		"language":     s.Language != o.Language,
		"time_zone":    s.TimeZone != o.TimeZone,
		"currency":     s.Currency != o.Currency,
	} {
		if differs {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// normalise brings each setting to its canonical spelling and names every one that has none.
func (s Settings) normalise() (Settings, []problem.Field) {
	var faults []problem.Field
	fault := func(location, code, message string) {
		faults = append(faults, problem.Field{Location: location, Code: code, Message: message})
	}

	s.DisplayName = norm.NFC.String(strings.TrimSpace(s.DisplayName))
	if n := utf8.RuneCountInString(s.DisplayName); n < 1 || n > maxName || strings.ContainsFunc(s.DisplayName, unicode.IsControl) {
		fault("display_name", "name_malformed", "must be 1 to 200 characters, none of them a control character")
	}
	if region, err := language.ParseRegion(s.Region); err != nil || !region.IsCountry() || len(s.Region) != 2 {
		fault("region", "region_unknown", "must be an ISO 3166-1 alpha-2 country code, such as CN")
	} else {
		s.Region = region.String()
	}
	if tag, err := language.Parse(s.Language); err != nil || tag == language.Und {
		fault("language", "language_unknown", "must be a BCP 47 language tag, such as zh-Hans")
	} else {
		s.Language = tag.String()
	}
	if _, err := time.LoadLocation(s.TimeZone); err != nil || s.TimeZone == "" || s.TimeZone == "Local" {
		fault("time_zone", "time_zone_unknown", "must be an IANA time zone, such as Asia/Shanghai")
	}
	if _, ok := money.Digits(s.Currency); !ok {
		fault("currency", "currency_unknown", "must be an ISO 4217 currency code, such as CNY")
	}
	return s, faults
}
