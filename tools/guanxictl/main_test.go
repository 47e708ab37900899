package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/bustest"
	"github.com/guanxi-crm/guanxi/tools/guanxictl/client"
)

// run runs the command line and gives what it wrote to standard output.
func run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	c := command(func(string) string { return "" })
	var out bytes.Buffer
	c.SetOut(&out)
	c.SetErr(io.Discard)
	c.SetArgs(args)
	err := c.ExecuteContext(t.Context())
	return out.String(), err
}

func TestBadFlagsAreRefused(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "a.csv")
	require.NoError(t, os.WriteFile(file, []byte("a\n1\n"), 0o600))
	for _, c := range []struct{ args, want string }{
		{"import pets " + file, "customers, orders or leads"},
		{"import orders " + file + " --format xml", "--format is csv, jsonl or whitespace"},
		{"import orders " + file + " --policy replace", "--policy is skip or update"},
		{"import orders " + file + " --map nothing", "not target=source"},
		{"import orders " + file + " --map a=b --map a=c", `fills "a" twice`},
		{"import orders " + file + " --format jsonl --header", "JSON Lines has none"},
		{"import orders " + file + " --header --no-header", "none of the others can be"},
		{"import orders", "accepts 2 arg(s)"},
		{"doctor -o yaml", "--output is table or json"},
		{"doctor --server https://crm.example.com", "no token"},
		{"doctor --server nowhere --token t", "is not an URL"},
		{"events replay", "--topic is needed"},
		{"events tail --kafka nowhere", "not host:port"},
		{"parked discard sales 1", "--reason is needed"},
	} {
		_, err := run(t, strings.Fields(c.args)...)
		require.ErrorContains(t, err, c.want, c.args)
	}
}

func TestImportSendsTheFileAndShowsRejections(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "shop.txt")
	require.NoError(t, os.WriteFile(file, []byte("id\r\n1\r\n2\r\n"), 0o600))
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/customers/imports", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		q := r.URL.Query()
		if r.Header.Get("Authorization") != "Bearer t" || string(body) != "id\r\n1\r\n2\r\n" || q.Get("format") != "whitespace" ||
			q.Get("header") != "true" || q.Get("policy") != "update" || len(q["mapping"]) != 2 || q["mapping"][0] != "external:shop=#1" {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		w.WriteHeader(http.StatusAccepted)
		_ = json.NewEncoder(w).Encode(client.Import{ID: "i1", State: "accepted"})
	})
	state := "finished"
	mux.HandleFunc("GET /v1/customers/imports/i1", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(client.Import{ID: "i1", State: state, Rows: 2, Accepted: 1, Rejected: 1, Failure: "broken"})
	})
	mux.HandleFunc("GET /v1/customers/imports/i1/rejections", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("cursor") == "" {
			_, _ = io.WriteString(w, `{"items":[],"next_cursor":"n"}`)
			return
		}
		_, _ = io.WriteString(w, `{"items":[{"line":3,"row":2,"column":"phone","code":"c","reason":"no\ttelephone"}]}`)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	args := []string{"import", "customers", file, "--server", server.URL, "--token", "t", "--policy", "update",
		"-m", "external:shop=#1", "-m", "kind='person, or not'"}

	out, err := run(t, args...)
	require.NoError(t, err)
	require.Equal(t, `IMPORT  STATE     ROWS  ACCEPTED  REJECTED
i1      finished  2     1         1

LINE  ROW  COLUMN  CODE  REASON
3     2    phone   c     no telephone
`, out)

	state = "failed"
	_, err = run(t, args...)
	require.ErrorContains(t, err, "import i1 is failed: broken")
}

func TestProblemsAreShownWithTheirFields(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = io.WriteString(w, `{"code":"bad","detail":"Mend it.","errors":[{"location":"query.mapping","message":"is odd"}]}`)
	}))
	t.Cleanup(server.Close)
	_, err := run(t, "parked", "list", "sales", "--server", server.URL, "--token", "t")
	require.EqualError(t, err, "sales: Mend it. (422 bad)\n  query.mapping: is odd")
}

