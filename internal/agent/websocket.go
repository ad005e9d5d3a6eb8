package agent

import (
	"bytes"
	"encoding/binary"

	"github.com/heplake/heplake/ingest/hep"
	"github.com/heplake/heplake/ingest/sip"
	"github.com/heplake/heplake/internal/pcap"
)

// SIP over WebSocket (RFC 7118) as it is on the wire: an HTTP upgrade, then frames
// (RFC 6455 section 5.2), each message of which is one SIP message. A capture may
// begin behind the upgrade: then a frame is told by the SIP in it. Messages may be
// compressed (RFC 7692), which browsers ask for by default: see inflate.go.

const (
	opContinuation = 0
	opBinary       = 2
	opClose        = 8
	opPong         = 10

	// maxControl is the longest payload of a control frame (RFC 6455 section 5.5).
	maxControl = 125
	// maxFragments bounds the frames of one message, which are read again with
	// each further piece of the stream.
	maxFragments = 64
)

// wsFrame is one frame, or what there is of it.
type wsFrame struct {
	final   bool
	deflate bool // RSV1: the message that it begins is compressed
	opcode  byte
	key     []byte // nil: not masked
	payload []byte
}

// parseFrame reads the frame that b begins with. n is its length, 0 when b ends
// before the frame; f.payload is then as much as there is. ok is false when
// b begins with no frame, or none that is read.
func parseFrame(b []byte) (f wsFrame, n int, ok bool) {
	if len(b) == 0 {
		return f, 0, true
	}
	f.final, f.deflate, f.opcode = b[0]&0x80 != 0, b[0]&0x40 != 0, b[0]&0x0f
	control := f.opcode >= opClose
	if b[0]&0x30 != 0 || f.deflate && (control || f.opcode == opContinuation) || f.opcode > opBinary && !control || f.opcode > opPong || control && !f.final {
		return f, 0, false
	}
	if len(b) < 2 {
		return f, 0, true
	}
	head, size := 2, uint64(b[1]&0x7f)
	switch {
	case control && size > maxControl:
		return f, 0, false
	case size == 126:
		if head += 2; len(b) < head {
			return f, 0, true
		}
		size = uint64(binary.BigEndian.Uint16(b[2:]))
	case size == 127:
		if head += 8; len(b) < head {
			return f, 0, true
		}
		size = binary.BigEndian.Uint64(b[2:])
	}
	if size > maxMessage {
		return f, 0, false
	}
	if b[1]&0x80 != 0 {
		if head += 4; len(b) < head {
			return f, 0, true
		}
		f.key = b[head-4 : head]
	}
	if whole := head + int(size); len(b) >= whole {
		f.payload = b[head:whole]
		return f, whole, true
	}
	f.payload = b[head:]
	return f, 0, true
}

// appendTo appends the payload without its mask (RFC 6455 section 5.3).
func (f *wsFrame) appendTo(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, f.payload...)
	if f.key != nil {
		for i := range dst[start:] {
			dst[start+i] ^= f.key[i&3]
		}
	}
	return dst
}

// framesSIP tells a stream that is in the midst of a WebSocket connection: it
// begins with a frame that begins with a SIP message or a HEP one.
func (x *Extractor) framesSIP(b []byte) bool {
	f, _, ok := parseFrame(b)
	if !ok || f.opcode == opContinuation || f.opcode >= opClose || len(f.payload) == 0 {
		return false
	}
	f.payload = f.payload[:min(len(f.payload), maxStart)]
	text := f.appendTo(x.streams.text[:0])
	x.streams.text = text
	if f.deflate {
		text, _ = x.streams.inflater.inflate(nil, text, cut, maxPeek)
	}
	return sip.LooksLikeSIP(text) || magicHEP(text)
}

