package accounts

import (
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customer"
	"github.com/guanxi-crm/guanxi/services/sales" // want "services hear of each other by events"
	"go.temporal.io/sdk/workflow"
)

const Name = "accounts"

var Used = []any{pg.Name, customer.Name, sales.Name, workflow.Context{}}
