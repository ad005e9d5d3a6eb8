package digest

import (
	"math/rand/v2"
	"testing"
)

// TestFirst: the earliest message is found wherever it stands, and nothing in bytes that
// no Builder made.
func TestFirst(t *testing.T) {
	const base = 1_800_000_000_000_000
	rng := rand.New(rand.NewPCG(3, 4))
	if got := First(appendBase(nil, base)); got != 0 {
		t.Errorf("first message at %d of none", got)
	}
	for range 300 {
		data := appendBase(nil, base)
		var r recent
		for range 1 + rng.IntN(12) {
			e := event{Time: base + rng.Int64N(SlotSeconds*1_000_000), Status: uint16(rng.IntN(3) * 100), Branch: rng.Uint32()}
			data = r.appendEvent(data, &e, base)
		}
		if got, want := First(data), decode(t, data).First.UnixMicro(); got != want {
			t.Fatalf("first message at %d, want %d", got, want)
		}
		for n := range data {
			First(data[:n])
			broken := append([]byte{}, data...)
			broken[n] ^= byte(1 + rng.IntN(255))
			First(broken)
		}
	}
}
