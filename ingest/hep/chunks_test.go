package hep

import (
	"bytes"
	"strings"
	"testing"
)

// everyChunk has each chunk of rev 37 once, in an order no sender uses.
func everyChunk() []Chunk {
	return []Chunk{
		text(ChunkGroupID, "group"),
		generic(ChunkEventType, 0, 2),
		generic(ChunkTagType, 0x01, 0x02),
		text(ChunkTagValues, "tag"),
		text(ChunkPayloadKeys, "keys"),
		text(ChunkTransactionType, "call"),
		generic(ChunkJitter, 0, 1, 0, 0),
		text(ChunkGeo, "52.5,13.4"),
		generic(ChunkRFactor, 0, 93),
		generic(ChunkMOS, 0x01, 0xc2),
		generic(ChunkTOS, 0xb8),
		generic(ChunkTCPFlags, 0x18),
		generic(ChunkEtherType, 0x08, 0x00),
		generic(ChunkDstMAC, 0, 0, 2, 0, 0, 0, 0, 2),
		generic(ChunkSrcMAC, 0, 0, 2, 0, 0, 0, 0, 1),
		text(ChunkNodeName, "node-ä"),
		generic(ChunkVLAN, 0x0f, 0xff),
		text(ChunkCorrelationID, "corr"),
		text(ChunkPayload, options),
		text(ChunkAuthKey, "key"),
		generic(ChunkKeepAlive, 0, 30),
		generic(ChunkCaptureID, 0, 0, 0x07, 0xd1),
		generic(ChunkType, 1),
		generic(ChunkMicroseconds, 0, 0x0d, 0x35, 0x9e),
		generic(ChunkSeconds, 0x6b, 0x01, 0x03, 0xf5),
		generic(ChunkDstPort, 0x13, 0xd8),
		generic(ChunkSrcPort, 0x13, 0xc4),
		generic(ChunkDstIPv4, 192, 0, 2, 2),
		generic(ChunkSrcIPv4, 192, 0, 2, 1),
		generic(ChunkProtocol, 17),
		generic(ChunkFamily, 2),
	}
}

func TestEveryChunk(t *testing.T) {
	p := decode(t, build(everyChunk()...))
	want := &Packet{
		Family: FamilyIPv4, Protocol: ProtocolUDP,
		Src: addr("192.0.2.1"), Dst: addr("192.0.2.2"), SrcPort: 5060, DstPort: 5080,
		Time: 0x6b0103f5*1e6 + 0xd359e, Type: TypeSIP, CaptureID: 2001, CaptureIDRaw: 2001,
		KeepAlive: 30, AuthKey: []byte("key"), Payload: []byte(options),
		CorrelationID: []byte("corr"), NodeName: []byte("node-ä"), VLAN: 4095,
		SrcMAC: [6]byte{2, 0, 0, 0, 0, 1}, DstMAC: [6]byte{2, 0, 0, 0, 0, 2},
		EtherType: 0x0800, TCPFlags: 0x18, TOS: 0xb8, MOS: 450, RFactor: 93,
		Geo: []byte("52.5,13.4"), Jitter: 65536, TransactionType: []byte("call"),
		PayloadKeys: []byte("keys"), TagValues: []byte("tag"), TagType: 0x0102, EventType: 2,
		GroupID: []byte("group"),
	}
	for _, c := range everyChunk() {
		want.Has = want.Has.With(c.Type)
	}
	if d := difference(p, want); d != "" {
		t.Errorf("got, want:\n%s", d)
	}
	if p.Variant != HEP3 || p.Quirks != 0 {
		t.Errorf("variant %v, quirks %v", p.Variant, p.Quirks)
	}
	for id := uint16(0); id < 100; id++ {
		defined := id >= 1 && id <= 0x18 || id >= 0x20 && id <= 0x29
		sent := defined && id != ChunkSrcIPv6 && id != ChunkDstIPv6 && id != ChunkCompressed
		if p.Present(id) != sent {
			t.Errorf("Present(%#x) is %v", id, !sent)
		}
	}
}

func TestEEP3(t *testing.T) {
	b := build(text(ChunkPayload, options))
	b[0] = 'E'
	if p := decode(t, b); p.Variant != EEP3 || string(p.Payload) != options {
		t.Errorf("got %v %q", p.Variant, p.Payload)
	}
}

