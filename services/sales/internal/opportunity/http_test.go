package opportunity_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/services/sales/internal/salestest"
)

type body = map[string]any

// view is an opportunity as the API shows it.
type view struct {
	ID       string `json:"opportunity_id"`
	Customer string `json:"customer_id"`
	Stage    string
	State    string
	Amount   int64 `json:"amount_minor"`
	Version  int64
	Contacts []struct {
		Customer string `json:"customer_id"`
		Role     string
	}
	Competitors []struct{ Competitor, Strengths string }
	Orders      []string
}

// office is a running service in which people sell.
type office struct {
	*salestest.World
	t              *testing.T
	manager, music string // tokens: of a manager of the tenant pizza, and of somebody who sells for music
}

func openOffice(t *testing.T) *office {
	t.Helper()
	w := salestest.Start(t)
	return &office{World: w, t: t, manager: w.Token(auth.RoleManager, "pizza"), music: w.Token(auth.RoleSales, "music")}
}

// fresh is what an opportunity is opened with, for change to differ from.
func fresh(change body) body {
	b := body{
		"customer_id": someone(), "name": "Ovens for three kitchens", "currency": "CNY", "amount_minor": 3_600_000, "source": "fair",
		"expected_close_on": "2027-01-31", "next_step": "Taste test with the cook", "next_step_on": "2099-12-04", "tags": []string{"chain", "chain"},
	}
	for name, value := range change {
		if b[name] = value; value == nil {
			delete(b, name)
		}
	}
	return b
}

func (o *office) opens(change body) (v view) {
	o.t.Helper()
	o.Want(http.StatusCreated, http.MethodPost, "/v1/opportunities", o.Sales, fresh(change), &v)
	return v
}

func (v view) path() string { return "/v1/opportunities/" + v.ID }

func (v view) etag() string { return fmt.Sprintf("%q", fmt.Sprint(v.Version)) }

// does posts an action.
func (o *office) does(v view, action string, b body) (now view) {
	o.t.Helper()
	var in any
	if b != nil {
		in = b
	}
	o.Want(http.StatusOK, http.MethodPost, v.path()+"/"+action, o.Sales, in, &now)
	return now
}

// timeless is what an event says but for how long something took, which no test can know.
func timeless(t *testing.T, data []byte) []byte {
	t.Helper()
	var said map[string]any
	require.NoError(t, json.Unmarshal(data, &said))
	delete(said, "secondsOpen")
	delete(said, "secondsInStage")
	left, err := json.Marshal(said)
	require.NoError(t, err)
	return left
}

