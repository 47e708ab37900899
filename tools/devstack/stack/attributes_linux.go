package stack

import "syscall"

// processAttributes puts a child into a process group of its own, so that Ctrl-C reaches it only through us, and kills
// it when we die: nothing may go on behind our back, and every part survives being killed.
func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
