package churn_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/model"
)

func TestTelcoIsPredictedAsWellAsWanted(t *testing.T) {
	t.Parallel()
	w := start(t)
	csv, original := telco(t)
	var f fitted
	w.Want(http.StatusOK, http.MethodPost, "/v1/models/churn/fit?target=Churn&id=customerID&lambda=1", w.Marketing, csv, &f, "Content-Type", "text/csv")
	v, rows := f.Model.Detail.Validation, 600
	if original {
		rows = 7043
		require.Equal(t, 1869, f.Model.Detail.Positive)
		require.GreaterOrEqual(t, f.Model.Fit["auc"], 0.84)
		require.Less(t, f.Model.Fit["auc"], 0.86, "so well nobody predicts it: something gave the target away")
		require.Equal(t, 11, missingOf(f, "TotalCharges"))
	}
	require.Equal(t, rows, f.Model.Rows)
	require.Equal(t, "table", f.Model.Source)
	require.Len(t, v.Folds, 5)
	require.True(t, v.Low < v.AUC && v.AUC < v.High && v.High-v.Low < 0.2)
	require.Less(t, v.Brier, v.BaseBrier)
	require.Less(t, v.LogLoss, v.BaseLoss)
	require.Len(t, v.Deciles, 10)
	total := 0
	for i, d := range v.Deciles {
		total += d.Rows
		require.True(t, d.Low <= d.Observed && d.Observed <= d.High)
		if original {
			require.InDelta(t, d.Observed, d.Predicted, 0.06, "tenth %d", d.Decile)
		}
		if i > 0 {
			require.LessOrEqual(t, d.Predicted, v.Deciles[i-1].Predicted)
		}
	}
	require.Equal(t, rows, total)
	require.InDelta(t, 1, v.Deciles[9].Captured, 1e-9)
	require.Greater(t, v.Deciles[0].Lift, 2.0)
	require.False(t, f.Model.Detail.Separable)
	require.Negative(t, f.Model.Params["tenure"])
	strongest := f.Model.Detail.Coefficients[0]
	require.Equal(t, f.Model.Params[strongest.Field], strongest.Beta)
	require.Contains(t, []string{"tenure", "Contract"}, strongest.Column)
	require.Positive(t, f.Model.Errors["tenure"])
	require.Contains(t, f.Model.Errors, "intercept")
	require.Len(t, f.Predictions, rows)
	for _, p := range f.Predictions {
		require.True(t, p.Risk > 0 && p.Risk < 1 && p.OutOfFold > 0 && p.OutOfFold < 1)
		require.NotEmpty(t, p.Reasons)
		require.LessOrEqual(t, len(p.Reasons), 5)
	}

	again := f
	w.Want(http.StatusOK, http.MethodPost, "/v1/models/churn/fit?target=Churn&id=customerID&lambda=1", w.Marketing, csv, &again, "Content-Type", "text/csv")
	require.Equal(t, v, again.Model.Detail.Validation, "the folds go by ids")
	var page struct{ Items []struct{ ID string } }
	w.Want(http.StatusOK, http.MethodGet, "/v1/models/"+f.Model.ID+"/predictions?limit=2", w.Sales, nil, &page)
	require.Equal(t, f.Predictions[0].ID, page.Items[0].ID)

	answer := w.Do(http.MethodPost, "/v1/models/"+f.Model.ID+"/use", w.Marketing, nil)
	require.Equal(t, "model_of_table", answer.Code(), "%s", answer.Body)
	other := w.Token("marketing", "books")
	w.Want(http.StatusNotFound, http.MethodGet, "/v1/models/"+f.Model.ID, other, nil, nil)
}

func missingOf(f fitted, column string) int {
	for _, c := range f.Model.Detail.Columns {
		if c.Column == column {
			return c.Missing
		}
	}
	return -1
}

func TestThePenaltyIsChosenByCrossValidation(t *testing.T) {
	t.Parallel()
	w := start(t)
	rows := repeated(120, func(i int) string { return fmt.Sprintf("%d,%d,%s", i*i%23, i*7%11, yes(i*i%5)) })
	var f fitted
	w.Want(http.StatusOK, http.MethodPost, "/v1/models/churn/fit", w.Marketing, body{"columns": []string{"a", "b", "left"}, "rows": rows, "target": "left"}, &f)
	require.Len(t, f.Model.Detail.Tried, 5)
	best := f.Model.Detail.Tried[0]
	for _, one := range f.Model.Detail.Tried {
		if one.LogLoss < best.LogLoss {
			best = one
		}
	}
	require.Equal(t, best.Lambda, f.Model.Detail.Lambda)
	require.Equal(t, "1", f.Predictions[0].ID, "rows without an id are numbered")
}

