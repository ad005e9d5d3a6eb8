package migrate

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/heplake/heplake/schema"
)

// writeReleased keeps the present declaration as that of a released version:
// make released-schema, once before each release.
var writeReleased = flag.Bool("released", false, "write testdata/released/vN.sql of schema.Version")

// releasedData are the rows that a version is tested with, by the files of
// testdata/released. A version without an entry has the one before's.
var releasedData = map[uint32][]string{
	1: {"data.sql"},
	2: {"data.sql", "data-calls.sql"},
}

// workingState are tables that a migration may make anew: what is in them
// follows from the others.
var workingState = []string{"meta", "legs", "leg_links", "leg_reports", "leg_digests", "assembler"}

func releasedPath(name string) string { return filepath.Join("testdata", "released", name) }

// TestReleasedSchemasAreKept wants every version below the present one.
func TestReleasedSchemasAreKept(t *testing.T) {
	if *writeReleased {
		conn, o := fresh(t)
		_, script, ok := strings.Cut(plan(t, conn, o).String(), ";\n\n") // the test makes the database
		if !ok {
			t.Fatal("a plan of one statement")
		}
		text := strings.ReplaceAll(script, "`"+o.Database+"`", "{db}") + "\n"
		if err := os.WriteFile(releasedPath(fmt.Sprintf("v%d.sql", schema.Version)), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for v := 1; v < schema.Version; v++ {
		if _, err := os.Stat(releasedPath(fmt.Sprintf("v%d.sql", v))); err != nil {
			t.Errorf("version %d is not kept: %v; check it out and run make released-schema", v, err)
		}
	}
}

// released returns a database as a released version made it, with rows in it.
func released(t *testing.T, version uint32) (driver.Conn, schema.Options) {
	t.Helper()
	conn, o := fresh(t)
	exec(t, conn, "CREATE DATABASE "+o.Database+" ENGINE = Atomic")
	load(t, conn, o.Database, releasedPath(fmt.Sprintf("v%d.sql", version)))
	data := version
	for releasedData[data] == nil {
		data--
	}
	for _, name := range releasedData[data] {
		load(t, conn, o.Database, releasedPath(name))
	}
	return conn, o
}

// content is what a table holds: its rows and a hash over them, column by column
// in the words of text, so that a change of type that keeps values keeps it.
type content struct {
	rows, hash string
	columns    []string
}

// contents reads what every table that matters holds. Columns limits a table to
// those that it had.
func contents(t *testing.T, conn driver.Conn, database string, columns map[string]content) map[string]content {
	t.Helper()
	s, err := readState(t.Context(), conn, database)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]content{}
	for name, table := range s.tables {
		if !strings.HasSuffix(table.engine, "MergeTree") || slices.Contains(workingState, name) {
			continue
		}
		before, had := columns[name]
		if columns != nil && !had {
			continue
		}
		c := content{columns: before.columns}
		for _, have := range table.columns {
			if !had {
				c.columns = append(c.columns, have.name)
			}
		}
		var words []string
		for _, kept := range c.columns {
			expr := "`" + kept + "`"
			if i := slices.IndexFunc(table.columns, func(have column) bool { return have.name == kept }); i < 0 {
				t.Errorf("%s has lost its column %s", name, kept)
				continue
			} else if strings.HasPrefix(table.columns[i].typ, "AggregateFunction") {
				expr = "finalizeAggregation(" + expr + ")"
			}
			words = append(words, "ifNull(toString("+expr+"), 'NULL')")
		}
		final := ""
		if table.engine != "MergeTree" {
			final = " FINAL"
		}
		from := " FROM " + qualified(database, name) + final
		c.rows = value(t, conn, "SELECT count()"+from)
		c.hash = value(t, conn, "SELECT sum(cityHash64("+strings.Join(words, ", ")+"))"+from)
		out[name] = c
	}
	return out
}

// wantContents compares what is there with what was.
func wantContents(t *testing.T, conn driver.Conn, database string, before map[string]content) {
	t.Helper()
	after := contents(t, conn, database, before)
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if a, b := after[name], before[name]; a.rows != b.rows || a.hash != b.hash {
			t.Errorf("%s: %s rows with hash %s, before %s with %s", name, a.rows, a.hash, b.rows, b.hash)
		}
	}
}

