// Package earning turns purchases into points: an order earns when it is placed and its customer is known, in every programme
// that the customer is a member of, by the terms that were in force when it was placed; and goods that come back take their
// share of the points back.
package earning

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/money"
	"github.com/guanxi-crm/guanxi/platform/pg/inbox"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/ledger"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/member"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/rule"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/tier"
)

// Reasons of the entries that are made here.
const (
	reasonOrder  = "order"
	reasonReturn = "order_return"
)

// order is an order as far as points are concerned. Amounts are in minor units of its currency.
type order struct {
	ID            uuid.UUID
	CustomerID    uuid.UUID // Nil until the customer is known
	Channel       string
	Currency      string
	Units         int64
	TotalMinor    int64
	Lines         []rule.Line // without categories; nil where they are not known
	ReturnedMinor int64       // 0 to TotalMinor
	PlacedAt      time.Time
	Worth         int64       // a point for each whole major unit
	Returns       []uuid.UUID // that were counted
	Shares        []share     // what it earned, one for each programme; none while the customer is not known
}

// share is what an order earned in a programme.
type share struct {
	Programme      string
	MemberID       uuid.UUID // Nil of orders from before there were several programmes
	Version        int
	Tier           string
	First          *bool // first purchase; nil where nobody asked
	Points         int64
	TakenBack      int64 // 0 to Points
	Qualifying     int64 // what counts towards tiers
	QualifyingBack int64 // 0 to Qualifying
	EntryID        uuid.UUID
	Outcome        *outcome // nil where it was a point for each whole major unit
}

// fact is what one event says: that an order was placed, that goods came back, or else whose the order is.
type fact struct {
	event    inbox.Event
	order    uuid.UUID
	placed   *order
	customer uuid.UUID // whose the order is; Nil where that is not known yet
	back     *goodsBack
}

// goodsBack is goods of an order that came back.
type goodsBack struct {
	ID          uuid.UUID
	Currency    string
	AmountMinor int64 // 0 or more
	ReturnedAt  time.Time
}

// plan is what becomes of orders and points when facts are taken in, one after the other.
type plan struct {
	*known
	ledger   *ledger.Ledger
	by       string
	now      time.Time
	orders   map[uuid.UUID]order
	touched  map[uuid.UUID]bool
	accounts map[member.Key]ledger.Account
	bought   map[uuid.UUID]bool // customers, as they are one, who have bought by now
	caps     counter
	steps    []ledger.Step
	counts   []tier.Qualifying
	back     []returned
}

// returned is a return that was counted.
type returned struct {
	order uuid.UUID
	no    int
	*goodsBack
}

// take takes a fact in.
func (p *plan) take(f fact) error {
	o, known := p.orders[f.order]
	var err error
	switch {
	case f.placed != nil && known:
		return nil // told again by a producer that was restored
	case f.placed != nil:
		o = *f.placed
		err = p.earn(&o)
	case !known:
		return f.broken("order_id", "is no order that was placed")
	case f.back != nil:
		if slices.Contains(o.Returns, f.back.ID) {
			return nil
		}
		if err = f.back.check(f, o); err == nil {
			o.ReturnedMinor += f.back.AmountMinor
			o.Returns = append(slices.Clone(o.Returns), f.back.ID)
			p.back = append(p.back, returned{o.ID, len(o.Returns), f.back})
			err = p.takeBack(&o, f.back.ReturnedAt)
		}
	case o.CustomerID == uuid.Nil:
		o.CustomerID = f.customer
		if err = p.earn(&o); err == nil {
			err = p.takeBack(&o, p.now)
		}
	case o.CustomerID != f.customer:
		return f.broken("customer_id", "is not the customer whose order it is")
	}
	if err == nil {
		p.orders[f.order], p.touched[f.order] = o, true
	}
	return err
}

// check tells what is wrong with a return of the order.
func (g *goodsBack) check(f fact, o order) error {
	switch {
	case f.customer != o.CustomerID:
		return f.broken("customer_id", "is not the customer whose order it is")
	case g.Currency != o.Currency:
		return f.broken("currency", "is not the order's")
	case g.AmountMinor > o.TotalMinor-o.ReturnedMinor:
		return f.broken("amount_minor", "is more than the order came to less what had come back already")
	}
	return nil
}

// earn gives the customer, once known, what the order is worth in each programme that the customer is a member of.
func (p *plan) earn(o *order) error {
	if o.CustomerID == uuid.Nil {
		return nil
	}
	first := !p.bought[p.root(o.CustomerID)]
	for _, code := range p.codes {
		key := member.Key{CustomerID: o.CustomerID, Programme: code}
		a, there := p.accounts[key]
		if !there || a.State == member.Left {
			continue
		}
		terms, ok := p.book.At(code, o.PlacedAt)
		if !ok {
			continue
		}
		s := p.judge(terms, *o, a.Member, first)
		if err := p.give(key, terms, *o, &s); err != nil {
			return err
		}
		o.Shares = append(o.Shares, s)
	}
	p.bought[p.root(o.CustomerID)] = true
	return nil
}

