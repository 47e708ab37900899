package rfm_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/services/analytics/internal/analyticstest"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/rfm"
)

type rated struct {
	CustomerID uuid.UUID `json:"customer_id"`
	R, F, M    int
	Cell       string
}

func decode(t *testing.T, data []byte, into any) {
	t.Helper()
	require.NoError(t, json.Unmarshal(data, into))
}

// pages reads a list to its end.
func (w *world) pages(path string, each func(rated)) (run string) {
	w.t.Helper()
	for cursor := ""; ; {
		var page struct {
			Population struct {
				RunID string `json:"run_id"`
			}
			Items      []rated
			NextCursor string `json:"next_cursor"`
		}
		w.Want(http.StatusOK, http.MethodGet, path+"&cursor="+cursor, w.Sales, nil, &page)
		for _, item := range page.Items {
			each(item)
		}
		if cursor = page.NextCursor; cursor == "" {
			return page.Population.RunID
		}
	}
}

func TestARunOfAPastDayIsReadPageByPage(t *testing.T) {
	t.Parallel()
	w := start(t)
	customers := ids(25)
	asOf := w.Today().AddDate(0, 0, -40)
	purchases := history(rand.New(rand.NewPCG(3, 3)), customers, 150, 300, w.Today())
	w.Bought("music", purchases...)
	window := "?currency=USD&window_days=90&as_of=" + asOf.Format(time.DateOnly)
	path := "/v1/analytics/rfm" + window + "&limit=6"
	w.Want(http.StatusNotFound, http.MethodGet, path+"&source=run", w.Sales, nil, nil)
	var asked running
	w.Want(http.StatusAccepted, http.MethodPost, "/v1/analytics/rfm/runs", w.Marketing, body{"as_of": asOf.Format(time.DateOnly), "window_days": 90}, &asked)
	if answer := w.Do(http.MethodPost, "/v1/analytics/rfm/runs", w.Marketing, body{}); answer.Status != http.StatusConflict || answer.Code() != "run_open" {
		t.Errorf("two runs at once: %d %s", answer.Status, answer.Body)
	}
	require.NoError(t, w.ratings.Daily(t.Context()))
	require.NoError(t, w.ratings.Background(t.Context()))
	w.Want(http.StatusOK, http.MethodGet, "/v1/analytics/rfm/runs/"+asked.RunID, w.Sales, nil, &asked)
	require.Equal(t, []any{"done", false, true, 90}, []any{asked.State, asked.Portraits, asked.Kept, asked.WindowDays})
	w.Want(http.StatusNotFound, http.MethodGet, "/v1/analytics/rfm/runs/"+asked.RunID, w.Token("sales", "pizza"), nil, nil)

	want := relatives(tallies(purchases, "USD", asOf, 90, nil))
	for _, source := range []string{"auto", "facts", "run"} {
		got := make(map[uuid.UUID]scored)
		run := w.pages(path+"&source="+source, func(r rated) { got[r.CustomerID] = scored{r.R, r.F, r.M, r.Cell} })
		require.Equal(t, want, got, source)
		require.Equal(t, source == "facts", run == "", "%s comes from %q", source, run)
	}
	// What is heard of later is in facts and not in the run.
	late := history(rand.New(rand.NewPCG(4, 3)), ids(1), 1, 1, asOf)
	late[0].Currency, late[0].BackUnits = "USD", 0
	w.Bought("music", late...)
	for source, found := range map[string]int{"auto": http.StatusNotFound, "run": http.StatusNotFound, "facts": http.StatusOK} {
		w.Want(found, http.MethodGet, fmt.Sprintf("/v1/analytics/rfm/customers/%s%s&source=%s", late[0].Customer, window, source), w.Sales, nil, nil)
	}
	var cells struct {
		Cells []struct{ R, F, Customers int }
	}
	w.Want(http.StatusOK, http.MethodGet, "/v1/analytics/rfm/cells"+window+"&source=run", w.Sales, nil, &cells)
	count := map[[2]int]int{}
	for _, s := range want {
		count[[2]int{s.R, s.F}]++
	}
	require.Len(t, cells.Cells, 25)
	for _, c := range cells.Cells {
		require.Equal(t, count[[2]int{c.R, c.F}], c.Customers)
	}
}

