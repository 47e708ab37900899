package retention_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/worker"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/alias"
	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/flow/starts"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/inbox"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/pgtest"
	"github.com/guanxi-crm/guanxi/platform/problem"
	accountsactivitiesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/accounts/activities/v1"
	salesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/sales/events/v1"
	"github.com/guanxi-crm/guanxi/services/loyalty"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/ledger"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/retention"
)

// thursday is when the tests begin.
var thursday = time.Date(2026, 11, 26, 9, 30, 0, 0, time.UTC)

var (
	wang = auth.Principal{Subject: "wang", Tenant: "pizza", Roles: []string{auth.RoleManager}}
	mei  = auth.Principal{Subject: "mei", Tenant: "pizza", Roles: []string{auth.RoleAgent}}
	eve  = auth.Principal{Subject: "eve", Tenant: "music", Roles: []string{auth.RoleManager}}
)

const day = 24 * time.Hour

func someone() uuid.UUID { return uuid.Must(uuid.NewV7()) }

// shop is a tenant's customers at times of the test's own, on a real database.
type shop struct {
	t          *testing.T
	database   *pgtest.TestDatabase
	db         *pg.DB
	retentions *retention.Retention
	now        time.Time
	seq        int64
}

func open(t *testing.T) *shop {
	t.Helper()
	s := &shop{t: t, now: thursday}
	s.database = pgtest.Database(t, loyalty.Module().Source())
	s.db = s.database.DB(pg.App)
	s.use(func() time.Time { return s.now })
	return s
}

// use makes the capability with a clock.
func (s *shop) use(clock func() time.Time) {
	o := outbox.New("loyalty")
	s.retentions = retention.New(s.db, o, nil, starts.New(s.db, nil), ledger.New(s.db, o, clock), "loyalty", clock)
}

func (s *shop) as(p auth.Principal) context.Context { return auth.With(s.t.Context(), p) }

func (s *shop) tx(tenant string, do func(tx *pg.Tx)) {
	s.t.Helper()
	require.NoError(s.t, s.db.Tx(s.t.Context(), tenant, func(tx *pg.Tx) error { do(tx); return nil }))
}

// apply hands events to a consumer, as its batch.
func (s *shop) apply(tenant string, c inbox.Consumer, messages ...proto.Message) error {
	s.t.Helper()
	ctx := auth.With(s.t.Context(), auth.Principal{Subject: "consumer", Tenant: tenant})
	events := make([]inbox.Event, len(messages))
	for i, m := range messages {
		s.seq++
		events[i] = inbox.Event{Event: bus.Event{ID: someone(), Tenant: tenant, Epoch: 1, Sequence: s.seq}, Message: m}
	}
	return s.db.Tx(ctx, tenant, func(tx *pg.Tx) error { return c.Apply(ctx, tx, events) })
}

func (s *shop) told(tenant string, c inbox.Consumer, messages ...proto.Message) {
	s.t.Helper()
	require.NoError(s.t, s.apply(tenant, c, messages...))
}

// sold has the customer buy for an amount of fen at a time.
func (s *shop) sold(customer uuid.UUID, at time.Time, fen int64) (order uuid.UUID) {
	s.t.Helper()
	order = someone()
	s.told("pizza", s.retentions.Orders(), placed(order, customer, at, "CNY", fen))
	return order
}

func placed(order, customer uuid.UUID, at time.Time, currency string, minor int64) *salesv1.OrderPlaced {
	m := &salesv1.OrderPlaced{OrderId: order.String(), Channel: "shop", Currency: currency, Units: 1, TotalMinor: minor, PlacedAt: timestamppb.New(at)}
	if customer != uuid.Nil {
		m.CustomerId = customer.String()
	}
	return m
}

func back(order uuid.UUID, fen int64) *salesv1.OrderReturned {
	return &salesv1.OrderReturned{ReturnId: someone().String(), OrderId: order.String(), Currency: "CNY", Units: 1, AmountMinor: fen, ReturnedAt: timestamppb.Now()}
}

// worth is somebody who bought for so many fen within the last year.
func (s *shop) worth(fen int64) uuid.UUID {
	s.t.Helper()
	who := someone()
	s.sold(who, s.now.Add(-100*day), fen)
	return who
}

// merged has an id mean another one.
func (s *shop) merged(customer, survivor uuid.UUID) {
	s.t.Helper()
	s.seq++
	s.tx("pizza", func(tx *pg.Tx) {
		alias.Queue(tx, alias.Change{CustomerID: customer, SurvivorID: survivor, MergeID: someone(), Epoch: 1, Sequence: s.seq})
	})
}

func (s *shop) erased(customers ...uuid.UUID) {
	s.t.Helper()
	s.tx("pizza", func(tx *pg.Tx) {
		for _, c := range customers {
			tx.Queue(`INSERT INTO erased_customer (tenant_id, customer_id, erasure_id) VALUES ('pizza', $1, $1)`, c)
		}
		done, err := s.retentions.Erase(s.t.Context(), tx, customers)
		require.NoError(s.t, err)
		for _, d := range done {
			require.Zero(s.t, d.Left, d.What)
		}
	})
}

