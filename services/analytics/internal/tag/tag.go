// Package tag keeps the tree of tags of a tenant: groups, and tags that customers have because of a fact, a rule, or what a model
// says of them. Tags follow customers in the transaction that reckoned their portraits; runs look at everybody.
package tag

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/filter"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/portrait"
)

// The kinds.
const (
	Group = "group" // holds others
	Fact  = "fact"  // bands of a field that follows events or the day
	Rule  = "rule"  // a filter
	Model = "model" // bands of a field that runs reckon
)

// Bounds of a tenant. Every tag is asked of every customer of whom something is heard.
const (
	MaxTags       = 300   // groups and tags that are not archived
	MaxAll        = 2_000 // with those that are
	MaxDepth      = 8     // groups above a tag
	MaxBands      = 20    // of a tag
	MaxConditions = 5_000 // of all tags that are not archived together: conditions and groups of filters, and bands
	MaxValidDays  = 3_650
	maxName       = 200
	maxText       = 2_000
)

// reserved is the word that stands in paths where a code could.
const reserved = "runs"

// Band is a part of a field's values: of numbers and amounts those from a bound on and below another, of texts those that are listed.
type Band struct {
	Code    string   `json:"code"`
	Name    string   `json:"name,omitempty"`
	AtLeast *float64 `json:"at_least,omitempty"` // nil: from the lowest on
	Below   *float64 `json:"below,omitempty"`    // nil: up to the highest
	OneOf   []string `json:"one_of,omitempty"`
}

// Definition is what people say of a tag.
type Definition struct {
	Code        string // a-z, 0-9 and _; stays for ever
	Kind        string // stays for ever
	Parent      string // code of a group; empty at the top
	Name        string
	Description string
	Owner       string // the team or subject that answers for it
	Field       string
	Bands       []Band
	Filter      *filter.Node
	ValidDays   int // for how many days it stays once it holds no longer; 0: it goes at once
}

// Tag is a tag as it is kept.
type Tag struct {
	Definition
	ID        uuid.UUID
	Archived  bool
	Version   int64
	CreatedAt time.Time
	UpdatedAt time.Time
	UpdatedBy string
}

var (
	code     = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)
	bandCode = regexp.MustCompile(`^[a-z0-9][a-z0-9_]{0,19}$`)
)

// Value is what stands in the tags of portraits, and whom it is meant for.
type Value struct {
	Code   string
	Band   string // empty of a rule
	Name   string
	Filter filter.Node
}

// Values lists the values of a tag in the order of its bands; a group has none.
func (d Definition) Values() []Value {
	if d.Kind == Rule && d.Filter != nil {
		return []Value{{Code: d.Code, Filter: *d.Filter}}
	}
	values := make([]Value, len(d.Bands))
	for i, b := range d.Bands {
		values[i] = Value{Code: d.Code + "_" + b.Code, Band: b.Code, Name: b.Name, Filter: b.filter(d.Field)}
	}
	return values
}

func (b Band) filter(field string) filter.Node {
	if b.OneOf != nil {
		n := filter.Node{Field: field, Op: filter.OneOf}
		for _, text := range b.OneOf {
			n.Values = append(n.Values, filter.Text(text))
		}
		return n
	}
	var n filter.Node
	if b.AtLeast != nil {
		n.All = append(n.All, filter.Node{Field: field, Op: filter.AtLeast, Values: []filter.Value{filter.Number(*b.AtLeast)}})
	}
	if b.Below != nil {
		n.All = append(n.All, filter.Node{Field: field, Op: filter.Less, Values: []filter.Value{filter.Number(*b.Below)}})
	}
	return n
}

// codes are all that the tag takes for itself: its code, and those of its values.
func (d Definition) codes() []string {
	all := []string{d.Code}
	for _, v := range d.Values() {
		if v.Code != d.Code {
			all = append(all, v.Code)
		}
	}
	return all
}

// conditions is how much it takes to look at a customer.
func (d Definition) conditions() (n int) {
	for _, v := range d.Values() {
		n += v.Filter.Size()
	}
	return n
}

// means tells whether other gives the same customers the same values for as long.
func (d Definition) means(other Definition) bool {
	mine, its := d.Values(), other.Values()
	return d.ValidDays == other.ValidDays && slices.EqualFunc(mine, its, func(a, b Value) bool {
		return a.Code == b.Code && a.Filter.String() == b.Filter.String()
	})
}

