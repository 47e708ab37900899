// Package matrix puts customers and revenue into matrices of two by two:
//
//   - satisfaction with the product by satisfaction with the relationship: loyal, fragile, potential, negative;
//   - attitude against alternatives by repeat purchase (A. Dick, K. Basu, Customer loyalty: toward an integrated conceptual
//     framework, Journal of the Academy of Marketing Science 22 (1994)): true, spurious, latent, no loyalty;
//   - customers by products, each old or new, with the revenue of a period: loyalty, expansion, acquisition, diversification.
//
// Whoever cannot be placed for want of an answer is counted apart, and stands in no cell.
package matrix

import (
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

// About says what an answer judges.
type About string

// What answers judge.
const (
	Product      About = "product"
	Relationship About = "relationship"
)

// Rule says which answers to surveys judge something, and from which number on who gave them is satisfied. An answer that several rules
// of the same About fit is judged by the first of them.
type Rule struct {
	About      About   `json:"about"`
	Kind       string  `json:"kind"`       // of the survey
	Touchpoint string  `json:"touchpoint"` // empty: any
	Question   string  `json:"question"`   // code of the question; empty: the survey's score
	From       float64 `json:"from"`
}

// Cohort says who is compared with whom: customers whose first net purchase was in the same stretch of time.
type Cohort string

// The stretches.
const (
	Month   Cohort = "month"
	Quarter Cohort = "quarter"
	Year    Cohort = "year"
	Always  Cohort = "all"
)

// Settings is what a tenant says of its matrices.
type Settings struct {
	Version      int64     `json:"-"` // 0: the house's own
	WithinDays   int       `json:"within_days"`
	Rules        []Rule    `json:"rules"`
	Attitude     string    `json:"attitude"`      // code of the question that sets us against alternatives
	AttitudeFrom float64   `json:"attitude_from"` // from where on the attitude is high
	Cohort       Cohort    `json:"cohort"`
	By           string    `json:"-"` // subject
	ChangedAt    time.Time `json:"-"`
}

// House is what holds where a tenant set nothing: within a year, satisfied with the product is who gave 4 or 5 of 5 in a survey on
// satisfaction, and with the relationship who would recommend us by 9 or 10 of 10; the attitude is high at 4 of 5.
func House() Settings {
	return Settings{
		WithinDays: 365, Attitude: "relative_attitude", AttitudeFrom: 4, Cohort: Month,
		Rules: []Rule{{Product, "csat", "", "", 4}, {Relationship, "nps", "", "", 9}},
	}
}

// Satisfied names the cell of product by relationship.
func Satisfied(product, relationship bool) string {
	return [2][2]string{{"negative", "potential"}, {"fragile", "loyal"}}[index(product)][index(relationship)]
}

// Loyal names the cell of attitude by repeat purchase.
func Loyal(attitude, repeat bool) string {
	return [2][2]string{{"none", "spurious"}, {"latent", "true"}}[index(attitude)][index(repeat)]
}

// Growth names the cell of customers by products.
func Growth(oldCustomer, oldProduct bool) string {
	return [2][2]string{{"diversification", "acquisition"}, {"expansion", "loyalty"}}[index(oldCustomer)][index(oldProduct)]
}

func index(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// Split shares the total of an order out among its lines of old products, of new ones, and of those that name no product, in
// proportion to their amounts. The parts add up to the total exactly: they are differences of cumulative amounts, each rounded half
// away from zero. An order whose lines come to nothing names no product for its total.
func Split(total, oldAmount, newAmount, noneAmount int64) (oldPart, newPart, nonePart int64) {
	all := oldAmount + newAmount + noneAmount
	if all == 0 {
		return 0, 0, total
	}
	oldPart = share(total, oldAmount, all)
	newPart = share(total, oldAmount+newAmount, all) - oldPart
	return oldPart, newPart, total - oldPart - newPart
}

// share is total × part / all, rounded half away from zero.
func share(total, part, all int64) int64 {
	product := new(big.Int).Mul(big.NewInt(total), big.NewInt(part))
	twice, divisor := product.Lsh(product, 1), big.NewInt(all)
	if divisor.Sign() < 0 {
		divisor.Neg(divisor)
		twice.Neg(twice)
	}
	if twice.Sign() < 0 {
		twice.Sub(twice, divisor)
	} else {
		twice.Add(twice, divisor)
	}
	return twice.Quo(twice, divisor.Lsh(divisor, 1)).Int64()
}

var (
	code  = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)
	kinds = []string{"csat", "nps", "ces", "questionnaire"}
)

const maxRules = 50

// check says what is wrong with settings.
func (s Settings) check() error {
	var faults []problem.Field
	fault := func(location, code, message string) {
		faults = append(faults, problem.Field{Location: location, Code: code, Message: message})
	}
	about := map[About]bool{}
	for i, r := range s.Rules {
		at := "rules[" + strconv.Itoa(i) + "]"
		about[r.About] = true
		if r.About != Product && r.About != Relationship {
			fault(at+".about", "about_unknown", "must be product or relationship")
		}
		if !slices.Contains(kinds, r.Kind) {
			fault(at+".kind", "kind_unknown", "must be csat, nps, ces or questionnaire")
		}
		if r.Kind == "questionnaire" && r.Question == "" {
			fault(at+".question", "required", "must be named: a questionnaire has no score")
		}
		if r.Question != "" && !code.MatchString(r.Question) {
			fault(at+".question", "code_invalid", "must be the code of a question")
		}
	}
	if len(s.Rules) > maxRules {
		fault("rules", "too_many", "must be at most 50")
	}
	if !about[Product] || !about[Relationship] {
		fault("rules", "rule_missing", "must have at least one rule on the product and one on the relationship")
	}
	if !code.MatchString(s.Attitude) {
		fault("attitude_question", "code_invalid", "must be the code of a question")
	}
	if len(faults) > 0 {
		return problem.InvalidBody("matrix_settings_invalid", "The settings stay as they were: mend the fields named here.", faults)
	}
	return nil
}
