package query

import (
	"fmt"
	"math"
	"sort"
	"strings"
	"time"

	"github.com/heplake/heplake/query/filter"
)

// window is a span of time [from, to).
type window struct{ from, to time.Time }

// condition is the window as SQL. It names the hours as well, because the tables'
// order begins with the hour: ClickHouse does not conclude from the time alone
// which hours are meant, since the order holds the time, too, farther back.
func (w window) condition(p *filter.Params) string {
	return "toStartOfHour(time) >= " + hour(w.from, p) + " AND toStartOfHour(time) <= " + hour(w.to, p) +
		" AND time >= fromUnixTimestamp64Micro(" + p.Add("Int64", w.from.UnixMicro()) + ") AND time < fromUnixTimestamp64Micro(" + p.Add("Int64", w.to.UnixMicro()) + ")"
}

// hour is the hour that t lies in, as SQL. The range is that of ClickHouse's
// DateTime.
func hour(t time.Time, p *filter.Params) string {
	seconds := min(max(t.Unix(), 0), math.MaxUint32)
	return "toDateTime(" + p.Add("UInt32", uint32(seconds-seconds%3600)) + ", 'UTC')"
}

// windowOf is the window of a request.
func windowOf(from, to time.Time, span time.Duration) (window, error) {
	if to.IsZero() {
		to = time.Now()
	}
	if from.IsZero() {
		from = to.Add(-span)
	}
	if !from.Before(to) {
		return window{}, fmt.Errorf("%w: the window ends (%s) before it starts (%s)", ErrInvalid, to.UTC().Format(time.RFC3339), from.UTC().Format(time.RFC3339))
	}
	return window{from, to}, nil
}

// windows are spans in order, apart from each other. nil is all time, an empty
// list none.
type windows []window

// maxWindows bounds how many spans a condition names.
const maxWindows = 24

// merge puts windows in order and joins those that touch. When many are left,
// near ones are joined, too.
func merge(list []window) windows {
	if len(list) == 0 {
		return nil
	}
	sort.Slice(list, func(i, j int) bool { return list[i].from.Before(list[j].from) })
	for gap := time.Duration(0); ; gap = max(2*gap, time.Minute) {
		out := windows{list[0]}
		for _, w := range list[1:] {
			last := &out[len(out)-1]
			if w.from.After(last.to.Add(gap)) {
				out = append(out, w)
			} else if w.to.After(last.to) {
				last.to = w.to
			}
		}
		if len(out) <= maxWindows {
			return out
		}
		list = out
	}
}

// condition is SQL on the column time.
func (ws windows) condition(p *filter.Params) string {
	return ws.any(func(w window) string { return w.condition(p) })
}

// any is the condition that one holds for one of the windows.
func (ws windows) any(one func(window) string) string {
	switch {
	case ws == nil:
		return "1"
	case len(ws) == 0:
		return "0"
	}
	parts := make([]string, len(ws))
	for i, w := range ws {
		parts[i] = "(" + one(w) + ")"
	}
	return "(" + strings.Join(parts, " OR ") + ")"
}

// hold reports whether w lies within one of the windows.
func (ws windows) hold(w window) bool {
	for _, o := range ws {
		if !w.from.Before(o.from) && !w.to.After(o.to) {
			return true
		}
	}
	return ws == nil
}

// within are the parts of the windows that lie in w.
func (ws windows) within(w window) windows {
	if ws == nil {
		return windows{w}
	}
	out := windows{}
	for _, o := range ws {
		if o.from.Before(w.from) {
			o.from = w.from
		}
		if o.to.After(w.to) {
			o.to = w.to
		}
		if o.from.Before(o.to) {
			out = append(out, o)
		}
	}
	return out
}

// both are the times that lie in windows of either list.
func (ws windows) both(others windows) windows {
	if others == nil {
		return ws
	}
	out := windows{}
	for _, w := range others {
		out = append(out, ws.within(w)...)
	}
	return out
}

// hours is the condition that an hour, whose start the column has, is one that
// the windows touch.
func (ws windows) hours(column string, p *filter.Params) string {
	return ws.any(func(w window) string {
		return column + " >= " + hour(w.from, p) + " AND " + column + " <= " + hour(w.to, p)
	})
}
