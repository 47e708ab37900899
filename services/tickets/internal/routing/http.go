package routing

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticket"
)

// handsView is whose a ticket is.
type handsView struct {
	TicketID uuid.UUID     `json:"ticket_id" format:"uuid"`
	Number   string        `json:"number" example:"T-000123"`
	Status   ticket.Status `json:"status" enum:"new,open,pending,on_hold,resolved,closed"`
	Queue    string        `json:"queue" doc:"Code; empty for none."`
	Agent    string        `json:"agent" doc:"Subject; empty for nobody."`
	Version  int64         `json:"version" doc:"Of the ticket; the ETag."`
}

type handsAnswer struct {
	ETag string `header:"ETag"`
	Body handsView
}

func inHands(t assigned, err error) (*handsAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &handsAnswer{httpx.ETag(t.Version), handsView{t.ID, ticket.Number(t.Number), t.Status, t.Queue, t.Agent, t.Version}}, nil
}

type byTicket struct {
	ID uuid.UUID `path:"ticket_id" format:"uuid"`
}

type handoverInput struct {
	ID      uuid.UUID `path:"ticket_id" format:"uuid"`
	IfMatch string    `header:"If-Match" doc:"The ETag of the ticket as it was read."`
	Body    handover
}

// handover is where a ticket goes.
type handover struct {
	Queue *string `json:"queue,omitempty" maxLength:"64" doc:"Code; empty for none. In another queue it waits, unless an agent is named."`
	Agent *string `json:"agent,omitempty" maxLength:"200" doc:"Subject; empty for nobody: it waits in its queue."`
}

type explainedAnswer struct{ Body routingExplained }

// routingExplained is where a ticket stands on its way to somebody.
type routingExplained struct {
	TicketID  uuid.UUID       `json:"ticket_id" format:"uuid"`
	Queue     string          `json:"queue" doc:"Code; empty for none."`
	Agent     string          `json:"agent" doc:"Subject; empty for nobody."`
	Waiting   bool            `json:"waiting" doc:"Somebody has to take it."`
	Since     *time.Time      `json:"since,omitempty" doc:"It waits in this queue."`
	LookAt    *time.Time      `json:"look_at,omitempty" doc:"When it is looked at again, because it may overflow then. Absent: not until something changes."`
	Rule      int             `json:"rule" doc:"The first rule that fits the ticket as it is, from 1; 0: none does."`
	RuleQueue string          `json:"rule_queue,omitempty" doc:"Where that rule sends it."`
	Needs     []routingLevel  `json:"needs" nullable:"false" doc:"What whoever gets it unasked must be able to do."`
	Agents    []routingJudged `json:"agents" nullable:"false" doc:"Agents of its queue, at most 200."`
}

type routingJudged struct {
	Subject string `json:"subject"`
	Load    int    `json:"load" doc:"Tickets that the agent works on."`
	Keeps   string `json:"keeps" enum:",pull,offline,away,gave_back,skills,full" doc:"What keeps the agent from getting the ticket unasked; empty: nothing."`
}

// Routes adds the operations of routing.
func (r *Routing) Routes(api *httpx.API) {
	r.ticketRoutes(api)
	r.queueRoutes(api)
	r.agentRoutes(api)
	r.ruleRoutes(api)
}

func (r *Routing) ticketRoutes(api *httpx.API) {
	const tag, path = "Routing", "/v1/tickets/{ticket_id}"
	errors := []int{http.StatusNotFound, http.StatusConflict}
	httpx.Register(api, httpx.Operation{
		ID: "pull-ticket", Method: http.MethodPost, Path: path + "/pull", Tag: tag, Summary: "Take a ticket that nobody has",
		Permission: auth.TicketsWrite, Errors: errors,
	}, func(ctx context.Context, in *byTicket) (*handsAnswer, error) {
		return inHands(r.PullTicket(ctx, in.ID))
	})
	httpx.Register(api, httpx.Operation{
		ID: "release-ticket", Method: http.MethodPost, Path: path + "/release", Tag: tag, Summary: "Give a ticket back to its queue",
		Description: "It is not given to the same agent again unasked. Only the agent who has it can, and whoever configures the tenant.",
		Permission:  auth.TicketsWrite, Errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusForbidden},
	}, func(ctx context.Context, in *byTicket) (*handsAnswer, error) { return inHands(r.Release(ctx, in.ID)) })
	httpx.Register(api, httpx.Operation{
		ID: "assign-ticket", Method: http.MethodPost, Path: path + "/assign", Tag: tag, Summary: "Hand a ticket on, to a queue or to an agent",
		Description: "Capacity and skills are not asked for.",
		Permission:  auth.TicketsWrite,
		Errors:      []int{http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed, http.StatusPreconditionRequired},
	}, func(ctx context.Context, in *handoverInput) (*handsAnswer, error) {
		fresh := func(version int64) error { return httpx.IfMatch(in.IfMatch, version) }
		return inHands(r.Assign(ctx, in.ID, Handover(in.Body), fresh))
	})
	httpx.Register(api, httpx.Operation{
		ID: "explain-routing", Method: http.MethodGet, Path: path + "/routing", Tag: tag, Summary: "Why a ticket is where it is, and who could get it",
		Permission: auth.TicketsRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *byTicket) (*explainedAnswer, error) {
		e, err := r.Explain(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		return &explainedAnswer{explained(e)}, nil
	})
}

func explained(e Explained) routingExplained {
	v := routingExplained{TicketID: e.Ticket.ID, Queue: e.Ticket.Queue, Agent: e.Ticket.Agent, Rule: e.Rule, RuleQueue: e.Sends,
		Needs: showLevels(e.Needs), Agents: []routingJudged{}}
	if e.Wait != nil {
		since := e.Wait.Since.UTC()
		v.Waiting, v.Since = true, &since
		if v.LookAt = pg.OrNull(e.Wait.LookAt); v.LookAt != nil {
			*v.LookAt = v.LookAt.UTC()
		}
	}
	for _, a := range e.Agents {
		v.Agents = append(v.Agents, routingJudged(a))
	}
	return v
}
