// Package segment keeps the segments of a tenant: customers who are chosen by a filter over their portraits, or listed by hand.
// Live ones follow what becomes of customers, in the transaction that reckoned their portraits, and tell who came and who went;
// static ones are lists that change by hand only.
package segment

import (
	"regexp"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/filter"
)

// The kinds of segments, and their states.
const (
	Live    = "live"
	Static  = "static"
	active  = "active"
	retired = "retired"
)

// Bounds of a tenant.
const (
	MaxLive = 200   // live segments: each is asked of every customer of whom something is heard
	MaxAll  = 2_000 // segments together, retired ones included
	MaxIDs  = 10_000
	maxName = 200
	maxText = 2_000
)

// Why somebody came or went.
const (
	causeFacts      = "facts"
	causeDefinition = "definition"
	causeMerged     = "merged"
	causeErased     = "erased"
	causeRetired    = "retired"
)

// Definition is what people say of a segment.
type Definition struct {
	Code        string // a-z, 0-9 and _; stays for ever
	Name        string
	Description string
	Owner       string // a team or a subject
	Kind        string
	Filter      *filter.Node // nil: a list by hand, which only static segments can be
}

// Segment is a segment as it is kept.
type Segment struct {
	Definition
	ID        uuid.UUID
	State     string
	Version   int64
	Members   int64 // rows of the list; merged customers may have several in a static one
	Run       *Run  // the newest judgement of all customers; nil for a list
	CreatedAt time.Time
	UpdatedAt time.Time
	UpdatedBy string
}

// Run is a judgement of all customers anew.
type Run struct {
	ID         uuid.UUID
	Segment    uuid.UUID
	Cause      string
	State      string
	After      uuid.UUID
	Customers  int64 // looked at so far
	Entered    int64
	Left       int64
	AskedAt    time.Time
	FinishedAt time.Time
}

var code = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

// check names what is wrong with a definition, but for its filter, which was checked when it was read.
func (d Definition) check() []problem.Field {
	var faults []problem.Field
	fault := func(at, why, message string) {
		faults = append(faults, problem.Field{Location: at, Code: why, Message: message})
	}
	if !code.MatchString(d.Code) {
		fault("code", "invalid", "must be 1 to 64 of a-z, 0-9 and _, and begin with a letter")
	}
	if d.Name == "" || utf8.RuneCountInString(d.Name) > maxName {
		fault("name", "length", "must have 1 to 200 characters")
	}
	if utf8.RuneCountInString(d.Description) > maxText {
		fault("description", "length", "must have at most 2000 characters")
	}
	if utf8.RuneCountInString(d.Owner) > maxName {
		fault("owner", "length", "must have at most 200 characters")
	}
	if d.Kind != Live && d.Kind != Static {
		fault("kind", "enum", "must be live or static")
	}
	if d.Kind == Live && d.Filter == nil {
		fault("filter", "required", "a live segment needs filter, filter_text or combine; a list by hand is static")
	}
	return faults
}

// Combine gives the filter of a set operation: union, intersection, or difference, which is the first segment without the others.
func Combine(op string, codes []string) filter.Node {
	nodes := make([]filter.Node, len(codes))
	for i, c := range codes {
		nodes[i] = filter.Node{Op: filter.InSegment, Segment: c}
		if op == "difference" && i > 0 {
			inner := nodes[i]
			nodes[i] = filter.Node{Not: &inner}
		}
	}
	if op == "union" {
		return filter.Node{Any: nodes}
	}
	return filter.Node{All: nodes}
}

// book is all active segments of a tenant, by which codes are resolved.
type book map[string]entry

type entry struct {
	id     uuid.UUID
	kind   string
	filter *filter.Node
}

// meaning gives what a code stands for: the filter of a live segment, with what it names resolved as well, so that who is in
// never depends on which segment was judged first; the list of a static one. A circle, and what is not there, is a problem.
func (b book) meaning(path ...string) func(code string) (filter.Node, error) {
	return func(code string) (filter.Node, error) {
		for _, p := range path {
			if p == code {
				return filter.Node{}, problem.New(problem.Unprocessable, "segment_cycle",
					"The segment %s would be chosen by itself. Take it out of the filter, or define that other segment without it.", code)
			}
		}
		e, ok := b[code]
		if !ok {
			return filter.Node{}, problem.New(problem.Unprocessable, "segment_unknown",
				"The filter names a segment that is not there, or was retired.").WithField("body.filter", "segment_unknown", "names the segment "+code)
		}
		if e.kind == Static {
			return filter.Members(e.id), nil
		}
		return e.filter.Resolve(b.meaning(append(append([]string{}, path...), code)...))
	}
}

// resolved gives the filter of the segment of this code with all that it names, which has to stay within the bounds of one.
func (b book) resolved(code string, n filter.Node) (filter.Node, error) {
	r, err := n.Resolve(b.meaning(code))
	if err == nil && r.Size() > filter.MaxNodes {
		err = problem.New(problem.Unprocessable, "segment_too_large",
			"The filter has, with the segments that its filter names, more than %d conditions and groups.", filter.MaxNodes)
	}
	return r, err
}

// dependents lists the codes of live segments whose filters name the segment, directly or through others.
func (b book) dependents(code string) []string {
	var all []string
	for c, e := range b {
		if c == code || e.filter == nil || e.kind != Live {
			continue
		}
		if b.names(*e.filter, code, 0) {
			all = append(all, c)
		}
	}
	return all
}

func (b book) names(n filter.Node, code string, depth int) bool {
	if depth > len(b) {
		return false
	}
	for _, c := range n.Segments() {
		if c == code {
			return true
		}
		if e, ok := b[c]; ok && e.kind == Live && b.names(*e.filter, code, depth+1) {
			return true
		}
	}
	return false
}
