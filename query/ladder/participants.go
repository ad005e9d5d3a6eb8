package ladder

import (
	"cmp"
	"net/netip"
	"strings"

	"github.com/heplake/heplake/query"
)

// placeParticipants gives every participant of the signalling a column, in
// order of appearance, and finds the column of those that only media reports
// name: a phone's RTP port is not another party.
func (m *model) placeParticipants() func(participant int) int {
	f := m.flow
	signals, named := make([]bool, len(f.Participants)), make([]bool, len(f.Participants))
	for _, it := range f.Items {
		for _, p := range [2]int{it.Src, it.Dst} {
			if p < 0 || p >= len(named) {
				continue
			}
			named[p] = true
			signals[p] = signals[p] || it.Kind == query.KindSIP
		}
	}
	place := make([]int, len(f.Participants))
	add := func(address, name string) int {
		c := column{name: clean(name), address: clean(address)}
		c.host, c.port = splitAddress(c.address)
		m.columns = append(m.columns, c)
		return len(m.columns) - 1
	}
	for i, p := range f.Participants {
		if signals[i] {
			place[i] = add(p.Address, cmp.Or(p.Alias, p.Name))
		}
	}
	owners := mediaOwners(f)
	relays := map[netip.Addr]int{}
	for i, p := range f.Participants {
		if signals[i] || !named[i] {
			continue
		}
		if owner := signallingOf(f, i, signals, owners); owner >= 0 {
			place[i] = place[owner]
			continue
		}
		// A media relay or an unannounced address: one column for each host.
		col, ok := relays[p.IP]
		if !ok || !p.IP.IsValid() {
			address := p.Address
			if p.IP.IsValid() && manyPorts(f, p.IP, signals, named) {
				address = p.IP.String()
			}
			col = add(address, cmp.Or(p.Alias, p.Name))
			relays[p.IP] = col
		}
		place[i] = col
	}
	if len(m.columns) == 0 {
		add("?", "")
	}
	return func(participant int) int {
		if participant < 0 || participant >= len(place) {
			return 0
		}
		return place[participant]
	}
}

// signallingOf finds the participant of the signalling that a media address
// belongs to, or -1: the only one on that host, else the one that announced the
// address in SDP.
func signallingOf(f *query.Flow, media int, signals []bool, owners map[netip.AddrPort]int) int {
	p := f.Participants[media]
	if !p.IP.IsValid() {
		return -1
	}
	same, count := -1, 0
	for i, q := range f.Participants {
		if signals[i] && q.IP.Unmap() == p.IP.Unmap() {
			same, count = i, count+1
		}
	}
	if count == 1 {
		return same
	}
	// RTCP is on the RTP port, or on the one above it (RFC 3550 section 11).
	for _, port := range [2]uint16{p.Port, p.Port - 1} {
		if owner, ok := owners[netip.AddrPortFrom(p.IP.Unmap(), port)]; ok && count > 0 {
			return owner
		}
	}
	return -1
}

// mediaOwners tells which participant was the first to announce each media
// address; those after it only passed it on.
func mediaOwners(f *query.Flow) map[netip.AddrPort]int {
	out := map[netip.AddrPort]int{}
	for i := range f.Items {
		for _, word := range strings.Fields(f.Items[i].SDP) {
			ap, err := netip.ParseAddrPort(word)
			if err != nil {
				continue
			}
			ap = netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
			if _, ok := out[ap]; !ok {
				out[ap] = f.Items[i].Src
			}
		}
	}
	return out
}

func manyPorts(f *query.Flow, ip netip.Addr, signals, named []bool) bool {
	n := 0
	for i, p := range f.Participants {
		if p.IP == ip && named[i] && !signals[i] {
			n++
		}
	}
	return n > 1
}
