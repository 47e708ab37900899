package programme

// Plan is a membership that is paid for.
type Plan struct {
	Code string `json:"code"`
}

// Leaving says what becomes of the points of whoever leaves. The zero Leaving: they stay until they run out, and can be spent by
// whoever comes back.
type Leaving struct {
	Points string `json:"points,omitempty"`
}
