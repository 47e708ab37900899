// Package profile shows a customer whole, as far as the purpose needs it: who it is, how to reach them, what they bought,
// what is said of them, and what was left out. It keeps nothing of its own.
package profile

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/access"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/consent"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/identity"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/insight"
)

// record is what is known of a customer, as far as it was in sight when it was read.
type record struct {
	id      uuid.UUID // of the customer whom the id that was asked for means
	aliases []uuid.UUID
	kind    string
	state   string
	region  string // of the tenant: whose national telephone numbers are meant

	names        names
	tags         []string
	owner        string
	stage        string
	registeredAt time.Time

	identities  []known
	addresses   []address
	fields      []field
	insights    []said
	facts       []fact
	orders      []order
	lastContact *time.Time
	asOf        []asOf

	consents   consent.History // all that was said, but for suppressions until those are read
	suppressed bool            // the tenant has suppressed addresses: some of the customer's may be among them

	caller calling
}

// calling is the telephone that somebody calls from.
type calling struct {
	number string // in E.164; empty: nobody calls
	mine   bool   // it is one of the customer's
}

type names struct{ display, given, family, legal string }

// The JSON names are those of the statement that reads them.

type known struct {
	Type       string     `json:"type"`
	Value      string     `json:"value"`
	AddedAt    time.Time  `json:"added_at"`
	VerifiedAt *time.Time `json:"verified_at"`
}

type address struct {
	AddressID  uuid.UUID `json:"id"`
	Kind       string    `json:"kind"`
	Lines      []string  `json:"lines"`
	City       string    `json:"city"`
	Region     string    `json:"region"`
	PostalCode string    `json:"postal_code"`
	Country    string    `json:"country"`
}

type field struct {
	Name  string          `json:"name"`
	Title string          `json:"title"`
	Class access.Class    `json:"class"`
	Value json.RawMessage `json:"value"`
}

type said struct {
	Name            string         `json:"name"`
	Kind            insight.Kind   `json:"kind"`
	Text            string         `json:"text"`
	Number          *float64       `json:"number"`
	InputClasses    []access.Class `json:"inputs"`
	AboutCustomerID *uuid.UUID     `json:"about"`
	ComputedAt      time.Time      `json:"computed_at"`
	ValidUntil      *time.Time     `json:"valid_until"`
}

type fact struct {
	Name  string `json:"name"`
	Unit  string `json:"unit"`
	Value int64  `json:"value"`
}

type order struct {
	At      time.Time                  `json:"at"`
	Title   string                     `json:"title"`
	OrderID string                     `json:"order_id"`
	Details map[string]json.RawMessage `json:"details"`
}

type asOf struct {
	Service string    `json:"service"`
	At      time.Time `json:"at"`
}

// distinct gives the identities that are in sight, each once, though several who were merged may have it.
func (r record) distinct(s access.Sight) []known {
	var out []known
	for _, k := range r.identities {
		if !s.May(access.OfIdentity(k.Type)) {
			continue
		}
		same := slices.IndexFunc(out, func(o known) bool { return o.Type == k.Type && o.Value == k.Value })
		if same < 0 {
			out = append(out, k)
			continue
		}
		if k.VerifiedAt != nil && (out[same].VerifiedAt == nil || k.VerifiedAt.After(*out[same].VerifiedAt)) {
			out[same].VerifiedAt = k.VerifiedAt
		}
	}
	return out
}

// reachable gives the telephones and mailboxes that the customer has, or spoke of.
func (r record) reachable() (all []identity.Identity) {
	add := func(i identity.Identity) {
		if (i.Type == identity.Phone || i.Type == identity.Email) && !slices.Contains(all, i) {
			all = append(all, i)
		}
	}
	for _, k := range r.identities {
		add(identity.Identity{Type: identity.Type(k.Type), Value: k.Value})
	}
	for _, said := range r.consents.Records {
		add(said.Key.Address)
	}
	return all
}

// rings tells the record which telephone is calling, as it was typed; the empty one says that nobody calls.
func (r *record) rings(typed string) error {
	if typed == "" {
		return nil
	}
	i, fault := identity.Normalise(string(identity.Phone), typed, r.region)
	if fault != nil {
		return problem.New(problem.Unprocessable, "calling_malformed", "This is no telephone number. Mend it, or leave it out.").
			WithField("query.calling", fault.Code, fault.Message)
	}
	r.caller = calling{i.Value, slices.ContainsFunc(r.identities, func(k known) bool { return k.Type == string(i.Type) && k.Value == i.Value })}
	return nil
}

// The names of insights that stand in the block of facts.
const (
	gradeName     = "grade"
	tierName      = "tier"
	churnRiskName = "churn_risk"
	nextBestName  = "next_best_action"
)

// told gives the insight of the name and kind that is in sight; nil where there is none.
func (r record) told(name string, kind insight.Kind) *said {
	for n := range r.insights {
		if i := &r.insights[n]; i.Name == name && i.Kind == kind {
			return i
		}
	}
	return nil
}

// text is the insight's, empty without one.
func (s *said) text() string {
	if s == nil {
		return ""
	}
	return s.Text
}

// nextBest gives the recommendation that is to be followed: the one of that name, else the one that was computed last.
func (r record) nextBest() *said {
	if named := r.told(nextBestName, insight.Recommendation); named != nil {
		return named
	}
	var last *said
	for n := range r.insights {
		if i := &r.insights[n]; i.Kind == insight.Recommendation && (last == nil || i.ComputedAt.After(last.ComputedAt)) {
			last = i
		}
	}
	return last
}

// count is the fact of the name that has no unit; 0 where nothing was heard of it.
func (r record) count(name string) int64 {
	for _, f := range r.facts {
		if f.Name == name && f.Unit == "" {
			return f.Value
		}
	}
	return 0
}

// worth is what the customer bought less what went back for returned goods, in minor units by currency.
func (r record) worth() []fact {
	var out []fact
	for _, f := range r.facts {
		sign := int64(1)
		switch f.Name {
		case "revenue_minor":
		case "returned_minor":
			sign = -1
		default:
			continue
		}
		if n := slices.IndexFunc(out, func(o fact) bool { return o.Unit == f.Unit }); n >= 0 {
			out[n].Value += sign * f.Value
			continue
		}
		out = append(out, fact{Name: "lifetime_value", Unit: f.Unit, Value: sign * f.Value})
	}
	slices.SortFunc(out, func(a, b fact) int { return cmp.Compare(a.Unit, b.Unit) })
	return out
}

// looks are what somebody looks at who sees the record: the customer's sensitive data, and that of others from which
// something was drawn.
func (r record) looks(s access.Sight) []access.Look {
	looks := []access.Look{{View: view, Customer: r.id, Classes: s.Sensitive()}}
	for _, i := range r.insights {
		if i.AboutCustomerID != nil {
			looks = append(looks, access.Look{View: view, Customer: *i.AboutCustomerID, Classes: i.InputClasses})
		}
	}
	return looks
}
