package matching

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customer"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/identity"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/tenant"
)

// Somebody is who may be a customer, as the caller knows them.
type Somebody struct {
	customer.Names
	Kind       customer.Kind // empty: a person
	Identities []SomebodysIdentity
	Country    string // ISO 3166-1 alpha-2, with PostalCode
	PostalCode string
}

// SomebodysIdentity is an identity as the caller wrote it.
type SomebodysIdentity struct{ Type, Value string }

// Find gives the customers who may be somebody, by the tenant's rules and by exclusive identities, the surest first: at most
// 20. Nothing is kept of who was asked for. What cannot be read is Unprocessable, match_invalid.
func (m *Matches) Find(ctx context.Context, who Somebody) ([]Match, error) {
	var found []Match
	err := m.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		region, err := tenant.Region(ctx, tx)
		if err != nil {
			return err
		}
		draft, faults := who.draft(region, m.now())
		if len(faults) > 0 {
			return problem.InvalidBody("match_invalid", "Nobody was looked for: mend the fields named here.", faults)
		}
		matches, err := Candidates(ctx, tx, []customer.Customer{draft})
		if err == nil {
			found = matches[0]
		}
		return err
	})
	return found, err
}

func (s Somebody) draft(region string, now time.Time) (customer.Customer, []problem.Field) {
	var faults []problem.Field
	d := customer.Draft{Names: s.Names, Kind: s.Kind}
	for n, given := range s.Identities {
		i, fault := identity.Normalise(given.Type, given.Value, region)
		if fault != nil {
			faults = append(faults, problem.Field{Location: fmt.Sprintf("identities[%d].%s", n, fault.Field), Code: fault.Code, Message: fault.Message})
			continue
		}
		d.Identities = append(d.Identities, i)
	}
	if s.PostalCode != "" {
		place, wrong := customer.Place{Lines: []string{"-"}, PostalCode: s.PostalCode, Country: s.Country}.Normalise(region)
		faults = append(faults, wrong...)
		d.Addresses = []customer.Address{{Place: place}}
	}
	made, more := customer.Register(uuid.Nil, d, now)
	return made, append(faults, more...)
}

// somebody is who may be a customer, as the API has it.
type somebody struct {
	Kind        customer.Kind      `json:"kind,omitempty" enum:"person,organisation" default:"person"`
	DisplayName string             `json:"display_name,omitempty" maxLength:"200" example:"李雷"`
	GivenName   string             `json:"given_name,omitempty" maxLength:"200"`
	FamilyName  string             `json:"family_name,omitempty" maxLength:"200"`
	LegalName   string             `json:"legal_name,omitempty" maxLength:"200"`
	Identities  []somebodyIdentity `json:"identities,omitempty" nullable:"false" maxItems:"50"`
	PostalCode  string             `json:"postal_code,omitempty" maxLength:"64"`
	Country     string             `json:"country,omitempty" maxLength:"2" doc:"ISO 3166-1 alpha-2, of the postal code; the tenant's where it is left out."`
}

type somebodyIdentity struct {
	Type  string `json:"type" example:"phone" maxLength:"64"`
	Value string `json:"value" doc:"As people write it; it is brought to one form." example:"138 0013 8000" maxLength:"512"`
}

type findInput struct{ Body somebody }

type findAnswer struct{ Body customerCandidates }

type customerCandidates struct {
	Items []customerCandidate `json:"items" nullable:"false" doc:"The surest first; at most 20."`
}

type customerCandidate struct {
	CustomerID uuid.UUID `json:"customer_id" format:"uuid"`
	Score      int       `json:"score" doc:"How much they have in common, 1 to 100."`
	Result     Result    `json:"result" enum:"automatic,review" doc:"What the rule says."`
	Rule       string    `json:"rule" example:"phone_and_name"`
	Criteria   []string  `json:"criteria" nullable:"false" doc:"What they have in common." example:"[\"identity.phone\",\"name_similar\"]"`
}

func (m *Matches) find(ctx context.Context, in *findInput) (*findAnswer, error) {
	b := in.Body
	who := Somebody{
		Names: customer.Names{Display: b.DisplayName, Given: b.GivenName, Family: b.FamilyName, Legal: b.LegalName},
		Kind:  b.Kind, Country: b.Country, PostalCode: b.PostalCode,
	}
	for _, i := range b.Identities {
		who.Identities = append(who.Identities, SomebodysIdentity(i))
	}
	found, err := m.Find(ctx, who)
	if err != nil {
		return nil, err
	}
	items := make([]customerCandidate, len(found))
	for n, f := range found {
		items[n] = customerCandidate{f.CustomerID, f.Score, f.Result, f.Rule, f.Criteria}
	}
	return &findAnswer{customerCandidates{items}}, nil
}

func (m *Matches) findRoute(api *httpx.API, tag string) {
	httpx.Register(api, httpx.Operation{
		ID: "match-customer", Method: http.MethodPost, Path: "/v1/customers/matches", Tag: tag, Summary: "Find the customers who may be somebody",
		Description: "By the tenant's matching rules, before anybody is registered. Names and addresses are those of the index, which is moments behind. Nothing is kept of the question.",
		Permission:  auth.CustomersRead, Status: http.StatusOK,
	}, m.find)
}
