package assemble_test

import (
	"testing"
	"time"

	"github.com/heplake/heplake/bench/truth"
	"github.com/heplake/heplake/internal/assemble"
	"github.com/heplake/heplake/internal/laketest"
)

// TestCallsThatMoveToAnotherMinute: what comes late may show that a call began in an
// earlier minute than was known. Its row is another then, in the same place, and the
// minute that it was counted in has to be counted again: also when the call was let go
// from memory meanwhile, or when the process died before it counted and nothing is left
// of the row that there was.
func TestCallsThatMoveToAnotherMinute(t *testing.T) {
	border := time.Now().UTC().Truncate(time.Hour).Add(-50 * time.Minute)
	// All begin before the border, and none has anything else that would have the minute
	// after it counted again.
	corpus, err := truth.New(truth.Config{Seed: 31, Calls: 20, Start: border.Add(-4 * time.Second), Gap: 100 * time.Millisecond, Only: []string{"answered fork", "answered with retransmissions"}})
	if err != nil {
		t.Fatal(err)
	}
	var before, after [][]byte
	for i := range corpus.Packets {
		p := &corpus.Packets[i]
		if p.Time < border.UnixMicro() {
			before = append(before, p.Data)
		} else {
			after = append(after, p.Data)
		}
	}
	settle := func(t *testing.T, a *assemble.Assembler) {
		t.Helper()
		if err := a.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	check := func(t *testing.T, l *laketest.Lake) {
		t.Helper()
		compareWithTruth(t, l, corpus)
		minutes, _ := minuteLines(corpus)
		compare(t, "kpi_1m", query(t, l, minuteSQL), minutes)
	}
	load := func(t *testing.T, l *laketest.Lake, packets [][]byte) {
		t.Helper()
		feed(t, l, packets, 1000, false, nil, holding{}, func() {})
	}
	others, err := truth.New(truth.Config{Seed: 32, Registrations: 60, Start: border.Add(-2 * time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	for name, cfg := range map[string]assemble.Config{"in memory": {}, "let go from memory": {Memory: 1}, "let go into a file": {Memory: 1, Scratch: t.TempDir()}} {
		t.Run(name, func(t *testing.T) {
			l := laketest.Open(t)
			cfg.Conn, cfg.Database = l.DB, l.Name
			a := assemble.New(cfg)
			for _, packets := range [][][]byte{after, others.Data(), before} {
				load(t, l, packets)
				settle(t, a)
			}
			check(t, l)
		})
	}
	t.Run("before a kill", func(t *testing.T) {
		l := laketest.Open(t)
		killed := assemble.New(assemble.Config{Conn: l.DB, Database: l.Name})
		load(t, l, after)
		settle(t, killed)
		load(t, l, before)
		// The minute after the border was counted a moment ago, and is not yet again.
		if err := killed.Pass(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := l.DB.Exec(t.Context(), "OPTIMIZE TABLE call_rows FINAL"); err != nil {
			t.Fatal(err)
		}
		settle(t, assemble.New(assemble.Config{Conn: l.DB, Database: l.Name}))
		check(t, l)
	})
}
