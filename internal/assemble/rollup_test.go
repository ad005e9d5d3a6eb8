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
