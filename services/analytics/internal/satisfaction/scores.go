package satisfaction

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/fact"
)

// patience is the longest that a statement over answers and orders may take.
const patience = 20 * time.Second

// mostGroups is how many groups, places or reasons are told of at once.
const mostGroups = 200

// Queries reads answers.
type Queries struct {
	db    *pg.DB
	clock func() time.Time
}

// NewQueries makes Queries on the service's database.
func NewQueries(db *pg.DB, clock func() time.Time) *Queries { return &Queries{db, clock} }

func (q *Queries) now() time.Time { return q.clock().UTC().Truncate(time.Microsecond) }

// whoseSQL begins statements: whom merged ids mean, and who is there no more.
const whoseSQL = `WITH whose AS MATERIALIZED (SELECT customer_id, root_id FROM customer_aliases($1)),
gone AS MATERIALIZED (SELECT customer_id FROM fact_customer WHERE tenant_id = $1 AND erased_at IS NOT NULL),
`

// who is the customer that a row of %T means: the one who stands for all its ids; null where nobody is known, or it was erased.
func who(table string) string {
	return strings.ReplaceAll(`CASE WHEN %T.customer_id IN (SELECT customer_id FROM gone) OR w.root_id IN (SELECT customer_id FROM gone) THEN NULL
		ELSE coalesce(w.root_id, %T.customer_id) END`, "%T", table)
}

// By is what answers are told apart by.
type By string

// grouped is the column for each; of answers a with their customer's portrait p.
var grouped = map[By]string{
	"": "''", "touchpoint": "a.touchpoint", "survey": "a.survey_id::text", "channel": "a.channel", "grade": "coalesce(p.grade, '')",
}

// Asked says which answers count, and how they are told apart.
type Asked struct {
	Span
	Survey     uuid.UUID // nil: of all
	Touchpoint string    // empty: of all
	Channel    string    // empty: of all
	By         By        // empty: not at all
	Grain      Grain     // empty: no trend
}

// Scores is what was answered, by the kind of survey.
type Scores struct {
	Key       string    // of a group
	From      time.Time // of a stretch
	Counts    map[string]Counts
	Customers map[string]int64 // known ones who gave these answers
}

func (s Scores) n() (n int) {
	for _, c := range s.Counts {
		n += c.N()
	}
	return n
}

// Response is how many were asked and how many answered in a time.
type Response struct {
	Kind, Touchpoint, Channel *string // by one of them
	Asked, Answered           int64
}

// Standing is how satisfied customers are.
type Standing struct {
	All       Scores
	Trend     []Scores
	Groups    []Scores // those with the most answers first
	More      int      // groups that are left out
	Responses []Response
	AsOf      time.Time
}

// scoresSQL counts scores: in all, by stretch and by group, and the customers of each without their scores.
const scoresSQL = whoseSQL + `answer AS MATERIALIZED (
	SELECT a.kind, a.score, date_trunc($7, a.answered_at AT TIME ZONE 'UTC')::date AS stretch, %BY% AS key, c.who
	FROM fact_answer a LEFT JOIN whose w ON w.customer_id = a.customer_id
	CROSS JOIN LATERAL (SELECT %WHO% AS who) c
	LEFT JOIN portrait p ON p.tenant_id = $1 AND p.customer_id = c.who
	WHERE a.tenant_id = $1 AND a.kind IN ('csat', 'nps', 'ces') AND a.score IS NOT NULL AND a.answered_at >= $2 AND a.answered_at < $3
		AND ($4::uuid IS NULL OR a.survey_id = $4) AND ($5 = '' OR a.touchpoint = $5) AND ($6 = '' OR a.channel = $6)
)
SELECT kind, score, stretch, key, count(*), count(DISTINCT who) FROM answer
GROUP BY GROUPING SETS ((kind, score), (kind, score, stretch), (kind, score, key), (kind), (kind, stretch), (kind, key))
ORDER BY stretch, key`

