package rfm

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	analyticsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/analytics/events/v1"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/fact"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/portrait"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/run"
)

// Kind is the kind of the runs.
const Kind = "rfm"

// Phases of a run. First it reads what everybody bought, and finds where the scores begin; from then on portraits are rated by its
// cuts. Then it writes the scores of everybody into portraits. Those of whom something was heard meanwhile it rates once more, by
// what is known then. With that it is done; after it, it tells whose cell changed, and takes old ratings away.
const (
	reading   = "reading"
	writing   = "writing"
	following = "following"
	telling   = "telling"
	finished  = "done"
)

const (
	// keep is how many runs of a tenant have their ratings kept to be read.
	keep = 5
	// pruneChunk is how many ratings that are not kept any more are taken away at once.
	pruneChunk = 20_000
	// tellChunk is how many events are told at once.
	tellChunk = 5000
	// followChunk is how many of those of whom something was heard are rated at once.
	followChunk = 1000
)

// Background does what waits, of all tenants: runs, and the taking away of old ratings.
func (r *Ratings) Background(ctx context.Context) error { return r.runs.Work(ctx, Kind, r.step) }

// step is one transaction of a run, of some seconds at most.
func (r *Ratings) step(ctx context.Context, tx *pg.Tx, of run.Run) (done bool, err error) {
	own, ok, err := loadReckoning(ctx, tx, `run_id = $2`, of.ID)
	if err != nil || !ok {
		return true, err
	}
	switch own.Phase {
	case reading:
		return false, r.read(ctx, tx, own)
	case writing:
		return false, r.write(ctx, tx, own)
	case following:
		return false, r.followAgain(ctx, tx, of, own)
	case telling:
		return false, r.tell(ctx, tx, own)
	default:
		r.runs.Settle(tx, of)
		return r.prune(ctx, tx)
	}
}

// read reads the purchases of the next customers, of two chunks at once, and after the last ones finds where the scores begin.
func (r *Ratings) read(ctx context.Context, tx *pg.Tx, own reckoning) error {
	merged := anybodyMerged(tx)
	if own.After == uuid.Nil {
		at, err := fact.AsOf(ctx, tx)
		if err != nil {
			return err
		}
		tx.Queue(`UPDATE rfm_run SET facts_as_of = $3 WHERE tenant_id = $1 AND run_id = $2`, tx.Tenant(), own.ID, pg.OrNull(at))
	}
	all, ended, err := chunks(ctx, tx, own.After, r.readChunk)
	if err != nil {
		return err
	}
	again, err := r.unread(ctx, tx, own)
	if err != nil {
		return err
	}
	if again && len(all) > 1 { // what is taken away is so for others when this step is over
		all, ended = all[:1], false
	}
	from, to := own.Window.Bounds()
	read, err := r.abreast(ctx, tx, all, func(ctx context.Context, tx *pg.Tx, c chunk) (int64, error) {
		tag, err := tx.ExecNow(ctx, beginning(*merged, `WHERE customer_id > $5 AND customer_id <= $6`)+`
			INSERT INTO rfm_rating (tenant_id, run_id, customer_id, last_day, days, net_minor)
			SELECT $1, $7, customer_id, last_day, days, net_minor FROM customer`, tx.Tenant(), own.Currency, from, to, c.after, c.last, own.ID)
		return tag.RowsAffected(), err
	})
	if err != nil {
		return err
	}
	own.Customers += read
	if !ended {
		tx.Queue(`UPDATE rfm_run SET after_customer = $3, customers = $4 WHERE tenant_id = $1 AND run_id = $2`,
			tx.Tenant(), own.ID, all[len(all)-1].last, own.Customers)
		return nil
	}
	return r.cut(ctx, tx, own)
}

