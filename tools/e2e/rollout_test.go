package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/tools/devstack/demo"
	"github.com/guanxi-crm/guanxi/tools/guanxictl/client"
)

// introduction opens orders to the north, once a person agrees, the north is trained and nine tenths of what is imported are good.
var introduction = object{"name": "Orders for the north", "plan": object{
	"team": []object{{"subject": "chen", "role": "sponsor"}},
	"phases": []object{{
		"code": "pilot", "name": "Pilot", "kind": "pilot", "units": []string{"north"}, "capabilities": []string{"orders"},
		"tasks": []object{{"code": "train", "title": "Train the north", "owner": "chen"}},
		"enter": []object{{"code": "means", "kind": "person", "role": "sponsor"}},
		"leave": []object{{"code": "data", "kind": "metric", "metric": "import_quality", "threshold": 0.9, "min_sample": 10}},
	}, {
		"code": "rest", "name": "The rest", "kind": "go_live", "units": []string{"south"}, "capabilities": []string{"orders"}, "after": []string{"pilot"},
		"tasks": []object{{"code": "train", "title": "Train the south", "owner": "chen"}},
	}},
}}

// of is somebody of a unit of the pizza shop.
func (in *installation) of(subject, unit, role string) *client.Client {
	in.t.Helper()
	c, err := client.New(in.stack.ServerURL(), client.FromDevIssuer(in.stack.IssuerURL(), client.DevToken{Subject: subject, Tenant: demo.Pizza, Unit: unit, Roles: []string{role}}))
	if err != nil {
		in.t.Fatal(err)
	}
	return c
}

// answers waits until who asks for orders has them (code ""), or is refused by a code, with the words.
func (in *installation) answers(ctx context.Context, c *client.Client, code string, words ...string) {
	in.t.Helper()
	in.eventually(time.Minute, func() error {
		err := c.Get(ctx, "/v1/orders/summary", nil, nil)
		var p *client.Problem
		switch {
		case code == "":
			return err
		case !errors.As(err, &p) || p.Status != http.StatusForbidden || p.Code != code:
			return fmt.Errorf("not refused by %s: %w", code, err)
		}
		for _, word := range words {
			if !strings.Contains(p.Detail, word) {
				in.t.Fatalf("the refusal does not say %q: %s", word, p.Detail)
			}
		}
		return nil
	})
}

// bring imports customers of whom some have no address by which anybody can be reached, and gives how many of how many were accepted.
func (in *installation) bring(ctx context.Context, name string, good, bad int) (accepted, rows int64) {
	in.t.Helper()
	var file strings.Builder
	file.WriteString("number,display_name,email\n")
	for i := range good + bad {
		email := fmt.Sprintf("%s%d@example.cn", name, i)
		if i < bad {
			email = "nobody"
		}
		fmt.Fprintf(&file, "%s%d,Customer %d,%s\n", name, i, i, email)
	}
	api := in.client(demo.Pizza, "operations")
	job, err := api.StartImport(ctx, client.ImportRequest{
		Kind: "customers", Format: "csv", Header: true, Policy: "skip", Body: strings.NewReader(file.String()),
		Mapping: []string{"external:till=number", "display_name=display_name", "email=email"}, IdempotencyKey: name,
	})
	if err != nil {
		in.t.Fatal(err)
	}
	if job, err = api.WaitImport(ctx, "customers", job.ID, nil); err != nil {
		in.t.Fatal(err)
	}
	return job.Accepted, job.Rows
}

