package tui

import (
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"github.com/heplake/heplake/internal/termtext"
)

// pager is lines to scroll through.
type pager struct {
	top, page, total int
}

// key moves; it reports whether the key was one of moving.
func (p *pager) key(k tea.KeyPressMsg) bool {
	switch {
	case key.Matches(k, keys.up):
		p.top--
	case key.Matches(k, keys.down):
		p.top++
	case key.Matches(k, keys.pageUp):
		p.top -= p.page
	case key.Matches(k, keys.pageDown):
		p.top += p.page
	case key.Matches(k, keys.home):
		p.top = 0
	case key.Matches(k, keys.end):
		p.top = p.total
	default:
		return false
	}
	p.top = max(min(p.top, p.total-p.page), 0)
	return true
}

// cut returns the h lines that are seen.
func (p *pager) cut(lines []string, h int) []string {
	p.total, p.page = len(lines), max(h, 1)
	p.top = max(min(p.top, p.total-p.page), 0)
	return lines[p.top:min(p.top+p.page, p.total)]
}

// where tells how far one has come: "12-31 of 80".
func (p *pager) where() string {
	if p.total <= p.page {
		return ""
	}
	return itoa(p.top+1) + "-" + itoa(min(p.top+p.page, p.total)) + " of " + itoa(p.total)
}

// help is the screen of keys.
type help struct {
	pager
	lines []string
}

func newHelp(p pen, groups []keyGroup) *help {
	h := &help{}
	for _, g := range append(groups, everywhere) {
		if len(h.lines) > 0 {
			h.lines = append(h.lines, "")
		}
		h.lines = append(h.lines, termtext.Paint(g.title, termtext.Bold))
		for _, b := range g.keys {
			name := p.text(b.Help().Key)
			h.lines = append(h.lines, "  "+termtext.Paint(name, termtext.Cyan)+strings.Repeat(" ", max(10-termtext.Width(name), 1))+b.Help().Desc)
		}
	}
	h.lines = append(h.lines, "", termtext.Paint("Filter", termtext.Bold))
	for _, l := range filterHelp {
		h.lines = append(h.lines, "  "+l)
	}
	return h
}

// filterHelp is the filter language on a few lines.
var filterHelp = []string{
	`field op value, joined by and, or, not, ( ); Tab completes`,
	`ops: = != < > <= >= like ~ in`,
	``,
	`from_user like "4930%" and status >= 500`,
	`src_ip in 10.0.0.0/8 and not user_agent like "friendly-scanner%"`,
	`outcome = failed and pdd_ms > 3000`,
	`header.X-Trunk = "berlin" or raw ~ "(?i)x-debug: *on"`,
	`1-15155@127.0.0.1     (a value alone: Call-ID, correlation id or user)`,
}

func (h *help) key(a *app, k tea.KeyPressMsg) tea.Cmd {
	if !h.pager.key(k) {
		a.pop()
	}
	return nil
}

func (h *help) view(_, height int) []string { return h.cut(h.lines, height) }
func (h *help) title() (string, string)     { return "keys", h.where() }
func (h *help) hints() []key.Binding        { return []key.Binding{keys.back, keys.up, keys.down} }
func (h *help) help() []keyGroup            { return nil }