type faults []problem.Field

func (f *faults) add(at, why, format string, args ...any) {
	*f = append(*f, problem.Field{Location: at, Code: why, Message: fmt.Sprintf(format, args...)})
}

func (f *faults) length(at, text string, least, most int) {
	if n := utf8.RuneCountInString(text); n < least || n > most {
		f.add(at, "length", "must have %d to %d characters", least, most)
	}
}

// Check names what is wrong with a definition by itself.
func (d Definition) Check() []problem.Field {
	var f faults
	if !code.MatchString(d.Code) || d.Code == reserved {
		f.add("code", "invalid", "must be 1 to 40 of a-z, 0-9 and _, begin with a letter, and not be %q", reserved)
	}
	f.length("name", d.Name, 1, maxName)
	f.length("description", d.Description, 0, maxText)
	if d.Kind == Group {
		f.length("owner", d.Owner, 0, maxName)
	} else {
		f.length("owner", d.Owner, 1, maxName)
	}
	if d.ValidDays < 0 || d.ValidDays > MaxValidDays || d.Kind == Group && d.ValidDays != 0 {
		f.add("valid_days", "range", "must be 0 to %d, and is not for groups", MaxValidDays)
	}
	switch d.Kind {
	case Fact, Model:
		d.checkBands(&f)
		f.only(d, true, false)
	case Rule:
		d.checkRule(&f)
		f.only(d, false, true)
	case Group:
		f.only(d, false, false)
	default:
		f.add("kind", "enum", "must be group, fact, rule or model")
	}
	return f
}

// only refuses what belongs to other kinds.
func (f *faults) only(d Definition, bands, rule bool) {
	if !bands && d.Field != "" {
		f.add("field", "not_allowed", "is for tags of kind fact and model")
	}
	if !bands && len(d.Bands) > 0 {
		f.add("bands", "not_allowed", "are for tags of kind fact and model")
	}
	if !rule && d.Filter != nil {
		f.add("filter", "not_allowed", "is for tags of kind rule")
	}
}

func (d Definition) checkRule(f *faults) {
	if d.Filter == nil {
		f.add("filter", "required", "is needed, or filter_text")
		return
	}
	if len(d.Filter.Segments()) > 0 {
		f.add("filter", "segment", "names a segment: segments are chosen by tags, and not the other way round")
	}
	if slices.Contains(d.Filter.Fields(), "tags") {
		f.add("filter", "tags", "asks for tags: a tag does not hang on tags")
	}
	*f = append(*f, filter.Check(*d.Filter, "filter")...)
}

func (d Definition) checkBands(f *faults) {
	field, ok := portrait.Lookup(d.Field)
	numbers := field.Type == portrait.Number || field.Type == portrait.Money
	switch {
	case !ok:
		f.add("field", "unknown_field", "is not a field of customers' portraits; see GET /v1/analytics/fields")
		return
	case field.Score != (d.Kind == Model):
		f.add("field", "kind", "does not fit the kind: fact takes what follows events or the day, model what runs reckon")
		return
	case !numbers && field.Type != portrait.Text:
		f.add("field", "type", "is of the type %s; bands are of numbers, amounts and texts: make a rule of it", field.Type)
		return
	case len(d.Bands) == 0 || len(d.Bands) > MaxBands:
		f.add("bands", "count", "must be 1 to %d", MaxBands)
		return
	}
	seen := map[string]bool{}
	for i, b := range d.Bands {
		at := fmt.Sprintf("bands[%d]", i)
		if !bandCode.MatchString(b.Code) || seen[b.Code] {
			f.add(at+".code", "invalid", "must be 1 to 20 of a-z, 0-9 and _, and different from the others")
		}
		seen[b.Code] = true
		f.length(at+".name", b.Name, 0, maxName)
		if numbers {
			d.checkBounds(f, i, at)
		} else {
			d.checkTexts(f, i, at)
		}
	}
}

