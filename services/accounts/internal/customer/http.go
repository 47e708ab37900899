package customer

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
)

// customerView is a customer as the API shows it.
type customerView struct {
	CustomerID   uuid.UUID      `json:"customer_id" format:"uuid"`
	Kind         Kind           `json:"kind" enum:"person,organisation"`
	DisplayName  string         `json:"display_name" doc:"What people read; empty for a customer who is known by an id only." example:"李雷"`
	GivenName    string         `json:"given_name,omitempty" example:"雷"`
	FamilyName   string         `json:"family_name,omitempty" example:"李"`
	LegalName    string         `json:"legal_name,omitempty" doc:"Of an organisation."`
	Source       string         `json:"source" doc:"Where the registration came from." example:"api"`
	Identities   []identityView `json:"identities" nullable:"false" doc:"What the customer is recognised by, oldest first."`
	Version      int64          `json:"version" doc:"Rises by one with every change; the ETag."`
	RegisteredAt time.Time      `json:"registered_at"`
	ChangedAt    time.Time      `json:"changed_at"`
}

type identityView struct {
	Type       string     `json:"type" doc:"phone, email, card or external:<system>." example:"phone"`
	Value      string     `json:"value" doc:"In its one form: phone in E.164, email in lower case." example:"+8613800138000"`
	AddedAt    time.Time  `json:"added_at"`
	VerifiedAt *time.Time `json:"verified_at,omitempty" doc:"When it was shown to be the customer's; absent: never."`
}

func show(c Customer) customerView {
	v := customerView{
		CustomerID: c.ID, Kind: c.Kind, DisplayName: c.Display, GivenName: c.Given, FamilyName: c.Family, LegalName: c.Legal,
		Source: c.Source, Identities: make([]identityView, len(c.Identities)), Version: c.Version,
		RegisteredAt: c.RegisteredAt.UTC(), ChangedAt: c.ChangedAt.UTC(),
	}
	for n, i := range c.Identities {
		v.Identities[n] = identityView{Type: string(i.Type), Value: i.Value, AddedAt: i.AddedAt.UTC()}
		if !i.VerifiedAt.IsZero() {
			at := i.VerifiedAt.UTC()
			v.Identities[n].VerifiedAt = &at
		}
	}
	return v
}

type answer struct {
	ETag string `header:"ETag"`
	Body customerView
}

func answered(c Customer, err error) (*answer, error) {
	if err != nil {
		return nil, err
	}
	return &answer{ETag: httpx.ETag(c.Version), Body: show(c)}, nil
}

type newIdentity struct {
	Type  string `json:"type" doc:"phone, email, card or external:<system>." example:"phone" maxLength:"64"`
	Value string `json:"value" doc:"As people write it; it is brought to one form." example:"138 0013 8000" maxLength:"512"`
}

type registerInput struct{ Body newCustomer }

// newCustomer is what a customer is registered from.
type newCustomer struct {
	Kind        Kind          `json:"kind,omitempty" enum:"person,organisation" default:"person"`
	DisplayName string        `json:"display_name,omitempty" doc:"Made of the other names where it is left out." example:"李雷"`
	GivenName   string        `json:"given_name,omitempty" example:"雷"`
	FamilyName  string        `json:"family_name,omitempty" example:"李"`
	LegalName   string        `json:"legal_name,omitempty" doc:"Of an organisation."`
	Source      string        `json:"source,omitempty" doc:"Code of where the registration comes from." default:"api" maxLength:"64"`
	Identities  []newIdentity `json:"identities,omitempty" nullable:"false" maxItems:"50" doc:"What the customer is recognised by."`
}

type byID struct {
	ID uuid.UUID `path:"customer_id" format:"uuid"`
}

type changeInput struct {
	ID      uuid.UUID `path:"customer_id" format:"uuid"`
	IfMatch string    `header:"If-Match" doc:"The ETag of the customer as it was read."`
	Body    customerChange
}

// customerChange are the names that change.
type customerChange struct {
	DisplayName *string `json:"display_name,omitempty" doc:"Empty: made of the other names."`
	GivenName   *string `json:"given_name,omitempty"`
	FamilyName  *string `json:"family_name,omitempty"`
	LegalName   *string `json:"legal_name,omitempty"`
}

type identifyInput struct {
	ID   uuid.UUID `path:"customer_id" format:"uuid"`
	Body newIdentity
}

type listInput struct {
	httpx.Page
}

type listAnswer struct{ Body customerPage }

