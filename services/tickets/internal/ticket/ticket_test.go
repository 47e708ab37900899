package ticket_test

import (
	"testing"

	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticket"
)

func TestANumberIsReadAsPeopleTypeIt(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]int64{
		"T-000123": 123, "t-123": 123, "T123": 123, " 123 ": 123, "T 0123": 123, "T-1000000": 1_000_000,
		"": 0, "T-": 0, "T-0": 0, "0": 0, "-5": 5, "T-12x": 0, "T--1": 0, "T-99999999999999999999": 0, "１２３": 0,
	} {
		got, ok := ticket.ParseNumber(said)
		if got != want || ok != (want > 0) {
			t.Errorf("%q: got %d %t, want %d", said, got, ok, want)
		}
	}
	if said := ticket.Number(123); said != "T-000123" {
		t.Errorf("123 is said as %s", said)
	}
}

func TestPriorityFollowsImpactAndUrgency(t *testing.T) {
	t.Parallel()
	want := [3][3]int{{1, 2, 3}, {2, 3, 4}, {3, 4, 5}}
	for impact := range 3 {
		for urgency := range 3 {
			if got := ticket.Priority(impact+1, urgency+1); got != want[impact][urgency] {
				t.Errorf("impact %d, urgency %d: got %d, want %d", impact+1, urgency+1, got, want[impact][urgency])
			}
		}
	}
}
