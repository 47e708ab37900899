package activity

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// The same for what is not there and for another tenant's.
var (
	errNoObjection = problem.New(problem.NotFound, "objection_not_found", "There is no such objection.")
	errNoAnswer    = problem.New(problem.NotFound, "answer_not_found", "There is no such answer to this objection.")
)

// queueOutcomes queues the reading of what can come of activities.
func queueOutcomes(tx *pg.Tx) *Outcomes {
	o := standard()
	tx.Queue(`SELECT version, outcomes, changed_at, changed_by FROM activity_outcomes WHERE tenant_id = $1`, tx.Tenant()).QueryRow(func(row pgx.Row) error {
		var kept Outcomes
		err := row.Scan(&kept.Version, &kept.List, &kept.ChangedAt, &kept.ChangedBy)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		o = kept
		return err
	})
	return &o
}

// saveOutcomes queues another list; one version is written once.
func saveOutcomes(tx *pg.Tx, o Outcomes) {
	tx.Queue(`INSERT INTO activity_outcomes (tenant_id, version, outcomes, changed_at, changed_by) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (tenant_id) DO UPDATE SET version = excluded.version, outcomes = excluded.outcomes, changed_at = excluded.changed_at, changed_by = excluded.changed_by`,
		tx.Tenant(), o.Version, o.List, o.ChangedAt, o.ChangedBy)
}

// lockOutcomes queues that nobody else writes the list until the transaction ends.
func lockOutcomes(tx *pg.Tx) {
	tx.Queue(`SELECT pg_advisory_xact_lock(hashtextextended('activity_outcomes ' || $1, 0))`, tx.Tenant())
}

// queueLibrary queues the reading of an objection with the answers to it that are not archived.
func queueLibrary(tx *pg.Tx, code string) *Library {
	var l Library
	tx.Queue(`SELECT o.code, ARRAY(SELECT a.id FROM objection_answer a WHERE a.tenant_id = $1 AND a.objection = o.code AND a.archived_at IS NULL)
		FROM objection o WHERE o.tenant_id = $1 AND o.code = $2 AND NOT o.archived`, tx.Tenant(), code).QueryRow(func(row pgx.Row) error {
		err := row.Scan(&l.Objection, &l.Answers)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		return err
	})
	return &l
}

const objectionSQL = `SELECT code, version, text_en, text_zh, archived, changed_at, changed_by FROM objection WHERE tenant_id = $1 AND `

func scanObjection(row pgx.Row) (o Objection, err error) {
	err = row.Scan(&o.Code, &o.Version, &o.Text.EN, &o.Text.ZH, &o.Archived, &o.ChangedAt, &o.ChangedBy)
	if errors.Is(err, pgx.ErrNoRows) {
		err = errNoObjection
	}
	o.ChangedAt = o.ChangedAt.UTC()
	return o, err
}

func findObjection(ctx context.Context, tx *pg.Tx, code string) (Objection, error) {
	return scanObjection(tx.QueryRow(ctx, objectionSQL+`code = $2`, tx.Tenant(), code))
}

func lockObjection(ctx context.Context, tx *pg.Tx, code string) (Objection, error) {
	return scanObjection(tx.QueryRow(ctx, objectionSQL+`code = $2 FOR UPDATE`, tx.Tenant(), code))
}

func objections(ctx context.Context, tx *pg.Tx, archived bool, after string, limit int) ([]Objection, error) {
	rows, err := tx.Query(ctx, objectionSQL+`code > $2 AND ($3 OR NOT archived) ORDER BY code LIMIT $4`, tx.Tenant(), after, archived, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Objection, error) { return scanObjection(row) })
}

// objectionConstraint is what gives a code to one objection only.
const objectionConstraint = "objection_key"

