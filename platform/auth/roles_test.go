package auth_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/auth"
)

// rights is the table from roles to permissions as it was agreed. Whoever changes roles.go changes it here as well, and
// so sees every right that comes or goes.
const rights = `
                    agent sales marketing manager operations integrator admin platform-admin
customers.read      x     x     x         x       x          x          x     -
customers.write     x     x     -         x       -          x          x     -
customers.import    -     -     -         -       x          x          x     -
customers.export    -     -     -         x       x          x          x     -
customers.merge     -     -     -         x       x          x          x     -
customers.erase     -     -     -         -       -          -          x     -
customers.configure -     -     -         -       -          -          x     -
consents.write      x     x     -         x       -          x          x     -
insights.write      -     -     -         -       -          x          x     -
contacts.reveal     -     -     -         -       -          x          -     -
access.audit        -     -     -         -       x          -          x     -
tenants.read        -     -     -         x       x          -          x     x
tenants.manage      -     -     -         -       -          -          -     x
orders.read         x     x     x         x       x          x          x     -
orders.write        -     x     -         x       -          x          x     -
orders.import       -     -     -         -       x          x          x     -
sales.read          x     x     x         x       x          x          x     -
sales.write         -     x     x         x       -          x          x     -
sales.import        -     -     x         x       x          x          x     -
sales.configure     -     -     -         x       -          -          x     -
sales.report        -     -     x         x       x          -          x     -
quotes.approve      -     -     -         x       -          -          x     -
catalogue.read      x     x     x         x       x          x          x     -
catalogue.write     -     -     -         x       -          x          x     -
analytics.read      -     x     x         x       x          x          x     -
analytics.manage    -     -     x         x       -          x          x     -
loyalty.read        x     x     x         x       x          x          x     -
loyalty.write       -     -     -         x       -          x          x     -
loyalty.audit       -     -     -         -       x          -          x     -
loyalty.configure   -     -     x         x       -          -          x     -
loyalty.adjust      -     -     -         x       -          -          x     -
retention.read      x     x     x         x       x          x          x     -
retention.manage    -     -     x         x       -          x          x     -
tickets.read        x     x     -         x       x          x          x     -
tickets.write       x     -     -         x       -          x          x     -
tickets.import      -     -     -         -       x          x          x     -
tickets.configure   -     -     -         x       -          -          x     -
tickets.report      -     -     -         x       x          -          x     -
knowledge.write     x     -     -         x       -          -          x     -
surveys.read        -     -     x         x       x          x          x     -
surveys.send        x     -     x         x       -          x          x     -
surveys.manage      -     -     x         x       -          -          x     -
complaints.register x     x     -         x       -          x          x     -
complaints.read     x     x     -         x       x          x          x     -
complaints.handle   x     -     -         x       x          -          x     -
complaints.approve  -     -     -         x       -          -          x     -
complaints.direct   -     -     -         -       -          -          x     -
complaints.policy   -     -     -         -       -          -          x     -
crises.lead         -     -     -         x       -          -          x     -
rollouts.read       x     x     x         x       x          x          x     -
rollouts.work       x     x     x         x       x          -          x     -
rollouts.decide     -     -     -         x       -          -          x     -
rollouts.manage     -     -     -         -       x          -          x     -
ops.read            -     -     -         -       x          -          x     x
ops.operate         -     -     -         -       x          -          x     x
`

func TestTheTableOfRights(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("\n" + strings.Repeat(" ", 20) + strings.Join(auth.Roles(), " ") + "\n")
	for _, perm := range auth.Permissions() {
		line := fmt.Sprintf("%-20s", perm)
		for _, role := range auth.Roles() {
			mark := "-"
			if auth.Allows(role, perm) {
				mark = "x"
			}
			line += fmt.Sprintf("%-*s ", len(role), mark)
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	require.Equal(t, rights, b.String())
}

func TestAnUnknownRoleHasNoRight(t *testing.T) {
	t.Parallel()
	p := auth.Principal{Subject: "eve", Roles: []string{"", "root", "Admin", "ADMIN"}}
	for _, perm := range auth.Permissions() {
		require.False(t, p.Can(perm))
	}
	require.False(t, auth.Principal{Subject: "eve", Roles: auth.Roles()}.Can(""))
}

func TestTenantOfAContext(t *testing.T) {
	t.Parallel()
	require.Panics(t, func() { auth.Tenant(t.Context()) })
	require.Panics(t, func() { auth.Tenant(auth.With(t.Context(), auth.Principal{Subject: "root"})) })
	require.Equal(t, "music", auth.Tenant(auth.With(t.Context(), auth.Principal{Subject: "ann", Tenant: "music"})))
}

func TestValidTenant(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]bool{
		"music": true, "a": true, "9-lives": true, strings.Repeat("a", 63): true,
		"": false, "-a": false, "Music": false, "a_b": false, "a b": false, "音乐": false, "a\n": false, strings.Repeat("a", 64): false,
	} {
		require.Equal(t, want, auth.ValidTenant(id), "%q", id)
	}
}

func TestEveryCapabilityIsWorkedInAndWhatPreparesItIsNone(t *testing.T) {
	t.Parallel()
	used := map[auth.Capability]bool{}
	for _, perm := range auth.Permissions() {
		used[perm.Capability()] = true
	}
	for _, c := range auth.Capabilities() {
		require.True(t, used[c], c)
	}
	require.Len(t, used, len(auth.Capabilities())+1, "and none that is not listed")
	for _, perm := range []auth.Permission{
		auth.CustomersImport, auth.CustomersConfigure, auth.OrdersImport, auth.SalesImport, auth.SalesConfigure, auth.CatalogueWrite, auth.TicketsImport,
		auth.TicketsConfigure, auth.ComplaintsPolicy, auth.SurveysManage, auth.LoyaltyConfigure, auth.LoyaltyAudit, auth.AnalyticsManage,
		auth.AccessAudit, auth.CustomersErase, auth.RolloutsRead, auth.RolloutsManage, auth.Operate,
	} {
		require.Empty(t, perm.Capability(), perm)
	}
}

func TestWhoRunsThePlatformWorksInNoUnit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		roles []string
		want  bool
	}{
		{[]string{auth.RoleAgent}, true}, {[]string{auth.RoleManager, auth.RoleSales}, true}, {[]string{auth.RoleManager, auth.RoleAdmin}, false},
		{[]string{auth.RoleIntegrator}, false}, {[]string{auth.RoleOperations}, false}, {[]string{auth.RoleService}, false}, {nil, false},
	} {
		require.Equal(t, c.want, auth.Principal{Subject: "ann", Roles: c.roles}.WorksInUnit(), c.roles)
	}
}
