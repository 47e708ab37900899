// Package policy keeps what a tenant allows in its complaints: how long each step may take, how often a customer is
// reminded, and up to which cost a remedy needs nobody's approval.
package policy

import (
	"time"

	"github.com/guanxi-crm/guanxi/platform/money"
	"github.com/guanxi-crm/guanxi/platform/problem"
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
}

// Standard is the policy of a tenant that has set none.
func Standard() Policy {
	const day = 24 * time.Hour
	return Policy{
		StepWithin: 2 * day, CustomerWithin: 7 * day, Reminders: 2, Rounds: 3,
		FreeMinor: 5_000, ManagerMinor: 50_000, PointMinor: 1,
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

// grave is the severity from which on a remedy is never offered without a second look.
const grave = 1

// Approval tells who has to approve a remedy of the cost for a complaint of the severity.
func (p Policy) Approval(costMinor int64, severity int) Approval {
	switch {
	case costMinor > p.ManagerMinor:
		return Director
	case costMinor > p.FreeMinor || severity == grave:
		return Manager
	default:
		return None
	}
}

const (
	longest = 366 * 24 * time.Hour
	most    = 100 // reminders and rounds
)

// Check names every field that is not right.
func (p Policy) Check() (faults []problem.Field) {
	fault := func(location, message string) {
		faults = append(faults, problem.Field{Location: location, Code: "out_of_range", Message: message})
	}
	for name, d := range map[string]time.Duration{"step_seconds": p.StepWithin, "customer_seconds": p.CustomerWithin} {
		if d < time.Second || d > longest {
			fault(name, "must be 1 second to 366 days")
		}
	}
	if p.Reminders < 0 || p.Reminders > most {
		fault("reminders", "must be 0 to 100")
	}
	if p.Rounds < 1 || p.Rounds > most {
		fault("rounds", "must be 1 to 100")
	}
	for name, amount := range map[string]int64{"free_minor": p.FreeMinor, "manager_minor": p.ManagerMinor, "point_minor": p.PointMinor} {
		if amount < 0 || amount > money.Max {
			fault(name, "must be 0 or more and a possible amount")
		}
	}
	if p.ManagerMinor < p.FreeMinor {
		fault("manager_minor", "must not be less than free_minor")
	}
	return faults
}
