package segment

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/filter"
)

// SegmentChoice says who is chosen, in one of three ways.
type SegmentChoice struct {
	Filter     json.RawMessage  `json:"filter,omitempty" doc:"A tree: all, any, not, or field with op and value or values; or op in_segment with segment."`
	FilterText string           `json:"filter_text,omitempty" maxLength:"32768" doc:"The same as text." example:"net_minor >= 100000 and last_purchase_on within 90 days"`
	Combine    *segmentCombined `json:"combine,omitempty" doc:"A set operation on other segments."`
}

type segmentCombined struct {
	Op       string   `json:"op" enum:"union,intersection,difference" doc:"difference: the first one without the others"`
	Segments []string `json:"segments" minItems:"2" maxItems:"50" nullable:"false" doc:"Codes."`
}

// read gives the filter; nil where none was sent.
func (c SegmentChoice) read() (*filter.Node, error) {
	var (
		n      filter.Node
		faults []problem.Field
		ways   int
	)
	if len(c.Filter) > 0 {
		ways++
		n, faults = filter.Decode(c.Filter, "filter")
	}
	if c.FilterText != "" {
		ways++
		n, faults = filter.Parse(c.FilterText, "filter_text")
	}
	if c.Combine != nil {
		ways++
		n = Combine(c.Combine.Op, c.Combine.Segments)
		faults = filter.Check(n, "combine")
	}
	if ways > 1 {
		faults = []problem.Field{{Location: "filter", Code: "ambiguous", Message: "goes without filter_text and combine: say it in one way"}}
	}
	if len(faults) > 0 {
		return nil, problem.InvalidBody("filter_invalid", "The filter was not accepted: mend what is named here.", faults)
	}
	if ways == 0 {
		return nil, nil //nolint:nilnil // none was sent
	}
	return &n, nil
}

type segmentBody struct {
	Code        string `json:"code" doc:"Stays for ever." example:"big_spenders"`
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	Owner       string `json:"owner,omitempty" doc:"A team or a subject."`
	Kind        string `json:"kind" enum:"live,static"`
	SegmentChoice
}

type segmentChange struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	Owner       string `json:"owner,omitempty"`
	SegmentChoice
}

type segmentRunView struct {
	State      string     `json:"state" enum:"queued,running,done,superseded"`
	Cause      string     `json:"cause"`
	Customers  int64      `json:"customers" doc:"Looked at so far."`
	Entered    int64      `json:"entered"`
	Left       int64      `json:"left"`
	AskedAt    time.Time  `json:"asked_at"`
	FinishedAt *time.Time `json:"finished_at,omitempty"`
}

type segmentView struct {
	ID          uuid.UUID       `json:"id" format:"uuid"`
	Code        string          `json:"code"`
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Owner       string          `json:"owner"`
	Kind        string          `json:"kind" enum:"live,static"`
	State       string          `json:"state" enum:"active,retired"`
	Version     int64           `json:"version"`
	Filter      json.RawMessage `json:"filter,omitempty"`
	FilterText  string          `json:"filter_text,omitempty"`
	Members     int64           `json:"members"`
	Run         *segmentRunView `json:"run,omitempty" doc:"The newest judgement of all customers."`
	CreatedAt   time.Time       `json:"created_at"`
	UpdatedAt   time.Time       `json:"updated_at"`
	UpdatedBy   string          `json:"updated_by"`
}

func show(s Segment) segmentView {
	v := segmentView{
		ID: s.ID, Code: s.Code, Name: s.Name, Description: s.Description, Owner: s.Owner, Kind: s.Kind, State: s.State, Version: s.Version,
		Members: s.Members, CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt, UpdatedBy: s.UpdatedBy,
	}
	if s.Filter != nil {
		v.Filter, _ = json.Marshal(s.Filter) // written from what was read
		v.FilterText = s.Filter.String()
	}
	if r := s.Run; r != nil {
		v.Run = &segmentRunView{r.State, r.Cause, r.Customers, r.Entered, r.Left, r.AskedAt, pg.OrNull(r.FinishedAt)}
	}
	return v
}

type segmentAnswer struct {
	ETag string `header:"ETag"`
	Body segmentView
}

func answer(s Segment, err error) (*segmentAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &segmentAnswer{httpx.ETag(s.Version), show(s)}, nil
}

// SegmentPath names a segment.
type SegmentPath struct {
	ID uuid.UUID `path:"segment_id" format:"uuid"`
}

type segmentCreateInput struct{ Body segmentBody }

type segmentChangeInput struct {
	SegmentPath
	IfMatch string `header:"If-Match"`
	Body    segmentChange
}

type segmentRetireInput struct {
	SegmentPath
	IfMatch string `header:"If-Match"`
}

