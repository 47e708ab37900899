package lead

import (
	"slices"
	"time"

	"golang.org/x/text/language"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Setting is what a tenant wants of leads.
type Setting struct {
	Dedupe    []Key  // by what two leads are the same, the surest first; none: each capture is a lead of its own
	Region    string // ISO 3166-1 code of the country that a telephone number without one is of
	Version   int64  // 0: what every tenant has that set nothing
	ChangedAt time.Time
	By        string // subject
}

// Default is what a tenant has that set nothing.
func Default() Setting { return Setting{Dedupe: Keys(), Region: "CN"} }

// Change gives the setting as it is wanted, or names what is not right.
func (s Setting) Change(dedupe []Key, region, by string, at time.Time) (Setting, []problem.Field) {
	var f faults
	for _, k := range dedupe {
		if !slices.Contains(Keys(), k) {
			f.add("dedupe", "key_unknown", "must be of email, phone and company")
		}
	}
	if code, err := language.ParseRegion(region); err != nil || !code.IsCountry() || code.String() != region {
		f.add("region", "region_unknown", "must be an ISO 3166-1 code such as CN")
	}
	chosen := slices.DeleteFunc(Keys(), func(k Key) bool { return !slices.Contains(dedupe, k) })
	return Setting{Dedupe: chosen, Region: region, Version: s.Version + 1, ChangedAt: at, By: by}, f
}
