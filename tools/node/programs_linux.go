package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// program is one of the node, with what tells that it is up.
type program struct {
	name string
	path string
	args []string
	env  []string
	up   func() error
}

func (p program) wait() error {
	var err error
	for range 600 {
		if err = p.up(); err == nil {
			return nil
		}
		time.Sleep(200 * time.Millisecond)
	}
	return err
}

func listens(network, addr string) func() error {
	return func() error {
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(context.Background(), network, addr)
		if err != nil {
			return err
		}
		return conn.Close()
	}
}

// healthy asks a program of the control plane, whose certificates are of its own making.
func healthy(url string) func() error {
	client := http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // on our own loopback
	}}
	return func() error {
		resp, err := client.Get(url)
		if err != nil {
			return err
		}
		defer func() { _ = resp.Body.Close() }()
		if resp.StatusCode != http.StatusOK {
			return errors.New(resp.Status)
		}
		return nil
	}
}

// programs are those of the node, in the order in which they start.
func (n node) programs() []program {
	bin := func(name string) string { return filepath.Join(n.Binaries, name) }
	pki := func(name string) string { return n.path("pki", name) }
	socket := n.path("run", "containerd.sock")
	return []program{
		{name: "etcd", path: bin("etcd"), up: listens("tcp", "127.0.0.1:2379"), args: []string{
			"--data-dir", n.path("etcd", "data"), "--unsafe-no-fsync", "--listen-client-urls", "http://127.0.0.1:2379",
			"--advertise-client-urls", "http://127.0.0.1:2379", "--listen-peer-urls", "http://127.0.0.1:2380",
		}},
		{name: "kube-apiserver", path: bin("kube-apiserver"), up: healthy("https://127.0.0.1:6443/readyz"), args: []string{
			"--etcd-servers=http://127.0.0.1:2379", "--bind-address=0.0.0.0", "--advertise-address=" + nodeIP, "--secure-port=6443",
			"--service-cluster-ip-range=" + serviceNet, "--authorization-mode=Node,RBAC", "--client-ca-file=" + pki("ca.crt"),
			"--tls-cert-file=" + pki("apiserver.crt"), "--tls-private-key-file=" + pki("apiserver.key"),
			"--kubelet-client-certificate=" + pki("admin.crt"), "--kubelet-client-key=" + pki("admin.key"),
			"--kubelet-preferred-address-types=InternalIP", "--allow-privileged=true",
			"--service-account-issuer=https://kubernetes.default.svc." + domain,
			"--service-account-key-file=" + pki("sa.key"), "--service-account-signing-key-file=" + pki("sa.key"),
		}},
		{name: "kube-controller-manager", path: bin("kube-controller-manager"), up: healthy("https://127.0.0.1:10257/healthz"), args: []string{
			"--kubeconfig=" + n.kubeconfig(), "--authentication-kubeconfig=" + n.kubeconfig(), "--authorization-kubeconfig=" + n.kubeconfig(),
			"--service-account-private-key-file=" + pki("sa.key"), "--root-ca-file=" + pki("ca.crt"), "--use-service-account-credentials=true",
			"--leader-elect=false", "--bind-address=127.0.0.1", "--cluster-signing-cert-file=" + pki("ca.crt"), "--cluster-signing-key-file=" + pki("ca.key"),
		}},
		{name: "kube-scheduler", path: bin("kube-scheduler"), up: healthy("https://127.0.0.1:10259/healthz"), args: []string{
			"--kubeconfig=" + n.kubeconfig(), "--authentication-kubeconfig=" + n.kubeconfig(), "--authorization-kubeconfig=" + n.kubeconfig(),
			"--leader-elect=false", "--bind-address=127.0.0.1",
		}},
		{name: "coredns", path: bin("coredns"), up: listens("tcp", nodeIP+":53"), args: []string{"-conf", n.path("Corefile")}},
		{name: "containerd", path: "containerd", up: listens("unix", socket), args: []string{"--config", n.path("containerd.toml")}},
		{name: "kubelet", path: bin("kubelet"), up: healthy("http://127.0.0.1:10248/healthz"), args: []string{
			"--config=" + n.path("kubelet.yaml"), "--kubeconfig=" + n.path("kubelet.kubeconfig"), "--root-dir=" + n.path("kubelet"),
			"--hostname-override=node", "--node-ip=" + nodeIP, "--cert-dir=" + n.path("kubelet", "pki"),
		}},
		{name: "kube-proxy", path: bin("kube-proxy"), up: healthy("http://127.0.0.1:10256/livez"), args: []string{"--config=" + n.path("kube-proxy.yaml")}},
	}
}

