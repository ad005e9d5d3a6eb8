package cli

import (
	"errors"
	"slices"
	"strings"

	"github.com/heplake/heplake/query/filter"
)

// Completion is a way to go on.
type Completion struct {
	Text string // the whole expression with it
	Word string // what it ends in
	Doc  string // what that is, on one line
}

// CompleteFilter tells how the last word of an expression may go on: with a
// field, an operator that the field takes, one of a field's few values, or what
// joins conditions. Inside quotes nothing is known.
func CompleteFilter(input string) []Completion {
	tokens, open := filterTokens(input)
	if open {
		return nil
	}
	word, before := "", input
	if n := len(tokens); n > 0 && strings.HasSuffix(input, tokens[n-1]) && !quotedToken(tokens[n-1]) && !isOperator(tokens[n-1]) && !strings.ContainsAny(tokens[n-1], "(),") {
		word, tokens = tokens[n-1], tokens[:n-1]
		before = strings.TrimSuffix(input, word)
	}
	var out []Completion
	add := func(text, doc string) {
		if len(text) > len(word) && strings.EqualFold(text[:len(word)], word) {
			out = append(out, Completion{before + text, text, doc})
		}
	}
	expected, field := filterState(tokens)
	switch expected {
	case wantField:
		for _, f := range fields() {
			add(f.Name, f.Doc)
		}
		add("not", "the condition does not hold")
	case wantOperator:
		for _, op := range field.Ops() {
			add(op.String(), "")
		}
	case wantValue:
		for _, v := range field.Values {
			add(v, "")
		}
	case wantJoiner:
		add("and", "both hold")
		add("or", "one of them holds")
	}
	return out
}

// JoinFilter is the filter that a command's arguments make: one as it is, several
// joined by blanks, so that a simple filter needs no quotes. The shell has taken
// those around a value; one that needs them gets them back.
func JoinFilter(args []string) string {
	if len(args) == 1 {
		return args[0]
	}
	out := ""
	for i, a := range args {
		tokens, _ := filterTokens(out)
		if want, _ := filterState(tokens); want == wantValue && !strings.HasPrefix(a, "(") && (a == "" || strings.ContainsAny(a, " \t\r\n(),\"'")) {
			a = FilterString(a)
		}
		if i > 0 {
			out += " "
		}
		out += a
	}
	return out
}

// fields are those of a search for calls, in the order of their names.
func fields() []filter.Field {
	out := slices.Clone(filter.Calls.Fields())
	slices.SortFunc(out, func(a, b filter.Field) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// CheckFilter tells what is wrong with an expression, as far as can be told
// here, and where in it, in characters from 1. The API has the last word.
func CheckFilter(input string) (column int, err error) {
	var p filter.Params
	if _, err = filter.CompileCalls(input, &p); err == nil {
		return 0, nil
	}
	if e := (*filter.Error)(nil); errors.As(err, &e) {
		return e.Column(), err
	}
	return 0, err
}

// expectation is what may stand at a place of an expression.
type expectation int

const (
	wantField expectation = iota
	wantOperator
	wantValue
	wantJoiner
)

// filterState tells what comes after these tokens.
func filterState(tokens []string) (expectation, filter.Field) {
	want, field := wantField, filter.Field{}
	list := false
	for _, t := range tokens {
		switch lower := strings.ToLower(t); want {
		case wantField:
			if lower == "not" || t == "(" {
				continue
			}
			want = wantJoiner // a value alone
			for _, f := range filter.Calls.Fields() {
				if f.Name == lower {
					field, want = f, wantOperator
				}
			}
		case wantOperator:
			if lower != "not" {
				want, list = wantValue, false
			}
		case wantValue:
			switch {
			case t == "(":
				list = true
			case t == ",":
			case t == ")":
				want, list = wantJoiner, false
			case !list:
				want = wantJoiner
			}
		case wantJoiner:
			if lower == "and" || lower == "or" {
				want = wantField
			}
		}
	}
	return want, field
}

// filterTokens parts an expression into words, strings, operators and marks;
// open says that a string has no end.
func filterTokens(s string) (tokens []string, open bool) {
	for i := 0; i < len(s); {
		c := s[i]
		j := i + 1
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
			continue
		case c == '(' || c == ')' || c == ',':
		case c == '"' || c == '\'':
			for j < len(s) && s[j] != c {
				if s[j] == '\\' {
					j++
				}
				j++
			}
			if j >= len(s) {
				return tokens, true
			}
			j++
		case strings.IndexByte("=!<>~", c) >= 0:
			for j < len(s) && strings.IndexByte("=!<>~", s[j]) >= 0 {
				j++
			}
		default:
			for j < len(s) && strings.IndexByte(" \t\r\n(),\"'=!<>~", s[j]) < 0 {
				j++
			}
		}
		tokens = append(tokens, s[i:j])
		i = j
	}
	return tokens, false
}

func quotedToken(t string) bool { return t != "" && (t[0] == '"' || t[0] == '\'') }
func isOperator(t string) bool  { return t != "" && strings.IndexByte("=!<>~", t[0]) >= 0 }

// CompleteTime lists forms of a time that --since and --until take.
func CompleteTime(until bool) []Completion {
	out := []Completion{
		{Word: "15m", Doc: "a quarter of an hour ago"}, {Word: "1h", Doc: "an hour ago"}, {Word: "24h", Doc: "a day of hours ago"},
		{Word: "7d", Doc: "a week ago, at this time of day"}, {Word: "today", Doc: "midnight"}, {Word: "yesterday", Doc: "midnight before that"},
		{Word: "14:30", Doc: "a time of day, the last one"}, {Word: "2026-11-20", Doc: "a day"}, {Word: "2026-11-20T14:30:00Z", Doc: "RFC 3339"},
	}
	if until {
		out = append([]Completion{{Word: "now", Doc: "the present"}}, out...)
		for i := range out {
			if out[i].Word == "today" || out[i].Word == "yesterday" || out[i].Word == "2026-11-20" {
				out[i].Doc = "the end of that day"
			}
		}
	}
	return out
}
