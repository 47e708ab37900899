package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"
)

// row is one figure, or a number beside it that explains it.
type row struct {
	Name string `json:"name"`
	// Unit is of Measured and Baseline.
	Unit     string  `json:"unit"`
	Measured float64 `json:"measured"`
	// Baseline is the same work without the platform, from the same run; 0: there is none. Against says what it is.
	Baseline float64 `json:"baseline,omitempty"`
	Against  string  `json:"against,omitempty"`
	// Ratio is of Measured to Baseline. Where both were measured by turns, it is the median of the turns' ratios.
	Ratio float64 `json:"ratio,omitempty"`
	// Wanted is empty where the number is only told; then Reached is nil.
	Wanted  string `json:"wanted,omitempty"`
	Reached *bool  `json:"reached,omitempty"`
}

// against sets the baseline and, unless it is set, the ratio.
func (r row) against(what string, baseline float64) row {
	r.Against, r.Baseline = what, baseline
	if r.Ratio == 0 && baseline > 0 {
		r.Ratio = r.Measured / baseline
	}
	return r
}

// wantedShare is how much of what its statements alone could do a command is wanted to reach.
const wantedShare = 0.6

// atLeast and atMost say what Measured is wanted to be; shareReached what Ratio is: wantedShare.
func (r row) atLeast(limit float64) row { return r.want("≥ "+number(limit), r.Measured >= limit) }
func (r row) atMost(limit float64) row  { return r.want("≤ "+number(limit), r.Measured <= limit) }
func (r row) shareReached() row {
	return r.want("ratio ≥ "+number(wantedShare), r.Ratio >= wantedShare)
}

func (r row) want(what string, reached bool) row {
	r.Wanted, r.Reached = what, &reached
	return r
}

// result is the last line of a run.
type result struct {
	OK      bool    `json:"ok"` // every figure that was measured is reached
	Source  string  `json:"source,omitempty"`
	Seconds float64 `json:"seconds"`
	Figures []row   `json:"figures"`
}

// newResult sums up; source names the purchase history that was imported, if one was.
func newResult(rows []row, source string, took time.Duration) result {
	ok := !slices.ContainsFunc(rows, func(r row) bool { return r.Reached != nil && !*r.Reached })
	return result{OK: ok, Source: source, Seconds: round(took.Seconds()), Figures: rows}
}

// write prints the table and, as the last line, the JSON object.
func (r result) write(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "figure\tmeasured\tbaseline\tratio\twanted\treached")
	for _, f := range r.Figures {
		baseline, ratio, reached := "-", "-", "-"
		if f.Against != "" {
			baseline = number(f.Baseline) + " " + f.Unit + " (" + f.Against + ")"
		}
		if f.Ratio != 0 {
			ratio = strconv.FormatFloat(f.Ratio, 'f', 2, 64)
		}
		wanted := f.Wanted
		if f.Reached != nil {
			reached = map[bool]string{true: "yes", false: "no"}[*f.Reached]
		} else {
			wanted = "-"
		}
		_, _ = fmt.Fprintf(t, "%s\t%s %s\t%s\t%s\t%s\t%s\n", f.Name, number(f.Measured), f.Unit, baseline, ratio, wanted, reached)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for i := range r.Figures {
		f := &r.Figures[i]
		f.Measured, f.Baseline, f.Ratio = round(f.Measured), round(f.Baseline), round(f.Ratio)
	}
	return json.NewEncoder(w).Encode(r)
}

// number keeps three significant digits of what is small and all digits before the point of what is large.
func number(v float64) string {
	switch {
	case math.Abs(v) >= 100 || v == math.Trunc(v):
		return strconv.FormatFloat(v, 'f', 0, 64)
	case math.Abs(v) >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	default:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
}

func round(v float64) float64 { return math.Round(v*1000) / 1000 }

// percentile gives the smallest sample that at least the share p (0 to 1) of all samples does not exceed; 0 without any.
func percentile(samples []time.Duration, p float64) time.Duration {
	if len(samples) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(samples))
	rank := int(math.Ceil(p * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// median is the middle of the values, or the mean of the two in the middle; 0 without any.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// perSecond is how many a second n within d are.
func perSecond(n int, d time.Duration) float64 { return float64(n) / d.Seconds() }
