//go:build linux

package kill

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const day = 24 * time.Hour

// jumps are where the clock is set to, as against the true one.
var jumps = []time.Duration{time.Hour, -time.Hour, day, -day, -2 * time.Second}

// TestClockJumps sets the clock of heplake and its engine while records flow and
// calls are up, and starts heplake again by another clock: every record is stored
// once under its sender's time, calls are put together as they were, and nothing
// is deleted that is to stay.
func TestClockJumps(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	binary, clock := buildShifted(t)
	l := prepareBinary(t, binary)
	l.start(t)
	rounds := 1 + kills(t)/50
	for n := range rounds {
		all := append([]time.Duration{}, jumps...)
		rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		again := all[rand.N(len(all))]
		name := fmt.Sprintf("clock-%d", n)
		if !t.Run(fmt.Sprint(n, all, "then", again), func(t *testing.T) { jump(t, l, clock, name, all, again) }) {
			return
		}
	}
}

// jump sets the clock to each of all, and a while after the last to the true time
// again; then heplake starts anew with the clock set to again.
func jump(t *testing.T, l *lake, clock *shift, name string, all []time.Duration, again time.Duration) {
	r := round{t, l, &line{}, name}
	before := r.settle(t)
	o, calls := r.load(), startCaller(l, name+"-calls")
	for _, to := range append(all, 0) {
		nap()
		clock.set(t, to)
		// Inserts of a time to which the clock was set between two looks of the
		// assembler, back and ahead again, are nobody's present: it must have looked.
		looks := r.books(t)["heplake_assemble_runs_total"]
		eventually(t, "the assembler looks", func() bool { return r.books(t)["heplake_assemble_runs_total"] >= looks+2 })
		nap()
		r.follows(to)
		r.sane()
	}
	nap()
	calls.halt()
	r.nothingLost(o, before)
	r.timesAreTheSenders(o)
	calls.check(t, l)
	r.sane()

	for _, to := range []time.Duration{again, 0} {
		l.signal(t, syscall.SIGTERM)
		if err := l.wait(t); err != nil {
			t.Errorf("heplake ended with %v", err)
		}
		clock.set(t, to)
		l.start(t)
		r.name = fmt.Sprint(name, "-at", int(to.Seconds()))
		before = r.settle(t)
		o, calls = r.load(), startCaller(l, r.name+"-calls")
		nap()
		nap()
		r.follows(to)
		calls.halt()
		r.nothingLost(o, before)
		r.timesAreTheSenders(o)
		calls.check(t, l)
		r.sane()
	}
}

// TestClockAYearAhead sets the clock a year and more ahead, while heplake runs and
// before it starts: nothing is deleted, and it says why. Once the clock is right,
// it goes on. What is over goes as ever.
func TestClockAYearAhead(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	binary, clock := buildShifted(t)
	l := prepareBinary(t, binary)
	l.start(t)
	r := round{t, l, &line{}, "ahead"}
	// What is to be kept: messages for 90 days, sums of minutes too, others for two
	// years. One message is over.
	for _, sql := range []string{
		"INSERT INTO sip (time, own_call_id, correlation_id) SELECT now64(6) - t, 'kept', 'kept' FROM " + ages(1, 3*1440, 80*1440),
		"INSERT INTO sip (time, own_call_id, correlation_id) SELECT now64(6) - t, 'over', 'over' FROM " + ages(130*1440),
		"INSERT INTO media (time, call_id) SELECT now64(6) - t, 'kept' FROM " + ages(1, 3*1440, 80*1440),
		"INSERT INTO call_rows (start, correlation_id, call_ids, version) SELECT now64(6) - t, 'kept', ['kept'], 1 FROM " + ages(1, 3*1440, 80*1440),
		"INSERT INTO messages_1m (bucket, cseq_method, messages) SELECT now() - t, 'kept', 1 FROM " + ages(1, 80*1440, 600*1440),
		"INSERT INTO kpi_1m (bucket, dim, version) SELECT now() - t, 'kept', 1 FROM " + ages(1, 80*1440),
		"INSERT INTO kpi_1h (bucket, dim, version) SELECT now() - t, 'hours', 1 FROM " + ages(1, 80*1440, 600*1440),
	} {
		r.query(t, sql)
	}
	restart := func() {
		t.Helper()
		l.signal(t, syscall.SIGTERM)
		if err := l.wait(t); err != nil {
			t.Errorf("heplake ended with %v", err)
		}
		l.start(t)
	}
	rows := func() string {
		t.Helper()
		return strings.ReplaceAll(strings.TrimSpace(r.query(t, `SELECT (SELECT count() FROM sip WHERE correlation_id = 'kept'), (SELECT count() FROM media WHERE call_id = 'kept'),
(SELECT count() FROM call_rows FINAL WHERE correlation_id = 'kept'), (SELECT count() FROM messages_1m WHERE cseq_method = 'kept'), (SELECT uniqExact(bucket) FROM kpi_1m WHERE dim = 'kept'), (SELECT uniqExact(bucket) FROM kpi_1h WHERE dim = 'hours')`)), "\t", " ")
	}
	const want = "3 3 3 3 2 3"
	if have := rows(); have != want {
		t.Fatalf("%s rows of %s are there", have, want)
	}

	const ahead = 900 * day
	clock.set(t, ahead)
	for range 5 { // merges go on, by the clock that they have
		o := r.load()
		nap()
		o.halt()
		r.name += "-"
	}
	r.query(t, "OPTIMIZE TABLE sip")
	r.query(t, "OPTIMIZE TABLE messages_1m FINAL")
	r.follows(ahead)
	if have := rows(); have != want {
		t.Errorf("a clock that ran ahead left %s rows of %s", have, want)
	}
	restart()
	eventually(t, "retention rests", func() bool { return r.books(t)["heplake_retention_clock_doubted"] == 1 })
	time.Sleep(5 * time.Second)
	r.follows(ahead)
	if have := rows(); have != want {
		t.Errorf("a start by a clock that was ahead left %s rows of %s", have, want)
	}
	r.sane()

	clock.set(t, 0)
	restart()
	gone := func() bool {
		return strings.TrimSpace(r.query(t, "SELECT count() FROM sip WHERE call_id = 'over'")) == "0"
	}
	if kills(t) > 0 {
		eventually(t, "retention goes on", gone) // in a minute, when the process before has lost the work
	} else {
		time.Sleep(3 * time.Second)
	}
	if books := r.books(t); books["heplake_retention_clock_doubted"] != 0 {
		t.Error("the clock is right and doubted")
	}
	if have := rows(); have != want {
		t.Errorf("%s rows of %s are left in the end", have, want)
	}
}

