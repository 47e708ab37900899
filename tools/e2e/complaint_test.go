package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/tools/devstack/demo"
	"github.com/guanxi-crm/guanxi/tools/devstack/stack"
	"github.com/guanxi-crm/guanxi/tools/guanxictl/client"
)

// compensation is what every complaint of these tests is settled with: enough points that a manager has to approve them.
const compensation = 6_000

// desk are the people who deal with complaints of the pizza shop.
type desk struct{ agent, manager, admin *client.Client }

func (in *installation) desk() desk {
	in.t.Helper()
	person := func(subject, role string) *client.Client {
		c, err := client.New(in.stack.ServerURL(), client.FromDevIssuer(in.stack.IssuerURL(), client.DevToken{
			Subject: subject, Tenant: demo.Pizza, Roles: []string{role},
		}))
		if err != nil {
			in.t.Fatal(err)
		}
		return c
	}
	return desk{person("mei", "agent"), person("wang", "manager"), person("chen", "admin")}
}

// turn is one decision on the road of a complaint; from is the stage that the process has to bring it to first, if there is
// one.
type turn struct {
	action   string
	by       *client.Client
	decision client.Decision
	from     string
}

func (d desk) road() []turn {
	yes := true
	return []turn{
		{action: "assess", by: d.agent, decision: client.Decision{Admissible: &yes, Severity: 3}},
		{action: "assign", by: d.agent, decision: client.Decision{Unit: "kitchen"}},
		{action: "find", by: d.agent, decision: client.Decision{Finding: "founded", Cause: "product"}},
		{action: "propose", by: d.agent, decision: client.Decision{Currency: "CNY", Parts: []client.Part{{Kind: "points", Points: compensation}}}},
		{action: "approve", by: d.manager, decision: client.Decision{}},
		{action: "accept", by: d.agent, decision: client.Decision{Reason: "She was pleased."}},
	}
}

// longRoad is one on which all happens that can: the responsibility is refused, the customer objects, a remedy has parts that
// several carry out, the verdict is a low one, and the next level deals with it.
func (d desk) longRoad() []turn {
	one, five := 1, 5
	road := d.road()
	road[3].decision.Parts = append(road[3].decision.Parts, client.Part{Kind: "exchange"}, client.Part{Kind: "voucher", AmountMinor: 100})
	return slices.Concat([]turn{
		{action: "acknowledge", by: d.agent, decision: client.Decision{Channel: "phone"}},
	}, road[:2], []turn{
		{action: "decline", by: d.agent, decision: client.Decision{Reason: "It was warm when it left us."}},
		{action: "rule", by: d.manager, decision: client.Decision{Unit: "delivery"}},
		{action: "find", by: d.agent, decision: client.Decision{Finding: "not_provable", Cause: "delivery", Reason: "Nobody measured it."}},
		{action: "object", by: d.agent, decision: client.Decision{Reason: "I did."}},
	}, road[2:], []turn{
		{action: "verify", by: d.agent, decision: client.Decision{Score: &one}, from: "verifying"},
	}, road[1:3], []turn{
		{action: "propose", by: d.agent, decision: client.Decision{Currency: "CNY", Parts: []client.Part{{Kind: "apology"}}}},
		{action: "approve", by: d.manager}, {action: "accept", by: d.agent},
		{action: "verify", by: d.agent, decision: client.Decision{Score: &five}, from: "verifying"},
		{action: "add", by: d.agent, decision: client.Decision{Facts: "The box was wet."}},
	})
}

// complain registers a complaint and has everything decided, each under a key of its own until it is taken; meanwhile is
// called while each is on its way.
func (in *installation) complain(ctx context.Context, d desk, key string, meanwhile func(action string)) client.Complaint {
	in.t.Helper()
	return in.lead(ctx, d, key, d.road(), meanwhile)
}

func (in *installation) lead(ctx context.Context, d desk, key string, road []turn, meanwhile func(action string)) client.Complaint {
	in.t.Helper()
	var c client.Complaint
	in.duringA("register", meanwhile, func() {
		in.persist(ctx, "complaint "+key, func() (err error) {
			c, err = d.agent.RegisterComplaint(ctx, client.NewComplaint{
				CustomerID: uuid.NewSHA1(uuid.NameSpaceURL, []byte(key)).String(), Category: "product", Channel: "phone",
				Description: "The pizza was cold.", Key: key,
			})
			return err
		})
	})
	for i, step := range road {
		if step.from != "" {
			in.reach(ctx, d, c.ComplaintID, step.from)
		}
		in.duringA(step.action, meanwhile, func() {
			in.persist(ctx, step.action+" "+key, func() error {
				_, err := step.by.Decide(ctx, c.ComplaintID, step.action, step.decision, fmt.Sprintf("%s/%d/%s", key, i, step.action))
				return err
			})
		})
	}
	return c
}

func (in *installation) duringA(action string, meanwhile func(string), do func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		meanwhile(action)
	}()
	do()
	<-done
}

// reach waits until the complaint is in a stage.
func (in *installation) reach(ctx context.Context, d desk, id, stage string) (now client.Complaint) {
	in.t.Helper()
	in.eventually(3*time.Minute, func() (err error) {
		if now, err = d.agent.GetComplaint(ctx, id); err == nil && now.Stage != stage {
			err = fmt.Errorf("complaint %s is %s", now.Number, now.Stage)
		}
		return err
	})
	return now
}

// settled waits until the complaint is closed, and demands that it is as if nothing had happened to anybody.
func (in *installation) settled(ctx context.Context, d desk, id string) {
	in.t.Helper()
	in.settledBy(ctx, d, id, "register", "assess", "assign", "find", "propose", "approve", "accept", "execute")
}

