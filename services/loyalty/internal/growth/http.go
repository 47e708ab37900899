package growth

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// growthView is a growth score as the API shows it.
type growthView struct {
	MemberID     uuid.UUID    `json:"member_id" format:"uuid"`
	Programme    string       `json:"programme" example:"standard"`
	Version      int          `json:"programme_version" doc:"Of the terms by which it is composed."`
	Score        int          `json:"score" doc:"0 to 1000: the points of all parts together."`
	ScoredAt     time.Time    `json:"scored_at" doc:"Now: the score is composed when it is asked for."`
	CountedSince time.Time    `json:"counted_since" doc:"What took place before does not count any more."`
	Told         *growthTold  `json:"told,omitempty" doc:"What the last event GrowthScored said; absent before the first. The score may have changed since by less than the step."`
	Words        growthWords  `json:"words"`
	Parts        []growthPart `json:"parts" nullable:"false" doc:"Each behaviour that has a weight."`
}

// growthWords is what can be read to the customer.
type growthWords struct {
	English string `json:"en"`
	Chinese string `json:"zh"`
}

type growthPart struct {
	Behaviour  string         `json:"behaviour" enum:"spending,breadth,interactions,reviews,referrals"`
	Amount     int64          `json:"amount" doc:"How many; of spending: millionths of the amounts at which it counts half, over all currencies."`
	Half       int64          `json:"half" doc:"At so much of the amount it counts half."`
	Spent      []growthAmount `json:"spent,omitempty" doc:"Of spending: what was bought less what came back."`
	Categories []string       `json:"categories,omitempty" doc:"Of breadth."`
	Value      int            `json:"value" doc:"0 to 1000: 1000 times amount / (amount + half), rounded half up."`
	Weight     int64          `json:"weight"`
	Points     int            `json:"points" doc:"What it adds to the score."`
	Words      *growthWords   `json:"words,omitempty"`
}

type growthAmount struct {
	Currency string `json:"currency" example:"CNY"`
	Minor    int64  `json:"minor" doc:"In minor units."`
}

// growthTold is a change of a score that was told of.
type growthTold struct {
	ChangeID uuid.UUID    `json:"change_id" format:"uuid"`
	Score    int          `json:"score"`
	From     int          `json:"from_score"`
	Cause    string       `json:"cause" enum:"order,interaction,behaviour,referral,merge,enrolment,day" doc:"What it was found by; day: the daily round, since something left the window or the terms are others."`
	Version  int          `json:"programme_version"`
	ScoredAt time.Time    `json:"scored_at"`
	Parts    []growthPart `json:"parts,omitempty"`
}

func showPart(p Part) growthPart {
	v := growthPart{Behaviour: p.Behaviour, Amount: p.Amount, Half: p.Half, Value: p.Value, Weight: p.Weight, Points: p.Points}
	for _, c := range sortedKeys(p.Spent) {
		v.Spent = append(v.Spent, growthAmount{c, p.Spent[c]})
	}
	return v
}

func showTold(t Told) growthTold {
	v := growthTold{ChangeID: t.ID, Score: t.Score, From: t.From, Cause: t.Cause, Version: t.Version, ScoredAt: t.ScoredAt}
	for _, p := range t.Parts {
		v.Parts = append(v.Parts, showPart(p))
	}
	return v
}

func (w Words) show() growthWords { return growthWords(w) }

func showStanding(s Standing) growthView {
	v := growthView{
		MemberID: s.Member.ID, Programme: s.Programme.Code, Version: s.Programme.Version, Score: s.Score.Score, ScoredAt: s.At,
		CountedSince: s.Since, Words: s.Words().show(), Parts: []growthPart{},
	}
	for _, p := range s.Parts {
		part, words := showPart(p), s.PartWords(p).show()
		part.Words = &words
		if p.Behaviour == "breadth" {
			part.Categories = s.Categories
		}
		v.Parts = append(v.Parts, part)
	}
	if s.Told != nil {
		told := showTold(*s.Told)
		told.Parts = nil
		v.Told = &told
	}
	return v
}

type growthByID struct {
	ID uuid.UUID `path:"member_id" format:"uuid"`
}