func TestDoctorTellsWhatIsWrong(t *testing.T) {
	t.Parallel()
	findings := judge(client.Status{
		Service: "sales", Database: client.OK, Kafka: "cannot be reached", Temporal: client.OK, OutboxBacklog: 7, OutboxOldestSeconds: 61,
		ProcessesWaiting: 1,
		Consumers:        []client.ConsumerStatus{{Name: "a", Lag: -1}, {Name: "b", Parked: 2}, {Name: "c"}},
	})
	var states []string
	for _, f := range findings {
		states = append(states, f.Part+" "+f.State)
	}
	require.Equal(t, []string{
		"sales database ok", "sales kafka failed", "sales temporal ok", "sales outbox warning",
		"sales processes warning", "sales consumer a warning", "sales consumer b warning", "sales consumer c ok",
	}, states)
	require.Len(t, judge(client.Status{Service: "sales", Database: "run migrate"}), 1, "without a database nothing else was asked")
}

func TestTracesAreDrawnAsTrees(t *testing.T) {
	t.Parallel()
	at := func(ms int) time.Time { return time.UnixMilli(int64(ms)) }
	trace := client.Trace{TraceID: "t", Spans: []client.Span{
		{SpanID: "3", ParentID: "2", Service: "analytics", Kind: "consumer", Name: "apply", Start: at(9), Linked: true, TraceID: "u"},
		{SpanID: "2", ParentID: "1", Service: "sales", Kind: "producer", Name: "relay", Start: at(5), Duration: time.Millisecond},
		{SpanID: "1", ParentID: "unknown", Service: "sales", Kind: "server", Name: "POST /v1/orders", Start: at(1), Error: "boom"},
	}}
	var out bytes.Buffer
	p := newTable(&out)
	drawTrace(p, trace)
	require.NoError(t, p.close())
	require.Equal(t, `START   TOOK   SERVICE    KIND      SPAN
+0.0ms  0.0ms  sales      server    POST /v1/orders FAILED: boom
+4.0ms  1.0ms  sales      producer    relay
+8.0ms  0.0ms  analytics  consumer      apply (linked, of trace u)
`, out.String())
}

func TestTimes(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"": {}, "start": {}, "1h": now.Add(-time.Hour), "2026-01-01T00:00:00Z": time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		got, err := parseTime(text, now)
		require.NoError(t, err, text)
		require.True(t, want.Equal(got), text)
	}
	for _, bad := range []string{"yesterday", "-1h", "2026-01-01"} {
		_, err := parseTime(bad, now)
		require.Error(t, err, bad)
	}
}

func TestEventsAreTailedAndReplayed(t *testing.T) {
	t.Parallel()
	broker := bustest.Start(t)
	kafka := broker.Client(t)
	topic := bus.TopicFor("sales")
	require.NoError(t, kafka.EnsureTopics(t.Context(), bus.Topic{Name: topic, Partitions: bus.Partitions, Replication: 1}))
	for _, id := range []string{"a", "b"} {
		m := bus.Encode(bus.Event{
			ID: uuid.New(), Type: "guanxi.sales.events.v1.OrderPlaced", Source: "/guanxi/sales", Tenant: "pizza",
			AggregateType: "order", AggregateID: id, Sequence: 1, Time: time.Now(), Data: []byte(`{"order":"` + id + `"}`),
		})
		require.NoError(t, kafka.Produce(t.Context(), topic, m.Partition, []bus.Message{m}))
	}
	at := []string{"--kafka", broker.Addrs()[0]}
	tail := func(more ...string) int {
		out, err := run(t, append(append([]string{"events", "tail", "--until-now", "-o", "json"}, at...), more...)...)
		require.NoError(t, err)
		return strings.Count(out, "\n")
	}
	require.Equal(t, 2, tail())
	require.Equal(t, 1, tail("--key", "a", "--type", "OrderPlaced", "--topic", "sales"))
	require.Equal(t, 0, tail("--tenant", "music"))
	require.Equal(t, 0, tail("--type", "Placed"), "a type is named whole")

	replay := append([]string{"events", "replay", "--topic", "sales", "--key", "b"}, at...)
	out, err := run(t, replay...)
	require.NoError(t, err)
	require.Contains(t, out, "1 messages would be sent")
	require.Equal(t, 2, tail(), "nothing was sent")
	_, err = run(t, append(replay, "--yes")...)
	require.NoError(t, err)
	require.Equal(t, 2, tail("--key", "b"), "the same event stands there twice")

	broker.FailAfterWrite(t, 2)
	_, err = run(t, "events", "replay", "--topic", "sales", "--key", "a", "--yes", "--kafka", broker.Addrs()[0])
	require.NoError(t, err, "a broker that does not take it at this moment is asked again")
	require.Equal(t, 4, tail("--key", "a"), "which may write it more than once more")
}
