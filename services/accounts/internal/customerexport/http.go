package customerexport

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/access"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customer"
)

// exportView is an export as the API shows it.
type exportView struct {
	ID              uuid.UUID      `json:"id" format:"uuid"`
	State           State          `json:"state" enum:"accepted,running,finished,cancelled,failed,expired,withdrawn" doc:"withdrawn: the file was deleted since somebody in it was erased. Ask for a new one."`
	Format          Format         `json:"format" enum:"csv,jsonl"`
	Columns         []string       `json:"columns" nullable:"false" doc:"Of the file, in their order."`
	Classes         []access.Class `json:"classes" nullable:"false" doc:"The sensitive classes among the columns."`
	Filter          exportFilter   `json:"filter"`
	Rows            int64          `json:"rows" doc:"Customers in the file so far."`
	Bytes           int64          `json:"bytes" doc:"Size of the file so far."`
	Progress        float64        `json:"progress" doc:"Share of the customers who were looked at, from 0 to 1."`
	CancelRequested bool           `json:"cancel_requested"`
	Failure         string         `json:"failure,omitempty" doc:"Why it failed, as a code."`
	CreatedAt       time.Time      `json:"created_at"`
	FinishedAt      *time.Time     `json:"finished_at,omitempty" doc:"When it finished, was cancelled or failed."`
	ExpiresAt       *time.Time     `json:"expires_at,omitempty" doc:"When the file is deleted."`
}

// exportFilter says who is in the file.
type exportFilter struct {
	State           customer.State `json:"state,omitempty" enum:"active,archived" doc:"Without it, both."`
	Tag             string         `json:"tag,omitempty" maxLength:"64" doc:"Only customers with this tag." example:"vip"`
	Source          string         `json:"source,omitempty" maxLength:"64" doc:"Only customers whose registration came from there." example:"till"`
	RegisteredSince *time.Time     `json:"registered_since,omitempty" doc:"Only customers registered at this time or later."`
}

// newExport is what an export is ordered by.
type newExport struct {
	Format  Format       `json:"format,omitempty" enum:"csv,jsonl" default:"csv"`
	Columns []string     `json:"columns,omitempty" nullable:"false" maxItems:"500" doc:"Of the file: customer_id, kind, display_name, given_name, family_name, legal_name, source, owner, tags, addresses, state, stage, registered_at, changed_at, a type of identity, external:* for those of all other systems, custom:<name>, custom:* for all custom fields that you see. Without it, all that an import reads back." example:"[\"external:till\",\"display_name\",\"phone\"]"`
	Filter  exportFilter `json:"filter,omitempty"`
}

// portableCustomer is one customer's whole data.
type portableCustomer struct {
	Format     string            `json:"format" doc:"Names the form of this file." example:"guanxi-customer/1"`
	ExportedAt time.Time         `json:"exported_at"`
	CustomerID uuid.UUID         `json:"customer_id" format:"uuid"`
	Aliases    []uuid.UUID       `json:"aliases" nullable:"false" doc:"Other ids that mean the customer."`
	Sections   map[string]any    `json:"sections" doc:"What there is of the customer, by what it is."`
	Withheld   []access.Withheld `json:"withheld" nullable:"false" doc:"Classes of data that were left out, and why. It does not say whether there is any."`
}

