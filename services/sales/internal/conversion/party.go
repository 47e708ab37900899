package conversion

import (
	"context"
	"net/http"
	"net/url"
	"slices"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/fold"
	"github.com/guanxi-crm/guanxi/platform/peer"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/sales/internal/lead"
)

// accounts is what a conversion asks of the service that keeps the customers.
type accounts struct{ peers *peer.Client }

const service = "accounts"

// The names by which accounts knows those whom a conversion registers: what keeps a second attempt from registering them
// again, however late it comes.
const (
	leadSystem    = "external:guanxi-lead"
	contactSystem = "external:guanxi-lead-contact"
)

const (
	person       = "person"
	organisation = "organisation"
)

// somebody is who a lead is about, as accounts' API takes it.
type somebody struct {
	Kind           string     `json:"kind"`
	DisplayName    string     `json:"display_name,omitempty"`
	Source         string     `json:"source,omitempty"`
	Owner          string     `json:"owner,omitempty"`
	Identities     []identity `json:"identities"`
	AllowDuplicate bool       `json:"allow_duplicate,omitempty"`
}

type identity struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

// companyOf gives the organisation that the lead is about; without a person beside it, the lead's telephone and mailbox are its.
func companyOf(l lead.Lead) (somebody, bool) {
	s := somebody{Kind: organisation, DisplayName: l.Company, Owner: l.Owner}
	if l.Name == "" {
		s.Identities = reached(l)
	}
	return s, l.Company != ""
}

// personOf gives the person whom the lead is about.
func personOf(l lead.Lead) (somebody, bool) {
	return somebody{Kind: person, DisplayName: l.Name, Owner: l.Owner, Identities: reached(l)}, l.Name != ""
}

func reached(l lead.Lead) (all []identity) {
	if l.Phone != "" {
		all = append(all, identity{"phone", l.Phone})
	}
	if l.Email != "" {
		all = append(all, identity{"email", l.Email})
	}
	return all
}

// customer is what a conversion reads of a customer.
type customer struct {
	CustomerID uuid.UUID `json:"customer_id"`
	State      string    `json:"state"`
	Kind       string    `json:"kind"`
	Owner      string    `json:"owner"`
	Addresses  []struct {
		Country string `json:"country"`
	} `json:"addresses"`
	Identities []struct {
		Type       string  `json:"type"`
		Value      string  `json:"value"`
		VerifiedAt *string `json:"verified_at"`
		ValidTo    *string `json:"valid_to"`
	} `json:"identities"`

	etag string
}

// verified tells whether one of the identities was shown to be the customer's.
func (c customer) verified(known []identity) bool {
	for _, has := range c.Identities {
		for _, i := range known {
			if has.Type == i.Type && has.Value == i.Value && has.VerifiedAt != nil && has.ValidTo == nil {
				return true
			}
		}
	}
	return false
}

// get reads a customer: NotFound or Gone where there is none.
func (a accounts) get(ctx context.Context, id uuid.UUID) (customer, error) {
	var c customer
	answer, err := a.peers.Call(ctx, peer.Request{Service: service, Method: http.MethodGet, Path: "/v1/customers/" + id.String()}, &c)
	c.etag = answer.ETag
	return c, err
}

// currency gives the one in which the tenant reports.
func (a accounts) currency(ctx context.Context) (string, error) {
	var tenant struct {
		Currency string `json:"currency"`
	}
	_, err := a.peers.Call(ctx, peer.Request{Service: service, Method: http.MethodGet, Path: "/v1/tenants/" + auth.Tenant(ctx)}, &tenant)
	return tenant.Currency, err
}

// candidates gives the customers who may be somebody: those who match by the tenant's rules, the surest first, and organisations of
// the same name, which the rules need not know since people share names and companies hardly do.
func (a accounts) candidates(ctx context.Context, who somebody) ([]lead.Candidate, error) {
	all, err := a.matches(ctx, who)
	if err != nil || who.Kind != organisation {
		return all, err
	}
	namesakes, err := a.namesakes(ctx, who.DisplayName)
	for _, n := range namesakes {
		if !slices.ContainsFunc(all, func(c lead.Candidate) bool { return c.CustomerID == n.CustomerID }) {
			all = append(all, n)
		}
	}
	return all, err
}

// namesakes gives the organisations that are called so, whatever accents, case and blanks.
func (a accounts) namesakes(ctx context.Context, name string) (all []lead.Candidate, err error) {
	var found struct {
		Items []struct {
			customer
			DisplayName string `json:"display_name"`
		} `json:"items"`
	}
	_, err = a.peers.Call(ctx, peer.Request{
		Service: service, Method: http.MethodGet, Path: "/v1/customers/search", Query: url.Values{"q": {name}, "kind": {organisation}, "limit": {"20"}},
	}, &found)
	if problem.KindOf(err) == problem.Unprocessable { // nobody is looked for by such a name, of one letter for instance
		return nil, nil
	}
	for _, f := range found.Items {
		if f.State == "active" && fold.Text(f.DisplayName) == fold.Text(name) {
			all = append(all, lead.Candidate{CustomerID: f.CustomerID, Reasons: []string{"same_name"}})
		}
	}
	return all, err
}

