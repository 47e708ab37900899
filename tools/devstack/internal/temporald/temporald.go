// Package temporald runs the Temporal server as a library, all four of its services in this process, on a
// PostgreSQL server that is already running. It is for development and tests: settings are small, nothing is
// encrypted and, unless it is told otherwise, everything listens on loopback.
package temporald

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"time"

	// The PostgreSQL store of Temporal registers itself when imported.
	_ "go.temporal.io/server/common/persistence/sql/sqlplugin/postgresql"

	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/metrics"
	"go.temporal.io/server/common/primitives"
	"go.temporal.io/server/temporal"
)

const (
	loopback   = "127.0.0.1"
	pluginName = "postgres12_pgx"
	// HistoryShards is fixed for the life of a Temporal database.
	HistoryShards = 4
)

// Config says where Temporal keeps its state and on which ports it listens.
type Config struct {
	// PostgresURL is an URL of a role that may create databases, e.g. postgres://postgres@127.0.0.1:5432/postgres.
	PostgresURL string
	// Host is the address at which it listens; default the loopback. 0.0.0.0 is everywhere, as in a pod, whose own address its
	// services then reach each other by.
	Host string
	// Port is the one that clients and workers connect to.
	Port int
	// InternalPorts are seven more, all at most 32767: Temporal's PostgreSQL store keeps the membership
	// ports in smallint columns.
	InternalPorts []int
	// LogLevel is Temporal's own: debug, info, warn, error.
	LogLevel string
}

// InternalPorts is how many ports Config.InternalPorts must hold.
const InternalPorts = 7

// Server is a running Temporal server.
type Server struct {
	server temporal.Server
	addr   string
}

// Start sets up or updates the schema and starts the server. It returns once the frontend listens.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	if len(cfg.InternalPorts) != InternalPorts {
		return nil, fmt.Errorf("temporald: %d internal ports are needed, got %d", InternalPorts, len(cfg.InternalPorts))
	}
	for _, p := range cfg.InternalPorts {
		if p > 32767 {
			return nil, fmt.Errorf("temporald: port %d does not fit Temporal's smallint columns; use one up to 32767", p)
		}
	}
	if cfg.Host == "" {
		cfg.Host = loopback
	}
	reach, err := reachableAt(cfg.Host)
	if err != nil {
		return nil, err
	}
	logger := log.NewZapLogger(log.BuildZapLogger(log.Config{Stdout: false, Level: cfg.LogLevel}))
	base, err := sqlConfig(cfg.PostgresURL)
	if err != nil {
		return nil, err
	}
	if err := setUpSchema(ctx, cfg.PostgresURL, base, logger); err != nil {
		return nil, err
	}
	server, err := temporal.NewServer(
		temporal.ForServices(temporal.DefaultServices),
		temporal.WithConfig(serverConfig(cfg, reach, base)),
		temporal.WithLogger(logger),
		temporal.WithDynamicConfigClient(dynamicConfig()),
		temporal.WithAuthorizer(authorization.NewNoopAuthorizer()),
		temporal.WithClaimMapper(func(*config.Config) authorization.ClaimMapper { return authorization.NewNoopClaimMapper() }),
		temporal.WithCustomMetricsHandler(metrics.NoopMetricsHandler),
	)
	if err != nil {
		return nil, fmt.Errorf("temporald: build server: %w", err)
	}
	if err := server.Start(); err != nil {
		return nil, fmt.Errorf("temporald: start server: %w", err)
	}
	return &Server{server: server, addr: net.JoinHostPort(reach, strconv.Itoa(cfg.Port))}, nil
}

// reachableAt gives the address at which what listens at host can be reached: for 0.0.0.0 the first of the machine that is not
// its loopback.
func reachableAt(host string) (string, error) {
	if ip := net.ParseIP(host); ip == nil || !ip.IsUnspecified() {
		return host, nil
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return "", err
	}
	for _, addr := range addrs {
		if network, ok := addr.(*net.IPNet); ok && network.IP.IsGlobalUnicast() && network.IP.To4() != nil {
			return network.IP.String(), nil
		}
	}
	return "", fmt.Errorf("temporald: this machine has no address beside its loopback, so it cannot listen at %s", host)
}

// Addr is the host:port for clients.
func (s *Server) Addr() string { return s.addr }

