package expression_test

import (
	"strings"
	"sync"
	"testing"

	"cel.dev/cel-go/cel"

	"github.com/guanxi-crm/guanxi/platform/expression"
)

func language() *expression.Language {
	return &expression.Language{
		Name: "condition", Subject: "a parcel", MaxBytes: 200, MaxCost: 1000,
		Sizes: func(path []string) uint64 {
			if len(path) == 1 && path[0] == "marks" {
				return 10
			}
			return 20
		},
		Facts: func() []cel.EnvOption {
			return []cel.EnvOption{
				cel.StdLib(), cel.Variable("weight", cel.IntType), cel.Variable("to", cel.StringType), cel.Variable("marks", cel.ListType(cel.StringType)),
			}
		},
	}
}

func TestWhatIsWrongIsNamedByLineAndColumn(t *testing.T) {
	t.Parallel()
	l := language()
	for text, want := range map[string][2]string{
		"weight >\n  1 && colour": {"condition_malformed", "line 2, column 8"},
		"weight + 1":              {"condition_not_bool", "must say yes or no; this gives int"},
		strings.Repeat("!", 201):  {"condition_too_long", "at most 200 bytes"},
		"marks.all(a, marks.all(b, marks.all(c, a + b == c)))": {"condition_too_costly", "for a parcel"},
	} {
		e, faults := l.Compile(text, expression.Bool)
		if e != nil || len(faults) == 0 || faults[0].Code != want[0] || !strings.Contains(faults[0].Message, want[1]) {
			t.Errorf("%s: %+v", text, faults)
		}
	}
	if _, faults := l.Compile("weight", expression.Bool); expression.At("body.when", faults)[0].Location != "body.when" {
		t.Errorf("%+v", faults)
	}
}

func TestAnExpressionIsCompiledOnceAndAskedByMany(t *testing.T) {
	t.Parallel()
	l := language()
	var all sync.WaitGroup
	for n := range 50 {
		all.Go(func() {
			e := l.Known(`weight > 20 && to == "Wuhan"`, expression.Bool)
			if yes, err := e.Yes(map[string]any{"weight": n, "to": "Wuhan"}); err != nil || yes != (n > 20) {
				t.Error(n, yes, err)
			}
			if e != l.Known(`weight > 20 && to == "Wuhan"`, expression.Bool) || !e.Asks("weight") || e.Asks("marks") || e.Cost() == 0 {
				t.Error("it was compiled again, or does not know what it asks for")
			}
		})
	}
	all.Wait()
}

func TestWhatNoLongerCompilesCannotAnswer(t *testing.T) {
	t.Parallel()
	if yes, err := language().Known("colour == 1", expression.Bool).Yes(nil); yes || err == nil {
		t.Error(yes, err)
	}
}

func TestWhatRunsLongerThanItsEstimateIsStopped(t *testing.T) {
	t.Parallel()
	e, faults := language().Compile(`marks.exists(m, m == "x")`, expression.Bool)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	if _, err := e.Yes(map[string]any{"marks": make([]string, 10_000)}); err == nil || !strings.Contains(err.Error(), "cost limit") {
		t.Error(err)
	}
}