func TestASeparableTargetIsSaid(t *testing.T) {
	t.Parallel()
	w := start(t)
	rows := repeated(60, func(i int) string { return fmt.Sprintf("%d,%s", i%2*100+i, yes(i)) })
	var f fitted
	w.Want(http.StatusOK, http.MethodPost, "/v1/models/churn/fit", w.Marketing, body{"columns": []string{"a", "left"}, "rows": rows, "target": "left", "lambda": 0.5}, &f)
	require.True(t, f.Model.Detail.Separable)
	require.Contains(t, codes(f.Model.Warnings), "outcomes_separable")
	require.Contains(t, f.Model.Warnings[0].Detail, "without a mistake")
	got := fitted{}
	w.Want(http.StatusOK, http.MethodGet, "/v1/models/"+f.Model.ID, w.Marketing, nil, &got.Model)
	require.Equal(t, f.Model.Warnings, got.Model.Warnings, "as they are kept")
}

func TestATreeOfATableIsExplained(t *testing.T) {
	t.Parallel()
	w := start(t)
	csv, _ := telco(t)
	var tree struct {
		Rows, Holdout int
		Base          float64
		Accuracy      struct{ Value, Low, High float64 }
		Trivial       float64 `json:"trivial_accuracy"`
		Rules         []struct {
			Words   string
			Filter  string
			Support float64
			Lift    float64
			Purity  struct{ Value, Low, High float64 }
		}
	}
	first := w.Want(http.StatusOK, http.MethodPost, "/v1/analytics/trees?target=Churn&id=customerID&max_depth=3", w.Marketing, csv, &tree, "Content-Type", "text/csv")
	require.Greater(t, tree.Accuracy.Value, tree.Trivial)
	require.True(t, tree.Accuracy.Low < tree.Accuracy.Value && tree.Accuracy.Value < tree.Accuracy.High)
	require.Contains(t, tree.Rules[0].Words, "Contract is Month-to-month")
	require.Greater(t, tree.Rules[0].Lift, 1.5)
	require.Empty(t, tree.Rules[0].Filter, "columns of a table are no fields of portraits")
	lines := bytes.Split(bytes.TrimSpace(csv), []byte("\n"))
	for i, j := 1, len(lines)-1; i < j; i, j = i+1, j-1 {
		lines[i], lines[j] = lines[j], lines[i]
	}
	second := w.Want(http.StatusOK, http.MethodPost, "/v1/analytics/trees?target=Churn&id=customerID&max_depth=3", w.Marketing, bytes.Join(lines, []byte("\n")), nil, "Content-Type", "text/csv")
	require.Equal(t, string(first.Body), string(second.Body), "the order of rows does not matter")
}

