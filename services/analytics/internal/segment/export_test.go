package segment

// Chunk sets how many customers a step of a run looks at, and what happens after each; for tests.
func (s *Segments) Chunk(size int, after func()) { s.size, s.stepped = size, after }
