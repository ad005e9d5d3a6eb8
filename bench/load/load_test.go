package load

import (
	"os"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
)

func TestOwnProcess(t *testing.T) {
	before, err := cpuTime(os.Getpid())
	if err != nil {
		t.Skip("no /proc on this system: ", err)
	}
	for began := time.Now(); time.Since(began) < 300*time.Millisecond; {
	}
	after, err := cpuTime(os.Getpid())
	if err != nil || after <= before {
		t.Errorf("CPU time %s, then %s, %v", before, after, err)
	}
	if n := peakMemory(os.Getpid()); n < 1<<20 {
		t.Errorf("peak memory %d bytes", n)
	}
}

func TestQuantile(t *testing.T) {
	h := &dto.Histogram{SampleCount: new(uint64)}
	*h.SampleCount = 100
	for _, b := range []struct {
		upper float64
		count uint64
	}{{1, 0}, {2, 50}, {4, 100}, {8, 100}} {
		h.Bucket = append(h.Bucket, &dto.Bucket{UpperBound: &b.upper, CumulativeCount: &b.count})
	}
	for _, c := range []struct{ q, want float64 }{{0.25, 1.5}, {0.5, 2}, {0.75, 3}, {1, 4}} {
		if got := quantile(h, c.q); got != c.want {
			t.Errorf("quantile %g is %g, want %g", c.q, got, c.want)
		}
	}
}

func TestChoose(t *testing.T) {
	for _, name := range append([]string{"short", "all"}, Short...) {
		if s, err := Choose(name); err != nil || len(s) == 0 {
			t.Errorf("%s: %d scenarios, %v", name, len(s), err)
		}
	}
	if _, err := Choose("short,nothing"); err == nil {
		t.Error("accepted a scenario that does not exist")
	}
}
