package lead

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/externalref"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// leadView is a lead as the API shows it.
type leadView struct {
	LeadID      uuid.UUID       `json:"lead_id" format:"uuid"`
	State       State           `json:"state" enum:"open,nurturing,qualified,converted,lost"`
	Name        string          `json:"name,omitempty" example:"Lily Chen"`
	Company     string          `json:"company,omitempty" example:"Northern Pizza"`
	JobTitle    string          `json:"job_title,omitempty"`
	Email       string          `json:"email,omitempty" doc:"In lower case."`
	Phone       string          `json:"phone,omitempty" doc:"E.164." example:"+8613800138000"`
	Website     string          `json:"website,omitempty" doc:"A domain."`
	Country     string          `json:"country,omitempty" doc:"ISO 3166-1; of the telephone number, where it was not said."`
	Language    string          `json:"language,omitempty"`
	Industry    string          `json:"industry,omitempty" doc:"Code."`
	Capture     Capture         `json:"capture" enum:"api,form,import,campaign_reply" doc:"How it came in."`
	Source      string          `json:"source,omitempty" doc:"Code of where the interest came from."`
	Campaign    string          `json:"campaign,omitempty" doc:"Code."`
	FormID      *uuid.UUID      `json:"form_id,omitempty" format:"uuid"`
	Team        string          `json:"team,omitempty" doc:"Code."`
	Owner       string          `json:"owner,omitempty" doc:"Subject of who looks after it."`
	AssignedAt  *time.Time      `json:"assigned_at,omitempty"`
	Pipeline    string          `json:"pipeline" doc:"Code."`
	Tags        []string        `json:"tags" nullable:"false"`
	Custom      map[string]any  `json:"custom_fields" doc:"By name."`
	Need        string          `json:"need,omitempty"`
	BudgetMinor *int64          `json:"budget_minor,omitempty" doc:"In minor units."`
	Currency    string          `json:"budget_currency,omitempty" doc:"ISO 4217."`
	Authority   string          `json:"authority,omitempty" enum:"decision_maker,influencer,user,none," doc:"Who the contact is in the decision."`
	DecideBy    string          `json:"decide_by,omitempty" format:"date"`
	QualifiedAt *time.Time      `json:"qualified_at,omitempty"`
	QualifiedBy string          `json:"qualified_by,omitempty" doc:"Subject."`
	LostAt      *time.Time      `json:"lost_at,omitempty"`
	LostReason  string          `json:"lost_reason,omitempty" doc:"Code; erased: the words were deleted."`
	ConvertedAt *time.Time      `json:"converted_at,omitempty"`
	CustomerID  *uuid.UUID      `json:"customer_id,omitempty" format:"uuid" doc:"The customer whom it is known to be, by the id that means them now."`
	ContactID   *uuid.UUID      `json:"contact_id,omitempty" format:"uuid" doc:"Of a converted one: the person who is the customer's contact."`
	Opportunity *uuid.UUID      `json:"opportunity_id,omitempty" format:"uuid" doc:"Of a converted one; absent where it came in as won."`
	Candidates  []leadCandidate `json:"customer_candidates" nullable:"false" doc:"Customers who it may be."`
	CheckedAt   *time.Time      `json:"customer_checked_at,omitempty" doc:"When it was last looked up who it may be."`
	Score       float64         `json:"score" doc:"How likely it is won, in percent with two decimals: 0.01 to 99.99; 0 while nothing was learnt." example:"7.48"`
	Automatic   bool            `json:"score_automatic" doc:"The score was reckoned; false: set by hand."`
	Enquiries   int             `json:"enquiries" doc:"How often they came, the first time included."`
	EnquiredAt  time.Time       `json:"enquired_at" doc:"The last time."`
	CapturedAt  time.Time       `json:"captured_at" doc:"When they came first."`
	RecordedAt  time.Time       `json:"recorded_at" doc:"When that came in here."`
	ChangedAt   time.Time       `json:"changed_at"`
	ErasedAt    *time.Time      `json:"erased_at,omitempty" doc:"When the words were deleted."`
	Version     int64           `json:"version" doc:"Rises by one with every change; the ETag."`
}

type leadCandidate struct {
	CustomerID uuid.UUID `json:"customer_id" format:"uuid"`
	Reasons    []string  `json:"reasons" nullable:"false" doc:"Codes of why."`
}