func TestATreeOfPortraitsGivesFilters(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.Admin(`INSERT INTO portrait (tenant_id, customer_id, orders, purchase_days, net_minor, last_channel, stage)
		SELECT 'music', gen_random_uuid(), i % 7, i % 7, i * 10, CASE i % 3 WHEN 0 THEN 'web' WHEN 1 THEN 'shop' ELSE '' END,
			CASE WHEN i % 7 >= 4 AND i % 3 = 0 THEN 'loyalty' ELSE 'exploration' END
		FROM generate_series(1, 2000) AS i`)
	w.Admin(`INSERT INTO portrait (tenant_id, customer_id, stage) SELECT 'books', gen_random_uuid(), 'loyalty' FROM generate_series(1, 500)`)
	var tree struct {
		Rows, Holdout int
		Rules         []struct {
			Words, Filter string
			Purity        struct{ Value float64 }
		}
	}
	in := body{"target": `stage = "loyalty"`, "fields": []string{"purchase_days", "net_minor", "last_channel"}}
	w.Want(http.StatusOK, http.MethodPost, "/v1/analytics/trees", w.Marketing, in, &tree)
	require.Equal(t, 2000, tree.Rows+tree.Holdout)
	require.InDelta(t, 1, tree.Rules[0].Purity.Value, 1e-9)
	require.ElementsMatch(t, []string{`purchase_days > 3.5`, `last_channel in ("web")`}, strings.Split(tree.Rules[0].Filter, " and "))
	// Without fields, all but the one that is asked for may be used.
	w.Want(http.StatusOK, http.MethodPost, "/v1/analytics/trees", w.Marketing, body{"target": `stage = "loyalty"`}, &tree)
	for _, r := range tree.Rules {
		require.NotContains(t, r.Words, "stage")
	}
	require.Equal(t, "target_one_class", w.Do(http.MethodPost, "/v1/analytics/trees", w.Token("marketing", "books"), in).Code())
	require.Equal(t, "not_enough_data", w.Do(http.MethodPost, "/v1/analytics/trees", w.Token("marketing", "nobody"), in).Code())
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	w := start(t)
	ids := w.customers("music", 4)
	fit := `{"columns":["x","left"],"target":"left","lambda":1,"positive":"yes","ignore":[],"words":[],"rows":[` + strings.Repeat(`["1","yes"],["2","no"],`, 20) + `["3","no"]]}`
	w.Admin(`UPDATE portrait SET csat = 1 + ('x' || right(customer_id::text, 1))::bit(4)::int % 5 WHERE tenant_id = 'music'`)
	w.Admin(`INSERT INTO portrait (tenant_id, customer_id, orders, units) SELECT 'music', gen_random_uuid(), i % 2, i FROM generate_series(1, 100) AS i`)
	set := `{"kind":"silence","factor":3,"min_days":30,"newcomer_days":90,"horizon_days":90,"threshold_permille":600,"jump_permille":250}`
	for name, target := range map[string]badinput.Target{
		"fit":       {Method: http.MethodPost, Path: "/v1/models/churn/fit", Body: fit, Skip: []string{"a fraction: lambda"}},
		"tree":      {Method: http.MethodPost, Path: "/v1/analytics/trees", Body: `{"target":"orders = 1","fields":["units"],"ignore":["csat"],"max_depth":3,"min_leaf":5,"complexity":0.01}`, Skip: []string{"a fraction: complexity"}},
		"settings":  {Method: http.MethodGet, Path: "/v1/analytics/churn/settings"},
		"customers": {Method: http.MethodGet, Path: "/v1/analytics/churn/customers?least_permille=10", List: true},
		"customer":  {Method: http.MethodGet, Path: "/v1/analytics/churn/customers/" + ids[0].String(), Owned: true},
		"runs":      {Method: http.MethodGet, Path: "/v1/analytics/churn/runs", List: true},
		"set":       {Method: http.MethodPut, Path: "/v1/analytics/churn/settings", Body: set, Version: true, Header: http.Header{"If-Match": {`"0"`}}, Skip: []string{"a fraction: factor"}},
	} {
		t.Run(name, func(t *testing.T) {
			target.URL, target.Token = w.URL, w.Marketing
			badinput.Check(t, target)
		})
	}
	table := "x,left\n" + strings.Repeat("1,yes\n2,no\n", 20)
	for _, c := range []struct {
		name, method, path string
		in                 any
		status             int
		code               string
	}{
		{"no target", http.MethodPost, "/v1/models/churn/fit", table, 422, "validation_failed"},
		{"a target that is no column", http.MethodPost, "/v1/models/churn/fit?target=gone", table, 422, "validation_failed"},
		{"a penalty of nearly nothing", http.MethodPost, "/v1/models/churn/fit?target=left&lambda=0.0001", table, 422, "validation_failed"},
		{"a penalty below nothing", http.MethodPost, "/v1/models/churn/fit?target=left&lambda=-1", table, 422, "validation_failed"},
		{"a penalty without end", http.MethodPost, "/v1/models/churn/fit?target=left&lambda=Inf", table, 422, "validation_failed"},
		{"a cut-off of a table", http.MethodPost, "/v1/models/churn/fit?target=left&cutoff=2026-01-01", table, 422, "validation_failed"},
		{"an empty table", http.MethodPost, "/v1/models/churn/fit?target=left", "", 400, "body_missing"},
		{"a header alone", http.MethodPost, "/v1/models/churn/fit?target=left", "x,left\n", 422, "not_enough_data"},
		{"one row", http.MethodPost, "/v1/models/churn/fit?target=left", "x,left\n1,yes\n", 422, "target_one_class"},
		{"a line that is too long", http.MethodPost, "/v1/models/churn/fit?target=left", "x,left\n1,yes,2\n", 400, "csv_invalid"},
		{"an unknown parameter", http.MethodPost, "/v1/models/churn/fit?target=left&depth=3", table, 422, "validation_failed"},
		{"facts with a target", http.MethodPost, "/v1/models/churn/fit", body{"source": "facts", "target": "left"}, 422, "validation_failed"},
		{"a cut-off whose horizon has not passed", http.MethodPost, "/v1/models/churn/fit", body{"source": "facts", "cutoff": w.now().Format("2006-01-02")}, 422, "validation_failed"},
		{"too few customers", http.MethodPost, "/v1/models/churn/fit", body{"source": "facts"}, 422, "not_enough_data"},
		{"a run without a model", http.MethodPost, "/v1/analytics/churn/runs", nil, 409, "churn_model_missing"},
		{"a run that is none", http.MethodGet, "/v1/analytics/churn/runs/01890000-0000-7000-8000-0000000000aa", nil, 404, "run_not_found"},
		{"a customer that is none", http.MethodGet, "/v1/analytics/churn/customers/01890000-0000-7000-8000-0000000000aa", nil, 404, "customer_not_found"},
		{"a threshold above all", http.MethodGet, "/v1/analytics/churn/customers?least_permille=1001", nil, 422, "validation_failed"},
		{"another list's cursor", http.MethodGet, "/v1/analytics/churn/customers?cursor=YWJj", nil, 400, "cursor_invalid"},
		{"a tree of nothing", http.MethodPost, "/v1/analytics/trees", body{"target": ""}, 422, "validation_failed"},
		{"a tree of a field that is none", http.MethodPost, "/v1/analytics/trees", body{"target": "shoe_size > 3"}, 422, "validation_failed"},
		{"a tree of what cannot be read", http.MethodPost, "/v1/analytics/trees", body{"target": "orders >"}, 422, "validation_failed"},
		{"a tree over a field that is none", http.MethodPost, "/v1/analytics/trees", body{"target": "orders = 1", "fields": []string{"shoe_size"}}, 422, "validation_failed"},
		{"a tree over no field", http.MethodPost, "/v1/analytics/trees", body{"target": "orders = 1", "fields": []string{"units"}, "ignore": []string{"units"}}, 422, "not_enough_data"},
		{"a tree of a segment that is none", http.MethodPost, "/v1/analytics/trees", body{"target": "in segment vips"}, 422, "segment_unknown"},
		{"a tree that is too deep", http.MethodPost, "/v1/analytics/trees?target=left&max_depth=9", table, 422, "validation_failed"},
		{"a tree with leaves that are too large", http.MethodPost, "/v1/analytics/trees?target=left&min_leaf=50", table, 422, "not_enough_data"},
		{"a tree of a table without a target", http.MethodPost, "/v1/analytics/trees", table, 422, "validation_failed"},
	} {
		headers := []string{}
		if _, csv := c.in.(string); csv {
			headers = []string{"Content-Type", "text/csv"}
		}
		answer := w.Do(c.method, c.path, w.Marketing, c.in, headers...)
		if answer.Status != c.status || answer.Code() == "" || c.code != "" && answer.Code() != c.code {
			t.Errorf("%s: got %d %s, want %d %s", c.name, answer.Status, answer.Body, c.status, c.code)
		}
	}
	for _, path := range []string{"/v1/models/churn/fit", "/v1/analytics/trees", "/v1/analytics/churn/runs"} {
		require.Equal(t, http.StatusForbidden, w.Do(http.MethodPost, path, w.Sales, nil).Status, path)
	}
}

