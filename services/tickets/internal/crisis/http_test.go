package crisis_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	salesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/sales/events/v1"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticketstest"
)

type body = ticketstest.Body

// view is a crisis as the API shows it, as far as tests look at it.
type view struct {
	ID         string `json:"crisis_id"`
	Dimension  string
	Value      string
	Stage      string
	Alarm      *series
	Team       []string
	Complaints int
	Answered   int
	Planned    int
	Refused    int
	Due        string
	Reminders  int
	Steps      []struct{ Action, By, Words string }
	Next       []struct{ Action, Permission string }
}

func (v view) actions() (actions []string) {
	for _, s := range v.Steps {
		actions = append(actions, s.Action)
	}
	return actions
}

func (v view) next() (actions []string) {
	for _, n := range v.Next {
		actions = append(actions, n.Action)
	}
	return actions
}

type series struct {
	Dimension, Value, Explanation string
	N, K0                         int64
	E0, W                         float64
	P                             *float64
	Alarm                         bool
	Crisis                        string `json:"crisis_id"`
}

type seriesPage struct {
	Items      []series
	NextCursor string `json:"next_cursor"`
}

// sale is an order of one article of which sales tells the tenant pizza.
func sale(t *testing.T, w *ticketstest.World, sku string, units int64, at time.Time) (order string) {
	t.Helper()
	id := uuid.Must(uuid.NewV7())
	data, err := protojson.Marshal(&salesv1.OrderPlaced{
		OrderId: id.String(), Channel: "shop", Currency: "CNY", Units: units, PlacedAt: timestamppb.New(at),
		Lines: []*salesv1.OrderLine{{LineNo: 1, Sku: sku, Quantity: units}},
	})
	require.NoError(t, err)
	w.Publish("sales", bus.Event{ID: uuid.Must(uuid.NewV7()), Type: "guanxi.sales.events.v1.OrderPlaced", Source: "/guanxi/sales", Epoch: 1, Tenant: "pizza",
		AggregateType: "order", AggregateID: id.String(), Sequence: 1, Time: time.Now().UTC(), Data: data})
	w.Eventually("the order is known", func() bool {
		return w.Count(`SELECT count(*) FROM purchase_line WHERE order_id = $1`, id) == 1
	})
	return id.String()
}

// spoilt has so many customers complain of an article after a calm base.
func spoilt(t *testing.T, w *ticketstest.World, sku string, customers int) {
	t.Helper()
	sale(t, w, sku, 5000, time.Now().AddDate(0, 0, -40))
	order := sale(t, w, sku, 200, time.Now().Add(-time.Hour))
	for range customers {
		complain(w, order)
	}
}

func complain(w *ticketstest.World, order string) ticketstest.Complaint {
	cold := ticketstest.Cold(uuid.NewString())
	cold["order_id"] = order
	var c ticketstest.Complaint
	w.Want(http.StatusCreated, http.MethodPost, "/v1/complaints", w.Agent, cold, &c)
	return c
}

// scan looks for bursts.
func scan(w *ticketstest.World) []view {
	var found struct{ Proposed []view }
	w.Want(http.StatusOK, http.MethodPost, "/v1/crisis-scans", w.Manager, nil, &found)
	return found.Proposed
}

