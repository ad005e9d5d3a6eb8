package query

import (
	"fmt"
	"strconv"
	"strings"
)

// sipLabel is what stands on a message's arrow: "INVITE bob", "180 Ringing".
func sipLabel(m *Item) string {
	if m.Status > 0 {
		return strings.TrimSpace(strconv.Itoa(int(m.Status)) + " " + m.Reason)
	}
	user := ""
	switch m.Method {
	case "REGISTER":
		user = m.ToUser // the Request-URI names only the registrar
	case "INVITE", "MESSAGE", "SUBSCRIBE", "OPTIONS", "PUBLISH", "REFER":
		user = m.RURIUser
	case "":
		return "not SIP"
	}
	return strings.TrimSpace(m.Method + " " + user)
}

// reportLabel is what stands on a report's arrow: "RTCP loss 2 % jitter 12 ms".
func reportLabel(source, report string, reception bool, fractionLost, jitter, rtt, mos float32) string {
	var b strings.Builder
	b.WriteString(strings.ToUpper(source))
	if !reception {
		b.WriteString(" " + strings.ToUpper(report))
		return b.String()
	}
	figure := func(name string, v float32, unit string) {
		b.WriteString(" " + name + " " + strconv.FormatFloat(float64(v), 'g', 3, 32) + unit)
	}
	figure("loss", fractionLost*100, " %")
	figure("jitter", jitter, " ms")
	if rtt > 0 {
		figure("RTT", rtt, " ms")
	}
	if mos > 0 {
		figure("MOS", mos, "")
	}
	return b.String()
}

// maxEventLabel bounds how much of a record stands on its arrow, in characters.
const maxEventLabel = 80

// eventLabel is what stands on an event's arrow: its type and first line.
func eventLabel(typeName, body string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(strings.ToValidUTF8(body, "\uFFFD")), "\n")
	line = strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, line)
	if r := []rune(line); len(r) > maxEventLabel {
		line = string(r[:maxEventLabel]) + "…"
	}
	return strings.TrimSpace(fmt.Sprintf("%s %s", typeName, line))
}
