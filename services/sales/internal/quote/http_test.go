package quote_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/platform/pdf/pdftest"
	"github.com/guanxi-crm/guanxi/services/sales/internal/salestest"
)

type body = map[string]any

// view is a quote as the API shows it, as far as tests look at it.
type view struct {
	ID       string `json:"quote_id"`
	Number   string
	Customer string `json:"customer_id"`
	State    string
	Latest   versionView
	Shown    *versionView
	Lines    []lineView
	Versions []struct {
		Version int
		State   string
	}
	Steps []struct{ Action, By, Level, Code, Words string }
}

type versionView struct {
	Version  int
	State    string
	Title    string
	OrderID  string `json:"order_id"`
	TimeZone string `json:"time_zone"`
	Approval struct {
		Level string
		Given []struct{ Level, By string }
	}
}

type lineView struct {
	SKU   string
	Text  string
	Gross int64                   `json:"gross_minor"`
	Rules []struct{ Rule string } `json:"rule_discounts"`
}

func (v view) actions() (all []string) {
	for _, s := range v.Steps {
		all = append(all, s.Action)
	}
	return all
}

// house is the service with a catalogue: an oven for 20,000.00, of which a rule takes 5 %, and one that is sold no more.
type house struct {
	*salestest.World
	Manager string
}

func serve(t *testing.T) *house {
	t.Helper()
	return furnish(salestest.Start(t))
}

func furnish(w *salestest.World) *house {
	h := &house{World: w, Manager: w.Token(auth.RoleManager, "pizza")}
	first := []string{"If-Match", `"0"`}
	for sku, archived := range map[string]bool{"OVEN": false, "HOOD": false, "STOVE": true} {
		h.Want(http.StatusOK, http.MethodPut, "/v1/products/"+sku, h.Manager, body{"name": "The " + sku, "archived": archived}, nil, first...)
	}
	h.Want(http.StatusOK, http.MethodPut, "/v1/price-lists/cny", h.Manager, body{"name": "Yuan", "currency": "CNY"}, nil, first...)
	h.Want(http.StatusOK, http.MethodPut, "/v1/price-lists/cny/prices/OVEN", h.Manager, body{"unit_minor": 2_000_000}, nil, first...)
	h.Want(http.StatusOK, http.MethodPut, "/v1/price-lists/usd", h.Manager, body{"name": "Dollar", "currency": "USD"}, nil, first...)
	return h
}

// oven is a quote of an oven and its fitting: 20,000.00 with 13 %, and 6,000.00 with 6 % of tax.
func oven(customer string) body {
	return body{"customer_id": customer, "currency": "CNY", "title": "Oven", "recipient": "Lily Chen", "terms": "30 days", "lines": []body{
		{"sku": "OVEN", "quantity": 1, "tax": body{"rate": 1300}},
		{"text": "Fitting, a day", "quantity": 2, "unit_price_minor": 300_000, "tax": body{"rate": 600}},
	}}
}

func with(b body, name string, value any) body {
	if value == nil {
		delete(b, name)
	} else {
		b[name] = value
	}
	return b
}

func (h *house) create(b body) (v view) {
	h.Want(http.StatusCreated, http.MethodPost, "/v1/quotes", h.Sales, b, &v)
	return v
}

// do does something about a version of a quote, which must be possible.
func (h *house) do(v view, version int, action string, b any) (now view) {
	h.Want(http.StatusOK, http.MethodPost, fmt.Sprintf("/v1/quotes/%s/versions/%d/%s", v.ID, version, action), h.Sales, b, &now)
	return now
}

// offered is a quote that the customer has.
func (h *house) offered(customer string) view {
	v := h.create(oven(customer))
	h.do(v, 1, "submit", nil)
	return h.do(v, 1, "send", nil)
}

type orderOf struct {
	Quote    string `json:"quote_id"`
	Customer string `json:"customer_id"`
	Total    int64  `json:"total_minor"`
	Lines    []struct {
		SKU    string
		Amount int64 `json:"amount_minor"`
	}
}

