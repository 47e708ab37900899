package referral

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	loyaltyv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/loyalty/events/v1"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/growth"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/ledger"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/member"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

const (
	aggregate    = "referral"
	reasonType   = "referral"            // of the ledger's entries
	reasonUndone = "referral_taken_back" // of those that take them back
)

// Judge rewards both sides where a referred customer has bought, and takes that back where the purchase has come back in full.
// It is a growth.Judge: what is known of the orders is in the tables of growth.
func (r *Referrals) Judge(ctx context.Context, tx *pg.Tx, book *programme.Book, orders []uuid.UUID) ([]uuid.UUID, error) {
	ids, err := concerned(ctx, tx, orders)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	all, err := lockAll(ctx, tx, ids)
	if err != nil {
		return nil, err
	}
	w := newWork(r, book, subject(ctx), r.now())
	var bought, returned []*matter
	for _, m := range all {
		switch m.State {
		case Open:
			if w.decide(m) {
				bought = append(bought, m)
			}
		case Completed: // unless somebody was faster
			if p, ok := book.At(m.Programme, m.placedAt); ok && !p.Referral.KeepReturned && m.back() {
				returned = append(returned, m)
			}
		}
	}
	var known []uuid.UUID
	for _, m := range append(append([]*matter{}, bought...), returned...) {
		known = append(known, m.ReferrerID)
		if m.State == Completed && m.ReferredID != uuid.Nil {
			known = append(known, m.ReferredID)
		}
		if m.State == Open && m.member != uuid.Nil {
			known = append(known, m.member)
		}
	}
	if err := w.members(ctx, tx, bought, known); err != nil {
		return nil, err
	}
	for _, m := range bought {
		if err := w.reward(m); err != nil {
			return nil, err
		}
	}
	if err := w.takeBack(ctx, tx, returned, ReasonReturned); err != nil {
		return nil, err
	}
	return w.touched, w.book(ctx, tx)
}

// back tells whether the purchase has come back in full.
func (m *matter) back() bool {
	for _, p := range m.purchases {
		if p.orderID == m.OrderID {
			return p.left == 0
		}
	}
	return false
}

// work is what is done to some referrals in one transaction.
type work struct {
	*Referrals
	terms    *programme.Book
	by       string
	now      time.Time
	accounts map[uuid.UUID]ledger.Account // of members, who are locked
	steps    []ledger.Step
	told     []outbox.Event
	saved    []Referral
	counted  []growth.Behaviour
	touched  []uuid.UUID // customers whose growth it changes
}

func newWork(r *Referrals, book *programme.Book, by string, now time.Time) *work {
	return &work{Referrals: r, terms: book, by: by, now: now, accounts: make(map[uuid.UUID]ledger.Account)}
}

// decide tells whether an open referral is completed by a purchase, whose order it notes. One of which nothing can come any more is
// void. A purchase that is heard of when it has come back in full already ends the referral as it would have if it had been heard
// of before: so it makes no difference in how many batches the events come.
func (w *work) decide(m *matter) bool {
	var keep bool
	p, found, older := m.first(m.purchases, func(p purchase) bool {
		terms, ok := w.terms.At(m.Programme, p.placedAt)
		keep = terms.Referral.KeepReturned
		return ok && terms.Referral.Enough(p.currency, p.total) && (m.member != uuid.Nil || terms.JoinByPurchase)
	})
	switch {
	case older:
		w.void(m, ReasonBoughtBefore)
	case found && m.SameCustomer:
		w.void(m, ReasonSameCustomer)
	case found && p.left == 0 && !keep:
		m.State, m.Reason, m.DecidedAt, m.TakenBackAt, m.OrderID = TakenBack, ReasonReturned, w.now, w.now, p.orderID
		w.saved = append(w.saved, m.Referral)
	case found:
		m.OrderID, m.placedAt, m.buyer = p.orderID, p.placedAt, p.customer
		return true
	}
	return false
}

func (w *work) void(m *matter, reason string) {
	m.State, m.Reason, m.DecidedAt = Void, reason, w.now
	w.saved = append(w.saved, m.Referral)
}

