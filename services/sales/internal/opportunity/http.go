package opportunity

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/sales/internal/pipeline"
)

// opportunityLine is a product as the API takes and shows it.
type opportunityLine struct {
	SKU         string `json:"sku" minLength:"1" maxLength:"64" example:"OVEN-90"`
	Quantity    int64  `json:"quantity" minimum:"1" example:"3"`
	UnitMinor   int64  `json:"unit_minor" minimum:"0" doc:"Price of one, in minor units." example:"1200000"`
	AmountMinor *int64 `json:"amount_minor,omitempty" readOnly:"true" doc:"quantity times unit_minor; reckoned, whatever is sent."`
}

// OpportunityContact is who a person is in the decision, as the API takes and shows it.
type OpportunityContact struct {
	Role      Role `json:"role,omitempty" enum:"decision_maker,influencer,user,coach,buyer" doc:"Absent: not known yet."`
	Influence *int `json:"influence,omitempty" minimum:"1" maximum:"5" doc:"On the decision, 5 the most; absent: not known."`
	Leaning   *int `json:"leaning,omitempty" minimum:"-2" maximum:"2" doc:"From -2, against us, to 2, for us; absent: not known."`
}

func (c OpportunityContact) contact(id uuid.UUID) Contact {
	made := Contact{CustomerID: id, Role: c.Role, Leaning: c.Leaning}
	if c.Influence != nil {
		made.Influence = *c.Influence
	}
	return made
}

// opportunityContactView is a contact as the API shows it.
type opportunityContactView struct {
	CustomerID uuid.UUID `json:"customer_id" format:"uuid" doc:"The person, as the customer whom the contact's id means now."`
	OpportunityContact
	ChangedAt time.Time `json:"changed_at"`
	ChangedBy string    `json:"changed_by" doc:"Subject."`
}

// opportunityRivalWords is what is said of a competitor.
type opportunityRivalWords struct {
	Strengths  string `json:"strengths,omitempty" maxLength:"2000" doc:"As the customer sees them."`
	Weaknesses string `json:"weaknesses,omitempty" maxLength:"2000" doc:"As the customer sees them."`
}

type opportunityRivalView struct {
	Competitor string    `json:"competitor" doc:"Code." example:"pasta-planet"`
	Strengths  string    `json:"strengths"`
	Weaknesses string    `json:"weaknesses"`
	ChangedAt  time.Time `json:"changed_at"`
	ChangedBy  string    `json:"changed_by" doc:"Subject."`
}

type opportunityStall struct {
	Since  time.Time `json:"since" doc:"When that was found."`
	Reason string    `json:"reason" enum:"age,no_next_step,next_step_overdue" doc:"Longer in its stage than that allows; nobody said for a day what comes next; or the next step's day is over."`
}

