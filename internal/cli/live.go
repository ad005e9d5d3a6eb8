package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/heplake/heplake/internal/termtext"
	"github.com/heplake/heplake/query"
)

// How a search is watched.
const (
	// liveInterval is how often the API is asked.
	liveInterval = time.Second
	// liveOverlap is how far back each question reaches: records come late, as
	// agents and batches make them, and clocks differ.
	liveOverlap = time.Minute
	// liveMost bounds a question's answer, liveOpen the calls that are asked for by
	// their ids to see how they end, liveAsked those in one question.
	liveMost, liveOpen, liveAsked = 1000, 1000, 200
	// liveRevisit is how often these are asked for, in questions for new ones.
	liveRevisit = 3
	// liveForget is how long a call that is over is remembered after the search
	// has told of it last: longer than the search can.
	liveForget = 3 * liveOverlap
)

// watcher shows calls as they appear and change.
type watcher struct {
	d      Display
	o      SearchOptions
	format string
	sheet  *sheet
	// shown is what was last shown of each call, by tenant and correlation id.
	shown map[string]*watched
	any   bool // whether any call has been
	told  bool // whether it has been told that there are too many
	looks int  // how often the API has been asked
	// down is the error last told; told again only when it changes.
	down string
}

// watched is a call on the screen.
type watched struct {
	id, state string
	start     time.Time
	seen      time.Time // when the API last told of it, by our clock
	open      bool
}

// live writes the calls that match as they appear, and again when their state
// changes, the newest at the bottom, until the context ends. That is the usual
// end and no error; having shown no call is ErrNotFound.
func live(ctx context.Context, d Display, o SearchOptions, format string, from time.Time) error {
	w := &watcher{d: d, o: o, format: format, shown: map[string]*watched{}}
	w.sheet = usualSheet(d)
	interval := o.Interval
	if interval == 0 {
		interval = liveInterval
	}
	for first := true; ; first = false {
		now := time.Now()
		if first && from.IsZero() {
			from = now
		}
		if err := w.look(ctx, from, now, first); err != nil {
			return err
		}
		if at := now.Add(-liveOverlap); at.After(from) {
			from = at
		}
		select {
		case <-ctx.Done():
			if !w.any {
				return notFound("no call matched while watching")
			}
			return nil
		case <-time.After(interval):
		}
	}
}

// look asks once and shows what is new. What may pass, such as a restart of the
// API, is told on stderr and waited for; but not the first time.
func (w *watcher) look(ctx context.Context, from, now time.Time, first bool) error {
	answer, _, err := w.o.Client.Calls(ctx, CallsRequest{Filter: w.o.Filter, From: from, Zone: w.d.zone(), Limit: min(max(w.o.Limit, liveMost), liveMost)})
	if err == nil {
		if err = w.show(answer.Calls, now); answer.Truncated && !w.told {
			w.told = true
			w.remark("more calls than can be shown one by one: a filter helps")
		}
	}
	if w.looks++; err == nil && w.looks%liveRevisit == 0 {
		err = w.revisit(ctx, now)
	}
	switch {
	case ctx.Err() != nil:
		return nil
	case err == nil:
		if w.down != "" {
			w.remark("the API answers again")
		}
		w.down = ""
	case first || !transient(err):
		return err
	case w.down != err.Error():
		w.down = err.Error()
		w.remark(w.down + "; still trying")
	}
	return nil
}

// revisit asks for calls that were not over: the search itself may not tell of
// their end, having been for something that their first message alone has.
func (w *watcher) revisit(ctx context.Context, now time.Time) error {
	var ids []string
	oldest := now
	for key, c := range w.shown {
		switch {
		case !c.open && now.Sub(c.seen) > liveForget:
			delete(w.shown, key)
		case c.open && !c.seen.Equal(now) && len(ids) < liveOpen:
			ids = append(ids, c.id)
			if c.start.Before(oldest) {
				oldest = c.start
			}
		}
	}
	slices.Sort(ids)
	for chunk := range slices.Chunk(ids, liveAsked) {
		answer, _, err := w.o.Client.Calls(ctx, CallsRequest{Filter: "correlation_id in (" + quoted(chunk) + ")", From: oldest.Add(-time.Minute), Limit: len(chunk) + liveAsked})
		if err != nil {
			return err
		}
		known := slices.DeleteFunc(answer.Calls, func(c query.Call) bool { return w.shown[callKey(&c)] == nil })
		if err := w.show(known, now); err != nil {
			return err
		}
	}
	return nil
}

