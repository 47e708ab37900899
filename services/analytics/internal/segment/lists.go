package segment

import (
	"context"
	"encoding/csv"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/alias"
	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/fact"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/portrait"
)

// Listed is what became of a change of a list.
type Listed struct {
	Added, Removed int64
	Unknown        []uuid.UUID // of whom there is no portrait: they were not added
}

// ListByHand puts customers on a list by hand and takes others off it. Whom an id means is read when it is asked for, so that merges and
// their undoing leave the list as it is.
func (s *Segments) ListByHand(ctx context.Context, id uuid.UUID, add, remove []uuid.UUID) (l Listed, err error) {
	now := s.now()
	result, err := s.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		l = Listed{}
		lockDefinitions(tx)
		of, err := load(ctx, tx, id)
		if err != nil {
			return pg.Result{}, err
		}
		if of.Kind != Static || of.Filter != nil || of.State != active {
			return pg.Result{}, problem.New(problem.Conflict, "segment_not_list", "Only lists by hand that are not retired can be changed by hand.")
		}
		rows, err := tx.Query(ctx, `SELECT DISTINCT n.id FROM unnest($2::uuid[]) AS n(id)
			WHERE NOT EXISTS (SELECT FROM portrait p WHERE p.tenant_id = $1 AND p.customer_id = customer_root($1, n.id)) ORDER BY n.id`, tx.Tenant(), add)
		if err != nil {
			return pg.Result{}, err
		}
		if l.Unknown, err = pgx.CollectRows(rows, pgx.RowTo[uuid.UUID]); err != nil {
			return pg.Result{}, err
		}
		removed, err := tx.ExecNow(ctx, `DELETE FROM segment_member WHERE tenant_id = $1 AND segment_id = $2 AND customer_id = ANY ($3::uuid[])`, tx.Tenant(), id, remove)
		if err != nil {
			return pg.Result{}, err
		}
		added, err := tx.ExecNow(ctx, `INSERT INTO segment_member (tenant_id, segment_id, customer_id, since)
			SELECT DISTINCT $1, $2::uuid, n.id, $4::timestamptz FROM unnest($3::uuid[]) AS n(id) WHERE n.id <> ALL ($5::uuid[]) ON CONFLICT DO NOTHING`,
			tx.Tenant(), id, add, now, l.Unknown)
		if err != nil {
			return pg.Result{}, err
		}
		l.Added, l.Removed = added.RowsAffected(), removed.RowsAffected()
		count(tx, now, map[uuid.UUID]int64{id: l.Added}, map[uuid.UUID]int64{id: l.Removed})
		return pg.Result{Status: http.StatusOK}, s.askDependents(ctx, tx, of.Code, causeFacts)
	})
	if result.Replayed { // it is on the list since the first time
		httpx.MarkReplayed(ctx)
	}
	return l, err
}

// askDependents has all customers judged anew for the live segments that name a list that changed.
func (s *Segments) askDependents(ctx context.Context, tx *pg.Tx, code, cause string) error {
	b, err := loadBook(ctx, tx)
	if err != nil {
		return err
	}
	var due []uuid.UUID
	for _, c := range b.dependents(code) {
		due = append(due, b[c].id)
	}
	return ask(tx, cause, s.now(), due...)
}

