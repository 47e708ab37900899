// Package assignment brings leads to people: rules choose the team of a lead, by territory or whatever else is known of it, and
// the team's strategy chooses whoever of its people is at work, can do it, and has room. A lead that nobody can take waits, and
// says why.
//
// Who has a lead stands in the lead's row alone, and is changed under its lock. One process at a time works on a tenant, so
// nobody is ever given more than they can have. What is remembered of leads that nobody has can be made anew from them.
package assignment

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/guanxi-crm/guanxi/platform/businesstime"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/platform/rota"
	"github.com/guanxi-crm/guanxi/services/sales/internal/team"
)

// Reasons of assignments, as events and the history give them.
const (
	reasonRule     = "rule" // a rule chose the team, or the person that it names
	reasonHand     = "hand"
	reasonReleased = "released"
)

// process stands in the place of the subject where no person decided.
const process = "process:assignment"

// Rule sends leads to a team.
type Rule struct {
	Name         string   `json:"name"`                    // what people read; may be empty
	Condition    string   `json:"condition,omitempty"`     // in CEL; empty fits every lead
	Team         string   `json:"team"`                    // code
	Person       string   `json:"person,omitempty"`        // subject who gets it, as long as they are there and have room; empty: as the team's strategy says
	SameLanguage bool     `json:"same_language,omitempty"` // only who speaks the lead's language gets it
	Skills       []string `json:"skills,omitempty"`        // codes; only who has all of them gets it
}

// Rules are all rules of a tenant, in order: the first that fits holds, those that send to a team in the archive left out.
type Rules struct {
	Version   int64 // from 1, one more with every change; 0 while none were set
	Rules     []Rule
	ChangedAt time.Time
	By        string // subject of whoever set them
}

// Bounds of what people say.
const (
	maxRules   = 200
	maxName    = 200 // characters
	maxSkills  = 20  // of a rule
	maxSubject = 200
)

type faults []problem.Field

func (f *faults) add(location, code, message string) {
	*f = append(*f, problem.Field{Location: location, Code: code, Message: message})
}

// check gives the rules as they are kept, or names every field that is not right.
func (r Rules) check(book *team.Book) (Rules, faults) {
	var f faults
	if len(r.Rules) > maxRules {
		f.add("rules", "too_many", fmt.Sprintf("must be at most %d rules", maxRules))
		return r, f
	}
	r.Rules = slices.Clone(r.Rules)
	for i := range r.Rules {
		rule, at := &r.Rules[i], fmt.Sprintf("rules[%d]", i)
		rule.Name = strings.Join(strings.Fields(norm.NFC.String(rule.Name)), " ")
		if utf8.RuneCountInString(rule.Name) > maxName || strings.ContainsFunc(rule.Name, unicode.IsControl) {
			f.add(at+".name", "name_malformed", "must be at most 200 characters in one line")
		}
		rule.Condition = strings.TrimSpace(rule.Condition)
		f = append(f, compile(rule.Condition, at+".condition")...)
		switch t, known := book.Team(rule.Team); {
		case !known:
			f.add(at+".team", "team_unknown", "is no team: make it first")
		case t.Archived:
			f.add(at+".team", "team_archived", "is in the archive: it gets no new leads")
		}
		if rule.Person != "" {
			switch p, known := book.Person(rule.Person); {
			case !known:
				f.add(at+".person", "seller_unknown", "is nobody who sells: make them known first")
			case p.Archived:
				f.add(at+".person", "seller_archived", "has left, and gets no new leads")
			}
		}
		if len(rule.Skills) > maxSkills {
			f.add(at+".skills", "too_many", fmt.Sprintf("must be at most %d", maxSkills))
		}
		for n, skill := range rule.Skills {
			if !team.Coded(skill) {
				f.add(fmt.Sprintf("%s.skills[%d]", at, n), "code_malformed", team.CodeRule)
			}
		}
		rule.Skills = slices.Compact(slices.Sorted(slices.Values(rule.Skills)))
	}
	return r, f
}

// Need is what whoever gets a lead must be, or be able to do.
type Need struct {
	Person   string // subject whom a rule names; empty for nobody
	Language string // primary tag; empty for any
	Skills   string // codes with spaces between
	NotTo    string // subject who gave it back, and does not get it again unasked
}

// Route is what the rules say of a lead.
type Route struct {
	Team string // code; empty: no rule fits
	Rule int    // number of the rule that fits, from 1; 0: none does
	Need
}

// route asks the rules where a lead goes. One that has a team already stays in it, as long as that is not in the archive: then
// only what its people must be able to do is asked for.
func (r Rules) route(f Facts, has string, book *team.Book) Route {
	if t, known := book.Team(has); !known || t.Archived {
		has = ""
	}
	found := Route{Team: has}
	for i, rule := range r.Rules {
		if t, known := book.Team(rule.Team); !known || t.Archived || has != "" && rule.Team != has {
			continue
		}
		if yes, err := fits(rule.Condition, f); err != nil || !yes {
			continue
		}
		found.Team, found.Rule = rule.Team, i+1
		found.Person, found.Skills = rule.Person, strings.Join(rule.Skills, " ")
		if rule.SameLanguage {
			found.Language = spoken(f.Language)
		}
		break
	}
	return found
}

// Why nobody gets a lead, as codes.
const (
	WaitsNoRule       = "no_rule"       // no rule fits
	WaitsByHand       = "by_hand"       // the team gives its leads out by hand
	WaitsNobodyAble   = "nobody_able"   // nobody of the team can do what it needs, or may get it
	WaitsFull         = "full"          // all who could have as much as they can have
	WaitsAway         = "away"          // all who could are absent
	WaitsOutsideHours = "outside_hours" // nobody who could is at work
)

