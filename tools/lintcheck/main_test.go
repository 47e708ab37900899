package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWantedReadsTheHouse(t *testing.T) {
	t.Parallel()
	want, err := wanted("testdata/house")
	require.NoError(t, err)
	require.Contains(t, want, remark{
		file: "services/analytics/analytics.go", line: 3, text: "services hear of each other by events",
	})
}

func TestCompareFindsRulesThatAreQuietOrSpeakTooMuch(t *testing.T) {
	t.Parallel()
	want := []remark{{"a.go", 3, "do not import"}, {"b.go", 7, "no clock"}}
	require.Empty(t, compare(want, []remark{{"b.go", 7, "there is no clock here"}, {"a.go", 3, "do not import sales"}}))
	require.Equal(t,
		[]string{"b.go:7: not refused: no clock", "a.go:9: refused, but allowed: do not import sales"},
		compare(want, []remark{{"a.go", 3, "do not import sales"}, {"a.go", 9, "do not import sales"}}))
}