type growthHistoryInput struct {
	httpx.Page
	ID uuid.UUID `path:"member_id" format:"uuid"`
}

type growthHistoryPage struct {
	Items      []growthTold `json:"items" nullable:"false"`
	NextCursor string       `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

// newBehaviour is what an integrator tells that a member did.
type newBehaviour struct {
	BehaviourID string    `json:"behaviour_id" pattern:"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$" maxLength:"128" doc:"Yours: what is told again under it counts once. Nothing personal." example:"review-2291"`
	Kind        string    `json:"kind" enum:"review" doc:"What it was."`
	OccurredAt  time.Time `json:"occurred_at" doc:"When; not in the future."`
}

type behaviourView struct {
	BehaviourID string    `json:"behaviour_id"`
	MemberID    uuid.UUID `json:"member_id" format:"uuid"`
	Kind        string    `json:"kind"`
	OccurredAt  time.Time `json:"occurred_at"`
	RecordedAt  time.Time `json:"recorded_at"`
}

type behaviourInput struct {
	ID   uuid.UUID `path:"member_id" format:"uuid"`
	Body newBehaviour
}

type behaviourAnswer struct {
	Status int
	Body   behaviourView
}

// kinds are the kinds of behaviours that can be told, and as what each counts.
var kinds = map[string]string{"review": "reviews"}

// Routes adds the operations on growth scores.
func (g *Growths) Routes(api *httpx.API) {
	const tag = "Growth"
	httpx.Register(api, httpx.Operation{
		ID: "get-growth", Method: http.MethodGet, Path: "/v1/members/{member_id}/growth", Tag: tag, Summary: "Explain a member's growth score",
		Description: "Part by part, in numbers and in words. Members who are one customer since a merge have the same behaviours, so the same score.",
		Permission:  auth.LoyaltyRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *growthByID) (*struct{ Body growthView }, error) {
		found, err := g.Get(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		return &struct{ Body growthView }{showStanding(found)}, nil
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-growth-changes", Method: http.MethodGet, Path: "/v1/members/{member_id}/growth/history", Tag: tag,
		Summary: "List the changes of a growth score that were told of, the latest first", Permission: auth.LoyaltyRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *growthHistoryInput) (*struct{ Body growthHistoryPage }, error) {
		items, next, err := httpx.PageByID(in.Page, func(before uuid.UUID, limit int) ([]Told, error) {
			return g.History(ctx, in.ID, before, limit)
		}, func(one Told) uuid.UUID { return one.ID }, showTold)
		if err != nil {
			return nil, err
		}
		return &struct{ Body growthHistoryPage }{growthHistoryPage{items, next}}, nil
	})
	httpx.Register(api, httpx.Operation{
		ID: "report-behaviour", Method: http.MethodPost, Path: "/v1/members/{member_id}/behaviours", Tag: tag, Summary: "Tell of something that a member did",
		Description: "It counts once for its behaviour_id: told again with the same content it is answered as it stands (200), with another one 409 behaviour_id_reused. Purchases, contacts and referrals are known without this.",
		Permission:  auth.LoyaltyWrite, Status: http.StatusCreated, Errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusGone},
	}, g.reportHTTP)
}

func (g *Growths) reportHTTP(ctx context.Context, in *behaviourInput) (*behaviourAnswer, error) {
	if in.Body.OccurredAt.After(g.now().Add(24*time.Hour)) || in.Body.OccurredAt.Year() < 1970 {
		return nil, problem.InvalidBody("behaviour_invalid", "The behaviour was not taken in: mend the field named here.",
			[]problem.Field{{Location: "occurred_at", Code: "out_of_range", Message: "must be a time since 1970 that is not in the future"}})
	}
	b, made, err := g.Report(ctx, in.ID, Behaviour{Kind: kinds[in.Body.Kind], Key: in.Body.BehaviourID, OccurredAt: in.Body.OccurredAt})
	if err != nil {
		return nil, err
	}
	status := http.StatusOK
	if made {
		status = http.StatusCreated
	}
	return &behaviourAnswer{status, behaviourView{
		BehaviourID: b.Key, MemberID: b.MemberID, Kind: in.Body.Kind, OccurredAt: b.OccurredAt, RecordedAt: b.RecordedAt,
	}}, nil
}
