// Package grade places customers in the customer pyramid by what they contributed, keeps their moves between grades, tells
// what each grade brings and costs, and sets current against potential value. Grades are for the house alone: they are
// never shown to customers.
//
// The shares that hold where a tenant set none are those of J. Curry, The customer marketing method (2000): the top 1 % of
// customers, the next 4 %, the next 15 %, and the rest. V. Zeithaml, R. Rust, K. Lemon, The customer pyramid (2001), name
// four tiers platinum, gold, iron and lead: names and shares can be set so.
package grade

import (
	"regexp"
	"strconv"
	"time"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Whole is all customers, in hundredths of a percent.
const Whole = 10_000

// Grade is one place in the pyramid.
type Grade struct {
	Code  string `json:"code"`
	Share int    `json:"share"` // of the customers, in hundredths of a percent; of the last grade what is left
}

// Costs is what serving a customer costs, in minor units of the reporting currency.
type Costs struct {
	Ticket      int64 `json:"ticket"`
	Complaint   int64 `json:"complaint"` // beside its remedy, which is counted as it was
	Touch       int64 `json:"touch"`     // of a campaign or a survey
	Interaction int64 `json:"interaction"`
}

// Scheme is how customers are graded.
type Scheme struct {
	Version        int64          `json:"-"` // 0: the house's own
	Grades         []Grade        `json:"grades"`
	WindowDays     int            `json:"window_days"`
	MarginPermille int            `json:"margin_permille"` // of net revenue, in thousandths
	Channels       map[string]int `json:"channels"`        // margins in thousandths that differ by channel
	Costs          Costs          `json:"costs"`
	By             string         `json:"-"` // subject; empty of the house's own
	ChangedAt      time.Time      `json:"-"`
}

// House is the scheme of a tenant that set none.
func House() Scheme {
	return Scheme{
		Grades:     []Grade{{"top", 100}, {"big", 400}, {"medium", 1500}, {"small", 8000}},
		WindowDays: 365, MarginPermille: 1000, Channels: map[string]int{},
	}
}

// Account is what a customer, or those of a grade, brought and cost, in minor units of the reporting currency.
type Account struct {
	NetMinor          int64 // bought less came back
	MarginMinor       int64 // of it, by the channel of each order, rounded half away from zero once a customer
	TicketsMinor      int64
	ComplaintsMinor   int64 // with their remedies
	TouchesMinor      int64
	InteractionsMinor int64
	ContributionMinor int64 // the margin less the four
}

// Cuts gives, for n customers, how many stand in each grade but the last and those above it when no two contribute the same:
// ⌈cumulative share × n⌉. Who contributes as much as the last of them stands in that grade as well.
func (s Scheme) Cuts(n int64) []int64 {
	cuts := make([]int64, 0, len(s.Grades))
	var sum int64
	for _, g := range s.Grades[:len(s.Grades)-1] {
		sum += int64(g.Share)
		cuts = append(cuts, (sum*n+Whole-1)/Whole)
	}
	return cuts
}

// Place is the index of the grade of a contribution. least is the contribution with which each grade but the last begins.
func Place(least []int64, contribution int64) int {
	for i, begins := range least {
		if contribution >= begins {
			return i
		}
	}
	return len(least)
}

var code = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)

const (
	maxGrades   = 10
	maxChannels = 200
	maxCost     = 1_000_000_00 // of one ticket, complaint, touch or interaction
)

// check says what is wrong with a scheme, and fills in the share of the last grade.
func (s *Scheme) check() error {
	var faults []problem.Field
	fault := func(location, code, message string) {
		faults = append(faults, problem.Field{Location: location, Code: code, Message: message})
	}
	if len(s.Grades) < 2 || len(s.Grades) > maxGrades {
		fault("grades", "out_of_range", "must be 2 to 10 grades, the highest first")
	}
	seen, sum := map[string]bool{}, 0
	for i, g := range s.Grades {
		at := "grades[" + strconv.Itoa(i) + "]"
		last := i == len(s.Grades)-1
		switch {
		case !code.MatchString(g.Code):
			fault(at+".code", "code_invalid", "must be a code: a letter, then letters, digits and underscores, at most 40, all small")
		case seen[g.Code]:
			fault(at+".code", "code_twice", "is the code of another grade")
		}
		seen[g.Code] = true
		switch {
		case last && g.Share != 0 && g.Share != Whole-sum:
			fault(at+".share_percent", "shares_off", "must be what the grades above leave, or be left out")
		case last:
			s.Grades[i].Share = Whole - sum
		case g.Share < 1:
			fault(at+".share_percent", "out_of_range", "must be at least 0.01")
		}
		sum += g.Share
		if !last && sum >= Whole {
			fault(at+".share_percent", "shares_off", "must leave something for the grades below")
			break
		}
	}
	for channel, margin := range s.Channels {
		if channel == "" || len(channel) > 64 {
			fault("channel_margins", "code_invalid", "must name channels by their codes")
		}
		if margin < 0 || margin > 1000 {
			fault("channel_margins", "out_of_range", "must be 0 to 100 percent")
		}
	}
	if len(s.Channels) > maxChannels {
		fault("channel_margins", "too_many", "must be at most 200")
	}
	if len(faults) > 0 {
		return problem.InvalidBody("grade_scheme_invalid", "The scheme stays as it was: mend the fields named here.", faults)
	}
	return nil
}
