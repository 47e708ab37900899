package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"
)

// envPrefix begins the environment variables that stand in for flags: --platform-url is GUANXI_OPERATOR_PLATFORM_URL.
const envPrefix = "GUANXI_OPERATOR_"

// config is all that the operator is told from outside.
type config struct {
	PlatformURL string

	TokenURL     string
	ClientID     string
	SecretFile   string
	Scope        string
	Audience     string
	DevTokenURL  string
	DevTokenFile string

	Brokers      []string
	Endpoint     []string
	Cluster      string
	KafkaTLS     bool
	KafkaCAFile  string
	SASL         string
	UserFile     string
	PasswordFile string
	WebhookHTTP  bool

	Namespaces     []string
	LeaderElection bool
	LeaseNamespace string
	ProbeAddr      string
	MetricsAddr    string
	LogLevel       slog.Level
	Poll           time.Duration
	Patience       time.Duration
	Grace          time.Duration
}

// list is a flag of words between commas.
type list []string

func (l *list) String() string { return strings.Join(*l, ",") }

func (l *list) Set(text string) error {
	*l = nil
	for word := range strings.SplitSeq(text, ",") {
		if word = strings.TrimSpace(word); word != "" {
			*l = append(*l, word)
		}
	}
	return nil
}

// parse reads flags, and the environment for those that are not given.
func parse(args []string, env func(string) (string, bool), out io.Writer) (config, error) {
	var c config
	f := flag.NewFlagSet("guanxi-operator", flag.ContinueOnError)
	f.SetOutput(out)
	f.StringVar(&c.PlatformURL, "platform-url", "", "where the platform's API is, without /v1; {service} is replaced, such as http://guanxi-{service}:8080")
	f.StringVar(&c.TokenURL, "token-url", "", "token endpoint of the OIDC issuer, for client credentials")
	f.StringVar(&c.ClientID, "client-id", "", "the operator's client at the issuer")
	f.StringVar(&c.SecretFile, "client-secret-file", "", "file with that client's secret")
	f.StringVar(&c.Scope, "token-scope", "", "scope to ask for; {tenant} is replaced by the tenant that the token has to be of")
	f.StringVar(&c.Audience, "token-audience", "", "audience to ask for, where the issuer wants it")
	f.StringVar(&c.DevTokenURL, "dev-token-url", "", "instead: the token endpoint of the platform's issuer for development")
	f.StringVar(&c.DevTokenFile, "dev-token-secret-file", "", "file with the secret of the issuer for development")
	f.Var((*list)(&c.Brokers), "kafka-brokers", "host:port of Kafka, between commas; without them EventSubscriptions are not served")
	f.Var((*list)(&c.Endpoint), "kafka-endpoint", "host:port at which subscribers reach Kafka; left out: the brokers")
	f.StringVar(&c.Cluster, "cluster", "", "mark of this cluster, never changed: users and topics in Kafka are named by it")
	f.BoolVar(&c.KafkaTLS, "kafka-tls", false, "speak TLS with Kafka")
	f.StringVar(&c.KafkaCAFile, "kafka-ca-file", "", "certificates (PEM) of who vouches for the brokers; left out: the usual authorities")
	f.StringVar(&c.SASL, "kafka-sasl", "", "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512")
	f.StringVar(&c.UserFile, "kafka-username-file", "", "file with the user of SASL")
	f.StringVar(&c.PasswordFile, "kafka-password-file", "", "file with its password")
	f.BoolVar(&c.WebhookHTTP, "webhook-http", false, "let webhooks be called without TLS")
	f.Var((*list)(&c.Namespaces), "namespaces", "only these namespaces, between commas; left out: all")
	f.BoolVar(&c.LeaderElection, "leader-election", true, "have one instance work at a time")
	f.StringVar(&c.LeaseNamespace, "lease-namespace", "", "namespace of the lease; left out: the pod's own")
	f.StringVar(&c.ProbeAddr, "probe-addr", ":8081", "where /healthz and /readyz are answered")
	f.StringVar(&c.MetricsAddr, "metrics-addr", "127.0.0.1:9090", "where metrics are; 0: nowhere. They ask nobody who they are")
	level := f.String("log-level", "info", "debug, info, warn or error")
	f.DurationVar(&c.Poll, "poll", 15*time.Second, "how often the platform is asked where a rollout stands")
	f.DurationVar(&c.Patience, "deletion-timeout", 5*time.Minute, "how long a deletion with deletionPolicy Delete waits for the platform, or for Kafka")
	f.DurationVar(&c.Grace, "grace", 45*time.Second, "how long after SIGTERM the program may run: its pod's terminationGracePeriodSeconds")
	if err := f.Parse(args); err != nil {
		return c, err
	}
	if f.NArg() > 0 {
		return c, fmt.Errorf("%q is no flag", f.Arg(0))
	}
	given := map[string]bool{}
	f.Visit(func(one *flag.Flag) { given[one.Name] = true })
	var wrong []error
	f.VisitAll(func(one *flag.Flag) {
		name := envPrefix + strings.ToUpper(strings.ReplaceAll(one.Name, "-", "_"))
		if text, ok := env(name); ok && !given[one.Name] {
			if err := f.Set(one.Name, text); err != nil {
				wrong = append(wrong, fmt.Errorf("%s: %w", name, err))
			}
		}
	})
	if err := c.LogLevel.UnmarshalText([]byte(*level)); err != nil {
		wrong = append(wrong, errors.New("--log-level is debug, info, warn or error"))
	}
	return c, errors.Join(append(wrong, c.check()...)...)
}

