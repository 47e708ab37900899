package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/blob"
	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/entitlement"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/peer"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/inbox"
	"github.com/guanxi-crm/guanxi/platform/pg/migrate"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/telemetry"
	"github.com/guanxi-crm/guanxi/platform/traffic"
	"github.com/guanxi-crm/guanxi/platform/turns"
)

// notedEvery is how often it is written who of which unit has worked, and how many requests were answered.
const notedEvery = 5 * time.Second

// service is a module that is being run.
type service struct {
	Module
	deps     Deps
	parts    Parts
	relay    *pg.DB
	gate     *entitlement.Gate
	traffic  *traffic.Counter
	migrated atomic.Bool // the schema was found complete
}

// Process is the services of one process and what they share.
type Process struct {
	cfg      Config
	log      *slog.Logger
	bus      *bus.Client
	flow     *flow.Client
	verifier *auth.Verifier
	services []*service
	probes   *probes
	server   *httpx.Server
	peers    *peer.Client
	here     map[string]bool // the services of this process
	metrics  http.Handler    // nil: nobody fetches them

	// turns are taken by consumers while they apply a batch, those of all services together, and kept by imports: a backlog
	// in each of them would otherwise take the machine, and every connection, from requests and workers.
	turns *turns.Turns

	namespace    sync.Once
	namespaceErr error
}

func serve(ctx context.Context, cfg Config, modules []Module) error {
	giveRoom(roomForGarbage)
	name := "guanxi"
	if len(modules) == 1 {
		name = modules[0].Name
	}
	tell, err := telemetry.Setup(ctx, telemetry.Config{
		Service: name, Version: Version, Env: cfg.Env, Level: cfg.Log.Level, Pull: cfg.Metrics.Addr != "",
	})
	if err != nil {
		return err
	}
	log := tell.Log
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := tell.Shutdown(ctx); err != nil {
			log.Warn("the last traces and metrics were not delivered", "error", err)
		}
	}()
	if cfg.Env == Development {
		if err := prepare(ctx, cfg, log, modules); err != nil {
			return err
		}
	}
	p, err := Open(ctx, cfg, log, modules...)
	if err != nil {
		return err
	}
	defer p.Close()
	p.metrics = tell.Metrics
	return p.Run(ctx)
}

// prepare does for a development process what operators do for a real one.
func prepare(ctx context.Context, cfg Config, log *slog.Logger, modules []Module) error {
	for _, m := range modules {
		start := time.Now()
		if cfg.PG.AdminURL != "" {
			if err := migrate.Bootstrap(ctx, cfg.PG.AdminURL, pg.Config{URL: cfg.PG.URL}, m.Name); err != nil {
				return fmt.Errorf("bootstrap %s: %w", m.Name, err)
			}
		}
		if err := migrate.Up(ctx, pg.Config{URL: cfg.PG.URL}, m.Source()); err != nil {
			return fmt.Errorf("migrate %s: %w", m.Name, err)
		}
		log.Info("schema is up to date", "service", m.Name, "took", time.Since(start).Round(time.Millisecond).String())
	}
	return nil
}

// Open makes everything that the process stands on. Nothing of it need be up: all of it connects when it is used.
func Open(ctx context.Context, cfg Config, log *slog.Logger, modules ...Module) (_ *Process, err error) {
	p := &Process{cfg: cfg, log: log, probes: newProbes(), turns: turns.New(min(runtime.GOMAXPROCS(0), int(cfg.PG.MaxConns)*3/4))}
	defer func() {
		if err != nil {
			p.Close()
		}
	}()
	p.bus = bus.NewClient(cfg.bus(), log)
	p.flow, err = flow.NewClient(flow.Config{
		Address: cfg.Temporal.Address, Namespace: cfg.Temporal.Namespace, Key: []byte(cfg.Flow.Key), TLS: cfg.tls(cfg.Temporal.TLS),
	}, log)
	if err != nil {
		return nil, err
	}
	peerKey, err := auth.PeerKey([]byte(cfg.Flow.Key))
	if err != nil {
		return nil, err
	}
	p.verifier, err = auth.NewVerifier(ctx, auth.Config{Issuer: cfg.OIDC.Issuer, Audience: cfg.OIDC.Audience, PeerKey: peerKey})
	if err != nil {
		return nil, err
	}
	p.peers = peer.New(p.peerURL, peerKey, time.Now)
	p.here = names(modules)
	for _, m := range modules {
		s, err := p.openService(ctx, m)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.Name, err)
		}
		p.services = append(p.services, s)
	}
	p.server = p.newServer()
	return p, nil
}

