package relationship

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// relationshipView is a relation as the API shows it. It names customers by their ids only: what may be seen of each is
// for the reading of that customer to say.
type relationshipView struct {
	RelationshipID uuid.UUID  `json:"relationship_id" format:"uuid"`
	Kind           Kind       `json:"kind" enum:"household,parent_organisation,contact_of,reports_to"`
	CustomerID     uuid.UUID  `json:"customer_id" format:"uuid" doc:"From whom it goes out: the member, the subsidiary, the contact, who reports."`
	RelatedID      uuid.UUID  `json:"related_id" format:"uuid" doc:"To whom it leads: the head of the household, the parent, the organisation, the superior."`
	State          string     `json:"state" enum:"current,ended"`
	StartedAt      time.Time  `json:"started_at"`
	EndedAt        *time.Time `json:"ended_at,omitempty"`
}

func show(r Relationship) relationshipView {
	return relationshipView{
		RelationshipID: r.ID, Kind: r.Kind, CustomerID: r.From.Root, RelatedID: r.To.Root, State: r.State(),
		StartedAt: r.StartedAt.UTC(), EndedAt: pg.OrNull(r.EndedAt.UTC()),
	}
}

type answer struct{ Body relationshipView }

func answered(r Relationship, err error) (*answer, error) {
	if err != nil {
		return nil, err
	}
	return &answer{show(r)}, nil
}

type addInput struct {
	ID   uuid.UUID `path:"customer_id" format:"uuid"`
	Body newRelationship
}

// newRelationship is what a relation is made from.
type newRelationship struct {
	Kind      Kind      `json:"kind" enum:"household,parent_organisation,contact_of,reports_to" doc:"household: a person to its head; parent_organisation: an organisation to the one that owns it; contact_of: a person to an organisation; reports_to: a person to the superior."`
	RelatedID uuid.UUID `json:"related_id" format:"uuid" doc:"To whom it leads."`
}

type byID struct {
	ID uuid.UUID `path:"relationship_id" format:"uuid"`
}

type listInput struct {
	ID    uuid.UUID `path:"customer_id" format:"uuid"`
	Kind  Kind      `query:"kind" enum:"household,parent_organisation,contact_of,reports_to" doc:"Only those of this kind."`
	State string    `query:"state" enum:"current,all" default:"current" doc:"all: those that have ended, too."`
	httpx.Page
}

type listAnswer struct{ Body relationshipPage }

