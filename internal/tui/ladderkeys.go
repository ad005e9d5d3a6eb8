package tui

import (
	"slices"
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"github.com/heplake/heplake/internal/cli"
	"github.com/heplake/heplake/query"
)

func (f *flowScreen) key(a *app, k tea.KeyPressMsg) tea.Cmd {
	switch {
	case key.Matches(k, keys.back):
		a.pop()
	case key.Matches(k, keys.up):
		f.move(-1)
	case key.Matches(k, keys.down):
		f.move(1)
	case key.Matches(k, keys.pageUp):
		f.move(-max(f.page-2, 1))
	case key.Matches(k, keys.pageDown):
		f.move(max(f.page-2, 1))
	case key.Matches(k, keys.home):
		f.move(-1 << 30)
	case key.Matches(k, keys.end):
		f.move(1 << 30)
	case key.Matches(k, keys.save):
		return askSave(a, f.calls())
	case key.Matches(k, keys.copyID):
		return copyID(a, f.callID())
	case key.Matches(k, keys.refresh):
		return f.ask()
	case key.Matches(k, keys.live):
		f.live = !f.live
		if f.live {
			a.say("live: new messages appear by themselves")
			return f.ask()
		}
		a.say("not live: F5 asks again")
	case key.Matches(k, keys.nextCall):
		return f.neighbour(1)
	case key.Matches(k, keys.previousCall):
		return f.neighbour(-1)
	case f.flow == nil:
	default:
		return f.viewKey(a, k)
	}
	return nil
}

// viewKey acts on the keys that need a flow.
func (f *flowScreen) viewKey(a *app, k tea.KeyPressMsg) tea.Cmd {
	switch {
	case key.Matches(k, keys.open):
		if f.current() != nil {
			a.push(&messageScreen{f: f})
		}
	case key.Matches(k, keys.mark):
		f.mark()
	case key.Matches(k, keys.decoded):
		f.message.decoded = !f.message.decoded
	case key.Matches(k, keys.pane):
		f.pane = paneAuto + paneOff - f.pane
	case k.String() == "+", k.String() == "shift+down":
		f.paneTop++
	case k.String() == "-", k.String() == "shift+up":
		f.paneTop = max(f.paneTop-1, 0)
	case key.Matches(k, keys.time):
		f.time = (f.time + 1) % 3
		f.drawing = nil
		a.say("time: " + [...]string{"since the row before", "time of day", "since the first message"}[f.time])
	case key.Matches(k, keys.leg):
		f.toggleLeg(int(k.String()[0] - '1'))
	case key.Matches(k, keys.allLegs):
		f.hidden = map[string]bool{}
		f.change()
	case key.Matches(k, keys.copies):
		f.toggle(&f.noCopy, "copies by other agents")
	case key.Matches(k, keys.media):
		f.toggle(&f.noMedia, "media reports")
	case key.Matches(k, keys.events):
		f.toggle(&f.noLogs, "log events")
	case key.Matches(k, keys.summary):
		f.whole = !f.whole
	case key.Matches(k, keys.why):
		f.nextFinding()
	case key.Matches(k, keys.find):
		return a.ask("find:", f.words, func(s string) tea.Cmd {
			f.words = s
			f.look(1)
			return nil
		})
	case key.Matches(k, keys.next):
		f.look(1)
	case key.Matches(k, keys.previous):
		f.look(-1)
	}
	return nil
}

// calls are those that are shown.
func (f *flowScreen) calls() []query.Call {
	if f.several != nil {
		return f.several
	}
	call := f.call
	if len(call.CallIDs) == 0 || call.CallIDs[0] != f.id {
		call.CallIDs = append([]string{f.id}, call.CallIDs...) // that it was asked for by
	}
	return []query.Call{call}
}

// callID is the call's; of several calls that of the message under the cursor.
func (f *flowScreen) callID() string {
	if it := f.current(); f.several != nil && it != nil && it.CallID != "" {
		return it.CallID
	}
	return f.id
}

func (f *flowScreen) toggle(off *bool, what string) {
	*off = !*off
	f.change()
	if *off {
		f.a.say(what + " are left out")
	} else {
		f.a.say(what + " are shown")
	}
}

func (f *flowScreen) toggleLeg(i int) {
	if len(f.flow.Legs) < 2 || i >= len(f.flow.Legs) {
		f.a.say("there is no such leg to leave out")
		return
	}
	id := f.flow.Legs[i].CallID
	if f.hidden[id] = !f.hidden[id]; !f.hidden[id] {
		delete(f.hidden, id)
	}
	if len(f.hidden) == len(f.flow.Legs) {
		delete(f.hidden, id)
		f.a.say("the last leg stays")
	}
	f.change()
}

// look moves to the next message that has the words, in either direction.
func (f *flowScreen) look(by int) {
	words, n := strings.ToLower(f.words), len(f.shown.Items)
	if words == "" {
		return
	}
	for i := 1; i <= n; i++ {
		at := ((f.cursor+i*by)%n + n) % n
		it := &f.shown.Items[at]
		if strings.Contains(strings.ToLower(it.Raw), words) || strings.Contains(strings.ToLower(it.Label), words) {
			f.cursor, f.paneTop = at, 0
			return
		}
	}
	f.a.say("no message has " + f.words)
}

// nextFinding goes on to the next message that shows what went wrong, and tells
// what that is.
func (f *flowScreen) nextFinding() {
	n := len(f.shown.Items)
	for by := 1; by <= n; by++ {
		at := (f.cursor + by) % n
		for _, found := range f.flow.Findings {
			if found.Severity != query.SeverityInfo && slices.Contains(found.Items, f.shown.Items[at].Index) {
				f.cursor, f.paneTop = at, 0
				f.a.say(found.Text)
				return
			}
		}
	}
	f.a.say("no message shows anything wrong")
}

// mark chooses a message; with the second one the two are compared.
func (f *flowScreen) mark() {
	if f.current() == nil {
		return
	}
	id := f.here()
	switch {
	case !f.anyMarked:
		f.marked, f.anyMarked = id, true
		f.a.say("marked; Space on another message compares the two")
	case f.marked == id:
		f.anyMarked = false
		f.a.say("")
	default:
		f.anyMarked = false
		for i := range f.shown.Items {
			if f.shown.Items[i].Raw == f.marked.raw && f.idOf(i) == f.marked {
				f.a.say("")
				f.a.push(newDiff(f, &f.shown.Items[i], f.current()))
				return
			}
		}
		f.a.say("the marked message is hidden")
	}
}

// neighbour goes on to another call of the list.
func (f *flowScreen) neighbour(by int) tea.Cmd {
	if f.several != nil {
		f.a.say("several calls are shown: go back to choose others")
		return nil
	}
	l := f.a.list
	i := slices.IndexFunc(l.calls, func(c query.Call) bool { return cli.CallKey(&c) == cli.CallKey(&f.call) })
	if i < 0 || i+by < 0 || i+by >= len(l.calls) {
		f.a.say("no further call in the list")
		return nil
	}
	l.cursor = i + by
	next := newFlowScreen(f.a, l.current())
	next.pane, next.time, next.message, next.whole = f.pane, f.time, f.message, f.whole
	next.noCopy, next.noMedia, next.noLogs = f.noCopy, f.noMedia, f.noLogs
	f.a.pop()
	f.a.push(next)
	return next.ask()
}
