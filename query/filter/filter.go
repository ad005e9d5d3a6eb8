// Package filter is heplake's filter language: conditions on SIP messages and
// on calls, written as `field op value`, joined by and, or, not and
// parentheses, and compiled to SQL whose values are query parameters.
//
//	from_user like "4930%" and status >= 500 and src_ip in 10.0.0.0/8
//	method = INVITE and (status in (486, 600) or status = 5xx)
//	outcome = failed and not user_agent like "friendly-scanner%"
//	pdd_ms > 3000 or mos_min < 3.5
//	header.X-Trunk = "berlin" and raw ~ "(?i)x-debug: *on"
//	1-15155@127.0.0.1
//
// # Words
//
// Keywords (and, or, not, in, like) and field names are written in any case.
// `not` binds tighter than `and`, `and` tighter than `or`.
//
// A value is a bare word, a number, or a string in single or double quotes.
// A bare word ends at white space, a comma, a parenthesis or a quote. In a
// quoted string \\, \", \', \n, \r and \t stand for themselves; any other
// backslash stays, so that "\d+" is a regular expression without doubling.
//
// # Operators
//
//	= !=              equal, not equal
//	< > <= >=         on numbers and times
//	like, not like    with % for any run of characters, _ for one; \% and \_ literally
//	~ !~              RE2 regular expression, found anywhere in the value
//	in, not in        a list in parentheses; on addresses also networks: in 10.0.0.0/8
//
// Numbers may be written as status classes where a field is a status: 4xx.
// Lengths of time are numbers of their field's unit or have a unit of their own:
// duration > 1m30s. Addresses are IPv4 or IPv6. Times are RFC 3339, "2006-01-02
// 15:04:05" (in Params.Zone, UTC unless set), the same with an offset (+01:00) or
// an IANA name (Europe/Berlin) behind it, or seconds since the epoch.
//
// # A value alone
//
// A value without an operator is looked for where people look first: it is a
// Call-ID, a correlation id, or the user of From, To or the Request-URI. With a
// % in it the comparison is like, else =.
//
// # Names
//
// Fields are the columns of the tables, a few combined ones (ip, port, user),
// and on calls the figures of a call; Fields lists them. The prefixes sip., net.,
// data_header. and protocol_header. are ignored, and Homer's names (callid,
// srcIp, pid_user, …) and other usual ones (source_ip, call-id) are understood.
// hep.NAME is a chunk without a column.
//
// header.NAME, or header "NAME", is any header of a SIP message, by either form
// of its name; of one that occurs several times the condition holds when one of
// its values meets it. ruri_uri, from_uri, to_uri and contact_uri are whole URIs.
// These, and raw, are looked for in the messages themselves: cheap where other
// conditions or the window leave few of them.
package filter

// Bounds of an expression. Beyond them it is refused, with an Error.
const (
	MaxLength     = 64 << 10 // bytes
	MaxDepth      = 64       // parentheses and nots inside one another
	MaxConditions = 500
	MaxValues     = 5_000 // in one list
)
