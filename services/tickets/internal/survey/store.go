package survey

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// errNotFound is the same for a survey that is not there and for another tenant's; so are the others.
var (
	errNotFound           = problem.New(problem.NotFound, "survey_not_found", "There is no such survey.")
	errTriggerNotFound    = problem.New(problem.NotFound, "survey_trigger_not_found", "There is no such trigger.")
	errInvitationNotFound = problem.New(problem.NotFound, "survey_invitation_not_found", "There is no such invitation.")
	errClosed             = problem.New(problem.Conflict, "survey_closed", "The survey is closed: nobody is invited any more.")
)

const surveyColumns = `s.id, s.version, s.code, s.kind, s.anonymous, s.state = 'closed', v.no, v.content, s.changed_at`

// insertSurvey queues a new survey. One whose code is taken violates survey_code.
func insertSurvey(tx *pg.Tx, s Survey, by string) {
	tx.Queue(`INSERT INTO survey (tenant_id, id, version, code, kind, anonymous, state, questions, changed_at)
		VALUES ($1, $2, $3, $4, $5, $6, 'open', $7, $8)`,
		tx.Tenant(), s.ID, s.Version, s.Code, s.Kind, s.Anonymous, s.Questions, s.ChangedAt)
	insertVersion(tx, s, by)
}

func insertVersion(tx *pg.Tx, s Survey, by string) {
	tx.Queue(`INSERT INTO survey_version (tenant_id, survey_id, no, content, by_subject, at) VALUES ($1, $2, $3, $4, $5, $6)`,
		tx.Tenant(), s.ID, s.Questions, s.Content, by, s.ChangedAt)
}

func saveSurvey(tx *pg.Tx, s Survey) {
	state := "open"
	if s.Closed {
		state = "closed"
	}
	tx.Queue(`UPDATE survey SET version = $3, state = $4, questions = $5, changed_at = $6 WHERE tenant_id = $1 AND id = $2`,
		tx.Tenant(), s.ID, s.Version, state, s.Questions, s.ChangedAt)
}

// loadSurvey gives a survey with a version of its questions (0: the present one), or errNotFound; locked until the
// transaction ends, if asked to.
func loadSurvey(ctx context.Context, tx *pg.Tx, id uuid.UUID, no int64, locked bool) (Survey, error) {
	if locked {
		tx.Queue(`SELECT 1 FROM survey WHERE tenant_id = $1 AND id = $2 FOR UPDATE`, tx.Tenant(), id)
	}
	return scanSurvey(tx.QueryRow(ctx, `SELECT `+surveyColumns+` FROM survey s
		JOIN survey_version v ON v.tenant_id = s.tenant_id AND v.survey_id = s.id AND v.no = CASE $3::bigint WHEN 0 THEN s.questions ELSE $3 END
		WHERE s.tenant_id = $1 AND s.id = $2`, tx.Tenant(), id, no))
}

// findSurvey gives the survey of a code with its present questions, or errNotFound.
func findSurvey(ctx context.Context, tx *pg.Tx, code string) (Survey, error) {
	return scanSurvey(tx.QueryRow(ctx, `SELECT `+surveyColumns+` FROM survey s
		JOIN survey_version v ON v.tenant_id = s.tenant_id AND v.survey_id = s.id AND v.no = s.questions
		WHERE s.tenant_id = $1 AND s.code = $2`, tx.Tenant(), code))
}

// listSurveys gives up to limit surveys before the given one (Nil: the latest), the latest first.
func listSurveys(ctx context.Context, tx *pg.Tx, before uuid.UUID, limit int) ([]Survey, error) {
	if before == uuid.Nil {
		before = uuid.Max
	}
	rows, err := tx.Query(ctx, `SELECT `+surveyColumns+` FROM survey s
		JOIN survey_version v ON v.tenant_id = s.tenant_id AND v.survey_id = s.id AND v.no = s.questions
		WHERE s.tenant_id = $1 AND s.id < $2 ORDER BY s.id DESC LIMIT $3`, tx.Tenant(), before, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Survey, error) { return scanSurvey(row) })
}

