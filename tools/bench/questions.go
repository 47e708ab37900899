package main

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// question is something that is asked of the platform again and again.
type question struct {
	name   string
	atMost float64 // ms, the 99th percentile
	rate   int     // a second
	// service has the tables of the plain query; empty: accounts.
	service string
	path    func(b *bench, i int) (string, error)
	// sql is the plain query beside it, with the tenant as its first parameter.
	against, sql string
	args         func(b *bench, i int) ([]any, error)
}

// questions ask for people of the first n, far from each other.
func questions(n int) []question {
	at := func(i int) person { return personAt(int(uint64(i) * 7_368_787 % uint64(n))) }
	const customerByShop = `SELECT customer_id FROM customer_identity WHERE tenant_id = $1 AND type = 'external:shop' AND value = $2`
	external := func(_ *bench, i int) ([]any, error) { return []any{at(i).External}, nil }
	found := map[int]string{}
	return []question{
		{
			name: "GET /v1/customers/lookup by telephone", atMost: 5, rate: 200,
			path: func(_ *bench, i int) (string, error) {
				for ; at(i).Phone == ""; i++ {
				}
				return "/v1/customers/lookup?type=phone&value=" + url.QueryEscape(at(i).Phone), nil
			},
			against: "SELECT by the key", sql: customerByShop, args: external,
		},
		{
			name: "GET /v1/customers/lookup by external id", atMost: 5, rate: 200,
			path: func(_ *bench, i int) (string, error) {
				return "/v1/customers/lookup?type=external:shop&value=" + at(i).External, nil
			},
			against: "SELECT by the key", sql: customerByShop, args: external,
		},
		{
			name: "GET /v1/customers/{id}/profile", atMost: 10, rate: 200,
			path: func(b *bench, i int) (string, error) {
				id, err := b.customerID(found, i%500, at(i%500).External)
				return "/v1/customers/" + id + "/profile", err
			},
			against: "SELECT of the row and its identities",
			sql: `SELECT c.*, array_agg(k.value) FROM customer c JOIN customer_identity k ON k.tenant_id = c.tenant_id AND k.customer_id = c.id
				WHERE c.tenant_id = $1 AND c.id = $2 GROUP BY c.tenant_id, c.id`,
			args: func(b *bench, i int) ([]any, error) {
				id, err := b.customerID(found, i%500, at(i%500).External)
				return []any{id}, err
			},
		},
		search("by name", func(i int) string { return at(i).name() }),
		search("by part of a name", func(i int) string {
			name := []rune(at(i).name())
			return string(name[:min(len(name), 2+2*(len(name)/8))])
		}),
		search("by a name with a typing error", func(i int) string {
			name := []rune(at(i).name())
			if last := len(name) - 1; last > 3 {
				name[last-1], name[last] = name[last], name[last-1]
			}
			return string(name)
		}),
		search("by the last digits of a telephone", func(i int) string {
			for ; at(i).Phone == ""; i++ {
			}
			return at(i).Phone[len(at(i).Phone)-8:]
		}),
	}
}

// search asks for customers by what somebody types.
func search(how string, typed func(i int) string) question {
	return question{
		name: "GET /v1/customers/search " + how, atMost: 50, rate: 50,
		path: func(_ *bench, i int) (string, error) {
			return "/v1/customers/search?q=" + url.QueryEscape(typed(i)), nil
		},
		against: "SELECT of a page by the key",
		sql:     `SELECT * FROM customer WHERE tenant_id = $1 AND id > $2 ORDER BY id LIMIT 50`,
		args:    func(*bench, int) ([]any, error) { return []any{"01900000-0000-7000-8000-000000000000"}, nil },
	}
}

// customerID gives the id of the customer of an external id, and remembers it.
func (b *bench) customerID(known map[int]string, i int, external string) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if id, ok := known[i]; ok {
		return id, nil
	}
	var answer struct {
		Items []struct {
			CustomerID string `json:"customer_id"`
		} `json:"items"`
	}
	query := url.Values{"type": {"external:shop"}, "value": {external}}
	err := b.api.Get(context.Background(), "/v1/customers/lookup", query, &answer)
	if err == nil && len(answer.Items) != 1 {
		err = fmt.Errorf("%d customers have the id %s", len(answer.Items), external)
	}
	if err != nil {
		return "", err
	}
	known[i] = answer.Items[0].CustomerID
	return known[i], nil
}

// askTurns is how often a question and its plain query take turns.
const askTurns = 5

