package customer

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/access"
)

type answer struct {
	ETag string `header:"ETag"`
	Body CustomerView
}

// answered shows a customer who was changed to a caller who did so for the usual purpose.
func answered(ctx context.Context, c Customer, err error) (*answer, error) {
	if err != nil {
		return nil, err
	}
	s, err := access.For(ctx, "")
	return &answer{ETag: httpx.ETag(c.Version), Body: show(c, s)}, err
}

type newIdentity struct {
	Type      string    `json:"type" doc:"phone, email, card, login, web_device, wechat_union, wechat, wecom or external:<system>." example:"phone" maxLength:"64"`
	Value     string    `json:"value" doc:"As people write it; it is brought to one form." example:"138 0013 8000" maxLength:"512"`
	ValidFrom time.Time `json:"valid_from,omitempty" doc:"Since when it is the customer's, where that is not now."`
	Verified  bool      `json:"verified,omitempty" doc:"It was shown to be the customer's."`
}

func (n newIdentity) given() Given { return Given(n) }

// someIdentity names an identity that a customer has.
type someIdentity struct {
	Type  string    `json:"type" example:"phone" maxLength:"64"`
	Value string    `json:"value" doc:"As people write it; it is brought to one form." example:"138 0013 8000" maxLength:"512"`
	At    time.Time `json:"at,omitempty" doc:"When, where that was not now."`
}

type newAddress struct {
	Kind       string   `json:"kind,omitempty" enum:"home,work,billing,delivery,other" default:"other"`
	Lines      []string `json:"lines" nullable:"false" doc:"Street, house, flat, as they are written; 1 to 5." example:"[\"中山路 1 号\"]"`
	City       string   `json:"city,omitempty" example:"上海"`
	Region     string   `json:"region,omitempty" doc:"Province or state."`
	PostalCode string   `json:"postal_code,omitempty" example:"200001"`
	Country    string   `json:"country,omitempty" doc:"ISO 3166-1 alpha-2; the tenant's where it is left out." example:"CN"`
}

func (n newAddress) place() Place { return Place(n) }

// customerAddressChange is what changes of an address.
type customerAddressChange struct {
	Kind       *string   `json:"kind,omitempty" enum:"home,work,billing,delivery,other"`
	Lines      *[]string `json:"lines,omitempty" nullable:"false"`
	City       *string   `json:"city,omitempty"`
	Region     *string   `json:"region,omitempty"`
	PostalCode *string   `json:"postal_code,omitempty"`
	Country    *string   `json:"country,omitempty"`
}

