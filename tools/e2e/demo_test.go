package e2e_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/guanxi-crm/guanxi/tools/guanxictl/client"
)

// TestTheDemoRolloutStandsWhereGatesHold loads the rollout of the demo data, twice: whoever signs in works, and the board has something to
// decide.
func TestTheDemoRolloutStandsWhereGatesHold(t *testing.T) {
	t.Parallel()
	in := install(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	at := in.at()
	for _, load := range []func(context.Context) error{at.Tenants, at.LoadPizza, at.LoadRollout, at.LoadComplaints, at.LoadRollout} {
		if err := load(ctx); err != nil {
			t.Fatal(err)
		}
	}
	manager, err := at.ClientOf("manager", "pizza", "manager")
	if err != nil {
		t.Fatal(err)
	}
	var all []client.Rollout
	if err := manager.ListRollouts(ctx, "running", func(r client.Rollout) error { all = append(all, r); return nil }); err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	var board client.Rollout
	in.eventually(time.Minute, func() error { // its numbers are measured soon
		if board, err = manager.GetRollout(ctx, all[0].RolloutID); err == nil && (board.Held != 3 || board.PhasesOver != 6) {
			err = fmt.Errorf("%d gates hold, %d phases are over", board.Held, board.PhasesOver)
		}
		return err
	})
	var offered bool
	for _, n := range board.Next {
		offered = offered || n.Decision == "approve" && n.Gate == "pilot-accepted" && n.Allowed
	}
	if !offered {
		t.Errorf("the manager is not offered the gate that waits for a sponsor: %+v", board.Next)
	}
	for _, g := range board.Phases[6].Gates {
		t.Logf("%s %s %s", g.Code, g.Stands, g.Reason)
	}
}
