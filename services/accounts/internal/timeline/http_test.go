package timeline_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/accountstest"
)

func TestTheTimelineRefusesBadInput(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)
	agent := w.Token(auth.RoleAgent, "pizza")
	var lei struct {
		CustomerID string `json:"customer_id"`
	}
	w.Want(http.StatusCreated, http.MethodPost, "/v1/customers", agent, map[string]any{"display_name": "李雷"}, &lei)
	path := "/v1/customers/" + lei.CustomerID + "/timeline"
	badinput.Check(t, badinput.Target{URL: w.URL, Method: http.MethodGet, Path: path, Token: agent, List: true, Owned: true})

	for name, c := range map[string]struct {
		path, token, code string
		status            int
	}{
		"a customer of whom nobody knows":   {"/v1/customers/" + newID().String() + "/timeline", agent, "customer_not_found", 404},
		"an id that is none":                {"/v1/customers/17/timeline", agent, "validation_failed", 422},
		"a service that is none":            {path + "?service=till", agent, "service_unknown", 422},
		"a service in capitals":             {path + "?service=Sales", agent, "service_unknown", 422},
		"an aggregate that is none":         {path + "?aggregate=till", agent, "aggregate_unknown", 422},
		"a title that is none":              {path + "?title=till_opened", agent, "title_unknown", 422},
		"a good title and one that is none": {path + "?title=order_placed&title=till_opened", agent, "title_unknown", 422},
		"a time that is none":               {path + "?since=yesterday", agent, "validation_failed", 422},
		"a span that ends before it begins": {path + "?since=2026-11-20T00:00:00Z&until=2026-11-19T00:00:00Z", agent, "time_span_empty", 422},
		"a span of no length":               {path + "?since=2026-11-20T00:00:00Z&until=2026-11-20T00:00:00Z", agent, "time_span_empty", 422},
		"a purpose that is none":            {path + "?purpose=curiosity", agent, "purpose_unknown", 422},
		"a cursor of another list":          {path + "?cursor=" + otherCursor(w, agent), agent, "cursor_invalid", 400},
		"a service's name without end":      {path + "?service=" + strings.Repeat("s", 100), agent, "validation_failed", 422},
		"somebody who has no customers":     {path, w.Root, "", 403},
	} {
		if answer := w.Do(http.MethodGet, c.path, c.token, nil); answer.Status != c.status || c.code != "" && answer.Code() != c.code {
			t.Errorf("%s: got %d %s, want %d %s", name, answer.Status, answer.Body, c.status, c.code)
		}
	}
}

// otherCursor is a good cursor of the list of customers.
func otherCursor(w *accountstest.World, agent string) string {
	var page struct {
		NextCursor string `json:"next_cursor"`
	}
	w.Want(http.StatusCreated, http.MethodPost, "/v1/customers", agent, map[string]any{"display_name": "韩梅梅"}, nil)
	w.Want(http.StatusOK, http.MethodGet, "/v1/customers?limit=1", agent, nil, &page)
	return page.NextCursor
}
