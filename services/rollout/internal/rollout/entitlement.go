package rollout

import (
	"slices"

	"github.com/guanxi-crm/guanxi/services/rollout/internal/unit"
)

// Entitlement says who may use a capability by a rollout.
type Entitlement struct {
	Capability string   `json:"capability"`
	Units      []string `json:"units" nullable:"false" doc:"Codes of the units that are live; each takes in those below it."`
	Everyone   bool     `json:"everyone,omitempty" doc:"The rollout has finished: everybody may."`
}

// Entitlements reckons for whom the capabilities of the rollout are open, from the phases that are live and nothing else: all
// that its phases switch on are governed from the start to the end, by one that was cancelled or not started none.
func (r Rollout) Entitlements() []Entitlement {
	if !r.State.governs() && r.State != Finished {
		return nil
	}
	var all []Entitlement
	for _, capability := range r.Plan.Capabilities() {
		e := Entitlement{Capability: capability, Units: []string{}, Everyone: r.State == Finished}
		for _, p := range r.Phases {
			planned, _ := r.Plan.Phase(p.Code)
			if !e.Everyone && p.State == Live && slices.Contains(planned.Capabilities, capability) {
				e.Units = append(e.Units, planned.Units...)
			}
		}
		e.Units = topmost(e.Units)
		all = append(all, e)
	}
	return all
}

// topmost leaves out the units that stand below another of them.
func topmost(units []string) []string {
	slices.Sort(units)
	kept := []string{}
	for _, code := range units {
		if !unit.Covered(code, kept) { // a unit sorts before those below it
			kept = append(kept, code)
		}
	}
	return kept
}

// same tells whether two lists of entitlements say the same.
func same(a, b []Entitlement) bool {
	return slices.EqualFunc(a, b, func(x, y Entitlement) bool {
		return x.Capability == y.Capability && x.Everyone == y.Everyone && slices.Equal(x.Units, y.Units)
	})
}
