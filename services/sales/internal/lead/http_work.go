package lead

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
)

// LeadChecklist is what was found; what is left out stays as it is.
type LeadChecklist struct {
	Need        *string  `json:"need,omitempty" maxLength:"5000" doc:"What they need, in words."`
	BudgetMinor *int64   `json:"budget_minor,omitempty" minimum:"0" maximum:"9007199254740991" doc:"In minor units of budget_currency." example:"5000000"`
	Currency    *string  `json:"budget_currency,omitempty" maxLength:"3" doc:"ISO 4217." example:"CNY"`
	Authority   *string  `json:"authority,omitempty" enum:"decision_maker,influencer,user,none," doc:"Who the contact is in the decision." example:"decision_maker"`
	DecideBy    *string  `json:"decide_by,omitempty" format:"date" doc:"When they want to have decided." example:"2026-12-31"`
	Clear       []string `json:"clear,omitempty" nullable:"false" maxItems:"2" enum:"budget,decide_by" doc:"What is not known any more."`
}

func (c LeadChecklist) check() (Check, error) {
	found := Check{Need: c.Need, BudgetMinor: c.BudgetMinor, Currency: c.Currency, Authority: c.Authority, NoBudget: slices.Contains(c.Clear, "budget")}
	if slices.Contains(c.Clear, "decide_by") {
		found.DecideBy = &time.Time{}
	}
	if c.DecideBy != nil {
		day, err := time.Parse(time.DateOnly, *c.DecideBy)
		if err != nil || day.Year() < 1900 || day.Year() > 2999 {
			return found, invalid(faults{{Location: "decide_by", Code: "decide_by_out_of_range", Message: "must be a day such as 2026-12-31"}})
		}
		found.DecideBy = &day
	}
	return found, nil
}

// leadChange is what changes of a lead; what is left out stays as it is, and an empty text takes a value away.
type leadChange struct {
	Name     *string                    `json:"name,omitempty" maxLength:"200"`
	Company  *string                    `json:"company,omitempty" maxLength:"200"`
	JobTitle *string                    `json:"job_title,omitempty" maxLength:"200"`
	Email    *string                    `json:"email,omitempty" maxLength:"254"`
	Phone    *string                    `json:"phone,omitempty" maxLength:"64"`
	Website  *string                    `json:"website,omitempty" maxLength:"500"`
	Country  *string                    `json:"country,omitempty" maxLength:"3" doc:"ISO 3166-1."`
	Language *string                    `json:"language,omitempty" maxLength:"35"`
	Industry *string                    `json:"industry,omitempty" maxLength:"64" doc:"Code."`
	Source   *string                    `json:"source,omitempty" maxLength:"64" doc:"Code."`
	Campaign *string                    `json:"campaign,omitempty" maxLength:"64" doc:"Code."`
	Pipeline *string                    `json:"pipeline,omitempty" maxLength:"64" doc:"Code; empty: the tenant's first."`
	Tags     *[]string                  `json:"tags,omitempty" nullable:"false" maxItems:"50" doc:"All of them."`
	Custom   map[string]json.RawMessage `json:"custom_fields,omitempty" doc:"Values by the name of the field; null takes one away."`
	LeadChecklist
}

type changeLead struct {
	LeadPath
	IfMatch string `header:"If-Match" doc:"The ETag of the lead as it was read."`
	Body    leadChange
}

type qualifyLead struct {
	LeadPath
	Body LeadChecklist
}

type loseLead struct {
	LeadPath
	Body leadLoss
}

type leadLoss struct {
	Reason string `json:"reason" maxLength:"64" doc:"Code of one of the reasons for which leads are lost." example:"no_budget"`
}

type assignLead struct {
	LeadPath
	Body leadAssignment
}

type leadAssignment struct {
	Team  string `json:"team,omitempty" maxLength:"64" doc:"Code; absent: its team stays."`
	Owner string `json:"owner,omitempty" maxLength:"200" doc:"Subject of who is to look after it, of that team; absent: nobody yet."`
}

type writeLeadNote struct {
	LeadPath
	Body newLeadNote
}

type newLeadNote struct {
	Words string `json:"words" minLength:"1" maxLength:"5000"`
}

type leadNoteAnswer struct{ Body leadNoteView }

type leadNoteView struct {
	NoteID uuid.UUID `json:"note_id" format:"uuid"`
	Words  string    `json:"words" doc:"Empty where they were deleted."`
	By     string    `json:"by" doc:"Subject."`
	At     time.Time `json:"at"`
}

func showNote(n Note) leadNoteView { return leadNoteView{n.ID, n.Words, n.By, n.At.UTC()} }

var editErrors = []int{http.StatusNotFound, http.StatusConflict, http.StatusGone, http.StatusPreconditionFailed, http.StatusPreconditionRequired}

