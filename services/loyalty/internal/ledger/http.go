package ledger

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/member"
)

// EntryView is an entry as the API shows it.
type EntryView struct {
	EntryID        uuid.UUID `json:"entry_id" format:"uuid"`
	MemberID       uuid.UUID `json:"member_id" format:"uuid"`
	Kind           Kind      `json:"kind" enum:"earn,grant,spend,restore,release,reversal,expiry,adjustment" doc:"What the entry does."`
	Points         int64     `json:"points" doc:"How many points it is about."`
	Available      int64     `json:"available" doc:"Change of the points to spend."`
	Pending        int64     `json:"pending" doc:"Change of the locked points."`
	Debt           int64     `json:"debt" doc:"Change of what the member owes."`
	AvailableAfter int64     `json:"available_after" doc:"Points to spend once it was booked."`
	ReasonType     string    `json:"reason_type" example:"order"`
	ReasonID       string    `json:"reason_id,omitempty"`
	Programme      string    `json:"programme" doc:"Code of the member's programme." example:"standard"`
	Reverses       string    `json:"reverses,omitempty" format:"uuid" doc:"The entry that was taken back, or the spend that was given back."`
	Waived         int64     `json:"waived,omitempty" doc:"Of a reversal: points that were not taken, nor are they owed, since they had run out."`
	PartOf         string    `json:"part_of,omitempty" format:"uuid" doc:"The first entry of a spend, or of what gave it back, that is about several members who are one customer."`
	BookedBy       string    `json:"booked_by" doc:"Who asked for it: a token's subject, or a part of the platform."`
	BookedAt       time.Time `json:"booked_at"`
	EffectiveAt    time.Time `json:"effective_at" doc:"When what it is for took place."`
	Lots           []useView `json:"lots" nullable:"false" doc:"The lots that points were taken from; below zero: given back to."`
}

// spentView is a spend as it is answered.
type spentView struct {
	EntryView
	Spent int64         `json:"spent" doc:"How many points were spent: of this entry and of its parts."`
	Parts []partialView `json:"parts,omitempty" doc:"What was taken from other members who are the same customer since a merge: an entry for each."`
}

type partialView struct {
	EntryID  uuid.UUID `json:"entry_id" format:"uuid"`
	MemberID uuid.UUID `json:"member_id" format:"uuid"`
	Points   int64     `json:"points"`
	Lots     []useView `json:"lots" nullable:"false" doc:"The lots that points were taken from; below zero: given back to."`
}

// restoredView is a spend that was given back, as it is answered.
type restoredView struct {
	EntryView
	Restored int64         `json:"restored" doc:"How many points were given back: by this entry and by its parts, those included that paid a debt."`
	Parts    []partialView `json:"parts,omitempty" doc:"What was given back to other members whose points the spend took: an entry for each."`
}

func showSpent(s Spent) spentView {
	return spentView{EntryView: show(s.Entry), Spent: s.All(), Parts: showParts(s.Parts)}
}

func showParts(parts []Entry) (views []partialView) {
	for _, p := range parts {
		views = append(views, partialView{EntryID: p.ID, MemberID: p.MemberID, Points: p.Points(), Lots: show(p).Lots})
	}
	return views
}

type useView struct {
	LotID  uuid.UUID `json:"lot_id" format:"uuid"`
	Points int64     `json:"points"`
}

func show(e Entry) EntryView {
	v := EntryView{
		EntryID: e.ID, MemberID: e.MemberID, Kind: e.Kind, Points: e.Points(), Available: e.Available, Pending: e.Pending, Debt: -e.Debt,
		AvailableAfter: e.AvailableAfter, Programme: e.Programme, Waived: e.Waived, ReasonType: e.Reason.Type, ReasonID: e.Reason.ID, BookedBy: e.By,
		BookedAt: e.RecordedAt, EffectiveAt: e.EffectiveAt, Lots: make([]useView, len(e.Uses)),
	}
	if e.Reverses != uuid.Nil {
		v.Reverses = e.Reverses.String()
	}
	if e.PartOf != uuid.Nil {
		v.PartOf = e.PartOf.String()
	}
	for i, u := range e.Uses {
		v.Lots[i] = useView(u)
	}
	return v
}

