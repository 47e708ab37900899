package journey

// WithSize gives the capability with smaller steps.
func (j *Journey) WithSize(rows int) *Journey {
	j.size = rows
	return j
}

// Only forgets other currencies.
func (c *Cohorts) Only(currency string) { c.only(currency) }