func TestOnlyTheRatingsOfTheLastRunsAreKept(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.Bought("music", history(rand.New(rand.NewPCG(3, 4)), ids(10), 40, 50, w.Today())...)
	for range 7 {
		require.NoError(t, w.ratings.Daily(t.Context()))
		require.NoError(t, w.ratings.Background(t.Context()))
		w.At(w.Now().Add(24 * time.Hour))
	}
	require.EqualValues(t, 5, w.Count(`SELECT count(DISTINCT run_id) FROM rfm_rating`))
	require.EqualValues(t, 5, w.Count(`SELECT count(*) FROM rfm_run WHERE kept`))
	require.EqualValues(t, 7, w.Count(`SELECT count(*) FROM rfm_run`))
}

func TestATenantNamesItsCellsAndOldNamesStayReadable(t *testing.T) {
	t.Parallel()
	w := start(t)
	purchases := history(rand.New(rand.NewPCG(3, 5)), ids(10), 60, 50, w.Today())
	w.Bought("music", purchases...)
	require.NoError(t, w.ratings.Daily(t.Context()))
	require.NoError(t, w.ratings.Background(t.Context()))
	cells := make([]body, 0, 25)
	for r := 1; r <= 5; r++ {
		for f := 1; f <= 5; f++ {
			cells = append(cells, body{"r": r, "f": f, "cell": fmt.Sprintf("r%df%d", r, f)})
		}
	}
	var m struct {
		Name    string
		Version int
		Cells   []struct {
			R, F int
			Cell string
		}
	}
	got := w.Want(http.StatusOK, http.MethodGet, "/v1/analytics/rfm/cell-map", w.Sales, nil, &m)
	require.Equal(t, `"1"`, got.Header.Get("ETag"))
	require.Equal(t, "champions", m.Cells[0].Cell)
	w.Want(http.StatusForbidden, http.MethodPut, "/v1/analytics/rfm/cell-map", w.Sales, body{"cells": cells}, nil, "If-Match", `"1"`)
	w.Want(http.StatusOK, http.MethodPut, "/v1/analytics/rfm/cell-map", w.Marketing, body{"cells": cells}, &m, "If-Match", `"1"`)
	require.Equal(t, "rf-2", m.Name)
	w.Want(http.StatusPreconditionFailed, http.MethodPut, "/v1/analytics/rfm/cell-map", w.Marketing, body{"cells": cells}, nil, "If-Match", `"1"`)

	before := w.portraits("music")
	w.Want(http.StatusAccepted, http.MethodPost, "/v1/analytics/rfm/runs", w.Marketing, nil, nil)
	require.NoError(t, w.ratings.Daily(t.Context()))
	require.NoError(t, w.ratings.Background(t.Context()))
	after := w.portraits("music")
	for id, s := range before {
		s.Cell = fmt.Sprintf("r%df%d", s.R, s.F)
		require.Equal(t, s, after[id])
	}
	var page struct {
		Items []struct {
			Name string
		}
		NextCursor string `json:"next_cursor"`
	}
	w.Want(http.StatusOK, http.MethodGet, "/v1/analytics/rfm/cell-maps?limit=1", w.Sales, nil, &page)
	require.Equal(t, "rf-2", page.Items[0].Name)
	w.Want(http.StatusOK, http.MethodGet, "/v1/analytics/rfm/cell-maps?cursor="+page.NextCursor, w.Sales, nil, &page)
	require.Len(t, page.Items, 1)
	require.Equal(t, "rf-1", page.Items[0].Name)
	w.Want(http.StatusOK, http.MethodGet, "/v1/analytics/rfm/cell-maps/1", w.Sales, nil, &m)
	require.Equal(t, "champions", m.Cells[0].Cell)
	w.Want(http.StatusNotFound, http.MethodGet, "/v1/analytics/rfm/cell-maps/2", w.Token("sales", "pizza"), nil, nil)

	var runs struct{ Items []running }
	w.Want(http.StatusOK, http.MethodGet, "/v1/analytics/rfm/runs", w.Sales, nil, &runs)
	require.Equal(t, []string{"rf-2", "rf-1"}, []string{runs.Items[0].CellMap, runs.Items[1].CellMap})
}

