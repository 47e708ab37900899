package flowtest

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/uuid"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/guanxi-crm/guanxi/platform/flow"
)

// LiveEnv names the Temporal server (host:port) of the tests that need a real one; they have the build tag temporal.
const LiveEnv = "GUANXI_TEST_TEMPORAL"

// RecordEnv has, when it is set, the tests on a real server write the histories that they make; without it the recorded
// ones stay as they are, since replaying what was just made proves nothing.
const RecordEnv = "GUANXI_TEST_RECORD"

// Live gives a client of a namespace of the test's own on the real server that LiveEnv names; without one it fails.
func Live(t testing.TB) *flow.Client {
	t.Helper()
	c, _ := LiveAt(t)
	return c
}

// LiveAt is Live and says where that is, for a process that makes its own client.
func LiveAt(t testing.TB) (*flow.Client, flow.Config) {
	t.Helper()
	address := os.Getenv(LiveEnv)
	if address == "" {
		t.Fatalf("%s must name a Temporal server, such as that of devstack", LiveEnv)
	}
	cfg := flow.Config{Address: address, Namespace: "test-" + uuid.NewString(), Key: key}
	c, err := flow.NewClient(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	if err := c.EnsureNamespace(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c, cfg
}

// Record writes the history of a process to a file below testdata, for Replay, when RecordEnv is set. An existing file is
// replaced.
func Record(ctx context.Context, t testing.TB, c *flow.Client, workflowID, file string) {
	t.Helper()
	if os.Getenv(RecordEnv) == "" {
		return
	}
	history := &historypb.History{}
	events := c.Temporal().GetWorkflowHistory(ctx, workflowID, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		e, err := events.Next()
		if err != nil {
			t.Fatal(err)
		}
		history.Events = append(history.Events, e)
	}
	content, err := protojson.Marshal(history)
	var tree any
	if err == nil {
		err = json.Unmarshal(content, &tree)
	}
	if err == nil {
		anonymise(tree)
		content, err = json.MarshalIndent(tree, "", " ")
	}
	if err == nil {
		err = os.MkdirAll(filepath.Dir(file), 0o755)
	}
	if err == nil {
		err = os.WriteFile(file, append(content, '\n'), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// anonymise takes out what names the machine and the process of the run, which is of no use to a replay.
func anonymise(tree any) {
	switch tree := tree.(type) {
	case []any:
		for _, v := range tree {
			anonymise(v)
		}
	case map[string]any:
		delete(tree, "identity")
		if normal, ok := tree["normalName"].(string); ok {
			tree["name"] = normal + ":sticky"
		}
		for _, v := range tree {
			anonymise(v)
		}
	}
}