// upgrade is the length of the HTTP head that b begins with, when it asks for or
// agrees to WebSocket; n is 0 while the head may go on. ok is false for anything
// else.
func upgrade(b []byte) (n int, ok bool) {
	if !bytes.HasPrefix(b, []byte("GET ")) && !bytes.HasPrefix(b, []byte("HTTP/1.1 101")) {
		return 0, false
	}
	end := bytes.Index(b[:min(len(b), maxStart)], []byte("\r\n\r\n"))
	if end < 0 {
		return 0, len(b) < maxStart
	}
	for line := range bytes.Lines(b[:end+2]) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		if bytes.EqualFold(name, []byte("Upgrade")) && bytes.EqualFold(bytes.TrimSpace(value), []byte("websocket")) {
			return end + 4, true
		}
	}
	return 0, false
}

// webSocket hands over the SIP and HEP in the whole WebSocket messages at the
// start of data and returns the rest, which may begin another.
func (x *Extractor) webSocket(s *streamState, p pcap.Payload, data []byte) (rest []byte, err error) {
	for len(data) > 0 {
		text, deflate, n, ok := x.assemble(data)
		if !ok {
			// Lost, or never a WebSocket: a frame with SIP gets it going again.
			s.webSocket = false
			x.streams.forget(s)
			x.counts.Ignored++
			s.foreign += len(data)
			return nil, nil
		}
		if n == 0 {
			return data, nil
		}
		data = data[n:]
		if deflate {
			if text, ok = x.inflate(s, text); !ok {
				continue
			}
		}
		text = bytes.TrimLeft(text, "\r\n") // keep-alives of RFC 5626
		if len(text) == 0 {
			continue
		}
		if err := x.webSocketMessage(s, p, text); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// webSocketMessage hands over one message. SIP gets the protocol that agents give
// SIP over WebSocket; its Via tells ws from wss.
func (x *Extractor) webSocketMessage(s *streamState, p pcap.Payload, text []byte) error {
	if sip.LooksLikeSIP(text) || magicHEP(text) {
		s.foreign = 0
	} else {
		s.foreign += len(text)
	}
	p.Data, p.Protocol = text, hep.ProtocolTLS
	return x.message(p)
}

// assemble puts together the message whose frames b begins with; deflate tells
// that it is compressed. n is the number of bytes the frames take, 0 when they do
// not end in b. A control frame by itself, or the end of a message whose beginning
// was not captured, is a message without text. The text holds until the next call.
func (x *Extractor) assemble(b []byte) (text []byte, deflate bool, n int, ok bool) {
	x.streams.text = x.streams.text[:0]
	begun := false
	for frames := 0; frames < maxFragments; frames++ {
		f, size, ok := parseFrame(b[n:])
		if !ok || begun && f.opcode != opContinuation && f.opcode < opClose {
			return nil, false, 0, false
		}
		if size == 0 {
			return nil, false, 0, true
		}
		n += size
		switch {
		case f.opcode >= opClose || f.opcode == opContinuation && !begun:
			if !begun {
				return nil, false, n, true
			}
			continue // in between fragments (RFC 6455 section 5.4)
		case len(x.streams.text)+len(f.payload) > maxMessage:
			return nil, false, 0, false
		}
		if !begun {
			begun, deflate = true, f.deflate
		}
		x.streams.text = f.appendTo(x.streams.text)
		if f.final {
			return x.streams.text, deflate, n, true
		}
	}
	return nil, false, 0, false
}

// cutText is what there is of a message whose frames do not end in b.
func (x *Extractor) cutText(s *streamState, b []byte) []byte {
	x.streams.text = x.streams.text[:0]
	deflate := false
	for {
		f, n, ok := parseFrame(b)
		if ok && f.opcode < opClose {
			deflate = deflate || f.deflate
			x.streams.text = f.appendTo(x.streams.text)
		}
		if !ok || n == 0 {
			break
		}
		b = b[n:]
	}
	if deflate {
		text, _ := x.streams.inflater.inflate(s.window, x.streams.text, cut, maxMessage)
		return text
	}
	return x.streams.text
}
