// Package journey follows customers on their way to us and with us: the funnel from visitor to buyer, cohorts of those who
// bought for the first time in the same month, what campaigns and channels do, and where opportunities come from.
//
// Funnel and cohorts look at every customer's whole history. They are reckoned once a day in steps over the customers and read from
// what was kept; a small tenant can ask for them as they are now. The rest looks at a time that who asks chooses, within limits.
package journey

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Kinds of runs.
const (
	KindCohorts = "journey_cohorts"
	KindFunnel  = "journey_funnel"
)

// Stages are the steps of the funnel, in order. A later one counts as having passed those before it.
var stages = [...]string{"visitor", "browser", "shopper", "buyer"}

// Stages lists the steps of the funnel in order.
func Stages() []string { return stages[:] }

// What rules of the mapping are about.
const (
	OnInteraction = "interaction"
	OnLead        = "lead"
	OnOpportunity = "opportunity"
	OnOrder       = "order"
)

// Rule says that what fits it puts a person into a stage. An empty field fits everything; of several rules that fit, the latest
// stage counts.
type Rule struct {
	Stage      string `json:"stage" enum:"visitor,browser,shopper,buyer"`
	On         string `json:"on" enum:"interaction,lead,opportunity,order" doc:"What it is about; an order is a net purchase."`
	Channel    string `json:"channel,omitempty" maxLength:"64" doc:"Of interactions and orders."`
	Direction  string `json:"direction,omitempty" enum:"inbound,outbound" doc:"Of interactions."`
	Touchpoint string `json:"touchpoint,omitempty" maxLength:"64" doc:"Of interactions."`
	Outcome    string `json:"outcome,omitempty" maxLength:"64" doc:"Of interactions."`
	Source     string `json:"source,omitempty" maxLength:"64" doc:"Of leads and opportunities."`
}

// Mapping is what a tenant counts as which stage.
type Mapping struct {
	Rules     []Rule
	Version   int64 // 0: the house's own
	ChangedBy string
	ChangedAt time.Time
}

// StandardMapping holds until a tenant says otherwise: whoever turns to us is a visitor, with an outcome that shows interest or as
// a lead a browser, with a basket, an offer or an opportunity a shopper, and with a net purchase a buyer.
func StandardMapping() Mapping {
	rules := []Rule{{Stage: "visitor", On: OnInteraction, Direction: "inbound"}}
	for _, outcome := range []string{"viewed", "browsed", "interested", "information"} {
		rules = append(rules, Rule{Stage: "browser", On: OnInteraction, Outcome: outcome})
	}
	rules = append(rules, Rule{Stage: "browser", On: OnLead})
	for _, outcome := range []string{"basket", "checkout", "offer", "trial"} {
		rules = append(rules, Rule{Stage: "shopper", On: OnInteraction, Outcome: outcome})
	}
	return Mapping{Rules: append(rules, Rule{Stage: "shopper", On: OnOpportunity}, Rule{Stage: "buyer", On: OnOrder})}
}

// maxRules of a mapping.
const maxRules = 100

// Check names what is wrong with the rules.
func (m Mapping) Check() (faults []problem.Field) {
	if len(m.Rules) == 0 || len(m.Rules) > maxRules {
		faults = append(faults, problem.Field{Location: "rules", Code: "out_of_range", Message: fmt.Sprintf("must be 1 to %d", maxRules)})
	}
	for i, r := range m.Rules {
		if stageNo(r.Stage) == 0 {
			faults = append(faults, problem.Field{Location: fmt.Sprintf("rules[%d].stage", i), Code: "unknown", Message: "is no stage"})
		}
		allowed := fieldsOf[r.On]
		if allowed == nil {
			faults = append(faults, problem.Field{Location: fmt.Sprintf("rules[%d].on", i), Code: "unknown", Message: "is nothing that a rule can be about"})
			continue
		}
		for _, c := range r.conditions() {
			if c.value != "" && allowed[c.field] == "" {
				faults = append(faults, problem.Field{
					Location: fmt.Sprintf("rules[%d].%s", i, c.field), Code: "not_allowed", Message: "is not a field of what the rule is about",
				})
			}
		}
	}
	return faults
}

// fieldsOf gives the columns that rules about a thing compare.
var fieldsOf = map[string]map[string]string{
	OnInteraction: {"channel": "e.channel", "direction": "e.direction", "touchpoint": "e.touchpoint", "outcome": "e.outcome"},
	OnLead:        {"source": "e.source"},
	OnOpportunity: {"source": "e.source"},
	OnOrder:       {"channel": "e.channel"},
}

type condition struct{ field, value string }

func (r Rule) conditions() []condition {
	return []condition{{"channel", r.Channel}, {"direction", r.Direction}, {"touchpoint", r.Touchpoint}, {"outcome", r.Outcome}, {"source", r.Source}}
}

// stageNo is 1 for visitor to 4 for buyer, 0 for none.
func stageNo(code string) int {
	for i, s := range stages {
		if s == code {
			return i + 1
		}
	}
	return 0
}

// Person is when somebody first was what; the zero time: never. Channel is where the first of it took place.
type Person struct {
	First   [len(stages)]time.Time
	Channel string
}

// Month is a month in UTC: years times twelve plus months from 0.
type Month int

// MonthOf is the month that a time is in.
func MonthOf(t time.Time) Month { t = t.UTC(); return Month(t.Year()*12 + int(t.Month()) - 1) }

// First is the first day of the month.
func (m Month) First() time.Time {
	return time.Date(int(m)/12, time.Month(int(m)%12+1), 1, 0, 0, 0, 0, time.UTC)
}

