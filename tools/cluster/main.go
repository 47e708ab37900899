// Command cluster installs Guanxi on a cluster as docs/installing.md says, uses it, breaks it, and takes it away again, and
// fails where something of that does not go as it should. It works on whatever KUBECONFIG names; tools/node makes such a
// cluster of one machine.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

const usage = `Usage: cluster [flags]

Works on the cluster that KUBECONFIG names, for each mode of the chart in a namespace of its own that must not be there before.
The machine it runs on has to reach the addresses of Services, as a node does; the images have to be on the nodes or in
-registry. In the mode services the definitions of the operator's kinds are installed and taken away again.

Flags:
`

// run is one run: where it works and with what.
type run struct {
	namespace string
	mode      string // all-in-one or services; empty before a round is begun: both
	helm      string
	kubectl   string
	devstack  string // the program of demo-check; none: it is left out
	root      string // the repository
	tag       string // of the images; empty: the one that the charts ask for
	registry  string
	seed      uint64
	keep      bool

	random      *rand.Rand
	secret      string // of the issuer of tokens
	door        string // URL of what stands in for an Ingress controller
	definitions bool   // the operator's were installed
}

func main() {
	var r run
	flag.StringVar(&r.namespace, "namespace", "guanxi-test", "what the names of the namespaces begin with that are made and, at the end, deleted")
	flag.StringVar(&r.mode, "mode", "", "only this mode of the chart: all-in-one or services (default both)")
	flag.StringVar(&r.root, "root", ".", "the repository")
	flag.StringVar(&r.helm, "helm", "bin/helm", "program of Helm")
	flag.StringVar(&r.kubectl, "kubectl", "bin/kube/kubectl", "program of kubectl")
	flag.StringVar(&r.devstack, "devstack", "", "program of tools/devstack, whose demo-check is run; without it that is left out")
	flag.StringVar(&r.tag, "tag", "", "tag of the images (default the one that the charts ask for)")
	flag.StringVar(&r.registry, "registry", "", "registry of the images; without one they are on the nodes")
	flag.Uint64Var(&r.seed, "seed", 0, "which pods are killed, and in which order (default another choice each time)")
	flag.BoolVar(&r.keep, "keep", false, "leave the namespace and what is in it where something fails")
	flag.Usage = func() {
		_, _ = fmt.Fprint(os.Stderr, usage)
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	began := time.Now()
	err := r.all(ctx)
	stop()
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
	say("all of it went as it should, after %.0f minutes", time.Since(began).Minutes())
}

// step is one of the things that are tried; each leans on those before it.
type step struct {
	name string
	do   func(context.Context) error
}

// round is one installation of its own.
type round struct {
	mode  string
	steps func(*run) []step
}

func rounds() []round {
	return []round{{"all-in-one", (*run).allInOneSteps}, {"services", (*run).servicesSteps}}
}

// allInOneSteps are those of the installation that docs/installing.md has people try out, which is broken as well.
func (r *run) allInOneSteps() []step {
	return append(r.installing(),
		step{"an upgrade under load", r.upgradeUnderLoad},
		step{fmt.Sprintf("a pod of each component killed under load, seed %d", r.seed), r.killUnderLoad},
		step{"what Helm takes away", r.uninstall},
	)
}

// servicesSteps are those of an installation with Deployments for each service, and with the operator.
func (r *run) servicesSteps() []step {
	return append(r.installing(),
		step{"the operator is installed", r.installOperator},
		step{"its objects come into force", r.objectsComeIntoForce},
		step{"the operator is killed, and an object changed", r.operatorIsKilled},
		step{"objects, operator and definitions go", r.operatorGoes},
		step{"what Helm takes away", r.uninstall},
	)
}

func (r *run) installing() []step {
	steps := []step{
		{"what Guanxi stands on is installed", r.installDeps},
		{"Guanxi is installed", r.installGuanxi},
		{"every pod is ready where Pod Security is restricted", r.everyPodIsReady},
		{"helm test", r.helmTest},
	}
	if r.devstack != "" {
		steps = append(steps, step{"demo-check from outside", r.demoCheck})
	} else {
		say("left out: demo-check, as no -devstack is given")
	}
	return steps
}

// all goes through the rounds that are asked for.
func (r *run) all(ctx context.Context) (err error) {
	if os.Getenv("KUBECONFIG") == "" {
		return errors.New("set KUBECONFIG, so that no cluster is worked on by accident")
	}
	if r.root, err = filepath.Abs(r.root); err != nil {
		return err
	}
	if r.seed == 0 {
		r.seed = rand.Uint64()
	}
	done := 0
	for _, one := range rounds() {
		if r.mode != "" && r.mode != one.mode {
			continue
		}
		own := *r
		own.mode, own.namespace, own.random = one.mode, r.namespace+"-"+one.mode, rand.New(rand.NewPCG(r.seed, 0))
		if err := own.goThrough(ctx, one.steps(&own)); err != nil {
			return fmt.Errorf("mode %s: %w", one.mode, err)
		}
		done++
	}
	if done == 0 {
		return fmt.Errorf("there is no mode %s", r.mode)
	}
	return nil
}

// goThrough goes through the steps of a round and takes the namespace away at the end.
func (r *run) goThrough(ctx context.Context, steps []step) (err error) {
	if err := r.makeNamespace(ctx); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			r.tell()
		}
		if r.keep && err != nil {
			say("the namespace %s is left as it is", r.namespace)
			return
		}
		err = errors.Join(err, r.deleteDefinitions(), r.deleteNamespace())
	}()
	for _, s := range steps {
		say("%s: %s", r.mode, s.name)
		began := time.Now()
		if err := s.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		say("%s: %s: as it should, after %.0f s", r.mode, s.name, time.Since(began).Seconds())
	}
	return nil
}

func say(format string, args ...any) {
	_, _ = fmt.Fprintf(os.Stdout, "==> "+format+"\n", args...)
}
