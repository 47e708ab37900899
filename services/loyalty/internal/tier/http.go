package tier

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

// tierView is a member's tier as the API shows it.
type tierView struct {
	MemberID     uuid.UUID           `json:"member_id" format:"uuid"`
	Programme    string              `json:"programme" example:"standard"`
	Tier         string              `json:"tier" doc:"Code; empty where the programme has no tiers." example:"gold"`
	Name         string              `json:"name,omitempty" example:"Gold"`
	Rank         int                 `json:"rank" doc:"The tier's place, 0 for the lowest."`
	Since        *time.Time          `json:"since,omitempty" doc:"Absent for one about whom nothing was decided yet."`
	ValidUntil   *time.Time          `json:"valid_until,omitempty" doc:"Until when it is kept at least; absent for the lowest."`
	Base         string              `json:"base,omitempty" doc:"The tier by merit alone, without what a person or a membership gives."`
	CustomerTier string              `json:"customer_tier,omitempty" doc:"Where customers were merged: the highest tier of all members of the programme who are this customer, which is what counts for it."`
	Benefits     []tierBenefitView   `json:"benefits" nullable:"false" doc:"What the tier brings, with what the lower ones bring."`
	Counts       *tierQualifyingView `json:"qualifying,omitempty" doc:"What counts now; absent where the programme has no tiers."`
	Next         *nextTierView       `json:"next,omitempty" doc:"What is missing to the next tier; absent for the highest."`
	WillFall     *tierFallView       `json:"will_fall,omitempty" doc:"What becomes of the tier if nothing is done; absent where it does not fall."`
	Manual       *tierFloorView      `json:"manual,omitempty" doc:"The least tier that a person set."`
	Paid         *tierFloorView      `json:"paid,omitempty" doc:"The least tier that a paid membership gives."`
	Words        TierWords           `json:"words" doc:"All this in sentences for the customer."`
	History      []tierDecisionView  `json:"history" nullable:"false" doc:"The latest 10 decisions, the latest first."`
}

type tierBenefitView struct {
	Code string `json:"code" example:"free_delivery"`
	Tier string `json:"tier" doc:"The lowest tier that brings it."`
	Text string `json:"text,omitempty"`
	ZH   string `json:"text_zh,omitempty"`
}

type tierQualifyingView struct {
	DrivenBy string     `json:"driven_by" enum:"points,growth"`
	Count    int64      `json:"count" doc:"The qualifying points of the period, or the growth score."`
	From     *time.Time `json:"from,omitempty" doc:"Of the period."`
	To       *time.Time `json:"to,omitempty" doc:"Of the period; exclusive."`
}

type nextTierView struct {
	Tier    string     `json:"tier" example:"platinum"`
	Missing int64      `json:"missing" doc:"Qualifying points, or growth score, more than 0."`
	By      *time.Time `json:"by,omitempty" doc:"Until when so much is enough; absent: always."`
}

type tierFallView struct {
	Tier    string    `json:"tier" doc:"To which it falls." example:"silver"`
	At      time.Time `json:"at"`
	Missing int64     `json:"missing,omitempty" doc:"To keep it; absent where nothing can be earned that keeps it."`
}

type tierFloorView struct {
	Tier   string    `json:"tier"`
	Until  time.Time `json:"until"`
	Reason string    `json:"reason,omitempty" doc:"Code."`
}

type tierDecisionView struct {
	No         int        `json:"no" doc:"1, 2, 3 ... within the member."`
	Reason     string     `json:"reason" enum:"earned,review,manual,floor_ended,programme_changed,paid,returned"`
	From       string     `json:"from_tier,omitempty" doc:"Absent for the first."`
	Tier       string     `json:"tier" doc:"The same as from_tier where it stayed."`
	Qualifying int64      `json:"qualifying" doc:"Points, or growth score, that it was decided by."`
	ReviewAt   *time.Time `json:"period_ended,omitempty" doc:"Of a review: the end of the period."`
	ValidUntil *time.Time `json:"valid_until,omitempty" doc:"Until when it was kept at least by this."`
	Note       string     `json:"note,omitempty" doc:"Code: why a person set it."`
	By         string     `json:"by" doc:"Subject of whoever, or what, brought it about."`
	At         time.Time  `json:"at"`
}

func showDecision(d Decision) tierDecisionView {
	return tierDecisionView{
		No: d.No, Reason: d.Reason, From: d.From, Tier: d.To, Qualifying: max(0, d.Qualifying), ReviewAt: pg.OrNull(d.ReviewAt),
		ValidUntil: pg.OrNull(d.ValidUntil), Note: d.Note, By: d.By, At: d.At,
	}
}

