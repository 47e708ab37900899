package mining

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/model"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/portrait"
)

// ClustersBody is what clusters are asked with.
type ClustersBody struct {
	model.Input
	Rows    [][]*float64 `json:"rows,omitempty" doc:"Of a table: the numbers of each row, in the order of fields; null where one is missing."`
	Fields  []string     `json:"fields" query:"fields" maxItems:"20" nullable:"false" doc:"Of facts: numbers, amounts and flags of portraits. Of a table: the columns."`
	Log     []string     `json:"log,omitempty" query:"log" maxItems:"20" doc:"Fields that are taken as sign(v)·ln(1 + |v|): for what few have very much of."`
	K       int          `json:"k,omitempty" query:"k" minimum:"2" maximum:"50" doc:"Clusters. Left out: that of k_min to k_max with the best silhouette."`
	KMin    int          `json:"k_min,omitempty" query:"k_min" minimum:"2" maximum:"20" doc:"Left out: 2."`
	KMax    int          `json:"k_max,omitempty" query:"k_max" minimum:"2" maximum:"20" doc:"Left out: 8."`
	Starts  int          `json:"starts,omitempty" query:"starts" minimum:"1" maximum:"50" doc:"How often centres are drawn; the best is kept. Left out: 10."`
	Seed    int64        `json:"seed,omitempty" query:"seed" minimum:"0" doc:"The same seed and rows give the same clusters."`
	Scale   string       `json:"scale,omitempty" query:"scale" enum:"population,none" doc:"population: each field to mean 0 and population standard deviation 1. Left out: population."`
	Missing string       `json:"missing,omitempty" query:"missing" enum:"leave_out,mean" doc:"What to do with rows that lack a number: leave them out, or take the mean of the field. Left out: leave_out."`
}

// How numbers are taken.
const (
	scalePopulation = "population"
	scaleNone       = "none"
	missingLeaveOut = "leave_out"
	missingMean     = "mean"
)

// Given tells how many rows came.
func (b *ClustersBody) Given() (n int, given bool) { return len(b.Rows), b.Rows != nil }

// Check names what is wrong with the settings.
func (b *ClustersBody) Check() (faults []problem.Field) {
	fault := func(field, code, message string) {
		faults = append(faults, problem.Field{Location: field, Code: code, Message: message})
	}
	if len(b.Fields) == 0 {
		fault("fields", "required", "name at least one")
	}
	facts := b.Source == model.FromFacts
	for i, name := range b.Fields {
		at := fmt.Sprintf("fields[%d]", i)
		switch {
		case name == "" || len(name) > 200:
			fault(at, "invalid", "must have 1 to 200 bytes")
		case slices.Contains(b.Fields[:i], name):
			fault(at, "duplicate", "stands there twice")
		case facts && !isNumber(name):
			fault(at, "field_unknown", "is no number, amount or flag of portraits")
		}
	}
	for i, name := range b.Log {
		if !slices.Contains(b.Fields, name) {
			fault(fmt.Sprintf("log[%d]", i), "field_unknown", "is not one of fields")
		}
	}
	if b.KMin != 0 && b.KMax != 0 && b.KMin > b.KMax {
		fault("k_max", "out_of_range", "lies below k_min")
	}
	for i, row := range b.Rows {
		if len(row) != len(b.Fields) {
			fault(fmt.Sprintf("rows[%d]", i), "invalid", "does not have as many numbers as there are fields")
			break
		}
	}
	return faults
}

func isNumber(name string) bool {
	f, ok := portrait.Lookup(name)
	return ok && (f.Type == portrait.Number || f.Type == portrait.Money || f.Type == portrait.Flag)
}

func (b *ClustersBody) fill() {
	standard(&b.KMin, 2)
	standard(&b.KMax, max(8, b.KMin))
	b.KMin = min(b.KMin, b.KMax)
	standard(&b.Starts, 10)
	standard(&b.Scale, scalePopulation)
	standard(&b.Missing, missingLeaveOut)
}

const (
	// maxCells is how many numbers are clustered: 8 bytes each.
	maxCells = 40_000_000
	// largeRows is from how many rows on the number of clusters and the start are chosen on a sample of sampleRows.
	largeRows  = 50_000
	sampleRows = 20_000
	// silhouetteRows is of how many rows silhouettes are reckoned at most; of more, of a sample of so many.
	silhouetteRows = 5_000
)