// String is the month as 2006-01.
func (m Month) String() string { return m.First().Format("2006-01") }

// FunnelKey is by what a funnel is kept: the month of a person's first step, and its channel.
type FunnelKey struct {
	Month   Month
	Channel string
}

// Funnel counts people.
type Funnel struct {
	// Reached is how many were there, by standing in the stage or by passing it over.
	Reached [len(stages)]int64
	// Days counts those who stood in a stage and then, not before it, in the next one, by the whole days between.
	Days [len(stages) - 1]map[int]int64
}

// Funnels are funnels by month and channel.
type Funnels map[FunnelKey]*Funnel

// maxDays is what longer times between two stages count as.
const maxDays = 3650

// Add counts one person, who has at least one step.
func (f Funnels) Add(p Person) {
	last, entry := 0, time.Time{}
	for i, at := range p.First {
		if at.IsZero() {
			continue
		}
		last = i
		if entry.IsZero() || at.Before(entry) {
			entry = at
		}
	}
	if entry.IsZero() {
		return
	}
	key := FunnelKey{MonthOf(entry), p.Channel}
	own := f[key]
	if own == nil {
		own = &Funnel{}
		f[key] = own
	}
	for i := range last + 1 {
		own.Reached[i]++
	}
	for i := range len(stages) - 1 {
		from, to := p.First[i], p.First[i+1]
		if from.IsZero() || to.IsZero() || to.Before(from) {
			continue
		}
		if own.Days[i] == nil {
			own.Days[i] = map[int]int64{}
		}
		own.Days[i][min(int(to.Sub(from)/(24*time.Hour)), maxDays)]++
	}
}

// Plus adds what another one counts.
func (f *Funnel) Plus(o *Funnel) {
	for i, n := range o.Reached {
		f.Reached[i] += n
	}
	for i, days := range o.Days {
		for d, n := range days {
			if f.Days[i] == nil {
				f.Days[i] = map[int]int64{}
			}
			f.Days[i][d] += n
		}
	}
}

// Within gives how many were timed between the stage and the next one, and in how many days the share q of them was there at most.
func (f *Funnel) Within(stage int, q float64) (days int, timed int64) {
	most := 0
	for d, n := range f.Days[stage] {
		timed += n
		most = max(most, d)
	}
	seen := int64(0)
	for d := range most + 1 {
		if seen += f.Days[stage][d]; float64(seen) >= q*float64(timed) {
			return d, timed
		}
	}
	return most, timed
}

// Purchase is an order of a customer, with what came back of it by month.
type Purchase struct {
	Channel    string
	At         time.Time
	TotalMinor int64
	Whole      bool // it came back whole: no net purchase
	Back       []Back
}

// Back is what came back of an order in a month, positive.
type Back struct {
	Month       Month
	AmountMinor int64
}

// CohortKey is a cell: customers by the month and the channel of their first net purchase in a currency, so many months later.
type CohortKey struct {
	Currency string
	Month    Month
	Channel  string
	Age      int
}

// RestKey is what is in no cohort: of nobody who is known, of orders that came back whole, and what came back before a first purchase.
type RestKey struct {
	Currency string
	Month    Month
}

// Cell adds up purchases. Customers are those with a net purchase in the month.
type Cell struct {
	Customers, Orders, GrossMinor, ReturnedMinor int64
}

func (c *Cell) plus(o Cell) {
	c.Customers += o.Customers
	c.Orders += o.Orders
	c.GrossMinor += o.GrossMinor
	c.ReturnedMinor += o.ReturnedMinor
}

// Cohorts is the triangles of all currencies, and what stands beside them: together all revenue there is.
type Cohorts struct {
	Cells map[CohortKey]*Cell
	Rest  map[RestKey]*Cell
}

// NewCohorts gives empty ones.
func NewCohorts() *Cohorts {
	return &Cohorts{Cells: map[CohortKey]*Cell{}, Rest: map[RestKey]*Cell{}}
}

// Add takes in all purchases of one customer in one currency, in the order of their times; who is nobody, of uuid.Nil, makes no
// cohort.
func (c *Cohorts) Add(who uuid.UUID, currency string, purchases []Purchase) {
	var key CohortKey
	found := false
	for _, p := range purchases {
		if !p.Whole && who != uuid.Nil {
			key, found = CohortKey{Currency: currency, Month: MonthOf(p.At), Channel: p.Channel}, true
			break
		}
	}
	active := -1
	for _, p := range purchases {
		at := MonthOf(p.At)
		in := found && !p.Whole
		if in {
			key.Age = int(at - key.Month)
			cell := c.cell(key)
			if key.Age != active {
				cell.Customers++
				active = key.Age
			}
			cell.plus(Cell{Orders: 1, GrossMinor: p.TotalMinor})
		} else {
			c.rest(currency, at).plus(Cell{Orders: 1, GrossMinor: p.TotalMinor})
		}
		for _, b := range p.Back {
			if key.Age = int(b.Month - key.Month); in && key.Age >= 0 {
				c.cell(key).ReturnedMinor += b.AmountMinor
			} else {
				c.rest(currency, b.Month).ReturnedMinor += b.AmountMinor
			}
		}
	}
}

func (c *Cohorts) cell(key CohortKey) *Cell {
	cell := c.Cells[key]
	if cell == nil {
		cell = &Cell{}
		c.Cells[key] = cell
	}
	return cell
}

func (c *Cohorts) rest(currency string, at Month) *Cell {
	key := RestKey{currency, at}
	cell := c.Rest[key]
	if cell == nil {
		cell = &Cell{}
		c.Rest[key] = cell
	}
	return cell
}
