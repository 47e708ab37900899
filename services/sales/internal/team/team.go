// Package team keeps who sells together, and when each of them is at work: teams with who leads them, people with how many
// open leads they can have, what they speak and can do, their working hours and their absences.
//
// A team in the archive gets no new leads. Its leads stay with whoever has them; those that nobody has are given by the rules
// again, to other teams. Somebody in the archive has left: they get nothing new, and what they have is handed over by command.
package team

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"golang.org/x/text/unicode/norm"

	"github.com/guanxi-crm/guanxi/platform/businesstime"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Strategy is how a team's leads come to its people.
type Strategy string

// The strategies.
const (
	RoundRobin  Strategy = "round_robin"  // whose turn is longest ago
	LeastLoaded Strategy = "least_loaded" // who has the least of what they can have
	ByHand      Strategy = "by_hand"      // nobody unasked: people take or hand out what they want
)

// Outside says what happens with a lead while nobody of the team who could take it is at work.
type Outside string

// What happens outside of working hours.
const (
	Wait Outside = "wait" // until somebody is
	Next Outside = "next" // it goes to who is at work next
)

// Team is who sells together.
type Team struct {
	Code         string
	Version      int64  // from 1, one more with every change; 0: there is none yet
	Name         string // what people read
	Lead         string // subject of who leads it; empty for nobody. They need not be of it
	Pipeline     string // code of the one that it sells along; empty: the tenant's default
	PriceList    string // code of the one that it sells by; empty: none of its own
	Zone         string // IANA name of the time zone in which its days begin, such as Asia/Shanghai
	Strategy     Strategy
	OutsideHours Outside
	Members      []string // subjects, in order; of people who have left, too
	Archived     bool     // gets no new leads
	ChangedAt    time.Time
	By           string // subject of whoever changed it
}

// Location gives the team's time zone; UTC where this process does not know it.
func (t Team) Location() *time.Location { return location(t.Zone) }

func location(name string) *time.Location {
	if zone, ok := businesstime.Zone(name); ok {
		return zone
	}
	return time.UTC
}

// Person is somebody who sells.
type Person struct {
	Subject   string              // of the token
	Version   int64               // from 1, one more with every change; 0: there is none yet
	Capacity  int                 // open leads at a time that are given unasked
	Languages []string            // that they speak: primary tags of BCP 47, such as zh; in order
	Skills    []string            // codes, in order
	Zone      string              // IANA name of the time zone whose wall clock the hours mean
	Hours     *businesstime.Hours // canonical; nil: around the clock
	Absences  []Absence           // those that have not ended, in the order in which they begin
	Teams     []string            // codes of the teams that they are of, in order
	Archived  bool                // has left: gets no new leads
	ChangedAt time.Time
	By        string // subject of whoever changed it
}

// Absence is a time at which somebody is not there.
type Absence struct {
	ID   uuid.UUID
	From time.Time
	To   time.Time // not included; zero: until it is ended
	By   string    // subject of who told of it
	At   time.Time // when it was told
}

// covers tells whether an instant is within the absence.
func (a Absence) covers(at time.Time) bool {
	return !at.Before(a.From) && (a.To.IsZero() || at.Before(a.To))
}

// Calendar gives the person's working hours to reckon with: those of Hours without the absences.
func (p Person) Calendar() businesstime.Calendar {
	if p.Hours == nil {
		return businesstime.Always()
	}
	return p.Hours.Calendar(location(p.Zone))
}

// Away gives the absences as pauses of the calendar.
func (p Person) Away() []businesstime.Range {
	pauses := make([]businesstime.Range, len(p.Absences))
	for i, a := range p.Absences {
		pauses[i] = businesstime.Range{From: a.From, To: a.To}
	}
	return pauses
}

// Absent tells whether the person is not there at an instant, and until when: the zero time where nobody knows. Absences that
// touch or overlap are one.
func (p Person) Absent(at time.Time) (until time.Time, absent bool) {
	until = at
	for again := true; again; {
		again = false
		for _, a := range p.Absences {
			if !a.covers(until) {
				continue
			}
			if a.To.IsZero() {
				return time.Time{}, true
			}
			until, absent, again = a.To, true, true
		}
	}
	return until, absent
}

