package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/guanxi-crm/guanxi/tools/devstack/stack"
)

// startWithin is how long all parts together may take to get ready: a cold PostgreSQL makes its files first, and
// Temporal its schema.
const startWithin = 3 * time.Minute

// where is what up and dev share: the folder and the ports.
type where struct {
	dir   string
	ports stack.Ports
}

func (w *where) flags(c *cobra.Command) {
	w.ports = stack.DefaultPorts()
	f := c.Flags()
	f.StringVar(&w.dir, "dir", "", "folder for all state (default .guanxi/dev in the repository)")
	f.IntVar(&w.ports.HTTP, "http-port", w.ports.HTTP, "port of the platform")
	f.IntVar(&w.ports.Postgres, "postgres-port", w.ports.Postgres, "port of PostgreSQL")
	f.IntVar(&w.ports.Kafka, "kafka-port", w.ports.Kafka, "port of Kafka")
	f.IntVar(&w.ports.Temporal, "temporal-port", w.ports.Temporal, "port of Temporal")
	f.IntVar(&w.ports.TemporalWeb, "temporal-web-port", w.ports.TemporalWeb, "port of Temporal's own page")
	f.IntVar(&w.ports.Issuer, "issuer-port", w.ports.Issuer, "port of the development issuer of tokens")
	f.IntVar(&w.ports.Traces, "traces-port", w.ports.Traces, "port of the trace store (OTLP over HTTP)")
	f.IntSliceVar(&w.ports.TemporalInternal, "temporal-internal-ports", w.ports.TemporalInternal,
		"seven ports, at most 32767, that Temporal's services use among themselves")
}

func (w *where) start(ctx context.Context, report func(string)) (*stack.Stack, error) {
	dir, err := stateDir(w.dir, report)
	if err != nil {
		return nil, err
	}
	if err := w.ports.Check(); err != nil {
		return nil, err
	}
	return startStack(ctx, dir, w.ports, report)
}

func startStack(ctx context.Context, dir string, ports stack.Ports, report func(string)) (*stack.Stack, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	report("starting PostgreSQL, Kafka, Temporal, the token issuer and the trace store; state and logs are in " + dir)
	return stack.Start(ctx, stack.Config{Binary: self, Dir: dir, Ports: ports, Report: report})
}

// stateDir chooses the folder. PostgreSQL does not run as root, and the user that it runs as instead cannot go below
// /root, so a default folder there is moved to /var/tmp.
func stateDir(asked string, report func(string)) (string, error) {
	if asked != "" {
		return filepath.Abs(asked)
	}
	repo, err := findRepo()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(repo, ".guanxi", "dev")
	if os.Geteuid() == 0 && strings.HasPrefix(dir+"/", "/root/") {
		moved := filepath.Join("/var/tmp/guanxi-dev", strings.ReplaceAll(strings.Trim(dir, "/"), "/", "-"))
		report("you are root and PostgreSQL runs as another user, who cannot enter /root: the state goes to " + moved)
		return moved, nil
	}
	return dir, nil
}

// findRepo looks for go.work from the working folder upwards.
func findRepo() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no go.work here or above: start this from within the repository")
		}
		dir = parent
	}
}

func upCommand() *cobra.Command {
	var w where
	c := &cobra.Command{
		Use:   "up",
		Short: "Run all parts, without the platform, until Ctrl-C",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			report := stack.Lines(cmd.OutOrStdout())
			s, err := w.start(cmd.Context(), report)
			if err != nil {
				return err
			}
			defer s.Stop()
			report("everything is up; `. " + filepath.Join(s.Dir(), "env") + "` sets the environment for the platform")
			for _, line := range places(s) {
				report(line)
			}
			<-cmd.Context().Done()
			report("stopping")
			return nil
		},
	}
	w.flags(c)
	return c
}

// places says where each part answers.
func places(s *stack.Stack) []string {
	return []string{
		"PostgreSQL       " + s.AdminURL(),
		"Kafka            " + s.KafkaAddr(),
		fmt.Sprintf("Temporal         %s, its page %s", s.TemporalAddr(), s.TemporalWebURL()),
		"token issuer     " + s.IssuerURL(),
		"traces           " + s.TracesURL() + "/traces",
	}
}
