package c139

import (
	"context"
	"math"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/sales/internal/opportunity"
)

const day = "2006-01-02"

// C139Entry is what is known of an item, as the API shows it.
type C139Entry struct {
	Code      string     `json:"code" example:"decision_structure"`
	Name      Text       `json:"name"`
	Holds     *bool      `json:"holds,omitempty" doc:"A thing is clear, a sign is seen; absent: nobody says."`
	Known     string     `json:"known" doc:"What is known, in words."`
	Evidence  string     `json:"evidence" doc:"By what it is known, in words."`
	CoachID   *uuid.UUID `json:"coach_id,omitempty" format:"uuid" doc:"The contact with the role coach who confirmed it; absent: nobody did."`
	On        string     `json:"on,omitempty" format:"date" doc:"The day of which it is known; absent where nothing was ever said." example:"2026-11-20"`
	Since     *time.Time `json:"since,omitempty" doc:"From when on it has held, or has not."`
	ChangedAt *time.Time `json:"changed_at,omitempty"`
	ChangedBy string     `json:"changed_by,omitempty" doc:"Subject."`
	Erased    bool       `json:"erased,omitempty" doc:"Its words were taken away with somebody who was erased."`
}

func showEntry(item Item, e Entry) C139Entry {
	v := C139Entry{Code: item.Code, Name: item.Name, Holds: e.Holds, Known: e.Known, Evidence: e.Evidence, CoachID: pg.OrNull(e.Coach), Erased: e.Erased}
	if e.Version > 0 {
		v.On, v.Since, v.ChangedAt, v.ChangedBy = e.On.Format(day), &e.Since, &e.At, e.By
	}
	return v
}

// C139Sign is a sign, as people and as the decision structure have it.
type C139Sign struct {
	C139Entry
	Computed *bool `json:"computed,omitempty" doc:"What the decision structure says: the contacts' roles, influence and leaning; absent: it cannot tell."`
	Disputed bool  `json:"disputed" doc:"People and structure disagree: the sign counts for nothing until that is settled."`
	Counts   bool  `json:"counts" doc:"It is counted. Where people say nothing, a sign of leading counts by the structure; the one that decides needs somebody who says so, with evidence."`
}

// C139Counts is what a card comes to.
type C139Counts struct {
	Display  string `json:"display" doc:"How people say it." example:"6C 2F 1W"`
	Clear    int    `json:"clear" doc:"C: things that are clear, of nine."`
	Coached  int    `json:"coached" doc:"Of them, confirmed by a coach."`
	Leading  int    `json:"leading" doc:"F: signs of leading, of three."`
	Deciding int    `json:"deciding" doc:"W: 1 where the sign that decides is there."`
}

func showCounts(n Counts) C139Counts {
	return C139Counts{n.String(), n.Clear, n.Coached, n.Leading, n.Deciding}
}

// c139Card is a card, as the API shows it.
type c139Card struct {
	OpportunityID uuid.UUID `json:"opportunity_id" format:"uuid"`
	C139Counts
	Things    []C139Entry `json:"things" nullable:"false"`
	Signs     []C139Sign  `json:"signs" nullable:"false" doc:"Three of leading, and at the end the one that decides."`
	Version   int         `json:"version" doc:"Of what people wrote; the ETag. 0: nobody wrote anything."`
	ChangedAt *time.Time  `json:"changed_at,omitempty"`
}

func showCard(v View) c139Card {
	card := c139Card{OpportunityID: v.Card.Opportunity, C139Counts: showCounts(v.Card.Counts()), Version: v.Card.Edition, ChangedAt: pg.OrNull(v.Card.At)}
	for _, item := range Items() {
		e := showEntry(item, v.Card.Entries[item.Code])
		if item.Kind == Thing {
			card.Things = append(card.Things, e)
			continue
		}
		s := v.Card.Sign(item)
		card.Signs = append(card.Signs, C139Sign{C139Entry: e, Computed: s.Computed, Disputed: s.Disputed, Counts: s.Counts})
	}
	return card
}

type cardAnswer struct {
	ETag string `header:"ETag"`
	Body c139Card
}

func answered(v View, err error) (*cardAnswer, error) {
	if err != nil {
		return nil, err
	}
	a := &cardAnswer{Body: showCard(v)}
	if !v.Past {
		a.ETag = httpx.ETag(int64(v.Card.Edition))
	}
	return a, nil
}

// CardPath names a card by its opportunity.
type CardPath struct {
	ID uuid.UUID `path:"opportunity_id" format:"uuid"`
}

