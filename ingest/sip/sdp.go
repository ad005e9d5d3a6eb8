package sip

import (
	"bytes"
	"strconv"
)

// Bounds of what a summary keeps; more streams or formats are counted only.
const (
	// MaxStreams is the number of media lines whose address is kept.
	MaxStreams = 4
	// MaxCodecs is the number of formats of the main stream that are kept.
	MaxCodecs = 16
)

// Direction is the direction of a stream, seen from the sender of the session
// description (RFC 8866 section 6.7).
type Direction uint8

// The directions. SendRecv holds when none is given.
const (
	SendRecv Direction = iota
	SendOnly
	RecvOnly
	Inactive
)

// String is the direction's attribute name: "sendrecv", "sendonly"…
func (d Direction) String() string {
	switch d {
	case SendOnly:
		return "sendonly"
	case RecvOnly:
		return "recvonly"
	case Inactive:
		return "inactive"
	}
	return "sendrecv"
}

// Stream is where one media line wants its packets.
type Stream struct {
	// Media is "audio", "video", "image", "application"…
	Media []byte
	// Addr is the connection address as written, without TTL: IPv4, IPv6 without
	// brackets, or a host name. nil when the description has none.
	Addr []byte
	// Port is the media port; 0 is a refused or removed stream (RFC 3264 section 6).
	Port uint16
	// RTCPAddr and RTCPPort are those of a=rtcp (RFC 3605). Without it, RTCPPort
	// is Port with a=rtcp-mux (RFC 5761), else Port + 1 for RTP, else 0; RTCPAddr
	// is then nil: the same as Addr.
	RTCPAddr []byte
	RTCPPort uint16
}

// SDP sums up a session description (RFC 8866). Its main stream is the first
// audio line, or the first media line when there is no audio.
type SDP struct {
	// Has tells a message with a session description from one without.
	Has bool
	// Stream is the main stream, empty without media lines.
	Stream
	// Proto is the main stream's transport: "RTP/AVP", "RTP/SAVPF", "udptl"…
	Proto []byte
	// Direction of the main stream, inherited from the session when it has none.
	Direction Direction
	// Hold: the sender put the other party on hold (RFC 3264 section 8.4):
	// sendonly, inactive, or the connection address 0.0.0.0 of RFC 2543.
	Hold bool
	// PTime is the main stream's packet time in milliseconds, 0 when not given.
	PTime uint16
	// MediaLines counts all media lines, VideoLines those of video with a port
	// other than 0.
	MediaLines, VideoLines int

	streams  [MaxStreams]Stream
	codecs   [MaxCodecs][]byte
	payloads [MaxCodecs]uint8
	nstreams uint8
	ncodecs  uint8
}

// Streams are the media lines in their order, MaxStreams at most. The slice
// points into the SDP.
func (s *SDP) Streams() []Stream { return s.streams[:s.nstreams] }

// Codecs are the main stream's formats in order of preference, MaxCodecs at
// most, by their encoding names as written ("PCMU", "opus", "telephone-event").
// A static payload type without rtpmap has its name of RFC 3551, a dynamic one
// without rtpmap its number, a format that is no RTP its own text ("t38"). The
// slice points into the SDP.
func (s *SDP) Codecs() [][]byte { return s.codecs[:s.ncodecs] }

// PayloadTypes are the RTP payload types of [SDP.Codecs], one for each; 255 for
// a format that is no RTP payload type. The slice points into the SDP.
func (s *SDP) PayloadTypes() []uint8 { return s.payloads[:s.ncodecs] }

// AppendSummary appends one line that a reader of a ladder understands to dst:
// "audio 10.0.0.1:20000 PCMU,PCMA,telephone-event sendrecv", with ", video
// 10.0.0.1:20002" for each further stream. Nothing is appended without SDP.
func (s *SDP) AppendSummary(dst []byte) []byte {
	if !s.Has || s.MediaLines == 0 {
		return dst
	}
	dst = s.Stream.appendTo(dst)
	for i, codec := range s.Codecs() {
		sep := byte(',')
		if i == 0 {
			sep = ' '
		}
		dst = append(append(dst, sep), codec...)
	}
	dst = append(append(dst, ' '), s.Direction.String()...)
	main := false
	for i := range s.Streams() {
		other := &s.streams[i]
		if !main && other.Port == s.Port && bytes.Equal(other.Media, s.Media) {
			main = true
			continue
		}
		dst = other.appendTo(append(dst, ", "...))
	}
	return dst
}

