// Package category keeps the tree of what a tenant's tickets can be about.
package category

import (
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Category is one node of the tree.
type Category struct {
	Code      string   // for life: lower-case letters, digits, - and _
	Parent    string   // its code; empty for a root
	Path      []string // the codes from the root to this one
	Title     string   // as people read it
	Archived  bool     // takes no new tickets; those that have it keep it
	Used      bool     // a ticket bears it, or bore it
	Version   int64
	ChangedAt time.Time
}

const (
	// Most is how many categories a tenant has at most, archived ones included.
	Most = 1000
	// Deepest is how many levels the tree has at most.
	Deepest  = 6
	maxTitle = 200 // characters
)

// Tree are all categories of a tenant, by code.
type Tree map[string]Category

// Add gives the category that a draft of code, parent and title makes, or names every field that is not right.
func (t Tree) Add(d Category, now time.Time) (Category, []problem.Field) {
	c, faults := d.normalise()
	if !codeShape.MatchString(c.Code) {
		faults = append(faults, fault("code", "code_malformed", "must be a code of 1 to 64 lower-case letters, digits, - and _"))
	}
	c.Archived, c.Used, c.Version, c.ChangedAt = false, false, 1, now
	c.Path, faults = t.place(c, 1, faults)
	if len(t) >= Most {
		faults = append(faults, fault("code", "too_many", "must not be one more than 1000 categories"))
	}
	return c, faults
}

// Change gives a category as it is wanted, or names every field that is not right; changed is false where it is so
// already. What is below it moves with it.
func (t Tree) Change(code string, to Category, now time.Time) (c Category, changed bool, faults []problem.Field) {
	was := t[code]
	c = was
	to, faults = to.normalise()
	c.Title, c.Parent, c.Archived = to.Title, to.Parent, to.Archived
	if c.Parent != was.Parent {
		c.Path, faults = t.place(c, t.height(code), faults)
	}
	if c.Title == was.Title && c.Parent == was.Parent && c.Archived == was.Archived || len(faults) > 0 {
		return was, false, faults
	}
	c.Version, c.ChangedAt = c.Version+1, now
	return c, true, nil
}

// Children tells whether something is below the category.
func (t Tree) Children(code string) bool {
	for _, c := range t {
		if c.Parent == code {
			return true
		}
	}
	return false
}

// height is how many levels begin with the category: 1 where nothing is below it.
func (t Tree) height(code string) int {
	below := 0
	for _, c := range t {
		if at := slices.Index(c.Path, code); at >= 0 {
			below = max(below, len(c.Path)-at)
		}
	}
	return below
}

// place gives the path that a category has where its parent says, with so many levels of its own.
func (t Tree) place(c Category, levels int, faults []problem.Field) ([]string, []problem.Field) {
	if c.Parent == "" {
		return []string{c.Code}, faults
	}
	parent, known := t[c.Parent]
	switch {
	case !known || parent.Archived:
		faults = append(faults, fault("parent", "category_unknown", "is no category of this tenant that takes new ones"))
	case slices.Contains(parent.Path, c.Code):
		faults = append(faults, fault("parent", "category_below_itself", "must not be the category itself or below it"))
	case len(parent.Path)+levels > Deepest:
		faults = append(faults, fault("parent", "tree_too_deep", "must not make the tree deeper than 6 levels"))
	}
	return append(slices.Clone(parent.Path), c.Code), faults
}

var codeShape = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)

func (c Category) normalise() (Category, []problem.Field) {
	c.Title = strings.Join(strings.Fields(norm.NFC.String(c.Title)), " ")
	if n := utf8.RuneCountInString(c.Title); n < 1 || n > maxTitle || strings.ContainsFunc(c.Title, unicode.IsControl) {
		return c, []problem.Field{fault("title", "title_malformed", "must be 1 to 200 characters, none of them a control character")}
	}
	return c, nil
}

func fault(location, code, message string) problem.Field {
	return problem.Field{Location: location, Code: code, Message: message}
}

// paths fills in the paths of a tree that was read without.
func (t Tree) paths() {
	var path func(code string) []string
	path = func(code string) []string {
		c := t[code]
		if c.Path == nil {
			if c.Parent != "" {
				c.Path = append(c.Path, path(c.Parent)...)
			}
			c.Path = append(c.Path, code)
			t[code] = c
		}
		return c.Path
	}
	for code := range t {
		path(code)
	}
}