// TestTolerance: messages that break the specification and decode all the same.
func TestTolerance(t *testing.T) {
	payload := text(ChunkPayload, options)
	v6 := func(id uint16, last byte) Chunk {
		return generic(id, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last)
	}
	for _, tc := range []struct {
		name   string
		chunks []Chunk
		want   Packet // but for Payload and Has
		quirks Quirk
	}{
		{"vendor chunk leaves the generic field alone",
			[]Chunk{generic(ChunkType, 5), {VendorKamailio, ChunkType, []byte{100}}, {VendorGenesys, 0x80, []byte("conv")}, payload},
			Packet{Type: 5, Extra: []Chunk{{VendorKamailio, ChunkType, []byte{100}}, {VendorGenesys, 0x80, []byte("conv")}}}, 0},
		{"vendor chunk with no generic one sets nothing",
			[]Chunk{{VendorHomer, ChunkCaptureID, []byte{0, 0, 0, 9}}, payload},
			Packet{Extra: []Chunk{{VendorHomer, ChunkCaptureID, []byte{0, 0, 0, 9}}}}, 0},
		{"undefined and reserved chunk types",
			[]Chunk{generic(0, 1), generic(0x19, 2), generic(0x1f, 3), generic(0x2a, 4), generic(0xffff), payload},
			Packet{Extra: []Chunk{generic(0, 1), generic(0x19, 2), generic(0x1f, 3), generic(0x2a, 4), generic(0xffff)}}, QuirkChunkKept},
		{"the first chunk of a type counts",
			[]Chunk{text(ChunkNodeName, "a"), text(ChunkNodeName, "b"), generic(ChunkSrcIPv4, 1, 2, 3, 4), generic(ChunkSrcIPv4, 5, 6, 7, 8), payload, text(ChunkPayload, "x")},
			Packet{NodeName: []byte("a"), Family: 2, Src: addr("1.2.3.4"), Extra: []Chunk{text(ChunkNodeName, "b"), generic(ChunkSrcIPv4, 5, 6, 7, 8), text(ChunkPayload, "x")}}, QuirkChunkKept},
		{"integer of another width",
			[]Chunk{generic(ChunkType, 0, 0, 0, 100), generic(ChunkCaptureID, 7), generic(ChunkSrcPort, 0, 0, 0x13, 0xc4), generic(ChunkMOS, 44), payload},
			Packet{Type: 100, CaptureID: 7, CaptureIDRaw: 7, SrcPort: 5060, MOS: 44}, 0},
		{"protocol type above 255",
			[]Chunk{generic(ChunkType, 1, 0x2c), payload}, Packet{Type: 300}, 0},
		{"integer that does not fit",
			[]Chunk{generic(ChunkSrcPort, 1, 0, 0), generic(ChunkProtocol, 1, 0), generic(ChunkVLAN, 0, 0, 0, 0, 0, 0, 0, 0, 1), payload},
			Packet{Extra: []Chunk{generic(ChunkSrcPort, 1, 0, 0), generic(ChunkProtocol, 1, 0), generic(ChunkVLAN, 0, 0, 0, 0, 0, 0, 0, 0, 1)}}, QuirkChunkKept},
		{"chunks without data",
			[]Chunk{generic(ChunkFamily), generic(ChunkSrcIPv4), generic(ChunkSrcPort), generic(ChunkSeconds), generic(ChunkSrcMAC), generic(ChunkAuthKey), payload},
			Packet{Extra: []Chunk{generic(ChunkFamily), generic(ChunkSrcIPv4), generic(ChunkSrcPort), generic(ChunkSeconds), generic(ChunkSrcMAC)}}, QuirkChunkKept},
		{"a good chunk after a broken one of its type",
			[]Chunk{generic(ChunkSrcPort), generic(ChunkSrcPort, 0, 1), payload},
			Packet{SrcPort: 1, Extra: []Chunk{generic(ChunkSrcPort)}}, QuirkChunkKept},
		{"NUL padding of text",
			[]Chunk{text(ChunkNodeName, "n\x00\x00"), text(ChunkAuthKey, "k\x00"), text(ChunkCorrelationID, "\x00\x00"), text(ChunkGroupID, "a\x00b\x00"), payload},
			Packet{NodeName: []byte("n"), AuthKey: []byte("k"), GroupID: []byte("a\x00b")}, QuirkPadding},
		{"capture id shifted by sngrep",
			[]Chunk{generic(ChunkCaptureID, 0x07, 0xd2, 0, 0), payload},
			Packet{CaptureID: 2002, CaptureIDRaw: 0x07d20000}, QuirkCaptureIDShifted},
		{"large capture id",
			[]Chunk{generic(ChunkCaptureID, 0x07, 0xd2, 0, 1), payload}, Packet{CaptureID: 0x07d20001, CaptureIDRaw: 0x07d20001}, 0},
		{"IPv6 without addresses, from FreeSWITCH",
			[]Chunk{generic(ChunkFamily, 10), generic(ChunkProtocol, 17), generic(ChunkSrcPort, 0x13, 0xc4), payload},
			Packet{Family: FamilyIPv6, Protocol: 17, SrcPort: 5060}, 0},
		{"IPv6 under a macOS family constant",
			[]Chunk{generic(ChunkFamily, 30), v6(ChunkSrcIPv6, 1), v6(ChunkDstIPv6, 2), payload},
			Packet{Family: FamilyIPv6, Src: addr("2001:db8::1"), Dst: addr("2001:db8::2")}, 0},
		{"no family chunk",
			[]Chunk{v6(ChunkSrcIPv6, 1), v6(ChunkDstIPv6, 2), payload},
			Packet{Family: FamilyIPv6, Src: addr("2001:db8::1"), Dst: addr("2001:db8::2")}, 0},
		{"IPv4 addresses under family 10",
			[]Chunk{generic(ChunkSrcIPv4, 1, 2, 3, 4), generic(ChunkDstIPv4, 5, 6, 7, 8), generic(ChunkFamily, 10), payload},
			Packet{Family: FamilyIPv4, Src: addr("1.2.3.4"), Dst: addr("5.6.7.8")}, QuirkAddress},
		{"IPv4 addresses in the IPv6 chunks",
			[]Chunk{generic(ChunkFamily, 10), generic(ChunkSrcIPv6, 1, 2, 3, 4), generic(ChunkDstIPv6, 5, 6, 7, 8), payload},
			Packet{Family: FamilyIPv4, Src: addr("1.2.3.4"), Dst: addr("5.6.7.8")}, QuirkAddress},
		{"IPv6 addresses in the IPv4 chunks",
			[]Chunk{generic(ChunkFamily, 2), v6(ChunkSrcIPv4, 1), v6(ChunkDstIPv4, 2), payload},
			Packet{Family: FamilyIPv6, Src: addr("2001:db8::1"), Dst: addr("2001:db8::2")}, QuirkAddress},
		{"both families, 10 said",
			[]Chunk{generic(ChunkSrcIPv4, 0, 0, 0, 0), generic(ChunkDstIPv4, 0, 0, 0, 0), v6(ChunkSrcIPv6, 1), v6(ChunkDstIPv6, 2), generic(ChunkFamily, 10), generic(0x2a, 1), payload},
			Packet{Family: FamilyIPv6, Src: addr("2001:db8::1"), Dst: addr("2001:db8::2"),
				Extra: []Chunk{generic(ChunkSrcIPv4, 0, 0, 0, 0), generic(ChunkDstIPv4, 0, 0, 0, 0), generic(0x2a, 1)}}, QuirkAddress},
		{"both families, 2 said",
			[]Chunk{v6(ChunkSrcIPv6, 1), v6(ChunkDstIPv6, 2), generic(ChunkFamily, 2), generic(ChunkSrcIPv4, 1, 2, 3, 4), generic(ChunkDstIPv4, 5, 6, 7, 8), payload},
			Packet{Family: FamilyIPv4, Src: addr("1.2.3.4"), Dst: addr("5.6.7.8"),
				Extra: []Chunk{v6(ChunkSrcIPv6, 1), v6(ChunkDstIPv6, 2)}}, QuirkAddress},
		{"one address of each family",
			[]Chunk{generic(ChunkFamily, 2), generic(ChunkSrcIPv4, 1, 2, 3, 4), v6(ChunkDstIPv6, 2), payload},
			Packet{Family: FamilyIPv4, Src: addr("1.2.3.4"), Dst: addr("2001:db8::2")}, 0},
		{"address of no known length",
			[]Chunk{generic(ChunkFamily, 2), generic(ChunkSrcIPv4, 1, 2, 3), payload},
			Packet{Family: FamilyIPv4, Extra: []Chunk{generic(ChunkSrcIPv4, 1, 2, 3)}}, QuirkChunkKept},
		{"family nobody knows, no address",
			[]Chunk{generic(ChunkFamily, 77), payload}, Packet{Family: 77}, 0},
		{"MAC of 6 bytes, and of 6 with padding behind",
			[]Chunk{generic(ChunkSrcMAC, 2, 0, 0, 0, 0, 1), generic(ChunkDstMAC, 2, 0, 0, 0, 0, 2, 0, 0), payload},
			Packet{SrcMAC: [6]byte{2, 0, 0, 0, 0, 1}, DstMAC: [6]byte{2, 0, 0, 0, 0, 2}}, 0},
		{"MAC that is none",
			[]Chunk{generic(ChunkSrcMAC, 1, 2, 3, 4, 5, 6, 7, 8), generic(ChunkDstMAC, 1), payload},
			Packet{Extra: []Chunk{generic(ChunkSrcMAC, 1, 2, 3, 4, 5, 6, 7, 8), generic(ChunkDstMAC, 1)}}, QuirkChunkKept},
		{"absurd time is not judged",
			[]Chunk{generic(ChunkSeconds, 0xff, 0xff, 0xff, 0xff), generic(ChunkMicroseconds, 0xff, 0xff, 0xff, 0xff), payload},
			Packet{Time: 4294967295*1e6 + 4294967295}, 0},
		{"plain payload wins over a compressed one, before it",
			[]Chunk{generic(ChunkCompressed, 1, 2), generic(0x2a, 1), payload},
			Packet{Extra: []Chunk{generic(ChunkCompressed, 1, 2), generic(0x2a, 1)}}, QuirkChunkKept},
		{"plain payload wins over a compressed one, after it",
			[]Chunk{payload, generic(0x2a, 1), generic(ChunkCompressed, 1, 2)},
			Packet{Extra: []Chunk{generic(0x2a, 1), generic(ChunkCompressed, 1, 2)}}, QuirkChunkKept},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := decode(t, build(tc.chunks...))
			want := tc.want
			want.Payload, want.Has = []byte(options), p.Has
			if d := difference(p, &want); d != "" {
				t.Errorf("got, want:\n%s", d)
			}
			if got := p.Quirks; got != tc.quirks {
				t.Errorf("quirks %q, want %q", got, tc.quirks)
			}
			wantHas := map[uint16]bool{
				ChunkSrcIPv4: p.Src.Is4(), ChunkSrcIPv6: p.Src.Is6(),
				ChunkDstIPv4: p.Dst.Is4(), ChunkDstIPv6: p.Dst.Is6(),
			}
			for id, has := range wantHas {
				if p.Present(id) != has {
					t.Errorf("Present(%#x) is %v", id, !has)
				}
			}
		})
	}
}

