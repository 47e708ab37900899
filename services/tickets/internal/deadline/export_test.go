package deadline

import "time"

// InChunksOf has recomputations take so many tickets at once, instead of 1000.
func (d *Deadlines) InChunksOf(n int) *Deadlines {
	d.most = n
	return d
}

// At is New with a clock that stands.
func (d *Deadlines) At(now time.Time) *Deadlines {
	made := *d
	made.clock = func() time.Time { return now }
	return &made
}
