package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/bustest"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/tools/devstack/internal/postgres"
	"github.com/guanxi-crm/guanxi/tools/devstack/internal/temporald"
	"github.com/guanxi-crm/guanxi/tools/devstack/internal/tracestore"
	"github.com/guanxi-crm/guanxi/tools/devstack/stack"
)

const (
	keepSpans    = 100_000 // some 100 MB at most
	keepSpansFor = time.Hour
	waitPostgres = time.Minute
	home         = "127.0.0.1" // where parts listen when they are not told otherwise
)

// place is where a part keeps its state and where it listens.
type place struct {
	dir  string
	host string
	port int
}

func (p place) addr() string { return net.JoinHostPort(p.host, strconv.Itoa(p.port)) }

// part is one program of the stack: it runs until it is asked to end.
func part(name, short string, run func(ctx context.Context, at place) error) *cobra.Command {
	var at place
	c := &cobra.Command{
		Use: name, Short: short, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := os.MkdirAll(at.dir, 0o755); err != nil {
				return err
			}
			return run(cmd.Context(), at)
		},
	}
	c.Flags().StringVar(&at.dir, "dir", "", "folder for its state")
	c.Flags().StringVar(&at.host, "host", home, "address to listen at; 0.0.0.0 in a pod")
	c.Flags().IntVar(&at.port, "port", 0, "port to listen at")
	for _, flag := range []string{"dir", "port"} {
		if err := c.MarkFlagRequired(flag); err != nil {
			panic(err) // the flag is defined above
		}
	}
	return c
}

func postgresCommand() *cobra.Command {
	var password string
	c := part(stack.Postgres, "Run PostgreSQL alone", func(ctx context.Context, at place) error {
		cfg := postgres.Config{Dir: at.dir, Port: at.port, Password: password}
		if at.host != home {
			if password == "" {
				return errors.New("off the loopback, PostgreSQL needs a --password that its clients know")
			}
			cfg.Host, cfg.Small = at.host, true
		}
		return postgres.Run(ctx, cfg, stack.Ready)
	})
	c.Flags().StringVar(&password, "password", "", "password of the user postgres, when the state is made (default a random one, in the folder)")
	return c
}

func kafkaCommand() *cobra.Command {
	var advertise string
	c := part(stack.Kafka, "Run the in-process Kafka alone", func(ctx context.Context, at place) error {
		cfg := bustest.BrokerConfig{Dir: at.dir, Addr: at.addr()}
		if at.host != home {
			if advertise == "" {
				return errors.New("off the loopback, Kafka needs --advertise: the host:port that its clients are sent to")
			}
			cfg.Addr, cfg.Listen = advertise, at.addr()
		}
		broker, err := bustest.StartBroker(cfg)
		if err != nil {
			return err
		}
		defer broker.Close()
		stack.Ready(cfg.Addr)
		<-ctx.Done()
		return nil
	})
	c.Flags().StringVar(&advertise, "advertise", "", "host:port that clients are sent to, such as that of a Service (off the loopback only)")
	return c
}

func issuerCommand() *cobra.Command {
	var url, secret string
	c := part(stack.Issuer, "Run the development issuer of tokens alone", func(ctx context.Context, at place) error {
		if url == "" {
			url = "http://" + at.addr()
		}
		issuer, err := auth.NewDevIssuer(auth.DevIssuerConfig{
			URL: url, Audience: stack.Audience, KeyFile: filepath.Join(at.dir, "key.pem"), Secret: secret,
		})
		if err != nil {
			return err
		}
		return serve(ctx, at, issuer)
	})
	c.Flags().StringVar(&url, "url", "", "URL by which others know it (default where it listens)")
	c.Flags().StringVar(&secret, "secret", "", "what one has to know to get a token, at least 16 bytes; without one it answers loopback only")
	return c
}

func tracesCommand() *cobra.Command {
	return part(stack.Traces, "Run the store of traces alone", func(ctx context.Context, at place) error {
		return serve(ctx, at, tracestore.New(keepSpans, keepSpansFor, time.Now).Handler())
	})
}

func temporalCommand() *cobra.Command {
	var postgresURL string
	var webPort int
	var internal []int
	c := part(stack.Temporal, "Run the Temporal server and its page alone", func(ctx context.Context, at place) error {
		return runTemporal(ctx, temporald.Config{
			PostgresURL: postgresURL, Host: at.host, Port: at.port, InternalPorts: internal, LogLevel: "warn",
		}, webPort)
	})
	c.Flags().StringVar(&postgresURL, "postgres", "", "URL of a PostgreSQL role that may create databases")
	c.Flags().IntVar(&webPort, "web-port", 0, "port of Temporal's page")
	c.Flags().IntSliceVar(&internal, "internal-ports", nil, "seven ports, at most 32767, for its services among themselves")
	return c
}

func runTemporal(ctx context.Context, cfg temporald.Config, webPort int) error {
	if err := postgres.Wait(ctx, cfg.PostgresURL, waitPostgres); err != nil {
		return err
	}
	server, err := temporald.Start(ctx, cfg)
	if err != nil {
		return err
	}
	if err := ensureNamespace(ctx, server.Addr()); err != nil {
		return errors.Join(err, server.Stop())
	}
	web := temporald.NewWeb(server.Addr(), cfg.Host, webPort, stack.Namespace)
	webEnded := make(chan error, 1)
	go func() { webEnded <- web.Run() }()
	if err := waitListening(ctx, webPort); err != nil {
		return errors.Join(err, server.Stop())
	}
	stack.Ready(server.Addr())
	unhealthy := make(chan error, 1)
	go func() { unhealthy <- watchTemporal(ctx, server.Addr(), cfg.PostgresURL) }()
	select {
	case <-ctx.Done():
	case err = <-webEnded:
	case err = <-unhealthy:
	}
	web.Stop()
	return errors.Join(err, server.Stop())
}

func ensureNamespace(ctx context.Context, addr string) error {
	// The key signs what workflows carry; making a namespace carries nothing.
	client, err := flow.NewClient(flow.Config{Address: addr, Namespace: stack.Namespace, Key: make([]byte, flow.MinKey)}, quiet())
	if err != nil {
		return err
	}
	defer client.Close()
	var last error
	for range 30 {
		if last = client.EnsureNamespace(ctx); last == nil || ctx.Err() != nil {
			return last
		}
		time.Sleep(200 * time.Millisecond)
	}
	return last
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// serve answers HTTP until ctx ends.
func serve(ctx context.Context, at place, handler http.Handler) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", at.addr())
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	stack.Ready(listener.Addr().String())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return server.Shutdown(last)
}

func waitListening(ctx context.Context, port int) error {
	dialer := net.Dialer{Timeout: time.Second}
	for range 200 {
		conn, err := dialer.DialContext(ctx, "tcp", loopback(port))
		if err == nil {
			return conn.Close()
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("nothing listens on port %d", port)
}

func loopback(port int) string { return net.JoinHostPort(home, strconv.Itoa(port)) }
