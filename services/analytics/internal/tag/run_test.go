package tag_test

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/analyticstest"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/portrait"
)

// someone is what the tests know of a customer.
type someone struct {
	ID      uuid.UUID `json:"customer_id"`
	Orders  int       `json:"orders"`
	Net     int64     `json:"net_minor"`
	Last    *string   `json:"last_purchase_on"`
	Grade   *string   `json:"grade"`
	Churn   *int      `json:"churn_permille"`
	Channel []string  `json:"channels"`
}

func anybody(random *rand.Rand, id uuid.UUID, today time.Time) someone {
	one := someone{ID: id, Orders: random.IntN(4), Net: random.Int64N(80) * 100, Channel: []string{}}
	if one.Orders > 0 {
		day := today.AddDate(0, 0, -random.IntN(200)).Format(time.DateOnly)
		one.Last, one.Channel = &day, []string{"shop", "web"}[:1+random.IntN(2)]
	}
	if random.IntN(3) > 0 {
		grade := []string{"platinum", "gold", "iron", "lead"}[random.IntN(4)]
		churn := random.IntN(1001)
		one.Grade, one.Churn = &grade, &churn
	}
	return one
}

// put stores customers' portraits as they are.
func (w *world) put(tenant string, all []someone) {
	w.t.Helper()
	raw, err := json.Marshal(all)
	require.NoError(w.t, err)
	w.Admin(`INSERT INTO portrait (tenant_id, customer_id, orders, net_minor, last_purchase_on, grade, churn_permille, channels)
		SELECT $1, customer_id, orders, net_minor, last_purchase_on, grade, churn_permille, channels FROM jsonb_to_recordset($2::jsonb) AS p(
			customer_id uuid, orders int, net_minor bigint, last_purchase_on date, grade text, churn_permille smallint, channels text[])
		ON CONFLICT (tenant_id, customer_id) DO UPDATE SET orders = excluded.orders, net_minor = excluded.net_minor, last_purchase_on = excluded.last_purchase_on,
			grade = excluded.grade, churn_permille = excluded.churn_permille, channels = excluded.channels`, tenant, string(raw))
	w.Admin(`INSERT INTO live.fact_as_of (tenant_id, topic, slot, newest_at) VALUES ($1, 'test', 0, now()) ON CONFLICT DO NOTHING`, tenant)
}

// all defines one tag of each kind.
func (w *world) all(token string) {
	w.t.Helper()
	w.define(token, body{"code": "money", "kind": "group", "name": "Money"})
	w.define(token, body{"code": "value", "kind": "fact", "name": "Value", "owner": "sales", "parent": "money", "field": "net_minor", "bands": []body{
		{"code": "low", "below": 1000}, {"code": "middle", "at_least": 1000, "below": 5000}, {"code": "high", "at_least": 6000},
	}})
	w.define(token, body{"code": "lapsed", "kind": "rule", "name": "Lapsed", "owner": "sales", "filter_text": `orders >= 2 and recency_days > 90 or channels has "web"`})
	w.define(token, body{"code": "class", "kind": "model", "name": "Class", "owner": "sales", "field": "grade", "bands": []body{
		{"code": "top", "one_of": []string{"platinum", "gold"}}, {"code": "rest", "one_of": []string{"iron"}},
	}})
	w.define(token, body{"code": "risk", "kind": "model", "name": "Risk", "owner": "care", "field": "churn_permille", "bands": []body{{"code": "high", "at_least": 700}}})
}

// slowly gives the tags of somebody by the rules, one after the other.
func slowly(t *testing.T, one someone, today time.Time) []string {
	t.Helper()
	tags := []string{}
	add := func(holds bool, tag string) {
		if holds {
			tags = append(tags, tag)
		}
	}
	add(one.Net < 1000, "value_low")
	add(one.Net >= 1000 && one.Net < 5000, "value_middle")
	add(one.Net >= 6000, "value_high")
	lapsed := slices.Contains(one.Channel, "web")
	if one.Last != nil && one.Orders >= 2 {
		last, err := time.Parse(time.DateOnly, *one.Last)
		require.NoError(t, err)
		lapsed = lapsed || today.Sub(last) > 90*24*time.Hour
	}
	add(lapsed, "lapsed")
	if one.Grade != nil {
		add(*one.Grade == "platinum" || *one.Grade == "gold", "class_top")
		add(*one.Grade == "iron", "class_rest")
		add(*one.Churn >= 700, "risk_high")
	}
	slices.Sort(tags)
	return tags
}

