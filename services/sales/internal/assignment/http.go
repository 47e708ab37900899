package assignment

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/sales/internal/lead"
)

// leadRoutingRule sends leads to a team.
type leadRoutingRule struct {
	Name         string   `json:"name,omitempty" maxLength:"200" example:"Jiangsu and Zhejiang"`
	Condition    string   `json:"condition,omitempty" maxLength:"2000" doc:"CEL over country, language, industry, source, campaign, channel (api, form, import or campaign_reply), state, pipeline, tags, custom (the tenant's own fields, such as custom.postal_code), score (percent), enquiries, budget_minor, currency and known_customer. Left out: fits every lead. One that cannot answer, such as for a field that the lead lacks, does not fit." example:"country == \"CN\" && custom.postal_code.startsWith(\"21\")"`
	Team         string   `json:"team" maxLength:"64" doc:"Code of the team that gets it." example:"shanghai"`
	Person       string   `json:"person,omitempty" maxLength:"200" doc:"Subject of who gets it, unless they have left, are away or have no room; then, and where it is left out, the team's strategy chooses."`
	SameLanguage bool     `json:"same_language,omitempty" doc:"Only who speaks the lead's language gets it."`
	Skills       []string `json:"skills,omitempty" nullable:"false" maxItems:"20" doc:"Codes; only who has all of them gets it."`
}

// leadRoutingRules are the rules as the API takes them.
type leadRoutingRules struct {
	Rules []leadRoutingRule `json:"rules" nullable:"false" maxItems:"200" doc:"In order: the first that fits a lead holds. Those that send to a team in the archive are passed over."`
}

// leadRoutingRulesView are the rules as the API shows them.
type leadRoutingRulesView struct {
	Rules     []leadRoutingRule `json:"rules" nullable:"false" doc:"In order: the first that fits a lead holds."`
	Version   int64             `json:"version" doc:"Rises by one with every change; the ETag. 0: none were set."`
	ChangedAt *time.Time        `json:"changed_at,omitempty"`
	ChangedBy string            `json:"changed_by,omitempty" doc:"Subject."`
}

type assignmentRulesAnswer struct {
	ETag string `header:"ETag"`
	Body leadRoutingRulesView
}

func rulesAnswered(r Rules, err error) (*assignmentRulesAnswer, error) {
	if err != nil {
		return nil, err
	}
	v := leadRoutingRulesView{Rules: make([]leadRoutingRule, len(r.Rules)), Version: r.Version, ChangedAt: pg.OrNull(r.ChangedAt), ChangedBy: r.By}
	for i, rule := range r.Rules {
		v.Rules[i] = leadRoutingRule(rule)
	}
	return &assignmentRulesAnswer{httpx.ETag(r.Version), v}, nil
}

func readRules(shown []leadRoutingRule) Rules {
	r := Rules{Rules: make([]Rule, len(shown))}
	for i, rule := range shown {
		r.Rules[i] = Rule(rule)
	}
	return r
}

type assignmentRulesInput struct {
	IfMatch string `header:"If-Match" doc:"The ETag of the rules as they were read; \"0\" where none were set."`
	Body    leadRoutingRules
}

type assignmentTryInput struct{ Body assignmentTry }

// assignmentTry is a lead to try rules on.
type assignmentTry struct {
	LeadID uuid.UUID          `json:"lead_id" format:"uuid"`
	Rules  *[]leadRoutingRule `json:"rules,omitempty" maxItems:"200" doc:"Rules to try; left out: those that are set."`
}

type leadByID struct {
	ID uuid.UUID `path:"lead_id" format:"uuid"`
}

type explainedAnswer struct{ Body leadAssignmentExplained }

// leadAssignmentExplained is where a lead stands on its way to somebody.
type leadAssignmentExplained struct {
	LeadID     uuid.UUID           `json:"lead_id" format:"uuid"`
	State      lead.State          `json:"state" enum:"open,nurturing,qualified,converted,lost"`
	Team       string              `json:"team" doc:"Code of the team that has it; empty for none."`
	Owner      string              `json:"owner" doc:"Subject of who has it; empty for nobody."`
	Waiting    bool                `json:"waiting" doc:"Nobody has it, and somebody should."`
	Since      *time.Time          `json:"since,omitempty" doc:"Nobody has it."`
	Rules      []assignmentVerdict `json:"rules" nullable:"false" doc:"What each rule says of it as it is."`
	Rule       int                 `json:"rule" doc:"The rule that holds, from 1; 0: none does."`
	RouteTeam  string              `json:"route_team" doc:"Where it goes: its team, or that of the rule; empty: nowhere."`
	Person     string              `json:"person,omitempty" doc:"Whom the rule names."`
	Language   string              `json:"language,omitempty" doc:"That whoever gets it must speak."`
	Skills     string              `json:"skills,omitempty" doc:"That whoever gets it must have, with spaces between."`
	Next       string              `json:"next,omitempty" doc:"Subject of who would get it now; absent: nobody."`
	NextReason string              `json:"next_reason,omitempty" enum:"rule,round_robin,least_loaded" doc:"How they were chosen."`
	WaitsFor   string              `json:"waits_for,omitempty" enum:"no_rule,by_hand,nobody_able,full,away,outside_hours" doc:"Why nobody would get it now. no_rule: no rule fits. by_hand: the team gives its leads out by hand. nobody_able: nobody of the team can do what it needs, or may get it. full: all who could have as much as they can have. away: all who could are absent. outside_hours: nobody who could is at work."`
	Until      *time.Time          `json:"until,omitempty" doc:"When somebody who could take it is at work, where that is known."`
	People     []assignmentJudged  `json:"people" nullable:"false" doc:"Who might get it."`
}

