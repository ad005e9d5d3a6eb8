package hep

import (
	"errors"
	"testing"
)

func TestNoHEP(t *testing.T) {
	for _, b := range [][]byte{
		{0}, {3}, {0xff}, {4, 16, 2, 17}, []byte("INVITE sip:a SIP/2.0\r\n\r\n"), []byte("HEPX"), []byte("HI"),
		[]byte("EEP2\x00\x10"), []byte("HEP4\x00\x06"), []byte("{\"a\":1}"), make([]byte, 65507),
	} {
		p, e := decodeError(t, b)
		if e != (Error{Reason: ReasonBadMagic}) {
			t.Errorf("%.10q: %v", b, &e)
		}
		if d := difference(&p, &Packet{}); d != "" {
			t.Errorf("%.10q leaves:\n%s", b, d)
		}
	}
	if _, e := decodeError(t, nil); e.Reason != ReasonEmpty {
		t.Errorf("nothing: %v", &e)
	}
}

func TestErrorIs(t *testing.T) {
	err := new(Decoder).Decode(new(Packet), []byte{1})
	if !errors.Is(err, &Error{Reason: ReasonShort}) || errors.Is(err, &Error{Reason: ReasonEmpty}) {
		t.Errorf("errors.Is does not go by the reason of %v", err)
	}
	if got, want := err.Error(), "hep: hep1 message does not decode: short at byte 1"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestVariantNames(t *testing.T) {
	for v, want := range map[Variant]string{
		0: "unknown", HEP1: "hep1", HEP2: "hep2", HEP3: "hep3", EEP3: "eep3", Protobuf: "protobuf", 9: "unknown",
	} {
		if got := v.String(); got != want {
			t.Errorf("%d is %q, want %q", v, got, want)
		}
	}
}

func TestTypeName(t *testing.T) {
	for typ, want := range map[uint16]string{
		0: "type-0", 1: "sip", 2: "xmpp", 3: "sdp", 4: "rtp", 5: "rtcp", 6: "mgcp", 7: "megaco",
		8: "m2ua", 9: "m3ua", 10: "iax", 11: "h322", 12: "h321", 13: "m2pa", 14: "type-14",
		34: "rtp-agent", 35: "vq-rtcpxr", 38: "horaclifix", 50: "sip-json", 53: "dns", 54: "isup",
		55: "rtsp", 56: "diameter", 57: "gsm-map", 58: "rtcp-pion", 60: "cdr", 61: "verto", 81: "cdr",
		99: "sip-report", 100: "log", 200: "loki", 255: "type-255", 256: "type-256", 65535: "type-65535",
	} {
		if got := TypeName(typ); got != want {
			t.Errorf("TypeName(%d) is %q, want %q", typ, got, want)
		}
	}
}

func TestTransportName(t *testing.T) {
	for protocol, want := range map[uint8]string{
		0: "", 1: "icmp", 4: "ipip", 6: "tcp", 17: "udp", 22: "tls", 132: "sctp", 50: "ip-50", 255: "ip-255",
	} {
		if got := TransportName(protocol); got != want {
			t.Errorf("TransportName(%d) is %q, want %q", protocol, got, want)
		}
	}
}

func TestChunkSet(t *testing.T) {
	s := ChunkSet(0).With(ChunkVLAN, ChunkGroupID, 0x2a, 64, 65535)
	if s != 1<<ChunkVLAN|1<<ChunkGroupID {
		t.Errorf("set is %#x", s)
	}
	for id, want := range map[uint16]bool{ChunkVLAN: true, ChunkGroupID: true, ChunkMOS: false, 64 + ChunkVLAN: false, 65535: false} {
		if s.Contains(id) != want {
			t.Errorf("Contains(%#x) is %v", id, !want)
		}
	}
}
