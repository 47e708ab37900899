package delivery

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func forwardJob() Job {
	return Job{Name: "erp/stock", Group: "guanxi.sub.c1.forward.erp.stock", Sources: []string{sales, tickets}, Tenant: "a",
		Types: []string{placed, tickets + ".*"}, Topic: own}
}

func TestATenantsTopicHasItsEventsInOrderThoughTheForwarderIsKilled(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	var want []string
	publish := func() {
		for i := range 60 {
			want = append(want, k.publish("a", i%7, placed))
			k.publish("a", i%7, paid)
			k.publish("b", i%7, placed)
			if i%5 == 0 {
				want = append(want, k.publish("a", 100+i%7, opened))
			}
		}
	}
	publish()
	// What was written is not kept as a position: that is what is left of a forwarder that is killed at this point.
	var killed, commits atomic.Int32
	k.broker.ControlKey(int16(kmsg.OffsetCommit), func(r kmsg.Request) (kmsg.Response, error, bool) {
		k.broker.KeepControl()
		if killed.Load() > 0 || commits.Add(1) < 3 { // the first keeps where it begins
			return nil, nil, false
		}
		resp := r.ResponseKind().(*kmsg.OffsetCommitResponse)
		for _, topic := range r.(*kmsg.OffsetCommitRequest).Topics {
			answer := kmsg.NewOffsetCommitResponseTopic()
			answer.Topic, answer.TopicID = topic.Topic, topic.TopicID
			for _, p := range topic.Partitions {
				one := kmsg.NewOffsetCommitResponseTopicPartition()
				one.Partition, one.ErrorCode = p.Partition, kerr.GroupAuthorizationFailed.Code
				answer.Partitions = append(answer.Partitions, one)
			}
			resp.Topics = append(resp.Topics, answer)
		}
		return resp, nil, true
	})
	first := New(k.options())
	first.Set(forwardJob())
	stop := k.start(first)
	require.Eventually(t, func() bool { r, _ := first.Report("erp/stock"); return r.Failing != "" }, 20*time.Second, 10*time.Millisecond)
	stop()
	killed.Store(1)
	r, ok := first.Report("erp/stock")
	require.True(t, ok)
	require.Contains(t, r.Failing, "keep positions")
	require.NotZero(t, k.written(own), "%s", r.Failing)
	publish()
	second := New(k.options())
	second.Set(forwardJob())
	k.start(second)
	k.level("guanxi.sub.c1.forward.erp.stock", sales, tickets)
	written := k.written(own)
	require.Greater(t, written, len(want), "what was written and not kept comes twice")
	require.ElementsMatch(t, want, inOrder(t, k.read(own, written)))
	r, ok = second.Report("erp/stock")
	require.True(t, ok)
	require.Empty(t, r)
}

func TestNothingFromBeforeTheSubscriptionComesUnlessItIsReplayedOnce(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	k.publish("a", 1, placed)
	from := time.Now().Add(5 * time.Millisecond)
	require.Eventually(t, func() bool { return time.Now().After(from.Add(5 * time.Millisecond)) }, time.Second, time.Millisecond)
	again := []string{k.publish("a", 1, placed), k.publish("a", 2, placed)}
	job := forwardJob()
	job.Since = time.Now().Add(5 * time.Millisecond)
	require.Eventually(t, func() bool { return time.Now().After(job.Since.Add(5 * time.Millisecond)) }, time.Second, time.Millisecond)
	d := New(k.options())
	d.Set(job)
	stop := k.start(d)
	k.level(job.Group, job.Sources...)
	require.Zero(t, k.written(own))
	fresh := k.publish("a", 1, placed)
	k.level(job.Group, job.Sources...)
	require.Equal(t, []string{fresh}, k.read(own, 1))

	job.Replay = Replay{"1", from}
	d.Set(job)
	require.Eventually(t, func() bool { r, _ := d.Report(job.Name); return r.Replay == "1" }, 20*time.Second, 10*time.Millisecond)
	k.level(job.Group, job.Sources...)
	require.ElementsMatch(t, append(again, fresh, fresh), k.read(own, 4))
	stop()

	d = New(k.options())
	d.Set(job)
	k.start(d)
	require.Eventually(t, func() bool { r, _ := d.Report(job.Name); return r.Replay == "1" }, 20*time.Second, 10*time.Millisecond)
	last := k.publish("a", 1, placed)
	k.level(job.Group, job.Sources...)
	require.Equal(t, 5, k.written(own), "a replay happens once, whoever leads")
	require.Contains(t, k.read(own, 5), last)
	d.Remove(k.ctx, job.Name)
	_, ok := d.Report(job.Name)
	require.False(t, ok)
}
