package retention_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/loyaltytest"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/retention"
)

type body = map[string]any

// view is a case as the API shows it, as far as tests look at it.
type view struct {
	ID         string `json:"case_id"`
	CustomerID string `json:"customer_id"`
	Stage      string
	Arm        string
	Trigger    string
	Reason     string
	Code       string
	Contacts   int
	CostMinor  int64 `json:"cost_minor"`
	Revenue    int64 `json:"revenue_minor"`
	Offer      *struct{ Offer, State string }
	Steps      []struct{ Action, Step, Code, By, Words string }
	Next       []struct{ Action, Permission string }
	Version    int64
}

func (v view) actions() (actions []string) {
	for _, s := range v.Steps {
		actions = append(actions, s.Action)
	}
	return actions
}

// planBody is a plan as the API takes it.
func planBody(code string, change func(*retention.Terms)) body {
	raw, err := json.Marshal(terms(change))
	if err != nil {
		panic(err)
	}
	b := body{}
	if err := json.Unmarshal(raw, &b); err != nil {
		panic(err)
	}
	if code != "" {
		return body{"code": code, "terms": b}
	}
	return b
}

// makes makes a plan of the tenant pizza.
func makes(w *loyaltytest.World, code string, change func(*retention.Terms)) {
	w.Want(http.StatusCreated, http.MethodPost, "/v1/retention-plans", w.Manager, planBody(code, change), nil)
}

func opens(w *loyaltytest.World, customer uuid.UUID, plan string) (v view) {
	w.Want(http.StatusCreated, http.MethodPost, "/v1/retention-cases", w.Manager, body{"customer_id": customer, "plan": plan}, &v)
	return v
}

func TestACaseOpenedByHandIsReadAndListed(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	agent, other := w.Token(auth.RoleAgent, "pizza"), w.Token(auth.RoleManager, "music")
	var plan body
	answer := w.Want(http.StatusCreated, http.MethodPost, "/v1/retention-plans", w.Manager, planBody("winback", nil), &plan)
	golden.JSON(t, "testdata/plan.json", plan)
	require.Equal(t, `"1"`, answer.Header.Get("ETag"))
	lily := someone()
	w.Want(http.StatusForbidden, http.MethodPost, "/v1/retention-cases", agent, body{"customer_id": lily, "plan": "winback"}, nil)
	var v view
	raw := w.Want(http.StatusCreated, http.MethodPost, "/v1/retention-cases", w.Manager,
		body{"customer_id": lily, "plan": "winback", "reason": "price", "loss_kind": "competitive", "words": "Went to the other side of the street."}, &v, "Idempotency-Key", "once")
	golden.JSON(t, "testdata/case.json", raw.Body)
	again := w.Want(http.StatusCreated, http.MethodPost, "/v1/retention-cases", w.Manager,
		body{"customer_id": lily, "plan": "winback", "reason": "price", "loss_kind": "competitive", "words": "Went to the other side of the street."}, nil, "Idempotency-Key", "once")
	require.Equal(t, "true", again.Header.Get("Idempotent-Replay"))
	opened := w.EventsOf("RetentionCaseOpened", 1)
	golden.JSON(t, "testdata/retention_case_opened.json", opened[0].Data)
	require.NotContains(t, string(opened[0].Data), "street")

	path := "/v1/retention-cases/" + v.ID
	w.Want(http.StatusOK, http.MethodGet, path, agent, nil, &v)
	require.Equal(t, "Went to the other side of the street.", v.Steps[0].Words)
	w.Want(http.StatusNotFound, http.MethodGet, path, other, nil, nil)
	w.Want(http.StatusNotFound, http.MethodPost, path+"/pause", other, body{}, nil)
	w.Want(http.StatusForbidden, http.MethodPost, path+"/pause", agent, body{}, nil)
	require.Equal(t, "retention_case_stage", w.Do(http.MethodPost, path+"/resume", w.Manager, body{}).Code())
	require.Equal(t, "offer_not_made", w.Do(http.MethodPost, path+"/accept", w.Manager, body{}).Code())
	for query, want := range map[string]int{
		"": 1, "?stage=open": 1, "?stage=lost": 0, "?kind=win_back&arm=treated&trigger=manual&value_band=low&plan=winback": 1, "?kind=care": 0,
		"?customer_id=" + lily.String(): 1, "?customer_id=" + uuid.NewString(): 0, "?plan=none": 0,
	} {
		var page struct{ Items []view }
		w.Want(http.StatusOK, http.MethodGet, "/v1/retention-cases"+query, agent, nil, &page)
		require.Len(t, page.Items, want, query)
	}
	var none struct{ Items []view }
	w.Want(http.StatusOK, http.MethodGet, "/v1/retention-cases", other, nil, &none)
	require.Empty(t, none.Items)
	var report struct{ Verdict string }
	w.Want(http.StatusOK, http.MethodGet, "/v1/retention-report?plan=winback", agent, nil, &report)
	require.Contains(t, report.Verdict, "Not enough data")
	w.Want(http.StatusNotFound, http.MethodGet, "/v1/retention-report?plan=winback", other, nil, nil)
}

