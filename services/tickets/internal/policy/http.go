package policy

import (
	"context"
	"net/http"
	"time"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
)

// complaintPolicy is a policy as the API takes and shows it.
type complaintPolicy struct {
	StepSeconds     int64 `json:"step_seconds" doc:"For each step of the staff; then the step is reminded of, again and again." example:"172800"`
	CustomerSeconds int64 `json:"customer_seconds" doc:"For the customer's word; then the customer is reminded." example:"604800"`
	Reminders       int   `json:"reminders" doc:"To the customer, before silence ends the waiting." example:"2"`
	Rounds          int   `json:"rounds" doc:"Proposals that a customer may reject." example:"3"`
	FreeMinor       int64 `json:"free_minor" doc:"Up to this cost nobody need approve a remedy. Minor units of the remedy's currency, as are the next two." example:"5000"`
	ManagerMinor    int64 `json:"manager_minor" doc:"Up to this cost a manager approves, beyond it a director." example:"50000"`
	PointMinor      int64 `json:"point_minor" doc:"What a point costs." example:"1"`
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
	return &answer{ETag: httpx.ETag(p.Version), Body: complaintPolicy{
		StepSeconds: int64(p.StepWithin / time.Second), CustomerSeconds: int64(p.CustomerWithin / time.Second), Reminders: p.Reminders,
		Rounds: p.Rounds, FreeMinor: p.FreeMinor, ManagerMinor: p.ManagerMinor, PointMinor: p.PointMinor,
	}}, nil
}

// seconds gives a duration without running over: what is too long stays too long.
func seconds(n int64) time.Duration {
	const most = int64(2 * longest / time.Second)
	return time.Duration(max(-1, min(n, most))) * time.Second
}

// Routes adds the operations on the policy.
func (p *Policies) Routes(api *httpx.API) {
	const tag, path = "Complaints", "/v1/complaints/policy"
	httpx.Register(api, httpx.Operation{
		ID: "get-complaint-policy", Method: http.MethodGet, Path: path, Tag: tag, Summary: "Read the limits and time limits of complaints",
		Permission: auth.ComplaintsRead,
	}, func(ctx context.Context, _ *struct{}) (*answer, error) { return answered(p.Get(ctx)) })
	httpx.Register(api, httpx.Operation{
		ID: "set-complaint-policy", Method: http.MethodPut, Path: path, Tag: tag, Summary: "Set the limits and time limits of complaints",
		Description: "They hold for the steps that begin after it.",
		Permission:  auth.ComplaintsPolicy, Errors: []int{http.StatusPreconditionFailed, http.StatusPreconditionRequired},
	}, func(ctx context.Context, in *setInput) (*answer, error) {
		b := in.Body
		to := Policy{
			StepWithin: seconds(b.StepSeconds), CustomerWithin: seconds(b.CustomerSeconds), Reminders: b.Reminders, Rounds: b.Rounds,
			FreeMinor: b.FreeMinor, ManagerMinor: b.ManagerMinor, PointMinor: b.PointMinor,
		}
		return answered(p.Set(ctx, to, func(version int64) error { return httpx.IfMatch(in.IfMatch, version) }))
	})
}
