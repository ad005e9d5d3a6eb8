package filter

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// sqlToken is everything that the SQL of a filter may be made of.
var sqlToken = regexp.MustCompile("^(?:" + strings.Join([]string{
	"`([a-z0-9_]+)`",                 // a column
	`\{p([0-9]+):([A-Za-z0-9()]+)\}`, // a placeholder
	`(?:AND|OR|NOT|IN|LIKE)\b`,       // keywords
	`(?:match|if|ifNull|lower|arrayExists|arrayFirst|mapKeys|toUnixTimestamp64Micro|array|arrayConcat|arrayFilter|arrayMap|empty|notEmpty|extract|extractAll|substring|position|concat|toIPv6OrDefault|trimRight)\(`, // functions
	`k -> |x -> |\bk\b|\bx\b`,      // lambdas
	`m[0-9]+\b`,                    // messages of a call plan
	`[01]\b`,                       // constants
	`[()\[\]]|>=|<=|!=|[=<>,]|\s+`, // punctuation
}, "|") + ")")

var parameterTypes = map[string]bool{
	"String": true, "UInt8": true, "UInt16": true, "UInt32": true, "UInt64": true, "Int64": true, "Float64": true, "IPv6": true,
	"Array(String)": true, "Array(UInt8)": true, "Array(UInt16)": true, "Array(UInt32)": true, "Array(UInt64)": true, "Array(Int64)": true, "Array(Float64)": true, "Array(IPv6)": true,
}

// checkSQL checks that the text is made of allowed words alone: columns of the
// target, keywords, functions and placeholders of values that are there.
func checkSQL(target *Target, sql string, params *Params) error {
	columns := map[string]bool{}
	for _, f := range target.fields {
		for _, c := range f.columns {
			columns[c] = true
		}
	}
	for _, c := range target.maps {
		columns[c.Name] = true
	}
	depth := 0
	for rest := sql; rest != ""; {
		m := sqlToken.FindStringSubmatch(rest)
		if m == nil {
			return fmt.Errorf("%q at offset %d of %q", rest[:1], len(sql)-len(rest), sql)
		}
		switch {
		case m[1] != "" && !columns[m[1]]:
			return fmt.Errorf("%s is no column", m[1])
		case m[2] != "":
			var n int
			if _, err := fmt.Sscan(m[2], &n); err != nil || n >= len(params.args) || !parameterTypes[m[3]] {
				return fmt.Errorf("placeholder %s, with %d values", m[0], len(params.args))
			}
		}
		depth += strings.Count(m[0], "(") - strings.Count(m[0], ")")
		if m[2] == "" && depth < 0 {
			return fmt.Errorf("unbalanced parentheses in %q", sql)
		}
		rest = rest[len(m[0]):]
	}
	if depth != 0 {
		return fmt.Errorf("unbalanced parentheses in %q", sql)
	}
	return nil
}

// checkInput compiles any input for every target; it must give allowed SQL or
// an error with a position.
func checkInput(input string) error {
	check := func(err error) error {
		e, ok := err.(*Error)
		if !ok {
			return fmt.Errorf("%T: %w", err, err)
		}
		if e.Input != input || e.Pos < 0 || e.Pos > len(input) || e.Got == "" || e.Expected == "" {
			return fmt.Errorf("error without a position or text: %w (%+v)", e, *e)
		}
		lines := strings.Split(e.Caret(), "\n")
		if last := lines[len(lines)-1]; strings.TrimLeft(last, " ") != "^" {
			return fmt.Errorf("no caret in %q", e.Caret())
		}
		return nil
	}
	for _, target := range []*Target{Messages, Reports, Events} {
		var p Params
		sql, err := target.Compile(input, &p)
		if err == nil {
			err = checkSQL(target, sql, &p)
		} else {
			err = check(err)
		}
		if err != nil {
			return err
		}
	}
	var p Params
	plan, err := CompileCalls(input, &p)
	if err != nil {
		return check(err)
	}
	for _, sql := range append([]string{plan.Match, plan.Prefilter}, plan.Messages...) {
		if err := checkSQL(Calls, sql, &p); err != nil {
			return err
		}
	}
	return nil
}

// TestNothingEscapes checks expressions made of what an attacker would try, and
// of what the language is made of.
func TestNothingEscapes(t *testing.T) {
	var fields []string
	for _, f := range Calls.Fields() {
		fields = append(fields, f.Name)
	}
	piece := rapid.OneOf(
		rapid.SampledFrom(fields),
		rapid.SampledFrom([]string{"=", "!=", "<", ">", "<=", ">=", "like", "not", "in", "~", "!~", "and", "or", "AND", "(", ")", ",", "header.", "sip.", "hep.x", "4xx", "10.0.0.0/8", "::1", "500"}),
		rapid.SampledFrom([]string{"'", `"`, "`", `\`, `\'`, "--", "/*", "*/", ";", "{p0:String}", "?", "@p0", "$1", "' OR 1=1 --", "\") UNION SELECT 1 --", "x->y", "\x00", "\n", "%", "é", "\xff"}),
		rapid.StringN(0, 8, 16),
	)
	rapid.Check(t, func(t *rapid.T) {
		var b strings.Builder
		for _, s := range rapid.SliceOfN(piece, 0, 14).Draw(t, "pieces") {
			b.WriteString(s)
			b.WriteString(rapid.SampledFrom([]string{" ", "", " "}).Draw(t, "space"))
		}
		if err := checkInput(b.String()); err != nil {
			t.Fatalf("%q: %v", b.String(), err)
		}
	})
}

