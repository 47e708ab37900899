package attachment

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticket"
)

// attachmentView is a file as the API shows it.
type attachmentView struct {
	AttachmentID uuid.UUID  `json:"attachment_id" format:"uuid"`
	TicketID     uuid.UUID  `json:"ticket_id" format:"uuid" doc:"The ticket that it was sent to, which may have been merged into another one."`
	ReplyID      *uuid.UUID `json:"reply_id,omitempty" format:"uuid" doc:"Of the reply or note that it belongs to."`
	Name         string     `json:"name" doc:"Cleaned; ends as its type does." example:"bottle.jpg"`
	Type         string     `json:"type" doc:"Media type." example:"image/jpeg"`
	Bytes        int64      `json:"bytes"`
	SHA256       string     `json:"sha256" doc:"Of the file, in hexadecimal."`
	By           string     `json:"by" doc:"Subject of whoever sent it."`
	At           time.Time  `json:"at"`
}

func show(f Attachment) attachmentView {
	return attachmentView{
		AttachmentID: f.ID, TicketID: f.TicketID, ReplyID: pg.OrNull(f.ReplyID), Name: f.Name, Type: f.Type, Bytes: f.Bytes,
		SHA256: hex.EncodeToString(f.SHA256), By: f.By, At: f.At.UTC(),
	}
}

type attachmentListInput struct {
	TicketID uuid.UUID `path:"ticket_id" format:"uuid"`
	httpx.Page
}

type attachmentListAnswer struct{ Body attachmentPage }

