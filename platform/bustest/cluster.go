package bustest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	kafka "github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/guanxi-crm/guanxi/platform/bus"
)

// Cluster is a Kafka with three brokers whose parts can be made to fail: this test's own in process, or the shared real one.
type Cluster struct {
	addrs   []string
	broker  *Broker // nil: a real one
	control string
	name    string // of this test, where brokers are shared
}

// Alone makes a test that breaks its Kafka parallel to others only where that Kafka is its own. A real cluster is shared:
// there the test runs before the parallel ones begin, which would otherwise see its faults.
func Alone(t *testing.T) {
	t.Helper()
	if realBrokers() == nil {
		t.Parallel()
	}
}

// Start gives a Kafka to break.
func Start(t testing.TB) *Cluster {
	t.Helper()
	return start(t, 3)
}

func start(t testing.TB, brokers int) *Cluster {
	t.Helper()
	if addrs := realBrokers(); addrs != nil {
		return &Cluster{addrs: addrs, control: os.Getenv(EnvControl), name: uuid.NewString()}
	}
	b, err := StartBroker(BrokerConfig{Dir: t.TempDir(), Brokers: brokers})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Stop)
	return &Cluster{addrs: b.Addrs(), broker: b}
}

// Addrs are the brokers' addresses.
func (c *Cluster) Addrs() []string { return slices.Clone(c.addrs) }

// Real tells whether this is Apache Kafka, where brokers are slower to come back.
func (c *Cluster) Real() bool { return c.broker == nil }

// Client gives a client of its own.
func (c *Cluster) Client(t testing.TB) *bus.Client {
	t.Helper()
	client := bus.NewClient(bus.Config{Brokers: c.addrs}, Log(t))
	t.Cleanup(client.Close)
	return client
}

// KillBroker kills broker n (from 0) with SIGKILL. In process all brokers go at once, which is worse. With real brokers
// it waits while another test has some down; one test may take them all.
func (c *Cluster) KillBroker(t testing.TB, n int) {
	t.Helper()
	if c.broker != nil {
		c.broker.Stop()
		return
	}
	c.order(t, n, "kill")
	t.Cleanup(func() { c.order(t, n, "start") }) // whatever becomes of the test; starting twice does no harm
}

// StartBrokerAgain brings back what KillBroker took. When it was the last one missing, it returns once all are in sync.
func (c *Cluster) StartBrokerAgain(t testing.TB, n int) {
	t.Helper()
	if c.broker == nil {
		c.order(t, n, "start")
		return
	}
	if err := c.broker.Start(); err != nil {
		t.Fatal(err)
	}
}

func (c *Cluster) order(t testing.TB, n int, what string) {
	t.Helper()
	if c.control == "" {
		t.Fatalf("%s is set but %s is not: brokers cannot be killed; run the tests under tools/kafka", EnvBrokers, EnvControl)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, fmt.Sprintf("%s/brokers/%d/%s?by=%s", c.control, n, what, c.name), nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatalf("%s broker %d: %v", what, n, err)
		}
		body, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		switch res.StatusCode {
		case http.StatusOK:
			return
		case http.StatusConflict: // another test has a broker down
			time.Sleep(500 * time.Millisecond)
		default:
			t.Fatalf("%s broker %d: %s: %s", what, n, res.Status, body)
		}
	}
}

// MoveLeader gives a partition another leader.
func (c *Cluster) MoveLeader(t testing.TB, topic string, partition int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if c.broker != nil {
		cluster := c.broker.cluster
		from := cluster.LeaderFor(topic, int32(partition))
		if err := cluster.MoveTopicPartition(topic, int32(partition), (from+1)%int32(len(c.addrs))); err != nil {
			t.Fatal(err)
		}
		return
	}
	if err := moveLeader(ctx, c.addrs, topic, partition); err != nil {
		t.Fatalf("move the leader of %s/%d: %v", topic, partition, err)
	}
}

// moveLeader makes another replica the preferred one and has it elected, as often as it takes.
func moveLeader(ctx context.Context, addrs []string, topic string, partition int) error {
	var from int
	for n := 0; ; n++ {
		client := &kafka.Client{Addr: kafka.TCP(addrs...), Transport: &kafka.Transport{}}
		leader, replicas, err := placement(ctx, client, topic, partition)
		if n == 0 && err == nil {
			from = leader
		}
		if n > 0 && err == nil && leader != from && leader >= 0 {
			return nil
		}
		if err == nil {
			i := slices.Index(replicas, from)
			replicas = slices.Concat(replicas[i+1:], replicas[:i+1])
			_, err = client.AlterPartitionReassignments(ctx, &kafka.AlterPartitionReassignmentsRequest{
				Assignments: []kafka.AlterPartitionReassignmentsRequestAssignment{
					{Topic: topic, PartitionID: partition, BrokerIDs: replicas},
				},
				Timeout: 10 * time.Second,
			})
		}
		if err == nil {
			_, err = client.ElectLeaders(ctx, &kafka.ElectLeadersRequest{
				Topic: topic, Partitions: []int{partition}, Timeout: 10 * time.Second,
			})
		}
		client.Transport.(*kafka.Transport).CloseIdleConnections()
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func placement(ctx context.Context, client *kafka.Client, topic string, partition int) (leader int, replicas []int, err error) {
	meta, err := client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
	if err != nil {
		return 0, nil, err
	}
	for _, p := range meta.Topics[0].Partitions {
		if p.ID == partition {
			for _, r := range p.Replicas {
				replicas = append(replicas, r.ID)
			}
			return p.Leader.ID, replicas, nil
		}
	}
	return 0, nil, kafka.UnknownTopicOrPartition
}

// DeleteTopics deletes every topic whose name begins with the prefix and returns when none is left: for a test whose topics
// have names that are given.
func (c *Cluster) DeleteTopics(t testing.TB, prefix string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	for ctx.Err() == nil {
		client := &kafka.Client{Addr: kafka.TCP(c.addrs...), Transport: &kafka.Transport{}} // a new one does not remember topics
		left, err := topicsWith(ctx, client, prefix)
		if err == nil && len(left) == 0 {
			return
		}
		if err == nil {
			_, err = client.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: left})
		}
		if err != nil {
			t.Logf("delete topics %s*: %v", prefix, err)
		}
		client.Transport.(*kafka.Transport).CloseIdleConnections()
		time.Sleep(500 * time.Millisecond)
	}
	t.Fatalf("topics %s* are still there", prefix)
}

func topicsWith(ctx context.Context, client *kafka.Client, prefix string) (names []string, err error) {
	meta, err := client.Metadata(ctx, &kafka.MetadataRequest{})
	if err != nil {
		return nil, err
	}
	for _, topic := range meta.Topics {
		if strings.HasPrefix(topic.Name, prefix) {
			names = append(names, topic.Name)
		}
	}
	return names, nil
}

// FailAfterWrite lets the next n produce requests fail as if the broker had written them and could not say so. In process only.
func (c *Cluster) FailAfterWrite(t testing.TB, n int) {
	t.Helper()
	if c.broker == nil {
		t.Fatal("faults are injected into the in-process Kafka only; check Real first")
	}
	c.broker.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicasAfterAppend, Count: n})
}
