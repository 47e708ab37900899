package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/tools/devstack/demo"
	"github.com/guanxi-crm/guanxi/tools/guanxictl/client"
)

// kindWords is a plan whose only step is due at once, and that nobody is held out of.
var kindWords = map[string]any{"code": "kind-words", "terms": map[string]any{
	"name": "Kind words", "active": true, "kind": "win_back", "programme": "standard", "currency": "CNY", "triggers": map[string]any{},
	"offers": []any{}, "segments": []any{}, "hold_out_permille": 0, "bands": map[string]any{"medium_from_minor": 50_000, "high_from_minor": 200_000},
	"steps": []map[string]any{{"kind": "contact", "after_seconds": 0}}, "cost_cap_permille": 100, "window_seconds": 5_184_000,
	"cool_down_days": 90, "max_contacts": 3, "max_contacts_30_days": 4,
}}

// keptCase is a case as the API shows it.
type keptCase struct {
	ID    string `json:"case_id"`
	Stage string
	Steps []struct{ Action, Step, Code string }
}

// caseWhere waits until a case is as it should be.
func (in *installation) caseWhere(ctx context.Context, c *client.Client, id string, holds func(keptCase) bool) {
	in.t.Helper()
	in.eventually(3*time.Minute, func() error {
		var now keptCase
		if err := c.Get(ctx, "/v1/retention-cases/"+id, nil, &now); err != nil || holds(now) {
			return err
		}
		return fmt.Errorf("the case is %+v", now)
	})
}

func TestACustomerIsAskedForAndComesBackAlthoughTheWorkersAreKilled(t *testing.T) {
	t.Parallel()
	in := install(t)
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	in.persist(ctx, "tenants", func() error { return in.at().Tenants(ctx) })
	d := in.desk()
	var lei struct {
		ID string `json:"customer_id"`
	}
	in.step(ctx, d.admin, "/v1/customers", "lei", map[string]any{"kind": "person", "display_name": "Lei"}, &lei)
	in.step(ctx, d.manager, "/v1/retention-plans", "plan", kindWords, nil)
	var opened keptCase
	in.step(ctx, d.manager, "/v1/retention-cases", "case", map[string]any{"customer_id": lei.ID, "plan": "kind-words"}, &opened)

	// Accounts is asked, and knows no address: the process had to be there for that.
	in.caseWhere(ctx, d.manager, opened.ID, func(c keptCase) bool { return len(c.Steps) == 2 && c.Steps[1].Code == "no_address" })
	for _, kill := range []func() error{in.first.Kill, in.second.Kill} {
		if err := kill(); err != nil {
			t.Fatal(err)
		}
	}
	in.step(ctx, d.manager, "/v1/retention-cases/"+opened.ID+"/learn", "learn", map[string]any{"reason": "price", "words": "Cheaper elsewhere."}, nil)
	in.persist(ctx, "order", func() error {
		_, err := in.client(demo.Pizza, "integrator").PlaceOrder(ctx, client.Order{
			ExternalRef: &client.Ref{System: "till", ID: "back-again"}, CustomerID: lei.ID, Channel: "counter", Currency: "CNY",
			Lines: []client.OrderLine{{SKU: "margherita", Quantity: 1, AmountMinor: 5800}},
		})
		var p *client.Problem
		if errors.As(err, &p) && p.Status == 409 { // it was placed by the try before
			return nil
		}
		return err
	})
	in.caseWhere(ctx, d.manager, opened.ID, func(c keptCase) bool { return c.Stage == "retained" })
	if n := in.parked(); n != 0 {
		t.Errorf("%d events were parked", n)
	}
}

func TestTermsAreTriedOnWhatWasAndChangeNothing(t *testing.T) {
	t.Parallel()
	in := install(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	in.persist(ctx, "tenants", func() error { return in.at().Tenants(ctx) })
	d, from := in.desk(), time.Now().Add(-time.Hour).UTC()
	placed := time.Now().Add(-time.Minute).UTC()
	_, err := in.client(demo.Pizza, "integrator").PlaceOrder(ctx, client.Order{
		CustomerID: uuid.NewString(), Channel: "counter", Currency: "CNY", PlacedAt: &placed, Lines: []client.OrderLine{{SKU: "margherita", Quantity: 1, AmountMinor: 10_000}},
	})
	if err != nil {
		t.Fatal(err)
	}
	in.eventually(3*time.Minute, func() error { return earnedIs(ctx, d.admin, 100) })
	var run struct {
		ID     string `json:"dry_run_id"`
		State  string
		Result struct {
			Orders int64
			Now    int64 `json:"points_now"`
			Then   int64 `json:"points_then"`
		}
	}
	in.step(ctx, d.manager, "/v1/programmes/standard/dry-runs", "try", map[string]any{
		"from": from, "until": time.Now().UTC(),
		"terms": map[string]any{"return_days": 14, "join_by_purchase": true, "earning": map[string]any{
			"rules": []map[string]any{{"code": "double", "kind": "base", "points": "amount * 2"}},
		}},
	}, &run)
	in.eventually(3*time.Minute, func() error {
		if err := d.manager.Get(ctx, "/v1/programmes/standard/dry-runs/"+run.ID, nil, &run); err != nil || run.State == "done" {
			return err
		}
		return fmt.Errorf("the dry run is %s", run.State)
	})
	if run.Result.Orders != 1 || run.Result.Now != 100 || run.Result.Then != 200 {
		t.Errorf("it would have been %+v", run.Result)
	}
	if err := earnedIs(ctx, d.admin, 100); err != nil {
		t.Errorf("the dry run changed something: %v", err)
	}
}

func earnedIs(ctx context.Context, admin *client.Client, want int64) error {
	s, err := admin.PointsSummary(ctx)
	if err == nil && s.Earned != want {
		err = fmt.Errorf("%d points were earned, want %d", s.Earned, want)
	}
	return err
}
