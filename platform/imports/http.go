package imports

import (
	"context"
	"encoding/csv"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// View is an import as the API shows it.
type View struct {
	ID              uuid.UUID  `json:"id"`
	State           string     `json:"state" enum:"accepted,running,finished,cancelled,failed"`
	Format          string     `json:"format" enum:"csv,jsonl,whitespace"`
	Columns         []string   `json:"columns" doc:"The columns that the mapping fills."`
	Policy          string     `json:"policy" enum:"skip,update,create"`
	DryRun          bool       `json:"dry_run"`
	Bytes           int64      `json:"bytes" doc:"Size of the file."`
	Rows            int64      `json:"rows" doc:"Rows worked on so far."`
	Accepted        int64      `json:"accepted"`
	Rejected        int64      `json:"rejected"`
	Progress        float64    `json:"progress" doc:"Share of the file that is done, from 0 to 1."`
	CancelRequested bool       `json:"cancel_requested"`
	Failure         string     `json:"failure,omitempty" doc:"Why it failed, as a code."`
	CreatedAt       time.Time  `json:"created_at"`
	FinishedAt      *time.Time `json:"finished_at,omitempty" doc:"When it finished, was cancelled or failed."`
}

func (i *Imports) view(s *stored) View {
	v := View{ID: s.ID, State: string(s.State), Format: string(s.Format), Columns: s.Columns, Policy: string(s.Policy),
		DryRun: s.DryRun, Bytes: s.Bytes, Rows: s.Rows, Accepted: s.Accepted, Rejected: s.Rejected,
		Progress: s.progress(), CancelRequested: s.CancelRequested, Failure: s.Failure, CreatedAt: s.CreatedAt}
	if !s.FinishedAt.IsZero() {
		v.FinishedAt = &s.FinishedAt
	}
	return v
}

// RejectionView is one reason for which a row was not taken.
type RejectionView struct {
	Line   int64  `json:"line" doc:"Physical line of the file on which the row begins, from 1."`
	Row    int64  `json:"row" doc:"Number of the data row, from 1; the header and blank lines do not count."`
	Column string `json:"column" doc:"Empty where the row as a whole is at fault."`
	Code   string `json:"code" doc:"Stable, for programs."`
	Reason string `json:"reason" doc:"For people."`
}

type (
	byID struct {
		ID uuid.UUID `path:"id" format:"uuid"`
	}
	listInput struct{ httpx.Page }
	rowsInput struct {
		ID uuid.UUID `path:"id" format:"uuid"`
		httpx.Page
	}
	viewOutput struct{ Body View }
	listOutput struct {
		Body struct {
			Items      []View `json:"items"`
			NextCursor string `json:"next_cursor,omitempty"`
		}
	}
	rejectionsOutput struct {
		Body struct {
			Items      []RejectionView `json:"items"`
			NextCursor string          `json:"next_cursor,omitempty"`
		}
	}
)

// Routes registers the operations of the kind.
func (i *Imports) Routes(api *httpx.API) {
	name, path, tag := i.kind.Name+"-imports", i.kind.Path, i.kind.Name+" imports"
	op := func(id, method, suffix, summary string) httpx.Operation {
		return httpx.Operation{ID: name + "-" + id, Method: method, Path: path + suffix, Summary: summary, Tag: tag,
			Permission: i.kind.Permission}
	}
	upload := op("upload", http.MethodPost, "", "Upload a file of "+i.kind.Name)
	upload.Description = i.describe()
	upload.Status, upload.MaxBody, upload.Timeout = http.StatusAccepted, 1<<60, 24*time.Hour
	upload.Consumes = []string{"text/csv", "text/plain", "application/jsonl", "application/x-ndjson", "application/octet-stream"}
	upload.Output = View{}
	var policies []string
	for _, p := range i.kind.policies() {
		policies = append(policies, string(p))
	}
	upload.Parameters = []httpx.Parameter{
		{Name: "format", Description: "How the file is written; csv unless said otherwise.", Enum: []string{"csv", "jsonl", "whitespace"}},
		{Name: "header", Description: "Whether the first line names the columns; true for csv unless said otherwise.", Enum: []string{"true", "false"}},
		{Name: "mapping", Description: "What fills the columns: target=source, several separated by commas. May be repeated.", Repeatable: true},
		{Name: "policy", Description: "What to do with what is there already; " + policies[0] + " unless said otherwise.", Enum: policies},
		{Name: "dry_run", Description: "Only find out what would be rejected, batch by batch.", Enum: []string{"true", "false"}},
	}
	httpx.Stream(api, upload, i.upload)
	httpx.Register(api, op("list", http.MethodGet, "", "List imports, the newest first"), i.list)
	httpx.Register(api, op("read", http.MethodGet, "/{id}", "Read how far an import is"), i.read)
	rejections := op("rejections", http.MethodGet, "/{id}/rejections", "List the reasons why rows were rejected")
	rejections.Description = "In the order of the file. They are kept for 30 days after the import has ended."
	httpx.Register(api, rejections, i.rejections)
	cancel := op("cancel", http.MethodPost, "/{id}/cancel", "Cancel an import")
	cancel.Description = "The import stops after the batch at hand. Rows that were brought in before stay."
	cancel.Status = http.StatusAccepted
	httpx.Register(api, cancel, i.cancel)
	download := op("rejections-csv", http.MethodGet, "/{id}/rejections.csv", "Download the rejected rows")
	download.Description = "CSV with line, row, column, code and reason; content is the row as it stood in the file, " +
		"given with the first of its reasons. Kept for 30 days after the import has ended."
	download.Produces = []string{"text/csv"}
	httpx.Stream(api, download, i.download)
	i.qualityRoute(api)
}

// describe documents the mapping and the columns for integrators.
func (i *Imports) describe() string {
	var b strings.Builder
	b.WriteString(`The body is the file itself, of any size, in UTF-8. The answer comes when it is stored; the rows are then
brought in by a workflow that survives a crash of any part. Rows with faults are rejected by line, column and reason;
the others go in.

A source in the mapping is a name from the header (or a JSON key), #3 for the third column, 'text' for a constant, or
$line for the line number. Without a mapping the header (or the keys) must name the columns:
`)
	for _, c := range i.kind.Columns {
		b.WriteString("\n* `" + c.Name + "`")
		if c.Required {
			b.WriteString(" (required)")
		}
		b.WriteString(": " + c.Doc)
	}
	return b.String()
}

func (i *Imports) read(ctx context.Context, in *byID) (*viewOutput, error) {
	s, err := i.find(ctx, auth.Tenant(ctx), in.ID)
	if err != nil {
		return nil, err
	}
	return &viewOutput{i.view(&s)}, nil
}

func (i *Imports) list(ctx context.Context, in *listInput) (*listOutput, error) {
	before := uuid.Max
	if at, err := httpx.DecodeCursor(in.Cursor, 1); err != nil {
		return nil, err
	} else if at != nil {
		if before, err = uuid.Parse(at[0]); err != nil {
			return nil, httpx.CursorInvalid()
		}
	}
	var all []stored
	err := i.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		rows, err := tx.Query(ctx, selectJob+`WHERE tenant_id = $1 AND kind = $2 AND id < $3 AND state <> 'uploading'
			ORDER BY id DESC LIMIT $4`, tx.Tenant(), i.kind.Name, before, in.Limit+1)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (stored, error) { return scanJob(row) })
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &listOutput{}
	all, out.Body.NextCursor = httpx.NextPage(all, in.Limit, func(last stored) []string { return []string{last.ID.String()} })
	out.Body.Items = make([]View, len(all))
	for k := range all {
		out.Body.Items[k] = i.view(&all[k])
	}
	return out, nil
}

