package churn_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/churn"
)

// grid reads rows of values that are separated by commas.
func grid(text string) (rows [][]string) {
	for line := range strings.Lines(text) {
		rows = append(rows, strings.Split(strings.TrimSuffix(line, "\n"), ","))
	}
	return rows
}

// repeated makes n rows, the i-th by line.
func repeated(n int, line func(i int) string) (rows [][]string) {
	for i := range n {
		rows = append(rows, strings.Split(line(i), ","))
	}
	return rows
}

func yes(i int) string {
	if i%2 == 0 {
		return "yes"
	}
	return "no"
}

// words are n words of fifty each, in another order for each column.
func words(i, n int) (line string) {
	for column := range n {
		line += fmt.Sprintf("w%d,", i*(2*column+1)%101%50)
	}
	return line
}

func TestTablesThatNothingCanBeLearntFrom(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		columns string
		rows    [][]string
		layout  churn.Layout
		lambda  float64
		code    string
		where   string
	}{
		{"no rows", "x,left", nil, churn.Layout{Target: "left"}, 1, "not_enough_data", ""},
		{"one row", "x,left", grid("1,yes\n"), churn.Layout{Target: "left"}, 1, "target_one_class", ""},
		{"one outcome", "x,left", repeated(50, func(i int) string { return fmt.Sprintf("%d,yes", i) }), churn.Layout{Target: "left"}, 1, "target_one_class", ""},
		{"a target that is missing", "x,left", grid("1,yes\n2,\n"), churn.Layout{Target: "left"}, 1, "target_missing", "body.rows[1].left"},
		{"three outcomes", "x,left", grid("1,yes\n2,no\n3,maybe\n"), churn.Layout{Target: "left"}, 1, "target_not_binary", ""},
		{"which is which is not said", "x,left", grid("1,a\n2,b\n"), churn.Layout{Target: "left"}, 1, "target_positive_unknown", ""},
		{"both are yes", "x,left", grid("1,yes\n2,true\n"), churn.Layout{Target: "left"}, 1, "target_positive_unknown", ""},
		{"a positive that does not come", "x,left", grid("1,a\n2,b\n"), churn.Layout{Target: "left", Positive: "c"}, 1, "target_positive_unknown", "positive"},
		{"no such target", "x,left", grid("1,yes\n2,no\n"), churn.Layout{Target: "gone"}, 1, "validation_failed", "target"},
		{"no such id", "x,left", grid("1,yes\n2,no\n"), churn.Layout{Target: "left", ID: "id"}, 1, "validation_failed", "id"},
		{"the target for an id", "x,left", grid("1,yes\n2,no\n"), churn.Layout{Target: "left", ID: "left"}, 1, "validation_failed", "id"},
		{"no such column to be ignored", "x,left", grid("1,yes\n2,no\n"), churn.Layout{Target: "left", Ignore: []string{"y"}}, 1, "validation_failed", "ignore"},
		{"nothing beside the target", "x,left", grid("1,yes\n2,no\n"), churn.Layout{Target: "left", Ignore: []string{"x"}}, 1, "not_enough_data", ""},
		{"an id twice", "id,x,left", grid("a,1,yes\na,2,no\n"), churn.Layout{Target: "left", ID: "id"}, 1, "rows_invalid", "body.rows[1].id"},
		{"an id that is missing", "id,x,left", grid("a,1,yes\n,2,no\n"), churn.Layout{Target: "left", ID: "id"}, 1, "rows_invalid", "body.rows[1].id"},
		{"a name twice", "x,x,left", grid("1,1,yes\n"), churn.Layout{Target: "left"}, 1, "validation_failed", "columns[1]"},
		{"a row that is too short", "x,left", grid("1,yes\n2\n"), churn.Layout{Target: "left"}, 1, "rows_invalid", "body.rows[1].length"},
		{"a word among numbers", "x,left", append(repeated(40, func(i int) string { return fmt.Sprintf("%d,%s", i, yes(i)) }), []string{"1o", "no"}), churn.Layout{Target: "left"}, 1, "rows_invalid", "body.rows[40].x"},
		{"without end", "x,left", append(repeated(40, func(i int) string { return fmt.Sprintf("%d,%s", i, yes(i)) }), []string{"1e999", "no"}), churn.Layout{Target: "left"}, 1, "rows_invalid", "body.rows[40].x"},
		{"10,000 categories", "x,left", repeated(10_000, func(i int) string { return fmt.Sprintf("name-%d,%s", i, yes(i)) }), churn.Layout{Target: "left"}, 1, "column_too_many_categories", "columns.x"},
		{"too few of one outcome", "x,left", repeated(50, func(i int) string { return fmt.Sprintf("%d,%s", i, map[bool]string{true: "yes", false: "no"}[i < 9]) }), churn.Layout{Target: "left"}, 1, "not_enough_data", ""},
		{"too many fields", "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r,s,t,u,v,left", repeated(2000, func(i int) string {
			return words(i, 22) + yes(i)
		}), churn.Layout{Target: "left"}, 1, "table_too_wide", ""},
		{"nothing changes", "x,left", repeated(50, func(i int) string { return "7," + yes(i) }), churn.Layout{Target: "left"}, 1, "not_enough_data", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			table, err := churn.Build(strings.Split(c.columns, ","), c.rows, c.layout)
			if err == nil {
				_, err = churn.Train(table, c.lambda, churn.Patience)
			}
			require.Error(t, err)
			p := problem.From(err)
			require.Equal(t, problem.Unprocessable, p.Kind, err)
			require.Equal(t, c.code, p.Code, err)
			if c.where != "" {
				require.Equal(t, c.where, p.Fields[0].Location)
			}
		})
	}
}

