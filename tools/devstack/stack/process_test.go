package stack

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func run(t *testing.T, program Program) *Process {
	t.Helper()
	spawn := newSpawner()
	t.Cleanup(spawn.close)
	p := start(program, spawn, t.TempDir(), func(line string) { t.Log(line) })
	t.Cleanup(p.Stop)
	return p
}

func patient(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func shell(script string) Program {
	return Program{Name: "test", Path: "/bin/sh", Args: []string{"-c", script}}
}

func TestAKilledProgramIsStartedAgain(t *testing.T) {
	t.Parallel()
	p := run(t, shell(`echo "at work" >&3; exec sleep 1000`))
	require.NoError(t, p.WaitReady(patient(t)))
	require.Equal(t, "at work", p.Said())
	first := p.Pid()

	require.NoError(t, p.Kill())
	require.Eventually(t, func() bool { return p.Pid() != 0 && p.Pid() != first }, time.Minute, time.Millisecond)
	require.NoError(t, p.WaitReady(patient(t)))
}

func TestAHeldProgramStaysDown(t *testing.T) {
	t.Parallel()
	p := run(t, shell(`echo >&3; exec sleep 1000`))
	require.NoError(t, p.WaitReady(patient(t)))
	require.NoError(t, p.Hold())
	require.Eventually(t, func() bool { return p.Pid() == 0 }, time.Minute, time.Millisecond)
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, p.WaitReady(ctx), context.DeadlineExceeded)

	p.Resume()
	require.NoError(t, p.WaitReady(patient(t)))
}

func TestAProgramThatNeverGetsReadyIsReportedWithItsLog(t *testing.T) {
	t.Parallel()
	p := run(t, shell(`echo "no such database"; exit 3`))
	err := p.WaitReady(patient(t))
	require.ErrorContains(t, err, "ended 8 times before it was ready")
	require.ErrorContains(t, err, "no such database")
}

// TestAProgramThatIsKilledHasNotFailed kills one that waits for something else, more often than one may fail.
func TestAProgramThatIsKilledHasNotFailed(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	p := run(t, shell(`while ! test -e `+folder+`/there; do sleep 0.05; done; echo >&3; exec sleep 1000`))
	for range 10 {
		require.Eventually(t, func() bool { return p.Pid() != 0 }, time.Minute, time.Millisecond)
		was := p.Pid()
		require.NoError(t, p.Kill())
		require.Eventually(t, func() bool { return p.Pid() != was }, time.Minute, time.Millisecond)
	}
	require.NoError(t, os.WriteFile(folder+"/there", nil, 0o600))
	require.NoError(t, p.WaitReady(patient(t)))
}

func TestAProgramThatDoesNotEndIsKilled(t *testing.T) {
	t.Parallel()
	program := shell(`trap "" TERM; echo >&3; while true; do sleep 0.1; done`)
	program.StopWithin = 200 * time.Millisecond
	p := run(t, program)
	require.NoError(t, p.WaitReady(patient(t)))
	p.Stop()
	require.Zero(t, p.Pid())
}

func TestReadinessCanBeAsked(t *testing.T) {
	t.Parallel()
	asked := 0
	program := shell(`exec sleep 1000`)
	program.Ready = func(context.Context) error {
		if asked++; asked < 3 {
			return errors.New("not yet")
		}
		return nil
	}
	require.NoError(t, run(t, program).WaitReady(patient(t)))
}

func TestOneStackAFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	lock, err := lockDir(dir)
	require.NoError(t, err)
	_, err = lockDir(dir)
	require.ErrorContains(t, err, "another development stack runs")
	require.NoError(t, lock.Close())
	lock, err = lockDir(dir)
	require.NoError(t, err)
	require.NoError(t, lock.Close())
}

func TestTheKeyIsMadeOnce(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/key"
	made, err := secret(path)
	require.NoError(t, err)
	require.Len(t, made, 64)
	again, err := secret(path)
	require.NoError(t, err)
	require.Equal(t, made, again)
}

func TestFreePortsAreDistinctAndFitTemporal(t *testing.T) {
	t.Parallel()
	p, err := FreePorts()
	require.NoError(t, err)
	require.NoError(t, p.Check())
	seen := map[int]bool{}
	for _, port := range append(p.TemporalInternal, p.HTTP, p.Postgres, p.Kafka, p.Temporal, p.TemporalWeb, p.Issuer, p.Traces) {
		require.False(t, seen[port])
		seen[port] = true
		require.LessOrEqual(t, port, 32767)
	}
	require.Len(t, seen, 14)
}

func TestLogsAreBounded(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/log"
	require.NoError(t, os.WriteFile(path, []byte(strings.Repeat("x", 21<<20)), 0o600))
	f, err := openLog(path)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Zero(t, info.Size())
}
