package report_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/services/analytics/internal/report"
)

func TestAScheduleIsDueByTheWallClockOfItsPlace(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		s        report.ReportSchedule
		at, next string
	}{
		"later today":                   {report.ReportSchedule{Every: "day", Hour: 8, TimeZone: "Asia/Shanghai"}, "2026-03-01T23:59:00Z", "2026-03-02T00:00:00Z"},
		"not twice":                     {report.ReportSchedule{Every: "day", Hour: 8, TimeZone: "Asia/Shanghai"}, "2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z"},
		"on Monday":                     {report.ReportSchedule{Every: "week", Weekday: 1, Hour: 6, TimeZone: "UTC"}, "2026-03-04T00:00:00Z", "2026-03-09T06:00:00Z"},
		"on the first":                  {report.ReportSchedule{Every: "month", Hour: 0, TimeZone: "UTC"}, "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"},
		"at an hour that the day skips": {report.ReportSchedule{Every: "day", Hour: 2, TimeZone: "Europe/Berlin"}, "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at, err := time.Parse(time.RFC3339, c.at)
			require.NoError(t, err)
			require.Equal(t, c.next, c.s.Next(at).Format(time.RFC3339))
		})
	}
	require.Zero(t, report.ReportSchedule{Every: "day", TimeZone: "Moon/Sea"}.Next(time.Now()))
}

func TestAWeekIsHeldAgainstTheMedianOfThoseBefore(t *testing.T) {
	t.Parallel()
	c := report.Compare([]float64{10, 12, 11, 9, 10, 11, 1000, 10, 30})
	require.True(t, c.Enough)
	require.InDelta(t, 10.5, c.Expected, 1e-12, "one wild week moves nothing")
	require.InDelta(t, 1.4826*0.5, c.Spread, 1e-12)
	require.InDelta(t, 19.5/(1.4826*0.5), c.Score, 1e-9)
	require.False(t, report.Compare([]float64{1, 2, 3}).Enough)
	require.Zero(t, report.Compare([]float64{5, 5, 5, 5, 5, 5, 5, 5, 5}).Score)
	require.False(t, report.Compare(nil).Enough)
}
