package lead

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
)

type ofLead struct {
	LeadPath
	httpx.Page
}

type leadHistory struct{ Body leadHistoryPage }

type leadHistoryPage struct {
	Items      []leadStep `json:"items" nullable:"false" doc:"The latest first."`
	NextCursor string     `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

type leadStep struct {
	No     int64     `json:"no" doc:"The version that the change made."`
	What   string    `json:"what" enum:"captured,enquired,edited,assigned,qualified,nurturing,returned,converted,conversion_undone,lost,reopened,erased"`
	From   State     `json:"from,omitempty" doc:"Its state before; absent of the first."`
	To     State     `json:"to"`
	Team   string    `json:"team,omitempty" doc:"After it, as is owner."`
	Owner  string    `json:"owner,omitempty"`
	Reason string    `json:"reason,omitempty" doc:"Code."`
	By     string    `json:"by,omitempty" doc:"Subject of who did it."`
	At     time.Time `json:"at"`
}

func showStep(c Change) leadStep {
	return leadStep{c.No, c.What, c.From, c.To, c.Team, c.Owner, c.Reason, c.By, c.At.UTC()}
}

type leadEnquiries struct{ Body leadEnquiryPage }

type leadEnquiryPage struct {
	Items      []leadEnquiryView `json:"items" nullable:"false" doc:"The latest first."`
	NextCursor string            `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

type leadEnquiryView struct {
	EnquiryID   uuid.UUID  `json:"enquiry_id" format:"uuid"`
	ExternalRef *leadRef   `json:"external_ref,omitempty" doc:"The other system's name for what came in."`
	Capture     Capture    `json:"capture" enum:"api,form,import,campaign_reply"`
	Source      string     `json:"source,omitempty"`
	Campaign    string     `json:"campaign,omitempty"`
	FormID      *uuid.UUID `json:"form_id,omitempty" format:"uuid"`
	MatchedBy   Key        `json:"matched_by,omitempty" enum:"customer,email,phone,company," doc:"By what it was found to be of this lead; absent of the first."`
	Name        string     `json:"name,omitempty" doc:"As it came in, as are the next."`
	Company     string     `json:"company,omitempty"`
	Email       string     `json:"email,omitempty"`
	Phone       string     `json:"phone,omitempty"`
	Message     string     `json:"message,omitempty"`
	EnquiredAt  time.Time  `json:"enquired_at"`
}

func showEnquiry(e Enquiry) leadEnquiryView {
	v := leadEnquiryView{
		EnquiryID: e.ID, Capture: e.Capture, Source: e.Source, Campaign: e.Campaign, FormID: id(e.FormID), MatchedBy: e.MatchedBy,
		Name: e.Name, Company: e.Company, Email: e.Email, Phone: e.Phone, Message: e.Message, EnquiredAt: e.At.UTC(),
	}
	if !e.ExternalRef.IsZero() {
		v.ExternalRef = &leadRef{e.ExternalRef.System, e.ExternalRef.ID}
	}
	return v
}

type leadNotes struct{ Body leadNotePage }

type leadNotePage struct {
	Items      []leadNoteView `json:"items" nullable:"false" doc:"The latest first."`
	NextCursor string         `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

// hangingRoutes lists what hangs on a lead.
func (s *Leads) hangingRoutes(api *httpx.API) {
	httpx.Register(api, httpx.Operation{
		ID: "list-lead-history", Method: http.MethodGet, Path: pathLead + "/history", Tag: tagLeads, Summary: "List what became of a lead",
		Permission: auth.SalesRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *ofLead) (*leadHistory, error) {
		items, next, err := httpx.PageByNumber(in.Page, func(before, limit int) ([]Change, error) { return s.History(ctx, in.ID, before, limit) },
			func(c Change) int { return int(c.No) }, showStep)
		return &leadHistory{leadHistoryPage{items, next}}, err
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-lead-enquiries", Method: http.MethodGet, Path: pathLead + "/enquiries", Tag: tagLeads, Summary: "List each time that somebody came",
		Permission: auth.SalesRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *ofLead) (*leadEnquiries, error) {
		items, next, err := httpx.PageByID(in.Page, func(before uuid.UUID, limit int) ([]Enquiry, error) { return s.Enquiries(ctx, in.ID, before, limit) },
			func(e Enquiry) uuid.UUID { return e.ID }, showEnquiry)
		return &leadEnquiries{leadEnquiryPage{items, next}}, err
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-lead-notes", Method: http.MethodGet, Path: pathLead + "/notes", Tag: tagLeads, Summary: "List what was written down of a lead",
		Permission: auth.SalesRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *ofLead) (*leadNotes, error) {
		items, next, err := httpx.PageByID(in.Page, func(before uuid.UUID, limit int) ([]Note, error) { return s.Notes(ctx, in.ID, before, limit) },
			func(n Note) uuid.UUID { return n.ID }, showNote)
		return &leadNotes{leadNotePage{items, next}}, err
	})
}