// opportunityView is an opportunity as the API shows it.
type opportunityView struct {
	OpportunityID   uuid.UUID                `json:"opportunity_id" format:"uuid"`
	CustomerID      uuid.UUID                `json:"customer_id" format:"uuid" doc:"The customer whom the opportunity's id means now."`
	LeadID          *uuid.UUID               `json:"lead_id,omitempty" format:"uuid" doc:"That it came of."`
	Name            string                   `json:"name" doc:"Empty once the customer was erased." example:"Ovens for three kitchens"`
	State           State                    `json:"state" enum:"open,won,lost,withdrawn"`
	Pipeline        string                   `json:"pipeline" example:"standard"`
	Stage           string                   `json:"stage" doc:"That it is in, or was closed in." example:"proposal"`
	Currency        string                   `json:"currency" doc:"ISO 4217, of every amount." example:"CNY"`
	AmountMinor     int64                    `json:"amount_minor" doc:"The sum of the lines where there are any; in minor units. 0: not known." example:"3600000"`
	Lines           []opportunityLine        `json:"lines" nullable:"false"`
	ExpectedCloseOn string                   `json:"expected_close_on,omitempty" format:"date" example:"2027-01-31"`
	NextStep        string                   `json:"next_step,omitempty" example:"Taste test with the cook"`
	NextStepOn      string                   `json:"next_step_on,omitempty" format:"date" example:"2026-12-04"`
	Owner           string                   `json:"owner" doc:"Subject of who sells; empty: nobody."`
	Team            string                   `json:"team" doc:"Code; empty: none."`
	Source          string                   `json:"source" doc:"Code of where the interest came from." example:"fair"`
	Campaign        string                   `json:"campaign" doc:"Code."`
	Category        pipeline.Category        `json:"forecast_category,omitempty" enum:"pipeline,best_case,commit" doc:"Its own; absent: the stage's holds."`
	Tags            []string                 `json:"tags" nullable:"false" doc:"Codes, by code."`
	CustomFields    map[string]any           `json:"custom_fields" doc:"Values by the names of the tenant's fields of leads, which opportunities have as well."`
	Contacts        []opportunityContactView `json:"contacts" nullable:"false"`
	Competitors     []opportunityRivalView   `json:"competitors" nullable:"false"`
	Orders          []uuid.UUID              `json:"orders" nullable:"false" doc:"That it was won by."`
	Stalled         *opportunityStall        `json:"stalled,omitempty" doc:"Nothing goes on any more; absent: it does."`
	OpenedAt        time.Time                `json:"opened_at"`
	StageSince      time.Time                `json:"stage_since" doc:"It is in the stage, or closed, since then."`
	ClosedAt        *time.Time               `json:"closed_at,omitempty"`
	Reason          string                   `json:"reason,omitempty" doc:"Code of why it was lost."`
	Competitor      string                   `json:"competitor,omitempty" doc:"Code of whom it was lost to."`
	Version         int64                    `json:"version" doc:"Rises by one with every change; the ETag."`
	ChangedAt       time.Time                `json:"changed_at"`
	ChangedBy       string                   `json:"changed_by" doc:"Subject."`
}

func show(o Opportunity) opportunityView {
	v := opportunityView{
		OpportunityID: o.ID, CustomerID: o.Root, LeadID: pg.OrNull(o.LeadID), Name: o.Name, State: o.State, Pipeline: o.Pipeline, Stage: o.Stage,
		Currency: o.Currency, AmountMinor: o.AmountMinor, Lines: make([]opportunityLine, len(o.Lines)), ExpectedCloseOn: dayText(o.ExpectedCloseOn),
		NextStep: o.NextStep, NextStepOn: dayText(o.NextStepOn), Owner: o.Owner, Team: o.Team, Source: o.Source, Campaign: o.Campaign,
		Category: o.Category, Tags: list(o.Tags), CustomFields: mapping(o.Custom), Contacts: make([]opportunityContactView, len(o.Contacts)),
		Competitors: make([]opportunityRivalView, len(o.Rivals)), Orders: list(o.Orders), OpenedAt: o.OpenedAt, StageSince: o.StageSince,
		ClosedAt: pg.OrNull(o.ClosedAt), Reason: o.Reason, Competitor: o.Competitor, Version: o.Version, ChangedAt: o.ChangedAt, ChangedBy: o.By,
	}
	for i, l := range o.Lines {
		v.Lines[i] = opportunityLine{l.SKU, l.Quantity, l.UnitMinor, &l.AmountMinor}
	}
	for i, c := range o.Contacts {
		v.Contacts[i] = opportunityContactView{c.Root, OpportunityContact{c.Role, pg.OrNull(c.Influence), c.Leaning}, c.ChangedAt, c.By}
	}
	for i, r := range o.Rivals {
		v.Competitors[i] = opportunityRivalView{r.Competitor, r.Strengths, r.Weaknesses, r.ChangedAt, r.By}
	}
	if o.Stall.Reason != "" {
		v.Stalled = &opportunityStall{o.Stall.At, o.Stall.Reason}
	}
	return v
}

type opportunityAnswer struct {
	Status int
	ETag   string `header:"ETag"`
	Body   opportunityView
}

