package nurture

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// nurtureProgrammeView is a programme as the API shows it.
type nurtureProgrammeView struct {
	Code string `json:"code" example:"welcome"`
	ProgrammeTerms
	Version   int64     `json:"version" doc:"Rises by one with every change; the ETag. Leads go on by the version that they began with."`
	ChangedAt time.Time `json:"changed_at"`
	ChangedBy string    `json:"changed_by" doc:"Subject."`
}

func showProgramme(p Programme) nurtureProgrammeView {
	return nurtureProgrammeView{p.Code, p.ProgrammeTerms, p.Version, p.ChangedAt, p.By}
}

type nurtureProgrammeAnswer struct {
	ETag string `header:"ETag"`
	Body nurtureProgrammeView
}

func programmeAnswered(p Programme, err error) (*nurtureProgrammeAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &nurtureProgrammeAnswer{httpx.ETag(p.Version), showProgramme(p)}, nil
}

type nurtureProgrammeInput struct {
	Code    string `path:"programme_code" maxLength:"64"`
	IfMatch string `header:"If-Match" doc:"The ETag of the programme as it was read; \"0\" makes it."`
	Body    ProgrammeTerms
}

type nurtureProgrammeByCode struct {
	Code string `path:"programme_code" maxLength:"64"`
}

type nurtureProgrammeList struct{ httpx.Page }

type nurtureProgrammesAnswer struct{ Body nurtureProgrammePage }

