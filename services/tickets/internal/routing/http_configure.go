package routing

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// routingLevel is a skill that somebody has, or a ticket needs.
type routingLevel struct {
	Skill string `json:"skill" maxLength:"64" doc:"Code." example:"billing"`
	Level int    `json:"level" minimum:"1" maximum:"5" doc:"1 (some) to 5 (an expert)." example:"3"`
}

func showLevels(levels []Level) []routingLevel {
	shown := make([]routingLevel, len(levels))
	for i, l := range levels {
		shown[i] = routingLevel(l)
	}
	return shown
}

func readLevels(shown []routingLevel) []Level {
	levels := make([]Level, len(shown))
	for i, l := range shown {
		levels[i] = Level(l)
	}
	return levels
}

type byCode struct {
	Code string `path:"code" maxLength:"64"`
}

type codeList struct {
	Archived bool `query:"archived" doc:"Those in the archive, too."`
	httpx.Page
}

// skillView is a skill as the API shows it.
type skillView struct {
	Code      string    `json:"code" example:"billing"`
	Title     string    `json:"title" example:"Bills and payments"`
	Archived  bool      `json:"archived" doc:"Nothing new may name it."`
	Version   int64     `json:"version" doc:"Rises by one with every change; the ETag."`
	ChangedAt time.Time `json:"changed_at"`
}

func showSkill(s Skill) skillView {
	return skillView{s.Code, s.Title, s.Archived, s.Version, s.ChangedAt.UTC()}
}

type skillAnswer struct {
	ETag string `header:"ETag"`
	Body skillView
}

func skillAnswered(s Skill, err error) (*skillAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &skillAnswer{httpx.ETag(s.Version), showSkill(s)}, nil
}

type skillInput struct {
	Code    string `path:"code" maxLength:"64"`
	IfMatch string `header:"If-Match" doc:"The ETag of the skill as it was read; \"0\" makes it."`
	Body    skillBody
}

// skillBody is what a skill says.
type skillBody struct {
	Title    string `json:"title" maxLength:"200" example:"Bills and payments"`
	Archived bool   `json:"archived,omitempty" doc:"Nothing new may name it."`
}

type skillsAnswer struct{ Body skillPage }

