package main

import (
	"cmp"
	"context"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// How much may be allocated before garbage is collected: gcPercent of what is in
// use, and gcLeast at least. Most of what is in use at high rates are batches, which
// hold no pointers and cost the collector nothing; at low rates there is so little
// in use that a share of it would have the collector run all the time.
const (
	gcPercent = 40
	gcLeast   = 96 << 20
	gcEvery   = 10 * time.Second
)

// gcShare is the percentage that allows for gcPercent or gcLeast with so many bytes
// in use.
func gcShare(live uint64) int {
	return int(max(gcPercent, min(1000, 100*gcLeast/max(live, 1))))
}

// tuneCollector keeps the collector's percentage by what is in use, until ctx ends.
func tuneCollector(ctx context.Context) {
	tick := time.NewTicker(gcEvery)
	defer tick.Stop()
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	for was := 0; ; {
		metrics.Read(live)
		if share := gcShare(live[0].Value.Uint64()); share != was {
			debug.SetGCPercent(share)
			was = share
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// tuneRuntime sets up Go's garbage collector, but for what the environment says of
// it.
func (s *server) tuneRuntime() {
	if os.Getenv("GOGC") == "" {
		ctx, cancel := context.WithCancel(context.Background())
		go tuneCollector(ctx)
		s.onStop(func(context.Context) error { cancel(); return nil })
	}
	if limit := int64(s.c.Memory.Limit); limit > 0 && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(limit)
	}
}

// workers is how many receive: hep.workers, or one for each processor. The others
// of the process get threads besides. A worker that waits for the assembler or the
// collector to leave a processor to it loses packets meanwhile; with a thread for
// each there is the kernel's scheduler, which lets the one that slept go first.
func (s *server) workers() int {
	processors := runtime.GOMAXPROCS(0)
	workers := cmp.Or(s.c.HEP.Workers, processors)
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(workers + max(2, processors))
	}
	return workers
}
