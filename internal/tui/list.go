package tui

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"charm.land/bubbles/v2/textinput"
	tea "charm.land/bubbletea/v2"

	"github.com/heplake/heplake/internal/cli"
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
	// chosen are the calls marked, by key: they are opened and saved together. A
	// mark stays while another filter does not show its call.
	chosen map[string]query.Call

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
	l := &list{a: a, filter: a.o.Filter, since: a.o.Since, until: a.o.Until, sortBy: cli.SortColumns()[0], descending: true, limit: a.o.Limit, live: !a.o.Paused, chosen: map[string]query.Call{}}
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
		l.a.next = openLadder(l.a, l.meant())
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
	for i := range calls { // what is known of those marked grows, too
		if key := cli.CallKey(&calls[i]); l.isChosen(&calls[i]) {
			l.chosen[key] = calls[i]
		}
	}
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

func (l *list) isChosen(c *query.Call) bool {
	_, ok := l.chosen[cli.CallKey(c)]
	return ok
}

// choose marks the call under the cursor, or takes its mark away.
func (l *list) choose() {
	c := l.current()
	if l.isChosen(c) {
		delete(l.chosen, cli.CallKey(c))
	} else {
		l.chosen[cli.CallKey(c)] = *c
	}
	l.sheet = nil
	l.sayChosen()
}

// chooseAll marks every call that is shown, or none at all.
func (l *list) chooseAll(all bool) {
	l.chosen, l.sheet = map[string]query.Call{}, nil
	if all {
		for _, c := range l.calls {
			l.chosen[cli.CallKey(&c)] = c
		}
	}
	l.sayChosen()
}

func (l *list) sayChosen() {
	switch n := len(l.chosen); n {
	case 0:
		l.a.say("no call is marked")
	case 1:
		l.a.say("1 call marked; mark others to see or save them together")
	default:
		l.a.say(fmt.Sprintf("%d calls marked: Enter shows them in one ladder, F2 saves them in one file", n))
	}
}

// meant are the calls that a key is about: those marked, the oldest first, else
// the one under the cursor.
func (l *list) meant() []query.Call {
	if len(l.chosen) == 0 {
		return []query.Call{*l.current()}
	}
	out := slices.Collect(maps.Values(l.chosen))
	slices.SortFunc(out, func(a, b query.Call) int {
		return cmp.Or(a.Start.Compare(b.Start), strings.Compare(cli.CallKey(&a), cli.CallKey(&b)))
	})
	return out
}

func (l *list) typing() bool { return l.input.Focused() }
