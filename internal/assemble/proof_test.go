package assemble_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/heplake/heplake/bench/truth"
	"github.com/heplake/heplake/ingest"
	"github.com/heplake/heplake/ingest/insert"
	"github.com/heplake/heplake/ingest/spool"
	"github.com/heplake/heplake/internal/assemble"
	"github.com/heplake/heplake/internal/digest"
	"github.com/heplake/heplake/internal/laketest"
)

// twice is a connection that sends each batch two times, as an inserter does that
// did not hear the answer to the first.
type twice struct{ driver.Conn }

func (c twice) InsertFormat(ctx context.Context, format, query string, data io.Reader) error {
	body, err := io.ReadAll(data)
	if err != nil {
		return err
	}
	for range 2 {
		if err := c.Conn.InsertFormat(ctx, format, query, bytes.NewReader(body)); err != nil {
			return err
		}
	}
	return nil
}

// holding bounds what ingest holds of digests: so many bytes, and what comes faster than
// so many a second is not handed over, for so long. 0 is what it is in production.
type holding struct {
	bytes, flood int
	pause        time.Duration
}

// feed sends packets through the pipeline in batches of so many rows. during is
// called now and then meanwhile.
func feed(t *testing.T, l *laketest.Lake, packets [][]byte, batch int, double bool, inbox ingest.Handover, hold holding, during func()) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	sp, err := spool.Open(t.TempDir(), spool.Options{MaxBytes: 1 << 30, MemoryBytes: 64 << 20, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	conn := l.DB
	if double {
		conn = twice{l.DB}
	}
	const decade = 10 * 365 * 24 * time.Hour
	p := ingest.New(ingest.Config{
		UDP: "127.0.0.1:0", Workers: 3, UDPBuffer: 8 << 20, MaxConnections: 10, IdleTimeout: time.Minute,
		BatchRows: batch, BatchAge: time.Second, BatchBytes: 64 << 20, Inserters: 2, Tenant: "default",
		CorrelationHeaders: []string{"X-CID", "Session-ID", "P-Charging-Vector"}, TimeAhead: decade, TimeBehind: decade,
		Handover: inbox, HoldLegs: 1, HoldSkew: decade, HoldBytes: hold.bytes, FloodRate: hold.flood, FloodPause: hold.pause,
	}, sp, insert.New(conn, l.Name, time.Minute), log)
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	out, err := net.Dial("udp", p.Addrs()["udp"].String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = out.Close() }()
	for i, packet := range packets {
		if _, err := out.Write(packet); err != nil {
			t.Fatal(err)
		}
		for i%64 == 0 && p.Books().Total() < uint64(i) { // no faster than the kernel's buffer empties
			time.Sleep(100 * time.Microsecond)
		}
		if i%(len(packets)/4+1) == 0 {
			during()
		}
	}
	for p.Books().Total() < uint64(len(packets)) {
		time.Sleep(time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	if err := p.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	if b := p.Books(); b.Lost() != 0 || b.Waiting != 0 {
		t.Fatalf("loading lost %d packets, %d wait", b.Lost(), b.Waiting)
	}
}

// counting is an inbox that counts what it was given.
type counting struct {
	ingest.Handover
	pieces atomic.Int64
}

func (c *counting) Take(run uint64, tenant string, pieces []digest.Piece) bool {
	c.pieces.Add(int64(len(pieces)))
	return c.Handover.Take(run, tenant, pieces)
}

// run has the assembler work until stop is called.
func run(t *testing.T, a *assemble.Assembler) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		a.Run(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}

// query returns the rows of a query of one text column.
func query(t *testing.T, l *laketest.Lake, sql string) []string {
	t.Helper()
	rows, err := l.DB.Query(t.Context(), sql)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		out = append(out, s)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// compare says where two lists of lines differ.
func compare(t *testing.T, what string, got, want []string) {
	t.Helper()
	slices.Sort(got)
	slices.Sort(want)
	var missing, extra []string
	for _, w := range want {
		if !slices.Contains(got, w) {
			missing = append(missing, w)
		}
	}
	for _, g := range got {
		if !slices.Contains(want, g) {
			extra = append(extra, g)
		}
	}
	if len(missing)+len(extra) > 0 || len(got) != len(want) {
		const most = 15
		t.Errorf("%s: %d lines, want %d\nmissing\n%s\nbesides\n%s", what, len(got), len(want),
			strings.Join(missing[:min(most, len(missing))], "\n"), strings.Join(extra[:min(most, len(extra))], "\n"))
	}
}

func list(v []string) string { return strings.Join(v, ",") }

// callSQL is callLine in SQL.
const callSQL = `SELECT arrayStringConcat([
	arrayStringConcat(arraySort(arrayMap(x -> toString(x), call_ids)), '+'), method, outcome, toString(final_status), if(released_by = '', '-', released_by), toString(q850),
	toString(toUnixTimestamp64Micro(start)), toString(ifNull(toUnixTimestamp64Micro(ring), 0)), toString(ifNull(toUnixTimestamp64Micro(answer), 0)), toString(ifNull(toUnixTimestamp64Micro(end), 0)), toString(toUnixTimestamp64Micro(last_seen)),
	from_user, to_user, ruri_user, 'm', toString(messages), 'r', toString(retransmissions), 'h', toString(hops), 't', toString(tries)], ' ') FROM calls`

func callLine(c *truth.Call) string {
	released := c.ReleasedBy
	if released == "" {
		released = "-"
	}
	ids := slices.Sorted(slices.Values(c.CallIDs))
	return fmt.Sprintf("%s %s %s %d %s %d %d %d %d %d %d %s %s %s m %d r %d h %d t %d", strings.Join(ids, "+"), c.Method, c.Outcome, c.FinalStatus, released, c.Q850,
		c.Start, c.Ring, c.Answer, c.End, c.LastSeen, c.FromUser, c.ToUser, c.RuriUser, c.Messages, c.Retransmissions, c.Hops, c.Tries)
}

const registrationSQL = `SELECT arrayStringConcat([call_id, toString(toUnixTimestamp64Micro(start)), user, domain, contact, outcome, toString(status), toString(expires), toString(ineffective), toString(requests)], ' ') FROM registrations`

func registrationLine(r *truth.Registration) string {
	ineffective := 0
	if r.Ineffective {
		ineffective = 1
	}
	return fmt.Sprintf("%s %d %s %s %s %s %d %d %d %d", r.CallID, r.Time, r.User, r.Domain, r.Contact, r.Outcome, r.Status, r.Expires, ineffective, r.Requests)
}

// shortlyBefore is half a minute before the last midnight, so that calls go over the
// border of days and of partitions; soon after midnight, before an earlier hour:
// what is still in progress is a matter of the clock.
func shortlyBefore(now time.Time) time.Time {
	midnight := now.UTC().Truncate(24 * time.Hour)
	if now.Sub(midnight) < time.Hour {
		midnight = midnight.Add(-2 * time.Hour)
	}
	return midnight.Add(-30 * time.Second)
}

// minuteSQL is minuteLine in SQL.
const minuteSQL = `SELECT arrayStringConcat(arrayMap(x -> toString(x), [toFloat64(toUnixTimestamp(bucket)), attempts, answered, redirected, cancelled, failed, unanswered, final_4xx, final_5xx, final_6xx,
	effective, ineffective, delivered, ended, active, completed, round(talk_seconds, 3)]), ' ') FROM kpi_1m FINAL WHERE dim = 'all' AND attempts > 0`

const registrationMinuteSQL = `SELECT arrayStringConcat(arrayMap(x -> toString(x), [toFloat64(toUnixTimestamp(bucket)), attempts, failures, ineffective]), ' ')
	FROM registrations_1m FINAL WHERE dim = 'all' AND attempts > 0`

func minuteLine(m *truth.Minute) string {
	talk := strconv.FormatFloat(math.Round(m.TalkSeconds*1000)/1000, 'f', -1, 64)
	return fmt.Sprint(m.Time/1e6, m.Attempts, m.Answered, m.Redirected, m.Cancelled, m.Failed, m.Unanswered, m.Final4xx, m.Final5xx, m.Final6xx,
		m.Effective, m.Ineffective, m.Delivered, m.Ended, m.Active, m.Completed, " ", talk)
}

// minuteLines are the sums of calls and of registrations that there must be.
func minuteLines(corpus *truth.Corpus) (calls, registrations []string) {
	for i := range corpus.Minutes {
		m := &corpus.Minutes[i]
		if m.Attempts > 0 {
			calls = append(calls, minuteLine(m))
		}
		if m.Registrations > 0 {
			registrations = append(registrations, fmt.Sprint(m.Time/1e6, m.Registrations, m.RegFailures, m.Ineffectives))
		}
	}
	return calls, registrations
}

// compareWithTruth says how the calls and registrations that are stored differ from
// what happened.
func compareWithTruth(t *testing.T, l *laketest.Lake, corpus *truth.Corpus) {
	t.Helper()
	calls, err := corpus.StoredCalls(t.Context(), l.URL)
	if err != nil {
		t.Fatal(err)
	}
	registrations, err := corpus.StoredRegistrations(t.Context(), l.URL)
	if err != nil {
		t.Fatal(err)
	}
	differences := append(corpus.CompareCalls(calls), corpus.CompareRegistrations(registrations)...)
	if len(differences) > 0 {
		t.Errorf("%d differences, of %d calls\n%s", len(differences), len(corpus.Calls), strings.Join(differences[:min(15, len(differences))], "\n"))
	}
}

// TestTruth sends traffic whose truth is known through the real pipeline, and
// checks every call and registration, however the packets are cut into batches,
// in whatever order they come, and with each batch sent twice.
func TestTruth(t *testing.T) {
	for _, way := range []struct {
		name     string
		calls    int
		batch    int
		shuffled bool
		double   bool
	}{
		{"in one batch", 400, 100_000, false, false},
		{"in one batch, shuffled, sent twice", 400, 100_000, true, true},
		{"by sevens", 15, 7, false, false},
		{"by sevens, shuffled, sent twice", 15, 7, true, true},
		{"one by one, sent twice", 2, 1, false, true},
		{"one by one, shuffled", 2, 1, true, false},
		{"handed over", 400, 100_000, false, false},
		{"handed over, shuffled", 400, 100_000, true, true},
		{"handed over, and little held", 400, 100_000, false, false},
		{"handed over, shuffled, in a flood now and then", 400, 100_000, true, false},
	} {
		t.Run(way.name, func(t *testing.T) {
			corpus, err := truth.New(truth.Config{
				Seed: 7, Calls: way.calls, Registrations: way.calls / 4, Start: shortlyBefore(time.Now()),
			})
			if err != nil {
				t.Fatal(err)
			}
			packets := corpus.Data()
			if way.shuffled {
				rng := rand.New(rand.NewPCG(1, 2))
				rng.Shuffle(len(packets), func(i, j int) { packets[i], packets[j] = packets[j], packets[i] })
			}
			l := laketest.Open(t)
			cfg := assemble.Config{Conn: l.DB, Database: l.Name}
			if way.shuffled {
				cfg.FillRows = 10 // of a minute or two
			}
			a := assemble.New(cfg)
			pass := func() {
				if err := a.Pass(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if strings.HasPrefix(way.name, "handed over") {
				stop := run(t, a)
				inbox := &counting{Handover: a.Inbox()}
				for end := time.Now().Add(time.Minute); inbox.Run() == 0; time.Sleep(10 * time.Millisecond) {
					if time.Now().After(end) {
						t.Fatal("the assembler takes nothing")
					}
				}
				hold := holding{}
				if strings.HasSuffix(way.name, "held") {
					hold.bytes = 16 << 10
				} else if strings.HasSuffix(way.name, "flood now and then") {
					hold = holding{16 << 10, 200 << 10, 500 * time.Millisecond}
				}
				feed(t, l, packets, way.batch, way.double, inbox, hold, func() { time.Sleep(700 * time.Millisecond) })
				stop()
				if rows := query(t, l, "SELECT toString(countIf(handed != 0)) FROM leg_digests"); rows[0] == "0" || inbox.pieces.Load() == 0 {
					t.Fatalf("%d pieces were handed over, %s rows say so", inbox.pieces.Load(), rows[0])
				}
			} else {
				feed(t, l, packets, way.batch, way.double, nil, holding{}, pass)
			}
			if err := a.Settle(t.Context()); err != nil {
				t.Fatal(err)
			}
			var calls, registrations []string
			for i := range corpus.Calls {
				if corpus.Calls[i].Method == "INVITE" {
					calls = append(calls, callLine(&corpus.Calls[i]))
				}
			}
			for i := range corpus.Registrations {
				registrations = append(registrations, registrationLine(&corpus.Registrations[i]))
			}
			compare(t, "calls", query(t, l, callSQL), calls)
			compare(t, "registrations", query(t, l, registrationSQL), registrations)
			minutes, attempts := minuteLines(corpus)
			total := truth.Minute{}
			for _, m := range corpus.Minutes {
				total.Attempts += m.Attempts
				total.Registrations += m.Registrations
			}
			compare(t, "kpi_1m", query(t, l, minuteSQL), minutes)
			compare(t, "registrations_1m", query(t, l, registrationMinuteSQL), attempts)
			for _, table := range []string{"1h", "1d"} {
				compare(t, "kpi_"+table, query(t, l, "SELECT toString(sum(attempts)) FROM kpi_"+table+" FINAL WHERE dim = 'all'"), []string{fmt.Sprint(total.Attempts)})
				compare(t, "registrations_"+table, query(t, l, "SELECT toString(sum(attempts)) FROM registrations_"+table+" FINAL WHERE dim = 'all'"), []string{fmt.Sprint(total.Registrations)})
			}
		})
	}
}
