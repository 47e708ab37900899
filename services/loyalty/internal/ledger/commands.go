package ledger

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	loyaltyv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/loyalty/events/v1"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/member"
)

// Ledger is what can be done with points.
type Ledger struct {
	db     *pg.DB
	outbox *outbox.Outbox
	clock  func() time.Time
}

// New makes the capability.
func New(db *pg.DB, o *outbox.Outbox, clock func() time.Time) *Ledger {
	return &Ledger{db: db, outbox: o, clock: clock}
}

// Earning is points to be given.
type Earning struct {
	Points      int64 // 1 to MaxPoints
	Reason      Reason
	LockedUntil time.Time // they cannot be spent before; zero or past: available at once
}

// Earn gives a member points: two round trips, the member locked in between.
func (l *Ledger) Earn(ctx context.Context, memberID uuid.UUID, in Earning) (Entry, error) {
	return l.command(ctx, KindEarn, in.Reason, func(tx *pg.Tx, b Booking) ([]Step, error) {
		m, err := member.Lock(ctx, tx, memberID)
		if err != nil {
			return nil, err
		}
		s, err := Account{m}.Earn(b, in.Points, later(in.LockedUntil, b.RecordedAt))
		return []Step{s}, err
	})
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a.UTC().Truncate(time.Microsecond)
	}
	return b
}

// Spending is points to be spent.
type Spending struct {
	Points int64 // 1 to MaxPoints
	Reason Reason
}

// Spend takes points that are available, those included whose lock ends now, the oldest first.
func (l *Ledger) Spend(ctx context.Context, memberID uuid.UUID, in Spending) (Entry, error) {
	return l.command(ctx, KindSpend, in.Reason, func(tx *pg.Tx, b Booking) ([]Step, error) {
		tx.Queue(`SELECT 1 FROM member WHERE tenant_id = $1 AND id = $2 FOR UPDATE`, tx.Tenant(), memberID)
		for _, limit := range Portions {
			lots := QueueLots(tx, []uuid.UUID{memberID}, nil, limit)
			m, err := member.Find(ctx, tx, memberID)
			if err != nil {
				return nil, err
			}
			if steps, err := (Account{m}).spend(b, in.Points, lots); !errors.Is(err, ErrLotsMissing) {
				return steps, err
			}
		}
		return nil, ErrLotsMissing
	})
}

// spend releases what is due and spends.
func (a Account) spend(b Booking, points int64, read *Lots) ([]Step, error) {
	lots := slices.DeleteFunc(slices.Clone(read.Of(a.ID)), func(l Lot) bool { return !l.Released && l.AvailableAt.After(b.RecordedAt) })
	slices.SortFunc(lots, older)
	if read.limit > 0 && len(lots) > read.limit {
		lots = lots[:read.limit] // of those after it, some may not have been read
	}
	var steps []Step
	for i, lot := range lots {
		if lot.Released {
			continue
		}
		s, err := a.releaseOf(lot, b.By, b.RecordedAt)
		if err != nil {
			return nil, err
		}
		a, lots[i] = s.Account, s.Changed[0]
		steps = append(steps, s)
	}
	s, err := a.Spend(b, points, lots)
	if problem.KindOf(err) == problem.Conflict && read.limit > 0 && len(read.Of(a.ID)) >= read.limit {
		err = ErrLotsMissing // what was not read may be due as well
	}
	return append(steps, s), err
}

// releaseOf is Release with all that an entry needs. Its key lets no lot be released twice.
func (a Account) releaseOf(lot Lot, by string, now time.Time) (Step, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Step{}, err
	}
	return a.Release(Booking{
		ID: id, Kind: KindRelease, Key: "release/" + lot.ID.String(), Reason: lot.Reason, By: by, EffectiveAt: lot.AvailableAt, RecordedAt: now,
	}, lot), nil
}

// command books the steps that rule makes, the last of which is the answer. The caller's Idempotency-Key is kept for a
// day by the platform, and for ever as the key of the entry.
func (l *Ledger) command(ctx context.Context, kind Kind, reason Reason,
	rule func(tx *pg.Tx, b Booking) ([]Step, error),
) (Entry, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Entry{}, err
	}
	caller, _ := auth.From(ctx)
	b := Booking{ID: id, Kind: kind, Key: id.String(), Reason: reason, By: caller.Subject}
	once, known := pg.OnceFrom(ctx)
	if known {
		b.Key, b.InputHash = keyOf(once), once.BodyHash
	}
	var entry Entry
	result, err := l.db.Command(ctx, caller.Tenant, func(tx *pg.Tx) (pg.Result, error) {
		b.RecordedAt = l.Now()
		b.EffectiveAt = b.RecordedAt
		steps, err := rule(tx, b)
		if err != nil {
			return pg.Result{}, err
		}
		entry = steps[len(steps)-1].Entry
		return pg.Result{ID: id, Status: http.StatusCreated}, l.Book(ctx, tx, nil, steps...)
	})
	switch {
	case err == nil && result.Replayed:
		httpx.MarkReplayed(ctx)
		return l.read(ctx, func(tx *pg.Tx) (Entry, error) { return findEntry(ctx, tx, result.ID) })
	case err != nil && known:
		return l.repeated(ctx, b, err)
	}
	return entry, err
}

