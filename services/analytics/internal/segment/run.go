package segment

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/filter"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/portrait"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/run"
)

// chunkOf is how many customers a run judges in one transaction, and so how many events that has at most.
const chunkOf = 5_000

func placeholder(n int) string { return "$" + strconv.Itoa(n) }

// Background does what waits behind the scenes, of all tenants: it asks for runs where a new day or new scores move customers,
// and carries out those that were asked for. It may run in any number of processes, and goes on where a killed one stood.
func (s *Segments) Background(ctx context.Context) error {
	tenants, err := s.ops.Across(ctx, `SELECT tenant_id, id FROM segment_tenants($1)`, s.today())
	if err != nil {
		return err
	}
	var failed error
	for _, of := range tenants {
		if err := s.Pass(ctx, of.Tenant); err != nil {
			failed = errors.Join(failed, err)
		}
	}
	return failed
}

// Pass is Background for one tenant: until nothing is left that no other process is at.
func (s *Segments) Pass(ctx context.Context, tenant string) error {
	if err := s.db.Tx(ctx, tenant, func(tx *pg.Tx) error { return s.plan(ctx, tx) }); err != nil {
		return err
	}
	var runs []uuid.UUID
	err := s.db.Read(ctx, tenant, func(tx *pg.Tx) error {
		rows, err := tx.Query(ctx, `SELECT DISTINCT segment_id FROM segment_run WHERE tenant_id = $1 AND state IN ('queued', 'running')`, tenant)
		if err != nil {
			return err
		}
		runs, err = pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		return err
	})
	if err != nil {
		return err
	}
	var failed error
	for _, segment := range runs {
		for more := true; more; {
			if err := run.Yield(ctx, s.db, tenant); err != nil {
				return errors.Join(failed, err)
			}
			if more, err = s.step(ctx, tenant, segment); err != nil {
				failed, more = errors.Join(failed, err), false // the others go on
			}
			if s.stepped != nil {
				s.stepped()
			}
		}
	}
	return failed
}

// plan asks for the runs of live segments that depend on what day it is, on a new day, and of those that depend on scores or
// tags, where a run wrote any.
func (s *Segments) plan(ctx context.Context, tx *pg.Tx) error {
	today := s.today()
	// Marks wait while somebody is judged anew: a run that writes scores in many steps has everybody judged again once or twice,
	// and not after each step.
	var days, marks int64
	err := tx.QueryRow(ctx, `SELECT (SELECT count(*) FROM segment WHERE tenant_id = $1 AND kind = 'live' AND state = 'active' AND day < $2),
		(SELECT count(*) FROM segment_due WHERE tenant_id = $1 AND NOT EXISTS (SELECT FROM segment_run WHERE tenant_id = $1 AND state IN ('queued', 'running')))`,
		tx.Tenant(), today).Scan(&days, &marks)
	if err != nil || days+marks == 0 {
		return err
	}
	lockDefinitions(tx)
	// Marks whose runs are committed: what they wrote is seen by the runs that are asked for here.
	if marks > 0 {
		tx.Queue(`DELETE FROM segment_due WHERE tenant_id = $1`, tx.Tenant())
	}
	b, err := loadBook(ctx, tx)
	if err != nil {
		return err
	}
	var due []uuid.UUID
	late, err := s.late(ctx, tx, today)
	if err != nil {
		return err
	}
	for code, e := range b {
		if e.kind != Live {
			continue
		}
		n, err := b.resolved(code, *e.filter)
		if err != nil {
			return err
		}
		if late[e.id] && n.OnToday() || marks > 0 && onScores(n) {
			due = append(due, e.id)
		}
	}
	tx.Queue(`UPDATE segment SET day = $2 WHERE tenant_id = $1 AND kind = 'live' AND state = 'active' AND day < $2`, tx.Tenant(), today)
	return ask(tx, causeFacts, s.now(), due...)
}

