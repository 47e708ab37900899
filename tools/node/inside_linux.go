package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

func lockThread() { runtime.LockOSThread() }

// inside is the first process in the namespaces: it sets them up, starts the programs, and ends when one of them does, which
// ends all others.
func inside(told string) error {
	var n node
	if err := json.Unmarshal([]byte(told), &n); err != nil {
		return err
	}
	for _, set := range []func(node) error{mounts, network, cgroups, n.writeFiles} {
		if err := set(n); err != nil {
			return err
		}
	}
	failed := make(chan error)
	for _, p := range n.programs() {
		if err := start(n, p, failed); err != nil {
			return err
		}
		if err := p.wait(); err != nil {
			return fmt.Errorf("%s: %w\n%s", p.name, err, tail(n.path("log", p.name+".log")))
		}
		fmt.Println(p.name, "is up")
	}
	if err := n.setUp(); err != nil {
		return err
	}
	go reap()
	return <-failed
}

// mounts makes the mounts private to the node, and a /proc of its own processes.
func mounts(n node) error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := syscall.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	if err := syscall.Mount(n.Dir, n.Dir, "", syscall.MS_BIND, ""); err != nil {
		return fmt.Errorf("bind %s: %w", n.Dir, err)
	}
	return syscall.Mount("", n.Dir, "", syscall.MS_REC|syscall.MS_SHARED, "")
}

// network waits for the line to the machine.
func network(n node) error {
	for range 100 {
		if _, err := os.Stat(n.path("connected")); err == nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	for _, args := range [][]string{
		{"link", "set", "lo", "up"},
		{"addr", "add", nodeIP + "/30", "dev", nodeLink},
		{"link", "set", nodeLink, "up"},
		{"route", "add", "default", "via", hostIP},
	} {
		if err := sh("ip", args...); err != nil {
			return err
		}
	}
	return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0)
}

// The part of the processors that all pods have together where the machine has other work: that of some 16 processes. A new
// group has that of one, with which a machine that compiles beside it leaves next to nothing for two dozen pods.
const (
	cpuShares = "16384" // of version 1, where a process has 1024
	cpuWeight = "1600"  // of version 2, where a group has 100
)

// cgroups makes the group below which the kubelet has those of the pods, in every hierarchy.
func cgroups(node) error {
	roots, err := filepath.Glob("/sys/fs/cgroup/*/tasks")
	if err != nil {
		return err
	}
	if len(roots) == 0 { // the one hierarchy of version 2
		dir := "/sys/fs/cgroup/" + cgroup
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		return weigh(filepath.Join(dir, "cpu.weight"), cpuWeight)
	}
	for _, root := range roots {
		dir := filepath.Join(filepath.Dir(root), cgroup)
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		// A group of cpuset has no processors until it is given some.
		for _, name := range []string{"cpuset.cpus", "cpuset.mems"} {
			if all, err := os.ReadFile(filepath.Join(filepath.Dir(root), name)); err == nil {
				if err := os.WriteFile(filepath.Join(dir, name), all, 0); err != nil {
					return err
				}
			}
		}
		if err := weigh(filepath.Join(dir, "cpu.shares"), cpuShares); err != nil {
			return err
		}
	}
	return nil
}

// weigh writes the weight where there is one: the hierarchies of version 1 that are not the processors' have none, nor has
// version 2 where nobody has turned it on.
func weigh(path, weight string) error {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return os.WriteFile(path, []byte(weight), 0)
}

func start(n node, p program, failed chan<- error) error {
	log, err := os.Create(n.path("log", p.name+".log"))
	if err != nil {
		return err
	}
	cmd := exec.Command(p.path, p.args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(os.Environ(), p.env...)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	go func() {
		err := cmd.Wait()
		failed <- fmt.Errorf("%s ended: %w\n%s", p.name, err, tail(n.path("log", p.name+".log")))
	}()
	return nil
}

// reap takes note of the end of processes whose parents have gone, as the first process has to. A program's own end may be
// taken away from its Wait by this, which then fails: that is its end, too.
func reap() {
	dead := make(chan os.Signal, 16)
	signal.Notify(dead, syscall.SIGCHLD)
	for range dead {
		for {
			pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
			if pid <= 0 || err != nil {
				break
			}
		}
	}
}
