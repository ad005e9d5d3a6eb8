package tui

import (
	"fmt"
	"strings"
	"time"

	"github.com/heplake/heplake/internal/termtext"
	"github.com/heplake/heplake/query"
	"github.com/heplake/heplake/query/ladder"
)

// about is a message's time, hop, transport and agent on one line.
func about(f *query.Flow, it *query.Item, zone *time.Location) string {
	s := it.Time.In(zone).Format("15:04:05.000000 MST") + "  " + hop(f, it)
	if it.Transport != "" {
		s += "  " + it.Transport
	}
	if it.Node != "" {
		s += "  seen by " + it.Node
	}
	return s
}

// decode is a message with its parts named: compact header names written out
// (RFC 3261 section 7.3.3), folded lines joined, the session description's
// numbers explained.
func decode(f *query.Flow, it *query.Item, zone *time.Location) []textLine {
	d := &decoder{}
	d.title("Packet")
	d.field("time", it.Time.In(zone).Format("2006-01-02 15:04:05.000000 MST"))
	d.field("since", fmt.Sprintf("%s after the row before, %s after the first",
		ladder.Duration(time.Duration(it.DeltaUs)*time.Microsecond), ladder.Duration(time.Duration(it.OffsetUs)*time.Microsecond)))
	d.field("hop", hop(f, it))
	d.field("from", nameOf(f, it.Src))
	d.field("to", nameOf(f, it.Dst))
	d.field("transport", it.Transport)
	agent := it.Node
	if it.CaptureID != 0 {
		agent = strings.TrimSpace(fmt.Sprintf("%s (id %d)", it.Node, it.CaptureID))
	}
	d.field("seen by", agent)
	d.field("Call-ID", it.CallID)
	switch {
	case it.Retransmission:
		d.flag("a retransmission: the same message was sent before")
	case it.Copy:
		d.flag("a copy: another agent saw the same message on this hop")
	}
	if it.ParseError != "" {
		d.flag(it.ParseError)
	}
	text := bodyOf(it)
	if it.Kind != query.KindSIP {
		d.title(map[query.ItemKind]string{query.KindMedia: "Media report", query.KindEvent: "Event"}[it.Kind])
		d.lines = append(d.lines, otherLines(text)...)
		return d.lines
	}
	head, body, _ := strings.Cut(text, "\n\n")
	start, headers, _ := strings.Cut(head, "\n")
	d.title("Message")
	d.lines = append(d.lines, startLine(start))
	d.headers(headers)
	switch {
	case body == "":
	case isSDP(body):
		d.title("Session")
		d.sdp(body)
	default:
		d.title("Body")
		d.lines = append(d.lines, otherLines(body)...)
	}
	return d.lines
}

func nameOf(f *query.Flow, participant int) string {
	if participant < 0 || participant >= len(f.Participants) {
		return ""
	}
	p := f.Participants[participant]
	return strings.TrimSpace(p.Address + "  " + p.Name)
}

// decoder collects lines.
type decoder struct{ lines []textLine }

func (d *decoder) title(s string) {
	if len(d.lines) > 0 {
		d.lines = append(d.lines, nil)
	}
	d.lines = append(d.lines, textLine{{s, termtext.Bold}})
}

// nameWidth is where the values begin.
const nameWidth = 18

func (d *decoder) field(name, value string) {
	if value == "" {
		return
	}
	d.lines = append(d.lines, textLine{{"  " + name + strings.Repeat(" ", max(nameWidth-len(name), 1)), termtext.Cyan}, {value, headerStyle(name)}})
}

func (d *decoder) flag(s string) {
	d.lines = append(d.lines, textLine{{"  " + s, termtext.YellowBold}})
}

func (d *decoder) headers(text string) {
	var folded []string
	for _, l := range strings.Split(text, "\n") {
		if n := len(folded); n > 0 && (strings.HasPrefix(l, " ") || strings.HasPrefix(l, "\t")) {
			folded[n-1] += " " + strings.TrimSpace(l)
			continue
		}
		folded = append(folded, l)
	}
	for _, l := range folded {
		name, value, ok := strings.Cut(l, ":")
		if !ok {
			d.flag(l)
			continue
		}
		name = strings.TrimSpace(name)
		if long := compact[strings.ToLower(name)]; long != "" {
			name = long
		}
		d.field(name, strings.TrimSpace(value))
	}
}

