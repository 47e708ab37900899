package main

import "syscall"

// apart keeps a broker out of our process group, so that an interrupt from the keyboard does not reach it before the
// command has ended, and has it killed should we be killed.
func apart() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
