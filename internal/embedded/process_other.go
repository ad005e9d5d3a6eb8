//go:build unix && !linux

package embedded

import (
	"errors"
	"os"
	"syscall"
)

// sysProcAttr puts the child into a process group of its own, so that a Ctrl-C
// in the terminal reaches the parent alone.
func sysProcAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}

// halt refuses: when the parent is killed nobody would wake the child here.
func halt(*os.Process) error { return errors.ErrUnsupported }

// dup2 makes descriptor new a copy of old.
func dup2(old, new int) error { return syscall.Dup2(old, new) }

// stepBack lowers the priority of this process.
func stepBack(niceness int) { _ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, niceness) }