// matches gives the customers who may be somebody by the tenant's rules, the surest first.
func (a accounts) matches(ctx context.Context, who somebody) ([]lead.Candidate, error) {
	var found struct {
		Items []struct {
			CustomerID uuid.UUID `json:"customer_id"`
			Rule       string    `json:"rule"`
		} `json:"items"`
	}
	who.Source, who.Owner, who.AllowDuplicate = "", "", false
	if who.Identities == nil {
		who.Identities = []identity{}
	}
	_, err := a.peers.Call(ctx, peer.Request{Service: service, Method: http.MethodPost, Path: "/v1/customers/matches", Body: who}, &found)
	all := make([]lead.Candidate, len(found.Items))
	for n, f := range found.Items {
		all[n] = lead.Candidate{CustomerID: f.CustomerID, Reasons: []string{f.Rule}}
	}
	return all, err
}

// register makes somebody a customer under a name of ours, or gives who has that name already.
func (a accounts) register(ctx context.Context, who somebody, system string, leadID, conversion uuid.UUID) (Party, error) {
	name := identity{system, leadID.String()}
	who.Source, who.Identities = "lead", append([]identity{name}, who.Identities...)
	var made customer
	answer, err := a.peers.Call(ctx, peer.Request{
		Service: service, Method: http.MethodPost, Path: "/v1/customers", Body: who, Key: conversion.String() + "/" + system,
	}, &made)
	if says(err, "identity_taken") {
		there, _, err := a.known(ctx, name) // by an attempt whose answer was lost
		return there, err
	}
	return Party{ID: made.CustomerID, Created: true, ETag: answer.ETag}, err
}

// known gives who has a name of ours. Whoever was archived when a conversion was undone is taken out of the archive.
func (a accounts) known(ctx context.Context, name identity) (Party, bool, error) {
	var found struct {
		Items []customer `json:"items"`
	}
	_, err := a.peers.Call(ctx, peer.Request{
		Service: service, Method: http.MethodGet, Path: "/v1/customers/lookup", Query: url.Values{"type": {name.Type}, "value": {name.Value}},
	}, &found)
	if err != nil || len(found.Items) == 0 {
		return Party{}, false, err
	}
	id := found.Items[0].CustomerID
	if found.Items[0].State == "archived" {
		if _, err := a.peers.Call(ctx, peer.Request{Service: service, Method: http.MethodPost, Path: "/v1/customers/" + id.String() + "/unarchive"}, nil); err != nil {
			return Party{}, false, err
		}
	}
	now, err := a.get(ctx, id)
	return Party{ID: id, Created: true, ETag: now.etag}, true, err
}

// relate makes a person a contact of an organisation; the id is Nil where the person is that already.
func (a accounts) relate(ctx context.Context, contact, organisation, conversion uuid.UUID) (uuid.UUID, error) {
	var made struct {
		RelationshipID uuid.UUID `json:"relationship_id"`
	}
	_, err := a.peers.Call(ctx, peer.Request{
		Service: service, Method: http.MethodPost, Path: "/v1/customers/" + contact.String() + "/relationships",
		Body: map[string]any{"kind": "contact_of", "related_id": organisation}, Key: conversion.String() + "/contact",
	}, &made)
	if says(err, "relationship_exists") { // and it was not us, whom the key would have told so
		return uuid.Nil, nil
	}
	return made.RelationshipID, err
}

// changed tells whether something happened to whom the conversion registered.
func (a accounts) changed(ctx context.Context, p Party) (bool, error) {
	now, err := a.get(ctx, p.ID)
	switch kind := problem.KindOf(err); {
	case kind == problem.Gone || kind == problem.NotFound:
		return true, nil
	case err != nil:
		return false, err
	case now.CustomerID != p.ID || now.etag != p.ETag:
		return true, nil
	}
	var timeline struct {
		Items      []Told `json:"items"`
		NextCursor string `json:"next_cursor"`
	}
	_, err = a.peers.Call(ctx, peer.Request{
		Service: service, Method: http.MethodGet, Path: "/v1/customers/" + p.ID.String() + "/timeline", Query: url.Values{"limit": {"100"}},
	}, &timeline)
	return timeline.NextCursor != "" || Followed(timeline.Items), err
}

// putBack ends the relationship and archives whom the conversion registered. What is so already, or gone, stays so.
func (a accounts) putBack(ctx context.Context, c Conversion) error {
	if c.RelationshipID != uuid.Nil {
		_, err := a.peers.Call(ctx, peer.Request{Service: service, Method: http.MethodPost, Path: "/v1/relationships/" + c.RelationshipID.String() + "/end"}, nil)
		if err != nil && !over(err) {
			return err
		}
	}
	for _, p := range []Party{c.Contact, c.Customer} {
		if !p.Created {
			continue
		}
		_, err := a.peers.Call(ctx, peer.Request{Service: service, Method: http.MethodPost, Path: "/v1/customers/" + p.ID.String() + "/archive"}, nil)
		if err != nil && !over(err) {
			return err
		}
	}
	return nil
}

// says tells whether accounts, or a rule, refused with the code.
func says(err error, code string) bool {
	p := problem.From(err)
	return p != nil && p.Code == code
}

// over tells whether there is nothing to put back any more.
func over(err error) bool {
	switch problem.KindOf(err) {
	case problem.NotFound, problem.Gone, problem.Conflict:
		return true
	default:
		return false
	}
}