// ClustersOffer is clusters as a kind of model.
func (m *Mining) ClustersOffer() model.Offer[ClustersBody] {
	return model.Offer[ClustersBody]{
		Kind: KindClusters, Summary: "Find clusters of customers, or of rows, who are alike",
		Description: fmt.Sprintf("k-means++ and Lloyd's rounds on all rows. Above %d rows the number of clusters and the start are chosen on a random sample of %d; silhouettes are exact up to %d "+
			"rows and of a random sample of so many above (fit.silhouette_rows). Clusters are named c1, c2, … by size. detail.clusters has what sets each apart: "+
			"by field the mean, and its difference from the mean of all in population standard deviations. predictions, of a table: the cluster of each row; null of one left out. "+
			"A model of facts in use gives portraits their cluster.", largeRows, sampleRows, silhouetteRows),
		Fit: m.fitClusters, Used: m.useClusters,
	}
}

// clustersState is what is needed to say in which cluster somebody is.
type clustersState struct {
	Fields     []string    `json:"fields"`
	Log        []string    `json:"log"`
	Means      []float64   `json:"means"` // of the fields as they are taken
	Deviations []float64   `json:"deviations"`
	Scale      string      `json:"scale"`
	Missing    string      `json:"missing"`
	Centres    [][]float64 `json:"centres"`
}

// rowPrediction is the cluster of a row of a table.
type rowPrediction struct {
	Cluster  *string  `json:"cluster"`
	Distance *float64 `json:"distance,omitempty"` // to its centre, as fields were taken
}

// Trait is how far a cluster differs in one field.
type Trait struct {
	Field      string  `json:"field"`
	Mean       float64 `json:"mean"`       // of the cluster, in the field's unit
	Overall    float64 `json:"overall"`    // of all
	Difference float64 `json:"difference"` // in population standard deviations of the field as it is taken
}

// clusterDetail is one cluster as a model shows it.
type clusterDetail struct {
	Cluster    string  `json:"cluster"`
	Size       int     `json:"size"`
	Share      float64 `json:"share"`
	Silhouette float64 `json:"silhouette"`
	Traits     []Trait `json:"traits"` // the greatest difference first
}

// triedDetail is how good a number of clusters is.
type triedDetail struct {
	K          int     `json:"k"`
	Within     float64 `json:"within"` // of the rows it was tried on
	Silhouette float64 `json:"silhouette"`
}

type clustersDetail struct {
	Fields   []string        `json:"fields"`
	LeftOut  int             `json:"left_out"` // rows that lack a number
	Clusters []clusterDetail `json:"clusters"`
	Tried    []triedDetail   `json:"tried"`
	ChosenOn int             `json:"chosen_on"` // rows that the number of clusters and the start were chosen on
}

// clusterName is the code of a cluster by its place.
func clusterName(c int32) string { return fmt.Sprintf("c%d", c+1) }

func (m *Mining) fitClusters(ctx context.Context, o model.Order[ClustersBody]) (model.Fitted, error) {
	body := *o.Body
	body.fill()
	var f model.Fitted
	var raw Matrix // NaN: missing
	var err error
	switch {
	case o.Source == model.FromFacts:
		f.Cutoff = m.today()
		raw, err = m.readPortraits(ctx, o.Tenant, body.Fields)
	case o.Table != nil:
		raw, err = tableMatrix(o.Table, body.Fields)
	default:
		raw = Matrix{Cols: len(body.Fields)}
		for _, row := range body.Rows {
			for _, v := range row {
				raw.Data = append(raw.Data, orNaN(v))
			}
		}
	}
	if err != nil {
		return f, err
	}
	taken, rows := body.take(raw)
	return body.fit(ctx, f, raw.Rows(), taken, rows, o.Source == model.FromTable)
}

func orNaN(v *float64) float64 {
	if v == nil {
		return math.NaN()
	}
	return *v
}

