package policy

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// complaintPolicy is a policy as the API takes and shows it. What may be left out is then as in the standard policy.
type complaintPolicy struct {
	StepSeconds     int64 `json:"step_seconds" doc:"For each step of the staff; then the step is reminded of, again and again." example:"172800"`
	CustomerSeconds int64 `json:"customer_seconds" doc:"For the customer's word; then the customer is reminded." example:"604800"`
	Reminders       int   `json:"reminders" doc:"To the customer, before silence ends the waiting." example:"2"`
	Rounds          int   `json:"rounds" doc:"Proposals that a customer may reject." example:"3"`
	FreeMinor       int64 `json:"free_minor" doc:"Up to this cost nobody need approve a remedy. Minor units of the remedy's currency, as are the next two." example:"5000"`
	ManagerMinor    int64 `json:"manager_minor" doc:"Up to this cost a manager approves, beyond it a director." example:"50000"`
	PointMinor      int64 `json:"point_minor" doc:"What a point costs." example:"1"`

	AcknowledgeSeconds *int64        `json:"acknowledge_seconds,omitempty" doc:"For telling the customer that the complaint was received. Left out: a day." example:"86400"`
	VerifySeconds      *int64        `json:"verify_seconds,omitempty" doc:"For the customer's verdict on what was done: a survey is sent, and a low score has the complaint dealt with anew. 0 or left out: nobody is asked." example:"1209600"`
	LowScore           *int          `json:"low_score,omitempty" doc:"Of scores of 1 to 5, up to which one is low. Left out: 2." example:"2"`
	Reopens            *int          `json:"reopens,omitempty" doc:"How often a low score has it dealt with anew, one level higher each time. Left out: 2." example:"2"`
	ManagerSeverity    *int          `json:"manager_severity,omitempty" doc:"As grave or graver, 1 to 4: a manager approves, whatever it costs. 0: no severity does. Left out: 1." example:"1"`
	DirectorSeverity   *int          `json:"director_severity,omitempty" doc:"The same of a director. Left out: 0."`
	LegalDays          *int          `json:"legal_days,omitempty" doc:"Working days for the final answer; nothing pauses them. 0 or left out: no such deadline." example:"15"`
	LegalCalendarID    *uuid.UUID    `json:"legal_calendar_id,omitempty" format:"uuid" doc:"The calendar that has the working days. Left out: the tenant's default calendar."`
	LegalWarnDays      []int         `json:"legal_warn_days" required:"false" nullable:"false" maxItems:"10" doc:"Working days before that deadline at which it is warned of. Left out: 5 and 1." example:"[5, 1]"`
	OutsideBodies      []outsideBody `json:"outside_bodies" required:"false" nullable:"false" maxItems:"10" doc:"Whom a final answer names. None: a complaint that comes to no agreement is closed without one."`
}

type outsideBody struct {
	Code    string `json:"code" example:"12315"`
	Name    string `json:"name" example:"全国12315平台" maxLength:"200"`
	Contact string `json:"contact,omitempty" example:"https://www.12315.cn" maxLength:"200"`
}

type answer struct {
	ETag string `header:"ETag"`
	Body complaintPolicy
}

type setInput struct {
	IfMatch string `header:"If-Match" doc:"The ETag of the policy as it was read."`
	Body    complaintPolicy
}

func answered(p Policy, err error) (*answer, error) {
	if err != nil {
		return nil, err
	}
	in := func(d time.Duration) *int64 { s := int64(d / time.Second); return &s }
	b := complaintPolicy{
		StepSeconds: *in(p.StepWithin), CustomerSeconds: *in(p.CustomerWithin), Reminders: p.Reminders,
		Rounds: p.Rounds, FreeMinor: p.FreeMinor, ManagerMinor: p.ManagerMinor, PointMinor: p.PointMinor,
		AcknowledgeSeconds: in(p.AcknowledgeWithin), VerifySeconds: in(p.VerifyWithin), LowScore: &p.LowScore, Reopens: &p.Reopens,
		ManagerSeverity: &p.ManagerSeverity, DirectorSeverity: &p.DirectorSeverity, LegalDays: &p.LegalDays,
		LegalCalendarID: pg.OrNull(p.LegalCalendarID), LegalWarnDays: append([]int{}, p.LegalWarnDays...), OutsideBodies: []outsideBody{},
	}
	for _, body := range p.OutsideBodies {
		b.OutsideBodies = append(b.OutsideBodies, outsideBody(body))
	}
	return &answer{ETag: httpx.ETag(p.Version), Body: b}, nil
}

