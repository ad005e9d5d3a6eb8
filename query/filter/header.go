package filter

import (
	"regexp"
	"strings"

	"github.com/heplake/heplake/schema"
)

// This file makes conditions on what no column holds: any header, and URIs as a
// whole. They are read out of the message itself, which costs reading it.

// compactForms are the one-letter names of headers by their long ones, in lower
// case (RFC 3261 section 7.3.3 and the IANA registry of SIP header fields).
var compactForms = map[string]string{
	"accept-contact": "a", "referred-by": "b", "content-type": "c", "request-disposition": "d", "content-encoding": "e",
	"from": "f", "call-id": "i", "reject-contact": "j", "supported": "k", "content-length": "l", "contact": "m",
	"identity-info": "n", "event": "o", "refer-to": "r", "subject": "s", "to": "t", "allow-events": "u", "via": "v",
	"session-expires": "x", "identity": "y",
}

// longForms are the long names by the short ones.
var longForms = func() map[string]string {
	out := map[string]string{}
	for long, short := range compactForms {
		out[short] = long
	}
	return out
}()

// headerName is a regular expression for the name of a header in either form.
func headerName(name string) string {
	lower := strings.ToLower(name)
	if long, ok := longForms[lower]; ok {
		lower = long
	}
	pattern := regexp.QuoteMeta(lower)
	if short, ok := compactForms[lower]; ok {
		pattern = "(?:" + pattern + "|" + short + ")"
	}
	return pattern
}

// headerPattern finds the values of a header in the head of a message, folded
// ones included (RFC 3261 section 7.3.1).
func headerPattern(name string) string {
	return `(?im)^` + headerName(name) + `[ \t]*:[ \t]*((?:[^\r\n]|\r?\n[ \t]+)*)`
}

// uriPatterns find the URI in the first value of From, To or Contact: in angle
// brackets, and bare. A bare one ends at a semicolon (RFC 3261 section 20.10).
func uriPatterns(name string) (bracketed, bare string) {
	head := `(?im)^` + headerName(name) + `[ \t]*:\s*`
	return head + `(?:"(?:[^"\\]|\\.)*"|[^<"\r\n]*)\s*<\s*([^>\r\n]*)`, head + `([^<>;,\s"]+)`
}

// requestLine finds the Request-URI.
const requestLine = `^[^ \r\n:]+ +([^ \r\n]+) +SIP/`

// headEnd parts the head of a message from its body.
const headEnd = "\r\n\r\n"

// headerValues is the list of the values that a message has of a header: those
// kept, and those of the message; a list of "" when there are none.
func (c *compiler) headerValues(name string) string {
	kept := "arrayFilter(x -> notEmpty(x), array(" + c.mapValue("`headers`", name) + "))"
	end := c.params.Add("String", headEnd)
	head := "substring(`raw`, 1, position(concat(`raw`, " + end + "), " + end + "))"
	found := "arrayMap(x -> trimRight(x), extractAll(" + head + ", " + c.params.Add("String", headerPattern(name)) + "))"
	all := "arrayConcat(" + kept + ", " + found + ")"
	return "if(empty(" + all + "), array(" + c.params.Add("String", "") + "), " + all + ")"
}

// TrunksView stands, in conditions on trunks, for the view of that name, qualified
// by its database: whoever runs the query puts it in its place.
const TrunksView = "{trunks}"

// computedFields are the fields of a message that are computed of its columns.
func computedFields() []Field {
	var out []Field
	add := func(name, doc, column string, t Type, sqlType string, s side, computed func(c *compiler, ident string) string) {
		out = append(out, Field{Name: name, Doc: doc, Scope: Record, Type: t, sqlType: sqlType, columns: []string{column}, side: s, computed: computed})
	}
	request := func(c *compiler, ident string) string {
		return "extract(" + ident + ", " + c.params.Add("String", requestLine) + ")"
	}
	uri := func(name string) func(*compiler, string) string {
		bracketed, bare := uriPatterns(name)
		return func(c *compiler, ident string) string {
			in := "extract(" + ident + ", " + c.params.Add("String", bracketed) + ")"
			return "if(notEmpty(" + in + "), " + in + ", extract(" + ident + ", " + c.params.Add("String", bare) + "))"
		}
	}
	add("ruri_uri", "Request-URI, whole; empty on a response.", "raw", String, "String", requestSide, request)
	add("from_uri", "URI of From, whole.", "raw", String, "String", anySide, uri("From"))
	add("to_uri", "URI of To, whole.", "raw", String, "String", anySide, uri("To"))
	add("contact_uri", "URI of the first Contact, whole.", "raw", String, "String", anySide, uri("Contact"))
	ip := func(c *compiler, ident string) string {
		return "toIPv6OrDefault(extract(" + ident + ", " + c.params.Add("String", `^\[?([0-9A-Fa-f:.]+)\]?$`) + "))"
	}
	add("contact_ip", "Host of the first Contact where it is an address.", "contact_host", Address, "IPv6", anySide, ip)
	trunk := func(_ *compiler, ident string) string { return schema.TrunkSQL(ident, TrunksView) }
	add("src_trunk", "Trunk (setting trunks) that the sender of the packet belongs to; empty for none.", "src_ip", String, "String", anySide, trunk)
	add("dst_trunk", "Trunk that its receiver belongs to; empty for none.", "dst_ip", String, "String", anySide, trunk)
	add("trunk", "Trunk that either belongs to.", "src_ip", String, "String", anySide, trunk)
	out[len(out)-1].columns = []string{"src_ip", "dst_ip"}
	add("originator_ip", "Host of the bottom-most Via where it is an address: who began the request.", "via_host", Address, "IPv6", anySide, ip)
	return out
}
