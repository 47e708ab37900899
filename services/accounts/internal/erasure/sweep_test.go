package erasure_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow/starts"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/accountstest"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/erasure"
)

// TestAnErasureWhoseProcessIsGoneIsFound sweeps where no process runs, as after one was ended by hand or lost.
func TestAnErasureWhoseProcessIsGoneIsFound(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)
	ops := w.Database.DB(pg.Ops)
	request := func(tenant string) (id, workflow string) {
		admin := w.Token(auth.RoleAdmin, tenant)
		var c customerView
		w.Want(http.StatusCreated, http.MethodPost, "/v1/customers", admin, body{"display_name": "Lily"}, &c)
		var e erasureView
		w.Want(http.StatusAccepted, http.MethodPost, "/v1/customers/"+c.CustomerID+"/erasures", admin, body{}, &e)
		return e.ErasureID, "erasure/" + tenant + "/" + e.ErasureID
	}
	states := map[string]string{}
	for _, state := range []string{"requested", "held", "erasing", "erased", "cancelled"} {
		id, workflow := request("pizza")
		w.AsSuperuser(t, `UPDATE erasure SET state = $2 WHERE id = $1`, id, state)
		states[state] = workflow
	}
	_, music := request("music")
	w.AsSuperuser(t, `DELETE FROM process_start`) // they were started, and are gone

	now := time.Now()
	erasures := erasure.New(w.DB, outbox.New("accounts"), nil, starts.New(w.DB, nil), "accounts", nil, nil, func() time.Time { return now })
	swept := func() (ids []string) {
		require.NoError(t, erasures.Sweep(t.Context()))
		require.NoError(t, ops.System(t.Context(), func(tx *pg.Tx) error {
			return tx.QueryRow(t.Context(), `SELECT coalesce(array_agg(workflow_id), '{}') FROM process_start`).Scan(&ids)
		}))
		return ids
	}
	now = now.Add(9 * time.Minute)
	require.Empty(t, swept(), "their processes may be about to say something")
	now = now.Add(2 * time.Minute)
	open := []string{states["requested"], states["held"], states["erasing"], music}
	require.ElementsMatch(t, open, swept())
	require.ElementsMatch(t, open, swept(), "again changes nothing")
}
