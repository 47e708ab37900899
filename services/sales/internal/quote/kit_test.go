package quote_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/flow/starts"
	"github.com/guanxi-crm/guanxi/platform/flowtest"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/pgtest"
	"github.com/guanxi-crm/guanxi/services/sales"
	"github.com/guanxi-crm/guanxi/services/sales/internal/opportunity"
	"github.com/guanxi-crm/guanxi/services/sales/internal/order"
	"github.com/guanxi-crm/guanxi/services/sales/internal/pricing"
	"github.com/guanxi-crm/guanxi/services/sales/internal/quote"
	"github.com/guanxi-crm/guanxi/services/sales/internal/scoring"
)

var (
	mei  = auth.Principal{Subject: "mei", Tenant: "pizza", Roles: []string{auth.RoleSales}}
	chen = auth.Principal{Subject: "chen", Tenant: "pizza", Roles: []string{auth.RoleManager}} // leads the team
	wang = auth.Principal{Subject: "wang", Tenant: "pizza", Roles: []string{auth.RoleManager}} // leads the company
	eve  = auth.Principal{Subject: "eve", Tenant: "music", Roles: []string{auth.RoleManager}}
)

// shop is a tenant's quotes at times of the test's own, on a real database.
type shop struct {
	t        *testing.T
	database *pgtest.TestDatabase
	db       *pg.DB
	quotes   *quote.Quotes
	now      time.Time
}

func open(t *testing.T) *shop {
	t.Helper()
	s := &shop{t: t, now: thursday}
	s.database = pgtest.Database(t, sales.Module().Source())
	s.db = s.database.DB(pg.App)
	s.use(func() time.Time { return s.now })
	return s
}

// use makes the capability with a clock.
func (s *shop) use(clock func() time.Time) {
	s.t.Helper()
	fonts, err := quote.OpenFonts(nil)
	require.NoError(s.t, err)
	o, fl := outbox.New("sales"), flowtest.NewFrontend(s.t).Client()
	s.quotes = quote.New(s.db, o, fl, starts.New(s.db, fl), quote.Rooms{
		Pricing: pricing.New(s.db, clock), Orders: order.New(s.db, o, clock), Opportunities: opportunity.New(s.db, o, scoring.New(s.db, clock), clock),
	}, fonts, "sales", clock)
}

func (s *shop) as(p auth.Principal) context.Context { return auth.With(s.t.Context(), p) }

// levels is the policy of a team and a company: above 10 % the team's lead is asked within 4 working hours, above 20 % or 50,000 CNY
// the company's within 8 hours as well. In Shanghai it is 17:30 when the tests begin, half an hour before they go home.
func (s *shop) levels(change func(p *quote.Policy)) {
	s.t.Helper()
	p := quote.StandardPolicy()
	p.TimeZone = "Asia/Shanghai"
	p.Levels = []quote.Level{
		{Code: "team", Name: "Team lead", Limits: quote.Limits{Discount: 2000, Amounts: map[string]int64{"CNY": 5_000_000}}, Within: 4 * time.Hour, Working: true},
		{Code: "company", Name: "Board", Limits: quote.Limits{Discount: 5000}, Approvers: []string{"wang", "zhao"}, Within: 8 * time.Hour},
	}
	if change != nil {
		change(&p)
	}
	now, err := s.quotes.Policy(s.as(wang))
	require.NoError(s.t, err)
	_, err = s.quotes.SetPolicy(s.as(wang), p, func(version int64) error { require.Equal(s.t, now.Version, version); return nil })
	require.NoError(s.t, err)
}

// free is an offer of words only with a discount.
func free(rate int32) quote.Offer {
	o := kitchen()
	o.Lines[0].SKU, o.Lines[0].Text = "", "An oven"
	o.Discount.Rate = rate
	return o
}

// drafted is a quote of mei's with a discount.
func (s *shop) drafted(rate int32) quote.Told {
	s.t.Helper()
	q, err := s.quotes.Create(s.as(mei), someone(), uuid.Nil, free(rate))
	require.NoError(s.t, err)
	return q
}

// submitted is one that mei has submitted.
func (s *shop) submitted(rate int32) quote.Told {
	s.t.Helper()
	q, err := s.quotes.Submit(s.as(mei), s.drafted(rate).ID, 1)
	require.NoError(s.t, err)
	return q
}

// sent is one that the customer has.
func (s *shop) sent() quote.Told {
	s.t.Helper()
	q, err := s.quotes.Send(s.as(mei), s.submitted(0).ID, 1)
	require.NoError(s.t, err)
	return q
}

func (s *shop) get(id uuid.UUID) quote.Told {
	s.t.Helper()
	q, err := s.quotes.Get(s.as(mei), id)
	require.NoError(s.t, err)
	return q
}

func someone() uuid.UUID { return uuid.Must(uuid.NewV7()) }

// count counts what a statement of the tenant pizza counts.
func (s *shop) count(sql string, args ...any) (n int) {
	s.t.Helper()
	require.NoError(s.t, s.db.Tx(s.t.Context(), "pizza", func(tx *pg.Tx) error { return tx.QueryRow(s.t.Context(), sql, args...).Scan(&n) }))
	return n
}

// told counts the events of a type that wait to be published.
func (s *shop) told(event string) (n int) {
	s.t.Helper()
	require.NoError(s.t, s.database.DB(pg.Relay).System(s.t.Context(), func(tx *pg.Tx) error {
		return tx.QueryRow(s.t.Context(), `SELECT count(*) FROM outbox WHERE headers::text LIKE '%events.v1.' || $1 || '"%'`, event).Scan(&n)
	}))
	return n
}

// event gives the last event of a type that waits to be published.
func (s *shop) event(name string) (payload []byte) {
	s.t.Helper()
	require.NoError(s.t, s.database.DB(pg.Relay).System(s.t.Context(), func(tx *pg.Tx) error {
		return tx.QueryRow(s.t.Context(), `SELECT payload FROM outbox WHERE headers::text LIKE '%events.v1.' || $1 || '"%' ORDER BY id DESC LIMIT 1`, name).Scan(&payload)
	}))
	return payload
}

// steps gives what happened to a quote.
func steps(q quote.Told) (all []string) {
	for _, s := range q.Steps {
		one := string(s.Action)
		if s.Level != "" {
			one += " " + s.Level
		}
		all = append(all, one+" by "+s.By)
	}
	return all
}

// erase erases a customer of the tenant pizza, as the eraser does.
func (s *shop) erase(customer uuid.UUID) (done []erasure.Erased) {
	s.t.Helper()
	require.NoError(s.t, s.db.Tx(s.t.Context(), "pizza", func(tx *pg.Tx) (err error) {
		tx.Queue(`INSERT INTO erased_customer (tenant_id, customer_id, erasure_id) VALUES ($1, $2, $2)`, tx.Tenant(), customer)
		done, err = quote.Erase(s.t.Context(), tx, []uuid.UUID{customer})
		return err
	}))
	return done
}
