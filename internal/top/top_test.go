package top

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/heplake/heplake/internal/termtext"
)

var update = flag.Bool("update", false, "write the golden files")

// began is when the first of the two pages in testdata was taken.
var began = time.Unix(1795244740, 900e6)

// pages are two looks at a heplake, two seconds apart, of which the second has
// every kind of trouble.
func pages(t *testing.T) *History {
	t.Helper()
	var h History
	for i, name := range []string{"before", "after"} {
		f, err := os.Open(filepath.Join("testdata", name+".txt"))
		if err != nil {
			t.Fatal(err)
		}
		s, err := parse(f, began.Add(time.Duration(i)*2*time.Second), "page")
		_ = f.Close()
		if err != nil {
			t.Fatal(err)
		}
		h.Add(s)
	}
	return &h
}

const url = "http://127.0.0.1:9090/metrics"

func TestRender(t *testing.T) {
	for _, c := range []struct {
		name string
		s    Screen
	}{
		{"plain", Screen{}},
		{"narrow", Screen{Width: 50, Height: 40}},
		{"usual", Screen{Width: 80, Height: 30}},
		{"wide-color", Screen{Width: 140, Height: 50, Color: true}},
		{"ascii", Screen{Width: 100, Height: 30, ASCII: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Render(pages(t).Frame(), url, c.s) + "\n"
			path := filepath.Join("testdata", c.name+".golden")
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil { //nolint:gosec // a test's file
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("go test ./internal/top -update, and look:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

var sgr = regexp.MustCompile("\x1b\\[[0-9;]*m")

// TestEveryWidth: nothing is wider than the screen, and no byte from the wire
// reaches the terminal that would not be shown.
func TestEveryWidth(t *testing.T) {
	f := pages(t).Frame()
	for width := 46; width < 200; width++ {
		for _, color := range []bool{false, true} {
			text := Render(f, url, Screen{Width: width, Height: 30, Color: color})
			for line := range strings.SplitSeq(sgr.ReplaceAllString(text, ""), "\n") {
				if n := termtext.Width(line); n > width {
					t.Errorf("%d cells of %d: %s", n, width, line)
				}
				if termtext.Clean(line) != strings.Join(strings.Fields(line), " ") {
					t.Errorf("unclean: %q", line)
				}
			}
			if sgr.MatchString(text) != color {
				t.Errorf("colour is %v, wanted %v", !color, color)
			}
		}
	}
}

func TestRates(t *testing.T) {
	f := pages(t).Frame()
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 1e-9*math.Abs(want) {
			t.Errorf("%s is %v, want %v", what, got, want)
		}
	}
	near("received", f.ReceivedRate, (21666+1200-15019)/2.)
	near("stored", f.StoredRate, (18175-14430)/2.)
	near("dropped", f.DroppedRate, 250)
	if len(f.Losses) != 2 || f.Losses[0].Loss != (Loss{"listen", "kernel_buffer"}) || f.Losses[0].Rate != 250 || f.Losses[1].Rate != 0 || f.Losses[1].Total != 100 {
		t.Errorf("losses %+v", f.Losses)
	}
	if f.Tables[0].Name != "sip" || f.Tables[0].DroppedRate != 50 || f.Tables[1].Name != "media" {
		t.Errorf("tables %+v", f.Tables)
	}
	if len(f.Trend) != 1 || f.Trend[0] != f.ReceivedRate {
		t.Errorf("trend %v", f.Trend)
	}
}

// TestQuantiles are of what was observed between the samples alone.
func TestQuantiles(t *testing.T) {
	make := func(counts ...uint64) *histogram {
		h := &dto.Histogram{SampleCount: &counts[len(counts)-1], SampleSum: new(float64)}
		for i := range counts {
			upper := []float64{1, 2, 4, math.Inf(1)}[i]
			h.Bucket = append(h.Bucket, &dto.Bucket{UpperBound: &upper, CumulativeCount: &counts[i]})
		}
		return newHistogram(h)
	}
	before, after := make(1000, 1000, 1000, 1000), make(1000, 1050, 1100, 1100)
	h := after.since(before)
	for _, c := range []struct{ q, want float64 }{{0.25, 1.5}, {0.5, 2}, {0.75, 3}, {1, 4}} {
		if got := h.quantile(c.q); got != c.want {
			t.Errorf("quantile %v is %v, want %v", c.q, got, c.want)
		}
	}
	if got := after.since(after).quantile(0.5); !math.IsNaN(got) {
		t.Errorf("of no observation: %v", got)
	}
	if got := make(0, 0, 0, 5).quantile(0.5); got != 4 {
		t.Errorf("beyond the last bound: %v, want that bound", got)
	}
}

// TestHistory: rates are over five seconds, quantiles over a minute, and a
// process that started anew begins a new history.
func TestHistory(t *testing.T) {
	var h History
	sample := func(at int, received float64, started int) *Sample {
		return &Sample{At: time.Unix(int64(at), 0), Started: time.Unix(int64(started), 0), Received: map[string]float64{"udp": received}}
	}
	for i := range 200 {
		h.Add(sample(i, float64(i*i), 1))
	}
	f := h.Frame()
	if f.Over != rateWindow || f.Window != window || f.ReceivedRate != (199*199-194*194)/5. {
		t.Errorf("over %v, window %v, rate %v", f.Over, f.Window, f.ReceivedRate)
	}
	if len(f.Trend) != trendLength || f.Trend[trendLength-1] != 199*199-198*198 {
		t.Errorf("%d rates in the trend, the last %v", len(f.Trend), f.Trend[len(f.Trend)-1])
	}
	h.Add(sample(201, 7, 200))
	if f := h.Frame(); !math.IsNaN(f.ReceivedRate) || f.Window != 0 {
		t.Errorf("after a restart: rate %v over %v", f.ReceivedRate, f.Window)
	}
}

func TestMetricsURL(t *testing.T) {
	for in, want := range map[string]string{
		"127.0.0.1:9090":                "http://127.0.0.1:9090/metrics",
		"http://lake:9090":              "http://lake:9090/metrics",
		"http://lake:9090/":             "http://lake:9090/metrics",
		"https://lake/heplake/metrics":  "https://lake/heplake/metrics",
		"http://lake:9090/custom/path/": "http://lake:9090/custom/path/",
	} {
		if got := metricsURL(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

// server serves the two pages, the second from the second look on.
func server(t *testing.T) string {
	t.Helper()
	looks := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := "after"
		if looks++; looks == 1 {
			name = "before"
		}
		http.ServeFile(w, r, filepath.Join("testdata", name+".txt"))
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

func TestOnce(t *testing.T) {
	var out bytes.Buffer
	if err := Once(t.Context(), &out, Options{URL: server(t), Interval: 10 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"received 22,866", "kernel_buffer", "QUERYABLE P50", "edge-0007", "SILENT", "117 MiB, refuses", "+1h00m"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "\x1b") {
		t.Errorf("an escape sequence in a plain page:\n%q", out.String())
	}
}

func TestWhatIsNoHeplake(t *testing.T) {
	for _, page := range []string{"", "<html>", "go_goroutines 5\n"} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, page) }))
		if _, err := Read(t.Context(), srv.URL); err == nil || !strings.Contains(err.Error(), srv.URL) {
			t.Errorf("%q: %v", page, err)
		}
		srv.Close()
	}
	srv := httptest.NewServer(http.NotFoundHandler())
	defer srv.Close()
	if err := Once(t.Context(), &bytes.Buffer{}, Options{URL: srv.URL}); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("a page that is not there: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Read(ctx, srv.URL); err == nil {
		t.Error("no error from a look that was called off")
	}
}
