package agent

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/heplake/heplake/internal/pcap"
)

// ParseFilter reads a filter in the part of tcpdump's language (pcap-filter(7))
// that makes sense for signalling:
//
//	[src|dst] host ADDRESS    [src|dst] net PREFIX/BITS
//	[src|dst] port N          [src|dst] portrange A-B
//	tcp  udp  sctp  ip  ip6   vlan [N]
//
// joined by and (&&), or (||), not (!) and parentheses; "tcp port 5060" is
// "tcp and port 5060". It is asked about the innermost addresses. An error says
// what was expected instead of which word.
func ParseFilter(expr string) (func(*pcap.Payload) bool, error) {
	for _, op := range []string{"(", ")", "!", "&&", "||"} {
		expr = strings.ReplaceAll(expr, op, " "+op+" ")
	}
	p := filterParser{words: strings.Fields(expr)}
	f, err := p.or()
	if err == nil && p.at < len(p.words) {
		err = p.expected("and, or, or the end")
	}
	if err != nil {
		return nil, fmt.Errorf("filter: %w", err)
	}
	return f, nil
}

type predicate = func(*pcap.Payload) bool

type filterParser struct {
	words []string
	at    int
}

func (p *filterParser) peek() string {
	if p.at < len(p.words) {
		return p.words[p.at]
	}
	return ""
}

// take goes on when the next word is one of these.
func (p *filterParser) take(words ...string) bool {
	for _, w := range words {
		if p.peek() == w {
			p.at++
			return true
		}
	}
	return false
}

func (p *filterParser) expected(what string) error {
	if p.at >= len(p.words) {
		return fmt.Errorf("expected %s at the end", what)
	}
	return fmt.Errorf("expected %s, not %q", what, p.words[p.at])
}

func (p *filterParser) or() (predicate, error) {
	left, err := p.and()
	for err == nil && p.take("or", "||") {
		var right predicate
		l := left
		right, err = p.and()
		left = func(x *pcap.Payload) bool { return l(x) || right(x) }
	}
	return left, err
}

func (p *filterParser) and() (predicate, error) {
	left, err := p.not()
	for err == nil && p.take("and", "&&") {
		var right predicate
		l := left
		right, err = p.not()
		left = func(x *pcap.Payload) bool { return l(x) && right(x) }
	}
	return left, err
}

func (p *filterParser) not() (predicate, error) {
	if p.take("not", "!") {
		f, err := p.not()
		return func(x *pcap.Payload) bool { return !f(x) }, err
	}
	if p.take("(") {
		f, err := p.or()
		if err == nil && !p.take(")") {
			err = p.expected(")")
		}
		return f, err
	}
	return p.primitive()
}

// protocols are the words for what carries a payload.
var protocols = map[string]predicate{
	"tcp":  func(x *pcap.Payload) bool { return x.Protocol == pcap.ProtocolTCP },
	"udp":  func(x *pcap.Payload) bool { return x.Protocol == pcap.ProtocolUDP },
	"sctp": func(x *pcap.Payload) bool { return x.Protocol == pcap.ProtocolSCTP },
	"ip":   func(x *pcap.Payload) bool { return x.Src.Addr().Is4() },
	"ip6":  func(x *pcap.Payload) bool { return x.Src.Addr().Is6() },
}

func (p *filterParser) primitive() (predicate, error) {
	if f, ok := protocols[p.peek()]; ok {
		p.at++
		switch p.peek() {
		case "src", "dst", "host", "net", "port", "portrange":
			rest, err := p.primitive()
			return func(x *pcap.Payload) bool { return f(x) && rest(x) }, err
		}
		return f, nil
	}
	if p.take("vlan") {
		n, err := strconv.ParseUint(p.peek(), 10, 12)
		if err != nil {
			return func(x *pcap.Payload) bool { return x.VLAN != 0 }, nil
		}
		p.at++
		return func(x *pcap.Payload) bool { return uint64(x.VLAN) == n }, nil
	}
	src, dst := true, true
	switch {
	case p.take("src"):
		dst = false
	case p.take("dst"):
		src = false
	}
	kind := p.peek()
	switch kind {
	case "host", "net", "port", "portrange":
		p.at++
	default:
		return nil, p.expected("host, net, port, portrange, tcp, udp, sctp, ip, ip6 or vlan")
	}
	matches, err := end(kind, p.peek())
	if err != nil {
		return nil, p.expected(err.Error())
	}
	p.at++
	return func(x *pcap.Payload) bool { return src && matches(x.Src) || dst && matches(x.Dst) }, nil
}

// end is the condition of a kind on one end of a payload. Its error says what
// the value should have been.
func end(kind, value string) (func(netip.AddrPort) bool, error) {
	switch kind {
	case "host":
		addr, err := netip.ParseAddr(value)
		if err != nil {
			return nil, errors.New("an IP address")
		}
		return func(e netip.AddrPort) bool { return e.Addr() == addr.Unmap() }, nil
	case "net":
		prefix, err := netip.ParsePrefix(value)
		if err != nil {
			return nil, errors.New("a network such as 10.0.0.0/8")
		}
		return func(e netip.AddrPort) bool { return prefix.Contains(e.Addr()) }, nil
	}
	lo, hi := value, value
	if kind == "portrange" {
		lo, hi, _ = strings.Cut(value, "-")
	}
	from, err := strconv.ParseUint(lo, 10, 16)
	to, err2 := strconv.ParseUint(hi, 10, 16)
	if err != nil || err2 != nil || from > to {
		if kind == "portrange" {
			return nil, errors.New("ports such as 5060-5080")
		}
		return nil, errors.New("a port")
	}
	return func(e netip.AddrPort) bool { return uint64(e.Port()) >= from && uint64(e.Port()) <= to }, nil
}
