package survey_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/guanxi-crm/guanxi/services/tickets/internal/survey"
)

func text(s string) survey.Words { return survey.Words{"en": s, "zh": s} }

// several is a questionnaire with a question of every kind.
func several() survey.Survey {
	return survey.Survey{Code: "several", Kind: survey.Questionnaire, Content: survey.Content{
		Title: text("Several"), Language: "en", Questions: []survey.Question{
			{Code: "one", Kind: survey.Single, Text: text("One?"), Required: true, Options: []survey.Option{{"a", text("A")}, {"b", text("B")}}},
			{Code: "many", Kind: survey.Multiple, Text: text("Many?"), Options: []survey.Option{{"a", text("A")}, {"b", text("B")}, {"c", text("C")}}},
			{Code: "much", Kind: survey.Scale, Text: text("How much?"), Min: 1, Max: 7, Dimension: "ability"},
			{Code: "words", Kind: survey.Text, Text: text("Why?")},
			{Code: "pair", Kind: survey.Kano, Text: text("With?"), Without: text("Without?")},
			{Code: "index", Kind: survey.ACSI, Text: text("Over all?"), Role: survey.RoleSatisfaction, Weight: 1},
			{Code: "gap", Kind: survey.Ideal, Text: text("Size?"), Min: 1, Max: 9, Weight: 2},
		},
	}}
}

func TestReadySurveysAreRight(t *testing.T) {
	t.Parallel()
	all := survey.Templates()
	for name, s := range all {
		s.Code = name
		if faults := s.Check(); len(faults) > 0 {
			t.Errorf("%s: %v", name, faults)
		}
		if !slices.Equal(s.Content.Languages(), []string{"de", "en", "zh"}) {
			t.Errorf("%s speaks %v", name, s.Content.Languages())
		}
	}
	dimensions := func(name string) (found []string) {
		for _, q := range all[name].Content.Questions {
			if !slices.Contains(found, q.Dimension) {
				found = append(found, q.Dimension)
			}
		}
		return found
	}
	if got := dimensions("trust"); !slices.Equal(got, []string{"ability", "integrity", "benevolence"}) {
		t.Errorf("trust measures %v", got)
	}
	if got := dimensions("online_service"); !slices.Equal(got, []string{"system", "information", "reliability", "humanity"}) {
		t.Errorf("online service measures %v", got)
	}
}

