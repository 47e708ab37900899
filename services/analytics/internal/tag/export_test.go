package tag

// Chunk sets how many customers one step of a run looks at.
func (t *Tags) Chunk(n int) { t.chunk = n }