// lotView is a lot as the API shows it.
type lotView struct {
	LotID       uuid.UUID `json:"lot_id" format:"uuid"`
	EntryID     uuid.UUID `json:"entry_id" format:"uuid" doc:"The entry that made it."`
	Points      int64     `json:"points" doc:"At first."`
	Remaining   int64     `json:"remaining" doc:"What is left of them."`
	State       string    `json:"state" enum:"available,locked"`
	AvailableAt time.Time `json:"available_at" doc:"When the points could or can be spent."`
	EarnedAt    time.Time `json:"earned_at"`

	ExpiresAt *time.Time `json:"expires_at,omitempty" doc:"From then on what is left cannot be spent; absent where it does not run out at a time that is known."`
	Expired   int64      `json:"expired,omitempty" doc:"How many of its points ran out, before others were given back to it."`

	ReasonType string `json:"reason_type" example:"order"`
	ReasonID   string `json:"reason_id,omitempty"`
}

func showLot(l Lot) lotView {
	state := "locked"
	if l.Released {
		state = "available"
	}
	v := lotView{
		LotID: l.ID, EntryID: l.ID, Points: l.Points, Remaining: l.Remaining, State: state, AvailableAt: l.AvailableAt,
		EarnedAt: l.EarnedAt, Expired: l.Expired, ReasonType: l.Reason.Type, ReasonID: l.Reason.ID,
	}
	if !l.ExpiresAt.IsZero() {
		v.ExpiresAt = &l.ExpiresAt
	}
	return v
}

type earnInput struct {
	ID   uuid.UUID `path:"member_id" format:"uuid"`
	Body newEarn
}

// newEarn is what an earn is made of.
type newEarn struct {
	Points      int64      `json:"points" minimum:"1" maximum:"1000000"`
	ReasonType  string     `json:"reason_type" pattern:"^[a-z0-9_]{1,64}$" doc:"A code of what they are for." example:"campaign"`
	ReasonID    string     `json:"reason_id,omitempty" maxLength:"64" doc:"The id of what they are for. It goes out in events: nothing personal."`
	LockedUntil *time.Time `json:"locked_until,omitempty" doc:"They cannot be spent before; at once, where it is left out."`
}

type spendInput struct {
	ID   uuid.UUID `path:"member_id" format:"uuid"`
	Body newSpend
}

// newSpend is what a spend is made of.
type newSpend struct {
	Points     int64  `json:"points" minimum:"1" maximum:"1000000"`
	ReasonType string `json:"reason_type" pattern:"^[a-z0-9_]{1,64}$" doc:"A code of what they are spent on." example:"reward"`
	ReasonID   string `json:"reason_id,omitempty" maxLength:"64" doc:"The id of what they are spent on. It goes out in events: nothing personal."`
}

type adjustmentInput struct {
	ID   uuid.UUID `path:"member_id" format:"uuid"`
	Body newAdjustment
}

// newAdjustment is what an adjustment is made of.
type newAdjustment struct {
	Points     int64  `json:"points" minimum:"-1000000" maximum:"1000000" doc:"To give; below zero: to take. Not 0." example:"-25"`
	ReasonType string `json:"reason_type" pattern:"^[a-z0-9_]{1,64}$" doc:"A code of why." example:"correction"`
	ReasonID   string `json:"reason_id,omitempty" maxLength:"64" doc:"The id of what it is about. It goes out in events: nothing personal."`
}

type restoreInput struct {
	ID   uuid.UUID `path:"entry_id" format:"uuid"`
	Body newRestore
}

// newRestore is what giving a spend back is made of.
type newRestore struct {
	ReasonType string `json:"reason_type" pattern:"^[a-z0-9_]{1,64}$" doc:"A code of why." example:"order_cancelled"`
	ReasonID   string `json:"reason_id,omitempty" maxLength:"64" doc:"The id of what it is about. It goes out in events: nothing personal."`
}

