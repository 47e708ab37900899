//go:build !linux

package main

import "os"

func main() {
	_, _ = os.Stderr.WriteString("node: a node can be made on Linux only; set KUBECONFIG to use another cluster\n")
	os.Exit(1)
}
