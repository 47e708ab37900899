package grade

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	analyticsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/analytics/events/v1"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/fact"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/run"
)

// Kind is the kind of the runs.
const Kind = "grade"

// Phases of a run: it reads what everybody brought and cost, cuts the grades, and writes them into portraits.
const (
	reading  = "reading"
	writing  = "writing"
	finished = "done"
)

const (
	// keep is how many runs of a tenant have the contributions of each customer kept.
	keep = 3
	// pruneChunk is how many contributions that are not kept any more are taken away at once.
	pruneChunk = 20_000
)

// Background does what waits, of all tenants: runs, and the taking away of old contributions.
func (p *Pyramid) Background(ctx context.Context) error { return p.runs.Work(ctx, Kind, p.step) }

// step is one transaction of a run, of some seconds at most.
func (p *Pyramid) step(ctx context.Context, tx *pg.Tx, of run.Run) (done bool, err error) {
	own, ok, err := loadReckoning(ctx, tx, `run_id = $2`, of.ID)
	if err != nil || !ok {
		return true, err
	}
	s, _, err := loadScheme(ctx, tx, own.Scheme)
	if err != nil {
		return false, err
	}
	switch own.Phase {
	case reading:
		return false, p.read(ctx, tx, own, s)
	case writing:
		return false, p.write(ctx, tx, own, s)
	default:
		tag, err := tx.ExecNow(ctx, `DELETE FROM grade_contribution c USING (
				SELECT g.run_id, g.customer_id FROM grade_run u CROSS JOIN LATERAL (
					SELECT run_id, customer_id FROM grade_contribution WHERE tenant_id = $1 AND run_id = u.run_id LIMIT $2) g
				WHERE u.tenant_id = $1 AND (NOT u.kept OR EXISTS (
					SELECT FROM analytics_run a WHERE a.tenant_id = $1 AND a.run_id = u.run_id AND a.state = 'failed')) LIMIT $2) old
			WHERE c.tenant_id = $1 AND c.run_id = old.run_id AND c.customer_id = old.customer_id`, tx.Tenant(), pruneChunk)
		return tag.RowsAffected() == 0, err
	}
}

// read reads what the next customers brought and cost, and after the last ones cuts the grades.
func (p *Pyramid) read(ctx context.Context, tx *pg.Tx, own reckoning, s Scheme) error {
	var merged bool
	tx.Queue(`SELECT EXISTS (SELECT FROM customer_alias WHERE tenant_id = $1 AND survivor_id IS NOT NULL)`, tx.Tenant()).
		QueryRow(func(row pgx.Row) error { return row.Scan(&merged) })
	at, err := fact.AsOf(ctx, tx)
	if err != nil {
		return err
	}
	if own.After == uuid.Nil {
		tx.Queue(`UPDATE grade_run SET facts_as_of = $3 WHERE tenant_id = $1 AND run_id = $2`, tx.Tenant(), own.ID, pg.OrNull(at))
	}
	// Chunks end at a customer who has a portrait; the last one has no end, so that none who has no portrait yet is left out.
	var end *uuid.UUID
	err = tx.QueryRow(ctx, `SELECT (SELECT customer_id FROM portrait WHERE tenant_id = $1 AND customer_id > $2 ORDER BY customer_id OFFSET $3 LIMIT 1)`,
		tx.Tenant(), own.After, p.readChunk-1).Scan(&end)
	if err != nil {
		return err
	}
	upto := uuid.Max
	if end != nil {
		upto = *end
	}
	channels := slices.Sorted(maps.Keys(s.Channels))
	margins := make([]int64, len(channels))
	for i, channel := range channels {
		margins[i] = int64(s.Channels[channel])
	}
	from, to := own.bounds(s)
	tag, err := tx.ExecNow(ctx, contributions(merged), tx.Tenant(), own.Currency, from, to, own.ID, own.After, upto,
		channels, margins, int64(s.MarginPermille), s.Costs.Ticket, s.Costs.Complaint, s.Costs.Touch, s.Costs.Interaction)
	if err != nil {
		return err
	}
	own.Customers += tag.RowsAffected()
	tx.Queue(`UPDATE grade_run SET after_customer = $3, customers = $4 WHERE tenant_id = $1 AND run_id = $2`, tx.Tenant(), own.ID, upto, own.Customers)
	if end != nil {
		return nil
	}
	return p.cut(ctx, tx, own, s)
}

