// Package erasure carries out a customer's right to be forgotten: whoever may ask for it asks, what keeps the customer from
// being erased is respected, every service erases and reports, and the event CustomerErased keeps it so for ever, also when
// a topic is read from its start or a backup is restored.
package erasure

import (
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

// State says where an erasure stands.
type State string

// The states. An erasure that has begun cannot be stopped: part of the data is gone.
const (
	Requested State = "requested"
	Held      State = "held"    // something keeps the customer from being erased for the time being
	Erasing   State = "erasing" // the services erase
	Done      State = "erased"
	Cancelled State = "cancelled"
)

// Hold is something that keeps a customer from being erased.
type Hold struct {
	Service   string    `json:"service"`
	Code      string    `json:"code"`      // such as complaint_open or legal_hold
	Reference uuid.UUID `json:"reference"` // what it is about
}

// Erasure is one request to erase a customer.
type Erasure struct {
	ID          uuid.UUID   `json:"id"`      // UUIDv7
	Version     int64       `json:"version"` // from 1, one more with every change
	CustomerID  uuid.UUID   `json:"customer_id"`
	CustomerIDs []uuid.UUID `json:"customer_ids"` // all ids of the person, CustomerID first
	State       State       `json:"state"`
	Reason      string      `json:"reason"` // code
	Holds       []Hold      `json:"holds"`  // what was found when it was last looked
	RequestedAt time.Time   `json:"requested_at"`
	RequestedBy string      `json:"requested_by"` // subject
	ChangedAt   time.Time   `json:"changed_at"`
	ErasedAt    time.Time   `json:"erased_at,omitzero"`
}

// importRunning is the code of a hold that ends by itself: files are kept that may name the customer.
const importRunning = "import_running"

// patience is how long to wait before it is looked again.
func (e Erasure) patience() time.Duration {
	for _, h := range e.Holds {
		if h.Code != importRunning {
			return lookAgain
		}
	}
	return soon
}

// Open tells whether there is something left to do.
func (e Erasure) Open() bool { return e.State == Requested || e.State == Held || e.State == Erasing }

// Judge says whether the services may begin: they may where nothing holds. It changes nothing once they have.
func (e Erasure) Judge(holds []Hold, at time.Time) Erasure {
	if e.State != Requested && e.State != Held {
		return e
	}
	e.Holds, e.ChangedAt = holds, at
	if len(holds) > 0 {
		e.State = Held
		return e
	}
	e.State = Erasing
	return e
}

// Cancel ends an erasure that has not begun; a repetition changes nothing.
func (e Erasure) Cancel(at time.Time) (Erasure, error) {
	switch e.State {
	case Cancelled:
		return e, nil
	case Requested, Held:
		e.State, e.ChangedAt = Cancelled, at
		return e, nil
	default:
		return e, problem.New(problem.Conflict, "erasure_begun", "The services have begun to erase: that cannot be stopped or taken back.")
	}
}

// Finish marks the erasure as done; a repetition changes nothing.
func (e Erasure) Finish(at time.Time) Erasure {
	if e.State == Erasing {
		e.State, e.ChangedAt, e.ErasedAt = Done, at, at
	}
	return e
}

// Count says what became of one kind of thing.
type Count struct {
	What  string `json:"what"`
	Count int64  `json:"count"` // emptied or taken away
	Left  int64  `json:"left"`  // found with personal data when it was looked again
}

// Report is what one service says that it did in one round: the first one erases, the second one takes what came in
// meanwhile.
type Report struct {
	Service    string    `json:"service"`
	Round      int       `json:"round"`
	Erased     []Count   `json:"erased"`
	ReportedAt time.Time `json:"reported_at,omitzero"`
}

// clean tells whether nothing was left.
func (r Report) clean() bool {
	for _, c := range r.Erased {
		if c.Left != 0 {
			return false
		}
	}
	return true
}

// LegalHold keeps a customer from being erased, such as a case in court.
type LegalHold struct {
	ID         uuid.UUID // UUIDv7
	CustomerID uuid.UUID
	Code       string
	Reference  string    // of the case, as lawyers number it
	Until      time.Time // zero: until it is lifted
	PlacedAt   time.Time
	PlacedBy   string
	LiftedAt   time.Time
	LiftedBy   string
}

// stands tells whether the hold still keeps the customer from being erased.
func (h LegalHold) stands(at time.Time) bool {
	return h.LiftedAt.IsZero() && (h.Until.IsZero() || h.Until.After(at))
}
