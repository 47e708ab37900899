package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"

	"github.com/spf13/cobra"

	"github.com/guanxi-crm/guanxi/tools/devstack/stack"
)

// temporalForTests names the Temporal server to tests that need a real one.
const temporalForTests = "GUANXI_TEST_TEMPORAL"

func runCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "run -- COMMAND [ARGUMENT...]",
		Short: "Run a command with all parts up, on free ports in a temporary folder",
		Long: `Run starts all parts, without the platform, and then the command, whose environment names them as a service expects it;
` + temporalForTests + ` names the Temporal server to tests. It ends with the command.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runWithStack(cmd.Context(), args, stack.Lines(cmd.ErrOrStderr()))
		},
	}
}

func runWithStack(ctx context.Context, args []string, report func(string)) (err error) {
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
	command := exec.CommandContext(ctx, args[0], args[1:]...)
	command.Env = append(append(os.Environ(), s.Env()...), temporalForTests+"="+s.TemporalAddr())
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := command.Run(); err != nil {
		return errors.Join(errors.New(strings.Join(args, " ")), err)
	}
	return nil
}
