package platform

import (
	"context"
	"net/http"
	"net/url"
)

// Policy is a service level policy, with nothing left out that the platform would fill in.
type Policy struct {
	Name       string            `json:"name"`
	Position   int32             `json:"position"`
	Condition  string            `json:"condition,omitempty"`
	CalendarID string            `json:"calendar_id,omitempty"`
	Targets    map[string]Target `json:"targets"` // by p1 to p5
	Pausing    Pausing           `json:"pausing"`
	Reopening  string            `json:"reopening"`
	Steps      []Step            `json:"steps"`
	ManagedBy  string            `json:"managed_by,omitempty"`
	ExternalID string            `json:"external_id,omitempty"`
}

// Target is business time in seconds; 0 promises nothing.
type Target struct {
	FirstResponse int64 `json:"first_response_seconds,omitempty"`
	NextResponse  int64 `json:"next_response_seconds,omitempty"`
	Resolution    int64 `json:"resolution_seconds,omitempty"`
}

// Pausing are statuses in which clocks pause.
type Pausing struct {
	FirstResponse []string `json:"first_response,omitempty"`
	NextResponse  []string `json:"next_response,omitempty"`
	Resolution    []string `json:"resolution,omitempty"`
}

// Step is done when so much of a target is used up.
type Step struct {
	Clock   string `json:"clock,omitempty"`
	Percent int32  `json:"percent"`
	Action  string `json:"action"`
	Queue   string `json:"queue,omitempty"`
}

// StoredPolicy is a policy as the platform has it.
type StoredPolicy struct {
	ID       string `json:"policy_id"`
	Version  int64  `json:"version"`
	Archived bool   `json:"archived"`
	Policy
}

const tickets = "tickets"

func policyPath(id, rest string) string { return "/v1/sla-policies/" + url.PathEscape(id) + rest }

// FindPolicy gives the policy that picks tickets of an external id; false where there is none.
func (c *Client) FindPolicy(ctx context.Context, tenant, external string) (StoredPolicy, bool, error) {
	var list struct {
		Items []StoredPolicy `json:"items"`
	}
	err := c.do(ctx, tenant, call{service: tickets, method: http.MethodGet, path: "/v1/sla-policies?external_id=" + url.QueryEscape(external)}, &list)
	if err != nil || len(list.Items) == 0 {
		return StoredPolicy{}, false, err
	}
	return list.Items[0], true, nil
}

// MakePolicy makes a policy: 409 sla_policy_name_taken, external_id_taken.
func (c *Client) MakePolicy(ctx context.Context, tenant, key string, p Policy) (s StoredPolicy, err error) {
	return s, c.do(ctx, tenant, call{service: tickets, method: http.MethodPost, path: "/v1/sla-policies", body: p, key: key}, &s)
}

// ChangePolicy puts another version in the place of one.
func (c *Client) ChangePolicy(ctx context.Context, tenant, id string, version int64, p Policy) (s StoredPolicy, err error) {
	return s, c.do(ctx, tenant, call{service: tickets, method: http.MethodPut, path: policyPath(id, ""), body: p, version: version}, &s)
}

// ArchivePolicy has a policy pick no more tickets.
func (c *Client) ArchivePolicy(ctx context.Context, tenant, id string, version int64) (s StoredPolicy, err error) {
	return s, c.do(ctx, tenant, call{service: tickets, method: http.MethodPost, path: policyPath(id, "/archive?managed_by="+Manager), version: version}, &s)
}

// ReleasePolicy gives a policy back to people.
func (c *Client) ReleasePolicy(ctx context.Context, tenant, id string, version int64) (s StoredPolicy, err error) {
	return s, c.do(ctx, tenant, call{service: tickets, method: http.MethodPost, path: policyPath(id, "/release?managed_by="+Manager), version: version}, &s)
}
