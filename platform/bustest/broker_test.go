package bustest_test

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/guanxi-crm/guanxi/platform/bustest"
)

// consumer speaks the protocol of groups by itself, over a connection of its own.
type consumer struct {
	t    *testing.T
	conn net.Conn
}

func start(t *testing.T) (addr string) {
	t.Helper()
	broker, err := bustest.StartBroker(bustest.BrokerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	return broker.Addrs()[0]
}

func dial(t *testing.T, addr string) consumer {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return consumer{t, conn}
}

func (c consumer) send(request kmsg.Request) {
	c.t.Helper()
	if _, err := c.conn.Write(kmsg.NewRequestFormatter().AppendRequest(nil, request, 1)); err != nil {
		c.t.Fatal(err)
	}
}

// hear reads the answer to a request of a version whose header has nothing but the number of the request.
func (c consumer) hear(answer kmsg.Response, version int16) {
	c.t.Helper()
	if err := c.conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		c.t.Fatal(err)
	}
	var size [8]byte
	_, err := io.ReadFull(c.conn, size[:])
	body := make([]byte, max(4, binary.BigEndian.Uint32(size[:4]))-4)
	if err == nil {
		_, err = io.ReadFull(c.conn, body)
	}
	answer.SetVersion(version)
	if err = errors.Join(err, answer.ReadFrom(body)); err != nil {
		c.t.Fatal(err)
	}
}

// group is one, with a consumer that leads it.
type group struct {
	t      *testing.T
	name   string
	leader consumer
	joined kmsg.JoinGroupResponse
	client *kgo.Client
}

func (g *group) join(member string) *kmsg.JoinGroupRequest {
	r := kmsg.NewPtrJoinGroupRequest()
	r.Version, r.Group, r.MemberID, r.ProtocolType = 2, g.name, member, "consumer"
	r.SessionTimeoutMillis, r.RebalanceTimeoutMillis = 6000, 20000
	p := kmsg.NewJoinGroupRequestProtocol()
	p.Name = "range"
	r.Protocols = append(r.Protocols, p)
	return r
}

// lead joins and gives everybody in the group no partition.
func (g *group) lead() {
	g.t.Helper()
	g.leader.send(g.join(g.joined.MemberID))
	g.leader.hear(&g.joined, 2)
	if g.joined.ErrorCode != 0 {
		g.t.Fatalf("joining: error %d", g.joined.ErrorCode)
	}
	g.divide()
}

// divide says that nobody gets a partition, or waits until the leader does.
func (g *group) divide() {
	g.t.Helper()
	r := kmsg.NewPtrSyncGroupRequest()
	r.Version, r.Group, r.MemberID, r.Generation = 1, g.name, g.joined.MemberID, g.joined.Generation
	g.leader.send(r)
	var synced kmsg.SyncGroupResponse
	g.leader.hear(&synced, 1)
	if synced.ErrorCode != 0 {
		g.t.Fatalf("dividing: error %d", synced.ErrorCode)
	}
}

// beat says that the leader lives, which leads again when it is told to.
func (g *group) beat() {
	g.t.Helper()
	if g.told() == kerr.RebalanceInProgress.Code {
		g.lead()
	}
}

// told is the code that the answer to a heartbeat has.
func (g *group) told() int16 {
	g.t.Helper()
	r := kmsg.NewPtrHeartbeatRequest()
	r.Version, r.Group, r.MemberID, r.Generation = 1, g.name, g.joined.MemberID, g.joined.Generation
	g.leader.send(r)
	var beaten kmsg.HeartbeatResponse
	g.leader.hear(&beaten, 1)
	return beaten.ErrorCode
}

// members gives how many there are in the group.
func (g *group) members() int {
	g.t.Helper()
	r := kmsg.NewPtrDescribeGroupsRequest()
	r.Groups = []string{g.name}
	described, err := r.RequestWith(g.t.Context(), g.client)
	if err != nil {
		g.t.Fatal(err)
	}
	return len(described.Groups[0].Members)
}

// A consumer that is killed while it waits for the answer to its join gives its partitions back when its session is over, although
// the others have begun without waiting for it. The broker does not always forget it: among so many groups it does.
func TestWhoDiedBeforeItsJoinWasAnsweredLeavesTheGroup(t *testing.T) {
	t.Parallel()
	addr := start(t)
	client, err := kgo.NewClient(kgo.SeedBrokers(addr))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	groups := make([]*group, 12)
	for n := range groups {
		g := &group{t: t, name: "orders" + strconv.Itoa(n), leader: dial(t, addr), client: client}
		groups[n] = g
		g.lead()
		killed := dial(t, addr)
		killed.send(g.join(""))
		for g.members() != 2 {
			time.Sleep(10 * time.Millisecond)
		}
		if err := killed.conn.Close(); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(100 * time.Millisecond) // until the broker has seen that nobody is there
	for _, g := range groups {
		g.lead()
	}
	for deadline := time.Now().Add(30 * time.Second); len(groups) > 0; time.Sleep(200 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("in %d groups the dead one is a member still", len(groups))
		}
		for _, g := range groups {
			g.beat()
		}
		groups = slices.DeleteFunc(groups, func(g *group) bool { return g.members() == 1 })
	}
}

// Who is slow to join makes the others wait for longer than their sessions last, and they are answered all the same.
func TestWhoWaitsForTheOthersToJoinIsAnsweredHoweverLongItTakes(t *testing.T) {
	t.Parallel()
	addr := start(t)
	quick := &group{t: t, name: "orders", leader: dial(t, addr)}
	quick.lead()
	slow := &group{t: t, name: "orders", leader: dial(t, addr)}
	slow.leader.send(slow.join(""))
	for quick.told() != kerr.RebalanceInProgress.Code {
		time.Sleep(10 * time.Millisecond)
	}
	quick.lead()
	slow.leader.hear(&slow.joined, 2)
	slow.divide()

	quick.leader.send(quick.join(quick.joined.MemberID))
	for slow.told() != kerr.RebalanceInProgress.Code {
		time.Sleep(10 * time.Millisecond)
	}
	for range 18 { // one and a half times what sessions last
		time.Sleep(500 * time.Millisecond)
		if code := slow.told(); code != kerr.RebalanceInProgress.Code {
			t.Fatalf("the slow one was told %d, want to join again", code)
		}
	}
	slow.leader.send(slow.join(slow.joined.MemberID))
	quick.leader.hear(&quick.joined, 2)
	slow.leader.hear(&slow.joined, 2)
	if quick.joined.ErrorCode != 0 || slow.joined.ErrorCode != 0 || quick.joined.Generation != slow.joined.Generation {
		t.Errorf("joined: %+v and %+v", quick.joined, slow.joined)
	}
}
