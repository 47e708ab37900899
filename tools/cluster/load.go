package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/guanxi-crm/guanxi/tools/guanxictl/client"
)

// tenant is the one that the load is laid on; nobody else writes to it.
const tenant = "cluster-load"

// person is who does what this program does with the API.
const person = "cluster"

// The manners of a load: how a request that fails is taken.
const (
	nothingFails = false
	askedAgain   = true
)

// load is people who read and write without a pause. Each order has a number of its own, by which it is placed once however
// often it is asked for.
type load struct {
	name     string
	again    bool
	api      *client.Client
	token    client.TokenSource
	before   client.Totals
	customer client.Ref // who buys
	placedAt time.Time
	cancel   context.CancelFunc
	done     sync.WaitGroup

	mu       sync.Mutex
	orders   int64 // that were answered
	reads    int64
	repeated int64
	failures []error
}

// The people: some keep their connections, the others make a new one for each request, which Kubernetes sends to another pod.
const (
	writers = 3
	readers = 3
	pause   = 100 * time.Millisecond
)

// startLoad makes the tenant where it is not there and has people begin.
func (r *run) startLoad(ctx context.Context, again bool) (*load, error) {
	at, err := r.addresses(ctx)
	if err != nil {
		return nil, err
	}
	l := &load{name: random(), again: again, placedAt: time.Now()}
	l.customer = client.Ref{System: "load", ID: l.name}
	if l.api, l.token, err = r.tenant(ctx, at, tenant); err != nil {
		return nil, err
	}
	if err := makeCustomer(ctx, l.api, l.name); err != nil {
		return nil, err
	}
	err = until(ctx, 2*time.Minute, func(ctx context.Context) (err error) {
		if l.before, err = l.api.SalesTotals(ctx); err != nil {
			return err
		}
		return l.place(ctx, "first")
	})
	if err != nil {
		return nil, fmt.Errorf("sales does not take orders of the tenant: %w", err)
	}
	l.orders = 1
	running, cancel := context.WithCancel(ctx)
	l.cancel = cancel
	for i := range writers {
		l.done.Go(func() {
			for n := 0; running.Err() == nil; n++ {
				l.ask(ctx, running, &l.orders, func(ctx context.Context) error { return l.place(ctx, fmt.Sprintf("%d-%d", i, n)) })
			}
		})
	}
	for i := range readers {
		l.done.Go(func() {
			for running.Err() == nil {
				l.ask(ctx, running, &l.reads, func(ctx context.Context) error { return l.read(ctx, at, i) })
			}
		})
	}
	return l, nil
}

// tenant makes the tenant where it is not there, and gives who may do everything in it.
func (r *run) tenant(ctx context.Context, at addresses, id string) (*client.Client, client.TokenSource, error) {
	operator, err := client.New(at.server, client.FromDevIssuer(at.issuer, client.DevToken{Subject: person, Roles: []string{"platform-admin"}}))
	if err != nil {
		return nil, nil, err
	}
	t := client.Tenant{TenantID: id, DisplayName: "Load", Region: "US", Language: "en", TimeZone: "UTC", Currency: "USD"}
	if err := operator.EnsureTenant(ctx, t); err != nil {
		return nil, nil, err
	}
	token := client.FromDevIssuer(at.issuer, client.DevToken{Subject: person, Tenant: id, Roles: []string{"admin"}})
	api, err := client.New(at.server, token)
	return api, token, err
}

// makeCustomer makes a customer who is known by a name in the system "load".
func makeCustomer(ctx context.Context, api *client.Client, name string) error {
	err := api.Post(ctx, "/v1/customers", map[string]any{
		"display_name": "Load", "allow_duplicate": true,
		"identities": []map[string]string{{"type": "external:load", "value": name}},
	}, nil)
	if err != nil {
		return fmt.Errorf("make a customer: %w", err)
	}
	return nil
}

// ask asks once or until there is an answer. What is being asked when the load ends is still asked to its end.
func (l *load) ask(ctx, running context.Context, count *int64, request func(context.Context) error) {
	for {
		one, cancel := context.WithTimeout(ctx, 30*time.Second)
		err := request(one)
		cancel()
		l.mu.Lock()
		switch {
		case err == nil:
			*count++
		case l.again:
			l.repeated++
		default:
			l.failures = append(l.failures, fmt.Errorf("at %s: %w", time.Now().Format(time.TimeOnly), err))
		}
		l.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-running.Done():
		case <-time.After(pause):
		}
		if err == nil || !l.again {
			return
		}
	}
}

// place places one order; one that is there already, from an answer that did not arrive, is as good.
func (l *load) place(ctx context.Context, number string) error {
	ref := client.Ref{System: "load", ID: l.name + "-" + number}
	in := client.Order{
		ExternalRef: &ref, CustomerRef: &l.customer, PlacedAt: &l.placedAt, Channel: "web", Currency: "USD", Lines: []client.OrderLine{{SKU: "disc", Quantity: 1, AmountMinor: 100}},
	}
	_, err := l.api.Do(ctx, client.Request{Method: http.MethodPost, Path: "/v1/orders", In: in, IdempotencyKey: ref.ID}, nil)
	return err
}

// read asks over a kept connection or over a new one. What a pod that is about to end says at /readyz is not asked: its No is
// what takes it out of the Service, while it still answers whoever comes.
func (l *load) read(ctx context.Context, at addresses, who int) error {
	if who%2 == 0 {
		_, err := l.api.SalesTotals(ctx)
		return err
	}
	token, err := l.token(ctx)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.server+"/v1/orders/summary", nil)
	if err != nil {
		return err
	}
	req.Close = true
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		err = errors.New("a new connection: " + resp.Status)
	}
	return errors.Join(err, resp.Body.Close())
}

// stop has everybody end what they are at, and fails where a request has failed that must not.
func (l *load) stop() error {
	l.cancel()
	l.done.Wait()
	say("the load: %d orders, %d reads, %d asked again, %d failed", l.orders, l.reads, l.repeated, len(l.failures))
	if l.orders == 0 || l.reads == 0 {
		return errors.New("there was no load")
	}
	return errors.Join(l.failures[:min(len(l.failures), 10)]...)
}

// nothingLost demands that every order that was answered is there, once, in sales and in analytics, which hears of it by events.
func (l *load) nothingLost(ctx context.Context) error {
	want := l.before.Orders + l.orders
	return until(ctx, 5*time.Minute, func(ctx context.Context) error {
		sales, err := l.api.SalesTotals(ctx)
		if err != nil {
			return err
		}
		analytics, err := l.api.AnalyticsTotals(ctx)
		if err != nil {
			return err
		}
		if sales.Orders != want || analytics.Orders != want || sales.RevenueMinor != 100*want || analytics.RevenueMinor != 100*want {
			return fmt.Errorf("%d orders were answered; sales has %+v, analytics %+v", want, sales, analytics)
		}
		return nil
	})
}
