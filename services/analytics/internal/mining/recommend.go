package mining

import (
	"slices"
	"strings"
)

// Why there is no recommendation.
const (
	WhyNoRules     = "no_rules"     // no model of rules is in use
	WhyNoPurchases = "no_purchases" // the customer bought nothing that has a code
	WhyNoRuleFits  = "no_rule_fits" // no rule that lifts has a condition that is met, and a consequence that is not there yet
)

// Recommend gives the best rule for each article that is not in has, of the rules whose condition is met by held: the best
// articles first, at most limit. Rules that do not lift are no reason.
func Recommend(rules []Rule, held, has []string, limit int) []Rule {
	holds, there := set(held), set(has)
	best := map[string]Rule{}
	for _, r := range rules {
		if there[r.Then] || r.Lift() <= 1 || slices.ContainsFunc(r.If, func(item string) bool { return !holds[item] }) {
			continue
		}
		if was, found := best[r.Then]; !found || compareRules(r, was) < 0 {
			best[r.Then] = r
		}
	}
	all := make([]Rule, 0, len(best))
	for _, r := range best {
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b Rule) int {
		if n := compareRules(a, b); n != 0 {
			return n
		}
		return strings.Compare(a.Then, b.Then)
	})
	return all[:min(limit, len(all))]
}

func set(of []string) map[string]bool {
	m := make(map[string]bool, len(of))
	for _, one := range of {
		m[one] = true
	}
	return m
}
