// Package access decides what a caller sees of a customer: the classes of data that the purpose needs, as far as one of
// the caller's roles may see them. It is the only place that decides so. Looks at financial, health and special data need
// a reason and are written to a log that can only be added to.
package access

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Class says what sort of data a field holds.
type Class string

// The classes.
const (
	Identity  Class = "identity"  // who somebody is: names, cards, ids in other systems
	Contact   Class = "contact"   // how to reach somebody: addresses, telephones, mailboxes
	Behaviour Class = "behaviour" // what somebody does: orders, points, interactions
	Financial Class = "financial" // what somebody has and owes
	Health    Class = "health"
	Special   Class = "special" // whatever else is nobody's business: beliefs, what somebody reads, biometrics
)

// Classes lists every class.
func Classes() []Class { return []Class{Identity, Contact, Behaviour, Financial, Health, Special} }

// Sensitive tells whether a look at the class needs a reason and is logged.
func (c Class) Sensitive() bool { return c == Financial || c == Health || c == Special }

// Purpose says what for somebody looks at a customer.
type Purpose string

// The purposes.
const (
	OrderTaking    Purpose = "order_taking"
	Service        Purpose = "service"
	Sales          Purpose = "sales"
	Marketing      Purpose = "marketing"
	Analysis       Purpose = "analysis"    // figures, without knowing who it is
	Credit         Purpose = "credit"      // may the customer buy on account
	Care           Purpose = "care"        // advice that needs to know of the customer's health
	Integration    Purpose = "integration" // another system keeps the same customers
	Administration Purpose = "administration"
)

// Purposes lists every purpose.
func Purposes() []Purpose {
	return []Purpose{OrderTaking, Service, Sales, Marketing, Analysis, Credit, Care, Integration, Administration}
}

// needs is the one table from purposes to the classes that they need. A purpose that is not known needs none.
func needs(p Purpose) []Class {
	switch p {
	case OrderTaking, Service, Sales, Marketing:
		return []Class{Identity, Contact, Behaviour}
	case Analysis:
		return []Class{Behaviour}
	case Credit:
		return []Class{Identity, Contact, Financial}
	case Care:
		return []Class{Identity, Contact, Health}
	case Integration, Administration:
		return Classes()
	default:
		return nil
	}
}

// grant is what a role may look at customers for, the purpose that is meant where none is named first, and the classes
// that it may see at all.
type grant struct {
	purposes []Purpose
	classes  []Class
}

// grantOf is the one table from roles to purposes and classes. A role that is not known has none.
func grantOf(role string) grant {
	everyday := []Class{Identity, Contact, Behaviour}
	switch role {
	case auth.RoleAgent:
		return grant{[]Purpose{OrderTaking, Service}, everyday}
	case auth.RoleSales:
		return grant{[]Purpose{Sales, OrderTaking}, everyday}
	case auth.RoleMarketing:
		return grant{[]Purpose{Marketing, Analysis}, everyday}
	case auth.RoleManager:
		return grant{
			[]Purpose{Service, OrderTaking, Sales, Marketing, Analysis, Credit, Care},
			[]Class{Identity, Contact, Behaviour, Financial, Health},
		}
	case auth.RoleOperations:
		return grant{[]Purpose{Administration}, everyday}
	case auth.RoleIntegrator:
		return grant{[]Purpose{Integration}, Classes()}
	case auth.RoleAdmin:
		return grant{[]Purpose{Administration, OrderTaking, Service, Sales, Marketing, Analysis, Credit, Care, Integration}, Classes()}
	case auth.RoleService:
		return grant{[]Purpose{Sales}, []Class{Identity, Contact, Behaviour}}
	default:
		return grant{}
	}
}

// Sight is what a caller sees. The zero Sight sees nothing.
type Sight struct {
	purpose Purpose
	roles   []string // of the caller's, those that may act for the purpose; sorted
	classes []Class  // that both the purpose needs and one of these roles may see
	reason  string
}

