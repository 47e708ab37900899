package ledger

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
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
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
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
	return l.command(ctx, in.Reason, func(tx *pg.Tx, d Draft) ([]Step, error) {
		book := programme.BookOf(tx)
		m, err := member.Lock(ctx, tx, memberID)
		if err != nil {
			return nil, err
		}
		if err := mayHave(m); err != nil {
			return nil, err
		}
		until := in.LockedUntil
		if !until.After(l.Now()) {
			until = time.Time{}
		}
		s, err := l.Give(m, book, KindEarn, d, in.Points, until)
		return []Step{s}, err
	})
}

// Spending is points to be spent.
type Spending struct {
	Points int64 // 1 to MaxPoints
	Reason Reason
}

// Spent is a spend: its entry, and the entries of other members who are the same customer and whose points it took as well.
type Spent struct {
	Entry
	Parts []Entry // in the order in which they were booked
}

// All is how many points were spent.
func (s Spent) All() int64 {
	points := s.Points()
	for _, p := range s.Parts {
		points += p.Points()
	}
	return points
}

// Spend takes points that are available, see SpendIn. Two round trips.
func (l *Ledger) Spend(ctx context.Context, memberID uuid.UUID, in Spending) (Spent, error) {
	entries, err := l.commandAll(ctx, in.Reason, func(tx *pg.Tx, d Draft) ([]Step, error) {
		return l.SpendIn(ctx, tx, memberID, d, in.Points)
	})
	if err != nil {
		return Spent{}, err
	}
	return Spent{entries[0], entries[1:]}, nil
}

// Restore gives a spend back, see RestoreIn.
func (l *Ledger) Restore(ctx context.Context, spendID uuid.UUID, reason Reason) (Spent, error) {
	entries, err := l.commandAll(ctx, reason, func(tx *pg.Tx, d Draft) ([]Step, error) {
		return l.RestoreIn(ctx, tx, spendID, d)
	})
	if err != nil {
		return Spent{}, err
	}
	return Spent{entries[0], entries[1:]}, nil
}

// Adjust gives a member points, or takes them where points is below zero, see AdjustIn.
func (l *Ledger) Adjust(ctx context.Context, memberID uuid.UUID, points int64, reason Reason) (Entry, error) {
	return l.command(ctx, reason, func(tx *pg.Tx, d Draft) ([]Step, error) {
		book := programme.BookOf(tx)
		m, err := member.Lock(ctx, tx, memberID)
		if err != nil {
			return nil, err
		}
		return l.AdjustIn(ctx, tx, m, book, d, points)
	})
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

// command is commandAll for what is one entry.
func (l *Ledger) command(ctx context.Context, reason Reason, rule func(tx *pg.Tx, d Draft) ([]Step, error)) (Entry, error) {
	entries, err := l.commandAll(ctx, reason, rule)
	if err != nil {
		return Entry{}, err
	}
	return entries[0], nil
}

// commandAll books the steps that rule makes, and answers with those that are the draft's or parts of it. The caller's
// Idempotency-Key is kept for a day by the platform, and for ever as the key of the entry.
func (l *Ledger) commandAll(ctx context.Context, reason Reason, rule func(tx *pg.Tx, d Draft) ([]Step, error)) ([]Entry, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return nil, err
	}
	caller, _ := auth.From(ctx)
	d := Draft{ID: id, Key: id.String(), Reason: reason, By: caller.Subject}
	once, known := pg.OnceFrom(ctx)
	if known {
		d.Key, d.Hash = keyOf(once), once.BodyHash
	}
	var entries []Entry
	result, err := l.db.Command(ctx, caller.Tenant, func(tx *pg.Tx) (pg.Result, error) {
		steps, err := rule(tx, d)
		if err != nil {
			return pg.Result{}, err
		}
		entries = nil
		for _, s := range steps {
			if s.Entry.ID == id || s.Entry.PartOf == id {
				entries = append(entries, s.Entry)
			}
		}
		return pg.Result{ID: id, Status: http.StatusCreated}, l.Book(ctx, tx, nil, steps...)
	})
	switch {
	case err == nil && result.Replayed:
		httpx.MarkReplayed(ctx)
		return l.read(ctx, func(tx *pg.Tx) (Entry, error) { return findEntry(ctx, tx, result.ID) })
	case err != nil && known:
		return l.repeated(ctx, d, err)
	}
	return entries, err
}

// repeated answers what failed: where its key stands in the ledger it is the repetition of a request of long ago, and is
// given the first answer again.
func (l *Ledger) repeated(ctx context.Context, d Draft, failure error) ([]Entry, error) {
	if name, _ := pg.Constraint(failure); name != KeyConstraint && problem.KindOf(failure) != problem.Conflict {
		return nil, failure
	}
	first, err := l.read(ctx, func(tx *pg.Tx) (Entry, error) { return FindKey(ctx, tx, d.Key) })
	switch {
	case errors.Is(err, ErrNoEntry):
		return nil, failure
	case err != nil:
		return nil, err
	case !bytes.Equal(first[0].InputHash, d.Hash):
		return nil, problem.New(problem.Unprocessable, "idempotency_key_reused",
			"This Idempotency-Key was used with another body. Use a new key for a new request.")
	}
	httpx.MarkReplayed(ctx)
	return first, nil
}

// read gives an entry and its parts.
func (l *Ledger) read(ctx context.Context, find func(tx *pg.Tx) (Entry, error)) (entries []Entry, err error) {
	err = l.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		first, err := find(tx)
		if err != nil {
			return err
		}
		parts, err := partsOf(ctx, tx, first)
		entries = append([]Entry{first}, parts...)
		return err
	})
	return entries, err
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
	case KindRestore:
		m = &loyaltyv1.PointsRestored{
			EntryId: id, MemberId: memberID, CustomerId: customer, ReversedEntryId: e.Reverses.String(), Points: e.Points(),
			DebtPaid: e.Debt, ReasonType: e.Reason.Type, ReasonId: e.Reason.ID,
			Available: a.Available, Pending: a.Pending, Debt: a.Debt, RestoredAt: timestamppb.New(e.RecordedAt),
		}
	case KindExpiry:
		m = &loyaltyv1.PointsExpired{
			EntryId: id, MemberId: memberID, CustomerId: customer, Points: e.Points(), Lots: int32(len(e.Uses)),
			Available: a.Available, Pending: a.Pending, Debt: a.Debt, ExpiredAt: timestamppb.New(e.EffectiveAt),
		}
	case KindAdjustment:
		m = &loyaltyv1.PointsAdjusted{
			EntryId: id, MemberId: memberID, CustomerId: customer, Points: -e.Adjusted, ReasonType: e.Reason.Type, ReasonId: e.Reason.ID,
			Available: a.Available, Pending: a.Pending, Debt: a.Debt, AdjustedAt: timestamppb.New(e.RecordedAt),
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
