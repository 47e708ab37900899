package bus

import (
	"context"
	"errors"
	"slices"
	"time"

	kafka "github.com/segmentio/kafka-go"
)

const (
	defaultBatch      = 500
	heartbeatInterval = time.Second      // a rebalance is heard of within this time
	sessionTimeout    = 10 * time.Second // a member that died without a word loses its partitions after this time
	rebalanceTimeout  = 30 * time.Second // a member may take this long to finish what it has in hand
	joinBackoff       = 500 * time.Millisecond
	// A join is answered when the slowest member has joined, and every member that comes or goes meanwhile may begin that
	// time anew. Members that are less patient than that keep each other from ever joining after several were killed.
	coordinatorTimeout = 30 * time.Second
	leaveTimeout       = 3 * time.Second // after it, requests of a group that is being left are cut off
)

// Subscription is what a consumer wants to hear and what it does with it.
type Subscription struct {
	Group    string
	Topics   []string
	MaxBatch int // most messages in one Handle; 0: 500

	// Pace is the least time from the beginning of one Handle of a partition to that of the next, unless MaxBatch was
	// reached: what comes meanwhile goes out together. A message that comes after a pause of that length waits for
	// nothing, and none waits for longer. 0: a message is handed over as soon as it is there.
	Pace time.Duration

	// Wanted tells by the type of an event (ce_type; empty where a message has none) whether Handle needs it. Of those that it
	// does not, only the place of one now and then is handed over (Message.Passed), so that the position moves on. nil: all are.
	Wanted func(kind string) bool

	// Start gives the offset of the first message of the partition that was not handled yet; 0 when nothing was. It is
	// asked when the partition is assigned and after every failed Handle.
	Start func(ctx context.Context, topic string, partition int) (offset int64, err error)

	// Handle takes messages of one partition, 1 to MaxBatch, in order, without gaps but for offsets that hold no message.
	// nil: go on behind them. An error: the partition pauses, Start is asked again, and where it gives the same position the
	// same messages come again, as often as it takes. Partitions are handled at the same time, each by one Handle at most.
	//
	// Positions are the consumer's own: Handle moves them in the transaction that has the effects, comparing the old one.
	// That also fences a member that still works on a partition which another has taken over. When a partition no longer
	// keeps, or does not have, the offset that Start gave, messages begin at the earliest that is there.
	//
	// ctx outlives the one of Subscribe, so that a batch in hand can be finished, by a grace of some seconds.
	Handle func(ctx context.Context, topic string, partition int, msgs []Message) error
}

var (
	errStalled = errors.New("a partition with messages to read made no progress")
	errBlind   = errors.New("the group's leader did not see every topic")
)

// Subscribe consumes the topics as a member of the group until ctx ends; then it finishes the batches in hand, leaves the
// group, so that others take over at once, and returns nil. It waits for topics that do not exist yet and outlives broker
// outages; only a subscription that cannot work is an error.
func (c *Client) Subscribe(ctx context.Context, s Subscription) error {
	if s.Group == "" || len(s.Topics) == 0 || s.Start == nil || s.Handle == nil {
		return errors.New("a subscription needs a group, topics, Start and Handle")
	}
	if s.MaxBatch <= 0 {
		s.MaxBatch = defaultBatch
	}
	log := c.log.With("group", s.Group)
	for ctx.Err() == nil && c.awaitTopics(ctx, s) {
		if why := c.member(ctx, &s); ctx.Err() == nil {
			c.metrics.rebuilt.Add(ctx, 1, groupAttr(s.Group))
			log.WarnContext(ctx, "Joining the consumer group afresh", "reason", why)
			sleep(ctx, joinBackoff)
		}
	}
	return nil
}

