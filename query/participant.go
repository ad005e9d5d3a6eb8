package query

// participants are the columns of a ladder.
type participants struct {
	list   []Participant
	byAddr map[address]int
	names  map[address]string
}

// newParticipants lists the ends of SIP messages in order of appearance, with
// what they call themselves.
func newParticipants(messages []message) *participants {
	p := &participants{byAddr: map[address]int{}, names: names(messages)}
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
		name := m.userAgent
		if m.Status > 0 && m.server != "" {
			name = m.server
		}
		if name != "" {
			out[m.src] = name
		}
	}
	return out
}

// index is the participant of an address, which is added when it is new.
func (p *participants) index(a address) int {
	i, ok := p.byAddr[a]
	if !ok {
		i = len(p.list)
		p.byAddr[a] = i
		p.list = append(p.list, Participant{Address: a.String(), IP: a.ip, Port: a.port, Name: p.names[a]})
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

// sameHost is the first participant with the same IP address.
func (p *participants) sameHost(a address) (int, bool) {
	if i, ok := p.byAddr[a]; ok {
		return i, true
	}
	for i := range p.list {
		if p.list[i].IP == a.ip {
			return i, true
		}
	}
	return 0, false
}
