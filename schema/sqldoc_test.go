package schema_test

import (
	"fmt"
	"math"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/heplake/heplake/bench/truth"
	"github.com/heplake/heplake/internal/laketest"
	"github.com/heplake/heplake/schema"
)

// recipe is a query of docs/sql.md with the comment above it.
type recipe struct{ title, sql string }

// recipes are the queries of the page's blocks.
func recipes(t *testing.T) []recipe {
	t.Helper()
	page, err := os.ReadFile("../docs/sql.md")
	if err != nil {
		t.Fatal(err)
	}
	var out []recipe
	for i, block := range strings.Split(string(page), "```") {
		sql, ok := strings.CutPrefix(block, "sql\n")
		if i%2 == 0 || !ok {
			continue
		}
		for q := range strings.SplitSeq(sql, ";\n") {
			comment, body, _ := strings.Cut(strings.TrimSpace(q), "\n")
			if title, ok := strings.CutPrefix(comment, "-- "); ok {
				out = append(out, recipe{title, strings.TrimSuffix(body, ";")})
			} else if comment != "" {
				t.Errorf("a query without a title: %s", q)
			}
		}
	}
	return out
}

// cookbook is a database with captures and with traffic of which the truth is
// known: of yesterday, of three weeks ago, and of more than a year ago.
type cookbook struct {
	*laketest.Lake
	now                     time.Time
	yesterday, weeks, older *truth.Corpus
	// registrations is how many there are in the captures.
	registrations int
}

