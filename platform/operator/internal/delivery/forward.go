package delivery

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const forwarded = 500 // events between two positions

// sink gives what takes the job's events.
func (w *worker) sink(ctx context.Context, client *kgo.Client) (sink, error) {
	if w.job.Webhook != nil {
		return w.hook(client), nil
	}
	found, err := kadm.NewClient(client).ListTopics(ctx, w.job.Topic)
	if err == nil {
		err = found.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("ask Kafka for topic %s: %w", w.job.Topic, err)
	}
	partitions := int32(len(found[w.job.Topic].Partitions))
	if partitions == 0 {
		return nil, fmt.Errorf("topic %s has no partitions: wait until it is made", w.job.Topic)
	}
	return func(ctx context.Context, records []*kgo.Record) (int, error) {
		return w.forward(ctx, client, partitions, records[:min(forwarded, len(records))])
	}, nil
}

// forward writes the events that the subscription hears of to its own topic, as they are. An aggregate has one partition in
// its source and so has one here, and a worker writes a partition's events one after the other: their order stays.
func (w *worker) forward(ctx context.Context, client *kgo.Client, partitions int32, records []*kgo.Record) (int, error) {
	var out []*kgo.Record
	for _, r := range records {
		if w.job.wants(r) {
			out = append(out, &kgo.Record{Topic: w.job.Topic, Partition: r.Partition % partitions, Key: r.Key, Value: r.Value, Headers: r.Headers})
		}
	}
	if len(out) > 0 {
		if err := client.ProduceSync(ctx, out...).FirstErr(); err != nil {
			return 0, fmt.Errorf("write to topic %s: %w", w.job.Topic, err)
		}
	}
	return len(records), nil
}
