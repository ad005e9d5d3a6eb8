package tui

import (
	"context"
	"strings"
	"time"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/heplake/heplake/internal/termtext"
)

// screen is what fills the terminal between the title and the last lines.
type screen interface {
	// key acts on a key. The screen may close itself or open another.
	key(a *app, k tea.KeyPressMsg) tea.Cmd
	// view draws h lines of at most w cells.
	view(w, h int) []string
	// title is what the screen shows, on the left and on the right.
	title() (left, right string)
	// hints are the keys told in the last line, help all of them.
	hints() []key.Binding
	help() []keyGroup
}

// typing is a screen that may have a text field.
type typing interface {
	// typing tells that keys are text.
	typing() bool
	// fieldCursor is the field's cursor within the view; nil without one.
	fieldCursor() *tea.Cursor
}

// app is the state of the application.
type app struct {
	ctx    context.Context
	o      Options
	pen    pen
	w, h   int
	list   *list
	stack  []screen // the last one is seen; the first is the list
	prompt *prompt  // a question in the last line, nil without one
	status status
	// next is what an answer has made worth doing.
	next tea.Cmd
}

// status is the line above the last: what happened, or what went wrong.
type status struct {
	text  string
	bad   bool
	until time.Time // zero: until the next
}

// statusTime is how long a message stands.
const statusTime = 8 * time.Second

// The messages of the program's loop, beside keys and sizes.
type (
	// ticked is the beat by which things are asked for again.
	ticked time.Time
	// told is a message for the status line.
	told struct {
		text string
		err  error
	}
)

func newApp(ctx context.Context, o Options) (*app, error) {
	if o.Refresh == 0 {
		o.Refresh = 2 * time.Second
	}
	// Colours are taken out again for terminals without by the library.
	o.Display.Color = true
	a := &app{ctx: ctx, o: o, pen: pen{o.Display.ASCII}, w: 80, h: 24}
	var err error
	if a.list, err = newList(a); err != nil {
		return nil, err
	}
	a.stack = []screen{a.list}
	return a, nil
}

// close cancels what is under way.
func (a *app) close() {
	for _, s := range a.stack {
		if c, ok := s.(interface{ close() }); ok {
			c.close()
		}
	}
}

// Init implements tea.Model.
func (a *app) Init() tea.Cmd {
	// Alternate scroll: the mouse wheel sends arrow keys, and the mouse still
	// selects text (xterm's mode 1007).
	return tea.Batch(tea.Raw("\x1b[?1007h"), a.tick(), a.list.search())
}

func (a *app) tick() tea.Cmd {
	return tea.Tick(a.o.Refresh, func(t time.Time) tea.Msg { return ticked(t) })
}

// top is the screen that is seen.
func (a *app) top() screen { return a.stack[len(a.stack)-1] }

func (a *app) push(s screen) { a.stack = append(a.stack, s) }

// pop closes the screen that is seen, unless it is the list.
func (a *app) pop() {
	if len(a.stack) < 2 {
		return
	}
	if c, ok := a.top().(interface{ close() }); ok {
		c.close()
	}
	a.stack = a.stack[:len(a.stack)-1]
}

// say puts a message into the status line.
func (a *app) say(text string) { a.status = status{text: text, until: time.Now().Add(statusTime)} }

// fail puts an error there; it stands until something else does.
func (a *app) fail(err error) {
	if err != nil {
		a.status = status{text: termtext.Clean(err.Error()), bad: true}
	}
}

// complain puts an error there for a while: that of something asked for once.
func (a *app) complain(err error) {
	a.fail(err)
	a.status.until = time.Now().Add(2 * statusTime)
}

// worked takes an error away again.
func (a *app) worked() {
	if a.status.bad {
		a.status = status{}
	}
}

// Update implements tea.Model.
func (a *app) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch m := msg.(type) {
	case tea.WindowSizeMsg:
		a.w, a.h = m.Width, m.Height
		return a, nil
	case tea.KeyPressMsg:
		return a, a.press(m)
	case tea.PasteMsg:
		return a, a.paste(m)
	case ticked:
		if !a.status.until.IsZero() && time.Time(m).After(a.status.until) {
			a.status = status{}
		}
		cmds := []tea.Cmd{a.tick()}
		for _, s := range a.stack {
			if r, ok := s.(interface{ refresh() tea.Cmd }); ok {
				cmds = append(cmds, r.refresh())
			}
		}
		return a, tea.Batch(cmds...)
	case told:
		if m.err != nil {
			a.complain(m.err)
		} else {
			a.say(m.text)
		}
		return a, nil
	}
	// What is left are answers: each screen knows its own.
	for _, s := range a.stack {
		if r, ok := s.(interface{ answer(msg tea.Msg) }); ok {
			r.answer(msg)
		}
	}
	next := a.next
	a.next = nil
	return a, next
}

