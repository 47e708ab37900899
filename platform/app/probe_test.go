package app_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/app"
)

func TestProbeFailsUnlessAllAnswer(t *testing.T) {
	t.Parallel()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" {
			http.Error(w, "the schema is older", http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(web.Close)
	var out strings.Builder
	require.NoError(t, app.Run(t.Context(), []string{"probe", web.URL + "/readyz"}, nil, &out))
	require.Equal(t, "ok "+web.URL+"/readyz\n", out.String())
	require.ErrorContains(t, app.Run(t.Context(), []string{"probe", web.URL + "/readyz", web.URL + "/old"}, nil, &out), "answered 503: the schema is older")
	require.ErrorContains(t, app.Run(t.Context(), []string{"probe"}, nil, &out), "needs the URLs")
}