// assignmentVerdict is what one rule says of a lead.
type assignmentVerdict struct {
	Rule  int    `json:"rule" doc:"From 1."`
	Says  string `json:"says" enum:"fits,does_not_fit,cannot_answer,team_archived"`
	Words string `json:"words,omitempty" doc:"Why it cannot answer."`
}

// assignmentJudged is somebody who might get a lead.
type assignmentJudged struct {
	Subject  string     `json:"subject"`
	Load     int        `json:"load" doc:"Leads that they can work on, open or qualified."`
	Capacity int        `json:"capacity" doc:"The most that they get unasked."`
	Keeps    string     `json:"keeps" enum:",left,gave_back,language,skills,full,away,outside_hours" doc:"What keeps them from getting it unasked; empty: nothing."`
	Next     *time.Time `json:"works_from,omitempty" doc:"When they are at work next, where that is known: now, where they are."`
}

func explained(e Explained, err error) (*explainedAnswer, error) {
	if err != nil {
		return nil, err
	}
	l := e.Lead
	v := leadAssignmentExplained{
		LeadID: l.ID, State: l.State, Team: l.Team, Owner: l.Owner, Waiting: e.Waits, Since: pg.OrNull(e.Since), Rules: []assignmentVerdict{},
		Rule: e.Route.Rule, RouteTeam: e.Route.Team, Person: e.Route.Person, Language: e.Route.Language, Skills: e.Route.Skills,
		Next: e.Choice.Owner, NextReason: e.Choice.Reason, WaitsFor: e.Choice.Waits, Until: pg.OrNull(e.Choice.Until.UTC()), People: []assignmentJudged{},
	}
	for _, one := range e.Rules {
		v.Rules = append(v.Rules, assignmentVerdict(one))
	}
	for _, p := range e.People {
		v.People = append(v.People, assignmentJudged{p.Subject, p.Load, p.Capacity, p.Keeps, pg.OrNull(p.Next.UTC())})
	}
	return &explainedAnswer{v}, nil
}

type waitingInput struct {
	Team string `query:"team" maxLength:"64" doc:"Code; only leads that wait for this team."`
	httpx.Page
}

type waitingAnswer struct{ Body assignmentWaitingPage }