func TestEmptyPayloadChunk(t *testing.T) {
	p := decode(t, build(generic(ChunkPayload)))
	if len(p.Payload) != 0 || !p.Present(ChunkPayload) {
		t.Errorf("payload %q, present %v", p.Payload, p.Present(ChunkPayload))
	}
}

// TestTotalLength: the total length against what really came.
func TestTotalLength(t *testing.T) {
	whole := build(generic(ChunkSrcPort, 0x13, 0xc4), text(ChunkPayload, options), text(ChunkCorrelationID, "c"))
	withTotal := func(n int) []byte {
		b := bytes.Clone(whole)
		b[4], b[5] = byte(n>>8), byte(n)
		return b
	}
	t.Run("too large, all chunks there", func(t *testing.T) {
		p := decode(t, withTotal(len(whole)+100))
		if string(p.CorrelationID) != "c" || p.Quirks != QuirkLengthTooLarge {
			t.Errorf("got %q, quirks %v", p.CorrelationID, p.Quirks)
		}
	})
	t.Run("smaller, bytes follow", func(t *testing.T) {
		p := decode(t, append(bytes.Clone(whole), whole...))
		if string(p.Payload) != options || p.Quirks != QuirkTrailingBytes || len(p.Extra) != 0 {
			t.Errorf("got %q, quirks %v", p.Payload, p.Quirks)
		}
	})
	t.Run("less than a chunk header at the end", func(t *testing.T) {
		b := append(bytes.Clone(whole), 0, 0, 0)
		b[5] += 3
		if p := decode(t, b); p.Quirks != QuirkTrailingBytes {
			t.Errorf("quirks %v", p.Quirks)
		}
	})
	for _, tc := range []struct {
		name   string
		b      []byte
		reason string
		offset int
	}{
		{"below the header", withTotal(5), ReasonBadLength, 4},
		{"zero", withTotal(0), ReasonBadLength, 4},
		{"the header alone", withTotal(6), ReasonNoPayload, 6},
		{"ends in a chunk", withTotal(len(whole) - 1), ReasonChunkOverrun, len(whole) - 7},
		{"larger, chunk cut", withTotal(len(whole))[:len(whole)-1], ReasonTruncated, len(whole) - 7},
		{"larger, chunk header cut", withTotal(len(whole))[:len(whole)-6], ReasonTruncated, len(whole) - 7},
		{"larger, payload missing", withTotal(len(whole))[:14], ReasonTruncated, 14},
		{"magic alone", whole[:4], ReasonShort, 4},
		{"part of the magic", whole[:2], ReasonShort, 2},
		{"half the length", whole[:5], ReasonShort, 5},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, e := decodeError(t, tc.b); e.Reason != tc.reason || e.Offset != tc.offset || e.Variant != HEP3 {
				t.Errorf("got %v, want %s at %d", &e, tc.reason, tc.offset)
			}
		})
	}
}

