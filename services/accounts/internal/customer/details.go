package customer

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/access"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/field"
)

// MaxTags is how many tags a customer can have.
const MaxTags = 50

const (
	maxTag   = 64  // characters
	maxOwner = 255 // characters, as many as OpenID Connect Core 1.0 section 2 gives a subject
)

// normaliseTags gives the tags composed, sorted, each once, and names those that are none.
func normaliseTags(tags []string) ([]string, []problem.Field) {
	var faults []problem.Field
	out := make([]string, 0, len(tags))
	for n, tag := range tags {
		tag = strings.Join(strings.Fields(norm.NFC.String(tag)), " ")
		if length := utf8.RuneCountInString(tag); length < 1 || length > maxTag || strings.ContainsFunc(tag, unprintable) {
			faults = append(faults, problem.Field{Location: fmt.Sprintf("tags[%d]", n), Code: "tag_malformed",
				Message: "must be 1 to 64 characters, none of them a control character"})
		}
		out = append(out, tag)
	}
	slices.Sort(out)
	if out = slices.Compact(out); len(out) > MaxTags {
		faults = append(faults, problem.Field{Location: "tags", Code: "too_many", Message: "must be at most 50"})
	}
	return out, faults
}

func normaliseOwner(owner string) (string, []problem.Field) {
	owner = strings.TrimSpace(owner)
	if utf8.RuneCountInString(owner) > maxOwner || strings.ContainsFunc(owner, unprintable) {
		return owner, []problem.Field{{Location: "owner", Code: "owner_malformed", Message: "must be the subject of a user, of at most 255 characters"}}
	}
	return owner, nil
}

// Details are what a customer is besides identities and addresses.
type Details struct {
	Names
	Kind    Kind
	Tags    []string
	Owner   string
	Custom  map[string]any
	Classes map[string]access.Class // of the fields in Custom
}

// Details gives what Change changes.
func (c Customer) Details() Details {
	return Details{Names: c.Names, Kind: c.Kind, Tags: c.Tags, Owner: c.Owner, Custom: c.Custom, Classes: c.Classes}
}

// Change gives the customer with other details and the names of the fields that differ, sorted; none: nothing was changed.
func (c Customer) Change(d Details, at time.Time) (Customer, []string, []problem.Field) {
	now, changed, faults := c.Rename(d.Names, at)
	tags, more := normaliseTags(d.Tags)
	faults = append(faults, more...)
	owner, more := normaliseOwner(d.Owner)
	faults = append(faults, more...)
	if d.Kind != Person && d.Kind != Organisation {
		faults = append(faults, kindUnknown)
	}
	if len(faults) > 0 {
		return c, nil, faults
	}
	for name, differs := range map[string]bool{
		"kind":          d.Kind != c.Kind,
		"tags":          !slices.Equal(tags, c.Tags),
		"owner":         owner != c.Owner,
		"custom_fields": !sameValues(c.Custom, d.Custom),
	} {
		if differs {
			changed = append(changed, name)
		}
	}
	if len(changed) == 0 {
		return c, nil, nil
	}
	slices.Sort(changed)
	now.Kind, now.Tags, now.Owner, now.Custom, now.Classes = d.Kind, tags, owner, d.Custom, d.Classes
	now.Version, now.ChangedAt = c.Version+1, at
	return now, changed, nil
}

// withCustom gives values with those of a change put in and those that it removes taken out.
func (d Details) withCustom(values map[string]any, removed []string, fields field.Set) Details {
	custom, classes := maps.Clone(d.Custom), maps.Clone(d.Classes)
	if custom == nil {
		custom = make(map[string]any)
	}
	if classes == nil {
		classes = make(map[string]access.Class)
	}
	for name, value := range values {
		custom[name], classes[name] = value, fields[name].Class
	}
	for _, name := range removed {
		delete(custom, name)
		delete(classes, name)
	}
	d.Custom, d.Classes = custom, classes
	return d
}

// sameValues compares values as JSON has them: a whole number read back is a float64.
func sameValues(a, b map[string]any) bool {
	return maps.EqualFunc(a, b, func(x, y any) bool { return reflect.DeepEqual(plain(x), plain(y)) })
}

func plain(v any) any {
	switch v := v.(type) {
	case int64:
		return float64(v)
	case []string:
		out := make([]any, len(v))
		for n := range v {
			out[n] = v[n]
		}
		return out
	default:
		return v
	}
}

// To gives the customer archived or active; changed is false when it was so already.
func (c Customer) To(s State, at time.Time) (to Customer, changed bool) {
	if c.State == s {
		return c, false
	}
	c.State, c.Version, c.ChangedAt = s, c.Version+1, at
	return c, true
}
