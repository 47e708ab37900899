// Package member keeps the customers who collect points, with their cards and what they have.
package member

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

// How a customer became a member.
const (
	SourceAPI           = "api"
	SourceFirstPurchase = "first_purchase"
	SourceGrant         = "grant"
)

// Member is a customer who collects points.
type Member struct {
	ID         uuid.UUID // UUIDv7
	CustomerID uuid.UUID // as it was written, for ever
	CardNumber string    // 16 digits, the last one after Luhn; empty where the customer was erased
	Source     string    // code
	EnrolledAt time.Time
	Programme  string // code of the programme whose points they are
	State      State
	Reason     string    // code of why it is in its state; empty for one who was always active
	StateAt    time.Time // since when; zero for one who was always active
	ActiveAt   time.Time // when points were last earned, spent or given back; zero: never
	BookedAt   time.Time // when the latest entry in the ledger was booked; zero: there is none
	Balance
}

// State says what a member may do.
type State string

// The states.
const (
	Active    State = "active"
	Suspended State = "suspended" // earns, but cannot spend until further notice
	Left      State = "left"      // neither earns nor spends
)

// The problems of what a member's state does not allow.
var (
	ErrSuspended    = problem.New(problem.Conflict, "member_suspended", "The member is suspended. Reinstate it first.")
	ErrLeft         = problem.New(problem.Conflict, "member_left", "The member has left the programme. It can rejoin.")
	errNotSuspended = problem.New(problem.Conflict, "member_not_suspended", "The member is not suspended.")
	errErased       = problem.New(problem.Gone, "member_erased", "The customer was erased: nobody is there to have a card.")
	errNotLeft      = problem.New(problem.Conflict, "member_not_left", "The member has not left the programme.")
)

// Suspend keeps an active member from spending until further notice. A Conflict: member_suspended, member_left.
func (m Member) Suspend(reason string, now time.Time) (Member, error) {
	switch m.State {
	case Suspended:
		return m, ErrSuspended
	case Left:
		return m, ErrLeft
	}
	return m.in(Suspended, reason, now), nil
}

// Reinstate lets a member who is suspended spend again. A Conflict: member_not_suspended, member_left.
func (m Member) Reinstate(reason string, now time.Time) (Member, error) {
	switch m.State {
	case Active:
		return m, errNotSuspended
	case Left:
		return m, ErrLeft
	}
	return m.in(Active, reason, now), nil
}

// Leave takes an active member out of the programme; one who is suspended could shake that off by leaving. A Conflict:
// member_suspended, member_left.
func (m Member) Leave(reason string, now time.Time) (Member, error) {
	switch m.State {
	case Suspended:
		return m, ErrSuspended
	case Left:
		return m, ErrLeft
	}
	return m.in(Left, reason, now), nil
}

// Rejoin takes one back who had left. A Conflict: member_not_left.
func (m Member) Rejoin(reason string, now time.Time) (Member, error) {
	if m.State != Left {
		return m, errNotLeft
	}
	return m.in(Active, reason, now), nil
}

func (m Member) in(state State, reason string, now time.Time) Member {
	m.State, m.Reason, m.StateAt = state, reason, now
	return m
}

// Key says which member a customer is of which programme.
type Key struct {
	CustomerID uuid.UUID
	Programme  string
}

// Key is whose member it is, and of what.
func (m Member) Key() Key { return Key{m.CustomerID, m.Programme} }

// Balance is what a member has. Where there is a debt there are no points: they would have paid it.
type Balance struct {
	Available int64 // points to spend, 0 or more
	Pending   int64 // locked points, 0 or more
	Debt      int64 // points owed since they were taken back after they were spent, 0 or more
	Entries   int64 // the number of the member's latest entry in the ledger
}

// Seen is a member as others see one: with all members who are the same customer since a merge, whose points are spent
// together. Each keeps points and debts of its own, so that nothing is left to do when a merge is undone.
type Seen struct {
	Member
	Root    uuid.UUID // the customer whom CustomerID means
	Members int64     // how many these are, this one included
	Pool    Balance   // what they have together
}

// Merged tells whether the customer's id means another one, or others mean it.
func (s Seen) Merged() bool { return s.Members > 1 || s.Root != s.CustomerID }

// Pooled gives what sums of balances come to: what one owes the points of the others are there for, so that there are no
// points beside a debt that they would pay.
func Pooled(available, pending, debt int64) Balance {
	return Balance{Available: max(0, available-debt), Pending: pending, Debt: max(0, debt-available)}
}

// Enrol makes the customer a member of a programme, with a new card.
func Enrol(customerID uuid.UUID, programme, source string, now time.Time) (Member, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Member{}, err
	}
	card, err := newCard()
	return Member{
		ID: id, CustomerID: customerID, CardNumber: card, Source: source, EnrolledAt: now, Programme: programme, State: Active,
	}, err
}

// BlockedCard is a card that was replaced by another.
type BlockedCard struct {
	Number string
	Reason string // code
	At     time.Time
}

func newCard() (string, error) {
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", err
	}
	return cardNumber(binary.BigEndian.Uint64(b[:])), nil
}

// cardNumber makes the number of a card of anything random: a 9, which no bank's card begins with, fourteen digits that
// nobody can guess, and the check digit.
func cardNumber(random uint64) string {
	body := fmt.Sprintf("9%014d", random%100_000_000_000_000)
	return body + string('0'+luhn(body))
}

// CheckCard tells whether the last of the 16 digits of a card's number is the check digit of the others.
func CheckCard(number string) bool {
	last := len(number) - 1
	return last == 15 && number[last] == '0'+luhn(number[:last])
}

// luhn gives the check digit that belongs behind the digits: it tells when a digit was misread or two were swapped.
func luhn(digits string) byte {
	sum := 0
	for i := range len(digits) {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 0 { // every second one, beginning with that beside the check digit
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return byte((10 - sum%10) % 10)
}
