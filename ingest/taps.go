package ingest

import (
	"context"
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/heplake/heplake/ingest/listen"
	sniff "github.com/heplake/heplake/internal/agent"
)

// Listeners that take signalling which nobody sent as HEP: from a network
// interface, and from IP-in-IP mirrors. Each feeds one worker, the first: their
// messages are taken apart one at a time anyway.

// tap is such a listener.
type tap interface {
	Start()
	Close() error
	Stats() sniff.TapStats
}

// The names of their transports.
const (
	transportIPIP      = "ipip"
	transportInterface = "interface"
)

func (p *Pipeline) listenTaps(ctx context.Context) error {
	p.taps = map[string]tap{}
	if addr := p.cfg.IPIP; addr != "" {
		l, err := listen.ListenIPIP(ctx, addr, p.sinks(transportIPIP)[0])
		if err != nil {
			return fmt.Errorf("hep.ipip: %w", err)
		}
		p.taps[transportIPIP] = l
	}
	if name := p.cfg.Interface; name != "" {
		l, err := listen.ListenInterface(name, p.sinks(transportInterface)[0])
		if err != nil {
			return fmt.Errorf("hep.interface: %w", err)
		}
		p.taps[transportInterface] = l
	}
	return nil
}

func (p *Pipeline) closeTaps() error {
	var errs []error
	for _, t := range p.taps {
		errs = append(errs, t.Close())
	}
	return errors.Join(errs...)
}

// noteTapDrops enters the frames that the kernel dropped since the last look.
// What was in them nobody knows: each counts as a packet.
func (p *Pipeline) noteTapDrops() {
	for transport, t := range p.taps {
		drops := t.Stats().KernelDrops
		if n := drops - p.tapDrops[transport]; n > 0 {
			p.ledger.lost(transport, Loss{"listen", "kernel_buffer"}, n)
			p.tapDrops[transport] = drops
		}
	}
}

var descFrames = prometheus.NewDesc("heplake_captured_frames_total",
	"Frames and what was found in them, by transport (interface, ipip); only sip and rtcp become packets.", []string{"transport", "what"}, nil)

func (p *Pipeline) collectTaps(ch chan<- prometheus.Metric) {
	for transport, t := range p.taps {
		s := t.Stats()
		for _, c := range []struct {
			what string
			n    uint64
		}{
			{"frames", s.Frames}, {"sip", s.SIP}, {"rtcp", s.RTCP}, {"hep", s.HEP},
			{"ignored", s.Ignored}, {"undeflated", s.Undeflated}, {"no_transport", s.Other}, {"fragments", s.Fragments}, {"kernel_drops", s.KernelDrops},
		} {
			ch <- prometheus.MustNewConstMetric(descFrames, prometheus.CounterValue, float64(c.n), transport, c.what)
		}
	}
}
