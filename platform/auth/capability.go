package auth

import "slices"

// Capability is a part of the platform that an organisation can switch on unit by unit while it introduces it.
type Capability string

// The capabilities.
const (
	CapabilityCustomers  Capability = "customers"  // who the customers are, and what they allow
	CapabilityOrders     Capability = "orders"     // what they bought
	CapabilitySales      Capability = "sales"      // leads, opportunities, quotes and the products that they offer
	CapabilityService    Capability = "service"    // tickets and the knowledge that answers them
	CapabilityComplaints Capability = "complaints" // complaints and crises
	CapabilitySurveys    Capability = "surveys"    // what customers are asked
	CapabilityLoyalty    Capability = "loyalty"    // members and points
	CapabilityRetention  Capability = "retention"  // who is kept and won back
	CapabilityAnalytics  Capability = "analytics"  // what customers are worth, want and will do
)

// Capabilities lists every capability, in the order of the table.
func Capabilities() []Capability {
	return []Capability{
		CapabilityCustomers, CapabilityOrders, CapabilitySales, CapabilityService, CapabilityComplaints, CapabilitySurveys,
		CapabilityLoyalty, CapabilityRetention, CapabilityAnalytics,
	}
}

// Capability gives the capability whose daily work the permission is for; empty for what prepares or repairs it, such as
// configuration, imports and audits: that goes on before a unit is live and after it was taken back.
func (p Permission) Capability() Capability {
	switch p {
	case CustomersRead, CustomersWrite, CustomersMerge, ConsentsWrite:
		return CapabilityCustomers
	case OrdersRead, OrdersWrite:
		return CapabilityOrders
	case SalesRead, SalesWrite, SalesReport, QuotesApprove, CatalogueRead:
		return CapabilitySales
	case TicketsRead, TicketsWrite, TicketsReport, KnowledgeWrite:
		return CapabilityService
	case ComplaintsRegister, ComplaintsRead, ComplaintsHandle, ComplaintsApprove, ComplaintsDirect, CrisesLead:
		return CapabilityComplaints
	case SurveysRead, SurveysSend:
		return CapabilitySurveys
	case LoyaltyRead, LoyaltyWrite, LoyaltyAdjust:
		return CapabilityLoyalty
	case RetentionRead, RetentionManage:
		return CapabilityRetention
	case AnalyticsRead:
		return CapabilityAnalytics
	default:
		return ""
	}
}

// WorksInUnit tells whether the principal is somebody who works in a unit of the organisation. Whoever runs the platform, and other
// systems, do not: what is not live for any unit yet has to be prepared, fed and repaired by them.
func (p Principal) WorksInUnit() bool {
	return len(p.Roles) > 0 && !slices.ContainsFunc(p.Roles, func(role string) bool {
		return !slices.Contains([]string{RoleAgent, RoleSales, RoleMarketing, RoleManager}, role)
	})
}
