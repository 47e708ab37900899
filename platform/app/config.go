package app

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/providers/structs"
	"github.com/knadh/koanf/v2"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/blob"
	"github.com/guanxi-crm/guanxi/platform/bus"
)

// The environments that a process can be told it runs in.
const (
	Development = "development" // migrates by itself, readable logs
	Production  = "production"  // the default: nothing happens that was not asked for
)

// The roles of a process: which parts of its services it runs. They choose parts and never change behaviour.
const (
	RoleHTTP      = "http"
	RoleConsumers = "consumers"
	RoleWorkers   = "workers"
	RoleRelay     = "relay"
)

// AllRoles is what a process runs when it is not told otherwise.
var AllRoles = []string{RoleHTTP, RoleConsumers, RoleWorkers, RoleRelay}

// Config is all that a process can be told from outside: by a YAML file of this shape, and over it by environment
// variables GUANXI_<KEY> (http.shutdown_delay is GUANXI_HTTP_SHUTDOWN_DELAY; lists are separated by commas).
// An unknown key or variable is an error, since a misspelt setting that is silently ignored is found too late.
type Config struct {
	Env string   `koanf:"env"`
	Run []string `koanf:"run"`
	Log struct {
		// Level is debug, info, warn or error.
		Level string `koanf:"level"`
	} `koanf:"log"`
	HTTP struct {
		// Addr is where the API listens, such as 127.0.0.1:8080.
		Addr string `koanf:"addr"`
		// ShutdownDelay is how long /readyz already fails before connections are refused, so that load
		// balancers look away first.
		ShutdownDelay time.Duration `koanf:"shutdown_delay"`
		// TrustedProxies are the networks (CIDR) whose X-Forwarded-For is believed; none by default.
		TrustedProxies []string `koanf:"trusted_proxies"`
	} `koanf:"http"`
	PG struct {
		// URL is a template: {service} and {role} (owner, app, relay, ops) are replaced.
		URL string `koanf:"url"`
		// AdminURL may create databases and roles; only `bootstrap` uses it.
		AdminURL string `koanf:"admin_url"`
		// MaxConns is the size of each service's pool for requests and consumers.
		MaxConns int32 `koanf:"max_conns"`
	} `koanf:"pg"`
	Kafka struct {
		Brokers []string `koanf:"brokers"`
		TLS     bool     `koanf:"tls"`
		// SASL is empty, PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.
		SASL     string `koanf:"sasl"`
		Username string `koanf:"username"`
		Password string `koanf:"password"`
	} `koanf:"kafka"`
	Temporal struct {
		Address   string `koanf:"address"`
		Namespace string `koanf:"namespace"`
		TLS       bool   `koanf:"tls"`
	} `koanf:"temporal"`
	// TLS is what the process shows of itself to Kafka and Temporal, where kafka.tls or temporal.tls is set and they ask for it.
	// Whom it believes is what the system believes; SSL_CERT_FILE and SSL_CERT_DIR say otherwise. PostgreSQL's URL has
	// parameters of its own: sslmode, sslrootcert, sslcert, sslkey.
	TLS struct {
		// Cert and Key are files (PEM), read at each handshake, so that a renewed certificate needs no restart.
		Cert string `koanf:"cert"`
		Key  string `koanf:"key"`
	} `koanf:"tls"`
	Metrics struct {
		// Addr is where Prometheus fetches metrics (GET /metrics), such as 0.0.0.0:9090; nowhere when empty. It is not the API's
		// address, since it asks nobody who they are.
		Addr string `koanf:"addr"`
	} `koanf:"metrics"`
	OIDC struct {
		Issuer   string `koanf:"issuer"`
		Audience string `koanf:"audience"`
	} `koanf:"oidc"`
	Flow struct {
		// Key signs tenant and actor on their way between workflows and activities: at least 32 bytes,
		// the same for all services of an installation.
		Key string `koanf:"key"`
	} `koanf:"flow"`
	Peers struct {
		// URL is where services reach each other's APIs, a template in which {service} is replaced, such as
		// http://guanxi-{service}:8080. A process that runs all services with their APIs needs none.
		URL string `koanf:"url"`
	} `koanf:"peers"`
	// Console is what only the console needs: the page that people work in.
	Console struct {
		// URL is where browsers find it, scheme and host, such as https://crm.example.com; https except on loopback. Where it is
		// empty, the page is not served.
		URL string `koanf:"url"`
		// ClientID and ClientSecret are how the issuer knows the console; a public client has no secret.
		ClientID     string `koanf:"client_id"`
		ClientSecret string `koanf:"client_secret"`
		// Scopes are asked of the issuer beside openid, such as profile, offline_access.
		Scopes []string `koanf:"scopes"`
		// Key seals the tokens of sessions: at least 32 bytes, the same for all replicas; without one it is made of flow.key.
		// With another key everybody signs in anew.
		Key string `koanf:"key"`
		// Idle and Absolute end a session that long after its last and after its first request.
		Idle     time.Duration `koanf:"idle"`
		Absolute time.Duration `koanf:"absolute"`
		// WorkflowsURL is where Temporal's own page is, such as https://temporal.example.com, and TracesURL where a trace is shown,
		// with {trace_id} in it. The page links to them where they are set; whoever follows signs in there.
		WorkflowsURL string `koanf:"workflows_url"`
		TracesURL    string `koanf:"traces_url"`
	} `koanf:"console"`
	Privacy struct {
		// Key keys the hashes by which addresses are recognised that must not be used again: at least 32
		// bytes. With another key they would be forgotten, so it is never changed; without one it is flow.key,
		// whose present value belongs here before flow.key changes.
		Key string `koanf:"key"`
	} `koanf:"privacy"`
	// Blob says where files are kept that are too big for a row, such as attachments of tickets: in a folder or in a bucket, the
	// same for all processes. Services that keep none need neither.
	Blob struct {
		// Dir is a folder that all processes see: for development, or on a volume that many pods may write.
		Dir string `koanf:"dir"`
		S3  struct {
			// Endpoint is the address of an S3-compatible store, such as https://s3.eu-central-1.amazonaws.com.
			Endpoint string `koanf:"endpoint"`
			// Bucket is there already, is nobody else's, and keeps no old versions: an erasure has to be one.
			Bucket string `koanf:"bucket"`
			// Region is asked for where it is empty.
			Region string `koanf:"region"`
			// AccessKey and SecretKey are left out where the pod has an identity of its own.
			AccessKey string `koanf:"access_key"`
			SecretKey string `koanf:"secret_key"`
		} `koanf:"s3"`
	} `koanf:"blob"`
	// PDF is what all services draw paper by.
	PDF struct {
		// Fonts are TrueType files (.ttf), each character is drawn by the first that has it. Without any, one that has Chinese
		// characters is looked for where machines usually have it; Latin, Greek and Cyrillic letters are always there.
		Fonts []string `koanf:"fonts"`
	} `koanf:"pdf"`
	// Sales is what only sales needs.
	Sales struct {
		// QuoteFonts is the older name of pdf.fonts, which counts where that is not set.
		QuoteFonts []string `koanf:"quote_fonts"`
	} `koanf:"sales"`
}