type attachmentPage struct {
	Items      []attachmentView `json:"items" nullable:"false"`
	NextCursor string           `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

type attachmentByID struct {
	TicketID uuid.UUID `path:"ticket_id" format:"uuid"`
	ID       uuid.UUID `path:"attachment_id" format:"uuid"`
}

// uploadTime is how long a file may take to arrive, and to be fetched: less than the sweep's patience.
const uploadTime = 30 * time.Minute

// Routes adds the operations on files.
func (a *Attachments) Routes(tickets *ticket.Tickets) func(*httpx.API) {
	const tag, all, one = "Attachments", "/v1/tickets/{ticket_id}/attachments", "/v1/tickets/{ticket_id}/attachments/{attachment_id}"
	return func(api *httpx.API) {
		httpx.Stream(api, httpx.Operation{
			ID: "attach-file", Method: http.MethodPost, Path: all, Tag: tag, Summary: "Attach a file to a ticket",
			Description: "The body is the file itself, at most 25 MiB. It has to be what its Content-Type says.",
			Permission:  auth.TicketsWrite, Status: http.StatusCreated, MaxBody: MaxBytes, Timeout: uploadTime, Consumes: Types(), Output: attachmentView{},
			Parameters: []httpx.Parameter{
				{Name: "name", Description: "The file's name, as people know it.", Required: true},
				{Name: "reply_id", Description: "The reply or note of the ticket that it belongs to."},
			},
			Errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusGone, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType},
		}, a.upload)
		httpx.Register(api, httpx.Operation{
			ID: "list-attachments", Method: http.MethodGet, Path: all, Tag: tag, Summary: "List the files of a ticket, the latest first",
			Description: "Those included of tickets that were merged into it.",
			Permission:  auth.TicketsRead, Errors: []int{http.StatusNotFound},
		}, func(ctx context.Context, in *attachmentListInput) (*attachmentListAnswer, error) {
			items, next, err := httpx.PageByID(in.Page, func(before uuid.UUID, limit int) ([]Attachment, error) {
				return a.List(ctx, tickets, in.TicketID, before, limit)
			}, func(f Attachment) uuid.UUID { return f.ID }, show)
			if err != nil {
				return nil, err
			}
			return &attachmentListAnswer{attachmentPage{items, next}}, nil
		})
		httpx.Stream(api, httpx.Operation{
			ID: "download-attachment", Method: http.MethodGet, Path: one + "/content", Tag: tag, Summary: "Download a file",
			Permission: auth.TicketsRead, Timeout: uploadTime, Produces: Types(), Errors: []int{http.StatusNotFound},
		}, a.download)
		httpx.Register(api, httpx.Operation{
			ID: "remove-attachment", Method: http.MethodDelete, Path: one, Tag: tag, Summary: "Take a file off a ticket, for good",
			Permission: auth.TicketsWrite, Status: http.StatusNoContent, Errors: []int{http.StatusNotFound},
		}, func(ctx context.Context, in *attachmentByID) (*struct{}, error) {
			return nil, a.Remove(ctx, in.TicketID, in.ID)
		})
	}
}

// upload takes a file in. What is wrong with it is said while it arrives.
func (a *Attachments) upload(c *gin.Context) error {
	ctx := c.Request.Context()
	f, err := a.request(c)
	if err != nil {
		return err
	}
	body := httpx.HashBody(c)
	file := bufio.NewReaderSize(body, sniffed)
	head, err := file.Peek(sniffed)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if len(head) == 0 {
		return problem.New(problem.Unprocessable, "attachment_empty", "The file is empty.")
	}
	if err := Recognise(f.Type, head); err != nil {
		return err
	}
	f, replayed, err := a.attach(ctx, f, file, body.Context)
	if err != nil {
		return err
	}
	if replayed {
		httpx.MarkReplayed(ctx)
	}
	c.Header("Location", "/v1/tickets/"+f.TicketID.String()+"/attachments/"+f.ID.String()+"/content")
	c.JSON(http.StatusCreated, show(f))
	return nil
}

// request reads what a file is sent with.
func (a *Attachments) request(c *gin.Context) (Attachment, error) {
	who, _ := auth.From(c.Request.Context())
	f := Attachment{By: who.Subject, At: a.now()}
	var err error
	if f.TicketID, err = pathID(c, "ticket_id"); err != nil {
		return f, err
	}
	query := c.Request.URL.Query()
	if given := query.Get("reply_id"); given != "" {
		if f.ReplyID, err = uuid.Parse(given); err != nil || f.ReplyID == uuid.Nil {
			return f, invalid("query.reply_id", "reply_id_malformed", "must be the id of a reply, a UUID")
		}
	}
	if strings.TrimSpace(query.Get("name")) == "" {
		return f, invalid("query.name", "name_required", "must say how the file is called")
	}
	f.Type, _, err = mime.ParseMediaType(c.Request.Header.Get("Content-Type"))
	f.Name = CleanName(query.Get("name"), f.Type)
	return f, err
}

func invalid(location, code, message string) error {
	return problem.New(problem.Unprocessable, "attachment_invalid", "The file was not accepted: mend what is named here.").WithField(location, code, message)
}

// pathID reads an id of the path as huma does for other operations.
func pathID(c *gin.Context, name string) (uuid.UUID, error) {
	id, err := uuid.Parse(c.Param(name))
	if err != nil {
		return id, problem.New(problem.Unprocessable, "validation_failed", "Some of what was sent is not valid; errors says what.").
			WithField("path."+name, "invalid", "must be a UUID")
	}
	return id, nil
}

// download gives a file. Whatever it is, no browser shows it as a page of ours.
func (a *Attachments) download(c *gin.Context) error {
	ctx := c.Request.Context()
	ticketID, err := pathID(c, "ticket_id")
	if err != nil {
		return err
	}
	id, err := pathID(c, "attachment_id")
	if err != nil {
		return err
	}
	f, err := a.Get(ctx, ticketID, id)
	if err != nil {
		return err
	}
	file, err := a.Open(ctx, f)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	head := c.Writer.Header()
	head.Set("Content-Type", f.Type)
	head.Set("Content-Length", strconv.FormatInt(f.Bytes, 10))
	head.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": f.Name}))
	head.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Cache-Control", "private, no-store")
	_, err = io.CopyN(c.Writer, file, f.Bytes)
	return err
}
