package export

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
)

// body rewrites a message's body by its type. Of a type that is not known nothing
// can be read any more.
func (a *Anonymiser) body(contentType, body string) string {
	if body == "" {
		return ""
	}
	kind, params, _ := strings.Cut(contentType, ";")
	kind = strings.ToLower(strings.TrimSpace(kind))
	switch {
	case kind == "application/sdp":
		return a.sdp(body)
	case kind == "message/sipfrag", kind == "message/sip":
		return a.sip(body)
	case kind == "application/vq-rtcpxr":
		return a.qualityReport(body)
	case strings.HasPrefix(kind, "multipart/"):
		if boundary, ok := param(";"+params, "boundary"); ok {
			return a.multipart(strings.Trim(boundary, `"`), body)
		}
	}
	return a.blankBody(body)
}

// blankBody leaves of a body its length and lines; of a binary one the length.
func (a *Anonymiser) blankBody(body string) string {
	if strings.ContainsFunc(body, func(r rune) bool { return r < ' ' && r != '\r' && r != '\n' && r != '\t' }) {
		return strings.Repeat("\x00", len(body))
	}
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(" \t\r\n", r) {
			return r
		}
		return 'x'
	}, body)
}

// multipart rewrites each part as a body of its own.
func (a *Anonymiser) multipart(boundary, body string) string {
	parts := strings.Split(body, "--"+boundary)
	for i, part := range parts {
		if i == 0 || strings.HasPrefix(part, "--") {
			parts[i] = a.keepFraming(part)
			continue
		}
		lead := part[:len(part)-len(strings.TrimLeft(part, "\r\n"))]
		p := parseSIP("x\r\n" + part[len(lead):])
		contentType := p.get("content-type")
		for j := range p.headers {
			p.headers[j].value = a.header(p.headers[j].canonical(), p.headers[j].value)
		}
		text := strings.TrimRight(p.body, "\r\n") // the line end is the boundary's
		p.body = a.body(contentType, text) + p.body[len(text):]
		parts[i] = lead + strings.TrimPrefix(p.String(), "x\r\n")
	}
	return strings.Join(parts, "--"+boundary)
}

// keepFraming blanks what stands before the first part and behind the last one.
func (a *Anonymiser) keepFraming(s string) string {
	if end, ok := strings.CutPrefix(s, "--"); ok {
		return "--" + a.blankBody(end)
	}
	return a.blankBody(s)
}

// eachLine rewrites text line by line, without the line ends.
func eachLine(s string, f func(string) string) string {
	var b strings.Builder
	for s != "" {
		line, end, rest := cutLine(s)
		b.WriteString(f(line) + end)
		s = rest
	}
	return b.String()
}

// plainAttributes are those of SDP that say nothing about anyone.
var plainAttributes = set("rtpmap", "fmtp", "ptime", "maxptime", "sendrecv", "sendonly", "recvonly", "inactive", "mid", "group", "rtcp-mux", "rtcp-fb", "rtcp-rsize",
	"extmap", "setup", "connection", "silencesupp", "curr", "des", "conf", "ice-lite", "ice-options", "end-of-candidates", "bundle-only", "msid-semantic", "direction",
	"framerate", "framesize", "imageattr", "sctpmap", "sctp-port", "max-message-size", "extmap-allow-mixed", "t38faxversion", "t38maxbitrate", "t38faxfillbitremoval",
	"t38faxtranscodingmmr", "t38faxtranscodingjbig", "t38faxratemanagement", "t38faxmaxbuffer", "t38faxmaxdatagram", "t38faxudpec", "t38maxdatagram", "rtpengine", "charset", "content", "label", "maxprate")

// sdp rewrites a session description.
func (a *Anonymiser) sdp(body string) string {
	return eachLine(body, func(line string) string {
		kind, value, ok := strings.Cut(line, "=")
		if !ok {
			return a.blankBody(line)
		}
		switch kind {
		case "v", "t", "r", "z", "b", "m":
			return line
		case "o":
			f := strings.Split(value, " ")
			if len(f) < 6 {
				return kind + "=" + a.opaque(value)
			}
			if f[0] != "-" {
				f[0] = a.user(f[0])
			}
			f[5] = a.p.host(f[5])
			return kind + "=" + strings.Join(f, " ")
		case "c":
			before, addr, _ := cutLast(value, " ")
			addr, ttl, multicast := strings.Cut(addr, "/")
			addr = a.p.host(addr)
			if multicast {
				addr += "/" + ttl
			}
			return kind + "=" + before + " " + addr
		case "s", "i":
			return kind + "=" + a.display(value)
		case "a":
			return kind + "=" + a.attribute(value)
		}
		return kind + "=" + a.opaque(value)
	})
}

