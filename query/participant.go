package query

import (
	"net/netip"
	"slices"
)

// participants are the columns of a ladder. Addresses that are one party share
// one: those of the same alias, and the client ports that a host takes anew for
// each connection of TCP.
type participants struct {
	list    []Participant
	byKey   map[partyKey]int
	names   map[address]string
	aliases aliases
	// service is the address of a host that a client port belongs to.
	service map[address]address
}

// partyKey is what addresses of one participant share: the alias, else the
// address.
type partyKey struct {
	alias string
	at    address
}

// newParticipants lists the ends of SIP messages in order of appearance, with
// what they call themselves.
func newParticipants(messages []message, a aliases) *participants {
	p := &participants{byKey: map[partyKey]int{}, names: names(messages), aliases: a, service: servicePorts(messages)}
	for i := range messages {
		if m := &messages[i]; m.Kind == KindSIP {
			p.index(m.src)
			p.index(m.dst)
		}
	}
	return p
}

// names finds what each address calls itself in User-Agent or Server. Proxies
// pass these headers on, so only a message that its sender had not received
// itself says anything about the sender.
func names(messages []message) map[address]string {
	type arrival struct {
		content
		at address
	}
	// A relayed message keeps all but its SDP, which a media proxy rewrites.
	passed := func(m *message) content {
		c := m.content()
		c.sdp = ""
		return c
	}
	received := map[arrival]bool{}
	for i := range messages {
		if m := &messages[i]; m.Kind == KindSIP && m.src != m.dst && !m.hopByHop() {
			received[arrival{passed(m), m.dst}] = true
		}
	}
	out := map[address]string{}
	for i := range messages {
		m := &messages[i]
		if m.Kind != KindSIP || out[m.src] != "" || received[arrival{passed(m), m.src}] {
			continue
		}
		name := m.UserAgent
		if m.Status > 0 && m.server != "" {
			name = m.server
		}
		if name != "" {
			out[m.src] = name
		}
	}
	return out
}

// servicePorts finds, for the ports that hosts took for a connection of their
// own, the address they are known by. The topmost Via of a request, and of its
// responses, says where its sender is to be found (RFC 3261 section 18.1.1); a
// host behind NAT names another address there, and is then known by the only
// other port that it has in the flow.
func servicePorts(messages []message) map[address]address {
	out := map[address]address{}
	known := map[netip.Addr][]address{}
	client := map[address]bool{}
	talks := map[hop]bool{} // addresses that exchange messages are two parties
	for i := range messages {
		if m := &messages[i]; m.Kind == KindSIP {
			talks[hop{m.src, m.dst}], talks[hop{m.dst, m.src}] = true, true
		}
	}
	for i := range messages {
		m := &messages[i]
		if m.Kind != KindSIP {
			continue
		}
		at := m.src // who sent the request
		if m.Status > 0 {
			at = m.dst
		}
		if !m.connected() || len(m.vias) == 0 {
			continue
		}
		via := m.vias[0]
		if host, err := netip.ParseAddr(via.host); err == nil && host.Unmap() == at.ip {
			if known := (address{at.ip, via.port}); known != at && !talks[hop{at, known}] {
				out[at] = known
				client[at] = true
			}
			continue
		}
		// Two hosts' ports: the one that a request is sent from is the client's,
		// unless requests are sent to it as well.
		client[at] = true
	}
	for i := range messages {
		m := &messages[i]
		if m.Kind != KindSIP {
			continue
		}
		for _, at := range [2]address{m.src, m.dst} {
			if !client[at] && !slices.Contains(known[at.ip], at) {
				known[at.ip] = append(known[at.ip], at)
			}
		}
	}
	for at := range client {
		if _, ok := out[at]; !ok && at.ip.IsValid() && at.port >= firstClientPort && len(known[at.ip]) == 1 && !talks[hop{at, known[at.ip][0]}] {
			out[at] = known[at.ip][0]
		}
	}
	return out
}

// firstClientPort is the lowest port that systems take for connections of
// clients (RFC 6335 section 6 has 49152; Linux begins at 32768).
const firstClientPort = 32768

// key is the participant that an address belongs to.
func (p *participants) key(a address) partyKey {
	if s, ok := p.service[a]; ok {
		a = s
	}
	if name := p.aliases.name(a.ip, a.port); name != "" {
		return partyKey{alias: name}
	}
	return partyKey{at: a}
}

// index is the participant of an address, which is added when it is new.
func (p *participants) index(a address) int {
	key := p.key(a)
	i, ok := p.byKey[key]
	if !ok {
		i = len(p.list)
		p.byKey[key] = i
		shown := a
		if s, ok := p.service[a]; ok {
			shown = s
		}
		p.list = append(p.list, Participant{Address: shown.String(), IP: shown.ip, Port: shown.port, Alias: key.alias})
	}
	one := &p.list[i]
	if one.Name == "" {
		one.Name = p.names[a]
	}
	if text := a.String(); !slices.Contains(one.Addresses, text) {
		one.Addresses = append(one.Addresses, text)
	}
	return i
}

// ends are the participants that a message is drawn between. RTCP has ports of
// its own; it is drawn between the SIP participants of the same hosts where there
// are such and they are not one, so that the ladder keeps its columns.
func (p *participants) ends(m *message) (src, dst int) {
	if m.Kind != KindSIP {
		s, okSrc := p.sameHost(m.src)
		d, okDst := p.sameHost(m.dst)
		if okSrc && okDst && (s != d || m.src == m.dst) {
			return s, d
		}
	}
	return p.index(m.src), p.index(m.dst)
}

// sameHost is the first participant with the same address, alias or IP address.
func (p *participants) sameHost(a address) (int, bool) {
	if i, ok := p.byKey[p.key(a)]; ok {
		return i, true
	}
	for i := range p.list {
		if p.list[i].IP == a.ip {
			return i, true
		}
	}
	return 0, false
}
