package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Where things are. The networks are of the benchmarking range, which no real network uses.
const (
	hostIP      = "198.18.0.1"
	nodeIP      = "198.18.0.2"
	apiIP       = "198.19.0.1" // the first of the services' addresses
	podNet      = "198.18.128.0/17"
	serviceNet  = "198.19.0.0/16"
	domain      = "cluster.local"
	hostLink    = "guanxi-host"
	nodeLink    = "guanxi-node"
	cgroup      = "guanxi-node"
	containerNS = "k8s.io" // containerd's namespace for Kubernetes
	readyWithin = 10 * time.Minute
	volumes     = 18

	pauseRepository = "docker.io/guanxi/pause"
	pauseImage      = pauseRepository + ":node"
)

// node is what the process inside is told, as JSON.
type node struct {
	Dir      string
	Binaries string
	Images   []string
}

func (n node) path(parts ...string) string {
	return filepath.Join(append([]string{n.Dir}, parts...)...)
}
func (n node) kubeconfig() string { return n.path("admin.kubeconfig") }

// run starts the node, runs the command and takes the node down.
func run(ctx context.Context, n node, command []string) (err error) {
	if err := n.prepare(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, clean(n)) }()
	if err := n.makeCredentials(); err != nil {
		return err
	}
	told, err := json.Marshal(n)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	log, err := os.Create(n.path("log", "node.log"))
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	first := exec.Command(self, "inside", string(told))
	first.Stdout, first.Stderr = log, log
	// The first process of the new process namespace takes all others with it, and is itself killed with this one. The mounts
	// and the network go with their last process.
	first.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC,
		Pdeathsig:  syscall.SIGKILL,
	}
	started, ended := make(chan error, 1), make(chan error, 1)
	go lockedStart(first, started, ended)
	if err := <-started; err != nil {
		return fmt.Errorf("namespaces for the node: %w", err)
	}
	defer func() {
		_ = first.Process.Kill()
		<-ended //nolint:errcheck // it was killed
	}()
	if err := connect(first.Process.Pid); err != nil {
		return err
	}
	if err := os.WriteFile(n.path("connected"), nil, 0o600); err != nil {
		return err
	}
	if err := n.waitReady(ctx, ended); err != nil {
		return fmt.Errorf("%w\nits logs are in %s:\n%s", err, n.path("log"), tail(n.path("log", "node.log")))
	}
	fmt.Fprintf(os.Stderr, "==> the node is ready: export KUBECONFIG=%s\n", n.kubeconfig())
	if len(command) == 0 {
		<-ctx.Done()
		return nil
	}
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), "KUBECONFIG="+n.kubeconfig())
	return cmd.Run()
}

// prepare looks for what is needed, and makes an empty folder.
func (n *node) prepare() error {
	if os.Geteuid() != 0 {
		return errors.New("a node has to be made as root")
	}
	var missing []string
	for _, name := range []string{"containerd", "runc", "nft", "conntrack", "ip", "nsenter"} {
		if _, err := exec.LookPath(name); err != nil {
			missing = append(missing, name)
		}
	}
	if _, err := os.Stat("/usr/lib/cni/ptp"); err != nil {
		missing = append(missing, "/usr/lib/cni/ptp")
	}
	if len(missing) > 0 {
		return fmt.Errorf("missing here: %s; apt-get install containerd runc containernetworking-plugins nftables conntrack iproute2 util-linux",
			strings.Join(missing, ", "))
	}
	var err error
	if n.Binaries, err = filepath.Abs(n.Binaries); err != nil {
		return err
	}
	for _, name := range []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl", "coredns"} {
		if _, err := os.Stat(filepath.Join(n.Binaries, name)); err != nil {
			return fmt.Errorf("%s is not in %s: make kube-binaries bin/kube/coredns builds them all", name, n.Binaries)
		}
	}
	for i, image := range n.Images {
		if n.Images[i], err = filepath.Abs(image); err != nil {
			return err
		}
		if _, err := os.Stat(image); err != nil {
			return fmt.Errorf("an image: %w", err)
		}
	}
	if err := clean(*n); err != nil { // what one that was killed has left
		return err
	}
	for _, dir := range []string{"log", "pki", "etcd", "kubelet", "containerd", "run", "cni"} {
		if err := os.MkdirAll(n.path(dir), 0o755); err != nil {
			return err
		}
	}
	return nil
}

// lockedStart starts a process from a thread that stays: the kernel kills the child with the thread that started it.
func lockedStart(cmd *exec.Cmd, started, ended chan<- error) {
	lockThread()
	err := cmd.Start()
	started <- err
	if err == nil {
		ended <- cmd.Wait()
	}
}

// connect lays the line between this machine and the network of the node, and the routes to its pods and services. They go
// with the node's network.
func connect(pid int) error {
	for _, args := range [][]string{
		{"link", "add", hostLink, "type", "veth", "peer", "name", nodeLink, "netns", fmt.Sprint(pid)},
		{"addr", "add", hostIP + "/30", "dev", hostLink},
		{"link", "set", hostLink, "up"},
		{"route", "add", podNet, "via", nodeIP},
		{"route", "add", serviceNet, "via", nodeIP},
	} {
		if err := sh("ip", args...); err != nil {
			return err
		}
	}
	return nil
}

func (n node) waitReady(ctx context.Context, ended chan error) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	for {
		out, err := exec.CommandContext(ctx, filepath.Join(n.Binaries, "kubectl"), "--kubeconfig", n.kubeconfig(),
			"get", "node", "node", "-o", `jsonpath={.status.conditions[?(@.type=="Ready")].status}`).CombinedOutput()
		if _, failed := os.Stat(n.path("set-up")); err == nil && string(out) == "True" && failed == nil {
			return nil
		}
		select {
		case err := <-ended:
			ended <- err
			return fmt.Errorf("the node ended: %w", err)
		case <-ctx.Done():
			return fmt.Errorf("the node did not become ready: %s", out)
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// clean takes away what is left of a node: the link, the control groups, and the folder.
func clean(n node) error {
	if linked() {
		// The link goes by itself with the node's network, perhaps at this moment.
		if err := sh("ip", "link", "del", hostLink); err != nil && linked() {
			return err
		}
	}
	for range 50 {
		if removeCgroups(cgroup) {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	keep := map[string]bool{"log": true}
	entries, err := os.ReadDir(n.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		if !keep[e.Name()] {
			err = errors.Join(err, os.RemoveAll(n.path(e.Name())))
		}
	}
	return err
}

// linked tells whether the line between this machine and a node is there.
func linked() bool {
	_, err := os.Stat("/sys/class/net/" + hostLink)
	return err == nil
}

// removeCgroups removes the groups of that name and all below, and tells whether none is left.
func removeCgroups(name string) bool {
	roots, _ := filepath.Glob("/sys/fs/cgroup/*/" + name)
	if _, err := os.Stat("/sys/fs/cgroup/" + name); err == nil {
		roots = append(roots, "/sys/fs/cgroup/"+name)
	}
	left := false
	for _, root := range roots {
		var dirs []string
		_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				dirs = append(dirs, path)
			}
			return nil
		})
		for _, dir := range slices.Backward(dirs) {
			if err := syscall.Rmdir(dir); err != nil && !errors.Is(err, syscall.ENOENT) {
				left = true
			}
		}
	}
	return !left
}

func sh(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

func tail(path string) string {
	b, _ := os.ReadFile(path)
	return string(b[max(0, len(b)-3000):])
}
