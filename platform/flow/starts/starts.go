// Package starts starts the processes that events call for. What is to be started is written in the transaction that
// applies the event and started after it, so that a process that dies in between, or a Temporal that is away, loses none;
// and as the business key is the workflow's id, none is started twice.
package starts

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/pace"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/platform/telemetry"
)

const (
	every  = time.Second // looks for what other processes, or this one before it died, left behind
	atOnce = 100         // of one look
	lanes  = 8           // starts side by side
)

// Starter starts the processes of one service. It is safe for concurrent use; make one a process and service, so that what
// is queued in it is started at once.
type Starter struct {
	db   *pg.DB
	flow *flow.Client
	wake chan struct{}
}

// New makes the starter. db is the service's database as the app role.
func New(db *pg.DB, fl *flow.Client) *Starter {
	return &Starter{db: db, flow: fl, wake: make(chan struct{}, 1)}
}

// Queue writes down, in the transaction, that the processes are to be started on behalf of auth.From(ctx) and in the trace
// of ctx. The workflow is given by its registered name; its arguments and search attributes must have a JSON form. An id
// that waits to be started already stays as it is.
func (s *Starter) Queue(ctx context.Context, tx *pg.Tx, processes ...flow.Start) error {
	p, ok := auth.From(ctx)
	if !ok {
		return fmt.Errorf("starts: nobody in the context to act for")
	}
	trace, err := json.Marshal(telemetry.Inject(ctx))
	if err != nil {
		return err
	}
	for _, one := range processes {
		name, named := one.Workflow.(string)
		if !named || one.ID == "" || one.Queue == "" || !one.Again {
			return fmt.Errorf("starts: %q needs an id, a queue, the registered name of its workflow, and rows that decide what is left to do (Again)", one.ID)
		}
		args, err := json.Marshal(one.Args)
		if err != nil {
			return fmt.Errorf("starts: arguments of %s: %w", one.ID, err)
		}
		search, err := json.Marshal(one.Search)
		if err != nil {
			return fmt.Errorf("starts: search attributes of %s: %w", one.ID, err)
		}
		roles := p.Roles
		if roles == nil {
			roles = []string{}
		}
		tx.Queue(`INSERT INTO process_start (tenant_id, workflow_id, queue, workflow, args, search, subject, unit, roles, trace, not_before)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, now()) ON CONFLICT (tenant_id, workflow_id) DO NOTHING`,
			tx.Tenant(), one.ID, one.Queue, name, args, search, p.Subject, p.Unit, roles, trace)
	}
	tx.OnCommit(s.wakeUp)
	return nil
}

func (s *Starter) wakeUp() {
	select {
	case s.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// Run starts what is due until ctx ends: at once what this process queued, within a second what others left. It may run in
// any number of processes.
func (s *Starter) Run(ctx context.Context) error {
	tick := pace.NewTicker(every)
	defer tick.Stop()
	for {
		for {
			n, err := s.Sweep(ctx)
			// A database or Temporal that is away is reported by those parts; the row waits for its next turn.
			if err != nil && ctx.Err() == nil && !pg.Transient(err) && problem.KindOf(err) != problem.Unavailable {
				s.flow.Log().ErrorContext(ctx, "a process could not be started and is tried again", "error", err)
			}
			if n < atOnce || err != nil {
				break
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-s.wake:
		}
	}
}

// Waiting counts, over all tenants, the processes that are to be started. db is of the ops role.
func Waiting(ctx context.Context, db *pg.DB) (n int64, err error) {
	err = db.Read(ctx, "", func(tx *pg.Tx) error {
		return tx.QueryRow(ctx, `SELECT count(*) FROM process_start`).Scan(&n)
	})
	return n, err
}

// pending is a process to be started.
type pending struct {
	start flow.Start
	actor auth.Principal
	trace map[string]string
}

// Sweep starts once what is due, of all tenants, and tells how many there were.
func (s *Starter) Sweep(ctx context.Context) (int, error) {
	due, err := s.lease(ctx)
	if err != nil {
		return 0, fmt.Errorf("processes to be started: %w", err)
	}
	var group errgroup.Group
	group.SetLimit(lanes)
	for _, p := range due {
		group.Go(func() error { return s.start(ctx, p) })
	}
	return len(due), group.Wait()
}

func (s *Starter) lease(ctx context.Context) (due []pending, err error) {
	err = s.db.System(ctx, func(tx *pg.Tx) error {
		rows, err := tx.Query(ctx, `SELECT tenant_id, workflow_id, queue, workflow, args, search, subject, unit, roles, trace
			FROM process_start_lease($1)`, atOnce)
		if err != nil {
			return err
		}
		due, err = pgx.CollectRows(rows, scan)
		return err
	})
	return due, err
}

func scan(row pgx.CollectableRow) (p pending, err error) {
	var name string
	var args []json.RawMessage
	err = row.Scan(&p.actor.Tenant, &p.start.ID, &p.start.Queue, &name, &args, &p.start.Search, &p.actor.Subject, &p.actor.Unit,
		&p.actor.Roles, &p.trace)
	p.start.Workflow, p.start.Again = name, true
	for _, a := range args {
		p.start.Args = append(p.start.Args, a)
	}
	return p, err
}

// start starts a process and strikes it off the list. Dying in between starts it again, which its id makes harmless.
func (s *Starter) start(ctx context.Context, p pending) error {
	if _, err := s.flow.Start(telemetry.Extract(auth.With(ctx, p.actor), p.trace), p.start); err != nil {
		return err
	}
	return s.db.Tx(ctx, p.actor.Tenant, func(tx *pg.Tx) error {
		tx.Queue(`DELETE FROM process_start WHERE tenant_id = $1 AND workflow_id = $2`, p.actor.Tenant, p.start.ID)
		return nil
	})
}
