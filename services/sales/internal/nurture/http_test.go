package nurture_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/services/sales/internal/salestest"
)

// house is a service without workers: what is begun in it stands still.
type house struct {
	*salestest.World
	t       *testing.T
	manager string
}

func open(t *testing.T) *house {
	t.Helper()
	w := salestest.Start(t)
	h := &house{w, t, w.Token(auth.RoleManager, "pizza")}
	h.Want(http.StatusCreated, http.MethodPost, "/v1/lead-fields", h.manager, body{"name": "agreed", "title": "Agreed", "type": "boolean"}, nil)
	return h
}

func (h *house) programme(code string, change body) {
	h.t.Helper()
	h.Want(http.StatusOK, http.MethodPut, "/v1/nurture-programmes/"+code, h.manager, programme(change), nil, "If-Match", "*")
}

// lead captures a lead of somebody new.
func (h *house) lead(more body) string {
	h.t.Helper()
	b := body{"name": somebody()}
	for k, v := range more {
		b[k] = v
	}
	var made struct {
		ID string `json:"lead_id"`
	}
	h.Want(http.StatusCreated, http.MethodPost, "/v1/leads", h.manager, b, &made)
	return made.ID
}

func (h *house) nurtures(lead, programme string) (v view) {
	h.t.Helper()
	h.Want(http.StatusCreated, http.MethodPost, "/v1/leads/"+lead+"/nurture", h.manager, body{"programme": programme}, &v)
	return v
}

func (h *house) state(lead string) string {
	h.t.Helper()
	var l struct{ State string }
	h.Want(http.StatusOK, http.MethodGet, "/v1/leads/"+lead, h.manager, nil, &l)
	return l.State
}

func TestALeadIsTakenIn(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.programme("welcome", nil)
	h.programme("asleep", body{"active": false})
	h.programme("hot", body{"hand_over_score": 40})
	lead := h.lead(nil)
	begin := func(status int, programme string) string {
		return h.Want(status, http.MethodPost, "/v1/leads/"+lead+"/nurture", h.manager, body{"programme": programme}, nil).Code()
	}
	require.Equal(t, "nurturing_invalid", begin(http.StatusUnprocessableEntity, "none"))
	require.Equal(t, "nurture_programme_inactive", begin(http.StatusConflict, "asleep"))
	h.Want(http.StatusOK, http.MethodPut, "/v1/leads/"+lead+"/score", h.manager, body{"probability": 40}, nil)
	require.Equal(t, "lead_ready", begin(http.StatusConflict, "hot"))
	var v view
	h.Want(http.StatusCreated, http.MethodPost, "/v1/leads/"+lead+"/nurture", h.manager, body{"programme": "welcome"}, &v, "Idempotency-Key", "k")
	require.Equal(t, []string{"running", "nurturing"}, []string{v.Stage, h.state(lead)})
	require.Equal(t, []string{"pause", "hand_over"}, v.Next)
	require.WithinDuration(t, time.Now().Add(24*time.Hour), *v.DueAt, time.Minute)
	again := h.Want(http.StatusCreated, http.MethodPost, "/v1/leads/"+lead+"/nurture", h.manager, body{"programme": "welcome"}, nil, "Idempotency-Key", "k")
	require.Contains(t, string(again.Body), v.ID)
	require.Equal(t, "nurturing_running", begin(http.StatusConflict, "welcome"))
	golden.JSON(t, "testdata/lead_handed_over.json", h.EventsOf("LeadHandedOver", 1)[0].Data)
	require.EqualValues(t, 1, h.Count(`SELECT count(*) FROM process_start WHERE workflow_id = 'nurture/pizza/'||$1`, v.ID))

	lost := h.lead(nil)
	h.Want(http.StatusOK, http.MethodPost, "/v1/leads/"+lost+"/lose", h.manager, body{"reason": "no_need"}, nil)
	require.Equal(t, "lead_state_unfit", h.Want(http.StatusConflict, http.MethodPost, "/v1/leads/"+lost+"/nurture", h.manager, body{"programme": "welcome"}, nil).Code())
	music := h.Token(auth.RoleManager, "music")
	h.Want(http.StatusNotFound, http.MethodPost, "/v1/leads/"+h.lead(nil)+"/nurture", music, body{"programme": "welcome"}, nil)
	h.Want(http.StatusNotFound, http.MethodGet, "/v1/nurturings/"+v.ID, music, nil, nil)
	h.Want(http.StatusNotFound, http.MethodPost, "/v1/nurturings/"+v.ID+"/hand-over", music, nil, nil)
	var page struct{ Items []view }
	for query, want := range map[string]int{"": 1, "?lead_id=" + lead: 1, "?lead_id=" + lost: 0, "?stage=running": 1, "?stage=lost": 0} {
		h.Want(http.StatusOK, http.MethodGet, "/v1/nurturings"+query, h.Sales, nil, &page)
		require.Len(t, page.Items, want, query)
	}
	h.Want(http.StatusOK, http.MethodGet, "/v1/nurturings", music, nil, &page)
	require.Empty(t, page.Items)
	require.Equal(t, "nurturing_stage", h.Want(http.StatusConflict, http.MethodPost, "/v1/nurturings/"+v.ID+"/resume", h.manager, nil, nil).Code())
}

