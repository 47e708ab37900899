package sla

import "github.com/guanxi-crm/guanxi/platform/problem"

// CheckCondition names what keeps text from being a condition, such as of a rule that routes tickets, under the location
// given; nothing where it is one. Empty text is a condition: it fits every ticket.
func CheckCondition(text, location string) []problem.Field {
	_, faults := compile(text, location)
	return faults
}

// Fits asks a condition that CheckCondition took about a ticket. One that cannot answer, such as for a custom field that the
// ticket lacks, does not fit.
func Fits(text string, f Facts) bool {
	if text == "" {
		return true
	}
	fits, err := compiled(text).fits(f)
	return err == nil && fits
}