// settled waits until ClickHouse has done in the background what a migration
// asked of it.
func settled(t *testing.T, conn driver.Conn, database string) {
	t.Helper()
	for range 600 {
		if value(t, conn, "SELECT count() FROM system.mutations WHERE NOT is_done AND database = '"+database+"'") == "0" {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("mutations do not end: " + value(t, conn, "SELECT arrayStringConcat(groupArray(latest_fail_reason), '; ') FROM system.mutations WHERE NOT is_done AND database = '"+database+"'"))
}

func releasedVersions(t *testing.T) []uint32 {
	t.Helper()
	var out []uint32
	for v := uint32(1); v <= schema.Version; v++ {
		if _, err := os.Stat(releasedPath(fmt.Sprintf("v%d.sql", v))); err == nil {
			out = append(out, v)
		}
	}
	if len(out) < 2 {
		t.Fatalf("only %v are kept", out)
	}
	return out
}

// TestUpgradeFromEveryRelease upgrades each released version to the present and
// wants every row as it was; planning changes nothing, and doing it again does
// nothing.
func TestUpgradeFromEveryRelease(t *testing.T) {
	for _, version := range releasedVersions(t) {
		t.Run(fmt.Sprintf("v%d", version), func(t *testing.T) {
			conn, o := released(t, version)
			before := contents(t, conn, o.Database, nil)
			if before["sip"].rows != "2100" || before["media"].rows != "400" || before["events"].rows != "200" {
				t.Fatalf("loaded %+v", before)
			}
			s := plan(t, conn, o)
			if version < schema.Version && s.Empty() {
				t.Fatal("nothing to do")
			}
			if got, again := s.String(), plan(t, conn, o).String(); stripTimes(got) != stripTimes(again) {
				t.Errorf("planning twice differs:\n%s\n\n%s", got, again)
			}
			wantContents(t, conn, o.Database, before)
			if got := value(t, conn, "SELECT max(schema_version) FROM "+o.Database+".meta"); got != fmt.Sprint(version) {
				t.Fatalf("planning recorded version %s", got)
			}
			apply(t, conn, s)
			wantEmpty(t, conn, o)
			wantContents(t, conn, o.Database, before) // at once: reads must not wait for the background
			settled(t, conn, o.Database)
			wantContents(t, conn, o.Database, before)
			wantEmpty(t, conn, o)
			if got := value(t, conn, "SELECT max(schema_version) FROM "+o.Database+".meta WHERE done"); got != fmt.Sprint(schema.Version) {
				t.Errorf("recorded version %s, want %d", got, schema.Version)
			}
			wantFed(t, conn, o.Database)
		})
	}
}

// stripTimes leaves out of a plan until when days are fed: the present.
func stripTimes(plan string) string {
	parts := strings.Split(plan, "toDateTime(")
	for i := range parts[1:] {
		if _, rest, ok := strings.Cut(parts[i+1], ","); ok {
			parts[i+1] = rest
		}
	}
	return strings.Join(parts, "toDateTime(")
}

// wantFed wants what was stored before to be in what is computed of it.
func wantFed(t *testing.T, conn driver.Conn, database string) {
	t.Helper()
	if got := value(t, conn, "SELECT sum(messages) FROM "+database+".messages_1m"); got != "2100" {
		t.Errorf("messages_1m counts %s messages, want 2100", got)
	}
	if got := value(t, conn, "SELECT count() FROM (SELECT DISTINCT source, day FROM "+database+".backfill) AS b RIGHT JOIN (SELECT DISTINCT 'sip' AS source, toDate(time) AS day FROM "+
		database+".sip UNION ALL SELECT DISTINCT 'media', toDate(time) FROM "+database+".media) AS stored ON b.source = stored.source AND b.day = stored.day WHERE b.source = ''"); got != "0" {
		t.Errorf("%s days will have no digests", got)
	}
}

// TestUpgradeIsResumed breaks off every few statements, as a kill does, and goes
// on with a plan made anew.
func TestUpgradeIsResumed(t *testing.T) {
	for _, version := range releasedVersions(t) {
		if version == schema.Version {
			continue
		}
		t.Run(fmt.Sprintf("v%d", version), func(t *testing.T) {
			conn, o := released(t, version)
			before := contents(t, conn, o.Database, nil)
			// The views are made again, and days fed again, until all is done: each try
			// goes further than the one before.
			tries := 0
			for n := 1; ; n += 3 {
				tries++
				if err := Apply(t.Context(), &failing{conn, n}, plan(t, conn, o)); err == nil {
					break
				}
				wantContents(t, conn, o.Database, before)
				if n > 500 {
					t.Fatal("no end")
				}
			}
			if tries < 3 {
				t.Fatalf("only %d tries: nothing was broken off", tries)
			}
			settled(t, conn, o.Database)
			wantEmpty(t, conn, o)
			wantContents(t, conn, o.Database, before)
			wantFed(t, conn, o.Database)
		})
	}
}

// TestUsersOfWhatWasStored: a database of before there was table users gets it filled.
func TestUsersOfWhatWasStored(t *testing.T) {
	conn, o := fresh(t)
	apply(t, conn, plan(t, conn, o))
	exec(t, conn, "INSERT INTO "+o.Database+`.sip (time, tenant, correlation_id, method, cseq_method, from_user, to_user, ruri_user)
SELECT now64(6) - toIntervalDay(number % 3), 'a', 'c' || toString(number), ['INVITE', 'OPTIONS'][number % 2 + 1] AS m, m, 'ann', 'ben' || toString(number), 'ann' FROM numbers(30)`)
	exec(t, conn, "DROP TABLE "+o.Database+".users SYNC")
	exec(t, conn, "ALTER TABLE "+o.Database+".call_rows DROP COLUMN card")
	apply(t, conn, plan(t, conn, o))
	wantEmpty(t, conn, o)
	users := "(SELECT user, correlation_id, groupBitOr(toUInt8(fields)) AS f FROM " + o.Database + ".users GROUP BY user, tenant, hour, correlation_id)"
	if got := value(t, conn, "SELECT concat(toString(countIf(user = cityHash64('ann') AND f = 5)), ' ', toString(countIf(user = cityHash64('ann') AND f = 80)), ' ', toString(countIf(user != cityHash64('ann') AND f IN (2, 32))), ' ', toString(count())) FROM "+users); got != "15 15 30 60" {
		t.Errorf("users of calls, of others, their peers and all: %s", got)
	}
	if got := value(t, conn, "SELECT count() FROM "+o.Database+".backfill"); got != "0" {
		t.Errorf("%s days of digests are to be made again", got)
	}
}
