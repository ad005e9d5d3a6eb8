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

// side is one of the two that a scenario pair plays.
type side int

const (
	caller side = iota // who sent the first request: uac.xml
	callee             // who got it: uas.xml
)

func (s side) other() side { return 1 - s }

// step is one message of the hop.
type step struct {
	item *query.Item
	msg  *sipMessage
	by   side
	// pause is how long its sender waited since the step before.
	pause time.Duration
	// txn numbers the transaction; the ACK to a failure and a CANCEL have that of
	// their INVITE.
	txn int
	// request is the index of the step that a response answers.
	request        int
	status         int
	method         string // of the request, or of the one that is answered
	cseq           string // the header's value
	fromTag, toTag string
}

func (s *step) isRequest() bool { return s.status == 0 }

func (s *step) title() string {
	if s.isRequest() {
		return s.method
	}
	return strings.TrimPrefix(s.msg.start, "SIP/2.0 ") + " (" + s.method + ")"
}

// dialogue is one hop of a leg, ready to be written as either side.
type dialogue struct {
	flow    *query.Flow
	leg     int
	steps   []step
	own     [2]map[netip.AddrPort]bool // each side's addresses
	tags    map[string]tag             // by the captured tag
	remarks []string
}

// tag is a dialog's tag: which side made it, and its number.
type tag struct {
	by side
	n  int
}

// newDialogue finds the leg's opening hop: what the sender of its first request
// sent and was sent.
func newDialogue(f *query.Flow, o SIPpOptions) (*dialogue, error) {
	if o.Leg < 0 || o.Leg >= len(f.Legs) {
		return nil, fmt.Errorf("%w: there is no leg %d", ErrNoScenario, o.Leg)
	}
	d := &dialogue{flow: f, leg: o.Leg, tags: map[string]tag{}}
	d.own[caller], d.own[callee] = map[netip.AddrPort]bool{}, map[netip.AddrPort]bool{}
	d.collect()
	if len(d.steps) == 0 {
		return nil, fmt.Errorf("%w: leg %s has no request with CSeq, From and To", ErrNoScenario, LegName(o.Leg))
	}
	d.acknowledge()
	for i := range d.steps {
		s := &d.steps[i]
		if i > 0 {
			if wait := s.item.Time.Sub(d.steps[i-1].item.Time).Truncate(time.Millisecond); wait >= minPause {
				s.pause = min(wait, o.MaxPause)
			}
		}
		from := s.by
		if !s.isRequest() {
			from = s.by.other()
		}
		d.number(s.fromTag, from)
		d.number(s.toTag, from.other())
	}
	return d, nil
}

// minPause is the shortest wait worth playing.
const minPause = 10 * time.Millisecond

func (d *dialogue) number(captured string, by side) {
	if _, ok := d.tags[captured]; !ok && captured != "" {
		d.tags[captured] = tag{by, len(d.tags) + 1}
	}
}

// collect takes the messages of the hop in order. A response belongs to the hop
// of the request with its topmost Via, whatever its addresses: some agents
// report wrong ones.
func (d *dialogue) collect() {
	type transaction struct{ branch, method string }
	requests := map[transaction]int{}
	branches := map[string]int{}
	for i := range d.flow.Items {
		it := &d.flow.Items[i]
		if it.Kind != query.KindSIP || it.Leg != d.leg || it.Copy || it.Retransmission {
			continue
		}
		s := step{item: it, msg: parseSIP(string(rawOf(it))), method: it.Method, status: int(it.Status)}
		if !s.read() {
			continue
		}
		branch := topBranch(s.msg)
		src, dst := ends(d.flow, it)
		key := transaction{branch, s.method}
		switch {
		case !s.isRequest():
			r, ok := requests[key]
			if !ok {
				if r, ok = d.answered(&s, src, dst); !ok {
					continue
				}
			}
			s.request, s.by, s.txn = r, d.steps[r].by.other(), d.steps[r].txn
		case len(d.steps) == 0, d.own[caller][src], d.reconnected(&s, src, dst):
			s.by = caller
			d.learn(caller, src, s.msg)
			d.own[callee][dst] = true
		case d.own[caller][dst]:
			s.by = callee
			d.learn(callee, src, s.msg)
		default:
			continue
		}
		if s.isRequest() {
			if _, ok := branches[branch]; !ok || branch == "" {
				branches[branch] = len(branches) + 1
			}
			s.txn = branches[branch]
			if invite := d.inviteOf(&s); invite != nil {
				s.txn = invite.txn
			}
			requests[key] = len(d.steps)
		}
		d.steps = append(d.steps, s)
	}
}