func show(s Seen) leadView {
	l := s.Lead
	v := leadView{
		LeadID: l.ID, State: l.State, Name: l.Name, Company: l.Company, JobTitle: l.JobTitle, Email: l.Email, Phone: l.Phone, Website: l.Website,
		Country: l.Country, Language: l.Language, Industry: l.Industry, Capture: l.Capture, Source: l.Source, Campaign: l.Campaign,
		FormID: id(l.FormID), Team: l.Team, Owner: l.Owner, AssignedAt: instant(l.AssignedAt), Pipeline: l.Pipeline, Tags: orEmpty(l.Tags),
		Custom: l.Custom, Need: l.Need, BudgetMinor: l.BudgetMinor, Currency: l.Currency, Authority: l.Authority,
		QualifiedAt: instant(l.QualifiedAt), QualifiedBy: l.QualifiedBy, LostAt: instant(l.LostAt), LostReason: l.LostReason,
		ConvertedAt: instant(l.ConvertedAt), CustomerID: id(l.Root), ContactID: id(l.ContactID), Opportunity: id(l.OpportunityID),
		Candidates: make([]leadCandidate, len(l.Candidates)), CheckedAt: instant(l.CustomerCheckedAt),
		Score: float64(s.Score.Probability) / 100, Automatic: s.Score.Automatic, Enquiries: l.Enquiries, EnquiredAt: l.EnquiredAt, CapturedAt: l.CapturedAt,
		RecordedAt: l.RecordedAt, ChangedAt: l.ChangedAt, ErasedAt: instant(l.ErasedAt), Version: l.Version,
	}
	if l.Custom == nil {
		v.Custom = map[string]any{}
	}
	if !l.DecideBy.IsZero() {
		v.DecideBy = l.DecideBy.Format(time.DateOnly)
	}
	for i, c := range l.Candidates {
		v.Candidates[i] = leadCandidate{c.CustomerID, orEmpty(c.Reasons)}
	}
	return v
}

type leadAnswer struct {
	Status int
	ETag   string `header:"ETag"`
	Body   leadView
}

// answered answers with a lead.
func answered(status int) func(Seen, error) (*leadAnswer, error) {
	return func(s Seen, err error) (*leadAnswer, error) {
		if err != nil {
			return nil, err
		}
		return &leadAnswer{Status: status, ETag: httpx.ETag(s.Lead.Version), Body: show(s)}, nil
	}
}

// LeadContact are the words about somebody, as they come in.
type LeadContact struct {
	Name     string `json:"name,omitempty" maxLength:"200" doc:"Of the person." example:"Lily Chen"`
	Company  string `json:"company,omitempty" maxLength:"200" example:"Northern Pizza"`
	JobTitle string `json:"job_title,omitempty" maxLength:"200" example:"Head of purchasing"`
	Email    string `json:"email,omitempty" maxLength:"254" example:"lily@northern-pizza.example"`
	Phone    string `json:"phone,omitempty" maxLength:"64" doc:"National, or with + and the country code." example:"138 0013 8000"`
	Website  string `json:"website,omitempty" maxLength:"500" example:"https://www.northern-pizza.example/"`
	Country  string `json:"country,omitempty" maxLength:"3" doc:"ISO 3166-1." example:"CN"`
	Language string `json:"language,omitempty" maxLength:"35" example:"zh"`
	Industry string `json:"industry,omitempty" maxLength:"64" doc:"Code." example:"catering"`
	Message  string `json:"message,omitempty" maxLength:"5000" doc:"What they want, in their words. It goes into no event."`
}

func (c LeadContact) contact() Contact {
	return Contact{Name: c.Name, Company: c.Company, JobTitle: c.JobTitle, Email: c.Email, Phone: c.Phone, Website: c.Website}
}

// newLead is what a lead is captured from.
type newLead struct {
	ExternalRef *leadRef   `json:"external_ref,omitempty" doc:"The other system's name for what came in. The same sent again is answered as it stands."`
	CustomerID  *uuid.UUID `json:"customer_id,omitempty" format:"uuid" doc:"Whom it is known to be. Without it one of name, company, email and phone must be given."`
	LeadContact
	Source   string                     `json:"source,omitempty" maxLength:"64" doc:"Code of where the interest came from." example:"fair"`
	Campaign string                     `json:"campaign,omitempty" maxLength:"64" doc:"Code."`
	Team     string                     `json:"team,omitempty" maxLength:"64" doc:"Code; absent: the rules of assignment say."`
	Pipeline string                     `json:"pipeline,omitempty" maxLength:"64" doc:"Code; absent: the team's, or the tenant's first."`
	Tags     []string                   `json:"tags,omitempty" nullable:"false" maxItems:"50"`
	Custom   map[string]json.RawMessage `json:"custom_fields,omitempty" doc:"Values by the name of the field."`
}

