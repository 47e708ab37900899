// Package traffic counts what a service answers: how many requests of each tenant, and how many of them with a fault of the
// platform's own. A rollout goes by it, so the counts have to outlive a process and be those of all replicas together. A request
// adds to a number in memory and waits for nothing; the numbers are written every few seconds, those of all tenants by one statement.
package traffic

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// keptDays is for how long counts are kept: a rollout of a year is compared with the month before it.
const keptDays = 400

// Counter counts the requests of one service in one process.
type Counter struct {
	ops, db *pg.DB
	clock   func() time.Time
	tenants sync.Map     // of tenant to *count
	flush   sync.Mutex   // one at a time
	pruned  atomic.Int64 // the day, since 1970, on which what is old was taken away
}

type count struct{ requests, errors atomic.Int64 }

// New makes a counter that writes as ops, over all tenants, and reads as app, within one.
func New(ops, db *pg.DB, clock func() time.Time) *Counter {
	return &Counter{ops: ops, db: db, clock: clock}
}

// Count adds a request that was answered.
func (c *Counter) Count(tenant string, failed bool) {
	found, ok := c.tenants.Load(tenant)
	if !ok {
		found, _ = c.tenants.LoadOrStore(tenant, &count{})
	}
	n := found.(*count)
	if failed { // first, so that there are never more errors than requests
		n.errors.Add(1)
	}
	n.requests.Add(1)
}

// Flush writes what was counted since the last time, to the hour in which it is written. What cannot be written is kept for the
// next time.
func (c *Counter) Flush(ctx context.Context) error {
	c.flush.Lock()
	defer c.flush.Unlock()
	var tenants []string
	var requests, failures []int64
	c.tenants.Range(func(tenant, found any) bool {
		n := found.(*count)
		if r := n.requests.Swap(0); r > 0 {
			f := min(n.errors.Load(), r) // one more may be counted that belongs to a request still to be
			n.errors.Add(-f)
			tenants, requests, failures = append(tenants, tenant.(string)), append(requests, r), append(failures, f)
		}
		return true
	})
	now := c.clock().UTC()
	day := now.Unix() / (24 * 60 * 60)
	if len(tenants) == 0 {
		return nil
	}
	err := c.ops.System(ctx, func(tx *pg.Tx) error {
		tx.Queue(`INSERT INTO traffic AS t (tenant_id, hour, requests, errors)
			SELECT tenant, $1, requests, errors FROM unnest($2::text[], $3::bigint[], $4::bigint[]) AS seen (tenant, requests, errors) ORDER BY tenant
			ON CONFLICT (tenant_id, hour) DO UPDATE SET requests = t.requests + excluded.requests, errors = t.errors + excluded.errors`,
			now.Truncate(time.Hour), tenants, requests, failures)
		if c.pruned.Load() != day {
			tx.Queue(`DELETE FROM traffic WHERE hour < $1`, now.AddDate(0, 0, -keptDays))
		}
		return tx.Flush(ctx)
	})
	if err != nil {
		for i, tenant := range tenants {
			found, _ := c.tenants.Load(tenant)
			found.(*count).errors.Add(failures[i])
			found.(*count).requests.Add(requests[i])
		}
		return err
	}
	c.pruned.Store(day)
	return nil
}

type requestsInput struct {
	From time.Time `query:"from" required:"true" doc:"From the hour on in which this is." example:"2031-03-01T00:00:00Z"`
	To   time.Time `query:"to" required:"true" doc:"Until before this; the hour in which it is counts to its end." example:"2031-03-02T00:00:00Z"`
}

type requestsAnswer struct{ Body Requests }

// Requests is how many requests of a tenant a service answered in a window.
type Requests struct {
	From     time.Time `json:"from" doc:"The beginning of the first hour that counts."`
	To       time.Time `json:"to" doc:"As asked for."`
	Requests int64     `json:"requests" doc:"All that named the tenant by their token, but those of operators." example:"52301"`
	Errors   int64     `json:"errors" doc:"Those of them answered with a status from 500." example:"12"`
}

// Routes adds GET /v1/ops/{service}/requests, by which it is measured how many requests the platform fails.
func (c *Counter) Routes(service string) func(*httpx.API) {
	return func(api *httpx.API) {
		httpx.Register(api, httpx.Operation{
			ID: "get-" + service + "-requests", Method: http.MethodGet, Path: "/v1/ops/" + service + "/requests", Tag: httpx.OperationsTag,
			Summary:     "How many requests of the tenant the service answered, and how many it failed",
			Description: "In whole hours, of the last 400 days, of all replicas, with a delay of some seconds. Who has no valid token belongs to no tenant, and is not counted.",
			Permission:  auth.OpsRead,
		}, c.requests)
	}
}

func (c *Counter) requests(ctx context.Context, in *requestsInput) (*requestsAnswer, error) {
	if !in.From.Before(in.To) {
		return nil, problem.New(problem.Unprocessable, "validation_failed", "The window ends before it begins.").
			WithField("query.to", "window_empty", "must be after from")
	}
	body := Requests{From: in.From.UTC().Truncate(time.Hour), To: in.To.UTC()}
	err := c.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		return tx.QueryRow(ctx, `SELECT coalesce(sum(requests), 0)::bigint, coalesce(sum(errors), 0)::bigint FROM traffic
			WHERE tenant_id = $1 AND hour >= $2 AND hour < $3`, tx.Tenant(), body.From, body.To).Scan(&body.Requests, &body.Errors)
	})
	if err != nil {
		return nil, err
	}
	return &requestsAnswer{body}, nil
}
