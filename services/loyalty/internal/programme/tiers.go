package programme

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// What tiers are driven by.
const (
	DrivePoints = "points" // qualifying points of a period
	DriveGrowth = "growth" // the growth score as it stands
)

// The periods by which tiers are reckoned.
const (
	PeriodCalendarYear   = "calendar_year"
	PeriodMembershipYear = "membership_year" // from each anniversary of the enrolment to the next
	PeriodRolling        = "rolling"         // the months before today, and today
)

// How far a review takes a tier down.
const (
	DowngradeOneStep = "one_step"
	DowngradeEarned  = "earned"
)

// Until when a tier that was reached is kept at least.
const (
	KeepNextPeriod = "next_period" // until the end of the period after that in which it was reached
	KeepThisPeriod = "this_period" // until the end of that in which it was reached
)

// When what is taken back can take a tier away.
const (
	TakeBackReview = "review" // only when it is reviewed
	TakeBackAtOnce = "at_once"
)

const (
	maxLevels        = 20
	maxBenefits      = 50
	maxThreshold     = 1_000_000_000_000
	maxGrowth        = 1000
	maxGraceDays     = 90
	maxRollingMonths = 36
	maxWarnDays      = 180
	maxWords         = 500
)

// Tiers are the ranks that members rise to and fall from. The zero Tiers: none.
type Tiers struct {
	Levels    []Level `json:"levels,omitempty" doc:"From the lowest, which everybody has: at most 20. None: there are no tiers."`
	DrivenBy  string  `json:"driven_by,omitempty" enum:"points,growth" doc:"points (the default): the qualifying points of a period. growth: the growth score as it stands."`
	Period    string  `json:"period,omitempty" enum:"calendar_year,membership_year,rolling" doc:"In the programme's zone. calendar_year is the default; membership_year runs from each anniversary of the enrolment; rolling are the months before today, and today."`
	Months    int     `json:"months,omitempty" doc:"For rolling: how many months, 1 to 36." example:"12"`
	Keep      string  `json:"keep,omitempty" enum:"next_period,this_period" doc:"Until when a tier is kept that was reached: until the end of the period after that (the default), or of that one. With rolling, a tier is kept for as many months from the day on which it was reached."`
	GraceDays int     `json:"grace_days,omitempty" doc:"0 to 90: for so many days after the end of a period tiers are still held, and what is earned still counts for it." example:"30"`
	Downgrade string  `json:"downgrade,omitempty" enum:"one_step,earned" doc:"Where a review takes a tier that was not earned again: one level down (the default), or to what was earned."`
	TakeBack  string  `json:"take_back,omitempty" enum:"review,at_once" doc:"When a return can take a tier away: at the next review (the default), or at once."`
	WarnDays  int     `json:"warn_days,omitempty" doc:"So many days before a tier falls it is told of, 1 to 180; 0: never." example:"30"`
}

// Level is one tier.
type Level struct {
	Code      string        `json:"code" example:"gold"`
	Name      string        `json:"name,omitempty" doc:"At most 100 characters; absent: the code." example:"Gold"`
	NameZH    string        `json:"name_zh,omitempty" doc:"The name in Chinese." example:"金卡"`
	Threshold int64         `json:"threshold" doc:"The qualifying points of a period, or the growth score, from which on it is earned. 0 for the lowest, and rising." example:"1000"`
	Benefits  []TierBenefit `json:"benefits,omitempty" doc:"What it brings beside what the lower ones do: at most 50."`
}

// TierBenefit is something that a tier brings.
type TierBenefit struct {
	Code string `json:"code" example:"free_delivery"`
	Text string `json:"text,omitempty" doc:"In words, at most 500 characters." example:"Free delivery"`
	ZH   string `json:"text_zh,omitempty" doc:"In Chinese." example:"免运费"`
}

// On tells whether there are tiers.
func (t Tiers) On() bool { return len(t.Levels) > 0 }

// ByGrowth tells whether the growth score drives them.
func (t Tiers) ByGrowth() bool { return t.DrivenBy == DriveGrowth }

// PeriodKind is by what period they are reckoned.
func (t Tiers) PeriodKind() string { return cmp.Or(t.Period, PeriodCalendarYear) }

// Rank gives the place of a level, 0 for the lowest; ok is false where there is none of the code.
func (t Tiers) Rank(code string) (rank int, ok bool) {
	rank = slices.IndexFunc(t.Levels, func(l Level) bool { return l.Code == code })
	return max(rank, 0), rank >= 0
}

// Earned gives the highest level that so many points, or such a growth score, earn.
func (t Tiers) Earned(points int64) (rank int) {
	for i, l := range t.Levels {
		if points >= l.Threshold {
			rank = i
		}
	}
	return rank
}

