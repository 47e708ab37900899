package pgtest

// Abandon forgets the server without ending it, as a process does that is killed where the kernel does not tie the two.
func (s *Server) Abandon() { s.unlock() }
