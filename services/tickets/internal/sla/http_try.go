package sla

import (
	"context"
	"net/http"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

type tryInput struct{ Body slaTrial }

// slaTrial is a condition that is tried on a ticket which need not exist.
type slaTrial struct {
	Condition string   `json:"condition,omitempty" maxLength:"2000" doc:"CEL. Left out: fits every ticket." example:"tier == \"gold\" && priority <= 2"`
	Facts     slaFacts `json:"facts,omitempty" doc:"Of the ticket and its customer; what is left out is empty."`
}

type slaFacts struct {
	Kind     string         `json:"kind,omitempty" maxLength:"64" example:"incident"`
	Channel  string         `json:"channel,omitempty" maxLength:"64" example:"phone"`
	Category string         `json:"category,omitempty" maxLength:"64"`
	Queue    string         `json:"queue,omitempty" maxLength:"64"`
	Impact   int            `json:"impact,omitempty" minimum:"0" maximum:"3"`
	Urgency  int            `json:"urgency,omitempty" minimum:"0" maximum:"3"`
	Priority int            `json:"priority,omitempty" minimum:"0" maximum:"5"`
	Tags     []string       `json:"tags,omitempty" nullable:"false" maxItems:"50"`
	Custom   map[string]any `json:"custom,omitempty"`
	Grade    string         `json:"grade,omitempty" maxLength:"64" example:"A"`
	Tier     string         `json:"tier,omitempty" maxLength:"64" example:"gold"`
}

type tryAnswer struct{ Body slaVerdict }

type slaVerdict struct {
	Fits          bool       `json:"fits" doc:"Whether the condition fits the facts."`
	Reason        string     `json:"reason,omitempty" doc:"Why it cannot answer, which means that it does not fit."`
	Cost          uint64     `json:"cost" doc:"What it may cost at most, in steps of CEL; 20000 are allowed."`
	PolicyID      *uuid.UUID `json:"policy_id,omitempty" format:"uuid" doc:"The present policy that would measure such a ticket; absent where none fits."`
	PolicyVersion int64      `json:"policy_version,omitempty"`
	PolicyName    string     `json:"policy_name,omitempty"`
}

type standingID struct {
	ID uuid.UUID `path:"customer_id" format:"uuid"`
}

type standingInput struct {
	ID   uuid.UUID `path:"customer_id" format:"uuid"`
	Body customerStanding
}

// customerStanding is how a customer stands with the tenant.
type customerStanding struct {
	Grade string `json:"grade" maxLength:"64" doc:"Code, such as of the customer's value; empty where nothing is known." example:"A"`
	Tier  string `json:"tier" maxLength:"64" doc:"Code, such as of the loyalty programme; empty where nothing is known." example:"gold"`
}

type standingAnswer struct{ Body customerStanding }

func answeredStanding(s Standing, err error) (*standingAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &standingAnswer{customerStanding(s)}, nil
}

func (p *Policies) tryRoutes(api *httpx.API) {
	const tag = "Service levels"
	httpx.Register(api, httpx.Operation{
		ID: "check-sla-policy", Method: http.MethodPost, Path: "/v1/sla-policies/check", Tag: tag, Summary: "Try a condition, and which policy would pick a ticket",
		Description: "Keeps nothing. A condition that does not compile, or may cost too much, is answered with 422 and the line and column of each fault.",
		Permission:  auth.TicketsConfigure,
	}, func(ctx context.Context, in *tryInput) (*tryAnswer, error) {
		v, err := p.Try(ctx, in.Body.Condition, Facts(in.Body.Facts))
		if err != nil {
			return nil, err
		}
		return &tryAnswer{slaVerdict{v.Fits, v.Reason, v.Cost, pg.OrNull(v.Picked.ID), v.Picked.Version, v.Picked.Name}}, nil
	})
	httpx.Register(api, httpx.Operation{
		ID: "set-customer-standing", Method: http.MethodPut, Path: "/v1/customer-standings/{customer_id}", Tag: tag, Summary: "Say how a customer stands",
		Description: "Grade and tier pick the policies of tickets that are opened or classified anew from now on. Of what loyalty and analytics tell, and " +
			"what is said here, the later word holds, for the grade and for the tier.",
		Permission: auth.TicketsImport, Errors: []int{http.StatusGone},
	}, func(ctx context.Context, in *standingInput) (*standingAnswer, error) {
		return answeredStanding(p.SetStanding(ctx, in.ID, Standing(in.Body)))
	})
	httpx.Register(api, httpx.Operation{
		ID: "get-customer-standing", Method: http.MethodGet, Path: "/v1/customer-standings/{customer_id}", Tag: tag, Summary: "Read how a customer stands",
		Description: "Of a customer who was merged, how the one stands whom the id means now, or else what was told last of the others. Empty where nothing is known.", Permission: auth.TicketsRead,
	}, func(ctx context.Context, in *standingID) (*standingAnswer, error) {
		return answeredStanding(p.Standing(ctx, in.ID))
	})
}
