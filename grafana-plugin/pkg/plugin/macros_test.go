package plugin

import (
	"errors"
	"strings"
	"testing"
	"time"
)

var window21Nov = macroValues{
	from: time.Date(2026, 11, 21, 2, 0, 0, 123456000, time.UTC),
	to:   time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC),
	step: 30 * time.Second,
}

const (
	fromSQL = "fromUnixTimestamp64Micro(1795226400123456, 'UTC')"
	toSQL   = "fromUnixTimestamp64Micro(1795230000000000, 'UTC')"
)

// hoursSQL bounds the hour of the tables' time.
func hoursSQL(column string) string {
	return "toStartOfHour(" + column + ") >= toDateTime(1795226400, 'UTC') AND toStartOfHour(" + column + ") <= toDateTime(1795230000, 'UTC') AND "
}

func TestExpand(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"filter", "SELECT 1 FROM sip WHERE $__timeFilter(time)", "SELECT 1 FROM sip WHERE (" + hoursSQL("time") + "time >= " + fromSQL + " AND time < " + toSQL + ")"},
		{"calls, by their start", "$__timeFilter(calls.start)", "(" + hoursSQL("calls.start") + "calls.start >= " + fromSQL + " AND calls.start < " + toSQL + ")"},
		{"another name for it", "$__timeFilter_ms(t)", "(t >= " + fromSQL + " AND t < " + toSQL + ")"},
		{"qualified column, spaces", "$__timeFilter ( s.`time` )", "(" + hoursSQL("s.`time`") + "s.`time` >= " + fromSQL + " AND s.`time` < " + toSQL + ")"},
		{"ends", "$__fromTime $__toTime", fromSQL + " " + toSQL},
		{"width", "INTERVAL $__interval_s SECOND, $__interval_ms", "INTERVAL 30 SECOND, 30000"},
		{"empty parentheses", "$__interval_s()", "30"},
		{"parentheses of the query's own", "$__interval_s (1)", "30 (1)"},
		{"bucket", "$__timeInterval(time)", "toStartOfInterval(toDateTime(time, 'UTC'), INTERVAL 30 SECOND)"},
		{"function in an argument", "$__timeFilter(toDateTime(x, 'UTC'))", "(toDateTime(x, 'UTC') >= " + fromSQL + " AND toDateTime(x, 'UTC') < " + toSQL + ")"},
		{"macro in an argument", "$__timeInterval(greatest(time, $__fromTime))", "toStartOfInterval(toDateTime(greatest(time, " + fromSQL + "), 'UTC'), INTERVAL 30 SECOND)"},
		{"in a string", "SELECT '$__fromTime', \"$__toTime\", `$__toTime`", "SELECT '$__fromTime', \"$__toTime\", `$__toTime`"},
		{"in a string with quotes", `SELECT 'it''s $__fromTime', 'a\'$__fromTime', '\\', $__interval_s`, `SELECT 'it''s $__fromTime', 'a\'$__fromTime', '\\', 30`},
		{"in comments", "-- $__fromTime\n# $__fromTime\n/* /* $__fromTime */ $__fromTime */ $__interval_s", "-- $__fromTime\n# $__fromTime\n/* /* $__fromTime */ $__fromTime */ 30"},
		{"in a heredoc", "SELECT $a$ $__fromTime $a$, $__interval_s", "SELECT $a$ $__fromTime $a$, 30"},
		{"a dollar alone", "SELECT '$', $1, a$b", "SELECT '$', $1, a$b"},
		{"string not closed", "SELECT '$__fromTime", "SELECT '$__fromTime"},
		{"comment not closed", "SELECT /* $__fromTime", "SELECT /* $__fromTime"},
		{"parenthesis in a string in an argument", "$__timeFilter(f(')'))", "(f(')') >= " + fromSQL + " AND f(')') < " + toSQL + ")"},
		{"nothing", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := expand(tt.in, window21Nov)
			if err != nil {
				t.Fatal(err)
			}
			if got != tt.want {
				t.Errorf("%s\n got %s\nwant %s", tt.in, got, tt.want)
			}
		})
	}
}

func TestExpandErrors(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"unknown", "SELECT 1\nWHERE ü $__timefilter(time)", "line 2, column 9: there is no macro $__timefilter"},
		{"no argument", "$__timeFilter()", "has 0 arguments, want 1"},
		{"no parentheses", "$__timeFilter", "needs 1 argument in parentheses"},
		{"too many", "$__timeFilter(a, b)", "has 2 arguments, want 1"},
		{"not closed", "$__timeFilter(a", "needs 1 argument in parentheses"},
		{"comment as argument", "$__timeFilter(a) $__timeInterval(/* x */)", "column 18: $__timeInterval has 0 arguments"},
		{"unknown in an argument", "$__timeFilter($__x)", "there is no macro $__x"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := expand(tt.in, window21Nov)
			var bad *badQuery
			if !errors.As(err, &bad) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %q, error %v; want a fault of the query with %q", got, err, tt.want)
			}
		})
	}
}

