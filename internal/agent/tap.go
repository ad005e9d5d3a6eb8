package agent

import (
	"fmt"
	"sync"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"github.com/heplake/heplake/internal/pcap"
)

// TapStats are the figures of a live capture.
type TapStats struct {
	// Stats are those of the frames, Counts those of what was in them.
	pcap.Stats
	Counts
	// KernelDrops counts frames that the kernel dropped for want of buffer.
	KernelDrops uint64
}

// String is one line for people.
func (s TapStats) String() string {
	line := fmt.Sprintf("%d frames: %d SIP, %d RTCP", s.Frames, s.SIP, s.RTCP)
	if s.RTP > 0 {
		line += fmt.Sprintf(", %d RTP", s.RTP)
	}
	for _, c := range []struct {
		n    uint64
		what string
	}{
		{s.HEP, "HEP, not captured again"}, {s.Own, "to or from the collector"}, {s.Filtered, "filtered out"},
		{s.Ignored, "of something else"}, {s.Undeflated, "compressed and not readable"}, {s.Other, "without UDP, TCP or SCTP"}, {s.KernelDrops, "dropped by the kernel"},
	} {
		if c.n > 0 {
			line += fmt.Sprintf("; %d %s", c.n, c.what)
		}
	}
	return line
}

// Tap takes live frames through a walker and an extractor. While no frame
// comes its clock gives up what waits in vain. It is safe for concurrent use.
type Tap struct {
	mu     sync.Mutex
	walker *pcap.Walker
	x      *Extractor
	drops  uint64
	stop   chan struct{}
	clock  sync.WaitGroup
}

// sweepEvery is how often the clock of a Tap ticks.
const sweepEvery = time.Second

// NewTap returns a running tap over the extractor. onTick, when not nil, is
// called once a second and adds to the frames that the kernel dropped.
func NewTap(x *Extractor, onTick func() (drops uint64)) *Tap {
	t := &Tap{walker: pcap.NewWalker(x.Payload), x: x, stop: make(chan struct{})}
	t.clock.Go(func() {
		tick := time.NewTicker(sweepEvery)
		defer tick.Stop()
		for {
			select {
			case <-t.stop:
				return
			case now := <-tick.C:
				t.mu.Lock()
				if onTick != nil {
					t.drops += onTick()
				}
				t.walker.Sweep(now)
				t.mu.Unlock()
			}
		}
	})
	return t
}

// Frame takes one frame. The error is that of the extractor's functions.
func (t *Tap) Frame(data []byte, link layers.LinkType, info gopacket.CaptureInfo) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.walker.Frame(data, link, info)
}

// Close stops the clock and hands over what TCP streams hold. No frame may come
// any more.
func (t *Tap) Close() error {
	close(t.stop)
	t.clock.Wait()
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.walker.Flush(); err != nil {
		return err
	}
	return t.x.Flush()
}

// Stats returns the figures of this moment.
func (t *Tap) Stats() TapStats {
	t.mu.Lock()
	defer t.mu.Unlock()
	return TapStats{t.walker.Stats(), t.x.Counts(), t.drops}
}
