package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/tools/guanxictl/client"
)

func TestRebuildFollowsTheServiceAndShowsBothHashes(t *testing.T) {
	t.Parallel()
	for _, service := range []string{"accounts", "analytics"} {
		t.Run(service, func(t *testing.T) {
			t.Parallel()
			result := client.RebuildResult{Events: 12, Seconds: 0.5, HashLive: "a1", HashRebuilt: "a1", Equal: true}
			mux := http.NewServeMux()
			mux.HandleFunc("POST /v1/ops/"+service+"/rebuilds", func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusAccepted)
				_ = json.NewEncoder(w).Encode(client.Rebuild{ID: "r1", State: "requested"})
			})
			mux.HandleFunc("GET /v1/ops/"+service+"/rebuilds/r1", func(w http.ResponseWriter, _ *http.Request) {
				_ = json.NewEncoder(w).Encode(client.Rebuild{ID: "r1", State: "done", Result: &result})
			})
			server := httptest.NewServer(mux)
			t.Cleanup(server.Close)

			out, err := run(t, service, "rebuild", "--server", server.URL, "--token", "t")
			require.NoError(t, err)
			require.Equal(t, `REBUILD  STATE  EVENTS  SECONDS  EQUAL
r1       done   12      0.5      true
before   a1
rebuilt  a1
`, out)

			result.Equal, result.HashRebuilt = false, "b2"
			_, err = run(t, service, "rebuild", "--server", server.URL, "--token", "t")
			require.EqualError(t, err, "the rebuilt projection differs from the one that was in use")
		})
	}
}
