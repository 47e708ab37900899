package crisis_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/inbox"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/pgtest"
	salesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/sales/events/v1"
	"github.com/guanxi-crm/guanxi/services/tickets"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/crisis"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/purchase"
)

// thursday is when the tests look, at half past nine.
var thursday = time.Date(2026, 11, 26, 9, 30, 0, 0, time.UTC)

var (
	wang = auth.Principal{Subject: "wang", Tenant: "pizza", Roles: []string{auth.RoleManager}}
	eve  = auth.Principal{Subject: "eve", Tenant: "music", Roles: []string{auth.RoleManager}}
)

// shop is a tenant's sales and complaints at times of the test's own, on a real database.
type shop struct {
	t      *testing.T
	db     *pg.DB
	crises *crisis.Crises
	now    time.Time
	number int64
}

func open(t *testing.T) *shop {
	t.Helper()
	s := &shop{t: t, db: pgtest.Database(t, tickets.Module().Source()).DB(pg.App), now: thursday}
	s.crises = crisis.New(s.db, outbox.New("tickets"), nil, nil, "tickets", func() time.Time { return s.now })
	return s
}

// days gives a moment so many days before the test looks, at the same time of the day.
func days(n float64) time.Time { return thursday.Add(-time.Duration(n * float64(24*time.Hour))) }

func (s *shop) tx(tenant string, do func(tx *pg.Tx)) {
	s.t.Helper()
	require.NoError(s.t, s.db.Tx(s.t.Context(), tenant, func(tx *pg.Tx) error { do(tx); return nil }))
}

// sold is an order of one article, as sales tells of it.
func (s *shop) sold(tenant, sku string, units int64, at time.Time) (order uuid.UUID) {
	s.t.Helper()
	order = uuid.Must(uuid.NewV7())
	e := inbox.Event{Event: bus.Event{ID: order, Time: at}, Message: &salesv1.OrderPlaced{
		OrderId: order.String(), Channel: "shop", Currency: "CNY", Units: units, PlacedAt: timestamppb.New(at),
		Lines: []*salesv1.OrderLine{{LineNo: 1, Sku: sku, Quantity: units}},
	}}
	require.NoError(s.t, s.db.Tx(s.t.Context(), tenant, func(tx *pg.Tx) error {
		return purchase.Consumer().Apply(s.t.Context(), tx, []inbox.Event{e})
	}))
	return order
}

// complained is a complaint of a customer about an order, which may be Nil.
func (s *shop) complained(tenant string, customer, order uuid.UUID, category string, at time.Time) (complaint uuid.UUID) {
	s.t.Helper()
	complaint = uuid.Must(uuid.NewV7())
	s.number++
	s.tx(tenant, func(tx *pg.Tx) {
		tx.Queue(`INSERT INTO ticket (tenant_id, id, version, number, kind, channel, customer_id, subject, description, impact, urgency, priority,
				status, opened_at, changed_at)
			VALUES ($1, $2, 1, $3, 'complaint', 'phone', $4, 'complaint', '', 2, 2, 3, 'new', $5, $5)`, tenant, complaint, s.number, customer, at)
		tx.Queue(`INSERT INTO complaint (tenant_id, id, version, ticket_id, number, customer_id, order_id, category, channel, stage, severity, unit,
				person, finding, cause, proposal, currency, cost_minor, approval, proposed_by, rounds, reminders, silent, outcome, registered_at, trace)
			VALUES ($1, $2, 1, $2, $3, $4, $5, $6, 'phone', 'registered', 0, '', '', '', '', 0, '', 0, '', '', 0, 0, false, '', $7, '{}')`,
			tenant, complaint, fmt.Sprint(s.number), customer, pg.OrNull(order), category, at)
	})
	return complaint
}

func someone() uuid.UUID { return uuid.Must(uuid.NewV7()) }

// found gives what is found of a series.
func (s *shop) found(by auth.Principal, dimension crisis.Dimension, value string) crisis.Finding {
	s.t.Helper()
	look, err := s.crises.Series(auth.With(s.t.Context(), by))
	require.NoError(s.t, err)
	for _, f := range look.Findings {
		if f.Dimension == dimension && f.Value == value {
			return f
		}
	}
	s.t.Fatalf("there is no series %s %s among %+v", dimension, value, look.Findings)
	return crisis.Finding{}
}

// scan looks for bursts and gives what is proposed.
func (s *shop) scan(by auth.Principal) (values []string) {
	s.t.Helper()
	proposed, err := s.crises.ScanTenant(auth.With(s.t.Context(), by))
	require.NoError(s.t, err)
	for _, c := range proposed {
		values = append(values, c.Value)
	}
	return values
}

// decide makes a decision that needs no process.
func (s *shop) decide(c crisis.Told, a crisis.Action) crisis.Told {
	s.t.Helper()
	told, err := s.crises.Decide(auth.With(s.t.Context(), wang), crisis.Decision{CrisisID: c.ID, Action: a}, "because")
	require.NoError(s.t, err)
	return told
}

// only gives the one crisis that there is in a stage.
func (s *shop) only(stage crisis.Stage) crisis.Told {
	s.t.Helper()
	all, err := s.crises.List(auth.With(s.t.Context(), wang), crisis.Filter{Stage: stage}, 10)
	require.NoError(s.t, err)
	require.Len(s.t, all, 1)
	return all[0]
}
