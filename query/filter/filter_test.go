package filter

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
)

// compiled is the SQL with the values in place of the placeholders, for reading.
func compiled(sql string, p *Params) string {
	for i := len(p.args) - 1; i >= 0; i-- {
		name := fmt.Sprintf("{p%d:", i)
		for {
			a := strings.Index(sql, name)
			if a < 0 {
				break
			}
			b := a + strings.IndexByte(sql[a:], '}')
			sql = sql[:a] + fmt.Sprintf("<%v>", p.args[i].Value) + sql[b+1:]
		}
	}
	return strings.ReplaceAll(sql, "`", "")
}

func TestCompileMessages(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", "1"},
		{"  \n ", "1"},
		{`from_user = alice`, "from_user = <alice>"},
		{`from_user=alice`, "from_user = <alice>"},
		{`FROM_USER = "al\"ice"`, `from_user = <al"ice>`},
		{`from_user = 'it\'s'`, "from_user = <it's>"},
		{`raw ~ "\d+\."`, `match(raw, <\d+\.>)`},
		{`call_id = YWJj==`, "call_id = <YWJj==>"},
		{`call_id = !!:x*~`, "call_id = <!!:x*~>"},
		{`from_user like "4930%" and status >= 500 and src_ip in 10.0.0.0/8`,
			"(from_user LIKE <4930%> AND status >= <500> AND (src_ip >= <::ffff:10.0.0.0> AND src_ip <= <::ffff:10.255.255.255>))"},
		{`to_user = x or not (method = INVITE AND Not status = 200)`, "(to_user = <x> OR (NOT (method = <INVITE> AND (NOT status = <200>))))"},
		{`method = a or method = b and method = c`, "(method = <A> OR (method = <B> AND method = <C>))"},
		{`status in (401, 407,5xx)`, "((status >= <500> AND status <= <599>) OR status IN <[401 407]>)"},
		{`status not in (401)`, "(NOT status = <401>)"},
		{`status != 4XX`, "(NOT (status >= <400> AND status <= <499>))"},
		{`status = "486"`, "status = <486>"},
		{`user_agent not like "friendly%"`, "(NOT user_agent LIKE <friendly%>)"},
		{`user_agent !~ "^(sipp|x)$"`, "(NOT match(user_agent, <^(sipp|x)$>))"},
		{`src_ip = 2001:db8::1`, "src_ip = <2001:db8::1>"},
		{`src_ip in (10.0.0.1, 192.168.0.0/16)`, "((src_ip >= <::ffff:192.168.0.0> AND src_ip <= <::ffff:192.168.255.255>) OR src_ip = <::ffff:10.0.0.1>)"},
		{`dst_ip in 2001:db8::/33`, "(dst_ip >= <2001:db8::> AND dst_ip <= <2001:db8:7fff:ffff:ffff:ffff:ffff:ffff>)"},
		{`ip != 10.0.0.1`, "(NOT (src_ip = <::ffff:10.0.0.1> OR dst_ip = <::ffff:10.0.0.1>))"},
		{`hep.vlan = 5`, "hep[arrayFirst(k -> lower(k) = <vlan>, mapKeys(hep))] = <5>"},
		{`time >= "2026-11-21 10:00:00"`, "toUnixTimestamp64Micro(time) >= <1795255200000000>"},
		{`time < 2026-11-21T11:00:00+01:00`, "toUnixTimestamp64Micro(time) < <1795255200000000>"},
		{`time < "2026-11-21 12:00:00.5+01:00"`, "toUnixTimestamp64Micro(time) < <1795258800500000>"},
		{`time < "2026-07-21 12:00 Europe/Berlin"`, "toUnixTimestamp64Micro(time) < <1784628000000000>"},
		{`time < "2026-11-21 12:00:00 Europe/Berlin"`, "toUnixTimestamp64Micro(time) < <1795258800000000>"},
		{`ruri_uri like "sips:%"`, `extract(raw, <^[^ \r\n:]+ +([^ \r\n]+) +SIP/>) LIKE <sips:%>`},
		{`contact_ip in 10.0.0.0/8`, `(toIPv6OrDefault(extract(contact_host, <^\[?([0-9A-Fa-f:.]+)\]?$>)) >= <::ffff:10.0.0.0> AND toIPv6OrDefault(extract(contact_host, <^\[?([0-9A-Fa-f:.]+)\]?$>)) <= <::ffff:10.255.255.255>)`},
		{`b2b_callid = x or callid_aleg = y`, "(correlation_id = <x> OR correlation_id = <y>)"},
		{`tag = x and contact != y`, "((from_tag = <x> OR to_tag = <x>) AND (NOT (contact_user = <y> OR contact_host = <y>)))"},
		{`time > 1795255200.5`, "toUnixTimestamp64Micro(time) > <1795255200500000>"},
		// Homer's names and others.
		{`sip.callid = x and net.srcIp = 10.0.0.1`, "(call_id = <x> AND src_ip = <::ffff:10.0.0.1>)"},
		{`data_header.from_user = '493020235319' AND data_header.method = 'INVITE'`, "(from_user = <493020235319> AND method = <INVITE>)"},
		{`protocol_header.dstPort = 5060`, "dst_port = <5060>"},
		{`User-Agent = x or source_ip = ::1 or pid_user = y or captureId = 7`, "(user_agent = <x> OR src_ip = <::1> OR pai_user = <y> OR capture_id = <7>)"},
		// A value alone.
		{`1-15155@127.0.0.1`, "(call_id = <1-15155@127.0.0.1> OR correlation_id = <1-15155@127.0.0.1> OR from_user = <1-15155@127.0.0.1> OR to_user = <1-15155@127.0.0.1> OR ruri_user = <1-15155@127.0.0.1>)"},
		{`"4930%" and method = BYE`, "((call_id LIKE <4930%> OR correlation_id LIKE <4930%> OR from_user LIKE <4930%> OR to_user LIKE <4930%> OR ruri_user LIKE <4930%>) AND method = <BYE>)"},
	} {
		var p Params
		sql, err := Messages.Compile(c.in, &p)
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
		} else if got := compiled(sql, &p); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.in, got, c.want)
		}
	}
}