func TestAQuoteBecomesAnOrder(t *testing.T) {
	t.Parallel()
	h := serve(t)
	customer := uuid.NewString()
	v := h.create(oven(customer))
	require.Equal(t, "Q-000001", v.Number)
	require.Equal(t, "The OVEN", v.Lines[0].Text, "an article is called by its name")
	read := h.Want(http.StatusOK, http.MethodGet, "/v1/quotes/"+v.ID, h.Sales, nil, nil)
	golden.JSON(t, "testdata/quote.json", read.Body)
	h.do(v, 1, "submit", nil)
	sent := h.do(v, 1, "send", nil)
	require.Equal(t, "sent", sent.State)
	paper := h.Want(http.StatusOK, http.MethodGet, "/v1/quotes/"+v.ID+"/versions/1/pdf", h.Sales, nil, nil)
	require.Equal(t, "application/pdf", paper.Header.Get("Content-Type"))
	require.Equal(t, `inline; filename="Q-000001-1.pdf"`, paper.Header.Get("Content-Disposition"))
	said, _ := pdftest.Text(t, paper.Body)
	require.Contains(t, said, "TotalCNY28,960.00")
	taken := h.do(v, 1, "accept", nil)
	require.Equal(t, "accepted", taken.State)
	var placed orderOf
	h.Want(http.StatusOK, http.MethodGet, "/v1/orders/"+taken.Latest.OrderID, h.Sales, nil, &placed)
	require.EqualValues(t, 2_896_000, placed.Total, "the order's total is the quote's")
	require.Equal(t, []int64{2_260_000, 636_000}, []int64{placed.Lines[0].Amount, placed.Lines[1].Amount}, "its lines are with tax")
	require.Equal(t, []string{v.ID, customer}, []string{placed.Quote, placed.Customer})
	require.Equal(t, "quote_accepted", h.Do(http.MethodPost, "/v1/quotes/"+v.ID+"/versions/1/accept", h.Sales, nil).Code())
	again := h.Want(http.StatusOK, http.MethodGet, "/v1/quotes/"+v.ID+"/versions/1/pdf", h.Sales, nil, nil)
	require.True(t, bytes.Equal(paper.Body, again.Body), "the paper stays as it is")
	for name, event := range map[string]string{"approved": "QuoteApproved", "sent": "QuoteSent", "accepted": "QuoteAccepted"} {
		h.golden(t, name, event, 1)
	}
	require.EqualValues(t, 1, h.Count(`SELECT count(*) FROM sales_order`))
}

// golden compares the last event of a type with its file.
func (h *house) golden(t *testing.T, name, event string, n int) {
	t.Helper()
	var last []byte
	h.Eventually(fmt.Sprintf("%d of %s", n, event), func() bool {
		found := 0
		for _, e := range h.Events(1) {
			if strings.HasSuffix(e.Type, "."+event) {
				found, last = found+1, e.Data
			}
		}
		return found == n
	})
	golden.JSON(t, "testdata/"+name+".event.json", last)
}

func TestEventsOfQuotesThatComeToNothing(t *testing.T) {
	t.Parallel()
	h := serve(t)
	v := h.offered(uuid.NewString())
	declined := h.do(v, 1, "decline", body{"reason": "too_expensive", "words": "They want 10 % more off."})
	require.Equal(t, "They want 10 % more off.", declined.Steps[len(declined.Steps)-1].Words)
	h.golden(t, "declined", "QuoteDeclined", 1)
	asked := h.create(with(oven(uuid.NewString()), "discount", body{"rate": 2000}))
	asked = h.do(asked, 1, "submit", nil)
	require.Equal(t, "in_approval", asked.State)
	require.Equal(t, "manager", asked.Latest.Approval.Level)
	h.golden(t, "approval_requested", "QuoteApprovalRequested", 1)
	for _, e := range h.Events(3) {
		require.NotContains(t, string(e.Data), "They want", "words are in no event")
		require.NotContains(t, string(e.Data), "Lily")
	}
	h.Want(http.StatusOK, http.MethodPost, "/v1/quotes/"+asked.ID+"/withdraw", h.Sales, body{"reason": "mistake"}, nil)
}

func TestFiftyAtOnceMakeOneOrder(t *testing.T) {
	t.Parallel()
	h := serve(t)
	v := h.offered(uuid.NewString())
	var taken, refused atomic.Int64
	var wait sync.WaitGroup
	for range 50 {
		wait.Go(func() {
			switch answer := h.Do(http.MethodPost, "/v1/quotes/"+v.ID+"/versions/1/accept", h.Sales, nil); {
			case answer.Status == http.StatusOK:
				taken.Add(1)
			case answer.Code() == "quote_accepted":
				refused.Add(1)
			default:
				t.Errorf("%d %s", answer.Status, answer.Body)
			}
		})
	}
	wait.Wait()
	require.EqualValues(t, 1, taken.Load())
	require.EqualValues(t, 49, refused.Load())
	require.EqualValues(t, 1, h.Count(`SELECT count(*) FROM sales_order`))
}

