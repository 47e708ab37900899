package macro

import (
	"slices"
	"strings"
	"testing"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticket"
)

func TestBlanksAreFilledInOnce(t *testing.T) {
	t.Parallel()
	of := ticket.Ticket{Number: 7, Subject: "{{value.name}}", Status: ticket.StatusOpen, Priority: 2}
	for words, want := range map[string]string{
		"About {{ticket.number}} ({{ ticket.status }}, {{ticket.priority}}), {{agent}}": "About T-000007 (open, 2), ann",
		"Dear {{value.name}}":           "Dear {{ticket.number}} $1", // is not filled in again
		"{{ticket.subject}}":            "{{value.name}}",
		"nothing { } to fill <b>in</b>": "nothing { } to fill <b>in</b>",
	} {
		got, err := fill(words, of, "ann", Values{"name": "{{ticket.number}} $1", "other": "x"})
		if err != nil || got != want {
			t.Errorf("%q: %q, %v", words, got, err)
		}
	}
	_, err := fill("{{value.name}} {{value.day}}", of, "ann", Values{"name": "x"})
	if p := problem.From(err); p.Code != "macro_value_missing" || len(p.Fields) != 1 || p.Fields[0].Location != "body.values.day" {
		t.Errorf("%v", err)
	}
}

func TestAnActionTakesItsOwnFieldsOnly(t *testing.T) {
	t.Parallel()
	queue, nobody, split := "second", "", "ann\nbob"
	for _, c := range []struct {
		action MacroAction
		code   string // of the fault; empty: none
	}{
		{MacroAction{Do: Reply, Words: "Dear {{value.name}}"}, ""},
		{MacroAction{Do: Note, Words: "x"}, ""},
		{MacroAction{Do: Status, Status: ticket.StatusPending}, ""},
		{MacroAction{Do: Status, Status: ticket.StatusResolved, Resolution: "solved"}, ""},
		{MacroAction{Do: Tag, Add: []string{"vip"}}, ""},
		{MacroAction{Do: Assign, Queue: &queue, Agent: &nobody}, ""},
		{MacroAction{Do: Classify, Impact: 1}, ""},
		{MacroAction{Do: "dance"}, "action_unknown"},
		{MacroAction{Do: Reply, Words: " "}, "words_malformed"},
		{MacroAction{Do: Reply, Words: strings.Repeat("x", 50_001)}, "words_malformed"},
		{MacroAction{Do: Reply, Words: "{{customer.name}}"}, "placeholder_unknown"},
		{MacroAction{Do: Reply, Words: "{{value.Name}}"}, "placeholder_unknown"},
		{MacroAction{Do: Reply, Words: "{{agent}"}, "placeholder_unknown"},
		{MacroAction{Do: Reply, Words: "agent}}"}, "placeholder_unknown"},
		{MacroAction{Do: Note, Words: "x", Channel: "email"}, "field_unfit"},
		{MacroAction{Do: Status}, "status_required"},
		{MacroAction{Do: Status, Status: ticket.StatusResolved}, "resolution_required"},
		{MacroAction{Do: Status, Status: ticket.StatusOpen, Resolution: "solved"}, "resolution_unfit"},
		{MacroAction{Do: Tag}, "action_empty"},
		{MacroAction{Do: Tag, Add: []string{"a"}, Words: "x"}, "field_unfit"},
		{MacroAction{Do: Assign, Agent: &split}, "agent_malformed"},
		{MacroAction{Do: Assign}, "action_empty"},
	} {
		faults := Check([]MacroAction{c.action})
		if (c.code == "") != (len(faults) == 0) || c.code != "" && faults[0].Code != c.code {
			t.Errorf("%+v: %v, want %q", c.action, faults, c.code)
		}
	}
	if faults := Check(nil); len(faults) != 1 {
		t.Errorf("no actions: %v", faults)
	}
	if faults := Check(slices.Repeat([]MacroAction{{Do: Note, Words: "x"}}, 21)); len(faults) != 1 {
		t.Errorf("21 actions: %v", faults)
	}
}

func TestTagsAreAddedAndTakenAway(t *testing.T) {
	t.Parallel()
	if got := tagged([]string{"old", "vip"}, []string{"New  One", "vip"}, []string{"OLD", "none"}); !slices.Equal(got, []string{"vip", "new one"}) {
		t.Errorf("%q", got)
	}
}

func TestValuesAreFew(t *testing.T) {
	t.Parallel()
	many := Values{}
	for r := 'a'; r <= 'z'; r++ {
		many[string(r)] = "x"
	}
	for code, v := range map[string]Values{
		"values_too_many": many, "value_name_malformed": {"Na me": "x"}, "value_too_long": {"name": strings.Repeat("可", 1001)},
	} {
		if faults := v.Check(); len(faults) != 1 || faults[0].Code != code {
			t.Errorf("%s: %v", code, faults)
		}
	}
}
