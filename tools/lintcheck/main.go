// Command lintcheck proves that the borders of the house hold: it runs the linter, with the house's own configuration,
// on a small copy of the house in testdata in which they are broken, and compares what the linter says with what the
// `// want "..."` comments there demand. A rule that has gone quiet fails here, and so does a rule that speaks too much.
//
//	go run ./tools/lintcheck -linter bin/golangci-lint -config .golangci.yml -house tools/lintcheck/testdata/house
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

func main() {
	linter := flag.String("linter", "bin/golangci-lint", "golangci-lint to run")
	config := flag.String("config", ".golangci.yml", "configuration to prove")
	house := flag.String("house", "tools/lintcheck/testdata/house", "the house with the broken borders")
	flag.Parse()
	if err := run(context.Background(), *linter, *config, *house); err != nil {
		fmt.Fprintln(os.Stderr, "lintcheck:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, linter, config, house string) error {
	want, err := wanted(house)
	if err != nil {
		return err
	}
	if len(want) == 0 {
		return fmt.Errorf("%s demands nothing", house)
	}
	got, err := lint(ctx, linter, config, house)
	if err != nil {
		return err
	}
	if faults := compare(want, got); len(faults) > 0 {
		return errors.New("the linter does not hold the borders:\n  " + strings.Join(faults, "\n  "))
	}
	fmt.Printf("lintcheck: all %d broken borders are refused, and nothing else\n", len(want))
	return nil
}

// remark is what the linter says, or should say, about a line.
type remark struct {
	file string // relative to the house, with slashes
	line int
	text string
}

var wantComment = regexp.MustCompile(`// want "([^"]+)"`)

// wanted reads the demands of the house.
func wanted(house string) ([]remark, error) {
	var want []remark
	err := filepath.WalkDir(house, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" {
			return err
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		file, err := filepath.Rel(house, path)
		if err != nil {
			return err
		}
		for i, line := range strings.Split(string(source), "\n") {
			if match := wantComment.FindStringSubmatch(line); match != nil {
				want = append(want, remark{file: filepath.ToSlash(file), line: i + 1, text: match[1]})
			}
		}
		return nil
	})
	return want, err
}

// lint runs the rules about borders on a copy of the house, where the configuration lies at the root as in ours.
func lint(ctx context.Context, linter, config, house string) ([]remark, error) {
	linter, err := filepath.Abs(linter)
	if err != nil {
		return nil, err
	}
	rules, err := os.ReadFile(config)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "lintcheck")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := os.CopyFS(dir, os.DirFS(house)); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, ".golangci.yml"), rules, 0o600); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, linter, "run", "--enable-only", "depguard,forbidigo", "--issues-exit-code", "0",
		"--max-issues-per-linter", "0", "--max-same-issues", "0", "--show-stats=false", "--output.json.path", "stdout", "./...")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod")
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w\n%s%s", linter, err, out.Bytes(), complaints.Bytes())
	}
	var report struct {
		Issues []struct {
			Text string
			Pos  struct {
				Filename string
				Line     int
			}
		}
	}
	if err := json.NewDecoder(&out).Decode(&report); err != nil {
		return nil, fmt.Errorf("the linter's report cannot be read: %w", err)
	}
	var got []remark
	for _, issue := range report.Issues {
		got = append(got, remark{file: filepath.ToSlash(issue.Pos.Filename), line: issue.Pos.Line, text: issue.Text})
	}
	return got, nil
}

// compare lists demands that were not met and remarks that nobody demanded.
func compare(want, got []remark) []string {
	var faults []string
	fits := func(w, g remark) bool {
		return w.file == g.file && w.line == g.line && strings.Contains(g.text, w.text)
	}
	for _, w := range want {
		if !slices.ContainsFunc(got, func(g remark) bool { return fits(w, g) }) {
			faults = append(faults, fmt.Sprintf("%s:%d: not refused: %s", w.file, w.line, w.text))
		}
	}
	for _, g := range got {
		if !slices.ContainsFunc(want, func(w remark) bool { return fits(w, g) }) {
			faults = append(faults, fmt.Sprintf("%s:%d: refused, but allowed: %s", g.file, g.line, g.text))
		}
	}
	return faults
}
