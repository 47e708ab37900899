package tag

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
	"github.com/guanxi-crm/guanxi/services/analytics/internal/run"
)

type tagBand struct {
	Code    string   `json:"code" doc:"the value is named <tag>_<band>" example:"high"`
	Name    string   `json:"name,omitempty"`
	AtLeast *float64 `json:"at_least,omitempty" doc:"of numbers and amounts (minor units); left out: from the lowest on"`
	Below   *float64 `json:"below,omitempty" doc:"left out: up to the highest"`
	OneOf   []string `json:"one_of,omitempty" nullable:"false" maxItems:"100" doc:"of texts"`
}

// TagChange is what can be changed of a tag, as it is sent.
type TagChange struct {
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	Parent      string          `json:"parent,omitempty" doc:"code of a group; left out: the top"`
	Owner       string          `json:"owner,omitempty" doc:"the team or subject that answers for it; of groups it may be left out"`
	Field       string          `json:"field,omitempty" doc:"of fact and model: a field of portraits" example:"net_minor"`
	Bands       []tagBand       `json:"bands,omitempty" nullable:"false" maxItems:"20" doc:"of fact and model: rising, and apart"`
	Filter      json.RawMessage `json:"filter,omitempty" doc:"of rule: a tree, as segments have it, without segments and tags"`
	FilterText  string          `json:"filter_text,omitempty" maxLength:"32768" doc:"the same as text" example:"orders >= 2 and recency_days > 90"`
	ValidDays   int             `json:"valid_days,omitempty" minimum:"0" maximum:"3650" doc:"for how many days a customer keeps it once it holds no longer; 0: it goes at once"`
}

type tagBody struct {
	Code string `json:"code" doc:"stays for ever" example:"value"`
	Kind string `json:"kind" enum:"group,fact,rule,model" doc:"stays for ever"`
	TagChange
}

// definition reads what was sent.
func (c TagChange) definition(code, kind string) (Definition, error) {
	d := Definition{
		Code: code, Kind: kind, Parent: c.Parent, Name: c.Name, Description: c.Description, Owner: c.Owner, Field: c.Field, ValidDays: c.ValidDays,
	}
	for _, b := range c.Bands {
		d.Bands = append(d.Bands, Band(b))
	}
	var faults []problem.Field
	read := func(n filter.Node, found []problem.Field) { d.Filter, faults = &n, found }
	switch {
	case len(c.Filter) > 0 && c.FilterText != "":
		faults = []problem.Field{{Location: "filter", Code: "ambiguous", Message: "goes without filter_text: say it in one way"}}
	case len(c.Filter) > 0:
		read(filter.Decode(c.Filter, "filter"))
	case c.FilterText != "":
		read(filter.Parse(c.FilterText, "filter_text"))
	}
	return d, refuse(faults)
}

type tagValueView struct {
	Value     string  `json:"value" doc:"as it stands in the tags of portraits"`
	Band      string  `json:"band,omitempty"`
	Name      string  `json:"name,omitempty"`
	Customers int64   `json:"customers"`
	Share     float64 `json:"share" doc:"of all customers, 0 to 1"`
}

type tagCoverage struct {
	Customers  int64      `json:"customers" doc:"that have the tag"`
	Of         int64      `json:"of" doc:"customers there were"`
	Share      float64    `json:"share" doc:"0 to 1"`
	ReckonedAt *time.Time `json:"reckoned_at,omitempty" doc:"by the last run; absent: none since the tag is there"`
}

type tagView struct {
	Code        string          `json:"code"`
	Kind        string          `json:"kind" enum:"group,fact,rule,model"`
	Path        []string        `json:"path" nullable:"false" doc:"codes of the groups above, from the top on"`
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	Parent      string          `json:"parent,omitempty"`
	Owner       string          `json:"owner,omitempty"`
	Field       string          `json:"field,omitempty"`
	Bands       []tagBand       `json:"bands,omitempty" nullable:"false"`
	Filter      json.RawMessage `json:"filter,omitempty"`
	FilterText  string          `json:"filter_text,omitempty"`
	ValidDays   int             `json:"valid_days"`
	Archived    bool            `json:"archived"`
	Version     int64           `json:"version"`
	Values      []tagValueView  `json:"values,omitempty" nullable:"false"`
	Coverage    *tagCoverage    `json:"coverage,omitempty" doc:"absent of groups"`
	CreatedAt   time.Time       `json:"created_at"`
	UpdatedAt   time.Time       `json:"updated_at"`
	UpdatedBy   string          `json:"updated_by"`
}

func share(n, of int64) float64 {
	if of == 0 {
		return 0
	}
	return float64(n) / float64(of)
}