func (ch customerAddressChange) patch(p Place) Place {
	set(&p.Kind, ch.Kind)
	set(&p.Lines, ch.Lines)
	set(&p.City, ch.City)
	set(&p.Region, ch.Region)
	set(&p.PostalCode, ch.PostalCode)
	set(&p.Country, ch.Country)
	return p
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

// customFieldValues are values of custom fields, as JSON has them.
type customFieldValues = map[string]json.RawMessage

type registerInput struct{ Body newCustomer }

// newCustomer is what a customer is registered from.
type newCustomer struct {
	Kind           Kind              `json:"kind,omitempty" enum:"person,organisation" default:"person"`
	DisplayName    string            `json:"display_name,omitempty" doc:"Made of the other names where it is left out." example:"李雷"`
	GivenName      string            `json:"given_name,omitempty" example:"雷"`
	FamilyName     string            `json:"family_name,omitempty" example:"李"`
	LegalName      string            `json:"legal_name,omitempty" doc:"Of an organisation."`
	Source         string            `json:"source,omitempty" doc:"Code of where the registration comes from." default:"api" maxLength:"64"`
	Identities     []newIdentity     `json:"identities,omitempty" nullable:"false" maxItems:"50" doc:"What the customer is recognised by."`
	Addresses      []newAddress      `json:"addresses,omitempty" nullable:"false" maxItems:"20"`
	Tags           []string          `json:"tags,omitempty" nullable:"false" doc:"At most 50, each of at most 64 characters."`
	Owner          string            `json:"owner,omitempty" doc:"Subject of the user who looks after the customer."`
	CustomFields   customFieldValues `json:"custom_fields,omitempty" doc:"By name; see /v1/custom-fields."`
	AllowDuplicate bool              `json:"allow_duplicate,omitempty" doc:"Register also where somebody alike is there already."`
}

func (in *registerInput) registration() Registration {
	b := in.Body
	r := Registration{
		Names: Names{Display: b.DisplayName, Given: b.GivenName, Family: b.FamilyName, Legal: b.LegalName},
		Kind:  b.Kind, Source: b.Source, Tags: b.Tags, Owner: b.Owner, Custom: b.CustomFields, AllowDuplicate: b.AllowDuplicate,
	}
	for _, i := range b.Identities {
		r.Identities = append(r.Identities, i.given())
	}
	for _, a := range b.Addresses {
		r.Addresses = append(r.Addresses, a.place())
	}
	return r
}

type getInput struct {
	access.Asked
	ID uuid.UUID `path:"customer_id" format:"uuid" doc:"The customer's id, or that of one who was merged into the customer."`
}

type changeInput struct {
	ID      uuid.UUID `path:"customer_id" format:"uuid"`
	IfMatch string    `header:"If-Match" doc:"The ETag of the customer as it was read."`
	Body    customerChange
}

// customerChange is what changes of a customer.
type customerChange struct {
	DisplayName  *string           `json:"display_name,omitempty" doc:"Empty: made of the other names."`
	GivenName    *string           `json:"given_name,omitempty"`
	FamilyName   *string           `json:"family_name,omitempty"`
	LegalName    *string           `json:"legal_name,omitempty"`
	Kind         *Kind             `json:"kind,omitempty" enum:"person,organisation"`
	Tags         *[]string         `json:"tags,omitempty" nullable:"false" doc:"All of them: those that are left out go."`
	Owner        *string           `json:"owner,omitempty" doc:"Empty: nobody."`
	CustomFields customFieldValues `json:"custom_fields,omitempty" doc:"Those that change, by name; null takes a value away."`
}

func (ch customerChange) patch() Patch {
	return Patch{
		Display: ch.DisplayName, Given: ch.GivenName, Family: ch.FamilyName, Legal: ch.LegalName,
		Kind: ch.Kind, Tags: ch.Tags, Owner: ch.Owner, Custom: ch.CustomFields,
	}
}

type byCustomer struct {
	ID uuid.UUID `path:"customer_id" format:"uuid"`
}

type identifyInput struct {
	ID   uuid.UUID `path:"customer_id" format:"uuid"`
	Body newIdentity
}

type identityInput struct {
	ID   uuid.UUID `path:"customer_id" format:"uuid"`
	Body someIdentity
}

type addAddressInput struct {
	ID   uuid.UUID `path:"customer_id" format:"uuid"`
	Body newAddress
}

type changeAddressInput struct {
	ID        uuid.UUID `path:"customer_id" format:"uuid"`
	AddressID uuid.UUID `path:"address_id" format:"uuid"`
	IfMatch   string    `header:"If-Match" doc:"The ETag of the customer as it was read."`
	Body      customerAddressChange
}

type removeAddressInput struct {
	ID        uuid.UUID `path:"customer_id" format:"uuid"`
	AddressID uuid.UUID `path:"address_id" format:"uuid"`
}

type customerListInput struct {
	httpx.Page
	access.Asked
	State State `query:"state" enum:"active,archived" doc:"Only those; without it both."`
}

type customerListAnswer struct{ Body customerPage }

type customerPage struct {
	Items      []CustomerView `json:"items" nullable:"false"`
	NextCursor string         `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

type lookupInput struct {
	access.Asked
	Type         string `query:"type" required:"true" doc:"phone, email, card, login, web_device, wechat_union, wechat, wecom or external:<system>." example:"phone" maxLength:"64"`
	Value        string `query:"value" required:"true" doc:"As people write it; it is brought to one form." example:"138 0013 8000" maxLength:"512"`
	IncludeEnded bool   `query:"include_ended" doc:"Also whose a card or another identity of one customer only was before. Who had a telephone or mailbox is answered in any case, last."`
}

type lookupAnswer struct{ Body customerMatches }

type customerMatches struct {
	Items []customerMatch `json:"items" nullable:"false" doc:"The likeliest first; at most 20."`
}

type customerMatch struct {
	Rank int `json:"rank" doc:"From 1, the likeliest." example:"1"`
	Why  Why `json:"why" enum:"verified,unverified,ended,archived" doc:"verified: it was shown to be theirs; unverified: they have it; ended: they had it; archived: the customer is out of the way."`
	CustomerView
}

type summaryAnswer struct{ Body customerSummary }

type customerSummary struct {
	Customers int64 `json:"customers" doc:"How many customers the tenant has."`
}

func (c *Customers) get(ctx context.Context, in *getInput) (*answer, error) {
	s, err := in.Sight(ctx)
	if err != nil {
		return nil, err
	}
	found, err := c.Get(ctx, s, in.ID)
	if err != nil {
		return nil, err
	}
	return &answer{ETag: httpx.ETag(found.Version), Body: show(found, s)}, nil
}

func (c *Customers) register(ctx context.Context, in *registerInput) (*answer, error) {
	made, err := c.Register(ctx, in.registration())
	return answered(ctx, made, err)
}

func (c *Customers) change(ctx context.Context, in *changeInput) (*answer, error) {
	fresh := func(version int64) error { return httpx.IfMatch(in.IfMatch, version) }
	now, err := c.Change(ctx, in.ID, in.Body.patch(), fresh)
	return answered(ctx, now, err)
}

func (c *Customers) changeAddress(ctx context.Context, in *changeAddressInput) (*answer, error) {
	fresh := func(version int64) error { return httpx.IfMatch(in.IfMatch, version) }
	now, err := c.ChangeAddress(ctx, in.ID, in.AddressID, in.Body.patch, fresh)
	return answered(ctx, now, err)
}

func (c *Customers) list(ctx context.Context, in *customerListInput) (*customerListAnswer, error) {
	s, err := in.Sight(ctx)
	if err != nil {
		return nil, err
	}
	items, next, err := httpx.PageByID(in.Page, func(after uuid.UUID, limit int) ([]Customer, error) {
		return c.List(ctx, s, in.State, after, limit)
	}, func(c Customer) uuid.UUID { return c.ID }, func(c Customer) CustomerView { return show(c, s) })
	if err != nil {
		return nil, err
	}
	return &customerListAnswer{customerPage{items, next}}, nil
}

func (c *Customers) lookup(ctx context.Context, in *lookupInput) (*lookupAnswer, error) {
	s, err := in.Sight(ctx)
	if err != nil {
		return nil, err
	}
	found, err := c.Lookup(ctx, s, in.Type, in.Value, in.IncludeEnded)
	if err != nil {
		return nil, err
	}
	items := make([]customerMatch, len(found))
	for n, f := range found {
		items[n] = customerMatch{Rank: n + 1, Why: f.Why, CustomerView: show(f.Customer, s)}
	}
	return &lookupAnswer{customerMatches{items}}, nil
}

func (c *Customers) summary(ctx context.Context, _ *struct{}) (*summaryAnswer, error) {
	n, err := c.Count(ctx)
	return &summaryAnswer{customerSummary{n}}, err
}