func TestABurstIsProposedAndDismissedOrDeclared(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	spoilt(t, w, "margherita", 8)
	spoilt(t, w, "calzone", 6)

	var page seriesPage
	w.Want(http.StatusOK, http.MethodGet, "/v1/crisis-series?dimension=sku", w.Agent, nil, &page)
	require.Len(t, page.Items, 2)
	require.Equal(t, "margherita", page.Items[0].Value, "the least probable first")
	require.True(t, page.Items[0].Alarm)
	require.EqualValues(t, []any{int64(8), int64(0), 5000.0, 200.0}, []any{page.Items[0].N, page.Items[0].K0, page.Items[0].E0, page.Items[0].W})
	require.Contains(t, page.Items[0].Explanation, "8 customers complained of the article margherita")
	require.Empty(t, page.Items[0].Crisis)
	var category seriesPage
	w.Want(http.StatusOK, http.MethodGet, "/v1/crisis-series?dimension=category", w.Agent, nil, &category)
	require.Nil(t, category.Items[0].P, "nothing to compare with: no p")
	require.Contains(t, category.Items[0].Explanation, "no probability is computed")

	proposed := scan(w)
	require.Len(t, proposed, 2)
	require.Empty(t, scan(w), "not twice")
	require.Equal(t, "margherita", proposed[0].Value)
	require.Equal(t, page.Items[0].Explanation[:60], proposed[0].Alarm.Explanation[:60])
	require.Equal(t, []string{"declare", "dismiss"}, proposed[0].next())
	w.Want(http.StatusOK, http.MethodGet, "/v1/crisis-series?dimension=sku&limit=1", w.Agent, nil, &page)
	require.Equal(t, proposed[0].ID, page.Items[0].Crisis)
	cursor := page.NextCursor
	page = seriesPage{}
	w.Want(http.StatusOK, http.MethodGet, "/v1/crisis-series?dimension=sku&limit=1&cursor="+url.QueryEscape(cursor), w.Agent, nil, &page)
	require.Equal(t, "calzone", page.Items[0].Value)
	require.Empty(t, page.NextCursor)

	path := "/v1/crises/" + proposed[0].ID
	w.Want(http.StatusForbidden, http.MethodPost, path+"/declare", w.Agent, body{}, nil)
	w.Want(http.StatusNotFound, http.MethodPost, path+"/declare", w.Token(auth.RoleManager, "music"), body{}, nil)
	refused := w.Do(http.MethodPost, path+"/clear", w.Manager, body{"words": "All clear."})
	require.Equal(t, "crisis_stage", refused.Code())
	require.Contains(t, string(refused.Body), "the crisis is proposed. Possible now: declare, dismiss")

	var declared, dismissed view
	w.Want(http.StatusOK, http.MethodPost, path+"/declare", w.Manager, body{"words": "The oven is broken."}, &declared, "Idempotency-Key", "once")
	again := w.Want(http.StatusOK, http.MethodPost, path+"/declare", w.Manager, body{"words": "The oven is broken."}, nil, "Idempotency-Key", "once")
	require.Equal(t, "true", again.Header.Get("Idempotent-Replay"))
	require.Equal(t, "idempotency_key_reused", w.Do(http.MethodPost, path+"/declare", w.Manager, body{"words": "no"}, "Idempotency-Key", "once").Code())
	require.Equal(t, "declared", declared.Stage)
	require.Equal(t, "The oven is broken.", declared.Steps[1].Words)
	require.Equal(t, 8, declared.Complaints)
	w.Want(http.StatusOK, http.MethodPost, "/v1/crises/"+proposed[1].ID+"/dismiss", w.Manager, body{"words": "A joke."}, &dismissed)
	require.Equal(t, "dismissed", dismissed.Stage)
	require.Equal(t, "crisis_over", w.Do(http.MethodPost, "/v1/crises/"+proposed[1].ID+"/declare", w.Manager, body{}).Code())

	// Its process is called for, and whoever complains from now on is linked.
	w.Eventually("the process is called for", func() bool {
		return w.Count(`SELECT count(*) FROM process_start WHERE workflow_id = $1`, "crisis/pizza/"+declared.ID) == 1
	})
	complain(w, sale(t, w, "margherita", 1, time.Now()))
	w.Eventually("the late complaint is linked", func() bool {
		w.Want(http.StatusOK, http.MethodGet, path, w.Agent, nil, &declared)
		return declared.Complaints == 9
	})

	for _, e := range w.EventsOf("CrisisProposed", 2) {
		if e.AggregateID == proposed[1].ID {
			golden.JSON(t, "testdata/crisis_proposed.json", e.Data)
		}
	}
	golden.JSON(t, "testdata/crisis_declared.json", w.EventsOf("CrisisDeclared", 1)[0].Data)
	golden.JSON(t, "testdata/crisis_ended.json", w.EventsOf("CrisisEnded", 1)[0].Data)
	for _, e := range w.Events(20) {
		require.False(t, strings.Contains(string(e.Data), "oven") || strings.Contains(string(e.Data), "joke"), "%s repeats what was said: %s", e.Type, e.Data)
	}
	read := w.Want(http.StatusOK, http.MethodGet, "/v1/crises/"+proposed[1].ID, w.Agent, nil, nil)
	golden.JSON(t, "testdata/crisis.json", read.Body)
}

