package tier

import (
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
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
