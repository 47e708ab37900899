package rollout_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/apptest"
	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	service "github.com/guanxi-crm/guanxi/services/rollout"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/plan"
)

type body = map[string]any

// shown is what these tests read of a rollout.
type shown struct {
	RolloutID    string `json:"rollout_id"`
	State        string
	PlanVersion  int      `json:"plan_version"`
	InHand       []string `json:"in_hand"`
	Entitlements []struct {
		Capability string
		Units      []string
	}
	Next   []struct{ Decision string }
	Phases []struct {
		Code, State, Name string
		Tasks             []struct{ Title string }
		WaitsFor          []string `json:"waits_for"`
		Gates             []struct {
			Code, Stands, Reason, How string
			Agreed                    []string
		}
	}
}

// units makes those that the plan of planned names.
func units(s *apptest.Service, token string) {
	for _, code := range []string{"north", "east"} {
		s.Want(http.StatusCreated, http.MethodPut, "/v1/units", token, body{"code": code, "name": code, "headcount": 10}, nil)
	}
}

func TestARolloutByTheAPI(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, service.Module())
	admin, other := s.Token(auth.RoleAdmin, "pizza"), s.Token(auth.RoleAdmin, "music")
	units(s, admin)
	var made, now shown
	s.Want(http.StatusCreated, http.MethodPost, "/v1/rollouts", admin, body{"name": "North", "plan": planned(), "external_id": "crm/north", "managed_by": "kubernetes"}, &made)
	path := "/v1/rollouts/" + made.RolloutID
	got := s.Want(http.StatusConflict, http.MethodPost, "/v1/rollouts", admin, body{"name": "North", "plan": planned(), "external_id": "crm/north"}, nil)
	if got.Code() != "external_id_taken" {
		t.Errorf("%s", got.Body)
	}
	t.Logf("%s", got.Body)
	var all struct{ Items []shown }
	s.Want(http.StatusOK, http.MethodGet, "/v1/rollouts?external_id=crm/north&state=draft", admin, nil, &all)
	if len(all.Items) != 1 || all.Items[0].RolloutID != made.RolloutID {
		t.Errorf("%+v", all)
	}
	s.Want(http.StatusNotFound, http.MethodGet, path, other, nil, nil)
	change := body{"plan": planned()}
	got = s.Want(http.StatusConflict, http.MethodPut, path+"/plan", admin, change, nil, "If-Match", `"1"`)
	if got.Code() != "managed_elsewhere" {
		t.Errorf("%s", got.Body)
	}
	change["managed_by"] = "kubernetes"
	s.Want(http.StatusPreconditionFailed, http.MethodPut, path+"/plan", admin, change, nil, "If-Match", `"7"`)
	s.Want(http.StatusOK, http.MethodPut, path+"/plan", admin, change, &now, "If-Match", `"1"`)
	if now.PlanVersion != 2 {
		t.Errorf("%+v", now)
	}
	s.Want(http.StatusOK, http.MethodPost, path+"/start", admin, nil, &now)
	if now.State != "running" || now.Phases[0].State != "entering" || now.Phases[0].Gates[0].Reason != "waiting_for_people" || len(now.Entitlements) != 2 {
		t.Errorf("%+v", now)
	}
	var steps struct {
		Items []struct {
			No     int
			Action string
		}
	}
	s.Want(http.StatusOK, http.MethodGet, path+"/steps", admin, nil, &steps)
	if len(steps.Items) != 3 || steps.Items[0].Action != "start" {
		t.Errorf("%+v", steps)
	}
}

