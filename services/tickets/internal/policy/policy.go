// Package policy keeps what a tenant allows and asks for in its complaints: how long each step may take, up to which cost a
// remedy needs nobody's approval, whether the customer is asked in the end, until when the law wants a final answer, and the
// menu of remedies.
package policy

import (
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/money"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticket"
)

// Policy is what one tenant allows. Amounts are in minor units of the currency that a remedy is in; nothing is
// converted.
type Policy struct {
	Version        int64         // 0 while the standard one holds
	StepWithin     time.Duration // for each step of the staff; then it is reminded of, again and again
	CustomerWithin time.Duration // for the customer's word; then the customer is reminded
	Reminders      int           // to the customer, before silence ends the waiting
	Rounds         int           // proposals that a customer may reject
	FreeMinor      int64         // up to here nobody need approve a remedy
	ManagerMinor   int64         // up to here a manager does, beyond it a director
	PointMinor     int64         // what a point costs

	AcknowledgeWithin time.Duration // for telling the customer that the complaint was received
	VerifyWithin      time.Duration // for the customer's verdict on what was done; 0: nobody is asked
	LowScore          int           // of 1 to 5: up to here the complaint is dealt with anew
	Reopens           int           // how often a low score does that
	ManagerSeverity   int           // as grave or graver: a manager approves, whatever it costs; 0: no severity does
	DirectorSeverity  int           // the same of a director
	LegalDays         int           // working days for the final answer; 0: no such deadline
	LegalCalendarID   uuid.UUID     // that has the working days; Nil: the tenant's default calendar
	LegalWarnDays     []int         // working days before the deadline at which it is warned of
	OutsideBodies     []Body        // that a final answer names; none: complaints end without one

	Menu Menu
}

// Body is somebody outside whom a customer may turn to who does not agree with the final answer.
type Body struct {
	Code    string `json:"code"`    // such as "ombudsman", "12315" or "court"
	Name    string `json:"name"`    // as the final answer gives it
	Contact string `json:"contact"` // address, telephone number or page; may be empty
}

// Standard is the policy of a tenant that has set none.
func Standard() Policy {
	const day = 24 * time.Hour
	return Policy{
		StepWithin: 2 * day, CustomerWithin: 7 * day, Reminders: 2, Rounds: 3,
		FreeMinor: 5_000, ManagerMinor: 50_000, PointMinor: 1,
		AcknowledgeWithin: day, LowScore: 2, Reopens: 2, ManagerSeverity: 1, LegalWarnDays: []int{5, 1}, OutsideBodies: []Body{},
		Menu: StandardMenu(),
	}
}

// Approval is who has to approve a remedy.
type Approval string

// The approvals, each including those before it.
const (
	None     Approval = "none"
	Manager  Approval = "manager"
	Director Approval = "director"
)

// Approval tells who has to approve a remedy of the cost for a complaint of the severity, 1 (grave) to 4, at the level, which
// is 1 at first and rises each time that a complaint is dealt with anew: from 2 on a manager approves whatever is offered, from
// 3 on a director.
func (p Policy) Approval(costMinor int64, severity, level int) Approval {
	switch {
	case costMinor > p.ManagerMinor || severity <= p.DirectorSeverity || level >= 3:
		return Director
	case costMinor > p.FreeMinor || severity <= p.ManagerSeverity || level == 2:
		return Manager
	default:
		return None
	}
}

const (
	longest     = 366 * 24 * time.Hour
	most        = 100 // reminders and rounds
	mostReopens = 10
	mostDays    = 366
	mostBodies  = 10
)

// Check names every field that is not right.
func (p Policy) Check() (faults []problem.Field) {
	fault := func(location, message string) {
		faults = append(faults, problem.Field{Location: location, Code: "out_of_range", Message: message})
	}
	for name, d := range map[string]time.Duration{
		"step_seconds": p.StepWithin, "customer_seconds": p.CustomerWithin, "acknowledge_seconds": p.AcknowledgeWithin,
	} {
		if d < time.Second || d > longest {
			fault(name, "must be 1 second to 366 days")
		}
	}
	if p.VerifyWithin != 0 && p.VerifyWithin < time.Second || p.VerifyWithin > longest {
		fault("verify_seconds", "must be 1 second to 366 days, or 0 for no verification")
	}
	if p.Reminders < 0 || p.Reminders > most {
		fault("reminders", "must be 0 to 100")
	}
	if p.Rounds < 1 || p.Rounds > most {
		fault("rounds", "must be 1 to 100")
	}
	if p.Reopens < 0 || p.Reopens > mostReopens {
		fault("reopens", "must be 0 to 10")
	}
	if p.LowScore < 1 || p.LowScore > 4 {
		fault("low_score", "must be 1 to 4, of scores of 1 to 5")
	}
	for name, severity := range map[string]int{"manager_severity": p.ManagerSeverity, "director_severity": p.DirectorSeverity} {
		if severity < 0 || severity > 4 {
			fault(name, "must be 1 (grave) to 4 (slight), or 0 for none")
		}
	}
	for name, amount := range map[string]int64{"free_minor": p.FreeMinor, "manager_minor": p.ManagerMinor, "point_minor": p.PointMinor} {
		if amount < 0 || amount > money.Max {
			fault(name, "must be 0 or more and a possible amount")
		}
	}
	if p.ManagerMinor < p.FreeMinor {
		fault("manager_minor", "must not be less than free_minor")
	}
	return append(faults, p.checkLegal()...)
}

// checkLegal looks at what is said of the final answer.
func (p Policy) checkLegal() (faults []problem.Field) {
	fault := func(location, code, message string) {
		faults = append(faults, problem.Field{Location: location, Code: code, Message: message})
	}
	if p.LegalDays < 0 || p.LegalDays > mostDays {
		fault("legal_days", "out_of_range", "must be 1 to 366 working days, or 0 for no deadline")
	}
	if p.LegalDays == 0 && p.LegalCalendarID != uuid.Nil {
		fault("legal_calendar_id", "calendar_unexpected", "must be left out where there is no deadline")
	}
	if len(p.LegalWarnDays) > mostBodies || slices.ContainsFunc(p.LegalWarnDays, func(n int) bool { return n < 1 || n > mostDays }) {
		fault("legal_warn_days", "out_of_range", "must be at most 10 numbers of 1 to 366 working days before the deadline")
	}
	if len(p.OutsideBodies) > mostBodies {
		fault("outside_bodies", "out_of_range", "must be at most 10")
	}
	seen := map[string]bool{}
	for _, b := range p.OutsideBodies {
		switch {
		case !ticket.Code(b.Code) || seen[b.Code]:
			fault("outside_bodies", "body_malformed", "each needs a code of its own, of 1 to 64 lower-case letters, digits, - and _")
		case !line(b.Name) || b.Name == "" || !line(b.Contact):
			fault("outside_bodies", "body_malformed", "each needs a name, and name and contact are one line of at most 200 characters")
		}
		seen[b.Code] = true
	}
	return faults
}

// line tells whether s is at most 200 characters in one line, without spaces around them.
func line(s string) bool {
	return utf8.RuneCountInString(s) <= 200 && !strings.ContainsFunc(s, unicode.IsControl) && strings.TrimSpace(s) == s
}

// Body gives the outside body of a code.
func (p Policy) Body(code string) (Body, bool) {
	i := slices.IndexFunc(p.OutsideBodies, func(b Body) bool { return b.Code == code })
	if i < 0 {
		return Body{}, false
	}
	return p.OutsideBodies[i], true
}
