package scoring

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
)

// States of a case.
const (
	stateOpen = "open"
	stateWon  = "won"
	stateLost = "lost"
)

// setting is what a tenant has set, and which counts hold.
type setting struct {
	Fields     []string
	Start      time.Time // outcomes before it do not count; zero: all do
	Generation int       // of the counts that hold
	Next       int       // that a rebuild fills; 0: none does
	NextStart  time.Time
	Version    int64 // 0: nothing was set
	By         string
	ChangedAt  time.Time
}

// needed are the fields whose counts scores are reckoned from: every outcome counts in a stage.
func (s *setting) needed() []string { return append(slices.Clone(s.Fields), FieldStage) }

// DefaultFields are those that make factors where a tenant set none.
func DefaultFields() []string {
	return []string{"source", "country", "email_state", "phone_state", FieldTags, FieldStage}
}

// queueSetting queues the reading of the tenant's setting. A writer waits until nobody who counts is in the middle of it.
func queueSetting(tx *pg.Tx, lock string) *setting {
	s := &setting{Fields: DefaultFields(), Generation: 1}
	switch lock {
	case lockShared:
		tx.Queue(`SELECT pg_advisory_xact_lock_shared(hashtextextended('scoring' || chr(31) || $1::text, 0))`, tx.Tenant())
	case lockExclusive:
		tx.Queue(`SELECT pg_advisory_xact_lock(hashtextextended('scoring' || chr(31) || $1::text, 0))`, tx.Tenant())
	}
	tx.Queue(`SELECT fields, start_at, generation, coalesce(next_generation, 0), next_start_at, version, by_subject, changed_at
		FROM scoring_setting WHERE tenant_id = $1`, tx.Tenant()).QueryRow(func(row pgx.Row) error {
		var from, next *time.Time
		err := row.Scan(&s.Fields, &from, &s.Generation, &s.Next, &next, &s.Version, &s.By, &s.ChangedAt)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		s.Start, s.NextStart, s.ChangedAt = orZero(from), orZero(next), s.ChangedAt.UTC()
		return err
	})
	return s
}

// Locks of a tenant's generation of counts: whoever moves counts shares it, whoever changes the generation has it alone.
const (
	lockNone      = ""
	lockShared    = "shared"
	lockExclusive = "exclusive"
)

func orZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

// loadModel reads what the cases are judged by: the counts of their teams, and those of all where a team has none. It sees
// what the transaction wrote before.
func loadModel(ctx context.Context, tx *pg.Tx, cases []Case) (*model, error) {
	set := queueSetting(tx, lockNone)
	if err := tx.Flush(ctx); err != nil {
		return nil, err
	}
	return loadCounts(ctx, tx, set, cases)
}

func loadCounts(ctx context.Context, tx *pg.Tx, set *setting, cases []Case) (*model, error) {
	m := &model{fields: set.Fields, needed: set.needed(), teams: map[string]*table{}}
	teams := map[string]bool{}
	for _, c := range cases {
		if c.Team != "" {
			teams[c.Team] = true
		}
	}
	if len(teams) > 0 {
		if err := m.loadTeams(ctx, tx, set.Generation, slices.Sorted(maps.Keys(teams))); err != nil {
			return nil, err
		}
	}
	for _, c := range cases {
		if t, _, _ := m.tableFor(c); t == nil {
			return m, m.loadAll(ctx, tx, set.Generation)
		}
	}
	return m, nil
}

func (m *model) loadTeams(ctx context.Context, tx *pg.Tx, generation int, teams []string) error {
	rows, err := tx.Query(ctx, `SELECT team, field, value, won, lost FROM scoring_count
		WHERE tenant_id = $1 AND generation = $2 AND team = ANY ($3) AND field = ANY ($4)`, tx.Tenant(), generation, teams, m.needed)
	if err != nil {
		return err
	}
	var (
		team string
		v    value
		c    = count{rows: 1}
	)
	_, err = pgx.ForEachRow(rows, []any{&team, &v.field, &v.code, &c.won, &c.lost}, func() error {
		if m.teams[team] == nil {
			m.teams[team] = newTable()
		}
		m.teams[team].add(v, c)
		return nil
	})
	return err
}

