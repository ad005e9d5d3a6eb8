package tui

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"github.com/heplake/heplake/internal/cli"
	"github.com/heplake/heplake/query"
	"github.com/heplake/heplake/query/ladder"
)

// flowScreen is the screen of a call's ladder and its messages.
type flowScreen struct {
	a    *app
	call query.Call // as the list knew it
	id   string     // that is asked for
	// several are the calls that are shown together, the oldest first; nil for one.
	several []query.Call

	flow *query.Flow // nil until the answer
	err  error       // why there is none
	// hidden legs, by index, and kinds of items that are left out.
	hidden                  map[string]bool
	noCopy, noMedia, noLogs bool
	// shown is the flow without what is hidden.
	shown   *query.Flow
	drawing *ladder.Drawing
	// drawnAt is the width the drawing is for.
	drawnAt int
	time    ladder.TimeMode
	whole   bool // the whole summary instead of the reason alone

	cursor, top, page int
	marked            itemID // the message to compare, if any is marked
	anyMarked         bool
	pane              paneMode
	message           messageView
	paneTop           int
	words             string // that were last looked for

	live   bool
	asked  int
	cancel context.CancelFunc
}

// itemID tells items of a flow apart also after it has grown.
type itemID struct {
	time   int64
	index  int // among those of the same time
	callID string
	raw    string
}

// paneMode is where the message under the cursor is shown beside the ladder.
type paneMode int

const (
	paneAuto paneMode = iota // at the right where there is room, else below
	paneOff
)

// flowed is the answer to the question for a flow.
type flowed struct {
	of    *flowScreen
	asked int
	flow  *query.Flow
	calls []query.Call // of several
	err   error
}

// mostLadders is how many calls are shown in one ladder: more nobody can read.
const mostLadders = 20

// openLadder shows a call, or several in one ladder.
func openLadder(a *app, calls []query.Call) tea.Cmd {
	if len(calls) > mostLadders {
		a.complain(fmt.Errorf("%d calls are marked; one ladder shows up to %d (u takes all marks away)", len(calls), mostLadders))
		return nil
	}
	f := newFlowScreen(a, &calls[0])
	if len(calls) > 1 {
		f.several = calls
		f.live = slices.ContainsFunc(calls, func(c query.Call) bool { return cli.CallOpen(&c) })
	}
	a.push(f)
	return f.ask()
}

func newFlowScreen(a *app, c *query.Call) *flowScreen {
	return &flowScreen{a: a, call: *c, id: cli.CallID(c), hidden: map[string]bool{}, live: cli.CallOpen(c)}
}

// ask asks for the flow.
func (f *flowScreen) ask() tea.Cmd {
	f.close()
	ctx, cancel := context.WithCancel(f.a.ctx)
	f.asked++
	f.cancel = cancel
	asked, client, id, start := f.asked, f.a.o.Client, f.id, f.call.Start
	if calls := f.several; calls != nil {
		return func() tea.Msg {
			flow, calls, err := askAll(ctx, client, calls)
			return flowed{f, asked, flow, calls, err}
		}
	}
	return func() tea.Msg {
		flow, _, err := client.FlowSince(ctx, id, start)
		return flowed{f, asked, flow, nil, err}
	}
}

// askAll asks for several calls and makes one flow of them; now is how the calls
// stand.
func askAll(ctx context.Context, client *cli.Client, calls []query.Call) (flow *query.Flow, now []query.Call, err error) {
	var flows []*query.Flow
	for i := range calls {
		flow, _, err := client.FlowSince(ctx, cli.CallID(&calls[i]), calls[i].Start)
		if err != nil {
			return nil, nil, err
		}
		flows, now = append(flows, flow), append(now, flow.Call)
	}
	return merge(flows), now, nil
}

func (f *flowScreen) close() {
	if f.cancel != nil {
		f.cancel()
		f.cancel = nil
	}
}

func (f *flowScreen) refresh() tea.Cmd {
	if !f.live || f.cancel != nil {
		return nil
	}
	return f.ask()
}

func (f *flowScreen) answer(msg tea.Msg) {
	m, ok := msg.(flowed)
	if !ok || m.of != f || m.asked != f.asked {
		return
	}
	f.close()
	switch {
	case errors.Is(m.err, context.Canceled):
	case m.err != nil:
		f.err = m.err
		f.a.fail(m.err)
	default:
		f.err = nil
		f.a.worked()
		if f.several != nil {
			f.several = m.calls
		}
		f.take(m.flow)
	}
}

