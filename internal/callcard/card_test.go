package callcard

import (
	"errors"
	"math"
	"net/netip"
	"reflect"
	"testing"
	"time"
)

func number(v float64) *float64 { return &v }

func cards() map[string]Card {
	start := began
	at := func(us int64) time.Time { return start.Add(time.Duration(us) * time.Microsecond) }
	none := Card{UserAgents: []string{}, Codecs: []string{}, Nodes: []string{}, LegReasons: []string{}, LegConfidences: []float32{}}
	answered := Card{
		Method: "INVITE", Ring: at(1_200_345), Answer: at(5_000_001), End: at(65_123_456), LastSeen: at(65_143_456),
		PDDMs: number(1200.345), SRDMs: number(1200.345), RingMs: number(3799.656), DurationS: number(60.123455), SDDMs: number(20),
		Outcome: "answered", FinalStatus: 200, FinalReason: "OK", Q850: 16, ReleasedBy: "caller",
		FromUser: "+491234", FromDomain: "a.example", ToUser: "4711", ToDomain: "a.example", RURIUser: "4711",
		Src: netip.MustParseAddrPort("10.0.0.1:5060"), Dst: netip.MustParseAddrPort("[2001:db8::1]:5061"),
		UserAgents: []string{"one", "two"}, Codecs: []string{"PCMA"}, Nodes: []string{"", "one"},
		Messages: 17, Retransmissions: 1, Hops: 2,
		MOSMin: number(float64(float32(4.1))), MOSAvg: number(float64(float32(4.1))), LossPercent: number(1. / 3), JitterMs: number(0),
		LegReasons: []string{"", "X-CID"}, LegConfidences: []float32{1, 0.9},
	}
	odd := answered
	odd.Ring, odd.Answer = at(-5), time.Time{} // clocks
	odd.PDDMs, odd.DurationS = number(math.Copysign(0, -1)), number(math.Inf(1))
	odd.FromUser = "\xff\x00"
	odd.Src = netip.AddrPort{}
	odd.Nodes = nil
	for i := range 40 { // more than are referred to
		odd.Nodes = append(odd.Nodes, string(rune('A'+i)), string(rune('A'+i/2)))
	}
	return map[string]Card{"none": none, "answered": answered, "odd": odd}
}

var began = time.Date(2026, 11, 21, 12, 0, 0, 123456000, time.UTC)

func TestCardComesBack(t *testing.T) {
	for name, c := range cards() {
		b := c.Append([]byte("before"), began)[len("before"):]
		got, err := Decode(string(b), began)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !reflect.DeepEqual(got, c) {
			t.Errorf("%s:\n%+v, want\n%+v", name, got, c)
		}
		if v := got.PDDMs; v != nil && math.Signbit(*v) != math.Signbit(*c.PDDMs) {
			t.Errorf("%s: another sign of nought", name)
		}
		for n := range len(b) {
			if _, err := Decode(string(b[:n]), began); err == nil {
				t.Errorf("%s: the first %d of %d bytes are a card", name, n, len(b))
			}
		}
		if _, err := Decode(string(b)+"x", began); err == nil {
			t.Errorf("%s: with a byte more it is a card", name)
		}
	}
}

// TestCardIsShort holds that what was said before, or follows, is not said again.
func TestCardIsShort(t *testing.T) {
	c := cards()["answered"]
	first := len(c.Append(nil, began))
	c.DurationS, c.RURIUser = number(*c.DurationS+1), "4712"
	if n := len(c.Append(nil, began)); n < first+6 {
		t.Errorf("%d bytes, %d with a duration and a user that nothing else says", first, n)
	}
	if first > 170 {
		t.Errorf("a card of %d bytes", first)
	}
}

func TestOtherVersionsAreNone(t *testing.T) {
	for _, s := range []string{"", "\x00", "\x02abc"} {
		if _, err := Decode(s, began); !errors.Is(err, ErrNone) {
			t.Errorf("%q: %v, want %v", s, err, ErrNone)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, c := range cards() {
		f.Add(string(c.Append(nil, began)))
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := Decode(s, began)
		if err != nil {
			return
		}
		again, err := Decode(string(c.Append(nil, began)), began)
		if err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		if len(again.UserAgents) != len(c.UserAgents) || again.Messages != c.Messages || again.FromUser != c.FromUser || !again.LastSeen.Equal(c.LastSeen) {
			t.Errorf("%+v, want %+v", again, c)
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	c := cards()["answered"]
	buf := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		buf = c.Append(buf[:0], began)
	}
}