func openCookbook(t *testing.T) *cookbook {
	t.Helper()
	l := laketest.Open(t, "opensips-hep3-udp-b2bua-xcid-a", "rtpengine-kamailio-hep3-udp-call-with-rtcp-a", "kamailio-hep3-udp-sip-failures-a")
	trunks, err := schema.ParseTrunks(map[string][]string{"edges": {"10.1.0.0/24"}, "core": {"10.2.0.0/24", "10.3.0.0/24"}, "users": {"172.16.0.0/12"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, view := range schema.Views() {
		exec(t, l.DB, view.CreateSQL(schema.Options{Database: l.Name, Trunks: trunks}))
	}
	for _, table := range slices.Concat(schema.Tables(), schema.Derived()) {
		if table.TTLDays > 0 { // nothing goes for its age while the test runs
			exec(t, l.DB, "ALTER TABLE "+table.Name+" REMOVE TTL")
		}
	}
	c := &cookbook{Lake: l, now: l.To.Add(10 * time.Minute)}
	c.registrations = len(c.rows(t, "SELECT 1 FROM registrations"))
	day := c.now.UTC().Truncate(24 * time.Hour)
	feed := func(seed uint64, calls int, start time.Time) *truth.Corpus {
		corpus, err := truth.New(truth.Config{Seed: seed, Calls: calls, Registrations: calls / 4, Start: start, Gap: 10 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		l.Feed(t, corpus.Data())
		return corpus
	}
	c.yesterday = feed(1, 160, day.Add(-6*time.Hour))
	c.weeks = feed(2, 80, day.Add(-(20*24-10)*time.Hour))
	c.older = feed(3, 40, day.Add(-400*24*time.Hour))
	exec(t, l.DB, fmt.Sprintf(`INSERT INTO events (time, type, type_name, stage, error, src_ip, body) VALUES
		(fromUnixTimestamp64Micro(%[1]d), 101, 'cdr', '', '', toIPv6('192.0.2.9'), '{"cause":{"code":17,"text":"busy"}}'),
		(fromUnixTimestamp64Micro(%[1]d), 0, 'undecodable', 'hep', 'bad_magic', toIPv6('192.0.2.9'), 'x'),
		(fromUnixTimestamp64Micro(%[2]d), 0, 'undecodable', 'hep', 'bad_magic', toIPv6('192.0.2.9'), 'x')`,
		l.To.UnixMicro(), day.Add(-400*24*time.Hour).UnixMicro()))
	l.Settle(t)
	return c
}

// at is a query of the page as if it were asked at the cookbook's time, of its
// database.
func (c *cookbook) at(sql string) string {
	day := "toDate('" + c.now.UTC().Format(time.DateOnly) + "')"
	return strings.NewReplacer("heplake.", "`"+c.Name+"`.", "now()", "toDateTime("+strconv.FormatInt(c.now.Unix(), 10)+", 'UTC')",
		"today()", day, "yesterday()", "("+day+" - 1)",
		"4930123456", c.yesterday.Calls[0].FromUser).Replace(sql)
}

// row is a row of a query by the names of its columns.
type row map[string]any

// rows runs the query.
func (c *cookbook) rows(t *testing.T, sql string) []row {
	t.Helper()
	rows, err := c.DB.Query(t.Context(), sql)
	if err != nil {
		t.Fatalf("%v\n%s", err, sql)
	}
	defer func() { _ = rows.Close() }()
	var out []row
	for rows.Next() {
		values := make([]any, len(rows.Columns()))
		for i, typ := range rows.ColumnTypes() {
			values[i] = reflect.New(typ.ScanType()).Interface()
		}
		if err := rows.Scan(values...); err != nil {
			t.Fatal(err)
		}
		r := row{}
		for i, name := range rows.Columns() {
			v := reflect.ValueOf(values[i]).Elem()
			if v.Kind() == reflect.Pointer && !v.IsNil() {
				v = v.Elem()
			}
			r[name] = v.Interface()
		}
		out = append(out, r)
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("%v\n%s", err, sql)
	}
	return out
}

// number is a value of a row; a value that is NULL is NaN.
func (r row) number(t *testing.T, column string) float64 {
	t.Helper()
	v := reflect.ValueOf(r[column])
	switch {
	case v.CanUint():
		return float64(v.Uint())
	case v.CanInt():
		return float64(v.Int())
	case v.CanFloat():
		return v.Float()
	case v.Kind() == reflect.Pointer:
		return math.NaN()
	}
	t.Fatalf("column %s is %#v", column, r[column])
	return 0
}

// sum adds up a column.
func sum(t *testing.T, rows []row, column string) (total float64) {
	t.Helper()
	for _, r := range rows {
		total += r.number(t, column)
	}
	return total
}

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if !(math.Abs(got-want) <= 1e-6*math.Max(1, math.Abs(want))) {
		t.Errorf("%s is %v, should be %v", what, got, want)
	}
}

// total adds up what happened in a corpus.
func total(list ...*truth.Corpus) (m truth.Minute) {
	for _, c := range list {
		for i := range c.Minutes {
			one := &c.Minutes[i]
			m.Attempts += one.Attempts
			m.Answered += one.Answered
			m.Delivered += one.Delivered
			m.Registrations += one.Registrations
			m.RegFailures += one.RegFailures
		}
	}
	return m
}

// count counts the calls of a corpus that meet a condition.
func count(c *truth.Corpus, which func(*truth.Call) bool) (n int) {
	for i := range c.Calls {
		if c.Calls[i].Method == "INVITE" && which(&c.Calls[i]) {
			n++
		}
	}
	return n
}

// figures are what can be said of a recipe's rows, by its title's beginning.
var figures = map[string]func(t *testing.T, c *cookbook, rows []row){
	"One call, every message": func(t *testing.T, c *cookbook, rows []row) {
		for _, r := range rows {
			if raw := r["raw"].(string); !strings.Contains(raw, "1-16637@127.0.0.1") {
				t.Errorf("a message of another call: %q", raw)
			}
		}
		if len(rows) < 5 || rows[0]["message"] != "INVITE" || rows[len(rows)-1]["message"] != "200 OK" {
			t.Errorf("%d messages of an answered call, from %v", len(rows), rows[0]["message"])
		}
	},
	"All calls of a number": func(t *testing.T, c *cookbook, rows []row) {
		number := c.yesterday.Calls[0].FromUser
		for _, r := range rows {
			if r["from_user"] != number && r["to_user"] != number {
				t.Errorf("a call of %v to %v", r["from_user"], r["to_user"])
			}
		}
	},
	"Calls that failed yesterday": func(t *testing.T, c *cookbook, rows []row) {
		want := count(c.yesterday, func(call *truth.Call) bool {
			return slices.Contains([]string{"failed", "cancelled", "unanswered"}, call.Outcome)
		})
		near(t, "the number of calls that failed", float64(len(rows)), float64(want))
		users := 0
		for _, r := range rows {
			if r["fault"] == "user" {
				users++
			}
		}
		m := total(c.yesterday)
		near(t, "how many were the users' doing", float64(users), float64(m.Delivered-m.Answered))
	},
	"What the network did wrong": func(t *testing.T, c *cookbook, rows []row) {
		for _, r := range rows {
			if r.number(t, "final_status") == 486 {
				t.Error("busy is the user's doing")
			}
		}
	},
	"Most calls up at once": func(t *testing.T, c *cookbook, rows []row) {
		if len(rows) < 2 {
			t.Errorf("%d days", len(rows))
		}
		for _, r := range rows {
			if n := r.number(t, "most"); n < 1 || n > 160 {
				t.Errorf("%v calls up at once", n)
			}
		}
	},
	"Attempts, minutes, ASR": func(t *testing.T, c *cookbook, rows []row) {
		older := 0.0
		for _, r := range rows {
			older += r.number(t, "calls")
		}
		if m := total(c.yesterday, c.weeks); older < float64(m.Attempts) {
			t.Errorf("%v calls in a year, of %d", older, m.Attempts)
		}
	},
	"ASR, NER and SEER by hour": func(t *testing.T, c *cookbook, rows []row) {
		m := total(c.weeks)
		var asr, attempts float64
		for _, r := range rows {
			if r["hour"].(time.Time).Before(c.now.Add(-10 * 24 * time.Hour)) {
				asr += r.number(t, "asr") * r.number(t, "attempts") / 100
				attempts += r.number(t, "attempts")
			}
		}
		near(t, "attempts three weeks ago", attempts, float64(m.Attempts))
		near(t, "answered three weeks ago", asr, float64(m.Answered))
	},
	"The busiest hour": func(t *testing.T, c *cookbook, rows []row) {
		if len(rows) < 3 {
			t.Errorf("%d days, of at least three", len(rows))
		}
	},
	"Destinations of three months": func(t *testing.T, c *cookbook, rows []row) {
		if m, n := total(c.yesterday, c.weeks), sum(t, rows, "calls"); n < float64(m.Attempts) {
			t.Errorf("%v calls by prefix, of %d", n, m.Attempts)
		}
	},
	"Carriers by month": func(t *testing.T, c *cookbook, rows []row) {
		in := 0.0
		for _, r := range rows {
			if r["direction"] == "in" {
				in += r.number(t, "calls")
			}
		}
		// Whoever called in these weeks was of one of the trunks, captures apart.
		near(t, "calls from trunks", in, float64(total(c.yesterday, c.weeks).Attempts))
	},
	"Post-dial delay": func(t *testing.T, c *cookbook, rows []row) {
		for _, r := range rows {
			if q := r["ms"].([]float32); len(q) != 3 || q[0] > q[1] || q[1] > q[2] {
				t.Errorf("quantiles are %v", q)
			}
		}
	},
	"Registrations that failed": func(t *testing.T, c *cookbook, rows []row) {
		near(t, "registrations that failed", sum(t, rows, "attempts"), float64(total(c.yesterday).RegFailures))
	},
	"User agents by how often": func(t *testing.T, c *cookbook, rows []row) {
		near(t, "registrations", sum(t, rows, "registrations"), float64(total(c.yesterday, c.weeks).Registrations+c.registrations))
	},
	"JSON bodies": func(t *testing.T, c *cookbook, rows []row) {
		if len(rows) != 1 || rows[0]["text"] != "busy" {
			t.Errorf("rows are %v", rows)
		}
	},
	"What did not decode": func(t *testing.T, c *cookbook, rows []row) {
		near(t, "records", sum(t, rows, "records"), 1)
	},
	"A header kept": func(t *testing.T, c *cookbook, rows []row) {
		for _, r := range rows {
			if r["cid"] == "" {
				t.Error("an empty header")
			}
		}
	},
}

// partsRead says how many parts each table that is read has, and how many of them
// are read.
func (c *cookbook) partsRead(t *testing.T, sql string) (read, all []int) {
	t.Helper()
	var table bool
	first := true
	for _, r := range c.rows(t, "EXPLAIN indexes = 1 "+sql) {
		line := fmt.Sprint(r["explain"])
		if strings.Contains(line, "ReadFromMergeTree") {
			table, first = true, true
		}
		m := partsLine.FindStringSubmatch(line)
		if m == nil || !table {
			continue
		}
		selected, _ := strconv.Atoi(m[1])
		of, _ := strconv.Atoi(m[2])
		if first {
			read, all, first = append(read, selected), append(all, of), false
		}
		read[len(read)-1] = selected
	}
	return read, all
}

var partsLine = regexp.MustCompile(`Parts: (\d+)/(\d+)`)

// TestCookbook runs every query of docs/sql.md: it has rows, right ones as far as
// that can be said, and where it bounds the time, parts of other times stay unread.
func TestCookbook(t *testing.T) {
	c := openCookbook(t)
	list := recipes(t)
	if len(list) < 20 {
		t.Errorf("only %d queries on the page", len(list))
	}
	checked := map[string]bool{}
	for _, r := range list {
		t.Run(r.title, func(t *testing.T) {
			sql := c.at(r.sql)
			rows := c.rows(t, sql)
			if len(rows) == 0 {
				t.Errorf("no rows\n%s", sql)
			}
			for title, check := range figures {
				if strings.HasPrefix(r.title, title) {
					checked[title] = true
					check(t, c, rows)
				}
			}
			read, all := c.partsRead(t, sql)
			if len(read) == 0 {
				t.Errorf("reads no table\n%s", sql)
			}
			for i := range read {
				if read[i] == all[i] {
					t.Errorf("reads all of %d parts\n%s", all[i], sql)
				}
			}
		})
	}
	for title := range figures {
		if !checked[title] {
			t.Errorf("no query on the page is called %q…", title)
		}
	}
}