// loadAll reads the sums over all teams. A tag that has too few outcomes in a team is left out there before it is added up.
func (m *model) loadAll(ctx context.Context, tx *pg.Tx, generation int) error {
	rows, err := tx.Query(ctx, `SELECT field, value, sum(won)::bigint, sum(lost)::bigint, count(*) FROM scoring_count
		WHERE tenant_id = $1 AND generation = $2 AND field = ANY ($3) AND (field <> $4 OR won + lost >= $5) GROUP BY field, value`,
		tx.Tenant(), generation, m.needed, FieldTags, fewest)
	if err != nil {
		return err
	}
	m.all = newTable()
	var (
		v value
		c count
	)
	_, err = pgx.ForEachRow(rows, []any{&v.field, &v.code, &c.won, &c.lost, &c.rows}, func() error {
		m.all.put(v, c)
		return nil
	})
	return err
}

// written is a case as its row is written.
type written struct {
	ID          uuid.UUID         `json:"id"`
	Opportunity *uuid.UUID        `json:"opportunity_id"`
	Team        string            `json:"team"`
	Pipeline    string            `json:"pipeline"`
	Stage       string            `json:"stage"`
	Stages      []string          `json:"stages"`
	Fields      map[string]string `json:"fields"`
	Tags        []string          `json:"tags"`
	Probability *int32            `json:"probability"`
}

// queueCases queues the writing of cases with their scores. They are sorted: who writes several has their locks in the same order as everybody.
func queueCases(tx *pg.Tx, m *model, cases []Case, at time.Time) error {
	rows := make([]written, len(cases))
	for i, c := range cases {
		w := written{
			ID: c.ID, Team: c.Team, Pipeline: c.Pipeline, Stage: c.Stage, Stages: append([]string{}, c.Stages...),
			Fields: map[string]string{}, Tags: append([]string{}, c.Tags...),
		}
		if c.Opportunity != uuid.Nil {
			w.Opportunity = &c.Opportunity
		}
		for field, code := range c.Fields {
			if code != "" {
				w.Fields[field] = code
			}
		}
		if p := m.reckon(c).Probability; p > 0 {
			w.Probability = &p
		}
		rows[i] = w
	}
	slices.SortFunc(rows, func(a, b written) int { return slices.Compare(a.ID[:], b.ID[:]) })
	all, err := json.Marshal(rows)
	if err != nil {
		return err
	}
	tx.Queue(`INSERT INTO scoring_case (tenant_id, id, opportunity_id, team, pipeline, stage, stages, fields, tags, probability, scored_at)
		SELECT $1, r.id, r.opportunity_id, r.team, r.pipeline, r.stage, r.stages, r.fields, r.tags, r.probability, $3
		FROM jsonb_to_recordset($2) AS r(id uuid, opportunity_id uuid, team text, pipeline text, stage text, stages text[], fields jsonb, tags text[], probability integer)
		ORDER BY r.id
		ON CONFLICT (tenant_id, id) DO UPDATE SET opportunity_id = excluded.opportunity_id, team = excluded.team, pipeline = excluded.pipeline,
			stage = excluded.stage, stages = excluded.stages, fields = excluded.fields, tags = excluded.tags, scored_at = excluded.scored_at,
			probability = CASE WHEN scoring_case.state = 'open' THEN excluded.probability ELSE scoring_case.probability END`, tx.Tenant(), all, at)
	return nil
}

const caseColumns = `c.id, c.opportunity_id, c.team, c.pipeline, c.stage, c.stages, c.fields, c.tags, c.state`

func scanCase(row pgx.Row, into *Case, state *string, more ...any) error {
	var opportunity *uuid.UUID
	err := row.Scan(append([]any{&into.ID, &opportunity, &into.Team, &into.Pipeline, &into.Stage, &into.Stages, &into.Fields, &into.Tags, state}, more...)...)
	if opportunity != nil {
		into.Opportunity = *opportunity
	}
	return err
}

