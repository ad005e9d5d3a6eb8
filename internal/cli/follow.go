package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"github.com/heplake/heplake/query"
	"github.com/heplake/heplake/query/ladder"
)

// When a call that is followed is over.
const (
	// followInterval is how often the API is asked.
	followInterval = time.Second
	// followSettle is how long after the last message of a call that has ended
	// others are waited for: the answer to its BYE, the last media reports.
	followSettle = 5 * time.Second
	// followSilence is how long after its last message a call without a final
	// response is given up: timer C (RFC 3261 section 16.6), by which a proxy
	// must have ended it.
	followSilence = 3*time.Minute + followSettle
)

// follower writes a call's ladder as it grows.
type follower struct {
	d       Display
	o       FlowOptions
	text    ladder.TextOptions
	json    bool
	drawing *ladder.Drawing
	// written counts the items on the screen by what identifies them.
	written map[itemKey]int
	// last is the place in the flow of the row above, -1 when it is no row.
	last int
	down string
}

// itemKey identifies an item between two answers, in which its index and that of
// its participants may differ.
type itemKey struct {
	time     int64
	kind     query.ItemKind
	src, dst netip.AddrPort
	callID   string
	node     string
	raw      string
}

// followAnywhere is at which questions for a call that is not there yet all times
// are searched, for one that is reported late or replayed; the others search from
// the present.
const followAnywhere = 10

// follow writes the flow and then what comes to it, until the call is over or
// the context ends; neither is an error. A call that is over is simply written. An
// unknown Call-ID is waited for; that it never came is ErrNotFound.
func follow(ctx context.Context, o FlowOptions, f *follower) error {
	interval := o.Interval
	if interval == 0 {
		interval = followInterval
	}
	settle := o.Settle
	if settle == 0 {
		settle = followSettle
	}
	flow, err := f.await(ctx, interval)
	if err != nil {
		return err
	}
	newest := lastTime(flow) // an old call has no more to come
	if now := time.Now(); newest.After(now) {
		newest = now
	}
	if over(flow, time.Since(newest), settle) {
		return f.whole(flow)
	}
	if _, err := f.grow(flow); err != nil {
		return err
	}
	for !over(flow, time.Since(newest), settle) {
		select {
		case <-ctx.Done():
			return f.end(flow)
		case <-time.After(interval):
		}
		next, err := f.ask(ctx, flow.Call.Start, true) // the search need not go far
		switch {
		case ctx.Err() != nil:
			return f.end(flow)
		case err != nil:
			return err
		case next == nil:
			continue
		}
		grown, err := f.grow(next)
		if err != nil {
			return err
		}
		if flow = next; grown {
			newest = time.Now()
		}
	}
	return f.end(flow)
}

// await is the first answer. A call that is not there yet is waited for.
func (f *follower) await(ctx context.Context, interval time.Duration) (*query.Flow, error) {
	flow, err := f.ask(ctx, time.Time{}, false)
	if !errors.Is(err, ErrNotFound) {
		return flow, err
	}
	missing := err
	f.remark(missing.Error() + " yet; waiting for it")
	from := time.Now().Add(-time.Minute)
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return nil, missing
		case <-time.After(interval):
		}
		since := from
		if n%followAnywhere == 0 {
			since = time.Time{}
		}
		flow, err = f.ask(ctx, since, true)
		switch {
		case ctx.Err() != nil:
			return nil, missing
		case errors.Is(err, ErrNotFound):
		case err != nil || flow != nil:
			return flow, err
		}
	}
}

// ask asks for the flow, looking from a time on, zero for any. Once there has been
// an answer, patient, what may pass is told on stderr and is no error; the flow is
// nil then.
func (f *follower) ask(ctx context.Context, from time.Time, patient bool) (*query.Flow, error) {
	flow, _, err := f.o.Client.FlowSince(ctx, f.o.CallID, from)
	switch {
	case err == nil || errors.Is(err, ErrNotFound):
		if f.down != "" {
			f.remark("the API answers again")
		}
		f.down = ""
		return flow, err
	case !patient || ctx.Err() != nil || !transient(err):
		return nil, err
	case f.down != err.Error():
		f.down = err.Error()
		f.remark(f.down + "; still trying")
	}
	return nil, nil //nolint:nilnil // documented
}

