package platform

import (
	"context"
	"net/http"
	"net/url"
)

// Plan is the plan of a rollout, as far as Kubernetes says it.
type Plan struct {
	Goals  []Goal   `json:"goals,omitempty"`
	Team   []Member `json:"team,omitempty"`
	Phases []Phase  `json:"phases"`
	Risks  []Risk   `json:"risks,omitempty"`
}

// Goal is a number to be reached.
type Goal struct {
	Code       string  `json:"code"`
	Name       string  `json:"name"`
	Metric     string  `json:"metric"`
	Direction  string  `json:"direction"`
	Baseline   float64 `json:"baseline"`
	Target     float64 `json:"target"`
	Unit       string  `json:"unit,omitempty"`
	WindowDays int32   `json:"window_days,omitempty"`
}

// Member is somebody in a role.
type Member struct {
	Subject string `json:"subject"`
	Role    string `json:"role"`
}

// Phase is a phase of a plan.
type Phase struct {
	Code         string   `json:"code"`
	Name         string   `json:"name"`
	Kind         string   `json:"kind"`
	After        []string `json:"after,omitempty"`
	Tasks        []Task   `json:"tasks,omitempty"`
	Units        []string `json:"units,omitempty"`
	Capabilities []string `json:"capabilities,omitempty"`
	Enter        []Gate   `json:"enter,omitempty"`
	Leave        []Gate   `json:"leave,omitempty"`
}

// Task is a task of a phase.
type Task struct {
	Code    string `json:"code"`
	Title   string `json:"title"`
	Owner   string `json:"owner,omitempty"`
	Role    string `json:"role,omitempty"`
	DueDays int32  `json:"due_days,omitempty"`
}

// Gate is a gate of a phase.
type Gate struct {
	Code       string  `json:"code"`
	Kind       string  `json:"kind"` // person or metric
	Role       string  `json:"role,omitempty"`
	FourEyes   bool    `json:"four_eyes,omitempty"`
	Metric     string  `json:"metric,omitempty"`
	Threshold  float64 `json:"threshold,omitempty"`
	WindowDays int32   `json:"window_days,omitempty"`
	MinSample  int32   `json:"min_sample,omitempty"`
}

// Risk is a risk of a plan.
type Risk struct {
	Code       string   `json:"code"`
	Name       string   `json:"name"`
	Likelihood int32    `json:"likelihood"`
	Impact     int32    `json:"impact"`
	Mitigation string   `json:"mitigation,omitempty"`
	Role       string   `json:"role,omitempty"`
	Trigger    *Trigger `json:"trigger,omitempty"`
	Pauses     bool     `json:"pauses,omitempty"`
}

// Trigger is a number at which a risk has come about.
type Trigger struct {
	Metric     string  `json:"metric"`
	Operator   string  `json:"operator"` // >= or <=
	Threshold  float64 `json:"threshold"`
	WindowDays int32   `json:"window_days,omitempty"`
	MinSample  int32   `json:"min_sample,omitempty"`
}

// Board is where a rollout stands.
type Board struct {
	ID          string `json:"rollout_id"`
	Name        string `json:"name"`
	State       string `json:"state"`
	Version     int64  `json:"version"`
	PlanVersion int64  `json:"plan_version"`
	ManagedBy   string `json:"managed_by"`
	Pause       *struct {
		Reason string `json:"reason"`
		Risk   string `json:"risk"`
	} `json:"pause"`
	Triggered []string     `json:"triggered"`
	Phases    []BoardPhase `json:"phases"`
}

// BoardPhase is where a phase stands.
type BoardPhase struct {
	Code  string `json:"code"`
	State string `json:"state"`
	Round int32  `json:"round"`
	Tasks []struct {
		DoneAt *string `json:"done_at"`
	} `json:"tasks"`
	Gates []struct {
		Code   string `json:"code"`
		Stands string `json:"stands"` // ahead, held or passed
		Reason string `json:"reason"`
	} `json:"gates"`
}

