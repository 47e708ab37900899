package lifecycle

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
)

// settings reads the tenant's settings, the standard where there are none.
func settings(ctx context.Context, tx *pg.Tx) (Settings, error) {
	var s Settings
	err := tx.QueryRow(ctx, `SELECT familiarity_purchases, loyalty_purchases, loyalty_tenure_days, satisfied_at, silence_factor, silence_min_days, silence_new_days, early_days,
		version, changed_by, changed_at FROM lifecycle_setting WHERE tenant_id = $1`, tx.Tenant()).
		Scan(&s.FamiliarityPurchases, &s.LoyaltyPurchases, &s.LoyaltyTenureDays, &s.SatisfiedAt, &s.SilenceFactor, &s.SilenceMinDays, &s.SilenceNewDays, &s.EarlyDays,
			&s.Version, &s.ChangedBy, &s.ChangedAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return Standard(), nil
	}
	s.ChangedAt = s.ChangedAt.UTC()
	return s, err
}

func queueSettings(tx *pg.Tx, s Settings) {
	tx.Queue(`INSERT INTO lifecycle_setting (tenant_id, familiarity_purchases, loyalty_purchases, loyalty_tenure_days, satisfied_at, silence_factor, silence_min_days,
			silence_new_days, early_days, version, changed_by, changed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
		ON CONFLICT (tenant_id) DO UPDATE SET familiarity_purchases = excluded.familiarity_purchases, loyalty_purchases = excluded.loyalty_purchases,
			loyalty_tenure_days = excluded.loyalty_tenure_days, satisfied_at = excluded.satisfied_at, silence_factor = excluded.silence_factor,
			silence_min_days = excluded.silence_min_days, silence_new_days = excluded.silence_new_days, early_days = excluded.early_days, version = excluded.version,
			changed_by = excluded.changed_by, changed_at = excluded.changed_at`,
		tx.Tenant(), s.FamiliarityPurchases, s.LoyaltyPurchases, s.LoyaltyTenureDays, s.SatisfiedAt, s.SilenceFactor, s.SilenceMinDays, s.SilenceNewDays, s.EarlyDays,
		s.Version, s.ChangedBy, s.ChangedAt)
}

// behaviourSQL reads what customers did up to the end of a day: $1 tenant, $2 customers that stand for all their ids, $3 the first moment
// after the day. Days are counted from 1970-01-01; a contract that is over later runs. An order that came back whole by then is none.
const behaviourSQL = `
WITH who AS MATERIALIZED (
	SELECT id AS root, id AS customer_id FROM unnest($2::uuid[]) AS w (id)
	UNION ALL
	SELECT a.root_id, a.customer_id FROM customer_aliases($1) a WHERE a.root_id = ANY ($2::uuid[]) AND a.customer_id <> a.root_id
), bought AS (
	SELECT w.root, array_agg(DISTINCT (o.placed_at AT TIME ZONE 'UTC')::date - DATE '1970-01-01' ORDER BY (o.placed_at AT TIME ZONE 'UTC')::date - DATE '1970-01-01') AS days,
		(array_agg(o.channel ORDER BY o.placed_at, o.order_id))[1] AS channel
	FROM who w
	JOIN fact_order o ON o.tenant_id = $1 AND o.customer_id = w.customer_id AND o.placed_at < $3
	LEFT JOIN LATERAL (SELECT sum(units) AS units FROM fact_return WHERE tenant_id = $1 AND order_id = o.order_id AND returned_at < $3) r ON true
	WHERE o.units = 0 OR coalesce(r.units, 0) < o.units
	GROUP BY w.root
), answered AS (
	SELECT w.root, array_agg((a.answered_at AT TIME ZONE 'UTC')::date - DATE '1970-01-01' ORDER BY a.answered_at, a.answer_id) AS days,
		array_agg(a.score ORDER BY a.answered_at, a.answer_id) AS scores
	FROM who w
	JOIN fact_answer a ON a.tenant_id = $1 AND a.customer_id = w.customer_id AND a.answered_at < $3 AND a.kind = 'csat' AND a.score IS NOT NULL
	GROUP BY w.root
), bound AS (
	SELECT w.root, array_agg((m.started_at AT TIME ZONE 'UTC')::date - DATE '1970-01-01' ORDER BY m.started_at, m.membership_id) AS begun,
		array_agg(CASE WHEN m.ended_at < $3 THEN (m.ended_at AT TIME ZONE 'UTC')::date - DATE '1970-01-01' END ORDER BY m.started_at, m.membership_id) AS ended
	FROM who w
	JOIN fact_membership m ON m.tenant_id = $1 AND m.customer_id = w.customer_id AND m.started_at < $3
	GROUP BY w.root
), known AS (
	SELECT w.root, min(c.registered_at) AS at FROM who w JOIN fact_customer c ON c.tenant_id = $1 AND c.customer_id = w.customer_id GROUP BY w.root
)
SELECT w.id, (k.at AT TIME ZONE 'UTC')::date - DATE '1970-01-01', coalesce(b.days, '{}'), coalesce(b.channel, ''), coalesce(a.days, '{}'), coalesce(a.scores, '{}'),
	coalesce(c.begun, '{}'), coalesce(c.ended, '{}')
FROM unnest($2::uuid[]) AS w (id)
LEFT JOIN bought b ON b.root = w.id LEFT JOIN answered a ON a.root = w.id LEFT JOIN bound c ON c.root = w.id LEFT JOIN known k ON k.root = w.id
ORDER BY w.id`