// PrivacyKey is what hashes of addresses are keyed with.
func (c Config) PrivacyKey() []byte {
	if c.Privacy.Key != "" {
		return []byte(c.Privacy.Key)
	}
	return []byte(c.Flow.Key)
}

// PDFFonts are the files by which paper is drawn.
func (c Config) PDFFonts() []string {
	if len(c.PDF.Fonts) > 0 {
		return c.PDF.Fonts
	}
	return c.Sales.QuoteFonts
}

// Defaults are the values of everything that has a sensible one.
func Defaults() Config {
	var c Config
	c.Env = Production
	c.Run = slices.Clone(AllRoles)
	c.Log.Level = "info"
	c.HTTP.Addr = "127.0.0.1:8080"
	c.HTTP.ShutdownDelay = 5 * time.Second
	c.PG.MaxConns = 16
	c.Temporal.Namespace = "guanxi"
	c.OIDC.Audience = "guanxi"
	c.Console.ClientID = "guanxi-console"
	c.Console.Scopes = []string{"profile", "offline_access"}
	c.Console.Idle = time.Hour
	c.Console.Absolute = 12 * time.Hour
	return c
}

const envPrefix = "GUANXI_"

// notSettings are variables with our prefix that other programs of the product read, not the services.
var notSettings = []string{"GUANXI_DATA", "GUANXI_TOKEN", "GUANXI_PG_BINARIES"}

