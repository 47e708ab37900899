package grade_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/services/analytics/internal/grade"
)

type matrix struct {
	Enough     bool
	Why        string
	Customers  int64
	Unknown    int64
	Thresholds struct {
		CurrentMinor   int64  `json:"current_minor"`
		CurrentFrom    string `json:"current_from"`
		PotentialMinor int64  `json:"potential_minor"`
		PotentialFrom  string `json:"potential_from"`
	}
	Cells []struct {
		Current, Potential, Code, Effort, Budget string
		Customers                                int64
		CurrentMinor                             int64 `json:"current_minor"`
		PotentialMinor                           int64 `json:"potential_minor"`
	}
}

func (w *world) matrix() (m matrix) {
	w.t.Helper()
	w.Want(http.StatusOK, http.MethodGet, "/v1/analytics/value-potential", w.Sales, nil, &m)
	return m
}

// standing gives those who stand in a cell as the list shows them: current and potential value.
func (w *world) standing(current, potential string) map[uuid.UUID][2]int64 {
	w.t.Helper()
	all := make(map[uuid.UUID][2]int64)
	for cursor := ""; ; {
		var page struct {
			Items []struct {
				CustomerID     uuid.UUID `json:"customer_id"`
				CurrentMinor   int64     `json:"current_minor"`
				PotentialMinor int64     `json:"potential_minor"`
			}
			NextCursor string `json:"next_cursor"`
		}
		w.Want(http.StatusOK, http.MethodGet, fmt.Sprintf("/v1/analytics/value-potential/customers?limit=3&current=%s&potential=%s&cursor=%s", current, potential, cursor), w.Sales, nil, &page)
		for _, item := range page.Items {
			all[item.CustomerID] = [2]int64{item.CurrentMinor, item.PotentialMinor}
		}
		if cursor = page.NextCursor; cursor == "" {
			return all
		}
	}
}

// median is the lower of the two in the middle.
func median(values []int64) int64 {
	slices.Sort(values)
	return values[(len(values)-1)/2]
}

func TestCurrentAndPotentialValueAreSetAgainstEachOther(t *testing.T) {
	t.Parallel()
	w := start(t)
	require.Equal(t, "no_run", w.matrix().Why)
	random := rand.New(rand.NewPCG(9, 2))
	customers := ids(30)
	h := history(random, customers, 150, 0, 300, w.Today())
	w.facts("music", h)
	require.NoError(t, w.pyramid.Daily(t.Context()))
	require.NoError(t, w.pyramid.Background(t.Context()))
	require.Equal(t, "no_potential", w.matrix().Why)
	require.EqualValues(t, len(w.listed("")), w.matrix().Unknown)

	all := accounts(h, grade.House(), w.Today(), nil)
	potential := make(map[uuid.UUID]int64)
	for i, id := range customers {
		switch i % 3 {
		case 0:
			potential[id] = random.Int64N(5000)
			w.Admin(`UPDATE portrait SET predicted_value_minor = $2 WHERE customer_id = $1`, id, potential[id])
		case 1: // stated twice: the latest answer counts, and goes before what is predicted
			w.Admin(`UPDATE portrait SET predicted_value_minor = 77 WHERE customer_id = $1`, id)
			share := 10 + random.Int64N(90)
			w.answer(id, 20, fmt.Sprintf(`{"share_of_wallet": %d}`, share))
			w.answer(id, 40, `{"share_of_wallet": 1}`)
			w.answer(id, 10, `{"share_of_wallet": 0, "other": 5}`) // no share
			rest := all[id].MarginMinor * (100 - share) * 2 / share
			potential[id] = (rest + 1) / 2
			if rest < 0 {
				potential[id] = -((-rest + 1) / 2)
			}
		default: // too long ago
			w.answer(id, 400, `{"share_of_wallet": 50}`)
		}
	}
	check := func(current, potentialAt func(known []uuid.UUID) int64, m matrix) {
		t.Helper()
		var known []uuid.UUID
		for id := range potential {
			if _, ok := all[id]; ok {
				known = append(known, id)
			}
		}
		require.True(t, m.Enough)
		require.EqualValues(t, len(all)-len(known), m.Unknown)
		c, p := current(known), potentialAt(known)
		require.Equal(t, []int64{c, p}, []int64{m.Thresholds.CurrentMinor, m.Thresholds.PotentialMinor})
		for _, cell := range m.Cells {
			want := make(map[uuid.UUID][2]int64)
			var sums [2]int64
			for _, id := range known {
				if (all[id].ContributionMinor >= c) == (cell.Current == "high") && (potential[id] >= p) == (cell.Potential == "high") {
					want[id] = [2]int64{all[id].ContributionMinor, potential[id]}
					sums[0] += all[id].ContributionMinor
					sums[1] += potential[id]
				}
			}
			require.Equal(t, want, w.standing(cell.Current, cell.Potential))
			require.Equal(t, []int64{int64(len(want)), sums[0], sums[1]}, []int64{cell.Customers, cell.CurrentMinor, cell.PotentialMinor})
		}
	}
	of := func(value func(id uuid.UUID) int64) func(known []uuid.UUID) int64 {
		return func(known []uuid.UUID) int64 {
			var values []int64
			for _, id := range known {
				values = append(values, value(id))
			}
			return median(values)
		}
	}
	m := w.matrix()
	require.Equal(t, "median", m.Thresholds.CurrentFrom)
	check(of(func(id uuid.UUID) int64 { return all[id].ContributionMinor }), of(func(id uuid.UUID) int64 { return potential[id] }), m)

	settings := body{"source": "either", "wallet_question": "share_of_wallet", "current_minor": 4000, "potential_minor": 900, "cells": []body{
		{"current": "low", "potential": "low", "code": "leave"}, {"current": "low", "potential": "high", "code": "grow", "effort": "A call each spring", "budget": "growth-1"},
		{"current": "high", "potential": "low", "code": "hold"}, {"current": "high", "potential": "high", "code": "court"},
	}}
	w.Want(http.StatusForbidden, http.MethodPut, "/v1/analytics/value-potential/settings", w.Sales, settings, nil, "If-Match", `"0"`)
	w.Want(http.StatusOK, http.MethodPut, "/v1/analytics/value-potential/settings", w.Marketing, settings, nil, "If-Match", `"0"`)
	w.Want(http.StatusPreconditionFailed, http.MethodPut, "/v1/analytics/value-potential/settings", w.Marketing, settings, nil, "If-Match", `"0"`)
	m = w.matrix()
	require.Equal(t, []string{"set", "set"}, []string{m.Thresholds.CurrentFrom, m.Thresholds.PotentialFrom})
	require.Equal(t, []string{"grow", "A call each spring", "growth-1"}, []string{m.Cells[2].Code, m.Cells[2].Effort, m.Cells[2].Budget})
	check(func([]uuid.UUID) int64 { return 4000 }, func([]uuid.UUID) int64 { return 900 }, m)

	// Only what is predicted counts; of the others that is known as well by now.
	settings["source"] = "predicted"
	w.Want(http.StatusOK, http.MethodPut, "/v1/analytics/value-potential/settings", w.Marketing, settings, nil, "If-Match", `"1"`)
	for i, id := range customers {
		if i%3 == 1 {
			potential[id] = 77
		}
	}
	check(func([]uuid.UUID) int64 { return 4000 }, func([]uuid.UUID) int64 { return 900 }, w.matrix())
	require.Zero(t, func() int64 {
		var other matrix
		w.Want(http.StatusOK, http.MethodGet, "/v1/analytics/value-potential", w.Token("sales", "pizza"), nil, &other)
		return other.Customers
	}())
}

