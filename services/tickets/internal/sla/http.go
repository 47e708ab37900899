package sla

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// SLAPolicyBody is what a policy says, as the API takes and shows it. It is exported so that what embeds it is documented
// whole.
type SLAPolicyBody struct {
	Name       string      `json:"name" maxLength:"200" example:"Gold customers"`
	Position   int         `json:"position" doc:"Policies are tried from the lowest position; the first that fits measures the ticket." example:"10"`
	Condition  string      `json:"condition,omitempty" maxLength:"2000" doc:"CEL over kind, channel, category, queue, impact, urgency, priority, tags, custom, and the customer's grade and tier. Left out: fits every ticket." example:"tier == \"gold\" && priority <= 2"`
	CalendarID *uuid.UUID  `json:"calendar_id,omitempty" format:"uuid" doc:"The business calendar to reckon by; left out: the tenant's default."`
	Targets    slaTargets  `json:"targets" doc:"What is promised, by priority. A clock that is left out is not measured."`
	Pausing    *slaPausing `json:"pausing,omitempty" doc:"Statuses in which a clock pauses. Left out: pending pauses the resolution."`
	Reopening  Reopening   `json:"reopening,omitempty" enum:"first,total" default:"first" doc:"first: the first time a ticket is resolved counts. total: the clock goes on when it is reopened; the time for which it was resolved is left out."`
	Steps      []slaStep   `json:"steps,omitempty" nullable:"false" maxItems:"30" doc:"What is done when so much of a target is used up. Left out: a warning at 80 %."`
	ManagedBy  string      `json:"managed_by,omitempty" maxLength:"64" doc:"Code of who keeps the policy where that is not people: only a change that gives the same is taken then." example:"kubernetes"`
	ExternalID string      `json:"external_id,omitempty" maxLength:"200" doc:"What the manager calls the policy; no two that pick tickets have the same. Left out of a change: as it was."`
	Correction bool        `json:"correction,omitempty" doc:"Of a change: the versions before were wrong. Open tickets that they measure go over to this one, and their deadlines are reckoned anew."`
}

type slaTargets struct {
	P1 *slaTarget `json:"p1,omitempty" doc:"The most urgent."`
	P2 *slaTarget `json:"p2,omitempty"`
	P3 *slaTarget `json:"p3,omitempty"`
	P4 *slaTarget `json:"p4,omitempty"`
	P5 *slaTarget `json:"p5,omitempty"`
}

type slaTarget struct {
	FirstResponse *int64 `json:"first_response_seconds,omitempty" doc:"Business time, in seconds." example:"3600"`
	NextResponse  *int64 `json:"next_response_seconds,omitempty" doc:"Business time, in seconds." example:"7200"`
	Resolution    *int64 `json:"resolution_seconds,omitempty" doc:"Business time, in seconds." example:"28800"`
}

type slaPausing struct {
	FirstResponse []string `json:"first_response,omitempty" nullable:"false" maxItems:"4"`
	NextResponse  []string `json:"next_response,omitempty" nullable:"false" maxItems:"4"`
	Resolution    []string `json:"resolution,omitempty" nullable:"false" maxItems:"4" example:"[\"pending\"]"`
}

type slaStep struct {
	Clock   Clock  `json:"clock,omitempty" enum:"first_response,next_response,resolution" doc:"Left out: each."`
	Percent int    `json:"percent" minimum:"1" maximum:"1000" doc:"Of the target's business time; 100 is the deadline." example:"80"`
	Action  Action `json:"action" enum:"warn,raise_priority,assign_queue" doc:"Every step is told of by an event as well."`
	Queue   string `json:"queue,omitempty" maxLength:"64" doc:"Of assign_queue: the queue's code."`
}

// slaPolicyView is a policy as the API shows it.
type slaPolicyView struct {
	PolicyID uuid.UUID `json:"policy_id" format:"uuid"`
	Version  int64     `json:"version" doc:"Rises by one with every change; the ETag."`
	SLAPolicyBody
	Archived bool      `json:"archived" doc:"Picks no ticket any more."`
	By       string    `json:"by" doc:"Subject of whoever made this version."`
	At       time.Time `json:"at" doc:"When this version was made."`
}

