package golden

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTextsAreComparedLineByLine(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		want, have string
		found      []string
	}{
		"the same":          {"a\nb\n", "a\nb\n", nil},
		"a line is missing": {"a\nb\n", "a\n", []string{"- b"}},
		"a line is new":     {"a\n", "a\nb\n", []string{"+ b"}},
		"another line":      {"a\nb", "a\nc", []string{"- b", "+ c"}},
		"once too often":    {"a\na", "a", []string{"- a"}},
		"another order":     {"a\nb", "b\na", []string{"the lines are the same, in another order"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.found, diffLines(c.want, c.have))
		})
	}
	Text(t, file(t, "a\n"), "a\n")
}
