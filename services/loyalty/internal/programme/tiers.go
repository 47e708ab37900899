package programme

// Tiers are the ranks that members rise to and fall from. The zero Tiers: none.
type Tiers struct {
	Levels []Level `json:"levels,omitempty"` // from the lowest
}

// Level is one tier.
type Level struct {
	Code string `json:"code"`
}
