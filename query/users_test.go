package query

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/heplake/heplake/internal/captures"
	"github.com/heplake/heplake/internal/laketest"
)

// insertUserCalls inserts what two users did in the days from the hour on: calls over
// many hours, over the edge of one, ids that come again in the hour, the next and the
// next day, and an id that is registered with every hour.
func insertUserCalls(t *testing.T, l *laketest.Lake, hour time.Time) {
	t.Helper()
	batch, err := l.DB.PrepareBatch(t.Context(), "INSERT INTO sip (time, own_call_id, correlation_id, method, status, cseq, cseq_method, own_branch, from_tag, to_tag, from_user, to_user, ruri_user, src_ip, src_port, dst_ip, dst_port)")
	if err != nil {
		t.Fatal(err)
	}
	add := func(at time.Duration, id, method string, status uint16, of, from, to string) {
		fromTag, toTag, ruri := from, "", to
		if status >= 200 || method == "BYE" {
			toTag = to
		}
		if status > 0 {
			ruri = ""
		}
		if err := batch.Append(hour.Add(at), id, id, method, status, uint32(1), of, "z9hG4bK"+id+of, fromTag, toTag, from, to, ruri, "::ffff:10.9.0.1", uint16(5060), "::ffff:10.9.0.2", uint16(5060)); err != nil {
			t.Fatal(err)
		}
	}
	call := func(id string, began, lasted time.Duration) {
		add(began, id, "INVITE", 0, "INVITE", "ann", "ben")
		add(began+time.Second, id, "", 180, "INVITE", "ann", "ben")
		add(began+2*time.Second, id, "", 200, "INVITE", "ann", "ben")
		add(began+lasted, id, "BYE", 0, "BYE", "ben", "ann")
		add(began+lasted+time.Millisecond, id, "", 200, "BYE", "ben", "ann")
	}
	const m = time.Minute
	call("long", 50*m, 380*m)
	call("edge", 179*m, 2*m)
	for i, began := range []time.Duration{5, 40, 65, 24 * 60, 25*60 + 30, 48 * 60} {
		call("again", began*m, m)
		call(fmt.Sprint("alone-", i), began*m+30*time.Second, m)
	}
	for h := range time.Duration(40) {
		add(h*60*m+7*m, "register", "REGISTER", 0, "REGISTER", "ann", "ann")
		add(h*60*m+7*m+time.Second, "register", "", 200, "REGISTER", "ann", "ann")
	}
	add(61*m, "lost", "", 486, "INVITE", "ann", "ben")
	add(62*m, "missed", "BYE", 0, "BYE", "ben", "ann")
	if err := batch.Send(); err != nil {
		t.Fatal(err)
	}
}