func (s *Leads) workRoutes(api *httpx.API) {
	httpx.Register(api, httpx.Operation{
		ID: "change-lead", Method: http.MethodPatch, Path: pathLead, Tag: tagLeads, Summary: "Change what is said of a lead",
		Permission: auth.SalesWrite, Errors: editErrors,
	}, func(ctx context.Context, in *changeLead) (*leadAnswer, error) {
		b := in.Body
		found, err := b.check()
		if err != nil {
			return nil, err
		}
		return answered(http.StatusOK)(s.Edit(ctx, in.ID, Edit{
			Name: b.Name, Company: b.Company, JobTitle: b.JobTitle, Email: b.Email, Phone: b.Phone, Website: b.Website, Country: b.Country,
			Language: b.Language, Industry: b.Industry, Source: b.Source, Campaign: b.Campaign, Pipeline: b.Pipeline, Tags: b.Tags, Custom: b.Custom,
			Check: found,
		}, func(version int64) error { return httpx.IfMatch(in.IfMatch, version) }))
	})
	unfit := []int{http.StatusNotFound, http.StatusConflict, http.StatusGone}
	httpx.Register(api, httpx.Operation{
		ID: "qualify-lead", Method: http.MethodPost, Path: pathLead + "/qualify", Tag: tagLeads, Summary: "Find a lead worth a seller's time",
		Description: "With what was found: need, budget, authority and time; each may be missing.",
		Permission:  auth.SalesWrite, Errors: unfit,
	}, func(ctx context.Context, in *qualifyLead) (*leadAnswer, error) {
		found, err := in.Body.check()
		if err != nil {
			return nil, err
		}
		return answered(http.StatusOK)(s.Qualify(ctx, in.ID, found))
	})
	httpx.Register(api, httpx.Operation{
		ID: "lose-lead", Method: http.MethodPost, Path: pathLead + "/lose", Tag: tagLeads, Summary: "Say that nothing comes of a lead, and why",
		Permission: auth.SalesWrite, Errors: unfit,
	}, func(ctx context.Context, in *loseLead) (*leadAnswer, error) {
		return answered(http.StatusOK)(s.Lose(ctx, in.ID, in.Body.Reason))
	})
	httpx.Register(api, httpx.Operation{
		ID: "reopen-lead", Method: http.MethodPost, Path: pathLead + "/reopen", Tag: tagLeads, Summary: "Begin a lost lead anew",
		Description: "What it counted in the reckoning of scores is taken back.",
		Permission:  auth.SalesWrite, Errors: unfit,
	}, func(ctx context.Context, in *LeadPath) (*leadAnswer, error) {
		return answered(http.StatusOK)(s.Reopen(ctx, in.ID))
	})
	httpx.Register(api, httpx.Operation{
		ID: "assign-lead", Method: http.MethodPost, Path: pathLead + "/assign", Tag: tagLeads, Summary: "Give a lead to a team and to somebody of it",
		Permission: auth.SalesWrite, Errors: unfit,
	}, func(ctx context.Context, in *assignLead) (*leadAnswer, error) {
		return answered(http.StatusOK)(s.Assign(ctx, in.ID, in.Body.Team, in.Body.Owner))
	})
	httpx.Register(api, httpx.Operation{
		ID: "release-lead", Method: http.MethodPost, Path: pathLead + "/release", Tag: tagLeads, Summary: "Take a lead from whoever has it",
		Permission: auth.SalesWrite, Errors: unfit,
	}, func(ctx context.Context, in *LeadPath) (*leadAnswer, error) {
		return answered(http.StatusOK)(s.Release(ctx, in.ID))
	})
	httpx.Register(api, httpx.Operation{
		ID: "erase-lead", Method: http.MethodDelete, Path: pathLead, Tag: tagLeads, Summary: "Delete the words of a lead",
		Description: "Those of its enquiries and notes with them. Codes and times stay; a lead that something might have come of is lost then.",
		Permission:  auth.SalesConfigure, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *LeadPath) (*struct{}, error) { return nil, s.Erase(ctx, in.ID) })
	httpx.Register(api, httpx.Operation{
		ID: "write-lead-note", Method: http.MethodPost, Path: pathLead + "/notes", Tag: tagLeads, Summary: "Write something down of a lead",
		Permission: auth.SalesWrite, Status: http.StatusCreated, Errors: []int{http.StatusNotFound, http.StatusGone},
	}, func(ctx context.Context, in *writeLeadNote) (*leadNoteAnswer, error) {
		n, err := s.Note(ctx, in.ID, in.Body.Words)
		if err != nil {
			return nil, err
		}
		return &leadNoteAnswer{showNote(n)}, nil
	})
}
