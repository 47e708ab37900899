package pipeline

import (
	"maps"
	"slices"
	"time"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Reason is why something was lost.
type Reason struct {
	Code          string
	Version       int64  // from 1; 0: a standard reason as the program has it
	Name          string // what people read
	Leads         bool   // leads may be lost for it
	Opportunities bool   // opportunities may
	Archived      bool   // nothing is lost for it any more
	ChangedAt     time.Time
}

// Lost is what is lost for a reason.
type Lost string

// What can be lost.
const (
	LostLead        Lost = "lead"
	LostOpportunity Lost = "opportunity"
)

// standardReasons are those that every tenant has until it writes reasons of these codes.
func standardReasons() []Reason {
	return []Reason{
		{Code: "price", Name: "Price", Opportunities: true},
		{Code: "competitor", Name: "Bought from somebody else", Leads: true, Opportunities: true},
		{Code: "no_budget", Name: "No budget", Leads: true, Opportunities: true},
		{Code: "no_need", Name: "No need", Leads: true, Opportunities: true},
		{Code: "no_decision", Name: "No decision", Opportunities: true},
		{Code: "timing", Name: "Not now", Leads: true, Opportunities: true},
		{Code: "unfit", Name: "Our offer does not fit", Leads: true, Opportunities: true},
		{Code: "unreachable", Name: "Nobody was reached", Leads: true},
		{Code: "duplicate", Name: "Known already", Leads: true},
		{Code: "spam", Name: "Not meant seriously", Leads: true},
		{Code: "other", Name: "Another reason", Leads: true, Opportunities: true},
	}
}

// Reasons are the reasons of a tenant.
type Reasons struct{ own map[string]Reason }

// All gives the reasons by code, archived ones too.
func (r *Reasons) All() []Reason {
	all := make(map[string]Reason)
	for _, one := range standardReasons() {
		all[one.Code] = one
	}
	maps.Copy(all, r.own)
	list := make([]Reason, 0, len(all))
	for _, code := range slices.Sorted(maps.Keys(all)) {
		list = append(list, all[code])
	}
	return list
}

// Find gives the reason of a code, an archived one too.
func (r *Reasons) Find(code string) (Reason, bool) {
	if own, ok := r.own[code]; ok {
		return own, true
	}
	standard := standardReasons()
	if n := slices.IndexFunc(standard, func(s Reason) bool { return s.Code == code }); n >= 0 {
		return standard[n], true
	}
	return Reason{}, false
}

// Fault says at the location what keeps something from being lost for the reason of a code; none where nothing does.
func (r *Reasons) Fault(location, code string, what Lost) []problem.Field {
	var f faults
	switch one, known := r.Find(code); {
	case code == "":
		f.add(location, "reason_required", "must say why it was lost: the code of a reason")
	case !known:
		f.add(location, "reason_unknown", "must be the code of a reason: see /v1/loss-reasons")
	case one.Archived:
		f.add(location, "reason_archived", "is in the archive: nothing is lost for it any more")
	case what == LostLead && !one.Leads, what == LostOpportunity && !one.Opportunities:
		f.add(location, "reason_unfit", "is not one for which this can be lost")
	}
	return f
}

// Competitor is somebody who sells the same.
type Competitor struct {
	Code      string
	Version   int64 // from 1
	Name      string
	Archived  bool // nothing new names it
	ChangedAt time.Time
}

// Competitors are those of a tenant, by code.
type Competitors map[string]Competitor

// Fault says at the location what keeps something from naming the competitor; none where nothing does, an empty code included.
func (c Competitors) Fault(location, code string) []problem.Field {
	var f faults
	switch one, known := c[code]; {
	case code == "":
	case !known:
		f.add(location, "competitor_unknown", "must be the code of a competitor: see /v1/competitors")
	case one.Archived:
		f.add(location, "competitor_archived", "is in the archive: nothing new names it")
	}
	return f
}

// check gives the reason as it is kept, or names every field that is not right.
func (r Reason) check() (Reason, []problem.Field) {
	var f faults
	if !Coded(r.Code) {
		f.add("code", "code_malformed", codeRule)
	}
	r.Name = f.name("name", r.Name)
	if !r.Leads && !r.Opportunities {
		f.add("leads", "reason_of_nothing", "must be a reason for leads, for opportunities, or for both")
	}
	return r, f
}

// check gives the competitor as it is kept, or names every field that is not right.
func (c Competitor) check() (Competitor, []problem.Field) {
	var f faults
	if !Coded(c.Code) {
		f.add("code", "code_malformed", codeRule)
	}
	c.Name = f.name("name", c.Name)
	return c, f
}
