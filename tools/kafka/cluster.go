package main

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	kafka "github.com/segmentio/kafka-go"

	"github.com/guanxi-crm/guanxi/platform/freeport"
)

//go:embed log4j2.properties
var logging []byte

const readyTimeout = 2 * time.Minute

// cluster is some brokers, each a controller as well, that keep their addresses for life.
type cluster struct {
	dir     string
	jars    string
	brokers []*broker
}

type broker struct {
	id               int
	port, controller int
	dir              string

	mu   sync.Mutex
	cmd  *exec.Cmd
	gone chan struct{} // closed when cmd has ended
}

func newCluster(dir, jars string, n int) (*cluster, error) {
	if _, err := exec.LookPath("java"); err != nil {
		return nil, fmt.Errorf("java is needed, 17 or newer: %w", err)
	}
	c := &cluster{dir: dir, jars: jars}
	ports, err := freeport.Reserve(2 * n)
	if err != nil {
		return nil, err
	}
	for i := range n {
		c.brokers = append(c.brokers, &broker{
			id: i, port: ports[2*i], controller: ports[2*i+1], dir: filepath.Join(dir, "broker-"+strconv.Itoa(i)),
		})
	}
	return c, nil
}

func (c *cluster) addrs() []string {
	addrs := make([]string, len(c.brokers))
	for i, b := range c.brokers {
		addrs[i] = b.addr()
	}
	return addrs
}

func (b *broker) addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(b.port)) }

