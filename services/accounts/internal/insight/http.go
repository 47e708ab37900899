package insight

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/access"
)

// insightView is an insight as the API shows it.
type insightView struct {
	Name            string         `json:"name" example:"next_best_action"`
	Kind            Kind           `json:"kind" enum:"segment,score,recommendation"`
	Text            string         `json:"text,omitempty" doc:"Of a segment or recommendation." example:"offer_dessert"`
	Number          *float64       `json:"number,omitempty" doc:"Of a score."`
	InputClasses    []access.Class `json:"input_classes" nullable:"false" doc:"Of what it was drawn from: where one of them is out of sight, so is this."`
	AboutCustomerID *uuid.UUID     `json:"about_customer_id,omitempty" format:"uuid" doc:"Whose data was drawn on, where it is another person's."`
	ComputedAt      time.Time      `json:"computed_at"`
	ValidUntil      *time.Time     `json:"valid_until,omitempty" doc:"Absent: until another takes its place."`
	StatedBy        string         `json:"stated_by" doc:"Whose token said so."`
}

func show(i Insight) insightView {
	v := insightView{
		Name: i.Name, Kind: i.Kind, Text: i.Text, InputClasses: i.Inputs, ComputedAt: i.ComputedAt.UTC(), StatedBy: i.StatedBy,
	}
	if i.Kind == Score {
		v.Number = &i.Number
	}
	if i.About != uuid.Nil {
		v.AboutCustomerID = &i.About
	}
	if !i.ValidUntil.IsZero() {
		until := i.ValidUntil.UTC()
		v.ValidUntil = &until
	}
	return v
}

type deleteInsightInput struct {
	ID   uuid.UUID `path:"customer_id" format:"uuid"`
	Name string    `path:"name" pattern:"^[a-z][a-z0-9_]{0,62}$" maxLength:"63" doc:"A code of yours; one of a name holds at a time." example:"churn_risk"`
}

type putInsightInput struct {
	ID   uuid.UUID `path:"customer_id" format:"uuid"`
	Name string    `path:"name" pattern:"^[a-z][a-z0-9_]{0,62}$" maxLength:"63" doc:"A code of yours; one of a name holds at a time." example:"churn_risk"`
	Body newInsight
}

// newInsight is what is said.
type newInsight struct {
	Kind            Kind           `json:"kind" enum:"segment,score,recommendation"`
	Text            string         `json:"text,omitempty" doc:"Of a segment or recommendation." maxLength:"500"`
	Number          *float64       `json:"number,omitempty" doc:"Of a score."`
	InputClasses    []access.Class `json:"input_classes" nullable:"false" minItems:"1" maxItems:"6" enum:"identity,contact,behaviour,financial,health,special" doc:"The classes of all data that this was drawn from."`
	AboutCustomerID *uuid.UUID     `json:"about_customer_id,omitempty" format:"uuid" doc:"Whose data was drawn on, where it is another person's."`
	ComputedAt      time.Time      `json:"computed_at"`
	ValidUntil      *time.Time     `json:"valid_until,omitempty" doc:"Absent: until another takes its place."`
}

type seeInsightInput struct {
	ID   uuid.UUID `path:"customer_id" format:"uuid"`
	Name string    `path:"name" pattern:"^[a-z][a-z0-9_]{0,62}$" maxLength:"63" doc:"A code of yours; one of a name holds at a time." example:"churn_risk"`
	access.Asked
}

type seeInsightsInput struct {
	ID uuid.UUID `path:"customer_id" format:"uuid"`
	access.Asked
}

type insightAnswer struct{ Body insightView }

type insightsAnswer struct{ Body insightList }

type insightList struct {
	Items    []insightView     `json:"items" nullable:"false" doc:"By name."`
	Withheld []access.Withheld `json:"withheld" nullable:"false" doc:"The classes that are out of your sight, and with them whatever was drawn from them, if there is any."`
}

// Routes adds the operations on insights.
func (in *Insights) Routes(api *httpx.API) {
	const tag = "Insights"
	const path = "/v1/customers/{customer_id}/insights"
	gone := []int{http.StatusNotFound, http.StatusGone}
	httpx.Register(api, httpx.Operation{
		ID: "put-insight", Method: http.MethodPut, Path: path + "/{name}", Tag: tag, Summary: "Say something of a customer",
		Description: "A segment, a score or a recommendation, in the place of the one of the same name. It names the classes of what it was " +
			"drawn from and is shown to those only who see all of them. One that was computed earlier than the one that is known is a 409.",
		Permission: auth.InsightsWrite, Errors: append(gone, http.StatusConflict),
	}, in.put)
	httpx.Register(api, httpx.Operation{
		ID: "list-insights", Method: http.MethodGet, Path: path, Tag: tag, Summary: "What analyses and other systems say of a customer",
		Permission: auth.CustomersRead, Errors: gone,
	}, in.list)
	httpx.Register(api, httpx.Operation{
		ID: "get-insight", Method: http.MethodGet, Path: path + "/{name}", Tag: tag, Summary: "Read an insight",
		Description: "One that is out of your sight is 404, as if it were not there.",
		Permission:  auth.CustomersRead, Errors: gone,
	}, in.get)
	httpx.Register(api, httpx.Operation{
		ID: "delete-insight", Method: http.MethodDelete, Path: path + "/{name}", Tag: tag, Summary: "Take an insight away",
		Permission: auth.InsightsWrite, Errors: gone,
	}, func(ctx context.Context, input *deleteInsightInput) (*struct{}, error) {
		return nil, in.Remove(ctx, input.ID, input.Name)
	})
}

func (in *Insights) put(ctx context.Context, input *putInsightInput) (*insightAnswer, error) {
	b := input.Body
	i := Insight{
		Customer: input.ID, Name: input.Name, Kind: b.Kind, Text: b.Text, Number: orZero(b.Number), Inputs: b.InputClasses,
		About: orZero(b.AboutCustomerID), ComputedAt: b.ComputedAt, ValidUntil: orZero(b.ValidUntil),
	}
	made, err := in.Put(ctx, i, b.Number != nil)
	if err != nil {
		return nil, err
	}
	return &insightAnswer{show(made)}, nil
}

func (in *Insights) list(ctx context.Context, input *seeInsightsInput) (*insightsAnswer, error) {
	s, err := input.Sight(ctx)
	if err != nil {
		return nil, err
	}
	seen, err := in.Seen(ctx, s, input.ID, "")
	if err != nil {
		return nil, err
	}
	body := insightList{Items: make([]insightView, len(seen)), Withheld: s.Withheld()}
	for n, i := range seen {
		body.Items[n] = show(i)
	}
	return &insightsAnswer{body}, nil
}

func (in *Insights) get(ctx context.Context, input *seeInsightInput) (*insightAnswer, error) {
	s, err := input.Sight(ctx)
	if err != nil {
		return nil, err
	}
	seen, err := in.Seen(ctx, s, input.ID, input.Name)
	if err != nil {
		return nil, err
	}
	if len(seen) == 0 {
		return nil, errNotFound
	}
	return &insightAnswer{show(seen[0])}, nil
}
