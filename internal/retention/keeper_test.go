package retention

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/heplake/heplake/schema"
)

// days is how many days back kept has rows of: yesterday is 1.
const days = 8

// kept makes a database with rows of every kind on each of the last eight days but
// today. On each day are, for the tenants a and b: twenty OPTIONS, a REGISTER, and
// three calls of two messages, a report and a log line each: one answered, one
// failed, one answered that sounded bad. The failed one begins before midnight of
// the day before.
func kept(t *testing.T, at place, o schema.Options) *lakeAt {
	t.Helper()
	b := at(t, o)
	db := b.db
	const day = "toStartOfDay(now64(6, 'UTC')) - INTERVAL 1 + n % 8 DAY"
	const who = "['a', 'b'][1 + intDiv(n, 8) % 2] AS tenant"
	for _, sql := range []string{
		"INSERT INTO sip (time, tenant, own_call_id, correlation_id, method, cseq_method, packed) SELECT " + day + " + INTERVAL number % 20 HOUR, " + who + ", 'o' || toString(number) AS c, c, 'OPTIONS', 'OPTIONS', repeat('o', 500) FROM (SELECT number, intDiv(number, 20) AS n FROM numbers(320))",
		"INSERT INTO sip (time, tenant, own_call_id, correlation_id, method, cseq_method) SELECT " + day + " + INTERVAL 3 HOUR, " + who + ", 'r' || toString(n) AS c, c, 'REGISTER', 'REGISTER' FROM (SELECT number AS n FROM numbers(16))",
		"INSERT INTO registration_rows (start, last_seen, tenant, call_id, outcome, version) SELECT " + day + " + INTERVAL 3 HOUR AS s, s, " + who + ", 'r' || toString(n), 'registered', 1 FROM (SELECT number AS n FROM numbers(16))",
	} {
		exec(t, db, sql)
	}
	for i, call := range []struct {
		outcome, mos string
		from, to     string // time of the call's first and last message
	}{
		{"answered", "4.2", "12 HOUR", "13 HOUR"},
		{"failed", "NULL", "-1 MINUTE", "1 MINUTE"},
		{"answered", "1.9", "15 HOUR", "16 HOUR"},
	} {
		// The call's leg b has a Call-ID of its own.
		id := fmt.Sprintf("'%d-' || toString(n)", i)
		from := "SELECT number AS n FROM numbers(16)"
		exec(t, db, "INSERT INTO call_rows (start, last_seen, tenant, correlation_id, call_ids, method, outcome, mos_min, version) SELECT "+
			day+" + INTERVAL "+call.from+", "+day+" + INTERVAL "+call.to+", "+who+", "+id+" AS c, [c, c || 'b'], 'INVITE', '"+call.outcome+"', "+call.mos+", 1 FROM ("+from+")")
		exec(t, db, "INSERT INTO sip (time, tenant, own_call_id, correlation_id, method, cseq_method) SELECT "+
			"if(number % 2 = 0, "+day+" + INTERVAL "+call.from+", "+day+" + INTERVAL "+call.to+"), "+who+", "+id+" || if(number % 2 = 0, '', 'b') AS c, c, if(number % 2 = 0, 'INVITE', 'BYE') AS m, m FROM (SELECT number, intDiv(number, 2) AS n FROM numbers(32))")
		exec(t, db, "INSERT INTO media (time, tenant, call_id, correlation_id) SELECT "+day+" + INTERVAL "+call.to+", "+who+", "+id+" || 'b', '' FROM ("+from+")")
		exec(t, db, "INSERT INTO events (time, tenant, correlation_id) SELECT "+day+" + INTERVAL "+call.to+", "+who+", "+id+" FROM ("+from+")")
	}
	return b
}

