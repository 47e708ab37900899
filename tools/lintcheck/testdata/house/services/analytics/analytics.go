package analytics

import "github.com/guanxi-crm/guanxi/services/sales" // want "services hear of each other by events"

const Name = "analytics" + sales.Name
