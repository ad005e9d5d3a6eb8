package plugin

import (
	"slices"
	"strings"
)

// readers are the words that a statement may begin with.
var readers = []string{"SELECT", "WITH", "SHOW", "DESCRIBE", "DESC", "EXPLAIN", "EXISTS"}

// writers are words that change something, wherever a statement allows them
// outside of parentheses.
var writers = []string{"INSERT", "ALTER", "CREATE", "DROP", "TRUNCATE", "DELETE", "UPDATE", "SET", "SYSTEM", "KILL", "GRANT", "REVOKE", "ATTACH", "DETACH", "RENAME", "OPTIMIZE"}

// statement checks that the SQL is one statement that reads, and returns its
// tokens without what follows the last of them.
//
// It is there for a clear message. What keeps users from writing is ClickHouse:
// the user's rights, and readonly = 2, which goes with every query.
func statement(sql string) ([]token, error) {
	tokens := lex(sql)
	// An end without anything behind it is no second statement.
	for len(tokens) > 0 && (tokens[len(tokens)-1].kind == tokenSpace || tokens[len(tokens)-1].kind == tokenSemicolon) {
		tokens = tokens[:len(tokens)-1]
	}
	first, depth := "", 0
	var last token // the word before, at depth 0
	for i, t := range tokens {
		switch t.kind {
		case tokenOpen:
			depth++
		case tokenClose:
			depth--
		case tokenSemicolon:
			return nil, macroError(sql, t, "only one statement at a time: leave out what follows the semicolon")
		case tokenWord:
			word := strings.ToUpper(t.text)
			if first == "" {
				first = word
				if !slices.Contains(readers, word) {
					return nil, macroError(sql, t, "a query may only read: want %s, got %s", strings.Join(readers, ", "), t.text)
				}
				continue
			}
			if depth != 0 {
				continue
			}
			if first == "WITH" && slices.Contains(writers, word) && startsStatement(tokens[:i]) {
				return nil, macroError(sql, t, "a query may only read: %s is not allowed", word)
			}
			if strings.EqualFold(last.text, "FORMAT") && last.kind == tokenWord && first != "SHOW" && word != "ASC" && word != "DESC" && endsStatement(tokens[i+1:]) {
				return nil, macroError(sql, last, "leave out FORMAT: the data source reads ClickHouse's native format")
			}
			last = t
			continue
		}
		if t.kind != tokenSpace {
			last = token{}
		}
	}
	if first == "" {
		return nil, badQueryf("the query has no SQL")
	}
	return tokens, nil
}

// startsStatement reports whether the tokens end where the statement behind a
// WITH can begin: after the closing parenthesis of its last part.
func startsStatement(before []token) bool {
	for i := len(before) - 1; i >= 0; i-- {
		if before[i].kind != tokenSpace {
			return before[i].text == ")"
		}
	}
	return false
}

// endsStatement reports whether nothing but SETTINGS follows.
func endsStatement(after []token) bool {
	for _, t := range after {
		if t.kind != tokenSpace {
			return t.kind == tokenWord && strings.EqualFold(t.text, "SETTINGS")
		}
	}
	return true
}

// source is the text of tokens.
func source(tokens []token) string {
	var b strings.Builder
	for _, t := range tokens {
		b.WriteString(t.text)
	}
	return b.String()
}
