package growth

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/member"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

// Standing is the score of a member as it is now, with what was told last.
type Standing struct {
	Score
	Member     member.Member
	Programme  programme.Programme
	Since      time.Time // only what took place from then on counts
	Categories []string
	At         time.Time
	Told       *Told // nil where nothing was told yet
}

var errOff = problem.New(problem.NotFound, "growth_off", "The member's programme has no growth score: its terms say nothing of it.")

// Get gives the score of a member of the caller's tenant, composed now; growth_off where the programme has none.
func (g *Growths) Get(ctx context.Context, memberID uuid.UUID) (st Standing, err error) {
	err = g.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		book := programme.BookOf(tx)
		m, err := member.Find(ctx, tx, memberID)
		if err != nil {
			return err
		}
		now := g.now()
		s := judge(book, m, now)
		if s == nil {
			return errOff
		}
		if err := readFacts(ctx, tx, []*subject{s}); err != nil {
			return err
		}
		st = Standing{
			Score: Compose(s.terms.Growth, s.facts), Member: m, Programme: s.terms, Since: s.since, Categories: s.facts.Categories, At: now,
		}
		last, err := listHistory(ctx, tx, memberID, uuid.Nil, 1)
		if len(last) > 0 {
			st.Told = &last[0]
		}
		return err
	})
	return st, err
}

// History gives up to limit changes that were told of a member before the given one (Nil: the latest), the latest first.
func (g *Growths) History(ctx context.Context, memberID, before uuid.UUID, limit int) (page []Told, err error) {
	err = g.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		if _, err := member.Find(ctx, tx, memberID); err != nil {
			return err
		}
		page, err = listHistory(ctx, tx, memberID, before, limit)
		return err
	})
	return page, err
}

// reported gives what stands in the books of a report that is repeated.
func (g *Growths) reported(ctx context.Context, in Behaviour) (b Behaviour, made bool, err error) {
	httpx.MarkReplayed(ctx)
	err = g.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		b, _, err = findBehaviour(ctx, tx, in.Kind, in.Key)
		return err
	})
	return b, true, err
}