func TestPlansAreChangedAsTheyWereSeen(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	makes(w, "winback", nil)
	require.Equal(t, "retention_plan_code_taken", w.Do(http.MethodPost, "/v1/retention-plans", w.Manager, planBody("winback", nil)).Code())
	w.Want(http.StatusCreated, http.MethodPost, "/v1/retention-plans", w.Token(auth.RoleManager, "music"), planBody("winback", nil), nil)
	path := "/v1/retention-plans/winback"
	to := planBody("", func(t *retention.Terms) { t.HoldOutPermille = 100 })
	require.Equal(t, "if_match_missing", w.Do(http.MethodPut, path, w.Manager, to).Code())
	w.Want(http.StatusOK, http.MethodPut, path, w.Manager, to, nil, "If-Match", `"1"`)
	require.Equal(t, "version_stale", w.Do(http.MethodPut, path, w.Manager, to, "If-Match", `"1"`).Code())
	require.Equal(t, "retention_plan_invalid", w.Do(http.MethodPut, path, w.Manager, planBody("", func(t *retention.Terms) { t.Currency = "USD" }), "If-Match", `"2"`).Code())
	require.Equal(t, "retention_plan_invalid", w.Do(http.MethodPut, path, w.Manager, planBody("", func(t *retention.Terms) { t.Programme = "none" }), "If-Match", `"2"`).Code())
	for query, want := range map[string]float64{"": 100, "?version=1": 0, "?version=2": 100} {
		var got struct{ Terms body }
		w.Want(http.StatusOK, http.MethodGet, path+query, w.Manager, nil, &got)
		require.InDelta(t, want, got.Terms["hold_out_permille"], 0, query)
	}
	require.Equal(t, "retention_plan_not_found", w.Do(http.MethodGet, path+"?version=3", w.Manager, nil).Code())
	off := planBody("", func(t *retention.Terms) { t.Active = false })
	w.Want(http.StatusOK, http.MethodPut, path, w.Manager, off, nil, "If-Match", `"2"`)
	require.Equal(t, "retention_plan_inactive", w.Do(http.MethodPost, "/v1/retention-cases", w.Manager, body{"customer_id": someone(), "plan": "winback"}).Code())
	makes(w, "another", nil)
	var page struct {
		Items      []struct{ Code string }
		NextCursor string `json:"next_cursor"`
	}
	w.Want(http.StatusOK, http.MethodGet, "/v1/retention-plans?limit=1", w.Manager, nil, &page)
	require.Equal(t, "another", page.Items[0].Code)
	w.Want(http.StatusOK, http.MethodGet, "/v1/retention-plans?limit=1&cursor="+page.NextCursor, w.Manager, nil, &page)
	require.Equal(t, "winback", page.Items[0].Code)
}

func TestWhomNobodyWantsBackIsListedAndReadmitted(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	makes(w, "winback", nil)
	lily := someone()
	v := opens(w, lily, "winback")
	w.Want(http.StatusCreated, http.MethodPost, "/v1/retention-exclusions", w.Manager, body{"customer_id": lily, "loss_kind": "fraudulent"}, nil)
	w.Want(http.StatusOK, http.MethodGet, "/v1/retention-cases/"+v.ID, w.Manager, nil, &v)
	require.Equal(t, []string{"cancelled", "fraudulent"}, []string{v.Stage, v.Code})
	closed := w.EventsOf("RetentionCaseClosed", 1)
	golden.JSON(t, "testdata/retention_case_cancelled.json", closed[0].Data)
	require.Equal(t, "retention_case_over", w.Do(http.MethodPost, "/v1/retention-cases/"+v.ID+"/cancel", w.Manager, body{}).Code())
	var page struct{ Items []body }
	w.Want(http.StatusOK, http.MethodGet, "/v1/retention-exclusions?customer_id="+lily.String(), w.Token(auth.RoleAgent, "pizza"), nil, &page)
	require.Len(t, page.Items, 1)
	w.Want(http.StatusOK, http.MethodGet, "/v1/retention-exclusions", w.Token(auth.RoleManager, "music"), nil, &page)
	require.Empty(t, page.Items)
	w.Want(http.StatusNotFound, http.MethodDelete, "/v1/retention-exclusions/"+lily.String(), w.Token(auth.RoleManager, "music"), nil, nil)
	w.Want(http.StatusNoContent, http.MethodDelete, "/v1/retention-exclusions/"+lily.String(), w.Manager, nil, nil)
	require.Equal(t, "retention_cool_down", w.Do(http.MethodPost, "/v1/retention-cases", w.Manager, body{"customer_id": lily, "plan": "winback"}).Code())
}

