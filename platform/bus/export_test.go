package bus

import "time"

// SetStall shortens the watchdog's patience for a test; call it before Subscribe.
func SetStall(c *Client, d time.Duration) { c.stall = d }
