// Package salestest begins the tests of the rooms of sales: the service as it runs, fed with what accounts would tell.
// Only tests import it.
package salestest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/proto"

	"github.com/guanxi-crm/guanxi/platform/app"
	"github.com/guanxi-crm/guanxi/platform/apptest"
	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/pgtest"
	accountsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/accounts/events/v1"
	referencev1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/reference/v1"
	"github.com/guanxi-crm/guanxi/services/sales"
)

// World is a running service.
type World struct {
	*apptest.Service
	Sales string // the token of somebody who sells for the tenant pizza
	t     *testing.T
	told  map[uuid.UUID]bool // who was registered
	from  map[string]*apptest.Accounts
}

// Start runs the service until the test ends.
func Start(t *testing.T) *World {
	t.Helper()
	return world(t, apptest.Start(t, sales.Module()))
}

// StartFacing is Start with an API of accounts that the test makes up.
func StartFacing(t *testing.T, accounts http.Handler) *World {
	t.Helper()
	api := httptest.NewServer(accounts)
	t.Cleanup(api.Close)
	s := apptest.StartOn(t, sales.Module(), pgtest.Database(t, sales.Module().Source()), func(cfg *app.Config) { cfg.Peers.URL = api.URL })
	s.StopAtEnd()
	return world(t, s)
}

// StartLiveFacing is StartFacing with workers on a real Temporal server; with all its roles, unless some are named.
func StartLiveFacing(t *testing.T, accounts http.Handler, roles ...string) (*World, *flow.Client) {
	t.Helper()
	api := httptest.NewServer(accounts)
	t.Cleanup(api.Close)
	s, client := apptest.StartLiveWith(t, sales.Module(), func(cfg *app.Config) { cfg.Peers.URL = api.URL }, roles...)
	return world(t, s), client
}

func world(t *testing.T, s *apptest.Service) *World {
	t.Helper()
	return &World{Service: s, Sales: s.Token(auth.RoleSales, "pizza"), t: t, told: map[uuid.UUID]bool{}, from: map[string]*apptest.Accounts{}}
}

// Accounts is accounts of the tenant: what Tell tells is of the same streams.
func (w *World) Accounts(tenant string) *apptest.Accounts {
	if w.from[tenant] == nil {
		w.from[tenant] = w.Service.Accounts(tenant)
	}
	return w.from[tenant]
}

// Tell publishes what accounts tells of a customer of the tenant who is known by ids of the system: that the customer was
// registered, or, from the second time on, changed.
func (w *World) Tell(tenant string, customer uuid.UUID, system string, ids ...string) {
	w.t.Helper()
	refs := make([]*referencev1.ExternalRef, len(ids))
	for n, id := range ids {
		refs[n] = &referencev1.ExternalRef{System: system, Id: id}
	}
	var message proto.Message = &accountsv1.CustomerRegistered{CustomerId: customer.String(), ExternalRefs: refs}
	if w.told[customer] {
		message = &accountsv1.CustomerChanged{CustomerId: customer.String(), ExternalRefs: refs, ChangedFields: []string{"identities"}}
	}
	w.told[customer] = true
	w.Publish("accounts", w.Accounts(tenant).Event(customer, message))
}

// Admin carries out a statement as the superuser, who is bound by nothing.
func (w *World) Admin(sql string, args ...any) {
	w.t.Helper()
	conn, err := pgx.Connect(w.t.Context(), w.Database.AdminURL())
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(w.t.Context())) }()
	if _, err := conn.Exec(w.t.Context(), sql, args...); err != nil {
		w.t.Fatalf("%s: %v", sql, err)
	}
}
