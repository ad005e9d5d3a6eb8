package main

import (
	"net/netip"
	"strings"
	"testing"
)

func TestHeplifyTargets(t *testing.T) {
	got, err := heplifyTargets([]string{"10.0.0.1", " 2001:db8::1", "::ffff:10.0.0.3"}, []string{"carrier", "proxy ", "sbc"})
	if err != nil || len(got) != 3 || got[netip.MustParseAddr("10.0.0.1")] != "carrier" || got[netip.MustParseAddr("2001:db8::1")] != "proxy" || got[netip.MustParseAddr("10.0.0.3")] != "sbc" {
		t.Errorf("%v, %v", got, err)
	}
	for _, c := range []struct {
		addrs, names []string
		want         string
	}{
		{[]string{"10.0.0.1"}, nil, "1 addresses"},
		{nil, []string{"a"}, "1 names"},
		{[]string{"carrier"}, []string{"10.0.0.1"}, "metrics.target_ip"},
		{[]string{"10.0.0.1"}, []string{" "}, "no name"},
		{[]string{"10.0.0.1", "10.0.0.1"}, []string{"a", "b"}, "of its own"},
	} {
		if _, err := heplifyTargets(c.addrs, c.names); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v %v: %v, want %q", c.addrs, c.names, err, c.want)
		}
	}
}