type getCard struct {
	CardPath
	At time.Time `query:"at" doc:"The card as it was at this time, RFC 3339; absent: as it is."`
}

type writeCard struct {
	CardPath
	IfMatch string `header:"If-Match" doc:"The ETag of the card as it was read."`
	Body    newC139Entries
}

// newC139Entries is what somebody says of items.
type newC139Entries struct {
	Entries []newC139Entry `json:"entries" nullable:"false" minItems:"1" maxItems:"13" doc:"Items that are left out stay as they are."`
}

// newC139Entry takes the place of what is known of an item.
type newC139Entry struct {
	Code     string     `json:"code" maxLength:"64" doc:"Of a thing or a sign: see /v1/c139-items." example:"decision_structure"`
	Holds    *bool      `json:"holds,omitempty" doc:"A thing is clear, a sign is seen. A sign that is said not to be there is more than one of which nobody says anything."`
	Known    string     `json:"known,omitempty" maxLength:"4000" doc:"What is known. A thing that is clear can be said."`
	Evidence string     `json:"evidence,omitempty" maxLength:"4000" doc:"By what it is known. Nothing holds without."`
	CoachID  *uuid.UUID `json:"coach_id,omitempty" format:"uuid" doc:"The contact of the opportunity, whose role is coach, who confirmed it."`
	On       string     `json:"on,omitempty" format:"date" maxLength:"10" doc:"The day of which it is known; absent: today, by UTC."`
}

func (n newC139Entries) change(now time.Time) Change {
	change := make(Change, len(n.Entries))
	for i, e := range n.Entries {
		on := now.Truncate(24 * time.Hour)
		if e.On != "" {
			on, _ = time.Parse(day, e.On) // the schema let nothing else through; the zero time is refused
		}
		change[i] = Entry{Code: e.Code, Holds: e.Holds, Known: e.Known, Evidence: e.Evidence, On: on}
		if e.CoachID != nil {
			change[i].Coach = *e.CoachID
		}
	}
	return change
}

// c139Item is an item of every card.
type c139Item struct {
	Code     string   `json:"code"`
	Kind     Kind     `json:"kind" enum:"thing,leading,deciding" doc:"C, F and W."`
	Name     Text     `json:"name"`
	Question Text     `json:"question" doc:"To ask where it is not clear."`
	Ask      []string `json:"ask" nullable:"false" doc:"Roles of contacts who may know, the best first; team: one's own people."`
	Weight   int      `json:"weight" doc:"How much hangs on it, 1 to 5."`
	Due      int      `json:"due_percent" doc:"By which part of the pipeline it is needed: a stage asks for what is due up to it."`
}

type c139Items struct{ Body c139ItemList }

type c139ItemList struct {
	Items []c139Item `json:"items" nullable:"false"`
}

func listItems(context.Context, *struct{}) (*c139Items, error) {
	list := &c139Items{}
	for _, i := range Items() {
		v := c139Item{Code: i.Code, Kind: i.Kind, Name: i.Name, Question: i.Question, Weight: i.Weight, Due: i.Due}
		for _, role := range i.Ask {
			v.Ask = append(v.Ask, string(role))
		}
		list.Body.Items = append(list.Body.Items, v)
	}
	return list, nil
}

// c139Gap is something to find out.
type c139Gap struct {
	Code     string           `json:"code"`
	Name     Text             `json:"name"`
	Reason   Reason           `json:"reason" enum:"unknown,unclear,denied,disputed,unproven,unconfirmed,stale" doc:"Nothing is known of it; it is not clear; the sign is not there; people and structure disagree; nobody has evidence for it; no coach confirmed it; it was known more than 90 days ago."`
	Now      bool             `json:"needed_now" doc:"The stage that the opportunity is in asks for it."`
	Weight   int              `json:"weight"`
	Since    time.Time        `json:"since" doc:"From when on it has been so."`
	Question Text             `json:"question"`
	Role     opportunity.Role `json:"ask_role" doc:"Of whom to ask; team: one's own people."`
	Whom     []uuid.UUID      `json:"ask" nullable:"false" doc:"The contacts who have that role, the most influential first. None: find one, where it is not the team."`
}

type c139Gaps struct{ Body c139GapList }

type c139GapList struct {
	OpportunityID uuid.UUID `json:"opportunity_id" format:"uuid"`
	C139Counts
	Items []c139Gap `json:"items" nullable:"false" doc:"What to find out next: what does not hold first; of that what the stage asks for; then by weight; then what stands open longest."`
}