// TestUsersAreWhatMessagesSay asks for users' calls by table users and by the messages
// alone, and reads calls by their cards and by all their columns: whole months, and
// windows that begin and end within calls, page by page, from either end.
func TestUsersAreWhatMessagesSay(t *testing.T) {
	l := laketest.Open(t, captures.Names(t, "*")...)
	hour := time.Now().UTC().Truncate(time.Hour).AddDate(0, 0, -4)
	insertUserCalls(t, l, hour)
	wantUsers(t, l, "as ingest told of them", "time > now() - toIntervalYear(20) AND correlation_id NOT IN ('long', 'edge', 'again', 'register', 'lost', 'missed') AND correlation_id NOT LIKE 'alone-%'")
	l.Digest(t)
	wantUsers(t, l, "as the assembler made up for them", "1")
	open := func(noUsers, noCards bool) *Store {
		s, err := Open(t.Context(), Options{URL: l.URL})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		s.noUsers, s.noCards = noUsers, noCards
		return s
	}
	ways := []*Store{open(true, true), open(false, false)}
	ctx := WithSettings(t.Context(), clickhouse.Settings{"max_query_size": 16 << 20})
	// cut: a busy machine had no time for all; what there is of the list is compared then.
	list := func(s *Store, r CallsRequest) (out []string, cut bool) {
		for {
			answer, err := s.Calls(ctx, r)
			if err != nil {
				t.Fatalf("%s: %v", r.Filter, err)
			}
			for i := range answer.Calls {
				text, err := json.Marshal(answer.Calls[i])
				if err != nil {
					t.Fatal(err)
				}
				out = append(out, string(text))
			}
			if r.Cursor = answer.Next; r.Cursor == "" {
				return out, answer.Truncated
			}
		}
	}
	// Of what came a moment ago the messages tell, whichever way is taken.
	now := time.Now()
	settled := now.Add(-15 * time.Minute)
	for _, c := range []struct {
		filter   string
		from, to time.Time
		limit    int
		oldest   bool
		least    int
	}{
		{"from_user = ann", now.AddDate(0, 0, -30), now, 100, false, 8},
		{"from_user = ann", now.AddDate(0, 0, -30), now, 3, false, 8},
		{"from_user = ann", now.AddDate(0, 0, -30), now, 3, true, 8},
		{"from_user = ben", now.AddDate(0, 0, -30), now, 100, true, 8},
		{"user = ben", hour.Add(55 * time.Minute), hour.Add(26 * time.Hour), 4, false, 4},
		{"user = ben", hour.Add(51 * time.Minute), hour.Add(180 * time.Minute), 100, true, 2},
		{"from_user = ben", hour.Add(55 * time.Minute), hour.Add(7 * time.Hour), 100, false, 2},
		{"from_user = ben", hour.Add(55 * time.Minute), hour.Add(7*time.Hour + 9*time.Minute), 100, true, 2},
		{"to_user = ann", hour.Add(5*time.Minute + 30*time.Second), hour.Add(24*time.Hour + 30*time.Second), 2, false, 2},
		{"to_user = ann and method = INVITE", hour, now, 100, false, 0},
		{"ruri_user in (ann, nobody)", hour, now, 100, false, 2},
		{"user = ann and duration > 61s", hour, now, 100, false, 1},
		{"user = ann and outcome = answered", hour, now, 100, false, 1},
		{"from_user = ann", hour.Add(2 * time.Hour), hour.Add(4 * time.Hour), 100, false, 2},
		{"user = alice", now.AddDate(-5, 0, 0), settled, 5, false, 5},
		{"from_user in (alice, bob, carol)", now.AddDate(-5, 0, 0), settled, 100, true, 5},
		{"to_user = bob", now.AddDate(-5, 0, 0), settled, 100, false, 5},
		{"ruri_user = bob", now.AddDate(-5, 0, 0), settled, 100, false, 5},
		{"from_user = 1001", now.AddDate(-5, 0, 0), settled, 100, false, 1},
		{"from_user = nobody", now.AddDate(-5, 0, 0), settled, 100, false, 0},
		{"", now.AddDate(-5, 0, 0), settled, 40, false, 50},
		{"method = INVITE and status >= 400", now.AddDate(-5, 0, 0), settled, 100, false, 10},
		{"outcome = answered", now.AddDate(-5, 0, 0), settled, 100, true, 10},
	} {
		r := CallsRequest{Filter: c.filter, From: c.from, To: c.to, Limit: c.limit, Oldest: c.oldest}
		want, cut := list(ways[0], r)
		got, cut2 := list(ways[1], r)
		name := fmt.Sprintf("%q from %s to %s, %d at a time, oldest first %t", c.filter, c.from.Sub(hour), c.to.Sub(hour), c.limit, c.oldest)
		if len(want) < c.least {
			t.Errorf("%s: %d calls, want %d at least", name, len(want), c.least)
		}
		if len(got) != len(want) && !cut && !cut2 {
			t.Errorf("%s: %d calls, by messages and columns %d", name, len(got), len(want))
		}
		for i := range min(len(got), len(want)) {
			if got[i] != want[i] {
				t.Errorf("%s: the %dth is\n%s\nby messages and columns\n%s", name, i, got[i], want[i])
				break
			}
		}
	}
	var read uint64
	if err := l.DB.QueryRow(t.Context(), "SELECT countIf(card = '') FROM call_rows").Scan(&read); err != nil || read != 0 {
		t.Errorf("%d rows without a card, %v", read, err)
	}
	answer, err := ways[1].Calls(ctx, CallsRequest{Filter: "from_user = ann", From: now.AddDate(0, 0, -30), To: now, Limit: 2})
	other, err2 := ways[0].Calls(ctx, CallsRequest{Filter: "from_user = ann", From: now.AddDate(0, 0, -30), To: now, Limit: 2})
	if err != nil || err2 != nil || len(answer.Calls) != len(other.Calls) {
		t.Errorf("%d and %d calls, %v, %v", len(answer.Calls), len(other.Calls), err, err2)
	}
	// Rows of an earlier version have no cards.
	if err := l.DB.Exec(t.Context(), "ALTER TABLE call_rows UPDATE card = '' WHERE cityHash64(correlation_id) % 2 = 0 SETTINGS mutations_sync = 2"); err != nil {
		t.Fatal(err)
	}
	r := CallsRequest{Filter: "user = alice", From: now.AddDate(-5, 0, 0), To: settled, Limit: 100}
	got, cut := list(ways[1], r)
	want, cut2 := list(ways[0], r)
	if len(got) == 0 || len(got) != len(want) && !cut && !cut2 {
		t.Errorf("half of them without cards: %d calls, want %d", len(got), len(want))
	}
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Errorf("half of them without cards: the %dth is\n%s\nby messages and columns\n%s", i, got[i], want[i])
			break
		}
	}
}