func (s *Stream) appendTo(dst []byte) []byte {
	dst = append(append(dst, s.Media...), ' ')
	if bytes.IndexByte(s.Addr, ':') >= 0 {
		dst = append(append(append(dst, '['), s.Addr...), ']')
	} else {
		dst = append(dst, s.Addr...)
	}
	return strconv.AppendUint(append(dst, ':'), uint64(s.Port), 10)
}

// sdpReader reads a session description line by line.
type sdpReader struct {
	s           *SDP
	sessionAddr []byte
	sessionDir  Direction
	cur         Stream // the media section being read
	muxed       bool
	main        bool // the section is the main stream
	inMedia     bool
	bad         bool
}

// parse fills s from a body. It reports false when a connection or media line
// cannot be read, or when nothing looks like a session description. The last
// line of a body that was cut is left out unless it ends.
func (s *SDP) parse(b []byte, cut bool) bool {
	r := sdpReader{s: s}
	s.Has = true
	lines := 0
	for len(b) > 0 {
		line := b
		if n := bytes.IndexByte(b, '\n'); n >= 0 {
			line, b = b[:n], b[n+1:]
		} else if b = nil; cut {
			break
		}
		if len(line) < 2 || line[1] != '=' {
			continue
		}
		lines++
		switch line[0] {
		case 'a':
			r.attribute(line[2:])
		case 'c':
			r.connection(trim(line[2:]))
		case 'm':
			r.endMedia()
			r.media(trim(line[2:]))
		}
	}
	r.endMedia()
	return lines > 0 && !r.bad
}

// connection reads "IN IP4 10.0.0.1/127".
func (r *sdpReader) connection(v []byte) {
	_, v, _ = cutWord(v)
	_, v, _ = cutWord(v)
	n := 0
	for n < len(v) && class[v[n]]&isLWS == 0 && v[n] != '/' {
		n++
	}
	switch addr := v[:n]; {
	case n == 0:
		r.bad = true
	case !r.inMedia:
		r.sessionAddr = addr
	case r.cur.Addr == nil:
		r.cur.Addr = addr
	}
}

// media reads "audio 20000 RTP/AVP 0 8 101".
func (r *sdpReader) media(v []byte) {
	s := r.s
	s.MediaLines++
	r.inMedia, r.muxed = true, false
	r.cur = Stream{}
	var port, proto []byte
	r.cur.Media, v, _ = cutWord(v)
	port, v, _ = cutWord(v)
	proto, v, _ = cutWord(v)
	n, digits, ok := parseUint(port, 65535)
	if digits < len(port) && digits > 0 && port[digits] == '/' { // number of ports
		digits = len(port)
	}
	if !ok || digits != len(port) || len(proto) == 0 {
		r.bad = true
	} else {
		r.cur.Port = uint16(n)
	}
	if hasPrefixFold(proto, "rtp/") || hasPrefixFold(proto, "udp/tls/rtp/") {
		if r.cur.Port != 0 {
			r.cur.RTCPPort = r.cur.Port + 1
		}
	}
	audio := foldEqual(r.cur.Media, "audio")
	r.main = s.MediaLines == 1 || audio && !foldEqual(s.Media, "audio")
	if foldEqual(r.cur.Media, "video") && r.cur.Port != 0 {
		s.VideoLines++
	}
	if !r.main {
		return
	}
	s.Media = r.cur.Media
	s.Proto = proto
	s.Direction = r.sessionDir
	s.PTime, s.ncodecs = 0, 0
	r.formats(v, hasPrefixFold(proto, "rtp/") || hasPrefixFold(proto, "udp/tls/rtp/"))
}

// formats reads the formats of the main stream.
func (r *sdpReader) formats(v []byte, rtp bool) {
	s := r.s
	for len(v) > 0 && s.ncodecs < MaxCodecs {
		var format []byte
		format, v, _ = cutWord(v)
		pt := uint8(noPayload)
		if n, digits, ok := parseUint(format, 127); rtp && ok && digits == len(format) {
			pt = uint8(n)
			if name := staticPayload(pt); name != nil {
				format = name
			}
		}
		s.codecs[s.ncodecs], s.payloads[s.ncodecs] = format, pt
		s.ncodecs++
	}
}

