package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/guanxi-crm/guanxi/tools/devstack/cdnow"
)

// The names of the releases and of the claims are those of docs/installing.md.
const (
	depsRelease   = "demo"
	guanxiRelease = "crm"
	secretName    = "guanxi-demo"
	filesClaim    = "guanxi-files"

	componentLabel = "app.kubernetes.io/component"

	ours = "app.kubernetes.io/part-of=guanxi,!batch.kubernetes.io/job-name,app.kubernetes.io/component!=test"
	// ofGuanxi are the pods of the release of Guanxi, without those that it stands on.
	ofGuanxi = ours + ",app.kubernetes.io/instance=" + guanxiRelease
)

func (r *run) installDeps(ctx context.Context) error {
	password := random()
	r.secret = random()
	_, err := r.kube(ctx, "create", "secret", "generic", secretName,
		"--from-literal=postgres-password="+password,
		"--from-literal=url=postgres://postgres:"+password+"@demo-postgres:5432/postgres?sslmode=disable",
		"--from-literal=password="+random(), "--from-literal=flow-key="+random()+random(), "--from-literal=issuer-secret="+r.secret)
	if err != nil {
		return err
	}
	return r.chart(ctx, "install", depsRelease, "guanxi-demo-deps", "--set", "existingSecret="+secretName,
		"--set", "networkPolicy.ingressFrom[0].ipBlock.cidr="+everywhere)
}

// everywhere lets this machine in where network policies are kept: in an installation the Ingress is the one that comes in.
const everywhere = "0.0.0.0/0"

func (r *run) installGuanxi(ctx context.Context) error {
	err := r.apply(ctx, `apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: `+filesClaim+`}
spec:
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 1Gi}}
`)
	if err != nil {
		return err
	}
	return r.guanxi(ctx, "install")
}

// guanxi installs or upgrades the chart with the values of the demo: in the mode all-in-one with two pods, so that one may go, in
// the mode services with one of each Deployment, as the machine is a small one, behind an Ingress.
func (r *run) guanxi(ctx context.Context, do string, args ...string) error {
	values := []string{"--values", filepath.Join(r.root, "charts", "guanxi", "ci", "demo.yaml"), "--set", "networkPolicy.ingressFrom[1].ipBlock.cidr=" + everywhere}
	if r.mode == "services" {
		values = append(values, "--set", "mode=services,components.api.replicas=1,ingress.enabled=true,ingress.patterns=true,ingress.host="+ingressHost)
	} else {
		values = append(values, "--set", "allInOne.replicas=2")
	}
	return r.chart(ctx, do, guanxiRelease, "guanxi", append(values, args...)...)
}

func (r *run) everyPodIsReady(ctx context.Context) error {
	labels, err := output(ctx, "", r.kubectl, "get", "namespace", r.namespace, "-o", "jsonpath={.metadata.labels}")
	if err != nil {
		return err
	}
	if !strings.Contains(labels, `"pod-security.kubernetes.io/enforce":"restricted"`) {
		return fmt.Errorf("the namespace does not enforce it: %s", labels)
	}
	return r.allReady(ctx)
}

// allReady demands that all pods are there, which the controllers know, and ready.
func (r *run) allReady(ctx context.Context) error {
	return until(ctx, patience, func(ctx context.Context) error {
		out, err := r.kube(ctx, "get", "deployments,statefulsets", "-o", `jsonpath={range .items[*]}{.kind}/{.metadata.name} {.spec.replicas} {.status.readyReplicas} {.status.replicas}{"\n"}{end}`)
		if err != nil {
			return err
		}
		for line := range strings.Lines(out) {
			f := strings.Fields(line)
			if len(f) != 4 || f[1] != f[2] || f[1] != f[3] {
				return fmt.Errorf("not all pods are ready: %s", strings.TrimSpace(line))
			}
		}
		pods, err := r.pods(ctx, ours)
		if err != nil {
			return err
		}
		for _, p := range pods {
			if !p.ready() {
				return fmt.Errorf("pod %s is %s and not ready", p.Metadata.Name, p.Status.Phase)
			}
		}
		if len(pods) == 0 {
			return errors.New("there are no pods")
		}
		return nil
	})
}

func (r *run) helmTest(ctx context.Context) error {
	_, err := output(ctx, "", r.helm, "-n", r.namespace, "test", guanxiRelease, "--timeout", "5m")
	return err
}

// demoCheck has the program of the development stack do with this installation what it does with its own: with all the data that
// it finds in the mode all-in-one, and with the small synthetic history in the mode services.
func (r *run) demoCheck(ctx context.Context) error {
	at, err := r.addresses(ctx)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, r.devstack, "demo-check", "--server", at.server, "--issuer", at.issuer, "--traces", at.traces)
	cmd.Dir, cmd.Stdout, cmd.Stderr = r.root, os.Stdout, os.Stderr
	if r.mode == "services" {
		cmd.Env = append(os.Environ(), cdnow.DataEnv+"=/none")
	}
	return cmd.Run()
}

// addresses of what this machine speaks to.
type addresses struct{ server, issuer, traces string }

