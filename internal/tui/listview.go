package tui

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"github.com/heplake/heplake/internal/cli"
	"github.com/heplake/heplake/internal/termtext"
	"github.com/heplake/heplake/query"
)

func (l *list) title() (string, string) {
	right := fmt.Sprintf("%d calls", len(l.calls))
	switch {
	case !l.loaded:
		right = "no answer yet"
	case len(l.calls) == 1:
		right = "1 call"
	case l.truncated:
		right = fmt.Sprintf("the newest %d calls, + for more", len(l.calls))
	}
	if n := len(l.chosen); n > 0 {
		right += fmt.Sprintf(", %d marked", n)
	}
	state := "paused"
	if l.live && l.until == "" {
		state = "live"
	}
	if l.cancel != nil && time.Since(l.askedAt) > time.Second {
		state = "asking for " + time.Since(l.askedAt).Round(time.Second).String()
	}
	return "heplake · " + l.a.o.Address, right + " · " + describeWindow(l.since, l.until) + " · " + state
}

func (l *list) view(w, h int) []string {
	l.input.SetWidth(max(w-len(l.input.Prompt)-1, 1))
	lines := []string{l.input.View()}
	switch {
	case l.wrong != "":
		lines = append(lines, l.mistake(w)...)
	case l.typing():
		lines = append(lines, l.completionLine(w))
	}
	if l.sheet == nil || l.sheetWidth != w {
		d := l.a.o.Display
		d.Width = w - l.markWidth()
		l.sheet, l.sheetWidth = cli.NewCallSheet(l.calls, d), w
	}
	lines = append(lines, strings.Repeat(" ", l.markWidth())+l.sheet.Head(l.sortBy, l.descending))
	l.page = max(h-len(lines), 1)
	l.top = scroll(l.top, l.cursor, l.cursor, l.page, len(l.calls))
	for i := l.top; i < min(l.top+l.page, len(l.calls)); i++ {
		lines = append(lines, l.mark(&l.calls[i])+l.sheet.Row(&l.calls[i], i == l.cursor && !l.typing()))
	}
	if len(l.calls) == 0 {
		lines = append(lines, "", termtext.Paint("  "+l.a.pen.text(l.nothing()), termtext.Dim))
	}
	return lines
}

// markWidth is what the column of marks takes: nothing while nothing is marked.
func (l *list) markWidth() int {
	if len(l.chosen) == 0 {
		return 0
	}
	return 2
}

// mark is that of a call, as wide as the column.
func (l *list) mark(c *query.Call) string {
	switch {
	case len(l.chosen) == 0:
		return ""
	case l.isChosen(c):
		return termtext.Paint("*", termtext.YellowBold) + " "
	}
	return "  "
}

// mistake tells what is wrong with the filter, and where.
func (l *list) mistake(w int) []string {
	st := termtext.RedBold
	if l.typing() {
		st = termtext.Yellow // it is still being typed
	}
	at := strings.Repeat(" ", len(l.input.Prompt)+min(max(l.column-1, 0), max(w/2, 1))) + "^"
	text := l.a.pen.text(strings.TrimPrefix(l.wrong, "filter, "))
	if termtext.Width(at)+1+termtext.Width(text) <= w {
		return []string{termtext.Paint(at+" "+text, st)}
	}
	return []string{termtext.Paint(at, st), termtext.Paint(l.a.pen.fit(text, w), st)}
}

// completionLine tells what Tab would make of the filter, and what else there is.
func (l *list) completionLine(w int) string {
	if len(l.completions) == 0 {
		return ""
	}
	at := 0
	if matched, i := l.input.MatchedSuggestions(), l.input.CurrentSuggestionIndex(); i >= 0 && i < len(matched) {
		at = max(slices.IndexFunc(l.completions, func(c cli.Completion) bool { return c.Text == matched[i] }), 0)
	}
	current := l.completions[at]
	text := current.Word
	if current.Doc != "" {
		text += ": " + strings.TrimSuffix(current.Doc, ".")
	}
	var others []string
	for i := range min(len(l.completions)-1, 12) {
		others = append(others, l.completions[(at+1+i)%len(l.completions)].Word)
	}
	if len(others) > 0 {
		text += " · also " + strings.Join(others, ", ")
	}
	return termtext.Paint(l.a.pen.fit(strings.Repeat(" ", len(l.input.Prompt))+l.a.pen.text(text), w), termtext.Dim)
}

// nothing says why there is no call.
func (l *list) nothing() string {
	switch {
	case l.cancel != nil && !l.loaded:
		return "asking …"
	case !l.loaded:
		return "no answer from the API"
	case l.filter != "":
		return "no call matches " + describeWindow(l.since, l.until) + "; t changes the time, / the filter"
	}
	return "no call " + describeWindow(l.since, l.until) + "; t changes the time"
}

func (l *list) fieldCursor() *tea.Cursor { return l.input.Cursor() }

func (l *list) hints() []key.Binding {
	if l.typing() {
		return []key.Binding{bind(nil, "Enter", "search"), bind(nil, "Tab", "complete"), bind(nil, "↑↓", "other completions"), bind(nil, "Esc", "leave it")}
	}
	return []key.Binding{keys.help, bind(nil, "Enter", "ladder"), keys.choose, keys.filter, keys.window, keys.live, bind(nil, "<>", "sort"), keys.reverse, keys.save, keys.copyID, keys.quit}
}

func (l *list) help() []keyGroup {
	return []keyGroup{
		{"Calls", []key.Binding{
			bind(nil, "Enter", "the ladder of the call, or of all that are marked"), bind(nil, "Space", "mark the call: for one ladder, or one file, of several"), keys.chooseAll, keys.chooseNone, keys.filter, keys.window, keys.live, keys.refresh,
			keys.sortLeft, keys.sortRight, keys.reverse, keys.more, keys.save, keys.copyID, bind(nil, "Esc", "stop asking"), keys.quit,
		}},
		moving,
	}
}
