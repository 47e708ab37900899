package charts

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/yaml"
)

// ci gives a file of values of the chart guanxi.
func ci(name string) string { return dir("guanxi/ci/" + name + ".yaml") }

// TestValuesThatCannotBeAreRefused sets one value over the least ones, and looks for the sentence that says what is wrong.
func TestValuesThatCannotBeAreRefused(t *testing.T) {
	t.Parallel()
	for name, one := range map[string]struct{ set, says string }{
		"a wrong type":                      {"database.port=abc", "got string, want integer"},
		"a number out of range":             {"service.port=70000", "maximum"},
		"an unknown key":                    {"databse.host=x", "additional properties 'databse' not allowed"},
		"an unknown key deep down":          {"kafka.broker=x", "additional properties 'broker' not allowed"},
		"an unknown service":                {"services.billing.components=null", "additional properties 'billing' not allowed"},
		"an unknown mode":                   {"mode=both", "value must be one of"},
		"an image without a version":        {"image.tag=latest", "/image/tag"},
		"a digest that is none":             {"image.digest=sha256:12", "/image/digest"},
		"a database of the chart":           {"postgresql.enabled=true", "postgresql was removed: bring your own database"},
		"the fonts where they were":         {"sales.quoteFonts={a}", "sales.quoteFonts is now pdf.fonts"},
		"a secret in clear":                 {"flowKey=0123456789", "no secret is taken in clear"},
		"root":                              {"podSecurity.runAsUser=0", "minimum"},
		"no secrets":                        {"secrets.existingSecret=", "secrets.existingSecret: name the Secret"},
		"no database":                       {"database.host=", "database.host: name the PostgreSQL server"},
		"no password":                       {"database.existingSecret=", "database.existingSecret: name the Secret"},
		"too few connections":               {"database.maxConns=3", "minimum"},
		"no broker":                         {"kafka.brokers=null", "kafka.brokers: name at least one"},
		"a broker without a port":           {"kafka.brokers={kafka}", "/kafka/brokers/0"},
		"SASL without an account":           {"kafka.sasl=PLAIN", "kafka.existingSecret: kafka.sasl is set"},
		"an account without SASL":           {"kafka.existingSecret=x", "kafka.sasl: kafka.existingSecret is set"},
		"a password on a readable line":     {"kafka.sasl=PLAIN,kafka.existingSecret=x,kafka.tls=false", "so it needs kafka.tls"},
		"no Temporal":                       {"temporal.address=", "temporal.address: name the frontend"},
		"no issuer":                         {"oidc.issuer=", "oidc.issuer: name the URL"},
		"an issuer that is not proved":      {"oidc.issuer=http://id.example.com", "must be https in production"},
		"tracing to nowhere":                {"tracing.endpoint=", "or set tracing.enabled=false"},
		"nowhere to keep files":             {"files.s3.endpoint=", "files: tickets keeps files"},
		"two places for files":              {"files.persistentVolumeClaim=x", "not both"},
		"a bucket without a name":           {"files.s3.bucket=", "files.s3.bucket: name the bucket"},
		"two ways in":                       {"ingress.enabled=true,ingress.host=a,gateway.enabled=true,gateway.parentRefs[0].name=b", "enable one of them"},
		"an Ingress for no host":            {"ingress.enabled=true", "ingress.host: name the host"},
		"a route without a Gateway":         {"gateway.enabled=true", "gateway.parentRefs: name the Gateway"},
		"a role run twice":                  {"components.api.run={http,relay}", "the role relay is run by both api and work"},
		"a role run by nobody":              {"components.work.run={relay,workers}", "no component runs the role consumers"},
		"a component of one service only":   {"services.sales.components.web.replicas=1", "there is no components.web"},
		"fewer at most than at least":       {"components.api.autoscaling.enabled=true,components.api.autoscaling.minReplicas=3,components.api.autoscaling.maxReplicas=2,components.api.autoscaling.targetCPU=50", "is more than maxReplicas"},
		"an end before requests are served": {"terminationGracePeriodSeconds=30", "must be more than 30"},
		"a name that is none":               {"fullnameOverride=My_CRM", "/fullnameOverride"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			said, err := run(t, "template", release, dir("guanxi"), "--values", ci("minimal"), "--set", one.set)
			require.Error(t, err, "it is rendered")
			require.Contains(t, said, one.says)
		})
	}
}

// TestWithoutValuesEverythingThatIsMissingIsNamed at once, not one a try.
func TestWithoutValuesEverythingThatIsMissingIsNamed(t *testing.T) {
	t.Parallel()
	said, err := run(t, "template", release, dir("guanxi"))
	require.Error(t, err)
	for _, key := range []string{"secrets.existingSecret", "database.host", "kafka.brokers", "temporal.address", "oidc.issuer", "files:", "tracing.endpoint"} {
		require.Contains(t, said, key)
	}
}