type relationshipPage struct {
	CustomerID uuid.UUID          `json:"customer_id" format:"uuid" doc:"Whom the id in the path means."`
	Items      []relationshipView `json:"items" nullable:"false" doc:"From and to the customer, the latest first."`
	NextCursor string             `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

type hierarchyInput struct {
	ID        uuid.UUID `path:"customer_id" format:"uuid"`
	Kind      Kind      `query:"kind" required:"true" enum:"household,parent_organisation,contact_of,reports_to"`
	Direction string    `query:"direction" enum:"both,ancestors,descendants" default:"both"`
	Depth     int       `query:"depth" minimum:"1" maximum:"20" default:"5" doc:"How many steps to go."`
}

type hierarchyAnswer struct{ Body hierarchyView }

// hierarchyView are the customers around one.
type hierarchyView struct {
	CustomerID  uuid.UUID       `json:"customer_id" format:"uuid" doc:"Whom the id in the path means."`
	Kind        Kind            `json:"kind"`
	Ancestors   []hierarchyNode `json:"ancestors" nullable:"false" doc:"Reached by going to the related customer, the nearest first."`
	Descendants []hierarchyNode `json:"descendants" nullable:"false" doc:"Reached the other way, the nearest first."`
	Truncated   bool            `json:"truncated" doc:"There are more than the 1000 that are shown in a direction."`
}

type hierarchyNode struct {
	CustomerID     uuid.UUID `json:"customer_id" format:"uuid"`
	Via            uuid.UUID `json:"via" format:"uuid" doc:"The customer one step nearer."`
	RelationshipID uuid.UUID `json:"relationship_id" format:"uuid" doc:"Of the step from there."`
	Depth          int       `json:"depth" doc:"How many steps away, from 1."`
}

// Routes adds the operations on relationships.
func (r *Relationships) Routes(api *httpx.API) {
	const tag = "Relationships"
	httpx.Register(api, httpx.Operation{
		ID: "add-relationship", Method: http.MethodPost, Path: "/v1/customers/{customer_id}/relationships", Tag: tag, Summary: "Relate a customer to another",
		Description: "One that stands already is answered with 409 relationship_exists, one that would close a circle with 409 " +
			"relationship_cycle; each names the ids. Ids that mean the same customer count as one.",
		Permission: auth.CustomersWrite, Status: http.StatusCreated, Errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusGone},
	}, func(ctx context.Context, in *addInput) (*answer, error) {
		return answered(r.Add(ctx, in.ID, in.Body.Kind, in.Body.RelatedID))
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-relationships", Method: http.MethodGet, Path: "/v1/customers/{customer_id}/relationships", Tag: tag, Summary: "List a customer's relationships",
		Permission: auth.CustomersRead, Errors: []int{http.StatusNotFound, http.StatusGone},
	}, r.list)
	httpx.Register(api, httpx.Operation{
		ID: "get-hierarchy", Method: http.MethodGet, Path: "/v1/customers/{customer_id}/hierarchy", Tag: tag, Summary: "Who stands above and below a customer",
		Permission: auth.CustomersRead, Errors: []int{http.StatusNotFound, http.StatusGone},
	}, r.hierarchy)
	httpx.Register(api, httpx.Operation{
		ID: "get-relationship", Method: http.MethodGet, Path: "/v1/relationships/{relationship_id}", Tag: tag, Summary: "Read a relationship",
		Permission: auth.CustomersRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *byID) (*answer, error) { return answered(r.Get(ctx, in.ID)) })
	httpx.Register(api, httpx.Operation{
		ID: "end-relationship", Method: http.MethodPost, Path: "/v1/relationships/{relationship_id}/end", Tag: tag, Summary: "End a relationship",
		Description: "It is kept as one that was.",
		Permission:  auth.CustomersWrite, Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, func(ctx context.Context, in *byID) (*answer, error) { return answered(r.End(ctx, in.ID)) })
}

func (r *Relationships) list(ctx context.Context, in *listInput) (*listAnswer, error) {
	var root uuid.UUID
	items, next, err := httpx.PageByID(in.Page, func(before uuid.UUID, limit int) ([]Relationship, error) {
		ref, page, err := r.List(ctx, in.ID, Filter{Kind: in.Kind, Ended: in.State == "all", Before: before}, limit)
		root = ref.Root
		return page, err
	}, func(r Relationship) uuid.UUID { return r.ID }, show)
	if err != nil {
		return nil, err
	}
	return &listAnswer{relationshipPage{root, items, next}}, nil
}

func (r *Relationships) hierarchy(ctx context.Context, in *hierarchyInput) (*hierarchyAnswer, error) {
	h, err := r.Hierarchy(ctx, in.ID, in.Kind, in.Direction != "descendants", in.Direction != "ancestors", in.Depth)
	if err != nil {
		return nil, err
	}
	return &hierarchyAnswer{hierarchyView{
		CustomerID: h.Customer, Kind: in.Kind, Ancestors: nodes(h.Above), Descendants: nodes(h.Below), Truncated: h.MoreAbove || h.MoreBelow,
	}}, nil
}

func nodes(found []Node) []hierarchyNode {
	views := make([]hierarchyNode, len(found))
	for n, one := range found {
		views[n] = hierarchyNode{CustomerID: one.Customer, Via: one.Via, RelationshipID: one.Relationship, Depth: one.Depth}
	}
	return views
}
