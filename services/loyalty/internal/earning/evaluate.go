package earning

import (
	"math/big"
	"slices"
	"time"

	"github.com/guanxi-crm/guanxi/platform/money"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/rule"
)

// maxFactor bounds what a multiplier may multiply by.
const maxFactor = 1000

// outcome is what an order is worth in a programme, and why. It is kept with the order.
type outcome struct {
	Points     int64     `json:"points"`
	Qualifying int64     `json:"qualifying"`
	Exact      string    `json:"exact,omitempty"`    // before rounding, as a fraction such as 277/2
	Counted    int64     `json:"counted"`            // minor units that earned: without what was excluded
	Excluded   []string  `json:"excluded,omitempty"` // codes of exclusions that took something off
	Parts      []part    `json:"parts,omitempty"`
	Caps       []capped  `json:"caps,omitempty"`
	Failed     []failure `json:"failed,omitempty"`
	Full       bool      `json:"full,omitempty"` // the member cannot have more points
}

// part is what one rule gave.
type part struct {
	Rule   string `json:"rule"`
	Kind   string `json:"kind"`
	Exact  string `json:"exact"`            // before rounding
	Factor string `json:"factor,omitempty"` // of a multiplier
	Points int64  `json:"points"`           // its part of the points, after rounding and caps
}

// capped is what a cap made of the order.
type capped struct {
	Cap  string `json:"cap"`
	Cut  int64  `json:"cut,omitempty"`
	Used int64  `json:"used"` // of the period, by this order
	Left int64  `json:"left"` // of the period, after it
}

// failure is a rule that could not be reckoned. It gives nothing, and the order earns by the others.
type failure struct {
	Rule string `json:"rule"`
	Why  string `json:"why"`
}

// usage gives how many points a cap has counted of orders placed from from until until.
type usage func(c programme.Cap, from, until time.Time) int64

// evaluation is an order being judged.
type evaluation struct {
	programme.Earning
	asked *rule.Asked
	out   outcome
	exact []*big.Rat // of each part
}

// evaluate tells what an order is worth by the terms. It changes the order: what is excluded is taken off.
func evaluate(e programme.Earning, o *rule.Order, used usage) outcome {
	o.AmountMinor = o.TotalMinor
	v := &evaluation{Earning: e, asked: rule.Ask(o)}
	if whole := v.exclude(o); whole {
		return v.out
	}
	v.out.Counted = o.AmountMinor
	v.asked = rule.Ask(o)
	base := v.base()
	v.multiply(base)
	v.bonus()
	v.round(base)
	v.cap(o, used)
	if v.Earning.Qualifying == programme.QualifyAll {
		v.out.Qualifying = v.out.Points
	}
	return v.out
}

func (v *evaluation) fail(r programme.Rule, why string) {
	v.out.Failed = append(v.out.Failed, failure{r.Code, why})
}

// fits asks whether a rule is for the order.
func (v *evaluation) fits(r programme.Rule) bool {
	if !r.Active(v.asked.PlacedAt) {
		return false
	}
	fits, err := v.asked.Holds(r.When)
	if err != nil {
		v.fail(r, err.Error())
	}
	return err == nil && fits
}

// exclude takes off what does not earn; whole says that nothing of the order does.
func (v *evaluation) exclude(o *rule.Order) (whole bool) {
	gone := make([]bool, len(o.Lines))
	for _, r := range v.Of(programme.RuleExclusion) {
		if !v.fits(r) {
			continue
		}
		if r.Lines == "" {
			v.out.Excluded = append(v.out.Excluded, r.Code)
			whole = true
			continue
		}
		some := false
		for n := range o.Lines {
			out, err := v.asked.HoldsFor(r.Lines, n)
			if err != nil {
				v.fail(r, err.Error())
				break
			}
			gone[n], some = gone[n] || out, some || out
		}
		if some {
			v.out.Excluded = append(v.out.Excluded, r.Code)
		}
	}
	if !slices.Contains(gone, true) {
		return whole
	}
	var kept []rule.Line
	for n, l := range o.Lines {
		if gone[n] {
			o.AmountMinor -= l.AmountMinor
			o.Units -= l.Quantity
		} else {
			kept = append(kept, l)
		}
	}
	o.Lines, o.AmountMinor, o.Units = kept, max(0, o.AmountMinor), max(0, o.Units)
	return whole
}

var (
	most    = new(big.Rat).SetInt64(money.Max)
	factors = new(big.Rat).SetInt64(maxFactor)
	one     = big.NewRat(1, 1)
)

// many asks a rule that fits how many. What is below zero, or above what anybody can have, is a failure.
func (v *evaluation) many(r programme.Rule, limit *big.Rat) (n *big.Rat, ok bool) {
	if !v.fits(r) {
		return nil, false
	}
	n, err := v.asked.Many(r.Points)
	switch {
	case err != nil:
		v.fail(r, err.Error())
	case n.Sign() < 0:
		v.fail(r, "below zero")
	case n.Cmp(limit) > 0:
		v.fail(r, "too large")
	default:
		return n, true
	}
	return nil, false
}

func (v *evaluation) add(r programme.Rule, exact, factor *big.Rat) {
	p := part{Rule: r.Code, Kind: r.Kind, Exact: exact.RatString()}
	if factor != nil {
		p.Factor = factor.RatString()
	}
	v.out.Parts, v.exact = append(v.out.Parts, p), append(v.exact, exact)
}

// total adds up all that was given so far.
func (v *evaluation) total() *big.Rat {
	sum := new(big.Rat)
	for _, x := range v.exact {
		sum.Add(sum, x)
	}
	return sum
}

// room is what may still be given.
func (v *evaluation) room() *big.Rat { return new(big.Rat).Sub(most, v.total()) }

