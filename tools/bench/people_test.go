package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPeopleAreTheSameInEveryRunAndLikeThoseOfACensus(t *testing.T) {
	t.Parallel()
	const n = 20_000
	families, phones := map[string]int{}, map[string]int{}
	for i := range n {
		p := personAt(i)
		require.Equal(t, p, personAt(i))
		require.NotContains(t, p.name(), ",")
		families[p.Family]++
		if p.Phone != "" {
			phones[p.Phone]++
		}
	}
	// Half are Chinese, of whom 7.25 in 85 percent are called 王; half are English, of whom 8.3 in 1000 are called Smith.
	require.InDelta(t, n/2*7.25/85, families["王"], n/100)
	require.InDelta(t, n/2*0.0083, families["Smith"], n/400)
	require.Greater(t, len(families), 1500, "there are seldom names as well")
	shared := 0
	for _, times := range phones {
		require.LessOrEqual(t, times, 3)
		if times > 1 {
			shared++
		}
	}
	require.InDelta(t, n*0.03, shared, n*0.02)
}

func TestPeopleAreWrittenAsAFileOfTheirNumber(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	require.NoError(t, writePeople(&b, 0, 1000))
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	require.Len(t, lines, 1001)
	for _, line := range lines {
		require.Equal(t, strings.Count(peopleHeader, ","), strings.Count(line, ","), line)
	}
}