func (a *Anonymiser) attribute(s string) string {
	name, value, ok := strings.Cut(s, ":")
	switch n := strings.ToLower(name); {
	case !ok || plainAttributes[n]:
		return s
	case n == "rtcp" || n == "candidate" || n == "remote-candidates":
		return name + ":" + wordInText.ReplaceAllStringFunc(value, func(w string) string {
			if address, ok := a.address(w); ok {
				return address
			}
			if strings.HasSuffix(w, ".local") {
				return a.p.host(w)
			}
			return w
		})
	}
	return name + ":" + a.opaque(value)
}

var reportID = regexp.MustCompile(`(?i)^(\s*(?:Call-?ID|OrigID|LocalID|RemoteID|LocalGroup|RemoteGroup|LocalMAC|RemoteMAC|DialogID)\s*:)(.*)$`)

// qualityReport rewrites a report of RFC 6035: figures stay.
func (a *Anonymiser) qualityReport(body string) string {
	return eachLine(body, func(line string) string {
		if m := reportID.FindStringSubmatch(line); m != nil {
			core := strings.TrimSpace(m[2])
			lead := m[2][:len(m[2])-len(strings.TrimLeft(m[2], " \t"))]
			switch {
			case strings.Contains(strings.ToLower(m[1]), "call") || strings.Contains(strings.ToLower(m[1]), "dialog"):
				return m[1] + lead + a.dialog(core)
			case strings.Contains(core, ":"):
				return m[1] + lead + a.nameAddr(core)
			}
			return m[1] + lead + a.opaque(core)
		}
		return a.prose(line)
	})
}

// report rewrites a media report: binary RTCP, JSON, or text.
func (a *Anonymiser) report(raw string) string {
	if isRTCP([]byte(raw)) {
		return string(a.rtcp([]byte(raw)))
	}
	var v any
	dec := json.NewDecoder(strings.NewReader(raw))
	dec.UseNumber()
	if dec.Decode(&v) == nil && strings.HasPrefix(strings.TrimSpace(raw), "{") {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if enc.Encode(a.jsonValue(v)) == nil {
			return strings.TrimSuffix(b.String(), "\n")
		}
	}
	if m := parseSIP(raw); m.isSIP() {
		return a.sip(raw)
	}
	return a.qualityReport(raw)
}

// jsonValue rewrites the strings of a JSON value that are not the name of anything.
func (a *Anonymiser) jsonValue(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			v[k] = a.jsonValue(e)
		}
	case []any:
		for i, e := range v {
			v[i] = a.jsonValue(e)
		}
	case string:
		return a.opaque(v)
	}
	return v
}

// rtcp rewrites what is text in compound RTCP (RFC 3550 sections 6.5 to 6.7): the
// names of source descriptions, the reasons of BYE, the data of APP.
func (a *Anonymiser) rtcp(b []byte) []byte {
	b = bytes.Clone(b)
	const sdes, bye, app = 202, 203, 204
	for rest := b; len(rest) >= 4; {
		n := min(4+4*(int(rest[2])<<8|int(rest[3])), len(rest))
		body := rest[4:n]
		switch rest[1] {
		case sdes:
			a.sourceDescription(body)
		case bye:
			if skip := 4 * int(rest[0]&31); skip < len(body) {
				a.sameLength(body[skip+1:])
			}
		case app:
			if len(body) > 8 {
				clear(body[8:])
			}
		}
		rest = rest[n:]
	}
	return b
}

// sourceDescription rewrites the items of SDES chunks in place.
func (a *Anonymiser) sourceDescription(b []byte) {
	for at := 0; at+4 < len(b); {
		at += 4 // SSRC
		for at+1 < len(b) && b[at] != 0 {
			end := min(at+2+int(b[at+1]), len(b))
			a.sameLength(b[at+2 : end])
			at = end
		}
		at = (at + 4) &^ 3 // the end of the list, padded
	}
}

// sameLength rewrites bytes in place.
func (a *Anonymiser) sameLength(b []byte) {
	for i, c := range b {
		if c >= 0x80 {
			b[i] = 'x'
		}
	}
	copy(b, a.p.word(string(b)))
}
