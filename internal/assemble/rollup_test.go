package assemble

import (
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
