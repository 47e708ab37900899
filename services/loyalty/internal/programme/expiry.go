package programme

// Expiry says when points run out that nobody spends. The zero Expiry: never.
type Expiry struct {
	Kind   string `json:"kind,omitempty" doc:"When points run out: some months after they could first be spent, at the end of a year, or some months after the member last earned or spent anything." enum:"never,months,year_end,inactivity"`
	Months int    `json:"months,omitempty" doc:"For months and inactivity: how many. For year_end: how many whole months they live at least, so 0 is the end of the year in which they could first be spent."`
}