// policy is what the body says, filled up from the standard one.
func (b complaintPolicy) policy() Policy {
	p := Standard()
	p.StepWithin, p.CustomerWithin, p.Reminders, p.Rounds = seconds(b.StepSeconds), seconds(b.CustomerSeconds), b.Reminders, b.Rounds
	p.FreeMinor, p.ManagerMinor, p.PointMinor = b.FreeMinor, b.ManagerMinor, b.PointMinor
	for at, given := range map[*time.Duration]*int64{&p.AcknowledgeWithin: b.AcknowledgeSeconds, &p.VerifyWithin: b.VerifySeconds} {
		if given != nil {
			*at = seconds(*given)
		}
	}
	for at, given := range map[*int]*int{
		&p.LowScore: b.LowScore, &p.Reopens: b.Reopens, &p.ManagerSeverity: b.ManagerSeverity, &p.DirectorSeverity: b.DirectorSeverity,
		&p.LegalDays: b.LegalDays,
	} {
		if given != nil {
			*at = *given
		}
	}
	if b.LegalCalendarID != nil {
		p.LegalCalendarID = *b.LegalCalendarID
	}
	if b.LegalWarnDays != nil {
		p.LegalWarnDays = slices.Clone(b.LegalWarnDays)
		slices.SortFunc(p.LegalWarnDays, func(a, b int) int { return cmp.Compare(b, a) })
		p.LegalWarnDays = slices.Compact(p.LegalWarnDays)
	}
	for _, body := range b.OutsideBodies {
		p.OutsideBodies = append(p.OutsideBodies, Body(body))
	}
	return p
}

// seconds gives a duration without running over: what is too long stays too long.
func seconds(n int64) time.Duration {
	const most = int64(2 * longest / time.Second)
	return time.Duration(max(-1, min(n, most))) * time.Second
}

type remedyMenu struct {
	Entries []menuEntry `json:"entries" nullable:"false" minItems:"1" maxItems:"50"`
}

type menuEntry struct {
	Code      string    `json:"code" maxLength:"64" example:"dessert"`
	Kind      Kind      `json:"kind" enum:"points,apology,explanation,voucher,repair,exchange,free_service,refund"`
	Justice   []Justice `json:"justice" nullable:"false" minItems:"1" maxItems:"3" enum:"outcome,procedure,interaction" doc:"What it makes good: what came out, how it came about, how the customer was dealt with."`
	CostMinor int64     `json:"cost_minor,omitempty" minimum:"0" doc:"Of one, unless the proposal says otherwise, in minor units of the remedy's currency."`
	Consent   bool      `json:"consent,omitempty" doc:"Whether it needs the customer's. What does not is carried out for a customer who is silent as well."`
}

type menuAnswer struct {
	ETag string `header:"ETag"`
	Body remedyMenu
}

type setMenuInput struct {
	IfMatch string `header:"If-Match" doc:"The ETag of the menu as it was read."`
	Body    remedyMenu
}

func answeredMenu(m Menu, err error) (*menuAnswer, error) {
	if err != nil {
		return nil, err
	}
	b := remedyMenu{Entries: make([]menuEntry, len(m.Entries))}
	for i, e := range m.Entries {
		b.Entries[i] = menuEntry(e)
	}
	return &menuAnswer{ETag: httpx.ETag(m.Version), Body: b}, nil
}

// Routes adds the operations on the policy and the menu.
func (p *Policies) Routes(api *httpx.API) {
	const tag, path, menu = "Complaints", "/v1/complaints/policy", "/v1/complaints/menu"
	changed := []int{http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed, http.StatusPreconditionRequired}
	httpx.Register(api, httpx.Operation{
		ID: "get-complaint-policy", Method: http.MethodGet, Path: path, Tag: tag, Summary: "Read the limits and time limits of complaints",
		Permission: auth.ComplaintsRead,
	}, func(ctx context.Context, _ *struct{}) (*answer, error) { return answered(p.Get(ctx)) })
	httpx.Register(api, httpx.Operation{
		ID: "set-complaint-policy", Method: http.MethodPut, Path: path, Tag: tag, Summary: "Set the limits and time limits of complaints",
		Description: "They hold for the steps that begin after it; a legal deadline stays as it was when the complaint was registered.",
		Permission:  auth.ComplaintsPolicy, Errors: changed,
	}, func(ctx context.Context, in *setInput) (*answer, error) {
		return answered(p.Set(ctx, in.Body.policy(), func(version int64) error { return httpx.IfMatch(in.IfMatch, version) }))
	})
	httpx.Register(api, httpx.Operation{
		ID: "get-complaint-menu", Method: http.MethodGet, Path: menu, Tag: tag, Summary: "Read the menu of remedies",
		Permission: auth.ComplaintsRead,
	}, func(ctx context.Context, _ *struct{}) (*menuAnswer, error) {
		found, err := p.Get(ctx)
		return answeredMenu(found.Menu, err)
	})
	httpx.Register(api, httpx.Operation{
		ID: "set-complaint-menu", Method: http.MethodPut, Path: menu, Tag: tag, Summary: "Set the menu of remedies",
		Description: "What was proposed before stays as it was.", Permission: auth.ComplaintsPolicy, Errors: changed,
	}, func(ctx context.Context, in *setMenuInput) (*menuAnswer, error) {
		var m Menu
		for _, e := range in.Body.Entries {
			m.Entries = append(m.Entries, Entry(e))
		}
		return answeredMenu(p.SetMenu(ctx, m, func(version int64) error { return httpx.IfMatch(in.IfMatch, version) }))
	})
}
