package calls

import (
	"slices"
	"strings"
)

// party is the user part of a URI, to be compared with others.
type party struct {
	// text is the digits of a number without leading zeros, else the name in lower
	// case.
	text   string
	number bool
}

// parties reads user parts and leaves out those that name nobody.
func parties(users ...string) []party {
	out := make([]party, 0, len(users))
	for _, u := range users {
		if i := strings.IndexAny(u, ";:"); i >= 0 {
			u = u[:i]
		}
		if p := newParty(u); p.text != "" && !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out
}

func newParty(user string) party {
	digits := strings.TrimPrefix(user, "+")
	if strings.Trim(digits, "0123456789") == "" {
		return party{strings.TrimLeft(digits, "0"), true} // "00" and "0" go before numbers as "+" does
	}
	if strings.Trim(user, "0123456789+-.()*# ") == "" {
		digits = strings.Map(func(r rune) rune {
			if r < '0' || r > '9' {
				return -1
			}
			return r
		}, user)
		return party{strings.TrimLeft(digits, "0"), true}
	}
	switch name := strings.ToLower(user); name {
	case "anonymous", "unknown", "unavailable", "restricted", "private", "asterisk":
		return party{}
	default:
		return party{text: name}
	}
}

// same reports whether any two are the same: equal, or numbers of which one ends
// like the other.
func same(a, b []party, minDigits int) bool {
	for _, x := range a {
		for _, y := range b {
			if x == y {
				return true
			}
			if x.number && y.number && min(len(x.text), len(y.text)) >= minDigits && (strings.HasSuffix(x.text, y.text) || strings.HasSuffix(y.text, x.text)) {
				return true
			}
		}
	}
	return false
}

// key is what a party has in common with those that are the same.
func (p party) key(minDigits int) string {
	if p.number && len(p.text) >= minDigits {
		return p.text[len(p.text)-minDigits:]
	}
	return "=" + p.text
}
