package customer

import (
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/access"
)

// CustomerView is a customer as the API shows it, as far as the caller may see it.
type CustomerView struct {
	CustomerID  uuid.UUID   `json:"customer_id" format:"uuid" doc:"The customer's own id, also where it was asked for by an alias."`
	Aliases     []uuid.UUID `json:"aliases,omitempty" doc:"Ids of the customers who were merged into this one."`
	State       State       `json:"state" enum:"active,archived" doc:"One who is archived is not changed."`
	Kind        Kind        `json:"kind,omitempty" enum:"person,organisation"`
	DisplayName string      `json:"display_name" doc:"What people read; empty for a customer who is known by an id only." example:"李雷"`
	GivenName   string      `json:"given_name,omitempty" example:"雷"`
	FamilyName  string      `json:"family_name,omitempty" example:"李"`
	LegalName   string      `json:"legal_name,omitempty" doc:"Of an organisation."`

	Identities []identityView `json:"identities" nullable:"false" doc:"What the customer is recognised by, oldest first."`
	Addresses  []addressView  `json:"addresses" nullable:"false" doc:"Oldest first."`

	Source       string         `json:"source,omitempty" doc:"Where the registration came from." example:"api"`
	Owner        string         `json:"owner,omitempty" doc:"Subject of the user who looks after the customer."`
	Tags         []string       `json:"tags" nullable:"false" doc:"Sorted."`
	CustomFields map[string]any `json:"custom_fields" nullable:"false" doc:"By name; see /v1/custom-fields."`

	Stage            Stage             `json:"stage,omitempty" enum:"awareness,exploration,familiarity,loyalty,separation"`
	StageSince       *time.Time        `json:"stage_since,omitempty"`
	StageManualUntil *time.Time        `json:"stage_manual_until,omitempty" doc:"Until when only a person changes the stage."`
	Segment          Segment           `json:"segment,omitempty" enum:"suspect,prospect,current,lost" doc:"What follows from the stage."`
	Completeness     *completenessView `json:"completeness,omitempty"`

	Version      int64             `json:"version" doc:"Rises by one with every change; the ETag."`
	RegisteredAt time.Time         `json:"registered_at"`
	ChangedAt    time.Time         `json:"changed_at"`
	Withheld     []access.Withheld `json:"withheld" nullable:"false" doc:"Classes of data that are left out here, whether there is any of them or not."`
}

type completenessView struct {
	Score   int      `json:"score" minimum:"0" maximum:"100"`
	Missing []string `json:"missing" nullable:"false" doc:"What is not known, the weightiest first." example:"[\"email\"]"`
}

type identityView struct {
	Type       string     `json:"type" doc:"phone, email, card, login, web_device, wechat_union, wechat, wecom or external:<system>." example:"phone"`
	Value      string     `json:"value" doc:"In its one form: phone in E.164, email in lower case." example:"+8613800138000"`
	AddedAt    time.Time  `json:"added_at"`
	VerifiedAt *time.Time `json:"verified_at,omitempty" doc:"When it was shown to be the customer's; absent: never."`
	ValidFrom  *time.Time `json:"valid_from,omitempty" doc:"Absent: since it was added."`
	ValidTo    *time.Time `json:"valid_to,omitempty" doc:"Since when it is the customer's no longer; absent: it is still."`
}

type addressView struct {
	AddressID  uuid.UUID `json:"address_id" format:"uuid"`
	Kind       string    `json:"kind" enum:"home,work,billing,delivery,other"`
	Lines      []string  `json:"lines" nullable:"false"`
	City       string    `json:"city,omitempty"`
	Region     string    `json:"region,omitempty" doc:"Province or state."`
	PostalCode string    `json:"postal_code,omitempty"`
	Country    string    `json:"country" doc:"ISO 3166-1 alpha-2." example:"CN"`
	AddedAt    time.Time `json:"added_at"`
}

// show leaves out what is out of sight, each field by its class; what is no field of data, such as ids and times, stays.
func show(c Customer, s access.Sight) CustomerView {
	v := CustomerView{
		CustomerID: c.ID, Aliases: c.Aliases, State: c.State, Version: c.Version, RegisteredAt: c.RegisteredAt, ChangedAt: c.ChangedAt,
		Identities: []identityView{}, Addresses: []addressView{}, Tags: []string{}, CustomFields: map[string]any{}, Withheld: s.Withheld(),
	}
	if s.May(access.Identity) {
		v.Kind, v.DisplayName, v.GivenName, v.FamilyName, v.LegalName = c.Kind, c.Display, c.Given, c.Family, c.Legal
	}
	if s.May(access.Behaviour) {
		v.Source, v.Owner = c.Source, c.Owner
		v.Tags = append(v.Tags, c.Tags...)
		v.Stage, v.StageSince, v.StageManualUntil, v.Segment = c.Stage, pg.OrNull(c.StageSince), pg.OrNull(c.StageManualUntil), c.Stage.Segment()
		known := c.Completeness()
		v.Completeness = &completenessView{known.Score, known.Missing}
	}
	for _, i := range c.Identities {
		if s.May(access.OfIdentity(string(i.Type))) {
			v.Identities = append(v.Identities, identityView{
				Type: string(i.Type), Value: i.Value, AddedAt: i.AddedAt,
				VerifiedAt: pg.OrNull(i.VerifiedAt), ValidFrom: pg.OrNull(i.ValidFrom), ValidTo: pg.OrNull(i.ValidTo),
			})
		}
	}
	for _, a := range c.Addresses {
		if s.May(access.Contact) {
			v.Addresses = append(v.Addresses, addressView{a.ID, a.Kind, a.Lines, a.City, a.Region, a.PostalCode, a.Country, a.AddedAt})
		}
	}
	for name, value := range c.Custom {
		if s.May(c.Classes[name]) {
			v.CustomFields[name] = value
		}
	}
	return v
}