func TestARolloutIsMadeFromATemplate(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, service.Module())
	admin := s.Token(auth.RoleAdmin, "pizza")
	units(s, admin)
	var templates struct {
		Items []struct {
			Code  string
			Roles []string
		}
	}
	s.Want(http.StatusOK, http.MethodGet, "/v1/rollout-templates", admin, nil, &templates)
	want := body{"name": "By the book", "template": "textbook", "pilot_units": []string{"north"}, "units": []string{"north", "east"}}
	got := s.Want(http.StatusUnprocessableEntity, http.MethodPost, "/v1/rollouts", admin, want, nil)
	if got.Code() != "rollout_invalid" {
		t.Errorf("without a team: %s", got.Body)
	}
	var team []body
	for _, role := range templates.Items[0].Roles {
		team = append(team, body{"subject": "li", "role": role})
	}
	want["team"] = team
	var made shown
	s.Want(http.StatusCreated, http.MethodPost, "/v1/rollouts", admin, want, &made)
	s.Want(http.StatusOK, http.MethodPost, "/v1/rollouts/"+made.RolloutID+"/start", admin, nil, &made)
	if len(made.Phases) != 12 || made.Phases[0].State != "entering" && made.Phases[0].State != "working" {
		t.Errorf("%+v", made)
	}
	if words := made.Phases[0].Name + made.Phases[0].Tasks[0].Title; strings.ContainsRune(words, '目') {
		t.Errorf("nobody asked for Chinese: %s", words)
	}
	want["name"] = "照教科书"
	for _, asked := range [][]string{{"?language=zh-CN"}, {"?language=zh"}, {"", "Accept-Language", "zh-CN,zh;q=0.9"}} {
		s.Want(http.StatusCreated, http.MethodPost, "/v1/rollouts"+asked[0], admin, want, &made, asked[1:]...)
		if made.Phases[0].Name != "目标与战略" || made.Phases[0].Code != "strategy" {
			t.Errorf("%v: %+v", asked, made.Phases[0])
		}
		var chinese struct {
			Items []struct{ Doc string }
		}
		s.Want(http.StatusOK, http.MethodGet, "/v1/rollout-templates"+asked[0], admin, nil, &chinese, asked[1:]...)
		if !strings.Contains(chinese.Items[0].Doc, "教科书") {
			t.Errorf("%v: %+v", asked, chinese)
		}
	}
	s.Want(http.StatusUnprocessableEntity, http.MethodGet, "/v1/rollout-templates?language=tlh", admin, nil, nil)
	want["template"] = "none"
	if got := s.Want(http.StatusUnprocessableEntity, http.MethodPost, "/v1/rollouts", admin, want, nil); got.Code() != "rollout_invalid" {
		t.Errorf("%s", got.Body)
	}
}

// going is a rollout by the plan of planned that was started.
func going(t *testing.T) (s *apptest.Service, admin, path string) {
	t.Helper()
	s = apptest.Start(t, service.Module())
	admin = s.Token(auth.RoleAdmin, "pizza")
	units(s, admin)
	var made shown
	s.Want(http.StatusCreated, http.MethodPost, "/v1/rollouts", admin, body{"name": "North", "plan": planned()}, &made)
	path = "/v1/rollouts/" + made.RolloutID
	s.Want(http.StatusOK, http.MethodPost, path+"/start", admin, nil, nil)
	return s, admin, path
}

func TestWhatIsGovernedAndWhatARolloutCameTo(t *testing.T) {
	t.Parallel()
	s, admin, path := going(t)
	var open struct {
		Items []struct {
			Capability string
			Governed   bool
			Units      []any
			Coming     []struct{ Unit, Phase string }
		}
	}
	s.Want(http.StatusOK, http.MethodGet, "/v1/entitlements", admin, nil, &open)
	for _, c := range open.Items {
		governed := c.Capability == "sales" || c.Capability == "service"
		if c.Governed != governed || len(c.Units) > 0 || governed == (len(c.Coming) == 0) {
			t.Errorf("%+v", c)
		}
	}
	s.Want(http.StatusOK, http.MethodGet, "/v1/entitlements", s.Token(auth.RoleAdmin, "music"), nil, &open)
	for _, c := range open.Items {
		if c.Governed {
			t.Errorf("of another tenant: %+v", c)
		}
	}
	var report struct {
		State        string
		GoalsUnknown int `json:"goals_unknown"`
		Goals        []struct {
			Code     string
			Target   float64
			Measured *float64
		}
		Phases []struct{ Code, State string }
		Risks  []struct{ Code, State string }
	}
	s.Want(http.StatusOK, http.MethodGet, path+"/report", admin, nil, &report)
	if report.State != "running" || report.GoalsUnknown != 1 || report.Goals[0].Measured != nil || len(report.Phases) != 3 || len(report.Risks) != 1 {
		t.Errorf("%+v", report)
	}
}

