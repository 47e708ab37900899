package satisfaction_test

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/services/analytics/internal/analyticstest"
)

const root = "/v1/analytics/satisfaction"

type body = analyticstest.Body

// world is the service with random facts of 30 customers, of whom the first two are the third by now, and the fourth was erased.
type world struct {
	*analyticstest.World
	t          *testing.T
	customers  []uuid.UUID
	answers    []answer
	orders     []order
	complaints []complaint
}

type answer struct {
	ID         uuid.UUID  `json:"answer_id"`
	Customer   *uuid.UUID `json:"customer_id"`
	Survey     uuid.UUID  `json:"survey_id"`
	Kind       string     `json:"kind"`
	Score      int        `json:"score"`
	Touchpoint string     `json:"touchpoint"`
	Channel    string     `json:"channel"`
	Complaint  *uuid.UUID `json:"complaint_id"`
	At         time.Time  `json:"answered_at"`
}

type order struct {
	ID       uuid.UUID `json:"order_id"`
	Customer uuid.UUID `json:"customer_id"`
	At       time.Time `json:"placed_at"`
	Back     bool      `json:"back"`
}

type complaint struct {
	ID       uuid.UUID  `json:"complaint_id"`
	Customer uuid.UUID  `json:"customer_id"`
	At       time.Time  `json:"registered_at"`
	Closed   *time.Time `json:"closed_at"`
	Outcome  string     `json:"outcome"`
}

var kinds = map[string][2]int{"csat": {1, 5}, "nps": {0, 10}, "ces": {1, 7}}

func today() time.Time { return time.Now().UTC().Truncate(24 * time.Hour) }

func start(t *testing.T, seed uint64) *world {
	t.Helper()
	w := &world{World: analyticstest.Start(t), t: t}
	random := rand.New(rand.NewPCG(seed, 1))
	for range 30 {
		w.customers = append(w.customers, analyticstest.ID())
	}
	when := func() time.Time {
		return today().AddDate(0, 0, -random.IntN(300)).Add(time.Duration(random.IntN(86400)) * time.Second)
	}
	surveys := []uuid.UUID{analyticstest.ID(), analyticstest.ID()}
	for i := range 30 {
		if i%3 == 0 {
			continue
		}
		c := complaint{analyticstest.ID(), w.customers[random.IntN(15)], when(), nil, ""}
		if random.IntN(4) > 0 {
			closed := c.At.AddDate(0, 0, random.IntN(20))
			c.Closed, c.Outcome = &closed, []string{"settled", "answered", "not_agreed"}[random.IntN(3)]
		}
		w.complaints = append(w.complaints, c)
	}
	for range 600 {
		kind := []string{"csat", "csat", "nps", "ces"}[random.IntN(4)]
		a := answer{
			ID: analyticstest.ID(), Survey: surveys[random.IntN(2)], Kind: kind, Score: kinds[kind][0] + random.IntN(kinds[kind][1]-kinds[kind][0]+1),
			Touchpoint: []string{"shop", "delivery", "hotline"}[random.IntN(3)], Channel: []string{"", "email", "sms"}[random.IntN(3)], At: when(),
		}
		if random.IntN(5) > 0 {
			a.Customer = &w.customers[random.IntN(30)]
		}
		if c := w.complaints[random.IntN(len(w.complaints))]; c.Closed != nil && random.IntN(6) == 0 {
			a.Customer, a.Complaint, a.At = &c.Customer, &c.ID, c.Closed.Add(time.Duration(random.IntN(200000))*time.Second)
		}
		w.answers = append(w.answers, a)
	}
	for range 300 {
		w.orders = append(w.orders, order{analyticstest.ID(), w.customers[random.IntN(30)], when(), random.IntN(5) == 0})
	}
	w.put("music", w.answers, w.orders, w.complaints)
	w.put("pizza", w.answers[:40], w.orders[:20], w.complaints[:5])
	merges := w.Accounts("music")
	merges.Merge(w.customers[0], w.customers[1])
	merges.Merge(w.customers[1], w.customers[2])
	w.Admin(`INSERT INTO live.fact_customer (tenant_id, customer_id, kind, source, registered_at, erased_at) VALUES ('music', $1, 'person', '', now(), now())`, w.customers[3])
	for i, id := range w.customers[4:] {
		w.Admin(`INSERT INTO portrait (tenant_id, customer_id, grade) VALUES ('music', $1, $2)`, id, []string{"gold", "iron"}[i%2])
	}
	return w
}

func (w *world) put(tenant string, answers []answer, orders []order, complaints []complaint) {
	w.t.Helper()
	insert := func(rows any, sql string) {
		w.t.Helper()
		all, err := json.Marshal(rows)
		require.NoError(w.t, err)
		w.Admin(sql, tenant, string(all))
	}
	insert(answers, `INSERT INTO live.fact_answer (tenant_id, answer_id, customer_id, survey_id, kind, score, touchpoint, channel, complaint_id, answered_at)
		SELECT $1, * FROM jsonb_to_recordset($2::jsonb) AS a(answer_id uuid, customer_id uuid, survey_id uuid, kind text, score int, touchpoint text, channel text, complaint_id uuid, answered_at timestamptz)`)
	insert(complaints, `INSERT INTO live.fact_complaint (tenant_id, complaint_id, customer_id, registered_at, closed_at, outcome)
		SELECT $1, * FROM jsonb_to_recordset($2::jsonb) AS c(complaint_id uuid, customer_id uuid, registered_at timestamptz, closed_at timestamptz, outcome text)`)
	insert(orders, `INSERT INTO live.fact_order (tenant_id, order_id, customer_id, channel, currency, units, total_minor, placed_at)
		SELECT $1, order_id, customer_id, 'shop', 'USD', 2, 100, placed_at FROM jsonb_to_recordset($2::jsonb) AS o(order_id uuid, customer_id uuid, placed_at timestamptz)`)
	insert(orders, `INSERT INTO live.fact_return (tenant_id, return_id, order_id, currency, units, amount_minor, returned_at)
		SELECT $1, gen_random_uuid(), order_id, 'USD', 2, 100, placed_at + interval '1 day' FROM jsonb_to_recordset($2::jsonb) AS o(order_id uuid, placed_at timestamptz, back boolean) WHERE back`)
}

// whom says whom an id means; ok is false for the erased one.
func (w *world) whom(id uuid.UUID) (who uuid.UUID, ok bool) {
	switch id {
	case w.customers[0], w.customers[1]:
		return w.customers[2], true
	case w.customers[3]:
		return id, false
	}
	return id, true
}