func (w *world) crowd(random *rand.Rand, n int) (all []someone, want map[uuid.UUID][]string) {
	want = map[uuid.UUID][]string{}
	for range n {
		one := anybody(random, analyticstest.ID(), w.today())
		all, want[one.ID] = append(all, one), slowly(w.t, one, w.today())
	}
	return all, want
}

func TestTagsOfPortraitsAreWhatTheRulesSayOfEach(t *testing.T) {
	t.Parallel()
	w := start(t)
	random := rand.New(rand.NewPCG(12, 1))
	all, want := w.crowd(random, 60)
	others, wanted := w.crowd(random, 20)
	w.put("music", all)
	w.put("pizza", others)
	w.all(w.Marketing)
	w.work()
	require.Equal(t, want, w.portraits("music"))
	for id, tags := range w.portraits("pizza") {
		require.Empty(t, tags, "another tenant's tags are not for %s", id)
	}
	w.agree()

	// Coverage counts them.
	count := map[string]int{}
	for _, tags := range want {
		for _, one := range tags {
			count[one]++
		}
	}
	value := w.tag(w.Sales, "value")
	require.Equal(t, []string{"money"}, value.Path)
	for _, v := range value.Values {
		require.Equal(t, count[v.Value], v.Customers, v.Value)
		require.InDelta(t, float64(v.Customers)/60, v.Share, 1e-12)
	}
	require.Equal(t, []int{count["value_low"] + count["value_middle"] + count["value_high"], 60}, []int{value.Coverage.Customers, value.Coverage.Of})
	require.NotEmpty(t, value.Coverage.ReckonedAt)

	// Some become others, and are followed; nobody else is touched.
	w.all(w.Token("marketing", "pizza"))
	w.work()
	require.Equal(t, wanted, w.portraits("pizza"))
	var changed []uuid.UUID
	for i := range all[:25] {
		all[i] = anybody(random, all[i].ID, w.today())
		want[all[i].ID] = slowly(t, all[i], w.today())
		changed = append(changed, all[i].ID)
	}
	w.put("music", all)
	w.follow("music", changed...)
	require.Equal(t, want, w.portraits("music"))
	require.Equal(t, wanted, w.portraits("pizza"))
	w.agree()

	// With the days recency moves, and the run of the day sees it.
	w.later(60 * 24 * time.Hour)
	w.work()
	for _, one := range all {
		want[one.ID] = slowly(t, one, w.today())
	}
	require.Equal(t, want, w.portraits("music"))
}

func TestARunThatIsKilledIsGoneOnWith(t *testing.T) {
	t.Parallel()
	w := start(t)
	all, want := w.crowd(rand.New(rand.NewPCG(12, 2)), 60)
	w.put("music", all)
	w.all(w.Marketing)
	w.work()
	w.Admin(`DELETE FROM tag_holder`)
	w.Admin(`UPDATE portrait SET tags = '{}'`)
	var asked running
	w.Want(http.StatusAccepted, http.MethodPost, "/v1/tags/runs", w.Marketing, nil, &asked)
	require.Equal(t, "run_open", w.Do(http.MethodPost, "/v1/tags/runs", w.Marketing, nil).Code())
	w.killed(14)
	part := w.run(asked.RunID)
	require.Equal(t, "running", part.State)
	require.Greater(t, part.Customers, 0)
	require.Less(t, part.Customers, 60)
	w.agree()

	// While it lies there, a definition changes: everybody is looked at by the new one.
	got := w.Do(http.MethodGet, "/v1/tags/risk", w.Sales, nil)
	w.Want(http.StatusOK, http.MethodPut, "/v1/tags/risk", w.Marketing, body{"name": "Risk", "owner": "care", "field": "churn_permille", "bands": []body{{"code": "high", "at_least": 300}}},
		nil, "If-Match", got.Header.Get("ETag"))
	w.later(3 * time.Minute)
	w.work()
	done := w.run(asked.RunID)
	require.Equal(t, []any{"done", 60}, []any{done.State, done.Customers})
	for _, one := range all {
		if one.Churn != nil && *one.Churn >= 300 && !slices.Contains(want[one.ID], "risk_high") {
			want[one.ID] = append(want[one.ID], "risk_high")
			slices.Sort(want[one.ID])
		}
	}
	require.Equal(t, want, w.portraits("music"))
	w.agree()
}

