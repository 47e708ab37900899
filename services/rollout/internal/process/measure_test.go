package process_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/peer"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/gate"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/process"
)

type body = map[string]any

var now = time.Date(2031, 3, 31, 12, 0, 0, 0, time.UTC)

// measure asks services that answer a path as given: a body, or a status that they fail with.
func measure(t *testing.T, q process.Question, says map[string]any) (got gate.Measurement, asked []string, err error) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path+"?"+r.URL.RawQuery)
		for _, key := range []string{r.URL.Path + "?" + r.URL.RawQuery, r.URL.Path} {
			switch said := says[key].(type) {
			case int:
				w.WriteHeader(said)
				return
			case body:
				_ = json.NewEncoder(w).Encode(said)
				return
			}
		}
		_ = json.NewEncoder(w).Encode(body{"database": "ok"})
	}))
	t.Cleanup(server.Close)
	key, err := auth.PeerKey([]byte(strings.Repeat("k", 32)))
	require.NoError(t, err)
	peers := peer.New(func(string) (string, error) { return server.URL, nil }, key, time.Now)
	ctx := auth.With(t.Context(), auth.Principal{Subject: "process:rollout", Tenant: "pizza"})
	got, err = process.NewMeasurer(peers, func() time.Time { return now }).Measure(ctx, q)
	return got, asked, err
}

func TestNumbersAreMeasuredWhereTheyAre(t *testing.T) {
	t.Parallel()
	survey := func(value float64, answers int) body {
		return body{"total": body{"answers": answers, "score": body{"value": value}}}
	}
	for name, c := range map[string]struct {
		q      process.Question
		says   map[string]any
		value  float64
		sample int
	}{
		"rows of all imports": {process.Question{Metric: gate.ImportQuality}, map[string]any{
			"/v1/ops/accounts/imports/customers": body{"rows": 100, "accepted": 90}, "/v1/ops/sales/imports/orders": body{"rows": 100, "accepted": 100},
		}, 0.95, 200},
		"nothing was brought in": {process.Question{Metric: gate.ImportQuality}, nil, 0, 0},
		"whoever works with two services counts once": {process.Question{Metric: gate.ActiveUsers, Units: []string{"north"}, Headcount: 4}, map[string]any{
			"/v1/ops/accounts/activity": body{"subjects": []string{"li", "chen"}}, "/v1/ops/tickets/activity": body{"subjects": []string{"li", "wang"}},
		}, 0.75, 4},
		"more than were expected are all": {process.Question{Metric: gate.ActiveUsers, Units: []string{"north"}, Headcount: 1}, map[string]any{
			"/v1/ops/accounts/activity": body{"subjects": []string{"li", "chen"}},
		}, 1, 1},
		"deadlines of all clocks": {process.Question{Metric: gate.SLAAttainment}, map[string]any{
			"/v1/ticket-reports/service-levels": body{"items": []body{{"met": 6, "breached": 1, "overdue": 1}, {"met": 2}}},
		}, 0.8, 10},
		"surveys by their answers": {process.Question{Metric: gate.CSAT}, map[string]any{
			"/v1/surveys":                    body{"items": []body{{"survey_id": "a", "kind": "csat"}, {"survey_id": "b", "kind": "nps"}}, "next_cursor": "x"},
			"/v1/surveys?cursor=x&limit=200": body{"items": []body{{"survey_id": "c", "kind": "csat"}, {"survey_id": "d", "kind": "csat"}}},
			"/v1/surveys/a/results":          survey(1, 30), "/v1/surveys/c/results": survey(0.5, 90), "/v1/surveys/b/results": survey(0, 500),
			"/v1/surveys/d/results": body{"total": body{"answers": 3}},
		}, 0.625, 120},
		"requests of all services": {process.Question{Metric: gate.ErrorRate}, map[string]any{
			"/v1/ops/accounts/requests": body{"requests": 150, "errors": 3},
			"/v1/ops/sales/requests?from=2031-03-30T12%3A00%3A00Z&to=2031-03-31T12%3A00%3A00Z": body{"requests": 50, "errors": 1},
		}, 0.02, 200},
		"the consumer furthest behind": {process.Question{Metric: gate.ConsumerLag}, map[string]any{
			"/v1/ops/sales/status": body{"database": "ok", "consumers": []body{{"lag": 3}, {"lag": 17}}},
		}, 17, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, _, err := measure(t, c.q, c.says)
			require.NoError(t, err)
			require.True(t, got.Known)
			require.InDelta(t, c.value, got.Value, 1e-9)
			require.Equal(t, c.sample, got.Sample)
			require.Equal(t, now, got.At)
		})
	}
}

func TestWhatCannotBeAskedNowIsNotKnown(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		metric string
		says   map[string]any
	}{
		"a service that is away":            {gate.ImportQuality, map[string]any{"/v1/ops/sales/imports/leads": http.StatusServiceUnavailable}},
		"a service that fails":              {gate.SLAAttainment, map[string]any{"/v1/ticket-reports/service-levels": http.StatusInternalServerError}},
		"a Kafka that is away":              {gate.ConsumerLag, map[string]any{"/v1/ops/tickets/status": body{"database": "ok", "consumers": []body{{"lag": -1}}}}},
		"a database that is not migrated":   {gate.ConsumerLag, map[string]any{"/v1/ops/tickets/status": body{"database": "run migrate"}}},
		"a metric of a version to come":     {"luck", nil},
		"a service that counts nothing now": {gate.ErrorRate, map[string]any{"/v1/ops/loyalty/requests": http.StatusServiceUnavailable}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, _, err := measure(t, process.Question{Metric: c.metric}, c.says)
			require.NoError(t, err)
			require.Equal(t, gate.Measurement{At: now}, got)
		})
	}
	_, _, err := measure(t, process.Question{Metric: gate.CSAT}, map[string]any{"/v1/surveys": http.StatusForbidden})
	require.Error(t, err, "services that do not fit each other are no missing number")
}

func TestTheSameIsMeasuredOfTheTimeBefore(t *testing.T) {
	t.Parallel()
	const path = "/v1/ticket-reports/service-levels"
	got, asked, err := measure(t, process.Question{Metric: gate.SLAAttainment, WindowDays: 10, Before: now.AddDate(0, 0, -20)}, map[string]any{
		path + "?from=2031-03-21T12%3A00%3A00Z&to=2031-03-31T12%3A00%3A00Z": body{"items": []body{{"met": 9, "breached": 1}}},
		path + "?from=2031-03-01T12%3A00%3A00Z&to=2031-03-11T12%3A00%3A00Z": body{"items": []body{{"met": 16, "breached": 4}}},
	})
	require.NoError(t, err)
	require.Len(t, asked, 2)
	require.Equal(t, gate.Measurement{Value: 0.9, Sample: 10, Before: 0.8, BeforeN: 20, At: now, Known: true}, got)
	_, asked, err = measure(t, process.Question{Metric: gate.ActiveUsers, Units: []string{"north"}, Headcount: 1, WindowDays: 7}, nil)
	require.NoError(t, err)
	require.Contains(t, asked, "/v1/ops/sales/activity?since=2031-03-25&unit=north", "seven days with today")
}
