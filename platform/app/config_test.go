package app_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/guanxi-crm/guanxi/platform/app"
)

// complete is the least environment that a process in production needs.
func complete() []string {
	return []string{
		"GUANXI_PG_URL=postgres://{service}_{role}:hunter2@db/guanxi_{service}",
		"GUANXI_KAFKA_BROKERS=k0:9092, k1:9092",
		"GUANXI_TEMPORAL_ADDRESS=temporal:7233",
		"GUANXI_OIDC_ISSUER=https://id.example.com",
		"GUANXI_FLOW_KEY=0123456789abcdef0123456789abcdef",
	}
}

func TestConfigReadsTheEnvironmentOverTheFileOverTheDefaults(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "guanxi.yaml")
	write(t, path, "http:\n  addr: 0.0.0.0:9000\n  shutdown_delay: 7s\npg:\n  max_conns: 40\n")
	cfg, err := app.LoadConfig(path, append(complete(), "GUANXI_PG_MAX_CONNS=20", "GUANXI_RUN=http,relay", "GUANXI_SALES_QUOTE_FONTS=/fonts/song.ttf, /fonts/more.ttf", "HOME=/root", "GUANXI_DATA=/data"))
	if err != nil {
		t.Fatal(err)
	}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	if cfg.HTTP.Addr != "0.0.0.0:9000" || cfg.HTTP.ShutdownDelay != 7*time.Second {
		t.Errorf("the file was not read: %+v", cfg.HTTP)
	}
	if cfg.PG.MaxConns != 20 {
		t.Errorf("max_conns = %d, want the environment's 20", cfg.PG.MaxConns)
	}
	if len(cfg.Kafka.Brokers) != 2 || cfg.Kafka.Brokers[1] != "k1:9092" {
		t.Errorf("brokers = %q", cfg.Kafka.Brokers)
	}
	if len(cfg.Sales.QuoteFonts) != 2 || cfg.Sales.QuoteFonts[1] != "/fonts/more.ttf" {
		t.Errorf("fonts = %q", cfg.Sales.QuoteFonts)
	}
	if old := cfg.PDFFonts(); len(old) != 2 {
		t.Errorf("fonts by their older name = %q", old)
	}
	cfg, err = app.LoadConfig(path, append(complete(), "GUANXI_PG_MAX_CONNS=20", "GUANXI_RUN=http,relay", "GUANXI_SALES_QUOTE_FONTS=/fonts/song.ttf", "GUANXI_PDF_FONTS=/fonts/a.ttf,/fonts/b.ttf"))
	if err != nil {
		t.Fatal(err)
	}
	if fonts := cfg.PDFFonts(); len(fonts) != 2 || fonts[0] != "/fonts/a.ttf" {
		t.Errorf("fonts = %q", fonts)
	}
	if !cfg.Has(app.RoleHTTP) || cfg.Has(app.RoleWorkers) {
		t.Errorf("run = %q", cfg.Run)
	}
	if cfg.OIDC.Audience != "guanxi" || cfg.Env != app.Production {
		t.Errorf("defaults are missing: %q %q", cfg.OIDC.Audience, cfg.Env)
	}
}

func TestConfigRefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cases := []struct{ name, file, env, want string }{
		{"a misspelt variable", "", "GUANXI_HTPP_ADDR=:80", "GUANXI_HTPP_ADDR"},
		{"a misspelt key", "http:\n  adress: :80\n", "", "adress"},
		{"a wrong type", "pg:\n  max_conns: many\n", "", "max_conns"},
		{"a wrong duration", "", "GUANXI_HTTP_SHUTDOWN_DELAY=soon", "http.shutdown_delay"},
		{"broken YAML", "http: [", "", "yaml"},
	}
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := ""
			if c.file != "" {
				path = filepath.Join(dir, string(rune('a'+i))+".yaml")
				write(t, path, c.file)
			}
			_, err := app.LoadConfig(path, append(complete(), c.env))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want an error that names %q", err, c.want)
			}
		})
	}
}

func TestValidateNamesEveryFaultAtOnce(t *testing.T) {
	t.Parallel()
	cfg := app.Defaults()
	cfg.Run = []string{"web"}
	cfg.OIDC.Issuer = "http://id.example.com"
	err := cfg.Validate()
	if err == nil {
		t.Fatal("an empty configuration passed")
	}
	for _, want := range []string{"run:", "pg.url:", "kafka.brokers:", "temporal.address:", "flow.key:", "must be https"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not named in:\n%v", want, err)
		}
	}
}

