package apptest

import (
	"testing"

	"github.com/guanxi-crm/guanxi/platform/app"
	"github.com/guanxi-crm/guanxi/platform/pgtest"
)

// Check holds every service to what no service may forget: each operation declares its permission, and each table keeps
// tenants apart. A table that cannot needs an exception, with its reason.
func Check(t *testing.T, m app.Module, except ...pgtest.Exception) {
	t.Helper()
	CheckOpen(t, m, nil, except...)
}

// CheckOpen is Check for a service with operations that need no sign-in: their ids, each with the reason.
func CheckOpen(t *testing.T, m app.Module, open map[string]string, except ...pgtest.Exception) {
	t.Helper()
	operations, err := app.Operations(m)
	if err != nil {
		t.Fatal(err)
	}
	if len(operations) == 0 {
		t.Error("the service has no operations")
	}
	for _, op := range operations {
		if op.Public && open[op.ID] == "" || !op.Public && op.Permission == "" {
			t.Errorf("%s %s declares no permission", op.Method, op.Path)
		}
	}
	pgtest.CheckTenancy(t, pgtest.New(t, m.Source()), except...)
}
