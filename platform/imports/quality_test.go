package imports_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/imports"
)

func TestHowGoodRowsWereIsCountedOverFinishedImports(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.work()
	const day = 24 * time.Hour
	operation := ""
	ask := func(from, to time.Time, how call) (q imports.ImportQuality, status int) {
		query := url.Values{"from": {from.Format(time.RFC3339)}, "to": {to.Format(time.RFC3339)}}
		status = w.do(http.MethodGet, operation+"?"+query.Encode(), nil, how, &q).StatusCode
		return q, status
	}
	w.ended(w.upload("", "ref,name\na,Ann\nb,\nc,Cem\nd,\n").ID)
	w.ended(w.upload("", "ref,name\nb,Bob\n").ID)
	w.ended(w.upload("?dry_run=true", "ref,name\nx,\n").ID)
	operation = "/v1/ops/people/imports/" + w.kind.Name
	now := w.clock()
	got, status := ask(now.Add(-day), now.Add(day), call{role: auth.RoleOperations})
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, imports.ImportQuality{Imports: 2, Rows: 5, Accepted: 3}, got)
	got, _ = ask(now.Add(day), now.Add(2*day), call{role: auth.RoleOperations})
	require.Zero(t, got, "another time")
	got, _ = ask(now.Add(-day), now.Add(day), call{tenant: "pizza", role: auth.RoleOperations})
	require.Zero(t, got, "another tenant")
	_, status = ask(now.Add(-day), now.Add(day), call{})
	require.Equal(t, http.StatusForbidden, status, "who brings files in does not look after the machinery")
	for _, to := range []time.Time{now.Add(-day), now.Add(-2 * day), now.Add(367 * day)} {
		_, status = ask(now.Add(-day), to, call{role: auth.RoleOperations})
		require.Equal(t, http.StatusUnprocessableEntity, status)
	}
}
