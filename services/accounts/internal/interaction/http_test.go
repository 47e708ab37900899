package interaction_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/accountstest"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/interaction"
)

type body = map[string]any

type view struct {
	ID         string `json:"interaction_id"`
	CustomerID string `json:"customer_id"`
	Channel    string
	Touchpoint string
	OccurredAt time.Time `json:"occurred_at"`
	HasSummary bool      `json:"has_summary"`
	Summary    string
	Identity   *struct{ Type, Value string }
	Withheld   []struct{ Class, Why string }
}

type page struct {
	CustomerID string `json:"customer_id"`
	Items      []view
	NextCursor string `json:"next_cursor"`
	Withheld   []struct{ Class, Why string }
}

// world is a service whose tenant pizza has a customer anna and the touchpoint hotline.
type world struct {
	*accountstest.World
	t           *testing.T
	agent, anna string
}

func start(t *testing.T) *world {
	t.Helper()
	w := &world{World: accountstest.Start(t), t: t}
	w.agent = w.Token(auth.RoleAgent, "pizza")
	w.anna = w.Customer(t, "pizza", "person", "Anna")
	w.Want(http.StatusCreated, http.MethodPost, "/v1/touchpoints", w.Token(auth.RoleAdmin, "pizza"),
		body{"code": "hotline", "title": "Hotline", "stage": "service", "channel": "phone"}, nil)
	return w
}

func call() body {
	return body{"channel": "phone", "direction": "inbound", "touchpoint": "hotline", "outcome": "called_back", "occurred_at": "2026-11-20T10:00:00Z",
		"duration_seconds": 95, "summary": " Her oven at 12 Garden Street is cold. ", "identity": body{"type": "phone", "value": "138 0013 8000"}}
}

func (w *world) record(customer string, b body) view {
	w.t.Helper()
	var v view
	w.Want(http.StatusCreated, http.MethodPost, "/v1/customers/"+customer+"/interactions", w.agent, b, &v)
	return v
}

func (w *world) refused(status int, code, customer string, b body) {
	w.t.Helper()
	answer := w.Do(http.MethodPost, "/v1/customers/"+customer+"/interactions", w.agent, b)
	if answer.Status != status || !strings.Contains(string(answer.Body), `"`+code+`"`) {
		w.t.Fatalf("%v: got %d %s, want %d %s", b, answer.Status, answer.Body, status, code)
	}
}

func (w *world) list(customer, query string) page {
	w.t.Helper()
	var p page
	w.Want(http.StatusOK, http.MethodGet, "/v1/customers/"+customer+"/interactions?"+query, w.agent, nil, &p)
	return p
}

func TestAnInteractionIsRecordedAndItsWordsStayHere(t *testing.T) {
	t.Parallel()
	w := start(t)
	made := w.record(w.anna, call())
	read := w.Want(http.StatusOK, http.MethodGet, "/v1/interactions/"+made.ID, w.agent, nil, nil)
	golden.JSON(t, "testdata/interaction.json", json.RawMessage(read.Body))
	listed := w.Want(http.StatusOK, http.MethodGet, "/v1/customers/"+w.anna+"/interactions", w.agent, nil, nil)
	event := w.EventsOf("InteractionRecorded", 1)[0]
	golden.JSON(t, "testdata/interaction_recorded.json", event.Data)
	for _, personal := range []string{"oven", "Garden", "13800138000"} {
		if strings.Contains(string(listed.Body), personal) || strings.Contains(string(event.Data), personal) {
			t.Errorf("the list or the event tells %s: %s %s", personal, listed.Body, event.Data)
		}
	}
	if p := w.list(w.anna, ""); len(p.Items) != 1 || !p.Items[0].HasSummary || len(p.Withheld) != 0 {
		t.Errorf("%+v", p)
	}
	brief := w.record(w.anna, body{"channel": "visit", "direction": "outbound"})
	if brief.HasSummary || brief.Identity != nil || time.Since(brief.OccurredAt) > time.Minute {
		t.Errorf("%+v", brief)
	}
}

func TestInteractionsAreListedTheLatestFirst(t *testing.T) {
	t.Parallel()
	w := start(t)
	var want []string
	for n, channel := range []string{"phone", "email", "phone", "web", "wechat"} {
		day := 10 + n/2 // two of them at the same time
		v := w.record(w.anna, body{"channel": channel, "direction": "inbound", "occurred_at": fmt.Sprintf("2026-11-%dT10:00:00.123456Z", day), "outcome": "o" + channel})
		want = append(want, v.ID)
	}
	slices.Reverse(want)
	walk := func(query string) (got []string) {
		for cursor := ""; ; {
			p := w.list(w.anna, "limit=2&cursor="+cursor+query)
			for _, v := range p.Items {
				got = append(got, v.ID)
			}
			if cursor = p.NextCursor; cursor == "" {
				return got
			}
		}
	}
	for query, expected := range map[string][]string{
		"":                    want,
		"&channel=phone":      {want[2], want[4]},
		"&outcome=oweb":       {want[1]},
		"&direction=outbound": nil,
		"&touchpoint=hotline": nil,
		"&from=" + url.QueryEscape("2026-11-11T10:00:00.123456Z"):  want[:3],
		"&until=" + url.QueryEscape("2026-11-11T10:00:00.123456Z"): want[3:],
	} {
		if got := walk(query); !slices.Equal(got, expected) {
			t.Errorf("%q: got %v, want %v", query, got, expected)
		}
	}
}

