package earning

import (
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/ledger"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/member"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/tier"
)

// known is what was known before a batch of facts. What rules ask for is read only where one of them does.
type known struct {
	book      *programme.Book
	codes     []string // of programmes
	orders    map[uuid.UUID]order
	members   map[member.Key]membership
	births    map[uuid.UUID]int       // months, by customer
	roots     map[uuid.UUID]uuid.UUID // whom customers' ids mean
	buyers    map[uuid.UUID]bool      // of these, who had bought something
	standings *tier.Standings
	lots      *ledger.Lots
	caps      map[window]int64
	asked     map[question]bool
}

// membership is a customer's in a programme.
type membership struct {
	id    uuid.UUID
	state member.State
}

// question is whether some terms ask for a fact.
type question struct {
	programme string
	version   int
	fact      string
}

// asks tells whether a programme's rules ask for a fact.
func (k *known) asks(p programme.Programme, fact string) bool {
	q := question{p.Code, p.Version, fact}
	yes, answered := k.asked[q]
	if !answered {
		yes = p.Earning.Asks(fact)
		k.asked[q] = yes
	}
	return yes
}

// root gives whom a customer's id means, where that was read.
func (k *known) root(customer uuid.UUID) uuid.UUID {
	if r, there := k.roots[customer]; there {
		return r
	}
	return customer
}

// tierOf gives the tier of a member; the lowest one of somebody new, empty where there are none.
func (k *known) tierOf(p programme.Programme, memberID uuid.UUID) string {
	if !p.Tiers.On() {
		return ""
	}
	if k.standings != nil {
		if code := k.standings.Code(memberID); code != "" {
			return code
		}
	}
	return p.Tiers.Levels[0].Code
}

// buying is an order that earns, as far as that can be told before the facts are taken in.
type buying struct {
	customer uuid.UUID
	placedAt time.Time
}

// buyings gives the orders that earn by the facts, and which orders goods of came back.
func (k *known) buyings(facts []fact) (all []buying, returned map[uuid.UUID]bool) {
	placed := make(map[uuid.UUID]time.Time, len(facts))
	returned = make(map[uuid.UUID]bool)
	for _, f := range facts {
		o, known := k.orders[f.order]
		at, here := placed[f.order]
		switch {
		case f.placed != nil && !known:
			placed[f.order] = f.placed.PlacedAt
			at, here = f.placed.PlacedAt, true
		case known:
			at, here = o.PlacedAt, o.CustomerID == uuid.Nil
		}
		if here && f.customer != uuid.Nil {
			all = append(all, buying{f.customer, at})
		}
		if f.back != nil || o.ReturnedMinor > 0 {
			returned[f.order] = true
		}
	}
	return all, returned
}

// drafts gives every member whom the facts are about, as they are to be where they are none yet: customers are members of the
// programmes that they have joined, and become members of those that one joins by buying.
func (k *known) drafts(facts []fact, all []buying, now time.Time) ([]member.Member, error) {
	var drafts []member.Member
	seen := make(map[member.Key]bool)
	add := func(customer uuid.UUID, code string) error {
		key := member.Key{CustomerID: customer, Programme: code}
		if customer == uuid.Nil || seen[key] {
			return nil
		}
		seen[key] = true
		m, err := member.Enrol(customer, code, member.SourceFirstPurchase, now)
		drafts = append(drafts, m)
		return err
	}
	for _, f := range facts {
		for _, code := range k.codes {
			if _, there := k.members[member.Key{CustomerID: f.customer, Programme: code}]; there {
				if err := add(f.customer, code); err != nil {
					return nil, err
				}
			}
		}
	}
	for _, b := range all {
		for _, code := range k.codes {
			if p, ok := k.book.At(code, b.placedAt); ok && p.JoinByPurchase {
				if err := add(b.customer, code); err != nil {
					return nil, err
				}
			}
		}
	}
	return drafts, nil
}

// queue locks members and queues the reading of all that the rules ask for, in the same round trip.
func (k *known) queue(tx *pg.Tx, facts []fact, all []buying, returned map[uuid.UUID]bool) {
	ids, own := k.takenFrom(facts, returned)
	windows := k.windows(all)
	if len(ids)+len(windows) > 0 { // what is read of members below is read once they are locked
		locked := make([]uuid.UUID, 0, len(k.members))
		for _, m := range k.members {
			locked = append(locked, m.id)
		}
		member.LockAll(tx, locked)
	}
	k.lots = &ledger.Lots{}
	if len(ids) > 0 {
		k.lots = ledger.QueueLots(tx, ids, own, ledger.Portions[0])
	}
	k.caps = queueCaps(tx, windows)
	customers := make(map[uuid.UUID]bool)
	var births, firsts []uuid.UUID
	tiers := false
	for _, b := range all {
		var birth, first bool
		for _, code := range k.codes {
			p, ok := k.book.At(code, b.placedAt)
			if !ok {
				continue
			}
			birth, first = birth || k.asks(p, "birthday_month"), first || k.asks(p, "first_purchase")
			tiers = tiers || p.Tiers.On()
		}
		if customers[b.customer] {
			continue
		}
		customers[b.customer] = true
		if birth {
			births = append(births, b.customer)
		}
		if first {
			firsts = append(firsts, b.customer)
		}
	}
	k.births = queueBirths(tx, births)
	k.roots, k.buyers = queueBuyers(tx, firsts)
	if tiers {
		var members []uuid.UUID
		for key, m := range k.members {
			if customers[key.CustomerID] {
				members = append(members, m.id)
			}
		}
		k.standings = tier.Of(tx, members)
	}
}

// windows gives the periods of caps in which orders fall.
func (k *known) windows(all []buying) []window {
	var windows []window
	seen := make(map[window]bool)
	for _, b := range all {
		for _, code := range k.codes {
			p, ok := k.book.At(code, b.placedAt)
			m, there := k.members[member.Key{CustomerID: b.customer, Programme: code}]
			if !ok || !there || len(p.Earning.Caps) == 0 {
				continue
			}
			for _, c := range p.Earning.Caps {
				from, until, ok := c.Window(b.placedAt, p.Zone)
				if w := (window{m.id, c.Code, from, until}); ok && c.Period != programme.PeriodOrder && !seen[w] {
					seen[w] = true
					windows = append(windows, w)
				}
			}
		}
	}
	return windows
}

// takenFrom gives the members whose points may be taken back, and the lots of the orders concerned.
func (k *known) takenFrom(facts []fact, returned map[uuid.UUID]bool) (ids, own []uuid.UUID) {
	seen := make(map[uuid.UUID]bool)
	for _, f := range facts {
		if !returned[f.order] {
			continue
		}
		o := k.orders[f.order]
		for _, s := range o.Shares {
			if s.EntryID != uuid.Nil && !seen[s.EntryID] {
				seen[s.EntryID] = true
				own = append(own, s.EntryID)
			}
		}
		for _, customer := range []uuid.UUID{f.customer, o.CustomerID} {
			for _, code := range k.codes {
				if m, there := k.members[member.Key{CustomerID: customer, Programme: code}]; there && !seen[m.id] {
					seen[m.id] = true
					ids = append(ids, m.id)
				}
			}
		}
	}
	return ids, own
}