type customerPage struct {
	Items      []customerView `json:"items" nullable:"false"`
	NextCursor string         `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

type lookupInput struct {
	Type  string `query:"type" required:"true" doc:"phone, email, card or external:<system>." example:"phone" maxLength:"64"`
	Value string `query:"value" required:"true" doc:"As people write it; it is brought to one form." example:"138 0013 8000" maxLength:"512"`
}

type lookupAnswer struct{ Body customerMatches }

type customerMatches struct {
	Items []customerView `json:"items" nullable:"false" doc:"The likeliest first; at most 20."`
}

type summaryAnswer struct{ Body customerSummary }

type customerSummary struct {
	Customers int64 `json:"customers" doc:"How many customers the tenant has."`
}

// Routes adds the operations on customers.
func (c *Customers) Routes(api *httpx.API) {
	const tag = "Customers"
	httpx.Register(api, httpx.Operation{
		ID: "register-customer", Method: http.MethodPost, Path: "/v1/customers", Tag: tag, Summary: "Register a customer",
		Description: "A card and an id in another system belong to one customer only: a second one is answered with 409, " +
			"naming the first. A telephone number or a mail address may be shared.",
		Permission: auth.CustomersWrite, Status: http.StatusCreated, Errors: []int{http.StatusConflict},
	}, func(ctx context.Context, in *registerInput) (*answer, error) {
		return answered(c.Register(ctx, in.registration()))
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-customers", Method: http.MethodGet, Path: "/v1/customers", Tag: tag, Summary: "List customers in the order of registration",
		Permission: auth.CustomersRead,
	}, c.list)
	httpx.Register(api, httpx.Operation{
		ID: "lookup-customers", Method: http.MethodGet, Path: "/v1/customers/lookup", Tag: tag, Summary: "Find customers by an identity",
		Description: "Who may be calling: those for whom the identity is verified come first, then those to whom it was added last.",
		Permission:  auth.CustomersRead,
	}, c.lookup)
	httpx.Register(api, httpx.Operation{
		ID: "summarise-customers", Method: http.MethodGet, Path: "/v1/customers/summary", Tag: tag, Summary: "Count customers",
		Permission: auth.CustomersRead,
	}, c.summary)
	httpx.Register(api, httpx.Operation{
		ID: "get-customer", Method: http.MethodGet, Path: "/v1/customers/{customer_id}", Tag: tag, Summary: "Read a customer",
		Permission: auth.CustomersRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *byID) (*answer, error) { return answered(c.Get(ctx, in.ID)) })
	httpx.Register(api, httpx.Operation{
		ID: "change-customer", Method: http.MethodPatch, Path: "/v1/customers/{customer_id}", Tag: tag, Summary: "Change a customer's names",
		Description: "Fields that are left out stay as they are.",
		Permission:  auth.CustomersWrite,
		Errors:      []int{http.StatusNotFound, http.StatusPreconditionFailed, http.StatusPreconditionRequired},
	}, func(ctx context.Context, in *changeInput) (*answer, error) {
		fresh := func(version int64) error { return httpx.IfMatch(in.IfMatch, version) }
		return answered(c.Rename(ctx, in.ID, Patch{in.Body.DisplayName, in.Body.GivenName, in.Body.FamilyName, in.Body.LegalName}, fresh))
	})
	httpx.Register(api, httpx.Operation{
		ID: "identify-customer", Method: http.MethodPost, Path: "/v1/customers/{customer_id}/identities", Tag: tag,
		Summary:     "Add an identity to a customer",
		Description: "One that the customer has already changes nothing.",
		Permission:  auth.CustomersWrite, Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, func(ctx context.Context, in *identifyInput) (*answer, error) {
		return answered(c.Identify(ctx, in.ID, Given(in.Body)))
	})
}

func (in *registerInput) registration() Registration {
	b := in.Body
	r := Registration{
		Names: Names{Display: b.DisplayName, Given: b.GivenName, Family: b.FamilyName, Legal: b.LegalName},
		Kind:  b.Kind, Source: b.Source,
	}
	for _, i := range b.Identities {
		r.Identities = append(r.Identities, Given(i))
	}
	return r
}

func (c *Customers) list(ctx context.Context, in *listInput) (*listAnswer, error) {
	items, next, err := httpx.PageByID(in.Page, func(after uuid.UUID, limit int) ([]Customer, error) { return c.List(ctx, after, limit) },
		func(c Customer) uuid.UUID { return c.ID }, show)
	if err != nil {
		return nil, err
	}
	return &listAnswer{customerPage{items, next}}, nil
}

func (c *Customers) lookup(ctx context.Context, in *lookupInput) (*lookupAnswer, error) {
	found, err := c.Lookup(ctx, in.Type, in.Value)
	if err != nil {
		return nil, err
	}
	return &lookupAnswer{customerMatches{showAll(found)}}, nil
}

func (c *Customers) summary(ctx context.Context, _ *struct{}) (*summaryAnswer, error) {
	n, err := c.Count(ctx)
	return &summaryAnswer{customerSummary{n}}, err
}

func showAll(customers []Customer) []customerView {
	views := make([]customerView, len(customers))
	for n, c := range customers {
		views[n] = show(c)
	}
	return views
}
