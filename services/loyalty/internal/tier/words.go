package tier

import (
	"cmp"
	"fmt"
	"time"

	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

// TierWords is what a service agent can read to the customer.
type TierWords struct {
	EN []string `json:"en" nullable:"false" doc:"In English."`
	ZH []string `json:"zh" nullable:"false" doc:"In Chinese."`
}

func (w *TierWords) say(en, zh string) { w.EN, w.ZH = append(w.EN, en), append(w.ZH, zh) }

func english(l programme.Level) string { return cmp.Or(l.Name, l.Code) }
func chinese(l programme.Level) string { return cmp.Or(l.NameZH, l.Name, l.Code) }

// words explains where the member stands.
func (c *file) words() TierWords {
	w := TierWords{EN: []string{}, ZH: []string{}}
	if !c.terms.On() {
		w.say("This programme has no tiers.", "该计划不设会员等级。")
		return w
	}
	level := c.terms.Levels[c.rank()]
	w.say("The tier is "+english(level)+".", "当前等级为"+chinese(level)+"。")
	if until := c.validUntil(); !until.IsZero() {
		w.say("It is kept at least until the end of "+c.lastDay(until)+".", "该等级至少保留至"+c.lastDay(until)+"。")
	}
	c.sayFloor(&w, c.Manual, "It was set by hand to at least %s, until the end of %s.", "经人工设定，等级至少为%s，有效期至%s。")
	c.sayFloor(&w, c.Paid, "The paid membership gives at least %s, until the end of %s.", "付费会员至少享有%s等级，有效期至%s。")
	c.sayCount(&w)
	unit, zh := "qualifying points", "定级积分"
	if c.terms.ByGrowth() {
		unit, zh = "points of growth score", "成长值"
	}
	if n, more := c.next(); more {
		up := c.terms.Levels[n.Rank]
		if n.By.IsZero() {
			w.say(fmt.Sprintf("%d more %s make it %s.", n.Missing, unit, english(up)), fmt.Sprintf("再获得%d%s即可升至%s。", n.Missing, zh, chinese(up)))
		} else {
			by := c.lastDay(n.By)
			w.say(fmt.Sprintf("%d more %s by the end of %s make it %s.", n.Missing, unit, by, english(up)),
				fmt.Sprintf("在%s前（含当日）再获得%d%s即可升至%s。", by, n.Missing, zh, chinese(up)))
		}
	}
	if f, falls := c.fall(); falls {
		to, on := c.terms.Levels[f.To], c.day(f.At)
		if f.Savable {
			w.say(fmt.Sprintf("It falls on %s to %s, unless %d more %s are earned before.", on, english(to), f.Missing, unit),
				fmt.Sprintf("若在此之前未再获得%d%s，等级将于%s降为%s。", f.Missing, zh, on, chinese(to)))
		} else {
			w.say(fmt.Sprintf("It ends with its period: on %s it falls to %s.", on, english(to)),
				fmt.Sprintf("该等级随周期结束：将于%s降为%s。", on, chinese(to)))
		}
	}
	return w
}

func (c *file) sayFloor(w *TierWords, f Floor, en, zh string) {
	if rank, there := c.terms.Rank(f.Level); there && f.Until.After(c.now) {
		l, day := c.terms.Levels[rank], c.lastDay(f.Until)
		w.say(fmt.Sprintf(en, english(l), day), fmt.Sprintf(zh, chinese(l), day))
	}
}

func (c *file) sayCount(w *TierWords) {
	if c.terms.ByGrowth() {
		w.say(fmt.Sprintf("The growth score is %d of 1000.", c.Score), fmt.Sprintf("成长值为%d（满分1000）。", c.Score))
		return
	}
	p := c.periodOf(c.today())
	from, to := c.day(p.from.start(c.zone)), c.lastDay(p.to.start(c.zone))
	w.say(fmt.Sprintf("From %s to %s %d qualifying points count.", from, to, max(0, c.current())),
		fmt.Sprintf("%s至%s期间，定级积分为%d。", from, to, max(0, c.current())))
}

// day is the day of a time in the programme's zone, and lastDay that before it where it begins a day.
func (c *file) day(t time.Time) string { return t.In(c.zone).Format(time.DateOnly) }

func (c *file) lastDay(t time.Time) string {
	return t.Add(-time.Microsecond).In(c.zone).Format(time.DateOnly)
}