func TestACrisisIsDeclaredByHandOnceForASeries(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	w.Register(uuid.NewString())
	b := body{"dimension": "category", "value": "product", "since": time.Now().Add(-time.Hour), "words": "A newspaper called."}
	var made view
	w.Want(http.StatusCreated, http.MethodPost, "/v1/crises", w.Manager, b, &made)
	require.Nil(t, made.Alarm)
	require.Equal(t, 1, made.Complaints)
	require.Equal(t, "statement", made.Due)
	require.Equal(t, "crisis_exists", w.Do(http.MethodPost, "/v1/crises", w.Manager, b).Code())
	w.Want(http.StatusForbidden, http.MethodPost, "/v1/crises", w.Agent, b, nil)
	w.Want(http.StatusCreated, http.MethodPost, "/v1/crises", w.Token(auth.RoleManager, "music"), b, nil)
	var page struct {
		Items      []view
		NextCursor string `json:"next_cursor"`
	}
	w.Want(http.StatusOK, http.MethodGet, "/v1/crises?stage=declared", w.Agent, nil, &page)
	require.Len(t, page.Items, 1)
	var members struct {
		Items []struct {
			ID     string `json:"complaint_id"`
			Linked bool
			By     string
		}
	}
	w.Want(http.StatusOK, http.MethodGet, "/v1/crises/"+made.ID+"/complaints", w.Agent, nil, &members)
	require.Len(t, members.Items, 1)
	require.True(t, members.Items[0].Linked)
	require.Equal(t, "process:crisis", members.Items[0].By)
	w.Want(http.StatusNotFound, http.MethodGet, "/v1/crises/"+made.ID+"/complaints", w.Token(auth.RoleAgent, "music"), nil, nil)
	for name, change := range map[string]body{
		"a since to come":     {"since": time.Now().Add(time.Hour)},
		"an old since":        {"since": time.Now().AddDate(-3, 0, 0)},
		"a blank value":       {"value": " "},
		"an unknown sort":     {"dimension": "colour"},
		"no since":            {"since": "yesterday"},
		"a novel as a reason": {"words": strings.Repeat("x", 20_001)},
	} {
		bad := body{"dimension": "sku", "value": "cola", "since": time.Now().Add(-time.Hour)}
		for k, v := range change {
			bad[k] = v
		}
		answer := w.Do(http.MethodPost, "/v1/crises", w.Manager, bad)
		require.Equal(t, http.StatusUnprocessableEntity, answer.Status, "%s: %s", name, answer.Body)
	}
}