// take shows a flow. The cursor stays on its message; on the last one it goes
// on to the last.
func (f *flowScreen) take(flow *query.Flow) {
	at, last := f.here(), f.shown != nil && f.cursor > 0 && f.cursor == len(f.shown.Items)-1
	grown := f.flow != nil && len(flow.Items) > len(f.flow.Items)
	f.flow = flow
	if f.several == nil {
		f.call = flow.Call
	}
	f.filter()
	if f.find(at) && !(last && grown && f.live) {
		return
	}
	if last {
		f.cursor = max(len(f.shown.Items)-1, 0)
	}
}

// filter makes the flow without what is hidden.
func (f *flowScreen) filter() {
	shown := *f.flow
	shown.Items = nil
	for _, it := range f.flow.Items {
		switch {
		case it.Leg >= 0 && it.Leg < len(f.flow.Legs) && f.hidden[f.flow.Legs[it.Leg].CallID]:
		case f.noCopy && it.Copy, f.noMedia && it.Kind == query.KindMedia, f.noLogs && it.Kind == query.KindEvent:
		default:
			shown.Items = append(shown.Items, it)
		}
	}
	f.shown, f.drawing = &shown, nil
	f.cursor = max(min(f.cursor, len(shown.Items)-1), 0)
}

// change hides or shows something; the cursor stays on its message if that is
// still there.
func (f *flowScreen) change() {
	if f.flow == nil {
		return
	}
	at := f.here()
	f.filter()
	f.find(at)
}

// here identifies the message under the cursor.
func (f *flowScreen) here() itemID {
	if it := f.current(); it != nil {
		return f.idOf(f.cursor)
	}
	return itemID{index: -1}
}

func (f *flowScreen) idOf(i int) itemID {
	it := &f.shown.Items[i]
	id := itemID{it.Time.UnixMicro(), 0, it.CallID, it.Raw}
	for j := i - 1; j >= 0 && f.shown.Items[j].Time.Equal(it.Time); j-- {
		if f.shown.Items[j].Raw == it.Raw {
			id.index++
		}
	}
	return id
}

// find moves the cursor to a message.
func (f *flowScreen) find(id itemID) bool {
	for i := range f.shown.Items {
		if id.index >= 0 && f.shown.Items[i].Raw == id.raw && f.idOf(i) == id {
			f.cursor = i
			return true
		}
	}
	return false
}

// current is the message under the cursor; nil without one.
func (f *flowScreen) current() *query.Item {
	if f.shown == nil || f.cursor >= len(f.shown.Items) {
		return nil
	}
	return &f.shown.Items[f.cursor]
}

func (f *flowScreen) move(by int) {
	if f.shown != nil {
		f.cursor = max(min(f.cursor+by, len(f.shown.Items)-1), 0)
		f.paneTop = 0
	}
}

func (f *flowScreen) title() (string, string) {
	right := ""
	if f.shown != nil && len(f.shown.Items) > 0 {
		right = fmt.Sprintf("%d of %d", f.cursor+1, len(f.shown.Items))
		if n := len(f.flow.Items) - len(f.shown.Items); n > 0 {
			right += fmt.Sprintf(", %d hidden", n)
		}
	}
	if f.live {
		right += " · live"
	}
	left := f.id
	if n := len(f.several); n > 1 {
		return fmt.Sprintf("%d calls", n), strings.TrimPrefix(right, " · ")
	}
	if f.flow != nil && f.drawing != nil && !f.whole {
		left = plain(f.drawing.Summary()[0])
	}
	return left, strings.TrimPrefix(right, " · ")
}

func (f *flowScreen) hints() []key.Binding {
	return []key.Binding{keys.help, bind(nil, "Enter", "message"), keys.why, keys.mark, keys.decoded, keys.leg, keys.summary, keys.time, keys.pane, keys.find, keys.save, keys.back}
}

func (f *flowScreen) help() []keyGroup {
	return []keyGroup{
		{"Ladder", []key.Binding{
			bind(nil, "Enter", "the whole message"), bind(nil, "Space", "mark a message; on a second one: compare the two"),
			keys.decoded, keys.pane, bind(nil, "+ -", "scroll the message pane"), keys.time, keys.summary,
			keys.leg, keys.allLegs, keys.copies, keys.media, keys.events, keys.why, keys.find, keys.next, keys.previous,
			keys.live, keys.refresh, keys.previousCall, keys.nextCall, keys.save, keys.copyID, keys.back,
		}},
		moving,
	}
}