func exec(t *testing.T, db driver.Conn, sql string) {
	t.Helper()
	// On a cluster rows are to be there, on their shards, when the statement ends.
	if err := db.Exec(clickhouse.Context(t.Context(), clickhouse.WithSettings(clusterSettings)), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func keeper(db driver.Conn, o schema.Options, p Policy) *Keeper {
	return &Keeper{DB: db, Schema: o, Policy: p, Log: slog.New(slog.DiscardHandler)}
}

func (b *lakeAt) keeper(p Policy) *Keeper {
	k := keeper(b.db, b.o, p)
	k.Nodes = b.nodes
	return k
}

func sweep(t *testing.T, k *Keeper) {
	t.Helper()
	if err := k.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func planned(t *testing.T, db driver.Conn, o schema.Options, p Policy) []Action {
	t.Helper()
	h, err := Read(t.Context(), db, o, p)
	if err != nil {
		t.Fatal(err)
	}
	actions, err := Plan(t.Context(), db, o, h)
	if err != nil {
		t.Fatal(err)
	}
	return actions
}

// oldest is how many days ago the oldest row was that meets a condition; 0: there
// is none.
func oldest(t *testing.T, db driver.Conn, table, where string) (n int64) {
	t.Helper()
	column := timeColumn(tableNamed(table))
	if err := db.QueryRow(t.Context(), "SELECT if(count() = 0, 0, dateDiff('day', min("+column+"), now64(6, 'UTC'))) FROM "+table+" WHERE "+where).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// policy is what the tests below keep: some longer, some shorter than the rest.
func policy() Policy {
	return Policy{
		Days: map[string]int{"sip": 4, "media": 4, "events": 1},
		Rules: []Rule{
			{Name: "b for ever", Tenants: []string{"b"}, Outcomes: []string{"failed"}},
			{Name: "pings", Methods: []string{"OPTIONS"}, Days: 1},
			{Name: "bad calls", Outcomes: []string{"failed"}, Days: 6},
			{Name: "bad sound", MOSBelow: 3, Days: 6},
			{Name: "registrations", Methods: []string{"REGISTER"}, Days: 2},
			{Name: "b's reports", Tables: []string{"media"}, Tenants: []string{"b"}, Days: 2},
		},
	}
}

func TestRulesKeepWhatTheySay(t *testing.T) { rulesKeepWhatTheySay(t, oneNode) }

func rulesKeepWhatTheySay(t *testing.T, at place) {
	p := policy()
	b := kept(t, at, schema.Options{TTLDays: p.Days, KeeperDeletes: true})
	db, o := b.db, b.o
	registry := prometheus.NewRegistry()
	k := b.keeper(p)
	k.Register(registry)
	plan := planned(t, db, o, p)
	before := map[string]uint64{}
	for _, table := range schema.Kept() {
		before[table.Name] = count(t, db, table.Name)
	}
	cases := []struct {
		table, where string
		days         int
	}{
		{"sip", "tenant = 'b' AND call_id LIKE '1-%'", days + 1},
		{"sip", "cseq_method = 'OPTIONS'", 1},
		{"sip", "tenant = 'a' AND call_id LIKE '1-%'", 6},
		{"sip", "call_id LIKE '2-%'", 6},
		{"sip", "call_id LIKE '0-%'", 4},
		{"sip", "cseq_method = 'REGISTER'", 2},
		{"media", "tenant = 'a' AND call_id LIKE '0-%'", 4},
		{"media", "tenant = 'b' AND call_id LIKE '0-%'", 2},
		{"media", "tenant = 'b' AND call_id LIKE '2-%'", 6},
		{"media", "tenant = 'b' AND call_id LIKE '1-%'", days},
		{"events", "correlation_id LIKE '0-%'", 1},
		{"events", "correlation_id LIKE '2-%'", 6},
		{"call_rows", "tenant = 'a' AND correlation_id LIKE '1-%'", 6},
		{"call_rows", "tenant = 'b' AND correlation_id LIKE '1-%'", days + 1},
		{"call_rows", "correlation_id LIKE '0-%'", 4},
		{"registration_rows", "1", 2},
	}
	// What is younger than its days, by the rows' own times.
	young := func() (n []uint64) {
		for _, c := range cases {
			var rows uint64
			sql := fmt.Sprintf("SELECT count() FROM %s WHERE %s AND %s > now64(6) - INTERVAL %d DAY", c.table, c.where, timeColumn(tableNamed(c.table)), c.days)
			if err := db.QueryRow(t.Context(), sql).Scan(&rows); err != nil {
				t.Fatal(err)
			}
			n = append(n, rows)
		}
		return n
	}
	youngBefore := young()
	sweep(t, k)
	for i, n := range young() {
		// By the time of day yesterday's rows may all be older than a day.
		if n != youngBefore[i] || n == 0 && cases[i].days > 1 {
			t.Errorf("%s where %s: %d of %d rows younger than %d days are left", cases[i].table, cases[i].where, n, youngBefore[i], cases[i].days)
		}
	}
	// And what is older goes, with its day.
	for _, c := range cases {
		// A call's row waits for the day of its last message.
		late := int64(1)
		if c.table == "call_rows" {
			late = 3
		}
		if got := oldest(t, db, c.table, c.where); got > int64(c.days)+late {
			t.Errorf("%s where %s: the oldest row is %d days old, kept are %d", c.table, c.where, got, c.days)
		}
	}

	// The dry run said so, row by row.
	goes := map[string]uint64{}
	byRule := map[string]uint64{}
	for _, a := range plan {
		goes[a.Table] += a.Rows
		for _, r := range a.ByRule {
			byRule[a.Table+" "+r.Rule] += r.Rows
		}
	}
	for name, n := range before {
		if now := count(t, db, name); n-now != goes[name] || goes[name] == 0 {
			t.Errorf("%s: %d of %d rows are left, the dry run said %d go", name, now, n, goes[name])
		}
	}
	if byRule["sip pings"] == 0 || byRule["sip "] == 0 || byRule["sip b for ever"] != 0 || byRule["media b's reports"] == 0 {
		t.Errorf("rows by rule: %v", byRule)
	}

	// So did the log and the metrics, by rule.
	var logged, counted uint64
	if err := db.QueryRow(t.Context(), "SELECT sum(rows) FROM retention_log WHERE of_table = 'sip' AND rule = 'pings' AND cause = 'retention'").Scan(&logged); err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.Metric {
			if f.GetName() == "heplake_retention_deleted_rows_total" && m.Label[0].GetValue() == "pings" && m.Label[1].GetValue() == "sip" {
				counted = uint64(m.GetCounter().GetValue())
			}
		}
	}
	if logged != byRule["sip pings"] || counted != logged {
		t.Errorf("%d pings went by the log, %d by the metric, %d by the dry run", logged, counted, byRule["sip pings"])
	}

	// Nothing is left to do, and it is known without counting.
	if again := planned(t, db, o, p); len(again) > 0 {
		t.Errorf("afterwards the dry run says %+v", again)
	}
	var entries, entriesAfter uint64
	if err := db.QueryRow(t.Context(), "SELECT count() FROM retention_log").Scan(&entries); err != nil {
		t.Fatal(err)
	}
	sweep(t, k)
	if err := db.QueryRow(t.Context(), "SELECT count() FROM retention_log").Scan(&entriesAfter); err != nil || entriesAfter != entries {
		t.Errorf("a second sweep judged again: %d entries, then %d (%v)", entries, entriesAfter, err)
	}
	// A late row is judged.
	exec(t, db, "INSERT INTO sip (time, cseq_method) SELECT now64(6) - INTERVAL 5 DAY, 'OPTIONS'")
	sweep(t, k)
	if n := oldest(t, db, "sip", "cseq_method = 'OPTIONS'"); n > 3 {
		t.Errorf("a late OPTIONS of %d days ago stayed", n)
	}
}

// TestWholeDaysAreDropped has no row stay of the old days: nothing is rewritten.
func TestWholeDaysAreDropped(t *testing.T) {
	p := Policy{Days: map[string]int{"sip": 5, "media": 5, "events": 5}, Rules: []Rule{{Name: "pings", Methods: []string{"OPTIONS"}, Days: 5}}}
	b := kept(t, oneNode, schema.Options{TTLDays: p.Days, KeeperDeletes: true})
	db, o := b.db, b.o
	for _, a := range planned(t, db, o, p) {
		if a.Kind != Drop {
			t.Errorf("%+v", a)
		}
	}
	sweep(t, b.keeper(p))
	var mutations uint64
	if err := db.QueryRow(t.Context(), "SELECT count() FROM "+system(o, "mutations")+" WHERE database = '"+o.Database+"'").Scan(&mutations); err != nil || mutations > 0 {
		t.Errorf("%d mutations, %v", mutations, err)
	}
	if n := oldest(t, db, "sip", "1"); n > 6 || n < 5 {
		t.Errorf("the oldest message is %d days old", n)
	}
}

// TestOlderVersionsStayHidden lets the newest version of a call's row go, of which
// an older one says something else.
func TestOlderVersionsStayHidden(t *testing.T) { olderVersionsStayHidden(t, oneNode) }

func olderVersionsStayHidden(t *testing.T, at place) {
	p := Policy{Rules: []Rule{{Name: "answered", Outcomes: []string{"answered"}, Days: 3}}}
	b := at(t, schema.Options{KeeperDeletes: true})
	db := b.db
	const day = "toStartOfDay(now64(6, 'UTC')) - INTERVAL 8 DAY"
	for version, outcome := range []string{"failed", "answered"} {
		exec(t, db, fmt.Sprintf("INSERT INTO call_rows (start, last_seen, correlation_id, call_ids, method, outcome, version) SELECT %s, %s, 'x', ['x'], 'INVITE', '%s', %d", day, day, outcome, version+1))
	}
	exec(t, db, "INSERT INTO call_rows (start, last_seen, correlation_id, call_ids, method, outcome, version) SELECT "+day+", "+day+", 'y', ['y'], 'INVITE', 'failed', 1")
	sweep(t, b.keeper(p))
	var left []string
	if err := db.QueryRow(t.Context(), "SELECT groupArray(correlation_id) FROM calls").Scan(&left); err != nil || !slices.Equal(left, []string{"y"}) {
		t.Errorf("left is %v, %v", left, err)
	}
}

// TestHoldsKeep holds a call by the Call-ID of one leg, and a tenant.
func TestHoldsKeep(t *testing.T) { holdsKeep(t, oneNode) }

func holdsKeep(t *testing.T, at place) {
	p := Policy{Days: map[string]int{"sip": 3, "media": 3, "events": 3}}
	// The tables begin with a TTL: the first hold takes the deletion out of it.
	b := kept(t, at, schema.Options{TTLDays: map[string]int{"sip": 60, "media": 60, "events": 60}})
	db, o := b.db, b.o
	ctx := t.Context()
	if _, err := AddHold(ctx, db, o, Hold{CallID: "0-6b"}); err == nil {
		t.Error("a hold without a reason was taken")
	}
	call, err := AddHold(ctx, db, o, Hold{CallID: "0-6b", Reason: "case 7", Who: "legal"}, b.nodes...)
	if err != nil {
		t.Fatal(err)
	}
	tenant, err := AddHold(ctx, db, o, Hold{Tenant: "b", Reason: "audit", Who: "legal", Until: time.Now().Add(time.Hour)}, b.nodes...)
	if err != nil {
		t.Fatal(err)
	}
	if any, err := AnyHold(ctx, db, o); err != nil || !any {
		t.Errorf("any hold: %v, %v", any, err)
	}
	var ttls uint64
	if err := db.QueryRow(ctx, "SELECT countIf(position(engine_full, 'toIntervalDay') > 0) FROM "+system(o, "tables")+" WHERE database = '"+o.Database+"' AND replaceOne(name, '_local', '') IN ('sip', 'media', 'events', 'call_rows', 'registration_rows')").Scan(&ttls); err != nil || ttls != 0 {
		t.Errorf("%d tables have a TTL that knows of no holds, %v", ttls, err)
	}
	// Migrate agrees.
	if deletes, err := KeeperDeletes(ctx, db, o); err != nil || !deletes {
		t.Errorf("the keeper deletes: %v, %v", deletes, err)
	}
	o.KeeperDeletes = true
	b.o = o
	if n := b.apply(t); n > 0 {
		t.Errorf("migrate has %d statements to run after the hold", n)
	}

	const held = "(call_id IN ('0-6', '0-6b') OR correlation_id IN ('0-6', '0-6b'))"
	counts := func() (n [4]uint64) {
		for i, table := range []string{"sip", "media", "events"} {
			if err := db.QueryRow(ctx, "SELECT count() FROM "+table+" WHERE "+held).Scan(&n[i]); err != nil {
				t.Fatal(err)
			}
		}
		if err := db.QueryRow(ctx, "SELECT count() FROM calls WHERE correlation_id = '0-6'").Scan(&n[3]); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := counts(); n != [4]uint64{2, 1, 1, 1} {
		t.Fatalf("the call has %v rows to begin with", n)
	}
	var total uint64
	rows, err := HeldRows(ctx, db, o, call)
	for _, r := range rows {
		total += r.Rows
	}
	if err != nil || total != 5 {
		t.Errorf("the hold is on %v, %v", rows, err)
	}
	if n := oldest(t, db, "sip", held); n < 7 {
		t.Fatalf("the call is %d days old", n)
	}
	plan := planned(t, db, o, p)
	k := b.keeper(p)
	sweep(t, k)
	if n := counts(); n != [4]uint64{2, 1, 1, 1} {
		t.Errorf("of the held call are left %v rows", n)
	}
	if n := oldest(t, db, "sip", "tenant = 'b'"); n < days {
		t.Errorf("of the held tenant the oldest row is %d days old", n)
	}
	if n := oldest(t, db, "sip", "tenant = 'a' AND NOT "+held); n > 4 {
		t.Errorf("what is not held is up to %d days old", n)
	}
	var heldRows uint64
	for _, a := range plan {
		heldRows += a.Held
		if a.Kind == Drop {
			t.Errorf("the dry run drops a day with held rows: %+v", a)
		}
	}
	if heldRows == 0 {
		t.Error("the dry run says nothing of held rows")
	}

	// Without the hold of the tenant its rows go. The disk guard drops everything but
	// the call.
	if _, err := RemoveHold(ctx, db, o, "nosuch", "legal"); !errors.Is(err, ErrNoHold) {
		t.Errorf("no such hold: %v", err)
	}
	if _, err := RemoveHold(ctx, db, o, tenant.ID, "legal"); err != nil {
		t.Fatal(err)
	}
	sweep(t, k)
	if n := oldest(t, db, "sip", "NOT "+held); n > 4 {
		t.Errorf("after the tenant's hold the oldest row is %d days old", n)
	}
	if !o.Clustered() {
		g := &Guard{DB: db, Schema: o, MinFree: 1 << 62, Log: slog.New(slog.DiscardHandler)}
		g.Register(prometheus.NewRegistry())
		for range 2 {
			if err := g.look(ctx); err != nil {
				t.Fatal(err)
			}
		}
		if n := counts(); n != [4]uint64{2, 1, 1, 1} {
			t.Errorf("of the held call the guard left %v rows", n)
		}
		if n := oldest(t, db, "sip", "NOT "+held); n > 0 {
			t.Errorf("the guard left a row of %d days", n)
		}
	}

	// Without the hold it goes.
	if _, err := RemoveHold(ctx, db, o, call.ID, "legal"); err != nil {
		t.Fatal(err)
	}
	sweep(t, k)
	if n := counts(); n != [4]uint64{} {
		t.Errorf("after the hold are left %v rows", n)
	}
	holds, err := ReadHolds(ctx, db, o)
	if err != nil || len(holds) != 2 || holds[0].RemovedBy != "legal" || holds[0].Active(time.Now()) || holds[1].Reason != "case 7" {
		t.Errorf("the holds on record: %+v, %v", holds, err)
	}
	if any, err := AnyHold(ctx, db, o); err != nil || any {
		t.Errorf("any hold: %v, %v", any, err)
	}
}

// archive refuses a table and notes what else it was asked.
type archive struct {
	refuse string
	asked  []string
	rows   map[string]uint64
	db     driver.Conn
}

func (a *archive) Archive(ctx context.Context, table, partition string) error {
	if table == a.refuse {
		return errors.New("no space in the archive")
	}
	a.asked = append(a.asked, table+" "+partition)
	var n uint64
	err := a.db.QueryRow(ctx, "SELECT count() FROM "+table+" WHERE "+tableNamed(table).PartitionBy+" = '"+partition+"'").Scan(&n)
	a.rows[table] += n
	return err
}

func TestNothingGoesUnarchived(t *testing.T) {
	p := policy()
	b := kept(t, oneNode, schema.Options{TTLDays: p.Days, KeeperDeletes: true})
	db, o := b.db, b.o
	a := &archive{refuse: "media", rows: map[string]uint64{}, db: db}
	k := keeper(db, o, p)
	k.Archiver = a
	media, sip, calls := count(t, db, "media"), count(t, db, "sip"), count(t, db, "call_rows")
	err := k.Sweep(t.Context())
	if err == nil || !strings.Contains(err.Error(), "no space in the archive") {
		t.Fatalf("the refusal is not told: %v", err)
	}
	if n := count(t, db, "media"); n != media {
		t.Errorf("%d of %d reports are left, though the archive would not have them", n, media)
	}
	gone := sip - count(t, db, "sip")
	if gone == 0 || a.rows["sip"] < gone {
		t.Errorf("%d messages went, %d were archived", gone, a.rows["sip"])
	}
	// By the calls' rows it is known which reports go later.
	if n := count(t, db, "call_rows"); n != calls {
		t.Errorf("%d of %d calls are left", n, calls)
	}
	a.refuse = ""
	sweep(t, k)
	if count(t, db, "media") == media || count(t, db, "call_rows") == calls || !slices.ContainsFunc(a.asked, func(s string) bool { return strings.HasPrefix(s, "media ") }) {
		t.Errorf("later: %d reports, asked %v", count(t, db, "media"), a.asked)
	}
	// The guard asks, too.
	a.refuse = "sip"
	sip = count(t, db, "sip")
	g := &Guard{DB: db, Schema: o, Archiver: a, MinFree: 1 << 62, Log: slog.New(slog.DiscardHandler)}
	g.Register(prometheus.NewRegistry())
	if err := g.look(t.Context()); err == nil || count(t, db, "sip") != sip || count(t, db, "media") > 0 {
		t.Errorf("the guard: %v, %d of %d messages, %d reports", err, count(t, db, "sip"), sip, count(t, db, "media"))
	}
}

// TestIDsStayWithTheirMessages keeps a message far longer than its table's days: it
// is found by its Call-ID.
func TestIDsStayWithTheirMessages(t *testing.T) { idsStayWithTheirMessages(t, oneNode) }

func idsStayWithTheirMessages(t *testing.T, at place) {
	b := at(t, schema.Options{KeeperDeletes: true, TTLDays: map[string]int{"sip": 10}})
	db, o := b.db, b.o
	for _, ago := range []int{2, 30, 60} {
		exec(t, db, fmt.Sprintf("INSERT INTO sip (time, tenant, own_call_id, correlation_id, cseq_method) SELECT now64(6) - INTERVAL %d DAY, ['a', 'b'][number + 1], '%d-' || toString(number) AS c, c, 'INVITE' FROM numbers(2)", ago, ago))
	}
	exec(t, db, "INSERT INTO ids (id, tenant, hour) SELECT DISTINCT cityHash64(call_id), tenant, toStartOfHour(time, 'UTC') FROM sip") // as ingest does
	exec(t, db, "INSERT INTO users (user, tenant, hour, correlation_id) SELECT DISTINCT cityHash64(call_id), tenant, toStartOfHour(time, 'UTC'), call_id FROM sip")
	sweep(t, b.keeper(Policy{Days: o.TTLDays, Rules: []Rule{{Name: "b", Tenants: []string{"b"}, Days: 40}}}))
	for _, node := range nodesOf(db, b.nodes) {
		for _, table := range []string{"ids", "users"} { // a TTL would delete now
			exec(t, node, "OPTIMIZE TABLE "+qualified(o, o.LocalName(table))+" FINAL")
		}
	}
	for _, of := range []string{"id FROM ids", "user FROM users"} {
		var ids []string
		if err := db.QueryRow(t.Context(), "SELECT arraySort(groupUniqArray(c)) FROM (SELECT arrayJoin(['2-0', '2-1', '30-1', '60-0', '60-1']) AS c) WHERE cityHash64(c) IN (SELECT "+of+")").Scan(&ids); err != nil {
			t.Fatal(err)
		}
		if want := []string{"2-0", "2-1", "30-1"}; !slices.Equal(ids, want) {
			t.Errorf("%s: %v, want %v", of, ids, want)
		}
	}
}

// TestOneKeeperWorks has two agree who does.
func TestOneKeeperWorks(t *testing.T) {
	db, o := lake(t)
	a, b := keeper(db, o, Policy{}), keeper(db, o, Policy{})
	for i, c := range []struct {
		k    *Keeper
		want bool
	}{{a, true}, {b, false}, {a, true}} {
		if got, err := c.k.lease(t.Context()); err != nil || got != c.want {
			t.Errorf("%d: the lease is ours: %v, %v", i, got, err)
		}
	}
	exec(t, db, "INSERT INTO keeper (time, holder) SELECT now64(6) - 100, 'gone'")
	exec(t, db, "ALTER TABLE keeper DELETE WHERE holder != 'gone' SETTINGS mutations_sync = 1")
	if got, err := b.lease(t.Context()); err != nil || !got {
		t.Errorf("a lease that has run out was not taken over: %v", err)
	}
}
