package conversion

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/sales/internal/lead"
)

type convertInput struct {
	ID   uuid.UUID `path:"lead_id" format:"uuid"`
	Body leadConversionWish
}

// leadConversionWish is what a lead is to be converted to.
type leadConversionWish struct {
	CustomerID     *uuid.UUID            `json:"customer_id,omitempty" format:"uuid" doc:"Who the lead is; left out: whom it is known to be, else a new customer is registered: the company, or the person where there is none."`
	ContactID      *uuid.UUID            `json:"contact_id,omitempty" format:"uuid" doc:"The person by whom the organisation is reached; left out: a new one is registered, where the lead names a person."`
	AllowDuplicate bool                  `json:"allow_duplicate,omitempty" doc:"Register also where somebody alike is there already."`
	Opportunity    *convertedOpportunity `json:"opportunity,omitempty" doc:"What the opportunity is opened with, where that is not the lead's."`
}

type convertedOpportunity struct {
	Name            string `json:"name,omitempty" maxLength:"200" doc:"The company's or the person's name where it is left out."`
	Pipeline        string `json:"pipeline,omitempty" maxLength:"64" doc:"Code; the lead's, else the tenant's default one."`
	Stage           string `json:"stage,omitempty" maxLength:"64" doc:"Code; the pipeline's first where it is left out."`
	Currency        string `json:"currency,omitempty" maxLength:"3" doc:"ISO 4217; the lead's budget's, else the pipeline's, else the tenant's."`
	AmountMinor     int64  `json:"amount_minor,omitempty" minimum:"0" doc:"In minor units; the lead's budget, where neither amount nor currency is given."`
	ExpectedCloseOn string `json:"expected_close_on,omitempty" format:"date"`
	NextStep        string `json:"next_step,omitempty" maxLength:"500"`
	NextStepOn      string `json:"next_step_on,omitempty" format:"date"`
}

func (w leadConversionWish) wish() (Wish, []problem.Field) {
	var faults []problem.Field
	day := func(location, text string) time.Time {
		if text == "" {
			return time.Time{}
		}
		at, err := time.Parse(time.DateOnly, text)
		if err != nil {
			faults = append(faults, problem.Field{Location: "opportunity." + location, Code: "date_malformed", Message: "must be a day such as 2027-01-31"})
		}
		return at
	}
	to := Wish{AllowDuplicate: w.AllowDuplicate}
	if w.CustomerID != nil {
		to.CustomerID = *w.CustomerID
	}
	if w.ContactID != nil {
		to.ContactID = *w.ContactID
	}
	if o := w.Opportunity; o != nil {
		to.Opportunity = Opportunity{
			Name: o.Name, Pipeline: o.Pipeline, Stage: o.Stage, Currency: o.Currency, AmountMinor: o.AmountMinor,
			ExpectedCloseOn: day("expected_close_on", o.ExpectedCloseOn), NextStep: o.NextStep, NextStepOn: day("next_step_on", o.NextStepOn),
		}
	}
	if to.ContactID != uuid.Nil && to.ContactID == to.CustomerID {
		faults = append(faults, problem.Field{Location: "contact_id", Code: "contact_is_customer", Message: "must be another than the customer"})
	}
	return to, faults
}

// leadConversionView is a conversion as the API shows it.
type leadConversionView struct {
	ConversionID    uuid.UUID                 `json:"conversion_id" format:"uuid"`
	LeadID          uuid.UUID                 `json:"lead_id" format:"uuid"`
	State           State                     `json:"state" enum:"running,converted,refused,undoing,undone"`
	CustomerID      *uuid.UUID                `json:"customer_id,omitempty" format:"uuid"`
	CustomerCreated bool                      `json:"customer_created"`
	ContactID       *uuid.UUID                `json:"contact_id,omitempty" format:"uuid"`
	ContactCreated  bool                      `json:"contact_created"`
	OpportunityID   *uuid.UUID                `json:"opportunity_id,omitempty" format:"uuid"`
	Refusal         string                    `json:"refusal,omitempty" doc:"Code of why nothing came of it, or of why it was not undone: duplicate_suspected, contact_duplicate_suspected, customer_not_found, opportunity_followed, customer_followed and others." example:"duplicate_suspected"`
	Candidates      []conversionCandidateView `json:"candidates" nullable:"false" doc:"Customers who may be meant, where that is why."`
	RequestedBy     string                    `json:"requested_by" doc:"Subject of the token."`
	RequestedAt     time.Time                 `json:"requested_at"`
	UndoneBy        string                    `json:"undone_by,omitempty" doc:"Subject of who had it undone."`
	Settled         bool                      `json:"settled" doc:"Nothing of a conversion that came to nothing is left at accounts."`
}

