// Package touchpoint keeps a tenant's catalogue of where it meets its customers, by the stage of their journey.
// Interactions and surveys name one by its code.
package touchpoint

import (
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Stage is how far a customer has come on the journey.
type Stage string

// The stages, in the order of the journey.
const (
	Awareness     Stage = "awareness"
	Consideration Stage = "consideration"
	Purchase      Stage = "purchase"
	Service       Stage = "service"
	Loyalty       Stage = "loyalty"
)

// Stages lists the stages, in the order of the journey.
func Stages() []Stage { return []Stage{Awareness, Consideration, Purchase, Service, Loyalty} }

// Channel is the way by which a customer and the organisation meet.
type Channel string

// The channels.
const (
	Counter Channel = "counter"
	Phone   Channel = "phone"
	Email   Channel = "email"
	SMS     Channel = "sms"
	Web     Channel = "web"
	WeChat  Channel = "wechat"
	Social  Channel = "social"
	Visit   Channel = "visit"
)

// Channels lists the channels.
func Channels() []Channel {
	return []Channel{Counter, Phone, Email, SMS, Web, WeChat, Social, Visit}
}

// Touchpoint is one place where customers are met.
type Touchpoint struct {
	Code      string // of the tenant; it never changes
	Version   int64  // from 1, one more with every change
	Title     string // what people read
	Stage     Stage
	Channel   Channel // empty: on any
	Archived  bool    // kept for what names it; nothing new may
	CreatedAt time.Time
	ChangedAt time.Time
}

// Draft is a touchpoint that is about to be made.
type Draft struct {
	Code, Title string
	Stage       Stage
	Channel     Channel
}

const maxTitle = 200 // characters

var codeShape = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)

// Code tells whether s can be a code: 1 to 64 lower-case letters, digits, - and _, the first a letter or digit.
func Code(s string) bool { return codeShape.MatchString(s) }

// Create makes a touchpoint of the draft, or names every field that is not right.
func Create(d Draft, now time.Time) (Touchpoint, []problem.Field) {
	t := Touchpoint{Code: d.Code, Version: 1, CreatedAt: now, ChangedAt: now}
	var faults []problem.Field
	if !Code(d.Code) {
		faults = append(faults, problem.Field{Location: "code", Code: "code_malformed",
			Message: "must be a code of 1 to 64 lower-case letters, digits, - and _"})
	}
	t, more := t.with(d.Title, d.Stage, d.Channel)
	return t, append(faults, more...)
}

// Patch is a change of a touchpoint; what is nil stays as it is.
type Patch struct {
	Title   *string
	Stage   *Stage
	Channel *Channel
}

// Change gives the touchpoint with the changes of the patch, or names every field that is not right. One that changes
// nothing gives the same version.
func (t Touchpoint) Change(p Patch, now time.Time) (Touchpoint, []problem.Field) {
	title, stage, channel := t.Title, t.Stage, t.Channel
	if p.Title != nil {
		title = *p.Title
	}
	if p.Stage != nil {
		stage = *p.Stage
	}
	if p.Channel != nil {
		channel = *p.Channel
	}
	changed, faults := t.with(title, stage, channel)
	if len(faults) > 0 || changed == t {
		return t, faults
	}
	changed.Version, changed.ChangedAt = t.Version+1, now
	return changed, nil
}

// Archive gives the touchpoint in the archive, or out of it; one that is there already stays as it is.
func (t Touchpoint) Archive(archived bool, now time.Time) Touchpoint {
	if t.Archived != archived {
		t.Archived, t.Version, t.ChangedAt = archived, t.Version+1, now
	}
	return t
}

func (t Touchpoint) with(title string, stage Stage, channel Channel) (Touchpoint, []problem.Field) {
	var faults []problem.Field
	t.Title, t.Stage, t.Channel = norm.NFC.String(strings.TrimSpace(title)), stage, channel
	if n := utf8.RuneCountInString(t.Title); n < 1 || n > maxTitle || strings.ContainsFunc(t.Title, unicode.IsControl) {
		faults = append(faults, problem.Field{Location: "title", Code: "title_malformed", Message: "must be 1 to 200 characters in one line"})
	}
	if !slices.Contains(Stages(), stage) {
		faults = append(faults, problem.Field{Location: "stage", Code: "stage_unknown",
			Message: "must be awareness, consideration, purchase, service or loyalty"})
	}
	if channel != "" && !slices.Contains(Channels(), channel) {
		faults = append(faults, problem.Field{Location: "channel", Code: "channel_unknown",
			Message: "must be empty or counter, phone, email, sms, web, wechat, social or visit"})
	}
	return t, faults
}

// Takes says what is wrong with naming the touchpoint for something new that came by the channel; nil: nothing.
func (t Touchpoint) Takes(c Channel) *problem.Field {
	switch {
	case t.Archived:
		return &problem.Field{Location: "touchpoint", Code: "touchpoint_archived", Message: "is in the archive of the catalogue"}
	case t.Channel != "" && t.Channel != c:
		return &problem.Field{Location: "touchpoint", Code: "touchpoint_channel", Message: "is one of the channel " + string(t.Channel)}
	}
	return nil
}
