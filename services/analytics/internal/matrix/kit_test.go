package matrix_test

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/services/analytics/internal/analyticstest"
)

// body is a JSON object.
type body = map[string]any

// world is the service with facts of its own making.
type world struct {
	*analyticstest.World
	t *testing.T
}

func start(t *testing.T) *world { t.Helper(); return &world{analyticstest.Start(t), t} }

func today() time.Time { return time.Now().UTC().Truncate(24 * time.Hour) }

// purchase is an order with its lines.
type purchase struct {
	Order    uuid.UUID  `json:"order_id"`
	Customer *uuid.UUID `json:"customer_id"`
	Currency string     `json:"currency"`
	Units    int64      `json:"units"`
	Total    int64      `json:"total_minor"`
	At       time.Time  `json:"placed_at"`
	SKUs     []string   `json:"skus"`
	Amounts  []int64    `json:"amounts"`
	Back     bool       `json:"back"`
	BackAt   time.Time  `json:"back_at"`
}

// answer is one answer to a survey.
type answer struct {
	Answer     uuid.UUID          `json:"answer_id"`
	Customer   uuid.UUID          `json:"customer_id"`
	Kind       string             `json:"kind"`
	Score      *int               `json:"score"`
	Touchpoint string             `json:"touchpoint"`
	At         time.Time          `json:"answered_at"`
	Ratings    map[string]float64 `json:"ratings"`
}

func history(random *rand.Rand, customers []uuid.UUID, orders, days int) (all []purchase) {
	for range orders {
		p := purchase{
			Order: analyticstest.ID(), Currency: "USD", Units: 2, At: today().AddDate(0, 0, -random.IntN(days)).Add(time.Duration(random.IntN(24)) * time.Hour),
			SKUs: []string{}, Amounts: []int64{},
		}
		if random.IntN(8) > 0 {
			p.Customer = &customers[random.IntN(len(customers))]
		}
		for range random.IntN(4) {
			// Products come up as time goes by.
			newest := 3 + (days-int(today().Sub(p.At.Truncate(24*time.Hour))/(24*time.Hour)))/6
			sku := "p" + string(rune('a'+random.IntN(min(newest, 26))))
			if random.IntN(6) == 0 {
				sku = ""
			}
			p.SKUs, p.Amounts = append(p.SKUs, sku), append(p.Amounts, random.Int64N(4)*333)
		}
		for _, a := range p.Amounts {
			p.Total += a
		}
		if random.IntN(3) == 0 {
			p.Total += random.Int64N(200) // of the whole order
		}
		if random.IntN(10) == 0 {
			p.Currency = "EUR"
		}
		if random.IntN(5) == 0 {
			p.Back, p.BackAt = true, p.At.AddDate(0, 0, random.IntN(30))
		}
		all = append(all, p)
	}
	return all
}

// facts stores purchases of a tenant.
func (w *world) facts(tenant string, purchases []purchase) {
	w.t.Helper()
	all, err := json.Marshal(purchases)
	require.NoError(w.t, err)
	const from = ` FROM jsonb_to_recordset($2::jsonb) AS p(order_id uuid, customer_id uuid, currency text, units bigint, total_minor bigint, placed_at timestamptz,
		skus text[], amounts bigint[], back boolean, back_at timestamptz)`
	w.Admin(`INSERT INTO live.fact_order (tenant_id, order_id, customer_id, channel, currency, units, total_minor, placed_at, skus, quantities, amounts)
		SELECT $1, order_id, customer_id, 'shop', currency, units, total_minor, placed_at, skus, array_fill(1::bigint, ARRAY[cardinality(skus)]), amounts`+from, tenant, string(all))
	w.Admin(`INSERT INTO live.fact_product (tenant_id, sku, first_at)
		SELECT $1, l.sku, min(placed_at)`+from+` CROSS JOIN LATERAL unnest(skus) AS l(sku) WHERE l.sku <> '' GROUP BY 2`, tenant, string(all))
	w.Admin(`INSERT INTO live.fact_return (tenant_id, return_id, order_id, currency, units, amount_minor, returned_at)
		SELECT $1, gen_random_uuid(), order_id, currency, units, total_minor, back_at`+from+` WHERE back`, tenant, string(all))
	w.Admin(`INSERT INTO live.sales_day (tenant_id, currency, channel, day, slot, orders, gross_minor)
		SELECT $1, currency, 'shop', (placed_at AT TIME ZONE 'UTC')::date, 0, count(*), sum(total_minor)`+from+` GROUP BY 1, 2, 3, 4`, tenant, string(all))
}

func (w *world) answers(tenant string, answers []answer) {
	w.t.Helper()
	all, err := json.Marshal(answers)
	require.NoError(w.t, err)
	w.Admin(`INSERT INTO live.fact_answer (tenant_id, answer_id, customer_id, survey_id, kind, score, touchpoint, answered_at, ratings)
		SELECT $1, answer_id, customer_id, gen_random_uuid(), kind, score, touchpoint, answered_at, coalesce(ratings, '{}')
		FROM jsonb_to_recordset($2::jsonb) AS a(answer_id uuid, customer_id uuid, kind text, score integer, touchpoint text, answered_at timestamptz, ratings jsonb)`, tenant, string(all))
}

// portrait stores the portrait of a customer who bought on so many days, first on a day.
func (w *world) portrait(tenant string, customer uuid.UUID, days int, first *time.Time) {
	w.t.Helper()
	w.Admin(`INSERT INTO portrait (tenant_id, customer_id, purchase_days, first_purchase_on) VALUES ($1, $2, $3, $4)`, tenant, customer, days, first)
}

// listed gives the customers of a list, with what else each item says.
func (w *world) listed(path string) map[uuid.UUID]int64 {
	w.t.Helper()
	all := make(map[uuid.UUID]int64)
	for cursor := ""; ; {
		var page struct {
			Items []struct {
				CustomerID   uuid.UUID `json:"customer_id"`
				RevenueMinor int64     `json:"revenue_minor"`
			}
			NextCursor string `json:"next_cursor"`
		}
		w.Want(http.StatusOK, http.MethodGet, path+"&limit=3&cursor="+cursor, w.Sales, nil, &page)
		for _, item := range page.Items {
			all[item.CustomerID] = item.RevenueMinor
		}
		if cursor = page.NextCursor; cursor == "" {
			return all
		}
	}
}

func ids(n int) (all []uuid.UUID) {
	for range n {
		all = append(all, analyticstest.ID())
	}
	slices.SortFunc(all, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
	return all
}

func number(n int) *int { return &n }

// whom says whom an id means.
func whom(roots map[uuid.UUID]uuid.UUID, id uuid.UUID) uuid.UUID {
	if root, ok := roots[id]; ok {
		return root
	}
	return id
}

// side is a level as the API names it.
func side(high bool) string {
	if high {
		return "high"
	}
	return "low"
}
