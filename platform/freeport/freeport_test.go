package freeport

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMain makes this program, when it is asked to, a process that takes the port named and keeps it until its input
// ends.
func TestMain(m *testing.M) {
	if os.Getenv("FREEPORT_DIR") != "" {
		port, _ := strconv.Atoi(os.Getenv("FREEPORT_PORT"))
		got, err := reserve(os.Getenv("FREEPORT_DIR"), port)
		if err != nil {
			panic(err)
		}
		_, _ = os.Stdout.WriteString(strconv.FormatBool(got) + "\n")
		_, _ = bufio.NewReader(os.Stdin).ReadByte()
		return
	}
	os.Exit(m.Run())
}

func TestAPortOfAnotherProcessIsNotGivenThoughNobodyListensYet(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ports, err := Reserve(1)
	require.NoError(t, err)
	port := ports[0]
	mu.Lock()
	delete(locks, port) // what follows is about the other process's lock, in a folder of the test's own
	mu.Unlock()

	other := exec.CommandContext(t.Context(), os.Args[0])
	other.Env = append(os.Environ(), "FREEPORT_DIR="+dir, "FREEPORT_PORT="+strconv.Itoa(port))
	in, err := other.StdinPipe()
	require.NoError(t, err)
	out, err := other.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, other.Start())
	said, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "true\n", said)

	got, err := reserve(dir, port)
	require.NoError(t, err)
	require.False(t, got, "the other process has reserved %d", port)

	require.NoError(t, in.Close())
	require.NoError(t, other.Wait())
	got, err = reserve(dir, port)
	require.NoError(t, err)
	require.True(t, got, "the port is given back when the process ends")
}

func TestPortsAreDistinctAndNobodyListensThere(t *testing.T) {
	t.Parallel()
	ports, err := Reserve(20)
	require.NoError(t, err)
	require.Len(t, ports, 20)
	seen := map[int]bool{}
	for _, port := range ports {
		require.False(t, seen[port])
		seen[port] = true
		require.True(t, lowest <= port && port < end)
		require.True(t, free(port))
	}
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[0])))
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	require.False(t, free(ports[0]))
	_, err = os.Stat(filepath.Join(os.TempDir(), "guanxi-ports-"+strconv.Itoa(os.Getuid()), strconv.Itoa(ports[1])))
	require.NoError(t, err)
}
