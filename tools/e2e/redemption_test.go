package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/tools/devstack/stack"
	"github.com/guanxi-crm/guanxi/tools/guanxictl/client"
)

// mug is the reward of these tests: three are there, each costs 100 points, and somebody has to say that it arrived.
var mug = map[string]any{
	"code": "mug", "kind": "delivery", "name": "Mug", "points": 100, "stock": 3, "fulfil_seconds": 86_400, "confirm": true,
}

// redeemed is a redemption, and kept a reward, as the API shows them.
type (
	redeemed struct {
		ID    string `json:"redemption_id"`
		State string `json:"state"`
	}
	kept struct {
		Reserved, Given, Stock int64
	}
)

// step is one request on the road of a redemption, sent again under its key until it is taken.
func (in *installation) step(ctx context.Context, c *client.Client, path, key string, body, out any) {
	in.t.Helper()
	in.persist(ctx, path, func() error {
		_, err := c.Do(ctx, client.Request{Method: http.MethodPost, Path: path, In: body, IdempotencyKey: key}, out)
		return err
	})
}

// stands waits until a redemption is in a state.
func (in *installation) stands(ctx context.Context, c *client.Client, id, state string) {
	in.t.Helper()
	in.eventually(3*time.Minute, func() error {
		var r redeemed
		if err := c.Get(ctx, "/v1/redemptions/"+id, nil, &r); err != nil || r.State == state {
			return err
		}
		return fmt.Errorf("redemption %s is %s, not %s", id, r.State, state)
	})
}

func TestKillingTheWorkersAtEachStepOfARedemptionSellsNothingTwice(t *testing.T) {
	t.Parallel()
	in := install(t)
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	in.persist(ctx, "tenants", func() error { return in.at().Tenants(ctx) })
	d := in.desk()
	var made struct {
		ID string `json:"reward_id"`
	}
	in.step(ctx, d.manager, "/v1/rewards", "mug", mug, &made)
	var member client.Member
	in.step(ctx, d.manager, "/v1/members", "member", map[string]any{"customer_id": uuid.NewSHA1(uuid.NameSpaceURL, []byte("mug")).String()}, &member)
	path := "/v1/members/" + member.MemberID
	in.step(ctx, d.manager, path+"/earns", "earn", map[string]any{"points": 1000, "reason_type": "campaign"}, nil)

	var ticket struct {
		ID string `json:"reward_id"`
	}
	in.step(ctx, d.manager, "/v1/rewards", "ticket", map[string]any{"code": "ticket", "kind": "voucher", "name": "Tea for two", "points": 50, "fulfil_seconds": 86_400}, &ticket)
	in.step(ctx, d.manager, "/v1/rewards/"+ticket.ID+"/vouchers", "codes", map[string]any{"codes": []string{"TEA-0001", "TEA-0002"}}, nil)

	var kills atomic.Int64
	disturbed := func(do func()) { // both have workers, and both are killed while it is on its way
		in.duringA("step", func(string) {
			for _, p := range []*stack.Process{in.second, in.first} {
				if err := p.Kill(); err != nil {
					t.Error(err)
				}
				kills.Add(1)
				time.Sleep(50 * time.Millisecond)
			}
			if err := in.first.WaitReady(ctx); err != nil {
				t.Error(err)
			}
		}, do)
	}
	redeem := func(reward, key string) string {
		var r redeemed
		disturbed(func() { in.step(ctx, d.manager, path+"/redemptions", key, map[string]any{"reward": reward}, &r) })
		return r.ID
	}
	post := func(id, verb string, body any) {
		disturbed(func() { in.step(ctx, d.manager, "/v1/redemptions/"+id+"/"+verb, verb+"/"+id, body, nil) })
	}

	arrived, withdrawn, tea := redeem("mug", "arrived"), redeem("mug", "withdrawn"), redeem("ticket", "tea")
	post(arrived, "fulfil", map[string]any{"reference": "SF-1"})
	post(arrived, "confirm", nil)
	post(withdrawn, "cancel", map[string]any{"reason": "customer_withdrew"})
	in.stands(ctx, d.manager, arrived, "fulfilled")
	in.stands(ctx, d.manager, withdrawn, "cancelled")
	in.stands(ctx, d.manager, tea, "fulfilled") // by its process alone
	var codes struct{ Codes []string }
	if err := d.manager.Get(ctx, "/v1/redemptions/"+tea+"/vouchers", nil, &codes); err != nil || !slices.Equal(codes.Codes, []string{"TEA-0001"}) {
		t.Errorf("the member has the codes %v: %v", codes.Codes, err)
	}

	var now kept
	in.eventually(time.Minute, func() error { return d.manager.Get(ctx, "/v1/rewards/"+made.ID, nil, &now) })
	if now != (kept{Reserved: 0, Given: 1, Stock: 2}) {
		t.Errorf("the mugs are %+v", now)
	}
	if b, err := d.manager.GetBalance(ctx, member.MemberID, time.Time{}); err != nil || b.Available != 850 {
		t.Errorf("the member has %+v: %v", b, err)
	}
	in.eventually(5*time.Minute, in.level)
	audit, err := d.admin.AuditPoints(ctx)
	if err != nil || !audit.OK || audit.LedgerSum != 0 {
		t.Errorf("the auditor finds %+v: %v", audit, err)
	}
	if n := in.parked(); n != 0 || kills.Load() < 12 {
		t.Errorf("%d events were parked, %d kills", n, kills.Load())
	}
}