func TestAScanGivesOccasionsAndOpensCases(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	lily := w.Enrol()
	w.Admin(`UPDATE member SET enrolled_at = now() - interval '1 year' WHERE id = $1`, lily.MemberID)
	answer := w.Want(http.StatusOK, http.MethodGet, "/v1/care-plans/standard", w.Manager, nil, nil)
	require.Equal(t, `"0"`, answer.Header.Get("ETag"))
	golden.JSON(t, "testdata/care_plan.json", w.Want(http.StatusOK, http.MethodPut, "/v1/care-plans/standard", w.Manager,
		body{"anniversary_points": 200}, nil, "If-Match", `"0"`).Body)
	w.Want(http.StatusPreconditionFailed, http.MethodPut, "/v1/care-plans/standard", w.Manager, body{}, nil, "If-Match", `"0"`)
	w.Want(http.StatusNotFound, http.MethodPut, "/v1/care-plans/none", w.Manager, body{}, nil, "If-Match", `"0"`)
	w.Want(http.StatusUnprocessableEntity, http.MethodPut, "/v1/care-plans/standard", w.Manager, body{"maintenance_points": 5}, nil, "If-Match", `"1"`)
	var got struct{ Given int64 }
	w.Want(http.StatusOK, http.MethodPost, "/v1/retention-scans", w.Manager, nil, &got)
	require.EqualValues(t, 1, got.Given)
	require.EqualValues(t, 200, w.Read(lily).Available)
	var page struct{ Items []body }
	golden.JSON(t, "testdata/gifts.json", w.Want(http.StatusOK, http.MethodGet, "/v1/care-gifts?member_id="+lily.MemberID.String(), w.Manager, nil, &page).Body)
	w.Want(http.StatusForbidden, http.MethodPost, "/v1/retention-scans", w.Token(auth.RoleAgent, "pizza"), nil, nil)
}

// publishes puts an event of another service into its topic.
func publishes(t *testing.T, w *loyaltytest.World, service, tenant string, m proto.Message) {
	t.Helper()
	data, err := protojson.Marshal(m)
	require.NoError(t, err)
	w.Publish(service, bus.Event{ID: someone(), Type: string(m.ProtoReflect().Descriptor().FullName()), Source: "/guanxi/" + service, Epoch: 1, Tenant: tenant,
		AggregateType: "customer", AggregateID: uuid.NewString(), Sequence: 1, Time: time.Now().UTC(), Data: data})
}

func TestWhatAnalyticsSalesAndLoyaltyTellIsHeard(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	makes(w, "care", func(t *retention.Terms) {
		t.Kind, t.Triggers = retention.Care, retention.CaseTriggers{ChurnRiskPermille: 500, TierFalling: true}
	})
	lily, noah := someone(), someone()
	order := loyaltytest.NewOrder(lily)
	w.Tell(order.Placed(t, time.Now().Add(-time.Hour), 80_000))
	w.Eventually("the order is known", func() bool { return w.Count(`SELECT count(*) FROM retention_customer`) == 1 })
	publishes(t, w, "analytics", "pizza", risk(lily, 800))
	publishes(t, w, "loyalty", "pizza", falling(noah, "standard"))
	w.Eventually("cases are opened", func() bool { return w.Count(`SELECT count(*) FROM retention_case`) == 2 })
	var page struct{ Items []view }
	w.Want(http.StatusOK, http.MethodGet, "/v1/retention-cases?customer_id="+lily.String()+"&value_band=medium", w.Manager, nil, &page)
	require.Equal(t, "churn_risk", page.Items[0].Trigger)
	w.Eventually("their processes are to be started", func() bool {
		return w.Count(`SELECT count(*) FROM process_start WHERE workflow = 'retention'`) == 2
	})
	next := loyaltytest.NewOrder(lily)
	w.Tell(next.Placed(t, time.Now(), 1_000))
	w.Eventually("the purchase is noted in the case", func() bool {
		return w.Count(`SELECT count(*) FROM retention_case WHERE order_id = $1 AND untold`, next.ID) == 1
	})
	w.Accounts("pizza").Erase(noah)
	w.Want(http.StatusOK, http.MethodGet, "/v1/retention-cases?customer_id="+noah.String(), w.Manager, nil, &page)
	require.Equal(t, []string{"cancelled", "customer_erased"}, []string{page.Items[0].Stage, page.Items[0].Code})
}

