//go:build kube

package controller_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/guanxi-crm/guanxi/platform/operator/api/v1alpha1"
	"github.com/guanxi-crm/guanxi/platform/operator/internal/controller"
	"github.com/guanxi-crm/guanxi/platform/operator/internal/delivery"
	"github.com/guanxi-crm/guanxi/platform/operator/internal/subscription"
)

// subscribers is a cluster with a Kafka that asks everybody who they are.
type subscribers struct {
	*cluster
	broker *kfake.Cluster
	admin  *kgo.Client
	ctx    context.Context
}

func startSubscribers(t *testing.T) *subscribers {
	t.Helper()
	broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.EnableSASL(), kfake.EnableACLs(),
		kfake.Superuser("SCRAM-SHA-512", "guanxi", "right"), kfake.SeedTopics(2, "guanxi.sales.events.v1", "guanxi.tickets.events.v1"))
	require.NoError(t, err)
	t.Cleanup(broker.Close)
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	t.Cleanup(cancel)
	s := &subscribers{startCluster(t), broker, nil, ctx}
	s.admin = s.connect("guanxi", "right")
	return s
}

func (s *subscribers) connect(user, password string, more ...kgo.Opt) *kgo.Client {
	s.t.Helper()
	c, err := kgo.NewClient(append(more, kgo.SeedBrokers(s.broker.ListenAddrs()...), kgo.SASL(scram.Auth{User: user, Pass: password}.AsSha512Mechanism()))...)
	require.NoError(s.t, err)
	s.t.Cleanup(c.Close)
	return c
}

func (s *subscribers) operator() *controller.Subscriptions {
	s.t.Helper()
	return &controller.Subscriptions{
		Client: s.cluster, Reader: s.cluster, Events: events.NewFakeRecorder(100), Kafka: subscription.NewKafka(s.admin), Cluster: "c1",
		Delivery: delivery.New(delivery.Options{}), Endpoint: subscription.Endpoint{Servers: s.broker.ListenAddrs()}, Patience: time.Second,
	}
}

func (s *subscribers) make(name string, change func(*v1alpha1.EventSubscription)) reconcile.Request {
	s.t.Helper()
	o := &v1alpha1.EventSubscription{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}, Spec: v1alpha1.EventSubscriptionSpec{
		EventTypes: []v1alpha1.EventType{"guanxi.sales.events.v1.*"}, Delivery: v1alpha1.Delivery{Kafka: &v1alpha1.KafkaDelivery{}},
	}}
	if change != nil {
		change(o)
	}
	require.NoError(s.t, s.Create(s.ctx, o))
	return reconcile.Request{NamespacedName: client.ObjectKeyFromObject(o)}
}

func (s *subscribers) find(of reconcile.Request) *v1alpha1.EventSubscription {
	s.t.Helper()
	o := &v1alpha1.EventSubscription{}
	require.NoError(s.t, s.Get(s.ctx, of.NamespacedName, o))
	return o
}

func (s *subscribers) secret(of reconcile.Request) *corev1.Secret {
	s.t.Helper()
	o := &corev1.Secret{}
	require.NoError(s.t, s.Get(s.ctx, client.ObjectKey{Namespace: of.Namespace, Name: of.Name + "-kafka"}, o))
	return o
}

