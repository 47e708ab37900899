// Command guanxictl is the command line of the platform: it imports files, explains points, leads complaints, merges customers, follows and
// replays events, repairs what is parked, and tells how an installation is doing.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/guanxi-crm/guanxi/tools/guanxictl/client"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command(os.Getenv).ExecuteContext(ctx)
	stop()
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

// tool is what the commands share: where the installation is, who asks, and how to answer.
type tool struct {
	server, token, issuer, tenant, role, subject, unit string
	kafka                                              []string
	output                                             string
	getenv                                             func(string) string
}

// The addresses of a development stack.
const (
	devServer = "http://127.0.0.1:8080"
	devIssuer = "http://127.0.0.1:8180"
	devKafka  = "127.0.0.1:9092"
	devTraces = "http://127.0.0.1:4318"
)

func command(getenv func(string) string) *cobra.Command {
	t := &tool{getenv: getenv}
	root := &cobra.Command{
		Use:   "guanxictl",
		Short: "Command line of the Guanxi platform",
		Long: `guanxictl talks to an installation through its public surfaces: the HTTP API and Kafka.

Who asks is said by a token (--token or GUANXI_TOKEN). On loopback, without one, a token of the development issuer is
fetched for --tenant and --role.`,
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			if t.output != "table" && t.output != "json" {
				return fmt.Errorf("--output is table or json, not %q", t.output)
			}
			return nil
		},
	}
	flags := root.PersistentFlags()
	flags.StringVar(&t.server, "server", devServer, "URL of the API")
	flags.StringVar(&t.token, "token", "", "bearer token (default: GUANXI_TOKEN)")
	flags.StringVar(&t.issuer, "issuer", "", "URL of a development issuer to get a token from (default on loopback: "+devIssuer+")")
	flags.StringVar(&t.tenant, "tenant", "", "tenant of the development token; for events, show only this one's")
	flags.StringVar(&t.role, "role", "", "role of the development token (default: admin, without --tenant platform-admin)")
	flags.StringVar(&t.subject, "subject", "guanxictl", "subject of the development token")
	flags.StringVar(&t.unit, "unit", "", "unit of the development token's person, where the platform is introduced unit by unit")
	flags.StringSliceVar(&t.kafka, "kafka", []string{devKafka}, "Kafka brokers, host:port")
	flags.StringVarP(&t.output, "output", "o", "table", "table or json")
	root.AddCommand(t.importCommand(), t.pointsCommand(), t.complaintCommand(), t.rolloutCommand(), t.slaCommand(), t.mergeCommand(), t.erasureCommand(), t.eventsCommand(), t.parkedCommand(), t.doctorCommand(),
		t.traceCommand(), t.accountsCommand(), t.analyticsCommand(), t.tokenCommand())
	return root
}

// client makes the HTTP client of the principal that the flags describe.
func (t *tool) client() (*client.Client, error) {
	tokens, err := t.tokens()
	if err != nil {
		return nil, err
	}
	return client.New(t.server, tokens)
}

func (t *tool) tokens() (client.TokenSource, error) {
	if token := t.token; token != "" {
		return client.StaticToken(token), nil
	}
	if t.issuer == "" {
		if token := t.getenv("GUANXI_TOKEN"); token != "" {
			return client.StaticToken(token), nil
		}
		if !onLoopback(t.server) {
			return nil, errors.New("no token: give --token or set GUANXI_TOKEN")
		}
		t.issuer = devIssuer
	}
	return client.FromDevIssuer(t.issuer, t.devToken()), nil
}

func (t *tool) devToken() client.DevToken {
	role := t.role
	switch {
	case role != "":
	case t.tenant == "":
		role = "platform-admin"
	default:
		role = "admin"
	}
	return client.DevToken{Subject: t.subject, Tenant: t.tenant, Roles: []string{role}, Unit: t.unit}
}

func onLoopback(server string) bool {
	u, err := url.Parse(server)
	if err != nil {
		return false
	}
	switch u.Hostname() {
	case "127.0.0.1", "localhost", "::1":
		return true
	}
	return false
}

func (t *tool) tokenCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "token",
		Short: "Print a token of the development issuer",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			issuer := t.issuer
			if issuer == "" {
				issuer = devIssuer
			}
			token, err := client.FetchDevToken(cmd.Context(), issuer, t.devToken())
			if err != nil {
				return err
			}
			return t.print(cmd, map[string]string{"access_token": token}, func(p *table) { p.line(token) })
		},
	}
}
