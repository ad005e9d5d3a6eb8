package agent

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/heplake/heplake/ingest/hep"
)

// shelf keeps what a shipper sent.
type shelf struct {
	mu      sync.Mutex
	packets []hep.Packet
}

func (s *shelf) send(p *hep.Packet) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.packets = append(s.packets, *p)
	return nil
}

func (s *shelf) texts() (out []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.packets {
		out = append(out, string(p.Payload))
	}
	return out
}

func shipper(t *testing.T, s *shelf, cfg LogConfig) *LogShipper {
	t.Helper()
	cfg.Send, cfg.Addr = s.send, netip.MustParseAddr("127.0.0.1")
	l, err := NewLogShipper(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestLinesBecomeRecords(t *testing.T) {
	long := strings.Repeat("x", maxRecord+10)
	for _, c := range []struct {
		name, in string
		cfg      LogConfig
		texts    []string
		ids      []string
		stats    LogStats
	}{
		{"a group is the id", "callid=a@b up\ncallid=c@d down", LogConfig{ID: regexp.MustCompile(`callid=(\S+)`)},
			[]string{"callid=a@b up", "callid=c@d down"}, []string{"a@b", "c@d"}, LogStats{Records: 2}},
		{"the match is the id", "x C-0000ab1f y", LogConfig{ID: regexp.MustCompile(`C-[0-9a-f]{8}`)},
			[]string{"x C-0000ab1f y"}, []string{"C-0000ab1f"}, LogStats{Records: 1}},
		{"without id", "one\r\n\n   \ntwo\n", LogConfig{ID: regexp.MustCompile(`id=(\d+)`)},
			[]string{"one", "two"}, []string{"", ""}, LogStats{Records: 2, WithoutID: 2}},
		{"only matching", "one\nid=7 two\n", LogConfig{ID: regexp.MustCompile(`id=(\d+)`), OnlyMatching: true},
			[]string{"id=7 two"}, []string{"7"}, LogStats{Records: 1, Skipped: 1}},
		{"several lines", "tail of something\n2026 a\n  b\n\n  c\n2026 d\n", LogConfig{Start: regexp.MustCompile(`^2026`)},
			[]string{"tail of something", "2026 a\n  b\n\n  c", "2026 d"}, []string{"", "", ""}, LogStats{Records: 3, WithoutID: 3}},
		{"too long", long + "\nnext\n", LogConfig{},
			[]string{long[:maxRecord], "next"}, []string{"", ""}, LogStats{Records: 2, WithoutID: 2, Cut: 1}},
		{"too many lines", "2026 a\n" + strings.Repeat(strings.Repeat("y", 999)+"\n", 100) + "2026 b\n", LogConfig{Start: regexp.MustCompile(`^2026`)},
			[]string{("2026 a\n" + strings.Repeat(strings.Repeat("y", 999)+"\n", 100))[:maxRecord], "2026 b"}, []string{"", ""}, LogStats{Records: 2, WithoutID: 2, Cut: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &shelf{}
			l := shipper(t, s, c.cfg)
			if err := l.Ship(t.Context(), strings.NewReader(c.in)); err != nil {
				t.Fatal(err)
			}
			if got := s.texts(); !slices.Equal(got, c.texts) {
				t.Errorf("%d records %.80q", len(got), got)
			}
			for i, p := range s.packets {
				if i < len(c.ids) && string(p.CorrelationID) != c.ids[i] || p.Type != hep.TypeLog || p.Src != p.Dst {
					t.Errorf("record %d: %+v", i, p)
				}
				if b := hep.Append(nil, &p); len(b) == 0 || !Sendable("udp", b) {
					t.Errorf("record %d cannot be sent", i)
				}
			}
			if got := l.Stats(); got != c.stats {
				t.Errorf("%+v, want %+v", got, c.stats)
			}
		})
	}
}

func TestTimesOfRecords(t *testing.T) {
	now := time.Date(2026, 1, 3, 12, 0, 0, 0, time.Local)
	for _, c := range []struct {
		text, layout string
		want         time.Time
	}{
		{"2026-03-04T05:06:07.123456+02:00", "rfc3339", time.Date(2026, 3, 4, 3, 6, 7, 123456000, time.UTC)},
		{"1700000000.5", "unix", time.UnixMicro(1_700_000_000_500_000)},
		{"1700000000500", "unixms", time.UnixMicro(1_700_000_000_500_000)},
		{"2026-03-04 05:06:07", "2006-01-02 15:04:05", time.Date(2026, 3, 4, 5, 6, 7, 0, time.Local)},
		{"Jan  2 15:04:05", time.Stamp, time.Date(2026, 1, 2, 15, 4, 5, 0, time.Local)},
		{"Dec 31 15:04:05", time.Stamp, time.Date(2025, 12, 31, 15, 4, 5, 0, time.Local)}, // syslog has no year
	} {
		got, err := parseTime(c.text, c.layout, now)
		if err != nil || !got.Equal(c.want) {
			t.Errorf("%s: %v, %v; want %v", c.text, got, err, c.want)
		}
	}
	s := &shelf{}
	l := shipper(t, s, LogConfig{Time: regexp.MustCompile(`^\S+`), Layout: "rfc3339"})
	before := time.Now()
	if err := l.Ship(t.Context(), strings.NewReader("2026-03-04T05:06:07Z a\nyesterday b\n")); err != nil {
		t.Fatal(err)
	}
	if got := s.packets[0].Time; got != time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC).UnixMicro() {
		t.Errorf("time %d", got)
	}
	if got := s.packets[1].Time; got < before.UnixMicro() || l.Stats().Undated != 1 {
		t.Errorf("time %d, %+v", got, l.Stats())
	}
	if _, err := NewLogShipper(LogConfig{Layout: "unix"}); err == nil {
		t.Error("a layout without a regexp is taken")
	}
}

func TestARecordIsSentWhenNothingFollows(t *testing.T) {
	s := &shelf{}
	l := shipper(t, s, LogConfig{Start: regexp.MustCompile(`^\d`)})
	r, w := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- l.Ship(ctx, r) }()
	if _, err := w.Write([]byte("1 a\n  b\n")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the record is sent", func() bool { return slices.Equal(s.texts(), []string{"1 a\n  b"}) })
	cancel() // while the reader blocks
	if err := <-done; err != nil {
		t.Error(err)
	}
	_ = w.Close()
}

func TestErrorsOfShipping(t *testing.T) {
	stop := errors.New("stop")
	l, err := NewLogShipper(LogConfig{Send: func(*hep.Packet) error { return stop }})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Ship(t.Context(), strings.NewReader("a\nb\n")); !errors.Is(err, stop) {
		t.Errorf("error %v", err)
	}
	l = shipper(t, &shelf{}, LogConfig{})
	if err := l.Ship(t.Context(), io.MultiReader(strings.NewReader("a\n"), broken{})); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("error %v", err)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrNoProgress }

func TestTailFollows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.log")
	write := func(name, text string) {
		t.Helper()
		f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err == nil {
			_, err = f.WriteString(text)
		}
		if err = errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	write(path, "before\n")
	s := &shelf{}
	l := shipper(t, s, LogConfig{})
	ctx, cancel := context.WithCancel(t.Context())
	tail, err := NewTail(ctx, path, false)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- l.Ship(ctx, tail) }()
	want := []string{}
	expect := func(what string, lines ...string) {
		t.Helper()
		want = append(want, lines...)
		eventually(t, what, func() bool { return slices.Equal(s.texts(), want) })
	}
	write(path, "one\ntw")
	expect("a line", "one")
	write(path, "o\n")
	expect("the rest of a line", "two")
	// Rotation: the writer still has the old file for a while.
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	write(path+".1", "last of the old\nunfinished")
	write(path, "first of the new\n")
	expect("rotation", "last of the old", "unfinished", "first of the new")
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * tailPoll) // to see it empty
	write(path, "after truncation\n")
	expect("truncation", "after truncation")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * tailPoll)
	write(path, "made anew\n")
	expect("removal", "made anew")
	cancel()
	if err := errors.Join(<-done, tail.Close()); err != nil {
		t.Error(err)
	}
}

func TestTailOfAFileThatIsNotThereYet(t *testing.T) {
	path := filepath.Join(t.TempDir(), "later.log")
	ctx, cancel := context.WithCancel(t.Context())
	tail, err := NewTail(ctx, path, false)
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan string)
	go func() {
		b, _ := io.ReadAll(tail)
		got <- string(b)
	}()
	time.Sleep(tailPoll)
	if err := os.WriteFile(path, []byte("hello\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	time.Sleep(3 * tailPoll)
	cancel()
	if b := <-got; b != "hello\n" {
		t.Errorf("%q", b)
	}
	if err := tail.Close(); err != nil {
		t.Error(err)
	}
	if _, err := NewTail(t.Context(), t.TempDir()+"/x\x00", false); err == nil {
		t.Error("a path that cannot be opened is waited for")
	}
}
