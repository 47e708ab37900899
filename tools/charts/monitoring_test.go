package charts

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/prometheus/otlptranslator"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"
)

// watched are the objects of the chart with everything on that watches.
func watched(t *testing.T) []object {
	t.Helper()
	return render(t, "guanxi", release, ci("services"))
}

// alerts gives the rules of alerts by their names.
func alerts(t *testing.T) map[string]monitoring.Rule {
	t.Helper()
	all := map[string]monitoring.Rule{}
	for _, o := range watched(t) {
		if o.GetKind() != "PrometheusRule" {
			continue
		}
		for _, group := range into[monitoring.PrometheusRule](t, o).Spec.Groups {
			for _, rule := range group.Rules {
				require.NotContains(t, all, rule.Alert)
				all[rule.Alert] = rule
			}
		}
	}
	require.NotEmpty(t, all, "there are no alerts")
	return all
}

// instrument finds in the source where an instrument is made: its name, and its unit.
var instrument = regexp.MustCompile(`\("((?:guanxi|http)\.[a-z_.]+)",\s*(?:metric\.WithUnit\("([^"]*)"\)|"([^"]*)")`)

// exported gives the names under which Prometheus sees the platform's metrics, as the exporter makes them from names and units.
func exported(t *testing.T) map[string]bool {
	t.Helper()
	all := map[string]bool{"up": true}
	for _, file := range []string{"app/measure.go", "app/every.go", "httpx/observe.go", "bus/metrics.go"} {
		source, err := os.ReadFile(filepath.Join(root, "platform", file))
		require.NoError(t, err)
		for _, m := range instrument.FindAllStringSubmatch(string(source), -1) {
			var kind otlptranslator.MetricType = otlptranslator.MetricTypeGauge
			if strings.HasSuffix(m[1], ".duration") {
				kind = otlptranslator.MetricTypeHistogram
			}
			namer := otlptranslator.NewMetricNamer("", otlptranslator.UnderscoreEscapingWithSuffixes)
			name, err := namer.Build(otlptranslator.Metric{Name: m[1], Unit: m[2] + m[3], Type: kind})
			require.NoError(t, err)
			all[name] = true
		}
	}
	require.Greater(t, len(all), 8, "the instruments are written in another way than this test reads")
	return all
}

// TestMonitoringIsWhatPrometheusReads holds the rules to Prometheus' own parser, and what they read to what the platform measures.
func TestMonitoringIsWhatPrometheusReads(t *testing.T) {
	t.Parallel()
	known := exported(t)
	for name, rule := range alerts(t) {
		expr, err := parser.ParseExpr(rule.Expr.String())
		require.NoError(t, err, name)
		read := 0
		parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
			if selector, ok := node.(*parser.VectorSelector); ok {
				read++
				metric := strings.TrimSuffix(selector.Name, "_count")
				require.True(t, known[metric], "%s reads %s, which nobody measures", name, selector.Name)
				var ours bool
				for _, m := range selector.LabelMatchers {
					ours = ours || m.Name == "namespace" && m.Value == namespace
				}
				require.True(t, ours, "%s looks at other namespaces as well", name)
			}
			return nil
		})
		require.NotZero(t, read, name)
		require.NotNil(t, rule.For, name)
		require.Contains(t, []string{"warning", "critical"}, rule.Labels["severity"], name)
		require.NotEmpty(t, rule.Annotations["summary"], name)
	}
	seen := 0
	for _, o := range watched(t) {
		if o.GetKind() != "ServiceMonitor" {
			continue
		}
		seen++
		monitor := into[monitoring.ServiceMonitor](t, o)
		require.Equal(t, "metrics", monitor.Spec.Endpoints[0].Port)
	}
	require.Equal(t, 1, seen)
}

// TestEveryPodIsMeasured holds that the Service behind the ServiceMonitor means each Deployment's pods, those without an API as well.
func TestEveryPodIsMeasured(t *testing.T) {
	t.Parallel()
	var selector map[string]string
	for _, o := range watched(t) {
		if o.GetKind() == "Service" && o.GetName() == "crm-guanxi-metrics" {
			found, _, err := nested(o, "spec", "selector")
			require.NoError(t, err)
			selector = map[string]string{}
			for key, value := range found.(map[string]any) {
				selector[key] = value.(string)
			}
		}
	}
	require.NotEmpty(t, selector)
	for _, p := range pods(t, watched(t)) {
		deployed := strings.HasPrefix(p.of, "Deployment/")
		require.Equal(t, deployed, matches(t, selector, nil, p.labels), p.of)
	}
}

// TestEveryAlertHasItsRunbook looks for the section that the alert's link leads to, and for commands in it.
func TestEveryAlertHasItsRunbook(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(filepath.Join(root, "docs/runbooks/alerts.md"))
	require.NoError(t, err)
	sections := map[string]string{}
	for _, section := range strings.Split(string(raw), "\n## ")[1:] {
		title, content, _ := strings.Cut(section, "\n")
		sections[strings.ToLower(title)] = content
	}
	for name, rule := range alerts(t) {
		page, anchor, _ := strings.Cut(rule.Annotations["runbook_url"], "#")
		require.True(t, strings.HasSuffix(page, "/docs/runbooks/alerts.md"), name)
		require.Contains(t, sections, anchor, "%s: no such section", name)
		require.Contains(t, sections[anchor], "```console\n$ ", "%s: no command", name)
		delete(sections, anchor)
	}
	require.Empty(t, sections, "sections of no alert")
	for _, link := range regexp.MustCompile(`\]\(([a-z-]+\.md)\)`).FindAllStringSubmatch(string(raw), -1) {
		require.FileExists(t, filepath.Join(root, "docs/runbooks", link[1]))
	}
}

// TestNothingWatchesUnlessAsked keeps kinds away from clusters that do not have them.
func TestNothingWatchesUnlessAsked(t *testing.T) {
	t.Parallel()
	for _, o := range render(t, "guanxi", release, ci("minimal")) {
		require.NotEqual(t, "monitoring.coreos.com/v1", o.GetAPIVersion(), o.id())
	}
	for _, set := range []string{"monitoring.serviceMonitor.enabled=true", "monitoring.rules.enabled=true"} {
		said, err := run(t, "template", release, dir("guanxi"), "--values", ci("minimal"), "--set", set)
		require.Error(t, err)
		require.Contains(t, said, "monitoring.metrics: must be true")
	}
}
