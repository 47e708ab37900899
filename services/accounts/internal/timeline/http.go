package timeline

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

type timelineInput struct {
	ID      uuid.UUID `path:"customer_id" format:"uuid"`
	Service string    `query:"service" doc:"Only this service's entries." example:"sales" maxLength:"64"`
	httpx.Page
}

type timelineAnswer struct{ Body timelinePage }

type timelinePage struct {
	Items      []timelineEntry `json:"items" nullable:"false" doc:"The latest first."`
	NextCursor string          `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
	Facts      []timelineFact  `json:"facts" nullable:"false" doc:"Of the customer as a whole, whatever the page; by name and unit."`
	AsOf       []timelineAsOf  `json:"as_of" nullable:"false" doc:"How fresh all of this is, by service."`
}

type timelineEntry struct {
	EventID     uuid.UUID                  `json:"event_id" format:"uuid"`
	At          time.Time                  `json:"at" doc:"When it happened, which may be long before it was heard of."`
	Service     string                     `json:"service" example:"sales"`
	Title       string                     `json:"title" doc:"A code, unique within the service." example:"order_placed"`
	Aggregate   string                     `json:"aggregate" doc:"What it is about." example:"order"`
	AggregateID string                     `json:"aggregate_id"`
	Details     map[string]json.RawMessage `json:"details" doc:"The fields that the event shows: texts, whole numbers and truths. An empty text is left out."`
}

type timelineFact struct {
	Name  string `json:"name" example:"revenue_minor"`
	Unit  string `json:"unit,omitempty" doc:"What the value is counted in; absent where there is only one such thing." example:"CNY"`
	Value int64  `json:"value"`
}

type timelineAsOf struct {
	Service string    `json:"service"`
	At      time.Time `json:"at" doc:"Time of the newest event of the service that was placed on the tenant's timelines."`
}

// Routes adds the reading of a timeline.
func (t *Timelines) Routes(api *httpx.API) {
	httpx.Register(api, httpx.Operation{
		ID: "get-customer-timeline", Method: http.MethodGet, Path: "/v1/customers/{customer_id}/timeline", Tag: "Customers",
		Summary: "What happened with a customer, in all services, and the facts that follow",
		Description: "It is made of the services' events and follows them within moments; as_of says how far. A customer may have a " +
			"timeline before being registered here.",
		Permission: auth.CustomersRead, Errors: []int{http.StatusNotFound},
	}, t.get)
}

func (t *Timelines) get(ctx context.Context, in *timelineInput) (*timelineAnswer, error) {
	if in.Service != "" && !slices.Contains(t.services, in.Service) {
		return nil, problem.New(problem.Unprocessable, "service_unknown", "No service of this name has events on a timeline.").
			WithField("query.service", "service_unknown", "is not one of "+strings.Join(t.services, ", "))
	}
	before, err := placeOf(in.Cursor)
	if err != nil {
		return nil, err
	}
	v, err := t.Read(ctx, in.ID, in.Service, before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	page, next := httpx.NextPage(v.Entries, in.Limit, func(last Entry) []string {
		return []string{last.At.UTC().Format(time.RFC3339Nano), last.EventID.String()}
	})
	body := timelinePage{
		Items: make([]timelineEntry, len(page)), NextCursor: next,
		Facts: make([]timelineFact, len(v.Facts)), AsOf: make([]timelineAsOf, len(v.AsOf)),
	}
	for i, e := range page {
		e.At = e.At.UTC()
		body.Items[i] = timelineEntry(e)
	}
	for i, f := range v.Facts {
		body.Facts[i] = timelineFact(f)
	}
	for i, a := range v.AsOf {
		body.AsOf[i] = timelineAsOf{Service: a.Service, At: a.At.UTC()}
	}
	return &timelineAnswer{body}, nil
}

// placeOf gives the place before which a page begins; the end of the timeline without a cursor.
func placeOf(cursor string) (place, error) {
	parts, err := httpx.DecodeCursor(cursor, 2)
	if err != nil {
		return place{}, err
	}
	if parts == nil {
		return theEnd, nil
	}
	at, err := time.Parse(time.RFC3339Nano, parts[0])
	if err != nil {
		return place{}, httpx.CursorInvalid()
	}
	event, err := uuid.Parse(parts[1])
	if err != nil {
		return place{}, httpx.CursorInvalid()
	}
	return place{at, event}, nil
}