func TestWhatARolloutRefuses(t *testing.T) {
	t.Parallel()
	s, admin, path := going(t)
	other, agent, manager := s.Token(auth.RoleAdmin, "music"), s.Token(auth.RoleAgent, "pizza"), s.Token(auth.RoleManager, "pizza")
	var made shown
	s.Want(http.StatusCreated, http.MethodPost, "/v1/rollouts", admin, body{"name": "Draft", "plan": planned()}, &made)
	draft := "/v1/rollouts/" + made.RolloutID
	plans := func(change func(*plan.Plan)) body {
		p := planned()
		change(&p)
		return body{"name": "North", "plan": p}
	}
	for name, c := range map[string]struct {
		method, path, token string
		body                any
		status              int
		code, field         string // field: of one of its errors
	}{
		"phases in a cycle":        {http.MethodPost, "/v1/rollouts", admin, plans(func(p *plan.Plan) { p.Phases[0].After = []string{"review"} }), 422, "rollout_invalid", "phases_in_a_cycle"},
		"an unknown metric":        {http.MethodPost, "/v1/rollouts", admin, plans(func(p *plan.Plan) { p.Goals[0].Metric = "luck" }), 422, "rollout_invalid", "metric_unknown"},
		"an unknown unit":          {http.MethodPost, "/v1/rollouts", admin, plans(func(p *plan.Plan) { p.Phases[0].Units = []string{"south"} }), 422, "rollout_invalid", "unit_unknown"},
		"an unknown capability":    {http.MethodPost, "/v1/rollouts", admin, plans(func(p *plan.Plan) { p.Phases[0].Capabilities = []string{"magic"} }), 422, "rollout_invalid", "capability_unknown"},
		"no plan":                  {http.MethodPost, "/v1/rollouts", admin, body{"name": "North"}, 422, "rollout_invalid", "plan_required"},
		"no name":                  {http.MethodPost, "/v1/rollouts", admin, body{"name": " ", "plan": planned()}, 422, "rollout_invalid", "name_length"},
		"an unknown template":      {http.MethodPost, "/v1/rollouts", admin, body{"name": "North", "template": "none", "plan": planned()}, 422, "rollout_invalid", "template_unknown"},
		"a plan and a filling":     {http.MethodPost, "/v1/rollouts", admin, body{"name": "North", "units": []string{"north"}, "plan": planned()}, 422, "rollout_invalid", "plan_or_template"},
		"a manager that is none":   {http.MethodPost, "/v1/rollouts", admin, body{"name": "North", "managed_by": "Git & co", "plan": planned()}, 422, "rollout_invalid", "managed_by_malformed"},
		"who must not plan":        {http.MethodPost, "/v1/rollouts", agent, body{"name": "North", "plan": planned()}, 403, "permission_missing", ""},
		"who must not start":       {http.MethodPost, draft + "/start", manager, nil, 403, "permission_missing", ""},
		"another tenant starts":    {http.MethodPost, draft + "/start", other, nil, 404, "rollout_not_found", ""},
		"another tenant reads":     {http.MethodGet, path, other, nil, 404, "rollout_not_found", ""},
		"another tenant's report":  {http.MethodGet, path + "/report", other, nil, 404, "rollout_not_found", ""},
		"another tenant's steps":   {http.MethodGet, path + "/steps", other, nil, 404, "rollout_not_found", ""},
		"another tenant's plan":    {http.MethodGet, path + "/plan", other, nil, 404, "rollout_not_found", ""},
		"a version that is none":   {http.MethodGet, path + "/plan?version=9", admin, nil, 404, "plan_not_found", ""},
		"another tenant decides":   {http.MethodPost, path + "/decisions", other, body{"action": "pause", "reason": "x"}, 404, "rollout_not_found", ""},
		"another tenant releases":  {http.MethodPost, path + "/release", other, nil, 404, "rollout_not_found", ""},
		"started twice":            {http.MethodPost, path + "/start", admin, nil, 409, "rollout_started", ""},
		"governed already":         {http.MethodPost, draft + "/start", admin, nil, 409, "already_governed", ""},
		"a decision on a draft":    {http.MethodPost, draft + "/decisions", manager, body{"action": "pause", "reason": "x"}, 409, "rollout_not_started", ""},
		"resumed while it runs":    {http.MethodPost, path + "/decisions", manager, body{"action": "resume"}, 409, "rollout_not_paused", ""},
		"paused without a reason":  {http.MethodPost, path + "/decisions", manager, body{"action": "pause"}, 422, "reason_missing", "reason_missing"},
		"a reason in words":        {http.MethodPost, path + "/decisions", manager, body{"action": "pause", "reason": "It rains."}, 422, "decision_invalid", "reason_malformed"},
		"what nobody decides":      {http.MethodPost, path + "/decisions", manager, body{"action": "finish"}, 422, "validation_failed", ""},
		"an agent pauses":          {http.MethodPost, path + "/decisions", agent, body{"action": "pause", "reason": "x"}, 403, "permission_missing", ""},
		"a manager cancels":        {http.MethodPost, path + "/decisions", manager, body{"action": "cancel", "reason": "x"}, 403, "permission_missing", ""},
		"a phase that is none":     {http.MethodPost, path + "/decisions", manager, body{"action": "roll_back", "phase": "no", "reason": "x"}, 404, "phase_not_found", ""},
		"a gate that is none":      {http.MethodPost, path + "/decisions", manager, body{"action": "approve", "phase": "pilot", "gate": "no"}, 404, "gate_not_found", ""},
		"a gate of others":         {http.MethodPost, path + "/decisions", manager, body{"action": "approve", "phase": "pilot", "gate": "means"}, 403, "gate_role_missing", ""},
		"a gate ahead":             {http.MethodPost, path + "/decisions", manager, body{"action": "approve", "phase": "pilot", "gate": "data"}, 409, "gate_not_asked", ""},
		"a task before its phase":  {http.MethodPost, path + "/decisions", admin, body{"action": "complete", "phase": "pilot", "task": "train"}, 409, "phase_not_worked_on", ""},
		"back before it was live":  {http.MethodPost, path + "/decisions", manager, body{"action": "roll_back", "phase": "pilot", "reason": "x"}, 409, "phase_not_live", ""},
		"again without a way back": {http.MethodPost, path + "/decisions", manager, body{"action": "redo", "phase": "pilot"}, 409, "phase_not_rolled_back", ""},
		"a risk that is none":      {http.MethodPost, path + "/decisions", manager, body{"action": "trigger_risk", "risk": "no"}, 404, "risk_not_found", ""},
		"a plan without a version": {http.MethodPut, path + "/plan", admin, body{"plan": planned()}, 428, "if_match_missing", ""},
	} {
		got := s.Do(c.method, c.path, c.token, c.body)
		if got.Status != c.status || got.Code() != c.code || c.field != "" && !strings.Contains(string(got.Body), `"code":"`+c.field+`"`) {
			t.Errorf("%s: %d %s", name, got.Status, got.Body)
		}
	}
	// Of a draft the row itself is asked.
	s.Want(http.StatusOK, http.MethodPost, draft+"/decisions", admin, body{"action": "cancel", "reason": "no_means", "note": "There is no money."}, &made)
	if made.State != "cancelled" {
		t.Errorf("%+v", made)
	}
}

