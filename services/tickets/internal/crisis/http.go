package crisis

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// crisisView is a crisis as the API shows it.
type crisisView struct {
	CrisisID   uuid.UUID     `json:"crisis_id" format:"uuid"`
	Dimension  Dimension     `json:"dimension" enum:"sku,category" doc:"What the complaints have in common."`
	Value      string        `json:"value" doc:"Code of the article or the category." example:"pizza-margherita"`
	Stage      Stage         `json:"stage" enum:"proposed,dismissed,declared,cleared,closed"`
	Alarm      *crisisSeries `json:"alarm,omitempty" doc:"The numbers by which it was proposed, as they were then; absent where a person declared it."`
	WindowFrom time.Time     `json:"window_from" doc:"Complaints since then belong to it."`
	Team       []string      `json:"team" nullable:"false" doc:"Subjects of those who lead it."`
	Complaints int64         `json:"complaints" doc:"That are linked to it."`
	Answered   int64         `json:"answered" doc:"Of them, those that were answered through it."`
	Planned    int64         `json:"planned" doc:"Answers that are still to be given."`
	Refused    int64         `json:"refused" doc:"Answers that a ticket did not take, because it is closed or its customer was erased."`
	Due        string        `json:"due,omitempty" enum:"statement,update,review" doc:"What is waited for."`
	DueAt      *time.Time    `json:"due_at,omitempty" doc:"When that is reminded of."`
	Reminders  int           `json:"reminders" doc:"Of what is waited for."`
	ProposedAt *time.Time    `json:"proposed_at,omitempty"`
	DeclaredAt *time.Time    `json:"declared_at,omitempty"`
	EndedAt    *time.Time    `json:"ended_at,omitempty" doc:"Dismissed, or all clear."`
	ClosedAt   *time.Time    `json:"closed_at,omitempty" doc:"Reviewed."`
	Steps      []crisisStep  `json:"steps" nullable:"false" doc:"What happened, in that order."`
	Next       []crisisNext  `json:"next" nullable:"false" doc:"What may be decided now."`
	Version    int64         `json:"version" doc:"Rises by one with every change."`
}

type crisisStep struct {
	Action     Action     `json:"action"`
	DecisionID *uuid.UUID `json:"decision_id,omitempty" format:"uuid" doc:"Absent for what was done by itself."`
	By         string     `json:"by" doc:"Subject."`
	At         time.Time  `json:"at"`
	Words      string     `json:"words,omitempty" doc:"The statement, or why."`
}

type crisisNext struct {
	Action     Action          `json:"action" doc:"POST /v1/crises/{crisis_id}/<action> decides it."`
	Permission auth.Permission `json:"permission" doc:"What a role has to allow."`
}

// crisisSeries is what was found of one series.
type crisisSeries struct {
	Dimension   Dimension  `json:"dimension" enum:"sku,category"`
	Value       string     `json:"value" doc:"Code of the article or the category."`
	N           int64      `json:"n" doc:"Distinct customers who complained in the window."`
	K0          int64      `json:"k0" doc:"Distinct customers who complained in the base, each counted once in a span as long as the window; past crises left out."`
	E0          float64    `json:"e0" doc:"Exposure of the base: units sold, or days."`
	W           float64    `json:"w" doc:"Exposure of the window."`
	Exposure    Exposure   `json:"exposure" enum:"units,weekdays" doc:"What e0 and w are: units sold, or days, those of the base being the same days of the week."`
	From        time.Time  `json:"from" doc:"n counts from here: where the window begins, or where the last crisis of the series ended."`
	Until       time.Time  `json:"until"`
	Expected    *float64   `json:"expected,omitempty" doc:"Customers to be expected in the window: (k0 + 1/2) w / e0. Absent, as is p, where there is nothing to compare with."`
	P           *float64   `json:"p,omitempty" doc:"Probability of n or more by chance, under a negative binomial distribution with the shape k0 + 1/2 and the rate e0 / w."`
	Tested      int        `json:"tested" doc:"Series for which a probability was computed."`
	Threshold   float64    `json:"threshold" doc:"As the setting has it, for all series together."`
	Limit       float64    `json:"limit" doc:"Threshold divided by tested: below it the alarm is raised."`
	Alarm       bool       `json:"alarm" doc:"p is below the limit, and n is at least 5."`
	Explanation string     `json:"explanation" doc:"All of this in words."`
	CrisisID    *uuid.UUID `json:"crisis_id,omitempty" format:"uuid" doc:"The crisis of this series that is proposed or led."`
}

