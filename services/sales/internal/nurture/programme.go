package nurture

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/sales/internal/pipeline"
)

// Programme is how leads are warmed up, by one version of its terms.
type Programme struct {
	Code    string
	Version int64 // from 1, one more with every change; 0: there is none yet
	ProgrammeTerms
	ChangedAt time.Time
	By        string // subject of whoever changed it
}

// Silence says what becomes of a lead of which nothing was heard to the end.
type Silence string

// What becomes of it.
const (
	Recycle Silence = "recycle" // sales has it again
	Lose    Silence = "lose"    // it is lost
)

// ProgrammeTerms are what a programme says.
type ProgrammeTerms struct {
	Name           string           `json:"name" maxLength:"200" doc:"For people." example:"Welcome"`
	Active         bool             `json:"active" doc:"Whether leads are taken into it. Those that are in it go on."`
	Touches        []ProgrammeTouch `json:"touches" nullable:"false" minItems:"1" maxItems:"50" doc:"What the lead hears, one after the other."`
	SilenceSeconds int64            `json:"silence_seconds" minimum:"0" maximum:"31622400" doc:"After the last touch; then the lead is silent to the end." example:"1209600"`
	HandOverScore  float64          `json:"hand_over_score,omitempty" minimum:"0" maximum:"99.99" doc:"Score in percent from which on the lead goes to sales; 0: whatever it is." example:"40"`
	OnSilence      Silence          `json:"on_silence" enum:"recycle,lose" doc:"What becomes of a lead that is silent to the end. recycle: sales has it again. lose: it is lost."`
	LostReason     string           `json:"lost_reason,omitempty" maxLength:"64" doc:"Code of why it is lost then; one of the tenant's reasons for leads." example:"no_answer"`
	AgreedField    string           `json:"agreed_field,omitempty" maxLength:"64" doc:"Name of the tenant's own field, yes or no, by which whoever filled in a form agreed to hear from us. A lead that accounts does not know is touched only where it says yes; left out: never." example:"newsletter_agreed"`
}

// threshold is HandOverScore in hundredths of a percent, as scores are kept.
func (p ProgrammeTerms) threshold() int32 { return int32(math.Round(100 * p.HandOverScore)) }

// ProgrammeTouch is what a lead hears.
type ProgrammeTouch struct {
	Code         string `json:"code" maxLength:"64" doc:"Of what it hears, as whoever sends it knows it." example:"white_paper"`
	AfterSeconds int64  `json:"after_seconds" minimum:"0" maximum:"31622400" doc:"After the touch before, or the beginning." example:"259200"`
	Channel      string `json:"channel,omitempty" maxLength:"32" doc:"To be used; left out: whichever the customer prefers of those that are allowed." example:"email"`
}

func (t ProgrammeTouch) wait() time.Duration { return time.Duration(t.AfterSeconds) * time.Second }

const (
	maxTouches = 50
	maxName    = 200 // characters
	mostWait   = 366 * 24 * 3600
	mostScore  = 9999 // hundredths of a percent
)

var (
	channelPattern = regexp.MustCompile(`^[a-z0-9_]{0,32}$`)
	fieldPattern   = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)
)

type faults []problem.Field

func (f *faults) add(location, code, message string) {
	*f = append(*f, problem.Field{Location: location, Code: code, Message: message})
}

func (f *faults) between(location string, n, least, most int64) {
	if n < least || n > most {
		f.add(location, "out_of_range", fmt.Sprintf("must be %d to %d", least, most))
	}
}

// check gives the programme as it is kept, or names every field that is not right.
func (p Programme) check(reasons *pipeline.Reasons) (Programme, faults) {
	var f faults
	if !pipeline.Coded(p.Code) {
		f.add("code", "code_malformed", "must be a code of 1 to 64 lower-case letters, digits, - and _, beginning with a letter or a digit")
	}
	p.Name = strings.Join(strings.Fields(norm.NFC.String(p.Name)), " ")
	if n := utf8.RuneCountInString(p.Name); n < 1 || n > maxName || strings.ContainsFunc(p.Name, unicode.IsControl) {
		f.add("name", "name_malformed", "must be 1 to 200 characters in one line")
	}
	if n := len(p.Touches); n < 1 || n > maxTouches {
		f.add("touches", "out_of_range", "must be 1 to 50")
	}
	p.Touches = slices.Clone(p.Touches)
	for i, t := range p.Touches {
		at := fmt.Sprintf("touches[%d]", i)
		if !pipeline.Coded(t.Code) {
			f.add(at+".code", "code_malformed", "must be a code of 1 to 64 lower-case letters, digits, - and _, beginning with a letter or a digit")
		}
		f.between(at+".after_seconds", t.AfterSeconds, 0, mostWait)
		if !channelPattern.MatchString(t.Channel) {
			f.add(at+".channel", "code_malformed", "must be a code such as email")
		}
	}
	f.between("silence_seconds", p.SilenceSeconds, 0, mostWait)
	f.between("hand_over_score", int64(p.threshold()), 0, mostScore)
	if p.AgreedField != "" && !fieldPattern.MatchString(p.AgreedField) {
		f.add("agreed_field", "field_malformed", "must be the name of a field")
	}
	switch p.OnSilence {
	case Recycle:
		if p.LostReason != "" {
			f.add("lost_reason", "reason_needless", "must be left out: the lead is not lost")
		}
	case Lose:
		f = append(f, reasons.Fault("lost_reason", p.LostReason, pipeline.LostLead)...)
	default:
		f.add("on_silence", "on_silence_unknown", "must be recycle or lose")
	}
	return p, f
}
