package export

import (
	"net/url"
	"strconv"
	"strings"
)

// sip rewrites a SIP message header by header. What is no SIP is blanked.
func (a *Anonymiser) sip(raw string) string {
	m := parseSIP(raw)
	if !m.isSIP() {
		return a.blank(raw)
	}
	m.start = a.startLine(m.start)
	contentType := m.get("content-type")
	encoded := m.get("content-encoding") != ""
	for i := range m.headers {
		h := &m.headers[i]
		if h.name == "" { // no header line
			h.value = a.blank(h.value)
			continue
		}
		h.value = a.header(h.canonical(), h.value)
	}
	before := len(m.body)
	switch {
	case encoded:
		m.body = strings.Repeat("x", before)
	default:
		m.body = a.body(contentType, m.body)
	}
	for i := range m.headers {
		h := &m.headers[i]
		// A length that was wrong stays wrong by as much.
		if n, err := strconv.Atoi(h.value); h.canonical() == "content-length" && err == nil {
			h.value = strconv.Itoa(max(0, n+len(m.body)-before))
		}
	}
	return m.String()
}

func (a *Anonymiser) startLine(s string) string {
	if strings.HasPrefix(s, "SIP/") {
		version, rest, _ := strings.Cut(s, " ")
		status, reason, ok := strings.Cut(rest, " ")
		if !ok {
			return version + " " + rest
		}
		return version + " " + status + " " + a.prose(reason)
	}
	method, rest, _ := strings.Cut(s, " ")
	uri, version, ok := cutLast(rest, " ")
	if !ok {
		return method + " " + a.opaque(rest)
	}
	return method + " " + a.anyURI(uri) + " " + version
}

// Headers by what they hold.
var (
	harmless = set("max-forwards", "content-length", "content-type", "content-encoding", "content-disposition", "content-language", "accept", "accept-encoding",
		"accept-language", "accept-contact", "reject-contact", "request-disposition", "allow", "allow-events", "supported", "require", "proxy-require", "unsupported",
		"expires", "min-expires", "session-expires", "min-se", "event", "subscription-state", "rseq", "rack", "cseq", "reason", "timestamp", "priority", "mime-version",
		"date", "privacy", "answer-mode", "priv-answer-mode", "p-early-media", "p-asserted-service", "p-preferred-service", "refer-sub", "refer-events-at", "suppress-if-match",
		"security-client", "security-server", "security-verify", "flow-timer", "recv-info", "info-package", "max-breadth", "feature-caps", "resource-priority", "accept-resource-priority")
	addressed = set("from", "to", "contact", "p-asserted-identity", "p-preferred-identity", "remote-party-id", "diversion", "history-info", "route", "record-route",
		"path", "service-route", "refer-to", "referred-by", "reply-to", "p-called-party-id", "p-associated-uri", "p-served-user", "p-profile-key", "alert-info",
		"call-info", "error-info", "identity-info", "p-refused-uri-list", "trigger-consent", "permission-missing")
	prosaic     = set("user-agent", "server", "retry-after", "warning")
	credentials = set("authorization", "proxy-authorization", "www-authenticate", "proxy-authenticate", "authentication-info", "proxy-authentication-info")
	dialogs     = set("replaces", "join", "target-dialog", "in-reply-to", "same-session")
)

func set(names ...string) map[string]bool {
	m := map[string]bool{}
	for _, n := range names {
		m[n] = true
	}
	return m
}

// header rewrites a header's value. The name is canonical.
func (a *Anonymiser) header(name, value string) string {
	switch {
	case harmless[name]:
		return value
	case addressed[name]:
		return a.eachOf(value, a.nameAddr)
	case name == "via":
		return a.eachOf(value, a.via)
	case name == "call-id":
		return a.p.id(value)
	case prosaic[name]:
		return a.prose(value)
	case credentials[name]:
		return a.credentials(value)
	case dialogs[name]:
		return a.eachOf(value, a.dialog)
	}
	return a.opaque(value)
}

