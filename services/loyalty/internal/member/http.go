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
	// BlockedCard is there in a list that was asked for by the number of a card that was replaced.
	BlockedCard *blockedCardView `json:"blocked_card,omitempty" doc:"The card that was asked for: it was replaced and must not be taken."`
	Programme   string           `json:"programme" doc:"Code of the programme whose points they are." example:"standard"`
	State       State            `json:"state" enum:"active,suspended,left" doc:"suspended: earns, but cannot spend; left: neither."`
	StateReason string           `json:"state_reason,omitempty" doc:"Code of why it is in its state; absent for one who was always active." example:"fraud_suspected"`
	StateAt     *time.Time       `json:"state_at,omitempty" doc:"Since when; absent for one who was always active."`
	Source      string           `json:"source" doc:"How the customer became a member." example:"first_purchase"`
	EnrolledAt  time.Time        `json:"enrolled_at"`
	Available   int64            `json:"available" doc:"Points to spend: of all members who are this customer, less what any of them owes."`
	Pending     int64            `json:"pending" doc:"Locked points: available when the return window of what they were earned for ends."`
	Debt        int64            `json:"debt" doc:"Points owed: taken back after they were spent. Later points pay them first."`
	Own         *OwnView         `json:"own,omitempty" doc:"What of that is this member's own, where customers were merged: what it has when that is undone."`
}

// blockedCardView is a card that was replaced.
type blockedCardView struct {
	CardNumber string    `json:"card_number"`
	Reason     string    `json:"reason" doc:"Code of why it was replaced." example:"lost"`
	BlockedAt  time.Time `json:"blocked_at"`
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
	v := memberView{
		MemberID: s.ID, CustomerID: s.Root, CardNumber: s.CardNumber, Programme: s.Programme, State: s.State, StateReason: s.Reason,
		Source: s.Source, EnrolledAt: s.EnrolledAt, Available: s.Pool.Available, Pending: s.Pool.Pending, Debt: s.Pool.Debt, Own: s.Own(),
	}
	if !s.StateAt.IsZero() {
		v.StateAt = &s.StateAt
	}
	return v
}

type enrolInput struct{ Body newMember }

// newMember is what a member is made of.
type newMember struct {
	CustomerID uuid.UUID `json:"customer_id" format:"uuid"`
	Programme  string    `json:"programme,omitempty" default:"standard" minLength:"1" maxLength:"64" doc:"Code of the programme." example:"standard"`
}

type changeInput struct {
	ID   uuid.UUID `path:"member_id" format:"uuid"`
	Body memberChange
}

// memberChange says why a member is changed.
type memberChange struct {
	Reason string `json:"reason" pattern:"^[a-z0-9][a-z0-9_-]{0,63}$" doc:"Code of why; goes out in events, so nothing personal." example:"fraud_suspected"`
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
	CardNumber string    `query:"card_number" pattern:"^[0-9]{16}$" doc:"Only the member who has this card, or had it before it was replaced: then blocked_card is there."`
	Programme  string    `query:"programme" maxLength:"64" doc:"Only members of this programme, by its code."`
	State      State     `query:"state" enum:"active,suspended,left" doc:"Only members in this state."`
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
	m.changes(api, tag)
}

// changes adds the operations that change a member.
func (m *Members) changes(api *httpx.API, tag string) {
	changes := func(id, action, summary, description string, do func(context.Context, uuid.UUID, string) (Seen, error), errors ...int) {
		httpx.Register(api, httpx.Operation{
			ID: id, Method: http.MethodPost, Path: "/v1/members/{member_id}/" + action, Tag: tag, Summary: summary, Description: description,
			Permission: auth.LoyaltyWrite, Status: http.StatusOK, Errors: append([]int{http.StatusNotFound, http.StatusConflict}, errors...),
		}, func(ctx context.Context, in *changeInput) (*answer, error) {
			seen, err := do(ctx, in.ID, in.Body.Reason)
			return &answer{Status: http.StatusOK, Body: show(seen)}, err
		})
	}
	changes("suspend-member", "suspend", "Suspend a member",
		"The member goes on earning, but cannot spend until it is reinstated. One who is suspended already, or has left, is refused (409).", m.Suspend)
	changes("reinstate-member", "reinstate", "Reinstate a suspended member", "Who is not suspended is refused (409).", m.Reinstate)
	changes("replace-member-card", "replace-card", "Replace a member's card",
		"The member gets a card of a new number. The one before is blocked: its number still finds the member, and says so.", m.ReplaceCard, http.StatusGone)
}

func (m *Members) enrolHTTP(ctx context.Context, in *enrolInput) (*answer, error) {
	if in.Body.CustomerID == uuid.Nil {
		return nil, problem.InvalidBody("member_invalid", "The customer was not enrolled: mend the field named here.",
			[]problem.Field{{Location: "customer_id", Code: "customer_required", Message: "must be the id of a customer"}})
	}
	member, enrolled, err := m.Enrol(ctx, in.Body.CustomerID, in.Body.Programme, SourceAPI)
	status := http.StatusOK
	if enrolled {
		status = http.StatusCreated
	}
	return &answer{Status: status, Body: show(member)}, err
}

func (m *Members) listHTTP(ctx context.Context, in *listInput) (*listAnswer, error) {
	if in.CardNumber != "" && !CheckCard(in.CardNumber) {
		return nil, problem.New(problem.Unprocessable, "card_check_digit_wrong",
			"No card has this number: its last digit does not belong to the others. A digit was misread, or two were swapped.").
			WithField("query.card_number", "card_check_digit_wrong", "must end with the check digit after Luhn")
	}
	items, next, err := httpx.PageByID(in.Page, func(after uuid.UUID, limit int) ([]Seen, error) {
		return m.List(ctx, Filter{
			CustomerID: in.CustomerID, CardNumber: in.CardNumber, Programme: in.Programme, State: in.State, After: after,
		}, limit)
	}, func(one Seen) uuid.UUID { return one.ID }, show)
	if err != nil || in.CardNumber == "" || len(items) != 1 || items[0].CardNumber == in.CardNumber {
		return &listAnswer{memberPage{Items: items, NextCursor: next}}, err
	}
	card, blocked, err := m.Blocked(ctx, in.CardNumber)
	if blocked {
		items[0].BlockedCard = &blockedCardView{card.Number, card.Reason, card.At}
	}
	return &listAnswer{memberPage{Items: items, NextCursor: next}}, err
}
