package imports_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/imports"
)

func TestCellsThatASpreadsheetWouldCalculateAreMarkedAndComeBack(t *testing.T) {
	t.Parallel()
	cases := map[string]string{
		"":                 "",
		"plain":            "plain",
		"=1+1":             "'=1+1",
		"=HYPERLINK(A1)":   "'=HYPERLINK(A1)",
		"@SUM(A1)":         "'@SUM(A1)",
		"+cmd|' /C calc'!": "'+cmd|' /C calc'!",
		"-2+3":             "'-2+3",
		"\t=1":             "'\t=1",
		"+8613800138000":   "+8613800138000", // a number does no harm
		"-17.5":            "-17.5",
		"+1 617 555 0100":  "'+1 617 555 0100",
		"'=1":              "''=1", // was so before
		"''=1":             "'''=1",
		"'+49":             "''+49",
		"'s-Hertogenbosch": "'s-Hertogenbosch",
		"'":                "'",
		"a=b":              "a=b",
		"'tis":             "'tis",
	}
	for value, cell := range cases {
		require.Equal(t, cell, imports.Mark(value), "%q", value)
		require.Equal(t, value, imports.Unmark(cell), "%q", cell)
	}
}