type restoredAnswer struct{ Body restoredView }

type answer struct{ Body EntryView }

type spentAnswer struct{ Body spentView }

type balanceInput struct {
	ID uuid.UUID `path:"member_id" format:"uuid"`
	At time.Time `query:"at" doc:"A past time: what had been booked until then. Now, where it is left out."`
}

type balanceAnswer struct{ Body balanceView }

type balanceView struct {
	MemberID  uuid.UUID `json:"member_id" format:"uuid"`
	Available int64     `json:"available" doc:"Points to spend: of all members who are the same customer today, less what any of them owes."`
	Pending   int64     `json:"pending" doc:"Locked points."`
	Debt      int64     `json:"debt" doc:"Points owed."`
	AsOf      time.Time `json:"as_of"`

	Expiring []expiringView `json:"expiring,omitempty" doc:"The next times at which points run out, at most 12; of now only."`

	Own *member.OwnView `json:"own,omitempty" doc:"What of that is this member's own, where customers were merged."`
}

type explanationInput struct {
	httpx.Page
	ID       uuid.UUID `path:"member_id" format:"uuid"`
	Language string    `query:"language" enum:"en,zh" doc:"Of the words; where it is left out, Accept-Language decides, and in the end English."`
	Accepts  string    `header:"Accept-Language" maxLength:"500" example:"zh-CN"`
}

type explanationAnswer struct{ Body explanationView }

type explanationView struct {
	MemberID   uuid.UUID      `json:"member_id" format:"uuid"`
	Available  int64          `json:"available" doc:"Points to spend of the member's own: what is left of the available lots."`
	Pending    int64          `json:"pending" doc:"Locked points of its own: what is left of the locked lots."`
	Debt       int64          `json:"debt" doc:"Points that it owes."`
	InWords    []string       `json:"in_words" nullable:"false" doc:"Sentences that can be read to the customer; on the first page only."`
	PooledWith []otherView    `json:"pooled_with,omitempty" doc:"Other members who are the same customer since a merge; their points are spent together with these."`
	OpenLots   []lotView      `json:"open_lots" nullable:"false" doc:"Lots that have points left, as they are spent: those that run out first before others, and then the oldest; at most 200."`
	Expiring   []expiringView `json:"expiring,omitempty" doc:"The next times at which points of its own run out, at most 12."`

	OpenLotsTotal int64            `json:"open_lots_total" doc:"How many there are."`
	Items         []explainedEntry `json:"items" nullable:"false" doc:"Entries, the latest first."`
	NextCursor    string           `json:"next_cursor,omitempty" doc:"Where the next page of entries begins; absent on the last one."`
}

// explainedEntry is an entry as an explanation shows it.
type explainedEntry struct {
	EntryView
	InWords string        `json:"in_words" doc:"What can be read to the customer."`
	Parts   []partialView `json:"parts,omitempty" doc:"Of a spend, and of what gave one back: what was taken from other members who are the same customer since a merge, or given back to them."`
}

// otherView is another member who is the same customer.
type otherView struct {
	MemberID   uuid.UUID `json:"member_id" format:"uuid"`
	CustomerID uuid.UUID `json:"customer_id" format:"uuid" doc:"Whose member it is apart from merges."`
	Available  int64     `json:"available" doc:"Points to spend of its own."`
	Pending    int64     `json:"pending" doc:"Locked points of its own."`
	Debt       int64     `json:"debt" doc:"Points that it owes."`
}

