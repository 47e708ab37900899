package c139

import (
	"fmt"
	"time"

	"github.com/guanxi-crm/guanxi/platform/proportion"
)

// Query says which closed opportunities are measured, and as of when their cards.
type Query struct {
	From, Until time.Time // closed within; until is not included
	DaysBefore  int       // the card as it stood so many days of 24 hours before the closing
	Pipeline    string    // code; empty: all
	Least       int       // as many closed make a rate
}

// outcomes counts closed opportunities whose cards counted the same.
type outcomes struct {
	carded bool // there was a card
	Counts
	won, lost int
}

// Band is how many were won of the opportunities whose cards counted within it.
type Band struct {
	By        string // clear, leading, deciding, or card for whether there was one
	Name      string // such as 4-6; of by card all and none
	Low, High int    // what the cards counted, both included
	Won, Lost int
	Rate      proportion.Interval // with its interval of 95 %; zero unless Enough
	Enough    bool                // enough were closed to tell
}

// bands are those that are measured, by what they count.
func bands() []Band {
	return []Band{
		{By: "clear", Low: 0, High: 3}, {By: "clear", Low: 4, High: 6}, {By: "clear", Low: 7, High: 9},
		{By: "leading", Low: 0, High: 0}, {By: "leading", Low: 1, High: 1}, {By: "leading", Low: 2, High: 2}, {By: "leading", Low: 3, High: 3},
		{By: "deciding", Low: 0, High: 0}, {By: "deciding", Low: 1, High: 1},
		{By: "card", Name: "all", High: 1}, {By: "card", Name: "none"},
	}
}

// counts gives what the band counts of a card, and whether cards like it are counted in it at all.
func (b Band) counts(o outcomes) (int, bool) {
	switch b.By {
	case "clear":
		return o.Clear, o.carded
	case "leading":
		return o.Leading, o.carded
	case "deciding":
		return o.Deciding, o.carded
	}
	return 0, o.carded == (b.Name == "all")
}

// rates sorts outcomes into the bands and measures those with at least so many. Opportunities without a card are in the last band
// alone: that nobody asked is not that nothing was clear.
func rates(all []outcomes, least int) []Band {
	measured := bands()
	for i := range measured {
		b := &measured[i]
		for _, o := range all {
			if n, counted := b.counts(o); counted && b.Low <= n && n <= b.High {
				b.Won += o.won
				b.Lost += o.lost
			}
		}
		if b.Name == "" {
			b.Name = fmt.Sprint(b.Low)
			if b.High > b.Low {
				b.Name = fmt.Sprintf("%d-%d", b.Low, b.High)
			}
		}
		if closed := b.Won + b.Lost; closed >= max(1, least) {
			b.Rate, b.Enough = proportion.Wilson(b.Won, closed), true
		}
	}
	return measured
}
