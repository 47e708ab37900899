package stack

import "syscall"

// processAttributes puts a child into a process group of its own, so that Ctrl-C reaches it only through us, and ends
// it when we die.
func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
