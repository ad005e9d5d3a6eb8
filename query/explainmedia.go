package query

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// media is what a one-line summary of SDP says: column sdp, which ingest makes.
type media struct {
	kind      string
	at        netip.AddrPort
	codecs    []string
	direction string
}

// readMedia reads "audio 10.0.0.1:20000 PCMU,PCMA sendrecv, video …", its main
// stream.
func readMedia(sdp string) (media, bool) {
	main, _, _ := strings.Cut(sdp, ", ")
	words := strings.Fields(main)
	if len(words) < 3 {
		return media{}, false
	}
	m := media{kind: words[0], direction: words[len(words)-1]}
	m.at, _ = netip.ParseAddrPort(words[1])
	m.at = netip.AddrPortFrom(m.at.Addr().Unmap(), m.at.Port())
	if len(words) >= 4 {
		for codec := range strings.SplitSeq(words[2], ",") {
			if !auxiliary(codec) {
				m.codecs = append(m.codecs, codec)
			}
		}
	}
	return m, true
}

// auxiliary tells formats that carry no speech by themselves.
func auxiliary(codec string) bool {
	switch strings.ToLower(codec) {
	case "telephone-event", "cn", "red", "ulpfec", "rtx":
		return true
	}
	return false
}

// offerAnswer is the offer and the answer of an INVITE transaction: items, -1 for
// none. An offer may be in the 2xx, and the answer in the ACK (RFC 3264 and RFC 6337).
func (a *analysis) offerAnswer(t int) (offer, answer int) {
	tx := &a.f.Transactions[t]
	offer, answer = -1, -1
	for _, i := range tx.Items {
		it := &a.f.Items[i]
		if it.SDP == "" || it.Status >= 300 {
			continue
		}
		switch {
		case offer < 0:
			offer = i
		case it.Src != a.f.Items[offer].Src:
			answer = i // a later one replaces that of a 183
		}
	}
	return offer, answer
}

// codecs looks for offers that found no codec in common.
func (a *analysis) codecs() []Finding {
	var out []Finding
	for t := range a.f.Transactions {
		tx := &a.f.Transactions[t]
		if tx.Method != "INVITE" || tx.Request < 0 || len(a.children(t)) > 0 {
			continue
		}
		offer, answer := a.offerAnswer(t)
		if offer < 0 {
			continue
		}
		offered, ok := readMedia(a.f.Items[offer].SDP)
		if !ok {
			continue
		}
		if s := a.status(t); s == 488 || s == 606 || s == 415 {
			out = append(out, a.about(t, "codec_mismatch", SeverityError, []int{offer, tx.Final}, "%s refused the media that %s offered: %s %s at %s, %s.",
				a.named(tx.Server), a.who(tx.Client), offered.kind, strings.Join(offered.codecs, ", "), offered.at, transportOf(&a.heads[offer])))
			continue
		}
		if answer < 0 {
			continue
		}
		got, ok := readMedia(a.f.Items[answer].SDP)
		if !ok || len(offered.codecs) == 0 {
			continue
		}
		items := []int{offer, answer}
		switch {
		case got.at.Port() == 0 && got.at.Addr().IsValid():
			out = append(out, a.about(t, "media_refused", SeverityError, items, "The answer of %s refuses the %s: its port is 0.", a.named(tx.Server), got.kind))
		case !slices.ContainsFunc(got.codecs, func(c string) bool {
			return slices.ContainsFunc(offered.codecs, func(o string) bool { return strings.EqualFold(o, c) })
		}):
			out = append(out, a.about(t, "codec_mismatch", SeverityError, items, "No codec in common: %s offered %s, %s answered %s.",
				a.who(a.f.Items[offer].Src), strings.Join(offered.codecs, ", "), a.who(a.f.Items[answer].Src), strings.Join(got.codecs, ", ")))
		}
	}
	return out
}

// transportOf is the transport of the first media line: RTP/AVP, RTP/SAVP, ….
func transportOf(h *sipHead) string {
	for line := range strings.SplitSeq(h.body, "\n") {
		if strings.HasPrefix(line, "m=") {
			if words := strings.Fields(line); len(words) > 2 {
				return printable(words[2])
			}
		}
	}
	return "transport unknown"
}

// carrierNAT is the range of carriers' NAT (RFC 6598).
var carrierNAT = netip.MustParsePrefix("100.64.0.0/10")

// isPrivate reports whether an address has no meaning outside its own network.
func isPrivate(a netip.Addr) bool {
	return a.IsPrivate() || a.IsLinkLocalUnicast() || carrierNAT.Contains(a)
}

// isPublic reports whether packets from the address came over the Internet.
func isPublic(a netip.Addr) bool {
	return a.IsValid() && a.IsGlobalUnicast() && !isPrivate(a) && !a.IsLoopback()
}

