package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/guanxi-crm/guanxi/tools/guanxictl/client"
)

// club are the terms of the pizza shop's programme: points for a year, three tiers, and what a friend is worth.
var club = map[string]any{
	"code": "standard", "name": "老王俱乐部 Lao Wang Club", "zone": "Asia/Shanghai",
	"terms": map[string]any{
		"return_days": 14, "join_by_purchase": true,
		"worth":  map[string]any{"currency": "CNY", "points": 100, "minor": 100},
		"expiry": map[string]any{"kind": "months", "months": 24},
		"tiers": map[string]any{
			"period": "calendar_year", "warn_days": 30,
			"levels": []map[string]any{
				{"code": "bronze", "name": "Bronze", "name_zh": "铜卡", "threshold": 0},
				{"code": "silver", "name": "Silver", "name_zh": "银卡", "threshold": 300},
				{"code": "gold", "name": "Gold", "name_zh": "金卡", "threshold": 1000, "benefits": []map[string]any{
					{"code": "free_delivery", "text": "Free delivery", "text_zh": "免运费"},
				}},
			},
		},
		"referral": map[string]any{"referrer_points": 200, "referred_points": 100},
	},
}

// rewards are what the shop's points can be redeemed for.
var rewards = []map[string]any{
	{"code": "tiramisu", "kind": "counter", "name": "提拉米苏 Tiramisu", "points": 200, "fulfil_seconds": 30 * 86_400},
	{"code": "mug", "kind": "delivery", "name": "马克杯 Mug", "points": 500, "stock": 20, "low_stock_at": 5, "fulfil_seconds": 14 * 86_400, "confirm": true},
}

// redeemer is the customer, by the number at the till, who redeems a dessert.
const redeemer = "K002"

// LoadLoyalty gives the pizza shop a programme of its own and rewards, and has a customer redeem one who has the points since a
// complaint was settled. What is there already stays as it is.
func (i Installation) LoadLoyalty(ctx context.Context) error {
	if err := i.loadLoyalty(ctx); err != nil {
		return fmt.Errorf("tenant %s, loyalty: %w", Pizza, err)
	}
	return nil
}

func (i Installation) loadLoyalty(ctx context.Context) error {
	manager, err := i.ClientOf("manager", Pizza, "manager")
	if err != nil {
		return err
	}
	if err := made(manager.Post(ctx, "/v1/programmes", club, nil)); err != nil {
		return err
	}
	for _, r := range rewards {
		if err := made(manager.Post(ctx, "/v1/rewards", r, nil)); err != nil {
			return err
		}
	}
	found, err := manager.LookupCustomers(ctx, "external:till", redeemer)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return fmt.Errorf("nobody has the number %s at the till", redeemer)
	}
	m, err := manager.MemberOf(ctx, found[0].CustomerID)
	if err != nil {
		return err
	}
	var redeemed struct{ State string }
	_, err = manager.Do(ctx, client.Request{
		Method: http.MethodPost, Path: "/v1/members/" + m.MemberID + "/redemptions", In: map[string]any{"reward": "tiramisu"},
		IdempotencyKey: "demo/tiramisu/" + redeemer,
	}, &redeemed)
	if err != nil {
		return err
	}
	i.Report(fmt.Sprintf("tenant %s: a programme with three tiers, %d rewards, a redemption of customer %s that is %s", Pizza, len(rewards), redeemer, redeemed.State))
	return nil
}

// made takes it for granted that what is there already was made by a run before.
func made(err error) error {
	var p *client.Problem
	if errors.As(err, &p) && p.Status == http.StatusConflict {
		return nil
	}
	return err
}