type skillPage struct {
	Items      []skillView `json:"items" nullable:"false" doc:"By code."`
	NextCursor string      `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

// queueView is a queue as the API shows it.
type queueView struct {
	Code string `json:"code" example:"billing"`
	QueueBody
	Waiting   int       `json:"waiting" doc:"Tickets that somebody has to take."`
	Version   int64     `json:"version" doc:"Rises by one with every change; the ETag."`
	ChangedAt time.Time `json:"changed_at"`
}

// QueueBody is what a queue says, as the API takes and shows it. It is exported so that what embeds it is documented whole.
type QueueBody struct {
	Title           string         `json:"title" maxLength:"200" example:"Bills"`
	Strategy        Strategy       `json:"strategy" enum:"round_robin,least_loaded,best_skill,pull" doc:"Who gets a ticket unasked. round_robin: whose turn is longest ago. least_loaded: who has the least of what they can have. best_skill: who is best at what the ticket needs. pull: nobody, people take what they want."`
	Skills          []routingLevel `json:"skills,omitempty" nullable:"false" maxItems:"20" doc:"What every ticket in it needs."`
	OverflowSeconds int64          `json:"overflow_seconds,omitempty" minimum:"0" maximum:"7776000" doc:"After so long in this queue a ticket that nobody has goes to another one; 0: never." example:"1800"`
	OverflowTo      string         `json:"overflow_to,omitempty" maxLength:"64" doc:"Code of that queue."`
	CalendarID      *uuid.UUID     `json:"calendar_id,omitempty" format:"uuid" doc:"The business calendar by which that time is reckoned; left out: around the clock."`
	Archived        bool           `json:"archived" required:"false" doc:"Nothing new goes there."`
}

func showQueue(q Queued) queueView {
	return queueView{Code: q.Code, Waiting: q.Waiting, Version: q.Version, ChangedAt: q.ChangedAt.UTC(), QueueBody: QueueBody{
		Title: q.Title, Strategy: q.Strategy, Skills: showLevels(q.Skills), OverflowSeconds: int64(q.OverflowAfter / time.Second),
		OverflowTo: q.OverflowTo, CalendarID: pg.OrNull(q.CalendarID), Archived: q.Archived,
	}}
}

type queueAnswer struct {
	ETag string `header:"ETag"`
	Body queueView
}

func queueAnswered(q Queued, err error) (*queueAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &queueAnswer{httpx.ETag(q.Version), showQueue(q)}, nil
}

type queueInput struct {
	Code    string `path:"code" maxLength:"64"`
	IfMatch string `header:"If-Match" doc:"The ETag of the queue as it was read; \"0\" makes it."`
	Body    QueueBody
}

type queuesAnswer struct{ Body queuePage }

type queuePage struct {
	Items      []queueView `json:"items" nullable:"false" doc:"By code."`
	NextCursor string      `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

func (r *Routing) queueRoutes(api *httpx.API) {
	const tag = "Routing"
	missing := []int{http.StatusNotFound}
	versioned := []int{http.StatusPreconditionFailed, http.StatusPreconditionRequired}
	httpx.Register(api, httpx.Operation{
		ID: "list-skills", Method: http.MethodGet, Path: "/v1/skills", Tag: tag, Summary: "List what agents can do", Permission: auth.TicketsRead,
	}, func(ctx context.Context, in *codeList) (*skillsAnswer, error) {
		items, next, err := httpx.PageByText(in.Page, func(after string, limit int) ([]Skill, error) {
			return r.Skills(ctx, after, in.Archived, limit)
		}, func(s Skill) string { return s.Code }, showSkill)
		return &skillsAnswer{skillPage{items, next}}, err
	})
	httpx.Register(api, httpx.Operation{
		ID: "get-skill", Method: http.MethodGet, Path: "/v1/skills/{code}", Tag: tag, Summary: "Read a skill", Permission: auth.TicketsRead, Errors: missing,
	}, func(ctx context.Context, in *byCode) (*skillAnswer, error) {
		return skillAnswered(r.Skill(ctx, in.Code))
	})
	httpx.Register(api, httpx.Operation{
		ID: "put-skill", Method: http.MethodPut, Path: "/v1/skills/{code}", Tag: tag, Summary: "Make or change a skill",
		Permission: auth.TicketsConfigure, Errors: versioned,
	}, func(ctx context.Context, in *skillInput) (*skillAnswer, error) {
		fresh := func(version int64) error { return httpx.IfMatch(in.IfMatch, version) }
		return skillAnswered(r.PutSkill(ctx, Skill{Code: in.Code, Title: in.Body.Title, Archived: in.Body.Archived}, fresh))
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-queues", Method: http.MethodGet, Path: "/v1/queues", Tag: tag, Summary: "List queues, and how many tickets wait in each", Permission: auth.TicketsRead,
	}, func(ctx context.Context, in *codeList) (*queuesAnswer, error) {
		items, next, err := httpx.PageByText(in.Page, func(after string, limit int) ([]Queued, error) {
			return r.Queues(ctx, after, in.Archived, limit)
		}, func(q Queued) string { return q.Code }, showQueue)
		return &queuesAnswer{queuePage{items, next}}, err
	})
	httpx.Register(api, httpx.Operation{
		ID: "get-queue", Method: http.MethodGet, Path: "/v1/queues/{code}", Tag: tag, Summary: "Read a queue", Permission: auth.TicketsRead, Errors: missing,
	}, func(ctx context.Context, in *byCode) (*queueAnswer, error) {
		return queueAnswered(r.Queue(ctx, in.Code))
	})
	httpx.Register(api, httpx.Operation{
		ID: "put-queue", Method: http.MethodPut, Path: "/v1/queues/{code}", Tag: tag, Summary: "Make or change a queue",
		Description: "Tickets that wait in it go on by what it is then. One to which rules or other queues send tickets does not go into the archive.",
		Permission:  auth.TicketsConfigure, Errors: append([]int{http.StatusConflict}, versioned...),
	}, func(ctx context.Context, in *queueInput) (*queueAnswer, error) {
		b := in.Body
		q := Queue{Code: in.Code, Title: b.Title, Strategy: b.Strategy, Skills: readLevels(b.Skills),
			OverflowAfter: time.Duration(b.OverflowSeconds) * time.Second, OverflowTo: b.OverflowTo, Archived: b.Archived}
		if b.CalendarID != nil {
			q.CalendarID = *b.CalendarID
		}
		_, err := r.PutQueue(ctx, q, func(version int64) error { return httpx.IfMatch(in.IfMatch, version) })
		if err != nil {
			return nil, err
		}
		return queueAnswered(r.Queue(ctx, in.Code))
	})
	httpx.Register(api, httpx.Operation{
		ID: "pull-next-ticket", Method: http.MethodPost, Path: "/v1/queues/{code}/pull", Tag: tag, Summary: "Take the most urgent ticket that waits in a queue",
		Description: "Any number of people who pull at once get different tickets. What the caller gave back does not come again.",
		Permission:  auth.TicketsWrite, Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, func(ctx context.Context, in *byCode) (*handsAnswer, error) { return inHands(r.PullNext(ctx, in.Code)) })
}
