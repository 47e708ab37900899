package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"
)

// Rollout is where an introduction of the platform stands. In a list it has no phases and risks.
type Rollout struct {
	RolloutID    string                `json:"rollout_id"`
	Name         string                `json:"name"`
	State        string                `json:"state"`
	PlanVersion  int                   `json:"plan_version"`
	ExternalID   string                `json:"external_id,omitempty"`
	ManagedBy    string                `json:"managed_by,omitempty"`
	StartedAt    *time.Time            `json:"started_at,omitempty"`
	EndedAt      *time.Time            `json:"ended_at,omitempty"`
	InHand       []string              `json:"in_hand"`
	Held         int                   `json:"held"` // gates
	Late         int                   `json:"late"` // tasks
	Triggered    []string              `json:"triggered"`
	PhasesOver   int                   `json:"phases_over"`
	PhaseCount   int                   `json:"phase_count"`
	Pause        *RolloutPause         `json:"pause,omitempty"`
	Phases       []RolloutPhase        `json:"phases,omitempty"`
	Risks        []RolloutRisk         `json:"risks,omitempty"`
	Entitlements []RolloutEntitlements `json:"entitlements,omitempty"`
	Next         []RolloutNext         `json:"next,omitempty"`
}

// RolloutPause is why a rollout is paused.
type RolloutPause struct {
	Reason string    `json:"reason"`
	Risk   string    `json:"risk,omitempty"`
	By     string    `json:"by,omitempty"`
	At     time.Time `json:"at"`
}

// RolloutPhase is how far a phase is.
type RolloutPhase struct {
	Code         string        `json:"code"`
	State        string        `json:"state"`
	Round        int           `json:"round"`
	WaitsFor     []string      `json:"waits_for"` // phases
	Units        []string      `json:"units"`
	Capabilities []string      `json:"capabilities"`
	Reason       string        `json:"reason,omitempty"`
	Tasks        []RolloutTask `json:"tasks"`
	Gates        []RolloutGate `json:"gates"`
}

// RolloutTask is how far a task is.
type RolloutTask struct {
	Code      string     `json:"code"`
	Owner     string     `json:"owner,omitempty"`
	Role      string     `json:"role,omitempty"`
	DueAt     *time.Time `json:"due_at,omitempty"`
	Late      bool       `json:"late"`
	DoneAt    *time.Time `json:"done_at,omitempty"`
	DoneBy    string     `json:"done_by,omitempty"`
	Reminders int        `json:"reminders"`
	Escalated bool       `json:"escalated"`
}

// RolloutGate is how far a gate is.
type RolloutGate struct {
	Code     string   `json:"code"`
	Kind     string   `json:"kind"` // person or metric
	Role     string   `json:"role,omitempty"`
	Metric   string   `json:"metric,omitempty"`
	Side     string   `json:"side"`   // enter or leave
	Stands   string   `json:"stands"` // ahead, held or passed
	Reason   string   `json:"reason,omitempty"`
	Needs    int      `json:"needs,omitempty"` // people
	Agreed   []string `json:"agreed"`
	Measured *float64 `json:"measured,omitempty"`
	Limit    *float64 `json:"limit,omitempty"`
	Sample   *int     `json:"sample,omitempty"`
	How      string   `json:"how,omitempty"`
}

// RolloutRisk is how a risk stands.
type RolloutRisk struct {
	Code     string   `json:"code"`
	State    string   `json:"state"`
	Exposure int      `json:"exposure"`
	Pauses   bool     `json:"pauses,omitempty"`
	Measured *float64 `json:"measured,omitempty"`
}

// RolloutEntitlements is for whom a capability is open.
type RolloutEntitlements struct {
	Capability string   `json:"capability"`
	Units      []string `json:"units"`
	Everyone   bool     `json:"everyone,omitempty"`
}

// RolloutNext is a decision that can be made where a rollout stands.
type RolloutNext struct {
	Decision    string   `json:"decision"`
	Phase       string   `json:"phase,omitempty"`
	Task        string   `json:"task,omitempty"`
	Gate        string   `json:"gate,omitempty"`
	Risk        string   `json:"risk,omitempty"`
	NeedsReason bool     `json:"needs_reason"`
	Permission  string   `json:"permission"`
	Roles       []string `json:"roles"` // of the team; empty: whoever has the permission, or the owner
	Owner       string   `json:"owner,omitempty"`
	Allowed     bool     `json:"allowed"` // for whoever asks
	WhyNot      string   `json:"why_not,omitempty"`
}

// RolloutDecision is what is decided about a rollout.
type RolloutDecision struct {
	Action string `json:"action"`
	Phase  string `json:"phase,omitempty"`
	Task   string `json:"task,omitempty"`
	Gate   string `json:"gate,omitempty"`
	Risk   string `json:"risk,omitempty"`
	Reason string `json:"reason,omitempty"` // code
	Note   string `json:"note,omitempty"`
}

// RolloutStep is one thing that happened.
type RolloutStep struct {
	No     int       `json:"no"`
	Action string    `json:"action"`
	By     string    `json:"by,omitempty"`
	At     time.Time `json:"at"`
	Note   string    `json:"note,omitempty"`
	Detail struct {
		Phase    string   `json:"phase,omitempty"`
		Task     string   `json:"task,omitempty"`
		Gate     string   `json:"gate,omitempty"`
		Risk     string   `json:"risk,omitempty"`
		Reason   string   `json:"reason,omitempty"`
		Measured *float64 `json:"measured,omitempty"`
	} `json:"detail"`
}

// ListRollouts gives rollouts, the latest first; state "" is all.
func (c *Client) ListRollouts(ctx context.Context, state string, each func(Rollout) error) error {
	query := url.Values{}
	if state != "" {
		query.Set("state", state)
	}
	return c.List(ctx, "/v1/rollouts", "items", query, func(raw []byte) error {
		var one Rollout
		if err := json.Unmarshal(raw, &one); err != nil {
			return err
		}
		return each(one)
	})
}

// GetRollout gives where a rollout stands.
func (c *Client) GetRollout(ctx context.Context, id string) (r Rollout, err error) {
	err = c.Get(ctx, "/v1/rollouts/"+url.PathEscape(id), nil, &r)
	return r, err
}

// StartRollout starts a draft.
func (c *Client) StartRollout(ctx context.Context, id string) (r Rollout, err error) {
	err = c.Post(ctx, "/v1/rollouts/"+url.PathEscape(id)+"/start", nil, &r)
	return r, err
}

// DecideRollout makes one decision, once for a key.
func (c *Client) DecideRollout(ctx context.Context, id string, d RolloutDecision, key string) (r Rollout, err error) {
	_, err = c.Do(ctx, Request{Method: http.MethodPost, Path: "/v1/rollouts/" + url.PathEscape(id) + "/decisions", In: d, IdempotencyKey: key}, &r)
	return r, err
}

// RolloutSteps gives what happened, the latest first.
func (c *Client) RolloutSteps(ctx context.Context, id string, each func(RolloutStep) error) error {
	return c.List(ctx, "/v1/rollouts/"+url.PathEscape(id)+"/steps", "items", url.Values{}, func(raw []byte) error {
		var one RolloutStep
		if err := json.Unmarshal(raw, &one); err != nil {
			return err
		}
		return each(one)
	})
}
