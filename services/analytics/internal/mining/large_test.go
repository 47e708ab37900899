package mining_test

import (
	"encoding/json"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/guanxi-crm/guanxi/services/analytics/internal/mining"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/model"
)

// Of a large table the number of clusters is chosen on a sample, every row is in the cluster it is drawn for, and the answer says what
// was looked at.
func TestALargeTableIsChosenOnASampleAndPartedWhole(t *testing.T) {
	t.Parallel()
	const rows = 60_000
	r := rand.New(rand.NewPCG(3, 1))
	table := &model.Table{Columns: []string{"a", "b", "c"}}
	of := make([]int, rows)
	for i := range rows {
		of[i] = min(r.IntN(6), 3) - 1 // the last of the groups is the largest
		of[i] = max(of[i], 0)
		centre := [][]float64{{0, 0, 0}, {10, 0, 5}, {0, 10, 9}}[of[i]]
		row := make([]string, 3)
		for j, v := range centre {
			row[j] = strconv.FormatFloat(v+r.NormFloat64()/2, 'g', -1, 64)
		}
		table.Rows = append(table.Rows, row)
	}
	m := mining.New(nil, nil, time.Now)
	f, err := m.ClustersOffer().Fit(t.Context(), model.Order[mining.ClustersBody]{
		Source: model.FromTable, Table: table, Body: &mining.ClustersBody{Fields: table.Columns, KMax: 5, Starts: 3},
	})
	if err != nil {
		t.Fatal(err)
	}
	var detail struct {
		ChosenOn int `json:"chosen_on"`
		Clusters []struct{ Size int }
	}
	raw, err := json.Marshal(f.Detail)
	if err != nil {
		t.Fatal(err)
	}
	decode(t, raw, &detail)
	if f.Rows != rows || f.Params["k"] != 3 || detail.ChosenOn != 20_000 || f.Fit["silhouette_rows"] != 5_000 || f.Fit["silhouette"] < 0.8 {
		t.Errorf("%v %v %s", f.Params, f.Fit, raw)
	}
	name, size := map[int]string{}, 0
	for i, p := range f.Predictions {
		raw, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		var one struct{ Cluster string }
		decode(t, raw, &one)
		if name[of[i]] == "" {
			name[of[i]] = one.Cluster
		}
		if name[of[i]] != one.Cluster {
			t.Fatalf("row %d of group %d is in %s, others in %s", i, of[i], one.Cluster, name[of[i]])
		}
	}
	for _, c := range detail.Clusters {
		size += c.Size
	}
	if size != rows || len(name) != 3 {
		t.Errorf("%d rows in %v", size, name)
	}
}
