package gate

import "slices"

// Metric is a number that the platform measures.
type Metric struct {
	Code string
	Unit Unit
	Doc  string
	// Better is which way the number is better.
	Better Direction
	// PerUnit tells whether it is measured for units of the organisation, and not only for the whole of it.
	PerUnit bool
	// Before tells whether it can be measured of a time that has passed, and so be compared with what was before.
	Before bool
	// WindowDays is over how many days it is measured where nothing else is said; 0 for one that is as it is now.
	WindowDays int
	// MaxWindowDays is the longest time over which it can be measured.
	MaxWindowDays int
	// MinSample is on how many cases the number must stand where nothing else is said.
	MinSample int
}

// Unit is what a metric is counted in.
type Unit string

// The units of metrics.
const (
	Share  Unit = "share"  // 0 to 1
	Events Unit = "events" // whole numbers from 0
)

// Direction is which way a number is better.
type Direction string

// The directions.
const (
	Up   Direction = "up"
	Down Direction = "down"
)

// Codes of the metrics.
const (
	ImportQuality = "import_quality"
	ActiveUsers   = "active_users"
	SLAAttainment = "sla_attainment"
	CSAT          = "csat"
	ErrorRate     = "error_rate"
	ConsumerLag   = "consumer_lag"
)

// Metrics lists every metric that a gate, a goal or a risk can name.
func Metrics() []Metric {
	return []Metric{
		{
			Code: ImportQuality, Unit: Share, Better: Up, Before: true, WindowDays: 30, MaxWindowDays: 366, MinSample: 1,
			Doc: "Share of the rows accepted, of the imports of customers, leads and orders that finished in the window. Where a file was brought in again, each time counts; trials do not.",
		},
		{
			Code: ActiveUsers, Unit: Share, Better: Up, PerUnit: true, WindowDays: 7, MaxWindowDays: 60, MinSample: 1,
			Doc: "Share of a unit's headcount that worked with the platform in the window; at most 1. The sample is the headcount.",
		},
		{
			Code: SLAAttainment, Unit: Share, Better: Up, Before: true, WindowDays: 30, MaxWindowDays: 366, MinSample: 20,
			Doc: "Share of the deadlines of tickets met, of those met, breached or overdue in the window.",
		},
		{
			Code: CSAT, Unit: Share, Better: Up, Before: true, WindowDays: 30, MaxWindowDays: 366, MinSample: 30,
			Doc: "Share of the answers 4 and 5, of all csat surveys' answers in the window.",
		},
		{
			Code: ErrorRate, Unit: Share, Better: Down, Before: true, WindowDays: 1, MaxWindowDays: 31, MinSample: 100,
			Doc: "Share of the tenant's requests that services answered with a status from 500, in the whole hours of the window; what operators ask for does not count.",
		},
		{
			Code: ConsumerLag, Unit: Events, Better: Down,
			Doc: "Events that the consumer furthest behind has not applied, of all services, as it is now.",
		},
	}
}

// MetricOf gives the metric of a code.
func MetricOf(code string) (Metric, bool) {
	all := Metrics()
	i := slices.IndexFunc(all, func(m Metric) bool { return m.Code == code })
	if i < 0 {
		return Metric{}, false
	}
	return all[i], true
}

// Codes lists the codes of the metrics.
func Codes() (codes []string) {
	for _, m := range Metrics() {
		codes = append(codes, m.Code)
	}
	return codes
}
