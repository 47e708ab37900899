package rollout

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/gate"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/plan"
)

type byID struct {
	ID uuid.UUID `path:"rollout_id" format:"uuid"`
}

// Worded is of an operation that answers with words of ours.
type Worded struct {
	Language string `query:"language" enum:"en,zh,zh-CN" doc:"Of a template's words; where it is left out, Accept-Language decides, and in the end English."`
	Accepts  string `header:"Accept-Language" maxLength:"500" example:"zh-CN"`
}

func (w Worded) language() string { return httpx.Language(w.Language, w.Accepts) }

type makeInput struct {
	Worded
	Body newRollout
}

type newRollout struct {
	Name       string        `json:"name" maxLength:"200" example:"CRM for the branches of the north"`
	Template   string        `json:"template,omitempty" maxLength:"64" doc:"Code of the template that the plan is, or was, made from, see list-rollout-templates." example:"textbook"`
	Plan       *plan.Plan    `json:"plan,omitempty" doc:"Left out: it is made from the template, with what follows."`
	Team       []plan.Member `json:"team,omitempty" nullable:"false" maxItems:"200" doc:"For a template: somebody in each of its roles."`
	Goals      []plan.Goal   `json:"goals,omitempty" nullable:"false" maxItems:"40" doc:"For a template: goals beside its own."`
	PilotUnits []string      `json:"pilot_units,omitempty" nullable:"false" maxItems:"500" doc:"For a template: codes of the units that try it out first."`
	Units      []string      `json:"units,omitempty" nullable:"false" maxItems:"500" doc:"For a template: codes of the units that follow."`
	ExternalID string        `json:"external_id,omitempty" maxLength:"200" doc:"What another system calls it; unique in the tenant." example:"crmrollouts/crm/north"`
	ManagedBy  string        `json:"managed_by,omitempty" maxLength:"64" doc:"Code of who keeps the plan where that is not people." example:"kubernetes"`
}

// outline is the rollout that is to be made, its plan filled from its template, in a language, where it has none of its own.
func (b newRollout) outline(language string) (Outline, error) {
	o := Outline{Name: b.Name, Template: b.Template, Managed: Managed{ManagedBy: b.ManagedBy, ExternalID: b.ExternalID}}
	template, known := plan.TemplateOf(b.Template)
	var faults []problem.Field
	switch filled := len(b.Team)+len(b.Goals)+len(b.PilotUnits)+len(b.Units) > 0; {
	case b.Template != "" && !known:
		faults = append(faults, problem.Field{Location: "template", Code: "template_unknown", Message: "must be one of list-rollout-templates"})
	case b.Plan != nil && filled:
		faults = append(faults, problem.Field{Location: "plan", Code: "plan_or_template", Message: "has a team, goals and units of its own: leave the plan out, or what is filled into a template"})
	case b.Plan != nil:
		o.Plan = *b.Plan
	case !known:
		faults = append(faults, problem.Field{Location: "plan", Code: "plan_required", Message: "must be there, where there is no template"})
	default:
		o.Plan, faults = template.In(language).Fill(plan.Filling{Team: b.Team, Goals: b.Goals, Pilot: b.PilotUnits, Units: b.Units})
	}
	if len(faults) > 0 {
		return o, problem.InvalidBody("rollout_invalid", "The rollout was not accepted: mend the fields named here.", faults)
	}
	return o, nil
}

type templatesAnswer struct{ Body templateList }

type templateList struct {
	Items []templateView `json:"items" nullable:"false"`
}

type templateView struct {
	Code  string    `json:"code" example:"textbook"`
	Doc   string    `json:"doc"`
	Roles []string  `json:"roles" nullable:"false" doc:"Of the team that it needs somebody in."`
	Plan  plan.Plan `json:"plan" doc:"As it will be, without team and units."`
}

type planInput struct {
	ID      uuid.UUID `path:"rollout_id" format:"uuid"`
	IfMatch string    `header:"If-Match" doc:"The version of the plan that you change: plan_version as an entity tag, such as \"3\"."`
	Body    changedPlan
}

type changedPlan struct {
	Plan      plan.Plan `json:"plan"`
	ManagedBy string    `json:"managed_by,omitempty" maxLength:"64" doc:"In whose name it is changed, where that is not people. The plan is theirs from then on."`
}

type releaseInput struct {
	ID        uuid.UUID `path:"rollout_id" format:"uuid"`
	ManagedBy string    `query:"managed_by" maxLength:"64" doc:"In whose name it is done."`
}

