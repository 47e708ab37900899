package rfm

import (
	"fmt"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

// maxDays is the longest window, a hundred years.
const maxDays = 36500

// check says what is wrong with a scheme.
func (s Scheme) check() error {
	var faults []problem.Field
	faults = append(faults, faultsOf("recency_days", s.R, true)...)
	faults = append(faults, faultsOf("frequency", s.F, false)...)
	faults = append(faults, faultsOf("net_minor", s.M, false)...)
	if len(s.F) > 0 && s.F[0] < 1 {
		faults = append(faults, problem.Field{Location: "frequency[0]", Code: "out_of_range", Message: "must be at least 1: who is rated bought"})
	}
	if len(faults) > 0 {
		return problem.InvalidBody("scheme_invalid", "The scheme stays as it was: mend the fields named here.", faults)
	}
	return nil
}

// faultsOf holds bounds against what they must be: four, each strictly better than the one before.
func faultsOf(field string, bounds []int64, falling bool) (faults []problem.Field) {
	if bounds == nil {
		return nil
	}
	if len(bounds) != 4 {
		return []problem.Field{{Location: field, Code: "bounds_incomplete", Message: "must have four bounds: where the scores 2, 3, 4 and 5 begin"}}
	}
	for i, b := range bounds {
		at := fmt.Sprintf("%s[%d]", field, i)
		switch {
		case falling && (b < 0 || b > maxDays):
			faults = append(faults, problem.Field{Location: at, Code: "out_of_range", Message: "must be 0 to 36500 days"})
		case i > 0 && falling && b >= bounds[i-1]:
			faults = append(faults, problem.Field{Location: at, Code: "bounds_not_falling", Message: "must be fewer days than the one before: the better, the more recent"})
		case i > 0 && !falling && b <= bounds[i-1]:
			faults = append(faults, problem.Field{Location: at, Code: "bounds_not_rising", Message: "must be more than the one before"})
		}
	}
	return faults
}
