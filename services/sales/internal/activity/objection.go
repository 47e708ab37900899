package activity

import (
	"cmp"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/proportion"
)

// Objection is something that customers object.
type Objection struct {
	Code      string
	Version   int64
	Text      Wording // 1 to 500 characters each
	Archived  bool
	ChangedAt time.Time
	ChangedBy string
}

// Answer is something to say to an objection. Its text never changes: what followed belongs to the words that were said.
type Answer struct {
	ID         uuid.UUID // UUIDv7
	Objection  string    // code
	Text       Wording   // 1 to 2,000 characters each
	Author     string    // subject
	CreatedAt  time.Time
	ArchivedAt time.Time
}

// Library is what a completed activity may name: objections and their answers that are not archived.
type Library struct {
	Objection string      // code of the one that was asked for, where there is one
	Answers   []uuid.UUID // to it
}

func (l Library) has(code string) bool { return l.Objection == code }

func (l Library) answers(code string, id uuid.UUID) bool {
	return l.has(code) && slices.Contains(l.Answers, id)
}

// Move is a change of an opportunity's stage.
type Move struct{ Pipeline, From, To string }

// Given is one time that an answer was given, with what followed within the window after it.
type Given struct {
	Answer    uuid.UUID
	At        time.Time
	Won, Lost bool   // the opportunity, or the lead
	Converted bool   // the lead
	Moves     []Move // of the opportunity, while it stayed open
	Next      Effect // of the next activity with the same customer; empty: there was none
}

// Followed says what became of one time that an answer was given.
type Followed string

// What can follow.
const (
	Worked  Followed = "worked"
	Failed  Followed = "failed"
	Nothing Followed = "nothing"
	Waiting Followed = "waiting" // the window is not over
)

// followed judges one time. Until the window is over nothing counts: what is good is heard of sooner than what is not. Then a loss
// outweighs, then a win or a step forward, then the next activity; nothing of all that is no success.
func (g Given) followed(window time.Duration, now time.Time, forward func(Move) bool) Followed {
	switch {
	case now.Before(g.At.Add(window)):
		return Waiting
	case g.Won:
		return Worked
	case g.Lost:
		return Failed
	case g.Converted || slices.ContainsFunc(g.Moves, forward):
		return Worked
	case g.Next == Good:
		return Worked
	case g.Next == Bad:
		return Failed
	}
	return Nothing
}

// Ranked is an answer with what followed where it was given.
type Ranked struct {
	Answer
	Given, Worked, Failed, Nothing, Waiting int                 // Given is all of the others
	Rate                                    proportion.Interval // of those that do not wait, worked; zero where there are none
	Enough                                  bool                // there are enough to tell
}

// rank orders answers by what followed: those of which there is enough to tell first, by the lower end of the interval of 95 %, which
// puts one that worked nine times of ten before one that worked once of once; then those that were tried more often; then the oldest.
func rank(answers []Answer, history []Given, window time.Duration, least int, now time.Time, forward func(Move) bool) []Ranked {
	all, at := make([]Ranked, len(answers)), make(map[uuid.UUID]int, len(answers))
	for i, a := range answers {
		all[i], at[a.ID] = Ranked{Answer: a}, i
	}
	for _, g := range history {
		i, known := at[g.Answer]
		if !known {
			continue
		}
		all[i].Given++
		switch g.followed(window, now, forward) {
		case Worked:
			all[i].Worked++
		case Failed:
			all[i].Failed++
		case Nothing:
			all[i].Nothing++
		case Waiting:
			all[i].Waiting++
		}
	}
	for i := range all {
		if n := all[i].Given - all[i].Waiting; n > 0 {
			all[i].Rate, all[i].Enough = proportion.Wilson(all[i].Worked, n), n >= least
		}
	}
	slices.SortStableFunc(all, func(a, b Ranked) int {
		if a.Enough != b.Enough {
			return map[bool]int{true: -1, false: 1}[a.Enough]
		}
		return cmp.Or(cmp.Compare(b.Rate.Low, a.Rate.Low), cmp.Compare(b.Given-b.Waiting, a.Given-a.Waiting))
	})
	return all
}
