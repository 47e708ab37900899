package bustest

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// attendanceSlack is how much longer than its session's timeout a member may be silent until attendance puts it out: the broker's own
// timer comes first wherever it runs.
const attendanceSlack = 2 * time.Second

// attendance keeps the members of groups as Kafka does where the broker does otherwise.
//
// The broker starts no session's timer for a member whose connection ended before its join was answered: one who was killed just
// then would keep its partitions for as long as the group lives. Attendance puts it out after its session's timeout.
//
// And it lets a session run out while its member waits for the others to join, whose request it then never answers. Attendance lets
// it hear from those who wait.
type attendance struct {
	client *kgo.Client
	stop   context.CancelFunc
	over   chan struct{}

	mu     sync.Mutex
	seats  map[seat]*sitter
	groups map[string]*groupSeen
}

// seat is a member of a group.
type seat struct{ group, member string }

// sitter is what is known of who has a seat.
type sitter struct {
	heard    time.Time // when it last said something, or was first seen in a group that is at work
	waits    bool      // the last that was heard of it is that it joins
	prompted bool      // the next heartbeat is attendance's own
}

// groupSeen is what the requests of a group say of it.
type groupSeen struct {
	timeout    time.Duration // of its members' sessions: the longest
	generation int32         // the latest
}

// attend watches the groups of a cluster until close. Where the cluster calls itself by a name, which may not lead here yet, listen
// says where it is.
func attend(cluster *kfake.Cluster, listen string) (*attendance, error) {
	opts := []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)}
	if listen != "" {
		opts = append(opts, kgo.Dialer(func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, listen)
		}))
	}
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	a := &attendance{client: client, stop: stop, over: make(chan struct{}), seats: map[seat]*sitter{}, groups: map[string]*groupSeen{}}
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
		g := a.group(r.Group)
		g.timeout = max(g.timeout, time.Duration(r.SessionTimeoutMillis)*time.Millisecond)
		if r.MemberID != "" {
			a.seats[seat{r.Group, r.MemberID}] = &sitter{heard: time.Now(), waits: true}
		}
	case *kmsg.SyncGroupRequest:
		a.group(r.Group).generation = r.Generation
		a.seats[seat{r.Group, r.MemberID}] = &sitter{heard: time.Now()}
	case *kmsg.HeartbeatRequest:
		s := seat{r.Group, r.MemberID}
		if known := a.seats[s]; known != nil && known.prompted {
			known.prompted = false
			return
		}
		a.group(r.Group).generation = r.Generation
		a.seats[s] = &sitter{heard: time.Now()}
	}
}

// group gives what is known of a group.
func (a *attendance) group(name string) *groupSeen {
	g := a.groups[name]
	if g == nil {
		g = &groupSeen{}
		a.groups[name] = g
	}
	return g
}

// round looks at every group once. What cannot be asked now is asked in the next round.
func (a *attendance) round(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request := kmsg.NewPtrDescribeGroupsRequest()
	a.mu.Lock()
	for group := range a.groups {
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
		beats, gone := a.look(group)
		for _, beat := range beats {
			_, _ = beat.RequestWith(ctx, a.client)
		}
		if len(gone) > 0 {
			leave := kmsg.NewPtrLeaveGroupRequest()
			leave.Group, leave.Members = group.Group, gone
			_, _ = leave.RequestWith(ctx, a.client) // the next round sees whether they left
		}
	}
}

// look gives heartbeats in the place of those who wait for the others to join, and the members of whom nothing was heard for
// longer than their session may last.
func (a *attendance) look(group kmsg.DescribeGroupsResponseGroup) (beats []*kmsg.HeartbeatRequest, gone []kmsg.LeaveGroupRequestMember) {
	a.mu.Lock()
	defer a.mu.Unlock()
	known := a.group(group.Group)
	for _, m := range group.Members {
		s := seat{group.Group, m.MemberID}
		who := a.seats[s]
		switch {
		case who == nil:
			// Who joined just now waits, as it should; in a group at work it is to be heard of from here on.
			if group.State == "Stable" {
				a.seats[s] = &sitter{heard: time.Now()}
			}
		case who.waits && group.State == "PreparingRebalance":
			beat := kmsg.NewPtrHeartbeatRequest()
			beat.Group, beat.MemberID, beat.Generation = group.Group, m.MemberID, known.generation
			beats = append(beats, beat)
			who.heard, who.prompted = time.Now(), true
		case time.Since(who.heard) > known.timeout+attendanceSlack:
			member := kmsg.NewLeaveGroupRequestMember()
			member.MemberID = m.MemberID
			gone = append(gone, member)
			delete(a.seats, s)
		}
	}
	return beats, gone
}