// reconnected reports whether the caller sends from another port, which it does when
// it has lost its TCP connection. A proxy on the same host, which passes the
// caller's requests on, adds a Via.
func (d *dialogue) reconnected(s *step, src, dst netip.AddrPort) bool {
	first := &d.steps[0]
	switch s.item.Transport {
	case "tcp", "tls", "ws", "wss":
	default:
		return false
	}
	return src.Addr() == first.item.SrcAddr.Addr().Unmap() && d.own[callee][dst] && !d.own[callee][src] &&
		s.fromTag == first.fromTag && countVias(s.msg) == countVias(first.msg)
}

func countVias(m *sipMessage) int {
	n := 0
	for i := range m.headers {
		if m.headers[i].canonical() == "via" {
			n += len(splitList(m.headers[i].value))
		}
	}
	return n
}

// answered is the request that a response with a branch of its own answers, going
// by its CSeq and where it was sent.
func (d *dialogue) answered(s *step, src, dst netip.AddrPort) (request int, ok bool) {
	for i := len(d.steps) - 1; i >= 0; i-- {
		if r := &d.steps[i]; r.isRequest() && r.cseq == s.cseq && d.own[r.by][dst] && d.own[r.by.other()][src] {
			return i, true
		}
	}
	return 0, false
}

// inviteOf is the INVITE whose transaction a CANCEL or the ACK to a failure
// shares, nil for other requests.
func (d *dialogue) inviteOf(s *step) *step {
	if s.method != "CANCEL" && s.method != "ACK" {
		return nil
	}
	number, _, _ := strings.Cut(s.cseq, " ")
	for i := len(d.steps) - 1; i >= 0; i-- {
		o := &d.steps[i]
		if n, _, _ := strings.Cut(o.cseq, " "); n != number || o.method != "INVITE" {
			continue
		}
		switch {
		case o.isRequest() && o.by == s.by:
			return o
		case s.method == "ACK" && o.by != s.by && o.status >= 200 && o.status < 300:
			return nil
		}
	}
	return nil
}

// read reads what a scenario needs of a message; false when it lacks it.
func (s *step) read() bool {
	s.cseq = s.msg.get("cseq")
	if !s.isRequest() {
		s.method = s.item.CSeqMethod
	}
	from, to := s.msg.get("from"), s.msg.get("to")
	s.fromTag, _ = param(parseNameAddr(from).params, "tag")
	s.toTag, _ = param(parseNameAddr(to).params, "tag")
	return s.msg.isSIP() && s.method != "" && s.cseq != "" && from != "" && to != ""
}

// learn notes the addresses by which a side calls itself in Via and Contact: over
// TCP it is called back on another port than it calls from.
func (d *dialogue) learn(by side, src netip.AddrPort, m *sipMessage) {
	d.own[by][src] = true
	contact := parseNameAddr(splitList(m.get("contact"))[0]).uri
	hosts := []string{viaHost(m.get("via"))}
	if u, ok := parseURI(contact); ok {
		hosts = append(hosts, u.host+u.port)
	}
	for _, h := range hosts {
		a, ok := parseHostPort(h)
		if ok && a.Addr() == src.Addr() {
			d.own[by][a] = true
		}
	}
}

