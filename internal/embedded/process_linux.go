package embedded

import (
	"os"
	"syscall"
)

// sysProcAttr puts the child into a process group of its own, so that a Ctrl-C
// in the terminal reaches the parent alone, and asks the kernel to wake it when the
// parent dies: a child that is paused would not even see that its pipe has ended.
func sysProcAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGCONT}
}

// halt stops the process where it is until it gets SIGCONT.
func halt(p *os.Process) error { return p.Signal(syscall.SIGSTOP) }

// dup2 makes descriptor new a copy of old. Not every Linux has the system call
// dup2; all have dup3.
func dup2(old, new int) error { return syscall.Dup3(old, new, 0) }

// stepBack lowers the priority of the calling thread, and so of every thread
// that it starts. On Linux priority is a thread's.
func stepBack(niceness int) { _ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, niceness) }
