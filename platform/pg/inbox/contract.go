package inbox

import (
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/money"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Contract reads the fields of one event and remembers the first that breaks what its contract promises. Trying such an event
// again cannot help, so it is set aside.
type Contract struct {
	event Event
	err   error
}

// Contract begins to read an event.
func (e Event) Contract() *Contract { return &Contract{event: e} }

// Err is the problem event_breaks_contract with the first field that was broken; nil where none was.
func (c *Contract) Err() error { return c.err }

// Broken notes that a field is not what the contract promises.
func (c *Contract) Broken(field, why string) {
	if c.err == nil {
		c.err = problem.New(problem.Unprocessable, "event_breaks_contract", "%s %s: %s %s.", c.event.Type, c.event.ID, field, why)
	}
}

// ID reads an id that has to be there.
func (c *Contract) ID(field, s string) uuid.UUID {
	id, err := uuid.Parse(s)
	if err != nil || id == uuid.Nil {
		c.Broken(field, "is not an id")
		return uuid.Nil
	}
	return id
}

// MaybeID reads an id that may be missing; Nil where it is.
func (c *Contract) MaybeID(field, s string) uuid.UUID {
	if s == "" {
		return uuid.Nil
	}
	return c.ID(field, s)
}

// Amount reads an amount in minor units, or a number of things: 0 to money.Max.
func (c *Contract) Amount(field string, n int64) int64 {
	if n < 0 || n > money.Max {
		c.Broken(field, "is not an amount")
	}
	return n
}

// Currency reads an ISO 4217 code.
func (c *Contract) Currency(field, code string) string {
	if _, ok := money.Digits(code); !ok {
		c.Broken(field, "is not an ISO 4217 code")
	}
	return code
}

// Time reads a time, cut to what the database keeps.
func (c *Contract) Time(field string, t *timestamppb.Timestamp) time.Time {
	if t == nil || t.CheckValid() != nil {
		c.Broken(field, "is not a time")
		return time.Time{}
	}
	return t.AsTime().Truncate(time.Microsecond)
}
