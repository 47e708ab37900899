package subscription_test

import (
	"testing"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/subscription"
)

func TestGroupsAreToldApartByTheirNames(t *testing.T) {
	t.Parallel()
	const sales, pizzas, musics = "guanxi.sales.events.v1", "guanxi.sub.c1.events.pizza.shop.erp", "guanxi.sub.c1.events.music.shop.erp"
	for name, c := range map[string]struct {
		group  string
		topics []string
		want   subscription.Subscription
	}{
		"a program of all tenants":          {"erp", []string{sales}, subscription.Subscription{Kind: subscription.Reader}},
		"with credentials of the operator":  {"sub.shop.erp.main", []string{sales}, subscription.Subscription{Kind: subscription.Reader, Object: "shop/erp"}},
		"of a tenant":                       {"sub.shop.erp.main", []string{pizzas}, subscription.Subscription{Kind: subscription.Reader, Tenant: "pizza", Object: "shop/erp"}},
		"of a tenant, by a name of its own": {"mine-1", []string{pizzas}, subscription.Subscription{Kind: subscription.Reader, Tenant: "pizza", Object: "shop/erp"}},
		"of two tenants":                    {"mine-1", []string{pizzas, musics}, subscription.Subscription{Kind: subscription.Reader}},
		"of a tenant and of all":            {"mine-1", []string{sales, pizzas}, subscription.Subscription{Kind: subscription.Reader}},
		"the operator, which copies":        {"guanxi.sub.c1.forward.pizza.shop.erp", []string{sales}, subscription.Subscription{Kind: subscription.Forward, Tenant: "pizza", Object: "shop/erp"}},
		"a webhook of a tenant":             {"guanxi.sub.c1.hook.pizza.shop.erp.v2", []string{sales}, subscription.Subscription{Kind: subscription.Webhook, Tenant: "pizza", Object: "shop/erp.v2"}},
		"a webhook of all":                  {"guanxi.sub.c1.hook._.shop.erp", []string{sales}, subscription.Subscription{Kind: subscription.Webhook, Object: "shop/erp"}},
	} {
		r := bus.Reader{Group: c.group}
		for _, topic := range c.topics {
			r.Topics = append(r.Topics, bus.Reading{Topic: topic})
		}
		got := subscription.Of(r)
		if got.Group != c.group || got.Kind != c.want.Kind || got.Tenant != c.want.Tenant || got.Object != c.want.Object {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
	}
}

func TestOurOwnGroupsAndTopicsAreKnown(t *testing.T) {
	t.Parallel()
	for group, outside := range map[string]bool{
		"guanxi.accounts.timeline": false, "guanxi.sub.c1.hook.pizza.shop.erp": true, "sub.shop.erp.main": true, "erp": true, "guanxi-shop": true,
	} {
		if subscription.Outside(group) != outside {
			t.Errorf("%s: outside is %v", group, !outside)
		}
	}
	for topic, published := range map[string]bool{
		"guanxi.sales.events.v1": true, "guanxi.sales.events.v12.dlq": true, "guanxi.sub.c1.events.pizza.shop.erp": true,
		"guanxi.sub.c1.dead.pizza.shop.erp": false, "orders": false, "guanxi.sales.events.v1.copy": false, "__consumer_offsets": false,
	} {
		if subscription.Published(topic) != published {
			t.Errorf("%s: published is %v", topic, !published)
		}
	}
}
