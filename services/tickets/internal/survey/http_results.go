package survey

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

type resultsInput struct {
	ID         uuid.UUID `path:"survey_id" format:"uuid"`
	From       time.Time `query:"from" doc:"Only what was sent, or answered, from then on."`
	To         time.Time `query:"to" doc:"Only what was sent, or answered, before."`
	Touchpoint string    `query:"touchpoint" maxLength:"64" doc:"Only about this touchpoint."`
	Group      string    `query:"group" enum:"touchpoint,day,week,month" doc:"In parts as well; days begin at midnight UTC."`
}

// surveyResults is what the answers come to.
type surveyResults struct {
	SurveyID   uuid.UUID         `json:"survey_id" format:"uuid"`
	Kind       Kind              `json:"kind" enum:"csat,nps,ces,questionnaire"`
	Total      surveyResult      `json:"total"`
	Groups     []surveyResult    `json:"groups,omitempty" nullable:"false"`
	Questions  []questionResult  `json:"questions" nullable:"false"`
	Dimensions []dimensionResult `json:"dimensions,omitempty" nullable:"false" doc:"Means of the questions that measure something together."`
	Index      *float64          `json:"satisfaction_index,omitempty" doc:"0 to 100, of the three acsi items."`
	Distance   *float64          `json:"distance_from_ideal,omitempty" doc:"Sum of weight times mean |ideal - perceived|; 0 is the ideal product."`
}

type surveyResult struct {
	Group        string          `json:"group,omitempty" doc:"The touchpoint, or the day with which the part begins."`
	Sent         int             `json:"sent" doc:"Invitations that were sent in the period; so are the next two."`
	Bounced      int             `json:"bounced"`
	Answered     int             `json:"answered"`
	ResponseRate *float64        `json:"response_rate,omitempty" doc:"answered / (sent - bounced)."`
	Answers      int             `json:"answers" doc:"Given in the period."`
	Verdict      string          `json:"verdict" enum:"enough,not_enough_data" doc:"Under 30 answers there is not enough data."`
	Score        *surveyInterval `json:"score,omitempty" doc:"csat: share of 4 and 5, ces: share of 5 to 7, both with Wilson's 95 % interval; nps: promoters minus detractors, -1 to 1, with its 95 % interval."`
}

type surveyInterval struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

type questionResult struct {
	Question  string        `json:"question" doc:"Code."`
	Kind      QuestionKind  `json:"kind" enum:"score,single,multiple,scale,text,kano,acsi,ideal"`
	Dimension string        `json:"dimension,omitempty"`
	N         int           `json:"n" doc:"How often it was answered."`
	Verdict   string        `json:"verdict" enum:"enough,not_enough_data"`
	Counts    []answerCount `json:"counts,omitempty" nullable:"false" doc:"How often each answer was given; in anonymous mode once there is enough data."`
	Mean      *float64      `json:"mean,omitempty"`
	Better    *float64      `json:"better,omitempty" doc:"Kano: (A + O) / (A + O + M + I)."`
	Worse     *float64      `json:"worse,omitempty" doc:"Kano: -(O + M) / (A + O + M + I)."`
	Perceived *float64      `json:"perceived,omitempty" doc:"Mean."`
	Ideal     *float64      `json:"ideal,omitempty" doc:"Mean."`
	Gap       *float64      `json:"gap,omitempty" doc:"Mean of |ideal - perceived|."`
}

type answerCount struct {
	Part  string `json:"part,omitempty" doc:"category, or perceived, ideal and gap."`
	Value string `json:"value"`
	N     int    `json:"n"`
}

type dimensionResult struct {
	Dimension string   `json:"dimension" example:"integrity"`
	Verdict   string   `json:"verdict" enum:"enough,not_enough_data"`
	Mean      *float64 `json:"mean,omitempty"`
}

func verdict(enough bool) string {
	if enough {
		return "enough"
	}
	return "not_enough_data"
}

func showResult(r Result) surveyResult {
	v := surveyResult{Group: r.Group, Sent: r.Sent, Bounced: r.Bounced, Answered: r.Answered, ResponseRate: r.Rate, Answers: r.Answers, Verdict: verdict(r.Enough)}
	if r.Score != nil {
		v.Score = &surveyInterval{r.Score.Value, r.Score.Low, r.Score.High}
	}
	return v
}

func showResults(r Results) surveyResults {
	v := surveyResults{SurveyID: r.Survey.ID, Kind: r.Survey.Kind, Total: showResult(r.Total), Index: r.Index, Distance: r.Distance,
		Questions: make([]questionResult, len(r.Questions))}
	for _, g := range r.Groups {
		v.Groups = append(v.Groups, showResult(g))
	}
	for i, q := range r.Questions {
		one := questionResult{Question: q.Code, Kind: q.Kind, Dimension: q.Dimension, N: q.N, Verdict: verdict(q.Enough), Mean: q.Mean,
			Better: q.Better, Worse: q.Worse, Perceived: q.Is, Ideal: q.Should, Gap: q.MeanGap}
		for _, c := range q.Counts {
			one.Counts = append(one.Counts, answerCount(c))
		}
		v.Questions[i] = one
	}
	for _, d := range r.Dimensions {
		v.Dimensions = append(v.Dimensions, dimensionResult{d.Code, verdict(d.Enough), d.Mean})
	}
	return v
}

