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
	Addr string // 127.0.0.1:port; empty: a free port
	// Listen, such as 0.0.0.0:9092, makes it listen there and call itself Addr, which may be a name then: for a pod behind a Service.
	Listen  string
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
		if host != "127.0.0.1" && cfg.Listen == "" {
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
	if b.cfg.Listen != "" {
		opts = append(opts, kfake.ListenFn(func(network, _ string) (net.Listener, error) {
			l, err := net.Listen(network, b.cfg.Listen)
			return named{l, b.cfg.Addr}, err
		}))
	}
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
			if b.groups, err = attend(cluster, b.cfg.Listen); err != nil {
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

// named is a listener with an address by which others know it.
type named struct {
	net.Listener
	addr string
}

func (n named) Addr() net.Addr { return name(n.addr) }

type name string

func (name) Network() string  { return "tcp" }
func (n name) String() string { return string(n) }

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
