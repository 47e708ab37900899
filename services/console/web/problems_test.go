package web_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestThePageTranslatesCodesThatThereAre finds words of the page for codes that no service answers any more.
func TestThePageTranslatesCodesThatThereAre(t *testing.T) {
	t.Parallel()
	words, err := os.ReadFile("src/i18n/zh/problems.ts")
	if err != nil {
		t.Fatal(err)
	}
	var sources bytes.Buffer
	for _, root := range []string{"../../../platform", "../.."} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.Name() == "node_modules":
				return fs.SkipDir
			case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
				return nil
			}
			source, err := os.ReadFile(path)
			sources.Write(source)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	codes := regexp.MustCompile(`(?m)^  ([a-z0-9_]+): '`).FindAllSubmatch(words, -1)
	if len(codes) < 50 {
		t.Fatalf("only %d codes were found", len(codes))
	}
	for _, code := range codes {
		if !bytes.Contains(sources.Bytes(), append(append([]byte(`"`), code[1]...), '"')) {
			t.Errorf("no service answers with the code %s", code[1])
		}
	}
}
