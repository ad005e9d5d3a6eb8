//go:build unix && !linux

package embedded

import "syscall"

// sysProcAttr puts the child into a process group of its own, so that a Ctrl-C
// in the terminal reaches the parent alone.
func sysProcAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}

// dup2 makes descriptor new a copy of old.
func dup2(old, new int) error { return syscall.Dup2(old, new) }

// stepBack lowers the priority of the engine, which ingest goes before.
func stepBack() { _ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, 5) }
