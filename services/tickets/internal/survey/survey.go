// Package survey asks customers how it was, and counts what they say: satisfaction, recommendation, effort and longer
// questionnaires, by a link that is answered once.
//
// A survey has a kind, questions in versions, and a promise: in anonymous mode no answer leads back to whoever gave it. An
// invitation asks one customer, by a process that asks accounts whether and how they may be reached. Its link carries a
// secret of 256 random bits of which only the hash is kept.
package survey

import (
	"fmt"
	"regexp"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Kind says what a survey measures.
type Kind string

// The kinds. All but the last have one question with the code [ScoreCode], whose answer is the survey's score.
const (
	CSAT          Kind = "csat"          // satisfaction, 1 to 5
	NPS           Kind = "nps"           // recommendation, 0 to 10
	CES           Kind = "ces"           // effort: "they made it easy", 1 to 7
	Questionnaire Kind = "questionnaire" // several questions, no score
)

// ScoreCode is the code of the question that gives the score.
const ScoreCode = "score"

// Scale gives the least and the greatest score of the kind; ok is false for questionnaires.
func (k Kind) Scale() (least, most int, ok bool) {
	switch k {
	case CSAT:
		return 1, 5, true
	case NPS:
		return 0, 10, true
	case CES:
		return 1, 7, true
	default:
		return 0, 0, false
	}
}

// QuestionKind is how a question is answered.
type QuestionKind string

// The kinds of questions.
const (
	Score    QuestionKind = "score"    // the survey's one; its scale is the survey's
	Single   QuestionKind = "single"   // one of the options
	Multiple QuestionKind = "multiple" // any number of the options
	Scale    QuestionKind = "scale"    // a number from min to max
	Text     QuestionKind = "text"     // words
	Kano     QuestionKind = "kano"     // a pair: how it is with a feature, and how without it, 1 (I like it) to 5 (I dislike it)
	ACSI     QuestionKind = "acsi"     // an item of the customer satisfaction index, 1 to 10; its role says which
	Ideal    QuestionKind = "ideal"    // a pair on the scale min to max: how the product is, and how it should be
)

// The roles of the three items of the customer satisfaction index.
const (
	RoleSatisfaction = "satisfaction"
	RoleExpectancy   = "expectancy"
	RoleIdeal        = "ideal"
)

// Words are a text by language (a tag such as "en" or "zh-Hans").
type Words map[string]string

// Option is what can be chosen.
type Option struct {
	Code string `json:"code"`
	Text Words  `json:"text"`
}

// Question is one question of a survey.
type Question struct {
	Code      string       `json:"code"`
	Kind      QuestionKind `json:"kind"`
	Text      Words        `json:"text"`              // of a Kano pair: with the feature
	Without   Words        `json:"without,omitempty"` // of a Kano pair alone
	Required  bool         `json:"required"`
	Options   []Option     `json:"options,omitempty"`
	Min       int          `json:"min"`
	Max       int          `json:"max"`
	Dimension string       `json:"dimension,omitempty"` // code of what it measures together with others
	Role      string       `json:"role,omitempty"`      // of an ACSI item
	Weight    float64      `json:"weight,omitempty"`    // of ideal and ACSI questions: more than 0
}

// Content is one version of a survey's questions.
type Content struct {
	Title     Words      `json:"title"`
	Language  string     `json:"language"` // used where the reader's is not there
	Questions []Question `json:"questions"`
}

// Survey is what can be asked.
type Survey struct {
	ID        uuid.UUID
	Version   int64 // of the survey, for optimistic locking
	Code      string
	Kind      Kind
	Anonymous bool
	Closed    bool  // nobody is invited any more; links that are out can still be answered
	Questions int64 // version of the questions
	Content   Content
	ChangedAt time.Time
}

const (
	maxQuestions = 60
	maxOptions   = 50
	maxText      = 2000 // characters of a question
	maxScale     = 100
)

var (
	code     = regexp.MustCompile(`^[a-z0-9][a-z0-9_]{0,63}$`)
	language = regexp.MustCompile(`^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$`)
)

// faults collects what is wrong with what somebody sent.
type faults []problem.Field

func (f *faults) add(location, code, format string, args ...any) {
	*f = append(*f, problem.Field{Location: location, Code: code, Message: fmt.Sprintf(format, args...)})
}

// Check names every field that is not right in a survey.
func (s Survey) Check() []problem.Field {
	var f faults
	if !code.MatchString(s.Code) {
		f.add("code", "code_invalid", "must be a code: a-z, 0-9 and _, at most 64")
	}
	c := s.Content
	if !language.MatchString(c.Language) {
		f.add("language", "language_invalid", "must be a language tag such as en or zh-Hans")
	}
	c.Title.check(&f, "title", c.Language, nil)
	languages := c.Languages()
	if n := len(c.Questions); n < 1 || n > maxQuestions {
		f.add("questions", "questions_count", "must be 1 to %d", maxQuestions)
		return f
	}
	seen := map[string]bool{}
	scores := 0
	for i, q := range c.Questions {
		at := fmt.Sprintf("questions[%d]", i)
		if !code.MatchString(q.Code) || seen[q.Code] {
			f.add(at+".code", "code_invalid", "must be a code (a-z, 0-9 and _, at most 64) that no other question has")
		}
		seen[q.Code] = true
		if q.Kind == Score {
			scores++
		}
		if (q.Kind == Score) != (q.Code == ScoreCode) {
			f.add(at+".code", "code_invalid", "the question that gives the score, and no other, has the code %s", ScoreCode)
		}
		q.check(&f, at, c.Language, languages)
	}
	if _, _, scored := s.Kind.Scale(); scored != (scores == 1) || scores > 1 {
		f.add("questions", "score_question", "a survey of the kind csat, nps or ces has one question of the kind score; a questionnaire has none")
	}
	return f
}

// Languages lists the languages of the content, sorted.
func (c Content) Languages() []string {
	all := make([]string, 0, len(c.Title))
	for tag := range c.Title {
		all = append(all, tag)
	}
	slices.Sort(all)
	return all
}

// In gives the text in the language, or else in the fallback.
func (w Words) In(tag, fallback string) string {
	if text, ok := w[tag]; ok {
		return text
	}
	return w[fallback]
}

// check holds a text to the languages of the survey; nil: it says which these are.
func (w Words) check(f *faults, at, own string, languages []string) {
	if _, ok := w[own]; !ok {
		f.add(at, "translation_missing", "must have a text in the survey's own language")
	}
	for _, tag := range languages {
		if _, ok := w[tag]; !ok && tag != own {
			f.add(at, "translation_missing", "must have a text in every language of the title; %s is missing", tag)
		}
	}
	for tag, text := range w {
		switch {
		case !language.MatchString(tag):
			f.add(at, "language_invalid", "every key must be a language tag such as en or zh-Hans")
		case languages != nil && !slices.Contains(languages, tag):
			f.add(at, "translation_unknown", "%s is no language of the title", tag)
		case text == "" || utf8.RuneCountInString(text) > maxText:
			f.add(at+"."+tag, "text_length", "must be 1 to %d characters", maxText)
		}
	}
}

// check names what is wrong with a question.
func (q Question) check(f *faults, at, own string, languages []string) {
	q.Text.check(f, at+".text", own, languages)
	if q.Kind == Kano {
		q.Without.check(f, at+".without", own, languages)
	} else if q.Without != nil {
		f.add(at+".without", "not_of_kind", "only a kano question has it")
	}
	if q.Dimension != "" && !code.MatchString(q.Dimension) {
		f.add(at+".dimension", "code_invalid", "must be a code: a-z, 0-9 and _, at most 64")
	}
	switch q.Kind {
	case Single, Multiple:
		q.checkOptions(f, at, own, languages)
	case Scale, Ideal:
		if q.Min < 0 || q.Max > maxScale || q.Min >= q.Max {
			f.add(at+".max", "scale_invalid", "min and max must be 0 to %d, max the greater", maxScale)
		}
	case Score, Text, Kano, ACSI:
	default:
		f.add(at+".kind", "kind_unknown", "is no kind of question")
	}
	if q.Kind != Single && q.Kind != Multiple && len(q.Options) > 0 {
		f.add(at+".options", "not_of_kind", "only single and multiple questions have options")
	}
	if (q.Kind == ACSI) != (q.Role != "") || q.Role != "" && !slices.Contains([]string{RoleSatisfaction, RoleExpectancy, RoleIdeal}, q.Role) {
		f.add(at+".role", "role_invalid", "an acsi question, and no other, has a role: satisfaction, expectancy or ideal")
	}
	if weighed := q.Kind == Ideal || q.Kind == ACSI; weighed != (q.Weight > 0) || q.Weight > 1000 {
		f.add(at+".weight", "weight_invalid", "ideal and acsi questions, and no others, have a weight of more than 0 and at most 1000")
	}
}

func (q Question) checkOptions(f *faults, at, own string, languages []string) {
	if n := len(q.Options); n < 2 || n > maxOptions {
		f.add(at+".options", "options_count", "must be 2 to %d", maxOptions)
	}
	seen := map[string]bool{}
	for i, o := range q.Options {
		here := fmt.Sprintf("%s.options[%d]", at, i)
		if !code.MatchString(o.Code) || seen[o.Code] {
			f.add(here+".code", "code_invalid", "must be a code (a-z, 0-9 and _, at most 64) that no other option has")
		}
		seen[o.Code] = true
		o.Text.check(f, here+".text", own, languages)
	}
}

// Settled fills in what follows from the kinds.
func (s Survey) Settled() Survey {
	s.Content.Questions = slices.Clone(s.Content.Questions)
	for i := range s.Content.Questions {
		q := &s.Content.Questions[i]
		switch q.Kind {
		case Score:
			q.Min, q.Max, _ = s.Kind.Scale()
			q.Required = true
		case Kano:
			q.Min, q.Max = 1, 5
		case ACSI:
			q.Min, q.Max = 1, 10
		}
	}
	return s
}

// Comparable names the questions that mean something else under a code that was used before: their answers could not be
// counted together. Options may be added, not taken away; a question may be left out.
func (s Survey) Comparable(before []Question) []problem.Field {
	var f faults
	was := map[string]Question{}
	for _, q := range before {
		was[q.Code] = q
	}
	for i, q := range s.Content.Questions {
		old, there := was[q.Code]
		if !there {
			continue
		}
		at := fmt.Sprintf("questions[%d]", i)
		if q.Kind != old.Kind || q.Min != old.Min || q.Max != old.Max || q.Role != old.Role {
			f.add(at+".code", "question_changed", "had another kind or scale: give the new question a code of its own")
		}
		for _, o := range old.Options {
			if !slices.ContainsFunc(q.Options, func(n Option) bool { return n.Code == o.Code }) {
				f.add(at+".options", "question_changed", "option %s was there: give the new question a code of its own", o.Code)
			}
		}
	}
	return f
}