func TestRetentionRefusesBadInput(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	makes(w, "winback", nil)
	v := opens(w, someone(), "winback")
	text := func(b body) string {
		raw, err := json.Marshal(b)
		require.NoError(t, err)
		return string(raw)
	}
	opening := func() string {
		return fmt.Sprintf(`{"customer_id":%q,"plan":"winback","reason":"price","words":"x"}`, someone())
	}
	excluding := func() string { return fmt.Sprintf(`{"customer_id":%q,"loss_kind":"let_go"}`, someone()) }
	making := func() string { return text(planBody("p-"+uuid.NewString(), nil)) }
	header := http.Header{"If-Match": {"*"}}
	for name, target := range map[string]badinput.Target{
		"open":       {Method: http.MethodPost, Path: "/v1/retention-cases", Body: opening(), Replay: true, Fresh: opening, OtherBody: opening()},
		"list":       {Method: http.MethodGet, Path: "/v1/retention-cases", List: true},
		"get":        {Method: http.MethodGet, Path: "/v1/retention-cases/" + v.ID, Owned: true},
		"plan":       {Method: http.MethodPost, Path: "/v1/retention-plans", Body: making(), Fresh: making},
		"plans":      {Method: http.MethodGet, Path: "/v1/retention-plans", List: true},
		"get plan":   {Method: http.MethodGet, Path: "/v1/retention-plans/winback", Owned: true},
		"set plan":   {Method: http.MethodPut, Path: "/v1/retention-plans/winback", Body: text(planBody("", nil)), Header: header, Version: true, Owned: true},
		"exclude":    {Method: http.MethodPost, Path: "/v1/retention-exclusions", Body: excluding(), Fresh: excluding},
		"exclusions": {Method: http.MethodGet, Path: "/v1/retention-exclusions", List: true},
		"report":     {Method: http.MethodGet, Path: "/v1/retention-report?plan=winback", Owned: true},
		"scan":       {Method: http.MethodPost, Path: "/v1/retention-scans"},
		"get care":   {Method: http.MethodGet, Path: "/v1/care-plans/standard"},
		"set care":   {Method: http.MethodPut, Path: "/v1/care-plans/standard", Body: `{"anniversary_points":5}`, Header: header, Version: true},
		"gifts":      {Method: http.MethodGet, Path: "/v1/care-gifts", List: true},
	} {
		t.Run(name, func(t *testing.T) {
			target.URL, target.Token = w.URL, w.Manager
			badinput.Check(t, target)
		})
	}
	for name, c := range map[string]struct {
		path, code string
		body       body
	}{
		"nobody":                      {"/v1/retention-cases", "retention_case_invalid", body{"customer_id": uuid.Nil, "plan": "winback"}},
		"no such plan":                {"/v1/retention-cases", "retention_case_invalid", body{"customer_id": someone(), "plan": "none"}},
		"who is not to be won back":   {"/v1/retention-cases", "retention_case_invalid", body{"customer_id": someone(), "plan": "winback", "loss_kind": "fraudulent"}},
		"no such reason":              {"/v1/retention-cases", "validation_failed", body{"customer_id": someone(), "plan": "winback", "reason": "mood"}},
		"a code that is none":         {"/v1/retention-plans", "retention_plan_invalid", planBody("Win Back", nil)},
		"a programme that is none":    {"/v1/retention-plans", "retention_plan_invalid", planBody("x", func(t *retention.Terms) { t.Programme = "none" })},
		"a hold-out of more than all": {"/v1/retention-plans", "retention_plan_invalid", planBody("x", func(t *retention.Terms) { t.HoldOutPermille = 1001 })},
		"too many steps":              {"/v1/retention-plans", "validation_failed", planBody("x", func(t *retention.Terms) { t.Steps = make([]retention.StepPlan, 21) })},
		"an exclusion of nobody":      {"/v1/retention-exclusions", "retention_exclusion_invalid", body{"customer_id": uuid.Nil, "loss_kind": "let_go"}},
		"an exclusion for no reason":  {"/v1/retention-exclusions", "validation_failed", body{"customer_id": someone(), "loss_kind": "natural"}},
		"no reason to learn":          {"/v1/retention-cases/" + v.ID + "/learn", "validation_failed", body{"reason": "mood"}},
		"a reason without a word":     {"/v1/retention-cases/" + v.ID + "/learn", "validation_failed", body{}},
		"a loss of no kind":           {"/v1/retention-cases/" + v.ID + "/classify", "validation_failed", body{"loss_kind": "sad"}},
		"a decision on no case":       {"/v1/retention-cases/" + uuid.NewString() + "/pause", "retention_case_not_found", body{}},
		"more than anybody reads":     {"/v1/retention-cases/" + v.ID + "/cancel", "validation_failed", body{"words": string(make20001())}},
	} {
		if answer := w.Do(http.MethodPost, c.path, w.Manager, c.body); answer.Code() != c.code {
			t.Errorf("%s: got %d %s", name, answer.Status, answer.Body)
		}
	}
}

func make20001() []byte {
	b := make([]byte, 20_001)
	for i := range b {
		b[i] = 'x'
	}
	return b
}