func TestALargeTableIsFittedByAJob(t *testing.T) {
	t.Parallel()
	w := start(t)
	models := model.New(w.DB, w.Database.DB(pg.Ops), outbox.New("analytics"), slog.New(slog.DiscardHandler), w.now)
	model.Take(models, w.churn.Offer())
	var table strings.Builder
	table.WriteString("id,x,left\n")
	for i := range 25_000 {
		fmt.Fprintf(&table, "r%d,%d,%s\n", i, i*i%97, yes(i*i%97/10+i%2))
	}
	var f fitted
	w.Want(http.StatusAccepted, http.MethodPost, "/v1/models/churn/fit?target=left&id=id&lambda=1", w.Marketing, table.String(), &f, "Content-Type", "text/csv")
	require.NoError(t, models.Pass(t.Context()))
	var job struct {
		State, Code string
		ModelID     string `json:"model_id"`
	}
	w.Want(http.StatusOK, http.MethodGet, "/v1/models/jobs/"+f.Job.ID, w.Sales, nil, &job)
	require.Equal(t, "done", job.State, job.Code)
	var page struct{ Items []struct{ ID string } }
	w.Want(http.StatusOK, http.MethodGet, "/v1/models/"+job.ModelID+"/predictions?limit=1", w.Sales, nil, &page)
	require.Equal(t, "r0", page.Items[0].ID)

	w.Want(http.StatusAccepted, http.MethodPost, "/v1/models/churn/fit?target=left&later=true", w.Marketing, "x,left\n1,yes\n2,no\n", &f, "Content-Type", "text/csv")
	require.NoError(t, models.Pass(t.Context()))
	w.Want(http.StatusOK, http.MethodGet, "/v1/models/jobs/"+f.Job.ID, w.Sales, nil, &job)
	require.Equal(t, "failed", job.State)
	require.Equal(t, "not_enough_data", job.Code)
}
