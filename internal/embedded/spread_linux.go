package embedded

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// fsTopDir is FS_TOPDIR_FL of linux/fs.h.
const fsTopDir = 0x00020000

// seeksInodes says whether path is on an ext4 without a journal.
func seeksInodes(path string) bool {
	var s unix.Stat_t
	if err := unix.Stat(path, &s); err != nil {
		return false
	}
	device, err := os.Readlink(fmt.Sprintf("/sys/dev/block/%d:%d", unix.Major(uint64(s.Dev)), unix.Minor(uint64(s.Dev)))) //nolint:unconvert // Dev is narrower on some processors
	if err != nil {
		return false
	}
	// There is no such file for other file systems; with a journal it has the
	// number of the journal's thread.
	task, err := os.ReadFile(filepath.Join("/sys/fs/ext4", filepath.Base(device), "journal_task"))
	return err == nil && strings.TrimSpace(string(task)) == "<none>"
}

// markTop says of a folder that the folders in it have nothing to do with each
// other.
func markTop(folder string) error {
	f, err := os.Open(folder)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	flags, err := unix.IoctlGetUint32(int(f.Fd()), unix.FS_IOC_GETFLAGS)
	if err != nil || flags&fsTopDir != 0 {
		return err
	}
	return unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, int(flags|fsTopDir))
}
