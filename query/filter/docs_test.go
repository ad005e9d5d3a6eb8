package filter

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/filter.md")

// markdown is docs/filter.md: the language, and every field with its other names.
func markdown() string {
	var b strings.Builder
	b.WriteString(`# Filter language

The same in ` + "`heplake search`, the API's `filter`" + `, Homer's smart input and the Grafana editor. Conditions are ` + "`field op value`" + `, joined by ` + "`and`, `or`, `not`" + ` and parentheses.

` + "```" + `
from_user like "4930%" and status >= 500 and src_ip in 10.0.0.0/8
method = INVITE and (status in (486, 600) or status = 5xx)
outcome = failed and not user_agent like "friendly-scanner%"
pdd > 3s or mos_min < 3.5
header "X-Trunk" = "berlin" and ruri_uri like "sips:%"
time >= "2026-11-21 08:00 Europe/Berlin" and call_id = "1-15155@127.0.0.1"
` + "```" + `

| operators | on |
|---|---|
| ` + "`= !=`, `in`, `not in`" + ` | everything; on addresses also networks (` + "`in 10.0.0.0/8`" + `), on statuses also classes (` + "`4xx`" + `) |
| ` + "`< > <= >=`" + ` | numbers and times; lengths of time may have a unit (` + "`duration > 1m30s`" + `) |
| ` + "`like`, `not like`" + ` | texts: ` + "`%`" + ` is any run of characters, ` + "`_`" + ` one |
| ` + "`~ !~`" + ` | texts: RE2 regular expressions, found anywhere |

A value alone is a Call-ID, a correlation id, or a user of From, To or the Request-URI. Field names are written in any case; Homer's prefixes (` + "`sip.`, `net.`, `data_header.`, `protocol_header.`" + `) are ignored.
Times without a zone are UTC, or in the zone that ` + "`tz`" + ` names. An error says the column and what was expected there.

On calls a condition on a message's field holds when one message of the call meets it; conditions joined by ` + "`and`" + ` are met by the same message where one can. A negative condition (` + "`!=`, `not like`, `!~`, `not in`" + `) holds when no message meets the opposite.
` + "`pai_user != \"\"`" + ` finds calls of which a message has one, ` + "`pai_user = \"\"`" + ` those of which none has.

` + "`header \"NAME\"`" + ` or ` + "`header.NAME`" + ` is any header, ` + "`hep.NAME`" + ` a HEP chunk without a column. These, ` + "`raw`" + `, the whole URIs (` + "`…_uri`" + `), ` + "`contact_ip` and `originator_ip`" + ` are read out of the messages themselves: give a window or another condition beside them.
Call-IDs, correlation ids, users and addresses are found by indexes, over any time.

## Fields of messages

`)
	other := map[string][]string{}
	for alias := range aliases {
		f, _ := Calls.Field(alias)
		other[f.Name] = append(other[f.Name], alias)
	}
	table := func(fields []Field) {
		b.WriteString("| field | | also |\n|---|---|---|\n")
		for _, f := range fields {
			names := other[f.Name]
			slices.Sort(names)
			also := ""
			if len(names) > 0 {
				also = "`" + strings.Join(names, "`, `") + "`"
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", f.Name, f.Doc, also)
		}
	}
	table(Messages.Fields())
	b.WriteString("\nOther names are also understood with underscores, hyphens and capitals: `User-Agent`, `srcIp`.\n\n## Further fields of calls\n\n")
	var calls []Field
	for _, f := range Calls.Fields() {
		if f.Scope == Call {
			calls = append(calls, f)
		}
	}
	table(calls)
	return b.String()
}

// TestDocs: docs/filter.md is what the fields say.
func TestDocs(t *testing.T) {
	const path = "../../docs/filter.md"
	if *update {
		if err := os.WriteFile(path, []byte(markdown()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(b) != markdown() {
		t.Error("docs/filter.md differs from the fields: go test ./query/filter -update")
	}
}