func (r *run) addresses(ctx context.Context) (at addresses, err error) {
	ask := map[string]*string{"demo-issuer": &at.issuer, "demo-traces": &at.traces}
	if r.mode != "services" {
		ask[guanxiRelease+"-guanxi"] = &at.server
	}
	for service, to := range ask {
		if *to, err = r.address(ctx, service); err != nil {
			return at, err
		}
	}
	at = addresses{server: "http://" + at.server, issuer: "http://cluster:" + r.secret + "@" + at.issuer, traces: "http://" + at.traces}
	if r.mode == "services" {
		at.server, err = r.openDoor(ctx)
	}
	return at, err
}

// upgradeUnderLoad replaces every pod of Guanxi while people read and write: no request may fail, and no order be lost.
func (r *run) upgradeUnderLoad(ctx context.Context) error {
	before, err := r.pods(ctx, ofGuanxi)
	if err != nil {
		return err
	}
	l, err := r.startLoad(ctx, nothingFails)
	if err != nil {
		return err
	}
	upgraded := r.guanxi(ctx, "upgrade", "--set-string", "podAnnotations.guanxi\\.io/upgrade="+random())
	if upgraded == nil {
		upgraded = r.allReady(ctx)
	}
	if err := errors.Join(upgraded, l.stop()); err != nil {
		return err
	}
	err = until(ctx, 3*time.Minute, func(ctx context.Context) error { // one that answers its last requests may still be there
		after, err := r.pods(ctx, ofGuanxi)
		for _, p := range after {
			if slices.ContainsFunc(before, func(b pod) bool { return b.Metadata.UID == p.Metadata.UID }) {
				return fmt.Errorf("pod %s was not replaced", p.Metadata.Name)
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	return l.nothingLost(ctx)
}

// killUnderLoad kills one pod of each component, in random order, of Guanxi and of what it stands on. What is asked in the
// meantime may fail and is asked again; nothing that was answered may be lost or done twice.
func (r *run) killUnderLoad(ctx context.Context) error {
	l, err := r.startLoad(ctx, askedAgain)
	if err != nil {
		return err
	}
	killed := r.killEach(ctx)
	if err := errors.Join(killed, l.stop()); err != nil {
		return err
	}
	return l.nothingLost(ctx)
}

func (r *run) killEach(ctx context.Context) error {
	pods, err := r.pods(ctx, ours)
	if err != nil {
		return err
	}
	var components []string
	for _, p := range pods {
		components = append(components, p.Metadata.Labels[componentLabel])
	}
	slices.Sort(components) // so that the seed alone says the order
	components = slices.Compact(components)
	r.random.Shuffle(len(components), func(i, j int) { components[i], components[j] = components[j], components[i] })
	for _, component := range components {
		if err := r.killOne(ctx, component); err != nil {
			return err
		}
	}
	return nil
}

// killOne takes a pod of the component away without a word, lets the load go on without it, and waits for another in its place.
func (r *run) killOne(ctx context.Context, component string) error {
	pods, err := r.pods(ctx, ours+","+componentLabel+"="+component)
	if err != nil {
		return err
	}
	victim := pods[r.random.IntN(len(pods))].Metadata.Name
	say("killing %s", victim)
	if _, err := r.kube(ctx, "delete", "pod", victim, "--grace-period=0", "--force"); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(5 * time.Second):
	}
	return r.allReady(ctx)
}

// uninstall takes both releases away and demands that what is left is what was asked to stay: what people made by hand, and
// the volumes of the parts, which Kubernetes keeps for a StatefulSet.
func (r *run) uninstall(ctx context.Context) error {
	for _, release := range []string{guanxiRelease, depsRelease} {
		if _, err := output(ctx, "", r.helm, "-n", r.namespace, "uninstall", release, "--wait", "--timeout", patience.String()); err != nil {
			return err
		}
	}
	stay := []string{"persistentvolumeclaim/" + filesClaim, "secret/" + secretName, "serviceaccount/default", "configmap/kube-root-ca.crt"}
	for _, part := range []string{"postgres", "kafka", "temporal", "issuer", "traces"} {
		stay = append(stay, "persistentvolumeclaim/state-"+depsRelease+"-"+part+"-0")
	}
	if r.mode == "services" {
		stay = append(stay, "lease.coordination.k8s.io/guanxi-operator") // which the operator makes itself
	}
	slices.Sort(stay)
	kinds, err := output(ctx, "", r.kubectl, "api-resources", "--verbs=list", "--namespaced", "--output=name")
	if err != nil {
		return err
	}
	all := slices.DeleteFunc(strings.Fields(kinds), func(k string) bool { return strings.HasPrefix(k, "events") })
	return until(ctx, 3*time.Minute, func(ctx context.Context) error {
		out, err := r.kube(ctx, "get", strings.Join(all, ","), "--ignore-not-found", "--output=name")
		if err != nil {
			return err
		}
		left := strings.Fields(out)
		slices.Sort(left)
		if !slices.Equal(left, stay) {
			return fmt.Errorf("left are %v instead of %v", left, stay)
		}
		return nil
	})
}