type conversionCandidateView struct {
	CustomerID uuid.UUID `json:"customer_id" format:"uuid"`
	Reasons    []string  `json:"reasons" nullable:"false" doc:"Codes of the rules that match." example:"[\"email_and_name\"]"`
}

func show(c Conversion) leadConversionView {
	v := leadConversionView{
		ConversionID: c.ID, LeadID: c.LeadID, State: c.State, CustomerID: pg.OrNull(c.Customer.ID), CustomerCreated: c.Customer.Created,
		ContactID: pg.OrNull(c.Contact.ID), ContactCreated: c.Contact.Created, OpportunityID: pg.OrNull(c.OpportunityID), Refusal: c.Refusal,
		Candidates: candidatesView(c.Candidates), RequestedBy: c.RequestedBy, RequestedAt: c.RequestedAt, UndoneBy: c.UndoneBy, Settled: c.Settled,
	}
	return v
}

func candidatesView(all []lead.Candidate) []conversionCandidateView {
	shown := make([]conversionCandidateView, len(all))
	for n, one := range all {
		shown[n] = conversionCandidateView(one)
	}
	return shown
}

type conversionAnswer struct {
	Status int
	Body   leadConversionView
}

func answered(c Conversion, err error) (*conversionAnswer, error) {
	if err != nil {
		return nil, err
	}
	status := http.StatusOK
	if c.Moving() {
		status = http.StatusAccepted
	}
	return &conversionAnswer{Status: status, Body: show(c)}, nil
}

type conversionOfLead struct {
	ID uuid.UUID `path:"lead_id" format:"uuid"`
}

type identifyLeadInput struct {
	ID   uuid.UUID `path:"lead_id" format:"uuid"`
	Body leadCustomer
}

type leadCustomer struct {
	CustomerID *uuid.UUID `json:"customer_id" nullable:"true" format:"uuid" doc:"Who the lead is; null: nobody whom we know."`
}

// Routes adds the operations on conversions.
func (c *Conversions) Routes(api *httpx.API) {
	const tag = "Leads"
	missing := []int{http.StatusNotFound, http.StatusConflict, http.StatusGone}
	httpx.Register(api, httpx.Operation{
		ID: "convert-lead", Method: http.MethodPost, Path: "/v1/leads/{lead_id}/convert", Tag: tag, Summary: "Make a lead a customer with an opportunity",
		Description: "It takes moments, in which accounts is asked: read the conversion until it is no longer running. Asked again, by whomever, it gives the conversion that is there: a lead becomes one customer.",
		Permission:  auth.SalesWrite, Status: http.StatusAccepted, Errors: missing,
	}, func(ctx context.Context, in *convertInput) (*conversionAnswer, error) {
		w, faults := in.Body.wish()
		if len(faults) > 0 {
			return nil, problem.InvalidBody("conversion_invalid", "Nothing was converted: mend the fields named here.", faults)
		}
		return answered(c.Convert(ctx, in.ID, w))
	})
	httpx.Register(api, httpx.Operation{
		ID: "get-lead-conversion", Method: http.MethodGet, Path: "/v1/leads/{lead_id}/conversion", Tag: tag, Summary: "Read the last conversion of a lead",
		Permission: auth.SalesRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *conversionOfLead) (*conversionAnswer, error) {
		found, err := c.Of(ctx, in.ID)
		a, err := answered(found, err)
		if a != nil {
			a.Status = http.StatusOK
		}
		return a, err
	})
	httpx.Register(api, httpx.Operation{
		ID: "undo-lead-conversion", Method: http.MethodPost, Path: "/v1/leads/{lead_id}/unconvert", Tag: tag, Summary: "Take the conversion of a lead back",
		Description: "As long as nothing followed from it. Whom it registered is archived, its opportunity withdrawn, the lead is what it was. Where something followed, the conversion stays, and refusal says what.",
		Permission:  auth.SalesWrite, Status: http.StatusAccepted, Errors: missing,
	}, func(ctx context.Context, in *conversionOfLead) (*conversionAnswer, error) {
		return answered(c.Undo(ctx, in.ID))
	})
	httpx.Register(api, httpx.Operation{
		ID: "identify-lead", Method: http.MethodPut, Path: "/v1/leads/{lead_id}/customer", Tag: tag, Summary: "Say which customer a lead is",
		Description: "Moments after it came in, a lead shows by itself who it may be (customer_candidates), and who it is where that is sure.",
		Permission:  auth.SalesWrite, Status: http.StatusNoContent, Errors: append(missing, http.StatusServiceUnavailable),
	}, func(ctx context.Context, in *identifyLeadInput) (*struct{}, error) {
		id := uuid.Nil
		if in.Body.CustomerID != nil {
			id = *in.Body.CustomerID
		}
		return nil, c.Identify(ctx, in.ID, id)
	})
}
