package crisis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// errNotFound is the same for a crisis that is not there and for another tenant's.
var errNotFound = problem.New(problem.NotFound, "crisis_not_found", "There is no such crisis.")

// The constraints by which a series has one crisis at a time, and a decision's id stands once in a tenant.
const (
	seriesIndex   = "crisis_of_series"
	decisionIndex = "crisis_step_decision"
)

const columns = `id, version, dimension, value, stage, alarm, window_from, team, statements, reminders, due_at, proposed_at, declared_at,
	ended_at, closed_at`

// insert queues a new crisis with its first step. One whose series has a crisis already is refused by seriesIndex.
func insert(tx *pg.Tx, c Crisis, trace map[string]string) {
	tx.Queue(`INSERT INTO crisis (tenant_id, `+columns+`, detected, trace)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)`,
		tx.Tenant(), c.ID, c.Version, c.Dimension, c.Value, c.Stage, c.Alarm, c.WindowFrom, team(c), c.Statements, c.Reminders, pg.OrNull(c.DueAt),
		pg.OrNull(c.ProposedAt), pg.OrNull(c.DeclaredAt), pg.OrNull(c.EndedAt), pg.OrNull(c.ClosedAt), c.Alarm != nil, trace)
	insertSteps(tx, c.ID, c.Steps)
}

// save queues what a rule changed of a crisis that is locked. A trace that is nil stays as it is.
func save(tx *pg.Tx, was, now Crisis, trace map[string]string) {
	tx.Queue(`UPDATE crisis SET version = $3, stage = $4, team = $5, statements = $6, reminders = $7, due_at = $8, declared_at = $9,
			ended_at = $10, closed_at = $11, trace = coalesce($12, trace) WHERE tenant_id = $1 AND id = $2`,
		tx.Tenant(), now.ID, now.Version, now.Stage, team(now), now.Statements, now.Reminders, pg.OrNull(now.DueAt), pg.OrNull(now.DeclaredAt),
		pg.OrNull(now.EndedAt), pg.OrNull(now.ClosedAt), trace)
	insertSteps(tx, now.ID, now.Steps[len(was.Steps):])
}

func team(c Crisis) []string {
	if c.Team == nil {
		return []string{}
	}
	return c.Team
}

