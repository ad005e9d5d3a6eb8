package assemble

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// TestHoursAreFilledWhenItIsTheirTime: that an hour was filled a moment ago is
// known while its minutes go on changing, and not for ever.
func TestHoursAreFilledWhenItIsTheirTime(t *testing.T) {
	const minutes, hours, hour = 0, 1, 3600
	now := time.Unix(hour+180, 0)
	r := newRollups()[0]
	r.change(time.Unix(hour+60, 0))
	if due := r.due(minutes, false, now); !slices.Equal(due, []int64{hour + 60}) {
		t.Fatalf("minutes %v are due", due)
	}
	r.filled(minutes, []int64{hour + 60})
	if due := r.due(hours, false, now); !slices.Equal(due, []int64{hour}) {
		t.Fatalf("hours %v are due, the first time", due)
	}
	r.filled(hours, []int64{hour})
	r.change(time.Unix(hour+120, 0))
	r.filled(minutes, []int64{hour + 120})
	if due := r.due(hours, false, now); len(due) != 0 {
		t.Errorf("hours %v are due a moment after they were filled", due)
	}
	if due := r.due(hours, true, now); !slices.Equal(due, []int64{hour}) {
		t.Errorf("hours %v are due when all that changed is wanted", due)
	}
	r.buckets[hours][hour].done = time.Now().Add(-refillEvery[hours])
	if due := r.due(hours, false, now); !slices.Equal(due, []int64{hour}) {
		t.Errorf("hours %v are due when it is their time", due)
	}
	r.filled(hours, []int64{hour})
	r.buckets[hours][hour].done = time.Now().Add(-refillEvery[hours])
	if due := r.due(hours, false, now); len(due) != 0 || len(r.buckets[hours]) != 0 {
		t.Errorf("hours %v are due, %d are remembered, and nothing changed", due, len(r.buckets[hours]))
	}
}

// TestBucketsAreFilledTogether: each fill reads an hour of calls, so what changes is
// filled together, when it is time, and a minute that has just begun has no time of
// its own.
func TestBucketsAreFilledTogether(t *testing.T) {
	const minutes = 0
	now := time.Unix(180, 0)
	r := newRollups()[0]
	r.change(time.Unix(60, 0))
	if due := r.due(minutes, false, now); !slices.Equal(due, []int64{60}) {
		t.Fatalf("minutes %v are due, the first time", due)
	}
	r.filled(minutes, []int64{60})
	r.done[minutes] = time.Now()
	r.change(time.Unix(60, 0))
	r.change(time.Unix(120, 0))
	if due := r.due(minutes, false, now); len(due) != 0 {
		t.Errorf("minutes %v are due a moment after some were filled", due)
	}
	if due := r.due(minutes, true, now); !slices.Equal(due, []int64{60, 120}) {
		t.Errorf("minutes %v are due when all that changed is wanted", due)
	}
	past := time.Now().Add(-2 * refillEvery[minutes])
	r.done[minutes], r.buckets[minutes][60].done = past, past
	if due := r.due(minutes, false, now); !slices.Equal(due, []int64{60, 120}) {
		t.Errorf("minutes %v are due when it is time", due)
	}
	// There was time for one of them alone: the other one does not wait for it.
	r.filled(minutes, []int64{120})
	r.change(time.Unix(120, 0))
	if due := r.due(minutes, false, now); !slices.Equal(due, []int64{60}) {
		t.Errorf("minutes %v are due while one was left", due)
	}
}

// TestOldMinutesAreFilledSeldom: a minute of an hour ago changes with every long call
// that ends, and by little.
func TestOldMinutesAreFilledSeldom(t *testing.T) {
	const minutes, hour = 0, 3600
	now := time.Unix(2*hour, 0)
	r := newRollups()[0]
	old, young := now.Add(-48*time.Minute), now.Add(-time.Minute)
	filledAgo := func(ago time.Duration) {
		for _, at := range []time.Time{old, young} {
			r.change(at)
			r.buckets[minutes][at.Unix()].done = time.Now().Add(-ago)
		}
		r.done[minutes] = time.Now().Add(-ago)
	}
	for ago, want := range map[time.Duration][]int64{
		refillEvery[minutes]: {young.Unix()}, 7 * time.Minute: {young.Unix()}, 8 * time.Minute: {old.Unix(), young.Unix()},
	} {
		if filledAgo(ago); !slices.Equal(r.due(minutes, false, now), want) {
			t.Errorf("filled %v ago, minutes %v are due, want %v", ago, r.due(minutes, false, now), want)
		}
	}
	r.change(now.Add(-30 * 24 * time.Hour))
	if filledAgo(0); len(r.due(minutes, false, now)) != 0 {
		t.Error("minutes are due a moment after some were filled")
	}
	r.done[minutes] = time.Time{}
	if due := r.due(minutes, false, now); !slices.Equal(due, []int64{now.Add(-30 * 24 * time.Hour).Unix()}) {
		t.Errorf("minutes %v are due, want the one of long ago that was never filled", due)
	}
}