// answered answers with an opportunity.
func answered(status int) func(Opportunity, error) (*opportunityAnswer, error) {
	return func(o Opportunity, err error) (*opportunityAnswer, error) {
		if err != nil {
			return nil, err
		}
		return &opportunityAnswer{Status: status, ETag: httpx.ETag(o.Version), Body: show(o)}, nil
	}
}

type openInput struct{ Body newOpportunity }

// newOpportunity is what an opportunity is opened with.
type newOpportunity struct {
	CustomerID      uuid.UUID               `json:"customer_id" format:"uuid"`
	Name            string                  `json:"name" doc:"1 to 200 characters." example:"Ovens for three kitchens"`
	Pipeline        string                  `json:"pipeline,omitempty" maxLength:"64" doc:"Code; absent: the team's, or the tenant's first one." example:"standard"`
	Stage           string                  `json:"stage,omitempty" maxLength:"64" doc:"Code; absent: the first. What all stages up to it require must be there."`
	Currency        string                  `json:"currency,omitempty" maxLength:"3" doc:"ISO 4217; absent: the pipeline's." example:"CNY"`
	AmountMinor     int64                   `json:"amount_minor,omitempty" minimum:"0" doc:"In minor units; left out with lines, or their sum." example:"3600000"`
	Lines           []opportunityLine       `json:"lines,omitempty" nullable:"false" maxItems:"200"`
	ExpectedCloseOn string                  `json:"expected_close_on,omitempty" format:"date" example:"2027-01-31"`
	NextStep        string                  `json:"next_step,omitempty" maxLength:"500" example:"Taste test with the cook"`
	NextStepOn      string                  `json:"next_step_on,omitempty" format:"date" doc:"Together with next_step." example:"2026-12-04"`
	Owner           string                  `json:"owner,omitempty" maxLength:"200" doc:"Subject of who sells; absent: nobody."`
	Team            string                  `json:"team,omitempty" maxLength:"64" doc:"Code."`
	Source          string                  `json:"source,omitempty" maxLength:"64" doc:"Code of where the interest came from." example:"fair"`
	Campaign        string                  `json:"campaign,omitempty" maxLength:"64" doc:"Code."`
	Category        pipeline.Category       `json:"forecast_category,omitempty" enum:"pipeline,best_case,commit" doc:"Absent: the stage's."`
	Tags            []string                `json:"tags,omitempty" nullable:"false" maxItems:"50" doc:"Codes."`
	Contacts        []newOpportunityContact `json:"contacts,omitempty" nullable:"false" maxItems:"100"`
	CustomFields    map[string]any          `json:"custom_fields,omitempty" doc:"Values by the names of the tenant's fields of leads, which opportunities have as well."`
}

type newOpportunityContact struct {
	CustomerID uuid.UUID `json:"customer_id" format:"uuid" doc:"The person, as a customer."`
	OpportunityContact
}

func (n newOpportunity) draft() (Draft, error) {
	d := Draft{
		CustomerID: n.CustomerID, Name: n.Name, Pipeline: n.Pipeline, Stage: n.Stage, Currency: n.Currency, AmountMinor: n.AmountMinor,
		Lines: readLines(n.Lines), NextStep: n.NextStep, Owner: n.Owner, Team: n.Team, Source: n.Source, Campaign: n.Campaign,
		Category: n.Category, Tags: n.Tags, Custom: values(n.CustomFields),
	}
	for _, c := range n.Contacts {
		d.Contacts = append(d.Contacts, c.contact(c.CustomerID))
	}
	var f finder
	d.ExpectedCloseOn = f.readDay("expected_close_on", n.ExpectedCloseOn)
	d.NextStepOn = f.readDay("next_step_on", n.NextStepOn)
	if len(f) > 0 {
		return d, invalid(f)
	}
	return d, nil
}

