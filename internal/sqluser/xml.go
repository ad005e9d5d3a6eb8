package sqluser

import (
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/heplake/heplake/internal/embedded"
	"github.com/heplake/heplake/schema"
)

// xmlText escapes a value.
func xmlText(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a strings.Builder takes everything
	return b.String()
}

// access is what users.xml of the embedded engine has of the users. Those whose
// time is up are left out.
func access(users []storedUser, o schema.Options, now time.Time) embedded.Access {
	var profiles, quotas, list strings.Builder
	db := o.DatabaseName()
	for _, u := range users {
		if u.Expired(now) {
			continue
		}
		section := "sql_" + u.Name
		fmt.Fprintf(&profiles, "<%s><profile>default</profile>", section)
		var constraints strings.Builder
		for _, s := range u.settings() {
			fmt.Fprintf(&profiles, "<%[1]s>%[2]s</%[1]s>", s.name, s.value)
			switch {
			case s.most != "":
				fmt.Fprintf(&constraints, "<%[1]s><min>%[2]s</min><max>%[3]s</max></%[1]s>", s.name, s.least, s.most)
			case s.name != "readonly": // which readonly = 2 itself forbids to change
				fmt.Fprintf(&constraints, "<%[1]s><const/></%[1]s>", s.name)
			}
		}
		fmt.Fprintf(&profiles, "<constraints>%s</constraints></%s>\n", constraints.String(), section)

		quota := "default"
		if n := u.Limits.QueriesPerHour; n > 0 {
			quota = section
			fmt.Fprintf(&quotas, "<%[1]s><interval><duration>3600</duration><queries>%[2]s</queries></interval></%[1]s>\n", section, strconv.FormatUint(n, 10))
		}

		hosts := u.Hosts
		if len(hosts) == 0 {
			hosts = []string{"::/0"}
		}
		fmt.Fprintf(&list, "<%s><password_sha256_hex>%s</password_sha256_hex><networks>", u.Name, u.Hash)
		for _, h := range hosts {
			fmt.Fprintf(&list, "<ip>%s</ip>", xmlText(h))
		}
		fmt.Fprintf(&list, "</networks><profile>%s</profile><quota>%s</quota>\n<grants>", section, quota)
		readable := Readable(o)
		for _, table := range readable {
			fmt.Fprintf(&list, "<query>GRANT SELECT ON `%s`.`%s`</query>", db, table)
		}
		fmt.Fprintf(&list, "</grants>\n<databases><%s>", db)
		for _, table := range readable {
			fmt.Fprintf(&list, "<%[1]s><filter>%[2]s</filter></%[1]s>", table, xmlText(u.filter()))
		}
		fmt.Fprintf(&list, "</%s></databases></%s>\n", db, u.Name)
	}
	return embedded.Access{Profiles: profiles.String(), Quotas: quotas.String(), Users: list.String()}
}
