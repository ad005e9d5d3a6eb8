package digest

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/heplake/heplake/internal/calls"
)

// TestBriefEvents: whatever events follow one another, all of each comes back.
func TestBriefEvents(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	few := func() uint32 { return []uint32{0, 1, 1 << 31, rng.Uint32()}[rng.IntN(4)] }
	for range 500 {
		const base = 1_800_000_000_000_000
		var want []calls.Event
		var r recent
		data := appendBase(nil, base)
		for range 1 + rng.IntN(30) {
			e := calls.Event{
				Time: base + rng.Int64N(SlotSeconds*1_000_000), Method: calls.Method(rng.IntN(4)), Status: uint16(rng.IntN(3) * 100), CSeq: few(),
				FromTag: few(), ToTag: few(), Branch: few(), Src: few(), Dst: few(), Agent: few(), SDP: few(), Expires: few(),
			}
			if len(want) > 1 && rng.IntN(2) == 0 { // hops that take turns
				other := want[len(want)-1-rng.IntN(2)]
				e.Agent, e.Branch, e.Src, e.Dst = other.Agent, other.Branch, other.Dst, other.Src
			}
			data = r.appendEvent(data, &e, base)
			if rng.IntN(5) == 0 {
				r.known = 0 // as after Hand
			}
			want = append(want, e)
		}
		if got := decode(t, data).Events; !slices.Equal(got, distinct(want)) {
			t.Fatalf("%+v\nwant %+v", got, distinct(want))
		}
	}
}

// TestBriefEventsAreBrief holds the size of a call's events, without which they had
// no reason to be.
func TestBriefEventsAreBrief(t *testing.T) {
	var r recent
	size, messages := 0, call()
	for _, m := range messages {
		method, _ := methodOf(m.CSeqMethod)
		size += len(r.appendEvent(nil, &event{
			Time: m.Time, Method: method, Status: m.Status, CSeq: m.CSeq, FromTag: hashOf(m.FromTag), ToTag: hashOf(m.ToTag), Branch: hashOf(m.ViaBranch),
			Src: hostHash(&m.Src, m.SrcPort), Dst: hostHash(&m.Dst, m.DstPort), Agent: 1, SDP: hashOf(m.SDP),
		}, start.UnixMicro()))
	}
	if whole := len(messages) * (1 + eventSize); size > whole/2 {
		t.Errorf("%d messages have %d B, with all of them whole %d", len(messages), size, whole)
	}
}

// TestMalformedBriefEvents: what follows nothing, or says too little or too much, is
// told from a digest.
func TestMalformedBriefEvents(t *testing.T) {
	var r recent
	e := event{Time: 5, CSeq: 1, Branch: 7}
	whole := r.appendEvent(appendBase(nil, 0), &e, 0)
	e.Time, e.Branch, e.Agent, e.SDP = 9, 8, 3, 4
	brief := r.appendEvent(nil, &e, 0)
	if brief[0] != recordBrief || int(brief[1]) != len(brief)-2 {
		t.Fatalf("% x is no brief event", brief)
	}
	before := slices.Clone(brief)
	before[2] |= briefBefore
	longer := append(slices.Clone(brief), 0)
	longer[1]++
	bad := map[string][]byte{
		"nothing before it":       append(appendBase(nil, 0), brief...),
		"only one before it":      append(slices.Clone(whole), before...),
		"more than it says there": append(slices.Clone(whole), longer...),
	}
	for n := range len(brief) - 2 {
		cut := slices.Clone(brief[:2+n])
		cut[1] = byte(n)
		bad["cut"+string(rune('0'+n))] = append(slices.Clone(whole), cut...)
	}
	var d Decoder
	for what, data := range bad {
		if _, err := d.Decode("t", "c", data); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if l, err := d.Decode("t", "c", append(whole, brief...)); err != nil || len(l.Events) != 2 || l.Events[1] != e {
		t.Errorf("%+v, %v", l, err)
	}
}

// TestStoredEvents reads the bytes that have been stored: they never change.
func TestStoredEvents(t *testing.T) {
	data := slices.Concat(
		[]byte{recordBase, 0x40, 0x42, 0x0f, 0, 0, 0, 0, 0},
		[]byte{recordEvent, 1, 0, 0, 0, 1, 200, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5, 0, 0, 0, 6, 0, 0, 0, 7, 0, 0, 0, 8, 0, 0, 0, 9, 0, 0, 0, 10, 0, 0, 0, 11, 0, 0, 0},
		[]byte{recordBrief, 5, 0x84, 0x00, 4, 180, 0},
		[]byte{recordBrief, 11, 0x41, 0x08, 6, 20, 0, 0, 0, 30, 0, 0, 0},
	)
	first := event{Time: 1_000_001, Method: 1, Status: 200, CSeq: 3, FromTag: 4, ToTag: 5, Branch: 6, Src: 7, Dst: 8, Agent: 9, SDP: 10, Expires: 11}
	second := first
	second.Time, second.Status, second.Src, second.Dst, second.SDP, second.Expires = 1_000_003, 180, 8, 7, 0, 0
	third := first
	third.Time, third.Branch, third.SDP, third.Expires = 1_000_004, 20, 0, 30
	if got := decode(t, data).Events; !slices.Equal(got, []event{first, second, third}) {
		t.Errorf("%+v", got)
	}
}
