package growth_test

import (
	"math/big"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/guanxi-crm/guanxi/platform/money"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/growth"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

// terms give 40 to spending (half at 3,000.00 CNY or 400.00 USD), 20 to breadth, interactions and reviews 10 each, referrals 20.
func terms() programme.Growth {
	return programme.Growth{
		WindowDays: 365, Weights: []programme.Weight{
			{Behaviour: "referrals", Weight: 20, Half: 2}, {Behaviour: "spending", Weight: 40}, {Behaviour: "breadth", Weight: 20, Half: 3},
			{Behaviour: "interactions", Weight: 10, Half: 6}, {Behaviour: "reviews", Weight: 10, Half: 4},
		},
		Halves: []programme.Halfway{{Currency: "CNY", Minor: 300_000}, {Currency: "USD", Minor: 40_000}},
	}
}

func TestScoresAreComposedByHand(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		facts growth.Facts
		score int
		value map[string]int // before it is weighed
	}{
		"nothing": {growth.Facts{}, 0, map[string]int{"spending": 0, "reviews": 0}},
		"half of everything": {
			growth.Facts{Spent: map[string]int64{"CNY": 300_000}, Categories: []string{"a", "b", "c"}, Interactions: 6, Reviews: 4, Referrals: 2},
			500, map[string]int{"spending": 500, "breadth": 500, "interactions": 500, "reviews": 500, "referrals": 500},
		},
		// 1000·1/7 = 142.86, 1000·1/3 = 333.33; (143·10 + 333·20) ÷ 100 = 80.9
		"one contact and one referral": {growth.Facts{Interactions: 1, Referrals: 1}, 80, map[string]int{"interactions": 143, "referrals": 333}},
		// Half of both currencies together: 1000·1/2.
		"two currencies are one number": {growth.Facts{Spent: map[string]int64{"CNY": 150_000, "USD": 20_000}}, 200, map[string]int{"spending": 500}},
		"a currency without a half":     {growth.Facts{Spent: map[string]int64{"JPY": 1_000_000}}, 0, map[string]int{"spending": 0}},
		"more than anybody can": {
			growth.Facts{
				Spent: map[string]int64{"CNY": money.Max, "USD": money.Max}, Categories: make([]string, 10_000), Interactions: 1 << 40, Reviews: 1 << 62, Referrals: 1 << 62,
			}, 1000, map[string]int{"spending": 1000, "breadth": 1000, "interactions": 1000},
		},
	} {
		got := growth.Compose(terms(), c.facts)
		if got.Score != c.score {
			t.Errorf("%s: got %d, want %d", name, got.Score, c.score)
		}
		for _, p := range got.Parts {
			if want, asked := c.value[p.Behaviour]; asked && p.Value != want {
				t.Errorf("%s: %s comes to %d, want %d", name, p.Behaviour, p.Value, want)
			}
		}
	}
}

var amounts = rapid.OneOf(rapid.Int64Range(0, 20), rapid.Int64Range(0, 1_000_000), rapid.Int64Range(0, money.Max))

func drawTerms(t *rapid.T) programme.Growth {
	g := programme.Growth{WindowDays: 30}
	for _, b := range rapid.Permutation(programme.GrowthBehaviours).Draw(t, "order") {
		w := programme.Weight{Behaviour: b, Weight: rapid.Int64Range(0, 1_000_000).Draw(t, "weight of "+b)}
		if b == programme.GrowthSpending {
			g.Halves = []programme.Halfway{{Currency: "CNY", Minor: rapid.Int64Range(1, money.Max).Draw(t, "CNY")}, {Currency: "JPY", Minor: rapid.Int64Range(1, 1000).Draw(t, "JPY")}}
		} else {
			w.Half = rapid.Int64Range(1, 1_000_000).Draw(t, "half of "+b)
		}
		g.Weights = append(g.Weights, w)
	}
	g.Weights[0].Weight++ // so that they add up to something
	return g
}

func drawFacts(t *rapid.T) growth.Facts {
	return growth.Facts{
		Spent:      map[string]int64{"CNY": amounts.Draw(t, "CNY spent"), "JPY": amounts.Draw(t, "JPY spent"), "USD": amounts.Draw(t, "USD spent")},
		Categories: make([]string, rapid.IntRange(0, 300).Draw(t, "categories")), Interactions: amounts.Draw(t, "interactions"),
		Reviews: amounts.Draw(t, "reviews"), Referrals: amounts.Draw(t, "referrals"),
	}
}

