package client

import (
	"context"
	"net/url"
	"time"
)

// RolloutReport is what a rollout came to, or has come to so far.
type RolloutReport struct {
	RolloutID    string                `json:"rollout_id"`
	Name         string                `json:"name"`
	State        string                `json:"state"`
	StartedAt    *time.Time            `json:"started_at,omitempty"`
	EndedAt      *time.Time            `json:"ended_at,omitempty"`
	Days         float64               `json:"days"` // from its start to its end, or until now
	GoalsReached int                   `json:"goals_reached"`
	GoalsUnknown int                   `json:"goals_unknown"` // not measured
	Goals        []RolloutGoal         `json:"goals"`
	Phases       []RolloutPhaseReport  `json:"phases"`
	LateTasks    []RolloutLateTask     `json:"late_tasks"`
	Gates        []RolloutGateReport   `json:"gates"` // that have passed
	Risks        []RolloutRisk         `json:"risks"` // by exposure, the greatest first
	Came         []RolloutRiskCame     `json:"risks_came_about"`
	Pauses       []RolloutPauseReport  `json:"pauses"`
	RollBacks    []RolloutRolledBackAt `json:"roll_backs"`
}

// RolloutGoal is a goal: as it was, as it shall be, and what it came to.
type RolloutGoal struct {
	Code      string   `json:"code"`
	Name      string   `json:"name"`
	Metric    string   `json:"metric"`
	Direction string   `json:"direction"` // which way is better: up or down
	Baseline  float64  `json:"baseline"`
	Target    float64  `json:"target"`
	Unit      string   `json:"unit,omitempty"` // of the organisation
	Measured  *float64 `json:"measured,omitempty"`
	Reached   *bool    `json:"reached,omitempty"`
}

// RolloutPhaseReport is how long a phase took, and what of it was late.
type RolloutPhaseReport struct {
	Code      string     `json:"code"`
	Name      string     `json:"name"`
	State     string     `json:"state"`
	Round     int        `json:"round"`
	EnteredAt *time.Time `json:"entered_at,omitempty"`
	LiveAt    *time.Time `json:"live_at,omitempty"`
	Days      *float64   `json:"days,omitempty"`
	Reason    string     `json:"reason,omitempty"`
	Tasks     int        `json:"task_count"`
	Done      int        `json:"tasks_done"`
	Late      int        `json:"tasks_late"`
}

// RolloutLateTask is a task that was done after its time, or is not done though it has passed.
type RolloutLateTask struct {
	Phase    string     `json:"phase"`
	Task     string     `json:"task"`
	Title    string     `json:"title"`
	DueAt    time.Time  `json:"due_at"`
	DoneAt   *time.Time `json:"done_at,omitempty"`
	DaysLate float64    `json:"days_late"`
}

// RolloutGateReport is how a gate opened.
type RolloutGateReport struct {
	Phase    string    `json:"phase"`
	Gate     string    `json:"gate"`
	Side     string    `json:"side"` // enter or leave
	How      string    `json:"how"`  // person, metric or skipped
	By       string    `json:"by,omitempty"`
	Reason   string    `json:"reason,omitempty"`
	Measured *float64  `json:"measured,omitempty"`
	Limit    *float64  `json:"limit,omitempty"`
	At       time.Time `json:"at"`
}

// RolloutRiskCame is one time that a risk came about.
type RolloutRiskCame struct {
	Risk     string    `json:"risk"`
	By       string    `json:"by,omitempty"` // absent where a number did
	Measured *float64  `json:"measured,omitempty"`
	At       time.Time `json:"at"`
}

// RolloutPauseReport is one pause.
type RolloutPauseReport struct {
	Reason  string     `json:"reason"`
	Risk    string     `json:"risk,omitempty"`
	By      string     `json:"by,omitempty"` // absent where a risk did it
	From    time.Time  `json:"from"`
	Resumed *time.Time `json:"resumed_at,omitempty"`
}

// RolloutRolledBackAt is one time that a phase was rolled back.
type RolloutRolledBackAt struct {
	Phase  string    `json:"phase"`
	Round  int       `json:"round"`
	Reason string    `json:"reason"`
	By     string    `json:"by"`
	At     time.Time `json:"at"`
}

// ReportRollout gives what a rollout came to, or has come to so far.
func (c *Client) ReportRollout(ctx context.Context, id string) (r RolloutReport, err error) {
	err = c.Get(ctx, "/v1/rollouts/"+url.PathEscape(id)+"/report", nil, &r)
	return r, err
}
