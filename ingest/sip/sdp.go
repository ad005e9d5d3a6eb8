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

// name gives the formats of a payload type the name of their map.
func (s *SDP) name(pt uint8, codec []byte) {
	for i, other := range s.payloads[:s.ncodecs] {
		if other == pt {
			s.codecs[i] = codec
		}
	}
}

// clear empties s; what its arrays hold beyond their counts does not matter.
func (s *SDP) clear() {
	s.nstreams, s.ncodecs = 0, 0
	s.Has, s.Hold, s.Direction, s.PTime, s.MediaLines, s.VideoLines = false, false, 0, 0, 0, 0
	s.Stream = Stream{}
	s.Proto = nil
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
