package process

// Gates of the workflow's versions: histories that were recorded before a change are replayed as they were.
const (
	// lateIsSaid reminds of tasks that are late, and tells the leads.
	lateIsSaid = "late-is-said"
)