func TestAnAcceptanceWinsTheOpportunityWhereItIsAskedTo(t *testing.T) {
	t.Parallel()
	h := serve(t)
	customer := uuid.NewString()
	var of struct {
		ID    string `json:"opportunity_id"`
		State string
	}
	h.Want(http.StatusCreated, http.MethodPost, "/v1/opportunities", h.Sales, body{"customer_id": customer, "name": "A kitchen", "currency": "CNY"}, &of)
	bad := func(b body, location string) {
		t.Helper()
		answer := h.Want(http.StatusUnprocessableEntity, http.MethodPost, "/v1/quotes", h.Sales, b, nil)
		require.Contains(t, string(answer.Body), location)
	}
	bad(with(oven(uuid.NewString()), "opportunity_id", of.ID), "opportunity_of_another")
	bad(with(oven(customer), "opportunity_id", uuid.NewString()), "opportunity_unknown")
	dollars := with(with(oven(customer), "opportunity_id", of.ID), "currency", "USD")
	bad(dollars, "currency_differs")
	first, second := h.create(with(oven(customer), "opportunity_id", of.ID)), h.create(with(oven(customer), "opportunity_id", of.ID))
	for _, v := range []view{first, second} {
		h.do(v, 1, "submit", nil)
		h.do(v, 1, "send", nil)
	}
	taken := h.do(first, 1, "accept", body{"win_opportunity": true})
	h.Want(http.StatusOK, http.MethodGet, "/v1/opportunities/"+of.ID, h.Sales, nil, &of)
	require.Equal(t, "won", of.State)
	require.NotEmpty(t, taken.Latest.OrderID)
	lost := h.Want(http.StatusConflict, http.MethodPost, "/v1/quotes/"+second.ID+"/versions/1/accept", h.Sales, body{"win_opportunity": true}, nil)
	require.Equal(t, "opportunity_closed", lost.Code())
	require.EqualValues(t, 1, h.Count(`SELECT count(*) FROM sales_order`), "what is refused leaves no order")
	h.do(second, 1, "accept", nil)
	bad(with(oven(customer), "opportunity_id", of.ID), "opportunity_closed")
	led := h.led(customer)
	require.Equal(t, "America/New_York", h.create(with(oven(customer), "opportunity_id", led)).Latest.TimeZone, "the last day ends where the team is")
	require.Equal(t, "Asia/Shanghai", h.create(with(with(oven(customer), "opportunity_id", led), "time_zone", "Asia/Shanghai")).Latest.TimeZone)
	none := h.offered(customer)
	require.Equal(t, "quote_without_opportunity", h.Do(http.MethodPost, "/v1/quotes/"+none.ID+"/versions/1/accept", h.Sales, body{"win_opportunity": true}).Code())
	var page struct{ Items []view }
	h.Want(http.StatusOK, http.MethodGet, "/v1/quotes?opportunity_id="+of.ID, h.Sales, nil, &page)
	require.Len(t, page.Items, 2)
}

// led is an opportunity of the customer that a team in New York leads.
func (h *house) led(customer string) (opportunity string) {
	h.Want(http.StatusOK, http.MethodPut, "/v1/teams/east", h.Manager, body{"name": "East", "time_zone": "America/New_York", "members": []string{}}, nil, "If-Match", `"0"`)
	var of struct {
		ID string `json:"opportunity_id"`
	}
	h.Want(http.StatusCreated, http.MethodPost, "/v1/opportunities", h.Sales, body{"customer_id": customer, "name": "Another kitchen", "currency": "CNY", "team": "east"}, &of)
	return of.ID
}