func showFinding(f Finding) crisisSeries {
	v := crisisSeries{
		Dimension: f.Dimension, Value: f.Value, N: f.N, K0: f.K0, E0: f.E0, W: f.W, Exposure: f.Exposure, From: f.From.UTC(), Until: f.Until.UTC(),
		Tested: f.Tested, Threshold: f.Threshold, Limit: f.Limit, Alarm: f.Alarm, Explanation: f.Explain(),
	}
	if f.Computed {
		v.Expected, v.P = &f.Expected, &f.P
	}
	return v
}

func show(t Told) crisisView {
	v := crisisView{
		CrisisID: t.ID, Dimension: t.Dimension, Value: t.Value, Stage: t.Stage, WindowFrom: t.WindowFrom, Team: team(t.Crisis),
		Complaints: t.Linked.Complaints, Answered: t.Linked.Answered, Planned: t.Linked.Planned, Refused: t.Linked.Refused,
		Due: t.Due(), DueAt: pg.OrNull(t.DueAt), Reminders: t.Reminders, ProposedAt: pg.OrNull(t.ProposedAt), DeclaredAt: pg.OrNull(t.DeclaredAt),
		EndedAt: pg.OrNull(t.EndedAt), ClosedAt: pg.OrNull(t.ClosedAt), Steps: make([]crisisStep, len(t.Steps)), Next: []crisisNext{}, Version: t.Version,
	}
	if t.Alarm != nil {
		alarm := showFinding(*t.Alarm)
		v.Alarm = &alarm
	}
	for i, s := range t.Steps {
		v.Steps[i] = crisisStep{Action: s.Action, DecisionID: pg.OrNull(s.DecisionID), By: s.By, At: s.At, Words: t.notes[s.NoteID]}
	}
	for _, a := range t.Next() {
		v.Next = append(v.Next, crisisNext{a, right})
	}
	return v
}

type answerView struct{ Body crisisView }

func answeredView(t Told, err error) (*answerView, error) {
	if err != nil {
		return nil, err
	}
	return &answerView{show(t)}, nil
}

type byCrisis struct {
	ID uuid.UUID `path:"crisis_id" format:"uuid"`
}

type listCrises struct {
	httpx.Page
	Stage Stage `query:"stage" enum:"proposed,dismissed,declared,cleared,closed" doc:"Only those in this stage."`
}

type crisisList struct{ Body crisisPage }

