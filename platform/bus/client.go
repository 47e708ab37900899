package bus

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	kafka "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"
)

// Mechanism names a SASL mechanism.
type Mechanism string

// The SASL mechanisms. The empty one means no authentication.
const (
	Plain       Mechanism = "PLAIN"
	ScramSHA256 Mechanism = "SCRAM-SHA-256"
	ScramSHA512 Mechanism = "SCRAM-SHA-512"
)

// SASL is how the client says who it is. PLAIN belongs under TLS only.
type SASL struct {
	Mechanism Mechanism
	User      string
	Password  string
}

// Config says where Kafka is.
type Config struct {
	Brokers []string    // host:port of some brokers; the others are learned from them
	TLS     *tls.Config // nil: no TLS
	SASL    SASL
}

// Validate tells whether a client can be made from it, without calling a broker.
func (c Config) Validate() error {
	if len(c.Brokers) == 0 {
		return errors.New("no Kafka broker is given: name at least one as host:port")
	}
	for _, b := range c.Brokers {
		if _, _, err := net.SplitHostPort(b); err != nil {
			return fmt.Errorf("the Kafka broker %q is not host:port: %w", b, err)
		}
	}
	_, err := c.SASL.mechanism()
	return err
}

func (s SASL) mechanism() (sasl.Mechanism, error) {
	switch s.Mechanism {
	case "":
		return nil, nil
	case Plain:
		return plain.Mechanism{Username: s.User, Password: s.Password}, nil
	case ScramSHA256:
		return scram.Mechanism(scram.SHA256, s.User, s.Password)
	case ScramSHA512:
		return scram.Mechanism(scram.SHA512, s.User, s.Password)
	default:
		return nil, fmt.Errorf("SASL mechanism %q is not known: use %s, %s or %s", s.Mechanism, Plain, ScramSHA256, ScramSHA512)
	}
}

const (
	dialTimeout    = 5 * time.Second
	requestTimeout = 10 * time.Second // of a request whose caller gave none
	clientID       = "guanxi"
)

// Client talks to one Kafka cluster. It is safe for any number of goroutines; make one a process.
type Client struct {
	cfg       Config
	log       *slog.Logger
	mechanism sasl.Mechanism
	transport *kafka.Transport
	kafka     *kafka.Client
	producer  *kafka.Client // the same, with a time-out
	metrics   metrics
	closed    context.CancelFunc
	stall     time.Duration // see stallAfter

	mu      sync.Mutex
	renewed time.Time
}

// NewClient makes a client. It calls no broker, so it does not fail while Kafka is away; a faulty configuration shows as
// an error of every call, and in [Config.Validate].
func NewClient(cfg Config, log *slog.Logger) *Client {
	ctx, cancel := context.WithCancel(context.Background())
	mechanism, err := cfg.SASL.mechanism()
	if err != nil {
		log.Error("Kafka client", "error", err)
	}
	c := &Client{cfg: cfg, log: log, mechanism: mechanism, closed: cancel, metrics: newMetrics(log), stall: stallAfter}
	c.transport = c.newTransport(ctx)
	c.kafka = &kafka.Client{Addr: kafka.TCP(cfg.Brokers...), Transport: c.transport}
	// kafka-go tells the broker the context's deadline only where the client has a later one of its own, and 500 ms
	// otherwise; after that time a broker answers that it does not know whether the replicas have the batch.
	c.producer = &kafka.Client{Addr: c.kafka.Addr, Transport: c.transport, Timeout: produceTimeout}
	return c
}

func (c *Client) newTransport(ctx context.Context) *kafka.Transport {
	return &kafka.Transport{
		ClientID: clientID, DialTimeout: dialTimeout, IdleTimeout: time.Minute,
		TLS: c.cfg.TLS, SASL: c.mechanism, Context: ctx,
	}
}

// Close gives the connections back. Calls under way fail.
func (c *Client) Close() {
	c.transport.CloseIdleConnections()
	c.closed()
}

// Brokers are the addresses that the client starts from.
func (c *Client) Brokers() []string { return append([]string(nil), c.cfg.Brokers...) }

// Ping tells whether a broker answers and lets the client in.
func (c *Client) Ping(ctx context.Context) error {
	if _, err := c.metadata(ctx); err != nil {
		return fmt.Errorf("no answer from Kafka: %w", err)
	}
	return nil
}

// renew forgets connections and metadata. kafka-go learns of a moved leader only when its metadata grows old (6 s) and
// finds each pooled connection to a restarted broker broken by failing one request on it; starting afresh after a failure
// takes milliseconds. Requests under way on healthy connections finish. Many loops fail at the same moment, hence the pause.
func (c *Client) renew() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.renewed) > 200*time.Millisecond {
		c.renewed = now
		c.transport.CloseIdleConnections()
	}
}

func (c *Client) dialer() *kafka.Dialer {
	return &kafka.Dialer{ClientID: clientID, Timeout: dialTimeout, DualStack: true, TLS: c.cfg.TLS, SASLMechanism: c.mechanism}
}
