// Package referral lets members bring customers: a member has a code, a customer who is new is named with it, and both are
// rewarded when that customer has bought.
//
// Who is meant by an id of a customer is asked when it matters, through merges: nobody refers themselves, under whichever id,
// and no chain of referrals leads back to where it began. A merge that comes after both were rewarded changes no points: it may
// be undone, and then there would be nothing to give them back by. The referral says from then on that both are one customer,
// the report counts it apart, and it can be taken back by hand.
package referral

import (
	"crypto/rand"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

// State says how far a referral is.
type State string

// The states.
const (
	Open      State = "open"       // the customer was named and has not bought
	Completed State = "completed"  // has bought; both were rewarded
	TakenBack State = "taken_back" // what both got was taken back
	Void      State = "void"       // comes to nothing, see the reason
	Expired   State = "expired"    // the customer has not bought in time
)

// States are all of them, in the order of a report.
var States = []State{Open, Completed, TakenBack, Void, Expired}

// Reasons of referrals that came to nothing or were taken back.
const (
	ReasonBoughtBefore = "bought_before"  // an order came to be known that is older than the referral
	ReasonSameCustomer = "same_customer"  // both were one customer when the purchase came
	ReasonReturned     = "order_returned" // the purchase came back in full
	ReasonByHand       = "by_hand"        // somebody took it back
)

// Code is a member's code.
type Code struct {
	Code     string
	MemberID uuid.UUID
	MadeAt   time.Time
}

// Referral is a customer who was named with a code.
type Referral struct {
	ID               uuid.UUID // UUIDv7
	Programme        string
	Code             string
	ReferrerID       uuid.UUID // member
	ReferrerCustomer uuid.UUID // as it was written
	ReferredCustomer uuid.UUID // as it was written
	State            State
	Reason           string
	NamedAt          time.Time
	NamedBy          string
	ExpiresAt        time.Time // zero: never
	DecidedAt        time.Time // zero while it is open
	ReferredID       uuid.UUID // member; Nil before the purchase
	OrderID          uuid.UUID // the purchase
	ReferrerPoints   int64
	ReferredPoints   int64
	ReferrerEntry    uuid.UUID // of the ledger; Nil where there were no points
	ReferredEntry    uuid.UUID
	TakenBackAt      time.Time
	SameCustomer     bool // both are one customer by now
}

// At gives the referral as it is at a time: one whose time has run out is expired, whether or not somebody wrote that down.
func (r Referral) At(now time.Time) Referral {
	if r.State == Open && !r.ExpiresAt.IsZero() && !now.Before(r.ExpiresAt) {
		r.State, r.DecidedAt = Expired, r.ExpiresAt
	}
	return r
}

// alphabet has no character that is taken for another one: no 0, O, 1, I or L. It has 31, a prime, for the check character.
const alphabet = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"

// codeLength is how many characters a code has. Nine of them are random, some 2.6 · 10¹³ codes: where a million members have one,
// one guess in 26 million hits, and nobody may try who may not enrol members anyway. The tenth is the check character.
const codeLength = 10

// newCode makes a code of nothing but chance.
func newCode() (string, error) {
	code := make([]byte, 0, codeLength)
	for len(code) < codeLength-1 {
		var b [16]byte
		if _, err := rand.Read(b[:]); err != nil {
			return "", err
		}
		for _, x := range b {
			// What is above the largest multiple of 31 is thrown away, so that every character is as likely.
			if x < 248 && len(code) < codeLength-1 {
				code = append(code, alphabet[x%31])
			}
		}
	}
	return string(append(code, check(code))), nil
}

// check gives the character that belongs behind the others: the one with which Σ place · value is 0 modulo 31, as in ISBN-10
// (ISO 2108). Since 31 is a prime, every single wrong character is found, and every two that were swapped, wherever they are.
func check(code []byte) byte {
	sum := 0
	for i, c := range code {
		sum += (i + 1) * strings.IndexByte(alphabet, c)
	}
	place := len(code) + 1
	for v := range len(alphabet) {
		if (sum+place*v)%31 == 0 {
			return alphabet[v]
		}
	}
	panic("referral: every place below 31 has an inverse modulo 31")
}

// errMistyped is what a code gets that cannot be one.
var errMistyped = problem.InvalidBody("referral_invalid", "Nobody was named: mend the field named here.", []problem.Field{{
	Location: "code", Code: "code_mistyped", Message: "is no code: it has 10 characters, no 0, O, 1, I or L, and the last one is a check character; look at it again",
}})

// ReadCode gives a code as it is written here: people may leave spaces and hyphens in it and write it small. What cannot be a
// code is refused with code_mistyped.
func ReadCode(text string) (string, error) {
	code := strings.ToUpper(strings.NewReplacer(" ", "", "-", "").Replace(text))
	if len(code) != codeLength || strings.ContainsFunc(code, func(r rune) bool { return !strings.ContainsRune(alphabet, r) }) {
		return "", errMistyped
	}
	if check([]byte(code[:codeLength-1])) != code[codeLength-1] {
		return "", errMistyped
	}
	return code, nil
}

// purchase is an order of a referred customer.
type purchase struct {
	orderID  uuid.UUID
	customer uuid.UUID // as it was written
	currency string
	total    int64 // in minor units
	left     int64 // of that, less what came back
	placedAt time.Time
}

// first gives the purchase for which both are rewarded: the earliest one, within the time of the referral, that is enough. older
// tells that the customer had bought before being named, so that nobody is rewarded.
func (r Referral) first(all []purchase, enough func(p purchase) bool) (first purchase, found, older bool) {
	slices.SortFunc(all, func(a, b purchase) int {
		if c := a.placedAt.Compare(b.placedAt); c != 0 {
			return c
		}
		return slices.Compare(a.orderID[:], b.orderID[:])
	})
	for _, p := range all {
		switch {
		case p.placedAt.Before(r.NamedAt):
			return purchase{}, false, true
		case !r.ExpiresAt.IsZero() && !p.placedAt.Before(r.ExpiresAt):
			return purchase{}, false, false
		case enough(p):
			return p, true, false
		}
	}
	return purchase{}, false, false
}
