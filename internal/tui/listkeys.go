package tui

import (
	"fmt"
	"slices"
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"github.com/heplake/heplake/internal/cli"
	"github.com/heplake/heplake/query"
)

func (l *list) key(a *app, k tea.KeyPressMsg) tea.Cmd {
	if l.typing() {
		return l.typed(k)
	}
	switch {
	case key.Matches(k, keys.quit):
		return a.quit()
	case k.String() == "esc" && l.cancel != nil:
		l.close()
		l.live, l.fresh, l.open = false, false, false
		a.say("stopped asking; F5 asks again, p goes live")
	case key.Matches(k, keys.up):
		l.move(-1)
	case key.Matches(k, keys.down):
		l.move(1)
	case key.Matches(k, keys.pageUp):
		l.move(-l.page)
	case key.Matches(k, keys.pageDown):
		l.move(l.page)
	case key.Matches(k, keys.home):
		l.cursor = 0
	case key.Matches(k, keys.end):
		l.cursor = max(len(l.calls)-1, 0)
	case key.Matches(k, keys.filter):
		l.suggest()
		return l.input.Focus()
	case key.Matches(k, keys.sortLeft):
		l.sort(-1)
	case key.Matches(k, keys.sortRight):
		l.sort(1)
	case key.Matches(k, keys.reverse):
		l.descending = !l.descending
		l.sort(0)
	case key.Matches(k, keys.live):
		return l.toggleLive()
	case key.Matches(k, keys.refresh):
		a.say("")
		return l.search()
	case key.Matches(k, keys.window):
		return l.askWindow()
	case key.Matches(k, keys.more):
		return l.more()
	case key.Matches(k, keys.chooseNone):
		l.chooseAll(false)
	case key.Matches(k, keys.open) && l.fresh:
		l.open = true
	case l.current() == nil:
	case key.Matches(k, keys.open), k.String() == "right":
		return openLadder(a, l.meant())
	case key.Matches(k, keys.choose):
		l.choose()
	case key.Matches(k, keys.chooseAll):
		l.chooseAll(true)
	case key.Matches(k, keys.save):
		return askSave(a, l.meant())
	case key.Matches(k, keys.copyID):
		return copyID(a, cli.CallID(l.current()))
	}
	return nil
}

// typed acts on a key while the filter is typed.
func (l *list) typed(k tea.KeyPressMsg) tea.Cmd {
	switch k.String() {
	case "enter":
		l.input.Blur()
		l.filter = strings.TrimSpace(l.input.Value())
		l.cursor, l.top, l.column, l.wrong, l.fresh = 0, 0, 0, "", true
		return l.search()
	case "esc":
		l.input.Blur()
		l.input.SetValue(l.filter)
		l.column, l.wrong = 0, ""
		return nil
	case "up", "down":
		if len(l.completions) == 0 {
			return nil // the field would count below its first suggestion
		}
	}
	return l.edit(k)
}

// edit changes the text of the filter.
func (l *list) edit(m tea.Msg) tea.Cmd {
	var cmd tea.Cmd
	l.input, cmd = l.input.Update(m)
	l.suggest()
	return cmd
}

// suggest offers how the filter may go on, and says what is wrong with it as it
// stands.
func (l *list) suggest() {
	value := l.input.Value()
	var texts []string
	l.completions = cli.CompleteFilter(value)
	for _, c := range l.completions {
		texts = append(texts, c.Text)
	}
	l.input.SetSuggestions(texts)
	l.column, l.wrong = 0, ""
	// What has no end yet is not wrong yet.
	if column, err := cli.CheckFilter(value); err != nil && column <= len([]rune(strings.TrimRight(value, " "))) {
		l.column, l.wrong = column, err.Error()
	}
}

// sort sorts by the column so many further to the right.
func (l *list) sort(by int) {
	names := cli.SortColumns()
	at := (slices.Index(names, l.sortBy) + by + len(names)) % len(names)
	if by != 0 {
		l.descending = at == 0 || at > 4 // times and numbers: the greatest first
	}
	l.sortBy = names[at]
	l.show(l.calls, l.truncated)
	order := "least first"
	if l.descending {
		order = "greatest first"
	}
	l.a.say("sorted by " + strings.ToLower(l.sortBy) + ", " + order)
}

func (l *list) toggleLive() tea.Cmd {
	l.live = !l.live
	switch {
	case l.live && l.until != "":
		l.a.say("live, as soon as the time has no end (t)")
	case l.live:
		l.a.say("live: new calls appear by themselves")
		return l.search()
	default:
		l.a.say("not live: F5 asks again")
	}
	return nil
}

// more asks for twice as many calls.
func (l *list) more() tea.Cmd {
	switch {
	case !l.truncated:
		l.a.say("these are all calls that match")
		return nil
	case l.limit >= query.MaxCalls:
		l.a.say(fmt.Sprintf("more than %d calls are not shown: narrow the filter or the time", query.MaxCalls))
		return nil
	}
	l.limit = min(2*len(l.calls), query.MaxCalls)
	l.a.say(fmt.Sprintf("asking for up to %d calls", l.limit))
	return l.search()
}

// askWindow asks which time to search.
func (l *list) askWindow() tea.Cmd {
	value := l.since
	if l.until != "" {
		value += " .. " + l.until
	}
	return l.a.ask("time (1h, today, 14:30, 2026-11-20 .. 2026-11-21):", value, func(s string) tea.Cmd {
		since, until, _ := strings.Cut(s, "..")
		old := [2]string{l.since, l.until}
		l.since, l.until = strings.TrimSpace(since), strings.TrimSpace(until)
		if _, _, err := l.window(); err != nil {
			l.since, l.until = old[0], old[1]
			l.a.complain(err)
			return nil
		}
		l.a.worked()
		l.fresh = true
		return l.search()
	})
}

func copyID(a *app, id string) tea.Cmd {
	a.say("copied " + id + " (if the terminal lets programs do that)")
	return tea.SetClipboard(id)
}
