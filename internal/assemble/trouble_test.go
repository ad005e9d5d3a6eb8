package assemble_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/heplake/heplake/bench/truth"
	"github.com/heplake/heplake/ingest"
	"github.com/heplake/heplake/internal/assemble"
	"github.com/heplake/heplake/internal/laketest"
)

// TestTruthThroughTrouble plays traffic whose truth is known while processes that
// make calls of it die and are followed by others, and inserts fail with or without
// having stored something. In the end every call and sum must be right.
// HEPLAKE_SOAK is how many rounds are played; HEPLAKE_SEED that of the first.
func TestTruthThroughTrouble(t *testing.T) {
	rounds, seed := 2, uint64(1)
	if s := os.Getenv("HEPLAKE_SOAK"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		rounds, seed = n, uint64(time.Now().UnixNano())
	}
	if s := os.Getenv("HEPLAKE_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seed = n
	}
	for i := range uint64(rounds) {
		t.Run(fmt.Sprintf("seed %d", seed+i), func(t *testing.T) { playTrouble(t, seed+i) })
	}
}

// lease is how long a process that is dead keeps the work.
const lease = 2 * time.Second

// worker is a process that makes calls.
type worker struct {
	*assemble.Assembler
	end func()
}

func playTrouble(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 99))
	start := shortlyBefore(time.Now())
	if rng.IntN(3) > 0 {
		// Of the present, and over the border of a minute.
		start = time.Now().Add(-12 * time.Minute).Truncate(time.Minute).Add(-time.Duration(rng.IntN(10_000)) * time.Millisecond)
	}
	cfg := truth.Config{Seed: seed, Calls: 30 + rng.IntN(150), Registrations: rng.IntN(60), Start: start}
	if rng.IntN(2) == 0 {
		cfg.Duplicates, cfg.Late = 0.1*rng.Float64(), 0.1*rng.Float64()
	}
	corpus, err := truth.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	packets := corpus.Data()
	shuffled := rng.IntN(3) > 0
	if shuffled {
		rng.Shuffle(len(packets), func(i, j int) { packets[i], packets[j] = packets[j], packets[i] })
	}
	l := laketest.Open(t)
	faulty := rng.IntN(2) == 0
	var now *worker
	begin := func() {
		if rng.IntN(3) == 0 { // nothing is left of what earlier rows said
			if err := l.DB.Exec(t.Context(), "OPTIMIZE TABLE call_rows FINAL"); err != nil {
				t.Fatal(err)
			}
		}
		cfg := assemble.Config{Conn: l.DB, Database: l.Name, Share: 0.5, Lease: lease, Log: slog.New(slog.DiscardHandler)}
		if rng.IntN(3) == 0 {
			cfg.Memory = 16 << 10 // less than what a part of the traffic takes
		}
		if rng.IntN(2) == 0 {
			cfg.Scratch = t.TempDir()
		}
		if rng.IntN(3) == 0 {
			cfg.Pass, cfg.Chunk, cfg.FillRows = time.Millisecond, 8, 8 // no pass makes all that it could
		}
		if faulty {
			cfg.Conn = &unsure{Conn: l.DB, rng: rand.New(rand.NewPCG(rng.Uint64(), 1)), seldom: 6}
		}
		a := assemble.New(cfg)
		now = &worker{a, run(t, a)}
	}
	begin()
	parts := 2 + rng.IntN(6)
	var said []int
	var others []*worker
	for i := range parts {
		var inbox ingest.Handover
		if rng.IntN(2) == 0 {
			inbox = now.Inbox()
		}
		hold := holding{bytes: []int{0, 16 << 10}[rng.IntN(2)], flood: []int{0, 200 << 10}[rng.IntN(2)], pause: time.Duration(rng.IntN(3)) * 300 * time.Millisecond}
		feed(t, l, packets[i*len(packets)/parts:(i+1)*len(packets)/parts], []int{50, 1000, 100_000}[rng.IntN(3)], rng.IntN(3) == 0, inbox, hold, func() {
			if rng.IntN(6) == 0 {
				now.Inbox().Renew() // as when ClickHouse is too far behind
			}
		})
		time.Sleep(time.Duration(rng.IntN(1500)) * time.Millisecond)
		what := rng.IntN(4)
		said = append(said, what)
		switch what {
		case 0: // it dies, and its lease runs out
			now.end()
			begin()
		case 1: // it ends
			now.end()
			if err := now.Release(t.Context()); err != nil && !errors.Is(err, errLost) {
				t.Fatal(err)
			}
			begin()
		case 2: // it is taken for dead, and finds out later
			if rng.IntN(2) == 0 {
				others = append(others, now)
				time.Sleep(2 * lease) // or versions would begin before those that there are
				expire(t, l)
				begin()
			}
		}
	}
	// It may come to rest now.
	settled := func() bool {
		rows := query(t, l, "SELECT toString((SELECT max(done) FROM assembler) > (SELECT max(touched) FROM leg_digests))")
		return rows[0] == "1"
	}
	for end := time.Now().Add(90 * time.Second); !settled(); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the assembler does not come to an end")
		}
	}
	now.end()
	for _, w := range others {
		w.end()
	}
	for err = errLost; errors.Is(err, errLost); {
		err = now.Settle(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if t.Failed() {
			t.Logf("shuffled %t, faulty %t, present %t, parts %v", shuffled, faulty, time.Since(start) < time.Hour, said)
		}
	}()
	compareWithTruth(t, l, corpus)
	minutes, attempts := minuteLines(corpus)
	compare(t, "kpi_1m", query(t, l, minuteSQL), minutes)
	compare(t, "registrations_1m", query(t, l, registrationMinuteSQL), attempts)
	for _, table := range []string{"1h", "1d"} {
		compare(t, "kpi_"+table, query(t, l, "SELECT toString(sum(attempts)) FROM kpi_"+table+" FINAL WHERE dim = 'all'"), query(t, l, "SELECT toString(sum(attempts)) FROM kpi_1m FINAL WHERE dim = 'all'"))
	}
}

// expire has the lease run out at once.
func expire(t *testing.T, l *laketest.Lake) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, sql := range []string{
		"CREATE TABLE assembler_then AS assembler ENGINE = Memory",
		fmt.Sprintf("INSERT INTO assembler_then SELECT * REPLACE (time - %d AS time) FROM assembler", 1+int(lease.Seconds())),
		"TRUNCATE TABLE assembler",
		"INSERT INTO assembler SELECT * FROM assembler_then",
		"DROP TABLE assembler_then",
	} {
		if err := l.DB.Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
}