// LoadConfig reads the file at path (none when empty) and then the environment over the defaults.
func LoadConfig(path string, environ []string) (Config, error) {
	k := koanf.New(".")
	if err := k.Load(structs.Provider(Defaults(), "koanf"), nil); err != nil {
		return Config{}, fmt.Errorf("defaults: %w", err)
	}
	names := make(map[string]string)
	for _, key := range k.Keys() {
		names[envPrefix+strings.ToUpper(strings.ReplaceAll(key, ".", "_"))] = key
	}
	if path != "" {
		if err := k.Load(file.Provider(path), yaml.Parser()); err != nil {
			return Config{}, fmt.Errorf("read the configuration file %s: %w", path, err)
		}
	}
	var unknown []string
	err := k.Load(env.Provider(".", env.Opt{
		Prefix:      envPrefix,
		EnvironFunc: func() []string { return environ },
		TransformFunc: func(name, value string) (string, any) {
			key, ok := names[name]
			switch {
			case ok && isList(key):
				return key, splitList(value)
			case ok:
				return key, value
			case !slices.Contains(notSettings, name) && !strings.HasPrefix(name, "GUANXI_TEST_"):
				unknown = append(unknown, name)
			}
			return "", nil
		},
	}), nil)
	if err != nil {
		return Config{}, fmt.Errorf("read the environment: %w", err)
	}
	if len(unknown) > 0 {
		sort.Strings(unknown)
		return Config{}, fmt.Errorf("unknown environment variables: %s", strings.Join(unknown, ", "))
	}
	var c Config
	err = k.UnmarshalWithConf("", &c, koanf.UnmarshalConf{DecoderConfig: &mapstructure.DecoderConfig{
		TagName: "koanf", Result: &c, ErrorUnused: true, WeaklyTypedInput: true,
		DecodeHook: mapstructure.StringToTimeDurationHookFunc(),
	}})
	if err != nil {
		return Config{}, fmt.Errorf("configuration: %w", err)
	}
	return c, nil
}

func isList(key string) bool {
	return key == "run" || key == "kafka.brokers" || key == "http.trusted_proxies" || key == "pdf.fonts" || key == "sales.quote_fonts" || key == "console.scopes"
}

func splitList(s string) []string {
	var out []string
	for _, part := range strings.Split(s, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// Has tells whether this process runs the role.
func (c Config) Has(role string) bool { return slices.Contains(c.Run, role) }

// Validate names everything that keeps the process from running, not only the first thing.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.Env != Development && c.Env != Production {
		bad("env: %q is not development or production", c.Env)
	}
	if len(c.Run) == 0 {
		bad("run: name at least one of %s", strings.Join(AllRoles, ", "))
	}
	for _, r := range c.Run {
		if !slices.Contains(AllRoles, r) {
			bad("run: %q is not one of %s", r, strings.Join(AllRoles, ", "))
		}
	}
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.Log.Level) {
		bad("log.level: %q is not debug, info, warn or error", c.Log.Level)
	}
	if c.PG.URL == "" {
		bad("pg.url: is required, such as postgres://{service}_{role}:secret@db:5432/guanxi_{service}")
	} else if !strings.Contains(c.PG.URL, "{service}") || !strings.Contains(c.PG.URL, "{role}") {
		bad("pg.url: must contain {service} and {role}: each service has a database and four roles of its own")
	}
	if c.PG.MaxConns < 4 {
		bad("pg.max_conns: %d is too few; at least 4", c.PG.MaxConns)
	}
	if len(c.Kafka.Brokers) == 0 {
		bad("kafka.brokers: is required, such as kafka-0:9092,kafka-1:9092")
	}
	if err := c.bus().Validate(); err != nil && len(c.Kafka.Brokers) > 0 {
		bad("kafka: %w", err)
	}
	if c.Temporal.Address == "" {
		bad("temporal.address: is required, such as temporal-frontend:7233")
	}
	if (c.TLS.Cert == "") != (c.TLS.Key == "") {
		bad("tls: cert and key belong together")
	}
	if c.Metrics.Addr != "" && c.Metrics.Addr == c.HTTP.Addr {
		bad("metrics.addr: must not be http.addr")
	}
	if len(c.Flow.Key) < 32 {
		bad("flow.key: is required, at least 32 bytes, the same for every service")
	}
	if c.Privacy.Key != "" && len(c.Privacy.Key) < 32 {
		bad("privacy.key: must be at least 32 bytes")
	}
	if u, err := url.Parse(strings.ReplaceAll(c.Peers.URL, "{service}", "accounts")); c.Peers.URL != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		bad("peers.url: must be an http or https URL, such as http://guanxi-{service}:8080")
	}
	errs = append(errs, c.validateIssuer(), c.validateConsole(), c.blob().Validate())
	return errors.Join(errs...)
}

// validateIssuer keeps tokens from being checked against keys that came over a readable line.
func (c Config) validateIssuer() error {
	u, err := url.Parse(c.OIDC.Issuer)
	switch {
	case c.OIDC.Issuer == "" || err != nil || u.Host == "":
		return errors.New("oidc.issuer: is required, the URL of the identity provider")
	case c.Env == Production && u.Scheme != "https":
		return errors.New("oidc.issuer: must be https in production")
	case c.OIDC.Audience == "":
		return errors.New("oidc.audience: is required")
	}
	return nil
}