func show(s Seen) tierView {
	c := s.file
	v := tierView{MemberID: c.member, Programme: c.programme, Tier: c.Level, Benefits: []tierBenefitView{}, Words: c.words(), History: make([]tierDecisionView, len(s.History))}
	for i, d := range s.History {
		v.History[i] = showDecision(d)
	}
	if !c.terms.On() {
		return v
	}
	v.Rank, v.Base, v.Since, v.ValidUntil = c.rank(), c.Base, pg.OrNull(c.Since), pg.OrNull(c.validUntil())
	v.Name = c.terms.Levels[v.Rank].Name
	if s.ETag == 0 {
		v.Since = nil
	}
	if s.Merged {
		v.CustomerTier = s.Customer
	}
	for _, l := range c.terms.Levels[:v.Rank+1] {
		for _, b := range l.Benefits {
			v.Benefits = append(v.Benefits, tierBenefitView{Code: b.Code, Tier: l.Code, Text: b.Text, ZH: b.ZH})
		}
	}
	v.Counts = &tierQualifyingView{DrivenBy: programme.DrivePoints, Count: max(0, c.current())}
	if c.terms.ByGrowth() {
		v.Counts.DrivenBy = programme.DriveGrowth
	} else {
		p := c.periodOf(c.today())
		v.Counts.From, v.Counts.To = pg.OrNull(p.from.start(c.zone)), pg.OrNull(p.to.start(c.zone))
	}
	if n, more := c.next(); more {
		v.Next = &nextTierView{Tier: c.terms.Levels[n.Rank].Code, Missing: n.Missing, By: pg.OrNull(n.By)}
	}
	if f, falls := c.fall(); falls {
		v.WillFall = &tierFallView{Tier: c.terms.Levels[f.To].Code, At: f.At}
		if f.Savable {
			v.WillFall.Missing = f.Missing
		}
	}
	v.Manual, v.Paid = showFloor(c.Manual), showFloor(c.Paid)
	return v
}

func showFloor(f Floor) *tierFloorView {
	if f.Level == "" {
		return nil
	}
	return &tierFloorView{Tier: f.Level, Until: f.Until, Reason: f.Reason}
}

type tierPath struct {
	ID uuid.UUID `path:"member_id" format:"uuid"`
}

type tierAnswer struct {
	ETag string `header:"ETag"`
	Body tierView
}

func answered(s Seen, err error) (*tierAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &tierAnswer{httpx.ETag(s.ETag), show(s)}, nil
}

type setTierInput struct {
	ID      uuid.UUID `path:"member_id" format:"uuid"`
	IfMatch string    `header:"If-Match" doc:"The ETag of the tier as it was read."`
	Body    newTier
}

// newTier is the tier that a member is to have at least.
type newTier struct {
	Tier   string    `json:"tier" maxLength:"64" doc:"The least tier; the lowest one takes away what was set before." example:"gold"`
	Reason string    `json:"reason" maxLength:"64" doc:"A code of yours; nothing personal." example:"complaint"`
	Until  time.Time `json:"until" doc:"When it ends: within ten years."`
}

type historyInput struct {
	httpx.Page
	ID uuid.UUID `path:"member_id" format:"uuid"`
}

type historyAnswer struct{ Body tierDecisionPage }

type tierDecisionPage struct {
	Items      []tierDecisionView `json:"items" nullable:"false"`
	NextCursor string             `json:"next_cursor,omitempty"`
}

type tierMembersInput struct {
	httpx.Page
	Programme string `query:"programme" maxLength:"64" default:"standard"`
	Tier      string `query:"tier" required:"true" maxLength:"64" doc:"Code." example:"gold"`
}

type tierMembersAnswer struct{ Body tierMemberPage }

type tierMemberPage struct {
	Items      []tierMemberView `json:"items" nullable:"false"`
	NextCursor string           `json:"next_cursor,omitempty"`
}

type tierMemberView struct {
	MemberID   uuid.UUID  `json:"member_id" format:"uuid"`
	CustomerID uuid.UUID  `json:"customer_id" format:"uuid" doc:"As the member was enrolled."`
	Since      *time.Time `json:"since,omitempty" doc:"Absent for one about whom nothing was decided yet."`
}

type tierReportInput struct {
	Programme string    `query:"programme" maxLength:"64" default:"standard"`
	From      time.Time `query:"from" doc:"Of the moves; left out: 30 days ago."`
	To        time.Time `query:"to" doc:"Exclusive; left out: now."`
}

type tierReportAnswer struct{ Body tierReport }

type tierReport struct {
	Programme string          `json:"programme"`
	From      time.Time       `json:"from"`
	To        time.Time       `json:"to"`
	Tiers     []tierCountView `json:"tiers" nullable:"false" doc:"From the lowest, as members stand now; without those who have left."`
	Moves     []tierMoveView  `json:"moves" nullable:"false" doc:"At most 1000, the most frequent first."`
}