// awaitTopics waits until the topics exist. kafka-go would join a group without them and hear of them never, or, watching
// for them, make them with the broker's default number of partitions.
func (c *Client) awaitTopics(ctx context.Context, s Subscription) bool {
	for n := 1; ; n++ {
		meta, err := c.metadata(ctx)
		missing := slices.Clone(s.Topics)
		if err == nil {
			missing = slices.DeleteFunc(missing, func(name string) bool {
				return slices.ContainsFunc(meta.Topics, func(t kafka.Topic) bool { return t.Name == name && len(t.Partitions) > 0 })
			})
		}
		if err == nil && len(missing) == 0 {
			return true
		}
		if ctx.Err() == nil && n&(n-1) == 0 {
			c.log.WarnContext(ctx, "Waiting for topics", "group", s.Group, "topics", missing, "error", err)
		}
		if !sleep(ctx, backoff(min(n, maxFetchTries))) {
			return false
		}
	}
}

// member is one membership in the group: it ends with ctx, or with an error when the group must be joined afresh.
func (c *Client) member(ctx context.Context, s *Subscription) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	conns := &connections{}
	dialer := c.dialer()
	dialer.DialFunc = conns.dial(dialTimeout)
	group, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID: s.Group, Brokers: c.cfg.Brokers, Dialer: dialer, Topics: s.Topics,
		GroupBalancers:    []kafka.GroupBalancer{seeingBalancer{topics: s.Topics, blind: func() { cancel(errBlind) }}},
		HeartbeatInterval: heartbeatInterval, SessionTimeout: sessionTimeout, RebalanceTimeout: rebalanceTimeout,
		JoinGroupBackoff: joinBackoff, Timeout: coordinatorTimeout,
	})
	if err != nil {
		return err
	}
	defer func() {
		// Close waits for a request under way, and a join may take as long as the slowest member.
		cut := time.AfterFunc(leaveTimeout, conns.cut)
		defer cut.Stop()
		_ = group.Close() // always nil
	}()
	failing, id := false, ""
	defer func() { c.bury(ctx, s.Group, id) }()
	for {
		gen, err := group.Next(ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			if !errors.Is(err, kafka.RebalanceInProgress) { // then it joins with another id
				c.bury(ctx, s.Group, id)
				id = ""
			}
			if !failing { // once an outage; kafka-go tries again by itself, every joinBackoff
				c.log.WarnContext(ctx, "Joining the consumer group failed; trying again", "group", s.Group, "error", err)
			}
			failing = true
			continue
		}
		failing, id = false, gen.MemberID
		g := &generation{client: c, sub: s, gen: gen, log: c.log.With("group", s.Group), rebuild: func() { cancel(errStalled) }}
		gen.Start(func(genCtx context.Context) { g.run(ctx, genCtx) })
	}
}

// bury tells the group, in the background, that one of its members is no more. After an outage kafka-go joins with a new
// id; without this the group would wait for the old one until its session times out.
func (c *Client) bury(ctx context.Context, group, id string) {
	if id == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sessionTimeout+rebalanceTimeout)
	go func() {
		defer cancel()
		for n := 1; ; n++ {
			res, err := c.kafka.LeaveGroup(ctx, &kafka.LeaveGroupRequest{
				GroupID: group, Members: []kafka.LeaveGroupRequestMember{{ID: id}},
			})
			if err == nil && !transient(res.Error) {
				return
			}
			c.renew()
			if !sleep(ctx, backoff(min(n, maxFetchTries))) {
				return
			}
		}
	}()
}

// transient tells whether a group's coordinator may answer otherwise soon.
func transient(err error) bool {
	var code kafka.Error
	return errors.As(err, &code) && (code.Temporary() || code == kafka.NotCoordinatorForGroup)
}

// seeingBalancer spreads partitions by range and notices when the leader of the group was shown fewer topics than it
// subscribed to, as happens on a broker that has not heard of a new topic yet: nobody would read it.
type seeingBalancer struct {
	kafka.RangeGroupBalancer
	topics []string
	blind  func()
}

// AssignGroups is called on the leader of the group.
func (b seeingBalancer) AssignGroups(members []kafka.GroupMember, partitions []kafka.Partition) kafka.GroupMemberAssignments {
	for _, topic := range b.topics {
		if !slices.ContainsFunc(partitions, func(p kafka.Partition) bool { return p.Topic == topic }) {
			b.blind()
		}
	}
	return b.RangeGroupBalancer.AssignGroups(members, partitions)
}
