// Package forecast says what opportunities will bring: weighted by the probability of their stages and by how sure whoever
// sells is, what that was at the end of each week, what was to be reached, and how good past forecasts were.
//
// Amounts are minor units and never added across currencies. What an opportunity is weighted with is rounded by itself, to
// the nearest minor unit and halves away from 0, so that every sum of weighted amounts is the sum of its lines.
package forecast

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/sales/internal/pipeline"
)

// Closed is the category of what was won; the others are those of pipeline.
const Closed = "closed"

// Categories lists all categories, the least sure first.
func Categories() []string {
	all := make([]string, 0, 4)
	for _, c := range pipeline.Categories() {
		all = append(all, string(c))
	}
	return append(all, Closed)
}

// Weighted gives an amount weighted by a probability in percent, rounded to the nearest minor unit, halves away from 0.
func Weighted(amount int64, percent int32) int64 { return (amount*int64(percent) + 50) / 100 }

// Line is one opportunity in a forecast.
type Line struct {
	OpportunityID uuid.UUID
	Pipeline      string
	Stage         string
	Team          string // empty: none
	Owner         string // subject; empty: nobody
	Month         string // YYYY-MM; empty: nobody said
	Category      string
	Probability   int32 // percent
	Currency      string
	AmountMinor   int64
	WeightedMinor int64
}

// Sum is what lines that have the same come to. What they were not grouped by is empty.
type Sum struct {
	Pipeline, Team, Owner, Month, Category, Currency string
	Opportunities                                    int64
	AmountMinor, WeightedMinor                       int64
}

// Scope says which lines are meant; what is empty means all.
type Scope struct {
	Pipeline, Team, Owner string
	From, To              string // months, both included; lines without one are left out where either is set
}

// By says by what lines are grouped, beside category and currency.
type By struct{ Pipeline, Team, Owner, Month bool }

// Week gives the ISO 8601 week of a moment in a zone, such as 2026-W48.
func Week(at time.Time, zone *time.Location) string {
	year, week := at.In(zone).ISOWeek()
	return fmt.Sprintf("%04d-W%02d", year, week)
}

var (
	monthPattern  = regexp.MustCompile(`^(20[0-9]{2})-(0[1-9]|1[0-2])$`)
	periodPattern = regexp.MustCompile(`^(20[0-9]{2})-(?:(0[1-9]|1[0-2])|Q([1-4]))$`)
)

// Period is a month or a quarter.
type Period struct {
	Code        string // YYYY-MM or YYYY-Qn
	First, Last string // its months
}

// ParsePeriod reads YYYY-MM or YYYY-Qn, of this century.
func ParsePeriod(code string) (Period, bool) {
	m := periodPattern.FindStringSubmatch(code)
	if m == nil {
		return Period{}, false
	}
	if m[2] != "" {
		return Period{code, code, code}, true
	}
	quarter, _ := strconv.Atoi(m[3])
	return Period{code, fmt.Sprintf("%s-%02d", m[1], quarter*3-2), fmt.Sprintf("%s-%02d", m[1], quarter*3)}, true
}

// monthOf gives the month of a moment in a zone.
func monthOf(at time.Time, zone *time.Location) string { return at.In(zone).Format("2006-01") }

// begins gives when a month begins in a zone; the zero time for none.
func begins(month string, zone *time.Location) time.Time {
	at, err := time.ParseInLocation("2006-01", month, zone)
	if err != nil {
		return time.Time{}
	}
	return at
}

// ends gives when a month ends in a zone: the first moment of the next.
func ends(month string, zone *time.Location) time.Time { return begins(month, zone).AddDate(0, 1, 0) }

// quarterBegins gives when the quarter of a moment began in a zone.
func quarterBegins(at time.Time, zone *time.Location) time.Time {
	year, month, _ := at.In(zone).Date()
	return time.Date(year, month-(month-1)%3, 1, 0, 0, 0, 0, zone)
}