// eachOf rewrites each element of a list.
func (a *Anonymiser) eachOf(value string, f func(string) string) string {
	list := splitList(value)
	for i, v := range list {
		core := strings.Trim(v, blanks)
		at := strings.Index(v, core)
		list[i] = v[:at] + f(core) + v[at+len(core):]
	}
	return strings.Join(list, ",")
}

func (a *Anonymiser) nameAddr(s string) string {
	n := parseNameAddr(s)
	n.display = a.display(n.display)
	if n.uri != "*" {
		n.uri = a.anyURI(n.uri)
	}
	n.params = a.params(n.params)
	return n.String()
}

// display rewrites a display name, whole and by its words.
func (a *Anonymiser) display(s string) string {
	return partOfWord.ReplaceAllStringFunc(s, func(word string) string {
		if publicNames[strings.ToLower(word)] {
			return word
		}
		return a.p.remember(word)
	})
}

// plainParams are the parameters of URIs and headers that say nothing about anyone,
// hostParams those that are an address, tagParams those that are a dialog's.
var (
	plainParams = set("transport", "method", "ttl", "lr", "ob", "comp", "rport", "alias", "q", "expires", "reason", "privacy", "counter", "screen", "party", "cause",
		"index", "rc", "mp", "np", "id", "cpc", "isub", "audio", "video", "text", "automata", "mobility", "class", "duplex", "priority", "methods", "events", "schemes",
		"actor", "isfocus", "reg-id", "pub-gruu-requested", "keep", "sigcomp-id", "early-only", "refresher", "purpose", "appearance", "limit", "r2", "sescase", "regstate", "orig", "npdi")
	hostParams = set("received", "maddr", "phone-context", "sent-by")
	tagParams  = set("tag", "branch", "from-tag", "to-tag", "ftag", "gr", "i")
)

// params rewrites parameters, which begin with a semicolon.
func (a *Anonymiser) params(s string) string {
	parts := splitParams(s)
	for i, p := range parts[1:] {
		parts[i+1] = a.param(p)
	}
	return strings.Join(parts, ";")
}

func (a *Anonymiser) param(s string) string {
	name, value, ok := strings.Cut(s, "=")
	n := strings.ToLower(strings.Trim(name, blanks))
	quoted := strings.HasPrefix(value, `"`)
	switch {
	case !ok || plainParams[n] || strings.HasPrefix(n, "+sip.") && n != "+sip.instance" || n == "user" && (value == "phone" || value == "ip" || value == "dialstring"):
		return s
	case tagParams[n]:
		return name + "=" + a.tag(value)
	case hostParams[n] && !quoted:
		if w, ok := a.address(value); ok {
			return name + "=" + w
		}
		if _, ok := parseURI(value); ok {
			return name + "=" + a.uri(value)
		}
		if strings.HasPrefix(value, "+") {
			return name + "=" + a.p.remember(value)
		}
		return name + "=" + a.p.host(value)
	}
	return name + "=" + a.opaque(value)
}

// branchCookie begins the branches of RFC 3261 and stays.
const branchCookie = "z9hG4bK"

// tag rewrites a tag or a branch.
func (a *Anonymiser) tag(s string) string {
	if rest, ok := strings.CutPrefix(s, branchCookie); ok {
		return branchCookie + a.p.remember(rest)
	}
	return a.p.remember(s)
}

func (a *Anonymiser) via(s string) string {
	parts := splitParams(s)
	protocol, by, ok := strings.Cut(strings.TrimRight(parts[0], blanks), " ")
	if !ok {
		return a.opaque(s)
	}
	parts[0] = protocol + " " + a.p.hostPort(strings.Trim(by, blanks))
	for i, p := range parts[1:] {
		parts[i+1] = a.param(p)
	}
	return strings.Join(parts, ";")
}

// dialog rewrites a Call-ID with the tags of a dialog.
func (a *Anonymiser) dialog(s string) string {
	id, params, ok := strings.Cut(s, ";")
	if !ok {
		return a.p.id(s)
	}
	return a.p.id(id) + a.params(";"+params)
}

