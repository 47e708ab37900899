// Package activity keeps what people who sell have to do and did: tasks, calls, meetings and visits, on a customer, a lead or an
// opportunity, with reminders in the working hours of whoever is to do it; and the library of what customers object, whose
// answers are ranked by what followed where they were given.
//
// What comes next with an opportunity is left to whoever sells: a completed activity does not touch its next step.
package activity

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/businesstime"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Kind says what somebody does.
type Kind string

// The kinds. All but a task are a contact with the customer.
const (
	Task    Kind = "task"
	Call    Kind = "call"
	Meeting Kind = "meeting"
	Visit   Kind = "visit"
)

func (k Kind) known() bool { return k == Task || k == Call || k == Meeting || k == Visit }

// State says where an activity stands.
type State string

// The states.
const (
	Open      State = "open"
	Completed State = "completed"
	Cancelled State = "cancelled"
)

// Due says when an activity is due, as people say it.
type Due struct {
	On   time.Time // a day, at midnight UTC
	Time string    // HH:MM on the wall of the zone; empty: some time that day
	Zone string    // IANA name
}

// At gives the instant: without a time the end of the day. A time that the clock leaves out on that day is read as if it went on,
// and of one that comes twice the first is meant.
func (d Due) At() time.Time {
	zone, ok := businesstime.Zone(d.Zone)
	if !ok {
		zone = time.UTC
	}
	year, month, day := d.On.Date()
	if d.Time == "" {
		return time.Date(year, month, day+1, 0, 0, 0, 0, zone).UTC()
	}
	clock, _ := time.Parse(hhmm, d.Time)
	at := time.Date(year, month, day, clock.Hour(), clock.Minute(), 0, 0, zone)
	for _, back := range []time.Duration{time.Hour, time.Hour / 2} { // as far as clocks are put back
		if first := at.Add(-back); first.Format(wall) == at.Format(wall) {
			return first.UTC()
		}
	}
	return at.UTC()
}

const (
	hhmm    = "15:04"
	dayForm = "2006-01-02"
	wall    = dayForm + " " + hhmm
)

// Links says whom and what an activity is about.
type Links struct {
	Customer, Lead, Opportunity uuid.UUID // Nil for none; never all of them
}

// Plan is what people say of an activity that is to be done, and may change while it is open.
type Plan struct {
	Title     string // 1 to 200 characters, without spaces around them; personal, as are Notes
	Notes     string // up to 4,000
	Owner     string // subject of who is to do it
	Due       Due
	Reminders []Before
}

// Activity is something to do, or that was done.
type Activity struct {
	ID      uuid.UUID // UUIDv7
	Version int64     // rises by one with every change
	Kind    Kind
	State   State
	Links
	Root uuid.UUID // the customer whom Links.Customer means now, where it was read
	Plan
	DueAt     time.Time
	Outcome   string // code
	Effect    Effect // that the outcome was taken for
	Report    string // what came of it; personal
	Objection string // code of what the customer objected; empty: nothing
	Answer    uuid.UUID
	DoneAt    time.Time // zero until it is completed
	StoppedAt time.Time // when it was cancelled
	Reason    string    // code of why
	ClosedBy  string    // subject of whoever completed or cancelled it
	ErasedAt  time.Time // when the words went
	Reminded  int       // numbers of reminders that were used
	CreatedAt time.Time
	CreatedBy string
	ChangedAt time.Time
	ChangedBy string
	Alarms    []Alarm // reminders as they are kept, where they were read
}

// Bounds of what people say.
const (
	maxTitle     = 200
	maxWords     = 4000
	maxSubject   = 200
	maxReminders = 5
	maxAhead     = 10 * 366 * 24 * time.Hour
)

var codeShape = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

const codeRule = "must be 1 to 64 small letters, digits and underscores, beginning with a letter"

// faults notes what is wrong with a plan that is written now.
func (p Plan) faults(now time.Time) (faults []problem.Field) {
	note := func(location, code, message string) {
		faults = append(faults, problem.Field{Location: location, Code: code, Message: message})
	}
	if n := utf8.RuneCountInString(p.Title); n < 1 || n > maxTitle || strings.TrimSpace(p.Title) != p.Title {
		note("title", "title_malformed", "must be 1 to 200 characters, without spaces around them")
	}
	if utf8.RuneCountInString(p.Notes) > maxWords {
		note("notes", "too_long", "must be at most 4000 characters")
	}
	if n := utf8.RuneCountInString(p.Owner); n < 1 || n > maxSubject || strings.TrimSpace(p.Owner) != p.Owner {
		note("owner", "owner_malformed", "must be the subject of somebody, 1 to 200 characters")
	}
	if _, ok := businesstime.Zone(p.Due.Zone); !ok {
		note("zone", "zone_unknown", "must be an IANA name of a time zone, such as Asia/Shanghai")
	}
	if _, err := time.Parse(hhmm, p.Due.Time); p.Due.Time != "" && (err != nil || len(p.Due.Time) != len(hhmm)) {
		note("due_time", "time_malformed", "must be a time of the day such as 14:30")
	}
	if p.Due.On.Year() < 1990 || p.Due.On.Sub(now) > maxAhead {
		note("due_on", "out_of_range", "must be a day from 1990 on, at most ten years ahead")
	}
	if len(p.Reminders) > maxReminders {
		note("reminders", "too_many", fmt.Sprintf("must be at most %d", maxReminders))
	}
	seen := make(map[Before]bool, len(p.Reminders))
	for i, b := range p.Reminders {
		at := fmt.Sprintf("reminders[%d]", i)
		if !b.sound() {
			note(at+".amount", "out_of_range", "must be 1 to 1440 minutes, 1 to 200 hours or 0 to 60 days of working time")
		}
		if seen[b] {
			note(at, "reminder_twice", "stands in the list already")
		}
		seen[b] = true
	}
	return faults
}

