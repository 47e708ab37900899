//go:build !linux

package main

import "syscall"

// apart keeps a broker out of our process group, so that an interrupt from the keyboard does not reach it before the
// command has ended.
func apart() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