func toView(s Shown) tagView {
	v := tagView{
		Code: s.Code, Kind: s.Kind, Path: append([]string{}, s.Path...), Name: s.Name, Description: s.Description, Parent: s.Parent, Owner: s.Owner,
		Field: s.Field, ValidDays: s.ValidDays, Archived: s.Archived, Version: s.Version, CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt, UpdatedBy: s.UpdatedBy,
	}
	for _, b := range s.Bands {
		v.Bands = append(v.Bands, tagBand(b))
	}
	if s.Filter != nil {
		v.Filter, _ = json.Marshal(s.Filter) // written from what was read
		v.FilterText = s.Filter.String()
	}
	if s.Kind == Group {
		return v
	}
	v.Coverage = &tagCoverage{Of: s.Of, ReckonedAt: pg.OrNull(s.ReckonedAt)}
	for _, value := range s.Values() {
		n := s.Holders[value.Code]
		v.Coverage.Customers += n
		v.Values = append(v.Values, tagValueView{value.Code, value.Band, value.Name, n, share(n, s.Of)})
	}
	v.Coverage.Share = share(v.Coverage.Customers, s.Of)
	return v
}

type tagAnswer struct {
	ETag string `header:"ETag"`
	Body tagView
}

func answer(s Shown, err error) (*tagAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &tagAnswer{httpx.ETag(s.Version), toView(s)}, nil
}

// TagPath names a tag.
type TagPath struct {
	Code string `path:"code" maxLength:"40"`
}

type tagGetInput struct {
	TagPath
	Version int64 `query:"version" minimum:"0" maximum:"2147483647" doc:"an earlier version; 0 or left out: the present one"`
}

type tagCreateInput struct{ Body tagBody }

type tagChangeInput struct {
	TagPath
	IfMatch string `header:"If-Match" doc:"the ETag of the tag as it was read"`
	Body    TagChange
}

type tagArchiveInput struct {
	TagPath
	IfMatch string `header:"If-Match" doc:"the ETag of the tag as it was read"`
}

type tagListInput struct {
	httpx.Page
	Archived bool `query:"archived" doc:"with those that are archived"`
}

type tagListAnswer struct {
	Body struct {
		Items      []tagView `json:"items" nullable:"false"`
		NextCursor string    `json:"next_cursor,omitempty"`
	}
}

type tagCustomersInput struct {
	TagPath
	httpx.Page
	Band string `query:"band" maxLength:"20" doc:"left out: all bands"`
}

type tagCustomerView struct {
	CustomerID uuid.UUID `json:"customer_id" format:"uuid"`
	Value      string    `json:"value"`
	Since      time.Time `json:"since"`
	Until      string    `json:"until,omitempty" format:"date" doc:"the last day in UTC; absent while its definition holds"`
}

func toHolder(h Holding) tagCustomerView {
	return tagCustomerView{h.CustomerID, h.Value, h.Since.UTC(), until(h)}
}

func until(h Holding) string {
	if h.Until == nil {
		return ""
	}
	return h.Until.Format(time.DateOnly)
}

type tagCustomersAnswer struct {
	Body struct {
		Items      []tagCustomerView `json:"items" nullable:"false"`
		NextCursor string            `json:"next_cursor,omitempty"`
	}
}

type tagCustomerPath struct {
	ID uuid.UUID `path:"id" format:"uuid"`
}

type tagHeldView struct {
	Tag      string    `json:"tag"`
	Name     string    `json:"name"`
	Kind     string    `json:"kind" enum:"fact,rule,model"`
	Owner    string    `json:"owner"`
	Value    string    `json:"value"`
	Band     string    `json:"band,omitempty"`
	BandName string    `json:"band_name,omitempty"`
	Since    time.Time `json:"since"`
	Until    string    `json:"until,omitempty" format:"date" doc:"the last day in UTC; absent while its definition holds"`
}

type tagBranchView struct {
	Path []string      `json:"path" nullable:"false" doc:"codes of the groups, from the top on; empty at the top"`
	Name string        `json:"name,omitempty" doc:"of the group"`
	Tags []tagHeldView `json:"tags" nullable:"false"`
}

type tagsOfAnswer struct {
	Body struct {
		CustomerID uuid.UUID       `json:"customer_id" format:"uuid" doc:"whom the id means, after merges"`
		Groups     []tagBranchView `json:"groups" nullable:"false" doc:"in the order of the tree; those of which the customer has nothing are left out"`
	}
}

type tagRunPath struct {
	ID uuid.UUID `path:"run_id" format:"uuid"`
}

type tagRunAnswer struct {
	Status int
	Body   tagRunView
}

type tagRunView struct {
	run.View
	Customers int64 `json:"customers" doc:"looked at so far"`
	Changed   int64 `json:"changed" doc:"portraits whose tags were"`
}

func showRun(status int, p Progress, err error) (*tagRunAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &tagRunAnswer{status, tagRunView{run.Show(p.Run), p.Customers, p.Changed}}, nil
}

func operation(id, method, path, summary string, errors ...int) httpx.Operation {
	o := httpx.Operation{ID: id, Method: method, Path: path, Summary: summary, Tag: "tags", Permission: auth.AnalyticsManage, Errors: errors}
	if method == http.MethodGet {
		o.Permission = auth.AnalyticsRead
	}
	return o
}