func TestWhatIsNotLiveIsRefusedUntilMeasuredNumbersAndPeopleOpenIt(t *testing.T) {
	t.Parallel()
	in := install(t)
	ctx, cancel := context.WithTimeout(t.Context(), 12*time.Minute)
	defer cancel()
	in.persist(ctx, "tenants", func() error { return in.at().Tenants(ctx) })
	chen := in.stand().chen
	north, south, nowhere := in.of("li", "north/branch-3", "agent"), in.of("sun", "south", "agent"), in.of("wu", "", "agent")
	for _, unit := range []string{"north", "south"} {
		in.put(ctx, chen, http.MethodPut, "/v1/units", "", object{"code": unit, "name": unit, "headcount": 5})
	}
	in.answers(ctx, north, "")

	var r client.Rollout
	in.step(ctx, chen, "/v1/rollouts", "introduction", introduction, &r)
	in.step(ctx, chen, "/v1/rollouts/"+r.RolloutID+"/start", "start", nil, nil)
	in.answers(ctx, north, "not_live_for_unit", "orders", "north/branch-3")
	in.answers(ctx, nowhere, "unit_missing", "orders")
	if err := north.Get(ctx, "/v1/customers/summary", nil, nil); err != nil {
		t.Errorf("what nothing governs: %v", err)
	}

	decide := func(d client.RolloutDecision) {
		key := uuid.NewString()
		in.persist(ctx, d.Action, func() (err error) {
			r, err = chen.DecideRollout(ctx, r.RolloutID, d, key)
			return err
		})
	}
	stands := func(what string, holds func(client.Rollout) bool) {
		where(ctx, in, chen, "/v1/rollouts/"+r.RolloutID, func(now client.Rollout) bool { r = now; return holds(now) })
		t.Log(what)
	}
	train := client.RolloutDecision{Action: "complete", Phase: "pilot", Task: "train"}
	accepted, rows := in.bring(ctx, "poor", 8, 8)
	if accepted == rows {
		t.Fatal("the poor file is not refused in part")
	}
	decide(client.RolloutDecision{Action: "approve", Phase: "pilot", Gate: "means"})
	stands("it is worked on", func(r client.Rollout) bool { return r.Phases[0].State == "working" })
	decide(train)
	data := func(r client.Rollout) client.RolloutGate {
		for _, g := range r.Phases[0].Gates {
			if g.Code == "data" {
				return g
			}
		}
		return client.RolloutGate{}
	}
	stands("the gate holds", func(r client.Rollout) bool { return data(r).Reason == "below_threshold" })
	if g := data(r); g.Measured == nil || *g.Measured != float64(accepted)/float64(rows) || *g.Sample != int(rows) {
		t.Errorf("the gate measured %+v, but %d of %d rows were accepted", g, accepted, rows)
	}
	in.answers(ctx, north, "not_live_for_unit")

	in.bring(ctx, "good", 150, 0)
	decide(client.RolloutDecision{Action: "reopen", Phase: "pilot", Task: "train"})
	decide(train) // after what people decide numbers are measured at once
	stands("the pilot is live", func(r client.Rollout) bool { return r.Phases[0].State == "live" })
	in.answers(ctx, north, "")
	in.answers(ctx, south, "not_live_for_unit", "south")
	if out, err := in.guanxictl(ctx, "--tenant", demo.Pizza, "rollout", "show", r.RolloutID); err != nil || !strings.Contains(out, "gate") && !strings.Contains(out, "north") {
		t.Errorf("guanxictl: %v\n%s", err, out)
	}

	decide(client.RolloutDecision{Action: "roll_back", Phase: "pilot", Reason: "poor_data"})
	in.answers(ctx, north, "not_live_for_unit", "north/branch-3")
	var counted struct{ Requests, Errors int64 }
	window := url.Values{"from": {time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)}, "to": {time.Now().Add(time.Hour).UTC().Format(time.RFC3339)}}
	in.eventually(time.Minute, func() error {
		if err := in.client(demo.Pizza, "operations").Get(ctx, "/v1/ops/sales/requests", window, &counted); err != nil || counted.Requests > 0 {
			return err
		}
		return errors.New("no request is counted")
	})
	decide(client.RolloutDecision{Action: "cancel", Reason: "no_means"})
	in.answers(ctx, south, "")
}
