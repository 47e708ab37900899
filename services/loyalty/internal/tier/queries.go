package tier

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/member"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

// Standings are the tiers of some members.
type Standings struct {
	book *programme.Book
	now  time.Time
	of   map[uuid.UUID][]pooled
}

// pooled is what one of the members has who are the same customer.
type pooled struct {
	programme, level string
	rank             int // of the base, for terms that have no level of the code any more
}

// Of queues the reading of members' tiers; they are filled in by the next round trip. Members of one programme who are one
// customer since a merge have the highest of their tiers.
func Of(tx *pg.Tx, members []uuid.UUID) *Standings {
	s := &Standings{book: programme.BookOf(tx), of: make(map[uuid.UUID][]pooled, len(members))}
	tx.Queue(`SELECT n.id, m.programme, coalesce(s.level, ''), coalesce(s.base_rank, 0), now() FROM unnest($2::uuid[]) AS n(id)
		JOIN LATERAL (SELECT * FROM member k WHERE k.tenant_id = $1 AND k.id = n.id LIMIT 1) m ON true
		CROSS JOIN LATERAL (SELECT customer_group(m.tenant_id, m.customer_id) AS ids OFFSET 0) g
		CROSS JOIN LATERAL (SELECT k.id FROM member k WHERE k.tenant_id = $1 AND k.customer_id = ANY (g.ids) AND k.programme = m.programme) p
		LEFT JOIN LATERAL (SELECT * FROM tier_standing k WHERE k.tenant_id = $1 AND k.member_id = p.id LIMIT 1) s ON true`,
		tx.Tenant(), members).Query(func(rows pgx.Rows) error {
		var (
			id  uuid.UUID
			one pooled
		)
		_, err := pgx.ForEachRow(rows, []any{&id, &one.programme, &one.level, &one.rank, &s.now}, func() error {
			s.of[id] = append(s.of[id], one)
			return nil
		})
		return err
	})
	return s
}

// Code gives a member's tier: the lowest one where nothing was decided, empty where the programme has none.
func (s *Standings) Code(memberID uuid.UUID) string {
	best := ""
	highest := -1
	for _, one := range s.of[memberID] {
		p, ok := s.book.At(one.programme, s.now)
		if !ok || !p.Tiers.On() {
			continue
		}
		rank, there := p.Tiers.Rank(one.level)
		if !there && one.level != "" {
			rank = min(one.rank, len(p.Tiers.Levels)-1)
		}
		if rank > highest {
			best, highest = p.Tiers.Levels[rank].Code, rank
		}
	}
	return best
}

// Seen is a member's tier as others see it.
type Seen struct {
	file     *file
	ETag     int64      // number of the latest decision
	History  []Decision // the latest 10, the latest first
	Customer string     // the tier of the customer: the highest of all members of the programme who are the same
	Merged   bool       // there are others
}

// Get gives a member's tier as it stands now: what is due is reckoned, if not decided yet.
func (t *Tiers) Get(ctx context.Context, id uuid.UUID) (Seen, error) {
	var seen Seen
	err := t.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		book := programme.BookOf(tx)
		m, err := member.Find(ctx, tx, id)
		if err != nil {
			return err
		}
		f := files{now: t.now()}
		p, ok := book.At(m.Programme, f.now)
		if !ok {
			return problem.New(problem.NotFound, "programme_not_found", "There is no such programme.")
		}
		c := f.put(p, m)
		if err := f.load(ctx, tx); err != nil {
			return err
		}
		seen, err = see(ctx, tx, c)
		return err
	})
	return seen, err
}

// see completes what is shown of a file.
func see(ctx context.Context, tx *pg.Tx, c *file) (Seen, error) {
	s := Seen{file: c, ETag: int64(c.Decisions)}
	c.look()
	pool := Of(tx, []uuid.UUID{c.member})
	history, err := history(ctx, tx, c.member, 0, 10)
	if err != nil {
		return Seen{}, err
	}
	s.History, s.Customer, s.Merged = history, c.Level, len(pool.of[c.member]) > 1
	if s.Merged {
		own, _ := c.terms.Rank(c.Level)
		if rank, there := c.terms.Rank(pool.Code(c.member)); there && rank > own {
			s.Customer = pool.Code(c.member)
		}
	}
	return s, nil
}

// History gives up to limit decisions about a member before the one of a number (0: the latest), the latest first.
func (t *Tiers) History(ctx context.Context, id uuid.UUID, before, limit int) (all []Decision, err error) {
	err = t.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		if _, err := member.Find(ctx, tx, id); err != nil {
			return err
		}
		all, err = history(ctx, tx, id, before, limit)
		return err
	})
	return all, err
}

