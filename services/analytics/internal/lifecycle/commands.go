package lifecycle

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	analyticsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/analytics/events/v1"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/run"
)

// Kind is the code of runs of this room.
const Kind = "lifecycle"

// customerAggregate is the type of customers in events.
const customerAggregate = "customer"

// Lifecycle is what can be done with stages.
type Lifecycle struct {
	db     *pg.DB
	outbox *outbox.Outbox
	runs   *run.Runs
	clock  func() time.Time
	chunk  int // customers of one step of a run
}

// New makes the capability.
func New(db *pg.DB, o *outbox.Outbox, runs *run.Runs, clock func() time.Time) *Lifecycle {
	return &Lifecycle{db: db, outbox: o, runs: runs, clock: clock, chunk: 2000}
}

func (l *Lifecycle) now() time.Time { return l.clock().UTC().Truncate(time.Microsecond) }

// Set sets the tenant's rules and has everybody put where they say.
func (l *Lifecycle) Set(ctx context.Context, s Settings, ifMatch string) (Settings, error) {
	if faults := s.Check(); len(faults) > 0 {
		p := problem.New(problem.Unprocessable, "validation_failed", "Some of what was sent is not valid; errors says what.")
		p.Fields = faults
		return Settings{}, p
	}
	caller, _ := auth.From(ctx)
	_, err := l.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		tx.Queue(`SELECT pg_advisory_xact_lock(hashtextextended('lifecycle_setting' || chr(31) || $1::text, 0))`, tx.Tenant())
		was, err := settings(ctx, tx)
		if err != nil {
			return pg.Result{}, err
		}
		if err := httpx.IfMatch(ifMatch, was.Version); err != nil {
			return pg.Result{}, err
		}
		s.Version, s.ChangedBy, s.ChangedAt = was.Version+1, caller.Subject, l.now()
		queueSettings(tx, s)
		_, err = l.runs.Ask(ctx, tx, Kind, run.Today(l.clock))
		if errors.Is(err, problem.New(problem.Conflict, "run_open", "")) {
			err = nil // it begins anew when it sees the other rules
		}
		return pg.Result{}, err
	})
	return s, err
}

// Ask asks for a run over all customers, as of today.
func (l *Lifecycle) Ask(ctx context.Context) (made run.Run, err error) {
	result, err := l.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		made, err = l.runs.Ask(ctx, tx, Kind, run.Today(l.clock))
		return pg.Result{ID: made.ID, Status: http.StatusAccepted}, err
	})
	if err != nil || !result.Replayed {
		return made, err
	}
	httpx.MarkReplayed(ctx)
	progress, err := l.Run(ctx, result.ID)
	return progress.Run, err
}

// Daily asks for the run of the day of every tenant.
func (l *Lifecycle) Daily(ctx context.Context) error { return l.runs.EachDay(ctx, Kind, nil) }

// Background works off what waits. It is called by a loop of every worker.
func (l *Lifecycle) Background(ctx context.Context) error { return l.runs.Work(ctx, Kind, l.step) }

// step moves the next customers of a run.
func (l *Lifecycle) step(ctx context.Context, tx *pg.Tx, of run.Run) (done bool, err error) {
	set, err := settings(ctx, tx)
	if err != nil {
		return false, err
	}
	p, err := progressOf(ctx, tx, of, set.Version)
	if err != nil {
		return false, err
	}
	rows, err := tx.Query(ctx, `SELECT customer_id FROM portrait WHERE tenant_id = $1 AND customer_id > $2 ORDER BY customer_id LIMIT $3`, tx.Tenant(), p.after, l.chunk)
	if err != nil {
		return false, err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return false, err
	}
	last := uuid.Max
	if len(ids) == l.chunk {
		last = ids[len(ids)-1]
	}
	// Who has no portrait any more was merged into another or erased.
	tx.Queue(`DELETE FROM lifecycle_state WHERE tenant_id = $1 AND customer_id > $2 AND customer_id <= $3 AND customer_id <> ALL ($4::uuid[])`, tx.Tenant(), p.after, last, ids)
	events, err := l.move(ctx, tx, set.Rules, ids, of.AsOf)
	if err != nil {
		return false, err
	}
	tx.Queue(`UPDATE lifecycle_run SET after_id = $3, customers = customers + $4, proposed = proposed + $5 WHERE tenant_id = $1 AND run_id = $2`,
		tx.Tenant(), of.ID, last, len(ids), len(events))
	return last == uuid.Max, l.outbox.Append(ctx, tx, events...)
}

