package controller

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/guanxi-crm/guanxi/platform/operator/api/v1alpha1"
	"github.com/guanxi-crm/guanxi/platform/operator/internal/platform"
)

func TestTheReasonOfEveryRefusal(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want string
	}{
		{&platform.Error{Code: "platform_unreachable"}, ReasonPlatformUnavailable},
		{&platform.Error{Code: "issuer_unreachable"}, ReasonPlatformUnavailable},
		{&platform.Error{Status: 500, Code: "internal"}, ReasonPlatformUnavailable},
		{&platform.Error{Status: 503, Code: "workflow_unavailable"}, ReasonPlatformUnavailable},
		{&platform.Error{Status: 429, Code: "too_many_requests"}, ReasonPlatformUnavailable},
		{errors.New("what nobody foresaw"), ReasonPlatformUnavailable},
		{&platform.Error{Status: 401, Code: "token_refused"}, ReasonNotAllowed},
		{&platform.Error{Status: 403, Code: "permission_missing"}, ReasonNotAllowed},
		{&platform.Error{Status: 403, Code: "token_of_another_tenant"}, ReasonNotAllowed},
		{&platform.Error{Status: 404, Code: "tenant_not_found"}, ReasonUnknownTenant},
		{&platform.Error{Status: 409, Code: "managed_elsewhere"}, ReasonManagedElsewhere},
		{&platform.Error{Status: 409, Code: "already_governed"}, ReasonRefused},
		{&platform.Error{Status: 409, Code: "sla_policy_name_taken"}, ReasonRefused},
		{&platform.Error{Status: 412, Code: "version_changed"}, ReasonRefused},
		{&platform.Error{Status: 422, Code: "rollout_invalid"}, ReasonRefused},
	} {
		require.Equal(t, c.want, why(c.err), "%v", c.err)
	}
}

func TestWhatWasRefusedIsNotAskedAllTheTime(t *testing.T) {
	t.Parallel()
	k := keeper{poll: time.Hour, refused: map[asked]refusal{}}
	o := &v1alpha1.CRMRollout{ObjectMeta: metav1.ObjectMeta{UID: types.UID("1")}}
	asks := map[string]int{}
	ask := func(kind, what string, answer error) error {
		return k.ask(o, kind, what, func() error { asks[kind+what]++; return answer })
	}
	no, away := &platform.Error{Status: 422, Code: "rollout_invalid"}, &platform.Error{Code: "platform_unreachable"}
	for range 3 {
		require.ErrorIs(t, ask("plan", "a", no), no)
		require.ErrorIs(t, ask("name", "b", no), no, "one refusal leaves the other alone")
		require.ErrorIs(t, ask("step", "c", away), away, "what could not be asked is asked again")
		require.NoError(t, ask("make", "d", nil))
	}
	require.Equal(t, map[string]int{"plana": 1, "nameb": 1, "stepc": 3, "maked": 3}, asks)
	require.NoError(t, ask("plan", "e", nil), "something else is asked at once")
	require.ErrorIs(t, ask("plan", "a", no), no)
	require.Equal(t, 2, asks["plana"])
}
