package problem_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

func TestFromFindsTheProblemInAChain(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		err    error
		status int
		code   string
		fault  bool
	}{
		{"a problem", problem.New(problem.NotFound, "customer_not_found", "No such customer."), 404, "customer_not_found", true},
		{"a wrapped problem", fmt.Errorf("lookup: %w", problem.New(problem.Conflict, "taken", "Taken.")), 409, "taken", true},
		{"a deadline", fmt.Errorf("query: %w", context.DeadlineExceeded), 503, "timeout", false},
		{"anything else", errors.New("disk full"), 500, "internal", false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := problem.From(c.err)
			if p.Kind.Status() != c.status || p.Code != c.code {
				t.Fatalf("got %d %s, want %d %s", p.Kind.Status(), p.Code, c.status, c.code)
			}
			if problem.CallersFault(c.err) != c.fault {
				t.Fatalf("CallersFault = %v, want %v", !c.fault, c.fault)
			}
		})
	}
}

func TestInternalDetailHidesTheCause(t *testing.T) {
	t.Parallel()
	p := problem.From(errors.New("password=hunter2"))
	if p.Detail == "" || errors.Unwrap(p) == nil {
		t.Fatal("want a detail and a cause")
	}
	if contains := p.Detail == "password=hunter2"; contains {
		t.Fatal("the cause leaked into the detail")
	}
}

func TestWithFieldLeavesTheOriginalAlone(t *testing.T) {
	t.Parallel()
	base := problem.New(problem.Unprocessable, "invalid", "Mend the fields.")
	one := base.WithField("body.name", "required", "is required")
	two := one.WithField("body.kind", "unknown", "is not known")
	if len(base.Fields) != 0 || len(one.Fields) != 1 || len(two.Fields) != 2 {
		t.Fatalf("fields: %d %d %d", len(base.Fields), len(one.Fields), len(two.Fields))
	}
}
