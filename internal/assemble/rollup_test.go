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
	r := newRollups()[0]
	r.change(time.Unix(hour+60, 0))
	if due := r.due(minutes, false); !slices.Equal(due, []int64{hour + 60}) {
		t.Fatalf("minutes %v are due", due)
	}
	r.filled(minutes, []int64{hour + 60})
	if due := r.due(hours, false); !slices.Equal(due, []int64{hour}) {
		t.Fatalf("hours %v are due, the first time", due)
	}
	r.filled(hours, []int64{hour})
	r.change(time.Unix(hour+120, 0))
	r.filled(minutes, []int64{hour + 120})
	if due := r.due(hours, false); len(due) != 0 {
		t.Errorf("hours %v are due a moment after they were filled", due)
	}
	if due := r.due(hours, true); !slices.Equal(due, []int64{hour}) {
		t.Errorf("hours %v are due when all that changed is wanted", due)
	}
	r.buckets[hours][hour].done = time.Now().Add(-refillEvery[hours])
	if due := r.due(hours, false); !slices.Equal(due, []int64{hour}) {
		t.Errorf("hours %v are due when it is their time", due)
	}
	r.filled(hours, []int64{hour})
	r.buckets[hours][hour].done = time.Now().Add(-refillEvery[hours])
	if due := r.due(hours, false); len(due) != 0 || len(r.buckets[hours]) != 0 {
		t.Errorf("hours %v are due, %d are remembered, and nothing changed", due, len(r.buckets[hours]))
	}
}

// TestBucketsAreFilledTogether: each fill reads an hour of calls, so what changes is
// filled together, when it is time, and a minute that has just begun has no time of
// its own.
func TestBucketsAreFilledTogether(t *testing.T) {
	const minutes = 0
	r := newRollups()[0]
	r.change(time.Unix(60, 0))
	if due := r.due(minutes, false); !slices.Equal(due, []int64{60}) {
		t.Fatalf("minutes %v are due, the first time", due)
	}
	r.filled(minutes, []int64{60})
	r.done[minutes] = time.Now()
	r.change(time.Unix(60, 0))
	r.change(time.Unix(120, 0))
	if due := r.due(minutes, false); len(due) != 0 {
		t.Errorf("minutes %v are due a moment after some were filled", due)
	}
	if due := r.due(minutes, true); !slices.Equal(due, []int64{60, 120}) {
		t.Errorf("minutes %v are due when all that changed is wanted", due)
	}
	past := time.Now().Add(-refillEvery[minutes])
	r.done[minutes], r.buckets[minutes][60].done = past, past
	if due := r.due(minutes, false); !slices.Equal(due, []int64{60, 120}) {
		t.Errorf("minutes %v are due when it is time", due)
	}
	// There was time for one of them alone: the other one does not wait for it.
	r.filled(minutes, []int64{120})
	r.change(time.Unix(120, 0))
	if due := r.due(minutes, false); !slices.Equal(due, []int64{60}) {
		t.Errorf("minutes %v are due while one was left", due)
	}
}