// Works tells whether the person is at work at an instant: within their hours, and not absent.
func (p Person) Works(at time.Time) bool {
	_, absent := p.Absent(at)
	return !absent && !p.Archived && p.Calendar().Opens(at)
}

// NextWork gives the earliest instant from at on at which the person works: at itself where they do, and businesstime.Never
// where that is not known.
func (p Person) NextWork(at time.Time) time.Time {
	if p.Archived {
		return businesstime.Never
	}
	hours := p.Calendar()
	for {
		opens := hours.Next(at)
		if opens.Equal(businesstime.Never) {
			return opens
		}
		until, absent := p.Absent(opens)
		switch {
		case !absent:
			return opens
		case until.IsZero():
			return businesstime.Never
		}
		at = until
	}
}

// Bounds of what people say.
const (
	maxName      = 200 // characters
	maxSubject   = 200
	maxCapacity  = 10_000
	maxMembers   = 500
	maxTeams     = 200
	maxPeople    = 5000
	maxWords     = 50  // languages, and skills, of a person
	maxAbsences  = 100 // of a person, that have not ended
	longestAway  = 3 * 366 * 24 * time.Hour
	furthestAway = 3 * 366 * 24 * time.Hour // from now to when an absence begins
)

var (
	codePattern     = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)
	languagePattern = regexp.MustCompile(`^[a-z]{2,3}$`)
)

// Coded tells whether s can be a code, as CodeRule says.
func Coded(s string) bool { return codePattern.MatchString(s) }

// CodeRule says what a code must be.
const CodeRule = "must be a code of 1 to 64 lower-case letters, digits, - and _, beginning with a letter or a digit"

type faults []problem.Field

func (f *faults) add(location, code, message string) {
	*f = append(*f, problem.Field{Location: location, Code: code, Message: message})
}

func (f *faults) code(location, code string) {
	if !Coded(code) {
		f.add(location, "code_malformed", CodeRule)
	}
}

func (f *faults) subject(location, subject string) {
	if n := utf8.RuneCountInString(subject); n < 1 || n > maxSubject || strings.ContainsFunc(subject, unicode.IsControl) {
		f.add(location, "subject_malformed", "must be the subject of a token, 1 to 200 characters")
	}
}

func (f *faults) zone(zone string) {
	if _, ok := businesstime.Zone(zone); !ok {
		f.add("time_zone", "time_zone_unknown", "must be an IANA time zone, such as Asia/Shanghai")
	}
}

// check gives the team as it is kept, or names every field that is not right. known are the people of the tenant.
func (t Team) check(known map[string]bool) (Team, faults) {
	var f faults
	f.code("code", t.Code)
	t.Name = strings.Join(strings.Fields(norm.NFC.String(t.Name)), " ")
	if n := utf8.RuneCountInString(t.Name); n < 1 || n > maxName || strings.ContainsFunc(t.Name, unicode.IsControl) {
		f.add("name", "name_malformed", "must be 1 to 200 characters in one line")
	}
	if t.Lead != "" {
		f.subject("lead", t.Lead)
	}
	for location, code := range map[string]string{"pipeline": t.Pipeline, "price_list": t.PriceList} {
		if code != "" {
			f.code(location, code)
		}
	}
	if t.Zone == "" {
		t.Zone = "UTC"
	}
	f.zone(t.Zone)
	if t.Strategy == "" {
		t.Strategy = RoundRobin
	}
	if !slices.Contains([]Strategy{RoundRobin, LeastLoaded, ByHand}, t.Strategy) {
		f.add("strategy", "strategy_unknown", "must be round_robin, least_loaded or by_hand")
	}
	if t.OutsideHours == "" {
		t.OutsideHours = Wait
	}
	if !slices.Contains([]Outside{Wait, Next}, t.OutsideHours) {
		f.add("outside_hours", "outside_hours_unknown", "must be wait or next")
	}
	if len(t.Members) > maxMembers {
		f.add("members", "too_many", fmt.Sprintf("must be at most %d people", maxMembers))
		return t, f
	}
	for i, m := range t.Members {
		if !known[m] {
			f.add(fmt.Sprintf("members[%d]", i), "seller_unknown", "is nobody who sells: make them known first")
		}
	}
	t.Members = sorted(t.Members)
	return t, f
}

