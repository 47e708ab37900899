package erasure_test

import (
	"net/http"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/auth"
)

func TestWhatErasuresRefuse(t *testing.T) {
	t.Parallel()
	w := start(t)
	id := w.registered()
	for name, c := range map[string]struct {
		path   string
		body   any
		status int
	}{
		"a reason in prose":         {"/v1/customers/" + id + "/erasures", body{"reason": "She asked for it."}, 422},
		"nobody":                    {"/v1/customers/" + uuid.NewString() + "/erasures", body{}, 404},
		"an id that is none":        {"/v1/customers/lily/erasures", body{}, 422},
		"a hold on nobody":          {"/v1/customers/" + uuid.NewString() + "/legal-holds", body{}, 404},
		"a hold until yesterday":    {"/v1/customers/" + id + "/legal-holds", body{"until": "2020-01-01T00:00:00Z"}, 422},
		"a hold with a long number": {"/v1/customers/" + id + "/legal-holds", body{"reference": string(make([]byte, 201))}, 400},
		"no such hold":              {"/v1/legal-holds/" + uuid.NewString() + "/lift", nil, 404},
		"no such erasure":           {"/v1/erasures/" + uuid.NewString() + "/recheck", nil, 404},
		"nothing to cancel":         {"/v1/erasures/" + uuid.NewString() + "/cancel", nil, 404},
	} {
		answer := w.Do(http.MethodPost, c.path, w.admin, c.body)
		require.Equal(t, c.status, answer.Status, "%s: %s", name, answer.Body)
	}
	manager := w.Token(auth.RoleManager, "pizza")
	w.Want(http.StatusForbidden, http.MethodPost, "/v1/customers/"+id+"/erasures", manager, body{}, nil)
	w.Want(http.StatusForbidden, http.MethodGet, "/v1/erasures", manager, nil, nil)

	e := w.requested(id)
	require.Equal(t, "erasure_open", w.Want(http.StatusConflict, http.MethodPost, "/v1/customers/"+id+"/erasures", w.admin, body{}, nil).Code())
	other := w.Token(auth.RoleAdmin, "music")
	w.Want(http.StatusNotFound, http.MethodGet, "/v1/erasures/"+e.ErasureID, other, nil, nil)
	w.Want(http.StatusNotFound, http.MethodPost, "/v1/customers/"+id+"/erasures", other, body{}, nil)
	var none struct{ Items []erasureView }
	w.Want(http.StatusOK, http.MethodGet, "/v1/erasures", other, nil, &none)
	require.Empty(t, none.Items)
}

// TestNobodyIsMergedOrTakenApartWhileBeingErased tries both.
func TestNobodyIsMergedOrTakenApartWhileBeingErased(t *testing.T) {
	t.Parallel()
	w := start(t)
	id := w.registered()
	var twin, third customerView
	w.Want(http.StatusCreated, http.MethodPost, "/v1/customers", w.admin, body{"display_name": "Peilan"}, &twin)
	w.Want(http.StatusCreated, http.MethodPost, "/v1/customers", w.admin, body{"display_name": "Lan"}, &third)
	var merged struct {
		MergeID string `json:"merge_id"`
	}
	w.Want(http.StatusCreated, http.MethodPost, "/v1/customers/"+id+"/merges", w.admin, body{"absorbed_id": twin.CustomerID}, &merged)
	e := w.requested(twin.CustomerID)
	for path, in := range map[string]any{
		"/v1/merges/" + merged.MergeID + "/undo":         nil,
		"/v1/customers/" + id + "/merges":                body{"absorbed_id": third.CustomerID},
		"/v1/customers/" + third.CustomerID + "/merges":  body{"absorbed_id": id},
		"/v1/customers/" + twin.CustomerID + "/erasures": body{},
	} {
		require.Equal(t, "erasure_open", w.Want(http.StatusConflict, http.MethodPost, path, w.admin, in, nil).Code(), path)
	}
	w.run(e.ErasureID)
	for _, gone := range []string{id, twin.CustomerID} {
		w.Want(http.StatusGone, http.MethodGet, "/v1/customers/"+gone, w.admin, nil, nil)
	}
	w.EventsOf("CustomerErased", 2)
	w.Want(http.StatusGone, http.MethodPost, "/v1/merges/"+merged.MergeID+"/undo", w.admin, nil, nil)
	w.Want(http.StatusGone, http.MethodPost, "/v1/customers/"+third.CustomerID+"/merges", w.admin, body{"absorbed_id": id}, nil)
	w.Want(http.StatusOK, http.MethodGet, "/v1/customers/"+third.CustomerID, w.admin, nil, nil)
}

// TestARestoredCustomerIsErasedAgain has the customer back as from an old backup, and the event heard once more.
func TestARestoredCustomerIsErasedAgain(t *testing.T) {
	t.Parallel()
	w := start(t)
	id := w.registered()
	require.Equal(t, "erased", w.run(w.requested(id).ErasureID).State)
	w.EventsOf("CustomerErased", 1)
	w.Eventually("the first event was heard", func() bool { return w.Count(`SELECT count(*) FROM inbox_seen WHERE consumer = 'erasures'`) > 0 })
	w.AsSuperuser(t, `DELETE FROM erased_customer`)
	w.AsSuperuser(t, `UPDATE customer SET state = 'active', display_name = '欧阳佩兰' WHERE id = $1`, id)
	w.AsSuperuser(t, `INSERT INTO customer_identity (tenant_id, customer_id, type, value, added_at) VALUES ('pizza', $1, 'phone', '+8613977001122', now())`, id)
	w.Want(http.StatusOK, http.MethodGet, "/v1/customers/"+id, w.admin, nil, nil)

	w.Publish("accounts", w.Accounts("pizza").Erased(uuid.MustParse(id)))
	w.Eventually("the customer is erased again", func() bool {
		return w.Do(http.MethodGet, "/v1/customers/"+id, w.admin, nil).Status == http.StatusGone
	})
	require.Zero(t, w.Count(`SELECT count(*) FROM customer_identity`))
	require.Zero(t, w.Count(`SELECT count(*) FROM customer WHERE display_name <> ''`))
}
