package ticket

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

// nexts are the statuses that may follow each.
var nexts = map[Status][]Status{
	StatusNew:      {StatusOpen, StatusPending, StatusOnHold, StatusResolved, StatusClosed},
	StatusOpen:     {StatusPending, StatusOnHold, StatusResolved, StatusClosed},
	StatusPending:  {StatusOpen, StatusOnHold, StatusResolved, StatusClosed},
	StatusOnHold:   {StatusOpen, StatusPending, StatusResolved, StatusClosed},
	StatusResolved: {StatusOpen, StatusClosed},
	StatusClosed:   {},
}

// StatusChange is where a ticket goes.
type StatusChange struct {
	To         Status
	Resolution string // code of how; for resolved it must be there, for closed it may be
	Reason     string // code of why, for the history; empty for none
	By         string // subject
	At         time.Time
	Given      bool // At was said by the caller: it is held to the history
}

// check names every field that is not right.
func (c StatusChange) check() (faults []problem.Field) {
	if _, known := nexts[c.To]; !known || c.To == StatusNew {
		faults = append(faults, fault("status", "status_unknown", "must be open, pending, on_hold, resolved or closed"))
	}
	ends := c.To == StatusResolved || c.To == StatusClosed
	switch {
	case c.To == StatusResolved && c.Resolution == "":
		faults = append(faults, fault("resolution", "resolution_required", "must say how it was resolved, such as solved, no_fault, duplicate or not_possible"))
	case c.Resolution != "" && !ends:
		faults = append(faults, fault("resolution", "resolution_unfit", "belongs to resolved and closed only"))
	case c.Resolution != "" && !Code(c.Resolution):
		faults = append(faults, codeFault("resolution"))
	}
	return faults
}

// may refuses a status that cannot follow the ticket's.
func (t Ticket) may(to Status) error {
	switch {
	case slices.Contains(nexts[t.Status], to):
		return nil
	case t.MergedInto != uuid.Nil:
		return errMerged
	case t.Status == StatusClosed:
		return problem.New(problem.Conflict, "ticket_status", "A ticket that is closed stays closed: open another one.")
	default:
		return problem.New(problem.Conflict, "ticket_status", "A ticket that is %s cannot become %s.", t.Status, to)
	}
}

// into gives the ticket in another status, which may follow its own; a resolved one is closed by itself after so many days,
// 0 for never.
func (t Ticket) into(c StatusChange, closeAfterDays int) Ticket {
	was := t.Status
	t.Status, t.ChangedAt = c.To, c.At
	switch c.To {
	case StatusResolved:
		t.Resolution, t.ResolvedAt = c.Resolution, c.At
		if closeAfterDays > 0 && t.Kind != ComplaintKind { // that of a complaint follows the complaint
			t.CloseAt = c.At.AddDate(0, 0, closeAfterDays)
		}
	case StatusClosed:
		t.ClosedAt, t.CloseAt = c.At, time.Time{}
		if c.Resolution != "" {
			t.Resolution = c.Resolution
		}
	default:
		t.ResolvedAt, t.CloseAt, t.ClosedAt = time.Time{}, time.Time{}, time.Time{}
		if was == StatusResolved || was == StatusClosed {
			t.Reopened++
		}
	}
	return t
}

// Assignment is who answers for a ticket from now on.
type Assignment struct {
	Queue  string // code; empty for none
	Agent  string // subject; empty for nobody
	Reason string // code: routed, pulled, assigned, released, overflow or escalated
	By     string // subject
	At     time.Time
}

// Reclassification is what else a ticket is about; what is nil stays as it is.
type Reclassification struct {
	Kind       *Kind
	CustomerID *uuid.UUID // only where nobody is known yet
	AssetID    *uuid.UUID // Nil for none
	Category   *string    // code; empty for none
	Subject    *string
	Impact     *int
	Urgency    *int
	Tags       *[]string
	Custom     map[string]json.RawMessage // values of the tenant's fields; null takes one away, others stay
	Reason     string                     // code of why, for the history; empty for none
	By         string                     // subject
	At         time.Time
	Given      bool // At was said by the caller: it is held to the history
}

// reclassified gives the ticket as it is wanted and the names of what differs, sorted, or names every field that is not
// right. Category and custom fields are looked at by whoever knows the tenant's.
func (t Ticket) reclassified(r Reclassification) (now Ticket, changed []string, faults []problem.Field) {
	now = t
	differs := func(name string, differs bool) {
		if differs {
			changed = append(changed, name)
		}
	}
	if r.AssetID != nil {
		now.AssetID = *r.AssetID
		differs("asset_id", now.AssetID != t.AssetID)
	}
	if r.Category != nil {
		now.Category = *r.Category
		differs("category", now.Category != t.Category)
	}
	if r.CustomerID != nil && *r.CustomerID != t.CustomerID {
		if t.CustomerID != uuid.Nil || *r.CustomerID == uuid.Nil {
			faults = append(faults, fault("customer_id", "customer_known", "can be given only where nobody is known yet: say so in a note, or open another ticket"))
		}
		now.CustomerID, now.Root = *r.CustomerID, *r.CustomerID
		changed = append(changed, "customer_id")
	}
	if r.Impact != nil {
		now.Impact = *r.Impact
		faults = append(faults, oneToThree("impact", now.Impact)...)
		differs("impact", now.Impact != t.Impact)
	}
	if r.Kind != nil {
		now.Kind = *r.Kind
		differs("kind", now.Kind != t.Kind)
		if (now.Kind == ComplaintKind) != (t.Kind == ComplaintKind) {
			faults = append(faults, fault("kind", "kind_of_complaint", "cannot become or cease to be a complaint: register one at /v1/complaints"))
		}
	}
	if r.Subject != nil {
		now.Subject, faults = subject(*r.Subject, faults)
		differs("subject", now.Subject != t.Subject)
	}
	if r.Tags != nil {
		now.Tags, faults = tags(*r.Tags, faults)
		differs("tags", !slices.Equal(now.Tags, t.Tags))
	}
	if r.Urgency != nil {
		now.Urgency = *r.Urgency
		faults = append(faults, oneToThree("urgency", now.Urgency)...)
		differs("urgency", now.Urgency != t.Urgency)
	}
	now.Priority = Priority(now.Impact, now.Urgency)
	return now, changed, faults
}

// says tells whether words come with it that may be about somebody.
func (r Reclassification) says() bool {
	return r.CustomerID != nil || r.Subject != nil || r.Tags != nil || len(r.Custom) > 0
}

// picks tells whether what was changed can pick another policy: all but the words.
func picks(changed []string) bool {
	return slices.ContainsFunc(changed, func(name string) bool { return name != "subject" })
}
