package interaction_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/services/accounts/internal/interaction"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/touchpoint"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func TestRecordNamesEveryFault(t *testing.T) {
	t.Parallel()
	hotline := &touchpoint.Touchpoint{Code: "hotline", Channel: touchpoint.Phone}
	cases := []struct {
		name   string
		change func(d *interaction.Draft)
		faults []string
	}{
		{"a good one", func(*interaction.Draft) {}, nil},
		{"just now, by another clock", func(d *interaction.Draft) { d.OccurredAt = noon.Add(5 * time.Minute) }, nil},
		{"in the future", func(d *interaction.Draft) { d.OccurredAt = noon.Add(5*time.Minute + time.Second) }, []string{"occurred_at"}},
		{"long ago", func(d *interaction.Draft) { d.OccurredAt = noon.AddDate(-20, 0, 0) }, nil},
		{"too long ago", func(d *interaction.Draft) { d.OccurredAt = noon.AddDate(-60, 0, 0) }, []string{"occurred_at"}},
		{"a channel that there is not", func(d *interaction.Draft) { d.Channel, d.Touchpoint = "fax", nil }, []string{"channel"}},
		{"a touchpoint of another channel", func(d *interaction.Draft) { d.Channel = touchpoint.Email }, []string{"touchpoint"}},
		{"an archived touchpoint", func(d *interaction.Draft) { d.Touchpoint = &touchpoint.Touchpoint{Code: "x", Archived: true} }, []string{"touchpoint"}},
		{"no direction", func(d *interaction.Draft) { d.Direction = "" }, []string{"direction"}},
		{"words for an outcome", func(d *interaction.Draft) { d.Outcome = "He was angry." }, []string{"outcome"}},
		{"more than a day", func(d *interaction.Draft) { d.Duration = 25 * time.Hour }, []string{"duration_seconds"}},
		{"less than nothing", func(d *interaction.Draft) { d.Duration = -time.Second }, []string{"duration_seconds"}},
		{"words in lines", func(d *interaction.Draft) { d.Summary = "a\n\tb\r\nc" }, nil},
		{"words that ring a bell", func(d *interaction.Draft) { d.Summary = "a\ab" }, []string{"summary"}},
		{"as many words as may be", func(d *interaction.Draft) { d.Summary = strings.Repeat("字", 10_000) }, nil},
		{"too many words", func(d *interaction.Draft) { d.Summary = strings.Repeat("字", 10_001) }, []string{"summary"}},
	}
	for _, c := range cases {
		d := interaction.Draft{Channel: touchpoint.Phone, Direction: interaction.Inbound, Touchpoint: hotline, Outcome: "solved", OccurredAt: noon, Duration: time.Minute}
		c.change(&d)
		_, faults := interaction.Record(uuid.New(), uuid.New(), uuid.New(), d, "ann", noon)
		var got []string
		for _, f := range faults {
			got = append(got, f.Location)
		}
		if !slices.Equal(got, c.faults) {
			t.Errorf("%s: faults at %v, want %v", c.name, got, c.faults)
		}
	}
	made, _ := interaction.Record(uuid.New(), uuid.New(), uuid.New(), interaction.Draft{Channel: touchpoint.Visit, Direction: interaction.Outbound}, "ann", noon)
	if !made.OccurredAt.Equal(noon) {
		t.Errorf("without a time it was at %s", made.OccurredAt)
	}
}
