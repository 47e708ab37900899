package opportunity_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/alias"
	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow/starts"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/pgtest"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/sales"
	"github.com/guanxi-crm/guanxi/services/sales/internal/opportunity"
	"github.com/guanxi-crm/guanxi/services/sales/internal/pipeline"
	"github.com/guanxi-crm/guanxi/services/sales/internal/scoring"
	"github.com/guanxi-crm/guanxi/services/sales/internal/team"
)

// thursday is when the tests begin, at 10 in the morning of Shanghai.
var thursday = time.Date(2026, 11, 26, 2, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

var (
	mei  = auth.Principal{Subject: "mei", Tenant: "pizza", Roles: []string{auth.RoleSales}}
	wang = auth.Principal{Subject: "wang", Tenant: "pizza", Roles: []string{auth.RoleManager}}
	eve  = auth.Principal{Subject: "eve", Tenant: "music", Roles: []string{auth.RoleManager}}
)

func someone() uuid.UUID { return uuid.Must(uuid.NewV7()) }

// shop sells on a real database, at times of the test's own.
type shop struct {
	t         testing.TB
	database  *pgtest.TestDatabase
	db        *pg.DB
	all       *opportunity.Opportunities
	pipelines *pipeline.Pipelines
	teams     *team.Teams
	now       time.Time
	seq       int64
}

func open(t testing.TB) *shop {
	t.Helper()
	s := &shop{t: t, now: thursday}
	s.database = pgtest.Database(t, sales.Module().Source())
	s.db = s.database.DB(pg.App)
	s.use(func() time.Time { return s.now })
	return s
}

// use makes the capabilities with a clock.
func (s *shop) use(clock func() time.Time) {
	s.all = opportunity.New(s.db, outbox.New("sales"), scoring.New(s.db, clock), clock).Following(nil, starts.New(s.db, nil), "sales")
	s.pipelines = pipeline.New(s.db, opportunity.Uses(), clock)
	s.teams = team.New(s.db, clock)
}

func (s *shop) as(p auth.Principal) context.Context { return auth.With(s.t.Context(), p) }

func (s *shop) tx(tenant string, do func(tx *pg.Tx) error) {
	s.t.Helper()
	require.NoError(s.t, s.db.Tx(s.t.Context(), tenant, do))
}

// draft is of an opportunity of somebody, for change to differ from.
func draft(change func(*opportunity.Draft)) opportunity.Draft {
	d := opportunity.Draft{CustomerID: someone(), Name: "Ovens for three kitchens", Currency: "CNY", AmountMinor: 3_600_000, Owner: "mei", Source: "fair"}
	if change != nil {
		change(&d)
	}
	return d
}

func (s *shop) opens(change func(*opportunity.Draft)) opportunity.Opportunity {
	s.t.Helper()
	o, err := s.all.Open(s.as(mei), draft(change))
	require.NoError(s.t, err)
	return o
}

// ready has all that the standard pipeline requires up to its last stage.
func ready(d *opportunity.Draft) {
	d.ExpectedCloseOn, d.NextStep, d.NextStepOn = date(2027, 1, 31), "Taste test with the cook", date(2026, 12, 4)
}

func date(y, m, d int) time.Time { return time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC) }

func (s *shop) see(id uuid.UUID) opportunity.Opportunity {
	s.t.Helper()
	o, err := s.all.Read(s.as(mei), id)
	require.NoError(s.t, err)
	return o
}

func (s *shop) moves(id uuid.UUID, to string) opportunity.Opportunity {
	s.t.Helper()
	o, err := s.all.Move(s.as(mei), id, to)
	require.NoError(s.t, err)
	return o
}

func (s *shop) scans() {
	s.t.Helper()
	require.NoError(s.t, s.all.Scan(s.t.Context()))
}

// number gives what a query that gives one number gives, over all tenants.
func (s *shop) number(sql string, args ...any) (n int64) {
	s.t.Helper()
	require.NoError(s.t, s.database.DB(pg.Ops).System(s.t.Context(), func(tx *pg.Tx) error { return tx.QueryRow(s.t.Context(), sql, args...).Scan(&n) }))
	return n
}

// told counts events of a type.
func (s *shop) told(name string) int64 {
	s.t.Helper()
	return s.number(`SELECT count(*) FROM outbox WHERE headers::text LIKE '%' || $1 || '%'`, name)
}

// merged has an id mean another one.
func (s *shop) merged(customer, survivor uuid.UUID) {
	s.t.Helper()
	s.seq++
	s.tx("pizza", func(tx *pg.Tx) error {
		alias.Queue(tx, alias.Change{CustomerID: customer, SurvivorID: survivor, MergeID: someone(), Epoch: 1, Sequence: s.seq})
		return nil
	})
}

func (s *shop) erased(customers ...uuid.UUID) {
	s.t.Helper()
	s.tx("pizza", func(tx *pg.Tx) error {
		for _, c := range customers {
			tx.Queue(`INSERT INTO erased_customer (tenant_id, customer_id, erasure_id) VALUES ('pizza', $1, $1) ON CONFLICT DO NOTHING`, c)
		}
		done, err := opportunity.Erase(s.t.Context(), tx, customers)
		for _, d := range done {
			require.Zero(s.t, d.Left, d.What)
		}
		return err
	})
}

// code is the stable code of a problem; empty for none.
func code(err error) string {
	var p *problem.Error
	if errors.As(err, &p) {
		return p.Code
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func anyVersion(int64) error { return nil }
