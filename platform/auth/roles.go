package auth

import "slices"

// Permission names one thing that a caller may be allowed to do. Every operation declares the one it needs.
type Permission string

// The permissions of the platform.
const (
	CustomersRead   Permission = "customers.read"
	CustomersWrite  Permission = "customers.write"
	CustomersImport Permission = "customers.import"
	CustomersExport Permission = "customers.export"
	// CustomersMerge allows to say that two customers are one, to take that back, and to work on the pairs that may be.
	CustomersMerge Permission = "customers.merge"
	// CustomersErase allows to ask for the erasure of a customer, and to place and lift legal holds.
	CustomersErase Permission = "customers.erase"
	// CustomersConfigure allows to define custom fields, matching rules and touchpoints.
	CustomersConfigure Permission = "customers.configure"
	// ConsentsWrite allows to record what a customer allowed or no longer allows.
	ConsentsWrite Permission = "consents.write"
	// InsightsWrite allows to attach segments, scores and recommendations to customers.
	InsightsWrite Permission = "insights.write"
	// ContactsReveal allows whoever delivers a message to fetch its address.
	ContactsReveal Permission = "contacts.reveal"
	// AccessAudit allows to read and to check the log of who looked at sensitive data.
	AccessAudit   Permission = "access.audit"
	TenantsRead   Permission = "tenants.read"
	TenantsManage Permission = "tenants.manage"
	OrdersRead    Permission = "orders.read"
	OrdersWrite   Permission = "orders.write"
	OrdersImport  Permission = "orders.import"
	// SalesRead allows to see leads, opportunities, activities, C139 cards and quotes, SalesWrite to work on them.
	SalesRead  Permission = "sales.read"
	SalesWrite Permission = "sales.write"
	// SalesImport allows to bring in leads from files, with what became of them and when.
	SalesImport Permission = "sales.import"
	// SalesConfigure allows to set pipelines, teams, assignment, lead scoring, forms, objections and limits of discounts.
	SalesConfigure Permission = "sales.configure"
	// SalesReport allows to see forecasts, targets and funnels of all, and to set targets.
	SalesReport Permission = "sales.report"
	// QuotesApprove allows to approve quotes, within the levels that the tenant has set.
	QuotesApprove Permission = "quotes.approve"
	// CatalogueRead allows to see products and prices, CatalogueWrite to feed them.
	CatalogueRead  Permission = "catalogue.read"
	CatalogueWrite Permission = "catalogue.write"
	AnalyticsRead  Permission = "analytics.read"
	// AnalyticsManage allows to define segments, tags, schemes, metrics and reports, and to fit models.
	AnalyticsManage Permission = "analytics.manage"
	LoyaltyRead     Permission = "loyalty.read"
	// LoyaltyWrite allows to enrol members and to book points in their favour or to their charge.
	LoyaltyWrite Permission = "loyalty.write"
	// LoyaltyAudit allows the auditor's check of the whole ledger.
	LoyaltyAudit Permission = "loyalty.audit"
	// LoyaltyConfigure allows to write programmes, rewards and plans of membership.
	LoyaltyConfigure Permission = "loyalty.configure"
	// LoyaltyAdjust allows to put a balance or a tier right by hand.
	LoyaltyAdjust Permission = "loyalty.adjust"
	// RetentionRead allows to see who is to be kept or won back, RetentionManage to open, to lead and to plan such cases.
	RetentionRead   Permission = "retention.read"
	RetentionManage Permission = "retention.manage"
	TicketsRead     Permission = "tickets.read"
	TicketsWrite    Permission = "tickets.write"
	// TicketsImport allows to say when things happened: tickets, replies and changes of another system, with their times.
	TicketsImport Permission = "tickets.import"
	// TicketsConfigure allows to set calendars, service levels, queues, categories and macros.
	TicketsConfigure Permission = "tickets.configure"
	// TicketsReport allows to see the figures of teams and agents.
	TicketsReport Permission = "tickets.report"
	// KnowledgeWrite allows to write and to publish articles.
	KnowledgeWrite Permission = "knowledge.write"
	// SurveysRead allows to see surveys and what they came to.
	SurveysRead Permission = "surveys.read"
	// SurveysSend allows to invite customers to answer.
	SurveysSend Permission = "surveys.send"
	// SurveysManage allows to write surveys and to say when they are sent.
	SurveysManage Permission = "surveys.manage"
	// ComplaintsRegister allows to take a complaint in, ComplaintsHandle to lead it through its steps.
	ComplaintsRegister Permission = "complaints.register"
	ComplaintsRead     Permission = "complaints.read"
	ComplaintsHandle   Permission = "complaints.handle"
	// ComplaintsApprove allows to approve remedies up to the policy's limit, ComplaintsDirect of any cost.
	ComplaintsApprove Permission = "complaints.approve"
	ComplaintsDirect  Permission = "complaints.direct"
	// ComplaintsPolicy allows to change limits and time limits.
	ComplaintsPolicy Permission = "complaints.policy"
	// CrisesLead allows to declare a crisis, to lead and to end it.
	CrisesLead Permission = "crises.lead"
	// RolloutsRead allows to see how CRM is introduced, RolloutsWork to do the tasks of it, RolloutsDecide to pass its gates, to pause
	// it and to take phases back, RolloutsManage to plan and to start it.
	RolloutsRead   Permission = "rollouts.read"
	RolloutsWork   Permission = "rollouts.work"
	RolloutsDecide Permission = "rollouts.decide"
	RolloutsManage Permission = "rollouts.manage"
	// OpsRead allows to see how the machinery is doing.
	OpsRead Permission = "ops.read"
	// Operate allows the repair of the machinery: parked events, rebuilds, the state of the parts.
	Operate Permission = "ops.operate"
)

