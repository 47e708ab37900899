package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/bustest"
	"github.com/guanxi-crm/guanxi/tools/devstack/demo"
	"github.com/guanxi-crm/guanxi/tools/devstack/stack"
	"github.com/guanxi-crm/guanxi/tools/guanxictl/client"
)

// The programs under test, built once for all tests.
var programs = sync.OnceValues(func() (dir string, err error) {
	if dir, err = os.MkdirTemp("", "guanxi-e2e-bin-"); err != nil {
		return "", err
	}
	cmd := exec.Command("go", "build", "-o", dir+string(filepath.Separator), "./services/cmd/guanxi", "./tools/devstack", "./tools/guanxictl")
	cmd.Dir = filepath.Join("..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return dir, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := programs(); err == nil {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

// installation is the built platform on a stack of its own: one process with every part, which answers HTTP, and a
// second one that shares consumers, workers and relay with it.
type installation struct {
	t       *testing.T
	stack   *stack.Stack
	real    *bustest.Cluster // Apache Kafka instead of the stack's own; nil when the tests run without one
	bus     *bus.Client
	first   *stack.Process
	second  *stack.Process
	operate *client.Client
}

func install(t *testing.T) *installation {
	t.Helper()
	bin, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "guanxi-e2e-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil { // PostgreSQL's user has to pass through
		t.Fatal(err)
	}
	ports, err := stack.FreePorts()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	s, err := stack.Start(ctx, stack.Config{Binary: filepath.Join(bin, "devstack"), Dir: dir, Ports: ports, Report: func(line string) { t.Log(line) }})
	if err != nil {
		t.Fatal(err)
	}
	in := &installation{t: t, stack: s}
	t.Cleanup(func() {
		s.Stop()
		if t.Failed() {
			t.Logf("state and logs are kept in %s", dir)
			return
		}
		_ = os.RemoveAll(dir)
	})
	if os.Getenv(bustest.EnvBrokers) != "" {
		in.real = bustest.Start(t)
		in.real.DeleteTopics(t, "guanxi.") // of the installation before
	}
	in.bus = bus.NewClient(bus.Config{Brokers: in.brokers()}, bustest.Log(t))
	t.Cleanup(in.bus.Close)
	in.operate = in.client("", "platform-admin")
	in.startPlatform(ctx, filepath.Join(bin, "guanxi"))
	return in
}

func (in *installation) brokers() []string {
	if in.real != nil {
		return in.real.Addrs()
	}
	return []string{in.stack.KafkaAddr()}
}

func (in *installation) env(httpAddr string) []string {
	env := append(os.Environ(), in.stack.Env()...)
	return append(env, "GUANXI_KAFKA_BROKERS="+strings.Join(in.brokers(), ","), "GUANXI_HTTP_ADDR="+httpAddr)
}

func (in *installation) startPlatform(ctx context.Context, binary string) {
	in.t.Helper()
	httpAddr := strings.TrimPrefix(in.stack.ServerURL(), "http://")
	in.first = in.stack.Run(stack.Program{Name: "first", Path: binary, Env: in.env(httpAddr), Ready: in.operate.Ready})
	if err := in.first.WaitReady(ctx); err != nil {
		in.t.Fatal(err)
	}
	probes := freeAddr(in.t)
	probe, err := client.New("http://"+probes, nil)
	if err != nil {
		in.t.Fatal(err)
	}
	in.second = in.stack.Run(stack.Program{
		Name: "second", Path: binary, Args: []string{"serve", "--run=consumers,workers,relay"}, Env: in.env(probes), Ready: probe.Ready,
	})
	if err := in.second.WaitReady(ctx); err != nil {
		in.t.Fatal(err)
	}
}

func freeAddr(t *testing.T) string {
	t.Helper()
	ports, err := stack.FreePorts()
	if err != nil {
		t.Fatal(err)
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(ports.HTTP))
}

// client calls the platform with the role; an empty tenant is for platform administrators.
func (in *installation) client(tenant, role string) *client.Client {
	in.t.Helper()
	c, err := in.at().Client(tenant, role)
	if err != nil {
		in.t.Fatal(err)
	}
	return c
}

func (in *installation) at() demo.Installation {
	return demo.Installation{Server: in.stack.ServerURL(), Issuer: in.stack.IssuerURL(), Report: func(line string) { in.t.Log(line) }}
}

// importFile uploads data under one idempotency key until the platform has it, and waits until every row is dealt with,
// whatever is killed meanwhile.
func (in *installation) importFile(ctx context.Context, tenant string, request client.ImportRequest, data []byte) {
	in.t.Helper()
	api := in.client(tenant, "operations")
	request.IdempotencyKey = "import-" + request.Kind
	var job client.Import
	in.persist(ctx, "upload of "+request.Kind, func() (err error) {
		request.Body = bytes.NewReader(data)
		job, err = api.StartImport(ctx, request)
		return err
	})
	job, err := api.WaitImport(ctx, request.Kind, job.ID, nil)
	if err != nil {
		in.t.Fatal(err)
	}
	if job.State != "finished" || job.Rejected != 0 {
		in.t.Fatalf("the import of %s is %s with %d rows rejected", request.Kind, job.State, job.Rejected)
	}
}

// persist tries until it works; what the platform refuses for good fails the test.
func (in *installation) persist(ctx context.Context, what string, try func() error) {
	in.t.Helper()
	for {
		err := try()
		switch {
		case err == nil:
			return
		case ctx.Err() != nil:
			in.t.Fatalf("%s: %v", what, err)
		case !client.Temporary(err) && !inFlight(err):
			in.t.Fatalf("%s was refused: %v", what, err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// inFlight tells that the same request is still being carried out: its first sender was cut off, not its effect.
func inFlight(err error) bool {
	return strings.Contains(err.Error(), "idempotency_key_in_flight")
}

// eventually waits until it holds; what says what is not so yet.
func (in *installation) eventually(limit time.Duration, holds func() error) {
	in.t.Helper()
	deadline := time.Now().Add(limit)
	for {
		err := holds()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			in.t.Fatalf("not within %s: %v", limit, err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// level tells what is still on its way, in any service.
func (in *installation) level() error {
	for _, service := range client.Services() {
		status, err := in.operate.GetStatus(in.t.Context(), service)
		if err != nil {
			return err
		}
		if !status.Level() {
			return fmt.Errorf("%s is not level: %+v", service, status)
		}
	}
	return nil
}

// parked counts events that were set aside, in any service.
func (in *installation) parked() int64 {
	in.t.Helper()
	var n int64
	for _, service := range client.Services() {
		status, err := in.operate.GetStatus(in.t.Context(), service)
		if err != nil {
			in.t.Fatal(err)
		}
		for _, c := range status.Consumers {
			n += c.Parked
		}
	}
	return n
}

// database is a superuser's look into a service's database.
func (in *installation) database(ctx context.Context, service string) (*pgx.Conn, error) {
	cfg, err := pgx.ParseConfig(in.stack.AdminURL())
	if err != nil {
		return nil, err
	}
	if service != "" {
		cfg.Database = "guanxi_" + service
	}
	return pgx.ConnectConfig(ctx, cfg)
}

// guanxictl runs the command line as an operator would.
func (in *installation) guanxictl(ctx context.Context, args ...string) (string, error) {
	bin, err := programs()
	if err != nil {
		return "", err
	}
	args = append([]string{"--server", in.stack.ServerURL(), "--issuer", in.stack.IssuerURL(), "--kafka", strings.Join(in.brokers(), ",")}, args...)
	out, err := exec.CommandContext(ctx, filepath.Join(bin, "guanxictl"), args...).CombinedOutput()
	return string(out), err
}

// stringField gives a field of a JSON object.
func stringField(raw []byte, name string) (string, error) {
	var fields map[string]any
	if err := json.Unmarshal(raw, &fields); err != nil {
		return "", err
	}
	text, _ := fields[name].(string)
	return text, nil
}
