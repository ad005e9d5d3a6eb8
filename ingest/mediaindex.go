package ingest

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"net/netip"
	"sync"
	"unsafe"

	"github.com/heplake/heplake/ingest/sip"
)

// mediaIndex knows which call a media address belongs to, from the SDP that
// has gone by: RTCP and RTP whose sender names no call are correlated by it.
// All workers share it, as media is often reported by another agent than SIP.
type mediaIndex struct {
	mu sync.RWMutex
	// Two generations: what was neither said nor asked for during a whole one is
	// forgotten.
	young, old mediaGeneration
}

// mediaKey is a media address: 16 bytes of IP address, IPv4 mapped, and the
// port, 0 being none.
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

// mediaCall is what SDP said about an address. Its slices are the index's, and
// hold for ever; who keeps one for long makes a copy, as it holds up what else is
// in the same generation.
type mediaCall struct {
	callID, correlation []byte
	// codecs are payload types, each with the name of its codec: see appendCodecs.
	codecs []byte
}

// clone is the call with memory of its own.
func (c *mediaCall) clone() *mediaCall {
	return &mediaCall{bytes.Clone(c.callID), bytes.Clone(c.correlation), bytes.Clone(c.codecs)}
}

// mediaGeneration has calls by address in memory without pointers: there may be
// hundreds of thousands, which a garbage collector need not go through. Calls are
// only ever added to: what was read of them holds.
type mediaGeneration struct {
	slots []mediaPair // open addressing; a power of two long, at most half full
	used  int
	calls []byte
}

// mediaPair is a port and the next, mostly those of RTP and RTCP of one stream.
type mediaPair struct {
	addr [16]byte
	port uint16 // the even one
	// calls are where the ports' calls begin in the generation's, from one; 0 is none.
	calls [2]uint32
}

// A generation's bounds. A call has two pairs mostly, and takes some 150 bytes of
// both.
const (
	maxMediaPairs = 1 << 17
	maxMediaBytes = 12 << 20
)

var mediaSeed = [2]uint64{maphash.String(maphash.MakeSeed(), "low"), maphash.String(maphash.MakeSeed(), "high")}

// pair returns the slot of the address, a free one when it is not there. There must
// be slots.
func (g *mediaGeneration) pair(k *mediaKey) *mediaPair {
	low, high := binary.NativeEndian.Uint64(k.addr[:8]), binary.NativeEndian.Uint64(k.addr[8:])
	even := k.port &^ 1
	a, b := bits.Mul64(low^mediaSeed[0]^uint64(even)<<32, high^mediaSeed[1])
	mask := uint64(len(g.slots) - 1)
	for i := (a ^ b) & mask; ; i = (i + 1) & mask {
		p := &g.slots[i]
		if p.calls == [2]uint32{} || p.port == even && p.addr == k.addr {
			return p
		}
	}
}

// find returns where the address's call begins, from one; 0 when there is none.
func (g *mediaGeneration) find(k *mediaKey) uint32 {
	if k.port == 0 || len(g.slots) == 0 {
		return 0
	}
	return g.pair(k).calls[k.port&1]
}

// put gives the address a call.
func (g *mediaGeneration) put(k *mediaKey, call uint32) {
	if 2*(g.used+1) > len(g.slots) {
		was := g.slots
		g.slots = make([]mediaPair, max(1<<10, 2*len(was)))
		for i := range was {
			if p := &was[i]; p.calls != [2]uint32{} {
				*g.pair(&mediaKey{p.addr, p.port}) = *p
			}
		}
	}
	p := g.pair(k)
	if p.calls == [2]uint32{} {
		p.addr, p.port = k.addr, k.port&^1
		g.used++
	}
	p.calls[k.port&1] = call
}

// add keeps a call and returns where, from one.
func (g *mediaGeneration) add(c *mediaCall) uint32 {
	at := uint32(len(g.calls) + 1)
	b := appendPart(g.calls, c.callID)
	if bytes.Equal(c.correlation, c.callID) {
		b = append(b, 0)
	} else {
		b = append(binary.AppendUvarint(b, uint64(len(c.correlation)+1)), c.correlation...)
	}
	g.calls = appendPart(b, c.codecs)
	return at
}

func appendPart(b, part []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(part))), part...)
}