// Of gives the segments that the customer whom the id means is in, by code.
func (s *Segments) Of(ctx context.Context, customer uuid.UUID) (all []Belonging, err error) {
	err = s.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		root := alias.Root(tx, customer)
		var known bool
		err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM portrait WHERE tenant_id = $1 AND customer_id = customer_root($1, $2))`, tx.Tenant(), customer).Scan(&known)
		if err != nil {
			return err
		}
		if !known {
			return fact.Missing(ctx, tx, *root)
		}
		rows, err := tx.Query(ctx, `SELECT s.id, s.code, s.name, s.kind, min(m.since) FROM segment_member m JOIN segment s ON s.tenant_id = $1 AND s.id = m.segment_id
			WHERE m.tenant_id = $1 AND m.customer_id = ANY ((SELECT customer_group($1, $2))::uuid[]) AND s.state = 'active' GROUP BY 1, 2, 3, 4 ORDER BY s.code`, tx.Tenant(), *root)
		if err == nil {
			all, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Belonging])
		}
		return err
	})
	return all, err
}

// Belonging is a segment that a customer is in.
type Belonging struct {
	ID    uuid.UUID `json:"id" format:"uuid"`
	Code  string    `json:"code"`
	Name  string    `json:"name"`
	Kind  string    `json:"kind" enum:"live,static"`
	Since time.Time `json:"since"`
}

// Flow is how many came and went on a day in UTC, and how many were in at its end.
type Flow struct {
	Day     time.Time
	Entered int64
	Left    int64
	Members int64
}

// History gives the days on which somebody came or went, the newest first.
func (s *Segments) History(ctx context.Context, id uuid.UUID, before time.Time, limit int) (all []Flow, err error) {
	err = s.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		if _, err := load(ctx, tx, id); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `SELECT day, entered, gone, members FROM (
				SELECT day, sum(entered)::bigint AS entered, sum(gone)::bigint AS gone, (sum(sum(entered - gone)) OVER (ORDER BY day))::bigint AS members
				FROM segment_flow WHERE tenant_id = $1 AND segment_id = $2 GROUP BY day) f
			WHERE day < $3 ORDER BY day DESC LIMIT $4`, tx.Tenant(), id, before, limit)
		if err == nil {
			all, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Flow])
		}
		return err
	})
	return all, err
}

// exported is how many rows of an export are read at once.
const exported = 2_000

// exportHTTP writes who is in as CSV: the customer's id, since when, and the fields that are asked for. It reads page by page, so
// that a segment of any size takes no more memory than a page.
func (s *Segments) exportHTTP(c *gin.Context) error {
	id, err := uuid.Parse(c.Param("segment_id"))
	if err != nil {
		return unknown()
	}
	var wanted []portrait.Field
	for _, name := range strings.FieldsFunc(c.Query("fields"), func(r rune) bool { return r == ',' }) {
		f, ok := portrait.Lookup(name)
		if !ok {
			return problem.New(problem.Unprocessable, "invalid", "Mend the query.").WithField("query.fields", "field_unknown", "has "+name+", which is none of GET /v1/analytics/fields")
		}
		wanted = append(wanted, f)
	}
	ctx := c.Request.Context()
	of, err := s.Get(ctx, id)
	if err != nil {
		return err
	}
	c.Header("Content-Type", "text/csv; charset=utf-8")
	c.Header("Content-Disposition", `attachment; filename="`+of.Code+`.csv"`)
	c.Header("Cache-Control", "no-store")
	out := csv.NewWriter(c.Writer)
	head := []string{"customer_id", "since"}
	for _, f := range wanted {
		head = append(head, f.Name)
	}
	if err := out.Write(head); err != nil {
		return err
	}
	for after := uuid.Nil; ; {
		var rows [][]string
		if rows, after, err = s.exportPage(ctx, id, after, wanted); err != nil {
			return err
		}
		for _, row := range rows {
			if err := out.Write(row); err != nil {
				return err
			}
		}
		if out.Flush(); out.Error() != nil || len(rows) < exported {
			return out.Error()
		}
	}
}

// exportPage gives the next rows after the id. Rows of a list by hand are of whom they mean.
func (s *Segments) exportPage(ctx context.Context, id, after uuid.UUID, wanted []portrait.Field) (rows [][]string, last uuid.UUID, err error) {
	columns := "m.customer_id AS listed, customer_root($1, m.customer_id)::text, to_char(m.since AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
	for _, f := range wanted {
		columns += ", coalesce((" + f.SQL("$4::date") + ")::text, '')"
	}
	err = s.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		rows, last = nil, after
		found, err := tx.Query(ctx, `SELECT `+columns+` FROM (SELECT customer_id, since FROM segment_member
				WHERE tenant_id = $1 AND segment_id = $2 AND customer_id > $3 ORDER BY customer_id LIMIT $5) m
			LEFT JOIN LATERAL (SELECT * FROM portrait p WHERE p.tenant_id = $1 AND p.customer_id = customer_root($1, m.customer_id) AND $4::date IS NOT NULL LIMIT 1) portrait ON true
			ORDER BY m.customer_id`, tx.Tenant(), id, after, s.today(), exported)
		if err != nil {
			return err
		}
		defer found.Close()
		for found.Next() {
			row := make([]string, 2+len(wanted))
			to := []any{&last}
			for i := range row {
				to = append(to, &row[i])
			}
			if err := found.Scan(to...); err != nil {
				return err
			}
			rows = append(rows, row)
		}
		return found.Err()
	})
	return rows, last, err
}
