package grade_test

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/analyticstest"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/grade"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/run"
)

// body is a JSON object.
type body = map[string]any

// world is the service with a pyramid whose runs are worked by hand, at a time that the test sets.
type world struct {
	*analyticstest.World
	*analyticstest.Clock
	pyramid *grade.Pyramid
	t       *testing.T
}

func start(t *testing.T) *world {
	t.Helper()
	w := &world{World: analyticstest.Start(t), Clock: analyticstest.NewClock(), t: t}
	w.pyramid = grade.New(w.DB, outbox.New("analytics"), run.New(w.DB, w.Database.DB(pg.Ops), w.Now), w.Now)
	w.pyramid.Chunks(7, 5)
	return w
}

type purchase = analyticstest.Purchase

// dealing is something that costs.
type dealing struct {
	Kind     string    `json:"kind"` // ticket, complaint, touch, interaction
	Customer uuid.UUID `json:"customer_id"`
	At       time.Time `json:"at"`
	Cost     int64     `json:"cost"` // of a complaint's remedy
	Currency string    `json:"currency"`
}

// past is what customers did.
type past struct {
	purchases []purchase
	dealings  []dealing
}

func history(random *rand.Rand, customers []uuid.UUID, orders, dealings, days int, day time.Time) (h past) {
	at := func() time.Time {
		return day.AddDate(0, 0, -random.IntN(days)).Add(time.Duration(random.IntN(24)) * time.Hour)
	}
	for range orders {
		p := purchase{
			Order: analyticstest.ID(), Customer: customers[random.IntN(len(customers))], Channel: []string{"shop", "web", "fair"}[random.IntN(3)], Currency: "USD",
			Units: 1 + random.Int64N(3), Total: random.Int64N(7) * 505, At: at(),
		}
		if random.IntN(10) == 0 {
			p.Currency = "EUR"
		}
		if random.IntN(4) == 0 {
			p.BackUnits, p.BackAt = 1+random.Int64N(p.Units), p.At.AddDate(0, 0, random.IntN(60))
			p.BackMinor = p.Total * p.BackUnits / p.Units
		}
		h.purchases = append(h.purchases, p)
	}
	for range dealings {
		h.dealings = append(h.dealings, dealing{
			Kind: []string{"ticket", "complaint", "touch", "interaction"}[random.IntN(4)], Customer: customers[random.IntN(len(customers))], At: at(),
			Cost: random.Int64N(300), Currency: []string{"USD", "EUR"}[random.IntN(2)],
		})
	}
	return h
}

// facts stores the past of a tenant, with portraits of its customers.
func (w *world) facts(tenant string, h past) {
	w.t.Helper()
	w.Bought(tenant, h.purchases...)
	if len(h.dealings) == 0 {
		return
	}
	all, err := json.Marshal(h.dealings)
	require.NoError(w.t, err)
	const dealt = ` FROM jsonb_to_recordset($2::jsonb) AS d(kind text, customer_id uuid, at timestamptz, cost bigint, currency text) WHERE d.kind = `
	w.Admin(`INSERT INTO live.fact_ticket (tenant_id, ticket_id, customer_id, opened_at) SELECT $1, gen_random_uuid(), customer_id, at`+dealt+`'ticket'`, tenant, string(all))
	w.Admin(`INSERT INTO live.fact_complaint (tenant_id, complaint_id, customer_id, registered_at, cost_minor, currency)
		SELECT $1, gen_random_uuid(), customer_id, at, cost, currency`+dealt+`'complaint'`, tenant, string(all))
	w.Admin(`INSERT INTO live.fact_touch (tenant_id, touch_id, customer_id, campaign, touch, channel, origin, at)
		SELECT $1, gen_random_uuid(), customer_id, 'spring', 'one', 'email', 'nurture', at`+dealt+`'touch'`, tenant, string(all))
	w.Admin(`INSERT INTO live.fact_interaction (tenant_id, interaction_id, customer_id, channel, direction, touchpoint, outcome, duration_seconds, occurred_at)
		SELECT $1, gen_random_uuid(), customer_id, 'phone', 'inbound', '', '', 0, at`+dealt+`'interaction'`, tenant, string(all))
}

