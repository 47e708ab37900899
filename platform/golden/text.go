package golden

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Text fails the test when got is not the text that the file at path holds, naming the lines that only one of both has, and where they
// are the same, that their order differs.
func Text(t testing.TB, path, got string) {
	t.Helper()
	if *update {
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		if err == nil {
			err = os.WriteFile(path, []byte(got), 0o644)
		}
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		return
	}
	want, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		t.Fatalf("%s: no such golden file; -update writes it", path)
	case err != nil:
		t.Fatalf("%s: %v", path, err)
	}
	if differences := diffLines(string(want), got); len(differences) > 0 {
		t.Errorf("%s does not hold what the test made (-update writes it anew, if the new text is right):\n  %s", path, strings.Join(differences, "\n  "))
	}
}

// diffLines lists the lines that only one of two texts has, each as often as it has it more.
func diffLines(want, have string) (found []string) {
	if want == have {
		return nil
	}
	left := strings.Split(have, "\n")
	for _, line := range strings.Split(want, "\n") {
		if i := slices.Index(left, line); i >= 0 {
			left = slices.Delete(left, i, i+1)
			continue
		}
		found = append(found, "- "+line)
	}
	for _, line := range left {
		found = append(found, "+ "+line)
	}
	if len(found) == 0 {
		found = append(found, "the lines are the same, in another order")
	}
	return found
}
