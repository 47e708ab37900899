package c139

import (
	"cmp"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/services/sales/internal/opportunity"
)

// Reason says why an item is a gap.
type Reason string

// The reasons, those first that leave an item open; the last two are of what holds.
const (
	Unknown     Reason = "unknown"     // nothing is known of it
	Unclear     Reason = "unclear"     // something is, and it is not clear
	Denied      Reason = "denied"      // a sign that is not there
	Disputed    Reason = "disputed"    // people and decision structure disagree
	Unproven    Reason = "unproven"    // the structure says so, and nobody has evidence for what decides
	Unconfirmed Reason = "unconfirmed" // it holds, and no coach has confirmed it
	Stale       Reason = "stale"       // it holds, as far as was known long ago
)

// staleAfter is how old what is known may be before somebody should ask again.
const staleAfter = 90 * 24 * time.Hour

// Gap is something to find out.
type Gap struct {
	Item
	Reason Reason
	Now    bool             // the stage that the opportunity is in asks for it
	Since  time.Time        // from when it has been so
	Role   opportunity.Role // of whom to ask: of a contact, or team for one's own people
	Whom   []uuid.UUID
}

// open tells whether what the item is about does not hold.
func (g Gap) open() bool { return g.Reason != Unconfirmed && g.Reason != Stale }

// Gaps lists what to find out next of a card of an opportunity that has come so far through its pipeline, in percent: what does not
// hold before what does and could be surer; of that, what the stage asks for; then by weight; then what stands open longest.
func (c Card) Gaps(s Structure, reached int, opened, now time.Time) []Gap {
	var gaps []Gap
	for _, item := range Items() {
		e, said := c.Entries[item.Code]
		if !said {
			e.Since = opened
		}
		reason, gap := c.gap(item, e, now)
		if !gap {
			continue
		}
		g := Gap{Item: item, Reason: reason, Now: item.Due <= reached, Since: e.Since}
		g.Role, g.Whom = s.ask(item, reason)
		gaps = append(gaps, g)
	}
	slices.SortStableFunc(gaps, func(a, b Gap) int {
		return cmp.Or(first(a.open(), b.open()), first(a.Now, b.Now), cmp.Compare(b.Weight, a.Weight), a.Since.Compare(b.Since))
	})
	return gaps
}

// first puts what holds first.
func first(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	default:
		return 1
	}
}

// gap tells whether there is something to find out of an item, and why.
func (c Card) gap(item Item, e Entry, now time.Time) (Reason, bool) {
	holds := e.holds()
	if item.Kind != Thing {
		s := c.Sign(item)
		switch {
		case s.Disputed:
			return Disputed, true
		case !s.Counts && s.Said == nil && s.Computed != nil && *s.Computed:
			return Unproven, true
		case !s.Counts && (s.Said != nil || s.Computed != nil):
			return Denied, true
		}
		holds = s.Counts
	}
	switch {
	case !holds && e.Known == "":
		return Unknown, true
	case !holds:
		return Unclear, true
	case e.Holds == nil: // the structure says so by itself: there is nobody who said it
		return "", false
	case e.Coach == uuid.Nil:
		return Unconfirmed, true
	case now.Sub(e.On) > staleAfter:
		return Stale, true
	}
	return "", false
}

// ask gives whom to ask about an item: the contacts of the first role that may know and that somebody has, the most influential first.
// Where nobody is known of any of the roles, it is the first role without anybody: find one.
func (s Structure) ask(item Item, reason Reason) (role opportunity.Role, whom []uuid.UUID) {
	roles := item.Ask
	if reason == Unconfirmed {
		roles = []opportunity.Role{opportunity.Coach}
	}
	for _, role := range roles {
		found := s.with(role)
		if role == ownTeam || len(found) > 0 {
			whom = make([]uuid.UUID, len(found))
			for i, p := range found {
				whom[i] = p.ID
			}
			return role, whom
		}
	}
	return roles[0], nil
}