func TestThePrivacyKeyOutlivesTheFlowKey(t *testing.T) {
	t.Parallel()
	cfg, err := app.LoadConfig("", complete())
	if err != nil || string(cfg.PrivacyKey()) != cfg.Flow.Key {
		t.Fatalf("without one of its own: %q %v", cfg.PrivacyKey(), err)
	}
	before := cfg.Flow.Key
	cfg, err = app.LoadConfig("", append(complete(), "GUANXI_FLOW_KEY=fedcba9876543210fedcba9876543210", "GUANXI_PRIVACY_KEY="+before))
	if err != nil || cfg.Validate() != nil || string(cfg.PrivacyKey()) != before {
		t.Fatalf("after the flow key was changed: %q %v %v", cfg.PrivacyKey(), err, cfg.Validate())
	}
	cfg.Privacy.Key = "short"
	if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), "privacy.key") {
		t.Fatalf("a short one: %v", err)
	}
}

func TestAServiceThatKeepsFilesAsksForAPlace(t *testing.T) {
	t.Parallel()
	keeping := app.Module{Name: "tickets", Blobs: true}
	err := app.Run(t.Context(), []string{"serve", "--validate"}, complete(), io.Discard, keeping)
	if err == nil || !strings.Contains(err.Error(), "tickets keeps files: set blob.dir") {
		t.Fatalf("without a place: %v", err)
	}
	if err := app.Run(t.Context(), []string{"serve", "--validate"}, complete(), io.Discard, app.Module{Name: "sales"}); err != nil {
		t.Fatalf("a service without files: %v", err)
	}
	bucket := append(complete(), "GUANXI_BLOB_S3_ENDPOINT=https://s3.example.com", "GUANXI_BLOB_S3_BUCKET=guanxi", "GUANXI_BLOB_S3_ACCESS_KEY=guanxi", "GUANXI_BLOB_S3_SECRET_KEY=hunter2")
	var out strings.Builder
	if err := app.Run(t.Context(), []string{"serve", "--validate"}, bucket, &out, keeping); err != nil {
		t.Fatalf("with a bucket: %v", err)
	}
	if strings.Contains(out.String(), "hunter2") || !strings.Contains(out.String(), "blob.s3.bucket = guanxi") {
		t.Errorf("printed:\n%s", out.String())
	}
	err = app.Run(t.Context(), []string{"serve", "--validate"}, append(bucket, "GUANXI_BLOB_DIR=/blobs"), io.Discard, keeping)
	if err == nil || !strings.Contains(err.Error(), "blob.dir") {
		t.Fatalf("with two places: %v", err)
	}
}

func TestRedactedShowsNoSecretAndMarksWhatDiffers(t *testing.T) {
	t.Parallel()
	cfg, err := app.LoadConfig("", append(complete(), "GUANXI_KAFKA_PASSWORD=hunter2", "GUANXI_PRIVACY_KEY=hunter2 of at least thirty-two bytes", "GUANXI_PG_ADMIN_URL=postgres://root:hunter2@db/postgres"))
	if err != nil {
		t.Fatal(err)
	}
	lines, err := cfg.Redacted()
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(lines, "\n")
	if strings.Contains(all, "hunter2") || strings.Contains(all, "0123456789") {
		t.Errorf("a secret is shown:\n%s", all)
	}
	for _, want := range []string{"* pg.url = postgres://{service}_{role}:***@db", "  log.level = info", "* temporal.address = temporal:7233"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is missing in:\n%s", want, all)
		}
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAServiceThatCallsAnotherAsksForItsAddress(t *testing.T) {
	t.Parallel()
	calling, called := app.Module{Name: "sales", Peers: []string{"accounts"}}, app.Module{Name: "accounts"}
	for _, c := range []struct {
		name    string
		args    []string
		environ []string
		modules []app.Module
		fault   string
	}{
		{"alone", nil, nil, []app.Module{calling}, "sales calls accounts, which this process does not serve: set peers.url"},
		{"beside it", nil, nil, []app.Module{calling, called}, ""},
		{"beside it, without its API", []string{"--run=workers"}, nil, []app.Module{calling, called}, "set peers.url"},
		{"told where", nil, []string{"GUANXI_PEERS_URL=http://guanxi-{service}:8080"}, []app.Module{calling}, ""},
		{"told nonsense", nil, []string{"GUANXI_PEERS_URL=guanxi-accounts"}, []app.Module{calling}, "peers.url: must be an http or https URL"},
	} {
		err := app.Run(t.Context(), append([]string{"serve", "--validate"}, c.args...), append(complete(), c.environ...), io.Discard, c.modules...)
		if c.fault == "" && err != nil || c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