func (in *installation) settledBy(ctx context.Context, d desk, id string, want ...string) {
	in.t.Helper()
	now := in.reach(ctx, d, id, client.Closed)
	var actions []string
	for _, s := range now.Steps {
		actions = append(actions, s.Action)
	}
	if !slices.Equal(actions, want) || now.Outcome != "settled" {
		in.t.Errorf("complaint %s is %s by %v, want settled by %v", now.Number, now.Outcome, actions, want)
	}
}

// earned counts, by what they were for, the points that loyalty's topic tells of, each event once.
func (in *installation) earned(ctx context.Context, tenant string) (map[string]int64, error) {
	points, seen := make(map[string]int64), make(map[uuid.UUID]bool)
	topic := bus.TopicFor("loyalty")
	first, next, err := in.bus.Offsets(ctx, topic)
	if err != nil {
		return nil, err
	}
	for partition := range next {
		err := in.bus.Read(ctx, topic, partition, first[partition], next[partition], func(m bus.Message) error {
			e, err := bus.Decode(m)
			if err != nil || seen[e.ID] || e.Tenant != tenant || !strings.HasSuffix(e.Type, ".PointsEarned") {
				return err
			}
			seen[e.ID] = true
			var told struct {
				ReasonType, ReasonID string
				Points               int64 `json:",string"`
			}
			err = json.Unmarshal(e.Data, &told)
			points[told.ReasonType+"/"+told.ReasonID] += told.Points
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return points, nil
}

// compensatedOnce demands that the customer of each complaint got its points once, no more and no less, and that the ledger
// says the same.
func (in *installation) compensatedOnce(ctx context.Context, d desk, complaints []string) {
	in.t.Helper()
	in.eventually(5*time.Minute, in.level) // the broker takes its time to forget consumers that were killed
	points, err := in.earned(ctx, demo.Pizza)
	if err != nil {
		in.t.Fatal(err)
	}
	for _, id := range complaints {
		if got := points["complaint/"+id]; got != compensation {
			in.t.Errorf("the topic tells of %d points for complaint %s", got, id)
		}
	}
	in.ledgerHolds(ctx, d.admin, int64(len(complaints))*compensation)
}

// ledgerHolds demands that the tenant's members earned so many points, and that an auditor finds nothing.
func (in *installation) ledgerHolds(ctx context.Context, admin *client.Client, earned int64) {
	in.t.Helper()
	s, err := admin.PointsSummary(ctx)
	if err != nil {
		in.t.Fatal(err)
	}
	if s.Earned != earned || s.LedgerSum != 0 {
		in.t.Errorf("the ledger says %+v instead of %d points earned and a sum of 0", s, earned)
	}
	audit, err := admin.AuditPoints(ctx)
	if err != nil {
		in.t.Fatal(err)
	}
	if !audit.OK || audit.LedgerSum != 0 {
		in.t.Errorf("the auditor finds %+v", audit)
	}
}

// complainants take complaints through, one after the other, at least three and until stop is closed.
func (in *installation) complainants(ctx context.Context, stop <-chan struct{}) (complaints []string) {
	d := in.desk()
	for n := 0; ; n++ {
		if n >= 3 {
			select {
			case <-stop:
				return complaints
			default:
			}
		}
		complaints = append(complaints, in.complain(ctx, d, fmt.Sprintf("raging-%d", n), func(string) {}).ComplaintID)
	}
}

func TestKillingTheWorkersAtEachStepOfAComplaintChangesNothing(t *testing.T) {
	t.Parallel()
	in := install(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	in.persist(ctx, "tenants", func() error { return in.at().Tenants(ctx) })
	d := in.desk()
	undisturbed := in.complain(ctx, d, "undisturbed", func(string) {})
	in.settled(ctx, d, undisturbed.ComplaintID)

	var kills atomic.Int64
	disturb := func(action string) {
		// While the decision is on its way, and a little later, when it may have arrived: both have workers.
		for _, p := range []*stack.Process{in.second, in.first} {
			if err := p.Kill(); err != nil {
				t.Errorf("%s: %v", action, err)
			}
			kills.Add(1)
			time.Sleep(50 * time.Millisecond)
		}
		if err := in.first.WaitReady(ctx); err != nil {
			t.Errorf("%s: %v", action, err)
		}
	}
	disturbed := in.complain(ctx, d, "disturbed", disturb)
	// And while it is carried out.
	if err := in.second.Kill(); err != nil {
		t.Fatal(err)
	}
	in.settled(ctx, d, disturbed.ComplaintID)

	in.persist(ctx, "policy", func() error {
		return d.admin.ChangeComplaintPolicy(ctx, func(p *client.ComplaintPolicy) { p.VerifySeconds, p.LegalDays = 86_400, 15 })
	})
	turns := 0
	long := in.lead(ctx, d, "long", d.longRoad(), func(action string) { // one after the other, so that one of them goes on
		p := []*stack.Process{in.second, in.first}[turns%2]
		turns++
		if err := p.Kill(); err != nil {
			t.Errorf("%s: %v", action, err)
		}
		kills.Add(1)
		if err := p.WaitReady(ctx); err != nil {
			t.Errorf("%s: %v", action, err)
		}
	})
	in.settledBy(ctx, d, long.ComplaintID, "register", "acknowledge", "assess", "assign", "decline", "rule", "find", "object", "reopen", "find",
		"propose", "approve", "accept", "execute", "verify", "reopen", "assign", "find", "propose", "approve", "accept", "execute", "verify", "add")
	in.compensatedOnce(ctx, d, []string{undisturbed.ComplaintID, disturbed.ComplaintID, long.ComplaintID})
	if n := in.parked(); n != 0 || kills.Load() < 14+int64(len(d.longRoad())) {
		t.Errorf("%d events were parked, %d kills", n, kills.Load())
	}
}
