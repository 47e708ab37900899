package pipeline

import (
	"context"
	"net/http"
	"time"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// pipelineStage is a stage as the API takes and shows it.
type pipelineStage struct {
	Code         string        `json:"code" maxLength:"64" doc:"For life, unique in the pipeline." example:"proposal"`
	Name         string        `json:"name" doc:"What people read." example:"Proposal"`
	Probability  int32         `json:"probability" minimum:"0" maximum:"100" doc:"Of winning, in percent. Never less than that of the stage before." example:"50"`
	Category     Category      `json:"forecast_category,omitempty" enum:"pipeline,best_case,commit" doc:"Of opportunities that have none of their own; absent: pipeline."`
	AgeLimitDays int32         `json:"age_limit_days,omitempty" minimum:"0" maximum:"3650" doc:"Whole days after which an opportunity in it counts as stalled; 0 or absent: never." example:"30"`
	Requires     []Requirement `json:"requires,omitempty" nullable:"false" enum:"amount,expected_close_on,next_step,owner,source,products,contact,decision_maker,competitor" doc:"What an opportunity needs to enter it, and keeps while it is in it."`
	Condition    string        `json:"condition,omitempty" maxLength:"2000" doc:"In CEL, to enter it: may ask amount_minor, currency, source, team, owner, stage, days_open, tags, roles (of contacts), competitors, skus and custom." example:"amount_minor >= 100000 || 'coach' in roles"`
}

// pipelineFollowUp is what happens with what stalled, as the API takes and shows it.
type pipelineFollowUp struct {
	Active       bool  `json:"active" doc:"Whether people are asked at all."`
	RemindDays   int32 `json:"remind_days" minimum:"0" maximum:"250" doc:"Working days after it stalled, whoever sells is reminded." example:"1"`
	EscalateDays int32 `json:"escalate_days" minimum:"0" maximum:"250" doc:"Working days after it stalled, the lead of the team is asked." example:"3"`
	CloseDays    int32 `json:"close_days" minimum:"0" maximum:"250" doc:"Working days after it stalled, it is proposed to close it." example:"10"`
}

// PipelineContent is what people write of a pipeline.
type PipelineContent struct {
	Name     string            `json:"name" doc:"What people read." example:"Key accounts"`
	Currency string            `json:"currency,omitempty" maxLength:"3" doc:"ISO 4217, of opportunities that name none; absent: they have to." example:"CNY"`
	Stages   []pipelineStage   `json:"stages" nullable:"false" minItems:"1" maxItems:"20" doc:"In order. One that open opportunities are in cannot be left out."`
	FollowUp *pipelineFollowUp `json:"follow_up,omitempty" doc:"Absent: 1, 3 and 10 working days."`
	Archived bool              `json:"archived,omitempty" doc:"Nothing new is opened in it. Not while open opportunities are in it."`
}

func (c PipelineContent) pipeline(code string) Pipeline {
	p := Pipeline{Code: code, Name: c.Name, Currency: c.Currency, Archived: c.Archived, FollowUp: Standard().FollowUp}
	for _, s := range c.Stages {
		p.Stages = append(p.Stages, Stage(s))
	}
	if c.FollowUp != nil {
		p.FollowUp = FollowUp(*c.FollowUp)
	}
	return p
}

// pipelineView is a pipeline as the API shows it.
type pipelineView struct {
	Code string `json:"code" example:"key-accounts"`
	PipelineContent
	Version   int64      `json:"version" doc:"Rises by one with every change; the ETag. 0: the standard pipeline, which nobody has changed."`
	ChangedAt *time.Time `json:"changed_at,omitempty"`
	ChangedBy string     `json:"changed_by,omitempty" doc:"Subject."`
}

func show(p Pipeline) pipelineView {
	follow := pipelineFollowUp(p.FollowUp)
	v := pipelineView{
		Code: p.Code, Version: p.Version, ChangedAt: pg.OrNull(p.ChangedAt), ChangedBy: p.By,
		PipelineContent: PipelineContent{Name: p.Name, Currency: p.Currency, FollowUp: &follow, Archived: p.Archived},
	}
	for _, s := range p.Stages {
		v.Stages = append(v.Stages, pipelineStage(s))
	}
	return v
}

type pipelineAnswer struct {
	ETag string `header:"ETag"`
	Body pipelineView
}

func answered(p Pipeline, err error) (*pipelineAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &pipelineAnswer{httpx.ETag(p.Version), show(p)}, nil
}

type makePipeline struct{ Body newPipeline }

// newPipeline is what a pipeline is made of.
type newPipeline struct {
	Code string `json:"code" maxLength:"64" doc:"For life." example:"key-accounts"`
	PipelineContent
}

// PipelinePath names a pipeline.
type PipelinePath struct {
	Code string `path:"code" maxLength:"64"`
}

// PipelineEdit names something as somebody has seen it.
type PipelineEdit struct {
	PipelinePath
	IfMatch string `header:"If-Match" doc:"The ETag of what was read."`
}

func (e PipelineEdit) fresh(version int64) error { return httpx.IfMatch(e.IfMatch, version) }

type changePipeline struct {
	PipelineEdit
	Body PipelineContent
}

type pipelineList struct{ Body pipelinePage }

type pipelinePage struct {
	Items []pipelineView `json:"items" nullable:"false" doc:"The standard one first, the others by code; archived ones too."`
}

// LossReasonContent is what people write of a reason.
type LossReasonContent struct {
	Name          string `json:"name" doc:"What people read." example:"Bought from somebody else"`
	Leads         bool   `json:"leads,omitempty" doc:"Leads may be lost for it."`
	Opportunities bool   `json:"opportunities,omitempty" doc:"Opportunities may."`
	Archived      bool   `json:"archived,omitempty" doc:"Nothing is lost for it any more."`
}

type lossReasonView struct {
	Code string `json:"code" example:"competitor"`
	LossReasonContent
	Version   int64      `json:"version" doc:"Rises by one with every change; the ETag. 0: a standard reason, which nobody has changed."`
	ChangedAt *time.Time `json:"changed_at,omitempty"`
}

func showReason(r Reason) lossReasonView {
	return lossReasonView{r.Code, LossReasonContent{r.Name, r.Leads, r.Opportunities, r.Archived}, r.Version, pg.OrNull(r.ChangedAt)}
}

type lossReasonAnswer struct {
	ETag string `header:"ETag"`
	Body lossReasonView
}

func answeredReason(r Reason, err error) (*lossReasonAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &lossReasonAnswer{httpx.ETag(r.Version), showReason(r)}, nil
}

func (c LossReasonContent) reason(code string) Reason {
	return Reason{Code: code, Name: c.Name, Leads: c.Leads, Opportunities: c.Opportunities, Archived: c.Archived}
}

type makeLossReason struct{ Body newLossReason }

type newLossReason struct {
	Code string `json:"code" maxLength:"64" doc:"For life." example:"no_stock"`
	LossReasonContent
}

type changeLossReason struct {
	PipelineEdit
	Body LossReasonContent
}

type lossReasonList struct{ Body lossReasonPage }

type lossReasonPage struct {
	Items []lossReasonView `json:"items" nullable:"false" doc:"By code; archived ones too."`
}

// CompetitorContent is what people write of a competitor.
type CompetitorContent struct {
	Name     string `json:"name" doc:"What people read: the name of an organisation, not of a person." example:"Pasta Planet"`
	Archived bool   `json:"archived,omitempty" doc:"Nothing new names it."`
}

type competitorView struct {
	Code string `json:"code" example:"pasta-planet"`
	CompetitorContent
	Version   int64     `json:"version" doc:"Rises by one with every change; the ETag."`
	ChangedAt time.Time `json:"changed_at"`
}

func showCompetitor(c Competitor) competitorView {
	return competitorView{c.Code, CompetitorContent{c.Name, c.Archived}, c.Version, c.ChangedAt}
}

type competitorAnswer struct {
	ETag string `header:"ETag"`
	Body competitorView
}

func answeredCompetitor(c Competitor, err error) (*competitorAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &competitorAnswer{httpx.ETag(c.Version), showCompetitor(c)}, nil
}

type makeCompetitor struct{ Body newCompetitor }

type newCompetitor struct {
	Code string `json:"code" maxLength:"64" doc:"For life." example:"pasta-planet"`
	CompetitorContent
}

type changeCompetitor struct {
	PipelineEdit
	Body CompetitorContent
}

type competitorList struct{ Body competitorPage }

type competitorPage struct {
	Items []competitorView `json:"items" nullable:"false" doc:"By code; archived ones too."`
}

// Routes adds the operations on pipelines, reasons and competitors.
func (p *Pipelines) Routes(api *httpx.API) {
	p.pipelineRoutes(api)
	p.reasonRoutes(api)
	p.competitorRoutes(api)
}

var edited = []int{http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed, http.StatusPreconditionRequired}

func (p *Pipelines) pipelineRoutes(api *httpx.API) {
	const tag, path = "Pipelines", "/v1/pipelines"
	httpx.Register(api, httpx.Operation{
		ID: "make-pipeline", Method: http.MethodPost, Path: path, Tag: tag, Summary: "Make a pipeline",
		Permission: auth.SalesConfigure, Status: http.StatusCreated, Errors: []int{http.StatusConflict},
	}, func(ctx context.Context, in *makePipeline) (*pipelineAnswer, error) {
		return answered(p.Make(ctx, in.Body.pipeline(in.Body.Code)))
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-pipelines", Method: http.MethodGet, Path: path, Tag: tag, Summary: "List the pipelines",
		Permission: auth.SalesRead,
	}, func(ctx context.Context, _ *struct{}) (*pipelineList, error) {
		all, err := p.List(ctx)
		return &pipelineList{pipelinePage{each(all, show)}}, err
	})
	httpx.Register(api, httpx.Operation{
		ID: "get-pipeline", Method: http.MethodGet, Path: path + "/{code}", Tag: tag, Summary: "Read a pipeline",
		Permission: auth.SalesRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *PipelinePath) (*pipelineAnswer, error) {
		return answered(p.Get(ctx, in.Code))
	})
	httpx.Register(api, httpx.Operation{
		ID: "change-pipeline", Method: http.MethodPut, Path: path + "/{code}", Tag: tag, Summary: "Change a pipeline",
		Description: "Its stages are written as a whole, in order. Opportunities stay in the stages of their codes: one that is left out must have no open ones.",
		Permission:  auth.SalesConfigure, Errors: edited,
	}, func(ctx context.Context, in *changePipeline) (*pipelineAnswer, error) {
		return answered(p.Change(ctx, in.Code, in.Body.pipeline(in.Code), in.fresh))
	})
}

func (p *Pipelines) reasonRoutes(api *httpx.API) {
	const tag, path = "Pipelines", "/v1/loss-reasons"
	httpx.Register(api, httpx.Operation{
		ID: "make-loss-reason", Method: http.MethodPost, Path: path, Tag: tag, Summary: "Make a reason for losses",
		Permission: auth.SalesConfigure, Status: http.StatusCreated, Errors: []int{http.StatusConflict},
	}, func(ctx context.Context, in *makeLossReason) (*lossReasonAnswer, error) {
		return answeredReason(p.PutReason(ctx, in.Body.reason(in.Body.Code), nil))
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-loss-reasons", Method: http.MethodGet, Path: path, Tag: tag, Summary: "List the reasons for losses",
		Permission: auth.SalesRead,
	}, func(ctx context.Context, _ *struct{}) (*lossReasonList, error) {
		all, err := p.Reasons(ctx)
		return &lossReasonList{lossReasonPage{each(all, showReason)}}, err
	})
	httpx.Register(api, httpx.Operation{
		ID: "change-loss-reason", Method: http.MethodPut, Path: path + "/{code}", Tag: tag, Summary: "Change or archive a reason for losses",
		Description: "What was lost for it stays so.", Permission: auth.SalesConfigure, Errors: edited,
	}, func(ctx context.Context, in *changeLossReason) (*lossReasonAnswer, error) {
		return answeredReason(p.PutReason(ctx, in.Body.reason(in.Code), in.fresh))
	})
}

func (p *Pipelines) competitorRoutes(api *httpx.API) {
	const tag, path = "Pipelines", "/v1/competitors"
	httpx.Register(api, httpx.Operation{
		ID: "make-competitor", Method: http.MethodPost, Path: path, Tag: tag, Summary: "Make a competitor known",
		Permission: auth.SalesConfigure, Status: http.StatusCreated, Errors: []int{http.StatusConflict},
	}, func(ctx context.Context, in *makeCompetitor) (*competitorAnswer, error) {
		return answeredCompetitor(p.PutCompetitor(ctx, Competitor{Code: in.Body.Code, Name: in.Body.Name, Archived: in.Body.Archived}, nil))
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-competitors", Method: http.MethodGet, Path: path, Tag: tag, Summary: "List the competitors",
		Permission: auth.SalesRead,
	}, func(ctx context.Context, _ *struct{}) (*competitorList, error) {
		all, err := p.Competitors(ctx)
		return &competitorList{competitorPage{each(all, showCompetitor)}}, err
	})
	httpx.Register(api, httpx.Operation{
		ID: "change-competitor", Method: http.MethodPut, Path: path + "/{code}", Tag: tag, Summary: "Change or archive a competitor",
		Permission: auth.SalesConfigure, Errors: edited,
	}, func(ctx context.Context, in *changeCompetitor) (*competitorAnswer, error) {
		return answeredCompetitor(p.PutCompetitor(ctx, Competitor{Code: in.Code, Name: in.Body.Name, Archived: in.Body.Archived}, in.fresh))
	})
}

// each shows all of a list.
func each[T, V any](all []T, show func(T) V) []V {
	shown := make([]V, len(all))
	for i, one := range all {
		shown[i] = show(one)
	}
	return shown
}
