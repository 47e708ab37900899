package merge

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
)

type newMerge struct {
	AbsorbedID uuid.UUID `json:"absorbed_id" format:"uuid" doc:"The customer whose id will be an alias."`
	DryRun     bool      `json:"dry_run,omitempty" doc:"Only show the merged record, field by field."`
	MergeChoice
}

// MergeChoice is how the fields of a merge are chosen. It is exported since what is embedded has to be, to have a schema.
type MergeChoice struct {
	Reason  string               `json:"reason,omitempty" doc:"Code of why." default:"duplicate" pattern:"^[a-z][a-z0-9_]{0,63}$"`
	Rule    Rule                 `json:"rule,omitempty" enum:"most_recent,oldest,trusted_source" default:"most_recent" doc:"From which of the two a field is taken that both have: the one changed last, the one registered first, or the one whose source is trusted most."`
	Trusted []string             `json:"trusted_sources,omitempty" nullable:"false" maxItems:"50" doc:"Sources, the most trusted first, for trusted_source." example:"[\"till\",\"web\"]"`
	Rules   map[string]Rule      `json:"rules,omitempty" doc:"Other rules for single fields, by field; a custom field is custom.<name>."`
	Choose  map[string]uuid.UUID `json:"choose,omitempty" doc:"Chosen by hand: from which of the two customers a field is taken, by field."`
}

func (c MergeChoice) choice() Choice {
	return Choice{Default: c.Rule, Trusted: c.Trusted, Rules: c.Rules, ByHand: c.Choose}
}

type acceptedDuplicate struct {
	SurvivorID uuid.UUID `json:"survivor_id,omitempty" format:"uuid" doc:"Who stays; left out: the one who was registered first."`
	MergeChoice
}

type acceptInput struct {
	ID   uuid.UUID `path:"duplicate_id" format:"uuid"`
	Body acceptedDuplicate
}

type mergeInput struct {
	ID   uuid.UUID `path:"customer_id" format:"uuid"`
	Body newMerge
}

// mergeView is a merge as the API shows it.
type mergeView struct {
	MergeID    *uuid.UUID          `json:"merge_id,omitempty" format:"uuid" doc:"Absent for a dry run."`
	SurvivorID uuid.UUID           `json:"survivor_id" format:"uuid"`
	AbsorbedID uuid.UUID           `json:"absorbed_id" format:"uuid"`
	Reason     string              `json:"reason"`
	MergedAt   *time.Time          `json:"merged_at,omitempty"`
	MergedBy   string              `json:"merged_by,omitempty" doc:"Subject of the token."`
	UndoUntil  *time.Time          `json:"undo_until,omitempty" doc:"How long the merge can be undone."`
	UndoneAt   *time.Time          `json:"undone_at,omitempty"`
	UndoneBy   string              `json:"undone_by,omitempty"`
	Fields     []mergeDecisionView `json:"fields,omitempty" nullable:"false" doc:"Of a dry run: what the merged record would be."`
}

type mergeDecisionView struct {
	Field string     `json:"field" example:"given_name"`
	Value string     `json:"value" doc:"As text; of a custom field its JSON."`
	From  *uuid.UUID `json:"from,omitempty" format:"uuid" doc:"Whose value it is; absent where it is of both."`
	Rule  Rule       `json:"rule" enum:"most_recent,oldest,trusted_source,by_hand,only_value,both" doc:"What decided."`
	// Withheld is about the value.
	Withheld bool `json:"withheld,omitempty" doc:"The value is sensitive and left out."`
}

func showMerge(m Merge) mergeView {
	until := m.UndoUntil()
	v := mergeView{
		MergeID: &m.ID, SurvivorID: m.SurvivorID, AbsorbedID: m.AbsorbedID, Reason: m.Reason, MergedAt: &m.MergedAt, MergedBy: m.MergedBy,
		UndoUntil: &until, UndoneBy: m.UndoneBy,
	}
	if !m.UndoneAt.IsZero() {
		v.UndoUntil, v.UndoneAt = nil, &m.UndoneAt
	}
	return v
}

type mergeAnswer struct {
	Status int
	Body   mergeView
}

type oneMerge struct{ Body mergeView }

type mergeByID struct {
	ID uuid.UUID `path:"merge_id" format:"uuid"`
}

type mergesInput struct {
	ID uuid.UUID `path:"customer_id" format:"uuid"`
	httpx.Page
}