// take gives the rows as they are clustered, before they are scaled, and which of raw they are.
func (b *ClustersBody) take(raw Matrix) (Matrix, []int) {
	logs := make([]bool, raw.Cols)
	for j, name := range b.Fields {
		logs[j] = slices.Contains(b.Log, name)
	}
	means := make([]float64, raw.Cols)
	if b.Missing == missingMean {
		counts := make([]float64, raw.Cols)
		for i, v := range raw.Data {
			if !math.IsNaN(v) {
				means[i%raw.Cols] += logged(v, logs[i%raw.Cols])
				counts[i%raw.Cols]++
			}
		}
		for j, n := range counts {
			means[j] /= max(n, 1)
		}
	}
	taken := Matrix{Data: raw.Data[:0], Cols: raw.Cols} // in the same place: rows only move up
	var rows []int
	for i := range raw.Rows() {
		row := raw.Row(i)
		if b.Missing == missingLeaveOut && slices.ContainsFunc(row, math.IsNaN) {
			continue
		}
		for j, v := range row {
			if math.IsNaN(v) {
				taken.Data = append(taken.Data, means[j])
			} else {
				taken.Data = append(taken.Data, logged(v, logs[j]))
			}
		}
		rows = append(rows, i)
	}
	return taken, rows
}

func logged(v float64, log bool) float64 {
	if !log {
		return v
	}
	return math.Copysign(math.Log1p(math.Abs(v)), v)
}

func unlogged(v float64, log bool) float64 {
	if !log {
		return v
	}
	return math.Copysign(math.Expm1(math.Abs(v)), v)
}

func (b *ClustersBody) fit(ctx context.Context, f model.Fitted, given int, taken Matrix, rows []int, table bool) (model.Fitted, error) {
	n := taken.Rows()
	distinct := distinctRows(taken, max(b.K, b.KMax))
	if b.K == 0 {
		b.KMax = min(b.KMax, distinct-1)
		b.KMin = min(b.KMin, b.KMax)
	}
	if n < 3 || distinct < max(b.K, 2) || b.K == 0 && b.KMax < 2 {
		return f, model.NotEnough("There are %d rows with all numbers, %d of them different (as far as was counted): too few for the clusters that were asked for.", n, distinct)
	}
	overall := b.means(taken)
	state := clustersState{Fields: b.Fields, Log: append([]string{}, b.Log...), Scale: b.Scale, Missing: b.Missing}
	unscaled := Matrix{Cols: taken.Cols}
	if b.Scale == scaleNone {
		unscaled.Data = slices.Clone(taken.Data)
	}
	state.Means, state.Deviations = Scale(taken)
	if b.Scale == scaleNone {
		taken = unscaled
	}
	seed := uint64(b.Seed)
	small := taken
	if n > largeRows {
		small = taken.pick(sample(n, sampleRows, seed))
	}
	part, tried, err := b.choose(ctx, small, seed)
	if err != nil {
		return f, err
	}
	if n > largeRows {
		if part, err = lloyd(ctx, taken, part.Centres); err != nil {
			return f, err
		}
	}
	part.bySize()
	judged := sample(n, silhouetteRows, seed+1)
	of := make([]int32, len(judged))
	for i, row := range judged {
		of[i] = part.Of[row]
	}
	k := len(part.Sizes)
	silhouette := Silhouettes(taken.pick(judged), of, k)
	for c := range k {
		state.Centres = append(state.Centres, slices.Clone(part.Centres.Row(c)))
	}
	f.Rows, f.State = int64(n), state
	f.Params = map[string]float64{"k": float64(k), "seed": float64(b.Seed), "starts": float64(b.Starts)}
	total := totalSquares(taken)
	f.Fit = map[string]float64{
		"within": part.Within, "total": total, "explained": 1 - part.Within/total, "silhouette": silhouette.Overall, "silhouette_rows": float64(silhouette.Rows), "rounds": float64(part.Rounds),
	}
	f.Detail = clustersDetail{
		Fields: b.Fields, LeftOut: given - n, Tried: tried, ChosenOn: small.Rows(), Clusters: b.describe(taken, part, state, overall, silhouette),
	}
	f.Warnings = b.warnings(part, silhouette, given, n)
	if table {
		f.Predictions = tablePredictions(given, rows, taken, part)
	}
	return f, nil
}