// cut ends the reading: the contribution with which a grade begins is that of the customer at its cut, counted from the best.
func (p *Pyramid) cut(ctx context.Context, tx *pg.Tx, own reckoning, s Scheme) error {
	if own.Customers > 0 {
		err := tx.QueryRow(ctx, `WITH d AS MATERIALIZED (
				SELECT contribution_minor AS v, sum(count(*)) OVER (ORDER BY contribution_minor DESC) AS upto
				FROM grade_contribution WHERE tenant_id = $1 AND run_id = $2 GROUP BY 1)
			SELECT array_agg((SELECT max(v) FROM d WHERE upto >= c.at) ORDER BY c.place) FROM unnest($3::bigint[]) WITH ORDINALITY AS c(at, place)`,
			tx.Tenant(), own.ID, s.Cuts(own.Customers)).Scan(&own.Least)
		if err != nil {
			return err
		}
	}
	tx.Queue(`INSERT INTO grade_total (tenant_id, run_id, place, grade, customers, net_minor, margin_minor, tickets_minor, complaints_minor, touches_minor, interactions_minor, contribution_minor)
		SELECT $1, $2, g.place, g.code, count(c.customer_id), coalesce(sum(net_minor), 0), coalesce(sum(margin_minor), 0), coalesce(sum(tickets_minor), 0),
			coalesce(sum(complaints_minor), 0), coalesce(sum(touches_minor), 0), coalesce(sum(interactions_minor), 0), coalesce(sum(contribution_minor), 0)
		FROM unnest($3::text[]) WITH ORDINALITY AS g(code, place)
		LEFT JOIN (SELECT *, `+placeSQL("contribution_minor", "$4")+` AS place FROM grade_contribution WHERE tenant_id = $1 AND run_id = $2) c ON c.place = g.place
		GROUP BY g.place, g.code`, tx.Tenant(), own.ID, s.codes(), rising(own.Least))
	next := finished
	if own.Portraits {
		next = writing
	}
	tx.Queue(`UPDATE grade_run SET least = $3, reckoned_at = $4, phase = $5, after_customer = NULL WHERE tenant_id = $1 AND run_id = $2`,
		tx.Tenant(), own.ID, own.Least, p.now(), next)
	tx.Queue(`UPDATE grade_run SET kept = false WHERE tenant_id = $1 AND kept AND reckoned_at IS NOT NULL AND run_id NOT IN (
		SELECT run_id FROM grade_run WHERE tenant_id = $1 AND kept AND reckoned_at IS NOT NULL ORDER BY reckoned_at DESC, run_id DESC LIMIT $2)`, tx.Tenant(), keep)
	return nil
}

// placeSQL is Place of a contribution, from 1; rising is the parameter with the contributions with which grades begin, the lowest first.
func placeSQL(contribution, rising string) string {
	return `(cardinality(` + rising + `::bigint[]) + 1 - width_bucket(` + contribution + `, ` + rising + `::bigint[]))`
}

// rising turns what Place takes round.
func rising(least []int64) []int64 {
	up := append([]int64{}, least...)
	slices.Reverse(up)
	return up
}

func (s Scheme) codes() []string {
	codes := make([]string, len(s.Grades))
	for i, g := range s.Grades {
		codes[i] = g.Code
	}
	return codes
}

// write gives the next portraits their grades, and keeps and tells the moves.
func (p *Pyramid) write(ctx context.Context, tx *pg.Tx, own reckoning, s Scheme) error {
	rows, err := tx.Query(ctx, `SELECT customer_id FROM portrait WHERE tenant_id = $1 AND customer_id > $2 ORDER BY customer_id LIMIT $3 FOR UPDATE`,
		tx.Tenant(), own.After, p.writeChunk)
	if err != nil {
		return err
	}
	customers, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return err
	}
	if len(customers) == 0 {
		tx.Queue(`UPDATE grade_run SET phase = $3, after_customer = NULL WHERE tenant_id = $1 AND run_id = $2`, tx.Tenant(), own.ID, finished)
		return nil
	}
	rows, err = tx.Query(ctx, `WITH now AS (
			SELECT p.customer_id, p.grade AS was, CASE WHEN c.customer_id IS NOT NULL THEN ($3::text[])[`+placeSQL("c.contribution_minor", "$4")+`] END AS grade
			FROM portrait p LEFT JOIN grade_contribution c ON c.tenant_id = $1 AND c.run_id = $2 AND c.customer_id = p.customer_id
			WHERE p.tenant_id = $1 AND p.customer_id >= $5 AND p.customer_id <= $6
		), moved AS (
			UPDATE portrait p SET grade = n.grade FROM now n
			WHERE p.tenant_id = $1 AND p.customer_id = n.customer_id AND n.grade IS DISTINCT FROM n.was
			RETURNING p.customer_id, coalesce(n.was, '') AS was, coalesce(n.grade, '') AS grade
		)
		INSERT INTO grade_move (tenant_id, customer_id, as_of, run_id, from_grade, grade)
		SELECT $1, customer_id, $7, $2, was, grade FROM moved RETURNING customer_id, from_grade, grade`,
		tx.Tenant(), own.ID, s.codes(), rising(own.Least), customers[0], customers[len(customers)-1], own.AsOf)
	if err != nil {
		return err
	}
	moves, err := pgx.CollectRows(rows, pgx.RowToStructByPos[move])
	if err != nil {
		return err
	}
	tx.Queue(`UPDATE grade_run SET after_customer = $3, changed = changed + $4 WHERE tenant_id = $1 AND run_id = $2`,
		tx.Tenant(), own.ID, customers[len(customers)-1], len(moves))
	return p.outbox.Append(ctx, tx, events(moves, own.until())...)
}

// move is a customer's way from one grade to another; empty is none.
type move struct {
	Customer uuid.UUID
	From, To string
}

func events(moves []move, asOf time.Time) []outbox.Event {
	told := make([]outbox.Event, len(moves))
	for i, m := range moves {
		told[i] = outbox.Event{
			Aggregate: "customer", ID: m.Customer, Time: asOf,
			Message: &analyticsv1.GradeChanged{CustomerId: m.Customer.String(), Grade: m.To, FromGrade: m.From, AsOf: timestamppb.New(asOf)},
		}
	}
	return told
}