func TestErrorsNameThePosition(t *testing.T) {
	for _, c := range []struct {
		in       string
		pos      int
		got      string
		expected string
	}{
		{`status >= "abc"`, 10, `the string "abc"`, "a status code"},
		{`status >= abc`, 10, `"abc"`, "a status code"},
		{`status = 70000`, 9, `"70000"`, "a number up to 65535"},
		{`status > 4xx`, 9, `"4xx"`, "a number after >"},
		{`status like "4%"`, 7, "like", "status = 4xx"},
		{`src_ip like "10.%"`, 7, "like", "src_ip in 10.0.0.0/8"},
		{`src_ip = host.example`, 9, `"host.example"`, "an IP address"},
		{`src_ip in 10.0.0.0/40`, 10, `"10.0.0.0/40"`, "a network"},
		{`from_user < 5`, 10, "<", "one of = like ~ in"},
		{`raw ~ "(["`, 6, `the string "(["`, "a regular expression"},
		{`from_user like "x\"`, 15, "a string without an end", "a closing \""},
		{`from_user like x\`, 15, `"x\\"`, "a pattern that does not end in"},
		{`from_user =`, 11, "the end", "a value"},
		{`from_user = and status = 5`, 12, `"and"`, "a keyword is one in quotes"},
		{`from_user`, 9, "the end", "an operator"},
		{`from_user alice`, 10, `"alice"`, "an operator"},
		{`(status = 200`, 13, "the end", "and, or, or )"},
		{`status = 200)`, 12, `")"`, "and, or, or the end"},
		{`status = 200 status = 300`, 13, `"status"`, "and, or, or the end"},
		{`and status = 200`, 0, `"and"`, "a field"},
		{`not`, 3, "the end", "a field"},
		{`status in (1,`, 13, "the end", "a value"},
		{`status in ()`, 11, `")"`, "a value"},
		{`status in (1 2)`, 13, `"2"`, ", or )"},
		{`status not = 5`, 11, `"="`, "like or in after not"},
		{`"status" = 5`, 0, `the string "status"`, "a field before an operator"},
		{`frmo_user = x`, 0, `"frmo_user"`, "from_user?"},
		{`outcome = failed`, 0, "which only calls have", "a field of a message"},
		{`time > yesterday`, 7, `"yesterday"`, "a time such as"},
		{`x.y = 5`, 0, `"x.y"`, "a field of a message"},
		{`= 5`, 0, `"="`, "a field"},
		{`header "" = 5`, 7, `the string ""`, "the name of a header"},
		{`header = 5`, 0, `"header"`, "a field of a message"},
		{`header "X" "Y"`, 11, `the string "Y"`, "an operator"},
		{`header "X"`, 10, "the end", "an operator"},
		{`header "X" > 5`, 11, ">", "one of = like ~ in"},
		{`time > "2026-11-21 12:00 Mars/Olympus"`, 7, "Mars/Olympus", "an IANA time zone"},
		{`contact_ip = pbx.example.com`, 13, `"pbx.example.com"`, "an IP address"},
		{"äöü = 5", 0, `"äöü"`, "a field"},
		{`from_user = "ä" and status = x`, 30, `"x"`, "a status code"},
		{strings.Repeat("(", MaxDepth+1) + "x", MaxDepth, `"("`, "at most 64 parentheses"},
		{strings.Repeat("x", MaxLength+1), MaxLength, "65537 bytes", "at most 65536 bytes"},
		{strings.Repeat("x or ", MaxConditions) + "x", MaxConditions * 5, `"x"`, "at most 500 conditions"},
	} {
		var p Params
		_, err := Messages.Compile(c.in, &p)
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%.60s: no error", c.in)
			continue
		}
		if e.Pos != c.pos || !strings.Contains(e.Got, c.got) || !strings.Contains(e.Expected, c.expected) || e.Input != c.in {
			t.Errorf("%.60s: at %d got %q expected %q", c.in, e.Pos, e.Got, e.Expected)
		}
	}
}

func TestErrorRendering(t *testing.T) {
	_, err := Messages.Compile("from_user = \"ä\"\n  and status = x", new(Params))
	var e *Error
	if !errors.As(err, &e) {
		t.Fatal(err)
	}
	want := "filter, column 32: got \"x\", expected a status code, or a class such as 4xx, for status\n    and status = x\n                 ^"
	if got := e.Caret(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	_, err = Messages.Compile(strings.Repeat("x or ", 100)+"status = x"+strings.Repeat(" or x", 100), new(Params))
	if !errors.As(err, &e) {
		t.Fatal(err)
	}
	lines := strings.Split(e.Caret(), "\n")
	if caret := strings.IndexByte(lines[2], '^'); []rune(lines[1])[caret] != 'x' || len(lines[1]) > 2*caretWidth+10 {
		t.Errorf("a long line is not cut around the position:\n%s", e.Caret())
	}
}

func TestCompileCalls(t *testing.T) {
	for _, c := range []struct {
		in, match string
		messages  []string
		pre       string
	}{
		{"", "1", nil, "1"},
		{"from_user = a and to_user = b", "m0", []string{"(from_user = <a> AND to_user = <b>)"}, "(from_user = <a> AND to_user = <b>)"},
		{"status >= 500 and status < 600", "m0", []string{"(status >= <500> AND status < <600>)"}, "(status >= <500> AND status < <600>)"},
		{"method = INVITE and status = 486", "(m0 AND m1)", []string{"method = <INVITE>", "status = <486>"}, "status = <486>"},
		{"from_user = a and method = INVITE and status = 486", "(m0 AND m1)", []string{"(from_user = <a> AND method = <INVITE>)", "status = <486>"}, "(from_user = <a> AND method = <INVITE>)"},
		{"method = INVITE and method = REFER", "(m0 AND m1)", []string{"method = <REFER>", "method = <INVITE>"}, "method = <REFER>"},
		{"method = INVITE and user_agent != x", "(m0 AND (NOT m1))", []string{"method = <INVITE>", "user_agent = <x>"}, "method = <INVITE>"},
		{`method = INVITE and pai_user != ""`, "m0", []string{"(method = <INVITE> AND (NOT pai_user = <>))"}, "(method = <INVITE> AND (NOT pai_user = <>))"},
		{`diversion = ""`, "(NOT m0)", []string{"(NOT diversion = <>)"}, "1"},
		{"status = 486 or outcome = answered", "(m0 OR ifNull(outcome = <answered>, 0))", []string{"status = <486>"}, "1"},
		{"status = 486 or from_user = a", "m0", []string{"(status = <486> OR from_user = <a>)"}, "(status = <486> OR from_user = <a>)"},
		{"(method = INVITE and status = 486) or status = 503", "((m0 AND m1) OR m2)", []string{"method = <INVITE>", "status = <486>", "status = <503>"}, "(status = <486> OR status = <503>)"},
		{"outcome = failed and from_user = a", "(m0 AND ifNull(outcome = <failed>, 0))", []string{"from_user = <a>"}, "from_user = <a>"},
		{"not (from_user = a and duration_s > 5)", "(NOT (m0 AND ifNull(duration_s > <5>, 0)))", []string{"from_user = <a>"}, "1"},
		{"mos < 3.5 and codec = PCMU", "(ifNull(mos_min < <3.5>, 0) AND arrayExists(x -> x = <PCMU>, codecs))", nil, "1"},
		{"final_status = 5xx and released_by = Network", "(ifNull((final_status >= <500> AND final_status <= <599>), 0) AND ifNull(released_by = <network>, 0))", nil, "1"},
		{"duration > 1m30s and pdd < 2.5s", "(ifNull(duration_s > <90>, 0) AND ifNull(pdd_ms < <2500>, 0))", nil, "1"},
		{"ruri_uri = x and status = 486", "(m0 AND m1)", []string{`extract(raw, <^[^ \r\n:]+ +([^ \r\n]+) +SIP/>) = <x>`, "status = <486>"}, "status = <486>"},
		{"call_id = x and status = 200", "m0", []string{"(call_id = <x> AND status = <200>)"}, "(call_id = <x> AND status = <200>)"},
	} {
		var p Params
		plan, err := CompileCalls(c.in, &p)
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
			continue
		}
		var messages []string
		for _, m := range plan.Messages {
			messages = append(messages, compiled(m, &p))
		}
		if got := compiled(plan.Match, &p); got != c.match {
			t.Errorf("%s:\n got match %s\nwant       %s", c.in, got, c.match)
		}
		if fmt.Sprint(messages) != fmt.Sprint(c.messages) {
			t.Errorf("%s:\n got messages %q\nwant          %q", c.in, messages, c.messages)
		}
		if got := compiled(plan.Prefilter, &p); got != c.pre {
			t.Errorf("%s:\n got prefilter %s\nwant           %s", c.in, got, c.pre)
		}
		if byID := strings.Contains(c.in, "call_id"); (plan.IDs != nil) != byID {
			t.Errorf("%s: by ids %q", c.in, plan.IDs)
		}
	}
	_, err := CompileCalls("status = 200 and outcome = fail", new(Params))
	var e *Error
	if !errors.As(err, &e) || e.Pos != 27 || !strings.Contains(e.Expected, "one of answered, failed") {
		t.Errorf("an unknown outcome: %v", err)
	}
}

// TestUsersOfCalls wants a prefilter's users where it asks for these and nothing else.
func TestUsersOfCalls(t *testing.T) {
	for in, want := range map[string]string{
		"from_user = a":                      "{[a] 1}",
		"caller in (a, b)":                   "{[a b] 1}",
		"to_user = a and duration > 5":       "{[a] 2}",
		"ruri_user = +49":                    "{[+49] 4}",
		"number = a":                         "{[a] 7}",
		"from_user = a or to_user = a":       "",
		"from_user = a and method = INVITE":  "",
		"from_user = a and to_user = b":      "",
		"not from_user = a":                  "",
		"from_user != a":                     "",
		`from_user = ""`:                     "",
		`from_user in (a, "")`:               "",
		`from_user like "a%"`:                "",
		"pai_user = a":                       "",
		"call_id = a":                        "",
		"outcome = failed":                   "",
		"from_user = a or outcome = failed":  "",
		"outcome = failed and (user = a)":    "{[a] 7}",
		"status = 486 and from_user = a":     "",
		"src_ip = 10.0.0.1 or from_user = a": "",
	} {
		plan, err := CompileCalls(in, new(Params))
		if err != nil {
			t.Fatalf("%s: %v", in, err)
		}
		got := ""
		if plan.Users != nil {
			got = fmt.Sprint(*plan.Users)
		}
		if got != want {
			t.Errorf("%s: users %q, want %q", in, got, want)
		}
	}
}

// TestTimesInAZone reads times without a zone where Params.Zone says.
func TestTimesInAZone(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]int64{
		"2026-07-21 12:00":           1784628000000000,
		"2026-11-21":                 1795215600000000,
		"2026-11-21T11:00:00Z":       1795258800000000,
		"1795258800":                 1795258800000000,
		"2026-11-21 06:00 US/Hawaii": 1795276800000000,
	} {
		p := Params{Zone: berlin}
		if _, err := Messages.Compile(`time > "`+in+`"`, &p); err != nil || p.args[0].Value != want {
			t.Errorf("%s is %v, want %d; %v", in, p.args, want, err)
		}
	}
}

// TestHeaderPatterns reads headers and URIs out of a message as the SQL does.
func TestHeaderPatterns(t *testing.T) {
	const message = "INVITE sip:bob@b.example;user=phone SIP/2.0\r\nv: SIP/2.0/UDP a;branch=1\r\nVIA  :SIP/2.0/UDP b;branch=2\r\n" +
		"f: \"A \\\"x\\\" <y>\" <sip:alice@a.example;x=1>;tag=1\r\nTo: sip:bob@b.example;tag=2\r\nSubject: one\r\n\t two\r\nX-Empty:\r\n" +
		"m: Bob Smith\r\n <sip:bob@10.0.0.1:5062>\r\nX-Last: z\r\n"
	for name, want := range map[string]string{
		"Via": "SIP/2.0/UDP a;branch=1|SIP/2.0/UDP b;branch=2", "v": "SIP/2.0/UDP a;branch=1|SIP/2.0/UDP b;branch=2",
		"subject": "one\r\n\t two", "X-Empty": "", "x-last": "z", "X-Las": "-", "Last": "-", "X.Last": "-",
	} {
		var got []string
		for _, m := range regexp.MustCompile(headerPattern(name)).FindAllStringSubmatch(message, -1) {
			got = append(got, m[1])
		}
		if joined := strings.Join(got, "|"); joined != want && (want != "-" || got != nil) {
			t.Errorf("%s: %q, want %q", name, joined, want)
		}
	}
	for name, want := range map[string]string{"From": "sip:alice@a.example;x=1", "To": "sip:bob@b.example", "Contact": "sip:bob@10.0.0.1:5062"} {
		bracketed, bare := uriPatterns(name)
		m := regexp.MustCompile(bracketed).FindStringSubmatch(message)
		if m == nil {
			m = regexp.MustCompile(bare).FindStringSubmatch(message)
		}
		if m == nil || m[1] != want {
			t.Errorf("%s: %q, want %q", name, m, want)
		}
	}
	if m := regexp.MustCompile(requestLine).FindStringSubmatch(message); m == nil || m[1] != "sip:bob@b.example;user=phone" {
		t.Errorf("request line: %q", m)
	}
	if m := regexp.MustCompile(requestLine).FindStringSubmatch("SIP/2.0 200 OK\r\n"); m != nil {
		t.Errorf("status line: %q", m)
	}
}

// TestFieldsAreThere checks that every field can be asked for by its own name,
// and that no alias leads nowhere.
func TestFieldsAreThere(t *testing.T) {
	for _, target := range []*Target{Messages, Reports, Events, Calls} {
		for _, f := range target.Fields() {
			if got, ok := target.Field(f.Name); !ok || got.Name != f.Name || f.Doc == "" {
				t.Errorf("%s: field %s is found as %q", target.what, f.Name, got.Name)
			}
		}
	}
	for alias := range aliases {
		if _, ok := Calls.Field(alias); !ok {
			t.Errorf("alias %s leads to no field", alias)
		}
	}
	for _, name := range []string{"sip.callid", "net.srcIp", "Source_IP", "header.X-Foo", "user-agent", "DURATION", "protocol_header.captureId"} {
		if _, ok := Calls.Field(name); !ok {
			t.Errorf("%s is not understood", name)
		}
	}
}
