// Package bus carries events over Kafka: CloudEvents on the wire, a producer that writes to an exact partition, consumer
// groups whose positions live in the consumer's own database, and topic set-up.
//
// Every topic keeps what it is told for ever and has [Partitions] partitions. An aggregate's events stand in one partition,
// the one that [Shard] names, so their order is the order of the partition.
package bus

import (
	"hash/fnv"
	"time"

	"github.com/google/uuid"
)

// Partitions is the number of partitions of every topic, and of shards of every outbox: shard n is relayed to partition n.
// It can never change: an aggregate's partition follows from it.
const Partitions = 16

// TopicFor is the topic that a service publishes its events to.
func TopicFor(service string) string { return "guanxi." + service + ".events.v1" }

// DeadLetters is the topic with copies, for integrators, of messages of topic that a consumer could not apply.
func DeadLetters(topic string) string { return topic + ".dlq" }

// GroupFor is the consumer group of one consumer of a service.
func GroupFor(service, consumer string) string { return "guanxi." + service + "." + consumer }

// Shard gives the partition of an aggregate: FNV-1a over tenant, NUL, type, NUL, id, modulo [Partitions].
func Shard(tenant, aggregateType, aggregateID string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(tenant + "\x00" + aggregateType + "\x00" + aggregateID))
	return int(h.Sum32() % Partitions)
}

// Header is one Kafka header.
type Header struct {
	Key   string
	Value []byte
}

// Message is a Kafka record as it stands in a partition. Offsets of neighbours may differ by more than one: compaction and
// transaction markers leave holes.
type Message struct {
	Topic     string
	Partition int
	Offset    int64
	Key       []byte
	Value     []byte
	Headers   []Header
	Time      time.Time
	// Passed says that a subscription does not want it: it has no key, value and headers, and only its place counts.
	Passed bool
}

// Event is one event of an aggregate, as a CloudEvent without its envelope.
type Event struct {
	ID            uuid.UUID
	Type          string // full protobuf name, such as guanxi.sales.events.v1.OrderPlaced
	Source        string // path of the service that tells it, such as /guanxi/sales, without the epoch
	Tenant        string
	AggregateType string
	AggregateID   string
	Sequence      int64 // 1, 2, 3... within (topic, aggregate type, aggregate id) and Epoch
	Epoch         int   // raised after the producer's database was restored; at least 1
	Time          time.Time
	Schema        string            // where the JSON Schema of Data is; may be empty
	Trace         map[string]string // traceparent and tracestate, as far as there are any
	Data          []byte            // ProtoJSON

	// Where it was read; not set by the producer.
	Topic     string
	Partition int
	Offset    int64
}
