package pgtest

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// startTied starts cmd so that the kernel ends it with SIGQUIT, an immediate shutdown, when this process ends in whatever
// way. ended gets the result of Wait.
//
// The signal comes when the thread ends that started the process, so that thread belongs to the process until its end.
func startTied(cmd *exec.Cmd, who identity) (ended <-chan error, err error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGQUIT, Credential: who.credential()}
	started, done := make(chan error), make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if err := cmd.Start(); err != nil {
			started <- err
			return
		}
		started <- nil
		done <- cmd.Wait()
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return done, nil
}

// isPostgres tells whether the process is a postmaster of the data folder, and not one that got its number since.
func isPostgres(pid int, data string) bool {
	cwd, err := os.Readlink("/proc/" + itoa(pid) + "/cwd")
	return err == nil && cwd == data
}
