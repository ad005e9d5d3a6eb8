package hepjson

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net"
	"strconv"
	"unicode/utf8"

	"github.com/heplake/heplake/ingest/hep"
)

// Append appends p to dst as one line of JSON, without the line's end. Beside
// rcinfo and payload it has the variant ("hep3"), and the quirks with which the
// packet departs from the specification, when there are any.
func Append(dst []byte, p *hep.Packet) []byte {
	dst = append(dst, `{"rcinfo":{`...)
	start := len(dst)
	for _, f := range numbers[:2] { // family and protocol stand before the addresses
		dst = f.append(dst, p)
	}
	for _, a := range addresses {
		if ip := *a.at(p); ip.IsValid() {
			dst = appendText(dst, a.name, []byte(ip.String()))
		}
	}
	for _, f := range numbers[2:] {
		dst = f.append(dst, p)
	}
	for _, m := range macs {
		if addr := *m.at(p); addr != [6]byte{} || p.Present(m.chunk) {
			dst = appendText(dst, m.name, []byte(net.HardwareAddr(addr[:]).String()))
		}
	}
	for _, t := range texts {
		if b := *t.at(p); len(b) > 0 || p.Present(t.chunk) {
			dst = appendText(dst, t.name, b)
		}
	}
	if len(p.Extra) > 0 {
		list := make([]chunk, len(p.Extra))
		for i, c := range p.Extra {
			list[i] = chunk(c)
		}
		dst = appendKey(dst, "chunks")
		dst = append(append(dst, marshal(list)...), ',')
	}
	if len(dst) > start {
		dst = dst[:len(dst)-1]
	}
	dst = append(dst, `},`...)
	dst = appendText(dst, "payload", p.Payload)
	dst = appendText(dst, "variant", []byte(p.Variant.String()))
	if p.Quirks != 0 {
		dst = appendText(dst, "quirks", []byte(p.Quirks.String()))
	}
	dst[len(dst)-1] = '}'
	return dst
}

// AppendError appends an object that says why and where b, a packet that does
// not decode, is no HEP: the reason's stable word, the offset in it, and its
// bytes in base64.
func AppendError(dst []byte, reason string, offset int, b []byte) []byte {
	dst = append(dst, '{')
	dst = appendText(dst, "error", []byte(reason))
	dst = appendKey(dst, "offset")
	dst = append(strconv.AppendInt(dst, int64(offset), 10), ',')
	dst = appendBase64(dst, "packet", b)
	dst[len(dst)-1] = '}'
	return dst
}

func (f *number) append(dst []byte, p *hep.Packet) []byte {
	v := f.get(p)
	// The type is always there: Parse takes one that is missing for SIP.
	if v == 0 && !p.Present(f.chunk) && f.chunk != hep.ChunkType {
		return dst
	}
	dst = appendKey(dst, f.name)
	return append(strconv.AppendUint(dst, v, 10), ',')
}

func appendKey(dst []byte, name string) []byte {
	return append(append(append(dst, '"'), name...), `":`...)
}

// appendText writes octets as a string where they are UTF-8, else in base64.
func appendText(dst []byte, name string, b []byte) []byte {
	if !utf8.Valid(b) {
		return appendBase64(dst, name, b)
	}
	dst = appendKey(dst, name)
	return append(append(dst, marshal(string(b))...), ',')
}

func appendBase64(dst []byte, name string, b []byte) []byte {
	dst = appendKey(dst, name+base64Suffix)
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, b)
	return append(dst, `",`...)
}

// marshal is JSON with <, > and & as they are: SIP is full of them.
func marshal(v any) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // strings, numbers and bytes always encode
	return bytes.TrimRight(buf.Bytes(), "\n")
}
