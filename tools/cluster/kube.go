package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// patience is how long one command may take: the machine may be a small one, and busy.
const patience = 20 * time.Minute

const restricted = "pod-security.kubernetes.io/enforce=restricted"

// output runs a program and gives what it prints; where it fails, the error has all it said.
func output(ctx context.Context, stdin, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var out, said bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &said
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", filepath.Base(name), args[0], err, strings.TrimSpace(said.String()+out.String()))
	}
	return out.String(), nil
}

// kube is kubectl in the namespace of the run.
func (r *run) kube(ctx context.Context, args ...string) (string, error) {
	return output(ctx, "", r.kubectl, append([]string{"-n", r.namespace}, args...)...)
}

func (r *run) apply(ctx context.Context, objects string) error {
	_, err := output(ctx, objects, r.kubectl, "-n", r.namespace, "apply", "-f", "-")
	return err
}

// chart is Helm on one of our charts, in the namespace of the run.
func (r *run) chart(ctx context.Context, do, release, chart string, args ...string) error {
	all := []string{"-n", r.namespace, do, release, filepath.Join(r.root, "charts", chart), "--wait", "--timeout", patience.String()}
	if r.tag != "" {
		all = append(all, "--set", "image.tag="+r.tag)
	}
	if r.registry != "" {
		all = append(all, "--set", "global.imageRegistry="+r.registry)
	} else {
		all = append(all, "--set", "image.pullPolicy=Never")
	}
	_, err := output(ctx, "", r.helm, append(all, args...)...)
	return err
}

func (r *run) makeNamespace(ctx context.Context) error {
	if _, err := output(ctx, "", r.kubectl, "create", "namespace", r.namespace); err != nil {
		return err
	}
	_, err := output(ctx, "", r.kubectl, "label", "namespace", r.namespace, restricted)
	return err
}

// deleteNamespace works also when the run was stopped.
func (r *run) deleteNamespace() error {
	_, err := output(context.Background(), "", r.kubectl, "delete", "namespace", r.namespace, "--timeout", patience.String())
	return err
}

// tell shows how things stand where something has failed.
func (r *run) tell() {
	for _, args := range [][]string{
		{"get", "pods,jobs,pvc", "-o", "wide"},
		{"get", "events", "--sort-by=.lastTimestamp"},
		{"logs", "--selector=app.kubernetes.io/part-of=guanxi", "--tail=5", "--prefix", "--ignore-errors", "--max-log-requests=20"},
	} {
		out, err := r.kube(context.Background(), args...)
		if err != nil {
			out = err.Error()
		}
		_, _ = fmt.Fprintf(os.Stderr, "--- kubectl %s\n%s\n", strings.Join(args, " "), last(out, 4000))
	}
}

func last(s string, most int) string { return s[max(0, len(s)-most):] }

// pod is what a pod says of itself, as far as it is asked.
type pod struct {
	Metadata struct {
		Name   string            `json:"name"`
		UID    string            `json:"uid"`
		Labels map[string]string `json:"labels"`
	} `json:"metadata"`
	Status struct {
		Phase      string `json:"phase"`
		Conditions []struct{ Type, Status string }
		Containers []struct {
			RestartCount int `json:"restartCount"`
		} `json:"containerStatuses"`
	} `json:"status"`
}

func (p pod) ready() bool {
	for _, c := range p.Status.Conditions {
		if c.Type == "Ready" {
			return c.Status == "True"
		}
	}
	return false
}

// pods gives those that are there for good: not those of Jobs and tests.
func (r *run) pods(ctx context.Context, selector string) ([]pod, error) {
	out, err := r.kube(ctx, "get", "pods", "--selector", selector, "-o", "json")
	if err != nil {
		return nil, err
	}
	var list struct{ Items []pod }
	return list.Items, json.Unmarshal([]byte(out), &list)
}

// address is that of a Service, as a URL with the first of its ports.
func (r *run) address(ctx context.Context, service string) (string, error) {
	out, err := r.kube(ctx, "get", "service", service, "-o", "jsonpath={.spec.clusterIP}:{.spec.ports[0].port}")
	if err == nil && strings.HasPrefix(out, ":") {
		err = errors.New("the Service " + service + " has no address")
	}
	return out, err
}

func random() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// until asks until it holds, and gives what was against it last when that takes too long.
func until(ctx context.Context, within time.Duration, holds func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	var lastErr error
	for {
		err := holds(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() == nil {
			lastErr = err
		}
		select {
		case <-ctx.Done():
			return errors.Join(lastErr, ctx.Err())
		case <-time.After(time.Second):
		}
	}
}