type segmentPreviewInput struct{ Body SegmentChoice }

type segmentPreviewAnswer struct {
	Body struct {
		Count      int64           `json:"count"`
		Customers  int64           `json:"customers" doc:"All there are."`
		Sample     []uuid.UUID     `json:"sample" nullable:"false" doc:"Some of those who are chosen, at most 10."`
		Filter     json.RawMessage `json:"filter"`
		FilterText string          `json:"filter_text"`
	}
}

type segmentListAnswer struct {
	Body struct {
		Items      []segmentView `json:"items" nullable:"false"`
		NextCursor string        `json:"next_cursor,omitempty"`
	}
}

type segmentMembersInput struct {
	SegmentPath
	httpx.Page
}

type segmentListInput struct {
	SegmentPath
	Body struct {
		Add    []uuid.UUID `json:"add,omitempty" maxItems:"10000" nullable:"false"`
		Remove []uuid.UUID `json:"remove,omitempty" maxItems:"10000" nullable:"false"`
	}
}

type segmentListedAnswer struct {
	Body struct {
		Added   int64       `json:"added"`
		Removed int64       `json:"removed"`
		Unknown []uuid.UUID `json:"unknown" nullable:"false" doc:"Of whom nothing is known: they were not added."`
	}
}

type customerSegmentsInput struct {
	ID uuid.UUID `path:"id" format:"uuid"`
}

type customerSegmentsAnswer struct {
	Body struct {
		Items []Belonging `json:"items" nullable:"false"`
	}
}

