package membership

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	loyaltyv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/loyalty/events/v1"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/ledger"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/member"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

// Departure is a member who left, or came back.
type Departure struct {
	Member    member.Member
	ForfeitAt time.Time // when the points are taken; zero: they stay, or were taken
}

// Leave takes a member out of the programme, for a reason, a code: nothing is earned or spent any more, a paid membership ends, and
// the points are handled as the programme says. NotFound: member_not_found; a Conflict: member_suspended, member_left.
func (m *Memberships) Leave(ctx context.Context, memberID uuid.UUID, reason string) (Departure, error) {
	return m.depart(ctx, memberID, func(tx *pg.Tx, one member.Member, book *programme.Book, running []Membership) (Departure, error) {
		now := m.now()
		left, err := one.Leave(reason, now)
		if err != nil {
			return Departure{}, err
		}
		var events []outbox.Event
		for _, s := range running {
			ended, err := m.endAnyhow(ctx, tx, one, book, s, EndLeft, reason, now)
			if err != nil {
				return Departure{}, err
			}
			events = append(events, ended...)
		}
		p, _ := book.At(one.Programme, now)
		d := Departure{Member: left, ForfeitAt: p.Leaving.ForfeitAt(now, zoneOf(p))}
		member.SaveState(tx, left)
		var steps []ledger.Step
		switch {
		case d.ForfeitAt.After(now):
			saveLeaving(tx, one.ID, now, d.ForfeitAt)
		case !d.ForfeitAt.IsZero():
			d.ForfeitAt = time.Time{}
			if steps, err = m.forfeit(ctx, tx, left); err != nil {
				return Departure{}, err
			}
		}
		if err := m.ledger.Book(ctx, tx, events, steps...); err != nil {
			return Departure{}, err
		}
		if len(steps) > 0 {
			d.Member = steps[len(steps)-1].Account.Member
		}
		return d, m.outbox.Append(ctx, tx, leftEvent(left, taken(steps)))
	})
}

// forfeit takes all points of a locked member who left, once for each time of leaving.
func (m *Memberships) forfeit(ctx context.Context, tx *pg.Tx, left member.Member) ([]ledger.Step, error) {
	return m.ledger.ForfeitIn(ctx, tx, left, ledger.Draft{
		Key: "leaving/" + left.ID.String() + "/" + left.StateAt.Format(time.RFC3339Nano), Reason: ledger.Reason{Type: "member_left"}, By: subject(ctx),
	})
}

// taken is how many points the steps took because the member left.
func taken(steps []ledger.Step) (points int64) {
	for _, s := range steps {
		if s.Entry.Kind == ledger.KindAdjustment {
			points += s.Entry.Adjusted
		}
	}
	return points
}

// endAnyhow ends a running membership before its time; one that is over already is told as expired.
func (m *Memberships) endAnyhow(ctx context.Context, tx *pg.Tx, owner member.Member, book *programme.Book, s Membership, reason, code string, now time.Time,
) ([]outbox.Event, error) {
	if s.Over(now) {
		s = s.Expire()
		saveEnd(tx, s)
		return []outbox.Event{endedEvent(owner, s)}, nil
	}
	_, events, err := m.endNow(ctx, tx, owner, book, s, reason, code, now)
	return events, err
}

// Rejoin takes a member back who had left, for a reason, a code: points that were not to be taken by now are its own again. NotFound:
// member_not_found; Gone: member_erased; a Conflict: member_not_left.
func (m *Memberships) Rejoin(ctx context.Context, memberID uuid.UUID, reason string) (Departure, error) {
	return m.depart(ctx, memberID, func(tx *pg.Tx, one member.Member, _ *programme.Book, _ []Membership) (Departure, error) {
		if one.CardNumber == "" {
			return Departure{}, errErased
		}
		now := m.now()
		back, err := one.Rejoin(reason, now)
		if err != nil {
			return Departure{}, err
		}
		at, err := findLeaving(ctx, tx, one.ID)
		if err != nil {
			return Departure{}, err
		}
		var steps []ledger.Step
		if !at.IsZero() && !at.After(now) { // they were due, and only the scan did not come by yet
			if steps, err = m.forfeit(ctx, tx, one); err != nil {
				return Departure{}, err
			}
		}
		if len(steps) > 0 {
			back.Balance = steps[len(steps)-1].Account.Balance
		}
		if err := m.ledger.Book(ctx, tx, nil, steps...); err != nil {
			return Departure{}, err
		}
		member.SaveState(tx, back)
		deleteLeaving(tx, one.ID)
		return Departure{Member: back}, m.outbox.Append(ctx, tx, member.ReinstatedEvent(back))
	})
}

// depart has a rule judge a locked member, with its memberships that run.
func (m *Memberships) depart(ctx context.Context, memberID uuid.UUID,
	rule func(tx *pg.Tx, one member.Member, book *programme.Book, running []Membership) (Departure, error),
) (Departure, error) {
	var d Departure
	result, err := m.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		member.LockAll(tx, []uuid.UUID{memberID})
		book := programme.BookOf(tx)
		running := queue(tx, `FROM membership s WHERE s.tenant_id = $1 AND s.member_id = $2 AND s.state = 'active'`, memberID)
		one, err := member.Find(ctx, tx, memberID)
		if err != nil {
			return pg.Result{}, err
		}
		all, err := withTerms(ctx, tx, running.all)
		if err != nil {
			return pg.Result{}, err
		}
		d, err = rule(tx, one, book, all)
		return pg.Result{ID: memberID, Status: http.StatusOK}, err
	})
	if err == nil && result.Replayed {
		httpx.MarkReplayed(ctx)
		return m.departed(ctx, memberID)
	}
	return d, err
}

// departed gives how a member stands.
func (m *Memberships) departed(ctx context.Context, memberID uuid.UUID) (d Departure, err error) {
	err = m.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		if d.Member, err = member.Find(ctx, tx, memberID); err != nil {
			return err
		}
		d.ForfeitAt, err = findLeaving(ctx, tx, memberID)
		return err
	})
	return d, err
}

func leftEvent(left member.Member, forfeited int64) outbox.Event {
	e := event(left, left.StateAt)
	e.Message = &loyaltyv1.MemberLeft{
		MemberId: left.ID.String(), CustomerId: left.CustomerID.String(), Programme: left.Programme, Reason: left.Reason, PointsForfeited: forfeited,
		LeftAt: timestamppb.New(left.StateAt),
	}
	return e
}
