package membership

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/member"
)

// membershipView is a paid membership as the API shows it.
type membershipView struct {
	MembershipID uuid.UUID        `json:"membership_id" format:"uuid"`
	MemberID     uuid.UUID        `json:"member_id" format:"uuid" doc:"The member who bought it, also where customers were merged since."`
	Programme    string           `json:"programme" example:"standard"`
	Plan         string           `json:"plan" example:"gold_year"`
	State        State            `json:"state" enum:"active,grace,ended" doc:"grace: the term has ended, and it goes on until over_at, to be renewed."`
	Tier         string           `json:"tier,omitempty" doc:"Code of the tier that the member has at least while it lasts."`
	Benefits     []string         `json:"benefits" nullable:"false" doc:"Codes of what it brings while it lasts."`
	StartsAt     time.Time        `json:"starts_at"`
	EndsAt       time.Time        `json:"ends_at" doc:"End of the latest term that was paid for: the end of a day in the programme's zone."`
	OverAt       time.Time        `json:"over_at" doc:"End of its grace time: until then it goes on and can be renewed."`
	EndedAt      *time.Time       `json:"ended_at,omitempty"`
	EndReason    string           `json:"end_reason,omitempty" enum:"expired,cancelled,member_left,customer_erased" doc:"Why it ended."`
	CancelReason string           `json:"cancel_reason,omitempty" doc:"Code that was given by whoever ended it." example:"moved"`
	Currency     string           `json:"currency" doc:"Of the latest term, and of the refund." example:"CNY"`
	RefundMinor  *int64           `json:"refund_minor,omitempty" doc:"Of one that has ended: what whoever sold it gives back, in minor units."`
	Terms        []membershipTerm `json:"terms" nullable:"false" doc:"What was paid for, the first term first."`
}

// membershipTerm is a time for which a membership was paid.
type membershipTerm struct {
	Term             int        `json:"term"`
	PaymentReference string     `json:"payment_reference,omitempty" doc:"Absent where the customer was erased."`
	Currency         string     `json:"currency"`
	FeeMinor         int64      `json:"fee_minor" doc:"In minor units."`
	FirstDay         string     `json:"first_day" format:"date" doc:"In the programme's zone." example:"2026-11-20"`
	LastDay          string     `json:"last_day" format:"date" example:"2027-11-19"`
	Days             int64      `json:"days"`
	PaidAt           time.Time  `json:"paid_at" doc:"When the payment was told."`
	CutAt            *time.Time `json:"cut_at,omitempty" doc:"When it was cut short."`
}

func show(s Membership, now time.Time) membershipView {
	latest := s.Latest()
	v := membershipView{
		MembershipID: s.ID, MemberID: s.MemberID, Programme: latest.Programme, Plan: s.Plan, State: s.At(now), Tier: s.Tier, Benefits: benefits(s),
		StartsAt: s.StartsAt, EndsAt: latest.EndsAt, OverAt: s.OverAt, EndedAt: orNone(s.EndedAt), EndReason: s.End, CancelReason: s.Code, Currency: latest.Currency,
	}
	if s.State == Ended {
		v.RefundMinor = &s.Refund
	}
	for _, t := range s.Terms {
		v.Terms = append(v.Terms, membershipTerm{
			Term: t.No, PaymentReference: t.Payment, Currency: t.Currency, FeeMinor: t.Fee, FirstDay: t.FirstDay.Format(time.DateOnly),
			LastDay: t.EndDay.AddDate(0, 0, -1).Format(time.DateOnly), Days: t.Days(), PaidAt: t.PaidAt, CutAt: orNone(t.CutAt),
		})
	}
	return v
}

type membershipAnswer struct {
	Status int
	Body   membershipView
}

// membershipPayment is a payment that whoever sells tells of.
type membershipPayment struct {
	PaymentReference string `json:"payment_reference" pattern:"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,99}$" doc:"Of the payment at whoever sells. It pays one term; told again, nothing happens again." example:"PAY-2026-0017"`
	Paid             *paid  `json:"paid,omitempty" doc:"What was paid; refused where the plan costs something else. Left out: what the plan costs."`
}