type crisisPage struct {
	Items      []crisisView `json:"items" nullable:"false"`
	NextCursor string       `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

type declareInput struct{ Body newCrisis }

// newCrisis is what a person declares without waiting for a burst.
type newCrisis struct {
	Dimension Dimension `json:"dimension" enum:"sku,category" doc:"What the complaints have in common."`
	Value     string    `json:"value" maxLength:"200" doc:"Code of the article or the category." example:"pizza-margherita"`
	Since     time.Time `json:"since" doc:"Complaints since then belong to it."`
	Words     string    `json:"words,omitempty" maxLength:"20000" doc:"Why. It goes into no event."`
}

type membersInput struct {
	httpx.Page
	ID uuid.UUID `path:"crisis_id" format:"uuid"`
}

type crisisMembers struct{ Body crisisMemberPage }

type crisisMemberPage struct {
	Items      []crisisMember `json:"items" nullable:"false"`
	NextCursor string         `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

type crisisMember struct {
	ComplaintID  uuid.UUID  `json:"complaint_id" format:"uuid"`
	TicketID     uuid.UUID  `json:"ticket_id" format:"uuid"`
	Number       string     `json:"number" doc:"Of the ticket." example:"T-000123"`
	Stage        string     `json:"stage" doc:"Of the complaint."`
	RegisteredAt time.Time  `json:"registered_at"`
	Linked       bool       `json:"linked" doc:"False where a person said that it does not belong to the crisis."`
	By           string     `json:"by" doc:"Subject of whoever linked it, or took it out."`
	Answer       string     `json:"answer,omitempty" enum:"planned,done,refused" doc:"What became of the last answer."`
	AnswerCode   string     `json:"answer_code,omitempty" doc:"Why it was refused."`
	AnswerAt     *time.Time `json:"answer_at,omitempty"`
}

func showMember(m Member) crisisMember {
	return crisisMember{ComplaintID: m.ComplaintID, TicketID: m.TicketID, Number: m.Number, Stage: m.Stage, RegisteredAt: m.RegisteredAt,
		Linked: m.Linked, By: m.By, Answer: m.Answer, AnswerCode: m.AnswerCode, AnswerAt: pg.OrNull(m.AnswerAt)}
}

type seriesInput struct {
	httpx.Page
	Dimension Dimension `query:"dimension" enum:"sku,category" doc:"Only series of this dimension."`
	All       bool      `query:"all" doc:"Also series of which nobody complained in the window."`
}

type seriesAnswer struct{ Body crisisSeriesPage }

type crisisSeriesPage struct {
	At         time.Time      `json:"at" doc:"When this was looked at."`
	WindowFrom time.Time      `json:"window_from"`
	SalesAsOf  *time.Time     `json:"sales_as_of,omitempty" doc:"The newest of sales' events that is taken into account."`
	Items      []crisisSeries `json:"items" nullable:"false" doc:"The least probable first; those without a probability last."`
	NextCursor string         `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

type scanAnswer struct{ Body crisisScan }

type crisisScan struct {
	Proposed []crisisView `json:"proposed" nullable:"false" doc:"Crises that were proposed by this look."`
}

// Routes adds the operations on crises.
func (c *Crises) Routes(api *httpx.API) {
	const tag = "Crises"
	httpx.Register(api, httpx.Operation{
		ID: "list-crisis-series", Method: http.MethodGet, Path: "/v1/crisis-series", Tag: tag, Summary: "How probable the complaints of each article and category are",
		Description: "As things stand at this moment. Nothing is proposed.", Permission: auth.ComplaintsRead,
	}, c.seriesHTTP)
	httpx.Register(api, httpx.Operation{
		ID: "scan-for-crises", Method: http.MethodPost, Path: "/v1/crisis-scans", Tag: tag, Summary: "Look for bursts of complaints now",
		Description: "It is done every minute by itself. What is proposed or led already is not proposed again.", Permission: right,
	}, func(ctx context.Context, _ *struct{}) (*scanAnswer, error) {
		found, err := c.ScanTenant(ctx)
		if err != nil {
			return nil, err
		}
		body := crisisScan{Proposed: []crisisView{}}
		for _, one := range found {
			body.Proposed = append(body.Proposed, show(Told{Crisis: one}))
		}
		return &scanAnswer{body}, nil
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-crises", Method: http.MethodGet, Path: "/v1/crises", Tag: tag, Summary: "List crises, the latest first", Permission: auth.ComplaintsRead,
	}, c.listHTTP)
	httpx.Register(api, httpx.Operation{
		ID: "declare-crisis-by-hand", Method: http.MethodPost, Path: "/v1/crises", Tag: tag, Summary: "Declare a crisis that no burst has proposed",
		Description: "Complaints that belong to it are linked to it, those that come later as well. Its process starts a moment later.",
		Permission:  right, Status: http.StatusCreated, Errors: []int{http.StatusConflict},
	}, func(ctx context.Context, in *declareInput) (*answerView, error) {
		b := in.Body
		return answeredView(c.DeclareByHand(ctx, Draft{Dimension: b.Dimension, Value: b.Value, Since: b.Since.UTC().Truncate(time.Microsecond)}, b.Words))
	})
	httpx.Register(api, httpx.Operation{
		ID: "get-crisis", Method: http.MethodGet, Path: "/v1/crises/{crisis_id}", Tag: tag, Summary: "Read a crisis",
		Permission: auth.ComplaintsRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *byCrisis) (*answerView, error) { return answeredView(c.Get(ctx, in.ID)) })
	httpx.Register(api, httpx.Operation{
		ID: "list-crisis-complaints", Method: http.MethodGet, Path: "/v1/crises/{crisis_id}/complaints", Tag: tag,
		Summary: "List the complaints of a crisis, the latest first", Permission: auth.ComplaintsRead, Errors: []int{http.StatusNotFound},
	}, c.membersHTTP)
	c.settingRoutes(api)
	c.decisionRoutes(api)
}

func (c *Crises) listHTTP(ctx context.Context, in *listCrises) (*crisisList, error) {
	items, next, err := httpx.PageByID(in.Page, func(before uuid.UUID, limit int) ([]Told, error) {
		return c.List(ctx, Filter{Stage: in.Stage, Before: before}, limit)
	}, func(t Told) uuid.UUID { return t.ID }, show)
	if err != nil {
		return nil, err
	}
	return &crisisList{crisisPage{items, next}}, nil
}

func (c *Crises) membersHTTP(ctx context.Context, in *membersInput) (*crisisMembers, error) {
	items, next, err := httpx.PageByID(in.Page, func(before uuid.UUID, limit int) ([]Member, error) {
		return c.Members(ctx, in.ID, before, limit)
	}, func(m Member) uuid.UUID { return m.ComplaintID }, showMember)
	if err != nil {
		return nil, err
	}
	return &crisisMembers{crisisMemberPage{items, next}}, nil
}

// seriesHTTP gives a page of what was found. The cursor is the place of its last series in the order of findings: its
// probability, dimension and value.
func (c *Crises) seriesHTTP(ctx context.Context, in *seriesInput) (*seriesAnswer, error) {
	parts, err := httpx.DecodeCursor(in.Cursor, 3)
	if err != nil {
		return nil, err
	}
	var last *Finding
	if parts != nil {
		p, err := strconv.ParseFloat(parts[0], 64)
		if err != nil {
			return nil, problem.New(problem.BadRequest, "cursor_invalid", "The cursor is broken. Start again without one.").
				WithField("query.cursor", "cursor_invalid", "is not a cursor that this list gave")
		}
		last = &Finding{Series: Series{Dimension: Dimension(parts[1]), Value: parts[2]}, Computed: p <= 1, P: p}
	}
	look, err := c.Series(ctx)
	if err != nil {
		return nil, err
	}
	all := look.Findings[:0:0]
	for _, f := range look.Findings {
		if (in.All || f.N > 0) && (in.Dimension == "" || in.Dimension == f.Dimension) {
			all = append(all, f)
		}
	}
	page := after(all, last, in.Limit+1)
	body := crisisSeriesPage{At: look.Window.Now, WindowFrom: look.Window.From, SalesAsOf: pg.OrNull(look.SalesAt), Items: []crisisSeries{}}
	if len(page) > in.Limit {
		page = page[:in.Limit]
		end := page[len(page)-1]
		body.NextCursor = httpx.EncodeCursor(strconv.FormatFloat(end.rank(), 'g', -1, 64), string(end.Dimension), end.Value)
	}
	for _, f := range page {
		v := showFinding(f)
		if at, stands := look.standing[seriesKey{f.Dimension, f.Value}]; stands {
			v.CrisisID = &at.id
		}
		body.Items = append(body.Items, v)
	}
	return &seriesAnswer{body}, nil
}
