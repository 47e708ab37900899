package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/tools/devstack/stack"
	"github.com/guanxi-crm/guanxi/tools/guanxictl/client"
)

// tenant is whose customers and orders are made to measure with.
const tenant = "bench"

// installation is the built platform on a stack of its own, all in a temporary folder.
type installation struct {
	dir     string
	stack   *stack.Stack
	program string // the all-in-one program
	process *stack.Process
	bus     *bus.Client
	operate *client.Client // as a platform administrator
	api     *client.Client // as an administrator of the tenant
	env     []string
	say     func(string)

	stackTook, firstTook time.Duration // until ready, from nothing
}

// install builds what is not given and starts everything.
func install(ctx context.Context, o options, say func(string)) (_ *installation, err error) {
	in := &installation{say: say}
	if in.dir, err = os.MkdirTemp("", "guanxi-bench-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, in.uninstall(o.keep))
		}
	}()
	if err := os.Chmod(in.dir, 0o755); err != nil { //nolint:gosec // PostgreSQL's user has to pass through
		return nil, err
	}
	devstack := o.devstack
	if in.program = o.guanxi; in.program == "" {
		if in.program, err = in.build(ctx, "./services/cmd/guanxi"); err != nil {
			return nil, err
		}
	}
	if devstack == "" {
		if devstack, err = in.build(ctx, "./tools/devstack"); err != nil {
			return nil, err
		}
	}
	if err := in.startStack(ctx, devstack, o.traces); err != nil {
		return nil, err
	}
	say("starting the platform")
	began := time.Now()
	if err := in.serve(ctx, ""); err != nil {
		return nil, err
	}
	in.firstTook = time.Since(began)
	in.bus = bus.NewClient(bus.Config{Brokers: []string{in.stack.KafkaAddr()}}, quiet())
	if in.api, err = in.client(tenant, "admin"); err != nil {
		return nil, err
	}
	return in, in.ensureTenant(ctx, tenant)
}

func (in *installation) ensureTenant(ctx context.Context, name string) error {
	return in.operate.EnsureTenant(ctx, client.Tenant{
		TenantID: name, DisplayName: "Bench", Region: "CN", Language: "zh-Hans", TimeZone: "Asia/Shanghai", Currency: "CNY",
	})
}

func (in *installation) build(ctx context.Context, what string) (string, error) {
	in.say("building " + what + " (minutes on a cold machine, seconds later)")
	path := filepath.Join(in.dir, "bin", filepath.Base(what))
	cmd := exec.CommandContext(ctx, "go", "build", "-o", path, what)
	root, err := repo()
	if err != nil {
		return "", err
	}
	cmd.Dir, cmd.Stdout, cmd.Stderr = root, os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("build %s: %w", what, err)
	}
	return path, nil
}

// repo is the folder with go.work, here or above.
func repo() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("no go.work here or above: start this from within the repository")
		}
		dir = filepath.Dir(dir)
	}
	return "", err
}

func (in *installation) startStack(ctx context.Context, devstack string, traces bool) error {
	ports, err := stack.FreePorts()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	began := time.Now()
	in.stack, err = stack.Start(ctx, stack.Config{Binary: devstack, Dir: filepath.Join(in.dir, "stack"), Ports: ports, Report: in.say})
	if err != nil {
		return err
	}
	in.stackTook = time.Since(began)
	in.env = append(os.Environ(), in.stack.Env()...)
	if !traces {
		in.env = append(in.env, "OTEL_TRACES_SAMPLER=parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG=0.01")
	}
	in.operate, err = in.client("", "platform-admin")
	return err
}

// serve runs the platform with these roles, separated by commas, in the place of the process that ran before; all roles
// when there is none. It returns when the process is ready.
func (in *installation) serve(ctx context.Context, roles string) error {
	if in.process != nil {
		in.process.Stop()
	}
	args := []string{"serve"}
	if roles != "" {
		args = append(args, "--run="+roles)
	}
	in.process = in.stack.Run(stack.Program{Name: "guanxi", Path: in.program, Args: args, Env: in.env, Ready: in.operate.Ready})
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	return in.process.WaitReady(ctx)
}

// uninstall stops everything and removes the folder.
func (in *installation) uninstall(keep bool) error {
	if in.bus != nil {
		in.bus.Close()
	}
	if in.stack != nil {
		in.stack.Stop()
	}
	if keep {
		in.say("state and logs are kept in " + in.dir)
		return nil
	}
	return os.RemoveAll(in.dir)
}

// client calls the platform with the role; an empty tenant is for platform administrators.
func (in *installation) client(tenant, role string) (*client.Client, error) {
	return client.New(in.stack.ServerURL(), in.tokens(tenant, role))
}

func (in *installation) tokens(tenant, role string) client.TokenSource {
	return client.FromDevIssuer(in.stack.IssuerURL(), client.DevToken{Subject: "bench", Tenant: tenant, Roles: []string{role}})
}

// open gives a pool of a role of a service's database.
func (in *installation) open(ctx context.Context, service string, role pg.Role) (*pg.DB, error) {
	return pg.Open(ctx, pg.Config{URL: in.setting("GUANXI_PG_URL"), MaxConns: 16}, service, role)
}

func (in *installation) setting(name string) string {
	for _, line := range in.stack.Env() {
		if value, ok := strings.CutPrefix(line, name+"="); ok {
			return value
		}
	}
	return ""
}

// database is a superuser's connection to a service's database.
func (in *installation) database(ctx context.Context, service string) (*pgx.Conn, error) {
	cfg, err := pgx.ParseConfig(in.stack.AdminURL())
	if err != nil {
		return nil, err
	}
	cfg.Database = "guanxi_" + service
	return pgx.ConnectConfig(ctx, cfg)
}

// settle waits until nothing is on its way in any service.
func (in *installation) settle(ctx context.Context) error { return in.settleWithin(ctx, 5*time.Minute) }

func (in *installation) settleWithin(ctx context.Context, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		level := true
		for _, service := range client.Services() {
			status, err := in.operate.GetStatus(ctx, service)
			if err != nil {
				return err
			}
			level = level && status.Level()
		}
		if level {
			return nil
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return fmt.Errorf("the projections do not get level: %w", err)
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// quiet is the log of the parts that run within this process.
func quiet() *slog.Logger {
	return slog.New(slog.NewTextHandler(io.Writer(os.Stderr), &slog.HandlerOptions{Level: slog.LevelError}))
}