func (i *Imports) cancel(ctx context.Context, in *byID) (*viewOutput, error) {
	var s stored
	_, err := i.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (result pg.Result, err error) {
		if s, err = i.load(ctx, tx, in.ID, true); err != nil {
			return result, err
		}
		switch s.State {
		case Uploading:
			return result, notFound()
		case Finished, Failed:
			return result, problem.New(problem.Conflict, "import_ended", "The import has ended; nothing is left to be cancelled.")
		}
		s.CancelRequested = true
		tx.Queue(`UPDATE import_job SET cancel_requested = true WHERE tenant_id = $1 AND id = $2`, tx.Tenant(), s.ID)
		return pg.Result{ID: s.ID, Status: http.StatusAccepted}, nil
	})
	if err != nil {
		return nil, err
	}
	return i.read(ctx, in)
}

// rejection is a rejection as it is kept.
type rejection struct {
	n int64
	RejectionView
	raw []byte
}

func (i *Imports) rejectionsAfter(ctx context.Context, tenant string, id uuid.UUID, after int64, limit int, raw bool) (all []rejection, err error) {
	content := "NULL::bytea"
	if raw {
		content = "raw"
	}
	err = i.db.Read(ctx, tenant, func(tx *pg.Tx) error {
		rows, err := tx.Query(ctx, `SELECT n, line, row_number, column_name, code, reason, `+content+` FROM import_rejection
			WHERE tenant_id = $1 AND import_id = $2 AND n > $3 ORDER BY n LIMIT $4`, tenant, id, after, limit)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (r rejection, err error) {
			err = row.Scan(&r.n, &r.Line, &r.Row, &r.Column, &r.Code, &r.Reason, &r.raw)
			return r, err
		})
		return err
	})
	return all, err
}