// choose clusters with the number that was given, or tries each and takes that with the best silhouette.
func (b *ClustersBody) choose(ctx context.Context, m Matrix, seed uint64) (best Partition, tried []triedDetail, err error) {
	from, to := b.K, b.K
	if b.K == 0 {
		from, to = b.KMin, b.KMax
	}
	judged := sample(m.Rows(), silhouetteRows, seed+2)
	seen, top := m.pick(judged), math.Inf(-1)
	for k := from; k <= to; k++ {
		p, err := KMeans(ctx, m, k, b.Starts, seed)
		if err != nil {
			return best, nil, err
		}
		of := make([]int32, len(judged))
		for i, row := range judged {
			of[i] = p.Of[row]
		}
		s := Silhouettes(seen, of, k).Overall
		tried = append(tried, triedDetail{K: k, Within: p.Within, Silhouette: s})
		if s > top {
			best, top = p, s
		}
	}
	return best, tried, nil
}

func totalSquares(m Matrix) float64 {
	means := make([]float64, m.Cols)
	for i, v := range m.Data {
		means[i%m.Cols] += v / float64(m.Rows())
	}
	total := 0.0
	for i := range m.Rows() {
		total += squared(m.Row(i), means)
	}
	return total
}

// distinctRows counts different rows up to one more than most.
func distinctRows(m Matrix, most int) int {
	var seen [][]float64
	for i := range m.Rows() {
		row := m.Row(i)
		if !slices.ContainsFunc(seen, func(other []float64) bool { return slices.Equal(other, row) }) {
			if seen = append(seen, row); len(seen) > most {
				break
			}
		}
	}
	return len(seen)
}

func tablePredictions(given int, rows []int, m Matrix, p Partition) []any {
	all := make([]any, given)
	for i := range all {
		all[i] = rowPrediction{}
	}
	for i, row := range rows {
		name := clusterName(p.Of[i])
		distance := math.Sqrt(squared(m.Row(i), p.Centres.Row(int(p.Of[i]))))
		all[row] = rowPrediction{&name, &distance}
	}
	return all
}

// tableMatrix reads the named columns; an empty cell is missing.
func tableMatrix(t *model.Table, fields []string) (Matrix, error) {
	places := make([]int, len(fields))
	for i, name := range fields {
		at, err := t.Column(name)
		if err != nil {
			return Matrix{}, err
		}
		places[i] = at
	}
	if len(t.Rows)*len(fields) > maxCells {
		return Matrix{}, tooManyCells()
	}
	m := Matrix{Cols: len(fields), Data: make([]float64, 0, len(t.Rows)*len(fields))}
	for i := range t.Rows {
		for _, at := range places {
			if strings.TrimSpace(t.Rows[i][at]) == "" {
				m.Data = append(m.Data, math.NaN())
				continue
			}
			v, err := t.Number(i, at)
			if err != nil {
				return Matrix{}, err
			}
			m.Data = append(m.Data, v)
		}
	}
	return m, nil
}

func tooManyCells() error {
	return problem.New(problem.Unprocessable, "too_many_cells", "There are more than %d numbers. Take fewer fields.", maxCells)
}

// portraitChunk is how many portraits are read by one statement.
const portraitChunk = 20_000

// readPortraits reads the fields of all portraits, in chunks by customer.
func (m *Mining) readPortraits(ctx context.Context, tenant string, fields []string) (Matrix, error) {
	all := Matrix{Cols: len(fields)}
	for after := uuid.Nil; ; {
		read := 0
		err := m.db.Read(ctx, tenant, func(tx *pg.Tx) error {
			ids, chunk, err := readFields(ctx, tx, fields, m.today(), `customer_id > $3 ORDER BY customer_id LIMIT $4`, after, portraitChunk)
			if read = len(ids); err == nil && read > 0 {
				after = ids[read-1]
				all.Data = append(all.Data, chunk.Data...)
			}
			return err
		})
		switch {
		case err != nil:
			return all, err
		case read < portraitChunk:
			return all, nil
		case len(all.Data) > maxCells:
			return all, tooManyCells()
		}
	}
}

func decodeState(of model.Model) (s clustersState, centres Matrix, err error) {
	if err := json.Unmarshal(of.State, &s); err != nil {
		return s, centres, err
	}
	centres.Cols = len(s.Fields)
	for _, c := range s.Centres {
		centres.Data = append(centres.Data, c...)
	}
	return s, centres, nil
}