func TestSurveysThatAreNotRightAreRefused(t *testing.T) {
	t.Parallel()
	good := several().Settled()
	if faults := good.Check(); len(faults) > 0 {
		t.Fatal(faults)
	}
	long := strings.Repeat("好", 2001)
	for name, c := range map[string]struct {
		change func(s *survey.Survey)
		want   string // location and code
	}{
		"no code":                       {func(s *survey.Survey) { s.Code = "" }, "code code_invalid"},
		"a code with a space":           {func(s *survey.Survey) { s.Code = "a b" }, "code code_invalid"},
		"no language":                   {func(s *survey.Survey) { s.Content.Language = "" }, "language language_invalid"},
		"a title in another language":   {func(s *survey.Survey) { s.Content.Title = survey.Words{"zh": "多"} }, "title translation_missing"},
		"no questions":                  {func(s *survey.Survey) { s.Content.Questions = nil }, "questions questions_count"},
		"a question twice":              {func(s *survey.Survey) { s.Content.Questions[1].Code = "one" }, "questions[1].code code_invalid"},
		"a question without a language": {func(s *survey.Survey) { s.Content.Questions[0].Text = survey.Words{"en": "One?"} }, "questions[0].text translation_missing"},
		"a language that the title has not": {func(s *survey.Survey) {
			s.Content.Questions[0].Text = survey.Words{"en": "One?", "zh": "一", "fr": "Un?"}
		}, "questions[0].text translation_unknown"},
		"an empty text":             {func(s *survey.Survey) { s.Content.Questions[0].Text = text("") }, "questions[0].text.en text_length"},
		"a text without end":        {func(s *survey.Survey) { s.Content.Questions[0].Text = text(long) }, "questions[0].text.en text_length"},
		"one option":                {func(s *survey.Survey) { s.Content.Questions[0].Options = s.Content.Questions[0].Options[:1] }, "questions[0].options options_count"},
		"an option twice":           {func(s *survey.Survey) { s.Content.Questions[0].Options[1].Code = "a" }, "questions[0].options[1].code code_invalid"},
		"options of a scale":        {func(s *survey.Survey) { s.Content.Questions[2].Options = s.Content.Questions[0].Options }, "questions[2].options not_of_kind"},
		"a scale upside down":       {func(s *survey.Survey) { s.Content.Questions[2].Min = 8 }, "questions[2].max scale_invalid"},
		"a scale of one point":      {func(s *survey.Survey) { s.Content.Questions[2].Min = 7 }, "questions[2].max scale_invalid"},
		"half a pair":               {func(s *survey.Survey) { s.Content.Questions[4].Without = nil }, "questions[4].without translation_missing"},
		"a pair of something":       {func(s *survey.Survey) { s.Content.Questions[2].Without = text("Without?") }, "questions[2].without not_of_kind"},
		"an item without role":      {func(s *survey.Survey) { s.Content.Questions[5].Role = "" }, "questions[5].role role_invalid"},
		"an item without weight":    {func(s *survey.Survey) { s.Content.Questions[5].Weight = 0 }, "questions[5].weight weight_invalid"},
		"a negative weight":         {func(s *survey.Survey) { s.Content.Questions[6].Weight = -1 }, "questions[6].weight weight_invalid"},
		"an unknown kind":           {func(s *survey.Survey) { s.Content.Questions[3].Kind = "guess" }, "questions[3].kind kind_unknown"},
		"a score that is no score":  {func(s *survey.Survey) { s.Content.Questions[2].Code = survey.ScoreCode }, "questions[2].code code_invalid"},
		"csat without its question": {func(s *survey.Survey) { s.Kind = survey.CSAT }, "questions score_question"},
		"a questionnaire with a score": {func(s *survey.Survey) {
			s.Content.Questions[2] = survey.Question{Code: survey.ScoreCode, Kind: survey.Score, Text: text("?")}
		}, "questions score_question"},
	} {
		s := several().Settled()
		for i := range s.Content.Questions {
			s.Content.Questions[i].Options = slices.Clone(s.Content.Questions[i].Options)
		}
		c.change(&s)
		found := false
		for _, f := range s.Check() {
			found = found || f.Location+" "+f.Code == c.want
		}
		if !found {
			t.Errorf("%s: got %v, want %s", name, s.Check(), c.want)
		}
	}
}

func TestAQuestionKeepsItsMeaningUnderItsCode(t *testing.T) {
	t.Parallel()
	before := several().Settled().Content.Questions
	for name, c := range map[string]struct {
		change func(s *survey.Survey)
		ok     bool
	}{
		"nothing":      {func(*survey.Survey) {}, true},
		"another text": {func(s *survey.Survey) { s.Content.Questions[0].Text = text("Which?") }, true},
		"one more option": {func(s *survey.Survey) {
			s.Content.Questions[0].Options = append(slices.Clone(s.Content.Questions[0].Options), survey.Option{Code: "c", Text: text("C")})
		}, true},
		"one option less": {func(s *survey.Survey) { s.Content.Questions[1].Options = s.Content.Questions[1].Options[:2] }, false},
		"another scale":   {func(s *survey.Survey) { s.Content.Questions[2].Max = 5 }, false},
		"another kind":    {func(s *survey.Survey) { s.Content.Questions[2].Kind = survey.Text }, false},
		"a question less": {func(s *survey.Survey) { s.Content.Questions = s.Content.Questions[1:] }, true},
		"a question more": {func(s *survey.Survey) {
			s.Content.Questions = append(s.Content.Questions, survey.Question{Code: "new", Kind: survey.Text, Text: text("?")})
		}, true},
		"another new role": {func(s *survey.Survey) { s.Content.Questions[5].Role = survey.RoleIdeal }, false},
	} {
		s := several()
		c.change(&s)
		if faults := s.Settled().Comparable(before); (len(faults) == 0) != c.ok {
			t.Errorf("%s: got %v", name, faults)
		}
	}
}
