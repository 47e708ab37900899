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
	"github.com/guanxi-crm/guanxi/services/accounts/internal/access"
)

type timelineInput struct {
	ID        uuid.UUID `path:"customer_id" format:"uuid"`
	Service   string    `query:"service" doc:"Only this service's entries." example:"sales" maxLength:"64"`
	Aggregate string    `query:"aggregate" doc:"Only what is about one of these." example:"order" maxLength:"64"`
	Titles    []string  `query:"title,explode" doc:"Only entries of this title; may come more than once." maxItems:"50"`
	Since     time.Time `query:"since" doc:"Only what happened then or later."`
	Until     time.Time `query:"until" doc:"Only what happened before then."`
	Purpose   string    `query:"purpose" maxLength:"64" doc:"What you look for; without one, the usual one of your role. It must need to know what customers do." example:"service"`
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
	TraceID     string                     `json:"trace_id,omitempty" doc:"Finds in traces and logs what made the event; absent where no trace of it was recorded." example:"0af7651916cd43dd8448eb211c80319c"`
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
			"timeline before being registered here. After a merge it is one for all ids that mean the customer; when the merge is undone " +
			"each has its own again.",
		Permission: auth.CustomersRead, Errors: []int{http.StatusNotFound, http.StatusGone},
	}, t.get)
}

func (t *Timelines) get(ctx context.Context, in *timelineInput) (*timelineAnswer, error) {
	if err := in.mayLook(ctx); err != nil {
		return nil, err
	}
	filter, err := t.filter(in)
	if err != nil {
		return nil, err
	}
	before, err := placeOf(in.Cursor)
	if err != nil {
		return nil, err
	}
	v, err := t.Read(ctx, in.ID, filter, before, in.Limit+1)
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

// mayLook refuses a caller whose purpose does not need to know what customers do.
func (in *timelineInput) mayLook(ctx context.Context) error {
	s, err := access.For(ctx, in.Purpose)
	if err != nil {
		return err
	}
	if class, known := access.OfField("timeline"); !known || !s.May(class) {
		return problem.New(problem.Forbidden, "timeline_withheld", "This purpose does not need to know what the customer did.")
	}
	return nil
}

// filter gives what the caller wants kept, or says what cannot be.
func (t *Timelines) filter(in *timelineInput) (Filter, error) {
	if in.Service != "" && !slices.Contains(t.services, in.Service) {
		return Filter{}, problem.New(problem.Unprocessable, "service_unknown", "No service of this name has events on a timeline.").
			WithField("query.service", "service_unknown", "is not one of "+strings.Join(t.services, ", "))
	}
	if in.Aggregate != "" && !slices.Contains(t.aggregates, in.Aggregate) {
		return Filter{}, problem.New(problem.Unprocessable, "aggregate_unknown", "Nothing on a timeline is about such a thing.").
			WithField("query.aggregate", "aggregate_unknown", "is not one of "+strings.Join(t.aggregates, ", "))
	}
	for _, title := range in.Titles {
		if !slices.Contains(t.titles, title) {
			return Filter{}, problem.New(problem.Unprocessable, "title_unknown", "No entry on a timeline has this title.").
				WithField("query.title", "title_unknown", "is not one of "+strings.Join(t.titles, ", "))
		}
	}
	if !in.Since.IsZero() && !in.Until.IsZero() && !in.Since.Before(in.Until) {
		return Filter{}, problem.New(problem.Unprocessable, "time_span_empty", "Nothing happened in no time.").
			WithField("query.until", "time_span_empty", "must be later than since")
	}
	return Filter{Service: in.Service, Aggregate: in.Aggregate, Titles: in.Titles, Since: in.Since, Until: in.Until}, nil
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
