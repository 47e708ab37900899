package bustest_test

import (
	"context"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/guanxi-crm/guanxi/platform/bustest"
	"github.com/guanxi-crm/guanxi/platform/freeport"
)

func TestABrokerBehindANameSendsItsClientsThere(t *testing.T) {
	t.Parallel()
	ports, err := freeport.Reserve(1)
	require.NoError(t, err)
	listen := net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[0]))
	broker, err := bustest.StartBroker(bustest.BrokerConfig{Addr: "kafka.example:9092", Listen: listen})
	require.NoError(t, err)
	t.Cleanup(broker.Close)

	client, err := kgo.NewClient(kgo.SeedBrokers("kafka.example:9092"), kgo.Dialer(
		func(ctx context.Context, network, addr string) (net.Conn, error) {
			if addr != "kafka.example:9092" {
				t.Errorf("a client was sent to %s", addr)
			}
			return (&net.Dialer{}).DialContext(ctx, network, listen)
		}))
	require.NoError(t, err)
	t.Cleanup(client.Close)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	answer, err := kmsg.NewPtrMetadataRequest().RequestWith(ctx, client)
	require.NoError(t, err)
	require.Len(t, answer.Brokers, 1)
	require.Equal(t, "kafka.example", answer.Brokers[0].Host)
	require.EqualValues(t, 9092, answer.Brokers[0].Port)
}
