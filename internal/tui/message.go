package tui

import (
	"bytes"
	"encoding/json"
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"github.com/heplake/heplake/internal/termtext"
	"github.com/heplake/heplake/query"
)

// messageView shows a message as it was on the wire, or decoded.
type messageView struct{ decoded bool }

// lines are the message's, in colours, wrapped at w cells.
func (v messageView) lines(a *app, f *query.Flow, it *query.Item, w int) []string {
	if it == nil {
		return nil
	}
	var out []string
	lines := rawLines(it)
	if v.decoded {
		lines = decode(f, it, zoneOf(a.o.Display))
	}
	for _, l := range lines {
		for i, part := range wrap(l.paint(a.pen), w) {
			if i > 0 {
				part = termtext.Paint(a.pen.pick("↪", ">"), termtext.Dim) + part
			}
			out = append(out, part)
		}
	}
	return out
}

// span is a piece of a line in one style.
type span struct {
	text string
	st   termtext.Style
}

// textLine is a line of a message.
type textLine []span

func (l textLine) paint(p pen) string {
	var b strings.Builder
	for _, s := range l {
		b.WriteString(termtext.Paint(p.line(s.text), s.st))
	}
	return b.String()
}

func (l textLine) plain() string {
	var b strings.Builder
	for _, s := range l {
		b.WriteString(s.text)
	}
	return b.String()
}

// bodyOf is the message's bytes as text.
func bodyOf(it *query.Item) string {
	s := it.Raw
	if len(it.RawBytes) > 0 {
		s = strings.ToValidUTF8(string(it.RawBytes), "\ufffd")
	}
	return strings.TrimRight(strings.ReplaceAll(s, "\r\n", "\n"), "\n\x00")
}

// rawLines is the message as it was on the wire, coloured.
func rawLines(it *query.Item) []textLine {
	text := bodyOf(it)
	if it.Kind != query.KindSIP {
		return otherLines(text)
	}
	head, body, _ := strings.Cut(text, "\n\n")
	var out []textLine
	for i, l := range strings.Split(head, "\n") {
		if i == 0 {
			out = append(out, startLine(l))
			continue
		}
		out = append(out, headerLine(l))
	}
	if body == "" {
		return out
	}
	out = append(out, nil)
	if isSDP(body) {
		for _, l := range strings.Split(body, "\n") {
			out = append(out, sdpLine(l))
		}
		return out
	}
	return append(out, otherLines(body)...)
}

// startLine colours a request or status line by what it means.
func startLine(l string) textLine {
	version, rest, _ := strings.Cut(l, " ")
	if strings.HasPrefix(version, "SIP/") {
		st := termtext.Plain
		switch {
		case rest == "":
		case rest[0] == '1':
			st = termtext.Cyan
		case rest[0] == '2':
			st = termtext.GreenBold
		case rest[0] == '3', strings.HasPrefix(rest, "401"), strings.HasPrefix(rest, "407"):
			st = termtext.YellowBold
		case rest[0] >= '4' && rest[0] <= '6':
			st = termtext.RedBold
		}
		return textLine{{version + " ", termtext.Dim}, {rest, st}}
	}
	if i := strings.LastIndex(rest, " SIP/"); i >= 0 {
		return textLine{{version, termtext.YellowBold}, {" " + rest[:i], termtext.Bold}, {rest[i:], termtext.Dim}}
	}
	return textLine{{l, termtext.Bold}}
}

// headerLine colours the name of a header; a folded line has none (RFC 3261
// section 7.3.1).
func headerLine(l string) textLine {
	name, value, ok := strings.Cut(l, ":")
	if !ok || strings.HasPrefix(l, " ") || strings.HasPrefix(l, "\t") {
		return textLine{{l, termtext.Plain}}
	}
	return textLine{{name, termtext.Cyan}, {":", termtext.Dim}, {value, headerStyle(name)}}
}

// headerStyle sets the headers apart that one looks for first.
func headerStyle(name string) termtext.Style {
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "call-id", "i", "cseq":
		return termtext.Bold
	case "reason", "warning", "error-info", "retry-after":
		return termtext.Red
	}
	return termtext.Plain
}

func isSDP(body string) bool { return strings.HasPrefix(body, "v=0\n") || body == "v=0" }

