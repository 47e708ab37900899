package entitlement_test

import (
	"context"
	"net/http"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/app"
	"github.com/guanxi-crm/guanxi/platform/apptest"
	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/entitlement"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/problem"
	rolloutv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/rollout/events/v1"
)

func TestWhoMayUseACapability(t *testing.T) {
	t.Parallel()
	running := entitlement.Entitlement{Capability: auth.CapabilitySales, Units: []string{"north/branch-3"}}
	other := entitlement.Entitlement{Capability: auth.CapabilitySales, Units: []string{"south"}}
	nobody := entitlement.Entitlement{Capability: auth.CapabilitySales}
	finished := entitlement.Entitlement{Capability: auth.CapabilitySales, Units: []string{"north"}, Everyone: true}
	for name, c := range map[string]struct {
		all  []entitlement.Entitlement
		unit string
		open bool
	}{
		"nothing governs it":                           {nil, "north/branch-3", true},
		"nothing governs it, and no unit is named":     {nil, "", true},
		"another capability is governed":               {[]entitlement.Entitlement{{Capability: auth.CapabilityLoyalty}}, "north", true},
		"the unit is live":                             {[]entitlement.Entitlement{running}, "north/branch-3", true},
		"the unit is below one that is live":           {[]entitlement.Entitlement{running}, "north/branch-3/counter", true},
		"the unit is above one that is live":           {[]entitlement.Entitlement{running}, "north", false},
		"the unit's name begins like one that is live": {[]entitlement.Entitlement{running}, "north/branch-33", false},
		"another unit is live":                         {[]entitlement.Entitlement{running}, "north/branch-7", false},
		"no unit is live":                              {[]entitlement.Entitlement{nobody}, "north/branch-3", false},
		"no unit is named":                             {[]entitlement.Entitlement{running}, "", false},
		"one of two rollouts has it live":              {[]entitlement.Entitlement{running, other}, "south/branch-1", true},
		"the rollout has finished":                     {[]entitlement.Entitlement{finished}, "east", true},
		"one has finished, another goes on":            {[]entitlement.Entitlement{finished, running}, "east", false},
		"who was live stays so while another goes on":  {[]entitlement.Entitlement{finished, running}, "north/branch-9", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.open, entitlement.Open(c.all, auth.CapabilitySales, c.unit))
		})
	}
}

func TestARefusalSaysWhatIsNotLiveForWhom(t *testing.T) {
	t.Parallel()
	all := []entitlement.Entitlement{{Capability: auth.CapabilityOrders, Units: []string{"north"}}}
	for name, c := range map[string]struct {
		who  auth.Principal
		perm auth.Permission
		code string
	}{
		"somebody of a unit that is live":     {auth.Principal{Unit: "north", Roles: []string{auth.RoleSales}}, auth.OrdersWrite, ""},
		"somebody of a unit that is not":      {auth.Principal{Unit: "south", Roles: []string{auth.RoleSales}}, auth.OrdersWrite, "not_live_for_unit"},
		"who reads":                           {auth.Principal{Unit: "south", Roles: []string{auth.RoleManager}}, auth.OrdersRead, "not_live_for_unit"},
		"somebody of no unit":                 {auth.Principal{Roles: []string{auth.RoleAgent}}, auth.OrdersRead, "unit_missing"},
		"what prepares it":                    {auth.Principal{Unit: "south", Roles: []string{auth.RoleManager}}, auth.SalesConfigure, ""},
		"another capability":                  {auth.Principal{Unit: "south", Roles: []string{auth.RoleManager}}, auth.TicketsRead, ""},
		"another system":                      {auth.Principal{Roles: []string{auth.RoleIntegrator}}, auth.OrdersWrite, ""},
		"who runs the platform":               {auth.Principal{Unit: "south", Roles: []string{auth.RoleOperations}}, auth.OrdersRead, ""},
		"a service on behalf of somebody":     {auth.Principal{Unit: "south", Roles: []string{auth.RoleService}}, auth.OrdersRead, ""},
		"who works in a unit and administers": {auth.Principal{Unit: "south", Roles: []string{auth.RoleManager, auth.RoleAdmin}}, auth.OrdersRead, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := entitlement.Check(all, c.who, c.perm)
			if c.code == "" {
				require.NoError(t, err)
				return
			}
			var p *problem.Error
			require.ErrorAs(t, err, &p)
			require.Equal(t, c.code, p.Code)
			require.Equal(t, problem.Forbidden, p.Kind)
		})
	}
}

// shop is a service with work in a unit, and with what prepares it.
func shop() app.Module {
	return app.Module{Name: "shop", Title: "Shop", Migrations: fstest.MapFS{"00001_none.sql": {Data: []byte("-- +goose Up\nSELECT 1;\n")}}, Build: func(app.Deps) (app.Parts, error) {
		serve := func(context.Context, *struct{}) (*struct{}, error) { return &struct{}{}, nil }
		return app.Parts{Routes: []func(*httpx.API){func(api *httpx.API) {
			httpx.Register(api, httpx.Operation{ID: "list-orders", Method: http.MethodGet, Path: "/v1/orders", Tag: "orders", Summary: "Orders", Permission: auth.OrdersRead}, serve)
			httpx.Register(api, httpx.Operation{ID: "configure", Method: http.MethodPut, Path: "/v1/pipelines", Tag: "orders", Summary: "Configure", Permission: auth.SalesConfigure}, serve)
		}}}, nil
	}}
}

// tells is what a rollout of a tenant says.
type tells struct {
	tenant string
	id     uuid.UUID
	seq    int64
}