func TestMissingValuesAreFilledAndFlagged(t *testing.T) {
	t.Parallel()
	// Whoever has no figure went: only the flag can tell, since the median stands in the place of the figure.
	table, err := churn.Build([]string{"figure", "word", "left"}, repeated(60, func(i int) string {
		if i%2 == 0 {
			return " ,,yes"
		}
		return fmt.Sprintf("%d,w%d,no", i%7, i%3)
	}), churn.Layout{Target: "left"})
	require.NoError(t, err)
	m, err := churn.Train(table, 1, churn.Patience)
	require.NoError(t, err)
	require.Len(t, m.Encoding.Columns, 2)
	require.Equal(t, 30, m.Encoding.Columns[0].Missing)
	require.Equal(t, 3.0, m.Encoding.Columns[0].Fill)
	require.Equal(t, 30, m.Encoding.Columns[1].Missing)
	require.Equal(t, []string{"figure=(missing)"}, m.Encoding.Columns[1].SameAs, "the second flag says what the first does")
	require.True(t, m.Separable)
	p := m.Predict(table, []int{0})[0]
	require.Greater(t, p.Risk, 0.9)
	require.Equal(t, "figure", p.Codes()[0])
	require.Equal(t, "figure is not known, which raises the risk", p.Reasons[0].Words())
}

func TestRareCategoriesAreFoldedAndNewOnesAreTheReference(t *testing.T) {
	t.Parallel()
	// A hundred categories, the last fifty of which came once and went.
	var rows [][]string
	for i := range 50 {
		for range 6 {
			rows = append(rows, []string{fmt.Sprintf("c%02d", i), "no"})
		}
		rows = append(rows, []string{fmt.Sprintf("rare%02d", i), "yes"})
	}
	table, err := churn.Build([]string{"word", "left"}, rows, churn.Layout{Target: "left"})
	require.NoError(t, err)
	m, err := churn.Train(table, 1, churn.Patience)
	require.NoError(t, err)
	require.Equal(t, 100, m.Encoding.Columns[0].Categories)
	require.Equal(t, 51, m.Encoding.Columns[0].Folded)
	require.Equal(t, "c00", m.Encoding.Columns[0].Reference)
	fresh, err := churn.Build([]string{"word", "left"}, grid("never seen,yes\nrare07,yes\nc00,no\n"), churn.Layout{Target: "left"})
	require.NoError(t, err)
	p := m.Predict(fresh, []int{0, 1, 2})
	require.InDelta(t, p[0].Risk, p[1].Risk, 1e-12, "what was never seen is rare as well")
	require.Greater(t, p[1].Risk, p[2].Risk)
	few, err := churn.Build([]string{"word", "left"}, repeated(60, func(i int) string { return fmt.Sprintf("w%d,%s", i%3, yes(i/3)) }), churn.Layout{Target: "left"})
	require.NoError(t, err)
	m, err = churn.Train(few, 1, churn.Patience)
	require.NoError(t, err)
	p = m.Predict(fresh, []int{0})
	require.InDelta(t, m.Predict(few, []int{0})[0].Risk, p[0].Risk, 1e-12, "without rare ones it is as the most frequent")
}

func TestTheOrderOfRowsDoesNotMatter(t *testing.T) {
	t.Parallel()
	rows := repeated(200, func(i int) string { return fmt.Sprintf("r%d,%d,w%d,%s", i, i*i%17, i%4, yes(i*i%7)) })
	columns, layout := []string{"id", "x", "w", "left"}, churn.Layout{Target: "left", ID: "id"}
	table, err := churn.Build(columns, rows, layout)
	require.NoError(t, err)
	a, err := churn.Train(table, 1, churn.Patience)
	require.NoError(t, err)
	for i, j := 0, len(rows)-1; i < j; i, j = i+1, j-1 {
		rows[i], rows[j] = rows[j], rows[i]
	}
	table, err = churn.Build(columns, rows, layout)
	require.NoError(t, err)
	b, err := churn.Train(table, 1, churn.Patience)
	require.NoError(t, err)
	require.InDelta(t, a.Validation.AUC, b.Validation.AUC, 1e-9)
	require.InDeltaSlice(t, a.Fit.Beta, b.Fit.Beta, 1e-6)
}

func TestCodesOfColumns(t *testing.T) {
	t.Parallel()
	for column, want := range map[string]string{
		"MonthlyCharges": "monthly_charges", "recency_days": "recency_days", "客户": "column", "90 days": "column_90_days", "a--b": "a_b", "ABC": "abc", "_": "column",
	} {
		require.Equal(t, want, churn.Code(column))
	}
}

func TestAFitThatWouldNotBeDoneInTimeIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	table, err := churn.Build(strings.Split("a,b,c,d,e,f,g,h,i,j,left", ","), repeated(20_000, func(i int) string { return words(i, 10) + yes(i) }), churn.Layout{Target: "left"})
	require.NoError(t, err)
	_, err = churn.Train(table, 0, 30*time.Second)
	require.Equal(t, "fit_too_heavy", problem.From(err).Code)
}
