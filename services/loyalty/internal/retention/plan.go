package retention

import (
	"fmt"
	"regexp"
	"time"
	"unicode/utf8"

	"github.com/guanxi-crm/guanxi/platform/money"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/ledger"
)

// Plan is a plan by one version of its terms.
type Plan struct {
	Code    string
	Version int64
	Salt    string
	Terms
}

// Terms are what a plan says. Amounts are in minor units of its currency.
type Terms struct {
	Name              string         `json:"name" doc:"For people." maxLength:"200" example:"Win back by points"`
	Active            bool           `json:"active" doc:"Whether triggers open cases by it. Cases that are open go on."`
	Kind              Kind           `json:"kind" enum:"care,win_back" doc:"For customers who are about to go, or for those who have gone. Contacts of the one are service, of the other marketing: consents tell them apart."`
	Programme         string         `json:"programme" doc:"Code of the programme whose points offers give." example:"standard"`
	Currency          string         `json:"currency" doc:"ISO 4217: in which customers are valued and costs are counted." example:"CNY"`
	Triggers          CaseTriggers   `json:"triggers" doc:"What opens a case. Without any of them cases are opened by hand only."`
	HoldOutPermille   int            `json:"hold_out_permille" doc:"Share of the customers, in thousandths, of whom nothing is done, so that what is done to others can be measured." example:"100"`
	Bands             ValueBands     `json:"bands" doc:"What a customer was worth: by what was bought in the year before, returns taken off."`
	Offers            []Deal         `json:"offers" nullable:"false" maxItems:"50"`
	Segments          []OfferSegment `json:"segments" nullable:"false" maxItems:"100" doc:"Who is offered what: the first that fits, and whose offer's cost is not over the cap, counts."`
	Steps             []StepPlan     `json:"steps" nullable:"false" maxItems:"20" doc:"What is done, one after the other."`
	CostCapPermille   int            `json:"cost_cap_permille" doc:"What an offer may cost at most, in thousandths of what the customer bought in the year before." example:"100"`
	WindowSeconds     int64          `json:"window_seconds" doc:"For how long after the opening a purchase counts." example:"5184000"`
	CoolDownDays      int            `json:"cool_down_days" doc:"Days after a case of the customer, by any plan, in which none is opened." example:"90"`
	MaxContacts       int            `json:"max_contacts" doc:"Contacts of a case at most; 0: as many as there are steps." example:"3"`
	MaxContacts30Days int            `json:"max_contacts_30_days" doc:"Contacts of all cases of a customer within 30 days at most; 0: not limited." example:"4"`
}

// CaseTriggers say what opens a case. The zero CaseTriggers: nothing.
type CaseTriggers struct {
	ChurnRiskPermille int  `json:"churn_risk_permille,omitempty" doc:"A rise in churn risk to this or more, in thousandths; 0: none." example:"600"`
	TierFalling       bool `json:"tier_falling,omitempty" doc:"A tier of the plan's programme that will fall at the coming review."`
	SilenceDays       int  `json:"silence_days,omitempty" doc:"So many days without a purchase; 0: none." example:"120"`
	SilencePercent    int  `json:"silence_percent,omitempty" doc:"A silence of so many hundredths of the customer's own rhythm: the mean time between purchases, of customers with three or more. 0: none." example:"300"`
	SilenceAtMostDays int  `json:"silence_at_most_days,omitempty" doc:"Who has been silent for longer is left alone; 0: nobody." example:"730"`
}

// leastPurchases is how many purchases a customer needs to have a rhythm.
const leastPurchases = 3

// Silent tells whether a customer has been silent for too long: n purchases, the first and the last of them at these times.
func (t CaseTriggers) Silent(n int64, first, last, now time.Time) bool {
	const day = 24 * time.Hour
	quiet := now.Sub(last)
	if t.SilenceAtMostDays > 0 && quiet > time.Duration(t.SilenceAtMostDays)*day {
		return false
	}
	if t.SilenceDays > 0 && quiet >= time.Duration(t.SilenceDays)*day {
		return true
	}
	if t.SilencePercent == 0 || n < leastPurchases || quiet < day {
		return false
	}
	rhythm := last.Sub(first).Seconds() / float64(n-1)
	return quiet.Seconds() >= rhythm*float64(t.SilencePercent)/100
}

