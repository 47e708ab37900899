package reward

import (
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Stock says where the pieces of a reward are. Of a limited one, Free + Reserved + Given = Received at any time, and none of
// them is ever below zero; of another there is no end, and only Reserved and Given count.
type Stock struct {
	Limited   bool
	Received  int64 // less what was taken out again
	Free      int64 // to be redeemed
	Reserved  int64 // for somebody, and not theirs yet
	Given     int64
	Movements int64 // the number of the latest movement
}

// Move says what a movement does.
type Move string

// The moves.
const (
	Receive  Move = "received"  // came in
	Withdraw Move = "withdrawn" // was taken out: broken, lost, counted wrongly
	Reserve  Move = "reserved"  // was redeemed
	Release  Move = "released"  // the redemption was cancelled
	Give     Move = "given"     // the redemption was fulfilled
)

// Movement is one change of a reward's stock.
type Movement struct {
	No           int64 // 1, 2, 3 ... within the reward
	Move         Move
	Quantity     int64     // more than 0
	Reason       string    // code
	RedemptionID uuid.UUID // Nil for what people do
	By           string    // subject
	At           time.Time
	Limited      bool  // there is a stock
	After        int64 // what was free then
}

// Holds tells whether the numbers fit each other.
func (s Stock) Holds() bool {
	if s.Reserved < 0 || s.Given < 0 {
		return false
	}
	return !s.Limited || s.Free >= 0 && s.Received >= 0 && s.Free+s.Reserved+s.Given == s.Received
}

// Move makes a movement of a quantity, more than 0, or gives a Conflict: reward_out_of_stock, reward_unlimited, stock_full.
func (s Stock) Move(m Movement) (Stock, Movement, error) {
	n := m.Quantity
	switch m.Move {
	case Receive:
		if !s.Limited {
			return s, m, problem.New(problem.Conflict, "reward_unlimited", "There is no end of this reward: it has no stock.")
		}
		if n > maxStock-s.Received {
			return s, m, problem.New(problem.Conflict, "stock_full", "There would be more than %d of this reward.", int64(maxStock))
		}
		s.Received, s.Free = s.Received+n, s.Free+n
	case Withdraw:
		if !s.Limited {
			return s, m, problem.New(problem.Conflict, "reward_unlimited", "There is no end of this reward: it has no stock.")
		}
		if n > s.Free {
			return s, m, errOutOfStock(s.Free)
		}
		s.Received, s.Free = s.Received-n, s.Free-n
	case Reserve:
		if s.Limited && n > s.Free {
			return s, m, errOutOfStock(s.Free)
		}
		s.Reserved += n
		s.free(-n)
	case Release:
		s.Reserved -= n
		s.free(n)
	case Give:
		s.Reserved, s.Given = s.Reserved-n, s.Given+n
	}
	if !s.Holds() {
		return s, m, problem.New(problem.Internal, "stock_broken", "The stock of this reward does not add up.")
	}
	s.Movements++
	m.No, m.Limited, m.After = s.Movements, s.Limited, s.Free
	return s, m, nil
}

func (s *Stock) free(n int64) {
	if s.Limited {
		s.Free += n
	}
}

func errOutOfStock(left int64) error {
	return problem.New(problem.Conflict, "reward_out_of_stock", "Of this reward %d are left, which is less than asked for. Nothing was booked.", left)
}

// Low tells whether little is left of a reward.
func (r Reward) Low() bool { return r.Limited && r.Free <= r.Offer.LowStock }