// sdpLine colours a line of a session description (RFC 8866).
func sdpLine(l string) textLine {
	if len(l) < 2 || l[1] != '=' {
		return textLine{{l, termtext.Plain}}
	}
	switch l[0] {
	case 'm':
		return textLine{{l[:2], termtext.GreenBold}, {l[2:], termtext.Bold}}
	case 'c', 'o':
		return textLine{{l[:2], termtext.Green}, {l[2:], termtext.Plain}}
	case 'a':
		name, value, ok := strings.Cut(l[2:], ":")
		if st := directionStyle(name); !ok && st != "" {
			return textLine{{l[:2], termtext.Green}, {name, st}}
		} else if !ok {
			return textLine{{l[:2], termtext.Green}, {name, termtext.Plain}}
		}
		return textLine{{l[:2], termtext.Green}, {name, termtext.Cyan}, {":" + value, termtext.Plain}}
	}
	return textLine{{l[:2], termtext.Green}, {l[2:], termtext.Dim}}
}

// directionStyle is the colour of a direction (RFC 8866 section 6.7); "" for
// what is none. All but sendrecv are worth a look.
func directionStyle(name string) termtext.Style {
	switch name {
	case "sendrecv":
		return termtext.Bold
	case "sendonly", "recvonly", "inactive":
		return termtext.YellowBold
	}
	return ""
}

// otherLines is a body that is no SDP: JSON is laid out, the rest is as it is.
func otherLines(text string) []textLine {
	var b bytes.Buffer
	trimmed := strings.TrimSpace(text)
	if strings.HasPrefix(trimmed, "{") && json.Indent(&b, []byte(trimmed), "", "  ") == nil {
		var out []textLine
		for _, l := range strings.Split(b.String(), "\n") {
			out = append(out, jsonLine(l))
		}
		return out
	}
	var out []textLine
	for _, l := range strings.Split(text, "\n") {
		out = append(out, textLine{{l, termtext.Plain}})
	}
	return out
}

// jsonLine colours the key of an indented line of JSON.
func jsonLine(l string) textLine {
	start := strings.IndexByte(l, '"')
	end := strings.Index(l, `": `)
	if start < 0 || end < start || strings.TrimSpace(l[:start]) != "" {
		return textLine{{l, termtext.Plain}}
	}
	return textLine{{l[:start], termtext.Plain}, {l[start : end+1], termtext.Cyan}, {":", termtext.Dim}, {l[end+2:], termtext.Plain}}
}

// messageScreen is a message on the whole screen.
type messageScreen struct {
	pager
	f *flowScreen
}

func (m *messageScreen) key(a *app, k tea.KeyPressMsg) tea.Cmd {
	switch {
	case m.pager.key(k):
	case key.Matches(k, keys.back), key.Matches(k, keys.open):
		a.pop()
	case key.Matches(k, keys.left):
		m.f.move(-1)
		m.top = 0
	case key.Matches(k, keys.right):
		m.f.move(1)
		m.top = 0
	case key.Matches(k, keys.decoded):
		m.f.message.decoded = !m.f.message.decoded
		m.top = 0
	case key.Matches(k, keys.mark):
		m.f.mark()
	case key.Matches(k, keys.save):
		return askSave(a, m.f.calls())
	case key.Matches(k, keys.copyID):
		return copyID(a, m.f.callID())
	}
	return nil
}

func (m *messageScreen) view(w, h int) []string {
	it := m.f.current()
	if it == nil {
		return []string{"", "  the message is hidden"}
	}
	head := []string{termtext.Paint(m.f.a.pen.fit(m.f.a.pen.text(about(m.f.flow, it, zoneOf(m.f.a.o.Display))), w), termtext.Dim), ""}
	return append(head, m.cut(m.f.message.lines(m.f.a, m.f.flow, it, w), h-len(head))...)
}

func (m *messageScreen) title() (string, string) {
	_, right := m.f.title()
	left := ""
	if it := m.f.current(); it != nil {
		left = it.Label
	}
	if where := m.where(); where != "" {
		right = "lines " + where + " · " + right
	}
	return left, right
}

func (m *messageScreen) hints() []key.Binding {
	return []key.Binding{keys.help, bind(nil, "←→", "other messages"), keys.decoded, keys.mark, keys.save, keys.back}
}

func (m *messageScreen) help() []keyGroup {
	return []keyGroup{{"Message", []key.Binding{keys.left, keys.right, keys.decoded, keys.mark, keys.save, keys.copyID, keys.back}}, moving}
}
