package hep

import (
	"bytes"
	"math"
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/heplake/heplake/internal/captures"
)

// TestAppendCaptures: what is written of every real packet decodes to the same
// packet, and what is written of that is the same message.
func TestAppendCaptures(t *testing.T) {
	var d, d2 Decoder
	var p, q Packet
	for _, name := range hepCaptures(t) {
		for _, m := range messages(t, captures.Path(name+".pcap")) {
			if err := d.Decode(&p, m.bytes); err != nil {
				t.Fatal(err)
			}
			once := Append(nil, &p)
			if err := d2.Decode(&q, once); err != nil {
				t.Fatalf("%s frame %d: %v", name, m.frame, err)
			}
			if diff := difference(&p, &q); diff != "" {
				t.Errorf("%s frame %d: sent, decoded again:\n%s", name, m.frame, diff)
			}
			if p.Variant == HEP3 && len(once) != len(m.bytes) {
				t.Errorf("%s frame %d: %d bytes, the sender took %d", name, m.frame, len(once), len(m.bytes))
			}
			if twice := Append(nil, &q); !bytes.Equal(once, twice) {
				t.Errorf("%s frame %d: second encoding differs", name, m.frame)
			}
		}
	}
}

// TestAppendKamailio: for this sender's order of chunks the encoder gives the
// sender's own bytes.
func TestAppendKamailio(t *testing.T) {
	for _, m := range messages(t, captures.Path("kamailio-hep3-udp-sip-calls-a.pcap")) {
		if got := Append(nil, decode(t, m.bytes)); !bytes.Equal(got, m.bytes) {
			t.Fatalf("frame %d:\ngot  %x\nwant %x", m.frame, got, m.bytes)
		}
	}
}

// TestAppendByHand: a packet with fields and no Has.
func TestAppendByHand(t *testing.T) {
	p := &Packet{
		Protocol: ProtocolUDP, Src: addr("2001:db8::1"), Dst: addr("2001:db8::2"), SrcPort: 5060, DstPort: 5080,
		Time: 1795228661865694, Type: TypeLog, CaptureID: 2001, Payload: []byte("a line"),
		NodeName: []byte("n"), MOS: 450, SrcMAC: [6]byte{2, 0, 0, 0, 0, 1}, DstMAC: [6]byte{2, 0, 0, 0, 0, 2},
		TCPFlags: 1, TOS: 2, Jitter: 3, GroupID: []byte("g"),
		Extra: []Chunk{{VendorHomer, 1, []byte("x")}},
	}
	want := build(
		generic(ChunkFamily, 10), generic(ChunkProtocol, 17),
		Chunk{Type: ChunkSrcIPv6, Data: p.Src.AsSlice()}, Chunk{Type: ChunkDstIPv6, Data: p.Dst.AsSlice()},
		generic(ChunkSrcPort, 0x13, 0xc4), generic(ChunkDstPort, 0x13, 0xd8),
		generic(ChunkSeconds, 0x6b, 0x01, 0x03, 0xf5), generic(ChunkMicroseconds, 0, 0x0d, 0x35, 0x9e),
		generic(ChunkType, 100), generic(ChunkCaptureID, 0, 0, 0x07, 0xd1),
		generic(ChunkMOS, 0x01, 0xc2), generic(ChunkTCPFlags, 1), generic(ChunkTOS, 2), generic(ChunkJitter, 0, 0, 0, 3),
		generic(ChunkSrcMAC, 0, 0, 2, 0, 0, 0, 0, 1), generic(ChunkDstMAC, 0, 0, 2, 0, 0, 0, 0, 2),
		text(ChunkGroupID, "g"), text(ChunkNodeName, "n"), text(ChunkPayload, "a line"),
		Chunk{VendorHomer, 1, []byte("x")},
	)
	if got := Append([]byte("before"), p); !bytes.Equal(got, append([]byte("before"), want...)) {
		t.Errorf("got\n%x, want\n%x", got[6:], want)
	}
	if got, want := Append(nil, &Packet{}), build(generic(ChunkPayload)); !bytes.Equal(got, want) {
		t.Errorf("the zero packet: got %x, want %x", got, want)
	}
}

