package model

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAWarningHasItsValuesInItsWords(t *testing.T) {
	t.Parallel()
	require.Equal(t,
		Warning{"column_incomplete", "Column {rows} is missing in 12 rows.", map[string]string{"column": "{rows}", "rows": "12"}},
		Warn("column_incomplete", "Column {column} is missing in {rows} rows.", "column", "{rows}", "rows", 12),
		"what is put in is not looked through again")
	require.Equal(t, Warning{Code: "structure_weak", Detail: "There is none."}, Warn("structure_weak", "There is none."))
}

func TestWordsFromBeforeThereWereCodesAreShown(t *testing.T) {
	t.Parallel()
	now := []Warning{Warn("structure_weak", "There is none.")}
	require.Equal(t, now, coded(now, details(now)))
	require.Equal(t, []Warning{{Code: "other", Detail: "Mind this."}}, coded([]Warning{}, []string{"Mind this."}))
	require.Empty(t, coded([]Warning{}, nil))
}
