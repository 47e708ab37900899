package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/tools/devstack/stack"
	ctl "github.com/guanxi-crm/guanxi/tools/guanxictl/client"
)

// asDevstack makes this test program act as devstack, so that the stack's parts are real processes.
const asDevstack = "DEVSTACK_TEST_AS_DEVSTACK"

func TestMain(m *testing.M) {
	if os.Getenv(asDevstack) != "" {
		main()
		return
	}
	if err := os.Setenv(asDevstack, "1"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// startTestStack starts all parts in a folder of the test's own, and gives a function that starts them again there.
func startTestStack(t *testing.T) (s *stack.Stack, again func() *stack.Stack) {
	t.Helper()
	dir, err := temporaryDir()
	require.NoError(t, err)
	ports, err := stack.FreePorts()
	require.NoError(t, err)
	again = func() *stack.Stack {
		s, err := startStack(t.Context(), dir, ports, func(line string) { t.Log(line) })
		require.NoError(t, err)
		return s
	}
	s = again()
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return s, again
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// signalled is a workflow that ends with what it is told.
func signalled(ctx workflow.Context) (string, error) {
	var said string
	workflow.GetSignalChannel(ctx, "say").Receive(ctx, &said)
	return said, nil
}

// startWorker runs the workflow above and gives a client of the same namespace.
func startWorker(t *testing.T, addr string) client.Client {
	t.Helper()
	c, err := client.NewLazyClient(client.Options{HostPort: addr, Namespace: stack.Namespace})
	require.NoError(t, err)
	w := worker.New(c, "test", worker.Options{})
	w.RegisterWorkflowWithOptions(signalled, workflow.RegisterOptions{Name: "signalled"})
	require.NoError(t, w.Start())
	t.Cleanup(func() { w.Stop(); c.Close() })
	return c
}

func say(ctx context.Context, t *testing.T, c client.Client, id, what string) {
	t.Helper()
	// The first call after an outage may meet a connection that has just broken.
	require.EventuallyWithT(t, func(col *assert.CollectT) {
		require.NoError(col, c.SignalWorkflow(ctx, id, "", "say", what))
	}, time.Minute, 200*time.Millisecond)
	var got string
	require.NoError(t, c.GetWorkflow(ctx, id, "").Get(ctx, &got))
	require.Equal(t, what, got)
}

func begin(ctx context.Context, t *testing.T, c client.Client, id string) {
	t.Helper()
	_, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: id, TaskQueue: "test"}, "signalled")
	require.NoError(t, err)
}

func TestWorkflowsGoOnAfterPostgreSQLAndTemporalWereKilled(t *testing.T) {
	t.Parallel()
	s, _ := startTestStack(t)
	t.Cleanup(s.Stop)
	ctx := within(t, 4*time.Minute)
	c := startWorker(t, s.TemporalAddr())

	begin(ctx, t, c, "over-a-database-restart")
	require.NoError(t, s.Part(stack.Postgres).Hold())
	time.Sleep(3 * time.Second) // an outage that Temporal notices
	s.Part(stack.Postgres).Resume()
	require.NoError(t, s.Part(stack.Postgres).WaitReady(ctx))
	say(ctx, t, c, "over-a-database-restart", "still there")

	begin(ctx, t, c, "over-a-server-restart")
	require.NoError(t, s.Part(stack.Temporal).Hold())
	s.Part(stack.Temporal).Resume()
	require.NoError(t, s.Part(stack.Temporal).WaitReady(ctx))
	say(ctx, t, c, "over-a-server-restart", "there again")
}

func TestEveryPartKeepsItsStateWhenAllAreKilled(t *testing.T) {
	t.Parallel()
	s, again := startTestStack(t)
	ctx := within(t, 4*time.Minute)
	c := startWorker(t, s.TemporalAddr())
	begin(ctx, t, c, "over-everything")
	conn, err := pgx.Connect(ctx, s.AdminURL())
	require.NoError(t, err)
	_, err = conn.Exec(ctx, `CREATE TABLE kept AS SELECT 42 AS n`)
	require.NoError(t, err)
	kafka := bus.NewClient(bus.Config{Brokers: []string{s.KafkaAddr()}}, quiet())
	t.Cleanup(kafka.Close)
	require.NoError(t, kafka.EnsureTopics(ctx, bus.Topic{Name: "kept", Partitions: 1, Replication: 1}))
	require.NoError(t, kafka.Produce(ctx, "kept", 0, []bus.Message{{Key: []byte("k"), Value: []byte("v")}}))
	token := ctl.DevToken{Subject: "t", Roles: []string{"platform-admin"}}
	_, err = ctl.FetchDevToken(ctx, s.IssuerURL(), token)
	require.NoError(t, err)
	keys := get(t, s.IssuerURL()+"/jwks")

	for _, name := range []string{stack.Postgres, stack.Kafka, stack.Temporal, stack.Issuer, stack.Traces} {
		require.NoError(t, s.Part(name).Hold())
	}
	s.Stop()
	s = again()
	t.Cleanup(s.Stop)

	conn, err = pgx.Connect(ctx, s.AdminURL())
	require.NoError(t, err)
	var n int
	require.NoError(t, conn.QueryRow(ctx, `SELECT n FROM kept`).Scan(&n))
	require.Equal(t, 42, n)
	require.NoError(t, conn.Close(ctx))
	require.EventuallyWithT(t, func(col *assert.CollectT) { // the client has to find its connections broken first
		_, next, err := kafka.Offsets(ctx, "kept")
		require.NoError(col, err)
		require.Equal(col, []int64{1}, next)
	}, time.Minute, 100*time.Millisecond)
	require.Equal(t, keys, get(t, s.IssuerURL()+"/jwks"))
	say(ctx, t, c, "over-everything", "back")
	get(t, s.TemporalWebURL())
}

func get(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	require.Equal(t, http.StatusOK, resp.StatusCode, url)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return string(body)
}