// unread takes away what was read beside a step that broke off; there was some.
func (r *Ratings) unread(ctx context.Context, tx *pg.Tx, own reckoning) (some bool, err error) {
	tag, err := tx.ExecNow(ctx, `DELETE FROM rfm_rating WHERE tenant_id = $1 AND run_id = $2 AND customer_id > $3`, tx.Tenant(), own.ID, own.After)
	return tag.RowsAffected() > 0, err
}

// chunk is the customers behind one, up to and with another.
type chunk struct{ after, last uuid.UUID }

// chunks gives the next two chunks of so many portraits each, or the one that is left; ended says that none come behind. They end at a
// customer who has a portrait; the last one has no end, so that none who has no portrait yet is left out.
func chunks(ctx context.Context, tx *pg.Tx, after uuid.UUID, size int) (all []chunk, ended bool, err error) {
	for range 2 {
		var end *uuid.UUID
		err := tx.QueryRow(ctx, `SELECT (SELECT customer_id FROM portrait WHERE tenant_id = $1 AND customer_id > $2 ORDER BY customer_id OFFSET $3 LIMIT 1)`,
			tx.Tenant(), after, size-1).Scan(&end)
		if err != nil {
			return nil, false, err
		}
		if end == nil {
			return append(all, chunk{after, uuid.Max}), true, nil
		}
		all = append(all, chunk{after, *end})
		after = *end
	}
	return all, false, nil
}

// abreast does the first chunk in tx and the second one at the same time in a transaction of its own, and gives the sum. That one is
// over before tx is: where the step breaks off in between, the next one does both again, which must come to the same.
func (r *Ratings) abreast(ctx context.Context, tx *pg.Tx, all []chunk, do func(context.Context, *pg.Tx, chunk) (int64, error)) (int64, error) {
	if len(all) == 1 {
		return do(ctx, tx, all[0])
	}
	// Whoever holds a portrait of one chunk may wait for one of the other. tx is idle while the second chunk, which may have more
	// orders, takes as long as a statement can.
	const longestWait = 10 * time.Second
	tx.Queue(`SELECT set_config('idle_in_transaction_session_timeout', '60s', true)`)
	var first, second int64
	g, both := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		tx.WaitAtMost(longestWait)
		first, err = do(both, tx, all[0])
		return err
	})
	g.Go(func() error {
		return r.db.Tx(both, tx.Tenant(), func(tx *pg.Tx) (err error) {
			tx.WaitAtMost(longestWait)
			second, err = do(both, tx, all[1])
			return err
		})
	})
	err := g.Wait()
	return first + second, err
}

// cut ends the reading.
func (r *Ratings) cut(ctx context.Context, tx *pg.Tx, own reckoning) error {
	var s Scheme
	if own.Scheme > 0 {
		var err error
		if s, _, err = loadScheme(ctx, tx, own.Currency, own.Scheme); err != nil {
			return err
		}
	}
	fixed := s.fixed(own.Window.AsOf)
	next := finished
	if own.Portraits {
		next = writing
	}
	tx.Queue(`WITH customer AS MATERIALIZED (SELECT last_day, days, net_minor FROM rfm_rating WHERE tenant_id = $1 AND run_id = $2)`+cutSQL(3)+`
		UPDATE rfm_run u SET customers = cut.n, r_cuts = r, f_cuts = f, m_cuts = m, reckoned_at = $6, phase = $7, after_customer = NULL
		FROM cut WHERE u.tenant_id = $1 AND u.run_id = $2`, tx.Tenant(), own.ID, fixed.R, fixed.F, fixed.M, r.now(), next)
	// Ratings of older runs are not read any more, and go behind the scenes.
	tx.Queue(`UPDATE rfm_run SET kept = false WHERE tenant_id = $1 AND kept AND reckoned_at IS NOT NULL AND run_id NOT IN (
		SELECT run_id FROM rfm_run WHERE tenant_id = $1 AND kept AND reckoned_at IS NOT NULL ORDER BY reckoned_at DESC, run_id DESC LIMIT $2)`, tx.Tenant(), keep)
	return nil
}

