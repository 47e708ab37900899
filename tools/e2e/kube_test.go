//go:build kube

package e2e_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/guanxi-crm/guanxi/tools/devstack/stack"
)

// kube is a real kube-apiserver that asks everybody who they are and what they may do. There is no node, and nothing that runs pods.
type kube struct {
	t    *testing.T
	dir  string
	url  string
	http *http.Client
}

const (
	adminToken = "the-admin-of-this-test"
	operators  = "crm"  // the namespace that the operator is installed into
	shop       = "shop" // the namespace of the objects
)

// root gives a path below the repository's.
func root(t *testing.T, parts ...string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(append([]string{"..", ".."}, parts...)...))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func startKube(ctx context.Context, in *installation) *kube {
	in.t.Helper()
	k := &kube{t: in.t, dir: filepath.Join(in.stack.Dir(), "kube"), http: &http.Client{
		Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, // on loopback
	}}
	address, etcd, peers := freeAddr(in.t), "http://"+freeAddr(in.t), "http://"+freeAddr(in.t)
	k.url = "https://" + address
	host, port, _ := strings.Cut(address, ":")
	if err := errors.Join(os.MkdirAll(k.dir, 0o700), k.write("tokens.csv", adminToken+`,admin,admin,"system:masters"`), k.accountKey()); err != nil {
		in.t.Fatal(err)
	}
	get := func(url string) func(context.Context) error {
		return func(ctx context.Context) error { return k.ask(ctx, http.MethodGet, url, nil, nil) }
	}
	for _, p := range []stack.Program{{
		Name: "etcd", Path: root(in.t, "bin", "kube", "etcd"), Ready: get(etcd + "/health"), Args: []string{
			"--data-dir=" + filepath.Join(k.dir, "etcd"), "--unsafe-no-fsync", "--listen-client-urls=" + etcd, "--advertise-client-urls=" + etcd,
			"--listen-peer-urls=" + peers, "--initial-advertise-peer-urls=" + peers, "--initial-cluster=default=" + peers,
		},
	}, {
		Name: "kube-apiserver", Path: root(in.t, "bin", "kube", "kube-apiserver"), Ready: get(k.url + "/readyz"), Args: []string{
			"--etcd-servers=" + etcd, "--bind-address=" + host, "--secure-port=" + port, "--cert-dir=" + filepath.Join(k.dir, "certificates"),
			"--authorization-mode=RBAC", "--token-auth-file=" + filepath.Join(k.dir, "tokens.csv"), "--service-cluster-ip-range=10.0.0.0/24",
			"--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file=" + filepath.Join(k.dir, "accounts.key"),
			"--service-account-signing-key-file=" + filepath.Join(k.dir, "accounts.key"), "--endpoint-reconciler-type=none",
		},
	}} {
		if err := in.stack.Run(p).WaitReady(ctx); err != nil {
			in.t.Fatalf("%v: make test-kube builds what is needed", err)
		}
	}
	if err := k.write("admin", kubeconfig(k.url, adminToken)); err != nil {
		in.t.Fatal(err)
	}
	// Of the controllers only the one that deletes namespaces: what a namespace has to go through is its matter.
	in.stack.Run(stack.Program{Name: "kube-controller-manager", Path: root(in.t, "bin", "kube", "kube-controller-manager"), Args: []string{
		"--kubeconfig=" + filepath.Join(k.dir, "admin"), "--controllers=namespace-controller", "--leader-elect=false", "--secure-port=0",
	}})
	for _, name := range []string{operators, shop} {
		k.do(ctx, http.MethodPost, "/api/v1/namespaces", object{"metadata": object{"name": name}}, nil)
	}
	return k
}

func (k *kube) write(name, text string) error {
	return os.WriteFile(filepath.Join(k.dir, name), []byte(text), 0o600)
}

// accountKey makes the key that tokens of service accounts are signed by.
func (k *kube) accountKey() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	return k.write("accounts.key", string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})))
}

func kubeconfig(url, token string) string {
	return fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: kube, cluster: {server: "%s", insecure-skip-tls-verify: true}}]
