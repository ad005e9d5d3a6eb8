package plugin

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// macroValues are what the macros stand for in one query.
type macroValues struct {
	from, to time.Time
	step     time.Duration // whole seconds
}

func newMacroValues(q question) macroValues {
	r := q.TimeRange
	return macroValues{from: r.From, to: r.To, step: step(q.Interval, r.To.Sub(r.From), q.MaxDataPoints)}
}

// macro is the SQL of a macro for its arguments.
type macro struct {
	args int
	sql  func(v macroValues, args []string) string
}

// macros by name, without the prefix.
//
// The window's ends are constants, so that ClickHouse can leave out partitions
// and granules by them, and are exact to the µs for columns of any precision.
var macros = map[string]macro{
	"timeFilter":    {1, timeFilter},
	"timeFilter_ms": {1, timeFilter}, // the name that other data sources have for DateTime64
	"fromTime":      {0, func(v macroValues, _ []string) string { return moment(v.from) }},
	"toTime":        {0, func(v macroValues, _ []string) string { return moment(v.to) }},
	"timeInterval": {1, func(v macroValues, args []string) string {
		return fmt.Sprintf("toStartOfInterval(toDateTime(%s, 'UTC'), INTERVAL %d SECOND)", args[0], int64(v.step/time.Second))
	}},
	"interval_s":  {0, func(v macroValues, _ []string) string { return strconv.FormatInt(int64(v.step/time.Second), 10) }},
	"interval_ms": {0, func(v macroValues, _ []string) string { return strconv.FormatInt(v.step.Milliseconds(), 10) }},
}

// ordered is what the columns are called by whose hour heplake's tables are ordered,
// with the table before it or not.
var ordered = regexp.MustCompile("^(?:[A-Za-z0-9_`]+\\.){0,2}`?(?:time|start)`?$")

// timeFilter bounds the hour as well where it is the tables' own time: their order
// begins with the hour, and ClickHouse does not conclude from the time alone which
// hours are meant.
func timeFilter(v macroValues, args []string) string {
	column := args[0]
	hours := ""
	if ordered.MatchString(column) {
		hours = fmt.Sprintf("toStartOfHour(%s) >= %s AND toStartOfHour(%s) <= %s AND ", column, hour(v.from), column, hour(v.to))
	}
	return fmt.Sprintf("(%s%s >= %s AND %s < %s)", hours, column, moment(v.from), column, moment(v.to))
}

// hour is the hour that a time lies in, as an SQL constant of the range of DateTime.
func hour(t time.Time) string {
	seconds := min(max(t.Unix(), 0), math.MaxUint32)
	return fmt.Sprintf("toDateTime(%d, 'UTC')", seconds-seconds%3600)
}

// moment is a point in time as an SQL constant.
func moment(t time.Time) string {
	return fmt.Sprintf("fromUnixTimestamp64Micro(%d, 'UTC')", t.UnixMicro())
}

// expand replaces the macros in SQL. What stands in strings, quoted names and
// comments is left alone. Macros may stand in the arguments of macros.
func expand(sql string, v macroValues) (string, error) {
	return expandTokens(sql, lex(sql), v)
}

func expandTokens(sql string, tokens []token, v macroValues) (string, error) {
	var b strings.Builder
	for i := 0; i < len(tokens); i++ {
		t := tokens[i]
		if t.kind != tokenMacro {
			b.WriteString(t.text)
			continue
		}
		name := t.text[len(macroPrefix):]
		m, ok := macros[name]
		if !ok {
			return "", macroError(sql, t, "there is no macro %s: want %s", t.text, macroNames())
		}
		args, end := arguments(tokens, i+1)
		switch {
		case m.args == 0 && end < 0 || m.args == 0 && len(args) > 0:
			// Without arguments the parentheses are the query's own, unless they
			// are empty: $__interval_s() is fine too.
			b.WriteString(m.sql(v, nil))
			continue
		case m.args > 0 && end < 0:
			return "", macroError(sql, t, "%s needs %d argument in parentheses", t.text, m.args)
		case m.args != len(args):
			return "", macroError(sql, t, "%s has %d arguments, want %d", t.text, len(args), m.args)
		}
		values := make([]string, len(args))
		for j, arg := range args {
			value, err := expandTokens(sql, arg, v)
			if err != nil {
				return "", err
			}
			if values[j] = strings.TrimSpace(value); values[j] == "" {
				return "", macroError(sql, t, "an argument of %s is empty", t.text)
			}
		}
		b.WriteString(m.sql(v, values))
		i = end
	}
	return b.String(), nil
}

// arguments are the tokens of each argument of a macro whose name ends before
// at, and the index of the closing parenthesis; -1 without parentheses.
func arguments(tokens []token, at int) (args [][]token, end int) {
	for at < len(tokens) && tokens[at].kind == tokenSpace {
		at++
	}
	if at >= len(tokens) || tokens[at].text != "(" {
		return nil, -1
	}
	depth, begin := 0, at+1
	for i := at; i < len(tokens); i++ {
		switch tokens[i].kind {
		case tokenOpen:
			depth++
		case tokenClose:
			depth--
			if depth == 0 {
				if arg := tokens[begin:i]; len(args) > 0 || !blank(arg) {
					args = append(args, arg)
				}
				return args, i
			}
		case tokenComma:
			if depth == 1 {
				args = append(args, tokens[begin:i])
				begin = i + 1
			}
		}
	}
	return nil, -1
}

func blank(tokens []token) bool {
	return !slices.ContainsFunc(tokens, func(t token) bool { return t.kind != tokenSpace })
}

func macroNames() string {
	var names []string
	for name, m := range macros {
		if m.args > 0 {
			name += "(column)"
		}
		names = append(names, macroPrefix+name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// macroError is an error about a token, with its place in the text.
func macroError(sql string, t token, format string, args ...any) error {
	before := sql[:t.at]
	line := strings.Count(before, "\n") + 1
	column := len([]rune(before[strings.LastIndexByte(before, '\n')+1:])) + 1
	return badQueryf("SQL, line %d, column %d: %s", line, column, fmt.Sprintf(format, args...))
}

// buckets reports whether the SQL puts times into buckets, which makes its
// result a series whatever else is in it.
func buckets(tokens []token) bool {
	return slices.ContainsFunc(tokens, func(t token) bool {
		switch t.kind {
		case tokenMacro:
			return strings.HasPrefix(t.text, macroPrefix+"timeInterval") || strings.HasPrefix(t.text, macroPrefix+"interval_")
		case tokenWord:
			word := strings.ToLower(t.text)
			return strings.HasPrefix(word, "tostartof") || strings.HasPrefix(word, "tumble") ||
				word == "date_trunc" || word == "datetrunc" || word == "timeslot"
		}
		return false
	})
}
