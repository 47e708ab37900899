package subscription

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/guanxi-crm/guanxi/platform/operator/api/v1alpha1"
)

func subscriptionOf(name, prefix string, types ...v1alpha1.EventType) *v1alpha1.EventSubscription {
	s := &v1alpha1.EventSubscription{}
	s.Namespace, s.Name, s.UID = "erp", name, "1-"+"uid"
	s.Spec.EventTypes = types
	s.Spec.Delivery.Kafka = &v1alpha1.KafkaDelivery{GroupPrefix: prefix}
	return s
}

func TestASubscriberIsPlannedItsTopicsAndGroups(t *testing.T) {
	t.Parallel()
	published := []string{"guanxi.sales.events.v1", "guanxi.tickets.events.v1"}
	s := subscriptionOf("stock", "", "guanxi.sales.events.v1.*")
	p, err := For(s, []v1alpha1.EventSubscription{*s}, published, "c1")
	require.NoError(t, err)
	g := p.Grant
	require.Equal(t, Plan{Grant: Grant{"guanxi.sub.c1.erp.stock", published[:1], "sub.erp.stock."}, Sources: published[:1]}, p, "who hears of all tenants reads the topics themselves")
	namespace, name, ok := OwnerOf("c1", g.User)
	require.True(t, ok)
	require.Equal(t, []string{"erp", "stock"}, []string{namespace, name})
	_, _, ok = OwnerOf("c2", g.User)
	require.False(t, ok, "another cluster's user")

	var refusal *Refusal
	_, err = For(subscriptionOf("stock", "", "guanxi.stock.events.v1.*"), nil, published, "c1")
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, "UnknownEventType", refusal.Reason)
	younger := subscriptionOf("other", "sub.erp.", "guanxi.sales.events.v1.*")
	younger.UID = "2-uid"
	_, err = For(younger, []v1alpha1.EventSubscription{*s, *younger}, published, "c1")
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, "GroupPrefixTaken", refusal.Reason)
}

func TestATenantsEventsGoToATopicOfItsOwnAndHooksAreFed(t *testing.T) {
	t.Parallel()
	published := Published([]string{"guanxi.tickets.events.v1", "guanxi.sub.c1.events.erp.stock", "guanxi.sales.events.v1.dlq", "guanxi.sales.events.v1", "mine"})
	require.Equal(t, []string{"guanxi.sales.events.v1", "guanxi.tickets.events.v1"}, published)
	tenant := v1alpha1.Tenant("acme")
	s := subscriptionOf("stock", "", "guanxi.tickets.events.v1.TicketOpened", "guanxi.sales.events.v1.*", "guanxi.sales.events.v1.OrderPlaced")
	s.Spec.Tenant = &tenant
	p, err := For(s, nil, published, "c1")
	require.NoError(t, err)
	require.Equal(t, Plan{
		Grant:   Grant{"guanxi.sub.c1.erp.stock", []string{"guanxi.sub.c1.events.acme.erp.stock"}, "sub.erp.stock."},
		Sources: published, Own: "guanxi.sub.c1.events.acme.erp.stock", Group: "guanxi.sub.c1.forward.acme.erp.stock",
	}, p)
	s.Spec.Delivery = v1alpha1.Delivery{Webhook: &v1alpha1.WebhookDelivery{}}
	p, err = For(s, nil, published, "c1")
	require.NoError(t, err)
	require.Equal(t, Plan{Sources: published, Dead: "guanxi.sub.c1.dead.acme.erp.stock", Group: "guanxi.sub.c1.hook.acme.erp.stock"}, p)

	s.Namespace, s.Name = strings.Repeat("n", 63), strings.Repeat("s", 100)
	tenant = v1alpha1.Tenant(strings.Repeat("t", 63))
	var refusal *Refusal
	_, err = For(s, nil, published, "0123456789abcdef")
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, "NameTooLong", refusal.Reason)
}

func TestCredentialsReadExactlyTheirTopics(t *testing.T) {
	t.Parallel()
	broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.EnableSASL(), kfake.EnableACLs(),
		kfake.Superuser("SCRAM-SHA-512", "guanxi", "right"), kfake.SeedTopics(1, "sales", "tickets"))
	require.NoError(t, err)
	t.Cleanup(broker.Close)
	connect := func(user, password string, more ...kgo.Opt) *kgo.Client {
		c, err := kgo.NewClient(append(more, kgo.SeedBrokers(broker.ListenAddrs()...),
			kgo.SASL(scram.Auth{User: user, Pass: password}.AsSha512Mechanism()))...)
		require.NoError(t, err)
		t.Cleanup(c.Close)
		return c
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	platform := connect("guanxi", "right")
	for _, topic := range []string{"sales", "tickets"} {
		require.NoError(t, platform.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: []byte(topic)}).FirstErr())
	}
	k := NewKafka(platform)
	g := Grant{User: "guanxi.sub.c1.erp.stock", Topics: []string{"sales"}, GroupPrefix: "erp."}
	password := NewPassword()
	require.NoError(t, k.SetPassword(ctx, g.User, password))
	changed, err := k.Allow(ctx, g.User, g.Rules())
	require.NoError(t, err)
	require.True(t, changed)
	changed, err = k.Allow(ctx, g.User, g.Rules())
	require.NoError(t, err)
	require.False(t, changed, "what is there already is not written again")

	read := func(topic, group string) kgo.Fetches {
		return connect(g.User, password, kgo.ConsumeTopics(topic), kgo.ConsumerGroup(group),
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())).PollFetches(ctx)
	}
	fetched := read("sales", "erp.a")
	require.NoError(t, fetched.Err())
	require.Equal(t, "sales", string(fetched.Records()[0].Value))
	require.Error(t, read("tickets", "erp.b").Err(), "a topic that was not granted")
	require.Error(t, read("sales", "other").Err(), "a group under another prefix")
	require.Error(t, connect(g.User, password).ProduceSync(ctx, &kgo.Record{Topic: "sales", Value: []byte("x")}).FirstErr())

	require.NoError(t, k.Revoke(ctx, g.User))
	require.NoError(t, k.Revoke(ctx, g.User), "what is gone is no fault")
	known, err := k.HasUser(ctx, g.User)
	require.NoError(t, err)
	require.False(t, known)
}