// Permissions lists every permission, in the order of the table.
func Permissions() []Permission {
	return []Permission{
		CustomersRead, CustomersWrite, CustomersImport, CustomersExport, CustomersMerge, CustomersErase, CustomersConfigure,
		ConsentsWrite, InsightsWrite, ContactsReveal, AccessAudit, TenantsRead, TenantsManage,
		OrdersRead, OrdersWrite, OrdersImport,
		SalesRead, SalesWrite, SalesImport, SalesConfigure, SalesReport, QuotesApprove, CatalogueRead, CatalogueWrite,
		AnalyticsRead, AnalyticsManage, LoyaltyRead, LoyaltyWrite, LoyaltyAudit,
		LoyaltyConfigure, LoyaltyAdjust, RetentionRead, RetentionManage, TicketsRead, TicketsWrite,
		TicketsImport, TicketsConfigure, TicketsReport, KnowledgeWrite, SurveysRead, SurveysSend, SurveysManage,
		ComplaintsRegister, ComplaintsRead, ComplaintsHandle, ComplaintsApprove, ComplaintsDirect, ComplaintsPolicy, CrisesLead,
		RolloutsRead, RolloutsWork, RolloutsDecide, RolloutsManage, OpsRead, Operate,
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

// RoleService is how one service of the installation calls another on behalf of somebody. No token of the issuer carries
// it: see PeerToken.
const RoleService = "service"

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
		return []Permission{
			CustomersRead, CustomersWrite, ConsentsWrite, OrdersRead, LoyaltyRead, TicketsRead, TicketsWrite,
			ComplaintsRegister, ComplaintsRead, ComplaintsHandle,
			KnowledgeWrite, SurveysSend, RetentionRead,
			SalesRead, CatalogueRead,
			RolloutsRead, RolloutsWork,
		}
	case RoleSales:
		return []Permission{
			CustomersRead, CustomersWrite, ConsentsWrite, OrdersRead, OrdersWrite, AnalyticsRead, LoyaltyRead, TicketsRead,
			ComplaintsRegister, ComplaintsRead, RetentionRead,
			SalesRead, SalesWrite, CatalogueRead,
			RolloutsRead, RolloutsWork,
		}
	case RoleMarketing:
		return []Permission{
			CustomersRead, OrdersRead, AnalyticsRead, AnalyticsManage, LoyaltyRead,
			SurveysRead, SurveysSend, SurveysManage, LoyaltyConfigure, RetentionRead, RetentionManage,
			SalesRead, SalesWrite, SalesImport, SalesReport, CatalogueRead,
			RolloutsRead, RolloutsWork,
		}
	case RoleManager:
		return []Permission{
			CustomersRead, CustomersWrite, CustomersExport, CustomersMerge, ConsentsWrite, TenantsRead, OrdersRead, OrdersWrite,
			AnalyticsRead, AnalyticsManage, LoyaltyRead, LoyaltyWrite, TicketsRead, TicketsWrite, ComplaintsRegister, ComplaintsRead, ComplaintsHandle, ComplaintsApprove,
			TicketsConfigure, TicketsReport, KnowledgeWrite, SurveysRead, SurveysSend, SurveysManage, CrisesLead,
			LoyaltyConfigure, LoyaltyAdjust, RetentionRead, RetentionManage,
			SalesRead, SalesWrite, SalesImport, SalesConfigure, SalesReport, QuotesApprove, CatalogueRead, CatalogueWrite,
			RolloutsRead, RolloutsWork, RolloutsDecide,
		}
	case RoleOperations:
		return []Permission{
			CustomersRead, CustomersImport, CustomersExport, CustomersMerge, AccessAudit, TenantsRead, OrdersRead, OrdersImport, AnalyticsRead, LoyaltyRead, LoyaltyAudit,
			TicketsRead, ComplaintsRead, ComplaintsHandle, OpsRead, Operate,
			TicketsImport, TicketsReport, SurveysRead, RetentionRead,
			SalesRead, SalesImport, SalesReport, CatalogueRead,
			RolloutsRead, RolloutsWork, RolloutsManage,
		}
	case RoleIntegrator:
		return []Permission{
			CustomersRead, CustomersWrite, CustomersImport, CustomersExport, CustomersMerge, ConsentsWrite, InsightsWrite, ContactsReveal,
			OrdersRead, OrdersWrite, OrdersImport, AnalyticsRead, AnalyticsManage,
			LoyaltyRead, LoyaltyWrite, TicketsRead, TicketsWrite, ComplaintsRegister, ComplaintsRead,
			TicketsImport, SurveysRead, SurveysSend, RetentionRead, RetentionManage,
			SalesRead, SalesWrite, SalesImport, CatalogueRead, CatalogueWrite,
			RolloutsRead,
		}
	case RoleAdmin:
		return []Permission{
			CustomersRead, CustomersWrite, CustomersImport, CustomersExport, CustomersMerge, CustomersErase, CustomersConfigure,
			ConsentsWrite, InsightsWrite, AccessAudit, TenantsRead, OrdersRead, OrdersWrite, OrdersImport, AnalyticsRead, AnalyticsManage, LoyaltyRead, LoyaltyWrite, LoyaltyAudit, TicketsRead, TicketsWrite,
			ComplaintsRegister, ComplaintsRead, ComplaintsHandle, ComplaintsApprove, ComplaintsDirect, ComplaintsPolicy, OpsRead, Operate,
			TicketsImport, TicketsConfigure, TicketsReport, KnowledgeWrite, SurveysRead, SurveysSend, SurveysManage, CrisesLead,
			LoyaltyConfigure, LoyaltyAdjust, RetentionRead, RetentionManage,
			SalesRead, SalesWrite, SalesImport, SalesConfigure, SalesReport, QuotesApprove, CatalogueRead, CatalogueWrite,
			RolloutsRead, RolloutsWork, RolloutsDecide, RolloutsManage,
		}
	case RolePlatformAdmin:
		return []Permission{TenantsRead, TenantsManage, OpsRead, Operate}
	case RoleService:
		return []Permission{CustomersRead, CustomersWrite, TenantsRead, TicketsReport, SurveysRead, OpsRead}
	default:
		return nil
	}
}

// Allows tells whether the role carries the permission.
func Allows(role string, perm Permission) bool {
	return slices.Contains(permissionsOf(role), perm)
}
