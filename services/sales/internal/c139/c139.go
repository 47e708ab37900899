// Package c139 keeps what has to be clear of a great opportunity, and whether it is going to be won: nine things to have
// clear (C), three signs of leading (F, being in front) and one that decides (W, the win). A card reads 6C 2F 1W.
//
// Whatever is said needs evidence, and a coach on the customer's side may confirm it. What the signs are can be seen in the
// decision structure as well: the contacts of the opportunity with their part, influence and leaning. Where people and
// structure disagree both are shown, and the sign counts for nothing until that is settled.
package c139

import (
	"fmt"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Entry is what is known of one item of a card.
type Entry struct {
	Code     string
	Holds    *bool     // a thing is clear, a sign is seen; nil: nobody says
	Known    string    // what is known, in words; personal, as is Evidence
	Evidence string    // by what
	Coach    uuid.UUID // the contact who confirmed it; Nil: nobody did
	On       time.Time // the day of which it is known, at midnight UTC
	Since    time.Time // when Holds became what it is; of an item of which nothing was ever said, the opening
	Version  int       // that wrote it; 0: none did
	By       string    // subject of whoever wrote it
	At       time.Time // when it was written
	Erased   bool      // its words were taken away with a customer
}

// holds tells whether somebody says so, with evidence. Evidence that was erased was there.
func (e Entry) holds() bool { return e.Holds != nil && *e.Holds }

// says tells whether two entries say the same of their item.
func (e Entry) says(o Entry) bool {
	return (e.Holds == nil) == (o.Holds == nil) && e.holds() == o.holds() && e.Known == o.Known && e.Evidence == o.Evidence && e.Coach == o.Coach &&
		e.On.Equal(o.On) && e.Erased == o.Erased
}

// Card is what is known of an opportunity at one time.
type Card struct {
	Opportunity uuid.UUID
	Version     int // the latest; 0: nothing was ever written
	Edition     int // how often people changed it
	At          time.Time
	By          string
	Entries     map[string]Entry // by code; an item of which nothing was ever said is not there
	Computed    Computed
}

// Counts is what a card comes to.
type Counts struct {
	Clear    int // things, 0 to 9
	Coached  int // of them, confirmed by a coach
	Leading  int // signs of leading, 0 to 3
	Deciding int // 0 or 1
}

// String shows the counts as people say them: 6C 2F 1W.
func (c Counts) String() string { return fmt.Sprintf("%dC %dF %dW", c.Clear, c.Leading, c.Deciding) }

// Counts counts what holds.
func (c Card) Counts() (n Counts) {
	for _, item := range Items() {
		e := c.Entries[item.Code]
		switch {
		case item.Kind == Thing && e.holds():
			n.Clear++
			if e.Coach != uuid.Nil {
				n.Coached++
			}
		case item.Kind == Leading && c.Sign(item).Counts:
			n.Leading++
		case item.Kind == Deciding && c.Sign(item).Counts:
			n.Deciding++
		}
	}
	return n
}

// Sign is what is to be thought of a sign.
type Sign struct {
	Said     *bool // by people; nil: they say nothing
	Computed *bool // of the decision structure; nil: it cannot tell
	Disputed bool  // people and structure disagree
	Counts   bool
}

// Sign weighs what people say of a sign and what the structure says. In a dispute neither counts. A sign of leading of which
// people say nothing counts by the structure alone; the one that decides does not: a win is not claimed without evidence.
func (c Card) Sign(item Item) Sign {
	s := Sign{Said: c.Entries[item.Code].Holds, Computed: c.Computed.of(item.Code)}
	s.Disputed = s.Said != nil && s.Computed != nil && *s.Said != *s.Computed
	switch {
	case s.Disputed:
	case s.Said != nil:
		s.Counts = *s.Said
	default:
		s.Counts = item.Kind == Leading && s.Computed != nil && *s.Computed
	}
	return s
}

// maxWords is how long what is known and its evidence may each be, in characters.
const maxWords = 4000

// Change is what somebody wants to say of items; those that are left out stay as they are.
type Change []Entry

// faults notes what is wrong with a change: of the entry i of the body, where contacts are those of the opportunity and
// tomorrow is the first day of which nothing can be known yet, anywhere on earth.
func (c Change) faults(structure Structure, tomorrow time.Time) (faults []problem.Field) {
	seen := make(map[string]bool, len(c))
	for i, e := range c {
		note := func(field, code, message string) {
			faults = append(faults, problem.Field{Location: fmt.Sprintf("entries[%d].%s", i, field), Code: code, Message: message})
		}
		item, known := Find(e.Code)
		if !known {
			note("code", "item_unknown", "must be the code of a thing or a sign of the card")
			continue
		}
		if seen[e.Code] {
			note("code", "item_twice", "stands in the list already")
		}
		seen[e.Code] = true
		for _, text := range []struct{ field, words string }{{"known", e.Known}, {"evidence", e.Evidence}} {
			if utf8.RuneCountInString(text.words) > maxWords {
				note(text.field, "too_long", fmt.Sprintf("must be at most %d characters", maxWords))
			}
		}
		if e.holds() && item.Kind == Thing && !telling(e.Known) {
			note("known", "known_missing", "what is clear can be said in words")
		}
		if e.holds() && !telling(e.Evidence) {
			note("evidence", "evidence_missing", "what is clear, and what decides, needs evidence: by what is it known?")
		}
		if e.Coach != uuid.Nil && !e.holds() {
			note("coach_id", "nothing_to_confirm", "confirms what holds; this does not")
		}
		if e.Coach != uuid.Nil && !structure.coach(e.Coach) {
			note("coach_id", "coach_unknown", "must be a contact of the opportunity whose role is coach")
		}
		if !e.On.Before(tomorrow) || e.On.Year() < 1900 {
			note("on", "out_of_range", "must be a day from 1900 on that is not in the future")
		}
	}
	return faults
}

// telling tells whether a text says anything: that it has at least three letters or figures, or two where they are ideographs.
func telling(text string) bool {
	n := 0
	for _, r := range text {
		switch {
		case unicode.Is(unicode.Han, r):
			n += 3
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			n += 2
		}
	}
	return n >= 6
}

// Apply gives the card after a change at a time, and the entries that are others by it; none where all was so already.
func (c Card) Apply(change Change, opened time.Time, by string, at time.Time) (Card, []Entry) {
	next := c
	next.Entries = make(map[string]Entry, len(c.Entries)+len(change))
	for code, e := range c.Entries {
		next.Entries[code] = e
	}
	var changed []Entry
	for _, e := range change {
		was, there := c.Entries[e.Code]
		if there && was.says(e) {
			continue
		}
		e.By, e.At, e.Since, e.Version = by, at, at, c.Version+1
		if there && was.holds() == e.holds() {
			e.Since = was.Since
		} else if !there && !e.holds() {
			e.Since = opened
		}
		next.Entries[e.Code] = e
		changed = append(changed, e)
	}
	if len(changed) > 0 {
		next.Version, next.Edition, next.At, next.By = c.Version+1, c.Edition+1, at, by
	}
	return next, changed
}