// locked is a case that is being closed or reopened, with what it counted last.
type locked struct {
	Case
	state   string
	last    int // number of its latest outcome; 0: none
	counted *outcome
}

// outcome is what a case counted.
type outcome struct {
	won         bool
	team        string
	values      []value
	generations []int // of the counts that it stands in
}

// lockCases locks the cases in the order of their ids, with what they counted when they were closed last.
func lockCases(ctx context.Context, tx *pg.Tx, ids []uuid.UUID) ([]*locked, error) {
	tx.Queue(`SELECT FROM scoring_case WHERE tenant_id = $1 AND id = ANY ($2) ORDER BY id FOR NO KEY UPDATE`, tx.Tenant(), ids)
	// A rebuild counts an outcome under this lock.
	tx.Queue(`SELECT FROM scoring_outcome WHERE tenant_id = $1 AND case_id = ANY ($2) AND taken_back_at IS NULL
		ORDER BY case_id, no FOR NO KEY UPDATE`, tx.Tenant(), ids)
	// Read after the locks, in a statement of its own: it sees what the holder before has committed.
	rows, err := tx.Query(ctx, `SELECT `+caseColumns+`, coalesce(o.no, 0), coalesce(o.won, false), coalesce(o.team, ''), coalesce(o.fields, '{}'),
			coalesce(o.values, '{}'), coalesce(o.generations, '{}')
		FROM scoring_case c
		LEFT JOIN LATERAL (SELECT * FROM scoring_outcome k WHERE k.tenant_id = $1 AND k.case_id = c.id ORDER BY k.no DESC LIMIT 1) o ON true
		WHERE c.tenant_id = $1 AND c.id = ANY ($2) ORDER BY c.id`, tx.Tenant(), ids)
	if err != nil {
		return nil, err
	}
	var all []*locked
	for rows.Next() {
		var (
			l              locked
			o              outcome
			fields, values []string
		)
		if err := scanCase(rows, &l.Case, &l.state, &l.last, &o.won, &o.team, &fields, &values, &o.generations); err != nil {
			return nil, err
		}
		o.values = pairs(fields, values)
		if l.state != stateOpen && l.last > 0 {
			l.counted = &o
		}
		all = append(all, &l)
	}
	return all, rows.Err()
}

// key is one row of counts.
type key struct {
	generation int
	team       string
	value
}

// moves are what counts are moved by. A row that is moved by nothing is made all the same: its value was seen.
type moves map[key]count

func (m moves) add(o *outcome, generations []int, by int64) {
	for _, g := range generations {
		for _, v := range o.values {
			k := key{g, o.team, v}
			if o.won {
				m[k] = m[k].plus(count{won: by})
			} else {
				m[k] = m[k].plus(count{lost: by})
			}
		}
	}
}

// queue queues the moving of the counts, which are locked in the order of their key.
func (m moves) queue(tx *pg.Tx) {
	if len(m) == 0 {
		return
	}
	keys := slices.SortedFunc(maps.Keys(m), func(a, b key) int {
		return cmp.Or(cmp.Compare(a.generation, b.generation), cmp.Compare(a.team, b.team), compareValues(a.value, b.value))
	})
	var (
		generations         []int
		teams, fields, vals []string
		won, lost           []int64
	)
	for _, k := range keys {
		generations, teams, fields, vals = append(generations, k.generation), append(teams, k.team), append(fields, k.field), append(vals, k.code)
		won, lost = append(won, m[k].won), append(lost, m[k].lost)
	}
	tx.Queue(`INSERT INTO scoring_count (tenant_id, generation, team, field, value, won, lost)
		SELECT $1, d.* FROM unnest($2::integer[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[])
			AS d(generation, team, field, value, won, lost)
		ON CONFLICT (tenant_id, generation, team, field, value)
			DO UPDATE SET won = greatest(0, scoring_count.won + excluded.won), lost = greatest(0, scoring_count.lost + excluded.lost)`,
		tx.Tenant(), generations, teams, fields, vals, won, lost)
}
