package tui

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"charm.land/bubbles/v2/key"
	"charm.land/bubbles/v2/textinput"
	tea "charm.land/bubbletea/v2"

	"github.com/heplake/heplake/internal/cli"
	"github.com/heplake/heplake/internal/termtext"
	"github.com/heplake/heplake/query"
)

// list is the screen of calls: a filter, and what it finds.
type list struct {
	a *app

	input        textinput.Model
	filter       string // that is asked for
	accepted     string // the last one that the API understood
	since, until string
	// column and wrong are where in the filter there is a mistake, and which.
	column int
	wrong  string
	// completions are the ways in which the filter being typed may go on.
	completions []cli.Completion

	calls      []query.Call // in the order shown
	truncated  bool
	sortBy     string
	descending bool
	cursor     int
	top        int
	page       int
	sheet      *cli.CallSheet
	sheetWidth int

	limit int
	live  bool
	// asked counts the questions; answers to earlier ones are dropped. cancel ends
	// the one under way, nil when there is none.
	asked  int
	cancel context.CancelFunc
	// fresh tells that what is shown is not yet the answer to the filter or time
	// just given; opening waits for that.
	fresh, open bool
	// loaded tells that there has been an answer.
	loaded  bool
	askedAt time.Time
}

// searched is the answer to a search.
type searched struct {
	asked  int
	answer *cli.CallsAnswer
	err    error
}

func newList(a *app) (*list, error) {
	l := &list{a: a, filter: a.o.Filter, since: a.o.Since, until: a.o.Until, sortBy: cli.SortColumns()[0], descending: true, limit: a.o.Limit, live: !a.o.Paused}
	if _, _, err := l.window(); err != nil {
		return nil, err
	}
	l.input = newInput("filter: ", l.filter)
	l.input.Placeholder = `none; / to type one, such as from_user like "49%" and status >= 500`
	l.input.ShowSuggestions = true
	return l, nil
}

// window is the time to search, counted from now.
func (l *list) window() (from, to time.Time, err error) {
	now := time.Now().In(zoneOf(l.a.o.Display))
	if from, err = cli.Since(l.since, now); err != nil {
		return from, to, err
	}
	to, err = cli.Until(l.until, now)
	if err == nil && !to.IsZero() && !from.Before(to) {
		err = errors.New("the end of the time is not after its beginning")
	}
	return from, to, err
}

func zoneOf(d cli.Display) *time.Location {
	if d.Zone == nil {
		return time.UTC
	}
	return d.Zone
}

// search asks for the calls of the filter. A question under way is dropped.
func (l *list) search() tea.Cmd {
	from, to, err := l.window()
	if err != nil {
		l.a.fail(err)
		return nil
	}
	l.close()
	ctx, cancel := context.WithCancel(l.a.ctx)
	l.asked++
	l.cancel, l.askedAt = cancel, time.Now()
	asked, client := l.asked, l.a.o.Client
	request := cli.CallsRequest{Filter: l.filter, From: from, To: to, Zone: zoneOf(l.a.o.Display), Limit: l.limit}
	return func() tea.Msg {
		answer, _, err := client.Calls(ctx, request)
		return searched{asked, answer, err}
	}
}

// close ends the question under way.
func (l *list) close() {
	if l.cancel != nil {
		l.cancel()
		l.cancel = nil
	}
}

// refresh asks again while the list is live and seen, and nothing is under way.
func (l *list) refresh() tea.Cmd {
	if !l.live || l.cancel != nil || l.a.top() != screen(l) || l.until != "" {
		return nil
	}
	return l.search()
}

func (l *list) answer(msg tea.Msg) {
	m, ok := msg.(searched)
	if !ok || m.asked != l.asked {
		return
	}
	l.close()
	open := l.open && m.err == nil
	l.fresh, l.open = false, false
	if m.err != nil {
		if errors.Is(m.err, context.Canceled) {
			return
		}
		if l.column, l.wrong = cli.FilterColumn(m.err), ""; l.column > 0 {
			// It stands there to be put right; meanwhile the one before holds.
			l.wrong, l.filter = strings.TrimPrefix(m.err.Error(), "search: "), l.accepted
			return
		}
		l.a.fail(m.err)
		return
	}
	l.a.worked()
	l.accepted, l.loaded = l.filter, true
	if !l.typing() && l.input.Value() == l.filter {
		l.column, l.wrong = 0, ""
	}
	l.show(m.answer.Calls, m.answer.Truncated)
	if open && l.current() != nil && l.a.top() == screen(l) {
		l.a.next = openLadder(l.a, l.current())
	}
}

// show puts calls on the screen. The cursor stays on its call; at the top it
// stays at the top, where the newest appear.
func (l *list) show(calls []query.Call, truncated bool) {
	at := ""
	if l.cursor > 0 && l.cursor < len(l.calls) {
		at = cli.CallKey(&l.calls[l.cursor])
	}
	cli.SortCalls(calls, l.sortBy, l.descending)
	l.calls, l.truncated, l.sheet = calls, truncated, nil
	if at != "" {
		if i := slices.IndexFunc(calls, func(c query.Call) bool { return cli.CallKey(&c) == at }); i >= 0 {
			l.top += i - l.cursor
			l.cursor = i
		}
	}
	l.move(0)
}

// move moves the cursor by so many calls.
func (l *list) move(by int) { l.cursor = max(min(l.cursor+by, len(l.calls)-1), 0) }

// current is the call under the cursor; nil without one.
func (l *list) current() *query.Call {
	if l.cursor >= len(l.calls) {
		return nil
	}
	return &l.calls[l.cursor]
}

func (l *list) typing() bool { return l.input.Focused() }

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
	case key.Matches(k, keys.open) && l.fresh:
		l.open = true
	case l.current() == nil:
	case key.Matches(k, keys.open), k.String() == "right":
		return openLadder(a, l.current())
	case key.Matches(k, keys.save):
		return askSave(a, cli.CallID(l.current()))
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
		d.Width = w
		l.sheet, l.sheetWidth = cli.NewCallSheet(l.calls, d), w
	}
	lines = append(lines, l.sheet.Head(l.sortBy, l.descending))
	l.page = max(h-len(lines), 1)
	l.top = scroll(l.top, l.cursor, l.cursor, l.page, len(l.calls))
	for i := l.top; i < min(l.top+l.page, len(l.calls)); i++ {
		lines = append(lines, l.sheet.Row(&l.calls[i], i == l.cursor && !l.typing()))
	}
	if len(l.calls) == 0 {
		lines = append(lines, "", termtext.Paint("  "+l.a.pen.text(l.nothing()), termtext.Dim))
	}
	return lines
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
	return []key.Binding{keys.help, bind(nil, "Enter", "ladder"), keys.filter, keys.window, keys.live, bind(nil, "<>", "sort"), keys.reverse, keys.save, keys.copyID, keys.quit}
}

func (l *list) help() []keyGroup {
	return []keyGroup{
		{"Calls", []key.Binding{
			bind(nil, "Enter", "the ladder of the call"), keys.filter, keys.window, keys.live, keys.refresh,
			keys.sortLeft, keys.sortRight, keys.reverse, keys.more, keys.save, keys.copyID, bind(nil, "Esc", "stop asking"), keys.quit,
		}},
		moving,
	}
}
