package agent

import (
	"net/netip"
	"strings"
	"testing"
)

func TestFilters(t *testing.T) {
	p := udp([]byte("x"))
	p.Dst, p.VLAN = netip.MustParseAddrPort("198.51.100.7:5080"), 42
	for expr, want := range map[string]bool{
		"port 5060":                 true,
		"src port 5060":             true,
		"dst port 5060":             false,
		"udp port 5080":             true,
		"tcp port 5080":             false,
		"portrange 5070-5090":       true,
		"dst portrange 1-5079":      false,
		"host 192.0.2.1":            true,
		"dst host 192.0.2.1":        false,
		"net 198.51.100.0/24":       true,
		"src net 198.51.100.0/24":   false,
		"vlan 42 and ip":            true,
		"vlan":                      true,
		"vlan 7":                    false,
		"ip6 or sctp":               false,
		"not host 10.0.0.1":         true,
		"!(port 5060 || port 5080)": false,
		"port 1 or port 5060 and not host 10.9.9.9": true,
		"(port 1 or port 5060) and dst port 1":      false,
		"not port 5060 or udp":                      true,
		"host 2001:db8::1":                          false,
	} {
		f, err := ParseFilter(expr)
		if err != nil {
			t.Errorf("%s: %v", expr, err)
		} else if got := f(&p); got != want {
			t.Errorf("%s: %v", expr, got)
		}
	}
	for expr, want := range map[string]string{
		"":                   "expected host, net, port, portrange, tcp, udp, sctp, ip, ip6 or vlan at the end",
		"port":               "expected a port at the end",
		"port sip":           `expected a port, not "sip"`,
		"port 70000":         `expected a port, not "70000"`,
		"portrange 9-1":      `expected ports such as 5060-5080, not "9-1"`,
		"host example.org":   `expected an IP address, not "example.org"`,
		"net 10.0.0.0":       `expected a network such as 10.0.0.0/8, not "10.0.0.0"`,
		"(port 1":            "expected ) at the end",
		"port 1 port 2":      `expected and, or, or the end, not "port"`,
		"port 1 and":         "expected host, net, port, portrange, tcp, udp, sctp, ip, ip6 or vlan at the end",
		"greater 100":        `expected host, net, port, portrange, tcp, udp, sctp, ip, ip6 or vlan, not "greater"`,
		"not not":            "expected host, net, port, portrange, tcp, udp, sctp, ip, ip6 or vlan at the end",
		"src tcp":            `expected host, net, port, portrange, tcp, udp, sctp, ip, ip6 or vlan, not "tcp"`,
		"ip proto 17":        `expected and, or, or the end, not "proto"`,
		"port 5060 ) or udp": `expected and, or, or the end, not ")"`,
	} {
		if _, err := ParseFilter(expr); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", expr, err, want)
		}
	}
}
