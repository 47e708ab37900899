package ledger

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/member"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

// What stands here works in somebody else's transaction: it gives steps, which the caller books (see Book) in the same one.

// Draft is what the caller of a booking decides about its entry.
type Draft struct {
	ID          uuid.UUID // UUIDv7; Nil: one is made
	Key         string    // what makes a repetition known, for ever; empty: the id
	Hash        []byte    // tells a repetition from another request with the key; nil where the key says it all
	Reason      Reason
	By          string    // who asked for it
	EffectiveAt time.Time // when what it is for took place; zero: now
}

// booking is what becomes of a draft. Call it once the member is locked.
func (l *Ledger) booking(kind Kind, d Draft) (Booking, error) {
	if d.ID == uuid.Nil {
		var err error
		if d.ID, err = uuid.NewV7(); err != nil {
			return Booking{}, err
		}
	}
	if d.Key == "" {
		d.Key = d.ID.String()
	}
	now := l.Now()
	if d.EffectiveAt.IsZero() {
		d.EffectiveAt = now
	}
	return Booking{
		ID: d.ID, Kind: kind, Key: d.Key, InputHash: d.Hash, Reason: d.Reason, By: d.By,
		EffectiveAt: d.EffectiveAt.UTC().Truncate(time.Microsecond), RecordedAt: now,
	}, nil
}

// Answers to who may not do what.
var (
	errSuspended = problem.New(problem.Conflict, "member_suspended",
		"The member is suspended and cannot spend points until somebody reinstates it. Nothing was booked.")
	errLeft = problem.New(problem.Conflict, "member_left",
		"The member has left the programme: it neither earns nor spends points. Nothing was booked.")
	errErased = problem.New(problem.Gone, "member_erased", "The customer was erased: nobody is there to have points. Nothing was booked.")
)

// mayHave tells whether somebody may be given points by hand.
func mayHave(m member.Member) error {
	switch {
	case m.CardNumber == "":
		return errErased
	case m.State == member.Left:
		return errLeft
	}
	return nil
}

func maySpend(m member.Member) error {
	if m.CardNumber != "" && m.State == member.Suspended {
		return errSuspended
	}
	return mayHave(m)
}

// termsOf gives the programme of a member by the terms in force at a time.
func termsOf(book *programme.Book, m member.Member, at time.Time) (programme.Programme, error) {
	p, ok := book.At(m.Programme, at)
	if !ok {
		return p, problem.New(problem.Conflict, "programme_unknown", "The programme %q of the member has no terms. Write a version of it first.", m.Programme)
	}
	return p, nil
}

// Give gives a member, who is locked, points, more than 0: KindEarn or KindGrant. They cannot be spent before lockedUntil (zero: at
// once; a past time is kept as when they could be spent first), and run out by the member's programme as it was when what
// they are for took place. A Conflict: member_left, balance_full.
func (l *Ledger) Give(m member.Member, book *programme.Book, kind Kind, d Draft, points int64, lockedUntil time.Time) (Step, error) {
	if m.State == member.Left {
		return Step{}, errLeft
	}
	b, err := l.booking(kind, d)
	if err != nil {
		return Step{}, err
	}
	p, err := termsOf(book, m, b.EffectiveAt)
	if err != nil {
		return Step{}, err
	}
	availableAt := b.RecordedAt
	if !lockedUntil.IsZero() {
		availableAt = lockedUntil.UTC().Truncate(time.Microsecond)
	}
	now, err := termsOf(book, m, b.RecordedAt)
	if err != nil {
		return Step{}, err
	}
	s, err := Account{m}.Earn(b, points, availableAt)
	return s.lasting(Account{m}.lapse(b.RecordedAt, now), p), err
}

// lasting has the lot that was made run out by the programme, and those before it at the time when they lapsed, if they did.
func (s Step) lasting(lapsed time.Time, p programme.Programme) Step {
	s.Lapsed = lapsed
	if s.Made != nil {
		s.Made.ExpiresAt = p.Expiry.At(s.Made.AvailableAt, p.Zone)
	}
	return s
}