// compact are the one-letter forms of header names (RFC 3261 section 20 and the
// IANA registry of SIP headers).
var compact = map[string]string{
	"a": "Accept-Contact", "b": "Referred-By", "c": "Content-Type", "d": "Request-Disposition", "e": "Content-Encoding",
	"f": "From", "i": "Call-ID", "j": "Reject-Contact", "k": "Supported", "l": "Content-Length", "m": "Contact", "n": "Identity-Info",
	"o": "Event", "r": "Refer-To", "s": "Subject", "t": "To", "u": "Allow-Events", "v": "Via", "x": "Session-Expires", "y": "Identity",
}

// sdp explains a session description (RFC 8866).
func (d *decoder) sdp(body string) {
	lines := strings.Split(body, "\n")
	names := map[string]string{} // of payload types, from a=rtpmap
	for _, l := range lines {
		if rest, ok := strings.CutPrefix(l, "a=rtpmap:"); ok {
			number, name, _ := strings.Cut(rest, " ")
			names[number] = name
		}
	}
	for _, l := range lines {
		if len(l) < 2 || l[1] != '=' {
			d.flag(l)
			continue
		}
		value := l[2:]
		switch l[0] {
		case 'v', 't':
		case 'o':
			words := strings.Fields(value)
			if len(words) == 6 {
				value = fmt.Sprintf("%s  by %s, session %s, version %s", words[5], words[0], words[1], words[2])
			}
			d.field("origin", value)
		case 's':
			d.field("name", strings.Trim(value, " -"))
		case 'c':
			d.field("address", strings.TrimPrefix(strings.TrimPrefix(value, "IN IP4 "), "IN IP6 "))
		case 'b':
			d.field("bandwidth", value)
		case 'm':
			d.media(value, names)
		case 'a':
			d.attribute(value)
		default:
			d.field(l[:1], value)
		}
	}
}

// media explains an m line: "audio 4000 RTP/AVP 8 101".
func (d *decoder) media(value string, names map[string]string) {
	words := strings.Fields(value)
	if len(words) < 4 {
		d.field("media", value)
		return
	}
	what := words[0] + " port " + words[1] + " " + words[2]
	if words[1] == "0" {
		what = words[0] + " refused (port 0)"
	}
	d.lines = append(d.lines, textLine{{"  " + what, termtext.GreenBold}})
	for _, number := range words[3:] {
		name := names[number]
		if name == "" {
			name = payloadTypes[number]
		}
		d.field("  "+number, name)
	}
}

func (d *decoder) attribute(value string) {
	name, rest, ok := strings.Cut(value, ":")
	switch st := directionStyle(name); {
	case name == "rtpmap":
	case st != "":
		d.lines = append(d.lines, textLine{{"    direction" + strings.Repeat(" ", nameWidth-11), termtext.Cyan}, {name, st}})
	case !ok:
		d.field("  "+name, "yes")
	default:
		d.field("  "+name, rest)
	}
}

// payloadTypes are the static ones (RFC 3551 section 6).
var payloadTypes = map[string]string{
	"0": "PCMU/8000", "3": "GSM/8000", "4": "G723/8000", "5": "DVI4/8000", "6": "DVI4/16000", "7": "LPC/8000", "8": "PCMA/8000",
	"9": "G722/8000", "10": "L16/44100/2", "11": "L16/44100", "12": "QCELP/8000", "13": "CN/8000", "14": "MPA/90000", "15": "G728/8000",
	"16": "DVI4/11025", "17": "DVI4/22050", "18": "G729/8000", "25": "CelB/90000", "26": "JPEG/90000", "28": "nv/90000",
	"31": "H261/90000", "32": "MPV/90000", "33": "MP2T/90000", "34": "H263/90000",
}
