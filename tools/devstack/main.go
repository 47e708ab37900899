// Command devstack runs all that the platform needs on one machine, without a container: PostgreSQL, Kafka, Temporal with
// its page, an issuer of tokens and a store of traces. It also runs the platform on them for development (dev) and
// proves the main road on real data (demo-check).
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command().ExecuteContext(ctx)
	stop()
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "devstack:", err)
		os.Exit(1)
	}
}

func command() *cobra.Command {
	root := &cobra.Command{
		Use:           "devstack",
		Short:         "Everything the platform stands on, on one machine",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(upCommand(), devCommand(), runCommand(), demoCheckCommand())
	root.AddCommand(postgresCommand(), kafkaCommand(), temporalCommand(), issuerCommand(), tracesCommand())
	return root
}
