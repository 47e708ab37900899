// Package ticket keeps what people ask, report and complain of, under a number that can be said on the telephone: where
// each matter stands, what was said about it, and all that happened to it.
//
// The rules are in ticket.go, change.go and conversation.go. A change locks the ticket's row, and writes what it is from
// then on, entries of its history, and events (held.go). Its deadlines are computed from the history by package sla; the
// row keeps the next one.
package ticket

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
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

// Ticket is one matter of one customer.
type Ticket struct {
	ID          uuid.UUID // UUIDv7
	Version     int64     // from 1, one more with every change
	Number      int64     // within the tenant, from 1
	Kind        Kind
	Channel     string
	Live        bool      // opened while the customer was on the line
	CustomerID  uuid.UUID // as it was written, for ever; Nil where nobody is known
	Root        uuid.UUID // the customer whom CustomerID means, where the ticket was read
	AssetID     uuid.UUID // Nil for none
	Category    string    // code; empty for none
	Subject     string
	Description string
	Impact      int      // 1 (many, or all of it) to 3 (one, or a part)
	Urgency     int      // 1 (at once) to 3 (when it suits)
	Priority    int      // 1 to 5, see Priority
	Tags        []string // sorted
	Custom      map[string]any

	Status     Status
	Queue      string // code; empty for none
	Agent      string // subject; empty for nobody
	Resolution string // code of how it was resolved the last time; empty for not yet
	Reopened   int    // how often
	Entries    int    // of its history

	PolicyID      uuid.UUID // by which its deadlines are measured; Nil where none fits
	PolicyVersion int64
	Grade, Tier   string    // of the customer when the policy was chosen
	NextDueAt     time.Time // the earliest deadline of a clock that runs; zero for none
	NextClock     string    // whose that is; empty for none

	OpenedAt   time.Time
	ChangedAt  time.Time
	ResolvedAt time.Time // zero while it is not
	CloseAt    time.Time // when a resolved one is closed by itself; zero for never
	ClosedAt   time.Time
	MergedInto uuid.UUID // Nil for none
}

// Draft is a ticket that is about to be opened.
type Draft struct {
	ID                   uuid.UUID // UUIDv7; Nil: one is made
	Kind                 Kind
	Channel              string    // code
	Live                 bool      // the customer is on the line: that is the first response
	CustomerID           uuid.UUID // Nil where nobody is known
	AssetID              uuid.UUID // Nil for none
	Category             string    // code; empty for none
	Subject, Description string
	Impact, Urgency      int // 1 to 3 each
	Tags                 []string
	Custom               map[string]json.RawMessage // values of the tenant's fields, by name
	By                   string                     // subject of whoever opens it
	At                   time.Time
}

const (
	maxSubject     = 200
	maxDescription = 20_000
	maxTags        = 50
	maxTag         = 64
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

// opened makes a ticket of the draft, or names every field that is not right; category and custom fields are looked at by
// whoever knows the tenant's.
func (d Draft) opened(number int64) (Ticket, []problem.Field) {
	t := Ticket{
		ID: d.ID, Version: 1, Number: number, Kind: d.Kind, Channel: d.Channel, Live: d.Live, CustomerID: d.CustomerID,
		AssetID: d.AssetID, Category: d.Category, Description: norm.NFC.String(strings.TrimSpace(d.Description)),
		Impact: d.Impact, Urgency: d.Urgency, Priority: Priority(d.Impact, d.Urgency), Custom: map[string]any{},
		Status: StatusNew, OpenedAt: d.At, ChangedAt: d.At,
	}
	var faults []problem.Field
	t.Subject, faults = subject(d.Subject, faults)
	t.Tags, faults = tags(d.Tags, faults)
	if utf8.RuneCountInString(t.Description) > maxDescription {
		faults = append(faults, fault("description", "description_too_long", "must be at most 20000 characters"))
	}
	if !Code(d.Channel) {
		faults = append(faults, codeFault("channel"))
	}
	faults = append(faults, oneToThree("impact", d.Impact)...)
	return t, append(faults, oneToThree("urgency", d.Urgency)...)
}

func oneToThree(location string, n int) []problem.Field {
	if n >= 1 && n <= 3 {
		return nil
	}
	return []problem.Field{fault(location, "out_of_range", "must be 1 to 3")}
}

// subject gives a subject as it is kept.
func subject(s string, faults []problem.Field) (string, []problem.Field) {
	s = norm.NFC.String(strings.TrimSpace(s))
	if n := utf8.RuneCountInString(s); n < 1 || n > maxSubject || strings.ContainsFunc(s, unicode.IsControl) {
		faults = append(faults, fault("subject", "subject_malformed", "must be 1 to 200 characters in one line"))
	}
	return s, faults
}

// tags gives tags as they are kept: composed, in lower case, sorted, each once.
func tags(given []string, faults []problem.Field) ([]string, []problem.Field) {
	kept := make([]string, 0, len(given))
	for n, tag := range given {
		tag = strings.ToLower(strings.Join(strings.Fields(norm.NFC.String(tag)), " "))
		if l := utf8.RuneCountInString(tag); l < 1 || l > maxTag || strings.ContainsFunc(tag, unicode.IsControl) {
			faults = append(faults, fault(fmt.Sprintf("tags[%d]", n), "tag_malformed", "must be 1 to 64 characters, none of them a control character"))
		}
		kept = append(kept, tag)
	}
	slices.Sort(kept)
	if kept = slices.Compact(kept); len(kept) > maxTags {
		faults = append(faults, fault("tags", "too_many", "must be at most 50"))
	}
	return kept, faults
}

var codeShape = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)

// Code tells whether s can be a code: 1 to 64 lower-case letters, digits, - and _, the first a letter or digit.
func Code(s string) bool { return codeShape.MatchString(s) }

func codeFault(location string) problem.Field {
	return fault(location, location+"_malformed", "must be a code of 1 to 64 lower-case letters, digits, - and _")
}

func fault(location, code, message string) problem.Field {
	return problem.Field{Location: location, Code: code, Message: message}
}

// Open tells whether something is still to be done about the ticket.
func (t Ticket) Open() bool { return t.Status != StatusResolved && t.Status != StatusClosed }
