package agent

import (
	"bytes"
	"errors"
	"io"

	"github.com/klauspost/compress/flate"
)

// Compressed WebSocket messages (permessage-deflate, RFC 7692). A message may lean
// on the last 32 KiB of text that went the same way before it. That text is kept
// whether or not the two sides agreed to it: a sender that must not lean on it
// does not. It is forgotten where anything was missed. A message that leans on
// forgotten text is an error, never another text, and is counted.

const (
	// maxWindow is how far back DEFLATE reaches (RFC 1951 section 2).
	maxWindow = 32 << 10
	// maxWindows bounds the windows of all streams. Where there is no room for
	// another, a stream's messages that lean on it are not read.
	maxWindows = 64 << 20
	// maxPeek is how much of a message is inflated to tell what it is.
	maxPeek = 512
	// maxLast bounds the last blocks of one message.
	maxLast = 64
)

// endOfDeflate ends the data of a whole message: the empty block that the sender
// took away (RFC 7692 section 7.2.1), and one that says it is the last.
const endOfDeflate = "\x00\x00\xff\xff" + "\x01\x00\x00\xff\xff"

var errInflated = errors.New("a compressed message is too long")

// whole and cut tell the inflater whether a message's end is there.
const (
	whole = true
	cut   = false
)

// inflater inflates one message at a time.
type inflater struct {
	in   bytes.Reader
	data []byte
	read io.ReadCloser
	text []byte
}

// inflate returns the text of a message, at most limit bytes of it: longer ones
// are an error, and so is a message that is not whole. On an error the text is
// what was read before it. The text holds until the next call.
func (z *inflater) inflate(window, message []byte, ended bool, limit int) (text []byte, err error) {
	z.data = append(z.data[:0], message...)
	if ended {
		z.data = append(z.data, endOfDeflate...)
	}
	z.in.Reset(z.data)
	if z.read == nil {
		z.read = flate.NewReader(&z.in)
	}
	z.text = z.text[:0]
	// Senders may end blocks as if they were the last (RFC 7692 section 7.2.3.4).
	for last := 0; z.in.Len() > 0; last++ {
		if last == maxLast {
			return z.text, errInflated
		}
		if err := z.read.(flate.Resetter).Reset(&z.in, dictionary(window, z.text)); err != nil {
			return z.text, err
		}
		for {
			if len(z.text) == cap(z.text) {
				z.text = append(z.text, 0)[:len(z.text)]
			}
			n, err := z.read.Read(z.text[len(z.text):min(cap(z.text), limit+1)])
			z.text = z.text[:len(z.text)+n]
			if len(z.text) > limit {
				return z.text[:limit], errInflated
			}
			if err == io.EOF {
				break
			}
			if err != nil {
				return z.text, err
			}
		}
	}
	return z.text, nil
}

// dictionary is what a block may lean on: the text of its own message, and that
// before it.
func dictionary(window, text []byte) []byte {
	switch {
	case len(text) == 0:
		return window
	case len(text) >= maxWindow:
		return text[len(text)-maxWindow:]
	}
	return append(bytes.Clone(window[max(0, len(window)+len(text)-maxWindow):]), text...)
}

// inflate returns the text of a stream's next message, and keeps it for the ones
// behind it. ok is false when the message cannot be read, which is counted.
func (x *Extractor) inflate(s *streamState, message []byte) (text []byte, ok bool) {
	s.deflated = true
	text, err := x.streams.inflater.inflate(s.window, message, whole, maxMessage)
	if err != nil {
		x.counts.Undeflated++
		s.foreign += len(message)
		x.streams.forget(s)
		return nil, false
	}
	x.streams.remember(s, text)
	return text, true
}

// remember slides the window of a stream over a text.
func (st *streams) remember(s *streamState, text []byte) {
	text = text[max(0, len(text)-maxWindow):]
	keep := s.window[max(0, len(s.window)+len(text)-maxWindow):]
	if st.windows+len(keep)+len(text)-len(s.window) > maxWindows {
		st.forget(s)
		return
	}
	st.windows += len(keep) + len(text) - len(s.window)
	n := copy(s.window, keep)
	s.window = append(s.window[:n], text...)
}

// forget drops the window of a stream.
func (st *streams) forget(s *streamState) {
	st.windows -= len(s.window)
	s.window = nil
}
