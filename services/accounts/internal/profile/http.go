package profile

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/access"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/consent"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/identity"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/insight"
)

// profileView is a customer whole, as the API shows it.
type profileView struct {
	CustomerID   uuid.UUID         `json:"customer_id" format:"uuid" doc:"Whom the id that was asked for means now."`
	Aliases      []uuid.UUID       `json:"aliases,omitempty" nullable:"false" doc:"Other ids that mean the customer."`
	Kind         string            `json:"kind,omitempty" enum:"person,organisation"`
	State        string            `json:"state,omitempty" enum:"active,archived"`
	Names        *profileNames     `json:"names,omitempty"`
	Identities   []profileIdentity `json:"identities" nullable:"false" doc:"By what the customer is recognised and reached now, oldest first."`
	Calling      *profileCalling   `json:"calling,omitempty" doc:"Where it was asked for."`
	Addresses    []profileAddress  `json:"addresses" nullable:"false" doc:"Oldest first."`
	Consents     []profileConsent  `json:"consents" nullable:"false" doc:"What the customer allows and no longer allows, by purpose and channel, and of single addresses; what nothing was said of is not there. By purpose, channel and address."`
	Child        bool              `json:"child,omitempty" doc:"Known to be under 14: only a guardian's grants count, for any purpose."`
	Tags         []string          `json:"tags,omitempty" nullable:"false"`
	Owner        string            `json:"owner,omitempty" doc:"Who looks after the customer."`
	Stage        string            `json:"stage,omitempty" doc:"How far the relationship has come." example:"familiarity"`
	RegisteredAt *time.Time        `json:"registered_at,omitempty"`
	Fields       []profileField    `json:"fields" nullable:"false" doc:"The tenant's own fields that are in sight, by name."`
	Insights     []profileInsight  `json:"insights" nullable:"false" doc:"What analyses and other systems say, as far as all their inputs are in sight; by name."`
	Facts        profileFacts      `json:"facts"`
	Orders       []profileOrder    `json:"orders" nullable:"false" doc:"The latest 10 entries about orders, the latest first."`
	Purpose      access.Purpose    `json:"purpose" doc:"What all this is shown for." example:"order_taking"`
	Withheld     []access.Withheld `json:"withheld" nullable:"false" doc:"The classes that were left out, whether or not there is anything of them."`
	AsOf         []profileAsOf     `json:"as_of" nullable:"false" doc:"How fresh facts and orders are, by the service that they come from."`
	ReadAt       time.Time         `json:"read_at" doc:"As of when all the rest is."`
}

type profileNames struct {
	DisplayName string `json:"display_name" example:"李雷"`
	GivenName   string `json:"given_name,omitempty"`
	FamilyName  string `json:"family_name,omitempty"`
	LegalName   string `json:"legal_name,omitempty"`
}

type profileIdentity struct {
	Type       string     `json:"type" example:"phone"`
	Value      string     `json:"value" example:"+8613800138000"`
	Calling    bool       `json:"calling,omitempty" doc:"It is the telephone that is calling."`
	VerifiedAt *time.Time `json:"verified_at,omitempty"`
}

type profileCalling struct {
	Phone string `json:"phone" doc:"In E.164." example:"+8613800138000"`
	Known bool   `json:"known" doc:"It is one of the customer's."`
}

type profileAddress struct {
	AddressID  uuid.UUID `json:"address_id" format:"uuid"`
	Kind       string    `json:"kind" example:"delivery"`
	Lines      []string  `json:"lines" nullable:"false"`
	City       string    `json:"city,omitempty"`
	Region     string    `json:"region,omitempty"`
	PostalCode string    `json:"postal_code,omitempty"`
	Country    string    `json:"country" example:"CN"`
}

