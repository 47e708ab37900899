package subscription_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/bustest"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/accountstest"
)

// view is what the API answers.
type view struct {
	Subscriptions []struct {
		Group, Kind, Tenant, Object string
		Lag                         int64
		Members                     []struct {
			ClientID string `json:"client_id"`
		}
		Topics []struct {
			Topic     string
			Committed int `json:"committed_partitions"`
			Lag       int64
			Oldest    *time.Time `json:"oldest_unread_at"`
		}
	}
}

func TestATenantSeesWhoReadsItsEventsAndNobodyElse(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)
	mark := strings.TrimPrefix(bustest.Service(t), "test-") // of a cluster: a broker that others use has groups of theirs
	topic := func(tenant string) string { return "guanxi.sub." + mark + ".events." + tenant + ".shop.erp" }
	bustest.Ensure(t, w.Bus, bus.Topic{Name: topic("pizza")}, bus.Topic{Name: topic("music")})
	pizza, music := "sub.shop."+mark+".main", "sub.beat."+mark+".main"
	hook := "guanxi.sub." + mark + ".hook.pizza.shop.till"
	all := "erp-" + mark
	accounts := bus.TopicFor("accounts")

	write(t, w.Bus, topic("pizza"), 2)
	leave := read(t, w.Bus, pizza, topic("pizza"))
	read(t, w.Bus, music, topic("music"))
	read(t, w.Bus, hook, accounts)
	read(t, w.Bus, all, accounts)

	see := func(token string) (groups []string, v view) {
		var answer view
		w.Want(http.StatusOK, http.MethodGet, "/v1/ops/accounts/subscriptions", token, nil, &answer)
		for _, s := range answer.Subscriptions {
			if strings.Contains(s.Group, mark) {
				groups, v.Subscriptions = append(groups, s.Group), append(v.Subscriptions, s)
			}
			if strings.HasPrefix(s.Group, "guanxi.accounts.") {
				t.Errorf("%s is one of our own", s.Group)
			}
		}
		return groups, v
	}
	for token, want := range map[string][]string{
		w.Root:                           {all, hook, music, pizza},
		w.Token(auth.RoleAdmin, "pizza"): {hook, pizza},
		w.Token(auth.RoleAdmin, "music"): {music},
	} {
		slices.Sort(want)
		w.Eventually("the groups are seen", func() bool { got, _ := see(token); return slices.Equal(got, want) })
	}
	admin := w.Token(auth.RoleAdmin, "pizza")
	w.Eventually("the reader has read all", func() bool {
		_, v := see(admin)
		s := v.Subscriptions[1] // without a position there is no lag either, and it would be gone when it has left
		return s.Kind == "reader" && s.Object == "shop/erp" && s.Tenant == "pizza" && s.Topics[0].Committed > 0 && s.Lag == 0 && len(s.Members) == 1
	})
	leave()
	write(t, w.Bus, topic("pizza"), 3)
	w.Eventually("it is gone, and behind", func() bool {
		_, v := see(admin)
		s := v.Subscriptions[1]
		return s.Lag == 3 && len(s.Members) == 0 && s.Topics[0].Lag == 3 && s.Topics[0].Oldest != nil
	})
	if answer := w.Do(http.MethodGet, "/v1/ops/accounts/subscriptions", w.Token(auth.RoleAgent, "pizza"), nil); answer.Status != http.StatusForbidden {
		t.Errorf("an agent: %d %s", answer.Status, answer.Body)
	}
}

func write(t *testing.T, c *bus.Client, topic string, n int) {
	t.Helper()
	msgs := make([]bus.Message, n)
	for i := range msgs {
		msgs[i] = bus.Message{Key: []byte("k"), Value: []byte("{}")}
	}
	if err := c.Produce(t.Context(), topic, 0, msgs); err != nil {
		t.Fatal(err)
	}
}

// read follows a topic until it is left, or the test ends.
func read(t *testing.T, c *bus.Client, group, topic string) (leave func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- c.Subscribe(ctx, bus.Subscription{
			Group: group, Topics: []string{topic},
			Start:  func(context.Context, string, int) (int64, error) { return 0, nil },
			Handle: func(context.Context, string, int, []bus.Message) error { return nil },
		})
	}()
	left := false
	leave = func() {
		if !left {
			left = true
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}
	t.Cleanup(leave)
	return leave
}
