package standback

import (
	"testing"
	"time"
)

func TestParseIdle(t *testing.T) {
	const line = "cpu  176223 4312 51123 9012345 1234 0 2345 678 0 0"
	if got, ok := parseIdle([]byte(line + "\ncpu0 1 2 3 4 5\n")); !ok || got != (9012345+1234)*10*time.Millisecond {
		t.Errorf("%v, %v", got, ok)
	}
	for _, bad := range []string{"", "cpu", "cpu 1 2 3 4", "cpu0 1 2 3 4 5", "cpu 1 2 3 x 5", "cpu 1 2 3 4 x"} {
		if got, ok := parseIdle([]byte(bad)); ok {
			t.Errorf("%q: %v", bad, got)
		}
	}
}

// Time that nobody takes is idle time of this machine.
func TestIdleTimeGrows(t *testing.T) {
	before, ok := idleTime()
	if !ok || before <= 0 {
		t.Fatalf("idle for %v (%v)", before, ok)
	}
	if after, ok := idleTime(); !ok || after < before {
		t.Errorf("%v, then %v (%v)", before, after, ok)
	}
}
