package analyticstest

import (
	"encoding/json"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// Clock is a time that a test sets, for parts of the service that it works by hand. Until then it is the time at which it was made.
type Clock struct{ now atomic.Pointer[time.Time] }

// NewClock makes a clock that stands at the present time.
func NewClock() *Clock {
	c := &Clock{}
	c.At(time.Now().UTC())
	return c
}

// At sets the time.
func (c *Clock) At(now time.Time) { c.now.Store(&now) }

// Now is the time.
func (c *Clock) Now() time.Time { return *c.now.Load() }

// Today is the day at 00:00 UTC.
func (c *Clock) Today() time.Time { return c.Now().Truncate(24 * time.Hour) }

// Purchase is one order, with what came back of it.
type Purchase struct {
	Order    uuid.UUID `json:"order_id"`
	Customer uuid.UUID `json:"customer_id"`
	Channel  string    `json:"channel"`
	Currency string    `json:"currency"`
	Units    int64     `json:"units"`
	Total    int64     `json:"total_minor"`
	At       time.Time `json:"placed_at"`

	BackUnits int64     `json:"back_units"` // 0: nothing came back
	BackMinor int64     `json:"back_minor"`
	BackAt    time.Time `json:"back_at"`
}

// Bought stores purchases as facts of a tenant, with portraits of their customers that hold nothing yet: for very many, or of long ago,
// where telling them by events takes too long.
func (w *World) Bought(tenant string, purchases ...Purchase) {
	w.t.Helper()
	all, err := json.Marshal(purchases)
	if err != nil {
		w.t.Fatal(err)
	}
	const from = ` FROM jsonb_to_recordset($2::jsonb) AS p(order_id uuid, customer_id uuid, channel text, currency text, units bigint, total_minor bigint, placed_at timestamptz,
		back_units bigint, back_minor bigint, back_at timestamptz)`
	w.Admin(`INSERT INTO live.fact_order (tenant_id, order_id, customer_id, channel, currency, units, total_minor, placed_at)
		SELECT $1, order_id, customer_id, channel, currency, units, total_minor, placed_at`+from, tenant, string(all))
	w.Admin(`INSERT INTO live.fact_return (tenant_id, return_id, order_id, currency, units, amount_minor, returned_at)
		SELECT $1, gen_random_uuid(), order_id, currency, back_units, back_minor, back_at`+from+` WHERE back_units > 0`, tenant, string(all))
	w.Admin(`INSERT INTO live.sales_day (tenant_id, currency, channel, day, slot, orders)
		SELECT $1, currency, 'shop', placed_at::date, 0, count(*)`+from+` GROUP BY 1, 2, 3, 4 ON CONFLICT DO NOTHING`, tenant, string(all))
	w.Admin(`INSERT INTO live.fact_as_of (tenant_id, topic, slot, newest_at) VALUES ($1, 'guanxi.sales.events.v1', 0, now()) ON CONFLICT DO NOTHING`, tenant)
	w.Admin(`INSERT INTO portrait (tenant_id, customer_id) SELECT DISTINCT $1, customer_id`+from+` ON CONFLICT DO NOTHING`, tenant, string(all))
}