// write gives the next portraits the scores of the run. It may overwrite what was written while it ran: whoever was followed is
// rated once more.
func (r *Ratings) write(ctx context.Context, tx *pg.Tx, own reckoning) error {
	cells, _, err := loadCells(ctx, tx, own.Map)
	if err != nil {
		return err
	}
	all, ended, err := chunks(ctx, tx, own.After, r.writeChunk)
	if err != nil {
		return err
	}
	changed, err := r.abreast(ctx, tx, all, func(ctx context.Context, tx *pg.Tx, c chunk) (int64, error) {
		return writeChunk(ctx, tx, own, cells, c)
	})
	if err != nil {
		return err
	}
	next := writing
	if ended {
		next = following
	}
	tx.Queue(`UPDATE rfm_run SET after_customer = $3, changed = changed + $4, phase = $5 WHERE tenant_id = $1 AND run_id = $2`,
		tx.Tenant(), own.ID, all[len(all)-1].last, changed, next)
	return nil
}

// writeChunk gives the portraits of a chunk the scores of the run, and says how many it changed.
func writeChunk(ctx context.Context, tx *pg.Tx, own reckoning, cells CellMap, c chunk) (changed int64, err error) {
	tx.PlanForAny()
	rated, err := tx.ExecNow(ctx, `UPDATE portrait p SET rfm_r = s.r, rfm_f = s.f, rfm_m = s.m, rfm_cell = ($7::text[])[5 * (s.r - 1) + s.f]
		FROM (SELECT customer_id, (width_bucket(last_day, $4::date[]) + 1)::smallint AS r, (width_bucket(days, $5::bigint[]) + 1)::smallint AS f,
				(width_bucket(net_minor, $6::bigint[]) + 1)::smallint AS m
			FROM rfm_rating WHERE tenant_id = $1 AND run_id = $2 AND customer_id > $3 AND customer_id <= $8 ORDER BY customer_id) s
		WHERE p.tenant_id = $1 AND p.customer_id = s.customer_id
			AND (p.rfm_r, p.rfm_f, p.rfm_m, p.rfm_cell) IS DISTINCT FROM (s.r, s.f, s.m, ($7::text[])[5 * (s.r - 1) + s.f])`,
		tx.Tenant(), own.ID, c.after, own.Cuts.R, own.Cuts.F, own.Cuts.M, cells.Names[:], c.last)
	if err != nil {
		return 0, err
	}
	unrated, err := tx.ExecNow(ctx, `UPDATE portrait p SET rfm_r = NULL, rfm_f = NULL, rfm_m = NULL, rfm_cell = NULL
		WHERE p.tenant_id = $1 AND p.customer_id > $3 AND p.customer_id <= $4 AND p.rfm_cell IS NOT NULL
			AND NOT EXISTS (SELECT FROM rfm_rating b WHERE b.tenant_id = $1 AND b.run_id = $2 AND b.customer_id = p.customer_id)`,
		tx.Tenant(), own.ID, c.after, c.last)
	return rated.RowsAffected() + unrated.RowsAffected(), err
}

// followAgain rates the next of those of whom something was heard while the run was at it.
func (r *Ratings) followAgain(ctx context.Context, tx *pg.Tx, of run.Run, own reckoning) error {
	rows, err := tx.Query(ctx, `SELECT customer_id FROM rfm_followed WHERE tenant_id = $1 AND run_id = $2 ORDER BY customer_id LIMIT $3`,
		tx.Tenant(), own.ID, followChunk)
	if err != nil {
		return err
	}
	customers, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return err
	}
	if len(customers) == 0 {
		tx.Queue(`UPDATE rfm_run SET phase = $3, after_customer = NULL WHERE tenant_id = $1 AND run_id = $2`, tx.Tenant(), own.ID, telling)
		r.runs.Settle(tx, of)
		return nil
	}
	// Whoever recomputes a portrait has it locked until it has said that it was followed.
	tx.Queue(`SELECT FROM portrait WHERE tenant_id = $1 AND customer_id = ANY ($2) ORDER BY customer_id FOR UPDATE`, tx.Tenant(), customers)
	tx.Queue(`DELETE FROM rfm_followed WHERE tenant_id = $1 AND run_id = $2 AND customer_id = ANY ($3)`, tx.Tenant(), own.ID, customers)
	changes, _, err := rateNow(ctx, tx, own, customers, r.now())
	if err != nil {
		return err
	}
	tx.Queue(`UPDATE rfm_run SET changed = changed + $3 WHERE tenant_id = $1 AND run_id = $2`, tx.Tenant(), own.ID, len(changes))
	return nil
}