type profileConsent struct {
	Purpose consent.Purpose `json:"purpose" enum:"service,transaction,legal,survey,marketing,profiling,partners,sensitive"`
	Channel consent.Channel `json:"channel" enum:"email,sms,phone,wechat,wecom,post"`
	Address string          `json:"address,omitempty" doc:"Absent: all addresses that are not named by themselves." example:"li.lei@example.com"`
	State   consent.State   `json:"state" enum:"granted,withdrawn,pending,suppressed" doc:"pending allows nothing; suppressed: the address was an erased customer's, and no later grant names it."`
	Kind    consent.Kind    `json:"kind,omitempty" enum:"plain,separate,guardian"`
	Since   time.Time       `json:"since" doc:"When it was said."`
}

type profileField struct {
	Name  string          `json:"name"`
	Title string          `json:"title"`
	Class access.Class    `json:"class" enum:"identity,contact,behaviour,financial,health,special"`
	Value json.RawMessage `json:"value"`
}

type profileInsight struct {
	Name            string         `json:"name" example:"next_best_action"`
	Kind            insight.Kind   `json:"kind" enum:"segment,score,recommendation"`
	Text            string         `json:"text,omitempty"`
	Number          *float64       `json:"number,omitempty"`
	InputClasses    []access.Class `json:"input_classes" nullable:"false"`
	AboutCustomerID *uuid.UUID     `json:"about_customer_id,omitempty" format:"uuid" doc:"Whose data it was drawn from, where it is another person's."`
	ComputedAt      time.Time      `json:"computed_at" doc:"As of when it is."`
	ValidUntil      *time.Time     `json:"valid_until,omitempty"`
}

type profileFacts struct {
	Grade           string         `json:"grade,omitempty" doc:"The segment of this name among the insights."`
	Tier            string         `json:"tier,omitempty" doc:"The segment of this name among the insights."`
	ChurnRisk       *float64       `json:"churn_risk,omitempty" doc:"The score of this name among the insights."`
	NextBestAction  string         `json:"next_best_action,omitempty" doc:"The recommendation of this name among the insights, else the one that was computed last."`
	PointsAvailable *int64         `json:"points_available,omitempty"`
	LifetimeValue   []profileMoney `json:"lifetime_value,omitempty" nullable:"false" doc:"What was bought less what went back for returned goods."`
	Orders          *int64         `json:"orders,omitempty"`
	OpenTickets     *int64         `json:"open_tickets,omitempty"`
	OpenComplaints  *int64         `json:"open_complaints,omitempty"`
	LastContactAt   *time.Time     `json:"last_contact_at,omitempty"`
}

type profileMoney struct {
	Currency    string `json:"currency" example:"CNY"`
	AmountMinor int64  `json:"amount_minor"`
}

type profileOrder struct {
	At      time.Time                  `json:"at"`
	Title   string                     `json:"title" doc:"A code." example:"order_placed"`
	OrderID string                     `json:"order_id"`
	Details map[string]json.RawMessage `json:"details" doc:"The fields that the event shows."`
}

type profileAsOf struct {
	Service string    `json:"service"`
	At      time.Time `json:"at" doc:"Time of the service's newest event that is in the answer."`
}

type profileInput struct {
	ID uuid.UUID `path:"customer_id" format:"uuid"`
	access.Asked
	Calling string `query:"calling" maxLength:"64" doc:"The telephone that is calling, as it is displayed or typed." example:"138 0013 8000"`
}

type profileAnswer struct{ Body profileView }

// Routes adds the profile.
func (p *Profiles) Routes(api *httpx.API) {
	httpx.Register(api, httpx.Operation{
		ID: "get-customer-profile", Method: http.MethodGet, Path: "/v1/customers/{customer_id}/profile", Tag: "Customers",
		Summary: "A customer whole, as far as the purpose needs it",
		Description: "What the purpose does not need, and what your role may not see, is left out, and withheld says so. Financial, health " +
			"and special data need a reason besides; the look is logged, and not answered where that fails. Any id of the customer will do.",
		Permission: auth.CustomersRead, Errors: []int{http.StatusNotFound, http.StatusGone},
	}, p.profile)
}

func (p *Profiles) profile(ctx context.Context, in *profileInput) (*profileAnswer, error) {
	s, err := in.Sight(ctx)
	if err != nil {
		return nil, err
	}
	now := p.clock().UTC().Truncate(time.Microsecond)
	r, err := p.get(ctx, s, in.ID, in.Calling, now)
	if err != nil {
		return nil, err
	}
	return &profileAnswer{show(r, s, now)}, nil
}