// checkBounds holds bands of numbers to be in rising order and apart, so that a customer is in one at most.
func (d Definition) checkBounds(f *faults, i int, at string) {
	b := d.Bands[i]
	if b.OneOf != nil {
		f.add(at+".one_of", "not_allowed", "is for texts; numbers take at_least and below")
		return
	}
	if b.AtLeast == nil && b.Below == nil {
		f.add(at, "required", "needs at_least, below, or both")
		return
	}
	for _, fault := range filter.Check(b.filter(d.Field), at) {
		f.add(at, fault.Code, "%s", fault.Message)
	}
	if b.AtLeast != nil && b.Below != nil && *b.AtLeast >= *b.Below {
		f.add(at+".below", "order", "must be more than at_least")
	}
	if i > 0 && (b.AtLeast == nil || d.Bands[i-1].Below == nil || *b.AtLeast < *d.Bands[i-1].Below) {
		f.add(at+".at_least", "order", "must be where the band before ends, or more: bands rise and do not overlap")
	}
}

func (d Definition) checkTexts(f *faults, i int, at string) {
	b := d.Bands[i]
	if b.AtLeast != nil || b.Below != nil {
		f.add(at, "not_allowed", "of texts takes one_of, and no bounds")
		return
	}
	if len(b.OneOf) == 0 {
		f.add(at+".one_of", "required", "lists the texts of the band")
		return
	}
	for _, fault := range filter.Check(b.filter(d.Field), at) {
		f.add(at+".one_of", fault.Code, "%s", fault.Message)
	}
	for j, text := range b.OneOf {
		for k, before := range d.Bands[:i+1] {
			if k < i && slices.Contains(before.OneOf, text) || k == i && slices.Contains(b.OneOf[:j], text) {
				f.add(fmt.Sprintf("%s.one_of[%d]", at, j), "repeated", "stands there already: a customer is in one band at most")
			}
		}
	}
}

// tree is all tags of a tenant by their codes.
type tree map[string]Tag

// path lists the groups above a tag, from the top on.
func (t tree) path(of Tag) (codes []string) {
	for parent := of.Parent; parent != "" && len(codes) <= MaxAll; parent = t[parent].Parent {
		codes = append(codes, parent)
	}
	slices.Reverse(codes)
	return codes
}

// below gives how many steps the tree goes on below a group, and whether anything there is not archived.
func (t tree) below(group string) (depth int, active bool) {
	for _, one := range t {
		if one.Parent == group && one.Code != group {
			d, _ := t.below(one.Code)
			depth, active = max(depth, d+1), active || !one.Archived
		}
	}
	return depth, active
}

// place names what is wrong with where d is to stand, and with what it takes for itself, among the others.
func (t tree) place(d Definition) []problem.Field {
	var f faults
	if d.Parent != "" {
		parent, ok := t[d.Parent]
		switch {
		case !ok || parent.Kind != Group || parent.Archived:
			f.add("parent", "unknown_group", "must be the code of a group that is not archived")
		case parent.Code == d.Code || slices.Contains(t.path(parent), d.Code):
			f.add("parent", "cycle", "is the group itself, or below it")
		default:
			if depth, _ := t.below(d.Code); len(t.path(parent))+1+depth > MaxDepth {
				f.add("parent", "too_deep", "puts a tag below more than %d groups", MaxDepth)
			}
		}
	}
	taken := map[string]string{}
	conditions := d.conditions()
	for _, other := range t {
		if other.Code == d.Code {
			continue
		}
		for _, c := range other.codes() {
			taken[c] = other.Code
		}
		if !other.Archived {
			conditions += other.conditions()
		}
	}
	for _, c := range d.codes() {
		if by, ok := taken[c]; ok {
			f.add("code", "taken", "would be or make %q, which the tag %q has already", c, by)
		}
	}
	if conditions > MaxConditions {
		f.add("filter", "too_large", "makes more than %d conditions and bands of all tags together", MaxConditions)
	}
	return f
}

// ordered lists the tags that keep is true of in the order of the tree: each after the groups above it, by code.
func (t tree) ordered(keep func(Tag) bool) []Tag {
	var all []Tag
	for _, one := range t {
		if keep(one) {
			all = append(all, one)
		}
	}
	slices.SortFunc(all, func(a, b Tag) int {
		return slices.Compare(append(t.path(a), a.Code), append(t.path(b), b.Code))
	})
	return all
}

func sortByCode(tags []Tag) {
	slices.SortFunc(tags, func(a, b Tag) int { return strings.Compare(a.Code, b.Code) })
}

// revision is a number that rises whenever anything of the tree changes.
func (t tree) revision() (sum int64) {
	for _, one := range t {
		sum += one.Version
	}
	return sum
}
