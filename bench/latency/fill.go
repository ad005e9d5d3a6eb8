package latency

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/heplake/heplake/bench/gen"
	"github.com/heplake/heplake/bench/load"
	"github.com/heplake/heplake/schema"
)

const (
	// Days is how many days the traffic lies on.
	Days = 30
	// basePackets are generated at most, at baseRate a second: calls of this many
	// differ in all that matters, and their copies in their ids and times.
	basePackets = 225_000
	baseRate    = 5_000
	// settling bounds the wait for the assembler to have made all calls.
	settling = 3 * time.Minute
	// kept is the database with the traffic as it was generated, and the note of
	// what was made of it.
	kept = "latency"
)

// Fill makes sure that the server has at least so many messages over Days days.
// What an earlier Fill finished is left as it is. Else the server must be new.
func Fill(ctx context.Context, s *load.Server, messages uint64, log *slog.Logger) error {
	f := filler{server: s, log: log}
	have, err := f.number(ctx, "SELECT count() FROM system.tables WHERE database = '"+kept+"' AND name = 'filled'")
	if err != nil {
		return err
	}
	if have > 0 {
		if have, err = f.number(ctx, "SELECT max(messages) FROM "+kept+".filled"); err != nil {
			return err
		}
		if have < messages {
			return fmt.Errorf("the folder has %d messages, not %d: take another, or delete it", have, messages)
		}
		return nil
	}
	if have, err = f.number(ctx, "SELECT count() FROM heplake.sip"); err != nil {
		return err
	}
	if have > 0 {
		return fmt.Errorf("the folder has %d messages that are not of an earlier run: take another, or delete it", have)
	}
	for _, step := range []func(context.Context, uint64) error{f.generate, f.keep, f.copies, f.users, f.rollups, f.gather, f.settle} {
		if err := step(ctx, messages); err != nil {
			return err
		}
	}
	_, err = f.exec(ctx, "CREATE TABLE "+kept+".filled ENGINE = MergeTree ORDER BY tuple() AS SELECT count() AS messages, now() AS at FROM heplake.sip")
	return err
}

type filler struct {
	server *load.Server
	log    *slog.Logger
}

func (f *filler) exec(ctx context.Context, sql string) (string, error) {
	out, err := f.server.Query(ctx, sql)
	if err != nil {
		first, _, _ := strings.Cut(sql, "\n")
		err = fmt.Errorf("%.120s: %w", first, err)
	}
	return out, err
}

func (f *filler) number(ctx context.Context, sql string) (uint64, error) {
	out, err := f.exec(ctx, sql)
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(out, 10, 64)
}

// generate sends the traffic and waits until calls, registrations and sums are there.
func (f *filler) generate(ctx context.Context, messages uint64) error {
	packets := int(min(basePackets, max(messages/Days, 2_000)))
	g, err := gen.New(gen.Config{Seed: 1, Packets: packets, Rate: baseRate, Mix: gen.DefaultMix, Agents: 4})
	if err != nil {
		return err
	}
	f.log.Info("generate", "packets", packets)
	sent, err := gen.Send(ctx, g, gen.SendConfig{To: f.server.Address("hep_tcp"), Proto: "tcp", Conns: 4, Rate: baseRate})
	if err != nil {
		return fmt.Errorf("generate: %w", err)
	}
	if err := f.server.Drained(ctx); err != nil {
		return err
	}
	calls := 0
	for _, n := range sent.Counts.Calls() {
		calls += n
	}
	want := fmt.Sprintf("%d\t%d\t%d\t%d\t0", sent.Counts.SIP, calls, calls, sent.Counts.Dialogs["register"])
	for began := time.Now(); ; {
		got, err := f.exec(ctx, `SELECT (SELECT count() FROM heplake.sip), (SELECT countIf(outcome != 'in_progress') FROM heplake.calls),
	(SELECT toUInt64(sum(attempts)) FROM heplake.kpi_1m FINAL WHERE dim = 'all'), (SELECT count() FROM heplake.registrations),
	(SELECT count() FROM heplake.sip WHERE from_user != '' AND (cityHash64(from_user), correlation_id) NOT IN (SELECT user, correlation_id FROM heplake.users))`)
		if err != nil {
			return err
		}
		if got == want {
			return nil
		}
		if time.Since(began) > settling {
			return fmt.Errorf("messages, calls, calls counted, registrations, messages without users are %q %s after %q were sent", got, settling, want)
		}
		if err := sleep(ctx, time.Second); err != nil {
			return err
		}
	}
}