type mergesAnswer struct{ Body mergePage }

type mergePage struct {
	Items      []mergeView `json:"items" nullable:"false"`
	NextCursor string      `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

// Routes adds the operations on merges.
func (m *Merges) Routes(api *httpx.API) {
	const tag = "Merges"
	httpx.Register(api, httpx.Operation{
		ID: "merge-customers", Method: http.MethodPost, Path: "/v1/customers/{customer_id}/merges", Tag: tag, Summary: "Merge another customer into this one",
		Description: "The other's id means this customer from then on, in every service: what was and will be written for it is found " +
			"here. Each field of the record is taken from one of the two by a rule, or as chosen; identities, addresses, orders, points and all else " +
			"add up. A dry run answers 200 with the record that would come of it.",
		Permission: auth.CustomersMerge, Status: http.StatusCreated, Errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusGone},
	}, m.merge)
	httpx.Register(api, httpx.Operation{
		ID: "accept-duplicate", Method: http.MethodPost, Path: "/v1/duplicates/{duplicate_id}/accept", Tag: "Duplicates", Summary: "Say that the two are one, and merge them",
		Permission: auth.CustomersMerge, Status: http.StatusCreated, Errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusGone},
	}, func(ctx context.Context, in *acceptInput) (*oneMerge, error) {
		return oneOf(m.Merge(ctx, Request{Pair: in.ID, Survivor: in.Body.SurvivorID, Reason: in.Body.Reason, Choice: in.Body.choice()}))
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-merges", Method: http.MethodGet, Path: "/v1/customers/{customer_id}/merges", Tag: tag, Summary: "List a customer's merges, the latest first",
		Permission: auth.CustomersRead, Errors: []int{http.StatusNotFound, http.StatusGone},
	}, m.list)
	httpx.Register(api, httpx.Operation{
		ID: "get-merge", Method: http.MethodGet, Path: "/v1/merges/{merge_id}", Tag: tag, Summary: "Read a merge",
		Permission: auth.CustomersRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *mergeByID) (*oneMerge, error) { return oneOf(m.Get(ctx, in.ID)) })
	httpx.Register(api, httpx.Operation{
		ID: "undo-merge", Method: http.MethodPost, Path: "/v1/merges/{merge_id}/undo", Tag: tag, Summary: "Undo a merge",
		Description: "Within 90 days. Both customers are as they were, with what each got since: what was written for an id is that id's, " +
			"and what was changed in the merged record stays with the survivor.",
		Permission: auth.CustomersMerge, Errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusGone},
	}, func(ctx context.Context, in *mergeByID) (*oneMerge, error) { return oneOf(m.Undo(ctx, in.ID)) })
}

func oneOf(m Merge, err error) (*oneMerge, error) {
	if err != nil {
		return nil, err
	}
	return &oneMerge{showMerge(m)}, nil
}

func (m *Merges) merge(ctx context.Context, in *mergeInput) (*mergeAnswer, error) {
	b := in.Body
	request := Request{Survivor: in.ID, Absorbed: b.AbsorbedID, Reason: b.Reason, Choice: b.choice()}
	if !b.DryRun {
		made, err := m.Merge(ctx, request)
		if err != nil {
			return nil, err
		}
		return &mergeAnswer{http.StatusCreated, showMerge(made)}, nil
	}
	plan, err := m.Preview(ctx, request)
	if err != nil {
		return nil, err
	}
	v := mergeView{SurvivorID: in.ID, AbsorbedID: b.AbsorbedID, Reason: b.Reason, Fields: make([]mergeDecisionView, len(plan.Decisions))}
	for n, d := range plan.Decisions {
		v.Fields[n] = mergeDecisionView{Field: d.Field, Value: d.Value, Rule: d.Rule, Withheld: d.Withheld}
		if d.From != uuid.Nil {
			v.Fields[n].From = &d.From
		}
	}
	return &mergeAnswer{http.StatusOK, v}, nil
}

func (m *Merges) list(ctx context.Context, in *mergesInput) (*mergesAnswer, error) {
	items, next, err := httpx.PageByID(in.Page, func(before uuid.UUID, limit int) ([]Merge, error) { return m.Of(ctx, in.ID, before, limit) },
		func(one Merge) uuid.UUID { return one.ID }, showMerge)
	if err != nil {
		return nil, err
	}
	return &mergesAnswer{mergePage{items, next}}, nil
}
