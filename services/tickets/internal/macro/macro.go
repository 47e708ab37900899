// Package macro keeps named series of actions that people take again and again with one word: an answer with its blanks filled
// in, a status, tags, another queue. All actions of a series happen to a ticket, or none.
package macro

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"golang.org/x/text/unicode/norm"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticket"
)

// Do is what an action does.
type Do string

// The actions.
const (
	Reply    Do = "reply"    // says Words to the customer
	Note     Do = "note"     // writes Words down for the staff
	Status   Do = "status"   // brings the ticket to Status; one that is there already stays
	Tag      Do = "tag"      // adds and removes tags
	Assign   Do = "assign"   // gives it to Queue, Agent or both
	Classify Do = "classify" // says of which Category, Impact and Urgency it is
)

// MacroAction is one step of a series, as it is kept and as the API takes and shows it. Which fields it takes depends on what it does.
type MacroAction struct {
	Do         Do            `json:"do" enum:"reply,note,status,tag,assign,classify"`
	Words      string        `json:"words,omitempty" maxLength:"50000" doc:"Of a reply or a note. {{ticket.number}}, {{ticket.subject}}, {{ticket.status}}, {{ticket.priority}} and {{agent}} are filled in from the ticket and the caller, {{value.NAME}} from the values that the caller gives." example:"We are sorry about {{ticket.number}}."`
	Channel    string        `json:"channel,omitempty" maxLength:"64" doc:"Of a reply; left out: the ticket's."`
	Status     ticket.Status `json:"status,omitempty" enum:"open,pending,on_hold,resolved,closed"`
	Resolution string        `json:"resolution,omitempty" maxLength:"64" doc:"Code of how; for the status resolved it must be there."`
	Add        []string      `json:"add,omitempty" maxItems:"50" doc:"Tags to add."`
	Remove     []string      `json:"remove,omitempty" maxItems:"50" doc:"Tags to take away."`
	Queue      *string       `json:"queue,omitempty" maxLength:"64" doc:"Code of the queue; empty for none; left out: the ticket's."`
	Agent      *string       `json:"agent,omitempty" maxLength:"200" doc:"Subject of the agent; me for the caller; empty for nobody; left out: the ticket's."`
	Category   *string       `json:"category,omitempty" maxLength:"64" doc:"Code; empty for none; left out: the ticket's."`
	Impact     int           `json:"impact,omitempty" minimum:"1" maximum:"3"`
	Urgency    int           `json:"urgency,omitempty" minimum:"1" maximum:"3"`
}

// Me stands for the caller in MacroAction.Agent.
const Me = "me"

// Macro is a named series.
type Macro struct {
	ID        uuid.UUID // UUIDv7
	Version   int64
	Name      string
	Actions   []MacroAction
	Archived  bool
	By        string // who changed it last
	ChangedAt time.Time
}

const (
	maxName    = 100
	maxActions = 20
	maxWords   = 50_000
)

// cleanName gives a macro's name as it is kept, or names what is wrong with it.
func cleanName(name string) (string, []problem.Field) {
	name = norm.NFC.String(strings.Join(strings.Fields(name), " "))
	if n := utf8.RuneCountInString(name); n < 1 || n > maxName || strings.ContainsFunc(name, unicode.IsControl) {
		return name, []problem.Field{{Location: "name", Code: "name_malformed", Message: "must be 1 to 100 characters in one line"}}
	}
	return name, nil
}

// Check names every field of the actions that is not right. Whether tags, queues and categories are known is said when the
// actions are taken: they may come and go.
func Check(actions []MacroAction) (faults []problem.Field) {
	if len(actions) < 1 || len(actions) > maxActions {
		faults = append(faults, problem.Field{Location: "actions", Code: "actions_malformed", Message: "must be 1 to 20"})
	}
	for i, a := range actions {
		for _, f := range a.check() {
			f.Location = strings.TrimSuffix(fmt.Sprintf("actions[%d].%s", i, f.Location), ".")
			faults = append(faults, f)
		}
	}
	return faults
}

// check names what is not right with an action, by its field.
func (a MacroAction) check() (faults []problem.Field) {
	fault := func(location, code, message string) {
		faults = append(faults, problem.Field{Location: location, Code: code, Message: message})
	}
	given := a.given()
	takes, known := fields[a.Do]
	if !known {
		fault("do", "action_unknown", "must be reply, note, status, tag, assign or classify")
		return faults
	}
	for _, name := range given {
		if !slices.Contains(takes, name) {
			fault(name, "field_unfit", "does not go with "+string(a.Do))
		}
	}
	switch a.Do {
	case Reply, Note:
		if n := utf8.RuneCountInString(a.Words); strings.TrimSpace(a.Words) == "" || n > maxWords {
			fault("words", "words_malformed", "must be 1 to 50000 characters, not all of them blanks")
		}
		if _, wrong := placeholders(a.Words); wrong != "" {
			fault("words", "placeholder_unknown", wrong)
		}
		if a.Channel != "" && !ticket.Code(a.Channel) {
			fault("channel", "channel_malformed", "must be a code of 1 to 64 lower-case letters, digits, - and _")
		}
	case Status:
		switch {
		case a.Status == "":
			fault("status", "status_required", "must say where the ticket goes")
		case a.Status == ticket.StatusResolved && a.Resolution == "":
			fault("resolution", "resolution_required", "must say how it was resolved, such as solved, no_fault, duplicate or not_possible")
		case a.Resolution != "" && (a.Status != ticket.StatusResolved && a.Status != ticket.StatusClosed || !ticket.Code(a.Resolution)):
			fault("resolution", "resolution_unfit", "must be a code, and belongs to resolved and closed only")
		}
	default:
		if a.Queue != nil && *a.Queue != "" && !ticket.Code(*a.Queue) {
			fault("queue", "queue_malformed", "must be a code of 1 to 64 lower-case letters, digits, - and _")
		}
		if a.Agent != nil && strings.ContainsFunc(*a.Agent, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }) {
			fault("agent", "agent_malformed", "must be a subject, without blanks")
		}
		if len(given) == 0 {
			fault("", "action_empty", "does nothing: give at least one of "+strings.Join(takes, ", "))
		}
	}
	return faults
}