type segmentHistoryInput struct {
	SegmentPath
	Before string `query:"before" format:"date" doc:"Only days before this one."`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

type segmentFlowView struct {
	Day     string `json:"day" format:"date" doc:"UTC."`
	Entered int64  `json:"entered"`
	Left    int64  `json:"left"`
	Members int64  `json:"members" doc:"At its end."`
}

type segmentHistoryAnswer struct {
	Body struct {
		Items []segmentFlowView `json:"items" nullable:"false" doc:"Days on which somebody came or went, the newest first."`
	}
}

type segmentMemberView struct {
	CustomerID uuid.UUID `json:"customer_id" format:"uuid"`
	Since      time.Time `json:"since"`
}

type segmentMembersAnswer struct {
	Body struct {
		Items      []segmentMemberView `json:"items" nullable:"false"`
		NextCursor string              `json:"next_cursor,omitempty"`
	}
}

func operation(id, method, path, summary string, errors ...int) httpx.Operation {
	o := httpx.Operation{ID: id, Method: method, Path: path, Summary: summary, Tag: "segments", Permission: auth.AnalyticsManage, Errors: errors}
	if method == http.MethodGet {
		o.Permission = auth.AnalyticsRead
	}
	return o
}

// Routes adds the operations on segments.
func (s *Segments) Routes(api *httpx.API) {
	const one = "/v1/segments/{segment_id}"
	create := operation("create-segment", http.MethodPost, "/v1/segments", "Define a segment", http.StatusConflict)
	create.Status = http.StatusCreated
	httpx.Register(api, create, func(ctx context.Context, in *segmentCreateInput) (*segmentAnswer, error) {
		n, err := in.Body.read()
		if err != nil {
			return nil, err
		}
		b := in.Body
		return answer(s.Create(ctx, Definition{b.Code, b.Name, b.Description, b.Owner, b.Kind, n}))
	})
	preview := operation("preview-segment", http.MethodPost, "/v1/segments/preview", "Count whom a filter chooses")
	preview.Permission, preview.Status = auth.AnalyticsRead, http.StatusOK
	httpx.Register(api, preview, s.previewHTTP)
	httpx.Register(api, operation("list-segments", http.MethodGet, "/v1/segments", "List segments by code"),
		func(ctx context.Context, in *httpx.Page) (*segmentListAnswer, error) {
			var out segmentListAnswer
			var err error
			out.Body.Items, out.Body.NextCursor, err = httpx.PageByText(*in, func(after string, limit int) ([]Segment, error) { return s.List(ctx, after, limit) },
				func(s Segment) string { return s.Code }, show)
			return &out, err
		})
	httpx.Register(api, operation("get-segment", http.MethodGet, one, "Read a segment", http.StatusNotFound),
		func(ctx context.Context, in *SegmentPath) (*segmentAnswer, error) { return answer(s.Get(ctx, in.ID)) })
	httpx.Register(api, operation("change-segment", http.MethodPut, one, "Define a segment anew", http.StatusNotFound, http.StatusConflict),
		func(ctx context.Context, in *segmentChangeInput) (*segmentAnswer, error) {
			n, err := in.Body.read()
			if err != nil {
				return nil, err
			}
			return answer(s.Change(ctx, in.ID, in.IfMatch, Definition{Name: in.Body.Name, Description: in.Body.Description, Owner: in.Body.Owner, Filter: n}))
		})
	retire := operation("retire-segment", http.MethodPost, one+"/retire", "End a segment", http.StatusNotFound, http.StatusConflict)
	retire.Status = http.StatusOK
	httpx.Register(api, retire, func(ctx context.Context, in *segmentRetireInput) (*segmentAnswer, error) {
		return answer(s.Retire(ctx, in.ID, in.IfMatch))
	})
	httpx.Register(api, operation("list-segment-members", http.MethodGet, one+"/members", "List who is in a segment", http.StatusNotFound),
		func(ctx context.Context, in *segmentMembersInput) (*segmentMembersAnswer, error) {
			var out segmentMembersAnswer
			var err error
			out.Body.Items, out.Body.NextCursor, err = httpx.PageByID(in.Page,
				func(after uuid.UUID, limit int) ([]Member, error) { return s.Members(ctx, in.ID, after, limit) },
				func(m Member) uuid.UUID { return m.CustomerID }, func(m Member) segmentMemberView { return segmentMemberView(m) })
			return &out, err
		})
	s.listRoutes(api, one)
}

// listRoutes adds what is done with lists, and what is read of who came and went.
func (s *Segments) listRoutes(api *httpx.API, one string) {
	list := operation("list-customers-by-hand", http.MethodPost, one+"/members", "Put customers on a list by hand, and take others off it", http.StatusNotFound, http.StatusConflict)
	list.Status = http.StatusOK
	httpx.Register(api, list, func(ctx context.Context, in *segmentListInput) (*segmentListedAnswer, error) {
		l, err := s.ListByHand(ctx, in.ID, in.Body.Add, in.Body.Remove)
		if err != nil {
			return nil, err
		}
		var out segmentListedAnswer
		out.Body.Added, out.Body.Removed, out.Body.Unknown = l.Added, l.Removed, append([]uuid.UUID{}, l.Unknown...)
		return &out, nil
	})
	httpx.Register(api, operation("list-segments-of-customer", http.MethodGet, "/v1/analytics/customers/{id}/segments", "List the segments that a customer is in", http.StatusNotFound),
		func(ctx context.Context, in *customerSegmentsInput) (*customerSegmentsAnswer, error) {
			all, err := s.Of(ctx, in.ID)
			var out customerSegmentsAnswer
			out.Body.Items = append([]Belonging{}, all...)
			return &out, err
		})
	httpx.Register(api, operation("get-segment-history", http.MethodGet, one+"/history", "Read who came and who went, by day", http.StatusNotFound),
		func(ctx context.Context, in *segmentHistoryInput) (*segmentHistoryAnswer, error) {
			before := s.today().AddDate(0, 0, 1)
			if in.Before != "" {
				day, err := time.Parse(time.DateOnly, in.Before)
				if err != nil {
					return nil, problem.New(problem.Unprocessable, "invalid", "Mend the query.").WithField("query.before", "date", "is not a day of the form 2006-01-02")
				}
				before = day
			}
			all, err := s.History(ctx, in.ID, before, in.Limit)
			var out segmentHistoryAnswer
			out.Body.Items = make([]segmentFlowView, len(all))
			for i, f := range all {
				out.Body.Items[i] = segmentFlowView{f.Day.Format(time.DateOnly), f.Entered, f.Left, f.Members}
			}
			return &out, err
		})
	export := operation("export-segment", http.MethodGet, one+"/export", "Write who is in as CSV", http.StatusNotFound)
	export.Produces = []string{"text/csv"}
	export.Parameters = []httpx.Parameter{{Name: "fields", Description: "Names of GET /v1/analytics/fields, separated by commas: columns beside customer_id and since."}}
	httpx.Stream(api, export, s.exportHTTP)
}

func (s *Segments) previewHTTP(ctx context.Context, in *segmentPreviewInput) (*segmentPreviewAnswer, error) {
	n, err := in.Body.read()
	if err != nil {
		return nil, err
	}
	if n == nil {
		return nil, problem.InvalidBody("filter_invalid", "Say whom to count.", []problem.Field{{Location: "filter", Code: "required", Message: "is needed, or filter_text, or combine"}})
	}
	p, err := s.Preview(ctx, *n)
	if err != nil {
		return nil, err
	}
	var out segmentPreviewAnswer
	out.Body.Count, out.Body.Customers, out.Body.Sample = p.Count, p.Customers, append([]uuid.UUID{}, p.Sample...)
	out.Body.Filter, _ = json.Marshal(n) // written from what was read
	out.Body.FilterText = n.String()
	return &out, nil
}
