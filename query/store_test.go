package query_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/heplake/heplake/internal/chtest"
	"github.com/heplake/heplake/internal/embedded"
	"github.com/heplake/heplake/query"
	"github.com/heplake/heplake/query/filter"
	"github.com/heplake/heplake/schema"
)

// store opens another store on the lake's database.
func (l *lake) store(t *testing.T, address string, o query.Options) *query.Store {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + l.name
	o.URL = u.String()
	s, err := query.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// TestEveryUserAndProtocol answers the same to an owner and to a reader with
// limits of its own, over HTTP and the native protocol.
func TestEveryUserAndProtocol(t *testing.T) {
	l := open(t, twoLegs)
	server := chtest.Server(t)
	for _, role := range []embedded.User{embedded.Owner, embedded.Reader} {
		for _, address := range []string{server.URL(role), server.NativeURL(role)} {
			s := l.store(t, address, query.Options{MaxMemory: 1 << 40, MaxTime: time.Hour, MaxRows: 1 << 40})
			if err := s.Ping(t.Context()); err != nil {
				t.Error(err)
			}
			if s.Database() != l.name {
				t.Errorf("database is %s", s.Database())
			}
			r, err := s.Calls(t.Context(), query.CallsRequest{From: capturedFrom, To: capturedTo, Filter: "status = 486"})
			if err != nil || len(r.Calls) != 1 {
				t.Errorf("%s: %d calls, %v", role, len(r.Calls), err)
			}
			if f, err := s.Flow(t.Context(), query.FlowRequest{ID: "1-16207@127.0.0.1", Media: true, Events: true}); err != nil || len(f.Items) != 28 {
				t.Errorf("%s: flow %v", role, err)
			}
			if native := strings.HasPrefix(address, "clickhouse"); native && r.ScannedRows < 103 {
				t.Errorf("scanned %d rows", r.ScannedRows)
			}
		}
	}
}

// TestAwkwardValues stores values with every character that means something to
// SQL, to parameters or to URLs, and finds each by the filter, alone and in a
// list, over both protocols.
func TestAwkwardValues(t *testing.T) {
	l := open(t)
	values := []string{"plain", "it's", `a"b`, `back\slash`, `\'`, `\N`, "tab\there", "line\nbreak", "cr\rx", "nul\x00x", "'; DROP TABLE sip; --", "{p0:String}", "?@$1", "%_", "Zoë ☎", "\xff\xfe", " ", "NULL", "[1,2]", "a,b", "&x=y#z%41+"}
	batch, err := l.db.PrepareBatch(t.Context(), "INSERT INTO sip (time, tenant, correlation_id, own_call_id, method, user_agent, headers)")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range values {
		if err := batch.Append(capturedFrom.Add(time.Hour), "t", v, v, "OPTIONS", v, map[string]string{"X-Odd": v}); err != nil {
			t.Fatal(err)
		}
	}
	if err := batch.Send(); err != nil {
		t.Fatal(err)
	}
	l.Lake.Digest(t)
	for _, s := range []*query.Store{l.Store, l.store(t, chtest.Server(t).NativeURL(embedded.Owner), query.Options{})} {
		for _, v := range values {
			quoted := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(v) + `"`
			f := "call_id = " + quoted + " and header.x-odd = " + quoted + " and user_agent in (" + quoted + ", 'other') and not user_agent = 'plain' or call_id = " + quoted
			r, err := s.Calls(t.Context(), query.CallsRequest{Filter: f, From: capturedFrom, To: capturedTo})
			if err != nil || len(r.Calls) != 1 || r.Calls[0].CallIDs[0] != v {
				t.Errorf("%s finds %q, %v", f, ids(r.Calls), err)
			}
			for _, f := range []string{"header.x-odd = " + quoted, "user_agent in (" + quoted + ", 'other')"} {
				n, err := s.Series(t.Context(), query.SeriesRequest{Metric: "messages", Filter: f, From: capturedFrom, To: capturedTo})
				if err != nil || fmt.Sprint(sums(t, n)) != "[1]" {
					t.Errorf("%s counts %v, %v", f, n, err)
				}
			}
		}
	}
	// In a flow's and a search's own lists.
	for _, v := range values {
		if f, err := l.Flow(t.Context(), query.FlowRequest{ID: v}); err != nil || len(f.Items) != 1 || f.Items[0].CallID != v {
			t.Errorf("flow of %q: %v", v, err)
		}
	}
}

func TestErrorsTellApart(t *testing.T) {
	l := open(t, failures)
	address := chtest.URL(t)

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := listener.Addr().String()
	_ = listener.Close()
	if _, err := query.Open(t.Context(), query.Options{URL: "http://" + nobody + "/heplake"}); !errors.Is(err, query.ErrUnavailable) {
		t.Errorf("nobody listens: %v", err)
	}
	u, _ := url.Parse(address)
	u.User = url.UserPassword("owner", "wrong")
	if _, err := query.Open(t.Context(), query.Options{URL: u.String()}); !errors.Is(err, query.ErrUnavailable) {
		t.Errorf("a wrong password: %v", err)
	}
	if _, err := query.Open(t.Context(), query.Options{URL: "::not a url"}); err == nil {
		t.Error("no URL at all: no error")
	}

	bare := l.store(t, address, query.Options{Database: "heplake_nothing_here"})
	if _, err := bare.Calls(t.Context(), query.CallsRequest{}); !errors.Is(err, query.ErrUnavailable) {
		t.Errorf("no tables: %v", err)
	}
	l.exec(t, "INSERT INTO sip (time, tenant, method, packed) SELECT '2026-11-21 00:00:00', 't', 'OPTIONS', repeat(toString(number), 50) FROM numbers(400000)")
	// A memory limit: see TestMessagesAreBounded.
	quick := l.store(t, address, query.Options{MaxTime: time.Second})
	var never []string // some hundred ways to find nothing in a gigabyte
	for i := range 300 {
		never = append(never, fmt.Sprintf(`raw ~ "(%d.*){9}x%d$"`, i%10, i))
	}
	slow := query.SeriesRequest{Metric: "messages", Filter: strings.Join(never, " or "), From: capturedFrom, To: capturedTo}
	if _, err := quick.Series(t.Context(), slow); !errors.Is(err, query.ErrTooExpensive) {
		t.Errorf("a time limit: %v", err)
	}
	running := func() (n uint64) {
		t.Helper()
		if err := l.db.QueryRow(t.Context(), "SELECT count() FROM system.processes WHERE query LIKE '%FROM "+l.name+".sip%match%' AND query NOT LIKE '%system.processes%'").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	waitFor := func(want uint64) {
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); running() != want; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%d queries run, want %d", running(), want)
			}
		}
	}
	waitFor(0)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := l.Series(ctx, slow)
		done <- err
	}()
	waitFor(1)
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	waitFor(0) // the server stops as well
}