func TestStatement(t *testing.T) {
	tests := []struct{ in, want string }{
		{"SELECT 1", "SELECT 1"},
		{"  -- why\n select 1 ; -- end\n ;", "  -- why\n select 1"},
		{"(SELECT 1) UNION ALL (SELECT 2)", "(SELECT 1) UNION ALL (SELECT 2)"},
		{"WITH x AS (SELECT 1) SELECT * FROM x", "WITH x AS (SELECT 1) SELECT * FROM x"},
		{"SHOW CREATE TABLE sip", "SHOW CREATE TABLE sip"},
		{"SHOW TABLES FORMAT Native", "SHOW TABLES FORMAT Native"},
		{"DESC sip", "DESC sip"}, {"DESCRIBE sip", "DESCRIBE sip"}, {"EXPLAIN SELECT 1", "EXPLAIN SELECT 1"}, {"EXISTS sip", "EXISTS sip"},
		{"SELECT ';' FROM sip -- ;", "SELECT ';' FROM sip"},
		{"SELECT format FROM t ORDER BY format DESC", "SELECT format FROM t ORDER BY format DESC"},
		{"SELECT insert FROM t", "SELECT insert FROM t"},
	}
	for _, tt := range tests {
		got, err := statement(tt.in)
		if err != nil || source(got) != tt.want {
			t.Errorf("%s: got %q, %v", tt.in, source(got), err)
		}
	}
	refused := []struct{ in, want string }{
		{"", "no SQL"}, {" -- nothing\n;", "no SQL"},
		{"INSERT INTO sip SELECT 1", "may only read"}, {"drop table sip", "may only read"}, {"SET readonly = 0", "may only read"},
		{"SYSTEM SHUTDOWN", "may only read"}, {"/* SELECT */ ALTER TABLE sip DELETE WHERE 1", "may only read"},
		{"SELECT 1; DROP TABLE sip", "column 9: only one statement"},
		{"WITH x AS (SELECT 1) INSERT INTO sip SELECT * FROM x", "INSERT is not allowed"},
		{"SELECT 1 FORMAT JSON", "leave out FORMAT"}, {"SELECT 1 format CSV SETTINGS max_threads = 1", "leave out FORMAT"},
	}
	for _, tt := range refused {
		_, err := statement(tt.in)
		var bad *badQuery
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want a refusal with %q", tt.in, err, tt.want)
		}
	}
}

func TestBuckets(t *testing.T) {
	for sql, want := range map[string]bool{
		"SELECT toStartOfInterval(time, INTERVAL 1 MINUTE)":              true,
		"SELECT $__timeInterval(time)":                                   true,
		"SELECT intDiv(toUnixTimestamp(time), $__interval_s)":            true,
		"SELECT date_trunc('hour', time)":                                true,
		"SELECT time, method, status FROM sip WHERE $__timeFilter(time)": false,
		"SELECT 'toStartOfHour'":                                         false,
		"SELECT 1 -- toStartOfHour":                                      false,
	} {
		if got := buckets(lex(sql)); got != want {
			t.Errorf("%s: got %v", sql, got)
		}
	}
}

// FuzzExpand: any text is taken without a panic, tokens are the text, and what
// has no macro outside of quotes comes out as it went in.
func FuzzExpand(f *testing.F) {
	for _, s := range []string{
		"SELECT $__timeFilter(time)", "$__timeInterval(a(b,c))", "'$__x", "/*/* */", "$a$ $a$", "$__", "$__interval_s(", "-- x", "`a\\", "SELECT 1;;", "#!x\n$__toTime()", "WITH (a) INSERT", "\xff$__fromTime\xff",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		tokens := lex(sql)
		if source(tokens) != sql {
			t.Fatalf("tokens %q are not the text %q", source(tokens), sql)
		}
		macro := false
		for _, tok := range tokens {
			if tok.text == "" {
				t.Fatal("an empty token")
			}
			macro = macro || tok.kind == tokenMacro
		}
		got, err := expand(sql, window21Nov)
		if !macro && (err != nil || got != sql) {
			t.Fatalf("without macros: got %q, %v", got, err)
		}
		var bad *badQuery
		if err != nil && !errors.As(err, &bad) {
			t.Fatalf("error %v is not the query's", err)
		}
		if again, err := expand(got, window21Nov); err == nil && again != got {
			t.Fatalf("expanded twice: %q, once: %q", again, got)
		}
		_, _ = statement(sql)
	})
}
