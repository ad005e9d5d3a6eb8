package hep

import (
	"encoding/binary"
	"net/netip"
	"testing"
)

// legacy is the recipe of a version 1 or 2 message.
type legacy struct {
	version, length, family byte
	addrs                   string // 4 or 16 bytes each, empty for 192.0.2.1 and .2
	time                    []byte // as on the wire
	payload                 string
}

const (
	v4pair = "\xc0\x00\x02\x01\xc0\x00\x02\x02"
	v6pair = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01" +
		"\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02"
)

func (l legacy) bytes() []byte {
	b := []byte{l.version, l.length, l.family, 17, 0x13, 0xc4, 0x13, 0xd8}
	if l.addrs == "" {
		l.addrs = v4pair
	}
	b = append(b, l.addrs...)
	b = append(b, l.time...)
	return append(b, l.payload...)
}

// timeHeaderBytes makes a time header in a byte order, with what pads it.
func timeHeaderBytes(order binary.AppendByteOrder, sec, usec uint32, id uint16, pad string) []byte {
	b := order.AppendUint32(nil, sec)
	b = order.AppendUint32(b, usec)
	b = order.AppendUint16(b, id)
	return append(b, pad...)
}

func TestLegacy(t *testing.T) {
	const (
		sec  = 1795228661 // 2026-11-21
		usec = 865694
		us   = sec*1_000_000 + usec
	)
	le, be := binary.LittleEndian, binary.BigEndian
	head := func(pad string) []byte { return timeHeaderBytes(le, sec, usec, 2005, pad) }
	for _, tc := range []struct {
		name    string
		msg     legacy
		v6      bool
		time    int64
		id      uint32
		payload string
		quirks  Quirk
	}{
		{name: "version 1", msg: legacy{1, 16, 2, "", nil, options}, payload: options},
		{name: "version 1, IPv6 on Linux", msg: legacy{1, 40, 10, v6pair, nil, options}, v6: true, payload: options},
		{name: "version 1, IPv6 on FreeBSD", msg: legacy{1, 40, 28, v6pair, nil, options}, v6: true, payload: options},
		{name: "version 1, IPv6 on macOS", msg: legacy{1, 40, 30, v6pair, nil, options}, v6: true, payload: options},
		{name: "family nobody knows, length says IPv6", msg: legacy{1, 40, 99, v6pair, nil, options}, v6: true, payload: options, quirks: QuirkAddress},
		{name: "family nobody knows, length says IPv4", msg: legacy{1, 16, 99, "", nil, options}, payload: options, quirks: QuirkAddress},
		{name: "version 1 with a time header", msg: legacy{1, 16, 2, "", head("\x00\x00"), options}, time: us, id: 2005, payload: options, quirks: QuirkTimeHeader},
		{name: "version 1 with a short time header", msg: legacy{1, 16, 2, "", head(""), options}, time: us, id: 2005, payload: options, quirks: QuirkTimeHeader},
		{name: "version 1, no SIP", msg: legacy{1, 16, 2, "", nil, "hello"}, payload: "hello"},
		{name: "version 1, nothing", msg: legacy{1, 16, 2, "", nil, ""}},
		{name: "version 2", msg: legacy{2, 16, 2, "", head("\x00\x00"), options}, time: us, id: 2005, payload: options},
		{name: "version 2, IPv6", msg: legacy{2, 40, 10, v6pair, head("\x00\x00"), options}, v6: true, time: us, id: 2005, payload: options},
		{name: "version 2, garbage in padding and length", msg: legacy{2, 3, 2, "", head("IN"), options}, time: us, id: 2005, payload: options, quirks: QuirkHeaderLength},
		{name: "version 2, 10-byte time header", msg: legacy{2, 16, 2, "", head(""), options}, time: us, id: 2005, payload: options, quirks: QuirkTimeHeader},
		{name: "version 2, 10-byte time header, response", msg: legacy{2, 16, 2, "", head(""), "SIP/2.0 200 OK\r\n\r\n"}, time: us, id: 2005, payload: "SIP/2.0 200 OK\r\n\r\n", quirks: QuirkTimeHeader},
		{name: "version 2, 10-byte time header, PRACK", msg: legacy{2, 16, 2, "", head(""), "PRACK sip:a SIP/2.0\r\n\r\n"}, time: us, id: 2005, payload: "PRACK sip:a SIP/2.0\r\n\r\n", quirks: QuirkTimeHeader},
		{name: "version 2, PRACK", msg: legacy{2, 16, 2, "", head("\x00\x00"), "PRACK sip:a SIP/2.0\r\n\r\n"}, time: us, id: 2005, payload: "PRACK sip:a SIP/2.0\r\n\r\n"},
		{name: "version 2, ACK", msg: legacy{2, 16, 2, "", head("\x00\x00"), "ACK sip:a SIP/2.0\r\n\r\n"}, time: us, id: 2005, payload: "ACK sip:a SIP/2.0\r\n\r\n"},
		{name: "version 2 without a time header", msg: legacy{2, 16, 2, "", nil, options}, payload: options, quirks: QuirkTimeHeader},
		{name: "version 2, unknown method", msg: legacy{2, 16, 2, "", head("\x00\x00"), "NEWMETHOD sip:x SIP/2.0\r\n\r\n"}, time: us, id: 2005, payload: "NEWMETHOD sip:x SIP/2.0\r\n\r\n"},
		{name: "version 2, big-endian time", msg: legacy{2, 16, 2, "", timeHeaderBytes(be, sec, usec, 2005, "\x00\x00"), options}, time: us, id: 2005, payload: options, quirks: QuirkTimeBigEndian},
		{name: "version 2, whole second, little-endian", msg: legacy{2, 16, 2, "", timeHeaderBytes(le, sec, 0, 7, "\x00\x00"), options}, time: sec * 1e6, id: 7, payload: options},
		{name: "version 2, whole second, big-endian", msg: legacy{2, 16, 2, "", timeHeaderBytes(be, sec, 0, 7, "\x00\x00"), options}, time: sec * 1e6, id: 7, payload: options, quirks: QuirkTimeBigEndian},
		{name: "version 2, absurd time stays", msg: legacy{2, 16, 2, "", timeHeaderBytes(le, 12, 999999, 7, "\x00\x00"), options}, time: 12*1e6 + 999999, id: 7, payload: options},
		{name: "version 2, NTP epoch stays", msg: legacy{2, 16, 2, "", timeHeaderBytes(le, 4004217461, 123456, 7, "\x00\x00"), options}, time: 4004217461*1e6 + 123456, id: 7, payload: options},
		{name: "version 2, nothing after the time", msg: legacy{2, 16, 2, "", head("\x00\x00"), ""}, time: us, id: 2005},
		{name: "8 NULs behind the payload", msg: legacy{1, 16, 2, "", nil, options + "\x00\x00\x00\x00\x00\x00\x00\x00"}, payload: options, quirks: QuirkPadding},
		{name: "8 NULs alone", msg: legacy{2, 16, 2, "", head("\x00\x00"), "\x00\x00\x00\x00\x00\x00\x00\x00"}, time: us, id: 2005, quirks: QuirkPadding},
		{name: "7 NULs are the payload's", msg: legacy{1, 16, 2, "", nil, options + "\x00\x00\x00\x00\x00\x00\x00"}, payload: options + "\x00\x00\x00\x00\x00\x00\x00"},
		{name: "16 NULs, 8 are the payload's", msg: legacy{1, 16, 2, "", nil, options + string(make([]byte, 16))}, payload: options + string(make([]byte, 8)), quirks: QuirkPadding},
		{name: "4 NULs alone", msg: legacy{1, 16, 2, "", nil, "\x00\x00\x00\x00"}, payload: "\x00\x00\x00\x00"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := decode(t, tc.msg.bytes())
			want := &Packet{
				Family: FamilyIPv4, Protocol: ProtocolUDP, Src: addr("192.0.2.1"), Dst: addr("192.0.2.2"),
				SrcPort: 5060, DstPort: 5080, Type: TypeSIP,
				Time: tc.time, CaptureID: tc.id, CaptureIDRaw: tc.id, Payload: []byte(tc.payload),
			}
			want.Has = want.Has.With(ChunkFamily, ChunkProtocol, ChunkSrcPort, ChunkDstPort, ChunkType, ChunkPayload)
			if tc.v6 {
				want.Family, want.Src, want.Dst = FamilyIPv6, addr("2001:db8::1"), addr("2001:db8::2")
				want.Has = want.Has.With(ChunkSrcIPv6, ChunkDstIPv6)
			} else {
				want.Has = want.Has.With(ChunkSrcIPv4, ChunkDstIPv4)
			}
			if tc.time != 0 {
				want.Has = want.Has.With(ChunkSeconds, ChunkMicroseconds, ChunkCaptureID)
			}
			if d := difference(p, want); d != "" {
				t.Errorf("got, want:\n%s", d)
			}
			if p.Variant != Variant(tc.msg.version) || p.Quirks != tc.quirks {
				t.Errorf("variant %v, quirks %q, want %q", p.Variant, p.Quirks, tc.quirks)
			}
		})
	}
}

