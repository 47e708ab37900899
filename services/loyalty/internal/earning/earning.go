// Package earning turns purchases into points: an order earns when it is placed and its customer is known, and goods that
// come back take their share of the points back.
package earning

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/ledger"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
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
	Currency      string
	TotalMinor    int64
	ReturnedMinor int64 // 0 to TotalMinor
	PlacedAt      time.Time
	Points        int64       // that it is worth
	TakenBack     int64       // 0 to Points
	EntryID       uuid.UUID   // by which they were earned; Nil while they are not, or where there are none
	Returns       []uuid.UUID // that were counted
}

// fact is what one event says: that an order was placed, that goods came back, or else whose the order is.
type fact struct {
	event    uuid.UUID
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
	rules    programme.Programme
	by       string
	now      time.Time
	orders   map[uuid.UUID]order
	touched  map[uuid.UUID]bool
	accounts map[uuid.UUID]ledger.Account // by customer
	lots     *ledger.Lots
	steps    []ledger.Step
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

// earn gives the customer, once known, the points that the order is worth.
func (p *plan) earn(o *order) error {
	if o.CustomerID == uuid.Nil || o.Points == 0 {
		return nil
	}
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	s, err := p.accounts[o.CustomerID].Earn(ledger.Booking{
		ID: id, Kind: ledger.KindEarn, Key: "order/" + o.ID.String(), Reason: ledger.Reason{Type: reasonOrder, ID: o.ID.String()},
		By: p.by, EffectiveAt: o.PlacedAt, RecordedAt: p.now,
	}, o.Points, p.rules.AvailableAt(o.PlacedAt))
	if err != nil {
		return err
	}
	o.EntryID = id
	p.follow(o.CustomerID, s)
	return nil
}

// takeBack takes back what the order's points come to for all that has come back, less what was taken back before.
func (p *plan) takeBack(o *order, at time.Time) error {
	owed := p.rules.Owed(o.Points, o.ReturnedMinor, o.TotalMinor)
	if o.EntryID == uuid.Nil || owed == o.TakenBack {
		return nil
	}
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	latest := o.Returns[len(o.Returns)-1].String()
	a := p.accounts[o.CustomerID]
	steps, err := a.TakeBack(ledger.Booking{
		ID: id, Kind: ledger.KindReversal, Key: "return/" + latest, Reason: ledger.Reason{Type: reasonReturn, ID: latest},
		By: p.by, EffectiveAt: at, RecordedAt: p.now,
	}, p.rules, o.EntryID, owed-o.TakenBack, p.lots.Of(a.ID))
	if err != nil {
		return err
	}
	o.TakenBack = owed
	for _, s := range steps {
		p.follow(o.CustomerID, s)
	}
	return nil
}

func (p *plan) follow(customer uuid.UUID, s ledger.Step) {
	p.accounts[customer] = s.Account
	p.lots.Follow(s)
	p.steps = append(p.steps, s)
}

// broken says that an event breaks its contract: trying again cannot help.
func (f fact) broken(field, why string) error { return broken(f.event, field, why) }

func broken(event uuid.UUID, field, why string) error {
	return problem.New(problem.Unprocessable, "event_breaks_contract", "Event %s: %s %s.", event, field, why)
}
