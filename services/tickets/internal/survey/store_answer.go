package survey

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
)

// given is an answer as it is kept.
type given struct {
	id, survey                              uuid.UUID
	version                                 int64     // of the questions
	invitation, customer, ticket, complaint uuid.UUID // Nil in anonymous mode
	touchpoint, language                    string
	channel                                 string    // that it was asked by; empty in anonymous mode
	at                                      time.Time // in anonymous mode the day
	content                                 filled
}

// insertAnswer queues an answer.
func insertAnswer(tx *pg.Tx, g given) {
	f := g.content
	tx.Queue(`INSERT INTO survey_answer (tenant_id, id, survey_id, version, invitation_id, customer_id, ticket_id, complaint_id, touchpoint,
			language, score, answered_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
		tx.Tenant(), g.id, g.survey, g.version, pg.OrNull(g.invitation), pg.OrNull(g.customer), pg.OrNull(g.ticket), pg.OrNull(g.complaint),
		g.touchpoint, g.language, f.Score, g.at)
	n := len(f.Values)
	questions, parts, choices, numbers := make([]string, n), make([]string, n), make([]string, n), make([]*int, n)
	for k, v := range f.Values {
		questions[k], parts[k], choices[k], numbers[k] = v.Question, v.Part, v.Choice, v.Number
	}
	if n > 0 {
		tx.Queue(`INSERT INTO survey_value (tenant_id, answer_id, question, part, choice, number)
			SELECT $1, $2, * FROM unnest($3::text[], $4::text[], $5::text[], $6::integer[])`, tx.Tenant(), g.id, questions, parts, choices, numbers)
	}
	for question, words := range f.Words {
		tx.Queue(`INSERT INTO survey_words (tenant_id, answer_id, question, words) VALUES ($1, $2, $3, $4)`, tx.Tenant(), g.id, question, words)
	}
}

// intoUrn queues an answer in anonymous mode, and gives with the next round trip how many lie in the survey's urn. Until the
// transaction ends nobody else puts one in or takes some out.
func intoUrn(tx *pg.Tx, g given) *int {
	n := new(int)
	lockUrn(tx, g.survey)
	tx.Queue(`INSERT INTO survey_urn (tenant_id, survey_id, id, version, touchpoint, language, answered_on, content)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, tx.Tenant(), g.survey, g.id, g.version, g.touchpoint, g.language, g.at, g.content)
	tx.Queue(`SELECT count(*) FROM survey_urn WHERE tenant_id = $1 AND survey_id = $2`, tx.Tenant(), g.survey).
		QueryRow(func(row pgx.Row) error { return row.Scan(n) })
	return n
}

func lockUrn(tx *pg.Tx, survey uuid.UUID) {
	tx.Queue(`SELECT pg_advisory_xact_lock(hashtextextended('survey_urn ' || $1 || ' ' || $2, 0))`, tx.Tenant(), survey.String())
}

// outOfUrn takes the answers of days before the given one out of a survey's urn, in the order of their ids, which are random
// within a day.
func outOfUrn(ctx context.Context, tx *pg.Tx, survey uuid.UUID, before time.Time) ([]given, error) {
	rows, err := tx.Query(ctx, `WITH out AS (DELETE FROM survey_urn WHERE tenant_id = $1 AND survey_id = $2 AND answered_on < $3 RETURNING *)
		SELECT id, survey_id, version, touchpoint, language, answered_on, content FROM out ORDER BY id`, tx.Tenant(), survey, before)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (g given, err error) {
		err = row.Scan(&g.id, &g.survey, &g.version, &g.touchpoint, &g.language, &g.at, &g.content)
		g.at = g.at.UTC()
		return g, err
	})
}

// link is where a secret leads.
type link struct {
	tenant string
	id     uuid.UUID
}

// follow gives the invitation whose link has the secret; ok is false where none has. It looks over all tenants.
func follow(ctx context.Context, db *pg.DB, secret string) (l link, ok bool, err error) {
	err = db.System(ctx, func(tx *pg.Tx) error {
		err := tx.QueryRow(ctx, `SELECT tenant_id, id FROM survey_by_token($1)`, hashSecret(secret)).Scan(&l.tenant, &l.id)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		ok = err == nil
		return err
	})
	return l, ok, err
}

// Period is [From, To); zero times leave it open.
type Period struct{ From, To time.Time }

// Wanted says which answers are meant.
type Wanted struct {
	Survey     uuid.UUID
	Touchpoint string // empty for any
	Period     Period
	Group      string // "", "touchpoint", "day", "week" or "month"
}