type leadRef struct {
	System string `json:"system" doc:"The other system's code." example:"fair-app" maxLength:"32"`
	ID     string `json:"id" doc:"The id as that system writes it." example:"2026-0017" maxLength:"128"`
}

// ref gives another system's name, or says what is wrong with it.
func (r *leadRef) ref() (externalref.Ref, error) {
	if r == nil {
		return externalref.Ref{}, nil
	}
	ref, wrong := externalref.New(r.System, r.ID)
	if wrong != nil {
		return ref, invalid(faults{{Location: "external_ref." + wrong.Field, Code: wrong.Code, Message: wrong.Message}})
	}
	return ref, nil
}

type captureLead struct{ Body newLead }

// newCampaignReply is what somebody answered to a campaign.
type newCampaignReply struct {
	Campaign   string     `json:"campaign" minLength:"1" maxLength:"64" doc:"Code of the campaign that they answer." example:"autumn-26"`
	CustomerID *uuid.UUID `json:"customer_id,omitempty" format:"uuid" doc:"Who answers, where that is known. Without it one of name, company, email and phone must be given."`
	LeadContact
	ExternalRef *leadRef `json:"external_ref,omitempty" doc:"The other system's name for the reply. The same sent again is answered as it stands."`
	Source      string   `json:"source,omitempty" maxLength:"64" doc:"Code of the channel." example:"mailing"`
	Team        string   `json:"team,omitempty" maxLength:"64" doc:"Code; absent: the rules of assignment say."`
	Tags        []string `json:"tags,omitempty" nullable:"false" maxItems:"50"`
}

type replyToCampaign struct{ Body newCampaignReply }

// LeadPath names a lead.
type LeadPath struct {
	ID uuid.UUID `path:"lead_id" format:"uuid"`
}

// ListLeads says which leads are meant.
type ListLeads struct {
	httpx.Page
	State      State     `query:"state" enum:"open,nurturing,qualified,converted,lost" doc:"Only those."`
	Owner      string    `query:"owner" maxLength:"200" doc:"Only those that the subject looks after."`
	Unassigned bool      `query:"unassigned" doc:"Only those that nobody looks after."`
	Team       string    `query:"team" maxLength:"64" doc:"Only those of the team of this code."`
	Source     string    `query:"source" maxLength:"64" doc:"Only those of this source."`
	Campaign   string    `query:"campaign" maxLength:"64" doc:"Only those of this campaign."`
	Tag        string    `query:"tag" maxLength:"64" doc:"Only those that have this tag."`
	CustomerID uuid.UUID `query:"customer_id" format:"uuid" doc:"Only those that are known to be this customer."`
	Begins     string    `query:"begins" maxLength:"100" doc:"Only those whose name or company begins so; capitals do not count."`
	Order      string    `query:"order" enum:"latest,score" default:"latest" doc:"The latest captured first, or the likeliest."`
}

type leadList struct{ Body leadPage }

