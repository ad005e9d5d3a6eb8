package agent

import (
	"net/netip"
	"slices"
	"sync/atomic"

	"github.com/heplake/heplake/ingest/hep"
	"github.com/heplake/heplake/ingest/media"
	"github.com/heplake/heplake/ingest/sip"
	"github.com/heplake/heplake/internal/pcap"
)

// Options say what an Extractor looks for and what it makes of it.
type Options struct {
	// Packet is given each SIP message, RTCP packet and, with RTP, RTP header.
	// The packet and all it holds are the extractor's again when it returns. Its
	// error ends the extraction.
	Packet func(*hep.Packet) error
	// HEP is given each HEP message as it was found, and its time in µs since the
	// Unix epoch. When nil, HEP is counted and skipped.
	HEP func(data []byte, us int64) error
	// Filter, when set, tells which payloads are looked at. It must not keep them.
	Filter func(*pcap.Payload) bool
	// Ports, when not empty, are those from or to which SIP is taken.
	Ports []uint16
	// RTP takes RTP packets too: their headers, never what they carry.
	RTP bool
	// RTCPAsJSON gives RTCP in the JSON form that HEP type 5 stands for. Without
	// it RTCP stays as it is on the wire, which our own collector takes too.
	RTCPAsJSON bool
	// Correlate names the call of RTCP and RTP, by the addresses in the SDP of
	// the SIP that went by.
	Correlate bool
	// CaptureID, Node and Key go into every packet: the agent's id, name and
	// password.
	CaptureID uint32
	Node, Key string
}

// Counts are what an Extractor found and what it passed over.
type Counts struct {
	// SIP, RTCP and RTP packets were given to Options.Packet, HEP messages to
	// Options.HEP (or skipped where that is nil).
	SIP, RTCP, RTP, HEP uint64
	// Ignored payloads were none of these; Filtered ones were not looked at;
	// Own ones went to or came from the collector.
	Ignored, Filtered, Own uint64
	// Undeflated counts compressed WebSocket messages that could not be read: they
	// are broken or too long, or lean on others that were not captured.
	Undeflated uint64
}

// Extractor finds messages in captured payloads. It is not safe for concurrent
// use, SetOwn excepted.
type Extractor struct {
	o       Options
	counts  Counts
	own     atomic.Pointer[[]netip.AddrPort]
	decoder hep.Decoder
	hep     hep.Packet // last decoded
	out     hep.Packet // handed to Options.Packet
	json    rtcpJSON
	streams streams
	rtp     rtpFlows
	calls   callIndex
	asked   pcap.Payload // what Options.Filter looks at
	// node and key are Options' as bytes.
	node, key []byte
}

// NewExtractor returns an extractor. Options.Packet must be set.
func NewExtractor(o Options) *Extractor {
	return &Extractor{o: o, calls: callIndex{scanner: sip.NewScanner(sip.Options{})}, node: []byte(o.Node), key: []byte(o.Key)}
}

// SetOwn names the collector's addresses: what goes to or comes from them is
// our own, and capturing it would never end.
func (x *Extractor) SetOwn(addrs []netip.AddrPort) { x.own.Store(&addrs) }

// Counts returns the figures so far.
func (x *Extractor) Counts() Counts { return x.counts }

// Payload takes a payload; it is the function for a pcap.Walker. The error is
// that of the functions in Options.
func (x *Extractor) Payload(p pcap.Payload) error {
	if own := x.own.Load(); own != nil && (slices.Contains(*own, p.Dst) || slices.Contains(*own, p.Src)) {
		x.counts.Own++
		return nil
	}
	if x.o.Filter != nil {
		if x.asked = p; !x.o.Filter(&x.asked) {
			x.counts.Filtered++
			return nil
		}
	}
	if p.Protocol == pcap.ProtocolTCP {
		return x.stream(p)
	}
	return x.message(p)
}

// message takes a payload that is a message of its own.
func (x *Extractor) message(p pcap.Payload) error {
	switch {
	case x.isHEP(p.Data):
		return x.addHEP(p)
	case sip.LooksLikeSIP(p.Data):
		return x.addSIP(p)
	case p.Protocol != pcap.ProtocolUDP:
	case IsRTCP(p.Data):
		return x.addRTCP(p)
	case x.o.RTP:
		return x.addRTP(p)
	}
	x.counts.Ignored++
	return nil
}