// Decision is what is decided on a rollout.
type Decision struct {
	Action string `json:"action"`
	Phase  string `json:"phase,omitempty"`
	Reason string `json:"reason,omitempty"`
}

const rollouts = "rollout"

func rolloutPath(id, rest string) string { return "/v1/rollouts/" + url.PathEscape(id) + rest }

// FindRollout gives the rollout of an external id; false where there is none.
func (c *Client) FindRollout(ctx context.Context, tenant, external string) (Board, bool, error) {
	var page struct {
		Items []struct {
			ID string `json:"rollout_id"`
		} `json:"items"`
	}
	err := c.do(ctx, tenant, call{service: rollouts, method: http.MethodGet, path: "/v1/rollouts?external_id=" + url.QueryEscape(external)}, &page)
	if err != nil || len(page.Items) == 0 {
		return Board{}, false, err
	}
	b, err := c.Rollout(ctx, tenant, page.Items[0].ID)
	return b, err == nil, err
}

// Rollout gives where a rollout stands: 404 rollout_not_found.
func (c *Client) Rollout(ctx context.Context, tenant, id string) (b Board, err error) {
	return b, c.do(ctx, tenant, call{service: rollouts, method: http.MethodGet, path: rolloutPath(id, "")}, &b)
}

// MakeRollout makes a draft: 409 external_id_taken where there is one.
func (c *Client) MakeRollout(ctx context.Context, tenant, key, external, name string, p Plan) (b Board, err error) {
	body := struct {
		Name       string `json:"name"`
		Plan       Plan   `json:"plan"`
		ExternalID string `json:"external_id"`
		ManagedBy  string `json:"managed_by"`
	}{name, p, external, Manager}
	return b, c.do(ctx, tenant, call{service: rollouts, method: http.MethodPost, path: "/v1/rollouts", body: body, key: key}, &b)
}

// RolloutPlan gives the present plan of a rollout.
func (c *Client) RolloutPlan(ctx context.Context, tenant, id string) (Plan, error) {
	var answer struct {
		Plan Plan `json:"plan"`
	}
	err := c.do(ctx, tenant, call{service: rollouts, method: http.MethodGet, path: rolloutPath(id, "/plan")}, &answer)
	return answer.Plan, err
}

// ChangePlan puts another plan in the place of the one of a version.
func (c *Client) ChangePlan(ctx context.Context, tenant, id string, version int64, p Plan) (b Board, err error) {
	body := struct {
		Plan      Plan   `json:"plan"`
		ManagedBy string `json:"managed_by"`
	}{p, Manager}
	return b, c.do(ctx, tenant, call{service: rollouts, method: http.MethodPut, path: rolloutPath(id, "/plan"), body: body, version: version}, &b)
}

// RenameRollout gives a rollout another name, and how often it has changed by that.
func (c *Client) RenameRollout(ctx context.Context, tenant, id, name string) (is Board, err error) {
	body := struct {
		Name      string `json:"name"`
		ManagedBy string `json:"managed_by"`
	}{name, Manager}
	return is, c.do(ctx, tenant, call{service: rollouts, method: http.MethodPut, path: rolloutPath(id, "/name"), body: body}, &is)
}

// StartRollout begins a draft.
func (c *Client) StartRollout(ctx context.Context, tenant, key, id string) (b Board, err error) {
	return b, c.do(ctx, tenant, call{service: rollouts, method: http.MethodPost, path: rolloutPath(id, "/start"), key: key}, &b)
}

// DecideRollout decides; a key decides once.
func (c *Client) DecideRollout(ctx context.Context, tenant, key, id string, d Decision) (b Board, err error) {
	return b, c.do(ctx, tenant, call{service: rollouts, method: http.MethodPost, path: rolloutPath(id, "/decisions"), body: d, key: key}, &b)
}

// ReleaseRollout gives a rollout back to people.
func (c *Client) ReleaseRollout(ctx context.Context, tenant, id string) (b Board, err error) {
	return b, c.do(ctx, tenant, call{service: rollouts, method: http.MethodPost, path: rolloutPath(id, "/release?managed_by="+Manager)}, &b)
}
