package calendar

import "github.com/guanxi-crm/guanxi/platform/problem"

// Calendar gives the calendar that a draft describes, without id and version, or names every field that is not right.
func (d Draft) Calendar() (Calendar, []problem.Field) {
	made, faults := d.normalise()
	if len(faults) > 0 {
		return Calendar{}, faults
	}
	zone, _ := location(made.Zone)
	return Calendar{hours: made.Hours.timetable(zone)}, nil
}
