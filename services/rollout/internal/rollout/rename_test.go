package rollout_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/apptest"
	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	service "github.com/guanxi-crm/guanxi/services/rollout"
)

// called is what a rollout is called, and how often it has changed.
type called struct {
	RolloutID string `json:"rollout_id"`
	Name      string
	State     string
	Version   int64
}

func TestARolloutIsRenamedByWhoeverKeepsIt(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, service.Module())
	admin := s.Token(auth.RoleAdmin, "pizza")
	units(s, admin)
	var is called
	s.Want(http.StatusCreated, http.MethodPost, "/v1/rollouts", admin, body{"name": "North", "plan": planned(), "managed_by": "kubernetes"}, &is)
	path := "/v1/rollouts/" + is.RolloutID
	for _, c := range []struct {
		what, token string
		body        body
		status      int
		code        string
	}{
		{"people, while another keeps it", admin, body{"name": "South"}, http.StatusConflict, "managed_elsewhere"},
		{"no name", admin, body{"name": " ", "managed_by": "kubernetes"}, http.StatusUnprocessableEntity, "rollout_invalid"},
		{"who must not plan", s.Token(auth.RoleManager, "pizza"), body{"name": "South", "managed_by": "kubernetes"}, http.StatusForbidden, "permission_missing"},
		{"another tenant", s.Token(auth.RoleAdmin, "music"), body{"name": "South", "managed_by": "kubernetes"}, http.StatusNotFound, "rollout_not_found"},
	} {
		if got := s.Want(c.status, http.MethodPut, path+"/name", c.token, c.body, nil); got.Code() != c.code {
			t.Errorf("%s: %s", c.what, got.Body)
		}
	}
	s.Want(http.StatusOK, http.MethodPut, path+"/name", admin, body{"name": " South ", "managed_by": "kubernetes"}, &is)
	require.Equal(t, called{is.RolloutID, "South", "draft", 2}, is)
	s.Want(http.StatusOK, http.MethodPut, path+"/name", admin, body{"name": "South", "managed_by": "kubernetes"}, &is)
	require.EqualValues(t, 2, is.Version, "the same name changes nothing")
	s.Want(http.StatusOK, http.MethodPost, path+"/decisions", admin, body{"action": "cancel", "reason": "no_means"}, nil)
	s.Want(http.StatusOK, http.MethodPut, path+"/name", admin, body{"name": "South, given up", "managed_by": "kubernetes"}, nil)
	s.Want(http.StatusOK, http.MethodGet, path, admin, nil, &is)
	require.Equal(t, "South, given up", is.Name)
	require.Equal(t, "cancelled", is.State)
	var steps struct{ Items []struct{ Action, By string } }
	s.Want(http.StatusOK, http.MethodGet, path+"/steps", admin, nil, &steps)
	require.Equal(t, "rename", steps.Items[0].Action)
	require.NotEmpty(t, steps.Items[0].By)
}

func TestWhatRenamingDoesNotTake(t *testing.T) {
	t.Parallel()
	s, admin, path := going(t)
	badinput.Check(t, badinput.Target{Method: http.MethodPut, Path: path + "/name", Owned: true, URL: s.URL, Token: admin, Body: `{"name": "South"}`})
}
