// Package routing brings tickets to people: rules choose the queue of a ticket, a queue's strategy chooses whoever of the
// agents that are present, can do it and have room takes it, and a ticket that waits too long goes to another queue. A
// person may also take a ticket, give it back, or hand it on.
//
// Who has a ticket stands in the ticket's row alone, and is changed under its lock: so nothing is given twice, whatever is
// lost or comes twice. What routing remembers of tickets that nobody has (Wait) can be made anew from them.
package routing

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"golang.org/x/text/unicode/norm"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/sla"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticket"
)

// Strategy is how a queue chooses among the agents who could take a ticket.
type Strategy string

// The strategies.
const (
	RoundRobin  Strategy = "round_robin"  // whose turn is longest ago
	LeastLoaded Strategy = "least_loaded" // who has the least of what they can have
	BestSkill   Strategy = "best_skill"   // who is best at what the ticket needs
	Pull        Strategy = "pull"         // nobody: people take what they want
)

// Presence is whether an agent takes tickets now.
type Presence string

// The presences.
const (
	Available Presence = "available"
	Away      Presence = "away" // is here, and gets nothing new
	Offline   Presence = "offline"
)

// Reasons of assignments, as events and the history give them.
const (
	reasonRouted   = "routed"
	reasonPulled   = "pulled"
	reasonAssigned = "assigned"
	reasonReleased = "released"
	reasonOverflow = "overflow"
)

// process stands in the place of the subject where no person decided.
const process = "process:routing"

// Level is a skill that somebody has, or a ticket needs: 1 (some) to 5 (an expert).
type Level struct {
	Skill string `json:"skill"` // code
	Level int    `json:"level"`
}

// Skill is something that agents can do.
type Skill struct {
	Code      string
	Version   int64  // from 1; 0: there is none yet
	Title     string // what people read
	Archived  bool   // nothing new may name it
	ChangedAt time.Time
}

// Queue is where tickets wait for somebody who takes them.
type Queue struct {
	Code          string
	Version       int64  // from 1; 0: there is none yet
	Title         string // what people read
	Strategy      Strategy
	Skills        []Level       // that every ticket in it needs
	OverflowAfter time.Duration // business time after which a ticket goes elsewhere; 0 for never
	OverflowTo    string        // code of where; empty for nowhere
	CalendarID    uuid.UUID     // by which that is reckoned; Nil: around the clock
	Archived      bool          // nothing new goes there
	ChangedAt     time.Time
}

// Agent is somebody who takes tickets.
type Agent struct {
	Subject      string // of the token
	Version      int64  // from 1; 0: there is none yet
	Capacity     int    // tickets at a time that are given unasked
	Queues       []string
	Skills       []Level
	ChangedAt    time.Time
	Presence     Presence // as it was set
	PresentUntil time.Time
}

// Present gives the presence at a time: what was set holds until it ends.
func (a Agent) Present(now time.Time) Presence {
	if a.Presence == "" || !now.Before(a.PresentUntil) {
		return Offline
	}
	return a.Presence
}

// Rule sends tickets to a queue.
type Rule struct {
	Condition string  `json:"condition,omitempty"` // as of policies; empty fits every ticket
	Queue     string  `json:"queue"`               // code
	Skills    []Level `json:"skills,omitempty"`    // that the ticket needs beside those of the queue
}

// Rules are all rules of a tenant, in order: the first that fits holds.
type Rules struct {
	Version   int64 // 0 while none were set
	Rules     []Rule
	ChangedAt time.Time
}

// For gives the first rule that fits the facts of a ticket.
func (r Rules) For(f sla.Facts) (Rule, bool) {
	for _, rule := range r.Rules {
		if sla.Fits(rule.Condition, f) {
			return rule, true
		}
	}
	return Rule{}, false
}

const (
	maxTitle    = 200
	maxCapacity = 1000
	maxLevels   = 20
	maxRules    = 200
	maxQueues   = 200 // of an agent
	highest     = 5   // level
	maxOverflow = 90 * 24 * time.Hour
	longest     = 24 * time.Hour // that a presence holds without being said again
	maxSubject  = 200
)

type faults []problem.Field

func (f *faults) add(location, code, message string) {
	*f = append(*f, problem.Field{Location: location, Code: code, Message: message})
}

func (f *faults) code(location, code string) {
	if !ticket.Code(code) {
		f.add(location, "code_malformed", "must be a code of 1 to 64 lower-case letters, digits, - and _")
	}
}

func (f *faults) title(title string) string {
	title = norm.NFC.String(strings.TrimSpace(title))
	if n := utf8.RuneCountInString(title); n < 1 || n > maxTitle || strings.ContainsFunc(title, unicode.IsControl) {
		f.add("title", "title_malformed", "must be 1 to 200 characters in one line")
	}
	return title
}