func (i *Imports) rejections(ctx context.Context, in *rowsInput) (*rejectionsOutput, error) {
	var after int64
	if at, err := httpx.DecodeCursor(in.Cursor, 1); err != nil {
		return nil, err
	} else if at != nil {
		if after, err = strconv.ParseInt(at[0], 10, 64); err != nil {
			return nil, httpx.CursorInvalid()
		}
	}
	tenant := auth.Tenant(ctx)
	if _, err := i.find(ctx, tenant, in.ID); err != nil {
		return nil, err
	}
	all, err := i.rejectionsAfter(ctx, tenant, in.ID, after, in.Limit+1, false)
	if err != nil {
		return nil, err
	}
	out := &rejectionsOutput{}
	all, out.Body.NextCursor = httpx.NextPage(all, in.Limit, func(last rejection) []string {
		return []string{strconv.FormatInt(last.n, 10)}
	})
	out.Body.Items = make([]RejectionView, len(all))
	for k := range all {
		out.Body.Items[k] = all[k].RejectionView
	}
	return out, nil
}

// download streams the rejected rows, a page of the database at a time.
func (i *Imports) download(c *gin.Context) error {
	const page = 200
	ctx := c.Request.Context()
	tenant := auth.Tenant(ctx)
	id, err := uuid.Parse(c.Param("id"))
	if err != nil {
		return notFound()
	}
	if _, err := i.find(ctx, tenant, id); err != nil {
		return err
	}
	all, err := i.rejectionsAfter(ctx, tenant, id, 0, page, true)
	if err != nil {
		return err
	}
	c.Header("Content-Type", "text/csv; charset=utf-8")
	c.Header("Content-Disposition", `attachment; filename="rejections-`+id.String()+`.csv"`)
	c.Status(http.StatusOK)
	w := csv.NewWriter(c.Writer)
	if err := w.Write([]string{"line", "row", "column", "code", "reason", "content"}); err != nil {
		return err
	}
	for len(all) > 0 {
		for _, r := range all {
			err := w.Write([]string{strconv.FormatInt(r.Line, 10), strconv.FormatInt(r.Row, 10), r.Column, r.Code, r.Reason,
				Mark(strings.ToValidUTF8(string(r.raw), "�"))})
			if err != nil {
				return err
			}
		}
		if all, err = i.rejectionsAfter(ctx, tenant, id, all[len(all)-1].n, page, true); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}