// show writes the calls that are new or have changed.
func (w *watcher) show(calls []query.Call, now time.Time) error {
	slices.SortStableFunc(calls, func(a, b query.Call) int { return a.LastSeen.Compare(b.LastSeen) })
	for i := range calls {
		c := &calls[i]
		key, state := callKey(c), stateOf(c)
		known := w.shown[key]
		if known == nil {
			known = &watched{id: c.CorrelationID, start: c.Start}
			w.shown[key] = known
		}
		changed := known.state != state
		known.state, known.seen, known.open = state, now, open(c)
		if !changed {
			continue
		}
		if err := w.write(c); err != nil {
			return err
		}
	}
	return nil
}

func (w *watcher) write(c *query.Call) error {
	title := !w.any
	w.any = true
	if w.format == "json" {
		return writeJSONLine(w.d.Out, c)
	}
	var b strings.Builder
	if title {
		withID(&b, w.sheet.head(), w.d.paint(idTitle, termtext.Dim), w.below(len(idTitle)))
	}
	id := w.d.text(callID(c)) + legsMore(c)
	withID(&b, w.sheet.row(c), id, w.below(termtext.Width(id)))
	_, err := w.d.Out.Write([]byte(b.String()))
	return err
}

// below tells whether a Call-ID of so many cells has to stand below its row.
func (w *watcher) below(n int) bool { return w.d.Width > 0 && w.sheet.width()+2+n > w.d.Width }

func (w *watcher) remark(s string) {
	if w.d.Err != nil {
		_, _ = fmt.Fprintln(w.d.Err, "heplake: "+s)
	}
}

// usualSheet has the columns for calls that are yet to come.
func usualSheet(d Display) *sheet {
	last := startColumn("TIME "+time.Now().In(d.zone()).Format("MST"), time.TimeOnly)
	last.cell = plainCell(func(d Display, c *query.Call) string { return c.LastSeen.In(d.zone()).Format(time.TimeOnly) })
	method, outcome := methodColumn(), resultColumn()
	method.least, outcome.least = 6, 16 // "INVITE", "✗ 486 Busy Here"
	cols := []*tableColumn{last, method, fromColumn(), toColumn(), outcome, durationColumn(), pddColumn(), mosColumn(), messagesColumn()}
	room := 0
	if d.Width > 0 {
		room = d.Width - 2 - 24 // many a Call-ID has room beside
	}
	return usualWidths(d, cols, room)
}

// usualWidths makes columns as wide as they usually need, or narrower to fit.
func usualWidths(d Display, cols []*tableColumn, room int) *sheet {
	for _, c := range cols {
		c.width = max(len(c.title), c.usual)
	}
	if room > 0 {
		cols = squeeze(cols, room)
	}
	return &sheet{d, cols}
}

// callKey tells calls apart.
func callKey(c *query.Call) string { return c.Tenant + "\x00" + c.CorrelationID }

// stateOf is how far a call has come.
func stateOf(c *query.Call) string {
	return fmt.Sprint(c.Outcome, c.FinalStatus, c.Ring != nil, c.Answer != nil, c.End != nil)
}

// open reports whether more is to be expected of a call.
func open(c *query.Call) bool {
	return c.Outcome == query.InProgress || c.Outcome == query.Unanswered && c.End == nil
}

// transient reports whether asking again may help: the API did not answer, or
// said that it cannot now.
func transient(err error) bool {
	var p *problem
	if errors.As(err, &p) {
		return p.Status == 429 || p.Status >= 500
	}
	return !errors.Is(err, ErrNotFound)
}

// quoted lists values for the filter language.
func quoted(values []string) string {
	q := make([]string, len(values))
	for i, v := range values {
		q[i] = FilterString(v)
	}
	return strings.Join(q, ", ")
}

// FilterString is a value as a string of the filter language.
func FilterString(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(s) + `"`
}