// For gives what the caller of the context sees for a purpose; the empty one means the usual one of the first of the
// caller's roles. A purpose that is not known is Unprocessable, one for which none of the caller's roles may act is
// Forbidden. Sensitive classes stay out of sight without a reason: see Because.
func For(ctx context.Context, purpose string) (Sight, error) {
	who, _ := auth.From(ctx)
	s := Sight{purpose: Purpose(purpose)}
	if purpose == "" {
		s.purpose = usual(who.Roles)
	} else if !slices.Contains(Purposes(), s.purpose) {
		return Sight{}, problem.New(problem.Unprocessable, "purpose_unknown", "There is no such purpose.").
			WithField("query.purpose", "purpose_unknown", "must be one of "+joined(Purposes()))
	}
	for _, role := range slices.Sorted(slices.Values(who.Roles)) {
		g := grantOf(role)
		if !slices.Contains(g.purposes, s.purpose) {
			continue
		}
		s.roles = append(s.roles, role)
		for _, c := range needs(s.purpose) {
			if slices.Contains(g.classes, c) && !slices.Contains(s.classes, c) {
				s.classes = append(s.classes, c)
			}
		}
	}
	if len(s.roles) == 0 {
		return Sight{}, problem.New(problem.Forbidden, "purpose_not_allowed",
			"Your role does not look at customers for this purpose. Name one that is yours.")
	}
	return s, nil
}

// usual is the purpose that is meant where none is named: of the roles' in the order of the platform's table, in which
// those that see less come first.
func usual(roles []string) Purpose {
	for _, role := range append(auth.Roles(), auth.RoleService) {
		if g := grantOf(role); slices.Contains(roles, role) && len(g.purposes) > 0 {
			return g.purposes[0]
		}
	}
	return ""
}

// reasonForm keeps prose, which may be personal data, out of the log.
var reasonForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}$`)

// Because gives the sight of a caller who says why: a code or the id of what it is done for, such as T-000123. The empty
// reason changes nothing; one that is neither code nor id is Unprocessable.
func (s Sight) Because(reason string) (Sight, error) {
	if reason != "" && !reasonForm.MatchString(reason) {
		return Sight{}, problem.New(problem.Unprocessable, "reason_malformed", "The reason is no code and no id. Do not write prose here.").
			WithField("query.reason", "reason_malformed", "must be 1 to 64 letters, digits and . _ : / -, the first a letter or digit")
	}
	s.reason = reason
	return s, nil
}

// Purpose is what the caller looks for.
func (s Sight) Purpose() Purpose { return s.purpose }

// May tells whether the caller sees data of the class.
func (s Sight) May(c Class) bool {
	return slices.Contains(s.classes, c) && (s.reason != "" || !c.Sensitive())
}

// MayAll tells whether the caller sees what is drawn from data of all these classes. What names none is seen by nobody.
func (s Sight) MayAll(classes ...Class) bool {
	return len(classes) > 0 && !slices.ContainsFunc(classes, func(c Class) bool { return !s.May(c) })
}

// Seen lists the classes that are in sight.
func (s Sight) Seen() []Class {
	return slices.DeleteFunc(Classes(), func(c Class) bool { return !s.May(c) })
}

// Sensitive lists the sensitive classes that are in sight.
func (s Sight) Sensitive() []Class {
	return slices.DeleteFunc(s.Seen(), func(c Class) bool { return !c.Sensitive() })
}

// Withheld says of a class that it was left out, and why.
type Withheld struct {
	Class Class  `json:"class" enum:"identity,contact,behaviour,financial,health,special"`
	Why   string `json:"why" enum:"not_for_purpose,not_for_role,reason_required" doc:"The purpose does not need it; your role may not see it; or you have to say why you look."`
}

// Withheld says which of the classes, of all where none is named, are out of sight, and why. It does not say whether there
// is anything of them: that alone would tell.
func (s Sight) Withheld(classes ...Class) []Withheld {
	if len(classes) == 0 {
		classes = Classes()
	}
	out := []Withheld{}
	for _, c := range classes {
		switch {
		case s.May(c):
		case !slices.Contains(needs(s.purpose), c):
			out = append(out, Withheld{c, "not_for_purpose"})
		case !slices.Contains(s.classes, c):
			out = append(out, Withheld{c, "not_for_role"})
		default:
			out = append(out, Withheld{c, "reason_required"})
		}
	}
	return out
}

// Asked is embedded in the input of an operation that shows fields by their class.
type Asked struct {
	Purpose string `query:"purpose" maxLength:"64" doc:"What you look for: order_taking, service, sales, marketing, analysis, credit, care, integration or administration. Without one, the usual one of your role." example:"order_taking"`
	Reason  string `query:"reason" maxLength:"64" doc:"Why you look, as a code or the id of what it is done for: without one, financial, health and special data are left out. It is logged." example:"T-000123"`
}

// Sight gives what the caller sees who asks so.
func (a Asked) Sight(ctx context.Context) (Sight, error) {
	s, err := For(ctx, a.Purpose)
	if err != nil {
		return Sight{}, err
	}
	return s.Because(a.Reason)
}

func joined[T ~string](codes []T) string {
	texts := make([]string, len(codes))
	for i, c := range codes {
		texts[i] = string(c)
	}
	return strings.Join(texts, ", ")
}
