package client

import (
	"context"
	"net/url"
	"strings"
	"time"
)

// TicketSLA is how the deadlines of a ticket came about.
type TicketSLA struct {
	TicketID string       `json:"ticket_id"`
	Number   string       `json:"number"`
	Status   string       `json:"status"`
	At       time.Time    `json:"at"`
	Grade    string       `json:"grade,omitempty"`
	Tier     string       `json:"tier,omitempty"`
	Policy   *SLAPolicy   `json:"policy,omitempty"` // none where nothing is promised
	Calendar *SLACalendar `json:"calendar,omitempty"`
	Next     *SLANext     `json:"next,omitempty"` // none where all clocks pause or are done
	Clocks   []SLAClock   `json:"clocks"`
}

// SLAPolicy is the version of a policy that measures a ticket.
type SLAPolicy struct {
	PolicyID  string `json:"policy_id"`
	Version   int64  `json:"version"`
	Name      string `json:"name"`
	Reopening string `json:"reopening"` // first or total
}

// SLACalendar is the calendar that a ticket is measured by; without an id it is always open.
type SLACalendar struct {
	CalendarID string `json:"calendar_id,omitempty"`
	Version    int64  `json:"version"`
	TimeZone   string `json:"time_zone"`
}

// SLANext is the earliest deadline.
type SLANext struct {
	Clock string    `json:"clock"`
	DueAt time.Time `json:"due_at"`
}

// SLAClock is one measurement. Minutes are those of business time.
type SLAClock struct {
	Clock             string      `json:"clock"` // first_response, next_response or resolution
	Round             int         `json:"round"`
	State             string      `json:"state"` // pending, paused, about_to_breach, breached, met or cancelled
	Priority          int         `json:"priority"`
	StartedAt         time.Time   `json:"started_at"`
	TargetMinutes     float64     `json:"target_minutes"`
	DueAt             *time.Time  `json:"due_at,omitempty"`
	DoneAt            *time.Time  `json:"done_at,omitempty"`
	CancelledAt       *time.Time  `json:"cancelled_at,omitempty"`
	UsedMinutes       float64     `json:"used_minutes"`
	DifferenceMinutes float64     `json:"difference_minutes"` // target less used
	Pauses            []SLAPause  `json:"pauses"`
	Steps             []SLAStep   `json:"steps"`
	Worked            []SLAWorked `json:"worked"`
	WorkedCut         bool        `json:"worked_cut,omitempty"`
}

// SLAPause is what did not count; without an end it lasts.
type SLAPause struct {
	From time.Time  `json:"from"`
	To   *time.Time `json:"to,omitempty"`
}

// SLAStep is a step of the policy, with when it was or will be reached.
type SLAStep struct {
	Percent   int        `json:"percent"`
	ReachedAt *time.Time `json:"reached_at,omitempty"`
}

// SLAWorked is business time that was counted, or will be.
type SLAWorked struct {
	From         time.Time `json:"from"`
	To           time.Time `json:"to"`
	Minutes      float64   `json:"minutes"`
	TotalMinutes float64   `json:"total_minutes"`
}

// ExplainSLA tells how the deadlines of a ticket came about, as things stood at an instant; zero for now. The ticket is
// named by its id or by its number.
func (c *Client) ExplainSLA(ctx context.Context, idOrNumber string, at time.Time) (TicketSLA, error) {
	id := idOrNumber
	if !strings.Contains(strings.TrimPrefix(strings.ToUpper(id), "T-"), "-") { // ids have more of them
		ticket, err := c.LookupTicket(ctx, idOrNumber)
		if err != nil {
			return TicketSLA{}, err
		}
		id = ticket.TicketID
	}
	query := url.Values{}
	if !at.IsZero() {
		query.Set("at", at.Format(time.RFC3339Nano))
	}
	var found TicketSLA
	err := c.Get(ctx, "/v1/tickets/"+url.PathEscape(id)+"/sla", query, &found)
	return found, err
}
