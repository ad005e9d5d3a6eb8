package main

import (
	"cmp"
	"os"
	"runtime"
	"runtime/debug"
)

// gcPercent is how much may be allocated, as a share of what is in use, before
// garbage is collected. Most of what is in use are batches, which hold no pointers
// and cost the collector nothing.
const gcPercent = 50

// tuneRuntime sets up Go's scheduler and garbage collector, but for what the
// environment says of them.
func (s *server) tuneRuntime() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if limit := int64(s.c.Memory.Limit); limit > 0 && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(limit)
	}
	if os.Getenv("GOMAXPROCS") == "" {
		// A worker that waits for the assembler or the collector to leave a processor
		// to it loses packets meanwhile. With a thread for each there is the kernel's
		// scheduler, which lets the one that slept go first.
		workers := cmp.Or(s.c.HEP.Workers, runtime.GOMAXPROCS(0))
		s.c.HEP.Workers = workers
		runtime.GOMAXPROCS(workers + max(2, runtime.GOMAXPROCS(0)))
	}
}
