package rfm

import (
	"regexp"
	"strconv"
	"time"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

// CellMap names the pairs of R and F. A changed map is a new version, and the old ones stay, so that old reports stay readable.
type CellMap struct {
	Version   int64
	Names     [25]string // R 1 with F 1 to 5, R 2 with F 1 to 5 and so on
	By        string     // subject; empty of the house's own
	ChangedAt time.Time
}

// HouseCells is the map of a tenant that made none, with the version 1.
func HouseCells() CellMap {
	return CellMap{Version: 1, Names: [25]string{
		"lost", "lost", "at_risk", "cannot_lose", "cannot_lose",
		"lost", "hibernating", "at_risk", "at_risk", "cannot_lose",
		"about_to_sleep", "about_to_sleep", "need_attention", "loyal", "loyal",
		"promising", "potential_loyal", "potential_loyal", "loyal", "loyal",
		"new", "potential_loyal", "potential_loyal", "loyal", "champions",
	}}
}

// Cell names the place of a customer with the scores r and f, both 1 to 5.
func (m CellMap) Cell(r, f int) string { return m.Names[5*(r-1)+f-1] }

// Name is the version as answers and events name it.
func (m CellMap) Name() string { return mapName(m.Version) }

func mapName(version int64) string { return "rf-" + strconv.FormatInt(version, 10) }

// Pair names one pair of R and F.
type Pair struct {
	R, F int
	Cell string
}

var cellCode = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)

// namesOf takes pairs, which must name each of the 25 once; faults say which do not, at the place of their pair.
func namesOf(pairs []Pair) (names [25]string, err error) {
	var faults []problem.Field
	fault := func(i int, field, code, message string) {
		faults = append(faults, problem.Field{Location: "cells[" + strconv.Itoa(i) + "]" + field, Code: code, Message: message})
	}
	for i, p := range pairs {
		switch {
		case p.R < 1 || p.R > 5:
			fault(i, ".r", "out_of_range", "must be 1 to 5")
		case p.F < 1 || p.F > 5:
			fault(i, ".f", "out_of_range", "must be 1 to 5")
		case !cellCode.MatchString(p.Cell):
			fault(i, ".cell", "code_invalid", "must be a code: a letter, then letters, digits and underscores, at most 40, all small")
		case names[5*(p.R-1)+p.F-1] != "":
			fault(i, "", "pair_twice", "names a pair that is named before")
		default:
			names[5*(p.R-1)+p.F-1] = p.Cell
		}
	}
	if len(faults) == 0 {
		for i, name := range names {
			if name == "" {
				faults = append(faults, problem.Field{
					Location: "cells", Code: "pair_missing", Message: "must name the pair R " + strconv.Itoa(i/5+1) + ", F " + strconv.Itoa(i%5+1),
				})
			}
		}
	}
	if len(faults) > 0 {
		return names, problem.InvalidBody("cell_map_invalid", "The map stays as it was: mend the fields named here.", faults)
	}
	return names, nil
}
