package member

import (
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
)

func TestTheCheckDigitIsThatOfLuhn(t *testing.T) {
	t.Parallel()
	for digits, want := range map[string]byte{
		"7992739871": 3, "453201511283036": 6, "401288888888188": 1, "37828224631000": 5, "0": 0, "1": 8,
	} {
		if got := luhn(digits); got != want {
			t.Errorf("%s: got %d, want %d", digits, got, want)
		}
	}
}

func TestACardNumberHasSixteenDigits(t *testing.T) {
	t.Parallel()
	for _, random := range []uint64{0, 17, 99_999_999_999_999, 1<<64 - 1} {
		got := cardNumber(random)
		if len(got) != 16 || got[0] != '9' || got[15]-'0' != luhn(got[:15]) {
			t.Errorf("%d: got %s", random, got)
		}
	}
}

func TestCardsDiffer(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	seen := map[string]bool{}
	for range 1000 {
		m, err := Enrol(uuid.New(), "standard", SourceAPI, now)
		if err != nil || seen[m.CardNumber] {
			t.Fatalf("%+v %v", m, err)
		}
		seen[m.CardNumber] = true
	}
}

func TestACheckDigitTellsAMisreadCard(t *testing.T) {
	t.Parallel()
	good := cardNumber(4711)
	if !CheckCard(good) {
		t.Fatal(good)
	}
	for i := range good {
		for d := byte('0'); d <= '9'; d++ {
			if bad := good[:i] + string(d) + good[i+1:]; bad != good && CheckCard(bad) {
				t.Errorf("%s passes for %s", bad, good)
			}
		}
	}
	for _, bad := range []string{"", "0", good[:15], good + "0"} {
		if CheckCard(bad) {
			t.Errorf("%q passes", bad)
		}
	}
}

func TestWhatAMemberMayBecome(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		from   State
		do     func(Member, string, time.Time) (Member, error)
		name   string
		to     State
		failed error
	}{
		{Active, Member.Suspend, "suspend", Suspended, nil},
		{Suspended, Member.Suspend, "suspend", Suspended, ErrSuspended},
		{Left, Member.Suspend, "suspend", Left, ErrLeft},
		{Active, Member.Reinstate, "reinstate", Active, errNotSuspended},
		{Suspended, Member.Reinstate, "reinstate", Active, nil},
		{Left, Member.Reinstate, "reinstate", Left, ErrLeft},
		{Active, Member.Leave, "leave", Left, nil},
		{Suspended, Member.Leave, "leave", Suspended, ErrSuspended},
		{Left, Member.Leave, "leave", Left, ErrLeft},
		{Active, Member.Rejoin, "rejoin", Active, errNotLeft},
		{Suspended, Member.Rejoin, "rejoin", Suspended, errNotLeft},
		{Left, Member.Rejoin, "rejoin", Active, nil},
	} {
		got, err := c.do(Member{State: c.from}, "why", now)
		if got.State != c.to || !errors.Is(err, c.failed) {
			t.Errorf("%s who is %s: got %s %v", c.name, c.from, got.State, err)
		}
		if err == nil && (got.Reason != "why" || !got.StateAt.Equal(now)) {
			t.Errorf("%s: got %+v", c.name, got)
		}
	}
}