// given is what a base rule gave, and what multipliers have made of it.
type given struct {
	code string
	base *big.Rat
	now  *big.Rat
}

// base gives the points of base rules.
func (v *evaluation) base() (all []given) {
	for _, r := range v.Base() {
		if n, ok := v.many(r, v.room()); ok {
			v.add(r, n, nil)
			all = append(all, given{r.Code, n, n})
		}
	}
	return all
}

// multiply multiplies what base rules gave.
func (v *evaluation) multiply(base []given) {
	type factor struct {
		rule programme.Rule
		by   *big.Rat
	}
	var fit []factor
	for _, r := range v.Of(programme.RuleMultiplier) {
		switch by, ok := v.many(r, factors); {
		case ok && by.Cmp(one) < 0:
			v.fail(r, "below 1")
		case ok:
			fit = append(fit, factor{r, by})
		}
	}
	for n, f := range fit {
		more, after := new(big.Rat), make([]*big.Rat, len(base))
		mine := false
		for i, g := range base {
			after[i] = g.now
			if len(f.rule.Of) > 0 && !slices.Contains(f.rule.Of, g.code) {
				continue
			}
			if v.Multipliers == programme.MultiplyHighest && slices.ContainsFunc(fit, func(o factor) bool {
				other := slices.IndexFunc(fit, func(x factor) bool { return x.rule.Code == o.rule.Code })
				higher := o.by.Cmp(f.by) > 0 || o.by.Cmp(f.by) == 0 && other < n
				return higher && (len(o.rule.Of) == 0 || slices.Contains(o.rule.Of, g.code))
			}) {
				continue
			}
			mine = true
			after[i] = new(big.Rat).Mul(g.now, f.by)
			more.Add(more, new(big.Rat).Sub(after[i], g.now))
		}
		if !mine {
			continue
		}
		if more.Cmp(v.room()) > 0 {
			v.fail(f.rule, "too large")
			continue
		}
		for i := range base {
			base[i].now = after[i]
		}
		v.add(f.rule, more, f.by)
	}
}

// bonus adds what nothing multiplies.
func (v *evaluation) bonus() {
	for _, r := range v.Of(programme.RuleBonus) {
		if n, ok := v.many(r, v.room()); ok {
			v.add(r, n, nil)
		}
	}
}

// round rounds the sum, once. Each part gets the points by which the rounded sum grows with it, so that the parts add up.
func (v *evaluation) round(base []given) {
	sum := new(big.Rat)
	for i, x := range v.exact {
		before := whole(v.Rounding, sum)
		sum.Add(sum, x)
		v.out.Parts[i].Points = whole(v.Rounding, sum) - before
	}
	v.out.Exact, v.out.Points = sum.RatString(), whole(v.Rounding, sum)
	towards := new(big.Rat)
	for _, g := range base {
		towards.Add(towards, g.base)
	}
	v.out.Qualifying = whole(v.Rounding, towards)
}

// whole rounds 0 or more to a whole number.
func whole(rounding string, r *big.Rat) int64 {
	n, rest := new(big.Int).QuoRem(r.Num(), r.Denom(), new(big.Int))
	up := false
	switch rounding {
	case programme.RoundUp:
		up = rest.Sign() > 0
	case programme.RoundHalfUp:
		up = rest.Lsh(rest, 1).Cmp(r.Denom()) >= 0
	}
	if up {
		return n.Int64() + 1
	}
	return n.Int64()
}

// inOrder gives caps as they cut: those of some rules before those of all, so that these do not cut what others would have cut
// anyhow.
func inOrder(caps []programme.Cap) []programme.Cap {
	all := slices.Clone(caps)
	slices.SortStableFunc(all, func(a, b programme.Cap) int {
		switch {
		case (len(a.Rules) == 0) == (len(b.Rules) == 0):
			return 0
		case len(a.Rules) == 0:
			return 1
		default:
			return -1
		}
	})
	return all
}

// cap cuts what is more than the caps leave, from the last rule to the first.
func (v *evaluation) cap(o *rule.Order, used usage) {
	type open struct {
		programme.Cap
		left, cut int64
	}
	var all []open
	for _, c := range inOrder(v.Caps) {
		from, until, ok := c.Window(o.PlacedAt, o.Zone)
		if !ok {
			continue
		}
		left := c.Points
		if c.Period != programme.PeriodOrder {
			left = max(0, left-used(c, from, until))
		}
		cut := max(0, v.counted(c)-left)
		v.cut(c, cut)
		all = append(all, open{c, left, cut})
	}
	v.out.Points = 0
	for _, p := range v.out.Parts {
		v.out.Points += p.Points
	}
	for _, c := range all {
		took := v.counted(c.Cap)
		v.out.Caps = append(v.out.Caps, capped{Cap: c.Code, Cut: c.cut, Used: took, Left: c.left - took})
	}
}

// counted gives the points that are a cap's business.
func (v *evaluation) counted(c programme.Cap) (points int64) {
	for _, p := range v.out.Parts {
		if len(c.Rules) == 0 || slices.Contains(c.Rules, p.Rule) {
			points += p.Points
		}
	}
	return points
}

func (v *evaluation) cut(c programme.Cap, points int64) {
	for i := len(v.out.Parts) - 1; i >= 0 && points > 0; i-- {
		p := &v.out.Parts[i]
		if len(c.Rules) > 0 && !slices.Contains(c.Rules, p.Rule) || p.Points <= 0 {
			continue
		}
		n := min(points, p.Points)
		p.Points -= n
		points -= n
	}
}

// plain tells whether terms give a point for each whole major unit and nothing else, for which no rule has to be asked.
func plain(e programme.Earning) bool { return len(e.Rules) == 0 && len(e.Caps) == 0 }