// writeFiles writes what the programs are configured by.
func (n node) writeFiles(node) error {
	files := map[string]string{
		"Corefile": fmt.Sprintf(`.:53 {
    errors
    cache 5
    kubernetes %s in-addr.arpa {
        kubeconfig %s
        ttl 5
    }
}
`, domain, n.kubeconfig()),
		// Without CAP_SYS_RESOURCE, as in many a container, a process cannot be made harder to kill than this one.
		"containerd.toml": fmt.Sprintf(`version = 2
root = %q
state = %q
[grpc]
  address = %q
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = %q
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = %q
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
`, n.path("containerd"), n.path("run", "containerd"), n.path("run", "containerd.sock"), pauseImage, n.path("cni")),
		// Each pod has a line of its own to the node, so that what goes from pod to pod passes the rules of kube-proxy.
		"cni/10-pods.conflist": fmt.Sprintf(`{"cniVersion":"0.4.0","name":"pods","plugins":[{"type":"ptp","ipam":{"type":"host-local",`+
			`"dataDir":%q,"ranges":[[{"subnet":%q}]],"routes":[{"dst":"0.0.0.0/0"}]}}]}`, n.path("run", "cni"), podNet),
		"kubelet.yaml": fmt.Sprintf(`apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: %s}}
authorization: {mode: Webhook}
cgroupDriver: cgroupfs
cgroupRoot: /%s
failCgroupV1: false
failSwapOn: false
clusterDNS: [%s]
clusterDomain: %s
containerRuntimeEndpoint: unix://%s
podLogsDir: %s
resolvConf: ""
imageGCHighThresholdPercent: 100
evictionHard: {memory.available: 100Mi, nodefs.available: 1%%, imagefs.available: 1%%}
`, n.path("pki", "ca.crt"), cgroup, nodeIP, domain, n.path("run", "containerd.sock"), n.path("kubelet", "pod-logs")),
		"kube-proxy.yaml": fmt.Sprintf(`apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
hostnameOverride: node
clusterCIDR: %s
clientConnection: {kubeconfig: %s}
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
`, podNet, n.kubeconfig()),
	}
	for name, content := range files {
		if err := os.WriteFile(n.path(name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// setUp imports the images and makes the volumes. Where none is the pause image, no pod can start.
func (n node) setUp() error {
	for _, image := range n.Images {
		fmt.Println("importing", image)
		if _, err := n.ctr("images", "import", image); err != nil {
			return err
		}
	}
	// The pause image is known by a name that says nothing of its version, which containerd could not be told before.
	names, err := n.ctr("images", "list", "--quiet")
	if err != nil {
		return err
	}
	for name := range strings.FieldsSeq(names) {
		if strings.HasPrefix(name, pauseRepository+":") && name != pauseImage {
			if _, err := n.ctr("images", "tag", "--force", name, pauseImage); err != nil {
				return err
			}
		}
	}
	if err := n.makeVolumes(); err != nil {
		return err
	}
	return os.WriteFile(n.path("set-up"), nil, 0o600)
}

func (n node) ctr(args ...string) (string, error) {
	args = append([]string{"-a", n.path("run", "containerd.sock"), "-n", containerNS}, args...)
	out, err := exec.Command("ctr", args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("ctr %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

// makeVolumes makes folders of this machine into volumes of the default class: nothing makes volumes when they are asked for,
// so they are there before.
func (n node) makeVolumes() error {
	objects := `apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: folders, annotations: {storageclass.kubernetes.io/is-default-class: "true"}}
provisioner: kubernetes.io/no-provisioner
volumeBindingMode: WaitForFirstConsumer
reclaimPolicy: Retain
`
	for i := range volumes {
		name := fmt.Sprintf("folder-%d", i)
		dir := n.path("volumes", name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		objects += fmt.Sprintf(`---
apiVersion: v1
kind: PersistentVolume
metadata: {name: %s}
spec:
  capacity: {storage: 4Gi}
  accessModes: [ReadWriteOnce, ReadWriteMany]
  persistentVolumeReclaimPolicy: Retain
  storageClassName: folders
  local: {path: %q}
  nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [node]}]}]}}
`, name, dir)
	}
	apply := exec.Command(filepath.Join(n.Binaries, "kubectl"), "--kubeconfig", n.kubeconfig(), "apply", "-f", "-")
	apply.Stdin = strings.NewReader(objects)
	if out, err := apply.CombinedOutput(); err != nil {
		return fmt.Errorf("make volumes: %w: %s", err, out)
	}
	return nil
}
