package migrate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/heplake/heplake/internal/chtest"
	"github.com/heplake/heplake/internal/embedded"
	"github.com/heplake/heplake/schema"
)

func TestMain(m *testing.M) { chtest.Main(m) }

// fresh returns a connection and the options for a database that is not there yet.
func fresh(t *testing.T) (driver.Conn, schema.Options) {
	t.Helper()
	name := chtest.Name(t, chtest.Database(t))
	conn := chtest.Dial(t, chtest.URL(t))
	exec(t, conn, "DROP DATABASE "+name+" SYNC")
	return conn, schema.Options{Database: name}
}

// early returns a connection to a database in the state of an early build, with
// rows in it.
func early(t *testing.T) (driver.Conn, schema.Options) {
	t.Helper()
	conn, o := fresh(t)
	exec(t, conn, "CREATE DATABASE "+o.Database+" ENGINE = Atomic")
	load(t, conn, o.Database, filepath.Join("testdata", "states", "0-early.sql"))
	exec(t, conn, `INSERT INTO `+o.Database+`.sip SELECT now64(6) - INTERVAL number MINUTE, 'acme', 'edge1', 2001, toString(intDiv(number, 10)),
		concat('call-', toString(number), '@example.com'), toIPv6('10.0.0.1'), 5060, toIPv6('2001:db8::1'), 5061, 'INVITE', number % 700, number,
		concat('+49', toString(number)), toString(number % 7), map('X-CID', toString(number)), concat('INVITE ', toString(number)) FROM numbers(3000)`)
	exec(t, conn, `INSERT INTO `+o.Database+`.media SELECT now64(6) - INTERVAL number MINUTE, toString(number), toString(number), number, number, -number, 4.1, '{}' FROM numbers(500)`)
	return conn, o
}

func load(t *testing.T, conn driver.Conn, database, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range strings.Split(strings.ReplaceAll(string(text), "{db}", database), ";\n") {
		if strings.TrimSpace(s) != "" {
			exec(t, conn, s)
		}
	}
}

