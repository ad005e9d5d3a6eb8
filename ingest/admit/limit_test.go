package admit

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"
)

func TestLimiterBoundsEachSenderByItself(t *testing.T) {
	l := Limiter{Rate: 2, Burst: 3}
	now := time.Unix(1000, 0)
	a, b := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	allowed := func(from netip.Addr, n int) (ok int) {
		for range n {
			if l.Allow(from, now) {
				ok++
			}
		}
		return ok
	}
	if got := allowed(a, 10); got != 3 {
		t.Errorf("a burst of %d, want 3", got)
	}
	if got := allowed(b, 10); got != 3 {
		t.Errorf("another sender was allowed %d, want 3", got)
	}
	now = now.Add(time.Second)
	if got := allowed(a, 10); got != 2 {
		t.Errorf("%d a second later, want 2", got)
	}
	now = now.Add(-time.Hour) // a clock set back takes nothing away and gives nothing
	if got := allowed(a, 1); got != 0 {
		t.Errorf("%d after the clock was set back, want 0", got)
	}
	now = now.Add(24 * time.Hour)
	if got := allowed(a, 10); got != 3 {
		t.Errorf("%d after a day, want the burst, 3", got)
	}
}

func TestLimiterForgetsRatherThanGrows(t *testing.T) {
	l := Limiter{Rate: 1, Burst: 1}
	for i := range uint32(3 * maxSenders) {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], i)
		l.Allow(netip.AddrFrom4(b), time.Unix(0, 0))
	}
	if len(l.senders) > maxSenders {
		t.Errorf("%d senders remembered, want at most %d", len(l.senders), maxSenders)
	}
}
