package earning

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"github.com/guanxi-crm/guanxi/platform/money"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

// words are sentences for people, the same in two languages.
type words struct {
	EN []string `json:"en" nullable:"false" doc:"In English, one sentence each."`
	ZH []string `json:"zh" nullable:"false" doc:"And in Chinese."`
}

func (w *words) say(en, zh string) { w.EN, w.ZH = append(w.EN, en), append(w.ZH, zh) }

// names gives what rules are called, by their codes.
type names map[string][2]string

func namesOf(e programme.Earning) names {
	n := make(names)
	for _, r := range append(e.Base(), e.Rules...) {
		en, zh := r.Name()
		n[r.Code] = [2]string{en, zh}
	}
	return n
}

func (n names) of(code string) (en, zh string) {
	if both, there := n[code]; there {
		return both[0], both[1]
	}
	return code, code
}

// all joins the names of several rules.
func (n names) all(codes []string) (en, zh string) {
	ens, zhs := make([]string, len(codes)), make([]string, len(codes))
	for i, c := range codes {
		ens[i], zhs[i] = n.of(c)
	}
	return strings.Join(ens, ", "), strings.Join(zhs, "、")
}

// amountText writes an amount in major units.
func amountText(minor int64, currency string) string {
	digits, _ := money.Digits(currency)
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(digits)), nil)
	return new(big.Rat).SetFrac(big.NewInt(minor), scale).FloatString(digits) + " " + currency
}

// numberText writes a fraction as a decimal number, to four places where it has no end.
func numberText(fraction string) string {
	r, ok := new(big.Rat).SetString(fraction)
	if !ok {
		return fraction
	}
	if places, exact := r.FloatPrec(); exact && places <= 12 {
		return r.FloatString(places)
	}
	return r.FloatString(4)
}

func pointsEN(n int64) string {
	if n == 1 {
		return "1 point"
	}
	return strconv.FormatInt(n, 10) + " points"
}

func pointsZH(n int64) string { return strconv.FormatInt(n, 10) + " 积分" }

// explain says in words what an order earned in a programme.
func explain(o order, s share, p programme.Programme) (w words) {
	amount := amountText(o.TotalMinor, o.Currency)
	w.say(fmt.Sprintf("The order over %s earned %s in %s.", amount, pointsEN(s.Points), p.Name),
		fmt.Sprintf("金额为 %s 的订单在“%s”获得 %s。", amount, p.Name, pointsZH(s.Points)))
	out := s.Outcome
	if out == nil {
		out = plainOutcome(o)
	}
	called := namesOf(programme.Earning{})
	if p.Version == s.Version {
		called = namesOf(p.Earning)
	}
	if len(out.Excluded) > 0 {
		en, zh := called.all(out.Excluded)
		off := amountText(o.TotalMinor-out.Counted, o.Currency)
		w.say(fmt.Sprintf("%s of it do not earn: %s.", off, en), fmt.Sprintf("其中 %s 不计积分：%s。", off, zh))
	}
	for _, part := range out.Parts {
		en, zh := called.of(part.Rule)
		switch part.Kind {
		case programme.RuleMultiplier:
			by := numberText(part.Factor)
			w.say(fmt.Sprintf("%s: times %s, %s more.", en, by, pointsEN(part.Points)), fmt.Sprintf("%s：%s 倍，另加 %s。", zh, by, pointsZH(part.Points)))
		case programme.RuleBonus:
			w.say(fmt.Sprintf("%s: %s more.", en, pointsEN(part.Points)), fmt.Sprintf("%s：另加 %s。", zh, pointsZH(part.Points)))
		default:
			w.say(fmt.Sprintf("%s: %s.", en, pointsEN(part.Points)), fmt.Sprintf("%s：%s。", zh, pointsZH(part.Points)))
		}
	}
	explainLimits(&w, out, called)
	if s.TakenBack > 0 {
		back := amountText(o.ReturnedMinor, o.Currency)
		w.say(fmt.Sprintf("Goods for %s came back, and %s with them.", back, pointsEN(s.TakenBack)),
			fmt.Sprintf("已退货 %s，相应扣回 %s。", back, pointsZH(s.TakenBack)))
	}
	return w
}

// explainLimits says what rounding and caps did, and what could not be reckoned.
func explainLimits(w *words, out *outcome, called names) {
	if strings.Contains(out.Exact, "/") {
		exact := numberText(out.Exact)
		w.say(fmt.Sprintf("%s points were rounded to a whole number.", exact), fmt.Sprintf("%s 积分已取整。", exact))
	}
	for _, c := range out.Caps {
		if c.Cut > 0 {
			w.say(fmt.Sprintf("The limit %s let %s less through; %s are left in its period.", c.Cap, pointsEN(c.Cut), pointsEN(c.Left)),
				fmt.Sprintf("上限“%s”减少了 %s；本期剩余 %s。", c.Cap, pointsZH(c.Cut), pointsZH(c.Left)))
		} else {
			w.say(fmt.Sprintf("The limit %s leaves %s in its period.", c.Cap, pointsEN(c.Left)), fmt.Sprintf("上限“%s”本期剩余 %s。", c.Cap, pointsZH(c.Left)))
		}
	}
	for _, f := range out.Failed {
		en, zh := called.of(f.Rule)
		w.say(fmt.Sprintf("%s could not be reckoned and gave nothing (%s).", en, f.Why), fmt.Sprintf("%s 无法计算，未给积分（%s）。", zh, f.Why))
	}
	if out.Full {
		w.say("The member cannot have more points.", "会员积分已达上限。")
	}
}