func insertSteps(tx *pg.Tx, crisis uuid.UUID, steps []Step) {
	for _, s := range steps {
		tx.Queue(`INSERT INTO crisis_step (tenant_id, crisis_id, no, action, decision_id, input_hash, by_subject, at, note_id)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
			tx.Tenant(), crisis, s.No, s.Action, pg.OrNull(s.DecisionID), s.Hash, s.By, s.At, pg.OrNull(s.NoteID))
	}
}

// insertNote queues what somebody said; one that is there already stays as it is.
func insertNote(tx *pg.Tx, crisis, id uuid.UUID, words, by string, at time.Time) {
	tx.Queue(`INSERT INTO crisis_note (tenant_id, id, crisis_id, words, by_subject, at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (tenant_id, id) DO NOTHING`, tx.Tenant(), id, crisis, words, by, at)
}

// notes gives what was said with the steps of crises, by the notes' ids.
func notes(ctx context.Context, tx *pg.Tx, crises ...uuid.UUID) (map[uuid.UUID]string, error) {
	rows, err := tx.Query(ctx, `SELECT id, words FROM crisis_note WHERE tenant_id = $1 AND crisis_id = ANY($2)`, tx.Tenant(), crises)
	if err != nil {
		return nil, err
	}
	found := make(map[uuid.UUID]string)
	var id uuid.UUID
	var said string
	_, err = pgx.ForEachRow(rows, []any{&id, &said}, func() error { found[id] = said; return nil })
	return found, err
}

// decided tells where and with which content a decision stands; found is false where it does not.
func decided(ctx context.Context, tx *pg.Tx, decision uuid.UUID) (crisis uuid.UUID, hash []byte, found bool, err error) {
	err = tx.QueryRow(ctx, `SELECT crisis_id, input_hash FROM crisis_step WHERE tenant_id = $1 AND decision_id = $2`,
		tx.Tenant(), decision).Scan(&crisis, &hash)
	if errors.Is(err, pgx.ErrNoRows) {
		return uuid.Nil, nil, false, nil
	}
	return crisis, hash, err == nil, err
}

// load gives a crisis, or errNotFound; locked until the transaction ends, if asked to. One round trip.
func load(ctx context.Context, tx *pg.Tx, id uuid.UUID, locked bool) (Crisis, error) {
	if locked {
		tx.Queue(`SELECT 1 FROM crisis WHERE tenant_id = $1 AND id = $2 FOR UPDATE`, tx.Tenant(), id)
	}
	found, err := collect(ctx, tx, `SELECT * FROM crisis c WHERE c.tenant_id = $1 AND c.id = $2`, id)
	if err == nil && len(found) == 0 {
		err = errNotFound
	}
	if err != nil {
		return Crisis{}, err
	}
	return found[0], nil
}

// traceOf gives the trace of a crisis's declaration.
func traceOf(ctx context.Context, tx *pg.Tx, id uuid.UUID) (trace map[string]string, err error) {
	err = tx.QueryRow(ctx, `SELECT trace FROM crisis WHERE tenant_id = $1 AND id = $2`, tx.Tenant(), id).Scan(&trace)
	return trace, err
}

// list gives up to limit crises that fit the filter, the latest first.
func list(ctx context.Context, tx *pg.Tx, f Filter, limit int) ([]Crisis, error) {
	where, args := []string{"c.tenant_id = $1"}, []any{}
	only := func(condition string, value any) {
		args = append(args, value)
		where = append(where, fmt.Sprintf("c.%s $%d", condition, len(args)+1))
	}
	if f.Stage != "" {
		only("stage =", f.Stage)
	}
	if f.Before != uuid.Nil {
		only("id <", f.Before)
	}
	return collect(ctx, tx, fmt.Sprintf(`SELECT * FROM crisis c WHERE %s ORDER BY c.id DESC LIMIT %d`, strings.Join(where, " AND "), limit), args...)
}

// collect reads the crises that a query gives (its values from $2 on) with their steps and the counts of their complaints.
func collect(ctx context.Context, tx *pg.Tx, from string, args ...any) ([]Crisis, error) {
	rows, err := tx.Query(ctx, fmt.Sprintf(`SELECT c.%s, s.steps, l.complaints, l.answered, a.planned, a.refused
		FROM (%s) c
		LEFT JOIN LATERAL (SELECT json_agg(json_build_object('no', no, 'action', action, 'decision_id', decision_id,
				'hash', encode(input_hash, 'base64'), 'by', by_subject, 'at', at, 'note_id', note_id) ORDER BY no) AS steps
			FROM crisis_step WHERE tenant_id = c.tenant_id AND crisis_id = c.id) s ON true
		CROSS JOIN LATERAL (SELECT count(*) AS complaints, count(*) FILTER (WHERE EXISTS (
				SELECT FROM crisis_answer a WHERE a.tenant_id = l.tenant_id AND a.crisis_id = l.crisis_id AND a.complaint_id = l.complaint_id
					AND a.state = 'done')) AS answered
			FROM crisis_complaint l WHERE l.tenant_id = c.tenant_id AND l.crisis_id = c.id AND l.linked) l
		CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE state = 'planned') AS planned, count(*) FILTER (WHERE state = 'refused') AS refused
			FROM crisis_answer WHERE tenant_id = c.tenant_id AND crisis_id = c.id AND state <> 'done') a
		ORDER BY c.id DESC`, strings.ReplaceAll(columns, ", ", ", c."), from), append([]any{tx.Tenant()}, args...)...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Crisis, error) { return scan(row) })
}

func scan(row pgx.Row) (Crisis, error) {
	var c Crisis
	var due, proposed, declared, ended, closed *time.Time
	err := row.Scan(&c.ID, &c.Version, &c.Dimension, &c.Value, &c.Stage, &c.Alarm, &c.WindowFrom, &c.Team, &c.Statements, &c.Reminders,
		&due, &proposed, &declared, &ended, &closed, &c.Steps, &c.Linked.Complaints, &c.Linked.Answered, &c.Linked.Planned, &c.Linked.Refused)
	if err != nil {
		return Crisis{}, err
	}
	c.WindowFrom = c.WindowFrom.UTC()
	for to, from := range map[*time.Time]*time.Time{&c.DueAt: due, &c.ProposedAt: proposed, &c.DeclaredAt: declared, &c.EndedAt: ended, &c.ClosedAt: closed} {
		if from != nil {
			*to = from.UTC()
		}
	}
	for i := range c.Steps {
		c.Steps[i].At = c.Steps[i].At.UTC()
	}
	return c, nil
}

// belongs says of a complaint c and a crisis x that the one is about what the other is about.
const belongs = `c.registered_at >= x.window_from AND (x.dimension = 'category' AND c.category = x.value
	OR x.dimension = 'sku' AND EXISTS (SELECT FROM purchase_line l WHERE l.tenant_id = c.tenant_id AND l.order_id = c.order_id AND l.sku = x.value))`

// linkAll queues that every complaint that belongs to the crisis is linked to it, and every one that named it when it was
// escalated, but for those that people took out.
func linkAll(tx *pg.Tx, crisis uuid.UUID, at time.Time) {
	tx.Queue(`INSERT INTO crisis_complaint (tenant_id, crisis_id, complaint_id, linked, by_subject, at)
		SELECT x.tenant_id, x.id, c.id, true, $3, $4
		FROM crisis x JOIN complaint c ON c.tenant_id = x.tenant_id AND (`+belongs+` OR c.crisis_id = x.id)
		WHERE x.tenant_id = $1 AND x.id = $2
		ORDER BY c.id
		ON CONFLICT (tenant_id, crisis_id, complaint_id) DO NOTHING`, tx.Tenant(), crisis, process, at)
}

// linkNew queues that complaints are linked to the crises that are led and to which they belong.
func linkNew(tx *pg.Tx, complaints []uuid.UUID, at time.Time) {
	tx.Queue(`INSERT INTO crisis_complaint (tenant_id, crisis_id, complaint_id, linked, by_subject, at)
		SELECT x.tenant_id, x.id, c.id, true, $3, $4
		FROM complaint c JOIN crisis x ON x.tenant_id = c.tenant_id AND x.stage = 'declared' AND `+belongs+`
		WHERE c.tenant_id = $1 AND c.id = ANY($2::uuid[])
		ORDER BY x.id, c.id
		ON CONFLICT (tenant_id, crisis_id, complaint_id) DO NOTHING`, tx.Tenant(), complaints, process, at)
}

// setLinks says of complaints that they belong to a crisis, or do not. It gives those that are no complaints of the tenant.
func setLinks(ctx context.Context, tx *pg.Tx, crisis uuid.UUID, complaints []uuid.UUID, linked bool, by string, at time.Time) (unknown []uuid.UUID, err error) {
	tx.Queue(`INSERT INTO crisis_complaint AS l (tenant_id, crisis_id, complaint_id, linked, by_subject, at)
		SELECT $1, $2, c.id, $4, $5, $6 FROM complaint c WHERE c.tenant_id = $1 AND c.id = ANY($3::uuid[]) ORDER BY c.id
		ON CONFLICT (tenant_id, crisis_id, complaint_id) DO UPDATE SET linked = excluded.linked, by_subject = excluded.by_subject, at = excluded.at
			WHERE l.linked <> excluded.linked`, tx.Tenant(), crisis, complaints, linked, by, at)
	rows, err := tx.Query(ctx, `SELECT u.id FROM unnest($2::uuid[]) AS u(id)
		WHERE NOT EXISTS (SELECT FROM complaint c WHERE c.tenant_id = $1 AND c.id = u.id)`, tx.Tenant(), complaints)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
}

// planAnswers queues that the linked complaints are answered with a note: all of them, or those that had no answer yet, nor
// wait for one.
func planAnswers(tx *pg.Tx, crisis, note uuid.UUID, everybody bool, by string, at time.Time) {
	tx.Queue(`INSERT INTO crisis_answer (tenant_id, crisis_id, note_id, complaint_id, ticket_id, state, by_subject, at)
		SELECT l.tenant_id, l.crisis_id, $3, l.complaint_id, c.ticket_id, 'planned', $5, $6
		FROM crisis_complaint l JOIN complaint c ON c.tenant_id = l.tenant_id AND c.id = l.complaint_id
		WHERE l.tenant_id = $1 AND l.crisis_id = $2 AND l.linked AND ($4 OR NOT EXISTS (
			SELECT FROM crisis_answer a WHERE a.tenant_id = l.tenant_id AND a.crisis_id = l.crisis_id AND a.complaint_id = l.complaint_id
				AND a.state <> 'refused'))
		ON CONFLICT (tenant_id, crisis_id, note_id, complaint_id) DO NOTHING`, tx.Tenant(), crisis, note, everybody, by, at)
}

// planned is an answer that is to be given.
type planned struct {
	note, complaint, ticket uuid.UUID
	words, by               string
}

// nextAnswers gives up to limit answers that are to be given, locked, in the order of the tickets. Who has some locked at this
// moment is waited for.
func nextAnswers(ctx context.Context, tx *pg.Tx, crisis uuid.UUID, limit int) ([]planned, error) {
	rows, err := tx.Query(ctx, `SELECT a.note_id, a.complaint_id, a.ticket_id, n.words, a.by_subject
		FROM crisis_answer a JOIN crisis_note n ON n.tenant_id = a.tenant_id AND n.id = a.note_id
		WHERE a.tenant_id = $1 AND a.crisis_id = $2 AND a.state = 'planned'
		ORDER BY a.ticket_id, a.note_id LIMIT $3 FOR UPDATE OF a`, tx.Tenant(), crisis, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (p planned, err error) {
		return p, row.Scan(&p.note, &p.complaint, &p.ticket, &p.words, &p.by)
	})
}

// answered queues what became of an answer; code is empty where it was given.
func answered(tx *pg.Tx, crisis uuid.UUID, p planned, code string, at time.Time) {
	state := "done"
	if code != "" {
		state = "refused"
	}
	tx.Queue(`UPDATE crisis_answer SET state = $5, code = $6, at = $7 WHERE tenant_id = $1 AND crisis_id = $2 AND note_id = $3 AND complaint_id = $4`,
		tx.Tenant(), crisis, p.note, p.complaint, state, code, at)
}

// settingOf queues the search for the setting of the transaction's tenant; it is filled by the next round trip.
func settingOf(tx *pg.Tx) *Setting {
	found := StandardSetting()
	tx.Queue(`SELECT version, threshold, window_days, base_days, sku_exposure, category_exposure, recorded_since, statement_seconds,
		update_seconds, review_seconds FROM crisis_setting WHERE tenant_id = $1`, tx.Tenant()).QueryRow(func(row pgx.Row) error {
		var s Setting
		var since *time.Time
		var statement, update, review int64
		err := row.Scan(&s.Version, &s.Threshold, &s.WindowDays, &s.BaseDays, &s.SKUExposure, &s.CategoryExposure, &since, &statement, &update, &review)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if since != nil {
			s.RecordedSince = since.UTC()
		}
		s.StatementWithin, s.UpdateEvery = time.Duration(statement)*time.Second, time.Duration(update)*time.Second
		s.ReviewWithin = time.Duration(review) * time.Second
		found = s
		return err
	})
	return &found
}

func saveSetting(tx *pg.Tx, s Setting) {
	tx.Queue(`INSERT INTO crisis_setting (tenant_id, version, threshold, window_days, base_days, sku_exposure, category_exposure, recorded_since,
			statement_seconds, update_seconds, review_seconds)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
		ON CONFLICT (tenant_id) DO UPDATE SET version = $2, threshold = $3, window_days = $4, base_days = $5, sku_exposure = $6,
			category_exposure = $7, recorded_since = $8, statement_seconds = $9, update_seconds = $10, review_seconds = $11`,
		tx.Tenant(), s.Version, s.Threshold, s.WindowDays, s.BaseDays, s.SKUExposure, s.CategoryExposure, pg.OrNull(s.RecordedSince),
		int64(s.StatementWithin/time.Second), int64(s.UpdateEvery/time.Second), int64(s.ReviewWithin/time.Second))
}