func TestWhatPriceRulesTakeOffIsInTheQuote(t *testing.T) {
	t.Parallel()
	h := serve(t)
	h.Want(http.StatusOK, http.MethodPut, "/v1/price-rules/autumn", h.Manager, body{"name": "Autumn", "scope": "line", "percent_hundredths": 500, "position": 1}, nil, "If-Match", `"0"`)
	v := h.create(oven(uuid.NewString()))
	require.Equal(t, "autumn", v.Lines[0].Rules[0].Rule)
	require.EqualValues(t, 1_900_000*113/100, v.Lines[0].Gross)
	typed := h.create(body{"customer_id": uuid.NewString(), "currency": "CNY", "lines": []body{{"sku": "OVEN", "quantity": 1, "unit_price_minor": 1_520_000},
		{"sku": "HOOD", "quantity": 1, "unit_price_minor": 100}}})
	require.Empty(t, typed.Lines[0].Rules)
	require.Equal(t, "in_approval", h.do(typed, 1, "submit", nil).State, "1,900,000 typed as 1,520,000 is a discount of 20 %%")
	h.Want(http.StatusCreated, http.MethodPost, "/v1/quotes", h.Sales, body{"customer_id": uuid.NewString(), "currency": "EUR", "lines": []body{
		{"sku": "HOOD", "quantity": 1, "unit_price_minor": 100}}}, nil)
}

func TestEditsNeedTheRevisionThatWasRead(t *testing.T) {
	t.Parallel()
	h := serve(t)
	v := h.create(oven(uuid.NewString()))
	b := with(with(oven(""), "customer_id", nil), "title", "Oven and hood")
	path := "/v1/quotes/" + v.ID
	read := h.Want(http.StatusOK, http.MethodGet, path, h.Sales, nil, nil)
	require.Equal(t, "if_match_missing", h.Do(http.MethodPut, path, h.Sales, b).Code())
	var edited view
	h.Want(http.StatusOK, http.MethodPut, path, h.Sales, b, &edited, "If-Match", read.Header.Get("ETag"))
	require.Equal(t, "Oven and hood", edited.Latest.Title)
	require.Equal(t, http.StatusPreconditionFailed, h.Do(http.MethodPut, path, h.Sales, b, "If-Match", read.Header.Get("ETag")).Status)
	require.Equal(t, []string{"create", "edit"}, edited.actions())
}

func TestQuotesFollowMergesAndErasures(t *testing.T) {
	t.Parallel()
	h := serve(t)
	lily, twin := uuid.New(), uuid.New()
	first, second := h.offered(lily.String()), h.create(oven(twin.String()))
	h.Accounts("pizza").Merge(twin, lily)
	of := func(customer uuid.UUID) (ids []string) {
		var page struct{ Items []view }
		h.Want(http.StatusOK, http.MethodGet, "/v1/quotes?customer_id="+customer.String(), h.Sales, nil, &page)
		for _, v := range page.Items {
			require.Equal(t, lily.String(), v.Customer)
			ids = append(ids, v.ID)
		}
		return ids
	}
	require.Equal(t, []string{second.ID, first.ID}, of(lily))
	require.Equal(t, []string{second.ID, first.ID}, of(twin))
	taken := h.offered(lily.String())
	h.do(taken, 1, "accept", nil)
	h.do(h.offered(lily.String()), 1, "decline", body{"reason": "price", "words": "Lily said no."})
	_, erased := h.AskToErase("pizza", lily, twin)
	counts := map[string]int64{}
	for _, e := range erased {
		counts[e.GetWhat()] = e.GetCount()
		require.Zero(t, e.GetLeft())
	}
	require.EqualValues(t, 12, counts["quote_text"], "four versions and their eight lines")
	require.EqualValues(t, 1, counts["quote_note"])
	require.EqualValues(t, 2, counts["quote_withdrawn"])
	for _, v := range []view{first, second, taken} {
		var now view
		read := h.Want(http.StatusOK, http.MethodGet, "/v1/quotes/"+v.ID, h.Sales, nil, &now)
		require.NotContains(t, string(read.Body), "Lily")
		require.NotContains(t, string(read.Body), "Fitting")
		require.Equal(t, http.StatusGone, h.Do(http.MethodGet, "/v1/quotes/"+v.ID+"/versions/1/pdf", h.Sales, nil).Status)
		require.Equal(t, http.StatusGone, h.Do(http.MethodPost, "/v1/quotes/"+v.ID+"/versions/1/accept", h.Sales, nil).Status, "no order of somebody who was erased")
	}
	require.Equal(t, http.StatusGone, h.Do(http.MethodPost, "/v1/quotes", h.Sales, oven(lily.String())).Status)
	require.EqualValues(t, 1, h.Count(`SELECT count(*) FROM sales_order`))
	require.EqualValues(t, 1, h.Count(`SELECT count(*) FROM quote_version WHERE state = 'accepted' AND total_minor = 2896000`), "amounts stay")
}