// Lowest is the code of the level that everybody has; empty where there are no tiers.
func (t Tiers) Lowest() string {
	if !t.On() {
		return ""
	}
	return t.Levels[0].Code
}

func (t Tiers) faults(terms Terms, note fault) {
	choice := func(name, value string, of ...string) {
		if value != "" && !slices.Contains(of, value) {
			note("tiers."+name, "unknown", "must be one of "+strings.Join(of, ", "))
		}
	}
	choice("driven_by", t.DrivenBy, DrivePoints, DriveGrowth)
	choice("period", t.Period, PeriodCalendarYear, PeriodMembershipYear, PeriodRolling)
	choice("keep", t.Keep, KeepNextPeriod, KeepThisPeriod)
	choice("downgrade", t.Downgrade, DowngradeOneStep, DowngradeEarned)
	choice("take_back", t.TakeBack, TakeBackReview, TakeBackAtOnce)
	rolling := t.Period == PeriodRolling
	switch {
	case rolling && (t.Months < 1 || t.Months > maxRollingMonths):
		note("tiers.months", "out_of_range", fmt.Sprintf("must be 1 to %d", maxRollingMonths))
	case !rolling && t.Months != 0:
		note("tiers.months", "not_fitting", "must be absent: only a rolling period has months")
	}
	if rolling && t.Keep == KeepThisPeriod {
		note("tiers.keep", "not_fitting", "must be absent: with a rolling period a tier is kept for its months")
	}
	most := maxGraceDays
	if rolling && t.Months > 0 {
		most = min(most, 28*t.Months-1) // so that a decision falls before the next one
	}
	if t.GraceDays < 0 || t.GraceDays > most {
		note("tiers.grace_days", "out_of_range", fmt.Sprintf("must be 0 to %d", most))
	}
	if t.WarnDays < 0 || t.WarnDays > maxWarnDays {
		note("tiers.warn_days", "out_of_range", fmt.Sprintf("must be 0 to %d", maxWarnDays))
	}
	if t.ByGrowth() && t.On() && !terms.Growth.On() {
		note("tiers.driven_by", "growth_missing", "must not be growth: these terms have no growth score")
	}
	if len(t.Levels) > maxLevels {
		note("tiers.levels", "too_many", fmt.Sprintf("must be at most %d", maxLevels))
		return
	}
	t.levelFaults(note)
}

func (t Tiers) levelFaults(note fault) {
	highest := int64(maxThreshold)
	if t.ByGrowth() {
		highest = maxGrowth
	}
	seen := make(map[string]bool)
	for i, l := range t.Levels {
		at := fmt.Sprintf("tiers.levels[%d]", i)
		if !Coded(l.Code) {
			note(at+".code", "code_malformed", CodeRule)
		} else if seen[l.Code] {
			note(at+".code", "code_twice", "must be the only one of its code")
		}
		seen[l.Code] = true
		switch {
		case l.Threshold < 0 || l.Threshold > highest:
			note(at+".threshold", "out_of_range", fmt.Sprintf("must be 0 to %d", highest))
		case i == 0 && l.Threshold != 0:
			note(at+".threshold", "lowest_not_zero", "must be 0: everybody has the lowest level")
		case i > 0 && l.Threshold <= t.Levels[i-1].Threshold:
			note(at+".threshold", "not_rising", "must be more than that of the level before")
		}
		for _, name := range []struct{ at, text string }{{".name", l.Name}, {".name_zh", l.NameZH}} {
			wordFaults(note, at+name.at, name.text, 100)
		}
		l.benefitFaults(note, at)
	}
}

func (l Level) benefitFaults(note fault, at string) {
	if len(l.Benefits) > maxBenefits {
		note(at+".benefits", "too_many", fmt.Sprintf("must be at most %d", maxBenefits))
		return
	}
	seen := make(map[string]bool)
	for n, b := range l.Benefits {
		of := fmt.Sprintf("%s.benefits[%d]", at, n)
		if !Coded(b.Code) {
			note(of+".code", "code_malformed", CodeRule)
		} else if seen[b.Code] {
			note(of+".code", "code_twice", "must be the only one of its code")
		}
		seen[b.Code] = true
		wordFaults(note, of+".text", b.Text, maxWords)
		wordFaults(note, of+".text_zh", b.ZH, maxWords)
	}
}

// wordFaults notes words that cannot be shown as they are.
func wordFaults(note fault, at, text string, most int) {
	if len([]rune(text)) > most || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' }) {
		note(at, "words_malformed", fmt.Sprintf("must be at most %d printable characters", most))
	}
}
