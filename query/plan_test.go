package query_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/heplake/heplake/internal/chtest"
	"github.com/heplake/heplake/internal/embedded"
	"github.com/heplake/heplake/query"
	"github.com/heplake/heplake/query/filter"
)

// plan is what EXPLAIN says of reading a table: the granules that are left after
// the primary key, and after each skipping index.
type plan struct {
	indexes []string
	// granules there are, and how many of them are read.
	granules, read int
}

// explain asks ClickHouse how it reads sip under a condition.
func (l *lake) explain(t *testing.T, where string, args []any) plan {
	t.Helper()
	return l.explainOf(t, "sip", where, args)
}

// explainOf asks ClickHouse how it reads a table under a condition.
func (l *lake) explainOf(t *testing.T, table, where string, args []any) plan {
	t.Helper()
	var text string
	rows, err := l.db.Query(t.Context(), "EXPLAIN json = 1, indexes = 1 SELECT count() FROM "+table+" WHERE "+where, args...)
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		text += line
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	var doc any
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	p := plan{read: -1}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if list, ok := v["Indexes"].([]any); ok {
				for _, one := range list {
					m := one.(map[string]any)
					name, _ := m["Name"].(string)
					if name == "" {
						name, _ = m["Type"].(string)
					}
					p.indexes = append(p.indexes, name)
					if n, ok := m["Initial Granules"].(float64); ok {
						p.granules = max(p.granules, int(n))
					}
					if n, ok := m["Selected Granules"].(float64); ok {
						p.read = int(n)
					}
				}
			}
			for _, e := range v {
				walk(e)
			}
		case []any:
			for _, e := range v {
				walk(e)
			}
		}
	}
	walk(doc)
	if len(p.indexes) == 0 || p.read < 0 {
		t.Fatalf("no index in the plan: %s", text)
	}
	return p
}

