package membership_test

import (
	"context"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/ledger"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/loyaltytest"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/membership"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/tier"
)

type body = map[string]any

// terms has a plan with everything, one without anything, and tiers.
func terms(leaving body) body {
	t := body{
		"return_days": 14, "join_by_purchase": true,
		"tiers": body{"levels": []body{{"code": "basic", "threshold": 0}, {"code": "gold", "threshold": 1000}}},
		"plans": []body{
			{
				"code": "gold_year", "name": "Gold, a year", "currency": "CNY", "fee_minor": 19900, "months": 12, "benefits": []string{"free_delivery"},
				"tier": "gold", "welcome_points": 500, "reminder_days": 30, "grace_days": 7,
			},
			{"code": "free_month", "currency": "CNY", "fee_minor": 0, "months": 1, "renewal": "none"},
		},
	}
	if leaving != nil {
		t["leaving"] = leaving
	}
	return t
}

// club is a running service whose standard programme has plans, and the capability beside the service's own by a clock that the
// test sets: in a future that the service itself does not reach.
type club struct {
	*loyaltytest.World
	t   *testing.T
	now atomic.Pointer[time.Time]
	own *membership.Memberships
}

func start(t *testing.T, leaving body) *club {
	t.Helper()
	c := &club{World: loyaltytest.Start(t), t: t}
	c.Want(http.StatusCreated, http.MethodPost, "/v1/programmes", c.Manager,
		body{"code": "standard", "name": "Club", "zone": "Asia/Shanghai", "terms": terms(leaving)}, nil)
	c.own = c.another()
	c.is("2090-01-10 12:00")
	return c
}

// another is the capability as another process has it.
func (c *club) another() *membership.Memberships {
	clock, o, ops := func() time.Time { return *c.now.Load() }, outbox.New("loyalty"), c.Database.DB(pg.Ops)
	return membership.New(c.DB, ops, o, ledger.New(c.DB, o, clock), tier.New(c.DB, ops, o, clock), clock)
}

// is sets the clock, as walls in Shanghai show it.
func (c *club) is(wall string) {
	c.t.Helper()
	at, err := time.ParseInLocation("2006-01-02 15:04", wall, zone(c.t, "Asia/Shanghai"))
	if err != nil {
		c.t.Fatal(err)
	}
	c.now.Store(&at)
}

// as gives a context in which somebody of a tenant acts.
func (c *club) as(tenant string) context.Context {
	return auth.With(c.t.Context(), auth.Principal{Subject: "seller", Tenant: tenant})
}

// buy buys a membership of a year.
func (c *club) buy(m loyaltytest.Member, payment string) membership.Membership {
	c.t.Helper()
	s, bought, err := c.own.Buy(c.as("pizza"), m.MemberID, "gold_year", membership.Payment{Reference: payment})
	if err != nil || !bought {
		c.t.Fatalf("%t %v", bought, err)
	}
	return s
}

// scan does what is due.
func (c *club) scan() {
	c.t.Helper()
	if err := c.own.Scan(c.t.Context()); err != nil {
		c.t.Fatal(err)
	}
}

// read reads a membership as it is kept.
func (c *club) read(id uuid.UUID) membership.Membership {
	c.t.Helper()
	s, err := c.own.Get(c.as("pizza"), id)
	if err != nil {
		c.t.Fatal(err)
	}
	return s
}

// told gives the names of the events about a member that were told of memberships, leaving and tiers, in their order.
func (c *club) told(m loyaltytest.Member, names ...string) (told []string) {
	c.t.Helper()
	for _, e := range c.events(m) {
		name := e.Type[len("guanxi.loyalty.events.v1."):]
		if slices.Contains(names, name) {
			told = append(told, name)
		}
	}
	return told
}

// events gives all events about a member that have come out, once all have.
func (c *club) events(m loyaltytest.Member) (events []bus.Event) {
	c.t.Helper()
	c.Eventually("all events are out", func() bool { return c.Count(`SELECT count(*) FROM outbox`) == 0 })
	all := int(c.Count(`SELECT coalesce(sum(seq), 0)::bigint FROM outbox_seq WHERE topic = 'guanxi.loyalty.events.v1'`))
	for _, e := range c.Events(all) {
		if e.AggregateID == m.MemberID.String() {
			events = append(events, e)
		}
	}
	return events
}

// tells reads the latest event about a member into a message of its type, and gives its content.
func (c *club) tells(m loyaltytest.Member, into proto.Message) []byte {
	c.t.Helper()
	var found []byte
	for _, e := range c.events(m) {
		if e.Type == string(into.ProtoReflect().Descriptor().FullName()) {
			found = e.Data
		}
	}
	if found == nil {
		c.t.Fatalf("nothing was told of %T", into)
	}
	if err := protojson.Unmarshal(found, into); err != nil {
		c.t.Fatal(err)
	}
	return found
}

// tierOf is the tier that a member has.
func (c *club) tierOf(m loyaltytest.Member) string {
	c.t.Helper()
	if c.Count(`SELECT count(*) FROM tier_standing WHERE tenant_id = 'pizza' AND member_id = $1 AND level = 'gold'`, m.MemberID) == 1 {
		return "gold"
	}
	return ""
}