// TestUsersNotToldOfYet asks for a user's calls while table users lacks those of a moment
// ago, and after an upgrade those of the days that are still to be gone through.
func TestUsersNotToldOfYet(t *testing.T) {
	l := laketest.Open(t)
	hour := time.Now().UTC().Truncate(time.Hour).AddDate(0, 0, -4)
	insertUserCalls(t, l, hour)
	l.Digest(t)
	for _, id := range []string{"newest", "newer"} {
		if err := l.DB.Exec(t.Context(), "INSERT INTO sip (time, own_call_id, correlation_id, method, cseq, cseq_method, from_tag, from_user, to_user) VALUES (now64(6) - 90, $1, $1, 'INVITE', 1, 'INVITE', 'tag', 'ann', 'ben')", id); err != nil {
			t.Fatal(err)
		}
	}
	day := hour.AddDate(0, 0, 1).Format(time.DateOnly)
	for _, undone := range []bool{false, true} {
		if undone {
			if err := l.DB.Exec(t.Context(), "INSERT INTO backfill (source, day, time, done) VALUES ('sip', $1, now64(6), 0)", day); err != nil {
				t.Fatal(err)
			}
			if err := l.DB.Exec(t.Context(), "ALTER TABLE users DELETE WHERE toDate(hour) <= toDate($1) SETTINGS mutations_sync = 2", day); err != nil {
				t.Fatal(err)
			}
		}
		s, err := Open(t.Context(), Options{URL: l.URL})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		for _, oldest := range []bool{false, true} {
			for _, limit := range []int{100, 3} {
				r := CallsRequest{Filter: "from_user = ann", From: hour.AddDate(0, 0, -30), Limit: limit, Oldest: oldest}
				var ids, plain []string
				for _, list := range []*[]string{&ids, &plain} {
					s.noUsers = list == &plain
					for r.Cursor = "first"; r.Cursor != ""; {
						if r.Cursor == "first" {
							r.Cursor = ""
						}
						answer, err := s.Calls(t.Context(), r)
						if err != nil {
							t.Fatal(err)
						}
						for _, c := range answer.Calls {
							*list = append(*list, c.CorrelationID+c.Start.Format(" 02 15:04:05"))
						}
						r.Cursor = answer.Next
					}
				}
				s.noUsers = false
				if undone {
					// Its id has calls on several days, of which users tells the last alone:
					// where its start was looked for says where it is in the list.
					for _, list := range []*[]string{&ids, &plain} {
						had := len(*list)
						*list = slices.DeleteFunc(*list, func(id string) bool { return strings.HasPrefix(id, "again ") })
						if had-len(*list) != 1 {
							t.Errorf("days undone, oldest first %t, %d at a time: the id that comes again is listed %d times", oldest, limit, had-len(*list))
						}
					}
				}
				if len(ids) < 9 || !slices.Equal(ids, plain) || !slices.ContainsFunc(ids, func(id string) bool { return strings.HasPrefix(id, "newest ") }) {
					t.Errorf("days undone %t, oldest first %t, %d at a time: %q, by messages %q", undone, oldest, limit, ids, plain)
				}
			}
		}
	}
}

// wantUsers wants table users to say of the messages that meet the condition what they
// say themselves, and nothing else.
func wantUsers(t *testing.T, l *laketest.Lake, when, condition string) {
	t.Helper()
	const calls = "('INVITE', 'ACK', 'BYE', 'CANCEL', 'PRACK', 'UPDATE', 'REFER', 'INFO')"
	var rows, wrong uint64
	err := l.DB.QueryRow(t.Context(), `SELECT count(), countIf(told != meant) FROM
	(
		SELECT sumIf(fields, of = 1) AS told, sumIf(fields, of = 2) AS meant FROM
		(
			SELECT 1 AS of, user, tenant, hour, correlation_id, toUInt64(groupBitOr(toUInt8(fields))) AS fields FROM users GROUP BY user, tenant, hour, correlation_id
			UNION ALL
			SELECT 2 AS of, cityHash64(named.1) AS user, tenant, toStartOfHour(time) AS hour, correlation_id,
				toUInt64(groupBitOr(toUInt8(named.2 * if(cseq_method IN `+calls+` AND (method = '' OR method IN `+calls+`), 1, 16)))) AS fields
			FROM sip ARRAY JOIN [(from_user, 1), (to_user, 2), (ruri_user, 4)] AS named
			WHERE named.1 != '' AND correlation_id != '' AND `+condition+`
			GROUP BY user, tenant, hour, correlation_id
		) GROUP BY user, tenant, hour, correlation_id
	)`).Scan(&rows, &wrong)
	if err != nil {
		t.Fatal(err)
	}
	if rows < 100 || wrong > 0 {
		t.Errorf("%s: of %d users in an hour and a call, %d are told of otherwise than the messages have it", when, rows, wrong)
	}
}