func TestProgrammesAreKept(t *testing.T) {
	t.Parallel()
	h := open(t)
	path := "/v1/nurture-programmes/welcome"
	var v struct {
		Version int64
		Name    string
	}
	h.Want(http.StatusOK, http.MethodPut, path, h.manager, programme(nil), &v, "If-Match", `"0"`)
	h.Want(http.StatusOK, http.MethodPut, path, h.manager, programme(nil), &v, "If-Match", `"1"`)
	require.EqualValues(t, 1, v.Version, "the same again is no other version")
	h.Want(http.StatusOK, http.MethodPut, path, h.manager, programme(body{"name": " Warm  up "}), &v, "If-Match", `"1"`)
	require.EqualValues(t, 2, v.Version)
	require.Equal(t, "Warm up", v.Name)
	h.Want(http.StatusPreconditionFailed, http.MethodPut, path, h.manager, programme(nil), nil, "If-Match", `"1"`)
	h.Want(http.StatusPreconditionRequired, http.MethodPut, path, h.manager, programme(nil), nil)
	h.Want(http.StatusForbidden, http.MethodPut, path, h.Sales, programme(nil), nil, "If-Match", "*")
	h.Want(http.StatusNotFound, http.MethodGet, path, h.Token(auth.RoleManager, "music"), nil, nil)
	touches := func(change body) body {
		b := body{"code": "x", "after_seconds": 1}
		for k, v := range change {
			b[k] = v
		}
		return body{"touches": []body{b}}
	}
	for _, c := range []struct {
		change   body
		location string
	}{
		{body{"name": " "}, "body.name"}, {body{"touches": []body{}}, "body.touches"},
		{touches(body{"code": "A B"}), "body.touches[0].code"}, {touches(body{"after_seconds": -1}), "body.touches[0].after_seconds"},
		{touches(body{"after_seconds": 31622401}), "body.touches[0].after_seconds"}, {touches(body{"channel": "E-Mail"}), "body.touches[0].channel"},
		{body{"silence_seconds": -1}, "body.silence_seconds"}, {body{"hand_over_score": 100}, "body.hand_over_score"},
		{body{"on_silence": "forget"}, "body.on_silence"}, {body{"on_silence": "lose"}, "body.lost_reason"},
		{body{"on_silence": "lose", "lost_reason": "unheard_of"}, "body.lost_reason"}, {body{"lost_reason": "no_need"}, "body.lost_reason"},
		{body{"agreed_field": "A B"}, "body.agreed_field"},
	} {
		answer := h.Want(http.StatusUnprocessableEntity, http.MethodPut, path, h.manager, programme(c.change), nil, "If-Match", "*")
		require.Contains(t, string(answer.Body), `"`+c.location+`"`, "%v", c.change)
	}
	h.Want(http.StatusUnprocessableEntity, http.MethodPut, "/v1/nurture-programmes/UPPER", h.manager, programme(nil), nil, "If-Match", "*")
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.programme("welcome", nil)
	v := h.nurtures(h.lead(nil), "welcome")
	terms, err := json.Marshal(programme(nil))
	require.NoError(t, err)
	anyVersion := http.Header{"If-Match": {"*"}}
	for name, target := range map[string]badinput.Target{
		"programmes": {Method: http.MethodGet, Path: "/v1/nurture-programmes", List: true},
		"programme":  {Method: http.MethodGet, Path: "/v1/nurture-programmes/welcome", Owned: true},
		"put":        {Method: http.MethodPut, Path: "/v1/nurture-programmes/welcome", Body: string(terms), Version: true, Header: anyVersion},
		"nurturing":  {Method: http.MethodGet, Path: "/v1/nurturings/" + v.ID, Owned: true},
		"nurturings": {Method: http.MethodGet, Path: "/v1/nurturings", List: true},
		"nurture":    {Method: http.MethodPost, Path: "/v1/leads/" + h.lead(nil) + "/nurture", Body: `{"programme":"welcome"}`, Owned: true},
	} {
		t.Run(name, func(t *testing.T) {
			target.URL, target.Token = h.URL, h.manager
			badinput.Check(t, target)
		})
	}
	for query, status := range map[string]int{"lead_id=17": 422, "stage=asleep": 422} {
		require.Equal(t, status, h.Do(http.MethodGet, "/v1/nurturings?"+query, h.manager, nil).Status)
	}
	require.Equal(t, http.StatusNotFound, h.Do(http.MethodPost, "/v1/nurturings/"+uuid.NewString()+"/pause", h.manager, nil).Status)
	require.True(t, strings.HasPrefix(v.Stage, "run"))
}
