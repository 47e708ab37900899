package tier

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/member"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

// files are those of some locked members.
type files struct {
	now     time.Time
	by      string
	of      map[uuid.UUID]*file
	inOrder []*file
	was     map[uuid.UUID]Standing // as they were read
}

// add opens a member's file, and tells whether the programme has tiers.
func (f *files) add(book *programme.Book, m member.Member) bool {
	if c, there := f.of[m.ID]; there {
		return c.terms.On()
	}
	p, ok := book.At(m.Programme, f.now)
	if !ok || !p.Tiers.On() {
		return false
	}
	f.put(p, m)
	return true
}

func (f *files) put(p programme.Programme, m member.Member) *file {
	if f.of == nil {
		f.of, f.was = make(map[uuid.UUID]*file), make(map[uuid.UUID]Standing)
	}
	c := &file{
		member: m.ID, customer: m.CustomerID, programme: p.Code, version: p.Version, terms: p.Tiers, zone: p.Zone,
		enrolled: dayOf(m.EnrolledAt, p.Zone), gone: m.State == member.Left, now: f.now, by: f.by,
	}
	f.of[m.ID], f.inOrder = c, append(f.inOrder, c)
	return c
}

// months gives how far back a period may begin that still counts.
func (f *files) months() int {
	most := 24
	for _, c := range f.inOrder {
		most = max(most, c.terms.Months)
	}
	return most + 1
}

const standingColumns = `s.version, s.score, s.base, s.base_rank, s.level, s.since, s.review_at, s.manual, s.manual_until, s.manual_reason,
	s.paid, s.paid_until, s.warned_for, s.due_at, s.decisions`

// standingRow reads standingColumns; all are null where there is none.
type standingRow struct {
	version, score, rank, decisions                *int
	base, level, manual, reason, paid              *string
	since, review, manualTo, paidTo, warned, dueAt *time.Time
}

func (r *standingRow) targets() []any {
	return []any{
		&r.version, &r.score, &r.base, &r.rank, &r.level, &r.since, &r.review, &r.manual, &r.manualTo, &r.reason,
		&r.paid, &r.paidTo, &r.warned, &r.dueAt, &r.decisions,
	}
}

func (r *standingRow) standing() (s Standing, known bool) {
	if r.version == nil {
		return Standing{}, false
	}
	return Standing{
		Version: *r.version, Score: *r.score, Base: *r.base, BaseRank: *r.rank, Level: *r.level, Since: utc(r.since), ReviewAt: utc(r.review),
		Manual: Floor{*r.manual, utc(r.manualTo), *r.reason}, Paid: Floor{Level: *r.paid, Until: utc(r.paidTo)},
		WarnedFor: utc(r.warned), DueAt: utc(r.dueAt), Decisions: *r.decisions,
	}, true
}