// Routes adds the operations on tags.
func (t *Tags) Routes(api *httpx.API) {
	const one = "/v1/tags/{code}"
	create := operation("create-tag", http.MethodPost, "/v1/tags", "Define a tag, or a group of tags", http.StatusConflict)
	create.Status = http.StatusCreated
	httpx.Register(api, create, func(ctx context.Context, in *tagCreateInput) (*tagAnswer, error) {
		d, err := in.Body.definition(in.Body.Code, in.Body.Kind)
		if err != nil {
			return nil, err
		}
		return answer(t.Create(ctx, d))
	})
	httpx.Register(api, operation("change-tag", http.MethodPut, one, "Define a tag anew, or move it", http.StatusNotFound, http.StatusConflict),
		func(ctx context.Context, in *tagChangeInput) (*tagAnswer, error) {
			d, err := in.Body.definition(in.Code, "")
			if err != nil {
				return nil, err
			}
			return answer(t.Change(ctx, in.Code, in.IfMatch, d))
		})
	archive := operation("archive-tag", http.MethodPost, one+"/archive", "Take a tag from all who have it, for good", http.StatusNotFound, http.StatusConflict)
	archive.Status = http.StatusOK
	httpx.Register(api, archive, func(ctx context.Context, in *tagArchiveInput) (*tagAnswer, error) {
		return answer(t.Archive(ctx, in.Code, in.IfMatch))
	})
	httpx.Register(api, operation("get-tag", http.MethodGet, one, "Read a tag, and how many have it", http.StatusNotFound),
		func(ctx context.Context, in *tagGetInput) (*tagAnswer, error) {
			return answer(t.Get(ctx, in.Code, in.Version))
		})
	httpx.Register(api, operation("list-tags", http.MethodGet, "/v1/tags", "List tags and groups by code"),
		func(ctx context.Context, in *tagListInput) (*tagListAnswer, error) {
			var out tagListAnswer
			var err error
			out.Body.Items, out.Body.NextCursor, err = httpx.PageByText(in.Page,
				func(after string, limit int) ([]Shown, error) { return t.List(ctx, in.Archived, after, limit) }, func(s Shown) string { return s.Code }, toView)
			return &out, err
		})
	t.customerRoutes(api)
	t.runRoutes(api)
}

func (t *Tags) customerRoutes(api *httpx.API) {
	httpx.Register(api, operation("list-tag-customers", http.MethodGet, "/v1/tags/{code}/customers", "List who has a tag", http.StatusNotFound),
		func(ctx context.Context, in *tagCustomersInput) (*tagCustomersAnswer, error) {
			var out tagCustomersAnswer
			var err error
			out.Body.Items, out.Body.NextCursor, err = httpx.PageByID(in.Page,
				func(after uuid.UUID, limit int) ([]Holding, error) {
					return t.Customers(ctx, in.Code, in.Band, after, limit)
				},
				func(h Holding) uuid.UUID { return h.CustomerID }, toHolder)
			return &out, err
		})
	httpx.Register(api, operation("get-customer-tags", http.MethodGet, "/v1/analytics/customers/{id}/tags", "Read a customer's tags by the tree",
		http.StatusNotFound, http.StatusGone),
		func(ctx context.Context, in *tagCustomerPath) (*tagsOfAnswer, error) {
			customer, branches, err := t.Of(ctx, in.ID)
			if err != nil {
				return nil, err
			}
			var out tagsOfAnswer
			out.Body.CustomerID, out.Body.Groups = customer, make([]tagBranchView, len(branches))
			for i, b := range branches {
				view := tagBranchView{Path: append([]string{}, b.Path...), Name: b.Name, Tags: make([]tagHeldView, len(b.Tags))}
				for j, h := range b.Tags {
					view.Tags[j] = tagHeldView{h.Tag.Code, h.Tag.Name, h.Tag.Kind, h.Tag.Owner, h.Value.Code, h.Value.Band, h.Value.Name, h.Since.UTC(), until(h.Holding)}
				}
				out.Body.Groups[i] = view
			}
			return &out, nil
		})
}

func (t *Tags) runRoutes(api *httpx.API) {
	start := operation("start-tag-run", http.MethodPost, "/v1/tags/runs", "Have everybody tagged anew behind the scenes", http.StatusConflict)
	start.Description = "The answer is 202 and says where to look. Everybody is looked at once a day, when a definition changes, and after runs that score, besides."
	start.Status = http.StatusAccepted
	httpx.Register(api, start, func(ctx context.Context, _ *struct{}) (*tagRunAnswer, error) {
		p, err := t.Ask(ctx)
		return showRun(http.StatusAccepted, p, err)
	})
	httpx.Register(api, operation("get-tag-run", http.MethodGet, "/v1/analytics/tags/runs/{run_id}", "Read how far a run is", http.StatusNotFound),
		func(ctx context.Context, in *tagRunPath) (*tagRunAnswer, error) {
			p, err := t.Run(ctx, in.ID)
			return showRun(http.StatusOK, p, err)
		})
}
