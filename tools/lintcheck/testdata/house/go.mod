module github.com/guanxi-crm/guanxi

go 1.26.8

require (
	github.com/google/uuid v0.0.0
	github.com/segmentio/kafka-go v0.0.0
	go.temporal.io/sdk v0.0.0
)

replace (
	github.com/google/uuid => ./stubs/uuid
	github.com/segmentio/kafka-go => ./stubs/kafka
	go.temporal.io/sdk => ./stubs/temporal
)