func show(s Stored) slaPolicyView {
	v := slaPolicyView{PolicyID: s.ID, Version: s.Version, Archived: s.Archived, By: s.By, At: s.At.UTC(), SLAPolicyBody: SLAPolicyBody{
		Name: s.Name, Position: s.Position, Condition: s.Condition, CalendarID: pg.OrNull(s.CalendarID), Reopening: s.Reopening,
		ManagedBy: s.ManagedBy, ExternalID: s.ExternalID, Correction: s.Correction, Pausing: &slaPausing{s.Pausing[FirstResponse], s.Pausing[NextResponse], s.Pausing[Resolution]}, Steps: []slaStep{},
	}}
	for i, at := range v.Targets.byPriority() {
		if t := s.Targets[i]; t != (Targets{}) {
			*at = &slaTarget{inSeconds(t.FirstResponse), inSeconds(t.NextResponse), inSeconds(t.Resolution)}
		}
	}
	for _, step := range s.Steps {
		v.Steps = append(v.Steps, slaStep(step))
	}
	return v
}

func (t *slaTargets) byPriority() [5]**slaTarget {
	return [5]**slaTarget{&t.P1, &t.P2, &t.P3, &t.P4, &t.P5}
}

func inSeconds(d time.Duration) *int64 {
	if d == 0 {
		return nil
	}
	n := seconds(d)
	return &n
}

// promised gives a target without running over: what is too long stays too long, and a promise of nothing stays wrong.
func promised(n *int64) time.Duration {
	const most = int64(2 * longest / time.Second)
	switch {
	case n == nil:
		return 0
	case *n == 0:
		return -time.Second
	}
	return time.Duration(max(-1, min(*n, most))) * time.Second
}

func (b SLAPolicyBody) policy() Policy {
	p := Policy{Name: b.Name, Position: b.Position, Condition: b.Condition, Reopening: b.Reopening}
	if b.CalendarID != nil {
		p.CalendarID = *b.CalendarID
	}
	for i, at := range b.Targets.byPriority() {
		if t := *at; t != nil {
			p.Targets[i] = Targets{promised(t.FirstResponse), promised(t.NextResponse), promised(t.Resolution)}
		}
	}
	if b.Pausing != nil {
		p.Pausing = map[Clock][]string{FirstResponse: b.Pausing.FirstResponse, NextResponse: b.Pausing.NextResponse, Resolution: b.Pausing.Resolution}
	}
	if b.Steps != nil {
		p.Steps = []Step{}
		for _, s := range b.Steps {
			p.Steps = append(p.Steps, Step(s))
		}
	}
	return p
}

func (b SLAPolicyBody) managed() Managed { return Managed{b.ManagedBy, b.ExternalID} }

type answer struct {
	ETag string `header:"ETag"`
	Body slaPolicyView
}

func answered(s Stored, err error) (*answer, error) {
	if err != nil {
		return nil, err
	}
	return &answer{ETag: httpx.ETag(s.Version), Body: show(s)}, nil
}

type createInput struct{ Body SLAPolicyBody }

type byID struct {
	ID uuid.UUID `path:"policy_id" format:"uuid"`
}

type changeInput struct {
	ID      uuid.UUID `path:"policy_id" format:"uuid"`
	IfMatch string    `header:"If-Match" doc:"The ETag of the policy as it was read."`
	Body    SLAPolicyBody
}

type archiveInput struct {
	ID        uuid.UUID `path:"policy_id" format:"uuid"`
	IfMatch   string    `header:"If-Match" doc:"The ETag of the policy as it was read."`
	ManagedBy string    `query:"managed_by" maxLength:"64" doc:"In whose name it is done, of a policy that is managed."`
}

func (in *archiveInput) fresh(version int64) error { return httpx.IfMatch(in.IfMatch, version) }

type listInput struct {
	ExternalID string `query:"external_id" maxLength:"200" doc:"Only the policy that its manager calls so."`
}

type listAnswer struct{ Body slaPolicyList }

type slaPolicyList struct {
	Items []slaPolicyView `json:"items" nullable:"false" doc:"All that pick tickets, in the order in which they are tried; at most 100."`
}

type versionsInput struct {
	httpx.Page
	ID uuid.UUID `path:"policy_id" format:"uuid"`
}

type versionsAnswer struct{ Body slaPolicyVersions }

