package export

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/heplake/heplake/query"
)

// packet is one record that goes into a capture file as what the wire carried.
type packet struct {
	// at puts the packet in its place: it is the time, or that of a packet before
	// it in its flow where clocks disagreed.
	at       time.Time
	time     time.Time
	src, dst netip.AddrPort
	// protocol is that of the file, which for TLS and WebSocket is the one beneath.
	protocol string
	node     string
	data     []byte
	comments []string
}

// maxComment bounds a packet's comment, in bytes; pcapng has room for 65,535.
const maxComment = 4 << 10

// packets lists what the flows' records are as packets, in order. Each flow
// keeps its own order, in which causes come before effects; flows are merged by
// time. A record that was never a packet (a log line, a report that an agent
// wrote as JSON) is a comment on the packet before it.
func packets(flows []*query.Flow) []packet {
	var out []packet
	for _, f := range flows {
		out = append(out, flowPackets(f)...)
	}
	slices.SortStableFunc(out, func(a, b packet) int { return a.at.Compare(b.at) })
	return out
}

func flowPackets(f *query.Flow) []packet {
	var out []packet
	var early []string // remarks before the first packet
	var at time.Time
	for i := range f.Items {
		it := &f.Items[i]
		data, ok := wireBytes(it)
		if !ok {
			note := remark(it)
			if len(out) == 0 {
				early = append(early, note)
			} else {
				last := &out[len(out)-1]
				last.comments = append(last.comments, note)
			}
			continue
		}
		if it.Time.After(at) {
			at = it.Time
		}
		p := packet{at: at, time: it.Time, data: data, node: nodeName(it)}
		p.src, p.dst = ends(f, it)
		var moved string
		p.protocol, moved = p.carrier(it)
		p.comments = append(early, about(it, moved))
		early = nil
		if most := room(p.protocol); most > 0 && len(data) > most {
			p.data = data[:most]
			p.comments = append(p.comments, fmt.Sprintf("only the first %d of %d bytes fit into a packet", most, len(data)))
		}
		out = append(out, p)
	}
	return out
}

// wireBytes is what of an item goes on the wire; ok is false when nothing does.
func wireBytes(it *query.Item) (data []byte, ok bool) {
	b := rawOf(it)
	switch it.Kind {
	case query.KindSIP:
		return b, len(b) > 0
	case query.KindMedia:
		return b, isRTCP(b)
	}
	return nil, false
}

// rawOf is a record byte for byte. A flow that came as JSON has only the text.
func rawOf(it *query.Item) []byte {
	if it.RawBytes != nil {
		return it.RawBytes
	}
	return []byte(it.Raw)
}

// isRTCP tells a binary RTCP packet from the text that agents make of it: it has
// version 2 and a packet type of the range that RFC 5761 section 4 keeps for RTCP.
func isRTCP(b []byte) bool {
	return len(b) >= 4 && b[0]>>6 == 2 && b[1] >= 192 && b[1] <= 223
}

// ends are an item's addresses on the wire.
func ends(f *query.Flow, it *query.Item) (src, dst netip.AddrPort) {
	address := func(a netip.AddrPort, participant int) netip.AddrPort {
		if !a.Addr().IsValid() && participant >= 0 && participant < len(f.Participants) {
			p := &f.Participants[participant]
			a = netip.AddrPortFrom(p.IP, p.Port)
		}
		return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
	}
	return address(it.SrcAddr, it.Src), address(it.DstAddr, it.Dst)
}

// nodeName is who captured an item: a capture agent's name, else its id.
func nodeName(it *query.Item) string {
	if it.Node != "" {
		return it.Node
	}
	return "capture agent " + strconv.FormatUint(uint64(it.CaptureID), 10)
}

// claimedPorts are the TCP ports whose content Wireshark takes for TLS, HTTP or
// another protocol that is not SIP (its defaults), of those that SIP over TLS and
// WebSocket is found on. Clear text on them would not be shown as SIP.
var claimedPorts = []uint16{80, 443, 631, 853, 1300, 2221, 2443, 3128, 3132, 3689, 5061, 5066, 5671, 5684, 5868, 5985, 7443, 8080, 8088, 8089, 8443, 8883, 11371, 19999}

// sipPort is the port on which everybody expects SIP.
const sipPort = 5060

// carrier decides on the protocol that carries the packet in the file. What was
// captured inside TLS or WebSocket is clear text, so it goes over TCP, and away
// from ports on which Wireshark would not look for SIP; moved says so.
func (p *packet) carrier(it *query.Item) (protocol, moved string) {
	switch it.Transport {
	case "tcp", "sctp":
		return it.Transport, ""
	case "tls", "ws", "wss":
	default:
		return "udp", ""
	}
	moved = "captured inside " + map[string]string{"tls": "TLS", "ws": "a WebSocket", "wss": "a secure WebSocket"}[it.Transport] + ", written as clear text over TCP"
	for _, end := range []*netip.AddrPort{&p.src, &p.dst} {
		if slices.Contains(claimedPorts, end.Port()) {
			moved += fmt.Sprintf("; port %d is written as %d, where Wireshark looks for SIP", end.Port(), sipPort)
			*end = netip.AddrPortFrom(end.Addr(), sipPort)
		}
	}
	return "tcp", moved
}

// about is the comment on a packet.
func about(it *query.Item, moved string) string {
	parts := []string{"node " + nodeName(it)}
	if it.Leg >= 0 {
		parts = append(parts, "leg "+LegName(it.Leg))
	}
	if it.CallID != "" {
		parts = append(parts, "Call-ID "+it.CallID)
	}
	switch {
	case it.Copy:
		parts = append(parts, "copy of what another node saw")
	case it.Retransmission:
		parts = append(parts, "retransmission")
	}
	if it.ParseError != "" {
		parts = append(parts, "faults: "+it.ParseError)
	}
	if moved != "" {
		parts = append(parts, moved)
	}
	return cut(strings.Join(parts, ", "), maxComment)
}

// remark is the comment that stands for a record without a packet.
func remark(it *query.Item) string {
	text := it.Label
	if it.Kind == query.KindEvent && strings.TrimSpace(it.Raw) != "" {
		text = strings.TrimSpace(it.Raw)
	}
	return cut(it.Time.UTC().Format("15:04:05.000000")+" "+nodeName(it)+": "+text, maxComment)
}

// cut shortens text to n bytes at most, between characters.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n-len("…")], "") + "…"
}

// LegName is the letter of a leg: A, B, … Z, A1, B1, … It is that of the ladder.
func LegName(leg int) string {
	name := string(rune('A' + leg%26))
	if leg >= 26 {
		name += strconv.Itoa(leg / 26)
	}
	return name
}
