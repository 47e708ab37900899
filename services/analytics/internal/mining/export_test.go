package mining

// WithChunk gives the capability with smaller chunks of portraits.
func (m *Mining) WithChunk(portraits int) *Mining {
	m.chunk = portraits
	return m
}