type slaPolicyVersions struct {
	Items      []slaPolicyView `json:"items" nullable:"false"`
	NextCursor string          `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

// Routes adds the operations on policies and standings.
func (p *Policies) Routes(api *httpx.API) {
	const tag, path = "Service levels", "/v1/sla-policies"
	changeable := []int{http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed, http.StatusPreconditionRequired}
	httpx.Register(api, httpx.Operation{
		ID: "create-sla-policy", Method: http.MethodPost, Path: path, Tag: tag, Summary: "Make a service level policy",
		Permission: auth.TicketsConfigure, Status: http.StatusCreated, Errors: []int{http.StatusConflict},
	}, func(ctx context.Context, in *createInput) (*answer, error) {
		if in.Body.Correction {
			return nil, invalid([]problem.Field{{Location: "correction", Code: "correction_unfit", Message: "belongs to changes: a new policy has nothing to correct"}})
		}
		return answered(p.Create(ctx, in.Body.policy(), in.Body.managed()))
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-sla-policies", Method: http.MethodGet, Path: path, Tag: tag, Summary: "List the policies that pick tickets, in their order",
		Permission: auth.TicketsRead,
	}, p.list)
	httpx.Register(api, httpx.Operation{
		ID: "get-sla-policy", Method: http.MethodGet, Path: path + "/{policy_id}", Tag: tag, Summary: "Read a policy",
		Permission: auth.TicketsRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *byID) (*answer, error) { return answered(p.Get(ctx, in.ID)) })
	httpx.Register(api, httpx.Operation{
		ID: "list-sla-policy-versions", Method: http.MethodGet, Path: path + "/{policy_id}/versions", Tag: tag,
		Summary: "List what a policy said in each version, the latest first", Permission: auth.TicketsRead, Errors: []int{http.StatusNotFound},
	}, p.listVersions)
	httpx.Register(api, httpx.Operation{
		ID: "change-sla-policy", Method: http.MethodPut, Path: path + "/{policy_id}", Tag: tag, Summary: "Change a policy",
		Description: "Makes a new version, for tickets that are opened or classified anew from now on. Open tickets stay with the version that measures them, unless the change is a correction.",
		Permission:  auth.TicketsConfigure, Errors: changeable,
	}, func(ctx context.Context, in *changeInput) (*answer, error) {
		fresh := func(version int64) error { return httpx.IfMatch(in.IfMatch, version) }
		return answered(p.Change(ctx, in.ID, in.Body.policy(), in.Body.managed(), in.Body.Correction, fresh))
	})
	httpx.Register(api, httpx.Operation{
		ID: "archive-sla-policy", Method: http.MethodPost, Path: path + "/{policy_id}/archive", Tag: tag, Summary: "Have a policy pick no more tickets",
		Description: "Tickets that it picked are measured by it on.", Permission: auth.TicketsConfigure, Errors: changeable,
	}, func(ctx context.Context, in *archiveInput) (*answer, error) {
		return answered(p.Archive(ctx, in.ID, in.ManagedBy, in.fresh))
	})
	httpx.Register(api, httpx.Operation{
		ID: "release-sla-policy", Method: http.MethodPost, Path: path + "/{policy_id}/release", Tag: tag, Summary: "Give a managed policy back to people",
		Description: "Its manager lets go of it: it stays as it is, and people may change it.", Permission: auth.TicketsConfigure, Errors: changeable,
	}, func(ctx context.Context, in *archiveInput) (*answer, error) {
		return answered(p.Release(ctx, in.ID, in.ManagedBy, in.fresh))
	})
	p.tryRoutes(api)
}

func (p *Policies) list(ctx context.Context, in *listInput) (*listAnswer, error) {
	all, err := p.List(ctx)
	if err != nil {
		return nil, err
	}
	items := []slaPolicyView{}
	for _, s := range all {
		if in.ExternalID == "" || s.ExternalID == in.ExternalID {
			items = append(items, show(s))
		}
	}
	return &listAnswer{slaPolicyList{items}}, nil
}

func (p *Policies) listVersions(ctx context.Context, in *versionsInput) (*versionsAnswer, error) {
	items, next, err := httpx.PageByNumber(in.Page, func(before, limit int) ([]Stored, error) { return p.Versions(ctx, in.ID, int64(before), limit) },
		func(s Stored) int { return int(s.Version) }, show)
	return &versionsAnswer{slaPolicyVersions{Items: items, NextCursor: next}}, err
}