// answer stores an answer to a survey that was given so many days ago.
func (w *world) answer(customer uuid.UUID, daysAgo int, ratings string) {
	w.t.Helper()
	w.Admin(`INSERT INTO live.fact_answer (tenant_id, answer_id, customer_id, survey_id, kind, touchpoint, answered_at, ratings)
		VALUES ('music', gen_random_uuid(), $1, gen_random_uuid(), 'questionnaire', '', $2, $3::jsonb)`, customer, w.Today().AddDate(0, 0, -daysAgo), ratings)
}

func TestSettingsThatBreakRulesAreRefusedAtTheirPlace(t *testing.T) {
	t.Parallel()
	w := start(t)
	cells := func(change func(c []body) []body) body {
		return body{"source": "either", "cells": change([]body{
			{"current": "high", "potential": "high", "code": "a"}, {"current": "high", "potential": "low", "code": "b"},
			{"current": "low", "potential": "high", "code": "c"}, {"current": "low", "potential": "low", "code": "d"},
		})}
	}
	with := func(field string, value any) body {
		b := body{}
		for k, v := range costly {
			b[k] = v
		}
		b[field] = value
		return b
	}
	for _, c := range []struct {
		name, path string
		body       body
		location   string
	}{
		{"three cells", "value-potential/settings", cells(func(c []body) []body { return c[:3] }), "body.cells"},
		{"a cell twice", "value-potential/settings", cells(func(c []body) []body { c[3]["potential"] = "high"; return c }), "body.cells[3]"},
		{"no code", "value-potential/settings", cells(func(c []body) []body { c[1]["code"] = "B!"; return c }), "body.cells[1].code"},
		{"an effort without end", "value-potential/settings", cells(func(c []body) []body { c[1]["effort"] = strings.Repeat("x", 501); return c }), "body.cells[1].effort"},
		{"a level that is none", "value-potential/settings", cells(func(c []body) []body { c[1]["current"] = "middle"; return c }), "body.cells[1].current"},
		{"wallet without a question", "value-potential/settings", func() body {
			b := cells(func(c []body) []body { return c })
			b["source"] = "wallet"
			return b
		}(), "body.wallet_question"},
		{"a share of three decimals", "grades/scheme", with("grades", []body{{"code": "top", "share_percent": 1.005}, {"code": "rest"}}), "body.grades[0].share_percent"},
		{"a margin of two decimals", "grades/scheme", with("margin_percent", 33.33), "body.margin_percent"},
		{"a margin below nothing", "grades/scheme", with("margin_percent", -1), "body.margin_percent"},
		{"a channel's margin above all", "grades/scheme", with("channel_margins", body{"web": 100.1}), "body.channel_margins"},
		{"no window", "grades/scheme", with("window_days", 0), "body.window_days"},
		{"a cost below nothing", "grades/scheme", with("costs", body{"ticket_minor": -1}), "body.costs.ticket_minor"},
		{"no grades", "grades/scheme", with("grades", []body{}), "body.grades"},
	} {
		answer := w.Do(http.MethodPut, "/v1/analytics/"+c.path, w.Marketing, c.body, "If-Match", "*")
		if answer.Status != http.StatusUnprocessableEntity || !strings.Contains(string(answer.Body), `"location":"`+c.location) {
			t.Errorf("%s: got %d %s, want 422 at %s", c.name, answer.Status, answer.Body, c.location)
		}
	}
	if answer := w.Do(http.MethodPost, "/v1/analytics/grades/runs", w.Marketing, body{}); answer.Status != http.StatusUnprocessableEntity || answer.Code() != "not_enough_data" {
		t.Errorf("nothing was bought: %d %s", answer.Status, answer.Body)
	}
}
