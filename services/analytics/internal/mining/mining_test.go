package mining_test

import (
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/analyticstest"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/mining"
)

func named(rules []rule) []string {
	all := make([]string, len(rules))
	for i, r := range rules {
		all[i] = fmt.Sprintf("%s>%s %d/%d/%d/%d", strings.Join(r.If, "+"), r.Then, r.WithBoth, r.WithIf, r.WithThen, r.Baskets)
	}
	slices.Sort(all)
	return all
}

func TestRulesOfAnUploadedTableAreThePublishedOnes(t *testing.T) {
	t.Parallel()
	w := start(t)
	rows := [][]string{}
	csv := "basket,item\n"
	for i, basket := range []string{"facdgimp", "abcflmo", "bfhjo", "bcksp", "afcelpmn"} {
		rows = append(rows, strings.Split(basket, ""))
		for _, item := range strings.Split(basket, "") {
			csv += fmt.Sprintf("t%d,%s\n", i, item)
		}
	}
	out := w.fit("association", body{"rows": rows, "min_support": 0.6, "min_confidence": 1, "max_length": 4})
	got := named(rulesOf(t, out.Predictions))
	for _, want := range []string{"m>f 3/3/4/5", "a+c+m>f 3/3/4/5", "p>c 3/3/4/5", "a+c+f>m 3/3/3/5"} {
		if !slices.Contains(got, want) {
			t.Errorf("%q is not among %v", want, got)
		}
	}
	if out.Model.Rows != 5 || out.Model.Fit["itemsets"] != 18 {
		t.Errorf("%+v", out.Model)
	}
	answer := w.Do(http.MethodPost, "/v1/models/association/fit?min_support=0.6&min_confidence=1&max_length=4", w.Marketing, csv, "Content-Type", "text/csv")
	var same fitted
	answer.Decode(t, &same)
	if answer.Status != http.StatusOK || !slices.Equal(named(rulesOf(t, same.Predictions)), got) {
		t.Errorf("%d: %s", answer.Status, answer.Body)
	}
}

func TestRulesOfFactsAreOfNetPurchasesInTheWindow(t *testing.T) {
	t.Parallel()
	w := start(t)
	ann, alias, bob := analyticstest.ID(), analyticstest.ID(), analyticstest.ID()
	for range 3 {
		w.order("music", ann, day.AddDate(0, 0, -3), "bread", "butter")
	}
	w.order("music", ann, day.AddDate(0, 0, -3), "bread", "bread", "", "jam")
	w.order("music", alias, day.AddDate(0, 0, -2), "milk")
	w.order("music", bob, day.AddDate(0, 0, -1), "butter")
	w.order("music", bob, day.AddDate(-1, 0, 0), "bread", "butter") // before the window
	w.returned("music", w.order("music", bob, day, "bread", "butter"), 2)
	w.order("pizza", bob, day, "bread", "butter")
	w.Admin(`INSERT INTO live.customer_alias (tenant_id, customer_id, survivor_id, merge_id, epoch, seq) VALUES ('music', $1, $2, $1, 1, 1)`, alias, ann)
	facts := body{"source": "facts", "from": "2026-05-01", "min_support": 0.01, "min_confidence": 0.01}
	out := w.fit("association", facts)
	want := []string{"bread>butter 3/4/4/6", "bread>jam 1/4/1/6", "butter>bread 3/4/4/6", "jam>bread 1/1/4/6"}
	if got := named(rulesOf(t, out.Predictions)); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	facts["by"] = "customer"
	out = w.fit("association", facts)
	if got := named(rulesOf(t, out.Predictions)); !slices.Contains(got, "jam+milk>bread 1/1/1/2") || !slices.Contains(got, "bread>butter 1/1/2/2") {
		t.Errorf("got %v", got)
	}
	if answer := w.Do(http.MethodPost, "/v1/models/association/fit", w.Marketing, body{"source": "facts", "channel": "nowhere"}); answer.Code() != "not_enough_data" {
		t.Errorf("%d: %s", answer.Status, answer.Body)
	}
}

