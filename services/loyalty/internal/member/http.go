package member

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// memberView is a member as the API shows it.
type memberView struct {
	MemberID   uuid.UUID `json:"member_id" format:"uuid"`
	CustomerID uuid.UUID `json:"customer_id" format:"uuid" doc:"The customer whom the member's id means now."`
	CardNumber string    `json:"card_number,omitempty" doc:"16 digits, the last one a check digit after Luhn; absent where the customer was erased." example:"9274018365528809"`
	Source     string    `json:"source" doc:"How the customer became a member." example:"first_purchase"`
	EnrolledAt time.Time `json:"enrolled_at"`
	Available  int64     `json:"available" doc:"Points to spend: of all members who are this customer, less what any of them owes."`
	Pending    int64     `json:"pending" doc:"Locked points: available when the return window of what they were earned for ends."`
	Debt       int64     `json:"debt" doc:"Points owed: taken back after they were spent. Later points pay them first."`
	Own        *OwnView  `json:"own,omitempty" doc:"What of that is this member's own, where customers were merged: what it has when that is undone."`
}

// OwnView is what one member has of what several have together who are one customer.
type OwnView struct {
	CustomerID uuid.UUID `json:"customer_id" format:"uuid" doc:"Whose member it is apart from merges."`
	Available  int64     `json:"available" doc:"Points to spend."`
	Pending    int64     `json:"pending" doc:"Locked points."`
	Debt       int64     `json:"debt" doc:"Points owed."`
}

// Own shows a member's own balance; nil where there is no other.
func (s Seen) Own() *OwnView {
	if !s.Merged() {
		return nil
	}
	return &OwnView{CustomerID: s.CustomerID, Available: s.Available, Pending: s.Pending, Debt: s.Debt}
}

func show(s Seen) memberView {
	return memberView{
		MemberID: s.ID, CustomerID: s.Root, CardNumber: s.CardNumber, Source: s.Source, EnrolledAt: s.EnrolledAt,
		Available: s.Pool.Available, Pending: s.Pool.Pending, Debt: s.Pool.Debt, Own: s.Own(),
	}
}

type enrolInput struct{ Body newMember }

// newMember is what a member is made of.
type newMember struct {
	CustomerID uuid.UUID `json:"customer_id" format:"uuid"`
}

type answer struct {
	Status int
	Body   memberView
}

type byID struct {
	ID uuid.UUID `path:"member_id" format:"uuid"`
}

type listInput struct {
	httpx.Page
	CustomerID uuid.UUID `query:"customer_id" format:"uuid" doc:"Only the members who are this customer: one for each id that means it."`
	CardNumber string    `query:"card_number" pattern:"^[0-9]{16}$" doc:"Only the member who has this card."`
}

type listAnswer struct{ Body memberPage }

type memberPage struct {
	Items      []memberView `json:"items" nullable:"false"`
	NextCursor string       `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

// Routes adds the operations on members.
func (m *Members) Routes(api *httpx.API) {
	const tag = "Members"
	httpx.Register(api, httpx.Operation{
		ID: "enrol-member", Method: http.MethodPost, Path: "/v1/members", Tag: tag, Summary: "Enrol a customer",
		Description: "A customer who is a member already is answered as the member stands (200). Whoever buys becomes a member without this.",
		Permission:  auth.LoyaltyWrite, Status: http.StatusCreated, Errors: []int{http.StatusGone},
	}, m.enrolHTTP)
	httpx.Register(api, httpx.Operation{
		ID: "list-members", Method: http.MethodGet, Path: "/v1/members", Tag: tag, Summary: "List members in the order of enrolment",
		Permission: auth.LoyaltyRead,
	}, m.listHTTP)
	httpx.Register(api, httpx.Operation{
		ID: "get-member", Method: http.MethodGet, Path: "/v1/members/{member_id}", Tag: tag, Summary: "Read a member",
		Permission: auth.LoyaltyRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *byID) (*answer, error) {
		found, err := m.Get(ctx, in.ID)
		return &answer{Status: http.StatusOK, Body: show(found)}, err
	})
}

func (m *Members) enrolHTTP(ctx context.Context, in *enrolInput) (*answer, error) {
	if in.Body.CustomerID == uuid.Nil {
		return nil, problem.InvalidBody("member_invalid", "The customer was not enrolled: mend the field named here.",
			[]problem.Field{{Location: "customer_id", Code: "customer_required", Message: "must be the id of a customer"}})
	}
	member, enrolled, err := m.Enrol(ctx, in.Body.CustomerID, "standard", SourceAPI)
	status := http.StatusOK
	if enrolled {
		status = http.StatusCreated
	}
	return &answer{Status: status, Body: show(member)}, err
}

func (m *Members) listHTTP(ctx context.Context, in *listInput) (*listAnswer, error) {
	items, next, err := httpx.PageByID(in.Page, func(after uuid.UUID, limit int) ([]Seen, error) {
		return m.List(ctx, Filter{CustomerID: in.CustomerID, CardNumber: in.CardNumber, After: after}, limit)
	}, func(one Seen) uuid.UUID { return one.ID }, show)
	return &listAnswer{memberPage{Items: items, NextCursor: next}}, err
}