func (c *Cards) listGaps(ctx context.Context, in *CardPath) (*c139Gaps, error) {
	v, gaps, err := c.Gaps(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	list := &c139Gaps{Body: c139GapList{OpportunityID: in.ID, C139Counts: showCounts(v.Card.Counts()), Items: make([]c139Gap, len(gaps))}}
	for i, g := range gaps {
		whom := g.Whom
		if whom == nil {
			whom = []uuid.UUID{}
		}
		list.Body.Items[i] = c139Gap{g.Code, g.Name, g.Reason, g.Now, g.Weight, g.Since, g.Question, g.Role, whom}
	}
	return list, nil
}

type listLog struct {
	CardPath
	httpx.Page
	From  time.Time `query:"from" doc:"Only what was written from then on."`
	Until time.Time `query:"until" doc:"Only what was written before."`
}

// c139Version is a version of a card, with what it changed.
type c139Version struct {
	No       int          `json:"no" doc:"In the order in which they were written."`
	Cause    string       `json:"cause" enum:"people,structure" doc:"Somebody wrote, or the contacts changed and with them what is computed."`
	At       time.Time    `json:"at"`
	By       string       `json:"by,omitempty" doc:"Subject; absent where the contacts changed."`
	Computed c139Computed `json:"computed"`
	C139Counts
	Changes []c139Change `json:"changes" nullable:"false"`
}

// c139Computed is what the decision structure said of the signs.
type c139Computed struct {
	FitHighest    *bool `json:"fit_highest,omitempty"`
	KeyPeopleHelp *bool `json:"key_people_help,omitempty"`
	MajorityChose *bool `json:"majority_chose,omitempty"`
	TopDecides    *bool `json:"top_decides,omitempty"`
}

// c139Change is an item before and after.
type c139Change struct {
	Before *C139Entry `json:"before,omitempty" doc:"Absent where nothing had been said."`
	After  C139Entry  `json:"after"`
}

type c139Log struct{ Body c139LogPage }

type c139LogPage struct {
	Items      []c139Version `json:"items" nullable:"false" doc:"The latest first."`
	NextCursor string        `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

func showVersion(l Logged) c139Version {
	v := c139Version{No: l.Version, Cause: l.Cause, At: l.At, By: l.By, Computed: c139Computed(l.Computed), C139Counts: showCounts(l.Counts), Changes: []c139Change{}}
	for _, c := range l.Changes {
		item, _ := Find(c.After.Code)
		shown := c139Change{After: showEntry(item, c.After)}
		if c.Before.Version > 0 {
			before := showEntry(item, c.Before)
			shown.Before = &before
		}
		v.Changes = append(v.Changes, shown)
	}
	return v
}

func (c *Cards) listLog(ctx context.Context, in *listLog) (*c139Log, error) {
	if err := rangeOf(in.From, in.Until); err != nil {
		return nil, err
	}
	items, next, err := httpx.PageByNumber(in.Page, func(before, limit int) ([]Logged, error) {
		return c.Log(ctx, in.ID, in.From, in.Until, before, limit)
	}, func(l Logged) int { return l.Version }, showVersion)
	if err != nil {
		return nil, err
	}
	return &c139Log{Body: c139LogPage{items, next}}, nil
}

// rangeOf refuses a range in which there can be nothing.
func rangeOf(from, until time.Time) error {
	if !from.IsZero() && !until.IsZero() && !until.After(from) {
		return problem.New(problem.Unprocessable, "range_empty", "There is no time between from and until.").WithField("query.until", "out_of_range", "must be after from")
	}
	return nil
}

type getWinRates struct {
	From       time.Time `query:"closed_from" doc:"Only opportunities that were closed from then on; absent: ever."`
	Until      time.Time `query:"closed_until" doc:"Only those that were closed before; absent: up to now."`
	DaysBefore int       `query:"days_before" minimum:"0" maximum:"365" doc:"By the card as it stood so many days before the closing; absent: at the closing. What is known at the end is known too late to tell anything: look at 30 as well."`
	Pipeline   string    `query:"pipeline" maxLength:"64" doc:"Code; absent: all."`
	Least      int       `query:"least" minimum:"1" maximum:"1000" default:"10" doc:"As many closed opportunities make a rate."`
}

// c139Band is the win rate of a band.
type c139Band struct {
	By     string   `json:"by" enum:"clear,leading,deciding,card" doc:"What of the card is counted: C, F, W, or whether there was a card."`
	Band   string   `json:"band" doc:"Of what is counted, such as 4-6; of card: all and none." example:"4-6"`
	Closed int      `json:"closed"`
	Won    int      `json:"won"`
	Lost   int      `json:"lost"`
	Enough bool     `json:"enough" doc:"Enough were closed to tell. Where not, there is not enough data, and no rate."`
	Rate   *float64 `json:"rate,omitempty" doc:"Of those closed, won; 0 to 1, to four places." example:"0.6"`
	Low    *float64 `json:"low,omitempty" doc:"Lower end of its interval of 95 % (Wilson)."`
	High   *float64 `json:"high,omitempty" doc:"Upper end."`
}

type c139WinRates struct{ Body c139WinRateList }

type c139WinRateList struct {
	DaysBefore int        `json:"days_before"`
	Least      int        `json:"least"`
	Items      []c139Band `json:"items" nullable:"false"`
}

func (c *Cards) getWinRates(ctx context.Context, in *getWinRates) (*c139WinRates, error) {
	if err := rangeOf(in.From, in.Until); err != nil {
		return nil, err
	}
	q := Query{From: in.From, Until: in.Until, DaysBefore: in.DaysBefore, Pipeline: in.Pipeline, Least: in.Least}
	if q.Until.IsZero() {
		q.Until = theEnd
	}
	measured, err := c.WinRates(ctx, q)
	if err != nil {
		return nil, err
	}
	list := &c139WinRates{Body: c139WinRateList{DaysBefore: in.DaysBefore, Least: in.Least, Items: make([]c139Band, len(measured))}}
	for i, b := range measured {
		v := c139Band{By: b.By, Band: b.Name, Closed: b.Won + b.Lost, Won: b.Won, Lost: b.Lost, Enough: b.Enough}
		if b.Enough {
			v.Rate, v.Low, v.High = places(b.Rate.Value), places(b.Rate.Low), places(b.Rate.High)
		}
		list.Body.Items[i] = v
	}
	return list, nil
}

// places rounds to four places.
func places(x float64) *float64 {
	x = math.Round(x*1e4) / 1e4
	return &x
}

const tag = "C139"

// Routes registers the operations on C139 cards.
func (c *Cards) Routes(api *httpx.API) {
	httpx.Register(api, httpx.Operation{
		ID: "get-c139-card", Method: http.MethodGet, Path: "/v1/opportunities/{opportunity_id}/c139", Tag: tag, Permission: auth.SalesRead,
		Summary:     "Read the C139 card of an opportunity",
		Description: "Nine things to have clear, three signs of leading, and the one that decides. Every opportunity has a card; before anybody wrote, its version is 0 and it shows what the decision structure says.",
		Errors:      []int{http.StatusNotFound},
	}, func(ctx context.Context, in *getCard) (*cardAnswer, error) { return answered(c.Get(ctx, in.ID, in.At)) })
	httpx.Register(api, httpx.Operation{
		ID: "change-c139-card", Method: http.MethodPatch, Path: "/v1/opportunities/{opportunity_id}/c139", Tag: tag, Permission: auth.SalesWrite,
		Summary:     "Say what is known",
		Description: "Every change is a version, and what was before stays readable. What holds needs evidence. The card of a closed opportunity is not changed any more.",
		Errors:      []int{http.StatusNotFound, http.StatusConflict, http.StatusGone},
	}, func(ctx context.Context, in *writeCard) (*cardAnswer, error) {
		return answered(c.Write(ctx, in.ID, in.Body.change(c.now()), func(edition int) error { return httpx.IfMatch(in.IfMatch, int64(edition)) }))
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-c139-changes", Method: http.MethodGet, Path: "/v1/opportunities/{opportunity_id}/c139/changes", Tag: tag, Permission: auth.SalesRead,
		Summary: "List what changed between two times",
		Errors:  []int{http.StatusNotFound},
	}, c.listLog)
	httpx.Register(api, httpx.Operation{
		ID: "list-c139-gaps", Method: http.MethodGet, Path: "/v1/opportunities/{opportunity_id}/c139/gaps", Tag: tag, Permission: auth.SalesRead,
		Summary: "List what to find out next, with what to ask and whom",
		Errors:  []int{http.StatusNotFound},
	}, c.listGaps)
	httpx.Register(api, httpx.Operation{
		ID: "list-c139-items", Method: http.MethodGet, Path: "/v1/c139-items", Tag: tag, Permission: auth.SalesRead,
		Summary: "List the items of every card",
	}, listItems)
	httpx.Register(api, httpx.Operation{
		ID: "get-c139-win-rates", Method: http.MethodGet, Path: "/v1/c139-win-rates", Tag: tag, Permission: auth.SalesRead,
		Summary:     "Measure how many were won, by what their cards counted",
		Description: "Of opportunities that are won or lost by now, by the card as it stood when they were closed, or days before.",
	}, c.getWinRates)
}