// shopping gives the tenant music baskets in which bread goes with butter and honey with tea, and puts their rules to use.
func shopping(w *world) (ann, alias uuid.UUID) {
	ann, alias = analyticstest.ID(), analyticstest.ID()
	for range 8 {
		w.order("music", analyticstest.ID(), day.AddDate(0, 0, -3), "bread", "butter")
		w.order("music", analyticstest.ID(), day.AddDate(0, 0, -3), "honey", "tea")
	}
	w.order("music", analyticstest.ID(), day.AddDate(0, 0, -3), "bread", "tea")
	w.order("music", ann, day.AddDate(0, 0, -2), "bread")
	w.order("music", alias, day.AddDate(0, 0, -2), "honey")
	w.returned("music", w.order("music", ann, day.AddDate(0, 0, -1), "tea"), 1)
	w.Admin(`INSERT INTO live.customer_alias (tenant_id, customer_id, survivor_id, merge_id, epoch, seq) VALUES ('music', $1, $2, $1, 1, 1)`, alias, ann)
	out := w.fit("association", body{"source": "facts", "min_support": 0.05})
	w.use(out.Model.ID)
	return ann, alias
}

type advice struct {
	CustomerID string `json:"customer_id"`
	Enough     bool
	Why        string
	ModelID    string `json:"model_id"`
	Items      []struct {
		Sku     string
		Score   float64
		Because rule
	}
}

func TestWhatIsBoughtTogetherIsRecommendedWithItsReason(t *testing.T) {
	t.Parallel()
	w := start(t)
	var a advice
	w.get("/v1/analytics/recommendations/products?sku=bread", http.StatusOK, &a)
	if a.Enough || a.Why != "no_rules" || len(a.Items) != 0 {
		t.Errorf("before there are rules: %+v", a)
	}
	ann, alias := shopping(w)
	w.get("/v1/analytics/recommendations/products?sku=bread", http.StatusOK, &a)
	// 19 baskets: bread in 10, butter in 8, both in 8.
	if r := a.Items[0]; !a.Enough || r.Sku != "butter" || r.Because.WithBoth != 8 || r.Because.WithIf != 10 || math.Abs(r.Because.Lift-0.8*19/8) > 1e-9 || r.Because.ConfidenceLow >= 0.8 {
		t.Errorf("%+v", a)
	}
	a = advice{}
	w.get("/v1/analytics/recommendations/products?sku=unheard-of", http.StatusOK, &a)
	if a.Enough || a.Why != "no_rule_fits" {
		t.Errorf("%+v", a)
	}
	// Ann has bread and, by another id, honey; tea came back: it is not offered again.
	for _, id := range []uuid.UUID{ann, alias} {
		a = advice{}
		w.get("/v1/analytics/recommendations/customers/"+id.String(), http.StatusOK, &a)
		if !a.Enough || len(a.Items) != 1 || a.Items[0].Sku != "butter" || a.CustomerID != ann.String() {
			t.Errorf("%+v", a)
		}
	}
	var list struct{ Items []rule }
	w.get("/v1/analytics/rules?sku=honey", http.StatusOK, &list)
	if len(list.Items) == 0 || slices.ContainsFunc(list.Items, func(r rule) bool { return r.Then != "honey" && !slices.Contains(r.If, "honey") }) {
		t.Errorf("%+v", list)
	}
	other := w.Do(http.MethodGet, "/v1/analytics/recommendations/customers/"+ann.String(), w.Token(auth.RoleSales, "pizza"), nil)
	if other.Status != http.StatusNotFound {
		t.Errorf("another tenant sees %s", other.Body)
	}
}