func TestScoresThatARunWroteReachTags(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.all(w.Marketing)
	id := w.person("music", "net_minor = 100")
	w.work()
	require.Equal(t, []string{"value_low"}, w.portraits("music")[id])
	w.becomes("music", id, "grade = 'gold'")
	w.work()
	w.work()
	require.Equal(t, []string{"class_top", "value_low"}, w.portraits("music")[id])
	require.Zero(t, w.Count(`SELECT count(*) FROM tag_due`))
}

func TestATagStaysForItsDaysAndThenExpires(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.define(w.Marketing, body{"code": "buyer", "kind": "rule", "name": "Buyer", "owner": "sales", "filter_text": "orders >= 1", "valid_days": 3})
	w.define(w.Marketing, body{"code": "worth", "kind": "fact", "name": "Worth", "owner": "sales", "field": "nps", "valid_days": 3,
		"bands": []body{{"code": "low", "below": 7}, {"code": "high", "at_least": 7}}})
	id := w.person("music", "orders = 1, nps = 3")
	w.follow("music", id)
	require.Equal(t, []string{"buyer", "worth_low"}, w.portraits("music")[id])
	_, before := w.of(w.Sales, id)

	w.becomes("music", id, "orders = 0, nps = 9")
	w.follow("music", id)
	require.Equal(t, []string{"buyer", "worth_high"}, w.portraits("music")[id], "a band gives way to another at once")
	last := w.today().AddDate(0, 0, 3).Format(time.DateOnly)
	var page struct {
		Items []held
	}
	w.Want(http.StatusOK, http.MethodGet, "/v1/tags/buyer/customers", w.Sales, nil, &page)
	require.Equal(t, last, page.Items[0].Until)

	// It holds again, and is as it was.
	w.becomes("music", id, "orders = 2")
	w.follow("music", id)
	_, after := w.of(w.Sales, id)
	require.Equal(t, before[0].Tags[0], after[0].Tags[0])

	w.becomes("music", id, "orders = 0, nps = NULL")
	w.follow("music", id)
	w.later(24 * time.Hour)
	w.follow("music", id)
	_, fading := w.of(w.Sales, id)
	require.Equal(t, []string{last, last}, []string{fading[0].Tags[0].Until, fading[0].Tags[1].Until}, "what fades is not given again by being looked at")
	w.later(48 * time.Hour)
	require.NoError(t, w.tags.Expire(t.Context()))
	require.Equal(t, []string{"buyer", "worth_high"}, w.portraits("music")[id], "the last day is not over")
	w.later(24 * time.Hour)
	require.NoError(t, w.tags.Expire(t.Context()))
	require.Empty(t, w.portraits("music")[id])
	w.agree()
}

func TestMergedCustomersHaveTheTagsOfOneAndErasedOnesNone(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.define(w.Marketing, body{"code": "worth", "kind": "fact", "name": "Worth", "owner": "sales", "field": "net_minor", "valid_days": 9,
		"bands": []body{{"code": "low", "below": 120}, {"code": "high", "at_least": 120}}})
	portraits := portrait.New(w.DB, w.Database.DB(pg.Ops), outbox.New("analytics"), w.now, w.tags.Follow)
	accounts := w.Accounts("music")
	k := analyticstest.NewTeller(t, "music")
	a, b := analyticstest.ID(), analyticstest.ID()
	become := func(want map[uuid.UUID][]string) {
		t.Helper()
		w.Eventually("the tags are right", func() bool {
			_, err := portraits.Pass(t.Context())
			require.NoError(t, err)
			got := w.portraits("music")
			if len(got) != len(want) {
				return false
			}
			for id, tags := range want {
				if !slices.Equal(got[id], tags) {
					return false
				}
			}
			return true
		})
		w.agree()
	}
	w.Publish("sales", k.Placed(analyticstest.ID(), a, analyticstest.Day(2026, 3, 1), 100), k.Placed(analyticstest.ID(), b, analyticstest.Day(2026, 3, 2), 50))
	become(map[uuid.UUID][]string{a: {"worth_low"}, b: {"worth_low"}})
	accounts.Merge(a, b)
	become(map[uuid.UUID][]string{b: {"worth_high"}})
	customer, groups := w.of(w.Sales, a)
	require.Equal(t, b, customer)
	require.Equal(t, "worth_high", groups[0].Tags[0].Value)
	accounts.Undo(a, b)
	become(map[uuid.UUID][]string{a: {"worth_low"}, b: {"worth_low"}})
	w.Publish("accounts", accounts.Erased(a))
	become(map[uuid.UUID][]string{b: {"worth_low"}})
	require.Equal(t, "customer_erased", w.Do(http.MethodGet, "/v1/analytics/customers/"+a.String()+"/tags", w.Sales, nil).Code())
}
