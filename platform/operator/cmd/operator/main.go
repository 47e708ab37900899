// Command operator carries out in the platform what Kubernetes intends: rollouts, service level policies, and access to events.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	metrics "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/guanxi-crm/guanxi/platform/operator/api/v1alpha1"
	"github.com/guanxi-crm/guanxi/platform/operator/internal/controller"
	"github.com/guanxi-crm/guanxi/platform/operator/internal/delivery"
	"github.com/guanxi-crm/guanxi/platform/operator/internal/platform"
	"github.com/guanxi-crm/guanxi/platform/operator/internal/subscription"
)

// +kubebuilder:rbac:groups=coordination.k8s.io,resources=leases,verbs=create,namespace=system
// +kubebuilder:rbac:groups="",resources=events,verbs=create;patch,namespace=system
// +kubebuilder:rbac:groups=coordination.k8s.io,resources=leases,resourceNames=guanxi-operator,verbs=get;update;patch,namespace=system

const (
	leaseName = "guanxi-operator"
	checkMax  = 30 * time.Second
)

func main() {
	c, err := parse(os.Args[1:], os.LookupEnv, os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		os.Exit(0)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: c.LogLevel}))
	ctrl.SetLogger(logr.FromSlogHandler(log.Handler()))
	cluster, err := ctrl.GetConfig()
	if err == nil {
		err = run(ctrl.SetupSignalHandler(), c, cluster, log)
	}
	if err != nil {
		log.Error("the operator does not run", "error", err.Error())
		os.Exit(1)
	}
}

// run works until ctx ends, or until the lease is lost.
func run(ctx context.Context, c config, cluster *rest.Config, log *slog.Logger) error {
	scheme := runtime.NewScheme()
	if err := errors.Join(v1alpha1.AddToScheme(scheme), corev1.AddToScheme(scheme), eventsv1.AddToScheme(scheme)); err != nil {
		return err
	}
	direct, err := client.New(cluster, client.Options{Scheme: scheme})
	if err != nil {
		return fmt.Errorf("the cluster cannot be reached: %w", err)
	}
	checking, cancel := context.WithTimeout(ctx, checkMax)
	defer cancel()
	if err := controller.CheckDefinitions(checking, direct); err != nil {
		return err
	}
	grace := c.Grace - reserve
	options := ctrl.Options{
		Scheme: scheme, Metrics: metrics.Options{BindAddress: c.MetricsAddr}, HealthProbeBindAddress: c.ProbeAddr,
		LeaderElection: c.LeaderElection, LeaderElectionID: leaseName, LeaderElectionNamespace: c.LeaseNamespace,
		LeaderElectionReleaseOnCancel: true, // the program ends right after the manager, so that nothing works on without the lease
		GracefulShutdownTimeout:       &grace,
	}
	if len(c.Namespaces) > 0 {
		options.Cache.DefaultNamespaces = map[string]cache.Config{}
		for _, one := range c.Namespaces {
			options.Cache.DefaultNamespaces[one] = cache.Config{}
		}
	}
	mgr, err := ctrl.NewManager(cluster, options)
	if err != nil {
		return err
	}
	if err := errors.Join(mgr.AddHealthzCheck("ping", healthz.Ping), mgr.AddReadyzCheck("ping", healthz.Ping)); err != nil {
		return err
	}
	leaving := controller.NewLeaving(c.home())
	p := platform.New(c.PlatformURL, c.tokens())
	if err := errors.Join(
		controller.NewRollouts(mgr, p, leaving, c.Poll, c.Patience).SetupWithManager(mgr),
		controller.NewPolicies(mgr, p, leaving, c.Poll, c.Patience).SetupWithManager(mgr),
	); err != nil {
		return err
	}
	if len(c.Brokers) > 0 {
		closing, err := c.subscriptions(mgr, leaving, log)
		if err != nil {
			return err
		}
		defer closing()
	} else {
		log.Info("EventSubscriptions are not served: no Kafka is configured")
	}
	return ending{leaving: leaving, direct: direct, grace: c.Grace, log: log}.work(ctx, mgr)
}

