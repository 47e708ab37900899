package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/tools/guanxictl/client"
)

// branches are the units of the pizza shop: the one in which the people of the sign-in page work tries the platform out, the others follow.
var branches = []struct {
	code, name string
	headcount  int // so many that those who sign in are too few of them for the gate that counts who works with it
}{{auth.DevUnit, "总店 Centre", 40}, {"north", "北店 North", 8}, {"south", "南店 South", 6}}

// introduced is what the rollout of the pizza shop is called outside.
const introduced = "demo/pizza"

// accepted is the gate that nobody decides on: there the rollout stands.
const accepted = "pilot-accepted"

// introduction is made of the template. A gate wants people who may decide, so the manager speaks for most.
func introduction() object {
	team := []object{{"subject": "operations", "role": "lead"}, {"subject": "agent", "role": "key_user"}}
	for _, role := range []string{"sponsor", "key_user", "data"} {
		team = append(team, object{"subject": "manager", "role": role})
	}
	for _, role := range []string{"technology", "trainer"} {
		team = append(team, object{"subject": "operations", "role": role})
	}
	return object{
		"name": "老王比萨引入 CRM", "template": "textbook", "external_id": introduced, "team": team,
		"pilot_units": []string{auth.DevUnit}, "units": []string{auth.DevUnit, "north", "south"},
		"goals": []object{{"code": "imports", "name": "导入的数据可信", "metric": "import_quality", "direction": "up", "baseline": 0.8, "target": 0.98}},
	}
}

// LoadRollout introduces the platform to the pizza shop by the textbook: the pilot is live in the unit of the people who sign in, and what
// it taught is looked at, where gates hold: too few work with it yet, and the sponsor has not said that it may go on. The other units have
// nothing yet. What is there already is taken up where it stands. It comes before anybody works in the shop's name: until the pilot is
// live nobody there may.
func (i Installation) LoadRollout(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	r, err := i.introduce(ctx)
	if err == nil {
		err = i.opened(ctx)
	}
	if err != nil {
		return fmt.Errorf("tenant %s, rollout: %w", Pizza, err)
	}
	i.Report(fmt.Sprintf("tenant %s: rollout %s, %d of %d phases are over, %d gates hold", Pizza, r.Name, r.PhasesOver, r.PhaseCount, r.Held))
	return nil
}

func (i Installation) introduce(ctx context.Context) (r client.Rollout, err error) {
	people := map[string]*client.Client{}
	for _, who := range []string{"operations", "manager", "agent"} {
		if people[who], err = i.ClientOf(who, Pizza, who); err != nil {
			return r, err
		}
	}
	if r, err = introducedBy(ctx, people["operations"]); err != nil {
		return r, err
	}
	for {
		if r, err = people["operations"].GetRollout(ctx, r.RolloutID); err != nil || reviewed(r) || r.State != "running" {
			return r, err
		}
		moved, err := carryOn(ctx, people, r.RolloutID)
		if err != nil {
			return r, err
		}
		if moved { // what its process makes of it comes in a moment, and is asked for at once
			continue
		}
		select {
		case <-ctx.Done():
			return r, fmt.Errorf("it stands at %s: %w", listed(r.InHand), ctx.Err())
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func listed(codes []string) string { return fmt.Sprintf("%q", codes) }

// introducedBy gives the rollout that is there, or makes and starts it.
func introducedBy(ctx context.Context, operations *client.Client) (r client.Rollout, err error) {
	for _, b := range branches {
		put := client.Request{Method: http.MethodPut, Path: "/v1/units", In: object{"code": b.code, "name": b.name, "headcount": b.headcount}, IfMatch: "*"}
		if _, err := operations.Do(ctx, put, nil); err != nil {
			return r, fmt.Errorf("unit %s: %w", b.code, err)
		}
	}
	err = operations.ListRollouts(ctx, "", func(one client.Rollout) error {
		if one.ExternalID == introduced {
			r = one
		}
		return nil
	})
	if err == nil && r.RolloutID == "" {
		_, err = operations.Do(ctx, client.Request{Method: http.MethodPost, Path: "/v1/rollouts?language=zh-CN", In: introduction(), IdempotencyKey: "demo-rollout"}, &r)
	}
	if err == nil && r.State == "draft" {
		r, err = operations.StartRollout(ctx, r.RolloutID)
	}
	return r, err
}

// carryOn has everybody do all tasks and agree to all gates that are theirs and whose turn has come, but for the one where it shall stand.
func carryOn(ctx context.Context, people map[string]*client.Client, id string) (moved bool, err error) {
	for _, who := range []string{"operations", "manager", "agent"} {
		board, err := people[who].GetRollout(ctx, id)
		if err != nil {
			return moved, err
		}
		for _, n := range board.Next {
			if !n.Allowed || n.Decision != "complete" && n.Decision != "approve" || n.Gate == accepted {
				continue
			}
			key := "demo-" + n.Decision + "-" + n.Phase + "-" + n.Task + n.Gate
			_, err := people[who].DecideRollout(ctx, id, client.RolloutDecision{Action: n.Decision, Phase: n.Phase, Task: n.Task, Gate: n.Gate}, key)
			var p *client.Problem
			if errors.As(err, &p) && p.Status == http.StatusConflict { // its process was faster
				continue
			}
			if err != nil {
				return moved, fmt.Errorf("%s %s %s%s: %w", n.Decision, n.Phase, n.Task, n.Gate, err)
			}
			moved = true
		}
	}
	return moved, nil
}

// reviewed tells whether nothing is left of what the pilot taught but to say whether it goes on.
func reviewed(r client.Rollout) bool {
	return slices.ContainsFunc(r.Phases, func(p client.RolloutPhase) bool { return p.Code == "pilot-review" && p.State == "leaving" })
}

// opened waits until every service has heard that the unit is live.
func (i Installation) opened(ctx context.Context) error {
	work, err := i.ClientOf("manager", Pizza, "manager")
	if err != nil {
		return err
	}
	for _, path := range []string{"/v1/duplicates", "/v1/orders/summary", "/v1/members", "/v1/tickets", "/v1/analytics/facts/summary"} {
		for {
			err := work.Get(ctx, path, nil, nil)
			var p *client.Problem
			if !errors.As(err, &p) || p.Code != "not_live_for_unit" {
				break // whatever else it is: it was not refused for the unit
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("%s is not open: %w", path, ctx.Err())
			case <-time.After(200 * time.Millisecond):
			}
		}
	}
	return nil
}
