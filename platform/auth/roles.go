package auth

import "slices"

// Permission names one thing that a caller may be allowed to do. Every operation declares the one it needs.
type Permission string

// The permissions of the platform.
const (
	CustomersRead   Permission = "customers.read"
	CustomersWrite  Permission = "customers.write"
	CustomersImport Permission = "customers.import"
	TenantsRead     Permission = "tenants.read"
	TenantsManage   Permission = "tenants.manage"
	OrdersRead      Permission = "orders.read"
	OrdersWrite     Permission = "orders.write"
	OrdersImport    Permission = "orders.import"
	AnalyticsRead   Permission = "analytics.read"
	// Operate allows the repair of the machinery: parked events, rebuilds, the state of the parts.
	Operate Permission = "ops.operate"
)

// Permissions lists every permission, in the order of the table.
func Permissions() []Permission {
	return []Permission{
		CustomersRead, CustomersWrite, CustomersImport, TenantsRead, TenantsManage,
		OrdersRead, OrdersWrite, OrdersImport, AnalyticsRead, Operate,
	}
}

// The roles that a token may carry. All but PlatformAdmin act within the tenant of the token.
const (
	RoleAgent         = "agent"          // answers customers
	RoleSales         = "sales"          // looks after customers and their orders
	RoleMarketing     = "marketing"      // reads, and looks at the figures
	RoleManager       = "manager"        // looks after the people above
	RoleOperations    = "operations"     // starts, follows and repairs long-running work
	RoleIntegrator    = "integrator"     // another system that feeds ours
	RoleAdmin         = "admin"          // everything within one tenant
	RolePlatformAdmin = "platform-admin" // makes tenants and repairs the platform; needs no tenant
)

// Roles lists every role, in the order of the table.
func Roles() []string {
	return []string{
		RoleAgent, RoleSales, RoleMarketing, RoleManager, RoleOperations, RoleIntegrator, RoleAdmin, RolePlatformAdmin,
	}
}

// permissionsOf is the one table from roles to permissions. A role that is not known has none.
func permissionsOf(role string) []Permission {
	switch role {
	case RoleAgent:
		return []Permission{CustomersRead, CustomersWrite, OrdersRead}
	case RoleSales:
		return []Permission{CustomersRead, CustomersWrite, OrdersRead, OrdersWrite, AnalyticsRead}
	case RoleMarketing:
		return []Permission{CustomersRead, OrdersRead, AnalyticsRead}
	case RoleManager:
		return []Permission{CustomersRead, CustomersWrite, TenantsRead, OrdersRead, OrdersWrite, AnalyticsRead}
	case RoleOperations:
		return []Permission{
			CustomersRead, CustomersImport, TenantsRead, OrdersRead, OrdersImport, AnalyticsRead, Operate,
		}
	case RoleIntegrator:
		return []Permission{
			CustomersRead, CustomersWrite, CustomersImport, OrdersRead, OrdersWrite, OrdersImport, AnalyticsRead,
		}
	case RoleAdmin:
		return []Permission{
			CustomersRead, CustomersWrite, CustomersImport, TenantsRead,
			OrdersRead, OrdersWrite, OrdersImport, AnalyticsRead, Operate,
		}
	case RolePlatformAdmin:
		return []Permission{TenantsRead, TenantsManage, Operate}
	default:
		return nil
	}
}

// Allows tells whether the role carries the permission.
func Allows(role string, perm Permission) bool {
	return slices.Contains(permissionsOf(role), perm)
}