// SpendIn takes points, more than 0, that are available, those included whose lock ends now, the ones that run out first before
// others, and then the oldest: of the member and of all who are the same customer and may spend. All of them are locked, and
// nobody is merged or restored meanwhile; queue nothing that locks before. One round trip, and what has run out is expired first. A
// Conflict: points_insufficient, member_suspended, member_left; Gone: member_erased.
func (l *Ledger) SpendIn(ctx context.Context, tx *pg.Tx, memberID uuid.UUID, d Draft, points int64) ([]Step, error) {
	book := programme.BookOf(tx)
	locked := member.LockPool(tx, memberID)
	for _, limit := range Portions {
		lots := queuePoolLots(tx, memberID, l.Now(), limit)
		members, err := member.FindPool(ctx, tx, memberID)
		if err != nil {
			return nil, err
		}
		members = slices.DeleteFunc(members, func(m member.Member) bool { return !locked[m.ID] })
		b, err := l.booking(KindSpend, d)
		if err != nil {
			return nil, err
		}
		pool := NewPool(members...)
		asked := pool[memberID].Member
		if err := maySpend(asked); err != nil {
			return nil, err
		}
		rules, err := termsOf(book, asked, b.RecordedAt)
		if err != nil {
			return nil, err
		}
		if steps, err := pool.settleAndSpend(b, rules, memberID, points, lots); !lotsMissing(err) {
			return steps, err
		}
	}
	return nil, ErrLotsMissing
}

// restoredFor is how many days points can be spent at least that are given back.
const restoredFor = 30

// RestoreIn gives a spend, all its parts included, back to the lots that it took points from; they run out in 30 days at the
// earliest, at a day's end in the programme's zone. A debt is paid first. It does not ask whether the members may spend: what
// was paid for and not received is theirs. The members are locked. Three round trips. NotFound: entry_not_found; a Conflict:
// entry_no_spend, spend_restored.
func (l *Ledger) RestoreIn(ctx context.Context, tx *pg.Tx, spendID uuid.UUID, d Draft) ([]Step, error) {
	book := programme.BookOf(tx)
	spends, err := wholeSpend(ctx, tx, spendID)
	if err != nil {
		return nil, err
	}
	var members, lotIDs, ids []uuid.UUID
	for _, e := range spends {
		members, ids = append(members, e.MemberID), append(ids, e.ID)
		for _, u := range e.Uses {
			lotIDs = append(lotIDs, u.LotID)
		}
	}
	member.LockAll(tx, members)
	lots := QueueLots(tx, members, lotIDs, 0)
	restored := queueRestored(tx, ids)
	found, err := member.FindAll(ctx, tx, members)
	if err != nil {
		return nil, err
	}
	if *restored {
		return nil, problem.New(problem.Conflict, "spend_restored", "The points of this spend were given back already. Nothing was booked.")
	}
	b, err := l.booking(KindRestore, d)
	if err != nil {
		return nil, err
	}
	pool := NewPool(found...)
	var steps []Step
	for n, spend := range spends {
		part, err := b.part(n)
		if err != nil {
			return nil, err
		}
		made, err := pool[spend.MemberID].restoreBy(part, book, spend, lots.Of(spend.MemberID))
		if err != nil {
			return nil, err
		}
		pool[spend.MemberID] = made[len(made)-1].Account
		steps = append(steps, made...)
	}
	return steps, nil
}

// restoreBy is Restore by the terms in force, after what has run out.
func (a Account) restoreBy(b Booking, book *programme.Book, spend Entry, lots []Lot) ([]Step, error) {
	p, err := termsOf(book, a.Member, b.RecordedAt)
	if err != nil {
		return nil, err
	}
	a, steps, lots, err := a.Overdue(b.By, b.RecordedAt, p, lots)
	if err != nil {
		return nil, err
	}
	s, err := a.Restore(b, spend, lots, programme.DayEnd(b.RecordedAt.In(p.Zone).AddDate(0, 0, restoredFor), p.Zone))
	return append(steps, s), err
}

