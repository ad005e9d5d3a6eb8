package migrate

import (
	"slices"
	"strings"
)

// engineClauses are the clauses of a table engine that splitEngine knows.
var engineClauses = []string{"PARTITION BY", "PRIMARY KEY", "ORDER BY", "SAMPLE BY", "TTL", "SETTINGS"}

// splitEngine splits system.tables.engine_full ("MergeTree PARTITION BY a ORDER
// BY b TTL c SETTINGS d = 1") into its clauses by keyword. Keywords inside
// parentheses and quotes do not count.
func splitEngine(full string) map[string]string {
	out := map[string]string{}
	clause, from := "", 0
	topLevel(full, func(i int) bool {
		if full[i] != ' ' {
			return true
		}
		for _, k := range engineClauses {
			if strings.HasPrefix(full[i+1:], k+" ") {
				out[clause] = full[from:i]
				clause, from = k, i+len(k)+2
			}
		}
		return true
	})
	if from <= len(full) {
		out[clause] = full[from:]
	}
	return out
}

// splitSettings splits "a = 1, b = 'x'" by name.
func splitSettings(clause string) map[string]string {
	out := map[string]string{}
	put := func(s string) {
		if name, value, ok := strings.Cut(s, " = "); ok {
			out[strings.TrimSpace(name)] = strings.TrimSpace(value)
		}
	}
	from := 0
	topLevel(clause, func(i int) bool {
		if clause[i] == ',' {
			put(clause[from:i])
			from = i + 1
		}
		return true
	})
	put(clause[from:])
	return out
}

// topLevel calls fn with the offset of each byte of s that is outside of
// parentheses and quotes, until fn returns false.
func topLevel(s string, fn func(i int) bool) {
	depth := 0
	var quote byte
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case quote != 0:
			if c == '\\' {
				i++
			} else if c == quote {
				quote = 0
			}
		case c == '\'' || c == '`' || c == '"':
			quote = c
		case c == '(':
			depth++
		case c == ')':
			depth--
		case depth == 0 && !fn(i):
			return
		}
	}
}

// widens says that every value of the ClickHouse type from is the same value in
// to, so that a column can be changed without loss. LowCardinality may come and
// go; integers and floats may grow; arrays and maps follow their elements.
func widens(from, to string) bool {
	if from == to {
		return true
	}
	if a, ok := wrapped(from, "LowCardinality"); ok {
		return widens(a, to)
	}
	if b, ok := wrapped(to, "LowCardinality"); ok {
		return widens(from, b)
	}
	if a, ok := wrapped(from, "Array"); ok {
		b, ok := wrapped(to, "Array")
		return ok && widens(a, b)
	}
	if a, ok := wrapped(from, "Map"); ok {
		b, ok := wrapped(to, "Map")
		if !ok {
			return false
		}
		ak, av, okA := cutTopLevel(a)
		bk, bv, okB := cutTopLevel(b)
		return okA && okB && widens(ak, bk) && widens(av, bv)
	}
	for _, ladder := range [][]string{
		{"UInt8", "UInt16", "UInt32", "UInt64"},
		{"Int8", "Int16", "Int32", "Int64"},
		{"UInt8", "Int16", "Int32", "Int64"},
		{"UInt16", "Int32", "Int64"},
		{"UInt32", "Int64"},
		{"Float32", "Float64"},
	} {
		if i, j := slices.Index(ladder, from), slices.Index(ladder, to); i >= 0 && j > i {
			return true
		}
	}
	return false
}

// wrapped returns what stands in outer(…).
func wrapped(typ, outer string) (string, bool) {
	inner, ok := strings.CutPrefix(typ, outer+"(")
	if !ok {
		return "", false
	}
	return strings.CutSuffix(inner, ")")
}

// cutTopLevel cuts "a, b" at its first comma outside of parentheses.
func cutTopLevel(s string) (a, b string, ok bool) {
	at := -1
	topLevel(s, func(i int) bool {
		if s[i] == ',' {
			at = i
			return false
		}
		return true
	})
	if at < 0 {
		return "", "", false
	}
	return s[:at], strings.TrimSpace(s[at+1:]), true
}
