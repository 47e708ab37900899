package complaint

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// What was learned over many complaints: what led to them, and what is being done about it.

// CauseCount is how often a cause led to complaints.
type CauseCount struct {
	Cause      string
	Complaints int64
	Founded    int64 // in part at least
	Reopened   int64 // dealt with anew after a low score
}

// Causes counts the complaints that were registered in [from, to) and whose cause was found, the most frequent cause first.
func (c *Complaints) Causes(ctx context.Context, from, to time.Time) (all []CauseCount, err error) {
	err = c.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		rows, err := tx.Query(ctx, `SELECT cause, count(*), count(*) FILTER (WHERE finding IN ('founded', 'partly')), count(*) FILTER (WHERE reopened > 0)
			FROM complaint WHERE tenant_id = $1 AND registered_at >= $2 AND registered_at < $3 AND cause <> ''
			GROUP BY cause ORDER BY 2 DESC, 1`, tx.Tenant(), from, to)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, pgx.RowToStructByPos[CauseCount])
		return err
	})
	return all, err
}

// planned is a preventive action that is not done.
type planned struct {
	Complaint uuid.UUID
	Number    string
	No        int
	Action    string
	Owner     string
	DueAt     time.Time
}

// preventions gives up to limit preventive actions that are not done, of an owner or, where that is empty, of everybody, the
// most urgent first; those after a place, if there is one.
func (c *Complaints) preventions(ctx context.Context, owner string, after *planned, limit int) (page []planned, err error) {
	if after == nil {
		after = &planned{}
	}
	err = c.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		rows, err := tx.Query(ctx, `SELECT p.complaint_id, c.number, p.no, coalesce(n.words, ''), p.owner, p.due_at
			FROM complaint_prevention p
			JOIN complaint c ON c.tenant_id = p.tenant_id AND c.id = p.complaint_id
			LEFT JOIN LATERAL (SELECT words FROM complaint_note n WHERE n.tenant_id = p.tenant_id AND n.complaint_id = p.complaint_id
				AND n.decision_id = p.decision_id AND n.kind = 'prevention' LIMIT 1) n ON true
			WHERE p.tenant_id = $1 AND p.done_at IS NULL AND ($2 = '' OR p.owner = $2) AND (p.due_at, p.complaint_id, p.no) > ($3, $4, $5)
			ORDER BY p.due_at, p.complaint_id, p.no LIMIT $6`, tx.Tenant(), owner, after.DueAt, after.Complaint, after.No, limit)
		if err != nil {
			return err
		}
		page, err = pgx.CollectRows(rows, pgx.RowToStructByPos[planned])
		return err
	})
	return page, err
}

type causesInput struct {
	From time.Time `query:"from" format:"date-time" required:"true" doc:"Complaints that were registered from then on."`
	To   time.Time `query:"to" format:"date-time" required:"true" doc:"And before then."`
}

type causesAnswer struct{ Body complaintCauses }

type complaintCauses struct {
	Complaints int64       `json:"complaints" doc:"Whose cause was found."`
	Items      []causeView `json:"items" nullable:"false" doc:"The most frequent cause first."`
}

type causeView struct {
	Cause      string  `json:"cause"`
	Complaints int64   `json:"complaints"`
	Share      float64 `json:"share" doc:"Of all whose cause was found, 0 to 1."`
	Founded    int64   `json:"founded" doc:"In part at least."`
	Reopened   int64   `json:"reopened" doc:"Dealt with anew after a low score."`
}

type preventionsInput struct {
	httpx.Page
	Owner string `query:"owner" maxLength:"255" doc:"Only what this subject does."`
}

type preventionsAnswer struct{ Body openPreventions }

type openPreventions struct {
	Items      []openPrevention `json:"items" nullable:"false"`
	NextCursor string           `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

type openPrevention struct {
	ComplaintID uuid.UUID `json:"complaint_id" format:"uuid"`
	Number      string    `json:"number" doc:"Of its ticket."`
	No          int       `json:"no" doc:"Within the complaint, from 1."`
	Action      string    `json:"action" doc:"What is done."`
	Owner       string    `json:"owner" doc:"Subject of whoever does it."`
	DueAt       time.Time `json:"due_at"`
}

func (c *Complaints) learnedRoutes(api *httpx.API) {
	const tag = "Complaints"
	httpx.Register(api, httpx.Operation{
		ID: "count-complaint-causes", Method: http.MethodGet, Path: "/v1/complaints/causes", Tag: tag, Summary: "Count what led to complaints",
		Permission: auth.ComplaintsRead,
	}, c.causesHTTP)
	httpx.Register(api, httpx.Operation{
		ID: "list-complaint-preventions", Method: http.MethodGet, Path: "/v1/complaints/preventions", Tag: tag,
		Summary: "List preventive actions that are not done, the most urgent first", Permission: auth.ComplaintsRead,
	}, c.preventionsHTTP)
}

func (c *Complaints) causesHTTP(ctx context.Context, in *causesInput) (*causesAnswer, error) {
	if !in.From.Before(in.To) {
		return nil, problem.New(problem.Unprocessable, "period_invalid", "from must be before to.")
	}
	counts, err := c.Causes(ctx, in.From, in.To)
	if err != nil {
		return nil, err
	}
	b := complaintCauses{Items: make([]causeView, len(counts))}
	for _, n := range counts {
		b.Complaints += n.Complaints
	}
	for i, n := range counts {
		b.Items[i] = causeView{Cause: n.Cause, Complaints: n.Complaints, Share: float64(n.Complaints) / float64(b.Complaints),
			Founded: n.Founded, Reopened: n.Reopened}
	}
	return &causesAnswer{b}, nil
}

func (c *Complaints) preventionsHTTP(ctx context.Context, in *preventionsInput) (*preventionsAnswer, error) {
	after, err := placeOf(in.Cursor)
	if err != nil {
		return nil, err
	}
	found, err := c.preventions(ctx, in.Owner, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	page, next := httpx.NextPage(found, in.Limit, func(last planned) []string {
		return []string{last.DueAt.UTC().Format(time.RFC3339Nano), last.Complaint.String(), strconv.Itoa(last.No)}
	})
	b := openPreventions{Items: make([]openPrevention, len(page)), NextCursor: next}
	for i, p := range page {
		b.Items[i] = openPrevention{ComplaintID: p.Complaint, Number: p.Number, No: p.No, Action: p.Action, Owner: p.Owner, DueAt: p.DueAt.UTC()}
	}
	return &preventionsAnswer{b}, nil
}

// placeOf reads the place that a cursor names; nil without a cursor.
func placeOf(cursor string) (*planned, error) {
	parts, err := httpx.DecodeCursor(cursor, 3)
	if parts == nil || err != nil {
		return nil, err
	}
	var p planned
	if p.DueAt, err = time.Parse(time.RFC3339Nano, parts[0]); err != nil {
		return nil, httpx.CursorInvalid()
	}
	if p.Complaint, err = uuid.Parse(parts[1]); err != nil {
		return nil, httpx.CursorInvalid()
	}
	if p.No, err = strconv.Atoi(parts[2]); err != nil {
		return nil, httpx.CursorInvalid()
	}
	return &p, nil
}