func TestBrokenChunks(t *testing.T) {
	head := build(generic(ChunkSrcIPv4, 1, 2, 3, 4), generic(ChunkCaptureID, 0, 0, 0, 9))
	with := func(tail ...byte) []byte {
		b := append(bytes.Clone(head), tail...)
		b[5] = byte(len(b))
		return b
	}
	for _, tc := range []struct {
		name   string
		b      []byte
		reason string
	}{
		{"chunk length 0", with(0, 0, 0, ChunkPayload, 0, 0, 'x'), ReasonChunkLength},
		{"chunk length 5", with(0, 0, 0, ChunkPayload, 0, 5, 'x'), ReasonChunkLength},
		{"chunk longer than the message", with(0, 0, 0, ChunkPayload, 0, 8, 'x'), ReasonChunkOverrun},
		{"chunk of 65,535", with(0, 0, 0, ChunkPayload, 0xff, 0xff, 'x'), ReasonChunkOverrun},
		{"no payload", head, ReasonNoPayload},
		{"payload of a vendor", with(0, 2, 0, ChunkPayload, 0, 7, 'x'), ReasonNoPayload},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, e := decodeError(t, tc.b)
			if e.Reason != tc.reason || e.Offset < len(head) {
				t.Errorf("got %v, want %s", &e, tc.reason)
			}
			// What came before the break tells who sent it.
			if p.Src != addr("1.2.3.4") || p.CaptureID != 9 {
				t.Errorf("lost the chunks before the break: %v %d", p.Src, p.CaptureID)
			}
		})
	}
}

