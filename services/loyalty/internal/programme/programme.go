// Package programme keeps by which terms customers collect points: what a purchase is worth, when points may be spent and when
// they run out, the tiers, and what else a member can have. A tenant has one programme or more, and a programme has versions
// with the time from which each is in force, so that a change never rewrites the past.
package programme

import (
	"cmp"
	"slices"
	"time"

	"github.com/guanxi-crm/guanxi/platform/money"
)

// StandardCode is the programme that every tenant has without doing anything, and that buyers become members of by themselves.
const StandardCode = "standard"

// Programme is a programme by the terms that are in force at some time.
type Programme struct {
	Code    string
	Name    string
	Zone    *time.Location // whose days points and tiers end with
	Version int            // 0 for the terms of the code
	Terms
}

// Terms are what a version of a programme says. Each part is checked where it stands, see Faults.
type Terms struct {
	// ReturnDays is how many days after a purchase its points stay locked, 0 to 3650.
	ReturnDays int `json:"return_days"`
	// JoinByPurchase says whether whoever buys becomes a member by that.
	JoinByPurchase bool       `json:"join_by_purchase"`
	Categories     []Category `json:"categories,omitempty"` // of articles, the first that fits counts
	Worth          Worth      `json:"worth,omitzero"`
	Earning        Earning    `json:"earning,omitzero"`
	Expiry         Expiry     `json:"expiry,omitzero"`
	Tiers          Tiers      `json:"tiers,omitzero"`
	Growth         Growth     `json:"growth,omitzero"`
	Referral       Referral   `json:"referral,omitzero"`
	Plans          []Plan     `json:"plans,omitempty"`
	Leaving        Leaving    `json:"leaving,omitzero"`
}

// Category is a sort of articles, told by what their codes begin with.
type Category struct {
	Code     string   `json:"code" doc:"Of the category." example:"coffee"`
	Prefixes []string `json:"prefixes" doc:"What the codes of its articles begin with." example:"COF-"`
}

// CategoryOf gives the category of an article; empty where none fits.
func (t Terms) CategoryOf(sku string) string {
	for _, c := range t.Categories {
		if slices.ContainsFunc(c.Prefixes, func(p string) bool { return len(sku) >= len(p) && sku[:len(p)] == p }) {
			return c.Code
		}
	}
	return ""
}

// Worth is what a point is worth to whoever spends it: it prices what the tenant owes its members, and remedies. The zero
// Worth says that nobody knows.
type Worth struct {
	Currency string `json:"currency,omitempty" doc:"ISO 4217." example:"CNY"`
	// Points are worth Minor together, in minor units.
	Points int64 `json:"points,omitempty" doc:"So many points are worth minor together, such as 100." example:"100"`
	Minor  int64 `json:"minor,omitempty" doc:"In minor units of the currency, such as 100 for 1.00 CNY." example:"100"`
}

// Standard are the terms that hold where nobody wrote any: a point for each whole major unit of the order's currency, locked for
// 14 days; points never run out, and there are no tiers.
func Standard() Programme {
	return Programme{
		Code: StandardCode, Name: "Standard", Zone: time.UTC,
		Terms: Terms{ReturnDays: 14, JoinByPurchase: true},
	}
}

// Points gives what an order of the amount (minor units, 0 or more) is worth without any rule: one point for each whole major
// unit. A currency that is none gives ok false.
func (Terms) Points(amountMinor int64, currency string) (points int64, ok bool) {
	digits, ok := money.Digits(currency)
	points = amountMinor
	for range digits {
		points /= 10
	}
	return points, ok
}

// AvailableAt gives when the points of an order may be spent.
func (t Terms) AvailableAt(placedAt time.Time) time.Time {
	return placedAt.Add(time.Duration(t.ReturnDays) * 24 * time.Hour)
}

// Owed gives how many of an order's points are to be taken back once goods of returned (0 to total, in minor units) have
// come back in all: the share, rounded down, so that parts that come back one after the other add up to the whole.
func (Terms) Owed(points, returned, total int64) int64 {
	if total == 0 {
		return 0
	}
	return money.Share(points, returned, total)
}

// Book is all programmes of a tenant with all their versions. The zero Book has only the standard programme.
type Book struct {
	programmes map[string]*entry
}

type entry struct {
	name     string
	zone     *time.Location
	versions []version // in the order in which they came into force, the ones that were withdrawn left out
}

type version struct {
	no    int
	from  time.Time
	terms Terms
}

// At gives a programme by the terms that are in force at a time: those of the latest version that had begun by then, or of
// the first one where none had. ok is false where there is no such programme.
func (b *Book) At(code string, at time.Time) (p Programme, ok bool) {
	e := b.programmes[code]
	if e == nil || len(e.versions) == 0 {
		if code == StandardCode {
			return Standard(), true
		}
		return Programme{}, false
	}
	n, found := slices.BinarySearchFunc(e.versions, at, func(v version, at time.Time) int { return v.from.Compare(at) })
	if !found {
		n--
	}
	if n < 0 && code == StandardCode {
		return Standard(), true
	}
	v := e.versions[max(n, 0)]
	return Programme{Code: code, Name: e.name, Zone: e.zone, Version: v.no, Terms: v.terms}, true
}

// Codes lists the programmes, the standard one first and the others by their codes.
func (b *Book) Codes() []string {
	codes := []string{StandardCode}
	for code := range b.programmes {
		if code != StandardCode {
			codes = append(codes, code)
		}
	}
	slices.SortFunc(codes[1:], cmp.Compare[string])
	return codes
}
