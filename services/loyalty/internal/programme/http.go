package programme

import (
	"context"
	"net/http"
	"time"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
)

// programmeView is a programme as the API shows it.
type programmeView struct {
	Code    string `json:"code" example:"standard"`
	Name    string `json:"name" example:"Bean club"`
	Zone    string `json:"zone" doc:"IANA: whose days points and tiers end with." example:"Asia/Shanghai"`
	Version int    `json:"version" doc:"Of the terms; 0 for those that hold where nobody wrote any."`
	Latest  int    `json:"latest,omitempty" doc:"Number of the latest version, which may not be in force yet; the ETag."`
	Terms   Terms  `json:"terms"`
}

func show(p Programme, latest int) programmeView {
	return programmeView{Code: p.Code, Name: p.Name, Zone: p.Zone.String(), Version: p.Version, Latest: latest, Terms: p.Terms}
}

// versionView is a version of a programme as the API shows it.
type versionView struct {
	Code          string     `json:"code"`
	Version       int        `json:"version"`
	EffectiveFrom time.Time  `json:"effective_from"`
	Terms         Terms      `json:"terms"`
	By            string     `json:"by" doc:"Subject of whoever wrote it."`
	CreatedAt     time.Time  `json:"created_at"`
	WithdrawnAt   *time.Time `json:"withdrawn_at,omitempty" doc:"It was taken back before it was in force."`
}

func showVersion(s Stored) versionView {
	v := versionView{Code: s.Code, Version: s.Version, EffectiveFrom: s.From, Terms: s.Terms, By: s.By, CreatedAt: s.CreatedAt}
	if !s.Withdrawn.IsZero() {
		v.WithdrawnAt = &s.Withdrawn
	}
	return v
}

type programmeInput struct{ Body newProgramme }

// newProgramme is what a programme is made of.
type newProgramme struct {
	Code  string `json:"code" maxLength:"64" doc:"standard for the one that everybody has, which can be given other terms by this; or a new one." example:"coffee-club"`
	Name  string `json:"name" maxLength:"200" example:"Coffee club"`
	Zone  string `json:"zone" maxLength:"64" doc:"IANA. It cannot be changed." example:"Asia/Shanghai"`
	Terms Terms  `json:"terms" doc:"In force from now on."`
}

type versionInput struct {
	Code    string `path:"code" maxLength:"64"`
	IfMatch string `header:"If-Match"`
	Body    newVersion
}

// newVersion is what a version is made of.
type newVersion struct {
	EffectiveFrom *time.Time `json:"effective_from,omitempty" doc:"From when on these terms hold; not in the past. Left out: now."`
	Terms         Terms      `json:"terms"`
}

type programmePath struct {
	Code string    `path:"code" maxLength:"64"`
	At   time.Time `query:"at" doc:"The terms that are, or were, in force then; left out: now."`
}

type versionPath struct {
	Code    string `path:"code" maxLength:"64"`
	Version int    `path:"version" minimum:"1" maximum:"100000"`
}

type versionsInput struct {
	Code string `path:"code" maxLength:"64"`
	httpx.Page
}

type programmeAnswer struct {
	ETag string `header:"ETag"`
	Body programmeView
}

type versionAnswer struct {
	ETag string `header:"ETag"`
	Body versionView
}

type programmesAnswer struct{ Body programmeList }

type programmeList struct {
	Items []programmeView `json:"items"`
}

type versionsAnswer struct{ Body versionList }

type versionList struct {
	Items      []versionView `json:"items"`
	NextCursor string        `json:"next_cursor,omitempty"`
}

func answered(s Stored, err error) (*versionAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &versionAnswer{httpx.ETag(int64(s.Latest)), showVersion(s)}, nil
}