func TestNothingIsRecommendedToWhomItMustNot(t *testing.T) {
	t.Parallel()
	w := start(t)
	ann, alias := shopping(w)
	w.get("/v1/analytics/recommendations/customers/"+analyticstest.ID().String(), http.StatusNotFound, nil)
	known := analyticstest.ID()
	w.Admin(`INSERT INTO live.fact_customer (tenant_id, customer_id, kind, source, registered_at) VALUES ('music', $1, 'person', '', now())`, known)
	var a advice
	w.get("/v1/analytics/recommendations/customers/"+known.String(), http.StatusOK, &a)
	if a.Enough || a.Why != "no_purchases" {
		t.Errorf("%+v", a)
	}
	// Erased by one of its ids, the customer is erased.
	w.Admin(`INSERT INTO live.fact_customer (tenant_id, customer_id, kind, source, registered_at, erased_at) VALUES ('music', $1, 'person', '', now(), now())`, alias)
	answer := w.Do(http.MethodGet, "/v1/analytics/recommendations/customers/"+ann.String(), w.Sales, nil)
	if answer.Status != http.StatusGone || answer.Code() != "customer_erased" {
		t.Errorf("%d: %s", answer.Status, answer.Body)
	}
}

func TestASearchAsAJobAnswersAsOneInItsRequest(t *testing.T) {
	t.Parallel()
	w := start(t)
	shopping(w)
	now := w.fit("association", body{"source": "facts", "min_support": 0.05})
	later := w.fit("association", body{"source": "facts", "min_support": 0.05, "later": true})
	if later.Job == nil {
		t.Fatal("no job")
	}
	w.now = time.Now().UTC()
	if err := w.models.Pass(t.Context()); err != nil {
		t.Fatal(err)
	}
	var job struct {
		State   string
		ModelID string `json:"model_id"`
	}
	w.get("/v1/models/jobs/"+later.Job.ID, http.StatusOK, &job)
	var page struct{ Items []rule }
	w.get("/v1/models/"+job.ModelID+"/predictions?limit=200", http.StatusOK, &page)
	if job.State != "done" || !slices.Equal(named(page.Items), named(rulesOf(t, now.Predictions))) {
		t.Errorf("%+v: %v", job, page)
	}
}

func TestRecommendGivesTheBestRuleOfEachArticleThatIsNotThere(t *testing.T) {
	t.Parallel()
	made := func(then string, both, one int, conditions ...string) mining.Rule {
		return mining.Rule{If: conditions, Then: then, Counts: mining.Counts{N: 100, If: one, Then: 20, Both: both}}
	}
	rules := []mining.Rule{
		made("tea", 8, 10, "honey"), made("tea", 9, 10, "bread", "honey"), made("jam", 5, 10, "bread"), made("milk", 2, 10, "bread"),
		made("egg", 10, 10, "ham"), made("honey", 10, 10, "bread"),
	}
	got := mining.Recommend(rules, []string{"bread", "honey"}, []string{"bread", "honey"}, 5)
	var skus []string
	for _, r := range got {
		skus = append(skus, r.Then)
	}
	// milk: a lift of exactly 1; egg: the condition is not met; honey: is there.
	if !slices.Equal(skus, []string{"tea", "jam"}) || len(got[0].If) != 2 {
		t.Errorf("%+v", got)
	}
	if got = mining.Recommend(rules, []string{"bread", "honey"}, []string{"bread", "honey", "tea"}, 1); len(got) != 1 || got[0].Then != "jam" {
		t.Errorf("%+v", got)
	}
}

type clusters struct {
	Fields   []string
	LeftOut  int `json:"left_out"`
	Clusters []struct {
		Cluster    string
		Size       int
		Silhouette float64
		Traits     []mining.Trait
	}
	Tried []struct {
		K          int
		Silhouette float64
	}
}