// responsesSQL counts who was asked and what was answered; answers of those who were asked by hand have no channel.
const responsesSQL = `WITH one AS (
	SELECT campaign AS kind, touch AS touchpoint, channel, 1 AS asked, 0 AS answered FROM fact_touch
	WHERE tenant_id = $1 AND origin = 'survey' AND at >= $2 AND at < $3 AND ($4 = '' OR touch = $4) AND ($5 = '' OR channel = $5)
	UNION ALL
	SELECT kind, touchpoint, channel, 0, 1 FROM fact_answer
	WHERE tenant_id = $1 AND answered_at >= $2 AND answered_at < $3 AND ($4 = '' OR touchpoint = $4) AND ($5 = '' OR channel = $5)
)
SELECT kind, touchpoint, channel, sum(asked)::bigint, sum(answered)::bigint FROM one GROUP BY GROUPING SETS ((kind), (touchpoint), (channel))
ORDER BY kind, touchpoint, channel LIMIT $6`

// Stand says how satisfied customers are by what was answered.
func (q *Queries) Stand(ctx context.Context, a Asked) (s Standing, err error) {
	err = q.db.ReadWithin(ctx, auth.Tenant(ctx), patience, func(tx *pg.Tx) error {
		s = Standing{}
		if s.AsOf, err = fact.AsOf(ctx, tx); err != nil {
			return err
		}
		if err := s.count(ctx, tx, a); err != nil {
			return err
		}
		if a.Survey != uuid.Nil {
			return nil // of those who were asked it is not known by which survey
		}
		rows, err := tx.Query(ctx, responsesSQL, tx.Tenant(), a.From, a.end(), a.Touchpoint, a.Channel, 3*mostGroups)
		if err != nil {
			return err
		}
		s.Responses, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Response])
		return err
	})
	return s, err
}

func (s *Standing) count(ctx context.Context, tx *pg.Tx, a Asked) error {
	s.All = none("", time.Time{})
	stretches, groups := map[time.Time]Scores{}, map[string]Scores{}
	if a.Grain != "" {
		for _, day := range a.Grain.Stretches(a.From, a.To) {
			stretches[day] = none("", day)
			s.Trend = append(s.Trend, stretches[day])
		}
	}
	sql := strings.NewReplacer("%BY%", grouped[a.By], "%WHO%", who("a")).Replace(scoresSQL)
	rows, err := tx.Query(ctx, sql, tx.Tenant(), a.From, a.end(), pg.OrNull(a.Survey), a.Touchpoint, a.Channel, string(cmp.Or(a.Grain, Month)))
	if err != nil {
		return err
	}
	var (
		kind         string
		score        *int
		stretch      *time.Time
		key          *string
		n, customers int64
	)
	_, err = pgx.ForEachRow(rows, []any{&kind, &score, &stretch, &key, &n, &customers}, func() error {
		to := s.All // maps: what is put in there is there
		switch {
		case key != nil && a.By == "", stretch != nil && a.Grain == "":
			return nil
		case key != nil:
			if _, there := groups[*key]; !there {
				groups[*key] = none(*key, time.Time{})
			}
			to = groups[*key]
		case stretch != nil:
			to = stretches[*stretch]
		}
		if score == nil {
			to.Customers[kind] = customers
			return nil
		}
		if *score >= 0 && *score <= 10 {
			c := to.Counts[kind]
			c[*score] += n
			to.Counts[kind] = c
		}
		return nil
	})
	for _, g := range groups {
		s.Groups = append(s.Groups, g)
	}
	slices.SortFunc(s.Groups, func(a, b Scores) int { return cmp.Or(b.n()-a.n(), strings.Compare(a.Key, b.Key)) })
	if s.More = max(0, len(s.Groups)-mostGroups); s.More > 0 {
		s.Groups = s.Groups[:mostGroups]
	}
	return err
}

func none(key string, from time.Time) Scores {
	return Scores{Key: key, From: from, Counts: map[string]Counts{}, Customers: map[string]int64{}}
}