func TestTheSettingIsCheckedAndVersioned(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	const path = "/v1/crisis-setting"
	var b body
	w.Want(http.StatusOK, http.MethodGet, path, w.Agent, nil, &b)
	require.InDelta(t, 1e-4, b["threshold"], 1e-12)
	require.Equal(t, []any{7.0, 84.0, "units", "weekdays"}, []any{b["window_days"], b["base_days"], b["sku_exposure"], b["category_exposure"]})
	b["threshold"], b["recorded_since"] = 0.001, "2026-01-01"
	w.Want(http.StatusPreconditionRequired, http.MethodPut, path, w.Manager, b, nil)
	set := w.Want(http.StatusOK, http.MethodPut, path, w.Manager, b, nil, "If-Match", `"0"`)
	require.Equal(t, `"1"`, set.Header.Get("ETag"))
	w.Want(http.StatusPreconditionFailed, http.MethodPut, path, w.Manager, b, nil, "If-Match", `"0"`)
	w.Want(http.StatusForbidden, http.MethodPut, path, w.Agent, b, nil, "If-Match", `"1"`)
	var read, other body
	w.Want(http.StatusOK, http.MethodGet, path, w.Agent, nil, &read)
	require.Equal(t, "2026-01-01", read["recorded_since"])
	w.Want(http.StatusOK, http.MethodGet, path, w.Token(auth.RoleAgent, "music"), nil, &other)
	require.InDelta(t, 1e-4, other["threshold"], 1e-12)
	for field, bad := range map[string][]any{
		"threshold": {0, -1, 0.06, 1}, "window_days": {0, 29, -3}, "base_days": {13, 731, 0}, "sku_exposure": {"moons", ""}, "category_exposure": {"sold"},
		"recorded_since": {"2026-02-30", "soon", "2999-01-01"}, "statement_seconds": {0, int64(1) << 60}, "update_seconds": {-1}, "review_seconds": {31622401},
	} {
		for _, value := range bad {
			wrong := body{}
			for k, v := range read {
				wrong[k] = v
			}
			wrong[field] = value
			answer := w.Do(http.MethodPut, path, w.Manager, wrong, "If-Match", `"1"`)
			require.Equal(t, http.StatusUnprocessableEntity, answer.Status, "%s %v: %s", field, value, answer.Body)
			require.Contains(t, string(answer.Body), field)
		}
	}
}

func TestWithoutTheProcessEngineACrisisIsDeclaredAndDecisionsAreToldToComeAgain(t *testing.T) {
	t.Parallel()
	w := ticketstest.StartWithoutTemporal(t)
	var made view
	w.Want(http.StatusCreated, http.MethodPost, "/v1/crises", w.Manager, body{"dimension": "sku", "value": "cola", "since": time.Now()}, &made)
	answer := w.Do(http.MethodPost, "/v1/crises/"+made.ID+"/hold", w.Manager, body{"words": "We are looking into it."})
	require.Equal(t, http.StatusServiceUnavailable, answer.Status, "%s", answer.Body)
	require.Equal(t, "workflows_unavailable", answer.Code())
	require.Equal(t, "crisis_stage", w.Do(http.MethodPost, "/v1/crises/"+made.ID+"/review", w.Manager, body{"words": "x"}).Code())
}

func TestCrisesRefuseBadInput(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	raw := func(b body) string {
		content, err := json.Marshal(b)
		require.NoError(t, err)
		return string(content)
	}
	n := 0
	fresh := func() string {
		n++
		return raw(body{"dimension": "sku", "value": fmt.Sprint("dish-", n), "since": time.Now().Add(-time.Hour)})
	}
	var made view
	w.Want(http.StatusCreated, http.MethodPost, "/v1/crises", w.Manager, body{"dimension": "sku", "value": "cola", "since": time.Now()}, &made)
	for name, target := range map[string]badinput.Target{
		"declare":  {Method: http.MethodPost, Path: "/v1/crises", Body: fresh(), Fresh: fresh, OtherBody: fresh(), Replay: true},
		"list":     {Method: http.MethodGet, Path: "/v1/crises", List: true},
		"get":      {Method: http.MethodGet, Path: "/v1/crises/" + made.ID, Owned: true},
		"members":  {Method: http.MethodGet, Path: "/v1/crises/" + made.ID + "/complaints", Owned: true, List: true},
		"series":   {Method: http.MethodGet, Path: "/v1/crisis-series", List: true},
		"settings": {Method: http.MethodGet, Path: "/v1/crisis-setting"},
	} {
		t.Run(name, func(t *testing.T) {
			target.URL, target.Token = w.URL, w.Manager
			badinput.Check(t, target)
		})
	}
}