func readLines(lines []opportunityLine) []Line {
	all := make([]Line, len(lines))
	for i, l := range lines {
		all[i] = Line{SKU: l.SKU, Quantity: l.Quantity, UnitMinor: l.UnitMinor}
	}
	return all
}

// values gives values of custom fields as the JSON that they came in as.
func values(given map[string]any) map[string]json.RawMessage {
	all := make(map[string]json.RawMessage, len(given))
	for name, v := range given {
		raw, err := json.Marshal(v)
		if err != nil {
			raw = nil // what was read from JSON has a JSON form
		}
		all[name] = raw
	}
	return all
}

// readDay reads a day; the empty text is none.
func (f *finder) readDay(location, text string) time.Time {
	if text == "" {
		return time.Time{}
	}
	day, err := time.Parse(time.DateOnly, text)
	if err != nil {
		f.add(location, "date_malformed", "must be a day such as 2027-01-31")
	}
	return day
}

// OpportunityPath names an opportunity.
type OpportunityPath struct {
	ID uuid.UUID `path:"opportunity_id" format:"uuid"`
}

// OpportunityEdit names an opportunity as somebody has seen it.
type OpportunityEdit struct {
	OpportunityPath
	IfMatch string `header:"If-Match" doc:"The ETag of the opportunity as it was read."`
}

func (e OpportunityEdit) fresh(version int64) error { return httpx.IfMatch(e.IfMatch, version) }

type changeInput struct {
	OpportunityEdit
	Body opportunityChange
}

// opportunityChange is what is to be otherwise.
type opportunityChange struct {
	Name            *string            `json:"name,omitempty"`
	Currency        *string            `json:"currency,omitempty" maxLength:"3" doc:"Only while there are no lines, and with the amount in it."`
	AmountMinor     *int64             `json:"amount_minor,omitempty" minimum:"0" doc:"Only while there are no lines."`
	ExpectedCloseOn *string            `json:"expected_close_on,omitempty" doc:"A day; empty: nobody says." example:"2027-01-31"`
	NextStep        *string            `json:"next_step,omitempty" maxLength:"500" doc:"Empty: none, and no day either."`
	NextStepOn      *string            `json:"next_step_on,omitempty" doc:"A day." example:"2026-12-04"`
	Owner           *string            `json:"owner,omitempty" maxLength:"200" doc:"Subject; empty: nobody."`
	Team            *string            `json:"team,omitempty" maxLength:"64" doc:"Code; empty: none."`
	Source          *string            `json:"source,omitempty" maxLength:"64"`
	Campaign        *string            `json:"campaign,omitempty" maxLength:"64"`
	Category        *pipeline.Category `json:"forecast_category,omitempty" enum:",pipeline,best_case,commit" doc:"Empty: the stage's."`
	Tags            *[]string          `json:"tags,omitempty" nullable:"false" maxItems:"50" doc:"All of them."`
	CustomFields    map[string]any     `json:"custom_fields,omitempty" doc:"Values by the names of the tenant's fields; null takes one away."`
}

func (c opportunityChange) change() (Change, error) {
	made := Change{
		Name: c.Name, Currency: c.Currency, AmountMinor: c.AmountMinor, NextStep: c.NextStep, Owner: c.Owner, Team: c.Team, Source: c.Source,
		Campaign: c.Campaign, Category: c.Category, Tags: c.Tags,
	}
	var f finder
	for location, day := range map[string]struct {
		from *string
		to   **time.Time
	}{"expected_close_on": {c.ExpectedCloseOn, &made.ExpectedCloseOn}, "next_step_on": {c.NextStepOn, &made.NextStepOn}} {
		if day.from != nil {
			read := f.readDay(location, *day.from)
			*day.to = &read
		}
	}
	if len(f) > 0 {
		return made, invalid(f)
	}
	return made, nil
}

func (o *Opportunities) openHTTP(ctx context.Context, in *openInput) (*opportunityAnswer, error) {
	d, err := in.Body.draft()
	if err != nil {
		return nil, err
	}
	return answered(http.StatusCreated)(o.Open(ctx, d))
}

