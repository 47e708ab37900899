// Command node makes one real Kubernetes node out of this machine, for tests: etcd, the control plane, a kubelet with
// containerd, kube-proxy and CoreDNS, all in namespaces of their own, so that nothing of it is left when its first process
// ends, also when that is killed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
)

const usage = `Usage: node run [flags] [command...]

Starts a node, runs the command with KUBECONFIG set, and takes the node down; without a command it stays until Ctrl-C.
It has to be root, and needs containerd, runc, the CNI plugins, nftables, conntrack and iproute2:
  apt-get install containerd runc containernetworking-plugins nftables conntrack iproute2
and the programs of Kubernetes in bin/kube: make kube-binaries bin/kube/coredns.

Flags:
`

func main() {
	if len(os.Args) == 3 && os.Args[1] == "inside" {
		fail(inside(os.Args[2]))
		return
	}
	flags := flag.NewFlagSet("run", flag.ExitOnError)
	var n node
	flags.StringVar(&n.Binaries, "binaries", "bin/kube", "folder with etcd, kube-apiserver, kubelet and so on")
	flags.StringVar(&n.Dir, "dir", "/var/tmp/guanxi-node", "folder for all state, emptied at the start")
	var images imageList
	flags.Var(&images, "image", "OCI archive to import, may be given again")
	flags.Usage = func() {
		_, _ = fmt.Fprint(os.Stderr, usage)
		flags.PrintDefaults()
	}
	if len(os.Args) < 2 || os.Args[1] != "run" {
		flags.Usage()
		os.Exit(2)
	}
	_ = flags.Parse(os.Args[2:]) // it exits by itself
	n.Images = images
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, n, flags.Args())
	stop()
	fail(err)
}

// imageList collects the archives of a flag.
type imageList []string

func (l *imageList) String() string     { return fmt.Sprint(*l) }
func (l *imageList) Set(s string) error { *l = append(*l, s); return nil }

// fail ends with the command's own code, where it was a command that failed.
func fail(err error) {
	if err == nil {
		return
	}
	_, _ = fmt.Fprintln(os.Stderr, "node:", err)
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() > 0 {
		os.Exit(exit.ExitCode())
	}
	os.Exit(1)
}