// members locks all who are concerned: those who are known, and buyers who become members by their purchase.
func (w *work) members(ctx context.Context, tx *pg.Tx, bought []*matter, known []uuid.UUID) error {
	drafts := make(map[member.Key]member.Member)
	for _, m := range bought {
		if m.member != uuid.Nil {
			continue
		}
		draft, err := member.Enrol(m.buyer, m.Programme, member.SourceFirstPurchase, w.now)
		if err != nil {
			return err
		}
		if _, there := drafts[draft.Key()]; !there {
			drafts[draft.Key()] = draft
		}
	}
	if len(drafts) > 0 {
		list := make([]member.Member, 0, len(drafts))
		for _, d := range drafts {
			list = append(list, d)
		}
		all, made, err := member.Ensure(ctx, tx, list...)
		if err != nil {
			return err
		}
		for _, m := range bought {
			if m.member == uuid.Nil {
				m.member = all[member.Key{CustomerID: m.buyer, Programme: m.Programme}].ID
				known = append(known, m.member)
			}
		}
		for _, m := range made {
			w.told = append(w.told, member.EnrolledEvent(m))
		}
	}
	if len(known) == 0 {
		return nil
	}
	member.LockAll(tx, known)
	found, err := member.FindAll(ctx, tx, known)
	for _, m := range found {
		w.accounts[m.ID] = ledger.Account{Member: m}
	}
	return err
}

// reward gives both sides their points by the terms of the time of the purchase, locked until its return window ends.
func (w *work) reward(m *matter) error {
	p, _ := w.terms.At(m.Programme, m.placedAt)
	m.State, m.DecidedAt, m.ReferredID = Completed, w.now, m.member
	var err error
	if m.ReferrerPoints, m.ReferrerEntry, err = w.give(m, m.ReferrerID, "referrer", p.Referral.ReferrerPoints, p.AvailableAt(m.placedAt)); err != nil {
		return err
	}
	if m.ReferredPoints, m.ReferredEntry, err = w.give(m, m.ReferredID, "referred", p.Referral.ReferredPoints, p.AvailableAt(m.placedAt)); err != nil {
		return err
	}
	w.saved = append(w.saved, m.Referral)
	w.touched = append(w.touched, m.ReferrerCustomer)
	w.counted = append(w.counted, growth.Behaviour{
		Kind: programme.GrowthReferrals, Key: m.ID.String(), CustomerID: m.ReferrerCustomer, MemberID: m.ReferrerID, Programme: m.Programme,
		OccurredAt: m.placedAt, RecordedAt: w.now, RecordedBy: w.by,
	})
	w.told = append(w.told, outbox.Event{Aggregate: aggregate, ID: m.ID, Time: w.now, Message: &loyaltyv1.ReferralCompleted{
		ReferralId: m.ID.String(), Programme: m.Programme, ReferrerMemberId: m.ReferrerID.String(), ReferrerCustomerId: m.ReferrerCustomer.String(),
		ReferredMemberId: m.ReferredID.String(), ReferredCustomerId: w.accounts[m.ReferredID].CustomerID.String(), OrderId: m.OrderID.String(),
		ReferrerPoints: m.ReferrerPoints, ReferredPoints: m.ReferredPoints, CompletedAt: timestamppb.New(w.now),
	}})
	return nil
}

// give gives one side points. Who has left, was erased, or can have no more gets none; that keeps nothing from the other side.
func (w *work) give(m *matter, memberID uuid.UUID, side string, points int64, until time.Time) (int64, uuid.UUID, error) {
	a := w.accounts[memberID]
	if points == 0 || a.CardNumber == "" || a.State == member.Left {
		return 0, uuid.Nil, nil
	}
	s, err := w.ledger.Give(a.Member, w.terms, ledger.KindEarn, ledger.Draft{
		Key: "referral/" + m.ID.String() + "/" + side, Reason: ledger.Reason{Type: reasonType, ID: m.ID.String()}, By: w.by, EffectiveAt: m.placedAt,
	}, points, until)
	if problem.KindOf(err) == problem.Conflict {
		return 0, uuid.Nil, nil
	}
	if err != nil {
		return 0, uuid.Nil, err
	}
	w.follow(s)
	return points, s.Entry.ID, nil
}

