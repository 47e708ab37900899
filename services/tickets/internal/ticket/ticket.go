// Package ticket keeps what people ask, report and complain of, under a number that can be said on the telephone.
package ticket

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"golang.org/x/text/unicode/norm"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Kind is what sort of matter a ticket is about.
type Kind string

// The kinds.
const (
	Enquiry       Kind = "enquiry"
	Incident      Kind = "incident"
	ComplaintKind Kind = "complaint" // led by a process of its own
	Suggestion    Kind = "suggestion"
	Praise        Kind = "praise"
)

// Status is where a ticket stands.
type Status string

// The statuses.
const (
	StatusNew      Status = "new"
	StatusOpen     Status = "open"
	StatusPending  Status = "pending" // the customer has to say something
	StatusOnHold   Status = "on_hold" // somebody else has to do something
	StatusResolved Status = "resolved"
	StatusClosed   Status = "closed"
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

// Ticket is one matter of one customer.
type Ticket struct {
	ID          uuid.UUID // UUIDv7
	Version     int64
	Number      int64 // within the tenant, from 1
	Kind        Kind
	Channel     string
	CustomerID  uuid.UUID // as it was written, for ever; Nil where nobody is known
	Root        uuid.UUID // the customer whom CustomerID means, where the ticket was read
	Subject     string
	Description string
	Impact      int // 1 (many, or all of it) to 3 (one, or a part)
	Urgency     int // 1 (at once) to 3 (when it suits)
	Priority    int // 1 to 5, see Priority
	Status      Status
	OpenedAt    time.Time
	ChangedAt   time.Time

	Live       bool      // opened while the customer was on the line
	Queue      string    // code; empty for none
	Agent      string    // subject; empty for nobody
	Category   string    // code; empty for none
	AssetID    uuid.UUID // Nil for none
	Tags       []string  // sorted
	Custom     map[string]any
	Resolution string // code of how it was resolved the last time; empty for not yet
	Reopened   int    // how often
	Entries    int    // of its history

	PolicyID      uuid.UUID // by which its deadlines are measured; Nil where none fits
	PolicyVersion int64
	Grade, Tier   string    // of the customer when the policy was chosen
	NextDueAt     time.Time // the earliest deadline of a clock that runs; zero for none
	NextClock     string    // whose that is; empty for none

	ResolvedAt time.Time // zero while it is not
	CloseAt    time.Time // when a resolved one is closed by itself; zero for never
	ClosedAt   time.Time
	MergedInto uuid.UUID // Nil for none
}


const (
	maxSubject     = 200
	maxDescription = 20_000
)

// Priority is 1 (the most urgent) to 5 of an impact and an urgency of 1 to 3 each, by the matrix that ITIL gives as its
// example: their sum less 1.
func Priority(impact, urgency int) int { return impact + urgency - 1 }

// Number gives a number as people say it: T-000123.
func Number(n int64) string { return fmt.Sprintf("T-%06d", n) }

var spoken = regexp.MustCompile(`^(?i:T)?[- ]?0*([1-9][0-9]{0,17})$`)

// ParseNumber reads a number as people type it: T-000123, t123, 123.
func ParseNumber(s string) (int64, bool) {
	m := spoken.FindStringSubmatch(strings.TrimSpace(s))
	if m == nil {
		return 0, false
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	return n, err == nil
}

// OpenTicket makes a ticket of the draft, or names every field that is not right.
func OpenTicket(id uuid.UUID, number int64, d Draft, now time.Time) (Ticket, []problem.Field) {
	var faults []problem.Field
	fault := func(location, code, message string) {
		faults = append(faults, problem.Field{Location: location, Code: code, Message: message})
	}
	t := Ticket{
		ID: id, Version: 1, Number: number, Kind: d.Kind, Channel: d.Channel, CustomerID: d.CustomerID,
		Subject: norm.NFC.String(strings.TrimSpace(d.Subject)), Description: norm.NFC.String(strings.TrimSpace(d.Description)),
		Impact: d.Impact, Urgency: d.Urgency, Priority: Priority(d.Impact, d.Urgency), Status: StatusNew, OpenedAt: now, ChangedAt: now,
	}
	if n := utf8.RuneCountInString(t.Subject); n < 1 || n > maxSubject || strings.ContainsFunc(t.Subject, unicode.IsControl) {
		fault("subject", "subject_malformed", "must be 1 to 200 characters in one line")
	}
	if utf8.RuneCountInString(t.Description) > maxDescription {
		fault("description", "description_too_long", "must be at most 20000 characters")
	}
	if !Code(d.Channel) {
		fault("channel", "channel_malformed", "must be a code of 1 to 64 lower-case letters, digits, - and _")
	}
	return t, faults
}

var codeShape = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)

// Code tells whether s can be a code: 1 to 64 lower-case letters, digits, - and _, the first a letter or digit.
func Code(s string) bool { return codeShape.MatchString(s) }

// Move gives the ticket in another status, or refuses.
func (t Ticket) Move(to Status, now time.Time) (Ticket, error) {
	for _, next := range nexts[t.Status] {
		if next == to {
			t.Status, t.ChangedAt = to, now
			t.Version++
			return t, nil
		}
	}
	return t, problem.New(problem.Conflict, "ticket_status", "A ticket that is %s cannot become %s.", t.Status, to)
}
