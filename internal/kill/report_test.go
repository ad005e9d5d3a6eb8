//go:build linux

package kill

import (
	"fmt"
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

// write prints the table.
func (r *report) write(t *testing.T) {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(w, "\t\tkills\tsent\tstored\tmissing\tof these excused\ttwice\toldest missing\tallowed\t")
	for _, l := range r.lines {
		oldest, allowed := "", ""
		if l.allowed > 0 {
			oldest, allowed = l.oldest.Round(time.Millisecond).String(), l.allowed.Round(time.Millisecond).String()
		}
		_, _ = fmt.Fprintf(w, "\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%s\t%s\t\n", l.what, l.kills, l.sent, l.sent-l.missing, l.missing, l.excused, l.twice, oldest, allowed)
	}
	if err := w.Flush(); err != nil {
		t.Error(err)
	}
	t.Logf("excused: dropped by the kernel and counted, or sent before a kill -9 within batch.age and what was measured beyond\n%s", b.String())
}