var (
	errCompleted = problem.New(problem.Conflict, "activity_completed", "The activity was completed: it stays as it is.")
	errCancelled = problem.New(problem.Conflict, "activity_cancelled", "The activity was cancelled: it stays as it is.")
)

// mayWork tells why an activity is not worked on any more.
func (a Activity) mayWork() error {
	switch a.State {
	case Completed:
		return errCompleted
	case Cancelled:
		return errCancelled
	}
	return nil
}

// changed counts a change.
func (a Activity) changed(by string, now time.Time) Activity {
	a.Version++
	a.ChangedAt, a.ChangedBy = now, by
	return a
}

// Replan puts another plan in the place of the present one.
func (a Activity) Replan(p Plan, by string, now time.Time) (Activity, error) {
	if err := a.mayWork(); err != nil {
		return a, err
	}
	if faults := p.faults(now); len(faults) > 0 {
		return a, invalid(faults)
	}
	a.Plan, a.DueAt, a.ErasedAt = p, p.Due.At(), time.Time{} // new words, of whom nobody was erased
	return a.changed(by, now), nil
}

// Reassign gives an activity to somebody else.
func (a Activity) Reassign(owner, by string, now time.Time) (Activity, error) {
	p := a.Plan
	p.Owner = owner
	return a.Replan(p, by, now)
}

// Result is what came of an activity.
type Result struct {
	Outcome   string
	Report    string    // words, up to 4,000 characters
	Objection string    // code; empty: the customer objected nothing
	Answer    uuid.UUID // what of the library was answered; Nil: nothing of it
	At        time.Time // when it was done; zero: now
}

// Complete says what came of an activity. What an outcome and an answer have to be like is known by list and library.
func (a Activity) Complete(r Result, outcomes Outcomes, library Library, by string, now time.Time) (Activity, error) {
	if err := a.mayWork(); err != nil {
		return a, err
	}
	if r.At.IsZero() {
		r.At = now
	}
	var faults []problem.Field
	note := func(location, code, message string) {
		faults = append(faults, problem.Field{Location: location, Code: code, Message: message})
	}
	outcome, ok := outcomes.of(r.Outcome, a.Kind)
	if !ok {
		note("outcome", "outcome_unknown", "must be the code of an outcome for this kind of activity: see /v1/activity-outcomes")
	}
	if utf8.RuneCountInString(r.Report) > maxWords {
		note("report", "too_long", "must be at most 4000 characters")
	}
	if r.At.After(now) || now.Sub(r.At) > maxAhead {
		note("completed_at", "out_of_range", "must not be in the future, and at most ten years ago")
	}
	switch {
	case r.Objection == "" && r.Answer != uuid.Nil:
		note("objection", "objection_missing", "an answer answers an objection: say which")
	case r.Objection != "" && !library.has(r.Objection):
		note("objection", "objection_unknown", "must be the code of an objection that is not archived: see /v1/objections")
	case r.Answer != uuid.Nil && !library.answers(r.Objection, r.Answer):
		note("answer_id", "answer_unknown", "must be an answer to this objection that is not archived")
	}
	if len(faults) > 0 {
		return a, invalid(faults)
	}
	if r.Report != "" {
		a.ErasedAt = time.Time{}
	}
	a.State, a.Outcome, a.Effect, a.Report, a.Objection, a.Answer, a.DoneAt, a.ClosedBy = Completed, r.Outcome, outcome.Effect, r.Report, r.Objection, r.Answer, r.At, by
	return a.changed(by, now), nil
}

// Cancel says that an activity is not to be done any more, for a reason of its own.
func (a Activity) Cancel(reason, by string, now time.Time) (Activity, error) {
	if err := a.mayWork(); err != nil {
		return a, err
	}
	if !codeShape.MatchString(reason) {
		return a, invalid([]problem.Field{{Location: "reason", Code: "code_malformed", Message: codeRule}})
	}
	a.State, a.StoppedAt, a.Reason, a.ClosedBy = Cancelled, now, reason, by
	return a.changed(by, now), nil
}

func invalid(faults []problem.Field) error {
	return problem.InvalidBody("activity_invalid", "Nothing was changed: mend the fields named here.", faults)
}
