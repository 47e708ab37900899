// Package flowtest tests workflows: histories that real runs left behind are replayed, so that a change to a workflow
// that would break a running process fails here first; Environment and Frontend run processes without a server.
package flowtest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
)

// Replay replays every recorded history that the glob matches (testdata/*.json) against the workflows that register
// names, and fails where there is none, or where a workflow would now decide otherwise than it did. gates are the change
// ids of versions.go: each must have been passed in at least one of the histories.
func Replay(t *testing.T, glob string, register func(worker.WorkflowRegistry), gates ...string) {
	t.Helper()
	files, err := filepath.Glob(glob)
	if err != nil || len(files) == 0 {
		t.Fatalf("no recorded history at %s (%v); record one with Record against a real server", glob, err)
	}
	passed := map[string]bool{}
	for _, file := range files {
		history := read(t, file)
		t.Run(filepath.Base(file), func(t *testing.T) {
			replayer := worker.NewWorkflowReplayer()
			register(replayer)
			if err := replayer.ReplayWorkflowHistory(nil, history); err != nil {
				t.Errorf("%s: the workflow no longer does what it did; put the change behind a gate in versions.go: %v", file, err)
			}
		})
		for _, e := range history.Events {
			passed[gate(e)] = true
		}
	}
	for _, g := range gates {
		if !passed[g] {
			t.Errorf("no recorded history at %s passes the gate %q; record one", glob, g)
		}
	}
}

func read(t *testing.T, file string) *historypb.History {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	history, err := client.HistoryFromJSON(f, client.HistoryJSONOptions{})
	if err != nil {
		t.Fatalf("%s is not a history: %v", file, err)
	}
	return history
}

// gate gives the change id of an event that workflow.GetVersion left behind; empty for any other.
func gate(e *historypb.HistoryEvent) (changeID string) {
	marker := e.GetMarkerRecordedEventAttributes()
	if e.EventType != enumspb.EVENT_TYPE_MARKER_RECORDED || marker.GetMarkerName() != "Version" {
		return ""
	}
	for _, payload := range marker.GetDetails()["change-id"].GetPayloads() {
		if json.Unmarshal(payload.Data, &changeID) == nil {
			return changeID
		}
	}
	return ""
}