// attribute reads one a= line. Names of attributes are in lower case (RFC 8866
// section 5.13).
func (r *sdpReader) attribute(v []byte) {
	switch {
	case len(v) < 5:
	case v[0] == 'r' && v[1] == 't':
		switch {
		case len(v) > 7 && string(v[:7]) == "rtpmap:":
			if r.main {
				r.rtpmap(trimLeft(v[7:]))
			}
		case string(v[:5]) == "rtcp:":
			if r.inMedia {
				r.rtcp(trimLeft(v[5:]))
			}
		case string(trimRight(v)) == "rtcp-mux":
			r.muxed = r.inMedia
		}
	case v[0] == 's':
		switch string(trimRight(v)) {
		case "sendrecv":
			r.direction(SendRecv)
		case "sendonly":
			r.direction(SendOnly)
		}
	case v[0] == 'r':
		if string(trimRight(v)) == "recvonly" {
			r.direction(RecvOnly)
		}
	case v[0] == 'i':
		if string(trimRight(v)) == "inactive" {
			r.direction(Inactive)
		}
	case v[0] == 'p':
		if r.main && len(v) > 6 && string(v[:6]) == "ptime:" {
			if n, _, ok := parseUint(trimLeft(v[6:]), 65535); ok {
				r.s.PTime = uint16(n)
			}
		}
	}
}

func (r *sdpReader) direction(d Direction) {
	switch {
	case !r.inMedia:
		r.sessionDir = d
	case r.main:
		r.s.Direction = d
	}
}

// rtcp reads "53020 IN IP4 126.16.64.4" (RFC 3605).
func (r *sdpReader) rtcp(v []byte) {
	port, v, _ := cutWord(v)
	n, digits, ok := parseUint(port, 65535)
	if !ok || digits != len(port) {
		return
	}
	r.cur.RTCPPort = uint16(n)
	_, v, _ = cutWord(v)
	_, v, _ = cutWord(v)
	if addr, _, _ := cutWord(v); len(addr) > 0 {
		r.cur.RTCPAddr = addr
	}
}

// rtpmap reads "101 telephone-event/8000".
func (r *sdpReader) rtpmap(v []byte) {
	pt, digits, ok := parseUint(v, 127)
	if !ok || digits == len(v) || class[v[digits]]&isLWS == 0 {
		return
	}
	v = trimLeft(v[digits:])
	n := 0
	for n < len(v) && v[n] != '/' && class[v[n]]&isLWS == 0 {
		n++
	}
	if n == 0 {
		return
	}
	s := r.s
	for i, other := range s.payloads[:s.ncodecs] {
		if other == uint8(pt) {
			s.codecs[i] = v[:n]
		}
	}
}

// endMedia closes the media section being read.
func (r *sdpReader) endMedia() {
	if !r.inMedia {
		return
	}
	s := r.s
	if r.cur.Addr == nil {
		r.cur.Addr = r.sessionAddr
	}
	if r.muxed {
		r.cur.RTCPPort = r.cur.Port
	}
	if s.nstreams < MaxStreams {
		s.streams[s.nstreams] = r.cur
		s.nstreams++
	}
	if r.main {
		s.Stream = r.cur
		s.Hold = s.Direction == SendOnly || s.Direction == Inactive || string(r.cur.Addr) == "0.0.0.0"
	}
}

// noPayload marks a format that is no RTP payload type.
const noPayload = 255

// staticNames are the encoding names of static payload types, RFC 3551 section 6.
var staticNames = [...][]byte{
	0: []byte("PCMU"), 3: []byte("GSM"), 4: []byte("G723"), 5: []byte("DVI4"), 6: []byte("DVI4"),
	7: []byte("LPC"), 8: []byte("PCMA"), 9: []byte("G722"), 10: []byte("L16"), 11: []byte("L16"),
	12: []byte("QCELP"), 13: []byte("CN"), 14: []byte("MPA"), 15: []byte("G728"), 16: []byte("DVI4"),
	17: []byte("DVI4"), 18: []byte("G729"), 25: []byte("CelB"), 26: []byte("JPEG"), 28: []byte("nv"),
	31: []byte("H261"), 32: []byte("MPV"), 33: []byte("MP2T"), 34: []byte("H263"),
}

func staticPayload(pt uint8) []byte {
	if int(pt) < len(staticNames) {
		return staticNames[pt]
	}
	return nil
}