// check refuses months that are none.
func (s Scope) check() error {
	p := problem.New(problem.Unprocessable, "forecast_invalid", "There is no such forecast: mend the parameters named here.")
	for _, one := range [][2]string{{"from", s.From}, {"to", s.To}} {
		if one[1] != "" && !monthPattern.MatchString(one[1]) {
			p = p.WithField("query."+one[0], "month_malformed", "must be a month such as 2026-11")
		}
	}
	if s.From != "" && s.To != "" && s.From > s.To {
		p = p.WithField("query.from", "period_invalid", "must not be after to")
	}
	if len(p.Fields) > 0 {
		return p
	}
	return nil
}

// within tells whether a month is meant.
func (s Scope) within(month string) bool {
	if s.From == "" && s.To == "" {
		return true
	}
	return month != "" && month >= s.From && (s.To == "" || month <= s.To)
}

// Changes of an opportunity between two snapshots, in the scope that is looked at.
const (
	ChangeNew       = "new"       // opened since
	ChangeReopened  = "reopened"  // was closed then
	ChangeMovedIn   = "moved_in"  // was in another month, team, owner or pipeline
	ChangeMovedOut  = "moved_out" // is in another one now
	ChangeAmount    = "amount"    // is worth more or less
	ChangeStage     = "stage"     // the same amount in another stage or category
	ChangeWon       = "won"       // was open
	ChangeLost      = "lost"
	ChangeWithdrawn = "withdrawn"
)

// Changed are the codes of changes in the order in which they are told.
func Changed() []string {
	return []string{ChangeNew, ChangeReopened, ChangeMovedIn, ChangeMovedOut, ChangeAmount, ChangeStage, ChangeWon, ChangeLost, ChangeWithdrawn}
}

// side is an opportunity at one of two snapshots.
type side struct {
	Line
	known bool // it stands in the snapshot
}

func (s side) in(scope Scope) bool {
	return s.known && (scope.Pipeline == "" || s.Pipeline == scope.Pipeline) && (scope.Team == "" || s.Team == scope.Team) &&
		(scope.Owner == "" || s.Owner == scope.Owner) && scope.within(s.Month)
}

// change says in one word what became of an opportunity between two snapshots; empty: nothing. State is what it was at the later one,
// and since says that it was opened after the earlier one.
func change(was, is side, scope Scope, state string, since bool) string {
	inWas, inIs := was.in(scope), is.in(scope)
	switch {
	case !inWas && !inIs:
		return ""
	case inWas && !inIs && !is.known && (state == ChangeLost || state == ChangeWithdrawn):
		return state
	case inWas && !inIs:
		return ChangeMovedOut
	case !was.known && since:
		return newOrWon(is)
	case !was.known:
		return reopenedOrWon(is)
	case was.Category != Closed && is.Category == Closed:
		return ChangeWon
	case was.Category == Closed && is.Category != Closed:
		return ChangeReopened
	case !inWas:
		return ChangeMovedIn
	case was.AmountMinor != is.AmountMinor || was.Currency != is.Currency:
		return ChangeAmount
	case was.WeightedMinor != is.WeightedMinor || was.Category != is.Category || was.Stage != is.Stage:
		return ChangeStage
	default:
		return ""
	}
}

// newOrWon: what was opened and won in between is won.
func newOrWon(is side) string {
	if is.Category == Closed {
		return ChangeWon
	}
	return ChangeNew
}

func reopenedOrWon(is side) string {
	if is.Category == Closed {
		return ChangeWon
	}
	return ChangeReopened
}

// months lists the months of a range, both included.
func months(from, to string) (all []string) {
	for at := begins(from, time.UTC); !at.IsZero() && monthOf(at, time.UTC) <= to && len(all) < 1200; at = at.AddDate(0, 1, 0) {
		all = append(all, monthOf(at, time.UTC))
	}
	return slices.Clip(all)
}
