package agent

import (
	"bytes"
	"net/netip"
	"time"

	"github.com/heplake/heplake/ingest/media"
)

// RTP has no magic: two packets of one source with consecutive sequence numbers
// make a stream (RFC 3550 section A.1, MIN_SEQUENTIAL).

type rtpKey struct {
	src, dst netip.AddrPort
	ssrc     uint32
}

// rtpFlow is a stream, or what may become one.
type rtpFlow struct {
	sure   bool
	seq    uint16
	header []byte // of the packet that may be its first
	seen   time.Time
}

// rtpFlows tells streams of RTP from other datagrams. The zero value is ready.
type rtpFlows struct{ now, past map[rtpKey]*rtpFlow }

// maxRTPFlows bounds each of the two generations of streams.
const maxRTPFlows = 32768

// sure takes a packet that looks like RTP. It tells whether it belongs to a
// stream; with the packet that makes it sure it returns the one before, which
// was held back. header is not kept.
func (f *rtpFlows) sure(key rtpKey, seq uint16, header []byte, now time.Time) (first *rtpFlow, sure bool) {
	flow := f.now[key]
	if flow == nil {
		if flow = f.past[key]; flow == nil {
			flow = &rtpFlow{seq: seq, header: bytes.Clone(header), seen: now}
			f.put(key, flow)
			return nil, false
		}
		f.put(key, flow)
	}
	if flow.sure {
		return nil, true
	}
	if seq != flow.seq+1 {
		flow.seq, flow.header, flow.seen = seq, bytes.Clone(header), now
		return nil, false
	}
	flow.sure = true
	first = &rtpFlow{header: flow.header, seen: flow.seen}
	flow.header = nil
	return first, true
}

func (f *rtpFlows) put(key rtpKey, flow *rtpFlow) {
	if f.now == nil || len(f.now) >= maxRTPFlows {
		f.now, f.past = map[rtpKey]*rtpFlow{}, f.now
	}
	f.now[key] = flow
}

// headerOnly is a copy of an RTP packet without what it carries. The padding
// bit is cleared: the padding is gone too.
func headerOnly(packet []byte, h media.RTP) []byte {
	const padding = 0x20
	end := len(packet) - len(h.Payload)
	if packet[0]&padding != 0 {
		end -= int(packet[len(packet)-1])
	}
	out := bytes.Clone(packet[:end])
	out[0] &^= padding
	return out
}
