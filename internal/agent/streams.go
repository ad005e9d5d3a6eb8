package agent

import (
	"bytes"
	"net/netip"

	"github.com/heplake/heplake/ingest/hep"
	"github.com/heplake/heplake/ingest/sip"
	"github.com/heplake/heplake/internal/pcap"
)

// Bounds of what TCP streams may hold back.
const (
	// maxMessage is the largest message that is put together.
	maxMessage = 1 << 20
	// maxHeld bounds what all streams hold.
	maxHeld = 64 << 20
	// maxStart is the longest start line that is waited for.
	maxStart = 8 << 10
	// maxForeign is after how many bytes without a message a stream is left
	// alone: it speaks something else. A database's stream has whole SIP messages
	// in it that were never on the wire.
	maxForeign = 32 << 10
	// maxStreams bounds the streams that are remembered.
	maxStreams = 65536
)

type streamKey struct{ src, dst netip.AddrPort }

// streamState is one direction of a TCP connection.
type streamState struct {
	held    []byte // bytes that end no message yet
	last    pcap.Payload
	foreign int // bytes since the last message
	// webSocket tells that held and what follows are WebSocket frames, deflated
	// that messages on it are compressed.
	webSocket, deflated bool
	window              []byte // the text last inflated, at most maxWindow of it
}

type streams struct {
	open     map[streamKey]*streamState
	held     int
	windows  int    // bytes of all windows
	text     []byte // the WebSocket message last put together
	inflater inflater
}

// stream takes a piece of a TCP stream and hands over each whole message in it.
func (x *Extractor) stream(p pcap.Payload) error {
	key := streamKey{p.Src, p.Dst}
	s := x.streams.open[key]
	if p.End {
		if s == nil {
			return nil
		}
		delete(x.streams.open, key)
		return x.release(s)
	}
	if s == nil {
		if x.streams.open == nil || len(x.streams.open) >= maxStreams {
			if err := x.Flush(); err != nil {
				return err
			}
		}
		s = &streamState{}
		x.streams.open[key] = s
	}
	if s.foreign >= maxForeign {
		x.streams.forget(s)
		x.counts.Ignored++
		return nil
	}
	if p.Gap {
		if err := x.release(s); err != nil {
			return err
		}
		s.webSocket = false // where the next frame begins is not known
	}
	data := p.Data
	if len(s.held) > 0 {
		data = append(s.held, data...)
	}
	rest, err := x.messages(s, p, data)
	if err != nil {
		return err
	}
	x.hold(s, p, rest)
	return nil
}

// messages hands over the whole messages at the start of data and returns the
// rest that may begin another.
func (x *Extractor) messages(s *streamState, p pcap.Payload, data []byte) (rest []byte, err error) {
	for {
		if s.webSocket {
			return x.webSocket(s, p, data)
		}
		// Line ends keep connections alive (RFC 5626 section 4.4.1).
		data = bytes.TrimLeft(data, "\r\n")
		if len(data) == 0 {
			return nil, nil
		}
		var n int
		switch frame, ferr := hep.FrameLength(data); {
		case ferr == nil && (frame == 0 || frame > len(data)):
			return data, nil
		case ferr == nil:
			n = frame
		case sip.LooksLikeSIP(data):
			var whole bool
			if n, whole = sip.MessageLength(data); !whole {
				return data, nil
			}
		case startsLine(data):
			return data, nil
		case x.framesSIP(data):
			s.webSocket = true
			continue
		default:
			if head, ok := upgrade(data); ok && head > 0 {
				s.webSocket = true
				data = data[head:]
				continue
			} else if ok {
				return data, nil
			}
			if s.deflated {
				x.counts.Undeflated++
			} else {
				x.counts.Ignored++
			}
			s.foreign += len(data)
			if isForeign(data) {
				s.foreign = maxForeign
			}
			return nil, nil
		}
		s.foreign = 0
		p.Data = data[:n]
		if err := x.message(p); err != nil {
			return nil, err
		}
		data = data[n:]
	}
}

// startsLine tells whether the bytes may be the beginning of a start line.
func startsLine(b []byte) bool {
	if len(b) > maxStart || bytes.IndexByte(b, '\n') >= 0 {
		return false
	}
	for _, c := range b[:min(len(b), 8)] {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

// isForeign tells streams that are known to be something else: HTTP, which turns
// into SIP by an upgrade only but may carry it, and TLS.
func isForeign(b []byte) bool {
	line, _, _ := bytes.Cut(b[:min(len(b), maxStart)], []byte("\n"))
	return bytes.Contains(line, []byte("HTTP/")) || len(b) > 2 && b[0] == 0x16 && b[1] == 3
}

// hold keeps the beginning of a message.
func (x *Extractor) hold(s *streamState, p pcap.Payload, rest []byte) {
	x.streams.held -= len(s.held)
	if len(rest) > maxMessage || x.streams.held+len(rest) > maxHeld {
		x.counts.Ignored++
		s.foreign += len(rest)
		rest = nil
	}
	s.held = append(s.held[:0], rest...)
	x.streams.held += len(s.held)
	if len(s.held) == 0 {
		s.held = nil
	}
	p.Data = nil
	s.last = p
}

// release hands over what a stream holds when nothing that fits will follow: a
// message that the capture cut short is worth seeing.
func (x *Extractor) release(s *streamState) error {
	defer x.streams.forget(s)
	data := s.held
	x.streams.held -= len(data)
	s.held = nil
	if len(data) == 0 {
		return nil
	}
	p := s.last
	p.Data = data
	if s.webSocket {
		if p.Data = x.cutText(s, data); len(p.Data) == 0 {
			return nil
		}
		p.Protocol = hep.ProtocolTLS
	}
	return x.message(p)
}

// Flush hands over what TCP streams hold, at the end of a capture.
func (x *Extractor) Flush() error {
	for _, s := range x.streams.open {
		if err := x.release(s); err != nil {
			return err
		}
	}
	x.streams.open = map[streamKey]*streamState{}
	return nil
}
