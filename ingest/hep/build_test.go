package hep

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// The tests build messages here by hand, not with Append, so that the decoder
// and the encoder cannot agree on a mistake.

// generic is a chunk of vendor 0.
func generic(id uint16, data ...byte) Chunk { return Chunk{Type: id, Data: data} }

// text is a chunk of vendor 0 with text.
func text(id uint16, s string) Chunk { return Chunk{Type: id, Data: []byte(s)} }

// build makes a version 3 message.
func build(chunks ...Chunk) []byte {
	b := []byte("HEP3\x00\x00")
	for _, c := range chunks {
		b = binary.BigEndian.AppendUint16(b, c.Vendor)
		b = binary.BigEndian.AppendUint16(b, c.Type)
		b = binary.BigEndian.AppendUint16(b, uint16(len(c.Data)+6))
		b = append(b, c.Data...)
	}
	binary.BigEndian.PutUint16(b[4:], uint16(len(b)))
	return b
}

const options = "OPTIONS sip:bob@lab.test SIP/2.0\r\nCall-ID: 1\r\n\r\n"

// buildProtobuf makes a message of heplify-server's protobuf variant with all
// 14 required fields.
func buildProtobuf(src, dst string) []byte {
	var b []byte
	varint := func(num protowire.Number, v uint64) {
		b = protowire.AppendTag(b, num, protowire.VarintType)
		b = protowire.AppendVarint(b, v)
	}
	str := func(num protowire.Number, s string) {
		b = protowire.AppendTag(b, num, protowire.BytesType)
		b = protowire.AppendString(b, s)
	}
	varint(1, 2)
	varint(2, 17)
	str(3, src)
	str(4, dst)
	varint(5, 5060)
	varint(6, 5080)
	varint(7, 1795228661)
	varint(8, 865694)
	varint(9, 1)
	varint(10, 2001)
	str(11, "secret")
	str(12, options)
	str(13, "corr-1")
	varint(14, 42)
	return b
}

// decode decodes b, which must work.
func decode(t testing.TB, b []byte) *Packet {
	t.Helper()
	p := new(Packet)
	if err := new(Decoder).Decode(p, b); err != nil {
		t.Fatalf("%v in %x", err, b)
	}
	return p
}

// decodeError decodes b, which must fail, and returns a copy of the error.
func decodeError(t testing.TB, b []byte) (Packet, Error) {
	t.Helper()
	var p Packet
	err := new(Decoder).Decode(&p, b)
	e, ok := err.(*Error)
	if !ok {
		t.Fatalf("error is %v, want an *Error, for %x", err, b)
	}
	return p, *e
}

// checkSound checks what must hold of any outcome of Decode, for any input.
func checkSound(t testing.TB, b []byte, p *Packet, err error) {
	t.Helper()
	if err != nil {
		e, ok := err.(*Error)
		switch {
		case !ok:
			t.Fatalf("error %v is no *Error", err)
		case !slices.Contains(Reasons(), e.Reason):
			t.Fatalf("reason %q is not listed", e.Reason)
		case e.Offset < 0 || e.Offset > len(b):
			t.Fatalf("offset %d outside of %d bytes", e.Offset, len(b))
		case !strings.Contains(e.Error(), e.Reason):
			t.Fatalf("%q does not say %q", e.Error(), e.Reason)
		}
		return
	}
	if p.Variant == 0 || p.Variant > Protobuf {
		t.Fatalf("decoded to variant %d", p.Variant)
	}
	if !p.Present(ChunkPayload) {
		t.Fatal("decoded without a payload")
	}
	for _, field := range octets(p) {
		if len(*field) > DefaultMaxPayload {
			t.Fatalf("a field of %d bytes", len(*field))
		}
	}
}

// octets are the octet string fields of p.
func octets(p *Packet) []*[]byte {
	return []*[]byte{
		&p.AuthKey, &p.Payload, &p.CorrelationID, &p.NodeName, &p.Geo,
		&p.TransactionType, &p.PayloadKeys, &p.TagValues, &p.GroupID,
	}
}

// difference says how two packets differ in content: everything but the
// variant, the quirks, the fact that a payload came compressed, and whether an
// empty slice is nil. It returns "" where they agree.
func difference(a, b *Packet) string {
	x, y := *a, *b
	for _, p := range []*Packet{&x, &y} {
		p.Variant, p.Quirks = 0, 0
		p.Has &^= 1 << ChunkCompressed
		for _, field := range octets(p) {
			if len(*field) == 0 {
				*field = nil
			}
		}
		extra := p.Extra
		p.Extra = nil
		for _, c := range extra {
			p.Extra = append(p.Extra, Chunk{c.Vendor, c.Type, bytes.Clone(c.Data)})
			if len(c.Data) == 0 {
				p.Extra[len(p.Extra)-1].Data = nil
			}
		}
	}
	if reflect.DeepEqual(x, y) {
		return ""
	}
	var out []string
	vx, vy := reflect.ValueOf(x), reflect.ValueOf(y)
	for i := range vx.NumField() {
		if fx, fy := vx.Field(i).Interface(), vy.Field(i).Interface(); !reflect.DeepEqual(fx, fy) {
			out = append(out, fmt.Sprintf("%s: %v, %v", vx.Type().Field(i).Name, fx, fy))
		}
	}
	return strings.Join(out, "\n")
}

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }
