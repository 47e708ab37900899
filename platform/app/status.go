package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/entitlement"
	"github.com/guanxi-crm/guanxi/platform/flow/starts"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/inbox"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/traffic"
)

// Status is what an operator needs to know of one service at a glance.
type Status struct {
	Service  string `json:"service"`
	Version  string `json:"version"`
	Database string `json:"database" doc:"ok, or what to do"`
	Kafka    string `json:"kafka" doc:"ok, or what is wrong"`
	Temporal string `json:"temporal" doc:"ok, or what is wrong"`
	// OutboxBacklog is the number of events that are committed and not yet in Kafka.
	OutboxBacklog       int64            `json:"outbox_backlog"`
	OutboxOldestSeconds float64          `json:"outbox_oldest_seconds" doc:"age of the oldest of them"`
	OutboxParked        int64            `json:"outbox_parked" doc:"events that Kafka refused for good"`
	ProcessesWaiting    int64            `json:"processes_waiting" doc:"processes that events called for and that the process engine has not started yet"`
	Consumers           []ConsumerStatus `json:"consumers"`
	Waiting             []WaitingStatus  `json:"waiting" doc:"what the service itself has still to do"`
}

// WaitingStatus is work of a service's own that is not done.
type WaitingStatus struct {
	Name          string  `json:"name"`
	Count         int64   `json:"count"`
	OldestSeconds float64 `json:"oldest_seconds" doc:"age of the oldest of them"`
}

// ConsumerStatus is how far one consumer is behind its topics.
type ConsumerStatus struct {
	Name   string `json:"name"`
	Lag    int64  `json:"lag" doc:"events in its topics that it has not applied; -1 while Kafka cannot be asked"`
	Parked int64  `json:"parked" doc:"events set aside for an operator, those that queue behind them included"`
}

type statusOutput struct{ Body Status }

// statusRoutes adds GET /v1/ops/{service}/status.
func statusRoutes(s *service) func(*httpx.API) {
	return func(api *httpx.API) {
		httpx.Register(api, httpx.Operation{
			ID: "get-" + s.Name + "-status", Method: http.MethodGet, Path: "/v1/ops/" + s.Name + "/status",
			Summary: "How the service and what it stands on are doing", Tag: "operations",
			Permission: auth.OpsRead, AnyTenant: true,
		}, func(ctx context.Context, _ *struct{}) (*statusOutput, error) {
			status, err := s.status(ctx)
			if err != nil {
				return nil, err
			}
			return &statusOutput{Body: status}, nil
		})
	}
}

func (s *service) status(ctx context.Context) (Status, error) {
	status := Status{Service: s.Name, Version: Version, Database: s.schemaState(ctx), Kafka: stateOK, Temporal: stateOK, Consumers: []ConsumerStatus{}, Waiting: []WaitingStatus{}}
	if status.Database != stateOK {
		return status, nil
	}
	backlog, oldest, err := outbox.Backlog(ctx, s.deps.Ops)
	if err != nil {
		return Status{}, err
	}
	status.OutboxBacklog = backlog
	if status.OutboxParked, err = outbox.Parked(ctx, s.deps.Ops); err != nil {
		return Status{}, err
	}
	if status.ProcessesWaiting, err = starts.Waiting(ctx, s.deps.Ops); err != nil {
		return Status{}, err
	}
	if backlog > 0 {
		status.OutboxOldestSeconds = s.deps.Clock().Sub(oldest).Seconds()
	}
	if _, err := s.deps.Flow.Temporal().CheckHealth(ctx, nil); err != nil {
		status.Temporal = "cannot be reached"
	}
	if s.parts.Waiting != nil {
		if status.Waiting, err = s.parts.Waiting(ctx); err != nil {
			return Status{}, err
		}
	}
	next := make(map[string][]int64) // one answer of Kafka for all consumers of a topic
	for _, c := range s.parts.Consumers {
		state, err := inbox.State(ctx, s.deps.Ops, c)
		if err != nil {
			return Status{}, err
		}
		lag, err := s.lag(ctx, c, state, next)
		if err != nil {
			status.Kafka, lag = "cannot be reached", -1
		}
		status.Consumers = append(status.Consumers, ConsumerStatus{Name: c.Name, Lag: lag, Parked: state.Parked})
	}
	return status, nil
}

// lag counts from the consumer's own positions, which are the truth; Kafka's committed offsets trail behind them.
func (s *service) lag(ctx context.Context, c inbox.Consumer, state inbox.ConsumerState, next map[string][]int64) (int64, error) {
	var lag int64
	for _, topic := range c.Topics {
		if _, ok := next[topic]; !ok {
			_, ends, err := s.deps.Bus.Offsets(ctx, topic)
			if err != nil {
				return 0, err
			}
			next[topic] = ends
		}
		for partition, end := range next[topic] {
			lag += max(0, end-state.Position(topic, partition))
		}
	}
	return lag, nil
}

// housekeep makes the partitions of idempotency keys for the coming days and drops those whose keys nobody can send
// again. It is safe to run in every replica at once.
func (s *service) housekeep(ctx context.Context) error {
	const every = 10 * time.Minute
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		err := s.deps.Ops.System(ctx, func(tx *pg.Tx) error {
			_, err := tx.ExecNow(ctx, `SELECT idempotency_partitions()`)
			return err
		})
		if err != nil && ctx.Err() == nil {
			s.deps.Log.Warn("housekeeping failed and is tried again later", "error", err)
		}
		timer.Reset(every)
	}
}

// printOpenAPI prints the document of one service. Nothing is opened: routes are declared, not run.
func printOpenAPI(out io.Writer, args []string, modules []Module) error {
	if len(args) != 1 {
		return fmt.Errorf("openapi needs the name of one service")
	}
	for _, m := range modules {
		if m.Name != args[0] {
			continue
		}
		doc, err := OpenAPI(m)
		if err != nil {
			return err
		}
		_, err = out.Write(doc)
		return err
	}
	return fmt.Errorf("this process has no service %q", args[0])
}

// OpenAPI is the module's OpenAPI 3.1 document as YAML, the same bytes for the same code.
func OpenAPI(m Module) ([]byte, error) {
	api, err := declare(m)
	if err != nil {
		return nil, err
	}
	return api.OpenAPI()
}

// Operations lists what the module answers, for tests of the whole surface.
func Operations(m Module) ([]httpx.Operation, error) {
	api, err := declare(m)
	if err != nil {
		return nil, err
	}
	return api.Operations(), nil
}

func declare(m Module) (*httpx.API, error) {
	log := slog.New(slog.DiscardHandler)
	s := &service{Module: m, deps: Deps{Log: log, Outbox: outbox.New(m.Name), Clock: time.Now, Bus: (*bus.Client)(nil)}}
	parts, err := m.Build(s.deps)
	if err != nil {
		return nil, err
	}
	s.parts, s.gate, s.traffic = parts, entitlement.New(nil, s.deps.Clock), traffic.New(nil, nil, s.deps.Clock)
	api := httpx.NewServer(httpx.Config{}, nil, log).API(m.Name, "v1", m.Title)
	mountRoutes(api, s)
	return api, nil
}