func TestAppendTime(t *testing.T) {
	both := ChunkSet(0).With(ChunkSeconds, ChunkMicroseconds)
	for _, tc := range []struct {
		time, want int64
		has        ChunkSet
	}{
		{0, 0, 0}, {0, 0, both}, {1, 1, 0}, {999_999, 999_999, both}, {1_000_000, 1_000_000, 0},
		{math.MaxUint32*1e6 + 5, math.MaxUint32*1e6 + 5, 0},
		{math.MaxUint32*1e6 + math.MaxUint32, math.MaxUint32*1e6 + math.MaxUint32, both},
		{math.MaxInt64, math.MaxUint32*1e6 + math.MaxUint32, both},
		{-1, 0, both}, {math.MinInt64, 0, 0},
		{5_000_000, 5_000_000, 1 << ChunkMicroseconds},
		{5_000_000, 5_000_000, 1 << ChunkSeconds},
	} {
		p := decode(t, Append(nil, &Packet{Time: tc.time, Has: tc.has}))
		if p.Time != tc.want || p.Has&tc.has != tc.has {
			t.Errorf("time %d, chunks %#x: decodes to %d, %#x", tc.time, tc.has, p.Time, p.Has)
		}
		if one := tc.has; one != 0 && one != both && p.Has&both != one {
			t.Errorf("time %d: chunk %#x came back as %#x", tc.time, one, p.Has&both)
		}
	}
}

// TestAppendTooLarge: a message above 65,535 bytes has no encoding, whichever
// part makes it so.
func TestAppendTooLarge(t *testing.T) {
	fits := &Packet{Payload: make([]byte, 65535-6-6)}
	b := Append(nil, fits)
	if len(b) != 65535 {
		t.Fatalf("%d bytes", len(b))
	}
	if p := decode(t, b); len(p.Payload) != len(fits.Payload) {
		t.Errorf("payload of %d bytes", len(p.Payload))
	}
	before := []byte("before")
	for name, p := range map[string]*Packet{
		"payload": {Payload: make([]byte, 65535-6-6+1)},
		"huge":    {Payload: make([]byte, 200_000)},
		"name":    {NodeName: make([]byte, 65536)},
		"tags":    {TagValues: []byte(strings.Repeat("x", 65530))},
		"extra":   {Extra: []Chunk{{1, 1, make([]byte, 65530)}}},
		"many":    {Extra: make([]Chunk, 12000)},
	} {
		if got := Append(before, p); !bytes.Equal(got, before) {
			t.Errorf("%s: %d bytes written", name, len(got))
		}
	}
}

