package hep

import (
	"bytes"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

func TestProtobuf(t *testing.T) {
	for _, tc := range []struct {
		name, src, dst string
		want           Packet
		chunks         []uint16
		quirks         Quirk
	}{
		{"IPv4", "192.0.2.1", "192.0.2.2", Packet{Family: FamilyIPv4, Src: addr("192.0.2.1"), Dst: addr("192.0.2.2")},
			[]uint16{ChunkSrcIPv4, ChunkDstIPv4}, 0},
		{"IPv6, family said 2", "2001:db8::1", "2001:db8::2", Packet{Family: FamilyIPv6, Src: addr("2001:db8::1"), Dst: addr("2001:db8::2")},
			[]uint16{ChunkSrcIPv6, ChunkDstIPv6}, QuirkAddress},
		{"zone is dropped", "192.0.2.1", "fe80::1%eth0", Packet{Family: FamilyIPv4, Src: addr("192.0.2.1"), Dst: addr("fe80::1")},
			[]uint16{ChunkSrcIPv4, ChunkDstIPv6}, 0},
		{"longest IPv6 text", "192.0.2.1", "2001:0db8:0001:0002:0003:0004:192.168.100.200", Packet{Family: FamilyIPv4, Src: addr("192.0.2.1"), Dst: addr("2001:db8:1:2:3:4:c0a8:64c8")},
			[]uint16{ChunkSrcIPv4, ChunkDstIPv6}, 0},
		{"empty addresses", "", "", Packet{Family: FamilyIPv4}, nil, 0},
		{"no addresses", "pbx.lab.test", strings.Repeat("1", 300), Packet{Family: FamilyIPv4}, nil, QuirkAddress},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := decode(t, buildProtobuf(tc.src, tc.dst))
			want := tc.want
			want.Protocol, want.SrcPort, want.DstPort = 17, 5060, 5080
			want.Time, want.Type, want.CaptureID, want.CaptureIDRaw = 1795228661865694, 1, 2001, 2001
			want.AuthKey, want.Payload, want.CorrelationID, want.VLAN = []byte("secret"), []byte(options), []byte("corr-1"), 42
			want.Has = want.Has.With(ChunkFamily, ChunkProtocol, ChunkSrcPort, ChunkDstPort, ChunkSeconds, ChunkMicroseconds,
				ChunkType, ChunkCaptureID, ChunkAuthKey, ChunkPayload, ChunkCorrelationID, ChunkVLAN).With(tc.chunks...)
			if d := difference(p, &want); d != "" {
				t.Errorf("got, want:\n%s", d)
			}
			if p.Variant != Protobuf || p.Quirks != tc.quirks {
				t.Errorf("variant %v, quirks %v", p.Variant, p.Quirks)
			}
		})
	}
}

func TestProtobufTolerance(t *testing.T) {
	whole := buildProtobuf("192.0.2.1", "192.0.2.2")
	t.Run("unknown fields are skipped", func(t *testing.T) {
		b := bytes.Clone(whole)
		b = protowire.AppendVarint(protowire.AppendTag(b, 15, protowire.VarintType), 1<<63)
		b = protowire.AppendString(protowire.AppendTag(b, 16, protowire.BytesType), "node")
		b = protowire.AppendFixed64(protowire.AppendTag(b, 17, protowire.Fixed64Type), 1)
		b = protowire.AppendFixed32(protowire.AppendTag(b, 18, protowire.Fixed32Type), 1)
		if d := difference(decode(t, b), decode(t, whole)); d != "" {
			t.Error(d)
		}
	})
	t.Run("the last of a repeated field counts", func(t *testing.T) {
		b := protowire.AppendString(protowire.AppendTag(bytes.Clone(whole), 3, protowire.BytesType), "2001:db8::9")
		p := decode(t, b)
		if p.Src != addr("2001:db8::9") || p.Present(ChunkSrcIPv4) || !p.Present(ChunkSrcIPv6) {
			t.Errorf("source %v, chunks %#x", p.Src, p.Has)
		}
	})
	t.Run("IP version in place of the family", func(t *testing.T) {
		for version, want := range map[byte]uint8{2: FamilyIPv4, 4: FamilyIPv4, 6: FamilyIPv6, 10: FamilyIPv6, 30: FamilyIPv6} {
			b := buildProtobuf("", "")
			b[1] = version
			if p := decode(t, b); p.Family != want {
				t.Errorf("%d is family %d, want %d", version, p.Family, want)
			}
		}
	})
	t.Run("shifted capture id", func(t *testing.T) {
		b := protowire.AppendVarint(protowire.AppendTag(bytes.Clone(whole), 10, protowire.VarintType), 2002<<16)
		if p := decode(t, b); p.CaptureID != 2002 || p.CaptureIDRaw != 2002<<16 {
			t.Errorf("capture id %d, %d", p.CaptureID, p.CaptureIDRaw)
		}
	})
}

func TestProtobufErrors(t *testing.T) {
	whole := buildProtobuf("192.0.2.1", "192.0.2.2")
	add := func(num protowire.Number, typ protowire.Type, v uint64) []byte {
		b := protowire.AppendTag(bytes.Clone(whole), num, typ)
		switch typ {
		case protowire.VarintType:
			return protowire.AppendVarint(b, v)
		case protowire.BytesType:
			return protowire.AppendString(b, "x")
		case protowire.Fixed32Type:
			return protowire.AppendFixed32(b, uint32(v))
		}
		return b
	}
	for _, tc := range []struct {
		name   string
		b      []byte
		reason string
		offset int
	}{
		{"port out of range", add(5, protowire.VarintType, 65536), ReasonBadProtobuf, len(whole)},
		{"protocol out of range", add(2, protowire.VarintType, 256), ReasonBadProtobuf, len(whole)},
		{"time out of range", add(7, protowire.VarintType, 1<<32), ReasonBadProtobuf, len(whole)},
		{"integer sent as text", add(9, protowire.BytesType, 0), ReasonBadProtobuf, len(whole)},
		{"text sent as integer", add(12, protowire.VarintType, 0), ReasonBadProtobuf, len(whole)},
		{"integer sent as fixed", add(9, protowire.Fixed32Type, 1), ReasonBadProtobuf, len(whole)},
		{"group that does not end", add(20, protowire.StartGroupType, 0), ReasonBadProtobuf, len(whole)},
		{"field number 0", append(bytes.Clone(whole), 0, 0), ReasonBadProtobuf, len(whole)},
		{"text longer than the message", append(bytes.Clone(whole), 12<<3|2, 200), ReasonBadProtobuf, len(whole)},
		{"varint that does not end", append(bytes.Clone(whole), 0x48, 0x80), ReasonBadProtobuf, len(whole)},
		{"first byte alone", whole[:1], ReasonBadProtobuf, 0},
		{"no payload", whole[:4], ReasonNoPayload, 4},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, e := decodeError(t, tc.b); e.Reason != tc.reason || e.Offset != tc.offset || e.Variant != Protobuf {
				t.Errorf("got %v, want %s at %d", &e, tc.reason, tc.offset)
			}
		})
	}
}
