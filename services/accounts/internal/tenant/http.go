package tenant

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
)

// tenantView is a tenant as the API shows it.
type tenantView struct {
	TenantID    string    `json:"tenant_id" doc:"The tenant's slug." example:"pizza"`
	DisplayName string    `json:"display_name" doc:"The organisation's name." example:"老王比萨"`
	Region      string    `json:"region" doc:"ISO 3166-1 alpha-2 country whose national telephone numbers are meant." example:"CN"`
	Language    string    `json:"language" doc:"BCP 47 tag." example:"zh-Hans"`
	TimeZone    string    `json:"time_zone" doc:"IANA time zone in which the tenant's days begin." example:"Asia/Shanghai"`
	Currency    string    `json:"currency" doc:"ISO 4217 code of the currency that the tenant reports in." example:"CNY"`
	State       State     `json:"state" enum:"active,suspended" doc:"A suspended tenant can be read but not changed."`
	Version     int64     `json:"version" doc:"Rises by one with every change; the ETag."`
	CreatedAt   time.Time `json:"created_at"`
	ChangedAt   time.Time `json:"changed_at"`
}

func show(t Tenant) tenantView {
	return tenantView{
		TenantID: t.ID, DisplayName: t.DisplayName, Region: t.Region, Language: t.Language, TimeZone: t.TimeZone,
		Currency: t.Currency, State: t.State, Version: t.Version, CreatedAt: t.CreatedAt.UTC(), ChangedAt: t.ChangedAt.UTC(),
	}
}

type answer struct {
	ETag string `header:"ETag"`
	Body tenantView
}

func answered(t Tenant, err error) (*answer, error) {
	if err != nil {
		return nil, err
	}
	return &answer{ETag: httpx.ETag(t.Version), Body: show(t)}, nil
}

type createInput struct{ Body newTenant }

// newTenant is what a tenant is created from.
type newTenant struct {
	TenantID    string `json:"tenant_id" doc:"The slug by which tokens and rows name the tenant, for life: a-z, 0-9 and -." example:"pizza" maxLength:"63"`
	DisplayName string `json:"display_name" doc:"The organisation's name." example:"老王比萨" maxLength:"200"`
	Region      string `json:"region" doc:"ISO 3166-1 alpha-2." example:"CN"`
	Language    string `json:"language" doc:"BCP 47." example:"zh-Hans"`
	TimeZone    string `json:"time_zone" doc:"IANA." example:"Asia/Shanghai"`
	Currency    string `json:"currency" doc:"ISO 4217." example:"CNY"`
}

type byID struct {
	ID string `path:"tenant_id" doc:"The tenant's slug."`
}

type listInput struct {
	httpx.Page
}

type listAnswer struct{ Body tenantPage }

type tenantPage struct {
	Items      []tenantView `json:"items" nullable:"false"`
	NextCursor string       `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

type changeInput struct {
	ID      string `path:"tenant_id" doc:"The tenant's slug."`
	IfMatch string `header:"If-Match" doc:"The ETag of the tenant as it was read."`
	Body    tenantChange
}

// tenantChange are the settings that change.
type tenantChange struct {
	DisplayName *string `json:"display_name,omitempty" maxLength:"200"`
	Region      *string `json:"region,omitempty"`
	Language    *string `json:"language,omitempty"`
	TimeZone    *string `json:"time_zone,omitempty"`
	Currency    *string `json:"currency,omitempty"`
}

// Routes adds the operations on tenants.
func (t *Tenants) Routes(api *httpx.API) {
	const tag = "Tenants"
	httpx.Register(api, httpx.Operation{
		ID: "create-tenant", Method: http.MethodPost, Path: "/v1/tenants", Tag: tag, Summary: "Create a tenant",
		Permission: auth.TenantsManage, AnyTenant: true, Status: http.StatusCreated, Errors: []int{http.StatusConflict},
	}, func(ctx context.Context, in *createInput) (*answer, error) {
		b := in.Body
		return answered(t.Create(ctx, b.TenantID, Settings{b.DisplayName, b.Region, b.Language, b.TimeZone, b.Currency}))
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-tenants", Method: http.MethodGet, Path: "/v1/tenants", Tag: tag, Summary: "List all tenants, by id",
		Permission: auth.TenantsManage, AnyTenant: true,
	}, t.list)
	httpx.Register(api, httpx.Operation{
		ID: "get-tenant", Method: http.MethodGet, Path: "/v1/tenants/{tenant_id}", Tag: tag, Summary: "Read a tenant",
		Description: "People of a tenant read their own; platform administrators read each.",
		Permission:  auth.TenantsRead, AnyTenant: true, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *byID) (*answer, error) { return answered(t.Get(ctx, in.ID)) })
	httpx.Register(api, httpx.Operation{
		ID: "change-tenant", Method: http.MethodPatch, Path: "/v1/tenants/{tenant_id}", Tag: tag, Summary: "Change a tenant's settings",
		Description: "Fields that are left out stay as they are.",
		Permission:  auth.TenantsManage, AnyTenant: true,
		Errors: []int{http.StatusNotFound, http.StatusPreconditionFailed, http.StatusPreconditionRequired},
	}, func(ctx context.Context, in *changeInput) (*answer, error) {
		fresh := func(version int64) error { return httpx.IfMatch(in.IfMatch, version) }
		return answered(t.Change(ctx, in.ID, Patch(in.Body), fresh))
	})
	httpx.Register(api, httpx.Operation{
		ID: "suspend-tenant", Method: http.MethodPost, Path: "/v1/tenants/{tenant_id}/suspend", Tag: tag, Summary: "Suspend a tenant",
		Description: "From now on the tenant can be read but not changed. Suspending twice changes nothing.",
		Permission:  auth.TenantsManage, AnyTenant: true, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *byID) (*answer, error) { return answered(t.Suspend(ctx, in.ID)) })
	httpx.Register(api, httpx.Operation{
		ID: "resume-tenant", Method: http.MethodPost, Path: "/v1/tenants/{tenant_id}/resume", Tag: tag, Summary: "Resume a suspended tenant",
		Permission: auth.TenantsManage, AnyTenant: true, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *byID) (*answer, error) { return answered(t.Resume(ctx, in.ID)) })
}

func (t *Tenants) list(ctx context.Context, in *listInput) (*listAnswer, error) {
	after, err := httpx.DecodeCursor(in.Cursor, 1)
	if err != nil {
		return nil, err
	}
	rows, err := t.List(ctx, strings.Join(after, ""), in.Limit+1)
	if err != nil {
		return nil, err
	}
	page, next := httpx.NextPage(rows, in.Limit, func(last Tenant) []string { return []string{last.ID} })
	body := tenantPage{Items: make([]tenantView, len(page)), NextCursor: next}
	for n, one := range page {
		body.Items[n] = show(one)
	}
	return &listAnswer{body}, nil
}
