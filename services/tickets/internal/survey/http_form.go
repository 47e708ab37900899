package survey

import (
	"context"
	"net/http"
	"time"

	"github.com/guanxi-crm/guanxi/platform/httpx"
)

// surveyForm is a survey as whoever has a link is shown it, in one language.
type surveyForm struct {
	Title     string         `json:"title"`
	Kind      Kind           `json:"kind" enum:"csat,nps,ces,questionnaire"`
	Anonymous bool           `json:"anonymous" doc:"The answers do not lead back to you."`
	Language  string         `json:"language"`
	Languages []string       `json:"languages" nullable:"false" doc:"Those it can be had in."`
	LocksAt   time.Time      `json:"locks_at" doc:"Until when it can be answered, once."`
	Questions []formQuestion `json:"questions" nullable:"false"`
}

type formQuestion struct {
	Code     string       `json:"code"`
	Kind     QuestionKind `json:"kind" enum:"score,single,multiple,scale,text,kano,acsi,ideal"`
	Text     string       `json:"text"`
	Without  string       `json:"without,omitempty" doc:"Of a Kano pair: the question without the feature."`
	Required bool         `json:"required"`
	Min      *int         `json:"min,omitempty"`
	Max      *int         `json:"max,omitempty"`
	Options  []formOption `json:"options,omitempty" nullable:"false"`
}

type formOption struct {
	Code string `json:"code"`
	Text string `json:"text"`
}

func showForm(f Form, language string) surveyForm {
	c := f.Survey.Content
	if _, ok := c.Title[language]; !ok {
		language = c.Language
	}
	v := surveyForm{Title: c.Title.In(language, c.Language), Kind: f.Survey.Kind, Anonymous: f.Survey.Anonymous, Language: language,
		Languages: c.Languages(), LocksAt: f.Invitation.LocksAt, Questions: make([]formQuestion, len(c.Questions))}
	for i, q := range c.Questions {
		one := formQuestion{Code: q.Code, Kind: q.Kind, Text: q.Text.In(language, c.Language), Required: q.Required}
		if q.Kind == Kano {
			one.Without = q.Without.In(language, c.Language)
		}
		if q.Max > 0 {
			one.Min, one.Max = &q.Min, &q.Max
		}
		for _, o := range q.Options {
			one.Options = append(one.Options, formOption{o.Code, o.Text.In(language, c.Language)})
		}
		v.Questions[i] = one
	}
	return v
}

type formInput struct {
	Token    string `path:"token" doc:"The link's secret."`
	Language string `query:"language" maxLength:"35" doc:"A language tag; where the survey does not have it, its own." example:"zh"`
}

type formAnswer struct {
	CacheControl string `header:"Cache-Control"`
	Referrer     string `header:"Referrer-Policy"`
	Body         surveyForm
}

type formAnswers struct {
	Language string      `json:"language,omitempty" maxLength:"35" doc:"In which it was answered."`
	Answers  []formGiven `json:"answers" nullable:"false" maxItems:"60"`
}

type formGiven struct {
	Question  string   `json:"question" maxLength:"64" doc:"Code." example:"score"`
	Number    *int     `json:"number,omitempty" doc:"Of score, scale and acsi."`
	Choices   []string `json:"choices,omitempty" nullable:"false" maxItems:"50" doc:"Codes of options: one of single, any of multiple."`
	Words     string   `json:"words,omitempty" maxLength:"5000" doc:"Of text. They go into no event."`
	With      *int     `json:"with,omitempty" doc:"Of a Kano pair: 1 (I like it) to 5 (I dislike it)."`
	Without   *int     `json:"without,omitempty"`
	Perceived *int     `json:"perceived,omitempty" doc:"Of ideal: how the product is."`
	Ideal     *int     `json:"ideal,omitempty" doc:"Of ideal: how it should be."`
}

type answerInput struct {
	Token string `path:"token" doc:"The link's secret."`
	Body  formAnswers
}

// formRoutes adds what whoever has a link may do, who has no token of ours.
func (s *Surveys) formRoutes(api *httpx.API) {
	const tag, path = "Survey forms", "/v1/survey-forms/{token}"
	httpx.Register(api, httpx.Operation{
		ID: "open-survey-form", Method: http.MethodGet, Path: path, Tag: tag, Summary: "Open the form of a link",
		Description: "Without sign-in: the link is the right. Links that lead nowhere are all answered alike.",
		Public:      true, Errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusGone},
	}, func(ctx context.Context, in *formInput) (*formAnswer, error) {
		f, err := s.Form(ctx, in.Token)
		if err != nil {
			return nil, err
		}
		return &formAnswer{"no-store", "no-referrer", showForm(f, in.Language)}, nil
	})
	httpx.Register(api, httpx.Operation{
		ID: "answer-survey-form", Method: http.MethodPost, Path: path + "/answer", Tag: tag, Summary: "Answer the form of a link, once",
		Description: "A second time it is 409 survey_answered, after 14 days 410 survey_locked.",
		Public:      true, Status: http.StatusNoContent, Errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusGone},
	}, func(ctx context.Context, in *answerInput) (*struct{}, error) {
		given := make([]Given, len(in.Body.Answers))
		for i, a := range in.Body.Answers {
			given[i] = Given(a)
		}
		return nil, s.Answer(ctx, in.Token, in.Body.Language, given)
	})
	httpx.Stream(api, pageOperation(), s.page)
}