// check gives the person as they are kept, or names every field that is not right.
func (p Person) check() (Person, faults) {
	var f faults
	f.subject("subject", p.Subject)
	if p.Capacity < 0 || p.Capacity > maxCapacity {
		f.add("capacity", "out_of_range", fmt.Sprintf("must be 0 to %d", maxCapacity))
	}
	if len(p.Languages) > maxWords || len(p.Skills) > maxWords {
		f.add("skills", "too_many", fmt.Sprintf("must be at most %d skills and languages each", maxWords))
		return p, f
	}
	for i, l := range p.Languages {
		if !languagePattern.MatchString(l) {
			f.add(fmt.Sprintf("languages[%d]", i), "language_malformed", "must be the code of a language, such as zh")
		}
	}
	for i, s := range p.Skills {
		f.code(fmt.Sprintf("skills[%d]", i), s)
	}
	p.Languages, p.Skills = sorted(p.Languages), sorted(p.Skills)
	if p.Zone == "" {
		p.Zone = "UTC"
	}
	f.zone(p.Zone)
	if p.Hours != nil {
		hours, wrong := p.Hours.Normalise()
		for _, w := range wrong {
			f.add("hours."+w.Location, w.Code, w.Message)
		}
		p.Hours = &hours
	}
	return p, f
}

// sorted gives each word once, in order; never nil, so that it reads the same at once and later.
func sorted(words []string) []string {
	return append([]string{}, slices.Compact(slices.Sorted(slices.Values(words)))...)
}

// checkAbsence names what is not right about an absence that is told at now.
func checkAbsence(a Absence, now time.Time) faults {
	var f faults
	if d := a.From.Sub(now); d > furthestAway || d < -furthestAway {
		f.add("from", "out_of_range", "must be within three years of today")
	}
	switch {
	case a.To.IsZero():
	case !a.To.After(a.From):
		f.add("to", "out_of_range", "must be after from")
	case a.To.Sub(a.From) > longestAway:
		f.add("to", "out_of_range", "must be within three years after from; leave it out where nobody knows")
	case !a.To.After(now):
		f.add("to", "absence_over", "must be in the future: nothing follows from an absence that is over")
	}
	return f
}

// Book is the teams and people of a tenant at one moment.
type Book struct {
	teams  map[string]Team
	people map[string]Person
}

// NewBook makes a book of teams and people.
func NewBook(teams []Team, people []Person) *Book {
	b := &Book{teams: make(map[string]Team, len(teams)), people: make(map[string]Person, len(people))}
	for _, t := range teams {
		b.teams[t.Code] = t
	}
	for _, p := range people {
		b.people[p.Subject] = p
	}
	return b
}

// Team gives the team of a code, one in the archive too.
func (b *Book) Team(code string) (Team, bool) {
	t, ok := b.teams[code]
	return t, ok
}

// Person gives the person of a subject, one who has left too.
func (b *Book) Person(subject string) (Person, bool) {
	p, ok := b.people[subject]
	return p, ok
}

// Teams gives all teams in the order of their codes, those in the archive too.
func (b *Book) Teams() []Team {
	return slices.SortedFunc(maps.Values(b.teams), func(a, b Team) int { return strings.Compare(a.Code, b.Code) })
}

// People gives all people in the order of their subjects, those who have left too.
func (b *Book) People() []Person {
	return slices.SortedFunc(maps.Values(b.people), func(a, b Person) int { return strings.Compare(a.Subject, b.Subject) })
}

// Members gives the people of a team, in the order of their subjects.
func (b *Book) Members(code string) []Person {
	t := b.teams[code]
	found := make([]Person, 0, len(t.Members))
	for _, subject := range t.Members {
		if p, ok := b.people[subject]; ok {
			found = append(found, p)
		}
	}
	return found
}