users: [{name: me, user: {token: "%s"}}]
contexts: [{name: kube, context: {cluster: kube, user: me}}]
current-context: kube
`, url, token)
}

// ask sends a request as the administrator. What is not answered by 2xx is an error.
func (k *kube) ask(ctx context.Context, method, url string, in, out any) error {
	var body bytes.Buffer
	if in != nil {
		if err := json.NewEncoder(&body).Encode(in); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, url, &body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+adminToken)
	req.Header.Set("Content-Type", map[bool]string{true: "application/merge-patch+json", false: "application/json"}[method == http.MethodPatch])
	res, err := k.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	switch {
	case err != nil:
		return err
	case res.StatusCode == http.StatusNotFound:
		return errNotThere
	case res.StatusCode >= http.StatusMultipleChoices:
		return fmt.Errorf("%s %s: %d %s", method, url, res.StatusCode, raw)
	case out == nil:
		return nil
	}
	return json.Unmarshal(raw, out)
}

var errNotThere = errors.New("there is no such object")

func (k *kube) do(ctx context.Context, method, path string, in, out any) {
	k.t.Helper()
	if err := k.ask(ctx, method, k.url+path, in, out); err != nil {
		k.t.Fatal(err)
	}
}

// chart installs one of our charts, as the administrator.
func (k *kube) chart(ctx context.Context, name string, values any) {
	k.t.Helper()
	raw, err := json.Marshal(values)
	if err == nil {
		err = k.write(name+".json", string(raw))
	}
	if err != nil {
		k.t.Fatal(err)
	}
	rendered, err := exec.CommandContext(ctx, root(k.t, "bin", "helm"), "template", "operator", root(k.t, "charts", name),
		"--namespace", operators, "--values", filepath.Join(k.dir, name+".json")).Output()
	if err != nil {
		k.t.Fatalf("helm: %v: %s", err, said(err))
	}
	apply := exec.CommandContext(ctx, root(k.t, "bin", "kube", "kubectl"), "--kubeconfig", filepath.Join(k.dir, "admin"), "--namespace", operators,
		"apply", "--server-side", "-f", "-")
	apply.Stdin = bytes.NewReader(rendered)
	if out, err := apply.CombinedOutput(); err != nil {
		k.t.Fatalf("kubectl: %v: %s", err, out)
	}
}

func said(err error) string {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return string(exit.Stderr)
	}
	return ""
}

// resource is what these tests read of the operator's kinds.
type resource struct {
	Metadata struct {
		Name            string
		UID             string
		ResourceVersion string
		Generation      int64
	}
	Status struct {
		ObservedGeneration int64
		RolloutID          string
		State, Phase, Gate string
		PausedByOperator   bool
		PolicyID           string
		Phases             []struct{ Code, State string }
		Topics             []string
		Conditions         []struct{ Type, Status, Reason, Message string }
	}
}

// condition is how a condition stands, such as "True InForce", and what it says.
func (r resource) condition(kind string) (stands, message string) {
	for _, c := range r.Status.Conditions {
		if c.Type == kind {
			return c.Status + " " + c.Reason, c.Message
		}
	}
	return "", ""
}

func (r resource) ready() string {
	stands, _ := r.condition("Ready")
	return stands
}

func kindPath(kind string) string {
	return "/apis/guanxi.io/v1alpha1/namespaces/" + shop + "/" + kind
}

// kinds by the names of their lists.
var kinds = map[string]string{"crmrollouts": "CRMRollout", "slapolicies": "SLAPolicy", "eventsubscriptions": "EventSubscription"}

func (k *kube) create(ctx context.Context, kind, name string, spec object) (made resource) {
	k.t.Helper()
	k.do(ctx, http.MethodPost, kindPath(kind), object{
		"apiVersion": "guanxi.io/v1alpha1", "kind": kinds[kind], "metadata": object{"name": name}, "spec": spec,
	}, &made)
	return made
}

func (k *kube) edit(ctx context.Context, kind, name string, spec object) {
	k.t.Helper()
	k.do(ctx, http.MethodPatch, kindPath(kind)+"/"+name, object{"spec": spec}, nil)
}

// until waits until an object is as it should be.
func (k *kube) until(ctx context.Context, kind, name, what string, is func(resource) bool) (now resource) {
	k.t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(200 * time.Millisecond) {
		now = resource{}
		err := k.ask(ctx, http.MethodGet, k.url+kindPath(kind)+"/"+name, nil, &now)
		if err == nil && is(now) {
			k.t.Log(kind, name+":", what)
			return now
		}
		if time.Now().After(deadline) {
			k.t.Fatalf("%s %s: not %s: %v %+v", kind, name, what, err, now)
		}
	}
}

// untilReady waits until the condition Ready stands so.
func (k *kube) untilReady(ctx context.Context, kind, name, stands string) resource {
	k.t.Helper()
	return k.until(ctx, kind, name, stands, func(r resource) bool { return r.ready() == stands })
}

// delete waits until an object is gone.
func (k *kube) delete(ctx context.Context, kind, name string, within time.Duration) {
	k.t.Helper()
	k.do(ctx, http.MethodDelete, kindPath(kind)+"/"+name, nil, nil)
	for began := time.Now(); ; time.Sleep(200 * time.Millisecond) {
		if err := k.ask(ctx, http.MethodGet, k.url+kindPath(kind)+"/"+name, nil, nil); errors.Is(err, errNotThere) {
			k.t.Logf("%s %s: gone after %s", kind, name, time.Since(began).Round(time.Second))
			return
		}
		if time.Since(began) > within {
			k.t.Fatalf("%s %s: not gone within %s", kind, name, within)
		}
	}
}
