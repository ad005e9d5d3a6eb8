package query

import (
	"testing"
	"time"
)

func at(minutes int) time.Time {
	return time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC).Add(time.Duration(minutes) * time.Minute)
}

func TestMergeWindows(t *testing.T) {
	if merge(nil) != nil {
		t.Error("no windows merge into some")
	}
	got := merge([]window{{at(50), at(60)}, {at(0), at(10)}, {at(5), at(7)}, {at(10), at(12)}})
	want := windows{{at(0), at(12)}, {at(50), at(60)}}
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("got %v, want %v", got, want)
	}
	// Many windows become few, which still cover each of them.
	var many []window
	for i := range 500 {
		many = append(many, window{at(i * i), at(i*i + 1)})
	}
	got = merge(append([]window(nil), many...))
	if len(got) > maxWindows {
		t.Errorf("%d windows", len(got))
	}
	for i, w := range many {
		if !got.hold(w) {
			t.Errorf("window %d is lost", i)
		}
	}
	for i := 1; i < len(got); i++ {
		if !got[i-1].to.Before(got[i].from) {
			t.Errorf("windows %d and %d touch", i-1, i)
		}
	}
}

func TestWindowsHold(t *testing.T) {
	ws := windows{{at(0), at(10)}, {at(20), at(30)}}
	for _, c := range []struct {
		w    window
		want bool
	}{
		{window{at(0), at(10)}, true}, {window{at(22), at(23)}, true},
		{window{at(9), at(11)}, false}, {window{at(5), at(25)}, false}, {window{at(12), at(13)}, false},
	} {
		if got := ws.hold(c.w); got != c.want {
			t.Errorf("%v: %t", c.w, got)
		}
	}
	if !windows(nil).hold(window{at(0), at(1)}) {
		t.Error("all time does not hold a minute")
	}
}
