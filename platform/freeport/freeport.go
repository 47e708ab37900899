// Package freeport gives ports on loopback to servers that are started for tests and development, and keeps two
// processes of such kind from getting the same one: between "nobody listens there" and "the server listens", seconds
// go by in which another process would find the port free as well.
package freeport

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
)

// The ports given are below the range from which systems take those of outgoing connections (from 32768 on Linux):
// such a connection could sit on the port of a server that is down for a moment.
const (
	lowest = 10_000
	end    = 32_000
	tries  = 5_000
)

var (
	mu sync.Mutex
	// locks keeps the lock files open, and so the ports reserved, until this process ends.
	locks = make(map[int]*os.File)
)

// Reserve gives n different ports on 127.0.0.1, from 10000 to 31999, on which nobody listens now and which no other
// process has got from here. They stay this process's own until it ends.
func Reserve(n int) ([]int, error) {
	dir := filepath.Join(os.TempDir(), "guanxi-ports-"+strconv.Itoa(os.Getuid()))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("reserve ports: %w", err)
	}
	mu.Lock()
	defer mu.Unlock()
	ports := make([]int, 0, n)
	for range tries {
		if len(ports) == n {
			return ports, nil
		}
		port := lowest + rand.IntN(end-lowest)
		got, err := reserve(dir, port)
		if err != nil {
			return nil, err
		}
		if got {
			ports = append(ports, port)
		}
	}
	return nil, fmt.Errorf("reserve ports: fewer than %d are free between %d and %d on 127.0.0.1", n, lowest, end)
}

func reserve(dir string, port int) (bool, error) {
	if locks[port] != nil {
		return false, nil
	}
	lock, err := os.OpenFile(filepath.Join(dir, strconv.Itoa(port)), os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // the folder is the system's own for temporary files
	if err != nil {
		return false, fmt.Errorf("reserve port %d: %w", port, err)
	}
	// The system gives the lock back when the process ends, however that happens.
	if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil || !free(port) {
		return false, lock.Close()
	}
	locks[port] = lock
	return true, nil
}

func free(port int) bool {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	return err == nil && l.Close() == nil
}
