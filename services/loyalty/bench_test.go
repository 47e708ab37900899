package loyalty_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/loyaltytest"
)

// BenchmarkEarn gives points over HTTP, each under an Idempotency-Key of its own, with relay and consumers at work:
//
//	go test ./loyalty -run - -bench Earn -benchtime 5s
//
// The server of tests does not wait for the disk; make bench measures with one that does.
func BenchmarkEarn(b *testing.B) {
	for _, c := range []struct {
		name    string
		members int
	}{{"independent", 1000}, {"hot", 1}} {
		b.Run(c.name, func(b *testing.B) {
			w := loyaltytest.Start(b)
			paths := make([]string, c.members)
			for n := range paths {
				paths[n] = w.Enrol().Path + "/earns"
			}
			var next atomic.Int64
			b.SetParallelism(8)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				c, err := dial(strings.TrimPrefix(w.URL, "http://"), w.Manager)
				if err != nil {
					b.Error(err)
					return
				}
				defer func() { _ = c.conn.Close() }()
				for pb.Next() {
					if err := c.post(paths[next.Add(1)%int64(len(paths))], `{"points":10,"reason_type":"campaign"}`); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "earns/s")
		})
	}
}

// caller is one HTTP client with one connection. It does as little as it can, since it shares the machine with what it
// measures.
type caller struct {
	conn        net.Conn
	in          *bufio.Reader
	host, token string
}

func dial(addr, token string) (*caller, error) {
	conn, err := net.Dial("tcp", addr)
	return &caller{conn: conn, in: bufio.NewReader(conn), host: addr, token: token}, err
}

func (c *caller) post(path, body string) error {
	_, err := fmt.Fprintf(c.conn, "POST %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nIdempotency-Key: %s\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", path, c.host, c.token, uuid.NewString(), len(body), body)
	if err != nil {
		return err
	}
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return err
	}
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusCreated {
		err = fmt.Errorf("POST %s: %s: %s", path, resp.Status, answer)
	}
	return err
}

// BenchmarkOrders takes in what an import of orders tells: seven orders of two customers, of long ago. One operation is
// one order.
func BenchmarkOrders(b *testing.B) {
	w := loyaltytest.Start(b)
	customers := make([]uuid.UUID, max(1, b.N*2/7))
	for n := range customers {
		customers[n] = uuid.Must(uuid.NewV7())
	}
	byShard := make(map[int][]bus.Message)
	for n := range b.N {
		e := loyaltytest.NewOrder(customers[n%len(customers)]).Placed(b, time.Date(1997, 1, 1, 0, 0, n, 0, time.UTC), 2354)
		shard := bus.Shard(e.Tenant, e.AggregateType, e.AggregateID)
		byShard[shard] = append(byShard[shard], bus.Encode(e))
	}
	w.Tell() // the topic is there
	b.ResetTimer()
	for shard, messages := range byShard {
		for part := range slices.Chunk(messages, 1000) {
			if err := w.Bus.Produce(b.Context(), bus.TopicFor("sales"), shard, part); err != nil {
				b.Fatal(err)
			}
		}
	}
	w.Eventually("all orders are taken in", func() bool {
		return w.Count(`SELECT coalesce(sum(next_offset), 0)::bigint FROM inbox_position WHERE consumer = 'orders'`) == int64(b.N)
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "orders/s")
}
