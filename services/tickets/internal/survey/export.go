package survey

import (
	"bytes"
	"context"
	"encoding/csv"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/imports"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Row is one value of an answer as analytics takes it: an answer has as many as it has values.
type Row struct {
	AnswerID, InvitationID, CustomerID, TicketID, ComplaintID uuid.UUID // all but the first Nil in anonymous mode
	Version                                                   int64     // of the questions
	AnsweredAt                                                time.Time // in anonymous mode the day
	Touchpoint, Language                                      string
	Question, Part, Choice, Words                             string
	Number                                                    *int
}

// chunk is how many answers one short transaction reads.
const chunk = 1000

// rows gives the rows of up to limit answers of a survey after the given one (Nil: the first), whole answers, in the order
// of their ids.
func rows(ctx context.Context, tx *pg.Tx, w Wanted, after uuid.UUID, limit int) ([]Row, error) {
	found, err := tx.Query(ctx, `SELECT a.id, a.invitation_id, customer_root($1, a.customer_id), a.ticket_id, a.complaint_id, a.version, a.answered_at,
			a.touchpoint, a.language, coalesce(v.question, ''), coalesce(v.part, ''), coalesce(v.choice, ''), coalesce(v.words, ''), v.number
		  FROM (SELECT * FROM survey_answer WHERE`+wantedSQL+` AND answered_at >= $4 AND answered_at < $5 AND id > $6 ORDER BY id LIMIT $7) a
		  LEFT JOIN LATERAL (
			SELECT question, part, choice, number, NULL AS words FROM survey_value WHERE tenant_id = $1 AND answer_id = a.id
			UNION ALL
			SELECT question, '', '', NULL, words FROM survey_words WHERE tenant_id = $1 AND answer_id = a.id) v ON true
		 ORDER BY a.id, v.question, v.part, v.choice`, append(w.args(tx), after, limit)...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(found, func(row pgx.CollectableRow) (r Row, err error) {
		var invitation, customer, ticket, complaint *uuid.UUID
		err = row.Scan(&r.AnswerID, &invitation, &customer, &ticket, &complaint, &r.Version, &r.AnsweredAt, &r.Touchpoint, &r.Language,
			&r.Question, &r.Part, &r.Choice, &r.Words, &r.Number)
		r.InvitationID, r.CustomerID, r.TicketID, r.ComplaintID = orNil(invitation), orNil(customer), orNil(ticket), orNil(complaint)
		r.AnsweredAt = r.AnsweredAt.UTC()
		return r, err
	})
}

// Rows gives the rows of up to limit answers after the given one.
func (s *Surveys) Rows(ctx context.Context, w Wanted, after uuid.UUID, limit int) (page []Row, err error) {
	_, ok, err := s.answersOf(ctx, w.Survey)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, problem.New(problem.Conflict, "not_enough_data",
			"In anonymous mode single answers are shown once there are %d: among fewer it could be told whose they are.", Enough)
	}
	err = s.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		page, err = rows(ctx, tx, w, after, limit)
		return err
	})
	return page, err
}

// columns of the file.
var columns = []string{"answer_id", "survey_id", "survey_version", "answered_at", "invitation_id", "customer_id", "ticket_id", "complaint_id",
	"touchpoint", "language", "question", "part", "choice", "number", "words"}

func (r Row) cells(survey uuid.UUID) []string {
	number := ""
	if r.Number != nil {
		number = strconv.Itoa(*r.Number)
	}
	return []string{
		r.AnswerID.String(), survey.String(), strconv.FormatInt(r.Version, 10), r.AnsweredAt.Format(time.RFC3339Nano), idText(r.InvitationID),
		idText(r.CustomerID), idText(r.TicketID), idText(r.ComplaintID), r.Touchpoint, r.Language, r.Question, r.Part, r.Choice, number,
		imports.Mark(r.Words), // no spreadsheet takes it for a formula
	}
}

// file streams the answers of a survey as CSV, chunk by chunk.
func (s *Surveys) file(c *gin.Context) error {
	id, err := uuid.Parse(c.Param("survey_id"))
	if err != nil {
		return errNotFound
	}
	w := Wanted{Survey: id}
	if w.Period.From, err = timeParameter(c, "from"); err != nil {
		return err
	}
	if w.Period.To, err = timeParameter(c, "to"); err != nil {
		return err
	}
	w.Touchpoint = c.Query("touchpoint")
	ctx := c.Request.Context()
	page, err := s.Rows(ctx, w, uuid.Nil, chunk)
	if err != nil {
		return err
	}
	c.Header("Content-Type", "text/csv; charset=utf-8; header=present")
	c.Header("Content-Disposition", `attachment; filename="answers.csv"`)
	c.Header("Cache-Control", "no-store")
	c.Status(http.StatusOK)
	var b bytes.Buffer
	out := csv.NewWriter(&b)
	if err := out.Write(columns); err != nil {
		return err
	}
	for {
		for _, r := range page {
			if err := out.Write(r.cells(id)); err != nil {
				return err
			}
		}
		if out.Flush(); out.Error() != nil {
			return out.Error()
		}
		if _, err := b.WriteTo(c.Writer); err != nil {
			return err
		}
		if len(page) == 0 {
			return nil
		}
		if page, err = s.Rows(ctx, w, page[len(page)-1].AnswerID, chunk); err != nil {
			return err
		}
	}
}

func timeParameter(c *gin.Context, name string) (time.Time, error) {
	text := c.Query(name)
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, problem.New(problem.Unprocessable, "validation_failed", "Some of what was sent is not valid; errors says what.").
			WithField("query."+name, "time_invalid", "must be a time of RFC 3339")
	}
	return at, nil
}

// fileOperation describes the file.
func fileOperation() httpx.Operation {
	return httpx.Operation{
		ID: "export-survey-answers", Method: http.MethodGet, Path: "/v1/surveys/{survey_id}/answers.csv", Tag: tag,
		Summary: "Export the raw answers of a survey as CSV",
		Description: "One row a value, with the answer's id: what analytics takes. In anonymous mode the customer is not there, and of the time only " +
			"the day; while there are fewer than 30 answers it is 409 not_enough_data.",
		Permission: auth.SurveysRead, Produces: []string{"text/csv"}, Errors: []int{http.StatusNotFound, http.StatusConflict},
		Parameters: []httpx.Parameter{
			{Name: "from", Description: "Only those answered from then on, a time of RFC 3339."},
			{Name: "to", Description: "Only those answered before."},
			{Name: "touchpoint", Description: "Only those of this touchpoint."},
		},
	}
}