// behaved is a customer and what it did.
type behaved struct {
	id      uuid.UUID
	channel string // of the first purchase
	Behaviour
}

func behaviours(ctx context.Context, tx *pg.Tx, customers []uuid.UUID, day time.Time) ([]behaved, error) {
	rows, err := tx.Query(ctx, behaviourSQL, tx.Tenant(), customers, day.AddDate(0, 0, 1))
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (behaved, error) {
		var (
			b                       behaved
			known                   *int32
			answered, scores, begun []int32
			ended                   []*int32
		)
		if err := row.Scan(&b.id, &known, &b.Purchases, &b.channel, &answered, &scores, &begun, &ended); err != nil {
			return b, err
		}
		b.Known = number(day)
		if known != nil {
			b.Known = *known
		}
		for i, d := range answered {
			b.Answers = append(b.Answers, Answer{Day: d, Score: int(scores[i])})
		}
		for i, d := range begun {
			c := Contract{From: d, Until: Runs}
			if ended[i] != nil {
				c.Until = *ended[i]
			}
			b.Contracts = append(b.Contracts, c)
		}
		return b, nil
	})
}

// number counts days from 1970-01-01.
func number(day time.Time) int32 { return int32(day.Unix() / (24 * 3600)) }

// date is the day of a number.
func date(n int32) time.Time { return time.Unix(int64(n)*24*3600, 0).UTC() }

// standing is where a customer stood when it was last looked at.
type standing struct {
	stage string
	since int32
	steps int
}

// standings reads where customers stood, and locks them against another one who moves them. Who was merged into another one and stands
// for itself again goes on from the last step of its history, which is kept.
func standings(ctx context.Context, tx *pg.Tx, customers []uuid.UUID) (map[uuid.UUID]standing, error) {
	rows, err := tx.Query(ctx, `SELECT customer_id, stage, since - DATE '1970-01-01', steps FROM lifecycle_state
		WHERE tenant_id = $1 AND customer_id = ANY ($2) ORDER BY customer_id FOR UPDATE`, tx.Tenant(), customers)
	if err != nil {
		return nil, err
	}
	all := map[uuid.UUID]standing{}
	var (
		id uuid.UUID
		s  standing
	)
	take := func() error { all[id] = s; return nil }
	if _, err = pgx.ForEachRow(rows, []any{&id, &s.stage, &s.since, &s.steps}, take); err != nil || len(all) == len(customers) {
		return all, err
	}
	missing := slices.DeleteFunc(slices.Clone(customers), func(id uuid.UUID) bool { _, stood := all[id]; return stood })
	rows, err = tx.Query(ctx, `SELECT c.id, s.stage, s.began_on - DATE '1970-01-01', s.no FROM unnest($2::uuid[]) AS c (id) CROSS JOIN LATERAL (
			SELECT stage, began_on, no FROM lifecycle_step WHERE tenant_id = $1 AND customer_id = c.id ORDER BY no DESC LIMIT 1) s`, tx.Tenant(), missing)
	if err != nil {
		return nil, err
	}
	_, err = pgx.ForEachRow(rows, []any{&id, &s.stage, &s.since, &s.steps}, take)
	return all, err
}

