package report_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/pdf"
	"github.com/guanxi-crm/guanxi/platform/pdf/pdftest"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/metric"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/report"
)

func drawn(t *testing.T, r report.Run, files ...string) []byte {
	t.Helper()
	fonts, err := pdf.OpenFonts(files)
	require.NoError(t, err)
	var out bytes.Buffer
	require.NoError(t, r.PDF(&out, fonts))
	return out.Bytes()
}

// revenueOf is a run with a table of some rows, by channel.
func revenueOf(channels ...string) report.Run {
	r := report.Run{RanAt: time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC), Result: report.Result{Title: "收入 of the year"}}
	n := &metric.MetricNumbers{Currency: "USD", Metrics: []metric.MetricServed{{Code: "gross_revenue", Name: "Gross revenue", Unit: metric.Money}}}
	for i, c := range channels {
		v := float64(1000 + i)
		n.Rows = append(n.Rows, metric.MetricRow{Dimensions: map[string]*string{"channel": &c}, Values: map[string]metric.MetricValue{"gross_revenue": {Value: &v}}})
	}
	r.Sections = []report.ReportedSection{{Title: "By channel", Text: "A text.", Numbers: n}, {Title: "Another", Problem: "It took too long."}}
	return r
}

func TestAPDFSaysWhatTheRunSays(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "song.ttf")
	require.NoError(t, os.WriteFile(file, pdftest.Font("收入网店"), 0o600))
	run := revenueOf("网店", "web")
	raw := drawn(t, run, file)
	said, pages := pdftest.Text(t, raw)
	require.Equal(t, 1, pages)
	for _, want := range []string{"收入oftheyear", "Made2026-11-2608:00UTC.", "Bychannel", "Atext.", "channelGrossrevenue", "网店1000", "web1001", "AmountsinminorunitsofUSD.", "Another", "Ittooktoolong."} {
		require.Contains(t, said, want)
	}
	require.NotContains(t, said, "questionmarks")
	require.True(t, bytes.Equal(raw, drawn(t, run, file)), "the same run is the same bytes")

	require.NoError(t, os.WriteFile(file, pdftest.Font("收入"), 0o600))
	said, _ = pdftest.Text(t, drawn(t, run, file))
	require.Contains(t, said, "??1000", "a report is there all the same where no font has a character of it")
	require.Contains(t, said, "questionmarks")
}

func TestALongTableGoesOnOnOtherPagesUnderItsHead(t *testing.T) {
	t.Parallel()
	var channels []string
	for i := range 200 {
		channels = append(channels, fmt.Sprintf("channel-%03d", i))
	}
	channels[7] = strings.Repeat("very long ", 100)
	said, pages := pdftest.Text(t, drawn(t, revenueOf(channels...)))
	require.Greater(t, pages, 3)
	require.Equal(t, pages-strings.Count(said, "Another")+1, strings.Count(said, "channelGrossrevenue"))
	require.Contains(t, said, "channel-1991199")
	require.Contains(t, said, "…1007")
	require.Contains(t, said, fmt.Sprintf("Page%d", pages))
}

func TestAWideTableIsParted(t *testing.T) {
	t.Parallel()
	r := revenueOf("web")
	n := r.Sections[0].Numbers
	for i := range 15 {
		code, v := fmt.Sprintf("m%d", i), float64(7000+i)
		n.Metrics = append(n.Metrics, metric.MetricServed{Code: code, Name: "Metric" + code})
		n.Rows[0].Values[code] = metric.MetricValue{Value: &v}
	}
	said, _ := pdftest.Text(t, drawn(t, r))
	for i := range 15 {
		require.Contains(t, said, fmt.Sprint(7000+i))
	}
	require.Equal(t, 3, strings.Count(said, "web"))
}

func TestAChartIsDrawnFromTheNumbers(t *testing.T) {
	t.Parallel()
	r := revenueOf("web", "web", "web")
	n := r.Sections[0].Numbers
	n.Grain = metric.Month
	for i := range n.Rows {
		n.Rows[i].Dimensions, n.Rows[i].Period = nil, fmt.Sprintf("1997-0%d-01", i+1)
	}
	with := drawn(t, r)
	said, _ := pdftest.Text(t, with)
	require.Contains(t, said, "1002", "the top of the chart")
	require.Equal(t, 2, strings.Count(said, "1997-03-01"), "below the chart and in the table")
	require.Equal(t, 1, strings.Count(said, "1997-02-01"), "in the table")
}
