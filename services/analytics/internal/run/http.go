package run

import (
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/pg"
)

// View is a run as it is shown, for the kinds to add to.
type View struct {
	RunID      uuid.UUID  `json:"run_id" format:"uuid"`
	State      string     `json:"state" enum:"queued,running,done,failed"`
	AsOf       string     `json:"as_of" format:"date" doc:"UTC day up to and including which facts are looked at"`
	Cause      string     `json:"cause" enum:"daily,asked"`
	AskedBy    string     `json:"asked_by,omitempty" doc:"subject; absent of daily ones"`
	AskedAt    time.Time  `json:"asked_at"`
	StartedAt  *time.Time `json:"started_at,omitempty"`
	FinishedAt *time.Time `json:"finished_at,omitempty"`
	Failure    string     `json:"failure,omitempty" doc:"code of why it failed, or has to be tried again"`
}

// Show gives the view of a run.
func Show(r Run) View {
	return View{
		RunID: r.ID, State: string(r.State), AsOf: r.AsOf.Format(time.DateOnly), Cause: r.Cause, AskedBy: r.AskedBy, AskedAt: r.AskedAt,
		StartedAt: pg.OrNull(r.StartedAt), FinishedAt: pg.OrNull(r.FinishedAt), Failure: r.Failure,
	}
}