// judge tells what an order earns by the terms.
func (p *plan) judge(terms programme.Programme, o order, m member.Member, first bool) share {
	s := share{Programme: terms.Code, MemberID: m.ID, Version: terms.Version, Tier: p.tierOf(terms, m.ID)}
	if plain(terms.Earning) {
		s.Points, s.Qualifying = o.Worth, o.Worth
		return s
	}
	if p.asks(terms, "first_purchase") {
		s.First = &first
	} else {
		first = false
	}
	asked := o.asked(terms)
	asked.Tier, asked.MemberSince, asked.BirthdayMonth, asked.FirstPurchase = s.Tier, m.EnrolledAt, p.births[o.CustomerID], first
	out := evaluate(terms.Earning, asked, func(c programme.Cap, from, until time.Time) int64 { return p.caps.of(m.ID, c.Code, from, until) })
	s.Points, s.Qualifying, s.Outcome = out.Points, out.Qualifying, &out
	for _, c := range out.Caps {
		p.caps.add(capUse{m.ID, c.Cap, o.PlacedAt, o.ID, c.Used})
	}
	return s
}

// asked is the order as rules see it.
func (o order) asked(terms programme.Programme) *rule.Order {
	digits, _ := money.Digits(o.Currency)
	lines := slices.Clone(o.Lines)
	for i := range lines {
		lines[i].Category = terms.CategoryOf(lines[i].SKU)
	}
	return &rule.Order{
		TotalMinor: o.TotalMinor, Digits: digits, Currency: o.Currency, Channel: o.Channel, Units: o.Units, Lines: lines,
		PlacedAt: o.PlacedAt, Zone: terms.Zone,
	}
}

// give books the points of a share. Of what is more than the member may have nothing is given, and the share says so.
func (p *plan) give(key member.Key, terms programme.Programme, o order, s *share) error {
	a := p.accounts[key]
	if room := money.Max - a.Available - a.Pending; s.Points > room {
		if s.Outcome == nil {
			s.Outcome = plainOutcome(o)
		}
		s.Points, s.Outcome.Points, s.Outcome.Full = room, room, true
	}
	if s.Points > 0 {
		step, err := p.ledger.Give(a.Member, p.book, ledger.KindEarn, ledger.Draft{
			Key: orderKey(o.ID, key.Programme), Reason: ledger.Reason{Type: reasonOrder, ID: o.ID.String()}, By: p.by, EffectiveAt: o.PlacedAt,
		}, s.Points, terms.AvailableAt(o.PlacedAt))
		if err != nil {
			return err
		}
		s.EntryID = step.Entry.ID
		p.follow(key, step)
	}
	if s.Qualifying > 0 && terms.Tiers.On() {
		p.counts = append(p.counts, tier.Qualifying{Member: a.Member, Points: s.Qualifying, Key: orderKey(o.ID, key.Programme), At: o.PlacedAt})
	}
	return nil
}

// plainOutcome explains a point for each whole major unit.
func plainOutcome(o order) *outcome {
	base := programme.Earning{}.Base()[0]
	out := evaluate(programme.Earning{}, o.asked(programme.Standard()), nil)
	out.Points, out.Qualifying, out.Parts[0].Rule = o.Worth, o.Worth, base.Code
	return &out
}

// orderKey is the key of the entry by which an order earned; the standard programme's are older than the others.
func orderKey(order uuid.UUID, code string) string { return keyIn("order/"+order.String(), code) }

func returnKey(id uuid.UUID, code string) string { return keyIn("return/"+id.String(), code) }

func keyIn(key, code string) string {
	if code == programme.StandardCode {
		return key
	}
	return key + "/" + code
}

// takeBack takes back, in each programme, what the order's points come to for all that has come back, less what was taken
// back before.
func (p *plan) takeBack(o *order, at time.Time) error {
	if len(o.Returns) == 0 {
		return nil
	}
	o.Shares = slices.Clone(o.Shares)
	for i := range o.Shares {
		if err := p.takeBackShare(*o, &o.Shares[i], at); err != nil {
			return err
		}
	}
	return nil
}

func (p *plan) takeBackShare(o order, s *share, at time.Time) error {
	latest := o.Returns[len(o.Returns)-1]
	key := member.Key{CustomerID: o.CustomerID, Programme: s.Programme}
	a, there := p.accounts[key]
	terms, ok := p.book.At(s.Programme, p.now)
	if !there || !ok {
		return nil // the auditor's check finds it
	}
	if owed := terms.Owed(s.Qualifying, o.ReturnedMinor, o.TotalMinor); owed > s.QualifyingBack {
		p.counts = append(p.counts, tier.Qualifying{
			Member: a.Member, Points: s.QualifyingBack - owed, Key: returnKey(latest, s.Programme), At: o.PlacedAt, Takes: orderKey(o.ID, s.Programme),
		})
		s.QualifyingBack = owed
	}
	owed := terms.Owed(s.Points, o.ReturnedMinor, o.TotalMinor)
	points := owed - s.TakenBack
	if a.State == member.Left {
		points = min(points, a.Available+a.Pending) // whoever has left has lost points enough, and owes none
	}
	s.TakenBack = owed
	if s.EntryID == uuid.Nil || points == 0 {
		return nil
	}
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	steps, err := a.TakeBack(ledger.Booking{
		ID: id, Kind: ledger.KindReversal, Key: returnKey(latest, s.Programme), Reason: ledger.Reason{Type: reasonReturn, ID: latest.String()},
		By: p.by, EffectiveAt: at, RecordedAt: p.now,
	}, terms, s.EntryID, points, p.lots.Of(a.ID))
	for _, step := range steps {
		p.follow(key, step)
	}
	return err
}

func (p *plan) follow(key member.Key, s ledger.Step) {
	p.accounts[key] = s.Account
	p.lots.Follow(s)
	p.steps = append(p.steps, s)
}

// broken says that an event breaks its contract: trying again cannot help.
func (f fact) broken(field, why string) error {
	c := f.event.Contract()
	c.Broken(field, why)
	return c.Err()
}
