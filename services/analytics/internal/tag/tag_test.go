package tag_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/services/analytics/internal/filter"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/tag"
)

func bound(v float64) *float64 { return &v }

func parsed(t *testing.T, text string) *filter.Node {
	t.Helper()
	n, faults := filter.Parse(text, "filter_text")
	require.Empty(t, faults)
	return &n
}

func TestADefinitionSaysWhatIsWrongWithIt(t *testing.T) {
	t.Parallel()
	good := map[string]tag.Definition{
		tag.Fact: {Code: "value", Kind: tag.Fact, Name: "Value", Owner: "sales", Field: "net_minor", ValidDays: 30, Bands: []tag.Band{
			{Code: "low", Below: bound(1000)}, {Code: "middle", AtLeast: bound(1000), Below: bound(5000)}, {Code: "high", AtLeast: bound(6000)},
		}},
		tag.Model: {Code: "grade", Kind: tag.Model, Name: "Grade", Owner: "sales", Field: "grade", Bands: []tag.Band{
			{Code: "top", OneOf: []string{"platinum", "gold"}}, {Code: "rest", OneOf: []string{"iron"}},
		}},
		tag.Rule:  {Code: "lost", Kind: tag.Rule, Name: "Lost", Owner: "sales", Filter: parsed(t, "orders >= 2 and recency_days > 90")},
		tag.Group: {Code: "money", Kind: tag.Group, Name: "Money"},
	}
	for kind, d := range good {
		require.Empty(t, d.Check(), kind)
	}
	for _, c := range []struct {
		name, kind string
		change     func(*tag.Definition)
		at         string
	}{
		{"a code that is none", tag.Rule, func(d *tag.Definition) { d.Code = "Lost" }, "code"},
		{"a code of 41", tag.Rule, func(d *tag.Definition) { d.Code = strings.Repeat("a", 41) }, "code"},
		{"a code that stands in paths", tag.Rule, func(d *tag.Definition) { d.Code = "runs" }, "code"},
		{"no name", tag.Group, func(d *tag.Definition) { d.Name = "" }, "name"},
		{"nobody answers for it", tag.Fact, func(d *tag.Definition) { d.Owner = "" }, "owner"},
		{"a kind that is none", tag.Group, func(d *tag.Definition) { d.Kind = "mood" }, "kind"},
		{"valid for too long", tag.Rule, func(d *tag.Definition) { d.ValidDays = 3651 }, "valid_days"},
		{"valid for less than nothing", tag.Rule, func(d *tag.Definition) { d.ValidDays = -1 }, "valid_days"},
		{"a group that expires", tag.Group, func(d *tag.Definition) { d.ValidDays = 1 }, "valid_days"},
		{"a group with a field", tag.Group, func(d *tag.Definition) { d.Field = "orders" }, "field"},
		{"a rule with bands", tag.Rule, func(d *tag.Definition) { d.Bands = good[tag.Fact].Bands }, "bands"},
		{"a fact with a filter", tag.Fact, func(d *tag.Definition) { d.Filter = good[tag.Rule].Filter }, "filter"},
		{"a rule without one", tag.Rule, func(d *tag.Definition) { d.Filter = nil }, "filter"},
		{"a rule on segments", tag.Rule, func(d *tag.Definition) { d.Filter = &filter.Node{Op: filter.InSegment, Segment: "vips"} }, "filter"},
		{"a rule on tags", tag.Rule, func(d *tag.Definition) { d.Filter = parsed(t, `tags has "vip"`) }, "filter"},
		{"an unknown field", tag.Fact, func(d *tag.Definition) { d.Field = "mood" }, "field"},
		{"a score as a fact", tag.Fact, func(d *tag.Definition) { d.Field = "churn_permille" }, "field"},
		{"a fact as a score", tag.Model, func(d *tag.Definition) { d.Field = "orders" }, "field"},
		{"bands of days", tag.Fact, func(d *tag.Definition) { d.Field = "last_purchase_on" }, "field"},
		{"no bands", tag.Fact, func(d *tag.Definition) { d.Bands = nil }, "bands"},
		{"a band without a code", tag.Fact, func(d *tag.Definition) { d.Bands[0].Code = "" }, "bands[0].code"},
		{"a band twice", tag.Fact, func(d *tag.Definition) { d.Bands[1].Code = "low" }, "bands[1].code"},
		{"a band without bounds", tag.Fact, func(d *tag.Definition) { d.Bands[0].Below = nil }, "bands[0]"},
		{"a band of nothing", tag.Fact, func(d *tag.Definition) { d.Bands[1].Below = bound(1000) }, "bands[1].below"},
		{"bands that overlap", tag.Fact, func(d *tag.Definition) { d.Bands[1].AtLeast = bound(999) }, "bands[1].at_least"},
		{"a band after the highest", tag.Fact, func(d *tag.Definition) { d.Bands[1].Below = nil }, "bands[2].at_least"},
		{"half a minor unit", tag.Fact, func(d *tag.Definition) { d.Bands[2].AtLeast = bound(6000.5) }, "bands[2]"},
		{"texts of a number", tag.Fact, func(d *tag.Definition) { d.Bands[2] = tag.Band{Code: "x", OneOf: []string{"1"}} }, "bands[2].one_of"},
		{"bounds of a text", tag.Model, func(d *tag.Definition) { d.Bands[0].Below = bound(1) }, "bands[0]"},
		{"no texts", tag.Model, func(d *tag.Definition) { d.Bands[0].OneOf = nil }, "bands[0].one_of"},
		{"an empty text", tag.Model, func(d *tag.Definition) { d.Bands[0].OneOf = []string{""} }, "bands[0].one_of"},
		{"a text in two bands", tag.Model, func(d *tag.Definition) { d.Bands[1].OneOf = []string{"gold"} }, "bands[1].one_of[0]"},
	} {
		d := good[c.kind]
		d.Bands = append([]tag.Band(nil), d.Bands...)
		c.change(&d)
		var at []string
		for _, f := range d.Check() {
			at = append(at, f.Location)
		}
		if !strings.Contains(strings.Join(at, "|")+"|", c.at+"|") {
			t.Errorf("%s: faults at %v, want one at %s", c.name, at, c.at)
		}
	}
}