func (c config) tokens() platform.Tokens {
	if c.DevTokenURL != "" {
		return platform.Tokens{URL: c.DevTokenURL, SecretFile: c.DevTokenFile, Development: true}
	}
	return platform.Tokens{URL: c.TokenURL, ClientID: c.ClientID, SecretFile: c.SecretFile, Scope: c.Scope, Audience: c.Audience}
}

// subscriptions has EventSubscriptions be served; what it gives closes the connection to Kafka.
func (c config) subscriptions(mgr ctrl.Manager, leaving *controller.Leaving, log *slog.Logger) (closing func(), err error) {
	options, authority, err := c.kafka()
	if err != nil {
		return nil, err
	}
	admin, err := kgo.NewClient(options...)
	if err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	guard := delivery.Guard{AllowHTTP: c.WebhookHTTP}
	deliveries := delivery.New(delivery.Options{Kafka: options, HTTP: delivery.NewHTTP(guard), Log: log})
	endpoint := c.Endpoint
	if len(endpoint) == 0 {
		endpoint = c.Brokers
	}
	s := &controller.Subscriptions{
		Kafka: subscription.NewKafka(admin), Delivery: deliveries, Guard: guard, Cluster: c.Cluster, Patience: c.Patience, Leaving: leaving,
		Endpoint: subscription.Endpoint{Servers: endpoint, TLS: c.KafkaTLS, Authority: authority},
	}
	if err := errors.Join(mgr.Add(deliveries), s.SetupWithManager(mgr)); err != nil {
		admin.Close()
		return nil, err
	}
	return admin.Close, nil
}

// kafka gives how Kafka is reached, and the certificates of who vouches for it.
func (c config) kafka() (options []kgo.Opt, authority []byte, err error) {
	options = []kgo.Opt{kgo.SeedBrokers(c.Brokers...), kgo.ClientID("guanxi-operator")}
	if c.KafkaTLS {
		t := &tls.Config{MinVersion: tls.VersionTLS12}
		if c.KafkaCAFile != "" {
			if authority, err = os.ReadFile(c.KafkaCAFile); err != nil {
				return nil, nil, fmt.Errorf("--kafka-ca-file: %w", err)
			}
			t.RootCAs = x509.NewCertPool()
			if !t.RootCAs.AppendCertsFromPEM(authority) {
				return nil, nil, errors.New("--kafka-ca-file has no certificate in PEM")
			}
		}
		options = append(options, kgo.DialTLSConfig(t))
	}
	if c.SASL == "" {
		return options, authority, nil
	}
	// The files are read at each handshake, so that a new password needs no restart.
	read := func() (user, password string, err error) {
		u, errU := os.ReadFile(c.UserFile)     //nolint:gosec // whoever starts the operator says which
		p, errP := os.ReadFile(c.PasswordFile) //nolint:gosec // whoever starts the operator says which
		return strings.TrimSpace(string(u)), strings.TrimSpace(string(p)), errors.Join(errU, errP)
	}
	if _, _, err := read(); err != nil {
		return nil, nil, fmt.Errorf("the credentials of Kafka: %w", err)
	}
	scrams := func(context.Context) (scram.Auth, error) {
		user, password, err := read()
		return scram.Auth{User: user, Pass: password}, err
	}
	switch c.SASL {
	case "PLAIN":
		options = append(options, kgo.SASL(plain.Plain(func(context.Context) (plain.Auth, error) {
			user, password, err := read()
			return plain.Auth{User: user, Pass: password}, err
		})))
	case "SCRAM-SHA-256":
		options = append(options, kgo.SASL(scram.Sha256(scrams)))
	default:
		options = append(options, kgo.SASL(scram.Sha512(scrams)))
	}
	return options, authority, nil
}