// part gives the booking of the n-th entry, from 0, of several that belong together.
func (b Booking) part(n int) (Booking, error) {
	if n == 0 {
		return b, nil
	}
	id, err := uuid.NewV7()
	b.Key, b.InputHash, b.PartOf, b.ID = fmt.Sprintf("%s/%d", b.Key, n+1), nil, b.ID, id
	return b, err
}

// wholeSpend gives the entries of the spend of which the entry is one.
func wholeSpend(ctx context.Context, tx *pg.Tx, id uuid.UUID) ([]Entry, error) {
	e, err := findEntry(ctx, tx, id)
	if err == nil && e.PartOf != uuid.Nil {
		e, err = findEntry(ctx, tx, e.PartOf)
	}
	if err != nil {
		return nil, err
	}
	if e.Kind != KindSpend {
		return nil, problem.New(problem.Conflict, "entry_no_spend", "This entry is no spend: there is nothing to give back. Nothing was booked.")
	}
	parts, err := partsOf(ctx, tx, e)
	return append([]Entry{e}, parts...), err
}

// AdjustIn gives a member, who is locked, points, or takes them where points is below zero: available ones, those that run
// out first before others, after what has run out. It is not 0. One round trip. A Conflict: points_insufficient, balance_full, and
// member_left for points to give; Gone: member_erased for points to give.
func (l *Ledger) AdjustIn(ctx context.Context, tx *pg.Tx, m member.Member, book *programme.Book, d Draft, points int64) ([]Step, error) {
	b, err := l.booking(KindAdjustment, d)
	if err != nil {
		return nil, err
	}
	p, err := termsOf(book, m, b.RecordedAt)
	if err != nil {
		return nil, err
	}
	if points > 0 {
		if err := mayHave(m); err != nil {
			return nil, err
		}
		s, err := Account{m}.Adjust(b, points, nil)
		return []Step{s.lasting(Account{m}.lapse(b.RecordedAt, p), p)}, err
	}
	pool, lots, steps, err := l.settled(ctx, tx, m, b, p)
	if err != nil {
		return nil, err
	}
	s, err := pool[m.ID].Adjust(b, points, lots)
	return append(steps, s), err
}

// ForfeitIn takes all that a member, who is locked, has, locked points included, after what has run out. There is no step
// where it has nothing. A debt stays. One round trip.
func (l *Ledger) ForfeitIn(ctx context.Context, tx *pg.Tx, m member.Member, d Draft) ([]Step, error) {
	b, err := l.booking(KindAdjustment, d)
	if err != nil {
		return nil, err
	}
	book := programme.BookOf(tx)
	lots := QueueLots(tx, []uuid.UUID{m.ID}, nil, 0)
	if err := tx.Flush(ctx); err != nil {
		return nil, err
	}
	p, err := termsOf(book, m, b.RecordedAt)
	if err != nil {
		return nil, err
	}
	a, steps, left, err := Account{m}.Overdue(b.By, b.RecordedAt, p, lots.Of(m.ID))
	if err != nil || a.Available+a.Pending == 0 {
		return steps, err
	}
	s, err := a.Forfeit(b, left)
	return append(steps, s), err
}

// settled reads all lots of a locked member that can be spent, once what has run out is expired and what is due released.
func (l *Ledger) settled(ctx context.Context, tx *pg.Tx, m member.Member, b Booking, p programme.Programme) (Pool, []Lot, []Step, error) {
	read := QueueLots(tx, []uuid.UUID{m.ID}, nil, 0)
	if err := tx.Flush(ctx); err != nil {
		return nil, nil, nil, err
	}
	lots := slices.DeleteFunc(slices.Clone(read.Of(m.ID)), func(lot Lot) bool { return !lot.Released && lot.AvailableAt.After(b.RecordedAt) })
	pool := NewPool(m)
	lots, steps, err := pool.settle(b, p, lots)
	return pool, lots, steps, err
}