// validateConsole keeps session cookies off readable lines and weak keys out of use.
func (c Config) validateConsole() error {
	if c.Console.URL == "" {
		return nil
	}
	var errs []error
	u, err := url.Parse(c.Console.URL)
	if err != nil || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.Scheme != "https" && (u.Scheme != "http" || !auth.Loopback(u.Host)) {
		errs = append(errs, errors.New("console.url: must be scheme and host, such as https://crm.example.com; http on loopback only"))
	}
	if c.Console.Key != "" && len(c.Console.Key) < 32 {
		errs = append(errs, errors.New("console.key: must be at least 32 bytes"))
	}
	if c.Console.ClientID == "" || c.Console.ClientID == c.OIDC.Audience {
		errs = append(errs, errors.New("console.client_id: is required, and not the same as oidc.audience: an ID token would pass for an access token"))
	}
	for name, at := range map[string]string{"workflows_url": c.Console.WorkflowsURL, "traces_url": c.Console.TracesURL} {
		u, err := url.Parse(strings.ReplaceAll(at, "{trace_id}", "0"))
		if at != "" && (err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
			errs = append(errs, fmt.Errorf("console.%s: must be an address of the web, such as https://temporal.example.com", name))
		}
	}
	if c.Console.TracesURL != "" && !strings.Contains(c.Console.TracesURL, "{trace_id}") {
		errs = append(errs, errors.New("console.traces_url: must contain {trace_id}, such as https://traces.example.com/trace/{trace_id}"))
	}
	if c.Console.Idle < time.Minute || c.Console.Absolute < c.Console.Idle {
		errs = append(errs, errors.New("console.idle and console.absolute: at least a minute, and the absolute time-out is not the shorter one"))
	}
	return errors.Join(errs...)
}

// needs names what a module asks for that is not configured; here are the services of the process.
func (c Config) needs(m Module, here map[string]bool) error {
	if m.Blobs && !c.blob().Configured() {
		return fmt.Errorf("%s keeps files: set blob.dir, or blob.s3.endpoint and blob.s3.bucket", m.Name)
	}
	for _, peer := range m.Peers {
		if c.Peers.URL == "" && (!here[peer] || !c.Has(RoleHTTP)) {
			return fmt.Errorf("%s calls %s, which this process does not serve: set peers.url", m.Name, peer)
		}
	}
	return nil
}

func (c Config) blob() blob.Config { return blob.Config{Dir: c.Blob.Dir, S3: blob.S3(c.Blob.S3)} }

func (c Config) bus() bus.Config {
	b := bus.Config{
		Brokers: c.Kafka.Brokers,
		SASL:    bus.SASL{Mechanism: bus.Mechanism(strings.ToUpper(c.Kafka.SASL)), User: c.Kafka.Username, Password: c.Kafka.Password},
	}
	b.TLS = c.tls(c.Kafka.TLS)
	return b
}

// tls is how a process speaks to what it stands on; nil: without TLS.
func (c Config) tls(on bool) *tls.Config {
	if !on {
		return nil
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.TLS.Cert != "" {
		t.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(c.TLS.Cert, c.TLS.Key)
			if err != nil {
				return nil, fmt.Errorf("tls.cert, tls.key: %w", err)
			}
			return &pair, nil
		}
	}
	return t
}

// Redacted lists every setting as key = value, sorted, secrets masked, with a star where it differs from the default.
func (c Config) Redacted() ([]string, error) {
	now, was := koanf.New("."), koanf.New(".")
	if err := errors.Join(now.Load(structs.Provider(c, "koanf"), nil), was.Load(structs.Provider(Defaults(), "koanf"), nil)); err != nil {
		return nil, err
	}
	keys := now.Keys()
	sort.Strings(keys)
	lines := make([]string, 0, len(keys))
	for _, key := range keys {
		value, mark := fmt.Sprint(now.Get(key)), " "
		if value != fmt.Sprint(was.Get(key)) {
			mark = "*"
		}
		switch {
		case value == "":
		case key == "flow.key" || key == "privacy.key" || key == "kafka.password" || key == "blob.s3.secret_key",
			key == "console.key", key == "console.client_secret":
			value = "(secret)"
		case key == "pg.url" || key == "pg.admin_url":
			value = maskPassword(value)
		}
		lines = append(lines, fmt.Sprintf("%s %s = %s", mark, key, value))
	}
	return lines, nil
}

// maskPassword works on text, since a template with braces in its user part is not a URL yet.
func maskPassword(u string) string {
	scheme, at := strings.Index(u, "://"), strings.LastIndex(u, "@")
	if scheme < 0 || at < scheme {
		return u
	}
	user, _, found := strings.Cut(u[scheme+3:at], ":")
	if !found {
		return u
	}
	return u[:scheme+3] + user + ":***" + u[at:]
}
