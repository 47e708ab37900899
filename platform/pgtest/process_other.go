//go:build unix && !linux

package pgtest

import (
	"os/exec"
	"strings"
	"syscall"
)

// startTied starts cmd. Only Linux can tie it to this process; elsewhere a server whose process was killed is ended at
// the next start.
func startTied(cmd *exec.Cmd, who identity) (ended <-chan error, err error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: who.credential()}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	return done, nil
}

// isPostgres tells whether the process is a postmaster of the data folder, and not one that got its number since.
func isPostgres(pid int, data string) bool {
	out, err := exec.Command("ps", "-o", "command=", "-p", itoa(pid)).Output()
	return err == nil && strings.Contains(string(out), data)
}