// Listen begins to take connections, which wait until Run, and gives the address; Run does it when it was not done.
func (p *Process) Listen() (net.Addr, error) { return p.server.Listen() }

func names(modules []Module) map[string]bool {
	here := make(map[string]bool, len(modules))
	for _, m := range modules {
		here[m.Name] = true
	}
	return here
}

// peerURL gives where the API of a service is: where the configuration says, else in this process.
func (p *Process) peerURL(service string) (string, error) {
	if p.cfg.Peers.URL != "" {
		return strings.ReplaceAll(p.cfg.Peers.URL, "{service}", service), nil
	}
	listening, err := p.server.Listen()
	if err != nil {
		return "", err
	}
	host, port, err := net.SplitHostPort(listening.String())
	if err != nil {
		return "", err
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port), nil
}

func (p *Process) openService(ctx context.Context, m Module) (*service, error) {
	s := &service{Module: m}
	var err error
	if s.deps, err = p.deps(ctx, m); err != nil {
		return nil, err
	}
	// Two connections a relay worker are enough; it never waits for a third.
	s.relay, err = pg.Open(ctx, pg.Config{URL: p.cfg.PG.URL, MaxConns: 4}, m.Name, pg.Relay)
	if err != nil {
		return nil, err
	}
	if s.parts, err = m.Build(s.deps); err != nil {
		return nil, err
	}
	s.gate = entitlement.New(s.deps.DB, s.deps.Clock)
	s.traffic = traffic.New(s.deps.Ops, s.deps.DB, s.deps.Clock)
	s.parts.Consumers = append(s.parts.Consumers, s.gate.Consumer())
	return s, nil
}

func (p *Process) deps(ctx context.Context, m Module) (Deps, error) {
	var blobs blob.Store
	if err := p.cfg.needs(m, p.here); err != nil {
		return Deps{}, err
	}
	if m.Blobs {
		var err error
		if blobs, err = blob.Open(p.cfg.blob()); err != nil {
			return Deps{}, err
		}
	}
	db, err := pg.Open(ctx, pg.Config{URL: p.cfg.PG.URL, MaxConns: p.cfg.PG.MaxConns}, m.Name, pg.App)
	if err != nil {
		return Deps{}, err
	}
	ops, err := pg.Open(ctx, pg.Config{URL: p.cfg.PG.URL, MaxConns: 2}, m.Name, pg.Ops)
	if err != nil {
		db.Close()
		return Deps{}, err
	}
	return Deps{
		Config: p.cfg, Log: p.log.With("service", m.Name), DB: db, Ops: ops, Bus: p.bus, Flow: p.flow,
		Outbox: outbox.New(m.Name), Blobs: blobs, Peers: p.peers, Tokens: p.verifier, Turns: p.turns, Clock: time.Now,
	}, nil
}

// Close lets go of everything; Run must have returned.
func (p *Process) Close() {
	for _, s := range p.services {
		s.deps.DB.Close()
		s.deps.Ops.Close()
		s.relay.Close()
	}
	if p.flow != nil {
		p.flow.Close()
	}
	p.bus.Close()
}