type paid struct {
	Minor    int64  `json:"minor" minimum:"0" maximum:"1000000000000" doc:"In minor units." example:"19900"`
	Currency string `json:"currency" pattern:"^[A-Z]{3}$" doc:"ISO 4217." example:"CNY"`
}

func (b membershipPayment) payment() Payment {
	p := Payment{Reference: b.PaymentReference}
	if b.Paid != nil {
		p.Currency, p.Minor = b.Paid.Currency, b.Paid.Minor
	}
	return p
}

// membershipPurchase is what a membership is made of.
type membershipPurchase struct {
	Plan string `json:"plan" pattern:"^[a-z0-9][a-z0-9_-]{0,63}$" doc:"Code of a plan of the member's programme." example:"gold_year"`

	PaymentReference string `json:"payment_reference" pattern:"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,99}$" doc:"Of the payment at whoever sells. It pays one term; told again, nothing happens again." example:"PAY-2026-0017"`
	Paid             *paid  `json:"paid,omitempty" doc:"What was paid; refused where the plan costs something else. Left out: what the plan costs."`
}

type buyInput struct {
	MemberID uuid.UUID `path:"member_id" format:"uuid"`
	Body     membershipPurchase
}

type membershipByID struct {
	ID uuid.UUID `path:"membership_id" format:"uuid"`
}

type renewInput struct {
	ID   uuid.UUID `path:"membership_id" format:"uuid"`
	Body membershipPayment
}

// membershipReason says why a membership is ended, or a member leaves or comes back.
type membershipReason struct {
	Reason string `json:"reason" pattern:"^[a-z0-9][a-z0-9_-]{0,63}$" doc:"Code of why; goes out in events, so nothing personal." example:"moved"`
}

type cancelInput struct {
	ID   uuid.UUID `path:"membership_id" format:"uuid"`
	Body membershipReason
}

type departInput struct {
	MemberID uuid.UUID `path:"member_id" format:"uuid"`
	Body     membershipReason
}

type departureAnswer struct{ Body departureView }

// departureView is a member who left or came back.
type departureView struct {
	MemberID    uuid.UUID    `json:"member_id" format:"uuid"`
	State       member.State `json:"state" enum:"active,suspended,left"`
	StateReason string       `json:"state_reason" example:"moved"`
	StateAt     time.Time    `json:"state_at"`
	Available   int64        `json:"available" doc:"The member's own points to spend."`
	Pending     int64        `json:"pending" doc:"Its own locked points."`
	ForfeitAt   *time.Time   `json:"forfeit_at,omitempty" doc:"When the points are taken, unless the member comes back before."`
}

func showDeparture(d Departure) departureView {
	return departureView{
		MemberID: d.Member.ID, State: d.Member.State, StateReason: d.Member.Reason, StateAt: d.Member.StateAt,
		Available: d.Member.Available, Pending: d.Member.Pending, ForfeitAt: orNone(d.ForfeitAt),
	}
}

type membershipListInput struct {
	httpx.Page
	CustomerID uuid.UUID `query:"customer_id" format:"uuid" doc:"Only those of members who are this customer, whichever of its ids they have."`
	MemberID   uuid.UUID `query:"member_id" format:"uuid" doc:"Only those that this member bought."`
	State      State     `query:"state" enum:"active,ended" doc:"Only those that go on, in their grace time or before; or that have ended."`
}

type membershipListAnswer struct{ Body membershipPage }

