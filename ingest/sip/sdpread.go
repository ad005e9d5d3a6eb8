package sip

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
	// forgivingOnly leaves the usual forms to the forgiving code as well.
	forgivingOnly bool
}

// parse fills s from a body. It reports false when a connection or media line
// cannot be read, or when nothing looks like a session description. The last
// line of a body that was cut is left out unless it ends.
func (s *SDP) parse(b []byte, cut, forgivingOnly bool) bool {
	r := sdpReader{s: s, forgivingOnly: forgivingOnly}
	s.Has = true
	lines := 0
	for pos := 0; pos < len(b); {
		// The usual forms (see usual.go) of the lines that most of a description
		// consists of, told apart here: a call for each line would cost more.
		if len(b)-pos >= 16 && !forgivingOnly {
			next := 0
			switch line := b[pos : pos+9]; {
			case string(line) == "a=rtpmap:":
				next = r.usualMap(b, pos+9)
			case string(line) == "c=IN IP4 ":
				next = r.usualConnection(b, pos+9)
			}
			if next > 0 {
				lines++
				pos = next
				continue
			}
		}
		end := byteAt(b, pos, '\n')
		if end == len(b) && cut {
			break
		}
		line := b[pos:end]
		pos = end + 1
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

// usualMap reads "101 telephone-event/8000" at b[pos:]. next is the offset of the
// next line, 0 when the map is not of the usual form, and nothing was read.
func (r *sdpReader) usualMap(b []byte, pos int) (next int) {
	pt, end := decimal(b, pos)
	if end == pos || pt > 127 || at(b, end) != ' ' {
		return 0
	}
	name := end + 1
	if end = partEnd(b, name); end == name || at(b, end) != '/' {
		return 0
	}
	if next = byteAt(b, end, '\n') + 1; next > len(b) {
		return 0
	}
	if r.main {
		r.s.name(uint8(pt), b[name:end])
	}
	return next
}

// usualConnection reads an IPv4 address without TTL and count; next is that of
// usualMap.
func (r *sdpReader) usualConnection(b []byte, pos int) (next int) {
	end := partEnd(b, pos)
	if end == pos || at(b, end) != '\r' || at(b, end+1) != '\n' {
		return 0
	}
	r.address(b[pos:end])
	return end + 2
}

// connection reads "IN IP4 10.0.0.1/127".
func (r *sdpReader) connection(v []byte) {
	_, v, _ = cutWord(v)
	_, v, _ = cutWord(v)
	n := partEnd(v, 0)
	for n < len(v) && class[v[n]]&isLWS == 0 && v[n] != '/' {
		n++
	}
	if n == 0 {
		r.bad = true
		return
	}
	r.address(v[:n])
}

// address takes note of a connection address, of which the first of a section
// counts; that of the session is for sections without one.
func (r *sdpReader) address(addr []byte) {
	switch {
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
	proto, formats, ok := r.usualMedia(v)
	rtp := ok
	if !ok {
		proto, formats = r.forgivingMedia(v)
		rtp = hasPrefixFold(proto, "rtp/") || hasPrefixFold(proto, "udp/tls/rtp/")
	}
	if rtp && r.cur.Port != 0 {
		r.cur.RTCPPort = r.cur.Port + 1
	}
	audio := foldEqual(r.cur.Media, "audio")
	r.main = s.MediaLines == 1 || audio && !foldEqual(s.Media, "audio")
	if !audio && r.cur.Port != 0 && foldEqual(r.cur.Media, "video") {
		s.VideoLines++
	}
	if !r.main {
		return
	}
	s.Media = r.cur.Media
	s.Proto = proto
	s.Direction = r.sessionDir
	s.PTime, s.ncodecs = 0, 0
	r.formats(formats, rtp)
}

// usualMedia reads the usual form of a media line, in which audio goes over RTP.
func (r *sdpReader) usualMedia(v []byte) (proto, formats []byte, ok bool) {
	if len(v) < 16 || string(v[:6]) != "audio " || r.forgivingOnly {
		return nil, nil, false
	}
	port, end := decimal(v, 6)
	if end == 6 || port > 65535 || len(v)-end < 10 || string(v[end:end+9]) != " RTP/AVP " {
		return nil, nil, false
	}
	r.cur.Media, r.cur.Port = v[:5], uint16(port)
	return v[end+1 : end+8], trimLeft(v[end+9:]), true
}

// forgivingMedia reads any media line.
func (r *sdpReader) forgivingMedia(v []byte) (proto, formats []byte) {
	var port []byte
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
	return proto, v
}

// formats reads the formats of the main stream.
func (r *sdpReader) formats(v []byte, rtp bool) {
	s := r.s
	for i := 0; i < len(v) && s.ncodecs < MaxCodecs; i = skipSpace(v, i) {
		n, end := decimal(v, i)
		isPayload := rtp && end > i && n <= 127
		if end < len(v) && class[v[end]]&isLWS == 0 {
			for end < len(v) && class[v[end]]&isLWS == 0 {
				end++
			}
			_, digits, ok := parseUint(v[i:end], 127)
			isPayload = rtp && ok && digits == end-i
		}
		format, pt := v[i:end], uint8(noPayload)
		if isPayload {
			pt = uint8(n)
			if name := staticPayload(pt); name != nil {
				format = name
			}
		}
		s.codecs[s.ncodecs], s.payloads[s.ncodecs] = format, pt
		s.ncodecs++
		i = end
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
	n := partEnd(v, 0)
	for n < len(v) && v[n] != '/' && class[v[n]]&isLWS == 0 {
		n++
	}
	if n > 0 {
		r.s.name(uint8(pt), v[:n])
	}
}

// endMedia closes the media section being read.
func (r *sdpReader) endMedia() {
	if !r.inMedia {
		return
	}
	s := r.s
	addr, rtcpPort := r.cur.Addr, r.cur.RTCPPort
	if addr == nil {
		addr = r.sessionAddr
	}
	if r.muxed {
		rtcpPort = r.cur.Port
	}
	// Field by field: a copy of the whole waits for what was just written.
	if s.nstreams < MaxStreams {
		r.cur.copyTo(&s.streams[s.nstreams], addr, rtcpPort)
		s.nstreams++
	}
	if r.main {
		r.cur.copyTo(&s.Stream, addr, rtcpPort)
		s.Hold = s.Direction == SendOnly || s.Direction == Inactive || string(addr) == "0.0.0.0"
	}
}

func (s *Stream) copyTo(dst *Stream, addr []byte, rtcpPort uint16) {
	dst.Media, dst.Addr, dst.Port = s.Media, addr, s.Port
	dst.RTCPAddr, dst.RTCPPort = s.RTCPAddr, rtcpPort
}
