package ledger

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Language is a language in which balances and entries are told.
type Language string

// The languages.
const (
	English Language = "en"
	Chinese Language = "zh"
)

// Teller tells of points in sentences that can be read to the customer whose they are.
type Teller struct {
	language Language
	zone     *time.Location // whose days are told
}

// NewTeller makes a teller; zone is that of the member's programme.
func NewTeller(l Language, zone *time.Location) Teller { return Teller{l, zone} }

// phrase gives a sentence or a part of one, in either language.
func (t Teller) phrase(english, chinese string, args ...any) string {
	if t.language == Chinese {
		return fmt.Sprintf(chinese, args...)
	}
	return fmt.Sprintf(english, args...)
}

// points tells a number of points.
func (t Teller) points(n int64) string {
	switch {
	case t.language == Chinese:
		return strconv.FormatInt(n, 10) + "积分"
	case n == 1:
		return "1 point"
	default:
		return thousands(n) + " points"
	}
}

// were gives the form of a verb that goes with a number, in English.
func were(n int64, one, more string) string {
	if n == 1 {
		return one
	}
	return more
}

// thousands writes a number, 0 or more, with a comma before every third digit from the right.
func thousands(n int64) string {
	digits := strconv.FormatInt(n, 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// day tells the day on which something was or will be.
func (t Teller) day(at time.Time) string {
	at = at.In(t.zone)
	if t.language == Chinese {
		return at.Format("2006年1月2日")
	}
	return at.Format("2 January 2006")
}

// lastDay tells the last day of what ends at a time.
func (t Teller) lastDay(end time.Time) string { return t.day(end.Add(-1)) }

// list joins parts of a sentence.
func (t Teller) list(parts []string) string {
	if t.language == Chinese {
		return strings.Join(parts, "，")
	}
	return strings.Join(parts, ", ")
}

// sentence ends parts as one sentence.
func (t Teller) sentence(parts ...string) string {
	said := t.list(parts)
	if t.language == Chinese {
		return said + "。"
	}
	return strings.ToUpper(said[:1]) + said[1:] + "."
}

// reasons are what codes of reasons are called, in both languages.
var reasons = map[string][2]string{
	"order":                {"your order", "您的订单"},
	"order_return":         {"goods that you returned", "您退回的商品"},
	"complaint":            {"your complaint", "您的投诉"},
	"campaign":             {"a campaign", "活动"},
	"reward":               {"a reward", "奖励"},
	"redemption":           {"a reward", "奖励"},
	"redemption_cancelled": {"a reward that was cancelled", "已取消的奖励"},
	"referral":             {"a recommendation", "推荐好友"},
	"referral_taken_back":  {"a recommendation that did not hold", "失效的推荐"},
	"grant_reversed":       {"a gift that was withdrawn", "已撤回的赠送"},
	"birthday":             {"your birthday", "您的生日"},
	"anniversary":          {"your anniversary with us", "您的入会周年"},
	"maintenance":          {"a maintenance", "保养"},
	"membership":           {"your membership", "您的会籍"},
	"member_left":          {"your leaving the programme", "您退出计划"},
	"correction":           {"a correction", "更正"},
	"goodwill":             {"goodwill", "商家心意"},
}

// reason tells what something is for. Ids that only programs read are left out.
func (t Teller) reason(r Reason) string {
	said := strings.ReplaceAll(r.Type, "_", " ")
	if known, ok := reasons[r.Type]; ok {
		said = known[0]
		if t.language == Chinese {
			said = known[1]
		}
	}
	if _, err := uuid.Parse(r.ID); r.ID == "" || err == nil {
		return said
	}
	return t.phrase("%s (%s)", "%s（%s）", said, r.ID)
}

// Totals is what a member's entries add up to, each number 0 or more but for Adjusted.
type Totals struct {
	Earned, Spent, Restored, Reversed, Expired, Adjusted int64
}

// toldLots is how many lots, and how many times at which points run out, are told one by one.
const toldLots = 5

// Balance tells what a member's own balance is made of: what there is, where it came from, what is locked until when, what runs
// out when, what is owed and why, and what became of all points so far.
func (t Teller) Balance(x Explanation) []string {
	said := []string{t.held(x)}
	said = append(said, t.origins(x, true)...)
	said = append(said, t.origins(x, false)...)
	for i, e := range x.Expiring {
		if e.At.Equal(x.IdleAt) {
			break // all that is left then, of which the next sentence tells
		}
		if i == toldLots {
			said = append(said, t.phrase("Others run out later.", "其余积分在此之后到期。"))
			break
		}
		said = append(said, t.phrase("%[1]s %[3]s out at the end of %[2]s, if you do not spend them before.", "%[1]s将于%[2]s结束时到期，请在此之前使用。",
			t.points(e.Points), t.lastDay(e.At), were(e.Points, "runs", "run")))
	}
	if !x.IdleAt.IsZero() && x.Available+x.Pending > 0 {
		said = append(said, t.phrase("All that you have runs out at the end of %s, unless you earn or spend points before.",
			"如在此之前没有获得或使用积分，届时全部积分将于%s结束时到期。", t.lastDay(x.IdleAt)))
	}
	if x.Debt > 0 {
		said = append(said, t.owed(x))
	}
	if len(x.Others) > 0 {
		said = append(said, t.phrase("You have %d other membership(s) with us since your records were joined; their points are spent together with these.",
			"您的资料合并后，您名下还有%d个会员账户，其积分可与此账户一并使用。", len(x.Others)))
	}
	if all := t.sofar(x.Totals); all != "" {
		said = append(said, all)
	}
	return said
}

// held tells what there is.
func (t Teller) held(x Explanation) string {
	parts := []string{t.phrase("you have no points to spend", "您目前没有可用积分")}
	if x.Available > 0 {
		parts[0] = t.phrase("you have %s to spend", "您目前有%s可用", t.points(x.Available))
	}
	if x.Pending > 0 {
		parts = append(parts, t.phrase("and %s that are still locked", "另有%s暂时锁定", t.points(x.Pending)))
	}
	return t.sentence(parts...)
}

// origins tells where points came from: of those that can be spent, or of those that are locked, and then until when.
func (t Teller) origins(x Explanation, released bool) (said []string) {
	more, lots := int64(0), 0
	for _, l := range x.Lots {
		if l.Released != released {
			continue
		}
		if lots++; lots > toldLots {
			more += l.Remaining
			continue
		}
		parts := []string{t.phrase("%[1]s of them %[4]s from %[2]s, for %[3]s", "其中%[1]s来自%[2]s，%[3]s",
			t.points(l.Remaining), t.day(l.EarnedAt), t.reason(l.Reason), were(l.Remaining, "is", "are"))}
		if l.Remaining < l.Points {
			parts = append(parts, t.phrase("what is left of %s", "是%s的剩余部分", t.points(l.Points)))
		}
		if !released {
			parts = append(parts, t.phrase("locked until %s, when it is certain that nothing comes back", "锁定至%s，确认没有退货后即可使用", t.day(l.AvailableAt)))
		}
		said = append(said, t.sentence(parts...))
	}
	if more > 0 {
		said = append(said, t.sentence(t.phrase("%[1]s %[2]s from other occasions", "另有%[1]s来自其他场合", t.points(more), were(more, "is", "are"))))
	}
	return said
}

// owed tells what is owed and, where the latest entries say it, why.
func (t Teller) owed(x Explanation) string {
	parts := []string{t.phrase("you owe %s", "您欠%s", t.points(x.Debt))}
	for _, e := range x.Entries {
		if e.Kind == KindReversal && e.Debt < 0 {
			parts = append(parts, t.phrase("since points were taken back on %s for %s when you had spent them already", "因为%s因%s收回积分时，这些积分已被使用",
				t.day(e.RecordedAt), t.reason(e.Reason)))
			break
		}
	}
	return t.sentence(append(parts, t.phrase("the next points that you earn pay that first", "您之后获得的积分将首先用于抵扣"))...)
}

// sofar tells what became of all points.
func (t Teller) sofar(s Totals) string {
	if s == (Totals{}) {
		return ""
	}
	parts := []string{t.phrase("in all you were given %s", "您累计获得%s", t.points(s.Earned))}
	add := func(n int64, english, chinese string) {
		if n > 0 {
			parts = append(parts, t.phrase(english, chinese, t.points(n), were(n, "was", "were")))
		}
	}
	add(s.Spent, "spent %[1]s", "使用%[1]s")
	add(s.Restored, "got %[1]s back of what you had spent", "退还已使用的%[1]s")
	add(s.Reversed, "%[1]s %[2]s taken back", "被收回%[1]s")
	add(s.Expired, "%[1]s ran out", "到期%[1]s")
	add(s.Adjusted, "%[1]s %[2]s added by hand", "人工增加%[1]s")
	add(-s.Adjusted, "%[1]s %[2]s taken off by hand", "人工扣减%[1]s")
	return t.sentence(parts...)
}

// Entry tells what an entry did, with its parts, which are of others who are the same customer.
func (t Teller) Entry(e Entry, others ...Entry) string {
	n, why, was := t.points(e.Points()), t.reason(e.Reason), were(e.Points(), "was", "were")
	var parts []string
	say := func(english, chinese string, args ...any) { parts = append(parts, t.phrase(english, chinese, args...)) }
	when := e.EffectiveAt
	switch e.Kind {
	case KindEarn:
		say("you earned %s for %s", "您因%[2]s获得%[1]s", n, why)
	case KindGrant:
		say("you were given %s for %s", "您因%[2]s获赠%[1]s", n, why)
	case KindSpend:
		say("you spent %s on %s", "您使用%s，用于%s", n, why)
	case KindRestore:
		when = e.RecordedAt
		say("you got %s back that you had spent, for %s", "退还您已使用的%s，原因：%s", n, why)
	case KindRelease:
		say("%s for %s became free to spend", "来自%[2]s的%[1]s解除锁定，可以使用", n, why)
	case KindReversal:
		when = e.RecordedAt
		say("%[1]s %[3]s taken back for %[2]s", "因%[2]s收回%[1]s", n, why, was)
	case KindExpiry:
		when = e.EffectiveAt.Add(-1)
		say("%s ran out at the end of the day, not having been spent in time", "%s因未及时使用，于当日结束时到期", n)
	case KindAdjustment:
		if e.Adjusted < 0 {
			say("%[1]s %[3]s added for %[2]s", "因%[2]s增加%[1]s", n, why, was)
		} else {
			say("%[1]s %[3]s taken off for %[2]s", "因%[2]s扣减%[1]s", n, why, was)
		}
	default:
		return ""
	}
	if e.PartOf != uuid.Nil {
		say("as a part of what was spent of your memberships together", "这是您多个会员账户合并使用的一部分")
	}
	var more int64
	for _, o := range others {
		more += o.Points()
	}
	if more > 0 {
		say("and %s more of your other memberships with us", "另有%s来自您的其他会员账户", t.points(more))
	}
	if e.Pending > 0 {
		say("%s of them locked at first", "其中%s先予锁定", t.points(e.Pending))
	}
	if e.Debt > 0 {
		say("%s of them paid what you owed", "其中%s用于抵扣所欠积分", t.points(e.Debt))
	}
	if e.Debt < 0 {
		say("%s of them had been spent already and are owed now", "其中%s已被使用，现为所欠积分", t.points(-e.Debt))
	}
	if e.Waived > 0 {
		say("%s more had run out and are not asked for", "另有%s已到期，不再收回", t.points(e.Waived))
	}
	said := t.phrase("On %s %s.", "%s，%s。", t.day(when), t.list(parts))
	return said + t.phrase(" After that you had %s to spend.", "此后可用%s。", t.points(e.AvailableAfter))
}