// fields are what each action takes.
var fields = map[Do][]string{
	Reply: {"words", "channel"}, Note: {"words"}, Status: {"status", "resolution"}, Tag: {"add", "remove"}, Assign: {"queue", "agent"},
	Classify: {"category", "impact", "urgency"},
}

// given lists the fields that an action has.
func (a MacroAction) given() (names []string) {
	for _, f := range []struct {
		name  string
		there bool
	}{
		{"words", a.Words != ""}, {"channel", a.Channel != ""}, {"status", a.Status != ""}, {"resolution", a.Resolution != ""},
		{"add", len(a.Add) > 0}, {"remove", len(a.Remove) > 0}, {"queue", a.Queue != nil}, {"agent", a.Agent != nil},
		{"category", a.Category != nil}, {"impact", a.Impact != 0}, {"urgency", a.Urgency != 0},
	} {
		if f.there {
			names = append(names, f.name)
		}
	}
	return names
}

// Values fill the blanks of words that only the caller knows, by name, such as the name by which a customer is addressed.
type Values map[string]string

const (
	maxValues = 20
	maxValue  = 1000
)

// Check names every value that is not right.
func (v Values) Check() (faults []problem.Field) {
	if len(v) > maxValues {
		faults = append(faults, problem.Field{Location: "values", Code: "values_too_many", Message: "must be at most 20"})
	}
	for name, value := range v {
		if !valueName.MatchString(name) {
			faults = append(faults, problem.Field{Location: "values", Code: "value_name_malformed", Message: "must have names of small letters, digits and _"})
			break
		}
		if utf8.RuneCountInString(value) > maxValue {
			faults = append(faults, problem.Field{Location: "values." + name, Code: "value_too_long", Message: "must be at most 1000 characters"})
		}
	}
	return faults
}

var (
	valueName   = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)
	placeholder = regexp.MustCompile(`\{\{\s*([^{}]*?)\s*\}\}`)
	ofTicket    = []string{"ticket.number", "ticket.subject", "ticket.status", "ticket.priority", "agent"}
)

// placeholders gives the names of a text's blanks, or says what is wrong with one.
func placeholders(words string) (names []string, wrong string) {
	for _, m := range placeholder.FindAllStringSubmatch(words, -1) {
		value, ours := strings.CutPrefix(m[1], "value.")
		if !slices.Contains(ofTicket, m[1]) && (!ours || !valueName.MatchString(value)) {
			return nil, "has a placeholder that is not known; there are {{" + strings.Join(ofTicket, "}}, {{") + "}} and {{value.NAME}}"
		}
		names = append(names, m[1])
	}
	if rest := placeholder.ReplaceAllString(words, ""); strings.Contains(rest, "{{") || strings.Contains(rest, "}}") {
		return nil, "has a placeholder that is not closed, or not opened"
	}
	return names, ""
}

// fill gives the words with their blanks filled in. What is filled in is not looked through for blanks again.
func fill(words string, t ticket.Ticket, agent string, values Values) (string, error) {
	var missing []string
	filled := placeholder.ReplaceAllStringFunc(words, func(blank string) string {
		switch name := placeholder.FindStringSubmatch(blank)[1]; name {
		case "ticket.number":
			return ticket.Number(t.Number)
		case "ticket.subject":
			return t.Subject
		case "ticket.status":
			return string(t.Status)
		case "ticket.priority":
			return fmt.Sprint(t.Priority)
		case "agent":
			return agent
		default:
			name = strings.TrimPrefix(name, "value.")
			value, given := values[name]
			if !given {
				missing = append(missing, name)
			}
			return value
		}
	})
	if len(missing) > 0 {
		var faults []problem.Field
		for _, name := range missing {
			faults = append(faults, problem.Field{Location: "values." + name, Code: "value_required", Message: "is asked for by a placeholder"})
		}
		return "", problem.InvalidBody("macro_value_missing", "The words have blanks that nobody filled in: give the values named here.", faults)
	}
	return filled, nil
}

// tagged gives the tags of a ticket after some were added and others taken away.
func tagged(tags, add, remove []string) []string {
	kept := slices.Clone(tags)
	for _, tag := range add {
		if tag = plain(tag); !slices.Contains(kept, tag) {
			kept = append(kept, tag)
		}
	}
	return slices.DeleteFunc(kept, func(tag string) bool {
		return slices.ContainsFunc(remove, func(r string) bool { return plain(r) == tag })
	})
}

// plain gives a tag as tickets have it.
func plain(tag string) string {
	return strings.ToLower(strings.Join(strings.Fields(norm.NFC.String(tag)), " "))
}