// terms are those of a plan to win back, for change to differ from.
func terms(change func(*retention.Terms)) retention.Terms {
	t := retention.Terms{
		Name: "Win back", Active: true, Kind: retention.WinBack, Programme: "standard", Currency: "CNY",
		Bands:    retention.ValueBands{MediumFromMinor: 50_000, HighFromMinor: 200_000},
		Offers:   []retention.Deal{{Code: "big", Points: 500, CostMinor: 500, ValidSeconds: 14 * 86400}, {Code: "small", Points: 100, CostMinor: 100, ValidSeconds: 14 * 86400}},
		Segments: []retention.OfferSegment{{Reason: retention.Price, Offer: "big"}, {Offer: "small"}},
		Steps: []retention.StepPlan{
			{Kind: retention.StepContact}, {Kind: retention.StepOffer, AfterSeconds: 3 * 86400}, {Kind: retention.StepReminder, AfterSeconds: 7 * 86400, Channel: "sms"},
			{Kind: retention.StepSurvey, AfterSeconds: 10 * 86400},
		},
		CostCapPermille: 100, WindowSeconds: 60 * 86400, CoolDownDays: 90,
	}
	if change != nil {
		change(&t)
	}
	return t
}

// plan makes a plan of the tenant pizza.
func (s *shop) plan(code string, change func(*retention.Terms)) retention.Plan {
	s.t.Helper()
	p, err := s.retentions.MakePlan(s.as(wang), code, terms(change))
	require.NoError(s.t, err)
	return p
}

// byHand opens a case.
func (s *shop) byHand(customer uuid.UUID, plan string) retention.Told {
	s.t.Helper()
	c, err := s.retentions.OpenByHand(s.as(wang), retention.Draft{CustomerID: customer, Plan: plan}, "")
	require.NoError(s.t, err)
	return c
}

// cases are those of the tenant pizza of whom the id means, the latest first; Nil for all.
func (s *shop) cases(customer uuid.UUID) []retention.Told {
	s.t.Helper()
	all, err := s.retentions.List(s.as(wang), retention.Filter{CustomerID: customer}, 200)
	require.NoError(s.t, err)
	return all
}

// number gives what a query that gives one number gives, over all tenants.
func (s *shop) number(sql string, args ...any) (n int64) {
	s.t.Helper()
	require.NoError(s.t, s.database.DB(pg.Ops).System(s.t.Context(), func(tx *pg.Tx) error { return tx.QueryRow(s.t.Context(), sql, args...).Scan(&n) }))
	return n
}

// points are what the customer's members have.
func (s *shop) points(customer uuid.UUID) int64 {
	s.t.Helper()
	return s.number(`SELECT coalesce(sum(available), 0)::bigint FROM member WHERE customer_id = $1`, customer)
}

// code is the stable code of a problem; empty for none.
func code(err error) string {
	var p *problem.Error
	if errors.As(err, &p) {
		return p.Code
	}
	return ""
}

// neighbour stands in for accounts: it keeps the promise of the contract of its activity.
type neighbour struct {
	mu      sync.Mutex
	now     func() time.Time
	refuse  map[string]string // by step, such as offer: why the customer is not reached; "*" for all
	fault   string            // with which it refuses the question itself
	away    int               // how many calls find it away
	stale   int               // how many answers are too old to be of use
	asked   []*accountsactivitiesv1.ResolveContact
	tenants []string
	answers map[string]*accountsactivitiesv1.ResolveContactResult
}

func (n *neighbour) register(r worker.Registry) {
	r.RegisterActivityWithOptions(n.resolve, activity.RegisterOptions{Name: flow.ActivityName(&accountsactivitiesv1.ResolveContact{})})
}

func (n *neighbour) resolve(ctx context.Context, in *accountsactivitiesv1.ResolveContact) (*accountsactivitiesv1.ResolveContactResult, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.away > 0 {
		n.away--
		return nil, errors.New("away")
	}
	if n.fault != "" {
		return nil, problem.New(problem.Unprocessable, n.fault, "This is not valid.")
	}
	if before := n.answers[in.GetIdempotencyKey()]; before != nil {
		return before, nil
	}
	n.asked, n.tenants = append(n.asked, in), append(n.tenants, auth.Tenant(ctx))
	answer := &accountsactivitiesv1.ResolveContactResult{Allowed: true, ContactId: someone().String(), Channel: "email", ValidUntil: timestamppb.New(n.now().Add(time.Hour))}
	if in.GetChannel() != "" {
		answer.Channel = in.GetChannel()
	}
	if n.stale > 0 {
		n.stale--
		answer.ValidUntil = timestamppb.New(n.now().Add(-time.Minute))
	}
	for _, step := range []string{stepOf(in.GetIdempotencyKey()), "*"} {
		if why := n.refuse[step]; why != "" {
			answer = &accountsactivitiesv1.ResolveContactResult{Refusal: why, ContactId: someone().String()}
		}
	}
	if n.answers == nil {
		n.answers = make(map[string]*accountsactivitiesv1.ResolveContactResult)
	}
	n.answers[in.GetIdempotencyKey()] = answer
	return answer, nil
}

// stepOf gives offer of retention/pizza/<id>/offer-2/1.
func stepOf(key string) string {
	parts := splitKey(key)
	name := parts[len(parts)-2]
	return name[:len(name)-2]
}
