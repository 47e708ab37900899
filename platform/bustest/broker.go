package bustest

import (
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/guanxi-crm/guanxi/platform/freeport"
)

// BrokerConfig says how an in-process broker runs.
type BrokerConfig struct {
	Addr    string // 127.0.0.1:port; empty: a free port
	Dir     string // where it keeps what it was told, beyond a SIGKILL of the process; empty: nowhere
	Brokers int    // how many act as one cluster, at ports of their own; 0: one
}

// Broker is an in-process Kafka (kfake). What it acknowledged is in the operating system's hands, not forced to the disk.
type Broker struct {
	mu      sync.Mutex
	cfg     BrokerConfig
	ports   []int
	cluster *kfake.Cluster
	groups  *attendance
}

// StartBroker starts an in-process Kafka on the loopback, with what Dir has from before.
func StartBroker(cfg BrokerConfig) (*Broker, error) {
	b := &Broker{cfg: cfg}
	if cfg.Addr != "" {
		host, port, err := net.SplitHostPort(cfg.Addr)
		if err != nil {
			return nil, fmt.Errorf("broker address %q: %w", cfg.Addr, err)
		}
		if host != "127.0.0.1" {
			return nil, fmt.Errorf("broker address %q: an in-process Kafka listens at 127.0.0.1 only", cfg.Addr)
		}
		n, err := strconv.Atoi(port)
		if err != nil {
			return nil, fmt.Errorf("broker address %q: %w", cfg.Addr, err)
		}
		b.ports = []int{n}
	}
	if err := b.Start(); err != nil {
		return nil, err
	}
	return b, nil
}

// Start starts it again, at the same addresses, after Stop.
func (b *Broker) Start() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cluster != nil {
		return nil
	}
	opts := []kfake.Opt{kfake.ClusterID("guanxi")}
	if b.cfg.Dir != "" {
		opts = append(opts, kfake.DataDir(b.cfg.Dir))
	}
	var err error
	for range 50 { // another process may hold a port for a moment
		ports := b.ports
		if len(ports) == 0 {
			if ports, err = freeport.Reserve(max(b.cfg.Brokers, 1)); err != nil {
				break
			}
		}
		cluster, fails := kfake.NewCluster(append(opts, kfake.Ports(ports...))...)
		if fails == nil {
			if b.groups, err = attend(cluster); err != nil {
				cluster.Close()
				break
			}
			b.cluster, b.ports = cluster, ports
			return nil
		}
		err = fails
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Errorf("start the in-process Kafka: %w", err)
}

// Stop stops it. Its addresses stay its own as long as nobody else takes them.
func (b *Broker) Stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cluster != nil {
		b.groups.close()
		b.cluster.Close()
		b.cluster = nil
	}
}

// Close is Stop.
func (b *Broker) Close() { b.Stop() }

// Addrs are its addresses.
func (b *Broker) Addrs() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	addrs := make([]string, len(b.ports))
	for i, port := range b.ports {
		addrs[i] = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	}
	return addrs
}
