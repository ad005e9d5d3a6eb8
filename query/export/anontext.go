package export

import (
	"net/netip"
	"regexp"
	"strings"
)

// This file gives pseudonyms to text that has no grammar, or none that is worth
// following.

var (
	uriInText = regexp.MustCompile(`(?i)\b(?:sips?|tel|pres|im):[^\s<>"',)]+`)
	// wordInText is what a name, an address or a Call-ID may be made of.
	wordInText = regexp.MustCompile(`[\pL\pN_+@.:!~*\-\[\]]+`)
	partOfWord = regexp.MustCompile(`[\pL\pN]+`)
	domainName = regexp.MustCompile(`^(?:[A-Za-z0-9_-]+\.)+[A-Za-z][A-Za-z0-9-]*\.?$`)
	macAddress = regexp.MustCompile(`^(?:[0-9A-Fa-f]{12}|[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5})$`)
	longNumber = regexp.MustCompile(`^\+?[0-9]{6,}$`)
)

// prose rewrites text that is mostly harmless (a reason phrase, a User-Agent):
// URIs, addresses, long numbers, and what is known to be somebody's.
func (a *Anonymiser) prose(s string) string {
	if w, ok := a.p.known[s]; ok {
		return w
	}
	return a.outside(s, uriInText, a.uri, func(text string) string {
		return wordInText.ReplaceAllStringFunc(text, a.proseWord)
	})
}

// outside rewrites what matches by inside, and the rest by rest.
func (a *Anonymiser) outside(s string, what *regexp.Regexp, inside, rest func(string) string) string {
	var b strings.Builder
	from := 0
	for _, m := range what.FindAllStringIndex(s, -1) {
		b.WriteString(rest(s[from:m[0]]) + inside(s[m[0]:m[1]]))
		from = m[1]
	}
	return b.String() + rest(s[from:])
}

func (a *Anonymiser) proseWord(s string) string {
	word := strings.TrimRight(s, ".:!")
	tail := s[len(word):]
	if w, ok := a.p.known[word]; ok {
		return w + tail
	}
	if w, ok := a.address(word); ok {
		return w + tail
	}
	if macAddress.MatchString(word) || longNumber.MatchString(word) {
		return a.p.word(word) + tail
	}
	if local, host, ok := cutLast(word, "@"); ok {
		return a.p.word(local) + "@" + a.p.host(host) + tail
	}
	if domainName.MatchString(word) && a.knownDomain(word) {
		return a.p.host(word) + tail
	}
	return partOfWord.ReplaceAllStringFunc(word, func(part string) string {
		if w, ok := a.p.known[part]; ok {
			return w
		}
		if longNumber.MatchString(part) {
			return a.p.word(part)
		}
		return part
	}) + tail
}

// knownDomain reports whether the name lies below a domain that was seen as one.
func (a *Anonymiser) knownDomain(name string) bool {
	for name = strings.ToLower(strings.TrimSuffix(name, ".")); ; {
		if _, ok := a.p.known[name]; ok {
			return true
		}
		_, parent, ok := strings.Cut(name, ".")
		if !ok || !strings.Contains(parent, ".") {
			return false
		}
		name = parent
	}
}

// address rewrites an IP address, with or without a port.
func (a *Anonymiser) address(s string) (string, bool) {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return a.p.addrPort(ap).String(), true
	}
	bare := strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")
	if _, err := netip.ParseAddr(bare); err == nil && strings.ContainsAny(bare, ".:") {
		return a.p.host(s), true
	}
	return "", false
}

var opaqueToken = regexp.MustCompile(`[^\s<>"',;=()?&]+`)

// opaque makes text unreadable that may be anything: every word of it becomes its
// pseudonym, addresses and domains as such.
func (a *Anonymiser) opaque(s string) string {
	return opaqueToken.ReplaceAllStringFunc(s, func(token string) string {
		if _, ok := parseURI(token); ok {
			return a.uri(token)
		}
		if w, ok := a.address(token); ok {
			return w
		}
		if strings.Contains(token, "@") {
			return a.p.id(token)
		}
		if domainName.MatchString(token) {
			return a.p.host(token)
		}
		return a.p.word(token)
	})
}

// speakable are the words of logs that stay: they are nobody's.
var speakable = map[string]bool{
	"INVITE": true, "ACK": true, "BYE": true, "CANCEL": true, "REGISTER": true, "OPTIONS": true, "PRACK": true, "UPDATE": true, "INFO": true, "REFER": true,
	"NOTIFY": true, "SUBSCRIBE": true, "MESSAGE": true, "PUBLISH": true, "SIP": true, "SDP": true, "RTP": true, "RTCP": true,
	"NOTICE": true, "WARNING": true, "ERROR": true, "DEBUG": true, "CRITICAL": true,
}

// blank makes a text unreadable, and leaves its length, its line breaks, and
// those words in it that have a pseudonym or are nobody's.
func (a *Anonymiser) blank(s string) string {
	return a.outside(s, uriInText, a.uri, func(text string) string {
		return wordInText.ReplaceAllStringFunc(strings.ToValidUTF8(text, "?"), func(s string) string {
			word := strings.TrimRight(s, ".:!")
			tail := s[len(word):]
			if w, ok := a.p.known[word]; ok {
				return w + tail
			}
			if w, ok := a.address(word); ok {
				return w + tail
			}
			return partOfWord.ReplaceAllStringFunc(word, func(part string) string {
				if w, ok := a.p.known[part]; ok {
					return w
				}
				if speakable[part] {
					return part
				}
				return strings.Repeat("x", len([]rune(part)))
			}) + tail
		})
	})
}