func (r *tells) that(t *testing.T, s *apptest.Service, all ...*rolloutv1.Entitlement) {
	t.Helper()
	r.seq++
	data, err := protojson.Marshal(&rolloutv1.EntitlementsChanged{RolloutId: r.id.String(), Entitlements: all, At: timestamppb.Now()})
	require.NoError(t, err)
	s.Publish("rollout", bus.Event{
		ID: uuid.Must(uuid.NewV7()), Type: "guanxi.rollout.events.v1.EntitlementsChanged", Source: "/guanxi/rollout", Epoch: 1, Time: time.Now().UTC(),
		Tenant: r.tenant, AggregateType: "rollout", AggregateID: r.id.String(), Sequence: r.seq, Data: data,
	})
}

func TestWhatIsNotLiveIsRefusedUntilItIsAndAgainWhenItIsTakenBack(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, shop())
	of := func(tenant, unit, role string) string {
		return s.TokenFor(map[string]any{"subject": "li", "tenant": tenant, "unit": unit, "roles": []string{role}})
	}
	north, south, elsewhere := of("pizza", "north/branch-3", "sales"), of("pizza", "south", "sales"), of("music", "south", "sales")
	answers := func(token string, status int, code string) func() bool {
		return func() bool {
			a := s.Do(http.MethodGet, "/v1/orders", token, nil)
			return a.Status == status && a.Code() == code
		}
	}
	is := func(what, token string, status int, code string) {
		t.Helper()
		s.Eventually(what, answers(token, status, code))
	}
	s.Want(http.StatusNoContent, http.MethodGet, "/v1/orders", south, nil, nil)

	r := &tells{tenant: "pizza", id: uuid.Must(uuid.NewV7())}
	r.that(t, s, &rolloutv1.Entitlement{Capability: "orders"}, &rolloutv1.Entitlement{Capability: "holograms"})
	is("nobody is live", north, http.StatusForbidden, "not_live_for_unit")
	is("nobody is live", of("pizza", "", "sales"), http.StatusForbidden, "unit_missing")
	s.Want(http.StatusNoContent, http.MethodPut, "/v1/pipelines", of("pizza", "south", "manager"), nil, nil)
	s.Want(http.StatusNoContent, http.MethodGet, "/v1/orders", of("pizza", "", "operations"), nil, nil)
	s.Want(http.StatusNoContent, http.MethodGet, "/v1/orders", elsewhere, nil, nil)

	r.that(t, s, &rolloutv1.Entitlement{Capability: "orders", Units: []string{"north"}})
	is("the north is live", north, http.StatusNoContent, "")
	is("the south is not", south, http.StatusForbidden, "not_live_for_unit")
	r.that(t, s, &rolloutv1.Entitlement{Capability: "orders"})
	is("the north was taken back", north, http.StatusForbidden, "not_live_for_unit")
	r.that(t, s, &rolloutv1.Entitlement{Capability: "orders", Everyone: true})
	is("it has finished", south, http.StatusNoContent, "")

	second := &tells{tenant: "pizza", id: uuid.Must(uuid.NewV7())}
	second.that(t, s, &rolloutv1.Entitlement{Capability: "orders"})
	is("another one governs it", south, http.StatusForbidden, "not_live_for_unit")
	second.that(t, s)
	is("it was cancelled", south, http.StatusNoContent, "")
}

func TestWhoOfAUnitWorkedIsTold(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, shop())
	ask := func(subject, tenant, unit, role string) {
		s.Want(http.StatusNoContent, http.MethodGet, "/v1/orders", s.TokenFor(map[string]any{"subject": subject, "tenant": tenant, "unit": unit, "roles": []string{role}}), nil, nil)
	}
	ask("li", "pizza", "north/branch-3", "sales")
	ask("li", "pizza", "north/branch-3", "sales")
	ask("chen", "pizza", "north/branch-3/counter", "agent")
	ask("wang", "pizza", "north/branch-33", "agent")
	ask("zhao", "pizza", "north/branch-3", "operations") // runs the platform
	ask("sun", "music", "north/branch-3", "agent")
	today := time.Now().UTC()
	worked := func(tenant, unit string, since time.Time) []string {
		var a entitlement.UnitActivity
		s.Want(http.StatusOK, http.MethodGet, "/v1/ops/shop/activity?unit="+unit+"&since="+since.Format(time.DateOnly), s.Token("operations", tenant), nil, &a)
		return a.Subjects
	}
	s.Eventually("all are told", func() bool { return len(worked("pizza", "north", today.AddDate(0, 0, -1))) == 3 })
	require.Equal(t, []string{"chen", "li"}, worked("pizza", "north/branch-3", today.AddDate(0, 0, -6)))
	require.Empty(t, worked("pizza", "north/branch-3", today.AddDate(0, 0, 2)))
	s.Eventually("another tenant's are its own", func() bool { return len(worked("music", "north", today.AddDate(0, 0, -1))) == 1 })
	for query, code := range map[string]string{"unit=north": "validation_failed", "since=2031-01-01": "validation_failed", "unit=north&since=yesterday": "validation_failed"} {
		require.Equal(t, code, s.Want(http.StatusUnprocessableEntity, http.MethodGet, "/v1/ops/shop/activity?"+query, s.Token("operations", "pizza"), nil, nil).Code())
	}
	s.Want(http.StatusForbidden, http.MethodGet, "/v1/ops/shop/activity?unit=north&since=2031-01-01", s.Token("agent", "pizza"), nil, nil)
}
