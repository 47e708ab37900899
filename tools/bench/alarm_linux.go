package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// alarm wakes one goroutine at a time of the kernel's clock. Go's own timers are up to a millisecond late; to sleep in a
// system call would keep the processor from goroutines that have something to do.
type alarm struct{ file *os.File }

func newAlarm() (*alarm, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("a timer of the kernel: %w", err)
	}
	return &alarm{os.NewFile(uintptr(fd), "timerfd")}, nil
}

// sleepUntil returns when the time has come.
func (a *alarm) sleepUntil(due time.Time) error {
	left := time.Until(due)
	if left <= 0 {
		return nil
	}
	raw, err := a.file.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		failed = unix.TimerfdSettime(int(fd), 0, &unix.ItimerSpec{Value: unix.NsecToTimespec(int64(left))}, nil)
	})
	if err := errors.Join(err, failed); err != nil {
		return fmt.Errorf("set a timer of the kernel: %w", err)
	}
	var times [8]byte // how often it went off
	_, err = a.file.Read(times[:])
	return err
}

func (a *alarm) close() { _ = a.file.Close() }
