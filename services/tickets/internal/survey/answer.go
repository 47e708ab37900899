package survey

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

const (
	secretBytes  = 32   // of a link: 256 random bits
	maxWords     = 5000 // characters of an answer in words
	lockedAfter  = 14 * 24 * time.Hour
	maxTokenText = 64
	mixed        = 5 // answers in anonymous mode are kept together, so that none can be told by its moment
)

// newSecret gives the secret of a link and the hash by which it is found again. The secret has more bits than could ever be
// guessed, so that a plain hash is as good as a slow one.
func newSecret() (secret string, hash []byte) {
	var raw [secretBytes]byte
	_, _ = rand.Read(raw[:]) // never fails, says crypto/rand
	secret = base64.RawURLEncoding.EncodeToString(raw[:])
	return secret, hashSecret(secret)
}

// hashSecret gives the hash of whatever somebody says is a secret.
func hashSecret(secret string) []byte {
	if len(secret) > maxTokenText {
		secret = secret[:maxTokenText] // longer than any: it finds nothing either way
	}
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

// Given is what somebody answered to one question.
type Given struct {
	Question  string
	Number    *int     // of score, scale and acsi
	Choices   []string // of single (one) and multiple
	Words     string   // of text
	With      *int     // of a Kano pair
	Without   *int
	Perceived *int // of an ideal question
	Ideal     *int
}

// value is one row of an answer. Its JSON form lies in the urn.
type value struct {
	Question string `json:"question"`
	Part     string `json:"part,omitempty"`
	Choice   string `json:"choice,omitempty"`
	Number   *int   `json:"number,omitempty"`
}

// filled is an answer that was found to be right.
type filled struct {
	Score  *int              `json:"score,omitempty"`
	Values []value           `json:"values"`
	Words  map[string]string `json:"words,omitempty"` // by question
}

// The parts of questions whose answers have several.
const (
	partWith      = "functional"
	partWithout   = "dysfunctional"
	partCategory  = "category"
	partPerceived = "perceived"
	partIdeal     = "ideal"
	partGap       = "gap"
	partChosen    = "chosen" // of a question with several choices: how many there were
)

// fill holds answers against the questions and names every field that is not right; each question may be answered once, and
// those that are required must be.
func (c Content) fill(answers []Given) (filled, []problem.Field) {
	var f faults
	done := filled{Words: map[string]string{}}
	answered := map[string]bool{}
	for i, g := range answers {
		at := fmt.Sprintf("answers[%d]", i)
		n := slices.IndexFunc(c.Questions, func(q Question) bool { return q.Code == g.Question })
		if n < 0 || answered[g.Question] {
			f.add(at+".question", "question_unknown", "must be the code of a question of this survey, each once")
			continue
		}
		answered[g.Question] = true
		c.Questions[n].fill(&done, &f, at, g)
	}
	for _, q := range c.Questions {
		if q.Required && !answered[q.Code] {
			f.add("answers", "answer_missing", "the question %s must be answered", q.Code)
		}
	}
	return done, f
}

// strangers names the fields of an answer that its question does not have.
func (q Question) strangers(f *faults, at string, g Given) {
	for _, one := range []struct {
		name  string
		there bool
		kinds []QuestionKind
	}{
		{"number", g.Number != nil, []QuestionKind{Score, Scale, ACSI}},
		{"choices", len(g.Choices) > 0, []QuestionKind{Single, Multiple}},
		{"words", g.Words != "", []QuestionKind{Text}},
		{"with", g.With != nil, []QuestionKind{Kano}},
		{"without", g.Without != nil, []QuestionKind{Kano}},
		{"perceived", g.Perceived != nil, []QuestionKind{Ideal}},
		{"ideal", g.Ideal != nil, []QuestionKind{Ideal}},
	} {
		if one.there && !slices.Contains(one.kinds, q.Kind) {
			f.add(at+"."+one.name, "not_of_kind", "a question of the kind %s is not answered by it", q.Kind)
		}
	}
}

func (q Question) fill(done *filled, f *faults, at string, g Given) {
	q.strangers(f, at, g)
	number := func(name, part string, n *int) bool {
		if n == nil || *n < q.Min || *n > q.Max {
			f.add(at+"."+name, "out_of_range", "must be a whole number from %d to %d", q.Min, q.Max)
			return false
		}
		done.Values = append(done.Values, value{Question: q.Code, Part: part, Number: n})
		return true
	}
	switch q.Kind {
	case Score:
		if number("number", "", g.Number) {
			done.Score = g.Number
		}
	case Scale, ACSI:
		number("number", "", g.Number)
	case Single, Multiple:
		q.fillChoices(done, f, at, g)
	case Text:
		words := strings.TrimSpace(g.Words)
		if n := utf8.RuneCountInString(words); n > maxWords || n == 0 {
			f.add(at+".words", "words_length", "must be 1 to %d characters", maxWords)
			return
		}
		done.Words[q.Code] = words
	case Kano:
		with, without := number("with", partWith, g.With), number("without", partWithout, g.Without)
		if with && without {
			done.Values = append(done.Values, value{Question: q.Code, Part: partCategory, Choice: string(Categorise(*g.With, *g.Without))})
		}
	case Ideal:
		is, should := number("perceived", partPerceived, g.Perceived), number("ideal", partIdeal, g.Ideal)
		if is && should {
			gap := max(*g.Ideal-*g.Perceived, *g.Perceived-*g.Ideal)
			done.Values = append(done.Values, value{Question: q.Code, Part: partGap, Number: &gap})
		}
	}
}

func (q Question) fillChoices(done *filled, f *faults, at string, g Given) {
	seen := map[string]bool{}
	for i, choice := range g.Choices {
		known := slices.ContainsFunc(q.Options, func(o Option) bool { return o.Code == choice })
		if !known || seen[choice] {
			f.add(fmt.Sprintf("%s.choices[%d]", at, i), "choice_unknown", "must be the code of an option of this question, each once")
			continue
		}
		seen[choice] = true
		done.Values = append(done.Values, value{Question: q.Code, Choice: choice})
	}
	if len(g.Choices) == 0 || q.Kind == Single && len(g.Choices) > 1 {
		f.add(at+".choices", "choices_count", "must name one option; a question of the kind multiple takes several")
	}
	if q.Kind == Multiple {
		n := len(seen)
		done.Values = append(done.Values, value{Question: q.Code, Part: partChosen, Number: &n})
	}
}

// day is the day of a time in UTC.
func day(at time.Time) time.Time { return at.UTC().Truncate(24 * time.Hour) }

// dayID gives an id that tells its day and nothing more: a UUIDv7 whose time is the day's beginning and whose other bits are
// random. So ids of anonymous answers do not tell in which order, or when, they were given.
func dayID(at time.Time) (id uuid.UUID) {
	_, _ = rand.Read(id[:]) // never fails, says crypto/rand
	ms := make([]byte, 8)
	binary.BigEndian.PutUint64(ms, uint64(day(at).UnixMilli()))
	copy(id[:6], ms[2:])
	id[6] = id[6]&0x0f | 0x70 // version 7
	id[8] = id[8]&0x3f | 0x80 // variant
	return id
}