func utc(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

// load reads the standings and what counts, in one round trip with what was queued before.
func (f *files) load(ctx context.Context, tx *pg.Tx) error {
	ids := make([]uuid.UUID, len(f.inOrder))
	for i, c := range f.inOrder {
		ids[i] = c.member
	}
	rows, err := tx.Query(ctx, `SELECT n.id, `+standingColumns+`, d.days, d.points FROM unnest($2::uuid[]) AS n(id)
		LEFT JOIN LATERAL (SELECT * FROM tier_standing k WHERE k.tenant_id = $1 AND k.member_id = n.id LIMIT 1) s ON true
		LEFT JOIN LATERAL (SELECT array_agg(k.day - date '1970-01-01') AS days, array_agg(k.points) AS points
			FROM tier_day k WHERE k.tenant_id = $1 AND k.member_id = n.id
				AND k.day >= (least($3, s.review_at) - make_interval(months => $4))::date) d ON true`,
		tx.Tenant(), ids, f.now, f.months())
	if err != nil {
		return err
	}
	for rows.Next() {
		var (
			id     uuid.UUID
			r      standingRow
			days   []int32
			points []int64
		)
		if err := rows.Scan(append(append([]any{&id}, r.targets()...), &days, &points)...); err != nil {
			return err
		}
		c := f.of[id]
		c.Standing, c.known = r.standing()
		f.was[id] = c.Standing
		c.days = make([]sum, len(days))
		for i := range days {
			c.days[i] = sum{Day(days[i]), points[i]}
		}
	}
	return rows.Err()
}

// queuePoints queues the counting of points; fresh has the keys of those that were new after the next round trip.
func queuePoints(tx *pg.Tx, f *files, q []Qualifying) (fresh map[string]bool) {
	n := len(q)
	keys, members, points := make([]string, n), make([]uuid.UUID, n), make([]int64, n)
	at, days, takes := make([]time.Time, n), make([]int32, n), make([]string, n)
	for i, one := range q {
		keys[i], members[i], points[i], at[i], takes[i] = one.Key, one.Member.ID, one.Points, one.At, one.Takes
		days[i] = int32(dayOf(one.At, f.of[one.Member.ID].zone))
	}
	fresh = make(map[string]bool, n)
	tx.Queue(`WITH n AS MATERIALIZED (
			SELECT * FROM unnest($2::text[], $3::uuid[], $4::bigint[], $5::timestamptz[], $6::int[], $7::text[]) AS n(key, member_id, points, at, day, takes)
		), fresh AS (
			INSERT INTO tier_points (tenant_id, key, member_id, points, counts_at, recorded_at)
			SELECT $1, n.key, n.member_id, n.points, n.at, $8 FROM n
			WHERE n.takes = '' OR n.takes = ANY($2::text[]) OR EXISTS (SELECT FROM tier_points k WHERE k.tenant_id = $1 AND k.key = n.takes)
			ON CONFLICT DO NOTHING RETURNING key
		), counted AS (
			INSERT INTO tier_day AS d (tenant_id, member_id, day, points)
			SELECT $1, n.member_id, date '1970-01-01' + n.day, sum(n.points) FROM n JOIN fresh USING (key) GROUP BY n.member_id, n.day
			ORDER BY n.member_id, n.day
			ON CONFLICT (tenant_id, member_id, day) DO UPDATE SET points = d.points + excluded.points
		)
		SELECT key FROM fresh`, tx.Tenant(), keys, members, points, at, days, takes, f.now).Query(func(rows pgx.Rows) error {
		var key string
		_, err := pgx.ForEachRow(rows, []any{&key}, func() error { fresh[key] = true; return nil })
		return err
	})
	return fresh
}

// save queues the standings that changed and what was decided, and gives the events of it.
func (f *files) save(tx *pg.Tx) (events []outbox.Event) {
	var changed []*file
	for _, c := range f.inOrder {
		events = append(events, c.events()...)
		if c.Standing != f.was[c.member] {
			changed = append(changed, c)
		}
	}
	saveStandings(tx, changed)
	saveDecisions(tx, changed)
	return events
}

func orNull(t time.Time) *time.Time { return pg.OrNull(t) }

func saveStandings(tx *pg.Tx, all []*file) {
	n := len(all)
	if n == 0 {
		return
	}
	ids, programmes, versions, scores := make([]uuid.UUID, n), make([]string, n), make([]int, n), make([]int, n)
	bases, ranks, levels, since := make([]string, n), make([]int, n), make([]string, n), make([]time.Time, n)
	reviews, manual, manualTo, reasons := make([]*time.Time, n), make([]string, n), make([]*time.Time, n), make([]string, n)
	paid, paidTo, warned := make([]string, n), make([]*time.Time, n), make([]*time.Time, n)
	due, decisions := make([]*time.Time, n), make([]int, n)
	for i, c := range all {
		ids[i], programmes[i], versions[i], scores[i] = c.member, c.programme, c.Version, c.Score
		bases[i], ranks[i], levels[i], since[i] = c.Base, c.BaseRank, c.Level, c.Since
		reviews[i], manual[i], manualTo[i], reasons[i] = orNull(c.ReviewAt), c.Manual.Level, orNull(c.Manual.Until), c.Manual.Reason
		paid[i], paidTo[i], warned[i] = c.Paid.Level, orNull(c.Paid.Until), orNull(c.WarnedFor)
		due[i], decisions[i] = orNull(c.DueAt), c.Decisions
	}
	tx.Queue(`INSERT INTO tier_standing (tenant_id, member_id, programme, version, score, base, base_rank, level, since, review_at, manual,
			manual_until, manual_reason, paid, paid_until, warned_for, due_at, decisions)
		SELECT $1, * FROM unnest($2::uuid[], $3::text[], $4::int[], $5::int[], $6::text[], $7::int[], $8::text[], $9::timestamptz[],
			$10::timestamptz[], $11::text[], $12::timestamptz[], $13::text[], $14::text[], $15::timestamptz[], $16::timestamptz[],
			$17::timestamptz[], $18::int[])
		ON CONFLICT (tenant_id, member_id) DO UPDATE SET version = excluded.version, score = excluded.score, base = excluded.base,
			base_rank = excluded.base_rank, level = excluded.level, since = excluded.since, review_at = excluded.review_at,
			manual = excluded.manual, manual_until = excluded.manual_until, manual_reason = excluded.manual_reason, paid = excluded.paid,
			paid_until = excluded.paid_until, warned_for = excluded.warned_for, due_at = excluded.due_at, decisions = excluded.decisions`,
		tx.Tenant(), ids, programmes, versions, scores, bases, ranks, levels, since, reviews, manual, manualTo, reasons, paid, paidTo,
		warned, due, decisions)
}

func saveDecisions(tx *pg.Tx, all []*file) {
	var (
		ids, programmes          = []uuid.UUID{}, []string{}
		nos, ranks               []int
		reasons, from, to, notes []string
		by                       []string
		points                   []int64
		reviews, valid           []*time.Time
		at                       []time.Time
	)
	for _, c := range all {
		for _, d := range c.decided {
			ids, programmes, nos, ranks = append(ids, c.member), append(programmes, c.programme), append(nos, d.No), append(ranks, d.Rank)
			reasons, from, to, notes = append(reasons, d.Reason), append(from, d.From), append(to, d.To), append(notes, d.Note)
			by, points, at = append(by, d.By), append(points, d.Qualifying), append(at, d.At)
			reviews, valid = append(reviews, orNull(d.ReviewAt)), append(valid, orNull(d.ValidUntil))
		}
	}
	if len(ids) == 0 {
		return
	}
	tx.Queue(`INSERT INTO tier_decision (tenant_id, member_id, no, programme, reason, from_level, level, rank, qualifying, review_at,
			valid_until, note, by_subject, decided_at)
		SELECT $1, * FROM unnest($2::uuid[], $3::int[], $4::text[], $5::text[], $6::text[], $7::text[], $8::int[], $9::bigint[],
			$10::timestamptz[], $11::timestamptz[], $12::text[], $13::text[], $14::timestamptz[])`,
		tx.Tenant(), ids, nos, programmes, reasons, from, to, ranks, points, reviews, valid, notes, by, at)
}
