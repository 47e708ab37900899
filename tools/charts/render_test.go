package charts

import (
	"bytes"
	"cmp"
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

const (
	root      = "../.."
	helm      = root + "/bin/helm"
	release   = "crm"
	namespace = "guanxi-test"
	// longest is as long as Helm lets the name of a release be.
	longest = "a-release-whose-name-is-as-long-as-helm-lets-it-be-53"
)

// dir gives the folder of a chart.
func dir(chart string) string { return filepath.Join(root, "charts", chart) }

// run gives what Helm prints, and what it says where it fails.
func run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out, said bytes.Buffer
	cmd := exec.CommandContext(context.Background(), helm, args...)
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		require.NotErrorIs(t, err, exec.ErrNotFound, "bin/helm is built by: make charts")
		return said.String(), err
	}
	return out.String(), nil
}

// object is one rendered object, as it is and in its chart's words.
type object struct {
	*unstructured.Unstructured
	hook string // empty for what is part of the release
}

// render gives the objects of a chart with the values in a file (none when empty), in the order in which Helm prints them.
func render(t *testing.T, chart, name, values string, more ...string) []object {
	t.Helper()
	return parse(t, text(t, chart, name, values, more...))
}

func text(t *testing.T, chart, name, values string, more ...string) string {
	t.Helper()
	args := []string{"template", name, dir(chart), "--namespace", namespace}
	if values != "" {
		args = append(args, "--values", values)
	}
	out, err := run(t, append(args, more...)...)
	require.NoError(t, err, "%s\nbin/helm is built by: make charts", out)
	return out
}

func parse(t *testing.T, rendered string) []object {
	t.Helper()
	var all []object
	for _, one := range strings.Split("\n"+rendered, "\n---\n") {
		var content map[string]any
		require.NoError(t, yaml.UnmarshalStrict([]byte(one), &content), one)
		if len(content) == 0 {
			continue
		}
		o := &unstructured.Unstructured{Object: content}
		all = append(all, object{Unstructured: o, hook: o.GetAnnotations()["helm.sh/hook"]})
	}
	require.NotEmpty(t, all, "nothing is rendered")
	return all
}

// id is how tables name an object.
func (o object) id() string { return o.GetKind() + "/" + o.GetName() }

// into reads an object as one of Kubernetes' types; a field that the type does not have fails the test.
func into[T any](t *testing.T, o object) T {
	t.Helper()
	var typed T
	require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(o.Object, &typed, true), o.id())
	return typed
}

// pod is what an object has run.
type pod struct {
	of     string
	labels map[string]string
	spec   corev1.PodSpec
	meta   corev1.PodTemplateSpec
}

// pods gives the pods that the objects make.
func pods(t *testing.T, objects []object) []pod {
	t.Helper()
	var all []pod
	for _, o := range objects {
		var template corev1.PodTemplateSpec
		switch o.GetKind() {
		case "Deployment":
			template = into[appsv1.Deployment](t, o).Spec.Template
		case "StatefulSet":
			set := into[appsv1.StatefulSet](t, o)
			template = set.Spec.Template
			for _, claim := range set.Spec.VolumeClaimTemplates { // as the controller does
				template.Spec.Volumes = append(template.Spec.Volumes, corev1.Volume{Name: claim.Name, VolumeSource: corev1.VolumeSource{
					PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim.Name + "-" + set.Name + "-0"},
				}})
			}
		case "Job":
			template = into[batchv1.Job](t, o).Spec.Template
		case "Pod":
			p := into[corev1.Pod](t, o)
			template = corev1.PodTemplateSpec{ObjectMeta: p.ObjectMeta, Spec: p.Spec}
		default:
			continue
		}
		all = append(all, pod{of: o.id(), labels: template.Labels, spec: template.Spec, meta: template})
	}
	return all
}

// rendering is a chart with values that somebody may install it with.
type rendering struct{ chart, name, values string }

func (r rendering) String() string {
	return r.chart + "-" + cmp.Or(strings.TrimSuffix(filepath.Base(r.values), ".yaml"), "default")
}

// renderings are all files of values that the charts bring for tests; every rule is held against each.
func renderings(t *testing.T) []rendering {
	t.Helper()
	charts, err := filepath.Glob(dir("*/Chart.yaml"))
	require.NoError(t, err)
	require.NotEmpty(t, charts)
	var all []rendering
	for _, file := range charts {
		chart := filepath.Base(filepath.Dir(file))
		values, err := filepath.Glob(dir(chart + "/ci/*.yaml"))
		require.NoError(t, err)
		require.NotEmpty(t, values, "%s has no values for tests in ci/", chart)
		for _, v := range values {
			all = append(all, rendering{chart: chart, name: release, values: v})
		}
	}
	return all
}

// nested gives a value deep in an object.
func nested(o object, path ...string) (any, bool, error) {
	return unstructured.NestedFieldNoCopy(o.Object, path...)
}
