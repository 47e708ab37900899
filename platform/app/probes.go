package app

import (
	"context"
	"encoding/json"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/migrate"
)

// probes answers the questions that a cluster asks a process.
type probes struct{ down atomic.Bool }

func newProbes() *probes { return &probes{} }

func (p *probes) goingDown() { p.down.Store(true) }

// readiness is the body of /readyz: why a process is not ready, part by part.
type readiness struct {
	Ready    bool              `json:"ready"`
	Services map[string]string `json:"services"`
}

// mountProbes adds /livez, which only says that the process turns, and /readyz, which says whether requests can be
// answered now: every database reachable and of this version's schema, and the process not going down. Kafka and
// Temporal are not asked: without them commands are still taken, and nothing is lost.
func (p *Process) mountProbes(server *httpx.Server) {
	server.Mount(http.MethodGet, "/livez", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]bool{"alive": true})
	}))
	server.Mount(http.MethodGet, "/readyz", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
		defer cancel()
		answer := p.readiness(ctx)
		status := http.StatusOK
		if !answer.Ready {
			status = http.StatusServiceUnavailable
		}
		writeJSON(w, status, answer)
	}))
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the prober is gone: nobody to tell
}

func (p *Process) readiness(ctx context.Context) readiness {
	states := make([]string, len(p.services))
	var group errgroup.Group
	for i, s := range p.services {
		group.Go(func() error {
			states[i] = s.schemaState(ctx)
			return nil
		})
	}
	_ = group.Wait()
	answer := readiness{Ready: true, Services: make(map[string]string, len(states))}
	for i, state := range states {
		answer.Services[p.services[i].Name] = state
		answer.Ready = answer.Ready && state == stateOK
	}
	if p.probes.down.Load() {
		answer.Ready = false
		answer.Services["process"] = "is going down"
	}
	return answer
}

const (
	stateOK   = "ok"
	stateAway = "the database cannot be reached"
)

// schemaState is "ok", or what an operator has to do. It does not repeat the driver's error, which may name hosts.
// Once the schema was found complete it is not asked for again: it never goes back under a running process.
func (s *service) schemaState(ctx context.Context) string {
	if !s.migrated.Load() {
		pending, err := migrate.Pending(ctx, pg.Config{URL: s.deps.Config.PG.URL}, s.Source())
		switch {
		case err != nil:
			return stateAway
		case len(pending) > 0:
			return "the schema is older than this version: run migrate"
		}
		s.migrated.Store(true)
	}
	if err := s.deps.DB.Pool().Ping(ctx); err != nil {
		return stateAway
	}
	return stateOK
}
