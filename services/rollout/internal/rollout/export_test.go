package rollout

import "github.com/guanxi-crm/guanxi/platform/auth"

// What tests look at.
func (a Action) Right() auth.Permission       { return a.right() }
func (a Action) Fits(s State) error           { return a.fits(s) }
func Same(a, b []Entitlement) bool            { return same(a, b) }
func (r *Rollout) PhaseOf(code string) *Phase { return r.phase(code) }
func (r *Rollout) RiskOf(code string) *Risk   { return r.risk(code) }
func (p *Phase) TaskOf(code string) *Task     { return p.task(code) }
func (p *Phase) GateOf(code string) *Gate     { return p.gate(code) }
func (p *Phase) Worked() bool                 { return p.worked() }