// copied are the tables that are copied from what was generated; emptied are those
// that are made of the copies.
var (
	copied = []string{"sip", "media", "call_rows", "registration_rows"}
	// Of digests there are none: the assembler would make calls of them anew.
	emptied = []string{"leg_digests", "ids", "users", "messages_1m", "kpi_1m", "kpi_1h", "kpi_1d", "registrations_1m", "registrations_1h", "registrations_1d"}
)

// keep puts what was generated aside: it all lies within a minute, which is not
// how the copies lie.
func (f *filler) keep(ctx context.Context, _ uint64) error {
	// The legs of a call have correlation ids of their own: all of it is moved by the
	// call's. A report of media names its leg.
	leg := map[string]string{
		"sip": "if(packing AND empty(own_call_id), correlation_id, own_call_id)", "media": "correlation_id",
		"call_rows": "correlation_id", "registration_rows": "call_id",
	}
	sql := []string{"CREATE DATABASE " + kept,
		"CREATE TABLE " + kept + ".legs ENGINE = MergeTree ORDER BY tuple() AS SELECT arrayJoin(call_ids) AS leg, correlation_id AS of FROM heplake.call_rows FINAL"}
	for _, t := range copied {
		final := ""
		if strings.HasSuffix(t, "_rows") {
			final = " FINAL"
		}
		sql = append(sql, "CREATE TABLE "+kept+"."+t+" ENGINE = MergeTree ORDER BY tuple() AS\nSELECT t.*, if(l.of = '', t.leg, l.of) AS key FROM (SELECT *, "+leg[t]+" AS leg FROM heplake."+t+final+") AS t"+
			" LEFT ANY JOIN "+kept+".legs AS l ON l.leg = t.leg SETTINGS allow_suspicious_low_cardinality_types = 1")
	}
	for _, t := range append(emptied, copied...) {
		sql = append(sql, "TRUNCATE TABLE heplake."+t)
	}
	for _, s := range sql {
		if _, err := f.exec(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// insertSettings have few and large parts written.
const insertSettings = "\nSETTINGS max_insert_threads = 1, max_threads = 2, max_partitions_per_insert_block = 0, min_insert_block_size_rows = 1000000, min_insert_block_size_bytes = 2000000000, prefer_column_name_to_alias = 1"

// copies makes the copies, those of a day at a time. Each call of a copy begins at
// another moment of the day.
func (f *filler) copies(ctx context.Context, messages uint64) error {
	base, err := f.number(ctx, "SELECT count() FROM "+kept+".sip")
	if err != nil {
		return err
	}
	n := max(Days, (messages+base-1)/base)
	for day := range uint64(Days) {
		for _, sql := range copySQL(day, n*day/Days, n*(day+1)/Days) {
			if _, err := f.exec(ctx, sql+insertSettings); err != nil {
				return err
			}
		}
		f.log.Info("copied", "days", day+1, "copies", n*(day+1)/Days)
	}
	return nil
}

// copySQL are the statements for the copies with the numbers [from, to), which all
// lie that many days back.
func copySQL(day, from, to uint64) []string {
	copies := func(table string) string {
		return fmt.Sprintf("(SELECT *, arrayJoin(range(%d, %d)) AS copy FROM %s.%s) AS b", from, to, kept, table)
	}
	back := fmt.Sprintf("toIntervalSecond(%d + cityHash64(b.key, b.copy) %% 86400)", day*86400)
	named := func(id string) string { return "concat(" + id + ", '-', toString(b.copy))" }
	given := func(id string) string { return "if(" + id + " = '', '', " + named(id) + ")" }
	insert := func(table string, replace ...string) string {
		return "INSERT INTO heplake." + table + "\nSELECT * EXCEPT (copy, key, leg) REPLACE (" + strings.Join(replace, ", ") + ")\nFROM " + copies(table)
	}
	moved := func(columns ...string) []string {
		for i, c := range columns {
			columns[i] = "b.`" + c + "` - " + back + " AS `" + c + "`"
		}
		return columns
	}
	correlation := named("b.correlation_id") + " AS correlation_id"
	out := []string{
		insert("sip", append(moved("time"), given("b.own_call_id")+" AS own_call_id", correlation)...),
		insert("media", append(moved("time"), given("b.call_id")+" AS call_id", correlation)...),
		insert("call_rows", append(moved("start", "last_seen", "ring", "provisional", "answer", "end"),
			"arrayMap(i -> "+named("i")+", b.call_ids) AS call_ids", "arrayMap(i -> "+named("i")+", b.correlation_ids) AS correlation_ids", correlation)...),
		insert("registration_rows", append(moved("start", "last_seen"), named("b.call_id")+" AS call_id")...),
		"INSERT INTO heplake.ids (id, tenant, hour, call_id, correlation_id)\n" +
			"SELECT cityHash64(name), tenant, hour, if(call = name, '', call), if(correlation = name, '', correlation)\nFROM\n(\n" +
			"    SELECT tenant, toStartOfHour(b.time - " + back + ", 'UTC') AS hour, " + named("b.leg") + " AS call, " + named("b.correlation_id") + " AS correlation\n" +
			"    FROM " + copies("sip") + "\n    GROUP BY tenant, hour, call, correlation\n)\nARRAY JOIN arrayDistinct([call, correlation]) AS name",
	}
	return out
}

// users says where the copies of users' messages are, a day at a time.
func (f *filler) users(ctx context.Context, _ uint64) error {
	days, err := f.exec(ctx, "SELECT DISTINCT toDate(time) FROM heplake.sip ORDER BY 1")
	if err != nil {
		return err
	}
	for _, day := range strings.Fields(days) {
		if _, err := f.exec(ctx, schema.RestoreUsersSQL(schema.Options{}, day, time.Unix(0, 0))); err != nil {
			return err
		}
	}
	return nil
}

// rollups sums up the copies, a day at a time, as the assembler does. Table
// messages_1m was filled by its feed.
func (f *filler) rollups(ctx context.Context, _ uint64) error {
	newest, err := f.number(ctx, "SELECT toUInt32(max(start)) FROM heplake.call_rows")
	if err != nil {
		return err
	}
	last := int64(newest) - int64(newest)%86400
	at := func(t int64) string { return fmt.Sprintf("toDateTime(%d, 'UTC')", t) }
	version := uint64(time.Now().UnixMicro())
	for _, r := range schema.Rollups() {
		for day := last - (Days+1)*86400; day <= last; day += 86400 {
			within := func(column string) string {
				return column + " >= " + at(day) + " AND " + column + " < " + at(day+86400)
			}
			sql := []string{r.FillSQL(schema.Options{}, within("start"), within("bucket"), version)}
			for place := 1; place < len(schema.Resolutions); place++ {
				sql = append(sql, r.CoarsenSQL(schema.Options{}, place, within("f.bucket"), within("bucket"), version))
			}
			for _, s := range sql {
				if _, err := f.exec(ctx, s+"\nSETTINGS max_threads = 2"); err != nil {
					return err
				}
			}
		}
		f.log.Info("summed up", "of", r.Source)
	}
	return nil
}

// gather merges what ClickHouse would merge ten minutes later: see schema.Table.Gather.
func (f *filler) gather(ctx context.Context, _ uint64) error {
	f.log.Info("gather the parts of past days")
	for _, t := range schema.Derived() {
		if !t.Gather {
			continue
		}
		if _, err := f.exec(ctx, "OPTIMIZE TABLE heplake."+t.Name+" FINAL SETTINGS optimize_skip_merged_partitions = 1"); err != nil {
			return err
		}
	}
	return nil
}

// settle waits until nothing is merged any more.
func (f *filler) settle(ctx context.Context, _ uint64) error {
	f.log.Info("wait for merges")
	for calm := 0; calm < 5; calm++ {
		merges, err := f.number(ctx, "SELECT count() FROM system.merges")
		if err != nil {
			return err
		}
		if merges > 0 {
			calm = 0
		}
		if err := sleep(ctx, time.Second); err != nil {
			return err
		}
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