// reads tells whether what is in the Secret reads a topic.
func (s *subscribers) reads(of reconcile.Request, topic string) error {
	s.t.Helper()
	secret := s.secret(of).Data
	c := s.connect(string(secret["username"]), string(secret["password"]), kgo.ConsumeTopics(topic), kgo.ConsumerGroup(string(secret["group-prefix"])+"a"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer c.Close()
	return c.PollFetches(s.ctx).Err()
}

func TestASubscriptionsSecretReadsItsTopicsAndNothingElse(t *testing.T) {
	t.Parallel()
	s := startSubscribers(t)
	for _, topic := range []string{"guanxi.sales.events.v1", "guanxi.tickets.events.v1"} {
		require.NoError(t, s.admin.ProduceSync(s.ctx, &kgo.Record{Topic: topic, Value: []byte("{}")}).FirstErr())
	}
	operator := s.operator()
	stock := s.make("stock", nil)
	// Two operators at the same time agree about the password.
	var both sync.WaitGroup
	for range 2 {
		other := s.operator()
		both.Go(func() { _, _ = other.Reconcile(s.ctx, stock) })
	}
	both.Wait()
	_, err := operator.Reconcile(s.ctx, stock)
	require.NoError(t, err)
	o, secret := s.find(stock), s.secret(stock)
	require.Equal(t, "True Granted", reason(o, v1alpha1.ConditionReady), "%+v", o.Status)
	require.Equal(t, o.Generation, o.Status.ObservedGeneration)
	require.Equal(t, &v1alpha1.Binding{Name: "stock-kafka"}, o.Status.Binding)
	require.Empty(t, o.Finalizers, "nothing holds a subscription that keeps what it has")
	require.Equal(t, corev1.SecretType("servicebinding.io/kafka"), secret.Type)
	require.NoError(t, s.reads(stock, "guanxi.sales.events.v1"))
	require.Error(t, s.reads(stock, "guanxi.tickets.events.v1"))

	_, err = operator.Reconcile(s.ctx, stock)
	require.NoError(t, err)
	o = s.find(stock)
	_, err = operator.Reconcile(s.ctx, stock)
	require.NoError(t, err)
	require.Equal(t, o.ResourceVersion, s.find(stock).ResourceVersion, "nothing changed, nothing is written")
	require.Equal(t, secret.ResourceVersion, s.secret(stock).ResourceVersion)

	o.Spec.Delivery.Kafka.Rotation = "2"
	require.NoError(t, s.Update(s.ctx, o))
	_, err = operator.Reconcile(s.ctx, stock)
	require.NoError(t, err)
	require.NotEqual(t, secret.Data["password"], s.secret(stock).Data["password"])
	require.NoError(t, s.reads(stock, "guanxi.sales.events.v1"))
	require.Error(t, s.connect(string(secret.Data["username"]), string(secret.Data["password"])).Ping(s.ctx), "the password before")

	require.NoError(t, s.Delete(s.ctx, s.find(stock)))
	_, err = operator.Reconcile(s.ctx, stock)
	require.NoError(t, err)
	known, err := operator.Kafka.HasUser(s.ctx, "guanxi.sub.c1.default.stock")
	require.NoError(t, err)
	require.False(t, known, "credentials are taken back")
}

func TestWhatCannotBeGrantedSaysWhy(t *testing.T) {
	t.Parallel()
	s := startSubscribers(t)
	operator := s.operator()
	for name, change := range map[string]func(*v1alpha1.EventSubscription){
		"UnknownEventType": func(o *v1alpha1.EventSubscription) { o.Spec.EventTypes[0] = "guanxi.stock.events.v1.*" },
		"SecretMissing": func(o *v1alpha1.EventSubscription) {
			o.Spec.Delivery = v1alpha1.Delivery{Webhook: &v1alpha1.WebhookDelivery{URL: "https://hooks.example", SecretName: "none"}}
		},
		"SecretTaken": func(o *v1alpha1.EventSubscription) {
			o.Spec.Delivery.Kafka.SecretName = "taken"
			require.NoError(t, s.Create(s.ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "taken"}}))
		},
	} {
		of := s.make("refused-"+map[string]string{"UnknownEventType": "a", "SecretMissing": "b", "SecretTaken": "c"}[name], change)
		_, err := operator.Reconcile(s.ctx, of)
		require.NoError(t, err)
		require.Equal(t, "False "+name, reason(s.find(of), v1alpha1.ConditionReady))
		require.Equal(t, "False Blocked", reason(s.find(of), v1alpha1.ConditionProgressing))
	}
}

func TestADeletionEndsThoughKafkaIsAway(t *testing.T) {
	t.Parallel()
	s := startSubscribers(t)
	operator := s.operator()
	tenant := v1alpha1.Tenant("acme")
	of := s.make("stock", func(o *v1alpha1.EventSubscription) { o.Spec.Tenant, o.Spec.DeletionPolicy = &tenant, v1alpha1.Delete })
	_, err := operator.Reconcile(s.ctx, of)
	require.NoError(t, err)
	require.NotEmpty(t, s.find(of).Finalizers)
	require.Equal(t, []string{"guanxi.sub.c1.events.acme.default.stock"}, s.find(of).Status.Topics)
	s.broker.Close()
	require.NoError(t, s.Delete(s.ctx, s.find(of)))
	require.Eventually(t, func() bool {
		_, err := operator.Reconcile(s.ctx, of)
		require.NoError(t, err)
		return apierrors.IsNotFound(s.Get(s.ctx, of.NamespacedName, &v1alpha1.EventSubscription{}))
	}, 2*time.Minute, 10*time.Millisecond)
	var told eventsv1.EventList
	require.NoError(t, s.List(s.ctx, &told, client.InNamespace("default")))
	require.Len(t, told.Items, 1)
	require.Equal(t, "CleanupAbandoned", told.Items[0].Reason)
	require.Equal(t, "stock", told.Items[0].Regarding.Name)
}
