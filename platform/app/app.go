// Package app is the life of a process: it reads the configuration, opens what the services stand on, runs the parts
// that the process was told to run, answers the probes, and takes everything down in an order that loses nothing.
// A service is a Module; one process runs one of them or all.
package app

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"go.temporal.io/sdk/worker"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/blob"
	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/peer"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/inbox"
	"github.com/guanxi-crm/guanxi/platform/pg/migrate"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/turns"
)

// Version is what the process says of itself in its OpenAPI and its traces; the build sets it.
var Version = "dev"

// Module is one service: what it is called, what it keeps and what it is made of.
type Module struct {
	// Name is the service's name in paths, topics, databases and task queues, such as accounts.
	Name string
	// Title heads its OpenAPI document.
	Title string
	// Migrations are its goose files.
	Migrations fs.FS
	// Projection, when there is one, are the goose files of tables that can be rebuilt from topics.
	Projection fs.FS
	// ProjectionTables are the tables of Projection whose content a rebuild must reach again.
	ProjectionTables []string
	// Aliases asks for the table of platform/alias; where there is a projection, it is one of its tables.
	Aliases bool
	// Blobs asks for a place for files: Deps.Blobs.
	Blobs bool
	// Peers are the services whose APIs it calls by Deps.Peers.
	Peers []string
	// Build makes the service's parts. It must not call out: nothing it depends on need be up yet.
	Build func(d Deps) (Parts, error)
}

// Source is what the module's databases are migrated with.
func (m Module) Source() migrate.Source {
	return migrate.Source{Service: m.Name, FS: m.Migrations, Projection: m.Projection, Aliases: m.Aliases}
}

// Deps is what a module may use.
type Deps struct {
	Config Config
	Log    *slog.Logger
	DB     *pg.DB // as the app role: bound by row level security
	Ops    *pg.DB // as the ops role: scans of what is due, across tenants
	Bus    *bus.Client
	Outbox *outbox.Outbox
	Flow   *flow.Client
	Blobs  blob.Store     // nil unless Module.Blobs asks for it; keys begin with the module's name
	Peers  *peer.Client   // the APIs of the services that Module.Peers names
	Tokens *auth.Verifier // of the issuer, for a module that signs people in
	Turns  *turns.Turns   // of all consumers and imports of the process
	Clock  func() time.Time
}

// Parts is what a module is made of.
type Parts struct {
	Routes    []func(*httpx.API)
	Site      *httpx.Site // nil: none; a process has one at most
	Consumers []inbox.Consumer
	// Worker registers workflows and activities on the task queue that bears the module's name.
	Worker    func(worker.Registry)
	Schedules []flow.Schedule
	// Background are loops that belong to the workers' role and end with their context.
	Background []func(context.Context) error
	// Waiting, where there is one, says in the service's status what it has still to do of its own.
	Waiting func(context.Context) ([]WaitingStatus, error)
}

// Main runs the modules as the command line says and never returns.
func Main(modules ...Module) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := Run(ctx, os.Args[1:], os.Environ(), os.Stdout, modules...)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		_, _ = fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

const usage = `Usage: %s [serve|bootstrap|migrate|openapi|probe] [flags]

  serve            run the services until SIGTERM (the default)
  bootstrap        make databases and roles (needs pg.admin_url)
  migrate          bring the databases to this version's schema
  openapi SERVICE  print the OpenAPI document of a service
  probe URL...     fetch each URL, and fail unless all answer 200

Flags:
`

// Run is Main without the process around it: it returns when ctx ends or a part fails.
func Run(ctx context.Context, args, environ []string, out io.Writer, modules ...Module) error {
	command := "serve"
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		command, args = args[0], args[1:]
	}
	var path, run, services string
	var validate bool
	flags := flag.NewFlagSet(command, flag.ContinueOnError)
	flags.SetOutput(out)
	flags.StringVar(&path, "config", "", "YAML file with the configuration")
	flags.StringVar(&run, "run", "", "roles to run, separated by commas: "+strings.Join(AllRoles, ", ")+" (default all)")
	flags.StringVar(&services, "services", "", "services to run, separated by commas: "+strings.Join(sortedNames(modules), ", ")+" (default all)")
	flags.BoolVar(&validate, "validate", false, "check the configuration, print it (* where it differs from the default) and stop")
	flags.Usage = func() {
		_, _ = fmt.Fprintf(out, usage, "guanxi")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	modules, err := choose(modules, splitList(services))
	if err != nil {
		return err
	}
	if command == "openapi" {
		return printOpenAPI(out, flags.Args(), modules)
	}
	if command == "probe" {
		return probe(ctx, out, flags.Args())
	}
	cfg, err := LoadConfig(path, environ)
	if err != nil {
		return err
	}
	if run != "" {
		cfg.Run = splitList(run)
	}
	faults := []error{cfg.Validate()}
	for _, m := range modules {
		faults = append(faults, cfg.needs(m, names(modules)))
	}
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("the configuration is not complete:\n%w", err)
	}
	if validate {
		return printConfig(out, cfg)
	}
	switch command {
	case "serve":
		return serve(ctx, cfg, modules)
	case "bootstrap":
		return bootstrap(ctx, cfg, out, modules)
	case "migrate":
		return migrateAll(ctx, cfg, out, modules)
	default:
		flags.Usage()
		return fmt.Errorf("unknown command %q", command)
	}
}

// choose gives the modules that are named, in the order in which they stand; all where none is.
func choose(modules []Module, wanted []string) ([]Module, error) {
	if len(wanted) == 0 {
		return modules, nil
	}
	for _, name := range wanted {
		if !names(modules)[name] {
			return nil, fmt.Errorf("services: %q is not one of %s", name, strings.Join(sortedNames(modules), ", "))
		}
	}
	chosen := make([]Module, 0, len(wanted))
	for _, m := range modules {
		if slices.Contains(wanted, m.Name) {
			chosen = append(chosen, m)
		}
	}
	return chosen, nil
}

func sortedNames(modules []Module) []string { return slices.Sorted(maps.Keys(names(modules))) }

func printConfig(out io.Writer, cfg Config) error {
	lines, err := cfg.Redacted()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, strings.Join(lines, "\n"))
	return err
}

func bootstrap(ctx context.Context, cfg Config, out io.Writer, modules []Module) error {
	if cfg.PG.AdminURL == "" {
		return errors.New("bootstrap needs pg.admin_url: a role that may create databases and roles")
	}
	for _, m := range modules {
		if err := migrate.Bootstrap(ctx, cfg.PG.AdminURL, pg.Config{URL: cfg.PG.URL}, m.Name); err != nil {
			return fmt.Errorf("bootstrap %s: %w", m.Name, err)
		}
		_, _ = fmt.Fprintf(out, "%s: database and roles are there\n", m.Name)
	}
	return nil
}

func migrateAll(ctx context.Context, cfg Config, out io.Writer, modules []Module) error {
	for _, m := range modules {
		if err := migrate.Up(ctx, pg.Config{URL: cfg.PG.URL}, m.Source()); err != nil {
			return fmt.Errorf("migrate %s: %w", m.Name, err)
		}
		_, _ = fmt.Fprintf(out, "%s: schema is up to date\n", m.Name)
	}
	return nil
}