func insertObjection(tx *pg.Tx, o Objection) {
	tx.Queue(`INSERT INTO objection (tenant_id, code, version, text_en, text_zh, archived, changed_at, changed_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		tx.Tenant(), o.Code, o.Version, o.Text.EN, o.Text.ZH, o.Archived, o.ChangedAt, o.ChangedBy)
}

func saveObjection(tx *pg.Tx, o Objection) {
	tx.Queue(`UPDATE objection SET version = $3, text_en = $4, text_zh = $5, archived = $6, changed_at = $7, changed_by = $8 WHERE tenant_id = $1 AND code = $2`,
		tx.Tenant(), o.Code, o.Version, o.Text.EN, o.Text.ZH, o.Archived, o.ChangedAt, o.ChangedBy)
}

const answerSQL = `SELECT id, objection, text_en, text_zh, author, created_at, archived_at FROM objection_answer WHERE tenant_id = $1 AND `

func scanAnswer(row pgx.Row) (a Answer, err error) {
	var archived *time.Time
	err = row.Scan(&a.ID, &a.Objection, &a.Text.EN, &a.Text.ZH, &a.Author, &a.CreatedAt, &archived)
	if errors.Is(err, pgx.ErrNoRows) {
		err = errNoAnswer
	}
	a.CreatedAt, a.ArchivedAt = a.CreatedAt.UTC(), orZero(archived).UTC()
	return a, err
}

func findAnswer(ctx context.Context, tx *pg.Tx, id uuid.UUID) (Answer, error) {
	return scanAnswer(tx.QueryRow(ctx, answerSQL+`id = $2`, tx.Tenant(), id))
}

func lockAnswer(ctx context.Context, tx *pg.Tx, code string, id uuid.UUID) (Answer, error) {
	return scanAnswer(tx.QueryRow(ctx, answerSQL+`objection = $2 AND id = $3 FOR UPDATE`, tx.Tenant(), code, id))
}

// answers gives the answers to an objection, the oldest first.
func answers(ctx context.Context, tx *pg.Tx, code string, archived bool) ([]Answer, error) {
	rows, err := tx.Query(ctx, answerSQL+`objection = $2 AND ($3 OR archived_at IS NULL) ORDER BY id`, tx.Tenant(), code, archived)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Answer, error) { return scanAnswer(row) })
}

func insertAnswer(tx *pg.Tx, a Answer) {
	tx.Queue(`INSERT INTO objection_answer (tenant_id, id, objection, text_en, text_zh, author, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		tx.Tenant(), a.ID, a.Objection, a.Text.EN, a.Text.ZH, a.Author, a.CreatedAt)
}

func saveAnswer(tx *pg.Tx, a Answer) {
	tx.Queue(`UPDATE objection_answer SET archived_at = $3 WHERE tenant_id = $1 AND id = $2`, tx.Tenant(), a.ID, pg.OrNull(a.ArchivedAt))
}

// most is how many of the latest times that answers were given are measured.
const most = 20_000

// history gives each time that an answer to the objection was given, with what followed within the window: of the opportunity (of a lead,
// the one that came of it), of the lead, and the next activity with the opportunity, or else the lead, or else the customer. Each is looked
// up by its key.
func history(ctx context.Context, tx *pg.Tx, code string, window time.Duration, since time.Time) ([]Given, error) {
	rows, err := tx.Query(ctx, `SELECT a.answer_id, a.completed_at, coalesce(s.won, false), coalesce(s.lost, false) OR coalesce(l.lost, false), coalesce(l.converted, false),
			coalesce(s.moves, '{}'), coalesce(n.effect, '')
		FROM (SELECT *, completed_at + $3 * interval '1 second' AS until FROM activity WHERE tenant_id = $1 AND objection = $2 AND answer_id IS NOT NULL AND completed_at >= $4
			ORDER BY completed_at DESC LIMIT $5) a
		LEFT JOIN LATERAL (SELECT k.opportunity_id, k.lost_at > a.completed_at AND k.lost_at <= a.until AS lost, k.converted_at > a.completed_at AND k.converted_at <= a.until AS converted
			FROM lead k WHERE k.tenant_id = $1 AND k.id = a.lead_id LIMIT 1) l ON true
		LEFT JOIN LATERAL (SELECT bool_or(e.state = 'won') AS won, bool_or(e.state = 'lost') AS lost,
				array_agg(e.pipeline || ' ' || e.previous_stage || ' ' || e.stage) FILTER (WHERE e.state = 'open' AND e.previous_state = 'open') AS moves
			FROM opportunity_stage e WHERE e.tenant_id = $1 AND e.opportunity_id = coalesce(a.opportunity_id, l.opportunity_id) AND e.entered_at > a.completed_at
				AND e.entered_at <= a.until) s ON true
		LEFT JOIN LATERAL (
			(SELECT f.effect, f.completed_at FROM activity f WHERE f.tenant_id = $1 AND f.state = 'completed' AND f.opportunity_id = a.opportunity_id
				AND f.completed_at > a.completed_at AND f.completed_at <= a.until ORDER BY f.completed_at LIMIT 1)
			UNION ALL (SELECT f.effect, f.completed_at FROM activity f WHERE a.opportunity_id IS NULL AND f.tenant_id = $1 AND f.state = 'completed' AND f.lead_id = a.lead_id
				AND f.completed_at > a.completed_at AND f.completed_at <= a.until ORDER BY f.completed_at LIMIT 1)
			UNION ALL (SELECT f.effect, f.completed_at FROM activity f WHERE a.opportunity_id IS NULL AND a.lead_id IS NULL AND f.tenant_id = $1 AND f.state = 'completed'
				AND f.customer_id = ANY ((SELECT customer_group($1, a.customer_id))::uuid[])
				AND f.completed_at > a.completed_at AND f.completed_at <= a.until ORDER BY f.completed_at LIMIT 1)
			LIMIT 1) n ON true
		ORDER BY a.completed_at, a.id`, tx.Tenant(), code, int64(window/time.Second), since, most)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (g Given, err error) {
		var moves []string
		err = row.Scan(&g.Answer, &g.At, &g.Won, &g.Lost, &g.Converted, &moves, &g.Next)
		for _, m := range moves {
			if parts := strings.Split(m, " "); len(parts) == 3 {
				g.Moves = append(g.Moves, Move{parts[0], parts[1], parts[2]})
			}
		}
		return g, err
	})
}
