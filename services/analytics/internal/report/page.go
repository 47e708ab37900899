package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/guanxi-crm/guanxi/services/analytics/internal/metric"
)

//go:embed page.html
var pageHTML string

var page = template.Must(template.New("report").Parse(pageHTML))

type pageData struct {
	Title, RanAt, Nonce string
	Sections            []pageSection
}

type pageSection struct {
	Title, Text, Problem, AsOf, Currency string
	Charts                               []chart
	Head                                 []string
	Rows                                 [][]string
}

// chart is one metric over time: the numbers behind it stand in the table below it.
type chart struct {
	Title, Top, Bottom, First, Last string
	Lines                           []string  // points of a polyline; a period without a value parts two of them
	parts                           [][]point // the same from 0 to 1 to the right and up
}

type point struct{ x, y float64 }

// write makes the page of a run. Everything in it is escaped, and no script runs.
func (r Run) write(w io.Writer, nonce string) error {
	return page.Execute(w, r.data(nonce))
}

// data is what a run shows, as a page or on paper.
func (r Run) data(nonce string) pageData {
	d := pageData{Title: r.Title, RanAt: r.RanAt.UTC().Format("2006-01-02 15:04 UTC"), Nonce: nonce}
	for _, s := range r.Sections {
		one := pageSection{Title: s.Title, Text: s.Text, Problem: s.Problem}
		if n := s.Numbers; n != nil {
			one.fill(*n)
		}
		d.Sections = append(d.Sections, one)
	}
	return d
}

func (s *pageSection) fill(n metric.MetricNumbers) {
	s.Currency = n.Currency
	if n.AsOf != nil {
		s.AsOf = n.AsOf.UTC().Format(time.RFC3339)
	}
	var by []string
	for _, row := range n.Rows {
		for d := range row.Dimensions {
			if !slices.Contains(by, d) {
				by = append(by, d)
			}
		}
	}
	slices.Sort(by)
	if n.Grain != metric.Whole {
		s.Head = append(s.Head, string(n.Grain))
	}
	s.Head = append(s.Head, by...)
	for _, m := range n.Metrics {
		s.Head = append(s.Head, m.Name)
		if n.Grain != metric.Whole && len(by) == 0 && len(n.Rows) > 1 {
			s.Charts = append(s.Charts, draw(m, n.Rows))
		}
	}
	for _, row := range n.Rows {
		var cells []string
		if n.Grain != metric.Whole {
			cells = append(cells, row.Period)
		}
		for _, d := range by {
			v := "not known"
			if row.Dimensions[d] != nil {
				v = *row.Dimensions[d]
			}
			cells = append(cells, v)
		}
		for _, m := range n.Metrics {
			cells = append(cells, shown(row.Values[m.Code], m.Unit))
		}
		s.Rows = append(s.Rows, cells)
	}
}

func number(f float64, unit metric.Unit) string {
	if unit == metric.Share {
		return strconv.FormatFloat(100*f, 'f', 1, 64) + " %"
	}
	return strconv.FormatFloat(f, 'f', -1, 64)
}

func shown(v metric.MetricValue, unit metric.Unit) string {
	if v.Value == nil {
		return "–"
	}
	s := number(*v.Value, unit)
	if v.Low != nil && v.High != nil {
		s += fmt.Sprintf(" (%s to %s, of %.0f)", number(*v.Low, unit), number(*v.High, unit), *v.Sample)
	}
	return s
}

// draw lays a metric over time into the chart's 560 by 180.
func draw(m metric.MetricServed, rows []metric.MetricRow) chart {
	low, high := 0.0, 0.0
	for _, r := range rows {
		if v := r.Values[m.Code].Value; v != nil {
			low, high = min(low, *v), max(high, *v)
		}
	}
	if high == low {
		high = low + 1
	}
	c := chart{Title: m.Name, Top: number(high, m.Unit), Bottom: number(low, m.Unit), First: rows[0].Period, Last: rows[len(rows)-1].Period}
	var points []string
	var part []point
	flush := func() {
		if len(points) > 0 {
			c.Lines, c.parts = append(c.Lines, strings.Join(points, " ")), append(c.parts, part)
		}
		points, part = nil, nil
	}
	for i, r := range rows {
		v := r.Values[m.Code].Value
		if v == nil {
			flush()
			continue
		}
		at := point{float64(i) / float64(len(rows)-1), (*v - low) / (high - low)}
		points, part = append(points, fmt.Sprintf("%.1f,%.1f", 70+560*at.x, 200-180*at.y)), append(part, at)
	}
	flush()
	return c
}