// Stop shuts the four services down.
func (s *Server) Stop() error { return s.server.Stop() }

func sqlConfig(adminURL string) (config.SQL, error) {
	u, err := url.Parse(adminURL)
	if err != nil {
		return config.SQL{}, fmt.Errorf("temporald: PostgreSQL URL: %w", err)
	}
	password, _ := u.User.Password()
	return config.SQL{
		User:              u.User.Username(),
		Password:          password,
		PluginName:        pluginName,
		ConnectAddr:       u.Host,
		ConnectProtocol:   "tcp",
		ConnectAttributes: map[string]string{"sslmode": "disable"},
		MaxConns:          12,
		MaxIdleConns:      12,
		MaxConnLifetime:   time.Hour,
	}, nil
}

func serverConfig(cfg Config, reach string, base config.SQL) *config.Config {
	store, visibility := base, base
	store.DatabaseName = storeDatabase
	visibility.DatabaseName = visibilityDatabase
	visibility.MaxConns, visibility.MaxIdleConns = 6, 6
	frontend := net.JoinHostPort(reach, strconv.Itoa(cfg.Port))
	service := func(grpc, membership int) config.Service {
		return config.Service{RPC: config.RPC{GRPCPort: grpc, MembershipPort: membership, BindOnIP: cfg.Host}}
	}
	p := cfg.InternalPorts
	disabled := "disabled"
	return &config.Config{
		Global: config.Global{
			Membership: config.Membership{MaxJoinDuration: 30 * time.Second, BroadcastAddress: reach},
		},
		Persistence: config.Persistence{
			DefaultStore:     storeDatabase,
			VisibilityStore:  visibilityDatabase,
			NumHistoryShards: HistoryShards,
			DataStores: map[string]config.DataStore{
				storeDatabase:      {SQL: &store},
				visibilityDatabase: {SQL: &visibility},
			},
		},
		ClusterMetadata: &cluster.Config{
			FailoverVersionIncrement: 10,
			MasterClusterName:        "active",
			CurrentClusterName:       "active",
			ClusterInformation: map[string]cluster.ClusterInformation{
				"active": {Enabled: true, InitialFailoverVersion: 1, RPCAddress: frontend},
			},
		},
		DCRedirectionPolicy: config.DCRedirectionPolicy{Policy: "noop"},
		Services: map[string]config.Service{
			string(primitives.FrontendService): service(cfg.Port, p[0]),
			string(primitives.HistoryService):  service(p[1], p[2]),
			string(primitives.MatchingService): service(p[3], p[4]),
			string(primitives.WorkerService):   service(p[5], p[6]),
		},
		Archival: config.Archival{
			History:    config.HistoryArchival{State: disabled},
			Visibility: config.VisibilityArchival{State: disabled},
		},
		NamespaceDefaults: config.NamespaceDefaults{Archival: config.ArchivalNamespaceDefaults{
			History:    config.HistoryArchivalNamespaceDefaults{State: disabled},
			Visibility: config.VisibilityArchivalNamespaceDefaults{State: disabled},
		}},
		PublicClient: config.PublicClient{HostPort: frontend},
	}
}

// dynamicConfig holds what differs from Temporal's defaults, which are meant for a cluster: small caches, and one
// partition a task queue, so that a task never waits for a partition nobody polls at that moment. Nor is a task given to a worker
// that says that it stops: by default the process would then stand still until the task times out.
func dynamicConfig() dynamicconfig.StaticClient {
	return dynamicconfig.StaticClient{
		dynamicconfig.HistoryCacheHostLevelMaxSize.Key():            2000,
		dynamicconfig.EventsHostLevelCacheMaxSizeBytes.Key():        8 << 20,
		dynamicconfig.EventsCacheMaxSizeBytes.Key():                 1 << 20,
		dynamicconfig.MatchingNumTaskqueueReadPartitions.Key():      1,
		dynamicconfig.MatchingNumTaskqueueWritePartitions.Key():     1,
		dynamicconfig.EnableCancelWorkerPollsOnShutdown.Key():       true,
		dynamicconfig.ForceSearchAttributesCacheRefreshOnRead.Key(): true,
		dynamicconfig.TaskQueueScannerEnabled.Key():                 false,
		dynamicconfig.HistoryScannerEnabled.Key():                   false,
	}
}