// repeated answers what failed: where its key stands in the ledger it is the repetition of a request of long ago, and is
// given the first answer again.
func (l *Ledger) repeated(ctx context.Context, b Booking, failure error) (Entry, error) {
	if name, _ := pg.Constraint(failure); name != KeyConstraint && problem.KindOf(failure) != problem.Conflict {
		return Entry{}, failure
	}
	first, err := l.read(ctx, func(tx *pg.Tx) (Entry, error) { return FindKey(ctx, tx, b.Key) })
	switch {
	case errors.Is(err, ErrNoEntry):
		return Entry{}, failure
	case err != nil:
		return Entry{}, err
	case !bytes.Equal(first.InputHash, b.InputHash):
		return Entry{}, problem.New(problem.Unprocessable, "idempotency_key_reused",
			"This Idempotency-Key was used with another body. Use a new key for a new request.")
	}
	httpx.MarkReplayed(ctx)
	return first, nil
}

func (l *Ledger) read(ctx context.Context, find func(tx *pg.Tx) (Entry, error)) (e Entry, err error) {
	err = l.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		e, err = find(tx)
		return err
	})
	return e, err
}

// keyOf gives the entry's key of a caller's key: a key belongs to who uses it and what for, as it does in the platform.
func keyOf(o pg.Once) string {
	sum := sha256.Sum256([]byte(o.Subject + "\x1f" + o.Operation + "\x1f" + o.Key))
	return "http/" + hex.EncodeToString(sum[:16])
}

// Now is cut to what the database keeps, so that an answer reads the same at once and later.
func (l *Ledger) Now() time.Time { return l.clock().UTC().Truncate(time.Microsecond) }

// event tells of a step.
func event(s Step) outbox.Event {
	var (
		a, e     = s.Account, s.Entry
		id       = e.ID.String()
		memberID = e.MemberID.String()
		customer = a.CustomerID.String()
		m        proto.Message
	)
	switch e.Kind {
	case KindSpend:
		m = &loyaltyv1.PointsSpent{
			EntryId: id, MemberId: memberID, CustomerId: customer, Points: e.Points(), ReasonType: e.Reason.Type, ReasonId: e.Reason.ID,
			Available: a.Available, Pending: a.Pending, Debt: a.Debt, SpentAt: timestamppb.New(e.EffectiveAt),
		}
	case KindRelease:
		m = &loyaltyv1.PointsReleased{
			EntryId: id, MemberId: memberID, CustomerId: customer, Points: e.Points(),
			Available: a.Available, Pending: a.Pending, Debt: a.Debt, ReleasedAt: timestamppb.New(e.RecordedAt),
		}
	case KindReversal:
		m = &loyaltyv1.PointsReversed{
			EntryId: id, MemberId: memberID, CustomerId: customer, ReversedEntryId: e.Reverses.String(), Points: e.Points(),
			DebtMade: -e.Debt, ReasonType: e.Reason.Type, ReasonId: e.Reason.ID,
			Available: a.Available, Pending: a.Pending, Debt: a.Debt, ReversedAt: timestamppb.New(e.RecordedAt),
		}
	default:
		availableAt := e.EffectiveAt // of points that paid a debt to the last one
		if s.Made != nil {
			availableAt = s.Made.AvailableAt
		}
		m = &loyaltyv1.PointsEarned{
			EntryId: id, MemberId: memberID, CustomerId: customer, Points: e.Points(), DebtPaid: e.Debt,
			ReasonType: e.Reason.Type, ReasonId: e.Reason.ID, AvailableAt: timestamppb.New(availableAt),
			Available: a.Available, Pending: a.Pending, Debt: a.Debt, EarnedAt: timestamppb.New(e.EffectiveAt),
		}
	}
	return outbox.Event{Aggregate: member.Aggregate, ID: e.MemberID, Time: e.RecordedAt, Message: m}
}