// tell tells of the next customers those whose cell is another than the one that was told last.
func (r *Ratings) tell(ctx context.Context, tx *pg.Tx, own reckoning) error {
	cells, _, err := loadCells(ctx, tx, own.Map)
	if err != nil {
		return err
	}
	rows, err := tx.Query(ctx, `SELECT p.customer_id FROM portrait p LEFT JOIN rfm_told t ON t.tenant_id = $1 AND t.customer_id = p.customer_id
		WHERE p.tenant_id = $1 AND p.customer_id > $2 AND p.rfm_cell IS NOT NULL AND t.cell IS DISTINCT FROM p.rfm_cell ORDER BY p.customer_id LIMIT $3`,
		tx.Tenant(), own.After, tellChunk)
	if err != nil {
		return err
	}
	customers, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return err
	}
	if len(customers) == 0 {
		tx.Queue(`UPDATE rfm_run SET phase = $3, after_customer = NULL WHERE tenant_id = $1 AND run_id = $2`, tx.Tenant(), own.ID, finished)
		return nil
	}
	// Some may have been followed, and told, since: after the lock that is seen.
	tx.Queue(`SELECT FROM portrait WHERE tenant_id = $1 AND customer_id = ANY ($2) ORDER BY customer_id FOR UPDATE`, tx.Tenant(), customers)
	rows, err = tx.Query(ctx, `SELECT p.customer_id, p.rfm_r::int, p.rfm_f::int, p.rfm_m::int, coalesce(t.cell, ''), p.rfm_cell
		FROM portrait p LEFT JOIN rfm_told t ON t.tenant_id = $1 AND t.customer_id = p.customer_id
		WHERE p.tenant_id = $1 AND p.customer_id = ANY ($2) AND p.rfm_cell IS NOT NULL AND t.cell IS DISTINCT FROM p.rfm_cell ORDER BY p.customer_id`, tx.Tenant(), customers)
	if err != nil {
		return err
	}
	changes, err := pgx.CollectRows(rows, pgx.RowToStructByPos[change])
	if err != nil {
		return err
	}
	tx.Queue(`UPDATE rfm_run SET after_customer = $3 WHERE tenant_id = $1 AND run_id = $2`, tx.Tenant(), own.ID, customers[len(customers)-1])
	return r.outbox.Append(ctx, tx, told(tx, changes, cells, own.Window.AsOf)...)
}

// prune takes away some ratings that are not kept any more, and those of runs that failed; done says that none are left.
func (r *Ratings) prune(ctx context.Context, tx *pg.Tx) (done bool, err error) {
	tx.Queue(`DELETE FROM rfm_followed w USING rfm_run u WHERE w.tenant_id = $1 AND u.tenant_id = $1 AND u.run_id = w.run_id AND u.phase IN ('telling', 'done')`, tx.Tenant())
	tag, err := tx.ExecNow(ctx, `DELETE FROM rfm_rating b USING (
			SELECT g.run_id, g.customer_id FROM rfm_run u CROSS JOIN LATERAL (
				SELECT run_id, customer_id FROM rfm_rating WHERE tenant_id = $1 AND run_id = u.run_id LIMIT $2) g
			WHERE u.tenant_id = $1 AND (NOT u.kept OR EXISTS (
				SELECT FROM analytics_run a WHERE a.tenant_id = $1 AND a.run_id = u.run_id AND a.state = 'failed')) LIMIT $2) old
		WHERE b.tenant_id = $1 AND b.run_id = old.run_id AND b.customer_id = old.customer_id`, tx.Tenant(), pruneChunk)
	return tag.RowsAffected() == 0, err
}

