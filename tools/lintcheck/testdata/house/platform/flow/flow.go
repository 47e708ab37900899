package flow

import (
	"time"

	"github.com/segmentio/kafka-go" // want "Kafka is spoken in platform/bus alone"
	"go.temporal.io/sdk/client"
)

var Used = []any{client.Client{}, kafka.Writer{}, time.Now()}
