package bustest

import (
	"context"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// attendanceSlack is how much longer than its session's timeout a member may be silent until attendance puts it out: the broker's own
// timer comes first wherever it runs.
const attendanceSlack = 3 * time.Second

// attendance puts members out of their groups whom the broker forgot to put out. It starts no session's timer for a member whose
// connection ended before its join was answered, so one who was killed just then would keep its partitions for as long as the group
// lives; Kafka puts it out after its session's timeout.
type attendance struct {
	client *kgo.Client
	stop   context.CancelFunc
	over   chan struct{}

	mu      sync.Mutex
	heard   map[seat]time.Time
	timeout map[string]time.Duration // of the sessions of a group: the longest
}

// seat is a member of a group.
type seat struct{ group, member string }

// attend watches the groups of a cluster until close.
func attend(cluster *kfake.Cluster) (*attendance, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...))
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	a := &attendance{client: client, stop: stop, over: make(chan struct{}), heard: map[seat]time.Time{}, timeout: map[string]time.Duration{}}
	for _, key := range []kmsg.Key{kmsg.JoinGroup, kmsg.SyncGroup, kmsg.Heartbeat} {
		cluster.ControlKey(key.Int16(), func(request kmsg.Request) (kmsg.Response, error, bool) {
			cluster.KeepControl()
			a.note(request)
			return nil, nil, false
		})
	}
	go func() {
		defer close(a.over)
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				a.round(ctx)
			}
		}
	}()
	return a, nil
}

func (a *attendance) close() {
	a.stop()
	<-a.over
	a.client.Close()
}

// note keeps who let hear of themselves.
func (a *attendance) note(request kmsg.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch r := request.(type) {
	case *kmsg.JoinGroupRequest:
		a.heard[seat{r.Group, r.MemberID}] = time.Now()
		a.timeout[r.Group] = max(a.timeout[r.Group], time.Duration(r.SessionTimeoutMillis)*time.Millisecond)
	case *kmsg.SyncGroupRequest:
		a.heard[seat{r.Group, r.MemberID}] = time.Now()
	case *kmsg.HeartbeatRequest:
		a.heard[seat{r.Group, r.MemberID}] = time.Now()
	}
}

// round puts out who was silent for too long in a group that is not about to be divided anew. What cannot be asked now is asked in
// the next round.
func (a *attendance) round(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request := kmsg.NewPtrDescribeGroupsRequest()
	a.mu.Lock()
	for group := range a.timeout {
		request.Groups = append(request.Groups, group)
	}
	a.mu.Unlock()
	if len(request.Groups) == 0 {
		return
	}
	described, err := request.RequestWith(ctx, a.client)
	if err != nil {
		return
	}
	for _, group := range described.Groups {
		leave := kmsg.NewPtrLeaveGroupRequest()
		leave.Group = group.Group
		for _, id := range a.silent(group) {
			member := kmsg.NewLeaveGroupRequestMember()
			member.MemberID = id
			leave.Members = append(leave.Members, member)
		}
		if len(leave.Members) > 0 {
			_, _ = leave.RequestWith(ctx, a.client) // the next round sees whether they left
		}
	}
}

// silent gives the members of a group of whom nothing was heard for longer than their session may last; everybody else's time
// goes on.
func (a *attendance) silent(group kmsg.DescribeGroupsResponseGroup) (ids []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, m := range group.Members {
		s := seat{group.Group, m.MemberID}
		heard, known := a.heard[s]
		switch {
		case !known || group.State != "Stable": // who waits for the others is silent with reason
			a.heard[s] = time.Now()
		case time.Since(heard) > a.timeout[group.Group]+attendanceSlack:
			ids = append(ids, m.MemberID)
			delete(a.heard, s)
		}
	}
	return ids
}