func TestWhatNoOperationOnRolloutsTakes(t *testing.T) {
	t.Parallel()
	s, admin, path := going(t)
	version := http.Header{"If-Match": {`*`}}
	text := func(b body) string {
		raw, err := json.Marshal(b)
		require.NoError(t, err)
		return string(raw)
	}
	small := plan.Plan{Team: planned().Team, Phases: planned().Phases[:1]}
	small.Phases[0].Enter, small.Phases[0].Leave = nil, nil
	for name, target := range map[string]badinput.Target{
		"list":         {Method: http.MethodGet, Path: "/v1/rollouts", List: true},
		"get":          {Method: http.MethodGet, Path: path, Owned: true},
		"plan":         {Method: http.MethodGet, Path: path + "/plan", Owned: true},
		"steps":        {Method: http.MethodGet, Path: path + "/steps", Owned: true, List: true},
		"report":       {Method: http.MethodGet, Path: path + "/report", Owned: true},
		"release":      {Method: http.MethodPost, Path: path + "/release", Owned: true},
		"metrics":      {Method: http.MethodGet, Path: "/v1/rollout-metrics"},
		"templates":    {Method: http.MethodGet, Path: "/v1/rollout-templates"},
		"entitlements": {Method: http.MethodGet, Path: "/v1/entitlements"},
		"change plan":  {Method: http.MethodPut, Path: path + "/plan", Owned: true, Version: true, Header: version, Body: text(body{"plan": planned()})},
		"make":         {Method: http.MethodPost, Path: "/v1/rollouts", Body: text(body{"name": "One", "plan": small}), Replay: true, OtherBody: text(body{"name": "Two", "plan": small})},
	} {
		t.Run(name, func(t *testing.T) {
			target.URL, target.Token = s.URL, admin
			badinput.Check(t, target)
		})
	}
}
