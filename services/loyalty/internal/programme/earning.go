package programme

// Earning says what purchases earn. The zero Earning: one point for each whole major unit.
type Earning struct {
	Rules []Rule `json:"rules,omitempty"`
	Caps  []Cap  `json:"caps,omitempty"`
	// Rounding is how fractions of an order's points are rounded, once, at the end: down (the default), half_up or up.
	Rounding string `json:"rounding,omitempty"`
}

// Rule gives points for an order, or multiplies those that others gave.
type Rule struct {
	Code string `json:"code"`
}

// Cap bounds what a member earns in a period.
type Cap struct {
	Code string `json:"code"`
}
