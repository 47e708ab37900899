package customer

import (
	"fmt"
	"log" // want "log with the slog.Logger that was handed in"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/guanxi-crm/guanxi/platform/golden"    // want "test kits are for _test.go files and tools"
	"github.com/guanxi-crm/guanxi/platform/pgtest"    // want "test kits are for _test.go files and tools"
	"github.com/guanxi-crm/guanxi/tools/devstackless" // want "nothing imports the tools"
	"github.com/segmentio/kafka-go"                   // want "Kafka is spoken in platform/bus alone"
	"go.temporal.io/sdk/client"                       // want "Temporal's client is used in platform/flow alone"
)

const Name = "customer"

var Used = []any{pgtest.Name, golden.Name, devstackless.Name, kafka.Writer{}, client.Client{}}

func Rule() {
	now := time.Now // want "the time comes from the injected clock"
	then := now()
	_ = time.Since(then) // want "the time comes from the injected clock"
	fmt.Println(Name)    // want "log with the slog.Logger that was handed in"
	slog.Info(Name)      // want "there is no global logger"
	_ = uuid.New()       // want "ids are UUIDv7"
	_, _ = uuid.NewV7()
	log.SetFlags(0)
}
