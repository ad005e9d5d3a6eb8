package embedded

import "syscall"

// sysProcAttr puts the child into a process group of its own, so that a Ctrl-C
// in the terminal reaches the parent alone, and asks the kernel to terminate it
// when the parent dies, should the pipe ever fail to tell.
func sysProcAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
