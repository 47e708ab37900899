// Package churn says how likely customers are to go, and why: when a customer counts as gone is the tenant's to define, a logistic
// regression with a penalty learns from who went, and runs score everybody by the model in use and tell of those whose risk
// passes a threshold or jumps. Decision trees say in words who they are, of these and of any other part of the customers.
package churn

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

// When a customer counts as gone.
const (
	Silence     = "silence"      // bought nothing for much longer than usual
	ContractEnd = "contract_end" // the last membership ended, and none runs
)

// Definition says when a customer has gone.
type Definition struct {
	Kind string `json:"kind"`
	// Silence: longer than Factor times the median of the customer's own gaps between purchase days, but MinDays at least. Of customers
	// with one purchase day no rhythm is known; NewcomerDays stands for it.
	Factor       float64 `json:"factor"`
	MinDays      int     `json:"min_days"`
	NewcomerDays int     `json:"newcomer_days"`
	// HorizonDays is how far a model looks ahead: the risk is that of having gone so many days later.
	HorizonDays int `json:"horizon_days"`
}

// Settings are a tenant's.
type Settings struct {
	Definition
	ThresholdPermille int // from which on a risk is told of
	JumpPermille      int // a rise that is told of below the threshold as well; 0: none is
	Version           int64
	ChangedBy         string
	ChangedAt         time.Time
}

// Standard holds until a tenant says otherwise.
func Standard() Settings {
	return Settings{
		Definition:        Definition{Kind: Silence, Factor: 3, MinDays: 30, NewcomerDays: 90, HorizonDays: 90},
		ThresholdPermille: 600, JumpPermille: 250,
	}
}

// maxDays bounds everything that is counted in days.
const maxDays = 3650

// Check names what is wrong with settings.
func (s Settings) Check() (faults []problem.Field) {
	fault := func(ok bool, field, message string) {
		if !ok {
			faults = append(faults, problem.Field{Location: "body." + field, Code: "out_of_range", Message: message})
		}
	}
	fault(s.Kind == Silence || s.Kind == ContractEnd, "kind", "must be silence or contract_end")
	fault(s.Factor >= 1 && s.Factor <= 100, "factor", "must be 1 to 100")
	for _, d := range []struct {
		field string
		days  int
	}{{"min_days", s.MinDays}, {"newcomer_days", s.NewcomerDays}, {"horizon_days", s.HorizonDays}} {
		fault(d.days >= 1 && d.days <= maxDays, d.field, fmt.Sprintf("must be 1 to %d days", maxDays))
	}
	fault(s.ThresholdPermille >= 1 && s.ThresholdPermille <= 1000, "threshold_permille", "must be 1 to 1000")
	fault(s.JumpPermille >= 0 && s.JumpPermille <= 1000, "jump_permille", "must be 0 to 1000")
	return faults
}

// Rhythm is the median of the gaps between purchase days, which are in order; ok is false before the second.
func Rhythm(days []int32) (median float64, ok bool) {
	if len(days) < 2 {
		return 0, false
	}
	gaps := make([]int32, len(days)-1)
	for i := range gaps {
		gaps[i] = days[i+1] - days[i]
	}
	slices.Sort(gaps)
	return float64(gaps[(len(gaps)-1)/2]+gaps[len(gaps)/2]) / 2, true
}

// Limit is the longest silence after which a customer with these purchase days still counts as there.
func (d Definition) Limit(days []int32) int32 {
	median, ok := Rhythm(days)
	if !ok {
		return int32(d.NewcomerDays)
	}
	return int32(math.Min(maxDays, math.Max(float64(d.MinDays), math.Ceil(d.Factor*median))))
}

// History is what is known of a customer on a day for saying whether it is there. Days are counted from any one day.
type History struct {
	Purchases []int32 // distinct days, in order
	Contracts int     // memberships that run
}

// There tells whether a customer with this history is still there on the day.
func (d Definition) There(h History, day int32) bool {
	if d.Kind == ContractEnd {
		return h.Contracts > 0
	}
	n := len(h.Purchases)
	return n > 0 && day-h.Purchases[n-1] <= d.Limit(h.Purchases)
}

// Gone tells whether a customer that was there at the cut-off, with what was known of it then, has gone when the horizon ends. How
// long a silence may last goes by the rhythm before the cut-off; after are the purchase days since, contracts those that run then.
func (d Definition) Gone(before History, after []int32, contracts int, cutoff int32) bool {
	if d.Kind == ContractEnd {
		return contracts == 0
	}
	last := before.Purchases[len(before.Purchases)-1]
	if len(after) > 0 {
		last = after[len(after)-1]
	}
	return cutoff+int32(d.HorizonDays)-last > d.Limit(before.Purchases)
}

// Watch is what was last said of a customer's risk.
type Watch struct {
	Model    uuid.UUID // that said so
	Permille int
	Above    bool // it had passed the threshold
	Base     int  // from which a jump is counted: the lowest since one was told
}

// Raise tells whether a risk is to be told of, and what is to be remembered: once when it passes the threshold, and once for each
// jump. What two models say is not compared; was is nil for the first risk.
func (s Settings) Raise(was *Watch, model uuid.UUID, permille int) (is Watch, raised bool) {
	is = Watch{Model: model, Permille: permille, Above: permille >= s.ThresholdPermille, Base: permille}
	same := was != nil && was.Model == model
	raised = is.Above && (was == nil || !was.Above)
	if same && s.JumpPermille > 0 && permille-was.Base >= s.JumpPermille {
		raised = true
	}
	if same && !raised {
		is.Base = min(was.Base, permille)
	}
	return is, raised
}