// Follow rates customers whose portraits were reckoned in tx by the cuts of the last run; see [portrait.Follow].
func (r *Ratings) Follow(ctx context.Context, tx *pg.Tx, customers []uuid.UUID, at time.Time) ([]outbox.Event, error) {
	// A run that is at it may have read less of them than is known now: it rates them once more.
	tx.Queue(`INSERT INTO rfm_followed (tenant_id, run_id, customer_id)
		SELECT $1, u.run_id, c.id FROM rfm_run u CROSS JOIN unnest($2::uuid[]) AS c(id)
		WHERE u.tenant_id = $1 AND u.portraits AND u.phase IN ('reading', 'writing', 'following') AND EXISTS (
			SELECT FROM analytics_run a WHERE a.tenant_id = $1 AND a.run_id = u.run_id AND a.state IN ('queued', 'running'))
		ORDER BY 2, 3 ON CONFLICT DO NOTHING`, tx.Tenant(), customers)
	own, ok, err := loadReckoning(ctx, tx, current)
	if err != nil || !ok {
		return nil, err
	}
	changes, cells, err := rateNow(ctx, tx, own, customers, at)
	if err != nil || len(changes) == 0 {
		return nil, err
	}
	// What was told last decides, not what was there before: a run writes first and tells later.
	moved := make([]uuid.UUID, len(changes))
	for i, c := range changes {
		moved[i] = c.Customer
	}
	rows, err := tx.Query(ctx, `SELECT customer_id, cell FROM rfm_told WHERE tenant_id = $1 AND customer_id = ANY ($2)`, tx.Tenant(), moved)
	if err != nil {
		return nil, err
	}
	said := make(map[uuid.UUID]string, len(changes))
	var id uuid.UUID
	var cell string
	if _, err = pgx.ForEachRow(rows, []any{&id, &cell}, func() error { said[id] = cell; return nil }); err != nil {
		return nil, err
	}
	for i := range changes {
		changes[i].WasCell = said[changes[i].Customer]
	}
	return told(tx, changes, cells, at.UTC().Truncate(24*time.Hour)), nil
}

var _ portrait.Follow = (*Ratings)(nil).Follow

// rateNow rates customers, who stand for all their ids, by what is known now and the cuts of a run.
func rateNow(ctx context.Context, tx *pg.Tx, own reckoning, customers []uuid.UUID, at time.Time) (changes []change, cells CellMap, err error) {
	if own.Cuts.R == nil || own.Cuts.F == nil || own.Cuts.M == nil {
		return nil, cells, nil // nobody was rated
	}
	if cells, _, err = loadCells(ctx, tx, own.Map); err != nil {
		return nil, cells, err
	}
	from, to := own.Window.Bounds()
	day := at.UTC().Truncate(24 * time.Hour)
	if end := day.AddDate(0, 0, 1); end.After(to) {
		to = end
	}
	changes, err = put(ctx, tx, own.Cuts, cells, `SELECT c.id, b.last_day, b.days, b.net_minor
		FROM unnest($6::uuid[]) AS c(id) LEFT JOIN LATERAL (
			SELECT max(o.day) AS last_day, count(DISTINCT o.day) AS days, sum(o.net_minor)::bigint AS net_minor
			FROM unnest(customer_group($1, c.id)) AS i(id) CROSS JOIN LATERAL (
				SELECT (o.placed_at AT TIME ZONE 'UTC')::date AS day, o.total_minor - coalesce(r.amount_minor, 0) AS net_minor
				FROM fact_order o LEFT JOIN LATERAL (
					SELECT sum(units) AS units, sum(amount_minor) AS amount_minor
					FROM fact_return WHERE tenant_id = $1 AND order_id = o.order_id AND returned_at < $9) r ON true
				WHERE o.tenant_id = $1 AND o.customer_id = i.id AND o.currency = $7 AND o.placed_at >= $8 AND o.placed_at < $9
					AND NOT (o.units > 0 AND coalesce(r.units, 0) >= o.units)) o
			HAVING count(*) > 0) b ON true`, customers, own.Currency, from, to)
	return changes, cells, err
}

