package journey_test

import (
	"context"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/analyticstest"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/journey"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/run"
)

type body = analyticstest.Body

type world struct {
	*analyticstest.World
	t       *testing.T
	journey *journey.Journey
	now     time.Time
}

func start(t *testing.T) *world {
	t.Helper()
	w := &world{World: analyticstest.Start(t), t: t, now: time.Now().UTC()}
	clock := func() time.Time { return w.now }
	w.journey = journey.New(w.DB, run.New(w.DB, w.Database.DB(pg.Ops), clock), clock).WithSize(7)
	return w
}

func as(t *testing.T, tenant string) context.Context {
	t.Helper()
	return auth.With(t.Context(), auth.Principal{Subject: "mia", Tenant: tenant, Roles: []string{auth.RoleMarketing}})
}

func (w *world) get(path string, status int, into any) {
	w.t.Helper()
	answer := w.Do(http.MethodGet, path, w.Sales, nil)
	if answer.Status != status {
		w.t.Fatalf("%s: got %d, want %d: %s", path, answer.Status, status, answer.Body)
	}
	if into != nil {
		answer.Decode(w.t, into)
	}
}

// event is something that happened.
type event struct {
	table                                           string
	id                                              uuid.UUID
	who                                             uuid.UUID // Nil: nobody who is known
	at                                              time.Time
	channel, direction, touchpoint, outcome, source string
	currency                                        string
	units, total                                    int64
	back                                            []back
	campaign, touch                                 string
}

type back struct {
	at            time.Time
	units, amount int64
}

// whole tells whether the order came back whole.
func (e event) whole() bool {
	units := int64(0)
	for _, b := range e.back {
		units += b.units
	}
	return e.units > 0 && units >= e.units
}

// history is all that happened in a tenant, and who is whom.
type history struct {
	events []event
	root   map[uuid.UUID]uuid.UUID
}

func (h history) rootOf(id uuid.UUID) uuid.UUID {
	if r, merged := h.root[id]; merged {
		return r
	}
	return id
}

// anyHistory makes up what may have happened in the year before now.
func anyHistory(r *rand.Rand, now time.Time, customers, events int) history {
	h := history{root: map[uuid.UUID]uuid.UUID{}}
	ids := make([]uuid.UUID, customers)
	for i := range ids {
		ids[i] = analyticstest.ID()
		if i > 2 && r.IntN(5) == 0 {
			if into := ids[r.IntN(i)]; h.root[into] == uuid.Nil {
				h.root[ids[i]] = into
			}
		}
	}
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	began := now.AddDate(-1, 0, 0)
	for range events {
		e := event{id: analyticstest.ID(), who: ids[r.IntN(len(ids))], at: began.Add(time.Duration(r.IntN(360*24)) * time.Hour).Truncate(time.Hour)}
		switch r.IntN(8) {
		case 0, 1:
			e.table, e.channel, e.direction = "fact_interaction", pick("web", "phone"), pick("inbound", "outbound")
			e.touchpoint, e.outcome = pick("", "shop_page"), pick("", "viewed", "basket", "other")
		case 2:
			e.table, e.source = "fact_lead", pick("", "fair", "web")
			if r.IntN(3) == 0 {
				e.who = uuid.Nil
			}
		case 3:
			e.table, e.source = "fact_opportunity", pick("fair", "web")
		case 4:
			e.table, e.campaign, e.touch, e.channel = "fact_touch", pick("spring", "autumn"), pick("first", "second", journey.Control), pick("email", "sms")
		default:
			e.table, e.channel, e.currency, e.units, e.total = "fact_order", pick("shop", "web"), pick("USD", "USD", "EUR"), int64(r.IntN(3)), int64(r.IntN(10_000))
			if r.IntN(8) == 0 {
				e.who = uuid.Nil
			}
			for range r.IntN(3) {
				e.back = append(e.back, back{e.at.AddDate(0, 0, r.IntN(60)), min(int64(r.IntN(2)), e.units), int64(r.IntN(int(e.total/3 + 1)))})
			}
		}
		h.events = append(h.events, e)
	}
	return h
}

// write puts a history into the facts of a tenant.
func (w *world) write(tenant string, h history) {
	w.t.Helper()
	conn, err := pgx.Connect(w.t.Context(), w.Database.AdminURL())
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(w.t.Context())) }()
	b := &pgx.Batch{}
	for id, root := range h.root {
		b.Queue(`INSERT INTO live.customer_alias (tenant_id, customer_id, survivor_id, merge_id, epoch, seq) VALUES ($1, $2, $3, $2, 1, 1)`, tenant, id, root)
	}
	for _, e := range h.events {
		switch e.table {
		case "fact_interaction":
			b.Queue(`INSERT INTO live.fact_interaction (tenant_id, interaction_id, customer_id, channel, direction, touchpoint, outcome, duration_seconds, occurred_at)
				VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8)`, tenant, e.id, e.who, e.channel, e.direction, e.touchpoint, e.outcome, e.at)
		case "fact_lead":
			b.Queue(`INSERT INTO live.fact_lead (tenant_id, lead_id, customer_id, source, captured_at) VALUES ($1, $2, $3, $4, $5)`, tenant, e.id, pg.OrNull(e.who), e.source, e.at)
		case "fact_opportunity":
			b.Queue(`INSERT INTO live.fact_opportunity (tenant_id, opportunity_id, customer_id, source, opened_at) VALUES ($1, $2, $3, $4, $5)`, tenant, e.id, e.who, e.source, e.at)
		case "fact_touch":
			b.Queue(`INSERT INTO live.fact_touch (tenant_id, touch_id, customer_id, campaign, touch, channel, origin, at) VALUES ($1, $2, $3, $4, $5, $6, 'nurture', $7)`,
				tenant, e.id, e.who, e.campaign, e.touch, e.channel, e.at)
		case "fact_order":
			b.Queue(`INSERT INTO live.fact_order (tenant_id, order_id, customer_id, channel, currency, units, total_minor, placed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
				tenant, e.id, pg.OrNull(e.who), e.channel, e.currency, e.units, e.total, e.at)
			for _, r := range e.back {
				b.Queue(`INSERT INTO live.fact_return (tenant_id, return_id, order_id, currency, units, amount_minor, returned_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
					tenant, analyticstest.ID(), e.id, e.currency, r.units, r.amount, r.at)
			}
		}
	}
	if err := conn.SendBatch(w.t.Context(), b).Close(); err != nil {
		w.t.Fatal(err)
	}
}

// of gives the events of a table in the order of their times.
func (h history) of(table string) (all []event) {
	for _, e := range h.events {
		if e.table == table {
			all = append(all, e)
		}
	}
	slices.SortFunc(all, func(a, b event) int {
		if n := a.at.Compare(b.at); n != 0 {
			return n
		}
		return slices.Compare(a.id[:], b.id[:])
	})
	return all
}
