package programme

// Growth says how the growth score is composed. The zero Growth: there is none.
type Growth struct {
	Weights map[string]int `json:"weights,omitempty"`
}

// Referral says what both sides of a referral get. The zero Referral: nobody is rewarded.
type Referral struct {
	ReferrerPoints int64 `json:"referrer_points,omitempty"`
	ReferredPoints int64 `json:"referred_points,omitempty"`
}