// grouping gives the SQL by which rows with a touchpoint and the time are put together.
func (w Wanted) grouping(at string) string {
	switch w.Group {
	case "touchpoint":
		return "touchpoint"
	case "day", "week", "month":
		return `to_char(date_trunc('` + w.Group + `', ` + at + ` AT TIME ZONE 'UTC'), 'YYYY-MM-DD')`
	default:
		return "''"
	}
}

const wantedSQL = ` tenant_id = $1 AND survey_id = $2 AND ($3 = '' OR touchpoint = $3)`

func (w Wanted) args(tx *pg.Tx) []any {
	from, to := w.Period.From, w.Period.To
	if to.IsZero() {
		to = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return []any{tx.Tenant(), w.Survey, w.Touchpoint, from, to}
}

// counts are what results are made of.
type counts struct {
	group                   string
	sent, bounced, answered int // of the invitations that were sent in the period
	answers                 int // given in the period
	scores                  map[int]int
}

// tally queues the counts by group; they are there after the next round trip.
func tally(tx *pg.Tx, w Wanted) map[string]*counts {
	all := map[string]*counts{}
	of := func(group string) *counts {
		c := all[group]
		if c == nil {
			c = &counts{group: group, scores: map[int]int{}}
			all[group] = c
		}
		return c
	}
	tx.Queue(`SELECT `+w.grouping("sent_at")+`, count(*), count(*) FILTER (WHERE state = 'bounced'), count(*) FILTER (WHERE state = 'answered')
		FROM survey_invitation WHERE`+wantedSQL+` AND sent_at >= $4 AND sent_at < $5 GROUP BY 1`, w.args(tx)...).Query(func(rows pgx.Rows) error {
		var group string
		var sent, bounced, answered int
		_, err := pgx.ForEachRow(rows, []any{&group, &sent, &bounced, &answered}, func() error {
			c := of(group)
			c.sent, c.bounced, c.answered = sent, bounced, answered
			return nil
		})
		return err
	})
	tx.Queue(`SELECT `+w.grouping("answered_at")+`, score, count(*) FROM survey_answer WHERE`+wantedSQL+`
		AND answered_at >= $4 AND answered_at < $5 GROUP BY 1, 2`, w.args(tx)...).Query(func(rows pgx.Rows) error {
		var group string
		var score *int
		var n int
		_, err := pgx.ForEachRow(rows, []any{&group, &score, &n}, func() error {
			c := of(group)
			c.answers += n
			if score != nil {
				c.scores[*score] += n
			}
			return nil
		})
		return err
	})
	return all
}

// spread is how often a question, or a part of it, was answered by a choice or a number.
type spread struct {
	choices map[string]int
	numbers map[int]int
}

type questionPart struct{ question, part string }

// spreads gives the distributions of all questions, and how often each was answered in words.
func spreads(ctx context.Context, tx *pg.Tx, w Wanted) (map[questionPart]spread, map[string]int, error) {
	worded := map[string]int{}
	tx.Queue(`SELECT w.question, count(*) FROM survey_words w
		WHERE w.tenant_id = $1 AND w.answer_id IN (SELECT id FROM survey_answer WHERE`+wantedSQL+` AND answered_at >= $4 AND answered_at < $5)
		GROUP BY 1`, w.args(tx)...).Query(func(rows pgx.Rows) error {
		var question string
		var n int
		_, err := pgx.ForEachRow(rows, []any{&question, &n}, func() error { worded[question] = n; return nil })
		return err
	})
	rows, err := tx.Query(ctx, `SELECT v.Question, v.Part, v.Choice, v.Number, count(*) FROM survey_value v
		WHERE v.tenant_id = $1 AND v.answer_id IN (SELECT id FROM survey_answer WHERE`+wantedSQL+` AND answered_at >= $4 AND answered_at < $5)
		GROUP BY 1, 2, 3, 4`, w.args(tx)...)
	if err != nil {
		return nil, nil, err
	}
	all := map[questionPart]spread{}
	var at questionPart
	var choice string
	var number *int
	var n int
	_, err = pgx.ForEachRow(rows, []any{&at.question, &at.part, &choice, &number, &n}, func() error {
		s, there := all[at]
		if !there {
			s = spread{choices: map[string]int{}, numbers: map[int]int{}}
			all[at] = s
		}
		if number != nil {
			s.numbers[*number] += n
		} else {
			s.choices[choice] += n
		}
		return nil
	})
	return all, worded, err
}