func TestAnOpportunityFromItsOpeningToTheOrder(t *testing.T) {
	t.Parallel()
	o := openOffice(t)
	o.Want(http.StatusCreated, http.MethodPost, "/v1/competitors", o.manager, body{"code": "pasta-planet", "name": "Pasta Planet"}, nil)
	customer, lily := someone(), someone()
	made := o.Want(http.StatusCreated, http.MethodPost, "/v1/opportunities", o.Sales, fresh(body{"customer_id": customer, "contacts": []body{{"customer_id": lily, "role": "coach", "influence": 2, "leaning": 0}}}),
		nil, "Idempotency-Key", "once")
	golden.JSON(t, "testdata/opportunity.json", made.Body)
	require.Equal(t, `"1"`, made.Header.Get("ETag"))
	var v view
	made.Decode(t, &v)
	golden.JSON(t, "testdata/opportunity_opened.json", o.EventsOf("OpportunityOpened", 1)[0].Data)

	v = o.does(v, "move", body{"stage": "qualified"})
	golden.JSON(t, "testdata/opportunity_stage_changed.json", timeless(t, o.EventsOf("OpportunityStageChanged", 1)[0].Data))
	o.Want(http.StatusOK, http.MethodPut, v.path()+"/lines", o.Sales, body{"lines": []body{{"sku": "OVEN-90", "quantity": 3, "unit_minor": 1_100_000}, {"sku": "SET-UP", "quantity": 1, "unit_minor": 50_000}}}, &v, "If-Match", v.etag())
	require.EqualValues(t, 3_350_000, v.Amount)
	golden.JSON(t, "testdata/opportunity_changed.json", o.EventsOf("OpportunityChanged", 1)[0].Data)
	o.Want(http.StatusOK, http.MethodPut, v.path()+"/contacts/"+lily.String(), o.Sales, body{"role": "decision_maker", "influence": 5, "leaning": -1}, &v, "If-Match", v.etag())
	require.Equal(t, "decision_maker", v.Contacts[0].Role)
	o.Want(http.StatusOK, http.MethodPut, v.path()+"/competitors/pasta-planet", o.Sales, body{"strengths": "Cheap.\nNear.", "weaknesses": ""}, &v, "If-Match", v.etag())
	require.Equal(t, "Cheap.\nNear.", v.Competitors[0].Strengths)
	o.Want(http.StatusOK, http.MethodPatch, v.path(), o.Sales, body{"owner": "mei", "forecast_category": "commit", "next_step_on": "2099-12-05"}, &v, "If-Match", v.etag())
	require.Equal(t, "version_stale", o.Do(http.MethodPatch, v.path(), o.Sales, body{"owner": "ben"}, "If-Match", `"2"`).Code())
	read := o.Want(http.StatusOK, http.MethodGet, v.path(), o.Sales, nil, &v)
	golden.JSON(t, "testdata/opportunity_edited.json", read.Body)

	o.Want(http.StatusCreated, http.MethodPost, "/v1/lead-fields", o.manager, body{"name": "kitchens", "title": "Kitchens", "type": "integer"}, nil)
	o.Want(http.StatusOK, http.MethodPatch, v.path(), o.Sales, body{"custom_fields": body{"kitchens": 3}}, &v, "If-Match", v.etag())
	same := o.Want(http.StatusOK, http.MethodPatch, v.path(), o.Sales, body{"custom_fields": body{"kitchens": 3}}, nil, "If-Match", v.etag())
	require.Equal(t, v.etag(), same.Header.Get("ETag"))
	require.Contains(t, string(same.Body), `"custom_fields":{"kitchens":3}`)

	v = o.does(v, "move", body{"stage": "negotiation"})
	v = o.does(v, "lose", body{"reason": "competitor", "competitor": "pasta-planet"})
	golden.JSON(t, "testdata/opportunity_lost.json", timeless(t, o.EventsOf("OpportunityLost", 1)[0].Data))
	v = o.does(v, "reopen", nil)
	require.Equal(t, []string{"open", "negotiation"}, []string{v.State, v.Stage})
	golden.JSON(t, "testdata/opportunity_reopened.json", o.EventsOf("OpportunityReopened", 1)[0].Data)
	var order struct {
		ID string `json:"order_id"`
	}
	o.Want(http.StatusCreated, http.MethodPost, "/v1/orders", o.Sales, body{"customer_id": customer, "currency": "CNY", "lines": []body{{"sku": "OVEN-90", "quantity": 3, "amount_minor": 3_300_000}}}, &order)
	v = o.does(v, "win", body{"orders": []string{order.ID, order.ID}})
	require.Equal(t, []string{order.ID}, v.Orders, "each order once")
	golden.JSON(t, "testdata/opportunity_won.json", timeless(t, o.EventsOf("OpportunityWon", 1)[0].Data))
	history := o.Want(http.StatusOK, http.MethodGet, v.path()+"/stages", o.Sales, nil, nil)
	golden.JSON(t, "testdata/opportunity_stages.json", history.Body)
	o.Want(http.StatusOK, http.MethodGet, v.path(), o.Sales, nil, &v)
	require.Equal(t, []string{order.ID}, v.Orders)

	other := o.opens(nil)
	other = o.does(other, "withdraw", nil)
	require.Equal(t, "withdrawn", other.State)
	golden.JSON(t, "testdata/opportunity_withdrawn.json", o.EventsOf("OpportunityWithdrawn", 1)[0].Data)
	replay := o.Want(http.StatusCreated, http.MethodPost, "/v1/opportunities", o.Sales, fresh(body{"customer_id": customer, "contacts": []body{{"customer_id": lily, "role": "coach", "influence": 2, "leaning": 0}}}),
		&v, "Idempotency-Key", "once")
	require.Equal(t, "true", replay.Header.Get("Idempotent-Replay"))
	require.Equal(t, "won", v.State)
}

