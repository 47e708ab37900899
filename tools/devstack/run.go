package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"

	"github.com/spf13/cobra"

	"github.com/guanxi-crm/guanxi/tools/devstack/cdnow"
	"github.com/guanxi-crm/guanxi/tools/devstack/demo"
	"github.com/guanxi-crm/guanxi/tools/devstack/stack"
)

// temporalForTests names the Temporal server to tests that need a real one.
const temporalForTests = "GUANXI_TEST_TEMPORAL"

// consoleForTests names the console of the platform to tests in a browser.
const consoleForTests = "GUANXI_TEST_CONSOLE"

func runCommand() *cobra.Command {
	var platform bool
	c := &cobra.Command{
		Use:   "run -- COMMAND [ARGUMENT...]",
		Short: "Run a command with all parts up, on free ports in a temporary folder",
		Long: `Run starts all parts, without the platform, and then the command, whose environment names them as a service expects it;
` + temporalForTests + ` names the Temporal server to tests. It ends with the command. With --platform the platform runs as well, with the
console's page and demo data, tenant music with a synthetic history, one order that consumers set aside, and subscriptions of tenant pizza
to its events; ` + consoleForTests + ` names its console.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runWithStack(cmd.Context(), args, platform, stack.Lines(cmd.ErrOrStderr()))
		},
	}
	c.Flags().BoolVar(&platform, "platform", false, "build and run the platform too, with demo data")
	return c
}

func runWithStack(ctx context.Context, args []string, platform bool, report func(string)) (err error) {
	dir, err := temporaryDir()
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			report("state and logs are kept in " + dir)
			return
		}
		err = os.RemoveAll(dir)
	}()
	ports, err := stack.FreePorts()
	if err != nil {
		return err
	}
	s, err := startStack(ctx, dir, ports, report)
	if err != nil {
		return err
	}
	defer s.Stop()
	if platform {
		stop, err := runPlatform(ctx, s, report)
		if err != nil {
			return err
		}
		defer stop()
	}
	command := exec.CommandContext(ctx, args[0], args[1:]...)
	command.Env = append(append(os.Environ(), s.Env()...), temporalForTests+"="+s.TemporalAddr())
	if platform {
		command.Env = append(command.Env, consoleForTests+"="+s.ServerURL()+"/console")
	}
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := command.Run(); err != nil {
		return errors.Join(errors.New(strings.Join(args, " ")), err)
	}
	return nil
}

// runPlatform builds and starts the platform with the console's page, and loads demo data. Who
// subscribes to events reads until stop.
func runPlatform(ctx context.Context, s *stack.Stack, report func(string)) (stop func(), err error) {
	repo, err := findRepo()
	if err != nil {
		return nil, err
	}
	if err := buildPage(ctx, repo, report); err != nil {
		return nil, err
	}
	binary, err := buildPlatform(ctx, repo, s.Dir(), report)
	if err != nil {
		return nil, err
	}
	if err := startPlatform(ctx, s, binary, report); err != nil {
		return nil, err
	}
	at := demo.Installation{Server: s.ServerURL(), Issuer: s.IssuerURL(), Report: report}
	music := func(ctx context.Context) error { return at.LoadMusic(ctx, cdnow.Synthetic()) }
	for _, load := range []func(context.Context) error{
		at.Tenants, at.LoadPizza, at.LoadRollout, at.LoadComplaints, at.LoadLoyalty, at.LoadSales, music, at.LoadAnalytics,
	} {
		if err := load(ctx); err != nil {
			return nil, err
		}
	}
	if err := spoil(ctx, s); err != nil {
		return nil, err
	}
	return subscribe(ctx, s)
}
