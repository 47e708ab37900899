package routing

import (
	"context"
	"net/http"
	"time"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// AgentBody is what is configured of an agent, as the API takes and shows it. It is exported so that what embeds it is
// documented whole.
type AgentBody struct {
	Capacity int            `json:"capacity" minimum:"0" maximum:"1000" doc:"Tickets at a time that are given unasked. Those that wait for the customer or for somebody else do not count." example:"8"`
	Queues   []string       `json:"queues" nullable:"false" maxItems:"200" doc:"Codes of the queues whose tickets the agent takes."`
	Skills   []routingLevel `json:"skills,omitempty" nullable:"false" maxItems:"20"`
}

// agentView is an agent as the API shows it.
type agentView struct {
	Subject string `json:"subject" doc:"Of the agent's tokens."`
	AgentBody
	Presence     Presence   `json:"presence" enum:"available,away,offline" doc:"Now."`
	PresentUntil *time.Time `json:"present_until,omitempty" doc:"When the agent counts as offline, unless a presence is set again."`
	Load         int        `json:"load" doc:"Tickets that the agent works on."`
	Version      int64      `json:"version" doc:"Of what is configured; the ETag. Presence does not raise it."`
	ChangedAt    time.Time  `json:"changed_at"`
}

type agentAnswer struct {
	ETag string `header:"ETag"`
	Body agentView
}

func (r *Routing) showAgent(b Busy) agentView {
	v := agentView{Subject: b.Subject, AgentBody: AgentBody{b.Capacity, list(b.Queues), showLevels(b.Skills)}, Presence: b.Present(r.now()),
		Load: b.Load, Version: b.Version, ChangedAt: b.ChangedAt.UTC()}
	if v.Presence != Offline {
		v.PresentUntil = pg.OrNull(b.PresentUntil.UTC())
	}
	return v
}

func (r *Routing) agentAnswered(b Busy, err error) (*agentAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &agentAnswer{httpx.ETag(b.Version), r.showAgent(b)}, nil
}

type bySubject struct {
	Subject string `path:"subject" maxLength:"200" doc:"Of the agent's tokens; me for the caller's."`
}

// agentOf gives the subject that a path names.
func agentOf(ctx context.Context, subject string) string {
	if subject == "me" {
		return caller(ctx).Subject
	}
	return subject
}

type agentInput struct {
	Subject string `path:"subject" maxLength:"200" doc:"Of the agent's tokens; me for the caller's."`
	IfMatch string `header:"If-Match" doc:"The ETag of the agent as it was read; \"0\" makes it."`
	Body    AgentBody
}

type agentList struct{ httpx.Page }

type agentsAnswer struct{ Body agentPage }

type agentPage struct {
	Items      []agentView `json:"items" nullable:"false" doc:"By subject."`
	NextCursor string      `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

// agentPresence is whether an agent takes tickets now.
type agentPresence struct {
	Presence Presence `json:"presence" enum:"available,away,offline" doc:"away: is here, and gets nothing new."`
	Seconds  int64    `json:"seconds,omitempty" minimum:"1" maximum:"86400" default:"28800" doc:"For how long that holds, unless it is set again; then the agent counts as offline."`
}

type myPresence struct{ Body agentPresence }

type presenceInput struct {
	Subject string `path:"subject" maxLength:"200"`
	Body    agentPresence
}

func (r *Routing) agentRoutes(api *httpx.API) {
	const tag = "Routing"
	missing := []int{http.StatusNotFound}
	httpx.Register(api, httpx.Operation{
		ID: "list-agents", Method: http.MethodGet, Path: "/v1/agents", Tag: tag, Summary: "List agents: who is here, and how much they have", Permission: auth.TicketsRead,
	}, func(ctx context.Context, in *agentList) (*agentsAnswer, error) {
		items, next, err := httpx.PageByText(in.Page, func(after string, limit int) ([]Busy, error) {
			return r.Agents(ctx, after, limit)
		}, func(b Busy) string { return b.Subject }, r.showAgent)
		return &agentsAnswer{agentPage{items, next}}, err
	})
	httpx.Register(api, httpx.Operation{
		ID: "get-agent", Method: http.MethodGet, Path: "/v1/agents/{subject}", Tag: tag, Summary: "Read an agent", Permission: auth.TicketsRead, Errors: missing,
	}, func(ctx context.Context, in *bySubject) (*agentAnswer, error) {
		return r.agentAnswered(r.Agent(ctx, agentOf(ctx, in.Subject)))
	})
	httpx.Register(api, httpx.Operation{
		ID: "put-agent", Method: http.MethodPut, Path: "/v1/agents/{subject}", Tag: tag, Summary: "Make or change an agent",
		Permission: auth.TicketsConfigure, Errors: []int{http.StatusPreconditionFailed, http.StatusPreconditionRequired},
	}, func(ctx context.Context, in *agentInput) (*agentAnswer, error) {
		a := Agent{Subject: agentOf(ctx, in.Subject), Capacity: in.Body.Capacity, Queues: in.Body.Queues, Skills: readLevels(in.Body.Skills)}
		if _, err := r.PutAgent(ctx, a, func(version int64) error { return httpx.IfMatch(in.IfMatch, version) }); err != nil {
			return nil, err
		}
		return r.agentAnswered(r.Agent(ctx, a.Subject))
	})
	set := func(ctx context.Context, subject string, b agentPresence) (*agentAnswer, error) {
		if _, err := r.SetPresence(ctx, subject, b.Presence, time.Duration(b.Seconds)*time.Second); err != nil {
			return nil, err
		}
		return r.agentAnswered(r.Agent(ctx, subject))
	}
	httpx.Register(api, httpx.Operation{
		ID: "set-own-presence", Method: http.MethodPut, Path: "/v1/agents/me/presence", Tag: tag, Summary: "Say whether the caller takes tickets now",
		Permission: auth.TicketsWrite, Errors: missing,
	}, func(ctx context.Context, in *myPresence) (*agentAnswer, error) {
		return set(ctx, caller(ctx).Subject, in.Body)
	})
	httpx.Register(api, httpx.Operation{
		ID: "set-presence", Method: http.MethodPut, Path: "/v1/agents/{subject}/presence", Tag: tag, Summary: "Say whether an agent takes tickets now",
		Permission: auth.TicketsConfigure, Errors: missing,
	}, func(ctx context.Context, in *presenceInput) (*agentAnswer, error) {
		return set(ctx, in.Subject, in.Body)
	})
}

// routingRules are the rules as the API takes and shows them.
type routingRules struct {
	Rules []routingRule `json:"rules" nullable:"false" maxItems:"200" doc:"In order: the first that fits a ticket holds."`
}

type routingRule struct {
	Condition string         `json:"condition,omitempty" maxLength:"2000" doc:"CEL, as of service level policies. Left out: fits every ticket." example:"category == \"billing\" || kind == \"complaint\""`
	Queue     string         `json:"queue" maxLength:"64" doc:"Code of where the ticket goes." example:"billing"`
	Skills    []routingLevel `json:"skills,omitempty" nullable:"false" maxItems:"20" doc:"What the ticket needs beside what the queue needs."`
}

type rulesInput struct {
	IfMatch string `header:"If-Match" doc:"The ETag of the rules as they were read."`
	Body    routingRules
}

type rulesAnswer struct {
	ETag string `header:"ETag"`
	Body routingRules
}

func rulesAnswered(found Rules, err error) (*rulesAnswer, error) {
	if err != nil {
		return nil, err
	}
	b := routingRules{Rules: []routingRule{}}
	for _, rule := range found.Rules {
		b.Rules = append(b.Rules, routingRule{rule.Condition, rule.Queue, showLevels(rule.Skills)})
	}
	return &rulesAnswer{httpx.ETag(found.Version), b}, nil
}

func (r *Routing) ruleRoutes(api *httpx.API) {
	const tag, path = "Routing", "/v1/routing-rules"
	httpx.Register(api, httpx.Operation{
		ID: "get-routing-rules", Method: http.MethodGet, Path: path, Tag: tag, Summary: "Read the rules by which tickets come into queues", Permission: auth.TicketsRead,
	}, func(ctx context.Context, _ *struct{}) (*rulesAnswer, error) { return rulesAnswered(r.Rules(ctx)) })
	httpx.Register(api, httpx.Operation{
		ID: "set-routing-rules", Method: http.MethodPut, Path: path, Tag: tag, Summary: "Set the rules by which tickets come into queues",
		Description: "Tickets that are in no queue are looked at by them; those that are in one stay there.",
		Permission:  auth.TicketsConfigure, Errors: []int{http.StatusPreconditionFailed, http.StatusPreconditionRequired},
	}, func(ctx context.Context, in *rulesInput) (*rulesAnswer, error) {
		to := Rules{}
		for _, rule := range in.Body.Rules {
			to.Rules = append(to.Rules, Rule{rule.Condition, rule.Queue, readLevels(rule.Skills)})
		}
		return rulesAnswered(r.SetRules(ctx, to, func(version int64) error { return httpx.IfMatch(in.IfMatch, version) }))
	})
}