func (s *Segments) late(ctx context.Context, tx *pg.Tx, today time.Time) (map[uuid.UUID]bool, error) {
	rows, err := tx.Query(ctx, `SELECT id FROM segment WHERE tenant_id = $1 AND kind = 'live' AND state = 'active' AND day < $2`, tx.Tenant(), today)
	if err != nil {
		return nil, err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	late := make(map[uuid.UUID]bool, len(ids))
	for _, id := range ids {
		late[id] = true
	}
	return late, err
}

// onScores tells whether a filter asks for what runs write.
func onScores(n filter.Node) bool {
	for _, name := range n.Fields() {
		if f, _ := portrait.Lookup(name); f.Score {
			return true
		}
	}
	return false
}

// step judges the next customers of the newest run of a segment; more is false when it is done, or another process is at it.
func (s *Segments) step(ctx context.Context, tenant string, segment uuid.UUID) (more bool, err error) {
	err = s.db.Tx(ctx, tenant, func(tx *pg.Tx) error {
		more = false
		var mine bool
		// One process at a time for a segment: a run that is superseded has ended before the next one begins.
		if err := tx.QueryRow(ctx, `SELECT pg_try_advisory_xact_lock(hashtextextended('segment/' || $1 || $2::uuid::text, 0))`,
			tenant, segment).Scan(&mine); err != nil || !mine {
			return err
		}
		var r Run
		err := tx.QueryRow(ctx, `SELECT id, cause, state, after_id FROM segment_run WHERE tenant_id = $1 AND segment_id = $2
			ORDER BY id DESC LIMIT 1`, tenant, segment).Scan(&r.ID, &r.Cause, &r.State, &r.After)
		if err != nil || r.State != "queued" && r.State != "running" {
			return err
		}
		if r.State == "queued" {
			tx.Queue(`UPDATE segment_run SET state = 'superseded', finished_at = $4 WHERE tenant_id = $1 AND segment_id = $2 AND id < $3
				AND state IN ('queued', 'running')`, tenant, segment, r.ID, s.now())
		}
		more, err = s.chunk(ctx, tx, segment, r)
		return err
	})
	return more, err
}

// subject of a run is the segment as it stands in this transaction.
func (s *Segments) subject(ctx context.Context, tx *pg.Tx, segment uuid.UUID) (followed, error) {
	of, err := load(ctx, tx, segment)
	if err != nil {
		return followed{}, err
	}
	f := followed{id: of.ID, code: of.Code, version: of.Version, live: of.Kind == Live, filter: filter.Nobody()}
	if of.State == active && of.Filter != nil {
		b, err := loadBook(ctx, tx)
		if err != nil {
			return f, err
		}
		f.filter, err = b.resolved(of.Code, *of.Filter)
		if err != nil {
			return f, err
		}
	}
	return f, nil
}

// chunk judges the customers after the one where the run stands.
func (s *Segments) chunk(ctx context.Context, tx *pg.Tx, segment uuid.UUID, r Run) (more bool, err error) {
	f, err := s.subject(ctx, tx, segment)
	if err != nil {
		return false, err
	}
	now := s.now()
	upto, looked, err := s.bound(ctx, tx, r.After)
	if err != nil {
		return false, err
	}
	changed, err := s.differences(ctx, tx, f, r.After, upto)
	if err != nil {
		return false, err
	}
	var entered, left int64
	if len(changed) > 0 {
		// Whoever changes a portrait meanwhile goes first or waits; what is judged then is what stands there then.
		tx.Queue(`SELECT FROM portrait WHERE tenant_id = $1 AND customer_id = ANY ($2::uuid[]) ORDER BY customer_id FOR SHARE`, tx.Tenant(), changed)
		events, in, out, err := judge(ctx, tx, []followed{f}, changed, now, r.Cause)
		if err != nil {
			return false, err
		}
		entered, left = in[f.id], out[f.id]
		if err := s.outbox.Append(ctx, tx, events...); err != nil {
			return false, err
		}
	}
	more = len(changed) == s.size || upto != last
	if len(changed) == s.size {
		upto = changed[len(changed)-1]
	}
	state, finished := "running", (*time.Time)(nil)
	if !more {
		state, finished = "done", &now
		if !f.live { // what names the list was judged by what it was
			if err := s.askDependents(ctx, tx, f.code, r.Cause); err != nil {
				return false, err
			}
		}
	}
	tx.Queue(`UPDATE segment_run SET state = $3, after_id = $4, customers = customers + $5, finished_at = $6, entered = entered + $7, gone = gone + $8
		WHERE tenant_id = $1 AND id = $2`, tx.Tenant(), r.ID, state, upto, looked, finished, entered, left)
	return more, nil
}

// last is the bound after which there is no customer.
var last = uuid.Max

// bound gives the customer up to whom a chunk goes, and how many it looks at; last where no more than a chunk is left.
func (s *Segments) bound(ctx context.Context, tx *pg.Tx, after uuid.UUID) (upto uuid.UUID, looked int64, err error) {
	err = tx.QueryRow(ctx, `SELECT count(*), (array_agg(customer_id ORDER BY customer_id DESC))[1] FROM (SELECT customer_id FROM portrait
		WHERE tenant_id = $1 AND customer_id > $2 ORDER BY customer_id LIMIT $3) p`, tx.Tenant(), after, s.size).Scan(&looked, &nullID{&upto})
	if looked < int64(s.size) {
		upto = last
	}
	return upto, looked, err
}

// nullID reads an id that may be null.
type nullID struct{ id *uuid.UUID }

// Scan implements sql.Scanner.
func (n *nullID) Scan(v any) error {
	if v == nil {
		return nil
	}
	return n.id.Scan(v)
}

// differences gives those of the chunk, at most as many as it has customers, who are in and not wanted or wanted and not in.
func (s *Segments) differences(ctx context.Context, tx *pg.Tx, f followed, after, upto uuid.UUID) ([]uuid.UUID, error) {
	args := []any{tx.Tenant(), s.today(), after, upto, f.id, s.size}
	condition, err := f.filter.SQL(&args, "$2::date")
	if err != nil {
		return nil, err
	}
	rows, err := tx.Query(ctx, `SELECT coalesce(w.customer_id, c.customer_id) FROM
		(SELECT customer_id FROM portrait WHERE tenant_id = $1 AND customer_id > $3 AND customer_id <= $4 AND $2::date IS NOT NULL AND (`+condition+`)) w
		FULL JOIN (SELECT customer_id FROM segment_member WHERE tenant_id = $1 AND segment_id = $5 AND customer_id > $3 AND customer_id <= $4) c
		ON w.customer_id = c.customer_id WHERE w.customer_id IS NULL OR c.customer_id IS NULL ORDER BY 1 LIMIT $6`, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
}