// ask sends the question at its rate, each when it is due, and takes how long after that its answer is there; and by turns
// with it the plain query in the same way. The percentile that is wanted is that of the turn in the middle, as this
// machine itself stands still now and then; that of all turns together is told beside it.
func (b *bench) ask(ctx context.Context, q question) error {
	n := q.rate * length(b, 8, 1)
	callers, closeAll, err := b.callers(ctx, tenant, b.addr(), b.clients)
	defer closeAll()
	if err != nil {
		return err
	}
	pool := make(chan *caller, len(callers))
	for _, c := range callers {
		pool <- c
	}
	first, err := q.path(b, 0)
	if err != nil {
		return err
	}
	if status, _, err := callers[0].get(first); err != nil || status == http.StatusNotFound {
		b.say(q.name + " is not there and is left out")
		return err
	}
	each := func(i int) error {
		path, err := q.path(b, i)
		if err != nil {
			return err
		}
		c := <-pool
		defer func() { pool <- c }()
		status, answer, err := c.get(path)
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("GET %s: %d: %s", path, status, answer)
		}
		return err
	}
	for i := range askTurns * n { // whom they ask for is looked up now, and not while they are timed
		if _, err := q.path(b, i); err != nil {
			return err
		}
	}
	plainly, closePlain, err := b.plain(ctx, q)
	defer closePlain()
	if err != nil {
		return err
	}
	if _, err := timed(ctx, q.rate, 0, q.rate, each); err != nil { // warm up
		return err
	}
	if _, err := timed(ctx, q.rate, 0, q.rate, plainly); err != nil {
		return err
	}
	var took, plain turns
	for turn := range askTurns {
		if err := took.time(ctx, q.rate, turn*n, n, each); err != nil {
			return err
		}
		if err := plain.time(ctx, q.rate, turn*n, n, plainly); err != nil {
			return err
		}
	}
	name := fmt.Sprintf("%s at %d/s, ", q.name, q.rate)
	b.add(row{Name: name + "p50", Unit: "ms", Measured: took.all(0.5)}.against(q.against, plain.all(0.5)),
		row{Name: name + "p99 of the turn in the middle", Unit: "ms", Measured: took.middle(0.99)}.
			against(q.against, plain.middle(0.99)).atMost(q.atMost),
		row{Name: name + "p99 of all turns", Unit: "ms", Measured: took.all(0.99)}.against(q.against, plain.all(0.99)))
	return nil
}

// turns are what was timed in each turn.
type turns [][]time.Duration

// time adds a turn.
func (t *turns) time(ctx context.Context, rate, first, n int, do func(i int) error) error {
	took, err := timed(ctx, rate, first, n, do)
	*t = append(*t, took)
	return err
}

// middle is the median of the turns' percentiles, in ms.
func (t turns) middle(p float64) float64 {
	each := make([]float64, len(t))
	for i, took := range t {
		each[i] = millis(percentile(took, p))
	}
	return median(each)
}

// all is the percentile of all turns as one, in ms.
func (t turns) all(p float64) float64 { return millis(percentile(slices.Concat(t...), p)) }

// plain gives what sends the i-th plain query over connections of the superuser.
func (b *bench) plain(ctx context.Context, q question) (send func(i int) error, closeAll func(), err error) {
	var all []*pgx.Conn
	closeAll = func() {
		for _, c := range all {
			_ = c.Close(context.WithoutCancel(ctx))
		}
	}
	for range b.clients {
		conn, err := b.database(ctx, cmp.Or(q.service, "accounts"))
		if err != nil {
			return nil, closeAll, err
		}
		all = append(all, conn)
	}
	free := make(chan *pgx.Conn, len(all))
	for _, c := range all {
		free <- c
	}
	return func(i int) error {
		args, err := q.args(b, i)
		if err != nil {
			return err
		}
		conn := <-free
		defer func() { free <- conn }()
		rows, err := conn.Query(ctx, q.sql, append([]any{tenant}, args...)...)
		if err != nil {
			return err
		}
		rows.Close()
		return rows.Err()
	}, closeAll, nil
}

// timed does something n times from the first-th on at a rate and gives how long after it was due each was done.
func timed(ctx context.Context, rate, first, n int, do func(i int) error) ([]time.Duration, error) {
	took := make([]time.Duration, n)
	err := openLoop(ctx, rate, n, func(i int, due time.Time) error {
		err := do(first + i)
		took[i] = time.Since(due)
		return err
	})
	return took, err
}
