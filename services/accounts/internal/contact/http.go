package contact

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/consent"
)

// contactView is a contact as the API shows it, without the address.
type contactView struct {
	ContactID  uuid.UUID       `json:"contact_id" format:"uuid"`
	AskedFor   uuid.UUID       `json:"asked_for" format:"uuid" doc:"The customer's id as it was asked for."`
	Purpose    consent.Purpose `json:"purpose"`
	Allowed    bool            `json:"allowed"`
	Refusal    Refusal         `json:"refusal,omitempty" enum:"no_address,no_consent,withdrawn,suppressed,guardian_needed,customer_unknown,customer_erased" doc:"Why the customer may not be reached."`
	Channel    consent.Channel `json:"channel,omitempty" doc:"By which the customer may be reached; where refused, the one that was asked for."`
	ReasonType string          `json:"reason_type" doc:"What it was for." example:"complaint"`
	ReasonID   string          `json:"reason_id"`
	AskedBy    string          `json:"asked_by" doc:"Subject on whose behalf."`
	AskedAt    time.Time       `json:"asked_at"`
	ValidUntil *time.Time      `json:"valid_until,omitempty" doc:"Until when the address can be fetched."`
	RevealedAt *time.Time      `json:"revealed_at,omitempty" doc:"When it was fetched."`
	RevealedBy string          `json:"revealed_by,omitempty" doc:"Subject."`
}

func show(c Contact) contactView {
	on := c.By
	if c.Refusal != "" {
		on = c.Channel
	}
	return contactView{
		ContactID: c.ID, AskedFor: c.Customer, Purpose: c.Purpose, Allowed: c.Refusal == "", Refusal: c.Refusal, Channel: on,
		ReasonType: c.ReasonType, ReasonID: c.ReasonID, AskedBy: c.AskedBy, AskedAt: c.AskedAt,
		ValidUntil: pg.OrNull(c.ValidUntil), RevealedAt: pg.OrNull(c.RevealedAt), RevealedBy: c.RevealedBy,
	}
}

type contactsInput struct {
	ID uuid.UUID `path:"customer_id" format:"uuid"`
	httpx.Page
}

type contactsAnswer struct{ Body contactPage }

type contactPage struct {
	Items      []contactView `json:"items" nullable:"false"`
	NextCursor string        `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

type byContact struct {
	ID uuid.UUID `path:"contact_id" format:"uuid"`
}

type addressAnswer struct {
	CacheControl string `header:"Cache-Control"`
	Body         contactAddress
}

type contactAddress struct {
	ContactID uuid.UUID       `json:"contact_id" format:"uuid"`
	Channel   consent.Channel `json:"channel"`
	Type      string          `json:"type" doc:"Of the identity: email, phone, wechat or wecom." example:"email"`
	Address   string          `json:"address" doc:"In its one form." example:"li.lei@example.com"`
}

// Routes adds the operations on contacts.
func (c *Contacts) Routes(api *httpx.API) {
	const tag = "Contacts"
	httpx.Register(api, httpx.Operation{
		ID: "list-contacts", Method: http.MethodGet, Path: "/v1/customers/{customer_id}/contacts", Tag: tag,
		Summary:     "List how a customer was reached, the latest first",
		Description: "Every question of a process whether the customer may be reached, with its answer.",
		Permission:  auth.CustomersRead, Errors: []int{http.StatusNotFound, http.StatusGone},
	}, c.listHTTP)
	httpx.Register(api, httpx.Operation{
		ID: "reveal-contact-address", Method: http.MethodGet, Path: "/v1/contacts/{contact_id}/address", Tag: tag,
		Summary: "Fetch the address of a contact, once",
		Description: "For whoever delivers the message, while the contact is valid. Consent is looked at again; every attempt is logged. " +
			"A second one is 409 contact_used.",
		Permission: auth.ContactsReveal, Errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusGone},
	}, func(ctx context.Context, in *byContact) (*addressAnswer, error) {
		a, err := c.Reveal(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		return &addressAnswer{CacheControl: "no-store", Body: contactAddress{a.Contact, a.Channel, string(a.Address.Type), a.Address.Value}}, nil
	})
}

func (c *Contacts) listHTTP(ctx context.Context, in *contactsInput) (*contactsAnswer, error) {
	items, next, err := httpx.PageByID(in.Page, func(before uuid.UUID, limit int) ([]Contact, error) {
		return c.List(ctx, in.ID, before, limit)
	}, func(one Contact) uuid.UUID { return one.ID }, show)
	if err != nil {
		return nil, err
	}
	return &contactsAnswer{contactPage{items, next}}, nil
}
