package unit_test

import (
	"net/http"
	"testing"

	"github.com/guanxi-crm/guanxi/platform/apptest"
	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/services/rollout"
)

type body = map[string]any

type shown struct {
	UnitID    string `json:"unit_id"`
	Code      string `json:"code"`
	Headcount int    `json:"headcount"`
}

func TestAUnitIsMadeChangedByItsVersionAndArchived(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, rollout.Module())
	admin, other := s.Token(auth.RoleAdmin, "pizza"), s.Token(auth.RoleAdmin, "music")
	var made shown
	for _, code := range []string{"north", "north/branch-3", "northern"} {
		s.Want(http.StatusCreated, http.MethodPut, "/v1/units", admin, body{"code": code, "name": code, "headcount": 3}, &made)
	}
	s.Want(http.StatusCreated, http.MethodPut, "/v1/units", other, body{"code": "north", "name": "North", "headcount": 1}, nil)
	change := body{"code": "northern", "name": "Far north", "headcount": 5}
	s.Want(http.StatusPreconditionRequired, http.MethodPut, "/v1/units", admin, change, nil)
	s.Want(http.StatusPreconditionFailed, http.MethodPut, "/v1/units", admin, change, nil, "If-Match", `"7"`)
	s.Want(http.StatusOK, http.MethodPut, "/v1/units", admin, change, &made, "If-Match", `"1"`)
	if made.Headcount != 5 {
		t.Errorf("%+v", made)
	}
	var under struct{ Items []shown }
	s.Want(http.StatusOK, http.MethodGet, "/v1/units?under=north", admin, nil, &under)
	if len(under.Items) != 2 || under.Items[1].Code != "north/branch-3" {
		t.Errorf("under north are %+v", under.Items)
	}
	path := "/v1/units/" + made.UnitID
	s.Want(http.StatusNotFound, http.MethodGet, path, other, nil, nil)
	s.Want(http.StatusNotFound, http.MethodPost, path+"/archive", other, nil, nil)
	s.Want(http.StatusOK, http.MethodPost, path+"/archive", admin, nil, nil)
	got := s.Want(http.StatusConflict, http.MethodPut, "/v1/units", admin, change, nil, "If-Match", "*")
	if got.Code() != "unit_archived" {
		t.Errorf("%s", got.Code())
	}
	s.Want(http.StatusOK, http.MethodPost, path+"/restore", admin, nil, nil)
	s.Want(http.StatusOK, http.MethodPut, "/v1/units", admin, change, nil, "If-Match", "*")
	for name, target := range map[string]badinput.Target{
		"list": {Method: http.MethodGet, Path: "/v1/units", List: true},
		"get":  {Method: http.MethodGet, Path: path, Owned: true},
	} {
		t.Run(name, func(t *testing.T) {
			target.URL, target.Token = s.URL, admin
			badinput.Check(t, target)
		})
	}
}

func TestCodesThatAreNoPathsAreRefused(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, rollout.Module())
	admin := s.Token(auth.RoleAdmin, "pizza")
	for _, code := range []string{"", "/north", "north/", "north//a", "North", "-a", "a b"} {
		got := s.Do(http.MethodPut, "/v1/units", admin, body{"code": code, "name": "x", "headcount": 1})
		if got.Status != http.StatusUnprocessableEntity || got.Code() != "unit_invalid" {
			t.Errorf("%q: %d %s", code, got.Status, got.Body)
		}
	}
	s.Want(http.StatusForbidden, http.MethodPut, "/v1/units", s.Token(auth.RoleAgent, "pizza"), body{"code": "a", "name": "x", "headcount": 1}, nil)
}