// silence tells whether silence opens cases.
func (t CaseTriggers) silence() bool { return t.SilenceDays > 0 || t.SilencePercent > 0 }

// ValueBands say from what value on a customer is in which.
type ValueBands struct {
	MediumFromMinor int64 `json:"medium_from_minor" example:"50000"`
	HighFromMinor   int64 `json:"high_from_minor" example:"200000"`
}

func (b ValueBands) of(value int64) Band {
	switch {
	case value >= b.HighFromMinor:
		return High
	case value >= b.MediumFromMinor:
		return Medium
	default:
		return Low
	}
}

// Deal is an offer of a plan.
type Deal struct {
	Code         string `json:"code" example:"points-500"`
	Points       int64  `json:"points" doc:"That it gives; 0 where it is something else, which others give." example:"500"`
	CostMinor    int64  `json:"cost_minor" doc:"What it costs. It is counted with what its points are worth by the programme where that is more." example:"500"`
	ValidSeconds int64  `json:"valid_seconds" doc:"How long it can be taken." example:"1209600"`
}

// OfferSegment says what customers are offered of a value and a reason.
type OfferSegment struct {
	Band   Band   `json:"value_band,omitempty" enum:"high,medium,low" doc:"Left out: any."`
	Reason Reason `json:"reason,omitempty" enum:"price,product,service,competitor,moved,unknown" doc:"Left out: any."`
	Offer  string `json:"offer" doc:"Code of one of the offers." example:"points-500"`
}

// StepKind is what a step does.
type StepKind string

// The kinds of steps.
const (
	StepContact  StepKind = "contact"
	StepOffer    StepKind = "offer"
	StepReminder StepKind = "reminder"
	StepSurvey   StepKind = "survey" // asks for the reason of leaving
)

// StepPlan is one step of a plan.
type StepPlan struct {
	Kind         StepKind `json:"kind" enum:"contact,offer,reminder,survey" doc:"A reminder brings the offer where the step before could not. A survey asks why the customer left."`
	AfterSeconds int64    `json:"after_seconds" doc:"After the step before, or the opening." example:"259200"`
	Channel      string   `json:"channel,omitempty" maxLength:"32" doc:"To be used; left out: whichever the customer prefers of those that are allowed." example:"email"`
}

// offersBefore tells whether an offer was to be made before the step at a place.
func (t Terms) offersBefore(place int) bool {
	for _, s := range t.Steps[:min(place, len(t.Steps))] {
		if s.Kind == StepOffer {
			return true
		}
	}
	return false
}

// Choose gives the offer for a case: that of the first segment that fits and whose cost, the worth of its points included, is
// not over the cap. Where there is none, the code says why: no_offer or over_cap.
func (t Terms) Choose(c Case, worth func(Deal) int64) (Deal, string) {
	most := money.Share(max(0, c.ValueMinor), int64(t.CostCapPermille), 1000)
	code := "no_offer"
	for _, s := range t.Segments {
		if s.Band != "" && s.Band != c.Band || s.Reason != "" && s.Reason != c.Reason {
			continue
		}
		for _, d := range t.Offers {
			if d.Code != s.Offer {
				continue
			}
			if worth != nil {
				d.CostMinor = max(d.CostMinor, worth(d))
			}
			if d.CostMinor <= most {
				return d, ""
			}
			code = "over_cap"
		}
	}
	return Deal{}, code
}

const (
	mostSeconds = 366 * 24 * 3600
	mostDays    = 3650
	mostPercent = 10_000
)

var (
	planCode    = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)
	channelCode = regexp.MustCompile(`^[a-z0-9_]{0,32}$`)
)

// faultFinder collects what is wrong.
type faultFinder struct{ faults []problem.Field }

func (f *faultFinder) fault(location, code, message string) {
	f.faults = append(f.faults, problem.Field{Location: location, Code: code, Message: message})
}

// between holds a number to a range.
func (f *faultFinder) between(location string, n, least, most int64) {
	if n < least || n > most {
		f.fault(location, "out_of_range", fmt.Sprintf("must be %d to %d", least, most))
	}
}