func TestClustersOfAnUploadedTable(t *testing.T) {
	t.Parallel()
	w := start(t)
	fields := []string{"sepal_length", "sepal_width", "petal_length", "petal_width"}
	m := iris(t)
	rows := [][]any{}
	for i := range m.Rows() {
		row := []any{}
		for _, v := range m.Row(i) {
			row = append(row, v)
		}
		rows = append(rows, row)
	}
	rows = append(rows, []any{5.0, nil, 1.0, 1.0})
	out := w.fit("kmeans", body{"rows": rows, "fields": fields, "k": 3, "scale": "none"})
	var d clusters
	decode(t, out.Model.Detail, &d)
	if math.Abs(out.Model.Fit["within"]-78.85144) > 0.001 || math.Abs(out.Model.Fit["silhouette"]-0.55282) > 0.001 || d.LeftOut != 1 || len(d.Clusters) != 3 {
		t.Errorf("%+v %+v", out.Model.Fit, d)
	}
	// The second by size is setosa: its petals are much shorter than those of all (mean 1.462 of 3.758, population deviation 1.7594).
	setosa := d.Clusters[1]
	if at := slices.IndexFunc(setosa.Traits, func(tr mining.Trait) bool { return tr.Field == "petal_length" }); setosa.Size != 50 ||
		math.Abs(setosa.Traits[at].Mean-1.462) > 1e-9 || math.Abs(setosa.Traits[at].Difference-(1.462-3.758)/1.7594) > 0.001 {
		t.Errorf("%+v", setosa)
	}
	if len(out.Predictions) != 151 || string(out.Predictions[150]) != `{"cluster":null}` || !strings.Contains(string(out.Predictions[0]), `"c2"`) {
		t.Errorf("%d predictions, the first %s, the last %s", len(out.Predictions), out.Predictions[0], out.Predictions[len(out.Predictions)-1])
	}
	answer := w.Do(http.MethodPost, "/v1/models/kmeans/fit?k_max=5&fields="+strings.Join(fields, ","), w.Marketing, irisCSV, "Content-Type", "text/csv")
	var chosen fitted
	answer.Decode(t, &chosen)
	decode(t, chosen.Model.Detail, &d)
	// Scaled, two clusters have the best silhouette of all numbers of clusters: 0.5818.
	if answer.Status != http.StatusOK || chosen.Model.Params["k"] != 2 || len(d.Tried) != 4 || math.Abs(d.Tried[0].Silhouette-0.58175) > 0.001 {
		t.Errorf("%d: %s", answer.Status, answer.Body)
	}
}

// portraits gives the tenant n customers of few orders and n of many, and gives their ids.
func portraits(w *world, tenant string, n int) (few, many []uuid.UUID) {
	for i := range n {
		a, b := analyticstest.ID(), analyticstest.ID()
		few, many = append(few, a), append(many, b)
		w.Admin(`INSERT INTO portrait (tenant_id, customer_id, orders, net_minor, last_purchase_on) VALUES ($1, $2, $3, $4, '2026-05-01'), ($1, $5, $6, $7, '2026-05-19')`,
			tenant, a, 1+i%2, 1000+i, b, 30+i%3, 900_000+i)
	}
	return few, many
}