type (
	startInput struct {
		access.Asked
		Body newExport
	}
	exportInput struct {
		ID uuid.UUID `path:"id" format:"uuid"`
	}
	portableInput struct {
		CustomerID uuid.UUID `path:"customer_id" format:"uuid"`
		access.Asked
	}
	exportAnswer struct {
		Location string `header:"Location"`
		Body     exportView
	}
	exportList struct{ httpx.Page }
	exportPage struct {
		Items      []exportView `json:"items" nullable:"false" doc:"The newest first."`
		NextCursor string       `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
	}
	exportListAnswer struct{ Body exportPage }
	portableAnswer   struct {
		Disposition string `header:"Content-Disposition"`
		Body        portableCustomer
	}
)

const path = "/v1/customers/exports"

func show(e Export) exportView {
	v := exportView{
		ID: e.ID, State: e.State, Format: e.Format, Columns: e.Columns, Classes: e.Classes, Rows: e.Rows, Bytes: e.Bytes,
		Progress: e.Progress(), CancelRequested: e.CancelRequested, Failure: e.Failure, CreatedAt: e.CreatedAt,
		Filter:     exportFilter{State: e.Filter.State, Tag: e.Filter.Tag, Source: e.Filter.Source, RegisteredSince: optional(e.Filter.RegisteredSince)},
		FinishedAt: optional(e.FinishedAt), ExpiresAt: optional(e.ExpiresAt()),
	}
	if v.Classes == nil {
		v.Classes = []access.Class{}
	}
	return v
}

// optional is nil for the zero time.
func optional(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	return &at
}

func answered(e Export, err error) (*exportAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &exportAnswer{Location: path + "/" + e.ID.String(), Body: show(e)}, nil
}

// Routes registers the operations.
func (e *Exports) Routes(api *httpx.API) {
	op := func(id, method, suffix, summary string) httpx.Operation {
		return httpx.Operation{ID: "customer-exports-" + id, Method: method, Path: path + suffix, Summary: summary, Tag: "customer exports",
			Permission: auth.CustomersExport}
	}
	start := op("start", http.MethodPost, "", "Write customers into a file")
	start.Description = `The answer comes at once; the file is written by a workflow that survives a crash of any part, and is kept for 7 days.
An import takes the file as it is. Customers who were merged are in it as one.

A cell that a spreadsheet would calculate (it begins with = + - @, and is no number) has an apostrophe before it, which
an import takes off again. Several values of a column stand one a line in a CSV cell, as an array in JSON Lines.`
	start.Status = http.StatusAccepted
	httpx.Register(api, start, e.start)
	httpx.Register(api, op("list", http.MethodGet, "", "List exports, the newest first"), e.list)
	httpx.Register(api, op("read", http.MethodGet, "/{id}", "Read how far an export is"),
		func(ctx context.Context, in *exportInput) (*exportAnswer, error) { return answered(e.Get(ctx, in.ID)) })
	cancel := op("cancel", http.MethodPost, "/{id}/cancel", "Cancel an export")
	cancel.Description = "What was written is deleted."
	cancel.Status, cancel.Errors = http.StatusAccepted, []int{http.StatusConflict}
	httpx.Register(api, cancel,
		func(ctx context.Context, in *exportInput) (*exportAnswer, error) {
			return answered(e.Cancel(ctx, in.ID))
		})
	file := op("file", http.MethodGet, "/{id}/file", "Fetch the file of a finished export")
	file.Description = "409 as long as it is written, 410 when it was deleted: after 7 days, or since somebody in it was erased. " +
		"Where it has columns of financial, health or special data, they have to be in your sight, as they were when it was ordered."
	file.Produces = []string{"text/csv", "application/jsonl"}
	file.Errors = []int{http.StatusConflict, http.StatusGone}
	file.Parameters = []httpx.Parameter{
		{Name: "purpose", Description: "What you fetch it for, where it has sensitive columns."},
		{Name: "reason", Description: "Why, as a code or an id, where it has sensitive columns. It is logged."},
	}
	httpx.Stream(api, file, e.file)
	httpx.Register(api, httpx.Operation{
		ID: "customers-export", Method: http.MethodGet, Path: "/v1/customers/{customer_id}/export", Tag: "customer exports",
		Permission: auth.CustomersExport, Summary: "Export everything that is known of a customer",
		Description: "One JSON document for the customer to take along. Financial, health and special data are in it where purpose, reason and role allow it; that is logged.",
		Errors:      []int{http.StatusGone},
	}, e.portable)
}

func (e *Exports) start(ctx context.Context, in *startInput) (*exportAnswer, error) {
	sight, err := in.Sight(ctx)
	if err != nil {
		return nil, err
	}
	f := Filter{State: in.Body.Filter.State, Tag: in.Body.Filter.Tag, Source: in.Body.Filter.Source}
	if since := in.Body.Filter.RegisteredSince; since != nil {
		f.RegisteredSince = since.UTC()
	}
	return answered(e.Start(ctx, Order{Format: in.Body.Format, Columns: in.Body.Columns, Filter: f}, sight, in.Reason))
}

func (e *Exports) list(ctx context.Context, in *exportList) (*exportListAnswer, error) {
	before := uuid.Max
	if at, err := httpx.DecodeCursor(in.Cursor, 1); err != nil {
		return nil, err
	} else if at != nil {
		if before, err = uuid.Parse(at[0]); err != nil {
			return nil, httpx.CursorInvalid()
		}
	}
	all, err := e.List(ctx, before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	out := &exportListAnswer{}
	all, out.Body.NextCursor = httpx.NextPage(all, in.Limit, func(last Export) []string { return []string{last.ID.String()} })
	out.Body.Items = make([]exportView, len(all))
	for n, one := range all {
		out.Body.Items[n] = show(one)
	}
	return out, nil
}

func (e *Exports) portable(ctx context.Context, in *portableInput) (*portableAnswer, error) {
	sight, err := in.Sight(ctx)
	if err != nil {
		return nil, err
	}
	p, err := e.Portable(ctx, in.CustomerID, sight)
	if err != nil {
		return nil, err
	}
	out := &portableAnswer{Disposition: `attachment; filename="customer-` + p.Customer.Root.String() + `.json"`}
	out.Body = portableCustomer{
		Format: portableFormat, ExportedAt: p.ExportedAt, CustomerID: p.Customer.Root, Aliases: p.Customer.Aliases, Sections: p.Sections,
		Withheld: p.Withheld,
	}
	if out.Body.Aliases == nil {
		out.Body.Aliases = []uuid.UUID{}
	}
	return out, nil
}

var errGone = problem.New(problem.Gone, "export_gone",
	"The file was deleted: it had been kept for its time, or somebody in it was erased. Order a new one.")

// file streams a finished file, a chunk at a time.
func (e *Exports) file(c *gin.Context) error {
	ctx := c.Request.Context()
	id, err := uuid.Parse(c.Param("id"))
	if err != nil {
		return errNotFound
	}
	s, err := e.find(ctx, id)
	if err != nil {
		return err
	}
	switch {
	case s.State == Expired || s.State == Withdrawn || s.State == Finished && !s.ExpiresAt().After(e.now()):
		return errGone
	case s.State != Finished:
		return problem.New(problem.Conflict, "export_not_finished", "The export is %s: there is no file.", s.State)
	}
	if err := e.allow(ctx, s, access.Asked{Purpose: c.Query("purpose"), Reason: c.Query("reason")}); err != nil {
		return err
	}
	content, err := e.chunk(ctx, id, 0)
	if err != nil {
		return err
	}
	kind := map[Format]string{CSV: "text/csv; charset=utf-8", JSONL: "application/jsonl"}[s.Format]
	c.Header("Content-Type", kind)
	c.Header("Content-Length", strconv.FormatInt(s.Bytes, 10)) // a file that breaks off is not taken for a whole one
	c.Header("Content-Disposition", `attachment; filename="customers-`+id.String()+`.`+string(s.Format)+`"`)
	c.Status(http.StatusOK)
	for n := 1; ; n++ {
		if _, err := c.Writer.Write(content); err != nil || n == s.chunks {
			return err
		}
		if content, err = e.chunk(ctx, id, n); err != nil {
			return err
		}
	}
}

// allow refuses a file with sensitive columns to who does not see these, and writes down that it was fetched.
func (e *Exports) allow(ctx context.Context, s stored, asked access.Asked) error {
	if len(s.Classes) == 0 {
		return nil
	}
	sight, err := asked.Sight(ctx)
	if err != nil {
		return err
	}
	if !sight.MayAll(s.Classes...) {
		return problem.New(problem.Forbidden, "export_hidden", "The file has columns that you do not see: give the purpose and the reason for which you do, or ask who may.")
	}
	return e.db.Tx(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		return e.log.Record(ctx, tx, sight, access.Look{View: "export_file", Classes: s.Classes})
	})
}