// TestTheProgramTakesWhatTheChartTellsIt starts the program as every container does, with --validate, which refuses a variable that
// it does not know. What comes from Secrets is long enough for any key.
func TestTheProgramTakesWhatTheChartTellsIt(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "guanxi")
	build := exec.CommandContext(context.Background(), "go", "build", "-o", program, "./services/cmd/guanxi")
	build.Dir, build.Env = root, workspace()
	said, err := build.CombinedOutput()
	require.NoError(t, err, string(said))
	for _, values := range []string{"minimal", "services", "all-in-one", "demo"} {
		objects := render(t, "guanxi", release, ci(values))
		for _, p := range pods(t, objects) {
			c := p.spec.Containers[0]
			if c.Args[0] == "probe" {
				require.Empty(t, c.EnvFrom, "the probe needs no configuration")
				continue
			}
			args := append([]string{"serve", "--validate"}, c.Args[1:]...)
			cmd := exec.CommandContext(context.Background(), program, args...)
			cmd.Env = append(environment(t, objects, c), "PATH="+os.Getenv("PATH"))
			said, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s: %s: %s", values, p.of, said)
			require.Contains(t, string(said), "* pg.url", "%s: %s", values, p.of)
			cmd = exec.CommandContext(context.Background(), program, args...)
			cmd.Env = append(environment(t, objects, c), "PATH="+os.Getenv("PATH"), "GUANXI_KAFKA_BROKER=x")
			said, err = cmd.CombinedOutput()
			require.Error(t, err, "an unknown variable is refused, so this test sees one: %s", said)
		}
	}
}

// workspace gives the environment in which the repository's programs are built: this module is not of its workspace.
func workspace() []string {
	return slices.DeleteFunc(os.Environ(), func(e string) bool { return strings.HasPrefix(e, "GOWORK=") || strings.HasPrefix(e, "GOFLAGS=") })
}

// environment gives what the container is told, as name=value.
func environment(t *testing.T, objects []object, c corev1.Container) []string {
	t.Helper()
	var all []string
	for _, from := range c.EnvFrom {
		found := false
		for _, o := range objects {
			if o.GetKind() != "ConfigMap" || o.GetName() != from.ConfigMapRef.Name {
				continue
			}
			found = true
			for key, value := range into[corev1.ConfigMap](t, o).Data {
				all = append(all, key+"="+value)
			}
		}
		require.True(t, found, "nobody makes the ConfigMap %s", from.ConfigMapRef.Name)
	}
	for _, e := range c.Env {
		value := e.Value
		if e.ValueFrom != nil {
			value = "a-secret-of-more-than-thirty-two-bytes"
			if e.Name == "GUANXI_PG_ADMIN_URL" {
				value = "postgres://postgres@db/postgres"
			}
		}
		all = append(all, e.Name+"="+value)
	}
	return all
}

// TestWhatIsReachedOutside looks at the ports that pods reach beyond the release, and at those at which others reach them.
func TestWhatIsReachedOutside(t *testing.T) {
	t.Parallel()
	objects := render(t, "guanxi", release, ci("services"))
	all := policies(t, objects)
	for _, p := range pods(t, objects) {
		var out, in []string
		for _, policy := range all {
			if !matches(t, policy.Spec.PodSelector.MatchLabels, policy.Spec.PodSelector.MatchExpressions, p.labels) {
				continue
			}
			for _, rule := range policy.Spec.Egress {
				if len(rule.To) == 0 || rule.To[0].PodSelector == nil {
					out = append(out, ports(rule.Ports)...)
				}
			}
			for _, rule := range policy.Spec.Ingress {
				for _, from := range rule.From {
					if from.NamespaceSelector != nil {
						in = append(in, fmt.Sprintf("%s from %s", strings.Join(ports(rule.Ports), ","), from.NamespaceSelector.MatchLabels["kubernetes.io/metadata.name"]))
					}
				}
			}
		}
		slices.Sort(out)
		switch {
		case p.labels["app.kubernetes.io/component"] == "test":
			require.Equal(t, []string{"53", "53"}, out, p.of)
		case p.labels["guanxi.io/job"] == "true":
			require.Equal(t, []string{"53", "53", "53", "53", "5432"}, out, p.of)
			require.Empty(t, in, p.of)
		case p.labels["guanxi.io/http"] == "true":
			require.Equal(t, []string{"http from ingress-nginx", "metrics from monitoring"}, in, p.of)
			require.Equal(t, []string{"4318", "443", "53", "53", "5432", "7233", "9000", "9093"}, out, p.of)
		default:
			require.Equal(t, []string{"metrics from monitoring"}, in, p.of)
			require.Equal(t, []string{"4318", "443", "53", "53", "5432", "7233", "9000", "9093"}, out, p.of)
		}
	}
}

func ports(all []netv1.NetworkPolicyPort) []string {
	var names []string
	for _, p := range all {
		names = append(names, p.Port.String())
	}
	return names
}