// user rewrites a user part; its own parameters stay such.
func (a *Anonymiser) user(s string) string {
	name, params, ok := strings.Cut(s, ";")
	switch {
	case publicNames[strings.ToLower(name)]:
		return s
	case strings.Contains(name, ":"): // an address, or a user and its password
		if w, ok := a.address(name); ok {
			name = w
			break
		}
		user, password, _ := strings.Cut(name, ":")
		name = a.user(user) + ":" + a.p.word(password)
	case strings.Contains(name, "@"): // a user that is an address itself
		local, host, _ := cutLast(name, "@")
		name = a.p.remember(local) + "@" + a.p.host(host)
	case strings.Contains(name, "%"):
		name = a.escaped(name, a.p.remember)
	default:
		if w, ok := a.address(name); ok {
			name = w
		} else {
			name = a.p.remember(name)
		}
	}
	if ok {
		name += a.params(";" + params)
	}
	return name
}

// escaped rewrites percent-encoded text as what it means.
func (a *Anonymiser) escaped(s string, f func(string) string) string {
	plain, err := url.PathUnescape(s)
	if err != nil {
		return f(s)
	}
	return strings.ReplaceAll(url.QueryEscape(f(plain)), "+", "%20")
}

// anyURI rewrites a URI of any scheme.
func (a *Anonymiser) anyURI(s string) string {
	core := strings.Trim(s, "<> \t")
	if _, ok := parseURI(core); ok {
		return strings.Replace(s, core, a.uri(core), 1)
	}
	scheme, rest, ok := strings.Cut(s, ":")
	switch {
	case !ok:
		return a.opaque(s)
	case strings.EqualFold(scheme, "urn") && strings.HasPrefix(strings.ToLower(rest), "service:"):
		return s
	case strings.EqualFold(scheme, "mailto"):
		return scheme + ":" + a.p.id(rest)
	}
	if host, ok := strings.CutPrefix(rest, "//"); ok { // http and its like
		end := strings.IndexAny(host, "/?#")
		if end < 0 {
			end = len(host)
		}
		return scheme + "://" + a.p.hostPort(host[:end]) + a.p.word(host[end:])
	}
	return scheme + ":" + a.opaque(rest)
}

// uri rewrites a sip, sips or tel URI.
func (a *Anonymiser) uri(s string) string {
	u, ok := parseURI(s)
	if !ok {
		return a.opaque(s)
	}
	u.user, u.password = a.user(u.user+u.password), ""
	if u.host != "" {
		u.host = a.p.host(u.host)
	}
	params, headers, ok := strings.Cut(u.rest, "?")
	u.rest = a.params(params)
	if ok {
		list := strings.Split(headers, "&")
		for i, h := range list {
			name, value, _ := strings.Cut(h, "=")
			list[i] = name + "=" + a.escaped(value, func(plain string) string { return a.header((&sipHeader{name: name}).canonical(), plain) })
		}
		u.rest += "?" + strings.Join(list, "&")
	}
	return u.String()
}

// credentials rewrites challenges and answers to them.
func (a *Anonymiser) credentials(s string) string {
	scheme, params, ok := strings.Cut(s, " ")
	if !ok || strings.Contains(scheme, "=") {
		scheme, params = "", s
	}
	out := a.eachOf(params, func(p string) string {
		name, value, ok := strings.Cut(p, "=")
		if !ok {
			return a.opaque(p)
		}
		plain, quote := value, ""
		if strings.HasPrefix(value, `"`) {
			plain, quote = strings.Trim(value, `"`), `"`
		}
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "algorithm", "qop", "nc", "stale", "userhash", "charset":
			return p
		case "username":
			plain = a.user(plain)
		case "realm", "domain":
			if domainName.MatchString(plain) {
				plain = a.p.host(plain)
			} else if w, ok := a.address(plain); ok {
				plain = w
			} else {
				plain = a.display(plain)
			}
		case "uri":
			plain = a.anyURI(plain)
		default:
			plain = a.p.word(plain)
		}
		return name + "=" + quote + plain + quote
	})
	if scheme == "" {
		return out
	}
	return scheme + " " + out
}
