package metric

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Row is one cell of an answer.
type Row struct {
	Start   time.Time // first day of the period; zero without a grain
	Partial bool      // the time asked for, or the present, cuts the period off
	By      []*string // values of the dimensions asked for; nil: unknown
	Values  []Value   // of the metrics asked for
}

// Served is where the numbers of a metric came from.
type Served struct {
	Metric
	From string
}

// Answer is what a question came to.
type Answer struct {
	Question
	Metrics  []Served
	Span     Span
	Before   Span // that Previous compares with, where there is no grain
	Rows     []Row
	More     bool // rows were left out for the limit
	AsOf     time.Time
	Currency string // of amounts; empty where none are asked for or they are cut by currency
}

// cell is the measures of one combination of period and dimension values.
type cell struct {
	start    time.Time // zero: before the first period, of levels; or without a grain
	by       []*string
	measured map[string]float64
}

// table is cells by their place.
type table struct {
	cells map[string]*cell
	order []string // in which they came
}

func newTable() *table { return &table{cells: map[string]*cell{}} }

func keyOf(start time.Time, by []*string) string {
	var b strings.Builder
	if !start.IsZero() {
		b.WriteString(start.Format(time.DateOnly))
	}
	for _, v := range by {
		b.WriteByte(0)
		if v != nil {
			b.WriteByte('=')
			b.WriteString(*v)
		}
	}
	return b.String()
}

// at gives the cell at a place, which is made where there is none.
func (t *table) at(start time.Time, by []*string) *cell {
	k := keyOf(start, by)
	c, ok := t.cells[k]
	if !ok {
		c = &cell{start: start, by: by, measured: map[string]float64{}}
		t.cells[k] = c
		t.order = append(t.order, k)
	}
	return c
}

// levels makes steps up and down into levels: in each period as many as there were before it, and what came and went. Every
// combination of dimension values then has every period.
func (t *table) levels(names []string, starts []time.Time) {
	combinations := map[string][]*string{}
	var order []string
	for _, k := range t.order {
		by := t.cells[k].by
		key := keyOf(time.Time{}, by)
		if _, ok := combinations[key]; !ok {
			combinations[key] = by
			order = append(order, key)
		}
	}
	for _, key := range order {
		by := combinations[key]
		for _, name := range names {
			level := 0.0
			if before, ok := t.cells[keyOf(time.Time{}, by)]; ok {
				level = before.measured[name]
			}
			for _, start := range starts {
				c := t.at(start, by)
				level += c.measured[name]
				c.measured[name] = level
			}
		}
	}
	for _, key := range order { // what was before the first period is no row
		delete(t.cells, key)
	}
	t.order = slices.DeleteFunc(t.order, func(k string) bool { return t.cells[k] == nil })
}

// rows makes the rows of a table: the metrics asked for, reckoned from measures and by formulas.
func (p plan) rows(t *table, span Span) []Row {
	rows := make([]Row, 0, len(t.order))
	for _, k := range t.order {
		c := t.cells[k]
		values := map[string]Value{}
		var value func(m Metric) Value
		value = func(m Metric) Value {
			if v, ok := values[m.Code]; ok {
				return v
			}
			var v Value
			if m.BuiltIn {
				v = m.reckon(c.measured)
			} else if one, faults := p.formulas.of(m); len(faults) == 0 {
				v.Value = one.value(func(code string) *float64 { return value(p.formulas.catalogue[code]).Value })
			}
			values[m.Code] = v
			return v
		}
		row := Row{Start: c.start, By: c.by}
		if p.Grain != Whole {
			row.Partial = span.partial(p.Grain, c.start)
		}
		for _, m := range p.metrics {
			row.Values = append(row.Values, value(m))
		}
		rows = append(rows, row)
	}
	return rows
}

// compare puts beside each row what the period before had. shift gives the start of that period.
func compare(rows, before []Row, shift func(time.Time) time.Time) {
	at := make(map[string]Row, len(before)+len(rows))
	for _, r := range append(slices.Clone(before), rows...) {
		at[keyOf(r.Start, r.By)] = r
	}
	for i := range rows {
		was, ok := at[keyOf(shift(rows[i].Start), rows[i].By)]
		if !ok {
			continue
		}
		for n := range rows[i].Values {
			v := &rows[i].Values[n]
			if v.Previous = was.Values[n].Value; v.Previous != nil && v.Value != nil && *v.Previous != 0 {
				v.Change = known((*v.Value - *v.Previous) / abs(*v.Previous))
			}
		}
	}
}

func abs(f float64) float64 { return max(f, -f) }

// sorted puts rows into the order asked for; equals stand by period, then by dimensions. What is not known comes last.
func (p plan) sorted(rows []Row) {
	slices.SortStableFunc(rows, func(a, b Row) int {
		for _, o := range append(slices.Clone(p.Order), append([]string{"period"}, p.By...)...) {
			name, down := strings.CutPrefix(o, "-")
			if c := p.compare(a, b, name, down); c != 0 {
				return c
			}
		}
		return 0
	})
}

func (p plan) compare(a, b Row, name string, down bool) int {
	turn := func(c int) int {
		if down {
			return -c
		}
		return c
	}
	if name == "period" {
		return turn(a.Start.Compare(b.Start))
	}
	if i := slices.Index(p.By, name); i >= 0 {
		return unknownLast(a.By[i], b.By[i], turn)
	}
	i := slices.Index(p.Question.Metrics, name)
	return unknownLast(a.Values[i].Value, b.Values[i].Value, turn)
}

func unknownLast[T cmp.Ordered](a, b *T, turn func(int) int) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return 1
	case b == nil:
		return -1
	default:
		return turn(cmp.Compare(*a, *b))
	}
}
