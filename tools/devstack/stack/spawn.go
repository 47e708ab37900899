package stack

import (
	"errors"
	"os/exec"
	"runtime"
)

// spawner starts programs from one thread that lives as long as it does. On Linux a child can be told to end with the
// thread that started it, so that nothing is left behind when this process is killed; Go's other threads come and go.
type spawner struct {
	work chan func()
}

func newSpawner() *spawner {
	s := &spawner{work: make(chan func())}
	go func() {
		runtime.LockOSThread()
		for f := range s.work {
			f()
		}
	}()
	return s
}

func (s *spawner) start(cmd *exec.Cmd) error {
	result := errors.New("not started")
	done := make(chan struct{})
	s.work <- func() { result = cmd.Start(); close(done) }
	<-done
	return result
}

func (s *spawner) close() { close(s.work) }