func TestAScoreIsFromNothingToFullAndItsPartsAddUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		g, f := drawTerms(t), drawFacts(t)
		got := growth.Compose(g, f)
		sum, weighed, weights := 0, new(big.Int), new(big.Int)
		for _, p := range got.Parts {
			if p.Value < 0 || p.Value > growth.Full || p.Points < 0 {
				t.Fatalf("%+v", p)
			}
			// 1000·x ÷ (x + h) rounded half up is ⌊(2000·x + x + h) ÷ (2·(x + h))⌋, whatever the size.
			x, h := big.NewInt(min(p.Amount, 1_000_000_000_000_000)), big.NewInt(p.Half)
			all := new(big.Int).Add(x, h)
			want := new(big.Int).Add(new(big.Int).Mul(big.NewInt(2000), x), all)
			want.Div(want, new(big.Int).Mul(big.NewInt(2), all))
			if want.Int64() != int64(p.Value) {
				t.Fatalf("%+v: want %s", p, want)
			}
			sum += p.Points
			weights.Add(weights, big.NewInt(p.Weight))
			weighed.Add(weighed, new(big.Int).Mul(big.NewInt(p.Weight), big.NewInt(int64(p.Value))))
		}
		if want := weighed.Div(weighed, weights).Int64(); sum != got.Score || int64(got.Score) != want {
			t.Fatalf("the score is %d, the parts come to %d, their mean to %d", got.Score, sum, want)
		}
	})
}

func TestWhoDoesMoreNeverFalls(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		g, f := drawTerms(t), drawFacts(t)
		more := growth.Facts{Spent: map[string]int64{}, Categories: f.Categories, Interactions: f.Interactions, Reviews: f.Reviews, Referrals: f.Referrals}
		for c, n := range f.Spent {
			more.Spent[c] = n
		}
		n := rapid.Int64Range(1, 1_000_000).Draw(t, "more")
		switch rapid.SampledFrom(programme.GrowthBehaviours).Draw(t, "of") {
		case programme.GrowthSpending:
			more.Spent[rapid.SampledFrom([]string{"CNY", "JPY", "USD"}).Draw(t, "in")] += n
		case programme.GrowthBreadth:
			more.Categories = make([]string, len(f.Categories)+int(n%50)+1)
		case programme.GrowthInteractions:
			more.Interactions += n
		case programme.GrowthReviews:
			more.Reviews += n
		default:
			more.Referrals += n
		}
		if before, after := growth.Compose(g, f).Score, growth.Compose(g, more).Score; after < before {
			t.Fatalf("%d fell to %d", before, after)
		}
	})
}

func TestTheWindowBeginsWithADayOfTheZone(t *testing.T) {
	t.Parallel()
	shanghai, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 26, 17, 0, 0, 0, time.UTC) // the 27th in Shanghai
	if got, want := (programme.Growth{WindowDays: 7}).Since(now, shanghai), time.Date(2026, 11, 20, 0, 0, 0, 0, shanghai); !got.Equal(want) {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestWordsReadTheNumbersOut(t *testing.T) {
	t.Parallel()
	s := growth.Standing{
		Score:     growth.Compose(terms(), growth.Facts{Spent: map[string]int64{"CNY": 123_405, "USD": 0}, Categories: []string{"coffee", "tea"}, Interactions: 1, Referrals: 2}),
		Programme: programme.Standard(), Since: time.Date(2025, 11, 26, 0, 0, 0, 0, time.UTC), Categories: []string{"coffee", "tea"},
	}
	want := map[string][2]string{
		"":             {"The growth score is 310 of 1000. What took place since 26 November 2025 counts, today included.", "成长值为 310（满分 1000）。自 2025年11月26日起至今天的行为计入。"},
		"spending":     {"Purchases: 1234.05 CNY after returns, which comes to 291 of 1000. With a weight of 40 in 100 that is 116 points of the score.", "消费：扣除退货后 1234.05 CNY，得 291 分（满分 1000 分）。权重 40/100，计入成长值 116。"},
		"breadth":      {"Breadth: 2 categories (coffee, tea), which comes to 400 of 1000. With a weight of 20 in 100 that is 80 points of the score.", "品类：2 个品类 (coffee, tea)，得 400 分（满分 1000 分）。权重 20/100，计入成长值 80。"},
		"interactions": {"Contacts: 1 contact that the customer began, which comes to 143 of 1000. With a weight of 10 in 100 that is 14 points of the score.", "互动：主动联系 1 次，得 143 分（满分 1000 分）。权重 10/100，计入成长值 14。"},
		"reviews":      {"Reviews: 0 reviews, which comes to 0 of 1000. With a weight of 10 in 100 that is 0 points of the score.", "评价：评价 0 条，得 0 分（满分 1000 分）。权重 10/100，计入成长值 0。"},
		"referrals":    {"Referrals: 2 referred customers who have bought, which comes to 500 of 1000. With a weight of 20 in 100 that is 100 points of the score.", "推荐：成功推荐 2 人，得 500 分（满分 1000 分）。权重 20/100，计入成长值 100。"},
	}
	check := func(of string, got growth.Words) {
		if w := want[of]; got.English != w[0] || got.Chinese != w[1] {
			t.Errorf("%s: got\n%s\n%s", of, got.English, got.Chinese)
		}
	}
	check("", s.Words())
	for _, p := range s.Parts {
		check(p.Behaviour, s.PartWords(p))
	}
}