func history(ctx context.Context, tx *pg.Tx, id uuid.UUID, before, limit int) ([]Decision, error) {
	rows, err := tx.Query(ctx, `SELECT no, reason, from_level, level, rank, qualifying, review_at, valid_until, note, by_subject, decided_at
		FROM tier_decision WHERE tenant_id = $1 AND member_id = $2 AND ($3 = 0 OR no < $3) ORDER BY no DESC LIMIT $4`,
		tx.Tenant(), id, before, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (d Decision, err error) {
		var review, valid *time.Time
		err = row.Scan(&d.No, &d.Reason, &d.From, &d.To, &d.Rank, &d.Qualifying, &review, &valid, &d.Note, &d.By, &d.At)
		d.ReviewAt, d.ValidUntil, d.At = utc(review), utc(valid), d.At.UTC()
		return d, err
	})
}

// Listed is a member of a tier.
type Listed struct {
	MemberID   uuid.UUID
	CustomerID uuid.UUID // as it was written
	Since      time.Time // zero for one about whom nothing was decided
}

// Members gives up to limit members of a programme who have a tier, in the order of their enrolment. An unknown tier is
// Unprocessable, tier_unknown.
func (t *Tiers) Members(ctx context.Context, code, level string, after uuid.UUID, limit int) (all []Listed, err error) {
	err = t.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		p, err := t.programme(ctx, tx, code)
		if err != nil {
			return err
		}
		rank, there := p.Tiers.Rank(level)
		if !there {
			return problem.New(problem.Unprocessable, "tier_unknown", "The programme has no tier %q now.", level).
				WithField("query.tier", "tier_unknown", "must be a tier of the programme")
		}
		query := `SELECT m.id, m.customer_id, s.since FROM tier_standing s
			JOIN LATERAL (SELECT * FROM member k WHERE k.tenant_id = $1 AND k.id = s.member_id AND k.state <> 'left' LIMIT 1) m ON true
			WHERE s.tenant_id = $1 AND s.programme = $2 AND s.level = $3 AND s.member_id > $4 ORDER BY s.member_id LIMIT $5`
		if rank == 0 { // with those about whom nothing was decided
			query = `SELECT m.id, m.customer_id, s.since FROM member m
				LEFT JOIN LATERAL (SELECT * FROM tier_standing k WHERE k.tenant_id = $1 AND k.member_id = m.id LIMIT 1) s ON true
				WHERE m.tenant_id = $1 AND m.programme = $2 AND m.state <> 'left' AND m.id > $4 AND (s.level IS NULL OR s.level IN ($3, ''))
				ORDER BY m.id LIMIT $5`
		}
		rows, err := tx.Query(ctx, query, tx.Tenant(), code, level, after, limit)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (l Listed, err error) {
			var since *time.Time
			err = row.Scan(&l.MemberID, &l.CustomerID, &since)
			l.Since = utc(since)
			return l, err
		})
		return err
	})
	return all, err
}

func (t *Tiers) programme(ctx context.Context, tx *pg.Tx, code string) (programme.Programme, error) {
	book := programme.BookOf(tx)
	if err := tx.Flush(ctx); err != nil {
		return programme.Programme{}, err
	}
	p, ok := book.At(code, t.now())
	if !ok {
		return p, problem.New(problem.NotFound, "programme_not_found", "There is no such programme.")
	}
	return p, nil
}

// Report is how the members of a programme are spread over its tiers, and what moved.
type Report struct {
	Levels  []programme.Level
	Members []int64 // of each level now, without those who have left
	Moves   []Move
}

// Move is how many members went from one tier to another for a reason.
type Move struct {
	From, To, Reason string
	Count            int64
}

// Report counts a programme's members by tier, and the moves from a time to before another.
func (t *Tiers) Report(ctx context.Context, code string, from, to time.Time) (r Report, err error) {
	err = t.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		p, err := t.programme(ctx, tx, code)
		if err != nil {
			return err
		}
		r = Report{Levels: p.Tiers.Levels, Members: make([]int64, len(p.Tiers.Levels))}
		if !p.Tiers.On() {
			return nil
		}
		rows, err := tx.Query(ctx, `SELECT coalesce(s.level, ''), count(*) FROM member m
			LEFT JOIN tier_standing s ON s.tenant_id = $1 AND s.member_id = m.id
			WHERE m.tenant_id = $1 AND m.programme = $2 AND m.state <> 'left' GROUP BY 1`, tx.Tenant(), code)
		if err != nil {
			return err
		}
		var (
			level string
			n     int64
		)
		if _, err = pgx.ForEachRow(rows, []any{&level, &n}, func() error {
			rank, _ := p.Tiers.Rank(level)
			r.Members[rank] += n
			return nil
		}); err != nil {
			return err
		}
		rows, err = tx.Query(ctx, `SELECT from_level, level, reason, count(*) FROM tier_decision
			WHERE tenant_id = $1 AND programme = $2 AND decided_at >= $3 AND decided_at < $4 AND from_level <> level
			GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1, 2, 3 LIMIT 1000`, tx.Tenant(), code, from, to)
		if err != nil {
			return err
		}
		r.Moves, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Move])
		return err
	})
	return r, err
}