func policies(t *testing.T, objects []object) []netv1.NetworkPolicy {
	t.Helper()
	var all []netv1.NetworkPolicy
	for _, o := range objects {
		if o.GetKind() == "NetworkPolicy" {
			all = append(all, into[netv1.NetworkPolicy](t, o))
		}
	}
	return all
}

// routes is files/routes.yaml.
type routes struct {
	Prefixes map[string][]string `json:"prefixes"`
	Patterns map[string][]string `json:"patterns"`
}

func readRoutes(t *testing.T) routes {
	t.Helper()
	raw, err := os.ReadFile(dir("guanxi/files/routes.yaml"))
	require.NoError(t, err)
	var r routes
	require.NoError(t, yaml.UnmarshalStrict(raw, &r))
	return r
}

// of gives whose a path is: a pattern before a prefix, a longer prefix before a shorter one.
func (r routes) of(path string) string {
	for service, patterns := range r.Patterns {
		for _, p := range patterns {
			if regexp.MustCompile("^" + p + "$").MatchString(path) {
				return service
			}
		}
	}
	owner, best := "", ""
	for service, prefixes := range r.Prefixes {
		for _, p := range prefixes {
			if (path == p || strings.HasPrefix(path, p+"/")) && len(p) > len(best) {
				owner, best = service, p
			}
		}
	}
	return owner
}

// operations gives the paths of each service's OpenAPI.
func operations(t *testing.T) map[string][]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "proto/openapi/*.yaml"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	all := map[string][]string{}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		var doc struct {
			Paths map[string]any `json:"paths"`
		}
		require.NoError(t, yaml.Unmarshal(raw, &doc))
		all[strings.TrimSuffix(filepath.Base(file), ".yaml")] = slices.Sorted(maps.Keys(doc.Paths))
	}
	return all
}

// TestEveryPathReachesItsService holds routes.yaml to what the services answer, and nothing else to be in it.
func TestEveryPathReachesItsService(t *testing.T) {
	t.Parallel()
	r := readRoutes(t)
	used := map[string]bool{"/console": true} // the page has no OpenAPI
	for service, paths := range operations(t) {
		for _, path := range paths {
			concrete := regexp.MustCompile(`\{[^}]+\}`).ReplaceAllString(path, "0198c5b6-7e1c-7000-8000-000000000001")
			require.Equal(t, service, r.of(concrete), path)
			for _, all := range []map[string][]string{r.Prefixes, r.Patterns} {
				for _, p := range all[service] {
					if regexp.MustCompile("^" + p + "(/|$)").MatchString(concrete) {
						used[p] = true
					}
				}
			}
		}
	}
	for _, all := range []map[string][]string{r.Prefixes, r.Patterns} {
		for service, paths := range all {
			for _, p := range paths {
				require.True(t, used[p], "%s: no operation is below %s", service, p)
			}
		}
	}
	require.Equal(t, "console", r.of("/console/sign-in"))
}

// TestTheOrderOfRoutesIsTheGateways holds that a pattern is found before the prefix around it, and that no object has more rules or
// matches than Gateway API allows: 16 and 8.
func TestTheOrderOfRoutesIsTheGateways(t *testing.T) {
	t.Parallel()
	earning := "/v1/orders/[^/]+/earning"
	found := false
	for _, o := range render(t, "guanxi", release, ci("minimal"), "--set", "gateway.enabled=true,gateway.parentRefs[0].name=public") {
		if o.GetKind() != "HTTPRoute" {
			continue
		}
		rules, _, err := nested(o, "spec", "rules")
		require.NoError(t, err)
		require.LessOrEqual(t, len(rules.([]any)), 16, o.id())
		for _, rule := range rules.([]any) {
			matches := rule.(map[string]any)["matches"].([]any)
			require.LessOrEqual(t, len(matches), 8, o.id())
			for _, m := range matches {
				path := m.(map[string]any)["path"].(map[string]any)
				if path["value"] == earning {
					require.Equal(t, "RegularExpression", path["type"])
					require.Equal(t, "HTTPRoute/crm-guanxi-loyalty", o.id())
					found = true
				}
			}
		}
	}
	require.True(t, found, "what an order earned reaches loyalty")

	for set, reached := range map[string]bool{"ingress.patterns=true": true, "ingress.patterns=false": false} {
		for _, o := range render(t, "guanxi", release, ci("services"), "--set", set) {
			if o.GetKind() != "Ingress" {
				continue
			}
			var hit bool
			for _, p := range into[netv1.Ingress](t, o).Spec.Rules[0].HTTP.Paths {
				if p.Path == earning {
					hit = true
					require.Equal(t, netv1.PathTypeImplementationSpecific, *p.PathType)
					require.Equal(t, "crm-guanxi-loyalty", p.Backend.Service.Name)
				}
			}
			require.Equal(t, reached, hit, set)
		}
	}
}
