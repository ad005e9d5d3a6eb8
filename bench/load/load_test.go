package load

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/heplake/heplake/internal/captures"
	"github.com/heplake/heplake/internal/embedded"
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

// TestDisturbances runs an outage and a restart, short and slow, and holds the
// result to what must be so at any rate.
func TestDisturbances(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	library, err := embedded.FindLibrary(os.Getenv("HEPLAKE_EMBEDDED_LIBRARY"))
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("HEPLAKE_EMBEDDED_LIBRARY", library)
	dir := t.TempDir()
	o := Options{Heplake: filepath.Join(dir, "heplake"), Generator: filepath.Join(dir, "hepgen"), Outage: 2 * time.Second}
	for out, pkg := range map[string]string{o.Heplake: "./cmd/heplake", o.Generator: "./bench/cmd/hepgen"} {
		cmd := exec.Command("go", "build", "-o", out, pkg)
		cmd.Dir = captures.Root()
		if b, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, b)
		}
	}
	for _, s := range []Scenario{
		{Name: "outage", Rate: 500, Proto: "udp", Agents: 2, Outage: time.Minute},
		{Name: "restart", Rate: 500, Duration: 8 * time.Second, Proto: "udp", Agents: 2, Restart: true},
		{Name: "restart-kept", Rate: 500, Duration: 8 * time.Second, Proto: "udp", Agents: 2, Restart: true, Kept: true},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
		r, err := Heplake(ctx, o, s)
		cancel()
		if err != nil {
			t.Fatalf("%s: %v", s.Name, err)
		}
		t.Log(r.Line())
		if r.Stored == nil || r.Twice == nil || *r.Twice != 0 || r.AwaySeconds == nil || *r.AwaySeconds <= 0 || r.DrainSeconds == nil {
			t.Errorf("%s: stored %v, twice %v, away %v, drained %v", s.Name, r.Stored, r.Twice, r.AwaySeconds, r.DrainSeconds)
		}
		var counted int64
		for _, n := range r.Dropped {
			counted += int64(n)
		}
		switch {
		case s.Outage > 0 && (*r.Lost != counted || *r.AwaySeconds < o.Outage.Seconds()):
			t.Errorf("lost %d, counted %v, away %v s", *r.Lost, r.Dropped, *r.AwaySeconds)
		case s.Kept && *r.Lost != 0:
			t.Errorf("lost %d, though the sockets were kept", *r.Lost)
		case s.Restart && (*r.MetNobody < 0 || float64(*r.MetNobody) > float64(s.Rate)*(*r.AwaySeconds+1)):
			t.Errorf("%d datagrams met nobody in %v s", *r.MetNobody, *r.AwaySeconds)
		}
	}
}
