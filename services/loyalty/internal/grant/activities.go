package grant

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/worker"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	loyaltyactivitiesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/loyalty/activities/v1"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/ledger"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/member"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

// Grants is what workflows may ask for.
type Grants struct {
	db     *pg.DB
	ledger *ledger.Ledger
}

// New makes the capability.
func New(db *pg.DB, l *ledger.Ledger) *Grants { return &Grants{db: db, ledger: l} }

// Register registers the activities under the names of their requests.
func (g *Grants) Register(r worker.Registry) {
	r.RegisterActivityWithOptions(g.Grant, activity.RegisterOptions{Name: flow.ActivityName(&loyaltyactivitiesv1.GrantPoints{})})
	r.RegisterActivityWithOptions(g.Quote, activity.RegisterOptions{Name: flow.ActivityName(&loyaltyactivitiesv1.QuoteRemedy{})})
	r.RegisterActivityWithOptions(g.Reverse, activity.RegisterOptions{Name: flow.ActivityName(&loyaltyactivitiesv1.ReverseGrant{})})
}

// Grant gives a customer points. See the contract of GrantPoints.
func (g *Grants) Grant(ctx context.Context, in *loyaltyactivitiesv1.GrantPoints) (*loyaltyactivitiesv1.GrantPointsResult, error) {
	asked, err := read(in)
	if err != nil {
		return nil, err
	}
	entry, err := g.again(func() (ledger.Entry, error) { return g.grant(ctx, asked) })
	if err != nil {
		return nil, err
	}
	return &loyaltyactivitiesv1.GrantPointsResult{
		EntryId: entry.ID.String(), MemberId: entry.MemberID.String(), Points: entry.Points(),
	}, nil
}

func (g *Grants) grant(ctx context.Context, asked grant) (entry ledger.Entry, err error) {
	caller, _ := auth.From(ctx)
	_, err = g.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		entry, err = ledger.FindKey(ctx, tx, grantKey(asked.key))
		switch {
		case err == nil:
			return pg.Result{}, asked.same(entry)
		case !errors.Is(err, ledger.ErrNoEntry):
			return pg.Result{}, err
		}
		draft, err := member.Enrol(asked.customer, programme.StandardCode, member.SourceGrant, g.ledger.Now())
		if err != nil {
			return pg.Result{}, err
		}
		book := programme.BookOf(tx)
		all, made, err := member.Ensure(ctx, tx, draft)
		if err != nil {
			return pg.Result{}, err
		}
		step, err := g.ledger.Give(all[draft.Key()], book, ledger.KindGrant, ledger.Draft{
			Key: grantKey(asked.key), Hash: asked.hash(), Reason: asked.reason, By: caller.Subject,
		}, asked.points, time.Time{})
		if err != nil {
			return pg.Result{}, err
		}
		entry = step.Entry
		var lead []outbox.Event
		for _, m := range made {
			lead = append(lead, member.EnrolledEvent(m))
		}
		return pg.Result{}, g.ledger.Book(ctx, tx, lead, step)
	})
	return entry, err
}

// same tells whether the entry that has the grant's key is this grant.
func (asked grant) same(there ledger.Entry) error {
	switch {
	case there.Kind == ledger.KindVoid:
		return problem.New(problem.Conflict, "grant_reversed", "This grant was reversed before it came. It does not come any more.")
	case !bytes.Equal(there.InputHash, asked.hash()):
		return problem.New(problem.Unprocessable, "idempotency_key_reused",
			"This key was used for a grant of other content. Use a new key for a new grant.")
	}
	return nil
}

// Reverse takes a grant back. See the contract of ReverseGrant.
func (g *Grants) Reverse(ctx context.Context, in *loyaltyactivitiesv1.ReverseGrant) (*loyaltyactivitiesv1.ReverseGrantResult, error) {
	key := in.GetIdempotencyKey()
	if wrong, ok := flow.CheckKey(key); !ok {
		return nil, invalid([]problem.Field{wrong})
	}
	entry, err := g.again(func() (ledger.Entry, error) { return g.reverse(ctx, key) })
	if err != nil || entry.Kind == ledger.KindVoid {
		return &loyaltyactivitiesv1.ReverseGrantResult{}, err
	}
	return &loyaltyactivitiesv1.ReverseGrantResult{EntryId: entry.ID.String(), Points: entry.Points(), Debt: -entry.Debt}, nil
}

// reverse gives the entry that took the grant back, or the tombstone that keeps it from coming.
func (g *Grants) reverse(ctx context.Context, key string) (entry ledger.Entry, err error) {
	_, err = g.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		given, err := ledger.FindKey(ctx, tx, grantKey(key))
		switch {
		case errors.Is(err, ledger.ErrNoEntry):
			entry, err = g.bury(ctx, tx, key)
		case err == nil && given.Kind == ledger.KindVoid:
			entry = given
		case err == nil:
			entry, err = g.takeBack(ctx, tx, key, given)
		}
		return pg.Result{}, err
	})
	return entry, err
}

// bury queues the tombstone of a grant that has not come.
func (g *Grants) bury(ctx context.Context, tx *pg.Tx, key string) (ledger.Entry, error) {
	caller, _ := auth.From(ctx)
	b, err := g.booking(ledger.KindVoid, grantKey(key), ledger.Reason{Type: reasonReversed}, caller)
	if err == nil {
		ledger.InsertVoid(tx, b)
	}
	return ledger.Entry{Booking: b}, err
}

// takeBack books the reversal of a grant, unless that has been done.
func (g *Grants) takeBack(ctx context.Context, tx *pg.Tx, key string, given ledger.Entry) (ledger.Entry, error) {
	m, err := member.Lock(ctx, tx, given.MemberID)
	if err != nil {
		return ledger.Entry{}, err
	}
	lots := ledger.QueueLots(tx, []uuid.UUID{m.ID}, []uuid.UUID{given.ID}, 0)
	book := programme.BookOf(tx)
	done, err := ledger.FindKey(ctx, tx, reversalKey(key))
	if !errors.Is(err, ledger.ErrNoEntry) {
		return done, err
	}
	caller, _ := auth.From(ctx)
	b, err := g.booking(ledger.KindReversal, reversalKey(key), ledger.Reason{Type: reasonReversed, ID: given.Reason.ID}, caller)
	if err != nil {
		return ledger.Entry{}, err
	}
	rules, _ := book.At(m.Programme, b.RecordedAt)
	steps, err := ledger.Account{Member: m}.TakeBack(b, rules, given.ID, given.Points(), lots.Of(m.ID))
	if err != nil {
		return ledger.Entry{}, err
	}
	return steps[len(steps)-1].Entry, g.ledger.Book(ctx, tx, nil, steps...)
}

func (g *Grants) booking(kind ledger.Kind, key string, reason ledger.Reason, by auth.Principal) (ledger.Booking, error) {
	id, err := uuid.NewV7()
	now := g.ledger.Now()
	return ledger.Booking{ID: id, Kind: kind, Key: key, Reason: reason, By: by.Subject, EffectiveAt: now, RecordedAt: now}, err
}

// again does what was overtaken by somebody with the same key, or the same customer's card, once more: this time it sees
// the other's work.
func (g *Grants) again(do func() (ledger.Entry, error)) (ledger.Entry, error) {
	entry, err := do()
	if _, overtaken := pg.Constraint(err); overtaken {
		return do()
	}
	return entry, err
}