// start formats the storage where that was not done before, starts all brokers and waits until they know each other.
func (c *cluster) start(ctx context.Context) error {
	if err := os.MkdirAll(c.dir, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(c.dir, "log4j2.properties"), logging, 0o644); err != nil {
		return err
	}
	id, err := c.id()
	if err != nil {
		return err
	}
	errs := make([]error, len(c.brokers))
	var wg sync.WaitGroup
	for i, b := range c.brokers {
		wg.Go(func() { errs[i] = c.format(ctx, b, id) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for _, b := range c.brokers {
		if err := c.launch(b); err != nil {
			return err
		}
	}
	for _, b := range c.brokers {
		if err := c.await(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

// id is the cluster's name, made at the first start.
func (c *cluster) id() (string, error) {
	file := filepath.Join(c.dir, "cluster.id")
	if have, err := os.ReadFile(file); err == nil {
		return string(have), nil
	}
	var raw [16]byte
	_, _ = rand.Read(raw[:]) // never fails
	raw[0] &= 0x7f           // so that it does not begin with a dash, which would look like a flag
	id := base64.RawURLEncoding.EncodeToString(raw[:])
	return id, os.WriteFile(file, []byte(id), 0o644)
}

func (c *cluster) format(ctx context.Context, b *broker, id string) error {
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(b.dir, "server.properties"), []byte(c.properties(b)), 0o644); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(b.dir, "data", "meta.properties")); err == nil {
		return nil
	}
	cmd := c.java(ctx, b, "kafka.tools.StorageTool", "format", "--cluster-id", id, "--config", filepath.Join(b.dir, "server.properties"))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("format the storage of broker %d: %w\n%s", b.id, err, out)
	}
	return nil
}

// properties makes small brokers that notice within seconds that one of them is gone.
func (c *cluster) properties(b *broker) string {
	voters := make([]string, len(c.brokers))
	for i, v := range c.brokers {
		voters[i] = fmt.Sprintf("%d@127.0.0.1:%d", v.id, v.controller)
	}
	copies := min(3, len(c.brokers))
	return fmt.Sprintf(`process.roles=broker,controller
node.id=%d
listeners=PLAINTEXT://127.0.0.1:%d,CONTROLLER://127.0.0.1:%d
advertised.listeners=PLAINTEXT://127.0.0.1:%d
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.quorum.voters=%s
log.dirs=%s
auto.create.topics.enable=false
default.replication.factor=%d
offsets.topic.replication.factor=%d
offsets.topic.num.partitions=6
transaction.state.log.replication.factor=%d
transaction.state.log.num.partitions=2
share.coordinator.state.topic.replication.factor=%d
share.coordinator.state.topic.num.partitions=2
group.initial.rebalance.delay.ms=0
broker.heartbeat.interval.ms=1000
broker.session.timeout.ms=4000
num.network.threads=2
num.io.threads=4
log.cleaner.dedupe.buffer.size=8388608
`, b.id, b.port, b.controller, b.port, strings.Join(voters, ","), filepath.Join(b.dir, "data"), copies, copies, copies, copies)
}

// java runs a class with a modest heap; it compiles little, for these brokers do not live long.
func (c *cluster) java(ctx context.Context, b *broker, class string, args ...string) *exec.Cmd {
	args = append([]string{
		"-Xmx256m", "-Xms64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.net.preferIPv4Stack=true",
		"-Dlog4j2.configurationFile=" + filepath.Join(c.dir, "log4j2.properties"),
		"-cp", filepath.Join(c.jars, "*"), class,
	}, args...)
	cmd := exec.CommandContext(ctx, "java", args...)
	cmd.Dir = b.dir
	cmd.SysProcAttr = apart()
	return cmd
}

// launch starts the broker's process, unless it runs.
func (c *cluster) launch(b *broker) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.running() {
		return nil
	}
	out, err := os.OpenFile(filepath.Join(b.dir, "broker.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	cmd := c.java(context.Background(), b, "kafka.Kafka", filepath.Join(b.dir, "server.properties"))
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		_ = out.Close()
		return fmt.Errorf("start broker %d: %w", b.id, err)
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_ = cmd.Wait() // how it ended stands in its log
		_ = out.Close()
	}()
	b.cmd, b.gone = cmd, gone
	return nil
}

// running tells whether the process lives; the caller holds the lock.
func (b *broker) running() bool {
	if b.cmd == nil {
		return false
	}
	select {
	case <-b.gone:
		return false
	default:
		return true
	}
}

// end sends a signal to the process and waits until it is gone.
func (b *broker) end(sig os.Signal, patience time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.running() {
		return
	}
	_ = b.cmd.Process.Signal(sig) // gone already, otherwise
	select {
	case <-b.gone:
	case <-time.After(patience):
		_ = b.cmd.Process.Kill()
		<-b.gone
	}
}

// await returns when the broker answers, knows all brokers and sees that they have what they should have.
func (c *cluster) await(ctx context.Context, b *broker) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	var last error
	for {
		last = c.knows(ctx, b)
		if last == nil {
			return nil
		}
		b.mu.Lock()
		running := b.running()
		b.mu.Unlock()
		if !running {
			log, _ := os.ReadFile(filepath.Join(b.dir, "broker.log"))
			return fmt.Errorf("broker %d ended:\n%s", b.id, log[max(0, len(log)-4000):])
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("broker %d is not ready, see %s: %w", b.id, filepath.Join(b.dir, "broker.log"), last)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func (c *cluster) knows(ctx context.Context, b *broker) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	t := &kafka.Transport{Context: ctx}
	defer t.CloseIdleConnections()
	meta, err := (&kafka.Client{Addr: kafka.TCP(b.addr()), Transport: t}).Metadata(ctx, &kafka.MetadataRequest{})
	if err != nil {
		return err
	}
	if len(meta.Brokers) < len(c.brokers) {
		return fmt.Errorf("it knows %d of %d brokers", len(meta.Brokers), len(c.brokers))
	}
	for _, t := range meta.Topics {
		for _, p := range t.Partitions {
			if len(p.Isr) < len(p.Replicas) {
				return fmt.Errorf("replicas of %s/%d are not in sync yet", t.Name, p.ID)
			}
		}
	}
	return nil
}

func (c *cluster) stop() {
	var wg sync.WaitGroup
	for _, b := range c.brokers {
		wg.Go(func() { b.end(os.Interrupt, 5*time.Second) })
	}
	wg.Wait()
}
