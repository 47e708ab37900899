package earning

import (
	"time"

	"github.com/google/uuid"
)

// capUse is what a cap counted of an order.
type capUse struct {
	member   uuid.UUID
	cap      string
	placedAt time.Time
	order    uuid.UUID
	points   int64
}

// window is a member's period of a cap.
type window struct {
	member      uuid.UUID
	cap         string
	from, until time.Time
}

// counter counts what caps have counted: what was kept, by windows, and what was added since.
type counter struct {
	kept  map[window]int64
	added []capUse
	by    map[capOf][]int // places of what was added
}

type capOf struct {
	member uuid.UUID
	cap    string
}

// of gives the points of a window.
func (c *counter) of(member uuid.UUID, code string, from, until time.Time) int64 {
	points := c.kept[window{member, code, from, until}]
	for _, n := range c.by[capOf{member, code}] {
		if u := c.added[n]; !u.placedAt.Before(from) && u.placedAt.Before(until) {
			points += u.points
		}
	}
	return points
}

// add counts; nothing is not kept.
func (c *counter) add(u capUse) {
	if u.points == 0 {
		return
	}
	if c.by == nil {
		c.by = make(map[capOf][]int)
	}
	k := capOf{u.member, u.cap}
	c.by[k] = append(c.by[k], len(c.added))
	c.added = append(c.added, u)
}
