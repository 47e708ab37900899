package imports

import (
	"regexp"
	"strings"
)

// A cell that begins with one of these signs is calculated by a spreadsheet that opens the file, and may do harm there
// (https://owasp.org/www-community/attacks/CSV_Injection). Numbers are harmless, telephone numbers among them.
var (
	calculated = regexp.MustCompile(`^'*[=+\-@\t\r]`)
	number     = regexp.MustCompile(`^[+-]?[0-9]+(\.[0-9]+)?$`)
)

// Mark gives a value as a cell of a CSV file that people will open: an apostrophe goes before what a spreadsheet would
// calculate. Reading a CSV file, imports take it off again, so that every value comes back as it was.
func Mark(value string) string {
	if value == "" || !strings.ContainsRune("=+-@\t\r'", rune(value[0])) {
		return value
	}
	if calculated.MatchString(value) && !number.MatchString(value) {
		return "'" + value
	}
	return value
}

// Unmark takes off what Mark put there.
func Unmark(cell string) string {
	if rest, marked := strings.CutPrefix(cell, "'"); marked && Mark(rest) != rest {
		return rest
	}
	return cell
}