type assignmentWaitingPage struct {
	Items      []assignmentWaiting `json:"items" nullable:"false" doc:"The oldest first."`
	NextCursor string              `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

// assignmentWaiting is a lead that waits for somebody.
type assignmentWaiting struct {
	LeadID   uuid.UUID  `json:"lead_id" format:"uuid"`
	Since    time.Time  `json:"since" doc:"Nobody has it."`
	Team     string     `json:"team" doc:"Code of the team that it waits for; empty: no rule fits."`
	Rule     int        `json:"rule" doc:"From 1, as the rules were when it was looked at; 0: none fitted."`
	WaitsFor string     `json:"waits_for" enum:",no_rule,by_hand,nobody_able,full,away,outside_hours" doc:"Why nobody gets it; empty: somebody is about to."`
	Until    *time.Time `json:"until,omitempty" doc:"When somebody who could take it is at work, where that is known."`
}

func showWaiting(w Waiting) assignmentWaiting {
	return assignmentWaiting{w.LeadID, w.Since, w.Route.Team, w.Route.Rule, w.Choice.Waits, pg.OrNull(w.Choice.Until.UTC())}
}

type handoverInput struct {
	Subject string `path:"subject" maxLength:"200" doc:"Of who has them; me for the caller."`
	Body    leadHandoverBody
}

// leadHandoverBody says who gets somebody's leads.
type leadHandoverBody struct {
	To string `json:"to,omitempty" maxLength:"200" doc:"Subject of who gets them, whatever room they have; left out: the rules and the team's strategy give them again, to others."`
}

type handoverAnswer struct{ Body leadHandover }

// leadHandover is one command by which somebody's leads went into other hands.
type leadHandover struct {
	HandoverID uuid.UUID `json:"handover_id" format:"uuid"`
	Subject    string    `json:"subject" doc:"Who had them."`
	To         string    `json:"to" doc:"Who has them; empty: the rules give them again."`
	Handed     int       `json:"handed" doc:"Leads that went into other hands, at most 1000 a command."`
	Left       int       `json:"left" doc:"Leads that the command did not come to: repeat it under a new key."`
	ToldBy     string    `json:"told_by" doc:"Subject."`
	ToldAt     time.Time `json:"told_at"`
}

// Routes adds the operations of assignment.
func (s *Assignments) Routes(api *httpx.API) {
	s.ruleRoutes(api)
	s.leadRoutes(api)
}

const tag = "Assignment"

func (s *Assignments) ruleRoutes(api *httpx.API) {
	const path = "/v1/assignment-rules"
	httpx.Register(api, httpx.Operation{
		ID: "get-assignment-rules", Method: http.MethodGet, Path: path, Tag: tag, Summary: "Read the rules by which leads come to teams", Permission: auth.SalesRead,
	}, func(ctx context.Context, _ *struct{}) (*assignmentRulesAnswer, error) {
		return rulesAnswered(s.Rules(ctx))
	})
	httpx.Register(api, httpx.Operation{
		ID: "set-assignment-rules", Method: http.MethodPut, Path: path, Tag: tag, Summary: "Set the rules by which leads come to teams",
		Description: "Leads that no rule fitted are looked at by them; those that wait for a team stay in it.",
		Permission:  auth.SalesConfigure, Errors: []int{http.StatusPreconditionFailed, http.StatusPreconditionRequired},
	}, func(ctx context.Context, in *assignmentRulesInput) (*assignmentRulesAnswer, error) {
		return rulesAnswered(s.SetRules(ctx, readRules(in.Body.Rules), func(version int64) error { return httpx.IfMatch(in.IfMatch, version) }))
	})
	httpx.Register(api, httpx.Operation{
		ID: "try-assignment-rules", Method: http.MethodPost, Path: path + "/try", Tag: tag, Summary: "Try rules on a lead",
		Description: "Who would get the lead now, if it came in now, and why others would not. Nothing is kept.",
		Permission:  auth.SalesConfigure, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *assignmentTryInput) (*explainedAnswer, error) {
		rules, err := s.Rules(ctx)
		if in.Body.Rules != nil {
			rules = readRules(*in.Body.Rules)
		}
		if err != nil {
			return nil, err
		}
		return explained(s.Explain(ctx, in.Body.LeadID, &rules))
	})
}

func (s *Assignments) leadRoutes(api *httpx.API) {
	httpx.Register(api, httpx.Operation{
		ID: "explain-assignment", Method: http.MethodGet, Path: "/v1/leads/{lead_id}/assignment", Tag: tag, Summary: "Who gets a lead, or why nobody does",
		Permission: auth.SalesRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *leadByID) (*explainedAnswer, error) {
		return explained(s.Explain(ctx, in.ID, nil))
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-waiting-leads", Method: http.MethodGet, Path: "/v1/waiting-leads", Tag: tag, Summary: "List leads that nobody has, and what each waits for",
		Permission: auth.SalesRead,
	}, func(ctx context.Context, in *waitingInput) (*waitingAnswer, error) {
		items, next, err := httpx.PageByID(in.Page, func(after uuid.UUID, limit int) ([]Waiting, error) {
			return s.Waiting(ctx, in.Team, after, limit)
		}, func(w Waiting) uuid.UUID { return w.LeadID }, showWaiting)
		return &waitingAnswer{assignmentWaitingPage{items, next}}, err
	})
	httpx.Register(api, httpx.Operation{
		ID: "hand-over-leads", Method: http.MethodPost, Path: "/v1/sellers/{subject}/hand-over", Tag: tag, Summary: "Hand over all leads of somebody who leaves or is away",
		Description: "Leads that are open, qualified or nurtured. Who leads a team of theirs may do it, who configures sales, and they themselves.",
		Permission:  auth.SalesWrite, Status: http.StatusCreated, Errors: []int{http.StatusNotFound, http.StatusForbidden},
	}, func(ctx context.Context, in *handoverInput) (*handoverAnswer, error) {
		from := in.Subject
		if from == "me" {
			from = subject(ctx)
		}
		h, err := s.HandOver(ctx, from, in.Body.To)
		return &handoverAnswer{leadHandover{h.ID, h.Subject, h.To, h.Handed, h.Left, h.By, h.At}}, err
	})
}