// TestLookUpsUseTheIndexes checks that looking for an id over all time, and for a
// user or an address in a window, skips what cannot hold it.
func TestLookUpsUseTheIndexes(t *testing.T) {
	l := open(t)
	// 20 days of 50,000 messages, all of them different calls.
	l.exec(t, `INSERT INTO sip (time, tenant, correlation_id, own_call_id, method, from_user, to_user, src_ip)
		SELECT toDateTime64('2026-11-01 00:00:00', 6, 'UTC') + number * 1.728, 't', concat('x-', toString(cityHash64(number))), concat('c-', toString(cityHash64(number))), 'INVITE',
			toString(cityHash64(number, 1)), toString(cityHash64(number, 2)), toIPv6(concat('2001:db8::', lower(hex(number % 60000)))) FROM numbers(1000000)
		SETTINGS max_partitions_per_insert_block = 100`)
	var callID, correlation, user string
	if err := l.db.QueryRow(t.Context(), "SELECT concat('c-', toString(cityHash64(777777))), concat('x-', toString(cityHash64(777777))), toString(cityHash64(777777, 1))").Scan(&callID, &correlation, &user); err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{
		"call_id = '" + callID + "'", "correlation_id in ('" + correlation + "')", "from_user = " + user, "call_id in ('" + callID + "', 'nobody')",
		callID, user, "user = " + user, "src_ip = 2001:db8::1234 and time > '2026-11-18'", "call_id = '" + callID + "' or from_user = " + user,
	} {
		var p filter.Params
		plan, err := filter.CompileCalls(f, &p)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := l.db.Query(t.Context(), "EXPLAIN ESTIMATE SELECT count() FROM sip WHERE "+plan.Prefilter, p.Args()...)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var database, table string
			var parts, n, marks uint64
			if err := rows.Scan(&database, &table, &parts, &n, &marks); err != nil {
				t.Fatal(err)
			}
			if n > 100_000 {
				t.Errorf("%s reads %d rows of 1000000", f, n)
			}
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
	}
	// The same for whole questions, as the server counts what it read.
	s := l.store(t, chtest.Server(t).NativeURL(embedded.Owner), query.Options{})
	r, err := s.Calls(t.Context(), query.CallsRequest{Filter: "call_id = '" + callID + "'", From: capturedFrom.AddDate(0, -1, 0), To: capturedTo})
	if err != nil || len(r.Calls) != 1 || r.ScannedRows == 0 || r.ScannedRows > 400_000 {
		t.Errorf("found %d calls, read %d rows, %v", len(r.Calls), r.ScannedRows, err)
	}
	if _, err := s.Flow(t.Context(), query.FlowRequest{ID: callID}); err != nil {
		t.Error(err)
	}
}

// TestNothingIsStored makes sure that every question has an answer on new tables.
func TestNothingIsStored(t *testing.T) {
	l := open(t)
	for _, table := range schema.Tables() {
		var n uint64
		if err := l.db.QueryRow(t.Context(), "SELECT count() FROM "+table.Name).Scan(&n); err != nil || n != 0 {
			t.Fatal(n, err)
		}
	}
	if s := l.series(t, query.SeriesRequest{Metric: "errors"}); fmt.Sprint(sums(t, s)) != "[0]" {
		t.Errorf("series %v", sums(t, s))
	}
}
