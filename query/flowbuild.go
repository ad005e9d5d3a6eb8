package query

import (
	"net/netip"
	"strings"
	"time"
)

// address is one end of a hop.
type address struct {
	ip   netip.Addr
	port uint16
}

func (a address) String() string {
	switch {
	case !a.ip.IsValid():
		return "unknown:" + netip.AddrPortFrom(netip.IPv4Unspecified(), a.port).String()[len("0.0.0.0:"):]
	default:
		return netip.AddrPortFrom(a.ip, a.port).String()
	}
}

// message is an item with what else the order and the flags need.
type message struct {
	Item
	src, dst       address
	branch, server string
	// vias are the values of Via, topmost first.
	vias []sipVia
	// at is Time by the flow's clock: less what the agent's clock is ahead.
	at time.Time
}

// connected reports whether the message came over a connection, whose client
// has a port for it alone.
func (m *message) connected() bool {
	switch m.Transport {
	case "tcp", "tls", "ws", "wss":
		return true
	}
	return false
}

// agent is who reported the message.
func (m *message) agent() agent { return agent{m.Node, m.CaptureID} }

type agent struct {
	node string
	id   uint32
}

// hop is a pair of addresses in one direction.
type hop struct{ src, dst address }

// identity tells messages apart: two with the same identity are one message,
// sent again or seen twice. The SDP is part of it because a server may send
// several 183 with different offers.
type identity struct {
	content
	hop    hop
	branch string
}

// content is what stays of a message from hop to hop.
type content struct {
	callID, method, cseqMethod, fromTag, toTag, sdp string
	status                                          uint16
	cseq                                            uint32
}

func (m *message) content() content {
	return content{m.CallID, m.Method, m.CSeqMethod, m.FromTag, m.ToTag, m.SDP, m.Status, m.CSeq}
}

// hopByHop reports whether each hop makes a message of its own instead of passing
// it on (RFC 3261 sections 9, 16.7 and 17.1.1.3): 100, CANCEL with its responses,
// and ACK, which only for a 2xx goes from end to end.
func (m *message) hopByHop() bool {
	return m.Status == 100 || m.CSeqMethod == "CANCEL" || m.CSeqMethod == "ACK"
}

func (m *message) identity() identity { return identity{m.content(), hop{m.src, m.dst}, m.branch} }

// flowBuilder makes a flow of rows.
type flowBuilder struct {
	component *component
	asked     string
	aliases   aliases
	messages  []message
	sip       int // how many of messages are SIP
	reasons   []string
}

func newFlowBuilder(c *component, asked string, a aliases) *flowBuilder {
	return &flowBuilder{component: c, asked: asked, aliases: a}
}

func (b *flowBuilder) truncated(reason string) {
	for _, r := range b.reasons {
		if r == reason {
			return
		}
	}
	b.reasons = append(b.reasons, reason)
}

func (b *flowBuilder) add(m message) {
	m.Time = m.Time.UTC()
	m.src.ip, m.dst.ip = unmap(m.src.ip), unmap(m.dst.ip)
	m.SrcAddr, m.DstAddr = netip.AddrPortFrom(m.src.ip, m.src.port), netip.AddrPortFrom(m.dst.ip, m.dst.port)
	m.RawBytes = []byte(m.Raw)
	m.Raw = strings.ToValidUTF8(m.Raw, "\uFFFD")
	if m.at = m.Time; m.Kind == KindSIP {
		head := readSIPHead(m.RawBytes)
		m.vias = head.vias()
	}
	b.messages = append(b.messages, m)
}