type versionInput struct {
	ID      uuid.UUID `path:"rollout_id" format:"uuid"`
	Version int       `query:"version" minimum:"0" maximum:"1000000" doc:"Which version; left out: the present one."`
}

type decisionInput struct {
	ID   uuid.UUID `path:"rollout_id" format:"uuid"`
	Body newDecision
}

type newDecision struct {
	Action Action `json:"action" enum:"pause,resume,cancel,complete,reopen,approve,refuse,skip_gate,roll_back,redo,skip_phase,trigger_risk,mitigate_risk,close_risk" doc:"complete and reopen are of a task; approve, refuse and skip_gate of a gate; roll_back, redo and skip_phase of a phase."`
	Phase  string `json:"phase,omitempty" maxLength:"64" doc:"Code of the phase, for all that is of one."`
	Task   string `json:"task,omitempty" maxLength:"64"`
	Gate   string `json:"gate,omitempty" maxLength:"64"`
	Risk   string `json:"risk,omitempty" maxLength:"64"`
	Reason string `json:"reason,omitempty" maxLength:"64" doc:"Why, as a code; pause, cancel, skip_gate, skip_phase and roll_back need one." example:"holidays"`
	Note   string `json:"note,omitempty" maxLength:"20000" doc:"Why, in words. It goes into no event."`
}

type listInput struct {
	httpx.Page
	State      State  `query:"state" enum:"draft,running,paused,finished,cancelled" doc:"Only those in this state."`
	ExternalID string `query:"external_id" maxLength:"200" doc:"Only the one that another system calls so."`
}

type historyInput struct {
	ID uuid.UUID `path:"rollout_id" format:"uuid"`
	httpx.Page
}

type rolloutAnswer struct{ Body rolloutView }

type rolloutsAnswer struct{ Body rolloutPage }

