// Package customerexport gives customers out: files of all or some of them, which imports of customers read back, and one
// customer's whole data as a portable file.
package customerexport

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/services/accounts/internal/access"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customer"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/identity"
)

// State is where an export stands.
type State string

// The states of an export.
const (
	Accepted  State = "accepted" // the work is about to start
	Running   State = "running"
	Finished  State = "finished" // the file can be fetched
	Cancelled State = "cancelled"
	Failed    State = "failed"
	Expired   State = "expired"   // the file was kept as long as files are
	Withdrawn State = "withdrawn" // the file was deleted, since somebody in it was erased
)

// keep is how long a file can be fetched after it was finished.
const keep = 7 * 24 * time.Hour

// Format is how a file is written.
type Format string

// The formats.
const (
	CSV   Format = "csv"   // RFC 4180 with a header; several values of a column stand one a line in their cell
	JSONL Format = "jsonl" // one JSON object a line, without what has no value
)

// Filter says who is in the file. Empty fields do not filter.
type Filter struct {
	State           customer.State `json:"state,omitempty"` // active or archived
	Tag             string         `json:"tag,omitempty"`
	Source          string         `json:"source,omitempty"`
	RegisteredSince time.Time      `json:"registered_since,omitzero"`
}

// takes tells whether the customer belongs into the file. Those who were merged into others are in it with those.
func (f Filter) takes(s subject) bool {
	return (s.State == customer.Active || s.State == customer.Archived) &&
		(f.State == "" || f.State == s.State) &&
		(f.Tag == "" || slices.Contains(s.Tags, f.Tag)) &&
		(f.Source == "" || f.Source == s.Source) &&
		!s.RegisteredAt.Before(f.RegisteredSince)
}

// Export is one export.
type Export struct {
	ID      uuid.UUID // UUIDv7
	State   State
	Format  Format
	Columns []string
	Classes []access.Class // sensitive ones of the columns
	Filter  Filter
	Purpose string // and Reason: what for, as the caller said
	Reason  string

	Rows, Bytes           int64
	CancelRequested       bool
	Failure               string // code, where it failed
	CreatedAt, FinishedAt time.Time

	seen, total int64
}

// Ended tells whether nothing more will be written.
func (e Export) Ended() bool { return e.State != Accepted && e.State != Running }

// Progress is the share of the customers who were looked at, from 0 to 1.
func (e Export) Progress() float64 {
	switch {
	case !e.FinishedAt.IsZero() && e.State != Cancelled && e.State != Failed:
		return 1
	case e.total == 0:
		return 0
	default:
		return min(1, float64(e.seen)/float64(e.total))
	}
}

// ExpiresAt is when a finished file is deleted; zero where none is.
func (e Export) ExpiresAt() time.Time {
	if e.State != Finished {
		return time.Time{}
	}
	return e.FinishedAt.Add(keep)
}

const (
	anyExternal  = identity.ExternalPrefix + "*"
	customPrefix = "custom:"
	anyCustom    = customPrefix + "*"
)

// plain are the columns that every export can have, in the order in which they stand by default. Those that an import
// does not take are given only to who asks for them.
var plain = []struct {
	name     string
	imported bool
}{
	{"customer_id", false},
	{"kind", true}, {"display_name", true}, {"given_name", true}, {"family_name", true}, {"legal_name", true},
	{"source", true}, {"owner", true}, {"tags", true},
	{"phone", true}, {"email", true}, {"card", true}, {"login", true}, {"web_device", true},
	{"wechat_union", true}, {"wechat", true}, {"wecom", true},
	{"addresses", true},
	{"state", false}, {"stage", false}, {"registered_at", false}, {"changed_at", false},
}