// Routes adds the operations on points.
func (l *Ledger) Routes(api *httpx.API) {
	const tag = "Points"
	httpx.Register(api, httpx.Operation{
		ID: "earn-points", Method: http.MethodPost, Path: "/v1/members/{member_id}/earns", Tag: tag, Summary: "Give a member points",
		Description: "A debt is paid out of them first. Purchases earn without this. An Idempotency-Key is remembered for ever.",
		Permission:  auth.LoyaltyWrite, Status: http.StatusCreated, Errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusGone},
	}, l.earnHTTP)
	httpx.Register(api, httpx.Operation{
		ID: "spend-points", Method: http.MethodPost, Path: "/v1/members/{member_id}/spends", Tag: tag, Summary: "Spend points of a member",
		Description: "Those that run out first before others, then the oldest, whichever member's they are of those who are one customer since a merge. More than are available is answered with 409 and takes nothing. An Idempotency-Key is remembered for ever.",
		Permission:  auth.LoyaltyWrite, Status: http.StatusCreated, Errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusGone},
	}, l.spendHTTP)
	httpx.Register(api, httpx.Operation{
		ID: "reverse-spend", Method: http.MethodPost, Path: "/v1/spends/{entry_id}/reverse", Tag: tag, Summary: "Give the points of a spend back",
		Description: "All of them, once, to the lots that they were taken from, which run out in 30 days at the earliest. A debt is paid first. An Idempotency-Key is remembered for ever.",
		Permission:  auth.LoyaltyWrite, Status: http.StatusCreated, Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, l.restoreHTTP)
	httpx.Register(api, httpx.Operation{
		ID: "adjust-points", Method: http.MethodPost, Path: "/v1/members/{member_id}/adjustments", Tag: tag, Summary: "Put a balance right by hand",
		Description: "Gives points of the member's own, or takes available ones, those that run out first before others. More than are available is answered with 409 and takes nothing. An Idempotency-Key is remembered for ever.",
		Permission:  auth.LoyaltyAdjust, Status: http.StatusCreated, Errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusGone},
	}, l.adjustHTTP)
	httpx.Register(api, httpx.Operation{
		ID: "get-balance", Method: http.MethodGet, Path: "/v1/members/{member_id}/balance", Tag: tag, Summary: "Read a balance, of now or of a past time",
		Permission: auth.LoyaltyRead, Errors: []int{http.StatusNotFound},
	}, l.balanceHTTP)
	httpx.Register(api, httpx.Operation{
		ID: "explain-balance", Method: http.MethodGet, Path: "/v1/members/{member_id}/explanation", Tag: tag, Summary: "Explain a balance: its lots and its entries",
		Permission: auth.LoyaltyRead, Errors: []int{http.StatusNotFound},
	}, l.explainHTTP)
	httpx.Register(api, httpx.Operation{
		ID: "summarise-points", Method: http.MethodGet, Path: "/v1/points/summary", Tag: tag, Summary: "Add the ledger up",
		Description: "As a whole and by programme: earned - reversed - spent + restored - expired + adjusted = available + pending - debt. What a programme owes its members is priced by what its terms say that a point is worth.",
		Permission:  auth.LoyaltyRead,
	}, func(ctx context.Context, _ *struct{}) (*summaryAnswer, error) {
		s, err := l.Summary(ctx)
		return &summaryAnswer{showSummary(s)}, err
	})
}

func (l *Ledger) earnHTTP(ctx context.Context, in *earnInput) (*answer, error) {
	b := in.Body
	earning := Earning{Points: b.Points, Reason: Reason{b.ReasonType, b.ReasonID}}
	faults := reasonFaults(earning.Reason)
	if b.LockedUntil != nil {
		earning.LockedUntil = *b.LockedUntil
		if b.LockedUntil.After(l.Now().Add(maxLock)) {
			faults = append(faults, problem.Field{Location: "locked_until", Code: "locked_until_out_of_range", Message: "must be at most ten years ahead"})
		}
	}
	if len(faults) > 0 {
		return nil, invalid(faults)
	}
	e, err := l.Earn(ctx, in.ID, earning)
	return &answer{show(e)}, err
}

// maxLock is how far ahead points may be locked.
const maxLock = 10 * 365 * 24 * time.Hour

func (l *Ledger) spendHTTP(ctx context.Context, in *spendInput) (*spentAnswer, error) {
	reason := Reason{in.Body.ReasonType, in.Body.ReasonID}
	if faults := reasonFaults(reason); len(faults) > 0 {
		return nil, invalid(faults)
	}
	s, err := l.Spend(ctx, in.ID, Spending{Points: in.Body.Points, Reason: reason})
	return &spentAnswer{showSpent(s)}, err
}