// ages is SQL for a table of times t, so many minutes long each.
func ages(minutes ...int) string {
	return "(SELECT toIntervalMinute(arrayJoin(" + strings.ReplaceAll(fmt.Sprint(minutes), " ", ", ") + ")) AS t)"
}

// follows checks that the engine goes by the clock that the test has set.
func (r round) follows(to time.Duration) {
	r.Helper()
	s := strings.TrimSpace(r.query(r.T, "SELECT toUnixTimestamp64Micro(now64(6)), toUnixTimestamp(now())"))
	fine, whole, _ := strings.Cut(s, "\t")
	us, err := strconv.ParseInt(fine, 10, 64)
	if d := time.UnixMicro(us).Sub(time.Now().Add(to)).Abs(); err != nil || d > 10*time.Second {
		r.Fatalf("the engine's clock is %s from where it was set to (%s, %v)", d, s, err)
	}
	seconds, err := strconv.ParseInt(whole, 10, 64)
	if d := time.Unix(seconds, 0).Sub(time.Now().Add(to)).Abs(); err != nil || d > 10*time.Second {
		r.Fatalf("the engine's clock of seconds is %s from where it was set to (%s, %v)", d, s, err)
	}
}

// sane checks that no figure of time is negative or longer than the test can be.
func (r round) sane() {
	r.Helper()
	books := r.books(r.T)
	for name, v := range books {
		plain, _, _ := strings.Cut(name, "{")
		if !strings.HasPrefix(name, "heplake_") || !strings.Contains(plain, "_seconds") || strings.Contains(plain, "timestamp") || strings.Contains(plain, "clock_skew") {
			continue
		}
		limit := 60.0
		switch {
		case plain == "heplake_assemble_lag_seconds":
			limit = 600 // at a start what was read before is read again
		case strings.HasSuffix(plain, "_bucket"), strings.HasSuffix(plain, "_count"):
			continue
		case strings.HasSuffix(plain, "_sum"):
			limit *= books[strings.TrimSuffix(plain, "_sum")+"_count"] // a minute each
		}
		if v < 0 || v > limit {
			r.Errorf("%s is %v", name, v)
		}
	}
}

// timesAreTheSenders checks the times of what is stored.
func (r round) timesAreTheSenders(o load) {
	r.Helper()
	for _, s := range o {
		rows := []byte(r.query(r.T, fmt.Sprintf("SELECT toUInt32(substring(call_id, %d)), toUnixTimestamp64Micro(time) FROM sip WHERE startsWith(correlation_id, '%s-') AND startsWith(call_id, '%[2]s-') FORMAT RowBinary", len(s.name)+2, s.name)))
		if len(rows) == 0 {
			r.Errorf("nothing of %s", s.name)
		}
		wrong := 0
		for ; len(rows) >= 12; rows = rows[12:] {
			n, us := binary.LittleEndian.Uint32(rows), int64(binary.LittleEndian.Uint64(rows[4:]))
			if int(n) >= len(s.sent) || s.sent[n].at.UnixMicro() != us {
				wrong++
			}
		}
		if wrong > 0 {
			r.Errorf("%s: %d records have another time than their sender's", s.name, wrong)
		}
	}
}