func TestInteractionsAreTheWholeCustomers(t *testing.T) {
	t.Parallel()
	w := start(t)
	double := w.Customer(t, "pizza", "person", "Anna B.")
	first, second := w.record(w.anna, call()), w.record(double, call())
	w.Absorb(t, "pizza", w.anna, double)
	third := w.record(double, call())
	if third.CustomerID != w.anna {
		t.Errorf("%+v", third)
	}
	for _, id := range []string{w.anna, double} {
		p := w.list(id, "limit=2")
		rest := w.list(id, "limit=2&cursor="+p.NextCursor)
		if p.CustomerID != w.anna || len(p.Items) != 2 || p.Items[0].ID != third.ID || p.Items[1].ID != second.ID || p.Items[1].CustomerID != w.anna ||
			len(rest.Items) != 1 || rest.Items[0].ID != first.ID {
			t.Errorf("by %s: %+v, %+v", id, p, rest)
		}
	}
	w.Restore(t, "pizza", w.anna, double)
	if p := w.list(double, ""); len(p.Items) != 2 || p.Items[0].ID != third.ID || p.Items[0].CustomerID != double {
		t.Errorf("after an undo: %+v", p)
	}
	if p := w.list(w.anna, ""); len(p.Items) != 1 {
		t.Errorf("after an undo: %+v", p)
	}
}

func TestInteractionsAreShownAsFarAsThePurposeNeeds(t *testing.T) {
	t.Parallel()
	w := start(t)
	made := w.record(w.anna, call())
	manager, analyst := w.Token(auth.RoleManager, "pizza"), w.Token(auth.RoleMarketing, "pizza")

	var p page
	w.Want(http.StatusOK, http.MethodGet, "/v1/customers/"+w.anna+"/interactions?purpose=credit", manager, nil, &p)
	if len(p.Items) != 0 || len(p.Withheld) != 1 || p.Withheld[0].Class != "behaviour" || p.NextCursor != "" {
		t.Errorf("for credit: %+v", p)
	}
	hidden := w.Want(http.StatusForbidden, http.MethodGet, "/v1/interactions/"+made.ID+"?purpose=credit", manager, nil, nil)
	if hidden.Code() != "class_withheld" {
		t.Errorf("%s", hidden.Body)
	}
	var v view // figures need to know what was, not who it was
	w.Want(http.StatusOK, http.MethodGet, "/v1/interactions/"+made.ID+"?purpose=analysis", analyst, nil, &v)
	if v.Identity != nil || v.Channel != "phone" || len(v.Withheld) != 2 {
		t.Errorf("for analysis: %+v", v)
	}
	w.Want(http.StatusForbidden, http.MethodGet, "/v1/interactions/"+made.ID+"?purpose=credit", w.agent, nil, nil)
	w.Want(http.StatusUnprocessableEntity, http.MethodGet, "/v1/interactions/"+made.ID+"?purpose=curiosity", w.agent, nil, nil)
}