// levels puts skills in order. The skills that the tenant has say which may be named.
func (f *faults) levels(location string, levels []Level, known map[string]Skill) []Level {
	if len(levels) > maxLevels {
		f.add(location, "too_many", "must be at most 20 skills")
		return levels
	}
	seen := map[string]bool{}
	for i, l := range levels {
		at := fmt.Sprintf("%s[%d]", location, i)
		switch skill, ok := known[l.Skill]; {
		case !ok:
			f.add(at+".skill", "skill_unknown", "is no skill: make it first")
		case skill.Archived:
			f.add(at+".skill", "skill_archived", "is in the archive: nothing new may name it")
		case seen[l.Skill]:
			f.add(at+".skill", "skill_twice", "must be named once")
		}
		if l.Level < 1 || l.Level > highest {
			f.add(at+".level", "out_of_range", "must be 1 to 5")
		}
		seen[l.Skill] = true
	}
	return slices.SortedFunc(slices.Values(levels), func(a, b Level) int { return strings.Compare(a.Skill, b.Skill) })
}

func (f *faults) queue(location, code string, queues map[string]Queue) {
	switch q, ok := queues[code]; {
	case !ok:
		f.add(location, "queue_unknown", "is no queue: make it first")
	case q.Archived:
		f.add(location, "queue_archived", "is in the archive: nothing new goes there")
	}
}

// check gives the skill as it is kept, or names every field that is not right.
func (s Skill) check() (Skill, faults) {
	var f faults
	f.code("code", s.Code)
	s.Title = f.title(s.Title)
	return s, f
}

// check gives the queue as it is kept, or names every field that is not right.
func (q Queue) check(skills map[string]Skill, queues map[string]Queue) (Queue, faults) {
	var f faults
	f.code("code", q.Code)
	q.Title = f.title(q.Title)
	if !slices.Contains([]Strategy{RoundRobin, LeastLoaded, BestSkill, Pull}, q.Strategy) {
		f.add("strategy", "strategy_unknown", "must be round_robin, least_loaded, best_skill or pull")
	}
	q.Skills = f.levels("skills", q.Skills, skills)
	switch {
	case (q.OverflowAfter == 0) != (q.OverflowTo == ""):
		f.add("overflow_to", "overflow_incomplete", "must be given together with overflow_seconds, or not at all")
	case q.OverflowAfter == 0:
		return q, f
	case q.OverflowAfter < time.Second || q.OverflowAfter > maxOverflow:
		f.add("overflow_seconds", "out_of_range", "must be 1 second to 90 days")
	}
	f.queue("overflow_to", q.OverflowTo, with(queues, q))
	if cyclic(q.Code, with(queues, q)) {
		f.add("overflow_to", "overflow_cyclic", "leads back to this queue: tickets would go round for ever")
	}
	return q, f
}

func with(queues map[string]Queue, q Queue) map[string]Queue {
	all := map[string]Queue{q.Code: q}
	for code, other := range queues {
		if code != q.Code {
			all[code] = other
		}
	}
	return all
}

// cyclic tells whether whoever overflows from a queue comes back to it.
func cyclic(code string, queues map[string]Queue) bool {
	at := queues[code].OverflowTo
	for range queues {
		if at == "" || at == code {
			break
		}
		at = queues[at].OverflowTo
	}
	return at == code
}

// check gives the agent as it is kept, or names every field that is not right.
func (a Agent) check(skills map[string]Skill, queues map[string]Queue) (Agent, faults) {
	var f faults
	if n := utf8.RuneCountInString(a.Subject); n < 1 || n > maxSubject || strings.ContainsFunc(a.Subject, unicode.IsControl) {
		f.add("subject", "subject_malformed", "must be the subject of a token, 1 to 200 characters")
	}
	if a.Capacity < 0 || a.Capacity > maxCapacity {
		f.add("capacity", "out_of_range", "must be 0 to 1000")
	}
	if len(a.Queues) > maxQueues {
		f.add("queues", "too_many", "must be at most 200 queues")
		return a, f
	}
	for i, code := range a.Queues {
		f.queue(fmt.Sprintf("queues[%d]", i), code, queues)
	}
	a.Queues = slices.Compact(slices.Sorted(slices.Values(a.Queues)))
	a.Skills = f.levels("skills", a.Skills, skills)
	return a, f
}

// check gives the rules as they are kept, or names every field that is not right.
func (r Rules) check(skills map[string]Skill, queues map[string]Queue) (Rules, faults) {
	var f faults
	if len(r.Rules) > maxRules {
		f.add("rules", "too_many", "must be at most 200 rules")
		return r, f
	}
	r.Rules = slices.Clone(r.Rules)
	for i := range r.Rules {
		rule, at := &r.Rules[i], fmt.Sprintf("rules[%d]", i)
		rule.Condition = strings.TrimSpace(rule.Condition)
		f = append(f, sla.CheckCondition(rule.Condition, at+".condition")...)
		f.queue(at+".queue", rule.Queue, queues)
		rule.Skills = f.levels(at+".skills", rule.Skills, skills)
	}
	return r, f
}

// spell writes needed skills so that equal needs are equal words: "billing:3 french:2".
func spell(levels []Level) string {
	words := make([]string, len(levels))
	for i, l := range levels {
		words[i] = l.Skill + ":" + strconv.Itoa(l.Level)
	}
	slices.Sort(words)
	return strings.Join(words, " ")
}

// unspell reads what spell wrote.
func unspell(need string) (levels []Level) {
	for _, word := range strings.Fields(need) {
		skill, level, _ := strings.Cut(word, ":")
		n, err := strconv.Atoi(level)
		if err != nil {
			continue
		}
		levels = append(levels, Level{skill, n})
	}
	return levels
}
