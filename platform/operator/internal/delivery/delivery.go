// Package delivery brings events to integrators: a tenant's own to a topic of its own, or each by HTTP to a webhook. Positions
// are kept in Kafka under a consumer group and move only when an event has arrived, so each arrives at least once; its id stays
// the same, so that a reader can drop what it has. Events of one aggregate arrive in their order.
package delivery

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Options are what all deliveries have in common.
type Options struct {
	// Kafka says where Kafka is and who the operator is there.
	Kafka []kgo.Opt
	// HTTP sends to webhooks; nil: [NewHTTP] with nothing allowed.
	HTTP *http.Client
	// Log hears what goes wrong, without contents.
	Log *slog.Logger
}

// Job is one subscription to be served.
type Job struct {
	Name    string    // of the subscription, <namespace>/<name>; a job is known by it
	Group   string    // the consumer group that its positions are kept under
	Sources []string  // the topics that it reads
	Tenant  string    // whose events; empty: everybody's
	Types   []string  // full names of types, or <topic>.*
	Since   time.Time // what was published before is not delivered, unless a replay asks for it
	Replay  Replay
	Topic   string   // the topic that events are forwarded to; empty where there is a webhook
	Webhook *Webhook // where events are sent to
}

// Replay asks for everything since From once more. It happens once for each ID; an empty one asks for nothing.
type Replay struct {
	ID   string
	From time.Time
}

// Report is how a job stands.
type Report struct {
	Failing string // what goes wrong at this time; empty: nothing
	Replay  string // the id of the replay that the positions have behind them
}

// Deliveries carries out jobs while this instance leads.
type Deliveries struct {
	opt Options

	mu      sync.Mutex
	running context.Context // nil until Start
	jobs    map[string]*worker
	wait    sync.WaitGroup
}

// New makes deliveries that have no job yet. Nothing is called before Start.
func New(opt Options) *Deliveries {
	if opt.HTTP == nil {
		opt.HTTP = NewHTTP(Guard{})
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	return &Deliveries{opt: opt, jobs: map[string]*worker{}}
}

// NeedLeaderElection says that only one instance delivers at a time. For moments two may: events then come twice.
func (*Deliveries) NeedLeaderElection() bool { return true }

// Start delivers until ctx ends. Then it waits until nothing is under way any more.
func (d *Deliveries) Start(ctx context.Context) error {
	d.mu.Lock()
	d.running = ctx
	for _, w := range d.jobs {
		d.launch(w)
	}
	d.mu.Unlock()
	<-ctx.Done()
	d.mu.Lock()
	d.running = nil
	d.mu.Unlock()
	d.wait.Wait()
	return nil
}

// Set has a job carried out, in place of the one of the same name. One that has not changed goes on undisturbed.
func (d *Deliveries) Set(job Job) {
	d.mu.Lock()
	defer d.mu.Unlock()
	old := d.jobs[job.Name]
	if old != nil && reflect.DeepEqual(old.job, job) {
		return
	}
	w := &worker{job: job, opt: d.opt, done: make(chan struct{})}
	if old != nil {
		w.after = old.end()
	}
	d.jobs[job.Name] = w
	d.launch(w)
}

// Remove ends a job, and waits until nothing of it is under way or ctx ends. One that is not there is no fault.
func (d *Deliveries) Remove(ctx context.Context, name string) {
	d.mu.Lock()
	w := d.jobs[name]
	delete(d.jobs, name)
	d.mu.Unlock()
	if w == nil {
		return
	}
	if ended := w.end(); ended != nil {
		select {
		case <-ended:
		case <-ctx.Done():
		}
	}
}

// Report tells how a job stands; false where there is none of the name.
func (d *Deliveries) Report(name string) (Report, bool) {
	d.mu.Lock()
	w := d.jobs[name]
	d.mu.Unlock()
	if w == nil {
		return Report{}, false
	}
	return w.state(), true
}

// launch starts a worker once there is somebody to stop it. The caller holds the lock.
func (d *Deliveries) launch(w *worker) {
	if d.running == nil || d.running.Err() != nil {
		return
	}
	ctx, cancel := context.WithCancel(d.running)
	w.cancel = cancel
	d.wait.Go(func() {
		defer close(w.done)
		defer cancel()
		if w.after != nil {
			<-w.after // two workers of one job would overtake each other
		}
		w.run(ctx)
	})
}

// connect opens a client of Kafka.
func (o Options) connect(more ...kgo.Opt) (*kgo.Client, error) {
	client, err := kgo.NewClient(append(append([]kgo.Opt{}, o.Kafka...), more...)...)
	if err != nil {
		return nil, fmt.Errorf("connect to Kafka: %w", err)
	}
	return client, nil
}