// call is the one that begins there.
func (g *mediaGeneration) call(at uint32) (c mediaCall) {
	b := g.calls[at-1:]
	c.callID, b = cutPart(b, 0)
	if b[0] == 0 {
		c.correlation, b = c.callID, b[1:]
	} else {
		c.correlation, b = cutPart(b, 1)
	}
	c.codecs, _ = cutPart(b, 0)
	return c
}

// cutPart cuts what follows its length and so much more.
func cutPart(b []byte, more int) (part, rest []byte) {
	n, w := binary.Uvarint(b)
	end := w + int(n) - more
	return b[w:end:end], b[end:]
}

// full reports whether another generation has to begin.
func (g *mediaGeneration) full() bool {
	return g.used >= maxMediaPairs || len(g.calls) >= maxMediaBytes
}

// learn takes the addresses of a message's SDP.
func (x *mediaIndex) learn(m *sip.Message, correlation []byte) {
	if !m.SDP.Has || len(m.CallID) == 0 {
		return
	}
	var room [2 * sip.MaxStreams]mediaKey
	keys := room[:0]
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
		keys = append(keys, mediaKey{as16(addr), s.Port}, mediaKey{as16(rtcp), s.RTCPPort})
	}
	if !x.know(keys, m.CallID) {
		x.put(keys, m, correlation)
	}
}

// know tells whether all addresses are known to be the call's, so that a
// retransmission or the same SDP on the next hop costs no memory.
func (x *mediaIndex) know(keys []mediaKey, callID []byte) bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	known := uint32(0)
	for i := range keys {
		if keys[i].port == 0 {
			continue
		}
		at := x.young.find(&keys[i])
		if at == 0 {
			return false
		}
		if at != known {
			if id, _ := cutPart(x.young.calls[at-1:], 0); !bytes.Equal(id, callID) {
				return false
			}
			known = at
		}
	}
	return true
}

func (x *mediaIndex) put(keys []mediaKey, m *sip.Message, correlation []byte) {
	var room [256]byte
	c := mediaCall{m.CallID, correlation, appendCodecs(room[:0], m)}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.enter(keys, &c)
}

// enter puts the call into the young generation. The caller holds the lock.
func (x *mediaIndex) enter(keys []mediaKey, c *mediaCall) {
	if x.young.full() {
		// Who found something in a generation may still read it: memory is not reused.
		x.old, x.young = x.young, mediaGeneration{slots: make([]mediaPair, len(x.young.slots)), calls: make([]byte, 0, len(x.young.calls))}
	}
	at := x.young.add(c)
	for i := range keys {
		if keys[i].port != 0 {
			x.young.put(&keys[i], at)
		}
	}
}

// find returns the call of the first of the addresses that has one, and whether
// any has.
func (x *mediaIndex) find(addresses ...netip.AddrPort) (c mediaCall, found bool) {
	for _, a := range addresses {
		key := keyOf(a)
		if c, found = x.at(&key); found {
			return c, true
		}
	}
	return mediaCall{}, false
}

// at returns the address's call. What is asked for is not forgotten: it enters the
// young generation.
func (x *mediaIndex) at(k *mediaKey) (c mediaCall, found bool) {
	x.mu.RLock()
	young, old := x.young.find(k), x.old.find(k)
	switch {
	case young != 0:
		c = x.young.call(young)
	case old != 0:
		c = x.old.call(old)
	}
	x.mu.RUnlock()
	if young == 0 && old != 0 {
		x.mu.Lock()
		defer x.mu.Unlock()
		if x.young.find(k) == 0 {
			x.enter([]mediaKey{*k}, &c)
		}
	}
	return c, young != 0 || old != 0
}

// appendCodecs appends the SDP's payload types, each with its codec.
func appendCodecs(b []byte, m *sip.Message) []byte {
	names := m.SDP.Codecs()
	for i, t := range m.SDP.PayloadTypes() {
		if i < len(names) {
			b = appendPart(append(b, t), names[i])
		}
	}
	return b
}

// codec is the name of the payload type in the call, empty when it is not in its
// SDP. Of a type named twice the last counts.
func (c *mediaCall) codec(payloadType uint8) (name []byte) {
	for rest := c.codecs; len(rest) > 0; {
		t := rest[0]
		var n []byte
		if n, rest = cutPart(rest[1:], 0); t == payloadType {
			name = n
		}
	}
	return name
}