// Run runs the parts until ctx ends or one of them fails. Going down, requests stop first, since they start
// everything else; then consumers and workers finish what they hold; the relay is last, and what it leaves in the
// outbox the next process sends.
func (p *Process) Run(ctx context.Context) error {
	started := time.Now()
	inward, ctxIn := errgroup.WithContext(context.WithoutCancel(ctx))
	ctxIn, stopIn := context.WithCancel(ctxIn)
	defer stopIn()
	if p.cfg.Has(RoleConsumers) || p.cfg.Has(RoleRelay) {
		inward.Go(func() error { return p.ensureTopics(ctxIn) })
	}
	for _, s := range p.services {
		p.startInward(ctxIn, inward, s)
	}

	outward, ctxOut := errgroup.WithContext(ctx)
	outward.Go(func() error { // a part that fails takes the process down, so that it is seen and started anew
		select {
		case <-ctxIn.Done():
			return errors.New("a part of the process failed")
		case <-ctxOut.Done():
			return nil
		}
	})
	outward.Go(func() error { return p.serveRequests(ctxOut) })
	if p.metrics != nil {
		inward.Go(func() error { return exposeMetrics(ctxIn, p.cfg.Metrics.Addr, p.metrics, p.log) })
	}
	p.log.Info("running", "roles", p.cfg.Run, "addr", p.cfg.HTTP.Addr, "took", time.Since(started).Round(time.Millisecond).String())

	errOut := outward.Wait()
	stopIn()
	errIn := inward.Wait()
	if ctx.Err() != nil && errors.Is(errIn, context.Canceled) {
		errIn = nil
	}
	p.log.Info("stopped")
	if errIn != nil {
		return errIn
	}
	return errOut
}

// serveRequests answers until ctx ends, and then a little longer: /readyz fails first, so that load balancers look
// away before connections are refused.
func (p *Process) serveRequests(ctx context.Context) error {
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	go func() {
		<-ctx.Done()
		p.probes.goingDown()
		time.Sleep(p.cfg.HTTP.ShutdownDelay)
		stop()
	}()
	return p.server.Run(serving)
}

// startInward starts what works without being asked by a request.
func (p *Process) startInward(ctx context.Context, group *errgroup.Group, s *service) {
	start := func(part string, run func(context.Context) error) {
		group.Go(func() error {
			err := run(ctx)
			if ctx.Err() != nil {
				return nil //nolint:nilerr // to end when told is no failure
			}
			if err == nil {
				err = errors.New("ended by itself")
			}
			return fmt.Errorf("%s: %s: %w", s.Name, part, err)
		})
	}
	if p.cfg.Has(RoleRelay) {
		start("relay", outbox.NewRelay(s.relay, p.bus, s.deps.Outbox, s.deps.Log, outbox.RelayConfig{}).Run)
		start("housekeeping", s.housekeep)
		start("measurements", s.measure)
	}
	if p.cfg.Has(RoleConsumers) {
		for _, c := range s.parts.Consumers {
			runner := inbox.NewRunner(s.deps.DB, p.bus, s.deps.Outbox, s.Name, c, s.deps.Log).Within(p.turns)
			if s.Projection != nil && !c.Lasting {
				runner.Derived()
			}
			start("consumer "+c.Name, runner.Run)
		}
		if s.Projection != nil {
			start("rebuilds", inbox.NewRebuilder(s.inboxOps()).Run)
		}
	}
	if p.cfg.Has(RoleHTTP) {
		start("who works in units", Every(notedEvery, s.deps.Log, "who works in units", s.gate.Flush))
		start("traffic", s.countTraffic)
	}
	if p.cfg.Has(RoleWorkers) {
		if s.parts.Worker != nil {
			start("worker", func(ctx context.Context) error { return p.work(ctx, s) })
		}
		for i, run := range s.parts.Background {
			start(fmt.Sprintf("background %d", i), run)
		}
	}
}

