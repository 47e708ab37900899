//go:build kube

package controller_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

type object = map[string]any

// standIn answers as the platform's API does, as far as the operator uses it: a pilot with a gate, and a phase after it.
type standIn struct {
	*httptest.Server
	mu       sync.Mutex
	away     bool
	rollout  object // of the one external id; nil: none
	plan     any
	external string
	keys     map[string]bool
	asked    []string // what changes something: method and path, and the action of a decision
	policy   object
}

func newStandIn(t *testing.T) *standIn {
	t.Helper()
	s := &standIn{keys: map[string]bool{}}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

// set changes the rollout behind the operator's back.
func (s *standIn) set(change func(rollout object)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s.rollout)
	s.rollout["version"] = s.rollout["version"].(int) + 1
}

func (s *standIn) setAway(is bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = is
}

func (s *standIn) changes() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.asked...)
}

func phases(pilot, gate string) []any {
	return []any{
		object{"code": "pilot", "state": pilot, "round": 1, "tasks": []any{}, "gates": []any{object{"code": "go", "stands": gate, "reason": map[string]string{"held": "waiting_for_people"}[gate]}}},
		object{"code": "all", "state": "waiting", "round": 0, "tasks": []any{}, "gates": []any{}},
	}
}

func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var body object
	_ = json.NewDecoder(r.Body).Decode(&body)
	if r.URL.Path == "/token" {
		claims, _ := json.Marshal(object{"tenant": body["tenant"]})
		answer(w, 200, object{"access_token": "a." + base64.RawURLEncoding.EncodeToString(claims) + ".b", "expires_in": 3600})
		return
	}
	if strings.HasPrefix(r.URL.Path, "/v1/tenants/") {
		if strings.HasSuffix(r.URL.Path, "/nobody") {
			answer(w, 404, object{"code": "tenant_not_found", "detail": "There is no such tenant."})
			return
		}
		answer(w, 200, object{"tenant_id": "acme"})
		return
	}
	if s.away {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	if r.Method != http.MethodGet {
		s.asked = append(s.asked, strings.TrimSpace(fmt.Sprintf("%s %s %v", r.Method, r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:], orEmpty(body["action"]))))
	}
	if strings.HasPrefix(r.URL.Path, "/v1/sla-policies") {
		s.policies(w, r, body)
		return
	}
	s.rollouts(w, r, body)
}

func (s *standIn) rollouts(w http.ResponseWriter, r *http.Request, body object) {
	if r.URL.Path == "/v1/rollouts" {
		switch {
		case r.Method == http.MethodGet && (s.rollout == nil || r.URL.Query().Get("external_id") != s.external):
			answer(w, 200, object{"items": []any{}})
		case r.Method == http.MethodGet:
			answer(w, 200, object{"items": []any{s.rollout}})
		default:
			s.plan, s.external = body["plan"], body["external_id"].(string)
			s.rollout = object{"rollout_id": "r1", "name": body["name"], "state": "draft", "version": 1, "plan_version": 1, "managed_by": body["managed_by"],
				"triggered": []any{}, "phases": phases("waiting", "ahead")}
			answer(w, 201, s.rollout)
		}
		return
	}
	version := func() { s.rollout["version"] = s.rollout["version"].(int) + 1 }
	switch r.Method + " " + r.URL.Path {
	case "GET /v1/rollouts/r1":
	case "GET /v1/rollouts/r1/plan":
		answer(w, 200, object{"plan": s.plan})
		return
	case "PUT /v1/rollouts/r1/plan":
		raw, _ := json.Marshal(body["plan"])
		if strings.Contains(string(raw), "nowhere") {
			answer(w, 422, object{"code": "rollout_invalid", "detail": "The rollout was not accepted.", "errors": []any{object{"location": "body.plan.phases[0].units[0]", "message": "is no unit"}}})
			return
		}
		s.plan, s.rollout["plan_version"] = body["plan"], s.rollout["plan_version"].(int)+1
		version()
	case "PUT /v1/rollouts/r1/name":
		s.rollout["name"] = body["name"]
		version()
	case "POST /v1/rollouts/r1/start":
		s.rollout["state"], s.rollout["phases"] = "running", phases("leaving", "held")
		version()
	case "POST /v1/rollouts/r1/release":
		s.rollout["managed_by"] = ""
		version()
	case "POST /v1/rollouts/r1/decisions":
		if key := r.Header.Get("Idempotency-Key"); !s.keys[key] {
			s.keys[key] = true
			if !s.decide(w, body) {
				return
			}
			version()
		}
	default:
		answer(w, 404, object{"code": "rollout_not_found", "detail": "There is no such rollout."})
		return
	}
	answer(w, 200, s.rollout)
}

func (s *standIn) decide(w http.ResponseWriter, body object) bool {
	switch body["action"] {
	case "pause":
		s.rollout["state"], s.rollout["pause"] = "paused", object{"reason": body["reason"]}
	case "resume":
		s.rollout["state"], s.rollout["pause"] = "running", nil
	case "cancel":
		s.rollout["state"] = "cancelled"
	case "roll_back":
		pilot := s.rollout["phases"].([]any)[0].(object)
		if pilot["state"] != "live" {
			answer(w, 409, object{"code": "phase_not_live", "detail": "Only a phase that is live can be rolled back."})
			return false
		}
		pilot["state"] = "rolled_back"
	}
	return true
}

func (s *standIn) policies(w http.ResponseWriter, r *http.Request, body object) {
	store := func(version int) {
		s.policy = body
		s.policy["policy_id"], s.policy["version"] = "p1", version
	}
	switch {
	case r.Method == http.MethodGet && s.policy == nil:
		answer(w, 200, object{"items": []any{}})
	case r.Method == http.MethodGet:
		answer(w, 200, object{"items": []any{s.policy}})
	case r.Method == http.MethodPut:
		store(s.policy["version"].(int) + 1)
		answer(w, 200, s.policy)
	case strings.HasSuffix(r.URL.Path, "/archive"), strings.HasSuffix(r.URL.Path, "/release"):
		was := s.policy
		s.policy = nil
		answer(w, 200, was)
	case body["name"] == "Taken":
		answer(w, 409, object{"code": "sla_policy_name_taken", "detail": "Another policy has this name."})
	default:
		store(1)
		answer(w, 201, s.policy)
	}
}

func answer(w http.ResponseWriter, status int, body object) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func orEmpty(value any) any {
	if value == nil {
		return ""
	}
	return value
}
