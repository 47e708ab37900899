package inbox

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/bustest"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg/migrate"
	"github.com/guanxi-crm/guanxi/platform/pgtest"
)

// desk is a service's operators' routes on a real listener.
type desk struct {
	*bundle
	issuer *auth.DevIssuer
	api    *httpx.API
	url    string
}

func newDesk(t *testing.T, src migrate.Source) *desk {
	t.Helper()
	b, client := overKafka(t, pgtest.Database(t, src), true)
	d := &desk{bundle: b}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { d.issuer.ServeHTTP(w, r) }))
	t.Cleanup(web.Close)
	var err error
	d.issuer, err = auth.NewDevIssuer(auth.DevIssuerConfig{URL: web.URL, Audience: "guanxi"})
	require.NoError(t, err)
	verifier, err := auth.NewVerifier(t.Context(), auth.Config{Issuer: web.URL, Audience: "guanxi"})
	require.NoError(t, err)
	server := httpx.NewServer(httpx.Config{}, verifier, bustest.Log(t))
	d.api = server.API(service, "1", "Diary")
	ops := b.opsOf(client)
	if src.Projection == nil {
		ops.ProjectionTables = nil
	}
	Routes(ops)(d.api)
	edge := httptest.NewServer(server.Handler())
	t.Cleanup(edge.Close)
	d.url = edge.URL
	return d
}

// as sends a request with the role, for the tenant; the answer's body comes as JSON.
func (d *desk) as(role, tenant, method, path, body string, header ...string) (int, map[string]any) {
	d.t.Helper()
	token, err := d.issuer.Token(auth.TokenRequest{Subject: "olga", Tenant: tenant, Roles: []string{role}}, time.Now())
	require.NoError(d.t, err)
	req, err := http.NewRequestWithContext(d.t.Context(), method, d.url+path, strings.NewReader(body))
	require.NoError(d.t, err)
	req.Header.Set("Authorization", "Bearer "+token)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(d.t, err)
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	require.NoError(d.t, err)
	var out map[string]any
	if len(raw) > 0 {
		require.NoError(d.t, json.Unmarshal(raw, &out), string(raw))
	}
	return resp.StatusCode, out
}

func (d *desk) list(role, tenant, query string) (ids []string, next string) {
	d.t.Helper()
	status, out := d.as(role, tenant, http.MethodGet, "/v1/ops/diary/parked"+query, "")
	require.Equal(d.t, 200, status, out)
	for _, p := range out["parked"].([]any) {
		ids = append(ids, p.(map[string]any)["id"].(string))
	}
	next, _ = out["next_cursor"].(string)
	return ids, next
}

func TestOperatorsSeeWhatIsTheirs(t *testing.T) {
	t.Parallel()
	d := newDesk(t, plain())
	garbage := d.messages(change{customer: "x", seq: 1})[0]
	garbage.Headers = nil
	d.give(garbage)
	d.changes(change{customer: "a", seq: 1, field: "poison"}, change{customer: "a", seq: 2}, change{customer: "b", seq: 1, field: "poison", tenant: "pizza"})

	music, _ := d.list(auth.RoleOperations, "music", "")
	require.Len(t, music, 1)
	pizza, _ := d.list(auth.RoleAdmin, "pizza", "?consumer=keeper")
	require.Len(t, pizza, 1)
	none, _ := d.list(auth.RoleAdmin, "pizza", "?consumer=other")
	require.Empty(t, none)
	queued, _ := d.list(auth.RoleOperations, "music", "?state=queued")
	require.Len(t, queued, 1)

	first, next := d.list(auth.RolePlatformAdmin, "", "?limit=2")
	rest, end := d.list(auth.RolePlatformAdmin, "", "?limit=2&cursor="+next)
	require.Len(t, first, 2)
	require.Len(t, rest, 1)
	require.Empty(t, end)

	status, whole := d.as(auth.RoleOperations, "music", http.MethodGet, "/v1/ops/diary/parked/"+music[0], "")
	require.Equal(t, 200, status)
	require.JSONEq(t, `{"customerId":"a","changedFields":["poison"]}`, whole["payload"].(string))
	require.EqualValues(t, 1, whole["queue_length"])
	require.EqualValues(t, 1, whole["sequence"])
	require.Equal(t, "cannot stomach poison", whole["error"])
	require.NotEmpty(t, whole["headers"])

	status, out := d.as(auth.RoleOperations, "music", http.MethodGet, "/v1/ops/diary/consumers", "")
	require.Equal(t, 200, status)
	consumer := out["consumers"].([]any)[0].(map[string]any)
	require.EqualValues(t, 3, consumer["parked"])
	require.EqualValues(t, 1, consumer["queued"])
	require.Len(t, consumer["positions"], 16)
}

func TestOperatorsDecide(t *testing.T) {
	t.Parallel()
	d := newDesk(t, plain())
	d.changes(change{customer: "a", seq: 1, field: "poison"}, change{customer: "a", seq: 2, field: "poison-2"}, change{customer: "a", seq: 3})
	ids, _ := d.list(auth.RoleOperations, "music", "")
	path := "/v1/ops/diary/parked/" + ids[0]

	d.heal("poison")
	status, out := d.as(auth.RoleOperations, "music", http.MethodPost, path+"/release", "", "Idempotency-Key", "k1")
	require.Equal(t, 202, status, out)
	_, whole := d.as(auth.RoleOperations, "music", http.MethodGet, path, "")
	require.Equal(t, "releasing", whole["state"])
	d.release()
	status, _ = d.as(auth.RoleOperations, "music", http.MethodPost, path+"/release", "", "Idempotency-Key", "k1")
	require.Equal(t, 202, status, "the first answer again")
	status, _ = d.as(auth.RoleOperations, "music", http.MethodPost, path+"/release", "")
	require.Equal(t, 404, status)

	ids, _ = d.list(auth.RoleOperations, "music", "")
	require.Len(t, ids, 1, "the next one is parked for itself")
	path = "/v1/ops/diary/parked/" + ids[0]
	status, out = d.as(auth.RoleOperations, "music", http.MethodPost, path+"/discard", `{"reason":"a test order"}`)
	require.Equal(t, 204, status, out)
	d.release()
	require.Equal(t, []string{"a1", "a3"}, d.diary("music"))
}

