package bus

import (
	"github.com/guanxi-crm/guanxi/platform/bustest" // want "test kits are for _test.go files and tools"
	"github.com/guanxi-crm/guanxi/services/sales"   // want "the platform knows no service"
	"github.com/segmentio/kafka-go"
	"go.temporal.io/sdk/client" // want "Temporal's client is used in platform/flow alone"
)

var Used = []any{client.Client{}, kafka.Writer{}, sales.Name, bustest.Name}