// nat looks for addresses in messages that whoever gets them cannot reach.
func (a *analysis) nat() []Finding {
	var out []Finding
	said := map[string]bool{}
	add := func(code string, severity Severity, t, i int, format string, args ...any) {
		text := fmt.Sprintf(format, args...)
		if !said[text] {
			said[text] = true
			out = append(out, a.about(t, code, severity, []int{i}, "%s", text))
		}
	}
	for i := range a.f.Items {
		it := &a.f.Items[i]
		if it.Transaction < 0 || it.Retransmission || it.Copy {
			continue
		}
		from := it.SrcAddr.Addr()
		head := &a.heads[i]
		// Only who made the message answers for what it says.
		if it.Status == 0 && len(a.vias[i]) == 1 && it.Method != "ACK" {
			via := a.vias[i][0]
			if host, err := netip.ParseAddr(via.host); err == nil && isPrivate(host.Unmap()) && isPublic(from) {
				add("nat", SeverityInfo, it.Transaction, i, "NAT: %s calls itself %s in Via, and its packets come from %s.", a.who(it.Src), via.host, it.SrcAddr)
			}
		}
		if !isPublic(from) {
			continue
		}
		if contact, ok := uriAddress(head.uri("contact")); ok && isPrivate(contact.Addr()) && (it.Method == "INVITE" || it.Method == "REGISTER" || it.Method == "SUBSCRIBE" || it.Status >= 200 && it.Status < 300) {
			severity := SeverityWarning
			add("nat_contact", severity, it.Transaction, i, "NAT: the Contact of %s is the private address %s, while it sends from %s: requests to it get lost unless the next hop corrects them.", a.who(it.Src), contact.Addr(), from)
		}
		if m, ok := readMedia(it.SDP); ok && isPrivate(m.at.Addr()) {
			add("nat_sdp", SeverityError, it.Transaction, i, "NAT: the SDP of %s wants media at the private address %s, while it sends from %s: the other side's media cannot get there unless a media proxy helps.", a.who(it.Src), m.at, from)
		}
	}
	return out
}

// oneWay looks for answered calls whose media were agreed to go one way only.
func (a *analysis) oneWay() []Finding {
	var out []Finding
	for _, t := range a.tries() {
		if s := a.status(t); s < 200 || s >= 300 || a.f.Transactions[t].Method != "INVITE" {
			continue
		}
		offer, answer := a.offerAnswer(t)
		for _, i := range present([]int{offer, answer}) {
			it := &a.f.Items[i]
			m, ok := readMedia(it.SDP)
			if !ok {
				continue
			}
			switch {
			case m.direction == "sendonly" || m.direction == "recvonly" || m.direction == "inactive":
				out = append(out, a.about(t, "one_way_media", SeverityWarning, []int{i}, "The call began with one-way media: %s says %s in its SDP.", a.named(it.Src), m.direction))
			case m.at.Addr().IsUnspecified() && m.at.Addr().IsValid():
				out = append(out, a.about(t, "one_way_media", SeverityWarning, []int{i}, "The call began on hold: %s gives 0.0.0.0 as its media address.", a.named(it.Src)))
			}
		}
	}
	return out
}

// badLoss is the share of lost packets from which speech is hard to follow, and
// badMOS the score below which most people complain (ITU-T G.107 annex B).
const (
	badLoss = 0.05
	badMOS  = 3.1
)

// reports looks at what the quality reports say of either direction.
func (a *analysis) reports() []Finding {
	type way struct{ src, dst netip.Addr }
	seen := map[way][]int{}
	var order []way
	var deaf, lossy, poor []int
	worst, lowest := 0.0, 5.0
	for i := range a.f.Items {
		it := &a.f.Items[i]
		if it.Media == nil {
			continue
		}
		w := way{it.SrcAddr.Addr(), it.DstAddr.Addr()}
		if _, ok := seen[w]; !ok {
			order = append(order, w)
		}
		seen[w] = append(seen[w], i)
		if !it.Media.Reception {
			continue
		}
		switch loss := it.Media.FractionLost; {
		case loss >= 0.99:
			deaf = append(deaf, i)
		case loss >= badLoss:
			lossy = append(lossy, i)
			worst = max(worst, loss)
		}
		if it.Media.MOS > 0 && it.Media.MOS < badMOS {
			poor = append(poor, i)
			lowest = min(lowest, it.Media.MOS)
		}
	}
	var out []Finding
	hop := func(code string, severity Severity, items []int, format string, args ...any) {
		it := &a.f.Items[items[0]]
		out = append(out, Finding{Code: code, Severity: severity, Text: fmt.Sprintf(format, args...), Items: items, Client: it.Src, Server: it.Dst})
	}
	if len(deaf) > 0 {
		hop("no_media", SeverityError, deaf, "One-way media: %s reports all packets lost.", a.f.Items[deaf[0]].SrcAddr)
	}
	if len(lossy) > 0 {
		hop("packet_loss", SeverityWarning, lossy, "Up to %.0f %% of the packets were lost on their way to %s.", worst*100, a.f.Items[lossy[0]].SrcAddr)
	}
	if len(poor) > 0 {
		hop("poor_quality", SeverityWarning, poor, "The speech quality fell to MOS %.2f.", lowest)
	}
	if len(order) == 1 && order[0].src != order[0].dst && len(seen[order[0]]) >= 2 && a.f.Items[seen[order[0]][0]].Media.Source == "rtcp" {
		hop("one_sided_reports", SeverityWarning, seen[order[0]], "Only %s sent RTCP: the other side may send no media, or its reports were not captured.", order[0].src)
	}
	return out
}