// Routes adds the operations on programmes.
func (p *Programmes) Routes(api *httpx.API) {
	const tag = "Programmes"
	httpx.Register(api, httpx.Operation{
		ID: "create-programme", Method: http.MethodPost, Path: "/v1/programmes", Tag: tag, Summary: "Make a programme, or give the standard one terms of its own",
		Permission: auth.LoyaltyConfigure, Status: http.StatusCreated, Errors: []int{http.StatusConflict},
	}, func(ctx context.Context, in *programmeInput) (*versionAnswer, error) {
		return answered(p.Create(ctx, Draft(in.Body)))
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-programmes", Method: http.MethodGet, Path: "/v1/programmes", Tag: tag, Summary: "List the programmes, by the terms in force",
		Permission: auth.LoyaltyRead,
	}, func(ctx context.Context, _ *struct{}) (*programmesAnswer, error) {
		all, err := p.List(ctx, p.now())
		body := programmeList{Items: make([]programmeView, len(all))}
		for i, one := range all {
			body.Items[i] = show(one, 0)
		}
		return &programmesAnswer{body}, err
	})
	httpx.Register(api, httpx.Operation{
		ID: "get-programme", Method: http.MethodGet, Path: "/v1/programmes/{code}", Tag: tag, Summary: "Read a programme by the terms in force, now or at another time",
		Permission: auth.LoyaltyRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *programmePath) (*programmeAnswer, error) {
		at := in.At
		if at.IsZero() {
			at = p.now()
		}
		one, latest, err := p.Get(ctx, in.Code, at)
		if err != nil {
			return nil, err
		}
		return &programmeAnswer{httpx.ETag(int64(latest)), show(one, latest)}, nil
	})
	p.versionRoutes(api, tag)
}

func (p *Programmes) versionRoutes(api *httpx.API, tag string) {
	httpx.Register(api, httpx.Operation{
		ID: "write-programme-version", Method: http.MethodPost, Path: "/v1/programmes/{code}/versions", Tag: tag, Summary: "Write a version of a programme",
		Description: "It holds from effective_from on; what was done by the versions before stands. If-Match names the latest version that you have seen.",
		Permission:  auth.LoyaltyConfigure, Status: http.StatusCreated,
		Errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed, http.StatusPreconditionRequired},
	}, func(ctx context.Context, in *versionInput) (*versionAnswer, error) {
		var from time.Time
		if in.Body.EffectiveFrom != nil {
			from = *in.Body.EffectiveFrom
		}
		return answered(p.Write(ctx, in.Code, from, in.Body.Terms, func(latest int) error { return httpx.IfMatch(in.IfMatch, int64(latest)) }))
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-programme-versions", Method: http.MethodGet, Path: "/v1/programmes/{code}/versions", Tag: tag, Summary: "List the versions of a programme, the latest first",
		Permission: auth.LoyaltyRead,
	}, p.versionsHTTP)
	httpx.Register(api, httpx.Operation{
		ID: "get-programme-version", Method: http.MethodGet, Path: "/v1/programmes/{code}/versions/{version}", Tag: tag, Summary: "Read a version of a programme",
		Permission: auth.LoyaltyRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *versionPath) (*versionAnswer, error) {
		return answered(p.Version(ctx, in.Code, in.Version))
	})
	httpx.Register(api, httpx.Operation{
		ID: "withdraw-programme-version", Method: http.MethodPost, Path: "/v1/programmes/{code}/versions/{version}/withdraw", Tag: tag, Summary: "Take a version back that is not in force yet",
		Permission: auth.LoyaltyConfigure, Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, func(ctx context.Context, in *versionPath) (*versionAnswer, error) {
		return answered(p.Withdraw(ctx, in.Code, in.Version))
	})
}

func (p *Programmes) versionsHTTP(ctx context.Context, in *versionsInput) (*versionsAnswer, error) {
	items, next, err := httpx.PageByNumber(in.Page, func(before, limit int) ([]Stored, error) { return p.Versions(ctx, in.Code, before, limit) },
		func(s Stored) int { return s.Version }, showVersion)
	return &versionsAnswer{versionList{items, next}}, err
}