// packets generates packets that say what the format can say.
func packets() *rapid.Generator[*Packet] {
	octet := rapid.SliceOfN(rapid.Byte(), 0, 40)
	// Text whose trailing NULs the decoder would take for padding is no text.
	name := rapid.Map(octet, func(b []byte) []byte { return bytes.TrimRight(b, "\x00") })
	ip := rapid.Custom(func(t *rapid.T) netip.Addr {
		n := rapid.SampledFrom([]int{0, 4, 16}).Draw(t, "ip length")
		a, _ := netip.AddrFromSlice(rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, "ip"))
		return a
	})
	return rapid.Custom(func(t *rapid.T) *Packet {
		p := &Packet{
			Protocol: rapid.Uint8().Draw(t, "protocol"),
			Src:      ip.Draw(t, "src"), Dst: ip.Draw(t, "dst"),
			SrcPort: rapid.Uint16().Draw(t, "sport"), DstPort: rapid.Uint16().Draw(t, "dport"),
			Time:      rapid.Int64Range(0, math.MaxUint32*1e6+math.MaxUint32).Draw(t, "time"),
			Type:      rapid.Uint16().Draw(t, "type"),
			KeepAlive: rapid.Uint16().Draw(t, "keepalive"),
			AuthKey:   name.Draw(t, "key"), Payload: octet.Draw(t, "payload"),
			CorrelationID: name.Draw(t, "correlation"), NodeName: name.Draw(t, "node"),
			VLAN: rapid.Uint16().Draw(t, "vlan"), EtherType: rapid.Uint16().Draw(t, "ethertype"),
			TCPFlags: rapid.Uint8().Draw(t, "flags"), TOS: rapid.Uint8().Draw(t, "tos"),
			MOS: rapid.Uint16().Draw(t, "mos"), RFactor: rapid.Uint16().Draw(t, "rfactor"),
			Geo: octet.Draw(t, "geo"), Jitter: rapid.Uint32().Draw(t, "jitter"),
			TransactionType: octet.Draw(t, "transaction"), PayloadKeys: octet.Draw(t, "keys"),
			TagValues: octet.Draw(t, "tags"), TagType: rapid.Uint16().Draw(t, "tag type"),
			EventType: rapid.Uint16().Draw(t, "event"), GroupID: name.Draw(t, "group"),
			Has: ChunkSet(rapid.Uint64().Draw(t, "has")),
		}
		copy(p.SrcMAC[:], rapid.SliceOfN(rapid.Byte(), 6, 6).Draw(t, "smac"))
		copy(p.DstMAC[:], rapid.SliceOfN(rapid.Byte(), 6, 6).Draw(t, "dmac"))
		p.setCaptureID(rapid.OneOf(rapid.Uint32(), rapid.Map(rapid.Uint16(), func(v uint16) uint32 {
			return uint32(v) << 16
		})).Draw(t, "capture id"))
		p.Family = familyOf(p.Src, p.Dst)
		if p.Family == 0 {
			p.Family = rapid.SampledFrom([]uint8{0, FamilyIPv4, FamilyIPv6}).Draw(t, "family")
		}
		for range rapid.IntRange(0, 4).Draw(t, "extras") {
			p.Extra = append(p.Extra, Chunk{
				Vendor: rapid.Uint16Range(1, 9).Draw(t, "vendor"), Type: rapid.Uint16().Draw(t, "chunk"), Data: octet.Draw(t, "data"),
			})
		}
		return p
	})
}

// TestAppendDecode: decoding what Append wrote gives the packet again.
func TestAppendDecode(t *testing.T) {
	var d Decoder
	var q Packet
	rapid.Check(t, func(t *rapid.T) {
		p := packets().Draw(t, "packet")
		b := Append(nil, p)
		if err := d.Decode(&q, b); err != nil {
			t.Fatalf("%v in %x", err, b)
		}
		if q.Variant != HEP3 || q.Quirks&^QuirkCaptureIDShifted != 0 {
			t.Fatalf("variant %v, quirks %v", q.Variant, q.Quirks)
		}
		// Has of a packet by hand is a wish: bits of fields that are not zero
		// are added, those that stand for nothing are not sent.
		has := p.Has
		p.Has = q.Has
		if diff := difference(p, &q); diff != "" {
			t.Fatalf("written, read:\n%s", diff)
		}
		const addresses = 1<<ChunkSrcIPv4 | 1<<ChunkDstIPv4 | 1<<ChunkSrcIPv6 | 1<<ChunkDstIPv6
		const writable = (1<<(maxChunk+1) - 1) &^ (1<<0x00 | 0x7f<<0x19 | 1<<ChunkCompressed | addresses)
		if missing := has & writable &^ q.Has; missing != 0 {
			t.Fatalf("chunks %#x of Has were not written", missing)
		}
		if n, err := FrameLength(b); n != len(b) || err != nil {
			t.Fatalf("FrameLength says %d, %v of %d", n, err, len(b))
		}
	})
}