func TestDefinitionsThatBreakRulesAreRefusedAtTheirPlace(t *testing.T) {
	t.Parallel()
	w := start(t)
	house := rfm.HouseCells()
	with := func(change func(cells []body) []body) body {
		var cells []body
		for i, name := range house.Names {
			cells = append(cells, body{"r": i/5 + 1, "f": i%5 + 1, "cell": name})
		}
		return body{"cells": change(cells)}
	}
	for _, c := range []struct {
		name, path string
		body       body
		location   string
	}{
		{"24 pairs", "cell-map", with(func(c []body) []body { return c[:24] }), "body.cells"},
		{"a pair twice", "cell-map", with(func(c []body) []body { c[3]["f"] = 1; return c }), "body.cells[3]"},
		{"a pair that is none", "cell-map", with(func(c []body) []body { c[3]["r"] = 6; return c }), "body.cells[3].r"},
		{"a pair that is none either", "cell-map", with(func(c []body) []body { c[3]["f"] = 0; return c }), "body.cells[3].f"},
		{"a name that is no code", "cell-map", with(func(c []body) []body { c[24]["cell"] = "The Best"; return c }), "body.cells[24].cell"},
		{"no name", "cell-map", with(func(c []body) []body { c[24]["cell"] = ""; return c }), "body.cells[24].cell"},
		{"26 pairs", "cell-map", with(func(c []body) []body { return append(c, c[0]) }), "body.cells"},
		{"three bounds", "schemes/USD", body{"frequency": []int{2, 3, 4}}, "body.frequency"},
		{"no bounds", "schemes/USD", body{"frequency": []int{}}, "body.frequency"},
		{"bounds that fall", "schemes/USD", body{"net_minor": []int{2, 3, 3, 4}}, "body.net_minor[2]"},
		{"recency that rises", "schemes/USD", body{"recency_days": []int{7, 30, 90, 180}}, "body.recency_days[1]"},
		{"recency before today", "schemes/USD", body{"recency_days": []int{7, 3, 1, -1}}, "body.recency_days[3]"},
		{"no purchase", "schemes/USD", body{"frequency": []int{0, 1, 2, 3}}, "body.frequency[0]"},
		{"a window of no end", "schemes/USD", body{"window_days": 36501}, "body.window_days"},
		{"a currency that is none", "schemes/usd", body{}, "path.currency"},
	} {
		answer := w.Do(http.MethodPut, "/v1/analytics/rfm/"+c.path, w.Marketing, c.body, "If-Match", "*")
		if answer.Status != http.StatusUnprocessableEntity || !strings.Contains(string(answer.Body), `"location":"`+c.location+`"`) {
			t.Errorf("%s: got %d %s, want 422 at %s", c.name, answer.Status, answer.Body, c.location)
		}
	}
	for _, c := range []struct {
		name string
		body any
		code string
	}{
		{"nothing was bought", body{}, "not_enough_data"},
		{"tomorrow", body{"as_of": w.Today().AddDate(0, 0, 1).Format(time.DateOnly), "currency": "USD"}, "run_invalid"},
		{"no day", body{"as_of": "1998-02-30", "currency": "USD"}, ""},
	} {
		answer := w.Do(http.MethodPost, "/v1/analytics/rfm/runs", w.Marketing, c.body)
		if answer.Status != http.StatusUnprocessableEntity || c.code != "" && answer.Code() != c.code {
			t.Errorf("%s: got %d %s", c.name, answer.Status, answer.Body)
		}
	}
	// Nobody to be rated is no failure.
	w.Want(http.StatusAccepted, http.MethodPost, "/v1/analytics/rfm/runs", w.Marketing, body{"currency": "USD"}, nil)
	require.NoError(t, w.ratings.Daily(t.Context()))
	require.NoError(t, w.ratings.Background(t.Context()))
	var page struct{ Items []running }
	w.Want(http.StatusOK, http.MethodGet, "/v1/analytics/rfm/runs", w.Sales, nil, &page)
	require.Equal(t, "done", page.Items[0].State)
	require.Empty(t, page.Items[0].Cuts.NetMinor)
	w.follow("music", analyticstest.ID())
}
