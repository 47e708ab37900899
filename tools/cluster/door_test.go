package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

const anIngress = `{"spec": {"rules": [{"host": "crm.guanxi.test", "http": {"paths": [
  {"path": "/v1/orders", "pathType": "Prefix", "backend": {"service": {"name": "sales"}}},
  {"path": "/v1/orders/[^/]+/earning", "pathType": "ImplementationSpecific", "backend": {"service": {"name": "loyalty"}}},
  {"path": "/v1/ops/sales", "pathType": "Prefix", "backend": {"service": {"name": "sales"}}},
  {"path": "/v1", "pathType": "Prefix", "backend": {"service": {"name": "accounts"}}}
]}}]}}`

func TestTheDoorSendsEachPathWhereTheIngressSays(t *testing.T) {
	t.Parallel()
	rules, err := readRules([]byte(anIngress))
	require.NoError(t, err)
	services := map[string]*url.URL{}
	for _, name := range []string{"sales", "loyalty", "accounts"} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, name+" "+r.URL.RequestURI())
		}))
		t.Cleanup(server.Close)
		services[name], err = url.Parse(server.URL)
		require.NoError(t, err)
	}
	outside := httptest.NewServer(door(rules, services))
	t.Cleanup(outside.Close)
	for path, want := range map[string]string{
		"/v1/orders":              "sales /v1/orders",
		"/v1/orders?limit=2":      "sales /v1/orders?limit=2",
		"/v1/orders/7":            "sales /v1/orders/7",
		"/v1/orders/7/earning":    "loyalty /v1/orders/7/earning",
		"/v1/orders/7/earnings":   "sales /v1/orders/7/earnings",
		"/v1/orders-of-others":    "accounts /v1/orders-of-others",
		"/v1/ops/sales/status":    "sales /v1/ops/sales/status",
		"/v1/ops/accounts/status": "accounts /v1/ops/accounts/status",
		"/console":                "404 page not found\n",
	} {
		resp, err := http.Get(outside.URL + path) //nolint:noctx // a server of the test
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, want, string(body), path)
	}
}

func TestAnIngressThatCannotBeFollowedIsRefused(t *testing.T) {
	t.Parallel()
	for name, ingress := range map[string]string{
		"another host":   `{"spec": {"rules": [{"host": "x"}]}}`,
		"another type":   `{"spec": {"rules": [{"host": "crm.guanxi.test", "http": {"paths": [{"path": "/", "pathType": "Exact"}]}}]}}`,
		"a bad pattern":  `{"spec": {"rules": [{"host": "crm.guanxi.test", "http": {"paths": [{"path": "/(", "pathType": "ImplementationSpecific"}]}}]}}`,
		"no JSON at all": `kind: Ingress`,
	} {
		_, err := readRules([]byte(ingress))
		require.Error(t, err, name)
	}
}