type tierCountView struct {
	Tier    string `json:"tier"`
	Members int64  `json:"members"`
}

type tierMoveView struct {
	From   string `json:"from_tier,omitempty" doc:"Absent: from none."`
	To     string `json:"tier"`
	Reason string `json:"reason"`
	Count  int64  `json:"count"`
}

// Routes adds the operations on tiers.
func (t *Tiers) Routes(api *httpx.API) {
	const tag = "Tiers"
	httpx.Register(api, httpx.Operation{
		ID: "get-member-tier", Method: http.MethodGet, Path: "/v1/members/{member_id}/tier", Tag: tag, Summary: "Read a member's tier: why, until when, and what is missing to the next",
		Permission: auth.LoyaltyRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *tierPath) (*tierAnswer, error) { return answered(t.Get(ctx, in.ID)) })
	httpx.Register(api, httpx.Operation{
		ID: "set-member-tier", Method: http.MethodPut, Path: "/v1/members/{member_id}/tier", Tag: tag, Summary: "Give a member a tier at least, until a date",
		Description: "What the member earns beyond it counts as ever; when the date comes, the tier by merit is left.",
		Permission:  auth.LoyaltyAdjust, Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, func(ctx context.Context, in *setTierInput) (*tierAnswer, error) {
		return answered(t.Set(ctx, in.ID, Wish{Tier: in.Body.Tier, Reason: in.Body.Reason, Until: in.Body.Until, IfMatch: in.IfMatch}))
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-tier-decisions", Method: http.MethodGet, Path: "/v1/members/{member_id}/tier/decisions", Tag: tag, Summary: "List what was decided about a member's tier, the latest first",
		Permission: auth.LoyaltyRead, Errors: []int{http.StatusNotFound},
	}, t.historyHTTP)
	httpx.Register(api, httpx.Operation{
		ID: "list-tier-members", Method: http.MethodGet, Path: "/v1/tiers/members", Tag: tag, Summary: "List the members who have a tier, in the order of enrolment",
		Permission: auth.LoyaltyRead, Errors: []int{http.StatusNotFound},
	}, t.membersHTTP)
	httpx.Register(api, httpx.Operation{
		ID: "report-tiers", Method: http.MethodGet, Path: "/v1/tiers/report", Tag: tag, Summary: "Count members by tier, and moves between tiers",
		Permission: auth.LoyaltyRead, Errors: []int{http.StatusNotFound}, Timeout: 40 * time.Second,
	}, t.reportHTTP)
}

func (t *Tiers) historyHTTP(ctx context.Context, in *historyInput) (*historyAnswer, error) {
	items, next, err := httpx.PageByNumber(in.Page, func(before, limit int) ([]Decision, error) { return t.History(ctx, in.ID, before, limit) },
		func(d Decision) int { return d.No }, showDecision)
	return &historyAnswer{tierDecisionPage{items, next}}, err
}

func (t *Tiers) membersHTTP(ctx context.Context, in *tierMembersInput) (*tierMembersAnswer, error) {
	items, next, err := httpx.PageByID(in.Page, func(after uuid.UUID, limit int) ([]Listed, error) {
		return t.Members(ctx, in.Programme, in.Tier, after, limit)
	}, func(one Listed) uuid.UUID { return one.MemberID }, func(one Listed) tierMemberView {
		return tierMemberView{MemberID: one.MemberID, CustomerID: one.CustomerID, Since: pg.OrNull(one.Since)}
	})
	return &tierMembersAnswer{tierMemberPage{items, next}}, err
}

func (t *Tiers) reportHTTP(ctx context.Context, in *tierReportInput) (*tierReportAnswer, error) {
	to := in.To
	if to.IsZero() {
		to = t.now()
	}
	from := in.From
	if from.IsZero() {
		from = to.AddDate(0, 0, -30)
	}
	if !from.Before(to) {
		return nil, problem.New(problem.Unprocessable, "period_invalid", "The period has no time in it.").
			WithField("query.from", "period_invalid", "must be before to")
	}
	r, err := t.Report(ctx, in.Programme, from, to)
	if err != nil {
		return nil, err
	}
	body := tierReport{Programme: in.Programme, From: from.UTC(), To: to.UTC(), Tiers: make([]tierCountView, len(r.Levels)), Moves: make([]tierMoveView, len(r.Moves))}
	for i, l := range r.Levels {
		body.Tiers[i] = tierCountView{l.Code, r.Members[i]}
	}
	for i, m := range r.Moves {
		body.Moves[i] = tierMoveView(m)
	}
	return &tierReportAnswer{body}, nil
}
