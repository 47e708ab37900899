package survey

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

const tag = "Surveys"

// surveyQuestion is a question as the API takes and shows it.
type surveyQuestion struct {
	Code      string            `json:"code" doc:"Within the survey; 'score' for the one that gives the score." example:"score" maxLength:"64"`
	Kind      QuestionKind      `json:"kind" enum:"score,single,multiple,scale,text,kano,acsi,ideal" doc:"How it is answered."`
	Text      map[string]string `json:"text" doc:"By language. Of a Kano pair: with the feature."`
	Without   map[string]string `json:"without,omitempty" doc:"Of a Kano pair: without the feature."`
	Required  bool              `json:"required,omitempty"`
	Options   []surveyOption    `json:"options,omitempty" nullable:"false" maxItems:"50" doc:"Of single and multiple."`
	Min       int               `json:"min,omitempty" minimum:"0" maximum:"100" doc:"Of scale and ideal."`
	Max       int               `json:"max,omitempty" minimum:"0" maximum:"100"`
	Dimension string            `json:"dimension,omitempty" maxLength:"64" doc:"What it measures together with others." example:"integrity"`
	Role      string            `json:"role,omitempty" enum:"satisfaction,expectancy,ideal," doc:"Of an acsi item."`
	Weight    float64           `json:"weight,omitempty" minimum:"0" maximum:"1000" doc:"Of ideal and acsi."`
}

type surveyOption struct {
	Code string            `json:"code" maxLength:"64"`
	Text map[string]string `json:"text"`
}

// surveyContent is what a version of a survey says.
type surveyContent struct {
	Title     map[string]string `json:"title" doc:"By language: these are the survey's languages."`
	Language  string            `json:"language" doc:"Used where the reader's is not there." example:"en" maxLength:"35"`
	Questions []surveyQuestion  `json:"questions" nullable:"false" maxItems:"60"`
}

type surveyView struct {
	SurveyID  uuid.UUID `json:"survey_id" format:"uuid"`
	Code      string    `json:"code" example:"after_delivery"`
	Kind      Kind      `json:"kind" enum:"csat,nps,ces,questionnaire"`
	Anonymous bool      `json:"anonymous" doc:"No answer leads back to whoever gave it. It never changes."`
	State     string    `json:"state" enum:"open,closed"`
	Questions int64     `json:"questions_version" doc:"Version of what is shown here of the questions."`
	Version   int64     `json:"version" doc:"Of the survey: its ETag."`
	ChangedAt time.Time `json:"changed_at"`

	Content surveyContent `json:"content"`
}

func showContent(c Content) surveyContent {
	v := surveyContent{Title: c.Title, Language: c.Language, Questions: make([]surveyQuestion, len(c.Questions))}
	for i, q := range c.Questions {
		v.Questions[i] = showQuestion(q)
	}
	return v
}

func showQuestion(q Question) surveyQuestion {
	v := surveyQuestion{Code: q.Code, Kind: q.Kind, Text: q.Text, Without: q.Without, Required: q.Required, Min: q.Min, Max: q.Max,
		Dimension: q.Dimension, Role: q.Role, Weight: q.Weight}
	for _, o := range q.Options {
		v.Options = append(v.Options, surveyOption{o.Code, o.Text})
	}
	return v
}

func (v surveyContent) read() Content {
	c := Content{Title: v.Title, Language: v.Language, Questions: make([]Question, len(v.Questions))}
	for i, q := range v.Questions {
		c.Questions[i] = Question{Code: q.Code, Kind: q.Kind, Text: q.Text, Without: q.Without, Required: q.Required, Min: q.Min, Max: q.Max,
			Dimension: q.Dimension, Role: q.Role, Weight: q.Weight}
		for _, o := range q.Options {
			c.Questions[i].Options = append(c.Questions[i].Options, Option{o.Code, o.Text})
		}
	}
	return c
}

func show(s Survey) surveyView {
	v := surveyView{SurveyID: s.ID, Code: s.Code, Kind: s.Kind, Anonymous: s.Anonymous, State: "open", Questions: s.Questions, Version: s.Version,
		ChangedAt: s.ChangedAt}
	if s.Closed {
		v.State = "closed"
	}
	v.Content = showContent(s.Content)
	return v
}

type surveyAnswer struct {
	ETag string `header:"ETag"`
	Body surveyView
}

func answered(s Survey, err error) (*surveyAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &surveyAnswer{httpx.ETag(s.Version), show(s)}, nil
}

type newSurvey struct {
	Code      string         `json:"code" doc:"Of yours." example:"after_delivery" maxLength:"64"`
	Template  string         `json:"template,omitempty" doc:"A ready survey to begin with, instead of kind and content." maxLength:"64" example:"trust"`
	Kind      Kind           `json:"kind,omitempty" enum:"csat,nps,ces,questionnaire,"`
	Anonymous bool           `json:"anonymous,omitempty"`
	Content   *surveyContent `json:"content,omitempty"`
}

// read gives the survey that is to be made.
func (n newSurvey) read() (Survey, error) {
	switch {
	case n.Template != "":
		s, there := Templates()[n.Template]
		if !there || n.Kind != "" || n.Content != nil {
			return Survey{}, invalid([]problem.Field{{Location: "template", Code: "template_invalid",
				Message: "must be a template that GET /v1/survey-templates lists, without kind and content"}})
		}
		s.Code, s.Anonymous = n.Code, n.Anonymous
		return s, nil
	case n.Kind == "" || n.Content == nil:
		return Survey{}, invalid([]problem.Field{{Location: "content", Code: "content_missing", Message: "kind and content, or a template, must be given"}})
	}
	return Survey{Code: n.Code, Kind: n.Kind, Anonymous: n.Anonymous, Content: n.Content.read()}, nil
}