func (w *work) follow(s ledger.Step) {
	w.accounts[s.Account.ID] = s.Account
	w.steps = append(w.steps, s)
}

// takeBack takes from both sides what they got. A few lots of each are nearly always enough; where they are not, it begins anew
// with all of them.
func (w *work) takeBack(ctx context.Context, tx *pg.Tx, all []*matter, reason string) error {
	if len(all) == 0 {
		return nil
	}
	var ids, own []uuid.UUID
	for _, m := range all {
		for _, side := range m.sides() {
			ids, own = append(ids, side.member), append(own, side.entry)
		}
	}
	before, accounts := len(w.steps), make(map[uuid.UUID]ledger.Account, len(w.accounts))
	for id, a := range w.accounts {
		accounts[id] = a
	}
	for _, limit := range ledger.Portions {
		lots := &ledger.Lots{}
		if len(ids) > 0 {
			lots = ledger.QueueLots(tx, ids, own, limit)
			if err := tx.Flush(ctx); err != nil {
				return err
			}
		}
		for _, s := range w.steps[:before] {
			lots.Follow(s)
		}
		err := w.reverseAll(all, lots)
		if !errors.Is(err, ledger.ErrLotsMissing) {
			return w.undone(tx, all, reason, err)
		}
		w.steps = w.steps[:before]
		for id, a := range accounts {
			w.accounts[id] = a
		}
	}
	return ledger.ErrLotsMissing
}

// side is one side of a referral that was rewarded.
type side struct {
	name          string
	member, entry uuid.UUID
	points        int64
}

func (r Referral) sides() (sides []side) {
	for _, s := range []side{{"referrer", r.ReferrerID, r.ReferrerEntry, r.ReferrerPoints}, {"referred", r.ReferredID, r.ReferredEntry, r.ReferredPoints}} {
		if s.entry != uuid.Nil {
			sides = append(sides, s)
		}
	}
	return sides
}

func (w *work) reverseAll(all []*matter, lots *ledger.Lots) error {
	for _, m := range all {
		for _, side := range m.sides() {
			a := w.accounts[side.member]
			p, ok := w.terms.At(a.Programme, w.now)
			id, err := uuid.NewV7()
			if err != nil || !ok {
				return errors.Join(err, errNotFound)
			}
			steps, err := a.TakeBack(ledger.Booking{
				ID: id, Kind: ledger.KindReversal, Key: "referral/" + m.ID.String() + "/" + side.name + "/back",
				Reason: ledger.Reason{Type: reasonUndone, ID: m.ID.String()}, By: w.by, EffectiveAt: w.now, RecordedAt: w.now,
			}, p, side.entry, side.points, lots.Of(a.ID))
			if err != nil {
				return err
			}
			for _, s := range steps {
				w.follow(s)
				lots.Follow(s)
			}
		}
	}
	return nil
}

// undone notes that what both sides got was taken back.
func (w *work) undone(tx *pg.Tx, all []*matter, reason string, err error) error {
	if err != nil {
		return err
	}
	keys := make([]string, len(all))
	for i, m := range all {
		m.State, m.Reason, m.TakenBackAt = TakenBack, reason, w.now
		keys[i] = m.ID.String()
		w.saved, w.touched = append(w.saved, m.Referral), append(w.touched, m.ReferrerCustomer)
	}
	growth.Withdraw(tx, programme.GrowthReferrals, keys, w.now)
	return nil
}

// book queues all that was done.
func (w *work) book(ctx context.Context, tx *pg.Tx) error {
	save(tx, w.saved)
	growth.Add(tx, w.counted...)
	if len(w.steps)+len(w.told) == 0 {
		return nil
	}
	return w.ledger.Book(ctx, tx, w.told, w.steps...)
}
