package growth

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/guanxi-crm/guanxi/platform/money"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

// Words say something to a customer, in each language that there is.
type Words struct {
	English, Chinese string
}

// named are the behaviours as people call them.
var named = map[string]Words{
	programme.GrowthSpending:     {"Purchases", "消费"},
	programme.GrowthBreadth:      {"Breadth", "品类"},
	programme.GrowthInteractions: {"Contacts", "互动"},
	programme.GrowthReviews:      {"Reviews", "评价"},
	programme.GrowthReferrals:    {"Referrals", "推荐"},
}

// Words says what the score is and since when things count.
func (s Standing) Words() Words {
	day := s.Since.In(s.Programme.Zone)
	return Words{
		English: fmt.Sprintf("The growth score is %d of %d. What took place since %s counts, today included.", s.Score.Score, Full, day.Format("2 January 2006")),
		Chinese: fmt.Sprintf("成长值为 %d（满分 %d）。自 %s起至今天的行为计入。", s.Score.Score, Full, chineseDay(day)),
	}
}

// PartWords says what a part of the score is for and how it is counted.
func (s Standing) PartWords(p Part) Words {
	var all int64
	for _, o := range s.Parts {
		all += o.Weight
	}
	did := did(p, s.Categories)
	name := named[p.Behaviour]
	return Words{
		English: fmt.Sprintf("%s: %s, which comes to %d of %d. With a weight of %d in %d that is %d points of the score.",
			name.English, did.English, p.Value, Full, p.Weight, all, p.Points),
		Chinese: fmt.Sprintf("%s：%s，得 %d 分（满分 %d 分）。权重 %d/%d，计入成长值 %d。",
			name.Chinese, did.Chinese, p.Value, Full, p.Weight, all, p.Points),
	}
}

// did says what was done.
func did(p Part, categories []string) Words {
	switch p.Behaviour {
	case programme.GrowthSpending:
		spent := amounts(p.Spent)
		return Words{spent + " after returns", "扣除退货后 " + spent}
	case programme.GrowthBreadth:
		which := ""
		if len(categories) > 0 {
			which = " (" + strings.Join(categories, ", ") + ")"
		}
		return Words{plural(p.Amount, "category", "categories") + which, fmt.Sprintf("%d 个品类%s", p.Amount, which)}
	case programme.GrowthInteractions:
		return Words{plural(p.Amount, "contact", "contacts") + " that the customer began", fmt.Sprintf("主动联系 %d 次", p.Amount)}
	case programme.GrowthReviews:
		return Words{plural(p.Amount, "review", "reviews"), fmt.Sprintf("评价 %d 条", p.Amount)}
	default:
		return Words{plural(p.Amount, "referred customer who has bought", "referred customers who have bought"), fmt.Sprintf("成功推荐 %d 人", p.Amount)}
	}
}

func plural(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// amounts gives amounts in major units, by their currencies: 1234.50 CNY, 20.00 USD. Those of nothing are left out where there are
// others.
func amounts(spent map[string]int64) string {
	currencies := sortedKeys(spent)
	if some := slices.DeleteFunc(slices.Clone(currencies), func(c string) bool { return spent[c] == 0 }); len(some) > 0 {
		currencies = some
	}
	for i, c := range currencies {
		currencies[i] = major(spent[c], c) + " " + c
	}
	return strings.Join(currencies, ", ")
}

func sortedKeys(spent map[string]int64) []string { return slices.Sorted(maps.Keys(spent)) }

// major gives an amount in major units.
func major(minor int64, currency string) string {
	digits, _ := money.Digits(currency)
	if digits == 0 {
		return fmt.Sprint(minor)
	}
	text := fmt.Sprintf("%0*d", digits+1, minor)
	return text[:len(text)-digits] + "." + text[len(text)-digits:]
}

func chineseDay(t time.Time) string {
	return fmt.Sprintf("%d年%d月%d日", t.Year(), t.Month(), t.Day())
}
