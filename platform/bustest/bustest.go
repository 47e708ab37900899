// Package bustest gives tests a Kafka: an in-process one for each test, or, with GUANXI_TEST_KAFKA set to the addresses
// of brokers, that one, shared by all, with names that do not collide. Tests are written for both; `make test-kafka` runs
// them against Apache Kafka.
package bustest

import (
	"context"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/bus"
)

// The environment that tells of a real Kafka; tools/kafka sets it.
const (
	// EnvBrokers has the addresses of its brokers, separated by commas.
	EnvBrokers = "GUANXI_TEST_KAFKA"
	// EnvControl has the URL where its brokers can be killed and started: POST <url>/brokers/<n>/kill and .../start.
	EnvControl = "GUANXI_TEST_KAFKA_CTL"
)

// New gives a client of a Kafka for this test. For faults see [Start].
func New(t testing.TB) *bus.Client {
	t.Helper()
	return start(t, 1).Client(t)
}

// Service gives a service name whose topics and groups no other test uses, such as test-0192f3a1b2c4.
func Service(t testing.TB) string {
	t.Helper()
	return "test-" + strings.ReplaceAll(uuid.NewString(), "-", "")[:12]
}

// Topic creates a topic that no other test uses and gives its name, in which name stands.
func Topic(t testing.TB, c *bus.Client, name string) string {
	t.Helper()
	topic := bus.TopicFor(name + "-" + Service(t))
	Ensure(t, c, bus.Topic{Name: topic})
	return topic
}

// Ensure creates topics.
func Ensure(t testing.TB, c *bus.Client, topics ...bus.Topic) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := c.EnsureTopics(ctx, topics...); err != nil {
		t.Fatalf("create topics: %v", err)
	}
}

// All gives every message of a topic that is there now: each partition in order, partitions one after the other.
func All(t testing.TB, c *bus.Client, topic string) []bus.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	first, next, err := c.Offsets(ctx, topic)
	if err != nil {
		t.Fatalf("offsets: %v", err)
	}
	var all []bus.Message
	for p := range next {
		err := c.Read(ctx, topic, p, first[p], next[p], func(m bus.Message) error {
			all = append(all, m)
			return nil
		})
		if err != nil {
			t.Fatalf("read %s/%d: %v", topic, p, err)
		}
	}
	return all
}

// Log writes to the test's log what warns, or worse.
func Log(t testing.TB) *slog.Logger {
	t.Helper()
	return slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

type testWriter struct{ t testing.TB }

// Write gives one line to the test's log.
func (w testWriter) Write(p []byte) (int, error) {
	if w.t.Context().Err() == nil { // a log of what ends after the test would panic
		w.t.Log(strings.TrimRight(string(p), "\n"))
	}
	return len(p), nil
}

func realBrokers() []string {
	if v := os.Getenv(EnvBrokers); v != "" {
		return strings.Split(v, ",")
	}
	return nil
}
