package bus

import (
	"context"
	"net"
	"sync"
	"time"
)

// connections knows the open connections of a consumer group, so that a request under way can be cut off.
type connections struct {
	mu   sync.Mutex
	open map[net.Conn]struct{}
}

type connection struct {
	net.Conn
	of *connections
}

// Close closes the connection and forgets it.
func (c connection) Close() error {
	c.of.mu.Lock()
	delete(c.of.open, c.Conn)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

func (s *connections) dial(timeout time.Duration) func(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := &net.Dialer{Timeout: timeout}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.open == nil {
			s.open = make(map[net.Conn]struct{})
		}
		s.open[conn] = struct{}{}
		return connection{Conn: conn, of: s}, nil
	}
}

// cut closes what is open now; connections made later are left alone.
func (s *connections) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.open {
		_ = conn.Close() // its user sees the error
	}
}
