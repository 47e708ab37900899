package demo

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWhatAnalyticsIsGivenFitsTogether(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, c := range table(t, pizzaCustomers) {
		known[c["number"]] = true
	}
	for _, g := range guests() {
		require.True(t, known[g.number], g.number)
		require.True(t, 1 <= g.score && g.score <= 5 && 1 <= g.with && g.with <= 5 && 1 <= g.without && g.without <= 5, g.number)
	}
	sold := map[string]bool{}
	for _, o := range table(t, pizzaOrders) {
		sold[o["item"]] = true
	}
	require.True(t, sold["durian"], "a tag is about it")
	groups := map[string]bool{"": true}
	for _, all := range [][]definition{musicDefinitions, pizzaDefinitions} {
		seen := map[string]bool{}
		for _, d := range all {
			code := d.body["code"].(string)
			require.Regexp(t, regexp.MustCompile(`^[a-z][a-z0-9_]*$`), code)
			require.False(t, seen[d.path+code], code)
			seen[d.path+code] = true
			if d.path == "/v1/tags" {
				parent, _ := d.body["parent"].(string)
				require.True(t, groups[parent], "the group %s comes before its tag %s", parent, code)
				groups[code] = d.body["kind"] == "group"
			}
		}
	}
}

// TestWhatIsThereStays asks an installation that has all of it.
func TestWhatIsThereStays(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var writes []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.Path
		w.Header().Set("Content-Type", "application/json")
		say := func(status int, body string) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
		if r.Method == http.MethodGet || path == "/token" {
			say(http.StatusOK, there(path))
			return
		}
		mu.Lock()
		defer mu.Unlock()
		writes = append(writes, r.Method+" "+path)
		say(http.StatusConflict, `{"status": 409, "code": "is_there", "detail": "It is there."}`)
	}))
	defer server.Close()
	i := Installation{Server: server.URL, Issuer: server.URL, Report: func(string) {}}
	require.NoError(t, i.LoadAnalytics(t.Context()))
	want := []string{"POST /v1/surveys"}
	for _, all := range [][]definition{pizzaDefinitions, musicDefinitions, musicRuns} {
		for _, d := range all {
			want = append(want, "POST "+d.path)
		}
	}
	require.Equal(t, want, writes, "nothing but what is refused when it is there: no fit, no settings, no report, no invitation")
}

// there is what such an installation answers.
func there(path string) string {
	switch {
	case path == "/token":
		return `{"access_token": "t"}`
	case strings.HasSuffix(path, "/lookup"):
		return `{"items": [{"customer_id": "c"}]}`
	case path == "/v1/surveys":
		return `{"items": [{"survey_id": "s", "code": "after_meal"}]}`
	case strings.HasSuffix(path, "/settings"):
		return `{"version": 1, "currency": "USD"}`
	case strings.HasSuffix(path, "/summary"):
		return `{"orders": 1, "revenue": [{"orders": 1}]}`
	default: // models in use, runs of reports, answered invitations
		return `{"items": [{}]}`
	}
}