// change is a portrait whose scores were changed.
type change struct {
	Customer uuid.UUID
	R, F, M  int // 0: not rated
	WasCell  string
	Cell     string
}

// put gives portraits their scores. what gives their customer_id, last_day, days and net_minor, null of those who are not rated; its
// arguments are from $6 on.
func put(ctx context.Context, tx *pg.Tx, cuts Cuts, cells CellMap, what string, more ...any) ([]change, error) {
	tx.PlanForAny()
	rows, err := tx.Query(ctx, `WITH found(customer_id, last_day, days, net_minor) AS (`+what+`), scored AS (
			SELECT customer_id, (width_bucket(last_day, $2::date[]) + 1)::smallint AS r, (width_bucket(days, $3::bigint[]) + 1)::smallint AS f,
				(width_bucket(net_minor, $4::bigint[]) + 1)::smallint AS m FROM found
		), changed AS (
			SELECT p.customer_id, s.r, s.f, s.m, ($5::text[])[5 * (s.r - 1) + s.f] AS cell, p.rfm_cell AS was
			FROM scored s JOIN portrait p ON p.tenant_id = $1 AND p.customer_id = s.customer_id
			WHERE (p.rfm_r, p.rfm_f, p.rfm_m, p.rfm_cell) IS DISTINCT FROM (s.r, s.f, s.m, ($5::text[])[5 * (s.r - 1) + s.f])
			ORDER BY p.customer_id
		)
		UPDATE portrait p SET rfm_r = c.r, rfm_f = c.f, rfm_m = c.m, rfm_cell = c.cell
		FROM changed c WHERE p.tenant_id = $1 AND p.customer_id = c.customer_id
		RETURNING p.customer_id, coalesce(c.r, 0)::int, coalesce(c.f, 0)::int, coalesce(c.m, 0)::int, coalesce(c.was, ''), coalesce(c.cell, '')`,
		append([]any{tx.Tenant(), cuts.R, cuts.F, cuts.M, cells.Names[:]}, more...)...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[change])
}

// told tells of those whose cell is another than the one that was told last, which WasCell is, and queues the keeping of that. Who is
// not rated any more has no score to tell of.
func told(tx *pg.Tx, changes []change, cells CellMap, asOf time.Time) (events []outbox.Event) {
	var customers []uuid.UUID
	var now []string
	for _, c := range changes {
		if c.Cell == "" || c.Cell == c.WasCell {
			continue
		}
		customers, now = append(customers, c.Customer), append(now, c.Cell)
		events = append(events, outbox.Event{
			Aggregate: "customer", ID: c.Customer, Time: asOf,
			Message: &analyticsv1.CustomerScored{
				CustomerId: c.Customer.String(), Score: Kind, Value: digits(c.R, c.F, c.M), Unit: Kind, ModelVersion: cells.Name(), AsOf: timestamppb.New(asOf),
			},
		})
	}
	if len(customers) > 0 {
		tx.Queue(`INSERT INTO rfm_told (tenant_id, customer_id, cell) SELECT $1, * FROM unnest($2::uuid[], $3::text[]) AS n(customer_id, cell) ORDER BY customer_id
			ON CONFLICT (tenant_id, customer_id) DO UPDATE SET cell = excluded.cell`, tx.Tenant(), customers, now)
	}
	return events
}
