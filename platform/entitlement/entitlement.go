// Package entitlement lets a service refuse what is not live yet. An organisation that introduces the platform switches
// capabilities on unit by unit (the service rollout leads that, and tells of it by EntitlementsChanged); every service keeps what it
// heard in a table of its own and asks it, once a second at most, before an operation is carried out.
//
// As long as no rollout governs a capability it is open to everybody.
package entitlement

import (
	"strings"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Entitlement says to whom a rollout has opened a capability.
type Entitlement struct {
	Capability auth.Capability
	Units      []string // that are live
	Everyone   bool     // the rollout has finished
}

// Within tells whether a unit is another one or below it. Units are paths, such as north/branch-3/counter; no unit is within
// nothing.
func Within(unit, above string) bool {
	return unit != "" && (unit == above || strings.HasPrefix(unit, above+"/"))
}

// Open tells whether a unit may use a capability: no rollout governs it, or one has switched it on for the unit, or all that
// governed it have finished.
func Open(all []Entitlement, c auth.Capability, unit string) bool {
	open := true
	for _, e := range all {
		if e.Capability != c {
			continue
		}
		for _, live := range e.Units {
			if Within(unit, live) {
				return true
			}
		}
		open = open && e.Everyone
	}
	return open
}

// Check refuses a principal who works in a unit for which the permission's capability is not live. Whoever runs the platform is
// not held back, nor are other systems.
func Check(all []Entitlement, p auth.Principal, perm auth.Permission) error {
	c := perm.Capability()
	switch {
	case c == "" || !p.WorksInUnit() || Open(all, c, p.Unit):
		return nil
	case p.Unit == "":
		return problem.New(problem.Forbidden, "unit_missing",
			"The capability %s is being introduced unit by unit, and the token names no unit: whoever issues tokens has to add the claim unit.", c).
			WithField("header.Authorization", "unit_missing", string(c))
	default:
		return problem.New(problem.Forbidden, "not_live_for_unit",
			"The capability %s is not live for your unit %s yet: it is being introduced unit by unit. Who leads the rollout knows when it is this one's turn.", c, p.Unit).
			WithField("header.Authorization", "not_live_for_unit", string(c))
	}
}
