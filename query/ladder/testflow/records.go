// Package testflow makes a query.Flow out of a HEP version 3 capture of
// testdata/captures, for tests of what draws flows. It reads just enough of HEP
// and SIP for that and is no part of the product: the flows users see come from
// ClickHouse through package query.
package testflow

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/heplake/heplake/internal/captures"
)

// record is one HEP message.
type record struct {
	time        time.Time
	src, dst    netip.AddrPort
	transport   string
	node        string
	captureID   uint32
	correlation string
	kind        byte // payload type: 1 SIP, 5 RTCP, 100 log, …
	payload     []byte
}

// records reads the HEPv3 messages of a capture in file order. TCP streams are
// put together per sender.
func records(t testing.TB, capture string) []record {
	t.Helper()
	var out []record
	streams := map[string][]byte{}
	for _, p := range captures.Read(t, captures.Path(capture+".pcap")) {
		buf := p.Payload
		if p.Transport == "tcp" {
			buf = append(streams[p.Src.String()], p.Payload...)
		}
		for len(buf) >= 6 && string(buf[:4]) == "HEP3" {
			n := int(binary.BigEndian.Uint16(buf[4:]))
			if n < 6 || n > len(buf) {
				break
			}
			out = append(out, parseHEP(buf[6:n]))
			buf = buf[n:]
		}
		if p.Transport == "tcp" {
			streams[p.Src.String()] = append([]byte(nil), buf...)
		}
	}
	if len(out) == 0 {
		t.Fatalf("%s holds no HEP version 3", capture)
	}
	return out
}

// parseHEP reads the generic chunks a ladder needs (HEP rev 37, section 4).
func parseHEP(b []byte) record {
	var r record
	var src, dst netip.Addr
	var sport, dport uint16
	var sec, usec uint32
	for len(b) >= 6 {
		id, n := binary.BigEndian.Uint16(b[2:]), int(binary.BigEndian.Uint16(b[4:]))
		if n < 6 || n > len(b) {
			break
		}
		v := b[6:n]
		switch id {
		case 0x0002:
			r.transport = map[byte]string{6: "tcp", 17: "udp", 22: "tls", 132: "sctp"}[v[0]]
		case 0x0003, 0x0005:
			src, _ = netip.AddrFromSlice(v)
		case 0x0004, 0x0006:
			dst, _ = netip.AddrFromSlice(v)
		case 0x0007:
			sport = binary.BigEndian.Uint16(v)
		case 0x0008:
			dport = binary.BigEndian.Uint16(v)
		case 0x0009:
			sec = binary.BigEndian.Uint32(v)
		case 0x000a:
			usec = binary.BigEndian.Uint32(v)
		case 0x000b:
			r.kind = v[0]
		case 0x000c:
			r.captureID = binary.BigEndian.Uint32(v)
		case 0x000f:
			r.payload = v
		case 0x0011:
			r.correlation = string(v)
		case 0x0013:
			r.node = string(v)
		}
		b = b[n:]
	}
	r.src, r.dst = netip.AddrPortFrom(src, sport), netip.AddrPortFrom(dst, dport)
	r.time = time.Unix(int64(sec), int64(usec)*1000).UTC()
	if r.node == "" {
		r.node = strconv.FormatUint(uint64(r.captureID), 10)
	}
	return r
}

// message is what a ladder needs of a SIP message.
type message struct {
	method, ruri, reason string
	status               uint16
	header               map[string]string // first value, lower-case full name
	body                 string
}

var compactForms = map[string]string{
	"i": "call-id", "f": "from", "t": "to", "v": "via", "m": "contact", "c": "content-type", "l": "content-length",
}

func parseSIP(b []byte) (message, bool) {
	head, body, _ := strings.Cut(string(b), "\r\n\r\n")
	lines := strings.Split(head, "\r\n")
	m := message{header: map[string]string{}, body: body}
	first := strings.SplitN(lines[0], " ", 3)
	switch {
	case len(first) < 2:
		return m, false
	case first[0] == "SIP/2.0":
		n, _ := strconv.ParseUint(first[1], 10, 16)
		m.status = uint16(n)
		if len(first) == 3 {
			m.reason = first[2]
		}
	case len(first) == 3 && first[2] == "SIP/2.0":
		m.method, m.ruri = first[0], first[1]
	default:
		return m, false
	}
	for _, l := range lines[1:] {
		name, value, ok := strings.Cut(l, ":")
		if !ok {
			continue
		}
		name = strings.ToLower(strings.TrimSpace(name))
		if full, ok := compactForms[name]; ok {
			name = full
		}
		if _, seen := m.header[name]; !seen {
			m.header[name] = strings.TrimSpace(value)
		}
	}
	return m, true
}

// user and host of the first URI in a From, To or Request-URI.
func user(s string) string { u, _ := splitURI(s); return u }
func host(s string) string { _, h := splitURI(s); return h }

func splitURI(s string) (user, host string) {
	if i := strings.IndexByte(s, ':'); i >= 0 && strings.Contains(s[:i], "sip") {
		s = s[i+1:]
	}
	s, _, _ = strings.Cut(s, ">")
	s, _, _ = strings.Cut(s, ";")
	if u, h, ok := strings.Cut(s, "@"); ok {
		user, s = u, h
	}
	if i := strings.LastIndexByte(s, ':'); i > strings.LastIndexByte(s, ']') {
		s = s[:i]
	}
	return user, s
}
