// Command guanxi runs every service in one process, with the same Kafka, database and Temporal code as in many.
package main

import (
	"github.com/guanxi-crm/guanxi/platform/app"
	"github.com/guanxi-crm/guanxi/services/accounts"
	"github.com/guanxi-crm/guanxi/services/analytics"
	"github.com/guanxi-crm/guanxi/services/console"
	"github.com/guanxi-crm/guanxi/services/loyalty"
	"github.com/guanxi-crm/guanxi/services/rollout"
	"github.com/guanxi-crm/guanxi/services/sales"
	"github.com/guanxi-crm/guanxi/services/tickets"
)

func main() {
	app.Main(accounts.Module(), sales.Module(), loyalty.Module(), tickets.Module(), analytics.Module(), rollout.Module(), console.Module())
}
