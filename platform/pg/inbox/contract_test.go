package inbox_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/money"
	"github.com/guanxi-crm/guanxi/platform/pg/inbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

func TestTheFirstFieldThatBreaksItsContractIsNamed(t *testing.T) {
	t.Parallel()
	id := uuid.Must(uuid.NewV7())
	at := time.Date(2026, 11, 20, 8, 30, 0, 123_456_789, time.UTC)
	for name, read := range map[string]func(c *inbox.Contract) bool{
		"":            func(c *inbox.Contract) bool { return c.ID("order_id", id.String()) == id },
		" no id":      func(c *inbox.Contract) bool { return c.MaybeID("order_id", "") == uuid.Nil },
		" an amount":  func(c *inbox.Contract) bool { return c.Amount("total", money.Max) == money.Max },
		" a currency": func(c *inbox.Contract) bool { return c.Currency("currency", "CNY") == "CNY" },
		" a time": func(c *inbox.Contract) bool {
			return c.Time("at", timestamppb.New(at)).Equal(at.Truncate(time.Microsecond))
		},
		"order_id":         func(c *inbox.Contract) bool { return c.ID("order_id", "") == uuid.Nil && c.Amount("total", -1) < 0 },
		"order_id nobody":  func(c *inbox.Contract) bool { return c.ID("order_id", "nobody") == uuid.Nil },
		"order_id zero":    func(c *inbox.Contract) bool { return c.ID("order_id", uuid.Nil.String()) == uuid.Nil },
		"order_id nobody ": func(c *inbox.Contract) bool { return c.MaybeID("order_id", "nobody") == uuid.Nil },
		"total below":      func(c *inbox.Contract) bool { return c.Amount("total", -1) == -1 },
		"total above":      func(c *inbox.Contract) bool { return c.Amount("total", money.Max+1) > 0 },
		"currency none":    func(c *inbox.Contract) bool { return c.Currency("currency", "XXX") == "XXX" },
		"at never":         func(c *inbox.Contract) bool { return c.Time("at", nil).IsZero() },
		"at malformed":     func(c *inbox.Contract) bool { return c.Time("at", &timestamppb.Timestamp{Nanos: -1}).IsZero() },
	} {
		c := inbox.Event{}.Contract()
		if !read(c) {
			t.Errorf("%q: read wrongly", name)
		}
		err := problem.From(c.Err())
		if good := name == "" || name[0] == ' '; good != (c.Err() == nil) || !good && err.Code != "event_breaks_contract" {
			t.Errorf("%q: %v", name, c.Err())
		}
	}
}