type rolloutPage struct {
	Items      []RolloutSummary `json:"items" nullable:"false"`
	NextCursor string           `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

type planAnswer struct {
	ETag string `header:"ETag"`
	Body planView
}

type planView struct {
	Plan    plan.Plan `json:"plan"`
	Version int       `json:"version" doc:"Its ETag."`
	By      string    `json:"by" doc:"Subject of whoever wrote it."`
	At      time.Time `json:"at"`
}

type stepsAnswer struct{ Body stepPage }

type stepPage struct {
	Items      []stepView `json:"items" nullable:"false"`
	NextCursor string     `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

type stepView struct {
	No         int        `json:"no" doc:"From 1, in the order in which it happened."`
	Action     Action     `json:"action" enum:"pause,resume,cancel,complete,reopen,approve,refuse,skip_gate,roll_back,redo,skip_phase,trigger_risk,mitigate_risk,close_risk,create,start,edit,enter,live,pass_gate,hold_gate,remind,escalate,finish,release,rename"`
	DecisionID *uuid.UUID `json:"decision_id,omitempty" format:"uuid" doc:"Of what a person decided."`
	By         string     `json:"by,omitempty" doc:"Subject; absent for what the rollout did by itself."`
	At         time.Time  `json:"at"`
	Note       string     `json:"note,omitempty" doc:"What was said with it."`
	Detail     StepDetail `json:"detail"`
}

func showStep(s Said) stepView {
	return stepView{No: s.No, Action: s.Action, DecisionID: pg.OrNull(s.DecisionID), By: s.By, At: s.At, Note: s.Note, Detail: s.Detail}
}

type metricsAnswer struct{ Body metricList }

type metricList struct {
	Items []metricView `json:"items" nullable:"false"`
}

type metricView struct {
	Code          string         `json:"code" example:"import_quality"`
	Unit          gate.Unit      `json:"unit" enum:"share,events" doc:"A share is 0 to 1."`
	Doc           string         `json:"doc"`
	Better        gate.Direction `json:"better" enum:"up,down" doc:"Which way the number is better."`
	PerUnit       bool           `json:"per_unit" doc:"Whether it is measured for units of the organisation, and not only for the whole of it."`
	Before        bool           `json:"before" doc:"Whether it can be compared with what was before the rollout."`
	WindowDays    int            `json:"window_days" doc:"Days over which it is measured where nothing else is said; 0: it is as it is now."`
	MaxWindowDays int            `json:"max_window_days"`
	MinSample     int            `json:"min_sample" doc:"On how many cases it must stand where nothing else is said."`
}

const tag = "Rollouts"

// Routes adds the operations on rollouts.
func (r *Rollouts) Routes(api *httpx.API) {
	httpx.Register(api, httpx.Operation{
		ID: "make-rollout", Method: http.MethodPost, Path: "/v1/rollouts", Tag: tag, Summary: "Plan how CRM is introduced",
		Description: "It is a draft until it is started: until then nothing is withheld from anybody.",
		Permission:  auth.RolloutsManage, Status: http.StatusCreated, Errors: []int{http.StatusConflict},
	}, func(ctx context.Context, in *makeInput) (*rolloutAnswer, error) {
		o, err := in.Body.outline(in.language())
		if err != nil {
			return nil, err
		}
		return r.answered(ctx)(r.Make(ctx, o))
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-rollouts", Method: http.MethodGet, Path: "/v1/rollouts", Tag: tag, Summary: "List rollouts, the latest first", Permission: auth.RolloutsRead,
	}, func(ctx context.Context, in *listInput) (*rolloutsAnswer, error) {
		items, next, err := httpx.PageByID(in.Page, func(before uuid.UUID, limit int) ([]Rollout, error) {
			return r.List(ctx, Filter{State: in.State, ExternalID: in.ExternalID, Before: before}, limit)
		}, func(one Rollout) uuid.UUID { return one.ID }, func(one Rollout) RolloutSummary { return summary(one, r.now()) })
		return &rolloutsAnswer{rolloutPage{items, next}}, err
	})
	httpx.Register(api, httpx.Operation{
		ID: "get-rollout", Method: http.MethodGet, Path: "/v1/rollouts/{rollout_id}", Tag: tag, Summary: "Read where a rollout stands",
		Description: "Every phase, task, gate, risk and goal of its plan, how far it is, why a gate holds, and what can be decided next by whom.",
		Permission:  auth.RolloutsRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *byID) (*rolloutAnswer, error) { return r.answered(ctx)(r.Get(ctx, in.ID)) })
	httpx.Register(api, httpx.Operation{
		ID: "start-rollout", Method: http.MethodPost, Path: "/v1/rollouts/{rollout_id}/start", Tag: tag, Summary: "Start a rollout",
		Description: "From now on what its phases switch on is withheld from people of units that are not live.",
		Permission:  Start.right(), Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, func(ctx context.Context, in *byID) (*rolloutAnswer, error) {
		return r.answered(ctx)(r.Start(ctx, in.ID))
	})
	httpx.Register(api, httpx.Operation{
		ID: "decide-rollout", Method: http.MethodPost, Path: "/v1/rollouts/{rollout_id}/decisions", Tag: tag, Summary: "Decide on a rollout",
		Description: "Work on tasks and mitigations needs no more than this operation; gates, pauses and phases need rollouts.decide, to cancel and to close risks rollouts.manage. The Idempotency-Key makes it one decision, however often it is sent.",
		Permission:  auth.RolloutsWork, Errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusServiceUnavailable},
	}, func(ctx context.Context, in *decisionInput) (*rolloutAnswer, error) {
		b := in.Body
		return r.answered(ctx)(r.Say(ctx, Decision{RolloutID: in.ID, Action: b.Action, Phase: b.Phase, Task: b.Task, Gate: b.Gate, Risk: b.Risk, Reason: b.Reason}, b.Note))
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-rollout-steps", Method: http.MethodGet, Path: "/v1/rollouts/{rollout_id}/steps", Tag: tag, Summary: "List what happened, the latest first",
		Permission: auth.RolloutsRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *historyInput) (*stepsAnswer, error) {
		items, next, err := httpx.PageByNumber(in.Page, func(before, limit int) ([]Said, error) { return r.History(ctx, in.ID, before, limit) },
			func(s Said) int { return s.No }, showStep)
		return &stepsAnswer{stepPage{items, next}}, err
	})
	catalogueRoutes(api)
	r.planRoutes(api)
	r.nameRoutes(api)
	r.lookRoutes(api)
}

// catalogueRoutes adds what plans are made from.
func catalogueRoutes(api *httpx.API) {
	httpx.Register(api, httpx.Operation{
		ID: "list-rollout-metrics", Method: http.MethodGet, Path: "/v1/rollout-metrics", Tag: tag, Summary: "List what gates, goals and risks can be measured by",
		Permission: auth.RolloutsRead,
	}, func(context.Context, *struct{}) (*metricsAnswer, error) {
		items := []metricView{}
		for _, m := range gate.Metrics() {
			items = append(items, metricView(m))
		}
		return &metricsAnswer{metricList{items}}, nil
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-rollout-templates", Method: http.MethodGet, Path: "/v1/rollout-templates", Tag: tag, Summary: "List plans to begin with",
		Description: "make-rollout makes a plan of one, with a team and the units that are covered.", Permission: auth.RolloutsRead,
	}, func(_ context.Context, in *Worded) (*templatesAnswer, error) {
		items := []templateView{}
		for _, t := range plan.Templates() {
			t = t.In(in.language())
			items = append(items, templateView{Code: t.Code, Doc: t.Doc, Roles: t.Roles, Plan: t.Outline()})
		}
		return &templatesAnswer{templateList{items}}, nil
	})
}

// lookRoutes adds what is read of rollouts as a whole.
func (r *Rollouts) lookRoutes(api *httpx.API) {
	httpx.Register(api, httpx.Operation{
		ID: "report-rollout", Method: http.MethodGet, Path: "/v1/rollouts/{rollout_id}/report", Tag: tag, Summary: "Report on a rollout",
		Description: "What it came to, or has come to so far: goals with baseline, target and what was measured; phases with their times, what was late, how gates opened, risks, pauses and what was rolled back.",
		Permission:  auth.RolloutsRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *byID) (*reportAnswer, error) {
		is, steps, err := r.Whole(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		return &reportAnswer{report(is, steps, r.now())}, nil
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-entitlements", Method: http.MethodGet, Path: "/v1/entitlements", Tag: tag, Summary: "List for which units each capability is open, and why",
		Permission: auth.RolloutsRead,
	}, func(ctx context.Context, _ *struct{}) (*openAnswer, error) {
		going, err := r.Going(ctx)
		if err != nil {
			return nil, err
		}
		return &openAnswer{openList{open(going)}}, nil
	})
}

type reportAnswer struct{ Body reportView }

type openAnswer struct{ Body openList }

type openList struct {
	Items []capabilityView `json:"items" nullable:"false"`
}

// planRoutes adds the operations on the plan of a rollout.
func (r *Rollouts) planRoutes(api *httpx.API) {
	httpx.Register(api, httpx.Operation{
		ID: "get-rollout-plan", Method: http.MethodGet, Path: "/v1/rollouts/{rollout_id}/plan", Tag: tag, Summary: "Read a version of the plan of a rollout",
		Permission: auth.RolloutsRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *versionInput) (*planAnswer, error) {
		k, err := r.PlanOf(ctx, in.ID, in.Version)
		if err != nil {
			return nil, err
		}
		return &planAnswer{httpx.ETag(int64(k.Version)), planView{Plan: k.Plan, Version: k.Version, By: k.By, At: k.At}}, nil
	})
	httpx.Register(api, httpx.Operation{
		ID: "change-rollout-plan", Method: http.MethodPut, Path: "/v1/rollouts/{rollout_id}/plan", Tag: tag, Summary: "Put another plan in the place of the present one",
		Description: "Phases that have begun stay as they are. One that was rolled back can be planned anew.",
		Permission:  auth.RolloutsManage, Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, func(ctx context.Context, in *planInput) (*rolloutAnswer, error) {
		fresh := func(version int64) error { return httpx.IfMatch(in.IfMatch, version) }
		return r.answered(ctx)(r.Plan(ctx, in.ID, in.Body.Plan, in.Body.ManagedBy, fresh))
	})
	httpx.Register(api, httpx.Operation{
		ID: "release-rollout", Method: http.MethodPost, Path: "/v1/rollouts/{rollout_id}/release", Tag: tag, Summary: "Give a managed rollout back to people",
		Description: "Whoever keeps its plan lets go of it: it goes on as it is, and people may change it.",
		Permission:  auth.RolloutsManage, Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, func(ctx context.Context, in *releaseInput) (*rolloutAnswer, error) {
		return r.answered(ctx)(r.Release(ctx, in.ID, in.ManagedBy))
	})
}

// answered shows whoever asks what came of it.
func (r *Rollouts) answered(ctx context.Context) func(Rollout, error) (*rolloutAnswer, error) {
	return func(is Rollout, err error) (*rolloutAnswer, error) {
		if err != nil {
			return nil, err
		}
		return &rolloutAnswer{show(is, flow.ActorOf(ctx), r.now())}, nil
	}
}