// Follow puts customers of whom something was just heard where they are now, so that a first purchase does not wait for the run of the
// day; it is a portrait.Follow.
func (l *Lifecycle) Follow(ctx context.Context, tx *pg.Tx, customers []uuid.UUID, at time.Time) ([]outbox.Event, error) {
	set, err := settings(ctx, tx)
	if err != nil {
		return nil, err
	}
	rows, err := tx.Query(ctx, `SELECT customer_id FROM portrait WHERE tenant_id = $1 AND customer_id = ANY ($2) ORDER BY customer_id`, tx.Tenant(), customers)
	if err != nil {
		return nil, err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return nil, err
	}
	tx.Queue(`DELETE FROM lifecycle_state WHERE tenant_id = $1 AND customer_id = ANY ($2::uuid[]) AND customer_id <> ALL ($3::uuid[])`, tx.Tenant(), customers, ids)
	return l.move(ctx, tx, set.Rules, ids, at.UTC().Truncate(24*time.Hour))
}

// move puts customers, each of whom has a portrait, where they are at the end of the day, and gives what is proposed to accounts.
func (l *Lifecycle) move(ctx context.Context, tx *pg.Tx, rules Rules, ids []uuid.UUID, day time.Time) ([]outbox.Event, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	was, err := standings(ctx, tx, ids)
	if err != nil {
		return nil, err
	}
	all, err := behaviours(ctx, tx, ids, day)
	if err != nil {
		return nil, err
	}
	now, until := l.now(), number(day)
	moves := make([]moved, 0, len(all))
	var events []outbox.Event
	for _, b := range all {
		path := rules.Path(b.Behaviour, until)
		if len(path) == 0 {
			continue
		}
		m := moved{id: b.id, at: path[len(path)-1], fresh: path, pattern: rules.Pattern(path, until), channel: b.channel, first: first(b.Behaviour)}
		if before, ok := was[b.id]; ok {
			m.from, m.steps, m.fresh = before.stage, before.steps, fresh(path, before)
			m.at.From = before.since
		}
		if n := len(m.fresh); n > 0 {
			m.at, m.steps = m.fresh[n-1], m.steps+n
		}
		if m.at.Stage == Separation {
			left := date(path[len(path)-1].From)
			m.left = &left
		}
		moves = append(moves, m)
		if m.from != m.at.Stage {
			events = append(events, outbox.Event{Aggregate: customerAggregate, ID: m.id, Time: now, Message: &analyticsv1.LifecycleStageProposed{
				CustomerId: m.id.String(), Stage: m.at.Stage, FromStage: m.from, Reasons: m.at.Reasons, AsOf: timestamppb.New(day),
			}})
		}
	}
	queueMoved(tx, moves, day, now)
	return events, tx.Flush(ctx)
}

// first is the day of the first purchase, or on which the first contract began; nil where there is none.
func first(b Behaviour) *time.Time {
	day := Runs
	if len(b.Purchases) > 0 {
		day = b.Purchases[0]
	}
	for _, c := range b.Contracts {
		day = min(day, c.From)
	}
	if day == Runs {
		return nil
	}
	at := date(day)
	return &at
}

// progress is how far a run is.
type progress struct {
	after               uuid.UUID
	customers, proposed int64
}

// progressOf reads how far a run is; where the rules are others than those it began with, it begins anew.
func progressOf(ctx context.Context, tx *pg.Tx, of run.Run, version int64) (p progress, err error) {
	err = tx.QueryRow(ctx, `INSERT INTO lifecycle_run AS r (tenant_id, run_id, settings) VALUES ($1, $2, $3)
		ON CONFLICT (tenant_id, run_id) DO UPDATE SET settings = excluded.settings,
			after_id = CASE WHEN r.settings = excluded.settings THEN r.after_id ELSE '00000000-0000-0000-0000-000000000000' END,
			customers = CASE WHEN r.settings = excluded.settings THEN r.customers ELSE 0 END
		RETURNING after_id, customers, proposed`, tx.Tenant(), of.ID, version).Scan(&p.after, &p.customers, &p.proposed)
	return p, err
}
