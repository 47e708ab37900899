package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"
)

// caller is one HTTP client with one connection that is kept. It does as little as it can, since it shares the machine
// with what it measures.
type caller struct {
	conn  net.Conn
	in    *bufio.Reader
	host  string
	token string
}

func newCaller(addr, token string) (*caller, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return &caller{conn: conn, in: bufio.NewReader(conn), host: addr, token: token}, nil
}

// post sends a body under a new idempotency key and fails unless the answer is 201 Created.
func (c *caller) post(path, body string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "POST %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nIdempotency-Key: %s\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", path, c.host, c.token, uuid.NewString(), len(body), body)
	if _, err := io.WriteString(c.conn, b.String()); err != nil {
		return err
	}
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return err
	}
	answer, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err == nil && resp.StatusCode != http.StatusCreated {
		err = fmt.Errorf("POST %s: %s: %s", path, resp.Status, answer)
	}
	return err
}

// get asks for a path and gives what was answered.
func (c *caller) get(path string) (status int, answer []byte, err error) {
	_, err = fmt.Fprintf(c.conn, "GET %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n\r\n", path, c.host, c.token)
	if err != nil {
		return 0, nil, err
	}
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return 0, nil, err
	}
	answer, err = io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	return resp.StatusCode, answer, err
}

// customer is the body that registers a customer; serial has eight digits.
func customer(serial string) string {
	return `{"kind":"person","display_name":"Bench ` + serial + `","family_name":"Bench","given_name":"No ` + serial +
		`","source":"bench","identities":[{"type":"phone","value":"138` + serial + `"}]}`
}

// lastSerial begins anywhere: an installation may have been measured before.
var lastSerial = func() *atomic.Int64 {
	var n atomic.Int64
	n.Store(rand.Int64N(callersSerials))
	return &n
}()

// newSerial gives 8 digits that no other customer of the run has: one who has somebody else's telephone and is called alike
// is taken for a duplicate.
func newSerial() string { return fmt.Sprint(10_000_000 + lastSerial.Add(1)%callersSerials) }

// callersSerials are from 10,000,000 on; pgbench, which takes its serials at random, has those behind.
const callersSerials = 40_000_000

// repeat lets each caller send as often as it can for the time and gives how often all of them did.
func repeat(ctx context.Context, callers []*caller, window time.Duration, send func(*caller) error) (n int, took time.Duration, err error) {
	var done atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	began := time.Now()
	for _, c := range callers {
		group.Go(func() error {
			for time.Since(began) < window && ctx.Err() == nil {
				if err := send(c); err != nil {
					return err
				}
				done.Add(1)
			}
			return ctx.Err()
		})
	}
	err = group.Wait()
	return int(done.Load()), time.Since(began), err
}

// callers are n administrators of the tenant.
func (b *bench) callers(ctx context.Context, tenant, addr string, n int) (list []*caller, closeAll func(), err error) {
	closeAll = func() {
		for _, c := range list {
			_ = c.conn.Close()
		}
	}
	token, err := b.tokens(tenant, "admin")(ctx)
	if err != nil {
		return nil, closeAll, err
	}
	for range n {
		c, err := newCaller(addr, token)
		if err != nil {
			return nil, closeAll, err
		}
		list = append(list, c)
	}
	return list, closeAll, nil
}

// crowd calls do for 0 to n-1, by so many clients at once, and gives how long each call took.
func crowd(ctx context.Context, clients, n int, do func(ctx context.Context, i int) error) (each []time.Duration, took time.Duration, err error) {
	each = make([]time.Duration, n)
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	began := time.Now()
	for range clients {
		group.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return nil
				}
				sent := time.Now()
				if err := do(ctx, i); err != nil {
					return err
				}
				each[i] = time.Since(sent)
			}
		})
	}
	err = group.Wait()
	return each, time.Since(began), err
}

// openLoop calls send n times at the rate (a second), each at its own time whether or not earlier ones are done. at is
// when it was due. It returns when all calls have.
//
// It waits by the kernel's clock: Go's timers wake up to a millisecond late, which is no part of anybody's answer.
func openLoop(ctx context.Context, rate, n int, send func(i int, due time.Time) error) error {
	const atOnce = 64
	clock, err := newAlarm()
	if err != nil {
		return err
	}
	defer clock.close()
	type call struct {
		i   int
		due time.Time
	}
	calls := make(chan call, n)
	var wg sync.WaitGroup
	var failed atomic.Pointer[error]
	for range atOnce {
		wg.Go(func() {
			for c := range calls {
				if err := send(c.i, c.due); err != nil {
					failed.Store(&err)
				}
			}
		})
	}
	began := time.Now()
	for i := range n {
		due := began.Add(time.Duration(i) * time.Second / time.Duration(rate))
		if err := clock.sleepUntil(due); err != nil {
			failed.Store(&err)
		}
		if ctx.Err() != nil || failed.Load() != nil {
			break
		}
		calls <- call{i, due}
	}
	close(calls)
	wg.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return ctx.Err()
}
