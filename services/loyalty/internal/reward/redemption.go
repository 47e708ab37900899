package reward

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

// State is where a redemption stands.
type State string

// The states.
const (
	Reserved   State = "reserved"    // the points are spent, and the reward is kept for the member
	HandedOver State = "handed_over" // on its way: somebody has to say that it arrived
	Fulfilled  State = "fulfilled"   // the member has it
	Cancelled  State = "cancelled"   // stock and points are back
)

// Why a redemption was cancelled where nobody cancelled it.
const (
	ReasonTimeLimit    = "time_limit"    // it was not handed over in time
	ReasonNotFulfilled = "not_fulfilled" // it could not be, for good
	ReasonOperator     = "operator"      // whoever runs the platform cancelled its process
)

// process is the subject of what the process does by itself.
const process = "process:redemption"

// Redemption is a reward that a member redeemed, as it was agreed then.
type Redemption struct {
	ID           uuid.UUID // UUIDv7
	Version      int64     // rises by one with every change
	MemberID     uuid.UUID
	CustomerID   uuid.UUID // the member's, as it was written
	Programme    string
	RewardID     uuid.UUID
	Reward       string // code
	Kind         Kind
	Quantity     int
	Points       int64     // spent, for all of them
	SpendID      uuid.UUID // the entry of the ledger that spent them
	Confirm      bool
	FulfilWithin time.Duration
	State        State
	Reference    string // by which whoever hands it over knows it
	Reason       string // code of why it was cancelled
	Failure      string // code of what could not be done, where that was why
	By           string // who redeemed it for the member
	HandedOverBy string
	ClosedBy     string
	RedeemedAt   time.Time
	HandedOverAt time.Time
	ClosedAt     time.Time
	DueAt        time.Time // when it is cancelled, or taken as arrived, by itself; zero once it is closed
}

// Open tells whether something is left to be done.
func (r Redemption) Open() bool { return r.State == Reserved || r.State == HandedOver }

// StepAt is when the process does something by itself: it issues vouchers at once, and looks at everything else when its time is
// over. Zero once it is closed.
func (r Redemption) StepAt() time.Time {
	if r.Open() && r.Kind == Voucher {
		return r.RedeemedAt
	}
	return r.DueAt
}

// reserve makes a redemption of a reward by a wish that costs so many points.
func reserve(r Reward, w Wish, points int64, by string, now time.Time) Redemption {
	return Redemption{
		Version: 1, Programme: r.Programme, RewardID: r.ID, Reward: r.Code, Kind: r.Kind, Quantity: w.Quantity, Points: points,
		Confirm: r.Confirm, FulfilWithin: r.FulfilWithin, State: Reserved, By: by, RedeemedAt: now, DueAt: now.Add(r.FulfilWithin),
	}
}

// possible refuses, by a Conflict, what does not fit the state.
func (r Redemption) possible(in ...State) error {
	for _, s := range in {
		if r.State == s {
			return nil
		}
	}
	switch r.State {
	case Cancelled:
		return problem.New(problem.Conflict, "redemption_cancelled", "This redemption was cancelled; stock and points are back.")
	case Fulfilled:
		return problem.New(problem.Conflict, "redemption_fulfilled", "This redemption is fulfilled: the member has the reward.")
	case HandedOver:
		return problem.New(problem.Conflict, "redemption_handed_over", "This reward was handed over already, and waits to be confirmed.")
	default:
		return problem.New(problem.Conflict, "redemption_reserved", "This reward was not handed over yet.")
	}
}

// HandOver says that the reward was sent or handed out, under a reference of whoever did it, which may be empty. Where its arrival
// has to be confirmed that is waited for as long as for this; otherwise the redemption is fulfilled.
func (r Redemption) HandOver(reference, by string, now time.Time) (Redemption, error) {
	if err := r.possible(Reserved); err != nil {
		return r, err
	}
	if r.Kind == Voucher {
		return r, problem.New(problem.Conflict, "redemption_voucher", "Vouchers are issued by themselves, within seconds.")
	}
	r.Reference, r.HandedOverBy, r.HandedOverAt = reference, by, now
	if !r.Confirm {
		return r.fulfilled(by, now), nil
	}
	r.State, r.DueAt = HandedOver, now.Add(r.FulfilWithin)
	r.Version++
	return r, nil
}

// Arrived confirms that the member has what was handed over.
func (r Redemption) Arrived(by string, now time.Time) (Redemption, error) {
	if err := r.possible(HandedOver); err != nil {
		return r, err
	}
	return r.fulfilled(by, now), nil
}

// Issue hands a voucher out.
func (r Redemption) Issue(now time.Time) (Redemption, error) {
	if r.State == Fulfilled && r.Kind == Voucher {
		return r, nil // asked again: the answer was lost
	}
	if err := r.possible(Reserved); err != nil {
		return r, err
	}
	if r.Kind != Voucher {
		return r, problem.New(problem.Conflict, "redemption_not_voucher", "This is no voucher: somebody has to hand it over.")
	}
	r.HandedOverBy, r.HandedOverAt = process, now
	return r.fulfilled(process, now), nil
}

func (r Redemption) fulfilled(by string, now time.Time) Redemption {
	r.State, r.ClosedBy, r.ClosedAt, r.DueAt = Fulfilled, by, now, time.Time{}
	r.Version++
	return r
}

// Cancel gives everything back, for a reason and, where something failed, with its code. It can be cancelled until the member has
// it, what is on its way included: it may come back.
func (r Redemption) Cancel(reason, failure, by string, now time.Time) (Redemption, error) {
	if err := r.possible(Reserved, HandedOver); err != nil {
		return r, err
	}
	r.State, r.Reason, r.Failure, r.ClosedBy, r.ClosedAt, r.DueAt = Cancelled, reason, failure, by, now, time.Time{}
	r.Version++
	return r, nil
}

// Overdue is what happens when nothing was done by dueAt: what was not handed over is cancelled, and what was counts as arrived.
// It changes nothing where somebody was faster, or where it is not so late yet.
func (r Redemption) Overdue(dueAt, now time.Time) (Redemption, error) {
	switch {
	case !r.Open() || !r.DueAt.Equal(dueAt) || now.Before(dueAt):
		return r, nil
	case r.State == HandedOver:
		return r.fulfilled(process, now), nil
	default:
		return r.Cancel(ReasonTimeLimit, "", process, now)
	}
}

const maxReference = 64

// referenceFaults notes what is wrong with a reference. It goes out in events.
func referenceFaults(s string) (faults []problem.Field) {
	if utf8.RuneCountInString(s) > maxReference || strings.TrimSpace(s) != s || strings.ContainsFunc(s, func(c rune) bool { return !unicode.IsPrint(c) }) {
		faults = append(faults, problem.Field{Location: "reference", Code: "reference_malformed", Message: "must be at most 64 printable characters, without spaces around them"})
	}
	return faults
}