func exec(t *testing.T, conn driver.Conn, query string) {
	t.Helper()
	if err := conn.Exec(t.Context(), query); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// value returns the query's only value as text.
func value(t *testing.T, conn driver.Conn, query string) string {
	t.Helper()
	var v string
	if err := conn.QueryRow(t.Context(), "SELECT toString(("+query+"))").Scan(&v); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return v
}

func plan(t *testing.T, db DB, o schema.Options) Steps {
	t.Helper()
	s, err := Plan(t.Context(), db, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func apply(t *testing.T, db DB, s Steps) {
	t.Helper()
	if err := Apply(t.Context(), db, s); err != nil {
		t.Fatal(err)
	}
}

func wantEmpty(t *testing.T, db DB, o schema.Options) {
	t.Helper()
	if s := plan(t, db, o); !s.Empty() {
		t.Errorf("a migrated database needs more:\n%s", s)
	}
}

func TestEmptyServer(t *testing.T) {
	conn, o := fresh(t)
	s := plan(t, conn, o)
	if !strings.HasPrefix(s.Statements[0].SQL, "CREATE DATABASE") {
		t.Errorf("first statement is %q", s.Statements[0].SQL)
	}
	if got := value(t, conn, "SELECT count() FROM system.databases WHERE name = '"+o.Database+"'"); got != "0" {
		t.Fatal("planning created the database")
	}
	apply(t, conn, s)
	wantEmpty(t, conn, o)
	for _, table := range schema.Tables() {
		if got := value(t, conn, fmt.Sprintf("SELECT count() FROM system.columns WHERE database = '%s' AND table = '%s'", o.Database, table.Name)); got != fmt.Sprint(len(table.Columns)) {
			t.Errorf("table %s has %s columns, want %d", table.Name, got, len(table.Columns))
		}
	}
	if got := value(t, conn, "SELECT max(schema_version) FROM "+o.Database+".meta WHERE done"); got != fmt.Sprint(schema.Version) {
		t.Errorf("recorded version is %s, want %d", got, schema.Version)
	}
}

func TestNativeProtocol(t *testing.T) {
	_, o := fresh(t)
	conn := chtest.Dial(t, strings.TrimSuffix(chtest.Server(t).NativeURL(embedded.Owner), "/"+embedded.Database))
	apply(t, conn, plan(t, conn, o))
	wantEmpty(t, conn, o)
}

func TestUpgradeKeepsEveryRow(t *testing.T) {
	conn, o := early(t)
	const fingerprint = `SELECT (count(), sum(cityHash64(time, toString(tenant), node, toUInt64(capture_id), correlation_id, call_id, toString(src_ip), toString(dst_ip),
		method, status, toUInt64(cseq), from_user, toString(to_user), headers['X-CID'], raw))) FROM `
	const media = "SELECT (count(), sum(cityHash64(time, call_id, toUInt64(packets), toInt64(lost), mos, raw))) FROM "
	sipBefore := value(t, conn, fingerprint+o.Database+".sip")
	mediaBefore := value(t, conn, media+o.Database+".media")

	s := plan(t, conn, o)
	for _, want := range []string{
		"ADD COLUMN `transport`", "AFTER `dst_port`", "MODIFY COLUMN `capture_id` UInt32",
		"MODIFY COLUMN `src_ip` LowCardinality(IPv6)", "RENAME COLUMN `raw` TO `packed`", "ADD COLUMN `raw` String ALIAS", "MODIFY COLUMN `packed` CODEC(Default)", "MODIFY TTL",
		"MODIFY SETTING non_replicated_deduplication_window", "DROP INDEX idx_raw", "DROP INDEX idx_call_id", "ADD INDEX idx_call_id",
		"ADD INDEX idx_correlation_id", "COMMENT COLUMN `own_call_id`", "MODIFY COMMENT", "CREATE TABLE IF NOT EXISTS `" + o.Database + "`.`events`",
	} {
		if !strings.Contains(s.String(), want) {
			t.Errorf("plan lacks %q", want)
		}
	}
	if strings.Contains(s.String(), "own_index") {
		t.Errorf("plan touches the user's index")
	}
	if len(s.Notes) == 0 || !strings.Contains(s.Notes[0], "index_granularity = 8192") {
		t.Errorf("notes = %q, want the granularity that stays", s.Notes)
	}
	apply(t, conn, s)
	wantEmpty(t, conn, o)

	if got := value(t, conn, fingerprint+o.Database+".sip"); got != sipBefore {
		t.Errorf("sip: count and hash are %s, were %s", got, sipBefore)
	}
	if got := value(t, conn, media+o.Database+".media"); got != mediaBefore {
		t.Errorf("media: count and hash are %s, were %s", got, mediaBefore)
	}
	// The columns stand in the declared order, so that what is written by hand
	// reads the same on an old database and on a new one.
	var names []string
	for _, c := range schema.SIP.Columns {
		names = append(names, c.Name)
	}
	if got := value(t, conn, "SELECT arrayStringConcat(groupArray(name), ' ') FROM (SELECT name FROM system.columns WHERE database = '"+o.Database+"' AND table = 'sip' ORDER BY position)"); got != strings.Join(names, " ") {
		t.Errorf("columns are %s", got)
	}
}

func TestDroppedColumnComesBack(t *testing.T) {
	conn, o := fresh(t)
	apply(t, conn, plan(t, conn, o))
	exec(t, conn, "INSERT INTO "+o.Database+".sip (time, own_call_id, content_type, packed) SELECT now64(6), toString(number), 'd', 'raw' FROM numbers(100)")
	exec(t, conn, "ALTER TABLE "+o.Database+".sip DROP COLUMN content_type")
	s := plan(t, conn, o)
	// Around it are two records, and the views anew: they keep the types that
	// they began with.
	if len(s.Statements) != 3+len(schema.Views()) || !strings.Contains(s.Statements[1].SQL, "ADD COLUMN IF NOT EXISTS `content_type`") || !strings.Contains(s.Statements[1].SQL, "AFTER `via_port`") {
		t.Fatalf("plan is\n%s", s)
	}
	apply(t, conn, s)
	wantEmpty(t, conn, o)
	if got := value(t, conn, "SELECT count() FROM "+o.Database+".sip WHERE raw = 'raw' AND content_type = ''"); got != "100" {
		t.Errorf("%s rows are whole, want 100", got)
	}
}

func TestUserAdditionsStay(t *testing.T) {
	conn, o := fresh(t)
	apply(t, conn, plan(t, conn, o))
	exec(t, conn, "CREATE TABLE "+o.Database+".mine (a UInt8) ENGINE = MergeTree ORDER BY a")
	exec(t, conn, "ALTER TABLE "+o.Database+".sip ADD COLUMN mine String FIRST, ADD INDEX mine mine TYPE minmax")
	exec(t, conn, "ALTER TABLE "+o.Database+".sip MODIFY SETTING merge_with_ttl_timeout = 60")
	wantEmpty(t, conn, o)
}

func TestRetention(t *testing.T) {
	conn, o := fresh(t)
	apply(t, conn, plan(t, conn, o))
	// A row every eighth day, 0 to 40 days old, none near a limit.
	exec(t, conn, "INSERT INTO "+o.Database+".sip (time, packed) SELECT now64(6) - INTERVAL number * 8 * 24 + 1 HOUR, 'raw' FROM numbers(6)")
	steps := []struct {
		days      int
		statement string
		rows      string
	}{
		{200, "MODIFY TTL toDateTime(time) + toIntervalDay(200)", "6"},
		{0, "MODIFY TTL toDateTime(time) + toIntervalSecond(20) RECOMPRESS", "6"}, // no more than that
		{20, "MODIFY TTL toDateTime(time) + toIntervalDay(20)", "3"},
	}
	for _, step := range steps {
		o.TTLDays = map[string]int{"sip": step.days}
		s := plan(t, conn, o)
		if len(s.Statements) != 5 || !strings.Contains(s.Statements[0].SQL, step.statement) || step.days == 0 && strings.Contains(s.Statements[0].SQL, "toIntervalDay") {
			t.Fatalf("%d days: plan is\n%s", step.days, s)
		}
		apply(t, conn, s)
		wantEmpty(t, conn, o)
		waitFor(t, conn, "SELECT count() FROM system.mutations WHERE NOT is_done AND database = '"+o.Database+"'", "0")
		exec(t, conn, "OPTIMIZE TABLE "+o.Database+".sip FINAL")
		waitFor(t, conn, "SELECT count() FROM "+o.Database+".sip WHERE raw = 'raw'", step.rows)
	}
}

// TestCallsAreCompressedWithAge: rows of calls are inserted and merged with a fast codec;
// once they are older, merges give them a better one.
func TestCallsAreCompressedWithAge(t *testing.T) {
	conn, o := fresh(t)
	apply(t, conn, plan(t, conn, o))
	tables := []string{schema.CallRows.Name, schema.RegistrationRows.Name}
	want := func(table, codecs string) {
		t.Helper()
		if got := value(t, conn, "SELECT arrayStringConcat(arraySort(groupUniqArray(default_compression_codec)), ' ') FROM system.parts WHERE active AND database = '"+o.Database+"' AND table = '"+table+"'"); got != codecs {
			t.Errorf("%s has %s, want %s", table, got, codecs)
		}
	}
	young := time.Now()
	for _, table := range tables {
		for range 2 {
			exec(t, conn, "INSERT INTO "+o.Database+"."+table+" (start, version) SELECT now64(6) - 5, 1")
			want(table, "LZ4")
		}
		exec(t, conn, "OPTIMIZE TABLE "+o.Database+"."+table+" FINAL")
		want(table, "LZ4")
	}
	time.Sleep(time.Until(young.Add(17 * time.Second)))
	for _, table := range tables {
		exec(t, conn, "INSERT INTO "+o.Database+"."+table+" (start, version) SELECT now64(6) - 60, 1")
		exec(t, conn, "OPTIMIZE TABLE "+o.Database+"."+table+" FINAL")
		want(table, "ZSTD(3)")
	}
}

func waitFor(t *testing.T, conn driver.Conn, query, want string) {
	t.Helper()
	var got string
	for range 100 {
		if got = value(t, conn, query); got == want {
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
	t.Fatalf("%s is %s, want %s", query, got, want)
}

func TestUnsafeChangesAreRefused(t *testing.T) {
	tests := []struct {
		name, spoil string
		want        []string
	}{
		{"type narrowed", "ALTER TABLE {db}.sip MODIFY COLUMN status UInt32", []string{"type of column status", ".sip", "UInt32", "UInt16"}},
		{"type of another kind", "ALTER TABLE {db}.media MODIFY COLUMN lost String", []string{"type of column lost", ".media", "String", "Int64"}},
		{"nullable", "ALTER TABLE {db}.sip MODIFY COLUMN packed Nullable(String)", []string{"type of column packed", "Nullable(String)"}},
		{"stored and not computed", "ALTER TABLE {db}.sip DROP COLUMN raw; ALTER TABLE {db}.sip ADD COLUMN raw String", []string{"column raw", "stored", "computed"}},
		{"sorting key", "ALTER TABLE {db}.sip ADD COLUMN extra UInt8, MODIFY ORDER BY (toStartOfHour(time), correlation_id, time, extra)",
			[]string{"sorting key", "extra", "(toStartOfHour(time), correlation_id, time)"}},
		{"engine", "DROP TABLE {db}.events; CREATE VIEW {db}.events AS SELECT 1", []string{"engine", ".events", "View", "MergeTree"}},
		{"partition key", "DROP TABLE {db}.events; CREATE TABLE {db}.events AS {db}.media ENGINE = MergeTree PARTITION BY toYYYYMM(time) ORDER BY (toStartOfHour(time), correlation_id, time) SETTINGS allow_suspicious_low_cardinality_types = 1",
			[]string{"partition key", "toYYYYMM(time)", "toDate(time)"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			conn, o := fresh(t)
			apply(t, conn, plan(t, conn, o))
			for _, s := range strings.Split(strings.ReplaceAll(tt.spoil, "{db}", o.Database), "; ") {
				exec(t, conn, s)
			}
			_, err := Plan(t.Context(), conn, o)
			var conflict *ConflictError
			if !errors.As(err, &conflict) {
				t.Fatalf("error is %v, want a conflict", err)
			}
			for _, w := range tt.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("error %q does not name %q", err, w)
				}
			}
		})
	}
}

// failing fails the nth statement that is executed.
type failing struct {
	driver.Conn
	n int
}

func (f *failing) Exec(ctx context.Context, query string, args ...any) error {
	if f.n--; f.n < 0 {
		return errors.New("connection lost")
	}
	return f.Conn.Exec(ctx, query, args...)
}

func TestResumesAfterFailure(t *testing.T) {
	conn, o := early(t)
	all := len(plan(t, conn, o).Statements)
	for n := 0; ; n += 7 {
		s := plan(t, conn, o)
		err := Apply(t.Context(), &failing{conn, n}, s)
		if err == nil {
			break
		}
		if !strings.Contains(err.Error(), fmt.Sprintf("step %d of %d", n+1, len(s.Statements))) {
			t.Fatalf("error %q does not name step %d", err, n+1)
		}
		// The views are made again until all is done, and what was stored is fed again.
		again := len(schema.Views())
		for _, st := range s.Statements {
			if strings.HasPrefix(st.SQL, "INSERT INTO") {
				again++
			}
		}
		if left, want := len(plan(t, conn, o).Statements), len(s.Statements)-n; left < want || left > want+again {
			t.Fatalf("%d of %d statements ran and %d are left", n, len(s.Statements), left)
		}
		if n > all {
			t.Fatal("no end")
		}
	}
	wantEmpty(t, conn, o)
	if got := value(t, conn, "SELECT arrayStringConcat(groupArray(toString(done)), ' ') FROM (SELECT done FROM "+o.Database+".meta ORDER BY time)"); got != "false true" {
		t.Errorf("records are %q, want one begun and one done", got)
	}
	if got := value(t, conn, "SELECT count() FROM "+o.Database+".sip"); got != "3000" {
		t.Errorf("%s rows, want 3000", got)
	}
}

func TestOlderBinaryIsRefused(t *testing.T) {
	conn, o := fresh(t)
	apply(t, conn, plan(t, conn, o))
	exec(t, conn, "INSERT INTO "+o.Database+".meta (schema_version, schema_hash, binary_version) VALUES (999, 'x', 'v9.9.9')")
	// A later record of a lower version does not hide the higher one.
	exec(t, conn, "INSERT INTO "+o.Database+".meta (time, schema_version, schema_hash, binary_version) VALUES (now64(3) + 60, 1, 'y', 'v0.0.1')")
	_, err := Plan(t.Context(), conn, o)
	if !errors.Is(err, ErrNewerSchema) {
		t.Fatalf("error is %v, want ErrNewerSchema", err)
	}
	for _, want := range []string{o.Database, "999", "v9.9.9", fmt.Sprintf("version %d", schema.Version)} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not name %q", err, want)
		}
	}
}

func TestViews(t *testing.T) {
	conn, o := fresh(t)
	apply(t, conn, plan(t, conn, o))
	sip := o.Database + ".sip"
	planViews := func(v ...view) Steps {
		t.Helper()
		p := newPlanner(t.Context(), conn, o)
		p.views = v
		if err := p.plan(); err != nil {
			t.Fatal(err)
		}
		return p.steps
	}
	query := "select call_id, count() n, min(time) + interval 1 day as later from " + sip + " where method='INVITE' group by call_id order by n desc"
	tests := []struct {
		name   string
		before string
		view   view
		want   int
	}{
		{"new", "", view{"v", "A view.", query, nil}, 1},
		{"the same", "", view{"v", "A view.", query, nil}, 0},
		{"comment", "", view{"v", "It's a view.", query, nil}, 1},
		{"query", "", view{"v", "It's a view.", "SELECT * EXCEPT (src_ip, dst_ip) FROM " + sip, nil}, 1},
		{"the same star", "", view{"v", "It's a view.", "SELECT * EXCEPT (src_ip, dst_ip) FROM " + sip, nil}, 0},
		{"changed by hand", "CREATE OR REPLACE VIEW " + o.Database + ".v AS SELECT 1", view{"v", "It's a view.", "SELECT * EXCEPT (src_ip, dst_ip) FROM " + sip, nil}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.before != "" {
				exec(t, conn, tt.before)
			}
			s := planViews(tt.view)
			if len(s.Statements) != tt.want {
				t.Fatalf("%d statements, want %d:\n%s", len(s.Statements), tt.want, s)
			}
			apply(t, conn, s)
			if again := planViews(tt.view); !again.Empty() {
				t.Errorf("second plan is\n%s", again)
			}
		})
	}
}