type answersInput struct {
	httpx.Page
	ID         uuid.UUID `path:"survey_id" format:"uuid"`
	From       time.Time `query:"from" doc:"Only those answered from then on."`
	To         time.Time `query:"to" doc:"Only those answered before."`
	Touchpoint string    `query:"touchpoint" maxLength:"64" doc:"Only about this touchpoint."`
}

type surveyAnswerView struct {
	AnswerID     uuid.UUID     `json:"answer_id" format:"uuid"`
	InvitationID *uuid.UUID    `json:"invitation_id,omitempty" format:"uuid" doc:"Absent in anonymous mode and after an erasure; so are the next three."`
	CustomerID   *uuid.UUID    `json:"customer_id,omitempty" format:"uuid"`
	TicketID     *uuid.UUID    `json:"ticket_id,omitempty" format:"uuid"`
	ComplaintID  *uuid.UUID    `json:"complaint_id,omitempty" format:"uuid"`
	Version      int64         `json:"survey_version"`
	AnsweredAt   time.Time     `json:"answered_at" doc:"In anonymous mode the day."`
	Touchpoint   string        `json:"touchpoint,omitempty"`
	Language     string        `json:"language"`
	Values       []answerValue `json:"values" nullable:"false"`
}

type answerValue struct {
	Question string `json:"question"`
	Part     string `json:"part,omitempty"`
	Choice   string `json:"choice,omitempty"`
	Number   *int   `json:"number,omitempty"`
	Words    string `json:"words,omitempty"`
}

type answersPage struct {
	Items      []surveyAnswerView `json:"items" nullable:"false"`
	NextCursor string             `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

// together puts rows, which come answer by answer, together again.
func together(rows []Row) (all []surveyAnswerView) {
	for _, r := range rows {
		if n := len(all); n == 0 || all[n-1].AnswerID != r.AnswerID {
			all = append(all, surveyAnswerView{AnswerID: r.AnswerID, InvitationID: pg.OrNull(r.InvitationID), CustomerID: pg.OrNull(r.CustomerID),
				TicketID: pg.OrNull(r.TicketID), ComplaintID: pg.OrNull(r.ComplaintID), Version: r.Version, AnsweredAt: r.AnsweredAt,
				Touchpoint: r.Touchpoint, Language: r.Language, Values: []answerValue{}})
		}
		if r.Question != "" {
			last := &all[len(all)-1]
			last.Values = append(last.Values, answerValue{r.Question, r.Part, r.Choice, r.Number, r.Words})
		}
	}
	return all
}

func (s *Surveys) resultRoutes(api *httpx.API) {
	httpx.Register(api, httpx.Operation{
		ID: "get-survey-results", Method: http.MethodGet, Path: "/v1/surveys/{survey_id}/results", Tag: tag, Summary: "What the answers come to",
		Description: "For the whole survey or a touchpoint, in a period or in all, and in parts if asked for. A share is 0 to 1. Fewer than 30 answers are not enough data.",
		Permission:  auth.SurveysRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *resultsInput) (*struct{ Body surveyResults }, error) {
		r, err := s.Results(ctx, Wanted{Survey: in.ID, Touchpoint: in.Touchpoint, Period: Period{in.From, in.To}, Group: in.Group})
		if err != nil {
			return nil, err
		}
		return &struct{ Body surveyResults }{showResults(r)}, nil
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-survey-answers", Method: http.MethodGet, Path: "/v1/surveys/{survey_id}/answers", Tag: tag, Summary: "List the answers to a survey, the oldest first",
		Description: "In anonymous mode once there are 30.",
		Permission:  auth.SurveysRead, Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, func(ctx context.Context, in *answersInput) (*struct{ Body answersPage }, error) {
		items, next, err := httpx.PageByID(in.Page, func(after uuid.UUID, limit int) ([]surveyAnswerView, error) {
			rows, err := s.Rows(ctx, Wanted{Survey: in.ID, Touchpoint: in.Touchpoint, Period: Period{in.From, in.To}}, after, limit)
			return together(rows), err
		}, func(a surveyAnswerView) uuid.UUID { return a.AnswerID }, func(a surveyAnswerView) surveyAnswerView { return a })
		if err != nil {
			return nil, err
		}
		return &struct{ Body answersPage }{answersPage{items, next}}, nil
	})
	httpx.Stream(api, fileOperation(), s.file)
}