func TestQuotesAreOfTheirTenant(t *testing.T) {
	t.Parallel()
	h := serve(t)
	v := h.offered(uuid.NewString())
	other, boss := h.Token(auth.RoleSales, "music"), h.Token(auth.RoleManager, "music")
	for _, path := range []string{"", "/versions/1", "/versions/1/pdf", "/differences?from=1&to=1"} {
		require.Equal(t, http.StatusNotFound, h.Do(http.MethodGet, "/v1/quotes/"+v.ID+path, other, nil).Status, path)
	}
	for action, b := range map[string]any{"submit": nil, "send": nil, "accept": nil, "decline": body{"reason": "x"}} {
		require.Equal(t, http.StatusNotFound, h.Do(http.MethodPost, "/v1/quotes/"+v.ID+"/versions/1/"+action, other, b).Status, action)
	}
	for action, b := range map[string]any{"approve": body{"level": "manager"}, "reject": body{"level": "manager", "reason": "x"}} {
		require.Equal(t, http.StatusNotFound, h.Do(http.MethodPost, "/v1/quotes/"+v.ID+"/versions/1/"+action, boss, b).Status, action)
	}
	var page struct{ Items []view }
	h.Want(http.StatusOK, http.MethodGet, "/v1/quotes", other, nil, &page)
	require.Empty(t, page.Items)
	var mine view
	h.Want(http.StatusCreated, http.MethodPost, "/v1/quotes", other, body{"customer_id": uuid.NewString(), "currency": "CNY",
		"lines": []body{{"text": "A song", "quantity": 1, "unit_price_minor": 1}}}, &mine)
	require.Equal(t, "Q-000001", mine.Number, "each tenant counts its own")
}

func TestWhoMayDoWhatWithQuotes(t *testing.T) {
	t.Parallel()
	h := serve(t)
	v := h.create(oven(uuid.NewString()))
	for _, try := range []struct {
		role, method, path string
		body               any
	}{
		{auth.RoleAgent, http.MethodPost, "/v1/quotes", oven(uuid.NewString())},
		{auth.RoleSales, http.MethodPost, "/v1/quotes/" + v.ID + "/versions/1/approve", body{"level": "manager"}},
		{auth.RoleSales, http.MethodGet, "/v1/quote-approvals", nil},
		{auth.RoleSales, http.MethodPut, "/v1/quote-policy", body{}},
	} {
		require.Equal(t, http.StatusForbidden, h.Do(try.method, try.path, h.Token(try.role, "pizza"), try.body).Status, "%s %s", try.method, try.path)
	}
	h.Want(http.StatusOK, http.MethodGet, "/v1/quotes/"+v.ID, h.Token(auth.RoleAgent, "pizza"), nil, nil)
}