func TestBadInputOfOperators(t *testing.T) {
	t.Parallel()
	d := newDesk(t, projection())
	d.changes(change{customer: "a", seq: 1, field: "poison"})
	ids, _ := d.list(auth.RoleOperations, "music", "")
	parked := "/v1/ops/diary/parked/" + ids[0]
	cases := []struct {
		name, role, tenant, method, path, body string
		status                                 int
		code                                   string
	}{
		{"a role that may not", auth.RoleSales, "music", "GET", "/v1/ops/diary/parked", "", 403, ""},
		{"another tenant's", auth.RoleOperations, "pizza", "GET", parked, "", 404, "parked_event_not_found"},
		{"release of another tenant's", auth.RoleOperations, "pizza", "POST", parked + "/release", "", 404, "parked_event_not_found"},
		{"discard of another tenant's", auth.RoleOperations, "pizza", "POST", parked + "/discard", `{"reason":"x"}`, 404, "parked_event_not_found"},
		{"an id that is none", auth.RoleOperations, "music", "GET", "/v1/ops/diary/parked/17", "", 422, ""},
		{"an unknown id", auth.RoleOperations, "music", "GET", "/v1/ops/diary/parked/" + uuid.NewString(), "", 404, "parked_event_not_found"},
		{"no reason", auth.RoleOperations, "music", "POST", parked + "/discard", `{"reason":""}`, 422, ""},
		{"a blank reason", auth.RoleOperations, "music", "POST", parked + "/discard", `{"reason":" "}`, 422, "reason_required"},
		{"no body", auth.RoleOperations, "music", "POST", parked + "/discard", ``, 400, ""},
		{"malformed JSON", auth.RoleOperations, "music", "POST", parked + "/discard", `{"reason":`, 400, ""},
		{"trailing data", auth.RoleOperations, "music", "POST", parked + "/discard", `{"reason":"x"}{}`, 400, ""},
		{"unknown field", auth.RoleOperations, "music", "POST", parked + "/discard", `{"reason":"x","why":"y"}`, 422, ""},
		{"wrong type", auth.RoleOperations, "music", "POST", parked + "/discard", `{"reason":7}`, 422, ""},
		{"U+0000", auth.RoleOperations, "music", "POST", parked + "/discard", `{"reason":"\u0000"}`, 400, ""},
		{"bad UTF-8", auth.RoleOperations, "music", "POST", parked + "/discard", "{\"reason\":\"\xff\"}", 400, ""},
		{"duplicate keys", auth.RoleOperations, "music", "POST", parked + "/discard", `{"reason":"x","reason":"y"}`, 400, ""},
		{"limit 0", auth.RoleOperations, "music", "GET", "/v1/ops/diary/parked?limit=0", "", 422, ""},
		{"limit 10,000", auth.RoleOperations, "music", "GET", "/v1/ops/diary/parked?limit=10000", "", 422, ""},
		{"broken cursor", auth.RoleOperations, "music", "GET", "/v1/ops/diary/parked?cursor=abc", "", 400, "cursor_invalid"},
		{"a cursor of something else", auth.RoleOperations, "music", "GET", "/v1/ops/diary/parked?cursor=" + httpx.EncodeCursor("x"), "", 400, "cursor_invalid"},
		{"an unknown state", auth.RoleOperations, "music", "GET", "/v1/ops/diary/parked?state=lost", "", 422, ""},
		{"a rebuild by a tenant's operator", auth.RoleOperations, "music", "POST", "/v1/ops/diary/rebuilds", "", 403, "platform_admin_required"},
		{"a rebuild that was not asked for", auth.RolePlatformAdmin, "", "GET", "/v1/ops/diary/rebuilds/" + uuid.NewString(), "", 404, "rebuild_not_found"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			status, out := d.as(c.role, c.tenant, c.method, c.path, c.body)
			require.Equal(t, c.status, status, out)
			require.NotEmpty(t, out["code"])
			if c.code != "" {
				require.Equal(t, c.code, out["code"])
			}
		})
	}
}

func TestARebuildIsAskedForOverHTTP(t *testing.T) {
	t.Parallel()
	d := newDesk(t, projection())
	status, job := d.as(auth.RolePlatformAdmin, "", http.MethodPost, "/v1/ops/diary/rebuilds", "")
	require.Equal(t, 202, status, job)
	require.Equal(t, "requested", job["state"])
	status, _ = d.as(auth.RolePlatformAdmin, "", http.MethodPost, "/v1/ops/diary/rebuilds", "")
	require.Equal(t, 409, status)
	status, again := d.as(auth.RolePlatformAdmin, "", http.MethodGet, "/v1/ops/diary/rebuilds/"+job["id"].(string), "")
	require.Equal(t, 200, status)
	require.Equal(t, job, again)
}

func TestEveryOperationSaysWhatItNeeds(t *testing.T) {
	t.Parallel()
	d := newDesk(t, projection())
	require.Len(t, d.api.Operations(), 7)
	for _, op := range d.api.Operations() {
		require.Equal(t, auth.Operate, op.Permission, op.ID)
	}
}