func TestListsAndBoards(t *testing.T) {
	t.Parallel()
	o := openOffice(t)
	o.Want(http.StatusOK, http.MethodPut, "/v1/teams/north", o.manager, body{"name": "North", "members": []string{}}, nil, "If-Match", `"0"`)
	a := o.opens(body{"owner": "mei", "team": "north", "amount_minor": 333})
	b := o.opens(body{"owner": "ben", "amount_minor": 5, "expected_close_on": "2026-12-24"})
	c := o.opens(body{"owner": "mei", "currency": "EUR", "amount_minor": nil, "expected_close_on": nil})
	o.does(a, "move", body{"stage": "proposal"})
	ids := func(query string) (found []string) {
		var page struct{ Items []view }
		o.Want(http.StatusOK, http.MethodGet, "/v1/opportunities?"+query, o.Sales, nil, &page)
		for _, v := range page.Items {
			found = append(found, v.ID)
		}
		return found
	}
	require.Equal(t, []string{c.ID, b.ID, a.ID}, ids(""))
	require.Equal(t, []string{c.ID, a.ID}, ids("owner=mei"))
	require.Equal(t, []string{a.ID}, ids("team=north&state=open&pipeline=standard&stage=proposal"))
	require.Equal(t, []string{b.ID}, ids("customer_id="+b.Customer))
	require.Empty(t, ids("stalled=true"))
	require.Empty(t, ids("state=won"))
	board := o.Want(http.StatusOK, http.MethodGet, "/v1/pipelines/standard/board?cards=1", o.Sales, nil, nil)
	golden.JSON(t, "testdata/board.json", board.Body)
	var shown struct {
		Stages []struct {
			NextCursor string `json:"next_cursor"`
		}
	}
	board.Decode(t, &shown)
	var page struct {
		Items      []view
		NextCursor string `json:"next_cursor"`
	}
	o.Want(http.StatusOK, http.MethodGet, "/v1/pipelines/standard/board/new?limit=1&cursor="+shown.Stages[0].NextCursor, o.Sales, nil, &page)
	require.Equal(t, c.ID, page.Items[0].ID, "what has no day comes last")
	require.Empty(t, page.NextCursor)
	require.Equal(t, "cursor_invalid", o.Do(http.MethodGet, "/v1/pipelines/standard/board/new?sort=amount&cursor="+shown.Stages[0].NextCursor, o.Sales, nil).Code(), "it is of another order")
	require.Equal(t, "stage_not_found", o.Do(http.MethodGet, "/v1/pipelines/standard/board/won", o.Sales, nil).Code())
	require.Equal(t, "pipeline_not_found", o.Do(http.MethodGet, "/v1/pipelines/key-accounts/board", o.Sales, nil).Code())
	o.Want(http.StatusOK, http.MethodGet, "/v1/pipelines/standard/board/new?owner=ben&sort=age", o.Sales, nil, &page)
	require.Len(t, page.Items, 1)
	o.Want(http.StatusOK, http.MethodGet, "/v1/pipelines/standard/board/new", o.music, nil, &page)
	require.Empty(t, page.Items)
}

