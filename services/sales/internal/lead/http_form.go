package lead

import (
	"context"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// LeadFormContent is what people say of a form.
type LeadFormContent struct {
	Name      string          `json:"name" minLength:"1" maxLength:"200" example:"Ask for an offer"`
	Origins   []string        `json:"origins" nullable:"false" minItems:"1" maxItems:"20" doc:"Of the websites that it stands on: browsers send it from nowhere else." example:"[\"https://www.example.com\"]"`
	Fields    []leadFormField `json:"fields" nullable:"false" minItems:"1" maxItems:"50" doc:"What it asks for. One of name, company, email and phone must be there."`
	Trap      string          `json:"trap,omitempty" maxLength:"63" doc:"Name of a field that people do not see: what fills it in is a machine, and is not kept." example:"fax"`
	Source    string          `json:"source,omitempty" maxLength:"64" doc:"Code that its leads get." example:"web"`
	Campaign  string          `json:"campaign,omitempty" maxLength:"64" doc:"Code that its leads get."`
	Team      string          `json:"team,omitempty" maxLength:"64" doc:"Code of the team that its leads are for."`
	Tags      []string        `json:"tags,omitempty" nullable:"false" maxItems:"50" doc:"That its leads get."`
	PerMinute int             `json:"per_minute,omitempty" minimum:"1" maximum:"10000" default:"60" doc:"How often it can be filled in within a minute, by all together."`
}

type leadFormField struct {
	Name     string `json:"name" maxLength:"80" doc:"name, company, job_title, email, phone, website, country, language, industry, message, or custom. and the name of a custom field." example:"email"`
	Required bool   `json:"required,omitempty"`
}

func (c LeadFormContent) content() FormContent {
	f := FormContent{Name: c.Name, Origins: c.Origins, Trap: c.Trap, Source: c.Source, Campaign: c.Campaign, Team: c.Team, Tags: c.Tags, PerMinute: c.PerMinute}
	for _, one := range c.Fields {
		f.Fields = append(f.Fields, FormField(one))
	}
	return f
}

type leadFormView struct {
	FormID uuid.UUID `json:"form_id" format:"uuid"`
	Code   string    `json:"code" example:"offer"`
	Key    string    `json:"form_key" doc:"By which the website sends it, to /v1/forms/{form_key}/leads. No secret, but it cannot be guessed."`
	State  string    `json:"state" enum:"open,closed"`
	LeadFormContent
	Version   int64     `json:"version" doc:"The ETag."`
	ChangedAt time.Time `json:"changed_at"`
	ChangedBy string    `json:"changed_by" doc:"Subject."`
}

func showLeadForm(f Form) leadFormView {
	v := leadFormView{
		FormID: f.ID, Code: f.Code, Key: f.Key, State: "closed", Version: f.Version, ChangedAt: f.ChangedAt, ChangedBy: f.By,
		LeadFormContent: LeadFormContent{
			Name: f.Name, Origins: orEmpty(f.Origins), Fields: make([]leadFormField, len(f.Fields)), Trap: f.Trap, Source: f.Source, Campaign: f.Campaign,
			Team: f.Team, Tags: f.Tags, PerMinute: f.PerMinute,
		},
	}
	if f.Open {
		v.State = "open"
	}
	for i, one := range f.Fields {
		v.Fields[i] = leadFormField(one)
	}
	return v
}

type leadFormAnswer struct {
	Status int
	ETag   string `header:"ETag"`
	Body   leadFormView
}

func answerForm(status int) func(Form, error) (*leadFormAnswer, error) {
	return func(f Form, err error) (*leadFormAnswer, error) {
		if err != nil {
			return nil, err
		}
		return &leadFormAnswer{status, httpx.ETag(f.Version), showLeadForm(f)}, nil
	}
}

type defineLeadForm struct{ Body newLeadForm }

// newLeadForm is what a form is made of.
type newLeadForm struct {
	Code string `json:"code" maxLength:"64" doc:"For life." example:"offer"`
	LeadFormContent
}

// LeadFormPath names a form.
type LeadFormPath struct {
	ID uuid.UUID `path:"form_id" format:"uuid"`
}

// LeadFormEdit names a form as somebody has seen it.
type LeadFormEdit struct {
	LeadFormPath
	IfMatch string `header:"If-Match" doc:"The ETag of the form as it was read."`
}

func (e LeadFormEdit) fresh(version int64) error { return httpx.IfMatch(e.IfMatch, version) }

type changeLeadForm struct {
	LeadFormEdit
	Body LeadFormContent
}

type listLeadForms struct{ httpx.Page }

type leadForms struct{ Body leadFormPage }

type leadFormPage struct {
	Items      []leadFormView `json:"items" nullable:"false" doc:"In the order in which they were made."`
	NextCursor string         `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

const tagForms, pathForms, pathForm = "Lead forms", "/v1/lead-forms", "/v1/lead-forms/{form_id}"

func (s *Leads) formRoutes(api *httpx.API) {
	httpx.Register(api, httpx.Operation{
		ID: "define-lead-form", Method: http.MethodPost, Path: pathForms, Tag: tagForms, Summary: "Make a form for a website",
		Permission: auth.SalesConfigure, Status: http.StatusCreated, Errors: []int{http.StatusConflict},
	}, func(ctx context.Context, in *defineLeadForm) (*leadFormAnswer, error) {
		return answerForm(http.StatusCreated)(s.DefineForm(ctx, in.Body.Code, in.Body.content()))
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-lead-forms", Method: http.MethodGet, Path: pathForms, Tag: tagForms, Summary: "List forms",
		Permission: auth.SalesRead,
	}, func(ctx context.Context, in *listLeadForms) (*leadForms, error) {
		items, next, err := httpx.PageByID(in.Page, func(after uuid.UUID, limit int) ([]Form, error) { return s.Forms(ctx, after, limit) },
			func(f Form) uuid.UUID { return f.ID }, showLeadForm)
		return &leadForms{leadFormPage{items, next}}, err
	})
	httpx.Register(api, httpx.Operation{
		ID: "get-lead-form", Method: http.MethodGet, Path: pathForm, Tag: tagForms, Summary: "Read a form",
		Permission: auth.SalesRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *LeadFormPath) (*leadFormAnswer, error) {
		return answerForm(http.StatusOK)(s.Form(ctx, in.ID))
	})
	stale := []int{http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed, http.StatusPreconditionRequired}
	httpx.Register(api, httpx.Operation{
		ID: "change-lead-form", Method: http.MethodPut, Path: pathForm, Tag: tagForms, Summary: "Change a form",
		Permission: auth.SalesConfigure, Errors: stale,
	}, func(ctx context.Context, in *changeLeadForm) (*leadFormAnswer, error) {
		return answerForm(http.StatusOK)(s.ChangeForm(ctx, in.ID, in.Body.content(), in.fresh))
	})
	for _, o := range []struct {
		verb, summary string
		open          bool
	}{{"open", "Open a form that was closed", true}, {"close", "Close a form: it takes nothing any more", false}} {
		httpx.Register(api, httpx.Operation{
			ID: o.verb + "-lead-form", Method: http.MethodPost, Path: pathForm + "/" + o.verb, Tag: tagForms, Summary: o.summary,
			Permission: auth.SalesConfigure, Errors: stale,
		}, func(ctx context.Context, in *LeadFormEdit) (*leadFormAnswer, error) {
			return answerForm(http.StatusOK)(s.OpenForm(ctx, in.ID, o.open, in.fresh))
		})
	}
	httpx.Register(api, httpx.Operation{
		ID: "renew-lead-form-key", Method: http.MethodPost, Path: pathForm + "/renew-key", Tag: tagForms, Summary: "Give a form another key",
		Description: "The key before is good for nothing from then on.",
		Permission:  auth.SalesConfigure, Errors: stale,
	}, func(ctx context.Context, in *LeadFormEdit) (*leadFormAnswer, error) {
		return answerForm(http.StatusOK)(s.RenewKey(ctx, in.ID, in.fresh))
	})
}

type fillForm struct {
	Key    string `path:"form_key"`
	Origin string `header:"Origin" maxLength:"300" doc:"Of the website, as browsers send it."`
	Body   filledForm
}

// filledForm is what somebody filled in.
type filledForm struct {
	Fields map[string]string `json:"fields" doc:"What was filled in, by the name of the field; the trap too, where there is one." example:"{\"name\": \"Lily Chen\", \"email\": \"lily@northern-pizza.example\"}"`
}

type formTaken struct {
	Status int
	Body   leadFormTaken
}

type leadFormTaken struct {
	Received bool `json:"received" doc:"true."`
}

const pathFill = "/v1/forms/{form_key}/leads"

// fillRoutes adds what visitors of a website may do, who have no token of ours.
func (s *Leads) fillRoutes(api *httpx.API) {
	httpx.Register(api, httpx.Operation{
		ID: "fill-lead-form", Method: http.MethodPost, Path: pathFill, Tag: tagForms, Summary: "Send a form that was filled in",
		Description: "Without sign-in: the key is the right. The answer is the same whether or not somebody is known.",
		Public:      true, Status: http.StatusAccepted, MaxBody: 64 << 10, Errors: []int{http.StatusForbidden, http.StatusNotFound, http.StatusTooManyRequests},
	}, func(ctx context.Context, in *fillForm) (*formTaken, error) {
		inside, f, err := s.formOf(ctx, in.Key)
		if err != nil {
			return nil, err
		}
		if err := cross(ctx, f, in.Origin); err != nil {
			return nil, err
		}
		if err := s.Fill(inside, f, in.Body.Fields); err != nil {
			return nil, err
		}
		return &formTaken{http.StatusAccepted, leadFormTaken{true}}, nil
	})
	httpx.Stream(api, httpx.Operation{
		ID: "ask-lead-form", Method: http.MethodOptions, Path: pathFill, Tag: tagForms, Summary: "Ask, as browsers do, whether a website may send a form",
		Public: true, Status: http.StatusNoContent, Errors: []int{http.StatusForbidden, http.StatusNotFound},
	}, func(c *gin.Context) error {
		ctx := c.Request.Context()
		_, f, err := s.formOf(ctx, c.Param("form_key"))
		if err != nil {
			return err
		}
		if err := cross(ctx, f, c.GetHeader("Origin")); err != nil {
			return err
		}
		c.Header("Access-Control-Allow-Methods", http.MethodPost)
		c.Header("Access-Control-Allow-Headers", "Content-Type")
		c.Header("Access-Control-Max-Age", "600")
		c.Status(http.StatusNoContent)
		c.Writer.WriteHeaderNow()
		return nil
	})
}

// cross lets a browser read the answer on the websites of the form, problems included, and refuses all others.
func cross(ctx context.Context, f Form, origin string) error {
	httpx.AnswerHeader(ctx, "Vary", "Origin")
	if !f.allows(origin) {
		return problem.New(problem.Forbidden, "origin_not_allowed", "This form does not stand on that website.").
			WithField("header.Origin", "origin_not_allowed", "is none of the form's")
	}
	if origin != "" {
		httpx.AnswerHeader(ctx, "Access-Control-Allow-Origin", origin)
	}
	return nil
}
