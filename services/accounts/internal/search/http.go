package search

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/access"
)

type searchInput struct {
	Text   string   `query:"q" maxLength:"200" doc:"A name or a part of one, pinyin or its initials, 4 or more digits of a telephone number, a mail address or its beginning or domain, a card or an id in another system. All words must match." example:"lilei"`
	Kind   string   `query:"kind" enum:"person,organisation"`
	Tags   []string `query:"tag,explode" maxItems:"10" doc:"Only who has the tag; several: all of them."`
	Owner  string   `query:"owner" maxLength:"200" doc:"Only those this user looks after."`
	State  string   `query:"state" enum:"active,archived,any" default:"active"`
	Custom []string `query:"custom,explode" maxItems:"10" doc:"Only who has the value in the custom field, as field:value. Fields of the classes financial, health and special are not searched." example:"grade:gold"`
	Sort   Sort     `query:"sort" enum:"relevance,name,registered_at" default:"relevance" doc:"relevance: names that begin so, whole words and numbers, parts, misspellings; registered_at: the latest first."`
	access.Asked
	httpx.Page
}

type searchAnswer struct{ Body searchPage }

type searchPage struct {
	Items      []searchHit       `json:"items" nullable:"false"`
	NextCursor string            `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one. A page can be short, even empty, and not be the last."`
	AsOf       time.Time         `json:"as_of" doc:"Every change before this time is found; later ones may not be yet."`
	Withheld   []access.Withheld `json:"withheld,omitempty" doc:"Classes that you do not see: nobody is found by them."`
}

type searchHit struct {
	CustomerID   uuid.UUID `json:"customer_id" format:"uuid" doc:"Of the customer who stands for all that were merged into it."`
	Kind         string    `json:"kind,omitempty" enum:"person,organisation"`
	DisplayName  string    `json:"display_name,omitempty"`
	State        string    `json:"state,omitempty" enum:"active,archived"`
	Owner        string    `json:"owner,omitempty"`
	Tags         []string  `json:"tags,omitempty"`
	RegisteredAt time.Time `json:"registered_at"`
}

// Routes adds the search.
func (s *Searches) Routes(api *httpx.API) {
	httpx.Register(api, httpx.Operation{
		ID: "search-customers", Method: http.MethodGet, Path: "/v1/customers/search", Tag: "Customers", Summary: "Search customers",
		Description: "Chinese names are found by characters, traditional and simplified alike, by pinyin and by initials; a word in letters also " +
			"with one or two of them wrong. Those who were merged are found as the customer who stands for them. The index follows " +
			"changes within moments, after a large import within minutes: as_of says how far it is.",
		Permission: auth.CustomersRead,
	}, s.search)
}

func (s *Searches) search(ctx context.Context, in *searchInput) (*searchAnswer, error) {
	sight, err := in.Sight(ctx)
	if err != nil {
		return nil, err
	}
	q, err := in.query(sight)
	if err != nil {
		return nil, err
	}
	after, err := placeOf(in.Cursor)
	if err != nil {
		return nil, err
	}
	found, err := s.Find(ctx, q, after, in.Limit)
	if err != nil {
		return nil, err
	}
	body := searchPage{
		Items: make([]searchHit, len(found.Hits)), AsOf: found.AsOf.UTC(),
		Withheld: sight.Withheld(access.Identity, access.Contact, access.Behaviour),
	}
	for i, h := range found.Hits {
		body.Items[i] = show(h, sight)
	}
	if n := found.Next; n != nil {
		body.NextCursor = httpx.EncodeCursor(strconv.Itoa(n.tier), n.name, n.customer.String())
	}
	return &searchAnswer{body}, nil
}

// query gives what is asked for, unless the caller does not see what it is asked by.
func (in *searchInput) query(sight access.Sight) (Query, error) {
	q := Query{
		Text: in.Text, Kind: in.Kind, Tags: in.Tags, Owner: in.Owner, State: in.State, Sort: in.Sort, Field: make(map[string]string),
		Identity: sight.May(access.Identity), Contact: sight.May(access.Contact), Behaviour: sight.May(access.Behaviour),
	}
	if (q.Text != "" || q.Kind != "") && !q.Identity || !q.Behaviour && (len(q.Tags) > 0 || q.Owner != "" || len(in.Custom) > 0) {
		return Query{}, problem.New(problem.Forbidden, "search_not_allowed",
			"For this purpose you do not see what you search by. Name another purpose, or search by something else.")
	}
	for _, given := range in.Custom {
		name, value, ok := strings.Cut(given, ":")
		if !ok || value == "" {
			return Query{}, refused("custom_malformed", "must be field:value")
		}
		if _, twice := q.Field[name]; twice {
			return Query{}, refused("custom_repeated", "names a field twice")
		}
		q.Field[name] = value
	}
	return q, nil
}

func show(h Hit, sight access.Sight) searchHit {
	v := searchHit{CustomerID: h.CustomerID, RegisteredAt: h.RegisteredAt.UTC()}
	if sight.May(access.Identity) {
		v.Kind, v.DisplayName, v.State = h.Kind, h.DisplayName, h.State
	}
	if sight.May(access.Behaviour) {
		v.Owner, v.Tags = h.Owner, h.Tags
	}
	return v
}

// placeOf gives the place that a cursor names; nil without one.
func placeOf(cursor string) (*place, error) {
	parts, err := httpx.DecodeCursor(cursor, 3)
	if parts == nil || err != nil {
		return nil, err
	}
	tier, err := strconv.Atoi(parts[0])
	if err != nil || tier < tierBegins || tier > tierTypo {
		return nil, httpx.CursorInvalid()
	}
	id, err := uuid.Parse(parts[2])
	if err != nil {
		return nil, httpx.CursorInvalid()
	}
	return &place{tier, parts[1], id}, nil
}
