package truth

import (
	"fmt"
	"slices"
	"strings"

	"github.com/heplake/heplake/ingest/hep"
)

// message is what a SIP message says but for what differs from hop to hop.
type message struct {
	method string // of a request; of a response that of its CSeq
	status int    // of a response
	reason string
	cseq   int
	from   party
	to     party
	// fromTag and toTag are as in the message's headers.
	fromTag, toTag string
	// target is the user part of the Request-URI.
	target  string
	sdp     string
	headers []string
	server  string
}

type party struct{ user, domain string }

// leg is a dialog, or an attempt at one, under one Call-ID.
type leg struct {
	callID       string
	caller       party
	callee       party
	fromTag      string
	nodes        []*host // from the caller to the callee
	headers      []string
	correlation  string // chunk 0x11
	cseq, recseq int    // last CSeq of the caller and of the callee
	target       string
}

// via is one Via of a message.
type via struct {
	host   *host
	branch string
}

// text writes the message as it is on the hop to the host.
func (m *message) text(l *leg, vias []via, to *host) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\r\n", args...) }
	if m.status == 0 {
		line("%s sip:%s@%s SIP/2.0", m.method, m.target, to.addr)
	} else {
		line("SIP/2.0 %d %s", m.status, m.reason)
	}
	for i := len(vias) - 1; i >= 0; i-- {
		line("Via: SIP/2.0/UDP %s;branch=%s", vias[i].host.addr, vias[i].branch)
	}
	tag := func(t string) string {
		if t == "" {
			return ""
		}
		return ";tag=" + t
	}
	line("From: <sip:%s@%s>%s", m.from.user, m.from.domain, tag(m.fromTag))
	line("To: <sip:%s@%s>%s", m.to.user, m.to.domain, tag(m.toTag))
	line("Call-ID: %s", l.callID)
	line("CSeq: %d %s", m.cseq, m.method)
	line("Max-Forwards: %d", 71-len(vias))
	if m.server != "" {
		if m.status == 0 {
			line("User-Agent: %s", m.server)
		} else {
			line("Server: %s", m.server)
		}
	}
	for _, h := range append(append([]string{}, l.headers...), m.headers...) {
		line("%s", h)
	}
	if m.sdp != "" {
		line("Content-Type: application/sdp")
	}
	line("Content-Length: %d", len(m.sdp))
	line("")
	b.WriteString(m.sdp)
	return b.String()
}

// description is a session description of one audio stream.
func description(h *host, port int, direction string) string {
	ip := h.addr.Addr().String()
	return fmt.Sprintf("v=0\r\no=- %d 1 IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\nm=audio %d RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\na=%s\r\n", port, ip, ip, port, direction)
}

// emit reports a message that is on the wire from one host to another at a time:
// once for each capture agent on either of them. Where there is none, an agent of
// its own listens on the wire.
func (g *generator) emit(c *Call, l *leg, m *message, vias []via, from, to *host, at int64, again bool) {
	text := m.text(l, vias, to)
	name := m.method
	if m.status != 0 {
		name = fmt.Sprintf("%d/%s", m.status, m.method)
	}
	observers := []int{from.agent, to.agent}
	if from.agent == to.agent || to.agent < 0 {
		observers = observers[:1]
	}
	if observers[0] < 0 {
		observers = observers[1:]
	}
	if len(observers) == 0 {
		observers = []int{0}
	}
	for _, n := range observers {
		g.report(c, l, hep.TypeSIP, []byte(text), from, to, at, n, fmt.Sprintf("%s %s %s>%s %d", name, l.callID, from.addr, to.addr, m.cseq))
		if c != nil {
			c.Messages++
			if name := g.world.agents[n].name; !slices.Contains(c.Nodes, name) {
				c.Nodes = append(c.Nodes, name)
			}
			if again {
				c.Retransmissions++
			}
		}
	}
	if c != nil {
		c.saw(at)
		if m.status == 0 && m.toTag == "" && m.method == c.Method {
			c.hop(from, to)
		}
	}
}

// report sends a HEP packet of an agent.
func (g *generator) report(c *Call, l *leg, kind uint16, payload []byte, from, to *host, at int64, n int, name string) {
	a := g.world.agents[n]
	p := hep.Packet{
		Family: hep.FamilyIPv4, Protocol: 17, Src: from.addr.Addr(), Dst: to.addr.Addr(), SrcPort: from.addr.Port(), DstPort: to.addr.Port(),
		Time: at + a.skew, Type: kind, CaptureID: a.id, NodeName: []byte(a.name), CorrelationID: []byte(l.correlation), Payload: payload,
	}
	if kind == hep.TypeRTCP {
		p.CorrelationID = []byte(l.callID)
	}
	packet := Packet{Agent: n, Time: p.Time, Arrival: at + g.between(0, 2e6), Data: hep.Append(nil, &p), call: c, name: name}
	if g.chance(g.cfg.Late) {
		packet.Arrival += g.between(0, 60e9)
	}
	g.packets = append(g.packets, packet)
	if kind == hep.TypeSIP && g.chance(g.cfg.Duplicates) {
		packet.Arrival += g.between(0, 1e9)
		g.packets = append(g.packets, packet)
		if c != nil {
			c.Duplicates++
		}
	}
}