// Choice is who gets a lead, or why nobody does.
type Choice struct {
	Owner  string    // subject; empty: nobody
	Reason string    // of the assignment: rule, round_robin or least_loaded; empty where nobody gets it
	Waits  string    // code of why nobody does
	Until  time.Time // when somebody who could take it is at work again; zero: not known
}

// desk is what a choice depends on. What is chosen changes the rota.
type desk struct {
	rules Rules
	book  *team.Book
	turns *rota.Rota
	now   time.Time
	next  map[string]time.Time // by subject: when they work next
}

// nextWork gives when somebody is at work next: now, where they are. Each is reckoned once.
func (d *desk) nextWork(p team.Person) time.Time {
	at, known := d.next[p.Subject]
	if !known {
		at = p.NextWork(d.now)
		d.next[p.Subject] = at
	}
	return at
}

func (d *desk) works(p team.Person) bool { return d.nextWork(p).Equal(d.now) }

// keeps gives the code of what keeps somebody from getting a lead unasked at this moment; empty: nothing.
func (d *desk) keeps(t team.Team, p team.Person, n Need) string {
	_, absent := p.Absent(d.now)
	switch {
	case p.Archived:
		return "left"
	case p.Subject == n.NotTo:
		return "gave_back"
	case n.Language != "" && !slices.Contains(p.Languages, n.Language):
		return "language"
	case !able(p, n.Skills):
		return "skills"
	case !d.turns.Place(t.Code, p.Subject).Room():
		return WaitsFull
	case absent:
		return WaitsAway
	case !d.works(p):
		return WaitsOutsideHours
	default:
		return ""
	}
}

// able tells whether somebody has all skills.
func able(p team.Person, skills string) bool {
	for _, s := range strings.Fields(skills) {
		if !slices.Contains(p.Skills, s) {
			return false
		}
	}
	return true
}

// choose says who of a team gets a lead at this moment.
//
// A person whom the rule names gets it, unless they have left, are away or have no room: then it goes as the team's strategy
// says. While nobody who could take it is at work it waits, or goes to who is at work next, as the team has set.
func (d *desk) choose(code string, n Need) Choice {
	t, known := d.book.Team(code)
	if !known || t.Archived {
		return Choice{Waits: WaitsNoRule}
	}
	if p, ok := d.book.Person(n.Person); ok {
		switch keeps := d.keeps(t, p, Need{NotTo: n.NotTo}); {
		case keeps == "", keeps == WaitsOutsideHours && t.OutsideHours == team.Next:
			return Choice{Owner: p.Subject, Reason: reasonRule}
		case keeps == WaitsOutsideHours:
			return Choice{Waits: keeps, Until: orUnknown(d.nextWork(p))}
		}
	}
	if t.Strategy == team.ByHand {
		return Choice{Waits: WaitsByHand}
	}
	var here, later []string
	var next time.Time
	count := map[string]int{}
	for _, p := range d.book.Members(code) {
		keeps := d.keeps(t, p, n)
		count[keeps]++
		switch keeps {
		case "":
			here = append(here, p.Subject)
		case WaitsAway, WaitsOutsideHours:
			switch at := d.nextWork(p); {
			case at.Equal(businesstime.Never):
			case next.IsZero() || at.Before(next):
				next, later = at, []string{p.Subject}
			case at.Equal(next):
				later = append(later, p.Subject)
			}
		}
	}
	if len(here) == 0 && t.OutsideHours == team.Next {
		here = later
	}
	if who, ok := d.turns.First(code, here, order(t.Strategy)); ok {
		return Choice{Owner: who, Reason: string(t.Strategy)}
	}
	waits := WaitsNobodyAble
	for _, why := range []string{WaitsFull, WaitsAway, WaitsOutsideHours} { // the last that holds of anybody is what it waits for
		if count[why] > 0 {
			waits = why
		}
	}
	return Choice{Waits: waits, Until: next}
}

func order(s team.Strategy) func(a, b rota.Place) int {
	if s == team.RoundRobin {
		return rota.ByTurn
	}
	return rota.ByLoad
}

// orUnknown gives the zero time for a time that never comes.
func orUnknown(at time.Time) time.Time {
	if at.Equal(businesstime.Never) {
		return time.Time{}
	}
	return at
}

// class is a kind of waiting lead: whoever can take one of it can take each.
type class struct {
	Team string
	Need
}

// room gives how many leads of a class could be given at this moment at most.
func (d *desk) room(c class) (free int) {
	t, known := d.book.Team(c.Team)
	if !known || t.Archived {
		return 0
	}
	count := func(p team.Person, n Need) {
		later := t.OutsideHours == team.Next && !d.nextWork(p).Equal(businesstime.Never)
		if keeps := d.keeps(t, p, n); keeps == "" || later && (keeps == WaitsAway || keeps == WaitsOutsideHours) {
			at := d.turns.Place(c.Team, p.Subject)
			free += at.Capacity - at.Load
		}
	}
	if p, ok := d.book.Person(c.Person); ok {
		if d.keeps(t, p, Need{NotTo: c.NotTo}) == WaitsOutsideHours && t.OutsideHours == team.Wait {
			return 0 // it waits for them
		}
		if !slices.Contains(p.Teams, c.Team) {
			count(p, Need{NotTo: c.NotTo})
		}
	}
	for _, p := range d.book.Members(c.Team) {
		need := c.Need
		if p.Subject == c.Person {
			need = Need{NotTo: c.NotTo}
		} else if t.Strategy == team.ByHand {
			continue
		}
		count(p, need)
	}
	return free
}

// byLead puts what waits in the order in which it came in.
func byLead(a, b wait) int { return slices.Compare(a.lead[:], b.lead[:]) }
