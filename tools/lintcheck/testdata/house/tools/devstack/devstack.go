// Package devstack stands for the tools, which may use whatever there is.
package devstack

import (
	"time"

	"github.com/guanxi-crm/guanxi/platform/bustest"
	"github.com/guanxi-crm/guanxi/platform/pgtest"
	"github.com/guanxi-crm/guanxi/services/accounts"
	"github.com/guanxi-crm/guanxi/services/sales"
	"github.com/segmentio/kafka-go"
	"go.temporal.io/sdk/client"
)

var Everything = []any{accounts.Name, sales.Name, bustest.Name, pgtest.Name, kafka.Writer{}, client.Client{}, time.Now()}