// sees tells whether a standard field is in sight.
func sees(s access.Sight, name string) bool {
	class, known := access.OfField(name)
	return known && s.May(class)
}

// show gives of a record what is in sight. The customer's id is no secret to whoever asked by it.
func show(r record, s access.Sight, now time.Time) profileView {
	v := profileView{
		CustomerID: r.id, Identities: []profileIdentity{}, Addresses: []profileAddress{}, Consents: []profileConsent{}, Fields: []profileField{}, Insights: []profileInsight{},
		Orders: []profileOrder{}, Facts: r.block(sees(s, "facts")), Purpose: s.Purpose(), Withheld: s.Withheld(), AsOf: []profileAsOf{}, ReadAt: now,
	}
	if r.caller.number != "" && sees(s, "calling") {
		v.Calling = &profileCalling{r.caller.number, r.caller.mine}
	}
	if sees(s, "names") {
		v.Names = &profileNames{r.names.display, r.names.given, r.names.family, r.names.legal}
	}
	if sees(s, "aliases") {
		v.Aliases = r.aliases
	}
	if sees(s, "kind") {
		v.Kind = r.kind
	}
	if sees(s, "state") {
		v.State = r.state
	}
	if sees(s, "registered_at") {
		at := r.registeredAt.UTC()
		v.RegisteredAt = &at
	}
	if sees(s, "tags") {
		v.Tags = r.tags
	}
	if sees(s, "owner") {
		v.Owner = r.owner
	}
	if sees(s, "stage") {
		v.Stage = r.stage
	}
	for _, k := range r.distinct(s) {
		calls := k.Type == string(identity.Phone) && k.Value == r.caller.number
		v.Identities = append(v.Identities, profileIdentity{Type: k.Type, Value: k.Value, Calling: calls, VerifiedAt: k.VerifiedAt})
	}
	for _, a := range r.addresses {
		v.Addresses = append(v.Addresses, profileAddress(a))
	}
	if sees(s, "consents") && sees(s, "child") {
		v.Consents, v.Child = r.allowed(now)
	}
	for _, f := range r.fields {
		v.Fields = append(v.Fields, profileField(f))
	}
	for _, i := range r.insights {
		v.Insights = append(v.Insights, profileInsight(i))
	}
	for _, o := range r.orders {
		v.Orders = append(v.Orders, profileOrder(o))
	}
	for _, a := range r.asOf {
		v.AsOf = append(v.AsOf, profileAsOf(a))
	}
	return v
}

// allowed gives what the customer allows at the time, and whether it is known to be a child.
func (r record) allowed(now time.Time) (all []profileConsent, child bool) {
	standing := r.consents.Standing(r.id, now)
	all = []profileConsent{}
	for _, h := range standing.ByChannel() {
		all = append(all, profileConsent{h.Purpose, h.Channel, h.Address.Value, h.State, h.Kind, h.Since})
	}
	return all, standing.Child
}

// block gives the facts at a glance; those that come of the timeline where behaviour is in sight.
func (r record) block(behaviour bool) profileFacts {
	b := profileFacts{
		Grade: r.told(gradeName, insight.Segment).text(), Tier: r.told(tierName, insight.Segment).text(), NextBestAction: r.nextBest().text(),
	}
	if risk := r.told(churnRiskName, insight.Score); risk != nil {
		b.ChurnRisk = risk.Number
	}
	if !behaviour {
		return b
	}
	count := func(name string) *int64 {
		n := r.count(name)
		return &n
	}
	b.PointsAvailable, b.Orders = count("points_available"), count("orders")
	b.OpenTickets, b.OpenComplaints = count("tickets_open"), count("complaints_open")
	if r.lastContact != nil {
		at := r.lastContact.UTC()
		b.LastContactAt = &at
	}
	for _, w := range r.worth() {
		b.LifetimeValue = append(b.LifetimeValue, profileMoney{w.Unit, w.Value})
	}
	return b
}
