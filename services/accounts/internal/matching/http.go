package matching

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/access"
)

// matchingCriterion is a criterion as the API has it.
type matchingCriterion struct {
	Kind      Kind    `json:"kind" enum:"identity,name,name_sound,name_initials,name_similar,postal_code,custom_field" doc:"What the two must have in common; what is blank never matches. name: letters or characters, whatever accents, traditional or simplified; name_sound: Latin letters or pinyin, family name first or last."`
	Type      string  `json:"type,omitempty" maxLength:"64" doc:"Of identity: its type, or exclusive for any that is one customer's only." example:"phone"`
	Field     string  `json:"field,omitempty" maxLength:"63" doc:"Of custom_field: its name." example:"birth_date"`
	Threshold float64 `json:"threshold,omitempty" doc:"Of name_similar: the share of trigrams, more than 0 to 1." example:"0.6"`
}

type matchingRule struct {
	Name     string              `json:"name" maxLength:"64" doc:"Code." example:"phone_and_name"`
	Result   Result              `json:"result" enum:"automatic,review" doc:"automatic: the two are merged by themselves, where each is nobody else automatically; review: somebody has to look. Names alone are never automatic."`
	Criteria []matchingCriterion `json:"criteria" nullable:"false" doc:"All of them must fit. One that finds more than 20 customers finds nobody."`
}

type matchingRulesView struct {
	Rules     []matchingRule `json:"rules" nullable:"false" doc:"One that fits is enough; none: nobody matches."`
	Standard  bool           `json:"standard" doc:"The tenant has set none of its own."`
	Version   int64          `json:"version" doc:"Rises by one with every change; the ETag."`
	ChangedAt *time.Time     `json:"changed_at,omitempty"`
	ChangedBy string         `json:"changed_by,omitempty" doc:"Subject of the token."`
}

type rulesAnswer struct {
	ETag string `header:"ETag"`
	Body matchingRulesView
}

type setRulesInput struct {
	IfMatch string `header:"If-Match" doc:"The ETag of the rules as they were read."`
	Body    newMatchingRules
}

type newMatchingRules struct {
	Rules []matchingRule `json:"rules" nullable:"false"`
}

type duplicateSide struct {
	CustomerID  uuid.UUID `json:"customer_id" format:"uuid"`
	DisplayName string    `json:"display_name,omitempty"`
}

type duplicateView struct {
	DuplicateID uuid.UUID       `json:"duplicate_id" format:"uuid"`
	Customers   []duplicateSide `json:"customers" nullable:"false" doc:"The two, the one registered first before the other."`
	Score       int             `json:"score" doc:"How much they have in common, 1 to 100."`
	Result      Result          `json:"result" enum:"automatic,review" doc:"What the rule says. Two who were shown to have different values of an exclusive identity are never automatic."`
	Rule        string          `json:"rule" example:"phone_and_name"`
	Criteria    []string        `json:"criteria" nullable:"false" doc:"What they have in common." example:"[\"identity.phone\",\"name_similar\"]"`
	State       State           `json:"state" enum:"open,accepted,dismissed"`
	FoundAt     time.Time       `json:"found_at"`
	DecidedAt   *time.Time      `json:"decided_at,omitempty"`
	DecidedBy   string          `json:"decided_by,omitempty" doc:"Subject of the token; matching where nobody had to be asked."`
	LeftBecause string          `json:"left_because,omitempty" doc:"Why an open pair that is automatic waits for somebody all the same, a code." example:"several_match"`
}

type duplicateAnswer struct{ Body duplicateView }

type duplicateByID struct {
	ID uuid.UUID `path:"duplicate_id" format:"uuid"`
}

type duplicatesInput struct {
	State State `query:"state" enum:"open,accepted,dismissed" default:"open"`
	httpx.Page
}

type duplicatesAnswer struct{ Body duplicatePage }