type nurtureProgrammePage struct {
	Items      []nurtureProgrammeView `json:"items" nullable:"false" doc:"By code."`
	NextCursor string                 `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

// nurturingView is a case as the API shows it.
type nurturingView struct {
	NurturingID uuid.UUID       `json:"nurturing_id" format:"uuid"`
	LeadID      uuid.UUID       `json:"lead_id" format:"uuid"`
	Programme   string          `json:"programme" doc:"Code."`
	Version     int64           `json:"programme_version"`
	Stage       Stage           `json:"stage" enum:"running,paused,handed_over,recycled,lost,cancelled"`
	Code        string          `json:"code,omitempty" doc:"Why it is over: score, enquired or hand (it went to sales), recycled, silence (it is lost), or what else became of the lead."`
	Touches     int             `json:"touches" doc:"That were made."`
	DueAt       *time.Time      `json:"due_at,omitempty" doc:"When something happens next; absent: not until somebody decides."`
	Steps       []nurturingStep `json:"steps" nullable:"false" doc:"What happened."`
	Next        []Action        `json:"next_actions" nullable:"false" doc:"What may be decided now."`
	StartedAt   time.Time       `json:"started_at"`
	OverAt      *time.Time      `json:"over_at,omitempty"`
}

// nurturingStep is one thing that happened.
type nurturingStep struct {
	Action    Action     `json:"action" enum:"start,touch,skip,pause,resume,hand_over,end"`
	Touch     string     `json:"touch,omitempty" doc:"Code of what the lead was to hear."`
	Channel   string     `json:"channel,omitempty"`
	ContactID *uuid.UUID `json:"contact_id,omitempty" format:"uuid" doc:"At accounts; absent of a lead that it does not know."`
	Code      string     `json:"code,omitempty" doc:"Why it was skipped, or is over."`
	By        string     `json:"by" doc:"Subject."`
	At        time.Time  `json:"at"`
}

func showCase(c Case) nurturingView {
	v := nurturingView{
		NurturingID: c.ID, LeadID: c.LeadID, Programme: c.Programme, Version: c.ProgrammeVersion, Stage: c.Stage, Code: c.Code, Touches: c.Touches,
		DueAt: pg.OrNull(c.DueAt()), Steps: []nurturingStep{}, Next: c.NextActions(), StartedAt: c.StartedAt, OverAt: pg.OrNull(c.OverAt),
	}
	for _, s := range c.Steps {
		v.Steps = append(v.Steps, nurturingStep{s.Action, s.Touch, s.Channel, pg.OrNull(s.ContactID), s.Code, s.By, s.At.UTC()})
	}
	return v
}

type nurturingAnswer struct{ Body nurturingView }

func caseAnswered(c Case, err error) (*nurturingAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &nurturingAnswer{showCase(c)}, nil
}

type nurtureInput struct {
	ID   uuid.UUID `path:"lead_id" format:"uuid"`
	Body nurtureBody
}

// nurtureBody says how a lead is warmed up.
type nurtureBody struct {
	Programme string `json:"programme" maxLength:"64" doc:"Code." example:"welcome"`
}

type nurturingByID struct {
	ID uuid.UUID `path:"nurturing_id" format:"uuid"`
}

type nurturingList struct {
	LeadID uuid.UUID `query:"lead_id" format:"uuid" doc:"Only those of this lead."`
	Stage  Stage     `query:"stage" enum:"running,paused,handed_over,recycled,lost,cancelled" doc:"Only those that stand there."`
	httpx.Page
}

type nurturingsAnswer struct{ Body nurturingPage }

type nurturingPage struct {
	Items      []nurturingView `json:"items" nullable:"false" doc:"The latest first."`
	NextCursor string          `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

const tag = "Nurturing"

// Routes adds the operations of nurturing.
func (n *Nurture) Routes(api *httpx.API) {
	n.programmeRoutes(api)
	n.caseRoutes(api)
	n.decisionRoutes(api)
}

func (n *Nurture) programmeRoutes(api *httpx.API) {
	const path = "/v1/nurture-programmes/{programme_code}"
	httpx.Register(api, httpx.Operation{
		ID: "list-nurture-programmes", Method: http.MethodGet, Path: "/v1/nurture-programmes", Tag: tag, Summary: "List how leads are warmed up", Permission: auth.SalesRead,
	}, func(ctx context.Context, in *nurtureProgrammeList) (*nurtureProgrammesAnswer, error) {
		items, next, err := httpx.PageByText(in.Page, func(after string, limit int) ([]Programme, error) {
			return n.Programmes(ctx, after, limit)
		}, func(p Programme) string { return p.Code }, showProgramme)
		return &nurtureProgrammesAnswer{nurtureProgrammePage{items, next}}, err
	})
	httpx.Register(api, httpx.Operation{
		ID: "get-nurture-programme", Method: http.MethodGet, Path: path, Tag: tag, Summary: "Read a programme", Permission: auth.SalesRead,
		Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *nurtureProgrammeByCode) (*nurtureProgrammeAnswer, error) {
		return programmeAnswered(n.Programme(ctx, in.Code))
	})
	httpx.Register(api, httpx.Operation{
		ID: "put-nurture-programme", Method: http.MethodPut, Path: path, Tag: tag, Summary: "Make or change a programme",
		Description: "Leads that are in it go on by the version that they began with.",
		Permission:  auth.SalesConfigure, Errors: []int{http.StatusPreconditionFailed, http.StatusPreconditionRequired},
	}, func(ctx context.Context, in *nurtureProgrammeInput) (*nurtureProgrammeAnswer, error) {
		return programmeAnswered(n.PutProgramme(ctx, Programme{Code: in.Code, ProgrammeTerms: in.Body}, func(version int64) error { return httpx.IfMatch(in.IfMatch, version) }))
	})
}

func (n *Nurture) caseRoutes(api *httpx.API) {
	httpx.Register(api, httpx.Operation{
		ID: "nurture-lead", Method: http.MethodPost, Path: "/v1/leads/{lead_id}/nurture", Tag: tag, Summary: "Have marketing warm up a lead that is not ready",
		Description: "It goes back to sales when its score is high enough, when it comes again, or by hand; silent to the end, as the programme says.",
		Permission:  auth.SalesWrite, Status: http.StatusCreated, Errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusGone},
	}, func(ctx context.Context, in *nurtureInput) (*nurturingAnswer, error) {
		return caseAnswered(n.Begin(ctx, in.ID, in.Body.Programme))
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-nurturings", Method: http.MethodGet, Path: "/v1/nurturings", Tag: tag, Summary: "List leads that are or were warmed up", Permission: auth.SalesRead,
	}, func(ctx context.Context, in *nurturingList) (*nurturingsAnswer, error) {
		items, next, err := httpx.PageByID(in.Page, func(before uuid.UUID, limit int) ([]Case, error) {
			return n.List(ctx, Filter{LeadID: in.LeadID, Stage: in.Stage, Before: before}, limit)
		}, func(c Case) uuid.UUID { return c.ID }, showCase)
		return &nurturingsAnswer{nurturingPage{items, next}}, err
	})
	httpx.Register(api, httpx.Operation{
		ID: "get-nurturing", Method: http.MethodGet, Path: "/v1/nurturings/{nurturing_id}", Tag: tag, Summary: "Read where the warming up of a lead stands",
		Permission: auth.SalesRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *nurturingByID) (*nurturingAnswer, error) {
		return caseAnswered(n.Get(ctx, in.ID))
	})
}

func (n *Nurture) decisionRoutes(api *httpx.API) {
	for _, d := range []struct {
		action        Action
		verb, summary string
	}{
		{ActionPause, "pause", "Have a lead that is warmed up hear nothing for now"},
		{ActionResume, "resume", "Go on with a lead that was to hear nothing for now"},
		{ActionHandOver, "hand-over", "Give a lead that is warmed up to sales"},
	} {
		httpx.Register(api, httpx.Operation{
			ID: d.verb + "-nurturing", Method: http.MethodPost, Path: "/v1/nurturings/{nurturing_id}/" + d.verb, Tag: tag, Summary: d.summary,
			Description: "While its process cannot be reached the answer is 503, and the decision may still take effect: sent again under the same Idempotency-Key it tells.",
			Permission:  right, Errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusServiceUnavailable},
		}, func(ctx context.Context, in *nurturingByID) (*nurturingAnswer, error) {
			return caseAnswered(n.Decide(ctx, in.ID, d.action))
		})
	}
}
