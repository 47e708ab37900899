package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/guanxi-crm/guanxi/tools/devstack/stack"
)

// measureResources tells how soon the all-in-one process is ready and how much memory it and what it stands on hold when
// nothing is asked of them.
func measureResources(ctx context.Context, b *bench) error {
	began := time.Now()
	if err := b.serve(ctx, ""); err != nil {
		return err
	}
	again := time.Since(began)
	if err := b.settle(ctx); err != nil {
		return err
	}
	if err := pause(ctx, length(b, 30*time.Second, 5*time.Second)); err != nil {
		return err
	}
	const wantedMB, wantedSeconds = 700, 10
	own, err := memory(b.process.Pid())
	if err != nil {
		return err
	}
	rows := []row{
		{Name: "all-in-one process ready, databases to be made first", Unit: "s", Measured: b.firstTook.Seconds()},
		{Name: "all-in-one process stopped and ready again", Unit: "s", Measured: again.Seconds()},
		{Name: "PostgreSQL, Kafka, Temporal, issuer and traces ready, from an empty folder", Unit: "s", Measured: b.stackTook.Seconds()},
		{Name: "idle memory of the all-in-one process", Unit: "MB", Measured: own},
	}
	rows[0] = rows[0].atMost(wantedSeconds)
	rows[3] = rows[3].atMost(wantedMB)
	sum := own
	for _, part := range []string{stack.Postgres, stack.Kafka, stack.Temporal, stack.Issuer, stack.Traces} {
		m, err := memory(b.stack.Part(part).Pid())
		if err != nil {
			return err
		}
		sum += m
		rows = append(rows, row{Name: "idle memory of " + part, Unit: "MB", Measured: m})
	}
	b.add(append(rows, row{Name: "idle memory of everything together", Unit: "MB", Measured: sum})...)
	return nil
}

// memory is what a process and all that it started hold, in MB: pages that processes share count once, in shares.
func memory(pid int) (float64, error) {
	children, err := descendants()
	if err != nil {
		return 0, err
	}
	var sum float64
	for todo := []int{pid}; len(todo) > 0; todo = todo[1:] {
		kilobytes, err := proportional(todo[0])
		if os.IsNotExist(err) && todo[0] != pid {
			continue // it ended meanwhile
		}
		if err != nil {
			return 0, err
		}
		sum += kilobytes * 1024 / 1e6
		todo = append(todo, children[todo[0]]...)
	}
	return sum, nil
}

// descendants gives the children of every process.
func descendants() (map[int][]int, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(stats) == 0 {
		return nil, fmt.Errorf("memory is read from /proc, which is not here: %w", err)
	}
	children := make(map[int][]int)
	for _, path := range stats {
		raw, err := os.ReadFile(path)
		if err != nil {
			continue // it ended meanwhile
		}
		// pid (name) state parent ...; the name may hold anything
		_, rest, _ := strings.Cut(string(raw[strings.LastIndexByte(string(raw), ')'):]), " ")
		fields := strings.Fields(rest)
		pid, errPid := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if len(fields) < 2 || errPid != nil {
			continue
		}
		if parent, err := strconv.Atoi(fields[1]); err == nil {
			children[parent] = append(children[parent], pid)
		}
	}
	return children, nil
}

// proportional is the proportional set size of a process in kB.
func proportional(pid int) (float64, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(raw)) {
		if value, ok := strings.CutPrefix(line, "Pss:"); ok {
			return strconv.ParseFloat(strings.Fields(value)[0], 64)
		}
	}
	return 0, fmt.Errorf("/proc/%d/smaps_rollup has no Pss", pid)
}

// processorTime is the processors' time that a process took, with that of all that it started, in seconds.
func processorTime(pid int) (float64, error) {
	const ticks = 100 // a second, on every Linux that Go runs on
	children, err := descendants()
	if err != nil {
		return 0, err
	}
	var sum float64
	for todo := []int{pid}; len(todo) > 0; todo = todo[1:] {
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", todo[0]))
		if err != nil {
			continue // it ended meanwhile, and its parent has it in the sum of its children
		}
		fields := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+2:]))
		for _, field := range fields[11:15] { // own time as user and in the kernel, and that of children who have ended
			n, err := strconv.ParseFloat(field, 64)
			if err != nil {
				return 0, err
			}
			sum += n / ticks
		}
		todo = append(todo, children[todo[0]]...)
	}
	return sum, nil
}
