package activity

import (
	"context"
	"math"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// ActivityOutcome is what can come of an activity.
type ActivityOutcome struct {
	Code   string  `json:"code" maxLength:"64" example:"interested"`
	Name   Wording `json:"name"`
	Effect Effect  `json:"effect" enum:"good,neutral,bad" doc:"What it is for whoever sells: by it answers to objections are ranked."`
	Kinds  []Kind  `json:"kinds,omitempty" nullable:"false" maxItems:"4" doc:"Of activities that can have it: task, call, meeting, visit. Absent: all."`
}

type activityOutcomes struct {
	ETag string `header:"ETag"`
	Body activityOutcomeList
}

type activityOutcomeList struct {
	Outcomes []ActivityOutcome `json:"outcomes" nullable:"false"`
	Version  int64             `json:"version" doc:"The ETag; 0: the standard ones."`
}

func outcomesAnswered(o Outcomes, err error) (*activityOutcomes, error) {
	if err != nil {
		return nil, err
	}
	a := &activityOutcomes{ETag: httpx.ETag(o.Version), Body: activityOutcomeList{Version: o.Version, Outcomes: make([]ActivityOutcome, len(o.List))}}
	for i, one := range o.List {
		a.Body.Outcomes[i] = ActivityOutcome(one)
	}
	return a, nil
}

type setActivityOutcomes struct {
	IfMatch string `header:"If-Match" doc:"The ETag of the list as it was read."`
	Body    newActivityOutcomes
}

type newActivityOutcomes struct {
	Outcomes []ActivityOutcome `json:"outcomes" nullable:"false" minItems:"1" maxItems:"50" doc:"All of them; each kind of activity needs one."`
}

// objectionView is an objection as the API shows it.
type objectionView struct {
	Code      string    `json:"code"`
	Text      Wording   `json:"text"`
	Archived  bool      `json:"archived" doc:"It is not chosen any more."`
	Version   int64     `json:"version" doc:"The ETag."`
	ChangedAt time.Time `json:"changed_at"`
	ChangedBy string    `json:"changed_by" doc:"Subject."`
}

func showObjection(o Objection) objectionView {
	return objectionView{o.Code, o.Text, o.Archived, o.Version, o.ChangedAt, o.ChangedBy}
}

type objectionAnswered struct {
	Status int
	ETag   string `header:"ETag"`
	Body   objectionView
}

func answeredObjection(status int, o Objection, err error) (*objectionAnswered, error) {
	if err != nil {
		return nil, err
	}
	return &objectionAnswered{status, httpx.ETag(o.Version), showObjection(o)}, nil
}

// ObjectionPath names an objection.
type ObjectionPath struct {
	Code string `path:"code" maxLength:"64"`
}

type createObjection struct{ Body newObjection }

type newObjection struct {
	Code string  `json:"code" maxLength:"64" doc:"It cannot be changed." example:"too_expensive"`
	Text Wording `json:"text" doc:"What customers say; up to 500 characters each."`
}

type changeObjection struct {
	ObjectionPath
	IfMatch string `header:"If-Match" doc:"The ETag of the objection as it was read."`
	Body    struct {
		Text     Wording `json:"text" doc:"Up to 500 characters each."`
		Archived bool    `json:"archived,omitempty" doc:"It is not chosen any more."`
	}
}

type listObjections struct {
	httpx.Page
	Archived bool `query:"archived" doc:"Also those that are archived."`
}

type objectionList struct{ Body objectionPage }

type objectionPage struct {
	Items      []objectionView `json:"items" nullable:"false" doc:"In the order of their codes."`
	NextCursor string          `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

func (a *Activities) listObjections(ctx context.Context, in *listObjections) (*objectionList, error) {
	items, next, err := httpx.PageByText(in.Page, func(after string, limit int) ([]Objection, error) {
		return a.Objections(ctx, in.Archived, after, limit)
	}, func(o Objection) string { return o.Code }, showObjection)
	if err != nil {
		return nil, err
	}
	return &objectionList{Body: objectionPage{items, next}}, nil
}

// objectionReply is an answer to an objection.
type objectionReply struct {
	ID         uuid.UUID  `json:"answer_id" format:"uuid"`
	Objection  string     `json:"objection" doc:"Code."`
	Text       Wording    `json:"text"`
	Author     string     `json:"author" doc:"Subject."`
	CreatedAt  time.Time  `json:"created_at"`
	ArchivedAt *time.Time `json:"archived_at,omitempty" doc:"From when on it is not chosen any more."`
}

func showReply(r Answer) objectionReply {
	return objectionReply{r.ID, r.Objection, r.Text, r.Author, r.CreatedAt, pg.OrNull(r.ArchivedAt)}
}

type replyAnswered struct {
	Status int
	Body   objectionReply
}

func answeredReply(status int, r Answer, err error) (*replyAnswered, error) {
	if err != nil {
		return nil, err
	}
	return &replyAnswered{status, showReply(r)}, nil
}

type createReply struct {
	ObjectionPath
	Body struct {
		Text Wording `json:"text" doc:"What to say; up to 2,000 characters each. It cannot be changed: another text is another answer."`
	}
}

// ReplyPath names an answer to an objection.
type ReplyPath struct {
	ObjectionPath
	ID uuid.UUID `path:"answer_id" format:"uuid"`
}

type listReplies struct {
	ObjectionPath
	WindowDays int       `query:"window_days" minimum:"1" maximum:"365" default:"14" doc:"What followed within so many days of 24 hours counts."`
	Since      time.Time `query:"since" doc:"Only of answers given from then on; absent: of the latest 20,000."`
	Least      int       `query:"least" minimum:"1" maximum:"1000" default:"5" doc:"As many make a rate to go by."`
	Archived   bool      `query:"archived" doc:"Also answers that are archived."`
}

// rankedReply is an answer with what followed where it was given.
type rankedReply struct {
	objectionReply
	Given   int      `json:"given" doc:"How often it was: worked + failed + nothing + waiting."`
	Worked  int      `json:"worked" doc:"The opportunity was won, the lead converted, the opportunity moved forward, or the next activity came out well."`
	Failed  int      `json:"failed" doc:"It was lost, or the next activity came out badly."`
	Nothing int      `json:"nothing" doc:"Nothing of that followed."`
	Waiting int      `json:"waiting" doc:"The window is not over: they are in no rate."`
	Enough  bool     `json:"enough" doc:"There are enough to go by. Those of which there are not come last."`
	Rate    *float64 `json:"rate,omitempty" doc:"Of those that do not wait, worked; 0 to 1, to four places."`
	Low     *float64 `json:"low,omitempty" doc:"Lower end of its interval of 95 % (Wilson): by it answers are ranked."`
	High    *float64 `json:"high,omitempty" doc:"Upper end."`
}

type rankedReplies struct{ Body rankedReplyList }

type rankedReplyList struct {
	WindowDays int           `json:"window_days"`
	Least      int           `json:"least"`
	Items      []rankedReply `json:"items" nullable:"false" doc:"The best first."`
}

func (a *Activities) listReplies(ctx context.Context, in *listReplies) (*rankedReplies, error) {
	all, err := a.Answers(ctx, in.Code, Ranking{Window: time.Duration(in.WindowDays) * 24 * time.Hour, Since: in.Since, Least: in.Least, Archived: in.Archived})
	if err != nil {
		return nil, err
	}
	list := &rankedReplies{Body: rankedReplyList{WindowDays: in.WindowDays, Least: in.Least, Items: make([]rankedReply, len(all))}}
	for i, r := range all {
		v := rankedReply{
			objectionReply: showReply(r.Answer), Given: r.Given, Worked: r.Worked, Failed: r.Failed, Nothing: r.Nothing, Waiting: r.Waiting, Enough: r.Enough,
		}
		if r.Given > r.Waiting {
			v.Rate, v.Low, v.High = places(r.Rate.Value), places(r.Rate.Low), places(r.Rate.High)
		}
		list.Body.Items[i] = v
	}
	return list, nil
}

// places rounds to four places.
func places(x float64) *float64 {
	x = math.Round(x*1e4) / 1e4
	return &x
}

func (a *Activities) libraryRoutes(api *httpx.API) {
	httpx.Register(api, httpx.Operation{
		ID: "get-activity-outcomes", Method: http.MethodGet, Path: "/v1/activity-outcomes", Tag: tag, Permission: auth.SalesRead,
		Summary: "Read what can come of activities",
	}, func(ctx context.Context, _ *struct{}) (*activityOutcomes, error) {
		return outcomesAnswered(a.Outcomes(ctx))
	})
	httpx.Register(api, httpx.Operation{
		ID: "set-activity-outcomes", Method: http.MethodPut, Path: "/v1/activity-outcomes", Tag: tag, Permission: auth.SalesConfigure,
		Summary: "Say what can come of activities",
	}, func(ctx context.Context, in *setActivityOutcomes) (*activityOutcomes, error) {
		list := make([]Outcome, len(in.Body.Outcomes))
		for i, one := range in.Body.Outcomes {
			list[i] = Outcome(one)
		}
		return outcomesAnswered(a.SetOutcomes(ctx, list, func(version int64) error { return httpx.IfMatch(in.IfMatch, version) }))
	})
	httpx.Register(api, httpx.Operation{
		ID: "add-objection", Method: http.MethodPost, Path: "/v1/objections", Tag: tag, Permission: auth.SalesConfigure, Status: http.StatusCreated,
		Summary: "Put an objection into the library", Errors: []int{http.StatusConflict},
	}, func(ctx context.Context, in *createObjection) (*objectionAnswered, error) {
		o, err := a.AddObjection(ctx, in.Body.Code, in.Body.Text)
		return answeredObjection(http.StatusCreated, o, err)
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-objections", Method: http.MethodGet, Path: "/v1/objections", Tag: tag, Permission: auth.SalesRead,
		Summary: "List what customers object",
	}, a.listObjections)
	httpx.Register(api, httpx.Operation{
		ID: "get-objection", Method: http.MethodGet, Path: "/v1/objections/{code}", Tag: tag, Permission: auth.SalesRead,
		Summary: "Read an objection", Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *ObjectionPath) (*objectionAnswered, error) {
		o, err := a.Objection(ctx, in.Code)
		return answeredObjection(http.StatusOK, o, err)
	})
	httpx.Register(api, httpx.Operation{
		ID: "change-objection", Method: http.MethodPut, Path: "/v1/objections/{code}", Tag: tag, Permission: auth.SalesConfigure,
		Summary: "Say an objection in other words, archive it or put it back", Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *changeObjection) (*objectionAnswered, error) {
		o, err := a.SetObjection(ctx, in.Code, in.Body.Text, in.Body.Archived, func(version int64) error { return httpx.IfMatch(in.IfMatch, version) })
		return answeredObjection(http.StatusOK, o, err)
	})
	a.replyRoutes(api)
}

func (a *Activities) replyRoutes(api *httpx.API) {
	httpx.Register(api, httpx.Operation{
		ID: "add-objection-answer", Method: http.MethodPost, Path: "/v1/objections/{code}/answers", Tag: tag, Permission: auth.SalesWrite, Status: http.StatusCreated,
		Summary: "Put an answer into the library", Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, func(ctx context.Context, in *createReply) (*replyAnswered, error) {
		r, err := a.AddAnswer(ctx, in.Code, in.Body.Text)
		return answeredReply(http.StatusCreated, r, err)
	})
	httpx.Register(api, httpx.Operation{
		ID: "rank-objection-answers", Method: http.MethodGet, Path: "/v1/objections/{code}/answers", Tag: tag, Permission: auth.SalesRead,
		Summary:     "Rank the answers to an objection by what followed",
		Description: "Measured anew each time, of the completed activities in which they were given.",
		Errors:      []int{http.StatusNotFound},
	}, a.listReplies)
	for _, archived := range []bool{true, false} {
		name, summary := map[bool]string{true: "archive", false: "restore"}[archived], map[bool]string{true: "Take an answer out of the library", false: "Put an answer back into the library"}[archived]
		httpx.Register(api, httpx.Operation{
			ID: name + "-objection-answer", Method: http.MethodPost, Path: "/v1/objections/{code}/answers/{answer_id}/" + name, Tag: tag,
			Permission: auth.SalesConfigure, Summary: summary, Errors: []int{http.StatusNotFound},
		}, func(ctx context.Context, in *ReplyPath) (*replyAnswered, error) {
			r, err := a.ArchiveAnswer(ctx, in.Code, in.ID, archived)
			return answeredReply(http.StatusOK, r, err)
		})
	}
}