type leadPage struct {
	Items      []leadView `json:"items" nullable:"false"`
	NextCursor string     `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

const tagLeads, pathLeads, pathLead = "Leads", "/v1/leads", "/v1/leads/{lead_id}"

// Routes adds the operations on leads.
func (s *Leads) Routes(api *httpx.API) {
	s.captureRoutes(api)
	s.readRoutes(api)
	s.workRoutes(api)
	s.settingRoutes(api)
	s.formRoutes(api)
	s.fillRoutes(api)
}

func (s *Leads) captureRoutes(api *httpx.API) {
	const again = "Where an open lead is of the same person already, by what the tenant has set, that lead is answered with 200 and one enquiry more."
	httpx.Register(api, httpx.Operation{
		ID: "capture-lead", Method: http.MethodPost, Path: pathLeads, Tag: tagLeads, Summary: "Capture a lead", Description: again,
		Permission: auth.SalesWrite, Status: http.StatusCreated, Errors: []int{http.StatusConflict, http.StatusGone},
	}, func(ctx context.Context, in *captureLead) (*leadAnswer, error) {
		b := in.Body
		ref, err := b.ExternalRef.ref()
		if err != nil {
			return nil, err
		}
		return s.captured(ctx, Draft{
			ExternalRef: ref, CustomerID: orNone(b.CustomerID), Contact: b.contact(), Message: b.Message, Capture: ByAPI,
			Profile: Profile{Country: b.Country, Language: b.Language, Industry: b.Industry, Source: b.Source, Campaign: b.Campaign},
			Team:    b.Team, Pipeline: b.Pipeline, Tags: b.Tags, Custom: b.Custom,
		})
	})
	httpx.Register(api, httpx.Operation{
		ID: "reply-to-campaign", Method: http.MethodPost, Path: pathLeads + "/campaign-replies", Tag: tagLeads, Summary: "Capture the reply to a campaign", Description: again,
		Permission: auth.SalesWrite, Status: http.StatusCreated, Errors: []int{http.StatusConflict, http.StatusGone},
	}, func(ctx context.Context, in *replyToCampaign) (*leadAnswer, error) {
		b := in.Body
		ref, err := b.ExternalRef.ref()
		if err != nil {
			return nil, err
		}
		return s.captured(ctx, Draft{
			ExternalRef: ref, CustomerID: orNone(b.CustomerID), Contact: b.contact(), Message: b.Message, Capture: ByCampaignReply,
			Profile: Profile{Country: b.Country, Language: b.Language, Industry: b.Industry, Source: b.Source, Campaign: b.Campaign},
			Team:    b.Team, Tags: b.Tags,
		})
	})
}

// captured answers with what became of a draft.
func (s *Leads) captured(ctx context.Context, d Draft) (*leadAnswer, error) {
	l, made, err := s.Capture(ctx, d)
	if err != nil {
		return nil, err
	}
	status := http.StatusOK
	if made {
		status = http.StatusCreated
	}
	return answered(status)(s.See(ctx, l.ID))
}

func (s *Leads) readRoutes(api *httpx.API) {
	httpx.Register(api, httpx.Operation{
		ID: "list-leads", Method: http.MethodGet, Path: pathLeads, Tag: tagLeads, Summary: "List leads, the latest captured or the likeliest first",
		Permission: auth.SalesRead,
	}, s.list)
	httpx.Register(api, httpx.Operation{
		ID: "get-lead", Method: http.MethodGet, Path: pathLead, Tag: tagLeads, Summary: "Read a lead",
		Permission: auth.SalesRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *LeadPath) (*leadAnswer, error) {
		return answered(http.StatusOK)(s.See(ctx, in.ID))
	})
	s.hangingRoutes(api)
}

func (s *Leads) list(ctx context.Context, in *ListLeads) (*leadList, error) {
	after, err := spot(in.Cursor)
	if err != nil {
		return nil, err
	}
	if in.Unassigned && in.Owner != "" {
		return nil, problem.New(problem.Unprocessable, "validation_failed", "Some of what was sent is not valid; errors says what.").
			WithField("query.unassigned", "unfit", "cannot be asked for together with owner")
	}
	rows, err := s.List(ctx, Filter{
		State: in.State, Owner: in.Owner, Unassigned: in.Unassigned, Team: in.Team, Source: in.Source, Campaign: in.Campaign, Tag: in.Tag,
		CustomerID: in.CustomerID, Begins: in.Begins, ByScore: in.Order == "score", After: after,
	}, in.Limit+1)
	if err != nil {
		return nil, err
	}
	page, next := httpx.NextPage(rows, in.Limit, func(last Seen) []string {
		score := last.Score.Probability
		if last.Lead.State == Converted || last.Lead.State == Lost {
			score = 0 // closed ones have none to be sorted by
		}
		return []string{strconv.Itoa(int(score)), last.Lead.ID.String()}
	})
	items := make([]leadView, len(page))
	for i, one := range page {
		items[i] = show(one)
	}
	return &leadList{leadPage{items, next}}, nil
}

// spot is where a page begins.
func spot(cursor string) (*Spot, error) {
	parts, err := httpx.DecodeCursor(cursor, 2)
	if parts == nil || err != nil {
		return nil, err
	}
	score, err := strconv.ParseInt(parts[0], 10, 32)
	at, wrong := uuid.Parse(parts[1])
	if err != nil || wrong != nil {
		return nil, httpx.CursorInvalid()
	}
	return &Spot{int32(score), at}, nil
}
