//go:build temporal

// Tests against a real Temporal server, which GUANXI_TEST_TEMPORAL names: go test -tags temporal ./accounts/...
// They also record the histories that TestRecordedHistories replays.

package customerexport_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/guanxi-crm/guanxi/platform/apptest"
	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flowtest"
	"github.com/guanxi-crm/guanxi/services/accounts"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/accountstest"
)

func TestLiveAnExportIsWrittenAndAnotherCancelled(t *testing.T) {
	t.Parallel()
	s, client := apptest.StartLive(t, accounts.Module())
	s.Want(http.StatusCreated, http.MethodPost, "/v1/tenants", s.Token(auth.RolePlatformAdmin, ""), accountstest.Pizza("pizza"), nil)
	token := s.Token(auth.RoleIntegrator, "pizza")
	for n := range 5 {
		s.Want(http.StatusCreated, http.MethodPost, "/v1/customers", token, map[string]any{"display_name": fmt.Sprintf("Lily %d", n)}, nil)
	}
	ended := func(e export, state, record string) {
		t.Helper()
		s.Eventually("export "+state, func() bool {
			s.Want(http.StatusOK, http.MethodGet, path+"/"+e.ID, token, nil, &e)
			return e.State == state
		})
		id := "customer-export/pizza/" + e.ID
		if err := client.Temporal().GetWorkflow(t.Context(), id, "").Get(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		flowtest.Record(t.Context(), t, client, id, "testdata/"+record+".history.json")
	}
	var written, cancelled export
	s.Want(http.StatusAccepted, http.MethodPost, path, token, map[string]any{"format": "csv"}, &written)
	ended(written, "finished", "finished")
	file := string(s.Want(http.StatusOK, http.MethodGet, path+"/"+written.ID+"/file", token, nil, nil).Body)
	if strings.Count(file, "Lily") != 5 {
		t.Fatalf("%s", file)
	}
	// Nothing is written of one that is cancelled before its process has begun; the process says so.
	s.Want(http.StatusAccepted, http.MethodPost, path, token, map[string]any{"format": "jsonl"}, &cancelled)
	s.Want(http.StatusAccepted, http.MethodPost, path+"/"+cancelled.ID+"/cancel", token, nil, nil)
	s.Eventually("the export has ended", func() bool {
		s.Want(http.StatusOK, http.MethodGet, path+"/"+cancelled.ID, token, nil, &cancelled)
		return cancelled.State == "cancelled" || cancelled.State == "finished"
	})
}
