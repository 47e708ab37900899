package charts

import (
	"testing"

	"github.com/stretchr/testify/require"
	gateway "sigs.k8s.io/gateway-api/apis/v1"
)

// TestRoutesAreWhatGatewaysRead holds the routes to the Gateway API's own types.
func TestRoutesAreWhatGatewaysRead(t *testing.T) {
	t.Parallel()
	seen := 0
	for _, o := range render(t, "guanxi", release, ci("all-in-one")) {
		if o.GetKind() != "HTTPRoute" {
			continue
		}
		seen++
		route := into[gateway.HTTPRoute](t, o)
		require.NotEmpty(t, route.Spec.ParentRefs)
		for _, rule := range route.Spec.Rules {
			require.Len(t, rule.BackendRefs, 1)
			require.EqualValues(t, "crm-guanxi", rule.BackendRefs[0].Name, "all is one")
		}
	}
	require.Equal(t, 7, seen, "a route for each service")
}