// press acts on a key: of the prompt, of every screen, or of the one seen.
func (a *app) press(k tea.KeyPressMsg) tea.Cmd {
	switch k.String() {
	case "ctrl+c":
		return a.quit()
	case "ctrl+z":
		return tea.Suspend
	}
	if a.prompt != nil {
		return a.prompt.key(a, k)
	}
	if t, ok := a.top().(typing); ok && t.typing() {
		return a.top().key(a, k)
	}
	switch {
	case key.Matches(k, keys.help):
		a.push(newHelp(a.pen, a.top().help()))
		return nil
	case key.Matches(k, keys.redraw):
		return tea.ClearScreen
	}
	return a.top().key(a, k)
}

func (a *app) paste(m tea.PasteMsg) tea.Cmd {
	if a.prompt != nil {
		return a.prompt.other(m)
	}
	if l, ok := a.top().(*list); ok && l.typing() {
		return l.edit(m)
	}
	return nil
}

func (a *app) quit() tea.Cmd {
	return tea.Sequence(tea.Raw("\x1b[?1007l"), tea.Quit)
}

// The smallest terminal that something can be shown on.
const (
	leastWidth  = 40
	leastHeight = 8
)

// View implements tea.Model.
func (a *app) View() tea.View {
	v := tea.NewView("")
	v.AltScreen = true
	if a.w < leastWidth || a.h < leastHeight {
		v.SetContent(ansi.Truncate("heplake needs a larger terminal", a.w, ""))
		return v
	}
	s := a.top()
	const around = 3 // the title, the status, the keys
	body := exactly(s.view(a.w, a.h-around), a.h-around)
	left, right := s.title()
	v.WindowTitle = termtext.Clean("heplake: " + left)
	// A long message covers what is above it.
	told := a.statusLines()
	body = body[:len(body)-len(told)+1]
	lines := append(append([]string{a.bar(left, right)}, body...), told...)
	lines = append(lines, a.keyLine(s))
	for i := range lines {
		lines[i] = ansi.Truncate(lines[i], a.w, "")
	}
	v.SetContent(strings.Join(lines, "\n"))
	if a.prompt != nil {
		v.Cursor = a.prompt.cursor(a.h - 2)
	} else if t, ok := s.(typing); ok {
		if c := t.fieldCursor(); c != nil {
			c.Y++
			v.Cursor = c
		}
	}
	return v
}

// bar is the title line.
func (a *app) bar(left, right string) string {
	left, right = " "+a.pen.text(left), a.pen.text(right)+" "
	left = a.pen.fit(left, a.w)
	if room := a.w - termtext.Width(left) - 2; termtext.Width(right) > room {
		right = a.pen.fit(right, max(room, 0))
	}
	gap := strings.Repeat(" ", max(a.w-termtext.Width(left)-termtext.Width(right), 0))
	return termtext.Paint(left+gap+right, "1;7")
}

// mostStatus is how many lines a message takes at most.
const mostStatus = 3

func (a *app) statusLines() []string {
	if a.prompt != nil {
		return []string{a.prompt.view(a.w)}
	}
	st := termtext.Dim
	if a.status.bad {
		st = termtext.RedBold
	}
	lines := strings.Split(ansi.Wordwrap(a.pen.text(a.status.text), a.w, ""), "\n")
	if most := max(min(mostStatus, a.h/6), 1); len(lines) > most {
		lines = append(lines[:most-1:most-1], strings.Join(lines[most-1:], " "))
	}
	for i, l := range lines {
		lines[i] = termtext.Paint(a.pen.fit(l, a.w), st)
	}
	return lines
}

// keyLine tells the keys, as many as there is room for.
func (a *app) keyLine(s screen) string {
	bindings := s.hints()
	if a.prompt != nil {
		bindings = []key.Binding{keys.accept, keys.cancel}
	}
	out, n := "", 0
	for _, b := range bindings {
		h := b.Help()
		w := termtext.Width(h.Key) + 1 + termtext.Width(h.Desc)
		if n > 0 {
			w += 2
		}
		if n+w > a.w {
			break
		}
		if n > 0 {
			out += "  "
		}
		out += termtext.Paint(a.pen.text(h.Key), termtext.Bold) + " " + termtext.Paint(h.Desc, termtext.Dim)
		n += w
	}
	return out
}

// exactly cuts or fills to n lines.
func exactly(lines []string, n int) []string {
	if len(lines) > n {
		return lines[:n]
	}
	return append(lines, make([]string, n-len(lines))...)
}

// describeWindow says which time a search looks at.
func describeWindow(since, until string) string {
	s := "the last day"
	if since != "" {
		s = "since " + since
	}
	if until != "" {
		s += " until " + until
	}
	return s
}