type membershipPage struct {
	Items      []membershipView `json:"items" nullable:"false"`
	NextCursor string           `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

type reportInput struct {
	From      string `query:"from" pattern:"^[0-9]{4}-(0[1-9]|1[0-2])$" doc:"First month, at most 60 before the last. Left out: 11 months before the last." example:"2026-01"`
	To        string `query:"to" pattern:"^[0-9]{4}-(0[1-9]|1[0-2])$" doc:"Last month. Left out: the present one, in UTC." example:"2026-12"`
	Programme string `query:"programme" maxLength:"64" doc:"Only this programme."`
	Plan      string `query:"plan" maxLength:"64" doc:"Only this plan."`
}

type reportAnswer struct{ Body renewalReport }

// renewalReport says how many terms were renewed.
type renewalReport struct {
	AsOf  time.Time     `json:"as_of"`
	Items []renewalRate `json:"items" nullable:"false" doc:"By month, programme and plan; a month without any term that ended has none."`
}

// renewalRate is how many terms of a plan, whose last day falls in a month, were renewed.
type renewalRate struct {
	Month     string   `json:"month" example:"2026-11"`
	Programme string   `json:"programme"`
	Plan      string   `json:"plan"`
	Due       int      `json:"due" doc:"Terms whose grace time is over. Those that were cut short by a cancellation are not among them."`
	Renewed   int      `json:"renewed" doc:"Those of them that another term follows."`
	Open      int      `json:"open" doc:"Terms whose grace time is not over: they are not in the rate yet, so that early renewals do not flatter it."`
	Rate      *float64 `json:"rate,omitempty" doc:"renewed ÷ due; absent where nothing was due."`
	Low       *float64 `json:"low,omitempty" doc:"Lower end of Wilson's 95 % interval of the rate."`
	High      *float64 `json:"high,omitempty" doc:"Upper end."`
}

// Routes adds the operations on paid memberships, and those by which members leave and come back.
func (m *Memberships) Routes(api *httpx.API) {
	const tag = "Memberships"
	httpx.Register(api, httpx.Operation{
		ID: "buy-membership", Method: http.MethodPost, Path: "/v1/members/{member_id}/memberships", Tag: tag, Summary: "Tell that a membership was paid for",
		Description: "It begins now. The same payment_reference again gives what it bought (200). Money is not moved here: whoever sells takes it, and gives it back.",
		Permission:  auth.LoyaltyWrite, Status: http.StatusCreated, Errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusGone},
	}, m.buyHTTP)
	httpx.Register(api, httpx.Operation{
		ID: "list-memberships", Method: http.MethodGet, Path: "/v1/memberships", Tag: tag, Summary: "List paid memberships in the order in which they were bought",
		Permission: auth.LoyaltyRead,
	}, m.listHTTP)
	httpx.Register(api, httpx.Operation{
		ID: "report-membership-renewals", Method: http.MethodGet, Path: "/v1/memberships/report", Tag: tag, Summary: "Report how many memberships are renewed",
		Permission: auth.LoyaltyRead,
	}, m.reportHTTP)
	httpx.Register(api, httpx.Operation{
		ID: "get-membership", Method: http.MethodGet, Path: "/v1/memberships/{membership_id}", Tag: tag, Summary: "Read a paid membership",
		Permission: auth.LoyaltyRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *membershipByID) (*membershipAnswer, error) {
		return m.answer(m.Get(ctx, in.ID))
	})
	httpx.Register(api, httpx.Operation{
		ID: "renew-membership", Method: http.MethodPost, Path: "/v1/memberships/{membership_id}/renew", Tag: tag, Summary: "Tell that the next term was paid for",
		Description: "In advance or in the grace time; the term begins where the one before ended, by the plan as it is now. The same payment_reference again changes nothing.",
		Permission:  auth.LoyaltyWrite, Status: http.StatusOK, Errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusGone},
	}, func(ctx context.Context, in *renewInput) (*membershipAnswer, error) {
		return m.answer(m.Renew(ctx, in.ID, in.Body.payment()))
	})
	httpx.Register(api, httpx.Operation{
		ID: "cancel-membership", Method: http.MethodPost, Path: "/v1/memberships/{membership_id}/cancel", Tag: tag, Summary: "End a paid membership now",
		Description: "refund_minor is what goes back: of each term ⌊fee × whole days left ÷ days of the term⌋. Welcome points stay.",
		Permission:  auth.LoyaltyWrite, Status: http.StatusOK, Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, func(ctx context.Context, in *cancelInput) (*membershipAnswer, error) {
		return m.answer(m.Cancel(ctx, in.ID, in.Body.Reason))
	})
	m.departures(api)
}

// departures adds the operations by which members leave and come back.
func (m *Memberships) departures(api *httpx.API) {
	const tag = "Members"
	for _, o := range []struct {
		id, action, summary, description string
		do                               func(context.Context, uuid.UUID, string) (Departure, error)
		errors                           []int
	}{
		{
			"leave-programme", "leave", "Have a member leave the programme",
			"Nothing is earned or spent any more, a paid membership ends with its refund, and the points are handled as the programme says. " +
				"Who is suspended or has left is refused (409).", m.Leave, nil,
		},
		{
			"rejoin-programme", "rejoin", "Take a member back who left",
			"The member is as before, with the points that were not taken. Who has not left is refused (409).", m.Rejoin, []int{http.StatusGone},
		},
	} {
		httpx.Register(api, httpx.Operation{
			ID: o.id, Method: http.MethodPost, Path: "/v1/members/{member_id}/" + o.action, Tag: tag, Summary: o.summary, Description: o.description,
			Permission: auth.LoyaltyWrite, Status: http.StatusOK, Errors: append([]int{http.StatusNotFound, http.StatusConflict}, o.errors...),
		}, func(ctx context.Context, in *departInput) (*departureAnswer, error) {
			d, err := o.do(ctx, in.MemberID, in.Body.Reason)
			return &departureAnswer{showDeparture(d)}, err
		})
	}
}

// answer shows a membership, or says why not.
func (m *Memberships) answer(s Membership, err error) (*membershipAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &membershipAnswer{Status: http.StatusOK, Body: show(s, m.now())}, nil
}

func (m *Memberships) buyHTTP(ctx context.Context, in *buyInput) (*membershipAnswer, error) {
	s, bought, err := m.Buy(ctx, in.MemberID, in.Body.Plan, membershipPayment{in.Body.PaymentReference, in.Body.Paid}.payment())
	answer, err := m.answer(s, err)
	if err == nil && bought {
		answer.Status = http.StatusCreated
	}
	return answer, err
}

func (m *Memberships) listHTTP(ctx context.Context, in *membershipListInput) (*membershipListAnswer, error) {
	now := m.now()
	items, next, err := httpx.PageByID(in.Page, func(after uuid.UUID, limit int) ([]Membership, error) {
		return m.List(ctx, Filter{CustomerID: in.CustomerID, MemberID: in.MemberID, State: in.State, After: after}, limit)
	}, func(s Membership) uuid.UUID { return s.ID }, func(s Membership) membershipView { return show(s, now) })
	return &membershipListAnswer{membershipPage{Items: items, NextCursor: next}}, err
}

const (
	reportMonths = 12 // where nothing else is asked for
	mostMonths   = 61
)

func (m *Memberships) reportHTTP(ctx context.Context, in *reportInput) (*reportAnswer, error) {
	now := m.now()
	q := ReportQuery{Programme: in.Programme, Plan: in.Plan, To: time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)}
	if in.To != "" {
		q.To, _ = time.Parse("2006-01", in.To) // the pattern lets through what can be read
	}
	q.From = q.To.AddDate(0, 1-reportMonths, 0)
	if in.From != "" {
		q.From, _ = time.Parse("2006-01", in.From)
	}
	if q.From.After(q.To) || q.From.AddDate(0, mostMonths, 0).Before(q.To.AddDate(0, 1, 0)) {
		return nil, problem.New(problem.Unprocessable, "months_invalid", "Ask for 1 to %d months, the first one before the last.", mostMonths).
			WithField("query.from", "months_invalid", "must be a month up to 60 before the last")
	}
	asOf, all, err := m.Report(ctx, q)
	body := renewalReport{AsOf: asOf, Items: make([]renewalRate, len(all))}
	for i, r := range all {
		body.Items[i] = renewalRate{Month: r.Month, Programme: r.Programme, Plan: r.Plan, Due: r.Due, Renewed: r.Renewed, Open: r.Open}
		if v := r.Interval(); v != nil {
			body.Items[i].Rate, body.Items[i].Low, body.Items[i].High = &v.Value, &v.Low, &v.High
		}
	}
	return &reportAnswer{body}, err
}