// moved is what is to be written of a customer.
type moved struct {
	id      uuid.UUID
	from    string // the stage before; empty for the first
	at      Step   // where it is now
	fresh   []Step // steps that were not seen before
	steps   int    // with those
	pattern string
	first   *time.Time
	left    *time.Time
	channel string
}

// queueMoved writes where customers are, adds their steps and brings their portraits up to it.
func queueMoved(tx *pg.Tx, all []moved, day, now time.Time) {
	n := len(all)
	ids, stages, since, reasons := make([]uuid.UUID, n), make([]string, n), make([]time.Time, n), make([]string, n)
	steps, patterns, firsts, lefts, channels := make([]int32, n), make([]string, n), make([]*time.Time, n), make([]*time.Time, n), make([]string, n)
	var s struct {
		ids     []uuid.UUID
		no      []int32
		stage   []string
		began   []time.Time
		reasons []string
	}
	for i, m := range all {
		ids[i], stages[i], since[i], reasons[i], steps[i] = m.id, m.at.Stage, date(m.at.From), list(m.at.Reasons), int32(m.steps)
		patterns[i], firsts[i], lefts[i], channels[i] = m.pattern, m.first, m.left, m.channel
		for k, step := range m.fresh {
			s.ids, s.no = append(s.ids, m.id), append(s.no, int32(m.steps-len(m.fresh)+k+1))
			s.stage, s.began, s.reasons = append(s.stage, step.Stage), append(s.began, date(step.From)), append(s.reasons, list(step.Reasons))
		}
	}
	tx.Queue(`INSERT INTO lifecycle_state AS l (tenant_id, customer_id, stage, since, reasons, steps, pattern, first_on, left_on, channel, as_of)
		SELECT $1, n.id, n.stage, n.since, string_to_array(n.reasons, ','), n.steps, n.pattern, n.first_on, n.left_on, n.channel, $11
		FROM unnest($2::uuid[], $3::text[], $4::date[], $5::text[], $6::integer[], $7::text[], $8::date[], $9::date[], $10::text[])
			AS n (id, stage, since, reasons, steps, pattern, first_on, left_on, channel) ORDER BY n.id
		ON CONFLICT (tenant_id, customer_id) DO UPDATE SET stage = excluded.stage, since = excluded.since, reasons = excluded.reasons, steps = excluded.steps,
			pattern = excluded.pattern, first_on = excluded.first_on, left_on = excluded.left_on, channel = excluded.channel, as_of = excluded.as_of`,
		tx.Tenant(), ids, stages, since, reasons, steps, patterns, firsts, lefts, channels, day)
	if len(s.ids) > 0 {
		tx.Queue(`INSERT INTO lifecycle_step (tenant_id, customer_id, no, stage, began_on, seen_at, reasons)
			SELECT $1, n.id, n.no, n.stage, n.began_on, $7, string_to_array(n.reasons, ',')
			FROM unnest($2::uuid[], $3::integer[], $4::text[], $5::date[], $6::text[]) AS n (id, no, stage, began_on, reasons)`,
			tx.Tenant(), s.ids, s.no, s.stage, s.began, s.reasons, now)
	}
	tx.Queue(`WITH mine AS (
			SELECT p.customer_id, n.stage FROM portrait p JOIN unnest($2::uuid[], $3::text[]) AS n (id, stage) ON n.id = p.customer_id
			WHERE p.tenant_id = $1 AND p.customer_id = ANY ($2::uuid[]) AND p.stage IS DISTINCT FROM n.stage
			ORDER BY p.customer_id FOR NO KEY UPDATE OF p
		)
		UPDATE portrait p SET stage = mine.stage FROM mine WHERE p.tenant_id = $1 AND p.customer_id = mine.customer_id`, tx.Tenant(), ids, stages)
}

// list writes codes, none of which has a comma.
func list(codes []string) string {
	var text []byte
	for i, c := range codes {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(text, c...)
	}
	return string(text)
}

// fresh gives those steps of a path that were not seen before, after what was: those that began later, and where the customer is now,
// if what was heard late, or other rules, have it elsewhere. None begins before the last that was seen.
func fresh(path []Step, was standing) []Step {
	last := was.stage
	var out []Step
	for _, s := range path {
		if s.From > was.since && s.Stage != last {
			out = append(out, s)
			last = s.Stage
		}
	}
	now := path[len(path)-1]
	if now.Stage != last {
		out = append(out, Step{Stage: now.Stage, From: max(now.From, was.since), Reasons: now.Reasons})
	}
	return slices.Clip(out)
}