func (w *world) clusterOf(tenant string, id uuid.UUID) (cluster string) {
	w.t.Helper()
	err := w.DB.Read(w.t.Context(), tenant, func(tx *pg.Tx) error {
		return tx.QueryRow(w.t.Context(), `SELECT coalesce(cluster, '') FROM portrait WHERE tenant_id = $1 AND customer_id = $2`, tenant, id).Scan(&cluster)
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return cluster
}

func TestPortraitsGetTheClusterOfTheModelInUse(t *testing.T) {
	t.Parallel()
	w := start(t)
	few, many := portraits(w, "music", 20)
	elsewhere, _ := portraits(w, "pizza", 1)
	newcomer := analyticstest.ID()
	w.Admin(`INSERT INTO portrait (tenant_id, customer_id) VALUES ('music', $1)`, newcomer) // has no recency
	out := w.fit("kmeans", body{"source": "facts", "fields": []string{"orders", "net_minor", "recency_days"}, "log": []string{"net_minor"}, "k": 2})
	if out.Model.Rows != 40 {
		t.Fatalf("%+v", out.Model)
	}
	var state struct {
		InUse              bool `json:"in_use"`
		Done               bool
		Customers, Changed int
		Clusters           []any
	}
	w.get("/v1/analytics/clusters", http.StatusOK, &state)
	if state.InUse {
		t.Errorf("%+v", state)
	}
	w.use(out.Model.ID)
	if err := w.mining.Assign(t.Context()); err != nil {
		t.Fatal(err)
	}
	first := w.clusterOf("music", few[0])
	for i := range few {
		if w.clusterOf("music", few[i]) != first || w.clusterOf("music", many[i]) == first || w.clusterOf("music", many[i]) == "" {
			t.Fatalf("%q and %q", w.clusterOf("music", few[i]), w.clusterOf("music", many[i]))
		}
	}
	if w.clusterOf("music", newcomer) != "" || w.clusterOf("pizza", elsewhere[0]) != "" {
		t.Error("somebody has a cluster who should have none")
	}
	w.get("/v1/analytics/clusters", http.StatusOK, &state)
	if !state.InUse || !state.Done || state.Customers != 41 || state.Changed != 40 || len(state.Clusters) != 2 {
		t.Errorf("%+v", state)
	}
	// A customer changes: it follows at once, where it is among those whose portraits were reckoned.
	w.Admin(`UPDATE portrait SET orders = 31, net_minor = 900000, last_purchase_on = '2026-05-19' WHERE customer_id = $1`, few[0])
	err := w.DB.Tx(t.Context(), "music", func(tx *pg.Tx) error {
		_, err := w.mining.Follow(t.Context(), tx, []uuid.UUID{few[0], analyticstest.ID()}, w.now)
		return err
	})
	if err != nil || w.clusterOf("music", few[0]) == first {
		t.Errorf("%v: still in %s", err, first)
	}
	// The next day all are looked at again, and once only.
	w.Admin(`UPDATE portrait SET cluster = 'c9' WHERE customer_id = $1`, few[1])
	if err := w.mining.Assign(t.Context()); err != nil || w.clusterOf("music", few[1]) != "c9" {
		t.Error("it was done twice on one day", err)
	}
	w.now = w.now.AddDate(0, 0, 1)
	if err := w.mining.Assign(t.Context()); err != nil || w.clusterOf("music", few[1]) != first {
		t.Errorf("%v: %s", err, w.clusterOf("music", few[1]))
	}
}

func TestTheWritingOfClustersGoesOnWhereItWasBrokenOff(t *testing.T) {
	t.Parallel()
	w := start(t)
	few, many := portraits(w, "music", 10)
	newcomer := analyticstest.ID()
	w.Admin(`INSERT INTO portrait (tenant_id, customer_id, orders) VALUES ('music', $1, 1)`, newcomer) // has no recency: the mean is taken
	out := w.fit("kmeans", body{"source": "facts", "fields": []string{"orders", "recency_days"}, "missing": "mean", "scale": "none", "k": 2})
	if out.Model.Rows != 21 {
		t.Fatalf("%+v", out.Model)
	}
	w.use(out.Model.ID)
	w.mining.WithChunk(4)
	// The worker dies in the third chunk: what it wrote there is undone.
	w.Admin(`CREATE FUNCTION public.broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.customers > 8 THEN RAISE 'broken off'; END IF; RETURN NEW; END $$`)
	w.Admin(`CREATE TRIGGER broken BEFORE INSERT OR UPDATE ON public.mining_assignment FOR EACH ROW EXECUTE FUNCTION public.broken()`)
	if err := w.mining.Assign(t.Context()); err == nil {
		t.Fatal("it was not broken off")
	}
	if n := w.Count(`SELECT count(*) FROM portrait WHERE cluster IS NOT NULL`); n != 8 {
		t.Errorf("%d portraits have their cluster", n)
	}
	w.Admin(`DROP TRIGGER broken ON public.mining_assignment`)
	if err := w.mining.Assign(t.Context()); err != nil {
		t.Fatal(err)
	}
	var state struct {
		Done               bool
		Customers, Changed int
	}
	w.get("/v1/analytics/clusters", http.StatusOK, &state)
	if !state.Done || state.Customers != 21 || state.Changed != 21 {
		t.Errorf("%+v", state)
	}
	for i := range few {
		if w.clusterOf("music", few[i]) == w.clusterOf("music", many[i]) {
			t.Error("few and many are one")
		}
	}
	if w.clusterOf("music", newcomer) != w.clusterOf("music", few[0]) {
		t.Errorf("%q, others %q", w.clusterOf("music", newcomer), w.clusterOf("music", few[0]))
	}
}
