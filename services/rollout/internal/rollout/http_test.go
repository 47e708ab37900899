package rollout_test

import (
	"net/http"
	"testing"

	"github.com/guanxi-crm/guanxi/platform/apptest"
	"github.com/guanxi-crm/guanxi/platform/auth"
	service "github.com/guanxi-crm/guanxi/services/rollout"
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
	Phases []struct {
		Code, State string
		WaitsFor    []string `json:"waits_for"`
		Gates       []struct {
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
	want["template"] = "none"
	if got := s.Want(http.StatusUnprocessableEntity, http.MethodPost, "/v1/rollouts", admin, want, nil); got.Code() != "rollout_invalid" {
		t.Errorf("%s", got.Body)
	}
}