func TestWhatIsRefusedOfOpportunitiesSaysWhere(t *testing.T) {
	t.Parallel()
	o := openOffice(t)
	v, closed := o.opens(body{"amount_minor": nil}), o.opens(nil)
	o.does(closed, "lose", body{"reason": "price"})
	stranger := o.opens(nil)
	var order struct {
		ID string `json:"order_id"`
	}
	o.Want(http.StatusCreated, http.MethodPost, "/v1/orders", o.Sales, body{"customer_id": stranger.Customer, "currency": "CNY", "lines": []body{{"sku": "A", "quantity": 1, "amount_minor": 1}}}, &order)
	const post, patch, put = http.MethodPost, http.MethodPatch, http.MethodPut
	for name, c := range map[string]struct {
		method, path string
		body         body
		status       int
		code         string // of the problem, or of a field
	}{
		"no name":                       {post, "/v1/opportunities", fresh(body{"name": " "}), 422, "text_malformed"},
		"a long name":                   {post, "/v1/opportunities", fresh(body{"name": strings.Repeat("x", 201)}), 422, "text_malformed"},
		"nobody":                        {post, "/v1/opportunities", fresh(body{"customer_id": uuid.Nil}), 422, "customer_required"},
		"no money":                      {post, "/v1/opportunities", fresh(body{"currency": nil}), 422, "currency_unknown"},
		"money of nobody":               {post, "/v1/opportunities", fresh(body{"currency": "XXX"}), 422, "currency_unknown"},
		"less than nothing":             {post, "/v1/opportunities", fresh(body{"amount_minor": -1}), 422, "amount_minor"},
		"more than there is":            {post, "/v1/opportunities", fresh(body{"amount_minor": int64(1) << 53}), 422, "amount_out_of_range"},
		"another sum":                   {post, "/v1/opportunities", fresh(body{"lines": []body{{"sku": "A", "quantity": 1, "unit_minor": 1}}}), 422, "amount_differs"},
		"a pipeline of nobody":          {post, "/v1/opportunities", fresh(body{"pipeline": "x"}), 422, "pipeline_unknown"},
		"a stage of nobody":             {post, "/v1/opportunities", fresh(body{"stage": "x"}), 422, "stage_unknown"},
		"a stage too far":               {post, "/v1/opportunities", fresh(body{"stage": "negotiation", "amount_minor": nil}), 422, "stage_criteria_unmet"},
		"a team of nobody":              {post, "/v1/opportunities", fresh(body{"team": "x"}), 422, "team_unknown"},
		"a team that is no code":        {post, "/v1/opportunities", fresh(body{"team": "X Y"}), 422, "code_malformed"},
		"a source that is no code":      {post, "/v1/opportunities", fresh(body{"source": "Trade fair"}), 422, "code_malformed"},
		"a tag that is no code":         {post, "/v1/opportunities", fresh(body{"tags": []string{"A B"}}), 422, "body.tags[0]"},
		"a day that is none":            {post, "/v1/opportunities", fresh(body{"expected_close_on": "2027-02-30"}), 422, "expected_close_on"},
		"a day of another age":          {post, "/v1/opportunities", fresh(body{"expected_close_on": "0027-02-03"}), 422, "out_of_range"},
		"a step without a day":          {post, "/v1/opportunities", fresh(body{"next_step_on": nil}), 422, "next_step_incomplete"},
		"a day without a step":          {post, "/v1/opportunities", fresh(body{"next_step": nil}), 422, "next_step_incomplete"},
		"a contact twice":               {post, "/v1/opportunities", fresh(body{"contacts": []body{{"customer_id": v.Customer}, {"customer_id": v.Customer}}}), 422, "contact_twice"},
		"a friend":                      {post, "/v1/opportunities", fresh(body{"contacts": []body{{"customer_id": v.Customer, "role": "friend"}}}), 422, "role"},
		"influence of 6":                {put, v.path() + "/contacts/" + v.Customer, body{"influence": 6}, 422, "influence"},
		"a leaning of 3":                {put, v.path() + "/contacts/" + v.Customer, body{"leaning": 3}, 422, "leaning"},
		"a contact of nobody":           {put, v.path() + "/contacts/" + uuid.Nil.String(), body{}, 422, "customer_required"},
		"a competitor of nobody":        {put, v.path() + "/competitors/x", body{}, 422, "competitor_unknown"},
		"a line of nothing":             {put, v.path() + "/lines", body{"lines": []body{{"sku": "A", "quantity": 0, "unit_minor": 1}}}, 422, "quantity"},
		"lines of more than there is":   {put, v.path() + "/lines", body{"lines": []body{{"sku": "A", "quantity": 2, "unit_minor": int64(1) << 52}}}, 422, "amount_too_large"},
		"no stage":                      {post, v.path() + "/move", body{"stage": ""}, 422, "stage_unknown"},
		"without what it requires":      {post, v.path() + "/move", body{"stage": "proposal"}, 422, "stage_criteria_unmet"},
		"to where it is":                {post, v.path() + "/move", body{"stage": "new"}, 409, "stage_unchanged"},
		"closing without a reason":      {post, v.path() + "/lose", body{"reason": ""}, 422, "reason_required"},
		"closing without any":           {post, v.path() + "/lose", body{}, 422, "reason"},
		"a reason of nobody":            {post, v.path() + "/lose", body{"reason": "x"}, 422, "reason_unknown"},
		"a competitor of nobody's":      {post, v.path() + "/lose", body{"reason": "price", "competitor": "x"}, 422, "competitor_unknown"},
		"an order of nobody":            {post, v.path() + "/win", body{"orders": []uuid.UUID{someone()}}, 422, "order_unknown"},
		"somebody else's order":         {post, v.path() + "/win", body{"orders": []string{order.ID}}, 422, "order_of_another_customer"},
		"winning what is lost":          {post, closed.path() + "/win", body{}, 409, "opportunity_closed"},
		"losing it again":               {post, closed.path() + "/lose", body{"reason": "price"}, 409, "opportunity_closed"},
		"losing it again for nothing":   {post, closed.path() + "/lose", body{"reason": "x"}, 409, "opportunity_closed"},
		"moving what is lost":           {post, closed.path() + "/move", body{"stage": "qualified"}, 409, "opportunity_closed"},
		"withdrawing what is lost":      {post, closed.path() + "/withdraw", nil, 409, "opportunity_followed"},
		"reopening what is open":        {post, v.path() + "/reopen", nil, 409, "opportunity_open"},
		"changing what is lost":         {patch, closed.path(), body{"name": "x"}, 409, "opportunity_closed"},
		"a category of what is closed":  {patch, v.path(), body{"forecast_category": "closed"}, 422, "forecast_category"},
		"another money without amount":  {patch, stranger.path(), body{"currency": "EUR"}, 422, "amount_required"},
		"a name of nothing":             {patch, v.path(), body{"name": ""}, 422, "text_malformed"},
		"an owner with spaces":          {patch, v.path(), body{"owner": " mei"}, 422, "subject_malformed"},
		"a custom field of nobody":      {patch, v.path(), body{"custom_fields": body{"kitchens": 3}}, 422, "field_unknown"},
		"a contact who is none of them": {http.MethodDelete, v.path() + "/contacts/" + someone().String(), nil, 404, "contact_not_found"},
		"a competitor who is none":      {http.MethodDelete, v.path() + "/competitors/x", nil, 404, "competitor_not_found"},
	} {
		var in any
		if c.body != nil {
			in = c.body
		}
		refused := o.Do(c.method, c.path, o.Sales, in, "If-Match", "*")
		require.Equal(t, c.status, refused.Status, "%s: %s", name, refused.Body)
		require.Contains(t, string(refused.Body), c.code, name)
	}
	require.EqualValues(t, 1, func() int64 { o.Want(http.StatusOK, http.MethodGet, v.path(), o.Sales, nil, &v); return v.Version }(), "nothing of it was done")
	require.Equal(t, http.StatusForbidden, o.Do(post, "/v1/opportunities", o.Token(auth.RoleAgent, "pizza"), fresh(nil)).Status)
}