// Faults names every field that is not right.
func (t Terms) Faults() []problem.Field {
	f := &faultFinder{}
	if n := utf8.RuneCountInString(t.Name); n < 1 || n > 200 {
		f.fault("name", "name_malformed", "must have 1 to 200 characters")
	}
	if t.Kind != Care && t.Kind != WinBack {
		f.fault("kind", "kind_unknown", "must be care or win_back")
	}
	if !planCode.MatchString(t.Programme) {
		f.fault("programme", "code_malformed", "must be the code of a programme")
	}
	if _, ok := money.Digits(t.Currency); !ok {
		f.fault("currency", "currency_unknown", "must be an ISO 4217 code")
	}
	f.between("triggers.churn_risk_permille", int64(t.Triggers.ChurnRiskPermille), 0, 1000)
	f.between("triggers.silence_days", int64(t.Triggers.SilenceDays), 0, mostDays)
	if t.Triggers.SilencePercent != 0 {
		f.between("triggers.silence_percent", int64(t.Triggers.SilencePercent), 100, mostPercent)
	}
	f.between("triggers.silence_at_most_days", int64(t.Triggers.SilenceAtMostDays), 0, mostDays)
	if m := t.Triggers.SilenceAtMostDays; m > 0 && m <= t.Triggers.SilenceDays {
		f.fault("triggers.silence_at_most_days", "out_of_range", "must be more than silence_days")
	}
	f.between("hold_out_permille", int64(t.HoldOutPermille), 0, 1000)
	f.between("bands.medium_from_minor", t.Bands.MediumFromMinor, 0, money.Max)
	f.between("bands.high_from_minor", t.Bands.HighFromMinor, t.Bands.MediumFromMinor, money.Max)
	f.between("cost_cap_permille", int64(t.CostCapPermille), 0, 1000)
	f.between("window_seconds", t.WindowSeconds, 1, mostSeconds)
	f.between("cool_down_days", int64(t.CoolDownDays), 0, mostDays)
	f.between("max_contacts", int64(t.MaxContacts), 0, 20)
	f.between("max_contacts_30_days", int64(t.MaxContacts30Days), 0, 100)
	t.offersFaults(f)
	t.stepsFaults(f)
	return f.faults
}

func (t Terms) offersFaults(f *faultFinder) {
	known := make(map[string]bool)
	for i, d := range t.Offers {
		at := fmt.Sprintf("offers[%d]", i)
		if !planCode.MatchString(d.Code) {
			f.fault(at+".code", "code_malformed", "must be a code: a-z, 0-9, _ and -, at most 64")
		}
		if known[d.Code] {
			f.fault(at+".code", "code_taken", "is the code of another offer of this plan")
		}
		known[d.Code] = true
		f.between(at+".points", d.Points, 0, ledger.MaxPoints)
		f.between(at+".cost_minor", d.CostMinor, 0, money.Max)
		if d.Points > 0 && d.CostMinor == 0 {
			f.fault(at+".cost_minor", "cost_required", "must say what the points cost: the cap is kept by it")
		}
		f.between(at+".valid_seconds", d.ValidSeconds, 1, mostSeconds)
	}
	for i, s := range t.Segments {
		at := fmt.Sprintf("segments[%d]", i)
		if s.Band != "" && s.Band != High && s.Band != Medium && s.Band != Low {
			f.fault(at+".value_band", "value_band_unknown", "must be high, medium or low")
		}
		if s.Reason != "" && !s.Reason.known() {
			f.fault(at+".reason", "reason_unknown", "must be one of the reasons")
		}
		if !known[s.Offer] {
			f.fault(at+".offer", "offer_unknown", "must be the code of one of the offers")
		}
	}
}

func (t Terms) stepsFaults(f *faultFinder) {
	var sum int64
	for i, s := range t.Steps {
		at := fmt.Sprintf("steps[%d]", i)
		switch s.Kind {
		case StepContact, StepOffer, StepReminder, StepSurvey:
		default:
			f.fault(at+".kind", "step_unknown", "must be contact, offer, reminder or survey")
		}
		if s.Kind == StepOffer && len(t.Segments) == 0 {
			f.fault(at+".kind", "segments_missing", "needs segments that say who is offered what")
		}
		f.between(at+".after_seconds", s.AfterSeconds, 0, mostSeconds)
		if !channelCode.MatchString(s.Channel) {
			f.fault(at+".channel", "code_malformed", "must be a code such as email")
		}
		sum += max(0, min(s.AfterSeconds, mostSeconds))
	}
	if sum >= t.WindowSeconds && t.WindowSeconds > 0 && len(t.Steps) > 0 {
		f.fault("steps", "steps_too_late", "must all be within window_seconds")
	}
}