var clusterShape = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$`)

// check names what contradicts itself.
func (c config) check() (wrong []error) {
	say := func(bad bool, text string) {
		if bad {
			wrong = append(wrong, errors.New(text))
		}
	}
	say(!isURL(c.PlatformURL), "--platform-url is an http or https URL, such as http://guanxi-{service}:8080")
	oidc, dev := c.TokenURL != "", c.DevTokenURL != ""
	say(oidc == dev, "give exactly one of --token-url and --dev-token-url: the platform asks who the operator is")
	say(oidc && !isURL(c.TokenURL), "--token-url is an http or https URL")
	say(dev && !isURL(c.DevTokenURL), "--dev-token-url is an http or https URL")
	say(oidc && (c.ClientID == "" || c.SecretFile == ""), "--token-url needs --client-id and --client-secret-file")
	say(!oidc && (c.ClientID != "" || c.SecretFile != "" || c.Scope != "" || c.Audience != ""), "--client-id, --client-secret-file, --token-scope and --token-audience belong to --token-url")
	say(!dev && c.DevTokenFile != "", "--dev-token-secret-file belongs to --dev-token-url")
	kafka := len(c.Brokers) > 0
	say(!kafka && (len(c.Endpoint) > 0 || c.Cluster != "" || c.KafkaTLS || c.SASL != "" || c.UserFile != "" || c.PasswordFile != "" || c.KafkaCAFile != ""), "the flags of Kafka need --kafka-brokers")
	say(kafka && !clusterShape.MatchString(c.Cluster), "--kafka-brokers needs --cluster: 1 to 32 lower-case letters, digits and -")
	say(c.KafkaCAFile != "" && !c.KafkaTLS, "--kafka-ca-file needs --kafka-tls")
	switch c.SASL {
	case "":
		say(c.UserFile != "" || c.PasswordFile != "", "--kafka-username-file and --kafka-password-file belong to --kafka-sasl")
	case "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512":
		say(c.UserFile == "" || c.PasswordFile == "", "--kafka-sasl needs --kafka-username-file and --kafka-password-file")
	default:
		say(true, "--kafka-sasl is PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512")
	}
	say(c.Poll < time.Second || c.Poll > time.Hour, "--poll is 1s to 1h")
	say(c.Patience < time.Second || c.Patience > time.Hour, "--deletion-timeout is 1s to 1h")
	say(c.Grace < minGrace || c.Grace > time.Hour, "--grace is 20s to 1h")
	return wrong
}

// accountNamespace is where Kubernetes tells a pod its namespace.
const accountNamespace = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// home is the namespace of the operator itself, if it serves the objects there; else it is empty.
func (c config) home() string {
	home := c.LeaseNamespace
	if home == "" {
		raw, err := os.ReadFile(accountNamespace)
		if err != nil {
			return "" // the operator runs outside of the cluster
		}
		home = strings.TrimSpace(string(raw))
	}
	if len(c.Namespaces) > 0 && !slices.Contains(c.Namespaces, home) {
		return ""
	}
	return home
}

func isURL(text string) bool {
	u, err := url.Parse(strings.ReplaceAll(text, "{service}", "service"))
	return err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https") && u.User == nil
}
