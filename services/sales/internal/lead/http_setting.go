package lead

import (
	"context"
	"net/http"
	"time"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// LeadSettings is what a tenant wants of leads.
type LeadSettings struct {
	Dedupe []Key  `json:"dedupe" nullable:"false" maxItems:"3" enum:"email,phone,company" doc:"By what two leads are the same; company: the domain, with names that are alike. None: each capture is a lead of its own."`
	Region string `json:"region" minLength:"2" maxLength:"2" doc:"ISO 3166-1 code of the country that a telephone number without one is of." example:"CN"`
}

type leadSettingView struct {
	LeadSettings
	Version   int64      `json:"version" doc:"0: what every tenant has that set nothing; the ETag."`
	ChangedAt *time.Time `json:"changed_at,omitempty"`
	ChangedBy string     `json:"changed_by,omitempty" doc:"Subject."`
}

type leadSettingAnswer struct {
	ETag string `header:"ETag"`
	Body leadSettingView
}

func answerSetting(s Setting, err error) (*leadSettingAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &leadSettingAnswer{httpx.ETag(s.Version), leadSettingView{
		LeadSettings{orEmpty(s.Dedupe), s.Region}, s.Version, pg.OrNull(s.ChangedAt), s.By,
	}}, nil
}

type setUpLeads struct {
	IfMatch string `header:"If-Match" doc:"The ETag of the setting as it was read."`
	Body    LeadSettings
}

func (s *Leads) settingRoutes(api *httpx.API) {
	const path = "/v1/lead-settings"
	httpx.Register(api, httpx.Operation{
		ID: "get-lead-settings", Method: http.MethodGet, Path: path, Tag: tagLeads, Summary: "Read by what leads are found to be the same",
		Permission: auth.SalesRead,
	}, func(ctx context.Context, _ *struct{}) (*leadSettingAnswer, error) {
		return answerSetting(s.Setting(ctx))
	})
	httpx.Register(api, httpx.Operation{
		ID: "change-lead-settings", Method: http.MethodPut, Path: path, Tag: tagLeads, Summary: "Set by what leads are found to be the same",
		Permission: auth.SalesConfigure, Errors: []int{http.StatusPreconditionFailed, http.StatusPreconditionRequired},
	}, func(ctx context.Context, in *setUpLeads) (*leadSettingAnswer, error) {
		return answerSetting(s.SetUp(ctx, in.Body.Dedupe, in.Body.Region, func(version int64) error { return httpx.IfMatch(in.IfMatch, version) }))
	})
}
