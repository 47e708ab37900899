// Package run keeps long reckonings over all customers of a tenant, which are asked for by people or once a day, and worked
// off behind the scenes in steps. The row says how far one is: whoever works on it may be killed at any moment, and another
// one goes on with the step that was not committed. Runs of a tenant take turns, so that they do not take the database from those
// of whom there is news.
package run

import (
	"time"

	"github.com/google/uuid"
)

// State says where a run stands.
type State string

// The states.
const (
	Queued  State = "queued"
	Running State = "running"
	Done    State = "done"
	Failed  State = "failed"
)

// Causes of a run.
const (
	Daily = "daily"
	Asked = "asked"
)

// Run is one reckoning.
type Run struct {
	ID         uuid.UUID
	Kind       string
	AsOf       time.Time // day at 00:00 UTC up to and including which facts are looked at
	Cause      string
	AskedBy    string // subject; empty of daily ones
	AskedAt    time.Time
	State      State
	StartedAt  time.Time // zero: not yet
	FinishedAt time.Time // zero: not yet
	Failure    string    // code of why it failed

	settling bool // done, but for what nobody waits for
}

const (
	// lease is how long whoever works on a run has it to itself after its last step.
	lease = 2 * time.Minute
	// most is how often a run is begun or gone on with before it counts as failed.
	most = 5
)

// pause is how long a run waits after it failed for the n-th time: 10 seconds, 20 and so on.
func pause(n int) time.Duration { return 10 * time.Second << (min(n, most) - 1) }

// Today is the day in UTC.
func Today(clock func() time.Time) time.Time { return clock().UTC().Truncate(24 * time.Hour) }
