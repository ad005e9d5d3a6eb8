package embedded

import (
	"context"
	"path/filepath"
	"time"
)

// A part is a folder of a dozen files, and parts come and go all the time. ext4
// makes files in the group of inodes of their folder, folders in that of their
// parent, and without a journal it does not give out an inode again for up to
// six minutes after its file went: it looks at every such inode of the group for
// each new file (find_inode_bit and recently_deleted of fs/ext4/ialloc.c). At
// 20,000 messages a second that was a tenth of the engine's CPU. A folder
// can say that what is below it is unrelated (FS_TOPDIR_FL, chattr +T): then
// each part gets a group to itself.
//
// Virtual machines made for one task have such file systems, Firecracker's for
// one. With a journal there is nothing to gain, and parts stay neighbours.

// spreadEvery bounds how long the folder of a new table goes unmarked.
const spreadEvery = time.Minute

// spreadParts marks the folders of tables below data, also those made later,
// until ctx ends. It returns at once where it would change nothing.
func spreadParts(ctx context.Context, data string) {
	if !seeksInodes(data) {
		return
	}
	// Tables are made soon after the start, if at all.
	known := map[string]bool{}
	for wait := time.Second; ; wait = min(2*wait, spreadEvery) {
		folders, _ := filepath.Glob(filepath.Join(data, "store", "*", "*"))
		for _, f := range folders {
			if !known[f] {
				known[f] = true
				_ = markTop(f) // it is only slower without
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}