// parseHostPort reads an address, with SIP's port when it names none.
func parseHostPort(s string) (netip.AddrPort, bool) {
	host, port := splitPort(s)
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	if err != nil {
		return netip.AddrPort{}, false
	}
	n := uint64(sipPort)
	if port != "" {
		if n, err = strconv.ParseUint(port[1:], 10, 16); err != nil {
			return netip.AddrPort{}, false
		}
	}
	return netip.AddrPortFrom(addr.Unmap(), uint16(n)), true
}

// viaHost is the sent-by part of the topmost Via.
func viaHost(via string) string {
	_, by, _ := strings.Cut(strings.TrimSpace(splitList(via)[0]), " ")
	by, _, _ = strings.Cut(by, ";")
	return strings.TrimSpace(by)
}

// topBranch is the branch of the topmost Via.
func topBranch(m *sipMessage) string {
	branch, _ := param(splitList(m.get("via"))[0], "branch")
	return branch
}

// acknowledge adds the ACKs that the capture lacks: agents leave some out, and
// without them an INVITE does not end.
func (d *dialogue) acknowledge() {
	for i := 0; i < len(d.steps); i++ {
		final := &d.steps[i]
		if final.method != "INVITE" || final.status < 200 {
			continue
		}
		number, _, _ := strings.Cut(final.cseq, " ")
		if slices.ContainsFunc(d.steps[i:], func(s step) bool {
			n, _, _ := strings.Cut(s.cseq, " ")
			return s.method == "ACK" && s.isRequest() && n == number && s.by == final.by.other()
		}) {
			continue
		}
		d.steps = slices.Insert(d.steps, i+1, d.ack(final, number))
		for j := range d.steps[i+2:] {
			if s := &d.steps[i+2+j]; !s.isRequest() && s.request > i {
				s.request++
			}
		}
		d.remarks = append(d.remarks, fmt.Sprintf("the capture lacks the ACK to %s; it was added", strings.TrimPrefix(final.msg.start, "SIP/2.0 ")))
	}
}

// ack makes the ACK to a final response (RFC 3261 sections 13.2.2.4 and 17.1.1.3).
func (d *dialogue) ack(final *step, number string) step {
	invite := &d.steps[final.request]
	s := step{item: final.item, by: invite.by, method: "ACK", txn: invite.txn, cseq: number + " ACK", fromTag: invite.fromTag, toTag: final.toTag}
	if final.status < 300 {
		for i := range d.steps {
			s.txn = max(s.txn, d.steps[i].txn+1)
		}
	}
	_, uri, _ := strings.Cut(invite.msg.start, " ")
	s.msg = &sipMessage{start: "ACK " + uri, startEnd: "\r\n", blank: "\r\n"}
	for _, h := range [][2]string{
		{"Via", invite.msg.get("via")}, {"Max-Forwards", "70"}, {"From", invite.msg.get("from")}, {"To", final.msg.get("to")},
		{"Call-ID", invite.msg.get("call-id")}, {"CSeq", s.cseq}, {"Content-Length", "0"},
	} {
		s.msg.headers = append(s.msg.headers, sipHeader{name: h[0], sep: ": ", value: h[1], end: "\r\n"})
	}
	return s
}

// authUser is the name that the caller authenticates with.
func (d *dialogue) authUser() string {
	for i := range d.steps {
		for _, header := range []string{"authorization", "proxy-authorization"} {
			if u := authParam(d.steps[i].msg.get(header), "username"); u != "" {
				return u
			}
		}
	}
	return "user"
}

// authParam is a parameter of a challenge or of credentials, without quotes.
func authParam(value, name string) string {
	_, params, _ := strings.Cut(value, " ")
	for _, p := range splitList(params) {
		n, v, _ := strings.Cut(p, "=")
		if strings.EqualFold(strings.TrimSpace(n), name) {
			return strings.Trim(strings.TrimSpace(v), `"`)
		}
	}
	return ""
}
