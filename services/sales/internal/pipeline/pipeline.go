// Package pipeline keeps how a tenant sells: pipelines with their ordered stages, why things are lost, and to whom.
//
// Won and lost are states of an opportunity, not stages. A code is for life: a stage is renamed without any opportunity
// noticing, and moved within its pipeline by writing the stages in another order.
package pipeline

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/guanxi-crm/guanxi/platform/money"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// StandardCode is the pipeline that every tenant has without doing anything.
const StandardCode = "standard"

// Category says how sure a forecast may be of an opportunity.
type Category string

// The categories. What is closed is in none of them.
const (
	CategoryPipeline Category = "pipeline"  // may come
	CategoryBestCase Category = "best_case" // comes if all goes well
	CategoryCommit   Category = "commit"    // whoever sells stands for it
)

// Categories lists the categories, the least sure first.
func Categories() []Category { return []Category{CategoryPipeline, CategoryBestCase, CategoryCommit} }

// Requirement names something that an opportunity must have before it may enter a stage.
type Requirement string

// The requirements.
const (
	NeedsAmount        Requirement = "amount"            // more than 0
	NeedsExpectedClose Requirement = "expected_close_on" // a day
	NeedsNextStep      Requirement = "next_step"         // with its day
	NeedsOwner         Requirement = "owner"
	NeedsSource        Requirement = "source"
	NeedsProducts      Requirement = "products"       // a line or more
	NeedsContact       Requirement = "contact"        // a person or more
	NeedsDecisionMaker Requirement = "decision_maker" // a contact who has that role
	NeedsCompetitor    Requirement = "competitor"     // whom one is up against
)

// Requirements lists the requirements, in the order in which a stage keeps them.
func Requirements() []Requirement {
	return []Requirement{
		NeedsAmount, NeedsExpectedClose, NeedsNextStep, NeedsOwner, NeedsSource, NeedsProducts, NeedsContact, NeedsDecisionMaker, NeedsCompetitor,
	}
}

// Stage is a step of a pipeline.
type Stage struct {
	Code         string        `json:"code"`                // unique in the pipeline
	Name         string        `json:"name"`                // what people read
	Probability  int32         `json:"probability"`         // of winning, in percent, 0 to 100
	Category     Category      `json:"category"`            // of a forecast, where the opportunity has none of its own
	AgeLimitDays int32         `json:"age_limit_days"`      // whole days of 24 hours after which it counts as stalled; 0: never
	Requires     []Requirement `json:"requires,omitempty"`  // to enter the stage
	Condition    string        `json:"condition,omitempty"` // in CEL, to enter the stage beside Requires; empty: none
}

// FollowUp says what happens with an opportunity that stalled. Days are working days, counted from when it stalled.
type FollowUp struct {
	Active       bool  `json:"active"`
	RemindDays   int32 `json:"remind_days"`   // then whoever sells is reminded
	EscalateDays int32 `json:"escalate_days"` // then the lead of the team is asked
	CloseDays    int32 `json:"close_days"`    // then it is proposed to close it
}

// Pipeline is a way of selling.
type Pipeline struct {
	Code      string
	Version   int64 // from 1; 0: the standard pipeline as the program has it
	Name      string
	Currency  string  // ISO 4217, of opportunities that name none; empty: they have to name one
	Stages    []Stage // 1 to 20, in order
	FollowUp  FollowUp
	Archived  bool // nothing new is opened in it
	ChangedAt time.Time
	By        string // subject of whoever changed it
}

// Standard is the pipeline of tenants that have not written one of this code.
func Standard() Pipeline {
	return Pipeline{
		Code: StandardCode, Name: "Standard",
		Stages: []Stage{
			{Code: "new", Name: "New", Probability: 10, Category: CategoryPipeline, AgeLimitDays: 14},
			{Code: "qualified", Name: "Qualified", Probability: 30, Category: CategoryPipeline, AgeLimitDays: 30},
			{Code: "proposal", Name: "Proposal", Probability: 50, Category: CategoryBestCase, AgeLimitDays: 30,
				Requires: []Requirement{NeedsAmount, NeedsExpectedClose}},
			{Code: "negotiation", Name: "Negotiation", Probability: 80, Category: CategoryCommit, AgeLimitDays: 30,
				Requires: []Requirement{NeedsAmount, NeedsExpectedClose, NeedsNextStep}},
		},
		FollowUp: FollowUp{Active: true, RemindDays: 1, EscalateDays: 3, CloseDays: 10},
	}
}

// First gives the stage that opportunities begin in.
func (p Pipeline) First() Stage { return p.Stages[0] }

// Stage gives the stage of a code with its place, from 0.
func (p Pipeline) Stage(code string) (s Stage, place int, ok bool) {
	place = slices.IndexFunc(p.Stages, func(s Stage) bool { return s.Code == code })
	if place < 0 {
		return Stage{}, 0, false
	}
	return p.Stages[place], place, true
}

// Codes gives the codes of the stages, in order.
func (p Pipeline) Codes() []string {
	codes := make([]string, len(p.Stages))
	for i, s := range p.Stages {
		codes[i] = s.Code
	}
	return codes
}

// Gone gives the codes of the stages that another state of the pipeline no longer has.
func (p Pipeline) Gone(to Pipeline) []string {
	var gone []string
	for _, s := range p.Stages {
		if _, _, stays := to.Stage(s.Code); !stays {
			gone = append(gone, s.Code)
		}
	}
	return gone
}

