// Package interaction keeps the single contacts with customers, on any channel: when, how, what came of it, and the words
// that somebody wrote about it, which stay here.
package interaction

import (
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"golang.org/x/text/unicode/norm"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/identity"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/touchpoint"
)

// Direction is who turned to whom.
type Direction string

// The directions.
const (
	Inbound  Direction = "inbound"  // the customer to us
	Outbound Direction = "outbound" // we to the customer
)

// Interaction is one contact. It is never changed, but for what an erasure takes out.
type Interaction struct {
	ID         uuid.UUID // UUIDv7
	Customer   uuid.UUID // as it was given, so that a merge can be undone
	Root       uuid.UUID // the customer whom it means now
	Channel    touchpoint.Channel
	Direction  Direction
	Touchpoint string // code in the catalogue; empty: none was named
	Outcome    string // code; empty: nothing was said
	OccurredAt time.Time
	Duration   time.Duration     // whole seconds; 0 where that means nothing
	Summary    string            // personal; empty: none, or erased
	Identity   identity.Identity // by which the customer came, personal; zero: not said, or erased
	RecordedBy string            // subject of the user
	RecordedAt time.Time
}

// Draft is an interaction that is about to be recorded. Its identity is normalised.
type Draft struct {
	Channel    touchpoint.Channel
	Direction  Direction
	Touchpoint *touchpoint.Touchpoint // none: none was named
	Outcome    string
	OccurredAt time.Time // zero: now
	Duration   time.Duration
	Summary    string
	Identity   identity.Identity
}

const (
	maxSummary  = 10_000 // characters
	maxDuration = 24 * time.Hour
	// clocksDiffer is how far in the future something may have happened: the caller's clock is not ours.
	clocksDiffer = 5 * time.Minute
)

// earliest is before anything that could be recorded here.
var earliest = time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)

// Record makes an interaction of the draft, or names every field that is not right.
func Record(id, customer, root uuid.UUID, d Draft, by string, now time.Time) (Interaction, []problem.Field) {
	i := Interaction{
		ID: id, Customer: customer, Root: root, Channel: d.Channel, Direction: d.Direction, Outcome: d.Outcome,
		OccurredAt: d.OccurredAt.UTC().Truncate(time.Microsecond), Duration: d.Duration,
		Summary: norm.NFC.String(strings.TrimSpace(d.Summary)), Identity: d.Identity, RecordedBy: by, RecordedAt: now,
	}
	if d.OccurredAt.IsZero() {
		i.OccurredAt = now
	}
	var faults []problem.Field
	fault := func(location, code, message string) {
		faults = append(faults, problem.Field{Location: location, Code: code, Message: message})
	}
	if !slices.Contains(touchpoint.Channels(), d.Channel) {
		fault("channel", "channel_unknown", "must be counter, phone, email, sms, web, wechat, social or visit")
	}
	if d.Direction != Inbound && d.Direction != Outbound {
		fault("direction", "direction_unknown", "must be inbound or outbound")
	}
	if t := d.Touchpoint; t != nil {
		i.Touchpoint = t.Code
		if f := t.Takes(d.Channel); f != nil {
			faults = append(faults, *f)
		}
	}
	if d.Outcome != "" && !touchpoint.Code(d.Outcome) {
		fault("outcome", "outcome_malformed", "must be a code of 1 to 64 lower-case letters, digits, - and _")
	}
	if i.OccurredAt.After(now.Add(clocksDiffer)) || i.OccurredAt.Before(earliest) {
		fault("occurred_at", "time_out_of_range", "must not be in the future, nor before 1970")
	}
	if d.Duration < 0 || d.Duration > maxDuration {
		fault("duration_seconds", "duration_out_of_range", "must be 0 to 86400")
	}
	if utf8.RuneCountInString(i.Summary) > maxSummary || strings.ContainsFunc(i.Summary, unprintable) {
		fault("summary", "summary_malformed", "must be at most 10000 characters, none of them a control character but for new lines and tabs")
	}
	return i, faults
}

func unprintable(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' && r != '\r' }