// TestReuse: nothing of an earlier message stays in a packet.
func TestReuse(t *testing.T) {
	var d Decoder
	var p Packet
	many := []Chunk{text(ChunkPayload, "x")}
	for range 10000 {
		many = append(many, Chunk{Vendor: 9})
	}
	for _, b := range [][]byte{
		build(append(everyChunk(), Chunk{Vendor: 5, Type: 1, Data: []byte("x")})...),
		build(many...),
	} {
		if err := d.Decode(&p, b); err != nil || len(p.Extra) == 0 {
			t.Fatalf("%v, %d extra chunks", err, len(p.Extra))
		}
		if err := d.Decode(&p, build(generic(ChunkPayload))); err != nil {
			t.Fatal(err)
		}
		if d := difference(&p, &Packet{Has: 1 << ChunkPayload}); d != "" || p.Variant != HEP3 || p.Quirks != 0 {
			t.Errorf("left over:\n%s", d)
		}
		if cap(p.Extra) > extraKept {
			t.Errorf("keeps room for %d chunks", cap(p.Extra))
		}
	}
	p.Reset()
	if d := difference(&p, &Packet{}); d != "" || p.Variant != 0 {
		t.Errorf("Reset leaves:\n%s", d)
	}
}

// TestSlicesAreCapped: appending to a field must not overwrite what follows it
// in the caller's buffer.
func TestSlicesAreCapped(t *testing.T) {
	for name, b := range samples(t) {
		before := bytes.Clone(b)
		p := decode(t, b)
		for _, field := range octets(p) {
			_ = append(*field, "overwritten"...)
		}
		for _, c := range p.Extra {
			_ = append(c.Data, "overwritten"...)
		}
		if !bytes.Equal(b, before) {
			t.Errorf("%s: message changed", name)
		}
	}
}

func TestQuirkNames(t *testing.T) {
	if got := (QuirkPadding | QuirkTrailingBytes | QuirkAddress).String(); got != "trailing-bytes,padding,address" {
		t.Errorf("got %q", got)
	}
	if got := Quirk(0).String(); got != "" {
		t.Errorf("got %q", got)
	}
	all := strings.Split((QuirkAddress<<1 - 1).String(), ",")
	if len(all) != len(quirkNames) {
		t.Errorf("%d names for %d quirks", len(quirkNames), len(all))
	}
}
