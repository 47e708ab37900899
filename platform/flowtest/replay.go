// Package flowtest tests workflows: histories that real runs left behind are replayed, so that a change to a workflow
// that would break a running process fails here first.
package flowtest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.temporal.io/sdk/worker"
)

// Replay replays every recorded history that the glob matches (testdata/*.json) against the workflows that register
// names, and fails where there is none, or where a workflow would now decide otherwise than it did. gates are the
// version gates of versions.go: each must be in at least one of the histories.
func Replay(t *testing.T, glob string, register func(worker.WorkflowRegistry), gates ...string) {
	t.Helper()
	files, err := filepath.Glob(glob)
	if err != nil || len(files) == 0 {
		t.Fatalf("no recorded history at %s (%v); record one with flowtest.Record against a real server", glob, err)
	}
	seen := map[string]bool{}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			replayer := worker.NewWorkflowReplayer()
			register(replayer)
			if err := replayer.ReplayWorkflowHistoryFromJSONFile(nil, file); err != nil {
				t.Errorf("%s: the workflow does not do what it did: %v", file, err)
			}
		})
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !json.Valid(content) {
			t.Errorf("%s is not JSON", file)
		}
		for _, gate := range gates {
			if strings.Contains(string(content), gate) {
				seen[gate] = true
			}
		}
	}
	for _, gate := range gates {
		if !seen[gate] {
			t.Errorf("no recorded history at %s passes the gate %q", glob, gate)
		}
	}
}
