package bus_test

import (
	"bytes"
	"context"
	"net"
	"testing"
	"time"

	kafka "github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/bustest"
)

func TestProduceKeepsTheOrderAndTheBytes(t *testing.T) {
	t.Parallel()
	ctx, c := within(t), bustest.New(t)
	topic := bustest.Topic(t, c, "orders")
	event := orderPlaced()
	produce(ctx, t, c, topic, 7, []bus.Message{bus.Encode(event)})
	for i := range 20 {
		produce(ctx, t, c, topic, 3, numbered(i*100, 100))
	}
	produce(ctx, t, c, topic, 3, nil)

	all := bustest.All(t, c, topic)
	require.Len(t, all, 2001)
	require.Equal(t, upTo(2000), values(all[:2000]))
	require.Equal(t, "k", string(all[0].Key))
	require.Equal(t, []bus.Header{{Key: "h", Value: []byte("v")}}, all[0].Headers)
	require.WithinDuration(t, time.Now(), all[0].Time, time.Minute, "the record's time is that of writing")

	got, err := bus.Decode(all[2000])
	require.NoError(t, err)
	event.Topic, event.Partition, event.Offset = topic, 7, 0
	require.Equal(t, event, got)
}

func TestProduceSplitsWhatIsTooMuchForOneRequest(t *testing.T) {
	t.Parallel()
	ctx, c := within(t), bustest.New(t)
	topic := bustest.Topic(t, c, "orders")
	msgs := numbered(0, 40)
	for i := range msgs {
		msgs[i].Headers = []bus.Header{{Key: "pad", Value: noise(200<<10, byte(i))}}
	}
	produce(ctx, t, c, topic, 0, msgs)
	require.Equal(t, upTo(40), values(bustest.All(t, c, topic)))
}

// noise gives bytes that do not compress.
func noise(n int, seed byte) []byte {
	b := make([]byte, n)
	x := uint32(seed) + 1
	for i := range b {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		b[i] = byte(x)
	}
	return b
}

func TestProduceNamesTheMessageThatIsRefusedForGood(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ n, culprit int }{
		"alone": {1, 0}, "first": {10, 0}, "middle": {10, 4}, "last": {500, 499}, "in a later request": {500, 321},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, client := within(t), bustest.New(t)
			topic := bustest.Topic(t, client, "orders")
			msgs := numbered(0, c.n)
			msgs[c.culprit].Headers = []bus.Header{{Key: "pad", Value: noise(2<<20, 1)}} // brokers take 1 MiB
			err := client.Produce(ctx, topic, 0, msgs)
			var refused *bus.RefusedError
			require.ErrorAs(t, err, &refused)
			require.Equal(t, c.culprit, refused.Index)
			require.ErrorIs(t, err, kafka.MessageSizeTooLarge)
			require.Equal(t, upTo(c.culprit), values(bustest.All(t, client, topic)), "those before it are written, each once")

			require.NoError(t, client.Produce(ctx, topic, 0, msgs[c.culprit+1:]), "and the rest goes on behind it")
		})
	}
}

func TestProduceIsAnErrorWhenItIsNotKnownWhatWasWritten(t *testing.T) {
	t.Parallel()
	cluster := bustest.Start(t)
	c := cluster.Client(t)
	topic := bustest.Topic(t, c, "orders")
	if cluster.Real() {
		return // a real broker cannot be told to fail just so; the kills in fault_test.go do
	}
	cluster.FailAfterWrite(t, 1)
	err := c.Produce(within(t), topic, 0, numbered(0, 3))
	require.ErrorIs(t, err, kafka.NotEnoughReplicasAfterAppend)
	var refused *bus.RefusedError
	require.NotErrorAs(t, err, &refused, "not for good")
	require.NoError(t, c.Produce(within(t), topic, 0, numbered(0, 3)))
	require.Equal(t, []int{0, 1, 2, 0, 1, 2}, values(bustest.All(t, c, topic)), "at least once, never out of order")
}

func TestProduceEndsByItsDeadline(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and never says a word
	require.NoError(t, err)
	t.Cleanup(func() { _ = silent.Close() })
	c := bus.NewClient(bus.Config{Brokers: []string{silent.Addr().String()}}, bustest.Log(t))
	t.Cleanup(c.Close)
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	require.Error(t, c.Produce(ctx, "orders", 0, numbered(0, 1)))
	require.Error(t, c.Ping(ctx))
	require.Error(t, c.EnsureTopics(ctx, bus.Topic{Name: "orders"}))
}

func TestValidate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cfg bus.Config
		say string
	}{
		"fine":              {bus.Config{Brokers: []string{"kafka:9092"}, SASL: bus.SASL{Mechanism: bus.ScramSHA512, User: "u", Password: "p"}}, ""},
		"no broker":         {bus.Config{}, "no Kafka broker"},
		"no port":           {bus.Config{Brokers: []string{"kafka"}}, "host:port"},
		"unknown mechanism": {bus.Config{Brokers: []string{"kafka:9092"}, SASL: bus.SASL{Mechanism: "KERBEROS"}}, "not known"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := c.cfg.Validate()
			if c.say == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.say)
		})
	}
}

func TestEmptyValueAndKeySurvive(t *testing.T) {
	t.Parallel()
	ctx, c := within(t), bustest.New(t)
	topic := bustest.Topic(t, c, "orders")
	produce(ctx, t, c, topic, 0, []bus.Message{{}, {Value: bytes.Repeat([]byte("x"), 900<<10)}})
	all := bustest.All(t, c, topic)
	require.Len(t, all, 2)
	require.Empty(t, all[0].Value)
	require.Len(t, all[1].Value, 900<<10)
}