// TestPlansUseTheIndexes reads the plans of what people search for, over 30 days:
// ids, users and addresses are skipped to by their bloom filters, times by
// partitions and hours.
func TestPlansUseTheIndexes(t *testing.T) {
	l := open(t)
	// 30 days of 20,000 messages, all of them different calls.
	l.exec(t, `INSERT INTO sip (time, tenant, correlation_id, own_call_id, method, from_user, to_user, ruri_user, src_ip, dst_ip)
		SELECT toDateTime64('2026-10-23 00:00:00', 6, 'UTC') + number * 4.32, 't', concat('x-', toString(cityHash64(number))), concat('c-', toString(cityHash64(number))), 'INVITE',
			toString(cityHash64(number, 1)), toString(cityHash64(number, 2)), toString(cityHash64(number, 3)), toIPv6(concat('2001:db8::', lower(hex(number % 60000)))), toIPv6(concat('2001:db8:1::', lower(hex(number % 60000)))) FROM numbers(600000)
		SETTINGS max_partitions_per_insert_block = 100`)
	l.exec(t, "OPTIMIZE TABLE sip FINAL")
	var callID, correlation, from, to, ruri string
	if err := l.db.QueryRow(t.Context(), "SELECT concat('c-', toString(cityHash64(333333))), concat('x-', toString(cityHash64(333333))), toString(cityHash64(333333, 1)), toString(cityHash64(333333, 2)), toString(cityHash64(333333, 3))").Scan(&callID, &correlation, &from, &to, &ruri); err != nil {
		t.Fatal(err)
	}
	month := query.MessagesRequest{From: time.Date(2026, 10, 23, 0, 0, 0, 0, time.UTC), To: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)}
	for _, c := range []struct {
		filter, index string
		// share of the granules that may be read: a bloom filter errs in one of a hundred.
		share float64
	}{
		{"call_id = " + callID, "idx_call_id", 0.05},
		{"sip.callid in ('" + callID + "', 'nobody')", "idx_call_id", 0.05},
		{"correlation_id = " + correlation, "idx_correlation_id", 0.05},
		{"b2b_callid = " + correlation, "idx_correlation_id", 0.05},
		{"from_user = " + from, "idx_from_user", 0.05},
		{"to_user = " + to, "idx_to_user", 0.05},
		{"ruri_user = " + ruri, "idx_ruri_user", 0.05},
		{"src_ip = 2001:db8::1234", "idx_src_ip", 0.2},
		{"dst_ip = 2001:db8:1::1234", "idx_dst_ip", 0.2},
		{"from_user = " + from + " and status = 486", "idx_from_user", 0.05},
		{"header.X = y and call_id = " + callID, "idx_call_id", 0.05},
		{"call_id = " + callID + " or from_user = " + from, "idx_call_id", 0.1},
		{callID, "idx_call_id", 0.2},
		{"user = " + from, "idx_from_user", 0.1},
	} {
		for _, target := range []*filter.Target{filter.Messages, filter.Calls} {
			var p filter.Params
			var where string
			var err error
			if target == filter.Calls {
				var calls filter.CallPlan
				calls, err = filter.CompileCalls(c.filter, &p)
				where = calls.Prefilter
			} else {
				where, err = target.Compile(c.filter, &p)
			}
			if err != nil {
				t.Fatal(err)
			}
			got := l.explain(t, where, p.Args())
			if !strings.Contains(fmt.Sprint(got.indexes), c.index) || float64(got.read) > c.share*float64(got.granules) || got.granules < 100 {
				t.Errorf("%s reads %d of %d granules, by %q", c.filter, got.read, got.granules, got.indexes)
			}
		}
	}
	// An hour of a month is an hour, not a day, as the macro of the Grafana datasource writes it, too.
	for _, where := range []string{
		"toStartOfHour(time) >= toDateTime('2026-11-05 10:00:00', 'UTC') AND toStartOfHour(time) <= toDateTime('2026-11-05 10:00:00', 'UTC') AND time >= toDateTime64('2026-11-05 10:00:00', 6, 'UTC') AND time < toDateTime64('2026-11-05 10:30:00', 6, 'UTC')",
	} {
		if got := l.explain(t, where, nil); got.read > 4 || got.granules < 100 {
			t.Errorf("%s reads %d of %d granules", where, got.read, got.granules)
		}
	}
	// An id's hours, and then its messages, are in a granule or two.
	l.exec(t, "OPTIMIZE TABLE ids FINAL")
	if got := l.explainOf(t, "ids", "id IN (cityHash64('"+callID+"'))", nil); got.read > 6 || got.granules < 1000 {
		t.Errorf("an id is looked for in %d of %d granules", got.read, got.granules)
	}
	l.exec(t, "OPTIMIZE TABLE users FINAL")
	if got := l.explainOf(t, "users", "user IN (cityHash64('"+from+"'))", nil); got.read > 6 || got.granules < 1000 {
		t.Errorf("a user is looked for in %d of %d granules", got.read, got.granules)
	}
	at := "toDateTime64('2026-10-23 00:00:00', 6, 'UTC') + 333333 * 4.32"
	if got := l.explain(t, "toStartOfHour(time) = toStartOfHour("+at+") AND time >= "+at+" - 3600 AND time < "+at+" + 3600 AND correlation_id IN ('"+correlation+"')", nil); got.read > 2 {
		t.Errorf("messages of a known hour are read from %d of %d granules", got.read, got.granules)
	}
	// Rows of calls are found by hour and key.
	l.exec(t, `INSERT INTO call_rows (start, last_seen, tenant, correlation_id, call_ids, version) SELECT toDateTime64('2026-10-23 00:00:00', 6, 'UTC') + number * 8.64 AS start, start, 't',
		concat('x-', toString(cityHash64(number))), [concat('c-', toString(cityHash64(number)))], 1 FROM numbers(300000) SETTINGS max_partitions_per_insert_block = 100`)
	l.exec(t, "OPTIMIZE TABLE call_rows FINAL")
	if got := l.explainOf(t, "call_rows", "toStartOfHour(start) IN {hours:Array(DateTime('UTC'))} AND correlation_id IN {keys:Array(String)}",
		[]any{clickhouse.Named("hours", []string{"2026-10-30 05:00:00", "2026-11-05 07:00:00"}), clickhouse.Named("keys", []string{"x-1", "x-2"})}); got.read > 4 || got.granules < 200 {
		t.Errorf("two rows of calls are looked for in %d of %d granules", got.read, got.granules)
	}
	// Whole searches, as the server counts what it read: a Call-ID over the month is
	// no scan, and neither is a page of what is common.
	s := l.store(t, chtest.Server(t).NativeURL(embedded.Owner), query.Options{})
	for name, most := range map[string]uint64{"call_id = " + callID: 12_000, "correlation_id = " + correlation: 12_000, "": 60_000, "method = INVITE": 60_000} {
		r := month
		r.Filter = name
		got, err := s.Messages(t.Context(), r)
		if err != nil || len(got.Messages) == 0 || got.ScannedRows == 0 || got.ScannedRows > most {
			t.Errorf("%q: found %d, read %d rows of 600000, %v", name, len(got.Messages), got.ScannedRows, err)
		}
	}
}