// flow puts what was added together.
func (b *flowBuilder) flow() *Flow {
	mendEnds(b.messages)
	b.messages = inOrder(b.messages)
	markRepeats(b.messages)
	f := &Flow{Legs: b.legs(), Items: make([]Item, len(b.messages)), Truncated: strings.Join(b.reasons, "; ")}
	legs := map[string]int{}
	for i, l := range f.Legs {
		legs[l.CallID] = i
	}
	p := newParticipants(b.messages, b.aliases)
	var first, previous time.Time
	for i := range b.messages {
		m := &b.messages[i]
		if i == 0 {
			first, previous = m.Time, m.Time
		}
		m.Index = i
		m.OffsetUs = m.Time.Sub(first).Microseconds()
		m.DeltaUs = m.Time.Sub(previous).Microseconds()
		previous = m.Time
		m.Src, m.Dst = p.ends(m)
		leg, ok := legs[m.CallID]
		if !ok {
			leg = -1
		}
		m.Leg = leg
		if ok && m.Kind == KindSIP {
			f.Legs[leg].Messages++
		}
		f.Items[i] = m.Item
	}
	f.Participants, f.Clocks = p.list, clocksOf(b.messages)
	if f.Participants == nil {
		f.Participants = []Participant{}
	}
	return f
}

// mendEnds finds the receiver of messages whose agent reports the sender as both
// ends, as Kamailio does of what it sends over WebSocket: the other end of the
// same transaction. Item.DstAddr stays what was reported.
func mendEnds(messages []message) {
	type branch struct {
		callID, branch, cseqMethod string
		cseq                       uint32
		at                         address
	}
	peers := map[branch]address{}
	for i := range messages {
		if m := &messages[i]; m.Kind == KindSIP && m.src != m.dst && m.branch != "" {
			peers[branch{m.CallID, m.branch, m.CSeqMethod, m.CSeq, m.dst}] = m.src
		}
	}
	for i := range messages {
		m := &messages[i]
		if m.Kind != KindSIP || m.src != m.dst || m.branch == "" {
			continue
		}
		if peer, ok := peers[branch{m.CallID, m.branch, m.CSeqMethod, m.CSeq, m.src}]; ok {
			m.dst = peer
		}
	}
}

// legs lists the legs in order of their first message, each with the link by
// which one gets to it from the id asked for.
func (b *flowBuilder) legs() []Leg {
	reachedBy := map[string]string{b.asked: b.asked} // id → the id that led to it
	for grown := true; grown; {
		grown = false
		for _, l := range b.component.links {
			_, call := reachedBy[l.callID]
			_, correlation := reachedBy[l.correlationID]
			switch {
			case call == correlation:
			case call:
				reachedBy[l.correlationID], grown = l.callID, true
			default:
				reachedBy[l.callID], grown = l.correlationID, true
			}
		}
	}
	var out []Leg
	for _, id := range b.component.callIDs() {
		leg := Leg{CallID: id, LinkedBy: "correlation_id"}
		if id == b.asked {
			leg.LinkedBy = "asked"
		} else if _, reached := reachedBy[id]; !reached {
			leg.LinkedBy = "likeness" // no id leads to it: the call's row has it
		} else if leg.LinkValue = reachedBy[id]; b.isCorrelationOf(id, b.asked) {
			leg.LinkValue = b.asked
		} else if !b.isCorrelationOf(id, leg.LinkValue) {
			leg.LinkValue = id // others name this Call-ID as their correlation id
		}
		out = append(out, leg)
	}
	return out
}

// isCorrelationOf reports whether messages of the Call-ID have the correlation id.
func (b *flowBuilder) isCorrelationOf(callID, correlationID string) bool {
	for _, l := range b.component.links {
		if l.callID == callID && l.correlationID == correlationID {
			return true
		}
	}
	return false
}

// markRepeats finds retransmissions and copies: the n-th time that an agent
// reports a message is its (n-1)-th retransmission, and a copy when another
// agent has reported an n-th time already.
func markRepeats(messages []message) {
	type occurrence struct {
		identity
		agent agent
	}
	byAgent := map[occurrence]int{}
	most := map[identity]int{}
	for i := range messages {
		m := &messages[i]
		if m.Kind != KindSIP {
			continue
		}
		id := m.identity()
		o := occurrence{id, m.agent()}
		byAgent[o]++
		n := byAgent[o]
		m.Retransmission = n > 1
		m.Copy = n <= most[id]
		most[id] = max(most[id], n)
	}
}
