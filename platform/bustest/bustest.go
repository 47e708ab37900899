// Package bustest gives tests a Kafka: an in-process one for each test, or, with GUANXI_TEST_KAFKA set to the addresses
// of brokers, that one, shared, with names that do not collide.
package bustest

import (
	"testing"

	"github.com/guanxi-crm/guanxi/platform/bus"
)

// New gives a client of a Kafka for this test.
func New(t testing.TB) *bus.Client { panic("soon") }

// Service gives a service name whose topics and groups no other test uses.
func Service(t testing.TB) string { panic("soon") }

// Topic creates a topic with a name that no other test uses, and gives the name.
func Topic(t testing.TB, c *bus.Client, name string) string { panic("soon") }

// BrokerConfig says how an in-process broker runs.
type BrokerConfig struct {
	Addr    string // 127.0.0.1:port; empty: a free port
	Dir     string // where it keeps what it was told; empty: nowhere
	Brokers int    // 0: one
}

// Broker is an in-process Kafka.
type Broker struct{}

// StartBroker starts an in-process Kafka.
func StartBroker(cfg BrokerConfig) (*Broker, error) { panic("soon") }

// Addrs are its addresses.
func (b *Broker) Addrs() []string { panic("soon") }

// Close stops it; what it acknowledged is on disk.
func (b *Broker) Close() { panic("soon") }