func (o *Opportunities) changeHTTP(ctx context.Context, in *changeInput) (*opportunityAnswer, error) {
	c, err := in.Body.change()
	if err != nil {
		return nil, err
	}
	return answered(http.StatusOK)(o.Change(ctx, in.ID, c, values(in.Body.CustomFields), in.fresh))
}

// ListOpportunities says which opportunities are meant.
type ListOpportunities struct {
	httpx.Page
	CustomerID uuid.UUID `query:"customer_id" format:"uuid" doc:"Only this customer's, those included that were opened for a customer who was merged with this one."`
	LeadID     uuid.UUID `query:"lead_id" format:"uuid" doc:"Only what came of this lead."`
	Pipeline   string    `query:"pipeline" maxLength:"64" doc:"Only those of the pipeline of this code."`
	Stage      string    `query:"stage" maxLength:"64" doc:"Only those in, or closed in, a stage of this code."`
	State      State     `query:"state" enum:"open,won,lost,withdrawn" doc:"Absent: all."`
	Owner      string    `query:"owner" maxLength:"200" doc:"Only this subject's."`
	Team       string    `query:"team" maxLength:"64" doc:"Only those of the team of this code."`
	Stalled    bool      `query:"stalled" doc:"Only those on which nothing goes on."`
}

type opportunityList struct{ Body opportunityPage }

type opportunityPage struct {
	Items      []opportunityView `json:"items" nullable:"false" doc:"The latest opened first."`
	NextCursor string            `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

func (o *Opportunities) listHTTP(ctx context.Context, in *ListOpportunities) (*opportunityList, error) {
	f := Filter{CustomerID: in.CustomerID, LeadID: in.LeadID, Pipeline: in.Pipeline, Stage: in.Stage, State: in.State, Owner: in.Owner, Team: in.Team, Stalled: in.Stalled}
	items, next, err := httpx.PageByID(in.Page, func(before uuid.UUID, limit int) ([]Opportunity, error) {
		f.Before = before
		return o.List(ctx, f, limit)
	}, func(o Opportunity) uuid.UUID { return o.ID }, show)
	return &opportunityList{opportunityPage{items, next}}, err
}

// Routes adds the operations on opportunities.
func (o *Opportunities) Routes(api *httpx.API) {
	const tag, path = "Opportunities", "/v1/opportunities"
	httpx.Register(api, httpx.Operation{
		ID: "open-opportunity", Method: http.MethodPost, Path: path, Tag: tag, Summary: "Open an opportunity",
		Permission: auth.SalesWrite, Status: http.StatusCreated, Errors: []int{http.StatusGone},
	}, o.openHTTP)
	httpx.Register(api, httpx.Operation{
		ID: "list-opportunities", Method: http.MethodGet, Path: path, Tag: tag, Summary: "List opportunities, the latest opened first",
		Permission: auth.SalesRead,
	}, o.listHTTP)
	httpx.Register(api, httpx.Operation{
		ID: "get-opportunity", Method: http.MethodGet, Path: path + "/{opportunity_id}", Tag: tag, Summary: "Read an opportunity",
		Permission: auth.SalesRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *OpportunityPath) (*opportunityAnswer, error) {
		return answered(http.StatusOK)(o.Read(ctx, in.ID))
	})
	httpx.Register(api, httpx.Operation{
		ID: "change-opportunity", Method: http.MethodPatch, Path: path + "/{opportunity_id}", Tag: tag, Summary: "Change an opportunity",
		Description: "Fields that are left out stay as they are. What the stage that it is in requires cannot be taken away.",
		Permission:  auth.SalesWrite, Errors: edited,
	}, o.changeHTTP)
	o.actionRoutes(api)
	o.partRoutes(api)
	o.boardRoutes(api)
	o.askedRoutes(api)
}

var edited = []int{http.StatusNotFound, http.StatusConflict, http.StatusGone, http.StatusPreconditionFailed, http.StatusPreconditionRequired}