// TestValuesStayValues writes any value in quotes and finds it again, as it was,
// among the parameters and not in the text.
func TestValuesStayValues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.OneOf(rapid.String(), rapid.StringMatching(`[\\'"%{}:;pS0-9-]{0,12}`)).Draw(t, "value")
		quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value)
		field := rapid.SampledFrom([]string{"call_id", "raw", "header.X", `header "X y"`, "user_agent", "from_uri"}).Draw(t, "field")
		var p Params
		sql, err := Messages.Compile(field+` = "`+quoted+`"`, &p)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.args[len(p.args)-1].Value; got != value {
			t.Fatalf("value %q became %q", value, got)
		}
		if err := checkSQL(Messages, sql, &p); err != nil {
			t.Fatal(err)
		}
	})
}

// TestTextDoesNotDependOnValues writes the same expression with two sets of
// values: the SQL text is the same to the byte, so nothing of a value is in it.
func TestTextDoesNotDependOnValues(t *testing.T) {
	quote := func(v string) string { return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(v) + `"` }
	var texts []Field
	for _, f := range Calls.Fields() {
		if (f.Type == String || f.Type == List) && len(f.Values) == 0 {
			texts = append(texts, f)
		}
	}
	value := rapid.OneOf(rapid.String(), rapid.StringMatching(`[\\'"{}:;`+"`"+`?@p0S)(-]{0,12}`))
	rapid.Check(t, func(t *rapid.T) {
		var one, other strings.Builder
		for i := range rapid.IntRange(1, 6).Draw(t, "conditions") {
			word := ""
			if i > 0 {
				word = rapid.SampledFrom([]string{" and ", " or ", " and not "}).Draw(t, "word")
			}
			subject := rapid.SampledFrom(texts).Draw(t, "field").Name
			a, b := value.Draw(t, "value"), value.Draw(t, "other value")
			if a == "" || b == "" { // on calls, nothing is another question
				a, b = "", ""
			}
			if rapid.Bool().Draw(t, "header") {
				// The name of a header is a value, too.
				subject = "header "
				one.WriteString(word + subject + quote("h"+a) + " = " + quote(a))
				other.WriteString(word + subject + quote("h"+b) + " = " + quote(b))
				continue
			}
			op := rapid.SampledFrom([]string{" = ", " != ", " in "}).Draw(t, "operator")
			if op == " in " {
				one.WriteString(word + subject + op + "(" + quote(a) + ", " + quote(b) + ")")
				other.WriteString(word + subject + op + "(" + quote(b) + ", " + quote(a) + ")")
				continue
			}
			one.WriteString(word + subject + op + quote(a))
			other.WriteString(word + subject + op + quote(b))
		}
		var p, q Params
		first, err := CompileCalls(one.String(), &p)
		if err != nil {
			t.Fatal(err)
		}
		second, err := CompileCalls(other.String(), &q)
		if err != nil {
			t.Fatal(err)
		}
		// The ids and users are values themselves.
		first.IDs, first.OnIDs, second.IDs, second.OnIDs = nil, nil, nil, nil
		first.Users, second.Users = nil, nil
		if fmt.Sprint(first) != fmt.Sprint(second) {
			t.Fatalf("%s\nbecomes %v,\n%s\nbecomes %v", one.String(), first, other.String(), second)
		}
		if len(p.args) != len(q.args) {
			t.Fatalf("%d and %d values", len(p.args), len(q.args))
		}
	})
}

// TestCheckCanFail makes sure that the check sees what should not be there.
func TestCheckCanFail(t *testing.T) {
	for _, sql := range []string{"`call_id` = 'x'", "`password` = {p0:String}", "`call_id` = {p7:String}", "sleep(3)", "1 UNION SELECT 2", "(`call_id` = {p0:String}", "`call_id` = {p0:String}) OR (1", "1 -- x"} {
		p := Params{}
		p.Add("String", "x")
		if checkSQL(Messages, sql, &p) == nil {
			t.Errorf("%s passes", sql)
		}
	}
}

func FuzzFilter(f *testing.F) {
	for _, s := range []string{
		``, `from_user like "4930%" and status >= 500 and src_ip in 10.0.0.0/8`, `not (outcome = failed or status in (1, 2xx))`,
		`a = 'x\'' or "y"`, `((((`, `header.X ~ "(" `, `time > 5`, `codecs !~ x`, `header "X y" = 'z' and header.v ~ udp`, `ruri_uri like "sip:%" or contact_ip in 10.0.0.0/8`, `duration > 1m30s and time > "2026-03-29 02:30 Europe/Berlin"`, `ip = ::ffff:1.2.3.4`, "\xff = \x00",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, input string) {
		if err := checkInput(input); err != nil {
			t.Errorf("%q: %v", input, err)
		}
	})
}