// TestMinutesThatChangeLittle: a minute of which little changed waits longer, not for
// ever.
func TestMinutesThatChangeLittle(t *testing.T) {
	const minutes = 0
	now := time.Unix(7200, 0)
	at := now.Add(-48 * time.Minute).Unix()
	for _, test := range []struct {
		changes, rows int
		filled        time.Duration
		due           bool
	}{
		{1, 1000, 23 * time.Minute, false},
		{1, 1000, 24 * time.Minute, true},
		{20, 1000, 8 * time.Minute, true},
		{1, 50, 8 * time.Minute, true},
		{1, 0, 8 * time.Minute, true}, // nobody counted
	} {
		r := newRollups()[0]
		r.change(time.Unix(at, 0))
		r.filled(minutes, []int64{at})
		b := r.buckets[minutes][at]
		for range test.changes {
			r.change(time.Unix(at, 0))
		}
		b.rows, b.done = test.rows, time.Now().Add(-test.filled)
		if due := r.due(minutes, false, now); (len(due) == 1) != test.due {
			t.Errorf("%d changes of %d rows, filled %v ago: minutes %v are due", test.changes, test.rows, test.filled, due)
		}
		if !test.due {
			if r.changeAll(at); len(r.due(minutes, false, now)) != 1 {
				t.Errorf("a minute is not due of which another process may have changed everything")
			}
		}
		if due := r.due(minutes, true, now); len(due) != 1 {
			t.Errorf("%d changes of %d rows: minutes %v are due when all that changed is wanted", test.changes, test.rows, due)
		}
	}
}

// TestSettledMinutes: what time alone decides is summed up however little it is, once;
// then the minute is known for a while, and forgotten.
func TestSettledMinutes(t *testing.T) {
	const minutes = 0
	now := time.Unix(7200, 0)
	at := now.Add(-30 * time.Minute)
	r := newRollups()[0]
	r.change(at)
	b := r.buckets[minutes][at.Unix()]
	long := time.Now().Add(-settleAfter)
	r.filled(minutes, []int64{at.Unix()})
	if b.rows, b.changedAt, b.done = 1000, long, time.Now().Add(-5*time.Minute); !slices.Equal(r.due(minutes, false, now), []int64{at.Unix()}) {
		t.Error("a minute is not due in which time decided something")
	}
	if r.filled(minutes, []int64{at.Unix()}); len(r.due(minutes, true, now)) != 0 {
		t.Error("a minute is due that was settled")
	}
	r.change(at)
	if b.done = time.Now().Add(-14 * time.Minute); len(r.due(minutes, false, now)) != 0 {
		t.Error("a minute is due that was settled, and of which little changed since")
	}
	if b.done = time.Now().Add(-15 * time.Minute); len(r.due(minutes, false, now)) != 1 {
		t.Error("a minute is not due that changed after it was settled")
	}
	b.changedAt = long
	r.filled(minutes, []int64{at.Unix()})
	if r.due(minutes, false, at.Add(keepSettled)); len(r.buckets[minutes]) != 1 {
		t.Error("a settled minute is forgotten before its time")
	}
	if r.due(minutes, false, at.Add(keepSettled+time.Second)); len(r.buckets[minutes]) != 0 {
		t.Error("a settled minute is never forgotten")
	}
}

// TestSplit: no more rows are summed up at a time than may be, and no minute is left out.
func TestSplit(t *testing.T) {
	r := newRollups()[0]
	minutes := []int64{60, 120, 180, 240, 300}
	for i, n := range []int{4, 6, 11, 1, 3} {
		r.changeBucket(0, minutes[i])
		r.buckets[0][minutes[i]].rows = n
	}
	for most, want := range map[int]string{10: "[[60 120] [180] [240 300]]", 1: "[[60] [120] [180] [240] [300]]", 25: "[[60 120 180 240 300]]", 24: "[[60 120 180 240] [300]]"} {
		if got := fmt.Sprint(r.split(minutes, most)); got != want {
			t.Errorf("of at most %d rows: %s, want %s", most, got, want)
		}
	}
}