type duplicatePage struct {
	Items      []duplicateView `json:"items" nullable:"false" doc:"Those with the highest score first."`
	NextCursor string          `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

type scanAnswer struct{ Body duplicateScan }

type duplicateScan struct {
	Customers int64 `json:"customers" doc:"How many are going to be compared; 0 for a repetition."`
}

// Routes adds the operations on rules and pairs. Accepting a pair merges, and is a matter of that.
func (m *Matches) Routes(api *httpx.API) {
	const tag = "Duplicates"
	m.findRoute(api, tag)
	httpx.Register(api, httpx.Operation{
		ID: "get-matching-rules", Method: http.MethodGet, Path: "/v1/matching-rules", Tag: tag, Summary: "Read the rules by which customers match",
		Permission: auth.CustomersRead,
	}, func(ctx context.Context, _ *struct{}) (*rulesAnswer, error) { return rulesAnswered(m.Rules(ctx)) })
	httpx.Register(api, httpx.Operation{
		ID: "set-matching-rules", Method: http.MethodPut, Path: "/v1/matching-rules", Tag: tag, Summary: "Set the rules by which customers match",
		Description: "They hold for what is registered, changed and imported from now on, and for all with a scan.",
		Permission:  auth.CustomersConfigure, Errors: []int{http.StatusPreconditionFailed, http.StatusPreconditionRequired},
	}, m.setRules)
	httpx.Register(api, httpx.Operation{
		ID: "list-duplicates", Method: http.MethodGet, Path: "/v1/duplicates", Tag: tag, Summary: "List pairs of customers who may be one",
		Description: "Pairs are found within moments after either customer was registered, changed or imported; those of merged customers are gone.",
		Permission:  auth.CustomersMerge,
	}, m.list)
	httpx.Register(api, httpx.Operation{
		ID: "scan-duplicates", Method: http.MethodPost, Path: "/v1/duplicates/scan", Tag: tag, Summary: "Compare all customers anew",
		Description: "It begins within moments, and takes minutes for a million customers.",
		Permission:  auth.CustomersMerge, Status: http.StatusAccepted,
	}, func(ctx context.Context, _ *struct{}) (*scanAnswer, error) {
		n, err := m.Scan(ctx)
		return &scanAnswer{duplicateScan{n}}, err
	})
	httpx.Register(api, httpx.Operation{
		ID: "get-duplicate", Method: http.MethodGet, Path: "/v1/duplicates/{duplicate_id}", Tag: tag, Summary: "Read a pair",
		Permission: auth.CustomersMerge, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *duplicateByID) (*duplicateAnswer, error) {
		return pairAnswered(ctx)(m.Get(ctx, in.ID))
	})
	httpx.Register(api, httpx.Operation{
		ID: "dismiss-duplicate", Method: http.MethodPost, Path: "/v1/duplicates/{duplicate_id}/dismiss", Tag: tag, Summary: "Say that the two are not one",
		Description: "The pair does not come back, nor when either is merged with others.",
		Permission:  auth.CustomersMerge, Status: http.StatusOK, Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, func(ctx context.Context, in *duplicateByID) (*duplicateAnswer, error) {
		return pairAnswered(ctx)(m.Dismiss(ctx, in.ID))
	})
}

func rulesAnswered(r Rules, err error) (*rulesAnswer, error) {
	if err != nil {
		return nil, err
	}
	v := matchingRulesView{Rules: make([]matchingRule, len(r.Rules)), Standard: r.Version == 0, Version: r.Version, ChangedBy: r.ChangedBy}
	for n, rule := range r.Rules {
		v.Rules[n] = matchingRule{Name: rule.Name, Result: rule.Result, Criteria: make([]matchingCriterion, len(rule.Criteria))}
		for k, c := range rule.Criteria {
			v.Rules[n].Criteria[k] = matchingCriterion(c)
		}
	}
	if r.Version > 0 {
		at := r.ChangedAt.UTC()
		v.ChangedAt = &at
	}
	return &rulesAnswer{ETag: httpx.ETag(r.Version), Body: v}, nil
}

func (m *Matches) setRules(ctx context.Context, in *setRulesInput) (*rulesAnswer, error) {
	rules := make([]Rule, len(in.Body.Rules))
	for n, r := range in.Body.Rules {
		rules[n] = Rule{Name: r.Name, Result: r.Result}
		for _, c := range r.Criteria {
			rules[n].Criteria = append(rules[n].Criteria, Criterion(c))
		}
	}
	return rulesAnswered(m.SetRules(ctx, rules, func(version int64) error { return httpx.IfMatch(in.IfMatch, version) }))
}

func (m *Matches) list(ctx context.Context, in *duplicatesInput) (*duplicatesAnswer, error) {
	after, err := placeOf(in.Cursor)
	if err != nil {
		return nil, err
	}
	named, err := mayName(ctx)
	if err != nil {
		return nil, err
	}
	pairs, err := m.List(ctx, in.State, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	page, next := httpx.NextPage(pairs, in.Limit, func(last Pair) []string { return []string{strconv.Itoa(last.Score), last.ID.String()} })
	items := make([]duplicateView, len(page))
	for n, p := range page {
		items[n] = show(p, named)
	}
	return &duplicatesAnswer{duplicatePage{items, next}}, nil
}

// mayName tells whether the caller sees what customers are called.
func mayName(ctx context.Context) (bool, error) {
	sight, err := access.For(ctx, "")
	return sight.May(access.Identity), err
}

func pairAnswered(ctx context.Context) func(Pair, error) (*duplicateAnswer, error) {
	return func(p Pair, err error) (*duplicateAnswer, error) {
		if err != nil {
			return nil, err
		}
		named, err := mayName(ctx)
		return &duplicateAnswer{show(p, named)}, err
	}
}

func show(p Pair, named bool) duplicateView {
	v := duplicateView{
		DuplicateID: p.ID, Customers: []duplicateSide{{CustomerID: p.Low}, {CustomerID: p.High}}, Score: p.Score, Result: p.Result,
		Rule: p.Rule, Criteria: p.Criteria, State: p.State, FoundAt: p.FoundAt.UTC(), DecidedBy: p.DecidedBy, LeftBecause: p.LeftBecause,
	}
	if named {
		v.Customers[0].DisplayName, v.Customers[1].DisplayName = p.Names[0], p.Names[1]
	}
	if !p.DecidedAt.IsZero() {
		at := p.DecidedAt.UTC()
		v.DecidedAt = &at
	}
	return v
}

// placeOf gives the place that a cursor names; the beginning without one.
func placeOf(cursor string) (place, error) {
	parts, err := httpx.DecodeCursor(cursor, 2)
	if err != nil {
		return place{}, err
	}
	if parts == nil {
		return place{score: maxScore + 1}, nil
	}
	score, err := strconv.Atoi(parts[0])
	if err != nil || score < 0 || score > maxScore {
		return place{}, httpx.CursorInvalid()
	}
	id, err := uuid.Parse(parts[1])
	if err != nil {
		return place{}, httpx.CursorInvalid()
	}
	return place{score, id}, nil
}