func TestWhatAnInteractionMustNotBe(t *testing.T) {
	t.Parallel()
	w := start(t)
	with := func(field string, value any) body {
		b := call()
		b[field] = value
		return b
	}
	const invalid = http.StatusUnprocessableEntity
	w.refused(invalid, "touchpoint_unknown", w.anna, with("touchpoint", "teleshopping"))
	w.refused(invalid, "touchpoint_channel", w.anna, with("channel", "email"))
	w.refused(invalid, "time_out_of_range", w.anna, with("occurred_at", time.Now().Add(10*time.Minute)))
	w.record(w.anna, with("occurred_at", time.Now().Add(2*time.Minute)))
	w.refused(invalid, "phone_malformed", w.anna, with("identity", body{"type": "phone", "value": "soon"}))
	w.refused(invalid, "type_unknown", w.anna, with("identity", body{"type": "fax", "value": "1"}))
	w.refused(invalid, "validation_failed", w.anna, with("identity", body{"type": "phone"}))
	w.refused(invalid, "outcome_malformed", w.anna, with("outcome", "He was angry."))
	w.refused(invalid, "summary_malformed", w.anna, with("summary", "ding\u0007"))
	w.refused(invalid, "validation_failed", w.anna, with("duration_seconds", 86_401))
	w.refused(invalid, "validation_failed", w.anna, with("channel", "fax"))
	w.refused(invalid, "validation_failed", w.anna, with("direction", "sideways"))

	w.Want(http.StatusOK, http.MethodPost, "/v1/touchpoints/hotline/archive", w.Token(auth.RoleAdmin, "pizza"), nil, nil)
	w.refused(invalid, "touchpoint_archived", w.anna, call())
	// The catalogue is the tenant's own.
	carl := w.Customer(t, "music", "person", "Carl")
	w.Want(invalid, http.MethodPost, "/v1/customers/"+carl+"/interactions", w.Token(auth.RoleAgent, "music"), call(), nil)
	w.refused(http.StatusNotFound, "customer_not_found", carl, call())

	bert := w.Customer(t, "pizza", "person", "Bert")
	w.Put(t, "pizza", bert, "archived")
	w.refused(http.StatusConflict, "customer_archived", bert, body{"channel": "visit", "direction": "inbound"})
	w.list(bert, "")
	w.Want(http.StatusForbidden, http.MethodPost, "/v1/customers/"+w.anna+"/interactions", w.Token(auth.RoleMarketing, "pizza"), call(), nil)
	w.Want(http.StatusOK, http.MethodPost, "/v1/tenants/pizza/suspend", w.Root, nil, nil)
	w.refused(http.StatusForbidden, "tenant_suspended", w.anna, body{"channel": "visit", "direction": "inbound"})
}

func TestErasureTakesTheWordsAndTheIdentity(t *testing.T) {
	t.Parallel()
	w := start(t)
	bert := w.Customer(t, "pizza", "person", "Bert")
	made, others := w.record(w.anna, call()), w.record(bert, call())
	w.record(w.anna, body{"channel": "visit", "direction": "inbound"}) // has neither
	for _, want := range []int64{1, 0} {
		if err := w.DB.Tx(t.Context(), "pizza", func(tx *pg.Tx) error {
			erased, err := interaction.Erase(t.Context(), tx, []uuid.UUID{uuid.MustParse(w.anna)})
			if erased["interactions"] != want {
				t.Errorf("erased %v, want %d", erased, want)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	var v view
	w.Want(http.StatusOK, http.MethodGet, "/v1/interactions/"+made.ID, w.agent, nil, &v)
	if v.Summary != "" || v.Identity != nil || v.HasSummary || v.Channel != "phone" {
		t.Errorf("%+v", v)
	}
	w.Want(http.StatusOK, http.MethodGet, "/v1/interactions/"+others.ID, w.agent, nil, &v)
	if v.Summary == "" || v.Identity == nil {
		t.Errorf("another's was erased, too: %+v", v)
	}
	w.Put(t, "pizza", w.anna, "erased")
	w.Want(http.StatusGone, http.MethodGet, "/v1/interactions/"+made.ID, w.agent, nil, nil)
	w.Want(http.StatusGone, http.MethodGet, "/v1/customers/"+w.anna+"/interactions", w.agent, nil, nil)
	w.refused(http.StatusGone, "customer_erased", w.anna, call())
}

func TestAnInteractionIsNeverChanged(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.record(w.anna, call())
	for _, sql := range []string{
		`UPDATE interaction SET outcome = 'other'`, `UPDATE interaction SET occurred_at = now()`, `DELETE FROM interaction`,
	} {
		if err := w.DB.Tx(t.Context(), "pizza", func(tx *pg.Tx) error {
			tx.Queue(sql)
			return nil
		}); err == nil {
			t.Errorf("this was allowed: %s", sql)
		}
	}
}

func TestInteractionsRefuseBadInput(t *testing.T) {
	t.Parallel()
	w := start(t)
	made := w.record(w.anna, call())
	raw, err := json.Marshal(call())
	if err != nil {
		t.Fatal(err)
	}
	path := "/v1/customers/" + w.anna + "/interactions"
	for name, target := range map[string]badinput.Target{
		"record": {Method: http.MethodPost, Path: path, Body: string(raw), OtherBody: `{"channel":"visit","direction":"inbound"}`, Owned: true, Replay: true},
		"list":   {Method: http.MethodGet, Path: path, List: true, Owned: true},
		"get":    {Method: http.MethodGet, Path: "/v1/interactions/" + made.ID, Owned: true},
	} {
		t.Run(name, func(t *testing.T) {
			target.URL, target.Token = w.URL, w.agent
			badinput.Check(t, target)
		})
	}
	for _, query := range []string{"channel=fax", "direction=up", "from=soon", "until=2026-02-30T00:00:00Z", "touchpoint=" + strings.Repeat("x", 65)} {
		if answer := w.Do(http.MethodGet, path+"?"+query, w.agent, nil); answer.Status != http.StatusUnprocessableEntity {
			t.Errorf("%s: got %d %s", query, answer.Status, answer.Body)
		}
	}
}