func (l *Ledger) restoreHTTP(ctx context.Context, in *restoreInput) (*restoredAnswer, error) {
	reason := Reason{in.Body.ReasonType, in.Body.ReasonID}
	if faults := reasonFaults(reason); len(faults) > 0 {
		return nil, invalid(faults)
	}
	s, err := l.Restore(ctx, in.ID, reason)
	return &restoredAnswer{restoredView{EntryView: show(s.Entry), Restored: s.All(), Parts: showParts(s.Parts)}}, err
}

func (l *Ledger) adjustHTTP(ctx context.Context, in *adjustmentInput) (*answer, error) {
	reason := Reason{in.Body.ReasonType, in.Body.ReasonID}
	faults := reasonFaults(reason)
	if in.Body.Points == 0 {
		faults = append(faults, problem.Field{Location: "points", Code: "points_zero", Message: "must not be 0"})
	}
	if len(faults) > 0 {
		return nil, invalid(faults)
	}
	e, err := l.Adjust(ctx, in.ID, in.Body.Points, reason)
	return &answer{show(e)}, err
}

// reasonFaults says what is wrong with a reason, as far as the schema does not.
func reasonFaults(r Reason) (faults []problem.Field) {
	if strings.ContainsFunc(r.ID, func(c rune) bool { return !unicode.IsPrint(c) }) {
		faults = append(faults, problem.Field{Location: "reason_id", Code: "reason_id_malformed", Message: "must be printable"})
	}
	return faults
}

func invalid(faults []problem.Field) error {
	return problem.InvalidBody("booking_invalid", "Nothing was booked: mend the fields named here.", faults)
}

func (l *Ledger) balanceHTTP(ctx context.Context, in *balanceInput) (*balanceAnswer, error) {
	now := l.Now()
	if in.At.After(now) {
		return nil, problem.New(problem.Unprocessable, "at_in_future", "Nobody knows a balance of the future: ask for a past time.").
			WithField("query.at", "at_in_future", "must be a past time")
	}
	m, err := l.Balance(ctx, in.ID, in.At)
	view := balanceView{MemberID: in.ID, Available: m.Pool.Available, Pending: m.Pool.Pending, Debt: m.Pool.Debt, AsOf: in.At.UTC(), Own: m.Own()}
	if in.At.IsZero() && err == nil {
		view.AsOf = now
		view.Expiring, err = l.showExpiring(ctx, in.ID)
	}
	return &balanceAnswer{view}, err
}

func (l *Ledger) explainHTTP(ctx context.Context, in *explanationInput) (*explanationAnswer, error) {
	before, err := httpx.FromNumber(in.Cursor)
	if err != nil {
		return nil, err
	}
	x, err := l.Explain(ctx, in.ID, int64(before), in.Limit+1)
	if err != nil {
		return nil, err
	}
	page, next := httpx.NextPage(x.Entries, in.Limit, func(last Entry) []string { return []string{strconv.FormatInt(last.No, 10)} })
	body := explanationView{
		MemberID: in.ID, Available: x.Available, Pending: x.Pending, Debt: x.Debt, OpenLots: make([]lotView, len(x.Lots)),
		OpenLotsTotal: x.LotsTotal, Items: make([]explainedEntry, len(page)), NextCursor: next, Expiring: showExpiring(x.Expiring), InWords: []string{},
	}
	teller := NewTeller(Language(httpx.Language(in.Language, in.Accepts)), x.Zone)
	if before == 0 {
		body.InWords = teller.Balance(x)
	}
	for _, o := range x.Others {
		body.PooledWith = append(body.PooledWith, otherView{o.ID, o.CustomerID, o.Available, o.Pending, o.Debt})
	}
	for i, lot := range x.Lots {
		body.OpenLots[i] = showLot(lot)
	}
	for i, e := range page {
		body.Items[i] = explainedEntry{show(e), teller.Entry(e, x.Parts[e.ID]...), showParts(x.Parts[e.ID])}
	}
	return &explanationAnswer{body}, nil
}