// accounts adds up what each brought and cost, one thing after the other. Margins are in thousandths by channel; roots says whom an id means.
func accounts(h past, s grade.Scheme, asOf time.Time, roots map[uuid.UUID]uuid.UUID) map[uuid.UUID]grade.Account {
	to := asOf.AddDate(0, 0, 1)
	from := to.AddDate(0, 0, -s.WindowDays)
	within := func(at time.Time) bool { return !at.Before(from) && at.Before(to) }
	whom := func(id uuid.UUID) uuid.UUID {
		if root, ok := roots[id]; ok {
			return root
		}
		return id
	}
	all, thousandths := map[uuid.UUID]grade.Account{}, map[uuid.UUID]int64{}
	for _, p := range h.purchases {
		back := p.BackUnits > 0 && p.BackAt.Before(to)
		if p.Currency != "USD" || !within(p.At) || back && p.BackUnits == p.Units {
			continue
		}
		net := p.Total
		if back {
			net -= p.BackMinor
		}
		margin, ok := s.Channels[p.Channel]
		if !ok {
			margin = s.MarginPermille
		}
		a := all[whom(p.Customer)]
		a.NetMinor += net
		all[whom(p.Customer)] = a
		thousandths[whom(p.Customer)] += net * int64(margin)
	}
	for id, a := range all {
		sum := thousandths[id]
		a.MarginMinor = sum / 1000
		if rest := sum % 1000; rest >= 500 {
			a.MarginMinor++
		} else if rest <= -500 {
			a.MarginMinor--
		}
		for _, d := range h.dealings {
			if whom(d.Customer) != id || !within(d.At) {
				continue
			}
			switch d.Kind {
			case "ticket":
				a.TicketsMinor += s.Costs.Ticket
			case "complaint":
				a.ComplaintsMinor += s.Costs.Complaint
				if d.Currency == "USD" {
					a.ComplaintsMinor += d.Cost
				}
			case "touch":
				a.TouchesMinor += s.Costs.Touch
			case "interaction":
				a.InteractionsMinor += s.Costs.Interaction
			}
		}
		a.ContributionMinor = a.MarginMinor - a.TicketsMinor - a.ComplaintsMinor - a.TouchesMinor - a.InteractionsMinor
		all[id] = a
	}
	return all
}

// grades places everybody by looking at the ranks: the grade of a customer is the first whose cut is more than the number of those who
// contribute more.
func grades(all map[uuid.UUID]grade.Account, s grade.Scheme) map[uuid.UUID]string {
	want := make(map[uuid.UUID]string, len(all))
	n := int64(len(all))
	for id, a := range all {
		var better int64
		for _, other := range all {
			if other.ContributionMinor > a.ContributionMinor {
				better++
			}
		}
		var cum int64
		for _, g := range s.Grades {
			cum += int64(g.Share)
			if cut := (cum*n + grade.Whole - 1) / grade.Whole; better < cut {
				want[id] = g.Code
				break
			}
		}
	}
	return want
}

// portraits gives the grades that portraits hold.
func (w *world) portraits(tenant string) map[uuid.UUID]string {
	w.t.Helper()
	all := make(map[uuid.UUID]string)
	require.NoError(w.t, w.DB.Read(context.Background(), tenant, func(tx *pg.Tx) error {
		rows, err := tx.Query(context.Background(), `SELECT customer_id, grade FROM portrait WHERE tenant_id = $1 AND grade IS NOT NULL`, tenant)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id uuid.UUID
			var g string
			if err := rows.Scan(&id, &g); err != nil {
				return err
			}
			all[id] = g
		}
		return rows.Err()
	}))
	return all
}

// ids are new customers, in the order of their ids.
func ids(n int) (all []uuid.UUID) {
	for range n {
		all = append(all, analyticstest.ID())
	}
	slices.SortFunc(all, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
	return all
}