func TestLegacyErrors(t *testing.T) {
	whole := legacy{2, 16, 2, "", timeHeaderBytes(binary.LittleEndian, 1, 2, 3, "\x00\x00"), options}.bytes()
	v6 := legacy{1, 40, 10, v6pair, nil, options}.bytes()
	for _, tc := range []struct {
		name   string
		b      []byte
		reason string
		offset int
	}{
		{"version byte alone", whole[:1], ReasonShort, 1},
		{"cut before the addresses", whole[:7], ReasonShort, 7},
		{"cut in the addresses", whole[:15], ReasonShort, 15},
		{"cut in the IPv6 addresses", v6[:39], ReasonShort, 39},
		{"cut in the time header", whole[:27], ReasonShort, 27},
		{"unknown family and length", legacy{1, 20, 99, "", nil, options}.bytes(), ReasonBadFamily, 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, e := decodeError(t, tc.b); e.Reason != tc.reason || e.Offset != tc.offset || e.Variant != Variant(tc.b[0]) {
				t.Errorf("got %v, want %s at %d", &e, tc.reason, tc.offset)
			}
		})
	}
}

// TestBeginsSIP: the request methods of the IANA registry, and what only looks
// like them.
func TestBeginsSIP(t *testing.T) {
	for _, method := range []string{
		"ACK", "BYE", "CANCEL", "INFO", "INVITE", "MESSAGE", "NOTIFY", "OPTIONS",
		"PRACK", "PUBLISH", "REFER", "REGISTER", "SUBSCRIBE", "UPDATE",
	} {
		if !beginsSIP([]byte(method + " sip:a SIP/2.0")) {
			t.Errorf("%s is not seen", method)
		}
		for cut := range method {
			// timeHeader relies on this being the only one.
			rest := method[cut+1:]
			if beginsSIP([]byte(rest+" sip:a SIP/2.0")) != (rest == "ACK") {
				t.Errorf("%s is seen: %v", rest, rest != "ACK")
			}
		}
		if beginsSIP([]byte(method)) {
			t.Errorf("%s alone is seen", method)
		}
	}
	for s, want := range map[string]bool{
		"SIP/2.0 200 OK": true, "SIP/2.0": false, "": false, "SU": false, "REF": false, "invite sip:a": false,
	} {
		if beginsSIP([]byte(s)) != want {
			t.Errorf("%q: %v", s, !want)
		}
	}
}

// TestHEP2RealID: a real capture id of version 2 has 16 bits and is never
// taken for a shifted one.
func TestHEP2RealID(t *testing.T) {
	p := decode(t, legacy{2, 16, 2, "", timeHeaderBytes(binary.LittleEndian, 1795228661, 1, 0xffff, "\x00\x00"), options}.bytes())
	if p.CaptureID != 0xffff || p.Src != netip.MustParseAddr("192.0.2.1") {
		t.Errorf("got %d", p.CaptureID)
	}
}
