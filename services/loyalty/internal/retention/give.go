package retention

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/ledger"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/member"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

// sourceRetention is how a customer became a member who took an offer without having been one.
const sourceRetention = "retention"

// gift is points for a customer.
type gift struct {
	customer  uuid.UUID
	programme string
	points    int64
	key       string // of the entry in the ledger: they are given once
	reason    ledger.Reason
	by        string
	at        time.Time
}

// knownProgramme refuses a plan whose programme there is not; location is where in the body it stands.
func knownProgramme(ctx context.Context, tx *pg.Tx, code, location string, at time.Time) error {
	book := programme.BookOf(tx)
	if err := tx.Flush(ctx); err != nil {
		return err
	}
	if _, ok := book.At(code, at); ok {
		return nil
	}
	return planInvalid([]problem.Field{{Location: location, Code: "programme_not_found", Message: "there is no such programme"}})
}

// worthOf gives what the points of an offer are worth by the terms of the plan's programme, in minor units of the plan's
// currency, rounded up; 0 where the programme does not say it in that currency.
func worthOf(ctx context.Context, tx *pg.Tx, p Plan, at time.Time) (func(Deal) int64, error) {
	book := programme.BookOf(tx)
	if err := tx.Flush(ctx); err != nil {
		return nil, err
	}
	terms, ok := book.At(p.Programme, at)
	w := terms.Worth
	if !ok || w.Currency != p.Currency || w.Points <= 0 || w.Minor <= 0 {
		return nil, nil
	}
	return func(d Deal) int64 {
		if d.Points > 0 && w.Minor > (math.MaxInt64-w.Points)/d.Points {
			return math.MaxInt64
		}
		return (d.Points*w.Minor + w.Points - 1) / w.Points
	}, nil
}

// give gives a customer points, once for the key, and makes a member of who is none of the programme. Of members who are one
// customer since a merge the one gets them who is active, and was enrolled first. A code says why they cannot be given.
func (r *Retention) give(ctx context.Context, tx *pg.Tx, g gift) (entry uuid.UUID, code string, err error) {
	book := programme.BookOf(tx)
	before, err := ledger.FindKey(ctx, tx, g.key)
	switch {
	case err == nil:
		return before.ID, "", nil
	case !errors.Is(err, ledger.ErrNoEntry):
		return uuid.Nil, "", err
	}
	if _, ok := book.At(g.programme, g.at); !ok {
		return uuid.Nil, "programme_not_found", nil
	}
	m, lead, err := memberOf(ctx, tx, g)
	if err != nil {
		return uuid.Nil, "", err
	}
	if m.State == member.Left {
		return uuid.Nil, "member_left", nil
	}
	return r.book(ctx, tx, book, m, lead, g)
}

// book books the gift for a member who is locked.
func (r *Retention) book(ctx context.Context, tx *pg.Tx, book *programme.Book, m member.Member, lead []outbox.Event, g gift) (uuid.UUID, string, error) {
	step, err := r.ledger.Give(m, book, ledger.KindGrant, ledger.Draft{Key: g.key, Reason: g.reason, By: g.by, EffectiveAt: g.at}, g.points, time.Time{})
	if code, ok := asRefused(err); ok {
		return uuid.Nil, code, nil
	}
	if err != nil {
		return uuid.Nil, "", err
	}
	return step.Entry.ID, "", r.ledger.Book(ctx, tx, lead, step)
}

// memberOf locks the member who gets the points; lead tells of one who was made for it.
func memberOf(ctx context.Context, tx *pg.Tx, g gift) (m member.Member, lead []outbox.Event, err error) {
	var id uuid.UUID
	err = tx.QueryRow(ctx, `SELECT m.id FROM member m WHERE m.tenant_id = $1 AND m.customer_id = ANY ((SELECT customer_group($1, $2))::uuid[])
		AND m.programme = $3 ORDER BY m.state <> 'active', m.state = 'left', m.enrolled_at, m.id LIMIT 1`, tx.Tenant(), g.customer, g.programme).Scan(&id)
	if err == nil {
		m, err = member.Lock(ctx, tx, id)
		return m, nil, err
	}
	if !errors.Is(err, pgx.ErrNoRows) {
		return m, nil, err
	}
	draft, err := member.Enrol(g.customer, g.programme, sourceRetention, g.at)
	if err != nil {
		return m, nil, err
	}
	all, made, err := member.Ensure(ctx, tx, draft)
	if err != nil {
		return m, nil, err
	}
	for _, one := range made {
		lead = append(lead, member.EnrolledEvent(one))
	}
	return all[draft.Key()], lead, nil
}