// allQuestions gives every question that a survey ever had, the last form of each.
func allQuestions(ctx context.Context, tx *pg.Tx, survey uuid.UUID) ([]Question, error) {
	rows, err := tx.Query(ctx, `SELECT content FROM survey_version WHERE tenant_id = $1 AND survey_id = $2 ORDER BY no`, tx.Tenant(), survey)
	if err != nil {
		return nil, err
	}
	var all []Question
	at := map[string]int{}
	var c Content
	_, err = pgx.ForEachRow(rows, []any{&c}, func() error {
		for _, q := range c.Questions {
			if i, there := at[q.Code]; there {
				all[i] = q
				continue
			}
			at[q.Code] = len(all)
			all = append(all, q)
		}
		c = Content{}
		return nil
	})
	return all, err
}

func scanSurvey(row pgx.Row) (s Survey, err error) {
	err = row.Scan(&s.ID, &s.Version, &s.Code, &s.Kind, &s.Anonymous, &s.Closed, &s.Questions, &s.Content, &s.ChangedAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return Survey{}, errNotFound
	}
	s.ChangedAt = s.ChangedAt.UTC()
	return s, err
}

const triggerColumns = `id, version, survey_id, moment, filter, channel, cooldown_days, active, since`

// saveTrigger queues a trigger, a new one or what was changed.
func saveTrigger(tx *pg.Tx, t Trigger) {
	tx.Queue(`INSERT INTO survey_trigger (tenant_id, `+triggerColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		ON CONFLICT (tenant_id, id) DO UPDATE SET version = $3, survey_id = $4, moment = $5, filter = $6, channel = $7, cooldown_days = $8,
			active = $9, since = $10`,
		tx.Tenant(), t.ID, t.Version, t.SurveyID, t.Moment, t.Filter, t.Channel, t.CoolDownDays, t.Active, t.Since)
}

func scanTrigger(row pgx.Row) (t Trigger, err error) {
	err = row.Scan(&t.ID, &t.Version, &t.SurveyID, &t.Moment, &t.Filter, &t.Channel, &t.CoolDownDays, &t.Active, &t.Since)
	if errors.Is(err, pgx.ErrNoRows) {
		return Trigger{}, errTriggerNotFound
	}
	t.Since = t.Since.UTC()
	return t, err
}

// loadTrigger gives a trigger, or errTriggerNotFound; locked until the transaction ends, if asked to.
func loadTrigger(ctx context.Context, tx *pg.Tx, id uuid.UUID, locked bool) (Trigger, error) {
	lock := ""
	if locked {
		lock = " FOR UPDATE"
	}
	return scanTrigger(tx.QueryRow(ctx, `SELECT `+triggerColumns+` FROM survey_trigger WHERE tenant_id = $1 AND id = $2`+lock, tx.Tenant(), id))
}

// listTriggers gives up to limit triggers before the given one (Nil: the latest), the latest first.
func listTriggers(ctx context.Context, tx *pg.Tx, before uuid.UUID, limit int) ([]Trigger, error) {
	if before == uuid.Nil {
		before = uuid.Max
	}
	rows, err := tx.Query(ctx, `SELECT `+triggerColumns+` FROM survey_trigger WHERE tenant_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3`,
		tx.Tenant(), before, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Trigger, error) { return scanTrigger(row) })
}

// calling is a trigger with what an invitation takes from its survey.
type calling struct {
	Trigger
	questions int64
	anonymous bool
}

// activeTriggers gives the triggers of the moments whose surveys are open, in the order in which they were made.
func activeTriggers(ctx context.Context, tx *pg.Tx, moments []Moment) ([]calling, error) {
	rows, err := tx.Query(ctx, `SELECT t.id, t.version, t.survey_id, t.moment, t.filter, t.channel, t.cooldown_days, t.active, t.since, s.questions, s.anonymous
		FROM survey_trigger t JOIN survey s ON s.tenant_id = t.tenant_id AND s.id = t.survey_id
		WHERE t.tenant_id = $1 AND t.active AND t.moment = ANY ($2::text[]) AND s.state = 'open' ORDER BY t.id`, tx.Tenant(), moments)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (c calling, err error) {
		err = row.Scan(&c.ID, &c.Version, &c.SurveyID, &c.Moment, &c.Filter, &c.Channel, &c.CoolDownDays, &c.Active, &c.Since, &c.questions, &c.anonymous)
		return c, err
	})
}

// utc gives a time that may be missing.
func utc(at *time.Time) time.Time {
	if at == nil {
		return time.Time{}
	}
	return at.UTC()
}

// orNil gives an id that may be missing.
func orNil(id *uuid.UUID) uuid.UUID {
	if id == nil {
		return uuid.Nil
	}
	return *id
}
