//go:build linux

package kill

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

// line is what one way of killing came to, over all rounds.
type line struct {
	what                                 string
	kills, sent, missing, excused, twice int
	// oldest is how long before a kill -9 the oldest missing record was sent, allowed
	// how long it may be.
	oldest, allowed time.Duration
	// waited is for how long something had waited for the spool before each kill.
	waited []time.Duration
}

// report gathers the lines, for the table at the end.
type report struct{ lines []*line }

func (r *report) line(what string) *line {
	for _, l := range r.lines {
		if l.what == what {
			return l
		}
	}
	l := &line{what: what}
	r.lines = append(r.lines, l)
	return l
}

// write prints the table, and checks that what a kill cost was a matter of
// batch.age: on a busy machine a batch may wait for longer, but most do not.
func (r *report) write(t *testing.T) {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(w, "\t\tkills\tsent\tstored\tmissing\tof these excused\ttwice\toldest missing\tallowed\t")
	var waited []time.Duration
	for _, l := range r.lines {
		waited = append(waited, l.waited...)
		oldest, allowed := "", ""
		if l.allowed > 0 {
			oldest, allowed = l.oldest.Round(time.Millisecond).String(), l.allowed.Round(time.Millisecond).String()
		}
		_, _ = fmt.Fprintf(w, "\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%s\t%s\t\n", l.what, l.kills, l.sent, l.sent-l.missing, l.missing, l.excused, l.twice, oldest, allowed)
	}
	if err := w.Flush(); err != nil {
		t.Error(err)
	}
	slices.Sort(waited)
	if n := len(waited); n > 0 {
		half, most := waited[n/2], waited[n-1]
		t.Logf("before a kill of heplake something had waited for the spool for %s (median), %s at most", half.Round(time.Millisecond), most.Round(time.Millisecond))
		if half > batchAge+batchAge/8 {
			t.Errorf("that is more than batch.age, %s, and the time to the next look for old batches", batchAge)
		}
	}
	t.Logf("excused: dropped by the kernel and counted, or received by a heplake that was killed and not in the spool by its own account\n%s", b.String())
}