func TestBadQuotesAreRefused(t *testing.T) {
	t.Parallel()
	h := serve(t)
	line := func(more body) body {
		b := body{"customer_id": uuid.NewString(), "currency": "CNY", "lines": []body{{"text": "x", "quantity": 1, "unit_price_minor": 100}}}
		for k, v := range more {
			b["lines"].([]body)[0][k] = v
		}
		return b
	}
	for name, c := range map[string]struct {
		body body
		code string // of the field
	}{
		"a discount of 101 %":        {line(body{"discount": body{"rate": 10_100}}), "rate_out_of_range"},
		"a negative discount":        {line(body{"discount": body{"amount_minor": -1}}), "amount_negative"},
		"a negative quantity":        {line(body{"quantity": -1}), "quantity_out_of_range"},
		"a negative price":           {line(body{"unit_price_minor": -1}), "amount_negative"},
		"a tax that does not agree":  {line(body{"tax": body{"rate": 1300, "amount_minor": 99}}), "tax_differs"},
		"an overflow":                {line(body{"quantity": int64(1) << 40, "unit_price_minor": int64(1) << 40}), "amount_too_large"},
		"an unknown sku":             {line(body{"sku": "NOTHING"}), "sku_unknown"},
		"an archived product":        {line(body{"sku": "STOVE"}), "sku_archived"},
		"an article without a price": {with(oven(uuid.NewString()), "lines", []body{{"sku": "HOOD", "quantity": 1}}), "price_missing"},
		"a currency without a list":  {with(oven(uuid.NewString()), "currency", "EUR"), "price_list_missing"},
		"a list of another currency": {with(oven(uuid.NewString()), "price_list", "usd"), "currency_differs"},
		"a list that is none":        {with(oven(uuid.NewString()), "price_list", "no"), "price_list_unknown"},
		"a currency of the past":     {with(line(nil), "currency", "DEM"), "currency_unknown"},
		"valid until yesterday":      {with(line(nil), "valid_until", "2020-01-01"), "valid_until_past"},
		"nobody's":                   {with(line(nil), "customer_id", uuid.Nil.String()), "customer_required"},
	} {
		answer := h.Do(http.MethodPost, "/v1/quotes", h.Sales, c.body)
		require.Equal(t, http.StatusUnprocessableEntity, answer.Status, "%s: %s", name, answer.Body)
		require.Contains(t, string(answer.Body), c.code, name)
	}
	require.Zero(t, h.Count(`SELECT count(*) FROM quote`))
	undrawable := h.create(with(oven(uuid.NewString()), "title", "\U0001F355"))
	h.do(undrawable, 1, "submit", nil)
	require.Equal(t, "character_undrawable", h.Do(http.MethodPost, "/v1/quotes/"+undrawable.ID+"/versions/1/send", h.Sales, nil).Code(), "what cannot be drawn is not sent")
	require.Equal(t, "character_undrawable", h.Do(http.MethodGet, "/v1/quotes/"+undrawable.ID+"/versions/1/pdf", h.Sales, nil).Code())
	for _, path := range []string{"/v1/quotes/x/versions/1/pdf", "/v1/quotes/" + undrawable.ID + "/versions/0/pdf", "/v1/quotes/" + undrawable.ID + "/versions/x/pdf"} {
		require.Equal(t, http.StatusUnprocessableEntity, h.Do(http.MethodGet, path, h.Sales, nil).Status, path)
	}
	require.Equal(t, "quote_version_not_found", h.Do(http.MethodGet, "/v1/quotes/"+undrawable.ID+"/versions/9/pdf", h.Sales, nil).Code())
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	h := serve(t)
	raw := func(b any) string {
		out, err := json.Marshal(b)
		require.NoError(t, err)
		return string(out)
	}
	v := h.create(oven(uuid.NewString()))
	policy := raw(body{"discount_up_to": 1000, "levels": []body{{"code": "boss", "name": "Boss", "discount_up_to": 5000, "answer_seconds": 60}}, "silence": "reject",
		"time_zone": "Asia/Shanghai", "working_hours": body{"monday": []body{{"from": "09:00", "to": "18:00"}}}, "validity_days": 30, "language": "zh"})
	content := raw(with(oven(""), "customer_id", nil))
	every := http.Header{"If-Match": {"*"}}
	for name, target := range map[string]badinput.Target{
		"create":  {Method: http.MethodPost, Path: "/v1/quotes", Token: h.Sales, Body: raw(oven(uuid.NewString())), OtherBody: raw(oven(uuid.NewString())), Replay: true},
		"list":    {Method: http.MethodGet, Path: "/v1/quotes", Token: h.Sales, List: true},
		"waiting": {Method: http.MethodGet, Path: "/v1/quote-approvals", Token: h.Manager, List: true},
		"read":    {Method: http.MethodGet, Path: "/v1/quotes/" + v.ID, Token: h.Sales, Owned: true},
		"version": {Method: http.MethodGet, Path: "/v1/quotes/" + v.ID + "/versions/1", Token: h.Sales, Owned: true},
		"pdf":     {Method: http.MethodGet, Path: "/v1/quotes/" + v.ID + "/versions/1/pdf", Token: h.Sales, Owned: true},
		"compare": {Method: http.MethodGet, Path: "/v1/quotes/" + v.ID + "/differences?from=1&to=1", Token: h.Sales, Owned: true},
		"edit":    {Method: http.MethodPut, Path: "/v1/quotes/" + v.ID, Token: h.Sales, Body: content, Header: every, Version: true, Owned: true},
		"policy":  {Method: http.MethodGet, Path: "/v1/quote-policy", Token: h.Sales},
		"set":     {Method: http.MethodPut, Path: "/v1/quote-policy", Token: h.Manager, Body: policy, Header: every, Version: true},
	} {
		target.URL = h.URL
		t.Run(name, func(t *testing.T) { badinput.Check(t, target) })
	}
	gone := h.create(oven(uuid.NewString()))
	badinput.Check(t, badinput.Target{URL: h.URL, Method: http.MethodPost, Path: "/v1/quotes/" + gone.ID + "/withdraw", Token: h.Sales, Body: raw(body{"reason": "mistake", "words": "x"}), Owned: true})
}
