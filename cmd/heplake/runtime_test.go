package main

import "testing"

func TestGCShare(t *testing.T) {
	for live, want := range map[uint64]int{
		0: 1000, 1 << 20: 1000, 24 << 20: 400, 96 << 20: 100, 192 << 20: 50, 1 << 30: 40,
	} {
		if got := gcShare(live); got != want {
			t.Errorf("%d bytes in use: %d %%, want %d", live, got, want)
		}
	}
}