func (p *Process) work(ctx context.Context, s *service) error {
	if err := p.ensureNamespace(ctx); err != nil {
		return err
	}
	if err := p.flow.EnsureSchedules(ctx, s.Name, s.parts.Schedules...); err != nil {
		return err
	}
	return p.flow.RunWorker(ctx, s.Name, s.parts.Worker)
}

// ensureTopics makes the services' own topics and those that they read as soon as there is a broker: a consumer may be
// deployed before the service that it listens to.
func (p *Process) ensureTopics(ctx context.Context) error {
	names := make(map[string]bool)
	for _, s := range p.services {
		names[s.deps.Outbox.Topic()] = true
		for _, c := range s.parts.Consumers {
			for _, topic := range c.Topics {
				names[topic], names[bus.DeadLetters(topic)] = true, true
			}
		}
	}
	var topics []bus.Topic
	for _, name := range slices.Sorted(maps.Keys(names)) {
		topics = append(topics, bus.Topic{Name: name, Partitions: bus.Partitions})
	}
	return p.insist(ctx, "topics", func(ctx context.Context) error { return p.bus.EnsureTopics(ctx, topics...) })
}

// ensureNamespace registers the workflow namespace where the installation allows it: in development. In production
// it is made beside the databases, by people. The services' workers need it only once between them.
func (p *Process) ensureNamespace(ctx context.Context) error {
	if p.cfg.Env != Development {
		return nil
	}
	p.namespace.Do(func() { p.namespaceErr = p.insist(ctx, "workflow namespace", p.flow.EnsureNamespace) })
	return p.namespaceErr
}

// insist tries until it works or ctx ends, and says once in a while what it is waiting for.
func (p *Process) insist(ctx context.Context, what string, try func(context.Context) error) error {
	const pause, quiet = 500 * time.Millisecond, 10 * time.Second
	var said time.Time
	for {
		err := try(ctx)
		if err == nil || ctx.Err() != nil {
			return nil //nolint:nilerr // what was waited for is needed by nobody any more
		}
		if time.Since(said) > quiet {
			p.log.Warn("waiting", "for", what, "error", err)
			said = time.Now()
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// newServer is the process's HTTP side: probes always, and the services' routes where the role is http.
func (p *Process) newServer() *httpx.Server {
	server := httpx.NewServer(httpx.Config{Addr: p.cfg.HTTP.Addr, TrustedProxies: p.cfg.HTTP.TrustedProxies}, p.verifier, p.log)
	p.mountProbes(server)
	if p.cfg.Has(RoleHTTP) {
		for _, s := range p.services {
			mountRoutes(server.API(s.Name, Version, s.Title), s)
			if s.parts.Site != nil {
				server.Site(*s.parts.Site)
			}
		}
	}
	return server
}

// mountRoutes is the one list of what a service answers: its own routes, and the operators' that every service has.
func mountRoutes(api *httpx.API, s *service) {
	api.Admit(s.gate.Admit)
	api.Count(s.traffic.Count)
	for _, mount := range s.parts.Routes {
		mount(api)
	}
	inbox.Routes(s.inboxOps())(api)
	statusRoutes(s)(api)
	s.gate.Routes(s.Name)(api)
	s.traffic.Routes(s.Name)(api)
}

// countTraffic writes what requests were counted, and the last of it when the process ends: requests have ended by then.
func (s *service) countTraffic(ctx context.Context) error {
	err := Every(notedEvery, s.deps.Log, "traffic", s.traffic.Flush)(ctx)
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), notedEvery)
	defer cancel()
	if err := s.traffic.Flush(last); err != nil {
		s.deps.Log.Warn("the last requests are not counted", "error", err)
	}
	return err
}

func (s *service) inboxOps() inbox.Ops {
	return inbox.Ops{
		Service: s.Name, DB: s.deps.DB, OpsDB: s.deps.Ops, Bus: s.deps.Bus, Outbox: s.deps.Outbox,
		Consumers: s.parts.Consumers, ProjectionTables: s.ProjectionTables, Log: s.deps.Log,
	}
}