// Book is all pipelines of a tenant.
type Book struct{ pipelines map[string]Pipeline }

// Find gives the pipeline of a code, an archived one too.
func (b *Book) Find(code string) (Pipeline, bool) {
	if p, ok := b.pipelines[code]; ok || code != StandardCode {
		return p, ok
	}
	return Standard(), true
}

// Default gives the pipeline of whatever names none: the standard one unless that is archived, then the first by code. ok is
// false where all are archived.
func (b *Book) Default() (Pipeline, bool) {
	for _, p := range b.All() {
		if !p.Archived {
			return p, true
		}
	}
	return Pipeline{}, false
}

// All gives the pipelines, the standard one first and the others by code, archived ones too.
func (b *Book) All() []Pipeline {
	standard, _ := b.Find(StandardCode)
	all := []Pipeline{standard}
	for _, code := range slices.Sorted(maps.Keys(b.pipelines)) {
		if code != StandardCode {
			all = append(all, b.pipelines[code])
		}
	}
	return all
}

// Bounds of what people say.
const (
	maxStages    = 20
	maxPipelines = 100
	maxName      = 200 // characters
	maxAge       = 3650
	maxFollowUp  = 250 // working days
	maxListed    = 500 // reasons, and competitors, of a tenant
)

var codePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)

// Coded tells whether s can be a code: 1 to 64 lower-case letters, digits, - and _, beginning with a letter or a digit.
func Coded(s string) bool { return codePattern.MatchString(s) }

const codeRule = "must be a code of 1 to 64 lower-case letters, digits, - and _, beginning with a letter or a digit"

type faults []problem.Field

func (f *faults) add(location, code, message string) {
	*f = append(*f, problem.Field{Location: location, Code: code, Message: message})
}

// name gives a name as it is kept.
func (f *faults) name(location, name string) string {
	name = strings.Join(strings.Fields(norm.NFC.String(name)), " ")
	if n := utf8.RuneCountInString(name); n < 1 || n > maxName || strings.ContainsFunc(name, unicode.IsControl) {
		f.add(location, "name_malformed", "must be 1 to 200 characters in one line")
	}
	return name
}

func (f *faults) upTo(location string, v, high int32) {
	if v < 0 || v > high {
		f.add(location, "out_of_range", fmt.Sprintf("must be 0 to %d", high))
	}
}

// check gives the pipeline as it is kept, or names every field that is not right.
func (p Pipeline) check() (Pipeline, []problem.Field) {
	var f faults
	if !Coded(p.Code) {
		f.add("code", "code_malformed", codeRule)
	}
	p.Name = f.name("name", p.Name)
	if _, ok := money.Digits(p.Currency); !ok && p.Currency != "" {
		f.add("currency", "currency_unknown", "must be an ISO 4217 currency code, such as CNY, or left out")
	}
	if n := len(p.Stages); n < 1 || n > maxStages {
		f.add("stages", "stages_out_of_range", "must be 1 to 20")
	}
	p.Stages = slices.Clone(p.Stages)
	seen := make(map[string]bool, len(p.Stages))
	for i := range p.Stages {
		at := fmt.Sprintf("stages[%d].", i)
		s := &p.Stages[i]
		s.check(at, &f)
		if seen[s.Code] {
			f.add(at+"code", "stage_twice", "must be of one stage only")
		}
		seen[s.Code] = true
		if i > 0 && s.Probability < p.Stages[i-1].Probability {
			f.add(at+"probability", "stages_out_of_order", "must not be less than that of the stage before: put the stages in the order in which one follows the other")
		}
	}
	p.FollowUp.check(&f)
	return p, f
}

// check brings a stage to the form in which it is kept.
func (s *Stage) check(at string, f *faults) {
	if !Coded(s.Code) {
		f.add(at+"code", "code_malformed", codeRule)
	}
	s.Name = f.name(at+"name", s.Name)
	f.upTo(at+"probability", s.Probability, 100)
	f.upTo(at+"age_limit_days", s.AgeLimitDays, maxAge)
	if s.Category == "" {
		s.Category = CategoryPipeline
	}
	if !slices.Contains(Categories(), s.Category) {
		f.add(at+"category", "category_unknown", "must be pipeline, best_case or commit")
	}
	for i, r := range s.Requires {
		if !slices.Contains(Requirements(), r) {
			f.add(fmt.Sprintf("%srequires[%d]", at, i), "requirement_unknown", "is nothing that an opportunity can have")
		}
	}
	s.Requires = slices.SortedFunc(slices.Values(s.Requires), func(a, b Requirement) int {
		return cmp.Compare(slices.Index(Requirements(), a), slices.Index(Requirements(), b))
	})
	s.Requires = slices.Compact(s.Requires)
	s.Condition = strings.TrimSpace(s.Condition)
	*f = append(*f, compile(s.Condition, at+"condition")...)
}

// check names what is not right about the days.
func (u FollowUp) check(f *faults) {
	f.upTo("follow_up.remind_days", u.RemindDays, maxFollowUp)
	f.upTo("follow_up.escalate_days", u.EscalateDays, maxFollowUp)
	f.upTo("follow_up.close_days", u.CloseDays, maxFollowUp)
	if u.RemindDays > u.EscalateDays || u.EscalateDays > u.CloseDays {
		f.add("follow_up", "follow_up_out_of_order", "must remind first, then ask the team's lead, then propose to close: days must not fall")
	}
}