// magicHEP tells whether b begins with the magic of HEP version 3.
func magicHEP(b []byte) bool {
	return len(b) >= 4 && (string(b[:4]) == "HEP3" || string(b[:4]) == "EEP3")
}

// isHEP tells whether the payload is HEP of any version, and decodes it. What
// bears the magic of version 3 is HEP even when it is broken. Versions 1 and 2
// have no magic: what they carry must be SIP, or nothing.
func (x *Extractor) isHEP(b []byte) bool {
	if len(b) == 0 {
		return false
	}
	if err := x.decoder.Decode(&x.hep, b); err != nil {
		return magicHEP(b)
	}
	switch x.hep.Variant {
	case hep.HEP3, hep.EEP3:
		return true
	case hep.Protobuf:
		return x.hep.Type != 0
	}
	return sip.LooksLikeSIP(x.hep.Payload) || len(x.hep.Payload) == 0
}

// addHEP takes the message that isHEP decoded.
func (x *Extractor) addHEP(p pcap.Payload) error {
	x.counts.HEP++
	if x.o.HEP == nil {
		return nil
	}
	us := x.hep.Time
	if us == 0 {
		us = p.Time.UnixMicro()
	}
	return x.o.HEP(p.Data, us)
}

func (x *Extractor) addSIP(p pcap.Payload) error {
	if x.o.Correlate {
		x.calls.learn(p.Data)
	}
	if ports := x.o.Ports; len(ports) > 0 && !slices.Contains(ports, p.Src.Port()) && !slices.Contains(ports, p.Dst.Port()) {
		x.counts.Filtered++
		return nil
	}
	x.counts.SIP++
	return x.add(p, hep.TypeSIP, p.Data)
}

// IsRTCP tells whether the bytes begin like RTCP: version 2, a packet type of
// RFC 3550, 4585 or 3611, and a length that fits (RFC 3550 section A.2).
func IsRTCP(b []byte) bool {
	const minType, maxType = 200, 207
	return len(b) >= 8 && b[0]>>6 == 2 && b[1] >= minType && b[1] <= maxType && 4*(int(b[2])<<8+int(b[3])+1) <= len(b)
}

func (x *Extractor) addRTCP(p pcap.Payload) error {
	x.counts.RTCP++
	payload := p.Data
	if x.o.RTCPAsJSON {
		// Encrypted and broken ones stay as they are.
		if text, ok := x.json.convert(p.Data); ok {
			payload = text
		}
	}
	return x.add(p, hep.TypeRTCP, payload)
}

func (x *Extractor) addRTP(p pcap.Payload) error {
	h, ok := media.RTPHeader(p.Data)
	if !ok {
		x.counts.Ignored++
		return nil
	}
	first, sure := x.rtp.sure(rtpKey{p.Src, p.Dst, h.SSRC}, h.Sequence, headerOnly(p.Data, h), p.Time)
	if !sure {
		return nil
	}
	if first != nil {
		x.counts.RTP++
		q := p
		q.Time = first.seen
		if err := x.add(q, hep.TypeRTP, first.header); err != nil {
			return err
		}
	}
	x.counts.RTP++
	return x.add(p, hep.TypeRTP, headerOnly(p.Data, h))
}

// add hands over a packet.
func (x *Extractor) add(p pcap.Payload, typ uint16, payload []byte) error {
	x.out = hep.Packet{
		Protocol: p.Protocol, Src: p.Src.Addr(), Dst: p.Dst.Addr(), SrcPort: p.Src.Port(), DstPort: p.Dst.Port(),
		Time: p.Time.UnixMicro(), Type: typ, CaptureID: x.o.CaptureID, NodeName: x.node, AuthKey: x.key,
		VLAN: p.VLAN, TOS: p.TOS, Payload: payload,
	}
	if x.o.Correlate && typ != hep.TypeSIP {
		x.out.CorrelationID = x.calls.find(p.Dst, p.Src)
	}
	return x.o.Packet(&x.out)
}
