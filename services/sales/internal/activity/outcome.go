package activity

import (
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Effect says what an outcome is for whoever sells.
type Effect string

// The effects.
const (
	Good    Effect = "good"
	Neutral Effect = "neutral"
	Bad     Effect = "bad"
)

// Wording is a text in both languages.
type Wording struct {
	EN string `json:"en" minLength:"1" maxLength:"2000"`
	ZH string `json:"zh" minLength:"1" maxLength:"2000"`
}

// Outcome is what can come of an activity.
type Outcome struct {
	Code   string  `json:"code"`
	Name   Wording `json:"name"`
	Effect Effect  `json:"effect"`
	Kinds  []Kind  `json:"kinds,omitempty"` // of activities that can have it; none: all
}

// Outcomes are what can come of a tenant's activities.
type Outcomes struct {
	Version   int64 // 0: the standard ones, as the program has them
	List      []Outcome
	ChangedAt time.Time
	ChangedBy string
}

// standard are the outcomes of tenants that have not written their own.
func standard() Outcomes {
	talks := []Kind{Call, Meeting, Visit}
	return Outcomes{List: []Outcome{
		{"done", Wording{"Done", "已完成"}, Neutral, nil},
		{"interested", Wording{"Interested", "有兴趣"}, Good, talks},
		{"agreed", Wording{"Agreed to the next step", "同意下一步"}, Good, talks},
		{"undecided", Wording{"Wants to think about it", "需要考虑"}, Neutral, talks},
		{"not_interested", Wording{"Not interested", "没有兴趣"}, Bad, talks},
		{"not_reached", Wording{"Nobody was reached", "未联系上"}, Neutral, talks},
		{"not_done", Wording{"Could not be done", "未能完成"}, Neutral, []Kind{Task}},
	}}
}

// of gives the outcome of a code, where an activity of the kind can have it.
func (o Outcomes) of(code string, k Kind) (Outcome, bool) {
	for _, one := range o.List {
		if one.Code == code && (len(one.Kinds) == 0 || slices.Contains(one.Kinds, k)) {
			return one, true
		}
	}
	return Outcome{}, false
}

const maxOutcomes = 50

// outcomeFaults notes what is wrong with a list of outcomes: each kind needs one.
func outcomeFaults(list []Outcome) (faults []problem.Field) {
	note := func(location, code, message string) {
		faults = append(faults, problem.Field{Location: location, Code: code, Message: message})
	}
	if len(list) > maxOutcomes {
		note("outcomes", "too_many", fmt.Sprintf("must be at most %d", maxOutcomes))
	}
	seen := make(map[string]bool, len(list))
	for i, one := range list {
		at := fmt.Sprintf("outcomes[%d].", i)
		if !codeShape.MatchString(one.Code) {
			note(at+"code", "code_malformed", codeRule)
		}
		if seen[one.Code] {
			note(at+"code", "outcome_twice", "stands in the list already")
		}
		seen[one.Code] = true
		if one.Effect != Good && one.Effect != Neutral && one.Effect != Bad {
			note(at+"effect", "effect_unknown", "must be good, neutral or bad")
		}
		for j, k := range one.Kinds {
			if !k.known() {
				note(fmt.Sprintf("%skinds[%d]", at, j), "kind_unknown", "must be task, call, meeting or visit")
			}
		}
		faults = append(faults, one.Name.faults(at+"name.", 100)...)
	}
	for _, k := range []Kind{Task, Call, Meeting, Visit} {
		if !slices.ContainsFunc(list, func(o Outcome) bool { return len(o.Kinds) == 0 || slices.Contains(o.Kinds, k) }) {
			note("outcomes", "kind_without_outcome", fmt.Sprintf("must have one for a %s", k))
		}
	}
	return faults
}

// faults notes what is wrong with a text that takes so many characters.
func (t Wording) faults(at string, most int) (faults []problem.Field) {
	for _, one := range []struct{ language, text string }{{"en", t.EN}, {"zh", t.ZH}} {
		if n := utf8.RuneCountInString(one.text); n < 1 || n > most {
			faults = append(faults, problem.Field{Location: at + one.language, Code: "text_malformed", Message: fmt.Sprintf("must be 1 to %d characters", most)})
		}
	}
	return faults
}