type bySurvey struct {
	ID uuid.UUID `path:"survey_id" format:"uuid"`
}

type surveyVersionInput struct {
	ID        uuid.UUID `path:"survey_id" format:"uuid"`
	Questions int64     `query:"questions_version" minimum:"0" doc:"A version of the questions; absent for the present one."`
}

type changeSurveyInput struct {
	ID      uuid.UUID `path:"survey_id" format:"uuid"`
	IfMatch string    `header:"If-Match" doc:"The ETag of the survey as it was read."`
	Body    surveyContent
}

type surveyPage struct {
	Items      []surveyView `json:"items" nullable:"false"`
	NextCursor string       `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

type templateView struct {
	Template string        `json:"template" example:"trust"`
	Kind     Kind          `json:"kind" enum:"csat,nps,ces,questionnaire"`
	Content  surveyContent `json:"content"`
}

type templatePage struct {
	Items []templateView `json:"items" nullable:"false"`
}

// Routes adds the operations on surveys.
func (s *Surveys) Routes(api *httpx.API) {
	httpx.Register(api, httpx.Operation{
		ID: "make-survey", Method: http.MethodPost, Path: "/v1/surveys", Tag: tag, Summary: "Make a survey",
		Description: "It is open at once. A survey of the kind csat (1 to 5), nps (0 to 10) or ces (1 to 7) has one question of the kind score. " +
			"Every text stands in every language of the title. The survey with the code complaint_verification is the one by which complaints are verified.",
		Permission: auth.SurveysManage, Status: http.StatusCreated, Errors: []int{http.StatusConflict},
	}, func(ctx context.Context, in *struct{ Body newSurvey }) (*surveyAnswer, error) {
		draft, err := in.Body.read()
		if err != nil {
			return nil, err
		}
		return answered(s.Make(ctx, draft))
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-surveys", Method: http.MethodGet, Path: "/v1/surveys", Tag: tag, Summary: "List surveys, the latest first", Permission: auth.SurveysRead,
	}, s.listHTTP)
	httpx.Register(api, httpx.Operation{
		ID: "get-survey", Method: http.MethodGet, Path: "/v1/surveys/{survey_id}", Tag: tag, Summary: "Read a survey",
		Permission: auth.SurveysRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *surveyVersionInput) (*surveyAnswer, error) {
		return answered(s.Get(ctx, in.ID, in.Questions))
	})
	httpx.Register(api, httpx.Operation{
		ID: "change-survey", Method: http.MethodPut, Path: "/v1/surveys/{survey_id}", Tag: tag, Summary: "Change the questions of a survey",
		Description: "It gets a new version of them; invitations that are out keep theirs. So that answers can be counted together, a question's code keeps its " +
			"kind, its scale and its options, to which more may be added.",
		Permission: auth.SurveysManage, Errors: []int{http.StatusNotFound, http.StatusPreconditionFailed, http.StatusPreconditionRequired},
	}, func(ctx context.Context, in *changeSurveyInput) (*surveyAnswer, error) {
		return answered(s.Change(ctx, in.ID, in.Body.read(), func(version int64) error { return httpx.IfMatch(in.IfMatch, version) }))
	})
	for action, closed := range map[string]bool{"close": true, "open": false} {
		httpx.Register(api, httpx.Operation{
			ID: action + "-survey", Method: http.MethodPost, Path: "/v1/surveys/{survey_id}/" + action, Tag: tag,
			Summary:     map[bool]string{true: "Close a survey", false: "Open a survey again"}[closed],
			Description: "While it is closed nobody is invited. Links that are out can be answered until they lock.",
			Permission:  auth.SurveysManage, Errors: []int{http.StatusNotFound},
		}, func(ctx context.Context, in *bySurvey) (*surveyAnswer, error) {
			return answered(s.SetClosed(ctx, in.ID, closed))
		})
	}
	httpx.Register(api, httpx.Operation{
		ID: "list-survey-templates", Method: http.MethodGet, Path: "/v1/survey-templates", Tag: tag, Summary: "List the ready surveys",
		Permission: auth.SurveysRead,
	}, func(context.Context, *struct{}) (*struct{ Body templatePage }, error) {
		out := &struct{ Body templatePage }{}
		all := Templates()
		for _, name := range []string{"csat", "nps", "ces", Verification, "trust", "online_service", "ideal_product", "satisfaction_index"} {
			out.Body.Items = append(out.Body.Items, templateView{name, all[name].Kind, showContent(all[name].Content)})
		}
		return out, nil
	})
	s.triggerRoutes(api)
	s.invitationRoutes(api)
	s.formRoutes(api)
	s.resultRoutes(api)
}

func (s *Surveys) listHTTP(ctx context.Context, in *struct{ httpx.Page }) (*struct{ Body surveyPage }, error) {
	items, next, err := httpx.PageByID(in.Page, func(before uuid.UUID, limit int) ([]Survey, error) {
		return s.List(ctx, before, limit)
	}, func(one Survey) uuid.UUID { return one.ID }, show)
	if err != nil {
		return nil, err
	}
	return &struct{ Body surveyPage }{surveyPage{items, next}}, nil
}