func TestBadInputToOpportunities(t *testing.T) {
	t.Parallel()
	o := openOffice(t)
	o.Want(http.StatusCreated, http.MethodPost, "/v1/competitors", o.manager, body{"code": "pasta-planet", "name": "Pasta Planet"}, nil)
	v, moved, won, lost, reopened, withdrawn := o.opens(nil), o.opens(nil), o.opens(nil), o.opens(nil), o.opens(nil), o.opens(nil)
	o.does(reopened, "lose", body{"reason": "price"})
	lily := someone().String()
	o.Want(http.StatusOK, http.MethodPut, v.path()+"/contacts/"+lily, o.Sales, body{}, nil, "If-Match", "*")
	o.Want(http.StatusOK, http.MethodPut, v.path()+"/competitors/pasta-planet", o.Sales, body{}, nil, "If-Match", "*")
	opening := func() string {
		return fmt.Sprintf(`{"customer_id":%q,"name":"Ovens","currency":"CNY","amount_minor":5}`, someone())
	}
	anyVersion := http.Header{"If-Match": {"*"}}
	for name, target := range map[string]badinput.Target{
		"open":       {Method: http.MethodPost, Path: "/v1/opportunities", Body: opening(), OtherBody: opening(), Replay: true},
		"list":       {Method: http.MethodGet, Path: "/v1/opportunities", List: true},
		"get":        {Method: http.MethodGet, Path: v.path(), Owned: true},
		"change":     {Method: http.MethodPatch, Path: v.path(), Body: `{"name":"Ovens","amount_minor":7}`, Owned: true, Version: true, Header: anyVersion},
		"lines":      {Method: http.MethodPut, Path: ofItsOwn(o) + "/lines", Body: `{"lines":[{"sku":"A","quantity":1,"unit_minor":2}]}`, Owned: true, Version: true, Header: anyVersion},
		"contact":    {Method: http.MethodPut, Path: v.path() + "/contacts/" + lily, Body: `{"role":"user","influence":2,"leaning":1}`, Owned: true, Version: true, Header: anyVersion},
		"competitor": {Method: http.MethodPut, Path: v.path() + "/competitors/pasta-planet", Body: `{"strengths":"Near","weaknesses":"Dear"}`, Owned: true, Version: true, Header: anyVersion},
		"move":       {Method: http.MethodPost, Path: moved.path() + "/move", Body: `{"stage":"qualified"}`, Owned: true},
		"win":        {Method: http.MethodPost, Path: won.path() + "/win", Body: `{"orders":[]}`, Owned: true},
		"lose":       {Method: http.MethodPost, Path: lost.path() + "/lose", Body: `{"reason":"competitor","competitor":"pasta-planet"}`, Owned: true},
		"reopen":     {Method: http.MethodPost, Path: reopened.path() + "/reopen", Owned: true},
		"withdraw":   {Method: http.MethodPost, Path: withdrawn.path() + "/withdraw", Owned: true},
		"stages":     {Method: http.MethodGet, Path: v.path() + "/stages", Owned: true, List: true},
		"asked":      {Method: http.MethodGet, Path: "/v1/opportunities/asked", List: true},
		"board":      {Method: http.MethodGet, Path: "/v1/pipelines/standard/board"},
		"cards":      {Method: http.MethodGet, Path: "/v1/pipelines/standard/board/new", List: true},
	} {
		t.Run(name, func(t *testing.T) {
			target.URL, target.Token = o.URL, o.Sales
			badinput.Check(t, target)
		})
	}
}

// ofItsOwn is the path of an opportunity of its own, since one whose amount is typed cannot have lines at the same time.
func ofItsOwn(o *office) string { return o.opens(nil).path() }
