// Package bulk takes the same actions on many tickets. Each ticket is a transaction of its own: what is refused for one keeps
// none of the others from being done.
package bulk

import (
	"slices"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/macro"
)

// Most is how many tickets are acted on at once.
const Most = 200

// Task is what is to be done.
type Task struct {
	Tickets []uuid.UUID
	MacroID uuid.UUID           // whose actions are taken; Nil: Actions
	Actions []macro.MacroAction // none with MacroID
	Values  macro.Values        // see macro.Apply
}

// Clean gives the task with each ticket named once, or names every field that is not right.
func (t Task) Clean() (Task, []problem.Field) {
	var faults []problem.Field
	fault := func(location, code, message string) {
		faults = append(faults, problem.Field{Location: location, Code: code, Message: message})
	}
	seen := make(map[uuid.UUID]bool, len(t.Tickets))
	once := make([]uuid.UUID, 0, len(t.Tickets))
	for _, id := range t.Tickets {
		if !seen[id] {
			once = append(once, id)
		}
		seen[id] = true
	}
	t.Tickets = once
	if n := len(t.Tickets); n < 1 || n > Most {
		fault("ticket_ids", "ticket_ids_malformed", "must be 1 to 200")
	}
	switch {
	case t.MacroID != uuid.Nil && len(t.Actions) > 0:
		fault("actions", "actions_unfit", "do not go together with macro_id")
	case t.MacroID == uuid.Nil:
		faults = slices.Concat(faults, macro.Check(t.Actions))
	}
	return t, slices.Concat(faults, t.Values.Check())
}

// Outcome is what became of a ticket.
type Outcome string

// The outcomes.
const (
	Done    Outcome = "done"    // all actions were taken; now, or when the task was sent before
	Refused Outcome = "refused" // none was: Code says why
	Failed  Outcome = "failed"  // our fault: send the task again with the same key
)

// Result is what became of one ticket.
type Result struct {
	TicketID uuid.UUID
	Outcome  Outcome
	Code     string // of the problem; empty where it was done
	Detail   string
	Fields   []problem.Field
}

// resultOf says what became of a ticket.
func resultOf(id uuid.UUID, err error) Result {
	if err == nil {
		return Result{TicketID: id, Outcome: Done}
	}
	p := problem.From(err)
	r := Result{TicketID: id, Outcome: Failed, Code: p.Code, Detail: p.Detail, Fields: p.Fields}
	if problem.CallersFault(err) {
		r.Outcome = Refused
	}
	return r
}
