package ingest

import (
	"net/netip"
	"slices"
	"strings"
	"sync"
	"unsafe"

	"github.com/heplake/heplake/ingest/sip"
)

// mediaIndex knows which call a media address belongs to, from the SDP that
// has gone by: RTCP and RTP whose sender names no call are correlated by it.
// All workers share it, as media is often reported by another agent than SIP.
type mediaIndex struct {
	mu sync.RWMutex
	// Two generations: what was not used for a whole one is forgotten.
	young, old map[mediaKey]*mediaCall
}

// mediaKey is a media address: 16 bytes of IP address, IPv4 mapped, and the
// port. Unlike a netip.AddrPort it holds no pointer and hashes as plain memory.
type mediaKey struct {
	addr [16]byte
	port uint16
}

func keyOf(a netip.AddrPort) mediaKey { return mediaKey{as16(a.Addr()), a.Port()} }

// parseAddr reads an address out of a packet, without copying it: an address
// keeps nothing of the text, and the error, which would, is dropped.
func parseAddr(b []byte) (netip.Addr, bool) {
	a, err := netip.ParseAddr(unsafe.String(unsafe.SliceData(b), len(b)))
	return a, err == nil
}

// mediaCall is what SDP said about an address.
//
// There may be hundreds of thousands: an array of a name for each of the 128
// payload types would be 2 KiB of each.
type mediaCall struct {
	callID, correlation string
	codecs              []payloadCodec
}

// payloadCodec is a payload type with the codec that it stands for in a call.
type payloadCodec struct {
	payloadType uint8
	name        string
}

// maxMediaAddresses bounds a generation: two addresses for each party of a call.
const maxMediaAddresses = 200_000

// learn takes the addresses of a message's SDP.
func (x *mediaIndex) learn(m *sip.Message, correlation []byte) {
	if !m.SDP.Has || len(m.CallID) == 0 {
		return
	}
	var call *mediaCall
	for _, s := range m.SDP.Streams() {
		if s.Port == 0 {
			continue
		}
		addr, ok := parseAddr(s.Addr)
		if !ok {
			continue // a name, or nothing
		}
		rtcp := addr
		if len(s.RTCPAddr) > 0 {
			if a, ok := parseAddr(s.RTCPAddr); ok {
				rtcp = a
			}
		}
		keys := [2]mediaKey{{as16(addr), s.Port}, {as16(rtcp), s.RTCPPort}}
		if known := x.know(&keys, m.CallID); known {
			continue
		}
		if call == nil {
			call = newMediaCall(m, correlation)
		}
		x.put(&keys, call)
	}
}

func newMediaCall(m *sip.Message, correlation []byte) *mediaCall {
	c := &mediaCall{callID: string(m.CallID), correlation: string(correlation)}
	names := m.SDP.Codecs()
	types := m.SDP.PayloadTypes()
	c.codecs = make([]payloadCodec, 0, min(len(types), len(names)))
	for i := range cap(c.codecs) {
		c.codecs = append(c.codecs, payloadCodec{types[i], codecName(names[i])})
	}
	return c
}

// know tells whether the addresses are known to be the call's, so that a
// retransmission or the same SDP on the next hop costs no memory. A port of 0
// is none.
func (x *mediaIndex) know(keys *[2]mediaKey, callID []byte) bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	for _, key := range keys {
		if key.port == 0 {
			continue
		}
		if c := x.young[key]; c == nil || c.callID != string(callID) {
			return false
		}
	}
	return true
}

func (x *mediaIndex) put(keys *[2]mediaKey, c *mediaCall) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.young == nil || len(x.young) >= maxMediaAddresses {
		x.old, x.young = x.young, make(map[mediaKey]*mediaCall)
	}
	for _, key := range keys {
		if key.port != 0 {
			x.young[key] = c
		}
	}
}

// find returns the call of the first of the addresses that has one; nil when
// none has.
func (x *mediaIndex) find(keys ...netip.AddrPort) *mediaCall {
	x.mu.RLock()
	defer x.mu.RUnlock()
	for _, a := range keys {
		key := keyOf(a)
		if c := x.young[key]; c != nil {
			return c
		}
		if c := x.old[key]; c != nil {
			return c
		}
	}
	return nil
}

// codec is the name of the payload type in the call, "" when it is not in its
// SDP. Of a type named twice the last counts.
func (c *mediaCall) codec(payloadType int) string {
	const maxPayloadType = 127
	if payloadType < 0 || payloadType > maxPayloadType {
		return ""
	}
	for _, codec := range slices.Backward(c.codecs) {
		if int(codec.payloadType) == payloadType {
			return codec.name
		}
	}
	return ""
}

// codecName is the name as a string, of which there is one for the usual codecs.
func codecName(name []byte) string {
	if s, ok := usualCodecs[string(name)]; ok {
		return s
	}
	return string(name)
}

var usualCodecs = func() map[string]string {
	names := map[string]string{}
	for _, s := range []string{"PCMA", "PCMU", "G722", "G729", "G726-32", "GSM", "iLBC", "opus", "AMR", "AMR-WB", "EVS", "speex", "CN", "telephone-event"} {
		names[s] = s
	}
	return names
}()

// clockRates are the RTP clocks that are not 8 kHz, by lower-case codec name
// (RFC 3551, RFC 7587, RFC 4867, RFC 3047).
var clockRates = map[string]int{
	"opus": 48000, "amr-wb": 16000, "evs": 16000, "g7221": 16000, "speex": 8000, "l16": 44100, "mpa": 90000,
	"h264": 90000, "h265": 90000, "vp8": 90000, "vp9": 90000, "h263": 90000, "h261": 90000, "av1": 90000,
}

// clock is the RTP clock rate of a codec in Hz, 0 when the codec is unknown.
func clock(codec string) int {
	if codec == "" {
		return 0
	}
	if hz, ok := clockRates[strings.ToLower(codec)]; ok {
		return hz
	}
	const narrowband = 8000
	return narrowband
}