func (f *follower) remark(s string) {
	if f.d.Err != nil {
		_, _ = fmt.Fprintln(f.d.Err, "heplake: "+s)
	}
}

// over reports whether nothing more is to be expected of a call after so long a
// silence.
func over(f *query.Flow, quiet, settle time.Duration) bool {
	c := &f.Call
	switch {
	case c.Outcome == query.InProgress && c.Answer != nil:
		return false
	case c.Outcome == query.InProgress, c.Outcome == query.Unanswered:
		return quiet >= followSilence
	}
	return quiet >= settle
}

func lastTime(f *query.Flow) time.Time {
	if n := len(f.Items); n > 0 {
		return f.Items[n-1].Time
	}
	return f.Call.LastSeen
}

// grow writes the items that were not there before.
func (f *follower) grow(flow *query.Flow) (bool, error) {
	seen := map[itemKey]int{}
	var fresh []int
	for i := range flow.Items {
		k := keyOf(&flow.Items[i])
		if seen[k]++; seen[k] > f.written[k] {
			fresh = append(fresh, i)
		}
	}
	f.written = seen
	if f.json {
		for _, i := range fresh {
			it := &flow.Items[i]
			if err := writeJSONLine(f.d.Out, followLine{Item: it, Src: address(flow, it.Src), Dst: address(flow, it.Dst)}); err != nil {
				return false, err
			}
		}
		return len(fresh) > 0, nil
	}
	if len(fresh) == 0 {
		return false, nil
	}
	var lines []string
	d := ladder.Draw(flow, f.text)
	switch {
	case f.drawing == nil:
		lines, f.last = append(append(d.Summary(), ""), d.Header()...), -1
	case !d.SameLanes(f.drawing):
		lines, f.last = d.Header(), -1
	}
	f.drawing = d
	for _, i := range fresh {
		// The time since the row before says nothing where that is not above.
		lines = append(lines, d.Row(i, ladder.Mark{Clock: i != f.last+1})...)
		f.last = i
	}
	return true, writeLines(f.d.Out, lines)
}

// followLine is a line of JSON: a message with its ends, whose places among the
// participants may change while a call goes on.
type followLine struct {
	Src  string      `json:"src,omitempty"`
	Dst  string      `json:"dst,omitempty"`
	Item *query.Item `json:"item,omitempty"`
	// Call is the call as it ended; on the last line.
	Call *query.Call `json:"call,omitempty"`
}

// whole writes a flow that nothing more comes to.
func (f *follower) whole(flow *query.Flow) error {
	if f.json {
		if _, err := f.grow(flow); err != nil {
			return err
		}
		return f.end(flow)
	}
	f.text.Even = false
	return ladder.Text(f.d.Out, flow, f.text)
}

// end closes the ladder and says how the call ended.
func (f *follower) end(flow *query.Flow) error {
	if f.json {
		return writeJSONLine(f.d.Out, followLine{Call: &flow.Call})
	}
	d := ladder.Draw(flow, f.text)
	return writeLines(f.d.Out, append(append(d.Footer(), ""), d.Summary()...))
}

func keyOf(it *query.Item) itemKey {
	return itemKey{it.Time.UnixMicro(), it.Kind, it.SrcAddr, it.DstAddr, it.CallID, it.Node, it.Raw}
}

func address(f *query.Flow, participant int) string {
	if participant < 0 || participant >= len(f.Participants) {
		return ""
	}
	return f.Participants[participant].Address
}

func writeLines(w io.Writer, lines []string) error {
	if len(lines) == 0 {
		return nil
	}
	_, err := io.WriteString(w, strings.Join(lines, "\n")+"\n")
	return err
}

// writeJSONLine writes a value on a line of its own.
func writeJSONLine(w io.Writer, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = w.Write(append(b, '\n'))
	return err
}
